"""A country's official production calendar, and how it is laid over a portal's working hours.

The calendar is that of the five-day week, and it is laid over every schedule: whoever works on holidays
sets the country "none", or says so day by day in calendar.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache

from b24tools.scheduling.calendar import DAY_OFF, HOUR_S, DayRule, WorkCalendar

NONE = "none"
MOVED = DayRule(worked=True)  # a working day whose hours are not stated

_DAY = timedelta(days=1)
_SATURDAY = 6
_KNOWN_YEARS = range(1992, 2100)

# Years whose days, as the library has them, were compared with the official documents.
_CHECKED: Mapping[str, frozenset[int]] = {
    # Decrees of the government: 2024 No. 1314 of 10.08.2023, 2025 No. 1335 of 04.10.2024, 2026 No. 1466 of
    # 24.09.2025; 2027 ConsultantPlus document 544706 of September 2026. Norms: 1979, 1972, 1972, 1972 hours.
    "RU": frozenset({2024, 2025, 2026, 2027}),
    # Council of Ministers: 2025 No. 839 of 14.11.2024, 2026 No. 397 of 22.07.2025. The norm of 2026 is 2024 hours
    # (Ministry of Labour, No. 95 of 16.09.2025). For 2027 no days had been moved by November 2026.
    "BY": frozenset({2025, 2026}),
    # Law No. 267-II on holidays of 13.12.2001, the Ministry of Labour's calendars; 3 January 2025 by its order
    # No. 436 of 2024. 30 August ceased to be a holiday in 2026, 15 March is one from 2027 on (new Constitution).
    "KZ": frozenset({2025, 2026}),
    # Decrees of the President: 2024 UP-213 of 22.12.2023, 2025 of 24.12.2024, 2026 (and 31 December 2025) of
    # 24.12.2025; article 208 of the Labour Code carries a day off over. Feasts: PQ-106 and PQ-194 of 2026.
    "UZ": frozenset({2024, 2025, 2026}),
}

# Whether the last hour before a public holiday is not worked, and whether a working Saturday takes that over from
# the day that it replaces. RU: Labour Code art. 95 (and the yearly calendars). BY: art. 116 (the norms of 2023 and 2026
# come out so). KZ: the code of 2015 has no such hour. UZ: art. 187; a Saturday that is not itself the eve stays whole.
_SHORT_EVE: Mapping[str, tuple[bool, bool]] = {
    "RU": (True, True),
    "BY": (True, True),
    "KZ": (False, False),
    "UZ": (True, False),
}

# A day off that is no public holiday: the day before it is not short. Easter, in Belarus, is a Sunday like others.
_NO_HOLIDAY = ("(observed", "substituted from", "Additional day off", "Easter")
_SUBSTITUTED = re.compile(r"substituted from (?P<month>\d+)/(?P<day>\d+)/(?P<year>\d+)")


@dataclass(frozen=True)
class ProductionCalendar:
    """The days on which a country differs from the plain week, and the years in which that was checked.

    `country` is RU, BY, KZ, UZ or "none". The days of any year are found when first asked for; of
    a year that is not in `verified` they are those of the law, as far as the library knows it.
    """

    country: str
    days: Mapping[date, DayRule]
    verified: frozenset[int]


def production_calendar(country: str) -> ProductionCalendar:
    """The production calendar of a country, or an empty one for "none"."""
    if country == NONE:
        return ProductionCalendar(country, {}, frozenset())
    return ProductionCalendar(country, _ByYear(lambda year: _year(country, year)), _CHECKED[country])


def with_production(
    calendar: WorkCalendar, production: Mapping[date, DayRule], own: Mapping[date, DayRule]
) -> WorkCalendar:
    """A portal's calendar with the country's days, and the user's own ones above all.

    For each day the first that speaks counts: `own`, the portal's rule for the date, `production`, the
    portal's yearly rules; but a day that the portal has off every year is not worked for `production`.
    """

    def lay(year: int) -> dict[date, DayRule]:
        production.get(date(year, 1, 1))  # now it shows its days of this year
        days = sorted({day for said in (own, calendar.days, production) for day in said if day.year == year})
        rules = {day: _decide(day, calendar, production, own) for day in days}
        return {day: rule for day, rule in rules.items() if rule is not None}

    return replace(calendar, days=_ByYear(lay))


class _ByYear(Mapping[date, DayRule]):
    """Days found a year at a time, when first asked for. Going through them shows the years found so far."""

    def __init__(self, find: Callable[[int], Mapping[date, DayRule]]) -> None:
        self._find = find
        self._rules: dict[int, Mapping[date, DayRule]] = {}

    def __getitem__(self, day: date) -> DayRule:
        if day.year not in self._rules:
            self._rules[day.year] = self._find(day.year)
        return self._rules[day.year][day]

    def __iter__(self) -> Iterator[date]:
        return (day for year in sorted(self._rules) for day in self._rules[year])

    def __len__(self) -> int:
        return sum(map(len, self._rules.values()))


def _decide(
    day: date, portal: WorkCalendar, production: Mapping[date, DayRule], own: Mapping[date, DayRule]
) -> DayRule | None:
    for said in (own, portal.days):
        if (rule := said.get(day)) is not None:
            return rule
    rule = production.get(day)
    yearly = portal.yearly.get((day.month, day.day))
    if rule is None or rule == DAY_OFF:
        return rule
    if yearly == DAY_OFF:
        return None
    if yearly is not None and rule.shorter_s:
        return replace(yearly, shorter_s=yearly.shorter_s + rule.shorter_s)
    if rule.as_weekday and any(day.isoweekday() in shift.weekdays for shift in portal.shifts):
        return replace(rule, as_weekday=None)  # who works on Saturdays anyway works this one as others
    return rule


@lru_cache(maxsize=64)  # `serve` asks for the same ones with each order
def _year(country: str, year: int) -> Mapping[date, DayRule]:
    import holidays

    if year not in _KNOWN_YEARS:
        return {}
    # A day may be moved over New Year, and 31 December is the eve of a holiday of the next year.
    country_days = holidays.country_holidays(country, years=(year - 1, year, year + 1), language="en_US")
    names = dict(country_days.items())
    replaced = {source: day for day, name in names.items() if (source := _substituted(name))}
    feasts = {day for day, name in names.items() if _is_feast(name)}
    rules: dict[date, DayRule] = {}
    day = date(year, 1, 1)
    while day.year == year:
        moved = day in country_days.weekend_workdays
        if day in names and not moved:
            rules[day] = DAY_OFF
        else:
            rule = _working_day(country, day, feasts, moved=moved, instead_of=replaced.get(day))
            if rule is not None:
                rules[day] = rule
        day += _DAY
    return rules


def _working_day(country: str, day: date, feasts: set[date], *, moved: bool, instead_of: date | None) -> DayRule | None:
    """A working Saturday, an eve, or neither."""
    short, moves_along = _SHORT_EVE[country]
    eve = instead_of if moved and moves_along and instead_of else day
    shorter_s = HOUR_S if short and eve + _DAY in feasts else 0
    if not moved:
        return DayRule(shorter_s=shorter_s) if shorter_s else None
    if instead_of is None or instead_of.isoweekday() >= _SATURDAY:
        return replace(MOVED, shorter_s=shorter_s)
    return DayRule(as_weekday=instead_of.isoweekday(), shorter_s=shorter_s)


def _substituted(name: str) -> date | None:
    """The day that is worked instead of the one of this name."""
    match = _SUBSTITUTED.search(name)
    if not match:
        return None
    return date(int(match["year"]), int(match["month"]), int(match["day"]))


def _is_feast(name: str) -> bool:
    return any(not any(word in part for word in _NO_HOLIDAY) for part in name.split("; "))
