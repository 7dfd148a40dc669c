"""The sandbox's Gantt links: what may be linked, and what moves along."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sandbox_door import NOW, Asker, Clock
from tests.sandbox_shop import as_user, shop, update

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


def test_successors_move_when_their_predecessor_takes_longer(ask: Asker) -> None:
    """Each by as much as it would begin too early, with its length; and it is a change of the task."""
    assert [link(ask, 1, 2), link(ask, 2, 3)] == [[], []]
    move(ask, 1, 0, 5)
    assert starts(ask) == [0, 5, 7, 6]
    lines = ask.result("tasks.task.history.list", taskId=3)["list"]
    assert [line["field"] for line in lines] == ["NEW", "START_DATE_PLAN", "END_DATE_PLAN"]
    move(ask, 1, 0, 1)
    assert starts(ask) == [0, 5, 7, 6]


def test_other_links_and_deleted_ones_move_nothing(ask: Asker) -> None:
    """Nor does a task without a plan."""
    link(ask, 1, 2, 0)
    link(ask, 1, 3)
    assert ask.result("task.dependence.delete", taskIdFrom=1, taskIdTo=3) == []
    move(ask, 1, 0, 5)
    assert starts(ask) == [0, 2, 4, 6]


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


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(2, 5)), max_size=12), st.integers(0, 40))
def test_no_successor_begins_before_its_predecessor_ends(pairs: list[tuple[int, int]], hours: int) -> None:
    """Whatever is linked, however long the first takes; lengths stay."""
    ask = chained(shop(Clock()), 5)
    for before, after in pairs:
        ask.status_and_body("task.dependence.add", taskIdFrom=before, taskIdTo=after, linkType=2)
    move(ask, 1, 0, hours)
    plans = {task.id: (task.start_plan or 0, task.end_plan or 0) for task in ask.portal.tasks}
    assert all(plans[after][0] >= plans[before][1] for before, after in ask.portal.links)
    assert [hours, 2, 2, 2, 2] == [(end - start) / 3600 for start, end in plans.values()]
