"""The schema's history: any database that was ever released becomes today's, with all it held."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools import errors
from b24tools.migrations import migrations
from b24tools.store import database, open_copy, open_store
from tests import closed
from tests.collecting import FRIDAY, close, new_collector

OLDEST = Path(__file__).parent / "data" / "schema-m001.sql"  # never to be made again: it is what was released
OPEN = "import sys, pathlib; from b24tools import store; store.open_store(pathlib.Path(sys.argv[1])).close()"


def oldest(folder: Path) -> Path:
    """A database of the first release, with an order in it."""
    path = folder / "b24tools.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLDEST.read_text(encoding="utf-8"))
    return path


def schema(path: Path) -> set[tuple[str, str, str | None]]:
    """Every table, index and view as it was made."""
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall())


def content(path: Path, tables: list[str]) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in tables}


def tables(path: Path) -> list[str]:
    return sorted(name for kind, name, _sql in schema(path) if kind == "table" and not name.startswith(("sqlite", "_")))


def test_the_oldest_database_becomes_todays_with_all_it_held(tmp_path: Path) -> None:
    """The same schema as of a new one; not a row is lost or changed."""
    path = oldest(tmp_path)
    before = content(path, tables(path))
    assert {"decisions": 1, "files": 1, "order_tasks": 1, "orders": 1, "settings": 2, "task_files": 1} == {
        name: len(rows) for name, rows in before.items()
    }
    open_store(path).close()
    new = tmp_path / "new" / "b24tools.db"
    open_store(new).close()
    assert schema(new) == schema(path)
    before["decisions"] = [(*row, "{}") for row in before["decisions"]]
    assert before == content(path, list(before))
    with closing(open_store(path)) as opened:
        assert opened.excluded_users() == {7, 12}
        (line,) = opened.ledger(["6f9619ff-8b86-d011-b42d-00c04fc964ff"]).values()
        assert (line.position, line.task_id) == ("Сварщик", 101)


def before_m005(path: Path) -> None:
    """A database of before the readings had numbers: two tasks, a person who left, a run that was killed, an event."""
    window = closed.THIS.start.astimezone(UTC).isoformat(), closed.THIS.end.astimezone(UTC).isoformat()
    began = (FRIDAY - timedelta(minutes=5)).astimezone(UTC).isoformat()
    with closing(sqlite3.connect(path)) as connection:
        migrations.apply(database(connection), stop_before="m005_saves")
        for task_id in (1, 2):
            values = task_id, "Задача", 2, 5, began, began, began, "2026-W47", 3600, 0, 0, began
            connection.execute(
                "INSERT INTO tasks (id, title, responsible_id, status, created_at, changed_at, closed_at, week,"
                " estimate_s, spent_s, gone, saved_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        connection.execute("INSERT INTO people VALUES (99, 'Ушёл Давно', 1, NULL, '[]', ?)", [began])
        connection.execute(
            "INSERT INTO snapshot_runs VALUES (1, ?, ?, ?, NULL, 0, NULL, 0, 0, 1, '{}', 1, 0)", [*window, began]
        )
        connection.execute(
            "INSERT INTO events VALUES (1, ?, 'ONTASKUPDATE', 1, '', NULL, 'done', 0, NULL, NULL, ?)", [began, began]
        )
        connection.commit()


def test_what_was_collected_before_readings_had_numbers_is_older_than_all_that_have_one(tmp_path: Path) -> None:
    """Nothing is lost, a killed run is taken up and marks nothing gone, and the next one does."""
    works = new_collector(tmp_path)
    before_m005(works.database)
    first = close(works.portal, FRIDAY - timedelta(hours=1))
    before = {name: works.query(f"SELECT * FROM {name}") for name in ("tasks", "people", "snapshot_runs", "events")}
    with closing(open_store(works.database)) as opened:
        assert opened.followed_since([1], 0) == set()
        assert 1 == opened.number_reading()
    after = {name: works.query(f"SELECT * FROM {name}") for name in before}
    numbers = {"tasks": (0,), "people": (0,), "snapshot_runs": (0,), "events": (None,)}
    assert {name: [(*row, *numbers[name]) for row in rows] for name, rows in before.items()} == after

    week = works.week("2026-W47")
    assert [(one.tasks, one.gone) for one in works.take([week]).weeks] == [(2, 0)]
    assert works.query("SELECT id, complete FROM snapshot_runs") == [(1, 1)]
    assert [(one.tasks, one.gone) for one in works.take([week], people_h=0).weeks] == [(1, 1)]
    assert [first] == [row[0] for row in works.saved()]
    assert works.query("SELECT active FROM people WHERE id = 99") == [(0,)]


def test_what_was_released_is_not_edited() -> None:
    """The first migration still makes the tables it made then; later ones only add columns to them."""
    with closing(sqlite3.connect(":memory:")) as then, closing(open_copy(Path("nowhere"))) as today:
        then.executescript(OLDEST.read_text(encoding="utf-8"))
        sql = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_%' ESCAPE '\\'"
        made = dict(then.execute(sql).fetchall())
        now = dict(today._db.conn.execute(sql).fetchall())
    made["decisions"] = made["decisions"].removesuffix(")") + ", details TEXT NOT NULL DEFAULT '{}')"
    assert made == {name: now[name] for name in made}


def test_a_second_opening_changes_nothing(tmp_path: Path) -> None:
    """Nothing is pending, so nothing is written."""
    path = tmp_path / "b24tools.db"
    open_store(path).close()
    before = path.read_bytes()
    open_store(path).close()
    assert before == path.read_bytes()


def test_processes_that_migrate_at_once_do_it_once(tmp_path: Path) -> None:
    """Cron, serve and a terminal after an update."""
    path = oldest(tmp_path)
    running = [subprocess.Popen([sys.executable, "-c", OPEN, str(path)], stderr=subprocess.PIPE) for _ in range(6)]
    assert [run.communicate()[1] for run in running] == [b""] * 6
    assert [run.returncode for run in running] == [0] * 6
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    assert names == [one.name for one in migrations._migrations]


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    """A table in its way: it is told, and nothing is half done."""
    path = oldest(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE tasks (mine TEXT)")
    before = schema(path)
    with pytest.raises(errors.ConfigError, match="already exists"):
        open_store(path)
    assert before == schema(path)


def test_a_dry_run_reads_an_old_database_and_leaves_it_old(tmp_path: Path) -> None:
    """The copy in memory is migrated, not the file."""
    path = oldest(tmp_path)
    before = schema(path)
    with closing(open_copy(path)) as opened:
        assert opened.last_complete_run(datetime.now(UTC)) is None
        assert opened.order_outcomes(["6f9619ff-8b86-d011-b42d-00c04fc964ff"]) != {}
    assert before == schema(path)
