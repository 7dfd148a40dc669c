"""Who is free when, who finishes a piece of work first, and when everything is done.

Each person has one lane: the open tasks as spans of working seconds on that person's own timeline, so a
gap between two of them may cross nights, breaks and vacations. First comes what is overdue or begun, then
slots in the order of their plans, pushed only where work before them overlaps, then all other work, in the
gaps. Choices, ends and loads are read off the lanes, which are laid when a person is first considered.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from b24tools.core.i18n import _
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Span, Timeline, WorkCalendar, united

UNKNOWN_ESTIMATE_S = 3600


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task somebody still works on. `ours`: made by b24tools, its plan is a slot kept free for it.

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
        """The time kept free for it; None for work that only has to be done sometime."""
        return (self.start, self.end) if self.ours and self.start and self.end else None


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


@dataclass(frozen=True)
class Choice:
    """Who does it, when (UTC), and why.

    `reason`: "first" (to finish), of those who finish at once "less_open" work, "least_recent"
    assignment, "lower_id"; "only" one was there; "pinned". `candidates`: the best first, those who cannot last.
    `margin_s`: how much more work the chosen one could have had and still be the first. `number`: what the work is
    called in the lane as long as it is no task.
    """

    responsible_id: int
    start: datetime
    finish: datetime
    reason: str
    candidates: tuple[Candidate, ...]
    margin_s: int | None = None
    number: int = 0


_REASONS = ("first", "less_open", "least_recent", "lower_id")
_Rank = tuple[datetime, int, tuple[int, float], int]
_Offer = tuple[_Rank | None, Candidate]


def remaining_s(estimate_s: int | None, spent_s: int | None, step_s: int) -> int:
    """Seconds of work left in a task: never below one step, an hour where there is no estimate."""
    left = estimate_s - (spent_s or 0) if estimate_s else UNKNOWN_ESTIMATE_S
    return max(left, step_s)


class Workload:
    """The open work of some people as of `now`, to which new work is added as it is given out.

    Whatever `choose`, `pin`, `extend` and `hold` decide counts for the decisions after it. Tasks of people
    who are not among the workers do not matter. Lengths and steps are seconds, lengths at rate 1; starts lie on whole
    steps of the calendar's wall clock. Loads and open work are in the seconds of the person.
    """

    def __init__(
        self, calendar: WorkCalendar, now: datetime, workers: Iterable[Worker], tasks: Iterable[OpenTask], step_s: int
    ) -> None:
        self.calendar = calendar
        self.now = _whole(now)
        self._step_s = step_s
        self._timelines: dict[int, Timeline] = {}  # by the id of the calendar, which the workers keep alive
        self._workers = {worker.id: worker for worker in workers}
        self._tasks: dict[int, list[OpenTask]] = {worker_id: [] for worker_id in self._workers}
        self._lanes: dict[int, _Lane] = {}
        self._given = 0
        for task in tasks:
            if task.responsible_id in self._tasks:
                self._tasks[task.responsible_id].append(task)

    def choose(self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None = None) -> Choice:
        """Give the work to whoever of them finishes it first.

        Raises NoWorkingTime if none of them can, KeyError for one who is not a worker.
        """
        ranked, unable = self._ranked(worker_ids, length_s, not_before)
        if not ranked:
            raise NoWorkingTime(_("none of the candidates has working time for it in the next six years"))
        reason, margin_s = "only", None
        if len(ranked) > 1:
            best, second = ranked[0][0], ranked[1][0]
            reason = next(name for name, a, b in zip(_REASONS, best, second, strict=True) if a != b)
            line = self._lane(ranked[0][1].id).line
            margin_s = line.worked(second[0]) - line.worked(best[0])
        choice = self._give(ranked[0][1], reason, length_s, [candidate for _rank, candidate in ranked] + unable)
        return replace(choice, margin_s=margin_s)

    def pin(
        self, worker_id: int, length_s: int, not_before: datetime | None = None, worker_ids: Iterable[int] = ()
    ) -> Choice:
        """Give the work to this person; `worker_ids` are listed beside. Raises as `choose`."""
        ranked, unable = self._ranked([worker_id, *worker_ids], length_s, not_before)
        candidates = [candidate for _rank, candidate in ranked] + unable
        winner = next(candidate for candidate in candidates if candidate.id == worker_id)
        return self._give(winner, "pinned", length_s, candidates)

    def extend(self, worker_id: int, start: datetime, length_s: int, ignore_task: int) -> tuple[datetime, bool]:
        """The new end of the task `ignore_task` whose minutes changed, and whether it meets another slot.

        The start stays, also one in the past. Only slots of ours are met: work without one gives
        way. From here on the task occupies the new slot. Raises NoWorkingTime, and KeyError as `choose`.
        """
        lane = self._lane(worker_id)
        own_s = self._workers[worker_id].own_s(length_s)
        end = Timeline(lane.line.calendar, lane.line.absences, start).end_at(own_s)
        return end, lane.move(ignore_task, (start, end), length_s)

    def load(self, worker_id: int, days: int) -> PersonLoad:
        """The person's open work and the next `days` days, today the first. Raises KeyError as `choose`."""
        return self._lane(worker_id).load(days)

    def hold(self, worker_id: int, task_id: int, not_before: datetime) -> None:
        """Let a task wait for another operation, and push what it meets. Nothing for a task that is not in the lane."""
        if worker_id in self._workers:
            self._lane(worker_id).hold(task_id, not_before)

    def span_of(self, worker_id: int, task_id: int) -> Interval | None:
        """Return when a task is begun, or gone on with, and done; None where it is in no lane. Raises NoWorkingTime."""
        return self._lane(worker_id).span_of(task_id) if worker_id in self._workers else None

    def lost_under_absences(self, worker_id: int, task_id: int) -> tuple[Interval, ...]:
        """Return the absences under which working time of the task's slot is lost."""
        return self._lane(worker_id).absences_over(task_id) if worker_id in self._workers else ()

    def calendar_of(self, worker_id: int) -> WorkCalendar:
        """Return a person's own calendar, or everybody's."""
        worker = self._workers.get(worker_id)
        return (worker and worker.calendar) or self.calendar

    def tasks_of(self, worker_id: int) -> list[tuple[OpenTask, Interval]]:
        """List a person's open tasks with when they are done, in that sequence. Raises KeyError as `choose`."""
        return self._lane(worker_id).list_tasks()

    def _earliest(self, not_before: datetime | None) -> datetime:
        return self.now if not_before is None else max(self.now, _whole(not_before))

    def _lane(self, worker_id: int) -> _Lane:
        lane = self._lanes.get(worker_id)
        if lane is None:
            worker, calendar = self._workers[worker_id], self.calendar_of(worker_id)
            if id(calendar) not in self._timelines:
                self._timelines[id(calendar)] = Timeline(calendar, (), self.now)
            shared = self._timelines[id(calendar)]
            lane = self._lanes[worker_id] = _Lane(worker, self._tasks[worker_id], shared, self._step_s)
        return lane

    def _ranked(
        self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None
    ) -> tuple[list[tuple[_Rank, Candidate]], list[Candidate]]:
        if length_s <= 0:
            raise ValueError(f"work of {length_s} s")
        earliest = self._earliest(not_before)
        offers = [self._lane(worker_id).offer(length_s, earliest) for worker_id in dict.fromkeys(worker_ids)]
        ranked = sorted((rank, candidate) for rank, candidate in offers if rank is not None)
        return ranked, [candidate for rank, candidate in offers if rank is None]

    def _give(self, winner: Candidate, reason: str, length_s: int, candidates: Sequence[Candidate]) -> Choice:
        if winner.start is None or winner.finish is None:
            raise NoWorkingTime(_("{name} has no working time for it in the next six years").format(name=winner.name))
        self._given -= 1  # numbers of tasks are positive
        self._lane(winner.id).give((winner.start, winner.finish), length_s, self._given)
        listed = tuple(replace(one, chosen=True) if one is winner else one for one in candidates)
        return Choice(winner.id, winner.start, winner.finish, reason, listed, number=self._given)


class _Lane:
    """One person's open work in the sequence in which it is done, on the person's own timeline.

    `_spans`: where each task lies, by id, in positions. `_starts` and `_ends`: the busy time, in order, none touching.
    """

    def __init__(self, worker: Worker, tasks: list[OpenTask], shared: Timeline, step_s: int) -> None:
        self.line = shared.without(worker.absences) if worker.absences else shared
        self._shared = shared
        self._worker = worker
        self._tasks = {task.id: task for task in tasks}
        self._step_s = step_s
        self._recency = (0, 0.0) if worker.last_assigned is None else (1, worker.last_assigned.timestamp())
        self._offers: dict[tuple[int, datetime], _Offer] = {}
        self._lay()

    def offer(self, length_s: int, earliest: datetime) -> _Offer:
        """The rank and the candidate; no rank where there is no working time for it."""
        key = length_s, earliest
        offer = self._offers.get(key)
        if offer is None:
            offer = self._offers[key] = self._reckon(length_s, earliest)
        return offer

    def give(self, slot: Interval, length_s: int, number: int) -> None:
        """Take the slot that was offered; the lower the number, the later the work was given out."""
        self._tasks[number] = OpenTask(number, self._worker.id, length_s, *slot, ours=True)
        self._recency = 2, -number
        self._lay()

    def move(self, task_id: int, slot: Interval, length_s: int) -> bool:
        """Put a task, known or not, into another slot; whether that meets one of ours there."""
        task, left = self._tasks.pop(task_id, None), length_s
        if task and task.start and task.end:  # what changed of its length is what changed of its remainder
            own_s = Timeline(self.line.calendar, self.line.absences, task.start).worked(task.end)
            before = int(own_s * self._worker.rate)
            left = min(max(task.remaining_s + length_s - before, self._step_s), length_s)
        others = [other.slot for other in self._tasks.values() if other.slot and other.slot[1] > self.line.origin]
        moved = replace(task, start=slot[0], end=slot[1]) if task else OpenTask(task_id, self._worker.id, left, *slot)
        self._tasks[task_id] = replace(moved, remaining_s=left, ours=True)
        self._lay()
        return any(start < slot[1] and end > slot[0] for start, end in others)

    def hold(self, task_id: int, not_before: datetime) -> None:
        """Let a task begin then at the earliest."""
        if task_id in self._tasks:
            self._tasks[task_id] = replace(self._tasks[task_id], not_before=not_before)
            self._lay()

    def span_of(self, task_id: int) -> Interval | None:
        """When a task is begun, or gone on with, and done; None where it is not in the lane."""
        span = self._spans.get(task_id)
        return None if span is None else self._moments(span)

    def _moments(self, span: Span) -> Interval:
        return self.line.start_at(span[0]), self.line.end_at(span[1])

    def list_tasks(self) -> list[tuple[OpenTask, Interval]]:
        """The tasks with when they are done, in that sequence; those that never end are left out.

        What is left of them is in this person's seconds.
        """
        found = []
        for task_id in sorted(self._spans, key=self._spans.__getitem__):
            with suppress(NoWorkingTime):
                task = self._tasks[task_id]
                own = replace(task, remaining_s=self._worker.own_s(task.remaining_s))
                found.append((own, self._moments(self._spans[task_id])))
        return found

    def absences_over(self, task_id: int) -> tuple[Interval, ...]:
        """The absences under which working time of the task's slot is lost."""
        slot = self._tasks[task_id].slot if task_id in self._tasks else None
        if slot is None or self._length(self._tasks[task_id], slot) <= self._own_s(slot):
            return ()
        return tuple(away for away in self.line.absences if away[0] < slot[1] and away[1] > slot[0])

    def _lay(self) -> None:
        first: list[tuple[Any, int, int]] = []  # sort key, length, task
        slots: list[tuple[int, int, int]] = []  # from when, length, task
        loose: list[tuple[int, int, int]] = []  # from when, task, length
        for task in self._tasks.values():
            held = self.line.worked(task.not_before) if task.not_before and not task.begun else 0
            slot, is_over = task.slot, task.end is not None and task.end <= self.line.origin
            left_s = self._worker.own_s(task.remaining_s)
            if task.begun or (not held and (is_over or (slot and slot[0] <= self.line.origin))):
                began = (task.start or self.line.origin).timestamp()
                first.append(((not task.begun, began, task.id), left_s, task.id))
            elif slot or is_over:
                length = left_s if is_over or slot is None else self._length(task, slot)
                slots.append((max(held, self.line.worked(slot[0]) if slot else 0), length, task.id))
            else:
                loose.append((max(held, self.line.worked(task.start) if task.start else 0), task.id, left_s))
        self._spans: dict[int, Span] = {}
        position = 0
        for start, length, task_id in [(0, length, task_id) for _key, length, task_id in sorted(first)] + sorted(slots):
            position = max(position, start)
            self._spans[task_id] = position, position + length
            position += length
        taken = united(self._spans.values())
        busy = united([*taken, *_pour(taken, sorted(loose), self._spans)])
        self._starts = [start for start, _end in busy]
        self._ends = [end for _start, end in busy]
        self._open_s = sum(self._worker.own_s(task.remaining_s) for task in self._tasks.values())
        self._offers = {}

    def _length(self, task: OpenTask, slot: Interval) -> int:
        """The working time of a slot, with what of it fell under an absence after it was planned.

        Of a slot laid around an absence nothing is lost: it has its estimate. One outside working hours has none.
        """
        own_s = self._own_s(slot)
        left_s = self._worker.own_s(task.remaining_s)
        return max(own_s, min(self._shared.worked(slot[1]) - self._shared.worked(slot[0]), left_s))

    def _own_s(self, slot: Interval) -> int:
        return self.line.worked(slot[1]) - self.line.worked(slot[0])

    def load(self, days: int) -> PersonLoad:
        """The open work, the first free moment, and how full each day is."""
        line, zone = self.line, self.line.calendar.zone
        today = line.origin.astimezone(zone).date()
        found = []
        for day in (today + timedelta(days=n) for n in range(days)):
            start, end = (line.worked(datetime.combine(one, time(), zone)) for one in (day, day + timedelta(days=1)))
            first = max(0, bisect_right(self._starts, start) - 1)
            last = bisect_left(self._starts, end)
            taken = zip(self._starts[first:last], self._ends[first:last], strict=True)
            busy_s = sum(max(0, min(done, end) - max(begun, start)) for begun, done in taken)
            found.append(DayLoad(day, busy_s, end - start))
        away = tuple(one for one in line.absences if one[1] > line.origin)
        free = None
        with suppress(NoWorkingTime):
            free = self._first_free()
        worker = self._worker
        return PersonLoad(worker.id, worker.name, self._open_s, free, away, tuple(found), worker.terms)

    def _first_free(self) -> datetime:
        return self.line.start_at(self._ends[0] if self._starts[:1] == [0] else 0)

    def _reckon(self, length_s: int, earliest: datetime) -> _Offer:
        worker, length_s = self._worker, self._worker.own_s(length_s)
        who = worker.id, worker.name
        absent = tuple(away for away in self.line.absences if away[1] > self.line.origin)
        try:
            free = self._first_free()
            start, finish = self._earliest_gap(length_s, earliest)
        except NoWorkingTime as error:
            note = str(error)
            return None, Candidate(*who, None, None, None, self._open_s, absent, note=note, terms=worker.terms)
        absent = tuple(away for away in absent if away[0] < finish)
        rank = finish, self._open_s, self._recency, worker.id
        busy = self._starts[:1] == [0]
        return rank, Candidate(*who, free, start, finish, self._open_s, absent, busy=busy, terms=worker.terms)

    def _earliest_gap(self, length_s: int, earliest: datetime) -> Interval:
        """The first start on a whole step from which the work fits before the next busy span, and the end."""
        position = self.line.worked(earliest)
        i = bisect_right(self._starts, position) - 1
        if i >= 0:
            position = max(position, self._ends[i])
        while True:
            i += 1
            room_until = self._starts[i] if i < len(self._starts) else None
            if room_until is None or position + length_s <= room_until:
                aligned, start = self.line.aligned_start(position, self._step_s)
                if room_until is None or aligned + length_s <= room_until:
                    return start, self.line.end_at(aligned + length_s)
            position = self._ends[i]


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


def _whole(moment: datetime) -> datetime:
    """In UTC, rounded up to a whole second."""
    return (moment + timedelta(microseconds=-moment.microsecond % 1_000_000)).astimezone(UTC)
