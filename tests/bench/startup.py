"""How long b24tools takes to start, beside bare programs, and the leaderboard on an empty and a full database.

`python -m tests.bench.startup`: whole processes in turns.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import measuring
from tests.bench.measuring import Cost
from tests.bench.snapshot import ZONE

TASKS = 100_000
TYPER = """
import typer

app = typer.Typer()


@app.command()
def main() -> None:
    print("0.1.0")


app()
"""
TABLE = '''
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


def timed(command: Sequence[str], folder: Path, data: Path) -> Callable[[], Cost]:
    """A run of the command with this data folder."""
    env = {"B24_DATA_DIR": str(data), "B24_TZ": str(ZONE), "B24_LANG": "ru"}
    return lambda: measuring.run(command, env, folder).cost


def report(folder: Path, rounds: int = 9) -> str:
    """The table, in Markdown."""
    full, empty = folder / "full", folder / "empty"
    measuring.run(measuring.program("tests.bench.year", str(full), str(TASKS)), {"PYTHONPATH": str(Path.cwd())}, folder)
    programs = {}
    for name, code in (("typer", TYPER), ("table", TABLE)):
        programs[name] = folder / f"bare_{name}.py"
        programs[name].write_text(code, encoding="utf-8")
    ours = shutil.which("b24tools", path=str(Path(sys.executable).parent)) or sys.exit("b24tools is not installed")
    table = "one Rich table with Typer"
    costs = measuring.in_turns(
        {
            "python -c pass": timed([sys.executable, "-c", "pass"], folder, empty),
            "a bare Typer program": timed([sys.executable, str(programs["typer"])], folder, empty),
            table: timed([sys.executable, str(programs["table"])], folder, empty),
            "b24tools --version": timed([ours, "--version"], folder, empty),
            "b24tools --help": timed([ours, "--help"], folder, empty),
            "b24tools leaderboard, nothing collected": timed([ours, "leaderboard"], folder, empty),
            f"b24tools leaderboard, {TASKS} tasks": timed([ours, "leaderboard"], folder, full),
            "b24tools leaderboard --month --by hours": timed(
                [ours, "leaderboard", "--month", "--by", "hours"], folder, full
            ),
        },
        rounds,
    )
    rows = []
    for name, of in costs.items():
        cost = measuring.median(of)
        ratios = [f"{measuring.ratio(of, costs[other]):.2f}" for other in ("a bare Typer program", table)]
        rows.append([name, f"{cost.seconds * 1000:.0f}", f"{cost.peak_mb:.0f}", *ratios])
    return f"Start-up; rounds: {rounds}\n\n" + measuring.table(
        ("", "ms", "peak MB", "× bare Typer", "× one table"), rows
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        sys.stdout.write(report(Path(name)))


if __name__ == "__main__":
    main()
