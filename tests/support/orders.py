"""The demo plant behind the in-process door, and everything a run of `assign` needs, on a clock of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.assignment.plan import Rules
from b24tools.assignment.report import OrderResult
from b24tools.assignment.tools import RunClock, Tools
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.org_cache import CacheAnchor, NameSettings, OrgCache
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import locks
from b24tools.core.models import no_progress
from b24tools.jobs import assign as jobs_assign
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.sandbox import server
from b24tools.sandbox.state import Portal
from b24tools.scheduling.people_file import PeopleFile
from b24tools.store import open_store, read_store

MOSCOW = ZoneInfo("Europe/Moscow")
MONDAY = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # Monday 07:00 in Moscow, before the shift


@dataclass
class Clock:
    """Time that passes only when somebody sleeps."""

    now: datetime = MONDAY
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def time(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def rules(**changes: Any) -> Rules:
    """The default settings."""
    values: dict[str, Any] = {
        "zone": MOSCOW,
        "department": "Производство",
        "group": "Задачи из 1с",
        "folder": "Прикрепленные файлы",
        "step_s": 300,
        "show_sum": True,
        "non_admin": False,
        "fallback_user": None,
    }
    return Rules(**values | changes)


@dataclass
class Works:
    """A plant with its data folder; `assign` is one run of the program."""

    portal: Portal
    folder: Path
    clock: Clock
    said: list[str] = field(default_factory=list)
    webhook_url: str = ""  # where it is spelt in another way
    machine_clock: Callable[[], datetime] | None = None  # where it is not the portal's
    people: PeopleFile = field(default_factory=PeopleFile)
    anchor: CacheAnchor | None = None  # of the cache, as in `serve`

    @contextmanager
    def tools(self, *, dry_run: bool = False) -> Iterator[Tools]:
        """Opened as the program opens them, but on the test's clock."""
        database = self.folder / "b24tools.db"
        open_database = partial(read_store, dry_run=True) if dry_run else open_store
        rate_limiter = RateLimiter(None, per_second=1000, burst=1000, clock=self.clock.time, sleep=self.clock.sleep)
        client = Client(
            self.webhook_url or self.portal.webhook_url("https://portal.example"),
            rate_limiter=rate_limiter,
            transport=server.transport(self.portal),
            clock=lambda: (self.machine_clock or self.clock)().timestamp(),
            sleep=self.clock.sleep,
            random=lambda: 0.5,
        )
        own = {"schedules": self.people.schedules, "positions": self.people.positions}
        names = NameSettings("Производство", "Задачи из 1с", "Прикрепленные файлы", 1, **own)
        machine = self.machine_clock or self.clock
        run_clock = RunClock(machine, self.clock.sleep, no_progress, self.said.append, self.clock.time)
        lock = nullcontext() if dry_run else locks.hold(self.folder, "assign", 5, self.clock)
        with (
            closing(client),
            closing(open_database(database)) as opened,
            closing(
                OrgCache(client, self.folder / "cache", names, anchor=self.anchor, on_warn=self.said.append)
            ) as directory,
        ):
            yield Tools(client, directory, opened, lock, run_clock)

    def assign(self, *orders: onec_order.Order, dry_run: bool = False, **changes: Any) -> list[OrderResult]:
        """One run of the program with these orders."""
        with self.tools(dry_run=dry_run) as tools:
            return jobs_assign.orders(orders, tools, rules(people=self.people, **changes), dry_run=dry_run)

    def tasks_of(self, order: onec_order.Order) -> dict[str, list[int]]:
        """The ids of the tasks on the portal, by key, for every line of the order."""
        by_key: dict[str, list[int]] = {key: [] for key in task_fields.line_keys(order)}
        for task in self.portal.tasks:
            if task.xml_id in by_key:
                by_key[task.xml_id].append(task.id)
        return by_key


def order(lines: Iterable[tuple[str, float]] = (("Сварщик", 60),), **changes: Any) -> onec_order.Order:
    """A small order as if 1C had sent it today."""
    values: dict[str, Any] = {
        "id": "11111111-2222-3333-4444-555555555555",
        "number": "1Ц-00000100",
        "date": datetime(2026, 11, 20, 12, 0, tzinfo=MOSCOW),
        "department": "Производство",
        "lines": tuple(onec_order.Line(position=position, minutes=minutes) for position, minutes in lines),
    }
    return onec_order.Order(**values | changes)
