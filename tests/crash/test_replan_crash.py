"""A replan that dies at any point, then the same again: every order is moved as a whole, and nothing twice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from b24tools.assignment import replan_writes
from b24tools.core import errors
from b24tools.jobs import orders, replan, why
from b24tools.jobs.replan import Replan, Request
from b24tools.render.orders import describe_line
from b24tools.scheduling.calendar import DAY_OFF
from b24tools.scheduling.calendar_file import OwnDays
from tests.support.crash import killed_at, new_works
from tests.support.orders import MOSCOW, Works, order, rules

REQUESTS = 3


def prepared(folder: Path) -> tuple[Works, int]:
    """Five orders of three operations; the one who has most of the welding falls ill."""
    works = new_works(folder)
    for number in range(5):
        lines = [("Сварщик", 240), ("Монтажник", 120), ("Макетчик", 60)]
        works.assign(order(lines, id=f"order-{number}", number=str(number)))
        works.clock.now += timedelta(minutes=1)
    works.clock.now = datetime(2026, 11, 23, 8, tzinfo=MOSCOW)
    welding = [task for task in works.portal.tasks if task.title.startswith("Сварщик:")]
    owners = [task.responsible for task in welding if (task.xml_id or "").startswith("1c:")]
    ill = max(set(owners), key=owners.count)
    works.portal.add_absence(ill, date(2026, 11, 23), date(2026, 11, 24))
    with works.tools() as tools:  # what is read from the cache takes no request in any of the runs
        tools.directory.company(with_files=False)
    works.portal.log.clear()
    return works, ill


def run(works: Works) -> Replan:
    """One run that does not ask."""
    with works.tools() as tools:
        return replan.write(tools, rules(), Request(), None, None)


def picture(works: Works) -> list[tuple[Any, ...]]:
    """All tasks of orders, as they are planned, and what the ledger has of them."""
    with works.tools() as tools:
        rows = {
            row.task_id: (row.responsible_id, row.start, row.end, row.writing_since, row.sent_values.get("move"))
            for row in tools.store.orders.lines([f"order-{number}" for number in range(5)]).values()
        }
        decided = {task_id: len(tools.store.decisions.find_all(task_id)) for task_id in rows if task_id}
    return [
        (task.id, task.responsible, task.start_plan, task.end_plan, task.status, rows[task.id], decided[task.id])
        for task in works.portal.tasks
        if (task.xml_id or "").startswith("1c:")
    ]


@cache
def undisturbed() -> tuple[list[tuple[Any, ...]], int]:
    """The picture after a run that nothing happened to, and how many requests it took."""
    with TemporaryDirectory() as folder:
        works, _ill = prepared(Path(folder))
        run(works)
        return picture(works), len(works.portal.log)


def test_these_are_all_the_points_it_can_die_at() -> None:
    """Something moves, and the tables below leave out no request."""
    assert REQUESTS == undisturbed()[1]


@pytest.mark.parametrize("pause_s", [1, 90])
@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
def test_killed_at_any_request_the_next_run_completes_the_moves(
    number: int, executed: bool, pause_s: int, tmp_path: Path
) -> None:
    """The portal, the ledger and the decisions are as without the kill; a third run finds nothing to do."""
    works, _ill = prepared(tmp_path)
    with killed_at(works.portal, number, executed=executed):
        run(works)
    works.clock.now += timedelta(seconds=pause_s)
    run(works)
    assert undisturbed()[0] == picture(works)
    writes = len(works.portal.writes())
    assert () == run(works).moves
    assert [] == works.portal.writes()[writes:]


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
def test_an_order_sent_after_the_kill_is_unchanged(executed: bool, tmp_path: Path) -> None:
    """Assign finds out what was moved; what was not is moved by the next replan."""
    works, _ill = prepared(tmp_path)
    with killed_at(works.portal, REQUESTS, executed=executed):
        run(works)
    works.clock.now += timedelta(seconds=1)
    lines = [("Сварщик", 240), ("Монтажник", 120), ("Макетчик", 60)]
    for number in range(5):
        results = works.assign(order(lines, id=f"order-{number}", number=str(number)))
        assert ["unchanged"] == [result.outcome for result in results]
    run(works)
    assert undisturbed()[0] == picture(works)


def test_a_portal_that_is_away_leaves_nothing_half_done(tmp_path: Path) -> None:
    """Unreachable before the first move: an honest failure, and nothing noted."""
    works, _ill = prepared(tmp_path)
    before = picture(works)
    handle = works.portal.handle

    def down(*args: Any, **kwargs: Any) -> Any:
        raise errors.PortalBusy("down")

    works.portal.handle = down  # type: ignore[method-assign]
    with pytest.raises(errors.PortalError):
        run(works)
    works.portal.handle = handle  # type: ignore[method-assign]
    assert before == picture(works)


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
def test_the_history_knows_of_a_run_that_was_killed_while_it_wrote(executed: bool, tmp_path: Path) -> None:
    """What it was about to move, and what of that was done, as the next run sees it; only once."""
    works, _ill = prepared(tmp_path)
    with killed_at(works.portal, REQUESTS, executed=executed):
        run(works)
    cut = {number: notes(works, number) for number in range(5)}
    moved = {number: [(command, "cut", lines) for command, _outcome, lines in cut[number]] for number in cut}
    assert any(cut.values())
    assert moved == cut
    works.clock.now += timedelta(seconds=90)
    result = run(works)
    for number, (killed, *_rest) in ((number, notes) for number, notes in cut.items() if notes):
        moved_tasks = tuple((position, "moved", task) for position, _outcome, task in killed[2])
        assert [killed, ("replan", "moved", moved_tasks)] == notes(works, number)
    assert executed == (not result.planned)


def notes(works: Works, number: int) -> list[tuple[str, str, tuple[tuple[str, str, int | None], ...]]]:
    """What the history has of replans of an order."""
    with works.tools() as tools:
        entries = tools.store.history.of_order(f"order-{number}")
    return [(entry.command, entry.outcome, entry.lines) for entry in entries if entry.command == "replan"]


def stands(works: Works, **said: Any) -> list[tuple[Any, ...]]:
    """How the orders stand, with what is said of their lines, and when that was news."""
    with works.tools() as tools:
        listing = orders.list_orders(tools, rules(**said))
    return [
        (
            order.row.number,
            order.state,
            order.finish,
            order.holds_up,
            [(line.is_moved_by_hand, describe_line(line, MOSCOW, works.clock.now)[0]) for line in order.lines],
            order.row.changed_at,
        )
        for order in listing.orders
    ]


def test_nobody_is_blamed_for_what_a_run_has_moved_that_was_killed(tmp_path: Path) -> None:
    """Orders stand as without the kill; `why` says where the tasks are. That the next run notes it is no news."""
    whole, _ill = prepared(tmp_path / "whole")
    works, ill = prepared(tmp_path / "cut")
    before = stands(works)
    assert before == stands(whole)
    run(whole)
    with killed_at(works.portal, REQUESTS, executed=True):
        run(works)
    after = stands(works)
    assert stands(whole) == after != before
    assert {(False, "not begun")} == {said for _number, *_standing, lines, _news in after for said in lines}
    cut = [row for row in picture(works) if row[5][4]]
    assert {ill} == {noted[0] for _id, _person, _start, _end, _status, noted, _decided in cut}
    with works.tools() as tools:
        now = [why.explain(tools.store, task_id, works.folder).now for task_id, *_rest in cut]
    expected = [(person, works.portal.users[person].name) for _id, person, *_rest in cut]
    assert expected == [(here.responsible_id, here.name.split()[0]) for here in now if here]
    works.clock.now += timedelta(seconds=90)
    assert [] == run(works).planned
    assert after == stands(works)


def test_what_was_moved_without_a_word_keeps_its_work_over_a_day_off(tmp_path: Path) -> None:
    """One that is declared now: the slots that lie there are as b24tools wrote them."""
    off = {"own": OwnDays({date(2026, 11, 24): DAY_OFF})}
    whole, works = (prepared(tmp_path / name)[0] for name in ("whole", "cut"))
    run(whole)
    with killed_at(works.portal, REQUESTS, executed=True):
        run(works)
    assert stands(whole, **off) == stands(works, **off)


def test_what_was_cut_moves_for_the_reason_that_it_still_has(tmp_path: Path) -> None:
    """Its person is away; that the run before was cut says nothing of why. In `why`, too."""
    works, _ill = prepared(tmp_path)
    with killed_at(works.portal, REQUESTS, executed=False):
        run(works)
    works.clock.now += timedelta(seconds=90)
    moved = run(works).planned
    assert moved
    assert {"away"} == {move.reason for move in moved}
    with works.tools() as tools:
        last = [tools.store.decisions.find_all(move.task_id)[0] for move in moved]
    assert {"away"} == {decision.details["cause"] for decision in last}


def test_the_history_knows_how_far_a_run_has_come_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move a request: what the first one has moved is said, though the next run has nothing to find out of it."""
    works, _ill = prepared(tmp_path)
    monkeypatch.setattr(replan_writes, "MOST_COMMANDS", 1)
    with works.tools(dry_run=True) as tools:
        planned = len(replan.plan(tools, rules(), Request()).planned)
    with killed_at(works.portal, REQUESTS + 2, executed=False):
        run(works)
    entries = [entry for number in range(5) for entry in notes(works, number)]
    lines = sorted((line[1], outcome) for _command, outcome, own in entries for line in own)
    assert [("moved", "cut"), *[("planned", "cut")] * (planned - 1)] == lines
    assert planned > 1
