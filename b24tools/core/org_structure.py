"""Which people a position means: departments by name, and everybody in or below them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Department, Person

# what is drawn like a Russian letter, in one case of its letters or in both; for hints only, never for decisions
_LOOKALIKES = str.maketrans("abcehkmoptxyë03αβεηκμορτυχ", "авсенкмортхуеозавенкмортух")
_MISTAKABLE = frozenset("ёей").union(*(map(chr, (*_LOOKALIKES, *_LOOKALIKES.values()))))
# signs that print alike; stress marks say only how a name is spoken
_SIGNS = str.maketrans("‐‑‒–—―⸺⸻﹘﹣－−⁃⁄∕’‘ʼʻ`´′«»“”„", "-" * 13 + "//" + "'" * 7 + '"' * 5, "\u0300\u0301")
_SIGN = re.compile("[{}]".format("".join(map(chr, _SIGNS))))
# drawn as nothing, but no format characters to Unicode: joiners, variation selectors, fillers of Hangul
_UNDRAWN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
ID_DIGITS = 18  # of 64 bits, as SQLite has them
_NEARLY, _LONGEST_NAME = 0.8, 200
_PATRONYMIC = re.compile("(.*?)(?:(оглы|оглу|огли|угли|уғли|ўғли|улы|ұлы|улу|уулу)|(кызы|гызы|қызы|кизи|қизи))?")


def drop_invisible(text: str) -> str:
    """Compose the letters and drop what only formats."""
    text = unicodedata.normalize("NFC", text)
    return text if text.isprintable() else "".join(char for char in text if unicodedata.category(char) != "Cf")


def read_visibly(text: str) -> str:
    """Compose the letters, drop what cannot be seen, and make every space one ordinary space."""
    return " ".join(drop_invisible(text).split())


def fold_signs(text: str) -> str:
    """Make one sign of those that only print differs in: dashes, quotes, wide letters; drop what adds nothing."""
    if _SIGN.search(text):
        text = text.translate(_SIGNS)
    if not text.isascii():
        text = _UNDRAWN.sub("", text)
    return unicodedata.normalize("NFKC", text)


@lru_cache(maxsize=10_000)  # each line of an order is compared with the others
def key_name(name: str) -> str:
    """Fold a name for a task's key, the same way for ever: case, ё and е, spaces, what cannot be seen do not count."""
    return read_visibly(name).replace(" ", "").casefold().replace("ё", "е")


@lru_cache(maxsize=10_000)  # a plan compares the names of positions and departments thousands of times
def same_name(name: str) -> str:
    """Fold a name for comparison: beside what does not count in a key, neither do signs that only look different."""
    return key_name(fold_signs(unicodedata.normalize("NFC", name)))


def describe_foreign_letters(name: str, other: str) -> str:
    """Say which letters of names that look much alike are of different alphabets; "" where they do not differ so."""
    names = {"LATIN": _("Latin"), "CYRILLIC": _("Cyrillic"), "GREEK": _("Greek"), "DIGIT": _("a digit")}
    one, two = (fold_signs(read_visibly(text)).replace(" ", "")[:_LONGEST_NAME] for text in (name, other))
    alike = difflib.SequenceMatcher(None, list(map(look, one)), list(map(look, two)), autojunk=False)
    if alike.ratio() < _NEARLY:
        return ""
    blocks = alike.get_matching_blocks()
    pairs = (
        pair for at, there, size in blocks for pair in zip(one[at : at + size], two[there : there + size], strict=True)
    )
    texts = []
    for here, there in dict.fromkeys(pairs):
        if same_name(here) != same_name(there):
            kinds = [unicodedata.name(char, "").partition(" ")[0] for char in (here, there)]
            first, second = (names.get(kind, kind) for kind in kinds)
            texts.append(
                _('"{letter}" is {first} here and {second} there').format(letter=here, first=first, second=second)
            )
    return "; " + ", ".join(texts) if texts else ""


def no_department(name: str, departments: Iterable[Department]) -> errors.ConfigError:
    """Make the exception for a B24_DEPARTMENT that is none of these."""
    hint = _("Set B24_DEPARTMENT to the production department, by name or id.")
    if nearest := nearest_name(name, (department.name for department in departments)):
        hint = _(
            'Set B24_DEPARTMENT to the production department, by name or id; the nearest name there is "{nearest}"'
        ).format(nearest=nearest) + describe_foreign_letters(name, nearest)
    return errors.ConfigError(_('the portal has no department "{name}"').format(name=name), hint)


def look(name: str) -> str:
    """Fold a name by what its letters look like, of whatever alphabet: for hints only, never for decisions."""
    return same_name(name).translate(_LOOKALIKES)


def parts_to_ask(name: str) -> list[str]:
    """Parts that what looks like a name has, too: its longest word, and its longest run of unmistakable letters."""
    runs = re.findall(r"[^\W\d_]+", "".join(" " if char in _MISTAKABLE else char for char in name.lower()))
    return list(dict.fromkeys([max(name.split(), key=len), *sorted(runs, key=len)[-1:]]))


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

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Department]]:
        """The departments of the production, by folded names."""
        found: dict[str, list[Department]] = {}
        for department in (self.departments[one] for one in self.below(self.root_id) if one != self.root_id):
            found.setdefault(same_name(department.name), []).append(department)
        return found

    @cached_property
    def _members(self) -> Mapping[int, Sequence[Person]]:
        """The active people of each department itself."""
        found: dict[int, list[Person]] = {}
        for person in self.people.values():
            for department_id in person.department_ids if person.active else ():
                found.setdefault(department_id, []).append(person)
        return found

    def _look_for(self, name: str, under: str | None, excluded: frozenset[int]) -> Match:
        found = self._by_name.get(same_name(self.positions.department_of(name)), ())
        if len(found) > 1 and under:
            roots = [one.id for one in self.departments.values() if same_name(one.name) == same_name(under)]
            preferred = {below for root in roots for below in self.below(root)}
            found = [department for department in found if department.id in preferred] or found
        if not found:
            names = (department.name for same in self._by_name.values() for department in same)
            return Match((), (), nearest_name(self.positions.department_of(name), names))
        homes = {below for department in found for below in self.below(department.id)}
        members = {person.id: person for home in homes for person in self._members.get(home, ())}
        people = [person for _id, person in sorted(members.items()) if person.id not in excluded]
        return Match(
            tuple(sorted(found, key=lambda department: department.id)),
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
        others = (one for one in self.departments.values() if same_name(one.name) == wanted)
        return next(chain(self._by_name.get(wanted, ()), others), None)


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """The name most like this one, if any is near enough to be what was meant."""
    by_form = {look(one): one for one in names}
    close = difflib.get_close_matches(look(name), list(by_form), n=1, cutoff=0.5)
    return by_form[close[0]] if close else None


def list_spellings(people: Iterable[Person]) -> dict[str, str]:
    """Return the names of people by how they may be written: in either order, or the surname alone.

    Of people who share one it means the first who is not dismissed.
    """
    return {
        spelling: one.name
        for one in sorted(people, key=lambda one: (one.active, -one.id))  # the last wins
        for spelling in (one.name, f"{one.last_name} {one.first_name}", one.last_name)
    }


def suggest_name(name: str, names: Iterable[str]) -> str:
    """Say in brackets which name is the nearest, and which letters only look alike; "" where none is near."""
    nearest = nearest_name(name, names)
    if nearest is None:
        return ""
    return _(' (the nearest name is "{nearest}")').format(nearest=nearest) + describe_foreign_letters(name, nearest)


def read_id(text: str) -> int | None:
    """Return the id that a text is; None for a name, and for more digits than an id can have."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= ID_DIGITS else None


def find_root(departments: Iterable[Department], wanted: str) -> Department | None:
    """The production department, by id or by name (the highest in the tree if several have it)."""
    known = {department.id: department for department in departments}
    number = read_id(wanted)
    if number is not None and number in known:
        return known[number]
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


def surname_of(manager: str) -> str:
    """Return the surname of `Фамилия Имя Отчество`, as the portal is asked for it."""
    return next(iter(_split_name(manager)), "")


def surname_masks(manager: str) -> list[str]:
    """What the portal is asked for, as masks of LIKE, to find a manager and whoever is written only a bit differently.

    Surnames of two words, other dashes and apostrophes, decomposed letters, Cyrillic ones for those like them; and on
    the portal any one letter of another alphabet.
    """
    words = _split_name(manager)
    surnames = [words[0]] if words else []
    if len(words) > 2:
        surnames.append(f"{words[0]} {words[1]}")
    masks = [*surnames, *(re.sub(r"\W", "_", surname) for surname in surnames)]
    masks += [surname.lower().translate(_LOOKALIKES) for surname in surnames[:1]]
    masks += [unicodedata.normalize("NFD", mask) for mask in masks]
    masks += [
        f"{surname[:place]}_{surname[place + 1 :]}"
        for surname in surnames[:1]
        for place, letter in enumerate(surname)
        if letter.lower() in _MISTAKABLE and len(surname) > 3
    ]
    found: dict[str, str] = {}
    for mask in masks:
        found.setdefault(mask.lower(), mask)
    return list(found.values())


def _split_name(text: str) -> list[str]:
    """The words of a name; initials and what stands before a comma are words."""
    return re.sub(r"\s*-\s*", "-", re.sub("[.,]", " ", fold_signs(read_visibly(text)))).split()


def describe_near_manager(manager: str, people: Iterable[Person]) -> str:
    """Say of which of these people a name differs only by letters of another alphabet, and by which; "" of none."""
    for person in people:
        names = (
            f"{person.last_name} {person.first_name}",
            f"{person.last_name} {person.first_name} {person.second_name}",
        )
        for name, other in ((manager, names[0]), (manager, names[1]), (surname_of(manager), person.last_name)):
            if letters := describe_foreign_letters(name, other):
                return _(' (the nearest name is "{nearest}")').format(nearest=names[1].strip()) + letters
    return ""


def matches_person(text: str, person: Person) -> bool:
    """Whether `Фамилия Имя [Отчество]` or `Фамилия И. [О.]` means this person.

    A patronymic that the portal does not know does not speak against the person; `оглы`, `кызы` are part of it.
    """
    words = _split_name(text) or [""]
    last_name = _join_name(person.last_name)
    count = 2 if len(words) > 2 and _join_name("".join(words[:2])) == last_name else 1
    surname, given = "".join(words[:count]), words[count:]
    if len(given) == 3 and not _split_patronymic(given[2])[0]:
        given[1:] = ["".join(given[1:])]
    if not 1 <= len(given) <= 2 or _join_name(surname) != last_name:
        return False
    fits_second = len(given) == 1 or not person.second_name or _fits_patronymic(given[1], person.second_name)
    return _fits(given[0], person.first_name) and fits_second


def _join_name(text: str) -> str:
    """Fold a surname: a dash between its words is as good as a space."""
    return same_name(text).replace("-", "")


def _fits_patronymic(word: str, name: str) -> bool:
    """Whether they are one patronymic; one that says nothing of son or daughter may be either."""
    (stem, son, daughter), (other_stem, other_son, other_daughter) = map(_split_patronymic, (word, name))
    return _fits(stem, other_stem) and not (son and other_daughter) and not (daughter and other_son)


def _split_patronymic(text: str) -> tuple[str, bool, bool]:
    """Split off what says whether this is a son or a daughter, however it is joined to the father's name."""
    found = _PATRONYMIC.fullmatch(same_name(text).replace("-", ""))
    stem, son, daughter = found.groups() if found else (text, None, None)
    return stem, bool(son), bool(daughter)


def _fits(word: str, name: str) -> bool:
    """The whole name, or its initial."""
    word, name = same_name(word), same_name(name)
    return word == name or (len(word) == 1 and name.startswith(word))


def find_people(text: str, people: Iterable[Person]) -> list[Person]:
    """Find whom somebody means: by id (17, #17), surname, or name and surname in either order and with initials.

    A first name alone means those who have it where it is no one's surname.
    """
    if (number := read_id(text.strip().removeprefix("#"))) is not None:
        return [person for person in people if person.id == number]
    wanted, people = same_name(text), list(people)
    found = [
        person
        for person in people
        if wanted in (same_name(person.last_name), same_name(person.name)) or matches_person(text, person)
    ]
    return found or [person for person in people if wanted and same_name(person.first_name) == wanted]


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
            code=errors.ErrorCode.AMBIGUOUS,
        )
    spellings = list_spellings(people)
    nearest = nearest_name(text, spellings)
    raise errors.ConfigError(
        _('there is no person called "{name}"').format(name=text),
        _('The nearest name is "{nearest}".').format(nearest=spellings[nearest])
        if nearest
        else _("Give the name and surname, or the id from the address of the person's profile page."),
    )
