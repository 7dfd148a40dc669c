"""Moves of unbegun work, planned: on random plants, what must hold whatever is late, ill, frozen or waiting."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import combinations
from math import inf
from zoneinfo import ZoneInfo

import pytest

from b24tools.assignment.replan import Plan, plan_moves
from b24tools.assignment.replan_moves import AWAY, DISPLACED, FOLLOWS, LATE, Move, OpenOrder, Operation
from b24tools.scheduling.calendar import HOUR_S, Shift, WorkCalendar, end_of_next_working_day
from b24tools.scheduling.lane import OpenTask, StagedTask, Worker
from b24tools.scheduling.workload import Workload

ZONE = ZoneInfo("Europe/Moscow")
CALENDAR = WorkCalendar(ZONE, (Shift(frozenset(range(1, 6)), 9 * HOUR_S, 18 * HOUR_S),))
STEP_S = 300
PLANTS = 40


def at(day: int, hour: int = 0) -> datetime:
    """A moment of March 2026, which begins on a Sunday."""
    return datetime(2026, 3, day, hour, tzinfo=ZONE).astimezone(UTC)


NOW = at(2, 7)
FROZEN = at(2, 18)


@dataclass
class Plant:
    """People, their tasks, and the orders that these belong to."""

    workers: list[Worker]
    tasks: list[OpenTask]
    orders: list[OpenOrder]

    def plan(self) -> Plan:
        """The moves."""
        return plan_moves(CALENDAR, NOW, self.workers, self.tasks, self.orders, STEP_S, frozen=FROZEN)

    def begins(self) -> dict[int, datetime]:
        """When the operations begin as everything lies now, without what has to move."""
        operations = [op for order in self.orders for op in order.operations]
        leaving = {op.id for op in operations if op.cause}
        workload = Workload(CALENDAR, NOW, self.workers, [t for t in self.tasks if t.id not in leaving], STEP_S)
        workload.let_wait(
            [StagedTask(op.stage, op.task.responsible_id, op.id) for op in order.operations] for order in self.orders
        )
        spans = {op.id: workload.span_of(op.task.responsible_id, op.id) for op in operations}
        return {op.id: (spans[op.id] or (_starts(op.task),))[0] for op in operations}

    def moved(self, moves: Iterable[Move]) -> Plant:
        """The plant with its tasks where the moves put them; what had to move has."""
        after = {move.before.id: move.after for move in moves}
        orders = [
            replace(
                order,
                operations=tuple(
                    replace(op, task=after[op.id], cause="") if op.id in after else op for op in order.operations
                ),
            )
            for order in self.orders
        ]
        return Plant(self.workers, [after.get(task.id, task) for task in self.tasks], orders)


def grow(seed: int, *, route: bool) -> Plant:
    """Six people of two positions, ten orders given out as they came; then somebody falls ill, something is late."""
    chance = random.Random(seed)
    workers = [Worker(number, f"#{number}") for number in range(1, 7)]
    workload = Workload(CALENDAR, NOW, workers, [], STEP_S)
    planned: list[tuple[datetime, list[tuple[OpenTask, int, tuple[int, ...]]]]] = []
    for number in range(10):
        ends = None
        lines = []
        for position in range(chance.randint(1, 2)):
            people = (1, 2, 3) if position == 0 else (4, 5, 6)
            length_s = chance.randrange(1, 20) * 1800
            choice = workload.choose(people, length_s, ends)
            ends = choice.finish if route else None
            task_id = 10 * (number + 1) + position
            task = OpenTask(task_id, choice.responsible_id, length_s, choice.start, choice.finish, ours=True)
            lines.append((task, position, people))
        planned.append((at(chance.randint(3, 9)), lines))
    overdue = [OpenTask(1, chance.randint(1, 3), chance.randrange(1, 9) * HOUR_S, at(1, 9), at(1, 18), begun=True)]
    ill = chance.randint(1, 6)
    absence = at(2), at(2) + timedelta(days=chance.randint(1, 4))
    workers = [worker._replace(absences=(absence,)) if worker.id == ill else worker for worker in workers]
    orders = []
    for number, (wanted, lines) in enumerate(planned):
        operations = []
        for task, position, people in lines:
            assert task.start is not None
            is_under = task.responsible_id == ill and task.start < absence[1]
            operations.append(Operation(task, position if route else None, people, True, AWAY if is_under else ""))
        orders.append(OpenOrder(str(number), (wanted, number), wanted, tuple(operations)))
    return Plant(workers, [*overdue, *(task for _wanted, lines in planned for task, _place, _ids in lines)], orders)


@pytest.mark.parametrize("route", [True, False])
@pytest.mark.parametrize("seed", [*range(PLANTS), 310])
def test_whatever_the_plant_the_plan_holds(seed: int, route: bool) -> None:
    """Nothing at once, nothing inside an absence, nothing before what it waits for, and no end to come."""
    plant = grow(seed, route=route)
    plan = plant.plan()
    after = plant.moved(plan.moves)
    moved = {move.before.id for move in plan.moves}
    away = {worker.id: worker.absences for worker in plant.workers}
    for task, other in combinations([task for task in after.tasks if task.slot], 2):
        if task.responsible_id == other.responsible_id and {task.id, other.id} & moved:
            assert task.slot[1] <= other.slot[0] or other.slot[1] <= task.slot[0], (task, other)  # type: ignore[index]
    for move in plan.moves:
        assert move.after.start is not None
        assert not any(start <= move.after.start < end for start, end in away[move.after.responsible_id])
    for order in after.orders:
        for operation, other in combinations(order.operations, 2):
            if operation.id in moved or other.id in moved:
                first, second = sorted((operation, other), key=lambda operation: operation.stage or 0)
                if route and second.id in moved:
                    assert first.task.end <= second.task.start  # type: ignore[operator]
    forced = {op.id for order in plant.orders for op in order.operations if op.cause}
    assert forced <= moved
    begins = plant.begins()
    frozen = {
        op.id
        for order in plant.orders
        for op in order.operations
        if begins[op.id] < FROZEN and not any(other.cause for other in order.operations)
    }
    assert not frozen & moved
    assert () == after.plan().moves


# 135: a slot before the end of its moved predecessor pushed a more important order; 263: so did what cannot move
@pytest.mark.parametrize("seed", [*range(PLANTS), 105, 135, 263, 316])
def test_it_does_not_make_orders_later_for_nothing(seed: int) -> None:
    """Of the orders that are later than without moves, each made room for a more important one that ends sooner."""
    plant = grow(seed, route=True)
    plan = plant.plan()
    before, after = _ends(plant), _ends(plant.moved(plan.moves))
    orders = sorted(plant.orders, key=lambda order: order.importance)
    for place, order in enumerate(orders):
        assert order.late_from is not None
        if _day(after[order.id]) > _day(max(before[order.id], order.late_from)):  # hours are not fought for
            assert any(after[other.id] < before[other.id] for other in orders[:place])


def _starts(task: OpenTask) -> datetime:
    assert task.start is not None
    return task.start


def _day(moment: datetime) -> date:
    return (moment - timedelta(seconds=1)).astimezone(ZONE).date()


def _ends(plant: Plant) -> dict[str, datetime]:
    """When each order is done, off lanes of its own."""
    workload = Workload(CALENDAR, NOW, plant.workers, plant.tasks, STEP_S)
    for _round in range(9):
        for order in plant.orders:
            until = None
            for operation in sorted(order.operations, key=lambda operation: operation.stage or 0):
                if until and operation.task.start and operation.task.start < until:
                    workload.hold(operation.task.responsible_id, operation.id, until)
                span = workload.span_of(operation.task.responsible_id, operation.id)
                until = span[1] if span else until
    ends = {}
    for order in plant.orders:
        spans = [workload.span_of(operation.task.responsible_id, operation.id) for operation in order.operations]
        ends[order.id] = max(span[1] for span in spans if span)
    return ends


@pytest.mark.parametrize(
    ("now", "days", "end"),
    [
        (at(2, 7), 1, at(2, 18)),
        (at(2, 10), 1, at(3, 18)),
        (at(2, 20), 1, at(3, 18)),
        (at(6, 20), 1, at(9, 18)),
        (at(7, 12), 2, at(10, 18)),
        (at(2, 7), 0, at(2, 7)),
    ],
)
def test_the_working_day_that_begins_next_is_frozen(now: datetime, days: int, end: datetime) -> None:
    """In the morning that is today; in the evening, and at the weekend, the next one."""
    assert end == end_of_next_working_day(CALENDAR, now, days)


@pytest.mark.parametrize("seed", range(PLANTS))
def test_who_may_be_the_first_is_found_without_weighing_all(seed: int) -> None:
    """Whatever the absences, rates and calendars; and nobody is done sooner than is said to be possible."""
    chance = random.Random(seed)
    early = WorkCalendar(ZONE, (Shift(frozenset(range(1, 8)), 5 * HOUR_S, 12 * HOUR_S),))
    workers = []
    for number in range(1, 9):
        start = at(chance.randint(1, 6), chance.randint(0, 20))
        absences = ((start, start + timedelta(hours=chance.randint(1, 90))),) if chance.random() < 0.4 else ()
        rate = Fraction(chance.choice([1, 1, 1, 2, 3]), chance.choice([1, 1, 1, 2]))
        calendar = early if chance.random() < 0.2 else None
        workers.append(Worker(number, f"#{number}", absences, rate=rate, calendar=calendar))
    tasks = []
    for number in range(1, 25):
        start = at(chance.randint(1, 8), chance.randint(9, 17)) + timedelta(minutes=chance.choice([0, 7, 30]))
        slot = start, start + timedelta(hours=chance.randint(1, 30)), chance.random() < 0.7
        tasks.append(OpenTask(number, chance.randint(1, 8), chance.randrange(1, 60) * 600, *slot))
    workload = Workload(CALENDAR, NOW, workers, tasks, STEP_S)
    for _number in range(20):
        question = range(1, 9), chance.randrange(1, 60) * 600, at(chance.randint(1, 8), chance.randint(0, 23))
        all_weighed, first = workload.weigh(*question), workload.offer(*question).choose(most=1)
        assert (all_weighed.responsible_id, all_weighed.start, all_weighed.finish) == (
            first.responsible_id,
            first.start,
            first.finish,
        )
        assert workload.offer(*question).soonest() <= first.finish


def exchange(*, priority: float = inf) -> Plant:
    """One person, two orders of the same wanted day: the one that came first lies on the day after it."""
    slots = [(at(4, 9), at(4, 18)), (at(3, 9), at(3, 18))]
    tasks = [OpenTask(number, 1, 8 * HOUR_S, *slot, ours=True) for number, slot in enumerate(slots, 1)]
    orders = [
        OpenOrder(
            str(task.id),
            (rank, at(4), task.id),
            at(4),
            (Operation(task, 0, (1,), is_free=True),),
            priority=rank,
        )
        for task, rank in zip(tasks, (priority, inf), strict=True)
    ]
    return Plant([Worker(1, "#1")], [OpenTask(9, 1, 8 * HOUR_S, begun=True), *tasks], orders)


def test_no_order_is_given_the_day_of_another_that_is_as_important() -> None:
    """One would be in time, and the other late by the same day; for a priority that is done."""
    assert exchange().plan().moves == ()
    moves = exchange(priority=1).plan().moves
    assert [(move.before.id, move.cause, move.after.start) for move in moves] == [
        (1, LATE, at(3, 9)),
        (2, DISPLACED, at(4, 9)),
    ]


def in_sequence(*places: tuple[int, datetime, datetime], late_from: datetime, away: int = 0) -> Plant:
    """An order whose operations take a day each; 1 and 2 may do those of one another, and 3 and 4. One may be away."""
    absence = (at(2), at(4))
    workers = [Worker(number, f"#{number}", (absence,) if number == away else ()) for number in range(1, 5)]
    tasks = [OpenTask(stage, person, 8 * HOUR_S, *slot, ours=True) for stage, (person, *slot) in enumerate(places, 1)]
    operations = [
        Operation(task, task.id, ((1, 2), (3, 4))[task.responsible_id > 2], True, AWAY * (task.responsible_id == away))
        for task in tasks
    ]
    return Plant(workers, tasks, [OpenOrder("1", (1,), late_from, tuple(operations))])


def what_moves(plan: Plan) -> list[tuple[int, str, int, datetime | None, datetime | None]]:
    """Task, reason, and the person and the slot that it gets."""
    return [(m.before.id, m.cause, m.after.responsible_id, m.after.start, m.after.end) for m in plan.moves]


def test_what_waits_for_moved_work_moves_with_it() -> None:
    """To its person's first time after that, as does what waits for it in turn; the order is in time."""
    days = [(at(day, 9), at(day, 18)) for day in range(2, 7)]
    plant = in_sequence((1, *days[0]), (3, *days[1]), (3, *days[2]), (3, *days[4]), late_from=at(9), away=1)
    plant.tasks.append(OpenTask(9, 2, 8 * HOUR_S, *days[0], ours=True))
    plan = plant.plan()
    assert what_moves(plan) == [(1, AWAY, 2, *days[1]), (2, FOLLOWS, 3, *days[2]), (3, FOLLOWS, 3, *days[3])]
    assert [move.waits_for for move in plan.moves] == [None, 1, 2]
    assert plant.moved(plan.moves).plan().moves == ()


@pytest.mark.parametrize(("late_from", "cause", "person", "day"), [(at(7), FOLLOWS, 3, 6), (at(6), LATE, 4, 5)])
def test_it_goes_to_somebody_else_only_where_that_helps_its_order(
    late_from: datetime, cause: str, person: int, day: int
) -> None:
    """Its own person has time a day later: that is told, where it is in time."""
    plant = in_sequence((1, at(2, 9), at(2, 18)), (3, at(3, 9), at(3, 18)), late_from=late_from, away=1)
    plant.tasks += [OpenTask(9, 2, 16 * HOUR_S, at(2, 9), at(3, 18), ours=True)]
    plant.tasks += [OpenTask(8, 3, 8 * HOUR_S, at(5, 9), at(5, 18), ours=True)]
    plan = plant.plan()
    assert what_moves(plan) == [(1, AWAY, 1, at(4, 9), at(4, 18)), (2, cause, person, at(day, 9), at(day, 18))]
    choice = plan.moves[1].choice
    told = (choice.reason, [(one.id, one.chosen) for one in choice.candidates])
    assert told == (("holder", [(4, False), (3, True)]) if person == 3 else ("only", [(4, True)]))


def test_what_really_begins_within_the_frozen_time_does_not_follow() -> None:
    """Though it is planned before what it waits for ends: that keeps it from beginning until the afternoon."""
    morning, noon = (at(2, 9), at(2, 12)), (at(2, 14), at(2, 17))
    plant = in_sequence((1, *morning), (3, *noon), late_from=at(4), away=1)
    plant.tasks = [replace(task, remaining_s=3 * HOUR_S) for task in plant.tasks]
    operations = [replace(op, task=task) for op, task in zip(plant.orders[0].operations, plant.tasks, strict=True)]
    plant.orders = [replace(plant.orders[0], operations=tuple(operations))]
    plant.tasks.append(OpenTask(9, 2, 2 * HOUR_S, at(2, 9), at(2, 11), ours=True))
    assert what_moves(plant.plan()) == [(1, AWAY, 2, at(2, 11), at(2, 15))]


def test_work_goes_to_nobody_who_ends_it_no_sooner() -> None:
    """Who has it keeps it, though another has less to do."""
    plant = in_sequence((1, at(4, 9), at(4, 18)), late_from=at(4))
    plant.tasks.append(OpenTask(9, 1, 8 * HOUR_S, at(6, 9), at(6, 18), ours=True))
    plan = plant.plan()
    assert what_moves(plan) == [(1, LATE, 1, at(2, 9), at(2, 18))]
    choice = plan.moves[0].choice
    assert (choice.responsible_id, choice.reason) == (1, "holder")
    assert [one.id for one in choice.candidates] == [2, 1]


@pytest.mark.parametrize("seed", range(PLANTS))
def test_no_slot_stays_before_the_end_of_what_it_waits_for(seed: int) -> None:
    """Of work that could move as well: of an order of which something has moved."""
    plant = grow(seed, route=True)
    plan = plant.plan()
    moved = {move.before.id for move in plan.moves}
    after = plant.moved(plan.moves)
    begins = after.begins()
    for order in after.orders:
        for first, second in combinations(sorted(order.operations, key=lambda operation: operation.stage or 0), 2):
            if first.id in moved and begins[second.id] >= FROZEN:
                assert first.task.end <= second.task.start, (first, second)  # type: ignore[operator]


def crowd(seed: int) -> Plant:
    """Orders with and without priority; one of six people falls ill on Wednesday, and somebody has overdue work."""
    chance = random.Random(seed)
    workers = [Worker(number, f"#{number}") for number in range(1, 7)]
    workload = Workload(CALENDAR, NOW, workers, [], STEP_S)
    ill, absence = chance.randint(1, 6), (at(4), at(6))
    tasks = [OpenTask(1, chance.randint(1, 3), 8 * HOUR_S, begun=True)]
    orders = []
    for number in range(1, 15):
        ends: datetime | None = None
        operations: list[Operation] = []
        for stage, people in enumerate(((1, 2, 3), (4, 5, 6), (1, 2, 3))[: chance.randint(1, 3)]):
            length_s = chance.randrange(1, 20) * 1800
            choice = workload.choose(people, length_s, ends)
            ends = choice.finish
            task = OpenTask(10 * number + stage, choice.responsible_id, length_s, choice.start, ends, ours=True)
            is_under = task.responsible_id == ill and choice.start < absence[1] and absence[0] < ends
            operations.append(Operation(task, stage, people, True, AWAY if is_under else ""))
        wanted, priority = at(chance.randint(3, 9)), chance.choice((1, inf))
        orders.append(OpenOrder(str(number), (priority, wanted, number), wanted, tuple(operations), priority=priority))
        tasks += [operation.task for operation in operations]
    workers = [worker._replace(absences=(absence,)) if worker.id == ill else worker for worker in workers]
    return Plant(workers, tasks, orders)


# 3: what lies under the absence is also in the way; 7290: and that is an exchange; else exchanges that are left out
@pytest.mark.parametrize("seed", [3, 180, 1699, 2670, 7290])
def test_what_is_left_out_leaves_nothing_to_do(seed: int) -> None:
    """All that lies under the absence moves, for that reason, whatever else would push it; and once more nothing."""
    plant = crowd(seed)
    plan = plant.plan()
    away = {op.id for order in plant.orders for op in order.operations if op.cause}
    reasons = {move.before.id: move.cause for move in plan.moves}
    assert {id_: AWAY for id_ in away - plan.unmoved} == {id_: reasons.get(id_) for id_ in away - plan.unmoved}
    assert () == plant.moved(plan.moves).plan().moves


@pytest.mark.parametrize("seed", [*range(PLANTS), 111, 194, 648, 1537])
def test_moves_that_help_an_order_take_less_from_others(seed: int) -> None:
    """Where nothing has to move, late orders win days, all together; and the next night does not undo it."""
    plant, chance = grow(seed, route=True), random.Random(seed)
    orders = []
    for number, order in enumerate(chance.sample(plant.orders, len(plant.orders))):
        wanted = at(chance.randint(4, 5))
        operations = tuple(replace(operation, cause="") for operation in order.operations)
        orders.append(replace(order, importance=(wanted, number), late_from=wanted, operations=operations))
    plant = Plant([worker._replace(absences=()) for worker in plant.workers], plant.tasks, orders)
    plan = plant.plan()
    late = [
        sum(max(0, (_day(ends[order.id]) - _day(order.late_from)).days) for order in orders if order.late_from)
        for ends in (_ends(plant), _ends(plant.moved(plan.moves)))
    ]
    assert late[1] < late[0] if plan.moves else late[1] == late[0]
    assert plant.moved(plan.moves).plan().moves == ()
