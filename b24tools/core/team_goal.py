"""The goal of a team: tasks or hours a week for each member who is present."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

FORM = r"([0-9]{1,4}(?:[.,][0-9]{1,2})?) ?(tasks?|задач[аи]?|h|ч)"  # of the setting
WEEK_DAYS = 5  # of a week without holidays
TASKS, HOURS = "tasks", "hours"


@dataclass(frozen=True, slots=True)
class TeamGoal:
    """What the members of a team are to close in a period, and what is closed.

    `per_member`: in a week without holidays. `present`: how many of the members are there, on an average working day.
    """

    unit: str
    per_member: float
    target: float
    done: float
    members: int
    present: float


def read_setting(text: str) -> tuple[str, float] | None:
    """Read `5 tasks` or `20h` as the unit and the figure a week; None where no goal is set."""
    match = re.fullmatch(FORM, text.strip().lower())
    figure = float(match[1].replace(",", ".")) if match else 0.0
    return (HOURS if match[2] in ("h", "ч") else TASKS, figure) if match and figure else None


def find_goal(
    setting: tuple[str, float],
    members: Collection[int],
    days: Iterable[tuple[bool, Collection[int]]],
    done: tuple[int, float],
) -> TeamGoal | None:
    """Find the goal of a period; None where no person works in it.

    `days`: of each whether it is worked and who is away. `done`: closed tasks and their hours.
    """
    unit, per_member = setting
    present = [len(set(members).difference(away)) for works, away in days if works]
    exact = per_member * sum(present) / WEEK_DAYS
    target = float(int(exact + 0.5)) if unit == TASKS else round(exact, 1)
    if not target:
        return None
    figure = done[0] if unit == TASKS else done[1]
    return TeamGoal(unit, per_member, target, figure, len(members), round(sum(present) / len(present), 1))
