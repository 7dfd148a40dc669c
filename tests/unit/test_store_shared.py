"""One database for cron, serve and a terminal at once."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import filelock
import pytest

from b24tools.store import Store, database, open_store
from tests.support.closed_tasks import NOW, collect, person, task
from tests.support.orders import MOSCOW


def save(opened: Store, first: int, count: int) -> None:
    with opened.transaction():
        opened.tasks.save([task(number, 1, NOW) for number in range(first, first + count)], NOW, MOSCOW)


@pytest.mark.sqlite
def test_a_long_reader_sees_one_state_and_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report in Datasette while snapshots go on; the log shrinks again when it has ended."""
    monkeypatch.setattr(database, "LOG_BYTES", 150_000)
    path = tmp_path / "b24tools.db"
    log = path.with_name("b24tools.db-wal")
    with closing(open_store(path)) as opened, closing(sqlite3.connect(path, isolation_level=None)) as reader:
        opened.database.execute("PRAGMA wal_autocheckpoint = 20")  # pages, of 1,000
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
        for batch in range(4):
            save(opened, 1 + 400 * batch, 400)
        assert reader.execute("SELECT count(*) FROM tasks").fetchone() == (0,)
        assert log.stat().st_size > 2 * database.LOG_BYTES
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM tasks").fetchone() == (1_600,)
        for batch in range(2):
            save(opened, 1 + batch, 1)
        assert log.stat().st_size <= database.LOG_BYTES
    assert not log.exists()


def test_a_writer_waits_for_another(tmp_path: Path) -> None:
    """A snapshot's batch is being saved while an order is noted: both are there in the end."""
    path = tmp_path / "b24tools.db"
    begun = threading.Event()

    def snapshot() -> None:
        with closing(open_store(path)) as opened, opened.transaction():
            opened.tasks.save([task(1, 1, NOW)], NOW, MOSCOW)
            begun.set()
            time.sleep(0.2)

    with closing(open_store(path)) as opened:
        other = threading.Thread(target=snapshot)
        other.start()
        begun.wait()
        opened.orders.save("a", "1", NOW, "created")
        opened.settings.save("producer_mode", "webhook")
        other.join()
        assert opened.orders.outcomes(["a"]) == {"a": "created"}
        assert opened.settings.get("producer_mode") == "webhook"
        assert sum(opened.tasks.count_by_week(NOW - timedelta(1), NOW + timedelta(1)).values()) == 1


@pytest.mark.sqlite
def test_one_process_at_a_time_lays_out_a_new_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first minute of cron: of two that turn it to WAL at once, SQLite refuses one without a wait."""
    path = tmp_path / "b24tools.db"
    modes = []

    class Watched(filelock.FileLock):
        def __enter__(self) -> Watched:
            modes.append(path.exists())
            return super().__enter__()

    monkeypatch.setattr(filelock, "FileLock", Watched)
    open_store(path).close()
    open_store(path).close()
    assert ([False], "wal") == (modes, _mode_of(path))
    assert ["b24tools.db", "b24tools.migrating"] == sorted(file.name for file in tmp_path.iterdir())


def _mode_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("PRAGMA journal_mode").fetchone()[0])


def test_a_transaction_inside_another_is_a_part_of_it(tmp_path: Path) -> None:
    """What fails outside takes back what was done inside."""
    with closing(open_store(tmp_path / "b24tools.db")) as opened:
        with pytest.raises(ZeroDivisionError), opened.transaction():
            opened.people.save([person(1, "Иван Петров")], NOW)
            collect(opened, NOW, NOW + timedelta(1), NOW)
            _ = 1 / 0
        assert (opened.people.known(), opened.snapshot_runs.last_complete(NOW)) == (set(), None)
        opened.people.save([person(1, "Иван Петров")], NOW)
        assert opened.people.known() == {1}


def test_a_change_of_mode_is_seen_at_the_next_step_of_every_process(tmp_path: Path) -> None:
    """Nobody keeps a copy of the running settings."""
    path = tmp_path / "b24tools.db"
    with closing(open_store(path)) as store, closing(open_store(path)) as other:
        assert other.settings.get("producer_mode") == "polling"
        store.settings.save("producer_mode", "webhook")
        assert other.settings.get("producer_mode") == "webhook"
