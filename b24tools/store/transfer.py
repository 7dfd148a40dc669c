"""A database of SQLite's copied to a server, and put in the place of the schema that is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from b24tools.core import errors
from b24tools.core.chunks import chunked
from b24tools.core.database_url import DatabaseUrl
from b24tools.core.i18n import _
from b24tools.store import database
from b24tools.store.database import Database, explain_failures
from b24tools.store.postgres import ROWS_AT_ONCE, PostgresDatabase, open_database
from b24tools.store.postgres_connection import clean_text, connect, name_session

COUNT = 1 << 256


def put_in_place(new: Path, address: DatabaseUrl, aside: DatabaseUrl) -> bool:
    """Put all rows of a file in the place of a schema that no program has open; return whether the old one is `aside`.

    They are counted and compared before that. Raises Busy while any program has the old schema open.
    """
    made = replace(address, schema=f"{address.schema}$new")  # a name that no setting can have
    with explain_failures(address), closing(PostgresDatabase(connect(address, "restore"), address)) as db:
        _require_alone(db)
        db.run(f'DROP SCHEMA IF EXISTS "{made.schema}" CASCADE')  # what a kill has left
        with (
            closing(database.open_read_only(new)) as source,
            closing(open_database(made)) as target,
            target.transaction(),
        ):
            target.run(f"TRUNCATE {', '.join(source.list_tables())}")
            for table in source.list_tables():  # those that are referred to come first
                _copy(source, target, table)
        is_there = bool(db.query("SELECT 1 FROM pg_namespace WHERE nspname = ?", [address.schema]))
        db.run("BEGIN")
        _require_alone(db)
        if is_there:
            db.run(f'ALTER SCHEMA "{address.schema}" RENAME TO "{aside.schema}"')
        db.run(f'ALTER SCHEMA "{made.schema}" RENAME TO "{address.schema}"; COMMIT')
    return is_there


def _copy(source: Database, target: PostgresDatabase, table: str) -> None:
    for rows in chunked((dict(row) for row in source.read(f"SELECT * FROM {table}")), ROWS_AT_ONCE):  # noqa: S608
        target.insert(table, rows)
    numbers = f"{table}_id_seq"
    if target.query("SELECT 1 FROM pg_sequences WHERE schemaname = current_schema() AND sequencename = ?", [numbers]):
        target.run(f"SELECT setval('{numbers}', max(id)) FROM {table} HAVING max(id) IS NOT NULL")  # noqa: S608
    sql = f"SELECT {', '.join(target.columns(f'SELECT * FROM {table} WHERE FALSE'))} FROM {table}"  # noqa: S608
    if _measure(source.read(sql)) != _measure(target.read(sql)):
        raise errors.B24ToolsError(
            _("the rows of {table} on the server are not those of the backup").format(table=table),
            _("Nothing was replaced. Look after the server, and try again."),
            code=errors.ErrorCode.DATABASE,
        )


def _measure(rows: Iterable[Any]) -> tuple[int, int]:
    """Return the number of rows, and a sum over their contents that does not depend on their order."""
    count = total = 0
    for row in rows:
        values = [clean_text(value) if isinstance(value, str) else value for value in row]
        digest = hashlib.sha256(json.dumps(values, default=bytes.hex).encode()).digest()
        count, total = count + 1, (total + int.from_bytes(digest)) % COUNT
    return count, total


def _require_alone(db: PostgresDatabase) -> None:
    sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?"
    if db.query(sql, [name_session(db.address)]):
        raise errors.Busy(
            _("a program has the database {path} open").format(path=db.address),
            _("Stop `b24tools serve` and whatever else uses it, then try again; nothing was changed."),
        )
