"""The sandbox's time log: task.elapseditem.add and getlist."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.client import Asker, Clock
from tests.sandbox.shop import add, as_user, get, picked, shop


@pytest.fixture
def clock() -> Clock:
    """Noon in Moscow."""
    return Clock()


@pytest.fixture
def ask(clock: Clock) -> Asker:
    """The shop's portal."""
    return shop(clock)


NOON, LATER = "2026-11-18T12:00:00+03:00", "2026-11-18T12:05:00+03:00"


def test_time_adds_up_in_the_task_and_its_history(ask: Asker, clock: Clock) -> None:
    """The change of the task is not moved by it."""
    add(ask)
    clock.move(minutes=5)
    assert ask.result("task.elapseditem.add", TASKID=1, ARFIELDS={"SECONDS": 3600, "COMMENT_TEXT": "резка"}) == 1
    assert ask.result("task.elapseditem.add", TASKID=1, ARFIELDS={"SECONDS": "90", "USER_ID": 3}) == 2
    row = get(ask, 1, "TIME_SPENT_IN_LOGS", "CHANGED_DATE")
    history = ask.result("tasks.task.history.list", taskId=1, filter={"FIELD": "TIME_SPENT_IN_LOGS"})["list"]
    assert picked(row, "timeSpentInLogs", "changedDate") == ("3690", NOON)
    assert [line["value"] for line in history] == [{"from": "", "to": "3600"}, {"from": "3600", "to": "3690"}]
    body = ask.body("task.elapseditem.getlist", TASKID=1)
    first = {
        "ID": "1", "TASK_ID": "1", "USER_ID": "1", "COMMENT_TEXT": "резка", "SECONDS": "3600", "MINUTES": "60",
        "SOURCE": "2", "CREATED_DATE": LATER, "DATE_START": LATER, "DATE_STOP": LATER,
    }  # fmt: skip
    second = first | {"ID": "2", "USER_ID": "3", "COMMENT_TEXT": "", "SECONDS": "90", "MINUTES": "2"}
    assert (body["result"], body["total"]) == ([first, second], 2)


def log(ask: Asker) -> None:
    """Three items on two tasks."""
    for _ in range(2):
        add(ask)
    for task, user, seconds in ((1, 3, 60), (1, 4, 120), (2, 3, 180)):
        ask.result("task.elapseditem.add", TASKID=task, ARFIELDS={"SECONDS": seconds, "USER_ID": user})


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["1", "2", "3"]),
        ({"TASKID": 1}, ["1", "2"]),
        ({"any": "1", "name": {"ID": "desc"}}, ["2", "1"]),
        ({"ORDER": {"SECONDS": "desc"}, "FILTER": {"USER_ID": 3}}, ["3", "1"]),
        ({"TASKID": 0, "ORDER": {"ID": "asc"}, "FILTER": {"!USER_ID": 3}}, ["2"]),
        ({"TASKID": 1, "ORDER": [""], "FILTER": {">=CREATED_DATE": "2026-11-18T12:00:01+03:00"}}, []),
        ({"TASKID": 0, "O": [""], "F": [""], "S": [""], "P": {"NAV_PARAMS": {"nPageSize": 2, "iNumPage": 2}}}, ["3"]),
    ],
)
def test_list_goes_by_the_order_of_its_parameters(ask: Asker, params: dict[str, Any], expected: list[str]) -> None:
    """Names do not count; without a task it is everybody's."""
    log(ask)
    assert expected == [row["ID"] for row in ask.result("task.elapseditem.getlist", **params)]


def test_list_of_all_tasks_has_fifty_rows_a_page(ask: Asker) -> None:
    """That of one task has all; `total` counts them in both cases."""
    add(ask)
    for _ in range(51):
        ask.result("task.elapseditem.add", TASKID=1, ARFIELDS={"SECONDS": 1})
    bodies = [ask.body("task.elapseditem.getlist"), ask.body("task.elapseditem.getlist", TASKID=1)]
    assert [(len(body["result"]), body["total"]) for body in bodies] == [(50, 51), (51, 51)]


def test_select_gives_only_what_is_chosen(ask: Asker) -> None:
    """In the order of the full answer."""
    log(ask)
    rows = ask.result("task.elapseditem.getlist", TASKID=2, ORDER=[""], FILTER=[""], SELECT=["SECONDS", "USER_ID"])
    assert rows == [{"USER_ID": "3", "SECONDS": "180"}]


ADD, LIST, WRONG = "ctaskelapseditem::add()", "ctaskelapseditem::getlist()", "256/TE/WRONG_ARGUMENTS"


@pytest.mark.parametrize(
    ("method", "params", "text"),
    [
        ("add", {}, f"#256; Param #0 (taskId) expected by method {ADD}, but not given.; {WRONG}"),
        ("add", {"TASKID": 1}, f"#256; Param #1 (fields) expected by method {ADD}, but not given.; {WRONG}"),
        (
            "add",
            {"ARFIELDS": {"SECONDS": 1}, "TASKID": 1},
            f'#256; Param #0 (taskId) for method {ADD} expected to be of type "integer", but given something else.'
            f"; {WRONG}",
        ),
        (
            "add",
            {"TASKID": 1, "ARFIELDS": {"MINUTES": 1}},
            f'#256; Param #1 (fields) for method {ADD} must not contain key "MINUTES".; {WRONG}',
        ),
        (
            "getlist",
            {"TASKID": 1, "ORDER": {"TITLE": "asc"}},
            f'#256; Param #1 (order) for method {LIST} must not contain key "TITLE".; {WRONG}',
        ),
        (
            "getlist",
            {"TASKID": 9},
            "#1; Task not found or not accessible; 1/TE/TASK_NOT_FOUND_OR_NOT_ACCESSIBLE",
        ),
    ],
)  # fmt: skip
def test_wrong_parameters_are_refused(ask: Asker, method: str, params: dict[str, Any], text: str) -> None:
    """ERROR_CORE with the code inside the text."""
    add(ask)
    refusal = ask.error(f"task.elapseditem.{method}", **params)
    assert (400, "ERROR_CORE", f"TASKS_ERROR_EXCEPTION_{text}<br>") == refusal


def test_only_people_of_the_task_write_time(ask: Asker) -> None:
    """An auditor sees it, and no more."""
    ask.portal.add_task("x", responsible=3, auditors=(5,))
    text = "TASKS_ERROR_EXCEPTION_#4; Action not allowed; 4/TE/ACTION_NOT_ALLOWED<br>"
    refusal = as_user(ask, 5).error("task.elapseditem.add", TASKID=1, ARFIELDS={"SECONDS": 1})
    assert (refusal, ask.body("task.elapseditem.getlist", TASKID=1)["total"]) == ((400, "ERROR_CORE", text), 0)
    assert as_user(ask, 3).result("task.elapseditem.add", TASKID=1, ARFIELDS={"SECONDS": 1}) == 1
    assert as_user(ask, 4).body("task.elapseditem.getlist")["result"] == []
