"""The sandbox's tasks.task.add, update and get: what a written value becomes, and what changes along with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.client import NOW, Asker, Clock
from tests.sandbox.shop import add, get, picked, update

NO_TASK_ID = "CTaskItem All parameters in the constructor must have real class type"
STAMP = int(NOW.timestamp())


def test_added_task_comes_back_whole_without_user_fields_and_tags(ask: Asker) -> None:
    """Strings everywhere, null for what is not there, booleans only in the rights."""
    task = add(ask, DEADLINE="", XML_ID="1c:A", TAGS=["срочно"], GROUP_ID=0, TIME_ESTIMATE=3600)
    scalars = {name: value for name, value in task.items() if not isinstance(value, (dict, list))}
    expected = {
        "id": "1", "parentId": None, "title": "Сварить", "description": "", "mark": None, "priority": "1",
        "multitask": "N", "notViewed": "N", "replicate": "N", "stageId": "0", "sprintId": None, "backlogId": None,
        "createdBy": "1", "createdDate": "2026-11-18T12:00:00+03:00", "responsibleId": "3", "changedBy": "1",
        "changedDate": "2026-11-18T12:00:00+03:00", "statusChangedBy": None, "closedBy": None, "closedDate": None,
        "activityDate": "2026-11-18T12:00:00+03:00", "dateStart": None, "deadline": None, "startDatePlan": None,
        "endDatePlan": None, "guid": ask.portal.tasks[1].guid, "xmlId": "1c:A", "commentsCount": None,
        "serviceCommentsCount": None, "allowChangeDeadline": "N", "allowTimeTracking": "N", "taskControl": "N",
        "addInReport": "N", "forkedByTemplateId": None, "timeEstimate": "3600", "timeSpentInLogs": None,
        "matchWorkTime": "N", "forumTopicId": None, "forumId": None, "siteId": "s1", "subordinate": "N",
        "exchangeModified": None, "exchangeId": None, "outlookVersion": "1", "viewedDate": None, "sorting": None,
        "durationFact": None, "isMuted": "N", "isPinned": "N", "isPinnedInGroup": "N", "flowId": None, "status": "2",
        "statusChangedDate": "2026-11-18T12:00:00+03:00", "durationPlan": None, "durationType": "days",
        "favorite": "N", "groupId": "0", "newCommentsCount": 0, "chatId": 2001, "descriptionInBbcode": "Y",
    }  # fmt: skip
    assert expected == scalars
    empty = ("auditors", "accomplices", "group", "accomplicesData", "auditorsData")
    assert [[]] * len(empty) == [task[name] for name in empty]
    person = {"id": "3", "name": "Иван Сварщик", "link": "/company/personal/user/3/", "workPosition": ""}
    assert person | {"icon": "/bitrix/images/tasks/default_avatar.png"} == task["responsible"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "2026-11-23T19:00:00+03:00"),
        ({"DEADLINE": None}, "2026-11-23T19:00:00+03:00"),
        ({"DEADLINE": ""}, None),
        ({"DEADLINE": False}, None),
        ({"DEADLINE": "2026-11-20T18:30:45+03:00"}, "2026-11-20T18:30:00+03:00"),
        ({"DEADLINE": "2026-11-20T18:30:45+05:00"}, "2026-11-20T16:30:00+03:00"),
        ({"DEADLINE": "2026-11-20T18:30:00Z"}, "2026-11-20T21:30:00+03:00"),
        ({"DEADLINE": "2026-11-20 18:30"}, "2026-11-20T18:30:00+03:00"),
        ({"DEADLINE": "20.11.2026 18:30:59"}, "2026-11-20T18:30:00+03:00"),
        ({"DEADLINE": STAMP + 61}, "2026-11-18T12:01:01+03:00"),
    ],
)  # fmt: skip
def test_deadline_of_a_new_task(ask: Asker, fields: dict[str, Any], expected: str | None) -> None:
    """Absent: in five days at the end of the portal's day. Seconds are cut, a JSON number is a timestamp."""
    assert expected == add(ask, **fields)["deadline"]


def test_unreadable_deadline_is_refused(ask: Asker) -> None:
    """What the real one says is not known; it does not work."""
    assert ask.error("tasks.task.add", fields={"TITLE": "x", "RESPONSIBLE_ID": 3, "DEADLINE": "завтра"})[0] == 400


def test_times_without_an_offset_are_the_servers(ask: Asker) -> None:
    """Not the owner's: written 18:00 in Moscow, read 20:00 in Yekaterinburg."""
    ask.portal.owner.time_zone = "Asia/Yekaterinburg"
    assert add(ask, DEADLINE="2026-11-20T18:00:00")["deadline"] == "2026-11-20T20:00:00+05:00"


def test_todays_offset_is_pasted_onto_old_dates(ask: Asker) -> None:
    """A summer evening in Berlin, read in winter: the clock is right, the offset is not."""
    ask.portal.owner.time_zone = "Europe/Berlin"
    ask.portal.add_task("Летняя", responsible=3, deadline=datetime(2026, 7, 1, 16, 0, tzinfo=UTC))
    assert get(ask, 1, "DEADLINE")["deadline"] == "2026-07-01T18:00:00+01:00"


def test_title_is_trimmed_and_cut(ask: Asker) -> None:
    """To 250 characters."""
    assert add(ask, TITLE=f"  {'я' * 300} ")["title"] == "я" * 250


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"TITLE": "  "}, "Не указано название задачи<br>"),
        ({"RESPONSIBLE_ID": 0}, "Не указан исполнитель<br>"),
        ({"RESPONSIBLE_ID": 99}, "Пользователь, указанный в поле &quot;Исполнитель&quot;, не найден<br>"),
        ({"STATUS": 7}, "Некорректный статус<br>"),
        (
            {"START_DATE_PLAN": "2026-11-20T10:00:00+03:00", "END_DATE_PLAN": "2026-11-20T09:00:00+03:00"},
            "В планировании сроков указана дата окончания меньшая даты старта<br>",
        ),
        ({"TAGS": [["a"]]}, "Некорректный тег<br>"),
    ],
)
def test_bad_fields_are_refused_with_an_application_error(ask: Asker, fields: dict[str, Any], text: str) -> None:
    """ERROR_CORE, and the text ends in a tag."""
    given = {"TITLE": "x", "RESPONSIBLE_ID": 3} | fields
    assert (400, "ERROR_CORE", text) == ask.error("tasks.task.add", fields=given)
    assert len(ask.portal.tasks) == 0


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({}, "100", "Could not find value for parameter {fields}"),
        ({"fields": "x"}, "100", "Invalid value {x} to match with parameter {fields}. Should be value of type array."),
    ],
)
def test_add_without_fields_is_error_100(ask: Asker, params: dict[str, Any], code: str, text: str) -> None:
    """Parameters of controllers are bound by name and type."""
    assert (400, code, text) == ask.error("tasks.task.add", **params)


def test_dismissed_person_may_be_responsible(ask: Asker) -> None:
    """ACTIVE is not checked."""
    ask.portal.users[3].active = False
    assert add(ask)["responsibleId"] == "3"


def test_hashtags_become_tags_beside_those_given(ask: Asker) -> None:
    """In title and description; a # without a space before it is none. Numbers in TAGS become text."""
    add(ask, TITLE="#с1 Заказ #с2,х №5", DESCRIPTION="без#тега\n#с3", TAGS=["свой", 7])
    assert {"свой", "7", "с1", "с2", "с3"} == set(ask.portal.tasks[1].tags)


def test_text_in_tags_is_ignored_and_a_tag_of_the_title_stays(ask: Asker) -> None:
    """A comma-separated text is no array; TAGS alone cannot take away what the title has."""
    add(ask, TITLE="Заказ #а", TAGS="б,в")
    assert ask.portal.tasks[1].tags == ("а",)
    update(ask, 1, TAGS=["г"])
    assert ask.portal.tasks[1].tags == ("г", "а")


@pytest.mark.parametrize(("value", "flag"), [("Y", "Y"), (True, "Y"), ("1", "N"), (1, "N"), ("true", "N"), ("N", "N")])
def test_flags_are_on_only_for_y_and_true(ask: Asker, value: Any, flag: str) -> None:
    """Anything else is off."""
    assert flag == add(ask, ALLOW_TIME_TRACKING=value)["allowTimeTracking"]


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ({"PRIORITY": 5}, "priority", "1"),
        ({"PRIORITY": "2"}, "priority", "2"),
        ({"STATUS": 1}, "status", "2"),
        ({"STATUS": 5}, "closedDate", None),
        ({"ADD_IN_REPORT": "Y"}, "addInReport", "N"),
        ({"~XML_ID": "k"}, "xmlId", "k"),
        ({"XML_ID": "k" * 50}, "xmlId", "k" * 50),
        ({"XML_ID": "k" * 200}, "xmlId", "k" * 50),
        ({"GUID": "mine"}, "xmlId", None),
        ({"NO_SUCH": "x"}, "title", "Сварить"),
        ({"ACCOMPLICES": [4, "5", 4]}, "accomplices", ["4", "5"]),
        ({"AUDITORS": "4"}, "auditors", []),
        ({"START_DATE_PLAN": "2026-11-20T10:00:00+03:00"}, "startDatePlan", "2026-11-20T10:00:00+03:00"),
    ],
)
def test_fields_of_a_new_task_become(ask: Asker, fields: dict[str, Any], name: str, expected: Any) -> None:
    """One odd rule each."""
    assert expected == add(ask, **fields)[name]


def test_guid_is_always_made_anew(ask: Asker) -> None:
    """Whatever was sent."""
    assert "mine" not in add(ask, GUID="mine")["guid"]


def test_adding_twice_makes_two(ask: Asker) -> None:
    """There is no idempotency, not even by XML_ID."""
    assert [add(ask, XML_ID="k")["id"] for _ in range(2)] == ["1", "2"]


def test_portal_that_drops_xml_id(ask: Asker) -> None:
    """Written it vanishes, read it is null, in a filter it is ignored."""
    ask.portal.keep_xml_id = False
    assert add(ask, XML_ID="k")["xmlId"] is None
    add(ask)
    assert ask.body("tasks.task.list", filter={"XML_ID": "k"})["total"] == 2


def test_update_touches_only_what_is_given_and_ignores_null(ask: Asker, clock: Clock) -> None:
    """But always the time of change."""
    add(ask, DEADLINE="2026-11-20T18:00:00+03:00", AUDITORS=[4])
    clock.move(minutes=5)
    task = update(ask, 1, DESCRIPTION="новое", DEADLINE=None, AUDITORS=None)
    assert picked(task, "description", "deadline", "auditors", "changedDate") == (
        "новое",
        "2026-11-20T18:00:00+03:00",
        ["4"],
        "2026-11-18T12:05:00+03:00",
    )


def test_update_clears_dates_with_empty_text_and_lists_with_empty_lists(ask: Asker) -> None:
    """Lists are replaced as a whole."""
    add(ask, DEADLINE="2026-11-20T18:00:00+03:00", AUDITORS=[4, 5], TAGS=["a"])
    task = update(ask, 1, DEADLINE="", AUDITORS=[], TAGS=["b"])
    assert (*picked(task, "deadline", "auditors"), ask.portal.tasks[1].tags) == (None, [], ("b",))


@pytest.mark.parametrize("name", ["ACCOMPLICES", "AUDITORS"])
@pytest.mark.parametrize("more", [{}, {"TITLE": "x"}])
def test_empty_text_clears_people(ask: Asker, name: str, more: dict[str, str]) -> None:
    """Alone or not; any other text is ignored."""
    add(ask, **{name: [4]})
    assert update(ask, 1, **{name: "5"}, **more)[name.lower()] == ["4"]
    assert update(ask, 1, **{name: ""}, **more)[name.lower()] == []


def test_estimate_can_be_set_to_nothing(ask: Asker) -> None:
    """0 is a value like any other."""
    add(ask, TIME_ESTIMATE=3600)
    assert update(ask, 1, TIME_ESTIMATE=0)["timeEstimate"] == "0"


PLAN = {"START_DATE_PLAN": "2026-11-20T10:00:00+03:00", "END_DATE_PLAN": "2026-11-20T12:00:00+03:00"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"START_DATE_PLAN": "2026-11-20T09:00:00+03:00"}, ("2026-11-20T09:00:00+03:00", None)),
        ({"END_DATE_PLAN": "2026-11-20T18:00:00+03:00"}, (None, "2026-11-20T18:00:00+03:00")),
        (PLAN, ("2026-11-20T10:00:00+03:00", "2026-11-20T12:00:00+03:00")),
        ({"TITLE": "x"}, ("2026-11-20T10:00:00+03:00", "2026-11-20T12:00:00+03:00")),
    ],
)
def test_one_plan_date_alone_blanks_the_other(
    ask: Asker, fields: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    """Always send both."""
    add(ask, **PLAN)
    assert expected == picked(update(ask, 1, **fields), "startDatePlan", "endDatePlan")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"RESPONSIBLE_ID": 4}, ("4", "2", ["3"])),
        ({"RESPONSIBLE_ID": 3}, ("3", "2", [])),
        ({"RESPONSIBLE_ID": 4, "TITLE": "x"}, ("4", "2", [])),
        ({"RESPONSIBLE_ID": 3, "TITLE": "x"}, ("3", "3", [])),
        ({"RESPONSIBLE_ID": 4, "STATUS": 3}, ("4", "3", [])),
    ],
)
def test_change_of_the_responsible_resets_the_status(ask: Asker, fields: dict[str, Any], expected: Any) -> None:
    """Alone it is a delegation: the old one becomes an auditor, and the status goes back in any case."""
    ask.portal.add_task("Начатая", responsible=3, status=3)
    assert expected == picked(update(ask, 1, **fields), "responsibleId", "status", "auditors")


@pytest.mark.parametrize("status", [4, 5])
def test_status_4_and_5_fill_the_closing_fields_and_others_clear_them(ask: Asker, status: int) -> None:
    """A task that was opened again has closedBy "0", not null."""
    add(ask)
    names = ("status", "closedBy", "closedDate", "statusChangedBy")
    assert (str(status), "1", "2026-11-18T12:00:00+03:00", "1") == picked(update(ask, 1, STATUS=status), *names)
    assert picked(update(ask, 1, STATUS=2), *names) == ("2", "0", None, "1")


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"taskId": 9, "fields": {"TITLE": "x"}}, "0", "Действие над задачей не разрешено"),
        ({"taskId": 1, "fields": {}}, "100", "Could not find value for parameter {fields}"),
        ({"taskId": 1}, "100", "Could not find value for parameter {fields}"),
        ({"taskId": "abc", "fields": {"TITLE": "x"}}, "0", "wrong task id"),
        ({"fields": {"TITLE": "x"}}, "100", NO_TASK_ID),
        ({"TASKID": 1, "fields": {"TITLE": "x"}}, "100", NO_TASK_ID),
    ],
)
def test_bad_updates_are_refused(ask: Asker, params: dict[str, Any], code: str, text: str) -> None:
    """Names at the top are case-sensitive."""
    add(ask)
    assert (400, code, text) == ask.error("tasks.task.update", **params)


def test_missing_task_is_an_empty_list(ask: Asker) -> None:
    """Status 200 and no `task`."""
    assert (lambda answer: (answer[0], answer[1]["result"]))(ask.status_and_body("tasks.task.get", taskId=9)) == (
        200,
        [],
    )


def test_get_returns_what_is_selected_and_what_belongs_to_it(ask: Asker) -> None:
    """ID, favorite and group always; people with their fields."""
    add(ask)
    assert {"id", "favorite", "group", "title"} == set(get(ask, 1, "TITLE", "NO_SUCH"))
    assert {"id", "favorite", "group", "responsibleId", "responsible"} == set(get(ask, 1, "RESPONSIBLE_ID"))


def test_one_user_field_brings_all_of_them(ask: Asker) -> None:
    """In camelCase; `*` and no select bring none."""
    ask.portal.user_fields["UF_AUTO_151992241453"] = ("ИД 1С", "string")
    add(ask, UF_AUTO_151992241453="000123")
    task = get(ask, 1, "ID", "UF_CRM_TASK")
    own = {name: value for name, value in task.items() if name.startswith("uf")}
    assert own == {
        "ufCrmTask": False,
        "ufTaskWebdavFiles": False,
        "ufMailMessage": None,
        "ufAuto151992241453": "000123",
    }
    assert not [name for name in get(ask, 1, "*") if name.startswith("uf")]
