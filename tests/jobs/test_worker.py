"""The thread that follows events: steps on a clock of ours, and the thread itself."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.bitrix24.client import Client
from b24tools.core import errors
from b24tools.jobs.events import worker as events_worker
from b24tools.jobs.events.worker import Worker
from b24tools.sandbox.faults import Fault
from b24tools.store import Store
from tests.support import events as listening
from tests.support.events import Listener

SOON_S = 20.0


@pytest.fixture
def here(tmp_path: Path) -> Listener:
    return listening.listener(tmp_path / "data")


def worker(here: Listener, **changes: Any) -> Worker:
    """As the server makes it, but quick."""
    values: dict[str, Any] = {"now": here.clock, "gather_s": 0.01, "idle_s": 0.02} | changes
    return Worker(here.store, here.client, here.collector.zone, **values)


@contextmanager
def stepping(here: Listener, **changes: Any) -> Iterator[Callable[[], float]]:
    """Steps by hand; what each said about the time to the next."""
    made = worker(here, idle_s=5.0, **changes)
    with here.store() as opened, here.client() as client:

        def step() -> float:
            here.clock.now += timedelta(seconds=3)
            return made.step(opened, lambda: client)

        yield step


@contextmanager
def running(here: Listener, **changes: Any) -> Iterator[Worker]:
    """The thread."""
    made = worker(here, **changes)
    made.start()
    try:
        yield made
    finally:
        assert made.stop(SOON_S)


def until(reached: Callable[[], bool]) -> None:
    """Wait for the thread."""
    deadline = datetime.now(UTC) + timedelta(seconds=SOON_S)
    while not reached():
        assert datetime.now(UTC) < deadline
        threading.Event().wait(0.01)


def test_a_full_step_is_followed_at_once_and_the_last_one_by_a_pause(here: Listener) -> None:
    """Fifty tasks at a time."""
    for _number in range(60):
        here.new_task()
    here.arrive()
    with stepping(here) as step:
        assert [0.0, 5.0, 5.0] == [step(), step(), step()]
    assert {"done"} == set(here.statuses())


def test_while_the_portal_is_away_the_pauses_grow_and_nothing_is_lost(here: Listener) -> None:
    """Up to five minutes; the first success resets them."""
    here.closed_task()
    here.arrive()
    here.portal.faults.add(Fault("unreachable", times=1000))
    with stepping(here) as step:
        assert [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0] == [step() for _turn in range(8)]
        assert {"waiting"} == set(here.statuses())
        here.portal.faults.clear()
        assert 5.0 == step()
        assert 1 == len(here.counted())
        here.closed_task()
        here.arrive()
        here.portal.faults.add(Fault("unreachable", times=1000))
        assert 5.0 == step()


def test_a_block_whose_end_is_known_is_waited_for(here: Listener) -> None:
    """As far as five minutes."""
    here.closed_task()
    here.arrive()
    with stepping(here) as step:

        def blocked(*_arguments: Any) -> Any:
            raise errors.PortalBusy("blocked", until=here.clock() + timedelta(seconds=100))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(events_worker.process, "process", blocked)
            assert [100.0, 100.0] == [step(), step()]


def test_a_refused_webhook_is_not_asked_for_every_event(here: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """The events fail with the reason, the steps get rarer, and the log has it without the secret."""
    for _number in range(120):
        here.new_task()
    here.arrive()
    secret = here.portal.secret
    with stepping(here) as step:
        here.portal.secret = "another"
        assert [5.0, 10.0] == [step(), step()]
    assert 100 == here.statuses().count("failed")
    assert "INVALID_CREDENTIALS" in caplog.text
    assert secret not in caplog.text


def test_settings_that_are_wrong_stop_nothing(here: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """No webhook is set: the events wait until the next start."""
    here.closed_task()
    here.arrive()

    def client() -> Client:
        raise errors.ConfigError("BITRIX_WEBHOOK_URL is not set")

    made = worker(here)
    with here.store() as opened:
        assert 5.0 == made.step(opened, client)
    assert {"waiting"} == set(here.statuses())
    assert "BITRIX_WEBHOOK_URL is not set" in caplog.text


def test_the_thread_outlives_its_bugs(here: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the traceback; the events are followed afterwards."""
    task_id = here.closed_task()
    here.arrive()
    broken = [True]

    @contextmanager
    def client() -> Iterator[Client]:
        if broken:
            broken.pop()
            raise ZeroDivisionError
        with here.client() as opened:
            yield opened

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events_worker, "FIRST_PAUSE_S", 0.01)
        made = Worker(here.store, client, here.collector.zone, now=here.clock, gather_s=0.01, idle_s=0.02)
        made.start()
        until(lambda: task_id in here.counted())
        assert made.stop(SOON_S)

    assert "ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text


def test_a_store_that_cannot_be_opened_is_tried_again(here: Listener) -> None:
    """The disk was full, or away."""
    task_id = here.closed_task()
    here.arrive()
    broken = [True, True]

    def opening() -> AbstractContextManager[Store]:
        if broken:
            broken.pop()
            raise OSError("no space")
        return here.store()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events_worker, "FIRST_PAUSE_S", 0.01)
        made = Worker(opening, here.client, here.collector.zone, now=here.clock, gather_s=0.01, idle_s=0.02)
        made.start()
        until(lambda: task_id in here.counted())
        assert made.stop(SOON_S)


def test_waking_brings_an_event_into_the_count(here: Listener) -> None:
    """Without waiting for the next look at the table."""
    with running(here, idle_s=1000.0) as made:
        task_id = here.closed_task()
        here.arrive()
        made.wake()
        until(lambda: task_id in here.counted())
        here.do("renew", task_id)
        here.arrive()
        made.wake()
        until(lambda: task_id not in here.counted())


def test_what_another_process_switched_on_is_found_unasked(here: Listener) -> None:
    """`b24tools mode webhook` in a terminal, beside the server."""
    here.switch("polling")
    task_id = here.closed_task()
    here.arrive()
    with running(here):
        threading.Event().wait(0.1)
        assert {} == here.counted()
        here.switch("webhook")
        until(lambda: task_id in here.counted())


def test_after_a_restart_it_goes_on(here: Listener) -> None:
    """From what the table says: no event need be sent again."""
    made = [here.closed_task() for _number in range(3)]
    here.arrive()
    worker(here).stop()
    assert {} == here.counted()

    with running(here):
        until(lambda: set(made) == set(here.counted()))


def test_stopping_waits_for_the_step_and_for_no_pause(here: Listener) -> None:
    """Whatever the pause is."""
    with running(here, idle_s=1000.0, gather_s=1000.0) as made:
        threading.Event().wait(0.05)
        made.wake()
        threading.Event().wait(0.05)
    assert made.stop()


def test_nothing_is_asked_without_events_and_no_client_is_opened(here: Listener) -> None:
    """A server in polling mode costs the portal nothing."""
    opened: list[int] = []

    def client() -> AbstractContextManager[Client]:
        opened.append(1)
        return here.client()  # type: ignore[no-any-return]

    made = Worker(here.store, client, here.collector.zone, now=here.clock, gather_s=0.01, idle_s=0.01)
    made.start()
    threading.Event().wait(0.2)
    assert made.stop(SOON_S)

    assert [] == opened
    assert 0 == here.asked()


def test_old_events_are_forgotten_by_the_way(here: Listener) -> None:
    """With the next ones that are followed."""
    here.closed_task()
    here.follow()
    with stepping(here) as step:
        here.clock.now += timedelta(days=31)
        here.new_task()
        here.arrive()
        step()
    assert ["done"] == here.statuses()


def test_the_log_has_no_secret(here: Listener, caplog: pytest.LogCaptureFixture) -> None:
    """At its most talkative."""
    caplog.set_level(logging.DEBUG)
    here.closed_task()
    here.arrive()
    with stepping(here) as step:
        step()
    assert "events: 2 followed" in caplog.text
    assert here.portal.secret not in caplog.text
    assert listening.TOKEN not in caplog.text
