"""A week of cron in fast motion, and the mails that it sends: `python -m tests.bench.week`.

The entries of `schedule cron` are run with `-q` when they are due, on a clock of their own, against the sandbox; what
one of them says, cron mails. Things go wrong on the way: the portal is away, an order is bad, a position is unknown.
The inbox is looked into when there is something in it and every hour, a snapshot is taken every two.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime, time, timedelta
from io import StringIO
from pathlib import Path

from b24tools import context
from b24tools.cli import app
from b24tools.jobs.schedule import Entry, Installation
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.state import Portal
from tests.support.orders import MOSCOW, Clock
from tests.support.server import order

DAYS, INBOX_MIN, SNAPSHOT_MIN = 7, 60, 120
ORDERS_A_DAY = 8  # on workdays, from nine in the morning, one an hour
POSITIONS = ("Сварщик", "Макетчик", "Монтажник")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        clock = Clock(datetime.combine(Clock().now.astimezone(MOSCOW).date(), time(), MOSCOW))
        context.now = clock
        portal = demo_company.build(clock)
        with server.serve(portal) as url:
            folder = Path(name)
            (inbox := folder / "inbox").mkdir()
            env_file = folder / ".env"
            env_file.write_text(
                f"BITRIX_WEBHOOK_URL={portal.webhook_url(url)}\nB24_DATA_DIR={folder / 'data'}\nB24_LANG=en\n"
                "B24_REQUESTS_PER_SECOND=1000\nB24_RETRY_SECONDS=0\n",
                encoding="utf-8",
            )
            env_file.chmod(0o600)
            plan = Installation((), str(env_file), str(folder / "data"), str(inbox))
            mails = []
            for moment, command, text in _live(plan, portal, clock, inbox):
                mails.append(command)
                sys.stdout.write(f"--- {moment:%a %H:%M}  {command}\n{text.strip()}\n")
                sys.stdout.flush()
    sys.stdout.write(f"{len(mails)} mails in {DAYS} days: {dict(Counter(mails))}\n")


def _live(plan: Installation, portal: Portal, clock: Clock, inbox: Path) -> Iterator[tuple[datetime, str, str]]:
    """Let the days pass; yield each mail: when, of which entry, what it says."""
    entries, first = plan.entries(), clock.now.date()
    for minute in range(DAYS * 24 * 60):
        clock.now = datetime.combine(first, time(), MOSCOW) + timedelta(minutes=minute)
        _happen(portal, clock.now, (clock.now.date() - first).days, inbox)
        for entry in entries:
            if _is_due(entry, clock.now, minute, has_orders=any(inbox.glob("*.json"))):
                text = _run(plan, entry)
                if text:
                    yield clock.now, entry.name, text


def _is_due(entry: Entry, now: datetime, minute: int, *, has_orders: bool) -> bool:
    if entry.at:
        return f"{now:%H:%M}" == entry.at and now.weekday() in entry.days
    every = SNAPSHOT_MIN if entry.name == "snapshot" else INBOX_MIN
    return minute % every == 0 or (has_orders and entry.name == "assign")


def _run(plan: Installation, entry: Entry) -> str:
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        app.main([*plan.command("-q", *entry.words)])
    return said.getvalue()


def _happen(portal: Portal, now: datetime, day: int, inbox: Path) -> None:
    """Orders come; tasks are closed; on Tuesday, Wednesday and Thursday something goes wrong."""
    if now.minute == 5 and now.weekday() < 5 and 9 <= now.hour < 9 + ORDERS_A_DAY:
        number = day * ORDERS_A_DAY + now.hour
        position = "Токарь-универсал" if (day, now.hour) == (2, 11) else POSITIONS[number % len(POSITIONS)]
        minutes = "abc" if (day, now.hour) == (3, 10) else 90
        _write(inbox, number, position, minutes, now)
    if now.minute == 40 and now.weekday() < 5:
        for task in [task for task in portal.tasks if task.xml_id and task.status < 5][:2]:
            portal.act("tasks.task.complete", {"taskId": task.id})
    if (day, now.hour, now.minute) == (1, 1, 0):
        portal.faults.add(Fault("html", status=502, times=10**6))
    if (day, now.hour, now.minute) == (1, 3, 30):
        portal.faults.clear()


def _write(inbox: Path, number: int, position: str, minutes: object, now: datetime) -> None:
    """Put an order into the inbox, a minute ago."""
    day = now.date()
    names = {"ИдентификаторЗаказа": f"11111111-2222-3333-4444-{number:012}", "НомерЗаказа": f"1Ц-{number:05}"}
    wanted = {"ДатаЗаказа": f"{day}T00:00:00", "РекоммендуемаяДатаСдачи": f"{day + timedelta(days=7)}T00:00:00"}
    file = inbox / f"{number:05}.json"
    lines = [(position, minutes)]
    file.write_text(json.dumps(order(lines, **names, **wanted), ensure_ascii=False), encoding="utf-8")
    written = now.timestamp() - 60
    os.utime(file, (written, written))


if __name__ == "__main__":
    main()
