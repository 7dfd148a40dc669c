"""SQLite itself: connections, transactions, its own SQL, what its failures mean. `postgres.py` has the other engine.

No other module knows which engine it is.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from b24tools.core import data_folder, errors
from b24tools.core.chunks import chunked
from b24tools.core.database_url import DatabaseUrl, Location
from b24tools.core.i18n import _, os_reason
from b24tools.store import migrations
from b24tools.store.idle_connections import IdleConnections

BUSY_TIMEOUT_S = 30
LOG_BYTES = 16 * 1024 * 1024  # what the write-ahead log shrinks to after a long reader has made it grow
LEAST_FREE = 64 * 1024  # bytes: twice what SQLite's index of the log takes at first
SYNCHRONOUS = "FULL"  # the ledger must survive a power cut
LARGEST = 2**63 - 1
MOST_MARKS = 500  # in a statement; SQLite before 3.32 takes 999

_LOCK_FAILURES = {
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_UNLOCK,
    sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
}

Row = sqlite3.Row
Error = sqlite3.Error
idle: IdleConnections[sqlite3.Connection] = IdleConnections()
VERSION = sqlite3.sqlite_version


class ServerError(sqlite3.OperationalError):
    """What a database server refused. `passes`: it was away or busy, and later may work. `hint`: what to do."""

    def __init__(self, reason: str, *, passes: bool, hint: str = "") -> None:
        super().__init__(reason)
        self.passes = passes
        self.hint = hint


class Conflict(ServerError, sqlite3.IntegrityError):
    """A row that the tables' rules forbid."""


class Database:
    """A connection. In a dry run (`drops_writes`) what is written goes nowhere."""

    is_shared = False  # by several machines
    skips_locked = ""  # SQL behind a SELECT of rows to change: lock them, without those that another session has locked
    must_hold: Any = None  # the lock on a server without which nothing is written

    def __init__(
        self, connection: sqlite3.Connection, *, is_read_only: bool = False, drops_writes: bool = False
    ) -> None:
        connection.row_factory = Row
        self.connection = connection
        self.is_read_only = is_read_only
        self.drops_writes = drops_writes
        self._writer: int | None = None
        self._is_synced_later = False
        self.file: Path | None = None  # whose next user may have the connection
        self._afterwards: list[Callable[[], None]] = []

    def close(self) -> None:
        """Close the connection, and SQLite folds the write-ahead log in; or leave it to the file's next user."""
        file, self.file = self.file, None
        if file is None or self.connection.in_transaction or not idle.put_away(file, self.connection):
            self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Save all of the block or nothing. Inside another one of the same thread it is a part of that one.

        IMMEDIATE, because a read that turns into a write cannot wait its turn.
        """
        if self.is_read_only or self._writer == threading.get_ident():
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        self._writer = threading.get_ident()
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self._afterwards.clear()
            raise
        finally:
            self._writer = None
        self._do_afterwards()

    @contextmanager
    def synced_later(self) -> Iterator[None]:
        """Let what the block saves reach the disk with the next transaction after it, or with the system's next write.

        A kill loses none of it, a power cut loses it with all that comes after it.
        """
        if self.is_read_only or self._writer == threading.get_ident():
            yield
            return
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self._is_synced_later = True
        try:
            yield
        finally:
            self._is_synced_later = False
            self.connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do this when the transaction that it is called in is on the disk, and never if it is not; at once in none."""
        self._afterwards.append(action)
        if self._writer != threading.get_ident():
            self._do_afterwards()

    def _do_afterwards(self) -> None:
        if self._is_synced_later:
            return
        actions, self._afterwards = self._afterwards, []
        for action in actions:
            action()

    @property
    def is_broken(self) -> bool:
        """Whether the connection to a server is lost."""
        return False

    def identify(self) -> int:
        """Return what tells a schema from another of the same name; of a file the system knows."""
        return 0

    def correct_clock(self, now: datetime) -> datetime:
        """Return by the clock of those who share the database what is `now` by this machine's."""
        return now

    def check_lock(self) -> None:
        """Raise Busy where the lock on a server without which nothing is written was lost."""

    def wait_at_most(self, seconds: float) -> None:
        """Wait no longer than this for what other programs write."""
        self.file = None
        self.connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")

    def read(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[Row]:
        """Yield the rows that a SELECT finds, as they come."""
        return self.connection.execute(sql, values)

    def list_tables(self) -> list[str]:
        """List the tables that hold what is ours to keep, in the order in which they were made."""
        rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid")
        return [row["name"] for row in rows if not row["name"].startswith(("sqlite_", "_sqlite_"))]

    def columns(self, sql: str, values: Sequence[Any] = ()) -> list[str]:
        """Return the names of the columns that a SELECT finds."""
        return [column[0] for column in self.connection.execute(sql, values).description]

    def query(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Return the rows that a SELECT finds."""
        return self.connection.execute(sql, values).fetchall()

    def query_in(self, sql: str, values: Iterable[Any]) -> Iterator[Row]:
        """Yield the rows of a SELECT in which `IN (?)` stands for any number of values, of any size."""
        for portion in chunked(values, MOST_MARKS):
            if not (chunk := _take_storable(portion)):
                continue
            yield from self.query(sql.replace("(?)", f"({marks(chunk)})"), chunk)

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Change rows."""
        if self.drops_writes:
            return self.connection.cursor()
        return self.connection.execute(sql, values)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Change rows, once for each of these."""
        if not self.drops_writes:
            self.connection.executemany(sql, rows)

    def insert(self, table: str, rows: Sequence[Mapping[str, Any]], key: Collection[str] = ()) -> None:
        """Add rows, all with the same columns; those whose `key` is there take the place of what is."""
        columns = list(rows[0]) if rows else []
        self.insert_values(table, columns, [[row[name] for name in columns] for row in rows], key)

    def insert_one(self, table: str, row: Mapping[str, Any]) -> int:
        """Add a row; return its id."""
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks(row)})"  # noqa: S608 - names of ours
        return int(self.execute(sql, list(row.values())).lastrowid or 0)

    def insert_values(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], key: Collection[str] = ()
    ) -> None:
        """Add rows, given by the values of these columns; otherwise as `insert`."""
        if not rows or self.drops_writes:
            return
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks(columns)})"  # noqa: S608 - names of ours
        if key:
            changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
            sql += f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
        self.connection.executemany(sql, rows)

    # SQL that each engine has in its own way

    def seconds_between(self, earlier: str, later: str) -> str:
        """Return SQL for the seconds from one column's moment to another's."""
        return f"(strftime('%s', {later}) - strftime('%s', {earlier}))"

    def indexed_by(self, index: str) -> str:
        """Return SQL behind a table's name that leaves the planner no choice."""
        return f"INDEXED BY {index}"

    def json_text(self, column: str, name: str) -> str:
        """Return SQL for a text in a JSON object."""
        return f"json_extract({column}, '$.{name}')"

    def json_number(self, column: str, name: str) -> str:
        """Return SQL for a whole number in a JSON object."""
        return f"json_extract({column}, '$.{name}')"

    def json_flag(self, column: str, name: str) -> str:
        """Return SQL for a condition: something that is true is in a JSON object under this name."""
        return f"(coalesce(json_extract({column}, '$.{name}'), 0) <> 0)"

    def json_numbers(self, column: str) -> str:
        """Return SQL for a table with the `value` of each of a JSON array's numbers."""
        return f"json_each({column})"


def can_be_stored(value: Any) -> bool:
    """Tell whether a column can have this value: a whole number has 64 bits."""
    return not isinstance(value, int) or abs(value) <= LARGEST


def _take_storable(values: list[Any]) -> list[Any]:
    """Leave out what no column can have; a snapshot of a year asks about half a million, all of one kind and small."""
    kinds = set(map(type, values))
    if kinds == {str} or (kinds == {int} and max(map(abs, values)) <= LARGEST):
        return values
    return list(filter(can_be_stored, values))


def marks(values: Collection[Any]) -> str:
    """Return the question marks that stand for so many values."""
    return ", ".join("?" * len(values))


def open_database(path: Location | None) -> Database:
    """Open the database, create and migrate it as needed; None gives one in memory.

    Raises ConfigError when the folder or the file cannot be used, Busy when a server is away.
    """
    if path is None:
        return Database(_migrated_in_memory(is_read_only=False))
    with explain_failures(path):
        if isinstance(path, DatabaseUrl):
            opened: Database = load_server().open_database(path)
            return opened
        if (used := idle.take(path)) is not None:
            with _closed_on_failure(used):
                used.execute("PRAGMA shrink_memory")  # what it has read says nothing of an older state copied over it
                _check_usable(path, used)
            return _make_reusable(path, used)
        data_folder.prepare(path.parent)
        _require_locks(path)
        if not path.exists():
            with _migrating(path):
                if not path.exists():
                    _create(path)
        connection = _connect(path, "mode=rw")  # never makes an empty one where somebody has just taken it away
        with _closed_on_failure(connection):
            connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            _check_usable(path, connection)
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",) or migrations.are_pending(connection):
                with _migrating(path):
                    # SQLite fails at once where two turn a database to WAL: it does not wait
                    connection.execute("PRAGMA journal_mode = WAL")
                    migrations.apply(connection)
    return _make_reusable(path, connection)


def _make_reusable(path: Path, connection: sqlite3.Connection) -> Database:
    database = Database(connection)
    database.file = path
    return database


@contextmanager
def _migrating(path: Path) -> Iterator[None]:
    import filelock  # only who migrates needs it

    file = path.with_suffix(".migrating")
    data_folder.prepare_lock(file)
    with filelock.FileLock(file, mode=data_folder.PRIVATE_FILE):
        yield


def is_missing(path: Location) -> bool:
    """Whether there is no file yet; of a server reading says so.

    Raises ConfigError where its log is left, OSError where it cannot be seen.
    """
    if isinstance(path, DatabaseUrl):
        return False
    try:
        path.stat()
    except FileNotFoundError:
        check_gone(path)
        return True
    return False


def list_companions(path: Path) -> list[Path]:
    """List the files of its own that SQLite has beside the database: the log and what processes share of it."""
    return [_log_of(path), path.with_name(f"{path.name}-shm")]


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def check_gone(path: Path) -> None:
    """Refuse to take a database for one that was never there while its log still is. Raises ConfigError."""
    log = _log_of(path)
    if log.exists() and log.stat().st_size:
        message = _("the database {path} is gone, but {log}, which belongs to it, is there").format(path=path, log=log)
        raise errors.ConfigError(message, explain_restoring(), code=errors.ErrorCode.DATABASE)


def _create(path: Path) -> None:
    """Make a new database under another name: one that is there is whole, and an empty file is a damaged one."""
    check_gone(path)
    new = path.with_suffix(".new.db")
    new.unlink(missing_ok=True)
    create(new)
    new.replace(path)


def create(path: Path, upto: Collection[str] = migrations.NAMES) -> None:
    """Make a new database, with the schema as it was after these migrations."""
    data_folder.touch(path)
    with closing(_connect(path, "mode=rw")) as connection:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, see `retention`
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        migrations.apply(connection, upto)
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")  # turning to WAL now brings all to the disk
        connection.execute("PRAGMA journal_mode = WAL")


def load_server() -> ModuleType:
    """Import what speaks to a server: with SQLite it is not needed. Raises ConfigError where it is not installed."""
    try:
        from b24tools.store import postgres
    except ImportError as error:
        message = _("B24_DATABASE_URL needs the library psycopg: {reason}").format(reason=error)
        hint = _("Install b24tools with it: `pip install '.[postgres]'` in its clone.")
        raise errors.ConfigError(message, hint) from None
    return postgres


def reuse_connections(path: Location) -> AbstractContextManager[None]:
    """Leave some connections open between their users, until the block ends."""
    if isinstance(path, DatabaseUrl):
        load_server()
        from b24tools.store import postgres_connection

        return postgres_connection.idle.reuse()
    return idle.reuse()


def exists(path: Location) -> bool:
    """Return whether there is a database; also where opening it has to say what is wrong.

    Raises ConfigError for a file that was taken away while its log was left, Busy where a server does not say.
    """
    with explain_failures(path):
        if isinstance(path, DatabaseUrl):
            return bool(load_server().exists(path))
        with suppress(OSError):
            return not is_missing(path)
    return True


def measure(path: Location) -> int:
    """Return the size of the database and its log in bytes; of a schema, that of its tables and indexes."""
    if isinstance(path, DatabaseUrl):
        with explain_failures(path):
            return int(load_server().measure(path))
    total = 0
    for file in (path, _log_of(path)):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def open_read_only(path: Location, *, drops_writes: bool = False) -> Database:
    """Open one state of the database for reading; a file that is missing reads as empty, and none is made.

    An older schema is brought up to date in a copy in memory, on a server where it is.
    Raises ConfigError when the file cannot be read, Busy when a server is away.
    """
    with explain_failures(path):
        if isinstance(path, DatabaseUrl):
            database: Database | None = load_server().open_read_only(path, drops_writes=drops_writes)
            return database or Database(_migrated_in_memory(), is_read_only=True, drops_writes=drops_writes)
        if is_missing(path):
            connection = _migrated_in_memory()
        else:
            _require_locks(path)
            connection = connect_read_only(path)
            with _closed_on_failure(connection):
                _check_usable(path, connection)
                if migrations.are_pending(connection):
                    connection = _migrated_in_memory(connection)
    return Database(connection, is_read_only=True, drops_writes=drops_writes)


def _check_usable(path: Path, connection: sqlite3.Connection) -> None:
    check_empty(path)
    if migrations.list_foreign(connection):
        raise errors.ConfigError(
            _("{path} was made by a newer b24tools").format(path=path),
            _("Update this b24tools, or set another B24_DATA_DIR."),
            code=errors.ErrorCode.DATABASE,
        )


def check_empty(path: Path, name: str | Path = "") -> None:
    """Refuse a file without content, under this name if one is given. Raises ConfigError."""
    if path.stat().st_size == 0:
        message = _("the database {path} is empty: a full disk or a copy that broke off has left it so")
        text = message.format(path=name or path)
        raise errors.ConfigError(text, explain_restoring(), code=errors.ErrorCode.DATABASE)


def _require_locks(path: Path) -> None:
    if not data_folder.has_locks(path.parent):
        message = _("the database {path} cannot be used: its file system has no locks").format(path=path)
        raise errors.ConfigError(message, _explain_locks(), code=errors.ErrorCode.DATABASE)


def _explain_locks() -> str:
    return _("As some network folders have none: set B24_DATA_DIR to a local one.")


def connect(path: Path, *, timeout_s: float | None = None) -> sqlite3.Connection:
    """Return a connection to the file as it is, whatever its schema. `timeout_s`: how long it waits for others."""
    return _connect(path, "mode=rw", timeout_s)


def _connect(path: Path, mode: str, timeout_s: float | None = None) -> sqlite3.Connection:
    timeout_s = BUSY_TIMEOUT_S if timeout_s is None else timeout_s
    address = f"{path.absolute().as_uri()}?{mode}"
    return sqlite3.connect(address, uri=True, timeout=timeout_s, check_same_thread=False, isolation_level=None)


def _migrated_in_memory(source: sqlite3.Connection | None = None, *, is_read_only: bool = True) -> sqlite3.Connection:
    """Return a database in memory with the newest schema: a new one, or what `source` holds, which is closed."""
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    with _closed_on_failure(connection):
        if source is not None:
            source.backup(connection)
            source.close()
        migrations.apply(connection)
        connection.execute(f"PRAGMA query_only = {is_read_only:d}")
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that sees one state and cannot write.

    WAL has its index written even by readers, and one left behind by another user would lock the owner out: who may
    not write there opens what writers have laid out or, with no writer about, the file as it lies there. Who may
    write folds the log in when the connection closes, as everybody does.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        modes = ["mode=rw"]
    else:
        modes = ["mode=ro"] if _log_of(path).exists() else []
    for mode in (*modes, "mode=ro&immutable=1"):
        connection = _connect(path, mode)
        try:
            with _closed_on_failure(connection):
                connection.execute("PRAGMA query_only = ON")
                connection.execute("BEGIN")
                connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            last = error
            if _code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
                raise
        else:
            return connection
    raise last


@contextmanager
def _closed_on_failure(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


# failures


@contextmanager
def explain_failures(path: Location, *, system: bool = True) -> Iterator[None]:
    """Turn what the engine and the system refuse in the block into a ConfigError that says what to do.

    `system`: not the engine alone; False where the block does other things, too.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, OSError) and not system:
            raise
        raise explain(path, error, errors.ConfigError) from error


def explain(
    path: Location, error: Exception, kind: type[errors.B24ToolsError] = errors.B24ToolsError
) -> errors.B24ToolsError:
    """Return what a failure of the engine means to people: another program holds the database, or it cannot be used."""
    message = _("the database {path} cannot be used: {reason}").format(path=path, reason=os_reason(error))
    if isinstance(error, ServerError) or isinstance(path, DatabaseUrl):
        known_hint = getattr(error, "hint", "")
        if isinstance(error, ServerError) and error.passes:
            usual = _("See that the server runs and can be reached, or try again a little later.")
            return errors.Busy(message, known_hint or usual)
        if known_hint:
            return errors.ConfigError(message, known_hint, code=errors.ErrorCode.DATABASE)
        hint = _("B24_DATABASE_URL names the server, the user and the database, which must be there.")
        return kind(message, hint, code=errors.ErrorCode.DATABASE)
    if is_locked(error):
        return errors.Busy(message, _("Another program is writing to it: end that one, or try again a little later."))
    if is_damaged(error):
        message = _("the database {path} is damaged: {reason}").format(path=path, reason=os_reason(error))
        return kind(message, explain_restoring(), code=errors.ErrorCode.DATABASE)
    if _code(error) == sqlite3.SQLITE_IOERR and _is_full(path.parent):  # SQLite does not say so of its index
        message = _("the database {path} cannot be used: the disk is full").format(path=path)
        hint = _("Free some space there, or move the folder to another disk and set B24_DATA_DIR.")
        return kind(message, hint, code=errors.ErrorCode.DATABASE)
    if getattr(error, "sqlite_errorcode", 0) in _LOCK_FAILURES:
        return kind(message, _explain_locks(), code=errors.ErrorCode.DATABASE)
    hint = _("B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space.")
    return kind(message, hint, code=errors.ErrorCode.DATABASE)


def _is_full(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free < LEAST_FREE
    except OSError:
        return False


def explain_restoring() -> str:
    """Return what there is to do about a database that is lost."""
    return _(
        "Stop everything that uses it, and put the last backup back: `b24tools restore FILE`. Without one move "
        "b24tools.db* away: orders sent again find their tasks, and `b24tools snapshot --since DATE` reads what was "
        "closed."
    )


def is_locked(error: BaseException) -> bool:
    """Return whether another program only holds the database, or its server is away."""
    if isinstance(error, ServerError):
        return error.passes
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damaged(error: BaseException) -> bool:
    """Return whether the file is no database, or no longer a sound one."""
    return _code(error) in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
