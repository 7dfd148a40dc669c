"""A mass change on the portal, with `b24tools serve` killed in the middle.

    python -m tests.bench.storm [EVENTS [TASKS]]

`serve` is another process, killed by SIGKILL and started again; what was not answered is sent again. Then it is told
whether every event that was answered is in the database, whether each task counts exactly once, and how fast it was.
In webhook mode events are followed as they come; in polling mode they are kept, and followed after the switch.
Then five times as many come, with questions between them, and the memory it takes is told (on Linux).
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.store import open_store
from tests.support.server import OUTGOING, event_body

EVENTS, TASKS, CLIENTS = 20_000, 4_000, 16
NUMBER = re.compile(r"(?<=event_handler_id=)\d+")
PATIENCE_S = 600.0


@dataclass
class Sender:
    """Sends bodies over kept connections; what was not answered when the other side died is to be sent again."""

    bodies: dict[int, bytes]
    answered: set[int] = field(default_factory=set)
    refused: list[bytes] = field(default_factory=list)

    def send(self, port: int, kill_at: int = 0, kill: int = 0) -> float:
        """Events a second, until all are answered, or until the process `kill` is killed after so many answers."""
        waiting = [number for number in self.bodies if number not in self.answered]
        before, started = len(self.answered), time.perf_counter()
        rest = iter(waiting)
        with selectors.DefaultSelector() as selector:
            for _client in range(CLIENTS):
                self._next(selector, socket.create_connection(("127.0.0.1", port)), rest)
            while selector.get_map():
                for key, _events in selector.select():
                    assert isinstance(key.fileobj, socket.socket)
                    self._receive(selector, key.fileobj, key.data, rest)
                if kill and len(self.answered) >= kill_at:
                    os.kill(kill, signal.SIGKILL)
                    kill = 0
        return (len(self.answered) - before) / (time.perf_counter() - started)

    def _next(self, selector: selectors.BaseSelector, connection: socket.socket, rest: Iterator[int]) -> None:
        number = next(rest, None)
        with suppress(KeyError):
            selector.unregister(connection)
        if number is None:
            connection.close()
            return
        body = self.bodies[number]
        try:
            connection.sendall(
                b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
        except OSError:
            connection.close()
            return
        selector.register(connection, selectors.EVENT_READ, (number, bytearray()))

    def _receive(
        self,
        selector: selectors.BaseSelector,
        connection: socket.socket,
        state: tuple[int, bytearray],
        rest: Iterator[int],
    ) -> None:
        number, came = state
        with suppress(OSError):
            came += (more := connection.recv(65536))
            if more and not came.endswith(b"}"):
                return
        if came.startswith(b"HTTP/1.1 202 ") and came.endswith(b"}"):
            self.answered.add(number)
            self._next(selector, connection, rest)
            return
        if came:
            self.refused.append(bytes(came))
        selector.unregister(connection)
        connection.close()


@contextmanager
def served(folder: Path, url: str) -> Iterator[tuple[int, int]]:
    """`b24tools serve`; gives its process id and its port once it listens."""
    settings = {
        "BITRIX_WEBHOOK_URL": url,
        "BITRIX_OUTGOING_TOKEN": OUTGOING,
        "B24_DATA_DIR": str(folder),
        "B24_LANG": "en",
        "B24_REQUESTS_PER_SECOND": "1000",
        "B24_BURST": "1000",
    }
    command = [sys.executable, "-m", "b24tools", "serve", "--port", "0"]
    running = subprocess.Popen(command, env=os.environ | settings, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr is not None
        match = re.search(r"127\.0\.0\.1:(\d+);", running.stderr.readline())
        assert match
        yield running.pid, int(match[1])
    finally:
        running.terminate()
        running.communicate()


def company(tasks: int) -> tuple[Portal, list[int]]:
    """The demo plant, where so many tasks were closed just now."""
    portal = demo_company.build(lambda: datetime.now(UTC))
    people = [user.id for user in portal.users.values() if user.active]
    made = []
    for number in range(tasks):
        fields = {"TITLE": f"Деталь {number}", "RESPONSIBLE_ID": people[number % len(people)]}
        made.append(int(portal.act("tasks.task.add", {"fields": fields})["task"]["id"]))
        portal.act("tasks.task.complete", {"taskId": made[-1]})
    del portal.outbox[:]
    return portal, made


def storm(mode: str, count: int, portal: Portal, tasks: list[int]) -> None:
    """One mode."""
    sender = Sender(
        {
            number: event_body(portal, tasks[number % len(tasks)]).replace(b"id=404", b"id=%d" % number)
            for number in range(count)
        }
    )
    with tempfile.TemporaryDirectory() as name, server.serve(portal) as base:
        folder = Path(name)
        url = portal.webhook_url(base)
        with closing(open_store(folder / "b24tools.db")) as opened:
            opened.settings.save("producer_mode", mode)
        with served(folder, url) as (pid, port):
            before = sender.send(port, count // 2, pid)
        first = len(sender.answered)
        assert first < count
        check_kept(folder, sender)
        with served(folder, url) as (_pid, port):
            after = sender.send(port)
            say(f"{mode}: {before:.0f} events/s, killed after {first}, then {after:.0f} events/s")
            assert (count, []) == (len(sender.answered), sender.refused)
            stored = check_kept(folder, sender)
            started = time.monotonic()
            with closing(open_store(folder / "b24tools.db")) as opened:
                if mode == "polling":
                    assert not opened.events.oldest_unprocessed()
                    opened.settings.save("producer_mode", "webhook")
                while opened.events.oldest_unprocessed() is not None:
                    assert time.monotonic() - started < PATIENCE_S
                    time.sleep(0.2)
                statuses = {event.status for event in opened.events.find()}
                closed = [
                    task
                    for ids in opened.tasks.closed_ids(datetime.min.replace(tzinfo=UTC), datetime.now(UTC)).values()
                    for task in ids
                ]
            health = urlopen(f"http://127.0.0.1:{port}/healthz").read().decode()
        assert {"done"} == statuses, statuses
        assert sorted(closed) == sorted(tasks[:count]), (len(closed), len(tasks))
        say(
            f"{mode}: {count} sent, {stored} kept, {len(closed)} tasks counted of {len(set(tasks[:count]))} sent,"
            f" followed {time.monotonic() - started:.1f} s after the last; {health}"
        )


def endure(count: int, portal: Portal, tasks: list[int]) -> None:
    """Resident memory while ten times so many events come, and many questions."""
    with tempfile.TemporaryDirectory() as name, server.serve(portal) as base:
        folder = Path(name)
        with closing(open_store(folder / "b24tools.db")) as opened:
            opened.settings.save("producer_mode", "webhook")
        with served(folder, portal.webhook_url(base)) as (pid, port):
            for turn in range(10):
                first = turn * count
                sender = Sender(
                    {first + number: event_body(portal, tasks[number % len(tasks)]) for number in range(count)}
                )
                rate = sender.send(port)
                assert (count, []) == (len(sender.answered), sender.refused)
                for path in ("leaderboard?details=1", "board", "users", "tasks/week", "healthz", "openapi.json") * 100:
                    with suppress(HTTPError), urlopen(f"http://127.0.0.1:{port}/{path}") as answer:
                        answer.read()
                resident = re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
                assert resident
                asked = (turn + 1) * 600
                say(f"{first + count} events, {asked} questions: {int(resident[1]) / 1024:.0f} MB, {rate:.0f} events/s")


def check_kept(folder: Path, sender: Sender) -> int:
    """Every event that was answered is in the database; how many are."""
    with closing(open_store(folder / "b24tools.db")) as opened:
        kept = [int(match[0]) for event in opened.events.find() if (match := NUMBER.search(event.body))]
    assert sender.answered <= set(kept), len(sender.answered - set(kept))
    # answered or not, what was under way when it was killed may have been kept, and was sent again
    assert len(kept) <= len(sender.answered) + CLIENTS, (len(kept), len(sender.answered))
    return len(kept)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(count: int, tasks: int) -> None:
    """Both modes."""
    portal, made = company(tasks)
    for mode in ("webhook", "polling"):
        storm(mode, count, portal, made)
    endure(count // 2, portal, made)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*(given + [EVENTS, TASKS][len(given) :]))
