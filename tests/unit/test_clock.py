"""One run under a clock that is 400 days ahead, and what the next ones with the right clock make of its stamps."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.bitrix24.org_cache import NameSettings, OrgCache, Places
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import clock
from b24tools.core.timestamps import to_text
from b24tools.jobs import leaderboard, snapshot
from b24tools.jobs.events import process
from b24tools.jobs.events.process import Processed
from b24tools.sandbox import demo_company
from b24tools.sandbox.state import Portal
from b24tools.store import open_store
from b24tools.store.events import LONGEST_DELAY
from b24tools.store.snapshot_runs import SnapshotRuns
from tests.support.closed_tasks import NOW, THIS, collect
from tests.support.events import Listener
from tests.support.http import reserve
from tests.support.orders import Clock, Works, order
from tests.support.snapshots import FRIDAY, Collector, close, new_portal

AHEAD = timedelta(days=400)
QUARTER = timedelta(minutes=15)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("stamp", "known"),
    [
        (None, None),
        (NOW, NOW),
        (NOW - AHEAD, NOW - AHEAD),
        (NOW + QUARTER, NOW + QUARTER),
        (NOW + QUARTER + SECOND, None),
        (NOW + AHEAD, None),
        ("2026-11-20T11:20:00+00:00", NOW + QUARTER),
        ("2026-11-20T11:20:01+00:00", None),
    ],
)
def test_a_stamp_more_than_a_quarter_of_an_hour_ahead_is_unknown(stamp: Any, known: datetime | None) -> None:
    """Clocks of two machines may lie a little apart."""
    assert known == clock.known_moment(stamp, NOW)


def portal_clock(portal: Portal) -> Clock:
    """What the portal tells the time by."""
    assert isinstance(portal.now, Clock)
    return portal.now


# snapshots


@pytest.fixture
def works(tmp_path: Path) -> Collector:
    """A portal whose clock is right, and a data folder beside it whose clock need not be."""
    return Collector(new_portal(Clock(FRIDAY)), tmp_path, Clock(FRIDAY))


def set_clocks(works: Collector, moment: datetime, ours_ahead: timedelta = timedelta()) -> None:
    """The portal's clock, and ours beside it."""
    portal_clock(works.portal).now = moment
    works.clock.now = moment + ours_ahead


def test_the_next_run_with_the_right_clock_sees_the_truth(works: Collector) -> None:
    """What was reopened or deleted goes, also of the rows that the wrong clock has stamped; nothing else does."""
    days = [close(works.portal, FRIDAY - timedelta(days=number)) for number in range(6)]
    works.take()
    set_clocks(works, FRIDAY + timedelta(hours=1), AHEAD)
    works.since(2026, 1, 1)
    assert works.true_rows() == works.saved()

    set_clocks(works, FRIDAY + timedelta(hours=2))
    works.portal.set_task(days[0], status=2, closed_at=None)
    works.portal.tasks.drop(days[1])
    new = close(works.portal, FRIDAY + timedelta(hours=1), responsible=3)
    (week,) = works.take().weeks

    assert works.true_rows() == works.saved()
    assert (week.week.label, week.new, week.gone) == ("2026-W47", 1, 2)
    assert {*days[2:], new} == {row[0] for row in works.saved()}


def test_the_week_before_is_read_until_a_run_that_can_be_dated_has_covered_it(works: Collector) -> None:
    """One from the future began after its end, but nobody knows when."""
    set_clocks(works, FRIDAY, AHEAD)
    works.since(2026, 1, 1)
    set_clocks(works, FRIDAY)
    assert [["2026-W46", "2026-W47"], ["2026-W47"]] == [
        [row.week.label for row in works.take().weeks] for _run in range(2)
    ]


def test_people_and_departments_are_read_again(works: Collector) -> None:
    """They were read at an unknown time; who has left since is no longer active."""
    set_clocks(works, FRIDAY, AHEAD)
    works.take()
    works.portal.add_department("Новый цех")
    del works.portal.users[4]
    set_clocks(works, FRIDAY)
    assert (3, 1) == (works.take().people, works.requests)
    assert works.query("SELECT id, active FROM people ORDER BY id") == [(1, 1), (2, 1), (3, 1), (4, 0)]
    assert works.query("SELECT count(*) FROM departments") == [(3,)]
    assert 0 == works.take().people


def test_a_run_killed_in_the_future_is_not_taken_up(works: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it hide a later one that was killed under the right clock."""
    span = [works.week("2026-W47")]
    for number in range(300):
        close(works.portal, FRIDAY - timedelta(minutes=number))
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 4)

    def begun(moment: datetime) -> snapshot.Run | None:
        with closing(open_store(works.database)) as opened:
            return opened.snapshot_runs.unfinished(span[0].start, span[0].end, moment - snapshot.RESUMABLE, moment)

    def die(*_arguments: Any, **_named: Any) -> Any:
        raise KeyboardInterrupt

    for ahead, expected in ((AHEAD, None), (timedelta(), 2)):
        set_clocks(works, FRIDAY, ahead)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(SnapshotRuns, "finish", die)
            works.take(span)
        run = begun(FRIDAY)
        assert expected == (run and run.id)


# how old the data are


def test_data_of_an_unknown_age_are_not_fresh(tmp_path: Path) -> None:
    """The run of the future has no date; behind it stands the last one that has."""
    with closing(open_store(None)) as opened:
        collect(opened, THIS.start, THIS.end, NOW + AHEAD)

        board = leaderboard.board(opened, THIS, now=NOW)
        assert (None, False) == (board.as_of, board.complete)
        assert (None, True) == (opened.snapshot_runs.last_complete(NOW), opened.snapshot_runs.has_complete())

        collect(opened, THIS.start, THIS.end, NOW - timedelta(hours=30))
        board = leaderboard.board(opened, THIS, now=NOW)
        run = opened.snapshot_runs.last_complete(NOW)
    assert (NOW - timedelta(hours=30), True) == (board.as_of, board.complete)
    assert NOW - timedelta(hours=30) == (run and run.started_at)


@pytest.mark.parametrize(("status", "as_of"), [("done", -3), ("waiting", -9), ("failed", -9)])
def test_an_event_from_the_future_makes_nothing_young(status: str, as_of: int) -> None:
    """One that is done is passed over; with one that is not, the events say nothing."""
    with closing(open_store(None)) as opened:
        collect(opened, THIS.start, THIS.end, NOW - timedelta(hours=9))
        opened.settings.save("producer_mode", "webhook")
        sql = (
            "INSERT INTO events (received_at, event, task_id, body, status, attempts, processed_at)"
            " VALUES (?, 'ONTASKUPDATE', 1, '', ?, 0, ?)"
        )
        for moment, kind in ((NOW - timedelta(hours=3), "done"), (NOW + AHEAD, status)):
            at = to_text(moment)
            opened.database.execute(sql, [at, kind, at if kind == "done" else None])

        assert NOW + timedelta(hours=as_of) == leaderboard.board(opened, THIS, now=NOW).as_of


# events


@pytest.fixture
def here(tmp_path: Path) -> Listener:
    """The demo plant with the right clock, in webhook mode, and a data folder whose clock need not be right."""
    listener = Listener(demo_company.build(Clock()), tmp_path, Clock())
    listener.switch("webhook")
    return listener


def run_ahead(here: Listener) -> None:
    """From here on our clock is ahead."""
    here.clock.now += AHEAD


def run_right(here: Listener) -> None:
    """From here on it is the portal's."""
    here.clock.now = here.portal.now()


def test_an_event_that_failed_in_the_future_is_tried_at_once(here: Listener) -> None:
    """Not in 400 days; one that is to wait by the right clock goes on waiting."""
    here.closed_task()
    here.portal.scopes.remove("task")
    run_ahead(here)
    assert 2 == here.follow().failed
    assert Processed() == here.process()
    run_right(here)
    assert 2 == here.process().failed
    assert Processed() == here.process()
    here.portal.scopes.add("task")
    here.clock.now += process.RETRIES[1]
    assert Processed(2, 2) == here.process()
    assert 1 == len(here.counted())
    assert LONGEST_DELAY == max(process.RETRIES)


def test_what_an_event_brought_in_the_future_holds_up_no_snapshot(here: Listener) -> None:
    """Nor the next event: the numbers of their requests tell which was read last."""
    first, second = here.closed_task(), here.closed_task()
    run_ahead(here)
    assert Processed(4, 4) == here.follow()
    run_right(here)
    here.portal.act("tasks.task.renew", {"taskId": first})
    here.portal.act("tasks.task.update", {"taskId": second, "fields": {"TIME_ESTIMATE": 5400}})
    del here.portal.outbox[:]
    here.collector.take()
    assert first not in here.counted()
    assert [(5400,)] == here.query("SELECT estimate_s FROM tasks WHERE id = ?", second)
    here.portal.act("tasks.task.complete", {"taskId": first})
    assert Processed(1, 1) == here.follow()
    assert first in here.counted()


def test_a_duplicate_of_an_event_processed_in_the_future_is_read(here: Listener) -> None:
    """It is not known to have been read after the second in which both came."""
    task_id = here.new_task()
    update = here.portal.event_body("ONTASKUPDATE", task_id, here.handler)
    run_right(here)
    del here.portal.outbox[:]
    here.receive(update)
    run_ahead(here)
    here.process()
    run_right(here)
    here.portal.act("tasks.task.complete", {"taskId": task_id})
    here.receive(update)
    here.process()
    assert [task_id] == list(here.counted())


def test_a_switch_to_webhook_queues_what_no_dated_snapshot_has_overtaken(here: Listener) -> None:
    """A run of the future overtakes nothing; an event of the future is followed, too."""
    here.switch("polling")
    overtaken = here.closed_task()
    here.arrive()
    here.clock.now += timedelta(minutes=5)
    here.collector.take()
    first = here.closed_task()
    here.arrive()
    run_ahead(here)
    here.collector.take()
    second = here.closed_task()
    here.arrive()
    run_right(here)
    here.switch("webhook")
    assert ["ignored_by_mode"] * 2 + ["waiting"] * 4 == here.statuses()
    here.process()
    assert {overtaken, first, second} <= set(here.counted())


def test_a_clock_that_is_ahead_forgets_no_events(here: Listener) -> None:
    """The portal's decides what is a month old: an event or a snapshot brings it along."""
    here.closed_task()
    here.follow()
    run_ahead(here)
    here.new_task()
    here.follow()
    here.collector.take()
    assert ["done"] * 3 == here.statuses()
    run_right(here)
    assert ["done"] * 2 == [event.status for event in listed(here, since=timedelta(hours=2))]
    portal_clock(here.portal).now += timedelta(days=31)
    run_right(here)
    here.collector.take()
    assert ["done"] == here.statuses()  # that of the future


def listed(here: Listener, since: timedelta) -> list[Any]:
    """`replay --since`."""
    with here.store() as opened:
        return opened.events.find(since=here.clock() - since, until=clock.latest_known(here.clock()))


# caches and limits


def test_what_was_cached_in_the_future_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Company, people, positions without people, counts of open tasks; a little ahead is fresh."""
    works = Works(demo_company.build(Clock()), tmp_path, Clock())
    started = time.time()
    names = NameSettings("Производство", "Задачи из 1с", "Прикрепленные файлы", 1)

    def look(ahead: timedelta) -> tuple[bool, set[str], dict[int, int], int]:
        monkeypatch.setattr(time, "time", lambda: started + ahead.total_seconds())
        with works.tools() as tools, closing(OrgCache(tools.client, tmp_path / "cache", names)) as directory:
            company = directory.company(with_files=False)
            seen = company.fresh, directory.unstaffed_positions(), directory.open_counts(), tools.client.requests
            directory.remember_unstaffed({"Лудильщик"})
            directory.remember_open_counts({7: 3})
            directory.remember_places(Places(1, None, None))
            return seen

    known = False, {"Лудильщик"}, {7: 3}, 0
    unknown = True, set[str](), dict[int, int](), 2
    assert [unknown, known] == [look(AHEAD), look(AHEAD)]
    assert [unknown, known] == [look(timedelta()), look(-timedelta(minutes=14))]


def test_the_limits_of_the_future_hold_nobody_up(tmp_path: Path) -> None:
    """Parked methods and blocks of 400 days are nonsense; a full bucket drains as it would."""
    ours = Clock(NOW + AHEAD)
    path = tmp_path / "throttle.json"

    def opened() -> RateLimiter:
        return RateLimiter(path, clock=ours.time, sleep=ours.sleep)

    opened().block_method("tasks.task.list", ours.time() + 600)
    opened().learn({"tasks.task.list": ours.time() + 600})
    opened().mark_full()
    ours.now = NOW
    assert ({}, None) == (opened().blocked(["tasks.task.list"]), opened().reset_of("tasks.task.list"))
    assert 1 >= reserve(opened())
    ours.now += timedelta(minutes=1)
    assert 0 == reserve(opened())


def test_who_was_given_work_in_the_future_is_not_last_for_ever(tmp_path: Path) -> None:
    """Of equals the one assigned least recently is taken; here the portal's own clock was ahead."""
    clock = Clock()
    works = Works(demo_company.build(clock), tmp_path, clock)
    works.clock.now += AHEAD
    works.assign(order())
    with closing(open_store(tmp_path / "b24tools.db")) as kept:
        assert 1 == len(kept.orders.last_assigned(works.clock()))
        assert {} == kept.orders.last_assigned(works.clock() - AHEAD)
