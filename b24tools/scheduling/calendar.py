"""Working time by intervals: shifts, breaks, days that differ, absences.

Moments are aware datetimes, UTC on the way out; durations are whole seconds. A calendar says when
its people work; a `Timeline` counts working seconds from an origin, so that "three hours of work
from here" is an addition and a bisection, however many nights and holidays lie between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _

Interval = tuple[datetime, datetime]
Span = tuple[int, int]

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 24 * HOUR_S
HORIZON_S = 6 * 366 * DAY_S
UNBROKEN_S = 6 * HOUR_S
USUAL_BREAK_S = HOUR_S
LONGEST_PAUSE = timedelta(hours=2)  # in the midst of a piece of work

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class NoWorkingTime(ValueError):
    """There is not enough working time within the next six years: days off or absence only."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or _("no working time in the next six years"))


@dataclass(frozen=True)
class Shift:
    """Hours of work that begin on each of `weekdays` (1 = Monday … 7), on the wall clock.

    `start_s` and `end_s` are seconds from midnight; an end not after the start is on the next day.
    The break lies in the middle. `break_s` 0 is no break, None one that is not stated: an hour, if
    the stretch of work is over six.
    """

    weekdays: frozenset[int]
    start_s: int
    end_s: int
    break_s: int | None = None

    def __post_init__(self) -> None:
        if not self.weekdays <= frozenset(range(1, 8)):
            raise ValueError(f"weekdays are 1 to 7, not {sorted(self.weekdays)}")
        if not (0 <= self.start_s < DAY_S and 0 <= self.end_s <= DAY_S):
            raise ValueError(f"a shift from {self.start_s} to {self.end_s} s is not within a day")
        if self.break_s is not None and not 0 <= self.break_s < self.span[1] - self.span[0]:
            raise ValueError(f"a break of {self.break_s} s does not fit into its shift")

    @property
    def span(self) -> Span:
        """Start and end in seconds from the first midnight; the end may be beyond the second."""
        return self.start_s, self.end_s if self.end_s > self.start_s else self.end_s + DAY_S


@dataclass(frozen=True)
class DayRule:
    """How a day differs from its weekday.

    `shifts` replace the weekday's (their own weekdays do not matter; none is a day off);
    `as_weekday` works the day as another weekday; `worked` works it in any case: one whose weekday
    has no shifts has those of the first weekday that has; `shorter_s` takes working seconds off its end.
    """

    shifts: tuple[Shift, ...] | None = None
    as_weekday: int | None = None
    shorter_s: int = 0
    worked: bool = False


DAY_OFF = DayRule(shifts=())
_USUAL = DayRule()


@dataclass(frozen=True)
class WorkCalendar:
    """When people work: weekly shifts on the wall clock of `zone`, and the days that differ.

    A rule for a date in `days` wins over one for every year in `yearly`, by (month, day). `share`: how much of each day
    is worked, from its beginning, in whole minutes.
    """

    zone: ZoneInfo
    shifts: tuple[Shift, ...]
    days: Mapping[date, DayRule] = field(default_factory=dict)
    yearly: Mapping[tuple[int, int], DayRule] = field(default_factory=dict)
    share: Fraction = Fraction(1)

    def limited_to(self, week_s: int) -> WorkCalendar:
        """The same with every day shortened in proportion, so that an ordinary week holds no more than this."""
        usual_s = sum(end - start for day in range(1, 8) for start, end in _wall_spans(self._weekly(day)))
        return replace(self, share=Fraction(week_s, usual_s)) if usual_s > week_s else self

    def working_s(self, day: date) -> int:
        """Seconds of work that the shifts starting on `day` hold; 0 on a day off."""
        return sum(end - start for start, end in self.spans(day))

    def end_of_working_day(self, day: date) -> datetime:
        """When the work begun on `day` ends; for a day off, that of the last working day before.

        Raises NoWorkingTime if there was none in six years.
        """
        for back in range(HORIZON_S // DAY_S):
            spans = self.spans(day - back * _DAY)
            if spans:
                return _moment(spans[-1][1])
        raise NoWorkingTime(_("no working day in the last six years"))

    def is_worked(self, moment: datetime) -> bool:
        """Whether people are at work at this moment; in a break they are not."""
        day, second = moment.astimezone(self.zone).date(), _floor(moment)
        return any(start <= second < end for shift_day in (day - _DAY, day) for start, end in self.spans(shift_day))

    def round_up(self, moment: datetime, step_s: int) -> datetime:
        """The first moment not before `moment` at a whole number of steps from midnight on the wall clock."""
        local = moment.astimezone(self.zone)
        past = (local.hour * 60 + local.minute) * 60 + local.second
        if local.microsecond:
            past += 1
            moment += timedelta(microseconds=1_000_000 - local.microsecond)
        missing = -past % step_s
        return moment + timedelta(seconds=missing) if missing else moment

    def spans(self, day: date) -> list[Span]:
        """The shifts that start on `day`, in seconds since 1970; the last may end on the next."""
        rule = self.days.get(day) or self.yearly.get((day.month, day.day)) or _USUAL
        shifts = rule.shifts
        if shifts is None:
            shifts = self._weekly(rule.as_weekday or day.isoweekday())
            if rule.worked and not shifts:
                shifts = next(filter(None, map(self._weekly, range(1, 8))), ())
        wall = _shorten(_wall_spans(shifts), rule.shorter_s)
        if self.share != 1:
            usual_s = sum(end - start for start, end in wall)
            wall = _shorten(wall, usual_s - int(usual_s * self.share) // 60 * 60)
        return united((self.at(day, start), self.at(day, end)) for start, end in wall)

    def _weekly(self, weekday: int) -> tuple[Shift, ...]:
        return tuple(shift for shift in self.shifts if weekday in shift.weekdays)

    def at(self, day: date, second: int) -> int:
        """A reading of the wall clock in seconds since 1970: a repeated one's first, a skipped one's end of the gap."""
        wall = datetime(day.year, day.month, day.day, tzinfo=self.zone) + second * _SECOND
        offset, later_offset = _offset(wall), _offset(wall.replace(fold=1))
        reading = (wall.replace(tzinfo=UTC) - _EPOCH) // _SECOND
        if offset >= later_offset:
            return reading - offset
        low, high = reading - later_offset, reading - offset
        while high - low > 1:
            middle = (low + high) // 2
            if _offset(_moment(middle).astimezone(self.zone)) == offset:
                low = middle
            else:
                high = middle
        return high


class Timeline:
    """One person's working time from `origin` on: the calendar's, without the absences.

    A position is a number of working seconds since the origin. Days are looked at only as far as
    they are asked for, and only once for all timelines made by `without`. Beyond six years there
    is no working time.
    """

    def __init__(
        self,
        calendar: WorkCalendar,
        absences: Iterable[Interval],
        origin: datetime,
        *,
        track: _Track | None = None,
    ) -> None:
        self.calendar = calendar
        self.origin = origin
        self._track = track or _Track(calendar, _ceil(origin))
        away = united((_floor(start), _ceil(end)) for start, end in absences)
        self.absences = tuple((_moment(start), _moment(end)) for start, end in away)
        lost = united((self._track.worked(start), self._track.worked(end)) for start, end in away)
        self._lost_starts = [start for start, _end in lost]
        self._lost_ends = [end for _start, end in lost]
        self._lost_at = []  # the person's own position at which each loss lies
        total = 0
        for start, end in lost:
            self._lost_at.append(start - total)
            total += end - start

    def without(self, absences: Iterable[Interval]) -> Timeline:
        """The timeline of another person on the same calendar from the same origin."""
        return Timeline(self.calendar, absences, self.origin, track=self._track)

    def worked(self, moment: datetime) -> int:
        """Working seconds between the origin and `moment`; 0 before the origin."""
        return self.own(self._track.worked(_floor(moment)))

    def own(self, position: int) -> int:
        """The person's own position where the time without absences has this one."""
        i = bisect_right(self._lost_starts, position) - 1
        if i < 0:
            return position
        return self._lost_at[i] + max(0, position - self._lost_ends[i])

    def start_at(self, position: int) -> datetime:
        """The first working moment after `position` seconds of work: work that follows starts here.

        Raises NoWorkingTime.
        """
        i = bisect_right(self._lost_at, position) - 1
        shared = position if i < 0 else self._lost_ends[i] + position - self._lost_at[i]
        return _moment(self._track.start_at(shared))

    def end_at(self, position: int) -> datetime:
        """When the `position`-th second of work is done: work that ends there ends now, not the next morning.

        Raises NoWorkingTime.
        """
        return _moment(self._track.end_at(self.shared_end(position)))

    def shared_end(self, position: int) -> int:
        """The same end as a position in the time without absences."""
        if not self._lost_at:
            return position
        i = bisect_left(self._lost_at, position) - 1
        return position if i < 0 else self._lost_ends[i] + position - self._lost_at[i]

    def breaks(self, first: int, last: int) -> list[int]:
        """The positions between these two after which no work is done for longer than a pause. Raises NoWorkingTime."""
        starts = self._track.starts_between(self.shared_end(first), self.shared_end(last))
        known = sorted({*map(self.own, starts), *self._lost_at})
        return [at for at in known if first < at < last and self.start_at(at) - self.end_at(at) > LONGEST_PAUSE]

    def aligned_start(self, position: int, step_s: int) -> tuple[int, datetime]:
        """The first position not before this one whose moment is a whole step on the wall clock, and the moment.

        Raises NoWorkingTime.
        """
        while True:
            moment = self.start_at(position)
            aligned = self.calendar.round_up(moment, step_s)
            if aligned == moment:
                return position, moment
            position = self.worked(aligned)


class _Track:
    """A calendar's working time from `origin` for six years, found day by day as it is asked for.

    All in seconds since 1970, and in working seconds since the origin.
    """

    def __init__(self, calendar: WorkCalendar, origin: int) -> None:
        self._calendar = calendar
        self._origin = origin
        self._limit = origin + HORIZON_S
        self._day = _moment(origin).astimezone(calendar.zone).date() - _DAY
        self._known_until = origin
        self._tail: list[Span] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = []
        self._total = 0

    def worked(self, moment: int) -> int:
        moment = min(moment, self._limit)
        if moment <= self._origin:
            return 0
        while self._known_until < moment:
            self._grow()
        i = bisect_right(self._starts, moment) - 1
        return 0 if i < 0 else self._before[i] + min(moment, self._ends[i]) - self._starts[i]

    def start_at(self, position: int) -> int:
        self._need(position + 1)
        i = bisect_right(self._before, position) - 1
        return self._starts[i] + position - self._before[i]

    def end_at(self, position: int) -> int:
        if position <= 0:
            return self._origin
        self._need(position)
        i = bisect_left(self._before, position) - 1
        return self._starts[i] + position - self._before[i]

    def starts_between(self, first: int, last: int) -> list[int]:
        self._need(last)
        return self._before[bisect_right(self._before, first) : bisect_left(self._before, last)]

    def _need(self, position: int) -> None:
        while self._total < position:
            if self._known_until >= self._limit:
                raise NoWorkingTime
            self._grow()

    def _grow(self) -> None:
        """Take in one more day. What its night shifts leave for the next waits to be united with that."""
        spans = united([*self._tail, *self._calendar.spans(self._day)])
        self._day += _DAY
        midnight = self._calendar.at(self._day, 0)
        self._tail = [(max(start, midnight), end) for start, end in spans if end > midnight]
        for start, end in spans:
            self._add(max(start, self._origin), min(end, midnight, self._limit))
        self._known_until = midnight

    def _add(self, start: int, end: int) -> None:
        if start < end:
            self._starts.append(start)
            self._ends.append(end)
            self._before.append(self._total)
            self._total += end - start


def united(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that meet or overlap made one, empty ones dropped."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((start, end))
    return result


def _wall_spans(shifts: Sequence[Shift]) -> list[Span]:
    """The working spans of one day's shifts in seconds from its midnight.

    Shifts without a stated break that adjoin are one stretch with one break: 08-12 and 12-16 is a
    day of eight hours, 08-12 and 13-17 has its break already.
    """
    spans: list[Span] = []
    for start, end in united(shift.span for shift in shifts if shift.break_s is None):
        spans += _halves(start, end, USUAL_BREAK_S if end - start > UNBROKEN_S else 0)
    for shift in shifts:
        if shift.break_s is not None:
            spans += _halves(*shift.span, shift.break_s)
    return united(spans)


def _halves(start: int, end: int, break_s: int) -> list[Span]:
    """A shift around the break in its middle, which starts on a whole minute: 09-18 less an hour is 09-13, 14-18."""
    pause = (start + end - break_s) // 2
    pause = max(start, pause - pause % 60)
    return [(start, pause), (pause + break_s, end)]


def _shorten(spans: list[Span], seconds: int) -> list[Span]:
    """The same without the last `seconds` of work; the break stays where it is on other days."""
    spans = list(spans)
    while seconds > 0 and spans:
        start, end = spans.pop()
        if end - start > seconds:
            spans.append((start, end - seconds))
        seconds -= end - start
    return spans


def end_of_next_working_day(calendar: WorkCalendar, now: datetime, days: int = 1) -> datetime:
    """Find the end of the working day that begins next, or of a later one; `now` for none."""
    moment, end = now, now
    line = Timeline(calendar, (), now)
    for _number in range(days):
        day = line.start_at(line.worked(moment)).astimezone(calendar.zone).date()
        first = calendar.spans(day)
        if not first or first[0][0] <= moment.timestamp():  # it has begun: the one after it
            moment = calendar.end_of_working_day(day)
            day = line.start_at(line.worked(moment)).astimezone(calendar.zone).date()
        moment = end = calendar.end_of_working_day(day)
    return end


def whole_minute(moment: datetime) -> datetime:
    """The minute that the clock shows: plans and people know no seconds."""
    return moment.replace(second=0, microsecond=0)


@lru_cache(1 << 14)
def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _floor(moment: datetime) -> int:
    return (moment - _EPOCH) // _SECOND


def _ceil(moment: datetime) -> int:
    return -((_EPOCH - moment) // _SECOND)


def _offset(moment: datetime) -> int:
    return (moment.utcoffset() or timedelta()) // _SECOND
