"""Batches: how commands are written, and how every one of them gets its own answer."""

from __future__ import annotations

import json
import threading
import traceback
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from b24tools.bitrix24.batch import Query, Reference
from b24tools.bitrix24.client import Client, Command, Item, is_batchable
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import errors
from tests.scripted import SECRET, START, FakeTime, Script, batch_answer, error, ok, open_client

LIMIT = {"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}
BLOCK = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked due to operation time limit."}
BROKEN = {"error": "INTERNAL_SERVER_ERROR", "error_description": "Internal server error"}
REFUSED = {"error": "ERROR_CORE", "error_description": "Не указан исполнитель<br>"}

GET = Command("tasks.task.get", {"taskId": 5})
ADD = Command("tasks.task.add", {"fields": {"TITLE": "a&b #1"}})
CUT = httpx.ReadTimeout("", request=httpx.Request("POST", f"https://x.ru/{SECRET}"))


def seen(items: dict[str, Item]) -> dict[str, Any]:
    """Each item as its result, or as the kind and the text of its error."""
    return {key: (type(item.error), str(item.error)) if item.error else item.result for key, item in items.items()}


def test_commands_travel_as_encoded_strings_under_their_keys() -> None:
    """The batch itself is JSON, so a query is encoded once."""
    script = Script(batch_answer({"a": 1, "b": None}))
    items = open_client(script).batch({"a": ADD, "b": Command("profile")})
    cmd = {"a": "tasks.task.add?fields%5BTITLE%5D=a%26b%20%231", "b": "profile"}
    assert [("batch", {"halt": 0, "cmd": cmd})] == script.asked
    assert {"a": Item("a", 1), "b": Item("b")} == items


@pytest.mark.parametrize("result", [{"0": "x", "1": "y"}, ["x", "y"]])
def test_results_are_matched_by_key_whatever_the_form_of_the_map(result: Any) -> None:
    """PHP writes a map with the keys 0 and 1 as a list."""
    items = open_client(Script(batch_answer(result))).batch({"0": GET, "1": GET})
    assert seen(items) == {"0": "x", "1": "y"}


def test_each_item_has_its_own_error_total_and_next() -> None:
    """HTTP says 200 all the same; a good item does not suffer from a bad one."""
    script = Script(
        batch_answer(
            {"a": [1, 2]},
            {"b": REFUSED, "c": {"error": "insufficient_scope", "error_description": ""}, "d": "odd"},
            total={"a": 75},
            next={"a": "50"},
        )
    )
    schedule = Command("timeman.schedule.get", {"id": 1})
    items = open_client(script).batch({"a": Command("user.get"), "b": ADD, "c": schedule, "d": GET})
    assert {
        "a": [1, 2],
        "b": (errors.PortalError, "tasks.task.add: Не указан исполнитель (ERROR_CORE)"),
        "c": (errors.PortalDenied, "timeman.schedule.get: (insufficient_scope)"),
        "d": (errors.PortalError, "tasks.task.get: odd"),
    } == seen(items)
    assert (items["a"].total, items["a"].next) == (75, 50)
    with pytest.raises(errors.PortalDenied):
        _value = items["c"].value


def test_what_a_command_cost_the_portal_is_kept() -> None:
    """Where it is told; an odd one is none."""
    answer = batch_answer({"a": [], "b": [], "c": []}, time={"a": {"operating": 0.5}, "b": "odd"})

    items = open_client(Script(answer)).batch({key: Command("user.get") for key in "abc"})

    assert {"a": {"operating": 0.5}, "b": {}, "c": {}} == {key: item.time for key, item in items.items()}


def test_more_than_fifty_go_in_several_requests_in_order() -> None:
    """The portal refuses the 51st."""

    def answer(request: httpx.Request) -> httpx.Response:
        return batch_answer({key: key for key in script.asked[-1][1]["cmd"]})

    script = Script(answer, answer, answer)
    client = open_client(script)
    items = client.batch({f"k{number}": GET for number in range(101)})
    assert [len(params["cmd"]) for _method, params in script.asked] == [50, 50, 1]
    assert {f"k{number}": f"k{number}" for number in range(101)} == seen(items)
    assert (list(items), 3) == ([f"k{number}" for number in range(101)], client.requests)


def test_no_commands_are_no_request() -> None:
    """An empty batch is answered without the portal."""
    assert open_client(Script()).batch({}) == {}


def test_only_items_stopped_by_a_limit_are_sent_again() -> None:
    """Writes too: the refusal came before the method ran."""
    time = FakeTime()
    script = Script(
        batch_answer({"a": 1}, {"b": LIMIT, "c": BLOCK}),
        batch_answer([], {"b": LIMIT, "c": REFUSED}),
        batch_answer({"b": 2}),
    )
    items = open_client(script, time).batch({"a": ADD, "b": ADD, "c": GET})
    assert [list(params["cmd"]) for _method, params in script.asked] == [["a", "b", "c"], ["b", "c"], ["b"]]
    assert {"a": 1, "b": 2, "c": (errors.PortalError, "tasks.task.get: Не указан исполнитель (ERROR_CORE)")} == seen(
        items
    )


def test_an_item_blocked_for_too_long_fails_alone() -> None:
    """With the time it ends; the next batch goes without that method, the method alone fails at once."""
    time = FakeTime()
    times = {"a": {"finish": 100.0, "operating_reset_at": 400}}
    script = Script(
        batch_answer({"a": 1}, time=times), batch_answer({"b": 2}, {"a": BLOCK}), batch_answer({"b": 3}), ok(4)
    )
    client = open_client(script, time)
    client.batch({"a": GET})
    for expected in (2, 3):
        items = client.batch({"a": GET, "b": Command("user.get")})
        blocked = (errors.PortalBusy, "tasks.task.get: blocked by the portal for 6 min more")
        assert {"a": blocked, "b": expected} == seen(items)
        assert isinstance(items["a"].error, errors.PortalBusy)
        assert datetime.fromtimestamp(START + 300, UTC) == items["a"].error.until
    with pytest.raises(errors.PortalBusy, match=r"tasks\.task\.get: blocked"):
        client.batch({"a": GET})
    assert (client.call("user.get").result, time.naps) == (4, [])


def test_a_parked_method_is_waited_for_before_its_batch() -> None:
    """Where patience allows it."""
    time, script = FakeTime(), Script(batch_answer({"a": 1}))
    client = open_client(script, time)
    client._throttle.block_method("tasks.task.get", START + 10)
    assert seen(client.batch({"a": GET})) == {"a": 1}
    assert time.naps == [10.5]


def test_a_read_without_an_answer_is_asked_again() -> None:
    """A key in neither map, or a fault of the server."""
    script = Script(batch_answer([], {"b": BROKEN}), batch_answer({"a": 1, "b": 2}))
    assert seen(open_client(script).batch({"a": GET, "b": GET})) == {"a": 1, "b": 2}


def test_a_write_without_an_answer_is_uncertain() -> None:
    """It may have run: the others keep their results."""
    script = Script(batch_answer({"c": 3}, {"b": BROKEN}))
    assert {
        "a": (errors.PortalUncertain, "tasks.task.add: sent, but no answer came: the batch came back without it"),
        "b": (
            errors.PortalUncertain,
            "tasks.task.add: sent, but no answer came: Internal server error (INTERNAL_SERVER_ERROR)",
        ),
        "c": 3,
    } == seen(open_client(script).batch({"a": ADD, "b": ADD, "c": GET}))


@pytest.mark.parametrize("trouble", [CUT, httpx.Response(504, text="<html>"), ok([]), ok({"tasks": []}), ok(None)])
def test_a_batch_of_reads_is_repeated_and_one_with_a_write_is_not(trouble: Any) -> None:
    """A batch reads only if all its commands do."""
    script = Script(trouble, batch_answer({"a": 1, "b": 2}))
    assert seen(open_client(script).batch({"a": GET, "b": GET})) == {"a": 1, "b": 2}
    script = Script(trouble)
    with pytest.raises(errors.PortalUncertain) as caught:
        open_client(script).batch({"a": GET, "b": ADD})
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_failure_after_a_first_answer_does_not_hide_what_was_done() -> None:
    """The second fifty are uncertain, the third were never sent."""
    script = Script(batch_answer({f"k{number}": 1 for number in range(50)}), CUT)
    items = open_client(script).batch({f"k{number}": ADD for number in range(101)})
    cut = "sent, but no answer came: no answer in time from plant.bitrix24.ru"
    assert (1, (errors.PortalUncertain, cut), (errors.PortalBusy, f"tasks.task.add: not sent: {cut}")) == tuple(
        seen(items)[key] for key in ("k49", "k50", "k100")
    )
    assert (len(items), len(script.asked)) == (101, 2)


def test_a_refused_batch_is_raised() -> None:
    """A wrong webhook has no items."""
    with pytest.raises(errors.PortalDenied):
        open_client(Script(error("INVALID_CREDENTIALS", status=401))).batch({"a": GET})


def test_items_that_stay_without_an_answer_end_as_busy() -> None:
    """Patience ends; the item that was answered stays."""
    script = Script(batch_answer({"a": 1}, {"b": LIMIT}), *[batch_answer([], {"b": LIMIT})] * 7)
    items = open_client(script, retry_s=30).batch({"a": ADD, "b": ADD})
    assert {"a": 1, "b": (errors.PortalBusy, "tasks.task.add: Too many requests (QUERY_LIMIT_EXCEEDED)")} == seen(items)


def test_what_refers_to_an_answered_command_is_not_sent_again_alone() -> None:
    """The reference would lead nowhere, and the portal would answer with something else."""
    script = Script(batch_answer({"a": 1}, {"b": LIMIT}))
    items = open_client(script).batch(
        {"a": GET, "b": Command("disk.folder.getchildren", {"id": Reference("$result[a]")})}
    )
    busy = (errors.PortalBusy, "disk.folder.getchildren: Too many requests (QUERY_LIMIT_EXCEEDED)")
    assert {"a": 1, "b": busy} == seen(items)


def test_a_result_by_a_broken_reference_is_no_result() -> None:
    """The portal answers all the same, with something else; the error is that of the other command."""
    page = Command("tasks.task.list", {"filter": {">ID": Reference("$result[a][49][id]")}})
    script = Script(batch_answer({"b": "noise"}, {"a": REFUSED}))
    items = open_client(script).batch({"a": GET, "b": page})
    assert items["b"].error is items["a"].error is not None


@pytest.mark.parametrize(
    ("commands", "reason"),
    [
        ({"a": Command("tasks.task.add", {"x": "see $result[b]"})}, "reference"),
        ({"a": Command("tasks.task.add", {"x": {"$NEXT[b]": 1}})}, "reference"),
        ({"a": Command("tasks.task.add", {"x": ["$Total[b]"]})}, "reference"),
        ({"a": Command("tasks.task.add", {"x": "$time[b]"})}, "reference"),
        ({"a": Command("tasks.task.add", {"x": "$errors[b]"})}, "reference"),
        ({"a": Command("user.get", {"x": Reference("$result[z][0]")})}, "not earlier among the same 50"),
        ({"a": Command("user.get"), "b": Command("task.add", {"x": Reference("$result[a]")})}, "must not refer"),
        ({"a": Command("user.get", {"x": None})}, "bracket notation"),
        ({"a": Command("user.get", {"x": list(range(1001))})}, "more than 1000 values"),
        ({"a": Command("user.get?x=1")}, "method name"),
        ({**{f"k{n}": GET for n in range(50)}, "z": Command("user.get", {"x": Reference("$result[k0]")})}, "same 50"),
    ],
)
def test_what_a_batch_would_garble_is_refused_before_sending(commands: dict[str, Command], reason: str) -> None:
    """There is no escape for text that looks like a reference."""
    with pytest.raises(ValueError, match=reason):
        open_client(Script()).batch(commands)


def test_what_cannot_be_batched_can_be_called() -> None:
    """The helper tells which way a call must go."""
    assert [
        is_batchable(params)
        for params in (
            {},
            {"x": "costs $5 [net], $result"},
            {"x": Reference("$result[a]")},
            {"x": {"y": "$RESULT[a]"}},
            {"x": False},
            {"x": []},
        )
    ] == [True, True, True, False, False, False]
    text = {"fields": {"TITLE": "$result[a]"}}
    script = Script(ok(1))
    client: Client = open_client(script)
    client.call("tasks.task.add", text)
    assert [("tasks.task.add", text)] == script.asked


def test_a_request_has_left_before_it_is_answered() -> None:
    """Told while the portal works on it: this one waits to be told."""
    left = threading.Event()
    seen_first = []

    class Portal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen_first.append(left.wait(10))
            body = json.dumps({"result": {"result": {"a": 1}, "result_error": []}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Portal) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/rest/7/{SECRET}/"
        with Client(url, rate_limiter=RateLimiter(None), retry_s=0) as client:
            items = client.batch({"a": GET}, on_sent=left.set)

    assert ([True], {"a": 1}) == (seen_first, seen(items))


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b'\xef\xbb\xbf{"result": {"result": {"a": "x"}}}', "x"),  # a byte order mark
        (b'{"result": {"result": {"a": "\\ud83d"}}}', "?"),  # half a surrogate pair, which no database takes
        (b'{"result": {"result": {"a": ' + b"[" * 300 + b"]" * 300 + b"}}}", None),
    ],
)
def test_json_that_strict_readers_refuse_is_read(content: bytes, title: str | None) -> None:
    """What PHP can write is an answer; so is one nested deeper than most."""
    items = open_client(Script(httpx.Response(200, content=content))).batch({"a": GET})

    assert items["a"].result == title if title is not None else isinstance(items["a"].result, list)


def test_the_throttle_is_asked_for_a_request_not_for_each_of_its_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question locks and reads the file that all processes share."""
    asked = []
    parked = RateLimiter.parked
    monkeypatch.setattr(RateLimiter, "parked", lambda self, names: asked.append(set(names)) or parked(self, names))

    open_client(Script(batch_answer({f"k{number}": 1 for number in range(50)}))).batch(
        {f"k{number}": GET for number in range(50)}
    )

    assert [{"tasks.task.get"}, {"batch"}] == asked


def test_a_batch_holds_each_answer_with_its_reader() -> None:
    """What it cannot carry goes alone, and everything has its own value or error."""
    script = Script(batch_answer({"c0": {"ID": "7"}}, {"c1": REFUSED}), ok([1, 2]))
    batch = open_client(script).new_batch()
    number = batch.add(Query(Command("profile"), lambda result: int(result["ID"])))
    refused = batch.add(Query(GET, lambda result: result))
    alone = batch.add(Query(Command("user.get", {"FILTER": []}), len))
    assert 48 == batch.room
    batch.send()
    assert (7, 2) == (number.value, alone.value)
    with pytest.raises(errors.PortalError, match="Не указан исполнитель"):
        _ = refused.value


def test_a_batch_that_fails_as_a_whole_leaves_its_error_with_each_command() -> None:
    """Nothing looks as if it had been answered."""
    script = Script(error("insufficient_scope", status=403))
    batch = open_client(script).new_batch()
    asked = batch.add(Query(Command("profile"), lambda result: result))
    with pytest.raises(errors.PortalError):
        batch.send()
    assert isinstance(asked.error, errors.PortalError)
