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
from itertools import pairwise
from typing import Any, NamedTuple

from b24tools.core.i18n import _
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Span, Timeline, WorkCalendar, united

UNKNOWN_ESTIMATE_S = 3600
MOST_ROUNDS = 50  # of operations that wait for one another; each goes through all orders


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


_BEGUN, _OVERDUE, _SLOT = range(3)  # the sequence of what is to be done at once
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
        self._usual = Timeline(calendar, (), self.now)
        self._timelines = {id(calendar): self._usual}  # by the id of the calendar, which the workers keep alive
        self._workers = {worker.id: worker for worker in workers}
        # nobody can be quicker than whoever has time at once
        self._is_even = all(
            one.rate <= 1 and (one.calendar is None or one.calendar is calendar) for one in self._workers.values()
        )
        self._tasks: dict[int, list[OpenTask]] = {worker_id: [] for worker_id in self._workers}
        self._lanes: dict[int, _Lane] = {}
        self._given = 0
        for task in tasks:
            if task.responsible_id in self._tasks:
                self._tasks[task.responsible_id].append(task)

    def choose(self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None = None) -> Choice:
        """Give the work to whoever of them finishes it first. Raises as `weigh`."""
        choice = self.weigh(worker_ids, length_s, not_before)
        return self._give(choice, length_s)

    def weigh(
        self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None = None, *, most: int | None = None
    ) -> Choice:
        """Find out who of them finishes the work first; it is given to none of them.

        With `most`, only so many candidates are reckoned, besides those who could be the first.
        Raises NoWorkingTime if none of them can, KeyError for one who is not a worker.
        """
        ranked, unable = self._ranked(worker_ids, length_s, not_before, most)
        if not ranked:
            raise NoWorkingTime(_("none of the candidates has working time for it in the next six years"))
        reason, margin_s = "only", None
        if len(ranked) > 1:
            best, second = ranked[0][0], ranked[1][0]
            reason = next(name for name, a, b in zip(_REASONS, best, second, strict=True) if a != b)
            line = self._lane(ranked[0][1].id).line
            margin_s = line.worked(second[0]) - line.worked(best[0])
        candidates = [candidate for _rank, candidate in ranked] + unable
        return replace(_chosen(ranked[0][1], reason, candidates), margin_s=margin_s)

    def soonest(self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None = None) -> datetime:
        """Tell before when none of them can have finished the work. Raises as `choose`."""
        earliest = self._earliest(not_before)
        position = self._usual.worked(earliest)
        best: int | None = None
        for worker_id in worker_ids:
            end = self._soonest_end(self._lane(worker_id), length_s, earliest, position)
            best = end if best is None or (end is not None and end < best) else best
            if best == position + length_s and self._is_even:
                break
        if best is None:
            raise NoWorkingTime
        return self._usual.end_at(best)

    def pin(
        self, worker_id: int, length_s: int, not_before: datetime | None = None, worker_ids: Iterable[int] = ()
    ) -> Choice:
        """Give the work to this person; `worker_ids` are listed beside. Raises as `choose`."""
        ranked, unable = self._ranked([worker_id, *worker_ids], length_s, not_before)
        candidates = [candidate for _rank, candidate in ranked] + unable
        winner = next(candidate for candidate in candidates if candidate.id == worker_id)
        return self._give(_chosen(winner, "pinned", candidates), length_s)

    def extend(
        self, worker_id: int, start: datetime, length_s: int, ignore_task: int, left_s: int | None = None
    ) -> tuple[datetime, bool]:
        """The new end of the task `ignore_task` whose minutes changed, and whether it meets another slot.

        The start stays, also one in the past. Only slots of ours are met: work without one gives
        way. From here on the task occupies the new slot; `left_s` is left of it, by default all.
        Raises NoWorkingTime, and KeyError as `choose`.
        """
        lane = self._lane(worker_id)
        own_s = self._workers[worker_id].own_s(length_s)
        end = Timeline(lane.line.calendar, lane.line.absences, start).end_at(own_s)
        return end, lane.move(ignore_task, (start, end), length_s if left_s is None else left_s)

    def load(self, worker_id: int, days: int) -> PersonLoad:
        """The person's open work and the next `days` days, today the first. Raises KeyError as `choose`."""
        return self._lane(worker_id).load(days)

    def hold(self, worker_id: int, task_id: int, until: datetime | None) -> bool:
        """Let a task wait for another operation where it is planned sooner, and push what it meets; whether it moves.

        One that is begun waits for nothing. Nothing for a task that is not in the lane.
        """
        return worker_id in self._workers and self._lane(worker_id).hold(task_id, until)

    def let_wait(self, orders: Iterable[Sequence[StagedTask]]) -> None:
        """Let operations wait for those of lower stages of their order, until nothing changes over all orders."""
        staged = [
            sorted((one.stage, one.worker_id, one.task_id) for one in order if one.stage is not None)
            for order in orders
        ]
        staged = [order for order in staged if order and order[0][0] != order[-1][0]]
        for _round in range(MOST_ROUNDS):
            if not sum([self._let_order_wait(order) for order in staged]):
                return

    def _let_order_wait(self, operations: Sequence[tuple[int, int, int]]) -> int:
        """Hold the operations of an order, which come in the sequence of their stages; how many lie elsewhere now."""
        ends: dict[int, datetime] = {}
        count = 0
        for stage, worker_id, task_id in operations:
            if self.find(worker_id, task_id) is None:
                continue
            count += self.hold(worker_id, task_id, max((ends[one] for one in ends if one < stage), default=None))
            with suppress(NoWorkingTime):
                if span := self.span_of(worker_id, task_id):
                    ends[stage] = max(span[1], ends.get(stage, span[1]))
        return count

    def put(self, task: OpenTask) -> None:
        """Lay a task into its person's lane. Nothing for one of a person who is no worker."""
        if task.responsible_id in self._workers:
            self._lane(task.responsible_id).put(task)

    def take_out(self, worker_id: int, task_id: int) -> OpenTask | None:
        """Take a task out of a lane, and return it as it lay there; None where it is not in the lane."""
        return self._lane(worker_id).take_out(task_id) if worker_id in self._workers else None

    def find(self, worker_id: int, task_id: int) -> OpenTask | None:
        """Return a task as it lies in a lane; None where it is not there."""
        return self._lane(worker_id).find(task_id) if worker_id in self._workers else None

    def spans(self, worker_id: int) -> Mapping[int, Span]:
        """Return where each task lies in a lane, in the person's working seconds from now."""
        return self._lane(worker_id).spans if worker_id in self._workers else {}

    def line_of(self, worker_id: int) -> Timeline:
        """Return a person's working time. Raises KeyError as `choose`."""
        return self._lane(worker_id).line

    def span_of(self, worker_id: int, task_id: int) -> Interval | None:
        """Return when a task is begun, or gone on with, and done; None where it is in no lane. Raises NoWorkingTime."""
        return self._lane(worker_id).span_of(task_id) if worker_id in self._workers else None

    def lost_under_absences(self, worker_id: int, task_id: int) -> tuple[Interval, ...]:
        """Return the absences under which working time of the task's slot is lost."""
        return self._lane(worker_id).absences_over(task_id) if worker_id in self._workers else ()

    def rate_of(self, worker_id: int) -> Fraction:
        """Return how much work a person does in an hour."""
        worker = self._workers.get(worker_id)
        return worker.rate if worker else Fraction(1)

    def calendar_of(self, worker_id: int) -> WorkCalendar:
        """Return a person's own calendar, or everybody's."""
        worker = self._workers.get(worker_id)
        return (worker and worker.calendar) or self.calendar

    def tasks_of(self, worker_id: int) -> list[tuple[OpenTask, Interval]]:
        """List a person's open tasks with when they are done, in that sequence. Raises KeyError as `choose`."""
        return self._lane(worker_id).list_tasks()

    def slots_between(self, worker_id: int, start: datetime, end: datetime) -> list[Slot]:
        """List what a person does in this time, in that sequence. Raises KeyError as `choose`."""
        return self._lane(worker_id).slots_between(start, end)

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
        self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None, most: int | None = None
    ) -> tuple[list[tuple[_Rank, Candidate]], list[Candidate]]:
        if length_s <= 0:
            raise ValueError(f"work of {length_s} s")
        earliest = self._earliest(not_before)
        lanes = [self._lane(worker_id) for worker_id in dict.fromkeys(worker_ids)]
        if most is None:
            offers = [lane.offer(length_s, earliest) for lane in lanes]
        else:
            offers = self._best_offers(lanes, length_s, earliest, most)
        ranked = sorted((rank, candidate) for rank, candidate in offers if rank is not None)
        return ranked, [candidate for rank, candidate in offers if rank is None]

    def _best_offers(self, lanes: Sequence[_Lane], length_s: int, earliest: datetime, most: int) -> list[_Offer]:
        """The offers of those who may be the first.

        Nobody finishes before the gap's own end; and of those who are always there, and have the same gap, nobody
        before the first one by open work, unless that one's gap turns out to be too short for a whole step.
        """
        position = self._usual.worked(earliest)
        by_end: dict[int, list[_Lane]] = {}
        unable: list[_Lane] = []
        for lane in lanes:
            end = self._soonest_end(lane, length_s, earliest, position)
            (unable if end is None else by_end.setdefault(end, [])).append(lane)
        offers: list[_Offer] = []
        best: int | None = None
        for end in sorted(by_end):
            if best is not None and end > best and len(offers) >= most:
                break
            is_settled = False
            for lane in sorted(by_end[end], key=lambda lane: lane.tie):
                is_usual = lane.line is self._usual and lane.rate == 1
                if is_settled and is_usual and len(offers) >= most:
                    continue
                offer = lane.offer(length_s, earliest)
                offers.append(offer)
                if offer[0] is not None:
                    finish = self._usual.worked(offer[0][0])
                    best = finish if best is None else min(best, finish)
                    if is_usual and finish == self._usual.aligned_start(end - length_s, self._step_s)[0] + length_s:
                        is_settled = True
        return offers + [lane.offer(length_s, earliest) for lane in unable[: most - len(offers)]]

    def _soonest_end(self, lane: _Lane, length_s: int, earliest: datetime, position: int) -> int | None:
        """Where in everybody's time this person may be done at the earliest; `position` is that of `earliest` there."""
        if lane.calendar is self.calendar:  # with absences the person is no further than the others
            return lane.gap_end(length_s, position if lane.line is self._usual else lane.line.worked(earliest))
        try:
            return self._usual.worked(lane.line.end_at(lane.gap_end(length_s, lane.line.worked(earliest))))
        except NoWorkingTime:
            return None

    def _give(self, choice: Choice, length_s: int) -> Choice:
        self._given -= 1  # numbers of tasks are positive
        self._lane(choice.responsible_id).give((choice.start, choice.finish), length_s, self._given)
        return replace(choice, number=self._given)


class _Lane:
    """One person's open work in the sequence in which it is done, on the person's own timeline.

    `_starts` and `_ends`: the busy time in positions, in order, none touching. `_shown_starts` and `_shown_ends` have
    also the slots of what waits beyond them: nobody has two slots at once. It is laid when it is asked for.
    """

    def __init__(self, worker: Worker, tasks: list[OpenTask], shared: Timeline, step_s: int) -> None:
        self.line = shared.without(worker.absences) if worker.absences else shared
        self.calendar, self.rate = shared.calendar, worker.rate
        self._shared = shared
        self._worker = worker
        self._tasks = {task.id: task for task in tasks}
        self._step_s = step_s
        self._recency = (0, 0.0) if worker.last_assigned is None else (1, worker.last_assigned.timestamp())
        self._away = tuple(away for away in self.line.absences if away[1] > self.line.origin)
        self._lengths: dict[int, tuple[OpenTask, int, int]] = {}
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

    def offer(self, length_s: int, earliest: datetime) -> _Offer:
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
        if self.rate != 1:
            length_s = self._worker.own_s(length_s)
        starts, ends = self._shown_starts, self._shown_ends
        i = bisect_right(starts, position)
        if i and ends[i - 1] > position:
            position = ends[i - 1]
        while i < len(starts) and position + length_s > starts[i]:
            position = ends[i]
            i += 1
        return position + length_s

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
        if slot is None or self._length(self._tasks[task_id], slot) <= self._own_s(slot):
            return ()
        return tuple(away for away in self.line.absences if away[0] < slot[1] and away[1] > slot[0])

    def _lay(self) -> None:
        fixed: list[tuple[tuple[int, int, datetime, int], int]] = []  # from when, kind, plan and task; length
        waiting: dict[int, Span] = {}  # the slots of what waits beyond them
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
                length, start = self._measure(task, slot)
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
        if waiting:
            shown = united([*busy, *waiting.values()])
            self._shown_starts, self._shown_ends = ([span[place] for span in shown] for place in (0, 1))
        self._open_s = sum(self._worker.own_s(task.remaining_s) for task in self._tasks.values())
        self._offers: dict[tuple[int, datetime], _Offer] = {}
        self._is_laid = True

    def _measure(self, task: OpenTask, slot: Interval) -> tuple[int, int]:
        """How long a task with a slot is, and from which position on it lies: looked up once."""
        known = self._lengths.get(task.id)
        if known is None or known[0] is not task:
            known = self._lengths[task.id] = task, self._length(task, slot), self.line.worked(slot[0])
        return known[1:]

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
            free = self._first_free()
        worker = self._worker
        return PersonLoad(worker.id, worker.name, self._open_s, free, self._away, tuple(found), worker.terms)

    def _first_free(self) -> datetime:
        return self.line.start_at(self._ends[0] if self._starts[:1] == [0] else 0)

    def _reckon(self, length_s: int, earliest: datetime) -> _Offer:
        worker, length_s = self._worker, self._worker.own_s(length_s)
        who = worker.id, worker.name
        try:
            free = self._first_free()
            start, finish = self._earliest_gap(length_s, earliest)
        except NoWorkingTime as error:
            note = str(error)
            return None, Candidate(*who, None, None, None, self._open_s, self._away, note=note, terms=worker.terms)
        absent = tuple(away for away in self._away if away[0] < finish)
        rank = finish, *self.tie
        busy = self._starts[:1] == [0]
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


def _chosen(winner: Candidate, reason: str, candidates: Sequence[Candidate]) -> Choice:
    if winner.start is None or winner.finish is None:
        raise NoWorkingTime(_("{name} has no working time for it in the next six years").format(name=winner.name))
    listed = tuple(replace(one, chosen=True) if one is winner else one for one in candidates)
    return Choice(winner.id, winner.start, winner.finish, reason, listed)


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


def _whole(moment: datetime) -> datetime:
    """In UTC, rounded up to a whole second."""
    return (moment + timedelta(microseconds=-moment.microsecond % 1_000_000)).astimezone(UTC)
