"""The sandbox's task methods: what a written value becomes, and what changes along with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from b24tools.sandbox.portal import Portal
from tests.sandbox_door import NOW, Asker, Clock

NO_TASK_ID = "CTaskItem All parameters in the constructor must have real class type"
STAMP = int(NOW.timestamp())


@pytest.fixture
def clock() -> Clock:
    """Noon in Moscow."""
    return Clock()


@pytest.fixture
def ask(clock: Clock) -> Asker:
    """An administrator (1), a boss (2), two workers (3, 4) of his department, a manager elsewhere (5)."""
    portal = Portal(clock)
    shop = portal.add_department("Цех")
    portal.add_user("Борис", "Бригадир", departments=[shop.id])
    portal.add_user("Иван", "Сварщик", departments=[shop.id])
    portal.add_user("Пётр", "Маляр", departments=[shop.id])
    portal.add_user("Анна", "Менеджер", departments=[1])
    shop.head = 2
    return Asker(portal)


def add(ask: Asker, **fields: Any) -> dict[str, Any]:
    """A new task for the worker 3."""
    task: dict[str, Any] = ask.result("tasks.task.add", fields={"TITLE": "Сварить", "RESPONSIBLE_ID": 3} | fields)[
        "task"
    ]
    return task


def update(ask: Asker, task_id: int | str, **fields: Any) -> dict[str, Any]:
    """Changed fields of a task."""
    task: dict[str, Any] = ask.result("tasks.task.update", taskId=task_id, fields=fields)["task"]
    return task


def get(ask: Asker, task_id: int | str, *select: str) -> dict[str, Any]:
    """Chosen fields of a task."""
    task: dict[str, Any] = ask.result("tasks.task.get", taskId=task_id, select=list(select))["task"]
    return task


def picked(task: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Values by name."""
    return tuple(task[name] for name in names)


def as_user(ask: Asker, user_id: int) -> Asker:
    """The same webhook owned by somebody else."""
    ask.portal.owner_id = user_id
    return ask


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
        "checkListCanAdd": True,
    }  # fmt: skip
    assert expected == scalars
    empty = ("auditors", "accomplices", "checklist", "group", "accomplicesData", "auditorsData")
    assert [[]] * len(empty) == [task[name] for name in empty]
    person = {"id": "3", "name": "Иван Сварщик", "link": "/company/personal/user/3/", "workPosition": ""}
    assert person | {"icon": "/bitrix/images/tasks/default_avatar.png"} == task["responsible"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "2026-11-23T19:00:00+03:00"),
        ({"DEADLINE": None}, "2026-11-23T19:00:00+03:00"),
        ({"MATCH_WORK_TIME": "Y"}, "2026-11-25T19:00:00+03:00"),
        ({"DEADLINE": ""}, None),
        ({"DEADLINE": False}, None),
        ({"DEADLINE": "2026-11-20T18:30:45+03:00"}, "2026-11-20T18:30:00+03:00"),
        ({"DEADLINE": "2026-11-20T18:30:45+05:00"}, "2026-11-20T16:30:00+03:00"),
        ({"DEADLINE": "2026-11-20T18:30:00Z"}, "2026-11-20T21:30:00+03:00"),
        ({"DEADLINE": "2026-11-20 18:30"}, "2026-11-20T18:30:00+03:00"),
        ({"DEADLINE": "20.11.2026 18:30:59"}, "2026-11-20T18:30:00+03:00"),
        ({"DEADLINE": "10/11/2026"}, "2026-10-11T00:00:00+03:00"),
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
        ({"PARENT_ID": 50}, "Задача, указанная в поле &quot;Надзадача&quot;, не найдена<br>"),
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
    """Nobody checks ACTIVE."""
    ask.portal.users[3].active = False
    assert add(ask)["responsibleId"] == "3"


def test_hashtags_become_tags_beside_those_given(ask: Asker) -> None:
    """In title and description; a # without a space before it is none. Numbers in TAGS become text."""
    add(ask, TITLE="#с1 Заказ #с2,х №5", DESCRIPTION="без#тега\n#с3", TAGS=["свой", 7])
    assert {"свой", "7", "с1", "с2", "с3"} == {tag["title"] for tag in get(ask, 1, "TAGS")["tags"].values()}


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
        ({"ADD_IN_REPORT": "Y", "CREATED_BY": 2}, "addInReport", "Y"),
        ({"~XML_ID": "k"}, "xmlId", "k"),
        ({"XML_ID": "k" * 300}, "xmlId", "k" * 200),
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


def test_match_work_time_moves_dates_into_working_hours(ask: Asker) -> None:
    """By the calendar's settings: Saturday goes to Monday 9:00."""
    task = add(ask, MATCH_WORK_TIME="Y", DEADLINE="2026-11-21T12:00:00+03:00")
    assert task["deadline"] == "2026-11-23T09:00:00+03:00"


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
    task = update(ask, 1, DESCRIPTION="новое", DEADLINE=None, AUDITORS="")
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


def test_empty_text_clears_accomplices_only_when_alone(ask: Asker) -> None:
    """Together with other fields it is ignored."""
    add(ask, ACCOMPLICES=[4])
    assert update(ask, 1, ACCOMPLICES="", TITLE="x")["accomplices"] == ["4"]
    assert update(ask, 1, ACCOMPLICES="")["accomplices"] == []


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


def test_match_work_time_keeps_the_other_plan_date(ask: Asker) -> None:
    """The one exception."""
    add(ask, **PLAN, MATCH_WORK_TIME="Y")
    task = update(ask, 1, START_DATE_PLAN="2026-11-20T09:00:00+03:00")
    assert task["endDatePlan"] == "2026-11-20T12:00:00+03:00"


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
        ({"taskId": 1, "fields": {"PARENT_ID": 1}}, "ERROR_CORE", "Задача не может быть надзадачей самой себе<br>"),
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
    """ID, favorite, group and action always; people with their fields."""
    add(ask)
    assert {"id", "favorite", "group", "action", "title"} == set(get(ask, 1, "TITLE", "NO_SUCH"))
    assert {"id", "favorite", "group", "action", "responsibleId", "responsible"} == set(get(ask, 1, "RESPONSIBLE_ID"))


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


def test_get_fields_lists_upper_case_names_with_user_fields_last(ask: Asker) -> None:
    """A user field has a title and a type, no more."""
    ask.portal.user_fields["UF_AUTO_1"] = ("ИД 1С", "string")
    fields = ask.result("tasks.task.getFields")["fields"]
    assert (fields["UF_AUTO_1"], list(fields)[-1]) == ({"title": "ИД 1С", "type": "string"}, "UF_AUTO_1")
    assert (fields["DEADLINE"]["type"], fields["ID"]) == (
        "datetime",
        {"title": "ID", "type": "integer", "primary": True},
    )


@pytest.mark.parametrize(
    ("control", "creator", "caller", "expected"),
    [
        (False, 2, 1, ["5"]),
        (True, 3, 3, ["5"]),
        (True, 2, 2, ["5"]),
        (True, 2, 1, ["4", "5"]),
        (True, 1, 3, ["4", "4"]),
    ],
)
def test_complete_gives_4_or_5(ask: Asker, control: bool, creator: int, caller: int, expected: list[str]) -> None:
    """An administrator who is no creator needs two calls of a controlled task; the worker never gets to 5."""
    ask.portal.add_task("Работа", responsible=3, creator=creator, task_control=control)
    as_user(ask, caller)
    assert expected == [ask.result("tasks.task.complete", taskId=1)["task"]["status"] for _ in expected]


def test_completed_task_cannot_be_completed_again(ask: Asker) -> None:
    """The access check refuses."""
    add(ask)
    ask.result("tasks.task.complete", taskId=1)
    assert ask.error("tasks.task.complete", taskId=1) == (400, "0", "Действие над задачей не разрешено")


def test_statuses_move_by_their_methods(ask: Asker) -> None:
    """The whole walk, each step with the closing date it leaves."""
    add(ask, TASK_CONTROL="Y", CREATED_BY=2)
    steps = ("start", "pause", "defer", "start", "complete", "disapprove", "complete", "approve", "renew")
    told = []
    for step in steps:
        task = ask.result(f"tasks.task.{step}", taskId=1)["task"]
        told.append((step, task["status"], task["closedDate"] is not None))
    assert told == [
        ("start", "3", False), ("pause", "2", False), ("defer", "6", False), ("start", "3", False),
        ("complete", "4", True), ("disapprove", "2", False), ("complete", "4", True), ("approve", "5", True),
        ("renew", "2", False),
    ]  # fmt: skip


def test_start_fills_the_date_of_start(ask: Asker) -> None:
    """DATE_START is when the work began."""
    add(ask)
    assert ask.result("tasks.task.start", taskId=1)["task"]["dateStart"] == "2026-11-18T12:00:00+03:00"


def test_delegate_leaves_the_old_one_as_an_auditor(ask: Asker) -> None:
    """And puts the status back."""
    ask.portal.add_task("Начатая", responsible=3, status=3)
    task = ask.result("tasks.task.delegate", taskId=1, userId=4)["task"]
    assert picked(task, "responsibleId", "status", "auditors") == ("4", "2", ["3"])


def test_delegate_to_nobody_succeeds_without_doing_anything(ask: Asker) -> None:
    """Failures behind the access check are not looked at."""
    add(ask)
    assert ask.result("tasks.task.delegate", taskId=1, userId=99)["task"]["responsibleId"] == "3"


def test_delete_removes_a_task_once(ask: Asker) -> None:
    """The second time there is nothing to delete."""
    add(ask)
    assert ask.result("tasks.task.delete", taskId=1) == {"task": True}
    assert ask.error("tasks.task.delete", taskId=1) == (400, "1048582", "No access to delete the task")


@pytest.mark.parametrize(("owner", "visible"), [(1, [1, 2, 3]), (2, [1, 2]), (3, [1]), (4, [2]), (5, [1, 3])])
def test_owner_who_is_no_administrator_sees_a_part(ask: Asker, owner: int, visible: list[int]) -> None:
    """His own as creator, responsible or member, and those of the people he heads."""
    ask.portal.add_task("Сварка", responsible=3, creator=5)
    ask.portal.add_task("Покраска", responsible=4, creator=1)
    ask.portal.add_task("Заявка", responsible=5, creator=1)
    rows = as_user(ask, owner).body("tasks.task.list", select=["ID"], order={"ID": "ASC"})
    assert (visible, len(visible)) == ([int(row["id"]) for row in rows["result"]["tasks"]], rows["total"])
    hidden = [number for number in (1, 2, 3) if number not in visible]
    assert [[]] * len(hidden) == [ask.result("tasks.task.get", taskId=number) for number in hidden]


def test_owner_who_is_no_administrator_has_few_rights(ask: Asker) -> None:
    """The worker may not edit, name another creator, or write into a foreign project."""
    ask.portal.add_group("Чужой", 1)
    ask.portal.add_task("Сварка", responsible=3, creator=5)
    as_user(ask, 3)
    assert ask.error("tasks.task.update", taskId=1, fields={"TITLE": "x"})[1] == "0"
    assert ask.error("tasks.task.update", taskId=1, fields={"DEADLINE": ""})[1] == "0"
    assert ask.error("tasks.task.delete", taskId=1)[1] == "1048582"
    denied = [{"CREATED_BY": 5}, {"GROUP_ID": 1}]
    codes = [ask.error("tasks.task.add", fields={"TITLE": "x", "RESPONSIBLE_ID": 3} | more)[1] for more in denied]
    assert codes == ["ERROR_TASK_CREATE_ACCESS_DENIED"] * 2
    assert ask.result("tasks.task.update", taskId=1, fields={"RESPONSIBLE_ID": 4})["task"]["responsibleId"] == "4"


def test_files_are_attached_by_object_and_read_as_attachments(ask: Asker) -> None:
    """`n8002` in, 1001 out; FILE_ID is neither."""
    root = ask.portal.add_storage("common", "Общий диск", "shared_files_s1").root
    first, second = (ask.portal.add_file(root, name, b"1").id for name in ("a.txt", "b.txt"))
    add(ask, UF_TASK_WEBDAV_FILES=[f"n{first}"])
    attached = ask.result("tasks.task.files.attach", taskId=1, fileId=second)
    assert (attached, get(ask, 1, "UF_TASK_WEBDAV_FILES")["ufTaskWebdavFiles"]) == (
        {"attachmentId": 1002},
        [1001, 1002],
    )
    update(ask, 1, UF_TASK_WEBDAV_FILES=[1002, f"n{first}"])
    assert get(ask, 1, "UF_TASK_WEBDAV_FILES")["ufTaskWebdavFiles"] == [1002, 1003]
    tie = ask.result("disk.attachedObject.get", id=1003)
    expected = {
        "ID": "1003", "OBJECT_ID": str(first), "MODULE_ID": "tasks", "ENTITY_TYPE": "tasks_task", "ENTITY_ID": "1",
        "CREATE_TIME": "2026-11-18T12:00:00+03:00", "CREATED_BY": "1", "NAME": "a.txt", "SIZE": "1",
    }  # fmt: skip
    assert expected == {name: value for name, value in tie.items() if name != "DOWNLOAD_URL"}
    update(ask, 1, UF_TASK_WEBDAV_FILES="")
    assert get(ask, 1, "UF_TASK_WEBDAV_FILES")["ufTaskWebdavFiles"] is False


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"taskId": 1}, "100"),
        ({"taskId": 1, "fileId": "n8002"}, "100"),
        ({"taskId": 9, "fileId": 8002}, "0"),
        ({"taskId": 1, "fileId": 999}, "ERROR_CORE"),
    ],
)
def test_bad_attachments_are_refused(ask: Asker, params: dict[str, Any], code: str) -> None:
    """Nothing is attached."""
    ask.portal.add_file(ask.portal.add_storage("common", "Общий", "s1").root, "a.txt", b"1")
    add(ask)
    assert code == ask.error("tasks.task.files.attach", **params)[1]


def test_changes_fill_the_queue_of_the_outgoing_webhook(ask: Asker) -> None:
    """One form body a change, with ids only; a missing half is the text "undefined"."""
    ask.portal.add_handler("https://tool.example/webhook", "token0")
    add(ask)
    update(ask, 1, TITLE="x")
    ask.portal.act("tasks.task.delete", {"taskId": 1}, user_id=2)
    auth = (
        "ts=1794992400&auth%5Bdomain%5D=portal.example&auth%5Bclient_endpoint%5D=https%3A%2F%2Fportal.example%2Frest%2F"
        "&auth%5Bserver_endpoint%5D=https%3A%2F%2Foauth.bitrix24.tech%2Frest%2F"
        "&auth%5Bmember_id%5D=0123456789abcdef0123456789abcdef&auth%5Bapplication_token%5D=token0"
    )
    tails = {
        "ONTASKADD": "data%5BFIELDS_BEFORE%5D=undefined&data%5BFIELDS_AFTER%5D%5BID%5D=1"
        "&data%5BIS_ACCESSIBLE_BEFORE%5D=N&data%5BIS_ACCESSIBLE_AFTER%5D=undefined",
        "ONTASKUPDATE": "data%5BFIELDS_BEFORE%5D%5BID%5D=1&data%5BFIELDS_AFTER%5D%5BID%5D=1"
        "&data%5BIS_ACCESSIBLE_BEFORE%5D=undefined&data%5BIS_ACCESSIBLE_AFTER%5D=undefined",
        "ONTASKDELETE": "data%5BFIELDS_BEFORE%5D%5BID%5D=1&data%5BFIELDS_AFTER%5D=undefined"
        "&data%5BIS_ACCESSIBLE_BEFORE%5D=undefined&data%5BIS_ACCESSIBLE_AFTER%5D=N",
    }
    expected = [f"event={name}&event_handler_id=404&{tail}&{auth}" for name, tail in tails.items()]
    assert expected == [outgoing.body.decode() for outgoing in ask.portal.outbox]
    assert {"https://tool.example/webhook"} == {outgoing.url for outgoing in ask.portal.outbox}


def test_a_refused_delete_of_a_boss_is_allowed(ask: Asker) -> None:
    """The head of the responsible's department may do what the creator may."""
    ask.portal.add_task("Сварка", responsible=3, creator=5)
    assert as_user(ask, 2).result("tasks.task.delete", taskId=1) == {"task": True}
