"""Sending that dies at any point, then the same again: no notification twice, a chat message once at most."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from b24tools.store import messages
from tests.support.crash import killed_at, killed_at_transaction, new_works, watch_transactions
from tests.support.messages import ALL, follow, received, send, states
from tests.support.orders import MOSCOW, Works, order

REQUESTS, TRANSACTIONS = 2, 5
PRESENCE, SENDING = 1, 2  # the requests: who is at work, and the messages
BOOKING = 4  # the transaction after which a message may have left


def prepared(folder: Path, *, tags: bool) -> Works:
    """An order for three people, and a digest that waits for its chat."""
    works = new_works(folder, tags_by_webhook=tags)
    works.clock.now = datetime(2026, 11, 23, 9, 30, tzinfo=MOSCOW)
    follow(works)
    works.assign(order([("Сварщик", 60), ("Макетчик", 60), ("Монтажник", 60)]))
    works.portal.new_chat(works.portal.owner_id)
    with works.tools() as tools:
        tools.store.messages.plan("digest:chat1", messages.DIGEST, {"text": "x"}, works.clock(), chat=chat(works))
        tools.directory.company(with_files=False)
    works.portal.log.clear()
    return works


def chat(works: Works) -> str:
    """The chat that the webhook's owner is in."""
    return f"chat{max(works.portal.chats)}"


def run_again(works: Works) -> None:
    """The next commands of cron: at once, and when the request that was cut cannot be under way any more."""
    for pause in (timedelta(seconds=1), timedelta(minutes=3), timedelta(minutes=3)):
        works.clock.now += pause
        send(works)


def counts(works: Works) -> Counter[tuple[str, str]]:
    """How often each text stands where."""
    owner = f"notify{works.portal.owner_id}"
    assert owner not in {dialog for dialog, _text in received(works)}  # what was tried out is deleted
    return Counter(received(works))


@cache
def undisturbed() -> Counter[tuple[str, str]]:
    """All that is sent where nothing happens."""
    with TemporaryDirectory() as folder:
        works = prepared(Path(folder), tags=True)
        send(works)
        return counts(works)


def test_these_are_all_the_points_it_can_die_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four messages, each once; the tables below leave out no request and no transaction."""
    works = prepared(tmp_path, tags=True)
    numbers: list[int] = []
    with monkeypatch.context() as patch:
        watch_transactions(patch, lambda number, done: numbers.append(number))
        send(works, ALL)
    assert (REQUESTS, TRANSACTIONS) == (len(works.portal.log), numbers[-1])
    assert [1] * 4 == list(counts(works).values())
    assert {"done"} == {state for _to, state in states(works)}


@pytest.mark.parametrize("tags", [True, False], ids=["tags replace", "no tags"])
@pytest.mark.parametrize("executed", [True, False], ids=["executed", "not executed"])
@pytest.mark.parametrize("number", [PRESENCE, SENDING])
def test_killed_at_any_request_nothing_is_said_twice(number: int, executed: bool, tags: bool, tmp_path: Path) -> None:
    """Nothing is lost where it can be repeated; where it cannot, what may have arrived is not."""
    works = prepared(tmp_path, tags=tags)
    with killed_at(works.portal, number, executed=executed):
        send(works)
    run_again(works)
    expected = dict(undisturbed())
    if number == SENDING and not executed:
        expected = {key: 1 for key in expected if key[0] != chat(works) and tags}
    assert expected == dict(counts(works))
    assert {"done", "unknown"} >= {state for _to, state in states(works)}


@pytest.mark.parametrize("tags", [True, False], ids=["tags replace", "no tags"])
@pytest.mark.parametrize("done", [True, False], ids=["saved", "not saved"])
@pytest.mark.parametrize("number", range(1, TRANSACTIONS + 1))
def test_killed_at_any_booking_nothing_is_said_twice(
    number: int, done: bool, tags: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Booked but not sent is as if it had been sent: only a notification can be repeated."""
    works = prepared(tmp_path, tags=tags)
    with killed_at_transaction(number, monkeypatch, done=done):
        send(works)
    run_again(works)
    expected = dict(undisturbed())
    if (number, done) == (BOOKING, True):
        expected = {key: 1 for key in expected if key[0] != chat(works) and tags}
    assert expected == dict(counts(works))
