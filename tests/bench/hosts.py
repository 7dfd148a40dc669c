"""Four machines on one PostgreSQL, of which some are killed, and the server started anew, while orders and events come.

    python -m tests.bench.hosts [ORDERS EVENTS]

Two machines run `serve`, two the lines of `crontab.example` in turns; each has a data folder of its own. Every order
goes to both `serve` at once, every tenth also into the inbox of either cron, and again until it is answered with 200.
Every event says that a task has got a new title; it goes to one `serve`, until it is answered with 202. Each `serve`
and each cron is killed by SIGKILL in the middle, and PostgreSQL is stopped as by a power cut; it saves on the disk what
it commits. It fails unless each line has one task, all events that were accepted were followed, each task counts once
and has the last title, no inbox has an order left, no command has ended otherwise than it may, and the portal's limit
was obeyed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from b24tools.core import database_url
from b24tools.core.database_url import DatabaseUrl
from b24tools.sandbox import server
from b24tools.sandbox.state import Portal
from b24tools.store import Store, open_store
from tests.bench.storm import NUMBER, company, say
from tests.support import postgres
from tests.support.processes import MAIN
from tests.support.server import FORM, OUTGOING, event_body, order

LONGEST_S = 900.0
CLIENTS = 12
CRON_PAUSE_S = 15.0
PER_SECOND, BURST = 2, 5  # requests to the portal, of all machines
LATE = 4  # requests that were sent later than they were allowed: one a machine
CHAT = 42
LINES = (("Сварщик", 30.0), ("Макетчик", 15.0))
JSON = {"Content-Type": "application/json"}
INBOX = "/srv/1c/orders"
# What a command may end with: done, another one is at work or the server away, killed; doctor has findings
MAY_END = {0, 75, -signal.SIGKILL}
MAY_FIND = {"doctor": {1, 2, 3}}


@dataclass
class Machine:
    """A machine with a data folder. `code` is run before the program."""

    folder: Path
    settings: Mapping[str, str]
    code: str = ""
    running: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir()

    def run(self, *words: str) -> subprocess.Popen[str]:
        """`b24tools` with these words."""
        own = {"B24_DATA_DIR": str(self.folder), "B24_LANG": "en", "B24_TZ": "Europe/Moscow"}
        command = [sys.executable, "-c", self.code + MAIN, *words]
        pipe = subprocess.PIPE
        env = {**os.environ, **self.settings, **own}
        self.running = subprocess.Popen(command, env=env, cwd=self.folder, stdout=pipe, stderr=pipe, text=True)
        return self.running


class Service(Machine):
    """One that runs `serve`."""

    port = 0

    def start(self) -> None:
        said = self.run("serve", "--port", "0").stderr
        assert said is not None
        match = None
        while not match:
            line = said.readline()
            assert line, "serve has ended"
            match = re.search(r"127\.0\.0\.1:(\d+);", line)
        self.port = int(match[1])
        self._reader = threading.Thread(target=said.read, daemon=True)  # a full pipe would stop it
        self._reader.start()

    def kill(self) -> None:
        """Kill it, and start it again."""
        started = time.monotonic()
        self.stop(signal.SIGKILL)
        self.start()
        say(f"{self.folder.name} was killed, and back after {time.monotonic() - started:.1f} s")

    def stop(self, how: int = signal.SIGTERM) -> None:
        assert self.running is not None
        self.running.send_signal(how)
        self.running.wait()
        self._reader.join()
        assert self.running.stdout is not None and self.running.stderr is not None
        self.running.stdout.close()
        self.running.stderr.close()


@dataclass
class Cron(Machine):
    """One that runs the lines of cron in turns. `ended`: how often which command ended how, and what it said."""

    ended: Counter[tuple[str, int]] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.inbox = self.folder / "inbox"
        self.inbox.mkdir()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def start(self) -> None:
        self._thread.start()

    def _work(self) -> None:
        while not self._stopping.is_set():
            for words in read_crontab():
                self.end(*words)
                if self._stopping.wait(CRON_PAUSE_S):
                    return

    def end(self, *words: str) -> int:
        """Run a line to its end; its status."""
        running = self.run(*(str(self.inbox) if word == INBOX else word for word in words))
        out, err = running.communicate()
        assert "Traceback" not in err, err
        self.ended[words[1], running.returncode] += 1
        for line in (out * (running.returncode not in MAY_END) + err).splitlines():
            self.said[f"{words[1]}: {re.sub(r'[0-9]+', 'N', line)}"] += 1
        return running.returncode

    def kill(self) -> None:
        """Kill the command that runs, or the next one."""
        while self.running is None or self.running.poll() is not None:
            time.sleep(0.01)
        self.running.send_signal(signal.SIGKILL)

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.ident:
            self._thread.join()


def read_crontab() -> list[list[str]]:
    """The words of each line of the example, after the file of settings."""
    text = (Path(__file__).parents[2] / "crontab.example").read_text(encoding="utf-8")
    return [shlex.split(line) for line in re.findall(r"^\S+ .*/\.env (-q .*)$", text, re.MULTILINE)]


def send(service: Service, path: str, body: bytes, headers: Mapping[str, str], wanted: int) -> Counter[str]:
    """Send until it is taken; what was answered before, by status or error."""
    answers: Counter[str] = Counter()
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        request = Request(f"http://127.0.0.1:{service.port}{path}", body, dict(headers))
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


@dataclass(frozen=True)
class Plant:
    """What the machines share: the portal with its closed tasks, the server, and how much is sent."""

    portal: Portal
    tasks: list[int]
    database: postgres.Server
    address: DatabaseUrl
    services: list[Service]
    crons: list[Cron]
    orders: int
    events: int

    def list_jobs(self) -> Iterator[Callable[[], Counter[str]]]:
        """All that is sent: after each order, to both at once, its share of the events."""
        sent = 0
        for number in range(self.orders):
            body = json.dumps(order(LINES, ИдентификаторЗаказа=f"h{number}", НомерЗаказа=f"h{number}")).encode()
            for service in self.services:
                yield lambda service=service, body=body: send(service, "/", body, JSON, 200)  # type: ignore[misc]
            if number % 10 == 0:
                for cron in self.crons:
                    (cron.inbox / f"h{number}.json").write_bytes(body)
            upto = self.events * (number + 1) // self.orders
            for event in range(sent, upto):
                yield lambda event=event: self.send_event(event)  # type: ignore[misc]
            sent = upto

    def send_event(self, number: int) -> Counter[str]:
        """Give a task another title, and say so."""
        task = self.tasks[number % len(self.tasks)]
        self.portal.act("tasks.task.update", {"taskId": task, "fields": {"TITLE": f"Деталь {task}, событие {number}"}})
        body = event_body(self.portal, task).replace(b"id=404", b"id=%d" % number)
        return send(self.services[number % 2], "/webhook", body, FORM, 202)

    def disturb(self, done: threading.Semaphore, count: int) -> None:
        """Kill one machine after the other, and stop the server, while the `count` jobs are done."""
        at = {
            count // 8: self.services[0].kill,
            count // 4: self.crons[0].kill,
            count // 2: self.restart_server,
            count * 3 // 4: self.crons[1].kill,
            count * 7 // 8: self.services[1].kill,
        }
        for number in range(count):
            done.acquire()
            if number in at:
                at[number]()

    def restart_server(self) -> None:
        """As after a power cut of two seconds."""
        self.database.stop()
        time.sleep(2)
        self.database.start()

    def work(self) -> None:
        """Send all of it, and say how fast it was."""
        jobs = list(self.list_jobs())
        done = threading.Semaphore(0)
        before, started = len(self.portal.log), time.monotonic()

        def take(job: Callable[[], Counter[str]]) -> Counter[str]:
            try:
                return job()
            finally:
                done.release()

        trouble = threading.Thread(target=self.disturb, args=(done, len(jobs)))
        trouble.start()
        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = sum(pool.map(take, jobs), Counter())
        trouble.join()
        seconds = time.monotonic() - started
        say(f"{2 * self.orders} orders and {self.events} events taken in {seconds:.0f} s; before that: {dict(answers)}")
        moments = [entry.at.timestamp() for entry in self.portal.log[before:]]
        fullest = find_fullest(moments)
        rate = f"{len(moments)} requests, {len(moments) / seconds:.1f}/s of {PER_SECOND}"
        say(f"the portal: {rate}, {fullest:.1f} of {BURST} at once")
        assert fullest <= BURST + LATE, fullest

    def check(self) -> None:
        """After the last order and event: let the machines finish, and look at what there is."""
        started = time.monotonic()
        for cron in self.crons:
            cron.stop()
        with closing(open_store(self.address)) as opened:
            while opened.events.oldest_unprocessed() is not None:
                assert time.monotonic() - started < LONGEST_S
                time.sleep(0.2)
            say(f"events followed {time.monotonic() - started:.0f} s after the last")
            for cron in self.crons:
                assert 0 == cron.end("-q", "assign", "--inbox", INBOX), cron.said
            self._check_cron()
            self._check_orders(opened)
            self._check_events(opened)

    def _check_cron(self) -> None:
        for cron in self.crons:
            ended = {f"{command} {status}": number for (command, status), number in sorted(cron.ended.items())}
            say(f"{cron.folder.name}: {ended}")
            for line, number in cron.said.most_common():
                say(f"    {number} x {line}")
            assert not list(cron.inbox.glob("*.json")) and not list(cron.inbox.glob("failed/*"))
            for command, status in cron.ended:
                assert status in MAY_END | MAY_FIND.get(command, set()), (command, status)

    def _check_orders(self, opened: Store) -> None:
        made = Counter(task.xml_id for task in self.portal.tasks if (task.xml_id or "").startswith("1c:"))
        wanted = len(LINES) * self.orders
        outcomes = opened.orders.count_by_outcome()
        say(f"{len(made)} lines of {wanted} have a task, {sum(made.values())} tasks; orders {outcomes}")
        assert (wanted, wanted) == (len(made), sum(made.values()))
        assert [] == list(opened.orders.unsettled())

    def _check_events(self, opened: Store) -> None:
        statuses = opened.events.count_by_status()
        rows = opened.database.query("SELECT body FROM events")
        numbers = Counter(int(match[0]) for row in rows if (match := NUMBER.search(row["body"])))
        again = sum(numbers.values()) - len(numbers)
        say(f"events {statuses}; {again} were stored twice, as their first answer was lost")
        assert set(range(self.events)) == set(numbers) and {"done", "ignored"} >= statuses.keys()
        assert again <= CLIENTS * 3  # of what was under way when a machine or the server died
        ours = ", ".join(map(str, self.tasks))
        rows = opened.database.query(f"SELECT id, title FROM tasks WHERE id IN ({ours})")
        there = {task.id: task.title for task in self.portal.tasks if task.id in set(self.tasks)}
        assert sorted(there.items()) == sorted((row["id"], row["title"]) for row in rows)
        counted = opened.tasks.closed_ids(datetime.min.replace(tzinfo=UTC), datetime.now(UTC))
        assert sorted(self.tasks) == sorted(task for ids in counted.values() for task in ids if task in there)
        say(f"{len(rows)} tasks of {len(self.tasks)} have their last title and count once")


@contextmanager
def open_plant(database: postgres.Server, folder: Path, orders: int, events: int, code: str = "") -> Iterator[Plant]:
    """The portal and the machines, started one after the other: the first one makes the schema."""
    portal, tasks = company(min(events, 500))
    portal.chats[CHAT] = {portal.owner_id}
    with ExitStack() as stack:
        base = stack.enter_context(server.serve(portal))
        url = f"{database.url}&schema=hosts"
        settings = {
            "BITRIX_WEBHOOK_URL": portal.webhook_url(base),
            "BITRIX_OUTGOING_TOKEN": OUTGOING,
            "B24_DATABASE_URL": url,
            "B24_REQUESTS_PER_SECOND": str(PER_SECOND),
            "B24_BURST": str(BURST),
            "B24_NOTIFY": f"chat{CHAT}",
        }
        address = database_url.read(url, folder)
        with closing(open_store(address)) as opened:
            opened.settings.save("producer_mode", "webhook")
        services = [Service(folder / name, settings, code) for name in ("serve-1", "serve-2")]
        crons = [Cron(folder / name, settings, code) for name in ("cron-1", "cron-2")]
        for machine in (*services, *crons):
            machine.start()  # type: ignore[attr-defined]
            stack.callback(machine.stop)  # type: ignore[attr-defined]
        yield Plant(portal, tasks, database, address, services, crons, orders, events)


def main(orders: int = 500, events: int = 20_000) -> None:
    """The whole of it."""
    programs = postgres.find_programs()
    assert programs is not None, "there is no PostgreSQL here"
    with (
        tempfile.TemporaryDirectory() as name,
        postgres.run_server(programs, postgres.SAFE) as database,
        open_plant(database, Path(name), orders, events) as plant,
    ):
        plant.work()
        plant.check()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
