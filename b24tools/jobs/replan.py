"""The whole of `replan`: read how orders stand, plan which unbegun work moves, write that, report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from b24tools.assignment import replan_orders, replan_writes
from b24tools.assignment.line_standing import LineStanding
from b24tools.assignment.named_people import NamedPeople
from b24tools.assignment.order_lookup import find_order
from b24tools.assignment.plan import MOST_CANDIDATES, Rules, make_decision
from b24tools.assignment.replan import Plan, plan_moves
from b24tools.assignment.replan_moves import FIRST, LATE, Move, group_moves
from b24tools.assignment.replan_orders import NO_TIME, NOBODY, Situation, Wish
from b24tools.assignment.replan_writes import MOVED, PlannedMove, Written
from b24tools.assignment.report import DRY_RUN
from b24tools.assignment.standing import OVER, OrderStanding, read_standings, stand_with
from b24tools.assignment.tools import Tools
from b24tools.core import errors
from b24tools.core.i18n import _, quote
from b24tools.core.models import Task
from b24tools.core.names import find_person, mark_namesakes
from b24tools.scheduling.calendar import end_of_next_working_day
from b24tools.scheduling.lane import OpenTask
from b24tools.scheduling.workload import Workload
from b24tools.store.history import CUT, Entry
from b24tools.store.orders import LedgerTask

SKIPPED = replan_writes.SKIPPED
FOREVER = timedelta(days=3650)
MOST_NAMED = 10  # tasks that are not of orders


@dataclass(frozen=True)
class Request:
    """What the planner asks for. `since` and `until`: when `without` is away; from now on, for good.

    `frozen`: so many working days that only what has to move leaves, or hours.
    """

    without: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    first: str | None = None
    frozen_days: int = 1
    frozen_hours: int = 0


@dataclass(frozen=True)
class Place:
    """Whose an operation is, and when. `person`: the name as texts have it."""

    responsible: tuple[int, str]
    person: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class MoveResult:
    """An operation that moves, or stays though it should move: then there is no `after`.

    `reason`: see `assignment/replan_moves.py`. `outcome`: planned, moved, skipped or failed; `note` says why it stays.
    """

    task_id: int
    order_id: str
    order: str
    position: str
    before: Place
    after: Place | None
    reason: str
    outcome: str
    note: str = ""
    error: errors.B24ToolsError | None = None


@dataclass(frozen=True)
class OrderChange:
    """What the moves do to an order, beside what would be without them."""

    number: str
    order_id: str
    finish_before: datetime | None
    finish_after: datetime | None
    late_before_s: int
    late_after_s: int


@dataclass(frozen=True)
class Replan:
    """All of it. `obstacle`: why nothing may be written."""

    moves: tuple[MoveResult, ...]
    orders: tuple[OrderChange, ...]
    warnings: tuple[str, ...]
    obstacle: errors.B24ToolsError | None = None

    @property
    def planned(self) -> list[MoveResult]:
        """The moves that are to be made."""
        return [move for move in self.moves if move.after is not None]

    def is_like(self, other: Replan) -> bool:
        """Whether the same is moved to the same places."""
        return [(m.task_id, m.after) for m in self.planned] == [(m.task_id, m.after) for m in other.planned]


def plan(tools: Tools, rules: Rules, request: Request) -> Replan:
    """Plan what moves; nothing is written to the portal. Raises PortalError and ConfigError as reading does."""
    return _Run(tools, rules, request).report()


def write(tools: Tools, rules: Rules, request: Request, shown: Replan | None, most: int | None) -> Replan:
    """Plan under the lock and write the moves; without writing where they are others than `shown`, or too many.

    Raises what `plan` raises, and the obstacle where nothing may be written.
    """
    with tools.lock:
        run = _Run(tools, rules, request)
        result = run.report()
        if result.obstacle is not None:
            raise result.obstacle
        if (shown is not None and not result.is_like(shown)) or (most is not None and len(result.planned) > most):
            return result
        return run.write()


class _Run:
    """One run: what was read, and the plan made of it."""

    def __init__(self, tools: Tools, rules: Rules, request: Request) -> None:
        self._tools = tools
        self._rules = rules
        store = tools.store
        orders = store.orders.list_open()
        first = find_order(store.orders, request.first).id if request.first else None
        rows = store.orders.lines([order.id for order in orders])
        replan_writes.let_moves_end(tools.clock, rows.values(), rules.zone)
        self._standings = read_standings(tools, rules, orders)
        self._settled = replan_writes.settle_moves(store, rows.values(), self._standings.portal, self._standings.now)
        standings = self._standings
        self._people = mark_namesakes([*standings.company.staff.people.values(), *standings.portal.people.values()])
        without = find_person(request.without, self._people.values()).id if request.without else None
        since, until = request.since or standings.now, request.until or standings.now + FOREVER
        self._wish = Wish(
            frozen=standings.now + timedelta(hours=request.frozen_hours)
            if request.frozen_hours
            else end_of_next_working_day(standings.calendar, standings.now, request.frozen_days),
            without=without,
            away=(since.astimezone(UTC), until.astimezone(UTC)) if without else None,
            first=first,
        )
        self._situation = replan_orders.look_at(store, standings, self._settled, rules, self._wish)
        plan = self._plan(self._situation, self._wish.frozen, MOST_CANDIDATES)
        self._moves = self._leave_out_unknown(plan)
        self._stuck = plan.stuck | {move.before.id for move in plan.moves if move not in self._moves}
        self._stuck -= {move.before.id for move in self._moves}
        self._unmoved = plan.unmoved
        self._held_back = self._find_held_back()

    def _plan(self, situation: Situation, frozen: datetime, candidates: int = 1) -> Plan:
        standings = self._standings
        return plan_moves(
            standings.calendar,
            standings.now,
            situation.workers,
            situation.tasks,
            situation.orders,
            self._rules.step_s,
            frozen=frozen,
            candidates=candidates,
        )

    def _leave_out_unknown(self, plan: Plan) -> list[Move]:
        """Leave out moves beyond the days for which absences are read, with those that hang together with them."""
        last = self._standings.portal.absences_until
        known_until = datetime.combine(last, datetime.min.time(), self._rules.zone)
        grouped = list(zip(plan.moves, group_moves(plan.moves), strict=True))
        beyond = {group for move, group in grouped if move.after.end is None or move.after.end > known_until}
        return [move for move, group in grouped if group not in beyond]

    def _find_held_back(self) -> dict[int, tuple[str, str]]:
        """What stays of orders that are late by it, or come first: why it should move, and why it does not.

        It is what would move if all of these orders might, and nothing were frozen.
        """
        situation, standings, frozen = self._situation, self._standings, self._wish.frozen
        moved = {move.before.id: move.after for move in self._moves}
        ends = {
            order.row.id: max(line.span[1] for line in order.lines if line.span)
            for order in self._stand(moved)
            if any(line.span for line in order.lines) and not order.row.ended
        }
        late = {
            order.id
            for order in situation.orders
            if order.id in ends and (order.is_first or (order.late_from and order.late_from < ends[order.id]))
        }
        if not late:
            return {}
        plan = self._plan(situation.set_free(late), standings.now)
        moves = [
            move
            for move in self._leave_out_unknown(plan)
            if move.order_id in late and move.before.id not in moved and move.cause in (LATE, FIRST)
        ]
        held = situation.find_held_back(moves, lambda task: standings.workload.begins_later(task, frozen))
        return {move.before.id: (move.cause, held[move.before.id]) for move in moves if move.before.id in held}

    # what is said

    def report(self, written: Mapping[int, Written] | None = None) -> Replan:
        """What moves, or was moved, and what that does to the orders."""
        moves = [self._report_move(move, (written or {}).get(move.before.id)) for move in self._moves]
        moves += self._report_staying()
        return Replan(
            tuple(moves),
            tuple(self._compare(written)),
            tuple([*self._standings.warnings, *self._warn()]),
            self._find_obstacle(),
        )

    def _report_move(self, move: Move, written: Written | None) -> MoveResult:
        order, line = self._situation.lines[move.before.id]
        return MoveResult(
            move.before.id,
            order.row.id,
            order.row.number,
            line.row.position,
            self._place(move.before),
            self._place(move.after),
            move.cause,
            written.outcome if written else DRY_RUN,
            written.note if written else "",
            written.error if written else None,
        )

    def _report_staying(self) -> list[MoveResult]:
        """What should move, and why it stays."""
        staying = self._held_back | dict(self._situation.staying)
        causes = {operation.id: operation.cause for order in self._situation.orders for operation in order.operations}
        staying |= {task_id: (causes[task_id], NO_TIME) for task_id in self._stuck if causes.get(task_id)}
        results = []
        tasks = {task.id: task for task in self._situation.tasks}
        for task_id, (cause, why_not) in sorted(staying.items()):
            order, line = self._situation.lines[task_id]
            before = self._place(tasks[task_id])
            number, position = order.row.number, line.row.position
            note = self._describe_vacancy(line.row) if why_not == NOBODY else _describe(why_not)
            results.append(MoveResult(task_id, order.row.id, number, position, before, None, cause, SKIPPED, note))
        return results

    def _describe_vacancy(self, row: LedgerTask) -> str:
        """Say why nobody but its person may do the work of a line, in the words of `assign`."""
        staff, portal = self._standings.company.staff, self._standings.portal
        named = NamedPeople(staff, portal, self._people, self._rules.fallback_user)
        return named.describe_vacancy(row.position, replan_orders.match_position(staff, row, self._rules))

    def _place(self, task: OpenTask) -> Place:
        name, person = self._name(task.responsible_id), self._people.get(task.responsible_id)
        return Place((task.responsible_id, name), person.shown if person else name, task.start, task.end)

    def _name(self, user_id: int) -> str:
        return self._people[user_id].name if user_id in self._people else f"#{user_id}"

    def _compare(self, written: Mapping[int, Written] | None) -> list[OrderChange]:
        """The orders that the moves change, and those of what stays though it should move.

        Before is without moves, but with whoever is not to be counted on.
        """
        moved = {
            move.before.id: move.after
            for move in self._moves
            if written is None or written[move.before.id].outcome == MOVED
        }
        before, after = self._stand({}), self._stand(moved)
        numbers = {move.order_id for move in self._moves} | {move.order_id for move in self._report_staying()}
        return [
            OrderChange(old.row.number, old.row.id, old.finish, new.finish, old.late_s, new.late_s)
            for old, new in zip(before, after, strict=True)
            if old.row.id in numbers or old.finish != new.finish
        ]

    def _stand(self, moved: Mapping[int, OpenTask]) -> tuple[OrderStanding, ...]:
        situation, standings = self._situation, self._standings
        tasks = [moved.get(task.id, task) for task in situation.tasks]
        workload = Workload(standings.calendar, standings.now, situation.workers, tasks, self._rules.step_s)
        return stand_with(standings, workload, self._as_moved(moved), self._rules)

    def _as_moved(self, moved: Mapping[int, OpenTask]) -> dict[int, Task]:
        tasks = {}
        for task_id, to in moved.items():
            task = self._situation.lines[task_id][1].task
            if task is not None:
                tasks[task_id] = replace(task, responsible_id=to.responsible_id, start=to.start, end=to.end)
        return tasks

    def _warn(self) -> list[str]:
        return [
            *self._warn_of_unknown_absence(),
            *self._warn_of_other_work(),
            *self._warn_of_first(),
            *self._warn_of_restore(),
        ]

    def _warn_of_unknown_absence(self) -> list[str]:
        """Say so where the portal counts on whoever is to be planned without: whatever is planned next does, too."""
        person, away, standings = self._people.get(self._wish.without or 0), self._wish.away, self._standings
        if person is None or away is None or not person.active:
            return []
        line = standings.workload.line_of(person.id)
        known_until = datetime.combine(standings.portal.absences_until, datetime.min.time(), self._rules.zone)
        start, end = max(away[0], standings.now), min(away[1], known_until)
        if start < end and line.worked(start) == line.worked(end):
            return []
        message = _(
            "Bitrix24 does not know that {name} is away: the next replan and new orders will count on {name} again. "
            "Enter the absence in Bitrix24; b24tools plans by it."
        )
        return [message.format(name=person.shown)]

    def _warn_of_other_work(self) -> list[str]:
        """Say what else whoever is to be planned without would do then: only work of orders is given to others."""
        person, away, situation = self._people.get(self._wish.without or 0), self._wish.away, self._situation
        if person is None or away is None:
            return []
        slots = self._standings.workload.slots_between(person.id, *away)
        ids = {slot.task.id for slot in slots} - situation.lines.keys()
        if not ids:
            return []
        message = _("{name} has other work, too, that is not of orders from 1C and stays: {tasks}")
        named = ", ".join(f"#{id_}" for id_ in sorted(ids)[:MOST_NAMED]) + (" …" if len(ids) > MOST_NAMED else "")
        return [message.format(name=person.shown, tasks=named)]

    def _warn_of_first(self) -> list[str]:
        """Say so where what comes first only for this run would come after others in the next one."""
        orders = self._situation.orders
        first = next((order for order in orders if order.is_first), None)
        if first is None or all(order.importance[1:] >= first.importance[1:] for order in orders):
            return []
        number = next(order.row.number for order in self._standings.orders if order.row.id == first.id)
        message = _(
            "--first holds for this run: the next replan goes by priority and wanted date again, and may give its "
            "time to other orders. To keep order {number} first, give it a Приоритет before theirs in 1C (1 comes "
            "first) and send it again."
        )
        return [message.format(number=number)]

    def _warn_of_restore(self) -> list[str]:
        orders = self._tools.store.orders
        doubted = orders.to_compare(order.row.id for order in self._standings.orders)
        numbers = [order.row.number for order in self._standings.orders if order.row.id in doubted]
        if not numbers:
            return []
        message = _("the database was restored: orders {numbers} stay as they are until 1C sends them again")
        return [message.format(numbers=", ".join(numbers))]

    def _find_obstacle(self) -> errors.B24ToolsError | None:
        """Why nothing may be written: not all is known, or the owner may not see and change everything."""
        portal, company = self._standings.portal, self._standings.company
        if not portal.owner.admin:
            return errors.PortalDenied(
                _("the webhook's owner, {name}, is not an administrator and sees only part of the tasks").format(
                    name=portal.owner.name or portal.owner.id
                ),
                _("Let an administrator create the webhook: without all tasks nothing is moved."),
                method="profile",
            )
        missing = list(dict.fromkeys([*company.missing_scopes, *portal.missing_scopes]))
        if missing or company.hours_problem or portal.absences_problem:
            reason = (
                company.hours_problem
                or portal.absences_problem
                or _("the webhook has no scope {scopes}").format(scopes=", ".join(map(quote, missing)))
            )
            return errors.PortalDenied(
                _("the working hours and absences are not known ({reason}): nothing is moved").format(reason=reason),
                _("Give the webhook the scopes timeman and calendar, and see what `b24tools doctor` says."),
                method="calendar.accessibility.get",
            )
        return None

    # writing

    def write(self) -> Replan:
        """Write the moves; the history has what was done for which order."""
        planned = [self._prepare(move) for move in self._moves]
        groups = group_moves(self._moves)
        planned = [replace(move, group=group) for move, group in zip(planned, groups, strict=True)]
        planned.sort(key=lambda move: move.group)
        self._note_begun({})
        portal = self._standings.portal
        written = replan_writes.write_moves(self._tools, self._rules, portal, planned, self._note_begun)
        unmoved = [self._situation.lines[task_id][1].row for task_id in self._unmoved]
        replan_writes.drop_marks(self._tools.store, [self._settled.get(row.key, row) for row in unmoved])
        result = self.report(written)
        self._note_history(result)
        if self._wish.without is None:  # else whoever is not to be counted on is still there
            self._save_standings(written)
        return result

    def _save_standings(self, written: Mapping[int, Written]) -> None:
        """Let what has changed of the orders be asked for from now on."""
        moved = {move.before.id: move.after for move in self._moves if written[move.before.id].outcome == MOVED}
        standings = self._standings

        def write_down(line: LineStanding) -> LineStanding:
            to = moved.get(line.task.id) if line.task else None
            return replace(line, row=replace(line.row, responsible_id=to.responsible_id)) if to else line

        after = [replace(order, lines=tuple(map(write_down, order.lines))) for order in self._stand(moved)]
        self._tools.store.orders.save_standings(
            {o.row.id: (o.to_compare(standings.calendar), o.state == OVER) for o in after if o.row.outcome},
            standings.now,
            {order.row.id: order.row for order in after},
        )

    def _prepare(self, move: Move) -> PlannedMove:
        order, line = self._situation.lines[move.before.id]
        row, task = self._settled.get(line.row.key, line.row), line.task
        assert task is not None  # noqa: S101 - it is the task that moves
        is_plan_end = bool(row.sent_values.get("deadline_from_slot")) and task.deadline == row.deadline == task.end
        match = replan_orders.match_position(self._standings.company.staff, row, self._rules)
        waits_for = self._situation.lines.get(move.waits_for or 0)
        inside = {person.id for person in match.people}
        details = {
            "order": order.row.number,
            "department": match.departments[0].name if match.departments else None,
            "nearest": None,
            "estimate_s": task.estimate_s,
            "work_s": move.before.remaining_s,
            "barred": [person.shown for person in match.barred],
            "not_before": move.not_before,
            "after": waits_for[1].row.position if waits_for else None,
            "others": max(0, len(inside) - len(move.choice.candidates)),
            "cause": move.cause,
            "from": {"id": task.responsible_id, "name": self._name(task.responsible_id)},
        }
        decision = make_decision(row.key, row.position, self._standings.now, move.choice, inside, details)
        return PlannedMove(row, task, move.after, move.after.end if is_plan_end else None, decision)

    def _note_begun(self, written: Mapping[int, Written]) -> None:
        """Let the history know what is about to move, and what has moved, should the run be cut."""
        tools, by = self._tools, self._tools.origin.by
        with tools.store.transaction():
            for moves in _by_order(self._report_move(move, written.get(move.before.id)) for move in self._moves):
                lines = tuple((move.position, move.outcome, move.task_id) for move in moves)
                entry = Entry(tools.clock.now(), "replan", moves[0].order_id, moves[0].order, CUT, by, lines)
                tools.store.history.begin(entry)

    def _note_history(self, result: Replan) -> None:
        tools, origin = self._tools, self._tools.origin
        for moves in _by_order(result.planned):
            outcomes = {move.outcome for move in moves}
            outcome = moves[0].outcome if len(outcomes) == 1 else "partial"
            lines = tuple((move.position, move.outcome, move.task_id) for move in moves)
            error = next((move.error.message for move in moves if move.error), None)
            tools.store.history.add(
                Entry(tools.clock.now(), "replan", moves[0].order_id, moves[0].order, outcome, origin.by, lines, error)
            )


def _by_order(moves: Iterable[MoveResult]) -> list[list[MoveResult]]:
    by_order: dict[str, list[MoveResult]] = {}
    for move in moves:
        by_order.setdefault(move.order_id, []).append(move)
    return [*by_order.values()]


def _describe(why_not: str) -> str:
    return {
        replan_orders.BEGUN: _("it is begun"),
        replan_orders.PINNED: _("it was given to this person by --to or B24_FALLBACK_USER"),
        replan_orders.FLOW: _("it belongs to a flow"),
        replan_orders.TOUCHED: _("somebody has changed it or written about it"),
        replan_orders.UNSURE: _("the last write to it is not known to have been done; send the order again"),
        NO_TIME: _("the people of its position have no time for it"),
        replan_orders.FROZEN: _("it begins within the time that --frozen keeps"),
        replan_orders.WAITS: _("it waits for work of which it is not known when it is done"),
        replan_orders.NO_ROOM: _(
            "work that would make room for it is kept by --frozen, may not move, or moves only for what is in time then"
        ),
    }[why_not]
