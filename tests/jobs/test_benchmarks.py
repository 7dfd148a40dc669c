"""What a place in the ranking is seen beside, and what the ranking is narrowed to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from b24tools.core import errors
from b24tools.core.models import Department
from b24tools.jobs import leaderboard
from b24tools.jobs.leaderboard import Board
from b24tools.jobs.leaderboard.benchmarks import Benchmarks, OwnStanding, WeekFigure, find_benchmarks
from b24tools.store import Store
from tests.support.closed_tasks import LAST, NOW, THIS, person, save, task
from tests.support.leaderboards import opened, plant

__all__ = ["opened", "plant"]  # fixtures

WEEK = timedelta(weeks=1)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ([], Benchmarks()),
        ([5], Benchmarks(1, 5)),
        ([1, 4], Benchmarks(2, 2.5)),
        ([3, 1, 9], Benchmarks(3, 3)),
        ([1, 2, 3, 4], Benchmarks(4, 2.5, 4)),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], Benchmarks(9, 0.5, 0.7)),
    ],
)
def test_the_median_and_the_first_quarter(figures: list[float], expected: Benchmarks) -> None:
    """The first quarter is rounded up to whole people, and is there from four on."""
    assert expected == find_benchmarks(figures, 1)


def test_where_a_person_stands(opened: Store) -> None:
    """The place, what is missing to the next one, the best week of all, four weeks."""
    closed = {1: {0: 5, 1: 2, 7: 6, 9: 6}, 2: {0: 3, 1: 4}, 3: {1: 1}}
    opened.people.save((person(number, f"Имя Фамильный{number}") for number in closed), NOW)
    moments = [
        (user_id, THIS.start - ago * WEEK + timedelta(minutes=number))
        for user_id, weeks in closed.items()
        for ago, count in weeks.items()
        for number in range(count)
    ]
    save(opened, [task(number, *of) for number, of in enumerate(moments, 1)])

    def stand(me: str, **options: object) -> OwnStanding | None:
        return leaderboard.board(opened, THIS, now=NOW, me=me, **options).benchmarks.me  # type: ignore[arg-type]

    trend = [("2026-W44", 0), ("2026-W45", 0), ("2026-W46", 2), ("2026-W47", 5)]
    first = OwnStanding(
        1, "Имя Фамильный1", 1, 5, None, None, WeekFigure("2026-W38", 6), tuple(WeekFigure(*week) for week in trend)
    )
    assert first == stand("1")
    second = stand("Фамильный2", by="hours")
    assert second
    assert (2, 3.0, 1, 2.0, WeekFigure("2026-W46", 4.0)) == (
        second.place,
        second.figure,
        second.next_place,
        second.missing,
        second.best,
    )
    third = stand("3")
    assert third
    assert (None, 0, 2, 3.0) == (third.place, third.figure, third.next_place, third.missing)


def test_nobody_stands_who_is_left_out(plant: Callable[..., Board]) -> None:
    """A hidden one; and a name that several have, or none, names the ids or the nearest one."""
    for name, words in (("Невидимая", "is on no leaderboard"), ("Никто", "there is no person called")):
        with pytest.raises(errors.ConfigError, match=words):
            plant(me=name)


def test_the_last_place_is_not_named(plant: Callable[..., Board]) -> None:
    """Whoever shares it is left out; who is alone is the first, and stays."""
    assert [1, 2, 2, 4, 4, 6, 7] == [row.place for row in plant(spares_last=True).rows]
    assert (2, 1) == (plant(spares_last=True).left_out, len(plant(department="12", spares_last=True).rows))
    assert [12, 11] == [row.id for row in plant(teams=True, spares_last=True).rows]


def test_a_department_with_all_below_it(opened: Store, plant: Callable[..., Board]) -> None:
    """By the first department of each, as teams are; places, totals and benchmarks are those of the department."""
    departments = [
        Department(10, "Цеха", None, None),
        Department(11, "Сварочный цех", 10, None),
        Department(12, "Покраска", 10, None),
        Department(13, "Сборка", None, None),
        Department(14, "сборка", 10, None),
    ]
    opened.people.save_departments(departments, NOW)

    ranked = plant(department="цеха")

    assert (10, "Цеха") == ranked.scope.department
    assert [(1, 1), (2, 2), (3, 5), (4, 8), (5, 7)] == [(row.place, row.id) for row in ranked.rows]
    assert (23, Benchmarks(5, 4, 7)) == (ranked.total_tasks, ranked.benchmarks)
    assert [12, 11] == [row.id for row in plant(department="10", teams=True).rows]
    assert [3, 4, 6] == [row.id for row in plant(department="#13").rows]
    with pytest.raises(errors.ConfigError, match="#13, #14") as caught:
        plant(department="Сборка")
    assert errors.ErrorCode.AMBIGUOUS == caught.value.code


def test_one_project(opened: Store) -> None:
    """By id, or by the name that came with its tasks; the week before and the trend are of it, too."""
    tasks = [task(number, 1, (LAST if number < 3 else THIS).start) for number in range(1, 8)]
    named = {1: "Задачи из 1с", 2: "Ремонт"}
    opened.people.save([person(1, "Иван Петров")], NOW)
    groups = [2, 1, 2, 2, 1, 1, 1]
    save(
        opened,
        [closed._replace(group_id=group, group_name=named[group]) for closed, group in zip(tasks, groups, strict=True)],
    )

    ranked = leaderboard.board(opened, THIS, now=NOW, group="ремонт", me="1")

    assert [(1, 0, 2)] == [(row.place, row.moved, row.tasks) for row in ranked.rows]
    assert ranked.benchmarks.me
    assert [0, 0, 1, 2] == [week.figure for week in ranked.benchmarks.me.trend]
    assert 3 == leaderboard.board(opened, THIS, now=NOW, group="1").total_tasks
    with pytest.raises(errors.ConfigError, match="Ремнт"):
        leaderboard.board(opened, THIS, now=NOW, group="Ремнт")


def test_namesakes_are_told_apart_whoever_is_shown(opened: Store, plant: Callable[..., Board]) -> None:
    """One of them may be below the rows that are shown."""
    opened.people.save([person(7, "Иван Петров", 12)], NOW)

    assert frozenset({"Иван Петров"}) == plant(top=1).namesakes
