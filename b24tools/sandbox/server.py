"""Two doors over one emulated portal: an httpx transport in the process, and an ASGI app on a port."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.responses import Response as HttpResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from b24tools.sandbox.faults import ConnectionCut
from b24tools.sandbox.rest import Response
from b24tools.sandbox.state import Portal

BREAKER: Final = "b24tools.break_connection"
LOST: Final = "Server disconnected without sending a response."
BROKEN_OFF: Final = "peer closed connection without sending complete message body"
READY_WITHIN_S: Final = 10.0
RECEIVER_TIMEOUT_S: Final = 15.0
DELIVERY_EVERY_S: Final = 0.1


class _BrokenBody(httpx.SyncByteStream):
    """The first half of a body, then a dead connection."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.RemoteProtocolError(BROKEN_OFF)


class _Transport(httpx.BaseTransport):
    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        patience = request.extensions.get("timeout", {}).get("read")
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        headers, scheme = dict(request.headers), request.url.scheme
        try:
            response = self._portal.handle(
                request.method, path, query, headers, body, scheme=scheme, patience_s=patience
            )
        except ConnectionCut as cut:
            raise _error_of(cut, request) from cut
        if response.truncated:
            headers = {**response.headers, "Content-Length": str(len(response.body))}
            return httpx.Response(response.status, headers=_raw(headers), stream=_BrokenBody(response.body))
        return httpx.Response(response.status, headers=_raw(response.headers), content=response.body)


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers as they travel: a Cyrillic host in Location as UTF-8, which no standard allows."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _error_of(cut: ConnectionCut, request: httpx.Request) -> httpx.TransportError:
    """What a client sees. Cut before or after the work looks the same: that is the point."""
    if cut.how == "unreachable":
        return httpx.ConnectError("Connection refused", request=request)
    if cut.how == "timeout":
        return httpx.ReadTimeout("The read operation timed out", request=request)
    return httpx.RemoteProtocolError(LOST, request=request)


def transport(portal: Portal) -> httpx.BaseTransport:
    """The door inside the process: `httpx.Client(transport=transport(portal))`."""
    return _Transport(portal)


class _Door(H11Protocol):
    """HTTP/1.1 that lets the app break its connection: ASGI itself has no word for that."""

    def handle_events(self) -> None:
        super().handle_events()
        # The base class has made a scope for the request; its task starts only after this returns
        scope: Any = self.scope
        if scope is not None:
            scope.setdefault("extensions", {})[BREAKER] = self.transport

    def shutdown(self) -> None:
        """At the end nobody waits for a TLS good-bye that a client may never send."""
        super().shutdown()
        if self.transport.is_closing():
            self.transport.abort()


class _Broken(HttpResponse):
    """No answer at all, or half of one, then the connection closes."""

    def __init__(self, response: Response | None = None) -> None:
        super().__init__()
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = scope.get("extensions", {}).get(BREAKER)
        if self._response is not None:
            body = self._response.body
            headers = {**self._response.headers, "Content-Length": str(len(body))}
            start = {"type": "http.response.start", "status": self._response.status, "headers": _raw(headers)}
            await send(start)
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        if connection is None:
            raise RuntimeError("this server cannot break connections; start the app with front.serve")
        if self._response is None:
            connection.abort()
        else:
            connection.close()  # what was written still goes out
        while (await receive())["type"] != "http.disconnect":
            await asyncio.sleep(0)


def app(portal: Portal) -> Starlette:
    """The door on a port, as an ASGI app. Broken connections need the server of `serve` or `run`."""

    async def answer(request: Request) -> HttpResponse:
        if request.url.path.rstrip("/") == portal.folder:
            return PlainTextResponse(greeting(portal, str(request.base_url)))
        body = await request.body()
        headers = dict(request.headers)
        query = request.scope["query_string"].decode("ascii", "replace")
        path = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0] or request.url.path
        try:
            response = await run_in_threadpool(
                portal.handle, request.method, path, query, headers, body, scheme=request.url.scheme
            )
        except ConnectionCut as cut:
            if cut.later_s is not None:
                asyncio.get_running_loop().call_later(cut.later_s, _run_late, portal)
            return _Broken()
        if response.truncated:
            return _Broken(response)
        answered = HttpResponse(response.body, response.status)
        answered.raw_headers += _raw(response.headers)
        return answered

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])


def _run_late(portal: Portal) -> None:
    portal.run_late()


def greeting(portal: Portal, base_url: str) -> str:
    """The page at `/`, for people."""
    return (
        f"Учебный портал Битрикс24 «{portal.domain}» (b24tools sandbox)\n\n"
        f"Людей: {len(portal.users)}, отделов: {len(portal.departments)}, задач: {len(portal.tasks)}.\n"
        f"Методы REST: {base_url.rstrip('/')}{portal.folder}/rest/{portal.owner_id}/<код вебхука>/<метод>\n"
        "Код вебхука напечатан при запуске.\n"
    )


def _config(portal: Portal, *, certfile: str | Path | None, keyfile: str | Path | None) -> uvicorn.Config:
    return uvicorn.Config(
        app(portal),
        http=_Door,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
    )


def _listen(host: str, port: int) -> socket.socket:
    """With the protocol named: only then asyncio turns Nagle's delay off, which costs 40 ms an answer."""
    made = socket.create_server((host, port))
    return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())


@contextmanager
def serve(
    portal: Portal,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    certfile: str | Path | None = None,
    keyfile: str | Path | None = None,
    send_events: bool = False,
) -> Iterator[str]:
    """The portal on a port while the block runs; gives its base URL. Port 0 takes a free one.

    With `send_events` the bodies in the outbox go where the outgoing webhooks point, else `deliver` sends them.
    """
    server = uvicorn.Server(_config(portal, certfile=certfile, keyfile=keyfile))
    courier = _courier(portal) if send_events else nullcontext()
    with _listen(host, port) as listener, courier:
        thread = threading.Thread(target=server.run, args=([listener],), name="sandbox portal", daemon=True)
        thread.start()
        try:
            _wait_for(server, thread)
            scheme = "https" if certfile else "http"
            yield f"{scheme}://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the sandbox portal did not start")
        time.sleep(0.005)


def run(portal: Portal, host: str = "127.0.0.1", port: int = 8024, ready: Callable[[], None] = lambda: None) -> None:
    """The portal on a port until Ctrl+C, sending its events. A port that is taken is an OSError.

    `ready` is called when the port is ours.
    """
    server = uvicorn.Server(_config(portal, certfile=None, keyfile=None))
    with _listen(host, port) as listener, _courier(portal), suppress(KeyboardInterrupt):
        ready()
        server.run(sockets=[listener])


@dataclass(frozen=True)
class Delivery:
    """What became of an event's body: the receiver's status, None where there was no answer."""

    event: str
    task_id: int
    status: int | None


def deliver(portal: Portal, *, transport: httpx.BaseTransport | None = None) -> list[Delivery]:
    """Send what is in the outbox as the portal's queue does: once. What is not taken then is lost."""
    with portal.lock:
        bodies = portal.outbox[:]
        del portal.outbox[:]
    if not bodies:
        return []
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Bitrix24 Webhook Engine"}
    sent = []
    with httpx.Client(transport=transport, headers=headers, timeout=RECEIVER_TIMEOUT_S) as client:
        for one in bodies:
            status: int | None = None
            with suppress(httpx.HTTPError, httpx.InvalidURL):
                status = client.post(one.url, content=one.body).status_code
            sent.append(Delivery(one.event, one.task_id, status))
    return sent


@contextmanager
def _courier(portal: Portal) -> Iterator[None]:
    """A thread that delivers while the block runs."""
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(DELIVERY_EVERY_S):
            deliver(portal)

    thread = threading.Thread(target=work, name="sandbox events", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
