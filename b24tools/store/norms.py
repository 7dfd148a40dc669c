"""What work took against what 1C gave for it: the ledger beside the closed tasks."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from b24tools.core.timestamps import to_text
from b24tools.store.database import Database


class Measured(NamedTuple):
    """A closed task of an order on which time was noted."""

    position: str
    estimate_s: int
    spent_s: int
    person_id: int


class Norms:
    """Questions about estimates and the time that was noted."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def measured(self) -> list[Measured]:
        """Return all closed tasks of orders on which time was noted, the last one first. The estimate is 1C's."""
        sql = (
            "SELECT position, all_lines.estimate_s, spent_s, tasks.responsible_id FROM all_lines"
            " JOIN closed_tasks AS tasks ON tasks.id = all_lines.task_id"
            " WHERE closed_at IS NOT NULL AND gone = 0 AND all_lines.estimate_s > 0 AND spent_s > 0"
            " ORDER BY closed_at DESC, tasks.id"
        )
        return [Measured(*row) for row in self._db.query(sql)]

    def planned(self, start: datetime, end: datetime) -> list[tuple[str, int]]:
        """Return the positions and the estimates of the tasks that were given out in [start, end)."""
        sql = (
            "SELECT position, estimate_s FROM all_lines WHERE task_id IS NOT NULL AND estimate_s > 0"
            " AND assigned_at >= ? AND assigned_at < ? ORDER BY order_id, line"
        )
        return [(row[0], row[1]) for row in self._db.query(sql, [to_text(start), to_text(end)])]
