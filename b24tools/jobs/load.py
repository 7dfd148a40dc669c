"""Who has how much to do: everybody's open work laid on the calendar, as `assign` sees it. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from b24tools.assignment.plan import Rules
from b24tools.assignment.standing import Standings
from b24tools.assignment.team import Team, read_team, warn_of_leavers
from b24tools.assignment.tools import Tools
from b24tools.core.i18n import _, quote
from b24tools.core.models import Department, Person
from b24tools.core.org_structure import Staff
from b24tools.scheduling.lane import PersonLoad

WEEKS = 2


@dataclass(frozen=True)
class Group:
    """A department with the people whose first department of the production it is."""

    department: Department
    people: tuple[PersonLoad, ...]

    @property
    def share(self) -> float:
        """How much of the working time of all of them is taken."""
        work_s = sum(day.work_s for person in self.people for day in person.days)
        return sum(day.busy_s for person in self.people for day in person.days) / work_s if work_s else 0.0


@dataclass(frozen=True)
class LoadTask:
    """An open task behind the bars: when it is gone on with and done (UTC), and the working time that it takes."""

    id: int
    title: str
    start: datetime
    end: datetime
    left_s: int


@dataclass(frozen=True)
class Load:
    """Departments in the order of the portal's tree; `warnings`: what is not known and not counted.

    `tasks`: those of the person who was asked for; None where a department was, or all. `remarks`: who belongs to
    several departments, and is counted in one.
    """

    groups: tuple[Group, ...]
    warnings: tuple[str, ...]
    tasks: tuple[LoadTask, ...] | None = None
    remarks: tuple[str, ...] = ()


def load(tools: Tools, rules: Rules, name: str | None, *, weeks: int = WEEKS, by_name: bool = False) -> Load:
    """The load of the production, of one department of it with all below, or of a person, by name or id.

    The fullest come first, unless `by_name`. Raises ConfigError for another name, PortalError as reading does.
    """
    standings, team = read_team(tools, rules, name, ())
    return lay_out(standings, team, weeks=weeks, by_name=by_name)


def lay_out(standings: Standings, team: Team, *, weeks: int = WEEKS, by_name: bool = False) -> Load:
    """Read the load of these people off the lanes; who was dismissed since is left out."""
    groups, remarks = [], []
    for department, members in team.groups:
        present = [person for person in members if standings.portal.people.get(person.id, person).active]
        loads = [standings.workload.load(person.id, weeks * 7) for person in present]
        if not by_name:
            loads.sort(key=lambda person: (-person.share, -person.open_s))
        if loads:
            groups.append(Group(department, tuple(loads)))
        remarks += [_remark_homes(standings.company.staff, department, person) for person in present]
    warnings = (*standings.warnings, *warn_of_leavers(standings, team))
    if team.person is None or not groups:
        return Load(tuple(groups), warnings, remarks=tuple(filter(None, remarks)))
    titles = {task.id: task.title for task in standings.portal.open}
    tasks = tuple(
        LoadTask(task.id, titles.get(task.id, ""), *span, task.remaining_s)
        for task, span in standings.workload.tasks_of(team.person.id)
    )
    return Load(tuple(groups), warnings, tasks)


def _remark_homes(staff: Staff, department: Department, person: Person) -> str:
    """Say to which other departments a person belongs: the loads of those, asked for alone, have the person, too."""
    others = [staff.departments[id_].name for id_ in person.department_ids if id_ in staff.inside - {department.id}]
    if not others:
        return ""
    text = _('{name} is counted in "{department}" and belongs to {others}, too')
    names = ", ".join(map(quote, others))
    return text.format(name=person.shown, department=department.name, others=names)
