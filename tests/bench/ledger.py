"""A year of orders in one database: `python -m tests.bench.ledger [ORDERS]`. 36,500 by default.

Twenty orders of six lines and a file go through the sandbox of a plant of 500; their rows are copied under other ids
until it is a year. Measured: the file, what retention leaves of it, a backup, and commands that need no network.
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
from datetime import timedelta
from pathlib import Path

from b24tools.jobs import backup
from b24tools.onec import order as onec_order
from b24tools.server.routes.health import measure
from b24tools.store import open_store, read_store
from tests.bench import measuring, startup
from tests.bench.company import big_company
from tests.support.orders import Clock, Works, order

YEAR, SENT = 36_500, 20
PEOPLE, TASKS, LINES = 500, 2_000, 6
MB = 1_000_000
_TABLES = {  # what is another in a copy
    "orders": ("id",),
    "order_tasks": ("order_id", "key"),
    "files": ("order_id",),
    "task_files": ("key",),
    "decisions": ("key",),
    "history": ("order_id",),
    "said_lines": ("key",),
}


def make(folder: Path, count: int) -> Path:
    """Make the database of so many orders, all of them done."""
    clock = Clock()
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
        connection.execute("BEGIN")
        for table, changed in _TABLES.items():
            _copy(connection, table, changed, count // SENT)
        connection.execute("UPDATE orders SET is_over = 1")
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def _copy(connection: sqlite3.Connection, table: str, changed: tuple[str, ...], times: int) -> None:
    """Copy the rows under ids whose first eight characters are the copy's number."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1:3] != ("id", "INTEGER")]
    values = [
        {"key": f"'1c:' || printf('%08x', n) || substr({name}, 12)", "task_id": f"{name} + n * 1000"}.get(
            name, f"printf('%08x', n) || substr({name}, 9)" if name in changed else name
        )
        for name in columns
    ]
    connection.execute(
        "WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < ?)"
        f" INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM copies, {table}",
        [times - 1],
    )


def timed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def report(folder: Path, count: int = YEAR) -> str:
    """The tables, in Markdown."""
    (empty := folder / "empty").mkdir()
    open_store(empty / "b24tools.db").close()
    (full := folder / "year").mkdir()
    path = make(full, count)
    rows = [["after a year", f"{measure(path) / MB:.0f}", ""]]
    costs = _run_commands(folder, {"empty": empty, "a year": full})
    now = Clock().now + timedelta(days=1)

    def make_backup() -> None:
        with closing(read_store(path)) as store:
            backup.make(store, full, full / "a.zip", now)

    seconds = timed(make_backup)
    rows.append(["its backup", f"{(full / 'a.zip').stat().st_size / MB:.0f}", f"{seconds:.1f}"])
    rows.append(
        ["restored", f"{measure(path) / MB:.0f}", f"{timed(lambda: backup.restore(full / 'a.zip', path, now)):.1f}"]
    )
    with closing(open_store(path)) as store:
        seconds = timed(lambda: store.retention.trim(now + timedelta(days=366), timedelta(days=365)))
        rows.append(["trimmed", f"{measure(path) / MB:.0f}", f"{seconds:.1f}"])
        seconds = timed(store.retention.shrink)
        store.database.query("PRAGMA wal_checkpoint(TRUNCATE)")
        rows.append(["shrunk", f"{measure(path) / MB:.0f}", f"{seconds:.1f}"])
    sizes = measuring.table(("", "MB", "seconds"), rows)
    head = ("command", "empty: ms", "MB", "a year: ms", "MB")
    return f"A year of orders: {count}\n\n{sizes}\n{measuring.table(head, costs)}"


def _run_commands(folder: Path, folders: dict[str, Path]) -> list[list[str]]:
    rows = []
    for words in ("leaderboard", "history", "config", "replay --list"):
        command = measuring.program("b24tools", *words.split())
        programs = {name: startup.timed(command, folder, data) for name, data in folders.items()}
        found = {name: measuring.median(costs) for name, costs in measuring.in_turns(programs, 3).items()}
        cells = [f"{value:.0f}" for cost in found.values() for value in (cost.seconds * 1000, cost.peak_mb)]
        rows.append([words, *cells])
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(report(Path(name), int(sys.argv[1]) if sys.argv[1:] else YEAR))


if __name__ == "__main__":
    main()
