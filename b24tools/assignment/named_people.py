"""The people whom an order or a setting names: who makes its tasks, observes them, or gets what fits no department."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

from b24tools.assignment.portal_state import PortalState
from b24tools.bitrix24 import queries
from b24tools.bitrix24.client import Client
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Person
from b24tools.core.names import describe_near_manager, find_people, find_person, matches_person, same_name, suggest_name
from b24tools.core.org_structure import Match, Staff
from b24tools.onec.order import Order

LONGEST_NAME = 200  # that the portal is asked for


def find_anybody(client: Client, text: str, people: Collection[Person]) -> Person:
    """Find the one person somebody means: of these, else of all on the portal. Raises ConfigError as `find_person`."""
    if not find_people(text, people):
        parts = [part for part in text.split() if not part.isdecimal()] if len(text) <= LONGEST_NAME else []
        surnames = [*parts, *map(" ".join, pairwise(parts))]  # some have two words
        words = dict.fromkeys(word for surname in surnames for word in (surname, surname.title()))
        people = [*people, *(queries.fetch_people_by_surname(client, [*words]) if words else [])]
    return find_person(text, people)


@dataclass(frozen=True)
class NamedPeople:
    """Finds them among all `people` known, by id. `fallback_id`: B24_FALLBACK_USER."""

    staff: Staff
    portal: PortalState
    people: Mapping[int, Person]
    fallback_id: int | None

    def find_active(self, user_id: int, source: str) -> Person:
        """Find an active employee; raises B24ToolsError that names the `source` of the id."""
        person = self.people.get(user_id)
        if person is None or not person.active:
            raise errors.B24ToolsError(
                _("{source}: the portal has no active employee {id}").format(source=source, id=user_id),
                _("Give the id from the address of the person's profile page."),
            )
        return person

    def describe_vacancy(self, position: str, match: Match) -> str:
        """Say why there is no one for the work of a position."""
        if match.barred:
            names = ", ".join(person.name for person in match.barred)
            return _('people.json gives "{position}" to none of its people: {names}').format(
                position=position, names=names
            )
        if match.departments:
            return _('the department "{name}" has no active people').format(name=match.departments[0].name)
        root = self.staff.departments[self.staff.root_id].name
        name = self.staff.positions.department_of(position)
        problem = _('there is no department "{name}" under "{root}"').format(name=name, root=root)
        if same_name(position) in self.staff.positions.departments:
            text = _('people.json says that "{position}" means the department "{name}", which is not under "{root}"')
            problem = text.format(position=position, name=name, root=root)
        if match.nearest:
            problem += suggest_name(name, [match.nearest])
        return problem

    def find_creator(self, order: Order) -> int | None:
        """Find the head of the order's department, else the webhook's owner, else B24_FALLBACK_USER.

        Only an administrator may name another creator than himself. A webhook that has outlived its owner belongs to a
        system user whom `user.get` does not show: what he creates would belong to no person.
        """
        owner = self.portal.owner
        if not owner.admin:
            return owner.id
        department = self.staff.department_named(order.department) if order.department else None
        ids = (department.head_id if department else None, owner.id, self.fallback_id)
        people = (self.people.get(user_id) for user_id in ids if user_id)
        return next((person.id for person in people if person and person.active), None)

    def _managers(self, order: Order) -> list[Person]:
        """List the active people that `Менеджер` may mean."""
        namesakes = self.portal.namesakes.get(order.manager or "", [])
        return [person for person in namesakes if person.active and matches_person(order.manager or "", person)]

    def find_auditor(self, order: Order) -> int | None:
        """Find the manager of the order; None where several people may be meant."""
        managers = self._managers(order)
        return managers[0].id if len(managers) == 1 else None

    def list_unmatched(self, order: Order) -> list[str]:
        """Say which department or person the order names without meaning one that is on the portal."""
        warnings = []
        if order.department and self.staff.department_named(order.department) is None:
            text = _('Исполнитель: the portal has no department "{name}"').format(name=order.department)
            names = (department.name for department in self.staff.departments.values())
            warnings.append(text + suggest_name(order.department, names))
        managers = self._managers(order)
        if order.manager and not managers:
            text = _('Менеджер: no active person of the portal is "{name}", so the tasks have no observer')
            near = describe_near_manager(order.manager, self.portal.namesakes.get(order.manager, []))
            warnings.append(text.format(name=order.manager) + near)
        elif len(managers) > 1:
            ids = ", ".join(f"#{person.id}" for person in managers)
            text = _('Менеджер: "{name}" may be several people ({ids}), so the tasks have no observer')
            warnings.append(text.format(name=order.manager, ids=ids))
        return warnings
