"""`doctor --order`: one order against the portal."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from b24tools.core import errors
from b24tools.jobs.doctor.checks import Report
from b24tools.onec import order as onec_order
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from tests.support.doctor import examine, make_well
from tests.support.orders import MOSCOW, Works, order

SAMPLE = Path(__file__).parent.parent / "data" / "orders" / "sample.json"


def look(works: Works, *orders: onec_order.Order, **changes: Any) -> dict[str, Report]:
    """The checks about the orders of a file, without the number in their names."""
    findings = examine(works, order_file="o.json", orders=orders, **changes)
    of_orders = [finding for finding in findings if finding.section.startswith("Order ")]
    return {finding.check.removeprefix(f"order {orders[0].number}").strip(): finding for finding in of_orders}


@pytest.fixture
def well(works: Works) -> Works:
    """A plant where nothing is to be mended."""
    make_well(works)
    return works


def test_each_line_finds_its_people(well: Works) -> None:
    """A real order: positions, performer, files, dates; no task yet, and none is made."""
    (sample,) = onec_order.read_orders(SAMPLE.read_bytes(), MOSCOW)

    checks = look(well, sample)

    assert {
        "": "readable: 6 lines, 52.1 h of work, 1 file",
        "wanted": "wanted by 04.11.2024, which has passed: the deadline will be the end of the plan",
        "files": "test.json: 1 KiB",
        "Макетчик": "Макетчик (#5): 2 people",
        "Печатник/плотер": "Печатник/плотер (#7): 3 people",
        "Фрезеровщик": "Фрезеровщик (#8): 2 people",
        "Сварщик": "Сварщик (#9): 3 people",
        "Монтажник": "Монтажник (#10): 5 people",
        "Поклейщик": "Поклейщик (#11): 2 people",
        "Исполнитель": "Производство (#4), headed by Борис Авдеев (#3)",
        "tasks": "none on the portal yet: sending makes them",
    } == {name: check.detail for name, check in checks.items()}
    assert [] == well.portal.writes()


def test_tasks_that_are_there_are_named(well: Works) -> None:
    """All of them, some, or two for one line."""
    (done,) = well.assign(order([("Сварщик", 60), ("Макетчик", 60)]))
    first = done.tasks[0].task_id

    both = look(well, order([("Сварщик", 60), ("Макетчик", 60)]))["tasks"]
    more = look(well, order([("Сварщик", 60), ("Макетчик", 60), ("Поклейщик", 5)]))["tasks"]
    well.portal.set_task(done.tasks[1].task_id or 0, xml_id=next(iter(well.tasks_of(order()))))
    twice = look(well, order([("Сварщик", 60)]))["tasks"]

    assert f"on the portal: #{first}, #{done.tasks[1].task_id}; sending changes only" in both.detail
    assert "1 is missing" in more.detail
    assert ("fail", True) == (twice.status, "several tasks for one line" in twice.detail)


def test_an_ignored_filter_is_not_believed(well: Works) -> None:
    """Rows with other keys are not the order's."""
    well.assign(order())
    well.portal.keep_xml_id = False

    assert "none on the portal yet" in look(well, order(id="another"))["tasks"].detail


@pytest.mark.parametrize(
    ("position", "fallback", "status", "detail"),
    [
        ("Печатник / плоттер", None, "fail", "the nearest is “Печатник/плотер”"),
        ("Печатник / плоттер", 3, "warn", "user 3 of B24_FALLBACK_USER"),
        ("Бухгалтер", None, "fail", "no such department in Производство"),
        ("свАрщик ", None, "ok", "Сварщик (#9): 3 people"),
    ],
)
def test_a_position_without_people_is_named(
    well: Works, position: str, fallback: int | None, status: str, detail: str
) -> None:
    """With the nearest name, or who gets the work."""
    check = look(well, order([(position, 5)]), fallback_user=fallback)[position.strip()]

    assert status == check.status
    assert detail in check.detail


@pytest.mark.parametrize(
    ("manager", "status", "detail"),
    [
        ("Тихонова Анна", "ok", "is Анна Тихонова (#20), and will watch"),
        ("Тихонова А. О.", "ok", "#20"),
        ("Тихонова", "warn", "the portal has no"),
        ("Сидоров В.", "warn", "may be Вадим Сидоров (#19), Виктор Сидоров (#23)"),
    ],
)
def test_a_manager_is_one_person(well: Works, manager: str, status: str, detail: str) -> None:
    """None and several are told apart; in both cases nobody watches."""
    well.portal.add_user("Виктор", "Сидоров", departments=[3])

    check = look(well, order(manager=manager))["Менеджер"]

    assert status == check.status
    assert detail in check.detail


def test_a_performer_has_a_head(well: Works) -> None:
    """Who becomes the creator; where there is none, the webhook's owner."""
    assert "no active head" in look(well, order(department="Цех"))["Исполнитель"].detail
    demo_company.department(well.portal, "Цех").head = 21  # dismissed
    assert "no active head" in look(well, order(department="Цех"))["Исполнитель"].detail
    wrong = look(well, order(department="Производсво"))["Исполнитель"]
    assert ("warn", True) == (wrong.status, "the nearest is “Производство”" in wrong.detail)


@pytest.mark.parametrize(
    ("changes", "name", "status", "detail"),
    [
        ({"wanted": None}, "wanted", "ok", "no wanted date"),
        (
            {"wanted": datetime(2026, 12, 1, tzinfo=MOSCOW), "accepted": datetime(2026, 12, 5, tzinfo=MOSCOW)},
            "wanted",
            "warn",
            "accepted only on 05.12.2026",
        ),
        (  # on the wanted day, which ends at midnight
            {"wanted": datetime(2026, 12, 1, tzinfo=MOSCOW), "accepted": datetime(2026, 12, 1, 10, tzinfo=MOSCOW)},
            "wanted",
            "ok",
            "wanted by 01.12.2026",
        ),
        ({"wanted": datetime(2026, 11, 23, 6, tzinfo=MOSCOW)}, "wanted", "warn", "23.11.2026, which has passed"),
        ({"wanted": datetime(2026, 11, 23, 8, tzinfo=MOSCOW)}, "wanted", "ok", "wanted by 23.11.2026"),
        ({"wanted": datetime(2026, 11, 23, tzinfo=MOSCOW)}, "wanted", "ok", "wanted by 23.11.2026"),
        ({"lines": ()}, "", "warn", "readable: 0 lines"),
        ({"done": True}, "", "ok", "finished"),
    ],
)
def test_what_the_order_says_by_itself_is_judged(
    well: Works, changes: dict[str, Any], name: str, status: str, detail: str
) -> None:
    """Also when the portal is away."""
    well.portal.faults.add(Fault("unreachable", times=99))

    check = look(well, order(**changes))[name]

    assert status == check.status
    assert detail in check.detail


def test_a_file_that_cannot_be_read_is_one_line(well: Works) -> None:
    """With the field's path; the portal is looked at all the same."""
    error = errors.OrderError('o.json: Калькуляция[2].Время: "abc" is not a number', "Correct it.")

    *others, last = examine(well, order_file="o.json", order_error=error)

    assert ("order", "fail", error.message, error.hint_sentence) == (last.check, last.status, last.detail, last.fix)
    assert "absences" == others[-1].check


def test_names_that_a_batch_would_garble_go_alone(well: Works) -> None:
    """A manager called `$result[0]` is looked for outside the batch."""
    check = look(well, order(manager="$result[0] Анна"))["Менеджер"]

    assert "warn" == check.status
    assert "the portal has no" in check.detail
