"""Two people of one name: all texts tell which of them is meant; what programs read has their ids anyway."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from b24tools.core.names import mark_namesakes
from b24tools.jobs import replan, today, why
from b24tools.jobs.orders import list_orders
from b24tools.jobs.replan import Request
from b24tools.render import assign as render_assign
from b24tools.render import orders as render_orders
from b24tools.render import replan as render_replan
from b24tools.render import today as render_today
from b24tools.render import why as render_why
from b24tools.render.console import Messenger
from tests.support.orders import MOSCOW, Works, order, rules
from tests.support.plans import person

ROUTE = ("Раскрой", "Сборка")
URL = "https://portal.example"


def at(day: int, hour: int = 0) -> datetime:
    """A moment of November in Moscow; the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, tzinfo=MOSCOW)


@pytest.fixture
def people(works: Works) -> list[int]:
    """Two cutters of one name, and an assembler."""
    root = next(department.id for department in works.portal.departments.values() if department.name == "Производство")
    cutting, assembly = (works.portal.add_department(position, parent=root).id for position in ROUTE)
    homes = (("Козлов", cutting), ("Козлов", cutting), ("Сборщик", assembly))
    return [works.portal.add_user("Виктор", name, departments=[home]).id for name, home in homes]


def lines_of(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed since, with single spaces."""
    return "\n".join(" ".join(line.split()) for line in capsys.readouterr().out.splitlines())


def test_texts_tell_which_of_two_people_of_one_name_is_meant(
    works: Works, people: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever gives out, looks, moves, or asks why; names in what programs read stand beside their ids."""
    first, second, _assembler = people
    sent = order([("Раскрой", 480), ("Сборка", 480)], wanted=at(25))
    (made,) = works.assign(sent, route=ROUTE)
    assert (first, "Виктор Козлов") == made.tasks[0].responsible
    render_assign.print_orders([made], MOSCOW, URL, works.clock.now, Messenger())
    assert f"Раскрой Виктор Козлов (#{first}) 23.11 09:00" in lines_of(capsys)
    works.portal.add_absence(first, date(2026, 11, 23), date(2026, 12, 4))
    (again,) = works.assign(sent, route=ROUTE)
    text = f"Виктор Козлов (#{first}) is away 23.11–04.12, when the task is planned: it is counted as work after that"
    assert (text,) == again.tasks[0].warnings
    assert again.promise is not None and again.promise.bottleneck is not None
    assert f"Виктор Козлов (#{first})" == again.promise.bottleneck.person

    def look() -> tuple[str, Any]:
        with works.tools() as tools:
            listing = list_orders(tools, rules(route=ROUTE), rows=tools.store.orders.list_all())
            day = today.read_today(tools, rules(route=ROUTE), "Сборка", day=date(2026, 12, 8))
        render_orders.print_details(listing, MOSCOW, URL, works.clock.now)
        render_today.print_today(day, MOSCOW)
        return lines_of(capsys), render_orders.data(listing, MOSCOW)["orders"][0]

    shown, answer = look()
    assert f"Раскрой Виктор Козлов (#{first}) 23.11 18:00" in shown
    assert f"Holds it up: Раскрой - Виктор Козлов (#{first}) is away until 04.12" in shown
    assert f"Раскрой, Виктор Козлов (#{first}), 07.12 18:00" in shown
    assert {"id": first, "name": "Виктор Козлов"} == answer["lines"][0]["responsible"]
    assert f"Виктор Козлов (#{first})" == answer["holds_up"]["person"]

    with works.tools() as tools:
        result = replan.write(tools, rules(route=ROUTE), Request(), None, None)
        decision = why.explain(tools.store, made.tasks[0].task_id or 0, works.folder)
    render_replan.print_replan(result, MOSCOW, URL, works.clock.now)
    assert f"Виктор Козлов (#{first}) → Виктор Козлов (#{second})" in lines_of(capsys)
    move = render_replan.data(result, MOSCOW)["moves"][0]
    assert [{"id": id_, "name": "Виктор Козлов"} for id_ in (first, second)] == [
        move[key]["responsible"] for key in ("from", "to")
    ]
    render_why.print_why(decision, MOSCOW)
    assert f"A replan took it from Виктор Козлов (#{first}): the person is away." in lines_of(capsys)
    works.portal.act("tasks.task.delegate", {"taskId": made.tasks[0].task_id, "userId": first}, user_id=1)
    assert f"given to Виктор Козлов (#{first})" in look()[0]


def test_a_name_that_nobody_else_has_stays_alone() -> None:
    """Also where somebody had it until now."""
    one, two = person(1), person(2)
    marked = mark_namesakes([one, two, person(3, "Анна")])
    assert ["Иван Петров (#1)", "Иван Петров (#2)", "Анна Петров"] == [who.shown for who in marked.values()]
    assert ["Иван Петров"] * 2 == [who.name for who in (one, marked[1])]
    assert ["Иван Петров"] == [who.shown for who in mark_namesakes([marked[1]]).values()]
