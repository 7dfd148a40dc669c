"""A few facts worth naming: never more than two of a person, and none that says what somebody did not do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

MOST_IMPROVED, BEST_WEEK, HELPED = "most_improved", "best_week", "helped"
ALL_ON_TIME, CLEAN_FRIDAY = "all_on_time", "clean_friday"
BADGES = (MOST_IMPROVED, BEST_WEEK, HELPED, ALL_ON_TIME, CLEAN_FRIDAY)  # the rarest first
MOST_BADGES = 2  # of a person
ON_TIME_FROM = 5  # tasks with a deadline
CLEAN_FROM = 3  # tasks that were due by Friday
LEAST_RISE, MOST_RISERS = 2, 2
BEST_FROM, WEEKS_BEFORE = 3, 4  # tasks of a best week, and weeks with any that it is the best of


def find_most_improved(rises: Mapping[int, int]) -> set[int]:
    """Find whose tasks have risen most since the period before; no one where many have risen alike, or little."""
    most = max(rises.values(), default=0)
    found = {user_id for user_id, rise in rises.items() if rise == most}
    return found if most >= LEAST_RISE and len(found) <= MOST_RISERS else set()


def is_best_week(tasks: int, before: Sequence[int]) -> bool:
    """Whether a week has more tasks than any of those before it, of which some had any."""
    return tasks >= BEST_FROM and tasks > max(before, default=0) and sum(map(bool, before)) >= WEEKS_BEFORE


def choose_badges(holders: Mapping[str, Collection[int]], user_id: int) -> tuple[str, ...]:
    """Choose the rarest of a person's badges."""
    return tuple(badge for badge in BADGES if user_id in holders[badge])[:MOST_BADGES]
