"""Many processes: so many at once, each with its time, and all ended together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from b24tools.jobs.each import Answer, find_worst, run_each

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these are programs of a shell")

SLEEP = ["sleep", "60"]


def shell(text: str) -> list[str]:
    """A command line for the shell."""
    return ["sh", "-c", text]


def test_a_broken_one_stops_no_other() -> None:
    """Statuses and both outputs are each one's own; stdin is empty."""
    answers = run_each({"a": shell("echo 1; echo 2 >&2"), "b": shell("kill -9 $$"), "c": shell("cat; exit 3")}, 2, 60)

    assert {Answer("a", 0, "1\n", "2\n"), Answer("b", -9, "", ""), Answer("c", 3, "", "")} == set(answers)


def test_only_so_many_run_at_once(tmp_path: Path) -> None:
    """Each sees how many there are while it runs."""
    count = shell(f"cd {tmp_path}; touch $$; ls | wc -l; sleep 0.05; rm $$")

    numbers = [int(answer.out) for answer in run_each({str(n): count for n in range(6)}, 2, 60)]

    assert 6 == len(numbers)
    assert {1, 2} >= set(numbers)


def test_what_takes_too_long_is_cut() -> None:
    """It is to be tried later."""
    assert [Answer("a", 75, "so far\n", "", in_time=False)] == list(
        run_each({"a": shell("echo so far; exec sleep 60")}, 1, 0.3)
    )


def test_ctrl_c_ends_those_that_run_and_begins_no_other(tmp_path: Path) -> None:
    """The interrupt reaches the caller when all have ended."""
    mark = shell(f"touch {tmp_path / 'began'}")
    answers = run_each({"a": shell("exit 0"), "b": SLEEP, "c": SLEEP, "d": mark}, 2, 60)

    assert "a" == next(answers).profile
    with pytest.raises(KeyboardInterrupt):
        answers.throw(KeyboardInterrupt)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [([], 0), ([0, 75], 75), ([75, 3, 0], 3), ([3, 1, 75], 1), ([1, 2, 3], 2), ([0, -9], 1), ([130, 2], 2)],
)
def test_the_worst_stands_for_all(statuses: list[int], worst: int) -> None:
    """What a person must act on comes first."""
    assert worst == find_worst(statuses)
