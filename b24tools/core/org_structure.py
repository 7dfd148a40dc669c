"""Which people a position means: departments by name, and everybody in or below them."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Department, Person


def same_name(name: str) -> str:
    """Fold a name for comparison: case, ё and е, spaces, invisible characters and composition do not count."""
    visible = (char for char in unicodedata.normalize("NFC", name) if unicodedata.category(char) != "Cf")
    return "".join("".join(visible).split()).casefold().replace("ё", "е")


@dataclass(frozen=True)
class Match:
    """The departments of a position and their people; `nearest` is the likeliest name where there is none."""

    departments: tuple[Department, ...]
    people: tuple[Person, ...]
    nearest: str | None = None


class Staff:
    """The departments of the portal and the people of the production part.

    `root_id` is the production department; positions are its sub-departments at any depth.
    """

    def __init__(self, departments: Iterable[Department], people: Iterable[Person], root_id: int) -> None:
        self.departments: Mapping[int, Department] = {department.id: department for department in departments}
        self.people: Mapping[int, Person] = {person.id: person for person in people}
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

    def position(self, name: str, under: str | None, excluded: frozenset[int] = frozenset()) -> Match:
        """The people for the position `name`; of several departments of that name, those under `under`."""
        question = name, under, excluded  # a hundred orders ask the same few
        if question not in self._matches:
            self._matches[question] = self._look_for(*question)
        return self._matches[question]

    def _look_for(self, name: str, under: str | None, excluded: frozenset[int]) -> Match:
        inside = [self.departments[one] for one in self.below(self.root_id) if one != self.root_id]
        wanted = same_name(name)
        found = [department for department in inside if same_name(department.name) == wanted]
        if len(found) > 1 and under:
            roots = [one.id for one in self.departments.values() if same_name(one.name) == same_name(under)]
            preferred = {below for root in roots for below in self.below(root)}
            found = [department for department in found if department.id in preferred] or found
        if not found:
            return Match((), (), nearest_name(name, (department.name for department in inside)))
        homes = {below for department in found for below in self.below(department.id)}
        people = [
            person
            for person in self.people.values()
            if person.active and person.id not in excluded and homes.intersection(person.department_ids)
        ]
        return Match(
            tuple(sorted(found, key=lambda department: department.id)),
            tuple(sorted(people, key=lambda person: person.id)),
        )

    def department_named(self, name: str) -> Department | None:
        """The department `Исполнитель` names: inside production first, then anywhere."""
        wanted = same_name(name)
        inside = list(self.below(self.root_id))
        for one in (*inside, *self.departments):
            department = self.departments.get(one)
            if department and same_name(department.name) == wanted:
                return department
        return None


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The name most like this one, if any is near enough to be what was meant."""
    by_form = {same_name(one): one for one in names}
    close = difflib.get_close_matches(same_name(name), list(by_form), n=1, cutoff=0.5)
    return by_form[close[0]] if close else None


def find_root(departments: Iterable[Department], wanted: str) -> Department | None:
    """The production department, by id or by name (the highest in the tree if several have it)."""
    known = {department.id: department for department in departments}
    if wanted.isdecimal() and int(wanted) in known:
        return known[int(wanted)]
    found = [department for department in known.values() if same_name(department.name) == same_name(wanted)]
    return min(found, key=lambda department: (_depth(known, department), department.id), default=None)


def _depth(known: Mapping[int, Department], department: Department) -> int:
    """How many departments are above it."""
    above: set[int] = set()
    parent = known.get(department.parent_id or 0)
    while parent and parent.id not in above:
        above.add(parent.id)
        parent = known.get(parent.parent_id or 0)
    return len(above)


def matches_person(text: str, person: Person) -> bool:
    """Whether `Фамилия Имя [Отчество]` or `Фамилия И. [О.]` means this person.

    A patronymic that the portal does not know does not speak against the person.
    """
    surname, *given = text.replace(".", " ").split() or [""]
    if not 1 <= len(given) <= 2 or same_name(surname) != same_name(person.last_name):
        return False
    fits_first = _fits(given[0], person.first_name)
    fits_second = len(given) == 1 or not person.second_name or _fits(given[1], person.second_name)
    return fits_first and fits_second


def _fits(word: str, name: str) -> bool:
    """The whole name, or its initial."""
    word, name = same_name(word), same_name(name)
    return word == name or (len(word) == 1 and name.startswith(word))


def find_people(text: str, people: Iterable[Person]) -> list[Person]:
    """Find whom somebody means: by id, surname, or name and surname in either order and with initials."""
    if text.strip().isdecimal():
        return [person for person in people if person.id == int(text)]
    wanted = same_name(text)
    return [
        person
        for person in people
        if wanted in (same_name(person.last_name), same_name(person.name)) or matches_person(text, person)
    ]


def find_person(text: str, people: Iterable[Person]) -> Person:
    """Find the one person somebody means. Raises ConfigError with the ids of several, or the nearest name."""
    people = list(people)
    found = find_people(text, people)
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(f"{person.name} (#{person.id})" for person in found)
        raise errors.ConfigError(
            _('several people are called "{name}": {people}').format(name=text, people=named),
            _("Give the id of the right one."),
        )
    nearest = nearest_name(text, (person.name for person in people))
    raise errors.ConfigError(
        _('nobody is called "{name}"').format(name=text),
        _('The nearest name is "{nearest}".').format(nearest=nearest)
        if nearest
        else _("Give the name and surname, or the id from the address of the person's profile page."),
    )
