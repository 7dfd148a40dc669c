"""Requests to make a task that were never answered: what they may have made without our knowing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database


@dataclass(frozen=True)
class LostWrite:
    """A task that the portal was asked to make and never said whether it did.

    It can only have been made from `sent_at` to `until_at`, by the portal's clock, and then with these values.
    """

    key: str
    sent_at: datetime
    until_at: datetime
    title: str
    group_id: int
    responsible_id: int
    created_by: int
    estimate_s: int


class LostWrites:
    """What was asked for and not answered, by the keys of lines."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def save(self, writes: Iterable[LostWrite]) -> None:
        """Note requests that are about to make these tasks: what is neither answered nor found stays here for ever."""
        with self._db.transaction():
            self._db.insert(
                "lost_writes",
                [
                    vars(write) | {"sent_at": to_text(write.sent_at), "until_at": to_text(write.until_at)}
                    for write in writes
                ],
            )

    def forget(self, keys: Iterable[str], sent_at: datetime) -> None:
        """Drop the requests of these lines that were noted at this moment: they have been answered."""
        with self._db.transaction():
            sql = "DELETE FROM lost_writes WHERE key = ? AND sent_at = ?"
            self._db.execute_many(sql, [(key, to_text(sent_at)) for key in keys])

    def end(self, keys: Iterable[str], sent_at: datetime, until: datetime) -> None:
        """Note by when the requests noted at this moment must have ended."""
        with self._db.transaction():
            sql = "UPDATE lost_writes SET until_at = ? WHERE key = ? AND sent_at = ?"
            self._db.execute_many(sql, [(to_text(until), key, to_text(sent_at)) for key in keys])

    def settle(self, key: str, made_at: datetime | None) -> None:
        """Note that the line's task is what one of its unanswered requests made: that one has made no other."""
        with self._db.transaction():
            self._db.execute(
                "DELETE FROM lost_writes WHERE id = (SELECT id FROM lost_writes WHERE key = :key"
                " ORDER BY :at NOT BETWEEN sent_at AND until_at, id LIMIT 1)",
                {"key": key, "at": to_text(made_at) or ""},
            )

    def read(self, keys: Iterable[str]) -> dict[str, list[LostWrite]]:
        """Return the tasks that may have been made without an answer, by key."""
        lost: dict[str, list[LostWrite]] = {}
        for row in self._db.query_in("SELECT * FROM lost_writes WHERE key IN (?) ORDER BY id", keys):
            values = dict(row) | {name: from_text(row[name]) for name in ("sent_at", "until_at")}
            del values["id"]
            lost.setdefault(row["key"], []).append(LostWrite(**values))
        return lost
