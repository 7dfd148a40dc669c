"""Connections that the clients of a service leave to one another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from b24tools.bitrix24.client import Client, Connections
from b24tools.bitrix24.rate_limit import RateLimiter


class _Portal(BaseHTTPRequestHandler):
    """Answers everything, and notes from which port it was asked and with which cookies."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[int, str | None]]

    def do_POST(self) -> None:
        """Answer, and begin a session as PHP does."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.client_address[1], self.headers["Cookie"]))
        body = b'{"result": true}'
        self.send_response(200)
        self.send_header("Set-Cookie", "PHPSESSID=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """A portal that counts from nothing."""
    _Portal.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Portal) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/rest/1/secretsecret/"
        server.shutdown()
        thread.join()


def _ask(address: str, connections: Connections, *, is_idle: bool) -> None:
    client = Client(address, rate_limiter=RateLimiter(None), connections=connections)
    client.call("profile")
    client.close(is_idle=is_idle)


def test_the_next_client_goes_on_with_a_connection_but_not_with_the_session(address: str) -> None:
    """Shaking hands costs a portal's distance twice; a session would queue parallel requests."""
    with closing(Connections()) as connections:
        for _client in range(2):
            _ask(address, connections, is_idle=True)

    (first, no_session), second = _Portal.seen
    assert second == (first, no_session)
    assert no_session is None


def test_connections_on_which_somebody_may_wait_are_closed(address: str) -> None:
    """Whoever was given up may still read from them."""
    with closing(Connections()) as connections:
        for _client in range(2):
            _ask(address, connections, is_idle=False)

    assert 2 == len(dict(_Portal.seen))
