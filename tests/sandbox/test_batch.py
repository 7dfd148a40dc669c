"""The sandbox's batch: commands as text, references, and how little of it fails."""

from __future__ import annotations

from typing import Any

import pytest

from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker, Clock

TIME = "2026-11-18T12:00:00+03:00"


@pytest.fixture
def ask() -> Asker:
    """A portal with three tasks."""
    portal = Portal(Clock())
    for title in ("Первая", "Вторая", "Третья"):
        portal.add_task(title, responsible=1)
    return Asker(portal)


def batch(ask: Asker, cmd: Any, **params: Any) -> dict[str, Any]:
    """The five maps of a batch without the times."""
    maps: dict[str, Any] = ask.result("batch", cmd=cmd, **params)
    del maps["result_time"]
    return maps


def test_all_failed_is_still_a_success(ask: Asker) -> None:
    """Status 200, every map but the errors empty and therefore a list."""
    expected = {
        "result": [],
        "result_error": {"a": {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"}},
        "result_total": [],
        "result_next": [],
    }
    assert expected == batch(ask, {"a": "no.such"})


def test_times_are_given_per_command(ask: Asker) -> None:
    """Only of those that succeeded."""
    assert list(ask.result("batch", cmd={"a": "no.such", "b": "profile"})["result_time"]) == ["b"]


def test_total_and_next_are_given_per_command(ask: Asker) -> None:
    """Of lists only."""
    for number in range(60):
        ask.portal.add_task(str(number), responsible=1)
    maps = batch(ask, {"a": "tasks.task.list?select[]=ID", "b": "profile"})
    assert (maps["result_total"], maps["result_next"]) == ({"a": 63}, {"a": 50})


def test_list_of_commands_answers_with_a_list_until_one_fails(ask: Asker) -> None:
    """As soon as an index is missing it is an object."""
    full = batch(ask, ["server.time", "server.time"])["result"]
    holed = batch(ask, ["server.time", "no.such", "server.time"])["result"]
    assert (full, holed) == ([TIME, TIME], {"0": TIME, "2": TIME})


def test_command_that_is_not_text_vanishes(ask: Asker) -> None:
    """Neither a result nor an error."""
    maps = batch(ask, {"a": {"method": "profile"}, "b": "server.time", "c": None})
    assert (maps["result"], maps["result_error"]) == ({"b": TIME}, [])


def test_51st_command_and_nested_batches_are_refused_each(ask: Asker) -> None:
    """Inside a successful answer."""
    maps = batch(ask, {f"c{number}": "server.time" for number in range(52)})
    too_long = {"error": "ERROR_BATCH_LENGTH_EXCEEDED", "error_description": "Max batch length exceeded"}
    assert (50, {"c50": too_long, "c51": too_long}) == (len(maps["result"]), maps["result_error"])
    nested = batch(ask, {"a": "batch?cmd[a]=profile"})["result_error"]["a"]["error"]
    assert nested == "ERROR_BATCH_METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(("halt", "last"), [(0, True), (1, False), ("false", False), ("0", True), ("", True)])
def test_halt_goes_by_php_truth(ask: Asker, halt: Any, last: bool) -> None:
    """The text "false" is true; what follows the failure leaves no trace."""
    maps = batch(ask, {"a": "no.such", "b": "server.time"}, halt=halt)
    assert ({"b": TIME} if last else [], ["a"]) == (maps["result"], list(maps["result_error"]))


def test_parameters_of_the_batch_come_in_any_case(ask: Asker) -> None:
    """CMD as well as cmd."""
    assert ask.result("batch", CMD={"a": "server.time"})["result"] == {"a": TIME}


def test_hash_cuts_a_command_and_plus_is_a_space(ask: Asker) -> None:
    """What is not percent-encoded is lost."""
    batch(ask, {"a": "tasks.task.add?fields[RESPONSIBLE_ID]=1&fields[TITLE]=a+b#c&fields[PRIORITY]=2"})
    task = ask.portal.tasks[4]
    assert (task.title, task.priority) == ("a b", 1)


def test_everything_in_a_command_is_text(ask: Asker) -> None:
    """`true` is no longer a flag, `false` is true where truth is asked."""
    ask.portal.add_user("Уволенный", "Человек", departments=[1], active=False)
    cmd = {
        "a": "tasks.task.add?fields[TITLE]=x&fields[RESPONSIBLE_ID]=1&fields[TASK_CONTROL]=true",
        "b": "user.get?ACTIVE=false",
    }
    result = batch(ask, cmd)["result"]
    assert (result["a"]["task"]["taskControl"], [user["ID"] for user in result["b"]]) == ("N", ["1"])


def test_reference_takes_a_value_from_an_earlier_command(ask: Asker) -> None:
    """Alone and inside a longer text; the match swallows everything to the next space."""
    cmd = {
        "a": "tasks.task.get?taskId=2&select[]=ID",
        "b": "tasks.task.get?taskId=$result[a][task][id]&select[]=TITLE",
        "c": "tasks.task.update?taskId=3&fields[TITLE]=n$result[a][task][id]/x, и всё",
        "d": "tasks.task.list?filter[ID]=$RESULT[a][task][id]&select[]=ID",
    }
    maps = batch(ask, cmd)
    assert maps["result"]["b"]["task"]["title"] == "Вторая"
    assert ask.portal.tasks[3].title == "n2 и всё"
    assert maps["result_total"] == {"d": 1}


def test_reference_reads_totals_errors_and_times(ask: Asker) -> None:
    """Not only results."""
    cmd = {
        "a": "tasks.task.list?select[]=ID",
        "b": "no.such",
        "c": "tasks.task.update?taskId=1&fields[TITLE]=$total[a] $error[b][error]",
    }
    batch(ask, cmd)
    assert ask.portal.tasks[1].title == "3 ERROR_METHOD_NOT_FOUND"


def test_reference_may_name_a_parameter(ask: Asker) -> None:
    """Keys are searched as well as values."""
    cmd = {
        "a": "tasks.task.get?taskId=2&select[]=ID",
        "b": "tasks.task.update?taskId=1&fields[TAGS][]=$result[a][task][id]",
    }
    batch(ask, cmd)
    assert ask.portal.tasks[1].tags == ("2",)


def test_array_inside_a_longer_text_leaves_the_text(ask: Asker) -> None:
    """Only scalars are written into texts."""
    batch(ask, {"a": "user.get", "b": "tasks.task.update?taskId=1&fields[TITLE]=см. $result[a] ниже"})
    assert ask.portal.tasks[1].title == "см. $result[a] ниже"


def test_broken_reference_hits_task_number_one(ask: Asker) -> None:
    """The whole map stands in for the missing key, and (int)array is 1."""
    cmd = {
        "ok": "server.time",
        "a": "tasks.task.add?fields[TITLE]=",
        "b": "tasks.task.update?taskId=$result[a][task][id]&fields[TITLE]=Ой",
    }
    assert list(batch(ask, cmd)["result_error"]) == ["a"]
    assert ask.portal.tasks[1].title == "Ой"


def test_broken_reference_with_nothing_done_before_is_a_wrong_id(ask: Asker) -> None:
    """(int) of an empty array is 0."""
    errors = batch(ask, {"a": "no.such", "b": "tasks.task.delete?taskId=$result[a][id]"})["result_error"]
    assert errors["b"] == {"error": "0", "error_description": "wrong task id"}


def test_chain_of_pages_turns_to_noise_after_a_short_one(ask: Asker) -> None:
    """The missing 50th row leaves the list itself, which counts as id 1."""
    cmd = {
        f"p{number}": f"tasks.task.list?order[ID]=ASC&start=-1&select[]=ID&filter[>ID]={last}"
        for number, last in enumerate(["0", "$result[p0][tasks][49][id]", "$result[p1][tasks][49][id]"])
    }
    pages = batch(ask, cmd)["result"]
    assert [[row["id"] for row in page["tasks"]] for page in pages.values()] == [
        ["1", "2", "3"],
        ["2", "3"],
        ["2", "3"],
    ]


def test_chain_of_pages_walks_through_all_tasks(ask: Asker) -> None:
    """By key, inside one request."""
    for number in range(140):
        ask.portal.add_task(str(number), responsible=1)
    cmd = {"p0": "tasks.task.list?order[ID]=ASC&start=-1&select[]=ID&filter[>ID]=0"}
    for number in (1, 2):
        cmd[f"p{number}"] = cmd["p0"].removesuffix("0") + f"$result[p{number - 1}][tasks][49][id]"
    pages = batch(ask, cmd)["result"].values()
    assert list(range(1, 144)) == [int(row["id"]) for page in pages for row in page["tasks"]]


def test_commands_in_a_form_are_encoded_twice(ask: Asker) -> None:
    """Once as a command, once as a form value."""
    body = b"cmd[a]=tasks.task.update%3FtaskId%3D1%26fields%5BTITLE%5D%3D%25D0%2590%2526%25D0%2591"
    ask.post("batch", body, "application/x-www-form-urlencoded")
    assert ask.portal.tasks[1].title == "А&Б"


def test_log_keeps_the_commands_as_they_were_carried_out(ask: Asker) -> None:
    """With references replaced, and whether they ran."""
    cmd = {
        "a": "tasks.task.get?taskId=2&select[]=ID",
        "b": "tasks.task.delete?taskId=$result[a][task][id]",
        "c": "no.such",
    }
    batch(ask, cmd)
    logged = [
        (row.key, row.method, row.params, row.is_write, row.executed, row.outcome) for row in ask.portal.log[0].commands
    ]
    assert logged == [
        ("a", "tasks.task.get", {"taskId": "2", "select": ["ID"]}, False, True, "ok"),
        ("b", "tasks.task.delete", {"taskId": "2"}, True, True, "ok"),
        ("c", "no.such", {}, False, False, "ERROR_METHOD_NOT_FOUND"),
    ]
