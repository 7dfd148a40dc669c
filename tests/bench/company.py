"""The big company: 5,000 people, 100,000 tasks of the last 52 weeks, 2,000 of them closed this week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from b24tools.core import periods
from b24tools.sandbox import demo_company
from b24tools.sandbox.state import Portal
from tests.plant import MOSCOW

SECRET = "benchbenchbench0"
PEOPLE, TASKS, THIS_WEEK = 5_000, 100_000, 2_000


def company(tasks: int = TASKS, people: int = PEOPLE) -> Portal:
    """The portal; of enough tasks 2,000 are closed this week, whatever its day."""
    this_week = THIS_WEEK if tasks > 5 * THIS_WEEK else 0
    portal = demo_company.company(lambda: datetime.now(UTC), secret=SECRET, people=people, tasks=tasks - this_week)
    now = datetime.now(UTC)
    monday = periods.week_of(now, MOSCOW).start
    have = sum(1 for task in portal.tasks if task.status == 5 and (task.closed_at or 0) >= monday.timestamp())
    for number in range(this_week - have):
        closed = monday + (now - monday) * (number / this_week)
        values = {"responsible": 2 + number % people, "time_estimate": 1800, "deadline": closed + timedelta(days=1)}
        portal.add_task("Операция", status=5, created_at=monday, closed_at=closed, closed_by=1, **values)
    return portal
