"""A run that dies at any point, then the same order again: one task per line, one copy of each file."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import Mock

import pytest

from b24tools.assignment import workspace
from b24tools.onec import order as onec_order
from b24tools.store.history import History
from tests.support.crash import (
    LETTER,
    Killed,
    assert_sent_again_changes_nothing,
    first_send,
    killed_at,
    killed_at_transaction,
    new_works,
    picture,
    second_send,
    send_until_done,
    watch_transactions,
)
from tests.support.orders import MONDAY, Works, order


def _finished() -> onec_order.Order:
    return first_send(done=True)


def _earlier() -> onec_order.Order:
    return order([("Сварщик", 60)], id="22222222-2222-3333-4444-555555555555", files=(LETTER,))


def _new() -> onec_order.Order:
    """Dated after the ledger began, so that its files are uploaded while the portal is read."""
    return first_send(date=MONDAY + timedelta(minutes=3))


@dataclass(frozen=True)
class Case:
    """What is sent, after what, and how many requests and transactions of the ledger an undisturbed run takes."""

    sent: Callable[[], onec_order.Order]
    before: tuple[Callable[[], onec_order.Order], ...]
    requests: int
    transactions: int


CASES = {
    "first": Case(first_send, (), 10, 6),
    "changed": Case(second_send, (first_send,), 5, 4),
    "finished": Case(_finished, (first_send,), 2, 4),
    "warm": Case(_new, (_earlier,), 4, 4),
}
SKEWS_S = (400 * 86400, 600, -600, 30, -30)
EACH_REQUEST = [(name, number) for name, case in CASES.items() for number in range(1, case.requests + 1)]
EACH_TRANSACTION = [(name, number) for name, case in CASES.items() for number in range(1, case.transactions + 1)]


def prepared(name: str, folder: Path, **options: Any) -> Works:
    """The plant without project and folder, after what was sent before."""
    works = new_works(folder, bare=True, **options)
    for earlier in CASES[name].before:
        works.assign(earlier())
        works.clock.now += timedelta(minutes=5)
    works.portal.log.clear()
    return works


@pytest.fixture(autouse=True)
def _one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on beside the reading is done before it: the same requests have the same numbers each time."""

    def run_at_once(work: Callable[[], Any], _name: str) -> Future[Any]:
        result: Future[Any] = Future()
        result.set_result(work())
        return result

    monkeypatch.setattr(workspace, "run_beside", run_at_once)


@cache
def undisturbed(name: str, **options: Any) -> Any:
    """The picture after a run that nothing happened to."""
    with TemporaryDirectory() as folder:
        works = prepared(name, Path(folder), **options)
        works.assign(CASES[name].sent())
        return picture(works.portal)


@pytest.mark.sqlite
@pytest.mark.parametrize("name", CASES)
def test_these_are_all_the_points_a_run_can_die_at(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables below leave out no request and no transaction."""
    works = prepared(name, tmp_path)
    numbers: list[int] = []
    watch_transactions(monkeypatch, lambda number, done: numbers.append(number))
    works.assign(CASES[name].sent())
    assert (CASES[name].requests, CASES[name].transactions) == (len(works.portal.log), numbers[-1])


@pytest.mark.parametrize("keep_xml_id", [True, False], ids=["keys", "no keys"])
@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
@pytest.mark.parametrize(("name", "number"), EACH_REQUEST)
def test_killed_at_any_request_the_next_run_completes_the_work(
    name: str, number: int, executed: bool, keep_xml_id: bool, tmp_path: Path
) -> None:
    """The second run ends as one that nothing happened to, and the third has nothing to do."""
    works = prepared(name, tmp_path, keep_xml_id=keep_xml_id)
    sent = CASES[name].sent()
    with killed_at(works.portal, number, executed=executed):
        works.assign(sent)
    works.clock.now += timedelta(seconds=1)
    assert [0] == [result.exit_status for result in works.assign(sent)]
    assert undisturbed(name, keep_xml_id=keep_xml_id) == picture(works.portal)
    assert_sent_again_changes_nothing(works, sent)


@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
@pytest.mark.parametrize("number", range(1, CASES["first"].requests + 1))
def test_killed_under_a_wrong_clock_the_next_run_with_the_right_one_completes_the_work(
    number: int, executed: bool, tmp_path: Path
) -> None:
    """Exact tasks and exact minutes: both runs plan by the portal's time, and nothing dated ahead is believed."""
    works = prepared("first", tmp_path)
    true, skew = works.clock, SKEWS_S[(number + 3 * executed) % len(SKEWS_S)]
    works.machine_clock = lambda: true() + timedelta(seconds=skew)
    with killed_at(works.portal, number, executed=executed):
        works.assign(first_send())
    works.machine_clock = None
    true.now += timedelta(seconds=1)
    assert [0] == [result.exit_status for result in works.assign(first_send())]
    assert undisturbed("first") == picture(works.portal)
    assert_sent_again_changes_nothing(works, first_send())


@pytest.mark.parametrize("done", [True, False], ids=["after", "before"])
@pytest.mark.parametrize(("name", "number"), EACH_TRANSACTION)
def test_killed_at_any_write_to_the_ledger_the_next_run_completes_the_work(
    name: str, number: int, done: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the ledger knows more or less than the portal."""
    works = prepared(name, tmp_path)
    sent = CASES[name].sent()
    with killed_at_transaction(number, monkeypatch, done=done):
        works.assign(sent)
    works.clock.now += timedelta(seconds=1)
    assert [0] == [result.exit_status for result in works.assign(sent)]
    assert undisturbed(name) == picture(works.portal)
    assert_sent_again_changes_nothing(works, sent)


@pytest.mark.parametrize("number", range(1, CASES["first"].requests + 1))
def test_killed_again_and_again_it_ends_all_the_same(number: int, tmp_path: Path) -> None:
    """Three runs die one after the other, each a request further."""
    works = prepared("first", tmp_path)
    for later in range(3):
        with killed_at(works.portal, number + later, executed=later % 2 == 0):
            works.assign(first_send())
        works.clock.now += timedelta(seconds=1)
    send_until_done(works, first_send())
    assert undisturbed("first") == picture(works.portal)


def test_what_a_dead_run_only_planned_does_not_count_as_given_out(tmp_path: Path) -> None:
    """Of equals the one assigned least recently is taken: a plan that came to nothing changes nobody's turn."""
    works = new_works(tmp_path)
    with killed_at(works.portal, 3, executed=False):
        works.assign(order([("Монтажник", 60)]))
    with works.tools() as tools:
        assert {} == tools.store.orders.last_assigned(works.clock())


@pytest.mark.parametrize("keep_xml_id", [True, False], ids=["keys", "no keys"])
@pytest.mark.parametrize("date", [None, timedelta(days=2)], ids=["without a date", "dated ahead"])
def test_an_order_whose_date_says_nothing_is_found_again_too(
    date: timedelta | None, keep_xml_id: bool, tmp_path: Path
) -> None:
    """The title counts from the moment of sending, not only from the order's date."""
    works = new_works(tmp_path, keep_xml_id=keep_xml_id)
    sent = order([("Сварщик", 60), ("Сварщик", 60)], date=date and works.clock.now + date)
    with killed_at(works.portal, 4, executed=True):
        works.assign(sent)
    works.clock.now += timedelta(seconds=1)
    before = picture(works.portal)
    assert 2 == len(before["tasks"])
    assert ["unchanged"] == [result.outcome for result in works.assign(sent)]
    assert before == picture(works.portal)


def test_a_line_dropped_after_the_crash_keeps_its_task_and_is_told_of(tmp_path: Path) -> None:
    """The task was made, though the run that made it never learned of it."""
    works = new_works(tmp_path)
    with killed_at(works.portal, 4, executed=True):
        works.assign(order([("Сварщик", 60), ("Макетчик", 60)]))
    works.clock.now += timedelta(seconds=1)
    (result,) = works.assign(order([("Сварщик", 60)]))
    left = ("the order no longer has this line: its task was left",)
    assert [("Сварщик", "unchanged", ()), ("Макетчик", "unchanged", left)] == [
        (task.position, task.outcome, task.warnings) for task in result.tasks
    ]


def test_a_change_whose_answer_was_lost_can_be_taken_back(tmp_path: Path) -> None:
    """What the ledger remembers is not what the portal has; sent as it was first, the order is written again."""
    works = new_works(tmp_path)
    sent = order([("Сварщик", 60)])
    works.assign(sent)
    before = picture(works.portal)
    with killed_at(works.portal, 2, executed=True):
        works.assign(order([("Сварщик", 120)]))
    assert before != picture(works.portal)
    works.clock.now += timedelta(seconds=1)
    (result,) = works.assign(sent)
    assert ("updated", before) == (result.outcome, picture(works.portal))
    assert_sent_again_changes_nothing(works, sent)


def test_a_task_of_another_order_with_the_same_number_is_not_taken(tmp_path: Path) -> None:
    """On a portal that drops keys the title is all there is, but the ledger knows whose task it is."""
    works = new_works(tmp_path, keep_xml_id=False)
    sent = order([("Сварщик", 60)])
    works.assign(sent)
    other = replace_id(sent, "22222222-2222-3333-4444-555555555555")
    assert ["created"] == [result.outcome for result in works.assign(other)]
    assert 2 == len(picture(works.portal)["tasks"])


def replace_id(sent: onec_order.Order, order_id: str) -> onec_order.Order:
    """The same order under another id."""
    return sent.model_copy(update={"id": order_id})


@pytest.mark.parametrize(("number", "executed"), [(6, True), (6, False), (None, True)])
def test_the_history_knows_of_a_run_that_was_killed(
    number: int | None, executed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was about to make; then what the next run found of that, and what that made itself."""
    works = prepared("first", tmp_path)
    sent = first_send(files=())
    if number is None:
        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(History, "add", Mock(side_effect=Killed))
            works.assign(sent)
    else:
        with killed_at(works.portal, number, executed=executed):
            works.assign(sent)
    planned = [(line.position, "planned", None) for line in sent.lines]
    cut = notes(works)
    works.clock.now += timedelta(minutes=5)
    works.assign(sent)
    tasks = [task.id for task in works.portal.tasks if (task.xml_id or "").startswith("1c:")]
    made = [(line.position, "created", task_id) for line, task_id in zip(sent.lines, tasks, strict=True)]
    assert [("cut", planned if number else made)] == cut
    after = [("created", made)] if number else []
    assert [*cut, *after, *([("unchanged", [])] if executed else [])] == notes(works)


def notes(works: Works) -> list[tuple[str, list[tuple[str, str, int | None]]]]:
    """What the history has of the order."""
    with works.tools() as tools:
        return [(entry.outcome, list(entry.lines)) for entry in tools.store.history.of_order(first_send().id)]
