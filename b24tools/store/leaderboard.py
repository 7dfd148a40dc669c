"""What the leaderboard reads, through plain sqlite3: sqlite_utils takes longer to load than the query to run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from b24tools.core import clock, errors
from b24tools.core.i18n import _, os_reason

BUSY_TIMEOUT_S = 30

_TALLIES = """WITH counted AS (
    SELECT responsible_id, closed_at >= :start AS current, count(*) AS tasks, sum(estimate_s) AS estimate_s,
        sum(deadline IS NOT NULL AND closed_at <= deadline) AS on_time, sum(deadline IS NOT NULL) AS on_time_of
    FROM tasks
    WHERE closed_at >= :before AND closed_at < :end AND gone = 0
    GROUP BY responsible_id, current
)
SELECT responsible_id, current, people.name, people.department_id, departments.name, tasks, estimate_s,
    on_time, on_time_of
FROM counted
LEFT JOIN people ON people.id = responsible_id
LEFT JOIN departments ON departments.id = people.department_id"""


@dataclass(frozen=True, slots=True)
class Tally:
    """What one person closed in a period (`current`) or in the one before; name and department as of today."""

    user_id: int
    current: bool
    name: str | None
    department_id: int | None
    department: str | None
    tasks: int
    estimate_s: int
    on_time: int
    on_time_of: int


@dataclass(frozen=True, slots=True)
class Window:
    """[`start`, `end`) was collected, the last time by a run that began at `started_at`.

    `complete`: with an administrator's eyes, which see everything.
    """

    start: datetime
    end: datetime
    started_at: datetime
    complete: bool


class Tallies:
    """Read-only questions to the database; `open_tallies` opens them, `Store.tallies` has them.

    Where it takes `now`, a stamp that lies in the future then counts as unknown and long ago.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def closed(self, before: datetime, start: datetime, end: datetime) -> list[Tally]:
        """Who closed how much in [start, end) and, for comparison, in [before, start)."""
        spans = {"before": _text(before), "start": _text(start), "end": _text(end)}
        return [Tally(row[0], bool(row[1]), *row[2:]) for row in self._connection.execute(_TALLIES, spans)]

    def active_by_department(self, hidden: frozenset[int]) -> dict[int, int]:
        """How many active people each department has: those whose first department it is, without the hidden."""
        sql = "SELECT department_id, id FROM people WHERE active = 1 AND department_id IS NOT NULL"
        members: dict[int, int] = {}
        for department_id, user_id in self._connection.execute(sql):
            if user_id not in hidden:
                members[department_id] = members.get(department_id, 0) + 1
        return members

    def windows(self, start: datetime, end: datetime, now: datetime) -> list[Window]:
        """What complete runs collected of [start, end); without a single one, what the others did."""
        for complete, which in ((True, "complete = 1"), (False, "finished_at IS NOT NULL")):
            sql = (
                f"SELECT from_at, to_at, max(started_at) FROM snapshot_runs WHERE {which}"  # noqa: S608 - constants
                " AND to_at > ? AND from_at < ? AND started_at <= ? GROUP BY from_at, to_at"
            )
            values = [_text(start), _text(end), _text(clock.latest_known(now))]
            rows = self._connection.execute(sql, values).fetchall()
            if rows:
                moments = (map(datetime.fromisoformat, row) for row in rows)
                return [Window(start, end, started_at, complete) for start, end, started_at in moments]
        return []

    def events_until(self, now: datetime) -> datetime | None:
        """Up to when all that the portal reported is in the tasks; None without processed events, or if unknown."""
        if not self._has_table("events"):
            return None
        newest = "SELECT processed_at FROM events WHERE status = 'done' AND processed_at <= ? ORDER BY id DESC LIMIT 1"
        still_open = "SELECT min(received_at), max(received_at) FROM events WHERE status IN ('waiting', 'failed')"
        done = self._connection.execute(newest, [_text(clock.latest_known(now))]).fetchone()
        oldest, latest = self._connection.execute(still_open).fetchone()
        if done is None or (latest and clock.known_moment(latest, now) is None):
            return None
        return min(datetime.fromisoformat(stamp) for stamp in (done[0], oldest) if stamp)

    def _has_table(self, name: str) -> bool:
        sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return self._connection.execute(sql, [name]).fetchone() is not None

    @property
    def has_history(self) -> bool:
        """Whether the database is of a version that keeps what was closed."""
        return self._has_table("snapshot_runs")

    def hidden_users(self) -> frozenset[int]:
        """People who are on no leaderboard."""
        return frozenset(int(word) for word in self._setting("hidden_users", "").split(",") if word.strip().isdigit())

    def mode(self) -> str:
        """How the data are collected: polling or webhook."""
        return self._setting("producer_mode", "polling")

    def _setting(self, key: str, default: str) -> str:
        row = self._connection.execute("SELECT value FROM settings WHERE key = ?", [key]).fetchone()
        return str(row[0]) if row else default


@contextmanager
def open_tallies(path: Path) -> Iterator[Tallies | None]:
    """One state of the database, read-only; None where there is none yet, or nothing was ever collected into it.

    Raises ConfigError when it cannot be read.
    """
    try:
        if not path.is_file():
            yield None
            return
        with closing(_connect(path)) as connection:
            opened = Tallies(connection)
            yield opened if opened.has_history else None
    except (PermissionError, sqlite3.Error) as error:
        raise errors.ConfigError(
            _("the database {path} cannot be read: {reason}").format(path=path, reason=os_reason(error)),
            _("B24_DATA_DIR names its folder; this user must be allowed to read there, and the disk must not be full."),
        ) from error


def _connect(path: Path) -> sqlite3.Connection:
    """A connection inside a transaction, so that everything is read from one state."""
    # WAL has its index written even by readers, and one left behind by another user would lock the owner out:
    # who may not write there opens what writers have laid out, or, with no writer about, the file as it lies there
    mode = "mode=rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "mode=ro"
    if mode == "mode=ro" and not path.with_name(f"{path.name}-wal").exists():
        mode += "&immutable=1"
    address = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(address, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=True)
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
