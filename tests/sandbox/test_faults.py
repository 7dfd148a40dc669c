"""Misfortunes made to order, through both doors: what a client sees and what the portal has done."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from b24tools.sandbox import server
from b24tools.sandbox.faults import Fault, Kind
from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker, Clock

LOST = (httpx.RemoteProtocolError, httpx.ReadError)
NEW = {"TITLE": "x", "RESPONSIBLE_ID": 1}


def add(door: Asker) -> Any:
    """The write every fault here befalls."""
    return door.status_and_body("tasks.task.add", fields=NEW)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("limit"), (503, "QUERY_LIMIT_EXCEEDED")),
        (Fault("operating"), (429, "OPERATION_TIME_LIMIT")),
        (Fault("overload"), (503, "OVERLOAD_LIMIT")),
        (Fault("error", status=500, code="INTERNAL_SERVER_ERROR"), (500, "INTERNAL_SERVER_ERROR")),
    ],
)
def test_refusals_happen_before_the_work(door: Asker, fault: Fault, expected: tuple[int, str]) -> None:
    """Once, then the portal is well again."""
    door.portal.faults.add(fault)
    status, body = add(door)
    assert ((status, body["error"]), len(door.portal.tasks)) == (expected, 0)
    assert (add(door)[0], len(door.portal.tasks)) == (200, 1)


@pytest.mark.parametrize(("executed", "tasks"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("status", [502, 504])
def test_gateway_page_comes_with_or_without_the_work(door: Asker, executed: bool, tasks: int, status: int) -> None:
    """HTML instead of JSON; only the portal knows what it did."""
    door.portal.faults.add(Fault("html", status=status, executed=executed))
    response = door.post("tasks.task.add", b'{"fields":{"TITLE":"x","RESPONSIBLE_ID":1}}', "application/json")
    assert (response.status_code, response.text[:6], len(door.portal.tasks)) == (status, "<html>", tasks)


def test_a_page_for_people_may_come_with_status_200(door: Asker) -> None:
    """Log in, says a box that takes the address for one of its own pages; nothing is done."""
    door.portal.faults.add(Fault("html", status=200))
    response = door.post("tasks.task.add", b'{"fields":{"TITLE":"x","RESPONSIBLE_ID":1}}', "application/json")
    assert (200, "text/html") == (response.status_code, response.headers["Content-Type"])
    assert ("<title>Авторизация</title>" in response.text, len(door.portal.tasks)) == (True, 0)


@pytest.mark.parametrize(("kind", "tasks"), [("cut_before", 0), ("cut_after", 1)])
def test_cut_connection_looks_the_same_before_and_after(door: Asker, kind: Kind, tasks: int) -> None:
    """No answer at all; the next request goes through."""
    door.portal.faults.add(Fault(kind))
    with pytest.raises(LOST):
        add(door)
    assert (len(door.portal.tasks), add(door)[0]) == (tasks, 200)


def test_unreachable_portal_did_nothing(door: Asker) -> None:
    """In the process a refused connection; a port that is open can only drop it."""
    door.portal.faults.add(Fault("unreachable"))
    with pytest.raises((httpx.ConnectError, *LOST)):
        add(door)
    assert len(door.portal.tasks) == 0


def test_body_breaks_off_in_the_middle(door: Asker) -> None:
    """After the work."""
    door.portal.faults.add(Fault("half"))
    with pytest.raises(httpx.RemoteProtocolError):
        add(door)
    assert len(door.portal.tasks) == 1


def test_late_request_is_carried_out_when_told(door: Asker) -> None:
    """The client has long given up."""
    door.portal.faults.add(Fault("late"))
    with pytest.raises(LOST):
        add(door)
    before = len(door.portal.tasks)
    assert (before, door.portal.run_late(), len(door.portal.tasks), door.portal.run_late()) == (0, 1, 1, 0)


def test_late_request_is_carried_out_by_the_clock() -> None:
    """In the process: at the first request after its time, and before it."""
    clock = Clock()
    portal = Portal(clock)
    portal.faults.add(Fault("late", delay_s=5))
    totals = []
    with httpx.Client(transport=server.transport(portal)) as client:
        door = Asker(portal, client)
        with pytest.raises(LOST):
            add(door)
        for seconds in (4, 1):
            clock.move(seconds=seconds)
            totals.append(door.body("tasks.task.list")["total"])
    assert totals == [0, 1]


def test_late_request_on_a_port_is_carried_out_by_a_timer() -> None:
    """Without another request."""
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


def test_slow_answer_beyond_the_clients_timeout_is_a_timeout() -> None:
    """In the process as on a port; the work is done all the same."""
    slept: list[float] = []
    portal = Portal(Clock(), sleep=slept.append)
    portal.faults.add(Fault("slow", delay_s=90))
    with httpx.Client(transport=server.transport(portal), timeout=60) as client, pytest.raises(httpx.ReadTimeout):
        add(Asker(portal, client))
    assert (slept, len(portal.tasks)) == ([60], 1)


def batch(door: Asker) -> Any:
    """Three commands, the second a write."""
    write = "tasks.task.add?fields[TITLE]=x&fields[RESPONSIBLE_ID]=1"
    return door.result("batch", cmd={"a": "server.time", "b": write, "c": write})


@pytest.mark.parametrize(("executed", "tasks"), [(False, 1), (True, 2)])
def test_half_a_batch_goes_missing(door: Asker, executed: bool, tasks: int) -> None:
    """Neither a result nor an error for the last command, with or without its work done."""
    door.portal.faults.add(Fault("half_batch", drop=1, executed=executed))
    maps = batch(door)
    keys = {name: list(values) for name, values in maps.items()}
    assert keys == {
        "result": ["a", "b"],
        "result_error": [],
        "result_total": [],
        "result_next": [],
        "result_time": ["a", "b"],
    }
    assert len(door.portal.tasks) == tasks


@pytest.mark.parametrize(("executed", "tasks"), [(False, 1), (True, 2)])
def test_fault_of_an_inner_method_is_that_items_error(door: Asker, executed: bool, tasks: int) -> None:
    """The batch itself succeeds."""
    door.portal.faults.add(Fault("error", method="tasks.task.add", code="ERROR_CORE", executed=executed))
    maps = batch(door)
    assert (list(maps["result"]), maps["result_error"]) == (
        ["a", "c"],
        {"b": {"error": "ERROR_CORE", "error_description": "Internal error"}},
    )
    assert len(door.portal.tasks) == tasks


def test_operating_limit_of_an_inner_method_has_status_200(door: Asker) -> None:
    """A client that looks only at the status misses it."""
    door.portal.faults.add(Fault("operating", method="tasks.task.add", times=2))
    maps = batch(door)
    assert {key: error["error"] for key, error in maps["result_error"].items()} == {
        "b": "OPERATION_TIME_LIMIT",
        "c": "OPERATION_TIME_LIMIT",
    }


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("limit", at=3), [200, 200, 503, 200, 200]),
        (Fault("limit", times=2), [503, 503, 200, 200, 200]),
        (Fault("limit", method="server.time", times=9), [200, 503, 200, 503, 200]),
        (Fault("limit", method="Server.Time", skip=1), [200, 200, 200, 503, 200]),
        (Fault("limit", method="department.get", at=2), [200, 200, 200, 200, 200]),
        (Fault("overload", method="scope"), [200, 200, 200, 200, 503]),
    ],
)
def test_fault_befalls_the_request_it_was_ordered_for(door: Asker, fault: Fault, expected: list[int]) -> None:
    """By ordinal, by method (of a batch's commands too), the first so many let through, so many times."""
    door.portal.faults.add(fault)
    calls: list[tuple[str, dict[str, Any]]] = [("profile", {}), ("server.time", {})] * 2
    calls.append(("batch", {"cmd": {"a": "scope"}}))
    assert [door.status_and_body(method, **params)[0] for method, params in calls] == expected


def test_faults_can_be_called_off(door: Asker) -> None:
    """What has not happened yet will not."""
    door.portal.faults.add(Fault("limit"))
    door.portal.faults.clear()
    assert add(door)[0] == 200


def test_log_tells_what_befell_a_request(door: Asker) -> None:
    """And whether the work was done."""
    for kind in ("cut_before", "cut_after"):
        door.portal.faults.add(Fault(kind))
        with pytest.raises(LOST):
            add(door)
    log = [(entry.ordinal, entry.outcome, entry.executed) for entry in door.portal.log]
    assert (log, door.portal.writes()) == (
        [(1, "cut_before", False), (2, "cut_after", True)],
        [("tasks.task.add", {"fields": NEW})],
    )
