"""`b24tools snapshot` beside the others, on this week and on a year: `python -m tests.bench.snapshot`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.bench import measuring, portal
from tests.bench.measuring import Cost

ZONE = ZoneInfo("Europe/Moscow")
PEOPLE, TASKS, WEEKS = 5_000, 100_000, 52
SLOW_S = 1
WEEK = (
    *("fast-bitrix24", "fast-bitrix24, at once", "fast-bitrix24, at once, saved"),
    *("b24pysdk", "b24pysdk, at once", "b24pysdk, at once, saved"),
)
OURS_SIX = "b24tools snapshot --since, B24_PARALLEL=6"  # as 0.1.0 had under way
YEAR = ("fast-bitrix24, at once", "b24pysdk, its chain", "fast-bitrix24, at once, saved", "b24pysdk, its chain, saved")
KEYS = {
    "fast-bitrix24": "fast-bitrix24",
    "fast-bitrix24, at once": "fast-bitrix24-at-once",
    "b24pysdk": "b24pysdk",
    "b24pysdk, at once": "b24pysdk-at-once",
    "b24pysdk, its chain": "b24pysdk-fast",
}
HEAD = ("", "requests", "refused", "seconds", "CPU s", "peak MB", "× b24tools")


def monday(weeks_ago: int) -> date:
    """The first day of a week of the portal's zone."""
    today = datetime.now(ZONE).date()
    return today - timedelta(days=today.weekday() + 7 * weeks_ago)


def moment(day: date) -> str:
    """Its midnight, as the peers ask for it."""
    return datetime.combine(day, time(), ZONE).isoformat()


def ours(
    running: portal.Running,
    folder: Path,
    *arguments: str,
    data: Path | None = None,
    latency_s: float = portal.LATENCY_S,
    parallel: int = 2,
) -> Callable[[], Cost]:
    """`b24tools snapshot`, each time into a database of its own if none is named."""

    def measure() -> Cost:
        mine = data or Path(tempfile.mkdtemp(dir=folder))
        env = running.environment | {"B24_DATA_DIR": str(mine), "B24_LANG": "en", "B24_TZ": str(ZONE)}
        env["B24_PARALLEL"] = str(parallel)
        running.ready(latency_s=latency_s)
        done = measuring.run(measuring.program("b24tools", "snapshot", "--json", *arguments), env, folder)
        return running.counted(done.cost, sum(week["tasks"] for week in json.loads(done.output)["data"]))

    return measure


def theirs(
    running: portal.Running,
    folder: Path,
    name: str,
    start: date,
    end: date,
    *,
    kept: bool = False,
    latency_s: float = portal.LATENCY_S,
) -> Callable[[], Cost]:
    """A peer, reading the same; `kept`: and saving it."""

    def measure() -> Cost:
        mine = Path(tempfile.mkdtemp(dir=folder))
        running.ready(latency_s=latency_s)
        module = ("tests.bench.replaced", "poll") if name == "replaced" else ("tests.bench.peers", name)
        command = measuring.program(*module, moment(start), moment(end))
        env = running.environment | {"PYTHONPATH": str(Path.cwd())}
        done = measuring.run(command, env | ({"BENCH_KEEP": str(mine / "kept.db")} if kept else {}), mine)
        return running.counted(done.cost, int(done.output))

    return measure


def rows(costs: Mapping[str, Sequence[Cost]]) -> list[list[str]]:
    """A row per program: medians, and the median of the pairs' ratios to the first of them."""
    first = next(iter(costs.values()))
    lines = []
    for name, of in costs.items():
        cost = measuring.median(of)
        figures = [
            str(cost.requests),
            str(cost.refused),
            f"{cost.seconds:.2f}",
            f"{cost.cpu_s:.2f}",
            f"{cost.peak_mb:.0f}",
        ]
        lines.append([name, *figures, f"{measuring.ratio(of, first):.2f}"])
    return lines


def report(running: portal.Running, folder: Path, rounds: int = 5) -> str:
    """The tables, in Markdown."""
    this, first = monday(0), monday(WEEKS)
    end = this + timedelta(days=7)
    week, year = ("--week", f"{this:%G-W%V}"), ("--since", f"{first}")
    kept = Path(tempfile.mkdtemp(dir=folder))

    def peers(names: Sequence[str], start: date, latency_s: float = portal.LATENCY_S) -> dict[str, Any]:
        """Those of the peers, as they are called here, that read the same; some save it as well."""
        return {
            name: theirs(
                running,
                folder,
                KEYS[name.removesuffix(", saved")],
                start,
                end,
                kept=name.endswith(", saved"),
                latency_s=latency_s,
            )
            for name in names
        }

    weeks = {"b24tools snapshot --week": ours(running, folder, *week)} | peers(WEEK, this)
    weeks["b24tools snapshot --week, the next"] = ours(running, folder, *week, data=kept)
    costs = measuring.in_turns(weeks, rounds)
    once = {"one list per person, once": theirs(running, folder, "replaced", this, end)}
    parts = [_titled("This week", costs | measuring.in_turns(once, 1, warm=False), rounds)]
    years = {OURS_SIX: ours(running, folder, *year, parallel=6)} | peers(YEAR, first)
    years["b24tools snapshot --since"] = ours(running, folder, *year)
    parts.append(_titled("A year", measuring.in_turns(years, rounds - 2), rounds - 2))
    for title, words, start, names in (("This week", week, this, WEEK[1::3]), ("A year", year, first, YEAR[:2])):
        slow = {OURS_SIX: ours(running, folder, *words, latency_s=SLOW_S, parallel=6)} if words == year else {}
        slow |= {f"b24tools snapshot {words[0]}": ours(running, folder, *words, latency_s=SLOW_S)}
        slow |= peers(names, start, SLOW_S)
        parts.append(_titled(f"{title}, {SLOW_S} s for an answer", measuring.in_turns(slow, 1, warm=False), 1))
    return "\n".join(parts)


def _titled(title: str, costs: Mapping[str, Sequence[Cost]], rounds: int) -> str:
    tasks = ", ".join(map(str, sorted({cost.tasks for of in costs.values() for cost in of})))
    return f"{title}: {tasks} tasks, {PEOPLE} people; rounds: {rounds}\n\n" + measuring.table(HEAD, rows(costs))


def main() -> None:
    with tempfile.TemporaryDirectory() as name, portal.running(Path(name) / "portal", PEOPLE, TASKS) as running:
        sys.stdout.write(report(running, Path(name)))


if __name__ == "__main__":
    main()
