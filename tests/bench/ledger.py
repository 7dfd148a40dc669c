"""A year of cron in one database: `python -m tests.bench.ledger [ORDERS]`. 36,500 by default.

Twenty orders of six lines and a file go through the sandbox of a plant of 500; their rows are copied under other ids,
over a year up to now, with their closed tasks, and a snapshot an hour is noted. Measured: the file, what a night and a
year later leave of it, a backup; `tests.bench.pairs` has the commands.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from b24tools.core import periods
from b24tools.core.line_keys import number_line
from b24tools.core.models import Person
from b24tools.core.timestamps import from_text
from b24tools.jobs import backup
from b24tools.onec import order as onec_order
from b24tools.sandbox.state import Portal
from b24tools.store import open_store, read_store
from b24tools.store.database import measure
from tests.bench import measuring
from tests.bench.company import big_company
from tests.support.orders import MOSCOW, Clock, Works, order

YEAR, SENT, SNAPSHOTS = 36_500, 20, 8_640
PEOPLE, TASKS, LINES = 500, 2_000, 6
MB = 1_000_000
_TABLES = {  # what is another in a copy
    "orders": ("id",),
    "order_tasks": ("order_id", "key"),
    "files": ("order_id",),
    "task_files": ("key",),
    "decisions": ("key",),
    "history": ("order_id",),
}
_MOMENTS = ("at", "deadline", "first_deadline")  # beside what ends with _at
_SHIFTED = "strftime('%Y-%m-%dT%H:%M:%S+00:00', {name}, (-n * 525600 / {times}) || ' minutes')"  # n copies back
_SCATTERED = "printf('%08x', n * 2654435761 % 4294967296)"  # as GUIDs come: no index grows at its end only


def make(folder: Path, count: int) -> Path:
    """Make the database of so many orders, all of them done."""
    clock = Clock(datetime.now(UTC).replace(microsecond=0))
    portal = big_company(clock, people=PEOPLE, tasks=TASKS)
    portal.add_storage("common", "Общий диск", "shared_files_s1")
    works = Works(portal, folder, clock)
    chance = random.Random(2026)
    for number in range(SENT):
        lines = [(f"Участок {n}", 60.5 * n) for n in chance.sample(range(1, 101), LINES)]
        file = onec_order.Attachment(name="макет.pdf", content=chance.randbytes(1000))
        sent = order(lines, id=str(uuid.UUID(int=chance.getrandbits(128))), number=f"1Ц-{number:08}", files=(file,))
        if works.assign(sent)[0].outcome != "created":
            raise RuntimeError("an order failed")
    path = folder / "b24tools.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_function("number_line", 1, number_line, deterministic=True)
        connection.execute("BEGIN")
        for table in (
            "order_tasks",
            "decisions",
        ):  # ids that the portal of a measurement does not have, rising with time
            connection.execute(f"UPDATE {table} SET task_id = task_id + 10000000")
        for table, changed in _TABLES.items():
            _copy(connection, table, changed, count // SENT)
        connection.execute("UPDATE orders SET is_over = 1, outcome = 'created'")
        connection.execute("DELETE FROM settings WHERE key = 'portal_host'")
        _close_tasks(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _note_snapshots(path, portal, clock.now)
    return path


def _copy(connection: sqlite3.Connection, table: str, changed: tuple[str, ...], times: int) -> None:
    """Copy the rows, each time further back, under ids whose first eight characters are of the copy."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1:3] != ("id", "INTEGER")]
    values = [
        {
            "key": f"'1c:' || {_SCATTERED} || substr({name}, 12)",
            "line_no": f"number_line('1c:' || {_SCATTERED} || substr(key, 12))",
            "task_id": f"{name} - n * 1000",
            "number": f"{name} || '-' || n",
            "title": f"{name} || '-' || n",
            "changed_no": f"{name} - n * 525600 * 60 / {times}",
        }.get(name, f"{_SCATTERED} || substr({name}, 9)" if name in changed else name)
        if not (name in _MOMENTS or name.endswith("_at"))
        else _SHIFTED.format(name=name, times=times)
        for name in columns
    ]
    connection.execute(
        "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)"
        f" INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM copies, {table} ORDER BY n DESC",
        [times - 1],
    )


def _close_tasks(connection: sqlite3.Connection) -> None:
    """Let all tasks be closed when they were to end."""

    def name_week(text: str) -> str:
        return periods.week_of(from_text(text), MOSCOW).label

    connection.create_function("name_week", 1, name_week, deterministic=True)
    moments = {"created_at": "assigned_at", "changed_at": "ends_at", "closed_at": "ends_at", "saved_at": "ends_at"}
    moments |= {"deadline": "deadline", "first_deadline": "first_deadline"}
    seconds = ", ".join(f"CAST(strftime('%s', {column}) AS INTEGER)" for column in moments.values())
    connection.execute(
        "INSERT INTO closed_tasks (id, title, responsible_id, created_by, group_id, status, week, estimate_s, spent_s,"
        f" gone, line, {', '.join(moments)}) SELECT task_id, title, responsible_id, 1, 1, 5, name_week(ends_at),"
        f" estimate_s, estimate_s, 0, line_no, {seconds} FROM order_tasks"
    )


def _note_snapshots(path: Path, portal: Portal, now: datetime) -> None:
    """Note a complete snapshot of every hour, and who works there."""
    with closing(open_store(path)) as store, store.transaction():
        people = (
            Person(user.id, user.name, user.last_name, "", True, tuple(user.departments))
            for user in portal.users.values()
        )
        store.people.save(people, now)
        for hours in range(SNAPSHOTS, 0, -1):
            begun = now - timedelta(hours=hours)
            week = periods.week_of(begun, MOSCOW)
            run = store.snapshot_runs.begin(week.start, week.end, begun)
            store.snapshot_runs.finish(run, begun, complete=True)


def timed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def report(folder: Path, count: int = YEAR) -> str:
    """The table, in Markdown."""
    path, now = make(folder, count), datetime.now(UTC)
    rows = [["a year of rows", f"{measure(path) / MB:.0f}", ""]]

    def spend_a_night(moment: datetime) -> None:
        with closing(open_store(path)) as store:
            store.retention.trim(moment, timedelta(days=365))
            store.retention.shrink()
            store.database.query("PRAGMA wal_checkpoint(TRUNCATE)")

    def make_backup() -> None:
        with closing(read_store(path)) as store:
            backup.make(store, folder, folder / "a.zip", now)

    seconds = timed(lambda: spend_a_night(now))
    rows.append(["after the first night", f"{measure(path) / MB:.0f}", f"{seconds:.1f}"])
    seconds = timed(make_backup)
    rows.append(["its backup", f"{(folder / 'a.zip').stat().st_size / MB:.0f}", f"{seconds:.1f}"])
    seconds = timed(lambda: backup.restore(folder / "a.zip", path, now))
    rows.append(["restored", f"{measure(path) / MB:.0f}", f"{seconds:.1f}"])
    seconds = timed(lambda: spend_a_night(now + timedelta(days=366)))
    rows.append(["a year later, with no new order", f"{measure(path) / MB:.0f}", f"{seconds:.1f}"])
    return f"A year of orders: {count}\n\n" + measuring.table(("", "MB", "seconds"), rows)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(report(Path(name), int(sys.argv[1]) if sys.argv[1:] else YEAR))


if __name__ == "__main__":
    main()
