"""Batches: how commands are written, and how every one of them gets its own answer."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from b24tools.bitrix24.batch import Answer, Query, Reference
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import errors
from tests.support.http import SECRET, START, FakeTime, Script, batch_answer, error, ok, open_client, send

LIMIT = {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}
BLOCK = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked due to operation time limit."}
BROKEN = {"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}
REFUSED = {"error": "ERROR_CORE", "error_description": "Не указан исполнитель<br>"}

GET = Query("tasks.task.get", {"taskId": 5})
USERS = Query("user.get")
ADD = Query("tasks.task.add", {"fields": {"TITLE": "a&b #1"}})
CUT = httpx.ReadTimeout("", request=httpx.Request("POST", f"https://x.ru/{SECRET}"))


def seen(answers: Iterable[Answer]) -> list[Any]:
    """Each answer as its result, or as the kind and the text of its error."""
    return [(type(answer.error), str(answer.error)) if answer.error else answer.result for answer in answers]


def test_commands_travel_as_encoded_strings_under_their_keys() -> None:
    """The batch itself is JSON, so a query is encoded once."""
    script = Script(batch_answer({"c0": 1, "c1": None}))
    answers = send(open_client(script), ADD, Query("profile"))
    cmd = {"c0": "tasks.task.add?fields%5BTITLE%5D=a%26b%20%231", "c1": "profile"}
    assert [("batch", {"halt": 0, "cmd": cmd})] == script.asked
    assert [Answer(1), Answer()] == answers


@pytest.mark.parametrize("result", [{"c0": "x", "c1": "y"}, {"c1": "y", "c0": "x"}])
def test_results_are_matched_by_key(result: Any) -> None:
    """Whatever their order."""
    assert ["x", "y"] == seen(send(open_client(Script(batch_answer(result))), GET, GET))


def test_each_command_has_its_own_error_total_and_next() -> None:
    """HTTP says 200 all the same; a good item does not suffer from a bad one."""
    script = Script(
        batch_answer(
            {"c0": [1, 2]},
            {"c1": REFUSED, "c2": {"error": "insufficient_scope", "error_description": ""}, "c3": "odd"},
            total={"c0": "75"},
        )
    )
    answers = send(open_client(script), USERS, ADD, Query("timeman.schedule.get", {"id": 1}), GET)
    assert [
        [1, 2],
        (errors.PortalError, "tasks.task.add: Не указан исполнитель (ERROR_CORE)"),
        (errors.PortalDenied, "timeman.schedule.get: (insufficient_scope)"),
        (errors.PortalError, "tasks.task.get: odd"),
    ] == seen(answers)
    assert [75, None, None, None] == [answer.total for answer in answers]
    with pytest.raises(errors.PortalDenied):
        _value = answers[2].value


def test_more_than_fifty_go_in_several_requests_in_order() -> None:
    """The portal refuses the 51st."""

    def answer(request: httpx.Request) -> httpx.Response:
        return batch_answer({key: key for key in script.asked[-1][1]["cmd"]})

    script = Script(answer, answer, answer)
    client = open_client(script)
    answers = send(client, *[GET] * 101)
    assert [len(params["cmd"]) for _method, params in script.asked] == [50, 50, 1]
    assert [f"c{number}" for number in range(101)] == seen(answers)
    assert client.requests == 3


def test_no_commands_are_no_request() -> None:
    """An empty batch is answered without the portal."""
    assert send(open_client(Script())) == []


def test_only_commands_stopped_by_a_limit_are_sent_again() -> None:
    """Writes too: the refusal came before the method ran."""
    script = Script(
        batch_answer({"c0": 1}, {"c1": LIMIT, "c2": BLOCK}),
        batch_answer([], {"c1": LIMIT, "c2": REFUSED}),
        batch_answer({"c1": 2}),
    )
    answers = send(open_client(script), ADD, ADD, GET)
    assert [list(params["cmd"]) for _method, params in script.asked] == [["c0", "c1", "c2"], ["c1", "c2"], ["c1"]]
    assert [1, 2, (errors.PortalError, "tasks.task.get: Не указан исполнитель (ERROR_CORE)")] == seen(answers)


def test_a_command_blocked_for_too_long_fails_alone() -> None:
    """With the time it ends; the next batch goes without that method, the method alone fails at once."""
    time = FakeTime()
    times = {"c0": {"finish": 100.0, "operating_reset_at": 400}}
    script = Script(
        batch_answer({"c0": 1}, time=times), batch_answer({"c1": 2}, {"c0": BLOCK}), batch_answer({"c1": 3}), ok(4)
    )
    client = open_client(script, time)
    send(client, GET)
    for expected in (2, 3):
        answers = send(client, GET, USERS)
        blocked = (errors.PortalBusy, "tasks.task.get: blocked by the portal for 6 min more")
        assert [blocked, expected] == seen(answers)
        assert isinstance(answers[0].error, errors.PortalBusy)
        assert datetime.fromtimestamp(START + 300, UTC) == answers[0].error.until
    with pytest.raises(errors.PortalBusy, match=r"tasks\.task\.get: blocked"):
        send(client, GET)
    assert (client.call("user.get").result, time.naps) == (4, [])


@pytest.mark.parametrize("ahead_s", [-7200.0, -240.0, 240.0, 7200.0])
def test_a_block_goes_by_the_clock_that_all_machines_have(ahead_s: float) -> None:
    """That of the database's server, where there is one; this machine's may be wrong."""
    time = FakeTime()
    rate_limiter = RateLimiter(None, clock=lambda: time.clock() + ahead_s, sleep=time.sleep)
    times = {"c0": {"finish": 100.0, "operating_reset_at": 400}}
    script = Script(
        batch_answer({"c0": 1}, time=times), batch_answer([], {"c0": BLOCK}), batch_answer([], {"c0": BLOCK})
    )
    client = open_client(script, time, rate_limiter=rate_limiter)
    send(client, GET)

    for _attempt in range(2):  # the second one is not sent
        with pytest.raises(errors.PortalBusy, match="blocked by the portal for 6 min more") as caught:
            send(client, GET)
        assert datetime.fromtimestamp(START + 300, UTC) == caught.value.until

    assert ({"tasks.task.get": START + 300 + ahead_s}, 2) == (rate_limiter.blocked(["tasks.task.get"]), client.requests)
    time.now += 290
    assert [2] == seen(send(open_client(Script(batch_answer({"c0": 2})), time, rate_limiter=rate_limiter), GET))
    assert 10 <= sum(time.naps) <= 11


def test_what_refers_to_a_command_that_is_left_out_is_not_sent() -> None:
    """The reference would lead nowhere."""
    time = FakeTime()
    rate_limiter = RateLimiter(None, clock=time.clock, sleep=time.sleep)
    rate_limiter.block_method("disk.storage.getlist", START + 3000)
    batch = open_client(Script(batch_answer({"c2": 3})), time, rate_limiter=rate_limiter).new_batch()
    storage = batch.add(Query("disk.storage.getlist", {}, len))
    folder = batch.add(Query("disk.folder.getchildren", {"id": storage.reference(0, "ID")}, len))
    other = batch.add(Query("user.get", {}, int))
    batch.send()
    assert [
        (errors.PortalBusy, "disk.storage.getlist: blocked by the portal for 51 min more"),
        (errors.PortalError, "disk.folder.getchildren: not run: the command it refers to was not sent"),
        3,
    ] == seen(pending.item for pending in (storage, folder, other))


def test_a_blocked_method_is_waited_for_before_its_batch() -> None:
    """Where the time for repeating allows it."""
    time = FakeTime()
    rate_limiter = RateLimiter(None, clock=time.clock, sleep=time.sleep)
    rate_limiter.block_method("tasks.task.get", START + 10)
    client = open_client(Script(batch_answer({"c0": 1})), time, rate_limiter=rate_limiter)
    assert seen(send(client, GET)) == [1]
    assert time.naps == [10.5]


def test_a_read_without_an_answer_is_asked_again() -> None:
    """A key in neither map, or a fault of the server."""
    script = Script(batch_answer([], {"c1": BROKEN}), batch_answer({"c0": 1, "c1": 2}))
    assert seen(send(open_client(script), GET, GET)) == [1, 2]


def test_a_write_without_an_answer_is_uncertain() -> None:
    """It may have run: the others keep their results."""
    script = Script(batch_answer({"c2": 3}, {"c1": BROKEN}))
    assert [
        (errors.PortalUncertain, "tasks.task.add: sent, but no answer came: the batch came back without it"),
        (
            errors.PortalUncertain,
            "tasks.task.add: sent, but no answer came: Internal server error (INTERNAL_SERVER_ERROR)",
        ),
        3,
    ] == seen(send(open_client(script), ADD, ADD, GET))


@pytest.mark.parametrize("trouble", [CUT, httpx.Response(504, text="<html>"), ok([]), ok({"tasks": []}), ok(None)])
def test_a_batch_of_reads_is_repeated_and_one_with_a_write_is_not(trouble: Any) -> None:
    """A batch reads only if all its commands do."""
    script = Script(trouble, batch_answer({"c0": 1, "c1": 2}))
    assert seen(send(open_client(script), GET, GET)) == [1, 2]
    script = Script(trouble)
    with pytest.raises(errors.PortalUncertain) as caught:
        send(open_client(script), GET, ADD)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_failure_after_a_first_answer_does_not_hide_what_was_done() -> None:
    """The second fifty are uncertain, the third were never sent."""
    script = Script(batch_answer({f"c{number}": 1 for number in range(50)}), CUT)
    answers = send(open_client(script), *[ADD] * 101)
    cut = "sent, but no answer came: no answer in time from plant.bitrix24.ru"
    assert [1, (errors.PortalUncertain, cut), (errors.PortalBusy, f"tasks.task.add: not sent: {cut}")] == seen(
        answers[number] for number in (49, 50, 100)
    )
    assert (len(answers), len(script.asked)) == (101, 2)


def test_a_batch_that_fails_as_a_whole_leaves_its_error_with_each_command() -> None:
    """A wrong webhook: nothing looks as if it had been answered, and what goes alone is not sent any more."""
    script = Script(error("INVALID_CREDENTIALS", status=401))
    batch = open_client(script).new_batch()
    asked = [batch.add(command) for command in (*[GET] * 51, Query("user.get", {"FILTER": []}))]
    with pytest.raises(errors.PortalDenied):
        batch.send()
    assert [errors.PortalDenied] * 52 == [type(pending.error) for pending in asked]


def test_commands_that_stay_without_an_answer_end_as_busy() -> None:
    """The time for repeating is over; the item that was answered stays."""
    script = Script(batch_answer({"c0": 1}, {"c1": LIMIT}), *[batch_answer([], {"c1": LIMIT})] * 7)
    answers = send(open_client(script, retry_s=30), ADD, ADD)
    assert [1, (errors.PortalBusy, "tasks.task.add: Too many requests (QUERY_LIMIT_EXCEEDED)")] == seen(answers)


def test_what_refers_to_an_answered_command_is_not_sent_again_alone() -> None:
    """The reference would lead nowhere, and the portal would answer with something else."""
    script = Script(batch_answer({"c0": 1}, {"c1": LIMIT}))
    answers = send(open_client(script), GET, Query("disk.folder.getchildren", {"id": Reference("$result[c0]")}))
    busy = (errors.PortalBusy, "disk.folder.getchildren: Too many requests (QUERY_LIMIT_EXCEEDED)")
    assert [1, busy] == seen(answers)


def test_a_result_by_a_broken_reference_is_no_result() -> None:
    """The portal answers all the same, with something else; the error is that of the other command."""
    page = Query("tasks.task.list", {"filter": {">ID": Reference("$result[c0][49][id]")}})
    script = Script(batch_answer({"c1": "noise"}, {"c0": REFUSED}))
    first, second = send(open_client(script), GET, page)
    assert second.error is first.error is not None


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ([Query("user.get", {"x": Reference("$result[z][0]")})], "earlier in the same request"),
        ([USERS, Query("task.add", {"x": Reference("$result[c0]")})], "a write must not refer"),
        ([USERS, Query("user.get", {"x": Reference("$result[c0]"), "y": None})], "refers to"),
        ([Query("user.get?x=1")], "method name"),
        ([*[GET] * 50, Query("user.get", {"x": Reference("$result[c0]")})], "same request"),
        (
            [GET, GET, Query("user.get", {"x": Reference("$result[c0]"), "y": Reference("$result[c1]")})],
            "more than one command",
        ),
    ],
)
def test_what_must_not_be_sent_is_refused(commands: list[Query[Any]], reason: str) -> None:
    """A reference that leads nowhere would be no error to the portal."""
    batch = open_client(Script()).new_batch()
    with pytest.raises(ValueError, match=reason):
        [batch.add(command) for command in commands]


@pytest.mark.parametrize(
    "params",
    [
        {"x": "see $result[b]"},
        {"x": {"$NEXT[b]": 1}},
        {"x": ["$Total[b]"]},
        {"x": "$time[b]"},
        {"x": "$errors[b]"},
        {"x": None},
        {"x": False},
        {"x": []},
        {"x": list(range(1001))},
    ],
)
def test_what_a_batch_would_garble_goes_alone(params: dict[str, Any]) -> None:
    """There is no escape for text that looks like a reference, nor a form for what is nothing."""
    script = Script(batch_answer({"c0": 1}), ok(2))
    assert [1, 2] == seen(send(open_client(script), USERS, Query("tasks.task.add", params)))
    assert ("tasks.task.add", params) == script.asked[-1]


def test_what_only_looks_odd_travels_in_the_batch() -> None:
    """Dollars and brackets that are no reference; the room in the last request is for those that refer."""
    batch = open_client(Script()).new_batch()
    batch.add(Query("tasks.task.add", {"x": "costs $5 [net], $result"}, int))
    batch.add(Query("tasks.task.add", {"x": False}, int))
    assert (2, 49) == (len(batch), batch.room)


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b'\xef\xbb\xbf{"result": {"result": {"c0": "x"}}}', "x"),  # a byte order mark
        (b'{"result": {"result": {"c0": "\\ud83d"}}}', "?"),  # half a surrogate pair, which no database takes
        (b'{"result": {"result": {"c0": ' + b"[" * 300 + b"]" * 300 + b"}}}", None),
    ],
)
def test_json_that_strict_readers_refuse_is_read(content: bytes, title: str | None) -> None:
    """What PHP can write is an answer; so is one nested deeper than most."""
    (answer,) = send(open_client(Script(httpx.Response(200, content=content))), GET)

    assert answer.result == title if title is not None else isinstance(answer.result, list)


def test_the_rate_limiter_is_asked_for_a_request_not_for_each_of_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question locks and reads the file that all processes share."""
    asked = []
    blocked, acquire = RateLimiter.blocked, RateLimiter.acquire
    monkeypatch.setattr(RateLimiter, "blocked", lambda self, names: asked.append(set(names)) or blocked(self, names))
    monkeypatch.setattr(
        RateLimiter, "acquire", lambda self, name, wait: asked.append(name) or acquire(self, name, wait)
    )

    send(open_client(Script(batch_answer({f"c{number}": 1 for number in range(50)}))), *[GET] * 50)

    assert [{"tasks.task.get"}, "batch"] == asked


def test_a_batch_holds_each_answer_with_its_reader() -> None:
    """What it cannot carry goes alone, and everything has its own value or error."""
    script = Script(batch_answer({"c0": {"ID": "7"}}, {"c1": REFUSED}), ok([1, 2]))
    batch = open_client(script).new_batch()
    number = batch.add(Query("profile", {}, lambda result: int(result["ID"])))
    refused = batch.add(GET)
    alone = batch.add(Query("user.get", {"FILTER": []}, len))
    assert 48 == batch.room
    batch.send()
    assert (7, 2) == (number.value, alone.value)
    with pytest.raises(errors.PortalError, match="Не указан исполнитель"):
        _ = refused.value
