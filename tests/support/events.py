"""A portal that reports to us, its events kept and followed on a clock of ours."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from b24tools.jobs.events import process as events_process
from b24tools.jobs.events.process import Processed
from b24tools.sandbox import demo_company
from b24tools.sandbox.records import Handler, User
from b24tools.sandbox.state import Portal
from b24tools.store import Store, open_store
from tests.support import database
from tests.support import snapshots as collecting
from tests.support.orders import MOSCOW, Clock

TOKEN = "s3cr3tapplicationt0ken"
FORM = "application/x-www-form-urlencoded"


@dataclass
class Listener:
    """A data folder that an outgoing webhook of the portal points to."""

    portal: Portal
    folder: Path
    clock: Clock
    tokens: list[str] = field(default_factory=lambda: [TOKEN])
    handler: Handler = field(init=False)
    collector: collecting.Collector = field(init=False)

    def __post_init__(self) -> None:
        self.handler = self.portal.add_handler("http://127.0.0.1:8000/webhook", TOKEN)
        self.collector = collecting.Collector(self.portal, self.folder, self.clock)

    @property
    def database(self) -> Path:
        return self.folder / "b24tools.db"

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The database, opened as the program opens it."""
        with closing(open_store(self.database)) as opened:
            yield opened

    def client(self) -> Any:
        """The portal, within a block."""
        return self.collector.client()

    def switch(self, mode: str) -> None:
        """`b24tools mode`."""
        with self.store() as opened:
            opened.settings.save("producer_mode", mode, self.clock())

    def receive(self, body: bytes, content_type: str = FORM, tokens: Collection[str] | None = None) -> str:
        """`POST /webhook`; the answer's status."""
        with self.store() as opened:
            return events_process.receive(
                opened, body, content_type, self.tokens if tokens is None else tokens, self.clock()
            )

    def arrive(self) -> list[str]:
        """All that the portal has to say, in its order; the answers."""
        bodies = [outgoing.body for outgoing in self.portal.outbox]
        del self.portal.outbox[:]
        with self.store() as opened:
            return [events_process.receive(opened, body, FORM, self.tokens, self.clock()) for body in bodies]

    def process(self, limit: int = 50) -> Processed:
        """One step of the worker, a moment later."""
        self.clock.now += timedelta(seconds=3)
        with self.store() as opened, self.client() as client:
            return events_process.process(opened, client, MOSCOW, self.clock(), limit)

    def follow(self) -> Processed:
        """What the portal has to say arrives and is processed."""
        self.arrive()
        return self.process()

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What is in the database, past our own code."""
        return database.query(self.database, sql, *values)

    def counted(self) -> dict[int, int]:
        """The tasks that count, with who closed them."""
        return dict(self.query("SELECT id, responsible_id FROM tasks WHERE gone = 0 ORDER BY id"))

    def statuses(self) -> list[str]:
        """What became of the kept events, in the order they came."""
        return [status for (status,) in self.query("SELECT status FROM events ORDER BY id")]

    def asked(self) -> int:
        """How many requests the portal has seen."""
        return len(self.portal.log)

    def person(self, last_name: str) -> User:
        return demo_company.person(self.portal, last_name)

    def new_task(self, last_name: str = "Козлов") -> int:
        """A task that a person was given just now."""
        fields = {"TITLE": "Сварить раму", "RESPONSIBLE_ID": self.person(last_name).id}
        return int(self.portal.act("tasks.task.add", {"fields": fields})["task"]["id"])

    def do(self, action: str, task_id: int, **params: Any) -> None:
        """What a person does to a task, a minute after the last."""
        self.clock.now += timedelta(minutes=1)
        self.portal.act(f"tasks.task.{action}", {"taskId": task_id, **params})

    def closed_task(self, last_name: str = "Козлов") -> int:
        """A task that was given and done."""
        task_id = self.new_task(last_name)
        self.do("complete", task_id)
        return task_id


def listener(folder: Path) -> Listener:
    """The demo plant, in webhook mode."""
    clock = Clock()
    plant = Listener(demo_company.build(clock), folder, clock)
    plant.switch("webhook")
    return plant
