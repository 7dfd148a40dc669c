"""What everybody has to do, laid out for the page /plan from how the orders stand. Asks the portal nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from b24tools.assignment.line_standing import LineStanding
from b24tools.assignment.standing import OrderStanding, Standings
from b24tools.core.models import Department
from b24tools.scheduling.calendar import Interval, WorkCalendar
from b24tools.scheduling.lane import PersonLoad

DAYS = 12 * 7


@dataclass(frozen=True, slots=True)
class Work:
    """An open task on its person's lane (UTC), and the working seconds that it takes.

    `order` and `line`: those of 1C; None for work that did not come from there.
    """

    task_id: int
    span: Interval
    left_s: int
    order: OrderStanding | None
    line: LineStanding | None


@dataclass(frozen=True, slots=True)
class PersonPlan:
    """A person's work in its sequence; `load` has the absences from now on. `calendar`: the person's own hours."""

    load: PersonLoad
    work: tuple[Work, ...]
    calendar: WorkCalendar


@dataclass(frozen=True, slots=True)
class DepartmentPlan:
    """A department with the people whose first department of the production it is, by name.

    `department` None: those of no department of the production who have work all the same.
    """

    department: Department | None
    people: tuple[PersonPlan, ...]


def lay_out(
    standings: Standings, orders: Sequence[OrderStanding], excluded: Collection[int] = ()
) -> tuple[DepartmentPlan, ...]:
    """Read what everybody does off the lanes, department by department in the order of the portal's tree."""
    staff = standings.company.staff
    groups: dict[int | None, list[PersonPlan]] = {id_: [] for id_ in staff.departments if id_ in staff.inside}
    groups[None] = []
    ours = {line.task.id: (order, line) for order in orders for line in order.lines if line.task}
    people = {**staff.people, **standings.portal.people}
    for person in sorted(people.values(), key=lambda who: (who.last_name, who.first_name, who.id)):
        home = staff.home_of(person)
        tasks = standings.workload.tasks_of(person.id)
        is_worker = person.active and person.id not in excluded and home is not None
        if not is_worker and not any(task.id in ours for task, _span in tasks):
            continue
        work = tuple(Work(task.id, span, task.remaining_s, *ours.get(task.id, (None, None))) for task, span in tasks)
        plan = PersonPlan(standings.workload.load(person.id, DAYS), work, standings.workload.calendar_of(person.id))
        groups[home if is_worker else None].append(plan)
    return tuple(
        DepartmentPlan(None if home is None else staff.departments[home], tuple(members))
        for home, members in groups.items()
        if members
    )
