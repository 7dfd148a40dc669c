"""Senders who keep connections, bodies and answers open: who is served meanwhile, and who is closed."""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from b24tools import context
from b24tools.jobs.events import process
from b24tools.sandbox import demo_company
from b24tools.server import services
from b24tools.server.connections import Connection, OncePerMinute
from b24tools.server.routes import assign
from b24tools.store import Store
from b24tools.store.events import NewEvent
from tests.contract.test_serve import running
from tests.support.attacks import HEAD, connections, dripping, is_open, start_body
from tests.support.processes import open_shop
from tests.support.server import FORM, OUTGOING, Served, as_bytes, event_body, order, serving, wait_until

pytestmark = pytest.mark.long

MOST = 6
BODY = start_body("/webhook", 9)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The service of the plant, which lets few connections be open."""
    with serving(demo_company.build(context.now), tmp_path / "data", B24_RETRY_SECONDS=0) as opened:
        monkeypatch.setattr(Connection, "most", MOST)
        monkeypatch.setattr("b24tools.server.connections.FRESH_S", 0.0)
        yield opened


@pytest.mark.parametrize("start", [b"", HEAD, BODY], ids=["nothing", "head", "body"])
def test_the_longest_idle_connection_makes_room(served: Served, start: bytes) -> None:
    """An event comes in; of those who say nothing more the last few are left."""
    with connections(served.port, 4 * MOST, start) as opened:
        assert 202 == served.event(5).status_code
        wait_until(lambda: sum(map(is_open, opened)) < MOST)
        if start != BODY:  # of those that came at once the bodies are not the first to go
            assert [False] * MOST == [is_open(connection) for connection in opened[:MOST]]


def test_who_is_being_answered_is_not_closed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come meanwhile."""
    body, begun, add = event_body(served.portal, 5), threading.Event(), process.add

    def note(*args: Any, **more: Any) -> Any:
        begun.set()
        return add(*args, **more)

    monkeypatch.setattr(process, "add", note)
    with closing(sqlite3.connect(served.settings.database, isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        with connections(served.port, 1, start_body("/webhook", len(body)) + body) as (sender,):
            assert begun.wait(15)
            with connections(served.port, 4 * MOST, HEAD):
                assert {"message": "Pong"} == served.client.get("/ping/").json()
            held.execute("COMMIT")
            assert sender.recv(100).startswith(b"HTTP/1.1 202 ")


def test_events_that_come_during_a_write_share_the_next_one(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own answer; what is refused is in none."""
    checked, written = [], []
    check, add = process.check, process.add

    def note_check(*args: Any) -> NewEvent:
        checked.append(event := check(*args))
        return event

    def note_add(store: Store, events: Sequence[NewEvent]) -> list[str]:
        written.append([event.task_id for event in events])
        return add(store, events)

    monkeypatch.setattr(process, "check", note_check)
    monkeypatch.setattr(process, "add", note_add)
    bodies = [event_body(served.portal, number) for number in (5, 6, 7)] + [b"event=ONTASKADD&no=token"]
    heads = [start_body("/webhook", len(body)) + body for body in bodies]
    with (
        closing(sqlite3.connect(served.settings.database, isolation_level=None)) as held,
        connections(served.port, 1, heads[0]) as (first,),
    ):
        held.execute("BEGIN IMMEDIATE")
        wait_until(lambda: bool(written))
        with connections(served.port, 1, heads[1]) as second, connections(served.port, 1, heads[2]) as third:
            with connections(served.port, 1, heads[3]) as (refused,):
                assert refused.recv(100).startswith(b"HTTP/1.1 403 ")
            wait_until(lambda: len(checked) == 3)
            assert {"message": "Pong"} == served.client.get("/ping/").json()  # so they have been handed on
            held.execute("COMMIT")
            for sender in (first, *second, *third):
                assert sender.recv(100).startswith(b"HTTP/1.1 202 ")
    assert [[5], [6, 7]] == [sorted(ids) for ids in written]


def test_idle_heads_go_before_bodies_on_their_way(served: Served) -> None:
    """A long order over a slow line is older than most."""
    body = as_bytes(order())
    begun = start_body("/", len(body)) + body[:9]
    with connections(served.port, 1, begun) as (slow,):
        wait_until(lambda: bool(services._arriving))
        with connections(served.port, 4 * MOST, HEAD):
            assert 202 == served.event(5).status_code
            slow.sendall(body[9:])
            assert slow.recv(100).startswith(b"HTTP/1.1 200 ")


def test_who_does_not_read_the_answer_is_dropped(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As who does not end the head."""
    lost: list[object] = []
    monkeypatch.setattr("b24tools.server.connections.HEAD_S", 0.3)
    ordinary = Connection.connection_lost

    def note_loss(connection: Connection, error: Exception | None) -> None:
        ordinary(connection, error)
        lost.append(connection)

    monkeypatch.setattr(Connection, "connection_lost", note_loss)
    request = b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with connections(served.port, 1, request * 50):
        wait_until(lambda: len(lost) == 1)


def test_a_place_is_taken_by_whole_orders_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends slowly keeps nobody out."""
    monkeypatch.setattr(assign, "ORDERS_AT_ONCE", 1)
    with (
        serving(demo_company.build(context.now), tmp_path / "data") as served,
        dripping(served.port, 3, start_body("/", 9000), every_s=0.05),
        dripping(served.port, 3, HEAD, every_s=0.05),
    ):
        assert {"message": "ok"} == served.client.post("/", content=as_bytes(order())).json()


@pytest.mark.parametrize(("name", "path", "other"), [("ORDERS_AT_ONCE", "/", "/plan"), ("PLANS_AT_ONCE", "/plan", "/")])
def test_orders_and_plans_have_places_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, path: str, other: str
) -> None:
    """Too many of the one do not keep the other out."""
    monkeypatch.setattr(assign, name, 0)
    with serving(demo_company.build(context.now), tmp_path / "data") as served:
        refused, taken = (served.client.post(address, content=as_bytes(order())) for address in (path, other))

    assert (503, "30") == (refused.status_code, refused.headers["retry-after"])
    hint = "Try again a little later."
    assert {"detail": "0 orders are under way", "code": "locked", "hint": hint} == refused.json()
    assert 200 == taken.status_code


def test_the_largest_body_on_its_way_makes_room(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender is asked to come again."""
    monkeypatch.setattr(services, "MOST_ARRIVING", 5000)
    with connections(served.port, 1, start_body("/", 9000) + b" " * 4800) as (large,):
        wait_until(lambda: 4800 in services._arriving.values())
        assert {"message": "ok"} == served.client.post("/", content=as_bytes(order())).json()
        answer = large.recv(65536)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b'{"detail":"too much is being sent at once",' in answer
    assert {} == services._arriving


def test_a_body_that_drips_without_end_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it never falls silent."""
    monkeypatch.setattr(services, "IDLE_S", 0.3)
    monkeypatch.setattr(services, "SLOWEST", 10**6)
    with connections(served.port, 1, start_body("/", 9000)) as (sender,):
        wait_until(lambda: _answer(sender).startswith(b"HTTP/1.1 408 "))


def _answer(sender: socket.socket) -> bytes:
    sender.sendall(b"x")
    sender.setblocking(False)
    try:
        return sender.recv(100)
    except BlockingIOError:
        return b""


def test_a_small_limit_of_open_files_is_enough(tmp_path: Path) -> None:
    """More connections than files: an event comes in, and the log has one line about it."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); "
    with open_shop(tmp_path) as shop, running(shop, code=limit, BITRIX_OUTGOING_TOKEN=OUTGOING) as (_process, port):
        body = event_body(shop.portal, 5)
        with connections(port, 160, HEAD):
            answer = httpx.post(f"http://127.0.0.1:{port}/webhook", content=body, headers=FORM, trust_env=False)
        assert (202, {"status": "ignored_by_mode"}) == (answer.status_code, answer.json())
        log = (tmp_path / "data" / "log.log").read_text(encoding="utf-8").splitlines()
    warnings = [line.partition(" WARNING ")[2] for line in log if " INFO " not in line]
    assert ["more than 128 connections are open: the longest idle ones are closed"] == warnings


def test_one_record_of_a_kind_passes_a_minute() -> None:
    """Whatever its arguments."""
    limit = OncePerMinute()

    def passes(message: str, created: float, *arguments: object) -> bool:
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, message, arguments, None)
        record.created = created
        return limit.filter(record)

    first, again = (
        "socket.accept() out of system resource\nsocket: 1",
        "socket.accept() out of system resource\nsocket: 2",
    )
    assert [True, False, True, False, True] == [
        passes(first, 1000),
        passes(again, 1059),
        passes("%d requests", 1059, 1),
        passes("%d requests", 1060, 2),
        passes(again, 1060),
    ]
