"""Two hundred orders in a row: nobody works twice at once, nobody idles beside a queue, nothing could end earlier.

What is expected comes from a model of its own: a list of the five-minute pieces that each person works.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from b24tools.assignment.report import TaskResult
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.sandbox.records import Task
from tests.support.orders import MONDAY, MOSCOW, Works, order

STEP = timedelta(minutes=5)
DAYS = 36  # until the 29th of December: no holiday in between
LONGEST = 120  # minutes of an operation
Pieces = list[datetime]


def pieces(away: Sequence[tuple[date, date]]) -> Pieces:
    """The starts of all five minutes that somebody works: Mon-Fri, 9-13 and 14-18 in Moscow, not while away."""
    starts = []
    for day in (MONDAY.date() + timedelta(days=n) for n in range(DAYS)):
        if day.weekday() < 5 and not any(first <= day <= last for first, last in away):
            for hour in (9, 10, 11, 12, 14, 15, 16, 17):
                begin = datetime.combine(day, time(hour), MOSCOW).astimezone(UTC)
                starts += [begin + n * STEP for n in range(12)]
    return starts


class Shop:
    """A department of the sandbox, and what its people work in the model."""

    def __init__(self, works: Works, name: str, people: int, chance: Random, also: Sequence[int] = ()) -> None:
        self.name = name
        home = works.portal.add_department(name, parent=4)
        self.people = [works.portal.add_user(f"№{n}", name, departments=[home.id]).id for n in range(people)]
        for user in also:
            works.portal.users[user].departments.append(home.id)
        self.alone = not also
        self.works: dict[int, Pieces] = {}
        for user in self.people:
            first = date(2026, 11, 24) + timedelta(days=chance.randrange(12))
            away = [(first, first + timedelta(days=chance.randrange(6)))] if chance.random() < 0.5 else []
            for span in away:
                works.portal.add_absence(user, *span)
            self.works[user] = pieces(away)
        self.people += also


def busy_pieces(works: Pieces, tasks: Sequence[Task], now: datetime) -> set[datetime]:
    """What is taken: first the overdue and the begun, then slots of ours, pushed where they overlap, then all else."""
    first: list[tuple[datetime, int, int]] = []
    slots: list[tuple[datetime, int, int]] = []
    loose: list[tuple[datetime, int, int]] = []
    for task in tasks:
        start, end = (task.start_plan and moment(task.start_plan)), (task.end_plan and moment(task.end_plan))
        left = max(task.time_estimate - task.time_spent, 300) // 300 if task.time_estimate else 12
        ours = (task.xml_id or "").startswith("1c:") and start and end
        if (end and end <= now) or (ours and start and start <= now):
            first.append((start or now, task.id, left))
        elif ours and start and end:
            slots.append((start, task.id, sum(start <= piece < end for piece in works)))
        else:
            loose.append((max(start or now, now), task.id, left))
    taken: set[datetime] = set()
    behind = now
    for start, _id, count in [(now, number, count) for _start, number, count in sorted(first)] + sorted(slots):
        mine = [piece for piece in works if piece >= max(start, behind)][:count]
        taken |= set(mine)
        behind = mine[-1] + STEP if mine else behind
    for earliest, _id, count in sorted(loose):
        free = [piece for piece in works if piece >= earliest and piece not in taken]
        taken |= set(free[:count])
    return taken


def earliest_finish(works: Pieces, taken: set[datetime], count: int, not_before: datetime) -> datetime:
    """The end of the first run of `count` of the person's pieces, one after the other, of which none is taken."""
    run = 0
    for piece in works:
        run = 0 if piece < not_before or piece in taken else run + 1
        if run == count:
            return piece + STEP
    raise AssertionError("the model's days are not enough")


def moment(stamp: Any) -> datetime:
    """A sandbox time."""
    return datetime.fromtimestamp(stamp, UTC)


def random_orders(chance: Random, shops: Sequence[Shop], numbers: range, now: datetime) -> list[onec_order.Order]:
    """Orders of one to four lines; every fifth is accepted only later."""
    orders = []
    for number in numbers:
        lines = [(chance.choice(shops).name, 5 * chance.randint(1, LONGEST // 5)) for _ in range(chance.randint(1, 4))]
        later = now + timedelta(hours=chance.randrange(100)) if chance.random() < 0.2 else None
        orders.append(order(lines, id=f"order-{number}", number=f"{number}", accepted=later))
    return orders


def check_run(works: Works, shops: dict[str, Shop], orders: Sequence[onec_order.Order]) -> list[TaskResult]:
    """Send the orders; each line has to end as early as anybody of its department could end it then."""
    now = works.clock.now
    people = {user: shop.works[user] for shop in shops.values() for user in shop.works}
    open_tasks: dict[int, list[Task]] = defaultdict(list)
    for task in works.portal.tasks:
        if task.status in (1, 2, 3):
            open_tasks[task.responsible].append(task)
    taken = {user: busy_pieces(mine, open_tasks[user], now) for user, mine in people.items()}
    results = [task for result in works.assign(*orders) for task in result.tasks]
    lines = [(sent, line) for sent in orders for line in sent.lines]
    for task, (sent, line) in zip(results, lines, strict=True):
        assert task.responsible and task.start and task.end and task.estimate_s
        begin = max(now, sent.accepted or now)
        begin += (datetime.min.replace(tzinfo=UTC) - begin) % STEP
        candidates = shops[line.position].people
        finishes = {
            user: earliest_finish(people[user], taken[user], task.estimate_s // 300, begin) for user in candidates
        }
        assert (min(finishes.values()), finishes[task.responsible[0]]) == (task.end, task.end), (sent.id, finishes)
        mine = [piece for piece in people[task.responsible[0]] if task.start <= piece < task.end]
        assert task.estimate_s // 300 == len(mine)
        assert not taken[task.responsible[0]] & set(mine)
        taken[task.responsible[0]] |= set(mine)
    return results


KEY = task_fields.make_key("order-1", "сварщик")


def assert_no_one_works_twice_at_once(works: Works) -> None:
    """Slots of one person lie one after the other."""
    slots = defaultdict(list)
    for task in works.portal.tasks:
        if len(task.xml_id or "") == len(KEY) and task.start_plan and task.end_plan:
            slots[task.responsible].append((task.start_plan, task.end_plan))
    assert all(earlier[1] <= later[0] for mine in slots.values() for earlier, later in pairwise(sorted(mine)))


def assert_no_one_idles_beside_a_queue(shop: Shop, tasks: Sequence[TaskResult]) -> None:
    """Between a person's last work and a colleague's there is less working time than the longest operation."""
    done: dict[int, datetime] = dict.fromkeys(shop.people, MONDAY)
    for task in tasks:
        if task.responsible and task.end and task.responsible[0] in done:
            done[task.responsible[0]] = max(done[task.responsible[0]], task.end)
    for user, ended in done.items():
        idle = [piece for piece in shop.works[user] if ended <= piece < max(done.values())]
        assert len(idle) <= LONGEST // 5


@pytest.fixture
def shops(works: Works) -> dict[str, Shop]:
    """Four departments of one to four people, one of whom belongs to two of them; some are away for some days."""
    chance = Random(5)
    plant = [Shop(works, name, people, chance) for name, people in (("Раскрой", 4), ("Сборка", 3), ("Покраска", 2))]
    plant.append(Shop(works, "Упаковка", 1, chance, also=plant[1].people[:1]))
    plant[-1].works |= {plant[1].people[0]: plant[1].works[plant[1].people[0]]}
    for user in (plant[0].people[0], plant[1].people[1]):
        works.portal.add_task("Чужая", responsible=user, creator=1, time_estimate=3 * 3600)
    return {shop.name: shop for shop in plant}


@pytest.mark.long
def test_a_hundred_and_twenty_orders_are_spread_fairly(works: Works, shops: dict[str, Shop]) -> None:
    """In six runs of one morning."""
    chance = Random(1)
    tasks: list[TaskResult] = []
    for first in range(0, 120, 20):
        orders = random_orders(chance, list(shops.values()), range(first, first + 20), works.clock.now)
        tasks += check_run(works, shops, [sent.model_copy(update={"accepted": None}) for sent in orders])
    assert_no_one_works_twice_at_once(works)
    for name in ("Раскрой", "Покраска"):
        assert_no_one_idles_beside_a_queue(shops[name], [task for task in tasks if task.position == name])


@pytest.mark.long
def test_eighty_orders_over_some_days_end_as_early_as_they_can(works: Works, shops: dict[str, Shop]) -> None:
    """Work that is not done in its time is done first; some orders are for later."""
    chance = Random(2)
    for first in range(0, 80, 10):
        check_run(works, shops, random_orders(chance, list(shops.values()), range(first, first + 10), works.clock.now))
        works.clock.now += timedelta(minutes=5 * chance.randrange(100))
    assert_no_one_works_twice_at_once(works)
