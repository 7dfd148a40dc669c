"""What was closed and by whom: saving it, reading it without writing, and opening it with other tools."""

from __future__ import annotations

import errno
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24tools.core import errors, periods
from b24tools.core.models import Status, TaskRecord
from b24tools.core.timestamps import from_seconds, seconds_to_text
from b24tools.jobs import leaderboard
from b24tools.store import Store, closings, database, open_store, read_store
from b24tools.store.leaderboard import CLOSED
from b24tools.store.tasks import Saved
from tests.support import closed_tasks as closed
from tests.support import postgres
from tests.support.closed_tasks import LAST, MOSCOW, NOW, THIS, collect, person, save, task
from tests.support.database import query

DAY = timedelta(days=1)
OLDEST = Path(__file__).parent.parent / "data" / "schema-m001.sql"
EMPTY = leaderboard.Board(THIS, leaderboard.TASKS, teams=False, complete=False, as_of=None, mode="polling")


@contextmanager
def reading(path: Path) -> Iterator[Store]:
    """The database as the leaderboard opens it."""
    with database.explain_failures(path), closing(read_store(path)) as opened:
        yield opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The small plant's database."""
    path = tmp_path / "data" / "b24tools.db"
    with closing(open_store(path)) as opened:
        closed.plant(opened)
    return path


# saving


def test_what_a_save_did_is_counted_by_week() -> None:
    """New, changed, the same; a task that is open and was never counted is nothing."""
    with closing(open_store(None)) as opened, opened.transaction():
        first = opened.tasks.save([task(1, 1, LAST.start), task(2, 1, THIS.start)], NOW, MOSCOW)
        again = opened.tasks.save(
            [task(1, 1, LAST.start), task(2, 2, THIS.start), task(3, 1, NOW, status=Status.IN_PROGRESS)], NOW, MOSCOW
        )

    assert Saved({"2026-W46": 1, "2026-W47": 1}, {}, {}) == first
    assert Saved({}, {"2026-W47": 1}, {"2026-W46": 1}) == again


def test_the_newer_change_wins_whatever_the_order_of_arrival() -> None:
    """A late answer does not undo what was read after it; the row counts as seen all the same."""
    monday = THIS.start
    with closing(open_store(None)) as opened:
        save(opened, [task(1, 1, monday)])
        save(opened, [task(1, 2, monday, changed=monday + DAY)])
        run = opened.snapshot_runs.begin(THIS.start, THIS.end, NOW)
        save(opened, [task(1, 1, monday)])
        with opened.transaction():
            gone = opened.tasks.mark_unseen_gone(run)

        assert [2] == [
            tally.user_id for tally in opened.leaderboard.closed(THIS, opened.settings.counting_rules(MOSCOW))[0].people
        ]
    assert {} == gone


def test_what_a_complete_run_did_not_see_is_gone() -> None:
    """Unless it was read since the run began, or lies outside its window; all of it within one second."""
    with closing(open_store(None)) as opened:
        save(opened, [task(1, 1, LAST.start), task(2, 1, THIS.start), task(3, 1, THIS.start)])
        run = opened.snapshot_runs.begin(THIS.start, THIS.end, NOW)
        save(opened, [task(4, 1, THIS.start)])
        with opened.transaction():
            gone = opened.tasks.mark_unseen_gone(run)

        assert {2: "2026-W47", 3: "2026-W47"} == gone
        assert {"2026-W46": 1, "2026-W47": 1} == opened.tasks.count_by_week(LAST.start, THIS.end)


def test_people_who_left_keep_their_names(path: Path) -> None:
    """A list of people replaces those who are on it and leaves the others."""
    with closing(open_store(path)) as opened:
        opened.people.save([person(1, "Иван Переименованный", closed.PAINTERS)], NOW)

        rows = leaderboard.board(opened, THIS, now=NOW).rows

    assert [("Иван Переименованный", "Покраска"), ("Алёна Ёлкина", "Монтаж и упаковка")] == [
        (row.name, row.department) for row in rows[:2]
    ]


# reading


@pytest.mark.sqlite
def test_reading_leaves_the_folder_as_it_is(path: Path) -> None:
    """Neither rows nor files are made, and nothing stays open."""
    before = sorted(path.parent.iterdir())

    with reading(path) as opened:
        rows = leaderboard.board(opened, THIS, now=NOW).rows
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            opened.database.execute("DELETE FROM closed_tasks")

    assert 9 == len(rows)
    assert before == sorted(path.parent.iterdir())


def test_reading_makes_no_database(tmp_path: Path) -> None:
    """Where there is none there will be none."""
    with reading(tmp_path / "none" / "b24tools.db") as opened:
        assert EMPTY == leaderboard.board(opened, THIS, now=NOW)

    assert [] == list(tmp_path.iterdir())


@pytest.mark.sqlite
def test_a_database_from_before_the_leaderboard_has_no_data(tmp_path: Path) -> None:
    """The reader migrates a copy."""
    path = tmp_path / "b24tools.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLDEST.read_text(encoding="utf-8"))
    before = path.read_bytes()

    with reading(path) as opened:
        assert EMPTY == leaderboard.board(opened, THIS, now=NOW)
    assert before == path.read_bytes()


@pytest.mark.sqlite
def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    """In one line with the file's name."""
    path = tmp_path / "b24tools.db"
    path.write_text("not a database, but long enough to look like one" * 100, encoding="utf-8")

    with pytest.raises(errors.ConfigError, match=r"b24tools\.db is damaged"), reading(path):
        pass


@pytest.mark.sqlite
def test_a_damaged_database_is_told_wherever_it_breaks(path: Path) -> None:
    """The beginning may be sound."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'tasks_by_span'").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)

    with (
        pytest.raises(errors.ConfigError, match=r"b24tools\.db is damaged: database disk image is malformed"),
        reading(path) as opened,
    ):
        leaderboard.board(opened, THIS, now=NOW)


@pytest.mark.sqlite
def test_a_folder_that_may_not_be_looked_into_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a database; so it is not said that there are no data."""

    def refuse(_path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    with (
        pytest.raises(errors.ConfigError, match=r"cannot be used: Permission denied$"),
        reading(path),
    ):
        pass


def test_a_reader_sees_one_state_while_a_writer_writes(path: Path) -> None:
    """A run that commits in between changes nothing, and does not wait for the reader."""
    with reading(path) as reader, closing(open_store(path)) as writer:
        before = leaderboard.board(reader, THIS, now=NOW)
        save(writer, [task(99, 1, THIS.start)])

        assert before == leaderboard.board(reader, THIS, now=NOW)
        assert before.rows[0].tasks + 1 == leaderboard.board(writer, THIS, now=NOW).rows[0].tasks


@pytest.mark.sqlite
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="wants root, to become somebody else")
@pytest.mark.parametrize(("writing", "mode"), [(True, 0o644), (False, 0o644), (False, 0o666)])
def test_somebody_who_may_only_read_can_read(path: Path, writing: bool, mode: int) -> None:
    """Whether a writer is about or not; nothing is left behind that would lock the owner out.

    Nor does it help to be allowed to write to the file, but not into its folder.
    """
    code = (
        "import sys, os, pathlib; sys.path.insert(0, sys.argv[1])\n"
        "import urllib.parse, locale, tempfile, fcntl, random\n"  # Python itself may lie where nobody may look
        "from b24tools.store import read_store, settings\n"
        "os.setuid(65534)\n"
        "opened = read_store(pathlib.Path(sys.argv[2]))\n"
        "print(opened.settings.get('producer_mode'))\n"
        "opened.close()"
    )
    package = Path(database.__file__).parent.parent.parent
    with closing(open_store(path)) as writer:
        if writing:
            save(writer, [task(99, 1, THIS.start)])
        else:
            writer.close()
        for folder in (path.parent, *path.parent.parents):
            if folder.stat().st_uid == 0 and folder != Path("/") and "pytest" in str(folder):
                folder.chmod(0o755)
        for file in (path, *path.parent.glob("b24tools.db-*")):  # whoever opens it to write makes them private
            file.chmod(mode)
        before = sorted(file.name for file in path.parent.iterdir())
        done = subprocess.run([sys.executable, "-c", code, package, path], capture_output=True, text=True, check=False)
        after = sorted(file.name for file in path.parent.iterdir())

    assert ("polling\n", "") == (done.stdout, done.stderr)
    assert before == after
    assert writing == ("b24tools.db-wal" in after)


@pytest.mark.sqlite
def test_the_ranking_reads_only_indexes(path: Path) -> None:
    """Of the tasks, only those of the two periods, and not their rows; and nothing is sorted before it is counted."""
    with closing(sqlite3.connect(path)) as connection:
        values = {"before": 1, "start": 2, "end": 3, "count_own": 0}
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {CLOSED}", values)]

    assert 2 == plan.count("SEARCH tasks USING COVERING INDEX tasks_by_span (<expr>>? AND <expr><?)")
    assert ["SCAN by_span", "SCAN counted"] == [step for step in plan if step.startswith("SCAN")]
    assert 1 == plan.count("USE TEMP B-TREE FOR GROUP BY")  # of what is counted, by span and person


def test_a_time_begins_and_ends_anywhere_in_the_spans_of_the_index() -> None:
    """At their edges, too; and the first closing is found in whichever span it is."""
    edge = 740 * closings.SPAN_S
    moments = {1: edge - closings.SPAN_S, 2: edge - 1, 3: edge, 4: edge + 1, 5: edge + 3 * closings.SPAN_S}
    with closing(open_store(None)) as opened:
        save(opened, [task(number, 1, from_seconds(at)) for number, at in moments.items()])
        for start, end in product([*moments.values(), edge + 4 * closings.SPAN_S], repeat=2):
            expected = [number for number, at in moments.items() if start <= at < end]
            ids = opened.tasks.closed_ids(from_seconds(start), from_seconds(end))
            assert ({1: expected} if expected else {}) == ids
            weeks = opened.work_history.by_week([1], [from_seconds(start), from_seconds(max(start, end))])
            assert {1: [(len(expected), 3600 * len(expected))]} == weeks
        firsts = [opened.work_history.first_closing(user_id) for user_id in (1, 2)]
        with opened.transaction():
            opened.tasks.mark_deleted([1, 2, 3, 4], NOW)
        assert [*firsts, opened.work_history.first_closing(1)] == [
            *(seconds_to_text(moments[1]), None),
            seconds_to_text(moments[5]),
        ]


# other tools


def shell(path: Path, sql: str) -> list[list[str]]:
    """What the sqlite3 shell prints; on a server its rows as text."""
    if postgres.redirection is not None:
        rows = query(path, sql)
        return [["" if value is None else str(value) for value in row] for row in rows]
    program = shutil.which("sqlite3")
    if program is None:
        pytest.skip("no sqlite3 shell")
    done = subprocess.run(
        [program, "-readonly", "-separator", "\t", str(path), sql], capture_output=True, check=True, timeout=20
    )
    assert b"" == done.stderr
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def test_the_shell_shows_the_weeks_as_the_leaderboard_counts_them(path: Path) -> None:
    """The view `closed_by_week`, hidden people too."""
    rows = shell(path, "SELECT * FROM closed_by_week WHERE week = '2026-W47' AND user_id <> 9 ORDER BY user_id")

    with reading(path) as opened:
        ranked = sorted(leaderboard.board(opened, THIS, now=NOW).rows, key=lambda row: row.id)
    figures = [
        ["2026-W47", row.id, row.name, row.department or "", row.tasks, row.hours, row.on_time, row.on_time_of]
        for row in ranked
    ]
    assert [[str(value) for value in line] for line in figures] == rows


@pytest.mark.parametrize("shift", [-400, -7, 0, 7, 40, 80, 1000])
def test_the_view_of_this_week_is_the_leaderboard(tmp_path: Path, shift: int) -> None:
    """Whatever the day: places, without hidden people. (The view's day is the machine's, so the tasks move.)"""
    path = tmp_path / "b24tools.db"
    zone = ZoneInfo("UTC")
    now = datetime.now(zone)
    week = periods.week_of(now, zone)
    with closing(open_store(path)) as opened:
        opened.settings.save("hidden_users", "3, 4")
        save(
            opened, [task(n, n % 6, week.start + n * timedelta(hours=2), hours=n / 7) for n in range(1, 20)], zone=zone
        )
        save(opened, [task(50, 1, week.start + shift * DAY)] if shift else [], zone=zone)
        expected = [
            [str(value) for value in (row.place, row.id, row.tasks, row.hours)]
            for row in leaderboard.board(opened, week, now=now).rows
        ]

    assert [] != expected
    # TZ for 'localtime'; the last seconds of a week may fall between the two
    view = "SELECT place, user_id, tasks, hours FROM leaderboard_this_week ORDER BY place, name"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TZ", "UTC")
        assert expected == shell(path, view)


@pytest.mark.sqlite
def test_the_week_of_the_view_is_that_of_the_calendar(path: Path) -> None:
    """Every day of ten years, over years of 53 weeks."""
    with closing(sqlite3.connect(path)) as connection:
        view = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'leaderboard_this_week'").fetchone()[0]
        formula = view[view.index("strftime('%Y'") : view.index("AND NOT EXISTS")].replace("'now', 'localtime'", ":day")
        first = datetime(2020, 1, 1, tzinfo=MOSCOW)
        days = [(first + n * DAY).date() for n in range(3660)]

        labels = [connection.execute(f"SELECT {formula}", {"day": day.isoformat()}).fetchone()[0] for day in days]

    assert [periods.containing(day, periods.WEEK, MOSCOW).label for day in days] == labels


@pytest.mark.sqlite
def test_the_database_is_sound_and_its_times_are_words(path: Path) -> None:
    """Opened by the shell: integrity, plain names, ISO 8601."""
    assert [["ok"]] == shell(path, "PRAGMA integrity_check")
    assert [["2026-11-16T06:01:00+00:00"]] == shell(path, "SELECT closed_at FROM tasks WHERE id = 1000")
    with closing(open_store(path)) as opened:
        collect(opened, THIS.start, THIS.end, NOW)
    assert [["2026-11-15T21:00:00+00:00", "2026-11-22T21:00:00+00:00", "1"]] == shell(
        path, "SELECT from_at, to_at, complete FROM snapshot_runs ORDER BY id DESC LIMIT 1"
    )


# the order of reading

STATES = st.lists(
    st.tuples(
        st.sampled_from(["closed", "open", "missing"]),
        st.integers(0, 1),  # seconds since the state before
        st.integers(1, 2),  # who is responsible
        st.booleans(),  # whether CHANGED_DATE can be read
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.long
@settings(max_examples=150, deadline=None)
@given(STATES, st.randoms(use_true_random=False))
def test_in_whatever_order_answers_are_saved_the_one_asked_for_last_stands(
    states: list[tuple[str, int, int, bool]], chance: random.Random
) -> None:
    """A task is closed, reopened, deleted, restored, several times in a second; slow answers come when they come."""
    readings: list[tuple[int, str, TaskRecord]] = []
    changed = THIS.start
    with closing(open_store(None)) as opened:
        save(opened, [task(1, 9, THIS.start)])
        for state, seconds, user_id, dated in states:
            changed += timedelta(seconds=seconds)
            status = Status.IN_PROGRESS if state == "open" else Status.COMPLETED
            record = task(1, user_id, THIS.start, status=status, changed=changed)
            number = opened.snapshot_runs.number_reading()
            readings.append((number, state, record if dated else record._replace(changed_at=None)))
        last = readings[-1]
        chance.shuffle(readings)
        for number, state, record in readings:
            with opened.transaction():
                if state == "missing":
                    opened.tasks.mark_deleted([1], NOW, number)
                else:
                    opened.tasks.save([record], NOW, MOSCOW, number)

        counted = {} if last[1] != "closed" else {last[2].responsible_id: [1]}
        assert counted == opened.tasks.closed_ids(THIS.start, THIS.end)


def test_a_change_dated_in_the_future_freezes_nothing() -> None:
    """The portal's clock was wrong once: then the order of reading decides."""
    with closing(open_store(None)) as opened:
        save(opened, [task(1, 1, THIS.start, changed=NOW + 400 * DAY)])
        save(opened, [task(1, 2, THIS.start, changed=NOW)])

        assert {2: [1]} == opened.tasks.closed_ids(THIS.start, THIS.end)


def test_what_a_run_marked_gone_is_not_brought_back_by_an_answer_from_before_it() -> None:
    """One from its time or later does."""
    with closing(open_store(None)) as opened:
        save(opened, [task(1, 1, THIS.start)])
        before = opened.snapshot_runs.number_reading()
        run = opened.snapshot_runs.begin(THIS.start, THIS.end, NOW)
        with opened.transaction():
            assert {1: "2026-W47"} == opened.tasks.mark_unseen_gone(run)
            opened.tasks.save([task(1, 1, THIS.start)], NOW, MOSCOW, before)
        assert {} == opened.tasks.closed_ids(THIS.start, THIS.end)
        save(opened, [task(1, 1, THIS.start)])
        assert {1: [1]} == opened.tasks.closed_ids(THIS.start, THIS.end)


def test_people_whom_a_run_did_not_see_are_retired_by_its_number() -> None:
    """Not those who were read since it began."""
    with closing(open_store(None)) as opened:
        opened.people.save([person(1, "Иван Петров"), person(2, "Пётр Иванов")], NOW)
        run = opened.snapshot_runs.begin(THIS.start, THIS.end, NOW, 0)
        opened.people.save([person(2, "Пётр Иванов")], NOW)
        opened.people.retire_unseen(run)
        rows = opened.database.query("SELECT id, active FROM people ORDER BY id")
        assert [(1, 0), (2, 1)] == [(row["id"], row["active"]) for row in rows]
