"""One truth about the ends: what `assign`, `orders` and `load` say of one plant is the same, whatever people did."""

from __future__ import annotations

import json
import shutil
from datetime import date, datetime
from typing import Any

import pytest

from b24tools.assignment.hold_up import HoldUp
from b24tools.assignment.report import Bottleneck, OrderResult, Promise
from b24tools.assignment.standing import OrderStanding, read_standings
from b24tools.jobs import load, replan, today
from b24tools.jobs.orders import STATES, list_orders
from b24tools.scheduling.calendar import DAY_OFF, DayRule, Shift
from b24tools.scheduling.calendar_file import OwnDays
from b24tools.scheduling.people_file import parse
from tests.support.orders import MOSCOW, Works, order, rules

ROUTE = ("Раскрой", "Сборка")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of November in Moscow; the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


@pytest.fixture
def people(works: Works) -> dict[str, int]:
    """A cutter and an assembler."""
    root = next(department.id for department in works.portal.departments.values() if department.name == "Производство")
    ids = {}
    for name in ROUTE:
        department = works.portal.add_department(name, parent=root)
        ids[name] = works.portal.add_user("Иван", name, departments=[department.id]).id
    return ids


def send(works: Works, number: int, *lines: tuple[str, float], **changes: Any) -> OrderResult:
    """Send one of several orders."""
    return works.assign(order(lines, **{"id": f"order-{number}", "number": str(number)} | changes), route=ROUTE)[0]


def stands(works: Works, number: int) -> OrderStanding:
    """How an order stands."""
    with works.tools(dry_run=True) as tools:
        standings = read_standings(tools, rules(route=ROUTE), tools.store.orders.list_all())
    return next(standing for standing in standings.orders if standing.row.number == str(number))


def act(works: Works, task: int | None, name: str, **values: Any) -> None:
    """Let the administrator do something to a task."""
    works.portal.act(f"tasks.task.{name}", {"taskId": task, **values}, user_id=1)


def test_what_waits_in_another_order_counts_for_all_promises_and_for_the_load(
    works: Works, people: dict[str, int]
) -> None:
    """The cutter is ill until Wednesday: the assembly that waits for him comes after another order's."""
    sent = {
        number: [("Раскрой", 120.0)] * (number == 1) + [("Сборка", minutes)]
        for number, minutes in enumerate((240, 240, 480, 240), 1)
    }
    before = {number: send(works, number, *lines).finish for number, lines in sent.items()}
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 11, 24))
    after = {number: send(works, number, *lines).finish for number, lines in sent.items()}
    assert {1: at(23, 16), 2: at(24, 11), 3: at(25, 11), 4: at(25, 16)} == before
    assert {1: at(25, 16), 2: at(24, 11), 3: at(25, 11), 4: at(26, 11)} == after
    assert after == {number: stands(works, number).finish for number in sent}
    with works.tools(dry_run=True) as tools:
        (group,) = load.load(tools, rules(route=ROUTE), "Сборка").groups
    assert [2, 8, 8, 2, 0] == [day.busy_s / 3600 for day in group.people[0].days[:5]]


def test_a_task_closed_before_its_plan_was_done_then(works: Works, people: dict[str, int]) -> None:
    """The order is ready with its last open task, not with the plan of a finished one."""
    cut = send(works, 1, ("Раскрой", 1440), ("Сборка", 60), wanted=at(23)).tasks[0]
    works.clock.now = at(23, 10)
    act(works, cut.task_id, "complete")
    act(
        works,
        cut.task_id and cut.task_id + 1,
        "update",
        fields={
            "START_DATE_PLAN": at(23, 11).isoformat(),
            "END_DATE_PLAN": at(23, 12).isoformat(),
        },
    )
    again = send(works, 1, ("Раскрой", 1440), ("Сборка", 60), wanted=at(23))
    assert (at(23, 12), 0) == (again.finish, again.late_s) == (stands(works, 1).finish, stands(works, 1).late_s)


def test_nothing_is_promised_of_what_somebody_has_put_off(works: Works, people: dict[str, int]) -> None:
    """Until it is renewed there. An order that 1C has cancelled is over all the same."""
    first = send(works, 1, ("Раскрой", 60), ("Сборка", 60))
    act(works, first.tasks[1].task_id, "defer")
    again = send(works, 1, ("Раскрой", 60), ("Сборка", 60))
    assert (None, None, None) == (again.finish, again.promise, stands(works, 1).finish)
    send(works, 1, ("Раскрой", 60), ("Сборка", 60), called_off=True)
    assert ("done", 0) == (stands(works, 1).state, stands(works, 1).done)


def test_a_line_that_1c_has_no_longer_counts_until_its_task_is_gone(works: Works, people: dict[str, int]) -> None:
    """It is still worked on, and waited for; once somebody has deleted it nothing is missing."""
    first = send(works, 1, ("Раскрой", 240), ("Сборка", 60))
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 11, 23))
    again = send(works, 1, ("Сборка", 60))
    assert (at(24, 15), at(24, 15)) == (again.finish, stands(works, 1).finish)
    act(works, first.tasks[0].task_id, "delete")
    assert (at(23, 15), 1, "open") == (stands(works, 1).finish, stands(works, 1).of, stands(works, 1).state)


def test_a_line_that_1c_has_no_longer_is_part_of_what_is_promised(
    works: Works, people: dict[str, int], outsider: int
) -> None:
    """As of when the order is ready; nothing is, while somebody outside production has it."""
    first = send(works, 1, ("Раскрой", 60), ("Сборка", 960), wanted=at(23))
    again = send(works, 1, ("Раскрой", 60), wanted=at(23))
    promise = Promise(at(25, 10), date(2026, 11, 25), 9 * 3600, Bottleneck("Сборка", 0, 57600, "Иван Сборка"))
    assert (at(25, 10), promise, at(25, 10)) == (again.finish, again.promise, stands(works, 1).finish)
    act(works, first.tasks[1].task_id, "delegate", userId=outsider)
    again = send(works, 1, ("Раскрой", 60), wanted=at(23))
    warning = "Сборка: the task was given to somebody outside production: when it is done is not known"
    assert (None, None, None, (warning,)) == (again.finish, again.promise, stands(works, 1).finish, again.warnings)
    done = send(works, 1, ("Раскрой", 60), wanted=at(23), done=True)
    assert ("completed", None) == (done.outcome, done.promise)


def test_a_line_that_1c_has_no_longer_does_not_count_once_it_is_put_off(works: Works, people: dict[str, int]) -> None:
    """As if it were deleted; it counts again when somebody renews it, or 1C has it again."""
    lines = ("Раскрой", 240.0), ("Сборка", 60.0)
    first = send(works, 1, *lines)
    send(works, 1, lines[0])
    act(works, first.tasks[1].task_id, "defer")
    assert ("open", 1, at(23, 13)) == (stands(works, 1).state, stands(works, 1).of, stands(works, 1).finish)
    assert at(23, 13) == send(works, 1, lines[0]).finish
    act(works, first.tasks[1].task_id, "renew")
    assert ("open", 2, at(23, 15)) == (stands(works, 1).state, stands(works, 1).of, stands(works, 1).finish)
    act(works, first.tasks[1].task_id, "defer")
    act(works, first.tasks[0].task_id, "complete")
    assert ("done", 1, 1) == (stands(works, 1).state, stands(works, 1).of, stands(works, 1).done)
    send(works, 1, *lines)
    assert ("at_risk", 2, 1) == (stands(works, 1).state, stands(works, 1).of, stands(works, 1).done)


def test_a_removed_line_of_an_order_that_was_cancelled_for_a_while_does_not_count(
    works: Works, people: dict[str, int]
) -> None:
    """Cancelled with the order it is one of its lines; 1C takes up the others only."""
    lines = ("Раскрой", 240.0), ("Сборка", 60.0)
    send(works, 1, *lines)
    send(works, 1, lines[0])
    send(works, 1, lines[0], called_off=True)
    assert ("done", 2, 0) == (stands(works, 1).state, stands(works, 1).of, stands(works, 1).done)
    again = send(works, 1, lines[0])
    one = stands(works, 1)
    assert ("open", 1, at(23, 13), at(23, 13)) == (one.state, one.of, one.finish, again.finish)


@pytest.fixture
def outsider(works: Works) -> int:
    """Somebody of the office."""
    return works.portal.add_user("Анна", "Контора", departments=[works.portal.add_department("Контора").id]).id


@pytest.mark.parametrize("is_fallback", [False, True])
def test_whose_time_is_planned_is_the_same_for_all(
    works: Works, people: dict[str, int], outsider: int, is_fallback: bool
) -> None:
    """Somebody of the office is handed a task: that is known while an open order, or the settings, name her."""
    changes = {"fallback_user": outsider} if is_fallback else {}
    cut = order([("Раскрой", 60)], id="order-1", number="1")
    made = works.assign(cut, pins={} if is_fallback else {"Раскрой": outsider})[0].tasks[0]
    assembled = order([("Сборка", 60)], id="order-2", number="2")
    task = works.assign(assembled)[0].tasks[0]

    def look() -> tuple[datetime | None, ...]:
        with works.tools() as tools:
            everything = read_standings(tools, rules(**changes), tools.store.orders.list_all())
            listing = list_orders(tools, rules(**changes))
        answers = [works.assign(assembled, dry_run=True, **changes)[0]]
        answers += [one for found in (everything, listing) for one in found.orders if one.row.number == "2"]
        return tuple(one.finish for one in answers)

    act(works, task.task_id, "delegate", userId=outsider)
    ready = at(23, 10) if is_fallback else at(23, 11)
    assert (ready,) * 3 == look()
    act(works, made.task_id, "complete")
    with works.tools() as tools:
        list_orders(tools, rules(**changes))  # it sees that the first order is over
    assert ((at(23, 10) if is_fallback else None),) * 3 == look()


def test_an_absence_beyond_three_months_counts_for_all(works: Works, people: dict[str, int]) -> None:
    """Where work ends beyond them, absences are read further: by a new order, one sent again, and whoever asks."""
    for first, last in ((date(2027, 3, 15), date(2027, 4, 15)), (date(2027, 4, 20), date(2027, 4, 30))):
        works.portal.add_absence(people["Раскрой"], first, last)
    lines = [("Раскрой", 75 * 480.0)]  # it would be ready on 16 March
    ready = datetime(2027, 4, 19, 18, tzinfo=MOSCOW)
    assert [ready] * 3 == [send(works, 1, *lines).finish, send(works, 1, *lines).finish, stands(works, 1).finish]
    works.assign(order(lines, id="order-2", number="2"), route=ROUTE)
    longer = [stands(works, 2).finish, send(works, 2, *lines).finish]
    assert [datetime(2027, 8, 13, 18, tzinfo=MOSCOW)] * 2 == longer
    works.portal.log.clear()
    stands(works, 2)
    assert 2 == len(works.portal.log)


def test_who_was_handed_what_others_wait_for_is_asked_about(
    works: Works, people: dict[str, int], outsider: int
) -> None:
    """By `assign` as by `orders`: somebody of the office has other work first, and the assembly waits."""
    works.assign(order([("Прочее", 960)], id="order-1", number="1"), pins={"Прочее": outsider})
    cut = send(works, 2, ("Раскрой", 60), ("Сборка", 240)).tasks[0]
    act(works, cut.task_id, "delegate", userId=outsider)
    assert at(25, 15) == stands(works, 2).finish
    later = order([("Сборка", 60)], id="order-3", number="3").model_copy(update={"accepted": at(25, 12)})
    made = works.assign(later, route=ROUTE)[0]
    assert (at(25, 15), at(25, 16), at(25, 16)) == (made.tasks[0].start, made.finish, stands(works, 3).finish)


def test_an_order_that_is_gone_on_with_outside_is_seen_at_once(works: Works, outsider: int) -> None:
    """Somebody of the office takes up what was over: her time is planned in that reading."""
    made = works.assign(order(), pins={"Сварщик": outsider})[0].tasks[0]

    def look() -> list[tuple[str, datetime | None]]:
        with works.tools() as tools:
            return [(one.state, one.finish) for one in list_orders(tools, rules(), states=STATES).orders]

    act(works, made.task_id, "complete")
    assert ["done"] == [state for state, _finish in look()]
    act(works, made.task_id, "renew")
    assert [("open", at(23, 10))] == look()


def test_an_order_taken_up_again_is_promised_with_all_that_stands_before_it(
    works: Works, people: dict[str, int]
) -> None:
    """Another one has its slot by now; in the same run a cancelled order has made room for a new one."""
    send(works, 1, ("Раскрой", 240))
    gone, new = (
        order([("Раскрой", 240)], id=f"order-{number}", number=str(number), called_off=number == 1) for number in (1, 2)
    )
    assert at(23, 9) == works.assign(new, gone, route=ROUTE)[0].tasks[0].start
    again = send(works, 1, ("Раскрой", 240))
    assert at(23, 18) == stands(works, 1).finish or at(23, 18) == stands(works, 2).finish
    assert again.finish == stands(works, 1).finish


def test_who_has_a_task_of_another_position_is_asked_about(works: Works, people: dict[str, int]) -> None:
    """The cutting was given to the assembler, who has other work."""
    cut = send(works, 1, ("Раскрой", 60)).tasks[0]
    send(works, 2, ("Сборка", 480))
    act(works, cut.task_id, "delegate", userId=people["Сборка"])
    works.clock.now = at(23, 12)
    act(
        works,
        cut.task_id,
        "update",
        fields={
            "START_DATE_PLAN": at(23, 17).isoformat(),
            "END_DATE_PLAN": at(23, 18).isoformat(),
        },
    )
    assert send(works, 1, ("Раскрой", 60)).finish == stands(works, 1).finish == at(24, 13)


@pytest.mark.parametrize("leaves", [False, True])
def test_nothing_is_promised_of_what_is_done_outside_production(
    works: Works, people: dict[str, int], leaves: bool
) -> None:
    """Whoever is not planned, or has left: what comes after it does not wait for it; `assign` says so, too."""
    lines = ("Раскрой", 240), ("Сборка", 60)
    cut = send(works, 1, *lines).tasks[0]
    office = works.portal.add_department("Контора")
    outsider = works.portal.add_user("Анна", "Контора", departments=[office.id]).id
    act(works, cut.task_id, "delegate", userId=outsider)
    works.portal.users[outsider].active = not leaves
    again, standing = send(works, 1, *lines), stands(works, 1)
    assert (None, 0, None, None) == (again.finish, again.late_s, again.promise, standing.finish)
    text = "Раскрой: the task was given to somebody outside production: when it is done is not known"
    gone = f"Анна Контора does not work there any more: task {cut} waits for somebody else"
    assert ([], (gone,)) if leaves else ([text], ()) == ([*again.warnings], again.tasks[0].warnings)
    other = send(works, 2, ("Сборка", 240))
    assert (at(23, 13), at(23, 13)) == (other.finish, stands(works, 2).finish)
    act(works, cut.task_id, "delegate", userId=people["Сборка"])
    assert send(works, 1, *lines).finish == stands(works, 1).finish is not None


def test_days_of_illness_are_not_worked_time(works: Works, people: dict[str, int]) -> None:
    """A task begun on Monday, on which nobody notes time; ill on Tuesday and Wednesday, it is Thursday."""
    cut = send(works, 1, ("Раскрой", 1440)).tasks[0]
    works.clock.now = at(23, 9)
    works.portal.act("tasks.task.start", {"taskId": cut.task_id}, user_id=people["Раскрой"])
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 24), date(2026, 11, 25))
    works.clock.now = at(26, 9)
    assert at(27, 18) == stands(works, 1).finish == send(works, 1, ("Раскрой", 1440)).finish


def test_new_minutes_of_what_is_begun_leave_what_they_leave(works: Works, people: dict[str, int]) -> None:
    """Three hours were spent on two that 1C makes four of now: one is left, not two."""
    cut = send(works, 1, ("Раскрой", 120)).tasks[0]
    works.clock.now = at(23, 9)
    act(works, cut.task_id, "start")
    fields = {"SECONDS": 3 * 3600, "COMMENT_TEXT": ""}
    works.portal.act("task.elapseditem.add", {"taskId": cut.task_id, "fields": fields}, user_id=1)
    works.clock.now = at(23, 14)
    assert at(23, 15) == send(works, 1, ("Раскрой", 240)).finish == stands(works, 1).finish


def test_an_order_renewed_in_the_middle_of_its_slot_is_not_done(works: Works, people: dict[str, int]) -> None:
    """Nothing was done while it was cancelled: all its hours are left, for `assign` and `orders` alike."""
    works.clock.now = at(23, 16, 45)
    first = send(works, 1, ("Раскрой", 960), wanted=at(30))
    assert (at(23, 16, 45), at(25, 16, 45)) == (first.tasks[0].start, first.tasks[0].end)
    send(works, 1, ("Раскрой", 960), wanted=at(30), called_off=True)
    works.clock.now = at(25, 10)
    again = send(works, 1, ("Раскрой", 960), wanted=at(30))
    assert again.promise is not None
    assert at(27, 10) == again.finish == again.promise.ready == stands(works, 1).finish


def test_nothing_is_promised_of_what_somebody_has_who_has_left(works: Works, people: dict[str, int]) -> None:
    """Begun or not; what waits for it is planned behind it all the same, and the order is ready once others have it."""
    lines = ("Раскрой", 240), ("Сборка", 60)
    cut = send(works, 1, *lines, wanted=at(23)).tasks[0].task_id
    works.portal.users[people["Раскрой"]].active = False
    again, one = send(works, 1, *lines, wanted=at(23)), stands(works, 1)
    gone = HoldUp("Раскрой", "Иван Раскрой", "gone")
    assert (None, None, None, gone, "at_risk") == (again.finish, again.promise, one.finish, one.holds_up, one.state)
    assert (at(23, 14), at(23, 15)) == (again.tasks[1].start, one.lines[1].span and one.lines[1].span[1])
    act(works, cut, "start")
    assert (None, None) == (send(works, 1, *lines, wanted=at(23)).finish, stands(works, 1).finish)
    without = send(works, 1, lines[1], wanted=at(23))
    text = f"Раскрой: Иван Раскрой does not work there any more: task {cut} waits for somebody else"
    assert (None, None, (text,)) == (without.finish, without.promise, without.warnings)
    with works.tools(dry_run=True) as tools:
        listed = today.read_today(tools, rules(route=ROUTE))
        warnings = [load.load(tools, rules(route=ROUTE), name).warnings for name in (None, "Сборка", "Иван Сборка")]
    text = (
        "Иван Раскрой does not work there any more, and has 1 task of an order: nobody's list has it; "
        "`b24tools replan` gives others what is not begun, unless it was given by name"
    )
    assert [(text,), (text,), (), (text,)] == [*warnings, listed.warnings]
    act(works, cut, "delegate", userId=people["Сборка"])
    assert at(23, 15) == send(works, 1, *lines, wanted=at(23)).finish == stands(works, 1).finish


def test_nothing_is_promised_of_an_order_of_which_a_line_has_failed(works: Works, people: dict[str, int]) -> None:
    """No department has its position: `assign` says no more than `orders` does."""
    first = send(works, 1, ("Раскрой", 60), ("Кузнец", 60), wanted=at(25))
    assert ("partial", None, 0, None) == (first.outcome, first.finish, first.late_s, first.promise)
    one = stands(works, 1)
    assert (None, "at_risk", HoldUp("Кузнец", None, "unwritten")) == (one.finish, one.state, one.holds_up)


def test_assign_and_orders_give_the_same_reason(works: Works, people: dict[str, int]) -> None:
    """Another cutter has room, but the task is his who is away: before it begins, or in its midst."""
    root = works.portal.departments[works.portal.users[people["Раскрой"]].departments[0]].id
    works.portal.add_user("Пётр", "Петров", departments=[root])
    send(works, 1, ("Раскрой", 480), wanted=at(23))
    away = works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 12, 4))

    def look(minutes: float) -> list[Bottleneck | HoldUp | None]:
        again = send(works, 1, ("Раскрой", minutes), wanted=at(23))
        return [again.promise and again.promise.bottleneck, stands(works, 1).holds_up]

    held = HoldUp("Раскрой", "Иван Раскрой", "away", date(2026, 12, 4))
    known = "Иван Раскрой", date(2026, 12, 4)
    assert [Bottleneck("Раскрой", 80 * 3600, 9 * 3600, *known), held] == look(540)
    works.clock.now = at(23, 9)
    works.portal.absences.remove(away)
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 24), date(2026, 12, 4))
    assert [Bottleneck("Раскрой", 0, 82 * 3600, *known), held] == look(600)
    works.portal.absences.clear()
    assert [Bottleneck("Раскрой", 0, 11 * 3600, "Иван Раскрой"), "Иван Раскрой"] == [
        one.person if isinstance(one, HoldUp) else one for one in look(660)
    ]


def test_a_line_says_when_it_will_be_ready_beside_what_was_planned(works: Works, people: dict[str, int]) -> None:
    """As `orders` does; of a new one that is its plan."""
    lines = ("Раскрой", 120), ("Сборка", 60)
    new = send(works, 1, *lines)
    assert [(at(23, 11), at(23, 11)), (at(23, 12), at(23, 12))] == [(task.end, task.ready) for task in new.tasks]
    works.clock.now = at(23, 10)
    again, one = send(works, 1, *lines), stands(works, 1)
    assert [(at(23, 11), at(23, 12)), (at(23, 12), at(23, 13))] == [(task.end, task.ready) for task in again.tasks]
    assert [task.ready for task in again.tasks] == [line.span and line.span[1] for line in one.lines]


@pytest.mark.parametrize("how", ["deferred", "outside", "left"])
def test_what_waits_for_something_without_an_end_has_none(
    works: Works, people: dict[str, int], outsider: int, how: str
) -> None:
    """Until it is begun; its time stays reserved."""
    lines = ("Раскрой", 240), ("Сборка", 60)
    cut, assembled = (task.task_id for task in send(works, 1, *lines, wanted=at(30)).tasks)
    if how == "deferred":
        act(works, cut, "defer")
    elif how == "outside":
        act(works, cut, "delegate", userId=outsider)
    works.portal.users[people["Раскрой"]].active = how != "left"

    def look() -> list[Any]:
        again, one = send(works, 1, *lines, wanted=at(30)), stands(works, 1)
        assert [task.ready for task in again.tasks] == [line.ready for line in one.lines]
        with works.tools(dry_run=True) as tools:
            listed = today.read_today(tools, rules(route=ROUTE), "Сборка")
        jobs = [(job.slot.start, job.before and job.before.end, job.is_late) for job in listed.lists[0].jobs]
        return [one.finish, *(line.ready for line in one.lines), one.lines[1].span, jobs]

    assert [None, None, None, (at(23, 14), at(23, 15)), [(at(23, 14), None, False)]] == look()
    works.clock.now = at(23, 9)
    act(works, assembled, "start")
    assert [None, None, at(23, 10), (at(23, 9), at(23, 10)), [(at(23, 9), None, False)]] == look()


def test_what_1c_has_no_longer_and_waits_for_something_without_an_end_has_none(
    works: Works, people: dict[str, int]
) -> None:
    """As long as the one before it is put off."""
    lines = ("Раскрой", 240), ("Сборка", 60)
    cut = send(works, 1, *lines).tasks[0].task_id
    act(works, cut, "defer")
    assert [None, None] == [task.ready for task in send(works, 1, lines[0]).tasks]
    assert [None, None] == [line.ready for line in stands(works, 1).lines]
    act(works, cut, "renew")
    assert [at(23, 13), at(23, 15)] == [task.ready for task in send(works, 1, lines[0]).tasks]


def test_who_has_come_since_the_people_were_cached_is_planned_with_all_that_is_to_be_done(
    works: Works, people: dict[str, int]
) -> None:
    """As soon as somebody has handed over a task; `replan` gives such a person nothing beside other work."""
    first = send(works, 1, ("Раскрой", 240), wanted=at(23))
    home = next(row.id for row in works.portal.departments.values() if row.name == "Раскрой")
    new = works.portal.add_user("Иван", "Новый", departments=[home]).id
    works.portal.add_task("Обучение", responsible=new, creator=1, time_estimate=24 * 3600, deadline=at(20))
    second = send(works, 2, ("Раскрой", 240), wanted=at(23))
    act(works, second.tasks[0].task_id, "delegate", userId=new)
    again, one = send(works, 2, ("Раскрой", 240), wanted=at(23)), stands(works, 2)
    assert (at(23, 18), at(23, 18)) == (again.finish, one.finish)
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 11, 23))
    with works.tools(dry_run=True) as tools:
        (move,) = replan.plan(tools, rules(route=ROUTE), replan.Request()).moves
    assert (first.tasks[0].task_id, "away") == (move.task_id, move.reason)
    assert move.after is not None
    assert ("Иван Раскрой", at(24, 9)) == (move.after.responsible[1], move.after.start)


@pytest.mark.parametrize("is_cached", [True, False])
def test_who_has_left_with_a_task_that_was_handed_over_is_known_to_all(
    is_cached: bool, works: Works, people: dict[str, int]
) -> None:
    """Also when the cache has the people without the one who left; what waits for the task is not laid before it."""
    home = next(row.id for row in works.portal.departments.values() if row.name == "Раскрой")
    other = works.portal.add_user("Иван", "Другой", departments=[home]).id
    lines = ("Раскрой", 480), ("Сборка", 60)
    first = send(works, 1, *lines)
    send(works, 2, ("Сборка", 480), accepted=at(25, 9))
    heir = {people["Раскрой"], other} - {first.tasks[0].responsible and first.tasks[0].responsible[0]}
    act(works, first.tasks[0].task_id, "delegate", userId=heir.pop())
    works.portal.users[works.portal.tasks[first.tasks[0].task_id or 0].responsible].active = False
    with works.tools() as tools:
        list_orders(tools, rules(route=ROUTE))  # which tells the next `assign` who has what
    works.clock.now = at(24, 9)
    if not is_cached:
        shutil.rmtree(works.folder / "cache")
    again, one, two = send(works, 1, *lines), stands(works, 1), stands(works, 2)
    assert ("Иван Другой does not work there any more: task 69 waits for somebody else",) == again.tasks[0].warnings
    assert (None, None, HoldUp("Раскрой", "Иван Другой", "gone")) == (again.finish, one.finish, one.holds_up)
    assert at(26, 10) == send(works, 2, ("Сборка", 480), accepted=at(25, 9)).finish == two.finish
    assert [None, at(25, 10)] == [line.span and line.span[1] for line in one.lines]
    with works.tools(dry_run=True) as tools:
        (warning,) = load.load(tools, rules(route=ROUTE), None).warnings
        (staying,) = replan.plan(tools, rules(route=ROUTE), replan.Request()).moves
    assert warning.startswith("Иван Другой does not work there any more, and has 1 task of an order")
    assert (69, "gone", "skipped") == (staying.task_id, staying.reason, staying.outcome)


def test_nothing_is_promised_of_a_cancelled_order_of_which_a_task_is_begun(
    works: Works, people: dict[str, int]
) -> None:
    """It has no end that anybody waits for, and its first promise is of an order that is taken up again."""
    lines = ("Раскрой", 240), ("Сборка", 60)
    first = send(works, 1, *lines)
    works.clock.now = at(23, 10)
    act(works, first.tasks[0].task_id, "start")
    again = send(works, 1, *lines, called_off=True)
    assert ("updated", None, None) == (again.outcome, again.finish, again.promise)


def test_of_an_order_of_which_only_a_line_is_left_that_1c_has_no_longer_that_is_promised(
    works: Works, people: dict[str, int]
) -> None:
    """With when it will be ready: its person was ill meanwhile."""
    first = send(works, 1, ("Раскрой", 60), ("Сборка", 60))
    act(works, first.tasks[0].task_id, "complete")
    works.portal.add_absence(people["Сборка"], date(2026, 11, 23), date(2026, 11, 23))
    again, one = send(works, 1, ("Раскрой", 60)), stands(works, 1)
    promise = Promise(
        at(24, 10), date(2026, 11, 24), 0, Bottleneck("Сборка", 28800, 3600, "Иван Сборка", date(2026, 11, 23))
    )
    assert (at(24, 10), promise, at(24, 10)) == (again.finish, again.promise, one.finish)
    assert [None, at(24, 10)] == [task.ready for task in again.tasks]


ONE_SHIFT = DayRule(shifts=(Shift(frozenset(), 9 * 3600, 13 * 3600),))
OFF = {"own": OwnDays({date(2026, 11, 24): DAY_OFF})}
SHORT = {"own": OwnDays({date(2026, 11, day): ONE_SHIFT for day in (23, 24)})}


@pytest.mark.parametrize(
    ("said", "terms", "ends", "hours"),
    [
        (OFF, {}, [at(23, 18), at(25, 18), at(26, 18)], [8, 0, 8, 8]),
        ({"portal": True}, {}, [at(23, 18), at(25, 18), at(26, 18)], [8, 0, 8, 8]),
        (SHORT, {}, [at(24, 13), at(25, 18), at(26, 18)], [4, 4, 8, 8]),
        ({}, {"hours_a_week": 20}, [at(24, 13), at(26, 13), at(30, 13)], [4, 4, 4, 4]),
        ({}, {"rate": 0.8}, [at(24, 11), at(25, 13), at(26, 16)], [8, 8, 8, 6]),
    ],
)
def test_what_was_planned_where_there_is_less_time_by_now_is_done_after_it(
    works: Works, people: dict[str, int], said: dict[str, Any], terms: dict[str, Any], ends: list[datetime], hours: Any
) -> None:
    """A day off or shorter hours that are declared later, a lower rate: `orders`, `assign`, `load`, `today` say it."""
    sent = [order([("Раскрой", 480)], id=f"order-{n}", number=str(n), wanted=at(25)) for n in (1, 2, 3)]
    planned = [(at(day, 9), at(day, 18)) for day in (23, 24, 25)]
    assert planned == [(result.tasks[0].start, result.tasks[0].end) for result in works.assign(*sent)]
    changes = dict(said)
    if changes.pop("portal", False):
        works.portal.add_schedule(9, 18, break_s=3600, days_off=[date(2026, 11, 24)])
        shutil.rmtree(works.folder / "cache")
    works.people = parse(json.dumps({"people": {str(people["Раскрой"]): terms}}).encode(), "people.json")
    all_rules = rules(people=works.people, **changes)
    with works.tools() as tools:
        listing = sorted(list_orders(tools, all_rules).orders, key=lambda standing: standing.row.number)
        (group,) = load.load(tools, all_rules, "Раскрой").groups
        days = [today.read_today(tools, all_rules, "Раскрой", date(2026, 11, day)).lists for day in (23, 24, 25, 26)]
        moved = replan.plan(tools, all_rules, replan.Request(frozen_days=0))
    assert ends == [standing.finish for standing in listing]
    assert ["late" if end > at(26) else "at_risk" for end in ends[1:]] == [standing.state for standing in listing][1:]
    assert ends == [result.finish for result in works.assign(*sent, dry_run=True, **changes)]
    assert hours == [day.busy_s / 3600 for day in group.people[0].days[:4]]
    assert hours == [sum(work_list.busy_s for work_list in lists) / 3600 for lists in days]
    assert [] == moved.planned


def test_what_was_given_to_somebody_slower_takes_as_long_as_that_one_needs(
    works: Works, people: dict[str, int]
) -> None:
    """From the moment when it is given, not only when it begins; and to somebody of other hours likewise."""
    home = works.portal.users[people["Раскрой"]].departments[0]
    slow, night = (works.portal.add_user("Иван", name, departments=[home]).id for name in ("Второй", "Ночной"))
    works.portal.add_schedule(20, 4, id=2, break_s=0)
    known = {people["Раскрой"]: {"rate": 2}, night: {"schedule": 2}}
    works.people = parse(json.dumps({"people": known}).encode(), "people.json")

    def look() -> list[datetime | None]:
        with works.tools() as tools:
            (standing,) = list_orders(tools, rules(people=works.people)).orders
        return [standing.finish, works.assign(sent, dry_run=True)[0].finish]

    sent = order([("Раскрой", 960)], wanted=at(23))
    task = works.assign(sent)[0].tasks[0]
    assert (at(23, 9), at(23, 18)) == (task.start, task.end)
    act(works, task.task_id, "delegate", userId=slow)
    assert [at(24, 18)] * 2 == look()
    act(works, task.task_id, "delegate", userId=night)
    assert [at(25, 4)] * 2 == look()
    works.clock.now = at(23, 9, 1)
    assert [at(25, 4)] * 2 == look()


def test_what_is_accepted_later_than_it_was_planned_does_not_begin_before(works: Works, people: dict[str, int]) -> None:
    """1C says so when the task is there. Another order counts on it, without a route, too; its slot stays shown."""
    lines = ("Раскрой", 480.0), ("Сборка", 240.0)
    send(works, 1, *lines, wanted=at(27))
    again = send(works, 1, *lines, wanted=at(27), accepted=at(26))
    assert ("unchanged", at(27, 13), at(27, 13)) == (again.outcome, again.finish, stands(works, 1).finish)
    assert [(at(23, 18), at(26, 18)), (at(24, 13), at(27, 13))] == [(task.end, task.ready) for task in again.tasks]
    assert HoldUp("Раскрой", "Иван Раскрой", "accepted", date(2026, 11, 26)) == stands(works, 1).holds_up
    other = works.assign(order([("Раскрой", 1440)], id="order-2", number="2"))[0].tasks[0]
    assert (at(27, 9), at(26, 18)) == (other.start, send(works, 1, *lines, accepted=at(26)).tasks[0].ready)
    assert [at(23, 18), at(24, 13)] == [task.ready for task in send(works, 1, *lines).tasks]


def test_what_is_accepted_later_waits_without_a_route_too(works: Works, people: dict[str, int]) -> None:
    """It pushes what comes after it; so does a line that 1C has no longer; what is begun waits for nothing."""
    lines = ("Раскрой", 480.0), ("Сборка", 240.0)
    sent = [order(lines, id=f"order-{n}", number=str(n)) for n in (1, 2)]
    first = works.assign(*sent)[0].tasks[0].task_id
    sent[0] = sent[0].model_copy(update={"accepted": at(24)})

    def look() -> list[list[datetime | None]]:
        with works.tools() as tools:
            listing = sorted(list_orders(tools, rules()).orders, key=lambda standing: standing.row.number)
            lists = [today.read_today(tools, rules(), "Раскрой", date(2026, 11, day)).lists for day in (23, 24, 25)]
        ready = [job.ready for (work_list,) in lists for job in work_list.jobs]
        answers = [works.assign(one, dry_run=True)[0].finish for one in sent]
        assert [standing.finish for standing in listing] == answers
        return [answers, ready]

    assert [at(24, 18)] * 2 == [works.assign(sent[0])[0].finish, works.assign(sent[0])[0].finish]
    assert [[at(24, 18), at(25, 18)]] * 2 == look()
    sent[0] = sent[0].model_copy(update={"lines": sent[0].lines[1:], "accepted": at(25)})
    assert [at(25, 18)] * 2 == [works.assign(sent[0], dry_run=True)[0].finish, works.assign(sent[0])[0].finish]
    assert [[at(25, 18), at(24, 18)], [at(24, 18), at(25, 18)]] == look()
    act(works, first, "start")
    assert [[at(25, 13), at(24, 18)], [at(23, 18), at(24, 18)]] == look()


@pytest.mark.parametrize("action", ["defer", "delete", "delegate"])
def test_what_waits_for_nobody_knows_what_does_not_move(action: str, works: Works, people: dict[str, int]) -> None:
    """It would help nobody, and when it is ready is not known, whatever makes that so."""
    home = works.portal.users[people["Сборка"]].departments[0]
    works.portal.add_user("Иван", "Второй", departments=[home])
    first = send(works, 1, ("Раскрой", 1440), ("Сборка", 240), wanted=at(25))
    clerk = works.portal.add_user("Иван", "Писарь", departments=[]).id
    act(works, first.tasks[0].task_id, action, **({"userId": clerk} if action == "delegate" else {}))
    one = stands(works, 1)
    assert ("late", None) == (one.state, one.lines[1].ready)
    with works.tools() as tools:
        (stays,) = replan.write(tools, rules(route=ROUTE), replan.Request(frozen_days=0), None, None).moves
    note = "it waits for work of which it is not known when it is done"
    assert (first.tasks[1].task_id, "skipped", note) == (stays.task_id, stays.outcome, stays.note)
    assert "late" == stands(works, 1).state


def test_orders_of_one_second_are_in_line_as_they_came(works: Works, people: dict[str, int]) -> None:
    """Their identifiers say nothing of that."""
    names = ["c", "a", "d", "b"]
    batch = [order([("Раскрой", 480)], id=name, number=name, wanted=at(27)) for name in names]
    works.assign(*batch[:2])
    works.assign(*batch[2:])
    with works.tools() as tools:
        assert names == [row.id for row in tools.store.orders.list_open()]
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 11, 24))
    with works.tools() as tools:
        replan.write(tools, rules(route=ROUTE), replan.Request(frozen_days=0), None, None)
        listing = {standing.row.id: standing.state for standing in list_orders(tools, rules(route=ROUTE)).orders}
    assert {"c": "at_risk", "a": "at_risk", "d": "at_risk", "b": "late"} == listing
