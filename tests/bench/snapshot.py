"""`b24tools snapshot` beside the others, on this week and on a year: `python -m tests.bench.snapshot`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.bench import measuring, portal
from tests.bench.measuring import Cost

ZONE = ZoneInfo("Europe/Moscow")
PEOPLE, TASKS, WEEKS = 5_000, 100_000, 52
HEAD = ("", "requests", "refused", "seconds", "CPU s", "peak MB", "time to b24tools'")


def monday(weeks_ago: int) -> date:
    """The first day of a week of the portal's zone."""
    today = datetime.now(ZONE).date()
    return today - timedelta(days=today.weekday() + 7 * weeks_ago)


def moment(day: date) -> str:
    """Its midnight, as the peers ask for it."""
    return datetime.combine(day, time(), ZONE).isoformat()


def ours(running: portal.Running, folder: Path, *arguments: str) -> Callable[[], Cost]:
    """`b24tools snapshot`, each time into a database of its own."""

    def measure() -> Cost:
        mine = Path(tempfile.mkdtemp(dir=folder))
        env = running.environment | {"B24_DATA_DIR": str(mine), "B24_LANG": "en", "B24_TZ": str(ZONE)}
        running.ready()
        done = measuring.run(measuring.program("b24tools", "snapshot", "--json", *arguments), env, mine)
        return running.counted(done.cost, sum(week["tasks"] for week in json.loads(done.output)["data"]))

    return measure


def theirs(
    running: portal.Running, folder: Path, name: str, start: date, end: date, *, kept: bool = False
) -> Callable[[], Cost]:
    """A peer, reading the same; `kept`: and saving it."""

    def measure() -> Cost:
        mine = Path(tempfile.mkdtemp(dir=folder))
        running.ready()
        module = ("tests.bench.replaced", "poll") if name == "replaced" else ("tests.bench.peers", name)
        command = measuring.program(*module, moment(start), moment(end))
        env = running.environment | {"PYTHONPATH": str(Path.cwd())}
        done = measuring.run(command, env | ({"BENCH_KEEP": str(mine / "kept.db")} if kept else {}), mine)
        return running.counted(done.cost, int(done.output))

    return measure


def rows(costs: Mapping[str, Sequence[Cost]]) -> list[list[str]]:
    """A row per program: medians, and the median of the pairs' ratios; b24tools is the first of them."""
    first = next(iter(costs.values()))
    found = []
    for name, of in costs.items():
        one = measuring.median(of)
        figures = [str(one.requests), str(one.refused), f"{one.seconds:.2f}", f"{one.cpu_s:.2f}", f"{one.peak_mb:.0f}"]
        found.append([name, *figures, f"{measuring.ratio(of, first):.2f}"])
    return found


def report(running: portal.Running, folder: Path, rounds: int = 5) -> str:
    """Both tables, in Markdown."""
    parts = []
    this = monday(0)
    end = this + timedelta(days=7)
    week = {
        "b24tools snapshot --week": ours(running, folder, "--week", f"{this:%G-W%V}"),
        "fast-bitrix24": theirs(running, folder, "fast-bitrix24", this, end),
        "b24pysdk": theirs(running, folder, "b24pysdk", this, end),
        "fast-bitrix24, saved": theirs(running, folder, "fast-bitrix24", this, end, kept=True),
        "b24pysdk, saved": theirs(running, folder, "b24pysdk", this, end, kept=True),
    }
    costs = measuring.in_turns(week, rounds)
    costs |= measuring.in_turns({"one list per person": theirs(running, folder, "replaced", this, end)}, 1, warm=False)
    parts.append(_titled("This week", costs))
    first = monday(WEEKS)
    year = {
        "b24tools snapshot --since": ours(running, folder, "--since", f"{first}"),
        "fast-bitrix24": theirs(running, folder, "fast-bitrix24", first, end),
        "b24pysdk": theirs(running, folder, "b24pysdk-fast", first, end),
        "fast-bitrix24, saved": theirs(running, folder, "fast-bitrix24", first, end, kept=True),
        "b24pysdk, saved": theirs(running, folder, "b24pysdk-fast", first, end, kept=True),
    }
    parts.append(_titled("A year", measuring.in_turns(year, rounds - 2)))
    return "\n".join(parts)


def _titled(title: str, costs: Mapping[str, Sequence[Cost]]) -> str:
    tasks = {cost.tasks for of in costs.values() for cost in of}
    return f"{title}: {', '.join(map(str, sorted(tasks)))} tasks, {PEOPLE} people\n\n" + measuring.table(
        HEAD, rows(costs)
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name, portal.running(Path(name) / "portal", PEOPLE, TASKS) as running:
        sys.stdout.write(report(running, Path(name)))


if __name__ == "__main__":
    main()
