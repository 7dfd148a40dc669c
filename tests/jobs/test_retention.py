"""Details of orders closed long ago go; what finds their tasks again stays, and the file shrinks."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from b24tools.jobs import orders, snapshot
from b24tools.store import open_store
from b24tools.store.retention import SPARE_PAGES
from tests.support import database
from tests.support.orders import MOSCOW, Works, order, rules

YEAR = timedelta(days=365)


@pytest.fixture
def sent(works: Works) -> dict[str, list[int]]:
    """An order of three lines that was done and is over, one of them pinned; and one that is open."""
    lines = (("Сварщик", 60), ("Макетчик", 120), ("Монтажник", 60))
    works.assign(order(lines), pins={"Макетчик": first_of(works, "Макетчик")})
    works.assign(order(id="22222222-2222-3333-4444-555555555555", number="2"))
    for task in [task for task in works.portal.tasks if task.title.endswith(": 1Ц-00000100")]:
        works.portal.act("tasks.task.complete", {"taskId": task.id})
    with works.tools() as tools:
        orders.list_orders(tools, rules(), rows=())
    return works.tasks_of(order(lines))


def first_of(works: Works, name: str) -> int:
    """Somebody of a department."""
    department = next(one.id for one in works.portal.departments.values() if one.name == name)
    return next(user.id for user in works.portal.users.values() if department in user.departments and user.active)


def read(works: Works, sql: str) -> list[tuple[object, ...]]:
    """Rows of the database."""
    return database.query(works.folder / "b24tools.db", sql)


def test_details_of_orders_closed_a_year_ago_go(works: Works, sent: dict[str, list[int]]) -> None:
    """Not those of open ones, nor sooner. Keys, tasks, pins and the history's entries stay."""
    keys = read(works, "SELECT key, task_id, responsible_id FROM order_tasks ORDER BY key")
    history = read(works, "SELECT count(*) FROM history")

    with closing(open_store(works.folder / "b24tools.db")) as store:
        assert 0 == store.retention.trim(works.clock.now + YEAR - timedelta(hours=1), YEAR)
        assert 1 == store.retention.trim(works.clock.now + YEAR + timedelta(hours=1), YEAR)
        assert 0 == store.retention.trim(works.clock.now + YEAR + timedelta(hours=1), YEAR)
        lines = store.orders.lines([order().id])
        assert (set(sent), set()) == (set(lines), {key for key in lines if "onec" in lines[key].sent_values})
        assert 1 == len(store.decisions.pinned(sent))

    assert keys == read(works, "SELECT key, task_id, responsible_id FROM order_tasks ORDER BY key")
    assert history == read(works, "SELECT count(*) FROM history")
    sql = "SELECT position, reason, candidates = '[]' FROM decisions ORDER BY position"
    assert [("Макетчик", "pinned", 1), ("Сварщик", "least_busy", 0)] == [
        (position, "pinned" if reason == "pinned" else "least_busy", empty)
        for position, reason, empty in read(works, sql)
    ]


def test_a_trimmed_order_that_is_sent_again_changes_nothing(works: Works, sent: dict[str, list[int]]) -> None:
    """Its tasks are found and compared with the portal's values, whatever was forgotten."""
    with closing(open_store(works.folder / "b24tools.db")) as store:
        store.retention.trim(works.clock.now + YEAR * 2, YEAR)
    writes = len(works.portal.writes())

    result = works.assign(order((("Сварщик", 60), ("Макетчик", 120), ("Монтажник", 60))))[0]

    assert ("unchanged", writes) == (result.outcome, len(works.portal.writes()))
    assert sorted(sent.values()) == sorted([task.task_id] for task in result.tasks)


def fill(path: Path, count: int) -> None:
    """Decisions without end, all deleted again."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        names = "at, order_id, number, command, outcome, caller, lines"
        sql = f"INSERT INTO history ({names}) VALUES ('', ?, '', '', '', '', ?)"
        connection.executemany(sql, ((str(n), json.dumps("x" * 3000)) for n in range(count)))
        connection.execute("COMMIT")
        connection.execute("DELETE FROM history")


@pytest.mark.sqlite
def test_the_file_shrinks_while_others_have_it_open(tmp_path: Path) -> None:
    """In steps; what a day needs stays free."""
    path = tmp_path / "b24tools.db"
    with closing(open_store(path)) as store, closing(open_store(path)) as other:
        other.settings.get("producer_mode")
        fill(path, 1000)
        freed = store.retention.shrink()
        assert freed > 2_000_000
        assert SPARE_PAGES >= store.database.query("PRAGMA freelist_count")[0][0] > 0
        assert "polling" == other.settings.get("producer_mode")
    assert path.stat().st_size < 3_000_000


@pytest.mark.sqlite
def test_an_older_file_is_written_anew_when_nobody_else_has_it_open(tmp_path: Path) -> None:
    """It cannot shrink in steps before that."""
    path = tmp_path / "b24tools.db"
    with closing(open_store(path)):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    fill(path, 1000)
    with closing(open_store(path)) as store:
        with closing(open_store(path)) as other:
            other.settings.get("producer_mode")
            assert 0 == store.retention.shrink()
        assert 2_000_000 < store.retention.shrink()
        assert [("wal",), (2,)] == [
            tuple(store.database.query(f"PRAGMA {what}")[0]) for what in ("journal_mode", "auto_vacuum")
        ]


def test_a_night_trims_and_a_day_does_not(works: Works) -> None:
    """By `--reconcile`; where that never runs, by another snapshot after a day and a half."""
    done = []
    with works.tools() as tools:
        for hours, at_night in ((0, False), (12, True), (21, False), (22, True), (58, False), (59, False)):
            now = works.clock.now + timedelta(hours=hours)
            if tools.store.retention.is_due(now, at_night=at_night):
                tools.store.retention.trim(now, YEAR)
                done.append(hours)
        assert [0, 22, 59] == done
        works.clock.now += timedelta(days=9)
        snapshot.take(
            tools.store,
            tools.client,
            snapshot.last_two(works.clock.now, MOSCOW),
            snapshot.Rules(MOSCOW, 24, 4, non_admin=False, keep=YEAR, at_night=True),
            now=works.clock,
        )
        assert not tools.store.retention.is_due(works.clock.now, at_night=True)
