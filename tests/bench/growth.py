"""What a snapshot and the leaderboard take with ten and a hundred times the tasks: `python -m tests.bench.growth`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.bench import measuring, portal, snapshot, startup
from tests.bench.measuring import Cost

PEOPLE = 200
SIZES = (1_000, 10_000, 100_000)


def snapshots(folder: Path, size: int, rounds: int) -> Cost:
    """A year of so many tasks."""
    with portal.running(folder / f"portal{size}", PEOPLE, size) as running:
        measure = snapshot.ours(running, folder, "--since", f"{snapshot.monday(snapshot.WEEKS)}")
        return measuring.median(measuring.in_turns({"": measure}, rounds)[""])


def leaderboards(folder: Path, size: int, rounds: int) -> Cost:
    """This month's board out of a year of so many tasks, printed."""
    full = folder / f"year{size}"
    measuring.run(measuring.program("tests.bench.year", str(full), str(size)), {"PYTHONPATH": str(Path.cwd())}, folder)
    command = measuring.program("b24tools", "leaderboard", "--month")
    return measuring.median(measuring.in_turns({"": startup.timed(command, folder, full)}, rounds)[""])


def report(folder: Path) -> str:
    """The table, in Markdown."""
    rows = []
    for size in SIZES:
        taken, shown = snapshots(folder, size, 3 if size < SIZES[-1] else 1), leaderboards(folder, size, 5)
        each = taken.cpu_s / taken.tasks * 1_000_000
        rows.append(
            [
                f"{size}",
                f"{taken.requests}",
                f"{taken.seconds:.2f}",
                f"{taken.cpu_s:.2f}",
                f"{each:.0f}",
                f"{taken.peak_mb:.0f}",
                f"{shown.seconds * 1000:.0f}",
                f"{shown.peak_mb:.0f}",
            ]
        )
    head = (
        "tasks of a year",
        "requests",
        "seconds",
        "CPU s",
        "CPU µs a task",
        "peak MB",
        "leaderboard ms",
        "its peak MB",
    )
    return "Growth\n\n" + measuring.table(head, rows)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(report(Path(name)))


if __name__ == "__main__":
    main()
