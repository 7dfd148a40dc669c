"""Who is free when, who finishes a piece of work first, and when everything is done.

Each person has one lane. Choices, ends and loads are read off the lanes, which are laid when a person is first
considered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cached_property
from typing import Any

from b24tools.scheduling.calendar import MINUTE_S, Interval, NoWorkingTime, Span, Timeline, WorkCalendar, whole_minute
from b24tools.scheduling.lane import (
    Lane,
    Layout,
    OpenTask,
    PersonLoad,
    PersonTime,
    Slot,
    StagedTask,
    Worker,
)
from b24tools.scheduling.tender import Choice, Tender

UNKNOWN_ESTIMATE_S = 3600
MOST_ROUNDS = 50  # of operations that wait for one another; each goes through all orders


def remaining_s(estimate_s: int | None, spent_s: int | None, step_s: int) -> int:
    """Seconds of work left in a task: never below one step, an hour where there is no estimate.

    A minute that was begun is spent.
    """
    spent_s = -(-(spent_s or 0) // MINUTE_S) * MINUTE_S
    left = estimate_s - spent_s if estimate_s else UNKNOWN_ESTIMATE_S
    return max(left, step_s)


class _Crew:
    """People who are asked together. `tenders`: by length and when the work may begin."""

    def __init__(self, lanes: dict[int, Lane], tenders: dict[tuple[int, datetime], Tender]) -> None:
        self.lanes, self.tenders = lanes, tenders
        self.changed: set[int] = set()
        self._layouts = {worker_id: lane.layout for worker_id, lane in lanes.items()}
        self._seen = list(self._layouts.values())

    def look(self) -> list[Layout]:
        """How their lanes lie: the same list as long as nothing has changed."""
        if self.changed:
            self._layouts |= {worker_id: self.lanes[worker_id].layout for worker_id in self.changed}
            self._seen = list(self._layouts.values())
            self.changed.clear()
        return self._seen


class Workload:
    """The open work of some people as of the minute of `now`, to which new work is added as it is given out.

    Whatever `choose`, `pin`, `extend` and `hold` decide counts for the decisions after it. Tasks of people
    who are not among the workers do not matter. Lengths and steps are seconds, lengths at rate 1; starts lie on whole
    steps of the calendar's wall clock. Loads and open work are in the seconds of the person.
    """

    def __init__(
        self, calendar: WorkCalendar, now: datetime, workers: Iterable[Worker], tasks: Iterable[OpenTask], step_s: int
    ) -> None:
        self.calendar = calendar
        self.now, self._soonest = whole_minute(now.astimezone(UTC)), _whole(now)
        self._step_s = step_s
        self._usual = Timeline(calendar, (), self.now)
        self._timelines = {id(calendar): self._usual}  # by the id of the calendar, which the workers keep alive
        self._usual_lines: dict[tuple[int, datetime], Timeline] = {}  # likewise, by their origins
        self._workers = {worker.id: worker for worker in workers}
        self._times: dict[int, PersonTime] = {}
        self._tenders: dict[tuple[int, ...], dict[tuple[int, datetime], Tender]] = {}
        self._fill(tasks)

    def _fill(self, tasks: Iterable[OpenTask]) -> None:
        self._tasks: dict[int, list[OpenTask]] = {worker_id: [] for worker_id in self._workers}
        self._lanes: dict[int, Lane] = {}
        self._crews: dict[tuple[int, ...], _Crew] = {}
        self._crews_of: dict[int, list[_Crew]] = {}
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

    def weigh(self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None = None) -> Choice:
        """Find out who of them finishes the work first; it is given to none of them.

        Raises NoWorkingTime if none of them can, KeyError for one who is not a worker.
        """
        return self._offer(worker_ids, length_s, not_before).choose()

    def offer(self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None = None) -> Tender:
        """Offer the work to these people, who answer by their lanes as they lie now. Raises KeyError as `weigh`."""
        crew, key = self._crew(tuple(worker_ids)), (length_s, self._earliest(not_before))
        layouts, tender = crew.look(), crew.tenders.get(key)
        if tender is None or tender.layouts != layouts:
            tender = crew.tenders[key] = Tender(self._usual, layouts, *key, tender)
        return tender

    def is_room(self, work_s: int, since: datetime, until: datetime) -> bool:
        """Whether so much work could be done between two moments by whoever has nothing else to do."""
        return not self._is_usual_pace or work_s <= self._usual.worked(until) - self._usual.worked(since)

    @cached_property
    def _is_usual_pace(self) -> bool:
        return all(worker.calendar is None and worker.rate <= 1 for worker in self._workers.values())

    def pin(
        self, worker_id: int, length_s: int, not_before: datetime | None = None, worker_ids: Iterable[int] = ()
    ) -> Choice:
        """Give the work to this person; `worker_ids` are listed beside. Raises as `choose`."""
        return self._give(self._offer([worker_id, *worker_ids], length_s, not_before).pin(worker_id), length_s)

    def extend(
        self, worker_id: int, start: datetime, length_s: int, ignore_task: int, left_s: int | None = None
    ) -> tuple[datetime, bool]:
        """The new end of the task `ignore_task` whose minutes changed, and whether it meets another slot.

        The start stays, also one in the past. Only slots of ours are met: work without one gives
        way. From here on the task occupies the new slot; `left_s` is left of it, by default all.
        Raises NoWorkingTime, and KeyError as `choose`.
        """
        lane = self._lane_to_change(worker_id)
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
        held = self._lane(worker_id).held(task_id, until) if worker_id in self._workers else None
        if held:
            self._lane_to_change(worker_id).put(held)
        return held is not None

    def let_wait(self, orders: Iterable[Sequence[StagedTask]]) -> None:
        """Let operations wait for those of lower stages of their order, until nothing changes over all orders.

        And for the moment from which their order is accepted.
        """
        staged = [sorted(order, key=_sequence) for order in orders if self._is_waiting(order)]
        lying = {task.worker_id: self.spans(task.worker_id) for order in staged for task in order}
        numbers = {task.task_id: number for number, order in enumerate(staged) for task in order}
        changed = set(range(len(staged)))  # orders of which something may have moved since they were looked at
        for _round in range(MOST_ROUNDS):
            for number, order in enumerate(staged):
                if number in changed:
                    changed.discard(number)
                    self.settle(order)
                    for _stage, worker_id, _task, _accepted in order:
                        before, now = lying[worker_id], self.spans(worker_id)
                        if now is not before:
                            lying[worker_id] = now
                            moved = {task_id for task_id, _span in now.items() - before.items()}
                            changed.update([numbers[task_id] for task_id in moved & numbers.keys()])
            if not changed:
                return

    def _is_waiting(self, order: Sequence[StagedTask]) -> bool:
        """Whether a task of an order has to wait for another one, or for its order to be accepted."""
        stages = {task.stage for task in order if task.stage is not None}
        return len(stages) > 1 or any(task.accepted and task.accepted > self.now for task in order)

    def settle(self, operations: Iterable[StagedTask]) -> datetime | None:
        """Hold the operations of an order, which come in the sequence of their stages; tell when the last one ends."""
        before: datetime | None = None  # when the lower stages end
        staged: datetime | None = None  # when all stages end that were looked at
        finish: datetime | None = None
        last_stage: int | None = None
        for stage, worker_id, task_id, accepted in operations:
            if stage != last_stage:
                before, last_stage = staged, stage
            if worker_id not in self._workers:
                continue
            lane = self._lane(worker_id)
            if held := lane.held(task_id, max(filter(None, (before, accepted)), default=None)):
                self._lane_to_change(worker_id).put(held)
            try:
                end = lane.layout.end_of(task_id)
            except NoWorkingTime:
                continue
            if end is not None:
                finish = end if finish is None or end > finish else finish
                if stage is not None:
                    staged = end if staged is None or end > staged else staged
        return finish

    def put(self, task: OpenTask) -> None:
        """Lay a task into its person's lane. Nothing for one of a person who is no worker."""
        if task.responsible_id in self._workers:
            self._lane_to_change(task.responsible_id).put(task)

    def take_out(self, worker_id: int, task_id: int) -> OpenTask | None:
        """Take a task out of a lane, and return it as it lay there; None where it is not in the lane."""
        return self._lane_to_change(worker_id).take_out(task_id) if self.find(worker_id, task_id) else None

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
                self._look_again(worker_id)

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

    def begins_later(self, task: OpenTask, moment: datetime) -> bool:
        """Whether a planned task really begins at this moment or later; its plan may have passed."""
        if task.start is None:
            return False
        try:
            span = self.span_of(task.responsible_id, task.id)
        except NoWorkingTime:
            return True
        return max(task.start, span[0] if span else task.start) >= whole_minute(moment)

    def end_of(self, worker_id: int, task_id: int) -> datetime | None:
        """Return when a task is done; None where it is in no lane. Raises NoWorkingTime."""
        return self._lane(worker_id).layout.end_of(task_id) if worker_id in self._workers else None

    def lost_under_absences(self, worker_id: int, task_id: int) -> tuple[Interval, ...]:
        """Return the absences under which working time of the task's slot is lost."""
        return self._lane(worker_id).absences_over(task_id) if worker_id in self._workers else ()

    def wait_of(self, worker_id: int, task_id: int, since: datetime) -> tuple[int, int]:
        """Return how long a task waits from then on for other work of its person, and how long only for its slot.

        In working seconds of the person: by the latter it could be done sooner if it did not have that slot.
        """
        if self.find(worker_id, task_id) is None:
            return 0, 0
        lane = self._lane(worker_id)
        (start, end), position = lane.layout.spans[task_id], lane.time.line.worked(since)
        wait_s = max(0, start - position)
        if not wait_s or lane.layout.gap_end(1, position) > start:  # nothing is free before it
            return wait_s, 0
        with self.trial():
            task = self.take_out(worker_id, task_id)
            sooner_s = end - lane.layout.gap_end(task.remaining_s, position) if task else 0
        idle_s = min(wait_s, max(0, sooner_s))
        return wait_s - idle_s, idle_s

    def end_with(self, other_id: int, worker_id: int, task_id: int) -> datetime | None:
        """Return when a task would be done if another person had it; None where that person has no time for it."""
        if other_id not in self._workers:
            return None
        with self.trial():
            task = self.take_out(worker_id, task_id)
            if task is None:
                return None
            self.put(replace(task, responsible_id=other_id))
            with suppress(NoWorkingTime):
                return self.end_of(other_id, task_id)
        return None

    def own_s(self, worker_id: int, work_s: int) -> int:
        """Return how long work takes a person."""
        worker = self._workers.get(worker_id)
        return worker.own_s(work_s) if worker else work_s

    def rate_of(self, worker_id: int) -> Fraction:
        """Return how much work a person does in an hour."""
        worker = self._workers.get(worker_id)
        return worker.rate if worker else Fraction(1)

    def calendar_of(self, worker_id: int) -> WorkCalendar:
        """Return a person's own calendar, or everybody's."""
        worker = self._workers.get(worker_id)
        return (worker and worker.calendar) or self.calendar

    def usual_line(self, worker_id: int, since: datetime) -> Timeline:
        """Return the working time of a person who is never away, from this moment or a little before; shared by all."""
        calendar = self.calendar_of(worker_id)
        origin = since.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        line = self._usual_lines.get((id(calendar), origin))
        if line is None:
            line = self._usual_lines[id(calendar), origin] = Timeline(calendar, (), origin)
        return line

    def tasks_of(self, worker_id: int) -> list[tuple[OpenTask, Interval]]:
        """List a person's open tasks with when they are done, in that sequence. Raises KeyError as `choose`."""
        return self._lane(worker_id).layout.list_tasks()

    def slots_between(self, worker_id: int, start: datetime, end: datetime) -> list[Slot]:
        """List what a person does in this time, in that sequence. Raises KeyError as `choose`."""
        return self._lane(worker_id).layout.slots_between(start, end)

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

    def _offer(self, worker_ids: Iterable[int], length_s: int, not_before: datetime | None) -> Tender:
        return Tender(self._usual, self._crew(tuple(worker_ids)).look(), length_s, self._earliest(not_before))

    def _earliest(self, not_before: datetime | None) -> datetime:
        return self._soonest if not_before is None else max(self._soonest, _whole(not_before))

    def _crew(self, ids: tuple[int, ...]) -> _Crew:
        crew = self._crews.get(ids)
        if crew is None:
            lanes = {worker_id: self._lane(worker_id) for worker_id in ids}
            crew = self._crews[ids] = _Crew(lanes, self._tenders.setdefault(ids, {}))
            for worker_id in lanes:
                self._crews_of.setdefault(worker_id, []).append(crew)
        return crew

    def _lane_to_change(self, worker_id: int) -> Lane:
        lane = self._lane(worker_id)
        if self._saved is not None and worker_id not in self._saved:
            self._saved[worker_id] = lane.save()
        self._look_again(worker_id)
        return lane

    def _look_again(self, worker_id: int) -> None:
        for crew in self._crews_of.get(worker_id, ()):
            crew.changed.add(worker_id)

    def _give(self, choice: Choice, length_s: int) -> Choice:
        self._given -= 1  # numbers of tasks are positive
        self._lane_to_change(choice.responsible_id).give((choice.start, choice.finish), length_s, self._given)
        return replace(choice, number=self._given)


def _sequence(task: StagedTask) -> tuple[bool, int]:
    """Those without a stage come first."""
    return task.stage is not None, task.stage or 0


def _whole(moment: datetime) -> datetime:
    """In UTC, rounded up to a whole second."""
    return (moment + timedelta(microseconds=-moment.microsecond % 1_000_000)).astimezone(UTC)
