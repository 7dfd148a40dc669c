"""One call to the portal: what is sent, what comes of each kind of trouble, and no secret anywhere."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from b24tools import __version__
from b24tools.bitrix24.batch import Answer, Query
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import errors
from tests.support.http import (
    REQUEST,
    SECRET,
    START,
    URL,
    FakeTime,
    Script,
    batch_answer,
    check_no_secret,
    error,
    ok,
    open_client,
    reserve,
    send,
)

HTML = httpx.Response(502, text="<html>Bad Gateway</html>")
PAGE = httpx.Response(200, text=f"<html><title>Sign in</title><a href='{URL}'></a></html>")


def test_a_call_is_a_json_post_with_its_parameters_in_the_body() -> None:
    """Address, headers and body are what the portal needs to see the parameters."""
    with respx.mock(assert_all_called=True) as portal:
        route = portal.post(f"{URL}tasks.task.list").respond(
            json={"result": {"tasks": []}, "total": "12", "next": 50, "time": {"finish": 1.5}}
        )
        with closing(Client(URL, rate_limiter=RateLimiter(None))) as client:
            answer = client.call("tasks.task.list", {"filter": {"TITLE": "Ёж"}, "select": None})

    request = route.calls.last.request
    assert Answer({"tasks": []}, 12) == answer
    assert request.content == b'{"filter":{"TITLE":"\xd0\x81\xd0\xb6"},"select":null}'
    assert f"{URL}tasks.task.list" == str(request.url)
    assert ("application/json", "application/json", f"b24tools/{__version__}") == (
        request.headers["Content-Type"],
        request.headers["Accept"],
        request.headers["User-Agent"],
    )


def test_half_a_surrogate_pair_does_not_break_the_json() -> None:
    """PHP would drop the whole body and run the method without parameters."""
    script = Script(ok(1))
    open_client(script).call("tasks.task.add", {"fields": {"TITLE": "a\ud83d"}})
    assert script.asked == [("tasks.task.add", {"fields": {"TITLE": "a?"}})]


def test_no_number_breaks_the_json() -> None:
    """Likewise: JSON has neither."""
    script = Script(ok(1))
    open_client(script).call("tasks.task.add", {"fields": {"A": math.nan, "B": math.inf}})
    assert script.asked == [("tasks.task.add", {"fields": {"A": "NaN", "B": "Infinity"}})]


@pytest.mark.parametrize("method", ["", "user.get?x=1", "../user.get", "user..get", "user.get/", "batch"])
def test_only_method_names_become_part_of_an_address(method: str) -> None:
    """Anything else is a fault of the caller."""
    with pytest.raises(ValueError, match=r"method name|Client\.new_batch"):
        open_client(Script()).call(method)


def test_parameters_the_portal_keeps_for_itself_are_refused() -> None:
    """`token` would switch the portal to checking a signed link."""
    with pytest.raises(ValueError, match="token"):
        open_client(Script()).call("user.get", {"token": "x"})


DID_NOT_RUN: list[Any] = [
    error("QUERY_LIMIT_EXCEEDED", "Too many requests", 503),
    error("query_limit_exceeded", status=200),
    error("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429),
    error({"code": "BITRIX_REST_V3_EXCEPTION_RATELIMITEXCEPTION", "message": "slow"}, status=429),
    error("PORTAL_DELETED", "Portal was deleted", 403),
    httpx.Response(429, text="<html>nginx</html>"),
    httpx.ConnectError("[Errno 111] Connection refused", request=REQUEST),
    httpx.ConnectTimeout("timed out", request=REQUEST),
    httpx.PoolTimeout("", request=REQUEST),
    httpx.ProxyError("502 Bad Gateway", request=REQUEST),
]
MAY_HAVE_RUN: list[Any] = [
    error("INTERNAL_SERVER_ERROR", "Internal server error", 500),
    error("ERROR_UNEXPECTED_ANSWER", status=500),
    error("ERROR_CORE", "SQL query error!", 500),
    error("", "", 500),
    HTML,
    httpx.Response(200, text='{"result": {"tasks": ['),
    httpx.Response(200, text="<br />\n<b>Fatal error</b>:  Allowed memory size of 134217728 bytes exhausted"),
    httpx.Response(200, text=""),
    httpx.Response(200, text="[1]"),
    httpx.Response(200, json={"time": {}}),
    httpx.Response(200, text="[" * 100_000),
    httpx.ReadTimeout("", request=REQUEST),
    httpx.WriteTimeout("", request=REQUEST),
    httpx.ReadError(f"[Errno 104] reset {URL}", request=REQUEST),
    httpx.RemoteProtocolError("Server disconnected", request=REQUEST),
    httpx.DecodingError("gzip", request=REQUEST),
]


@pytest.mark.parametrize("trouble", DID_NOT_RUN)
@pytest.mark.parametrize("method", ["tasks.task.add", "tasks.task.list"])
def test_what_surely_did_not_run_is_repeated_even_for_a_write(method: str, trouble: Any) -> None:
    """A refusal before the method runs, or no connection at all, risks no second task."""
    time, script = FakeTime(), Script(trouble, trouble, ok(5))
    client = open_client(script, time)
    assert Answer(5) == client.call(method)
    assert [method] * 3 == script.methods


@pytest.mark.parametrize("trouble", MAY_HAVE_RUN)
def test_a_read_is_repeated_after_any_trouble(trouble: Any) -> None:
    """Reading twice harms nobody; the pauses grow."""
    time, script = FakeTime(), Script(trouble, trouble, trouble, ok(5))
    assert Answer(5) == open_client(script, time).call("tasks.task.list")
    assert time.naps == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("trouble", [*MAY_HAVE_RUN, PAGE])
def test_a_write_of_unknown_fate_is_not_repeated(trouble: Any) -> None:
    """It may have happened: the caller is told to look first."""
    time, script = FakeTime(), Script(trouble)
    with pytest.raises(errors.PortalUncertain) as caught:
        open_client(script, time).call("tasks.task.add")
    assert (script.methods, time.naps, caught.value.exit_status) == (["tasks.task.add"], [], 75)
    check_no_secret(caught.value)


def test_patience_is_a_matter_of_time_alone() -> None:
    """The pauses are capped, their number is not."""
    time, script = FakeTime(), Script(*[HTML] * 18)
    with pytest.raises(errors.PortalBusy) as caught:
        open_client(script, time, retry_s=100).call("user.get")
    assert time.naps == [0.5, 1.0, 2.0, 4.0, *[7.5] * 12, 2.5]
    assert (
        str(caught.value),
        caught.value.until,
        script.steps,
    ) == ("user.get: not an answer of the REST API (HTTP 502): “Bad Gateway”", None, [])


def test_patience_of_a_day_is_one() -> None:
    """Thousands of tries are no trouble."""
    time = FakeTime()
    with pytest.raises(errors.PortalBusy):
        open_client(httpx.MockTransport(lambda _request: httpx.Response(502)), time, retry_s=9_000).call("user.get")
    assert time.now - START == 9_000


LIMIT = error("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)
COMMAND = Query("tasks.task.add", {"fields": {"TITLE": "x"}})


@pytest.mark.parametrize("ask", [lambda c: c.call("tasks.task.add"), lambda c: send(c, COMMAND)])
def test_a_lost_write_tells_when_it_left(ask: Callable[[Client], object]) -> None:
    """Not when it was asked for: limits are waited for before it."""
    time, script = FakeTime(), Script(LIMIT, LIMIT, httpx.ReadError("reset", request=REQUEST))
    with pytest.raises(errors.PortalUncertain) as caught:
        ask(open_client(script, time, rate_limiter=RateLimiter(None)))
    assert caught.value.sent_at == datetime.fromtimestamp(START + 1.5, UTC)


def test_a_write_lost_from_a_batchs_answer_tells_when_it_left() -> None:
    """Its request was answered, without it."""
    script = Script(LIMIT, batch_answer({"c1": 1}))
    lost = send(open_client(script, rate_limiter=RateLimiter(None)), COMMAND, COMMAND)[0].error
    assert isinstance(lost, errors.PortalUncertain)
    assert lost.sent_at == datetime.fromtimestamp(START + 0.5, UTC)


@pytest.mark.parametrize("ask", [lambda c: c.call("user.get"), lambda c: send(c, Query("user.get"))])
def test_a_portal_that_cannot_be_reached_is_told_with_the_mend(ask: Callable[[Client], object]) -> None:
    """That calls go in batches is no business of people."""
    trouble = httpx.ConnectError("[Errno -2] Name or service not known", request=REQUEST)
    with pytest.raises(errors.PortalBusy) as caught:
        ask(open_client(Script(trouble), retry_s=0))
    message = "cannot connect to plant.bitrix24.ru: [Errno -2] Name or service not known"
    assert (caught.value.message.removeprefix("user.get: "), caught.value.hint) == (
        message,
        "Check the network and BITRIX_WEBHOOK_URL, then try again.",
    )


@pytest.mark.parametrize(
    "trouble",
    [error("INVALID_CREDENTIALS", "Invalid", 401), error("", "", 400), httpx.Response(404), LIMIT, HTML],
)
def test_no_message_speaks_of_a_batch(trouble: httpx.Response) -> None:
    """Whatever is wrong with the whole request."""
    with pytest.raises(errors.PortalError) as caught:
        send(open_client(Script(trouble), retry_s=0), Query("user.get"))
    assert "batch" not in str(caught.value)


def test_patience_ends_with_its_time() -> None:
    """No call is repeated for longer than `retry_s`; the last pause is cut to what is left."""
    time, script = FakeTime(), Script(*[HTML] * 4)
    with pytest.raises(errors.PortalBusy):
        open_client(script, time, retry_s=3, random=lambda: 1.0).call("user.get")
    assert (time.naps, len(script.steps)) == ([1.0, 2.0], 1)


def test_without_patience_the_first_trouble_is_the_last() -> None:
    """`retry_s=0` repeats nothing."""
    script = Script(error("QUERY_LIMIT_EXCEEDED", "Too many requests", 503))
    with pytest.raises(errors.PortalBusy) as caught:
        open_client(script, retry_s=0).call("user.get")
    assert (
        str(caught.value),
        caught.value.portal_code,
    ) == ("user.get: Too many requests (QUERY_LIMIT_EXCEEDED)", "QUERY_LIMIT_EXCEEDED")


def test_waits_are_told() -> None:
    """Whoever watches learns how long and why."""
    told: list[tuple[float, str]] = []
    script = Script(HTML, ok(1))
    open_client(script, on_wait=lambda seconds, reason: told.append((seconds, reason))).call("user.get")
    assert told == [(0.5, "not an answer of the REST API (HTTP 502): “Bad Gateway”")]


def test_what_several_threads_wait_for_is_said_once() -> None:
    """A job with six requests under way must not say six times that the portal is away."""
    time, told, others = FakeTime(), [], ["user.get"]
    script = Script(*[httpx.ConnectError("refused")] * 4, ok(1), ok(2))

    def sleep(seconds: float) -> None:
        for method in others:  # another thread comes while this one sleeps
            others.clear()
            client.call(method)
        time.sleep(seconds)

    client = open_client(script, time, sleep=sleep, on_wait=lambda seconds, reason: told.append(seconds))
    client.call("user.get")
    assert (time.naps, told) == ([0.5, 1.0, 2.0, 0.5], [0.5, 1.0, 2.0])


def test_whoever_is_cut_off_by_the_end_says_nothing() -> None:
    """A job that ends with an error closes the connections under the threads that still wait for an answer."""
    told: list[str] = []

    class Closing(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            client.close()
            raise httpx.ReadError("Bad file descriptor")

    client = open_client(Closing(), on_wait=lambda seconds, reason: told.append(reason))
    with pytest.raises(RuntimeError, match="closed"):
        client.call("user.get")
    assert told == []


def test_only_noticeable_waits_of_the_throttle_are_told() -> None:
    """Half a second between requests is its everyday work."""
    time, told = FakeTime(), list[tuple[float, str]]()
    rate_limiter = RateLimiter(None, per_second=1, burst=1, clock=time.clock, sleep=lambda seconds: None)
    client = open_client(
        Script(ok(1), ok(2)),
        time,
        rate_limiter=rate_limiter,
        on_wait=lambda seconds, reason: told.append((seconds, reason)),
    )
    client.call("user.get")
    time.now += 0.5
    reserve(rate_limiter)
    client.call("user.get")
    assert told == [(1.5, "keeping to the portal's rate of requests")]


def test_a_refused_rate_makes_the_next_requests_wait_for_the_bucket() -> None:
    """After QUERY_LIMIT_EXCEEDED the bucket counts as full, for everybody."""
    time, script = FakeTime(), Script(error("QUERY_LIMIT_EXCEEDED", status=503), ok(1), ok(2))
    rate_limiter = RateLimiter(None, clock=time.clock, sleep=time.sleep)
    open_client(script, time, rate_limiter=rate_limiter, random=lambda: 0.0).call("tasks.task.add")
    open_client(script, time, rate_limiter=rate_limiter).call("tasks.task.add")
    assert time.naps == [0.0, 0.5, 0.5]


LEARNED = {"finish": START + 3600, "operating": 300.5, "operating_reset_at": START + 3600 + 20}


def test_a_blocked_method_is_waited_for_until_its_reset() -> None:
    """The refusal does not say when it ends; the answer before it did, by the portal's own clock."""
    time, script = FakeTime(), Script(ok(1, time=LEARNED), error("OPERATION_TIME_LIMIT", status=429), ok(2), ok(3))
    client = open_client(script, time)
    client.call("tasks.task.list")
    assert Answer(2) == client.call("tasks.task.list")
    assert Answer(3) == client.call("tasks.task.list")
    assert time.naps == [20.5]


def test_a_block_longer_than_patience_ends_the_call_at_once() -> None:
    """With the time when it ends; other methods go on, and nothing more is sent of this one."""
    time, script = FakeTime(), Script(ok(1, time=LEARNED), error("OPERATION_TIME_LIMIT", status=429), ok(3))
    client = open_client(script, time, retry_s=10)
    client.call("tasks.task.list")
    for _attempt in range(2):
        with pytest.raises(errors.PortalBusy) as caught:
            client.call("tasks.task.list")
        assert datetime.fromtimestamp(START + 20, UTC) == caught.value.until
        assert str(caught.value) == "tasks.task.list: blocked by the portal for 1 min more"
    assert Answer(3) == client.call("user.get")
    assert (script.methods, time.naps) == (["tasks.task.list", "tasks.task.list", "user.get"], [])


REFUSALS = [
    ("ERROR_CORE", "Не указан &quot;исполнитель&quot;<br>", errors.PortalError),
    ("", "Access denied", errors.PortalError),
    ("1048582", "", errors.PortalError),
    (100, "Could not find value for parameter {fields}", errors.PortalError),
    ("OVERLOAD_LIMIT", "REST API is blocked due to overload", errors.PortalError),
    ("ERROR_METHOD_NOT_FOUND", "Method not found!", errors.PortalError),
    ("NO_AUTH_FOUND", "Wrong authorization data", errors.PortalDenied),
    ("INVALID_CREDENTIALS", "Invalid request credentials", errors.PortalDenied),
    ("expired_token", "", errors.PortalDenied),
    ("insufficient_scope", "", errors.PortalDenied),
    ("ACCESS_DENIED", "REST is available only by subscription.", errors.PortalDenied),
    ("INVALID_REQUEST", "Https required.", errors.PortalDenied),
    ("WRONG_AUTH_TYPE", "", errors.PortalDenied),
    ({"code": "X_ACCESSDENIEDEXCEPTION", "message": "no"}, "", errors.PortalDenied),
]


@pytest.mark.parametrize(("code", "description", "kind"), REFUSALS)
@pytest.mark.parametrize("status", [200, 401, 503])
def test_a_refusal_is_raised_at_once_whatever_the_status(
    code: Any, description: str, kind: type[errors.PortalError], status: int
) -> None:
    """The code in the body decides; the statuses differ from portal to portal."""
    known = codes_known(code)
    script = Script(error(code, description, status if known else 400))
    with pytest.raises(errors.PortalError) as caught:
        open_client(script).call("tasks.task.add")
    assert (kind, 1, []) == (type(caught.value), caught.value.exit_status, script.steps)
    check_no_secret(caught.value)


def codes_known(code: Any) -> bool:
    """Whether the code alone tells what to do."""
    return isinstance(code, dict) or (isinstance(code, str) and code not in ("", "1048582", "ERROR_CORE"))


def test_a_description_is_shown_as_plain_text() -> None:
    """Tags and entities are the portal's habit, not the reader's."""
    script = Script(error("ERROR_CORE", "Не указан &quot;исполнитель&quot;<br>\n и <b>срок</b>" + "!" * 400))
    with pytest.raises(errors.PortalError) as caught:
        open_client(script).call("tasks.task.add")
    text = 'Не указан "исполнитель" и срок'
    assert f"tasks.task.add: {text}{'!' * (299 - len(text))}… (ERROR_CORE)" == str(caught.value)


def test_a_missing_scope_is_named() -> None:
    """The portal does not say which one: it follows from the method."""
    script = Script(error("insufficient_scope", "", 401))
    with pytest.raises(errors.PortalDenied) as caught:
        open_client(script).call("timeman.schedule.get")
    assert (
        caught.value.message,
        caught.value.method,
        caught.value.portal_code,
    ) == ("timeman.schedule.get: (insufficient_scope)", "timeman.schedule.get", "insufficient_scope")
    assert caught.value.hint == "Give the incoming webhook the right “timeman”: timeman.schedule.get needs it."


def test_an_error_of_rest_3_is_read_too() -> None:
    """There the error is an object, with one message for each wrong field."""
    body = {
        "code": "BITRIX_REST_V3_EXCEPTION_VALIDATION_REQUESTVALIDATIONEXCEPTION",
        "message": "Error validating request object",
        "validation": [{"message": "Required field `id` is not specified", "field": "id"}],
    }
    with pytest.raises(errors.PortalError) as caught:
        open_client(Script(error(body))).call("tasks.task.get")
    assert str(caught.value) == (
        "tasks.task.get: Error validating request object; Required field `id` is not specified "
        "(BITRIX_REST_V3_EXCEPTION_VALIDATION_REQUESTVALIDATIONEXCEPTION)"
    )


@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, errors.PortalDenied, "The web server before the portal wants a password."),
        (403, errors.PortalDenied, "The web server before the portal refuses this machine."),
        (404, errors.PortalError, "There is no REST at this address: check BITRIX_WEBHOOK_URL."),
        (
            413,
            errors.PortalError,
            "Too large for the portal's web server: its limit is a setting there (nginx: client_max_body_size).",
        ),
    ],
)
def test_a_web_servers_own_refusal_did_not_run(status: int, kind: type[errors.PortalError], hint: str) -> None:
    """HTML with 4xx comes from the server before PHP: a plain error even for a write."""
    script = Script(httpx.Response(status, text=f"<html>{URL}</html>"))
    with pytest.raises(errors.PortalError) as caught:
        open_client(script).call("disk.folder.uploadfile")
    assert (kind, hint) == (type(caught.value), caught.value.hint)
    check_no_secret(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_but_explained(status: int) -> None:
    """A renamed portal: the new host is named, the path with the secret is not."""
    script = Script(httpx.Response(status, headers={"Location": f"https://new.bitrix24.ru/rest/7/{SECRET}/user.get"}))
    with pytest.raises(errors.ConfigError) as caught:
        open_client(script).call("user.get")
    assert (caught.value.message, caught.value.hint, caught.value.exit_status, len(script.requests)) == (
        "the portal has moved to new.bitrix24.ru",
        "Put the new address in BITRIX_WEBHOOK_URL and run `b24tools config portal_host new.bitrix24.ru`.",
        2,
        1,
    )
    check_no_secret(caught.value)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        (f"https://plant.bitrix24.ru/rest/7/{SECRET}/x", "plant.bitrix24.ru wants https"),
        (f"/login?back=/rest/7/{SECRET}/", "plant.bitrix24.ru sends calls of the webhook elsewhere"),
        ("https://[bad", "plant.bitrix24.ru sends calls of the webhook elsewhere"),
        ("http://plant.bitrix24.ru/login/", "plant.bitrix24.ru sends calls of the webhook elsewhere"),
    ],
)
def test_a_redirect_within_the_portal_is_explained(location: str, message: str) -> None:
    """To https, or to a login page: no new address to offer."""
    script = Script(httpx.Response(302, headers={"Location": location}))
    client = open_client(script, url=URL.replace("https:", "http:"))
    with pytest.raises(errors.ConfigError) as caught:
        client.call("user.get")
    assert message == caught.value.message
    check_no_secret(caught.value)


def test_requests_are_counted_as_the_portal_counts_them() -> None:
    """Refused ones count, those that never left do not."""
    script = Script(httpx.ConnectError("no route", request=REQUEST), HTML, ok(1), ok(2))
    client = open_client(script)
    client.call("user.get")
    client.call("user.get")
    assert client.requests == 3


def test_a_large_body_is_sent_whole() -> None:
    """Files travel as base64 inside the JSON."""
    script = Script(ok({"ID": 1}))
    content = "QUJD" * 5_000_000
    open_client(script).call("disk.folder.uploadfile", {"id": 5, "fileContent": ["a.pdf", content]})
    assert [("disk.folder.uploadfile", {"id": 5, "fileContent": ["a.pdf", content]})] == script.asked


def test_no_log_holds_the_secret(caplog: pytest.LogCaptureFixture) -> None:
    """httpx would log the address at INFO; our own lines name methods only."""
    caplog.set_level(logging.DEBUG)
    with respx.mock(assert_all_called=True) as portal:
        portal.post(f"{URL}user.get").mock(side_effect=[httpx.Response(502, text=HTML.text), ok([])])
        time = FakeTime()
        rate_limiter = RateLimiter(None, clock=time.clock, sleep=time.sleep)
        with closing(Client(URL, rate_limiter=rate_limiter, clock=time.clock, sleep=time.sleep)) as client:
            client.call("user.get", {"FILTER": {"NAME": "Иван"}})
    ours = [record.getMessage() for record in caplog.records if record.name == "b24tools"]
    assert ours == [
        "user.get: 502 in 0.00 s",
        "user.get: it begins: <html>Bad Gateway</html>",
        "user.get: 200 in 0.00 s",
    ]
    assert SECRET not in caplog.text
    assert SECRET not in repr(client) + str(client)


def test_a_secret_repeated_by_the_portal_is_blanked() -> None:
    """Even where the error's own text holds it."""
    script = Script(error("ERROR_CORE", f"no such page: /rest/7/{SECRET}/x"))
    with pytest.raises(errors.PortalError) as caught:
        open_client(script).call("user.get")
    assert str(caught.value) == "user.get: no such page: /rest/7/***/x (ERROR_CORE)"
    check_no_secret(caught.value)


def test_a_secret_repeated_inside_a_batch_is_blanked() -> None:
    """In an item's error and in its result alike: both are quoted to people."""
    failed = {"c0": {"error": "X", "error_description": SECRET}}
    answer = {"result": {"c1": f"/rest/7/{SECRET}/y"}, "result_error": failed}
    client = open_client(Script(ok(answer)))
    first, second = send(client, Query("user.get"), Query("profile"))
    assert ("user.get: *** (X)", "/rest/7/***/y") == (str(first.error), second.result)


@pytest.mark.parametrize("trouble", [*DID_NOT_RUN, *MAY_HAVE_RUN])
def test_no_exception_holds_the_secret(trouble: Any) -> None:
    """Neither in its text nor in anything chained to it."""
    with pytest.raises(errors.PortalBusy) as caught:
        open_client(Script(trouble), retry_s=0).call("user.get")
    check_no_secret(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
