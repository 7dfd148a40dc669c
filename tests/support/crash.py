"""What a disturbed run leaves behind: killing runs at a request, and all that was made on the portal, to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24tools.core import errors
from b24tools.onec import order as onec_order
from b24tools.sandbox import demo_company
from b24tools.sandbox.state import Portal
from b24tools.store import database
from tests.support import postgres
from tests.support.orders import MONDAY, Clock, Works, order

FOLDER = "Прикрепленные файлы"
FIRST_LINES = (
    ("Макетчик", 120),
    ("Сварщик", 60),
    ("Сварщик", 30),
    ("Монтажник", 90),
    ("Фрезеровщик", 45),
    ("Поклейщик", 60),
)
SKETCH = onec_order.Attachment(name="эскиз.pdf", content=b"the sketch")
ESTIMATE = onec_order.Attachment(name="смета.xlsx", content=b"the estimate")
LETTER = onec_order.Attachment(name="письмо.txt", content=b"the letter")
WANTED = datetime(2026, 12, 4, tzinfo=ZoneInfo("Europe/Moscow"))


class Killed(BaseException):
    """The process is dead: nothing after this point happened."""


def first_send(**changes: Any) -> onec_order.Order:
    """Six lines, two of them of one position, and two files."""
    values: dict[str, Any] = {"wanted": WANTED, "customer": "ООО «Ромашка»", "files": (SKETCH, ESTIMATE)}
    return order(FIRST_LINES, **values | changes)


def second_send(**changes: Any) -> onec_order.Order:
    """The same order with two lines changed, one more line and one more file."""
    lines = (("Макетчик", 180), ("Сварщик", 60), ("Сварщик", 90), *FIRST_LINES[3:], ("Печатник/плотер", 60))
    values: dict[str, Any] = {"wanted": WANTED, "customer": "ООО «Лютик»", "files": (SKETCH, ESTIMATE, LETTER)}
    return order(lines, **values | changes)


def new_works(folder: Path, *, bare: bool = False, **options: Any) -> Works:
    """The plant with an empty data folder. `bare`: without the project; the folder for files is missing anyway."""
    clock = Clock()
    works = Works(demo_company.build(clock, sleep=clock.sleep, **options), folder, clock)
    if bare:
        group = next(group for group in works.portal.groups.values() if group.name == demo_company.GROUP)
        group.name = "Другой проект"
    works.portal.log.clear()
    return works


def watch_transactions(monkeypatch: pytest.MonkeyPatch, watch: Callable[[int, bool], None]) -> None:
    """Call `watch` with the number of each of the ledger's transactions, before (False) and after it (True)."""
    engine = database.Database if postgres.redirection is None else database.load_server().PostgresDatabase
    transaction = engine.transaction
    count, is_inside = 0, False

    @contextmanager
    def watched(self: database.Database) -> Iterator[None]:
        nonlocal count, is_inside
        if is_inside:  # a part of another one
            yield
            return
        count += 1
        number = count
        watch(number, False)
        is_inside = True
        try:
            with transaction(self):
                yield
        finally:
            is_inside = False
        watch(number, True)

    monkeypatch.setattr(engine, "transaction", watched)


@contextmanager
def killed_at_transaction(number: int, monkeypatch: pytest.MonkeyPatch, *, done: bool) -> Iterator[None]:
    """The process dies right after (`done`) or instead of the ledger's `number`-th transaction."""
    passed: list[tuple[int, bool]] = []

    def die(*point: Any) -> None:
        passed.append(point)
        if point == (number, done):
            raise Killed

    with monkeypatch.context() as patch, suppress(Killed):
        watch_transactions(patch, die)
        yield
    assert (number, done) in passed


@contextmanager
def killed_at(portal: Portal, number: int, *, executed: bool) -> Iterator[None]:
    """The process dies of the `number`-th request from here on, after the portal did the work or before."""
    handle: Callable[..., Any] = portal.handle
    count = 0

    def deadly(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        count += 1
        if count == number:
            if executed:
                handle(*args, **kwargs)
            raise Killed
        return handle(*args, **kwargs)

    portal.handle = deadly  # type: ignore[method-assign]
    try:
        yield
    except Killed:
        pass
    finally:
        portal.handle = handle  # type: ignore[method-assign]


def picture(portal: Portal) -> dict[str, Any]:
    """All that was made since the plant was built, without ids: the same picture, the same result."""
    made = [task for task in portal.tasks if task.created_at >= MONDAY.timestamp()]
    folders = [row for row in portal.disk.objects.values() if row.content is None and row.name == FOLDER]
    return {
        "projects": [group.name for group in portal.groups.values() if group.name == demo_company.GROUP],
        "folders": [row.name for row in folders],
        "files": sorted((row.name, row.content) for row in portal.disk.objects.values() if row.content is not None),
        "tasks": sorted(
            (
                task.xml_id or "",
                task.title,
                task.status,
                portal.groups[task.group].name,
                portal.users[task.responsible].last_name,
                task.start_plan,
                task.end_plan,
                task.deadline,
                task.time_estimate,
                task.description,
                sorted(portal.disk.objects[portal.disk.attachments[id_].object_id].name for id_ in task.attachments),
            )
            for task in made
        ),
    }


def statuses(works: Works, sent: onec_order.Order) -> list[int]:
    """One run; the exit statuses of its orders, as the command line would have them."""
    try:
        return [result.exit_status for result in works.assign(sent)]
    except errors.PortalError as error:
        return [error.exit_status]


def send_until_done(works: Works, sent: onec_order.Order) -> None:
    """Send again after each honest failure, as cron does, at most twice."""
    for _attempt in range(2):
        if statuses(works, sent) == [0]:
            return
        works.clock.now += timedelta(minutes=2)
    assert [0] == statuses(works, sent)


def assert_sent_again_changes_nothing(works: Works, sent: onec_order.Order) -> None:
    """Once more the same order: `unchanged`, and no write."""
    works.clock.now += timedelta(minutes=2)
    writes = len(works.portal.writes())
    assert ["unchanged"] == [result.outcome for result in works.assign(sent)]
    assert [] == works.portal.writes()[writes:]
