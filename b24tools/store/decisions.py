"""The store's decisions: who was considered for a task, and why one was chosen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database


@dataclass(frozen=True)
class Decision:
    """Who was considered for a line and why one was chosen, as it was at the time.

    `candidates` and `details` are JSON objects, see `jobs/assign/decisions.py`; those of older
    versions have no details.
    """

    key: str
    task_id: int | None
    position: str
    decided_at: datetime
    responsible_id: int
    reason: str
    candidates: Sequence[Mapping[str, Any]]
    details: Mapping[str, Any]


class Reasons:
    """The part of the store that keeps decisions."""

    _db: Database
    transaction: Callable[[], AbstractContextManager[None]]

    def save_decisions(self, decisions: Iterable[Decision], instead_of: Iterable[str] = ()) -> None:
        """Keep who was considered and why, for `why`, in place of what `forget_decisions` of these lines forgets."""
        with self.transaction():
            self._forget(instead_of)
            self._db.table("decisions").insert_all(
                {
                    "key": decision.key,
                    "task_id": decision.task_id,
                    "position": decision.position,
                    "decided_at": decision.decided_at.astimezone(UTC).isoformat(timespec="seconds"),
                    "responsible_id": decision.responsible_id,
                    "reason": decision.reason,
                    "candidates": json.dumps(list(decision.candidates), ensure_ascii=False),
                    "details": json.dumps(dict(decision.details), ensure_ascii=False),
                }
                for decision in decisions
            )

    def forget_decisions(self, keys: Iterable[str]) -> None:
        """Nothing came of what was decided for these lines: no task of theirs can be made any more."""
        with self.transaction():
            self._forget(keys)

    def _forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._db.execute("DELETE FROM decisions WHERE key = ? AND task_id IS NULL", [key])

    def link_decision(self, key: str, task_id: int, responsible_id: int | None) -> None:
        """The line's task was made: of decisions that a cut run left, it is the last one for this person."""
        self._db.execute(
            "UPDATE decisions SET task_id = :task WHERE id = ("
            " SELECT id FROM decisions WHERE key = :key AND task_id IS NULL"
            " ORDER BY responsible_id = :person DESC, id DESC LIMIT 1"
            ") AND NOT EXISTS (SELECT 1 FROM decisions WHERE key = :key AND task_id = :task)",
            {"task": task_id, "key": key, "person": responsible_id},
        )

    def decision_of(self, task_id: int) -> Decision | None:
        """Why this task's person got it; None where b24tools did not decide that."""
        sql = "SELECT * FROM decisions WHERE task_id = ? ORDER BY id DESC LIMIT 1"
        for row in self._db.query(sql, [task_id]):
            return Decision(
                key=row["key"],
                task_id=row["task_id"],
                position=row["position"],
                decided_at=datetime.fromisoformat(row["decided_at"]),
                responsible_id=row["responsible_id"],
                reason=row["reason"],
                candidates=json.loads(row["candidates"]),
                details=json.loads(row["details"]),
            )
        return None

    def is_in_ledger(self, task_id: int) -> bool:
        """Whether the task belongs to an order, though perhaps another system made it."""
        return bool(list(self._db.query("SELECT 1 FROM order_tasks WHERE task_id = ? LIMIT 1", [task_id])))
