"""Two machines on one PostgreSQL, one of them killed, and the server started anew, while orders and events come.

    python -m tests.bench.hosts [ORDERS [EVENTS]]

Every order goes to both machines at once, and again until it is answered with 200; every event to one of them, until
it is answered with 202. Each `serve` is killed by SIGKILL in the middle and started again, and PostgreSQL is stopped as
by a power cut; it saves on the disk what it commits. Then it is said whether each line has one task, whether all events
were followed, how fast it was, and by how much the portal's limit, which both have together, was exceeded.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from b24tools.core import database_url
from b24tools.sandbox import server
from b24tools.store import open_store
from tests.bench.storm import company, say
from tests.support import postgres
from tests.support.server import OUTGOING, event_body, order

LONGEST_S = 600.0
CLIENTS = 8
PER_SECOND, BURST = 2, 5  # requests to the portal, of both machines


class Host:
    """A machine: its `serve`, which can be killed."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        folder.mkdir()
        self._folder = folder
        self._settings = os.environ | settings | {"B24_DATA_DIR": str(folder), "B24_LANG": "en"}
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "b24tools", "serve", "--port", "0"]
        self._running = subprocess.Popen(
            command, env=self._settings, cwd=self._folder, stderr=subprocess.PIPE, text=True
        )
        assert self._running.stderr is not None
        found = None
        while not found:
            line = self._running.stderr.readline()
            assert line, "serve has ended"
            found = re.search(r"127\.0\.0\.1:(\d+);", line)
        self.port = int(found[1])

    def kill(self) -> None:
        self._running.send_signal(signal.SIGKILL)
        self._running.communicate()

    def stop(self) -> None:
        self._running.terminate()
        self._running.communicate()


@contextmanager
def open_hosts(settings: dict[str, str], folder: Path) -> Iterator[list[Host]]:
    """Two of them, one after the other: the first one makes the schema."""
    hosts = [Host(folder / name, settings) for name in ("one", "two")]
    try:
        yield hosts
    finally:
        for host in hosts:
            host.stop()


def send(host: Host, path: str, body: bytes, kind: str, wanted: int) -> Counter[str]:
    """Send until it is taken; what was answered before, by status or error."""
    answers: Counter[str] = Counter()
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        request = Request(f"http://127.0.0.1:{host.port}{path}", body, {"Content-Type": kind})
        try:
            with urlopen(request, timeout=120) as answer:
                if answer.status == wanted:
                    return answers
                answers[str(answer.status)] += 1
        except URLError as error:  # an answer of another status is one, too
            answers[str(getattr(error, "code", "no connection"))] += 1
            assert getattr(error, "code", 503) == 503, error.read()  # type: ignore[attr-defined]
        except (OSError, ValueError) as error:
            answers[type(error).__name__] += 1
        time.sleep(0.3)
    raise AssertionError(f"not taken: {answers}")


def find_fullest(moments: Sequence[float]) -> float:
    """The fullest that a bucket was that these requests fill and PER_SECOND empties: BURST, if the limit was obeyed."""
    level = fullest = last = 0.0
    for moment in moments:
        level = max(0.0, level - (moment - last) * PER_SECOND) + 1
        fullest, last = max(fullest, level), moment
    return fullest


def say_rate(what: str, moments: Sequence[float]) -> None:
    """How much of the portal's limit was used."""
    seconds = moments[-1] - moments[0]
    rate = f"{len(moments)} requests, {len(moments) / seconds:.1f}/s of {PER_SECOND}"
    say(f"{what}: {rate}, {find_fullest(moments):.0f} of {BURST} at once")


def main() -> None:
    """The whole of it."""
    orders, events = [*map(int, sys.argv[1:]), 100, 2000][:2] if len(sys.argv) < 3 else map(int, sys.argv[1:3])
    programs = postgres.find_programs()
    assert programs is not None, "there is no PostgreSQL here"
    portal, tasks = company(min(events, 500))
    with (
        tempfile.TemporaryDirectory() as name,
        postgres.run_server(programs, postgres.SAFE) as database,
        server.serve(portal) as base,
    ):
        url = f"{database.url}&schema=hosts"
        settings = {
            "BITRIX_WEBHOOK_URL": portal.webhook_url(base),
            "BITRIX_OUTGOING_TOKEN": OUTGOING,
            "B24_DATABASE_URL": url,
            "B24_REQUESTS_PER_SECOND": str(PER_SECOND),
            "B24_BURST": str(BURST),
        }
        address = database_url.read(url, Path(name))
        with closing(open_store(address)) as opened:
            opened.settings.save("producer_mode", "webhook")
        lines = [("Сварщик", 30.0), ("Макетчик", 15.0)]
        bodies = [json.dumps(order(lines, ИдентификаторЗаказа=f"h{n}", НомерЗаказа=f"h{n}")) for n in range(orders)]
        done = threading.Semaphore(0)

        def disturb(hosts: list[Host], count: int) -> None:
            """Once a quarter of it is taken, once half of it is, and once three quarters are."""
            for number in range(count):
                done.acquire()
                if number in (count // 4, 3 * count // 4):
                    host = hosts[number > count // 2]
                    host.kill()
                    host.start()
                if number == count // 2:
                    database.stop()
                    time.sleep(2)
                    database.start()

        def take(host: Host, path: str, body: bytes, kind: str, wanted: int) -> Counter[str]:
            try:
                return send(host, path, body, kind, wanted)
            finally:
                done.release()

        with open_hosts(settings, Path(name)) as hosts:
            for what, jobs in (
                ("orders", [(h, "/", b.encode(), "application/json", 200) for b in bodies for h in hosts]),
                (
                    "events",
                    [
                        (
                            hosts[n % 2],
                            "/webhook",
                            event_body(portal, tasks[n % len(tasks)]),
                            "application/x-www-form-urlencoded",
                            202,
                        )
                        for n in range(events)
                    ],
                ),
            ):
                before, started = len(portal.log), time.monotonic()
                trouble = threading.Thread(target=disturb, args=(hosts, len(jobs)))
                trouble.start()
                with ThreadPoolExecutor(CLIENTS) as pool:
                    answers = sum(pool.map(lambda job: take(*job), jobs), Counter())
                trouble.join()
                seconds = time.monotonic() - started
                rate = f"{len(jobs)} taken in {seconds:.0f} s, {len(jobs) / seconds:.0f}/s"
                say(f"{what}: {rate}; refused before: {dict(answers)}")
                say_rate(what, [entry.at.timestamp() for entry in portal.log[before:]])
            started = time.monotonic()
            with closing(open_store(address)) as opened:
                while opened.events.oldest_unprocessed() is not None:
                    assert time.monotonic() - started < LONGEST_S
                    time.sleep(0.5)
                statuses = opened.events.count_by_status()
                outcomes = opened.orders.count_by_outcome()
        made = Counter(task.xml_id for task in portal.tasks if (task.xml_id or "").startswith("1c:"))
        say(f"{len(made)} lines of {2 * orders} have a task, {sum(made.values())} tasks; orders {outcomes}")
        say(f"events {statuses}, followed {time.monotonic() - started:.0f} s after the last")
        assert (2 * orders, 2 * orders) == (len(made), sum(made.values()))
        assert events <= sum(statuses.values()) and {"done", "ignored"} >= statuses.keys()


if __name__ == "__main__":
    main()
