"""Details of orders closed long ago go; what finds their tasks again stays, and the file shrinks."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.core import errors
from b24tools.core.secrets import Scrubber
from b24tools.jobs import backup, orders, snapshot, why
from b24tools.onec import order as onec_order
from b24tools.render import why as render_why
from b24tools.store import history, open_store, read_store
from b24tools.store.events import NewEvent
from b24tools.store.retention import PACKED_AFTER, SPARE_PAGES
from tests.support import database
from tests.support.orders import MOSCOW, Works, order, rules

YEAR = timedelta(days=365)
LINES = (("Сварщик", 60), ("Макетчик", 120), ("Монтажник", 60))
FILES = (onec_order.Attachment(name="макет.pdf", content=b"drawn"),)
COUNT_HISTORY = "SELECT (SELECT count(*) FROM history) + (SELECT count(*) FROM packed_history)"
OTHER = "22222222-2222-3333-4444-555555555555"


@pytest.fixture
def sent(works: Works) -> dict[str, list[int]]:
    """An order of three lines that was done and is over, one of them pinned; and one that is open."""
    works.assign(order(LINES, files=FILES), pins={"Макетчик": first_of(works, "Макетчик")})
    works.assign(order(id=OTHER, number="2"))
    for task in [task for task in works.portal.tasks if task.title.endswith(": 1Ц-00000100")]:
        works.portal.act("tasks.task.complete", {"taskId": task.id})
    with works.tools() as tools:
        orders.list_orders(tools, rules(), rows=())
    return works.tasks_of(order(LINES))


def first_of(works: Works, name: str) -> int:
    """Somebody of a department."""
    department = next(department.id for department in works.portal.departments.values() if department.name == name)
    return next(user.id for user in works.portal.users.values() if department in user.departments and user.active)


def read(works: Works, sql: str) -> list[tuple[object, ...]]:
    """Rows of the database."""
    return database.query(works.folder / "b24tools.db", sql)


def test_details_of_orders_closed_a_year_ago_go(works: Works, sent: dict[str, list[int]]) -> None:
    """Not those of open ones, nor sooner. Keys, tasks, pins and the history's entries stay."""
    keys = read(works, "SELECT key, task_id, responsible_id FROM all_lines ORDER BY key")
    history = read(works, COUNT_HISTORY)

    with closing(open_store(works.folder / "b24tools.db")) as store:
        assert 0 == store.retention.trim(works.clock.now + YEAR - timedelta(hours=1), YEAR)
        assert 1 == store.retention.trim(works.clock.now + YEAR + timedelta(hours=1), YEAR)
        assert 0 == store.retention.trim(works.clock.now + YEAR + timedelta(hours=1), YEAR)
        lines = store.orders.lines([order().id])
        assert (set(sent), set()) == (set(lines), {key for key in lines if "onec" in lines[key].sent_values})
        assert 1 == len(store.decisions.pinned(sent))

    assert keys == read(works, "SELECT key, task_id, responsible_id FROM all_lines ORDER BY key")
    assert history == read(works, COUNT_HISTORY)
    sql = "SELECT position, reason, candidates = '[]' FROM decisions ORDER BY position"
    assert [("Макетчик", "pinned", 1), ("Сварщик", "least_busy", 0)] == [
        (position, "pinned" if reason == "pinned" else "least_busy", empty)
        for position, reason, empty in read(works, sql)
    ]


def shown(works: Works, sent: dict[str, list[int]]) -> list[object]:
    """What `why` says of these tasks."""
    with closing(open_store(works.folder / "b24tools.db")) as store:
        whys = [why.explain(store, task_id, works.folder) for (task_id,) in sorted(sent.values())]
        return [render_why.data(explained, MOSCOW) for explained in whys]


def count_details(works: Works) -> list[int]:
    """How many texts of packed orders, and how many rows of details there are."""
    tables = ("packed_texts", "decisions", "files", "task_files", "order_tasks WHERE sent_values LIKE '%onec%'")
    return [int(read(works, f"SELECT count(*) FROM {table}")[0][0]) for table in tables]  # type: ignore[call-overload]


def pack(works: Works) -> None:
    """Let the order that is over be packed."""
    with closing(open_store(works.folder / "b24tools.db")) as store:
        assert 0 == store.retention.trim(works.clock.now + PACKED_AFTER - timedelta(hours=1), YEAR)
        assert 0 == len(store.packed.list_packed([order().id]))
        store.retention.trim(works.clock.now + PACKED_AFTER + timedelta(hours=1), YEAR)
        assert {order().id} == store.packed.list_packed([order().id, OTHER])


def test_what_is_over_for_a_week_is_packed_and_explained_as_before(works: Works, sent: dict[str, list[int]]) -> None:
    """Only the pinned line's decision has a row, for the next send; in a year that is all there is."""
    before, rows = shown(works, sent), count_details(works)
    pack(works)
    assert [1, rows[1] - 2, rows[2] - 1, rows[3] - 3, rows[4] - 3] == count_details(works)
    assert before == shown(works, sent)

    with closing(open_store(works.folder / "b24tools.db")) as store:
        assert 1 == store.retention.trim(works.clock.now + YEAR + timedelta(hours=1), YEAR)
        for (task_id,) in sent.values():
            with pytest.raises(errors.ConfigError):
                why.explain(store, task_id, works.folder)
    assert 0 == count_details(works)[0]


def test_what_is_packed_has_its_rows_again_when_it_is_sent_again(works: Works, sent: dict[str, list[int]]) -> None:
    """The same order changes nothing then, in a dry run without a row."""
    before, rows, writes = shown(works, sent), count_details(works), len(works.portal.writes())
    pack(works)
    packed = count_details(works)
    assert ["unchanged"] == [result.outcome for result in works.assign(order(LINES, files=FILES), dry_run=True)]
    assert packed == count_details(works)
    assert ["unchanged"] == [result.outcome for result in works.assign(order(LINES, files=FILES))]
    assert (rows, before, writes) == (count_details(works), shown(works, sent), len(works.portal.writes()))


def test_what_is_packed_has_its_rows_again_when_a_task_is_reopened(works: Works, sent: dict[str, list[int]]) -> None:
    """Then it is open, and may be moved."""
    rows = count_details(works)
    pack(works)
    works.portal.act("tasks.task.renew", {"taskId": sorted(sent.values())[0][0]})
    with works.tools() as tools:
        orders.list_orders(tools, rules(), rows=tools.store.orders.find(order().id))
    assert rows == count_details(works)


@pytest.mark.parametrize("after", [PACKED_AFTER, YEAR])
def test_what_is_sent_again_meanwhile_is_left_alone(
    works: Works, sent: dict[str, list[int]], after: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first night has many orders: what is under way again when it comes to one must stay in its rows."""
    now = works.clock.now + after + timedelta(hours=1)
    keys = [key for (key,) in read(works, f"SELECT key FROM order_tasks WHERE order_id = '{order().id}'")]
    with (
        closing(open_store(works.folder / "b24tools.db")) as store,
        closing(open_store(works.folder / "b24tools.db")) as other,
    ):
        find = store.retention._find_over

        def find_and_go_on(*which: Any) -> list[str]:
            found = find(*which)
            if found and not sending:
                sending.append(order().id)
                other.orders.save(order().id, "1Ц-00000100", now)
                other.orders.mark_writing(keys, now)
            return found

        sending: list[str] = []
        monkeypatch.setattr(store.retention, "_find_over", find_and_go_on)
        assert 0 == store.retention.trim(now, YEAR)
        assert set() == store.packed.list_packed([order().id])
        assert {("writing", now)} == {
            (row.state, row.writing_since) for row in store.orders.lines([order().id]).values()
        }
        assert [(order().id, "1Ц-00000100")] == [one for one in store.orders.unsettled() if one[0] == order().id]


@pytest.mark.sqlite
def test_a_backup_has_what_is_packed(works: Works, sent: dict[str, list[int]], tmp_path: Path) -> None:
    """Bytes and all."""
    pack(works)
    path, before = tmp_path / "a.zip", shown(works, sent)
    with closing(read_store(works.folder / "b24tools.db")) as store:
        backup.make(store, works.folder, path, works.clock.now)
    (works.folder / "b24tools.db").unlink()
    backup.restore(path, works.folder / "b24tools.db", works.clock.now)
    assert before == shown(works, sent)


def test_a_trimmed_order_that_is_sent_again_changes_nothing(works: Works, sent: dict[str, list[int]]) -> None:
    """Its tasks are found and compared with the portal's values, whatever was forgotten."""
    with closing(open_store(works.folder / "b24tools.db")) as store:
        store.retention.trim(works.clock.now + YEAR * 2, YEAR)
    writes = len(works.portal.writes())

    result = works.assign(order(LINES, files=FILES))[0]

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
            snapshot.SnapshotRules(MOSCOW, 24, 4, non_admin=False, keep=YEAR, at_night=True),
            now=works.clock,
        )
        assert not tools.store.retention.is_due(works.clock.now, at_night=True)


def test_secrets_that_were_stored_once_are_hidden_once(works: Works) -> None:
    """In events, history and messages; the rest of them stays. Older versions did not know all spellings."""
    secret = "tok0123456789abcdef"
    body = f"event=ONTASKUPDATE&data[FIELDS_AFTER][ID]=5&note={secret.upper()}"
    hide = Scrubber([secret]).hide
    with works.tools() as tools:
        tools.store.events.add([NewEvent(works.clock.now, "ONTASKUPDATE", 5, text, None) for text in (body, "plain")])
        tools.store.history.add(history.Entry(works.clock.now, "serve", "1", "2", "failed", by=secret, error=secret))
        assert 2 == tools.store.retention.hide_secrets(hide, works.clock.now)
        tools.store.events.add([NewEvent(works.clock.now, "ONTASKUPDATE", 5, body, None)])
        assert 0 == tools.store.retention.hide_secrets(hide, works.clock.now)
    bodies = read(works, "SELECT body FROM events ORDER BY id")
    assert [(body.replace(secret.upper(), "***"),), ("plain",), (body,)] == bodies
    assert [("***", "***")] == read(works, "SELECT caller, error FROM history")
