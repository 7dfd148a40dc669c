"""The big company: 5,000 people, 100,000 tasks of the last 52 weeks, 2,000 of them closed this week."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from b24tools.core import periods
from b24tools.sandbox import demo_company
from b24tools.sandbox.records import COMPLETED
from b24tools.sandbox.state import Portal
from tests.support.orders import MOSCOW

SECRET = "benchbenchbench0"
PEOPLE, TASKS, THIS_WEEK = 5_000, 100_000, 2_000


def company(tasks: int = TASKS, people: int = PEOPLE) -> Portal:
    """The portal; of enough tasks 2,000 are closed this week, whatever its day."""
    this_week = THIS_WEEK if tasks > 5 * THIS_WEEK else 0
    portal = big_company(lambda: datetime.now(UTC), secret=SECRET, people=people, tasks=tasks - this_week)
    # only the services that were replaced call it, and as they do it answers alike
    portal.methods = portal.methods | {"user.search": portal.methods["user.get"]}
    now = datetime.now(UTC)
    monday = periods.week_of(now, MOSCOW).start
    have = sum(1 for task in portal.tasks if task.status == 5 and (task.closed_at or 0) >= monday.timestamp())
    for number in range(this_week - have):
        closed = monday + (now - monday) * (number / this_week)
        values = {"responsible": 2 + number % people, "time_estimate": 1800, "deadline": closed + timedelta(days=1)}
        portal.add_task("Операция", status=5, created_at=monday, closed_at=closed, closed_by=1, **values)
    return portal


def big_company(now: Callable[[], datetime], *, people: int, tasks: int, **options: Any) -> Portal:
    """People in a hundred departments, tasks of the last year, oldest first as ids go, most of them closed."""
    chance = random.Random(people + tasks)  # the same company every time
    portal = Portal(now, **options)
    top = portal.add_department(demo_company.PRODUCTION)
    shops = [portal.add_department(f"Участок {number}", parent=top.id).id for number in range(1, 101)]
    workers = [
        portal.add_user("Работник", f"№{number}", departments=[chance.choice(shops)]).id for number in range(people)
    ]
    group = portal.add_group(demo_company.GROUP, 1, members=[1])
    present = now()
    for number in range(tasks):
        created = present - timedelta(minutes=(tasks - number) * 525_600 / tasks)
        values: dict[str, Any] = {"created_at": created, "time_estimate": chance.randrange(1, 40) * 900}
        values["xml_id"] = f"1c:{chance.getrandbits(128):032x}:{number % 7}"
        values["deadline"] = created + timedelta(days=chance.randrange(2, 15))
        closed = created + timedelta(hours=chance.randrange(4, 400))
        if closed < present:
            values |= {"status": COMPLETED, "closed_at": closed, "closed_by": 1}
        portal.add_task(f"Операция {number}", responsible=chance.choice(workers), group=group.id, **values)
    return portal
