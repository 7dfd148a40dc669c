"""Plans that stay true: what is late, ill or dismissed counts for all that comes after it, and is said."""

from __future__ import annotations

from datetime import date, datetime
from shutil import rmtree
from typing import Any

import pytest

from b24tools.assignment.report import OrderResult
from tests.support.orders import MOSCOW, Works, order


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of November in Moscow."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def production(works: Works, name: str = "Производство") -> int:
    """The id of a department of this name."""
    return next(department.id for department in works.portal.departments.values() if department.name == name)


@pytest.fixture
def ill(works: Works) -> int:
    """A cutter, alone in the department."""
    department = works.portal.add_department("Раскрой", parent=production(works))
    return works.portal.add_user("Иван", "Иванов", departments=[department.id]).id


def send(works: Works, number: int, minutes: float = 480, **changes: Any) -> OrderResult:
    """Send one of several orders."""
    values = {"id": f"order-{number}", "number": f"1Ц-{number:08}"} | changes
    return works.assign(order([("Раскрой", minutes)], **values))[0]


def promised(result: OrderResult) -> tuple[date | None, datetime | None]:
    """The day to promise, and when the order is ready."""
    return result.promise and result.promise.day, result.finish


def test_five_orders_of_which_nothing_is_done_have_five_promises(works: Works, ill: int) -> None:
    """Sent again on Friday morning."""
    for number in range(5):
        send(works, number)
    works.clock.now = at(27, 8)
    promises = [promised(send(works, number)) for number in range(5)]
    days = [date(2026, 11, 27), date(2026, 11, 30), *(date(2026, 12, day) for day in (1, 2, 3))]
    assert [(day, datetime(day.year, day.month, day.day, 18, tzinfo=MOSCOW)) for day in days] == promises


def test_what_lies_under_a_later_absence_is_said_and_comes_after_it(works: Works, ill: int) -> None:
    """Sent again, the order is promised after the illness; new work goes to somebody who is there sooner."""
    first = [send(works, number) for number in range(5)][-1]
    assert (date(2026, 11, 27), at(27, 18)) == promised(first)
    works.portal.add_absence(ill, date(2026, 11, 23), date(2026, 11, 27))
    again = send(works, 4)
    assert date(2026, 12, 4) == (again.promise and again.promise.day)
    expected = "Иван Иванов is away 23.11–27.11, when the task is planned: it is counted as work after that"
    assert (expected,) == again.tasks[0].warnings
    assert "unchanged" == again.outcome
    other = works.portal.add_user("Пётр", "Петров", departments=[production(works, "Раскрой")]).id
    works.portal.add_task("Чужая", responsible=other, creator=1, time_estimate=44 * 3600)
    rmtree(works.folder / "cache")
    task = send(works, 9).tasks[0]
    assert ((other, "Пётр Петров"), at(30, 14)) == (task.responsible, task.start)


def test_work_that_an_absence_tears_is_said(works: Works, ill: int) -> None:
    """Begun on Monday, done on Wednesday."""
    works.portal.add_absence(ill, date(2026, 11, 24), date(2026, 11, 24))
    result = send(works, 1, 600)
    assert ("the work is torn: Иван Иванов is away 24.11",) == result.tasks[0].warnings
    assert (at(23, 9), at(25, 11)) == (result.tasks[0].start, result.tasks[0].end)


def test_an_absence_in_which_nobody_works_tears_nothing(works: Works, ill: int) -> None:
    """At the weekend, in the evening, or in the break."""
    works.portal.add_absence(ill, date(2026, 11, 28), date(2026, 11, 29))
    works.portal.add_meeting(ill, at(30, 13), at(30, 14), accessibility="absent")
    works.portal.add_meeting(ill, at(27, 19), at(27, 22), accessibility="absent")
    works.clock.now = at(27, 9)
    task = send(works, 1, 900).tasks[0]
    assert (at(27, 9), at(30, 17), ()) == (task.start, task.end, task.warnings)


def test_a_person_who_left_or_changed_the_position_is_named(works: Works, ill: int) -> None:
    """The task stays where it is; a person whom somebody pinned holds it rightly."""
    painter = works.portal.add_department("Покраска", parent=production(works))
    send(works, 1)
    pinned = works.portal.add_user("Анна", "Мастер", departments=[painter.id]).id
    works.assign(order([("Раскрой", 60)], id="order-2", number="2"), pins={"Раскрой": pinned})
    works.portal.users[ill].departments = [painter.id]
    works.portal.add_user("Пётр", "Петров", departments=[painter.id - 1])
    rmtree(works.folder / "cache")
    assert ('Иван Иванов does not hold the position "Раскрой" any more',) == send(works, 1).tasks[0].warnings
    assert () == works.assign(order([("Раскрой", 60)], id="order-2", number="2"))[0].tasks[0].warnings
    works.portal.users[ill].active = False
    gone = send(works, 1).tasks[0]
    assert (f"Иван Иванов does not work there any more: task {gone.task_id} waits for somebody else",) == gone.warnings


def test_a_begun_task_on_which_nobody_notes_time_has_less_left(works: Works, ill: int) -> None:
    """Its slot ended a minute ago: one step is left. Of one that nobody began all is left."""
    first = send(works, 1, 120)
    works.clock.now = at(23, 11, 1)
    assert at(23, 14, 1) == send(works, 1, 120).finish
    works.clock.now = at(23, 9)
    works.portal.act("tasks.task.start", {"taskId": first.tasks[0].task_id}, user_id=ill)
    works.clock.now = at(23, 11, 1)
    assert at(23, 11, 6) == send(works, 1, 120).finish


def test_a_project_that_ends_before_the_plan_is_named(works: Works, ill: int) -> None:
    """Bitrix24 would refuse the task. The dates of a project are in the scope "socialnetwork"."""
    works.portal.scopes.add("socialnetwork")
    send(works, 1)
    group = next(group for group in works.portal.groups.values() if group.name == "Задачи из 1с")
    group.date_finish = int(at(23).timestamp())
    result = works.assign(order([("Раскрой", 480)], id="order-2", number="2"), dry_run=True)[0]
    assert ("the plan ends after the project, which ends on 23.11.2026: move its end in Bitrix24",) == (
        result.tasks[0].warnings
    )


def test_a_schedule_of_more_than_twelve_hours_a_day_is_doubted(works: Works, ill: int) -> None:
    """Somebody will have confused a shift with the opening hours."""
    works.portal.add_schedule(8, 21, break_s=0)
    assert "the work schedule gives everybody 13.0 hours of work a day: look at its shifts and breaks" in (
        send(works, 1).warnings
    )


def test_orders_of_one_run_are_planned_by_priority_then_by_the_wanted_date(works: Works, ill: int) -> None:
    """Then as they came; the results stay in the sequence of the orders."""
    wishes = [{}, {"wanted": at(30)}, {"wanted": at(25)}, {"priority": 2}, {"priority": 1, "wanted": at(30)}, {}]
    sent = [order([("Раскрой", 60)], id=f"order-{n}", number=str(n), **wish) for n, wish in enumerate(wishes)]
    starts = [result.tasks[0].start for result in works.assign(*sent)]
    assert [at(23, hour) for hour in (14, 12, 11, 10, 9, 15)] == starts
