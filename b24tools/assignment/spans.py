"""When the work of plans is done, with all that stands before it, and what may be promised of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from b24tools.assignment.plan import COMPLETE, PlannedTask, Rules, late_from
from b24tools.assignment.report import Bottleneck, Promise
from b24tools.core.i18n import _
from b24tools.core.models import DONE, OPEN_WORK, Absence, Person, Status, Task
from b24tools.onec import order as onec_order
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Timeline, WorkCalendar
from b24tools.scheduling.workload import Workload, remaining_s


@dataclass(frozen=True)
class Spans:
    """Where the work of plans lies, read off the lanes."""

    rules: Rules
    calendar: WorkCalendar
    now: datetime
    workload: Workload
    people: Mapping[int, Person]
    absences: Mapping[int, Sequence[Absence]]

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
        """When its work is done, where that is known."""
        span = self.of(plan)
        return span[1] if span else None

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
        return text.format(name=self.people[task.responsible_id].name, id=task.id)

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
        spans = {plan.item.key: span for plan in plans if (span := self.of(plan))}
        ends = [end for __, end in spans.values()]
        longer = [(end, line) for line in left if (end := self.end_of_task(line[1].responsible_id, line[1].id))]
        ready, since = max([*ends, *(end for end, __ in longer)], default=None), late_from(order)
        if ready is None:
            return None
        last = None if ready in ends else next(line for end, line in longer if end == ready)
        return Promise(
            ready=ready,
            day=read_end(ready, self.calendar.zone)[0],
            late_s=Timeline(self.calendar, (), since).worked(ready) if since else 0,
            bottleneck=self._name_left(*last) if last else self._bottleneck(plans, spans),
        )

    def _name_left(self, position: str, task: Task) -> Bottleneck | None:
        """Return how long an operation takes that the order has no longer, and that ends last."""
        span = self.workload.span_of(task.responsible_id, task.id)
        return self._weigh(position, task.responsible_id, self.now, span) if span else None

    def _bottleneck(self, plans: Sequence[PlannedTask], spans: Mapping[str, Interval]) -> Bottleneck | None:
        """Return, of the last operation and those it had to wait for, the one that takes longest; as `standing` does.

        Work begins on whole steps: up to the next one nothing waits.
        """
        last: PlannedTask | None = max(
            (plan for plan in plans if plan.item.key in spans), key=lambda plan: spans[plan.item.key][1]
        )
        operations: list[Bottleneck] = []
        while last is not None:
            person_id = last.responsible[0] if last.responsible else 0
            could, span = max(last.not_before or self.now, self.now), spans.get(last.item.key, (self.now, self.now))
            operations.append(self._weigh(last.item.line.position, person_id, could, span))
            last = last.after
        return max(operations, key=lambda operation: operation.wait_s + operation.work_s, default=None)

    def _weigh(self, position: str, person_id: int, could: datetime, span: Interval) -> Bottleneck:
        """Return how long an operation waits that could begin then, and how long it takes."""
        timeline = Timeline(self.workload.calendar_of(person_id), (), self.workload.now)
        could = self.calendar.round_up(could, self.rules.step_s)
        wait_s, work_s = wait_and_work(timeline, could, span)
        away = [(absence.start, absence.end) for absence in self.absences.get(person_id, ())]
        lost = find_absences(timeline, (could, span[1]), away, wait_s + work_s)
        person = self.people.get(person_id)
        until = read_end(max(end for __, end in lost), self.calendar.zone) if lost else ()
        return Bottleneck(position, wait_s, work_s, person.name if person else None, *until)


def read_end(end: datetime, zone: ZoneInfo) -> tuple[date, time | None]:
    """Return the last day of something, and the time where it ends within that; at midnight it is the day before."""
    local = end.astimezone(zone)
    day = (end - timedelta(microseconds=1)).astimezone(zone).date()
    return day, local.time() if local.time() != time() else None


def find_absences(
    timeline: Timeline, span: Interval, absences: Iterable[Interval], taken_s: float
) -> tuple[Interval, ...]:
    """Return the absences in a span, if half of the seconds that were taken or more are lost under them.

    The timeline is the person's without any.
    """
    inside = tuple(sorted(absence for absence in absences if absence[0] < span[1] and absence[1] > span[0]))
    there = timeline.without(inside)
    lost_s = sum((line.worked(span[1]) - line.worked(span[0])) * sign for line, sign in ((timeline, 1), (there, -1)))
    return inside if lost_s > 0 and 2 * lost_s >= taken_s else ()


def wait_and_work(timeline: Timeline, could: datetime, span: Interval) -> tuple[int, int]:
    """Return the working seconds from when an operation could begin until it does, and from then until it is done."""
    earliest, start, end = map(timeline.worked, (could, *span))
    return max(0, start - earliest), end - start


def is_held_up(plan: PlannedTask) -> bool:
    """Whether its task, not begun yet, has to wait for another operation or for its order, whatever the plan says."""
    if plan.not_before is None or plan.task is None:
        return False
    return plan.task.status != Status.IN_PROGRESS and (plan.start is None or plan.start < plan.not_before)
