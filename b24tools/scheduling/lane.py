"""One person's open work as a lane: spans of working seconds on that person's own timeline.

A gap between two of them may cross nights, breaks and vacations. First comes what is overdue or begun, then slots in
the order of their plans, pushed only where work before them overlaps, then all other work, in the gaps.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from b24tools.scheduling.calendar import Interval, NoWorkingTime, Span, Timeline, WorkCalendar, united


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task somebody still works on. `ours`: made by b24tools, its plan is a slot reserved for it.

    `remaining_s` is work at rate 1, whoever does it.
    `begun`: somebody has started it. `not_before`: it waits until then for another operation, whatever its plan says.
    """

    id: int
    responsible_id: int
    remaining_s: int
    start: datetime | None = None
    end: datetime | None = None
    ours: bool = False
    begun: bool = False
    not_before: datetime | None = None

    @property
    def slot(self) -> Interval | None:
        """The time reserved for it; None for work that only has to be done sometime."""
        return (self.start, self.end) if self.ours and self.start and self.end else None


class StagedTask(NamedTuple):
    """An open task of an order: it begins when those of lower stages have ended, without a stage at once."""

    stage: int | None
    worker_id: int
    task_id: int


@dataclass(frozen=True)
class Worker:
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
    terms: Mapping[str, Any] = field(default_factory=dict)

    def own_s(self, work_s: int) -> int:
        """How long work takes this person, in whole seconds, rounded up."""
        return -(-work_s * self.rate.denominator // self.rate.numerator)


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
    """A time in which a person works on a task without doing another between (UTC); of it, so many working seconds.

    `is_last`: the task is done then.
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


Rank = tuple[datetime, int, tuple[int, float], int]
Offer = tuple[Rank | None, Candidate]

_BEGUN, _OVERDUE, _SLOT = range(3)  # the sequence of what is to be done at once


class Lane:
    """One person's open work in the sequence in which it is done, on the person's own timeline.

    `_starts` and `_ends`: the busy time in positions, in order, none touching. `_shown_starts` and `_shown_ends` have
    also the slots of what waits beyond them, and the rest of those that are longer than their work: no one has two
    slots at once. It is laid when it is asked for.
    """

    def __init__(self, worker: Worker, tasks: list[OpenTask], shared: Timeline, step_s: int) -> None:
        self.line = shared.without(worker.absences) if worker.absences else shared
        self.calendar, self.is_usual = shared.calendar, worker.rate == 1
        self._shared = shared
        self._worker = worker
        self._tasks = {task.id: task for task in tasks}
        self._step_s = step_s
        self._recency = (0, 0.0) if worker.last_assigned is None else (1, worker.last_assigned.timestamp())
        self._away = tuple(away for away in self.line.absences if away[1] > self.line.origin)
        self._lengths: dict[int, tuple[OpenTask, int, int, int]] = {}
        self._is_laid = False

    @property
    def spans(self) -> Mapping[int, Span]:
        """Where each task lies, by id, in positions."""
        if not self._is_laid:
            self._lay()
        return self._spans

    @property
    def tie(self) -> tuple[int, tuple[int, float], int]:
        """What decides between people who finish at the same moment."""
        return self._open_s, self._recency, self._worker.id

    def offer(self, length_s: int, earliest: datetime) -> Offer:
        """The rank and the candidate; no rank where there is no working time for it."""
        if not self._is_laid:
            self._lay()
        key = length_s, earliest
        offer = self._offers.get(key)
        if offer is None:
            offer = self._offers[key] = self._reckon(length_s, earliest)
        return offer

    def gap_end(self, length_s: int, position: int) -> int:
        """The position where the work ends in the first gap from there on that is long enough."""
        if not self._is_laid:
            self._lay()
        if not self.is_usual:
            length_s = self._worker.own_s(length_s)
        starts, ends = self._shown_starts, self._shown_ends
        i, count = bisect_right(starts, position), len(starts)
        if i and ends[i - 1] > position:
            position = ends[i - 1]
        end = position + length_s
        while i < count and end > starts[i]:
            end = ends[i] + length_s
            i += 1
        return end

    def give(self, slot: Interval, length_s: int, number: int) -> None:
        """Take the slot that was offered; the lower the number, the later the work was given out."""
        self._tasks[number] = OpenTask(number, self._worker.id, length_s, *slot, ours=True)
        self._recency = 2, -number
        self._is_laid = False

    def move(self, task_id: int, slot: Interval, left_s: int) -> bool:
        """Put a task, known or not, into another slot; whether that meets one of ours there."""
        task = self._tasks.pop(task_id, None)
        others = [other.slot for other in self._tasks.values() if other.slot and other.slot[1] > self.line.origin]
        moved = replace(task, start=slot[0], end=slot[1]) if task else OpenTask(task_id, self._worker.id, left_s, *slot)
        self._tasks[task_id] = replace(moved, remaining_s=left_s, ours=True)
        self._is_laid = False
        return any(start < slot[1] and end > slot[0] for start, end in others)

    def put(self, task: OpenTask) -> None:
        """Lay a task, known or not."""
        self._tasks[task.id] = task
        self._is_laid = False

    def take_out(self, task_id: int) -> OpenTask | None:
        """Forget a task."""
        self._is_laid = False
        return self._tasks.pop(task_id, None)

    def save(self) -> dict[str, Any]:
        """All that a change may change, for `restore`."""
        return {**self.__dict__, "_tasks": dict(self._tasks)}

    def restore(self, saved: dict[str, Any]) -> None:
        """Be as it was; what was laid need not be laid again."""
        self.__dict__.update(saved)

    def find(self, task_id: int) -> OpenTask | None:
        """The task as it lies."""
        return self._tasks.get(task_id)

    def hold(self, task_id: int, until: datetime | None) -> bool:
        """Let a task begin then at the earliest, where its plan is sooner; whether that is a change."""
        task = self._tasks.get(task_id)
        if task is None:
            return False
        not_before = until if until and not task.begun and (task.start is None or task.start < until) else None
        if task.not_before == not_before:
            return False
        self.put(replace(task, not_before=not_before))
        return True

    def span_of(self, task_id: int) -> Interval | None:
        """When a task is begun, or gone on with, and done; None where it is not in the lane."""
        span = self.spans.get(task_id)
        if span is None:
            return None
        start, end = self._moments(span)
        slot = self._tasks[task_id].slot
        is_short = span[1] - span[0] < self._worker.own_s(self._tasks[task_id].remaining_s)
        if task_id in self._unpushed and is_short and slot and slot[1] > end:  # put outside the working hours by hand
            return min(start, slot[0]), slot[1]
        return start, end

    def _moments(self, span: Span) -> Interval:
        return self.line.start_at(span[0]), self.line.end_at(span[1])

    def list_tasks(self) -> list[tuple[OpenTask, Interval]]:
        """The tasks with when they are done, in that sequence; those that never end are left out.

        What is left of them is in this person's seconds.
        """
        found = []
        for task_id, _span in sorted(self.spans.items(), key=lambda one: one[1]):
            with suppress(NoWorkingTime):
                task = self._tasks[task_id]
                own = replace(task, remaining_s=self._worker.own_s(task.remaining_s))
                if span := self.span_of(task_id):
                    found.append((own, span))
        return found

    def slots_between(self, start: datetime, end: datetime) -> list[Slot]:
        """The pieces of the tasks in this time, in that sequence: loose work goes around the slots."""
        spans = self.spans
        first, last = self.line.worked(start), self.line.worked(end)
        found = []
        for task_id, span in spans.items():
            for piece in cut_out(span, self._fixed) or [span]:
                begin, until = max(piece[0], first), min(piece[1], last)
                if begin < until:
                    moments = self._moments((begin, until))
                    found.append((begin, Slot(self._tasks[task_id], *moments, until - begin, span[1] <= until)))
        return [slot for _begin, slot in sorted(found, key=lambda one: one[0])]

    def absences_over(self, task_id: int) -> tuple[Interval, ...]:
        """The absences under which working time of the task's slot is lost."""
        slot = self._tasks[task_id].slot if task_id in self._tasks else None
        if slot is None or slot[1] <= self.line.origin:
            return ()
        planned_s, own_s = self._shared.worked(slot[1]) - self._shared.worked(slot[0]), self._own_s(slot)
        if slot[0] < self.line.origin:  # around which absences it was planned is seen from its start
            lines = (Timeline(self.calendar, away, slot[0]) for away in ((), self.line.absences))
            planned_s, own_s = (line.worked(slot[1]) for line in lines)
        if min(planned_s, self._worker.own_s(self._tasks[task_id].remaining_s)) <= own_s:
            return ()
        return tuple(away for away in self.line.absences if away[0] < slot[1] and away[1] > slot[0])

    def _lay(self) -> None:
        fixed: list[tuple[tuple[int, int, datetime, int], int]] = []  # from when, kind, plan and task; length
        waiting: dict[int, Span] = {}  # the slots of what waits beyond them
        beyond: dict[int, Span] = {}  # those with more room than their work needs
        loose: list[tuple[int, int, int]] = []  # from when, task, length
        for task in self._tasks.values():
            held = self.line.worked(task.not_before) if task.not_before and not task.begun else 0
            slot, planned = task.slot, task.start or self.line.origin
            is_over = (task.end is not None and task.end <= self.line.origin) or (slot and planned <= self.line.origin)
            left_s = self._worker.own_s(task.remaining_s)
            if held and slot:
                waiting[task.id] = self.line.worked(slot[0]), self.line.worked(slot[1])
            if task.begun or is_over:
                kind = _BEGUN if task.begun else _SLOT if held else _OVERDUE
                fixed.append(((held, kind, planned, task.id), left_s))
            elif slot:
                length, start, end = self._measure(task, slot)
                if start + length < end:
                    beyond[task.id] = start, end
                fixed.append(((max(held, start), _SLOT, planned, task.id), length))
            else:
                loose.append((max(held, self.line.worked(task.start) if task.start else 0), task.id, left_s))
        spans: dict[int, Span] = {}
        self._unpushed: set[int] = set()
        position = 0
        for (start, kind, _planned, task_id), length in sorted(fixed):
            if kind == _SLOT and start >= position and task_id not in waiting:
                self._unpushed.add(task_id)
            position = max(position, start)
            spans[task_id] = position, position + length
            position += length
        taken = self._fixed = united(spans.values())
        busy = united([*taken, *_pour(taken, sorted(loose), spans)]) if loose else taken
        self._spans = spans
        self._starts = [start for start, _end in busy]
        self._ends = [end for _start, end in busy]
        self._shown_starts, self._shown_ends = self._starts, self._ends
        if waiting or beyond:
            shown = united([*busy, *waiting.values(), *beyond.values()])
            self._shown_starts, self._shown_ends = ([span[place] for span in shown] for place in (0, 1))
        self._free = self._first_free()
        self._open_s = sum(self._worker.own_s(task.remaining_s) for task in self._tasks.values())
        self._offers: dict[tuple[int, datetime], Offer] = {}
        self._is_laid = True

    def _measure(self, task: OpenTask, slot: Interval) -> tuple[int, int, int]:
        """How long a task with a slot is, and from which position to which that lies: looked up once."""
        known = self._lengths.get(task.id)
        if known is None or known[0] is not task:
            moments = self.line.worked(slot[0]), self.line.worked(slot[1])
            known = self._lengths[task.id] = task, self._length(task, slot), *moments
        return known[1:]

    def _length(self, task: OpenTask, slot: Interval) -> int:
        """The working time of a slot, with what of it fell under an absence after it was planned: no more than is left.

        Of a slot laid around an absence nothing is lost: it has its estimate. One outside working hours has none.
        """
        planned_s = max(self._own_s(slot), self._shared.worked(slot[1]) - self._shared.worked(slot[0]))
        return min(planned_s, self._worker.own_s(task.remaining_s))

    def _own_s(self, slot: Interval) -> int:
        return self.line.worked(slot[1]) - self.line.worked(slot[0])

    def load(self, days: int) -> PersonLoad:
        """The open work, the first free moment, and how full each day is."""
        if not self._is_laid:
            self._lay()
        line, zone = self.line, self.line.calendar.zone
        today = line.origin.astimezone(zone).date()
        found = []
        midnights = [line.worked(datetime.combine(today + timedelta(days=n), time(), zone)) for n in range(days + 1)]
        for n, (start, end) in enumerate(pairwise(midnights)):
            first = max(0, bisect_right(self._starts, start) - 1)
            last = bisect_left(self._starts, end)
            taken = zip(self._starts[first:last], self._ends[first:last], strict=True)
            busy_s = sum(max(0, min(done, end) - max(begun, start)) for begun, done in taken)
            found.append(DayLoad(today + timedelta(days=n), busy_s, end - start))
        free = None
        with suppress(NoWorkingTime):
            free = self.line.start_at(self._free)
        worker = self._worker
        return PersonLoad(worker.id, worker.name, self._open_s, free, self._away, tuple(found), worker.terms)

    def _first_free(self) -> int:
        """The position where what is to be done at once ends; a gap shorter than a step is no time for work."""
        position = 0
        for start, end in zip(self._starts, self._ends, strict=True):
            if start - position >= self._step_s:
                break
            position = end
        return position

    def _reckon(self, length_s: int, earliest: datetime) -> Offer:
        worker, length_s = self._worker, self._worker.own_s(length_s)
        who = worker.id, worker.name
        try:
            free = self.line.start_at(self._free)
            start, finish = self._earliest_gap(length_s, earliest)
        except NoWorkingTime as error:
            note = str(error)
            return None, Candidate(*who, None, None, None, self._open_s, self._away, note=note, terms=worker.terms)
        absent = tuple(away for away in self._away if away[0] < finish)
        rank = finish, *self.tie
        busy = self._free > 0
        return rank, Candidate(*who, free, start, finish, self._open_s, absent, busy=busy, terms=worker.terms)

    def _earliest_gap(self, length_s: int, earliest: datetime) -> Interval:
        """The first start on a whole step from which the work fits before the next busy span, and the end."""
        position = self.line.worked(earliest)
        i = bisect_right(self._shown_starts, position) - 1
        if i >= 0:
            position = max(position, self._shown_ends[i])
        while True:
            i += 1
            room_until = self._shown_starts[i] if i < len(self._shown_starts) else None
            if room_until is None or position + length_s <= room_until:
                aligned, start = self.line.aligned_start(position, self._step_s)
                if room_until is None or aligned + length_s <= room_until:
                    return start, self.line.end_at(aligned + length_s)
            position = self._shown_ends[i]


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
