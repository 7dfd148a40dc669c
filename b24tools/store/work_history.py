"""What people closed week by week, and what of it deserves to be named."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from b24tools.core.timestamps import seconds_to_text, to_seconds, to_text
from b24tools.store import closings, leaderboard
from b24tools.store.database import Database

EARLY = timedelta(weeks=8)  # what was closed so long before it was due is not looked for
# who has closed a packed line of which department, one look into the index each; the last person of each is NULL
_PAIRS = """WITH RECURSIVE departments_with_lines (department_id) AS (
    SELECT min(department_id) FROM closed_tasks WHERE department_id IS NOT NULL
    UNION ALL SELECT (SELECT min(department_id) FROM closed_tasks WHERE department_id > known.department_id)
        FROM departments_with_lines AS known WHERE department_id IS NOT NULL
), pairs (department_id, responsible_id) AS (
    SELECT department_id, (SELECT min(responsible_id) FROM closed_tasks WHERE department_id = known.department_id)
        FROM departments_with_lines AS known WHERE department_id IS NOT NULL
    UNION ALL SELECT department_id, (SELECT min(responsible_id) FROM closed_tasks
            WHERE department_id = known.department_id AND responsible_id > known.responsible_id)
        FROM pairs AS known WHERE responsible_id IS NOT NULL
)"""
COUNTS = leaderboard.COUNTS.replace(":count_own = 1", "(SELECT value FROM settings WHERE key = 'count_own') = '1'")


class WorkHistory:
    """Questions about single people's closed tasks, in one project where its `group_id` is given."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def first_closing(self, user_id: int) -> str | None:
        """Return when this person closed the first task that is known, UTC."""
        return seconds_to_text(closings.find_first(self._db, user_id))

    def by_week(
        self, user_ids: Collection[int], edges: Sequence[datetime], group_id: int | None = None
    ) -> dict[int, list[tuple[int, int]]]:
        """Return of each person tasks and estimated seconds between each edge and the next one, in their order."""
        starts = [to_seconds(edge) for edge in edges]
        totals = {user_id: [(0, 0)] * (len(starts) - 1) for user_id in user_ids}
        if not user_ids:
            return totals
        # span by span: else all that was closed in the time would be read
        spans = range(starts[0] // closings.SPAN_S, starts[-1] // closings.SPAN_S + 1)
        sql = (
            "SELECT responsible_id, closed_at, estimate_s FROM closed_tasks AS tasks"  # noqa: S608 - numbers and constants
            f" WHERE {closings.SPAN} IN ({', '.join(map(str, spans))})"
            f" AND responsible_id IN ({', '.join(map(str, user_ids))}) AND {self._within(group_id)}"
        )
        values = {"start": starts[0], "end": starts[-1], "group_id": group_id}
        for user_id, closed_at, estimate_s in self._db.query(sql, values):
            week = bisect_right(starts, closed_at) - 1
            tasks, seconds = totals[user_id][week]
            totals[user_id][week] = tasks + 1, seconds + estimate_s
        return totals

    def departments_worked_for(
        self, start: datetime, end: datetime, group_id: int | None = None
    ) -> list[tuple[int, int, list[int]]]:
        """Return for whose orders' lines people closed tasks: person, the line's department, the person's own ones.

        Without those of a person's first department: they are nearly all.
        """
        elsewhere = (
            "people.id = {by}.responsible_id"
            " AND (people.department_id IS NULL OR people.department_id <> {of}.department_id)"
        )
        # of the lines that are not packed there are few: they come first
        sql = (
            f"{_PAIRS} SELECT tasks.responsible_id, lines.department_id, people.department_ids"  # noqa: S608 - constants
            " FROM order_tasks AS lines CROSS JOIN closed_tasks AS tasks CROSS JOIN people"
            f" WHERE lines.task_id = tasks.id AND {elsewhere.format(by='tasks', of='lines')}"
            f" AND lines.department_id IS NOT NULL AND {self._within(group_id)}"
            " UNION SELECT pairs.responsible_id, pairs.department_id, people.department_ids"
            f" FROM pairs CROSS JOIN people WHERE {elsewhere.format(by='pairs', of='pairs')} AND EXISTS ("
            "SELECT 1 FROM closed_tasks AS tasks WHERE tasks.department_id = pairs.department_id"
            f" AND tasks.responsible_id = pairs.responsible_id AND {self._within(group_id)})"
        )
        values = {"start": to_seconds(start), "end": to_seconds(end), "group_id": group_id}
        return [(row[0], row[1], json.loads(row[2])) for row in self._db.query(sql, values)]

    def done_by(self, start: datetime, end: datetime, now: datetime, group_id: int | None = None) -> dict[int, int]:
        """Return of those who closed by `end` all that was due between the two moments how many tasks that were.

        By the first deadline, as on time is; what is still open is known of orders' lines only.
        """
        values = {"due_from": to_seconds(start), "due": to_seconds(end), "group_id": group_id}
        values |= {"start": to_seconds(start - EARLY), "end": to_seconds(now)}
        sql = (
            "SELECT tasks.responsible_id, count(*), max(tasks.closed_at) FROM closed_tasks AS tasks"  # noqa: S608 - constants
            f" WHERE first_deadline >= :due_from AND first_deadline < :due AND {self._within(group_id)} GROUP BY 1"
        )
        done = {row[0]: row[1] for row in self._db.query(sql, values) if row[2] < values["due"]}
        still_open = (
            "SELECT DISTINCT order_tasks.responsible_id FROM orders JOIN order_tasks ON order_id = orders.id"
            " LEFT JOIN closed_tasks AS tasks ON tasks.id = task_id"
            " WHERE is_over = 0 AND orders.ended IS NULL AND task_id IS NOT NULL"
            " AND coalesce(order_tasks.first_deadline, order_tasks.deadline) >= :start"
            " AND coalesce(order_tasks.first_deadline, order_tasks.deadline) < :due AND coalesce(gone, 1) = 1"
        )
        for row in self._db.query(still_open, {"start": to_text(start), "due": to_text(end)}):
            done.pop(row[0], None)
        return done

    def _within(self, group_id: int | None) -> str:
        project = "" if group_id is None else "AND tasks.group_id = :group_id"
        return f"{closings.within()} {project} AND {COUNTS}"
