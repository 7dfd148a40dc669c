"""What cron has been mailed about, the inboxes it empties, the last backup, and fields that the portal drops."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from b24tools.core import inbox
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database
from b24tools.store.named_values import BACKUP, DROPPED, INBOX, MAILED, Moments, Notes


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
        self._notes, self._moments = Notes(db), Moments(db)

    def read(self) -> dict[str, Notice]:
        """Return all notices by their causes."""
        found = {}
        for cause, (text, last_at) in self._notes.list_prefixed(MAILED).items():
            value = json.loads(text)
            found[cause] = Notice(value["scope"], from_text(value["first_at"]), last_at, frozenset(value["orders"]))
        return found

    def save(self, notices: Mapping[str, Notice]) -> None:
        """Save these. Call it inside a transaction."""
        for cause, notice in notices.items():
            value = {"scope": notice.scope, "first_at": to_text(notice.first_at), "orders": sorted(notice.orders)}
            self._notes.save(MAILED + cause, json.dumps(value, ensure_ascii=False), notice.last_at)

    def forget(self, causes: Collection[str]) -> None:
        """Drop these. Call it inside a transaction."""
        self._notes.forget(MAILED + cause for cause in causes)

    def inboxes(self) -> list[Path]:
        """Return the folders that `assign --inbox` has taken orders from."""
        return [Path(name) for name in self._notes.list_prefixed(INBOX)]

    def remember_inbox(self, folder: Path, now: datetime) -> None:
        """Note that orders are taken from this folder."""
        name = inbox.show_name(folder)
        if Path(name) not in self.inboxes():
            with self._db.transaction():
                self._notes.save(f"{INBOX}{name}", "", now)

    def last_backup(self) -> tuple[Path, datetime] | None:
        """Return where the last backup went, and when."""
        note = self._notes.read(BACKUP)
        return (Path(note[0]), note[1]) if note else None

    def note_backup(self, path: Path, now: datetime) -> None:
        """Note that a backup was made, and where it is. Call it inside a transaction."""
        self._notes.save(BACKUP, str(path), now)

    def note_dropped(self, dropped: Collection[str], sent: Iterable[str], now: datetime) -> None:
        """Remember which fields of tasks the portal dropped, of those sent with a value; forget the others."""
        if not dropped and not self.dropped_fields().keys() & set(sent):
            return
        with self._db.transaction():
            self._moments.forget(DROPPED + name for name in sent)
            for name in dropped:
                self._moments.save(DROPPED + name, now)

    def dropped_fields(self) -> dict[str, datetime]:
        """Return the fields of tasks that the portal drops, and when that was last seen."""
        return self._moments.list_prefixed(DROPPED)
