"""What the sandbox forbids or leaves out: tariffs, projects with limits, mandatory fields, an owner who is gone."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.sandbox.client import Asker
from tests.sandbox.shop import add, as_user, get, picked, update

MOSCOW = ZoneInfo("Europe/Moscow")
NEW = {"TITLE": "Сварить", "RESPONSIBLE_ID": 3}
DENIED = (400, "0", "Действие над задачей не разрешено")


PAID = ("groupId", "accomplices", "auditors", "allowTimeTracking", "taskControl", "timeEstimate")


@pytest.mark.parametrize(
    ("small", "expected"),
    [(False, ("1", ["4"], ["5"], "Y", "Y", "3600")), (True, ("0", [], [], "N", "N", "3600"))],
)
def test_small_tariff_leaves_out_what_it_does_not_have(ask: Asker, small: bool, expected: Any) -> None:
    """Without an error: only the answer shows it."""
    ask.portal.small_tariff = small
    ask.portal.add_group("Заказы", 1)
    flags = dict.fromkeys(("ALLOW_TIME_TRACKING", "TASK_CONTROL"), "Y")
    task = add(ask, GROUP_ID=1, ACCOMPLICES=[4], AUDITORS=[5], TIME_ESTIMATE=3600, **flags)
    assert expected == picked(task, *PAID)


def test_small_tariff_empties_lists_on_update_and_keeps_what_is_not_given(ask: Asker) -> None:
    """A project can still be set; a delegation leaves no auditor."""
    ask.portal.small_tariff = True
    ask.portal.add_group("Заказы", 1)
    ask.portal.add_task("Старая", responsible=3, auditors=(5,), accomplices=(4,), allow_time_tracking=True)
    assert picked(update(ask, 1, TITLE="x"), "accomplices", "auditors", "allowTimeTracking") == (["4"], ["5"], "Y")
    task = update(ask, 1, ACCOMPLICES=[5], ALLOW_TIME_TRACKING="Y", GROUP_ID=1)
    assert picked(task, "accomplices", "auditors", "allowTimeTracking", "groupId") == ([], ["5"], "N", "1")
    assert update(ask, 1, RESPONSIBLE_ID=4)["auditors"] == []


def test_no_task_is_made_in_a_project_without_the_tool(ask: Asker) -> None:
    """An administrator neither. What is there can be delegated, moved and completed, but not edited or put there."""
    ask.portal.add_group("Без задач", 1, tasks_enabled=False)
    refusal = ask.error("tasks.task.add", fields=NEW | {"GROUP_ID": 1})
    assert (refusal[:2], len(ask.portal.tasks)) == ((400, "ERROR_TASK_CREATE_ACCESS_DENIED"), 0)
    ask.portal.add_task("Старая", responsible=3, group=1)
    add(ask)
    assert ask.error("tasks.task.update", taskId=1, fields={"TITLE": "x"}) == DENIED
    assert ask.error("tasks.task.update", taskId=2, fields={"GROUP_ID": 1}) == DENIED
    assert update(ask, 1, RESPONSIBLE_ID=4)["responsibleId"] == "4"
    assert update(ask, 1, DEADLINE="2026-11-20T18:00:00+03:00")["deadline"] == "2026-11-20T18:00:00+03:00"
    assert ask.result("tasks.task.complete", taskId=1)["task"]["status"] == "5"


DEADLINE, END, START = (
    (400, "ERROR_CORE", f"{text} стоит за рамками проекта<br>")
    for text in ("Крайний срок задачи", "Планируемая дата завершения задачи", "Планируемая дата начала задачи")
)


def dated(ask: Asker, *, project: bool = True) -> None:
    """A project from November 10 to 30."""
    dates = {"date_start": datetime(2026, 11, 10, tzinfo=MOSCOW), "date_finish": datetime(2026, 11, 30, tzinfo=MOSCOW)}
    ask.portal.add_group("Выставка", 1, project=project, **dates)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"DEADLINE": "2026-11-30T23:59:00+03:00"}, None),
        ({"DEADLINE": "2026-12-01T00:00:00+03:00"}, DEADLINE),
        ({"DEADLINE": "", "START_DATE_PLAN": "2026-11-30T09:00:00+03:00", "END_DATE_PLAN": "2026-12-01T09:00:00"}, END),
        (
            {"DEADLINE": "", "START_DATE_PLAN": "2026-11-09T09:00:00+03:00", "END_DATE_PLAN": "2026-11-30T09:00:00"},
            START,
        ),
        ({"DEADLINE": ""}, None),
        ({}, None),
    ],
)
def test_project_with_dates_refuses_what_lies_outside(ask: Asker, fields: dict[str, Any], expected: Any) -> None:
    """On add as on update, for administrators too; a work group has no dates."""
    dated(ask)
    add(ask, DEADLINE="")
    changes = {"GROUP_ID": 1} | fields
    if expected is None:
        assert (add(ask, **changes)["groupId"], update(ask, 1, **changes)["groupId"]) == ("1", "1")
        return
    assert expected == ask.error("tasks.task.add", fields=NEW | changes)
    assert expected == ask.error("tasks.task.update", taskId=1, fields=changes)
    ask.portal.groups[1].project = False
    assert add(ask, **changes)["groupId"] == "1"


def test_default_deadline_may_lie_outside_the_project(ask: Asker) -> None:
    """That in five days; with none at all the task is made."""
    ask.portal.add_group("Выставка", 1, date_finish=datetime(2026, 11, 20, tzinfo=MOSCOW))
    assert ask.error("tasks.task.add", fields=NEW | {"GROUP_ID": 1}) == DEADLINE
    assert add(ask, GROUP_ID=1, DEADLINE="")["groupId"] == "1"


def test_update_is_held_to_the_dates_only_when_it_touches_them(ask: Asker) -> None:
    """The deadline that was there counts when the project is set."""
    dated(ask)
    ask.portal.add_task("Старая", responsible=3, group=1, deadline=datetime(2026, 12, 24, tzinfo=MOSCOW))
    ask.portal.add_task("Другая", responsible=3, deadline=datetime(2026, 12, 24, tzinfo=MOSCOW))
    assert update(ask, 1, TITLE="x")["title"] == "x"
    assert ask.error("tasks.task.update", taskId=2, fields={"GROUP_ID": 1}) == DEADLINE


def test_dates_of_a_project_are_shown_by_the_newer_list_only(ask: Asker) -> None:
    """It needs a scope of its own, and gives what is selected."""
    dated(ask)
    ask.portal.add_group("Старые заказы", 2, project=False, visible=False, tasks_enabled=False)
    assert not [name for name in ask.result("sonet_group.get")[0] if name.startswith("PROJECT_DATE")]
    assert ask.error("socialnetwork.api.workgroup.list")[1] == "insufficient_scope"
    ask.portal.scopes.add("socialnetwork")
    assert ask.body("socialnetwork.api.workgroup.list")["result"] == {"workgroups": [{"id": "1"}]}
    select = ["NAME", "TYPE", "PROJECT_DATE_START", "PROJECT_DATE_FINISH", "NO_SUCH"]
    body = ask.body("socialnetwork.api.workgroup.list", select=select, params={"IS_ADMIN": "Y"}, order={"ID": "DESC"})
    dates = {"projectDateStart": "2026-11-10T00:00:00+03:00", "projectDateFinish": "2026-11-30T00:00:00+03:00"}
    nothing = dict.fromkeys(dates)
    assert (body["result"]["workgroups"], body["total"]) == (
        [
            {"id": "2", "name": "Старые заказы", "type": "group"} | nothing,
            {"id": "1", "name": "Выставка", "type": "project"} | dates,
        ],
        2,
    )
    answer = ask.result("socialnetwork.api.workgroup.list", filter={"NAME": "выставка"})
    assert answer == {"workgroups": [{"id": "1"}]}


def mandatory(ask: Asker) -> None:
    """One field that must be filled, one that may."""
    ask.portal.user_fields |= {"UF_AUTO_1": ("ИД 1С", "string"), "UF_AUTO_2": ("Цвет", "string")}
    ask.portal.mandatory_fields.add("UF_AUTO_1")


@pytest.mark.parametrize(
    ("fields", "added", "updated"),
    [
        ({}, True, True),
        ({"UF_AUTO_1": "x"}, True, True),
        ({"UF_AUTO_1": ""}, False, False),
        ({"UF_AUTO_2": "x"}, False, True),
        ({"UF_TASK_WEBDAV_FILES": []}, False, True),
        ({"UF_CRM_TASK": ["D_1"], "UF_AUTO_1": "x"}, True, True),
    ],
)
def test_mandatory_field_is_missed_only_beside_other_fields(
    ask: Asker, fields: dict[str, Any], added: bool, updated: bool
) -> None:
    """A task with files needs it, a task without passes."""
    mandatory(ask)
    ask.portal.add_task("Старая", responsible=3)
    refusal = (400, "ERROR_CORE", "Поле &quot;ИД 1С&quot; обязательно для заполнения.<br>")
    for method, params, passes in (
        ("tasks.task.add", {"fields": NEW | fields}, added),
        ("tasks.task.update", {"taskId": 1, "fields": {"TITLE": "x"} | fields}, updated),
    ):
        status, body = ask.status_and_body(method, **params)
        assert (200 if passes else refusal) == (200 if status == 200 else (status, *body.values()))
    assert len(ask.portal.tasks) == 1 + added


def test_fields_made_by_hand_are_listed_without_labels(ask: Asker) -> None:
    """With those of the system; parameters go by their order, and `total` is 0."""
    mandatory(ask)
    body = ask.body("task.item.userfield.getlist", ORDER={}, FILTER={"MANDATORY": "Y"})
    assert (body["total"], body["result"]) == (
        0,
        [
            {
                "ID": "1298", "ENTITY_ID": "TASKS_TASK", "FIELD_NAME": "UF_AUTO_1", "USER_TYPE_ID": "string",
                "XML_ID": "", "SORT": "100", "MULTIPLE": "N", "MANDATORY": "Y", "SHOW_FILTER": "N",
                "SHOW_IN_LIST": "Y", "EDIT_IN_LIST": "Y", "IS_SEARCHABLE": "N",
                "SETTINGS": {
                    "SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": "",
                },
            }
        ],
    )  # fmt: skip
    rows = ask.result("task.item.userfield.getlist", FILTER={"ID": "asc"}, ORDER={"FIELD_NAME": "UF_CRM_TASK"})
    assert [(row["ID"], row["FIELD_NAME"]) for row in rows] == [("1295", "UF_CRM_TASK")]


@pytest.mark.parametrize(
    ("user", "fields", "passes"),
    [
        (1, {}, True),
        (2, {}, False),
        (2, {"DEADLINE_CHANGE_REASON": "заказчик просил"}, True),
        (2, {"DEADLINE_CHANGE_REASON": " "}, False),
        (3, {"DEADLINE_CHANGE_REASON": "не успел"}, True),
        (3, {"DEADLINE_CHANGE_REASON": "не успел", "TITLE": "x"}, False),
    ],
)
def test_portal_can_demand_a_reason_for_a_deadline(ask: Asker, user: int, fields: dict[str, Any], passes: bool) -> None:
    """From whoever is no administrator; only where the deadline changes."""
    ask.portal.add_task("Старая", responsible=3, creator=2, allow_change_deadline=True)
    ask.portal.reason_for_deadline = True
    changes = {"DEADLINE": "2026-11-20T18:00:00+03:00"} | fields
    status, _ = as_user(ask, user).status_and_body("tasks.task.update", taskId=1, fields=changes)
    assert (status == 200, ask.portal.tasks[1].deadline is not None) == (passes, passes)
    assert update(as_user(ask, 2), 1, TITLE="y")["title"] == "y"


def test_webhook_outlives_its_owner_as_an_invisible_user(ask: Asker) -> None:
    """Same address, another id, no row in user.get; his tasks have a creator's id and no creator."""
    add(ask)
    address = ask.portal.webhook_path
    ask.portal.dismiss_owner()
    profile = ask.result("profile")
    people = {user["ID"]: user["ACTIVE"] for user in ask.result("user.get")}
    assert (ask.portal.webhook_path, profile["ID"], profile["ADMIN"]) == (address, "900001", True)
    assert people == {"1": False, "2": True, "3": True, "4": True, "5": True}
    assert ask.result("user.get", ID=profile["ID"]) == []
    task = add(ask, CREATED_BY=int(profile["ID"]))
    assert (task["createdBy"], "creator" in task, task["responsible"]["id"]) == ("900001", False, "3")
    row = get(ask, task["id"], "CREATED_BY", "RESPONSIBLE_ID")
    assert ("creator" in row, "responsible" in row) == (False, True)
    assert update(ask, 1, TITLE="x")["creator"]["id"] == "1"
    history = ask.result("tasks.task.history.list", taskId=1)["list"]
    assert [line["user"]["id"] for line in history] == [1, 900001]


def test_dismissed_owner_may_have_been_no_administrator(ask: Asker) -> None:
    """Then the webhook sees what he may see: his own."""
    add(ask)
    ask.portal.dismiss_owner(admin=False)
    assert (ask.result("profile")["ADMIN"], ask.body("tasks.task.list")["total"]) == (False, 0)
