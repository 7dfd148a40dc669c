"""All measurements, as Markdown for docs/performance.md: `python -m tests.bench [--ru] [NAME…]`.

`list` says which names there are, and what each measures. Ten minutes or so on Linux for all of them; nothing of it is
a part of CI. What goes on is said on stderr. With `--ru` all is printed once more at the end, for the Russian page.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from tests.bench import (
    events,
    growth,
    ledger,
    measuring,
    orders,
    planning,
    portal,
    russian,
    serve,
    simulation,
    snapshot,
    startup,
)

COMPARED = ("b24tools", "fast-bitrix24", "b24pysdk", "httpx", "typer", "rich", "fastapi")


def machine() -> str:
    """What it ran on."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in COMPARED)
    return (
        f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.release().partition('-')[0]}, Python"
        f" {platform.python_version()}; {versions}; load {os.getloadavg()[0]:.1f} at the start.\n"
    )


def reading(folder: Path) -> str:
    """The big company, for those who read."""
    with portal.running(folder / "portal", snapshot.PEOPLE, snapshot.TASKS) as running:
        return snapshot.report(running, folder)


def writing(folder: Path) -> str:
    """The plant, for orders."""
    with portal.running(folder / "portal", orders.PEOPLE, orders.TASKS) as running:
        return orders.report(running, folder)


def serving(folder: Path) -> str:
    """The plant again, for the server."""
    with portal.running(folder / "portal", orders.PEOPLE, orders.TASKS) as running:
        return serve.report(running, folder)


PARTS: dict[str, Callable[[Path], str]] = {
    "snapshot": reading,
    "orders": writing,
    "startup": startup.report,
    "serve": serving,
    "events": lambda _folder: events.report(),
    "growth": growth.report,
    "ledger": ledger.report,
    "planning": lambda _folder: planning.report(),
    "simulation": lambda _folder: simulation.report(),
}
ABOUT = {
    "snapshot": "a week and a year of closed tasks of 5,000 people, beside other clients",
    "orders": "an order of six lines and one file, beside the replaced service",
    "startup": "how long the program takes to start",
    "serve": "events and orders a second, and the memory of an hour",
    "events": "storing and following events",
    "growth": "a snapshot and the leaderboard with ten and a hundred times the tasks",
    "ledger": "a year of orders in one database: its size, backup, retention, and commands without network",
    "planning": "planning a hundred orders, and what replan takes, without a portal",
    "simulation": "how late orders get in a month, with and without replan; two minutes",
}
ALONE = {  # each `python -m tests.bench.NAME`
    "attack": "how long honest senders of `serve` wait meanwhile",
    "hosts": "two `serve` on one PostgreSQL, killed and started anew while orders and events come",
    "kills": "fifty kills of a snapshot of a year",
    "pairs": "every command and page on an empty database and on one of a year, in turns; an hour",
    "storm": "a mass change on the portal, with `serve` killed in the middle",
    "week": "a week of cron in fast motion, and its mails; half an hour",
}


def main(arguments: list[str]) -> None:
    """Measure and print."""
    listed, alone = ("\n".join(f"  {name:11}{what}" for name, what in part.items()) for part in (ABOUT, ALONE))
    listed += f"\nalone, by `python -m tests.bench.NAME`:\n{alone}"
    parser = argparse.ArgumentParser(
        "python -m tests.bench", epilog=f"names:\n{listed}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], "list", *PARTS], help="what to measure; all")
    parser.add_argument("--ru", action="store_true", help="print all once more, in Russian")
    given = parser.parse_args(arguments)
    if "list" in given.names:
        sys.stdout.write(f"{listed}\n")
        return
    started = time.monotonic()
    printed = [machine()]
    sys.stdout.write(printed[0])
    for name in given.names or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            measuring.tell(f"{name} ")
            printed.append(f"\n{PARTS[name](Path(folder))}")
            measuring.tell(f" {time.monotonic() - started:.0f} s\n")
        sys.stdout.write(printed[-1])
        sys.stdout.flush()
    if given.ru:
        sys.stdout.write("\n" + russian.translated("".join(printed)))


if __name__ == "__main__":
    main(sys.argv[1:])
