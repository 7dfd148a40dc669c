"""What a place in the ranking is to be seen beside: the median, the first quarter, one's own weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

QUARTER_FROM = 4  # rows: of fewer the first quarter is only the first one's


@dataclass(frozen=True, slots=True)
class WeekFigure:
    """Tasks or hours of a week, by its label."""

    week: str
    figure: float


@dataclass(frozen=True, slots=True)
class OwnStanding:
    """Where a person stands. `place`: None without a counted task.

    `next_place`, `missing`: the place before it, and what has to be added to share that; None for who is first.
    `best`: the person's best week so far, None before the first one. `trend`: four weeks, the last one of the period's.
    """

    user_id: int
    name: str
    place: int | None
    figure: float
    next_place: int | None = None
    missing: float | None = None
    best: WeekFigure | None = None
    trend: tuple[WeekFigure, ...] = ()


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """Figures of all who are ranked, in what the ranking goes by. `first_quarter`: the least that one of it has."""

    ranked: int = 0
    median: float | None = None
    first_quarter: float | None = None
    me: OwnStanding | None = None


def find_benchmarks(figures: Sequence[float], digits: int) -> Benchmarks:
    """Find the median, and the least figure of the first quarter of at least four."""
    best_first = sorted(figures, reverse=True)
    if not best_first:
        return Benchmarks()
    count = len(best_first)
    median = round((best_first[(count - 1) // 2] + best_first[count // 2]) / 2, digits)
    return Benchmarks(count, median, best_first[(count + 3) // 4 - 1] if count >= QUARTER_FROM else None)


def find_next(figure: float, places: Mapping[float, int], digits: int) -> tuple[int | None, float | None]:
    """Find the place before this figure's, and how much is missing to it. `places`: of each figure that has one."""
    better = min((other for other in places if other > figure), default=None)
    return (None, None) if better is None else (places[better], round(better - figure, digits))
