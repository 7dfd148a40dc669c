"""Who is free when, who finishes a piece of work first, and when everything is done.

Each person has one lane. Choices, ends and loads are read off the lanes, which are laid when a person is first
considered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import repeat
from typing import Any, NamedTuple

from b24tools.core.i18n import _
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Span, Timeline, WorkCalendar
from b24tools.scheduling.lane import (
    Candidate,
    Lane,
    Layout,
    Offer,
    OpenTask,
    PersonLoad,
    PersonTime,
    Rank,
    Slot,
    StagedTask,
    Worker,
)

UNKNOWN_ESTIMATE_S = 3600
MOST_ROUNDS = 50  # of operations that wait for one another; each goes through all orders


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


class _Asked(NamedTuple):
    """When each of some people may be done with a piece of work, and of so many what they offer."""

    layouts: list[Layout]
    ends: list[int | None]
    offers: dict[int, list[Offer]]


_REASONS = ("first", "less_open", "least_recent", "lower_id")


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
        self._times: dict[int, PersonTime] = {}
        self._asked: dict[tuple[tuple[int, ...], int, datetime], _Asked] = {}
        self._fill(tasks)

    def _fill(self, tasks: Iterable[OpenTask]) -> None:
        self._tasks: dict[int, list[OpenTask]] = {worker_id: [] for worker_id in self._workers}
        self._lanes: dict[int, Lane] = {}
        self._crews: dict[tuple[int, ...], list[Lane]] = {}
        self._given = 0
        self._saved: dict[int, tuple[Any, ...]] | None = None  # lanes as they were before a trial
        for task in tasks:
            if task.responsible_id in self._tasks:
                self._tasks[task.responsible_id].append(task)

    def with_tasks(self, tasks: Iterable[OpenTask]) -> Workload:
        """The same people with other work; what lies as it did before is not reckoned again."""
        other = copy(self)
        other._fill(tasks)
        return other

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
            line = self.line_of(ranked[0][1].id)
            margin_s = line.worked(second[0]) - line.worked(best[0])
        candidates = [candidate for _rank, candidate in ranked] + unable
        return replace(_chosen(ranked[0][1], reason, candidates), margin_s=margin_s)

    def soonest(self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None = None) -> datetime:
        """Tell before when none of them can have finished the work. Raises as `choose`."""
        ids, earliest = tuple(worker_ids), self._earliest(not_before)
        ends = [end for end in self._ask(ids, length_s, earliest).ends if end is not None]
        if not ends:
            raise NoWorkingTime
        return self._usual.end_at(min(ends))

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
        end = Timeline(lane.time.line.calendar, lane.time.line.absences, start).end_at(own_s)
        return end, lane.move(ignore_task, (start, end), length_s if left_s is None else left_s)

    def load(self, worker_id: int, days: int) -> PersonLoad:
        """The person's open work and the next `days` days, today the first. Raises KeyError as `choose`."""
        return self._lane(worker_id).layout.load(days)

    def hold(self, worker_id: int, task_id: int, until: datetime | None) -> bool:
        """Let a task wait for another operation where it is planned sooner, and push what it meets; whether it moves.

        One that is begun waits for nothing. Nothing for a task that is not in the lane.
        """
        return worker_id in self._workers and self._lane_to_change(worker_id).hold(task_id, until)

    def let_wait(self, orders: Iterable[Sequence[StagedTask]]) -> None:
        """Let operations wait for those of lower stages of their order, until nothing changes over all orders."""
        staged = [
            sorted((one.stage, one.worker_id, one.task_id) for one in order if one.stage is not None)
            for order in orders
        ]
        staged = [order for order in staged if order and order[0][0] != order[-1][0]]
        settled: list[list[Layout]] = [[] for _order in staged]  # the lanes with which an order had nothing to change
        for _round in range(MOST_ROUNDS):
            count = 0
            for number, order in enumerate(staged):
                layouts = [self._lane(one).layout for _stage, one, _task in order if one in self._workers]
                if settled[number] != layouts:
                    held = self._let_order_wait(order)
                    settled[number] = [] if held else layouts
                    count += held
            if not count:
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
                if end := self.end_of(worker_id, task_id):
                    ends[stage] = max(end, ends.get(stage, end))
        return count

    def put(self, task: OpenTask) -> None:
        """Lay a task into its person's lane. Nothing for one of a person who is no worker."""
        if task.responsible_id in self._workers:
            self._lane_to_change(task.responsible_id).put(task)

    def take_out(self, worker_id: int, task_id: int) -> OpenTask | None:
        """Take a task out of a lane, and return it as it lay there; None where it is not in the lane."""
        return self._lane_to_change(worker_id).take_out(task_id) if worker_id in self._workers else None

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Take back at the end what `put`, `take_out` and `hold` change meanwhile."""
        self._saved = {}
        try:
            yield
        finally:
            saved, self._saved = self._saved, None
            for worker_id, state in saved.items():
                self._lanes[worker_id].restore(state)

    def find(self, worker_id: int, task_id: int) -> OpenTask | None:
        """Return a task as it lies in a lane; None where it is not there."""
        return self._lane(worker_id).find(task_id) if worker_id in self._workers else None

    def spans(self, worker_id: int) -> Mapping[int, Span]:
        """Return where each task lies in a lane, in the person's working seconds from now."""
        return self._lane(worker_id).layout.spans if worker_id in self._workers else {}

    def line_of(self, worker_id: int) -> Timeline:
        """Return a person's working time. Raises KeyError as `choose`."""
        return self._lane(worker_id).time.line

    def span_of(self, worker_id: int, task_id: int) -> Interval | None:
        """Return when a task is begun, or gone on with, and done; None where it is in no lane. Raises NoWorkingTime."""
        return self._lane(worker_id).layout.span_of(task_id) if worker_id in self._workers else None

    def end_of(self, worker_id: int, task_id: int) -> datetime | None:
        """Return when a task is done; None where it is in no lane. Raises NoWorkingTime."""
        return self._lane(worker_id).layout.end_of(task_id) if worker_id in self._workers else None

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
        return self._lane(worker_id).layout.list_tasks()

    def slots_between(self, worker_id: int, start: datetime, end: datetime) -> list[Slot]:
        """List what a person does in this time, in that sequence. Raises KeyError as `choose`."""
        return self._lane(worker_id).layout.slots_between(start, end)

    def _earliest(self, not_before: datetime | None) -> datetime:
        return self.now if not_before is None else max(self.now, _whole(not_before))

    def _lane(self, worker_id: int) -> Lane:
        lane = self._lanes.get(worker_id)
        if lane is None:
            lane = self._lanes[worker_id] = Lane(self._time_of(worker_id), self._tasks[worker_id])
        return lane

    def _time_of(self, worker_id: int) -> PersonTime:
        time = self._times.get(worker_id)
        if time is None:
            calendar = self.calendar_of(worker_id)
            if id(calendar) not in self._timelines:
                self._timelines[id(calendar)] = Timeline(calendar, (), self.now)
            shared = self._timelines[id(calendar)]
            time = self._times[worker_id] = PersonTime(self._workers[worker_id], shared, self._step_s)
        return time

    def _crew(self, ids: tuple[int, ...]) -> list[Lane]:
        crew = self._crews.get(ids)
        if crew is None:
            crew = self._crews[ids] = [self._lane(worker_id) for worker_id in dict.fromkeys(ids)]
        return crew

    def _lane_to_change(self, worker_id: int) -> Lane:
        lane = self._lane(worker_id)
        if self._saved is not None and worker_id not in self._saved:
            self._saved[worker_id] = lane.save()
        return lane

    def _ranked(
        self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None, most: int | None = None
    ) -> tuple[list[tuple[Rank, Candidate]], list[Candidate]]:
        if length_s <= 0:
            raise ValueError(f"work of {length_s} s")
        earliest = self._earliest(not_before)
        ids = tuple(worker_ids)
        if most is None:
            offers = [lane.layout.offer(length_s, earliest) for lane in self._crew(ids)]
        else:
            asked = self._ask(ids, length_s, earliest)
            if most not in asked.offers:
                asked.offers[most] = self._best_offers(asked, length_s, earliest, most)
            offers = asked.offers[most]
        ranked = sorted((rank, candidate) for rank, candidate in offers if rank is not None)
        return ranked, [candidate for rank, candidate in offers if rank is None]

    def _ask(self, ids: tuple[int, ...], length_s: int, earliest: datetime) -> _Asked:
        """When each of these people may be done; who has been asked before is asked again if something has changed."""
        key = ids, length_s, earliest
        layouts = [lane.layout for lane in self._crew(ids)]
        known = self._asked.get(key)
        if known is None or known.layouts != layouts:
            position = self._usual.worked(earliest)
            before = zip(known.layouts, known.ends, strict=True) if known else repeat((None, None))
            ends = [
                end if layout is old else self._soonest_end(layout, length_s, earliest, position)
                for layout, (old, end) in zip(layouts, before, strict=False)
            ]
            known = self._asked[key] = _Asked(layouts, ends, {})
        return known

    def _best_offers(self, asked: _Asked, length_s: int, earliest: datetime, most: int) -> list[Offer]:
        """The offers of those who may be the first.

        None finishes before the gap's own end; and of those who are always there, and have the same gap, none
        before the first one by open work, unless that one's gap turns out to be too short for a whole step.
        """
        by_end: dict[int | None, list[Layout]] = {}
        for layout, soonest in zip(asked.layouts, asked.ends, strict=True):
            by_end.setdefault(soonest, []).append(layout)
        unable = by_end.pop(None, [])
        offers: list[Offer] = []
        best: int | None = None
        for end in sorted(end for end in by_end if end is not None):
            if best is not None and end > best and len(offers) >= most:
                break
            is_settled = False
            for layout in sorted(by_end[end], key=lambda layout: layout.tie):
                is_usual = layout.line is self._usual and layout.time.is_usual
                if is_settled and is_usual and len(offers) >= most:
                    continue
                offer = layout.offer(length_s, earliest)
                offers.append(offer)
                if offer[0] is not None:
                    finish = self._usual.worked(offer[0][0])
                    best = finish if best is None else min(best, finish)
                    if is_usual and finish == self._usual.aligned_start(end - length_s, self._step_s)[0] + length_s:
                        is_settled = True
        return offers + [layout.offer(length_s, earliest) for layout in unable[: max(0, most - len(offers))]]

    def _soonest_end(self, layout: Layout, length_s: int, earliest: datetime, position: int) -> int | None:
        """Where in everybody's time this person may be done at the earliest; `position` is that of `earliest` there."""
        if layout.line is self._usual:
            return layout.gap_end(length_s, position)
        end = layout.gap_end(length_s, layout.line.worked(earliest))
        if layout.line.calendar is self.calendar:
            return layout.line.shared_end(end)
        try:
            return self._usual.worked(layout.line.end_at(end))
        except NoWorkingTime:
            return None

    def _give(self, choice: Choice, length_s: int) -> Choice:
        self._given -= 1  # numbers of tasks are positive
        self._lane(choice.responsible_id).give((choice.start, choice.finish), length_s, self._given)
        return replace(choice, number=self._given)


def _chosen(winner: Candidate, reason: str, candidates: Sequence[Candidate]) -> Choice:
    if winner.start is None or winner.finish is None:
        raise NoWorkingTime(_("{name} has no working time for it in the next six years").format(name=winner.name))
    listed = tuple(replace(one, chosen=True) if one is winner else one for one in candidates)
    return Choice(winner.id, winner.start, winner.finish, reason, listed)


def _whole(moment: datetime) -> datetime:
    """In UTC, rounded up to a whole second."""
    return (moment + timedelta(microseconds=-moment.microsecond % 1_000_000)).astimezone(UTC)
