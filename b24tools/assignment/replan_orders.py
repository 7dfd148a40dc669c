"""What a replan may move: the open orders with their operations, and why one stays or has to go."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf

from b24tools.assignment import recovery
from b24tools.assignment.ledger import MOVE
from b24tools.assignment.line_standing import LineStanding
from b24tools.assignment.plan import Rules
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.replan_moves import AWAY, GONE, UNFINISHED, WITHOUT, Move, OpenOrder, Operation
from b24tools.assignment.staffing import list_open_tasks, list_workers
from b24tools.assignment.standing import OrderStanding, Standings, late_since
from b24tools.assignment.waiting import list_stages
from b24tools.core.models import Absence, Person
from b24tools.core.org_structure import Match, Staff
from b24tools.scheduling.calendar import Interval, NoWorkingTime, Timeline
from b24tools.scheduling.lane import OpenTask, StagedTask, Worker
from b24tools.scheduling.workload import Workload
from b24tools.store import Store
from b24tools.store.orders import LedgerTask

# Why an operation stays that should move: it is begun, pinned to its person or the fallback, in a flow; somebody has
# touched its task; its last write was never answered, the database was restored, or 1C has ended the order and its task
# could not be closed; its position has no people; none of them has time for it; it begins within the frozen time, or
# what would make room for it does, or may not move; it waits for work of which nobody knows when it is done
BEGUN, PINNED, FLOW, TOUCHED, UNSURE, NO_TIME = "begun", "pinned", "flow", "touched", "unsure", "no_time"
NOBODY, FROZEN, NO_ROOM, WAITS = "nobody", "frozen", "no_room", "waits"


@dataclass(frozen=True)
class Wish:
    """What is asked for. `away`: when nothing is left to `without`. `first`: an order's id. `frozen`: until when."""

    frozen: datetime
    without: int | None = None
    away: Interval | None = None
    first: str | None = None


@dataclass(frozen=True)
class Situation:
    """Everything a plan of moves is made from, and, by task, what of it may not move, and what stays though it should.

    `fixed`: why it may not move.
    """

    orders: tuple[OpenOrder, ...]
    workers: tuple[Worker, ...]
    tasks: tuple[OpenTask, ...]
    lines: Mapping[int, tuple[OrderStanding, LineStanding]]
    fixed: Mapping[int, str]
    staying: Mapping[int, tuple[str, str]]  # why it should move, and why it stays

    def set_free(self, order_ids: Collection[str]) -> Situation:
        """As if all work of these orders might move, that which is begun, too."""
        orders = [
            replace(order, operations=tuple(map(_set_free, order.operations))) if order.id in order_ids else order
            for order in self.orders
        ]
        freed = {op.id: op.task for order in orders if order.id in order_ids for op in order.operations}
        return replace(self, orders=tuple(orders), tasks=tuple(freed.get(task.id, task) for task in self.tasks))

    def find_held_back(self, moves: Iterable[Move], begins_later: Callable[[OpenTask], bool]) -> dict[int, str]:
        """Why work of late orders stays, of which these are the moves that would help them if all might move.

        What only waits for such work of its order is not named beside it.
        """
        by_order: dict[str, dict[int, str]] = {}
        for move in moves:
            own = FROZEN if not begins_later(move.before) else ""
            by_order.setdefault(move.order_id, {})[move.before.id] = self.fixed.get(move.before.id, own)
        held: dict[int, str] = {}
        for reasons in by_order.values():
            own_reasons = {task_id: reason for task_id, reason in reasons.items() if reason}
            held |= own_reasons or dict.fromkeys(reasons, NO_ROOM)
        return held


def look_at(store: Store, standings: Standings, rows: Mapping[str, LedgerTask], rules: Rules, wish: Wish) -> Situation:
    """Sort out what may move, what has to, and what stays. `rows`: the ledger's, where they have changed since."""
    calendar, now = standings.calendar, standings.now
    portal = _without(standings.portal, wish)
    company = standings.company.staff
    people = {**company.people, **portal.people}
    staff = company.with_people(people.values())
    ours = store.orders.our_tasks([task.id for task in portal.open])
    last_assigned = store.orders.last_assigned(now)
    workers = list_workers(people.values(), portal, standings.company, rules, calendar, last_assigned)
    open_tasks = list_open_tasks(portal, workers, rules, calendar, now, our_tasks=ours)
    tasks = {task.id: task for task in open_tasks}
    workload = Workload(calendar, now, workers, tasks.values(), rules.step_s)
    clocks: dict[int, Timeline] = {}
    doubted = store.orders.to_compare(order.row.id for order in standings.orders)
    pinned = store.decisions.pinned(line.row.key for order in standings.orders for line in order.lines)
    lines: dict[int, tuple[OrderStanding, LineStanding]] = {}
    fixed: dict[int, str] = {}
    staying: dict[int, tuple[str, str]] = {}
    orders: list[OpenOrder] = []
    lines_by_order = [
        [replace(line, row=rows.get(line.row.key, line.row)) for line in order.lines] for order in standings.orders
    ]
    stages_by_order = [list_stages([line.row for line in lines], rules) for lines in lines_by_order]
    workload.let_wait(
        [
            StagedTask(stage, line.task.responsible_id, line.task.id, line.accepted)
            for line, stage in zip(lines, stages, strict=True)
            if line.task is not None
        ]
        for lines, stages in zip(lines_by_order, stages_by_order, strict=True)
    )
    for number, order in enumerate(standings.orders):
        operations = []
        staged = list(zip(lines_by_order[number], stages_by_order[number], strict=True))
        unknown = min((stage for line, stage in staged if stage is not None and _is_endless(line, tasks)), default=inf)
        for line, stage in staged:
            task = tasks.get(line.task.id) if line.task else None
            if task is None:
                continue
            lines[task.id] = order, line
            why_not = UNSURE if order.row.id in doubted else _why_it_stays(line, pinned)
            if order.row.ended:
                why_not = why_not or UNSURE
            own = workload.calendar_of(task.responsible_id)
            clock = clocks.setdefault(id(own), Timeline(own, (), now))
            cause = _why_it_must_move(task, people.get(task.responsible_id), wish, workload, clock)
            if line.row.sent_values.get(MOVE):  # cut; the reason that it has still is the better one to say
                cause = cause or UNFINISHED
            ids = tuple(person.id for person in match_position(staff, line.row, rules).people)
            why_not = why_not or ("" if ids else NOBODY)
            if reason := why_not or (WAITS if stage is not None and stage > unknown else ""):
                fixed[task.id] = reason
            if why_not and cause:
                staying[task.id] = cause, why_not
            is_free = bool(task.start and task.end and not fixed.get(task.id))
            operations.append(Operation(task, stage, ids, is_free, "" if why_not else cause))
        if operations:
            orders.append(_open_order(order, number, operations, standings, wish))
    return Situation(tuple(orders), tuple(workers), tuple(tasks.values()), lines, fixed, staying)


def _set_free(operation: Operation) -> Operation:
    task = replace(operation.task, begun=False)
    return replace(operation, task=task, is_free=bool(task.start and task.end))


def match_position(staff: Staff, row: LedgerTask, rules: Rules) -> Match:
    """Find the department and the people whom the position of a line means."""
    sent = row.sent_values
    department = sent.get("department", sent.get("onec", {}).get("department"))
    return staff.position(row.position, department, rules.excluded)


def _without(portal: PortalState, wish: Wish) -> PortalState:
    """The portal as if the person were away."""
    if wish.without is None or wish.away is None:
        return portal
    away = [*portal.absences.get(wish.without, ()), Absence(*wish.away)]
    return replace(portal, absences={**portal.absences, wish.without: away})


def _why_it_stays(line: LineStanding, pinned: Collection[str]) -> str:
    row, task = line.row, line.task
    if task is None or row.state != "done" or row.writing_since:
        return UNSURE
    if not recovery.is_unbegun(task):  # as `orders` says it, where it is paused
        return BEGUN
    if task.flow_id:
        return FLOW
    if row.key in pinned:
        return PINNED
    return "" if recovery.is_as_written(row, task) else TOUCHED


def _is_endless(line: LineStanding, tasks: Collection[int]) -> bool:
    """Whether nobody knows when a line is done, and no move changes that: it lies in no lane of those whom we plan."""
    return not (line.is_done or line.is_dropped) and (line.task is None or line.task.id not in tasks)


def _why_it_must_move(task: OpenTask, person: Person | None, wish: Wish, workload: Workload, clock: Timeline) -> str:
    if person is not None and not person.active:
        return GONE
    if person is None or task.start is None:
        return ""
    begins = clock.start_at(clock.worked(task.start))
    lost = workload.lost_under_absences(person.id, task.id)
    under = [
        away
        for away in workload.line_of(person.id).absences
        if away[1] > workload.now  # whoever is back goes on with the work
        and (away[0] <= begins < away[1] or away in lost or _is_behind(task, away, workload, clock))
    ]
    if not under:
        return ""
    is_wish = wish.without == person.id and wish.away and any(_meet(away, wish.away) for away in under)
    return WITHOUT if is_wish else AWAY


def _is_behind(task: OpenTask, away: Interval, workload: Workload, clock: Timeline) -> bool:
    """Whether the work is planned before an absence that takes working time, and will not be done before it."""
    if task.end is None or task.end > away[0] or clock.worked(away[0]) == clock.worked(away[1]):
        return False
    try:
        end = workload.end_of(task.responsible_id, task.id)
    except NoWorkingTime:
        return True
    return end is not None and end > away[0]


def _meet(span: Interval, other: Interval) -> bool:
    return span[0] < other[1] and other[0] < span[1]


def _open_order(
    order: OrderStanding, number: int, operations: Sequence[Operation], standings: Standings, wish: Wish
) -> OpenOrder:
    """An order with its importance: the one that is wanted first, then by priority, wanted date, arrival."""
    row, zone = order.row, standings.calendar.zone
    late_from = late_since(row, zone)
    if late_from is None and row.promised_first is not None:
        late_from = datetime.combine(row.promised_first + timedelta(days=1), datetime.min.time(), zone)
    is_first = row.id == wish.first
    wanted = late_since(row, zone) or datetime.max.replace(tzinfo=UTC)
    return OpenOrder(
        row.id,
        (not is_first, row.priority or inf, wanted, number),
        late_from,
        tuple(operations),
        max(filter(None, (line.accepted for line in order.lines)), default=None),
        is_first,
        row.priority or inf,
    )
