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
