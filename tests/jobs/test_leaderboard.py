"""Who closed how much: the ranking itself, how complete and how old it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24tools.core import periods
from b24tools.core.models import Department, Status
from b24tools.core.timestamps import to_text
from b24tools.jobs import leaderboard
from b24tools.jobs.leaderboard import Board, Row
from b24tools.store import Store, open_store
from tests.support import closed_tasks as closed
from tests.support.closed_tasks import LAST, MOSCOW, NOW, THIS, collect, person, save, task

DAY = timedelta(days=1)


@pytest.fixture
def opened() -> Iterator[Store]:
    """An empty database."""
    with closing(open_store(None)) as memory:
        yield memory


def board(opened: Store, period: periods.Period = THIS, **options: object) -> Board:
    """The ranking on the test's Friday."""
    return leaderboard.board(opened, period, **{"now": NOW} | options)  # type: ignore[arg-type]


def places(ranked: Board) -> list[tuple[int, int | None, str]]:
    return [(row.place, row.moved, row.name) for row in ranked.rows]


def test_equal_ones_share_a_place_and_stand_by_name(opened: Store) -> None:
    """1-2-2-4; moved since the week before; Ё beside Е; hidden people are not there, unknown ones have a number."""
    closed.plant(opened)

    ranked = board(opened)

    expected = [
        (1, 1, "Иван Петров"),
        (2, 2, "Алёна Ёлкина"),
        (2, -1, "Мария Кузнецова"),
        (4, 0, "Алексей Жуков"),
        (4, 2, "Борис Иванов"),
        (6, 0, "Пётр Сидоров-Задунайский"),
        (7, None, "Глеб Новый"),
        (8, None, "#77"),
        (8, -5, "Ольга Смирнова"),
    ]
    assert expected == places(ranked)
    assert Row(1, 1, 1, "Иван Петров", "Сварочный цех", 9, 9, 13.5, 8, 9, 1, ("most_improved",)) == ranked.rows[0]
    assert Row(8, None, 77, "#77", None, 1, 1, 0.5, 0, 0) == ranked.rows[7]
    assert (True, NOW - timedelta(minutes=3), "polling") == (ranked.complete, ranked.as_of, ranked.mode)
    assert (38, 65.8, 0) == (ranked.total_tasks, ranked.total_hours, ranked.left_out)


@pytest.mark.parametrize("options", [{}, {"by": "hours"}, {"teams": True}, {"top": 3}, {"group": None, "me": None}])
@pytest.mark.parametrize("period", [THIS, periods.parse("2026-10", MOSCOW), periods.parse("2027", MOSCOW)])
def test_a_board_without_a_database_is_that_of_an_empty_one(
    opened: Store, tmp_path: Path, period: periods.Period, options: dict[str, object]
) -> None:
    missing = leaderboard.read_board(tmp_path / "b24tools.db", period, now=NOW, **options)

    assert board(opened, period, **options) == missing
    assert opened.settings.counting_rules(MOSCOW) == missing.rules


def test_by_hours_what_looks_equal_is_equal(opened: Store) -> None:
    """Hours to 0.1, halves up; the places go by what is shown."""
    monday = THIS.start
    seconds = {1: 180, 2: 359, 3: 540, 4: 539, 5: 36_000}
    save(opened, [task(user, user, monday, hours=took_s / 3600) for user, took_s in seconds.items()])

    ranked = board(opened, by="hours")

    expected = [(1, 5, 10.0), (2, 3, 0.2), (3, 1, 0.1), (3, 2, 0.1), (3, 4, 0.1)]
    assert expected == [(row.place, row.id, row.hours) for row in ranked.rows]
    assert [row.hours for row in ranked.rows] == [row.figure for row in ranked.rows]


def test_teams_are_ranked_per_active_member(opened: Store) -> None:
    """By the first department of each; without hidden, dismissed and unknown members; movement of the team."""
    closed.plant(opened)

    ranked = board(opened, teams=True)

    # Painting: 7 + 1 tasks, of which the dismissed one did one, by one active member who is not hidden
    expected = [
        Row(1, 0, 12, "Покраска", "Покраска", 8.0, 8, 18.8, 8, 8, 1),
        Row(2, 1, 11, "Сварочный цех", "Сварочный цех", 5.0, 15, 33.5, 10, 15, 3),
        Row(3, -1, 13, "Монтаж и упаковка", "Монтаж и упаковка", 4.67, 14, 13.1, 3, 5, 3),
    ]
    assert expected == list(ranked.rows)


def test_a_team_without_active_members_comes_last(opened: Store) -> None:
    """There is nothing to divide by."""
    opened.people.save_departments((Department(number, f"Цех {number}", None, None) for number in (1, 2)), NOW)
    opened.people.save([person(1, "Ушёл Давно", 1, active=False), person(2, "Есть Ещё", 2)], NOW)
    save(opened, [task(number, 1, THIS.start) for number in range(1, 9)] + [task(9, 2, THIS.start, hours=0)])

    assert [(1, "Цех 2", 0.0), (2, "Цех 1", None)] == [
        (row.place, row.name, row.figure) for row in board(opened, teams=True, by="hours").rows
    ]


def test_top_cuts_rows_and_keeps_totals(opened: Store) -> None:
    """Places and totals are those of everybody."""
    closed.plant(opened)

    ranked = board(opened, top=2)

    assert [(1, 1, "Иван Петров"), (2, 2, "Алёна Ёлкина")] == places(ranked)
    assert (7, 38) == (ranked.left_out, ranked.total_tasks)


def test_a_month_adds_its_days_and_compares_with_the_month_before(opened: Store) -> None:
    """Weeks that reach over its ends give only their days."""
    november = periods.parse("2026-11", MOSCOW)
    save(
        opened,
        [
            task(1, 1, november.start),
            task(2, 1, november.end - timedelta(seconds=1)),
            task(3, 2, november.start + DAY),
            task(4, 2, november.start - timedelta(seconds=1)),
            task(5, 1, november.end),
            task(6, 3, november.before.start - timedelta(seconds=1)),
        ],
    )

    ranked = board(opened, november)

    assert [(1, None, "#1"), (2, -1, "#2")] == places(ranked)
    assert [2, 1] == [row.tasks for row in ranked.rows]


@pytest.mark.parametrize(
    ("zone", "label", "after"),
    [
        ("Europe/Moscow", "2026-W47", "2026-W48"),
        ("Europe/Moscow", "2026-W53", "2027-W01"),
        ("Europe/Berlin", "2026-W43", "2026-W44"),  # the clock goes back on its last day
        ("Europe/Berlin", "2026-W13", "2026-W14"),  # and forward
        ("Asia/Tashkent", "2026-W10", "2026-W11"),
    ],
)
def test_a_second_decides_the_week(opened: Store, zone: str, label: str, after: str) -> None:
    """Closed on Sunday at 23:59:59 and on Monday at 00:00:00 of the zone; the view agrees."""
    here = ZoneInfo(zone)
    week = periods.parse(label, here)
    midnight = datetime.combine(week.after, datetime.min.time(), here)
    sunday = midnight.replace(day=(week.after - DAY).day, month=(week.after - DAY).month, year=(week.after - DAY).year)
    save(opened, [task(1, 1, sunday.replace(hour=23, minute=59, second=59)), task(2, 2, midnight)], zone=here)

    ranked = {period: [row.id for row in board(opened, periods.parse(period, here)).rows] for period in (label, after)}

    assert {label: [1], after: [2]} == ranked
    view = opened.database.connection.execute("SELECT week, user_id FROM closed_by_week ORDER BY week")
    assert [(label, 1), (after, 2)] == [tuple(row) for row in view]


def test_reopened_deleted_and_handed_over(opened: Store) -> None:
    """Who closed it last has it; what is open or gone counts for nobody."""
    monday = THIS.start
    save(opened, [task(number, 1, monday) for number in (1, 2, 3, 4)])
    save(opened, [task(1, 1, monday, status=Status.IN_PROGRESS, changed=monday + DAY)])
    save(opened, [task(2, 2, monday + DAY)])
    with opened.transaction():
        opened.tasks.mark_deleted([3], NOW)

    assert [("#1", 1), ("#2", 1)] == [(row.name, row.tasks) for row in board(opened).rows]


def test_the_running_settings_speak_for_the_board(opened: Store) -> None:
    """Mode and hidden people are read each time."""
    save(opened, [task(1, 1, THIS.start), task(2, 2, THIS.start)])
    opened.settings.save("producer_mode", "webhook")
    opened.settings.save("hidden_users", "2, 3")

    ranked = board(opened)

    assert ("webhook", ["#1"]) == (ranked.mode, [row.name for row in ranked.rows])


# how complete, how old


def age(opened: Store, period: periods.Period, now: datetime = NOW) -> tuple[bool, datetime | None]:
    ranked = board(opened, period, now=now)
    return ranked.complete, ranked.as_of


def test_nothing_was_ever_collected(opened: Store) -> None:
    """No age, not complete, no rows."""
    assert (False, None) == age(opened, THIS)
    assert () == board(opened).rows


def test_this_week_is_complete_with_a_run_of_it(opened: Store) -> None:
    """As of the start of the last one; a run of last week says nothing of this one."""
    collect(opened, LAST.start, LAST.end, NOW - timedelta(hours=5))
    assert (False, None) == age(opened, THIS)

    for hours in (1, 3):
        collect(opened, THIS.start, THIS.end, NOW - timedelta(hours=hours))
    collect(opened, THIS.start, THIS.end, NOW, complete=False)

    assert (True, NOW - timedelta(hours=1)) == age(opened, THIS)


def test_a_past_week_wants_a_run_that_began_after_it(opened: Store) -> None:
    """23:55 on Sunday is not enough: somebody may close a task at 23:58."""
    early, late = LAST.end - timedelta(minutes=5), LAST.end + timedelta(minutes=5)
    collect(opened, LAST.start, LAST.end, early)
    assert (False, early) == age(opened, LAST)

    collect(opened, LAST.start, LAST.end, late)

    assert (True, late) == age(opened, LAST)


def test_one_run_may_cover_many_weeks(opened: Store) -> None:
    """As `snapshot --since` does; what it did not cover is missing in a month."""
    month = periods.parse("2026-11", MOSCOW)
    second_week = list(month.weeks())[1]
    began = NOW - DAY
    collect(opened, second_week.start, THIS.end, began)
    assert (False, began) == age(opened, month)

    first_week = second_week.before
    collect(opened, first_week.start, first_week.end, NOW)

    assert (True, began) == age(opened, month)


def test_a_month_that_went_on_uncollected_is_as_old_as_what_there_is(opened: Store) -> None:
    """The cron job died last week."""
    month = periods.parse("2026-11", MOSCOW)
    first = next(month.weeks()).start
    began = LAST.start + DAY
    collect(opened, first, LAST.end, began)

    assert (False, began) == age(opened, month)


def test_eyes_that_do_not_see_all_still_give_an_age(opened: Store) -> None:
    """A webhook of somebody who is no administrator never has a complete run."""
    collect(opened, THIS.start, THIS.end, NOW - timedelta(hours=1), complete=False)

    assert (False, NOW - timedelta(hours=1)) == age(opened, THIS)


def test_events_keep_this_week_young(opened: Store) -> None:
    """In webhook mode, up to the newest one that was processed, or the oldest that was not; past weeks have runs."""
    collect(opened, LAST.start, THIS.end, NOW - timedelta(hours=9))
    sql = (
        "INSERT INTO events (received_at, event, task_id, body, status, attempts, processed_at)"
        " VALUES (?, 'ONTASKUPDATE', 1, '', ?, 0, ?)"
    )

    def event(minutes: int, status: str) -> None:
        at = to_text(NOW - timedelta(minutes=minutes))
        opened.database.execute(sql, [at, status, at if status == "done" else None])

    event(600, "ignored")
    opened.settings.save("producer_mode", "webhook")
    ages = [age(opened, THIS)[1]]
    for minutes, status in ((30, "done"), (20, "waiting"), (10, "done"), (5, "ignored")):
        event(minutes, status)
        ages.append(age(opened, THIS)[1])

    minutes = [540, 30, 30, 20, 20]
    assert [NOW - timedelta(minutes=ago) for ago in minutes] == ages
    assert NOW - timedelta(hours=9) == age(opened, LAST)[1]
    opened.settings.save("producer_mode", "polling")
    assert NOW - timedelta(hours=9) == age(opened, THIS)[1]


def test_a_period_to_come_is_empty(opened: Store) -> None:
    """And cannot be complete."""
    collect(opened, THIS.start, THIS.end, NOW)

    assert (False, None) == age(opened, periods.parse("2026-W48", MOSCOW))


# against a naive model

TASKS = st.lists(
    st.tuples(
        st.integers(1, 6),  # who
        st.sampled_from([0, 1, -1, 2]),  # weeks ago; -1 is to come
        st.integers(0, 40) | st.integers(0, 10_000),  # estimate in units of 90 s
        st.none() | st.integers(-1, 1),  # deadline: hours after closing
        st.sampled_from([Status.COMPLETED, Status.COMPLETED, Status.IN_PROGRESS]),
    ),
    max_size=60,
)


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(TASKS, st.sampled_from(["tasks", "hours"]), st.sets(st.integers(1, 6), max_size=2))
def test_the_ranking_is_that_of_a_naive_count(
    drawn: list[tuple[int, int, int, int | None, int]], by: str, hidden: set[int]
) -> None:
    """Counted one by one in Python."""

    def naive(ago: int) -> dict[int, tuple[float, int]]:
        count: Counter[int] = Counter()
        quarters: Counter[int] = Counter()
        for user, when, estimate, _deadline, status in drawn:
            if when == ago and status == Status.COMPLETED and user not in hidden:
                count[user] += 1
                quarters[user] += estimate
        tenths = {user: (quarters[user] * 90 + 180) // 360 for user in count}
        figures = count if by == "tasks" else tenths
        if by == "hours" and (quarters.total() * 90 + 180) // 360 == 0:  # without estimates there is none by hours
            return {}
        return {
            user: (
                figures[user] / (1 if by == "tasks" else 10),
                1 + sum(figure > figures[user] for figure in figures.values()),
            )
            for user in figures
        }

    tasks = [
        task(
            number,
            user,
            moment := THIS.start - when * 7 * DAY + timedelta(minutes=number),
            hours=estimate / 40,
            deadline=None if deadline is None else moment + timedelta(hours=deadline),
            status=status,
        )
        for number, (user, when, estimate, deadline, status) in enumerate(drawn, 1)
    ]
    with closing(open_store(None)) as opened:
        opened.people.save((person(user, f"Имя {user}", user % 2 + 1) for user in range(1, 7)), NOW)
        opened.settings.save("hidden_users", ",".join(map(str, hidden)))
        save(opened, tasks)
        rows = board(opened, by=by).rows

    now, before = naive(0), naive(1)
    expected = {
        user: (place, before[user][1] - place if user in before else None, figure)
        for user, (figure, place) in now.items()
    }
    assert expected == {row.id: (row.place, row.moved, row.figure) for row in rows}
    assert [(row.place, row.name) for row in rows] == sorted((row.place, row.name) for row in rows)
    kept = [
        deadline >= 0
        for user, when, _estimate, deadline, status in drawn
        if when == 0 and status == Status.COMPLETED and user in now and deadline is not None
    ]
    assert (sum(kept), len(kept)) == (sum(row.on_time for row in rows), sum(row.on_time_of for row in rows))
