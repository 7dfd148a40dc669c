"""What counts on the leaderboard: each rule against a week counted by hand, and all of them against a naive model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24tools.bitrix24 import queries
from b24tools.core import periods
from b24tools.core.line_keys import number_line
from b24tools.core.models import Department, Status, TaskRecord
from b24tools.core.timestamps import to_seconds, to_text
from b24tools.jobs import leaderboard
from b24tools.jobs.leaderboard import Board
from b24tools.jobs.snapshot import freeze_seasons
from b24tools.store import Store, open_store
from b24tools.store.orders import LedgerTask
from tests.support.closed_tasks import LAST, MOSCOW, NOW, THIS, collect, person, save, task
from tests.support.snapshots import FRIDAY, close, new_collector

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAY = THIS.start + timedelta(hours=9)
KEY = "1c:6f9619ff-8b86-d011-b42d-00c04fc964ff:"
WELDERS, PAINTERS = 11, 12


@pytest.fixture
def opened() -> Iterator[Store]:
    """Two departments: three welders and a dismissed one, two painters, of whom one also belongs to the welders."""
    with closing(open_store(None)) as memory:
        memory.people.save_departments(
            [Department(WELDERS, "Сварка", None, None), Department(PAINTERS, "Покраска", None, None)], NOW
        )
        people = [person(number, f"Сварщик {number}", WELDERS) for number in (1, 2, 3)]
        people += [person(4, "Ушедший 4", WELDERS, active=False), person(5, "Маляр 5", PAINTERS, WELDERS)]
        memory.people.save([*people, person(6, "Маляр 6", PAINTERS)], NOW)
        yield memory


def ledger(opened: Store, number: int, task_id: int, *, deadline: datetime | None = None, others: int = 0) -> str:
    """A line of an order, done by this task; its key."""
    key = f"{KEY}{number:010x}"
    line = LedgerTask(
        key=key,
        order_id="6f9619ff-8b86-d011-b42d-00c04fc964ff",
        line=number,
        position="Сварщик",
        title="",
        state="done",
        task_id=task_id,
        responsible_id=1,
        department_id=None,
        start=None,
        end=None,
        deadline=deadline,
        estimate_s=3600,
        sent_values={},
        assigned_at=None,
        writing_since=None,
        other_tasks=(others,) if others else (),
    )
    opened.orders.save(line.order_id, "1", NOW)
    opened.orders.save_lines([line])
    return key


def save_closed(opened: Store, tasks: Sequence[TaskRecord]) -> None:
    """As a snapshot saves what it never saw open."""
    with opened.transaction():
        opened.tasks.save(tasks, NOW, MOSCOW)


def board(opened: Store, period: periods.Period = THIS, *, teams: bool = False, by: str = "tasks") -> Board:
    return leaderboard.board(opened, period, now=NOW, teams=teams, by=by)


def figures(ranked: Board) -> list[tuple[int, int, int]]:
    """Place, id, tasks."""
    return [(row.place, row.id, row.tasks) for row in ranked.rows]


def test_own_tasks_do_not_count_and_those_of_orders_do(opened: Store) -> None:
    """Who set it is unknown in the last but one; the last one is an order's, whose creator does it himself."""
    own = task(1, 1, MONDAY, created_by=1)
    unknown = task(3, 3, MONDAY, created_by=0)
    key = ledger(opened, 1, 4)
    save(opened, [own, task(2, 1, MONDAY), unknown, task(4, 2, MONDAY, created_by=2), task(5, 2, MONDAY, created_by=2)])

    assert [(1, 1, 1), (1, 2, 1), (1, 3, 1)] == figures(board(opened))
    numbers = opened.database.query("SELECT line FROM tasks WHERE line IS NOT NULL")
    assert [number_line(key)] == [row["line"] for row in numbers]
    opened.settings.save("count_own", "1")
    assert [(1, 1, 2), (1, 2, 2), (3, 3, 1)] == figures(board(opened))


def test_a_line_counts_once_for_whoever_closed_it_first(opened: Store) -> None:
    """A copy carries its key; a task of another spelling is in the ledger; in whatever week the second is closed."""
    key = ledger(opened, 1, 1, others=2)
    save(opened, [task(1, 1, MONDAY + DAY), task(2, 2, MONDAY), task(3, 3, LAST.start + DAY, xml_id=key)])
    assert [] == figures(board(opened))
    assert [(1, 3, 1)] == figures(board(opened, LAST))

    save(opened, [replace_status(task(3, 3, LAST.start + DAY, xml_id=key), MONDAY)])
    assert [(1, 2, 1)] == figures(board(opened))  # the first one was reopened
    with opened.transaction():
        opened.tasks.mark_deleted([2], NOW)
    assert [(1, 1, 1)] == figures(board(opened))


def replace_status(record: TaskRecord, changed: datetime) -> TaskRecord:
    return record._replace(status=Status.IN_PROGRESS, closed_at=None, changed_at=to_seconds(changed))


def on_time(opened: Store) -> dict[int, tuple[int, int]]:
    return {row.id: (row.on_time, row.on_time_of) for row in board(opened).rows}


def test_on_time_is_measured_against_the_first_deadline(opened: Store) -> None:
    """Moved after the fact, or later while it was open; an order's is the ledger's; never seen open is unknown."""
    late = MONDAY - HOUR
    ledger(opened, 1, 3, deadline=late)
    opened.orders.save_lines([replace(line, deadline=MONDAY + DAY) for line in all_lines(opened)])
    with opened.transaction():
        opened.tasks.note_open([(1, to_seconds(late)), (2, to_seconds(MONDAY)), (3, to_seconds(MONDAY))], NOW)
        opened.tasks.note_open([(1, to_seconds(MONDAY + DAY)), (2, to_seconds(late)), (4, None)], NOW)
    save_closed(opened, [task(number, number, MONDAY, deadline=MONDAY + DAY) for number in (1, 2, 3, 4)])

    assert {1: (0, 1), 2: (1, 1), 3: (0, 1), 4: (0, 0)} == on_time(opened)
    assert [] == opened.database.query("SELECT * FROM first_deadlines WHERE task_id < 3")  # they are in the tasks


def all_lines(opened: Store) -> list[LedgerTask]:
    return list(opened.orders.lines(["6f9619ff-8b86-d011-b42d-00c04fc964ff"]).values())


def test_a_task_that_is_reopened_and_closed_again_has_its_first_deadline(opened: Store) -> None:
    """And it is closed when it was closed last; one that was unknown is known from the reopening on."""
    with opened.transaction():
        opened.tasks.note_open([(1, to_seconds(MONDAY))], NOW)
    save_closed(opened, [task(number, number, MONDAY) for number in (1, 2)])
    moved = {"deadline": to_seconds(MONDAY + 3 * DAY)}
    for number in (1, 2):
        save_closed(opened, [replace_status(task(number, number, MONDAY), MONDAY + HOUR)._replace(**moved)])
    assert {} == on_time(opened)

    again = [task(number, number, MONDAY + DAY, deadline=MONDAY + 9 * DAY) for number in (1, 2)]
    save_closed(opened, again)

    assert {1: (0, 1), 2: (1, 1)} == on_time(opened)


def test_who_has_opted_out_counts_without_a_name(opened: Store) -> None:
    """For the team and in the totals, where the team has three members; of a smaller one nothing is to be told.

    Their sum stands alone from three people on. The one in two departments counts for the first.
    """
    save(opened, [task(number * 10 + n, number, MONDAY) for number in range(1, 7) for n in range(number)])
    opened.settings.save("opted_out_users", "3,4,6")

    ranked, teams = board(opened), board(opened, teams=True)

    assert [(1, 5, 5), (2, 2, 2), (3, 1, 1)] == figures(ranked)
    assert (15, None) == (ranked.total_tasks, ranked.others)  # 6 is one of two painters
    assert [(1, 11, 10, 3), (2, 12, 5, 2)] == [(row.place, row.id, row.tasks, row.people) for row in teams.rows]
    assert 15 == teams.total_tasks
    opened.settings.save("opted_out_users", "1,3,4")
    ranked = board(opened)
    assert ([(1, 6, 6), (2, 5, 5), (3, 2, 2)], 21, (8, 8.0)) == (figures(ranked), ranked.total_tasks, ranked.others)
    assert {2: [20, 21], 5: [50, 51, 52, 53, 54]} == {
        who: ids for who, ids in opened.tasks.closed_ids(THIS.start, THIS.end, {1, 3, 4}).items() if who != 6
    }


def test_a_month_may_begin_inside_a_week_and_a_zone_may_change(opened: Store) -> None:
    """The same two moments, in two zones."""
    last_evening = datetime(2026, 10, 31, 23, 30, tzinfo=MOSCOW)
    save(opened, [task(1, 1, last_evening), task(2, 2, last_evening + HOUR)])

    def months(zone: ZoneInfo) -> dict[str, list[int]]:
        labels = ("2026-10", "2026-11", "2026-W44", "2026-Q4", "2026")
        return {label: [row[1] for row in figures(board(opened, periods.parse(label, zone)))] for label in labels}

    both = [1, 2]
    assert {"2026-10": [1], "2026-11": [2], "2026-W44": both, "2026-Q4": both, "2026": both} == months(MOSCOW)
    assert {"2026-10": [], "2026-11": both, "2026-W44": both, "2026-Q4": both, "2026": both} == months(
        ZoneInfo("Asia/Yekaterinburg")
    )


# seasons

OCTOBER = periods.parse("2026-10", MOSCOW)


def freeze(opened: Store, today: datetime) -> set[str]:
    freeze_seasons(opened, today, MOSCOW)
    return opened.seasons.labels()


def collect_weeks(opened: Store, first: datetime, last: datetime) -> None:
    collect(opened, periods.week_of(first, MOSCOW).start, periods.week_of(last, MOSCOW).end, last)


def plant_october(opened: Store) -> Board:
    """October, collected whole, with ties, an own task, and somebody who has opted out; as it stands live."""
    october = OCTOBER.start + DAY
    save(
        opened, [task(number, 1 + number % 5, october + number * HOUR, deadline=OCTOBER.end) for number in range(1, 9)]
    )
    save(opened, [task(20, 1, october, created_by=1), task(21, 1, OCTOBER.start - DAY)])
    opened.settings.save("opted_out_users", "2")
    collect_weeks(opened, OCTOBER.start, OCTOBER.end + 2 * DAY)
    return board(opened, OCTOBER)


def test_a_month_is_frozen_seven_days_after_its_end_if_it_is_whole(opened: Store) -> None:
    """By the clock of the run; one of which a week is missing stays live, and so do weeks and years."""
    plant_october(opened)

    assert set() == freeze(opened, OCTOBER.end + 7 * DAY - timedelta(seconds=1))
    assert {"2026-10"} == freeze(opened, OCTOBER.end + 7 * DAY)
    assert {"2026-10"} == freeze(opened, OCTOBER.end + 70 * DAY)
    collect_weeks(opened, datetime(2026, 9, 1, tzinfo=MOSCOW), OCTOBER.end + 2 * DAY)
    assert {"2026-10", "2026-09"} == freeze(opened, OCTOBER.end + 7 * DAY)


def test_a_frozen_month_stays_as_it_was(opened: Store) -> None:
    """After reopening, deleting, closing late, renaming, leaving, and under other rules: then it says so."""
    live = plant_october(opened)
    freeze(opened, OCTOBER.end + 7 * DAY)

    frozen = board(opened, OCTOBER)
    assert live == replace(frozen, season=None, as_of=live.as_of)
    assert (OCTOBER.end + 7 * DAY, False) == (frozen.season and frozen.season.frozen_at, frozen.rules_differ)
    teams = board(opened, OCTOBER, teams=True)

    save(opened, [replace_status(task(1, 2, OCTOBER.start), NOW), task(50, 3, OCTOBER.start + DAY)])
    with opened.transaction():
        opened.tasks.mark_deleted([2, 3], NOW)
    opened.people.save([person(1, "Переименован", PAINTERS), person(3, "Сварщик 3", WELDERS, active=False)], NOW)
    collect_weeks(opened, OCTOBER.start, NOW)
    freeze(opened, NOW)
    assert (frozen, teams) == (board(opened, OCTOBER), board(opened, OCTOBER, teams=True))

    opened.settings.save("count_own", "1")
    opened.settings.save("opted_out_users", "")
    assert (frozen.rows, frozen.total_tasks, True) == (
        board(opened, OCTOBER).rows,
        board(opened, OCTOBER).total_tasks,
        board(opened, OCTOBER).rules_differ,
    )
    opened.settings.save("opted_out_users", "2,3")  # whoever wants no name any more has none; the places stay
    assert [row for row in frozen.rows if row.id != 3] == list(board(opened, OCTOBER).rows)
    november = board(opened, OCTOBER.before.before.before)
    assert (None, ()) == (november.season, november.rows)


def test_a_frozen_month_shows_nothing_that_is_not_frozen(opened: Store) -> None:
    """No goal, which is a setting of today, and none who helped: the tasks of that may be gone."""
    live = plant_october(opened)
    ledger(opened, 1, 1)
    opened.database.execute("UPDATE order_tasks SET department_id = ?", [PAINTERS])
    opened.settings.save("team_goal", "5 tasks")
    with opened.transaction():
        opened.database.execute("UPDATE closed_tasks SET responsible_id = 3 WHERE id = 1")

    def shown() -> tuple[bool, set[str]]:
        ranking = board(opened, OCTOBER)
        return ranking.goal is not None, {badge for row in ranking.rows for badge in row.badges}

    assert (True, {"helped"}) == shown()
    freeze(opened, OCTOBER.end + 7 * DAY)
    assert (False, set()) == shown()
    assert live.total_tasks == board(opened, OCTOBER).total_tasks


def test_who_opts_out_later_cannot_be_told_from_a_frozen_month(opened: Store) -> None:
    """In a team of two their work leaves the totals, too; in one of three it stays without a name. The places stay."""
    october = OCTOBER.start + DAY
    save(opened, [task(10 * who + number, who, october) for who in (1, 2, 3, 5, 6) for number in range(who)])
    collect_weeks(opened, OCTOBER.start, OCTOBER.end + 2 * DAY)
    freeze(opened, OCTOBER.end + 7 * DAY)
    opened.settings.save("opted_out_users", "3,6")

    ranked, teams = board(opened, OCTOBER), board(opened, OCTOBER, teams=True)

    assert [(2, 5, 5), (4, 2, 2), (5, 1, 1)] == figures(ranked)
    assert (11, 11) == (ranked.total_tasks, teams.total_tasks)
    assert [(PAINTERS, 5), (WELDERS, 6)] == [(row.id, row.tasks) for row in teams.rows]


def test_the_same_data_under_other_rules_give_another_table(opened: Store) -> None:
    """While the month is live."""
    before = figures(plant_october(opened))
    assert [(1, 3, 2), (1, 4, 2), (3, 5, 1), (3, 1, 1)] == before

    opened.settings.save("count_own", "1")
    opened.settings.save("opted_out_users", "")
    opened.settings.save("hidden_users", "4")
    assert [(1, 1, 2), (1, 2, 2), (1, 3, 2), (4, 5, 1)] == figures(board(opened, OCTOBER))


def test_the_next_month_is_compared_with_the_frozen_one(opened: Store) -> None:
    """Whatever has become of its tasks."""
    plant_october(opened)
    freeze(opened, OCTOBER.end + 7 * DAY)
    with opened.transaction():
        opened.tasks.mark_deleted(range(1, 9), NOW)
    save(opened, [task(60, 1, MONDAY), task(61, 1, MONDAY), task(62, 3, MONDAY)])

    november = board(opened, periods.parse("2026-11", MOSCOW))

    assert [(1, 2, 1), (2, -1, 3)] == [(row.place, row.moved, row.id) for row in november.rows]


def test_a_frozen_month_is_compared_with_the_one_before_as_that_was_then(opened: Store) -> None:
    """Live where that one was not frozen yet, also after it is; frozen where it was."""
    november = periods.parse("2026-11", MOSCOW)
    plant_october(opened)
    freeze(opened, OCTOBER.end + 7 * DAY)
    october = board(opened, OCTOBER)

    save(opened, [task(70 + number, 3, OCTOBER.start - DAY) for number in range(5)])
    save(opened, [task(60, 1, MONDAY), task(61, 1, MONDAY), task(62, 3, MONDAY)])
    collect_weeks(opened, datetime(2026, 9, 1, tzinfo=MOSCOW), november.end + 7 * DAY)
    assert {"2026-09", "2026-10", "2026-11"} == freeze(opened, november.end + 7 * DAY)

    assert october == board(opened, OCTOBER)
    assert [(1, 2, 1), (2, -1, 3)] == [(row.place, row.moved, row.id) for row in board(opened, november).rows]


# what snapshots bring


def test_a_snapshot_reads_the_deadlines_of_open_tasks(tmp_path: Path) -> None:
    """In the same request; later only of those that were changed. Moved before it is closed: the first one counts."""
    works = new_collector(tmp_path)
    deadline = FRIDAY + HOUR
    made = [works.portal.add_task("Работа", responsible=2, deadline=deadline).id for _number in range(3)]
    works.take()
    assert [(task_id, deadline.astimezone(ZoneInfo("UTC")).isoformat()) for task_id in made] == works.query(
        "SELECT task_id, deadline FROM first_deadlines ORDER BY task_id"
    )
    works.clock.now += 3 * HOUR
    for task_id in made[:2]:
        works.portal.act("tasks.task.update", {"taskId": task_id, "fields": {"DEADLINE": (FRIDAY + DAY).isoformat()}})
    works.portal.act("tasks.task.complete", {"taskId": made[0]}, user_id=2)
    new = works.portal.add_task("Новая", responsible=2, deadline=deadline).id
    assert 1 == works.take().requests

    assert [(made[0], deadline.astimezone(ZoneInfo("UTC")).isoformat())] == works.query(
        "SELECT id, first_deadline FROM tasks"
    )
    assert [*made[1:], new] == [row[0] for row in works.query("SELECT task_id FROM first_deadlines ORDER BY 1")]


def test_what_is_reopened_later_leaves_its_week(tmp_path: Path) -> None:
    """By the list of open tasks, although its week is not read any more; closed again it counts in the new one."""
    works = new_collector(tmp_path)
    made = [close(works.portal, FRIDAY + number * HOUR, responsible=2) for number in range(1, 3)]
    works.clock.now = FRIDAY + 4 * DAY  # of the next week
    works.take()
    assert {"2026-W47": 2} == works.counts()
    works.clock.now += HOUR
    works.portal.act("tasks.task.renew", {"taskId": made[0]}, user_id=2)

    assert 1 == works.take().requests
    assert {"2026-W47": 1} == works.counts()
    works.portal.act("tasks.task.complete", {"taskId": made[0]}, user_id=2)
    works.take()
    assert {"2026-W47": 1, "2026-W48": 1} == works.counts()


def test_a_portal_that_ignores_the_filter_reopens_nothing() -> None:
    """What it sends beside the open tasks is not open."""
    rows = [
        {"id": str(number), "status": str(int(status)), "deadline": None} for number, status in enumerate(Status, 1)
    ]

    assert dict.fromkeys([1, 2, 3, 4, 6]) == queries.read_deadlines(rows, MOSCOW)


def test_months_of_before_the_rules_are_not_frozen_at_once(tmp_path: Path) -> None:
    """An updated database waits seven days, and says so once; a new one does not."""
    old, new = new_collector(tmp_path / "old"), new_collector(tmp_path / "new")
    labels: dict[str, list[list[str]]] = {}
    said = []
    for name, works in (("old", old), ("new", new)):
        works.folder.mkdir()
        close(works.portal, OCTOBER.start + DAY)
        if works is old:
            works.since(2026, 9, 28)
            with closing(open_store(works.database)) as opened, opened.transaction():
                for condition in ("last_read WHERE what = 'counting_rules'", "season_results", "seasons"):
                    opened.database.execute(f"DELETE FROM {condition}")
        for _day in range(3):
            result = works.since(2026, 9, 28)
            said.append([warning for warning in result.warnings if "frozen" in warning])
            labels.setdefault(name, []).append([row[0] for row in works.query("SELECT label FROM seasons")])
            works.clock.now += 4 * DAY

    assert {"old": [[], [], ["2026-10"]], "new": [["2026-10"]] * 3} == labels
    assert [1, 0, 0, 0, 0, 0] == [len(warnings) for warnings in said]
    assert "27.11.2026" in said[0][0]


def test_changes_that_came_without_an_event_are_counted(tmp_path: Path) -> None:
    """A new, a changed and a deleted one, one of the week before that was reopened.

    Not what may be under way, nor what waits, nor what was followed.
    """
    works = new_collector(tmp_path)
    known = [close(works.portal, FRIDAY - number * HOUR) for number in range(1, 5)]
    reopened = close(works.portal, FRIDAY - 7 * DAY)
    works.take()
    with closing(open_store(works.database)) as opened:
        opened.settings.save("producer_mode", "webhook", works.clock.now)
    works.clock.now += HOUR
    works.portal.act("tasks.task.update", {"taskId": known[0], "fields": {"TITLE": "Иначе"}})
    works.portal.act("tasks.task.delete", {"taskId": known[1]})
    works.portal.act("tasks.task.renew", {"taskId": reopened}, user_id=2)
    waiting = close(works.portal, works.clock.now)
    close(works.portal, works.clock.now)
    with closing(open_store(works.database)) as opened:
        sql = (
            "INSERT INTO events (received_at, event, task_id, body, status, attempts, read_no)"
            " VALUES (?, 'ONTASKUPDATE', ?, '', ?, 0, ?)"
        )
        at = to_text(works.clock.now)
        opened.database.execute(sql, [at, waiting, "waiting", None])
        for task_id in (known[2], known[2], known[3], 999):
            opened.database.execute(sql, [at, task_id, "done", opened.snapshot_runs.number_reading()])
    works.clock.now += 10 * timedelta(minutes=1)
    close(works.portal, works.clock.now)  # its event may still come

    week = [works.week("2026-W47")]
    result = works.take(week)

    assert (4, 6) == (result.missed, result.changes)
    assert [(6, 4)] == works.query("SELECT changes, missed FROM snapshot_runs WHERE missed IS NOT NULL")
    again = works.take(week)
    assert (0, 0) == (again.missed, again.changes)


def test_in_polling_mode_no_event_is_missed(tmp_path: Path) -> None:
    """None is due."""
    works = new_collector(tmp_path)
    works.take()
    close(works.portal, FRIDAY - HOUR)

    result = works.take()

    assert (None, None) == (result.missed, result.changes)


# against a naive model

DRAWN = st.lists(
    st.tuples(
        st.integers(1, 6),  # who
        st.sampled_from([0, 0, 1]),  # weeks ago
        st.sampled_from([None, None, 1, 2]),  # the order's line
        st.booleans(),  # whether it is his own
        st.none() | st.integers(-1, 1),  # the first deadline: hours after closing
        st.booleans(),  # whether it is gone
    ),
    max_size=25,
)


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(DRAWN, st.booleans(), st.sets(st.integers(1, 6), max_size=4), st.sets(st.integers(1, 6), max_size=1))
def test_the_rules_count_as_a_naive_model(
    drawn: list[tuple[int, int, int | None, bool, int | None, bool]], own: bool, opted_out: set[int], hidden: set[int]
) -> None:
    """One by one, in the order of closing."""
    expected: dict[int, list[int]] = {}
    done: set[int] = set()
    rows = sorted(enumerate(drawn, 1), key=lambda row: (-row[1][1], row[0]))
    for _number, (who, ago, line, is_own, deadline, gone) in rows:
        if gone or line in done:
            continue
        done |= {line} - {None}  # type: ignore[arg-type]
        if ago or (is_own and line is None and not own):
            continue
        tasks = expected.setdefault(who, [0, 0, 0])
        tasks[0] += 1
        tasks[1] += deadline is not None and deadline >= 0
        tasks[2] += deadline is not None
    teams = {who: 1 if who <= 3 else 2 for who in range(1, 7)}
    sizes = {team: sum(home == team for who, home in teams.items() if who not in hidden) for team in (1, 2)}
    counted = {
        who: tasks
        for who, tasks in expected.items()
        if who not in hidden and (who not in opted_out or sizes[teams[who]] >= 3)
    }

    with closing(open_store(None)) as opened:
        opened.people.save_departments([Department(team, f"Цех {team}", None, None) for team in (1, 2)], NOW)
        opened.people.save([person(who, f"Имя {who}", team) for who, team in teams.items()], NOW)
        opened.settings.save("count_own", str(int(own)))
        opened.settings.save("opted_out_users", ",".join(map(str, opted_out)))
        opened.settings.save("hidden_users", ",".join(map(str, hidden)))
        for number, (who, ago, line, is_own, deadline, gone) in enumerate(drawn, 1):
            at = MONDAY - ago * 7 * DAY + timedelta(minutes=number)
            first = None if deadline is None else at + deadline * HOUR
            created_by, xml_id = who if is_own else 900, f"{KEY}{line:010x}" if line else ""
            save(opened, [task(number, who, at, deadline=first, created_by=created_by, xml_id=xml_id)])
            if gone:
                with opened.transaction():
                    opened.tasks.mark_deleted([number], NOW)
        ranked, by_team = board(opened), board(opened, teams=True)
        view = opened.database.query(
            "SELECT user_id, tasks, on_time, on_time_of FROM closed_by_week WHERE week = ?", [THIS.label]
        )

    rows_of = {row.id: [row.tasks, row.on_time, row.on_time_of] for row in ranked.rows}
    assert {who: tasks for who, tasks in counted.items() if who not in opted_out} == rows_of
    assert sum(tasks[0] for tasks in counted.values()) == ranked.total_tasks == by_team.total_tasks
    absent = [tasks[0] for who, tasks in counted.items() if who in opted_out]
    assert (sum(absent) if len(absent) >= 3 else None) == (ranked.others and ranked.others[0])
    assert expected == {row[0]: list(row[1:]) for row in view}
