"""`b24tools serve` under load: events and orders a second, how long each waits, memory: `python -m tests.bench.serve`.

A bare FastAPI endpoint that only parses the same bodies is measured beside it, in turns.
"""

from __future__ import annotations

import re
import selectors
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from b24tools.sandbox.state import Portal
from tests.bench import measuring, orders, portal
from tests.bench.measuring import program
from tests.bench.serving import TOKEN, free_port, ours, process

EVENTS, WARM_UP, CLIENTS, ROUNDS = 6_000, 300, 16, 3
ORDERS, ORDER_CLIENTS = 40, 4
HOUR_EVENTS, HOUR_LOOKS = 18_000, 180  # five events a second; somebody looks at the board every twenty
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


print("listening on port", sys.argv[1], file=sys.stderr, flush=True)
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="error")
"""


@dataclass(frozen=True)
class Load:
    """What became of many requests: how many a second, and seconds that half and 99 of 100 waited at most."""

    rate: float
    p50_s: float
    p99_s: float


def bodies(count: int) -> list[bytes]:
    """What the portal would send about so many tasks."""
    sender = Portal(lambda: datetime.now(UTC))
    handler = sender.add_handler("http://127.0.0.1/webhook", TOKEN)
    return [sender.event_body("ONTASKUPDATE", number + 1, handler) for number in range(count)]


def post(path: str, body: bytes) -> bytes:
    """A request."""
    return b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)) + body


def send(port: int, requests: Iterable[bytes], clients: int, status: int) -> Load:
    """Over kept connections, each sending when it was answered: what one process can ask for."""
    waiting = deque(requests)
    count, taken = len(waiting), []
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())

        def start(connection: socket.socket) -> bool:
            if not waiting:
                selector.unregister(connection)
                return False
            connection.sendall(waiting.popleft())
            selector.modify(connection, selectors.EVENT_READ, (bytearray(), time.perf_counter()))
            return True

        started = time.perf_counter()
        busy = 0
        for _number in range(min(clients, count)):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            selector.register(connection, selectors.EVENT_READ)
            busy += start(connection)
        while busy:
            for key, _events in selector.select():
                answer, since = key.data
                assert isinstance(key.fileobj, socket.socket)
                answer.extend(key.fileobj.recv(65536))
                if answer.endswith(b"}") and _is_whole(answer):
                    assert answer.startswith(b"HTTP/1.1 %d " % status), bytes(answer)
                    taken.append(time.perf_counter() - since)
                    busy -= not start(key.fileobj)
        spent = time.perf_counter() - started
    assert len(taken) == count
    taken.sort()
    return Load(count / spent, taken[count // 2], taken[count * 99 // 100])


def _is_whole(answer: bytearray) -> bool:
    head, _gap, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return length is not None and len(body) == int(length[1])


def events(folder: Path) -> list[list[str]]:
    """Rows: the bare endpoint and ours, in turns."""
    sent = [post("/webhook", body) for body in bodies(EVENTS)]
    commands = {"a bare FastAPI endpoint": [sys.executable, "-c", BARE, free_port()], "b24tools serve, events": ours()}
    loads: dict[str, list[Load]] = {name: [] for name in commands}
    for _round in range(ROUNDS):
        for name, words in commands.items():
            with process(words, folder, {}) as served:
                send(served.port, sent[:WARM_UP], CLIENTS, 202)
                loads[name].append(send(served.port, sent, CLIENTS, 202))
        measuring.tell(".")
    return [row(name, of, CLIENTS) for name, of in loads.items()]


def many_orders(running: portal.Running, folder: Path) -> list[str]:
    """A row: different orders at once; without the portal's brake, which would be all that is seen."""
    running.ready(brake=False)
    env = running.environment | {"B24_REQUESTS_PER_SECOND": "1000", "B24_BURST": "1000"}
    with process(ours(), folder, env) as served:
        sent = [post("/", orders.write(folder).read_bytes()) for _number in range(ORDERS + 1)]
        send(served.port, sent[:1], 1, 200)
        load = send(served.port, sent[1:], ORDER_CLIENTS, 200)
    return row("b24tools serve, orders", [load], ORDER_CLIENTS)


def row(name: str, loads: Sequence[Load], clients: int) -> list[str]:
    """Medians of the rounds."""
    rate, p50_s, p99_s = (statistics.median(getattr(load, figure) for load in loads) for figure in Load.__annotations__)
    return [
        name,
        str(clients),
        f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}",
        f"{p50_s * 1000:.0f}",
        f"{p99_s * 1000:.0f}",
    ]


def hour(running: portal.Running, folder: Path) -> str:
    """A line about memory: an hour's events, kept and followed as fast as they come, and looks at the board."""
    running.ready(brake=False)
    env = running.environment | {"B24_REQUESTS_PER_SECOND": "1000", "B24_BURST": "1000"}
    measuring.run(program("b24tools", "mode", "webhook"), env | {"B24_DATA_DIR": str(folder)}, folder)
    some = bodies(orders.TASKS)
    sent = [post("/webhook", some[number % len(some)]) for number in range(HOUR_EVENTS)]
    request = b"GET /leaderboard HTTP/1.1\r\nHost: localhost\r\n\r\n"
    held = []
    with process(ours(), folder, env) as served:
        held.append(served.memory_mb())
        for part in range(3):
            first, size = part * len(sent) // 3, len(sent) // 3
            send(served.port, sent[first : first + size], CLIENTS, 202)
            send(served.port, [request] * (HOUR_LOOKS // 3), 2, 200)
            _wait_until_followed(folder)
            held.append(served.memory_mb())
            measuring.tell(".")
    figures = ", ".join(f"{size_mb:.0f}" for size_mb in held[1:])
    return (
        f"Memory of `b24tools serve` with an hour of {HOUR_EVENTS} events in fast motion, without the limit:"
        f" {held[0]:.0f} MB at the start, {figures} after each third.\n"
    )


def _wait_until_followed(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "b24tools.db")) as connection:
        while connection.execute("SELECT count(*) FROM events WHERE status = 'waiting'").fetchone()[0]:
            time.sleep(0.2)


def report(running: portal.Running, folder: Path) -> str:
    """The table and a line, in Markdown; the portal is that of `orders`."""
    rows = []
    for measure in (lambda mine: events(mine), lambda mine: [many_orders(running, mine)]):
        rows += measure(Path(tempfile.mkdtemp(dir=folder)))
    text = "Serving\n\n" + measuring.table(("", "at once", "a second", "p50 ms", "p99 ms"), rows)
    return text + "\n" + hour(running, Path(tempfile.mkdtemp(dir=folder)))


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        portal.running(Path(name) / "portal", orders.PEOPLE, orders.TASKS) as running,
    ):
        sys.stdout.write(report(running, Path(name)))


if __name__ == "__main__":
    main()
