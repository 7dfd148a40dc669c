"""A database of closed tasks, laid out by a few words."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from b24tools.core import periods
from b24tools.core.models import Department, Person, Status, TaskRecord
from b24tools.core.timestamps import to_seconds
from b24tools.jobs.leaderboard import Board, Row
from b24tools.store import Store, open_store

MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 20, 14, 5, tzinfo=MOSCOW)  # the Friday of 2026-W47
THIS = periods.week_of(NOW, MOSCOW)
LAST = THIS.before
HOUR = 3600
WELDERS, PAINTERS, FITTERS = 11, 12, 13
TEAMS = {WELDERS: "Сварочный цех", PAINTERS: "Покраска", FITTERS: "Монтаж и упаковка"}


def person(user_id: int, name: str, *departments: int, active: bool = True) -> Person:
    """An employee; `name` is given name and surname."""
    first, _blank, last = name.partition(" ")
    return Person(user_id, first, last, "", active, departments)


def task(
    task_id: int,
    user_id: int,
    closed: datetime,
    *,
    hours: float = 1.0,
    deadline: datetime | None = None,
    status: int = Status.COMPLETED,
    changed: datetime | None = None,
    created_by: int = 900,
    xml_id: str = "",
) -> TaskRecord:
    """A task closed by somebody."""
    return TaskRecord(
        id=task_id,
        title=f"Задача {task_id}",
        responsible_id=user_id,
        created_by=created_by,
        group_id=1,
        status=status,
        created_at=to_seconds(closed - timedelta(days=3)),
        changed_at=to_seconds(changed or closed),
        closed_at=to_seconds(closed) if status == Status.COMPLETED else None,
        deadline=to_seconds(deadline),
        estimate_s=round(hours * HOUR),
        spent_s=0,
        xml_id=xml_id,
    )


def save(opened: Store, tasks: Iterable[TaskRecord], now: datetime = NOW, zone: ZoneInfo = MOSCOW) -> None:
    """As a snapshot saves them."""
    with opened.transaction():
        records = list(tasks)
        # as they were while they were open
        opened.tasks.note_open([(record.id, record.deadline) for record in records], now)
        opened.tasks.save(records, now, zone)


def collect(opened: Store, start: datetime, end: datetime, began: datetime, *, complete: bool = True) -> None:
    """A run that saw everything of [start, end)."""
    run = opened.snapshot_runs.begin(start, end, began)
    with opened.transaction():
        opened.snapshot_runs.finish(run, began + timedelta(seconds=20), complete=complete)


def plant(opened: Store) -> None:
    """Two weeks of a small plant: ties, movement, somebody new, few deadlines, one dismissed, one unknown."""
    opened.people.save_departments((Department(number, name, None, None) for number, name in TEAMS.items()), NOW)
    names = {
        1: ("Иван Петров", WELDERS),
        2: ("Мария Кузнецова", PAINTERS),
        3: ("Алёна Ёлкина", FITTERS),
        4: ("Алексей Жуков", FITTERS),
        5: ("Борис Иванов", WELDERS),
        6: ("Пётр Сидоров-Задунайский", FITTERS),
        7: ("Ольга Смирнова", PAINTERS),
        8: ("Глеб Новый", WELDERS),
        9: ("Зоя Невидимая", PAINTERS),
    }
    opened.people.save((person(number, *who, active=number != 7) for number, who in names.items()), NOW)
    opened.settings.save("hidden_users", "9")
    # this week and the one before: tasks, hours of each, how many of how many deadlines were kept
    closed = {
        1: (9, 6, 1.5, 8, 9),
        2: (7, 11, 2.25, 7, 7),
        3: (7, 4, 0.4, 2, 3),
        4: (4, 4, 2.0, 1, 2),
        5: (4, 3, 1.0, 0, 4),
        6: (3, 3, 0.75, 0, 0),
        7: (1, 5, 3.0, 1, 1),
        8: (2, 0, 8.0, 2, 2),
        9: (20, 20, 1.0, 20, 20),
        77: (1, 0, 0.5, 0, 0),
    }
    tasks = []
    for user_id, (now, before, hours, kept, deadlines) in closed.items():
        for number in range(now):
            moment = THIS.start + timedelta(hours=9 + number * 5, minutes=user_id)
            late = -1 if number >= kept else 1
            deadline = moment + timedelta(hours=late) if number < deadlines else None
            tasks.append(task(user_id * 1000 + number, user_id, moment, hours=hours, deadline=deadline))
        for number in range(before):
            moment = LAST.start + timedelta(hours=9 + number * 7)
            tasks.append(task(user_id * 1000 + 500 + number, user_id, moment, hours=hours))
    save(opened, tasks)
    collect(opened, LAST.start, LAST.end, THIS.start + timedelta(minutes=5))
    collect(opened, THIS.start, THIS.end, NOW - timedelta(minutes=3))


def invented(rows: tuple[Row, ...]) -> Board:
    """A board of these rows."""
    totals = {"total_tasks": sum(row.tasks for row in rows), "total_hours": sum(row.hours for row in rows)}
    return Board(THIS, "tasks", teams=False, complete=True, as_of=NOW, mode="polling", rows=rows, **totals)  # type: ignore[arg-type]


def main(folder: Path) -> None:
    """Lay the plant out in a folder, to look at."""
    with closing(open_store(folder / "b24tools.db")) as opened:
        plant(opened)


if __name__ == "__main__":
    import sys

    main(Path(sys.argv[1]))
