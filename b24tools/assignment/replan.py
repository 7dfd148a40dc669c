"""Which work that has not begun shall move: all of it is given out again, and what helps an order stays.

Pure: the same lanes as everywhere, no portal, no database, no clock. Orders come by importance. One that is in time
stays as it is. One that is late first gets what is free, then the slots of less important ones, which are given
others in their turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from b24tools.assignment.replan_moves import (
    DISPLACED,
    FIRST,
    FOLLOWS,
    LATE,
    Move,
    OpenOrder,
    Operation,
    group_moves,
    overlap,
)
from b24tools.scheduling.calendar import NoWorkingTime, WorkCalendar
from b24tools.scheduling.lane import OpenTask, StagedTask, Worker
from b24tools.scheduling.tender import Tender
from b24tools.scheduling.workload import Workload

MOST_PASSES = 8  # until nothing can be improved any more; two or three are usual
MIDNIGHT = timedelta(microseconds=1)  # an end at 00:00 belongs to the day before


@dataclass
class _Draft:
    """Where operations of an order would lie: tasks by id, to whom each was offered, and when the order would be ready.

    Of an operation also since when it may begin, and for which one it waits. `unmoved`: they would lie where they do.
    `following`: they move only because what they wait for does.
    """

    placed: dict[int, OpenTask]
    tenders: dict[int, tuple[Tender, datetime | None, int | None]]
    finish: datetime | None
    unmoved: frozenset[int]
    following: frozenset[int]


@dataclass(frozen=True)
class Plan:
    """All moves; the operations that have to move but find no person with time; those that lie best where they are."""

    moves: tuple[Move, ...]
    stuck: frozenset[int]
    unmoved: frozenset[int] = frozenset()


def plan_moves(
    calendar: WorkCalendar,
    now: datetime,
    workers: Sequence[Worker],
    tasks: Iterable[OpenTask],
    orders: Iterable[OpenOrder],
    step_s: int,
    *,
    frozen: datetime,
    candidates: int = 1,
) -> Plan:
    """Decide what moves. `tasks`: all open work of these people, that of the orders too.

    `frozen`: what really begins before is not free. `candidates`: how many are weighed, besides those who could be the
    first.

    Passes go on until one changes nothing. Then those moves are left out that only give one order's days to another;
    what is left without them is planned again, so that whoever plans later finds nothing to do.
    """
    ordered = sorted(orders, key=lambda order: order.importance)
    lying = {task.id: task for task in tasks}
    moves: dict[int, Move] = {}
    stuck, unmoved = set[int](), set[int]()
    full, floor = (Workload(calendar, now, workers, (), step_s) for _workload in range(2))
    for _round in range(MOST_PASSES):
        given, laid = ordered, dict(lying)
        found: dict[int, Move] = {}
        ready: list[dict[str, datetime]] = []
        for _number in range(MOST_PASSES):
            pass_ = _Pass(full, floor, laid.values(), ordered, frozen, candidates)
            ready.append(pass_.list_ready())
            made = pass_.run()
            stuck |= pass_.stuck
            unmoved |= pass_.unmoved
            _join(found, made, laid)
            if not made:
                break
            ordered = [_as_moved(order, laid) for order in ordered]
        else:
            ready.append(_Pass(full, floor, laid.values(), ordered, frozen, candidates).list_ready())
        paying = _leave_out_exchanges(list(found.values()), given, ready[0], ready[-1], calendar.zone)
        if len(paying) < len(found):
            laid = lying | {move.before.id: move.after for move in paying}
            ordered = [_as_moved(order, laid) for order in given]
            without = _Pass(full, floor, laid.values(), ordered, frozen, candidates).list_ready()
            if _count_days(given, without, calendar.zone) > _count_days(given, ready[-1], calendar.zone):
                paying = list(found.values())  # without the others some of these would make orders late
        _join(moves, paying, lying)
        if len(paying) in (0, len(found)):
            break
    return Plan(tuple(moves.values()), frozenset(stuck), frozenset(unmoved - stuck - moves.keys()))


def _join(moves: dict[int, Move], made: Iterable[Move], lying: dict[int, OpenTask]) -> None:
    """Add what was made to earlier moves, of which some are taken back by that; then it lies there."""
    for move in made:
        task_id = move.before.id
        lying[task_id] = move.after
        if earlier := moves.pop(task_id, None):
            room_for = earlier.room_for | move.room_for
            move = replace(move, before=earlier.before, cause=earlier.cause, room_for=room_for)
        if _place(move.before) != _place(move.after):
            moves[task_id] = move


def _leave_out_exchanges(
    moves: Sequence[Move],
    orders: Sequence[OpenOrder],
    before: Mapping[str, datetime],
    after: Mapping[str, datetime],
    zone: ZoneInfo,
) -> list[Move]:
    """Return the moves without those after which orders are late by as many days as before, or by more.

    Moves that hang together stay or go together; their orders count, and those of the same people whose ends changed
    though nothing of them moves.
    `before` and `after`: when orders are ready.
    """
    shifted = [
        (order, {operation.task.responsible_id for operation in order.operations})
        for order in orders
        if before.get(order.id) != after.get(order.id) and not any(operation.cause for operation in order.operations)
    ]
    groups: dict[int, list[Move]] = {}
    for move, number in zip(moves, group_moves(moves), strict=True):
        groups.setdefault(number, []).append(move)
    left_out: set[int] = set()
    moving = {move.order_id for move in moves}
    for group in groups.values():
        own = {move.order_id for move in group}
        lanes = {task.responsible_id for move in group for task in (move.before, move.after)}
        concerned = [
            order for order, people in shifted if order.id in own or (people & lanes and order.id not in moving)
        ]
        is_better = _count_days(concerned, after, zone) < _count_days(concerned, before, zone)
        if not is_better and all(move.cause in (LATE, DISPLACED, FOLLOWS) for move in group):
            left_out |= {move.before.id for move in group}
    return [move for move in moves if move.before.id not in left_out]


def _count_days(orders: Iterable[OpenOrder], ready: Mapping[str, datetime], zone: ZoneInfo) -> list[int]:
    """Return how many days orders are late, of each priority, so that fewer days are less."""
    days: Counter[float] = Counter()
    for order in orders:
        days[order.priority] += _days_late(order, ready.get(order.id), zone)
    return [days[priority] for priority in sorted(days)]


def _days_late(order: OpenOrder, finish: datetime | None, zone: ZoneInfo) -> int:
    """Return how many days an order is late; one that has begun counts."""
    if finish is None or order.late_from is None or finish <= order.late_from:
        return 0
    return max(1, (_day_of(finish, zone) - _day_of(order.late_from, zone)).days)


def _day_of(end: datetime, zone: ZoneInfo) -> date:
    return (end - MIDNIGHT).astimezone(zone).date()


def _as_moved(order: OpenOrder, lying: Mapping[int, OpenTask]) -> OpenOrder:
    """The order as the next run would find it."""
    operations = []
    for operation in order.operations:
        task = lying[operation.id]
        if task is not operation.task:
            operation = replace(operation, task=task, is_free=True, cause="")
        operations.append(operation)
    return replace(order, operations=tuple(operations))


def _place(task: OpenTask) -> tuple[int, datetime | None, datetime | None]:
    return task.responsible_id, task.start, task.end


class _Pass:
    """All orders once, the most important first.

    `_full` has all work as it lies now, `_floor` only what cannot move and what has been decided in this pass.
    """

    def __init__(
        self,
        full: Workload,
        floor: Workload,
        tasks: Iterable[OpenTask],
        orders: Sequence[OpenOrder],
        frozen: datetime,
        candidates: int,
    ) -> None:
        self._candidates, self._frozen = candidates, frozen
        self.stuck: set[int] = set()
        self.unmoved: set[int] = set()
        self._zone = full.calendar.zone
        self._orders = orders
        self._lying = {task.id: task for task in tasks}
        leaving = {operation.id for order in orders for operation in order.operations if operation.cause}
        staying = [task for task in self._lying.values() if task.id not in leaving]
        self._full = full.with_tasks(staying)
        self._full.let_wait(
            [StagedTask(op.stage, op.task.responsible_id, op.id, order.accepted) for op in order.operations]
            for order in orders
        )
        self._open: dict[int, set[int]] = {}  # what can still be pushed out of its slot, by person
        self._free: set[int] = set()
        for order in orders:
            for operation in order.operations:
                if operation.is_free and self._full.begins_later(operation.task, frozen):
                    self._free.add(operation.id)
                    if operation.people:
                        self._open.setdefault(operation.task.responsible_id, set()).add(operation.id)
        movable = self._free | leaving
        fixed = [
            self._full.find(task.responsible_id, task.id) or task
            for task in self._lying.values()
            if task.id not in movable
        ]
        self._floor = floor.with_tasks(fixed)
        self._decided: set[int] = {operation.id for order in orders for operation in order.operations} - movable
        self._homeless: dict[int, str] = {}  # the order that has pushed a task out

    def run(self) -> list[Move]:
        """Decide all orders; answers what moves."""
        moves: list[Move] = []
        for order in self._orders:
            moves += self._decide(order)
        return moves

    def list_ready(self) -> dict[str, datetime]:
        """When each order is ready as everything lies now, by id."""
        ready: dict[str, datetime] = {}
        for order in self._orders:
            for operation in order.operations:
                end = _end_of(self._full, self._lying[operation.id])
                if end is not None:
                    ready[order.id] = max(end, ready.get(order.id, end))
        return ready

    def _settle(self, workload: Workload, order: OpenOrder) -> datetime | None:
        """Hold back the operations of an order that wait for others; answers when the last one ends."""
        return workload.settle(
            [StagedTask(op.stage, self._lying[op.id].responsible_id, op.id, order.accepted) for op in order.by_stage]
        )

    def _decide(self, order: OpenOrder) -> list[Move]:
        forced = {operation.id: DISPLACED for operation in order.operations if operation.id in self._homeless}
        forced |= {operation.id: operation.cause for operation in order.operations if operation.cause}
        free = {op.id for op in order.operations if op.people and (op.id in self._free or op.id in forced)}
        for operation in order.operations:  # from here on nothing pushes them
            self._open.get(self._lying[operation.id].responsible_id, set()).discard(operation.id)
        draft = None
        if forced:
            draft = self._draft(self._full, order, forced, forced)
            finish = draft.finish if draft else None
        else:
            finish = self._settle(self._full, order)
        if free and self._can_be_better(order, finish):
            soonest = self._soonest(order, free)
            for workload in (self._full, self._floor):
                is_pushing = workload is self._floor and not any(operation.cause for operation in order.operations)
                latest = self._latest_worth(order, finish, is_pushing=is_pushing)
                if soonest is None or latest is None or soonest > latest:
                    continue
                other = self._draft(workload, order, free, forced, latest)
                if other is not None and other.finish is not None and other.finish <= latest:
                    draft, finish = other, other.finish
        return self._keep(order, draft, forced)

    def _can_be_better(self, order: OpenOrder, finish: datetime | None) -> bool:
        return order.is_first or (order.late_from is not None and finish is not None and finish > order.late_from)

    def _latest_worth(self, order: OpenOrder, old: datetime | None, *, is_pushing: bool) -> datetime | None:
        """Until when the order must be ready for it to make a difference: in time, or on an earlier day.

        For less than to be in time no other order is pushed, unless what has to move would be the later for it.
        None where nothing can be better.
        """
        if not self._can_be_better(order, old):
            return None
        if order.is_first or old is None or order.late_from is None:
            return old - MIDNIGHT if old else datetime.max.replace(tzinfo=UTC)
        if is_pushing:
            return order.late_from
        return max(order.late_from, datetime.combine(_day_of(old, self._zone), time.min, self._zone))

    # drafts

    def _soonest(self, order: OpenOrder, free: Collection[int]) -> datetime | None:
        """When the order could be ready if nothing less important were in its way; nothing is laid for that."""
        ends: dict[int, tuple[int | None, datetime]] = {}
        for operation in order.by_stage:
            not_before, _after = _waits_for(ends, operation.stage, order.accepted)
            end = None if operation.id in free else _end_of(self._full, self._lying[operation.id])
            if operation.id in free:
                with suppress(NoWorkingTime):
                    end = self._floor.offer(operation.people, operation.task.remaining_s, not_before).soonest()
            if end is not None:
                ends[operation.id] = operation.stage, end
        return max((end for _stage, end in ends.values()), default=None)

    def _draft(
        self,
        workload: Workload,
        order: OpenOrder,
        which: Iterable[int],
        forced: Mapping[int, str],
        latest: datetime | None = None,
    ) -> _Draft | None:
        """Lay some operations of an order anew in a workload, which is left as it was.

        None where one of them cannot be done, or not by `latest`; what has to move and cannot is left out.
        """
        which = set(which)
        placed: dict[int, OpenTask] = {}
        tenders: dict[int, tuple[Tender, datetime | None, int | None]] = {}
        ends: dict[int, tuple[int | None, datetime]] = {}
        later = _work_after(order, which) if latest is not None and not forced else {}
        unlaid: list[OpenTask] = []  # what is laid as soon as that matters to another operation
        with workload.trial():
            before = {id_: workload.take_out(self._lying[id_].responsible_id, id_) for id_ in which}
            for operation in order.by_stage:
                task = self._lying[operation.id]
                not_before, after = _waits_for(ends, operation.stage, order.accepted)
                is_following = operation.id not in which and self._must_follow(order, operation, not_before, placed)
                if operation.id not in which or any(other.responsible_id in operation.people for other in unlaid):
                    _lay(workload, unlaid)
                if is_following:
                    before[operation.id] = before.get(operation.id) or workload.take_out(task.responsible_id, task.id)
                elif operation.id not in which and (lay := before.get(operation.id)):
                    workload.put(lay)
                if operation.id in which or is_following:
                    in_way = self._take_out_later(workload, order, operation, which)
                    tender = workload.offer(operation.people, task.remaining_s, not_before)
                    found, own = tender.first, tender.offer_of(task.responsible_id)
                    if (is_following and latest is None) or (found and own and own[2] <= found[2]):
                        found = own  # nobody else gets it for nothing
                    for other in in_way:
                        if found and self._must_wait(other, found[2]):
                            before[other.id] = other
                        else:
                            workload.put(other)
                    if found:
                        worker_id, start, until = found
                        if latest is not None and until > latest:
                            return None
                        if latest is not None and not workload.is_room(later.get(operation.stage, 0), until, latest):
                            return None
                        placed[operation.id] = OpenTask(
                            operation.id, worker_id, task.remaining_s, start, until, task.ours, task.begun
                        )
                        tenders[operation.id] = tender, not_before, after
                        unlaid.append(placed[operation.id])
                        ends[operation.id] = operation.stage, until
                        continue
                    if operation.id in which and operation.id not in forced:
                        return None
                    _lay(workload, [*unlaid, before[operation.id] or task])  # none can: it stays where it is
                if operation.id not in which:
                    workload.hold(task.responsible_id, task.id, not_before)
                end = _end_of(workload, task)
                if end is not None:
                    ends[operation.id] = operation.stage, end
            _lay(workload, unlaid)
            self._put_back(workload, order, placed, ends, forced)
        finish = max((end for _stage, end in ends.values()), default=None)
        unmoved = frozenset(id_ for id_, task in placed.items() if _place(task) == _place(self._lying[id_]))
        placed = {id_: task for id_, task in placed.items() if id_ not in unmoved}
        following = frozenset(placed.keys() - which) if latest is None else frozenset[int]()
        return _Draft(placed, tenders, finish, unmoved, following)

    def _must_follow(
        self, order: OpenOrder, operation: Operation, not_before: datetime | None, placed: Mapping[int, OpenTask]
    ) -> bool:
        """Whether a move would leave an operation before the end of what it waits for, and it may move as well.

        What really begins within the frozen time stays.
        """
        stage = operation.stage
        if stage is None or not_before is None or not (operation.is_free and operation.people):
            return False
        before = [other.id for other in order.operations if other.stage is not None and other.stage < stage]
        is_moved = any(id_ in placed and _place(placed[id_]) != _place(self._lying[id_]) for id_ in before)
        return is_moved and self._must_wait(self._lying[operation.id], not_before)

    def _must_wait(self, task: OpenTask, until: datetime) -> bool:
        is_sooner = task.start is not None and task.start < until
        return is_sooner and (task.id in self._free or until >= self._frozen)

    def _take_out_later(
        self, workload: Workload, order: OpenOrder, operation: Operation, which: Collection[int]
    ) -> list[OpenTask]:
        """Take out of the lanes that are asked what comes after an operation, and would wait for it, and may move."""
        later = [
            self._lying[other.id]
            for other in order.operations
            if other.is_free and other.people and other.id not in which
            if operation.stage is not None and other.stage is not None and other.stage > operation.stage
        ]
        taken = [workload.take_out(t.responsible_id, t.id) for t in later if t.responsible_id in operation.people]
        return list(filter(None, taken))

    def _put_back(
        self,
        workload: Workload,
        order: OpenOrder,
        placed: dict[int, OpenTask],
        ends: dict[int, tuple[int | None, datetime]],
        forced: Mapping[int, str],
    ) -> None:
        """Leave what need not move where it was: the last operations first, as late as the order allows."""
        finish = max((end for _stage, end in ends.values()), default=None)
        if finish is None:
            return
        latest = max(finish, order.late_from) if order.late_from and not order.is_first else finish
        for operation in reversed(order.by_stage):
            new, old = placed.get(operation.id), self._lying[operation.id]
            if new is None or operation.id in forced or _place(new) == _place(old) or old.start is None:
                continue
            later = [
                placed[other.id].start if other.id in placed else self._lying[other.id].start
                for other in order.operations
                if operation.stage is not None and other.stage is not None and other.stage > operation.stage
            ]
            limit = min([latest, *(start for start in later if start)])
            not_before, _after = _waits_for(
                {id_: end for id_, end in ends.items() if id_ != operation.id}, operation.stage, order.accepted
            )
            if not_before is not None and old.start < not_before:
                continue
            workload.take_out(new.responsible_id, new.id)
            others = self._slots_of(workload, old.responsible_id)
            workload.put(replace(old, not_before=None))
            end = _end_of(workload, old)
            spans = self._slots_of(workload, old.responsible_id)
            is_there = end is not None and old.end is not None and end <= min(limit, old.end)
            if is_there and all(spans[id_] == span for id_, span in others.items()):
                placed[operation.id] = replace(old, not_before=None)
                ends[operation.id] = operation.stage, end or limit
            else:
                workload.take_out(old.responsible_id, old.id)
                workload.put(new)

    def _slots_of(self, workload: Workload, worker_id: int) -> dict[int, tuple[int, int]]:
        """The spans of a lane that other work must not push: those of slots."""
        return {id_: span for id_, span in workload.spans(worker_id).items() if self._lying[id_].slot}

    # decisions

    def _keep(self, order: OpenOrder, draft: _Draft | None, forced: Mapping[int, str]) -> list[Move]:
        """Take what was decided for an order into both workloads; nothing pushes it from here on."""
        moves: list[Move] = []
        placed, unmoved = (draft.placed, draft.unmoved) if draft else ({}, frozenset[int]())
        self.unmoved |= unmoved & forced.keys()
        self.stuck |= forced.keys() - placed.keys() - unmoved
        slots = _by_worker(placed.values())
        before = {worker_id: dict(self._full.spans(worker_id)) for worker_id in slots}
        for operation in order.operations:
            old, new = self._lying[operation.id], placed.get(operation.id)
            self._floor.put(new or self._full.find(old.responsible_id, operation.id) or old)
            if new is not None and draft is not None:
                self._full.take_out(old.responsible_id, operation.id)
                self._lying[operation.id] = new
                tender, not_before, after = draft.tenders[operation.id]
                cause = forced.get(operation.id) or (FIRST if order.is_first else LATE)
                if operation.id in draft.following:
                    cause = FOLLOWS
                room_for = frozenset(filter(None, [self._homeless.get(operation.id)]))
                asked = tender, self._candidates, not_before, after, room_for
                moves.append(Move(order.id, replace(old, not_before=None), new, cause, *asked))
        self._settle(self._floor, order)
        for operation in order.operations:
            worker_id = self._lying[operation.id].responsible_id
            lay = self._floor.find(worker_id, operation.id)
            if lay is not None and lay != self._full.find(worker_id, operation.id):
                self._full.put(lay)
        self._decided |= {operation.id for operation in order.operations}
        for worker_id, taken in slots.items():
            self._push_out(order.id, worker_id, taken, before[worker_id])
        self._settle(self._full, order)
        return moves

    def _push_out(
        self, order_id: str, worker_id: int, slots: Sequence[OpenTask], before: Mapping[int, tuple[int, int]]
    ) -> None:
        """Take out of a lane what lies in these slots, and what would push them, or what else has been decided."""
        open_ones = self._open.get(worker_id, set())
        for task_id in list(open_ones):
            task = self._lying[task_id]
            if any(overlap(task, slot) for slot in slots):
                self._evict(task, order_id)
        new = {slot.id for slot in slots}
        while open_ones:
            full, floor = self._full.spans(worker_id), self._floor.spans(worker_id)
            pushed = [
                span[0]
                for id_, span in full.items()
                if (span != floor[id_] if id_ in new else id_ in self._decided and span > before.get(id_, span))
            ]
            earlier = [id_ for id_ in open_ones if id_ in full and full[id_][0] < max(pushed, default=0)]
            if not earlier:
                return
            self._evict(self._lying[max(earlier, key=lambda id_: full[id_])], order_id)

    def _evict(self, task: OpenTask, order_id: str) -> None:
        self._full.take_out(task.responsible_id, task.id)
        self._open[task.responsible_id].discard(task.id)
        self._homeless[task.id] = order_id


def _by_worker(tasks: Iterable[OpenTask]) -> dict[int, list[OpenTask]]:
    tasks_by_worker: dict[int, list[OpenTask]] = {}
    for task in tasks:
        tasks_by_worker.setdefault(task.responsible_id, []).append(task)
    return tasks_by_worker


def _work_after(order: OpenOrder, which: Collection[int]) -> dict[int | None, int]:
    """Seconds of work, at rate 1, that some operations of an order take one after the other when a stage has ended."""
    seconds: dict[int | None, int] = {}
    left = 0
    for operation in reversed(order.by_stage):
        if operation.stage is not None and operation.id in which:
            seconds.setdefault(operation.stage, left)
            left = max(left, seconds[operation.stage] + operation.task.remaining_s)
    return seconds


def _lay(workload: Workload, tasks: Iterable[OpenTask]) -> None:
    for task in tasks:
        workload.put(task)


def _waits_for(
    ends: Mapping[int, tuple[int | None, datetime]], stage: int | None, accepted: datetime | None
) -> tuple[datetime | None, int | None]:
    """When an operation may begin, and for which one of its order it waits."""
    not_before, after = accepted, None
    for task_id, (earlier, end) in ends.items():
        if stage is not None and earlier is not None and earlier < stage and (not_before is None or end > not_before):
            not_before, after = end, task_id
    return not_before, after


def _end_of(workload: Workload, task: OpenTask) -> datetime | None:
    try:
        return workload.end_of(task.responsible_id, task.id)
    except NoWorkingTime:
        return None
