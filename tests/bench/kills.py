"""Fifty SIGKILLs at random moments of `b24tools snapshot --since`, beside 5,000 people and 100,000 tasks.

    python -m tests.bench.kills [SEED [TASKS]]

After each kill the same command is run again; when one comes to its end, a new database is begun, until there
were fifty kills. Told is how far each run had come. It fails unless each database ends with the rows of an
undisturbed run and of the portal itself, and if more requests were repeated than a kill may have taken answers.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from b24tools.sandbox import server
from tests.bench.company import TASKS, company
from tests.support.orders import MOSCOW
from tests.support.snapshots import label_of, utc

KILLS = 50
PART = 6  # of an undisturbed run's time: the longest that a run is left alive
TABLES = {
    "tasks": "id, week, responsible_id, estimate_s, closed_at, title, status, created_at, changed_at, deadline, gone",
    "people": "id, name, active, department_ids",
    "departments": "id, name, parent_id, head_id",
}


def serve(tasks: int) -> None:
    """The portal in a process of its own: its address, its closed tasks; then for each line what it was asked."""
    portal = company(tasks)
    closed = [task for task in portal.tasks if task.status == 5 and task.closed_at]
    with server.serve(portal) as url:
        _tell(portal.webhook_url(url))
        _tell([[t.id, label_of(t.closed_at, MOSCOW), t.responsible, t.time_estimate, utc(t.closed_at)] for t in closed])
        for _line in sys.stdin:
            _tell([[_cursor(command) for command in entry.commands if _is_by_key(command)] for entry in portal.log])
            portal.log.clear()


def _is_by_key(command: Any) -> bool:
    """Whether a part of a list begins here, after a row that is known."""
    conditions = command.params.get("filter") or command.params.get("FILTER") or {}
    return str(conditions.get(">ID", "$"))[0] != "$"


def _cursor(command: Any) -> str:
    """Which list, after which row."""
    return f"{command.method} {(command.params.get('filter') or command.params['FILTER'])['>ID']}"


def _tell(value: Any) -> None:
    say(json.dumps(value))


def say(line: str) -> None:
    """At once, whatever stdout is."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def portal_process(tasks: int) -> Iterator[subprocess.Popen[str]]:
    """The portal; see `serve`."""
    command = [sys.executable, "-m", "tests.bench.kills", "serve", str(tasks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as portal:
        yield portal
        portal.kill()


def answer(portal: subprocess.Popen[str], ask: bool = False) -> Any:
    """A line of the portal's; what it was asked since the last time, if `ask`."""
    assert portal.stdin and portal.stdout
    if ask:
        portal.stdin.write("\n")
        portal.stdin.flush()
    return json.loads(portal.stdout.readline())


def start(folder: Path, url: str) -> subprocess.Popen[str]:
    """The program, about a year."""
    env = os.environ | {"BITRIX_WEBHOOK_URL": url, "B24_DATA_DIR": str(folder), "B24_LANG": "en"}
    since = f"{datetime.now(UTC) - timedelta(days=364):%Y-%m-%d}"
    command = [sys.executable, "-m", "b24tools", "snapshot", "--json", "--since", since]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def rows(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that a run leaves, but when it was saved."""
    with closing(sqlite3.connect(folder / "b24tools.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*), sum(complete) FROM snapshot_runs").fetchone() == (1, 1)
        return {
            table: connection.execute(f"SELECT {names} FROM {table} ORDER BY id").fetchall()
            for table, names in TABLES.items()
        }


def progress(folder: Path) -> str:
    """How far a killed run has come."""
    if not (folder / "b24tools.db").is_file():
        return "nothing yet"
    with closing(sqlite3.connect(folder / "b24tools.db")) as connection:
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        try:
            run = connection.execute("SELECT tasks, people, requests FROM snapshot_runs").fetchone()
        except sqlite3.OperationalError:  # no tables yet
            run = None
    return "nothing yet" if run is None else "{} tasks, {} people, {} requests".format(*run)


def main(seed: int = KILLS, tasks: int = TASKS) -> None:
    """An undisturbed run, then the killed ones."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as base, portal_process(tasks) as portal:
        url, closed = answer(portal), answer(portal)
        begun = time.monotonic()
        calm, _killed, told = until_its_end(Path(base) / "calm", url, chance, 0, 0)
        longest_s = (time.monotonic() - begun) / PART
        asked = answer(portal, ask=True)
        assert len(asked) == told[0]["requests"]
        first = datetime.fromisoformat(told[0]["from"])
        true = sorted(tuple(row) for row in closed if datetime.fromisoformat(row[4]) >= first)
        assert true == [row[:5] for row in calm["tasks"]]
        say(f"undisturbed: {len(true)} tasks, {len(asked)} requests; killed within {longest_s:.1f} s")
        kills = 0
        while kills < KILLS:
            saved, killed, again = until_its_end(Path(base) / "killed", url, chance, KILLS - kills, longest_s)
            asked = answer(portal, ask=True)
            kills += killed
            assert calm == saved
            assert [run | {"requests": 0} for run in told] == [run | {"requests": 0} for run in again]
            cursors = [cursor for request in asked for cursor in request]
            assert len(cursors) - len(set(cursors)) <= 4 * killed  # of people and of tasks, in two requests
            lost = len(asked) - again[0]["requests"]
            assert 0 <= lost <= 2 * killed  # the one that is asked for, and the one that is being saved
            say(f"{kills} kills: the same rows; {len(asked)} requests, {lost} of them more than the run counts")


def until_its_end(
    folder: Path, url: str, chance: random.Random, kills: int, longest_s: float
) -> tuple[dict[str, list[tuple[Any, ...]]], int, list[dict[str, Any]]]:
    """Run the program until it is not killed: the rows, how often it was, and what it said in the end."""
    killed = 0
    while True:
        run = start(folder, url)
        try:
            out, _err = run.communicate(timeout=chance.random() * longest_s if killed < kills else None)
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
            killed += 1
            say(f"  killed after {progress(folder)}")
            continue
        assert run.returncode == 0
        saved = rows(folder)
        shutil.rmtree(folder)
        return saved, killed, json.loads(out)["data"]


if __name__ == "__main__":
    serve(int(sys.argv[2])) if sys.argv[1:2] == ["serve"] else main(*map(int, sys.argv[1:]))
