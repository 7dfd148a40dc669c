"""The few facts that are named beside a ranking, and the goal of a team."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import pytest

from b24tools.core import errors, team_goal
from b24tools.core.models import Department
from b24tools.core.team_goal import TeamGoal
from b24tools.core.timestamps import to_seconds
from b24tools.jobs import leaderboard
from b24tools.jobs.leaderboard import badges
from b24tools.store import Store
from tests.support.closed_tasks import LAST, MOSCOW, NOW, THIS, person, save, task
from tests.support.leaderboards import opened

__all__ = ["opened"]  # a fixture

WEEK, HOUR = timedelta(weeks=1), timedelta(hours=1)
SATURDAY = datetime(2026, 11, 21, 9, tzinfo=MOSCOW)


def close(opened: Store, counts: Iterable[tuple[int, int, int]], **options: object) -> None:
    """Save tasks: who, weeks ago, how many."""
    for user_id, ago, count in counts:
        moments = (THIS.start - ago * WEEK + number * HOUR for number in range(count))
        first = 1000 * user_id + 100 * ago
        save(opened, [task(first + number, user_id, at, **options) for number, at in enumerate(moments)])  # type: ignore[arg-type]


def held(opened: Store, now: datetime = NOW, **options: object) -> dict[int, tuple[str, ...]]:
    """Who has which badges this week."""
    rows = leaderboard.board(opened, THIS, now=now, **options).rows  # type: ignore[arg-type]
    return {row.id: row.badges for row in rows if row.badges}


def test_the_best_week_is_the_best_of_some(opened: Store) -> None:
    """More than any before, of which four had any; neither an equal one nor a first one."""
    weeks = [(1, ago, 2) for ago in range(1, 5)] + [(2, ago, 4) for ago in range(1, 5)] + [(3, 1, 3), (4, 1, 3)]
    close(opened, [(1, 0, 4), (2, 0, 4), (3, 0, 4), (4, 0, 4), (5, 0, 4), *weeks])

    assert {1: (badges.MOST_IMPROVED, badges.BEST_WEEK)} == held(opened)
    assert {} == held(opened, teams=True)


def test_the_most_improved_are_one_or_two(opened: Store) -> None:
    """Of three who have risen alike none is; nor is who rose by one task, or was not there before."""
    close(opened, [(1, 0, 5), (1, 1, 3), (2, 0, 4), (2, 1, 2), (3, 0, 9), (4, 0, 2), (4, 1, 1)])
    assert {1: (badges.MOST_IMPROVED,), 2: (badges.MOST_IMPROVED,)} == held(opened)

    close(opened, [(6, 0, 5), (6, 1, 3)])

    assert {} == held(opened)


def test_all_on_time_wants_five_with_a_deadline(opened: Store) -> None:
    """Four are too few, and one that is late is one too many."""
    late = task(9, 3, THIS.start, deadline=THIS.start - HOUR)
    close(opened, [(1, 0, 5), (2, 0, 4), (3, 0, 6)], deadline=THIS.end + WEEK)
    save(opened, [late])

    assert {1: (badges.ALL_ON_TIME,)} == held(opened)


def test_a_clean_friday(opened: Store) -> None:
    """All that was due by Friday's end is closed by then, and it is over; what was due later does not count."""
    friday = datetime(2026, 11, 20, 17, tzinfo=MOSCOW)
    close(opened, [(1, 0, 3), (2, 0, 3), (3, 0, 2)], deadline=friday)
    save(opened, [task(9, 2, SATURDAY, deadline=friday), task(10, 3, SATURDAY, deadline=SATURDAY)])

    assert {} == held(opened)
    assert {1: (badges.CLEAN_FRIDAY,)} == held(opened, SATURDAY + HOUR)

    opened.database.execute("INSERT INTO orders (id, number, first_sent_at, last_sent_at) VALUES ('o', '1', '', '')")
    opened.database.execute(
        "INSERT INTO order_tasks (key, order_id, line, position, title, state, task_id, responsible_id, deadline,"
        " sent_values) VALUES ('k', 'o', 1, '', '', 'done', 99, 1, '2026-11-19T10:00:00+00:00', '{}')"
    )
    assert {} == held(opened, SATURDAY + HOUR)  # a line of an order that is still open


def test_work_that_was_done_before_its_week_makes_a_friday_clean(opened: Store) -> None:
    """Who is ahead of the plan has closed by Friday what was due."""
    friday = datetime(2026, 11, 20, 17, tzinfo=MOSCOW)
    close(opened, [(1, 0, 1), (1, 1, 1), (1, 7, 1), (2, 0, 1), (2, 9, 2)], deadline=friday)

    assert {1: (badges.CLEAN_FRIDAY,)} == held(opened, SATURDAY + HOUR)


def test_a_friday_is_clean_by_the_first_deadlines(opened: Store) -> None:
    """What was due and is moved to Sunday is late; what was due next week and is moved to this one is not due."""
    friday, sunday = (datetime(2026, 11, day, 17, tzinfo=MOSCOW) for day in (20, 22))
    close(opened, [(1, 0, 3), (2, 0, 3)], deadline=friday)
    moved = [task(9, 1, SATURDAY, deadline=friday), task(10, 2, SATURDAY, deadline=sunday + WEEK)]
    save(opened, moved)
    save(opened, [moved[0]._replace(deadline=to_seconds(sunday)), moved[1]._replace(deadline=to_seconds(friday))])

    assert {2: (badges.CLEAN_FRIDAY,)} == held(opened, SATURDAY + HOUR)


def test_help_for_another_department(opened: Store) -> None:
    """A line that was given to a department in which the person is not, nor below it."""
    opened.people.save_departments(
        [Department(1, "Цех", None, None), Department(2, "Сварка", 1, None), Department(3, "Сборка", None, None)], NOW
    )
    people = [person(7, "Свой Сварщик", 2), person(8, "Чужой Сборщик", 3), person(9, "Без Отдела")]
    opened.people.save([*people, person(10, "Чужой Маляр", 3)], NOW)
    save(opened, [task(number, number, THIS.start) for number in (7, 8, 9)])
    opened.database.execute("INSERT INTO orders (id, number, first_sent_at, last_sent_at) VALUES ('o', '1', '', '')")
    for number in (7, 8, 9, 10):
        opened.database.execute(
            "INSERT INTO order_tasks (key, order_id, line, position, title, state, task_id, department_id, sent_values)"
            f" VALUES ('{number}', 'o', {number}, '', '', 'done', {number}, 1, '{{}}')"
        )

    assert {8: (badges.HELPED,)} == held(opened)

    with opened.transaction():
        opened.packed.pack(["o"], NOW)
    assert {8: (badges.HELPED,)} == held(opened)
    save(opened, [task(10, 10, THIS.start)])  # a packed line's, closed only now
    assert {8: (badges.HELPED,), 10: (badges.HELPED,)} == held(opened)
    save(opened, [task(10, 7, THIS.start, changed=NOW)])  # by somebody else, as it turns out
    assert {8: (badges.HELPED,)} == held(opened)

    opened.packed.unpack(["o"])
    assert {8: (badges.HELPED,)} == held(opened)
    assert [(0,)] == [tuple(row) for row in opened.database.query("SELECT count(department_id) FROM closed_tasks")]


def test_two_badges_at_most() -> None:
    """The rarest ones."""
    assert (badges.HELPED, badges.ALL_ON_TIME) == badges.choose_badges(
        {badge: {7} if badge not in (badges.MOST_IMPROVED, badges.BEST_WEEK) else {8} for badge in badges.BADGES}, 7
    )


# the goal


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5 tasks", ("tasks", 5)),
        ("1 task", ("tasks", 1)),
        ("20h", ("hours", 20)),
        ("7,5 ч", ("hours", 7.5)),
        ("12 задач", ("tasks", 12)),
        ("0 tasks", None),
        ("", None),
    ],
)
def test_a_goal_as_people_write_it(opened: Store, text: str, expected: tuple[str, float] | None) -> None:
    """Tasks or hours; nothing means none."""
    opened.settings.save("team_goal", text)

    assert expected == team_goal.read_setting(opened.settings.get("team_goal"))


@pytest.mark.parametrize("text", ["5", "tasks", "-1 tasks", "5 days", "20h a week"])
def test_a_goal_without_sense_is_refused(opened: Store, text: str) -> None:
    """With examples."""
    with pytest.raises(errors.ConfigError) as caught:
        opened.settings.save("team_goal", text)
    assert '"5 tasks", 20h' in caught.value.hint


def test_a_goal_is_asked_of_those_who_count(opened: Store) -> None:
    """The work of one of two painters who has opted out does not count: nor is any expected; of three it does."""
    opened.people.save_departments([Department(1, "Цех", None, None), Department(2, "Покраска", 1, None)], NOW)
    opened.people.save([person(number, f"Имя {number}", 1 if number < 4 else 2) for number in range(1, 6)], NOW)
    opened.settings.save("opted_out_users", "1,4")
    opened.settings.save("team_goal", "5 tasks")
    close(opened, [(number, 0, 1) for number in range(1, 6)])

    goals = [leaderboard.board(opened, THIS, now=NOW, department=department).goal for department in (None, "2")]

    assert [TeamGoal("tasks", 5, 20, 4, 4, 4), TeamGoal("tasks", 5, 5, 1, 1, 1)] == goals


def test_a_goal_is_reduced_by_absences_and_holidays(opened: Store) -> None:
    """So much a week for each active member who is there; of a department for those in it; none for a project."""
    opened.people.save_departments([Department(1, "Цех", None, None), Department(2, "Сварка", 1, None)], NOW)
    people = [person(1, "А Б", 1), person(2, "В Г", 2), person(3, "Д Е", 2, active=False), person(4, "Ж З", 2)]
    opened.people.save([*people, person(5, "И К", 2)], NOW)
    opened.settings.save("hidden_users", "5")
    opened.settings.save("team_goal", "5 tasks")
    close(opened, [(1, 0, 3), (2, 0, 4), (4, 0, 1)], hours=2)

    def goal(**options: object) -> TeamGoal | None:
        return leaderboard.board(opened, THIS, now=NOW, **options).goal  # type: ignore[arg-type]

    assert TeamGoal("tasks", 5, 15, 8, 3, 3) == goal()
    monday = THIS.first
    days: dict[date, tuple[bool, list[int]]] = {monday: (False, [])}
    days |= {monday + timedelta(days=number): (True, [2] if number < 3 else []) for number in range(1, 5)}
    opened.presence.save(days)

    assert TeamGoal("tasks", 5, 10, 8, 3, 2.5) == goal()
    assert TeamGoal("tasks", 5, 6, 5, 2, 1.5) == goal(department="2")
    assert goal(group="1") is None
    opened.settings.save("team_goal", "10 h")
    assert TeamGoal("hours", 10, 20, 16, 3, 2.5) == goal()
    assert leaderboard.board(opened, LAST, now=NOW).goal == TeamGoal("hours", 10, 30, 0, 3, 3)
