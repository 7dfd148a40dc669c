"""One person's open work as a lane: spans of working seconds on that person's own timeline.

A gap between two of them may cross nights, breaks and vacations. First comes what is overdue or begun, then slots in
the order of their plans, pushed only where work before them overlaps, then all other work, in the gaps.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from b24tools.scheduling.calendar import MINUTE_S, Interval, NoWorkingTime, Span, Timeline, WorkCalendar, united


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task somebody still works on. `ours`: made by b24tools, its plan is a slot reserved for it.

    `remaining_s` is work at rate 1, whoever does it.
    `begun`: somebody has started it. `not_before`: it waits until then for another operation, whatever its plan says.
    `by_hand`: somebody has planned it otherwise than b24tools wrote it.
    """

    id: int
    responsible_id: int
    remaining_s: int
    start: datetime | None = None
    end: datetime | None = None
    ours: bool = False
    begun: bool = False
    not_before: datetime | None = None
    by_hand: bool = False

    @property
    def slot(self) -> Interval | None:
        """The time reserved for it; None for work that only has to be done sometime."""
        return (self.start, self.end) if self.ours and self.start and self.end else None


class StagedTask(NamedTuple):
    """An open task of an order: it begins when those of lower stages have ended, and its order is accepted."""

    stage: int | None
    worker_id: int
    task_id: int
    accepted: datetime | None = None


class Worker(NamedTuple):
    """A person who may be given work. `last_assigned`: when b24tools last did.

    `rate`: how much work is done in an hour. `calendar`: the person's own, where it is not everybody's. `terms`: what
    there is to say of both.
    """

    id: int
    name: str
    absences: tuple[Interval, ...] = ()
    last_assigned: datetime | None = None
    rate: Fraction = Fraction(1)
    calendar: WorkCalendar | None = None
    terms: Mapping[str, Any] = {}

    def own_s(self, work_s: int) -> int:
        """How long work takes this person, in whole minutes, rounded up: the portal cuts the seconds of a plan."""
        return -(-work_s * self.rate.denominator // (self.rate.numerator * MINUTE_S)) * MINUTE_S


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a person offers for a piece of work; times are UTC.

    `free` is the person's first moment with nothing to do, `start` and `finish` where this work
    would lie (all None: there is no working time left for it, and `note` says so); `open_s` the open
    work before this; `absent` the absences between now and the finish; `busy`: there is work to do at once. `terms`: as
    of the worker.
    """

    id: int
    name: str
    free: datetime | None
    start: datetime | None
    finish: datetime | None
    open_s: int
    absent: tuple[Interval, ...] = ()
    chosen: bool = False
    note: str = ""
    busy: bool = False
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slot:
    """A time in which a person works on a task without another or a long break between (UTC), and its working seconds.

    None of them where somebody has put it outside the working hours. `is_last`: the task is done then.
    """

    task: OpenTask
    start: datetime
    end: datetime
    work_s: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class DayLoad:
    """One day of a person: working seconds that are taken, and how many there are; of today what is left."""

    day: date
    busy_s: int
    work_s: int


@dataclass(frozen=True)
class PersonLoad:
    """What a person has to do; times are UTC. `free` None: not within six years. `terms`: as of the worker."""

    id: int
    name: str
    open_s: int
    free: datetime | None
    absences: tuple[Interval, ...]
    days: tuple[DayLoad, ...]
    terms: Mapping[str, Any] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """How much of the working time of the days is taken; of none all, if there is work to do."""
        work_s = sum(day.work_s for day in self.days)
        return sum(day.busy_s for day in self.days) / work_s if work_s else float(self.open_s > 0)


Recency = tuple[int, float]
Rank = tuple[datetime, int, Recency, int]
Offer = tuple[Rank | None, Candidate]

_BEGUN, _OVERDUE, _SLOT = range(3)  # the sequence of what is to be done at once


class Row(NamedTuple):
    """Spans in order, of which none meet, as two lists of positions."""

    starts: list[int]
    ends: list[int]

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Row:
        """Make one of these, whatever their order, and whether they meet or not."""
        merged = united(spans)
        return cls([start for start, _end in merged], [end for _start, end in merged])

    def with_span(self, span: Span) -> Row:
        """The same with one more, that is united with those it meets."""
        first, last = bisect_left(self.ends, span[0]), bisect_right(self.starts, span[1])
        if first < last:
            span = min(span[0], self.starts[first]), max(span[1], self.ends[last - 1])
        starts, ends = ([*row[:first], place, *row[last:]] for row, place in zip(self, span, strict=True))
        return Row(starts, ends)


@dataclass(eq=False, slots=True)
class _Piece:
    """A task measured on a person's timeline, in positions.

    `fixed`: from when, kind, plan, task, length, and whether it waits beyond its slot; None for `loose` work: from
    when, task, length. `shown`: its slot, where that is taken beside the work.
    """

    task: OpenTask
    left_s: int
    fixed: tuple[int, int, float, int, int, bool] | None
    loose: tuple[int, int, int] = (0, 0, 0)
    shown: tuple[Span, ...] = ()


class PersonTime:
    """A person's timeline, and all that was measured and laid on it: what is the same is reckoned once.

    Shared by the lanes in which one person's work is tried out.
    """

    def __init__(self, worker: Worker, shared: Timeline, step_s: int) -> None:
        self.line = shared.without(worker.absences) if worker.absences else shared
        self.is_usual = worker.rate == 1
        self.shared, self.worker, self.step_s = shared, worker, step_s
        self.away = tuple(away for away in self.line.absences if away[1] > self.line.origin)
        self._pieces: dict[OpenTask, _Piece] = {}
        self._layouts: dict[tuple[Recency, frozenset[_Piece]], Layout] = {}

    def own_s(self, work_s: int) -> int:
        """How long work takes this person."""
        return work_s if self.is_usual else self.worker.own_s(work_s)

    def lay(self, pieces: Mapping[int, _Piece], recency: Recency) -> Layout:
        """Lay measured tasks one after the other."""
        key = recency, frozenset(pieces.values())
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = Layout(self, dict(pieces), recency)
        return layout

    def measure(self, task: OpenTask) -> _Piece:
        """Measure a task: the same piece for all that are equal."""
        piece = self._pieces.get(task)
        if piece is None:
            piece = self._pieces[task] = self._measure(task)
        return piece

    def _measure(self, task: OpenTask) -> _Piece:
        origin, slot, left_s = self.line.origin, task.slot, self.own_s(task.remaining_s)
        held = self.line.worked(task.not_before) if task.not_before and not task.begun else 0
        planned = task.start or origin
        is_over = (task.end is not None and task.end <= origin) or (slot is not None and planned <= origin)
        reach = (self.line.worked(slot[0]), self.line.worked(slot[1])) if slot else None
        waits = bool(held and reach)
        if task.by_hand and reach and reach[0] == reach[1] and task.not_before and not task.begun:
            waits |= task.not_before > max(planned, origin)  # outside the hours, and too soon: it cannot stay there
        shown = [reach] if reach and waits else []
        start, kind, length = held, _BEGUN if task.begun else _SLOT if held else _OVERDUE, left_s
        if not task.begun and not is_over:
            if slot is None or reach is None:
                return _Piece(task, left_s, None, (max(held, self.line.worked(planned)), task.id, left_s))
            start, kind, length = max(held, reach[0]), _SLOT, left_s
            if task.by_hand:
                length = self._length(slot, reach, left_s)
            if reach[0] + length < reach[1]:
                shown.append(reach)
        fixed = start, kind, planned.timestamp(), task.id, length, waits
        return _Piece(task, left_s, fixed, shown=tuple(shown))

    def _length(self, slot: Interval, reach: Span, left_s: int) -> int:
        """The working time of a slot set by hand, with what of it falls under an absence: no more than is left.

        Of a slot laid around an absence nothing is lost: it has its estimate. One outside working hours has none.
        """
        planned_s = reach[1] - reach[0]
        if self.line is not self.shared:
            planned_s = max(planned_s, self.shared.worked(slot[1]) - self.shared.worked(slot[0]))
        return min(planned_s, left_s)


class Layout:
    """One person's open work in the sequence in which it is done, on the person's own timeline; it never changes.

    `spans`: where each task lies, by id, in positions. `_fixed`: the time of what is to be done at once and of slots;
    `_busy` has loose work, too, and `_shown` also the slots of what waits beyond them, and the rest of those that are
    longer than their work: no one has two slots at once. `tie` decides between people who finish at the same moment.
    """

    def __init__(self, time: PersonTime, pieces: dict[int, _Piece], recency: Recency) -> None:
        self.time, self.line, self._is_usual, self._pieces = time, time.line, time.is_usual, pieces
        self.spans: dict[int, Span] = {}
        self._unpushed: set[int] = set()
        self._fixed = self._busy = self._lay_fixed()
        loose = [piece.loose for piece in pieces.values() if piece.fixed is None]
        if loose:
            taken = list(zip(*self._fixed, strict=True))
            self._busy = Row.of([*taken, *_pour(taken, sorted(loose), self.spans)])
        shown = [span for piece in pieces.values() for span in piece.shown]
        self._shown = Row.of([*zip(*self._busy, strict=True), *shown]) if shown else self._busy
        self._rank(recency)

    def _lay_fixed(self) -> Row:
        row = starts, ends = Row([], [])
        position = 0
        fixed = sorted([piece.fixed for piece in self._pieces.values() if piece.fixed])
        for start, kind, _planned, task_id, length, waits in fixed:
            if not length:
                if not waits:  # outside the working hours by hand: it meets no other work
                    self._unpushed.add(task_id)
                    self.spans[task_id] = start, start
                    continue
                length = self._pieces[task_id].left_s  # it cannot stay there
            if start >= position:
                if kind == _SLOT and not waits:
                    self._unpushed.add(task_id)
                position = start
            end = position + length
            self.spans[task_id] = position, end
            if ends and ends[-1] == position:
                ends[-1] = end
            elif length:
                starts.append(position)
                ends.append(end)
            position = end
        return row

    def with_slot(self, piece: _Piece, recency: Recency) -> Layout | None:
        """Lay one more task, which moves nothing: its slot is free. None where that is not so."""
        if piece.fixed is None or piece.fixed[1] != _SLOT or piece.shown:
            return None
        start, length = piece.fixed[0], piece.fixed[4]
        span = start, start + length
        starts, ends = self._shown
        number = bisect_right(starts, start)
        is_met = number < len(starts) and starts[number] < span[1]
        if not length or is_met or (number and ends[number - 1] > start):
            return None
        laid = copy(self)
        laid._pieces, laid.spans = {**self._pieces, piece.task.id: piece}, {**self.spans, piece.task.id: span}
        laid._unpushed = self._unpushed | {piece.task.id}
        laid._fixed = laid._busy = laid._shown = self._fixed.with_span(span)
        if self._busy is not self._fixed:
            laid._busy = laid._shown = self._busy.with_span(span)
        if self._shown is not self._busy:
            laid._shown = self._shown.with_span(span)
        laid._rank(recency)
        return laid

    def _rank(self, recency: Recency) -> None:
        """Reckon what follows from how everything lies."""
        self._free, self._open_s = self._first_free(), sum(self._busy.ends) - sum(self._busy.starts)
        self.tie = self._open_s, recency, self.time.worker.id
        self._offers: dict[tuple[int, int], Offer] = {}
        self._ends_at: dict[int, datetime] = {}
        self._free_at: datetime | None = None

    def offer(self, length_s: int, position: int) -> Offer:
        """The rank and the candidate, of work that begins there at the earliest; no rank: there is no time for it."""
        key = length_s, position
        offer = self._offers.get(key)
        if offer is None:
            offer = self._offers[key] = self._reckon(self.time.own_s(length_s), position)
        return offer

    def gap_end(self, length_s: int, position: int) -> int:
        """The position where the work ends in the first gap from there on that is long enough."""
        if not self._is_usual:
            length_s = self.time.own_s(length_s)
        starts, ends = self._shown
        first = bisect_right(starts, position)
        if first and ends[first - 1] > position:
            position = ends[first - 1]
        end, count = position + length_s, len(starts)
        while first < count and starts[first] < end:
            end = ends[first] + length_s
            first += 1
        return end

    def span_of(self, task_id: int) -> Interval | None:
        """When a task is begun, or gone on with, and done; None where it is not in the lane."""
        span = self.spans.get(task_id)
        if span is None:
            return None
        start, end = self._moments(span)
        slot = self._pieces[task_id].task.slot
        if slot and slot[1] > end and self._is_outside(task_id, span):
            return min(start, slot[0]), slot[1]
        return start, end

    def end_of(self, task_id: int) -> datetime | None:
        """When a task is done; None where it is not in the lane."""
        span = self.spans.get(task_id)
        if span is None:
            return None
        end = self._ends_at.get(task_id)
        if end is None:
            end, slot = self.line.end_at(span[1]), self._pieces[task_id].task.slot
            if slot and slot[1] > end and self._is_outside(task_id, span):
                end = slot[1]
            self._ends_at[task_id] = end
        return end

    def _is_outside(self, task_id: int, span: Span) -> bool:
        """Whether a slot was put outside the working hours by hand, and nothing pushes it."""
        return span[1] - span[0] < self._pieces[task_id].left_s and task_id in self._unpushed

    def _moments(self, span: Span) -> Interval:
        return self.line.start_at(span[0]), self.line.end_at(span[1])

    def list_tasks(self) -> list[tuple[OpenTask, Interval]]:
        """The tasks with when they are done, in that sequence; those that never end are left out.

        What is left of them is the working time, in this person's seconds, that they take.
        """
        tasks = []
        for task_id, (begin, until) in sorted(self.spans.items(), key=lambda item: item[1]):
            with suppress(NoWorkingTime):
                piece = self._pieces[task_id]
                own = replace(piece.task, remaining_s=until - begin if piece.fixed else piece.left_s)
                if span := self.span_of(task_id):
                    tasks.append((own, span))
        return tasks

    def slots_between(self, start: datetime, end: datetime) -> list[Slot]:
        """The pieces of the tasks in this time, in that sequence: loose work goes around the slots."""
        first, last = self.line.worked(start), self.line.worked(end)
        fixed = list(zip(*self._fixed, strict=True))
        placed = []
        for task_id, span in self.spans.items():
            task, outside = self._pieces[task_id].task, self._find_outside(task_id, span)
            for piece in cut_out(span, fixed) or [span]:
                begin, until = max(piece[0], first), min(piece[1], last)
                points = [begin, *self.line.breaks(begin, until), until] if begin < until else []
                for own in pairwise(points):
                    is_last = span[1] <= own[1] and not outside
                    placed.append((own[0], Slot(task, *self._moments(own), own[1] - own[0], is_last)))
            if outside and outside[0] < end and start < outside[1]:
                moments = max(outside[0], start), min(outside[1], end)
                placed.append((span[1], Slot(task, *moments, 0, outside[1] <= end)))
        return [slot for _begin, slot in sorted(placed, key=lambda place: (place[0], place[1].start))]

    def _find_outside(self, task_id: int, span: Span) -> Interval | None:
        """Return what of a slot somebody has put outside the working hours, after what of it is within them."""
        slot = self._pieces[task_id].task.slot
        if slot is None or not self._is_outside(task_id, span):
            return None
        begun = max(slot[0], self.line.end_at(span[1])) if span[0] < span[1] else slot[0]
        return (begun, slot[1]) if begun < slot[1] else None

    def load(self, days: int) -> PersonLoad:
        """The open work, the first free moment, and how full each day is."""
        line, zone = self.line, self.line.calendar.zone
        today = line.origin.astimezone(zone).date()
        midnights = [line.worked(datetime.combine(today + timedelta(days=n), time(), zone)) for n in range(days + 1)]
        starts, ends = self._busy
        sums = [0, *accumulate(end - start for start, end in zip(starts, ends, strict=True))]
        taken = []
        for midnight in midnights:
            number = bisect_left(starts, midnight)
            taken.append(sums[number] - (max(0, ends[number - 1] - midnight) if number else 0))
        loads = [
            DayLoad(today + timedelta(days=n), taken[n + 1] - taken[n], midnights[n + 1] - midnights[n])
            for n in range(days)
        ]
        free = None
        with suppress(NoWorkingTime):
            free = self._first_moment()
        worker = self.time.worker
        return PersonLoad(worker.id, worker.name, self._open_s, free, self.time.away, tuple(loads), worker.terms)

    def _first_free(self) -> int:
        """The position where what is to be done at once ends; a gap shorter than a step is no time for work."""
        position = 0
        for start, end in zip(*self._busy, strict=True):
            if start - position >= self.time.step_s:
                break
            position = end
        return position

    def _first_moment(self) -> datetime:
        if self._free_at is None:
            self._free_at = self.line.start_at(self._free)
        return self._free_at

    def _reckon(self, length_s: int, position: int) -> Offer:
        worker, away = self.time.worker, self.time.away
        who = worker.id, worker.name
        try:
            free = self._first_moment()
            start, finish = self._earliest_gap(length_s, position)
        except NoWorkingTime as error:
            note = str(error)
            return None, Candidate(*who, None, None, None, self._open_s, away, note=note, terms=worker.terms)
        absent = away and tuple(away for away in away if away[0] < finish)
        rank = finish, *self.tie
        busy = self._free > 0
        return rank, Candidate(*who, free, start, finish, self._open_s, absent, busy=busy, terms=worker.terms)

    def _earliest_gap(self, length_s: int, position: int) -> Interval:
        """The first start on a whole step from which the work fits before the next busy span, and the end."""
        starts, ends = self._shown
        i = bisect_right(starts, position) - 1
        if i >= 0:
            position = max(position, ends[i])
        while True:
            i += 1
            room_until = starts[i] if i < len(starts) else None
            if room_until is None or position + length_s <= room_until:
                aligned, start = self.line.aligned_start(position, self.time.step_s)
                if room_until is None or aligned + length_s <= room_until:
                    return start, self.line.end_at(aligned + length_s)
            position = ends[i]


class Lane:
    """One person's open work, as it is given out, moved and taken away; it is laid when that is asked for."""

    def __init__(self, time: PersonTime, tasks: Iterable[OpenTask]) -> None:
        self.time = time
        self._pieces = {task.id: time.measure(task) for task in tasks}
        assigned = time.worker.last_assigned
        self._recency: Recency = (0, 0.0) if assigned is None else (1, assigned.timestamp())
        self._layout: Layout | None = None

    @property
    def layout(self) -> Layout:
        """Where everything lies now."""
        if self._layout is None:
            self._layout = self.time.lay(self._pieces, self._recency)
        return self._layout

    def give(self, slot: Interval, length_s: int, number: int) -> None:
        """Take the slot that was offered; the lower the number, the later the work was given out."""
        piece = self.time.measure(OpenTask(number, self.time.worker.id, length_s, *slot, ours=True))
        self._recency = 2, -number
        self._pieces[number] = piece
        self._layout = self._layout and self._layout.with_slot(piece, self._recency)

    def move(self, task_id: int, slot: Interval, left_s: int) -> bool:
        """Put a task, known or not, into another slot; whether that meets one of ours there."""
        task = self.take_out(task_id) or OpenTask(task_id, self.time.worker.id, left_s)
        slots = [piece.task.slot for piece in self._pieces.values()]
        others = [other for other in slots if other and other[1] > self.time.line.origin]
        self.put(replace(task, start=slot[0], end=slot[1], remaining_s=left_s, ours=True, by_hand=False))
        return any(start < slot[1] and end > slot[0] for start, end in others)

    def put(self, task: OpenTask) -> None:
        """Lay a task, known or not."""
        self._pieces[task.id] = self.time.measure(task)
        self._layout = None

    def take_out(self, task_id: int) -> OpenTask | None:
        """Forget a task."""
        self._layout = None
        piece = self._pieces.pop(task_id, None)
        return piece.task if piece else None

    def save(self) -> tuple[dict[int, _Piece], Recency, Layout | None]:
        """All that a change may change, for `restore`."""
        return dict(self._pieces), self._recency, self._layout

    def restore(self, saved: tuple[dict[int, _Piece], Recency, Layout | None]) -> None:
        """Be as it was; what was laid need not be laid again."""
        self._pieces, self._recency, self._layout = saved

    def find(self, task_id: int) -> OpenTask | None:
        """The task as it lies."""
        piece = self._pieces.get(task_id)
        return piece.task if piece else None

    def held(self, task_id: int, until: datetime | None) -> OpenTask | None:
        """A task that begins then at the earliest, where its plan is sooner; None where that is no change."""
        task = self.find(task_id)
        if task is None:
            return None
        not_before = until if until and not task.begun and (task.start is None or task.start < until) else None
        return None if task.not_before == not_before else replace(task, not_before=not_before)

    def absences_over(self, task_id: int) -> tuple[Interval, ...]:
        """The absences under which working time of the task's slot is lost."""
        line, shared = self.time.line, self.time.shared
        piece = self._pieces.get(task_id)
        slot = piece.task.slot if piece else None
        if piece is None or slot is None or slot[1] <= line.origin:
            return ()
        planned_s, own_s = (timeline.worked(slot[1]) - timeline.worked(slot[0]) for timeline in (shared, line))
        if slot[0] < line.origin:  # around which absences it was planned is seen from its start
            lines = (Timeline(shared.calendar, away, slot[0]) for away in ((), line.absences))
            planned_s, own_s = (timeline.worked(slot[1]) for timeline in lines)
        if min(planned_s, piece.left_s) <= own_s:
            return ()
        return tuple(away for away in line.absences if away[0] < slot[1] and away[1] > slot[0])


def _pour(slots: list[Span], loose: Iterable[tuple[int, int, int]], spans: dict[int, Span]) -> list[Span]:
    """Lay loose work (from when, task, length) on the first free seconds between and after the slots.

    Enter into `spans` from where to where each task reaches, over slots perhaps.
    """
    busy: list[Span] = []
    position = i = 0
    for earliest, task_id, length in loose:
        position = max(position, earliest)
        begun = None
        while length > 0:
            while i < len(slots) and slots[i][1] <= position:
                i += 1
            if i < len(slots) and slots[i][0] <= position:
                position = slots[i][1]
                continue
            begun = position if begun is None else begun
            taken = length if i == len(slots) else min(length, slots[i][0] - position)
            busy.append((position, position + taken))
            position += taken
            length -= taken
        spans[task_id] = position if begun is None else begun, position
    return busy


def cut_out(span: Span, others: Sequence[Span]) -> list[Span]:
    """Return what is left of a span without these others, which are in order and do not touch."""
    left, position = [], span[0]
    for start, end in others[max(0, bisect_right(others, span) - 1) :]:
        if start >= span[1]:
            break
        if position < start:
            left.append((position, start))
        position = max(position, end)
    if position < span[1]:
        left.append((position, span[1]))
    return left
