"""A lane into which work is given out lies as one that is laid anew."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from b24tools.scheduling.calendar import Shift, Timeline, WorkCalendar
from b24tools.scheduling.lane import Lane, OpenTask, PersonTime, Worker

ZONE = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 23, 7, 0, tzinfo=ZONE).astimezone(UTC)
CALENDAR = WorkCalendar(ZONE, (Shift(frozenset(range(1, 6)), 9 * 3600, 18 * 3600, 3600),))


def _work(chance: random.Random, number: int) -> OpenTask:
    """Open work: overdue, begun, in a slot, also at night, waiting, or to be done sometime."""
    start = NOW + timedelta(minutes=30 * chance.randrange(-40, 400))
    end = start + timedelta(minutes=30 * chance.randrange(1, 20))
    left_s = chance.randrange(300, 20_000, 300)
    task = OpenTask(number, 1, left_s, start, end, ours=chance.random() < 0.7, begun=chance.random() < 0.1)
    task = replace(task, by_hand=chance.random() < 0.5)
    waits_until = start + timedelta(hours=chance.randrange(1, 30))
    return replace(task, not_before=waits_until) if chance.random() < 0.1 else task


@pytest.mark.parametrize("seed", range(20))
def test_work_given_out_lies_where_a_new_lane_has_it(seed: int) -> None:
    """It moves nothing, also not the slots outside the working hours."""
    chance = random.Random(seed)
    away = ((NOW + timedelta(days=2), NOW + timedelta(days=3)),) if seed % 3 == 0 else ()
    worker = Worker(1, "P", away, rate=Fraction(3, 2) if seed % 4 == 0 else Fraction(1))
    time = PersonTime(worker, Timeline(CALENDAR, (), NOW), 300)
    lane = Lane(time, [_work(chance, number) for number in range(1, 25)])
    for number in range(1, 12):
        length_s = chance.randrange(300, 30_000, 300)
        _rank, offer = lane.layout.offer(length_s, chance.randrange(0, 200_000, 300))
        assert offer.start and offer.finish
        lane.give((offer.start, offer.finish), length_s, -number)
        anew = Lane(PersonTime(worker, Timeline(CALENDAR, (), NOW), 300), ())
        anew.restore((lane.save()[0], (2, number), None))
        assert _picture(anew) == _picture(lane)


def _picture(lane: Lane) -> tuple[object, ...]:
    layout = lane.layout
    gaps = [layout.gap_end(3600, position) for position in range(0, 300_000, 3600)]
    slots = layout.slots_between(NOW, NOW + timedelta(days=30))
    return layout.spans, layout.tie, layout.load(20), layout.list_tasks(), slots, gaps, layout.offer(7200, 0)
