"""Orders and people as they stand, made up: for pages that are drawn without a portal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from b24tools.assignment.hold_up import HoldUp
from b24tools.assignment.line_standing import LineStanding
from b24tools.assignment.standing import OrderStanding
from b24tools.core.models import Department, Person, Status, Task
from b24tools.jobs.people_plans import DepartmentPlan, PersonPlan, Work
from b24tools.scheduling.calendar import Interval, Shift, WorkCalendar
from b24tools.scheduling.lane import Worker
from b24tools.scheduling.workload import Workload
from b24tools.store.orders import LedgerTask, OrderRow

MOSCOW = ZoneInfo("Europe/Moscow")
CALENDAR = WorkCalendar(MOSCOW, (Shift(frozenset(range(1, 6)), 9 * 3600, 18 * 3600),))
POSITIONS = ("Макетчик", "Сварщик", "Монтажник")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of November 2026 in Moscow; later days are December's."""
    return datetime(2026, 11, 1, hour, minute, tzinfo=MOSCOW) + timedelta(days=day - 1)


NOW = at(24, 11, 20).astimezone(UTC)


def person(number: int, first: str = "Иван", last: str = "Петров") -> Person:
    """An employee of the second department."""
    return Person(number, first, last, "", True, (2,))


def line(
    task_id: int,
    position: str,
    who: Person | None,
    span: Interval | None,
    *,
    order_id: str = "1",
    status: Status = Status.PENDING,
    closed_at: datetime | None = None,
    away: Sequence[Interval] = (),
) -> LineStanding:
    """A line with its task; the plan is the span it has now."""
    start, end = span or (None, None)
    begun_at = None if status == Status.PENDING else start
    values = {"responsible_id": who.id if who else 0, "start": start, "end": end}
    task = Task(
        task_id, status, title=f"{position}: 1", xml_id="", group_id=1, created_by=1, created_at=None, changed_at=None,
        deadline=None, estimate_s=3600, spent_s=0, date_start=begun_at, closed_at=closed_at, **values,
    )  # fmt: skip
    row = LedgerTask(
        f"k{task_id}", order_id, task_id, position, task.title, "done", task_id, department_id=2, deadline=None,
        estimate_s=3600, sent_values={}, assigned_at=None, writing_since=None, **values,
    )  # fmt: skip
    return LineStanding(row, task, who, None if closed_at else span, tuple(away))


def order(
    number: str,
    lines: Sequence[LineStanding],
    *,
    id_: str = "",
    customer: str | None = "ООО «Ромашка»",
    wanted: datetime | None = None,
    state: str = "open",
    late_s: int = 0,
    holds_up: HoldUp | None = None,
    finish: datetime | None = None,
) -> OrderStanding:
    """An order with these lines."""
    row = OrderRow(
        id_ or number,
        number,
        customer,
        wanted,
        None,
        date(2026, 11, 27),
        "created",
        {},
        False,
        1,
        None,
        at(20),
        None,
        (),
    )
    ends = [operation.span[1] for operation in lines if operation.span]
    return OrderStanding(row, tuple(lines), finish or max(ends, default=None), late_s, state, holds_up)


def plant() -> tuple[list[OrderStanding], tuple[DepartmentPlan, ...]]:
    """A late order, one that is on time, and work that came from elsewhere; one person is ill."""
    ivan, anna = person(7), person(8, "Анна <b>", "Ёлкина & Co")
    ill = at(25), at(28)
    late = order(
        "1Ц-00000070",
        [
            line(101, "Макетчик", ivan, (at(23, 9), at(23, 17)), status=Status.COMPLETED, closed_at=at(23, 16)),
            line(102, "Сварщик", ivan, (at(24, 10), at(25, 12)), status=Status.IN_PROGRESS),
            line(103, "Монтажник", anna, (at(24, 14), at(30, 11)), away=[ill]),
        ],
        id_="b7c57163-8c5d-11ef-905d-a41731192b22",
        wanted=at(27),
        state="late",
        late_s=2 * 86400 + 11 * 3600,
        holds_up=HoldUp("Монтажник", anna.name, "away", date(2026, 11, 27)),
    )
    good = order("1Ц-00000071", [line(104, "Сварщик", ivan, (at(25, 14), at(26, 10)))], id_="№ 71", customer=None)
    people = [
        _plan(ivan, [(late, late.lines[1]), (good, good.lines[0])], [(9, at(26, 10), at(26, 18))]),
        _plan(anna, [(late, late.lines[2])], (), [ill]),
    ]
    return [late, good], (DepartmentPlan(Department(2, "Сварочный цех", 1, None), tuple(people)),)


@cache
def big_plant(people: int, orders: int) -> tuple[list[OrderStanding], tuple[DepartmentPlan, ...]]:
    """So many people with ten tasks each over twelve weeks, and orders of seven lines."""
    staff = [person(number, "Константин", f"Задунайский-{number}") for number in range(1, people + 1)]
    made = []
    for number in range(orders):
        start = at(23 + number % 75, 9)
        lines = [
            line(
                number * 10 + n, POSITIONS[n % 3], staff[(number * 7 + n) % people],
                (start + timedelta(days=n), start + timedelta(days=n, hours=30)), order_id=str(number),
            )
            for n in range(7)
        ]  # fmt: skip
        state = ("late", "at_risk", "open")[number * 3 // orders]
        held = HoldUp("Сварщик", "Константин Задунайский", "busy") if state != "open" else None
        made.append(order(f"1Ц-{number:08d}", lines, wanted=start + timedelta(days=5), state=state, holds_up=held))
    work: dict[int, list[tuple[OrderStanding, LineStanding]]] = {who.id: [] for who in staff}
    for standing in made:
        for operation in standing.lines:
            work[operation.task.responsible_id if operation.task else 0].append((standing, operation))
    groups = [
        DepartmentPlan(
            Department(100 + n, f"Цех {n}", 1, None),
            tuple(
                _plan(who, work[who.id], [(who.id * 100 + k, at(24 + 7 * k, 9), at(25 + 7 * k, 12)) for k in range(6)])
                for who in staff[n::10]
            ),
        )
        for n in range(10)
    ]
    return made, tuple(groups)


def _plan(
    who: Person,
    ours: Sequence[tuple[OrderStanding, LineStanding]],
    others: Sequence[tuple[int, datetime, datetime]],
    absences: Sequence[Interval] = (),
) -> PersonPlan:
    load = Workload(CALENDAR, NOW, [Worker(who.id, who.name, tuple(absences))], [], 300).load(who.id, 14)
    work = [
        Work(operation.task.id, operation.span, 3600, standing, operation)
        for standing, operation in ours
        if operation.task and operation.span
    ]
    work += [Work(task_id, (start, end), 3600, None, None) for task_id, start, end in others]
    return PersonPlan(replace(load, open_s=3600 * len(work)), tuple(sorted(work, key=lambda item: item.span)), CALENDAR)
