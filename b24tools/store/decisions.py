"""Decisions: who was considered for a task, and why one was chosen."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database
from b24tools.store.packed import Packed


@dataclass(frozen=True)
class Decision:
    """Who was considered for a line and why one was chosen, as it was at the time.

    `candidates` and `details` are JSON objects, see `assignment/plan.py`; those of older versions have no
    details.
    """

    key: str
    task_id: int | None
    position: str
    decided_at: datetime
    responsible_id: int
    reason: str
    candidates: Sequence[Mapping[str, Any]]
    details: Mapping[str, Any]


class Decisions:
    """Who was considered and why, for `why`."""

    def __init__(self, db: Database, packed: Packed) -> None:
        self._db = db
        self._packed = packed

    def save(self, decisions: Iterable[Decision], instead_of: Iterable[str] = ()) -> None:
        """Save decisions in place of those about the lines `instead_of` that led to no task."""
        with self._db.transaction():
            self._forget(instead_of)
            self._db.insert(
                "decisions",
                [
                    vars(decision)
                    | {
                        "decided_at": to_text(decision.decided_at),
                        "candidates": json.dumps(list(decision.candidates), ensure_ascii=False),
                        "details": json.dumps(dict(decision.details), ensure_ascii=False),
                    }
                    for decision in decisions
                ],
            )

    def forget(self, keys: Iterable[str]) -> None:
        """Drop what was decided for these lines and led to no task: none can be made any more."""
        with self._db.transaction():
            self._forget(keys)

    def _forget(self, keys: Iterable[str]) -> None:
        self._db.execute_many("DELETE FROM decisions WHERE key = ? AND task_id IS NULL", [(key,) for key in keys])

    def link(self, key: str, task_id: int, responsible_id: int | None) -> None:
        """Note that the line's task was made: of decisions that a cut run left, it is the last one for this person."""
        self._db.execute(
            "UPDATE decisions SET task_id = :task WHERE id = ("
            " SELECT id FROM decisions WHERE key = :key AND task_id IS NULL"
            " ORDER BY responsible_id = :person DESC, id DESC LIMIT 1"
            ") AND NOT EXISTS (SELECT 1 FROM decisions WHERE key = :key AND task_id = :task)",
            {"task": task_id, "key": key, "person": responsible_id},
        )

    def link_move(self, key: str, task_id: int) -> None:
        """Note that the line's task was moved as was decided last."""
        with self._db.transaction():
            self._db.execute(
                "UPDATE decisions SET task_id = ? WHERE id = (SELECT max(id) FROM decisions WHERE key = ?"
                " AND task_id IS NULL)",
                [task_id, key],
            )
            self._forget([key])

    def pinned(self, keys: Iterable[str]) -> set[str]:
        """Return those of the lines that went to a person named by somebody or by the settings."""
        sql = (
            "SELECT key FROM decisions WHERE reason IN ('pinned', 'fallback')"
            " AND id IN (SELECT max(id) FROM decisions WHERE key IN (?) GROUP BY key)"
        )
        return {row["key"] for row in self._db.query_in(sql, keys)}

    def find_all(self, task_id: int) -> list[Decision]:
        """Return all that was decided about a task, the last first: it may have been moved since.

        Of what was trimmed only that it was pinned is known: that is no reason to show.
        """
        sql = "SELECT * FROM decisions WHERE task_id IN (?) AND candidates <> '[]' ORDER BY id DESC"
        rows = [
            dict(row) | {name: json.loads(row[name]) for name in ("candidates", "details")}
            for row in self._db.query_in(sql, [task_id])
        ]
        return [_read(row) for row in rows or self._packed.decisions(task_id)]


def _read(row: Mapping[str, Any]) -> Decision:
    values = {name: row[name] for name in Decision.__dataclass_fields__}
    return Decision(**values | {"decided_at": from_text(row["decided_at"])})
