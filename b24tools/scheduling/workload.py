"""Who is free when, who finishes a piece of work first, and when everything is done.

Each person has one lane. Choices, ends and loads are read off the lanes, which are laid when a person is first
considered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from b24tools.core.i18n import _
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Span, Timeline, WorkCalendar
from b24tools.scheduling.lane import Candidate, Lane, Offer, OpenTask, PersonLoad, Rank, Slot, StagedTask, Worker

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
        # none can be quicker than whoever has time at once
        self._is_even = all(
            one.rate <= 1 and (one.calendar is None or one.calendar is calendar) for one in self._workers.values()
        )
        self._tasks: dict[int, list[OpenTask]] = {worker_id: [] for worker_id in self._workers}
        self._lanes: dict[int, Lane] = {}
        self._given = 0
        self._saved: dict[int, dict[str, Any]] | None = None  # lanes as they were before a trial
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
        return worker_id in self._workers and self._lane_to_change(worker_id).hold(task_id, until)

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

    def _lane(self, worker_id: int) -> Lane:
        lane = self._lanes.get(worker_id)
        if lane is None:
            worker, calendar = self._workers[worker_id], self.calendar_of(worker_id)
            if id(calendar) not in self._timelines:
                self._timelines[id(calendar)] = Timeline(calendar, (), self.now)
            shared = self._timelines[id(calendar)]
            lane = self._lanes[worker_id] = Lane(worker, self._tasks[worker_id], shared, self._step_s)
        return lane

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
        lanes = [self._lane(worker_id) for worker_id in dict.fromkeys(worker_ids)]
        if most is None:
            offers = [lane.offer(length_s, earliest) for lane in lanes]
        else:
            offers = self._best_offers(lanes, length_s, earliest, most)
        ranked = sorted((rank, candidate) for rank, candidate in offers if rank is not None)
        return ranked, [candidate for rank, candidate in offers if rank is None]

    def _best_offers(self, lanes: Sequence[Lane], length_s: int, earliest: datetime, most: int) -> list[Offer]:
        """The offers of those who may be the first.

        None finishes before the gap's own end; and of those who are always there, and have the same gap, none
        before the first one by open work, unless that one's gap turns out to be too short for a whole step.
        """
        position = self._usual.worked(earliest)
        by_end: dict[int | None, list[Lane]] = {}
        for lane in lanes:
            usual = lane.line is self._usual
            end = lane.gap_end(length_s, position) if usual else self._soonest_end(lane, length_s, earliest, position)
            by_end.setdefault(end, []).append(lane)
        unable = by_end.pop(None, [])
        offers: list[Offer] = []
        best: int | None = None
        for end in sorted(end for end in by_end if end is not None):
            if best is not None and end > best and len(offers) >= most:
                break
            is_settled = False
            for lane in sorted(by_end[end], key=lambda lane: lane.tie):
                is_usual = lane.line is self._usual and lane.is_usual
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

    def _soonest_end(self, lane: Lane, length_s: int, earliest: datetime, position: int) -> int | None:
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


def _chosen(winner: Candidate, reason: str, candidates: Sequence[Candidate]) -> Choice:
    if winner.start is None or winner.finish is None:
        raise NoWorkingTime(_("{name} has no working time for it in the next six years").format(name=winner.name))
    listed = tuple(replace(one, chosen=True) if one is winner else one for one in candidates)
    return Choice(winner.id, winner.start, winner.finish, reason, listed)


def _whole(moment: datetime) -> datetime:
    """In UTC, rounded up to a whole second."""
    return (moment + timedelta(microseconds=-moment.microsecond % 1_000_000)).astimezone(UTC)
