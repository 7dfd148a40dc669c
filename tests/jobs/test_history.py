"""`history`: what was done for an order and when, by which command and whom."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from b24tools import context
from b24tools.assignment.apply import Writer
from b24tools.assignment.tools import Origin
from b24tools.cli import app
from b24tools.core import config, errors, i18n
from b24tools.jobs import assign, history
from b24tools.onec.order import Order
from b24tools.render.history import data, print_history
from b24tools.sandbox.faults import Fault
from b24tools.store import open_store, read_store
from b24tools.store.history import Entry
from tests.support.orders import MOSCOW, Works, order, rules

ID = "11111111-2222-3333-4444-555555555555"


def send(works: Works, *orders: Order, by: str = "1c@10.0.0.5") -> None:
    """One request with these orders."""
    with works.tools() as tools:
        assign.orders(orders, replace(tools, origin=Origin("POST /", by)), rules())


def found(works: Works, name: str | None = None) -> list[dict[str, Any]]:
    """What `history --json` has."""
    with closing(read_store(works.folder / "b24tools.db")) as opened:
        return data(history.find(opened, name, works.folder), MOSCOW)


def entry(at: str, outcome: str, **more: Any) -> dict[str, Any]:
    """An entry of that Monday."""
    values = {
        "at": f"2026-11-23T{at}+03:00",
        "command": "POST /",
        "order": "1Ц-00000100",
        "outcome": outcome,
        "by": "1c@10.0.0.5",
        "order_id": ID,
        "tasks": [],
        "error": None,
        "times": 1,
        "last_at": f"2026-11-23T{at}+03:00",
    }
    return values | more


def line(outcome: str, task_id: int | None, position: str = "Сварщик") -> dict[str, Any]:
    return {"position": position, "outcome": outcome, "task_id": task_id}


def test_a_second_move_is_an_entry_of_its_own(works: Works) -> None:
    """It went to another place; what stays again and again is one."""
    with works.tools() as tools:
        for outcome in ("moved", "moved", "skipped", "skipped"):
            works.clock.now += timedelta(minutes=1)
            lines = (("Сварщик", outcome, 17),)
            tools.store.history.add(Entry(works.clock.now, "replan", "order-1", "1", outcome, "cron", lines))
        found_entries = [(row.outcome, row.times) for row in tools.store.history.of_order("order-1")]
    assert [("moved", 1), ("moved", 1), ("skipped", 2)] == found_entries


def test_all_that_was_done_for_an_order_is_shown(works: Works) -> None:
    """Made, sent again by another caller, changed, three times in vain, finished; nothing of a dry run."""
    works.assign(order(), dry_run=True)
    works.assign(order())
    (task,) = (task.id for task in works.portal.tasks if task.xml_id)
    send(works, order())
    works.clock.now += timedelta(minutes=5)
    send(works, order([("Сварщик", 90)]))
    works.portal.faults.add(Fault("error", code="ACCESS_DENIED", status=403, times=99))
    for _minute in range(3):
        works.clock.now += timedelta(minutes=1)
        with pytest.raises(errors.PortalError):
            send(works, order([("Сварщик", 120)]))
    works.portal.faults.clear()
    send(works, order([("Сварщик", 90)], done=True), by="1c@10.0.0.6")

    seen = found(works, "1Ц-00000100")
    failed = seen.pop(3)
    assert [
        entry("07:00:00", "created", command="assign", by="", tasks=[line("created", task)]),
        entry("07:00:00", "unchanged"),
        entry("07:05:00", "updated", tasks=[line("updated", task)]),
        entry("07:08:00", "completed", by="1c@10.0.0.6", tasks=[line("completed", task)]),
    ] == seen
    assert (failed["outcome"], failed["times"], failed["at"][11:16], failed["last_at"][11:16]) == (
        "failed", 3, "07:06", "07:08",
    )  # fmt: skip
    assert failed["error"]
    assert found(works) == found(works, ID) == found(works, f" {{{ID.upper()}}} ")


def test_a_line_that_failed_is_named_with_the_reason(works: Works) -> None:
    """Beside those that were made."""
    works.assign(order([("Сварщик", 60), ("Космонавт", 5)]))
    (seen,) = found(works)
    assert ("partial", "failed") == (seen["outcome"], seen["tasks"][1]["outcome"])
    assert seen["error"].startswith('there is no department "Космонавт"')


def test_a_number_is_found_in_another_letter_case(works: Works) -> None:
    """As people type it, unless two orders differ in that alone."""
    works.assign(order())
    expected = found(works, "1Ц-00000100")
    assert 1 == len(expected)
    assert expected == found(works, " 1ц–00000100")
    works.assign(order(id="2", number="1ц-00000100"))
    assert expected == found(works, "1Ц-00000100")
    with pytest.raises(errors.ConfigError, match="several orders have the number") as several:
        found(works, "1ц–00000100")
    assert "ambiguous" == several.value.code


def test_an_order_that_is_not_known_or_not_the_only_one_is_refused(works: Works) -> None:
    """With the ids, or the folder that was looked in."""
    works.assign(order(), order(id="2"))
    with pytest.raises(errors.ConfigError) as several:
        found(works, "1Ц-00000100")
    with pytest.raises(errors.ConfigError) as unknown:
        found(works, "1Ц-7")
    assert f"several orders have the number 1Ц-00000100: {ID}, 2" == several.value.message
    assert f"nothing was done for an order 1Ц-7 with this data folder: {works.folder}" == unknown.value.message
    assert ("ambiguous", 2, "unknown_order") == (several.value.code, several.value.exit_status, unknown.value.code)


def test_without_an_order_the_last_ones_are_shown(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done again counts by its last time."""
    monkeypatch.setattr(history, "LISTED", 2)
    with closing(open_store(works.folder / "b24tools.db")) as opened:
        for minute, number in enumerate(("1", "2", "3", "1")):
            at = works.clock() + timedelta(minutes=minute)
            opened.history.add(Entry(at, "assign", number, number, "unchanged", "root"))
    assert [("3", 1), ("1", 2)] == [(row["order"], row["times"]) for row in found(works)]


def test_people_read_it_as_a_table(works: Works, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for what was done again and again; of a run that was cut what it had done is told from its plan."""
    now = works.clock()
    made = (("Сварщик", "created", 69), ("Космонавт", "failed", None))
    again = now + timedelta(hours=1)
    entries = [
        Entry(now, "assign", ID, "1Ц-00000100", "partial", "root", made, "there is no such department", 60, again),
        Entry(again, "POST /", ID, "1Ц-00000100", "unchanged", "1c@10.0.0.5"),
        Entry(again, "replan", ID, "1Ц-00000100", "cut", "root", (("А", "moved", 7), ("Б", "planned", 8))),
    ]
    with i18n.speaking("en"):
        print_history(entries, MOSCOW, now)
    assert (
        "When            Order        Command  By           Outcome\n"
        "23.11 07:00:00  1Ц-00000100  assign   root         partly failed: Сварщик #69, Космонавт"
        " - there is no such department (60 times until 23.11 08:00:00)\n"
        "23.11 08:00:00  1Ц-00000100  POST /   1c@10.0.0.5  unchanged\n"
        "23.11 08:00:00  1Ц-00000100  replan   root         cut off: А #7, Б #8 (plan)\n"
    ) == capsys.readouterr().out


def test_a_long_number_does_not_widen_the_other_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody took a comment for a number."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    entries = [Entry(now, "assign", name, name, "created", "root") for name in ("1", "2" * 1000)]
    print_history(entries, MOSCOW, now)
    assert [45, 45, 1040] == [len(line) for line in capsys.readouterr().out.splitlines()]


def test_the_command_prints_it(
    works: Works, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object with --json, exit status 2 for what is not there, a remark where nothing is."""
    monkeypatch.setenv("B24_DATA_DIR", str(works.folder))
    monkeypatch.setenv("B24_LANG", "en")
    monkeypatch.setattr(context, "now", works.clock)
    assert 0 == app.main(["history"])
    place = config.load().database_place  # the folder, or the schema on a server
    assert ("", f"No order was sent yet with the data folder {place}.\n") == capsys.readouterr()
    works.assign(order())
    assert 0 == app.main(["history", "1Ц-00000100", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert ("history", found(works)) == (answer["command"], answer["data"])
    assert 2 == app.main(["history", "1Ц-7", "--json"])
    assert "unknown_order" == json.loads(capsys.readouterr().out)["error"]["code"]


@pytest.mark.sqlite
def test_orders_of_before_are_there_with_their_last_time(tmp_path: Path) -> None:
    """An update of b24tools does not begin with nothing."""
    import sqlite3

    from sqlite_utils import Database

    from b24tools.store import migrations

    path = tmp_path / "b24tools.db"
    with closing(sqlite3.connect(path)) as connection:
        migrations.make_set().apply(Database(connection), stop_before="m007_order_history")
        connection.execute(
            "INSERT INTO orders (id, number, first_sent_at, last_sent_at, outcome) VALUES"
            " ('a', '1', '2026-11-20T08:00:00+00:00', '2026-11-21T08:00:00+00:00', 'created'),"
            " ('b', '2', '2026-11-20T08:00:00+00:00', '2026-11-20T08:00:00+00:00', NULL)"
        )
        connection.commit()
    with closing(open_store(path)) as opened:
        (seen,) = data(opened.history.last(9), MOSCOW)
    assert ("2026-11-21T11:00:00+03:00", "1", "created", "assign", "") == (
        seen["at"], seen["order"], seen["outcome"], seen["command"], seen["by"],
    )  # fmt: skip


def test_the_history_says_that_1c_has_cancelled_an_order_and_taken_it_up_again(works: Works) -> None:
    """Also where nothing could be put off, because it is begun; what is sent once more is as it was."""
    two = [("Сварщик", 60.0), ("Монтажник", 60.0)]
    send(works, order(two))
    begun, other = (task.id for task in works.portal.tasks if task.xml_id)
    for called_off in (True, True, False):
        send(works, order(two, called_off=called_off))
    works.portal.act("tasks.task.start", {"taskId": begun}, user_id=1)
    works.portal.act("tasks.task.start", {"taskId": other}, user_id=1)
    for called_off in (True, False):
        send(works, order(two, called_off=called_off))
    lines = [line("updated", begun), line("updated", other, "Монтажник")]
    expected = [("cancelled", lines), ("unchanged", []), ("renewed", lines), ("cancelled", []), ("renewed", [])]
    assert expected == [(entry["outcome"], entry["tasks"]) for entry in found(works)[1:]]
    send(works, order(two, called_off=True))
    send(works, order(two, done=True))
    assert ["cancelled", "completed"] == [entry["outcome"] for entry in found(works)[-2:]]


def test_what_1c_cancels_or_takes_up_is_said_once_it_is_done(works: Works) -> None:
    """The portal refused a part of it at first."""
    two = [("Сварщик", 60.0), ("Монтажник", 60.0)]
    send(works, order(two))
    for method, called_off in (("tasks.task.defer", True), ("tasks.task.renew", False)):
        works.portal.faults.add(Fault("error", method=method, status=400))
        for _time in range(3):
            send(works, order(two, called_off=called_off))
    outcomes = [entry["outcome"] for entry in found(works)]
    assert ["created", "partial", "cancelled", "unchanged", "partial", "renewed", "unchanged"] == outcomes


def test_a_run_that_stops_says_what_it_has_made(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock was lost after the tasks were made: the next run finds nothing new to say of them."""
    with monkeypatch.context() as patch, pytest.raises(errors.Busy):
        patch.setattr(Writer, "_approve", Mock(side_effect=errors.Busy("the lock was lost")))
        send(works, order())
    (task,) = (task.id for task in works.portal.tasks if task.xml_id)
    send(works, order())
    failed = entry("07:00:00", "partial", tasks=[line("created", task)], error="the lock was lost")
    assert [failed, entry("07:00:00", "unchanged")] == found(works)


def test_what_was_begun_in_vain_takes_no_entry_of_another_order(works: Works) -> None:
    """The transaction in which it was noted was undone, and its number was given again."""
    with works.tools() as tools:
        history_ = tools.store.history
        first, second = (Entry(works.clock.now, "assign", number, number, "cut", "") for number in ("1", "2"))
        with suppress(ZeroDivisionError), tools.store.transaction():
            history_.begin(second)
            raise ZeroDivisionError
        history_.add(replace(first, outcome="failed"))
        history_.add(replace(second, outcome="failed"))
        assert ["1", "2"] == [entry.number for entry in history_.last(9)]
