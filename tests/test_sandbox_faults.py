"""Misfortunes made to order, through both doors: what a client sees and what the portal has done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from b24tools.sandbox import server
from b24tools.sandbox.faults import Fault, Kind
from b24tools.sandbox.state import Portal
from tests.sandbox_door import Asker, Clock

LOST = (httpx.RemoteProtocolError, httpx.ReadError)
NEW = {"TITLE": "x", "RESPONSIBLE_ID": 1}


@pytest.fixture
def clock() -> Clock:
    """Noon in Moscow."""
    return Clock()


@pytest.fixture(params=["in process", "port"])
def ask(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Asker]:
    """Both doors; sleeping is only written down."""
    slept: list[float] = []
    portal = Portal(clock, sleep=slept.append)
    if request.param == "port":
        with server.serve(portal) as url, httpx.Client(timeout=10) as client:
            yield Asker(portal, client, url)
    else:
        with httpx.Client(transport=server.transport(portal), timeout=10) as client:
            yield Asker(portal, client)


def add(ask: Asker) -> Any:
    """The write every fault here befalls."""
    return ask.status_and_body("tasks.task.add", fields=NEW)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("limit"), (503, "QUERY_LIMIT_EXCEEDED")),
        (Fault("operating"), (429, "OPERATION_TIME_LIMIT")),
        (Fault("overload"), (503, "OVERLOAD_LIMIT")),
        (Fault("error", status=500, code="INTERNAL_SERVER_ERROR"), (500, "INTERNAL_SERVER_ERROR")),
    ],
)
def test_refusals_happen_before_the_work(ask: Asker, fault: Fault, expected: tuple[int, str]) -> None:
    """Once, then the portal is well again."""
    ask.portal.faults.add(fault)
    status, body = add(ask)
    assert ((status, body["error"]), len(ask.portal.tasks)) == (expected, 0)
    assert (add(ask)[0], len(ask.portal.tasks)) == (200, 1)


@pytest.mark.parametrize(("executed", "tasks"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("status", [502, 504])
def test_gateway_page_comes_with_or_without_the_work(ask: Asker, executed: bool, tasks: int, status: int) -> None:
    """HTML instead of JSON; only the portal knows what it did."""
    ask.portal.faults.add(Fault("html", status=status, executed=executed))
    response = ask.post("tasks.task.add", b'{"fields":{"TITLE":"x","RESPONSIBLE_ID":1}}', "application/json")
    assert (response.status_code, response.text[:6], len(ask.portal.tasks)) == (status, "<html>", tasks)


def test_a_page_for_people_may_come_with_status_200(ask: Asker) -> None:
    """Log in, says a box that takes the address for one of its own pages; nothing is done."""
    ask.portal.faults.add(Fault("html", status=200))
    response = ask.post("tasks.task.add", b'{"fields":{"TITLE":"x","RESPONSIBLE_ID":1}}', "application/json")
    assert (200, "text/html") == (response.status_code, response.headers["Content-Type"])
    assert ("<title>Авторизация</title>" in response.text, len(ask.portal.tasks)) == (True, 0)


@pytest.mark.parametrize(("kind", "tasks"), [("cut_before", 0), ("cut_after", 1)])
def test_cut_connection_looks_the_same_before_and_after(ask: Asker, kind: Kind, tasks: int) -> None:
    """No answer at all; the next request goes through."""
    ask.portal.faults.add(Fault(kind))
    with pytest.raises(LOST):
        add(ask)
    assert (len(ask.portal.tasks), add(ask)[0]) == (tasks, 200)


def test_unreachable_portal_did_nothing(ask: Asker) -> None:
    """In the process a refused connection; a port that is open can only drop it."""
    ask.portal.faults.add(Fault("unreachable"))
    with pytest.raises((httpx.ConnectError, *LOST)):
        add(ask)
    assert len(ask.portal.tasks) == 0


def test_body_breaks_off_in_the_middle(ask: Asker) -> None:
    """After the work."""
    ask.portal.faults.add(Fault("half"))
    with pytest.raises(httpx.RemoteProtocolError):
        add(ask)
    assert len(ask.portal.tasks) == 1


def test_late_request_is_carried_out_when_told(ask: Asker) -> None:
    """The client has long given up."""
    ask.portal.faults.add(Fault("late"))
    with pytest.raises(LOST):
        add(ask)
    before = len(ask.portal.tasks)
    assert (before, ask.portal.run_late(), len(ask.portal.tasks), ask.portal.run_late()) == (0, 1, 1, 0)


def test_late_request_is_carried_out_by_the_clock() -> None:
    """In the process: at the first request after its time, and before it."""
    clock = Clock()
    portal = Portal(clock)
    portal.faults.add(Fault("late", delay_s=5))
    totals = []
    with httpx.Client(transport=server.transport(portal)) as client:
        ask = Asker(portal, client)
        with pytest.raises(LOST):
            add(ask)
        for seconds in (4, 1):
            clock.move(seconds=seconds)
            totals.append(ask.body("tasks.task.list")["total"])
    assert totals == [0, 1]


def test_late_request_on_a_port_is_carried_out_by_a_timer() -> None:
    """Nobody has to ask again."""
    portal = Portal(Clock())
    with server.serve(portal) as url, httpx.Client() as client:
        portal.faults.add(Fault("late", delay_s=0.05))
        with pytest.raises(LOST):
            add(Asker(portal, client, url))
        deadline = time.monotonic() + 5
        while not len(portal.tasks) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(portal.tasks) == 1


def test_slow_answer_comes_after_a_sleep() -> None:
    """The sleep is the portal's own, to be replaced in tests."""
    slept: list[float] = []
    portal = Portal(Clock(), sleep=slept.append)
    portal.faults.add(Fault("slow", delay_s=20))
    with httpx.Client(transport=server.transport(portal), timeout=60) as client:
        assert (add(Asker(portal, client))[0], slept) == (200, [20])


def test_slow_answer_beyond_the_clients_patience_is_a_timeout() -> None:
    """In the process as on a port; the work is done all the same."""
    slept: list[float] = []
    portal = Portal(Clock(), sleep=slept.append)
    portal.faults.add(Fault("slow", delay_s=90))
    with httpx.Client(transport=server.transport(portal), timeout=60) as client, pytest.raises(httpx.ReadTimeout):
        add(Asker(portal, client))
    assert (slept, len(portal.tasks)) == ([60], 1)


def batch(ask: Asker) -> Any:
    """Three commands, the second a write."""
    write = "tasks.task.add?fields[TITLE]=x&fields[RESPONSIBLE_ID]=1"
    return ask.result("batch", cmd={"a": "user.admin", "b": write, "c": write})


@pytest.mark.parametrize(("executed", "tasks"), [(False, 1), (True, 2)])
def test_half_a_batch_goes_missing(ask: Asker, executed: bool, tasks: int) -> None:
    """Neither a result nor an error for the last command, with or without its work done."""
    ask.portal.faults.add(Fault("half_batch", drop=1, executed=executed))
    maps = batch(ask)
    told = {name: list(values) for name, values in maps.items()}
    assert told == {
        "result": ["a", "b"],
        "result_error": [],
        "result_total": [],
        "result_next": [],
        "result_time": ["a", "b"],
    }
    assert len(ask.portal.tasks) == tasks


@pytest.mark.parametrize(("executed", "tasks"), [(False, 1), (True, 2)])
def test_fault_of_an_inner_method_is_that_items_error(ask: Asker, executed: bool, tasks: int) -> None:
    """The batch itself succeeds."""
    ask.portal.faults.add(Fault("error", method="tasks.task.add", code="ERROR_CORE", executed=executed))
    maps = batch(ask)
    assert (list(maps["result"]), maps["result_error"]) == (
        ["a", "c"],
        {"b": {"error": "ERROR_CORE", "error_description": "Internal error"}},
    )
    assert len(ask.portal.tasks) == tasks


def test_operating_limit_of_an_inner_method_has_status_200(ask: Asker) -> None:
    """A client that looks only at the status misses it."""
    ask.portal.faults.add(Fault("operating", method="tasks.task.add", times=2))
    maps = batch(ask)
    assert {key: error["error"] for key, error in maps["result_error"].items()} == {
        "b": "OPERATION_TIME_LIMIT",
        "c": "OPERATION_TIME_LIMIT",
    }


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("limit", at=3), [200, 200, 503, 200, 200]),
        (Fault("limit", times=2), [503, 503, 200, 200, 200]),
        (Fault("limit", method="user.admin", times=9), [200, 503, 200, 503, 200]),
        (Fault("limit", method="User.Admin", skip=1), [200, 200, 200, 503, 200]),
        (Fault("limit", method="department.get", at=2), [200, 200, 200, 200, 200]),
        (Fault("overload", method="server.time"), [200, 200, 200, 200, 503]),
    ],
)
def test_fault_befalls_the_request_it_was_ordered_for(ask: Asker, fault: Fault, expected: list[int]) -> None:
    """By ordinal, by method (of a batch's commands too), the first so many let through, so many times."""
    ask.portal.faults.add(fault)
    calls: list[tuple[str, dict[str, Any]]] = [("profile", {}), ("user.admin", {})] * 2
    calls.append(("batch", {"cmd": {"a": "server.time"}}))
    assert [ask.status_and_body(method, **params)[0] for method, params in calls] == expected


def test_faults_can_be_called_off(ask: Asker) -> None:
    """What has not happened yet will not."""
    ask.portal.faults.add(Fault("limit"))
    ask.portal.faults.clear()
    assert add(ask)[0] == 200


def test_log_tells_what_befell_a_request(ask: Asker) -> None:
    """And whether the work was done."""
    for kind in ("cut_before", "cut_after"):
        ask.portal.faults.add(Fault(kind))
        with pytest.raises(LOST):
            add(ask)
    told = [(entry.ordinal, entry.outcome, entry.executed) for entry in ask.portal.log]
    assert (told, ask.portal.writes()) == (
        [(1, "cut_before", False), (2, "cut_after", True)],
        [("tasks.task.add", {"fields": NEW})],
    )


def test_app_without_its_own_server_says_so() -> None:
    """ASGI alone cannot break a connection."""
    portal = Portal(Clock())
    portal.faults.add(Fault("cut_before"))

    async def call() -> None:
        transport = httpx.ASGITransport(server.app(portal))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            await client.post(portal.webhook_path + "profile")

    with pytest.raises(RuntimeError, match=r"front\.serve"):
        asyncio.run(call())
