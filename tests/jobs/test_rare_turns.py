"""Rare turns of an order's life: taken back, put off by hand, sent with other words, refused in part, moved half."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24tools.assignment import portal_state
from b24tools.assignment.report import OrderResult
from b24tools.assignment.standing import OrderStanding, read_standings
from b24tools.core.models import Absence
from b24tools.jobs import orders as jobs_orders
from b24tools.jobs import replan
from b24tools.jobs.replan import Replan, Request
from b24tools.jobs.snapshot import team_presence
from b24tools.onec import order as onec_order
from b24tools.sandbox.faults import Fault
from tests.support.orders import MOSCOW, Works, order, rules


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def line(position: str = "Сборка", minutes: float = 60, **values: Any) -> onec_order.Line:
    return onec_order.Line(position=position, minutes=minutes, **values)


def new(number: int, *lines: onec_order.Line, **changes: Any) -> onec_order.Order:
    values = {"id": f"order-{number}", "number": str(number)} | changes
    return order([], **values).model_copy(update={"lines": lines})


@pytest.fixture
def people(works: Works) -> dict[str, int]:
    root = next(department.id for department in works.portal.departments.values() if department.name == "Производство")
    ids = {}
    for name, position in (("Первый", "Раскрой"), ("Второй", "Раскрой"), ("Третий", "Сборка")):
        known = next((row for row in works.portal.departments.values() if row.name == position), None)
        department = known or works.portal.add_department(position, parent=root)
        ids[name] = works.portal.add_user("Иван", name, departments=[department.id]).id
    return ids


def send(works: Works, *orders: onec_order.Order, **changes: Any) -> list[OrderResult]:
    works.clock.sleep(60)
    return works.assign(*orders, **changes)


def move(works: Works, **request: Any) -> Replan:
    with works.tools() as tools:
        return replan.write(tools, rules(), Request(**request), None, None)


def slot(works: Works, task_id: int | None) -> tuple[datetime, datetime]:
    task = works.portal.tasks[task_id or 0]
    assert task.start_plan and task.end_plan
    return datetime.fromtimestamp(task.start_plan, MOSCOW), datetime.fromtimestamp(task.end_plan, MOSCOW)


def stand(works: Works) -> dict[str, OrderStanding]:
    with works.tools(dry_run=True) as tools:
        standings = read_standings(tools, rules(), tools.store.orders.list_all())
    return {standing.row.number: standing for standing in standings.orders}


# 1


def test_a_slow_answer_is_no_wrong_clock(works: Works, people: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = send(works, new(1, line("Раскрой"), wanted=at(30)))
    works.clock.now = at(23, 8)
    read = portal_state.read_portal

    def slow(*args: Any, **values: Any) -> Any:
        state = read(*args, **values)
        works.clock.sleep(30)
        return state

    monkeypatch.setattr(portal_state, "read_portal", slow)
    assert first.tasks[0].responsible
    with works.tools() as tools:
        request = Request(without=str(first.tasks[0].responsible[0]))
        moved = replan.write(tools, rules(), request, None, None).moves[0]
        assert 0 == tools.clock.skew.total_seconds()
    assert moved.outcome == "moved" and moved.after
    works.clock.sleep(600)
    assert [("moved", "")] == [
        (step.outcome, step.note) for step in move(works, without=str(moved.after.responsible[0])).moves
    ]


# 2


def test_nothing_takes_the_slot_of_what_stays(works: Works, people: dict[str, int]) -> None:
    """What would make room ends beyond the known absences, and is not moved."""
    send(works, new(9, line(minutes=960)))
    (other,) = send(works, new(8, line(minutes=480)))
    send(works, new(7, line(minutes=60 * 8 * 75)))
    works.clock.now = at(23, 8)
    (urgent,) = send(works, new(1, line(minutes=480), wanted=at(30), priority=1))
    move(works)
    assert slot(works, urgent.tasks[0].task_id) != slot(works, other.tasks[0].task_id)


# 3


def test_what_could_not_make_room_is_moved_by_the_next_run(works: Works, people: dict[str, int]) -> None:
    send(works, new(9, line(minutes=960), wanted=at(30)))
    (other,) = send(works, new(8, line(minutes=480), wanted=at(30)))
    works.clock.now = at(23, 8)
    (urgent,) = send(works, new(1, line(minutes=480), wanted=at(25)))
    works.portal.faults.add(Fault("error", method="tasks.task.update", skip=1))
    assert ["moved", "failed"] == [step.outcome for step in move(works).moves]
    works.clock.sleep(70)
    assert [("8", "moved")] == [(step.order, step.outcome) for step in move(works).moves]
    assert slot(works, urgent.tasks[0].task_id) != slot(works, other.tasks[0].task_id)
    works.clock.sleep(70)
    assert () == move(works).moves


# 4


def test_of_a_cancelled_order_what_somebody_put_off_holds_up_nothing(works: Works, people: dict[str, int]) -> None:
    (sent,) = send(works, new(1, line(), wanted=at(23)))
    works.portal.act("tasks.task.defer", {"taskId": sent.tasks[0].task_id}, user_id=1)
    works.clock.now = at(24, 8)
    send(works, new(1, line(), wanted=at(23), called_off=True))
    with works.tools() as tools:
        row = tools.store.orders.read(["order-1"])["order-1"]
        assert ("done", True) == (row.standing["state"], row.is_over)
        jobs_orders.list_orders(tools, rules())
        assert row.changed_no == tools.store.orders.read(["order-1"])["order-1"].changed_no


# 5


def test_after_a_replan_an_order_stands_as_before_it(works: Works, people: dict[str, int]) -> None:
    """It is the absence that holds it up."""
    (sent,) = send(works, new(1, line(minutes=480), wanted=at(23)))
    task = sent.tasks[0]
    assert task.responsible
    works.clock.now = at(23, 10)
    works.portal.act("tasks.task.start", {"taskId": task.task_id}, user_id=task.responsible[0])
    works.clock.now = at(24, 8)
    works.portal.add_absence(task.responsible[0], date(2026, 11, 24), date(2026, 11, 26))
    move(works)
    with works.tools() as tools:
        assert "away" == tools.store.orders.read(["order-1"])["order-1"].standing["holds_up"][2]


# 6


def test_new_minutes_of_what_somebody_put_off_take_no_time(works: Works, people: dict[str, int]) -> None:
    (sent,) = send(works, new(1, line()))
    works.portal.act("tasks.task.defer", {"taskId": sent.tasks[0].task_id}, user_id=1)
    other = send(works, new(1, line(minutes=480)), new(2, line()))[1]
    assert at(23, 10) == other.finish


def test_new_minutes_outside_production_promise_nothing(works: Works, people: dict[str, int]) -> None:
    (sent,) = send(works, new(1, line(), wanted=at(24)))
    office = works.portal.add_department("Контора")
    outsider = works.portal.add_user("Анна", "Контора", departments=[office.id]).id
    works.portal.act(
        "tasks.task.delegate", {"taskId": sent.tasks[0].task_id, "userId": outsider}, user_id=people["Третий"]
    )
    (again,) = send(works, new(1, line(minutes=480), wanted=at(24)))
    assert (None, None) == (again.finish, again.promise)
    assert "Сборка: the task was given to somebody outside production: when it is done is not known" in again.warnings


# 7


def test_a_removed_line_that_is_put_off_is_not_waited_for(works: Works, people: dict[str, int]) -> None:
    lines = line("Раскрой"), line(minutes=4800)
    send(works, new(1, *lines, wanted=at(24)))
    send(works, new(1, lines[0], wanted=at(24)))
    send(works, new(1, lines[0], wanted=at(24), called_off=True))
    (again,) = send(works, new(1, lines[0], wanted=at(24)))
    assert (at(23, 10), 0) == (again.finish, again.late_s)


# 8


def test_a_finished_order_that_comes_back_and_fails_in_part_is_counted(works: Works, people: dict[str, int]) -> None:
    send(works, new(1, line()))
    send(works, new(1, line(), done=True))
    assert "partial" == send(works, new(1, line(), line("Нет такой")))[0].outcome
    with works.tools() as tools:
        assert ({"order-1": "partial"}, 1) == (
            tools.store.orders.outcomes(["order-1"]),
            tools.store.orders.count_failed(),
        )


# 9


def test_who_is_new_beside_the_excluded_is_seen(works: Works, people: dict[str, int]) -> None:
    send(works, new(1, line("Раскрой")))
    department = next(department for department in works.portal.departments.values() if department.name == "Сборка")
    works.portal.add_user("Новый", "Новый", departments=[department.id])
    assert "created" == send(works, new(2, line()), excluded=frozenset({people["Третий"]}))[0].outcome


# 10


def test_a_later_acceptance_holds_in_a_replan(works: Works, people: dict[str, int]) -> None:
    send(works, new(9, line(minutes=960)))
    send(works, new(8, line(minutes=480)))
    send(works, new(1, line(minutes=480), wanted=at(30)))
    works.clock.now = at(23, 8)
    (sent,) = send(works, new(1, line(minutes=480), wanted=at(30), accepted=at(26, 9)))
    assert sent.outcome == "unchanged"
    move(works, first="1")
    assert at(26, 9) <= slot(works, sent.tasks[0].task_id)[0]


def test_stages_that_come_later_count(works: Works, people: dict[str, int]) -> None:
    send(works, new(1, line("Раскрой", 480), line()))
    (sent,) = send(works, new(1, line("Раскрой", 480, stage=1), line(stage=2)))
    assert ("unchanged", at(24, 10)) == (sent.outcome, sent.finish)
    assert at(24, 10) == stand(works)["1"].finish


def test_a_position_that_got_another_id_and_then_another_name_is_the_same(works: Works, people: dict[str, int]) -> None:
    send(works, new(1, line("Раскрой", position_id="p-1")))
    send(works, new(1, line("Раскрой", position_id="p-2")))
    (sent,) = send(works, new(1, line("Сборка", position_id="p-2")))
    assert ["updated"] == [task.outcome for task in sent.tasks]


def test_an_order_that_went_to_another_shop_is_moved_there(works: Works, people: dict[str, int]) -> None:
    root = next(department.id for department in works.portal.departments.values() if department.name == "Производство")
    crews = []
    for name in ("Цех 1", "Цех 2"):
        shop = works.portal.add_department(name, parent=root)
        cutting = works.portal.add_department("Резка", parent=shop.id)
        crews.append({works.portal.add_user("Иван", f"{name} {n}", departments=[cutting.id]).id for n in range(2)})
    (sent,) = send(works, new(1, line("Резка"), department="Цех 1"))
    works.clock.now = at(23, 8)
    send(works, new(1, line("Резка"), department="Цех 2"))
    assert sent.tasks[0].responsible
    (moved,) = move(works, without=str(sent.tasks[0].responsible[0])).moves
    assert moved.after and moved.after.responsible[0] in crews[1]


# 11


def test_a_deadline_moved_by_hand_outlives_a_cancellation(works: Works, people: dict[str, int]) -> None:
    (sent,) = send(works, new(1, line()))
    task = sent.tasks[0].task_id
    fields = {"DEADLINE": at(30, 18).isoformat()}
    works.portal.act("tasks.task.update", {"taskId": task, "fields": fields}, user_id=1)
    send(works, new(1, line(), called_off=True))
    send(works, new(1, line()))
    send(works, new(1, line(minutes=120)))
    assert at(30, 18) == datetime.fromtimestamp(works.portal.tasks[task or 0].deadline or 0, MOSCOW)


# 12


def test_a_pin_ends_with_its_task(works: Works, people: dict[str, int]) -> None:
    (sent,) = send(works, new(1, line("Раскрой")), pins={"Раскрой": people["Первый"]})
    works.portal.act("tasks.task.delete", {"taskId": sent.tasks[0].task_id}, user_id=1)
    (again,) = send(works, new(1, line("Раскрой")))
    works.clock.sleep(60)
    assert again.tasks[0].responsible
    assert ["moved"] == [step.outcome for step in move(works, without=str(again.tasks[0].responsible[0])).moves]


# 13


def test_absences_that_overlap_count_once() -> None:
    away = [Absence(at(24, 10), at(24, 12, 30)), Absence(at(24, 10, 30), at(24, 12, 30))]
    assert not team_presence._is_away(away, date(2026, 11, 24), MOSCOW)


# 14


def test_a_line_that_was_refused_is_one_line(works: Works, people: dict[str, int]) -> None:
    works.portal.faults.add(Fault("error", method="tasks.task.add", skip=1))
    send(works, new(1, line("Раскрой"), line()))
    assert 2 == stand(works)["1"].of


# 15


def test_work_that_ends_with_the_last_day_of_the_project_is_in_time(works: Works, people: dict[str, int]) -> None:
    works.portal.scopes.add("socialnetwork")
    works.portal.add_schedule(16, 24, break_s=0)
    send(works, new(2, line()))
    group = next(group for group in works.portal.groups.values() if group.name == "Задачи из 1с")
    group.date_finish = int(at(23).timestamp())
    (task,) = send(works, new(1, line("Раскрой", 480)), dry_run=True)[0].tasks
    assert (at(24), ()) == (task.end, task.warnings)


# 16


def test_the_same_sum_written_otherwise_is_no_change(works: Works, people: dict[str, int]) -> None:
    send(works, new(1, line(amount=Decimal("5320.5"))))
    assert "unchanged" == send(works, new(1, line(amount=Decimal("5320.50"))))[0].outcome


# 17


def test_who_is_excluded_still_holds_the_position(works: Works, people: dict[str, int]) -> None:
    (sent,) = send(works, new(1, line("Раскрой")))
    assert sent.tasks[0].responsible
    excluded = frozenset({sent.tasks[0].responsible[0]})
    assert () == send(works, new(1, line("Раскрой")), excluded=excluded)[0].tasks[0].warnings


# 18


def test_a_dry_run_of_a_finished_order_is_not_late(works: Works, people: dict[str, int]) -> None:
    send(works, new(1, line(minutes=4800), wanted=at(24)))
    (sent,) = send(works, new(1, line(minutes=4800), wanted=at(24), done=True), dry_run=True)
    assert 0 == sent.late_s


# 19


def test_a_removed_line_does_not_come_back_with_the_cancellation(works: Works, people: dict[str, int]) -> None:
    (sent,) = send(works, new(1, line("Раскрой"), line()))
    send(works, new(1, line("Раскрой")))
    works.portal.act("tasks.task.delete", {"taskId": sent.tasks[1].task_id}, user_id=1)
    send(works, new(1, line("Раскрой"), called_off=True))
    assert 1 == stand(works)["1"].of


# 20


def test_what_somebody_puts_off_after_a_cancellation_was_taken_back_stays_put_off(
    works: Works, people: dict[str, int]
) -> None:
    """Whether the portal refused to put it off, its answer was lost, or somebody took the task up again."""
    for number, fault in ((1, Fault("error", method="tasks.task.defer")), (2, None)):
        (sent,) = send(works, new(number, line()))
        task = sent.tasks[0].task_id
        if fault:
            works.portal.faults.add(fault)
        send(works, new(number, line(), called_off=True))
        if fault is None:
            works.portal.act("tasks.task.renew", {"taskId": task}, user_id=1)
        send(works, new(number, line()))
        works.portal.act("tasks.task.defer", {"taskId": task}, user_id=1)
        (again,) = send(works, new(number, line()))
        assert (6, "unchanged") == (works.portal.tasks[task or 0].status, again.outcome)


def test_what_is_renewed_after_a_lost_answer_is_noted_so(works: Works, people: dict[str, int]) -> None:
    (sent,) = send(works, new(1, line()))
    task = sent.tasks[0].task_id
    works.portal.faults.add(Fault("cut_after", method="tasks.task.defer"))
    send(works, new(1, line(), called_off=True))
    works.clock.sleep(120)
    assert "updated" == send(works, new(1, line()))[0].outcome
    works.portal.act("tasks.task.defer", {"taskId": task}, user_id=1)
    send(works, new(1, line()))
    assert 6 == works.portal.tasks[task or 0].status


# 21


def test_a_wanted_day_is_that_day_in_another_zone(works: Works, people: dict[str, int]) -> None:
    """B24_TZ was set right after orders had been sent."""
    send(works, new(1, line(minutes=240), wanted=at(23)))
    with works.tools(dry_run=True) as tools:
        orders = tools.store.orders.list_all()
        (standing,) = read_standings(tools, rules(zone=ZoneInfo("Asia/Yekaterinburg")), orders).orders
    assert ("open", 0) == (standing.state, standing.late_s)
