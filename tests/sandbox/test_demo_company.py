"""The demo plant and the big synthetic company."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.sandbox import demo_company
from b24tools.sandbox.state import Portal
from tests.bench.company import big_company
from tests.sandbox.client import NOW, Asker, Clock

POSITIONS = {"Макетчик", "Печатник/плотер", "Фрезеровщик", "Сварщик", "Монтажник", "Поклейщик"}


@pytest.fixture
def portal() -> Portal:
    """The plant on a Wednesday."""
    return demo_company.build(Clock())


def test_plant_is_the_same_every_time() -> None:
    """Whatever is asked; only the secret differs."""
    asked: dict[str, dict[str, Any]] = {
        "tasks.task.list": {"order": {"ID": "ASC"}},
        "user.get": {"sort": "ID", "order": "ASC"},
        "department.get": {},
        "timeman.schedule.get": {"id": 1},
        "sonet_group.get": {},
    }
    first, second = (Asker(demo_company.build(Clock())) for _ in range(2))
    assert first.portal.secret != second.portal.secret
    answers = [[ask.body(method, **params) for method, params in asked.items()] for ask in (first, second)]
    assert answers[0] == answers[1]


def test_every_position_has_a_department_with_two_to_four_people(portal: Portal) -> None:
    """Under "Производство", some of them deeper; active people who can take work."""
    people = {
        name: [
            user
            for user in portal.users.values()
            if demo_company.department(portal, name).id in user.departments and user.active and user.last_login
        ]
        for name in POSITIONS
    }
    assert {name: 2 <= len(users) <= 4 for name, users in people.items()} == dict.fromkeys(POSITIONS, True)
    parents = {name: portal.departments[demo_company.department(portal, name).parent or 0].name for name in POSITIONS}
    assert (parents["Макетчик"], parents["Сварщик"]) == ("Производство", "Цех")


def test_plant_has_its_odd_people(portal: Portal) -> None:
    """Somebody dismissed, somebody who never came in, somebody in two departments."""
    odd = [demo_company.person(portal, name) for name in ("Ушаков", "Фомин", "Исаев")]
    assert [(user.active, user.last_login is None, len(user.departments)) for user in odd] == [
        (False, False, 1),
        (True, True, 1),
        (True, False, 2),
    ]


def test_plant_has_a_head_of_production_a_project_and_no_folder_yet(portal: Portal) -> None:
    """The folder for files is for the tool to make."""
    ask = Asker(portal)
    head = ask.result("department.get", NAME="Производство")[0]["UF_HEAD"]
    assert portal.users[int(head)].last_name == "Авдеев"
    assert [row["ID"] for row in ask.result("sonet_group.get", FILTER={"NAME": "Задачи из 1с"})] == ["1"]
    storage = ask.result("disk.storage.getlist", filter={"ENTITY_TYPE": "common"})[0]
    names = [row["NAME"] for row in ask.result("disk.folder.getchildren", id=storage["ROOT_OBJECT_ID"])]
    assert names == ["Прайс-листы"]


def test_plant_works_monday_to_friday_with_holidays(portal: Portal) -> None:
    """Nine to six, an hour's break, the years around now."""
    schedule = Asker(portal).result("timeman.schedule.get", id=1)
    shift = schedule["SHIFTS"][0]
    assert (shift["WORK_TIME_START"], shift["WORK_TIME_END"], shift["BREAK_DURATION"], shift["WORK_DAYS"]) == (
        32400,
        64800,
        3600,
        "12345",
    )
    assert list(schedule["CALENDAR"]["EXCLUSIONS"]) == ["2025", "2026", "2027"]


def test_plant_has_work_of_every_kind(portal: Portal) -> None:
    """Planned ahead, overdue, unplanned, of another project; people are away."""
    tasks = [task for task in portal.tasks if task.status in (2, 3)]
    now = int(NOW.timestamp())
    kinds = {
        "ahead": [task for task in tasks if task.end_plan and task.end_plan > now],
        "past": [task for task in tasks if task.end_plan and task.end_plan < now],
        "unplanned": [task for task in tasks if not task.end_plan],
        "elsewhere": [task for task in tasks if task.group != 1],
    }
    assert {kind: bool(of_kind) for kind, of_kind in kinds.items()} == dict.fromkeys(kinds, True)
    assert (len(portal.absences), len(portal.meetings)) == (3, 3)
    closed = [task for task in portal.tasks if task.status == 5]
    assert len(closed) == 60
    assert all(task.closed_at is not None and task.closed_at < now for task in closed)


def test_plant_is_a_portal_in_moscow_whose_boss_is_away_for_hours(portal: Portal) -> None:
    """An hour every week without an end, its stamps the series', and a morning of the absence chart."""
    assert (str(portal.server_zone), portal.use_time_zones, portal.default_time_zone) == (
        "Europe/Moscow", True, "Europe/Moscow",
    )  # fmt: skip
    boss = demo_company.person(portal, "Авдеев").id
    asked = {"users": [boss], "from": "2026-11-18", "to": "2026-12-09"}
    rows = Asker(portal).result("calendar.accessibility.get", **asked)[str(boss)]
    assert {row["ACCESSIBILITY"] for row in rows} == {"absent"}
    assert [(row["DATE_FROM"], row["DATE_TO"]) for row in rows if "DATE_FROM" in row] == [
        (f"{day} 14:00:00", f"{day} 15:00:00") for day in ("18.11.2026", "25.11.2026", "02.12.2026", "09.12.2026")
    ]
    assert {row["DATE_TO_TS_UTC"] for row in rows if "DATE_FROM" in row} == {"2145992400"}
    assert [(row["DT_FROM"], row["DT_TO"]) for row in rows if "DT_FROM" in row] == [
        ("23.11.2026 09:00:00", "23.11.2026 12:00:00")
    ]


@pytest.mark.parametrize("days", range(7))
def test_plant_can_be_built_on_any_day(days: int) -> None:
    """Weekends included."""
    portal = demo_company.build(Clock(NOW + timedelta(days=days)))
    assert len(portal.tasks) == 68


def test_big_company_has_what_was_ordered() -> None:
    """People, tasks in the order of their age, unique keys."""
    portal = big_company(Clock(), people=50, tasks=500)
    tasks = list(portal.tasks)
    assert (len(portal.users), len(tasks), len({task.xml_id for task in tasks})) == (51, 500, 500)
    assert [task.created_at for task in tasks] == sorted(task.created_at for task in tasks)
    assert {task.status for task in tasks} == {2, 5}


def test_sample_order_finds_its_departments(portal: Portal) -> None:
    """The plant is made for the sample."""
    sample = Path(__file__).parent.parent / "data" / "orders" / "sample.json"
    order = json.loads(sample.read_text(encoding="utf-8"))
    wanted = {line["Должность"] for line in order["Калькуляция"]}
    assert wanted <= {department.name for department in portal.departments.values()}
