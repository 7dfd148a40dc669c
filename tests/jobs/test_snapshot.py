"""Snapshots: every number as the portal has it, in few requests."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24tools.bitrix24 import parsing
from b24tools.core import errors
from b24tools.jobs import snapshot
from b24tools.sandbox import demo_company
from b24tools.store import open_store, snapshot_runs
from tests.bench.company import big_company
from tests.support.orders import MOSCOW, Clock
from tests.support.snapshots import FRIDAY, Collector, change_rows, close, new_collector


@pytest.fixture
def small(tmp_path: Path) -> Collector:
    """Three people on a Friday, nothing closed."""
    return new_collector(tmp_path)


def a_plant(folder: Path, **options: Any) -> Collector:
    """The demo plant: three weeks of closed tasks."""
    clock = Clock(FRIDAY)
    return Collector(demo_company.build(clock, **options), folder, clock)


def test_every_closed_task_of_the_two_weeks_is_counted_in_its_week(tmp_path: Path) -> None:
    """The plant's own state says how many; one request brings them, the people and the departments."""
    works = a_plant(tmp_path)
    result = works.take()
    week = works.week("2026-W47")
    assert works.true_rows(week.before.start) == works.saved()
    assert works.true_counts(week.before.start) == {row.week.label: row.tasks for row in result.weeks}
    assert (result.complete, result.exit_status, result.requests) == (True, 0, 1)
    assert result.people == len(works.portal.users)
    assert [tuple(row) for row in works.query("SELECT id, name, active FROM people ORDER BY id")] == [
        (user.id, user.full_name, int(user.active)) for user in works.portal.users.values()
    ]
    assert works.query("SELECT id, name, parent_id, head_id FROM departments ORDER BY id") == [
        (row.id, row.name, row.parent, row.head) for row in works.portal.departments.values()
    ]


def test_a_second_run_reads_this_week_only_and_finds_all_the_same(tmp_path: Path) -> None:
    """The week before is over and covered; people and departments are young."""
    works = a_plant(tmp_path)
    first = works.take()
    works.portal.log.clear()
    second = works.take()
    (week,) = second.weeks
    assert (week.week.label, week.tasks, week.new, week.changed, week.same, week.gone) == (
        "2026-W47",
        first.weeks[1].tasks,
        0,
        0,
        first.weeks[1].tasks,
        0,
    )
    assert (second.people, second.requests) == (0, 1)
    assert works.asked() == [["profile", "server.time", "tasks.task.list", "tasks.task.list"]]


def test_an_empty_portal_gives_empty_weeks(small: Collector) -> None:
    """Nothing closed is no error, and the run is complete."""
    result = small.take()
    assert [(row.week.label, row.tasks) for row in result.weeks] == [("2026-W46", 0), ("2026-W47", 0)]
    assert (result.complete, result.requests, small.saved()) == (True, 1, [])


@pytest.mark.long
def test_a_company_of_any_size_is_read_in_few_requests(tmp_path: Path) -> None:
    """Pages of people, departments and tasks share batches; what is known sets their number."""
    clock = Clock(FRIDAY)
    company = Collector(big_company(clock, people=1_200, tasks=10_000), tmp_path, clock)
    cold = company.take()
    assert (cold.people, cold.requests) == (1_201, 2)
    assert company.true_rows(company.week("2026-W46").start) == company.saved()
    assert company.take().requests == 1
    year = company.since(2025, 11, 24)
    assert (len(year.weeks), year.people, year.requests) == (52, 0, 4)
    assert company.true_rows(company.week("2025-W48").start) == company.saved()
    assert company.true_counts(company.week("2025-W48").start) == {row.week.label: row.tasks for row in year.weeks}
    assert {row.same + row.new for row in year.weeks} == {row.tasks for row in year.weeks}


@pytest.mark.long
@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 499, 500, 501, 2_400, 2_500, 2_501])
def test_pages_that_end_full_lose_and_double_nothing(tmp_path: Path, count: int) -> None:
    """The page after the last row has to come back empty before the list is over."""
    works = new_collector(tmp_path)
    for number in range(count):
        close(works.portal, FRIDAY - timedelta(seconds=number))
    for _again in range(2):
        (_before, week) = works.take([works.week("2026-W46"), works.week("2026-W47")]).weeks
        assert (week.tasks, week.gone) == (count, 0)
        assert works.true_rows() == works.saved()


def test_more_tasks_than_last_time_are_found_all(small: Collector) -> None:
    """The known count is only where the reading begins; hundreds closed since take one more request."""
    for number in range(60):
        close(small.portal, FRIDAY - timedelta(minutes=number))
    small.take()
    for number in range(590):
        close(small.portal, FRIDAY - timedelta(minutes=100 + number))
    result = small.take()
    assert (result.requests, result.weeks[0].tasks, result.weeks[0].new) == (3, 650, 590)
    assert small.true_rows() == small.saved()


@pytest.mark.long
def test_a_long_list_is_asked_for_in_parts_at_once_where_that_is_wanted(small: Collector) -> None:
    """After the first answer has told how long it is, and the second where its parts meet; no request more for that."""
    for number in range(6_000):
        close(small.portal, FRIDAY - timedelta(seconds=number))
    handle, numbers, together = small.portal.handle, itertools.count(1), threading.Barrier(2, timeout=20)

    def waiting(*args: Any, **more: Any) -> Any:
        if next(numbers) in (3, 4):
            together.wait()
        return handle(*args, **more)

    small.portal.handle = waiting  # type: ignore[method-assign]
    assert small.take([small.week("2026-W47")], parallel=3).requests == 4
    assert small.true_rows() == small.saved()


def test_the_next_batch_is_asked_for_while_the_last_is_saved(small: Collector) -> None:
    """By default; and the portal has one at a time."""
    for number in range(1_000):
        close(small.portal, FRIDAY - timedelta(seconds=number))
    handle, second, waited = small.portal.handle, threading.Event(), list[bool]()

    def handling(*args: Any, **more: Any) -> Any:
        if small.portal.log:
            second.set()
        return handle(*args, **more)

    small.portal.handle = handling  # type: ignore[method-assign]
    small.take([small.week("2026-W47")], progress=lambda *_words: waited.append(second.wait(20)))
    assert [True, True] == waited


def test_one_batch_at_a_time_is_saved_before_the_next_is_asked_for(small: Collector) -> None:
    """With `B24_PARALLEL=1`."""
    for number in range(1_000):
        close(small.portal, FRIDAY - timedelta(seconds=number))
    handle, saved = small.portal.handle, list[int]()

    def handling(*args: Any, **more: Any) -> Any:
        saved.append(len(small.saved()))
        return handle(*args, **more)

    small.portal.handle = handling  # type: ignore[method-assign]
    small.take([small.week("2026-W47")], parallel=1)
    assert [0, 500] == saved


@pytest.mark.long
@pytest.mark.parametrize("gone", [1, 50, 700])
def test_tasks_that_leave_the_list_meanwhile_take_no_others_along(small: Collector, gone: int) -> None:
    """The rows after them move up, past the place where the next part begins."""
    tasks = [close(small.portal, FRIDAY - timedelta(seconds=number)) for number in range(6_000)]
    handle, numbers = small.portal.handle, itertools.count(1)

    def leaving(*args: Any, **more: Any) -> Any:
        with lock:
            if next(numbers) == 3:
                for task_id in tasks[:gone]:
                    small.portal.tasks.drop(task_id)
            return handle(*args, **more)

    lock = threading.Lock()
    small.portal.handle = leaving  # type: ignore[method-assign]
    small.take([small.week("2026-W47")], parallel=4)
    assert set(small.true_rows()) <= set(small.saved())
    small.take([small.week("2026-W47")])
    assert small.true_rows() == small.saved()


def test_what_happens_to_tasks_is_followed(small: Collector) -> None:
    """Reopened, deleted, given away, re-estimated, closed again in another week: the next run says so."""
    reopened, deleted, given, estimated, moved, same = (
        close(small.portal, FRIDAY - timedelta(days=2, minutes=number)) for number in range(6)
    )
    small.take()
    small.clock.now += timedelta(days=3, hours=1)  # Monday: both weeks are read
    small.portal.set_task(reopened, status=2, closed_at=None, changed_at=small.clock.now)
    small.portal.tasks.drop(deleted)
    small.portal.set_task(given, responsible=3, changed_at=small.clock.now)
    small.portal.set_task(estimated, time_estimate=7200, changed_at=small.clock.now)
    small.portal.set_task(moved, closed_at=small.clock.now, changed_at=small.clock.now)
    before, week = small.take().weeks
    assert small.true_rows() == small.saved()
    assert [same] == [row[0] for row in small.saved() if row[2:4] == (2, 3600) and row[1] == "2026-W47"]
    assert (before.tasks, before.changed, before.same, before.gone) == (3, 2, 1, 2)
    assert (week.tasks, week.new, week.changed, week.gone) == (1, 0, 1, 0)


def test_a_task_reopened_between_two_runs_of_one_second_is_gone(small: Collector) -> None:
    """Whole seconds do not tell the runs apart."""
    reopened, deleted, same = (close(small.portal, FRIDAY - timedelta(minutes=number)) for number in range(3))
    small.take()
    small.portal.set_task(reopened, status=2, closed_at=None)
    small.portal.tasks.drop(deleted)
    small.clock.now -= timedelta(seconds=2)  # which `take` adds
    assert [row.gone for row in small.take().weeks] == [2]
    assert [row[0] for row in small.saved()] == [same]


NO_DATES = ["-0001-11-30T00:00:00+02:30", "0000-00-00 00:00:00", "2026-02-30T10:00:00+03:00", "yesterday", "", None]


@pytest.mark.parametrize("text", NO_DATES)
def test_a_date_that_cannot_be_read_is_none(small: Collector, text: str | None) -> None:
    """The task counts by its closing; the other tasks are as they are."""
    odd = [close(small.portal, FRIDAY - timedelta(minutes=number), deadline=FRIDAY) for number in range(60)][30]

    def change(row: dict[str, Any]) -> None:
        if row["id"] == str(odd):
            row |= {"createdDate": text, "changedDate": text, "deadline": text}

    change_rows(small.portal, change)
    result = small.take()
    assert (result.exit_status, result.complete, result.warnings) == (0, True, ())
    assert small.true_rows() == small.saved()
    wanted = "SELECT created_at, changed_at, deadline FROM tasks WHERE id = ?"
    assert small.query(wanted, odd) == [(None, None, None)]
    small.portal.set_task(odd, responsible=3)  # nobody can tell when, but it was read later
    small.take()
    assert small.true_rows() == small.saved()


@pytest.mark.parametrize("text", NO_DATES)
def test_a_task_without_a_readable_closing_date_is_left_out_and_named(small: Collector, text: str | None) -> None:
    """The others are saved and the run is complete; one that counted before is gone."""
    made = [close(small.portal, FRIDAY - timedelta(minutes=number)) for number in range(60)]
    odd = made[:1]
    small.take()

    def change(row: dict[str, Any]) -> None:
        if int(row["id"]) in odd:
            row["closedDate"] = text

    change_rows(small.portal, change)
    result = small.take()
    assert (result.exit_status, result.complete, [row.gone for row in result.weeks]) == (0, True, [1])
    assert result.warnings == (f"1 closed task has no readable closing date and is left out: {odd[0]}",)
    assert [row[0] for row in small.saved()] == made[1:]
    odd += made[1:7]
    assert small.take().warnings == ("7 closed tasks have no readable closing date and are left out: 1, 2, 3, 4, 5, …",)


def test_rows_without_an_id_are_left_out_and_nothing_is_gone_for_them(small: Collector) -> None:
    """Nobody knows whose they are; the next page is asked for from the last id that there is."""
    made = [close(small.portal, FRIDAY - timedelta(minutes=number)) for number in range(120)]
    small.take()
    odd = [made[3], made[49], made[119]]

    def change(row: dict[str, Any]) -> None:
        if row["id"] in map(str, odd):
            row["id"] = None

    change_rows(small.portal, change)
    small.portal.set_task(made[5], time_estimate=60, changed_at=small.clock.now)
    result = small.take()
    assert (result.exit_status, [(row.changed, row.gone) for row in result.weeks]) == (0, [(1, 0)])
    assert [row[0] for row in small.saved()] == made
    assert result.warnings == ("the portal sent rows without an id: they are left out, and nothing is marked gone",)


def test_a_task_that_comes_back_counts_again(small: Collector) -> None:
    """Restored from the recycle bin, or closed once more."""
    task = close(small.portal, FRIDAY - timedelta(hours=2))
    small.take()
    small.portal.set_task(task, status=3)
    assert [row.gone for row in small.take().weeks] == [1]
    small.portal.set_task(task, status=5)
    (week,) = small.take().weeks
    assert (week.tasks, week.new, week.changed, week.gone) == (1, 0, 1, 0)


def test_weeks_gone_by_stay_as_they_were(small: Collector) -> None:
    """Nobody looks at them again unless asked to; a dismissed person keeps their tasks there."""
    task = close(small.portal, FRIDAY - timedelta(days=10), responsible=3)
    small.since(2026, 11, 1)
    small.portal.tasks.drop(task)
    small.portal.users[3].active = False
    small.clock.now += timedelta(days=5)
    small.take()
    assert small.counts() == {"2026-W46": 1}
    assert small.query("SELECT responsible_id, people.active FROM tasks JOIN people ON people.id = responsible_id") == [
        (3, 0)
    ]
    assert [row.gone for row in small.take([small.week("2026-W46")]).weeks] == [1]
    assert small.counts() == {}


def test_a_task_waiting_for_control_is_not_closed(small: Collector) -> None:
    """Status 4 has a closing date, too."""
    task = close(small.portal, FRIDAY)
    small.portal.set_task(task, status=4)
    assert small.take().weeks[1].tasks == 0


def test_the_week_before_is_read_until_a_run_after_its_end_has_covered_it(small: Collector) -> None:
    """A task closed at 23:58 on Sunday counts though the week's last run was at 23:55."""
    small.clock.now = datetime(2026, 11, 22, 23, 55, tzinfo=MOSCOW)
    assert [row.week.label for row in small.take().weeks] == ["2026-W46", "2026-W47"]
    assert [row.week.label for row in small.take().weeks] == ["2026-W47"]
    close(small.portal, datetime(2026, 11, 22, 23, 58, tzinfo=MOSCOW))
    small.clock.now = datetime(2026, 11, 23, 0, 0, tzinfo=MOSCOW)
    assert [(row.week.label, row.tasks) for row in small.take().weeks] == [("2026-W47", 1), ("2026-W48", 0)]
    assert [row.week.label for row in small.take().weeks] == ["2026-W48"]


BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


@pytest.mark.parametrize("owner_zone", ["", "Europe/Moscow", "America/New_York", "Asia/Vladivostok", "Europe/Berlin"])
@pytest.mark.parametrize("server_zone", ["Europe/Moscow", "Asia/Vladivostok"])
@pytest.mark.parametrize(
    ("zone", "now"),
    [
        (MOSCOW, datetime(2027, 1, 8, 12, tzinfo=MOSCOW)),  # over 2026-W53 and 2027-W01
        (BERLIN, datetime(2026, 10, 30, 12, tzinfo=BERLIN)),  # over the end of summer time
        (NEW_YORK, datetime(2026, 3, 12, 12, tzinfo=NEW_YORK)),  # over the beginning of summer time
    ],
)
def test_tasks_land_in_the_week_of_the_configured_zone(
    tmp_path: Path, owner_zone: str, server_zone: str, zone: ZoneInfo, now: datetime
) -> None:
    """Whatever zones the webhook's owner and the server live in; to the second, around midnight on Monday."""
    works = new_collector(tmp_path, now, zone=zone, server_zone=server_zone)
    works.portal.owner.time_zone = owner_zone
    monday = (now - timedelta(days=now.weekday())).replace(hour=0)
    for week in range(3):
        midnight = monday - timedelta(weeks=week)
        for second in (-3600, -1, 0, 1, 3600):
            close(works.portal, datetime.fromtimestamp(midnight.timestamp() + second, zone))
    start = (monday - timedelta(weeks=3)).date()
    result = works.since(start.year, start.month, start.day)
    assert works.true_rows() == works.saved()
    assert [row.tasks for row in result.weeks] == [2, 5, 5, 3]
    assert [row.gone for row in works.since(start.year, start.month, start.day).weeks] == [0, 0, 0, 0]


def test_a_snapshot_of_one_week_saves_what_was_closed_in_it(small: Collector) -> None:
    """Not a second of those beside it."""
    week = small.week("2026-W46")
    for moment in (week.start, week.end):
        for second in (-1, 0):
            close(small.portal, moment + timedelta(seconds=second))
    small.take([week])
    assert small.query("SELECT id, week FROM tasks") == [(2, "2026-W46"), (3, "2026-W46")]


def test_a_server_whose_clock_changes_and_an_owner_without_a_zone_do_not_make_tasks_flicker(tmp_path: Path) -> None:
    """Then only the server's offset of today is known, and old tasks may be an hour off: but the same each time."""
    works = new_collector(tmp_path, datetime(2026, 10, 30, 12, tzinfo=BERLIN), server_zone="Europe/Berlin")
    monday = datetime(2026, 10, 12, tzinfo=MOSCOW)
    for minutes in (-90, -30, 30, 90):
        close(works.portal, monday + timedelta(minutes=minutes))
    span = snapshot.since(monday.date() - timedelta(days=7), works.clock.now, works.zone)
    first = works.take(span)
    for _again in range(2):
        for week in span:
            assert [row.gone for row in works.take([week]).weeks] == [0]
    assert [row.tasks for row in first.weeks] == [row.tasks for row in works.take(span).weeks]
    assert works.query("SELECT count(*) FROM tasks WHERE gone = 1") == [(0,)]


def test_people_are_read_again_when_they_are_stale(small: Collector) -> None:
    """Four hours for people, a day for departments; both ride in the batch of the tasks."""
    small.take()
    small.portal.add_user("Новый", "Человек", departments=[2])
    small.portal.add_department("Новый отдел")
    small.clock.now += timedelta(hours=4)
    assert (small.take().people, small.requests) == (5, 1)
    assert small.query("SELECT count(*) FROM departments") == [(2,)]
    small.clock.now += timedelta(hours=20)
    assert small.take().requests == 1
    assert small.query("SELECT count(*) FROM departments") == [(3,)]
    assert small.take(people_h=0, directory_h=0).people == 5


def test_many_departments_are_all_read(small: Collector) -> None:
    """More pages than were asked for at first; past the end the portal gives the first page again."""
    for number in range(448):
        small.portal.add_department(f"Участок {number}")
    small.take()
    assert small.query("SELECT count(*) FROM departments") == [(450,)]
    for number in range(5):
        del small.portal.departments[100 + number]
    small.take(directory_h=0)
    assert small.query("SELECT count(*) FROM departments") == [(445,)]


def test_only_the_unknown_people_are_read_when_a_task_names_them(small: Collector) -> None:
    """One command of one more request; after that they are known."""
    small.take()
    new = [small.portal.add_user("Новый", f"№{number}", departments=[2]).id for number in range(60)]
    for number, user in enumerate(new):
        close(small.portal, FRIDAY - timedelta(minutes=number), responsible=user)
    small.portal.log.clear()
    assert (small.take().people, small.requests) == (60, 2)
    assert small.asked()[1] == ["user.get", "user.get"]
    assert [(f"Новый №{number}",) for number in range(60)] == small.query(
        "SELECT name FROM people WHERE id >= ? ORDER BY id", new[0]
    )
    assert (small.take().people, small.requests) == (0, 1)


def test_somebody_the_portal_no_longer_has_keeps_their_tasks(small: Collector) -> None:
    """A deleted person is asked for once, then known by the number alone."""
    small.take()
    close(small.portal, FRIDAY, responsible=77)
    assert (small.take().weeks[0].tasks, small.requests) == (1, 2)
    assert small.query("SELECT name, active FROM people WHERE id = 77") == [("#77", 0)]
    assert (small.take().weeks[0].tasks, small.requests) == (1, 1)


def test_somebody_deleted_no_longer_counts_as_active(small: Collector) -> None:
    """The next reading of all people does not bring them; the name stays for past weeks."""
    small.take()
    del small.portal.users[4]
    assert small.take(people_h=0).people == 3
    assert small.query("SELECT id, name, active FROM people ORDER BY id") == [
        (1, "Алексей Админов", 1),
        (2, "Работник №1", 1),
        (3, "Работник №2", 1),
        (4, "Работник №3", 0),
    ]


def test_a_deadline_at_the_end_of_time_can_be_read() -> None:
    """Some type 31.12.9999 for "never", and live west of Greenwich."""
    assert parsing.read_moment("9999-12-31T23:59:59-05:00", NEW_YORK) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_a_bot_is_called_what_its_tasks_call_it(small: Collector) -> None:
    """user.get never shows it, a task does."""
    bot = small.portal.add_user("Марта", "", user_type="bot")
    close(small.portal, FRIDAY, responsible=bot.id)
    assert (small.take().people, small.requests) == (4, 1)
    assert small.query("SELECT name, active FROM people WHERE id = ?", bot.id) == [("Марта", 0)]


def test_an_owner_who_sees_only_a_part_marks_nothing_gone(small: Collector) -> None:
    """What is hidden from the owner is not gone: status 3, or 0 where that is wanted."""
    for responsible in (1, 2, 2):
        close(small.portal, FRIDAY, responsible=responsible, creator=responsible)
    assert small.take().complete
    small.portal.owner.admin = False
    small.portal.tasks.drop(1)
    partly = small.take()
    assert (partly.complete, partly.exit_status, partly.weeks[0].tasks, partly.weeks[0].gone) == (False, 3, 3, 0)
    assert small.take(non_admin=True).exit_status == 0
    small.portal.owner.admin = True
    whole = small.take()
    assert (whole.complete, whole.exit_status, whole.weeks[0].tasks, whole.weeks[0].gone) == (True, 0, 2, 1)


def test_what_an_owner_who_sees_a_part_sees_open_again_does_not_count(small: Collector) -> None:
    """That is seen, whatever else is hidden; also of the weeks that are read."""
    tasks = [close(small.portal, FRIDAY, responsible=1, creator=1) for _task in range(2)]
    small.portal.owner.admin = False
    assert 2 == small.take(non_admin=True).weeks[-1].tasks
    small.portal.set_task(tasks[0], status=2, closed_at=None, changed_at=small.clock.now)
    assert 1 == small.take(non_admin=True).weeks[-1].tasks
    small.portal.set_task(tasks[0], status=5, closed_at=FRIDAY, changed_at=small.clock.now)
    assert 2 == small.take(non_admin=True).weeks[-1].tasks


def test_the_week_before_is_not_complete_for_an_owner_who_sees_a_part(small: Collector) -> None:
    """It is read again each time, until an administrator has seen it."""
    small.portal.owner.admin = False
    assert [len(small.take(non_admin=True).weeks) for _run in range(2)] == [2, 2]
    small.portal.owner.admin = True
    assert [len(small.take().weeks) for _run in range(2)] == [2, 1]


@pytest.mark.parametrize("scope", ["task", "user", "department"])
def test_a_missing_scope_ends_the_run_with_the_mend(small: Collector, scope: str) -> None:
    """A person must act; nothing counts as collected."""
    small.portal.scopes.remove(scope)
    with pytest.raises(errors.PortalDenied) as caught:
        small.take()
    assert caught.value.portal_code == "insufficient_scope"
    assert small.query("SELECT count(*) FROM snapshot_runs WHERE complete = 1") == [(0,)]


def test_old_runs_are_forgotten_when_later_ones_have_replaced_them(
    small: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron makes 288 a day; the last complete one of each window stays for ever, and so do the last of all."""
    monkeypatch.setattr(snapshot_runs, "STORED", 2)
    for _run in range(3):
        small.take()
    small.clock.now += timedelta(days=8)
    small.take()
    assert small.query("SELECT id FROM snapshot_runs ORDER BY id") == [(1,), (3,), (4,)]
    small.clock.now += timedelta(days=28)
    small.take()
    assert small.query("SELECT id FROM snapshot_runs ORDER BY id") == [(1,), (3,), (4,), (5,)]
    assert small.query("SELECT from_at, to_at FROM snapshot_runs ORDER BY id") == [
        ("2026-11-08T21:00:00+00:00", "2026-11-22T21:00:00+00:00"),
        ("2026-11-15T21:00:00+00:00", "2026-11-22T21:00:00+00:00"),
        ("2026-11-15T21:00:00+00:00", "2026-11-29T21:00:00+00:00"),
        ("2026-12-13T21:00:00+00:00", "2026-12-27T21:00:00+00:00"),
    ]


def test_the_host_is_remembered_after_the_first_answer(small: Collector) -> None:
    """It belongs to the rows from then on."""
    small.take()
    assert small.query("SELECT value FROM settings WHERE key = 'portal_host'") == [("portal.example",)]


def test_a_portal_that_ignores_the_filter_adds_nothing_wrong(small: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of other statuses and weeks never count."""
    close(small.portal, FRIDAY)
    close(small.portal, FRIDAY - timedelta(days=40))
    small.portal.add_task("Открытая", responsible=2)
    ask = snapshot.queries.closed_between

    def loose(start: datetime, end: datetime) -> dict[str, Any]:
        return ask(start, end) | {"filter": {}}

    monkeypatch.setattr(snapshot.queries, "closed_between", loose)
    assert [row.tasks for row in small.take().weeks] == [0, 1]
    assert len(small.saved()) == 1


def test_since_names_every_week_to_this_one() -> None:
    """From the week of the day; a day to come has none."""
    now = datetime(2027, 1, 5, 12, tzinfo=MOSCOW)
    labels = [week.label for week in snapshot.since(datetime(2026, 12, 24, tzinfo=MOSCOW).date(), now, MOSCOW)]
    assert labels == ["2026-W52", "2026-W53", "2027-W01"]
    assert snapshot.since(datetime(2027, 1, 11, tzinfo=MOSCOW).date(), now, MOSCOW) == []


@pytest.mark.long
def test_progress_tells_how_much_there_is(tmp_path: Path) -> None:
    """After the first answer the portal's count is known."""
    clock = Clock(FRIDAY)
    company = Collector(big_company(clock, people=20, tasks=4_000), tmp_path, clock)
    told: list[tuple[str, int, int | None]] = []
    span = snapshot.since(datetime(2025, 12, 1, tzinfo=MOSCOW).date(), clock.now, MOSCOW)
    with closing(open_store(company.database)) as opened, company.client() as client:
        snapshot.take(
            opened,
            client,
            span,
            snapshot.SnapshotRules(MOSCOW, 24, 4, False),
            now=clock,
            progress=lambda stage, done, total: told.append((stage, done, total)),
        )
    count = len(company.saved())
    assert [stage for stage, _done, _total in told] == ["closed"] * len(told)
    assert told[-1][1] == count
    assert all(total is not None and abs(total - count) < 5 for _stage, _done, total in told)
