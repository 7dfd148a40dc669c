"""The whole database as rows, for a backup that another engine can read as well, and a database made of such rows."""

from __future__ import annotations

import base64
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from b24tools.core import data_folder, errors
from b24tools.core.chunks import chunked
from b24tools.core.database_url import DatabaseUrl, Location
from b24tools.core.i18n import _
from b24tools.store import database, migrations
from b24tools.store.database import Database, explain_failures

ROWS_AT_ONCE = 500
_BYTES = "base64"


def list_tables(db: Database) -> list[str]:
    """List the tables that hold what is ours to keep, by name; the history of the schema is made anew."""
    return sorted(db.list_tables())


def read_rows(db: Database, table: str) -> Iterator[dict[str, Any]]:
    """Yield a table's rows in the order in which they came. All tables of one read-only store are of one moment.

    Bytes are as JSON can hold them: {"base64": text}.
    """
    order = " ORDER BY 1" if db.is_shared else ""  # a server has no order of its own
    for row in db.read(f"SELECT * FROM {table}{order}"):  # noqa: S608 - names of ours
        values = dict(row)
        for name, value in values.items():
            if isinstance(value, bytes):
                values[name] = {_BYTES: base64.b64encode(value).decode()}
        yield values


def _read_value(value: Any) -> Any:
    return base64.b64decode(value[_BYTES]) if isinstance(value, dict) else value


def list_schema() -> list[str]:
    """List the steps that a database of this b24tools has been through."""
    return [migration.__name__ for migration in migrations.MIGRATIONS]


def create(path: Path, schema: Sequence[str], tables: Mapping[str, Callable[[], Iterable[dict[str, Any]]]]) -> None:
    """Make a database of rows that were read when the schema had come so far, and bring it up to date.

    Raises ConfigError where rows do not fit into their tables.
    """
    path.unlink(missing_ok=True)
    with explain_failures(path):
        database.create(path, upto=schema)
        with closing(database.connect(path)) as connection:
            for setting in ("journal_mode = OFF", "synchronous = OFF"):  # half a database is thrown away
                connection.execute(f"PRAGMA {setting}")
            db = Database(connection)
            known = set(list_tables(db))
            with db.transaction():
                for table in known:
                    db.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
                for table, rows in tables.items():
                    if table not in known:
                        raise sqlite3.DataError(table)
                    columns = {row["name"] for row in db.query(f"PRAGMA table_info({table})")}
                    for chunk in chunked(rows(), ROWS_AT_ONCE):
                        if not all(row.keys() == columns for row in chunk):
                            raise sqlite3.DataError(table)
                        db.insert(table, [{name: _read_value(row[name]) for name in row} for row in chunk])
            connection.execute("PRAGMA journal_mode = MEMORY")
            migrations.apply(connection)
            connection.execute(f"PRAGMA synchronous = {database.SYNCHRONOUS}")  # turning to WAL brings all to the disk
            connection.execute("PRAGMA journal_mode = WAL")


def name_aside(path: Location, stamp: str) -> Location:
    """Return where what was there before goes."""
    if isinstance(path, Path):
        return path.with_suffix(f".{stamp}.db")
    return replace(path, schema=f"{path.schema}_{stamp.replace('-', '_')}")


def put_in_place(new: Path, path: Location, aside: Location) -> bool:
    """Put a new database in the place of one that no program has open; return whether the old one now lies `aside`.

    At no moment is there none, or a part of one. Raises Busy while any program has the old one open.
    """
    if isinstance(path, DatabaseUrl):
        database.load_server()
        from b24tools.store import transfer

        return transfer.put_in_place(new, path, cast("DatabaseUrl", aside))
    aside = cast("Path", aside)
    with explain_failures(path):
        if not path.exists():
            _move_logs(path, aside)  # of a database that is lost
            new.replace(path)
            return False
        with closing(database.connect(path, timeout_s=0)) as connection:
            try:
                # folds the log in; it cannot be done while another connection is open
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("BEGIN EXCLUSIVE")
            except sqlite3.Error as error:
                if database.is_locked(error):
                    raise errors.Busy(
                        _("a program has the database {path} open").format(path=path),
                        _("Stop `b24tools serve` and whatever else uses it, then try again; nothing was changed."),
                    ) from None
                if not database.is_damaged(error):
                    raise
            if os.name == "nt":  # where an open file cannot be replaced
                connection.close()
            try:
                os.link(path, aside)
            except OSError:  # a file system without links
                data_folder.touch(aside)
                shutil.copyfile(path, aside)
            _move_logs(path, aside)
            new.replace(path)
    return True


def _move_logs(path: Path, aside: Path) -> None:
    """Take what a damaged or lost database has left beside it out of the way of the new one."""
    for log in (*database.list_companions(path), path.with_name(f"{path.name}-journal")):
        if log.exists():
            log.replace(aside.with_name(aside.name + log.name.removeprefix(path.name)))
