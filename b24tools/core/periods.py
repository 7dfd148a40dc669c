"""Periods of the configured zone: ISO weeks from Monday 00:00, calendar months, quarters and years."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.timestamps import from_seconds

WEEK, MONTH, QUARTER, YEAR = "week", "month", "quarter", "year"
SEASON_KINDS = (MONTH, QUARTER)  # those that are frozen when they are over
_MONTHS = {MONTH: 1, QUARTER: 3, YEAR: 12}  # in each
LAST = "last"
_FORM = re.compile(  # far from the ends of Python's calendar
    r"(?P<year>[12]\d{3})(?:-(?:[Ww](?P<week>\d{1,2})|[QqКк](?P<quarter>[1-4])|(?P<month>\d{1,2})))?"
)
_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) ?([mhd])")
_NEAR_DAYS = {"today": 0, "сегодня": 0, "tomorrow": 1, "завтра": 1, "послезавтра": 2}
CENTURY = timedelta(days=36525)
_FAR_YEARS = 5  # no plan reaches further
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_DAY_S = 86400
_QUARTER_S = 900  # of an hour: no zone has its midnight between two of them


@dataclass(frozen=True, order=True)
class Period:
    """A week, a month, a quarter or a year. `first` is its first day and `after` the first one after it, in `zone`."""

    first: date
    after: date
    kind: str
    zone: ZoneInfo

    @property
    def start(self) -> datetime:
        """The first moment, UTC: midnight on the zone's wall clock, so a week with a clock change has not 168 hours."""
        return datetime.combine(self.first, time(), self.zone).astimezone(UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it, UTC."""
        return datetime.combine(self.after, time(), self.zone).astimezone(UTC)

    @property
    def label(self) -> str:
        """`2026-W47`, `2026-11`, `2026-Q4` or `2026`."""
        if self.kind == MONTH:
            return f"{self.first:%Y-%m}"
        if self.kind == QUARTER:
            return f"{self.first.year}-Q{self.first.month // 3 + 1}"
        if self.kind == YEAR:
            return f"{self.first.year}"
        year, week, _day = self.first.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def before(self) -> Period:
        """The period before this one."""
        return containing(self.first - timedelta(days=1), self.kind, self.zone)

    def weeks(self) -> Iterator[Period]:
        """The weeks that have a day in it, the first one first."""
        week = containing(self.first, WEEK, self.zone)
        while week.first < self.after:
            yield week
            week = containing(week.after, WEEK, self.zone)


def label_at(seconds: int, zone: ZoneInfo) -> str:
    """Return the label of the week that a moment (seconds since 1970) falls into, by the zone's wall clock."""
    return _label_of_day(seconds // _DAY_S, zone) or _label_of_quarter(seconds // _QUARTER_S, zone)


@lru_cache(maxsize=4096)
def _label_of_day(number: int, zone: ZoneInfo) -> str | None:
    """Return the label of a day of UTC; None if another week begins in it."""
    after = (number + 1) * _DAY_S // _QUARTER_S
    first, last = (_label_of_quarter(quarter, zone) for quarter in (after - _DAY_S // _QUARTER_S, after - 1))
    return first if first == last else None


@lru_cache(maxsize=4096)
def _label_of_quarter(number: int, zone: ZoneInfo) -> str:
    year, week, _day = from_seconds(number * _QUARTER_S).astimezone(zone).isocalendar()
    return f"{year}-W{week:02}"


def containing(day: date, kind: str, zone: ZoneInfo) -> Period:
    """Return the week, month, quarter or year of a day."""
    if months := _MONTHS.get(kind):
        first = date(day.year, (day.month - 1) // months * months + 1, 1)
        return Period(first, (first + timedelta(days=31 * months)).replace(day=1), kind, zone)
    first = day - timedelta(days=day.weekday())
    return Period(first, first + timedelta(days=7), WEEK, zone)


def week_of(moment: datetime, zone: ZoneInfo) -> Period:
    """Return the week a moment falls into, by the zone's wall clock."""
    return containing(moment.astimezone(zone).date(), WEEK, zone)


def choose(text: str | None, kind: str, zone: ZoneInfo, now: datetime) -> Period:
    """Find the period that is meant: the current one without a text, the one before for `last`. Raises ConfigError."""
    current = containing(now.astimezone(zone).date(), kind, zone)
    if text is None:
        return current
    return current.before if text.strip().lower() == LAST else parse(text, zone)


def parse(text: str, zone: ZoneInfo) -> Period:
    """`2026-W47`, `2026-11`, `2026-Q4` or `2026`. Raises ConfigError."""
    match = _FORM.fullmatch(text.strip())
    try:
        if match:
            year = int(match["year"])
            if match["week"]:
                return containing(date.fromisocalendar(year, int(match["week"]), 1), WEEK, zone)
            if match["quarter"]:
                return containing(date(year, int(match["quarter"]) * 3, 1), QUARTER, zone)
            if match["month"]:
                return containing(date(year, int(match["month"]), 1), MONTH, zone)
            return containing(date(year, 1, 1), YEAR, zone)
    except ValueError:
        pass
    raise errors.UsageError(
        _('"{text}" is not a period').format(text=text),
        _("Examples: 2026-W47 (a week), 2026-11 (a month), 2026-Q4 (a quarter), 2026 (a year)"),
    )


def read_day(text: str, today: date) -> date:
    """Read a day as people write it: `2026-11-30`, `30.11.2026`, `30.11` (the nearest one), tomorrow, завтра.

    Raises ConfigError.
    """
    word = text.strip().casefold()
    if word in _NEAR_DAYS:
        return today + timedelta(days=_NEAR_DAYS[word])
    days = []
    with suppress(ValueError):
        days.append(date.fromisoformat(word))
    if match := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.?(\d{4})?", word):
        years = [int(match[3])] if match[3] else [today.year + difference for difference in (-1, 0, 1)]
        for year in years:
            with suppress(ValueError):
                days.append(date(year, int(match[2]), int(match[1])))
    if days:
        day = min(days, key=lambda day: abs(day - today))
        if day.year < 2000 or day.year > today.year + _FAR_YEARS:
            raise errors.UsageError(
                _('"{text}" is too far away').format(text=text.strip()),
                _("Give a day from 2000 on, and of the next five years at most."),
            )
        return day
    raise errors.UsageError(
        _('"{text}" is not a day').format(text=text.strip()), _("Examples: tomorrow, 30.11, 30.11.2026, 2026-11-30.")
    )


def parse_span(text: str) -> timedelta:
    """Read `26h`, `90m`, `2d`; more than a century is one. Raises ConfigError."""
    match = _SPAN.fullmatch(text.strip().lower())
    if not match:
        raise errors.UsageError(
            _('"{text}" is not a span of time').format(text=text), _("Examples: 26h, 90m, 2d (hours, minutes, days)")
        )
    return min(timedelta(**{_UNITS[match[2]]: float(match[1])}), CENTURY)
