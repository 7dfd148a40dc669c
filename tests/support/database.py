"""The database of a test past our own code, whichever engine it is on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support import postgres


def query(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows that a SELECT finds; with another statement what it changes is saved. Marks are `?`."""
    if postgres.redirection is None:
        with closing(sqlite3.connect(path)) as connection, connection:
            return connection.execute(sql, values).fetchall()
    import psycopg

    schema = postgres.name_schema(path.absolute())
    with psycopg.connect(postgres.redirection.url, options=f"-c search_path={schema}") as connection:
        cursor = connection.cursor()
        cursor.execute(sql.replace("%", "%%").replace("?", "%s").encode(), values)
        rows = cursor.fetchall() if cursor.description else []
        return [tuple(int(value) if type(value).__name__ == "Decimal" else value for value in row) for row in rows]


def write_location(path: Path) -> str:
    """Python for where the database is, for a process of its own."""
    if postgres.redirection is None:
        return f"__import__('pathlib').Path({str(path)!r})"
    url = postgres.redirection.address(path)
    return (
        "__import__('b24tools.core.database_url', fromlist=['read']).read("
        f"{url!r}, __import__('pathlib').Path({str(path.parent)!r}))"
    )


def environment(folder: Path) -> dict[str, str]:
    """What a process of its own needs to be on the same engine, with this data folder."""
    if postgres.redirection is None:
        return {}
    return {"B24_DATABASE_URL": postgres.redirection.address(folder / "b24tools.db")}
