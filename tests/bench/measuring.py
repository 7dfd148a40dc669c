"""Whole processes, measured from outside: seconds on one clock, processor time, peak memory, in turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Starts the command and waits. It is a process of its own, and a small one, because Linux counts the memory of whoever
# starts a process into the peak of that process.
STARTER = """
import os, sys, time
out, err, *command = sys.argv[1:]
files = [(os.POSIX_SPAWN_OPEN, n, p, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600) for n, p in ((1, out), (2, err))]
started = time.perf_counter()
pid = os.posix_spawn(command[0], command, os.environ, file_actions=files)
_pid, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - started
print(os.waitstatus_to_exitcode(status), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
"""


@dataclass(frozen=True)
class Cost:
    """What one run took. `cpu_s`: user and system; `peak_mb`: the most memory held at once, in MiB.

    `requests` were sent to the portal, `refused` of them turned away; `tasks` is what the program says it has read.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    requests: int = 0
    refused: int = 0
    tasks: int = 0


@dataclass(frozen=True)
class Finished:
    """A process that has ended well."""

    cost: Cost
    output: str


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """This process's, without settings of b24tools that are not of the measurement, and these.

    And without what keeps Python from storing a module's bytecode: what pip has installed has it.
    """
    foreign = ("B24_", "BITRIX_", "TZ_NAME", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | dict(env)


def run(command: Sequence[str], env: Mapping[str, str], folder: Path, statuses: Collection[int] = (0,)) -> Finished:
    """Start, wait, measure. Raises RuntimeError, with what the program said, where it ends with another status."""
    output, errors = folder / "stdout", folder / "stderr"
    starter = [sys.executable, "-I", "-S", "-c", STARTER, str(output), str(errors), *command]
    told = subprocess.run(
        starter, env=environment(env), cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
    )
    status, seconds, cpu_s, peak_mb = told.stdout.split()
    if int(status) not in statuses:
        said = errors.read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{' '.join(command)} ended with {int(status)}: {said}")
    return Finished(Cost(float(seconds), float(cpu_s), float(peak_mb)), output.read_text(encoding="utf-8"))


def in_turns(programs: Mapping[str, Callable[[], Cost]], rounds: int, *, warm: bool = True) -> dict[str, list[Cost]]:
    """Each program once per round, A B C A B C: a slow minute of the machine befalls all. One round warms up."""
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    for number in range(rounds + warm):
        for name, measure in programs.items():
            cost = measure()
            if number >= warm:
                costs[name].append(cost)
        tell(".")
    return costs


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure by itself."""
    return Cost(
        *(statistics.median(getattr(cost, name) for cost in costs) for name in ("seconds", "cpu_s", "peak_mb")),
        *(round(statistics.median(getattr(cost, name) for cost in costs)) for name in ("requests", "refused", "tasks")),
    )


def ratio(ours: Sequence[Cost], theirs: Sequence[Cost]) -> float:
    """The median of the ratios of the pairs, by seconds; without pairs the ratio of the medians."""
    if len(ours) != len(theirs):
        return median(ours).seconds / median(theirs).seconds
    return statistics.median(our.seconds / their.seconds for our, their in zip(ours, theirs, strict=True))


def program(module: str, *arguments: str) -> list[str]:
    """A module as a process of this Python."""
    return [sys.executable, "-m", module, *arguments]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def tell(text: str) -> None:
    """What goes on, for whoever waits: results are stdout's."""
    sys.stderr.write(text)
    sys.stderr.flush()
