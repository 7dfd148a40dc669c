"""The portal's answers about working hours: as documented, as they really are, and junk."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24tools.scheduling import portal_hours
from b24tools.scheduling.calendar import DAY_OFF, DayRule, Shift, WorkCalendar
from tests.support.minute_model import intervals

ZONE = ZoneInfo("Europe/Moscow")
HOUR = 3600
WEEKDAYS = frozenset(range(1, 6))
EVERY_DAY = frozenset(range(1, 8))


def shift(start: float = 8, end: float = 17, days: Any = "12345", pause: Any = HOUR, **more: Any) -> dict[str, Any]:
    """A shift as the portal sends it; times in hours."""
    hours = {"WORK_TIME_START": round(start * HOUR), "WORK_TIME_END": round(end * HOUR)}
    return (
        {"ID": 1, "NAME": "", "SCHEDULE_ID": 1, "DELETED": False, "WORK_DAYS": days, "BREAK_DURATION": pause}
        | hours
        | more
    )


def schedule(*shifts: Any, kind: str = "FIXED", exclusions: Any = (), **more: Any) -> dict[str, Any]:
    """A schedule as `timeman.schedule.get` sends it."""
    calendar = {"ID": 1, "NAME": "", "PARENT_CALENDAR_ID": 0, "EXCLUSIONS": exclusions or []}
    shell = {"ID": 1, "NAME": "Для всех", "SCHEDULE_TYPE": kind, "DELETED": "0", "IS_FOR_ALL_USERS": True}
    return shell | {"SHIFTS": list(shifts), "CALENDAR": calendar} | more


def calendar(*shifts: Shift, days: list[date] | None = None) -> WorkCalendar:
    """What such an answer should become."""
    return WorkCalendar(ZONE, shifts, dict.fromkeys(days or [], DAY_OFF))


def test_a_schedule_becomes_a_calendar() -> None:
    """Shifts of different weekdays, days off by year and month, where empty ones are lists."""
    answer = schedule(
        shift(days="1234"),
        shift(8, 15, days="5", pause=1800, ID=2),
        exclusions={"2026": {"1": {"1": "0", "2": "0"}, "2": [], "5": {"1": "28800"}}, "2027": []},
    )
    days = [date(2026, 1, 1), date(2026, 1, 2), date(2026, 5, 1)]
    week = Shift(frozenset({1, 2, 3, 4}), 8 * HOUR, 17 * HOUR, HOUR)
    friday = Shift(frozenset({5}), 8 * HOUR, 15 * HOUR, 1800)
    assert (calendar(week, friday, days=days), []) == portal_hours.from_schedule(answer, ZONE)


def test_a_break_of_zero_is_none() -> None:
    """The schedule states it: eight to five are nine hours."""
    for pause in (0, "0"):
        hours, warnings = portal_hours.from_schedule(schedule(shift(pause=pause)), ZONE)
        assert (calendar(Shift(WEEKDAYS, 8 * HOUR, 17 * HOUR, 0)), []) == (hours, warnings)
        assert hours is not None
        assert 9 * HOUR == hours.working_s(date(2026, 11, 23))


def test_a_break_that_is_not_stated_is_the_usual_one() -> None:
    """Nor is one that does not fit into its shift, or is no number."""
    expected = calendar(Shift(WEEKDAYS, 8 * HOUR, 17 * HOUR)), []
    for pause in (None, "", -5, 9 * HOUR, "soon"):
        assert expected == portal_hours.from_schedule(schedule(shift(pause=pause)), ZONE)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        None,
        "no",
        schedule(),
        schedule(kind="FLEXTIME"),
        schedule(shift(), kind="FLEXTIME"),
        schedule(shift(), DELETED="1"),
        schedule(shift(DELETED=True)),
        schedule(shift(0, 0)),
        schedule(shift(), SHIFTS=None),
    ],
)
def test_an_answer_without_hours_is_left_to_the_next_source(answer: Any) -> None:
    """Nothing there, no right to read, flexible time, deleted, no shift."""
    assert portal_hours.from_schedule(answer, ZONE) is None


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            schedule(kind="FLEXTIME", exclusions={"2026": {"12": {"31": "0"}, "1": []}, "2027": {"13": {"1": "0"}}}),
            ({date(2026, 12, 31): DAY_OFF}, ["work schedule 'Для всех': '2027-13-1' is not a day"]),
        ),
        (schedule(kind="FLEXTIME"), ({}, [])),
        (schedule(kind="FLEXTIME", DELETED="1", exclusions={"2026": {"12": {"31": "0"}}}), ({}, [])),
        (schedule(kind="FLEXTIME", CALENDAR=None), ({}, [])),
        ([], ({}, [])),
        (None, ({}, [])),
    ],
)
def test_a_schedule_without_hours_may_have_days_off(
    answer: Any, expected: tuple[dict[date, DayRule], list[str]]
) -> None:
    """Its exclusions, and a warning of what is no day; a deleted one has none."""
    assert expected == portal_hours.days_off(answer)


def test_all_shifts_of_a_fixed_day_are_worked() -> None:
    """Two shifts of the same weekdays are both kept, one of them over midnight."""
    answer = schedule(shift(6, 14, pause="0"), shift(22, 6, days=12345, pause="1800"))
    early = Shift(WEEKDAYS, 6 * HOUR, 14 * HOUR, 0)
    night = Shift(WEEKDAYS, 22 * HOUR, 6 * HOUR, 1800)
    assert (calendar(early, night), []) == portal_hours.from_schedule(answer, ZONE)


def test_of_rotating_shifts_the_earliest_of_a_day_counts() -> None:
    """Who works which is not told, so there is a warning; a shift of other weekdays stays."""
    answer = schedule(shift(14, 22), shift(6, 14, days="123"), kind="SHIFT")
    early = Shift(frozenset({1, 2, 3}), 6 * HOUR, 14 * HOUR, HOUR)
    late = Shift(frozenset({4, 5}), 14 * HOUR, 22 * HOUR, HOUR)
    warnings = ["work schedule 'Для всех': several shifts a day, planning by the earliest"]
    assert (calendar(early, late), warnings) == portal_hours.from_schedule(answer, ZONE)


def test_a_rotating_shift_without_weekdays_is_from_monday_to_friday() -> None:
    """With a warning; a single shift needs none about being the earliest."""
    warnings = ["work schedule 'Для всех': a shift without weekdays, taken as Monday to Friday"]
    expected = calendar(Shift(WEEKDAYS, 8 * HOUR, 17 * HOUR, HOUR)), warnings
    assert expected == portal_hours.from_schedule(schedule(shift(days=""), kind="SHIFT"), ZONE)


def test_unusable_parts_of_a_schedule_are_left_out_and_named() -> None:
    """A shift without hours or weekdays, a day that does not exist; the rest is used."""
    answer = schedule(
        shift(),
        shift(days="", ID=2),
        shift(WORK_TIME_START="nine"),
        shift(9, 60),
        "junk",
        exclusions={"2026": {"2": {"30": "0", "23": "0"}, "x": {"1": "0"}, "3": "8"}, "old": []},
    )
    warnings = [
        "work schedule 'Для всех': a shift without usable hours is left out",
        "work schedule 'Для всех': a shift without usable hours is left out",
        "work schedule 'Для всех': a shift without usable hours is left out",
        "work schedule 'Для всех': '2026-2-30' is not a day",
        "work schedule 'Для всех': '2026-x-1' is not a day",
        "work schedule 'Для всех': '8' is not a day",
    ]
    expected = calendar(Shift(WEEKDAYS, 8 * HOUR, 17 * HOUR, HOUR), days=[date(2026, 2, 23)])
    assert (expected, warnings) == portal_hours.from_schedule(answer, ZONE)


def test_exclusions_may_be_a_list_of_dates() -> None:
    """The shape the documentation promises."""
    answer = schedule(shift(), exclusions=["2026-01-07", "08.03.2026", "1.05"])
    days = [date(2026, 1, 7), date(2026, 3, 8)]
    warnings = ["work schedule 'Для всех': '1.05' is not a day"]
    expected = calendar(Shift(WEEKDAYS, 8 * HOUR, 17 * HOUR, HOUR), days=days), warnings
    assert expected == portal_hours.from_schedule(answer, ZONE)


def test_calendar_settings_become_a_calendar() -> None:
    """The dot is followed by minutes, holidays come every year, a working day wins over them."""
    answer = {
        "work_time_start": "9.30",
        "work_time_end": 19,
        "year_holidays": "1.01, 8.03,31.12,9.05.2027",
        "year_workdays": "31.12",
        "week_holidays": ["SA", "SU"],
        "week_start": "MO",
    }
    start, end = 9 * HOUR + 1800, 19 * HOUR
    worked = DayRule(shifts=(Shift(EVERY_DAY, start, end),))
    yearly = {(1, 1): DAY_OFF, (3, 8): DAY_OFF, (12, 31): worked}
    expected = WorkCalendar(ZONE, (Shift(WEEKDAYS, start, end),), {date(2027, 5, 9): DAY_OFF}, yearly)
    read = portal_hours.from_settings(answer, ZONE)
    assert (expected, []) == read
    assert read is not None
    assert len(intervals(read[0], date(2028, 12, 31))) == 2  # a Sunday
    assert intervals(read[0], date(2029, 1, 1)) == ()  # a Monday


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("9", 32400), (9, 32400), ("9.3", 34200), ("9:05", 32700), (" 09.30 ", 34200), ("08:00:00", 28800)],
)
def test_hours_are_read_in_every_spelling(text: Any, seconds: int) -> None:
    """Numbers and texts, with dot or colon."""
    expected = WorkCalendar(ZONE, (Shift(WEEKDAYS, seconds, 18 * HOUR),)), []
    assert expected == portal_hours.from_settings({"work_time_start": text, "work_time_end": "18"}, ZONE)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        None,
        {},
        {"work_time_start": "9"},
        {"work_time_start": "9", "work_time_end": "9"},
        {"work_time_start": "9.75", "work_time_end": "18"},
        {"work_time_start": "24", "work_time_end": "18"},
        {"work_time_start": True, "work_time_end": "18"},
        {"work_time_start": "9", "work_time_end": "18", "week_holidays": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]},
    ],
)
def test_settings_without_hours_are_left_to_the_next_source(answer: Any) -> None:
    """No hours, impossible ones, or a week of seven days off."""
    assert portal_hours.from_settings(answer, ZONE) is None


def test_unreadable_holidays_are_named() -> None:
    """Each in a warning, the others count."""
    read = portal_hours.from_settings(
        {"work_time_start": "9", "work_time_end": "18", "week_holidays": "SU", "year_holidays": "1.13,?,29.02"}, ZONE
    )
    warnings = [
        "calendar settings of the portal: '1.13' is not a day",
        "calendar settings of the portal: '?' is not a day",
    ]
    six = (Shift(EVERY_DAY - {7}, 9 * HOUR, 18 * HOUR),)
    assert (WorkCalendar(ZONE, six, {}, {(2, 29): DAY_OFF}), warnings) == read


def test_the_last_resort_is_nine_to_six() -> None:
    """Monday to Friday with an hour at one o'clock."""
    zone = ZONE
    shown = [
        f"{start.astimezone(zone):%H:%M}-{end.astimezone(zone):%H:%M}"
        for day in range(23, 30)
        for start, end in intervals(portal_hours.default(zone), date(2026, 11, day))
    ]
    assert shown == ["09:00-13:00", "14:00-18:00"] * 5


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "0", "SHIFT"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.just("2026"), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, database=None)
@given(
    st.dictionaries(
        st.sampled_from(["WORK_TIME_START", "WORK_TIME_END", "WORK_DAYS", "BREAK_DURATION", "DELETED"]), junk
    ),
    junk,
    junk,
)
def test_junk_never_breaks_the_reader(fields: dict[str, Any], inner: Any, other: Any) -> None:
    """Whatever stands where, there is an answer or none, but no error."""
    for answer in (
        schedule(shift(**fields), other, exclusions=inner),
        schedule(shift(), SCHEDULE_TYPE=inner, CALENDAR=other),
        schedule(shift(), SHIFTS=inner),
        inner,
    ):
        portal_hours.from_schedule(answer, ZONE)
    keys = ("work_time_start", "work_time_end", "week_holidays", "year_holidays", "year_workdays")
    portal_hours.from_settings({"work_time_start": "9", "work_time_end": "18"} | dict.fromkeys(keys[2:], inner), ZONE)
    portal_hours.from_settings(dict.fromkeys(keys, other), ZONE)
