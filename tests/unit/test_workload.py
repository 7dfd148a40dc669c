"""Who is free when and who gets the work: by example, and against a minute-by-minute model."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from b24tools.scheduling import portal_hours
from b24tools.scheduling.calendar import DAY_OFF, DayRule, NoWorkingTime, Shift, Timeline, WorkCalendar
from b24tools.scheduling.lane import Candidate, OpenTask, StagedTask, Worker
from b24tools.scheduling.tender import Choice
from b24tools.scheduling.workload import Workload, remaining_s
from tests.support.minute_model import MINUTE, MONDAY, absences, calendars, walk, working_minutes

ZONE = ZoneInfo("Europe/Moscow")
CALENDAR = portal_hours.default(ZONE)
HOUR = 3600
STEP = 300


def at(text: str) -> datetime:
    """A moment in UTC from what Moscow's clock shows; a bare time is of Monday the 23rd."""
    text = text if "-" in text else f"2026-11-{text}" if "T" in text else f"2026-11-23T{text}"
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def task(number: int, person: int, hours: float, start: str = "", end: str = "", ours: bool = False) -> OpenTask:
    """An open task with so many hours left."""
    return OpenTask(number, person, round(hours * HOUR), at(start) if start else None, at(end) if end else None, ours)


def put(*place: Any) -> OpenTask:
    """A task of ours whose slot somebody has set by hand."""
    return replace(task(*place, ours=True), by_hand=True)


def load(*tasks: OpenTask, people: int = 1, now: str = "08:00", **of_all: Any) -> Workload:
    """People 1 … n with their tasks."""
    workers = [Worker(n, f"Worker {n}", **of_all) for n in range(1, people + 1)]
    return Workload(CALENDAR, at(now), workers, tasks, STEP)


def offer(workload: Workload, person: int, length_s: int, not_before: datetime | None = None) -> Candidate:
    """What a person could do; nothing is given out."""
    choice = deepcopy(workload).pin(person, length_s, not_before)
    return choice.candidates[0]


def offered(workload: Workload, hours: float, person: int = 1, not_before: str = "") -> tuple[str, str, str]:
    """Free, start and finish on Moscow's clock."""
    candidate = offer(workload, person, round(hours * HOUR), at(not_before) if not_before else None)
    times = (candidate.free, candidate.start, candidate.finish)
    return tuple(f"{time.astimezone(ZONE):%d %H:%M}" if time else "" for time in times)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("estimate", "spent", "expected"),
    [(7200, 1800, 5400), (7200, 7100, 300), (7200, 9000, 300), (0, 0, 3600), (None, 900, 3600), (900, None, 900)],
)
def test_what_remains_is_at_least_a_step(estimate: int | None, spent: int | None, expected: int) -> None:
    """Estimate less time spent; an hour where there is no estimate."""
    assert expected == remaining_s(estimate, spent, STEP)


def test_work_without_other_work_starts_now() -> None:
    """At the start of the shift, on the next step, over the break, or not before the order came in."""
    assert offered(load(), 2) == ("23 09:00", "23 09:00", "23 11:00")
    assert offered(load(now="10:01:20"), 2) == ("23 10:01", "23 10:05", "23 12:05")
    assert offered(load(now="12:59"), 0.5) == ("23 12:59", "23 14:00", "23 14:30")
    assert offered(load(now="17:58"), 0.5) == ("23 17:58", "24 09:00", "24 09:30")
    assert offered(load(), 2, not_before="25T12:00:01") == ("23 09:00", "25 12:05", "25 15:05")
    assert offered(load(), 2, not_before="20T12:00") == ("23 09:00", "23 09:00", "23 11:00")


def test_a_moment_within_a_second_is_over() -> None:
    """Nothing starts before now or before the given moment, not even by a microsecond."""
    blink = timedelta(microseconds=1)
    workload = Workload(CALENDAR, at("10:00") + blink, [Worker(1, "A")], [], STEP)
    assert at("10:05") == offer(workload, 1, HOUR).start
    assert at("11:05") == offer(workload, 1, HOUR, at("11:00") + blink).start


def test_a_slot_of_ours_is_kept_free() -> None:
    """Short work goes before it, long work behind it, also where little of it is left."""
    workload = load(task(1, 1, 2, "11:00", "13:00", ours=True))
    assert offered(workload, 2) == ("23 09:00", "23 09:00", "23 11:00")
    assert offered(workload, 2.25) == ("23 09:00", "23 14:00", "23 16:15")
    begun = load(task(1, 1, 8, "20T09:00", "10:30", ours=True))
    assert offered(begun, 1) == ("24 09:00", "24 09:00", "24 10:00")


def test_a_gap_shorter_than_a_step_is_no_free_time() -> None:
    """Not before the first slot, which begins at the next step, and not between two; a whole step is."""
    slots = [task(1, 1, 1, "10:35", "11:35", ours=True), task(2, 1, 0.5, "11:39", "12:09", ours=True)]
    workload = load(*slots, now="10:32")
    assert offered(workload, 1) == ("23 12:09", "23 12:10", "23 14:10")
    assert offer(workload, 1, HOUR).busy
    assert offered(load(*slots, now="10:30"), 1)[0] == "23 10:30"


def ends(workload: Workload, *numbers: int, person: int = 1) -> list[str]:
    """When tasks are done, on Moscow's clock."""
    spans = [workload.span_of(person, number) for number in numbers]
    return [f"{span[1].astimezone(ZONE):%d %H:%M}" if span else "" for span in spans]


def test_what_lies_under_an_absence_is_done_after_it() -> None:
    """A week of slots of somebody who is ill that week is the week after; whoever is booked until one is sooner."""
    days = ("23", "24", "25", "26", "27")
    slots = [task(n, 1, 8, f"{day}T09:00", f"{day}T18:00", ours=True) for n, day in enumerate(days, 1)]
    ill = ((at("23T00:00"), at("28T00:00")),)
    booked = task(9, 2, 44, "23T09:00", "30T13:00", ours=True)
    workers = [Worker(1, "Ill", ill), Worker(2, "Booked")]
    workload = Workload(CALENDAR, at("20T18:00"), workers, [*slots, booked], STEP)
    assert ["30 18:00", "01 18:00", "02 18:00", "03 18:00", "04 18:00"] == ends(workload, 1, 2, 3, 4, 5)
    assert workload.lost_under_absences(1, 3) == ill
    choice = workload.choose([1, 2], 8 * HOUR)
    assert (2, at("30T14:00"), at("2026-12-01T13:00")) == (choice.responsible_id, choice.start, choice.finish)


def test_what_is_late_pushes_only_what_it_meets() -> None:
    """Three hours are left of yesterday's: the slot at ten moves, that at three does not, and other work gives way."""
    slots = [task(2, 1, 2, "10:00", "12:00", ours=True), task(3, 1, 1, "15:00", "16:00", ours=True)]
    workload = load(task(1, 1, 3, "20T09:00", "20T12:00", ours=True), *slots, task(4, 1, 1))
    assert ["23 12:00", "23 15:00", "23 16:00", "23 17:00"] == ends(workload, 1, 2, 3, 4)
    assert offered(workload, 1) == ("23 17:00", "23 17:00", "23 18:00")


def test_five_slots_of_which_nothing_is_done_end_one_after_the_other() -> None:
    """On Friday morning the one of Monday comes first; the rest of the week is the next week's."""
    days = ("16", "17", "18", "19", "20")
    slots = [task(n, 1, 8, f"{day}T09:00", f"{day}T18:00", ours=True) for n, day in enumerate(days, 1)]
    expected = ["20 18:00", "23 18:00", "24 18:00", "25 18:00", "26 18:00"]
    assert expected == ends(load(*slots, now="20T08:00"), 1, 2, 3, 4, 5)


def test_begun_work_comes_first_and_what_is_held_waits() -> None:
    """A slot that waits for another operation until three is done then, and pushes what it meets."""
    slots = [task(n, 1, 2, f"{9 + 2 * n}:00".zfill(5), f"{11 + 2 * n}:00", ours=True) for n in (1, 3)]
    begun = replace(task(5, 1, 1, "25T09:00", "25T10:00", ours=True), begun=True)
    workload = load(*slots, begun)
    assert ["23 13:00", "23 17:00", "23 10:00"] == ends(workload, 1, 3, 5)
    workload.hold(1, 1, at("14:30"))
    workload.hold(1, 5, at("14:30"))  # it has begun all the same
    assert ["23 16:30", "24 09:30", "23 10:00"] == ends(workload, 1, 3, 5)


def test_a_slot_that_has_begun_and_waits_keeps_all_that_is_left() -> None:
    """Of four hours planned until one o'clock nothing is done by noon; they are done after what they wait for."""
    workload = load(task(1, 1, 4, "09:00", "13:00", ours=True), now="12:00")
    assert workload.hold(1, 1, at("24T10:00"))
    assert ["24 15:00"] == ends(workload, 1)
    assert not workload.hold(1, 1, at("24T10:00"))
    assert workload.hold(1, 1, None)
    assert ["23 17:00"] == ends(workload, 1)


def test_what_waits_until_the_same_moment_is_done_in_the_order_of_the_plans() -> None:
    """Not the shorter one first."""
    slots = [task(1, 1, 1, "11:00", "12:00", ours=True), task(2, 1, 2, "09:00", "11:00", ours=True)]
    workload = load(*slots)
    for slot in slots:
        workload.hold(1, slot.id, at("15:00"))
    assert ["23 18:00", "23 17:00"] == ends(workload, 1, 2)


@pytest.mark.parametrize("rate", [Fraction(1), Fraction(1, 2)])
def test_a_wait_is_for_other_work_or_only_for_the_slot(rate: Fraction) -> None:
    """A gap that is too short for the task is no time that it could have; nothing moves for the question."""
    own = task(9, 1, 4 * float(rate), "24T09:00", "24T13:00", ours=True)
    others = {
        (0, 8): [],
        (8, 0): [task(1, 1, 8 * float(rate), "09:00", "18:00", ours=True)],
        (3, 5): [task(1, 1, 3 * float(rate), "09:00", "12:00", ours=True)],
        (5, 3): [task(1, 1, 3 * float(rate), "11:00", "15:00", ours=True)],
    }
    for hours, tasks in others.items():
        workload = load(own, *tasks, rate=rate)
        before = dict(workload.spans(1))
        assert hours == tuple(wait_s / HOUR for wait_s in workload.wait_of(1, 9, at("09:00")))
        assert (0, 0) == workload.wait_of(1, 9, at("24T09:00")) == workload.wait_of(1, 7, at("09:00"))
        assert before == workload.spans(1)


def test_no_person_gets_two_slots_at_once() -> None:
    """What waits beyond its slot is still shown there: other work comes before and after it."""
    workload = load(task(1, 1, 2, "10:00", "12:00", ours=True))
    workload.hold(1, 1, at("15:00"))
    assert offered(workload, 1) == ("23 09:00", "23 09:00", "23 10:00")
    assert offered(workload, 2) == ("23 09:00", "23 12:00", "23 15:00")
    assert workload.offer([1], 2 * HOUR).soonest() == at("15:00")


def test_operations_wait_for_those_of_lower_stages_over_all_orders() -> None:
    """The first order's delay pushes the second one's work, and through that its next operation."""
    orders = [
        [StagedTask(1, 1, 1), StagedTask(2, 2, 2)],
        [StagedTask(1, 2, 3), StagedTask(2, 3, 4), StagedTask(None, 3, 5)],
    ]
    tasks = [
        task(1, 1, 2, "20T09:00", "20T11:00", ours=True),
        task(2, 2, 2, "09:00", "11:00", ours=True),
        task(3, 2, 2, "11:00", "13:00", ours=True),
        task(4, 3, 1, "14:00", "15:00", ours=True),
        task(5, 3, 1, "09:00", "10:00", ours=True),
    ]
    workload = load(*tasks, people=3)
    workload.let_wait(orders)
    finishes = [ends(workload, task_id, person=person)[0] for order in orders for _, person, task_id, _ in order]
    assert ["23 11:00", "23 13:00", "23 16:00", "23 17:00", "23 10:00"] == finishes


def test_a_slot_laid_around_an_absence_or_outside_working_hours_loses_nothing() -> None:
    """It was planned so, or moved there by hand: then it is done when it says."""
    ill = ((at("24T00:00"), at("25T00:00")),)
    around = task(1, 1, 10, "23T16:00", "26T09:00", ours=True)
    sunday = put(2, 1, 5, "29T10:00", "29T15:00")
    workload = load(around, sunday, absences=ill)
    assert ["25 18:00", "29 15:00"] == ends(workload, 1, 2)
    assert () == workload.lost_under_absences(1, 1)


def test_a_slot_as_it_was_written_stands_for_the_work_left_whatever_the_calendar_has_become() -> None:
    """Tuesday is a day off by now, and Wednesday ends at one: what was planned then pushes what comes after it."""
    days = {date(2026, 11, 24): DAY_OFF, date(2026, 11, 25): DayRule(shifts=(Shift(frozenset(), 9 * HOUR, 13 * HOUR),))}
    tasks = [task(n, 1, 8, f"{n + 22}T09:00", f"{n + 22}T18:00", ours=True) for n in (1, 2, 3)]
    workload = Workload(replace(CALENDAR, days=days), at("08:00"), [Worker(1, "#1")], tasks, STEP)
    assert ["23 18:00", "26 13:00", "27 13:00"] == ends(workload, 1, 2, 3)
    person = workload.load(1, 5)
    assert (24 * HOUR, [8, 0, 4, 8, 4]) == (person.open_s, [day.busy_s // HOUR for day in person.days])
    by_hand = [replace(job, by_hand=True) for job in tasks]
    workload = Workload(replace(CALENDAR, days=days), at("08:00"), [Worker(1, "#1")], by_hand, STEP)
    assert (["23 18:00", "24 18:00", "25 18:00"], 12 * HOUR) == (ends(workload, 1, 2, 3), workload.load(1, 5).open_s)


def test_a_slot_outside_working_hours_stays_unless_it_waits_for_an_operation() -> None:
    """It meets no other work, however long that is; an operation that ends later makes it work like any other."""
    sunday = put(2, 1, 5, "29T10:00", "29T15:00")
    before = task(1, 1, 8, "27T14:00", "30T13:00", ours=True)
    assert ["30 13:00", "29 15:00"] == ends(load(before, sunday), 1, 2)
    late = put(3, 1, 44, "23T10:00", "30T13:00")
    assert ["30 13:00", "29 15:00"] == ends(load(late, sunday), 3, 2)
    workload = load(sunday)
    assert workload.hold(1, 2, at("30T10:00")) and ["30 16:00"] == ends(workload, 2)


def test_a_gap_reaches_over_nights_and_vacations_but_not_over_work() -> None:
    """Begun on Monday, finished after the vacation, unless a slot lies between."""
    vacation = ((at("24T00:00"), at("2026-12-08T00:00")),)
    assert offered(load(absences=vacation), 10) == ("23 09:00", "23 09:00", "08 11:00")
    workload = load(task(1, 1, 1, "2026-12-08T09:00", "2026-12-08T10:00", ours=True), absences=vacation)
    assert offered(workload, 8) == ("23 09:00", "23 09:00", "23 18:00")
    assert offered(workload, 10) == ("23 09:00", "08 10:00", "09 12:00")
    assert vacation == offer(workload, 1, 10 * HOUR).absent
    assert offer(workload, 1, HOUR).absent == ()
    before = load(absences=((at("19T00:00"), at("20T00:00")), *vacation))
    assert offer(before, 1, 10 * HOUR).absent == vacation


def test_a_plan_that_ended_last_week_holds_its_person_for_the_remaining_work_only() -> None:
    """It is worked first, from now; so is a task that was never planned."""
    past = task(1, 1, 3, "2026-11-02T09:00", "20T18:00")
    assert offered(load(past), 1) == ("23 12:00", "23 12:00", "23 13:00")
    ours = task(1, 1, 3, "2026-11-02T09:00", "20T18:00", ours=True)
    assert offered(load(ours, task(2, 1, 1)), 1) == ("23 14:00", "23 14:00", "23 15:00")
    just = task(1, 1, 3, "23T09:00", "10:00", ours=True)
    assert offered(load(just, now="10:00"), 1) == ("23 14:00", "23 14:00", "23 15:00")


def test_work_without_a_slot_flows_around_slots() -> None:
    """Four hours of backlog are done before and after a slot of ours; nothing fits between."""
    workload = load(task(1, 1, 2, "11:00", "13:00", ours=True), task(2, 1, 3), task(3, 1, 1))
    assert offered(workload, 0.25) == ("23 16:00", "23 16:00", "23 16:15")
    assert offer(workload, 1, HOUR).open_s == 6 * HOUR


def test_a_plan_of_others_holds_only_its_remaining_work() -> None:
    """From its planned start, or from now when begun, whatever its planned end is."""
    month = task(1, 1, 2, "24T09:00", "2026-12-24T18:00")
    assert offered(load(month), 8) == ("23 09:00", "23 09:00", "23 18:00")
    assert offered(load(month), 9) == ("23 09:00", "24 11:00", "25 12:00")
    begun = task(1, 1, 2, "2026-11-02T09:00", "2026-12-24T18:00")
    assert offered(load(begun), 1) == ("23 11:00", "23 11:00", "23 12:00")


def test_half_a_plan_is_no_slot() -> None:
    """An end without a start is remaining work from now, a start without an end from that start."""
    assert offered(load(task(1, 1, 2, "", "25T18:00", ours=True)), 1) == ("23 11:00", "23 11:00", "23 12:00")
    assert offered(load(task(1, 1, 2, "10:00", "", ours=True)), 2) == ("23 09:00", "23 12:00", "23 15:00")


def test_a_hundred_and_twenty_open_tasks_all_count() -> None:
    """One person's two hundred and forty hours are thirty days of eight."""
    workload = load(*(task(n, 1, 2) for n in range(120)))
    assert offer(workload, 1, HOUR).open_s == 240 * HOUR
    assert at("2027-01-04T09:00") == offer(workload, 1, HOUR).start


def test_an_unaligned_remainder_is_rounded_up_on_the_clock() -> None:
    """Work of 47 minutes leaves the person free at 9:47; the next begins at 9:50 and still must fit."""
    loose, slot = task(1, 1, 47 / 60), task(2, 1, 1, "10:15", "11:15", ours=True)
    assert offered(load(loose, slot), 25 / 60) == ("23 09:47", "23 09:50", "23 10:15")
    assert offered(load(loose, slot), 28 / 60) == ("23 09:47", "23 11:15", "23 11:43")


def test_whoever_finishes_first_gets_the_work() -> None:
    """Not whoever is free first: the gap must hold it. The whole choice is told."""
    tasks = [task(1, 1, 8, "10:00", "24T10:00", ours=True), task(2, 2, 1)]
    choice = load(*tasks, people=2).choose([1, 2], 2 * HOUR)
    expected = Choice(
        responsible_id=2,
        start=at("10:00"),
        finish=at("12:00"),
        reason="first",
        candidates=(
            Candidate(2, "Worker 2", at("10:00"), at("10:00"), at("12:00"), HOUR, chosen=True, busy=True),
            Candidate(1, "Worker 1", at("09:00"), at("24T10:00"), at("24T12:00"), 8 * HOUR),
        ),
        margin_s=8 * HOUR,
        number=-1,
    )
    assert expected == choice


def test_ties_go_by_open_work_then_by_the_last_assignment_then_by_id() -> None:
    """Each reason by name; somebody never assigned comes before anybody who was."""
    last = {1: at("20T10:00"), 2: at("19T10:00"), 3: at("19T10:00"), 4: None, 5: None}
    workers = [Worker(n, str(n), last_assigned=moment) for n, moment in last.items()]
    later = [task(n, n, 1, "25T09:00", "25T10:00", ours=True) for n in (1, 2, 3, 4, 5)]

    def reason(people: list[int], *tasks: OpenTask) -> tuple[int, str]:
        choice = Workload(CALENDAR, at("08:00"), workers, tasks, STEP).choose(people, HOUR)
        return choice.responsible_id, choice.reason

    assert reason([1, 2], *later[1:]) == (1, "less_open")
    assert reason([1, 2, 3], *later) == (2, "lower_id")
    assert reason([3, 1], *later) == (3, "least_recent")
    assert reason([3, 2, 4], *later) == (4, "least_recent")
    assert reason([5, 4, 1], *later) == (4, "lower_id")
    assert reason([3]) == (3, "only")
    assert reason([3, 3]) == (3, "only")


def test_two_lines_of_one_position_go_to_two_people() -> None:
    """Equally free, and what one was given a moment ago counts, in open work too."""
    workload = load(people=2)
    choices = [workload.choose([1, 2], 2 * HOUR) for _ in range(3)]
    assert [(1, at("09:00")), (2, at("09:00")), (1, at("11:00"))] == [(c.responsible_id, c.start) for c in choices]
    assert [c.reason for c in choices] == ["lower_id", "first", "least_recent"]
    assert [candidate.open_s for candidate in choices[2].candidates] == [2 * HOUR, 2 * HOUR]
    assert [candidate.free for candidate in choices[2].candidates] == [at("11:00"), at("11:00")]
    assert offered(workload, 1) == ("23 14:00", "23 14:00", "23 15:00")


@pytest.mark.parametrize(("rate", "own_s"), [("1", 3600), ("0.5", 7200), ("0.7", 5160), ("0.6", 6000), ("1.6", 2280)])
def test_work_takes_a_person_as_long_as_the_rate_says(rate: str, own_s: int) -> None:
    """In whole minutes, rounded up, and never for want of a place behind the point."""
    workload = Workload(CALENDAR, at("08:00"), [Worker(1, "A", rate=Fraction(rate))], [], STEP)
    assert timedelta(seconds=own_s) == workload.choose([1], HOUR).finish - at("09:00")
    assert own_s == workload.load(1, 1).open_s


def test_a_hundred_orders_in_a_row_are_spread_evenly() -> None:
    """Twenty for each of five people, each person's back to back from the first morning on."""
    workload = load(people=5)
    choices = [workload.choose(range(1, 6), HOUR) for _ in range(100)]
    assert Counter({person: 20 for person in range(1, 6)}) == Counter(c.responsible_id for c in choices)
    assert at("25T13:00") == max(c.finish for c in choices)


def test_a_person_of_two_departments_has_one_day() -> None:
    """What one department gave, the other sees."""
    workload = load(people=3)
    assert workload.choose([1, 2], HOUR).responsible_id == 1
    assert workload.choose([1], HOUR).start == at("10:00")
    assert workload.choose([1, 3], HOUR).responsible_id == 3


def test_work_later_leaves_the_time_before_it_free() -> None:
    """A line from Wednesday on does not hold up today's."""
    workload = load()
    assert workload.choose([1], 2 * HOUR, at("25T09:00")).start == at("25T09:00")
    assert workload.choose([1], 16 * HOUR).start == at("09:00")
    assert workload.choose([1], HOUR).start == at("25T11:00")


def test_a_pinned_person_gets_the_work_whoever_finishes_first() -> None:
    """The others are listed beside, and the time is taken."""
    workload = load(task(1, 2, 4), people=2)
    choice = workload.pin(2, HOUR, worker_ids=[1, 2])
    assert (choice.responsible_id, choice.start, choice.reason) == (2, at("14:00"), "pinned")
    assert [(candidate.id, candidate.chosen) for candidate in choice.candidates] == [(1, False), (2, True)]
    assert [candidate.id for candidate in workload.pin(2, HOUR).candidates] == [2]
    assert offer(workload, 2, HOUR).start == at("16:00")


def test_somebody_away_for_years_is_listed_but_never_chosen() -> None:
    """With a note, after the others; alone nobody can."""
    away = Worker(1, "Away", absences=((at("20T00:00"), at("2099-01-01T00:00")),))
    workload = Workload(CALENDAR, at("08:00"), [away, Worker(2, "Here")], [task(1, 2, 100)], STEP)
    choice = workload.choose([1, 2], HOUR)
    assert (choice.responsible_id, choice.reason) == (2, "only")
    note = "no working time in the next six years"
    assert Candidate(1, "Away", None, None, None, 0, away.absences, note=note) == choice.candidates[1]
    for refused in (
        lambda: workload.choose([1], HOUR),
        lambda: workload.choose([], HOUR),
        lambda: workload.pin(1, HOUR),
    ):
        with pytest.raises(NoWorkingTime, match="six years"):
            refused()


def test_work_of_no_length_and_unknown_people_are_refused() -> None:
    """Both are mistakes of the caller."""
    with pytest.raises(ValueError, match="0 s"):
        load().choose([1], 0)
    with pytest.raises(KeyError):
        load().choose([7], HOUR)


def test_tasks_of_others_do_not_matter() -> None:
    """A task of somebody who is no worker here is passed over."""
    assert offered(load(task(1, 99, 100)), 1) == ("23 09:00", "23 09:00", "23 10:00")


def test_more_minutes_keep_the_start_and_move_the_end() -> None:
    """Over the break, and over the person's absence; the task itself is not met."""
    own = task(1, 1, 2, "09:00", "11:00", ours=True)
    assert load(own).extend(1, at("09:00"), 5 * HOUR, 1) == (at("15:00"), False)
    sick = ((at("24T00:00"), at("25T00:00")),)
    assert load(own, absences=sick).extend(1, at("09:00"), 9 * HOUR, 1) == (at("25T10:00"), False)
    assert load(own, now="10:00").extend(1, at("09:00"), HOUR, 1) == (at("10:00"), False)


def test_more_minutes_that_meet_the_next_slot_are_told() -> None:
    """A slot of ours is met, also one given a moment ago; one that only adjoins is not; loose work gives way."""
    own, following = task(1, 1, 2, "09:00", "11:00", ours=True), task(2, 1, 2, "11:00", "13:00", ours=True)
    assert load(own, following).extend(1, at("09:00"), 2 * HOUR, 1) == (at("11:00"), False)
    assert load(own, following).extend(1, at("09:00"), 2 * HOUR + STEP, 1) == (at("11:05"), True)
    assert load(own, task(2, 1, 9)).extend(1, at("09:00"), 3 * HOUR, 1) == (at("12:00"), False)
    workload = load(own)
    workload.choose([1], HOUR)
    assert workload.extend(1, at("09:00"), 3 * HOUR, 1) == (at("12:00"), True)


def test_minutes_are_added_to_a_task_begun_in_the_past() -> None:
    """The end is reckoned from the old start; what is over meets nothing."""
    own = task(1, 1, 2, "20T16:00", "09:00", ours=True)
    over = task(2, 1, 1, "20T17:00", "20T18:00", ours=True)
    assert load(own, over, now="11:00").extend(1, at("20T16:00"), 6 * HOUR, 1) == (at("13:00"), False)


def test_the_extended_slot_counts_for_what_follows() -> None:
    """Open work grows by what was added, and the next piece goes behind the new end, though the work ends sooner."""
    workload = load(task(1, 1, 1, "09:00", "11:00", ours=True))
    workload.extend(1, at("09:00"), 4 * HOUR, 1, 3 * HOUR)
    assert offered(workload, 1) == ("23 12:00", "23 14:00", "23 15:00")
    assert offer(workload, 1, HOUR).open_s == 3 * HOUR
    workload.extend(1, at("09:00"), HOUR, 1, STEP)
    assert offered(workload, 1)[1:] == ("23 10:00", "23 11:00")
    assert offer(workload, 1, HOUR).open_s == STEP


def test_a_slot_longer_than_its_work_takes_no_more_than_that_and_no_other_slot() -> None:
    """It was stretched by hand, or around an absence that the portal does not know: loads and open work agree."""
    stretched = task(1, 1, 4, "09:00", "18:00", ours=True)
    workload = load(stretched, task(2, 1, 1))
    person = workload.load(1, 1)
    assert (5 * HOUR, 5 * HOUR) == (person.open_s, sum(day.busy_s for day in person.days))
    assert (at("09:00"), at("13:00")) == workload.span_of(1, 1)
    assert (at("14:00"), at("15:00")) == workload.span_of(1, 2)
    assert offered(workload, 1) == ("23 15:00", "24 09:00", "24 10:00")


def test_a_slot_made_shorter_than_its_work_counts_as_long_as_it_is_until_it_begins() -> None:
    """Loads, open work and what a task takes agree at any moment; so do they of work outside the hours."""
    short, outside = put(1, 1, 4, "10:00", "11:00"), put(2, 1, 2, "19:00", "21:00")
    for now, taken in (("09:00", [HOUR, 0]), ("10:30", [4 * HOUR, 0])):
        workload = load(short, outside, now=now)
        person = workload.load(1, 30)
        assert taken == [one.remaining_s for one, _span in workload.tasks_of(1)]
        assert sum(taken) == person.open_s == sum(day.busy_s for day in person.days)


def test_a_task_nobody_read_may_be_extended() -> None:
    """It is counted from then on."""
    workload = load()
    assert workload.extend(1, at("09:00"), 4 * HOUR, 77) == (at("13:00"), False)
    assert (offer(workload, 1, HOUR).start, offer(workload, 1, HOUR).open_s) == (at("14:00"), 4 * HOUR)


def test_a_plan_may_be_longer_than_a_year() -> None:
    """Three thousand hours of eight a day are 375 working days, which are 75 weeks; the next work follows."""
    workload = load()
    choice = workload.choose([1], 3000 * HOUR)
    assert (at("09:00"), at("2028-04-28T18:00")) == (choice.start, choice.finish)
    assert offered(workload, 1) == ("01 09:00", "01 09:00", "01 10:00")


def test_a_plan_goes_over_new_year() -> None:
    """The holidays are nobody's gap, and nobody's work."""
    calendar = WorkCalendar(ZONE, CALENDAR.shifts, {date(2027, 1, day): DAY_OFF for day in range(1, 9)})
    workload = Workload(calendar, at("2026-12-31T16:00"), [Worker(1, "A")], [task(1, 1, 1)], STEP)
    choice = workload.choose([1], 9 * HOUR)
    assert (choice.start, choice.finish) == (at("2026-12-31T17:00"), at("2027-01-11T18:00"))


DAYS = 12
WINDOW = DAYS * 1440
PEOPLE = 3


class SlowWorkload:
    """The rules of the specification, a minute at a time: what each working minute of each person is used for."""

    def __init__(self, workers: list[Worker], tasks: list[OpenTask]) -> None:
        calendars = {worker.id: worker.calendar or CALENDAR for worker in workers}
        self.wall = [shown for _moment, _day, shown in walk(calendars[1].zone, MONDAY, DAYS)]
        self.shared = {n: working_minutes(calendar, MONDAY, DAYS) for n, calendar in calendars.items()}
        self.working = {who.id: working_minutes(calendars[who.id], MONDAY, DAYS, who.absences) for who in workers}
        self.rates = {worker.id: worker.rate for worker in workers}
        self.used: dict[int, list[int]] = {n: [0] * WINDOW for n in self.working}  # the task's id
        self.shown: dict[int, list[int]] = {n: [] for n in self.working}  # slots of what waits
        self.shown_ends: dict[int, int] = {}  # of slots that reach out of the working hours
        self.tasks = {n: [job for job in tasks if job.responsible_id == n] for n in self.working}
        self.turn = dict.fromkeys(self.working, 0)
        self.is_too_long = False  # for the window
        for n in self.working:
            self.lay(n)

    def open_s(self, person: int) -> int:
        """The working time that is taken."""
        return sum(map(bool, self.used[person])) * 60

    def own(self, person: int, work_s: int) -> int:
        """In how many minutes a person does so much work: a whole number, as it is drawn."""
        minutes = Fraction(work_s, 60) / self.rates[person]
        assert minutes.denominator == 1
        return int(minutes)

    def lay(self, person: int) -> None:
        """First the begun and overdue, then the slots, then the rest in the gaps."""
        self.used[person], self.shown[person] = [0] * WINDOW, []
        for job in self.tasks[person]:
            self.shown_ends.pop(job.id, None)
        begun, overdue, slots, rest = [], [], [], []
        for job in self.tasks[person]:
            held = not job.begun and job.not_before is not None and self.minutes(person, 0, minute(job.not_before)) > 0
            if held and job.slot:
                first, last = (max(0, minute(moment)) for moment in job.slot)
                self.shown[person] += range(first, last)
            is_over = job.end is not None and job.end <= MONDAY
            if job.begun:
                begun.append(job)
            elif not held and (is_over or (job.slot and job.slot[0] <= MONDAY)):
                overdue.append(job)
            elif job.slot or is_over:
                slots.append(job)
            else:
                rest.append(job)
        by_start = lambda job: (job.start or MONDAY, job.id)  # noqa: E731
        behind = 0
        for job in [*sorted(begun, key=by_start), *sorted(overdue, key=by_start)]:
            behind = self.fill(job, behind, self.own(person, job.remaining_s))
        placed = []
        for job in slots:
            start = max(minute(job.not_before or MONDAY), minute(job.start) if job.slot and job.start else 0, 0)
            placed.append((self.minutes(person, 0, start), by_start(job), start, job))
        for _position, _plan, start, job in sorted(placed, key=lambda place: place[:2]):
            left = self.own(person, job.remaining_s)
            if job.slot and job.slot[1] > MONDAY and job.slot[0] > MONDAY:
                first, last = (max(0, minute(moment)) for moment in job.slot)
                own = self.minutes(person, first, last)
                if own > left:  # the rest of the slot stays closed to other slots
                    self.shown[person] += range(first, last)
                if job.by_hand:
                    left = min(max(own, sum(self.shared[person][first:last])), left)
            is_pushed = self.minutes(person, start, behind) > 0
            is_held = job.not_before is not None and self.minutes(person, 0, minute(job.not_before)) > 0
            is_too_soon = job.not_before is not None and job.not_before > max(job.start or MONDAY, MONDAY)
            if (
                not left and not is_held and not is_too_soon
            ):  # outside the working hours by hand: it meets no other work
                self.fill(job, start, 0)
                self.shown_ends[job.id] = minute(job.slot[1]) if job.slot else start
                continue
            left = left or self.own(person, job.remaining_s)  # it cannot stay there
            is_short = left < self.own(person, job.remaining_s)
            behind = self.fill(job, max(behind, start), left)
            if job.slot and is_short and not is_pushed and not is_held:  # put outside the working hours by hand
                self.shown_ends[job.id] = minute(job.slot[1])
        starts = {job.id: max(minute(job.not_before or MONDAY), minute(job.start or MONDAY), 0) for job in rest}
        for job in sorted(rest, key=lambda job: (self.minutes(person, 0, starts[job.id]), job.id)):
            self.fill(job, starts[job.id], self.own(person, job.remaining_s))

    def minutes(self, person: int, start: int, end: int) -> int:
        """Working minutes of a person between two minutes."""
        return sum(self.working[person][max(0, start) : max(0, end)])

    def fill(self, job: OpenTask, start: int, left: int) -> int:
        """Use the first free working minutes; the minute behind the last one."""
        used = self.used[job.responsible_id]
        for i in range(start, WINDOW):
            if left and self.working[job.responsible_id][i] and not used[i]:
                used[i] = job.id
                left -= 1
                start = i + 1
        self.is_too_long |= left > 0
        return start

    def end_of(self, person: int, task_id: int) -> int | None:
        """The minute behind the last one that a task uses, or its slot."""
        end = max((i + 1 for i, used_by in enumerate(self.used[person]) if used_by == task_id), default=None)
        return end and max(end, self.shown_ends.get(task_id, end))

    def offer(self, person: int, work_s: int, step: int, earliest: int) -> tuple[int, int] | None:
        """The first start from which so many working minutes in a row are free, and the end; None beyond the window."""
        working, used = self.working[person], self.used[person].copy()
        for i in self.shown[person]:
            if i < WINDOW:
                used[i] = used[i] or -1000
        for start in range(earliest, WINDOW):
            if not working[start] or self.wall[start] % step:
                continue
            left = self.own(person, work_s)
            for i in range(start, WINDOW):
                if working[i]:
                    if used[i]:
                        break
                    left -= 1
                    if not left:
                        return start, i + 1
        return None


def minute(moment: datetime) -> int:
    """Minutes since the model's first."""
    return (moment - MONDAY) // MINUTE


@st.composite
def open_tasks(draw: Any) -> list[OpenTask]:
    """Tasks of all kinds around the first days."""
    result = []
    for number in range(draw(st.integers(0, 8))):
        start = draw(st.none() | st.integers(-2000, 5 * 1440))
        length = draw(st.none() | st.integers(0, 4000))
        end = None if length is None else (start or 0) + length
        held = draw(st.none() | st.integers(-100, 5 * 1440))
        result.append(
            OpenTask(
                number + 1,
                draw(st.integers(1, PEOPLE)),
                draw(st.integers(1, 120)) * 3 * 60,
                None if start is None else MONDAY + start * MINUTE,
                None if end is None else MONDAY + end * MINUTE,
                ours=draw(st.booleans()),
                begun=draw(st.integers(0, 4)) == 0,
                not_before=None if held is None else MONDAY + held * MINUTE,
                by_hand=draw(st.booleans()),
            )
        )
    return result


@pytest.mark.long
@settings(max_examples=30, deadline=None, database=None, phases=(Phase.generate,))
@given(calendars(), st.lists(absences(), min_size=PEOPLE, max_size=PEOPLE), open_tasks(), st.data())
def test_lanes_and_choices_are_those_of_a_walk_over_the_minutes(
    calendar: WorkCalendar, away: list[Any], tasks: list[OpenTask], data: st.DataObject
) -> None:
    """Every end, every offer and every choice, whatever the order of the backlog; no two pieces given out meet."""
    step = data.draw(st.sampled_from([1, 5, 15, 60]))
    workers = []
    for n in range(1, PEOPLE + 1):  # as everybody, with hours of their own, for fewer hours; slow or fast
        other = replace(data.draw(calendars()), zone=calendar.zone) if data.draw(st.booleans()) else None
        if data.draw(st.booleans()):
            other = (other or calendar).limited_to(data.draw(st.integers(900, 2400)) * 60)
        rate = data.draw(st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(3, 4), Fraction(3, 2), Fraction(3)]))
        workers.append(Worker(n, str(n), away[n - 1], rate=rate, calendar=other))
    workload = Workload(calendar, MONDAY, workers, data.draw(st.permutations(tasks)), step * 60)
    slow = SlowWorkload([worker._replace(calendar=worker.calendar or calendar) for worker in workers], tasks)
    given_out: dict[int, list[tuple[datetime, datetime]]] = {worker.id: [] for worker in workers}
    for turn in range(1, 6):
        assume(not slow.is_too_long)
        for job in (job for n in slow.tasks for job in slow.tasks[n]):
            end = slow.end_of(job.responsible_id, job.id)
            span = end and workload.span_of(job.responsible_id, job.id)
            assert end == (minute(span[1]) if span else None)
        work_s = data.draw(st.integers(1, 12)) * lcm(3, step) * 60  # whole minutes at every rate
        earliest = data.draw(st.integers(-100, 4000))
        expected = {}
        for worker in workers:
            slot = slow.offer(worker.id, work_s, step, max(0, earliest))
            assume(slot is not None)
            expected[worker.id] = slot
            candidate = offer(workload, worker.id, work_s, MONDAY + earliest * MINUTE)
            assert slow.open_s(worker.id) == candidate.open_s
            assert slot == (minute(candidate.start or MONDAY), minute(candidate.finish or MONDAY))
        weighed = workload.offer([2, 3, 1], work_s, MONDAY + earliest * MINUTE).choose(most=1)
        choice = workload.choose([3, 1, 2], work_s, MONDAY + earliest * MINUTE)
        assert (choice.responsible_id, choice.finish) == (weighed.responsible_id, weighed.finish)
        best = min(expected, key=lambda n: (expected[n][1], slow.open_s(n), slow.turn[n], n))
        assert (best, expected[best]) == (choice.responsible_id, (minute(choice.start), minute(choice.finish)))
        slow.tasks[best].append(OpenTask(-turn, best, work_s, choice.start, choice.finish, ours=True))
        slow.lay(best)
        slow.turn[best] = turn
        given_out[best].append((choice.start, choice.finish))
    for slots in given_out.values():
        slots.sort()
        assert all(before[1] <= after[0] for before, after in pairwise(slots))


@pytest.mark.long
@settings(max_examples=50, deadline=None, database=None)
@given(calendars(), absences(), open_tasks(), st.data())
def test_slots_given_out_lie_in_free_working_time(
    calendar: WorkCalendar, away: Any, tasks: list[OpenTask], data: st.DataObject
) -> None:
    """Each holds just its length of work, meets nothing of ours in the lane, and starts on a step, over any horizon."""
    workload = Workload(calendar, MONDAY, [Worker(n, str(n), away) for n in range(1, PEOPLE + 1)], tasks, STEP)
    line = Timeline(calendar, away, MONDAY)
    taken: dict[int, list[tuple[int, int]]] = {n: [] for n in range(1, PEOPLE + 1)}
    for job in tasks:
        if job.slot and (span := workload.span_of(job.responsible_id, job.id)):
            taken[job.responsible_id].append((line.worked(span[0]), line.worked(span[1])))
    for _ in range(20):
        length = data.draw(st.integers(1, 300)) * STEP
        try:
            choice = workload.choose([1, 2, 3], length)
        except NoWorkingTime:
            return
        start, end = line.worked(choice.start), line.worked(choice.finish)
        assert end - start == length
        assert line.start_at(start) == choice.start == calendar.round_up(choice.start, STEP)
        assert all(
            end <= other[0] or other[1] <= start for other in taken[choice.responsible_id] if other[0] < other[1]
        )
        taken[choice.responsible_id].append((start, end))


@settings(max_examples=25, deadline=None, database=None)
@given(calendars(), absences(), open_tasks())
def test_the_slots_of_the_days_are_the_load_of_the_days_and_all_of_each_task(
    calendar: WorkCalendar, away: Any, tasks: list[OpenTask]
) -> None:
    """None meet; each task begins and ends where its span does, with its whole length between."""
    workload = Workload(calendar, MONDAY, [Worker(1, "1", away)], tasks, STEP)
    line = workload.line_of(1)
    horizon = 21
    seen: dict[int, list[tuple[int, int]]] = {}
    for day in workload.load(1, horizon).days:
        start, end = (datetime.combine(day.day + timedelta(days=n), time(), calendar.zone) for n in (0, 1))
        slots = workload.slots_between(1, start, end)
        assert day.busy_s == sum(slot.work_s for slot in slots)
        assert all(earlier.end <= later.start for earlier, later in pairwise(slot for slot in slots if slot.work_s))
        for slot in slots:
            seen.setdefault(slot.task.id, []).append((line.worked(slot.start), line.worked(slot.end)))
    last = line.worked(
        datetime.combine(MONDAY.astimezone(calendar.zone).date() + timedelta(days=horizon), time(), calendar.zone)
    )
    for task_id, span in workload.spans(1).items():
        if span[0] < span[1] <= last and (task := workload.find(1, task_id)):  # one outside the hours has none
            pieces = seen[task_id]
            assert span == (pieces[0][0], pieces[-1][1])
            if task.slot is None:
                assert task.remaining_s == sum(end - start for start, end in pieces)
