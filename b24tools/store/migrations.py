"""The history of the database's schema. What has been released is never edited, only added to."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it is slow to load, and seldom is anything to be migrated
    from sqlite_utils import Database, Migrations

SET = "b24tools"


def m001_orders(db: Database) -> None:
    """Running settings and the ledger of orders: what 1C sent, what was done for it, and why."""
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
    from b24tools.store import old_keys

    old_keys.merge_orders(db)
    old_keys.shorten_keys(db)


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
    from b24tools.store import old_keys

    ids = {row["id"]: old_keys.spell_guid(row["id"]) for row in db.query("SELECT id FROM orders")}
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
        old_keys.spell_line(db, row, ids[row["order_id"]])
    for old, new in ids.items():
        if new != old:
            db.execute("DELETE FROM orders WHERE id = ?", [old])


def m011_messages(db: Database) -> None:
    """What is to be said to people and chats, whether it was, and what was said last of lines and orders."""
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


def m012_counting(db: Database) -> None:
    """What counts: lines of orders, first deadlines, results of past months and quarters, changes without an event.

    Of a task that was closed before this, the deadline that it had first is known only if the ledger has it.
    """
    own = "coalesce((SELECT value FROM settings WHERE key = 'count_own'), '0') <> '0'"
    week_now = "date('now', 'localtime', '-3 days', 'weekday 4')"
    for statement in (
        "ALTER TABLE tasks ADD COLUMN first_deadline TEXT",
        "ALTER TABLE tasks ADD COLUMN line TEXT",  # the key of the order's line
        "ALTER TABLE order_tasks ADD COLUMN first_deadline TEXT",
        "ALTER TABLE snapshot_runs ADD COLUMN changes INTEGER",  # where events should have named them
        "ALTER TABLE snapshot_runs ADD COLUMN missed INTEGER",
        "CREATE TABLE first_deadlines (task_id INTEGER PRIMARY KEY, deadline TEXT NOT NULL, seen_at TEXT NOT NULL)",
        "CREATE INDEX order_tasks_with_others ON order_tasks (key) WHERE other_tasks <> '[]'",
        "UPDATE order_tasks SET first_deadline = deadline",
        """UPDATE tasks SET (line, first_deadline) = (
            SELECT key, first_deadline FROM order_tasks WHERE task_id = tasks.id
        ) WHERE id IN (SELECT task_id FROM order_tasks)""",
        """UPDATE tasks SET line = (
            SELECT order_tasks.key FROM order_tasks, json_each(other_tasks) WHERE json_each.value = tasks.id
        ) WHERE line IS NULL AND id IN (SELECT json_each.value FROM order_tasks, json_each(other_tasks))""",
        "CREATE INDEX tasks_by_line ON tasks (line, gone, closed_at) WHERE line IS NOT NULL",
        # lines that have, or had, several tasks: only of these it matters which one was closed first
        "CREATE TABLE repeated_lines (line TEXT PRIMARY KEY) WITHOUT ROWID",
        """INSERT INTO repeated_lines
            SELECT line FROM tasks WHERE line IS NOT NULL GROUP BY line HAVING count(*) > 1""",
        "DROP INDEX tasks_by_closing",
        """CREATE INDEX tasks_by_closing ON tasks
            (closed_at, gone, responsible_id, created_by, line, group_id, estimate_s, first_deadline)""",
        """CREATE TABLE seasons (
            label TEXT PRIMARY KEY,
            frozen_at TEXT NOT NULL,
            as_of TEXT NOT NULL,
            rules TEXT NOT NULL,
            members TEXT NOT NULL
        )""",
        """CREATE TABLE season_results (
            label TEXT NOT NULL REFERENCES seasons(label),
            current INTEGER NOT NULL,
            user_id INTEGER NOT NULL,
            group_id INTEGER NOT NULL,
            name TEXT,
            department_id INTEGER,
            department TEXT,
            tasks INTEGER NOT NULL,
            estimate_s INTEGER NOT NULL,
            on_time INTEGER NOT NULL,
            on_time_of INTEGER NOT NULL,
            PRIMARY KEY (label, current, user_id, group_id)
        )""",
        "DROP VIEW leaderboard_this_week",
        "DROP VIEW closed_by_week",
        # the leaderboard counts and rounds in the same way
        f"""CREATE VIEW closed_by_week AS
            SELECT tasks.week, tasks.responsible_id AS user_id,
                coalesce(people.name, '#' || tasks.responsible_id) AS name, departments.name AS department,
                count(*) AS tasks, (sum(tasks.estimate_s) + 180) / 360 / 10.0 AS hours,
                sum(tasks.first_deadline IS NOT NULL AND tasks.closed_at <= tasks.first_deadline) AS on_time,
                sum(tasks.first_deadline IS NOT NULL) AS on_time_of
            FROM tasks
            LEFT JOIN people ON people.id = tasks.responsible_id
            LEFT JOIN departments ON departments.id = people.department_id
            WHERE tasks.gone = 0
                AND (tasks.line IS NOT NULL OR tasks.created_by IS NOT tasks.responsible_id OR {own})
                AND NOT EXISTS (SELECT 1 FROM tasks AS first WHERE first.line = tasks.line AND first.gone = 0
                    AND (first.closed_at, first.id) < (tasks.closed_at, tasks.id))
            GROUP BY tasks.week, tasks.responsible_id""",  # noqa: S608 - a constant
        f"""CREATE VIEW leaderboard_this_week AS
            SELECT rank() OVER (ORDER BY tasks DESC) AS place, user_id, name, department, tasks, hours,
                on_time, on_time_of
            FROM closed_by_week
            WHERE week = strftime('%Y', {week_now})
                || printf('-W%02d', (strftime('%j', {week_now}) - 1) / 7 + 1)
                AND NOT EXISTS (SELECT 1 FROM settings WHERE key IN ('hidden_users', 'opted_out_users')
                    AND ',' || replace(value, ' ', '') || ',' LIKE '%,' || user_id || ',%')
            ORDER BY place, name""",  # noqa: S608 - a constant
    ):
        db.execute(statement)


def m013_projects(db: Database) -> None:
    """The names of the projects that tasks are in; which days are worked, and who is away on them."""
    for statement in (
        "CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
        "CREATE TABLE presence (day TEXT PRIMARY KEY, works INTEGER NOT NULL, away TEXT NOT NULL)",
    ):
        db.execute(statement)


def m014_retention(db: Database) -> None:
    """When an order was trimmed to what is needed to find its tasks again."""
    db.execute("ALTER TABLE orders ADD COLUMN trimmed_at TEXT")


def m015_packed_orders(db: Database) -> None:
    """Details of orders that are over, compressed; the next nights pack what there is, see `retention`.

    And indexes for what is asked of a year's orders in every run.
    """
    for statement in (
        "CREATE TABLE packed_orders (order_id TEXT PRIMARY KEY, content BLOB NOT NULL)",
        "CREATE INDEX orders_that_are_open ON orders (is_over) WHERE is_over = 0",
        "CREATE INDEX orders_by_outcome ON orders (outcome)",
        "CREATE INDEX orders_by_last_send ON orders (last_sent_at)",
        "CREATE INDEX order_tasks_being_made ON order_tasks (order_id) WHERE state = 'writing'",
        "CREATE INDEX order_tasks_under_way ON order_tasks (writing_since) WHERE writing_since IS NOT NULL",
        "CREATE INDEX order_tasks_departments ON order_tasks (task_id, department_id) WHERE department_id IS NOT NULL",
        "CREATE INDEX history_by_time ON history (coalesce(last_at, at))",
    ):
        db.execute(statement)


def m016_analysts(db: Database) -> None:
    """By which address a person is found on other portals; the views for analysts."""
    from b24tools.store.views import VIEWS

    db.execute("ALTER TABLE people ADD COLUMN email TEXT")
    for name, select in VIEWS.items():
        db.execute(f"CREATE VIEW {name} AS {select}")


def m017_compact_rows(db: Database) -> None:
    """A year in less room: closed tasks with moments as seconds, lines of orders that are over in narrow rows.

    `tasks` is a view with moments as text. The next nights move the lines of what was packed before, see `retention`.
    """
    from b24tools.store import migration_017

    migration_017.change_schema(db)


def m018_closings_by_span(db: Database) -> None:
    """Closed tasks by 28 days and person: a year is counted without sorting, and its first snapshot has less to write.

    One index does what those by closing and by person did. `department_id`: see `packed`.
    """
    for statement in (
        "DROP INDEX tasks_by_closing",
        "DROP INDEX tasks_by_person",
        "DROP INDEX tasks_by_line",
        """CREATE INDEX tasks_by_span ON closed_tasks ((closed_at / 2419200), responsible_id, closed_at, gone,
            created_by, line, group_id, estimate_s, first_deadline)""",
        "CREATE INDEX tasks_by_line ON closed_tasks (line) WHERE line IS NOT NULL",
        "ALTER TABLE closed_tasks ADD COLUMN department_id INTEGER",
        """UPDATE closed_tasks SET department_id = (
            SELECT max(department_id) FROM packed_lines WHERE task_id = closed_tasks.id
        ) WHERE id IN (SELECT task_id FROM packed_lines WHERE department_id IS NOT NULL)""",
        """CREATE INDEX tasks_by_department ON closed_tasks (department_id, responsible_id, closed_at)
            WHERE department_id IS NOT NULL""",
    ):
        db.execute(statement)


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
    m012_counting,
    m013_projects,
    m014_retention,
    m015_packed_orders,
    m016_analysts,
    m017_compact_rows,
    m018_closings_by_span,
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
