"""Working-time arithmetic: by example, and against a walker that counts minutes."""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24tools.scheduling import portal_hours
from b24tools.scheduling.calendar import DAY_OFF, DayRule, Interval, NoWorkingTime, Shift, Timeline, WorkCalendar
from tests.support.minute_model import MINUTE, MONDAY, absences, calendars, intervals, working_minutes

MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600
WEEKDAYS = frozenset(range(1, 6))
EVERY_DAY = frozenset(range(1, 8))
thorough = settings(max_examples=60, deadline=None, database=None)


def at(text: str, zone: ZoneInfo = MOSCOW) -> datetime:
    """A moment from what the wall clock shows."""
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def shown(calendar: WorkCalendar, day: str) -> list[str]:
    """The intervals of a day as the wall clock shows them."""
    zone = calendar.zone
    return [
        f"{start.astimezone(zone):%d %H:%M}-{end.astimezone(zone):%d %H:%M}"
        for start, end in intervals(calendar, date.fromisoformat(day))
    ]


def of(*shifts: Shift, zone: ZoneInfo = MOSCOW, days: dict[date, DayRule] | None = None) -> WorkCalendar:
    """A calendar of these shifts."""
    return WorkCalendar(zone, shifts, days or {})


@pytest.mark.parametrize(
    ("hours", "pause", "expected"),
    [
        ((9, 18), HOUR, ["23 09:00-23 13:00", "23 14:00-23 18:00"]),
        ((8, 17), HOUR, ["23 08:00-23 12:00", "23 13:00-23 17:00"]),
        ((9, 18), 45 * 60, ["23 09:00-23 13:07", "23 13:52-23 18:00"]),
        ((9, 18), 0, ["23 09:00-23 18:00"]),
        ((9, 18), None, ["23 09:00-23 13:00", "23 14:00-23 18:00"]),
        ((9, 19), None, ["23 09:00-23 13:30", "23 14:30-23 19:00"]),
        ((9, 15), None, ["23 09:00-23 15:00"]),
        ((22, 6), HOUR, ["23 22:00-24 01:30", "24 02:30-24 06:00"]),
    ],
)
def test_the_break_lies_in_the_middle_of_the_shift(
    hours: tuple[int, int], pause: int | None, expected: list[str]
) -> None:
    """A stated break is cut out of the middle, an unstated one is an hour where the day is over six."""
    calendar = of(Shift(WEEKDAYS, hours[0] * HOUR, hours[1] * HOUR, pause))
    assert expected == shown(calendar, "2026-11-23")


@pytest.mark.parametrize(
    ("shifts", "expected"),
    [
        ([(8, 12), (13, 17)], ["23 08:00-23 12:00", "23 13:00-23 17:00"]),
        ([(8, 12), (12, 16)], ["23 08:00-23 11:30", "23 12:30-23 16:00"]),
        ([(8, 11), (10, 14)], ["23 08:00-23 14:00"]),
    ],
)
def test_several_shifts_of_a_day_are_united(shifts: list[tuple[int, int]], expected: list[str]) -> None:
    """Shifts that meet or overlap are one stretch, and share one unstated break."""
    calendar = of(*(Shift(WEEKDAYS, start * HOUR, end * HOUR) for start, end in shifts))
    assert expected == shown(calendar, "2026-11-23")


def test_a_day_may_differ_from_its_weekday() -> None:
    """Off, worked as another weekday, shorter, with hours of its own, alone or every year."""
    day = date(2026, 11, 23)
    friday = Shift(frozenset({5}), 9 * HOUR, 16 * HOUR, HOUR)
    usual = Shift(frozenset({1, 2, 3, 4}), 9 * HOUR, 18 * HOUR, HOUR)
    rules = {
        day: DAY_OFF,
        day.replace(day=24): DayRule(shorter_s=HOUR),
        day.replace(day=25): DayRule(shifts=(Shift(frozenset(), 10 * HOUR, 12 * HOUR),)),
        day.replace(day=26): DayRule(shorter_s=9 * HOUR),
        day.replace(day=28): DayRule(as_weekday=5),
        day.replace(day=29): DayRule(as_weekday=1, shorter_s=5 * HOUR),
    }
    calendar = WorkCalendar(MOSCOW, (usual, friday), rules, {(11, 27): DAY_OFF, (11, 28): DAY_OFF})
    assert shown(calendar, "2026-11-23") == []
    assert shown(calendar, "2026-11-24") == ["24 09:00-24 13:00", "24 14:00-24 17:00"]
    assert shown(calendar, "2026-11-25") == ["25 10:00-25 12:00"]
    assert shown(calendar, "2026-11-26") == []
    assert shown(calendar, "2026-11-27") == []
    assert shown(calendar, "2030-11-27") == []
    assert shown(calendar, "2026-11-28") == ["28 09:00-28 12:00", "28 13:00-28 16:00"]
    assert shown(calendar, "2026-11-29") == ["29 09:00-29 12:00"]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ((frozenset({0}), 0, HOUR), "weekdays"),
        ((WEEKDAYS, -1, HOUR), "within a day"),
        ((WEEKDAYS, 0, HOUR, HOUR), "break"),
    ],
)
def test_an_impossible_shift_is_refused(fields: tuple[frozenset[int], int, int], complaint: str) -> None:
    """Weekdays are 1 to 7, times within a day, the break shorter than the shift."""
    with pytest.raises(ValueError, match=complaint):
        Shift(*fields)


def test_a_night_over_the_change_to_summer_time_is_an_hour_shorter() -> None:
    """22-06 without a break is seven hours that night, eight on others, nine in autumn."""
    calendar = of(Shift(EVERY_DAY, 22 * HOUR, 6 * HOUR, 0), zone=BERLIN)
    lengths = {
        day: sum((end - start).total_seconds() / HOUR for start, end in intervals(calendar, date.fromisoformat(day)))
        for day in ("2026-03-27", "2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25")
    }
    assert lengths == {"2026-03-27": 8, "2026-03-28": 7, "2026-03-29": 8, "2026-10-24": 9, "2026-10-25": 8}


def test_a_time_the_clock_skips_is_the_end_of_the_gap() -> None:
    """02:30 does not exist on that night: a shift from then starts at 03:00, a break until then is gone."""
    start = of(Shift(EVERY_DAY, 2 * HOUR + 1800, 6 * HOUR, 0), zone=BERLIN)
    pause = of(Shift(EVERY_DAY, HOUR, 4 * HOUR, HOUR), zone=BERLIN)
    whole = of(Shift(EVERY_DAY, 2 * HOUR, 3 * HOUR, 0), zone=BERLIN)
    assert shown(start, "2026-03-29") == ["29 03:00-29 06:00"]
    assert shown(pause, "2026-03-28") == ["28 01:00-28 02:00", "28 03:00-28 04:00"]
    assert shown(pause, "2026-03-29") == ["29 01:00-29 04:00"]
    assert shown(whole, "2026-03-29") == []


def test_a_time_the_clock_shows_twice_is_the_first_one() -> None:
    """A shift that ends at 02:30 of the night to winter time ends before the clock goes back."""
    calendar = of(Shift(EVERY_DAY, HOUR, 2 * HOUR + 1800, 0), zone=BERLIN)
    expected = ((datetime(2026, 10, 24, 23, 0, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),)
    assert expected == intervals(calendar, date(2026, 10, 25))


@pytest.mark.parametrize(
    ("moment", "step", "expected"),
    [
        ("2026-11-23T09:00", 300, "2026-11-23T09:00"),
        ("2026-11-23T09:00:00.000001", 300, "2026-11-23T09:05"),
        ("2026-11-23T09:01:10", 300, "2026-11-23T09:05"),
        ("2026-11-23T23:59", 3600, "2026-11-24T00:00"),
        ("2026-11-23T09:01", 7 * 60, "2026-11-23T09:06"),
    ],
)
def test_moments_are_rounded_up_on_the_wall_clock(moment: str, step: int, expected: str) -> None:
    """Steps count from midnight, in a zone of half an hour too."""
    kolkata = ZoneInfo("Asia/Kolkata")
    for zone in (MOSCOW, kolkata):
        assert at(expected, zone) == of(zone=zone).round_up(at(moment, zone).astimezone(UTC), step)


@pytest.mark.parametrize(
    ("day", "expected"),
    [("2026-11-25", "2026-11-25T18:00"), ("2026-11-28", "2026-11-27T18:00"), ("2026-11-30", "2026-11-27T18:00")],
)
def test_the_end_of_a_day_off_is_that_of_the_last_working_day(day: str, expected: str) -> None:
    """A Saturday, and a Monday that is a holiday, end on Friday evening."""
    calendar = of(Shift(WEEKDAYS, 9 * HOUR, 18 * HOUR, HOUR), days={date(2026, 11, 30): DAY_OFF})
    assert at(expected) == calendar.end_of_working_day(date.fromisoformat(day))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T08:00", "2026-11-23T09:00"),
        ("2026-11-23T12:59:59", "2026-11-23T12:59:59"),
        ("2026-11-23T13:00", "2026-11-23T14:00"),
        ("2026-11-27T18:00", "2026-11-30T09:00"),
    ],
)
def test_the_next_working_moment_skips_what_is_not_worked(moment: str, expected: str) -> None:
    """Before a shift, within it, in the break, at the end of the week."""
    assert at(expected) == Timeline(portal_hours.default(MOSCOW), (), at(moment)).start_at(0)


def test_a_calendar_of_days_off_has_no_working_time() -> None:
    """Asking for any raises, in both directions, and an absence without end does the same."""
    never = of()
    line = Timeline(portal_hours.default(MOSCOW), [(at("2026-01-01"), at("2099-01-01"))], at("2026-11-23"))
    for ask in (
        lambda: Timeline(never, (), at("2026-11-23")).start_at(0),
        lambda: never.end_of_working_day(date(2026, 11, 23)),
        lambda: line.start_at(0),
        lambda: line.end_at(1),
        lambda: line.aligned_start(0, 300),
    ):
        with pytest.raises(NoWorkingTime, match="six years"):
            ask()
    assert line.worked(at("2098-01-01")) == 0
    always = Timeline(portal_hours.default(MOSCOW), (), at("2026-11-23"))
    assert always.worked(at("2032-11-30")) == always.worked(at("2098-01-01"))


def test_an_absence_is_taken_to_whole_seconds() -> None:
    """Begun within a second it takes that second, ended within one it takes that too."""
    blink = timedelta(microseconds=1)
    line = Timeline(
        portal_hours.default(MOSCOW), [(at("2026-11-23T10:00") + blink, at("2026-11-23T11:00") + blink)], MONDAY
    )
    expected = (at("2026-11-23T10:00"), at("2026-11-23T11:00:01"))
    assert (expected,) == line.absences


def plan(line: Timeline, hours: float) -> tuple[str, str]:
    """Start and end of so many hours from the line's origin, on Moscow's clock."""
    return (
        f"{line.start_at(0).astimezone(MOSCOW):%Y-%m-%d %H:%M}",
        f"{line.end_at(round(hours * HOUR)).astimezone(MOSCOW):%Y-%m-%d %H:%M}",
    )


@pytest.mark.parametrize(
    ("origin", "hours", "expected"),
    [
        ("2026-11-23T07:00", 2, ("2026-11-23 09:00", "2026-11-23 11:00")),
        ("2026-11-23T07:00", 4, ("2026-11-23 09:00", "2026-11-23 13:00")),
        ("2026-11-23T12:00", 2, ("2026-11-23 12:00", "2026-11-23 15:00")),
        ("2026-11-23T07:00", 8, ("2026-11-23 09:00", "2026-11-23 18:00")),
        ("2026-11-23T16:30", 2, ("2026-11-23 16:30", "2026-11-24 09:30")),
        ("2026-11-27T17:00", 40, ("2026-11-27 17:00", "2026-12-04 17:00")),
        ("2026-11-29T12:00", 0.25, ("2026-11-30 09:00", "2026-11-30 09:15")),
    ],
)
def test_work_fills_working_time_only(origin: str, hours: float, expected: tuple[str, str]) -> None:
    """Before a shift, over a break, part of a day left, over a weekend."""
    assert expected == plan(Timeline(portal_hours.default(MOSCOW), (), at(origin)), hours)


def test_a_plan_goes_over_new_year() -> None:
    """Ten hours from the last afternoon of the year end after the holidays."""
    off = {date(2027, 1, day): DAY_OFF for day in range(1, 9)}
    calendar = WorkCalendar(MOSCOW, portal_hours.default(MOSCOW).shifts, off)
    line = Timeline(calendar, (), at("2026-12-31T16:00"))
    assert plan(line, 10) == ("2026-12-31 16:00", "2027-01-11 18:00")


def test_a_plan_goes_over_a_vacation() -> None:
    """What is begun before it is finished after it; a neighbour on the same calendar is not held up."""
    shared = Timeline(portal_hours.default(MOSCOW), (), at("2026-11-23T10:00"))
    line = shared.without([(at("2026-11-24T00:00"), at("2026-12-08T00:00"))])
    assert plan(line, 8) == ("2026-11-23 10:00", "2026-12-08 10:00")
    assert plan(shared, 8) == ("2026-11-23 10:00", "2026-11-24 10:00")
    assert line.worked(at("2026-12-01T12:00")) == 7 * HOUR
    assert at("2026-12-08T09:00") == line.start_at(7 * HOUR)
    assert at("2026-11-23T18:00") == line.end_at(7 * HOUR)


def test_absences_are_united_and_reported() -> None:
    """Two that overlap are one, one that is over does no harm, one outside working hours takes nothing."""
    away = [
        (at("2026-11-24T09:00"), at("2026-11-24T12:00")),
        (at("2026-11-24T11:00"), at("2026-11-24T15:00")),
        (at("2026-11-23T20:00"), at("2026-11-23T21:00")),
        (at("2026-11-02T09:00"), at("2026-11-03T12:00")),
    ]
    line = Timeline(portal_hours.default(MOSCOW), away, at("2026-11-23T17:00"))
    assert plan(line, 2) == ("2026-11-23 17:00", "2026-11-24 16:00")
    expected = (away[3], away[2], (away[0][0], away[1][1]))
    assert expected == line.absences


def test_a_shift_begun_yesterday_is_still_worked() -> None:
    """At two in the night the evening's shift goes on, and meets the early one of the new day."""
    night = Shift(frozenset({1}), 22 * HOUR, 6 * HOUR, 0)
    early = Shift(frozenset({2}), 4 * HOUR, 12 * HOUR, 0)
    line = Timeline(of(night, early), (), at("2026-11-24T02:00"))
    assert plan(line, 10) == ("2026-11-24 02:00", "2026-11-24 12:00")


def test_a_break_in_the_night_is_worked_by_the_shift_of_the_next_day() -> None:
    """The night's break falls into the next day's shift, so there is none."""
    night = Shift(frozenset({1}), 22 * HOUR, 6 * HOUR, HOUR)
    early = Shift(frozenset({2}), HOUR, 5 * HOUR, 0)
    line = Timeline(of(night, early), (), at("2026-11-23T21:00"))
    assert plan(line, 8) == ("2026-11-23 22:00", "2026-11-24 06:00")


@pytest.mark.long
@thorough
@given(calendars(), absences(), st.integers(0, 3 * 1440), st.data())
def test_the_arithmetic_equals_counting_minutes(
    calendar: WorkCalendar, away: tuple[Interval, ...], offset: int, data: st.DataObject
) -> None:
    """Worked time, starts and ends are those of a walker, on any calendar with any absences."""
    origin = MONDAY + offset * MINUTE
    minutes = working_minutes(calendar, origin, 9, away)
    line = Timeline(calendar, (), origin).without(away)
    total = list(accumulate(minutes, initial=0))
    for i in data.draw(st.lists(st.integers(0, len(minutes)), min_size=5, max_size=20)):
        assert total[i] * 60 == line.worked(origin + i * MINUTE)
    if total[-1]:
        for position in data.draw(st.lists(st.integers(1, total[-1]), min_size=5, max_size=20)):
            done = bisect_left(total, position)
            assert origin + done * MINUTE == line.end_at(position * 60)
            assert origin + (done - 1) * MINUTE == line.start_at(position * 60 - 60)


@pytest.mark.long
@thorough
@given(calendars(), absences(), st.lists(st.integers(0, 400 * HOUR), min_size=2, max_size=20))
def test_a_duration_added_is_measured_back(
    calendar: WorkCalendar, away: tuple[Interval, ...], lengths: list[int]
) -> None:
    """Ends and starts measure what was added, rise with it, and no work is done outside working time."""
    line = Timeline(calendar, away, MONDAY)
    second = timedelta(seconds=1)
    last = MONDAY
    for length in sorted(lengths):
        try:
            start, end = line.start_at(length), line.end_at(length)
        except NoWorkingTime:
            assert line.worked(MONDAY + timedelta(days=7 * 366)) <= length
            continue
        assert (length, length) == (line.worked(start), line.worked(end))
        assert last <= end <= start
        assert line.worked(start + second) - length == 1
        assert not length or length - line.worked(end - second) == 1
        last = end


@thorough
@given(calendars(), st.integers(0, 14))
def test_intervals_are_in_order_and_apart(calendar: WorkCalendar, n: int) -> None:
    """Each interval of a day ends before the next begins, and none is empty."""
    flat = [moment for pair in intervals(calendar, MONDAY.date() + timedelta(days=n)) for moment in pair]
    assert sorted(set(flat)) == flat


@pytest.mark.long
@thorough
@given(calendars(), st.integers(0, 20_000), st.sampled_from([60, 300, 900, 3600]))
def test_an_aligned_start_is_the_first_working_step(calendar: WorkCalendar, position: int, step: int) -> None:
    """It lies on the step and in working time, and no earlier step does."""
    line = Timeline(calendar, (), MONDAY)
    try:
        aligned, moment = line.aligned_start(position * 60, step)
    except NoWorkingTime:
        return
    assert moment == calendar.round_up(moment, step) == line.start_at(aligned)
    walk = calendar.round_up(line.start_at(position * 60), step)
    while walk < moment:
        assert line.worked(walk) == line.worked(walk + timedelta(seconds=1))
        walk += timedelta(seconds=step)
