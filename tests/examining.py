"""A plant to be examined by `doctor`: its settings as they should be, and ways to look at single checks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from b24tools.bitrix24.client import Client
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import config
from b24tools.jobs.doctor import job
from b24tools.jobs.doctor.checks import Check
from b24tools.jobs.doctor.subject import Subject
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.store import Store, open_store
from tests.plant import MOSCOW, Clock, Works

HOST = "portal.example"


def subject(data_dir: Path, webhook_url: str = f"https://{HOST}/rest/1/abc/", **changes: Any) -> Subject:
    """The settings with which all is well."""
    values: dict[str, Any] = {
        "env_file": None,
        "given": frozenset(config.names()),
        "strays": (),
        "problems": (),
        "data_dir": data_dir,
        "database": data_dir / "b24tools.db",
        "zone": MOSCOW,
        "lang": "en",
        "department": "Производство",
        "group": "Задачи из 1с",
        "folder": "Прайс-листы",
        "schedule_id": 1,
        "fallback_user": None,
        "route": (),
        "non_admin": False,
        "ca_bundle": None,
        "requests_per_second": 2.0,
        "burst": 50,
        "outgoing_tokens": 1,
        "serve_token_length": 32,
        "tokens_alike": False,
        "webhook_url": webhook_url,
    }
    return Subject(**values | changes)


def make_well(works: Works) -> None:
    """Mend what the demo plant has for show: a head and a newcomer among the workers, two calendars that differ."""
    demo_company.department(works.portal, "Монтажник").head = None
    demo_company.person(works.portal, "Фомин").last_login = 1
    works.portal.calendar_settings["year_holidays"] = "1.01,2.01,5.01,6.01,7.01,8.01,23.02,8.03,1.05,9.05,12.06,4.11"
    works.folder.mkdir(mode=0o700, exist_ok=True)
    (works.folder / "b24tools.db").write_bytes(_young_database())


@cache
def _young_database() -> bytes:
    """One with a snapshot of this Monday, made once."""
    with TemporaryDirectory() as folder:
        works = Works(Portal(Clock()), Path(folder), Clock())
        with database(works) as opened:
            take_snapshot(works, opened)
        return (works.folder / "b24tools.db").read_bytes()


@contextmanager
def database(works: Works) -> Iterator[Store]:
    """The plant's database, to be filled."""
    with closing(open_store(works.folder / "b24tools.db")) as opened:
        yield opened


def take_snapshot(works: Works, opened: Store, hours_ago: float = 1) -> None:
    """A complete one, then."""
    at = works.clock.now - timedelta(hours=hours_ago)
    ran = opened.snapshot_runs.begin(at - timedelta(days=1), at, at)
    with opened.transaction():
        opened.snapshot_runs.finish(ran, at, complete=True)


def examine(
    works: Works, *, probe: job.Probe | None = None, transport: httpx.BaseTransport | None = None, **changes: Any
) -> list[Check]:
    """All checks, on the plant's clock. `transport` takes the place of the plant's portal."""
    here = works.clock.now
    usual = {"data_dir": works.folder, "webhook_url": works.portal.webhook_url(f"https://{HOST}")}
    looked_at = subject(**{**usual, **changes})

    @contextmanager
    def open_client() -> Iterator[Client]:
        client = Client(
            looked_at.webhook_url,
            rate_limiter=RateLimiter(None, clock=works.clock.time, sleep=works.clock.sleep),
            transport=transport or server.transport(works.portal),
            clock=works.clock.time,
            sleep=works.clock.sleep,
            random=lambda: 0.5,
            retry_s=5,
        )
        with client:
            yield client

    return job.examine(looked_at, open_client, lambda: here.astimezone(MOSCOW), probe)


def found(checks: list[Check], name: str) -> Check:
    """The one check of this name."""
    (one,) = [check for check in checks if check.check == name]
    return one


def not_ok(checks: list[Check]) -> dict[str, str]:
    """The statuses of those that are not well."""
    return {check.check: check.status for check in checks if check.status != "ok"}
