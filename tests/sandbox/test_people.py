"""The sandbox's users, departments, schedules, absences and groups."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker, Clock


@pytest.fixture
def ask() -> Asker:
    """Six people besides the administrator: dismissed, never logged in, without a department, a bot."""
    portal = Portal(Clock())
    shop = portal.add_department("R&D", head=2)
    deep = portal.add_department("Цех", parent=shop.id, sort=100)
    portal.add_department("Сварщик", parent=deep.id)
    portal.add_user("Иван", "Петров", departments=[2, 3], second_name="Ильич", position="Сварщик")
    portal.add_user("Пётр", "Иванов", departments=[3], active=False)
    portal.add_user("Анна", "Сидорова", departments=[4], last_login=None, time_zone="Asia/Omsk")
    portal.add_user("Без", "Отдела")
    portal.add_user("Бот", "Ботов", departments=[1], user_type="bot")
    return Asker(portal)


def ids(ask: Asker, **params: Any) -> list[int]:
    """Ids of users found, ascending."""
    return [int(row["ID"]) for row in ask.result("user.get", **({"sort": "ID", "order": "ASC"} | params))]


def test_user_row_has_the_portals_shape(ask: Asker) -> None:
    """Id a string, departments integers, NULL columns missing."""
    body = ask.body("user.get", ID=2)
    expected = {
        "ID": "2", "ACTIVE": True, "NAME": "Иван", "LAST_NAME": "Петров", "SECOND_NAME": "Ильич",
        "EMAIL": "user2@example.com", "LAST_LOGIN": "2026-11-18T11:00:00+03:00",
        "DATE_REGISTER": "2026-11-18T03:00:00+03:00", "TIME_ZONE": "", "IS_ONLINE": "N", "PERSONAL_GENDER": "",
        "PERSONAL_BIRTHDAY": "", "WORK_POSITION": "Сварщик", "UF_EMPLOYMENT_DATE": "", "UF_DEPARTMENT": [2, 3],
        "USER_TYPE": "employee",
    }  # fmt: skip
    assert (body["result"], body["total"]) == ([expected], 1)
    never = ask.result("user.get", ID=4)[0]
    assert {"LAST_LOGIN", "SECOND_NAME"}.isdisjoint(never)


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        (["NAME", "UF_DEPARTMENT"], {"NAME": "Иван", "UF_DEPARTMENT": [2, 3]}),
        (["ID", "name", "UNKNOWN"], {"ID": "2"}),
        ({"1": "ID"}, {"ID": "2"}),
    ],
)
def test_selected_columns_are_all_there_is(ask: Asker, select: Any, expected: dict[str, Any]) -> None:
    """By their exact names, and without the id unless it is named."""
    assert ask.result("user.get", ID=2, select=select) == [expected]


@pytest.mark.parametrize("select", [[], "ID", ["*", "ID"]])
def test_what_selects_nothing_selects_all(ask: Asker, select: Any) -> None:
    """An empty list, a text, a star."""
    assert ask.result("user.get", ID=2, select=select) == ask.result("user.get", ID=2)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"FILTER": {"ACTIVE": True}}, [1, 2, 4]),
        ({"FILTER": {"ACTIVE": "Y"}}, [1, 2, 4]),
        ({"FILTER": {"ACTIVE": "false"}}, [1, 2, 4]),
        ({"FILTER": {"ACTIVE": False}}, [3]),
        ({"FILTER": {"ACTIVE": "N"}}, [3]),
        ({"FILTER": {"ACTIVE": "0"}}, [3]),
        ({"ACTIVE": "Y"}, [1, 2, 4]),
        ({"FILTER": {"ID": 1}, "ACTIVE": False}, [1]),
        ({"FILTER": {"ID": []}}, []),
        ({"FILTER": {"ID": ["2", 4, 99]}}, [2, 4]),
        ({"FILTER": {"@ID": [2, 4]}}, [2, 4]),
        ({"FILTER": {"!ID": 2}}, [1, 3, 4]),
        ({"FILTER": {">ID": 2}}, [3, 4]),
        ({"FILTER": {"UF_DEPARTMENT": 2}}, [2]),
        ({"FILTER": {"UF_DEPARTMENT": [3, 4]}}, [2, 3, 4]),
        ({"FILTER": {"@UF_DEPARTMENT": [1]}}, [1]),
        ({"FILTER": {"LAST_NAME": "ИВАНОВ"}}, [3]),
        ({"FILTER": {"%LAST_NAME": "ов"}}, [1, 2, 3, 4]),
        ({"FILTER": {"LAST_NAME": "%ова"}}, [4]),
        ({"FILTER": {"WORK_POSITION": "Сварщик"}}, [2]),
        ({"FILTER": {"USER_TYPE": "employee"}}, [1, 2, 3, 4]),
        ({"FILTER": {"NO_SUCH": 1}}, [1, 2, 3, 4]),
        ({"filter": {"id": 2}}, [2]),
        ({"ADMIN_MODE": True}, [1, 2, 3, 4]),
        ({"SORT": "LAST_NAME", "ORDER": "DESC", "FILTER": {"ID": [2, 3]}}, [2, 3]),
    ],
)  # fmt: skip
def test_user_get_finds(ask: Asker, params: dict[str, Any], expected: list[int]) -> None:
    """The dismissed are among them unless ACTIVE says otherwise; bots never, sub-departments neither."""
    assert ids(ask, **params) == expected


def test_an_empty_list_has_no_total(ask: Asker) -> None:
    """An empty list and the time."""
    assert list(ask.body("user.get", ID=99)) == ["result", "time"]


def test_users_are_paged_by_a_true_offset() -> None:
    """Unlike tasks; -1 says total 0."""
    portal = Portal(Clock())
    for number in range(60):
        portal.add_user("Имя", f"№{number}", departments=[1])
    ask = Asker(portal)
    params = {"sort": "ID", "order": "ASC"}
    first, middle, last, uncounted = (ask.body("user.get", **params, start=start) for start in (0, 5, 55, -1))
    assert [(len(page["result"]), page.get("next"), page["total"]) for page in (first, middle, last, uncounted)] == [
        (50, 50, 61),
        (50, 55, 61),
        (6, None, 61),
        (50, None, 0),
    ]
    assert (middle["result"][0]["ID"], last["result"][-1]["ID"]) == ("6", "61")


def test_users_without_both_sort_and_order_come_arbitrarily(ask: Asker) -> None:
    """`order` alone does nothing."""
    assert ids(ask, sort=None, order={"ID": "ASC"}) != [1, 2, 3, 4]


def test_wrong_sort_of_users_is_refused(ask: Asker) -> None:
    """An ORM error."""
    assert ask.status_and_body("user.get", sort="NO_SUCH", order="ASC")[0] == 400


def test_profile_tells_rights_and_zone(ask: Asker) -> None:
    """Of the owner."""
    ask.portal.owner_id = 4
    assert ask.result("profile") == {
        "ID": "4", "ADMIN": False, "NAME": "Анна", "LAST_NAME": "Сидорова", "PERSONAL_GENDER": "",
        "TIME_ZONE": "Asia/Omsk",
    }  # fmt: skip


def test_departments_come_in_tree_order_without_absent_values(ask: Asker) -> None:
    """No PARENT at the root, no UF_HEAD without a head; SORT is an integer."""
    body = ask.body("department.get")
    assert (body["total"], body["result"]) == (
        4,
        [
            {"ID": "1", "NAME": "Компания", "SORT": 500},
            {"ID": "2", "NAME": "R&D", "SORT": 500, "PARENT": "1", "UF_HEAD": "2"},
            {"ID": "3", "NAME": "Цех", "SORT": 100, "PARENT": "2"},
            {"ID": "4", "NAME": "Сварщик", "SORT": 500, "PARENT": "3"},
        ],
    )
    assert b'"NAME":"R\\u0026D"' in ask.post("department.get", b"", "application/json").content


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"ID": [2, "3"]}, ["2", "3"]),
        ({"NAME": "цех"}, ["3"]),
        ({"NAME": "Це"}, []),
        ({"NAME": "%е%"}, ["3"]),
        ({"PARENT": 0}, ["1"]),
        ({"PARENT": [2, 3]}, ["3", "4"]),
        ({"UF_HEAD": 2}, ["2"]),
        ({"FILTER": {"ID": 4}}, ["4"]),
        ({"name": "Цех"}, ["1", "2", "3", "4"]),
        ({"%NAME": "Цех"}, ["1", "2", "3", "4"]),
        ({">ID": 2}, ["1", "2", "3", "4"]),
        ({"SORT": 100}, ["3"]),
        ({"sort": "ID", "order": "DESC"}, ["4", "3", "2", "1"]),
        ({"FILTER": {"ID": [2, 3]}, "sort": "ID", "order": "DESC"}, ["2", "3"]),
        ({"FILTER": {"ID": [2, 3], "sort": "ID", "order": "DESC"}}, ["3", "2"]),
    ],
)
def test_department_get_finds(ask: Asker, params: dict[str, Any], expected: list[str]) -> None:
    """Upper-case names without signs; anything else is ignored."""
    assert [row["ID"] for row in ask.result("department.get", **params)] == expected


def test_departments_past_the_end_start_again() -> None:
    """The old lists give page 1 once more: a loop that waits for an empty page never ends."""
    portal = Portal(Clock())
    for number in range(60):
        portal.add_department(f"Отдел {number}")
    ask = Asker(portal)
    pages = [ask.body("department.get", sort="ID", order="ASC", start=start) for start in (0, 70, 120, -1)]
    assert [(page["result"][0]["ID"], len(page["result"]), page.get("next"), page.get("total")) for page in pages] == [
        ("1", 50, 50, 61),
        ("51", 11, None, 61),
        ("1", 50, 50, 61),
        ("1", 50, None, None),
    ]


def test_schedule_has_its_days_off_in_the_calendar(ask: Asker) -> None:
    """Year, month and day without zeros; integers and seconds from midnight."""
    ask.portal.add_schedule(8.5, 17.5, days_off=[date(2026, 1, 1), date(2026, 1, 2), date(2026, 11, 4)])
    schedule = ask.result("timeman.schedule.get", id=1)
    assert schedule["SHIFTS"] == [
        {"ID": 1, "NAME": "", "BREAK_DURATION": 3600, "WORK_TIME_START": 30600, "WORK_TIME_END": 63000,
         "WORK_DAYS": "12345", "SCHEDULE_ID": 1, "DELETED": False},
    ]  # fmt: skip
    assert schedule["CALENDAR"]["EXCLUSIONS"] == {"2026": {"1": {"1": "0", "2": "0"}, "11": {"4": "0"}}}
    assert (schedule["ID"], schedule["SCHEDULE_TYPE"], "EXCLUSIONS" in schedule) == (1, "FIXED", False)


def test_schedule_without_exclusions_has_an_empty_list(ask: Asker) -> None:
    """And without shifts no SHIFTS at all."""
    ask.portal.add_schedule()["SHIFTS"].clear()
    schedule = ask.result("timeman.schedule.get", id=1)
    assert (schedule["CALENDAR"]["EXCLUSIONS"], "SHIFTS" in schedule) == ([], False)


def test_schedule_is_an_empty_list_without_rights_or_with_a_wrong_id(ask: Asker) -> None:
    """Not an error; only a missing id is one."""
    ask.portal.add_schedule()
    wrong = ask.result("timeman.schedule.get", id=7)
    ask.portal.owner_id = 2
    assert (wrong, ask.result("timeman.schedule.get", id=1)) == ([], [])
    text = "Could not find value for parameter {id}"
    assert ask.error("timeman.schedule.get") == (400, "100", text)


def test_calendar_settings_are_lower_case_text(ask: Asker) -> None:
    """Hours with a dot for minutes, days without a year."""
    settings = ask.result("calendar.settings.get")
    chosen = [settings[name] for name in ("work_time_start", "work_time_end", "week_holidays")]
    assert (chosen, "1.01" in settings["year_holidays"]) == (["9", "19", ["SA", "SU"]], True)


def test_accessibility_has_two_kinds_of_rows(ask: Asker) -> None:
    """Calendar events first, their stamps off by the server's offset, then bars of the absence chart."""
    portal = ask.portal
    portal.add_absence(2, date(2026, 11, 30), date(2026, 12, 13))
    portal.add_meeting(2, datetime(2026, 12, 2, 8, tzinfo=UTC), datetime(2026, 12, 2, 9, tzinfo=UTC))
    portal.add_days_off(4, date(2026, 12, 3), date(2026, 12, 4))
    rows = ask.result("calendar.accessibility.get", users=[2, "4", 3], **{"from": "2026-12-01", "to": "2026-12-31"})
    event: dict[str, Any] = {"IMPORTANCE": "normal", "EVENT_TYPE": "", "~USER_OFFSET_FROM": 0, "~USER_OFFSET_TO": 0}
    assert rows == {
        "2": [
            event | {
                "ID": "1200", "NAME": "Встреча", "ACCESSIBILITY": "busy", "DT_SKIP_TIME": "N",
                "DATE_FROM": "02.12.2026 11:00:00", "DATE_TO": "02.12.2026 12:00:00",
                "DATE_FROM_TS_UTC": "1796187600", "DATE_TO_TS_UTC": "1796191200",
                "TZ_FROM": "Europe/Moscow", "TZ_TO": "Europe/Moscow",
            },
            {
                "FROM_HR": True, "ID": "50", "DT_FROM": "30.11.2026", "DT_TO": "13.12.2026", "ACCESSIBILITY": "absent",
                "IMPORTANCE": "normal", "FROM": 1795986000, "TO": 1797109200,
            },
        ],
        "4": [
            event | {
                "ID": "1201", "NAME": "Отпуск", "ACCESSIBILITY": "absent", "DT_SKIP_TIME": "Y",
                "DATE_FROM": "03.12.2026 00:00:00", "DATE_TO": "04.12.2026 00:00:00",
                "DATE_FROM_TS_UTC": "1796245200", "DATE_TO_TS_UTC": "1796331600", "TZ_FROM": None, "TZ_TO": None,
            },
        ],
        "3": [],
    }  # fmt: skip


def test_accessibility_looks_at_whole_days_and_hides_free_events(ask: Asker) -> None:
    """Both ends included."""
    ask.portal.add_absence(2, date(2026, 11, 20), date(2026, 11, 21))
    ask.portal.add_meeting(
        2, datetime(2026, 11, 20, 8, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC), accessibility="free"
    )
    counts = [
        len(ask.result("calendar.accessibility.get", users=[2], **{"from": first, "to": last})["2"])
        for first, last in (("2026-11-10", "2026-11-19"), ("2026-11-21", "2026-11-30"), ("2026-11-22", "2026-11-30"))
    ]
    assert counts == [0, 1, 0]


@pytest.mark.parametrize("missing", ["users", "from", "to"])
def test_accessibility_wants_its_three_parameters(ask: Asker, missing: str) -> None:
    """The code of this error is empty; no users is as bad as none."""
    params: dict[str, Any] = {"users": [1], "from": "2026-11-01", "to": "2026-11-02"}
    params[missing] = [] if missing == "users" else ""
    text = f'The required parameter "{missing}" for the method "calendar.accessibility.get" is not set.'
    assert ask.error("calendar.accessibility.get", **params) == (400, "", text)


def test_group_row_is_all_text(ask: Asker) -> None:
    """Null where there is nothing."""
    ask.portal.add_group("Задачи из 1с", 2, members=[1, 3])
    assert ask.result("sonet_group.get", FILTER={"NAME": "задачи из 1С"}) == [
        {
            "ID": "1", "SITE_ID": "s1", "NAME": "Задачи из 1с", "DESCRIPTION": None,
            "DATE_CREATE": "2026-11-18T12:00:00+03:00", "DATE_UPDATE": "2026-11-18T12:00:00+03:00", "ACTIVE": "Y",
            "VISIBLE": "Y", "OPENED": "N", "CLOSED": "N", "SUBJECT_ID": "1", "OWNER_ID": "2", "KEYWORDS": None,
            "NUMBER_OF_MEMBERS": "3", "DATE_ACTIVITY": "2026-11-18T12:00:00+03:00", "SUBJECT_NAME": "Рабочие группы",
            "PROJECT": "Y", "IS_EXTRANET": "N",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"FILTER": {"%NAME": "выст"}}, ["2"]),
        ({"FILTER": {"NAME": "выст"}}, []),
        ({"FILTER": {"name": "Выставка"}}, ["2", "1"]),
        ({"filter": {"NAME": "Выставка"}}, ["2", "1"]),
        ({"ORDER": {"NAME": "ASC"}}, ["2", "1"]),
        ({"ORDER": {"ID": "ASC"}}, ["1", "2"]),
        ({"IS_ADMIN": "Y"}, ["3", "2", "1"]),
        ({"start": 50}, ["2", "1"]),
    ],
)
def test_sonet_group_get_finds(ask: Asker, params: dict[str, Any], expected: list[str]) -> None:
    """Upper-case names; secret groups only with IS_ADMIN; past the end page 1 again."""
    ask.portal.add_group("Склад", 2)
    ask.portal.add_group("Выставка", 2)
    ask.portal.add_group("Секретная", 2, visible=False)
    assert [row["ID"] for row in ask.result("sonet_group.get", **params)] == expected


def test_group_is_created_with_its_owner_in_it(ask: Asker) -> None:
    """The answer is an integer; names may repeat."""
    assert [ask.result("sonet_group.create", NAME="Проект", VISIBLE="Y") for _ in range(2)] == [1, 2]
    assert (ask.portal.groups[1].owner, ask.portal.groups[1].members) == (1, {1})


def test_group_is_not_created_without_a_name_or_the_right(ask: Asker) -> None:
    """Codes are empty."""
    assert ask.error("sonet_group.create", name="x") == (400, "", "Cannot create group")
    ask.portal.may_create_groups = False
    assert ask.error("sonet_group.create", NAME="x") == (400, "", "You have no permissions to create a group")


@pytest.mark.parametrize(
    ("group", "asked", "expected"),
    [
        (1, {"FEATURE": "tasks", "OPERATION": "create_tasks"}, True),
        (2, {"FEATURE": "tasks", "OPERATION": "create_tasks"}, False),
        (3, {"FEATURE": "tasks", "OPERATION": "create_tasks"}, False),
        (9, {"FEATURE": "tasks", "OPERATION": "create_tasks"}, False),
        (3, {"FEATURE": "tasks", "OPERATION": "view"}, True),
        (4, {"FEATURE": "tasks", "OPERATION": "create_tasks"}, False),
        (4, {"FEATURE": "tasks", "OPERATION": "view"}, False),
    ],
)
def test_the_right_to_make_tasks_in_a_group_is_told(
    ask: Asker, group: int, asked: dict[str, str], expected: bool
) -> None:
    """Members have it, others not, no one in an archived group or without the tool; an administrator wherever else."""
    ask.portal.owner.admin = False
    ask.portal.add_group("Своя", 1)
    ask.portal.add_group("Чужая", 2)
    ask.portal.add_group("Архив", 1, closed=True)
    ask.portal.add_group("Без задач", 1, tasks_enabled=False)

    assert expected is ask.result("sonet_group.feature.access", GROUP_ID=group, **asked)

    ask.portal.owner.admin = True
    assert (expected or group == 2) is ask.result("sonet_group.feature.access", GROUP_ID=group, **asked)
