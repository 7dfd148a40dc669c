"""Who has how much to do: everybody's open work laid on the calendar, as `assign` sees it. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from b24tools.assignment import portal_state
from b24tools.assignment.plan import Rules
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.staffing import ask_about, not_known, working_hours, workload_of
from b24tools.assignment.tools import Tools
from b24tools.assignment.waiting import holders_of_staged, list_staged, read_open_orders
from b24tools.bitrix24 import queries
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Department, Person
from b24tools.core.org_structure import (
    describe_foreign_letters,
    find_people,
    find_person,
    nearest_name,
    same_name,
)
from b24tools.scheduling.workload import DayLoad, PersonLoad, Workload

__all__ = ["DayLoad", "Group", "Load", "PersonLoad", "load"]

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
    """An open task behind the bars: when it is gone on with and done (UTC), and the work left in it."""

    id: int
    title: str
    start: datetime
    end: datetime
    left_s: int


@dataclass(frozen=True)
class Load:
    """Departments in the order of the portal's tree; `warnings`: what is not known and not counted.

    `tasks`: those of the person who was asked for; None where a department was, or all.
    """

    groups: tuple[Group, ...]
    warnings: tuple[str, ...]
    tasks: tuple[LoadTask, ...] | None = None


def load(tools: Tools, rules: Rules, name: str | None, *, weeks: int = WEEKS, by_name: bool = False) -> Load:
    """The load of the production, of one department of it with all below, or of a person, by name or id.

    The fullest come first, unless `by_name`. Raises ConfigError for another name, PortalError as reading does.
    """
    company = tools.directory.company(with_files=False)
    if name and not company.fresh and not (_roots(company, name) or _working(company, rules, name)):
        company = tools.directory.company(with_files=False, refresh=True)
    is_person = bool(name) and not _roots(company, name) and bool(_working(company, rules, name))
    homes = _homes(company, None if is_person else name)
    people = [one for one in _working(company, rules, None) if _home(one, homes) is not None]
    if is_person:
        people = [find_person(name or "", people)]
    orders = read_open_orders(tools.store).values()
    asked = {one.id for one in people}
    if others := holders_of_staged(orders, rules):  # what they do may be what these people wait for
        asked |= others | {one.id for one in _working(company, rules, None)}
    portal = portal_state.read_portal(tools.client, ask_about(tools, rules, company, asked))
    tools.directory.remember_date_order(portal.date_order)
    calendar, warnings = working_hours(company, rules)
    warnings = [*warnings, *not_known(company, portal)]
    if not portal.owner.admin:
        warnings.append(_("the webhook's owner is not an administrator: people may be busier than they look"))
    people = [answered for one in people if (answered := portal.people.get(one.id, one)).active]
    workload = workload_of(
        {**company.staff.people, **portal.people}.values(),
        portal,
        company,
        rules,
        calendar,
        tools.clock.now(),
        our_tasks=tools.store.orders.our_tasks([task.id for task in portal.open]),
        last_assigned={},
    )
    workload.let_wait(list_staged(orders, portal, rules))
    groups: dict[int, list[PersonLoad]] = {home: [] for home in homes}
    for one in sorted(people, key=lambda person: (person.last_name, person.first_name, person.id)):
        home = _home(one, homes)
        if home is not None:
            groups[home].append(workload.load(one.id, weeks * 7))
    if not by_name:
        for found in groups.values():
            found.sort(key=lambda person: (-person.share, -person.open_s))
    departments = company.staff.departments
    return Load(
        tuple(Group(departments[home], tuple(found)) for home, found in groups.items() if found),
        tuple(warnings),
        _read_tasks(tools, portal, workload, people[0].id) if is_person and people else None,
    )


def _working(company: OrgData, rules: Rules, name: str | None) -> list[Person]:
    people = [one for one in company.staff.people.values() if one.active and one.id not in rules.excluded]
    return people if name is None else find_people(name, people)


def _read_tasks(tools: Tools, portal: PortalState, workload: Workload, person_id: int) -> tuple[LoadTask, ...]:
    """Read the titles of a person's open tasks."""
    tasks = workload.tasks_of(person_id)
    batch = tools.client.new_batch()
    ids = [task.id for task, _span in tasks]
    pages = [batch.add(queries.tasks_by_id(ids[start : start + 50])) for start in range(0, len(ids), 50)]
    batch.send()
    titles = {task.id: task.title for page in pages for task in map(portal.read_task, page.value)}
    return tuple(LoadTask(task.id, titles.get(task.id, ""), *span, task.remaining_s) for task, span in tasks)


def _roots(company: OrgData, department: str | None) -> list[int]:
    """Find the departments of the production that are meant."""
    staff = company.staff
    inside = list(staff.below(staff.root_id))
    if department is None:
        return [staff.root_id]
    if department.isdecimal() and int(department) in inside:
        return [int(department)]
    return [one for one in inside if same_name(staff.departments[one].name) == same_name(department)]


def _homes(company: OrgData, department: str | None) -> list[int]:
    """The departments wanted, each once, a department before those below it."""
    staff = company.staff
    roots = _roots(company, department)
    if not roots:
        names = [staff.departments[one].name for one in staff.below(staff.root_id)]
        nearest = nearest_name(department or "", names)
        raise errors.ConfigError(
            _('there is no department "{name}" under "{root}", and nobody there is called so').format(
                name=department, root=staff.departments[staff.root_id].name
            ),
            errors.as_sentence(
                _('The nearest name is "{nearest}"').format(nearest=nearest)
                + describe_foreign_letters(department or "", nearest)
            )
            if nearest
            else _("There are: {known}").format(known=", ".join(names)),
        )
    wanted = {below for root in roots for below in staff.below(root)}
    return [one for one in staff.departments if one in wanted]


def _home(person: Person, homes: Sequence[int]) -> int | None:
    return next((one for one in person.department_ids if one in homes), None)
