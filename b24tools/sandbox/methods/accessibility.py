"""calendar.accessibility.get: when people are busy or away, with all that is odd about its dates.

An event is saved as the wall clock of its own zone. Its stamps are that clock read in the server's zone, less the
event's offset: wrong by the server's own offset, and the portal looks for events by these stamps. A series has one
pair of them, from the start of its first event to the day after its last, in 2038 when it has no end.

Not emulated: events of attendees, monthly and yearly series, intervals, counts, deleted events of a series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from b24tools.sandbox import php
from b24tools.sandbox.records import Absence, Meeting
from b24tools.sandbox.rest import Call, Method, RestError

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

DAY: Final = 86400
LAST_DAY: Final = date(2038, 1, 1)  # a series without an end, and an unreadable limit


def get_accessibility(call: Call) -> dict[str, Any]:
    """Calendar events first, then bars of the absence chart."""
    for name in ("users", "from", "to"):
        if not call.params.get(name):
            method = "calendar.accessibility.get"
            raise RestError("", f'The required parameter "{name}" for the method "{method}" is not set.')
    first, last = _limit(call, "from", date(1970, 1, 1)), _limit(call, "to", LAST_DAY)
    answer: dict[str, Any] = {}
    for user_id in map(php.to_int, php.values(call.params["users"])):
        meetings = [row for row in call.portal.meetings if row.user == user_id and row.accessibility != "free"]
        rows = [row for meeting in meetings for row in _Event(call, meeting).rows(first, last)]
        answer[str(user_id)] = rows + _bars(call, user_id, first, last)
    return answer


def _limit(call: Call, name: str, unread: date) -> int:
    """Midnight of a day on the server; what cannot be read is no limit."""
    zone = call.portal.server_zone
    at = php.strtotime(php.to_text(call.params[name]), call.portal.now(), zone)
    day = unread if at is None else datetime.fromtimestamp(at, zone).date()
    return int(datetime.combine(day, time(), zone).timestamp())


def _offset(zone: str | None, at: int) -> int:
    """What a zone is ahead of UTC."""
    if zone is None:
        return 0
    return round((datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset() or timedelta()).total_seconds())


def _round(value: float) -> int:
    """`round()` of PHP: halves go away from zero."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


class _Event:
    """One event, or series of events, as the portal works it out."""

    def __init__(self, call: Call, meeting: Meeting) -> None:
        self._meeting = meeting
        self._portal: Portal = call.portal
        self._caller = str(call.portal.zone_of(call.user))
        self._start = self._stamp(meeting.start)
        end = self._stamp(meeting.end)
        self._offset_from, self._offset_to = _offset(meeting.zone, self._start), _offset(meeting.zone_to, end)
        self._first = self._start - self._offset_from
        self._last = end - self._offset_to
        self._length = self._last - self._first + (DAY if meeting.whole_day else 0)
        if meeting.repeats:
            self._last = self._stamp(datetime.combine(meeting.until or LAST_DAY, time())) + DAY

    def _stamp(self, clock: datetime) -> int:
        """A wall clock, taken for the server's."""
        return int(clock.replace(tzinfo=self._portal.server_zone).timestamp())

    def rows(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        """The rows between two midnights: looked for by the wrong stamps."""
        meeting = self._meeting
        if self._last < first or self._first > last + DAY - 1:
            return
        if not meeting.repeats:
            yield self._row(meeting.start, meeting.end, self._portal.datetime_format)
            return
        shape = self._portal.date_format if meeting.whole_day else self._portal.datetime_format
        for start in self._starts(first, last):
            end = start + timedelta(seconds=self._length - (self._offset_from - self._offset_to))
            yield self._row(start, end - timedelta(days=1) if meeting.whole_day else end, shape)

    def _starts(self, first: int, last: int) -> Iterator[datetime]:
        """Wall clocks of a series in the days asked for, the day before them, and some hours after."""
        since = max(first + self._offset_from, self._first)
        until = min(last + self._offset_to + DAY, self._last)
        day = self._first_day(since)
        while self._stamp(start := self._meeting.start + timedelta(days=day)) <= until:
            on_this_day = self._meeting.repeats == "daily" or start.weekday() in self._meeting.weekdays
            if on_this_day and self._stamp(start + timedelta(seconds=self._length)) > since - DAY:
                yield start
            day += 1

    def _first_day(self, since: int) -> int:
        """Where the portal begins to count: a daily series far to the east of the server begins a day too early."""
        days = _round((since - self._start) / DAY)
        if self._meeting.repeats == "daily":
            return days
        in_week = len(self._meeting.weekdays)
        return _round((_round(days / (in_week * 7) + 1) - 1) / in_week * 7)

    def _row(self, start: datetime, end: datetime, shape: str) -> dict[str, Any]:
        meeting, at = self._meeting, self._stamp(start)
        return {
            "ID": str(meeting.id),
            "NAME": meeting.name,
            "DATE_FROM": php.site_text(start, shape),
            "DATE_TO": php.site_text(end, shape),
            "DATE_FROM_TS_UTC": str(self._first),
            "DATE_TO_TS_UTC": str(self._last),
            "~USER_OFFSET_FROM": self._caller_offset(meeting.zone, at),
            "~USER_OFFSET_TO": self._caller_offset(meeting.zone_to, at + self._length),
            "DT_SKIP_TIME": "Y" if meeting.whole_day else "N",
            "TZ_FROM": meeting.zone,
            "TZ_TO": meeting.zone_to,
            "ACCESSIBILITY": meeting.accessibility,
            "IMPORTANCE": "normal",
            "EVENT_TYPE": "",
        }

    def _caller_offset(self, zone: str | None, at: int) -> int:
        return 0 if zone is None else _offset(zone, at) - _offset(self._caller, at)


def _bars(call: Call, user_id: int, first: int, last: int) -> list[dict[str, Any]]:
    """Bars of the absence chart, which know no zones: whole days are the server's, clock times the caller's."""
    portal = call.portal
    shift = portal.caller_shift(call.user)
    bars = [row for row in portal.absences if row.user == user_id]
    bars = [row for row in bars if row.end >= first - shift and row.start < last + DAY - 1 - shift]
    return [_bar(portal, row, shift) for row in sorted(bars, key=lambda row: (row.start, row.end))]


def _bar(portal: Portal, row: Absence, shift: int) -> dict[str, Any]:
    (start, stamp), (end, last_stamp) = _bar_date(portal, row.start, shift), _bar_date(portal, row.end, shift)
    kind = {"ACCESSIBILITY": "absent", "IMPORTANCE": "normal"}
    return {"FROM_HR": True, "ID": str(row.id), "DT_FROM": start, "DT_TO": end, **kind, "FROM": stamp, "TO": last_stamp}


def _bar_date(portal: Portal, at: int, shift: int) -> tuple[str, int]:
    """The database's text of a date, without a clock time at the server's midnight; and that text read again."""
    zone = portal.server_zone
    if datetime.fromtimestamp(at, zone).time() == time():
        return php.site_text(datetime.fromtimestamp(at, zone), portal.date_format), at
    text = php.site_text(datetime.fromtimestamp(at + shift, zone), portal.datetime_format)
    return text.upper(), at + shift  # MySQL's AM and PM are capitals, PHP's are not


METHODS: Final = (Method("calendar.accessibility.get", "calendar", get_accessibility),)
