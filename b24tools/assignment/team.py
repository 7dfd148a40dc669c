"""Whom a name means: all of the production, a department of it with all below, or one person.

Those count, too, who have work of orders without being of the production: by `--to` or B24_FALLBACK_USER.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from b24tools.assignment.plan import Rules
from b24tools.assignment.standing import Standings, read_standings
from b24tools.assignment.tools import Tools
from b24tools.core import errors
from b24tools.core.i18n import _, ngettext
from b24tools.core.models import Department, Person
from b24tools.core.names import (
    describe_foreign_letters,
    find_people,
    find_person,
    mark_namesakes,
    nearest_person,
    read_id,
    same_name,
)
from b24tools.core.org_structure import Staff
from b24tools.store.orders import OrderRow


@dataclass(frozen=True)
class Team:
    """Departments in the order of the portal's tree, each with the people whose first department of it that is.

    Behind them are the departments of those outside the production. `person`: who was asked for; None where a
    department was, or all.
    """

    groups: tuple[tuple[Department, tuple[Person, ...]], ...]
    person: Person | None = None


def read_team(tools: Tools, rules: Rules, name: str | None, orders: Sequence[OrderRow]) -> tuple[Standings, Team]:
    """Read how these orders stand, and find whom a name or id means; all of the production without one.

    The cache is read anew for an unknown name. Raises ConfigError for a name that no person or several people have,
    PortalError as reading does.
    """
    company = tools.directory.company(with_files=False)
    if name and not company.fresh:
        people = _list_workers(company.staff, rules.excluded)
        if not (_find_roots(company.staff, company.staff.inside, name) or find_people(name, people)):
            tools.directory.company(with_files=False, refresh=True)
    standings = read_standings(tools, rules, orders)
    return standings, choose_team(standings, rules.excluded, name)


def choose_team(standings: Standings, excluded: Collection[int], name: str | None) -> Team:
    """Find whom a name or id means among those whose lanes were read. Raises ConfigError as `read_team`."""
    staff = standings.company.staff
    people = _list_workers(staff, excluded)
    others = _list_others(standings, {person.id for person in people})
    own = {person.id: _find_home(staff, person) for person in others}
    everybody = [*people, *others]
    places = list(dict.fromkeys([*(place for place in staff.departments if place in staff.inside), *own.values()]))
    roots = places if name is None else _find_roots(staff, places, name)
    chosen = find_person(name, everybody) if name and not roots and find_people(name, everybody) else None
    if not roots and chosen is None:
        raise _describe_unknown(staff, places, everybody, name or "")
    below = {place for root in roots if root in staff.inside for place in staff.below(root)}
    groups: dict[int, list[Person]] = {place: [] for place in places if chosen or place in below or place in roots}
    homes = staff.inside & groups.keys()
    for person in sorted([chosen] if chosen else everybody, key=lambda who: (who.last_name, who.first_name, who.id)):
        home = staff.home_of(person, homes) or own.get(person.id)
        if home in groups:
            groups[home].append(person)
    return Team(tuple((staff.departments[home], tuple(members)) for home, members in groups.items() if members), chosen)


def warn_of_leavers(standings: Standings, team: Team) -> list[str]:
    """Say who has left and still has tasks of orders, which no list of these people shows; nothing of one person."""
    people = mark_namesakes([*standings.company.staff.people.values(), *standings.portal.people.values()])
    warnings = []
    for person in people.values() if team.person is None else ():
        tasks = [] if person.active else standings.workload.spans(person.id)
        count = sum(bool((task := standings.workload.find(person.id, id_)) and task.ours) for id_ in tasks)
        if count:
            text = ngettext(
                "{name} does not work there any more, and has {n} task of an order: nobody's list has it; "
                "`b24tools replan` gives others what is not begun, unless it was given by name",
                "{name} does not work there any more, and has {n} tasks of orders: nobody's list has them; "
                "`b24tools replan` gives others what is not begun, unless it was given by name",
                count,
            )
            warnings.append(text.format(name=person.shown, n=count))
    return warnings


def _list_workers(staff: Staff, excluded: Collection[int]) -> list[Person]:
    return [person for person in staff.people.values() if person.active and person.id not in excluded]


def _list_others(standings: Standings, known: Collection[int]) -> list[Person]:
    """List who is not among the `known`, and has work of orders to do all the same."""
    people = {**standings.company.staff.people, **standings.portal.people}
    return [who for who in people.values() if who.active and who.id not in known and _has_orders(standings, who.id)]


def _has_orders(standings: Standings, person_id: int) -> bool:
    tasks = (standings.workload.find(person_id, task_id) for task_id in standings.workload.spans(person_id))
    return any(task is not None and task.ours for task in tasks)


def _find_home(staff: Staff, person: Person) -> int:
    """Find the department under which somebody is listed who is not given work by position."""
    return staff.home_of(person) or staff.home_of(person, staff.departments) or staff.root_id


def _find_roots(staff: Staff, places: Collection[int], name: str) -> list[int]:
    """Find the departments that are meant."""
    number = read_id(name)
    if number is not None and number in places:
        return [number]
    return [place for place in places if same_name(staff.departments[place].name) == same_name(name)]


def _describe_unknown(staff: Staff, places: Iterable[int], people: Iterable[Person], name: str) -> errors.ConfigError:
    names = [staff.departments[place].name for place in places]
    nearest = nearest_person(name, people, names)
    return errors.ConfigError(
        _('there is no department and no person "{name}" under "{root}"').format(
            name=name, root=staff.departments[staff.root_id].name
        ),
        errors.as_sentence(
            _('The nearest name is "{nearest}"').format(nearest=nearest) + describe_foreign_letters(name, nearest)
        )
        if nearest
        else _("There are: {known}").format(known=", ".join(names)),
    )
