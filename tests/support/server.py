"""`serve` in a thread of the test, over the sandbox portal behind its in-process door."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from b24tools import context
from b24tools.core import config
from b24tools.sandbox.methods import events
from b24tools.sandbox.records import Handler
from b24tools.sandbox.server import transport
from b24tools.sandbox.state import Portal
from b24tools.server import run
from b24tools.server.auth import Access
from b24tools.server.sockets import listen
from b24tools.store import Store, open_store
from tests.support.description import check_answer

OUTGOING = "outgoing-token-of-the-tests"
SERVE = "serve-token-of-the-tests"
BOARD = "board-token-of-the-tests"


@dataclass
class Served:
    """A running `serve`: `client` talks to it, `portal` is what it talks to."""

    url: str
    port: int
    client: httpx.Client
    portal: Portal
    settings: config.Settings
    said: list[str]

    def open_store(self) -> Store:
        """A connection of the test's own."""
        return open_store(self.settings.database)

    def event(self, task_id: int, event: str = "ONTASKUPDATE", token: str = OUTGOING) -> httpx.Response:
        """The portal's outgoing webhook."""
        return self.client.post("/webhook", content=event_body(self.portal, task_id, event, token), headers=FORM)


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def event_body(portal: Portal, task_id: int, event: str = "ONTASKUPDATE", token: str = OUTGOING) -> bytes:
    """As the portal sends it."""
    handler = Handler(404, "https://b24tools.example/webhook", token, frozenset({event}))
    return events.body(event, task_id, handler, context.now(), portal.domain, "0123456789abcdef0123456789abcdef")


@contextmanager
def serving(
    portal: Portal, folder: Path, access: Access | None = None, *, port: int = 0, **more: Any
) -> Iterator[Served]:
    """Until the block ends, on a free port unless one is named; `more` are settings under their environment names."""
    values: dict[str, Any] = {
        "BITRIX_WEBHOOK_URL": portal.webhook_url("https://portal.example"),
        "BITRIX_OUTGOING_TOKEN": OUTGOING,
        "B24_DATA_DIR": folder,
        "B24_REQUESTS_PER_SECOND": 1000,
        "B24_BURST": 1000,
        "B24_RETRY_SECONDS": 5,
    }
    given = {key: value for key, value in (values | more).items() if value is not None}
    settings = config.Settings.model_validate(given)
    said: list[str] = []
    here = context.Session(settings, said.append, transport(portal))
    with ExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", port))
        app = stack.enter_context(run.open_app(here, access or Access()))
        stack.enter_context(running(app, listener))
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        hooks = {"response": [check_answer]}
        client = stack.enter_context(httpx.Client(base_url=url, timeout=60, trust_env=False, event_hooks=hooks))
        yield Served(url, port, client, portal, settings, said)


@contextmanager
def running(app: Any, listener: socket.socket) -> Iterator[None]:
    """uvicorn in a thread."""
    server = run.make_server(app, stop_within_s=20)
    thread = threading.Thread(target=server.run, args=([listener],), name="serve", daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def order(lines: Any = (("Сварщик", 60.0),), **changes: Any) -> dict[str, Any]:
    """A small order as 1C sends it."""
    return {
        "ИдентификаторЗаказа": "11111111-2222-3333-4444-555555555555",
        "НомерЗаказа": "1Ц-00000100",
        "ДатаЗаказа": "2026-11-20T12:00:00",
        "Исполнитель": "Производство",
        "Калькуляция": [{"Должность": position, "Время": minutes} for position, minutes in lines],
        **changes,
    }


def as_bytes(value: Any, encoding: str = "utf-8") -> bytes:
    """JSON as 1C writes it."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode(encoding)


def raw(port: int, *parts: bytes, answer: bool = True) -> bytes:
    """What comes back on a bare connection for these bytes; without `answer`: hang up at once."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        if not answer:
            return b""
        return b"".join(iter(lambda: connection.recv(65536), b""))


def head(method: str, path: str, *lines: str) -> bytes:
    """The head of a request."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def wait_until(reached: Callable[[], bool], seconds: float = 15) -> None:
    """Until it is so."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def hash_inlined(page: str) -> dict[str, str]:
    """What a page's policy has to allow: of its one script and its one style, by the name of the element."""
    texts = {kind: re.findall(rf"<{kind}>(.*?)</{kind}>", page, re.S) for kind in ("script", "style")}
    return {
        kind: f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for kind, (text,) in texts.items()
    }
