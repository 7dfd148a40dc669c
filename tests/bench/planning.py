"""How long planning takes once the portal has answered: `python -m tests.bench.planning [--profile [--replan]]`.

No network, no clock: the answers are made up, drafting is what `assign` does between reading and writing.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import random
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from b24tools.assignment.matching import items_of
from b24tools.assignment.plan import Item, Rules
from b24tools.assignment.planner import Planner
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.replan import plan_moves
from b24tools.assignment.replan_moves import OpenOrder, Operation
from b24tools.bitrix24.org_cache import OrgData, Places
from b24tools.bitrix24.portal_time import PortalClock
from b24tools.core.models import Absence, Department, Owner, Person, Status, Task
from b24tools.core.org_structure import Staff
from b24tools.onec import order
from b24tools.scheduling.calendar import Shift, Timeline, WorkCalendar, end_of_next_working_day
from b24tools.scheduling.lane import OpenTask, Worker
from b24tools.scheduling.workload import Workload
from tests.bench import measuring

gc.set_threshold(200_000)  # as the program does
ZONE = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=ZONE).astimezone(UTC)
ORDERS, LINES, POSITIONS, OPEN_TASKS = 100, 6, 10, 40
PEOPLE = (10, 100, 500, 1_000)
CALENDAR = WorkCalendar(ZONE, (Shift(frozenset(range(1, 6)), 9 * 3600, 18 * 3600, 3600),))
REPLANNED, ROUTE = 400, 5  # orders, operations of each
RULES = Rules(ZONE, "Производство", "Задачи из 1с", "Прикрепленные файлы", 300, True, False, None)


def company(people: int, chance: random.Random) -> tuple[Staff, PortalState]:
    """Ten departments, forty open tasks for everybody: half of them ours with a slot; some people are away."""
    positions = min(POSITIONS, people)
    departments = [Department(1, "Производство", None, None)]
    departments += [Department(10 + number, f"Участок {number}", 1, None) for number in range(positions)]
    staff = [Person(100 + n, "Имя", f"Работник{n}", "", True, (10 + n % positions,)) for n in range(people)]
    owner = Owner(1, "Админ", True, "Europe/Moscow")
    open_tasks = []
    for number in range(people * OPEN_TASKS):
        start = NOW + timedelta(hours=chance.randrange(0, 500))
        ours = number % 2 == 0
        open_tasks.append(
            Task(
                id=1_000 + number,
                status=Status.PENDING,
                responsible_id=100 + number % people,
                title="",
                xml_id="1c:x:y" if ours else "",
                group_id=1,
                created_by=1,
                created_at=NOW,
                changed_at=NOW,
                deadline=None,
                start=start if ours else None,
                end=start + timedelta(hours=4) if ours else None,
                estimate_s=chance.randrange(300, 30_000, 300),
                spent_s=0,
            )
        )
    absences = {}
    for person in staff[::7]:
        first = NOW + timedelta(days=chance.randrange(60))
        absences[person.id] = [Absence(first, first + timedelta(days=14))]
    portal = PortalState(
        owner,
        PortalClock(owner, ZONE, NOW.isoformat()),
        Places(1, 1, 1),
        open=open_tasks,
        absences=absences,
        people={1: Person(1, "Админ", "", "", True, ())},
    )
    return Staff(departments, staff, 1), portal


def items(positions: int, chance: random.Random) -> list[Item]:
    """The lines of a hundred orders."""
    orders = [
        order.Order(
            id=f"order{number}",
            number=f"1Ц-{number:08}",
            date=NOW,
            department="Производство",
            lines=tuple(
                order.Line(position=f"Участок {chance.randrange(positions)}", minutes=float(chance.randrange(15, 600)))
                for _line in range(LINES)
            ),
        )
        for number in range(ORDERS)
    ]
    return items_of(orders, {})


def draft(staff: Staff, portal: PortalState, lines: Sequence[Item]) -> float:
    """The processor's seconds that planning takes: nothing is waited for, so other programs do not count."""
    started = time.process_time()
    company = OrgData(staff, None, None, portal.places, (), fresh=False)
    planner = Planner(RULES, company, portal, CALENDAR, NOW, our_tasks={}, last_assigned={}, attached={})
    plans = planner.build_plans(lines)
    spent = time.process_time() - started
    assert len(plans) == ORDERS * LINES and all(plan.error is None for plan in plans)
    return spent


def open_orders(chance: random.Random, people: int) -> tuple[list[Worker], list[OpenTask], list[OpenOrder]]:
    """Orders along a route, given out as they came, wanted too soon; some people have fallen ill since."""
    per_position = people // POSITIONS
    workers = [Worker(100 + number, f"Работник{number}") for number in range(people)]
    workload = Workload(CALENDAR, NOW, workers, (), RULES.step_s)
    timeline = Timeline(CALENDAR, (), NOW)
    tasks: list[OpenTask] = []
    orders = []
    for number in range(REPLANNED):
        wanted = timeline.end_at(chance.randrange(8, 30) * 8 * 3600)
        operations: list[Operation] = []
        for position in sorted(chance.sample(range(POSITIONS), ROUTE)):
            length_s = chance.randrange(240, 2400, 5) * 60
            worker_ids = tuple(range(100 + position * per_position, 100 + (position + 1) * per_position))
            choice = workload.choose(worker_ids, length_s, operations[-1].task.end if operations else None)
            task = OpenTask(len(tasks) + 1, choice.responsible_id, length_s, choice.start, choice.finish, ours=True)
            tasks.append(task)
            operations.append(Operation(task, position, worker_ids, is_free=True))
        orders.append(OpenOrder(str(number), (wanted, number), wanted, tuple(operations)))
    ill = NOW + timedelta(days=1), NOW + timedelta(days=4)
    return [worker._replace(absences=(ill,)) if worker.id % 7 == 0 else worker for worker in workers], tasks, orders


def replan(workers: list[Worker], tasks: list[OpenTask], orders: list[OpenOrder]) -> tuple[float, int]:
    """The processor's seconds that deciding takes, and how many operations move."""
    frozen = end_of_next_working_day(CALENDAR, NOW)
    started = time.process_time()
    plan = plan_moves(CALENDAR, NOW, workers, tasks, orders, RULES.step_s, frozen=frozen, candidates=20)
    weighed = [move.choice for move in plan.moves]  # for whoever asks why
    return time.process_time() - started, len(weighed)


def report(rounds: int = 5) -> str:
    """The table, in Markdown."""
    rows = []
    for people in PEOPLE:
        chance = random.Random(people)
        staff, portal = company(people, chance)
        lines = items(min(POSITIONS, people), chance)
        seconds = statistics.median(draft(staff, portal, lines) for _round in range(rounds))
        each = f"{seconds / len(lines) * 1000:.2f}"
        rows.append([str(people), str(len(portal.open)), f"{seconds:.2f}", each])
        measuring.tell(".")
    title = f"Planning {ORDERS} orders of {LINES} lines, after the portal's answers\n\n"
    planned = title + measuring.table(("people", "open tasks", "CPU s", "CPU ms a line"), rows)
    rows = []
    for people in PEOPLE[1:]:
        plant = open_orders(random.Random(people), people)
        costs = [replan(*plant) for _round in range(rounds)]
        seconds, moves = statistics.median(cost[0] for cost in costs), costs[0][1]
        rows.append([str(people), str(len(plant[1])), str(moves), f"{seconds:.2f}"])
        measuring.tell(".")
    return f"{planned}\nReplanning\n\n" + measuring.table(("people", "open tasks", "moves", "CPU s"), rows)


def profile(people: int = 500) -> None:
    """Where the time of planning goes; with `--replan` of replanning."""
    chance = random.Random(people)
    profiler = cProfile.Profile()
    if "--replan" in sys.argv:
        profiler.runcall(replan, *open_orders(chance, people))
    else:
        staff, portal = company(people, chance)
        profiler.runcall(draft, staff, portal, items(POSITIONS, chance))
    pstats.Stats(profiler).sort_stats("tottime").print_stats(20)


if __name__ == "__main__":
    if "--profile" in sys.argv:
        profile()
    else:
        sys.stdout.write(report())
