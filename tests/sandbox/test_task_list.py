"""The sandbox's tasks.task.list: filters with all their traps, order, pages, columns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from b24tools.sandbox.state import Portal
from tests.sandbox.client import NOW, Asker, Clock


@pytest.fixture
def ask() -> Asker:
    """Six tasks, one of each sort."""
    portal = Portal(Clock())
    for number in range(2, 6):
        portal.add_user(f"Имя{number}", "АБВГДЕ"[number], departments=[1])
    portal.add_group("Проект", 1)
    tasks: list[dict[str, Any]] = [
        {"title": "Ёлка зелёная", "responsible": 2, "xml_id": "1c:AB", "deadline": NOW + timedelta(hours=5)},
        {"title": "100% готово!", "responsible": 2, "xml_id": "1c:cd", "deadline": NOW - timedelta(days=2), "group": 1},
        {"title": "Сварка  ", "responsible": 3, "status": 3, "accomplices": (5,), "tags": ("а", "б"), "parent": 1},
        {"title": "сварка", "responsible": 3, "status": 5, "closed_at": NOW - timedelta(days=1), "auditors": (4,)},
        {"title": "На проверке", "responsible": 4, "status": 4, "closed_at": NOW, "deadline": NOW - timedelta(days=9)},
        {"title": "Не видел", "responsible": 4, "creator": 5, "viewed_by": (5,), "deadline": NOW + timedelta(days=9)},
    ]
    for values in tasks:
        portal.add_task(**({"creator": 1, "created_at": NOW - timedelta(days=10)} | values))
    return Asker(portal)


def ids(ask: Asker, **params: Any) -> list[int]:
    """Ids of the tasks found, ascending."""
    params = {"select": ["ID"], "order": {"ID": "ASC"}} | params
    return [int(row["id"]) for row in ask.result("tasks.task.list", **params)["tasks"]]


NO_ARRAY = "Should be value of type array."
ALL = [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        # ignored: lower case, plurals, columns that cannot be filtered, typos, operators read otherwise than meant
        ({"id": 1}, ALL),
        ({"ACCOMPLICES": 5}, ALL),
        ({"DESCRIPTION": "x"}, ALL),
        ({"CLOSED_BY": 1}, ALL),
        ({"STATUS_CHANGED_DATE": ""}, ALL),
        ({"!@ID": [1]}, ALL),
        ({"=%TITLE": "свар%"}, ALL),
        ({"UF_NO_SUCH": 1}, ALL),
        # dropped: empty lists and values
        ({"ID": []}, ALL),
        ({"RESPONSIBLE_ID": []}, ALL),
        ({"RESPONSIBLE_ID": 0}, ALL),
        ({"!RESPONSIBLE_ID": []}, ALL),
        ({"REAL_STATUS": []}, ALL),
        ({"XML_ID": ""}, ALL),
        ({"XML_ID": []}, ALL),
        # numbers
        ({"ID": 2}, [2]),
        ({"ID": "2"}, [2]),
        ({"ID": [2, "4", 99]}, [2, 4]),
        ({"@ID": [2, 4]}, [2, 4]),
        ({"!ID": [2, 4]}, [1, 3, 5, 6]),
        ({">ID": 4}, [5, 6]),
        ({">=ID": 4, "<ID": 6}, [4, 5]),
        ({">ID": ["whatever"]}, [2, 3, 4, 5, 6]),
        ({"RESPONSIBLE_ID": [2, 3]}, [1, 2, 3, 4]),
        ({"!RESPONSIBLE_ID": 2}, [3, 4, 5, 6]),
        ({"GROUP_ID": 0}, [1, 3, 4, 5, 6]),
        ({"GROUP_ID": 1}, [2]),
        ({"PARENT_ID": 1}, [3]),
        ({"CREATED_BY": 5}, [6]),
        # the stored status and the computed one
        ({"REAL_STATUS": [1, 2, 3]}, [1, 2, 3, 6]),
        ({"!REAL_STATUS": 5}, [1, 2, 3, 5, 6]),
        ({"STATUS": 2}, []),
        ({"STATUS": -1}, [2]),
        ({"STATUS": -2}, [6]),
        ({"STATUS": -3}, [1]),
        ({"STATUS": [4, 5]}, [4, 5]),
        # texts: a substring unless "=", no case, ё = е, trailing spaces do not count, % _ ! never equal themselves
        ({"TITLE": "елка"}, [1]),
        ({"TITLE": "СВАР"}, [3, 4]),
        ({"%TITLE": "готово!"}, [2]),
        ({"!TITLE": "сварка"}, [1, 2, 5, 6]),
        ({"=TITLE": "СВАРКА"}, [3, 4]),
        ({"=TITLE": "свар"}, []),
        ({"=TITLE": "100% готово!"}, []),
        # XML_ID: equality by the collation
        ({"XML_ID": "1C:ab"}, [1]),
        ({"XML_ID": ["1c:ab", "1c:cd", "1c:ef"]}, [1, 2]),
        ({"!XML_ID": "1c:ab"}, [2, 3, 4, 5, 6]),
        ({"XML_ID": "none"}, []),
        # dates
        ({">=CLOSED_DATE": "2026-11-17T12:00:00+03:00"}, [4, 5]),
        ({">CLOSED_DATE": "2026-11-17T12:00:00+03:00"}, [5]),
        ({"<=CLOSED_DATE": "2026-11-17 12:00:00"}, [4]),
        ({"<CLOSED_DATE": "2026-11-17T09:00:01Z", "REAL_STATUS": 5}, [4]),
        ({"CLOSED_DATE": "17.11.2026 12:00:00"}, [4]),
        ({"CLOSED_DATE": ""}, [1, 2, 3, 6]),
        ({"!CLOSED_DATE": ""}, [4, 5]),
        ({">=CLOSED_DATE": "чушь"}, [4, 5]),
        ({"<=CLOSED_DATE": "чушь"}, []),
        ({">=DEADLINE": ["2026-11-20"]}, [1, 2, 5, 6]),
        ({">=CHANGED_DATE": "2026-11-17T00:00:00+03:00"}, [4, 5]),
        # members, tags and groups of conditions are not emulated, hence ignored
        ({"MEMBER": 4}, ALL),
        ({"::SUBFILTER-1": {"ID": 1}}, ALL),
        ([{"ID": 3}], ALL),
    ],
)  # fmt: skip
def test_filter_finds(ask: Asker, condition: Any, expected: list[int]) -> None:
    """What is not understood is ignored, so more comes back, never an error."""
    assert ids(ask, filter=condition) == expected


@pytest.mark.parametrize("params", [{"FILTER": {"ID": 1}}, {"Filter": {"ID": 1}}, {}, {"filter": {}}, {"filter": []}])
def test_parameters_in_the_wrong_case_are_not_seen(ask: Asker, params: dict[str, Any]) -> None:
    """`FILTER` is no filter at all."""
    assert ids(ask, **params) == ALL


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"select": None}, "100", "Invalid value {} to match with parameter {select}. Should be value of type array."),
        (
            {"filter": "ID"},
            "100",
            "Invalid value {ID} to match with parameter {filter}. Should be value of type array.",
        ),
        ({"select": [1]}, "0", "Invalid select data"),
        ({"filter": [5]}, "0", "Invalid filter value: 5"),
        ({"order": {"STATUS": "asc"}}, "0", "Неверный ключ сортировки"),
        ({"order": {"RESPONSIBLE_ID": "asc"}}, "0", "Неверный ключ сортировки"),
    ],
)
def test_bad_parameters_are_refused(ask: Asker, params: dict[str, Any], code: str, text: str) -> None:
    """These few."""
    assert ask.error("tasks.task.list", **params) == (400, code, text)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"ID": "desc"}, [6, 5, 4, 3, 2, 1]),
        ({"id": "ASC"}, ALL),
        ({"ID": "up"}, [6, 5, 4, 3, 2, 1]),
        ({"TITLE": "asc"}, [2, 1, 5, 6, 3, 4]),
        ({"TITLE": "desc"}, [3, 4, 6, 5, 1, 2]),
        ({"CLOSED_DATE": "asc"}, [1, 2, 3, 6, 4, 5]),
        ({"DEADLINE": "desc", "ID": "desc"}, [6, 1, 2, 5, 4, 3]),
        ({"REAL_STATUS": "asc"}, [1, 2, 6, 3, 5, 4]),
    ],
)
def test_order_sorts(ask: Asker, order: dict[str, str], expected: list[int]) -> None:
    """NULL first, ties by ascending id, anything but asc is desc."""
    assert ids(ask, order=order) == expected


def test_without_order_rows_come_in_an_arbitrary_one(ask: Asker) -> None:
    """There is no ORDER BY then; here it is scrambled, the same way each time."""
    unsorted = ids(ask, order={})
    assert (sorted(unsorted), unsorted != ALL, unsorted != ALL[::-1]) == (ALL, True, True)
    assert ids(ask, order={}) == unsorted


@pytest.fixture
def many() -> Asker:
    """120 tasks."""
    portal = Portal(Clock())
    for number in range(120):
        portal.add_task(f"№ {number}", responsible=1)
    return Asker(portal)


@pytest.mark.parametrize(
    ("start", "first", "count", "following"),
    [
        (0, 1, 50, 50),
        (50, 51, 50, 100),
        ("50", 51, 50, 100),
        (49, 1, 50, 50),
        (99, 51, 50, 100),
        (100, 101, 20, None),
        (150, None, 0, None),
    ],
)
def test_start_is_floored_to_a_page(many: Asker, start: Any, first: int | None, count: int, following: Any) -> None:
    """50 rows a page; past the end there is nothing; `next` only when there is more."""
    body = many.body("tasks.task.list", select=["ID"], order={"ID": "ASC"}, start=start)
    rows = [int(row["id"]) for row in body["result"]["tasks"]]
    assert (rows[0] if rows else None, len(rows), body.get("next"), body["total"]) == (first, count, following, 120)


def test_start_minus_one_counts_nothing(many: Asker) -> None:
    """Neither total nor next; the way to read big lists by key."""
    params: dict[str, Any] = {"select": ["ID"], "order": {"ID": "ASC"}, "start": -1}
    pages, last = [], 0
    while not pages or len(pages[-1]) == 50:
        body = many.body("tasks.task.list", **params, filter={">ID": last})
        assert list(body) == ["result", "time"]
        pages.append([int(row["id"]) for row in body["result"]["tasks"]])
        last = pages[-1][-1]
    assert [number for page in pages for number in page] == list(range(1, 121))


def test_start_in_capitals_is_not_seen(many: Asker) -> None:
    """The first page once more."""
    assert ids(many, START=50)[0] == 1


def test_select_gives_chosen_columns_and_what_belongs_to_them(ask: Asker) -> None:
    """ID and group always; the computed status beside the stored one; no rights block."""
    body = ask.result("tasks.task.list", select=["STATUS", "RESPONSIBLE_ID", "XML_ID"], filter={"ID": 2})
    person = {"id": "2", "name": "Имя2 В", "link": "/company/personal/user/2/", "workPosition": ""}
    expected = {
        "id": "2",
        "responsibleId": "2",
        "xmlId": "1c:cd",
        "status": "2",
        "subStatus": "-1",
        "group": {
            "id": "1", "name": "Проект", "opened": False, "membersCount": 1, "image": "", "additionalData": [],
        },
        "responsible": person | {"icon": "/bitrix/images/tasks/default_avatar.png"},
    }  # fmt: skip
    assert body["tasks"] == [expected]


@pytest.mark.parametrize("select", [[], ["*"], ["NO_SUCH", "title"]])
def test_no_known_column_means_all_of_them(ask: Asker, select: list[str]) -> None:
    """Names are case-sensitive; unknown ones are dropped."""
    row = ask.result("tasks.task.list", select=select, filter={"ID": 1})["tasks"][0]
    assert {"title", "deadline", "createdBy", "creator", "auditorsData"} <= set(row)
    assert {"action", "tags", "ufCrmTask"}.isdisjoint(row)


def test_sorting_by_a_column_adds_it(ask: Asker) -> None:
    """Whether it was selected or not."""
    row = ask.result("tasks.task.list", select=["TITLE"], order={"REAL_STATUS": "asc", "PRIORITY": "asc"})["tasks"][0]
    assert "priority" in row


def test_user_fields_are_filtered_by_their_names(ask: Asker) -> None:
    """Equality, lists as OR."""
    ask.portal.user_fields["UF_AUTO_1"] = ("ИД 1С", "string")
    for number, value in ((1, "a"), (2, "b"), (3, "c")):
        ask.portal.set_task(number, fields={"UF_AUTO_1": value})
    assert (ids(ask, filter={"UF_AUTO_1": "B"}), ids(ask, filter={"UF_AUTO_1": ["a", "c"]})) == ([2], [1, 3])


def test_indexes_follow_changes(ask: Asker) -> None:
    """A key, a responsible and a closing date that moved are found in their new place only."""
    ask.result("tasks.task.update", taskId=1, fields={"XML_ID": "new", "RESPONSIBLE_ID": 5, "STATUS": 5})
    ask.result("tasks.task.delete", taskId=2)
    window = {">=CLOSED_DATE": "2026-11-18T12:00:00+03:00", "<CLOSED_DATE": "2026-11-18T12:00:01+03:00"}
    conditions: list[dict[str, Any]] = [{"XML_ID": ["1c:ab", "1c:cd"]}, {"XML_ID": "NEW"}, {"RESPONSIBLE_ID": [2, 5]}]
    assert [ids(ask, filter=where) for where in [*conditions, window, {"ID": [1, 2]}]] == [[], [1], [1], [1, 5], [1]]


def test_filter_dates_keep_their_seconds() -> None:
    """Written ones are cut, asked ones are not."""
    portal = Portal(Clock())
    portal.add_task("x", responsible=1, status=5, closed_at=datetime(2026, 11, 18, 8, 0, 30, tzinfo=UTC))
    ask = Asker(portal)
    answers = [ids(ask, filter={">=CLOSED_DATE": f"2026-11-18T08:00:{second}Z"}) for second in (30, 31)]
    assert answers == [[1], []]
