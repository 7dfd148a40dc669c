"""What the database has one of by name: moments, notes, counters. All the names stand here.

What saves or forgets is called inside of transactions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from b24tools.core import clock
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row

# moments, in the table last_read: when this was read from the portal, or done
PEOPLE, DEPARTMENTS, OPEN_TASKS, PRESENCE = "people", "departments", "open_tasks", "presence"
DROPPED = "dropped "  # before the name of a field of tasks, which the portal drops
COUNTING_RULES = "counting_rules"  # since when they are known
MESSAGES_TO = "messages to "  # before an audience, which has been sent messages since
TAGS_REPLACE, TAGS_ADD = "notification tags", "no notification tags"  # what the portal was seen to do by a tag
RETENTION = "retention"
SECRETS_HIDDEN = "secrets 1"  # another number has them looked for once more

# notes, in the table noticed; `shared_text` has its own there
RESTORED, FOREIGN_TASK = "restored", "foreign_task"  # how many saves are missing, the largest id
BACKUP = "backup"  # its path
MAILED = "told: "  # before a cause: what cron was mailed about, as JSON
INBOX = "inbox: "  # before a folder
FILE = "file: "  # before the name of a file of the user's: its text, empty once it was deleted

# counters, in the table of that name
SAVES, CHANGES, READINGS, WATCHED = "ledger_saves", "order_changes", "readings", "watched"

Note = tuple[str, datetime]  # a text, and of when it is


class _Named:
    def __init__(self, db: Database) -> None:
        self._db = db


class Moments(_Named):
    """When something was so last."""

    def read(self, name: str) -> datetime | None:
        """Return the moment; None where there is none."""
        rows = self._db.query("SELECT read_at FROM last_read WHERE what = ?", [name])
        return from_text(rows[0]["read_at"]) if rows else None

    def read_known(self, name: str, now: datetime) -> datetime | None:
        """Return the moment; None where there is none to believe."""
        return clock.known_moment(self.read(name), now)

    def list_prefixed(self, prefix: str) -> dict[str, datetime]:
        """Return the moments whose names begin so, by the rest of the name."""
        return {
            row["what"].removeprefix(prefix): from_text(row["read_at"]) for row in _find(self._db, "last_read", prefix)
        }

    def save(self, name: str, at: datetime) -> None:
        """Save a moment."""
        self._db.insert("last_read", [{"what": name, "read_at": to_text(at)}], key=["what"])

    def forget(self, names: Iterable[str]) -> None:
        """Drop these."""
        self._db.execute_many("DELETE FROM last_read WHERE what = ?", [(name,) for name in names])


class Notes(_Named):
    """What was noticed, and when."""

    def read(self, name: str) -> Note | None:
        """Return the note; None where there is none."""
        rows = self._db.query("SELECT value, noticed_at FROM noticed WHERE what = ?", [name])
        return (rows[0]["value"], from_text(rows[0]["noticed_at"])) if rows else None

    def list_prefixed(self, prefix: str) -> dict[str, Note]:
        """Return the notes whose names begin so, by the rest of the name."""
        return {
            row["what"].removeprefix(prefix): (row["value"], from_text(row["noticed_at"]))
            for row in _find(self._db, "noticed", prefix)
        }

    def save(self, name: str, text: str, at: datetime) -> None:
        """Save a text."""
        self._db.insert("noticed", [{"what": name, "value": text, "noticed_at": to_text(at)}], key=["what"])

    def forget(self, names: Iterable[str]) -> None:
        """Drop these."""
        self._db.execute_many("DELETE FROM noticed WHERE what = ?", [(name,) for name in names])


class Counters(_Named):
    """Numbers that only rise, from 0."""

    def read(self, name: str) -> int:
        """Return the number."""
        rows = self._db.query("SELECT value FROM counters WHERE name = ?", [name])
        return int(rows[0]["value"]) if rows else 0

    def save(self, name: str, value: int) -> None:
        """Save the number."""
        self._db.insert("counters", [{"name": name, "value": value}], key=["name"])

    def add(self, name: str) -> None:
        """Add one."""
        sql = "INSERT INTO counters (name, value) VALUES (?, 1) ON CONFLICT (name) DO UPDATE"
        self._db.execute(f"{sql} SET value = counters.value + 1", [name])


def _find(db: Database, table: str, prefix: str) -> list[Row]:
    sql = f"SELECT * FROM {table} WHERE substr(what, 1, ?) = ? ORDER BY what"  # noqa: S608 - names of ours
    return db.query(sql, [len(prefix), prefix])
