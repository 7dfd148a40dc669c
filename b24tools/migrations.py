"""The history of the database's schema. What has been released is never edited, only added to."""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("b24tools")


@migrations()
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


@migrations()
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


@migrations()
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


@migrations()
def m004_decisions(db: Database) -> None:
    """What else was known when a person was chosen: the work, what it had to wait for, how close it was."""
    db.execute("ALTER TABLE decisions ADD COLUMN details TEXT NOT NULL DEFAULT '{}'")


@migrations()
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
    ):
        db.execute(statement)
