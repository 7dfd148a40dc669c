"""Whom a name means: all of the production, a department of it with all below, or one person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from b24tools.assignment.plan import Rules
from b24tools.assignment.tools import Tools
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Department, Person
from b24tools.core.names import (
    describe_foreign_letters,
    find_people,
    find_person,
    list_spellings,
    nearest_name,
    read_id,
    same_name,
)


@dataclass(frozen=True)
class Team:
    """Departments in the order of the portal's tree, each with the people whose first department of it that is.

    `person`: who was asked for; None where a department was, or all.
    """

    groups: tuple[tuple[Department, tuple[Person, ...]], ...]
    person: Person | None = None


def find_team(tools: Tools, rules: Rules, name: str | None) -> Team:
    """Find whom a name or id means; all of the production without one. The cache is read anew for an unknown name.

    Raises ConfigError for a name that no person or several people have, PortalError as reading does.
    """
    company = tools.directory.company(with_files=False)
    if name and not company.fresh and not (_list_roots(company, name) or _list_workers(company, rules.excluded, name)):
        company = tools.directory.company(with_files=False, refresh=True)
    return choose_team(company, rules.excluded, name)


def choose_team(company: OrgData, excluded: Collection[int], name: str | None) -> Team:
    """Find whom a name or id means in what is known of the company. Raises ConfigError as `find_team`."""
    is_person = bool(name) and not _list_roots(company, name) and bool(_list_workers(company, excluded, name))
    homes = _list_homes(company, excluded, None if is_person else name)
    people = [one for one in _list_workers(company, excluded, None) if company.staff.home_of(one, homes) is not None]
    if is_person:
        people = [find_person(name or "", people)]
    groups: dict[int, list[Person]] = {home: [] for home in homes}
    for one in sorted(people, key=lambda person: (person.last_name, person.first_name, person.id)):
        home = company.staff.home_of(one, homes)
        if home is not None:
            groups[home].append(one)
    departments = company.staff.departments
    found = tuple((departments[home], tuple(members)) for home, members in groups.items() if members)
    return Team(found, people[0] if is_person else None)


def _list_workers(company: OrgData, excluded: Collection[int], name: str | None) -> list[Person]:
    people = [one for one in company.staff.people.values() if one.active and one.id not in excluded]
    return people if name is None else find_people(name, people)


def _list_roots(company: OrgData, department: str | None) -> list[int]:
    """Find the departments of the production that are meant."""
    staff = company.staff
    if department is None:
        return [staff.root_id]
    number = read_id(department)
    if number is not None and number in staff.inside:
        return [number]
    return [one for one in staff.inside if same_name(staff.departments[one].name) == same_name(department)]


def _list_homes(company: OrgData, excluded: Collection[int], department: str | None) -> list[int]:
    """The departments wanted, each once, a department before those below it."""
    staff = company.staff
    roots = _list_roots(company, department)
    if not roots:
        names = [staff.departments[one].name for one in staff.inside]
        spellings = list_spellings(_list_workers(company, excluded, None)) | {name: name for name in names}
        nearest = spellings.get(nearest_name(department or "", spellings) or "")
        raise errors.ConfigError(
            _('there is no department and no person "{name}" under "{root}"').format(
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
