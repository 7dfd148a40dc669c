"""The work list of a day: what each person does, in that sequence, off the lanes that `load` and `orders` are read off.

Reads the portal; writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from b24tools.assignment.line_standing import LineStanding
from b24tools.assignment.plan import Rules
from b24tools.assignment.standing import Standings
from b24tools.assignment.team import Team, read_team, warn_of_leavers
from b24tools.assignment.tools import Tools
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Department, Person, Task
from b24tools.scheduling.calendar import Interval, NoWorkingTime
from b24tools.scheduling.lane import Slot
from b24tools.store.orders import OrderRow

LOOK_AHEAD = 92  # days in which the next working day is looked for


@dataclass(frozen=True)
class Before:
    """An operation that has to be done first: when it will be (UTC; None: that is not known), and by whom."""

    task_id: int
    position: str
    person: str | None
    end: datetime | None


@dataclass(frozen=True)
class Job:
    """A time of the day in which a person works on one task; `slot` is that of the lane, cut at the day's ends.

    `order`, `position`: None for work that did not come from 1C. `ready`: when all of the task is done, at the earliest
    where it is not known when what it waits for is; None where that is out of sight.
    """

    slot: Slot
    task: Task
    order: OrderRow | None
    position: str | None
    before: Before | None
    ready: datetime | None

    @property
    def is_late(self) -> bool:
        """Whether the task will be done after its deadline."""
        deadline = self.task.deadline
        return deadline is not None and (self.ready is None or self.ready > deadline)


@dataclass(frozen=True)
class WorkList:
    """What a person has to do on the day. `work_s`: working time that there is; `away`: absences that touch the day."""

    person: Person
    department: Department
    jobs: tuple[Job, ...]
    work_s: int
    away: tuple[Interval, ...]

    @property
    def busy_s(self) -> int:
        """Working time that is taken."""
        return sum(job.slot.work_s for job in self.jobs)


@dataclass(frozen=True)
class Today:
    """The work lists of a day. `next_day`: the next day with working time, where this one has none for any of them.

    `portal_url`: where the tasks are. `as_of`: when the portal was read.
    """

    day: date
    lists: tuple[WorkList, ...]
    next_day: date | None
    portal_url: str
    as_of: datetime
    warnings: tuple[str, ...]


def read_today(tools: Tools, rules: Rules, name: str | None = None, day: date | None = None) -> Today:
    """Read the work lists of a person, of a department with all below, or of all of the production.

    `day`: today without it; one that is over raises ConfigError, as another name does. Raises PortalError as reading
    does.
    """
    standings, team = read_team(tools, rules, name, tools.store.orders.list_open())
    return list_work(standings, team, tools.client.url, day)


def list_work(standings: Standings, team: Team, portal_url: str, day: date | None = None) -> Today:
    """Read the work lists of these people off the lanes. Asks the portal nothing; raises ConfigError for a past day."""
    zone = standings.calendar.zone
    today = standings.now.astimezone(zone).date()
    day = day or today
    if day < today:
        raise errors.UsageError(
            _("{day} is over: a work list says what is still to be done").format(day=day.isoformat()),
            _("`b24tools orders` shows what was done, `b24tools history` when it was sent."),
        )
    start, end = (datetime.combine(d, time(), zone) for d in (day, day + timedelta(days=1)))
    people = [
        (person, department)
        for department, members in team.groups
        for member in members
        if (person := standings.portal.people.get(member.id, member)).active
    ]
    slots = {person.id: standings.workload.slots_between(person.id, start, end) for person, _home in people}
    lines: Mapping[int, tuple[OrderRow | None, Sequence[LineStanding], LineStanding | None]] = {
        line.task.id: (order.row, order.lines, line) for order in standings.orders for line in order.lines if line.task
    }
    tasks = {task.id: task for task in standings.portal.open}

    def describe(person: Person, slot: Slot) -> Job:
        order, others, line = lines.get(slot.task.id, (None, (), None))
        before = others[line.after] if line and line.after is not None else None
        span = None
        with suppress(NoWorkingTime):
            span = standings.workload.span_of(person.id, slot.task.id)
        return Job(
            slot,
            tasks[slot.task.id],
            order,
            line.row.position if line else None,
            _describe_before(before),
            span[1] if span else None,
        )

    lists = [
        WorkList(
            person,
            department,
            tuple(describe(person, slot) for slot in slots[person.id]),
            _work_between(standings, person, start, end),
            tuple(
                (away.start, away.end)
                for away in standings.portal.absences.get(person.id, ())
                if away.start < end and away.end > start
            ),
        )
        for person, department in people
    ]
    next_day = None if any(w.work_s for w in lists) else _find_working_day(standings, [p for p, _home in people], day)
    warnings = (*standings.warnings, *warn_of_leavers(standings, team))
    return Today(day, tuple(lists), next_day, portal_url, standings.now, warnings)


def _describe_before(line: LineStanding | None) -> Before | None:
    if line is None or line.task is None:
        return None
    person = line.person.shown if line.person else line.task.responsible_name
    return Before(line.task.id, line.row.position, person or None, line.ready)


def _work_between(standings: Standings, person: Person, start: datetime, end: datetime) -> int:
    line = standings.workload.line_of(person.id)
    return line.worked(end) - line.worked(start)


def _find_working_day(standings: Standings, people: Iterable[Person], day: date) -> date | None:
    """Find the first day after this on which one of them works."""
    people = list(people)
    for later in (day + timedelta(days=n) for n in range(1, LOOK_AHEAD)):
        start, end = (datetime.combine(d, time(), standings.calendar.zone) for d in (later, later + timedelta(days=1)))
        if any(_work_between(standings, person, start, end) for person in people):
            return later
    return None
