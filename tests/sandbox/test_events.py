"""The sandbox sends its events as the portal's queue does: once, as a form."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from b24tools.jobs.events import payload
from b24tools.sandbox import demo_company
from b24tools.sandbox.server import deliver, serve
from b24tools.sandbox.state import Portal
from tests.support.orders import Clock

TOKEN = "applicationtoken"
WITHIN_S = 20.0


@pytest.fixture
def portal() -> Portal:
    """The plant, with three changes to report."""
    made = demo_company.build(Clock())
    made.add_handler("http://127.0.0.1:9/webhook", TOKEN)
    change(made)
    return made


def change(portal: Portal) -> None:
    task_id = portal.act("tasks.task.add", {"fields": {"TITLE": "Рама", "RESPONSIBLE_ID": 11}})["task"]["id"]
    portal.act("tasks.task.complete", {"taskId": task_id})
    portal.act("tasks.task.delete", {"taskId": task_id})


@contextmanager
def receiver() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Somebody who listens: the address, and what came."""
    came: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((self.headers["Content-Type"], body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/webhook", came
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_events_go_out_once_in_their_order(portal: Portal) -> None:
    """As the recorded bodies have it, under the portal's own name."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(202)

    sent = deliver(portal, transport=httpx.MockTransport(answer))

    assert [("ONTASKADD", 202), ("ONTASKUPDATE", 202), ("ONTASKDELETE", 202)] == [
        (out.event, status) for out, status in sent
    ]
    assert {"application/x-www-form-urlencoded"} == {request.headers["content-type"] for request in seen}
    assert {"Bitrix24 Webhook Engine"} == {request.headers["user-agent"] for request in seen}
    assert [out.task_id for out, _status in sent] == [payload.task_of(payload.read_body(post.content)) for post in seen]
    assert [] == deliver(portal)


def test_the_bodies_are_those_of_the_server(portal: Portal) -> None:
    """Key by key, in the order of the wire."""
    for out in portal.outbox:
        recorded = (Path(__file__).parent.parent / "data" / "events" / f"{out.event.lower()}.txt").read_text(
            encoding="utf-8"
        )
        names = [pair.partition("=")[0] for pair in recorded.split("&")]
        assert names == [pair.partition("=")[0] for pair in out.body.decode().split("&")]


def test_what_is_not_taken_is_lost(portal: Portal) -> None:
    """Refused or not there: nothing is sent again."""
    answers = iter([httpx.Response(500), httpx.ConnectError("refused"), httpx.ReadTimeout("slow")])

    def answer(_request: httpx.Request) -> httpx.Response:
        reply = next(answers)
        if isinstance(reply, Exception):
            raise reply
        return reply

    sent = deliver(portal, transport=httpx.MockTransport(answer))

    assert [500, None, None] == [status for _out, status in sent]
    assert [] == portal.outbox


@pytest.mark.parametrize("url", ["nowhere", "http://[", ""])
def test_an_address_that_is_none_stops_nothing(url: str) -> None:
    """Of an outgoing webhook that somebody mistyped."""
    portal = demo_company.build(Clock())
    portal.add_handler(url, TOKEN, on=["ONTASKADD"])
    change(portal)

    assert [("ONTASKADD", None)] == [(out.event, status) for out, status in deliver(portal)]


def test_a_portal_on_a_port_sends_by_itself(portal: Portal) -> None:
    """If asked to; else the bodies gather."""
    del portal.outbox[:], portal.handlers[:]
    with receiver() as (url, came), serve(portal, send_events=True):
        portal.add_handler(url, TOKEN)
        change(portal)
        deadline = time.monotonic() + WITHIN_S
        while len(came) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert 3 == len(came)
    with serve(portal):
        change(portal)
    assert 3 == len(portal.outbox)
