"""Who is free when, and who finishes a piece of work first.

Each person's open tasks lie on that person's own timeline as busy spans of working seconds, so a
gap between two of them may cross nights, breaks and vacations. They are laid when the person is
first considered, and an offer is reckoned again only after the person was given something.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from b24tools.core.i18n import _
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Span, Timeline, WorkCalendar, united

UNKNOWN_ESTIMATE_S = 3600


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task somebody still works on. `ours`: made by b24tools, its plan is a slot kept free for it."""

    id: int
    responsible_id: int
    remaining_s: int
    start: datetime | None = None
    end: datetime | None = None
    ours: bool = False

    @property
    def slot(self) -> Interval | None:
        """The time kept free for it; None for work that only has to be done sometime."""
        return (self.start, self.end) if self.ours and self.start and self.end else None


@dataclass(frozen=True)
class Worker:
    """A person who may be given work. `last_assigned`: when b24tools last did."""

    id: int
    name: str
    absences: tuple[Interval, ...] = ()
    last_assigned: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a person offers for a piece of work; times are UTC.

    `free` is the person's first moment with nothing to do, `start` and `finish` where this work
    would lie (all None: there is no working time left for it, and `note` says so); `open_s` the open
    work before this; `absent` the absences between now and the finish; `busy`: there is work to do at once.
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


@dataclass(frozen=True, slots=True)
class DayLoad:
    """One day of a person: working seconds that are taken, and how many there are; of today what is left."""

    day: date
    busy_s: int
    work_s: int


@dataclass(frozen=True)
class PersonLoad:
    """What a person has to do; times are UTC. `free` None: not within six years."""

    id: int
    name: str
    open_s: int
    free: datetime | None
    absences: tuple[Interval, ...]
    days: tuple[DayLoad, ...]


@dataclass(frozen=True)
class Choice:
    """Who does it, when (UTC), and why.

    `reason`: "first" (to finish), of those who finish at once "less_open" work, "least_recent"
    assignment, "lower_id"; "only" one was there; "pinned". `candidates`: the best first, those who cannot last.
    `margin_s`: how much more work the chosen one could have had and still be the first.
    """

    responsible_id: int
    start: datetime
    finish: datetime
    reason: str
    candidates: tuple[Candidate, ...]
    margin_s: int | None = None


_REASONS = ("first", "less_open", "least_recent", "lower_id")
_Rank = tuple[datetime, int, tuple[int, float], int]
_Offer = tuple[_Rank | None, Candidate]


def remaining_s(estimate_s: int | None, spent_s: int | None, step_s: int) -> int:
    """Seconds of work left in a task: never below one step, an hour where there is no estimate."""
    left = estimate_s - (spent_s or 0) if estimate_s else UNKNOWN_ESTIMATE_S
    return max(left, step_s)


class Workload:
    """The open work of some people as of `now`, to which new work is added as it is given out.

    Whatever `choose`, `pin` and `extend` decide counts for the decisions after it. Tasks of people
    who are not among the workers do not matter. Lengths and steps are seconds; starts lie on whole
    steps of the calendar's wall clock.
    """

    def __init__(
        self, calendar: WorkCalendar, now: datetime, workers: Iterable[Worker], tasks: Iterable[OpenTask], step_s: int
    ) -> None:
        self.calendar = calendar
        self.now = _whole(now)
        self._step_s = step_s
        self._shared = Timeline(calendar, (), self.now)
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
        end = Timeline(self.calendar, lane.line.absences, start).end_at(length_s)
        return end, lane.move(ignore_task, (start, end), length_s)

    def load(self, worker_id: int, days: int) -> PersonLoad:
        """The person's open work and the next `days` days, today the first. Raises KeyError as `choose`."""
        return self._lane(worker_id).load(days)

    def rest_ends(self, worker_id: int, length_s: int, not_before: datetime | None = None) -> datetime:
        """When so much work of a task is done at the earliest, whatever else there is. Raises NoWorkingTime."""
        line = self._lane(worker_id).line if worker_id in self._workers else self._shared
        return line.end_at(line.worked(self._earliest(not_before)) + length_s)

    def _earliest(self, not_before: datetime | None) -> datetime:
        return self.now if not_before is None else max(self.now, _whole(not_before))

    def _lane(self, worker_id: int) -> _Lane:
        lane = self._lanes.get(worker_id)
        if lane is None:
            worker = self._workers[worker_id]
            lane = self._lanes[worker_id] = _Lane(worker, self._tasks[worker_id], self._shared, self._step_s)
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
        self._given += 1
        self._lane(winner.id).give((winner.start, winner.finish), length_s, self._given)
        listed = tuple(replace(one, chosen=True) if one is winner else one for one in candidates)
        return Choice(winner.id, winner.start, winner.finish, reason, listed)


class _Lane:
    """One person's open work, as busy spans of positions on the person's timeline, in order, none touching."""

    def __init__(self, worker: Worker, tasks: list[OpenTask], shared: Timeline, step_s: int) -> None:
        self.line = shared.without(worker.absences) if worker.absences else shared
        self._worker = worker
        self._tasks = tasks
        self._step_s = step_s
        self._recency = (0, 0.0) if worker.last_assigned is None else (1, worker.last_assigned.timestamp())
        self._open_s = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._offers: dict[tuple[int, datetime], _Offer] = {}
        self._lay()

    def offer(self, length_s: int, earliest: datetime) -> _Offer:
        """The rank and the candidate; no rank where there is no working time for it."""
        key = length_s, earliest
        offer = self._offers.get(key)
        if offer is None:
            offer = self._offers[key] = self._reckon(length_s, earliest)
        return offer

    def give(self, slot: Interval, length_s: int, turn: int) -> None:
        """Take the slot that was offered, as the `turn`-th piece of work given out."""
        self._tasks.append(OpenTask(-turn, self._worker.id, length_s, *slot, ours=True))
        self._recency = 2, turn
        self._open_s += length_s
        self._offers = {}
        start, end = self._span(slot)
        i = bisect_left(self._starts, start)
        if i and self._ends[i - 1] == start:
            i -= 1
            start = self._starts.pop(i)
            del self._ends[i]
        if i < len(self._starts) and self._starts[i] == end:
            del self._starts[i]
            end = self._ends.pop(i)
        self._starts.insert(i, start)
        self._ends.insert(i, end)

    def move(self, task_id: int, slot: Interval, length_s: int) -> bool:
        """Put a task, known or not, into another slot; whether that meets one of ours there."""
        left = length_s
        for i, task in enumerate(self._tasks):
            if task.id == task_id:
                del self._tasks[i]
                if task.start and task.end:  # what changed of its length is what changed of its remainder
                    before = Timeline(self.line.calendar, self.line.absences, task.start).worked(task.end)
                    left = min(max(task.remaining_s + length_s - before, self._step_s), length_s)
                break
        others = [other.slot for other in self._tasks if other.slot and other.slot[1] > self.line.origin]
        self._tasks.append(OpenTask(task_id, self._worker.id, left, *slot, ours=True))
        self._lay()
        return any(start < slot[1] and end > slot[0] for start, end in others)

    def _lay(self) -> None:
        """Slots of ours where they are; all other work poured into what is free from now or its start on."""
        slots: list[Span] = []
        loose: list[tuple[int, int]] = []
        for task in self._tasks:
            slot = task.slot
            if slot and slot[1] > self.line.origin:
                slots.append(self._span(slot))
            else:
                loose.append((self.line.worked(task.start) if task.start else 0, task.remaining_s))
        busy = _pour(united(slots), loose)
        self._starts = [start for start, _end in busy]
        self._ends = [end for _start, end in busy]
        self._open_s = sum(task.remaining_s for task in self._tasks)
        self._offers = {}

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
        return PersonLoad(self._worker.id, self._worker.name, self._open_s, free, away, tuple(found))

    def _first_free(self) -> datetime:
        return self.line.start_at(self._ends[0] if self._starts[:1] == [0] else 0)

    def _span(self, slot: Interval) -> Span:
        return self.line.worked(slot[0]), self.line.worked(slot[1])

    def _reckon(self, length_s: int, earliest: datetime) -> _Offer:
        worker = self._worker
        absent = tuple(away for away in self.line.absences if away[1] > self.line.origin)
        try:
            free = self._first_free()
            start, finish = self._earliest_gap(length_s, earliest)
        except NoWorkingTime as error:
            return None, Candidate(worker.id, worker.name, None, None, None, self._open_s, absent, note=str(error))
        absent = tuple(away for away in absent if away[0] < finish)
        rank = finish, self._open_s, self._recency, worker.id
        busy = self._starts[:1] == [0]
        return rank, Candidate(worker.id, worker.name, free, start, finish, self._open_s, absent, busy=busy)

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


def _pour(slots: list[Span], loose: list[tuple[int, int]]) -> list[Span]:
    """The slots, and loose work (from when, how long) on the first free seconds between and after them."""
    busy = list(slots)
    position = i = 0
    for earliest, length in sorted(loose):
        position = max(position, earliest)
        while length > 0:
            while i < len(slots) and slots[i][1] <= position:
                i += 1
            if i < len(slots) and slots[i][0] <= position:
                position = slots[i][1]
                continue
            taken = length if i == len(slots) else min(length, slots[i][0] - position)
            busy.append((position, position + taken))
            position += taken
            length -= taken
    return united(busy)


def _whole(moment: datetime) -> datetime:
    """In UTC, rounded up to a whole second."""
    return (moment + timedelta(microseconds=-moment.microsecond % 1_000_000)).astimezone(UTC)
