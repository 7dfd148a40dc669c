"""The portal's raw answers about working hours, read into calendars; what surprised comes back as warnings.

A source that says nothing usable answers None: ask the next one, `default` at last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.scheduling.calendar import DAY_OFF, DAY_S, HOUR_S, MINUTE_S, DayRule, Shift, WorkCalendar

MONDAY_TO_FRIDAY = frozenset(range(1, 6))
EVERY_DAY = frozenset(range(1, 8))

_WEEKDAYS = {"MO": 1, "TU": 2, "WE": 3, "TH": 4, "FR": 5, "SA": 6, "SU": 7}
_HOURS = re.compile(r"(\d{1,2})(?:[.:,](\d{1,2}))?(?::\d{2})?")
_DAY_MONTH = re.compile(r"(\d{1,2})\.(\d{1,2})(?:\.(\d{4}))?")
_ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_LEAP_YEAR = 2000


def default(zone: ZoneInfo) -> WorkCalendar:
    """Monday to Friday, 9 to 18, one hour of break."""
    return WorkCalendar(zone, (Shift(MONDAY_TO_FRIDAY, 9 * HOUR_S, 18 * HOUR_S, HOUR_S),))


def portal_hours(schedule: Any, settings: Any, zone: ZoneInfo) -> tuple[WorkCalendar, list[str]]:
    """The hours of a portal from what both methods answered, and warnings: the schedule's, else the calendar's.

    A schedule without hours of its own may have days off, which count with the hours of the next source.
    """
    if (scheduled := from_schedule(schedule, zone)) is not None:
        return scheduled
    calendar, warnings = from_settings(settings, zone) or (
        default(zone),
        [_("the portal shows no working hours: planned for Mon-Fri 9-18")],
    )
    days, doubts = days_off(schedule)
    return replace(calendar, days={**calendar.days, **days}), [*warnings, *doubts]


def from_schedule(schedule: Any, zone: ZoneInfo) -> tuple[WorkCalendar, list[str]] | None:
    """What `timeman.schedule.get` answered, and warnings; None if it holds no hours to plan by.

    An empty list (no such schedule, or no right to read it), a flexible or deleted schedule and one
    without a usable shift hold none (but maybe `days_off`). A break of 0 is none. Seconds are not looked at: the portal
    cuts those of a plan. Any day among the exclusions is off, whatever its value.
    https://apidocs.bitrix24.com/api-reference/timeman/schedule/timeman-schedule-get.html
    """
    if not isinstance(schedule, Mapping) or _is_yes(schedule.get("DELETED")):
        return None
    kind = str(schedule.get("SCHEDULE_TYPE") or "FIXED").upper()
    if kind == "FLEXTIME":
        return None
    warnings: list[str] = []
    name = str(schedule.get("NAME") or schedule.get("ID") or "")
    shifts = [shift for raw in _values(schedule.get("SHIFTS")) if (shift := _shift(raw, kind, name, warnings))]
    if kind == "SHIFT":
        shifts = _earliest(shifts, name, warnings)
    if not shifts:
        return None
    days, doubts = days_off(schedule)
    return WorkCalendar(zone, tuple(shifts), days), [*warnings, *doubts]


def days_off(schedule: Any) -> tuple[dict[date, DayRule], list[str]]:
    """The dates on which a schedule is off, and warnings; a flexible one, which has no hours, may have these."""
    if not isinstance(schedule, Mapping) or _is_yes(schedule.get("DELETED")):
        return {}, []
    warnings: list[str] = []
    name = str(schedule.get("NAME") or schedule.get("ID") or "")
    calendar = schedule.get("CALENDAR")
    exclusions = calendar.get("EXCLUSIONS") if isinstance(calendar, Mapping) else None
    return dict.fromkeys(_excluded(exclusions, name, warnings), DAY_OFF), warnings


def from_settings(settings: Any, zone: ZoneInfo) -> tuple[WorkCalendar, list[str]] | None:
    """What `calendar.settings.get` answered, and warnings; None without usable hours.

    Holidays come round every year; a working day among them (`year_workdays`) is worked with the
    usual hours even at a weekend. Without `week_holidays` (an extranet caller) Saturday and Sunday are off.
    https://apidocs.bitrix24.com/api-reference/calendar/calendar-settings-get.html
    """
    if not isinstance(settings, Mapping):
        return None
    start, end = _clock(settings.get("work_time_start")), _clock(settings.get("work_time_end"))
    if start is None or end is None or start == end or start >= DAY_S:
        return None
    warnings: list[str] = []
    listed = _words(settings.get("week_holidays", ["SA", "SU"]))
    off = {_WEEKDAYS[word.upper()[:2]] for word in listed if word.upper()[:2] in _WEEKDAYS}
    if off == EVERY_DAY:
        return None
    worked = DayRule(shifts=(Shift(EVERY_DAY, start, end),))
    days: dict[date, DayRule] = {}
    yearly: dict[tuple[int, int], DayRule] = {}
    for key, rule in (("year_holidays", DAY_OFF), ("year_workdays", worked)):
        for word in _words(settings.get(key)):
            day, every_year = read_day(word)
            if day is None:
                warnings.append(_("calendar settings of the portal: {word!r} is not a day").format(word=word))
            elif every_year:
                yearly[day.month, day.day] = rule
            else:
                days[day] = rule
    return WorkCalendar(zone, (Shift(EVERY_DAY - off, start, end),), days, yearly), warnings


def _shift(raw: Any, kind: str, name: str, warnings: list[str]) -> Shift | None:
    if not isinstance(raw, Mapping) or _is_yes(raw.get("DELETED")):
        return None
    start, end = _minutes(raw.get("WORK_TIME_START")), _minutes(raw.get("WORK_TIME_END"))
    weekdays = frozenset(int(digit) for digit in re.findall("[1-7]", str(raw.get("WORK_DAYS") or "")))
    if not weekdays and kind == "SHIFT":
        weekdays = MONDAY_TO_FRIDAY
        warnings.append(
            _("work schedule {name!r}: a shift without weekdays, taken as Monday to Friday").format(name=name)
        )
    if not weekdays or start is None or end is None or not 0 <= start < DAY_S or not 0 <= end <= DAY_S or start == end:
        warnings.append(_("work schedule {name!r}: a shift without usable hours is left out").format(name=name))
        return None
    bare = Shift(weekdays, start, end)
    pause = _minutes(raw.get("BREAK_DURATION"))  # 0: none, as the schedule states
    if pause is not None and 0 <= pause < bare.span[1] - bare.span[0]:
        return Shift(weekdays, start, end, pause)
    return bare


def _earliest(shifts: list[Shift], name: str, warnings: list[str]) -> list[Shift]:
    """Of several shifts on a weekday only the earliest: the portal does not say whose the others are."""
    left: list[Shift] = []
    taken: frozenset[int] = frozenset()
    for shift in sorted(shifts, key=lambda shift: shift.span):
        weekdays = shift.weekdays - taken
        if weekdays:
            left.append(Shift(weekdays, shift.start_s, shift.end_s, shift.break_s))
        taken |= shift.weekdays
    if sum(len(shift.weekdays) for shift in shifts) > len(taken):
        warnings.append(_("work schedule {name!r}: several shifts a day, planning by the earliest").format(name=name))
    return left


def _excluded(exclusions: Any, name: str, warnings: list[str]) -> Iterator[date]:
    """Days of `{"2026": {"1": {"1": "0"}}}`, where empty years and months are lists, or of plain dates."""
    words: list[Any] = []
    if isinstance(exclusions, Mapping):
        for year, months in exclusions.items():
            for month, days in months.items() if isinstance(months, Mapping) else ():
                words += [f"{year}-{month}-{day}" for day in days] if isinstance(days, Mapping) else _words(days)
    else:
        words += _words(exclusions)
    for word in words:
        day, every_year = read_day(word)
        if day is None or every_year:
            warnings.append(_("work schedule {name!r}: {word!r} is not a day").format(name=name, word=word))
        else:
            yield day


def read_day(word: str) -> tuple[date | None, bool]:
    """A date of `2026-01-31`, `31.01.2026` or `31.01`; whether it is of every year (then of a leap year)."""
    iso, dotted = _ISO_DAY.fullmatch(word), _DAY_MONTH.fullmatch(word)
    with suppress(ValueError):
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3])), False
        if dotted:
            return date(int(dotted[3] or _LEAP_YEAR), int(dotted[2]), int(dotted[1])), not dotted[3]
    return None, False


def _clock(value: Any) -> int | None:
    """Seconds from midnight of "9", 9 or "9.30", where the dot is followed by minutes."""
    match = _HOURS.fullmatch(str(value).strip())
    if not match or isinstance(value, bool):
        return None
    minutes = int((match[2] or "0").ljust(2, "0"))
    seconds = int(match[1]) * HOUR_S + minutes * 60
    return seconds if minutes < 60 and seconds <= DAY_S else None


def _values(value: Any) -> Iterable[Any]:
    """The items of a PHP array, which arrives as a list, an object or nothing."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


def _words(value: Any) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else [str(item) for item in _values(value)]
    return [part.strip() for part in parts if part.strip()]


def _minutes(seconds: Any) -> int | None:
    """Return the seconds that a value of the portal's means, as whole minutes; None where it is no length of time."""
    try:
        number = int(seconds)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if number < 0 else (number + MINUTE_S // 2) // MINUTE_S * MINUTE_S


def _is_yes(value: Any) -> bool:
    return value is True or str(value) in ("1", "Y", "true")
