"""Working time the slow way, a minute at a time: what the planning tests compare with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from b24tools.scheduling.calendar import DAY_OFF, DayRule, Interval, Shift, WorkCalendar

MINUTE = timedelta(minutes=1)
MONDAY = datetime(2026, 3, 23, 0, 0, tzinfo=UTC)
ZONES = [ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin"), ZoneInfo("America/St_Johns"), ZoneInfo("Asia/Kolkata")]


def wall_minutes(calendar: WorkCalendar, day: date) -> set[int]:
    """The minutes worked by the shifts that start on a day, counted from its midnight."""
    rule = calendar.days.get(day) or calendar.yearly.get((day.month, day.day)) or DayRule()
    if rule.shifts is None:
        weekdays = [rule.as_weekday or day.isoweekday(), *([1, 2, 3, 4, 5, 6, 7] if rule.worked else [])]
        by_weekday = [[shift for shift in calendar.shifts if weekday in shift.weekdays] for weekday in weekdays]
        shifts: Sequence[Shift] = next((some for some in by_weekday if some), [])
    else:
        shifts = rule.shifts
    unstated: set[int] = set()
    stated: set[int] = set()
    for shift in shifts:
        start, end = shift.start_s // 60, shift.end_s // 60
        minutes = list(range(start, end if end > start else end + 1440))
        if shift.break_s is None:
            unstated.update(minutes)
        else:
            stated.update(_without_middle(minutes, shift.break_s // 60))
    for run in _runs(sorted(unstated)):
        stated.update(_without_middle(run, 60) if len(run) > 360 else run)
    left = max(0, len(stated) - rule.shorter_s // 60)
    return set(sorted(stated)[: int(left * calendar.share)])


def intervals(calendar: WorkCalendar, day: date) -> tuple[Interval, ...]:
    """What the shifts that start on a day work, as moments."""
    moments = [tuple(datetime.fromtimestamp(second, UTC) for second in span) for span in calendar.spans(day)]
    return tuple((start, end) for start, end in moments)


def working_minutes(
    calendar: WorkCalendar, origin: datetime, days: int, absences: Iterable[Interval] = ()
) -> list[bool]:
    """For each minute of so many days from the origin whether it is worked."""
    known: dict[date, set[int]] = {}
    result = []
    absences = list(absences)
    for moment, day, minute in walk(calendar.zone, origin, days):
        if day not in known:
            before = wall_minutes(calendar, day - timedelta(days=1))
            known[day] = wall_minutes(calendar, day) | {late - 1440 for late in before}
        result.append(minute in known[day] and not any(start <= moment < end for start, end in absences))
    return result


@lru_cache(maxsize=8)
def walk(zone: ZoneInfo, origin: datetime, days: int) -> list[tuple[datetime, date, int]]:
    """Each minute of so many days: the moment, and the day and minute that the wall clock shows."""
    result = []
    for i in range(days * 1440):
        moment = origin + i * MINUTE
        wall = moment.astimezone(zone)
        result.append((moment, wall.date(), wall.hour * 60 + wall.minute))
    return result


def _without_middle(minutes: list[int], pause: int) -> list[int]:
    start = (len(minutes) - pause) // 2
    return minutes[:start] + minutes[start + pause :]


def _runs(minutes: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for minute in minutes:
        if runs and runs[-1][-1] == minute - 1:
            runs[-1].append(minute)
        else:
            runs.append([minute])
    return runs


@st.composite
def shifts(draw: Any) -> Shift:
    """Any shift in whole minutes: short, long, over midnight, with a break stated or not."""
    weekdays = draw(st.frozensets(st.integers(1, 7), min_size=1))
    start, end = draw(st.integers(0, 1439)), draw(st.integers(0, 1440))
    length = end - start if end > start else end + 1440 - start
    pause = draw(st.none() | st.integers(0, min(120, length - 1)))
    return Shift(weekdays, start * 60, end * 60, None if pause is None else pause * 60)


def rules() -> Any:
    """Any way in which a day may differ from its weekday."""
    return (
        st.just(DAY_OFF)
        | st.builds(DayRule, as_weekday=st.integers(1, 7), shorter_s=st.integers(0, 600).map(lambda m: m * 60))
        | st.builds(DayRule, worked=st.just(True), shorter_s=st.sampled_from([0, 3600]))
        | st.builds(DayRule, shifts=st.tuples(shifts()))
    )


def dates() -> Any:
    """A day around MONDAY."""
    return st.integers(-1, 12).map(lambda n: MONDAY.date() + timedelta(days=n))


def days_that_differ() -> Any:
    """Some days around MONDAY and how they differ."""
    return st.dictionaries(dates(), rules() | st.just(DayRule(shorter_s=3600)), max_size=4)


@st.composite
def calendars(draw: Any) -> WorkCalendar:
    """Any calendar: one to three shifts, days around MONDAY that differ, some every year."""
    yearly = dates().map(lambda day: (day.month, day.day))
    return WorkCalendar(
        draw(st.sampled_from(ZONES)),
        tuple(draw(st.lists(shifts(), min_size=1, max_size=3))),
        draw(st.dictionaries(dates(), rules(), max_size=4)),
        draw(st.dictionaries(yearly, rules(), max_size=1)),
    )


@st.composite
def absences(draw: Any, days: int = 10) -> tuple[Interval, ...]:
    """Up to three absences, which may touch or overlap."""
    result = []
    for _ in range(draw(st.integers(0, 3))):
        start = MONDAY + draw(st.integers(-1440, days * 1440)) * MINUTE
        result.append((start, start + draw(st.integers(1, 2880)) * MINUTE))
    return tuple(result)
