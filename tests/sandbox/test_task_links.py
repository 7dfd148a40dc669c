"""The sandbox's Gantt links: what may be linked, and what moves along."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbox.client import NOW, Asker, Clock
from tests.sandbox.shop import as_user, shop, update

DENIED = (400, "ACTION_NOT_ALLOWED")
ILLEGAL = (400, "ILLEGAL_NEW_LINK")


@pytest.fixture
def ask() -> Asker:
    """The shop with four tasks of two hours, one after another."""
    return chained(shop(Clock()))


def chained(ask: Asker, count: int = 4) -> Asker:
    """Tasks without links yet."""
    for number in range(count):
        start = NOW + timedelta(hours=2 * number)
        ask.portal.add_task(f"{number}", responsible=3, start_plan=start, end_plan=start + timedelta(hours=2))
    return ask


def link(ask: Asker, before: int, after: int, kind: int = 2) -> Any:
    """A link, by default from finish to start."""
    return ask.result("task.dependence.add", taskIdFrom=before, taskIdTo=after, linkType=kind)


def starts(ask: Asker) -> list[float | None]:
    """Hours from noon to the planned starts."""
    plans = [task.start_plan for task in ask.portal.tasks]
    return [None if plan is None else (plan - NOW.timestamp()) / 3600 for plan in plans]


def at(hours: float) -> str:
    """A time as it is sent."""
    return (NOW + timedelta(hours=hours)).isoformat()


def move(ask: Asker, number: int, start: float, end: float) -> None:
    """New plan dates by REST."""
    update(ask, number, START_DATE_PLAN=at(start), END_DATE_PLAN=at(end))


def test_successors_move_as_far_as_their_predecessor_ends_later(ask: Asker) -> None:
    """Forth and back, with the time between them; it is a change of theirs."""
    assert [link(ask, 1, 2), link(ask, 2, 4)] == [[], []]
    move(ask, 1, 0, 5)
    assert starts(ask) == [0, 5, 4, 9]
    lines = ask.result("tasks.task.history.list", taskId=4)["list"]
    assert [line["field"] for line in lines] == ["NEW", "START_DATE_PLAN", "END_DATE_PLAN"]
    move(ask, 1, 0, 1)
    assert starts(ask) == [0, 1, 4, 5]


@pytest.mark.parametrize(("kind", "second"), [(0, 3), (1, 3), (2, 5), (3, 5)])
def test_link_hangs_on_the_start_or_the_end(ask: Asker, kind: int, second: float) -> None:
    """The first task begins an hour later and ends three hours later."""
    link(ask, 1, 2, kind)
    move(ask, 1, 1, 5)
    assert starts(ask) == [1, second, 4, 6]


def test_deleted_links_move_nothing_and_neither_does_a_new_one(ask: Asker) -> None:
    """Dates stay where they were."""
    move(ask, 1, 0, 5)
    link(ask, 1, 3)
    assert ask.result("task.dependence.delete", taskIdFrom=1, taskIdTo=3) == []
    move(ask, 1, 0, 9)
    assert starts(ask) == [0, 2, 4, 6]


def test_what_the_user_may_not_move_stays(ask: Asker) -> None:
    """With all that hangs on it."""
    link(ask, 1, 2)
    link(ask, 2, 3)
    link(ask, 1, 4)
    for number in (1, 3, 4):
        ask.portal.set_task(number, allow_change_deadline=True)
    move(as_user(ask, 3), 1, 0, 5)
    assert starts(ask) == [0, 2, 4, 9]


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (3, 1), (1, 1)])
def test_links_stand_once_and_close_no_circle(ask: Asker, before: int, after: int) -> None:
    """In neither direction."""
    link(ask, 1, 2)
    link(ask, 2, 3)
    assert ILLEGAL == ask.error("task.dependence.add", taskIdFrom=before, taskIdTo=after, linkType=2)[:2]


def test_linked_tasks_have_a_planned_end(ask: Asker) -> None:
    """Without one there is no link, and with a link it cannot be taken away."""
    ask.portal.set_task(4, end_plan=None)
    assert ask.error("task.dependence.add", taskIdFrom=1, taskIdTo=4, linkType=2)[:2] == ILLEGAL
    link(ask, 1, 2)
    fields = {"START_DATE_PLAN": "", "END_DATE_PLAN": ""}
    assert ask.error("tasks.task.update", taskId=2, fields=fields)[1] == "ERROR_CORE"
    assert update(ask, 3, **fields)["endDatePlan"] is None


def test_links_need_rights_a_tariff_and_tasks(ask: Asker) -> None:
    """On both ends."""
    call = {"taskIdFrom": 1, "taskIdTo": 2, "linkType": 2}
    assert ask.error("task.dependence.add", **call | {"taskIdTo": 99})[:2] == DENIED
    assert as_user(ask, 3).error("task.dependence.add", **call)[:2] == DENIED
    ask.portal.set_task(1, allow_change_deadline=True)
    assert ask.error("task.dependence.add", **call)[:2] == DENIED
    ask.portal.set_task(2, allow_change_deadline=True)
    assert ask.error("task.dependence.delete", taskIdFrom=1, taskIdTo=2)[:2] == (400, "ILLEGAL_LINK")
    assert ask.result("task.dependence.add", **call) == []
    as_user(ask, 1).portal.small_tariff = True
    assert ask.error("task.dependence.add", **call)[:2] == DENIED


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(2, 5)), max_size=12), st.integers(0, 40))
def test_all_that_comes_after_a_task_moves_by_the_same_time(pairs: list[tuple[int, int]], hours: int) -> None:
    """Over any links from finish to start, against a plain walk along them; the rest stays."""
    ask = chained(shop(Clock()), 5)
    for before, after in pairs:
        ask.status_and_body("task.dependence.add", taskIdFrom=before, taskIdTo=after, linkType=2)
    reached = {1}
    for _ in range(5):
        reached |= {after for before, after in ask.portal.links if before in reached}
    move(ask, 1, 0, hours)
    expected = [2.0 * number + (hours - 2) * (number + 1 in reached - {1}) for number in range(5)]
    assert starts(ask) == expected
    lengths = [((task.end_plan or 0) - (task.start_plan or 0)) / 3600 for task in ask.portal.tasks]
    assert lengths == [hours, 2, 2, 2, 2]
