"""Orders as they stand: what is done, when the rest will be, and what holds it up."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from b24tools.assignment.hold_up import HoldUp
from b24tools.assignment.report import Bottleneck
from b24tools.assignment.standing import Standings, read_standings
from b24tools.render.orders import describe_hold_up, describe_line
from b24tools.scheduling.people_file import parse
from tests.support.crash import killed_at
from tests.support.orders import MOSCOW, Works, order, rules

ROUTE = ("Раскрой", "Сборка")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of November in Moscow."""
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


def send(works: Works, number: int, *lines: tuple[str, float], **changes: Any) -> list[int]:
    """Send an order of a route; the ids of its tasks."""
    values = {"id": f"order-{number}", "number": str(number)} | changes
    result = works.assign(order(lines, **values), route=ROUTE)[0]
    return [task.task_id or 0 for task in result.tasks]


def standings(works: Works) -> Standings:
    """All orders."""
    with works.tools(dry_run=True) as tools:
        return read_standings(tools, rules(route=ROUTE, people=works.people), tools.store.orders.list_all())


def shown(works: Works) -> dict[str, tuple[str, int, datetime | None, HoldUp | None]]:
    """State, finished lines, the finish and what holds it up, by number."""
    return {now.row.number: (now.state, now.done, now.finish, now.holds_up) for now in standings(works).orders}


def test_an_order_stands_as_it_was_promised(works: Works, people: dict[str, int]) -> None:
    """Its header is 1C's; each line has its person and its time."""
    send(works, 1, ("Раскрой", 240), ("Сборка", 60), customer="Ромашка", wanted=at(25), priority=2)
    (standing,) = standings(works).orders
    expected = ("1", "Ромашка", at(25), 2, date(2026, 11, 23))
    row = standing.row
    assert expected == (row.number, row.customer, row.wanted, row.priority, row.promised_first)
    assert ("open", 0, at(23, 15), None) == shown(works)["1"]
    assert [(at(23, 9), at(23, 13)), (at(23, 14), at(23, 15))] == [line.span for line in standing.lines]
    assert [None, 0] == [line.after for line in standing.lines]


def test_a_delay_goes_through_the_route_and_over_to_other_orders(works: Works, people: dict[str, int]) -> None:
    """Nothing is cut or assembled by noon on Tuesday: what can be assembled comes first, the other waits for both."""
    send(works, 1, ("Раскрой", 240), ("Сборка", 240), wanted=at(23))
    send(works, 2, ("Сборка", 300), wanted=at(24))
    works.clock.now = at(24, 12)
    behind = HoldUp("Раскрой", "Иван Раскрой", "behind")
    first = ("late", 0, at(25, 13), behind)
    assert {"1": first, "2": ("open", 0, at(24, 18), None)} == shown(works)


@pytest.mark.parametrize("executed", [True, False])
def test_a_change_of_ours_that_was_cut_is_nobodys(executed: bool, works: Works, people: dict[str, int]) -> None:
    """1C has sent other minutes; the plan that the task shows is the old one, or that of the request."""
    (task,) = send(works, 1, ("Раскрой", 240), wanted=at(23))
    with killed_at(works.portal, 2, executed=executed):
        send(works, 1, ("Раскрой", 960), wanted=at(23))
    finish = at(24, 18) if executed else at(23, 13)
    works.clock.now += timedelta(minutes=5)
    assert finish.timestamp() == works.portal.tasks[task].end_plan
    (standing,) = standings(works).orders
    assert (finish, [False]) == (standing.finish, [line.is_moved_by_hand for line in standing.lines])
    later = {"START_DATE_PLAN": at(25, 9).isoformat(), "END_DATE_PLAN": at(25, 18).isoformat()}
    works.portal.act("tasks.task.update", {"taskId": task, "fields": later}, user_id=1)
    assert [True] == [line.is_moved_by_hand for line in standings(works).orders[0].lines]


def test_who_has_not_begun_is_behind_and_has_no_other_work_first(works: Works, people: dict[str, int]) -> None:
    """The slot has begun at nine and is not over; only what comes after that has other work before it."""
    send(works, 1, ("Раскрой", 480), wanted=at(23))
    send(works, 2, ("Раскрой", 60), wanted=at(24, 10))
    works.clock.now = at(23, 11)
    behind, busy = (HoldUp("Раскрой", "Иван Раскрой", reason) for reason in ("behind", "busy"))
    assert {"1": ("late", 0, at(24, 11), behind), "2": ("late", 0, at(24, 12), busy)} == shown(works)
    (sent,) = works.assign(order([("Раскрой", 480)], id="order-1", number="1", wanted=at(23)), route=ROUTE)
    assert at(24, 11) == sent.finish
    assert behind == shown(works)["1"][3]


def test_whoever_is_ill_or_gone_holds_it_up(works: Works, people: dict[str, int]) -> None:
    """Past what was promised first the order is at risk, past the wanted day it is late."""
    send(works, 1, ("Раскрой", 240), wanted=at(30))
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 11, 24))
    away = HoldUp("Раскрой", "Иван Раскрой", "away", date(2026, 11, 24))
    assert ("at_risk", 0, at(25, 13), away) == shown(works)["1"]
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 25), date(2026, 12, 1))
    assert ("late", "away") == (shown(works)["1"][0], (shown(works)["1"][3] or away).reason)
    works.portal.users[people["Раскрой"]].active = False
    assert "gone" == (shown(works)["1"][3] or away).reason


def test_an_absence_that_is_over_holds_nothing_up(works: Works, people: dict[str, int]) -> None:
    """The work goes on, and is behind its plan."""
    (task,) = send(works, 1, ("Раскрой", 1440), wanted=at(26))
    works.clock.now = at(24, 15)
    works.portal.act("tasks.task.start", {"taskId": task}, user_id=1)
    works.portal.add_absence(people["Раскрой"], at(23, 9), at(23, 13))
    (now,) = standings(works).orders
    assert HoldUp("Раскрой", "Иван Раскрой", "behind") == now.holds_up
    assert ("in progress", "") == describe_line(now.lines[0], MOSCOW, at(24, 15))


def test_absences_that_meet_or_overlap_are_one(works: Works, people: dict[str, int]) -> None:
    """A sick leave is extended by a second one; the last day of all is named, to the hour where it ends within it."""
    send(works, 1, ("Раскрой", 240), wanted=at(24))
    days = [(date(2026, 11, 23), date(2026, 11, 24)), (date(2026, 11, 24), date(2026, 11, 25)), (at(26), at(26, 12))]
    until: list[tuple[date, time | None]] = [
        (date(2026, 11, 24), None),
        (date(2026, 11, 25), None),
        (date(2026, 11, 26), time(12)),
    ]
    words = ["24.11", "25.11", "26.11 12:00"]
    for absence, end, text in zip(days, until, words, strict=True):
        works.portal.add_absence(people["Раскрой"], *absence)
        now = standings(works)
        assert HoldUp("Раскрой", "Иван Раскрой", "away", *end) == now.orders[0].holds_up
        told = describe_hold_up(now.orders[0].holds_up, date(2026, 11, 23))
        assert f"Раскрой - Иван Раскрой is away until {text}" == told
        (line,) = now.orders[0].lines
        assert (f"not begun, away until {text}", "yellow") == describe_line(line, MOSCOW, at(23, 9))
    assert [(at(23), at(26, 12))] == [(one.start, one.end) for one in now.portal.absences[people["Раскрой"]]]
    (sent,) = works.assign(order([("Раскрой", 240)], id="order-2", number="2", wanted=at(24)))
    assert sent.promise is not None and sent.promise.bottleneck is not None
    assert (date(2026, 11, 26), time(12)) == (sent.promise.bottleneck.away_until, sent.promise.bottleneck.away_time)


def test_a_wait_for_the_person_holds_up_more_than_short_work(works: Works, people: dict[str, int]) -> None:
    """The operation that the answer to the order names: other work of its person, an absence, or its own work."""
    send(works, 1, ("Сборка", 480), wanted=at(30))
    lines = {2: (("Раскрой", 240), ("Сборка", 60)), 3: (("Раскрой", 960),), 4: (("Сборка", 600),)}
    expected = {
        2: HoldUp("Сборка", "Иван Сборка", "busy"),
        3: HoldUp("Раскрой", "Иван Раскрой", "work"),
        4: HoldUp("Сборка", "Иван Сборка", "work"),
    }
    for number, operations in lines.items():
        sent = order(operations, id=f"order-{number}", number=str(number), wanted=at(23))
        promise = works.assign(sent, route=ROUTE)[0].promise
        assert promise is not None and promise.bottleneck is not None
        hold_up = shown(works)[str(number)][3]
        assert (expected[number], promise.bottleneck.position) == (hold_up, expected[number].position)


def test_what_is_accepted_later_does_not_wait_for_its_person(works: Works, people: dict[str, int]) -> None:
    """On Monday at noon, the longer operation holds it up; on Wednesday the acceptance. The answer says the same."""
    lines = [("Раскрой", 60.0), ("Сборка", 240.0)]
    expected: dict[datetime, tuple[Bottleneck, HoldUp]] = {
        at(23, 12): (Bottleneck("Сборка", 0, 14400, "Иван Сборка"), HoldUp("Сборка", "Иван Сборка", "work")),
        at(25, 12): (
            Bottleneck("Раскрой", 19 * 3600, 3600, "Иван Раскрой", accepted=at(25, 12)),
            HoldUp("Раскрой", "Иван Раскрой", "accepted", date(2026, 11, 25), time(12)),
        ),
    }
    for number, (accepted, said) in enumerate(expected.items()):
        sent = order(lines, id=f"order-{number}", wanted=at(20), number=str(number), accepted=accepted)
        promise = works.assign(sent, route=ROUTE)[0].promise
        assert promise is not None
        assert said == (promise.bottleneck, shown(works)[str(number)][3])


def test_who_is_away_before_the_plan_holds_it_up(works: Works, people: dict[str, int]) -> None:
    """The work was planned around the absence, and is not behind."""
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 11, 24))
    send(works, 1, ("Раскрой", 480), wanted=at(23))
    away = HoldUp("Раскрой", "Иван Раскрой", "away", date(2026, 11, 24))
    assert ("late", 0, at(25, 18), away) == shown(works)["1"]
    works.clock.now = at(25, 8)
    assert HoldUp("Раскрой", "Иван Раскрой", "work") == shown(works)["1"][3]


def test_what_people_did_is_seen(works: Works, people: dict[str, int]) -> None:
    """Finished early, given to somebody else, given out of production, moved, deleted."""
    cut, assembled = send(works, 1, ("Раскрой", 240), ("Сборка", 60))
    works.clock.now = at(23, 10)
    works.portal.act("tasks.task.complete", {"taskId": cut}, user_id=1)
    assert ("open", 1, at(23, 15), None) == shown(works)["1"]
    other = works.portal.add_user("Пётр", "Петров", departments=[1]).id
    works.portal.act("tasks.task.delegate", {"taskId": assembled, "userId": other}, user_id=1)
    lines = standings(works).orders[0].lines
    assert [False, True] == [line.is_moved_by_hand for line in lines]
    office = works.portal.add_department("Контора")
    outsider = works.portal.add_user("Анна", "Контора", departments=[office.id]).id
    works.portal.act("tasks.task.delegate", {"taskId": assembled, "userId": outsider}, user_id=other)
    assert ("at_risk", 1, None, HoldUp("Сборка", None, "outside")) == shown(works)["1"]
    works.portal.act("tasks.task.delete", {"taskId": assembled}, user_id=1)
    assert ("at_risk", 1, None, HoldUp("Сборка", None, "missing")) == shown(works)["1"]


def test_finished_and_cancelled_orders_are_over(works: Works, people: dict[str, int]) -> None:
    """Of a cancelled one nothing is done any more."""
    (cut,) = send(works, 1, ("Раскрой", 240))
    send(works, 2, ("Раскрой", 240))
    works.clock.now = at(23, 10)
    works.portal.act("tasks.task.complete", {"taskId": cut}, user_id=1)
    send(works, 2, ("Раскрой", 240), called_off=True)
    assert {"1": ("done", 1, at(23, 10), None), "2": ("done", 0, None, None)} == shown(works)


def test_only_a_change_takes_a_number(works: Works, people: dict[str, int]) -> None:
    """A rising one over all orders; what is over is not listed again."""
    send(works, 1, ("Раскрой", 240))
    (task,) = send(works, 2, ("Раскрой", 240))

    def save() -> dict[str, int]:
        current = standings(works)
        with works.tools() as tools:
            changes = {now.row.id: (now.to_compare(current.calendar), now.state == "done") for now in current.orders}
            tools.store.orders.save_standings(changes, works.clock())
            return {row.number: row.changed_no for row in tools.store.orders.list_open()}

    first = save()
    assert first["1"] < first["2"]
    assert first == save()
    works.portal.act("tasks.task.complete", {"taskId": task}, user_id=1)
    assert {"1": first["1"]} == save()
    with works.tools() as tools:
        assert first["2"] < tools.store.orders.last_change() == tools.store.orders.find("2")[0].changed_no


def test_who_makes_most_of_the_delay_holds_it_up(works: Works, people: dict[str, int]) -> None:
    """Nobody has pressed "start" yet; the assembler is away for weeks, under the slot or behind it."""
    send(works, 1, ("Раскрой", 480), ("Сборка", 60), wanted=at(26))
    works.clock.now = at(23, 9, 5)
    behind = HoldUp("Раскрой", "Иван Раскрой", "behind")
    works.portal.add_absence(people["Сборка"], date(2026, 11, 24), date(2026, 12, 11))
    away = HoldUp("Сборка", "Иван Сборка", "away", date(2026, 12, 11))
    assert ("late", 0, datetime(2026, 12, 14, 10, tzinfo=MOSCOW), away) == shown(works)["1"]
    works.clock.now = at(23, 18)
    assert away == shown(works)["1"][3]
    works.portal.absences.clear()
    works.portal.add_absence(people["Сборка"], date(2026, 11, 25), date(2026, 11, 25))
    works.clock.now = at(24, 15)
    assert ("at_risk", behind) == (shown(works)["1"][0], shown(works)["1"][3])


def test_a_delay_behind_an_absence_is_the_absence(works: Works, people: dict[str, int]) -> None:
    """The slot is over before it; other work pushes the task behind it."""
    send(works, 1, ("Раскрой", 480), wanted=at(23))
    send(works, 2, ("Раскрой", 480), wanted=at(24))
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 25), date(2026, 12, 11))
    works.clock.now = at(24, 8)
    away = HoldUp("Раскрой", "Иван Раскрой", "away", date(2026, 12, 11))
    expected = {"1": ("late", 0, at(24, 18), HoldUp("Раскрой", "Иван Раскрой", "behind"))}
    assert expected | {"2": ("late", 0, datetime(2026, 12, 14, 18, tzinfo=MOSCOW), away)} == shown(works)
    works.portal.absences.clear()
    assert HoldUp("Раскрой", "Иван Раскрой", "busy") == shown(works)["2"][3]


@pytest.mark.parametrize(
    ("begins", "ends", "reason"),
    [
        (at(26, 9, 30), at(26, 10, 30), "behind"),
        (at(26, 9, 30), datetime(2026, 12, 12, tzinfo=MOSCOW), "away"),
        (at(23, 10), at(26, 10, 30), "away"),
    ],
    ids=["a visit to the doctor", "for long from now on", "under the plan"],
)
def test_a_short_absence_long_after_the_plan_is_not_what_holds_it_up(
    begins: datetime, ends: datetime, reason: str, works: Works, people: dict[str, int]
) -> None:
    """Whoever should have been done on Monday is away on Thursday at ten."""
    send(works, 1, ("Раскрой", 120), wanted=at(23))
    works.clock.now = at(26, 10)
    works.portal.add_absence(people["Раскрой"], begins, ends)
    held = shown(works)["1"][3]
    assert held is not None
    assert reason == held.reason


def test_what_waits_has_its_own_delay_too(works: Works, people: dict[str, int]) -> None:
    """The cutter is five minutes behind; the assembler has been given two days of other work."""
    send(works, 1, ("Раскрой", 240), ("Сборка", 60), wanted=at(24))
    works.clock.now = at(23, 9, 5)
    other = works.portal.add_task("Помочь складу", responsible=people["Сборка"], time_estimate=16 * 3600)
    works.portal.act("tasks.task.start", {"taskId": other.id}, user_id=1)
    busy = HoldUp("Сборка", "Иван Сборка", "busy")
    assert ("late", 0, at(25, 10, 5), busy) == shown(works)["1"]


def test_a_late_order_stays_late_when_somebody_has_the_rest_outside(works: Works, people: dict[str, int]) -> None:
    """When it is ready is not known any more, and that is why; that it is late is known."""
    _cut, assembled = send(works, 1, ("Раскрой", 960), ("Сборка", 60), wanted=at(23))
    assert ("late", 0, at(25, 10), HoldUp("Раскрой", "Иван Раскрой", "work")) == shown(works)["1"]
    office = works.portal.add_department("Контора")
    outsider = works.portal.add_user("Анна", "Контора", departments=[office.id]).id
    works.portal.act("tasks.task.delegate", {"taskId": assembled, "userId": outsider}, user_id=1)
    outside = HoldUp("Сборка", None, "outside")
    assert ("late", 0, None, outside) == shown(works)["1"]
    works.clock.now = at(23, 12)
    assert ("late", 0, None, outside) == shown(works)["1"]


def test_a_task_that_somebody_has_put_later_holds_it_up(works: Works, people: dict[str, int]) -> None:
    """Its person has nothing else to do; the one before it is five minutes behind. A short move is not the reason."""
    _cut, assembled = send(works, 1, ("Раскрой", 240), ("Сборка", 60), wanted=at(24))

    def move(day: int, hour: int) -> None:
        fields = {"START_DATE_PLAN": at(day, hour).isoformat(), "END_DATE_PLAN": at(day, hour + 1).isoformat()}
        works.portal.act("tasks.task.update", {"taskId": assembled, "fields": fields}, user_id=1)

    move(26, 10)
    moved = HoldUp("Сборка", "Иван Сборка", "moved")
    assert ("late", 0, at(26, 11), moved) == shown(works)["1"]
    works.clock.now = at(23, 9, 5)
    assert ("late", 0, at(26, 11), moved) == shown(works)["1"]
    move(23, 15)
    works.clock.now = at(24, 9)
    assert ("at_risk", 0, at(24, 15), HoldUp("Раскрой", "Иван Раскрой", "behind")) == shown(works)["1"]


def test_who_has_nothing_else_to_do_is_not_busy(works: Works, people: dict[str, int]) -> None:
    """The order before was cancelled, and 1C wants this one sooner: it lies where it lay. `assign` says it, too."""
    send(works, 1, ("Раскрой", 1440))
    send(works, 2, ("Раскрой", 480))

    def look(number: int, minutes: float) -> tuple[HoldUp | None, Any]:
        sent = order([("Раскрой", minutes)], id=f"order-{number}", number=str(number), wanted=at(23))
        promise = works.assign(sent, route=ROUTE)[0].promise
        return shown(works)[str(number)][3], promise and promise.bottleneck

    busy, planned = (HoldUp("Раскрой", "Иван Раскрой", reason) for reason in ("busy", "planned"))
    waits = "Раскрой", 24 * 3600, 8 * 3600, "Иван Раскрой", None
    assert (busy, Bottleneck(*waits)) == look(2, 480)
    send(works, 1, ("Раскрой", 1440), called_off=True)
    assert (planned, Bottleneck(*waits, planned_later=True)) == look(2, 480)
    send(works, 3, ("Раскрой", 900))  # nine hours are left before it
    assert (busy, Bottleneck(*waits)) == look(2, 480)


def test_a_plan_that_an_operation_before_it_does_not_need_is_not_other_work(
    works: Works, people: dict[str, int]
) -> None:
    """The cutter has begun a day sooner: the assembler has time until the plan."""
    send(works, 1, ("Раскрой", 480))
    cut, _assembled = send(works, 2, ("Раскрой", 60), ("Сборка", 120), wanted=at(23))
    works.clock.now = at(23, 9)
    works.portal.act("tasks.task.start", {"taskId": cut}, user_id=1)
    assert ("late", 0, at(24, 12), HoldUp("Сборка", "Иван Сборка", "planned")) == shown(works)["2"]
    send(works, 3, ("Сборка", 420))
    assert ("late", 0, at(24, 12), HoldUp("Сборка", "Иван Сборка", "busy")) == shown(works)["2"]


@pytest.mark.parametrize("how", ["behind", "other work"])
def test_an_absence_in_the_plan_holds_up_more_than_two_hours(how: str, works: Works, people: dict[str, int]) -> None:
    """The work was planned around it, and too late for the wanted day; not where it would have been in time."""
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 24), date(2026, 11, 25))
    send(works, 1, ("Раскрой", 960), wanted=at(25))
    works.clock.now = at(23, 11)
    if how == "other work":
        works.clock.now = at(23, 9)
        other = works.portal.add_task("Помочь складу", responsible=people["Раскрой"], time_estimate=2 * 3600)
        works.portal.act("tasks.task.start", {"taskId": other.id}, user_id=1)
    away = HoldUp("Раскрой", "Иван Раскрой", "away", date(2026, 11, 25))
    assert ("late", 0, at(27, 11), away) == shown(works)["1"]
    send(works, 1, ("Раскрой", 960), wanted=at(26))
    missed = HoldUp("Раскрой", "Иван Раскрой", "behind" if how == "behind" else "busy")
    assert ("late", 0, at(27, 11), missed) == shown(works)["1"]
    send(works, 1, ("Раскрой", 960), wanted=at(30))  # it was promised for the 26th
    assert ("at_risk", 0, at(27, 11), missed) == shown(works)["1"]


def test_who_is_ill_in_the_midst_of_what_he_has_begun_holds_it_up(works: Works, people: dict[str, int]) -> None:
    """Before the sick leave, and while it lasts; then he is there, and behind the plan."""
    (task,) = send(works, 1, ("Раскрой", 960), wanted=at(24))
    works.clock.now = at(23, 9)
    works.portal.act("tasks.task.start", {"taskId": task}, user_id=1)
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 24), date(2026, 11, 24))
    away = HoldUp("Раскрой", "Иван Раскрой", "away", date(2026, 11, 24))
    for now in at(23, 9), at(23, 17), at(24, 10), at(24, 17):
        works.clock.now = now
        assert ("late", 0, at(25, 18), away) == shown(works)["1"]
    works.clock.now = at(25, 10)
    assert ("late", 0, at(25, 18), HoldUp("Раскрой", "Иван Раскрой", "behind")) == shown(works)["1"]


def test_a_wait_in_the_plan_holds_up_more_than_five_minutes(works: Works, people: dict[str, int]) -> None:
    """The cutter has not pressed "start"; the assembler has other work for days, as was known."""
    send(works, 1, ("Сборка", 1440), wanted=at(30))
    send(works, 2, ("Раскрой", 60), ("Сборка", 60), wanted=at(24))
    works.clock.now = at(23, 9, 5)
    assert HoldUp("Сборка", "Иван Сборка", "busy") == shown(works)["2"][3]


def test_an_order_that_1c_accepts_later_waits_for_that(works: Works, people: dict[str, int]) -> None:
    """It was planned in time; nobody is behind, before or after that day. Who cannot begin sooner is not held by it."""
    lines = ("Раскрой", 60.0), ("Сборка", 240.0)
    send(works, 1, *lines, wanted=at(24))
    send(works, 1, *lines, wanted=at(24), accepted=at(26, 9))
    accepted = HoldUp("Раскрой", "Иван Раскрой", "accepted", date(2026, 11, 26), time(9))
    for now, finish in {at(23, 7): at(26, 15), at(24, 10): at(26, 15), at(26, 10): at(26, 16)}.items():
        works.clock.now = now
        assert ("late", 0, finish, accepted) == shown(works)["1"]
    works.clock.now = at(23, 7)
    send(works, 2, ("Сборка", 2400), wanted=at(24))
    send(works, 2, ("Сборка", 2400), wanted=at(24), accepted=at(23, 10))  # it was too late before
    assert HoldUp("Сборка", "Иван Сборка", "work") == shown(works)["2"][3]
    send(works, 2, ("Сборка", 2400), called_off=True)
    other = works.portal.add_task("Помочь складу", responsible=people["Раскрой"], time_estimate=40 * 3600)
    works.portal.act("tasks.task.start", {"taskId": other.id}, user_id=1)
    assert HoldUp("Раскрой", "Иван Раскрой", "busy") == shown(works)["1"][3]
    works.portal.act("tasks.task.complete", {"taskId": other.id}, user_id=1)
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 11, 27))
    assert HoldUp("Раскрой", "Иван Раскрой", "away", date(2026, 11, 27)) == shown(works)["1"][3]


@pytest.mark.parametrize("hours", [0, 2])
def test_a_task_given_to_somebody_slower_is_held_up_by_that(hours: int, works: Works, people: dict[str, int]) -> None:
    """Whatever else that person has to do; also when 1C has other minutes. Not if the first one would be no sooner."""
    (task,) = send(works, 1, ("Раскрой", 480), wanted=at(23))
    slow = works.portal.add_user("Пётр", "Тихий", departments=works.portal.users[people["Раскрой"]].departments).id
    works.people = parse(json.dumps({"people": {str(slow): {"rate": 0.5}}}).encode(), "people.json")
    if hours:
        works.portal.add_task("Помочь складу", responsible=slow, time_estimate=hours * 3600)
    works.portal.act("tasks.task.delegate", {"taskId": task, "userId": slow}, user_id=1)
    given = HoldUp("Раскрой", "Пётр Тихий", "given")
    assert ("late", 0, at(24, 18), given) == shown(works)["1"]
    send(works, 1, ("Раскрой", 490), wanted=at(23))
    assert ("late", 0, at(25, 9, 20), given) == shown(works)["1"]
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 23), date(2026, 11, 27))
    assert HoldUp("Раскрой", "Пётр Тихий", "work") == shown(works)["1"][3]
    works.portal.absences.clear()
    works.portal.users[people["Раскрой"]].active = False
    assert HoldUp("Раскрой", "Пётр Тихий", "work") == shown(works)["1"][3]


@pytest.mark.parametrize("kept", ROUTE)
def test_a_line_that_1c_has_no_longer_waits_for_what_it_waited_for(
    kept: str, works: Works, people: dict[str, int]
) -> None:
    """The other operation takes longest, whichever of both 1C has removed."""
    lines = {"Раскрой": ("Раскрой", 480.0), "Сборка": ("Сборка", 60.0)}
    send(works, 1, *lines.values(), wanted=at(23))
    (sent,) = works.assign(order([lines[kept]], id="order-1", number="1", wanted=at(23)), route=ROUTE)
    assert sent.promise is not None
    assert (at(24, 10), Bottleneck("Раскрой", 0, 8 * 3600, "Иван Раскрой")) == (
        sent.promise.ready,
        sent.promise.bottleneck,
    )
    assert ("late", 0, at(24, 10), HoldUp("Раскрой", "Иван Раскрой", "work")) == shown(works)["1"]
