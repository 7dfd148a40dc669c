"""Operations in sequence: B24_ROUTE, Порядок in the lines, and what may be promised of the whole."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import pytest

from b24tools.assignment import portal_state
from b24tools.assignment.report import Bottleneck, OrderResult, Promise
from b24tools.assignment.workspace import Workspace
from b24tools.core import errors
from b24tools.onec import order as onec_order
from b24tools.scheduling import sequence
from tests.support.orders import MOSCOW, Works, order


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> datetime:
    """A moment of that autumn in Moscow; Monday is the 23rd."""
    return datetime(2026, month, day, hour, minute, tzinfo=MOSCOW)


def shops(works: Works, *names: str) -> list[int]:
    """Positions with one new person each; the people's ids."""
    ids = []
    for name in names:
        shop = works.portal.add_department(name, parent=4)
        ids.append(works.portal.add_user("Иван", name, departments=[shop.id]).id)
    return ids


def slots(result: OrderResult) -> list[tuple[datetime | None, datetime | None]]:
    """When each line is to be done."""
    return [(task.start, task.end) for task in result.tasks]


def staged(*lines: tuple[str, float, int | None]) -> tuple[onec_order.Line, ...]:
    """Lines with a place in the sequence."""
    return tuple(onec_order.Line(position=name, minutes=minutes, stage=stage) for name, minutes, stage in lines)


ABC = ("Раскрой", "Сборка", "Упаковка")


@pytest.mark.parametrize(
    ("operations", "way", "expected"),
    [
        ([("А", None), ("Б", None)], (), [None, None]),
        ([("Б", None), ("А", None), ("В", None)], ("А", "Б"), [1, 0, None]),
        ([("а", None), ("Ёлка зелёная", None)], ("Елка  Зеленая", "А"), [1, 0]),
        ([("А", None), ("Б", 5), ("В", 2)], ("А", "Б"), [None, 5, 2]),
        ([("А", 1), ("Б", 0), ("В", None)], ("В", "А"), [1, 0, None]),
        ([("А", 0), ("Б", 0), ("В", None)], ("В", "А"), [1, None, 0]),
        ([("А", None)], ("А", "Б", "А"), [0]),
    ],
)
def test_a_stage_comes_from_the_order_or_else_from_the_route(
    operations: list[tuple[str, int | None]], way: tuple[str, ...], expected: list[int | None]
) -> None:
    """Names are compared as positions; what neither names has none; a first mention counts, zeros alone do not."""
    assert expected == sequence.stages(operations, way)


def test_an_operation_starts_when_the_one_before_it_ends(works: Works) -> None:
    """Whatever the sequence of the lines; what the route does not name starts at once."""
    shops(works, *ABC, "Склад")
    lines = (("Упаковка", 60), ("Склад", 30), ("Раскрой", 120), ("Сборка", 180))
    result = works.assign(order(lines), route=ABC)[0]
    assert slots(result) == [
        (at(23, 15), at(23, 16)),
        (at(23, 9), at(23, 9, 30)),
        (at(23, 9), at(23, 11)),
        (at(23, 11), at(23, 15)),
    ]
    assert slots(result) == slots(works.assign(order(lines), route=ABC)[0])


def test_without_a_route_all_start_at_once(works: Works) -> None:
    """As ever."""
    shops(works, *ABC)
    result = works.assign(order([(name, 60) for name in ABC]))[0]
    assert slots(result) == [(at(23, 9), at(23, 10))] * 3


def test_the_numbers_of_an_order_replace_the_route(works: Works) -> None:
    """Equal numbers side by side; the next starts after the longer of them."""
    shops(works, *ABC)
    lines = staged(("Раскрой", 60, 10), ("Сборка", 120, 10), ("Упаковка", 60, 20))
    result = works.assign(order(lines=()).model_copy(update={"lines": lines}), route=tuple(reversed(ABC)))[0]
    assert slots(result) == [(at(23, 9), at(23, 10)), (at(23, 9), at(23, 11)), (at(23, 11), at(23, 12))]


def test_two_lines_of_one_position_are_done_before_the_next_stage(works: Works) -> None:
    """One person does both, one after the other."""
    shops(works, *ABC)
    result = works.assign(order([("Раскрой", 60), ("Раскрой", 60), ("Сборка", 60)]), route=ABC)[0]
    assert slots(result) == [(at(23, 9), at(23, 10)), (at(23, 10), at(23, 11)), (at(23, 11), at(23, 12))]


def test_an_operation_waits_for_the_slot_of_an_existing_one(works: Works) -> None:
    """The first line was sent yesterday, the second is new."""
    shops(works, *ABC)
    works.assign(order([("Раскрой", 240)]), route=ABC)
    again = works.assign(order([("Раскрой", 240), ("Сборка", 60)]), route=ABC)[0]
    assert slots(again) == [(at(23, 9), at(23, 13)), (at(23, 14), at(23, 15))]


def test_an_operation_waits_for_what_is_left_of_an_overdue_one(works: Works) -> None:
    """Planned for yesterday and not done: its estimate less the time spent, from now."""
    shops(works, *ABC)
    first = works.assign(order([("Раскрой", 240)]), route=ABC)[0].tasks[0]
    works.portal.tasks[first.task_id or 0].time_spent = 3 * 3600
    works.clock.now = at(24, 10)
    again = works.assign(order([("Раскрой", 240), ("Сборка", 60)]), route=ABC)[0]
    assert (at(24, 11), at(24, 12)) == slots(again)[1]
    assert (at(24, 12), date(2026, 11, 24)) == (again.finish, again.promise and again.promise.day)


def test_an_operation_whose_forerunner_is_behind_ends_later_than_planned(works: Works) -> None:
    """The first ends at six instead of one, so the second takes the next morning's first hour, and the third follows.

    One that somebody has begun all the same ends as planned.
    """
    shops(works, *ABC)
    lines = [("Раскрой", 240), ("Сборка", 60)]
    second = works.assign(order(lines), route=ABC)[0].tasks[1]
    works.clock.now = at(23, 13, 30)
    again = works.assign(order(lines), route=ABC)[0]
    expected = Promise(at(24, 10), date(2026, 11, 24), 0, Bottleneck("Раскрой", 0, 4 * 3600, "Иван Раскрой"))
    assert (at(24, 10), expected, "unchanged") == (again.finish, again.promise, again.outcome)
    third = works.assign(order([*lines, ("Упаковка", 60)]), route=ABC, dry_run=True)[0].tasks[2]
    assert (at(24, 10), at(24, 11)) == (third.start, third.end)
    works.portal.act("tasks.task.start", {"taskId": second.task_id}, user_id=1)
    assert at(23, 18) == works.assign(order(lines), route=ABC)[0].finish


def test_a_finished_operation_is_not_waited_for(works: Works) -> None:
    """Its plan may lie in the future."""
    shops(works, *ABC)
    first = works.assign(order([("Раскрой", 2400)]), route=ABC)[0].tasks[0]
    works.portal.act("tasks.task.complete", {"taskId": first.task_id}, user_id=1)
    again = works.assign(order([("Раскрой", 2400), ("Сборка", 60)]), route=ABC)[0]
    assert (at(23, 9), at(23, 10)) == slots(again)[1]


def test_an_operation_without_a_plan_is_not_waited_for_but_told(works: Works) -> None:
    """Nobody can do the first one."""
    shops(works, "Сборка")
    task = works.assign(order([("Раскрой", 60), ("Сборка", 60)]), route=ABC)[0].tasks[1]
    assert (at(23, 9), ('the operation before it, "Раскрой", has no plan: it is not waited for',)) == (
        task.start,
        task.warnings,
    )


def test_more_minutes_that_meet_the_next_operation_are_told_once(works: Works) -> None:
    """The start and who does it stay; sent again, nothing is said."""
    shops(works, *ABC)
    works.assign(order([("Раскрой", 60), ("Сборка", 60)]), route=ABC)
    longer = order([("Раскрой", 120), ("Сборка", 60)])
    first, second = works.assign(longer, route=ABC)[0].tasks
    assert ("updated", ('it now ends after the next operation, "Сборка", begins',)) == (first.outcome, first.warnings)
    assert ("unchanged", ()) == (second.outcome, second.warnings)
    assert [()] * 2 == [task.warnings for task in works.assign(longer, route=ABC)[0].tasks]


def test_a_pinned_person_waits_for_the_operation_before_as_well(works: Works) -> None:
    """--to says who, not when."""
    _cutter, fitter, _packer = shops(works, *ABC)
    result = works.assign(order([("Раскрой", 60), ("Упаковка", 60)]), route=ABC, pins={"Упаковка": fitter})[0]
    assert ((fitter, "Иван Сборка"), at(23, 10)) == (result.tasks[1].responsible, result.tasks[1].start)


@pytest.mark.parametrize("value", ["x", -1, 1.5, True, 10**7])
def test_a_stage_that_is_no_whole_number_is_refused(value: Any) -> None:
    """With the path and the value."""
    line = {"Должность": "А", "Время": 1, "Порядок": value}
    raw = json.dumps({"ИдентификаторЗаказа": "1", "НомерЗаказа": "1", "Калькуляция": [line]}).encode()
    with pytest.raises(errors.OrderError, match=r"Калькуляция\[0\]\.Порядок: .* is not a whole number from 0 to"):
        onec_order.read_orders(raw, MOSCOW)


# what may be promised


def promised(works: Works, lines: Any, **changes: Any) -> Promise | None:
    """The promise of a plan."""
    settings = {name: changes.pop(name) for name in ("route",) if name in changes}
    return works.assign(order(lines, **changes), dry_run=True, **settings)[0].promise


def test_an_order_in_time_is_promised_for_its_last_operation(works: Works) -> None:
    """Late by nothing; the longest of what decides is named."""
    shops(works, *ABC)
    expected = Promise(at(24, 12), date(2026, 11, 24), 0, Bottleneck("Сборка", 0, 8 * 3600, "Иван Сборка"))
    promise = promised(works, [("Раскрой", 120), ("Сборка", 480), ("Упаковка", 60)], route=ABC, wanted=at(27))
    assert expected == promise


def test_lateness_is_counted_in_working_time_from_the_end_of_the_wanted_day(works: Works) -> None:
    """Wanted on Monday, ready on Wednesday at ten: nine working hours."""
    shops(works, *ABC)
    promise = promised(works, [("Раскрой", 17 * 60)], wanted=at(23))
    assert (9 * 3600, date(2026, 11, 25)) == (promise and promise.late_s, promise and promise.day)


def test_an_order_wanted_at_an_hour_is_late_from_then(works: Works) -> None:
    """Ready at noon, wanted at half past ten."""
    shops(works, *ABC)
    promise = promised(works, [("Раскрой", 180)], wanted=at(23, 10, 30))
    assert 5400 == (promise and promise.late_s)


def test_waiting_makes_a_bottleneck_too(works: Works) -> None:
    """A short operation whose only person is busy for two days holds up the order, not a longer one."""
    _cutter, fitter, _packer = shops(works, *ABC)
    works.portal.add_task("Чужая", responsible=fitter, creator=1, time_estimate=16 * 3600)
    promise = promised(works, [("Раскрой", 180), ("Сборка", 60), ("Упаковка", 240)], route=ABC)
    assert Bottleneck("Сборка", 13 * 3600, 3600, "Иван Сборка") == (promise and promise.bottleneck)


def test_sent_again_an_order_is_promised_with_all_that_stands_before_it(works: Works) -> None:
    """It is held up by the same work of others as before."""
    (cutter,) = shops(works, "Раскрой")
    works.portal.add_task("Чужая", responsible=cutter, creator=1, time_estimate=16 * 3600)
    promises = [works.assign(order([("Раскрой", 60)]))[0].promise for _time in range(2)]
    assert [(16 * 3600, 3600)] * 2 == [
        (promise.bottleneck.wait_s, promise.bottleneck.work_s) for promise in promises if promise and promise.bottleneck
    ]


def test_nobody_waits_for_the_next_whole_step(works: Works) -> None:
    """At a minute past ten work begins at five past, though everybody is free."""
    shops(works, "Раскрой")
    works.clock.now = at(23, 10, 1)
    promise = promised(works, [("Раскрой", 60)])
    assert Bottleneck("Раскрой", 0, 3600, "Иван Раскрой") == (promise and promise.bottleneck)


def test_only_what_decides_the_end_is_a_bottleneck(works: Works) -> None:
    """The longest operation of another branch does not count if it is done earlier."""
    shops(works, *ABC, "Склад")
    lines = [("Раскрой", 210), ("Сборка", 180), ("Склад", 300)]
    promise = promised(works, lines, route=ABC)
    assert Bottleneck("Раскрой", 0, 210 * 60, "Иван Раскрой") == (promise and promise.bottleneck)


@pytest.mark.parametrize("lines", [[], [("Раскрой", 60), ("Нет такой", 60)]])
def test_nothing_is_promised_where_nobody_can_say(works: Works, lines: Any) -> None:
    """No lines, or one that failed."""
    shops(works, "Раскрой")
    assert promised(works, lines) is None


def test_nothing_is_promised_of_a_finished_order(works: Works) -> None:
    """Done is done."""
    shops(works, "Раскрой")
    works.assign(order([("Раскрой", 60)]))
    assert works.assign(order([("Раскрой", 60)], done=True))[0].promise is None


def test_an_overdue_task_makes_the_promise_later_than_its_plan(works: Works) -> None:
    """Nobody worked on it yesterday: it cannot be ready before what is left is done."""
    shops(works, "Раскрой")
    works.assign(order([("Раскрой", 240)], wanted=at(23)))
    works.clock.now = at(25, 8)
    result = works.assign(order([("Раскрой", 240)], wanted=at(23)))[0]
    assert (at(25, 13), 13 * 3600, 12 * 3600) == (
        result.finish,
        result.late_s - 24 * 3600,
        result.promise and result.promise.late_s,
    )


def test_somebody_who_leaves_while_files_are_uploaded_is_told(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal gives the task all the same: a person must act."""
    (cutter,) = shops(works, "Раскрой")
    upload = Workspace.upload

    def leave(self: Workspace, lines: Any) -> None:
        upload(self, lines)
        works.clock.sleep(60)
        works.portal.users[cutter].active = False

    monkeypatch.setattr(Workspace, "upload", leave)
    works.portal.log.clear()
    file = onec_order.Attachment(name="чертёж.pdf", content=b"x")
    task = works.assign(order([("Раскрой", 60)], files=(file,)))[0].tasks[0]
    assert ("created", ("Иван Раскрой has left since the plan was made: give the task to somebody else",)) == (
        task.outcome,
        task.warnings,
    )
    assert "user.get" in works.portal.log[-1].methods


def test_somebody_who_leaves_while_it_is_planned_is_told(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read of the portal may be old before the first is written: more of it was waited for."""
    (cutter,) = shops(works, "Раскрой")
    read_more = portal_state.read_more_absences

    def leave(*args: Any) -> Any:
        more = read_more(*args)
        works.clock.sleep(60)
        works.portal.users[cutter].active = False
        return more

    monkeypatch.setattr(portal_state, "read_more_absences", leave)
    task = works.assign(order([("Раскрой", 60)]))[0].tasks[0]
    assert ("Иван Раскрой has left since the plan was made: give the task to somebody else",) == task.warnings


def test_who_was_seen_a_moment_ago_is_not_asked_about_again(works: Works) -> None:
    """Each command takes the portal its time."""
    shops(works, "Раскрой")
    works.assign(order([("Раскрой", 60)]))
    assert ["tasks.task.add"] == list(works.portal.log[-1].methods)
