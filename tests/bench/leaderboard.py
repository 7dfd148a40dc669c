"""How long `b24tools leaderboard` takes beside a Typer program that prints one Rich table.

`python -m tests.bench.leaderboard [PAIRS]`: whole processes in pairs, one after the other, on a year of closed tasks.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from b24tools import store, weeks
from b24tools.models import Department, Person, Status, Task

ZONE = ZoneInfo("Europe/Moscow")
TASKS, PEOPLE, DEPARTMENTS, WEEKS = 100_000, 2_000, 100, 52
PROGRAM = '''
import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer()


@app.command()
def main() -> None:
    """Print a table."""
    table = Table("Place", "Name", "Team", "Tasks", "Hours", "On time")
    for place in range(1, 11):
        table.add_row(str(place), f"Person {place}", "Team", str(40 - place), "12.5", "95%")
    Console().print(table)


app()
'''


def make_year(path: Path, now: datetime) -> None:
    """A year of a company up to now, with a complete run for each week."""
    chance = random.Random(2026)
    week = weeks.week_of(now, ZONE)
    first = weeks.week_of(now - timedelta(weeks=WEEKS - 1), ZONE)
    with closing(store.open_store(path)) as opened:
        opened.save_departments((Department(n, f"Цех {n}", None, None) for n in range(1, DEPARTMENTS + 1)), now)
        people = (
            Person(n, "Имя", f"Фамильный{n:04}", "", True, (chance.randint(1, DEPARTMENTS),))
            for n in range(1, PEOPLE + 1)
        )
        opened.save_people(people, now)
        with opened.transaction():
            for begin in range(1, TASKS + 1, 1000):
                tasks = [_task(task_id, chance, first.start, now) for task_id in range(begin, begin + 1000)]
                opened.save_tasks(tasks, now, ZONE)
        run = opened.begin_run(first.start, week.end, now)
        with opened.transaction():
            opened.finish_run(run, now, complete=True)


def _task(task_id: int, chance: random.Random, start: datetime, end: datetime) -> Task:
    closed = start + (end - start) * chance.random()
    deadline = closed + timedelta(hours=chance.uniform(-24, 72)) if chance.random() < 0.7 else None
    return Task(
        id=task_id,
        status=Status.COMPLETED,
        responsible_id=1 + int(chance.expovariate(4) * PEOPLE) % PEOPLE,
        title=f"Сварщик: 1Ц-{task_id:08}",
        xml_id="",
        group_id=1,
        created_by=1,
        created_at=closed - timedelta(days=5),
        changed_at=closed,
        deadline=deadline,
        start=None,
        end=None,
        estimate_s=chance.randrange(300, 36_000, 300),
        spent_s=0,
        closed_at=closed,
    )


def seconds(command: Sequence[str], folder: Path) -> float:
    """How long a process takes from its start to its end."""
    env = os.environ | {"B24_DATA_DIR": str(folder), "B24_TZ": str(ZONE), "B24_LANG": "ru"}
    begun = time.perf_counter()
    subprocess.run(command, env=env, cwd=folder, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def main(pairs: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_year(folder / "b24tools.db", datetime.now(UTC))
        program = folder / "one_table.py"
        program.write_text(PROGRAM, encoding="utf-8")
        ours = shutil.which("b24tools", path=str(Path(sys.executable).parent)) or sys.exit("b24tools is not installed")
        for arguments in (["leaderboard"], ["leaderboard", "--top", "20"], ["leaderboard", "--month", "--by", "hours"]):
            times = [
                (seconds([sys.executable, str(program)], folder), seconds([ours, *arguments], folder))
                for _pair in range(pairs + 1)
            ][1:]  # the first pair warms the caches
            one_table, board = (statistics.median(column) for column in zip(*times, strict=True))
            ratio = statistics.median(mine / other for other, mine in times)
            print(  # noqa: T201 - a tool's output
                f"b24tools {' '.join(arguments)}: {board * 1000:.0f} ms; one Rich table: {one_table * 1000:.0f} ms;"
                f" ratio {ratio:.2f} (median of {pairs} pairs)"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
