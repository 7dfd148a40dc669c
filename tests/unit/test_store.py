"""The database: what is saved is read again, by every process, or nothing of it."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.core import errors
from b24tools.store import Store, database, migrations, open_store, read_store
from b24tools.store.decisions import Decision
from b24tools.store.events import NewEvent
from b24tools.store.orders import LedgerFile, LedgerTask
from tests.support.database import query, write_location

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[Store]:
    """A database in memory."""
    opened = open_store(None)
    yield opened
    opened.close()


def line(key: str = "1c:a:b", **changes: object) -> LedgerTask:
    """A line of an order as the ledger has it."""
    sent = LedgerTask(
        key=key,
        order_id="a",
        line=0,
        position="Сварщик",
        title="Сварщик: 1",
        state="planned",
        task_id=None,
        responsible_id=7,
        department_id=9,
        start=NOW,
        end=NOW + timedelta(hours=1),
        deadline=None,
        estimate_s=3600,
        sent_values={"onec": {"customer": "Ромашка"}, "auditor_id": None},
        assigned_at=NOW,
        writing_since=None,
    )
    return replace(sent, **changes)  # type: ignore[arg-type]


def test_a_line_is_read_as_it_was_saved(store: Store) -> None:
    """All fields, times aware; saved again it is replaced."""
    store.orders.save("a", "1", NOW)
    store.orders.save_lines([line(), line("1c:a:c", line=1, task_id=5, state="done")])
    assert {"1c:a:b": line(), "1c:a:c": line("1c:a:c", line=1, task_id=5, state="done")} == store.orders.lines(["a"])
    store.orders.save_lines([line(task_id=6, state="done", start=None, end=None)])
    assert line(task_id=6, state="done", start=None, end=None) == store.orders.lines(["a"])["1c:a:b"]
    assert {} == store.orders.lines(["A", "b"]) == store.orders.lines([])


def test_a_line_without_its_order_is_refused(tmp_path: Path) -> None:
    """Foreign keys hold in the file."""
    opened = open_store(tmp_path / "b24tools.db")
    with pytest.raises(sqlite3.IntegrityError):
        opened.orders.save_lines([line()])
    opened.close()


def test_more_lines_than_sqlite_takes_marks_are_found(store: Store) -> None:
    """A command of many orders."""
    ids = [str(number) for number in range(1200)]
    for number in ids:
        store.orders.save(number, number, NOW)
    store.orders.save_lines(line(f"k{number}", order_id=number, task_id=int(number) + 1) for number in ids)
    assert 1200 == len(store.orders.lines(ids)) == len(store.orders.outcomes(ids))
    assert set(range(1, 1201)) == store.orders.our_tasks(list(range(5000))).keys()


def test_an_order_remembers_its_last_outcome(store: Store) -> None:
    """None while a run is under way, or was cut."""
    store.orders.save("a", "1", NOW)
    assert {"a": None} == store.orders.outcomes(["a", "b"])
    store.orders.save("a", "2", NOW, "created")
    assert {"a": "created"} == store.orders.outcomes(["a"])


def test_what_follows_a_transaction_waits_for_it_and_is_dropped_with_it(store: Store) -> None:
    """The file beside the database must not count a save that was taken back."""
    done: list[str] = []
    with suppress(ZeroDivisionError), store.transaction():
        store.database.after_commit(lambda: done.append("taken back"))
        raise ZeroDivisionError
    with store.transaction():
        with store.transaction():
            store.database.after_commit(lambda: done.append("saved"))
        assert [] == done
    store.database.after_commit(lambda: done.append("at once"))
    assert ["saved", "at once"] == done


def test_what_follows_a_transaction_that_may_be_lost_waits_for_the_one_after_it(store: Store) -> None:
    """After a power cut the file beside the database must not know of a save that the database has lost."""
    done: list[str] = []
    with store.database.synced_later(), store.transaction():
        store.database.after_commit(lambda: done.append("may be lost"))
    assert [] == done
    with store.transaction():
        store.database.after_commit(lambda: done.append("on the disk"))
    assert ["may be lost", "on the disk"] == done


@pytest.mark.sqlite
def test_what_serve_leaves_open_goes_from_one_user_to_the_next(tmp_path: Path) -> None:
    """Never to two at once, and none is left when it ends: the log is folded in."""
    path = tmp_path / "b24tools.db"
    with database.reuse_connections(path):
        with closing(open_store(path)) as first, closing(open_store(path)) as second:
            connections = {first.database.connection, second.database.connection}
            second.orders.save("a", "1", NOW)
        with closing(open_store(path)) as third, closing(open_store(path)) as fourth:
            assert connections == {third.database.connection, fourth.database.connection}
            assert [{"a": None}] * 2 == [opened.orders.outcomes(["a"]) for opened in (third, fourth)]
            third.database.connection.execute("BEGIN")  # what somebody leaves in the middle of something is closed
            fourth.database.wait_at_most(1)  # and what waits otherwise than others
        with closing(open_store(path)) as fifth:
            assert fifth.database.connection not in connections
    assert not path.with_name("b24tools.db-wal").exists()


def test_open_orders_without_stages_of_their_own_wait_for_nothing(store: Store) -> None:
    """Or for the day they are accepted. Zeros are stages that nobody filled in; all count where there is a route."""
    stages = {"a": (None, 1), "b": (None, None), "c": (0, 0), "d": (2, 1)}
    for order_id, two in stages.items():
        store.orders.save(order_id, order_id, NOW)
        store.orders.save_lines(line(f"{order_id}{at}", order_id=order_id, stage=stage) for at, stage in enumerate(two))
    for order_id, hours in (("e", 1), ("f", -1)):
        store.orders.save(order_id, order_id, NOW)
        values = {"accepted": (NOW + timedelta(hours=hours)).isoformat()}
        store.orders.save_lines([line(f"{order_id}0", order_id=order_id, sent_values=values)])
    store.orders.save_standings({"d": ({}, True)}, NOW)
    assert (["a", "e"], ["a", "b", "e"]) == (store.orders.open_ids(NOW, ()), store.orders.open_ids(NOW, {"b", "d"}))
    assert ["a", "b", "c", "e", "f"] == store.orders.open_ids(NOW)


def test_the_last_assignment_of_each_person_is_known(store: Store) -> None:
    """The latest of what became a task."""
    store.orders.save("a", "1", NOW)
    later = NOW + timedelta(days=1)
    made = line("k1", task_id=1)
    store.orders.save_lines([made, replace(made, key="k2", task_id=2, assigned_at=later)])
    store.orders.save_lines([replace(made, key="k3", responsible_id=8, assigned_at=None), line("k4", responsible_id=9)])
    assert {7: later} == store.orders.last_assigned(later)
    assert {7: NOW} == store.orders.last_assigned(NOW)  # the other stamp lies in the future


def test_files_and_what_hangs_where_are_kept(store: Store) -> None:
    """By order, 1C's name and content; forgotten with the task."""
    store.orders.save("a", "1", NOW)
    file = LedgerFile("a", "x.txt", "0f" * 32, "x (1, 0f0f0f0f).txt", 3, 77)
    store.orders.save_file(file, NOW)
    store.orders.save_file(replace(file, file_id=78), NOW)
    assert [replace(file, file_id=78)] == store.orders.files(["a", "b"])
    mark = ("k", "x.txt", "0f" * 32)
    store.orders.save_task_files([mark], "writing")
    assert {mark: "writing"} == store.orders.task_files(["k"])
    store.orders.save_task_files([mark], "done")
    assert {mark: "done"} == store.orders.task_files(["k", "other"])
    store.orders.forget_task_files(["k"])
    assert {} == store.orders.task_files(["k"])


def test_decisions_learn_their_task(tmp_path: Path) -> None:
    """Saved before the task is made; the open one gets its number, an older one keeps its own."""
    path = tmp_path / "b24tools.db"
    opened = open_store(path)
    opened.orders.save("a", "1", NOW)
    decision = Decision("1c:a:b", None, "Сварщик", NOW, 7, "first", [{"id": 7, "name": "Ёлкин"}], {"work_s": 300})
    opened.decisions.save([decision])
    opened.orders.save_lines([line(task_id=5, state="done")])
    opened.decisions.save([decision])
    opened.orders.save_lines([line(task_id=6, state="done")])
    opened.close()
    rows = query(path, "SELECT task_id, candidates, decided_at FROM decisions ORDER BY id")
    said = '[{"id": 7, "name": "Ёлкин"}]'
    assert [(5, said, "2026-11-23T04:00:00+00:00"), (6, said, "2026-11-23T04:00:00+00:00")] == rows


# running settings


def test_a_task_found_later_was_given_out_by_the_decision_for_its_person(store: Store) -> None:
    """A run that was cut decided for one, the next for another, and it was the first one's task that was made."""
    for person in (7, 8):
        store.decisions.save([Decision("1c:a:b", None, "Сварщик", NOW, person, "first", [{"id": person}], {})])
    store.orders.save_lines([line(task_id=5, responsible_id=7, state="done")])
    assert [7] == [decision.responsible_id for decision in store.decisions.find_all(5)]


def test_of_a_number_that_the_portal_gave_twice_the_later_task_is_meant(store: Store) -> None:
    """A portal that was restored repeats ids."""
    for key, person in (("1c:a:b", 7), ("1c:c:d", 8)):
        store.decisions.save([Decision(key, None, "Сварщик", NOW, person, "first", [{"id": person}], {})])
        store.orders.save_lines([line(key, task_id=5, responsible_id=person, state="done")])
    assert 8 == store.decisions.find_all(5)[0].responsible_id


def test_decisions_of_which_nothing_came_make_room_for_new_ones(store: Store) -> None:
    """Those that have a task stay, and those of other lines."""
    decided = [Decision(key, None, "Сварщик", NOW, 7, "first", [{"id": 7}], {}) for key in ("1c:a:b", "1c:c:d")]
    store.decisions.save(decided[:1])
    store.orders.save_lines([line(task_id=5, state="done")])
    store.decisions.save(decided)
    store.decisions.save(decided[:1], instead_of=["1c:a:b"])
    rows = store.database.query("SELECT key, task_id FROM decisions ORDER BY id")
    assert [("1c:a:b", 5), ("1c:c:d", None), ("1c:a:b", None)] == [(row["key"], row["task_id"]) for row in rows]


def test_running_settings_have_defaults_and_are_seen_by_all(tmp_path: Path) -> None:
    """At once, in another connection."""
    store, other = open_store(tmp_path / "b24tools.db"), open_store(tmp_path / "b24tools.db")
    names = ("producer_mode", "hidden_users", "excluded_users", "snapshot_max_age_h", "portal_host")
    assert ["polling", "", "", "26", ""] == [store.settings.get(name) for name in names]
    store.settings.save("excluded_users", " 7, 12 ")
    assert frozenset({7, 12}) == other.settings.excluded_users()
    store.settings.save("excluded_users", "")
    assert frozenset() == other.settings.excluded_users()
    store.close()
    other.close()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("producer_mode", "push"),
        ("producer_mode", ""),
        ("hidden_users", "7;12"),
        ("excluded_users", "Иванов"),
        ("snapshot_max_age_h", "a day"),
        ("snapshot_max_age_h", "-1"),
        ("snapshot_max_age_h", "9" * 400),  # endless, as a number
        ("hidden_users", "9" * 30),
        ("excluded_users", "9" * 5000),  # no number at all to Python
        ("excluded_users", "٣"),
        ("snapshot_max_age_h", "99999999999999"),
        ("portal_host", "https://x/"),
        ("portal_host", "x..y"),
        ("portal_host", "xn--0"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_examples(store: Store, key: str, value: str) -> None:
    """And nothing is changed."""
    before = store.settings.get(key)
    with pytest.raises(errors.ConfigError) as caught:
        store.settings.save(key, value)
    assert f'{key}: "{value}" does not fit' == caught.value.message
    assert before == store.settings.get(key)


def test_an_unknown_setting_names_the_known_ones(store: Store) -> None:
    """To read and to write."""
    for ask in (lambda: store.settings.get("mode"), lambda: store.settings.save("mode", "x")):
        with pytest.raises(errors.ConfigError) as caught:
            ask()
        assert ('there is no running setting "mode"', True) == (
            caught.value.message,
            "snapshot_max_age_h, count_own, doctor_ignore, portal_host" in caught.value.hint,
        )


def test_the_first_portals_host_is_remembered(store: Store) -> None:
    """The second one's is not."""
    store.settings.remember_host("one.example")
    store.settings.remember_host("two.example")
    assert "one.example" == store.settings.get("portal_host")


@pytest.mark.parametrize("spelled", ["ЗАВОД.рф", "xn--80aegj1b.xn--p1ai", "завод.рф."])
def test_a_portals_host_is_saved_in_one_spelling(store: Store, spelled: str) -> None:
    """As people read it."""
    store.settings.save("portal_host", f" {spelled}:8443/Portal ")
    assert "завод.рф:8443/Portal" == store.settings.get("portal_host")


# the file


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    """Also when it is interrupted by hand, and inside another one."""
    with pytest.raises(KeyboardInterrupt), store.transaction():
        store.orders.save("a", "1", NOW)
        raise KeyboardInterrupt
    assert {} == store.orders.outcomes(["a"])
    store.orders.save("a", "1", NOW)
    assert {"a": None} == store.orders.outcomes(["a"])


@pytest.mark.sqlite
def test_the_file_is_private_and_survives_a_kill(tmp_path: Path) -> None:
    """What was saved before the process was killed is there; times are ISO 8601 UTC for any tool."""
    path = tmp_path / "data" / "b24tools.db"
    script = (
        "import os, pathlib, sys; from datetime import datetime, UTC; from b24tools.store import open_store;"
        f"s = open_store(pathlib.Path({str(path)!r}));"
        "s.orders.save('a', '1', datetime(2026, 11, 23, 4, tzinfo=UTC)); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    opened = open_store(path)
    assert {"a": None} == opened.orders.outcomes(["a"])
    opened.close()
    with closing(sqlite3.connect(path)) as raw:
        assert ("wal", "2026-11-23T04:00:00+00:00") == (
            raw.execute("PRAGMA journal_mode").fetchone()[0],
            raw.execute("SELECT first_sent_at FROM orders").fetchone()[0],
        )
    assert 0o700 == path.parent.stat().st_mode & 0o777


@pytest.mark.long
def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    """One waits for the other; nothing is lost."""
    path = tmp_path / "b24tools.db"
    script = (
        "import pathlib, sys; from datetime import datetime, UTC; from b24tools.store import open_store;"
        f"s = open_store({write_location(path)});"
        "[s.orders.save(sys.argv[1] + str(n), '1', datetime.now(UTC)) for n in range(50)]; s.close()"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, name]) for name in ("a", "b", "c")]
    assert [0, 0, 0] == [program.wait(60) for program in running]
    opened = open_store(path)
    assert 150 == len(opened.orders.outcomes([f"{name}{n}" for name in "abc" for n in range(50)]))
    opened.close()


def test_a_dry_run_leaves_the_database_as_it_is(tmp_path: Path) -> None:
    """What it writes goes nowhere; of no file it is empty, and makes none."""
    path = tmp_path / "data" / "b24tools.db"
    with closing(read_store(path, dry_run=True)) as empty, empty.transaction():
        empty.orders.save("a", "1", NOW)
        assert {} == empty.orders.outcomes(["a"])
    assert not path.parent.exists()
    with closing(open_store(path)) as opened:
        opened.orders.save("a", "1", NOW)
        with closing(read_store(path, dry_run=True)) as dry:
            dry.orders.save("b", "2", NOW)
            dry.orders.save_lines([line("1c:b:c", order_id="b", task_id=5)])
            assert [{"a": None}] * 2 == [store.orders.outcomes(["a", "b"]) for store in (opened, dry)]
            opened.orders.save("c", "3", NOW)
            assert {} == dry.orders.outcomes(["c"])  # one state, that of its beginning


@pytest.mark.sqlite
@pytest.mark.long
def test_a_dry_run_takes_no_more_memory_for_a_big_database(tmp_path: Path) -> None:
    """It is read where it lies."""
    pytest.importorskip("resource")  # not on Windows
    code = (
        "import pathlib, resource, sys; from b24tools.store import read_store\n"
        "store = read_store(pathlib.Path(sys.argv[1]), dry_run=True)\n"
        "assert 'a' in store.orders.outcomes(['a'])\n"
        "store.close()\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for megabytes in (0, 64):
        path = tmp_path / f"{megabytes}.db"
        with closing(open_store(path)) as opened, opened.transaction():
            opened.orders.save("a", "1", NOW)
            opened.events.add([NewEvent(NOW, "", None, "x" * 2**20, None)] * megabytes)
        peaks.append(int(subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True).stdout))
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.sqlite
@pytest.mark.parametrize("open_it", [open_store, read_store])
@pytest.mark.parametrize("schema", ["missing", "old", "of today"])
def test_whatever_stops_an_opening_leaves_no_connection_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_it: Callable[[Path], Store], schema: str
) -> None:
    """Not only SQLite's errors: Python complains of a connection that was dropped, in some later place."""
    path = tmp_path / "b24tools.db"
    if schema == "old":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE t (x)")
    elif schema == "of today":
        open_store(path).close()
    made: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        made.append(connect(*args, **kwargs))
        return made[-1]

    def stop(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sqlite3, "connect", watched)
    for step in ("apply", "are_pending"):
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(migrations, step, stop)
            open_it(path).close()
        assert made
        for connection in made:
            with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
                connection.execute("SELECT 1")


def test_a_store_for_reading_refuses_to_write(tmp_path: Path) -> None:
    """Nothing is dropped without a word but in a dry run."""
    path = tmp_path / "b24tools.db"
    for _time in ("there is no file", "there is one"):
        with closing(read_store(path)) as opened, pytest.raises(sqlite3.OperationalError, match=r"read-?only"):
            opened.orders.save("a", "1", NOW)
        open_store(path).close()


@pytest.mark.sqlite
@pytest.mark.parametrize("open_it", [open_store, read_store])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, open_it: Callable[[Path], Store]) -> None:
    """With its name and what to do."""
    path = tmp_path / "b24tools.db"
    path.write_bytes(b"something else, long enough to be looked at" * 50)
    with pytest.raises(errors.ConfigError) as caught:
        open_it(path)
    assert caught.value.message == f"the database {path} is damaged: file is not a database"
    assert caught.value.hint == database.explain_restoring()


@pytest.mark.sqlite
def test_what_every_run_asks_reads_no_table_of_years_through(store: Store) -> None:
    """Orders, their lines and the history are for ever: such a question finds its rows by an index."""
    asked: list[str] = []
    store.database.connection.set_trace_callback(asked.append)
    store.orders.list_open()
    store.orders.list_open(since=7)
    store.orders.last_assigned(NOW)
    store.orders.last_change_before(NOW)
    store.orders.last_known_task()
    store.orders.last_sent_at()
    store.orders.last_unanswered()
    store.orders.latest_key()
    store.orders.unsettled()
    store.orders.count_failed()
    store.orders.lines(["a"])
    store.decisions.pinned(["a"])
    store.decisions.find_all(1)
    store.history.last(20)
    store.history.of_order("a")
    store.history.find_ids("a")
    store.work_history.done_by(NOW, NOW, NOW)
    store.database.connection.set_trace_callback(None)

    steps = [row["detail"] for sql in asked for row in store.database.query(f"EXPLAIN QUERY PLAN {sql}")]
    large = ("orders", "order_tasks", "history", "tasks", "closed_tasks", "decisions")
    large += ("packed_orders", "packed_lines", "packed_history")
    assert steps
    whole = {f"{word} {table}" for word in ("SCAN", "SEARCH") for table in large}  # with no index named
    assert [] == [step for step in steps if step in whole]


def test_orders_that_failed_are_counted(store: Store) -> None:
    """In part, as a whole, and cut off."""
    assert store.orders.count_failed() is None
    for number, outcome in enumerate(("created", "failed", "partial", None, "updated")):
        store.orders.save(f"{number}", f"{number}", NOW, outcome)
    assert 3 == store.orders.count_failed()
    assert {"created": 1, "failed": 1, "partial": 1, "cut": 1, "updated": 1} == store.orders.count_by_outcome()
