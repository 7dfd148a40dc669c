"""Who keeps a server busy without coming to the point: half-open connections, senders who drip, readers who do not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

HEAD = b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nX: "
BODY = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def connections(port: int, count: int, start: bytes = b"") -> Iterator[list[socket.socket]]:
    """Open so many connections, each of which sends `start` and nothing more."""
    with ExitStack() as stack:
        opened = []
        for _number in range(count):
            opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30)))
            opened[-1].sendall(start)
        yield opened


@contextmanager
def dripping(port: int, count: int, start: bytes, drop: bytes = b"x", every_s: float = 1.0) -> Iterator[None]:
    """Let so many senders go on, a drop at a time, until the block ends; who was dropped comes again."""
    ended = threading.Event()

    def drip() -> None:
        while not ended.is_set():
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=30) as sender:
                    sender.sendall(start)
                    while not ended.wait(every_s):
                        sender.sendall(drop)
            except OSError:
                time.sleep(0.01)

    threads = [threading.Thread(target=drip, daemon=True) for _number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def is_open(connection: socket.socket) -> bool:
    """Return whether the other side has not closed it."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def start_body(path: str, size: int) -> bytes:
    """Return the head of a request whose body is to come."""
    return BODY % (path.encode(), size)
