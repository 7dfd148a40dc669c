"""The database looked at without a change to it, whatever state it is in: for `doctor`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from b24tools.core import errors
from b24tools.core.i18n import _, os_reason
from b24tools.store import database
from b24tools.store.migrations import migrations

BUSY_TIMEOUT_S = 5
MOST_PROBLEMS = 3


@dataclass(frozen=True)
class LatestKey:
    """The line whose task is known and was made last: its key and the task's id."""

    key: str
    task_id: int


@dataclass(frozen=True)
class Looked:
    """What was seen of the file: damage in SQLite's words, migrations of a newer b24tools, whether it can be written.

    `pending`: the next command that writes will bring the schema up to date.
    """

    damage: tuple[str, ...]
    foreign_migrations: tuple[str, ...]
    pending: bool
    writable: bool


class Reader(database.Store):
    """A store that only reads, with questions that nobody but `doctor` asks."""

    def unsettled_orders(self) -> list[tuple[str, str]]:
        """Id and number of the orders with a line whose write was never answered, or whose run did not end."""
        sql = (
            "SELECT id, number FROM orders WHERE outcome IS NULL OR id IN (SELECT order_id FROM order_tasks"
            " WHERE state = 'writing' OR writing_since IS NOT NULL) ORDER BY last_sent_at, id"
        )
        return [(row["id"], row["number"]) for row in self._db.query(sql)]

    def count_orders(self) -> int:
        """How many orders were ever sent."""
        return int(self._db.table("orders").count)

    def positions_since(self, moment: datetime) -> list[str]:
        """The positions of the orders sent since then, by name."""
        sql = (
            "SELECT DISTINCT position FROM order_tasks WHERE order_id IN"
            " (SELECT id FROM orders WHERE julianday(last_sent_at) >= julianday(?)) ORDER BY position"
        )
        return [row["position"] for row in self._db.query(sql, [moment.isoformat()])]

    def latest_key(self) -> LatestKey | None:
        """The key to ask the portal for, if there is any."""
        sql = (
            "SELECT key, task_id FROM order_tasks WHERE state = 'done' AND task_id IS NOT NULL AND old_key IS NULL"
            " ORDER BY task_id DESC LIMIT 1"  # the portal counts up
        )
        return next((LatestKey(row["key"], row["task_id"]) for row in self._db.query(sql)), None)

    def events_by_status(self) -> dict[str, int]:
        """How many events are kept, by what became of them."""
        sql = "SELECT status, count(*) AS n FROM events GROUP BY status"
        return {row["status"]: row["n"] for row in self._db.query(sql)}

    def restored_at(self) -> datetime | None:
        """When it was noticed that the database had been restored; None once older weeks were collected since."""
        _value, noticed_at = self.noticed(database.RESTORED)
        if noticed_at is None:
            return None
        earlier = noticed_at - timedelta(days=8)  # further back than a run by itself goes
        sql = "SELECT 1 FROM snapshot_runs WHERE complete AND started_at >= ? AND from_at < ?"
        moments = [moment.isoformat(timespec="seconds") for moment in (noticed_at, earlier)]
        return None if list(self._db.query(sql, moments)) else noticed_at

    def hidden_users(self) -> frozenset[int]:
        """People who are left out of the leaderboard."""
        return frozenset(int(word) for word in self.setting("hidden_users").split(",") if word.strip().isdigit())


def look(path: Path) -> Looked:
    """Check the file. Raises ConfigError where it cannot be opened; what is no database is damage."""
    with _connected(path) as connection:
        try:
            found = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({MOST_PROBLEMS})")]
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            applied: set[str] = set()
            if "_sqlite_migrations" in tables:
                sql = "SELECT name FROM _sqlite_migrations WHERE migration_set = ?"
                applied = {row[0] for row in connection.execute(sql, [migrations.name])}
        except sqlite3.OperationalError as error:
            raise _unusable(path, error) from error
        except sqlite3.DatabaseError as error:
            return Looked((str(error),), (), pending=False, writable=True)
    known = _known_migrations()
    return Looked(
        damage=() if found == ["ok"] else tuple(found),
        foreign_migrations=tuple(sorted(applied - known)),
        pending=not known <= applied,
        writable=_is_writable(path),
    )


def open_reader(path: Path, *, pending: bool) -> Reader:
    """The database for reading. An older schema is brought up to date in a copy in memory.

    Raises ConfigError where it cannot be read.
    """
    if pending:
        return Reader(database.open_copy(path)._db)
    return Reader(database.database(_connect(path)))


def _known_migrations() -> set[str]:
    with closing(database.open_store(None)) as newest:
        return {migration.name for migration in migrations.applied(newest._db)}


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        connection = _connect(path)
    except sqlite3.DatabaseError as error:
        raise _unusable(path, error) from error
    with closing(connection):
        yield connection


def _connect(path: Path) -> sqlite3.Connection:
    """A connection that cannot write.

    Not `mode=ro`: that would leave the files of the write-ahead log behind, this folds them in as everybody does.
    A file that may only be read is taken as it stands, unless there is a log beside it.
    """
    address = path.absolute().as_uri()
    usual = ("mode=rw",) if _is_writable(path) else ("mode=ro",) if _has_log(path) else ()
    for mode in (*usual, "mode=ro&immutable=1"):
        connection = sqlite3.connect(
            f"{address}?{mode}", uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None
        )
        try:
            connection.execute("PRAGMA query_only = 1")
            connection.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.OperationalError as error:
            connection.close()
            last = error
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                break
        except sqlite3.DatabaseError:
            return connection  # damaged: the questions that follow will tell
        else:
            return connection
    raise last


def _has_log(path: Path) -> bool:
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def _is_writable(path: Path) -> bool:
    try:
        with path.open("r+b"):
            return True
    except OSError:
        return False


def _unusable(path: Path, error: Exception) -> errors.ConfigError:
    return errors.ConfigError(
        _("the database {path} cannot be used: {reason}").format(path=path, reason=os_reason(error)),
        _("B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space."),
    )
