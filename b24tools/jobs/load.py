"""Who has how much to do: everybody's open work laid on the calendar, as `assign` sees it. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from b24tools.assignment import portal_state
from b24tools.assignment.plan import Rules
from b24tools.assignment.portal_state import UNKNOWN_PERSON_TASKS, Questions
from b24tools.assignment.staffing import not_known, working_hours, workload_of
from b24tools.assignment.tools import Tools
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Department, Person
from b24tools.core.org_structure import describe_foreign_letters, nearest_name, same_name
from b24tools.scheduling.workload import DayLoad, PersonLoad

__all__ = ["DayLoad", "Group", "Load", "PersonLoad", "load"]

DAYS = 14


@dataclass(frozen=True)
class Group:
    """A department with the people whose first department of the production it is, by name."""

    department: Department
    people: tuple[PersonLoad, ...]


@dataclass(frozen=True)
class Load:
    """Departments in the order of the portal's tree; `warnings`: what is not known and not counted."""

    groups: tuple[Group, ...]
    warnings: tuple[str, ...]


def load(tools: Tools, rules: Rules, department: str | None) -> Load:
    """The load of the production, or of one department of it (by name or id) with all below.

    Raises ConfigError for a department that does not exist there, PortalError as reading does.
    """
    company = tools.directory.company(with_files=False)
    if department and not company.fresh and not _roots(company, department):
        company = tools.directory.company(with_files=False, refresh=True)
    homes = _homes(company, department)
    people = [one for one in company.staff.people.values() if one.active and one.id not in rules.excluded]
    people = [one for one in people if _home(one, homes) is not None]
    portal = portal_state.read_portal(tools.client, _questions(tools, rules, company, people))
    tools.directory.remember_date_order(portal.date_order)
    calendar, warnings = working_hours(company, rules)
    warnings = [*warnings, *not_known(company, portal)]
    if not portal.owner.admin:
        warnings.append(_("the webhook's owner is not an administrator: people may be busier than they look"))
    people = [answered for one in people if (answered := portal.people.get(one.id, one)).active]
    workload = workload_of(
        people,
        portal,
        calendar,
        tools.clock.now(),
        our_tasks=tools.store.orders.our_tasks([task.id for task in portal.open]),
        last_assigned={},
        step_s=rules.step_s,
    )
    groups: dict[int, list[PersonLoad]] = {home: [] for home in homes}
    for one in sorted(people, key=lambda person: (person.last_name, person.first_name, person.id)):
        home = _home(one, homes)
        if home is not None:
            groups[home].append(workload.load(one.id, DAYS))
    departments = company.staff.departments
    return Load(
        tuple(Group(departments[home], tuple(found)) for home, found in groups.items() if found), tuple(warnings)
    )


def _roots(company: OrgData, department: str | None) -> list[int]:
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
            _('there is no department "{name}" under "{root}"').format(
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


def _questions(tools: Tools, rules: Rules, company: OrgData, people: Sequence[Person]) -> Questions:
    counts = tools.directory.open_counts()
    return Questions(
        workers=sorted(person.id for person in people),
        expected_open=company.open_total or sum(counts.get(one.id, UNKNOWN_PERSON_TASKS) for one in people),
        today=tools.clock.now().astimezone(rules.zone).date(),
        zone=rules.zone,
        group=rules.group,
        folder=rules.folder,
        places=company.places,
        date_order=tools.directory.date_order(),
    )
