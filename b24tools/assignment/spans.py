"""When the work of plans is done, with all that stands before it, and what may be promised of that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from b24tools.assignment.plan import COMPLETE, PlannedTask, Rules, late_from
from b24tools.assignment.report import CHANGED_NOTHING, Bottleneck, Promise, TaskResult
from b24tools.core.i18n import _
from b24tools.core.models import DONE, OPEN_WORK, Absence, Person, Status, Task
from b24tools.onec import order as onec_order
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Timeline, WorkCalendar
from b24tools.scheduling.workload import Workload, remaining_s


class _Operation(NamedTuple):
    """An operation as it lies in the lane of a person, by this number there. `key`: the line's, or the task's id."""

    key: str | int
    position: str
    person_id: int
    number: int
    span: Interval
    is_begun: bool


@dataclass(frozen=True)
class Spans:
    """Where the work of plans lies, read off the lanes."""

    rules: Rules
    calendar: WorkCalendar
    now: datetime
    workload: Workload
    people: Mapping[int, Person]
    absences: Mapping[int, Sequence[Absence]]
    _uncertain: set[int] = field(default_factory=set)
    _waits: dict[str | int, list[str | int]] = field(default_factory=dict)

    def end_of(self, plan: PlannedTask) -> datetime | None:
        """When its work is done, with all that stands before it; None for finished, failed and unplanned work.

        Of work that somebody has who has left, when it would have been: what waits for it is not planned before that.
        """
        span = self._lying(plan)
        return span[1] if span else None

    def of(self, plan: PlannedTask) -> Interval | None:
        """When its work begins, or goes on, and when it is done, as the person's lane has it; None as in `end_of`.

        None also while somebody has it who has left.
        """
        return None if plan.choice is None and plan.task and self.is_with_leaver(plan.task) else self._lying(plan)

    def ready_at(self, plan: PlannedTask) -> datetime | None:
        """When its work is done; None where that is not known, or the end of what it waits for."""
        span = None if plan.is_uncertain else self.of(plan)
        return span[1] if span else None

    def report(self, plan: PlannedTask, *, dry_run: bool) -> TaskResult:
        """Return what there is to say of a line of an order."""
        person = self.people.get(plan.responsible[0]) if plan.responsible else None
        result = plan.to_result(dry_run=dry_run)
        return replace(result, ready=self.ready_at(plan), person=person.shown if person else "")

    def report_left(self, position: str, task: Task) -> TaskResult:
        """Say of the task of a line that its order no longer has that it was left alone."""
        person, is_unknown = self.people.get(task.responsible_id), self.is_outside(task) or task.id in self._uncertain
        return TaskResult(
            position=position,
            outcome=CHANGED_NOTHING,
            task_id=task.id,
            title=task.title,
            responsible=(task.responsible_id, task.responsible_name),
            person=person.shown if person else "",
            start=task.start,
            end=task.end,
            ready=None if is_unknown else self.end_of_task(task.responsible_id, task.id),
            deadline=task.deadline,
            estimate_s=task.estimate_s,
            warnings=(_("the order no longer has this line: its task was left"),),
        )

    def look_at_left(
        self, left: Sequence[tuple[int | None, Task | None]], plans: Sequence[tuple[int, PlannedTask]]
    ) -> None:
        """Note what waits for what, with tasks of lines that an order has no longer; with stages.

        And which of these wait for what nobody knows the end of.
        """
        lying = [(stage, task) for stage, task in left if task is not None and stage is not None]
        keys: list[tuple[int, str | int, Task | None]] = [(stage, plan.item.key, plan.task) for stage, plan in plans]
        keys += [(stage, task.id, task) for stage, task in lying]
        for stage, key, task in keys:
            if task is None or task.status != Status.IN_PROGRESS:
                self._waits[key] = [other for earlier, other, _task in keys if earlier < stage]
        for stage, task in lying:
            before = [plan for earlier, plan in plans if earlier < stage]
            if self.is_uncertain(task, before, [other for earlier, other in lying if earlier < stage]):
                self._uncertain.add(task.id)

    def is_uncertain(self, task: Task | None, before: Iterable[PlannedTask], left: Iterable[Task]) -> bool:
        """Whether it waits for what nobody knows the end of; `left`: tasks of lines that its order has no longer."""
        if task is not None and task.status == Status.IN_PROGRESS:
            return False
        return any(map(self._is_open_ended, before)) or any(map(self.is_outside, left))

    def _is_open_ended(self, plan: PlannedTask) -> bool:
        if plan.is_put_off:
            return not plan.item.order.cancelled
        is_laid = plan.choice is not None or (plan.task is not None and plan.task.status not in DONE)
        return is_laid and plan.error is None and plan.action != COMPLETE and self.of(plan) is None

    def _lying(self, plan: PlannedTask) -> Interval | None:
        task, choice = plan.task, plan.choice
        if plan.error is not None or plan.action == COMPLETE or plan.is_put_off:
            return None
        try:
            if choice is not None:
                return self.workload.span_of(choice.responsible_id, choice.number)
            if task is None or task.status in DONE:
                return None
            if (span := self.workload.span_of(task.responsible_id, task.id)) or self.is_unknown(plan):
                return span
            return self._span_outside(plan, task)
        except NoWorkingTime:
            return None

    def is_unknown(self, plan: PlannedTask) -> bool:
        """Whether somebody was handed its task whose time is not planned, or somebody who has left has it."""
        task = plan.task
        if task is None or not task.is_open or plan.choice or plan.error or plan.action == COMPLETE:
            return False
        if self.is_with_leaver(task) and not plan.is_put_off:
            return True
        is_laid = self.workload.find(task.responsible_id, task.id) is not None
        return not (is_laid or plan.renews or plan.is_put_off)

    def end_of_task(self, person_id: int, task_id: int) -> datetime | None:
        """When a task is done, as its person's lane has it."""
        with suppress(NoWorkingTime):
            if span := self.workload.span_of(person_id, task_id):
                return span[1]
        return None

    def finish(
        self, order: onec_order.Order, plans: Sequence[PlannedTask], left: Sequence[tuple[str, Task]]
    ) -> datetime | None:
        """When all of the order is done, or was; `left`: tasks of lines that it has no longer, with their positions.

        None where that cannot be known: a line has failed, somebody has put a task off, or it is with somebody outside
        production or gone.
        """
        ends = []
        for plan in plans:
            if plan.error is not None or (plan.is_put_off and not order.cancelled) or self.is_unknown(plan):
                return None
            if plan.task is not None and plan.task.status in DONE:
                ends.append(plan.task.closed_at)
            elif not plan.is_put_off and plan.action != COMPLETE:
                ends.append(self.end_of(plan) or plan.end)
        if not order.done and any(self.is_outside(task) for __, task in left):
            return None
        ends += [self.end_of_task(task.responsible_id, task.id) for __, task in left]
        return max(filter(None, ends), default=None)

    def is_outside(self, task: Task) -> bool:
        """Whether somebody has a task to do whose time is not planned, or who has left."""
        is_laid = self.workload.find(task.responsible_id, task.id) is not None
        return task.status in OPEN_WORK and (not is_laid or self.is_with_leaver(task))

    def is_with_leaver(self, task: Task) -> bool:
        """Whether somebody who does not work there any more has a task."""
        person = self.people.get(task.responsible_id)
        return person is not None and not person.active

    def list_unknown(self, plans: Sequence[PlannedTask], left: Sequence[tuple[str, Task]]) -> list[str]:
        """Say of what it is not known when it is done; what plans say of people who have left is not said again."""
        tasks = [(plan.item.line.position, plan.task) for plan in plans if plan.task and self.is_unknown(plan)]
        unknown = [(position, task) for position, task in tasks if not self.is_with_leaver(task)]
        return [
            f"{position}: {self._describe_unknown(task)}"
            for position, task in [*unknown, *(pair for pair in left if self.is_outside(pair[1]))]
        ]

    def _describe_unknown(self, task: Task) -> str:
        if not self.is_with_leaver(task):
            return _("the task was given to somebody outside production: when it is done is not known")
        text = _("{name} does not work there any more: task {id} waits for somebody else")
        return text.format(name=self.people[task.responsible_id].shown, id=task.id)

    def _span_outside(self, plan: PlannedTask, task: Task) -> Interval:
        """The span of a task that will be renewed: as planned, or now."""
        if plan.start and plan.end and plan.end > self.now and not is_held_up(plan):
            return plan.start, plan.end
        line = Timeline(self.calendar, (), self.workload.now)
        start = line.worked(plan.not_before) if plan.not_before else 0
        work_s = self.rules.work_s(plan.item.line.position, plan.estimate_s)
        left_s = remaining_s(work_s, task.spent_s, self.rules.step_s)
        return line.start_at(start), line.end_at(start + left_s)

    def promise(
        self, order: onec_order.Order, plans: Sequence[PlannedTask], left: Sequence[tuple[str, Task]]
    ) -> Promise | None:
        """What may be promised of the order whose plans these are; `left`: as in `finish`.

        None where nothing is left to do, or 1C has ended the order; where a line has failed, somebody has put it off,
        has it outside production, or who has left has it, it cannot be known.
        """
        if order.done or order.cancelled or any(plan.error or plan.is_put_off for plan in plans):
            return None
        if any(map(self.is_unknown, plans)) or any(self.is_outside(task) for __, task in left):
            return None
        operations = {one.key: one for one in self._list_lying(plans, left)}
        ready, since = max((one.span[1] for one in operations.values()), default=None), late_from(order)
        if ready is None:
            return None
        return Promise(
            ready=ready,
            day=read_end(ready, self.calendar.zone)[0],
            late_s=Timeline(self.calendar, (), since).worked(ready) if since else 0,
            bottleneck=self._find_bottleneck(operations, order.accepted),
        )

    def _list_lying(self, plans: Sequence[PlannedTask], left: Sequence[tuple[str, Task]]) -> Iterator[_Operation]:
        """List the operations that are not done as they lie in the lanes."""
        for plan in plans:
            if span := self.of(plan):
                number = plan.choice.number if plan.choice else plan.task.id if plan.task else 0
                person_id = plan.responsible[0] if plan.responsible else 0
                is_begun = plan.task is not None and plan.task.status == Status.IN_PROGRESS
                yield _Operation(plan.item.key, plan.item.line.position, person_id, number, span, is_begun)
        for position, task in left:
            with suppress(NoWorkingTime):
                if span := self.workload.span_of(task.responsible_id, task.id):
                    is_begun = task.status == Status.IN_PROGRESS
                    yield _Operation(task.id, position, task.responsible_id, task.id, span, is_begun)

    def _find_bottleneck(self, lying: Mapping[str | int, _Operation], accepted: datetime | None) -> Bottleneck | None:
        """Return, of the last operation and those it had to wait for, the one that takes longest; as `standing` does.

        Or the wait until the order is accepted. Work begins on whole steps: up to the next one nothing waits.
        """
        last: _Operation | None = max(lying.values(), key=lambda one: one.span[1])
        found: list[tuple[int, Bottleneck]] = []
        while last is not None:
            waits_for = [lying[key] for key in self._waits.get(last.key, ()) if key in lying]
            before = max(waits_for, key=lambda one: one.span[1], default=None)
            since = max(self.now, before.span[1]) if before else self.now
            could = since if accepted is None or last.is_begun else max(since, accepted)
            own = self._weigh(last, could)
            if since < could:
                found.append(self._weigh_acceptance(last, own, since, could))
            found.append((own.wait_s + own.work_s, own))
            last = before
        return max(found, key=lambda pair: pair[0])[1]

    def _weigh_acceptance(
        self, operation: _Operation, own: Bottleneck, since: datetime, accepted: datetime
    ) -> tuple[int, Bottleneck]:
        """Return how much sooner an operation could be done if its order were accepted, and how long it waits so."""
        timeline = Timeline(self.workload.calendar_of(operation.person_id), (), self.workload.now)
        wait_s = timeline.worked(accepted) - timeline.worked(since)
        _others_s, idle_s = self.workload.wait_of(operation.person_id, operation.number, since)
        named = Bottleneck(own.position, wait_s, own.wait_s + own.work_s, own.person, accepted=accepted)
        return min(wait_s, idle_s), named

    def _weigh(self, operation: _Operation, could: datetime) -> Bottleneck:
        """Return how long an operation waits if it could begin then, and how long it takes."""
        _key, position, person_id, number, span, _is_begun = operation
        timeline = Timeline(self.workload.calendar_of(person_id), (), self.workload.now)
        could = self.calendar.round_up(could, self.rules.step_s)
        wait_s, work_s = wait_and_work(timeline, could, span)
        away = [(absence.start, absence.end) for absence in self.absences.get(person_id, ())]
        lost_s, lost = find_lost(timeline, (could, span[1]), away)
        person = self.people.get(person_id)
        is_away = bool(lost) and 2 * lost_s >= wait_s + work_s
        day, hour = read_end(max(end for __, end in lost), self.calendar.zone) if is_away else (None, None)
        others_s, idle_s = self.workload.wait_of(person_id, number, could)
        return Bottleneck(position, wait_s, work_s, person.shown if person else None, day, hour, idle_s > others_s)


def read_begin(moment: datetime, zone: ZoneInfo) -> tuple[date, time | None]:
    """Return the day on which something begins, and the time where that is not midnight."""
    local = moment.astimezone(zone)
    return local.date(), local.time() if local.time() != time() else None


def read_end(end: datetime, zone: ZoneInfo) -> tuple[date, time | None]:
    """Return the last day of something, and the time where it ends within that; at midnight it is the day before."""
    local = end.astimezone(zone)
    return (end - timedelta(microseconds=1)).astimezone(zone).date(), local.time() if local.time() != time() else None


def find_lost(timeline: Timeline, span: Interval, absences: Iterable[Interval]) -> tuple[int, tuple[Interval, ...]]:
    """Return how many working seconds of a span are lost under absences, and which these are; none where that is 0.

    The timeline is the person's without any.
    """
    inside = tuple(sorted(absence for absence in absences if absence[0] < span[1] and absence[1] > span[0]))
    there = timeline.without(inside)
    lost_s = sum((line.worked(span[1]) - line.worked(span[0])) * sign for line, sign in ((timeline, 1), (there, -1)))
    return (lost_s, inside) if lost_s > 0 else (0, ())


def wait_and_work(timeline: Timeline, could: datetime, span: Interval) -> tuple[int, int]:
    """Return the working seconds from when an operation could begin until it does, and from then until it is done."""
    earliest, start, end = map(timeline.worked, (could, *span))
    return max(0, start - earliest), end - start


def is_held_up(plan: PlannedTask) -> bool:
    """Whether its task, not begun yet, has to wait for another operation or for its order, whatever the plan says."""
    if plan.not_before is None or plan.task is None:
        return False
    return plan.task.status != Status.IN_PROGRESS and (plan.start is None or plan.start < plan.not_before)
