"""The history of the database's schema. What has been released is never edited, only added to."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from b24tools.core.org_structure import fold_signs, key_name

if TYPE_CHECKING:  # it is slow to load, and seldom is anything to be migrated
    from sqlite_utils import Database, Migrations

SET = "b24tools"


def m001_orders(db: Database) -> None:
    """Running settings and the ledger of orders: what 1C sent, what became of it, and why."""
    for statement in (
        "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
        """CREATE TABLE orders (
            id TEXT PRIMARY KEY,
            number TEXT NOT NULL,
            first_sent_at TEXT NOT NULL,
            last_sent_at TEXT NOT NULL,
            outcome TEXT
        )""",
        """CREATE TABLE order_tasks (
            key TEXT PRIMARY KEY,
            order_id TEXT NOT NULL REFERENCES orders(id),
            line INTEGER NOT NULL,
            position TEXT NOT NULL,
            title TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('planned', 'writing', 'done')),
            task_id INTEGER,
            responsible_id INTEGER,
            department_id INTEGER,
            starts_at TEXT,
            ends_at TEXT,
            deadline TEXT,
            estimate_s INTEGER,
            sent_values TEXT NOT NULL,
            assigned_at TEXT,
            writing_since TEXT
        )""",
        "CREATE INDEX order_tasks_by_order ON order_tasks (order_id)",
        "CREATE INDEX order_tasks_by_task ON order_tasks (task_id)",
        "CREATE INDEX order_tasks_by_person ON order_tasks (responsible_id, assigned_at)",
        """CREATE TABLE files (
            order_id TEXT NOT NULL REFERENCES orders(id),
            name TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            stored_name TEXT NOT NULL,
            size INTEGER NOT NULL,
            file_id INTEGER NOT NULL,
            saved_at TEXT NOT NULL,
            PRIMARY KEY (order_id, name, sha256)
        )""",
        """CREATE TABLE task_files (
            key TEXT NOT NULL,
            name TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('writing', 'done')),
            PRIMARY KEY (key, name, sha256)
        )""",
        """CREATE TABLE decisions (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL,
            task_id INTEGER,
            position TEXT NOT NULL,
            decided_at TEXT NOT NULL,
            responsible_id INTEGER NOT NULL,
            reason TEXT NOT NULL,
            candidates TEXT NOT NULL
        )""",
        "CREATE INDEX decisions_by_task ON decisions (task_id)",
        "CREATE INDEX decisions_by_key ON decisions (key)",
    ):
        db.execute(statement)


def m002_history(db: Database) -> None:
    """Closed tasks, the people who closed them, and the runs that collected them."""
    week_now = "date('now', 'localtime', '-3 days', 'weekday 4')"  # the Thursday of this ISO week names its year
    for statement in (
        """CREATE TABLE people (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            active INTEGER NOT NULL,
            department_id INTEGER,
            department_ids TEXT NOT NULL,
            saved_at TEXT NOT NULL
        )""",
        """CREATE TABLE departments (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            parent_id INTEGER,
            head_id INTEGER,
            saved_at TEXT NOT NULL
        )""",
        """CREATE TABLE tasks (
            id INTEGER PRIMARY KEY,
            title TEXT NOT NULL,
            responsible_id INTEGER NOT NULL,
            created_by INTEGER,
            group_id INTEGER,
            status INTEGER NOT NULL,
            created_at TEXT,
            changed_at TEXT,
            closed_at TEXT,
            week TEXT,
            deadline TEXT,
            estimate_s INTEGER NOT NULL,
            spent_s INTEGER NOT NULL,
            gone INTEGER NOT NULL,
            saved_at TEXT NOT NULL
        )""",
        "CREATE INDEX tasks_by_closing ON tasks (closed_at, gone, responsible_id, estimate_s, deadline)",
        "CREATE INDEX tasks_by_week ON tasks (week, responsible_id)",
        """CREATE TABLE snapshot_runs (
            id INTEGER PRIMARY KEY,
            from_at TEXT NOT NULL,
            to_at TEXT NOT NULL,
            started_at TEXT NOT NULL,
            finished_at TEXT,
            cursor INTEGER NOT NULL,
            people_cursor INTEGER,
            tasks INTEGER NOT NULL,
            people INTEGER NOT NULL,
            requests INTEGER NOT NULL,
            counts TEXT NOT NULL,
            admin INTEGER NOT NULL,
            complete INTEGER NOT NULL
        )""",
        "CREATE INDEX snapshot_runs_by_window ON snapshot_runs (from_at, to_at, complete, started_at)",
        "CREATE INDEX snapshot_runs_by_start ON snapshot_runs (started_at, complete)",
        "CREATE TABLE last_read (what TEXT PRIMARY KEY, read_at TEXT NOT NULL)",
        # the leaderboard counts and rounds in the same way
        """CREATE VIEW closed_by_week AS
            SELECT tasks.week, tasks.responsible_id AS user_id,
                coalesce(people.name, '#' || tasks.responsible_id) AS name, departments.name AS department,
                count(*) AS tasks, (sum(tasks.estimate_s) + 180) / 360 / 10.0 AS hours,
                sum(tasks.deadline IS NOT NULL AND tasks.closed_at <= tasks.deadline) AS on_time,
                sum(tasks.deadline IS NOT NULL) AS on_time_of
            FROM tasks
            LEFT JOIN people ON people.id = tasks.responsible_id
            LEFT JOIN departments ON departments.id = people.department_id
            WHERE tasks.gone = 0
            GROUP BY tasks.week, tasks.responsible_id""",
        f"""CREATE VIEW leaderboard_this_week AS
            SELECT rank() OVER (ORDER BY tasks DESC) AS place, user_id, name, department, tasks, hours,
                on_time, on_time_of
            FROM closed_by_week
            WHERE week = strftime('%Y', {week_now})
                || printf('-W%02d', (strftime('%j', {week_now}) - 1) / 7 + 1)
                AND NOT EXISTS (SELECT 1 FROM settings WHERE key = 'hidden_users'
                    AND ',' || replace(value, ' ', '') || ',' LIKE '%,' || user_id || ',%')
            ORDER BY place, name""",  # noqa: S608 - a constant
    ):
        db.execute(statement)


def m003_events(db: Database) -> None:
    """What the portal's outgoing webhook sent: the inbox."""
    for statement in (
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            received_at TEXT NOT NULL,
            event TEXT NOT NULL,
            task_id INTEGER,
            body TEXT NOT NULL,
            body_sha256 TEXT,
            status TEXT NOT NULL CHECK (status IN ('waiting', 'done', 'failed', 'ignored', 'ignored_by_mode')),
            attempts INTEGER NOT NULL,
            error TEXT,
            next_try_at TEXT,
            processed_at TEXT
        )""",
        "CREATE INDEX events_by_time ON events (received_at)",
        "CREATE INDEX events_to_process ON events (task_id, status, next_try_at) WHERE status IN ('waiting', 'failed')",
        "CREATE INDEX events_by_processing ON events (processed_at) WHERE processed_at IS NOT NULL",
        "CREATE INDEX events_by_body ON events (body_sha256) WHERE body_sha256 IS NOT NULL",
    ):
        db.execute(statement)


def m004_decisions(db: Database) -> None:
    """What else was known when a person was chosen: the work, what it had to wait for, how close it was."""
    db.execute("ALTER TABLE decisions ADD COLUMN details TEXT NOT NULL DEFAULT '{}'")


def m005_saves(db: Database) -> None:
    """What was read last, by the numbers of the requests that read it: clocks may be wrong, and have only seconds."""
    for statement in (
        "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
        "INSERT INTO counters (name, value) VALUES ('readings', 0)",
        "ALTER TABLE tasks ADD COLUMN read_no INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE people ADD COLUMN read_no INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE snapshot_runs ADD COLUMN first_no INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE events ADD COLUMN read_no INTEGER",
        "DROP INDEX events_by_processing",
        "CREATE INDEX events_by_reading ON events (read_no) WHERE read_no IS NOT NULL",
        # 0.1 may have read dates in another zone than the portal's: the next reading counts, whatever it says
        "UPDATE tasks SET changed_at = NULL",
    ):
        db.execute(statement)


def m006_keys(db: Database) -> None:
    """Keys of 50 characters and one spelling of each order; writes whose answer never came; the number of saves.

    `old_key` is what version 0.1 wrote to the portal. Where two spellings of an order's id had become two orders, the
    older row of a line stays, and `other_tasks` names the tasks of the others.
    """
    for statement in (
        "ALTER TABLE orders ADD COLUMN portal_wins INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE order_tasks ADD COLUMN position_id TEXT",
        "ALTER TABLE order_tasks ADD COLUMN old_key TEXT",
        "ALTER TABLE order_tasks ADD COLUMN other_tasks TEXT NOT NULL DEFAULT '[]'",
        """CREATE TABLE lost_writes (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL,
            sent_at TEXT NOT NULL,
            until_at TEXT NOT NULL,
            title TEXT NOT NULL,
            group_id INTEGER NOT NULL,
            responsible_id INTEGER NOT NULL,
            created_by INTEGER NOT NULL,
            estimate_s INTEGER NOT NULL
        )""",
        "CREATE INDEX lost_writes_by_key ON lost_writes (key)",
        "CREATE TABLE noticed (what TEXT PRIMARY KEY, value TEXT NOT NULL, noticed_at TEXT NOT NULL)",
    ):
        db.execute(statement)
    _merge_orders(db)
    _shorten_keys(db)


_GUID = re.compile(r"(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?")
_OLD_KEY = re.compile(r"(?P<line>.*?)(?::(?P<number>[0-9]+))?", re.DOTALL)


def _spell_id(text: str) -> str:
    found = _GUID.fullmatch("".join(text.split()).lower())
    return "-".join(found.groups()) if found else " ".join(text.split()).lower()


def _merge_orders(db: Database) -> None:
    """Give every order its canonical id. Those that become one keep the first row's beginning, the last one's end."""
    for row in list(db.query("SELECT * FROM orders ORDER BY first_sent_at, rowid")):
        new = _spell_id(row["id"])
        if new == row["id"]:
            continue
        db.execute(
            "INSERT OR IGNORE INTO orders SELECT ?, number, first_sent_at, last_sent_at, outcome, portal_wins"
            " FROM orders WHERE id = ?",
            [new, row["id"]],
        )
        db.execute(
            "UPDATE orders SET number = :number, last_sent_at = :last_sent_at, outcome = :outcome"
            " WHERE id = :new AND last_sent_at < :last_sent_at",
            {**row, "new": new},
        )
        db.execute("UPDATE orders SET first_sent_at = min(first_sent_at, ?) WHERE id = ?", [row["first_sent_at"], new])
        db.execute("UPDATE order_tasks SET order_id = ? WHERE order_id = ?", [new, row["id"]])
        db.execute("UPDATE OR IGNORE files SET order_id = ? WHERE order_id = ?", [new, row["id"]])
        db.execute("DELETE FROM files WHERE order_id = ?", [row["id"]])
        db.execute("DELETE FROM orders WHERE id = ?", [row["id"]])


def _shorten_keys(db: Database) -> None:
    """Give every line its key of 50 characters. Of two rows of one line the one that was assigned first stays."""
    first: dict[str, dict[str, Any]] = {}
    order = "task_id IS NULL, assigned_at IS NULL, assigned_at, rowid"
    rows = list(db.query(f"SELECT rowid, * FROM order_tasks ORDER BY {order}"))  # noqa: S608 - a constant
    for row in rows:
        position_id, identity = _read_old_key(row)
        key = _key_of(row["order_id"], identity)
        stays = first.setdefault(key, row)
        if stays is row:
            db.execute("UPDATE OR IGNORE task_files SET key = ? WHERE key = ?", [key, row["key"]])
            db.execute(
                "UPDATE order_tasks SET key = ?, old_key = ?, position_id = ? WHERE key = ?",
                [key, row["key"], position_id, row["key"]],
            )
        else:
            if row["task_id"] is not None and row["task_id"] != stays["task_id"]:
                others = {*json.loads(stays["other_tasks"]), row["task_id"]}
                stays["other_tasks"] = json.dumps(sorted(others))
                db.execute("UPDATE order_tasks SET other_tasks = ? WHERE key = ?", [stays["other_tasks"], key])
            db.execute("DELETE FROM order_tasks WHERE key = ?", [row["key"]])
        db.execute("DELETE FROM task_files WHERE key = ?", [row["key"]])
        db.execute("UPDATE decisions SET key = ? WHERE key = ?", [key, row["key"]])


def _read_old_key(row: dict[str, Any]) -> tuple[str | None, str]:
    """The position's id, where the key had one, and what tells the line from the others of its order."""
    line = row["key"].removeprefix("1c:")
    for spelling in sorted(range(len(line)), reverse=True):  # the order's id ends at the colon after which the line is
        if line[spelling] == ":" and _spell_id(line[:spelling]) == row["order_id"]:
            line = line[spelling + 1 :]
            break
    found = _OLD_KEY.fullmatch(line)
    name, number = (found["line"], found["number"]) if found else (line, None)
    is_id = _GUID.fullmatch(_spell_id(name)) is not None
    name = _spell_id(name) if is_id else "".join(name.split()).casefold().replace("ё", "е")
    return name if is_id else None, f"{name}:{number}" if number else name


def _key_of(order_id: str, identity: str) -> str:
    if _GUID.fullmatch(order_id):
        return f"1c:{order_id}:{hashlib.sha256(identity.encode()).hexdigest()[:10]}"
    return "1c:" + hashlib.sha256(f"{order_id}\0{identity}".encode()).hexdigest()[:40]


def m007_order_history(db: Database) -> None:
    """What was done for orders, when and by whom; of those sent before only the last time is known."""
    for statement in (
        """CREATE TABLE history (
            id INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            order_id TEXT NOT NULL,
            number TEXT NOT NULL,
            command TEXT NOT NULL,
            outcome TEXT NOT NULL,
            caller TEXT NOT NULL,
            lines TEXT NOT NULL,
            error TEXT,
            times INTEGER NOT NULL DEFAULT 1,
            last_at TEXT
        )""",
        "CREATE INDEX history_by_order ON history (order_id, id)",
        "CREATE INDEX history_by_number ON history (number)",
        """INSERT INTO history (at, order_id, number, command, outcome, caller, lines)
            SELECT last_sent_at, id, number, 'assign', outcome, '', '[]' FROM orders WHERE outcome IS NOT NULL
            ORDER BY last_sent_at""",
    ):
        db.execute(statement)


def m008_standing(db: Database) -> None:
    """What an order is to its customer, what was promised first, and how it stood when that was last worked out."""
    for statement in (
        "ALTER TABLE orders ADD COLUMN customer TEXT",
        "ALTER TABLE orders ADD COLUMN wanted TEXT",  # on the wall clock of the configured zone; midnight is the day
        "ALTER TABLE orders ADD COLUMN priority INTEGER",
        "ALTER TABLE orders ADD COLUMN promised_first TEXT",  # a day
        "ALTER TABLE orders ADD COLUMN standing TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE orders ADD COLUMN is_over INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE orders ADD COLUMN changed_no INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE orders ADD COLUMN changed_at TEXT",
        "ALTER TABLE order_tasks ADD COLUMN stage INTEGER",
        "CREATE INDEX orders_by_number ON orders (number)",
        "CREATE INDEX orders_by_change ON orders (changed_no)",
        """UPDATE orders SET (customer, wanted) = (
            SELECT json_extract(sent_values, '$.onec.customer'), json_extract(sent_values, '$.onec.wanted')
            FROM order_tasks WHERE order_id = orders.id ORDER BY line LIMIT 1
        )""",
    ):
        db.execute(statement)


def m009_outboxes(db: Database) -> None:
    """How far each outbox has come; what 1C says has ended, and which lines of an order have no task."""
    for statement in (
        "CREATE TABLE outboxes (folder TEXT PRIMARY KEY, cursor INTEGER NOT NULL, saved_at TEXT NOT NULL)",
        "ALTER TABLE orders ADD COLUMN ended TEXT",  # done or cancelled
        "ALTER TABLE orders ADD COLUMN unwritten TEXT NOT NULL DEFAULT '[]'",
        "UPDATE orders SET is_over = 1 WHERE outcome = 'completed'",  # their tasks may have been deleted since
    ):
        db.execute(statement)


def m010_spellings(db: Database) -> None:
    """One id for an order whose GUID is written as OData or 1C's code write it, in brackets, or with alike letters.

    They were texts of their own, and so were the keys of their tasks: `old_key` has them. Of two rows of one line the
    one that was assigned first stays, as in m006.
    """
    ids = {row["id"]: _spell_guid(row["id"]) for row in db.query("SELECT id FROM orders")}
    columns = [column.name for column in db["orders"].columns if column.name not in ("id", "first_sent_at")]
    rows = list(db.query("SELECT rowid, * FROM order_tasks ORDER BY task_id IS NULL, assigned_at IS NULL, assigned_at"))
    for old, new in ids.items():
        if new == old:
            continue
        names = ", ".join(columns)
        db.execute(
            f"INSERT OR IGNORE INTO orders (id, first_sent_at, {names})"  # noqa: S608 - names of ours
            f" SELECT ?, first_sent_at, {names} FROM orders WHERE id = ?",
            [new, old],
        )
        later = f"SELECT {names} FROM orders WHERE id = ?"  # noqa: S608 - names of ours
        db.execute(
            f"UPDATE orders SET ({names}) = ({later}) WHERE id = ?"  # noqa: S608 - names of ours
            " AND last_sent_at < (SELECT last_sent_at FROM orders WHERE id = ?)",
            [old, new, old],
        )
        db.execute(
            "UPDATE orders SET first_sent_at = min(first_sent_at, (SELECT first_sent_at FROM orders WHERE id = ?)),"
            " is_over = 0 WHERE id = ?",
            [old, new],
        )
        db.execute("UPDATE OR IGNORE files SET order_id = ? WHERE order_id = ?", [new, old])
        db.execute("DELETE FROM files WHERE order_id = ?", [old])
        db.execute("UPDATE history SET order_id = ? WHERE order_id = ?", [new, old])
    for row in rows:
        _spell_line(db, row, ids[row["order_id"]])
    for old, new in ids.items():
        if new != old:
            db.execute("DELETE FROM orders WHERE id = ?", [old])


def _spell_line(db: Database, row: dict[str, Any], order_id: str) -> None:
    """Give a line the key of its order's and its position's GUIDs."""
    old_id, position_id = row["position_id"], _spell_guid(row["position_id"] or "") or None
    if (order_id, position_id) == (row["order_id"], old_id):
        return
    position_id = None if position_id == "00000000-0000-0000-0000-000000000000" else position_id
    name = key_name(row["position"])
    numbers = ((identity, number) for identity in (old_id, name) if identity for number in range(1, 10_001))
    number = next(
        (
            number
            for identity, number in numbers
            if _key_of(row["order_id"], f"{identity}:{number}" if number > 1 else identity) == row["key"]
        ),
        1,
    )
    identity = position_id or name
    key = _key_of(order_id, f"{identity}:{number}" if number > 1 else identity)
    sql = "SELECT * FROM order_tasks WHERE key = ?"
    there = next(iter(db.query(sql, [key])), None)
    first, *rest = sorted(
        filter(None, (row, there)), key=lambda one: (one["task_id"] is None, one["assigned_at"] or "~")
    )
    tasks = {one["task_id"] for one in rest} | {
        task for one in (first, *rest) for task in json.loads(one["other_tasks"])
    }
    for one in rest:
        db.execute("DELETE FROM order_tasks WHERE key = ?", [one["key"]])
    db.execute("UPDATE OR IGNORE task_files SET key = ? WHERE key = ?", [key, row["key"]])
    db.execute(
        "UPDATE order_tasks SET key = ?, order_id = ?, position_id = ?, old_key = coalesce(old_key, nullif(key, ?)),"
        " other_tasks = ? WHERE key = ?",
        [key, order_id, position_id, key, json.dumps(sorted(tasks - {None, first["task_id"]})), first["key"]],
    )
    db.execute("DELETE FROM task_files WHERE key = ?", [row["key"]])
    for table in ("decisions", "lost_writes"):
        db.execute(f"UPDATE {table} SET key = ? WHERE key = ?", [key, row["key"]])  # noqa: S608 - names of ours


_ANY_GUID = re.compile(
    r"(?:\W|new|новый|urn|[ug]uid|уникальныйидентификатор)*"
    r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\W*"
)


def _spell_guid(text: str) -> str:
    """Spell what is any spelling of a GUID as one; leave all else as it is."""
    folded = fold_signs(text).lower().replace(" ", "").replace("_", "-")
    start = folded.rfind("(") + 1 if "уникальныйидентификатор" in folded else 0
    folded = folded[:start] + folded[start:].translate(str.maketrans("авсе", "abce"))
    found = _ANY_GUID.fullmatch(folded)
    return "-".join(found.groups()) if found else text


def m011_messages(db: Database) -> None:
    """What is to be said to people and chats, what became of it, and what was said last of lines and orders."""
    for statement in (
        """CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            key TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL CHECK (kind IN ('work', 'promise', 'digest')),
            person_id INTEGER,
            chat TEXT,
            content TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('planned', 'sent', 'unknown', 'done', 'failed')),
            planned_at TEXT NOT NULL,
            valid_until TEXT,
            sent_at TEXT,
            error TEXT,
            CHECK ((person_id IS NULL) <> (chat IS NULL))
        )""",
        "CREATE INDEX messages_by_state ON messages (state) WHERE state NOT IN ('done', 'failed')",
        "CREATE TABLE said_lines (key TEXT PRIMARY KEY, person_id INTEGER, starts_at TEXT, ends_at TEXT)",
        "CREATE TABLE said_promises (order_id TEXT PRIMARY KEY, day TEXT NOT NULL)",
    ):
        db.execute(statement)


def m012_retention(db: Database) -> None:
    """When an order was trimmed to what is needed to find its tasks again."""
    db.execute("ALTER TABLE orders ADD COLUMN trimmed_at TEXT")


MIGRATIONS = (
    m001_orders,
    m002_history,
    m003_events,
    m004_decisions,
    m005_saves,
    m006_keys,
    m007_order_history,
    m008_standing,
    m009_outboxes,
    m010_spellings,
    m011_messages,
    m012_retention,
)
NAMES = frozenset(migration.__name__ for migration in MIGRATIONS)


def read_applied(connection: sqlite3.Connection) -> set[str]:
    """Return the names of the migrations that the database has been through; a newer b24tools knows more."""
    tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'")
    if tables.fetchone() is None:
        return set()
    return {row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", [SET])}


def list_foreign(connection: sqlite3.Connection) -> list[str]:
    """List what only a newer b24tools can have done to the database; ours leaves `user_version` at 0."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    return [*sorted(read_applied(connection) - NAMES), *([f"user_version {version}"] if version else [])]


def are_pending(connection: sqlite3.Connection) -> bool:
    """Return whether the schema is older than this b24tools."""
    return not read_applied(connection) >= NAMES


def apply(connection: sqlite3.Connection, upto: Collection[str] = NAMES) -> None:
    """Bring the schema up to date, or as far as these steps go, each in a transaction of its own."""
    from sqlite_utils import Database

    # without plugins: they are looked for in all that is installed, and would run everywhere
    make_set().apply(Database(connection, execute_plugins=False), stop_before=NAMES - set(upto) or None)


def make_set() -> Migrations:
    """Return the migrations as sqlite-utils wants them."""
    from sqlite_utils import Migrations

    made = Migrations(SET)
    for migration in MIGRATIONS:
        made()(migration)
    return made
