"""How late orders get, day by day: `python -m tests.bench simulation`, or `-m tests.bench.simulation [--seeds N]`.

A plant without a portal: orders come, take longer or shorter than 1C says, people fall ill. Plans are made with
`scheduling` and `assignment/replan.py`, as `assign` and `replan` make them. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from b24tools.assignment.replan import plan_moves
from b24tools.assignment.replan_moves import AWAY, OpenOrder, Operation
from b24tools.scheduling.calendar import HOUR_S, Shift, Timeline, WorkCalendar, end_of_next_working_day
from b24tools.scheduling.lane import OpenTask, Worker
from b24tools.scheduling.workload import Workload, remaining_s
from tests.bench import measuring

ZONE = ZoneInfo("Europe/Moscow")
MONDAY = datetime(2026, 3, 2, 7, 0, tzinfo=ZONE).astimezone(UTC)
CALENDAR = WorkCalendar(ZONE, (Shift(frozenset(range(1, 6)), 9 * HOUR_S, 18 * HOUR_S),))
STEP_S = 300
WORK_S = 8 * HOUR_S  # of a day
DAYS = 20
POSITIONS, PER_POSITION = 6, 3
MINUTES = (30, 480)
LINES = (3, 6)
LEAD_DAYS = (3, 15)  # working days from an order to its wanted day
ILL, ILL_DAYS = 0.01, 3
SPREAD = 0.3
SEEDS = 5
FIRST_COME, BY_DATE, SICK, REPLAN = "first come", "by date", "work of the sick moved", "nightly replan"
POLICIES = (FIRST_COME, BY_DATE, SICK, REPLAN)


@dataclass
class Line:
    """An operation: its task as it is planned, and how long it really takes. Seconds of work since the beginning."""

    task: OpenTask
    position: int
    stage: int | None
    takes_s: int
    spent_s: int = 0
    done_at: int | None = None
    moves: int = 0


@dataclass
class Order:
    """An order: when it came, and the day that it is wanted by, as numbers of working days."""

    number: int
    day: int
    wanted: int
    lines: list[Line]

    @property
    def done_at(self) -> int | None:
        """When its last operation was done."""
        ends = [line.done_at for line in self.lines]
        return None if None in ends else max(end for end in ends if end is not None)


@dataclass
class Plant:
    """The plant with its people, its orders, and who is ill on which days."""

    orders: list[Order]
    ill: dict[int, set[int]]
    policy: str
    timeline: Timeline = field(default_factory=lambda: Timeline(CALENDAR, (), MONDAY))
    begun: dict[int, Line] = field(default_factory=dict)

    def live(self) -> None:
        """Every morning: plan what came, move what has to; then work."""
        day = 0
        while any(order.done_at is None for order in self.orders):
            self.plan(day)
            self.work(day)
            day += 1

    # planning

    def now(self, day: int) -> datetime:
        """Seven o'clock of a working day."""
        start = self.timeline.start_at(day * WORK_S).astimezone(ZONE)
        return start.replace(hour=7).astimezone(UTC)

    def workers(self, day: int) -> list[Worker]:
        """Everybody, with what is known of illnesses: those that have begun."""
        workers = []
        for index in range(POSITIONS * PER_POSITION):
            away = []
            for ill in sorted(self.ill.get(index, ())):
                if ill - 1 in self.ill[index] or ill > day:
                    continue
                until = ill
                while until + 1 in self.ill[index]:
                    until += 1
                away.append((self.now(ill), self.timeline.end_at((until + 1) * WORK_S)))
            workers.append(Worker(index + 1, f"#{index + 1}", tuple(away)))
        return workers

    def open_lines(self, day: int) -> list[Line]:
        """Every operation that is planned and not done."""
        return [line for order in self.orders if order.day < day for line in order.lines if line.done_at is None]

    def tasks(self, lines: list[Line]) -> list[OpenTask]:
        """The lines as `assign` sees them on the portal."""
        return [
            replace(
                line.task,
                remaining_s=remaining_s(line.task.remaining_s, line.spent_s, STEP_S),
                begun=line.spent_s > 0,
            )
            for line in lines
        ]

    def plan(self, day: int) -> None:
        """Give out the orders of the day before; then move."""
        now, workers = self.now(day), self.workers(day)
        new = [order for order in self.orders if order.day == day - 1]
        if self.policy != FIRST_COME:
            new.sort(key=lambda order: order.wanted)
        workload = Workload(CALENDAR, now, workers, self.tasks(self.open_lines(day - 1)), STEP_S) if new else None
        for order in new:
            assert workload is not None
            ends: list[tuple[int, datetime]] = []
            for line in order.lines:
                before = [end for stage, end in ends if line.stage is not None and stage < line.stage]
                people = range(line.position * PER_POSITION + 1, (line.position + 1) * PER_POSITION + 1)
                choice = workload.choose(people, line.task.remaining_s, max(before, default=None))
                line.task = replace(
                    line.task, responsible_id=choice.responsible_id, start=choice.start, end=choice.finish
                )
                if line.stage is not None:
                    ends.append((line.stage, choice.finish))
        if self.policy in (SICK, REPLAN):
            self.move(day, now, workers)

    def move(self, day: int, now: datetime, workers: list[Worker]) -> None:
        """Replan, or only move the work of the sick."""
        lines = {line.task.id: line for line in self.open_lines(day)}
        tasks = {task.id: task for task in self.tasks(list(lines.values()))}
        workload = Workload(CALENDAR, now, workers, tasks.values(), STEP_S)
        frozen = end_of_next_working_day(CALENDAR, now)
        away = {worker.id: worker.absences for worker in workers}
        orders = []
        for order in self.orders:
            operations = []
            for line in order.lines:
                task = tasks.get(line.task.id)
                if task is None or task.start is None:
                    continue
                begins = self.timeline.start_at(self.timeline.worked(max(task.start, now)))
                is_away = any(start <= begins < end for start, end in away[task.responsible_id])
                is_away |= bool(workload.lost_under_absences(task.responsible_id, task.id))
                is_free = self.policy == REPLAN and not task.begun
                people = tuple(range(line.position * PER_POSITION + 1, (line.position + 1) * PER_POSITION + 1))
                cause = AWAY if is_away and not task.begun else ""
                operations.append(Operation(task, line.stage, people, is_free, cause))
            if operations:
                late_from = self.late_from(order)
                orders.append(OpenOrder(str(order.number), (late_from, order.number), late_from, tuple(operations)))
        for move in plan_moves(CALENDAR, now, workers, tasks.values(), orders, STEP_S, frozen=frozen).moves:
            line = lines[move.before.id]
            line.moves += 1
            line.task = replace(
                line.task, responsible_id=move.after.responsible_id, start=move.after.start, end=move.after.end
            )

    def late_from(self, order: Order) -> datetime:
        """The midnight after the wanted day."""
        return self.timeline.end_at((order.wanted + 1) * WORK_S) + timedelta(hours=6)

    # working

    def work(self, day: int) -> None:
        """One day: everybody does what is next on the list and can be done; what is begun is finished first."""
        start, end = day * WORK_S, (day + 1) * WORK_S
        lists: dict[int, list[tuple[datetime, Order, Line]]] = {}
        for order in self.orders:
            for line in order.lines:
                if order.day < day and line.done_at is None and line.task.start:
                    lists.setdefault(line.task.responsible_id, []).append((line.task.start, order, line))
        for own in lists.values():
            own.sort(key=lambda entry: (entry[0], entry[2].task.id))
        present = [index + 1 for index in range(POSITIONS * PER_POSITION) if day not in self.ill.get(index, ())]
        events = [(start, person) for person in present]
        heapq.heapify(events)
        waiting: set[int] = set()
        doing = {person: self.begun[person] for person in present if person in self.begun}
        while events:
            moment, person = heapq.heappop(events)
            line = doing.get(person)
            if line is not None and line.spent_s >= line.takes_s:
                line.done_at = moment
                del doing[person]
                self.begun.pop(person, None)
                for other in waiting:
                    heapq.heappush(events, (moment, other))
                waiting.clear()
                line = None
            if line is None:
                line = next((ready for _at, order, ready in lists.get(person, ()) if _is_ready(order, ready)), None)
                if line is None:
                    waiting.add(person)
                    continue
                doing[person] = self.begun[person] = line
            worked = min(line.takes_s - line.spent_s, end - moment)
            line.spent_s += worked
            if line.spent_s >= line.takes_s:
                heapq.heappush(events, (moment + worked, person))


def _is_ready(order: Order, line: Line) -> bool:
    if line.done_at is not None or line.spent_s:
        return False
    return all(
        other.done_at is not None
        for other in order.lines
        if line.stage is not None and other.stage is not None and other.stage < line.stage
    )


def make_orders(chance: random.Random, load: float, *, route: bool) -> list[Order]:
    """Orders of twenty days that fill so much of everybody's time."""
    orders: list[Order] = []
    task_id, carry = 0, 0.0
    for day in range(DAYS):
        left_s = load * WORK_S * POSITIONS * PER_POSITION + carry
        while left_s > 0:
            positions = sorted(chance.sample(range(POSITIONS), chance.randint(*LINES)))
            lines = []
            for position in positions:
                seconds = chance.randrange(MINUTES[0], MINUTES[1] + 1, 5) * 60
                task_id += 1
                takes_s = round(seconds * chance.uniform(1 - SPREAD, 1 + SPREAD))
                task = OpenTask(task_id, 0, seconds, ours=True)
                lines.append(Line(task, position, position if route else None, takes_s))
                left_s -= seconds
            soonest = -(-sum(line.task.remaining_s for line in lines) // WORK_S) + 1  # nobody wants the impossible
            orders.append(Order(len(orders), day, day + 1 + max(soonest, chance.randint(*LEAD_DAYS)), lines))
        carry = left_s
    return orders


def make_illnesses(chance: random.Random) -> dict[int, set[int]]:
    """Who is ill on which days."""
    ill: dict[int, set[int]] = {}
    for person in range(POSITIONS * PER_POSITION):
        day = 0
        while day < DAYS * 3:
            if chance.random() < ILL:
                ill.setdefault(person, set()).update(range(day, day + ILL_DAYS))
                day += ILL_DAYS
            day += 1
    return ill


def simulate(seed: int, load: float, policy: str, *, route: bool) -> tuple[int, int, int, int, int]:
    """Orders, late ones, working days of lateness, operations, moves."""
    chance = random.Random(seed)
    orders = make_orders(chance, load, route=route)
    plant = Plant(orders, make_illnesses(chance), policy)
    plant.live()
    late = [max(0, -(-(order.done_at or 0) // WORK_S) - 1 - order.wanted) for order in orders]
    lines = [line for order in orders for line in order.lines]
    return len(orders), sum(days > 0 for days in late), sum(late), len(lines), sum(line.moves for line in lines)


def report(seeds: int = SEEDS) -> str:
    """The table, in Markdown."""
    lines = [
        f"Plans that are kept up; plants: {seeds}\n",
        "| route | load | plan | orders | late, % | days late, of all orders | moves per operation |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for route in (True, False):
        for load in (0.92, 0.8):
            for policy in POLICIES:
                results = [simulate(seed, load, policy, route=route) for seed in range(seeds)]
                orders, late, days, operations, moves = (sum(column) for column in zip(*results, strict=True))
                shares = f"{100 * late / orders:.1f} | {days / orders:.2f} | {moves / operations:.2f}"
                lines.append(f"| {'yes' if route else 'no'} | {load:.0%} | {policy} | {orders} | {shares} |")
                measuring.tell(".")
    return "\n".join([*lines, ""])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=SEEDS)
    sys.stdout.write(report(parser.parse_args().seeds))


if __name__ == "__main__":
    main()
