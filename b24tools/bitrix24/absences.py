"""When people are away, from `calendar.accessibility.get`.

Two kinds of rows come mixed: calendar events, and the absence chart (`FROM_HR`: vacations, sick leave), whose shape
is known from the server's source only. What counts is the text of their dates, the wall clock of the event's own
zone. The stamps beside it are off by the server's own offset, and those of a recurring event span the whole series:
they only help to find out how the site writes dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from b24tools.bitrix24.parsing import int_or_zero, mapping_or_none, php_values
from b24tools.bitrix24.portal_time import find_zone
from b24tools.core.i18n import _
from b24tools.core.models import Absence

_TEXT = re.compile(
    r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap]m)?)?", re.IGNORECASE
)
# How far a right reading may lie outside the days wanted (more are asked for), or outside its stamps (zones, and the
# last day of a whole-day event). Day and month exchanged are at least 27 days apart.
_NEAR = timedelta(days=12)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock
_ENDS_OF_TIME = date(1, 1, 3), date(9999, 12, 29)
_EXAMPLES = 3

_Edge = tuple[date, time | None]


@dataclass
class Absences:
    """When people are away, by person.

    `order`: in which order the site writes dates ("DMY", "MDY", "YMD"); "" where nothing decides.
    """

    away: dict[int, list[Absence]]
    order: str
    warnings: list[str] = field(default_factory=list)


def read_absences(
    answers: Iterable[Any], first: date, last: date, *, days_in: tzinfo, clock_in: tzinfo, order: str = ""
) -> Absences:
    """The absences between two days, from the method's answers about them.

    `days_in`: the zone of days without a clock time. `clock_in`: that of clock times without a zone of their own.
    `order`: what is remembered; what these answers show counts before it. Where nothing decides between two readings
    of a date, both are taken.
    """
    absences = Absences({}, order)
    rows: list[tuple[list[Absence], Mapping[str, Any], dict[str, tuple[_Edge, _Edge]]]] = []
    for answer in answers:
        for user_id, listed in (mapping_or_none(answer) or {}).items():
            away = absences.away.setdefault(int_or_zero(user_id), [])
            rows += [(away, row, _readings(row, first, last)) for row in php_values(listed) if isinstance(row, Mapping)]
    if shown := {next(iter(readings)) for _away, _row, readings in rows if len(readings) == 1}:
        shown = shown - {"YMD"} or shown  # a year in front is plain by itself, and says nothing of the others
        absences.order = shown.pop() if len(shown) == 1 else ""
    start, end = (datetime.combine(day, time(), days_in) for day in (first, last + timedelta(days=1)))
    twofold, unread = [], []
    for away, row, readings in rows:
        if row.get("ACCESSIBILITY") != "absent":
            continue
        chosen = [readings[absences.order]] if absences.order in readings else readings.values()
        spans = dict.fromkeys(_absence(row, edges, days_in, clock_in) for edges in chosen)
        inside = [span for span in spans if span.start < min(span.end, end) and span.end > start]
        away += inside
        if not readings:
            unread.append(_shown(row))
        elif len(inside) > 1:
            twofold.append(_shown(row))
    if twofold:
        absences.warnings.append(
            _(
                "dates of absences can be read in two ways ({examples}): both count as absence, until an event after "
                "the 12th of a month in a worker's calendar shows how the portal writes dates"
            ).format(examples=", ".join(twofold[:_EXAMPLES]))
        )
    if unread:
        absences.warnings.append(
            _("dates of absences cannot be read, these absences are not counted: {examples}").format(
                examples=", ".join(unread[:_EXAMPLES])
            )
        )
    return absences


def _names(row: Mapping[str, Any]) -> Sequence[str]:
    """The fields of a row's dates and their stamps."""
    if row.get("FROM_HR"):
        return "DT_FROM", "DT_TO", "FROM", "TO"
    return "DATE_FROM", "DATE_TO", "DATE_FROM_TS_UTC", "DATE_TO_TS_UTC"


def _shown(row: Mapping[str, Any]) -> str:
    start, end = _names(row)[:2]
    return f"{row.get(start)!s:.30} – {row.get(end)!s:.30}"


def _readings(row: Mapping[str, Any], first: date, last: date) -> dict[str, tuple[_Edge, _Edge]]:
    """What a row's dates may mean, by the order of day and month: what lies near the days asked for and the stamps."""
    start_name, end_name, *stamp_names = _names(row)
    starts, ends = _dates(row.get(start_name)), _dates(row.get(end_name))
    readings = {order: (starts[order], ends[order]) for order in starts if order in ends}
    readings = {
        order: (start, end)
        for order, (start, end) in readings.items()
        if start[0] <= min(last, end[0]) + _NEAR and end[0] >= first - _NEAR
    }
    stamps = [int_or_zero(row.get(name)) for name in stamp_names]
    within = {order: edges for order, edges in readings.items() if all(stamps) and _is_within(edges, *stamps)}
    return within or readings


def _is_within(edges: tuple[_Edge, _Edge], first_stamp: int, last_stamp: int) -> bool:
    start, end = ((datetime.combine(day, clock or time()) - _EPOCH).total_seconds() for day, clock in edges)
    near = _NEAR.total_seconds()
    return start >= first_stamp - near and end <= last_stamp + near


def _dates(text: Any) -> dict[str, _Edge]:
    """The day and the clock time that a text may mean, by the order of day and month. Dots come after days."""
    match = _TEXT.fullmatch(str(text or "").strip())
    if not match:
        return {}
    one, separator, two, three, hour, minute, second, half = match.groups()
    orders = {"YMD": (one, two, three)} if len(one) == 4 else {"DMY": (three, two, one)}
    if separator != "." and len(one) < 4:
        orders["MDY"] = (three, one, two)
    dates: dict[str, _Edge] = {}
    for order, (year, month, day) in orders.items():
        try:
            clock = None
            if hour:
                hours = int(hour) % 12 + 12 * (half.lower() == "pm") if half else int(hour)
                clock = time(hours, int(minute), int(second or 0))
            if len(year) == 4:
                dates[order] = date(int(year), int(month), int(day)), clock
        except ValueError:
            continue
    return dates


def _absence(row: Mapping[str, Any], edges: tuple[_Edge, _Edge], days_in: tzinfo, clock_in: tzinfo) -> Absence:
    """A last day without a clock time is meant whole; in the absence chart midnight is no clock time."""
    zones = find_zone(row.get("TZ_FROM")), find_zone(row.get("TZ_TO"))
    moments = []
    for (day, clock), zone, days in zip(edges, (zones[0] or zones[1], zones[1] or zones[0]), (0, 1), strict=True):
        day = min(max(day, _ENDS_OF_TIME[0]), _ENDS_OF_TIME[1])
        if row.get("DT_SKIP_TIME") == "Y" or clock is None or (row.get("FROM_HR") and clock == time()):
            moment = datetime.combine(day + timedelta(days=days), time(), days_in)
        else:
            moment = datetime.combine(day, clock, zone or clock_in)
        moments.append(moment.astimezone(UTC))
    start, end = moments  # whole minutes: what is planned around them has no seconds on the portal
    return Absence(start.replace(second=0), end + timedelta(seconds=-end.second % 60))
