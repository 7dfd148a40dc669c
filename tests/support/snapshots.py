"""Snapshots of a sandbox portal on a clock of ours, and the counts to hold them against, made from its state."""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.bitrix24.client import Client
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import periods
from b24tools.jobs import snapshot
from b24tools.sandbox import server
from b24tools.sandbox.state import Portal
from b24tools.store import open_store
from tests.support import database
from tests.support.orders import MOSCOW, Clock

FRIDAY = datetime(2026, 11, 20, 14, 5, tzinfo=MOSCOW)  # of 2026-W47
Row = tuple[int, str, int, int, str]


class Killed(BaseException):
    """The process is dead: nothing after this point happened."""


@dataclass
class Collector:
    """A data folder beside a portal; `take` is one run of the program."""

    portal: Portal
    folder: Path
    clock: Clock
    zone: ZoneInfo = MOSCOW
    options: dict[str, Any] = field(default_factory=dict)
    requests: int = 0

    @property
    def database(self) -> Path:
        return self.folder / "b24tools.db"

    @contextmanager
    def client(self) -> Iterator[Client]:
        """As the program opens it, but on the test's clock."""
        rate_limiter = self.options.get("rate_limiter") or RateLimiter(
            None, per_second=1000, burst=1000, clock=self.clock.time, sleep=self.clock.sleep
        )
        client = Client(
            self.portal.webhook_url("https://portal.example"),
            rate_limiter=rate_limiter,
            transport=server.transport(self.portal),
            clock=self.clock.time,
            sleep=self.clock.sleep,
            random=lambda: 0.5,
        )
        with closing(client):
            yield client

    def take(self, span: Sequence[periods.Period] = (), **changes: Any) -> snapshot.Result:
        """A snapshot of these weeks, else of those that are due, a moment after the one before."""
        self.clock.now += timedelta(seconds=2)
        progress = changes.pop("progress", lambda *_words: None)
        values = {"directory_h": 24.0, "people_h": 4.0, "non_admin": False} | changes
        with closing(open_store(self.database)) as opened, self.client() as client:
            chosen = span or snapshot.due(opened, self.clock.now, self.zone)
            try:
                rules = snapshot.SnapshotRules(self.zone, **values)
                return snapshot.take(opened, client, chosen, rules, now=self.clock, progress=progress)
            finally:
                for thread in threading.enumerate():  # requests that nobody waits for any more
                    if thread.name == "snapshot":
                        thread.join()
                self.requests = client.requests

    def since(self, year: int, month: int, day: int, **changes: Any) -> snapshot.Result:
        """`--since`."""
        day_ = datetime(year, month, day).date()  # noqa: DTZ001 - a date
        return self.take(snapshot.since(day_, self.clock.now, self.zone), **changes)

    def week(self, label: str) -> periods.Period:
        return periods.parse(label, self.zone)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What is in the database, past our own code."""
        return database.query(self.database, sql, *values)

    def saved(self) -> list[Row]:
        """The counted tasks: id, week, responsible, estimate, closing."""
        return self.query(
            "SELECT id, week, responsible_id, estimate_s, closed_at FROM tasks WHERE gone = 0 ORDER BY id"
        )

    def counts(self) -> dict[str, int]:
        """Counted tasks by week."""
        return dict(self.query("SELECT week, count(*) FROM tasks WHERE gone = 0 GROUP BY week ORDER BY week"))

    def true_rows(self, since: datetime | None = None) -> list[Row]:
        """What the rows should be, from the portal's own state. `since`: the start of a week."""
        return [
            (task.id, label_of(task.closed_at, self.zone), task.responsible, task.time_estimate, utc(task.closed_at))
            for task in self.portal.tasks
            if task.status == 5 and task.closed_at and (since is None or task.closed_at >= since.timestamp())
        ]

    def true_counts(self, since: datetime | None = None) -> dict[str, int]:
        return dict(sorted(Counter(row[1] for row in self.true_rows(since)).items()))

    def asked(self) -> list[list[str]]:
        """The methods of each request so far."""
        return [entry.methods for entry in self.portal.log]


def label_of(at: int, zone: ZoneInfo) -> str:
    """The ISO week of a moment, by Python's own calendar."""
    year, week, _day = datetime.fromtimestamp(at, zone).isocalendar()
    return f"{year}-W{week:02}"


def utc(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def new_portal(clock: Clock, *, people: int = 3, **options: Any) -> Portal:
    """A company of a few people without tasks."""
    portal = Portal(clock, **options)
    shop = portal.add_department("Цех")
    for number in range(people):
        portal.add_user("Работник", f"№{number + 1}", departments=[shop.id])
    return portal


def close(portal: Portal, at: datetime, *, responsible: int = 2, **values: Any) -> int:
    """A task closed at this moment; its id."""
    values = {"time_estimate": 3600, "created_at": at - timedelta(days=2)} | values
    return portal.add_task("Операция", responsible=responsible, status=5, closed_at=at, closed_by=1, **values).id


def new_collector(folder: Path, now: datetime = FRIDAY, *, zone: ZoneInfo = MOSCOW, **options: Any) -> Collector:
    """An empty database beside a small company."""
    clock = Clock(now)
    return Collector(new_portal(clock, **options), folder, clock, zone)


def change_rows(portal: Portal, change: Callable[[dict[str, Any]], None]) -> None:
    """The portal's rows of tasks are changed on their way, from here on."""
    handle = portal.handle

    def changing(*args: Any, **more: Any) -> Any:
        response = handle(*args, **more)
        body = json.loads(response.body)
        for result in body["result"]["result"].values():
            for row in result.get("tasks", ()) if isinstance(result, dict) else ():
                change(row)
        return replace(response, body=json.dumps(body).encode())

    portal.handle = changing  # type: ignore[method-assign]


def after_answer(portal: Portal, then: Callable[[], object]) -> None:
    """Once: something happens after the portal has made its next answer, before that arrives."""
    handle = portal.handle

    def handling(*args: Any, **more: Any) -> Any:
        portal.handle = handle  # type: ignore[method-assign]
        response = handle(*args, **more)
        then()
        return response

    portal.handle = handling  # type: ignore[method-assign]


@contextmanager
def killed_at(portal: Portal, number: int, *, executed: bool = True) -> Iterator[None]:
    """The process dies of the `number`-th request from here on, after the portal did the work or before."""
    handle: Callable[..., Any] = portal.handle
    numbers = itertools.count(1)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        mine = next(numbers)
        if mine == number and not executed:
            raise Killed
        answer = handle(*args, **kwargs)
        if mine == number:
            raise Killed
        return answer

    portal.handle = deadly  # type: ignore[method-assign]
    try:
        yield
    finally:
        portal.handle = handle  # type: ignore[method-assign]
