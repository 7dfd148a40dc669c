"""What the leaderboard asks: who closed how much in a period, and how much of it was collected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from b24tools.core import clock
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database

CLOSED = """WITH counted AS (
    SELECT responsible_id, closed_at >= :start AS current, count(*) AS tasks, sum(estimate_s) AS estimate_s,
        count(CASE WHEN closed_at <= deadline THEN 1 END) AS on_time, count(deadline) AS on_time_of
    FROM tasks
    WHERE closed_at >= :before AND closed_at < :end AND gone = 0
    GROUP BY responsible_id, current
)
SELECT responsible_id, current, people.name, people.department_id, departments.name, tasks, estimate_s,
    on_time, on_time_of
FROM counted
LEFT JOIN people ON people.id = responsible_id
LEFT JOIN departments ON departments.id = people.department_id"""


@dataclass(frozen=True, slots=True)
class PersonTotal:
    """What one person closed in a period (`current`) or in the one before; name and department as of today."""

    user_id: int
    current: bool
    name: str | None
    department_id: int | None
    department: str | None
    tasks: int
    estimate_s: int
    on_time: int
    on_time_of: int


@dataclass(frozen=True, slots=True)
class Window:
    """[`start`, `end`) was collected, the last time by a run that began at `started_at`.

    `complete`: with an administrator's eyes, which see everything.
    """

    start: datetime
    end: datetime
    started_at: datetime
    complete: bool


class Leaderboard:
    """Questions about what was closed.

    Where it takes `now`, a stamp that lies in the future then counts as unknown and long ago.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def closed(
        self, before: datetime, start: datetime, end: datetime, group_id: int | None = None
    ) -> list[PersonTotal]:
        """Return who closed how much in [start, end) and, for comparison, in [before, start); of one project or all."""
        values = {"before": to_text(before), "start": to_text(start), "end": to_text(end), "group": group_id}
        of_group = "AND gone = 0" if group_id is None else "AND gone = 0 AND group_id = :group"
        sql = CLOSED.replace("AND gone = 0", of_group)
        return [PersonTotal(row[0], bool(row[1]), *row[2:]) for row in self._db.query(sql, values)]

    def active_by_department(self, hidden: frozenset[int]) -> dict[int, int]:
        """Return how many active people have each department as their first one, without the hidden."""
        sql = "SELECT department_id, id FROM people WHERE active = 1 AND department_id IS NOT NULL"
        members: dict[int, int] = {}
        for department_id, user_id in self._db.query(sql):
            if user_id not in hidden:
                members[department_id] = members.get(department_id, 0) + 1
        return members

    def windows(self, start: datetime, end: datetime, now: datetime) -> list[Window]:
        """Return what complete runs collected of [start, end); without a single one, what the others did."""
        values = [to_text(start), to_text(end), to_text(clock.latest_known(now))]
        for complete, which in ((True, "complete = 1"), (False, "finished_at IS NOT NULL")):
            sql = (
                f"SELECT from_at, to_at, max(started_at) FROM snapshot_runs WHERE {which}"  # noqa: S608 - constants
                " AND to_at > ? AND from_at < ? AND started_at <= ? GROUP BY from_at, to_at"
            )
            if rows := self._db.query(sql, values):
                return [Window(from_text(row[0]), from_text(row[1]), from_text(row[2]), complete) for row in rows]
        return []

    def events_until(self, now: datetime) -> datetime | None:
        """Return up to when all that the portal reported is in the tasks; None if nothing was, or it is unknown."""
        newest = "SELECT processed_at FROM events WHERE status = 'done' AND processed_at <= ? ORDER BY id DESC LIMIT 1"
        still_open = "SELECT min(received_at), max(received_at) FROM events WHERE status IN ('waiting', 'failed')"
        done = self._db.query(newest, [to_text(clock.latest_known(now))])
        oldest, latest = self._db.query(still_open)[0]
        if not done or (latest and clock.known_moment(latest, now) is None):
            return None
        until: str = min(stamp for stamp in (done[0][0], oldest) if stamp)
        return from_text(until)
