"""PostgreSQL behind the same class as SQLite: connections, transactions, its own SQL, what its failures mean.

One process writes at a time, as with SQLite: a transaction begins with a lock of the database's that all writers take.
So what was read in it stays true, numbers rise in the order in which they are saved, and nothing of ours deadlocks.
Other programs' sessions may be in the way: then a transaction is done again, see `postgres_repeat.py`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from b24tools.core import clock, errors
from b24tools.core.chunks import chunked
from b24tools.core.database_url import DatabaseUrl
from b24tools.core.i18n import _
from b24tools.store import migrations, postgres_schema
from b24tools.store.database import Database, ServerError
from b24tools.store.postgres_connection import connect, explain, idle, put_away
from b24tools.store.postgres_repeat import ATTEMPTS, Journal, is_collision

ROWS_AT_ONCE = 500
_WORDS = re.compile(r"'(?:[^']|'')*'|\?|:[a-z_]\w*|%")


@dataclass(frozen=True)
class HeldLock:
    """A lock in a session of its own: the session's process on the server, and the number of the lock."""

    pid: int
    number: int
    name: str

    @property
    def condition(self) -> str:
        """SQL that finds it among the server's locks."""
        return f"pid = {self.pid:d} AND {is_lock(self.number)}"


class PostgresDatabase(Database):
    """A connection to one schema. What cannot be saved in SQLite's words is said here in PostgreSQL's."""

    is_shared = True
    skips_locked = "FOR UPDATE SKIP LOCKED"

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        address: DatabaseUrl,
        *,
        is_read_only: bool = False,
        drops_writes: bool = False,
    ) -> None:
        self.connection = connection  # type: ignore[assignment]
        self.may_be_used_again = False
        self.address = address
        self.is_read_only = is_read_only
        self.drops_writes = drops_writes
        self._cursors = 0
        self.watches_schema = False  # once it is up to date: a newer b24tools may raise it
        self._writer = None
        self._journal: Journal | None = None  # of the transaction that is open
        self._is_synced_later = False
        self._afterwards = []

    @property
    def is_broken(self) -> bool:
        """Whether the connection is lost."""
        return bool(self.connection.closed)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close the connection, or leave it to the next one who opens this schema."""
        if not (self.may_be_used_again and put_away(self.address, self.connection)):  # type: ignore[arg-type]
            self.connection.close()

    @contextmanager
    def synced_later(self) -> Iterator[None]:
        """Let what the block saves reach the disk with the next transaction after it, or within a second."""
        self._is_synced_later = True
        try:
            yield
        finally:
            self._is_synced_later = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Save all of the block or nothing, while no other session writes.

        Raises Busy where the lock that the writes need was lost, ConfigError where the schema was raised meanwhile.
        """
        with self._write():
            yield

    @contextmanager
    def _write(self) -> Iterator[None]:
        if self.is_read_only or self._writer == threading.get_ident():
            yield
            return
        self._writer = threading.get_ident()
        try:
            self._begin()
            self._journal = Journal()
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):
                if self.connection.info.transaction_status != TransactionStatus.IDLE:  # type: ignore[attr-defined]
                    self.connection.execute("ROLLBACK")
            self._afterwards.clear()
            raise
        finally:
            self._writer = self._journal = None
        self._do_afterwards()

    def _begin(self) -> None:
        held: HeldLock | None = self.must_hold
        lock, is_held, steps = number_lock(self.address, "writer"), "TRUE", "0"
        if held is not None:
            is_held = f"EXISTS (SELECT 1 FROM pg_locks WHERE {held.condition})"  # noqa: S608 - numbers
        if self.watches_schema:
            steps = f"(SELECT count(*) FROM {postgres_schema.TABLE})"  # noqa: S608 - a constant
        # one way to the server and back; what is read after the lock is read when it is held, whatever the server's
        # default level of isolation is
        begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
        if self._is_synced_later:
            begin += "; SET LOCAL synchronous_commit = off"
        cursor = self.run(f"{begin}; SELECT pg_advisory_xact_lock({lock}); SELECT {is_held}, {steps}")
        while cursor.nextset():
            pass
        still_held, steps_found = cursor.fetchone()
        if held is not None and not still_held:
            raise _refuse_lost(held)
        if self.watches_schema and steps_found != len(migrations.NAMES):
            raise refuse_newer(self.address)

    def identify(self) -> int:
        """Return what tells the schema from another of the same name."""
        return int(self.query("SELECT CAST(to_regnamespace(?) AS OID)", [self.address.schema])[0][0] or 0)

    def check_lock(self) -> None:
        """Raise Busy where the lock without which nothing is written was lost."""
        held: HeldLock | None = self.must_hold
        if held is not None and not self.query(f"SELECT 1 FROM pg_locks WHERE {held.condition}"):  # noqa: S608 - numbers
            raise _refuse_lost(held)

    def wait_at_most(self, seconds: float) -> None:
        """Wait no longer than this for what other programs write."""
        self.may_be_used_again = False
        self.run(f"SET lock_timeout = {max(1, seconds * 1000):.0f}")

    def correct_clock(self, now: datetime) -> datetime:
        """Return by the server's clock, in whole seconds, what is `now` by this machine's."""
        ahead = self.query("SELECT clock_timestamp()")[0][0] - clock.read_clock()
        return now + timedelta(seconds=round(ahead.total_seconds()))

    def run(self, sql: str, values: Sequence[Any] | Mapping[str, Any] | None = None) -> Any:
        """Run a statement, several where there are no values; again where another session was in its way.

        Raises ServerError.
        """
        statement = sql if values is None else translate(sql)
        try:
            cursor = self._run_until_done(statement, values)
        except (psycopg.Error, OSError) as error:
            raise explain(error, self.connection) from error  # type: ignore[arg-type]
        if self._journal is not None:
            self._journal.add(statement, values, cursor)
        return cursor

    def _run_until_done(self, statement: str, values: Sequence[Any] | Mapping[str, Any] | None) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                if attempt:
                    self._do_again()
                return self.connection.execute(statement, values)  # type: ignore[arg-type]
            except psycopg.Error as error:
                if not (is_collision(error) and self._can_do_again()):
                    raise
                last = error
        raise last

    def _can_do_again(self) -> bool:
        if self._journal is None:
            status = self.connection.info.transaction_status  # type: ignore[attr-defined]
            return bool(status == TransactionStatus.IDLE)
        return self._journal.is_whole

    def _do_again(self) -> None:
        """Do what the transaction has done before. Raises ServerError where it has now found something else."""
        if (journal := self._journal) is None:
            return
        self.connection.execute("ROLLBACK")
        self._journal = None  # it is not noted twice
        self._begin()
        self._journal = journal
        if not journal.replay(self.connection):  # type: ignore[arg-type]
            raise ServerError(_("another program has changed what was read"), passes=True)

    def read(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[Any]:
        """Yield the rows that a SELECT finds, as they come. In a transaction, or of a store for reading."""
        self._cursors += 1
        name = f"read_{self._cursors}"
        self.run(f"DECLARE {name} CURSOR FOR {sql}", values)
        while rows := self.query(f"FETCH {ROWS_AT_ONCE} FROM {name}"):
            yield from rows
        self.run(f"CLOSE {name}")

    def list_tables(self) -> list[str]:
        """List the tables that hold what is ours to keep, by name."""
        sql = "SELECT tablename FROM pg_tables WHERE schemaname = ? AND tablename <> ? ORDER BY tablename"
        return [row[0] for row in self.query(sql, [self.address.schema, postgres_schema.TABLE])]

    def columns(self, sql: str, values: Sequence[Any] = ()) -> list[str]:
        """Return the names of the columns that a SELECT finds."""
        return [column.name for column in self.run(sql, values).description]

    def query(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """Return the rows that a SELECT finds."""
        return list(self.run(sql, values).fetchall())

    def execute(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
        """Change rows."""
        if self.drops_writes:
            return self.connection.cursor()
        with self._write():
            return self.run(sql, values)

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Change rows, once for each of these."""
        if self.drops_writes:
            return
        all_rows = list(rows)
        cursor = self.connection.cursor()
        with self._write():
            for chunk in chunked(all_rows, ROWS_AT_ONCE):
                self.run(";".join(cursor.mogrify(translate(sql), values) for values in chunk))  # type: ignore[attr-defined]

    def insert_one(self, table: str, row: Mapping[str, Any]) -> int:
        """Add a row; return its id."""
        if self.drops_writes:
            return 0
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks}) RETURNING id"  # noqa: S608 - names of ours
        return int(self.execute(sql, list(row.values())).fetchone()[0])

    def insert_values(
        self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], key: Collection[str] = ()
    ) -> None:
        """Add rows, given by the values of these columns; otherwise as `insert`."""
        if not rows or self.drops_writes:
            return
        end = ""
        if key:
            places = [columns.index(name) for name in key]
            rows = list({tuple(row[place] for place in places): row for row in rows}.values())  # the last one stays
            changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
            end = f" ON CONFLICT ({', '.join(key)}) DO " + (f"UPDATE SET {changes}" if changes else "NOTHING")
        marks = f"({', '.join(['?'] * len(columns))})"
        with self._write():
            for chunk in chunked(rows, ROWS_AT_ONCE):
                sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([marks] * len(chunk))}{end}"  # noqa: S608
                self.run(sql, [value for row in chunk for value in row])

    def seconds_between(self, earlier: str, later: str) -> str:
        """Return SQL for the seconds from one column's moment to another's."""
        return f"extract(epoch FROM CAST({later} AS TIMESTAMPTZ) - CAST({earlier} AS TIMESTAMPTZ))"

    def indexed_by(self, index: str) -> str:
        """Return nothing: the planner chooses."""
        return ""

    def json_text(self, column: str, name: str) -> str:
        """Return SQL for a text in a JSON object."""
        return f"(CAST({column} AS JSON) ->> '{name}')"

    def json_number(self, column: str, name: str) -> str:
        """Return SQL for a whole number in a JSON object."""
        return f"CAST(CAST({column} AS JSON) ->> '{name}' AS BIGINT)"

    def json_flag(self, column: str, name: str) -> str:
        """Return SQL for a condition: something that is true is in a JSON object under this name."""
        return f"(coalesce(CAST({column} AS JSON) ->> '{name}', '') NOT IN ('', '0', 'false'))"

    def json_numbers(self, column: str) -> str:
        """Return SQL for a table with the `value` of each of a JSON array's numbers."""
        items = f"json_array_elements_text(CAST({column} AS JSON))"
        return f"LATERAL (SELECT CAST(item AS BIGINT) AS value FROM {items} AS item)"  # noqa: S608


def _refuse_lost(held: HeldLock) -> errors.Busy:
    message = _("the lock of `b24tools {name}` was lost: the server or the network broke its connection")
    return errors.Busy(
        message.format(name=held.name), _("What was sent is noted; the next run finds out what came of it.")
    )


@lru_cache(maxsize=500)
def translate(sql: str) -> str:
    """Turn the marks of values into psycopg's: `?` into `%s`, `:name` into `%(name)s`."""

    def turn(match: re.Match[str]) -> str:
        word = match[0]
        if word == "?":
            return "%s"
        return f"%({word[1:]})s" if word[0] == ":" else word.replace("%", "%%")

    return _WORDS.sub(turn, sql)


def number_lock(address: DatabaseUrl, name: str) -> int:
    """Return the number of an advisory lock of this schema: below 2**63, as two halves of 32 bits."""
    return int.from_bytes(sha256(f"b24tools {address.schema} {name}".encode()).digest()[:8]) >> 1


def is_lock(number: int) -> str:
    """Return SQL that finds an advisory lock of this database among the server's locks that are held."""
    halves = f"classid = {number >> 32} AND objid = {number & 0xFFFFFFFF} AND objsubid = 1"
    here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    return f"locktype = 'advisory' AND granted AND {halves} AND {here}"


def open_database(address: DatabaseUrl) -> PostgresDatabase:
    """Open the schema, create and migrate it as needed. Raises ConfigError, ServerError."""
    db = _open(address, creates=True)
    assert db is not None  # noqa: S101 - it was made
    return db


def _open(address: DatabaseUrl, *, creates: bool) -> PostgresDatabase | None:
    if (used := idle.take(address)) is not None:
        db = PostgresDatabase(used, address)
        try:
            with _closed_on_failure(db):
                return _prepare(db, creates=creates)
        except ServerError as error:
            if not error.passes:
                raise
            idle.clear()  # the server was started anew, and no connection is good any more
    db = PostgresDatabase(connect(address), address)
    with _closed_on_failure(db):
        return _prepare(db, creates=creates)


def _prepare(db: PostgresDatabase, *, creates: bool) -> PostgresDatabase | None:
    """Create and migrate the schema as needed; None where there is none to be created."""
    address = db.address
    applied = read_applied(db)
    if applied is None and not creates:
        db.close()
        return None
    if applied is None or not applied >= migrations.NAMES:
        with db.transaction():
            if applied is None:
                db.run(f'CREATE SCHEMA IF NOT EXISTS "{address.schema}"')
            applied = read_applied(db) or set()  # another process may have done it meanwhile
            if not applied >= migrations.NAMES:
                postgres_schema.apply(db, applied)
    db.watches_schema = db.may_be_used_again = True
    return db


def open_read_only(address: DatabaseUrl, *, drops_writes: bool = False) -> PostgresDatabase | None:
    """Open one state of the schema for reading; None where there is none. An older one is brought up to date.

    Raises ConfigError, ServerError.
    """
    db = _open(address, creates=False)
    if db is None:
        return None
    with _closed_on_failure(db):
        db.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        db.run("SET LOCAL idle_in_transaction_session_timeout = 0")
        db.is_read_only, db.drops_writes = True, drops_writes
    return db


def exists(address: DatabaseUrl) -> bool:
    """Return whether the schema is there."""
    with closing(PostgresDatabase(connect(address), address)) as db:
        return _list_applied(db) is not None


def look(address: DatabaseUrl) -> set[str]:
    """Return the migrations that the schema has been through. Raises ServerError where its rows cannot be changed."""
    with closing(PostgresDatabase(connect(address), address)) as db:
        applied = _list_applied(db)
        if applied is not None:
            trial = "INSERT INTO {0} SELECT * FROM {0} WHERE FALSE; DELETE FROM {0} WHERE FALSE"
            db.run("; ".join(["BEGIN", *map(trial.format, db.list_tables()), "ROLLBACK"]))
        return applied or set()


def measure(address: DatabaseUrl) -> int:
    """Return the size of the schema's tables and indexes in bytes."""
    sql = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class WHERE relkind = 'r'"
    with closing(PostgresDatabase(connect(address), address)) as db:
        return int(db.query(f"{sql} AND relnamespace = to_regnamespace(?)", [address.schema])[0][0])


def read_applied(db: PostgresDatabase) -> set[str] | None:
    """Return the migrations that the schema has been through; None without one. Raises ConfigError for a newer one."""
    applied = _list_applied(db)
    if applied is not None and applied - migrations.NAMES:
        raise refuse_newer(db.address)
    return applied


def _list_applied(db: PostgresDatabase) -> set[str] | None:
    if db.query("SELECT to_regclass(?)", [f"{db.address.schema}.{postgres_schema.TABLE}"])[0][0] is None:
        return None
    return {row[0] for row in db.query(f"SELECT name FROM {postgres_schema.TABLE}")}  # noqa: S608 - a constant


def refuse_newer(address: DatabaseUrl) -> errors.ConfigError:
    """Return what is said of a schema that a newer b24tools has made."""
    return errors.ConfigError(
        _("{path} was made by a newer b24tools").format(path=address),
        _("Update this b24tools, or set another B24_DATABASE_URL."),
        code=errors.ErrorCode.DATABASE,
    )


@contextmanager
def _closed_on_failure(db: PostgresDatabase) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise
