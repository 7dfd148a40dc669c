"""A database that cannot be written: one clear error, and never a second set of tasks afterwards."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from b24tools.cli import app
from b24tools.jobs import assign
from b24tools.sandbox import server
from b24tools.store import database as store_database
from b24tools.store import open_store
from b24tools.store.orders import Orders
from tests.crash.test_assign_crash import CASES, prepared, undisturbed, watch_transactions
from tests.support.crash import assert_sent_again_changes_nothing, first_send, new_works, picture
from tests.support.orders import Works, rules

WAIT = "Another program is writing to it: end that one, or try again a little later."
HINT = "B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space."
ORDER = {"ИдентификаторЗаказа": "7", "НомерЗаказа": "7", "Калькуляция": [{"Должность": "Сварщик", "Время": 60}]}


@pytest.fixture
def at_the_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Works]:
    """A plant on a port, the environment set to it, an order in a file."""
    works = new_works(tmp_path / "data")
    (tmp_path / "order.json").write_text(json.dumps(ORDER))
    with server.serve(works.portal) as base:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", works.portal.webhook_url(base))
        yield works


def assert_one_task(works: Works) -> None:
    """Sent again without trouble."""
    assert 0 == app.main(["-q", "assign", "order.json"])
    assert 1 == len(picture(works.portal)["tasks"])


@pytest.mark.sqlite
@pytest.mark.parametrize("pages", range(6))
def test_a_disk_that_runs_full_ends_in_one_set_of_tasks(pages: int, tmp_path: Path) -> None:
    """The database may grow by so many pages, then there is no room; later there is."""
    works = new_works(tmp_path, bare=True)
    with works.tools() as tools:
        tools.store.database.execute("VACUUM")
        (count,) = tools.store.database.execute("PRAGMA page_count").fetchone()
        tools.store.database.execute(f"PRAGMA max_page_count = {count + pages}")
        try:
            assign.orders([first_send(number="Ц" * 900)], tools, rules())
        except sqlite3.OperationalError as error:
            assert "database or disk is full" == str(error)
    works.clock.now += timedelta(seconds=1)
    sent = first_send(number="Ц" * 900)
    assert [0] == [result.exit_status for result in works.assign(sent)]
    assert 6 == len(picture(works.portal)["tasks"])
    assert 2 == len(picture(works.portal)["files"])
    assert_sent_again_changes_nothing(works, sent)


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, CASES["first"].transactions + 1))
def test_whatever_write_finds_no_room_the_next_run_completes_the_work(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the tasks were made and the ledger could not be told."""
    works = prepared("first", tmp_path)

    def fail(count: int, done: bool) -> None:
        if count >= number and not done:
            raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch, pytest.raises(sqlite3.OperationalError):
        watch_transactions(patch, fail)
        works.assign(first_send())
    works.clock.now += timedelta(seconds=1)
    assert [0] == [result.exit_status for result in works.assign(first_send())]
    assert undisturbed("first") == picture(works.portal)


@pytest.mark.sqlite
@pytest.mark.parametrize("moment", ["before the run", "after the tasks were made"])
def test_a_database_that_becomes_read_only_ends_in_one_set_of_tasks(moment: str, tmp_path: Path) -> None:
    """The rights of the folder were changed."""
    works = new_works(tmp_path, bare=True)
    handle = works.portal.handle
    with works.tools() as tools:

        def lock_up(*args: object, **kwargs: object) -> object:
            response = handle(*args, **kwargs)  # type: ignore[arg-type]
            if moment == "before the run" or picture(works.portal)["tasks"]:
                tools.store.database.execute("PRAGMA query_only = ON")
            return response

        works.portal.handle = lock_up  # type: ignore[method-assign, assignment]
        with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
            assign.orders([first_send()], tools, rules())
    works.portal.handle = handle  # type: ignore[method-assign]
    works.clock.now += timedelta(seconds=1)
    assert [0] == [result.exit_status for result in works.assign(first_send())]
    assert undisturbed("first") == picture(works.portal)


@pytest.mark.sqlite
def test_a_database_that_another_program_holds_is_told_of_with_try_later(
    at_the_door: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 75, one line, nothing written to the portal."""
    database = tmp_path / "data" / "b24tools.db"
    open_store(database).close()
    monkeypatch.setattr(store_database, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert 75 == app.main(["assign", "order.json"])
    expected = f"the database {database} cannot be used: database is locked. {WAIT}\n"
    assert (expected, []) == (capsys.readouterr().err, at_the_door.portal.writes())
    assert_one_task(at_the_door)


@pytest.mark.sqlite
def test_a_full_disk_is_told_of_in_one_line(
    at_the_door: Works, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1: a person must act."""
    database = tmp_path / "data" / "b24tools.db"
    open_store(database).close()

    def fail(self: Orders, *args: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Orders, "mark_sent", fail)
        assert 1 == app.main(["assign", "order.json"])
    expected = f"the database {database} cannot be used: database or disk is full. {HINT}\n"
    assert (expected, []) == (capsys.readouterr().err, at_the_door.portal.writes())
    assert_one_task(at_the_door)


@pytest.mark.sqlite
def test_a_file_in_place_of_the_folder_is_told_of_in_one_line(
    at_the_door: Works, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2: the setting is wrong."""
    (tmp_path / "data").write_text("not a folder")
    assert 2 == app.main(["assign", "order.json"])
    told = capsys.readouterr().err
    assert (1, True, []) == (told.count("\n"), told.endswith(f"{HINT}\n"), at_the_door.portal.writes())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only for root")
@pytest.mark.parametrize("mode", [0o500, 0o000])
def test_a_folder_that_may_not_be_written_is_told_of_in_one_line(
    mode: int, at_the_door: Works, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cron runs as another user than the terminal did."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    try:
        assert 2 == app.main(["assign", "order.json"])
    finally:
        (tmp_path / "data").chmod(0o700)
    told = capsys.readouterr().err
    assert (1, True, []) == (told.count("\n"), told.endswith(f"{HINT}\n"), at_the_door.portal.writes())
    assert_one_task(at_the_door)


@pytest.mark.sqlite
def test_a_broken_database_is_told_of_and_left_as_it_is(
    at_the_door: Works, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever it is, it is not overwritten."""
    (tmp_path / "data").mkdir()
    database = tmp_path / "data" / "b24tools.db"
    database.write_bytes(b"this is no database" * 100)
    assert 2 == app.main(["assign", "order.json"])
    expected = f"the database {database} is damaged: file is not a database. Stop everything that uses it, and "
    assert (True, b"this is no database" * 100) == (
        capsys.readouterr().err.startswith(expected),
        database.read_bytes(),
    )
    assert [] == at_the_door.portal.log
