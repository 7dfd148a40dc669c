"""Bad days of the service: a database that is held or full, senders that never come to the point."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from b24tools import context
from b24tools.sandbox import demo_company
from b24tools.server import connections, services
from b24tools.server.auth import Access
from b24tools.server.routes import health
from b24tools.store import database
from tests.support.server import FORM, Served, as_bytes, event_body, head, order, raw, serving, wait_until

HELD = "the database b24tools.db cannot be used: database is locked"
FULL = "the database b24tools.db cannot be used: database or disk is full"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The service of the plant."""
    with serving(demo_company.build(context.now), tmp_path / "data", B24_RETRY_SECONDS=0) as opened:
        yield opened


def hold(served: Served) -> sqlite3.Connection:
    """Somebody in the middle of writing."""
    held = sqlite3.connect(served.settings.database, isolation_level=None, check_same_thread=False)
    held.execute("BEGIN IMMEDIATE")
    return held


def stored(served: Served) -> list[int | None]:
    """The tasks of the events that are stored."""
    with closing(served.open_store()) as opened:
        return [event.task_id for event in opened.events.find()]


def test_events_wait_for_a_database_that_is_held(served: Served) -> None:
    """None is lost: Bitrix24 does not send an event twice."""
    with closing(hold(served)) as held, ThreadPoolExecutor(5) as pool:
        sent = list(pool.map(lambda number: pool.submit(served.event, number), range(1, 4)))
        with pytest.raises(httpx.ReadTimeout):
            served.client.post("/webhook", content=event_body(served.portal, 9), headers=FORM, timeout=0.5)
        held.execute("COMMIT")
        assert [202, 202, 202] == [future.result().status_code for future in sent]
    wait_until(lambda: len(stored(served)) == 4)
    assert [1, 2, 3, 9] == sorted(stored(served))  # its sender has not waited


@pytest.mark.long
def test_events_that_wait_take_no_thread_from_the_others(served: Served) -> None:
    """More of them than there are threads; the board goes on meanwhile."""
    body = event_body(served.portal, 5)
    request = head("POST", "/webhook", f"Content-Length: {len(body)}") + body
    with closing(hold(served)) as held, ExitStack() as stack:
        address = ("127.0.0.1", served.port)
        senders = [stack.enter_context(socket.create_connection(address, timeout=60)) for _number in range(60)]
        for sender in senders:
            sender.sendall(request)
        assert 200 == served.client.get("/leaderboard", timeout=10).status_code
        held.execute("COMMIT")
        assert {b"HTTP/1.1 202 "} == {sender.recv(13) for sender in senders}
    assert 60 == len(stored(served))


@pytest.mark.long
def test_what_is_held_for_too_long_is_to_be_tried_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, whatever was asked for; what only reads goes on."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with (
        serving(demo_company.build(context.now), tmp_path / "data", B24_RETRY_SECONDS=0) as served,
        closing(hold(served)),
    ):
        answers = [
            served.event(7),
            served.client.post("/configs", json={"key": "producer_mode", "value": "webhook"}),
            served.client.post("/", content=as_bytes(order())),
        ]
        assert [(503, "30")] * 3 == [(answer.status_code, answer.headers["retry-after"]) for answer in answers]
        assert [True] * 3 == [answer.json()["detail"].startswith(HELD) for answer in answers]
        # an event was not stored: health says so until one is
        assert [503, 200, 200] == [
            served.client.get(path).status_code for path in ("/healthz", "/configs", "/leaderboard")
        ]
        assert [] == stored(served)
    assert [] == [task for task in served.portal.tasks if task.xml_id]


def test_a_full_disk_is_no_success(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not stored is not said to be; with room again all goes on without a restart."""
    ordinary = database.Database.transaction

    def refuse_all(opened: database.Database) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    def in_a_database_that_cannot_grow(opened: database.Database) -> Any:
        opened.execute("PRAGMA max_page_count = 1")
        return ordinary(opened)

    def read_health() -> tuple[int, Any, str, list[str]]:
        answer = served.client.get("/healthz")
        metrics = served.client.get("/metrics").text.splitlines()
        healthy = [line.partition(" ")[2] for line in metrics if line.startswith("b24tools_healthy ")]
        return answer.status_code, answer.json()["status"], answer.json().get("problem", ""), healthy

    with monkeypatch.context() as full:
        full.setattr(database.Database, "transaction", refuse_all)
        assert (503, "failed", "the database cannot be written", ["0"]) == read_health()  # before any event is lost
    with closing(hold(served)):
        monkeypatch.setattr(health, "LONGEST_WRITE_S", 0.05)
        assert (200, "ok", "", ["1"]) == read_health()

    big = event_body(served.portal, 2) + b"&x=" + b"y" * 60_000
    with monkeypatch.context() as full:
        full.setattr(database.Database, "transaction", in_a_database_that_cannot_grow)
        answers = [served.client.post("/webhook", content=big, headers=FORM) for _turn in range(3)]

    assert [(503, True)] * 3 == [(answer.status_code, answer.json()["detail"].startswith(FULL)) for answer in answers]
    assert 202 == served.event(3).status_code
    assert [3] == stored(served)


def test_where_the_data_are_is_for_the_log_alone(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Whichever address is asked, as a program or a browser, and whatever is wrong in the data folder."""
    folder, content = served.settings.data_dir, as_bytes(order())
    (folder / "people.json").write_text("{", encoding="utf-8")
    answers = [served.client.post("/", content=content), served.client.get("/orders")]
    (folder / "people.json").unlink()
    assert [(500, True)] * 2 == [(got.status_code, got.json()["detail"].startswith("people.json: ")) for got in answers]

    with (folder / "b24tools.db").open("r+b") as file:
        file.write(b"no database " * 9)
    pages = ["/leaderboard/rules", "/board", "/plan", "/why/69", "/orders", "/load", "/today"]
    answers = [served.client.get(path) for path in ["/leaderboard", "/users", "/configs", *pages]]
    answers += [served.client.post(path, content=content) for path in ("/", "/plan")]
    answers += [served.event(1), *(served.client.get(path, headers={"Accept": "text/html"}) for path in pages)]

    assert [(503, False)] * len(answers) == [(answer.status_code, str(folder) in answer.text) for answer in answers]
    assert "the database b24tools.db is damaged: file is not a database" == answers[0].json()["detail"]
    said = f"the database {folder / 'b24tools.db'} is damaged: file is not a database"
    assert len(answers) <= [record.getMessage() for record in caplog.records].count(said)


def test_who_never_ends_the_head_of_a_request_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However busily; who is being answered is not."""
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    with serving(demo_company.build(context.now), tmp_path / "data") as served:
        silent, busy, second = (socket.create_connection(("127.0.0.1", served.port), timeout=10) for _one in range(3))
        with silent, busy, second:
            second.sendall(head("GET", "/ping/"))
            answer = b""
            while not answer.endswith(b"}"):
                answer += second.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            second.sendall(b"GET /ping/ HTTP/1.1\r\n")
            busy.sendall(b"GET /ping/ HTTP/1.1\r\n")
            wait_until(lambda: _dropped(busy, b"X: y\r\n"))
            assert [b"", b""] == [silent.recv(1), second.recv(1)]
        slow = head("POST", "/webhook", "Content-Length: 9")
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as sender:
            sender.sendall(slow)
            with pytest.raises(TimeoutError):
                sender.settimeout(0.8)
                sender.recv(1)


def _dropped(connection: socket.socket, line: bytes) -> bool:
    try:
        connection.sendall(line)
    except OSError:
        return True
    return False


def test_a_body_that_never_ends_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """408, and nothing is done."""
    monkeypatch.setattr(services, "IDLE_S", 0.1)
    answer = raw(served.port, head("POST", "/", "Content-Length: 9", "Connection: close"), b"{")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'{"detail":"the body did not arrive","code":"bad_request","hint":"Send the same again."}')
    assert [] == served.portal.log


@pytest.mark.parametrize(
    ("sent", "status", "reason"),
    [
        (head("POST", "/", "Content-Length: x"), 400, "bad Content-Length"),
        (head("POST", "/", "Content-Length: 1", "Content-Length: 2"), 400, "conflicting Content-Length headers"),
        (head("POST", "/", "Transfer-Encoding: gzip"), 501, "Only Transfer-Encoding: chunked is supported"),
        (head("POST", "/", "Transfer-Encoding: chunked") + b"zz\r\n", 400, "illegal chunk header"),
        (head("GET", "/ /"), 400, "illegal request line"),
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "illegal request line"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Missing mandatory Host: header"),
        (b"GET / HTTP/1.1\r\nHost: b\r\n: secret\r\n\r\n", 400, "illegal header line"),
        (head("GET", "/", f"X: {'y' * 1_000_000}"), 431, "Receive buffer too long"),
    ],
    ids=["length", "lengths", "transfer", "chunk", "line", "TLS", "host", "header", "long"],
)
def test_what_is_no_request_is_an_error_like_others(served: Served, sent: bytes, status: int, reason: str) -> None:
    """Its sender reads it, however much it goes on to send; the service goes on."""
    answer, _blank, body = raw(served.port, sent, b"x" * 3_000_000).partition(b"\r\n\r\n")

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-type: application/json" in answer.lower()
    assert {
        "detail": f"this is no HTTP request that can be read: {reason}",
        "code": "bad_request",
        "hint": "Look at what the program or the proxy before it sends, its headers first.",
    } == json.loads(body)
    assert 200 == served.client.get("/ping/").status_code


def test_a_preflight_that_is_refused_is_an_error_like_others(tmp_path: Path) -> None:
    """Of a page that B24_CORS_ORIGINS does not name."""
    access = Access(origins=("https://plant.example",))
    with serving(demo_company.build(context.now), tmp_path / "data", access) as served:
        headers = {"Origin": "https://other.example", "Access-Control-Request-Method": "GET"}
        answer = served.client.options("/leaderboard", headers=headers)

    assert (400, ["detail", "code", "hint"]) == (answer.status_code, list(answer.json()))
