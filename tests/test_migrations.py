"""The schema's history: any database that was ever released becomes today's, with all it held."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from b24tools import errors
from b24tools.migrations import migrations
from b24tools.store import open_copy, open_store

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
