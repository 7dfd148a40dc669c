"""Two doors over one emulated portal: an httpx transport in the process, and HTTP/1.1 on a port."""

from __future__ import annotations

import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from typing import Any, Final

import httpx

from b24tools.sandbox.faults import ConnectionCut
from b24tools.sandbox.http import Response
from b24tools.sandbox.records import Outgoing
from b24tools.sandbox.state import Portal

RECEIVER_TIMEOUT_S: Final = 15.0
DELIVERY_EVERY_S: Final = 0.1
STOPS_WITHIN_S: Final = 0.02


def transport(portal: Portal) -> httpx.BaseTransport:
    """Open the door inside the process: `httpx.Client(transport=transport(portal))`."""

    def answer(request: httpx.Request) -> httpx.Response:
        timeout = request.extensions.get("timeout", {}).get("read")
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        asked = (request.method, path, query, dict(request.headers), request.content)
        try:
            response = portal.handle(*asked, scheme=request.url.scheme, read_timeout_s=timeout)
        except ConnectionCut as cut:  # cut before or after the work looks the same: that is the point
            if cut.how == "unreachable":
                raise httpx.ConnectError("Connection refused", request=request) from cut
            if cut.how == "timeout":
                raise httpx.ReadTimeout("The read operation timed out", request=request) from cut
            text = "Server disconnected without sending a response."
            raise httpx.RemoteProtocolError(text, request=request) from cut
        body = _break_off(response.body) if response.truncated else response.body
        return httpx.Response(response.status, headers=_list_headers(response), content=body)

    return httpx.MockTransport(answer)


def _break_off(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


def _list_headers(response: Response) -> list[tuple[bytes, bytes]]:
    """List headers as they travel: a Cyrillic host in Location as UTF-8, which no standard allows."""
    headers = {"Content-Length": str(len(response.body)), **response.headers}
    return [(name.encode(), value.encode()) for name, value in headers.items()]


class _Door(ThreadingTCPServer):
    """The door on a port: a server of ASGI applications has no word for cutting a connection, this one closes it."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = os.name == "posix"  # on Windows it would share a port that is taken

    def __init__(self, portal: Portal, address: tuple[str, int], tls: ssl.SSLContext | None) -> None:
        self.portal = portal
        self.scheme = "https" if tls else "http"
        self._open: set[Any] = set()
        super().__init__(address, _Connection)  # closes itself where the port is taken
        if tls:  # each connection greets in a thread of its own
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up, but of mistakes of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Cut the connections, too, that clients keep open."""
        super().server_close()
        for request in list(self._open):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # it costs 40 ms an answer
    server: _Door

    def do_POST(self) -> None:
        portal, scheme = self.server.portal, self.server.scheme
        if self.headers.get("Transfer-Encoding"):
            self.send_error(411)  # a body in chunks is not read
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionError("the client hung up before its request was complete")
        path, _, query = self.path.partition("?")
        try:
            if path.rstrip("/") == portal.folder:
                text = _greet(portal, f"{scheme}://{self.headers.get('Host')}")
                response = Response(200, {"Content-Type": "text/plain; charset=utf-8"}, text.encode())
            else:
                response = portal.handle(self.command, path, query, dict(self.headers.items()), body, scheme=scheme)
        except ConnectionCut as cut:
            self.close_connection = True
            if cut.later_s is not None:
                timer = threading.Timer(cut.later_s, portal.run_late)
                timer.daemon = True
                timer.start()
            return
        self.send_response_only(response.status)
        for name, value in _list_headers(response):
            self.send_header(name.decode(), value.decode("latin-1"))
        self.end_headers()
        self.wfile.write(response.body[: len(response.body) // 2] if response.truncated else response.body)
        self.close_connection = self.close_connection or response.truncated

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: addresses hold the secret."""


def _greet(portal: Portal, base_url: str) -> str:
    return (
        f"Учебный портал Битрикс24 «{portal.domain}» (b24tools sandbox)\n\n"
        f"Людей: {len(portal.users)}, отделов: {len(portal.departments)}, задач: {len(portal.tasks)}.\n"
        f"Методы REST: {base_url}{portal.folder}/rest/{portal.owner_id}/<код вебхука>/<метод>\n"
        "Код вебхука напечатан при запуске.\n"
    )


@contextmanager
def _run_in_thread(work: Callable[[], object], name: str, stop: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()


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
    """Put the portal on a port while the block runs; gives its base URL. Port 0 takes a free one.

    With `send_events` the bodies in the outbox go where the outgoing webhooks point, else `deliver` sends them.
    """
    tls = None
    if certfile is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certfile, keyfile)
    with (
        _Door(portal, (host, port), tls) as door,
        _send_events(portal) if send_events else nullcontext(),
        _run_in_thread(lambda: door.serve_forever(STOPS_WITHIN_S), "sandbox portal", door.shutdown),
    ):
        yield f"{door.scheme}://{host}:{door.server_address[1]}"


def run(portal: Portal, host: str = "127.0.0.1", port: int = 8024, ready: Callable[[], None] = lambda: None) -> None:
    """Put the portal on a port until Ctrl+C, sending its events. A port that is taken is an OSError.

    `ready` is called when the port is ours.
    """
    with _Door(portal, (host, port), None) as door, _send_events(portal), suppress(KeyboardInterrupt):
        ready()
        door.serve_forever()


def deliver(portal: Portal, *, transport: httpx.BaseTransport | None = None) -> list[tuple[Outgoing, int | None]]:
    """Send what is in the outbox as the portal's queue does: once. What is not taken then is lost.

    Gives the receiver's status for each, None where there was no answer.
    """
    with portal.lock:
        bodies, portal.outbox[:] = portal.outbox[:], []
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Bitrix24 Webhook Engine"}
    sent = []
    for outgoing in bodies:
        status: int | None = None
        with (
            suppress(httpx.HTTPError, httpx.InvalidURL),
            httpx.Client(transport=transport, headers=headers, timeout=RECEIVER_TIMEOUT_S) as client,
        ):
            status = client.post(outgoing.url, content=outgoing.body).status_code
        sent.append((outgoing, status))
    return sent


@contextmanager
def _send_events(portal: Portal) -> Iterator[None]:
    stopping = threading.Event()

    def work() -> None:
        while not stopping.wait(DELIVERY_EVERY_S):
            deliver(portal)

    with _run_in_thread(work, "sandbox events", stopping.set):
        yield
