"""A plant walked minute by minute: what the specification says of its people, tasks and orders at a moment.

It knows nothing of the package. All moments are whole minutes since the plant's first midnight, in one zone without a
change of clocks; what a person works is a list of such minutes, and a place in that list is how much was worked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

DAY = 24 * 60
HORIZON_DAYS = 120
NEW, PENDING, IN_PROGRESS, DEFERRED, COMPLETED = 1, 2, 3, 6, 5
UNKNOWN_ESTIMATE = 60


@dataclass(frozen=True)
class Shift:
    """The hours of all working days, their weekdays, Monday is 0, and days off; the break lies in the middle."""

    start: int
    end: int
    pause: int
    weekdays: frozenset[int]
    days_off: frozenset[int] = frozenset()

    @cached_property
    def minutes(self) -> list[int]:
        """Every working minute up to the horizon; the first day is a Monday."""
        pause = (self.start + self.end - self.pause) // 2
        of_day = [minute for minute in range(self.start, self.end) if not pause <= minute < pause + self.pause]
        days = [day for day in range(HORIZON_DAYS) if day % 7 in self.weekdays and day not in self.days_off]
        return [day * DAY + minute for day in days for minute in of_day]


@dataclass(frozen=True)
class PlantTask:
    """A task as the portal shows it. `ours`: its plan is a slot; `by_hand`: people have set it otherwise."""

    id: int
    person: int
    status: int
    estimate: int
    spent: int
    start: int | None = None
    end: int | None = None
    begun_at: int | None = None
    closed_at: int | None = None
    ours: bool = False
    is_abandoned: bool = False  # its person has left
    by_hand: bool = False

    @property
    def is_laid(self) -> bool:
        """Whether it takes somebody's time."""
        return self.status in (NEW, PENDING, IN_PROGRESS)


@dataclass(frozen=True)
class PlantOrder:
    """Tasks of an order with their stages; no task where it was deleted. `late_from`: it is late from there on."""

    lines: tuple[tuple[PlantTask | None, int | None], ...]
    late_from: int | None = None
    is_ended: bool = False  # 1C says so
    is_cancelled: bool = False
    promised: int | None = None  # the day first promised
    accepted: int = 0  # nothing of it begins before


@dataclass(frozen=True)
class Stands:
    """How an order stands; `finish` in minutes."""

    state: str
    done: int
    of: int
    finish: int | None
    late: int


class Lane:
    """One person's time from a moment on, and what is done in it."""

    def __init__(
        self, shift: Shift, away: Sequence[tuple[int, int]], now: int, step: int, tasks: Iterable[PlantTask]
    ) -> None:
        self.now, self.step, self.tasks = now, step, list(tasks)
        self.all = _present(shift, tuple(away))
        first = bisect_left(self.all, now)
        self.mine = self.all[first:]
        self.usual = shift.minutes[bisect_left(shift.minutes, now) :]
        self.held: dict[int, int] = {}
        self.lay()

    def left(self, task: PlantTask) -> int:
        """What is left to do: the estimate less what was spent, or less what was worked since it was begun."""
        spent = task.spent
        starts = [start for start in (task.start, task.begun_at) if start is not None]
        if not spent and task.status == IN_PROGRESS and starts and max(starts) < self.now:
            spent = bisect_left(self.all, self.now) - bisect_left(self.all, max(starts))
        return max(task.estimate - spent if task.estimate else UNKNOWN_ESTIMATE, self.step)

    def lay(self) -> None:
        """What is overdue or begun first, then slots in the order of the plans, then the rest in the gaps."""
        self.used: dict[int, int] = {}  # place: task
        self.ends: dict[int, int] = {}
        begun, overdue, slots, rest = [], [], [], []
        for task in self.tasks:
            held = 0 if task.status == IN_PROGRESS else self.place(self.held.get(task.id, 0))
            is_over = task.end is not None and task.end <= self.now
            slot = (task.start, task.end) if task.ours and task.start is not None and task.end is not None else None
            started = bool(slot and slot[0] <= self.now)
            if task.status == IN_PROGRESS:
                begun.append(task)
            elif (is_over or started) and not held:
                overdue.append(task)
            elif is_over or started:
                slots.append((held, self._since(task), self.left(task), task))
            elif slot:
                length = self.left(task)
                if task.by_hand:
                    length = min(max(_count(minutes, *slot) for minutes in (self.mine, self.usual)), length)
                slots.append((max(held, self.place(slot[0])), self._since(task), length, task))
            else:
                rest.append((max(held, self.place(task.start or 0)), task.id, self.left(task), task))
        at = 0
        for task in [*sorted(begun, key=self._since), *sorted(overdue, key=self._since)]:
            at = self.fill(task, at, self.left(task))
        for place, _since, length, task in sorted(slots, key=lambda row: (row[0], row[1])):
            if not length and not self.held.get(task.id) and task.end is not None:
                self.ends[task.id] = task.end  # what people put outside the hours stays there
                continue
            length = length or self.left(task)  # it cannot stay there
            is_pushed = at > place
            at = self.fill(task, max(at, place), length)
            if not is_pushed and not self.held.get(task.id) and length < self.left(task) and task.end is not None:
                self.ends[task.id] = max(self.ends[task.id], task.end)  # put outside the hours in part
        for place, _id, length, task in sorted(rest, key=lambda row: (row[0], row[1])):
            self.fill(task, place, length)

    def _since(self, task: PlantTask) -> tuple[int, int]:
        return (self.now if task.start is None else task.start), task.id

    def fill(self, task: PlantTask, place: int, left: int) -> int:
        """Use the first free minutes from a place on; the place behind the last one."""
        if not left:
            self.ends[task.id] = self.mine[place - 1] + 1 if place else self.now
        while left:
            if place not in self.used:
                self.used[place] = task.id
                self.ends[task.id] = self.mine[place] + 1
                left -= 1
            place += 1
        return place

    def place(self, moment: int) -> int:
        """How much is worked from now to a moment."""
        return bisect_left(self.mine, moment)

    def offer(self, length: int, earliest: int) -> tuple[int, int]:
        """The first start on a whole step from which so many minutes in a row are free, and the end."""
        place = self.place(max(earliest, self.now))
        while True:
            taken = next((at for at in range(place, place + length) if at in self.used), None)
            if taken is not None:
                place = taken + 1
            elif self.mine[place] % self.step:
                place += 1
            else:
                return self.mine[place], self.mine[place + length - 1] + 1

    @property
    def open(self) -> int:
        """The working time that is taken."""
        return len(self.used)

    @property
    def free(self) -> int:
        """The first working minute with nothing to do for a whole step."""
        place = 0
        while (taken := next((at for at in range(place, place + self.step) if at in self.used), None)) is not None:
            place = taken + 1
        return self.mine[place]

    def days(self, count: int) -> list[tuple[int, int]]:
        """Minutes taken and minutes there are of each day, today the first."""
        days = []
        for day in range(self.now // DAY, self.now // DAY + count):
            first, last = self.place(day * DAY), self.place((day + 1) * DAY)
            days.append((sum(at in self.used for at in range(first, last)), last - first))
        return days


class MinutePlant:
    """All lanes, with operations waiting for those before them in their orders, until nothing changes any more."""

    def __init__(
        self,
        shift: Shift,
        away: Mapping[int, Sequence[tuple[int, int]]],
        now: int,
        step: int,
        tasks: Iterable[PlantTask],
        orders: Mapping[str, PlantOrder],
    ) -> None:
        self.now, self.orders = now, orders
        laid = [task for task in tasks if task.is_laid]
        people = {task.person for task in laid} | away.keys()
        self.lanes = {
            person: Lane(shift, away.get(person, ()), now, step, [task for task in laid if task.person == person])
            for person in people
        }
        for _round in range(100):
            if not sum([self._let_wait(order) for order in orders.values()]):
                break
        else:
            raise AssertionError("operations wait for one another for ever")

    def end_of(self, task: PlantTask) -> int | None:
        """When a task will be done."""
        return self.lanes[task.person].ends[task.id] if task.is_laid else None

    def _let_wait(self, order: PlantOrder) -> int:
        """Hold what is planned before a lower stage ends, or its order is accepted; how many are held anew."""
        count = 0
        for task, stage in order.lines:
            if task is None or task.status == IN_PROGRESS or not task.is_laid:
                continue
            before = [
                self.end_of(other) or 0
                for other, place in order.lines
                if other and other.is_laid and None not in (place, stage) and place < stage
            ]
            lane, until = self.lanes[task.person], max([*before, order.accepted])
            if until <= self.now or (task.start is not None and task.start >= until):
                until = 0
            if lane.held.get(task.id, 0) != until:
                lane.held[task.id] = until
                lane.lay()
                count += 1
        return count

    def stands(self, order: PlantOrder) -> Stands:
        """How an order stands."""
        done, is_known, ends = 0, True, []
        over = True
        for task, _stage in order.lines:
            if task is None:
                is_known &= order.is_ended
                over &= order.is_ended
                done += order.is_ended and not order.is_cancelled
            elif task.is_laid:
                over = False
                is_known &= not task.is_abandoned
                ends += [] if task.is_abandoned else [self.end_of(task) or 0]
            elif task.status == DEFERRED:
                is_known &= order.is_cancelled
                over &= order.is_cancelled
            else:
                done += 1
                ends.append(task.closed_at or 0)
        finish = max(ends, default=None) if is_known else None
        late = max(0, finish - order.late_from) if finish is not None and order.late_from is not None else 0
        state = "open"
        if over:
            state = "done"
        elif late or (finish is None and order.late_from is not None and max([self.now, *ends]) > order.late_from):
            state = "late"
        elif finish is None or (order.promised is not None and (finish - 1) // DAY > order.promised):
            state = "at_risk"
        return Stands(state, done, len(order.lines), finish, late)


@lru_cache(maxsize=64)
def _present(shift: Shift, away: tuple[tuple[int, int], ...]) -> list[int]:
    """Every working minute at which a person is there."""
    gone = {minute for start, end in away for minute in range(start, end)}
    return [minute for minute in shift.minutes if minute not in gone]


def _count(minutes: Sequence[int], start: int, end: int) -> int:
    return bisect_left(minutes, end) - bisect_left(minutes, start)
