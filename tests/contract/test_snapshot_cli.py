"""`b24tools snapshot` and `mode` at the command line: what is said, where, and with which status."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core import config, locks
from b24tools.sandbox import server
from b24tools.sandbox.state import Portal
from b24tools.store import database as store_database
from tests.support.orders import Clock
from tests.support.snapshots import FRIDAY, change_rows, close, new_portal

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A Friday."""
    clock = Clock(FRIDAY)
    monkeypatch.setattr(context, "now", clock)
    return clock


@pytest.fixture
def portal(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """Three tasks closed this week, one the week before; on a port, and in the settings."""
    portal = new_portal(clock)
    for days in (0, 1, 2, 9):
        close(portal, FRIDAY - timedelta(days=days))
    with server.serve(portal) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url(url))
        yield portal


@pytest.fixture
def b24tools(capsys: pytest.CaptureFixture[str], clock: Clock) -> Run:
    """Run the program: status, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        clock.now += timedelta(seconds=2)
        status = app.main(arguments)
        return status, *capsys.readouterr()

    return run


def test_a_line_per_week_says_what_was_done(portal: Portal, b24tools: Run) -> None:
    """On stdout; -q silences it, -v adds the requests."""
    assert b24tools("snapshot") == (
        0,
        "2026-W46: 1 closed task (new 1, changed 0, gone 0)\n2026-W47: 3 closed tasks (new 3, changed 0, gone 0)\n",
        "",
    )
    assert b24tools("-q", "snapshot") == (0, "", "")
    assert b24tools("-q", "snapshot", "--since", "2026-01-01") == (0, "", "")
    portal.tasks.drop(1)
    status, out, err = b24tools("-v", "snapshot")
    assert (status, out) == (0, "2026-W47: 2 closed tasks (new 0, changed 0, gone 1)\n")
    assert "requests to the portal: 1\n" in err
    assert b24tools("snapshot", "--since", "2026-01-01")[1] == (
        "2026-W01 - 2026-W47: 3 closed tasks (new 0, changed 0, gone 0)\n"
    )


def test_json_has_an_object_per_week(portal: Portal, b24tools: Run) -> None:
    """As the contract has it."""
    status, out, err = b24tools("snapshot", "--json")
    assert (status, err) == (0, "")
    common = {"changed": 0, "same": 0, "gone": 0, "complete": True, "people": 4, "requests": 1}
    assert json.loads(out) == {
        "version": 1,
        "command": "snapshot",
        "ok": True,
        "data": [
            {
                "week": "2026-W46",
                "from": "2026-11-09T00:00:00+03:00",
                "to": "2026-11-16T00:00:00+03:00",
                "tasks": 1,
                "new": 1,
            }
            | common,
            {
                "week": "2026-W47",
                "from": "2026-11-16T00:00:00+03:00",
                "to": "2026-11-23T00:00:00+03:00",
                "tasks": 3,
                "new": 3,
            }
            | common,
        ],
        "warnings": [],
        "error": None,
    }


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        (["--week", "2026-W46"], ["2026-W46"]),
        (["--week", "2026-w5"], ["2026-W05"]),
        (["--since", "2026-11-01"], ["2026-W44", "2026-W45", "2026-W46", "2026-W47"]),
        (["--since", "2026-11-20"], ["2026-W47"]),
        (["--since", "20.11"], ["2026-W47"]),
        (["--reconcile"], ["2026-W46", "2026-W47"]),
    ],
)
def test_options_choose_the_weeks(portal: Portal, b24tools: Run, options: list[str], labels: list[str]) -> None:
    """One, every one from a day on, or this and the one before."""
    b24tools("snapshot")
    data = json.loads(b24tools("snapshot", "--json", *options)[1])["data"]
    assert [week["week"] for week in data] == labels


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--week", "47"], '"47" is not a period'),
        (["--week", "2026-11"], '--week "2026-11" is not a week'),
        (["--week", "2026-W48"], "2026-W48 is not a week that has begun"),
        (["--week", "1970-W01"], "1970-W01 is not a week that has begun"),
        (["--since", "soon"], '"soon" is not a day'),
        (["--since", "2026-11-21"], "--since 2026-11-21: the date is out of range"),
        (["--since", "1970-01-01"], '"1970-01-01" is too far away'),
        (["--week", "2026-W46", "--reconcile"], "--week, --since and --reconcile exclude each other"),
    ],
)
def test_what_cannot_be_meant_is_refused(portal: Portal, b24tools: Run, options: list[str], reason: str) -> None:
    """Status 2, with an example; the portal is not asked."""
    status, out, err = b24tools("snapshot", *options)
    assert (status, out, portal.log) == (2, "", [])
    assert err.startswith(reason)


def test_in_webhook_mode_only_a_reconciliation_reads(portal: Portal, b24tools: Run) -> None:
    """The others say why they do nothing."""
    assert b24tools("mode", "webhook") == (0, "webhook\n", "")
    for options in ([], ["--week", "2026-W46"], ["--since", "2026-01-01"]):
        status, out, err = b24tools("snapshot", *options)
        assert (status, out) == (0, "")
        assert err == (
            "Nothing to do: in webhook mode the portal's events bring the tasks. `b24tools snapshot --reconcile` reads "
            "this week and the one before all the same; others are read after `b24tools mode polling`, and "
            "`b24tools mode webhook` goes back to events.\n"
        )
        assert b24tools("-q", "snapshot", *options) == (0, "", "")
    assert json.loads(b24tools("snapshot", "--json")[1])["data"] == {"skipped": "webhook"}
    assert portal.log == []
    assert len(b24tools("snapshot", "--reconcile")[1].splitlines()) == 2


def test_mode_shows_and_sets(portal: Portal, b24tools: Run) -> None:
    """A shortcut of `config producer_mode`."""
    assert b24tools("mode") == (0, "polling\n", "")
    assert b24tools("mode", "webhook", "--json")[0] == 0
    assert json.loads(b24tools("mode", "--json")[1])["data"] == {"producer_mode": "webhook"}
    assert b24tools("config", "producer_mode")[1] == "producer_mode webhook\n"
    status, out, err = b24tools("mode", "events")
    assert (status, out) == (2, "")
    assert err == 'producer_mode: "events" does not fit. Examples: polling, webhook.\n'


def data_folder() -> Path:
    return Path(os.environ["B24_DATA_DIR"])


def test_a_second_run_says_whose_the_first_is(portal: Portal, b24tools: Run, clock: Clock) -> None:
    """And since when; cron comes again."""
    with locks.hold(data_folder(), "snapshot", 0, clock):
        status, out, err = b24tools("snapshot")
    assert (status, out) == (75, "")
    assert err == (
        f"another run of `b24tools snapshot` is at work: process {os.getpid()}, since 2026-11-20T14:05:00+03:00."
        " Nothing was written; it is safe to try again when it has ended.\n"
    )


def test_a_run_notes_in_the_configured_zone_since_when(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is what the second one tells."""
    monkeypatch.setenv("B24_TZ", "Asia/Yekaterinburg")
    with context.Session(config.load(), print).snapshot_tools():
        note = json.loads((data_folder() / "snapshot.lock.json").read_text(encoding="utf-8"))
    assert note == {"pid": os.getpid(), "since": "2026-11-20T16:05:00+05:00", "command": "snapshot"}


HINT = "B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space."


@pytest.mark.parametrize("command", ["snapshot", "mode webhook", "config hidden_users 7"])
def test_a_database_that_another_program_holds_is_tried_later(
    portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Somebody has begun a change in the SQLite shell and gone for lunch."""
    b24tools("snapshot")
    monkeypatch.setattr(store_database, "BUSY_TIMEOUT_S", 0.05)
    database = data_folder() / "b24tools.db"
    with closing(sqlite3.connect(database)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert b24tools(*command.split()) == (
            75,
            "",
            f"the database {database} cannot be used: database is locked. "
            "Another program is writing to it: end that one, or try again a little later.\n",
        )
        assert b24tools("-q", *command.split()) == (75, "", "")  # the data are young


@pytest.mark.parametrize("command", ["snapshot", "mode webhook", "config hidden_users 7"])
def test_a_full_disk_is_told_in_one_line(
    portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Whose it is, too; the note beside the lock is no reason to stop before the database does."""

    def fail(*_arguments: Any, **_named: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    b24tools("mode")
    monkeypatch.setattr(store_database.Database, "transaction", fail)
    write_text = Path.write_text

    def full(path: Path, text: str, **named: Any) -> int:
        if path.name == "snapshot.lock.json":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_text(path, text, **named)

    monkeypatch.setattr(Path, "write_text", full)
    assert b24tools(*command.split()) == (
        1,
        "",
        f"the database {data_folder() / 'b24tools.db'} cannot be used: database or disk is full. {HINT}\n",
    )


def try_later(clock: Clock, b24tools: Run, *arguments: str) -> tuple[int, str]:
    """A run while another one holds the lock: status, stderr."""
    with locks.hold(data_folder(), "snapshot", 0, clock):
        status, _out, err = b24tools(*arguments)
    return status, err


def test_quiet_says_try_later_only_when_the_data_are_old(portal: Portal, b24tools: Run, clock: Clock) -> None:
    """Cron mails what a person must look at: not a busy moment, but a day without data."""
    assert try_later(clock, b24tools, "-q", "snapshot")[1] != ""  # never collected
    b24tools("snapshot")
    assert try_later(clock, b24tools, "-q", "snapshot") == (75, "")
    assert try_later(clock, b24tools, "snapshot")[1] != ""
    clock.now += timedelta(hours=25, minutes=59)
    assert try_later(clock, b24tools, "-q", "snapshot") == (75, "")
    clock.now += timedelta(minutes=1)
    assert try_later(clock, b24tools, "-q", "snapshot")[1] != ""
    b24tools("config", "snapshot_max_age_h", "48")
    assert try_later(clock, b24tools, "-q", "snapshot") == (75, "")


def test_quiet_is_not_silenced_by_a_run_from_the_future(portal: Portal, b24tools: Run, clock: Clock) -> None:
    """Under a clock that was wrong: the last one that can be dated counts."""
    clock.now += timedelta(days=400)
    b24tools("snapshot")
    clock.now = FRIDAY
    assert try_later(clock, b24tools, "-q", "snapshot")[1] != ""
    assert b24tools("leaderboard", "--max-age", "26h")[0] == 1
    b24tools("snapshot")
    assert try_later(clock, b24tools, "-q", "snapshot") == (75, "")
    assert b24tools("leaderboard", "--max-age", "26h")[0] == 0


def test_what_is_left_out_is_a_warning(portal: Portal, b24tools: Run) -> None:
    """One line for the run, silent with -q; the status stays 0."""

    def change(row: dict[str, Any]) -> None:
        if row["id"] in ("2", "3"):
            row["closedDate"] = "-0001-11-30T00:00:00+02:30"

    change_rows(portal, change)
    warning = "2 closed tasks have no readable closing date and are left out: 2, 3"
    status, out, err = b24tools("snapshot")
    assert (status, out.splitlines()[1], err) == (
        0,
        "2026-W47: 1 closed task (new 1, changed 0, gone 0)",
        f"{warning}\n",
    )
    answer = json.loads(b24tools("snapshot", "--json")[1])
    assert (answer["ok"], answer["warnings"], answer["error"]) == (True, [warning], None)
    assert b24tools("-q", "snapshot") == (0, "", "")


def test_the_rule_holds_for_every_command_and_for_the_portal(
    portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock
) -> None:
    """A portal that is away is as little news as a lock; JSON that was asked for comes all the same."""
    order = tmp_path / "order.json"
    order.write_text(
        json.dumps(
            {
                "ИдентификаторЗаказа": "1",
                "НомерЗаказа": "1",
                "Калькуляция": [{"Должность": "Сварщик", "Время": 60}],
            }
        ),
        encoding="utf-8",
    )
    b24tools("snapshot")
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")
    b24tools("config", "portal_host", "127.0.0.1:1")
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", "http://127.0.0.1:1/rest/1/abcdefgh12345678/")
    for command in (["snapshot"], ["assign", str(order)]):
        status, out, err = b24tools("-q", *command)
        assert (status, out, err) == (75, "", "")
        status, _out, err = b24tools(*command)
        assert status == 75
        assert "cannot connect" in err
        answer = json.loads(b24tools("-q", *command, "--json")[1])
        assert (answer["ok"], answer["error"]["code"]) == (False, "portal_busy")
    clock.now += timedelta(days=2)
    assert "cannot connect" in b24tools("-q", "snapshot")[2]


def test_other_errors_are_never_silent(portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong webhook needs a person, however young the data are."""
    b24tools("snapshot")
    monkeypatch.delenv("BITRIX_WEBHOOK_URL")
    status, _out, err = b24tools("-q", "snapshot")
    assert status == 2
    assert err.startswith("BITRIX_WEBHOOK_URL is not set")


def test_another_portal_does_not_get_into_the_database(
    portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is remembered after the first answer; a rename is told to the program."""
    b24tools("snapshot")
    b24tools("config", "portal_host", "old.bitrix24.ru")
    portal.log.clear()
    status, _out, err = b24tools("snapshot")
    assert (status, portal.log) == (2, [])
    assert err.startswith("the database is about the portal old.bitrix24.ru")


def test_an_owner_who_sees_a_part_is_told(portal: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Status 3 with the mend; with B24_NON_ADMIN=1 a warning for programs, no word for people."""
    portal.owner.admin = False
    status, out, err = b24tools("snapshot")
    assert status == 3
    assert len(out.splitlines()) == 2
    assert err.startswith("the webhook's owner is not an administrator")
    answer: dict[str, Any] = json.loads(b24tools("snapshot", "--json")[1])
    assert (answer["ok"], answer["error"]["code"]) == (False, "denied")
    assert {week["complete"] for week in answer["data"]} == {False}
    monkeypatch.setenv("B24_NON_ADMIN", "1")
    assert b24tools("snapshot")[::2] == (0, "")
    answer = json.loads(b24tools("snapshot", "--json")[1])
    assert (answer["ok"], answer["error"], len(answer["warnings"])) == (True, None, 1)
