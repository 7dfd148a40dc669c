"""Orders as they stand: what is done, when the rest will be, and what holds it up. Reads; writes nothing.

All open work of the people concerned is laid on their lanes once, and operations that wait for others push what
comes after them, over all orders: so promises of different orders agree with each other and with `load`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from b24tools.assignment import portal_state, recovery
from b24tools.assignment.hold_up import HoldUp, find_hold_up
from b24tools.assignment.line_standing import LineStanding
from b24tools.assignment.plan import PlannedTask, Rules
from b24tools.assignment.planner import Planner
from b24tools.assignment.portal_state import PortalState, Questions
from b24tools.assignment.replan_writes import see_move
from b24tools.assignment.staffing import (
    ask_about,
    list_planned,
    not_known,
    read_handed_over,
    working_hours,
    workload_of,
)
from b24tools.assignment.tools import Tools
from b24tools.assignment.waiting import list_stages
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core.i18n import _
from b24tools.core.models import Person, Status, Task
from b24tools.core.names import mark_namesakes
from b24tools.core.timestamps import to_text
from b24tools.scheduling.calendar import Interval, NoWorkingTime, WorkCalendar
from b24tools.scheduling.lane import StagedTask
from b24tools.scheduling.workload import Workload
from b24tools.store.orders import ENDED_CANCELLED, LedgerTask, OrderRow, OurTask

MIDNIGHT = timedelta(microseconds=1)  # an end at 00:00 belongs to the day before

OPEN, AT_RISK, LATE, OVER = "open", "at_risk", "late", "done"


@dataclass(frozen=True)
class OrderStanding:
    """An order as it stands. `late_s`: calendar seconds from the end of the wanted day to `finish`, never negative.

    Where `finish` is not known, it is late as soon as one of its operations is.
    """

    row: OrderRow
    lines: tuple[LineStanding, ...]
    finish: datetime | None
    late_s: int
    state: str
    holds_up: HoldUp | None

    @property
    def done(self) -> int:
        """How many lines are finished; what a cancelled order left undone is not."""
        left = self.row.ended == ENDED_CANCELLED
        return sum(line.is_done and not line.is_put_off and not (left and line.task is None) for line in self.lines)

    @property
    def of(self) -> int:
        """How many lines there are."""
        return len(self.lines) + len(self.unlisted)

    @property
    def unlisted(self) -> list[str]:
        """The positions for which no task was made, of lines that are not even planned."""
        noted = Counter(line.row.position for line in self.lines if line.row.task_id is None)
        return [*(Counter(self.row.unwritten) - noted).elements()]

    def to_compare(self, calendar: WorkCalendar) -> dict[str, Any]:
        """Return what a change of the order is recognised by, and where else than noted tasks are, which is none."""
        day = (self.finish - MIDNIGHT).astimezone(calendar.zone).date().isoformat() if self.finish else None
        held = self.holds_up and [self.holds_up.position, self.holds_up.person, self.holds_up.reason]
        people = [line.task.responsible_id if line.task else None for line in self.lines]
        standing = {"state": self.state, "done": self.done, "finish": day, "holds_up": held, "people": people}
        unnoted = [line.is_moved_by_hand or line.is_write_unnoted for line in self.lines]
        moved = [line.task if is_unnoted else None for line, is_unnoted in zip(self.lines, unnoted, strict=True)]
        plans = [task and [to_text(task.start), to_text(task.end)] for task in moved]
        names = {  # of those whom `why` may not know
            str(line.task.responsible_id): line.person.name if line.person else line.task.responsible_name
            for line, is_unnoted in zip(self.lines, unnoted, strict=True)
            if line.task and (is_unnoted or line.task.responsible_id != line.row.responsible_id)
        }
        return standing | ({"plans": plans} if any(plans) else {}) | ({"names": names} if names else {})


@dataclass(frozen=True)
class Standings:
    """All orders that were asked for, over the open work of all people concerned."""

    orders: tuple[OrderStanding, ...]
    portal: PortalState
    company: OrgData
    calendar: WorkCalendar
    workload: Workload
    now: datetime
    warnings: tuple[str, ...]


def read_standings(tools: Tools, rules: Rules, orders: Sequence[OrderRow]) -> Standings:
    """Read how these orders stand. Raises PortalError and ConfigError as reading does.

    Those that are not asked for, but are not over, count as well: their operations may be what people have to do first.
    """
    open_orders = {row.id: row for row in tools.store.orders.list_open()}
    rows = tools.store.orders.lines([*open_orders.keys() | {row.id for row in orders}])
    company = tools.directory.company(with_files=False)
    questions = _questions(tools, rules, company, rows.values())
    asked_at = tools.clock.machine_clock()
    portal = portal_state.read_portal(tools.client, questions)
    if portal.server_now is not None:
        tools.clock.sync(portal.server_now, asked_at)
    tools.directory.remember_date_order(portal.date_order)
    portal, questions = read_handed_over(tools, rules, company, portal, questions, map(portal.of_line, rows.values()))
    calendar, warnings = working_hours(company, rules)
    now = tools.clock.now()
    people = mark_namesakes([*company.staff.people.values(), *portal.people.values()])
    ours = tools.store.orders.our_tasks([task.id for task in portal.open])
    lines: dict[str, list[LedgerTask]] = {}
    for row in rows.values():
        lines.setdefault(row.order_id, []).append(row)
    wanted = {**open_orders, **{row.id: row for row in orders}}
    read = {
        id_: [_read_line(row, order, portal, people) for row in sorted(lines.get(id_, ()), key=lambda row: row.line)]
        for id_, order in wanted.items()
    }
    read = {id_: [line for line in lines if not line.is_dropped] for id_, lines in read.items()}
    unnoted = [(line.task, line.row) for own in read.values() for line in own if line.task and line.is_write_unnoted]
    ours |= {task.id: OurTask(row.position, row.start, row.end) for task, row in unnoted}

    def lay(portal: PortalState) -> tuple[Workload, dict[str, list[LineStanding]]]:
        laid = workload_of(people.values(), portal, company, rules, calendar, now, our_tasks=ours, last_assigned={})
        return laid, _let_wait(read, laid, rules)

    workload, lines_by_order = lay(portal)
    ends = (line.span and line.span[1] for lines in lines_by_order.values() for line in lines)
    if (more := portal_state.read_more_absences(tools.client, portal, questions, ends)) is not portal:
        portal = more
        workload, lines_by_order = lay(portal)
    read = {id_: [_see_absence(line, portal, now) for line in lines] for id_, lines in lines_by_order.items()}
    standings = [_stand(row, read[row.id], workload, rules, now) for row in orders]
    warnings += not_known(company, portal)
    if not portal.owner.admin:
        warnings.append(_("the webhook's owner is not an administrator: people may be busier than they look"))
    return Standings(tuple(standings), portal, company, calendar, workload, now, tuple(warnings))


def stand_as_planned(
    planner: Planner, order: OrderRow, rows: Iterable[LedgerTask], plans: Sequence[PlannedTask]
) -> OrderStanding | None:
    """Tell how an order stands after its plans were written, with nothing read for it.

    None where that is not known: a line failed, was removed or taken up again, or its person's work was not asked for.
    """
    of_key = {plan.item.key: plan for plan in plans}
    lines = []
    for row in sorted(rows, key=lambda row: row.line):
        plan = of_key.get(row.key)
        if plan is None or plan.error or plan.task is None or plan.renews:
            return None
        task = replace(plan.task, start=plan.start, end=plan.end)
        line = LineStanding(
            row,
            task,
            planner.people.get(task.responsible_id),
            planner.spans.of(plan),
            is_cancelled=order.ended == ENDED_CANCELLED,
        )
        if not (line.span or line.is_done or line.is_deferred):
            return None
        number = plan.choice.number if plan.choice else None
        lines.append(replace(line, away=_lost(planner.workload, line), lies_as=number))
    lines = _link(lines, list_stages([line.row for line in lines], planner.rules))
    lines = [_see_absence(line, planner.portal, planner.now) for line in lines]
    return _stand(order, lines, planner.workload, planner.rules, planner.now)


def stand_with(
    standings: Standings, workload: Workload, tasks: Mapping[int, Task], rules: Rules
) -> tuple[OrderStanding, ...]:
    """Tell how the same orders stand over another workload, with these tasks as b24tools moves them."""
    people = mark_namesakes([*standings.company.staff.people.values(), *standings.portal.people.values()])

    def change(line: LineStanding) -> LineStanding:
        if line.task is None or (task := tasks.get(line.task.id)) is None:
            return replace(line, span=None, after=None)
        row = replace(line.row, responsible_id=task.responsible_id, start=task.start, end=task.end)
        person = people.get(task.responsible_id)
        taken_from = line.taken_from if line.task.responsible_id == task.responsible_id else None
        return replace(line, row=row, task=task, person=person, span=None, after=None, taken_from=taken_from)

    lines = {order.row.id: [change(line) for line in order.lines] for order in standings.orders}
    lines = _let_wait(lines, workload, rules)
    lines = {id_: [_see_absence(line, standings.portal, standings.now) for line in own] for id_, own in lines.items()}
    return tuple(_stand(order.row, lines[order.row.id], workload, rules, standings.now) for order in standings.orders)


def late_since(row: OrderRow, zone: tzinfo) -> datetime | None:
    """Return the moment from which an order is late: the midnight after the wanted day, or the wanted moment."""
    if row.wanted is None or row.wanted.time() != time.min:
        return row.wanted and row.wanted.astimezone(zone)
    return _midnight_after(row.wanted.date(), zone)  # of whatever zone it was sent in


def _midnight_after(day: date | None, zone: tzinfo) -> datetime | None:
    return datetime.combine(day + timedelta(days=1), time.min, zone) if day else None


def _questions(tools: Tools, rules: Rules, company: OrgData, rows: Collection[LedgerTask]) -> Questions:
    """Ask for all whose time is planned. Whatever else is shown, that goes by the open orders, as in `assign`."""
    workers = list_planned(company, rules, tools.store.orders.holders())
    people = {row.responsible_id for row in rows if row.responsible_id} | (workers - company.staff.people.keys())
    task_ids = {row.task_id for row in rows if row.task_id}
    more = {"task_ids": sorted(task_ids), "people": sorted(people), "named": True}
    return ask_about(tools, rules, company, workers, **more)


def _read_line(row: LedgerTask, order: OrderRow, portal: PortalState, people: Mapping[int, Person]) -> LineStanding:
    task = portal.of_line(row)
    person = people.get(task.responsible_id) if task else None
    was_over, is_cancelled = order.is_over or order.ended is not None, order.ended == ENDED_CANCELLED
    row = recovery.see_change(see_move(row, task), task)
    was_with = people.get(row.responsible_id or 0) if task and task.responsible_id != row.responsible_id else None
    taken_from = was_with.id if was_with and was_with.active else None
    return LineStanding(row, task, person, None, was_over=was_over, is_cancelled=is_cancelled, taken_from=taken_from)


def _let_wait(
    read: Mapping[str, list[LineStanding]], workload: Workload, rules: Rules
) -> dict[str, list[LineStanding]]:
    """Hold back what waits for operations before it, until all orders agree; then take the spans off the lanes."""
    stages = {id_: list_stages([line.row for line in lines], rules) for id_, lines in read.items()}
    workload.let_wait(
        [
            StagedTask(stage, line.task.responsible_id, line.task.id, line.accepted)
            for line, stage in zip(lines, stages[id_], strict=True)
            if line.task is not None
        ]
        for id_, lines in read.items()
    )
    lines_by_order = {}
    for id_, lines in read.items():
        spans = [replace(line, span=_span(workload, line), away=_lost(workload, line)) for line in lines]
        lines_by_order[id_] = _link(spans, stages[id_])
    return lines_by_order


def _link(lines: Sequence[LineStanding], stages: Sequence[int | None]) -> list[LineStanding]:
    """Tell of each line for which one it waits, and whether it is known until when."""
    waits_for = [_last_before(lines, stages, number) for number in range(len(lines))]
    return [
        replace(line, after=after, is_uncertain=after is not None and lines[after].span is None)
        for line, after in zip(lines, waits_for, strict=True)
    ]


def _last_before(lines: Sequence[LineStanding], stages: Sequence[int | None], number: int) -> int | None:
    """Find the operation of a lower stage that ends last, perhaps nobody knows when; None: it waits for nothing."""
    task, stage = lines[number].task, stages[number]
    if task is None or task.status == Status.IN_PROGRESS or stage is None:
        return None
    ends = {
        place: span[1] if (span := line.span) else datetime.max.replace(tzinfo=UTC)
        for place, (line, other) in enumerate(zip(lines, stages, strict=True))
        if other is not None and other < stage and not (line.is_done or line.is_dropped)
    }
    return max(ends, key=ends.__getitem__, default=None)


def _span(workload: Workload, line: LineStanding) -> Interval | None:
    """When a line is worked on. Not known while its task is with somebody who has left, and keeps it in the lane."""
    if line.task is None or line.is_done or (line.person and not line.person.active):
        return None
    try:
        return workload.span_of(line.task.responsible_id, line.task.id)
    except NoWorkingTime:
        return None


def _lost(workload: Workload, line: LineStanding) -> tuple[Interval, ...]:
    if line.task is None or line.is_done:
        return ()
    return workload.lost_under_absences(line.task.responsible_id, line.task.id)


def _see_absence(line: LineStanding, portal: PortalState, now: datetime) -> LineStanding:
    """Add to a line the absences of its person that are not over; to one that is behind its plan that which lasts."""
    line = replace(line, away=tuple(absence for absence in line.away if absence[1] > now))
    if line.task is not None:
        absences = portal.absences.get(line.task.responsible_id, ())
        line = replace(line, absences=tuple((absence.start, absence.end) for absence in absences if absence.end > now))
    if line.away or line.task is None or line.is_done or line.task.end is None or line.task.end > now:
        return line
    return replace(line, away=tuple(absence for absence in line.absences if absence[0] <= now))


def _stand(row: OrderRow, lines: list[LineStanding], workload: Workload, rules: Rules, now: datetime) -> OrderStanding:
    zone = workload.calendar.zone
    ends = [line.span[1] for line in lines if line.span]
    closed = [line.task.closed_at for line in lines if line.task and line.is_done and line.task.closed_at]
    is_written = not row.unwritten and bool(lines or row.outcome)
    is_over = all(line.is_done for line in lines) and (is_written or row.ended is not None)
    is_known = all(line.span or line.is_done for line in lines) and is_written
    finish = max([*closed, *ends], default=None) if is_known else None
    late_from = late_since(row, zone)
    late_s = max(0, int((finish - late_from).total_seconds())) if finish and late_from else 0
    standing = OrderStanding(row, tuple(lines), finish, late_s, OPEN, None)
    if is_over:
        return replace(standing, state=OVER)
    day = (finish - MIDNIGHT).astimezone(zone).date() if finish else None
    is_late = late_from is not None and max([finish or now, *ends, *closed]) > late_from
    is_at_risk = not is_known or (day is not None and row.promised_first is not None and day > row.promised_first)
    if not (is_late or is_at_risk):
        return standing
    due = late_from if is_late else _midnight_after(row.promised_first, zone)
    holds_up = find_hold_up(row, lines, workload, rules, now, due)
    return replace(standing, state=LATE if is_late else AT_RISK, holds_up=holds_up)
