"""The SQLite file: open it, save to it, read from it. Times are ISO 8601 UTC."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
from sqlite_utils import Database

from b24tools.core import clock, errors, hosts
from b24tools.core.i18n import _, os_reason
from b24tools.store.decisions import Reasons
from b24tools.store.events import Inbox
from b24tools.store.migrations import migrations
from b24tools.store.tasks import History

BUSY_TIMEOUT_S = 30
KEY_WIDTH = 50  # of the column behind XML_ID
LOG_BYTES = 16 * 1024 * 1024  # what the write-ahead log shrinks to after a long reader has made it grow


@dataclass(frozen=True)
class RunningSetting:
    """A setting kept in the database: its default, the form of its values (a pattern), examples."""

    default: str
    form: str
    examples: str


_DROPPED = "dropped "  # before the name of a field of tasks, in the table last_read
_IDS = r"([0-9]{1,15}(\s*,\s*[0-9]{1,15})*)?"
RUNNING_SETTINGS = {  # portal_host is learned from the first portal that answers
    "producer_mode": RunningSetting("polling", "polling|webhook", "polling, webhook"),
    "hidden_users": RunningSetting("", _IDS, '"7,12"'),
    "excluded_users": RunningSetting("", _IDS, '"7,12"'),
    "snapshot_max_age_h": RunningSetting("26", r"[0-9]{1,6}(\.[0-9]{1,3})?", "26"),
    "portal_host": RunningSetting("", r"([^\s/@?#]+(/[^\s/@?#]+)*)?", "example.bitrix24.ru"),
}

_SAVES = "ledger_saves"  # among the counters
RESTORED, FOREIGN_TASK = "restored", "foreign_task"  # what `notice_restore` remembers


@dataclass(frozen=True)
class LedgerTask:
    """One line of an order as it was last sent. `state`: planned, writing (fate unknown) or done.

    `old_key`: what its task carries instead of `key`: that of version 0.1, or of another id of its position.
    `other_tasks`: tasks of the same line that were made under another spelling of the order's id.
    """

    key: str
    order_id: str
    line: int
    position: str
    title: str
    state: str
    task_id: int | None
    responsible_id: int | None
    department_id: int | None
    start: datetime | None
    end: datetime | None
    deadline: datetime | None
    estimate_s: int | None
    sent_values: Mapping[str, Any]
    assigned_at: datetime | None
    writing_since: datetime | None
    position_id: str | None = None
    old_key: str | None = None
    other_tasks: tuple[int, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that its task may carry."""
        return (self.key, *self.old_keys)

    @property
    def old_keys(self) -> tuple[str, ...]:
        """The key of version 0.1 as a column of 200 characters holds it, and as one of 50 does."""
        return () if self.old_key is None else tuple(dict.fromkeys((self.old_key, self.old_key[:KEY_WIDTH])))

    def is_carried_by(self, xml_id: str) -> bool:
        """Whether a task with this external key can be the line's; on a portal that drops keys it is empty."""
        return xml_id in ("", *self.keys)


@dataclass(frozen=True)
class LostWrite:
    """A task that the portal was asked to make and never said whether it did.

    It can only have been made from `sent_at` to `until_at`, by the portal's clock, and then with these values.
    """

    key: str
    sent_at: datetime
    until_at: datetime
    title: str
    group_id: int
    responsible_id: int
    created_by: int
    estimate_s: int


@dataclass(frozen=True)
class LedgerFile:
    """A file of an order that is on the portal's disk: `name` is 1C's, `file_id` the disk object's id."""

    order_id: str
    name: str
    sha256: str
    stored_name: str
    size: int
    file_id: int


class Store(History, Inbox, Reasons):
    """The database behind every job; open it with `open_store`."""

    def __init__(self, db: Database, counter: Path | None = None, *, is_copy: bool = False) -> None:
        self._db = db
        self._counter = counter
        self._is_copy = is_copy
        self._writer: int | None = None

    def close(self) -> None:
        """Close the connection; the write-ahead log is folded in by SQLite."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. IMMEDIATE, because a read that turns into a write cannot wait its turn.

        Inside another one of the same thread it is a part of that one.
        """
        connection = self._db.conn
        if self._writer == threading.get_ident():
            yield
            return
        connection.execute("BEGIN IMMEDIATE")
        self._writer = threading.get_ident()
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            self._writer = None

    # running settings

    def setting(self, key: str) -> str:
        """A running setting's value, or its default. Raises ConfigError for an unknown one."""
        _check_known(key)
        rows = list(self._db.query("SELECT value FROM settings WHERE key = ?", [key]))
        return str(rows[0]["value"]) if rows else RUNNING_SETTINGS[key].default

    def save_setting(self, key: str, value: str, now: datetime | None = None) -> None:
        """Set a running setting; every process sees it at its next step. Raises ConfigError."""
        _check_known(key)
        given = value.strip()
        wanted = hosts.read(given) if key == "portal_host" else given
        if not re.fullmatch(RUNNING_SETTINGS[key].form, wanted) or (given and not wanted):
            raise errors.ConfigError(
                _('{key}: "{value}" does not fit').format(key=key, value=value),
                _("Examples: {examples}").format(examples=RUNNING_SETTINGS[key].examples),
            )
        with self.transaction():
            if key == "producer_mode" and wanted == "webhook" != self.setting(key):
                self.queue_stored_events(now or clock.read_clock())
            self._db.table("settings").upsert({"key": key, "value": wanted}, pk="key")

    def remember_host(self, host: str) -> None:
        """The portal this database is about, learned from the first one that answered."""
        if not self.setting("portal_host"):
            self.save_setting("portal_host", host)

    def excluded_users(self) -> frozenset[int]:
        """People who are never given work."""
        return frozenset(int(word) for word in self.setting("excluded_users").split(",") if word.strip().isdigit())

    def note_dropped(self, dropped: Iterable[str], sent: Iterable[str], now: datetime) -> None:
        """Remember which fields of tasks the portal dropped, of those sent with a value; forget the others."""
        with self.transaction():
            for name in sent:
                self._db.execute("DELETE FROM last_read WHERE what = ?", [_DROPPED + name])
            for name in dropped:
                self.save_last_read(_DROPPED + name, now)

    def dropped_fields(self) -> dict[str, datetime]:
        """The fields of tasks that the portal drops, and when that was last seen."""
        sql = "SELECT what, read_at FROM last_read WHERE what LIKE ? ORDER BY what"
        rows = self._db.query(sql, [f"{_DROPPED}%"])
        return {row["what"].removeprefix(_DROPPED): _moment(row["read_at"]) for row in rows}

    # the ledger of orders

    def ledger(self, order_ids: Iterable[str]) -> dict[str, LedgerTask]:
        """What is known of these orders' lines, by key."""
        found: dict[str, LedgerTask] = {}
        for chunk in _chunks(list(order_ids)):
            sql = f"SELECT * FROM order_tasks WHERE order_id IN ({_marks(chunk)}) ORDER BY order_id, line"  # noqa: S608 - marks only
            for row in self._db.query(sql, chunk):
                found[row["key"]] = _ledger_task(row)
        return found

    def files(self, order_ids: Iterable[str]) -> list[LedgerFile]:
        """The files of these orders known to be on the portal's disk."""
        found = []
        for chunk in _chunks(list(order_ids)):
            sql = f"SELECT * FROM files WHERE order_id IN ({_marks(chunk)})"  # noqa: S608 - marks only
            for row in self._db.query(sql, chunk):
                names = ("order_id", "name", "sha256", "stored_name", "size", "file_id")
                found.append(LedgerFile(**{name: row[name] for name in names}))
        return found

    def task_files(self, keys: Iterable[str]) -> dict[tuple[str, str, str], str]:
        """Which files were attached to which tasks: (key, 1C's name, sha256) → `writing` or `done`."""
        found: dict[tuple[str, str, str], str] = {}
        for chunk in _chunks(list(keys)):
            sql = f"SELECT * FROM task_files WHERE key IN ({_marks(chunk)})"  # noqa: S608 - marks only
            for row in self._db.query(sql, chunk):
                found[row["key"], row["name"], row["sha256"]] = row["state"]
        return found

    def order_outcomes(self, order_ids: Iterable[str]) -> dict[str, str | None]:
        """What became of these orders when last sent; None where the run did not end."""
        found: dict[str, str | None] = {}
        for chunk in _chunks(list(order_ids)):
            sql = f"SELECT id, outcome FROM orders WHERE id IN ({_marks(chunk)})"  # noqa: S608 - marks only
            found.update({row["id"]: row["outcome"] for row in self._db.query(sql, chunk)})
        return found

    def our_tasks(self, task_ids: Sequence[int]) -> set[int]:
        """Those of the task ids that are ours."""
        found: set[int] = set()
        for chunk in _chunks(list(task_ids)):
            sql = f"SELECT task_id FROM order_tasks WHERE task_id IN ({_marks(chunk)})"  # noqa: S608 - marks only
            found.update(row["task_id"] for row in self._db.query(sql, chunk))
        return found

    def owners(self, task_ids: Sequence[int]) -> dict[int, str]:
        """The orders of those of the task ids that are ours."""
        found: dict[int, str] = {}
        for chunk in _chunks(list(task_ids)):
            sql = f"SELECT task_id, order_id FROM order_tasks WHERE task_id IN ({_marks(chunk)})"  # noqa: S608 - marks only
            found.update({row["task_id"]: row["order_id"] for row in self._db.query(sql, chunk)})
        return found

    def last_assigned(self, now: datetime) -> dict[int, datetime]:
        """When each person was last given a task by us; what a run that was cut only planned does not count.

        Nor does what is stamped in the future.
        """
        sql = (
            "SELECT responsible_id, max(assigned_at) AS at FROM order_tasks"
            " WHERE responsible_id IS NOT NULL AND task_id IS NOT NULL AND assigned_at <= ? GROUP BY 1"
        )
        found = self._db.query(sql, [_text(clock.latest_known(now))])
        return {row["responsible_id"]: _moment(row["at"]) for row in found}

    def save_order(self, order_id: str, number: str, now: datetime, outcome: str | None = None) -> None:
        """Note that the order was sent; `outcome` None means it is under way. A success makes the ledger true again.

        Beside the database, a file counts these saves, too: a database that knows of fewer was restored.
        """
        with self.transaction():
            self._db.execute(
                "INSERT INTO orders (id, number, first_sent_at, last_sent_at, outcome) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET number = excluded.number, last_sent_at = excluded.last_sent_at,"
                " outcome = excluded.outcome,"
                " portal_wins = portal_wins AND coalesce(excluded.outcome, 'failed') IN ('failed', 'partial')",
                [order_id, number, _text(now), _text(now), outcome],
            )
            count = self._ledger_saves() + 1
            self._db.table("counters").upsert({"name": _SAVES, "value": count}, pk="name")
        self._count_beside(count)

    def _ledger_saves(self) -> int:
        rows = list(self._db.query("SELECT value FROM counters WHERE name = ?", [_SAVES]))
        return int(rows[0]["value"]) if rows else 0

    def _count_beside(self, count: int) -> None:
        """Write the number of saves to the file beside the database; without it a restored one is harder to notice."""
        if self._counter is None or self._is_copy:
            return
        with suppress(OSError):
            new = self._counter.with_suffix(".new")
            new.touch(mode=0o600)
            new.write_text(str(count), encoding="ascii")
            new.replace(self._counter)

    def notice_restore(self, now: datetime, *, newer: Collection[int] = ()) -> bool:
        """Whether the database is older than what was done with it: a backup was restored, or it was lost.

        The file beside it tells; then, until an order is sent again, the portal's values count more than the ledger's.
        `newer`, tasks on the portal that carry keys of ours and that it does not know, may be another folder's, too.
        """
        saves, beside = self._ledger_saves(), 0
        if self._counter is not None:
            with suppress(OSError, ValueError):
                beside = int(self._counter.read_text(encoding="ascii"))
        last_newer = int(self.noticed(FOREIGN_TASK)[0] or 0)
        is_restored = beside > saves
        if not is_restored and max(newer, default=0) <= last_newer:
            return False
        with self.transaction():
            if is_restored:
                self._db.execute("UPDATE orders SET portal_wins = 1")
                self.save_noticed(RESTORED, str(beside - saves), now)
            if newer:
                self.save_noticed(FOREIGN_TASK, str(max(newer)), now)
        self._count_beside(saves)
        return True

    def orders_to_compare(self, order_ids: Iterable[str]) -> set[str]:
        """Those of the orders of which the portal knows more than the ledger."""
        found: set[str] = set()
        for chunk in _chunks(list(order_ids)):
            sql = f"SELECT id FROM orders WHERE portal_wins AND id IN ({_marks(chunk)})"  # noqa: S608 - marks only
            found.update(row["id"] for row in self._db.query(sql, chunk))
        return found

    def known_keys(self, keys: Iterable[str]) -> set[str]:
        """Those of the keys that are in the ledger."""
        found: set[str] = set()
        for chunk in _chunks(list(keys)):
            sql = f"SELECT key FROM order_tasks WHERE key IN ({_marks(chunk)})"  # noqa: S608 - marks only
            found.update(row["key"] for row in self._db.query(sql, chunk))
        return found

    def last_known_task(self) -> int:
        """The highest id of a task that the ledger knows; 0 where it knows none."""
        (row,) = self._db.query("SELECT max(task_id) AS last FROM order_tasks")
        return row["last"] or 0

    def save_noticed(self, what: str, value: str, now: datetime) -> None:
        """Remember something a run noticed, for `doctor`."""
        with self.transaction():
            self._db.table("noticed").upsert({"what": what, "value": value, "noticed_at": _text(now)}, pk="what")

    def noticed(self, what: str) -> tuple[str, datetime | None]:
        """What was noticed last, and when; "" where nothing was."""
        for row in self._db.query("SELECT value, noticed_at FROM noticed WHERE what = ?", [what]):
            return row["value"], _moment(row["noticed_at"])
        return "", None

    def save_lost_writes(self, writes: Iterable[LostWrite]) -> None:
        """Before requests leave that make these tasks: what is neither answered nor found stays here for ever."""
        with self.transaction():
            self._db.table("lost_writes").insert_all(
                asdict(write) | {"sent_at": _text(write.sent_at), "until_at": _text(write.until_at)} for write in writes
            )

    def forget_lost_writes(self, keys: Iterable[str], sent_at: datetime) -> None:
        """The requests of these lines that were noted at this moment have been answered."""
        with self.transaction():
            for key in keys:
                self._db.execute("DELETE FROM lost_writes WHERE key = ? AND sent_at = ?", [key, _text(sent_at)])

    def end_lost_writes(self, keys: Iterable[str], sent_at: datetime, until: datetime) -> None:
        """It is known by when the requests noted at this moment must have ended."""
        with self.transaction():
            for key in keys:
                self._db.execute(
                    "UPDATE lost_writes SET until_at = ? WHERE key = ? AND sent_at = ?",
                    [_text(until), key, _text(sent_at)],
                )

    def pay_lost_write(self, key: str, made_at: datetime | None) -> None:
        """The line's task is what one of its unanswered requests made: that one has made no other."""
        with self.transaction():
            self._db.execute(
                "DELETE FROM lost_writes WHERE id = (SELECT id FROM lost_writes WHERE key = :key"
                " ORDER BY :at NOT BETWEEN sent_at AND until_at, id LIMIT 1)",
                {"key": key, "at": _text(made_at) or ""},
            )

    def lost_writes(self, keys: Iterable[str]) -> dict[str, list[LostWrite]]:
        """The tasks that may have been made without an answer, by key."""
        found: dict[str, list[LostWrite]] = {}
        for chunk in _chunks(list(keys)):
            sql = f"SELECT * FROM lost_writes WHERE key IN ({_marks(chunk)}) ORDER BY id"  # noqa: S608 - marks only
            for row in self._db.query(sql, chunk):
                moments = {name: _moment(row[name]) for name in ("sent_at", "until_at")}
                rest = {name: value for name, value in row.items() if name != "id"}
                found.setdefault(row["key"], []).append(LostWrite(**rest | moments))
        return found

    def save_ledger(self, tasks: Iterable[LedgerTask]) -> None:
        """Write these lines as they stand now; decisions about them learn their tasks."""
        rows = [_ledger_row(task) for task in tasks]
        if not rows:
            return
        with self.transaction():
            self._db.table("order_tasks").upsert_all(rows, pk="key")
            for row in rows:
                if row["task_id"] is not None:
                    self.link_decision(row["key"], row["task_id"], row["responsible_id"])

    def last_unanswered(self) -> datetime | None:
        """When the last request left whose answer never came, whatever the order."""
        rows = list(self._db.query("SELECT max(writing_since) AS at FROM order_tasks"))
        return _maybe(rows[0]["at"])

    def mark_sent(self, keys: Iterable[str], now: datetime) -> None:
        """A request on behalf of these lines is about to leave."""
        self._mark_unanswered(keys, _text(now))

    def mark_answered(self, keys: Iterable[str]) -> None:
        """It was answered: nothing is under way for these lines."""
        self._mark_unanswered(keys, None)

    def _mark_unanswered(self, keys: Iterable[str], since: str | None) -> None:
        with self.transaction():
            for key in keys:
                self._db.execute("UPDATE order_tasks SET writing_since = ? WHERE key = ?", [since, key])

    def mark_writing(self, keys: Iterable[str], now: datetime) -> None:
        """A request that creates these tasks is about to leave: until it is answered, its fate is unknown."""
        with self.transaction():
            for key in keys:
                self._db.execute(
                    "UPDATE order_tasks SET state = 'writing', writing_since = ? WHERE key = ?", [_text(now), key]
                )

    def save_file(self, file: LedgerFile, now: datetime) -> None:
        """Note that a file is on the portal's disk."""
        with self.transaction():
            row = asdict(file) | {"saved_at": _text(now)}
            self._db.table("files").upsert(row, pk=("order_id", "name", "sha256"))

    def save_task_files(self, attached: Iterable[tuple[str, str, str]], state: str) -> None:
        """Note which files hang on which tasks (`done`), or are about to (`writing`)."""
        rows = [{"key": key, "name": name, "sha256": sha256, "state": state} for key, name, sha256 in attached]
        if not rows:
            return
        with self.transaction():
            self._db.table("task_files").upsert_all(rows, pk=("key", "name", "sha256"))

    def forget_task_files(self, keys: Iterable[str]) -> None:
        """The tasks behind these keys are gone, and their attachments with them."""
        with self.transaction():
            for key in keys:
                self._db.execute("DELETE FROM task_files WHERE key = ?", [key])


def open_store(path: Path | None) -> Store:
    """Open the database, create and migrate it as needed; None gives one in memory.

    Raises ConfigError when the folder or the file cannot be used.
    """
    if path is None:
        memory = Store(database(sqlite3.connect(":memory:")))
        migrations.apply(memory._db)
        return memory
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from error
    try:
        connection.execute("PRAGMA synchronous = FULL")  # the ledger must survive a power cut
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        db = database(connection)
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",) or migrations.pending(db):
            with filelock.FileLock(path.with_suffix(".migrating")):
                # SQLite lets nobody wait who turns a new database to WAL while another one does
                connection.execute("PRAGMA journal_mode = WAL")
                migrations.apply(db)
    except (OSError, sqlite3.Error) as error:
        connection.close()
        raise _unusable(path, error) from error
    return Store(db, path.with_suffix(".saves"))


def database(connection: sqlite3.Connection) -> Database:
    """By sqlite-utils, without its plugins: they are looked for in all that is installed, and would run everywhere."""
    return Database(connection, execute_plugins=False)


def open_copy(path: Path) -> Store:
    """What the database holds, in memory: for runs that must not write. Empty where there is no file."""
    copy = database(sqlite3.connect(":memory:"))
    if path.is_file():
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
                source.backup(copy.conn)
        except sqlite3.Error as error:
            copy.close()
            raise _unusable(path, error) from error
    migrations.apply(copy)
    return Store(copy, path.with_suffix(".saves"), is_copy=True)


def _check_known(key: str) -> None:
    if key not in RUNNING_SETTINGS:
        raise errors.ConfigError(
            _('there is no running setting "{key}"').format(key=key),
            _("There are: {known}").format(known=", ".join(RUNNING_SETTINGS)),
        )


def _unusable(path: Path, error: Exception) -> errors.ConfigError:
    return errors.ConfigError(
        _("the database {path} cannot be used: {reason}").format(path=path, reason=os_reason(error)),
        hint_for(error),
    )


def hint_for(error: Exception) -> str:
    """What to do about a database that SQLite cannot use."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return _("Stop everything that uses it, keep the file, and put back the last copy of it.")
    return _("B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space.")


def _chunks(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), 500):
        yield values[start : start + 500]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _maybe(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)


def _ledger_task(row: Mapping[str, Any]) -> LedgerTask:
    return LedgerTask(
        key=row["key"],
        order_id=row["order_id"],
        line=row["line"],
        position=row["position"],
        title=row["title"],
        state=row["state"],
        task_id=row["task_id"],
        responsible_id=row["responsible_id"],
        department_id=row["department_id"],
        start=_maybe(row["starts_at"]),
        end=_maybe(row["ends_at"]),
        deadline=_maybe(row["deadline"]),
        estimate_s=row["estimate_s"],
        sent_values=json.loads(row["sent_values"]),
        assigned_at=_maybe(row["assigned_at"]),
        writing_since=_maybe(row["writing_since"]),
        position_id=row["position_id"],
        old_key=row["old_key"],
        other_tasks=tuple(json.loads(row["other_tasks"])),
    )


def _ledger_row(task: LedgerTask) -> dict[str, Any]:
    return {
        "key": task.key,
        "order_id": task.order_id,
        "line": task.line,
        "position": task.position,
        "title": task.title,
        "state": task.state,
        "task_id": task.task_id,
        "responsible_id": task.responsible_id,
        "department_id": task.department_id,
        "starts_at": _text(task.start),
        "ends_at": _text(task.end),
        "deadline": _text(task.deadline),
        "estimate_s": task.estimate_s,
        "sent_values": json.dumps(task.sent_values, ensure_ascii=False, sort_keys=True),
        "assigned_at": _text(task.assigned_at),
        "writing_since": _text(task.writing_since),
        "position_id": task.position_id,
        "old_key": task.old_key,
        "other_tasks": json.dumps(task.other_tasks),
    }
