"""Every command and page in pairs, on an empty database and on one of a year: `python -m tests.bench.pairs`.

After it the number of orders, or the folder of such a year, and the number of rounds may be given. Both databases have
sent an order to the same portal. Commands are processes in turns; pages are asked for in turns of two servers.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

from b24tools.store import open_store
from tests.bench import ledger, measuring, orders, portal, serving
from tests.bench.measuring import Cost

ROUNDS, REQUESTS = 5, 40
ENDINGS = (0, 1, 3)  # doctor and replan have findings
COMMANDS = (
    "leaderboard",
    "leaderboard --month",
    "leaderboard --year",
    "history",
    "history {number}",
    "why {task}",
    "why --order {number}",
    "config list",
    "replay --list",
    "assign --dry-run {file}",
    "assign {file}",
    "orders",
    "orders --late",
    "load",
    "today",
    "replan --dry-run",
    "digest --what late --to chat1 --dry-run",
    "digest --what changes --to chat1 --dry-run",
    "snapshot",
    "doctor",
)
PAGES = (
    "/healthz",
    "/ready",
    "/metrics",
    "/leaderboard",
    "/board",
    "/users",
    "/tasks/week",
    "/orders",
    "/orders?html",
    "/plan",
    "/load?html",
    "/today?html",
    "/why/{task}",
)


def measure_all(folder: Path, year: Path, rounds: int) -> Iterator[list[str]]:
    """Yield the rows of the table, each when it is measured. `year`: the data folder of a year, see `ledger`."""
    empty = folder / "empty"
    empty.mkdir()
    with portal.running(folder / "portal", ledger.PEOPLE, ledger.TASKS) as running:
        folders = {"empty": empty, "a year": year}
        envs = {
            name: running.environment | {"B24_DATA_DIR": str(data), "B24_LANG": "ru", "B24_PARALLEL": "1"}
            for name, data in folders.items()
        }
        running.ready(brake=False, latency_s=0)
        words = {name: _prepare(folder, env) for name, env in envs.items()}
        for command in COMMANDS:
            yield _compare(folder, command, words, envs, rounds)
        yield from _compare_pages(words, envs)


def _prepare(folder: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Send an order, and collect; return what names it."""
    file = orders.write(folder)
    for words in (["assign", str(file)], ["snapshot"]):
        measuring.run(measuring.program("b24tools", *words), env, folder)
    number = json.loads(file.read_text(encoding="utf-8"))["НомерЗаказа"]
    done = measuring.run(measuring.program("b24tools", "orders", number, "--json"), env, folder)
    task = json.loads(done.output)["data"]["orders"][0]["lines"][0]["task_id"]
    return {"number": number, "task": str(task)}


def _compare(
    folder: Path,
    command: str,
    words: Mapping[str, Mapping[str, str]],
    envs: Mapping[str, Mapping[str, str]],
    rounds: int,
) -> list[str]:
    def measure(name: str) -> Callable[[], Cost]:
        def once() -> Cost:
            file = orders.write(folder) if "{file}" in command else ""
            given = command.format(file=file, **words[name]).split()
            return measuring.run(measuring.program("b24tools", *given), envs[name], folder, ENDINGS).cost

        return once

    costs = measuring.in_turns({name: measure(name) for name in envs}, rounds)
    shown = command.format(file="FILE", number="NUMBER", task="TASK")
    return _row(shown, [measuring.median(of) for of in costs.values()])


def _compare_pages(
    words: Mapping[str, Mapping[str, str]], envs: Mapping[str, Mapping[str, str]]
) -> Iterator[list[str]]:
    """Yield the mean of some requests each, and the most memory so far of two servers that are asked for all."""
    with ExitStack() as stack:
        served = {
            name: stack.enter_context(serving.process(serving.ours(), Path(env["B24_DATA_DIR"]), env))
            for name, env in envs.items()
        }
        for page in PAGES:
            accepted = "text/html" if page.endswith("html") or page == "/plan" else "*/*"
            costs = []
            for name, server in served.items():
                path = page.format(**words[name]).removesuffix("?html")
                _get(server.port, path, accepted)  # loads what it needs
                before = server.cpu_s()
                for _number in range(REQUESTS):
                    _get(server.port, path, accepted)
                costs.append(Cost(0, (server.cpu_s() - before) / REQUESTS, server.memory_mb("VmHWM")))
            yield _row(f"GET {page.format(task='TASK').replace('?html', ' (page)')}", costs)


def _get(port: int, path: str, accepted: str) -> None:
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", path, headers={"Accept": accepted})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content


def _row(name: str, costs: list[Cost]) -> list[str]:
    less, more = costs
    values = [value for cost in costs for value in (cost.cpu_s * 1000, cost.peak_mb)]
    cells = [f"{value:.1f}" if value < 10 else f"{value:.0f}" for value in values]
    return [name, *cells, f"{more.cpu_s / max(less.cpu_s, 0.0005):.2f}", f"{more.peak_mb / less.peak_mb:.2f}"]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, now = Path(name), datetime.now(UTC)
        if sys.argv[1:] and Path(sys.argv[1]).is_dir():  # one that is there
            shutil.copytree(sys.argv[1], folder / "year")
        else:
            (folder / "year").mkdir()
            path = ledger.make(folder / "year", int(sys.argv[1]) if sys.argv[1:] else ledger.YEAR)
            with closing(open_store(path)) as store:
                store.retention.trim(now, timedelta(days=365))
                store.retention.shrink()
        head = ("", "empty: CPU ms", "MB", "a year: CPU ms", "MB", "× CPU", "× MB")
        sys.stdout.write(measuring.table(head, []))
        for row in measure_all(folder, folder / "year", int(sys.argv[2]) if sys.argv[2:] else ROUNDS):
            sys.stdout.write(f"| {' | '.join(row)} |\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
