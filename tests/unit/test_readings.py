"""What pages show is read once for all who look, and shown with its age while it cannot be read again."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest

from b24tools.core import errors
from b24tools.server.readings import AGAIN, MOST, SHARED, Reading, Readings
from tests.support.orders import MONDAY, Clock
from tests.support.server import wait_until

SECOND = timedelta(seconds=1)


class Source:
    """Counts how often it is read; `error`: what it raises instead."""

    def __init__(self) -> None:
        self.count = 0
        self.error: errors.B24ToolsError | None = None

    def __call__(self) -> int:
        self.count += 1
        if self.error:
            raise self.error
        return self.count


def test_a_reading_is_shared_for_a_minute() -> None:
    """Then it is read again; who asks for a new one has it after ten seconds."""
    clock, source = Clock(), Source()
    readings = Readings(clock)
    seen = []
    for seconds, fresh in ((0, False), (9, True), (11, False), (11, True), (60, False), (72, False)):
        clock.now = MONDAY + seconds * SECOND
        reading = readings.get("a", source, fresh=fresh)
        seen.append((reading.value, (reading.read_at - MONDAY) // SECOND))
    assert [(1, 0), (1, 0), (1, 0), (2, 11), (2, 11), (3, 72)] == seen
    assert Reading(4, clock.now) == readings.get("b", source)


def test_a_clock_that_is_put_back_does_not_hold_a_reading() -> None:
    """It is read again at once."""
    clock, source = Clock(), Source()
    readings = Readings(clock)
    readings.get("a", source)
    clock.now -= timedelta(days=1)
    assert 2 == readings.get("a", source).value


def test_what_cannot_be_read_again_stays_with_its_age() -> None:
    """And why; it is tried again after ten seconds, not by each who looks."""
    clock, source = Clock(), Source()
    readings = Readings(clock, lambda text: text.replace("secret", "***"))
    readings.get("a", source)
    source.error = errors.PortalBusy("secret is away")
    clock.now += SHARED
    shown = [readings.get("a", source, fresh=fresh) for fresh in (False, True, False)]
    assert [Reading(1, MONDAY, "It could not be read again: *** is away")] * 3 == shown
    assert 2 == source.count
    source.error = None
    clock.now += AGAIN
    assert Reading(3, MONDAY + SHARED + AGAIN) == readings.get("a", source)


def test_without_any_reading_the_error_is_shown_to_all() -> None:
    """For ten seconds."""
    clock, source = Clock(), Source()
    readings = Readings(clock)
    source.error = errors.PortalBusy("away")
    for _time in range(3):
        with pytest.raises(errors.PortalBusy, match="away"):
            readings.get("a", source)
    assert 1 == source.count
    clock.now += AGAIN
    source.error = None
    assert 2 == readings.get("a", source).value


def test_who_asks_meanwhile_has_the_last_reading_or_waits_for_the_first() -> None:
    """Nothing is read twice at once."""
    clock = Clock()
    readings = Readings(clock)
    reading, go_on = threading.Event(), threading.Event()
    count = 0

    def read() -> int:
        nonlocal count
        count += 1
        reading.set()
        assert go_on.wait(10)
        return count

    def ask(values: list[int]) -> threading.Thread:
        thread = threading.Thread(target=lambda: values.append(readings.get("a", read).value))
        thread.start()
        return thread

    values: list[int] = []
    first = ask(values)
    assert reading.wait(10)
    second = ask(values)
    go_on.set()
    first.join(10), second.join(10)
    assert [1, 1] == values
    clock.now += SHARED
    reading.clear(), go_on.clear()
    third = ask(values)
    assert reading.wait(10)
    assert 1 == readings.get("a", read).value
    go_on.set()
    third.join(10)
    assert [1, 1, 2] == values


def test_nobody_waits_long_for_a_portal_that_is_silent() -> None:
    """The last reading is shown with its age, or the silence is the error; the reading goes on, and is shown then."""
    clock, source = Clock(), Source()
    readings = Readings(clock)
    go_on = threading.Event()

    def read() -> int:
        assert go_on.wait(10)
        return source()

    silence = r"no complete answer from the portal for \d+ s"
    for _time in range(2):
        with pytest.raises(errors.PortalBusy, match=silence):
            readings.get("a", read, wait_s=0)
    go_on.set()
    assert Reading(1, MONDAY) == readings.get("a", read)
    go_on.clear()
    clock.now += SHARED
    shown = [readings.get("a", read, fresh=fresh, wait_s=0) for fresh in (False, True)]
    assert [(1, MONDAY)] * 2 == [(reading.value, reading.read_at) for reading in shown]
    assert all(re.fullmatch(f"It could not be read again: {silence}", reading.problem) for reading in shown)
    go_on.set()
    wait_until(lambda: readings.get("a", read, wait_s=0) == Reading(2, MONDAY + SHARED))


def test_a_portal_that_answers_slowly_is_waited_for() -> None:
    """Longer than one that says nothing at all."""
    answers, go_on = [0], threading.Event()
    readings = Readings(Clock(), count_answers=lambda: answers[0])

    def read() -> str:
        assert go_on.wait(10)
        return "all"

    with pytest.raises(errors.PortalBusy):
        readings.get("a", read, wait_s=0)
    answers[0] = 1
    threading.Timer(0.05, go_on.set).start()
    assert "all" == readings.get("a", read, wait_s=0).value


def test_what_is_no_problem_of_the_portal_is_raised() -> None:
    """Or logged, where it happens after all have gone."""
    readings = Readings(Clock())
    for _time in range(2):
        with pytest.raises(ZeroDivisionError):
            readings.get("a", lambda: 1 // 0, wait_s=10)


def test_the_readings_of_many_things_do_not_stay_for_ever() -> None:
    """The first go."""
    clock, source = Clock(), Source()
    readings = Readings(clock)
    for name in range(MOST + 1):
        readings.get(str(name), source)
    readings.get(str(MOST), source)
    assert MOST + 1 == source.count
    assert MOST + 2 == readings.get("0", source).value
