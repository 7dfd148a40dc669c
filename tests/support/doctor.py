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
from b24tools.jobs.doctor.checks import Check, Examination, Report
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.store import Store, open_store
from tests.support.orders import MOSCOW, Clock, Works

HOST = "portal.example"
USUAL = {
    "webhook_url": f"https://{HOST}/rest/1/abc/",
    "zone": MOSCOW,
    "lang": "en",
    "country": "none",
    "folder": "Прайс-листы",
    "outgoing_token": "token",
    "serve_token": "a word that is long enough",
}


def inspect(data_dir: Path, **changes: Any) -> config.Inspection:
    """The settings with which all is well, changed by the names of their fields; `given` … are the inspection's."""
    of_inspection = {"file": None, "given": frozenset(config.names()), "unknown": (), "problems": ()}
    of_inspection |= {name: changes.pop(name) for name in list(of_inspection) if name in changes}
    values = {**USUAL, "data_dir": data_dir, **changes}
    given = {config.Settings.model_fields[name].alias: value for name, value in values.items()}
    return config.Inspection(config.Settings.model_validate(given), **of_inspection)


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


def prepare(works: Works, **changes: Any) -> Examination:
    """An examination of the plant on its clock; `changes` are fields of it, of the inspection, or settings."""
    names = {"own_days", "people", "order_file", "orders", "order_error"}
    of_exam = {name: changes.pop(name) for name in names if name in changes}
    usual = {"data_dir": works.folder, "webhook_url": works.portal.webhook_url(f"https://{HOST}")}
    here = works.clock.now
    return Examination(inspect(**{**usual, **changes}), lambda: here.astimezone(MOSCOW), **of_exam)


def examine(
    works: Works, *, probe: Check | None = None, transport: httpx.BaseTransport | None = None, **changes: Any
) -> list[Report]:
    """All findings. `transport` takes the place of the plant's portal."""
    exam = prepare(works, **changes)

    @contextmanager
    def open_client() -> Iterator[Client]:
        client = Client(
            config.webhook_url(exam.settings),
            rate_limiter=RateLimiter(None, clock=works.clock.time, sleep=works.clock.sleep),
            transport=transport or server.transport(works.portal),
            clock=works.clock.time,
            sleep=works.clock.sleep,
            random=lambda: 0.5,
            retry_s=5,
        )
        with closing(client):
            yield client

    return job.examine(exam, open_client, probe)


def found(findings: list[Report], name: str) -> Report:
    """The one finding of this name."""
    (finding,) = [finding for finding in findings if finding.check == name]
    return finding


def not_ok(findings: list[Report]) -> dict[str, str]:
    """The statuses of those that are not well."""
    return {finding.check: finding.status for finding in findings if finding.status != "ok"}
