"""m017: the rows of a year are moved to narrower ones, and none of them is lost or changed."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from b24tools.core.database_url import DatabaseUrl
from b24tools.core.line_keys import number_line
from b24tools.store import Store, database, migrations, open_store, packed, postgres_schema
from b24tools.store.history import Entry

GUID = "11111111-2222-3333-4444-555555555555"
KEYS = (f"1c:{GUID}:0123456789", f"1c:{GUID}:abcdef0123", "1c:" + "0" * 40)
AT = "2026-11-23T06:00:00+00:00"
LATER = "2026-11-25T15:30:00+00:00"
SENT = {"onec": {"department": "Цех"}, "auditor_id": 7, "deadline_from_slot": True}
BEFORE = frozenset(migration.__name__ for migration in migrations.MIGRATIONS[:16])


def fill(execute: Callable[[str, list[Any]], object]) -> None:
    """Two orders of a line each that are over, one of them packed; five hundred tasks, two of a line."""
    for order_id in (GUID, "without a GUID"):
        sql = "INSERT INTO orders (id, number, first_sent_at, last_sent_at, outcome, is_over) VALUES (?, ?, ?, ?, ?, ?)"
        execute(sql, [order_id, "1Ц-1", AT, AT, "created", 1])
    rows: list[list[Any]] = [
        [KEYS[0], GUID, 0, "Сварщик", "Сварщик: 1Ц-1", "done", 5, 12, 4, AT, LATER, LATER, 3600, LATER, "[]", None],
        [KEYS[1], GUID, 1, "Маляр", "Маляр: 1Ц-1", "done", 6, 13, 4, None, None, None, None, None, "[70]", "1c:old"],
        [
            KEYS[2],
            "without a GUID",
            0,
            "Маляр",
            "Иначе",
            "planned",
            None,
            None,
            None,
            None,
            None,
            None,
            60,
            None,
            "[]",
            None,
        ],
    ]
    for row in rows:
        execute(
            "INSERT INTO order_tasks (key, order_id, line, position, title, state, task_id, responsible_id,"
            " department_id, starts_at, ends_at, deadline, estimate_s, first_deadline, other_tasks, old_key,"
            f" sent_values, assigned_at) VALUES ({', '.join('?' * 18)})",
            [*row, '{"deadline_from_slot":true}', AT],
        )
    details = {
        "lines": [{"key": key, "sent_values": SENT} for key in KEYS[:2]],
        "decisions": [
            {"key": KEYS[0], "task_id": 5, "position": "Сварщик", "decided_at": AT, "responsible_id": 12}
            | {"reason": "first", "candidates": [{"id": 12}], "details": {}}
        ],
    }
    packer = zlib.compressobj(level=9, zdict=packed._DICTIONARY)
    content = packer.compress(json.dumps(details).encode()) + packer.flush()
    execute("INSERT INTO packed_orders (order_id, content) VALUES (?, ?)", [GUID, content])
    for task_id in (5, 6, 70, *range(1000, 1500)):
        line = {5: KEYS[0], 6: KEYS[1], 70: KEYS[1]}.get(task_id)
        execute(
            "INSERT INTO tasks (id, title, responsible_id, created_by, status, created_at, closed_at, week, estimate_s,"
            f" spent_s, gone, saved_at, first_deadline, line) VALUES ({', '.join('?' * 14)})",
            [task_id, "Работа", 12, 1, 5, AT, LATER, "2026-W48", 60, 0, 0, LATER, AT if line else None, line],
        )
    for number in (1, 2):
        columns = "at, order_id, number, command, outcome, caller, lines, times"
        sql = f"INSERT INTO history ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        execute(
            sql, [AT, GUID, f"1Ц-{number}", "assign", "created", "cron", f'[["Маляр", "created", {number}]]', number]
        )
    execute("INSERT INTO repeated_lines (line) VALUES (?)", [KEYS[1]])


def check(store: Store) -> None:
    """All is there: as text in the views, for the program, before and after the night that packs it anew."""
    query = store.database.query
    sql = (
        "SELECT id, created_at, changed_at, closed_at, deadline, saved_at, first_deadline, line FROM tasks ORDER BY id"
    )
    tasks = [tuple(row) for row in query(sql)]
    assert [
        (5, AT, None, LATER, None, LATER, AT, number_line(KEYS[0])),
        (6, AT, None, LATER, None, LATER, AT, number_line(KEYS[1])),
        (70, AT, None, LATER, None, LATER, AT, number_line(KEYS[1])),
    ] == tasks[:3]
    assert [(number, AT, None, LATER, None, LATER, None, None) for number in range(1000, 1500)] == tasks[3:]
    assert [(number_line(KEYS[1]),)] == [tuple(row) for row in query("SELECT line FROM repeated_lines")]
    lines = store.orders.lines([GUID, "without a GUID"])
    shown = {
        view: sorted(map(repr, map(tuple, query(f"SELECT * FROM {view}")))) for view in ("v_operations", "v_tasks")
    }
    assert [5, 6, 70] == [row["id"] for row in query("SELECT id FROM v_tasks WHERE order_id IS NOT NULL ORDER BY id")]
    done = store.history.of_order(GUID)
    assert [((("Маляр", "created", n),), n) for n in (1, 2)] == [(entry.lines, entry.times) for entry in done]
    decisions = store.decisions.find_all(5)
    assert [{"id": 12}] == decisions[0].candidates

    store.retention.trim(datetime(2026, 12, 24, tzinfo=UTC), timedelta(days=365))

    assert [0, 3] == [query(f"SELECT count(*) FROM {table}")[0][0] for table in ("order_tasks", "packed_lines")]
    kept = store.orders.lines([GUID, "without a GUID"])
    assert {key: {**vars(line), "sent_values": None} for key, line in lines.items()} == {
        key: {**vars(line), "sent_values": None} for key, line in kept.items()
    }
    assert [{"auditor_id": 7, "deadline_from_slot": True}] * 2 == [kept[key].sent_values for key in KEYS[:2]]
    for view, rows in shown.items():
        assert rows == sorted(map(repr, map(tuple, query(f"SELECT * FROM {view}"))))
    assert decisions == store.decisions.find_all(5)
    assert [0, 2] == [query(f"SELECT count(*) FROM {table}")[0][0] for table in ("history", "packed_history")]
    assert [done, done, done[1:]] == [store.history.of_order(GUID), store.history.last(9), store.history.last(1)]
    assert [[GUID], [GUID], []] == [store.history.find_ids(text) for text in (GUID, "1Ц-1", "1Ц-3")]
    assert [[GUID], []] == [store.history.find_alike(text) for text in ("1ц—1", "1ц-3")]
    assert set(KEYS) == store.orders.known_keys([*KEYS, "1c:other"])
    assert {5: GUID, 6: GUID} == store.orders.owners([5, 6, 70])
    assert {70: KEYS[1]} == {task_id: line["key"] for task_id, line in store.packed.other_tasks().items()}
    assert (6, KEYS[0]) == (store.orders.last_known_task(), store.orders.latest_key())
    assert ["Маляр", "Сварщик"] == store.orders.positions_since(datetime(2026, 1, 1, tzinfo=UTC))
    at = datetime.fromisoformat(AT)
    assert {12: at, 13: at} == store.orders.last_assigned(datetime(2026, 12, 24, tzinfo=UTC))

    store.history.add(Entry(at, "assign", GUID, "1Ц-3", "failed", "cron"))
    store.orders.mark_sent([KEYS[1]], at)  # whatever writes to a line takes its order back first

    again = store.orders.lines([GUID])
    assert [None, at] == [again[key].writing_since for key in KEYS[:2]]
    assert [SENT, SENT] == [again[key].sent_values for key in KEYS[:2]]
    assert [*done, Entry(at, "assign", GUID, "1Ц-3", "failed", "cron")] == store.history.of_order(GUID)
    assert decisions == store.decisions.find_all(5)


@pytest.mark.sqlite
def test_rows_are_moved_and_stay(tmp_path: Path) -> None:
    """In a file."""
    path = tmp_path / "b24tools.db"
    database.create(path, upto=BEFORE)
    with closing(sqlite3.connect(path)) as connection, connection:
        fill(connection.execute)
    with closing(open_store(path)) as store:
        check(store)


@pytest.mark.long
@pytest.mark.sqlite  # it opens the other engine by itself
def test_rows_are_moved_and_stay_on_a_server(address: DatabaseUrl, postgres_url: str) -> None:
    """In the same words."""
    import psycopg

    with closing(sqlite3.connect(":memory:")) as then:
        migrations.make_set().apply(Database(then), stop_before="m017_compact_rows")
        ours = "sql IS NOT NULL AND type <> 'view' AND name NOT LIKE '%sqlite%'"
        made = [sql for (sql,) in then.execute(f"SELECT sql FROM sqlite_master WHERE {ours} ORDER BY rowid")]
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f'CREATE SCHEMA "{address.schema}"'.encode())
        connection.execute(f'SET search_path TO "{address.schema}"'.encode())
        for sql in (*map(postgres_schema.translate, made), f"CREATE TABLE {postgres_schema.TABLE} (name TEXT)"):
            connection.execute(sql.encode())
        for name in BEFORE:
            connection.execute(f"INSERT INTO {postgres_schema.TABLE} VALUES (%s)".encode(), [name])
        fill(lambda sql, values: connection.execute(sql.replace("?", "%s").encode(), values))
    with closing(open_store(address)) as store:
        check(store)
