"""The sandbox's task actions: who may do what, statuses, deleting, files and events."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import Asker
from tests.sandbox.shop import add, as_user, get, picked, update


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
    steps = ("start", "pause", "defer", "start", "complete", "approve", "renew")
    walk = []
    for step in steps:
        task = ask.result(f"tasks.task.{step}", taskId=1)["task"]
        walk.append((step, task["status"], task["closedDate"] is not None))
    assert walk == [
        ("start", "3", False), ("pause", "2", False), ("defer", "6", False), ("start", "3", False),
        ("complete", "4", True), ("approve", "5", True),
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


def test_delegate_to_a_missing_person_succeeds_without_doing_anything(ask: Asker) -> None:
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
