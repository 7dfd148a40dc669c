"""Snapshots that are killed, or meet a portal in trouble: what was saved stays, nothing is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.core import errors
from b24tools.jobs import snapshot
from b24tools.sandbox.faults import Fault
from b24tools.store import snapshot_runs
from tests.bench.company import big_company
from tests.support.orders import Clock
from tests.support.snapshots import FRIDAY, Collector, Killed, close, killed_at, new_collector

SINCE = (2026, 1, 1)


def a_company(folder: Path, **options: Any) -> Collector:
    """Seven pages of people, a hundred and fifty of tasks."""
    clock = Clock(FRIDAY)
    return Collector(big_company(clock, people=300, tasks=8_000, **options), folder, clock)


def rows(works: Collector) -> list[tuple[Any, ...]]:
    """All that a run leaves, but when it was saved."""
    tasks = works.query(
        "SELECT id, title, responsible_id, created_by, group_id, status, created_at, changed_at, closed_at, week,"
        " deadline, estimate_s, spent_s, gone FROM tasks ORDER BY id"
    )
    people = works.query("SELECT id, name, active, department_ids FROM people ORDER BY id")
    return [*tasks, *people, *works.query("SELECT id, name, parent_id, head_id FROM departments ORDER BY id")]


def asked_from(works: Collector, method: str, first: int = 0) -> list[int]:
    """From which id on the list was asked for in each request from that one on."""
    conditions = [
        [
            command.params.get("filter") or command.params.get("FILTER")
            for command in entry.commands
            if command.method == method
        ]
        for entry in works.portal.log[first:]
    ]
    return [int(asked[0][">ID"]) for asked in conditions if asked]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[Any, ...]], snapshot.Result]:
    """What a run leaves that nobody kills."""
    works = a_company(tmp_path_factory.mktemp("undisturbed"))
    result = works.since(*SINCE)
    return rows(works), result


@pytest.mark.parametrize(("parallel", "most"), [(2, 35), (6, 15)])
def test_a_run_killed_again_and_again_ends_as_an_undisturbed_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: tuple[list[tuple[Any, ...]], snapshot.Result],
    parallel: int,
    most: int,
) -> None:
    """At random requests, before and after the portal did the work, and while rows are being saved."""
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 6)
    chance = random.Random(50)
    works = a_company(tmp_path)
    for _kill in range(most):
        with pytest.raises(Killed), dying(works, monkeypatch, chance):
            works.since(*SINCE, parallel=parallel)
    result = works.since(*SINCE, parallel=parallel)
    expected, whole = undisturbed
    assert expected == rows(works)
    assert whole.weeks == result.weeks
    assert (whole.people, whole.complete) == (result.people, result.complete)
    assert works.query("SELECT count(*), max(complete) FROM snapshot_runs") == [(1, 1)]
    assert works.query("SELECT count(*) FROM tasks") == works.query("SELECT sum(1) FROM tasks WHERE gone = 0")


@contextmanager
def dying(works: Collector, monkeypatch: pytest.MonkeyPatch, chance: random.Random) -> Iterator[None]:
    """Death at the first or second request, or in the middle of the transaction that follows one."""
    if chance.random() < 0.6:
        with killed_at(works.portal, chance.choice((1, 1, 1, 2)), executed=chance.random() < 0.5):
            yield
        return

    def deadly(*_arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(snapshot_runs.SnapshotRuns, "advance", deadly)
        yield


def test_what_was_saved_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on from the cursors; only answers that were on their way are lost with the one before."""
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 10)
    works = a_company(tmp_path)
    saved: list[tuple[int, int]] = []
    for number in (3, 1, 4, 1, 5):
        with pytest.raises(Killed), killed_at(works.portal, number):
            works.since(*SINCE)
        saved += works.query("SELECT coalesce(people_cursor, 1000000), cursor FROM snapshot_runs")
        before = len(works.portal.log)
    for cursors in zip(*saved, strict=True):
        assert sorted(cursors) == list(cursors)
    assert 0 < saved[0][1] < saved[2][1] < saved[4][1]
    result = works.since(*SINCE)
    assert asked_from(works, "tasks.task.list", before)[0] == saved[-1][1]
    assert len(works.portal.log) - result.requests == 5
    assert len(works.saved()) == len(works.true_rows(works.week("2026-W01").start))


def test_a_name_that_only_the_killed_half_read_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a bot, which user.get never shows: its task is asked for once more."""
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 4)
    works = new_collector(tmp_path)
    bot = works.portal.add_user("Марта", "", user_type="bot")
    close(works.portal, FRIDAY, responsible=bot.id)
    for number in range(400):
        close(works.portal, FRIDAY - timedelta(minutes=number))
    with pytest.raises(Killed), killed_at(works.portal, 4):
        works.take()
    assert works.query("SELECT responsible_id FROM tasks ORDER BY id LIMIT 1") == [(bot.id,)]
    works.take()
    assert works.query("SELECT name, active FROM people WHERE id = ?", bot.id) == [("Марта", 0)]


def test_a_run_left_for_more_than_an_hour_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it saved may be old by then; one of another window is not taken up either."""
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 12)
    works = a_company(tmp_path)
    with pytest.raises(Killed), killed_at(works.portal, 4):
        works.since(*SINCE)
    works.clock.now += timedelta(minutes=58)
    with pytest.raises(Killed), killed_at(works.portal, 1):
        works.since(*SINCE)
    assert asked_from(works, "tasks.task.list")[-1] > 0
    with pytest.raises(Killed), killed_at(works.portal, 1):
        works.since(2026, 2, 1)
    assert asked_from(works, "tasks.task.list")[-1] == 0
    works.clock.now += timedelta(minutes=3)
    with pytest.raises(Killed), killed_at(works.portal, 1):
        works.since(*SINCE)
    assert asked_from(works, "tasks.task.list")[-1] == 0


def test_what_changed_between_the_halves_of_a_run_is_right_after_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed run does not look behind its cursor, but marks nothing gone that its first half saw."""
    works = new_collector(tmp_path)
    works.take()
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 4)
    first = [close(works.portal, FRIDAY - timedelta(minutes=number)) for number in range(400)]
    with pytest.raises(Killed), killed_at(works.portal, 3):
        works.take()
    works.clock.now += timedelta(minutes=10)
    works.portal.tasks.drop(first[0])
    late = close(works.portal, FRIDAY + timedelta(minutes=5))
    assert [row.gone for row in works.take().weeks] == [0]
    assert {row[0] for row in works.saved()} == {*first, late}
    assert [row.gone for row in works.take().weeks] == [1]
    assert works.true_rows() == works.saved()


def test_a_run_begun_by_one_who_sees_a_part_marks_nothing_gone_when_an_administrator_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first half may have missed what is there."""
    works = new_collector(tmp_path)
    for number in range(300):
        close(works.portal, FRIDAY - timedelta(minutes=number), creator=1 + number % 2)
    works.take()
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 3)
    works.portal.owner.admin = False
    with pytest.raises(Killed), killed_at(works.portal, 2):
        works.take()
    works.portal.owner.admin = True
    assert (works.take().complete, len(works.saved())) == (False, 300)


REQUESTS = 4
KINDS = ("limit", "operating", "html", "half", "half_batch", "cut_before", "cut_after", "unreachable", "error")


def fault(kind: Any, number: int, times: int) -> Fault:
    values: dict[str, Any] = {"drop": 4, "executed": True} if kind == "half_batch" else {}
    if kind == "error":
        values = {"code": "INTERNAL_SERVER_ERROR", "status": 500, "method": "tasks.task.list", "skip": number}
        return Fault(kind, times=times, **values)
    if kind == "operating":
        return Fault(kind, method="tasks.task.list", skip=number, times=times)
    return Fault(kind, skip=number - 1, times=times, **values)


@pytest.mark.parametrize("times", [1, 12])
@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
@pytest.mark.parametrize("kind", KINDS)
def test_trouble_at_any_request_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, number: int, times: int
) -> None:
    """A short one is waited out; a long one ends in "try later", and a later run goes on."""
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 6)
    works = new_collector(tmp_path, people=120)
    for count in range(700):
        close(works.portal, FRIDAY - timedelta(minutes=15 * count), responsible=2 + count % 120)
    works.portal.faults.add(fault(kind, number, times))
    for _run in range(8):
        try:
            result = works.take()
            break
        except errors.PortalBusy as error:
            assert error.exit_status == 75
            works.clock.now += timedelta(minutes=5)
    assert len(works.portal.log) >= REQUESTS
    assert works.true_rows(works.week("2026-W46").start) == works.saved()
    assert sum(row.new for row in result.weeks) == len(works.saved())
    assert works.query("SELECT count(*) FROM people") == [(121,)]
    assert [row.gone for row in result.weeks] == [0, 0]


def test_a_batch_too_long_for_the_portal_is_asked_in_smaller_ones(tmp_path: Path) -> None:
    """A full batch that is cut again and again is followed by one of a dozen commands."""
    works = new_collector(tmp_path)
    for number in range(3_000):
        close(works.portal, FRIDAY - timedelta(minutes=number))
    handle = works.portal.handle

    def slow(*arguments: Any, **named: Any) -> Any:
        if arguments[4].count(b"tasks.task.list") > 20:
            works.portal.faults.add(Fault("html", status=504))
        return handle(*arguments, **named)

    works.portal.handle = slow  # type: ignore[method-assign]
    result = works.take([works.week("2026-W46"), works.week("2026-W47")])
    assert works.true_rows(works.week("2026-W46").start) == works.saved()
    assert (result.complete, result.requests) == (True, 19)  # with the open tasks that changed


def test_a_portal_that_is_down_leaves_no_trace(tmp_path: Path) -> None:
    """The next run begins where this one did."""
    works = new_collector(tmp_path)
    works.portal.faults.add(Fault("unreachable", times=1000))
    with pytest.raises(errors.PortalBusy):
        works.take()
    assert works.query("SELECT count(*) FROM snapshot_runs") == [(0,)]


def test_the_portals_limit_of_two_requests_a_second_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year in fifty requests: none is refused, the clock says how long that takes."""
    monkeypatch.setattr(snapshot, "MOST_COMMANDS", 3)
    works = a_company(tmp_path, rate_limit=True)
    works.options["rate_limiter"] = RateLimiter(None, clock=works.clock.time, sleep=works.clock.sleep)
    result = works.since(*SINCE)
    assert result.requests > 50
    assert {entry.outcome for entry in works.portal.log} == {"ok"}
    assert sum(works.clock.slept) < result.requests / 2
    assert works.true_rows(works.week("2026-W01").start) == works.saved()


def test_a_slow_portal_is_waited_for(tmp_path: Path) -> None:
    """Fifty pages may take it most of the minute that it has; it may do one thing after the other."""
    works = a_company(tmp_path, sleep=lambda seconds: works.clock.sleep(seconds))
    works.portal.faults.add(Fault("slow", delay_s=55, times=100))
    handle, at_once, most = works.portal.handle, 0, 0

    def watched(*args: Any, **more: Any) -> Any:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        try:
            return handle(*args, **more)
        finally:
            at_once -= 1

    works.portal.handle = watched  # type: ignore[method-assign]
    result = works.since(*SINCE)
    assert (most, works.clock.slept) == (1, [55] * result.requests)
    assert works.true_rows(works.week("2026-W01").start) == works.saved()


SERVER = """
import sys
from datetime import UTC, datetime
from b24tools.sandbox import server
from tests.bench.company import big_company
people, tasks = map(int, sys.argv[1:])
portal = big_company(lambda: datetime.now(UTC), people=people, tasks=tasks, secret="killkillkillkill")
with server.serve(portal) as url:
    print(portal.webhook_url(url), flush=True)
    sys.stdin.readline()
    import json
    from tests.support.snapshots import label_of
    from tests.support.orders import MOSCOW
    closed = [label_of(task.closed_at, MOSCOW) for task in portal.tasks if task.status == 5]
    print(json.dumps({week: closed.count(week) for week in sorted(set(closed))}), flush=True)
    sys.stdin.readline()
"""


@contextmanager
def a_portal_of_its_own(people: int, tasks: int) -> Iterator[subprocess.Popen[str]]:
    """A sandbox in another process: its first line is the webhook's address; a line sent asks for the true counts."""
    command = [sys.executable, "-c", SERVER, str(people), str(tasks)]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as server:
        try:
            yield server
        finally:
            server.kill()


def true_counts(server: subprocess.Popen[str]) -> dict[str, int]:
    assert server.stdin and server.stdout
    server.stdin.write("\n")
    server.stdin.flush()
    return dict(json.loads(server.stdout.readline()))


def start(folder: Path, url: str, *arguments: str) -> subprocess.Popen[str]:
    """The program itself."""
    env = os.environ | {"BITRIX_WEBHOOK_URL": url, "B24_DATA_DIR": str(folder), "B24_LANG": "en"}
    command = [sys.executable, "-m", "b24tools", "snapshot", "--json", *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_sigkill_leaves_a_database_that_the_next_run_completes(tmp_path: Path) -> None:
    """The process itself, at moments spread over its work."""
    chance = random.Random(9)
    since = f"{datetime.now().astimezone() - timedelta(days=300):%Y-%m-%d}"
    with a_portal_of_its_own(300, 10_000) as server:
        assert server.stdout
        url = server.stdout.readline().strip()
        database = tmp_path / "b24tools.db"
        for _kill in range(6):
            run = start(tmp_path, url, "--since", since)
            while not database.is_file() and run.poll() is None:
                time.sleep(0.01)
            time.sleep(chance.random() * 0.8)
            run.kill()
            run.communicate()
        run = start(tmp_path, url, "--since", since)
        answer = json.loads(run.communicate()[0])
        truth = true_counts(server)
    assert (run.returncode, answer["ok"]) == (0, True)
    assert {week["week"]: week["tasks"] for week in answer["data"]} == {
        week["week"]: truth.get(week["week"], 0) for week in answer["data"]
    }
    assert {week["complete"] for week in answer["data"]} == {True}


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss has other units, or is not there")
def test_a_big_company_takes_few_requests_and_little_memory(tmp_path: Path) -> None:
    """5,000 people, 10,000 tasks: a week in six requests, then one; a year in ten; less than 200 MB.

    `python -m tests.bench` has 100,000 tasks, in sixty requests.
    """
    since = f"{datetime.now().astimezone() - timedelta(days=364):%Y-%m-%d}"
    with a_portal_of_its_own(5_000, 10_000) as server:
        assert server.stdout
        url = server.stdout.readline().strip()
        answers = [measured(tmp_path, url), measured(tmp_path, url), measured(tmp_path, url, "--since", since)]
        truth = true_counts(server)
    assert [answer["people"] for answer, _memory in answers] == [5_001, 0, 0]
    assert [answer["requests"] <= most for (answer, _memory), most in zip(answers, (6, 2, 10), strict=True)] == [
        True
    ] * 3
    assert [memory < 200 for _answer, memory in answers] == [True] * 3, answers
    year = answers[2][0]["tasks"]
    assert len(year) in (53, 54)
    assert year == {week: truth.get(week, 0) for week in year}


# A child's peak begins with that of the process it was forked from, here a test runner of any size: so a
# small process starts it and tells.
TELL = """
import resource, subprocess, sys
status = subprocess.run([sys.executable, "-m", "b24tools", "snapshot", "--json", *sys.argv[1:]]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


def measured(folder: Path, url: str, *arguments: str) -> tuple[dict[str, Any], float]:
    """What a run said, and its largest memory in MB."""
    env = os.environ | {"BITRIX_WEBHOOK_URL": url, "B24_DATA_DIR": str(folder), "B24_LANG": "en"}
    run = subprocess.run([sys.executable, "-c", TELL, *arguments], env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    data = json.loads(run.stdout)["data"]
    tasks = {week["week"]: week["tasks"] for week in data}
    memory = int(run.stderr.split()[-1]) / 1024
    return {"people": data[0]["people"], "requests": data[0]["requests"], "tasks": tasks}, memory
