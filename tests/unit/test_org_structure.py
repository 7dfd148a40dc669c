"""Names of positions and people, however 1C and the portal write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.core import errors
from b24tools.core.models import Department, Person
from b24tools.core.names import (
    find_people,
    find_person,
    matches_person,
    nearest_name,
    same_name,
    suggest_name,
    surname_masks,
    surname_of,
)
from b24tools.core.org_structure import Match, Staff, find_root


def department(id: int, name: str, parent: int | None = 1) -> Department:
    """A department without a head."""
    return Department(id, name, parent, None)


def person(id: int, *departments: int, active: bool = True, name: str = "Иванов Иван Ильич") -> Person:
    """Somebody of these departments, named as 1C does."""
    last, first, second = name.split()
    return Person(id, first, last, second, active, departments)


TREE = (
    department(1, "Компания", None),
    department(2, "Производство"),
    department(3, "Цех", 2),
    department(4, "Сварщик", 3),
    department(5, "Сварщик", 2),
    department(6, "Сварщик", 1),
    department(7, "Бригада", 4),
)
PEOPLE = (person(10, 4), person(11, 5, 9), person(12, 6), person(13, 7), person(14, 4, active=False), person(15, 6, 5))


def staff(root: int = 2) -> Staff:
    """A small company."""
    return Staff(TREE, PEOPLE, root)


@given(st.text(alphabet="Ёёе \u00a0\u2009\tАбв/-", max_size=12))
def test_case_dots_and_spaces_make_no_other_name(name: str) -> None:
    """Whatever is done to them."""
    assert same_name(name) == same_name(f" {name.upper()}\u00a0") == same_name(name.replace("ё", "е").lower())


def test_different_names_stay_different() -> None:
    """й is not и, and a slash is a letter."""
    assert same_name("Клейщик") != same_name("Клеищик")
    assert same_name("Печатник/плотер") != same_name("Печатник плотер")


def test_a_position_means_all_departments_of_that_name_in_production() -> None:
    """With the people in and below them, once each; not the namesake outside."""
    assert Match((TREE[3], TREE[4]), (PEOPLE[0], PEOPLE[1], PEOPLE[3], PEOPLE[5])) == staff().position("сварщик", None)


def test_the_orders_department_chooses_among_them() -> None:
    """The one in or under it; itself if it has the name."""
    assert Match((TREE[3],), (PEOPLE[0], PEOPLE[3])) == staff().position("Сварщик", "Цех")
    assert (4, 5) == tuple(shop.id for shop in staff().position("Сварщик", "Сварщик").departments)


def test_excluded_people_are_left_out() -> None:
    """The department is found all the same."""
    assert Match((TREE[6],), ()) == staff().position("Бригада", None, frozenset({13}))


@pytest.mark.parametrize(("name", "nearest"), [("Сварщег", "Сварщик"), ("бригады", "Бригада"), ("Водитель", None)])
def test_an_unknown_position_names_the_nearest_department(name: str, nearest: str | None) -> None:
    """Of those in production, if any is near."""
    assert Match((), (), nearest) == staff().position(name, None)
    assert nearest == nearest_name(name, ["Сварщик", "Бригада"])


def test_a_loop_in_the_tree_does_not_hang() -> None:
    """The portal's mistake."""
    loop = [department(2, "Производство", 3), department(3, "Цех", 2)]
    assert [2, 3] == sorted(Staff(loop, (), 2).below(2))
    assert loop[0] == find_root(loop, "Производство")


def test_the_root_is_found_by_name_or_id() -> None:
    """The highest of a name; an id before a name of digits."""
    numbered = (*TREE, department(8, "3"), department(9, "Цех", 1))
    assert [2, 3, 9, None] == [
        root and root.id for root in (find_root(numbered, name) for name in ("производство ", "3", "ЦЕХ", "99"))
    ]


def test_a_department_is_looked_for_inside_production_first() -> None:
    """Исполнитель; then anywhere, then nowhere."""
    departments = [staff().department_named(name) for name in ("цех", "Сварщик", "Компания", "Нет")]
    assert ["Цех", "Сварщик", "Компания", None] == [shop and shop.name for shop in departments]
    assert departments[1] is not None and departments[1].id != 6


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Иванов Иван", True),
        ("Иванов Иван Ильич", True),
        ("ИВАНОВ ИВАН", True),
        ("Иванов И.И.", True),
        ("Иванов И. И.", True),
        ("Иванов И.", True),
        ("Иванов И", True),
        ("Иванов Иван И.", True),
        ("Иванов И. Ильич", True),
        ("Иванов", False),
        ("Иванов П.", False),
        ("Иванов И.П.", False),
        ("Иванов Ив.", False),
        ("Иванова Иван", False),
        ("Иван Иванов", False),
        ("Иванов Иван Ильич мл.", False),
        ("", False),
        (". .", False),
    ],
)
def test_a_name_of_1c_fits_a_person_or_not(text: str, fits: bool) -> None:
    """Surname first, then names or initials."""
    assert fits is matches_person(text, person(1))


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("Чайка Пётр Гусейн оглы", True),
        ("Чайка Петр Гусейн Оглы", True),
        ("ЧАЙКА ПЁТР ГУСЕЙН-ОГЛЫ", True),
        ("Чайка Пётр Гусейноглы", True),
        ("Чайка Пётр Гусейн-оглу", True),
        ("Чайка Пётр Гусейн", True),
        ("Чайка П. Г. оглы", True),
        ("Чайка П.Г.", True),
        ("Чайка П.", True),
        ("Чаи\u0306ка Пе\u0308тр Гусеи\u0306н оглы", True),
        ("Чайка\u00a0Пётр\u2009Гусейн\u00a0оглы", True),
        ("\ufeffЧайка\u200b Пётр Гусейн оглы", True),
        ("Чайка Пётр Гусейн кызы", False),
        ("Чайка Пётр Гасан оглы", False),
        ("Чайка Пётр Г. кызы", False),
        ("Чайка оглы Пётр Гусейн", False),
        ("Чайка Пётр Гусейн оглы младший", False),
    ],
)
@pytest.mark.parametrize("second_name", ["Гусейн оглы", "Гусейн-оглы", "Гусейноглы"])
def test_a_turkic_patronymic_is_one_name(text: str, fits: bool, second_name: str) -> None:
    """However it is joined; son and daughter are told apart."""
    assert fits is matches_person(text, Person(1, "Пётр", "Чайка", second_name, True, ()))


@pytest.mark.parametrize("word", ["кызы", "гызы", "қызы", "кизи", "угли", "ўғли", "улу", "уулу", "улы", "ұлы"])
def test_the_languages_have_words_of_their_own(word: str) -> None:
    """Azerbaijan, Kazakhstan, Kyrgyzstan, Uzbekistan."""
    same = Person(1, "Лола", "Каримова", f"Рустам {word}", True, ())
    assert [True, True] == [matches_person(f"Каримова Лола {text}", same) for text in (f"Рустам {word}", "Рустам")]


@pytest.mark.parametrize(
    ("manager", "masks"),
    [
        ("Чик Вадим", ["Чик"]),
        ("Чикин, В.П.", ["Чикин", "Чикин В", "Чикин_В", "Чи_ин", "Чики_"]),
        ("Чайка Пётр", ["Чайка", "Чаи\u0306ка", "Ч_йка", "Ча_ка", "Чай_а", "Чайк_"]),
        ("Cидилиди В", ["Cидилиди", "сидилиди", "_идилиди"]),
        ("Д\u2019Жил Г", ["Д'Жил", "Д_Жил"]),
        ("Гилли\u2013Дили К", ["Гилли-Дили", "Гилли_Дили"]),
        (". ,", []),
    ],
)
def test_the_portal_is_asked_for_all_that_a_surname_may_be_there(manager: str, masks: list[str]) -> None:
    """In one filter, as masks of LIKE."""
    assert masks == surname_masks(manager)


@pytest.mark.parametrize(
    ("text", "surname"),
    [
        ("Иванов, Иван", "Иванов"),
        ("Салтыков Щедрин Иван", "Салтыков Щедрин"),
        ("Салтыков Щедрин И.И.", "Салтыков-Щедрин"),
        ("Салтыков - Щедрин И. И.", "Салтыков\u2011Щедрин"),
        ("Салтыков\u2013Щедрин, И.", "Салтыков Щедрин"),
        ("О'Нил Иван", "О\u2019Нил"),
        ("О`Нил Иван", "О\u02bcНил"),
        ("Чайка Иван", "Чаи\u0306ка"),
    ],
)
def test_signs_and_spaces_make_no_other_surname(text: str, surname: str) -> None:
    """Dashes, apostrophes, a comma, two words, decomposed letters."""
    assert matches_person(text, Person(1, "Иван", surname, "Ильич", True, ()))


def test_the_surname_is_asked_for_in_composed_letters() -> None:
    """The portal compares byte by byte."""
    assert ["Чайка", ""] == [surname_of(text) for text in (" \u200bЧаи\u0306ка\u00a0Пётр", "\u200b")]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Поклеи\u0306щик", "Поклейщик"),
        ("Сварщик\u200b", "Сварщик"),
        ("Сва\u034fрщик\ufe0f\u3164", "Сварщик"),
        ("Свар\u00adщик", "Сварщик"),
        ("\ufeffСварщик", "Сварщик"),
        ("Сварщик\u00a04 \u2009разряда", "Сварщик 4 разряда"),
        ("Сварщик\u20034\u202fразряда", "Сварщик 4 разряда"),
        ("Сварщик\t4\nразряда", "Сварщик 4 разряда"),
        ("слЕсарь-СБОРЩИК", "Слесарь-сборщик"),
        ("Счётчик", "СЧЕТЧИК"),
        ("Сче\u0308тчик", "Счетчик"),
        ("Слесарь\u2011сборщик", "Слесарь-сборщик"),
        ("Слесарь \u2013 сборщик", "Слесарь-сборщик"),
        ("Печатник\u2044плоттер", "Печатник/плоттер"),
        ("\uff23NC\uff0d\uff11", "CNC-1"),
        ("Сварщик \u2163 разряда", "Сварщик IV разряда"),
        ("Сва\u0301рщик", "Сварщик"),
        ("Цех «Юг»", 'Цех "Юг"'),
        ("О\u2019Нил", "О'Нил"),
    ],
)
def test_what_looks_alike_is_one_name(name: str, other: str) -> None:
    """Composition, invisible characters, spaces, letter case, ё."""
    assert same_name(name) == same_name(other)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Cварщик", ' (the nearest name is "Сварщик"); "C" is Latin here and Cyrillic there'),
        (
            "Свapщик",
            ' (the nearest name is "Сварщик"); "a" is Latin here and Cyrillic there, "p" is Latin here and'
            " Cyrillic there",
        ),
        ("Сварщик З", ' (the nearest name is "Сварщик 3"); "З" is Cyrillic here and a digit there'),
        ("\u039eварщик", ' (the nearest name is "Сварщик")'),
        (
            "OTK",
            ' (the nearest name is "ОТК"); "O" is Latin here and Cyrillic there, "T" is Latin here and Cyrillic'
            ' there, "K" is Latin here and Cyrillic there',
        ),
        (
            "Макeт",
            ' (the nearest name is "Maкет"); "М" is Cyrillic here and Latin there, "а" is Cyrillic here and'
            ' Latin there, "e" is Latin here and Cyrillic there',
        ),
        ("Свощик", ' (the nearest name is "Сварщик")'),
        (
            "Cвaрщuк",
            ' (the nearest name is "Сварщик"); "C" is Latin here and Cyrillic there, "a" is Latin here and'
            " Cyrillic there",
        ),
        ("Cваррщик", ' (the nearest name is "Сварщик"); "C" is Latin here and Cyrillic there'),
        ("Водитель", ""),
    ],
)
def test_the_hint_names_letters_of_another_alphabet(name: str, said: str) -> None:
    """They are not to be seen."""
    assert said == suggest_name(name, ["Сварщик 3", "Сварщик", "ОТК", "Maкет"])


def test_a_patronymic_the_portal_does_not_know_is_no_obstacle() -> None:
    """Most portals leave it empty."""
    nobody_knows = Person(1, "Иван", "Иванов", "", True, ())
    assert [True, True] == [matches_person(text, nobody_knows) for text in ("Иванов Иван Ильич", "Иванов И.П.")]


def test_an_initial_needs_a_name_to_begin() -> None:
    """A person without a first name fits no initial."""
    assert not matches_person("Иванов И.", Person(1, "", "Иванов", "", True, ()))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Иван", [1]),
        ("ПЕТР", [2, 3]),
        ("Пётр Волков", [2]),
        ("Сергей", [4]),
        ("Анна", []),
        ("", []),
        ("\u200b", []),
        ("#3", [3]),
        ("Робот", [7]),
    ],
)
def test_a_first_name_alone_means_those_who_have_it(text: str, ids: list[int]) -> None:
    """Where it is nobody's surname; one of several is refused with the ids."""
    people = [
        Person(1, "Иван", "Лебедев", "", True, ()),
        Person(2, "Пётр", "Волков", "", True, ()),
        Person(3, "Пётр", "Сомов", "", True, ()),
        Person(4, "Яна", "Сергей", "", True, ()),
        Person(5, "Сергей", "Дуб", "", True, ()),
        Person(6, "", "Безымянный", "", True, ()),
        Person(7, "Робот", "", "", True, ()),
    ]
    assert ids == [person.id for person in find_people(text, people)]
    if len(ids) == 1:
        assert ids == [find_person(text, people).id]
    elif ids:
        with pytest.raises(errors.ConfigError, match=r"Пётр Волков \(#2\), Пётр Сомов \(#3\)"):
            find_person(text, people)
