"""`b24tools serve` under attack: how long honest senders wait meanwhile: `python -m tests.bench.attack`.

The server may open 1,024 files. Needs as many again and 500 more for itself.
"""

from __future__ import annotations

import resource
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from tests.bench import measuring, orders, portal
from tests.bench.serve import bodies, post
from tests.bench.serving import ours, process
from tests.support.attacks import HEAD, connections, dripping, start_body

FILES = 1024
MIB = 2**20
ORDER_BYTES = 63 * MIB
BODIES = {
    "[],[],…": b"[" + b"[]," * (ORDER_BYTES // 3) + b"[]]",
    "[[[[…": b"[" * ORDER_BYTES,
    '{"":0,"":0,…': b"{" + b'"":0,' * (ORDER_BYTES // 5) + b'"":0}',
    "spaces": b" " * ORDER_BYTES,
    "digits": b"[" + b"1" * ORDER_BYTES + b"]",
    "a fraction": b"[0." + b"1" * ORDER_BYTES + b"]",
    "line breaks in a string": b'["' + b"\\n" * (ORDER_BYTES // 2) + b'"]',
    "letters in codes": b'["' + b"\\u0416" * (ORDER_BYTES // 6) + b'"]',
    "a text": b'"' + "Ж".encode() * (ORDER_BYTES // 2) + b'"',
    "no JSON": b"x" * ORDER_BYTES,
    "windows-1251": b'["' + b"\xc6" * ORDER_BYTES + b'"]',
    "a form": b"x=" + b"%5B%5D%2C" * (ORDER_BYTES // 9),
}


def ask(port: int, request: bytes, status: int, timeout_s: float = 30) -> float:
    """Return how long a request waits for its answer, in seconds."""
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
        connection.sendall(request)
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    return time.perf_counter() - started


@contextmanager
def sending(port: int, body: bytes) -> Iterator[None]:
    """Send an order while the block runs, until it has been answered."""

    def send() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
            connection.sendall(start_body("/", len(body)) + body)
            answered.append(connection.recv(200).split(b"\r\n")[0])

    answered: list[bytes] = []
    thread = threading.Thread(target=send)
    thread.start()
    yield
    thread.join()
    measuring.tell(f"{answered} ")


def longest(port: int, request: bytes, status: int, seconds: float) -> float:
    """Return how long the slowest of these requests waited, one after the other for so long."""
    end, waited = time.monotonic() + seconds, [0.0]
    while time.monotonic() < end:
        waited.append(ask(port, request, status))
        time.sleep(0.01)
    return max(waited)


def report(running: portal.Running, folder: Path) -> str:
    """The table, in Markdown; the portal is that of `orders`."""
    running.ready(brake=False)
    env = running.environment | {"B24_REQUESTS_PER_SECOND": "1000", "B24_BURST": "1000"}
    limited = ["/bin/sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", *ours()]
    event = post("/webhook", bodies(1)[0])
    ping = b"GET /ping/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with process(limited, folder, env) as served:
        port, log = served.port, folder / "log.log"
        order = [post("/", orders.write(folder).read_bytes()) for _number in range(6)]
        ask(port, order.pop(), 200)
        attacks: dict[str, tuple[Callable[[], AbstractContextManager[object]], bytes, int, float]] = {
            "1,500 half-open connections: an event": (lambda: connections(port, 1500, HEAD), event, 202, 5),
            "1,500 connections that send nothing: an event": (lambda: connections(port, 1500), event, 202, 5),
            "1,500 bodies that do not come: an event": (
                lambda: connections(port, 1500, start_body("/webhook", 9)),
                event,
                202,
                5,
            ),
            "20 senders dripping a head: an order": (lambda: dripping(port, 20, HEAD), b"", 200, 0),
            "20 senders dripping an order: an order": (
                lambda: dripping(port, 20, start_body("/", ORDER_BYTES)),
                b"",
                200,
                0,
            ),
        }
        rows = []
        for name, (attack, request, status, seconds) in attacks.items():
            before = log.stat().st_size
            with attack():
                time.sleep(0.5)
                waited = longest(port, request, status, seconds) if request else ask(port, order.pop(), status)
            rows.append([name, f"{waited * 1000:.0f}", f"{(log.stat().st_size - before) / 1024:.0f}"])
            measuring.tell(".")
        for name, body in {"nothing": None, **BODIES}.items():
            before = log.stat().st_size
            with sending(port, body) if body else nullcontext():
                waited = longest(port, ping, 200, 3)
            rows.append(
                [f"63 MB, {name}: /ping/", f"{waited * 1000:.0f}", f"{(log.stat().st_size - before) / 1024:.0f}"]
            )
    return "Under attack\n\n" + measuring.table(("", "longest wait, ms", "log, KB"), rows)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with (
        tempfile.TemporaryDirectory() as name,
        portal.running(Path(name) / "portal", orders.PEOPLE, orders.TASKS) as running,
    ):
        sys.stdout.write(report(running, Path(name)))


if __name__ == "__main__":
    main()
