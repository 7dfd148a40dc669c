"""How many events a second `b24tools serve` takes, beside a bare FastAPI endpoint that only parses the same body.

`python -m tests.bench.serve [EVENTS]`: each a process of its own, sent the same bodies over the same number of
connections, in turns; the figures are of the same machine in the same run.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from b24tools import store
from b24tools.sandbox.portal import Portal

EVENTS, WARM_UP, CLIENTS, ROUNDS = 6_000, 300, 16, 5
TOKEN = "benchmark-token"
BARE = """
import sys
from urllib.parse import parse_qsl

import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/webhook", status_code=202)
async def webhook(request: Request) -> dict[str, str]:
    pairs = dict(parse_qsl((await request.body()).decode()))
    return {"status": "accepted" if pairs["event"] else "ignored"}


print("listening on port", sys.argv[1], file=sys.stderr, flush=True)  # noqa: T201 - a tool's output
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="error")
"""


def bodies(count: int) -> list[bytes]:
    """What the portal would send about so many tasks."""
    portal = Portal(lambda: datetime.now(UTC))
    handler = portal.add_handler("http://127.0.0.1/webhook", TOKEN)
    return [portal.event_body("ONTASKUPDATE", number + 1, handler) for number in range(count)]


def measure(port: int, sent: list[bytes]) -> float:
    """Events a second over kept connections, each sending when it was answered: what one process can ask for."""
    waiting = iter(sent)
    good = 0

    def send(connection: socket.socket) -> int:
        body = next(waiting, None)
        if body is None:
            return 0
        connection.sendall(
            b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        return 1

    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _number in range(CLIENTS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            selector.register(connection, selectors.EVENT_READ, bytearray())
        started = time.perf_counter()
        busy = sum(send(key.fileobj) for key in selector.get_map().values() if isinstance(key.fileobj, socket.socket))
        while busy:
            for key, _events in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                key.data.extend(key.fileobj.recv(65536))
                if key.data.endswith(b"}"):  # the end of the answer's JSON
                    good += key.data.startswith(b"HTTP/1.1 202 ")
                    key.data.clear()
                    busy -= 1 - send(key.fileobj)
        spent = time.perf_counter() - started
    assert good == len(sent), good
    return len(sent) / spent


@contextmanager
def process(words: list[str], folder: Path) -> Iterator[int]:
    """A server; gives its port once it listens."""
    settings = {"B24_DATA_DIR": str(folder), "BITRIX_OUTGOING_TOKEN": TOKEN, "B24_LANG": "en"}
    found = None
    running = subprocess.Popen(words, env=os.environ | settings, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr is not None
        while found is None:
            found = re.search(r"(?:127.0.0.1:|port )(\d+)", running.stderr.readline())
        port = int(found[1])
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.communicate()


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def main(count: int) -> None:
    """Both, in turns."""
    sent = bodies(count)
    rates: dict[str, list[float]] = {"bare": [], "b24tools": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        commands = {
            "bare": [sys.executable, "-c", BARE, free_port()],
            "b24tools": [sys.executable, "-m", "b24tools", "serve", "--port", "0"],
        }
        for _round in range(ROUNDS):
            for which, words in commands.items():
                with process(words, folder) as port:
                    measure(port, sent[:WARM_UP])
                    rates[which].append(measure(port, sent))
                print(f"{which:9} {rates[which][-1]:6.0f} events/s")  # noqa: T201 - a tool's output
        with closing(store.open_store(folder / "b24tools.db")) as opened:
            kept = len(opened.events())
    assert kept == ROUNDS * (count + WARM_UP), kept
    bare, ours = max(rates["bare"]), max(rates["b24tools"])
    shares = sorted(one / other for one, other in zip(rates["b24tools"], rates["bare"], strict=True))
    told = f"bare {bare:.0f}/s, b24tools {ours:.0f}/s: {ours / bare:.0%}"
    print(f"{told}; of the turns {shares[0]:.0%} to {shares[-1]:.0%}")  # noqa: T201 - a tool's output


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
