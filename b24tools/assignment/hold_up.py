"""What holds an order up: which of its operations, and why that is not done sooner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import inf
from typing import NamedTuple

from b24tools.assignment.line_standing import LineStanding
from b24tools.assignment.plan import Rules
from b24tools.assignment.spans import find_lost, read_begin, read_end, wait_and_work
from b24tools.core.models import Status, Task
from b24tools.scheduling.calendar import Interval, Timeline
from b24tools.scheduling.workload import Workload
from b24tools.store.orders import OrderRow

# Why an order is not done sooner: the person is away, gone, or has other work before; the task is planned later than
# that person has time, behind its plan, deferred by somebody, with somebody outside production, whose time is not
# planned, was moved by hand, or given by hand to somebody who is done with it later; the order is accepted later; the
# task is not on the portal any more, not made yet, or simply takes that long
AWAY, GONE, BUSY, PLANNED, BEHIND, DEFERRED = "away", "gone", "busy", "planned", "behind", "deferred"
OUTSIDE, MOVED, GIVEN, ACCEPTED = "outside", "moved", "given", "accepted"
MISSING, UNWRITTEN, WORK = "missing", "unwritten", "work"


@dataclass(frozen=True)
class HoldUp:
    """What an order waits for: the operation, its person, one of the reasons above, and until when that lasts.

    That is known of an absence and of the acceptance. `until_time`: where it ends within the day.
    """

    position: str
    person: str | None
    reason: str
    until: date | None = None
    until_time: time | None = None


class _Cause(NamedTuple):
    """What holds an operation up: for how many working seconds, why, and until when, where that is known."""

    line: LineStanding
    held_s: float
    reason: str
    until: datetime | None = None


def find_hold_up(
    order: OrderRow,
    lines: Sequence[LineStanding],
    workload: Workload,
    rules: Rules,
    now: datetime,
    due: datetime | None,
) -> HoldUp | None:
    """Of the last operation and those it waits for, name the one that misses its plan by most.

    If all keep it, it is the one that takes longest with its wait for the person, or the wait for the acceptance, as in
    the answer to an order. Where the plan itself ends after `due`, from when on the order is not in time, that for
    which it waits is named if this takes longer than what was missed.
    """
    if order.unwritten or not lines:
        return HoldUp(order.unwritten[0] if order.unwritten else "", None, UNWRITTEN)
    missing = next((line.row for line in lines if line.task is None and not line.is_done), None)
    if missing is not None:
        return HoldUp(missing.position, None, MISSING if missing.task_id else UNWRITTEN)
    unfinished = [line for line in lines if not line.is_done]
    chain = [max(unfinished, key=lambda line: line.span[1] if line.span else datetime.max.replace(tzinfo=UTC))]
    while (after := chain[-1].after) is not None:
        chain.append(lines[after])
    look = _Look(lines, workload, rules, now)
    missed = [look.find_miss(line) for line in chain]
    is_planned_late = due is not None and any(line.planned_end and line.planned_end > due for line in unfinished)
    waits = [miss for miss in missed if miss.reason == ACCEPTED and is_planned_late]  # that is nobody's fault
    causes = [miss for miss in reversed(missed) if miss.reason != WORK and miss not in waits]
    planned = [(miss.held_s, miss) for miss in waits]
    if is_planned_late or not causes:
        planned += [pair for miss in missed for pair in look.list_planned(miss)]
    if causes:
        causes += [cause for _taken_s, cause in planned if cause.reason != WORK]
        cause = max(causes, key=lambda cause: cause.held_s)
    else:
        _taken_s, cause = max(planned, key=lambda pair: pair[0])
    name = cause.line.person.shown if cause.line.person and cause.reason != OUTSIDE else None
    read = read_begin if cause.reason == ACCEPTED else read_end
    until = read(cause.until, workload.calendar.zone) if cause.until else ()
    return HoldUp(cause.line.row.position, name, cause.reason, *until)


class _Delay(NamedTuple):
    """By how many working seconds an operation misses its plan, and the person's working time without absences.

    `end`: of its plan, before somebody moved it. `since`: from when on that is its own delay; `waits`: for the
    operation before it, or for the acceptance. `held_s`: how long it is planned too early for the acceptance.
    """

    task: Task
    span: Interval
    timeline: Timeline
    end: datetime
    since: datetime
    late_s: float
    waits: bool
    is_early: bool
    held_s: float


@dataclass(frozen=True)
class _Look:
    """A look at the lines of an order as they lie in the lanes."""

    lines: Sequence[LineStanding]
    workload: Workload
    rules: Rules
    now: datetime

    def list_planned(self, miss: _Cause) -> Iterator[tuple[float, _Cause]]:
        """Tell how long an operation takes with its wait, and what of that holds it up though it keeps its plan.

        The wait for the acceptance comes by itself. All in working seconds, as `Spans` says it in a promise.
        """
        line, task, span = miss.line, miss.line.task, miss.line.span
        if task is None or span is None:
            yield 0, _Cause(line, 0, WORK)
            return
        before = self.lines[line.after].span if line.after is not None else None
        since, accepted = max(self.now, before[1]) if before else self.now, _accepted(line)
        timeline = self.workload.usual_line(task.responsible_id, self.now)
        if accepted and since < accepted and not (task.start and task.start < accepted):
            held_s = min(timeline.worked(accepted) - timeline.worked(since), self._wait(line, since)[1])
            if held_s:
                yield held_s, _Cause(line, held_s, ACCEPTED, accepted)
        could = self.workload.calendar.round_up(max(since, line.accepted or since), self.rules.step_s)
        wait_s, work_s = wait_and_work(timeline, could, span)
        taken_s = wait_s + work_s
        missed_s = max(0, miss.held_s) if miss.reason != WORK else 0
        lost_s, away = find_lost(timeline, (could, span[1]), line.absences)
        gained_s = self._find_gain(line, timeline)
        others_s, idle_s = self._wait(line, could) if wait_s >= work_s else (0, 0)
        cause = _Cause(line, 0, WORK)
        if away and 2 * lost_s >= taken_s - missed_s:
            cause = _Cause(line, lost_s, AWAY, _end_of(away))
        elif gained_s and 2 * gained_s >= taken_s:
            cause = _Cause(line, gained_s, GIVEN)
        elif others_s or idle_s:
            cause = _Cause(line, wait_s - missed_s, PLANNED if idle_s > others_s else BUSY)
        yield taken_s, cause

    def find_miss(self, line: LineStanding) -> _Cause:
        """Tell by how much an operation misses its plan for reasons of its own, and why; `work`: for none."""
        task, span = line.task, line.span
        if line.is_deferred:
            return _Cause(line, inf, DEFERRED)
        if line.person is not None and not line.person.active:
            return _Cause(line, inf, GONE)
        if task is None:
            return _Cause(line, inf, MISSING)
        if span is None or task.end is None:
            held_s, reason = (inf, OUTSIDE) if span is None else (0, WORK)
            return _Cause(line, held_s, AWAY, _end_of(line.away)) if line.away else _Cause(line, held_s, reason)
        return self._explain(line, self._compare(line, task, span, task.end))

    def _compare(self, line: LineStanding, task: Task, span: Interval, end: datetime) -> _Delay:
        """Compare an operation with its plan. By what the one before it is late is not its own, nor is the acceptance.

        Without these it is reckoned from the plan's end, or what has passed of it would not count.
        """
        end = line.planned_end or end
        start = min(task.start or end, end)
        planned, could = end, end  # from where to its end was planned, and from where it can be
        before = self.lines[line.after] if line.after is not None else None
        if before is not None and before.span and before.planned_end:
            planned, could = min(before.planned_end, start), before.span[1]
        accepted, held_since = _accepted(line), start if before is None else max(start, could)
        is_early = accepted is not None and held_since < accepted
        if accepted and is_early:
            planned, could = start, accepted
        timeline = self.workload.usual_line(task.responsible_id, min(self.now, planned, start))
        worked = timeline.worked
        late_s = worked(span[1]) - worked(could) - (worked(end) - worked(planned))
        held_s = worked(accepted) - worked(held_since) if accepted and is_early else 0
        waits = before is not None or is_early
        return _Delay(task, span, timeline, end, could if waits else start, late_s, waits, is_early, held_s)

    def _explain(self, line: LineStanding, delay: _Delay) -> _Cause:
        """Say why an operation misses its plan.

        Whoever is absent under the plan, or for half of the rest or more, is away, whatever else there is to do.
        """
        task, late_s, worked = delay.task, delay.late_s, delay.timeline.worked
        is_held = delay.held_s > 0
        if delay.is_early and late_s <= 0:
            return _Cause(line, delay.held_s, ACCEPTED, line.accepted) if is_held else _Cause(line, late_s, WORK)
        planned_end = task.end or delay.end
        if under := [away for away in line.away if away[0] < planned_end]:
            return _Cause(line, late_s, AWAY, _end_of(under))
        if late_s <= 0:
            return _Cause(line, late_s, WORK)
        lost_s, away = self._find_unplanned(line, delay)
        if 2 * lost_s >= late_s:
            return _Cause(line, late_s, AWAY, _end_of(away))
        if is_held and delay.held_s >= late_s and self._is_held(line):
            return _Cause(line, delay.held_s, ACCEPTED, line.accepted)
        if 2 * (worked(planned_end) - worked(delay.end)) >= late_s:
            return _Cause(line, late_s, MOVED)
        if 2 * self._find_gain(line, delay.timeline) >= late_s:
            return _Cause(line, late_s, GIVEN)
        if planned_end <= self.now:
            return _Cause(line, late_s, BEHIND)
        since = delay.since if delay.waits else max(filter(None, (self.now, line.accepted, task.start)))
        others_s, idle_s = self._wait(line, since)
        if others_s and idle_s <= others_s:
            return _Cause(line, late_s, BUSY)
        is_behind = not delay.waits and task.start is not None and task.start < self.now
        return _Cause(line, late_s, BEHIND if is_behind else WORK)

    def _find_unplanned(self, line: LineStanding, delay: _Delay) -> tuple[float, tuple[Interval, ...]]:
        """Return how much of a delay is lost under absences around which it was not planned, and all that it meets."""
        task, since, end, line_of = delay.task, delay.since, delay.end, delay.timeline
        lost_s, away = find_lost(line_of, (since, delay.span[1]), line.absences)
        if away and since < end and task.estimate_s:
            work_s = self.workload.own_s(task.responsible_id, self.rules.work_s(line.row.position, task.estimate_s))
            around_s = max(0, line_of.worked(end) - line_of.worked(since) - work_s)
            lost_s -= min(around_s, find_lost(line_of, (since, end), line.absences)[0])
        return lost_s, away

    def _find_gain(self, line: LineStanding, timeline: Timeline) -> int:
        """Return by how much it would be done sooner by whom somebody took it from; 0 where nobody did, or not."""
        if line.taken_from is None or line.task is None or line.span is None:
            return 0
        end = self.workload.end_with(line.taken_from, line.task.responsible_id, line.task.id)
        return max(0, timeline.worked(line.span[1]) - timeline.worked(end)) if end else 0

    def _is_held(self, line: LineStanding) -> bool:
        """Whether it could be done sooner if its order were accepted."""
        return line.accepted is not None and (line.accepted <= self.now or self._wait(line, self.now)[1] > 0)

    def _wait(self, line: LineStanding, since: datetime) -> tuple[int, int]:
        """Return how long an operation waits from then on for other work of its person, and only for its slot."""
        if line.task is None:
            return 0, 0
        return self.workload.wait_of(line.task.responsible_id, line.lies_as or line.task.id, since)


def _accepted(line: LineStanding) -> datetime | None:
    """Return the moment before which its work does not begin, unless somebody has begun it."""
    return None if line.task and line.task.status == Status.IN_PROGRESS else line.accepted


def _end_of(absences: Sequence[Interval]) -> datetime:
    return max(end for _start, end in absences)
