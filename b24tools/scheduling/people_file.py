"""The user's people.json: how fast and how long single people work, by which schedule, and on what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.names import same_name
from b24tools.core.org_structure import Positions
from b24tools.scheduling.calendar_file import decode

PEOPLE, POSITIONS, DEPARTMENTS = "people", "positions", "departments"
RATE, HOURS, SCHEDULE, ONLY, NEVER = "rate", "hours_a_week", "schedule", "only", "never"
RATES = Decimal("0.1"), Decimal(10)
WEEKS = Decimal(1), Decimal(168)

_TOKENS = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|[{}]')
_Path = tuple[str, ...]


@dataclass(frozen=True)
class PersonTerms:
    """What the file says of a person; what it does not say is as for everybody."""

    rate: Fraction = Fraction(1)
    hours_a_week: Fraction | None = None
    schedule: int | None = None
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()

    @cached_property
    def record(self) -> Mapping[str, Any]:
        """Return what is not as for everybody, as JSON can hold it."""
        record: dict[str, Any] = {RATE: float(self.rate), HOURS: self.hours_a_week and float(self.hours_a_week)}
        record |= {SCHEDULE: self.schedule, ONLY: list(self.only), NEVER: list(self.never)}
        return {key: value for key, value in record.items() if value and (key, value) != (RATE, 1)}


_USUAL = PersonTerms()


@dataclass(frozen=True)
class PeopleFile:
    """What people.json says: of people by id, names of positions with their departments, schedules of departments."""

    people: Mapping[int, PersonTerms] = field(default_factory=dict)
    departments_of: Mapping[str, str] = field(default_factory=dict)
    schedules_of: Mapping[str, int] = field(default_factory=dict)

    def of(self, person_id: int) -> PersonTerms:
        """Return what is said of a person."""
        return self.people.get(person_id, _USUAL)

    @property
    def schedules(self) -> tuple[int, ...]:
        """The ids of all schedules that it names."""
        named = {terms.schedule for terms in self.people.values() if terms.schedule}
        return tuple(sorted(named | set(self.schedules_of.values())))

    @cached_property
    def positions(self) -> Positions:
        """What it says of positions, as the matching of names needs it."""
        return Positions(
            {same_name(name): department for name, department in self.departments_of.items()},
            {id_: frozenset(map(same_name, terms.only)) for id_, terms in self.people.items() if terms.only},
            {id_: frozenset(map(same_name, terms.never)) for id_, terms in self.people.items() if terms.never},
        )


def parse(raw: bytes, name: str) -> PeopleFile:
    """Read a people.json; `name` is what errors call it. In the encodings of calendar.json.

    Raises ConfigError naming the line, the key, the value and what was expected.
    """
    reader = _Reader(name, raw)
    reader.check_keys((), (PEOPLE, POSITIONS, DEPARTMENTS))
    return PeopleFile(
        people={reader.read_id((PEOPLE, key)): reader.read_terms((PEOPLE, key)) for key in reader.keys(PEOPLE)},
        departments_of={key: reader.read_name((POSITIONS, key)) for key in reader.keys(POSITIONS)},
        schedules_of={key: reader.read_department((DEPARTMENTS, key)) for key in reader.keys(DEPARTMENTS)},
    )


class _Reader:
    """The file's values by their path of keys, and the line on which each key stands."""

    def __init__(self, name: str, raw: bytes) -> None:
        self._name = name
        try:
            text = decode(raw)
            self._root = json.loads(text, parse_float=Decimal, parse_constant=str)
        except (ValueError, RecursionError) as error:
            problem = _("it is not JSON ({reason})").format(reason=error)
            raise _wrong(f"{name}: {problem}") from None
        self._lines: dict[_Path, int] = {}
        path: list[str] = []
        seen: set[_Path] = set()
        depth = 0
        for token in _TOKENS.finditer(text):
            depth += (token[0] == "{") - (token[0] == "}")
            if not token[2]:
                continue
            path[depth - 1 :] = [json.loads(token[1])]
            line = text.count("\n", 0, token.start()) + 1
            folded = tuple(map(same_name, path))
            if folded in seen:
                raise self._refuse(tuple(path), _("it comes twice"), line)
            seen.add(folded)
            self._lines[tuple(path)] = line

    def keys(self, *path: str) -> list[str]:
        """List the keys of an object; none where there is no such one."""
        return list(self._object(path))

    def check_keys(self, path: _Path, known: tuple[str, ...]) -> None:
        """Refuse a key that means nothing: it is probably misspelt."""
        for key in self._object(path):
            if key not in known:
                raise self._refuse((*path, key), _("the keys there are {known}").format(known=", ".join(known)))

    def read_id(self, path: _Path) -> int:
        """Read a key that is the id of a person."""
        if not re.fullmatch("[1-9][0-9]{0,17}", path[-1]):
            raise self._refuse(path, _("a person is named by the id from the address of the profile page"))
        return int(path[-1])

    def read_terms(self, path: _Path) -> PersonTerms:
        """Read what is said of a person."""
        self.check_keys(path, (RATE, HOURS, SCHEDULE, ONLY, NEVER))
        values: dict[str, Any] = {}
        readers: dict[str, Callable[[_Path], Any]] = {
            RATE: self._read_rate,
            HOURS: self._read_hours,
            SCHEDULE: self._read_schedule,
            ONLY: self._read_names,
            NEVER: self._read_names,
        }
        for key in self._object(path):
            values[key] = readers[key]((*path, key))
        barred = set(map(same_name, values.get(NEVER, ())))
        if both := [name for name in values.get(ONLY, ()) if same_name(name) in barred]:
            problem = _('"{name}" stands in "only" and in "never"').format(name=both[0])
            raise self._refuse((*path, NEVER), problem)
        return PersonTerms(**values)

    def read_department(self, path: _Path) -> int:
        """Read the schedule of a department."""
        self.check_keys(path, (SCHEDULE,))
        if SCHEDULE not in self._object(path):
            raise self._refuse(path, _('an object like {"schedule": 2} was expected'))
        return self._read_schedule((*path, SCHEDULE))

    def read_name(self, path: _Path) -> str:
        """Read a name."""
        value = self._value(path)
        if not isinstance(value, str) or not value.strip():
            raise self._refuse(path, _("the name of a department was expected"))
        return value.strip()

    def _read_rate(self, path: _Path) -> Fraction:
        problem = _("a number from {least} to {most} was expected: 0.5 takes twice as long")
        return self._number(path, RATES, problem)

    def _read_hours(self, path: _Path) -> Fraction:
        return self._number(path, WEEKS, _("from {least} to {most} hours were expected"))

    def _number(self, path: _Path, limits: tuple[Decimal, Decimal], problem: str) -> Fraction:
        value, (least, most) = self._value(path), limits
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not least <= value <= most:
            raise self._refuse(path, problem.format(least=least, most=most))
        return Fraction(value)

    def _read_schedule(self, path: _Path) -> int:
        value = self._value(path)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._refuse(path, _("the number of a work schedule was expected, as in its address on the portal"))
        return value

    def _read_names(self, path: _Path) -> tuple[str, ...]:
        value = self._value(path)
        if not isinstance(value, list) or not value or not all(isinstance(one, str) and one.strip() for one in value):
            raise self._refuse(path, _('a list of positions like ["Сварщик"] was expected'))
        return tuple(value)

    def _object(self, path: _Path) -> Mapping[str, Any]:
        value = self._value(path)
        if value is None and len(path) == 1:
            return {}
        if not isinstance(value, dict):
            raise self._refuse(path, _("an object in braces was expected"))
        return value

    def _value(self, path: _Path) -> Any:
        value = self._root
        for key in path:
            value = value.get(key)
        return value

    def _refuse(self, path: _Path, problem: str, line: int | None = None) -> errors.ConfigError:
        where = ".".join(path)
        value = self._value(path) if line is None and path in self._lines else None
        if not isinstance(value, (dict, type(None))):
            where += f" = {json.dumps(value, ensure_ascii=False, default=lambda number: float(number))}"
        line = line or self._lines.get(path, 1)
        place = _("{file}, line {line}").format(file=self._name, line=line)
        return _wrong(": ".join(filter(None, (place, where, problem))))


def _wrong(problem: str) -> errors.ConfigError:
    return errors.ConfigError(
        problem,
        _("Correct the file; an example of one: {example}").format(
            example='{"people": {"17": {"rate": 0.5, "hours_a_week": 30, "only": ["Сварщик"]}}}'
        ),
    )
