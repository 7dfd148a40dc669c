"""people.json: what a user may write there, and how he is told when it cannot be read."""

from __future__ import annotations

import contextlib
import json
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24tools import context
from b24tools.core import config, errors
from b24tools.core.models import Department, Person
from b24tools.core.org_structure import Positions, Staff
from b24tools.scheduling.people_file import PeopleFile, PersonTerms, parse
from b24tools.store import open_store

SAMPLE: dict[str, Any] = {
    "people": {
        "17": {"rate": 0.7, "hours_a_week": 30, "schedule": 3, "only": ["Сварщик"], "never": ["Маляр"]},
        "18": {},
    },
    "positions": {"Сварщик 4 разряда": "Сварщик"},
    "departments": {"Сварщик": {"schedule": 2}, "12": {"schedule": 3}},
}


def test_all_that_may_be_said() -> None:
    """Numbers are what is written: 0.7 is seven tenths."""
    terms = PersonTerms(Fraction(7, 10), Fraction(30), 3, ("Сварщик",), ("Маляр",))
    file = parse(json.dumps(SAMPLE).encode(), "people.json")
    assert file == PeopleFile({17: terms, 18: PersonTerms()}, {"Сварщик 4 разряда": "Сварщик"}, {"Сварщик": 2, "12": 3})
    assert (2, 3) == file.schedules
    assert {} == file.of(99).record == file.of(18).record
    assert SAMPLE["people"]["17"] == terms.record
    only, never = {17: frozenset({"сварщик"})}, {17: frozenset({"маляр"})}
    assert Positions({"сварщик4разряда": "Сварщик"}, only, never) == file.positions


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
def test_it_may_be_in_any_editors_encoding(encoding: str) -> None:
    """As calendar.json."""
    text = json.dumps(SAMPLE, ensure_ascii=False)
    assert {"Сварщик 4 разряда": "Сварщик"} == parse(text.encode(encoding), "people.json").departments_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "line 1: an object in braces was expected"),
        ("{", "it is not JSON (Expecting property name"),
        ('{"peple": {}}', "line 1: peple: the keys there are people, positions, departments"),
        ('{"people":\n{"Иванов": {}}}', "line 2: people.Иванов: a person is named by the id"),
        ('{"people": {"017": {}}}', "line 1: people.017: a person is named by the id"),
        ('{"people": {"17": 0.5}}', "line 1: people.17 = 0.5: an object in braces was expected"),
        ('{"people": {"17": {\n"rat": 1}}}', "line 2: people.17.rat = 1: the keys there are rate, hours_a_week"),
        ('{"people": {"17": {"rate": 0}}}', "people.17.rate = 0: a number from 0.1 to 10 was expected"),
        ('{"people": {"17": {"rate": "0.5"}}}', 'people.17.rate = "0.5": a number from 0.1 to 10 was expected'),
        ('{"people": {"17": {"rate": true}}}', "people.17.rate = true: a number from 0.1 to 10 was expected"),
        ('{"people": {"17": {"rate": NaN}}}', "people.17.rate = "),
        ('{"people": {"17": {"rate": 1e999999999}}}', "people.17.rate = "),
        ('{"people": {"17": {"hours_a_week": 169}}}', "hours_a_week = 169: from 1 to 168 hours were expected"),
        ('{"people": {"17": {"schedule": 1.5}}}', "schedule = 1.5: the number of a work schedule was expected"),
        ('{"people": {"17": {"only": "Сварщик"}}}', 'only = "Сварщик": a list of positions like'),
        ('{"people": {"17": {"never": []}}}', "never = []: a list of positions like"),
        (
            '{"people": {"17": {"only": ["Маляр", "Сварщик"], "never": [" сварщик"]}}}',
            'never = [" сварщик"]: "Сварщик" stands in "only" and in "never"',
        ),
        ('{"people": {"17": {"only": [["a"]]}}}', 'only = [["a"]]: a list of positions like'),
        ('{"people": {"17": {}},\n"positions": {"а": ""}}', 'line 2: positions.а = "": the name of a department'),
        ('{"departments": {"а": {}}}', 'departments.а: an object like {"schedule": 2} was expected'),
        ('{"departments": {"а": {"rate": 1}}}', "departments.а.rate = 1: the keys there are schedule"),
        ('{"people": {"17": {},\n"18": {},\n"17": {}}}', "line 3: people.17: it comes twice"),
        ('{"positions": {"Ёлка": "а",\n"е лка": "б"}}', "line 2: positions.е лка: it comes twice"),
    ],
)
def test_what_cannot_be_read_is_refused_with_line_and_reason(text: str, message: str) -> None:
    """Nothing is guessed: a key that means nothing would have no effect."""
    with pytest.raises(errors.ConfigError) as caught:
        parse(text.encode(), "people.json")
    assert message in caught.value.message
    assert caught.value.message.startswith("people.json")
    assert 2 == caught.value.exit_status


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
keys = st.sampled_from(["people", "positions", "departments", "17", "rate", "schedule", "only"]) | st.text()


@pytest.mark.long
@settings(max_examples=100, deadline=None, database=None)
@given(st.dictionaries(keys, json_values | st.dictionaries(keys, st.dictionaries(keys, json_values))) | json_values)
def test_whatever_stands_there_is_read_or_refused(value: Any) -> None:
    """No other error."""
    with contextlib.suppress(errors.ConfigError):
        assert isinstance(parse(json.dumps(value).encode(), "people.json"), PeopleFile)


@settings(max_examples=100, deadline=None, database=None)
@given(st.binary() | st.text().map(str.encode))
def test_junk_is_refused(raw: bytes) -> None:
    """No other error."""
    with contextlib.suppress(errors.ConfigError):
        assert isinstance(parse(raw, "people.json"), PeopleFile)


def test_the_file_lies_in_the_data_folder(tmp_path: Path) -> None:
    """Without it nothing is said; it is among the rules that planning obeys."""
    chosen = config.load({"B24_DATA_DIR": str(tmp_path)})
    assert PeopleFile() == context.own_people(chosen)
    path = tmp_path / "people.json"
    path.write_text('{"people": {"7": {"rate": 2}}}', encoding="utf-8")
    with closing(open_store(None)) as opened:
        assert {7: PersonTerms(Fraction(2))} == context.assign_rules(chosen, opened, {}).people.people
    path.write_text('{"people": {"7": {"rate": -2}}}', encoding="utf-8")
    with pytest.raises(errors.ConfigError, match=rf"{path}, line 1: people\.7\.rate = -2"):
        context.own_people(chosen)


def test_who_may_do_what() -> None:
    """By the position's own name or its department's; whoever holds it but may not is named."""
    people = [Person(n, "", str(n), "", True, (2,)) for n in (1, 2, 3, 4)]
    departments = [Department(1, "Цех", None, None), Department(2, "Сварщик", 1, None)]
    positions = Positions(
        {"сварщик4разряда": "Сварщик"},
        only={1: frozenset({"сварщик"}), 2: frozenset({"сварщик4разряда"}), 4: frozenset({"маляр"})},
        never={3: frozenset({"сварщик4разряда"})},
    )
    staff = Staff(departments, people, 1, positions)

    def find(name: str, staff: Staff = staff) -> tuple[list[int], list[int]]:
        match = staff.position(name, None)
        return [person.id for person in match.people], [person.id for person in match.barred]

    assert ([1, 3], [2, 4]) == find("Сварщик")
    assert ([1, 2], [3, 4]) == find("сварщик  4 разряда")
    assert ([1, 3], [2, 4]) == find("сварщик")
    assert ([1, 3], [2, 4]) == find("сварщик", staff.with_people(people))
    assert [2, 1] == list(staff.homes_of(people[0]))
