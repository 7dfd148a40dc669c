"""Which people a position means: departments by name, and everybody in or below them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Department, Person
from b24tools.core.names import describe_foreign_letters, mark_namesakes, nearest_name, read_id, same_name


@dataclass(frozen=True)
class Positions:
    """What people.json says of positions: the names of their departments, and who does `only` or `never` some of them.

    All names are folded by `same_name`, but those of the departments.
    """

    departments: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[int, frozenset[str]] = field(default_factory=dict)
    never: Mapping[int, frozenset[str]] = field(default_factory=dict)

    def department_of(self, position: str) -> str:
        """Return the name of the department that a position means."""
        return self.departments.get(same_name(position), position)

    def may_do(self, person_id: int, position: str) -> bool:
        """Whether this person is given work of the position, by its own name or its department's."""
        names = {same_name(position), same_name(self.department_of(position))}
        return not (names & self.never.get(person_id, frozenset())) and bool(names & self.only.get(person_id, names))


@dataclass(frozen=True)
class Match:
    """The departments of a position and their people; `nearest` is the likeliest name where there is none.

    `barred`: those who are not given such work, as people.json says.
    """

    departments: tuple[Department, ...]
    people: tuple[Person, ...]
    nearest: str | None = None
    barred: tuple[Person, ...] = ()


class Staff:
    """The departments of the portal and the people of the production part.

    `root_id` is the production department; positions are its sub-departments at any depth.
    """

    def __init__(
        self,
        departments: Iterable[Department],
        people: Iterable[Person],
        root_id: int,
        positions: Positions | None = None,
    ) -> None:
        self.positions = positions or Positions()
        self.departments: Mapping[int, Department] = {department.id: department for department in departments}
        self.people: Mapping[int, Person] = mark_namesakes(people)
        self.root_id = root_id
        self._children: dict[int | None, list[int]] = {}
        for department in self.departments.values():
            self._children.setdefault(department.parent_id, []).append(department.id)
        self._matches: dict[tuple[str, str | None, frozenset[int]], Match] = {}

    def below(self, department_id: int) -> Iterator[int]:
        """The department and all under it."""
        seen = {department_id}
        waiting = [department_id]
        while waiting:
            current = waiting.pop()
            yield current
            for child in self._children.get(current, ()):
                if child not in seen:  # a loop in the tree would be the portal's mistake, not a reason to hang
                    seen.add(child)
                    waiting.append(child)

    @cached_property
    def inside(self) -> KeysView[int]:
        """The departments of the production with its root, each before those below it."""
        return dict.fromkeys(self.below(self.root_id)).keys()

    def home_of(self, person: Person, departments: Container[int] | None = None) -> int | None:
        """The first department of a person that is one of these, by default of the production; None where none is."""
        homes = self.inside if departments is None else departments
        return next((department_id for department_id in person.department_ids if department_id in homes), None)

    def position(self, name: str, under: str | None, excluded: frozenset[int] = frozenset()) -> Match:
        """The people for the position `name`; of several departments of that name, those under `under`."""
        question = name, under, excluded  # a hundred orders ask the same few
        if question not in self._matches:
            self._matches[question] = self._match(*question)
        return self._matches[question]

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Department]]:
        """The departments of the production, by folded names."""
        by_name: dict[str, list[Department]] = {}
        for department in (self.departments[inside] for inside in self.inside if inside != self.root_id):
            by_name.setdefault(same_name(department.name), []).append(department)
        return by_name

    @cached_property
    def _members(self) -> Mapping[int, Sequence[Person]]:
        """The active people of each department itself."""
        members: dict[int, list[Person]] = {}
        for person in self.people.values():
            for department_id in person.department_ids if person.active else ():
                members.setdefault(department_id, []).append(person)
        return members

    def _match(self, name: str, under: str | None, excluded: frozenset[int]) -> Match:
        named = self._by_name.get(same_name(self.positions.department_of(name)), ())
        if len(named) > 1 and under:
            roots = [root.id for root in self.departments.values() if same_name(root.name) == same_name(under)]
            preferred = {below for root in roots for below in self.below(root)}
            named = [department for department in named if department.id in preferred] or named
        if not named:
            names = (department.name for same in self._by_name.values() for department in same)
            return Match((), (), nearest_name(self.positions.department_of(name), names))
        homes = {below for department in named for below in self.below(department.id)}
        members = {person.id: person for home in homes for person in self._members.get(home, ())}
        people = [person for _id, person in sorted(members.items()) if person.id not in excluded]
        return Match(
            tuple(sorted(named, key=lambda department: department.id)),
            tuple(person for person in people if self.positions.may_do(person.id, name)),
            barred=tuple(person for person in people if not self.positions.may_do(person.id, name)),
        )

    def with_people(self, people: Iterable[Person]) -> Staff:
        """The same departments with other people."""
        other = Staff(self.departments.values(), people, self.root_id, self.positions)
        other._by_name = self._by_name
        return other

    def homes_of(self, person: Person) -> Iterator[int]:
        """The departments of a person, each with those above it."""
        for department_id in person.department_ids:
            department, seen = self.departments.get(department_id), set[int]()
            while department and department.id not in seen:
                seen.add(department.id)
                yield department.id
                department = self.departments.get(department.parent_id or 0)

    def department_named(self, name: str) -> Department | None:
        """The department `Исполнитель` names: inside production first, then anywhere."""
        wanted, root = same_name(name), self.departments.get(self.root_id)
        if root and same_name(root.name) == wanted:
            return root
        others = (other for other in self.departments.values() if same_name(other.name) == wanted)
        return next(chain(self._by_name.get(wanted, ()), others), None)


def find_root(departments: Iterable[Department], wanted: str) -> Department | None:
    """The production department, by id or by name (the highest in the tree if several have it)."""
    known = {department.id: department for department in departments}
    number = read_id(wanted)
    if number is not None and number in known:
        return known[number]
    named = [department for department in known.values() if same_name(department.name) == same_name(wanted)]
    return min(named, key=lambda department: (_depth(known, department), department.id), default=None)


def _depth(known: Mapping[int, Department], department: Department) -> int:
    """How many departments are above it."""
    above: set[int] = set()
    parent = known.get(department.parent_id or 0)
    while parent and parent.id not in above:
        above.add(parent.id)
        parent = known.get(parent.parent_id or 0)
    return len(above)


def no_department(name: str, departments: Iterable[Department]) -> errors.ConfigError:
    """Make the exception for a B24_DEPARTMENT that is none of these."""
    hint = _("Set B24_DEPARTMENT to the production department, by name or id.")
    if nearest := nearest_name(name, (department.name for department in departments)):
        hint = _(
            'Set B24_DEPARTMENT to the production department, by name or id; the nearest name there is "{nearest}"'
        ).format(nearest=nearest) + describe_foreign_letters(name, nearest)
    return errors.ConfigError(_('the portal has no department "{name}"').format(name=name), hint)
