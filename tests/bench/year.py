"""A database with a year of closed tasks: `python -m tests.bench.year FOLDER TASKS`."""

from __future__ import annotations

import random
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from b24tools.core import periods
from b24tools.core.models import Department, Person, Status, TaskRecord
from b24tools.core.timestamps import to_seconds
from b24tools.store import open_store

ZONE = ZoneInfo("Europe/Moscow")
PEOPLE, DEPARTMENTS, WEEKS = 2_000, 100, 52


def make(path: Path, tasks: int, now: datetime) -> None:
    """A year of a company up to now, with a complete run for all of it."""
    chance = random.Random(2026)
    week = periods.week_of(now, ZONE)
    first = periods.week_of(now - timedelta(weeks=WEEKS - 1), ZONE)
    with closing(open_store(path)) as opened:
        opened.people.save_departments((Department(n, f"Цех {n}", None, None) for n in range(1, DEPARTMENTS + 1)), now)
        people = (
            Person(n, "Имя", f"Фамильный{n:04}", "", True, (chance.randint(1, DEPARTMENTS),))
            for n in range(1, PEOPLE + 1)
        )
        opened.people.save(people, now)
        with opened.transaction():
            for begin in range(1, tasks + 1, 1000):
                numbers = range(begin, min(begin + 1000, tasks + 1))
                opened.tasks.save([_task(number, chance, first.start, now) for number in numbers], now, ZONE)
        run = opened.snapshot_runs.begin(first.start, week.end, now)
        with opened.transaction():
            opened.snapshot_runs.finish(run, now, complete=True)


def _task(task_id: int, chance: random.Random, start: datetime, end: datetime) -> TaskRecord:
    closed = start + (end - start) * chance.random()
    deadline = closed + timedelta(hours=chance.uniform(-24, 72)) if chance.random() < 0.7 else None
    return TaskRecord(
        id=task_id,
        title=f"Сварщик: 1Ц-{task_id:08}",
        responsible_id=1 + int(chance.expovariate(4) * PEOPLE) % PEOPLE,
        created_by=1,
        group_id=1,
        status=Status.COMPLETED,
        created_at=to_seconds(closed - timedelta(days=5)),
        changed_at=to_seconds(closed),
        closed_at=to_seconds(closed),
        deadline=to_seconds(deadline),
        estimate_s=chance.randrange(300, 36_000, 300),
        spent_s=0,
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]) / "b24tools.db", int(sys.argv[2]), datetime.now(UTC))
