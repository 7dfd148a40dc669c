"""How many requests, how much memory and how long a snapshot takes beside 5,000 people and 100,000 tasks.

    python -m tests.bench.snapshot

The sandbox portal runs in a process of its own, so that the memory told is that of b24tools alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from b24tools import weeks
from b24tools.sandbox import front, plant
from b24tools.sandbox.portal import Portal
from tests.plant import MOSCOW

SECRET = "benchbenchbench0"
TASKS, THIS_WEEK = 100_000, 2_000


def company(tasks: int = TASKS) -> Portal:
    """The portal: tasks of the last 52 weeks, 2,000 of them closed this week, whatever its day."""
    portal = plant.company(lambda: datetime.now(UTC), secret=SECRET, tasks=tasks - THIS_WEEK)
    now = datetime.now(UTC)
    monday = weeks.week_of(now, MOSCOW).start
    have = sum(1 for task in portal.tasks if task.status == 5 and (task.closed_at or 0) >= monday.timestamp())
    for number in range(THIS_WEEK - have):
        closed = monday + (now - monday) * (number / THIS_WEEK)
        values = {"responsible": 2 + number % 5_000, "time_estimate": 1800, "deadline": closed + timedelta(days=1)}
        portal.add_task("Операция", status=5, created_at=monday, closed_at=closed, closed_by=1, **values)
    return portal


def serve() -> None:
    """The portal on a port, its address on stdout, until stdin closes."""
    portal = company()
    with front.serve(portal) as url:
        sys.stdout.write(portal.webhook_url(url) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


def measure(name: str, folder: Path, url: str, *arguments: str) -> None:
    """Run one command and tell what it took."""
    env = os.environ | {"BITRIX_WEBHOOK_URL": url, "B24_DATA_DIR": str(folder), "B24_LANG": "en"}
    started = time.perf_counter()
    command = [sys.executable, "-m", "b24tools", "snapshot", "--json", *arguments]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE) as run:
        answer = run.stdout.read() if run.stdout else b""
        _pid, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    data = json.loads(answer)["data"]
    tasks, people, requests = sum(week["tasks"] for week in data), data[0]["people"], data[0]["requests"]
    sys.stdout.write(
        f"{name:<28} {len(data):>3} weeks {tasks:>7} tasks {people:>5} people {requests:>3} requests"
        f" {usage.ru_maxrss / 1024:>6.0f} MB {seconds:>6.1f} s\n"
    )


def main() -> None:
    """The measurements, each with the database that the ones before have left."""
    since = f"{datetime.now(UTC) - timedelta(days=364):%Y-%m-%d}"
    command = [sys.executable, "-m", "tests.bench.snapshot", "serve"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as portal,
    ):
        url = portal.stdout.readline().strip() if portal.stdout else ""
        measure("cold", Path(folder) / "one", url)
        measure("warm", Path(folder) / "one", url)
        measure("this week and the one before", Path(folder) / "one", url, "--reconcile")
        measure("a year, warm", Path(folder) / "one", url, "--since", since)
        measure("a year, again", Path(folder) / "one", url, "--since", since)
        measure("a year, cold", Path(folder) / "two", url, "--since", since)
        if portal.stdin:
            portal.stdin.close()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
