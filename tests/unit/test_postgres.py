"""What only a server can do, and what only a server can do wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import database_url, errors
from b24tools.core.database_url import DatabaseUrl
from b24tools.jobs import backup
from b24tools.jobs.doctor.checks import Examination
from b24tools.jobs.doctor.database import check_file
from b24tools.store import Store, copies, database, inspection, migrations, open_store, read_store
from b24tools.store.events import Due, NewEvent
from b24tools.store.shared_text import SharedText
from tests.support import postgres
from tests.support.closed_tasks import NOW, person, task
from tests.support.doctor import inspect
from tests.support.http import reserve
from tests.support.orders import MOSCOW

psycopg = pytest.importorskip("psycopg")
pytestmark = [pytest.mark.long, pytest.mark.sqlite]  # they open both engines by themselves


def kill(address: DatabaseUrl, pid: int) -> None:
    """The server, or a network between, ends a connection."""
    with closing(open_store(address)) as opened:
        opened.database.query("SELECT pg_terminate_backend(?)", [pid])


# the schema


def test_both_engines_have_the_same_schema(address: DatabaseUrl) -> None:
    """Column by column: names and sequence, types, what may be empty, defaults, keys; and the indexes."""
    with closing(open_store(None)) as memory:
        here = {}
        for table in memory.database.list_tables():
            rows = memory.database.query(f"PRAGMA table_info({table})")
            here[table] = [
                (row["name"], row["type"], bool(row["notnull"] or row["pk"]), row["dflt_value"], bool(row["pk"]))
                for row in rows
            ]
        rows = memory.database.query("SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        indexes = {row["name"] for row in rows if "_sqlite_" not in row["name"]}
    with closing(open_store(address)) as opened:
        there = {table: describe(opened, table) for table in opened.database.list_tables()}
        sql = "SELECT indexname FROM pg_indexes WHERE schemaname = ? AND indexname NOT SIMILAR TO '%(key|id)_key'"
        names = {row[0] for row in opened.database.query(sql, [address.schema])}
    assert here == there
    assert indexes == {name for name in names if not name.endswith("_pkey")}


def describe(opened: Store, table: str) -> list[tuple[Any, ...]]:
    sql = """SELECT column_name, data_type, is_nullable = 'NO', column_default, EXISTS (
            SELECT 1 FROM information_schema.key_column_usage AS used
            JOIN information_schema.table_constraints AS rule USING (constraint_schema, constraint_name)
            WHERE rule.constraint_type = 'PRIMARY KEY' AND used.table_schema = columns.table_schema
                AND used.table_name = columns.table_name AND used.column_name = columns.column_name)
        FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?
        ORDER BY ordinal_position"""
    words = {"bigint": "INTEGER", "text": "TEXT", "bytea": "BLOB"}
    return [
        (row[0], words[row[1]], row[2], row[3] and re.sub("::.*", "", row[3]), row[4])
        for row in opened.database.query(sql, [table])
    ]


def m999_later(db: Any) -> None:
    """As a later b24tools may have it: on both engines the same words."""
    db.execute("ALTER TABLE orders ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")
    db.execute("CREATE TABLE colours (id INTEGER PRIMARY KEY, name TEXT NOT NULL, picture BLOB)")
    db.execute("DROP VIEW leaderboard_this_week")
    for row in db.query("SELECT id FROM orders"):
        db.execute("INSERT INTO colours (name, picture) VALUES (?, ?)", [row["id"], b"\0x"])
    db.execute("CREATE VIEW leaderboard_this_week AS SELECT 1")


def test_a_schema_raised_under_a_process_stops_it(address: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there stays; the older b24tools writes no more, and does not open it again."""
    with closing(open_store(address)) as older:
        older.orders.save("a", "1", NOW)
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, m999_later))
            patch.setattr(migrations, "NAMES", migrations.NAMES | {"m999_later"})
            with closing(open_store(address)) as newer:
                assert ["red"] == [row["colour"] for row in newer.database.query("SELECT colour FROM orders")]
                assert [(1, "a", b"\0x")] == newer.database.query("SELECT * FROM colours")
                assert [] == newer.database.query("SELECT * FROM leaderboard_this_week")
                newer.orders.save("b", "2", NOW)
        expected = f"{address} was made by a newer b24tools"
        for attempt in (lambda: older.orders.save("c", "3", NOW), lambda: open_store(address)):
            with pytest.raises(errors.ConfigError) as caught:
                attempt()
            assert expected == caught.value.message
        assert {"a": None, "b": None} == older.orders.outcomes(["a", "b", "c"])


def test_a_text_may_have_what_a_server_cannot_save(address: DatabaseUrl) -> None:
    """NUL, as it is and escaped in JSON that a query reads; a percent sign and marks in a value stay what they are."""
    with closing(open_store(address)) as opened:
        opened.orders.save("a\0", "? %s :name", NOW)
        opened.orders.save_standings({"a\ufffd": ({"finish": "x\0", "by": "\\u0000"}, False)}, NOW)
        (row,) = opened.orders.find("a\ufffd")
        assert ("? %s :name", {"finish": "x\ufffd", "by": "\\u0000"}) == (row.number, row.standing)
        assert [("x\ufffd",)] == opened.database.query(
            f"SELECT {opened.database.json_text('standing', 'finish')} FROM orders"
        )


# locks


def hold(address: DatabaseUrl, name: str = "assign", command: str = "") -> Any:
    from b24tools.store import shared_locks

    return shared_locks.hold(address, name, 0, lambda: NOW, command=command)


def test_one_run_at_a_time_on_all_machines(address: DatabaseUrl) -> None:
    """Who comes second is told by whom, where and since when; other locks and other schemas are free."""
    other = DatabaseUrl(address.libpq, f"{address.schema}_2", address.folder)
    with (
        hold(address, command="replan"),
        hold(address, "snapshot"),
        hold(other),
        pytest.raises(errors.Busy) as caught,
        hold(address),
    ):
        pass
    said = r"another run of `b24tools replan` is at work: process \d+ on \S+, since 2026-11-20 14:05:00\+0300"
    assert re.fullmatch(said, caught.value.message), caught.value.message
    with hold(address):
        pass


def test_a_lock_that_was_lost_lets_nothing_be_written(address: DatabaseUrl) -> None:
    """Neither to the ledger nor to the portal; the next one gets it."""
    with closing(open_store(address)) as opened, hold(address) as held:
        opened.database.must_hold = held
        opened.orders.save("a", "1", NOW)
        opened.database.check_lock()
        kill(address, held.pid)
        with hold(address):
            for attempt in (lambda: opened.orders.save("b", "2", NOW), opened.database.check_lock):
                with pytest.raises(errors.Busy) as caught:
                    attempt()
                assert "the lock of `b24tools assign` was lost" in caught.value.message
        assert {"a": None} == opened.orders.outcomes(["a", "b"])


def test_the_limits_of_the_portal_are_those_of_all_machines(address: DatabaseUrl) -> None:
    """One bucket; without the server each has its own, and waits for it no second time."""
    open_store(address).close()
    shared = [SharedText(address, "throttle") for _machine in range(2)]
    waits: list[float] = []
    limits = [RateLimiter(text, per_second=1, burst=2, clock=lambda: 1000.0, sleep=waits.append) for text in shared]
    for limit in (*limits, *limits):
        reserve(limit)
    limits[0].block_method("tasks.task.add", 1010.0)
    assert ([1.0, 2.0], {"tasks.task.add": 1010.0}) == (waits, limits[1].blocked(["tasks.task.add"]))
    for text in shared:
        text.close()
    away = database_url.read("postgresql://127.0.0.1:1/none", address.folder)
    alone = RateLimiter(SharedText(away, "throttle"), clock=lambda: 1000.0)
    assert [0.0, 0.0] == [reserve(alone), reserve(alone)]


def test_a_machine_that_vanishes_without_a_word_loses_its_locks_after_a_minute(tmp_path: Path) -> None:
    """The server looks after idle sessions itself; by its system's default it would do so after two hours."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("fsync=off", "listen_addresses=127.0.0.1", f"port={port}")
    programs = postgres.find_programs()
    assert programs is not None
    with postgres.run_server(programs, options):
        address = database_url.read(f"postgresql://{postgres.USER}@127.0.0.1:{port}/postgres", tmp_path)
        with closing(open_store(address)) as opened:
            names = ("idle", "interval", "count")
            assert [("30",), ("10",), ("3",)] == [
                opened.database.query(f"SHOW tcp_keepalives_{name}")[0] for name in names
            ]
        with pytest.raises(errors.ConfigError, match="SSL was required"):  # nor does it later have what it has not now
            open_store(database_url.read(f"{address.libpq}?sslmode=require", tmp_path))


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_of_transactions_is_refused(address: DatabaseUrl, tmp_path: Path, mode: str) -> None:
    """No lock holds behind it, and settings reach other programs; one of sessions is as good as none."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("there is no pgbouncer here")
    with postgres.run_pooler(program, address.libpq, mode) as url:
        pooled = database_url.read(f"{url}?schema={address.schema}", tmp_path)
        if mode == "session":
            with hold(pooled), pytest.raises(errors.Busy), hold(address):
                pass
            return
        with pytest.raises(errors.ConfigError) as caught:
            open_store(pooled)
        assert f"behind {pooled} is a pooler" in caught.value.message


# events


def test_an_event_is_claimed_by_one_machine(address: DatabaseUrl) -> None:
    """Until it gives it back, or for as long as the lease goes; an event that comes meanwhile is anybody's."""
    with closing(open_store(address)) as store, closing(open_store(address)) as other:
        store.settings.save("producer_mode", "webhook")
        store.events.add([NewEvent(NOW, "ONTASKUPDATE", number, "x", None) for number in (1, 2)])
        claimed = store.events.claim(NOW, 1)
        assert ([1], [2], []) == (
            list(claimed.tasks),
            list(other.events.claim(NOW, 50).tasks),
            list(store.events.claim(NOW + timedelta(minutes=1), 50).tasks),
        )
        store.events.release(claimed, NOW)
        assert [1] == list(other.events.claim(NOW, 50).tasks)
        assert [1, 2] == list(store.events.claim(NOW + timedelta(minutes=3), 50).tasks)
        store.events.add([NewEvent(NOW, "ONTASKUPDATE", 1, "y", None)])
        late = other.events.claim(NOW, 50)
        assert {1: [("ONTASKUPDATE", 0), ("ONTASKUPDATE", 0)]} == late.tasks
        with other.transaction():
            assert 2 == other.events.finish([1], late.last_id, "done", NOW, 1)


def test_machines_that_claim_at_once_wait_neither_for_each_other_nor_for_a_writer(address: DatabaseUrl) -> None:
    """While one claims, another one has what comes after it, and all of it where the first one is undone."""
    with ExitStack() as stack:
        store, other, writer = (stack.enter_context(closing(open_store(address))) for _machine in range(3))
        store.settings.save("producer_mode", "webhook")
        store.events.add([NewEvent(NOW, "ONTASKUPDATE", number % 3, "x", None) for number in range(9)])
        other.database.wait_at_most(0.01)
        with writer.transaction():
            store.database.run("BEGIN")
            first = store.events.claim(NOW, 2)
            second = other.events.claim(NOW, 2)
            assert [] == list(other.events.claim(NOW, 2).tasks)
            store.database.run("ROLLBACK")
        events = [("ONTASKUPDATE", 0)] * 3
        assert (Due({0: events, 1: events}, 8), Due({2: events}, 9)) == (first, second)
        assert first == other.events.claim(NOW, 50)


def test_machines_that_claim_in_turns_never_have_the_same(address: DatabaseUrl) -> None:
    """Four threads, each with a connection: together they get each event once."""
    with closing(open_store(address)) as opened:
        opened.settings.save("producer_mode", "webhook")
        opened.events.add([NewEvent(NOW, "ONTASKUPDATE", number % 100, "x", None) for number in range(300)])

    def claim(_machine: int) -> list[int]:
        with closing(open_store(address)) as opened:
            return [task for _turn in range(30) for task in opened.events.claim(NOW, 2).tasks]

    with ThreadPoolExecutor(4) as pool:
        claimed = [task for tasks in pool.map(claim, range(4)) for task in tasks]
    assert list(range(100)) == sorted(claimed)


def test_a_lease_goes_by_the_clock_of_the_server(address: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so do the portal's limits: a machine whose clock is five minutes ahead has no more of them than another."""
    with closing(open_store(address)) as opened:
        now = datetime.now(UTC)
        right = opened.database.correct_clock(now)
        with monkeypatch.context() as patch:
            patch.setattr("b24tools.core.clock.read_clock", lambda: datetime.now(UTC) + timedelta(minutes=5))
            assert abs(right - opened.database.correct_clock(now + timedelta(minutes=5))) <= timedelta(seconds=1)
    shared = [SharedText(address, "throttle") for _machine in range(2)]
    waits: list[float] = []
    limits = [RateLimiter(text, per_second=0.01, burst=2, clock=text.read_clock, sleep=waits.append) for text in shared]
    real = time.time
    for limit, ahead_s in zip(limits * 3, (0, 300) * 3, strict=True):
        monkeypatch.setattr(time, "time", lambda ahead_s=ahead_s: real() + ahead_s)
        reserve(limit)
    for text in shared:
        text.close()
    assert [1, 2, 3, 4] == [round(wait / 100) for wait in waits]


# other programs on the server


class Analyst:
    """A session of somebody else's on our tables, which locks one and then wants another."""

    def __init__(self, address: DatabaseUrl) -> None:
        self._libpq = address.libpq
        self.connection = psycopg.connect(self._libpq, options=f"-c search_path={address.schema}")
        # the server undoes whoever has waited longest when it looks: we
        self.connection.execute("SET deadlock_timeout = '20s'")
        self._wants = threading.Thread(target=self._want)

    def _want(self) -> None:
        self.connection.execute("LOCK TABLE tasks")
        self.connection.commit()
        self.connection.close()

    def change(self, sql: str) -> None:
        self.connection.execute(sql.encode())

    def want_tasks(self) -> None:
        """Wait for what we hold; in the meantime we shall wait for what was changed."""
        pid = self.connection.info.backend_pid
        self._wants.start()
        with psycopg.connect(self._libpq) as looking:
            sql = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
            while looking.execute(sql, [pid]).fetchone() != ("Lock",):
                time.sleep(0.005)

    def join(self) -> None:
        self._wants.join()


@pytest.mark.parametrize(
    ("change", "is_repeated"),
    [
        ("UPDATE orders SET customer = 'x' WHERE id = 'a'", True),
        ("UPDATE orders SET customer = 'x' WHERE id = 'a'; UPDATE people SET name = 'x'", False),
    ],
    ids=["of something else", "of what was read"],
)
def test_a_transaction_that_a_deadlock_has_undone_is_done_again(
    address: DatabaseUrl, change: str, is_repeated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it; where what it had read has changed meanwhile nothing is saved, and later may work."""
    with closing(open_store(address)) as opened, opened.transaction():
        opened.orders.save("a", "1", NOW)
        opened.people.save([person(7, "Анна Орлова")], NOW)
    with closing(open_store(address)) as opened:
        opened.database.run("SET deadlock_timeout = '10ms'")
        analyst = Analyst(address)
        analyst.change(change)
        from b24tools.store.postgres_repeat import Journal  # it needs psycopg

        replay = Journal.replay

        def replay_after_the_other(journal: Journal, connection: Any) -> bool:
            analyst.join()  # or we may read what it has not saved yet
            return replay(journal, connection)

        monkeypatch.setattr(Journal, "replay", replay_after_the_other)

        def work() -> None:
            with opened.transaction():
                assert 1 == len(opened.database.query("SELECT name FROM people"))
                opened.tasks.save([task(1, 7, NOW)], NOW, MOSCOW)
                analyst.want_tasks()
                opened.database.execute("UPDATE orders SET customer = coalesce(customer, '') || 'y'")

        if is_repeated:
            work()
        else:
            with pytest.raises(database.ServerError) as caught:
                work()
            assert (True, "another program has changed what was read") == (caught.value.passes, str(caught.value))
        analyst.join()
        expected = ("xy", 1) if is_repeated else ("x", 0)
        rows = opened.database.query("SELECT customer, (SELECT count(*) FROM tasks) FROM orders")
        assert [expected] == rows


def test_another_level_of_isolation_is_not_ours(address: DatabaseUrl) -> None:
    """The server's default may be a stricter one: two machines that write one after the other never collide."""
    strict = DatabaseUrl(
        f"{address.libpq}&options=-c%20default_transaction_isolation%3Dserializable", address.schema, address.folder
    )
    with closing(open_store(strict)) as store, closing(open_store(strict)) as other:
        with store.transaction():
            store.settings.save("excluded_users", "1")
            begun = threading.Thread(target=other.settings.save, args=("excluded_users", "2"))
            begun.start()
            sql = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not store.database.query(sql):
                time.sleep(0.005)
        begun.join()
        assert "2" == store.settings.get("excluded_users")


# a server that is away


def test_a_server_that_is_away_is_told_of_with_try_later(tmp_path: Path) -> None:
    """Exit status 75; a wrong address is one for a person."""
    away = database_url.read("postgresql://planner:s3cret@127.0.0.1:1/none", tmp_path)
    for attempt in (open_store, read_store, database.exists):
        with pytest.raises(errors.Busy) as caught:
            attempt(away)
        assert "postgresql://planner@127.0.0.1:1/none (b24tools)" in caught.value.message
        assert "s3cret" not in caught.value.line


def test_a_database_that_is_not_there_is_one_for_a_person(postgres_url: str, tmp_path: Path) -> None:
    """The server answers, and says no: trying again does not help."""
    wrong = database_url.read(postgres_url.replace("/postgres?", "/nowhere?"), tmp_path)
    with pytest.raises(errors.ConfigError) as caught:
        open_store(wrong)
    assert ("database", 2) == (caught.value.code, caught.value.exit_status)
    assert 'database "nowhere" does not exist' in caught.value.message


@pytest.mark.parametrize(
    "options",
    ["sslmode=nonsense", "port=99999999", "service=none", "options=-c%20none%3D1"],
)
def test_options_that_do_not_fit_are_for_a_person(postgres_url: str, tmp_path: Path, options: str) -> None:
    """Later is not better: cron would say nothing for a day."""
    with pytest.raises(errors.ConfigError) as caught:
        open_store(database_url.read(f"{postgres_url}&{options}", tmp_path))
    assert ("database", 2) == (caught.value.code, caught.value.exit_status)


def test_doctor_finds_orders_that_stayed_in_the_file(address: DatabaseUrl, tmp_path: Path) -> None:
    """Who sets the URL and forgets `restore` plans without what was sent before."""
    url = f"{address.libpq}&schema={address.schema}"
    exam = Examination(inspect(tmp_path, database_url=url), lambda: NOW)
    file = exam.settings.database_file
    assert "ok" == check_file(exam).status
    with closing(open_store(file)) as store:
        store.orders.save("a", "1", NOW)
    left = check_file(exam)
    with closing(open_store(address)) as exam.database:
        exam.looked = inspection.look(address)
        also = check_file(exam)
        exam.database.orders.save("a", "1", NOW)
        restored = check_file(exam)
    assert (left, "warn", f"{address} has no order, and 1 is in {file}") == (also, left.status, left.detail)
    assert "ok" == restored.status


def test_half_a_transaction_is_nothing(address: DatabaseUrl) -> None:
    """The connection breaks in the middle; what was saved before is there, and the connection says that it is lost."""
    with closing(open_store(address)) as opened:
        opened.orders.save("a", "1", NOW)
        pid = opened.database.query("SELECT pg_backend_pid()")[0][0]
        with pytest.raises(database.ServerError) as caught, opened.transaction():
            opened.orders.save("b", "2", NOW)
            kill(address, pid)
            opened.orders.save("c", "3", NOW)
        assert (True, True) == (caught.value.passes, opened.database.is_broken)
        with closing(open_store(address)) as again:
            assert {"a": None} == again.orders.outcomes(["a", "b", "c"])


# from one engine to the other


def fill(opened: Store) -> None:
    """Something in tables of several kinds."""
    opened.orders.save("a", "1Ц-1", NOW)
    with opened.transaction():
        opened.tasks.save([task(number, 1, NOW) for number in range(1, 1200)], NOW, MOSCOW)
    opened.events.add([NewEvent(NOW, "ONTASKUPDATE", 7, '{"q": "%s ? :x"}', "0" * 64)])
    opened.settings.save("excluded_users", "7,12")


def rows_of(location: Path | DatabaseUrl) -> dict[str, list[str]]:
    """All rows, but what a restore notes of itself."""
    with closing(read_store(location)) as opened:
        return {
            table: sorted(
                json.dumps(row | {"portal_wins": 0}, sort_keys=True)
                for row in copies.read_rows(opened.database, table)
                if row.get("what") not in ("backup", "restored") and row.get("name") != "ledger_saves"
            )
            for table in copies.list_tables(opened.database)
        }


def test_a_backup_of_one_engine_is_restored_into_the_other(address: DatabaseUrl, tmp_path: Path) -> None:
    """And back: all rows, in the words of each; numbers go on after the last one."""
    first, last = tmp_path / "first" / "b24tools.db", tmp_path / "last" / "b24tools.db"
    with closing(open_store(first)) as opened:
        fill(opened)
    with closing(read_store(first)) as opened:
        made = backup.make(opened, first.parent, tmp_path / "first.zip", datetime.now(UTC))
    restored = backup.restore(made.path, address, datetime.now(UTC))
    assert ((), made.manifest.tables) == (restored.aside, restored.manifest.tables)
    assert rows_of(first) == rows_of(address)
    with closing(read_store(address)) as opened:
        again = backup.make(opened, tmp_path, tmp_path / "second.zip", datetime.now(UTC))
    last.parent.mkdir()
    backup.restore(again.path, last, datetime.now(UTC))
    assert rows_of(first) == rows_of(last)
    with closing(open_store(address)) as opened:
        opened.events.add([NewEvent(NOW, "ONTASKUPDATE", 8, "x", None)])
        assert [1, 2] == [event.id for event in opened.events.find()]


def test_a_restore_puts_the_old_schema_aside_when_nobody_has_it_open(address: DatabaseUrl, tmp_path: Path) -> None:
    """With the date in its name; a program that has it open is named, and nothing is changed."""
    with closing(open_store(address)) as opened:
        opened.orders.save("a", "1", NOW)
        with closing(read_store(address)) as reader:
            made = backup.make(reader, tmp_path, tmp_path / "one.zip", datetime.now(UTC))
        opened.orders.save("b", "2", NOW)
        with pytest.raises(errors.Busy) as caught:
            backup.restore(made.path, address, NOW)
        assert f"a program has the database {address} open" == caught.value.message
    restored = backup.restore(made.path, address, NOW)
    (aside,) = restored.aside
    assert isinstance(aside, DatabaseUrl)
    with closing(read_store(address)) as new, closing(read_store(aside)) as old:
        assert ({"a": None}, {"a": None, "b": None}) == (
            new.orders.outcomes(["a", "b"]),
            old.orders.outcomes(["a", "b"]),
        )
    assert (True, 1) == (restored.is_behind, restored.orders)  # the file beside it has counted both


def test_a_restore_leaves_the_schemas_of_other_profiles_alone(address: DatabaseUrl, tmp_path: Path) -> None:
    """One database has all portals, and a profile may be called anything: `new`, too."""
    neighbour = replace(address, schema=f"{address.schema}_new")
    for location, order in ((address, "a"), (neighbour, "b")):
        with closing(open_store(location)) as opened:
            opened.orders.save(order, "1", NOW)
    with closing(read_store(address)) as reader:
        made = backup.make(reader, tmp_path, tmp_path / "one.zip", NOW)
    backup.restore(made.path, address, NOW)
    with closing(read_store(address)) as here, closing(read_store(neighbour)) as there:
        assert ({"a": None}, {"b": None}) == (here.orders.outcomes("ab"), there.orders.outcomes("ab"))
