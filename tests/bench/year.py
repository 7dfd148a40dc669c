"""A database with a year of closed tasks: `python -m tests.bench.year FOLDER TASKS`."""

from __future__ import annotations

import random
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from b24tools import store, weeks
from b24tools.models import Department, Person, Status, Task

ZONE = ZoneInfo("Europe/Moscow")
PEOPLE, DEPARTMENTS, WEEKS = 2_000, 100, 52


def make(path: Path, tasks: int, now: datetime) -> None:
    """A year of a company up to now, with a complete run for all of it."""
    chance = random.Random(2026)
    week = weeks.week_of(now, ZONE)
    first = weeks.week_of(now - timedelta(weeks=WEEKS - 1), ZONE)
    with closing(store.open_store(path)) as opened:
        opened.save_departments((Department(n, f"Цех {n}", None, None) for n in range(1, DEPARTMENTS + 1)), now)
        people = (
            Person(n, "Имя", f"Фамильный{n:04}", "", True, (chance.randint(1, DEPARTMENTS),))
            for n in range(1, PEOPLE + 1)
        )
        opened.save_people(people, now)
        with opened.transaction():
            for begin in range(1, tasks + 1, 1000):
                numbers = range(begin, min(begin + 1000, tasks + 1))
                opened.save_tasks([_task(number, chance, first.start, now) for number in numbers], now, ZONE)
        run = opened.begin_run(first.start, week.end, now)
        with opened.transaction():
            opened.finish_run(run, now, complete=True)


def _task(task_id: int, chance: random.Random, start: datetime, end: datetime) -> Task:
    closed = start + (end - start) * chance.random()
    deadline = closed + timedelta(hours=chance.uniform(-24, 72)) if chance.random() < 0.7 else None
    return Task(
        id=task_id,
        status=Status.COMPLETED,
        responsible_id=1 + int(chance.expovariate(4) * PEOPLE) % PEOPLE,
        title=f"Сварщик: 1Ц-{task_id:08}",
        xml_id="",
        group_id=1,
        created_by=1,
        created_at=closed - timedelta(days=5),
        changed_at=closed,
        deadline=deadline,
        start=None,
        end=None,
        estimate_s=chance.randrange(300, 36_000, 300),
        spent_s=0,
        closed_at=closed,
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]) / "b24tools.db", int(sys.argv[2]), datetime.now(UTC))
