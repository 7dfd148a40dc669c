"""timeman.schedule.get, calendar.settings.get, and calendar.accessibility.get: when people are busy or away.

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

from b24tools.sandbox import filters, php
from b24tools.sandbox.methods import Call, RestError, method
from b24tools.sandbox.records import Meeting

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

DAY: Final = 86400
LAST_DAY: Final = date(2038, 1, 1)  # of a series without an end
SETTINGS: Final[dict[str, Any]] = {
    "work_time_start": "9",
    "work_time_end": "19",
    "year_holidays": "1.01,2.01,7.01,23.02,8.03,1.05,9.05,12.06,4.11",
    "year_workdays": "",
    "week_holidays": ["SA", "SU"],
    "week_start": "MO",
}


@method("timeman.schedule.get", "timeman")
def get_schedule(call: Call) -> Any:
    """Give a schedule. A wrong id, or an owner who is no administrator, is `[]` with status 200."""
    schedule = call.portal.schedules.get(php.to_int(call.required("id")))
    if schedule is None or not call.user.admin:
        return []
    # Deleted shifts are not returned, and no key at all is left when there is none
    shifts = [shift for shift in schedule.get("SHIFTS", []) if not shift.get("DELETED")]
    shown = {key: value for key, value in schedule.items() if key != "SHIFTS"}
    return shown | ({"SHIFTS": shifts} if shifts else {})


@method("calendar.settings.get", "calendar")
def get_settings(call: Call) -> dict[str, Any]:
    return dict(call.portal.calendar_settings)


@method("calendar.accessibility.get", "calendar")
def get_accessibility(call: Call) -> dict[str, Any]:
    """Give calendar events first, then bars of the absence chart."""
    for name in ("users", "from", "to"):
        if not call.params.get(name):
            text = f'The required parameter "{name}" for the method "calendar.accessibility.get" is not set.'
            raise RestError("", text)
    first, last = _read_day(call, "from"), _read_day(call, "to")
    answer: dict[str, Any] = {}
    for user_id in map(php.to_int, php.values(call.params["users"])):
        meetings = [row for row in call.portal.meetings if row.user == user_id and row.accessibility != "free"]
        rows = [row for meeting in meetings for row in _Event(call, meeting).rows(first, last)]
        answer[str(user_id)] = rows + _bars(call, user_id, first, last)
    return answer


def _read_day(call: Call, name: str) -> int:
    """Give midnight of a day on the server."""
    zone = call.portal.server_zone
    moment = datetime.fromtimestamp(php.strtotime(php.to_text(call.params[name]), zone) or 0, zone)
    return int(datetime.combine(moment.date(), time(), zone).timestamp())


def _offset(zone: str | None, at: int) -> int:
    """Tell what a zone is ahead of UTC."""
    offset = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset() if zone else None
    return round((offset or timedelta()).total_seconds())


def _round(value: float) -> int:
    """Round as PHP does: halves go away from zero."""
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
        """Take a wall clock for the server's."""
        return int(clock.replace(tzinfo=self._portal.server_zone).timestamp())

    def rows(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        """Give the rows between two midnights: looked for by the wrong stamps."""
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
        """Give wall clocks of a series in the days asked for, the day before them, and some hours after."""
        since = max(first + self._offset_from, self._first)
        until = min(last + self._offset_to + DAY, self._last)
        day = self._first_day(since)
        while self._stamp(start := self._meeting.start + timedelta(days=day)) <= until:
            on_this_day = self._meeting.repeats == "daily" or start.weekday() in self._meeting.weekdays
            if on_this_day and self._stamp(start + timedelta(seconds=self._length)) > since - DAY:
                yield start
            day += 1

    def _first_day(self, since: int) -> int:
        """Tell where the portal begins to count: a daily series far to the east of the server a day too early."""
        days = _round((since - self._start) / DAY)
        if self._meeting.repeats == "daily":
            return days
        in_week = len(self._meeting.weekdays)
        return _round((_round(days / (in_week * 7) + 1) - 1) / in_week * 7)

    def _row(self, start: datetime, end: datetime, shape: str) -> dict[str, Any]:
        meeting, at = self._meeting, self._stamp(start)
        offset_from, offset_to = (
            0 if zone is None else _offset(zone, moment) - _offset(self._caller, moment)
            for zone, moment in ((meeting.zone, at), (meeting.zone_to, at + self._length))
        )
        row = {"ID": str(meeting.id), "NAME": meeting.name, "DT_SKIP_TIME": filters.flag(meeting.whole_day)}
        row |= {"DATE_FROM": php.site_text(start, shape), "DATE_TO": php.site_text(end, shape)}
        row |= {"DATE_FROM_TS_UTC": str(self._first), "DATE_TO_TS_UTC": str(self._last)}
        row |= {"TZ_FROM": meeting.zone, "TZ_TO": meeting.zone_to, "ACCESSIBILITY": meeting.accessibility}
        offsets = {"~USER_OFFSET_FROM": offset_from, "~USER_OFFSET_TO": offset_to}
        return row | offsets | {"IMPORTANCE": "normal", "EVENT_TYPE": ""}


def _bars(call: Call, user_id: int, first: int, last: int) -> list[dict[str, Any]]:
    """Give bars of the absence chart, which know no zones: whole days are the server's, clock times the caller's."""
    portal, zone, shift = call.portal, call.portal.server_zone, call.portal.caller_shift(call.user)

    def write(at: int) -> tuple[str, int]:
        """Write a date as the database does, without a clock time at the server's midnight, and read that again."""
        if datetime.fromtimestamp(at, zone).time() == time():
            return php.site_text(datetime.fromtimestamp(at, zone), portal.date_format), at
        text = php.site_text(datetime.fromtimestamp(at + shift, zone), portal.datetime_format)
        return text.upper(), at + shift  # MySQL's AM and PM are capitals, PHP's are not

    bars = [row for row in portal.absences if row.user == user_id]
    bars = [row for row in bars if row.end >= first - shift and row.start < last + DAY - 1 - shift]
    rows = []
    for row in sorted(bars, key=lambda row: (row.start, row.end)):
        (start, start_stamp), (end, end_stamp) = write(row.start), write(row.end)
        kind = {"FROM_HR": True, "ID": str(row.id), "ACCESSIBILITY": "absent", "IMPORTANCE": "normal"}
        rows.append(kind | {"DT_FROM": start, "DT_TO": end, "FROM": start_stamp, "TO": end_stamp})
    return rows
