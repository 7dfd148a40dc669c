"""The sandbox's tasks.task.history.list: who made of a task what it is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import NOW, Asker, Clock
from tests.sandbox.shop import add, as_user, update


def lines(ask: Asker, task_id: int = 1, **params: Any) -> list[tuple[str, Any, Any, int]]:
    """Field, both values and user of every line."""
    rows = ask.result("tasks.task.history.list", taskId=task_id, **params)["list"]
    return [(row["field"], row["value"]["from"], row["value"]["to"], row["user"]["id"]) for row in rows]


STAMP = int(NOW.timestamp())


def test_line_of_a_history(ask: Asker) -> None:
    """Integers for ids; the login is the address."""
    add(ask)
    assert ask.result("tasks.task.history.list", taskId="1") == {
        "list": [
            {
                "id": 16001,
                "createdDate": "2026-11-18T12:00:00+03:00",
                "field": "NEW",
                "value": {"from": None, "to": None},
                "user": {
                    "id": 1, "name": "Алексей", "lastName": "Админов", "secondName": "", "login": "user1@example.com",
                },
            }
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"TITLE": "Новая"}, [("TITLE", "Сварить", "Новая", 1)]),
        ({"TITLE": "Сварить"}, []),
        ({"DESCRIPTION": "тайна"}, [("DESCRIPTION", "", "", 1)]),
        ({"DEADLINE": ""}, [("DEADLINE", str(STAMP + 3600), "", 1)]),
        ({"DEADLINE": STAMP + 60}, [("DEADLINE", str(STAMP + 3600), str(STAMP + 60), 1)]),
        ({"RESPONSIBLE_ID": 4}, [("STATUS", "3", "2", 1), ("RESPONSIBLE_ID", "3", "4", 1), ("AUDITORS", "", "3", 1)]),
        ({"ACCOMPLICES": [4, 5]}, [("ACCOMPLICES", "", "4,5", 1)]),
        ({"TAGS": ["a", "b"]}, [("TAGS", "", "a,b", 1)]),
        ({"GROUP_ID": 1}, [("GROUP_ID", "", "1", 1)]),
        ({"TIME_ESTIMATE": 3600, "PRIORITY": 2}, [("PRIORITY", "1", "2", 1), ("TIME_ESTIMATE", "", "3600", 1)]),
        ({"XML_ID": "k", "ALLOW_TIME_TRACKING": "Y", "UF_AUTO_1": "x"}, []),
    ],
)
def test_update_leaves_a_line_for_each_field_that_changed(ask: Asker, fields: Any, expected: Any) -> None:
    """Not for keys, flags and fields made by hand, though these change as well."""
    ask.portal.add_group("Заказы", 1)
    ask.portal.user_fields["UF_AUTO_1"] = ("ИД 1С", "string")
    add(ask, DEADLINE=STAMP + 3600, STATUS=3)
    update(ask, 1, **fields)
    assert [("NEW", None, None, 1), *expected] == lines(ask)


def test_actions_and_people_are_told_apart(ask: Asker, clock: Clock) -> None:
    """Start and completion of the worker, at their times; the rest by the webhook's owner."""
    add(ask)
    for minutes, action in ((1, "start"), (2, "complete")):
        clock.move(minutes=minutes)
        ask.portal.act(f"tasks.task.{action}", {"taskId": 1}, user_id=3)
    assert lines(ask) == [("NEW", None, None, 1), ("STATUS", "2", "3", 3), ("STATUS", "3", "5", 3)]
    rows = ask.result("tasks.task.history.list", taskId=1)["list"]
    assert [row["createdDate"][11:16] for row in rows] == ["12:00", "12:01", "12:03"]


def test_files_are_logged_by_update_but_not_by_attach(ask: Asker) -> None:
    """files.attach writes the field past the task; the next update shows it."""
    drive = ask.portal.add_storage("common", "Общий", "shared_files_s1")
    files = [ask.portal.add_file(drive.root, f"{name}.txt", b"x").id for name in "abc"]
    add(ask, UF_TASK_WEBDAV_FILES=[f"n{files[0]}"])
    ask.result("tasks.task.files.attach", taskId=1, fileId=files[1])
    update(ask, 1, UF_TASK_WEBDAV_FILES=[1001, f"n{files[2]}"])
    assert lines(ask) == [("NEW", None, None, 1), ("UF_TASK_WEBDAV_FILES", "1001,1002", "1001,1003", 1)]


def test_history_of_what_is_not_there_or_hidden(ask: Asker) -> None:
    """An administrator gets an empty list, anybody else a refusal."""
    add(ask)
    ask.portal.act("tasks.task.delete", {"taskId": 1})
    assert (lines(ask), lines(ask, 99)) == ([], [])
    ask.portal.add_task("Чужая", responsible=3)
    assert as_user(ask, 5).error("tasks.task.history.list", taskId=2) == (400, "0", "Access denied.")
    assert ask.error("tasks.task.history.list") == (
        400, "100", "CTaskItem All parameters in the constructor must have real class type",
    )  # fmt: skip


def test_tasks_put_in_by_hand_have_a_beginning(ask: Asker) -> None:
    """By their creator, when they were made."""
    ask.portal.add_task("Старая", responsible=3, creator=2)
    assert lines(ask) == [("NEW", None, None, 2)]
