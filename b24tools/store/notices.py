"""What cron has been mailed about, the inboxes it empties, the last backup, and fields that the portal drops."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from b24tools.core import inbox
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row

_MAILED, _INBOX = "told: ", "inbox: "  # what `what` begins with
_BACKUP = "backup"
_DROPPED = "dropped "  # before the name of a field of tasks, in the table last_read


@dataclass(frozen=True)
class Notice:
    """What was said about a cause: where it was met, first and last when, and of which orders."""

    scope: str
    first_at: datetime
    last_at: datetime
    orders: frozenset[str] = frozenset()


class Notices:
    """The notices, by their causes, the inboxes, the last backup, the dropped fields."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def read(self) -> dict[str, Notice]:
        """Return all notices by their causes."""
        notices = {}
        for row in self._rows(_MAILED):
            value = json.loads(row["value"])
            first_at, last_at = from_text(value["first_at"]), from_text(row["noticed_at"])
            notice = Notice(value["scope"], first_at, last_at, frozenset(value["orders"]))
            notices[row["what"].removeprefix(_MAILED)] = notice
        return notices

    def save(self, notices: Mapping[str, Notice]) -> None:
        """Save these. Call it inside a transaction."""
        for cause, notice in notices.items():
            value = {"scope": notice.scope, "first_at": to_text(notice.first_at), "orders": sorted(notice.orders)}
            self._save(_MAILED + cause, json.dumps(value, ensure_ascii=False), notice.last_at)

    def forget(self, causes: Collection[str]) -> None:
        """Drop these. Call it inside a transaction."""
        self._db.execute_many("DELETE FROM noticed WHERE what = ?", [(_MAILED + cause,) for cause in causes])

    def inboxes(self) -> list[Path]:
        """Return the folders that `assign --inbox` has taken orders from."""
        return [Path(row["what"].removeprefix(_INBOX)) for row in self._rows(_INBOX)]

    def remember_inbox(self, folder: Path, now: datetime) -> None:
        """Note that orders are taken from this folder."""
        name = inbox.show_name(folder)
        if Path(name) not in self.inboxes():
            with self._db.transaction():
                self._save(f"{_INBOX}{name}", "", now)

    def last_backup(self) -> tuple[Path, datetime] | None:
        """Return where the last backup went, and when."""
        rows = self._db.query("SELECT value, noticed_at FROM noticed WHERE what = ?", [_BACKUP])
        return (Path(rows[0]["value"]), from_text(rows[0]["noticed_at"])) if rows else None

    def note_backup(self, path: Path, now: datetime) -> None:
        """Note that a backup was made, and where it is. Call it inside a transaction."""
        self._save(_BACKUP, str(path), now)

    def note_dropped(self, dropped: Collection[str], sent: Iterable[str], now: datetime) -> None:
        """Remember which fields of tasks the portal dropped, of those sent with a value; forget the others."""
        if not dropped and not self.dropped_fields().keys() & set(sent):
            return
        with self._db.transaction():
            self._db.execute_many("DELETE FROM last_read WHERE what = ?", [(_DROPPED + name,) for name in sent])
            rows = [{"what": _DROPPED + name, "read_at": to_text(now)} for name in dropped]
            self._db.insert("last_read", rows, key=["what"])

    def dropped_fields(self) -> dict[str, datetime]:
        """Return the fields of tasks that the portal drops, and when that was last seen."""
        rows = self._db.query("SELECT what, read_at FROM last_read WHERE what LIKE ? ORDER BY what", [f"{_DROPPED}%"])
        return {row["what"].removeprefix(_DROPPED): from_text(row["read_at"]) for row in rows}

    def _rows(self, prefix: str) -> list[Row]:
        return self._db.query("SELECT * FROM noticed WHERE substr(what, 1, ?) = ?", [len(prefix), prefix])

    def _save(self, what: str, value: str, now: datetime) -> None:
        self._db.insert("noticed", [{"what": what, "value": value, "noticed_at": to_text(now)}], key=["what"])
