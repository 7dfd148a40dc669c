"""m017: the rows of a year in less room: moments as seconds, and the number of a line in the place of its key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from b24tools.core.chunks import chunked
from b24tools.core.line_keys import number_line
from b24tools.core.timestamps import text_to_seconds
from b24tools.store.views import VIEWS, make_text_views

if TYPE_CHECKING:
    from sqlite_utils import Database

ROWS_AT_ONCE = 40  # in a statement: SQLite before 3.32 takes 999 values
_MOMENT = "strftime('%Y-%m-%dT%H:%M:%S+00:00', {}, 'unixepoch')"  # SQLite's for the text of seconds since 1970
_MOMENTS = ("created_at", "changed_at", "closed_at", "deadline", "saved_at", "first_deadline")


def change_schema(db: Database) -> None:
    """Make the tables and move the rows, in one transaction with a bounded number of them in memory."""
    for name in VIEWS:
        db.execute(f"DROP VIEW {name}")
    for statement in (
        "ALTER TABLE order_tasks ADD COLUMN line_no INTEGER",
        "ALTER TABLE packed_orders RENAME TO packed_before",
        """CREATE TABLE closed_tasks (
            id INTEGER PRIMARY KEY,
            title TEXT NOT NULL,
            responsible_id INTEGER NOT NULL,
            created_by INTEGER,
            group_id INTEGER,
            status INTEGER NOT NULL,
            created_at INTEGER,
            changed_at INTEGER,
            closed_at INTEGER,
            week TEXT,
            deadline INTEGER,
            estimate_s INTEGER NOT NULL,
            spent_s INTEGER NOT NULL,
            gone INTEGER NOT NULL,
            saved_at INTEGER NOT NULL,
            read_no INTEGER NOT NULL DEFAULT 0,
            first_deadline INTEGER,
            line INTEGER
        )""",
    ):
        db.execute(statement)
    _number_lines(db)
    _move_tasks(db)
    _move_repeated(db)
    for statement in (
        "DROP TABLE tasks",
        """CREATE INDEX tasks_by_closing ON closed_tasks
            (closed_at, gone, responsible_id, created_by, line, group_id, estimate_s, first_deadline)""",
        "CREATE INDEX tasks_by_line ON closed_tasks (line, gone, closed_at) WHERE line IS NOT NULL",
        "CREATE INDEX tasks_by_person ON closed_tasks (responsible_id, closed_at)",
        "CREATE TABLE packed_texts (number INTEGER PRIMARY KEY, content BLOB NOT NULL)",
        """CREATE TABLE packed_orders (
            number INTEGER PRIMARY KEY,
            order_id TEXT NOT NULL UNIQUE,
            title_end TEXT,
            text_number INTEGER,
            place INTEGER NOT NULL
        )""",  # without `title_end` the lines are still in their own rows
        "CREATE INDEX packed_orders_by_text ON packed_orders (text_number) WHERE text_number IS NOT NULL",
        """INSERT INTO packed_orders (number, order_id, text_number, place)
            SELECT row_number() OVER (ORDER BY order_id), order_id, row_number() OVER (ORDER BY order_id), 0
            FROM packed_before""",
        """INSERT INTO packed_texts (number, content)
            SELECT number, content FROM packed_orders JOIN packed_before USING (order_id)""",
        "DROP TABLE packed_before",
        """CREATE TABLE packed_lines (
            order_number INTEGER NOT NULL,
            place INTEGER NOT NULL,
            key TEXT,
            key_end TEXT,
            line INTEGER NOT NULL,
            position TEXT NOT NULL,
            title TEXT,
            state TEXT,
            task_id INTEGER,
            responsible_id INTEGER,
            department_id INTEGER,
            starts_at INTEGER,
            ends_at INTEGER,
            deadline INTEGER,
            first_deadline INTEGER,
            estimate_s INTEGER,
            assigned_at INTEGER,
            flags INTEGER NOT NULL,
            auditor_id INTEGER,
            position_id TEXT,
            old_key TEXT,
            other_tasks TEXT,
            stage INTEGER,
            line_no INTEGER,
            PRIMARY KEY (order_number, place)
        ) WITHOUT ROWID""",
        "CREATE INDEX packed_lines_by_task ON packed_lines (task_id, department_id)",
        "CREATE INDEX packed_lines_by_key ON packed_lines (key) WHERE key IS NOT NULL",
        "CREATE INDEX packed_lines_with_others ON packed_lines (order_number) WHERE other_tasks IS NOT NULL",
        """CREATE TABLE packed_history (
            entry INTEGER PRIMARY KEY,
            order_number INTEGER NOT NULL,
            at INTEGER NOT NULL,
            number TEXT NOT NULL,
            command TEXT NOT NULL,
            outcome TEXT NOT NULL,
            caller TEXT NOT NULL,
            error TEXT,
            times INTEGER NOT NULL,
            last_at INTEGER
        )""",
        "CREATE INDEX packed_history_by_order ON packed_history (order_number)",
        "CREATE INDEX packed_history_by_number ON packed_history (number)",
        "CREATE INDEX packed_history_by_time ON packed_history (coalesce(last_at, at))",
        # the windows of a week are among the last to end, not to begin
        "DROP INDEX snapshot_runs_by_window",
        "CREATE INDEX snapshot_runs_by_window ON snapshot_runs (to_at, from_at, complete, started_at)",
        "CREATE INDEX snapshot_runs_measured ON snapshot_runs (started_at) WHERE missed IS NOT NULL",
        "CREATE TABLE packed_people (person_id INTEGER PRIMARY KEY, assigned_at TEXT NOT NULL)",
        "CREATE TABLE packed_positions (position TEXT PRIMARY KEY, sent_at TEXT NOT NULL)",
        *(f"CREATE VIEW {name} AS {select}" for name, select in (make_text_views(_MOMENT) | VIEWS).items()),
    ):
        db.execute(statement)


def _move_tasks(db: Database) -> None:
    """Copy `tasks` to `closed_tasks`, some rows at a time."""
    for row_chunk in chunked(_read(db, "tasks", "id", 0), ROWS_AT_ONCE):
        rows = [
            dict(row)
            | {name: text_to_seconds(row[name]) for name in _MOMENTS}
            | {"line": row["line"] and number_line(row["line"])}
            for row in row_chunk
        ]
        _insert(db, "closed_tasks", rows)


def _move_repeated(db: Database) -> None:
    """Make `repeated_lines` anew, with numbers; they are few."""
    rows = [{"line": number_line(row["line"])} for row in _read(db, "repeated_lines", "line", "")]
    db.execute("DROP TABLE repeated_lines")
    db.execute("CREATE TABLE repeated_lines (line INTEGER PRIMARY KEY)")
    for few in chunked(rows, ROWS_AT_ONCE):
        _insert(db, "repeated_lines", few)


def _number_lines(db: Database) -> None:
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
