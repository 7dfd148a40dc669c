"""The rows of a year in less room, for m017: moments as seconds, and the number of a line in the place of its key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from b24tools.core.chunks import chunked
from b24tools.core.timestamps import text_to_seconds

if TYPE_CHECKING:
    from sqlite_utils import Database

ROWS_AT_ONCE = 40  # in a statement: SQLite before 3.32 takes 999 values
_MOMENTS = ("created_at", "changed_at", "closed_at", "deadline", "saved_at", "first_deadline")


def number_line(key: str) -> int:
    """Return what stands for a line's key: 63 bits of its digest, the same wherever it is worked out."""
    return int.from_bytes(sha256(key.encode()).digest()[:8]) >> 1


def move_tasks(db: Database) -> None:
    """Copy `tasks` to `closed_tasks`, some rows at a time."""
    for row_chunk in chunked(_read(db, "tasks", "id", 0), ROWS_AT_ONCE):
        rows = [
            dict(row)
            | {name: text_to_seconds(row[name]) for name in _MOMENTS}
            | {"line": row["line"] and number_line(row["line"])}
            for row in row_chunk
        ]
        _insert(db, "closed_tasks", rows)


def move_repeated(db: Database) -> None:
    """Make `repeated_lines` anew, with numbers; they are few."""
    rows = [{"line": number_line(row["line"])} for row in _read(db, "repeated_lines", "line", "")]
    db.execute("DROP TABLE repeated_lines")
    db.execute("CREATE TABLE repeated_lines (line INTEGER PRIMARY KEY)")
    for few in chunked(rows, ROWS_AT_ONCE):
        _insert(db, "repeated_lines", few)


def number_lines(db: Database) -> None:
    """Give the orders' lines their numbers."""
    for few in chunked(_read(db, "order_tasks", "key", "", "key"), ROWS_AT_ONCE):
        values = ", ".join(["(?, CAST(? AS BIGINT))"] * len(few))
        db.execute(
            f"WITH numbers (key, number) AS (VALUES {values}) UPDATE order_tasks SET line_no ="  # noqa: S608 - question marks
            " (SELECT number FROM numbers WHERE numbers.key = order_tasks.key)"
            " WHERE key IN (SELECT key FROM numbers)",
            [value for row in few for value in (row["key"], number_line(row["key"]))],
        )


def _read(db: Database, table: str, key: str, after: Any, columns: str = "*") -> Iterator[Mapping[str, Any]]:
    """Yield the rows by their key, a thousand at a time."""
    while rows := list(
        db.query(f"SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT 1000", [after])  # noqa: S608 - names of ours
    ):
        yield from rows
        after = rows[-1][key]


def _insert(db: Database, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    columns: Iterable[str] = list(rows[0])
    marks = ", ".join([f"({', '.join('?' for _name in columns)})"] * len(rows))
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}"  # noqa: S608 - names of ours
    db.execute(sql, [value for row in rows for value in row.values()])
