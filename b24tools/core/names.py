"""Names as people write them: which are the same, which look alike or are near, and whom one means."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Person

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
_NEAR, _NEAR_PERSON = 0.5, 0.7  # how much is alike of names that may be mistaken; half of each surname is its ending
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
    name, other = (fold_signs(read_visibly(text)).replace(" ", "")[:_LONGEST_NAME] for text in (name, other))
    alike = difflib.SequenceMatcher(None, list(map(fold_shapes, name)), list(map(fold_shapes, other)), autojunk=False)
    if alike.ratio() < _NEARLY:
        return ""
    blocks = alike.get_matching_blocks()
    pairs = (
        pair
        for at, there, size in blocks
        for pair in zip(name[at : at + size], other[there : there + size], strict=True)
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


def fold_shapes(name: str) -> str:
    """Fold a name by what its letters look like, of whatever alphabet: for hints only, never for decisions."""
    return same_name(name).translate(_LOOKALIKES)


def parts_to_ask(name: str) -> list[str]:
    """Parts that what looks like a name has, too: its longest word, and its longest run of unmistakable letters."""
    runs = re.findall(r"[^\W\d_]+", "".join(" " if char in _MISTAKABLE else char for char in name.lower()))
    return list(dict.fromkeys([max(name.split(), key=len), *sorted(runs, key=len)[-1:]]))


def nearest_name(name: str, names: Iterable[str], cutoff: float = _NEAR) -> str | None:
    """The name most like this one, if any is near enough to be what was meant."""
    by_form = {fold_shapes(known): known for known in names}
    close = difflib.get_close_matches(fold_shapes(name), list(by_form), n=1, cutoff=cutoff)
    return by_form[close[0]] if close else None


def hint_nearest(nearest: str | None, otherwise: str) -> str:
    """Return a hint with the nearest name, where there is one near enough."""
    return _('The nearest name is "{nearest}".').format(nearest=nearest) if nearest else otherwise


def mark_namesakes(people: Iterable[Person]) -> dict[int, Person]:
    """Return people by id, of whom texts show the ids where several have one name; the last one of an id counts."""
    by_id = {person.id: person for person in people}
    names = {id_: person.name for id_, person in by_id.items()}
    shared = {name for name, count in Counter(names.values()).items() if count > 1}
    for id_, name in names.items():
        if by_id[id_].has_namesake != (name in shared):
            by_id[id_] = replace(by_id[id_], has_namesake=name in shared)
    return by_id


def list_spellings(people: Iterable[Person]) -> dict[str, str]:
    """Return the names of people by how they may be written: in either order, or the surname alone.

    Of people who share one it means the first who is not dismissed.
    """
    return {
        spelling: person.name
        for person in sorted(people, key=lambda person: (person.active, -person.id))  # the last wins
        for spelling in (person.name, f"{person.last_name} {person.first_name}", person.last_name)
    }


def nearest_person(name: str, people: Iterable[Person], others: Iterable[str] = ()) -> str | None:
    """The person, or one of the `others`, whose name is most like this one, if any is near enough to be meant."""
    spellings, others = list_spellings(people), list(others)
    nearest = nearest_name(name, [*spellings, *others])
    if nearest not in others and (nearest is None or not nearest_name(name, [nearest], _NEAR_PERSON)):
        return nearest_name(name, others)
    return spellings.get(nearest, nearest)


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
    by_lower: dict[str, str] = {}
    for mask in masks:
        by_lower.setdefault(mask.lower(), mask)
    return list(by_lower.values())


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
    parts = _PATRONYMIC.fullmatch(same_name(text).replace("-", ""))
    stem, son, daughter = parts.groups() if parts else (text, None, None)
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
    if not wanted:
        return []  # and not whoever has no surname
    matches = [
        person
        for person in people
        if wanted in (same_name(person.last_name), same_name(person.name)) or matches_person(text, person)
    ]
    return matches or [person for person in people if same_name(person.first_name) == wanted]


def find_person(text: str, people: Iterable[Person], *, active_first: bool = False) -> Person:
    """Find the one person somebody means; `active_first`: of those who work here, if any of them is meant.

    Raises ConfigError with the ids of several, or the nearest name.
    """
    people = list(people)
    matches = find_people(text, [person for person in people if person.active]) if active_first else []
    matches = matches or find_people(text, people)
    if len(matches) == 1:
        return matches[0]
    if matches:
        named = ", ".join(f"{person.name} (#{person.id})" for person in matches)
        raise errors.ConfigError(
            _('several people are called "{name}": {people}').format(name=text, people=named),
            _("Give the id of the right one."),
            code=errors.ErrorCode.AMBIGUOUS,
        )
    nearest = nearest_person(text, people)
    otherwise = _("Give the name and surname, or the id from the address of the person's profile page.")
    raise errors.ConfigError(
        _('there is no person called "{name}"').format(name=text), hint_nearest(nearest, otherwise)
    )
