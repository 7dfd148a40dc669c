"""The sandbox's rows of tasks: how much of a key they hold, dates that are none, chats, and half-made tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from b24tools.sandbox.faults import Fault
from tests.sandbox.client import NOW, Asker, Clock
from tests.sandbox.shop import add, get, picked, update

KEY = "1c:b7c57163-8c5d-11ef-905d-a41731192b22:7703741f-2084-46b1-9abd-c7df534dfeb8"
NEW = {"TITLE": "Сварить", "RESPONSIBLE_ID": 3}


def find(ask: Asker, **conditions: Any) -> list[str]:
    """Ids of the tasks a filter finds."""
    tasks = ask.result("tasks.task.list", filter=conditions, select=["ID"], order={"ID": "asc"})["tasks"]
    return [task["id"] for task in tasks]


@pytest.mark.parametrize(("width", "stored"), [(50, KEY[:50]), (200, KEY)])
def test_column_of_the_key_cuts_without_a_word(ask: Asker, width: int, stored: str) -> None:
    """The answer shows it, and a filter by the whole key finds nothing; an update cuts likewise."""
    ask.portal.xml_id_width = width
    added = add(ask, XML_ID=KEY)["xmlId"]
    updated = update(ask, 1, XML_ID="я" + KEY)["xmlId"]
    ask.portal.set_task(1, xml_id=added)
    assert (added, updated) == (stored, ("я" + KEY)[:width])
    assert (find(ask, XML_ID=KEY), find(ask, XML_ID=stored)) == (["1"] if stored == KEY else [], ["1"])


def test_other_database_refuses_the_row(ask: Asker) -> None:
    """No task is made, and an update changes nothing."""
    ask.portal.xml_id_overflow = "refuse"
    text = "Pgsql query error: ERROR:  value too long for type character varying(50)"
    assert ask.error("tasks.task.add", fields=NEW | {"XML_ID": KEY}) == (400, "ERROR_UNKNOWN_ADD_TASK_ERROR", text)
    assert (len(ask.portal.tasks), add(ask, XML_ID=KEY[:50])["xmlId"]) == (0, KEY[:50])
    refusal = ask.error("tasks.task.update", taskId=1, fields={"XML_ID": KEY, "TITLE": "x"})
    assert refusal[:2] == (400, "ERROR_UNKNOWN_UPDATE_TASK_ERROR")
    assert picked(get(ask, 1, "TITLE", "XML_ID"), "title", "xmlId") == ("Сварить", KEY[:50])


def test_beyond_200_the_validator_refuses(ask: Asker) -> None:
    """Whatever the column does."""
    assert ask.error("tasks.task.add", fields=NEW | {"XML_ID": "k" * 201})[1] == "ERROR_UNKNOWN_ADD_TASK_ERROR"
    assert len(ask.portal.tasks) == 0


@pytest.mark.parametrize("text", ["-0001-11-30T00:00:00+02:30", "0000-00-00 00:00:00", "2026-02-30T10:00:00+03:00", ""])
@pytest.mark.parametrize("name", ["createdDate", "changedDate", "closedDate", "deadline", "startDatePlan", "dateStart"])
def test_any_date_of_a_row_may_be_none(ask: Asker, name: str, text: str) -> None:
    """A list and a get show the text as it stands; the other dates stay."""
    ask.portal.add_task("Старая", responsible=3, status=5, closed_at=NOW, deadline=NOW)
    ask.portal.set_raw_date(1, name, text)
    row = ask.result("tasks.task.list")["tasks"][0]
    card = ask.result("tasks.task.get", taskId=1)["task"]
    others = {"changedDate", "closedDate", "deadline"} - {name}
    assert (row[name], card[name]) == (text, text)
    assert {"2026-11-18T12:00:00+03:00"} == {row[other] for other in others}


def test_zero_date_is_before_every_other_and_not_null(ask: Asker) -> None:
    """As MySQL compares and sorts."""
    for number in range(3):
        ask.portal.add_task(f"{number}", responsible=3, status=5, closed_at=NOW - timedelta(days=number))
    ask.portal.set_task(3, closed_at=None)
    ask.portal.set_raw_date(1, "CLOSED_DATE", "0000-00-00 00:00:00")
    old = "2000-01-01T00:00:00+03:00"
    assert (find(ask, **{">=CLOSED_DATE": old}), find(ask, **{"<CLOSED_DATE": old})) == (["2"], ["1"])
    assert (find(ask, CLOSED_DATE=""), find(ask, **{"!CLOSED_DATE": ""})) == (["3"], ["1", "2"])
    rows = ask.result("tasks.task.list", order={"CLOSED_DATE": "asc"})["tasks"]
    assert [row["id"] for row in rows] == ["3", "1", "2"]


def test_new_value_takes_the_place_of_the_raw_one(ask: Asker) -> None:
    """For good."""
    add(ask, DEADLINE="2026-11-20T18:00:00+03:00")
    ask.portal.set_raw_date(1, "deadline", "-0001-11-30T00:00:00+02:30")
    assert get(ask, 1, "DEADLINE")["deadline"] == "-0001-11-30T00:00:00+02:30"
    assert update(ask, 1, DEADLINE="2026-11-21T18:00:00+03:00")["deadline"] == "2026-11-21T18:00:00+03:00"


MOVED = ("commentsCount", "newCommentsCount", "changedDate", "activityDate")
NOON, LATER = "2026-11-18T12:00:00+03:00", "2026-11-18T12:10:00+03:00"


def history_of(ask: Asker) -> list[tuple[str, str | None]]:
    """Fields and new values of the history."""
    rows = ask.result("tasks.task.history.list", taskId=1)["list"]
    return [(row["field"], row["value"]["to"]) for row in rows]


def test_words_in_the_chat_move_only_the_activity(ask: Asker, clock: Clock) -> None:
    """No count, no change, nothing in the history; the list can select, filter and sort by it."""
    add(ask)
    clock.move(minutes=10)
    ask.portal.chat_in_task(1, 3)
    names = ["COMMENTS_COUNT", "NEW_COMMENTS_COUNT", "CHANGED_DATE", "ACTIVITY_DATE"]
    row = ask.result("tasks.task.list", select=names, filter={">ACTIVITY_DATE": NOON})["tasks"][0]
    assert picked(row, *MOVED) == picked(get(ask, 1, *names), *MOVED) == (None, 0, NOON, LATER)
    assert history_of(ask) == [("NEW", None)]


def test_post_in_the_old_forum_is_counted(ask: Asker, clock: Clock) -> None:
    """And is a change of the task."""
    ask.portal.forum_comments = True
    add(ask)
    clock.move(minutes=10)
    ask.portal.chat_in_task(1, 3)
    assert picked(ask.result("tasks.task.get", taskId=1)["task"], *MOVED, "changedBy", "chatId") == (
        "1", 0, LATER, LATER, "3", None,
    )  # fmt: skip
    assert history_of(ask) == [("NEW", None), ("COMMENT", "34002")]


def test_chats_are_made_by_whoever_asks_for_all_fields_of_one_task(ask: Asker) -> None:
    """A list does not, and neither does a get that chooses others."""
    for number in range(3):
        ask.portal.add_task(f"{number}", responsible=3)
    ask.result("tasks.task.list")
    get(ask, 1, "ID", "TITLE")
    assert ask.portal.task_chats == {}
    get(ask, 1, "CHAT_ID")
    whole = ask.result("tasks.task.get", taskId=2)["task"]
    update(ask, 3, TITLE="x")
    assert (whole["chatId"], ask.portal.task_chats) == (2002, {1: 2001, 2: 2002, 3: 2003})
    assert [row["chatId"] for row in ask.result("tasks.task.list", order={"ID": "asc"})["tasks"]] == [2001, 2002, 2003]


FAILED = {"error": "ERROR_UNKNOWN_ADD_TASK_ERROR", "error_description": "There was an error while saving task chat"}
COMMAND = "tasks.task.add?fields[TITLE]=x&fields[RESPONSIBLE_ID]=3&fields[XML_ID]=k&fields[GROUP_ID]=1&fields[TAGS][]=a"


@pytest.mark.parametrize("batch", [False, True])
def test_project_with_a_broken_chat_makes_the_task_and_answers_an_error(ask: Asker, batch: bool) -> None:
    """The row is there, with neither tags, files, history nor an event."""
    ask.portal.add_group("Заказы", 1).chat_is_broken = True
    ask.portal.add_handler("https://hook.example", "token")
    fields = NEW | {"XML_ID": "k", "GROUP_ID": 1, "TAGS": ["a"]}
    if batch:
        maps = ask.result("batch", cmd={"a": COMMAND, "b": "scope"})
        assert (maps["result"], maps["result_error"]) == ({"b": sorted(ask.portal.scopes)}, {"a": FAILED})
    else:
        assert ask.status_and_body("tasks.task.add", fields=fields) == (400, FAILED)
    assert (find(ask, XML_ID="k"), ask.portal.tasks[1].tags, ask.portal.outbox) == (["1"], (), [])
    assert (history_of(ask), ask.result("tasks.task.get", taskId=1)["task"]["chatId"]) == ([], None)


@pytest.mark.parametrize("batch", [False, True])
def test_ordered_error_after_the_work_leaves_a_whole_task(ask: Asker, batch: bool) -> None:
    """Once; the second call is well."""
    text = FAILED["error_description"]
    ask.portal.faults.add(
        Fault("error", method="tasks.task.add", code=FAILED["error"], description=text, executed=True)
    )
    if batch:
        maps = ask.result("batch", cmd={"a": COMMAND.replace("GROUP_ID]=1", "GROUP_ID]=0"), "b": COMMAND[:60]})
        assert (list(maps["result"]), maps["result_error"]) == (["b"], {"a": FAILED})
    else:
        assert ask.status_and_body("tasks.task.add", fields=NEW | {"TAGS": ["a"], "XML_ID": "k"}) == (400, FAILED)
        add(ask)
    assert (len(ask.portal.tasks), find(ask, XML_ID="k"), ask.portal.tasks[1].tags) == (2, ["1"], ("a",))
