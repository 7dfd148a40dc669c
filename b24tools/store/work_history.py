"""What people closed week by week, and what of it deserves to be named."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from b24tools.core.timestamps import to_text
from b24tools.store.database import Database

COUNTS = "tasks.gone = 0"


class WorkHistory:
    """Questions about single people's closed tasks, in one project where its `group_id` is given."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def first_closing(self, user_id: int) -> str | None:
        """Return when this person closed the first task that is known, UTC."""
        sql = "SELECT min(closed_at) FROM tasks WHERE responsible_id = ? AND gone = 0"
        found: str | None = self._db.query(sql, [user_id])[0][0]
        return found

    def by_week(
        self, user_ids: Collection[int], edges: Sequence[datetime], group_id: int | None = None
    ) -> dict[int, list[tuple[int, int]]]:
        """Return of each person tasks and estimated seconds between each edge and the next one, in their order."""
        starts = [to_text(edge) for edge in edges]
        totals = {user_id: [(0, 0)] * (len(starts) - 1) for user_id in user_ids}
        sql = "SELECT responsible_id, closed_at, estimate_s FROM tasks"
        for user_id, closed_at, estimate_s in self._find(sql, starts[0], starts[-1], user_ids, group_id):
            week = bisect_right(starts, closed_at) - 1
            tasks, seconds = totals[user_id][week]
            totals[user_id][week] = tasks + 1, seconds + estimate_s
        return totals

    def _find(self, sql: str, start: str, end: str, user_ids: Collection[int], group_id: int | None) -> list[Any]:
        """Find what counts of these people's tasks that were closed in [start, end)."""
        who = ", ".join(map(str, user_ids))
        project = "" if group_id is None else "AND group_id = :group_id"
        where = f"closed_at >= :start AND closed_at < :end AND responsible_id IN ({who}) {project} AND {COUNTS}"
        return self._db.query(f"{sql} WHERE {where}", {"start": start, "end": end, "group_id": group_id})
