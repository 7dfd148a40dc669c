"""The schema's history: any database that was ever released becomes today's, with all it held."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from b24tools.core import errors
from b24tools.core.line_keys import number_line
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.store import migrations, open_store, read_store
from b24tools.store.views import VIEWS
from tests.support import closed_tasks as closed
from tests.support.crash import SKETCH, new_works
from tests.support.orders import Works, order
from tests.support.snapshots import FRIDAY, close, new_collector

OLDEST = Path(__file__).parent.parent / "data" / "schema-m001.sql"  # never to be made again: it is what was released
OPEN = "import sys, pathlib; from b24tools.store import open_store; open_store(pathlib.Path(sys.argv[1])).close()"


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
    key = task_fields.make_key("6f9619ff-8b86-d011-b42d-00c04fc964ff", "0001")
    before["decisions"] = [(row[0], key, *row[2:], "{}") for row in before["decisions"]]
    before["orders"] = [
        (*row, 0, None, None, None, None, "{}", 0, 0, None, None, "[]", None) for row in before["orders"]
    ]
    before["order_tasks"] = [
        (key, *row[1:], None, row[0], "[]", None, row[11], number_line(key)) for row in before["order_tasks"]
    ]
    before["task_files"] = [(key, *row[1:]) for row in before["task_files"]]
    assert before == content(path, list(before))
    with closing(open_store(path)) as opened:
        assert opened.settings.excluded_users() == {7, 12}
        (line,) = opened.orders.lines(["6f9619ff-8b86-d011-b42d-00c04fc964ff"]).values()
        assert (line.position, line.task_id) == ("Сварщик", 101)


def before_m005(path: Path) -> None:
    """A database of before the readings had numbers: two tasks, a person who left, a run that was killed, an event."""
    window = closed.THIS.start.astimezone(UTC).isoformat(), closed.THIS.end.astimezone(UTC).isoformat()
    began = (FRIDAY - timedelta(minutes=5)).astimezone(UTC).isoformat()
    with closing(sqlite3.connect(path)) as connection:
        migrations.make_set().apply(Database(connection), stop_before="m005_saves")
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
        assert opened.events.followed_since([1], 0) == set()
        assert 1 == opened.snapshot_runs.number_reading()
    after = {name: works.query(f"SELECT * FROM {name}") for name in before}
    numbers = {"tasks": (0, None, None), "people": (0, None), "snapshot_runs": (0, None, None), "events": (None,)}
    before["tasks"] = [(*row[:7], None, *row[8:]) for row in before["tasks"]]  # changed_at: read in a zone in doubt
    assert {name: [(*row, *numbers[name]) for row in rows] for name, rows in before.items()} == after

    week = works.week("2026-W47")
    assert [(row.tasks, row.gone) for row in works.take([week]).weeks] == [(2, 0)]
    assert works.query("SELECT id, complete FROM snapshot_runs") == [(1, 1)]
    assert [(row.tasks, row.gone) for row in works.take([week], people_h=0).weeks] == [(1, 1)]
    assert [first] == [row[0] for row in works.saved()]
    assert works.query("SELECT active FROM people WHERE id = 99") == [(0,)]


def test_what_was_released_is_not_edited() -> None:
    """The first migration still makes the tables it made then; later ones only add columns to them."""
    with closing(sqlite3.connect(":memory:")) as then, closing(open_store(None)) as today:
        then.executescript(OLDEST.read_text(encoding="utf-8"))
        sql = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_%' ESCAPE '\\'"
        made = dict(then.execute(sql).fetchall())
        now = dict(today.database.connection.execute(sql).fetchall())
    added = {
        "decisions": ["details TEXT NOT NULL DEFAULT '{}'"],
        "orders": [
            "portal_wins INTEGER NOT NULL DEFAULT 0",
            *("customer TEXT", "wanted TEXT", "priority INTEGER", "promised_first TEXT"),
            *("standing TEXT NOT NULL DEFAULT '{}'", "is_over INTEGER NOT NULL DEFAULT 0"),
            *("changed_no INTEGER NOT NULL DEFAULT 0", "changed_at TEXT"),
            *("ended TEXT", "unwritten TEXT NOT NULL DEFAULT '[]'", "trimmed_at TEXT"),
        ],
        "order_tasks": [
            *("position_id TEXT", "old_key TEXT", "other_tasks TEXT NOT NULL DEFAULT '[]'", "stage INTEGER"),
            *("first_deadline TEXT", "line_no INTEGER"),
        ],
    }
    for name, columns in added.items():
        made[name] = ", ".join([made[name].removesuffix(")").rstrip(), *columns]) + ")"
    assert {name: "".join(sql.split()) for name, sql in made.items()} == {
        name: "".join(now[name].split()) for name in made
    }


def make_old(works: Works, sent: onec_order.Order, spelling: str = "") -> None:
    """Turn what was sent into what version 0.1 left: its keys, cut by the portal, and a database of its schema."""
    spelling = spelling or sent.id
    made = zip(task_fields.line_keys(sent), (keys[0] for keys in task_fields.keys_of_0_1(sent)), strict=True)
    keys = {new: old.replace(sent.id, spelling) for new, old in made}
    for task in works.portal.tasks:
        if task.xml_id in keys:
            works.portal.set_task(task.id, xml_id=keys[task.xml_id][:50])
    with closing(sqlite3.connect(works.folder / "b24tools.db")) as connection:
        connection.execute(
            "INSERT INTO orders (id, number, first_sent_at, last_sent_at, outcome)"
            " SELECT ?, number, first_sent_at, last_sent_at, outcome FROM orders WHERE id = ? AND ? <> id",
            [spelling, sent.id, spelling],
        )
        for table in ("order_tasks", "files"):
            connection.execute(f"UPDATE {table} SET order_id = ? WHERE order_id = ?", [spelling, sent.id])
        connection.execute("DELETE FROM orders WHERE id = ? AND id <> ?", [sent.id, spelling])
        for table in ("order_tasks", "task_files", "decisions"):
            for new, old in keys.items():
                connection.execute(f"UPDATE {table} SET key = ? WHERE key = ?", [old, new])
        for index in (
            *("orders_by_number", "orders_by_change", "order_tasks_with_others"),
            *("orders_that_are_open", "orders_by_outcome", "orders_by_last_send"),
            *("order_tasks_being_made", "order_tasks_under_way", "order_tasks_departments", "snapshot_runs_measured"),
        ):
            connection.execute(f"DROP INDEX {index}")
        for view in (*VIEWS, "leaderboard_this_week", "closed_by_week", "tasks", "all_lines"):
            connection.execute(f"DROP VIEW {view}")
        for table, column in [
            ("orders", "portal_wins"),
            ("order_tasks", "position_id"),
            ("order_tasks", "old_key"),
            ("order_tasks", "other_tasks"),
            ("order_tasks", "stage"),
            *(("order_tasks", "first_deadline"), ("order_tasks", "line_no")),
            *(("snapshot_runs", "changes"), ("snapshot_runs", "missed"), ("people", "email")),
            *(("orders", name) for name in ("customer", "wanted", "priority", "promised_first", "standing", "is_over")),
            *(("orders", name) for name in ("changed_no", "changed_at", "ended", "unwritten", "trimmed_at")),
        ]:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        for table in (
            "lost_writes",
            "noticed",
            "history",
            "outboxes",
            "messages",
            "said_lines",
            "said_promises",
            "projects",
            "presence",
            *("packed_orders", "packed_lines", "packed_texts", "packed_people", "packed_positions", "packed_history"),
            "closed_tasks",
        ):
            connection.execute(f"DROP TABLE {table}")
        for table in ("first_deadlines", "season_results", "seasons", "repeated_lines"):
            connection.execute(f"DROP TABLE {table}")
        for view in ("leaderboard_this_week", "closed_by_week"):
            connection.execute(f"CREATE VIEW {view} AS SELECT 1")
        with closing(sqlite3.connect(":memory:")) as then:
            migrations.make_set().apply(Database(then), stop_before="m006_keys")
            for (sql,) in then.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'tasks' ORDER BY rowid"):
                connection.execute(sql)
        connection.execute("DELETE FROM _sqlite_migrations WHERE name >= 'm006'")
        connection.commit()


def two_welders(**changes: Any) -> onec_order.Order:
    """Two lines of one position, whose keys of 0.1 a portal cuts to the same 50 characters, and one more."""
    ids = ("87894412-75a2-47d4-8b62-1f2fd573aabd", "87894412-75a2-47d4-8b62-1f2fd573aabd", None)
    lines = zip(("Сварщик", "Сварщик", "Макетчик"), (60, 30, 45), ids, strict=True)
    made = [onec_order.Line(position=name, minutes=minutes, position_id=guid) for name, minutes, guid in lines]
    return order(files=(SKETCH,), **changes).model_copy(update={"lines": tuple(made)})


@pytest.mark.parametrize("spelling", ["", "{11111111-2222-3333-4444-555555555555}"], ids=["as it is", "in braces"])
def test_the_ledger_of_version_0_1_goes_on_to_work(spelling: str, tmp_path: Path) -> None:
    """By the tasks' ids: nothing is written, nothing doubled, a change is an update, a deleted task gets a new key."""
    works = new_works(tmp_path)
    (first,) = works.assign(two_welders())
    make_old(works, two_welders(), spelling)
    works.clock.now += timedelta(minutes=2)
    writes = len(works.portal.writes())
    (again,) = works.assign(two_welders())
    assert ("unchanged", [], [()] * 3, ()) == (
        again.outcome,
        works.portal.writes()[writes:],
        [task.warnings for task in again.tasks],
        again.warnings,
    )
    assert [task.task_id for task in first.tasks] == [task.task_id for task in again.tasks]
    works.portal.act("tasks.task.delete", {"taskId": first.tasks[1].task_id})
    (changed,) = works.assign(two_welders(customer="ООО «Лютик»"))
    assert ["updated", "created", "updated"] == [task.outcome for task in changed.tasks]
    made = works.portal.tasks[changed.tasks[1].task_id or 0]
    assert task_fields.line_keys(two_welders())[1] == made.xml_id


@pytest.mark.parametrize("width", [50, 200])
def test_tasks_of_version_0_1_are_found_without_its_ledger(width: int, tmp_path: Path) -> None:
    """By their keys, whole or cut, in this project and of this title."""
    works = new_works(tmp_path)
    works.portal.xml_id_width = width
    (first,) = works.assign(two_welders())
    old = [keys[0][:width] for keys in task_fields.keys_of_0_1(two_welders())]
    for task, key in zip(first.tasks, old, strict=True):
        works.portal.set_task(task.task_id or 0, xml_id=key)
    works.folder = tmp_path / "another"
    works.clock.now += timedelta(minutes=2)
    (again,) = works.assign(two_welders())
    assert ("unchanged", [task.task_id for task in first.tasks]) == (
        again.outcome,
        [task.task_id for task in again.tasks],
    )


@pytest.mark.parametrize("width", [50, 200])
def test_what_version_0_1_writes_after_the_update_is_found(width: int, tmp_path: Path) -> None:
    """Its `serve` was not stopped: it writes its own keys into the new ledger, and the portal cuts them."""
    works = new_works(tmp_path)
    works.portal.xml_id_width = width
    (first,) = works.assign(two_welders())
    keys = zip(first.tasks, (keys[0] for keys in task_fields.keys_of_0_1(two_welders())), strict=True)
    with closing(sqlite3.connect(tmp_path / "b24tools.db")) as connection, connection:
        for task, key in keys:
            connection.execute("UPDATE order_tasks SET key = ? WHERE task_id = ?", [key, task.task_id])
            works.portal.set_task(task.task_id or 0, xml_id=key[:width])
    works.clock.now += timedelta(minutes=2)

    (again,) = works.assign(two_welders())

    said = [warning for task in again.tasks for warning in task.warnings]
    assert ("unchanged", [task.task_id for task in first.tasks], []) == (
        again.outcome,
        [task.task_id for task in again.tasks],
        said,
    )


def test_an_order_that_two_spellings_had_made_two_is_one_again(tmp_path: Path) -> None:
    """The older task of a line stays; the other is named, and not deleted."""
    works = new_works(tmp_path)
    sent = order([("Сварщик", 60)])
    braces = "{" + sent.id + "}"
    works.assign(sent)
    make_old(works, sent)
    with closing(sqlite3.connect(tmp_path / "b24tools.db")) as connection:
        connection.execute(
            "INSERT INTO orders SELECT ?, number, first_sent_at, last_sent_at, outcome FROM orders", [braces]
        )
        second = works.portal.add_task("Сварщик: 1Ц-00000100", responsible=12, xml_id="x", group=1).id
        columns = [row[1] for row in connection.execute("PRAGMA table_info(order_tasks)")][3:]
        columns = [name for name in columns if name not in ("task_id", "assigned_at")]
        connection.execute(
            f"INSERT INTO order_tasks (key, order_id, line, task_id, assigned_at, {', '.join(columns)})"
            f" SELECT replace(key, order_id, ?), ?, line, ?, '2026-11-24T00:00:00+00:00', {', '.join(columns)}"
            " FROM order_tasks",
            [braces, braces, second],
        )
        connection.commit()
    (result,) = works.assign(order([("Сварщик", 60)]))
    said = (f"task {second} carries the key of this line as well (a copy?): it was left",)
    assert ("unchanged", [said]) == (result.outcome, [task.warnings for task in result.tasks])
    assert second in works.portal.tasks


def make_spelt(works: Works, sent: onec_order.Order, spell: Callable[[str], str]) -> None:
    """Turn what was sent into what was left before these spellings were a GUID's: ids and keys of their own."""
    spelt = sent.model_copy(
        update={
            "id": spell(sent.id),
            "lines": tuple(
                line.model_copy(update={"position_id": line.position_id and spell(line.position_id)})
                for line in sent.lines
            ),
        }
    )
    keys = dict(zip(task_fields.line_keys(sent), task_fields.line_keys(spelt), strict=True))
    for task in works.portal.tasks:
        if task.xml_id in keys:
            works.portal.set_task(task.id, xml_id=keys[task.xml_id])
    with closing(sqlite3.connect(works.folder / "b24tools.db")) as connection:
        connection.execute("UPDATE orders SET id = ? WHERE id = ?", [spelt.id, sent.id])
        for table in ("order_tasks", "files", "history"):
            connection.execute(f"UPDATE {table} SET order_id = ? WHERE order_id = ?", [spelt.id, sent.id])
        for position_id in {line.position_id for line in sent.lines if line.position_id}:
            connection.execute(
                "UPDATE order_tasks SET position_id = ? WHERE position_id = ?", [spell(position_id), position_id]
            )
        for table in ("order_tasks", "task_files", "decisions"):
            for new, old in keys.items():
                connection.execute(f"UPDATE {table} SET key = ? WHERE key = ?", [old, new])
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm010_spellings'")
        connection.commit()


@pytest.mark.parametrize(
    "spell",
    [
        lambda text: f"guid'{text}'",
        lambda text: f'новый уникальныйидентификатор("{text}")',
        lambda text: f"({text})",
        lambda text: text.replace("-", "–"),
        lambda text: text.replace("a", "а").replace("c", "с"),
    ],
    ids=["OData", "1C's code", "brackets", "dashes", "Cyrillic"],
)
def test_an_order_that_was_sent_in_a_spelling_of_its_own_is_found_again(
    spell: Callable[[str], str], tmp_path: Path
) -> None:
    """With its tasks, files, decisions and history; of orders and of positions."""
    works = new_works(tmp_path)
    sent = two_welders(id="11111111-2222-3333-4444-5555555555ac")
    (first,) = works.assign(sent)
    make_spelt(works, sent, spell)
    works.clock.now += timedelta(minutes=2)
    writes = len(works.portal.writes())

    (again,) = works.assign(sent)

    assert ("unchanged", [], [()] * 3, ()) == (
        again.outcome,
        works.portal.writes()[writes:],
        [task.warnings for task in again.tasks],
        again.warnings,
    )
    assert [task.task_id for task in first.tasks] == [task.task_id for task in again.tasks]
    with closing(open_store(works.folder / "b24tools.db")) as opened:
        assert [sent.id] == [row.id for row in opened.orders.list_all()]
        assert [1, 1] == [entry.times for entry in opened.history.of_order(sent.id)]


def test_the_tasks_of_an_order_that_was_sent_in_two_spellings_are_named(tmp_path: Path) -> None:
    """The older ones stay its tasks, none is deleted."""
    works = new_works(tmp_path)
    sent = order([("Сварщик", 60)])
    (first,) = works.assign(sent)
    make_spelt(works, sent, lambda text: f"guid'{text}'")
    with closing(sqlite3.connect(works.folder / "b24tools.db")) as connection:
        connection.execute("INSERT INTO _sqlite_migrations VALUES (NULL, ?, 'm010_spellings', '')", [migrations.SET])
        connection.commit()
    works.clock.now += timedelta(minutes=2)
    (second,) = works.assign(order([("Сварщик", 60)], number="1Ц-2"))
    assert "created" == second.outcome
    with closing(sqlite3.connect(works.folder / "b24tools.db")) as connection:
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm010_spellings'")
        connection.commit()
    works.clock.now += timedelta(minutes=2)

    (again,) = works.assign(order([("Сварщик", 60)], number="1Ц-2"))

    old, other = (result.tasks[0].task_id for result in (first, second))
    assert old == again.tasks[0].task_id
    assert any(f"task {other} carries the key of this line as well" in warning for warning in again.tasks[0].warnings)
    assert {old, other} <= {task.id for task in works.portal.tasks}


def test_a_second_opening_changes_nothing(tmp_path: Path) -> None:
    """Nothing is pending, so nothing is written."""
    path = tmp_path / "b24tools.db"
    open_store(path).close()
    before = path.read_bytes()
    open_store(path).close()
    assert before == path.read_bytes()


@pytest.mark.long
def test_processes_that_migrate_at_once_do_it_once(tmp_path: Path) -> None:
    """Cron, serve and a terminal after an update."""
    path = oldest(tmp_path)
    running = [subprocess.Popen([sys.executable, "-c", OPEN, str(path)], stderr=subprocess.PIPE) for _ in range(6)]
    assert [run.communicate()[1] for run in running] == [b""] * 6
    assert [run.returncode for run in running] == [0] * 6
    with closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id")]
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (1,)
    assert names == [migration.__name__ for migration in migrations.MIGRATIONS]


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
    with closing(read_store(path, dry_run=True)) as opened:
        assert opened.snapshot_runs.last_complete(datetime.now(UTC)) is None
        assert opened.orders.outcomes(["6f9619ff-8b86-d011-b42d-00c04fc964ff"]) != {}
    assert before == schema(path)
