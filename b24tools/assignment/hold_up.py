"""What holds an order up: which of its operations, and why that is not done sooner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from b24tools.assignment.plan import Rules
from b24tools.assignment.spans import find_absences, read_end, wait_and_work
from b24tools.core.models import Status
from b24tools.scheduling.calendar import Interval
from b24tools.scheduling.workload import Workload
from b24tools.store.orders import OrderRow

if TYPE_CHECKING:
    from b24tools.assignment.standing import LineStanding

# Why an order is not done sooner: the person is away, gone, or has other work before; the task is planned later than
# that person has time, behind its plan, deferred by somebody, with somebody outside production, whose time is not
# planned, was moved by hand, is not on the portal any more, not made yet, or simply takes that long
AWAY, GONE, BUSY, PLANNED, BEHIND, DEFERRED = "away", "gone", "busy", "planned", "behind", "deferred"
OUTSIDE, MOVED = "outside", "moved"
MISSING, UNWRITTEN, WORK = "missing", "unwritten", "work"


@dataclass(frozen=True)
class HoldUp:
    """What an order waits for: the operation, its person, one of the reasons above, and until when that lasts.

    `until_time`: where that ends within the day.
    """

    position: str
    person: str | None
    reason: str
    until: date | None = None
    until_time: time | None = None


def find_hold_up(
    order: OrderRow, lines: Sequence[LineStanding], workload: Workload, rules: Rules, now: datetime
) -> HoldUp | None:
    """Of the last operation and those it waits for, name the one that misses its plan by most.

    If all keep it, it is the one that takes longest with its wait for the person, as in the answer to an order.
    """
    if order.unwritten or not lines:
        return HoldUp(order.unwritten[0] if order.unwritten else "", None, UNWRITTEN)
    missing = next((line.row for line in lines if line.task is None and not line.is_done), None)
    if missing is not None:
        return HoldUp(missing.position, None, MISSING if missing.task_id else UNWRITTEN)
    unfinished = [line for line in lines if not line.is_done]
    line = max(unfinished, key=lambda line: line.span[1] if line.span else datetime.max.replace(tzinfo=UTC))
    chain = [line]
    while line.after is not None:
        line = lines[line.after]
        chain.append(line)
    judged = [(line, _judge(line, lines, workload, now)) for line in reversed(chain)]
    cannot = [(line, why) for line, why in judged if why.reason != WORK]
    if cannot:
        operation, (_late_s, reason, away) = max(cannot, key=lambda pair: pair[1].late_s)
    else:
        taken = [_wait_and_work(line, lines, workload, rules, now) for line in chain]
        operation, (wait_s, work_s, away) = max(zip(chain, taken, strict=True), key=lambda pair: sum(pair[1][:2]))
        reason = AWAY if away else WORK
        if not away and wait_s >= work_s:
            reason = _name_wait(operation, workload, _could_begin(operation, lines, workload, rules, now)) or WORK
    name = operation.person.shown if operation.person and reason != OUTSIDE else None
    until = read_end(max(end for _start, end in away), workload.calendar.zone) if reason == AWAY else ()
    return HoldUp(operation.row.position, name, reason, *until)


def _wait_and_work(
    line: LineStanding, lines: Sequence[LineStanding], workload: Workload, rules: Rules, now: datetime
) -> tuple[int, int, tuple[Interval, ...]]:
    """Return how long an operation waits for its person, how long it takes, and absences if these take most of that.

    As `Spans` does in a promise.
    """
    if line.task is None or line.span is None:
        return 0, 0, ()
    could = _could_begin(line, lines, workload, rules, now)
    timeline = workload.usual_line(line.task.responsible_id, now)
    wait_s, work_s = wait_and_work(timeline, could, line.span)
    return wait_s, work_s, find_absences(timeline, (could, line.span[1]), line.absences, wait_s + work_s)


def _could_begin(
    line: LineStanding, lines: Sequence[LineStanding], workload: Workload, rules: Rules, now: datetime
) -> datetime:
    """Return from when on an operation waits for nothing but its person and its slot."""
    before = lines[line.after].span if line.after is not None else None
    return workload.calendar.round_up(max(filter(None, (now, line.accepted, before and before[1]))), rules.step_s)


def _name_wait(line: LineStanding, workload: Workload, since: datetime) -> str | None:
    """Say for what an operation waits most from then on: other work of its person, or only its slot."""
    if line.task is None:
        return None
    others_s, idle_s = workload.wait_of(line.task.responsible_id, line.lies_as or line.task.id, since)
    return PLANNED if idle_s > others_s else BUSY if others_s else None


class _Verdict(NamedTuple):
    """By how many working seconds an operation misses its plan for reasons of its own; why, and the absences if so."""

    late_s: float
    reason: str
    away: tuple[Interval, ...] = ()


def _judge(line: LineStanding, lines: Sequence[LineStanding], workload: Workload, now: datetime) -> _Verdict:
    """Tell whether an operation keeps its plan. By what the one before it is late is not its own.

    Nor is the time until its order is accepted. Whoever is absent under the plan, or for half of the rest or more, is
    away, whatever else there is to do.
    """
    task, span = line.task, line.span
    if line.is_deferred:
        return _Verdict(inf, DEFERRED)
    if line.person is not None and not line.person.active:
        return _Verdict(inf, GONE)
    if task is None:
        return _Verdict(inf, MISSING)
    if span is None:
        return _Verdict(inf, AWAY, line.away) if line.away else _Verdict(inf, OUTSIDE)
    if task.end is None:
        return _Verdict(0, AWAY, line.away) if line.away else _Verdict(0, WORK)
    before = lines[line.after] if line.after is not None else None
    end = line.planned_end or task.end
    start = min(task.start or end, end)
    planned, could = end, end  # from where to its end was planned, and from where it can be
    if before is not None and before.span and before.planned_end:
        planned, could = min(before.planned_end, start), before.span[1]
    accepted = None if task.status == Status.IN_PROGRESS else line.accepted
    is_early = bool(accepted and start < accepted and (before is None or could < accepted))
    if accepted and is_early:
        planned, could = start, accepted
    timeline = workload.usual_line(task.responsible_id, min(now, planned, start))
    worked = timeline.worked
    late_s = worked(span[1]) - worked(could) - (worked(end) - worked(planned))
    if is_early and late_s <= 0:
        return _Verdict(late_s, WORK)
    if under := tuple(away for away in line.away if away[0] < task.end):
        return _Verdict(late_s, AWAY, under)
    since = max(task.end, could)
    if away := find_absences(timeline, (since, span[1]), line.absences, late_s):
        return _Verdict(late_s, AWAY, away)
    if 2 * (worked(task.end) - worked(end)) >= late_s > 0:
        return _Verdict(late_s, MOVED)
    if task.end <= now:
        return _Verdict(late_s, BEHIND)
    if late_s <= 0:
        return _Verdict(late_s, WORK)
    waits = before is not None or is_early
    since = could if waits else max(filter(None, (now, line.accepted, task.start)))
    if _name_wait(line, workload, since) == BUSY:
        return _Verdict(late_s, BUSY)
    is_behind = not waits and task.start is not None and task.start < now
    return _Verdict(late_s, BEHIND if is_behind else WORK)
