"""Moves of unbegun work: what may move, of which orders, why it does, and which moves hang together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import inf
from typing import Any

from b24tools.scheduling.lane import OpenTask
from b24tools.scheduling.tender import Choice, Tender

# Why an operation moves: its person is away, or is to be planned without, or has left; a replan was cut before it could
# move, and its slot is taken; its order is late, or wanted first; its slot went to a more important order; what it
# waits for moves, and ends after its start
AWAY, WITHOUT, GONE, UNFINISHED = "away", "without", "gone", "unfinished"
LATE, FIRST, DISPLACED, FOLLOWS = "late", "first", "displaced", "follows"


@dataclass(frozen=True)
class Operation:
    """An open operation of an order, as it lies in the lane of its person. `people`: who may do it.

    `is_free`: it may move to help an order, unless it begins within the frozen time. `cause`: why it has to move in any
    case.
    """

    task: OpenTask
    stage: int | None
    people: tuple[int, ...]
    is_free: bool = False
    cause: str = ""

    @cached_property
    def id(self) -> int:
        """The task's id."""
        return self.task.id


@dataclass(frozen=True)
class OpenOrder:
    """What is left of an order. `importance`: the lower, the sooner it is given out. It is late from `late_from` on.

    `accepted`: nothing of it may begin before. `is_first`: it shall be ready as soon as can be. `priority`: a day of
    an order with a lower number counts for more than any days of those with a higher one.
    """

    id: str
    importance: tuple[Any, ...]
    late_from: datetime | None
    operations: tuple[Operation, ...]
    accepted: datetime | None = None
    is_first: bool = False
    priority: float = inf

    @cached_property
    def by_stage(self) -> list[Operation]:
        """The operations in the sequence of their stages; those without one come first."""
        return sorted(self.operations, key=lambda operation: (operation.stage is not None, operation.stage or 0))


@dataclass(frozen=True)
class Move:
    """An operation that shall lie elsewhere; `before` and `after` have its person and slot.

    `not_before`: it could not begin sooner, because the order is accepted then or the operation `waits_for` ends.
    `room_for`: orders whose moves have pushed it out.
    """

    order_id: str
    before: OpenTask
    after: OpenTask
    cause: str
    tender: Tender
    weighed: int
    not_before: datetime | None = None
    waits_for: int | None = None
    room_for: frozenset[str] = frozenset()

    @cached_property
    def choice(self) -> Choice:
        """Who might have done it: so many are `weighed`, besides those who could be the first."""
        return self.tender.choose(self.weighed, self.after.responsible_id)


def group_moves(moves: Sequence[Move]) -> list[int]:
    """Return a number for each move; those of one order, and those that make room for one another, have the same."""
    groups = list(range(len(moves)))

    def root(number: int) -> int:
        while groups[number] != number:
            number = groups[number]
        return number

    by_order: dict[str, int] = {}
    left: dict[int, list[int]] = {}
    for number, move in enumerate(moves):
        groups[root(number)] = root(by_order.setdefault(move.order_id, number))
        left.setdefault(move.before.responsible_id, []).append(number)
    for number, move in enumerate(moves):
        for other in left.get(move.after.responsible_id, ()):
            if overlap(moves[other].before, move.after):
                groups[root(number)] = root(other)
        for order_id in move.room_for & by_order.keys():  # what lies behind its plan is in the way elsewhere
            groups[root(number)] = root(by_order[order_id])
    return [root(number) for number in range(len(moves))]


def overlap(one: OpenTask, other: OpenTask) -> bool:
    """Whether the plans of two tasks meet."""
    return bool(one.start and one.end and other.start and other.end and one.start < other.end and other.start < one.end)
