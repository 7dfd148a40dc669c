"""The same order sent again: what changed in 1C is written, all else is left as people made it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from b24tools.core import errors
from b24tools.onec import order as onec_order
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.records import COMPLETED, DEFERRED, SUPPOSEDLY_COMPLETED, Task
from tests.support.orders import MOSCOW, Works, order


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of that week in Moscow; Monday is the 23rd."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def full(**changes: Any) -> onec_order.Order:
    """An order with everything in it, one line."""
    line: dict[str, Any] = {"position": "Сварщик", "position_id": "p-1", "minutes": 60, "amount": Decimal(100)}
    line |= {name: changes.pop(name) for name in list(changes) if name in onec_order.Line.model_fields}
    values: dict[str, Any] = {
        "customer": "Ромашка",
        "manager": "Сидоров Вадим",
        "wanted": at(27),
        "files": (onec_order.Attachment(name="a.txt", content=b"a"),),
    }
    return order([], **values | changes).model_copy(update={"lines": (onec_order.Line(**line),)})


def sent(works: Works, new: onec_order.Order, **changes: Any) -> Task:
    """Send an order of one line; its task on the portal. What was written before is forgotten."""
    result = works.assign(new, **changes)[0]
    assert result.tasks[0].error is None and result.tasks[0].task_id is not None
    works.portal.log.clear()
    return works.portal.tasks[result.tasks[0].task_id]


def again(works: Works, new: onec_order.Order, **changes: Any) -> tuple[str, tuple[str, ...], list[dict[str, Any]]]:
    """Send an order again: the outcome of its line, all its warnings, and what was written."""
    works.clock.sleep(600)
    result = works.assign(new, **changes)[0]
    task = result.tasks[0]
    assert task.error is None, task.error
    writes = [{"method": method.removeprefix("tasks.task."), **params} for method, params in works.portal.writes()]
    works.portal.log.clear()
    return task.outcome, (*task.warnings, *result.warnings), writes


def test_the_same_order_again_writes_nothing(works: Works) -> None:
    """A day later as well, and however often."""
    task = sent(works, full())
    assert ("unchanged", (), []) == again(works, full())
    works.clock.sleep(86_400)
    assert ("unchanged", (), []) == again(works, full())
    assert 1 == len([other for other in works.portal.tasks if other.title == task.title])


UPDATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "number": ({"number": "1Ц-00000101"}, {"TITLE": "Сварщик: 1Ц-00000101"}),
    "position": ({"position": "Сварщик-2"}, {"TITLE": "Сварщик-2: 1Ц-00000100"}),
    "customer": (
        {"customer": "Лютик"},
        {"DESCRIPTION": "Заказчик: Лютик\nСумма: 100,00\nДата сдачи: 27.11.2026"},
    ),
    "sum": (
        {"amount": Decimal("99.5")},
        {"DESCRIPTION": "Заказчик: Ромашка\nСумма: 99,50\nДата сдачи: 27.11.2026"},
    ),
    "wanted": (
        {"wanted": at(26)},
        {
            "DEADLINE": "2026-11-26T18:00:00+03:00",
            "DESCRIPTION": "Заказчик: Ромашка\nСумма: 100,00\nДата сдачи: 26.11.2026",
        },
    ),
    "wanted no more": (
        {"wanted": None},
        {"DEADLINE": "2026-11-23T10:00:00+03:00", "DESCRIPTION": "Заказчик: Ромашка\nСумма: 100,00"},
    ),
    "minutes": (
        {"minutes": 118.0},
        {
            "TIME_ESTIMATE": "7200",
            "START_DATE_PLAN": "2026-11-23T09:00:00+03:00",
            "END_DATE_PLAN": "2026-11-23T11:00:00+03:00",
        },
    ),
    "department": ({"department": "Офис"}, {"CREATED_BY": "1"}),
    "manager": ({"manager": "Тихонова Анна"}, {"AUDITORS": ["20"]}),
}


@pytest.mark.parametrize("name", UPDATES)
def test_only_what_changed_in_1c_is_written(works: Works, name: str) -> None:
    """One field of 1C, the whole of the update; and then nothing more."""
    changes, fields = UPDATES[name]
    task = sent(works, full())
    outcome, warnings, writes = again(works, full(**changes))
    assert ("updated", [{"method": "update", "taskId": str(task.id), "fields": fields}]) == (outcome, writes)
    assert ("unchanged", []) == again(works, full(**changes))[::2]
    renamed = '1C calls the position "Сварщик-2" now; the task was given to Павел Исаев as "Сварщик"'
    assert ((renamed,) if name == "position" else ()) == warnings


@pytest.mark.parametrize("changes", [{"minutes": 57.5}, {"accepted": at(24)}, {"date": at(1)}, {"position_id": "P-1"}])
def test_a_change_that_changes_nothing_in_the_task_is_not_written(works: Works, changes: dict[str, Any]) -> None:
    """Minutes that round the same; dates and spellings that are not written."""
    sent(works, full())
    assert ("unchanged", (), []) == again(works, full(**changes))


def test_a_new_sum_is_not_written_where_the_sum_is_not_shown(works: Works) -> None:
    """B24_SHOW_SUM=0."""
    sent(works, full(), show_sum=False)
    assert ("unchanged", (), []) == again(works, full(amount=Decimal(7)), show_sum=False)


def test_a_new_department_with_the_same_head_writes_nothing(works: Works) -> None:
    """The creator is the owner before and after."""
    sent(works, full(department="Офис"))
    assert ("unchanged", (), []) == again(works, full(department="Цех"))


def test_what_people_changed_by_hand_stays(works: Works) -> None:
    """Deadline, title, description, responsible, plan: 1C did not change them."""
    task = sent(works, full())
    by_hand = {"deadline": at(30, 12), "title": "Сварить", "description": "сам", "responsible": 12, "creator": 2}
    works.portal.set_task(task.id, **by_hand, start_plan=at(24, 9), end_plan=at(24, 12))
    assert ("unchanged", (), []) == again(works, full())
    assert ("updated", [{"AUDITORS": ["20"]}]) == outcome_and_fields(again(works, full(manager="Тихонова А.О.")))
    assert works.portal.tasks[task.id].deadline == int(at(30, 12).timestamp())


def test_a_task_moved_by_hand_stays_moved_when_the_order_is_sent_again(works: Works) -> None:
    """The ledger has what b24tools planned, whatever else is written to the task."""

    def place() -> tuple[object, ...]:
        with works.tools() as tools:
            (row,) = tools.store.orders.lines([full().id]).values()
        return row.responsible_id, row.start, row.end

    task = sent(works, full())
    planned = place()
    works.portal.set_task(task.id, responsible=12, start_plan=at(24, 9), end_plan=at(24, 12))
    again(works, full(manager="Тихонова А.О."))
    assert planned == place()
    again(works, full(manager="Тихонова А.О.", minutes=120.0))
    assert (*planned[:2], at(24, 11)) == place()


def outcome_and_fields(told: tuple[str, tuple[str, ...], list[dict[str, Any]]]) -> tuple[str, list[Any]]:
    """What was written, without the ids."""
    return told[0], [write["fields"] for write in told[2]]


def test_auditors_added_by_hand_stay_when_the_manager_changes(works: Works) -> None:
    """Only the manager of before is taken out."""
    task = sent(works, full())
    works.portal.set_task(task.id, auditors=(19, 2, 4))
    assert ("updated", [{"AUDITORS": ["2", "4", "20"]}]) == outcome_and_fields(
        again(works, full(manager="Тихонова Анна"))
    )
    assert (2, 4, 20) == works.portal.tasks[task.id].auditors


def test_a_manager_who_is_no_more_leaves_the_task(works: Works) -> None:
    """An empty list cannot ride in a batch: it arrives all the same."""
    task = sent(works, full())
    assert ("updated", [{"AUDITORS": []}]) == outcome_and_fields(again(works, full(manager=None)))
    assert () == works.portal.tasks[task.id].auditors


def test_managers_whom_nobody_fits_write_nothing(works: Works) -> None:
    """One unknown name for another."""
    sent(works, full(manager="Никто Никак"))
    warning = 'Менеджер: no active person of the portal is "Некто Как-то", so the tasks have no observer'
    assert ("unchanged", (warning,), []) == again(works, full(manager="Некто Как-то"))


def test_new_minutes_move_the_end_and_warn_when_that_meets_the_next_work(works: Works) -> None:
    """Both plan dates are written: one alone would blank the other."""
    boss = {"pins": {"Сварщик": 12}}
    sent(works, full(), **boss)
    sent(works, full(id="2", number="2"), **boss)
    outcome, warnings, writes = again(works, full(minutes=90.0))
    plan = {"START_DATE_PLAN": "2026-11-23T09:00:00+03:00", "END_DATE_PLAN": "2026-11-23T10:30:00+03:00"}
    assert ("updated", [{"TIME_ESTIMATE": "5400", **plan}]) == (outcome, [write["fields"] for write in writes])
    assert ("with the new time it meets the next work of Фёдор Лебедев",) == warnings


def test_new_minutes_of_a_task_that_was_handed_over_are_laid_on_the_new_persons_calendar(works: Works) -> None:
    """Whoever does it stays; that person's absences and next slot count, from another department too."""
    task = sent(works, full())
    works.portal.set_task(task.id, responsible=4)
    works.portal.add_absence(4, at(23).date(), at(23).date())
    fields = outcome_and_fields(again(works, full(minutes=120.0)))[1][0]
    assert "2026-11-24T11:00:00+03:00" == fields["END_DATE_PLAN"]


def test_a_deadline_that_was_the_end_of_the_plan_moves_with_it(works: Works) -> None:
    """Unless somebody moved it."""
    first, second = full(wanted=None), full(wanted=None, id="2", number="2")
    sent(works, first)
    moved = sent(works, second)
    works.portal.set_task(moved.id, deadline=at(30, 12))
    longer = [again(works, old.model_copy(update={"lines": full(minutes=120.0).lines}))[2] for old in (first, second)]
    assert [True, False] == ["DEADLINE" in writes[0]["fields"] for writes in longer]


def test_a_wanted_date_moved_into_the_past_gives_the_end_of_the_plan(works: Works) -> None:
    """With the warning a new task would have."""
    sent(works, full())
    outcome, warnings, writes = again(works, full(wanted=at(20)))
    assert ("updated", "2026-11-23T10:00:00+03:00") == (outcome, writes[0]["fields"]["DEADLINE"])
    assert ("the wanted date 20.11.2026 has passed: the deadline is the end of the plan",) == warnings


# lines that come and go


def test_a_line_that_is_no_more_leaves_its_task_with_a_warning(works: Works) -> None:
    """And a new line is added beside it."""
    both = order([("Сварщик", 60), ("Макетчик", 60)])
    before = works.assign(both)[0]
    works.portal.log.clear()
    result = works.assign(order([("Сварщик", 60), ("Монтажник", 60)]))[0]
    assert [("Сварщик", "unchanged", ()), ("Монтажник", "created", ())] == [
        (task.position, task.outcome, task.warnings) for task in result.tasks[:2]
    ]
    left = result.tasks[2]
    assert ("Макетчик", "unchanged", before.tasks[1].task_id, before.tasks[1].responsible) == (
        left.position,
        left.outcome,
        left.task_id,
        left.responsible,
    )
    assert ("the order no longer has this line: its task was left",) == left.warnings
    assert ["tasks.task.add"] == [method for method, _params in works.portal.writes()]
    assert "updated" == result.outcome


def test_an_order_emptied_of_its_lines_leaves_all_tasks(works: Works) -> None:
    """Nothing is written."""
    works.assign(order())
    works.portal.log.clear()
    result = works.assign(order([]))[0]
    assert ("unchanged", ["unchanged"]) == (result.outcome, [task.outcome for task in result.tasks])
    assert [] == works.portal.writes()


# finished, deleted


@pytest.mark.parametrize("status", [COMPLETED, SUPPOSEDLY_COMPLETED])
def test_a_finished_task_is_left_alone(works: Works, status: int) -> None:
    """What changed in the order is not written, and that is said; unchanged is silent."""
    task = sent(works, full())
    works.portal.set_task(task.id, status=status, closed_at=works.clock())
    assert ("unchanged", (), []) == again(works, full())
    told = ("the task is finished on the portal: changes of the order are not written",)
    assert ("unchanged", told, []) == again(works, full(customer="Лютик", minutes=600.0))


def test_a_deferred_task_is_updated_like_an_open_one(works: Works) -> None:
    """Status 6 is not finished."""
    task = sent(works, full())
    works.portal.set_task(task.id, status=DEFERRED)
    assert ("updated", [{"CREATED_BY": "1"}]) == outcome_and_fields(again(works, full(department=None)))


def test_a_deleted_task_is_created_again_with_a_warning(works: Works) -> None:
    """With its file, which is not uploaded again."""
    task = sent(works, full())
    works.portal.act("tasks.task.delete", {"taskId": task.id})
    outcome, warnings, writes = again(works, full())
    assert ("created", (f"task {task.id} was deleted on the portal: created again",)) == (outcome, warnings)
    assert ["add"] == [write["method"] for write in writes]
    new = next(other for other in works.portal.tasks if other.xml_id == task.xml_id)
    assert 1 == len(new.attachments)
    assert ("unchanged", (), []) == again(works, full())


# Выполнен


def test_a_finished_order_completes_its_tasks_and_writes_nothing_else(works: Works) -> None:
    """Whatever else changed in it; new lines and files are not made any more."""
    task = sent(works, full())
    new_file = onec_order.Attachment(name="b.txt", content=b"b")
    outcome, warnings, writes = again(works, full(done=True, customer="Лютик", minutes=500.0, files=(new_file,)))
    assert ("completed", (), [{"method": "complete", "taskId": str(task.id)}]) == (outcome, warnings, writes)
    assert COMPLETED == works.portal.tasks[task.id].status
    assert ("unchanged", (), []) == again(works, full(done=True))


def test_a_task_under_control_is_completed_and_approved(works: Works) -> None:
    """TASK_CONTROL set by hand: complete gives status 4, approve gives 5."""
    task = sent(works, full())
    works.portal.set_task(task.id, task_control=True)
    outcome, _warnings, writes = again(works, full(done=True))
    assert ("completed", ["complete", "approve"]) == (outcome, [write["method"] for write in writes])
    assert COMPLETED == works.portal.tasks[task.id].status


def test_a_task_that_waits_for_control_is_approved(works: Works) -> None:
    """The worker finished it, the creator has not looked yet."""
    task = sent(works, full())
    works.portal.set_task(task.id, task_control=True, status=SUPPOSEDLY_COMPLETED, closed_at=works.clock())
    assert "completed" == again(works, full(done=True))[0]
    assert COMPLETED == works.portal.tasks[task.id].status


def test_a_deferred_task_of_a_finished_order_is_completed(works: Works) -> None:
    """Status 6."""
    task = sent(works, full())
    works.portal.set_task(task.id, status=DEFERRED)
    assert "completed" == again(works, full(done=True))[0]
    assert COMPLETED == works.portal.tasks[task.id].status


def test_a_task_that_does_not_get_finished_fails_its_line(works: Works) -> None:
    """The portal answers 200 with the task as it was: the status read decides."""
    works.assign(order())
    works.portal.methods = {
        name: method for name, method in works.portal.methods.items() if name != "tasks.task.complete"
    } | {"tasks.task.complete": works.portal.methods["tasks.task.get"]}
    result = works.assign(order(done=True))[0]
    assert ("failed", 1) == (result.outcome, result.exit_status)
    assert result.tasks[0].error is not None and "is not finished" in result.tasks[0].error.message


def test_a_finished_order_without_tasks_writes_nothing(works: Works) -> None:
    """It was never sent before."""
    told = ("the order is finished and has no task for this line: nothing to complete",)
    assert ("unchanged", told, []) == again(works, full(done=True))
    result = works.assign(order([], done=True, id="2"))[0]
    assert ("the order is finished and has no tasks: nothing to complete",) == result.warnings


BACK = "the order was finished before: its tasks stay as they are; reopen them in Bitrix24"


@pytest.mark.parametrize("times", [1, 2])
def test_a_finished_order_that_is_unfinished_again_changes_nothing_and_warns(works: Works, times: int) -> None:
    """However often it was sent as finished, and each time it is sent as unfinished."""
    task = sent(works, full())
    for _time in range(times):
        again(works, full(done=True))
    assert ("unchanged", (BACK,), []) == again(works, full())
    assert ("unchanged", (BACK,), []) == again(works, full())
    works.portal.act("tasks.task.renew", {"taskId": task.id})
    works.portal.log.clear()
    assert ("unchanged", (), []) == again(works, full())


# --to


def test_a_pin_does_not_move_an_existing_task(works: Works) -> None:
    """It warns, unless that person has it already."""
    task = sent(works, full())
    assert ("unchanged", (), []) == again(works, full(), pins={"Сварщик": task.responsible})
    told = ("the task exists: --to does not change who does it",)
    assert ("unchanged", told, []) == again(works, full(), pins={"Сварщик": 12})


# adoption


def old_task(works: Works, title: str = "Сварщик: 1Ц-00000100", **values: Any) -> Task:
    """A task as the replaced service made it: no key."""
    defaults: dict[str, Any] = {"group": 1, "creator": 3, "created_at": at(21), "time_estimate": 3600}
    return works.portal.add_task(title, **{"responsible": 12, **defaults, **values})


def test_a_task_of_the_replaced_service_is_adopted(works: Works) -> None:
    """It gets the key and nothing else, keeps its person, and no file is hung on it: the service did that."""
    task = old_task(works)
    outcome, warnings, writes = again(works, full())
    key = "1c:11111111-2222-3333-4444-555555555555:1dee6e3ec6"
    update = {"method": "update", "taskId": str(task.id), "fields": {"XML_ID": key}}
    assert ("adopted", (), [update]) == (outcome, warnings, writes)
    assert ("unchanged", (), []) == again(works, full())
    assert ("updated", [{"CREATED_BY": "1"}]) == outcome_and_fields(again(works, full(department=None)))


@pytest.mark.parametrize(
    "values",
    [
        {"status": COMPLETED},
        {"status": SUPPOSEDLY_COMPLETED},
        {"group": 2},
        {"group": 0},
        {"created_at": at(20, 11, 59)},
        {"title": "Сварщик: 1Ц-000001001"},
        {"title": "Наш Сварщик: 1Ц-00000100"},
        {"title": "сварщик: 1ц-00000100"},
        {"xml_id": "foreign"},
    ],
    ids=str,
)
def test_a_task_that_only_resembles_the_line_is_not_adopted(works: Works, values: dict[str, Any]) -> None:
    """Closed, of another project, older than the order, of another title, or somebody else's."""
    task = old_task(works, **values)
    outcome, _warnings, writes = again(works, full(files=()))
    assert ("created", ["add"]) == (outcome, [write["method"] for write in writes])
    assert values.get("xml_id") == works.portal.tasks[task.id].xml_id


def test_an_order_without_a_date_adopts_nothing(works: Works) -> None:
    """Numbers come back every year."""
    old_task(works)
    assert "created" == again(works, full(date=None, files=()))[0]


@pytest.mark.parametrize("number", ["100%_!", "а_б", "%", "1\\2", "№ 5 [срочно]"])
def test_numbers_with_wildcards_are_found(works: Works, number: str) -> None:
    """The portal's exact filter would never match them."""
    other = old_task(works, "Сварщик: 100xyz")
    task = old_task(works, f"Сварщик: {number}")
    assert "adopted" == again(works, full(number=number, files=()))[0]
    assert (None, True) == (works.portal.tasks[other.id].xml_id, bool(works.portal.tasks[task.id].xml_id))


def test_two_lines_of_one_title_adopt_two_tasks(works: Works) -> None:
    """Each task once, the lower id first; a third line is created."""
    first, second = old_task(works), old_task(works)
    result = works.assign(order([("Сварщик", 60)] * 3))[0]
    assert [("adopted", first.id), ("adopted", second.id)] == [
        (task.outcome, task.task_id) for task in result.tasks[:2]
    ]
    assert ("created", "updated") == (result.tasks[2].outcome, result.outcome)


def test_a_task_to_adopt_is_found_behind_fifty_others(works: Works) -> None:
    """A short number is contained in many titles."""
    for number in range(60):
        old_task(works, f"Монтажник: 10{number}")
    task = old_task(works, "Сварщик: 10")
    assert "adopted" == again(works, full(number="10", files=()))[0]
    assert works.portal.tasks[task.id].xml_id


def test_a_finished_order_completes_the_tasks_of_the_replaced_service(works: Works) -> None:
    """Nothing but complete is written."""
    task = old_task(works)
    assert ("completed", (), [{"method": "complete", "taskId": str(task.id)}]) == again(works, full(done=True))


# a lost database


def lose_data(works: Works) -> None:
    """The data folder is gone: another machine, a new disk."""
    shutil.rmtree(works.folder)


@pytest.mark.sqlite
def test_a_lost_database_finds_the_tasks_by_their_keys(works: Works) -> None:
    """Unchanged, nothing attached twice; and from then on changes are seen again."""
    task = sent(works, full())
    lose_data(works)
    said = "the database did not know these tasks: they were found on the portal and compared with the order"
    assert ("unchanged", (said,), []) == again(works, full())
    assert ("unchanged", (), []) == again(works, full())
    assert 1 == len(works.portal.tasks[task.id].attachments)
    assert ("updated", [{"AUDITORS": ["20"]}]) == outcome_and_fields(again(works, full(manager="Тихонова Анна")))


def test_after_a_lost_database_a_deadline_that_was_the_end_of_the_plan_still_moves(works: Works) -> None:
    """The portal shows what it was."""
    sent(works, full(wanted=None))
    lose_data(works)
    again(works, full(wanted=None))
    fields = outcome_and_fields(again(works, full(wanted=None, minutes=120.0)))[1][0]
    assert "2026-11-23T11:00:00+03:00" == fields["DEADLINE"] == fields["END_DATE_PLAN"]


@pytest.mark.sqlite
def test_after_a_lost_database_the_last_second_of_a_day_is_the_same_deadline(works: Works) -> None:
    """The portal cuts the seconds that 1C's end of a day has; nobody has changed the deadline."""
    wanted = datetime(2026, 11, 26, 23, 59, 59, tzinfo=MOSCOW)
    task = sent(works, full(wanted=wanted))
    assert datetime(2026, 11, 26, 23, 59, tzinfo=MOSCOW).timestamp() == task.deadline
    lose_data(works)
    said = "the database did not know these tasks: they were found on the portal and compared with the order"
    assert ("unchanged", (said,), []) == again(works, full(wanted=wanted))


def deaf(works: Works, *conditions: str) -> None:
    """From now on the portal ignores these conditions of a task list, as it does with names it does not know."""
    method = works.portal.methods["tasks.task.list"]

    def run(call: Any) -> Any:
        kept = {name: value for name, value in call.params["filter"].items() if name not in conditions}
        return method.run(replace(call, params=call.params | {"filter": kept}))

    works.portal.methods = works.portal.methods | {"tasks.task.list": replace(method, run=run)}


def test_a_portal_that_ignores_the_filter_by_key_does_not_confuse(works: Works) -> None:
    """Any tasks come: those whose key was not asked for never count."""
    for number in range(60):
        works.portal.add_task(f"Чужая {number}", responsible=12, creator=1, xml_id=f"foreign-{number}", id=number + 500)
    deaf(works, "XML_ID")
    task = sent(works, full())
    assert "Сварщик: 1Ц-00000100" == task.title
    assert ("unchanged", (), []) == again(works, full())
    assert ("completed", (), [{"method": "complete", "taskId": str(task.id)}]) == again(works, full(done=True))


def test_a_portal_that_ignores_the_date_does_not_have_old_tasks_adopted(works: Works) -> None:
    """Numbers come back every year."""
    deaf(works, ">=CREATED_DATE", "GROUP_ID")
    old_task(works, created_at=at(2))
    old_task(works, group=2)
    assert "created" == again(works, full(files=()))[0]


def test_a_portal_that_drops_keys_is_worked_by_the_ledger(works: Works) -> None:
    """The task is found by its id, with a warning when it was made."""
    works.portal.keep_xml_id = False
    result = works.assign(full())[0]
    told = ("the portal does not keep external keys (XML_ID): tasks are found again by their titles",)
    assert told == result.tasks[0].warnings
    works.portal.log.clear()
    assert ("unchanged", (), []) == again(works, full())
    assert ("updated", [{"CREATED_BY": "1"}]) == outcome_and_fields(again(works, full(department=None)))


# files


def test_a_new_file_is_attached_once_beside_the_old_one(works: Works) -> None:
    """By attach, never by writing the list."""
    task = sent(works, full())
    new = onec_order.Attachment(name="b.txt", content=b"b")
    more = full(files=(*full().files, new))
    outcome, warnings, writes = again(works, more)
    assert ("updated", (), ["disk.folder.uploadfile", "files.attach"]) == (
        outcome,
        warnings,
        [write["method"] for write in writes],
    )
    assert ("unchanged", (), []) == again(works, more)
    names = [works.portal.disk.attachments[tie].object_id for tie in works.portal.tasks[task.id].attachments]
    assert ["a (1Ц-00000100, ca978112).txt", "b (1Ц-00000100, 3e23e816).txt"] == [
        works.portal.disk.objects[object_id].name for object_id in names
    ]


def test_a_file_that_is_no_more_in_the_order_stays(works: Works) -> None:
    """Nothing is taken away from a task."""
    task = sent(works, full())
    assert ("unchanged", (), []) == again(works, full(files=()))
    assert 1 == len(works.portal.tasks[task.id].attachments)


def test_the_same_file_under_a_new_number_is_not_uploaded_again(works: Works) -> None:
    """The number is in the stored name; the file stays what it is."""
    sent(works, full())
    assert ("updated", [{"TITLE": "Сварщик: 2"}]) == outcome_and_fields(again(works, full(number="2")))


def test_a_changed_file_of_the_same_name_is_another_file(works: Works) -> None:
    """Both stay on the task."""
    task = sent(works, full())
    changed = full(files=(onec_order.Attachment(name="a.txt", content=b"changed"),))
    assert "updated" == again(works, changed)[0]
    assert 2 == len(works.portal.tasks[task.id].attachments)


# the project


def test_a_missing_project_is_made_once(works: Works) -> None:
    """For all orders of the command."""
    del works.portal.groups[1]
    works.assign(order(), order(id="2"))
    made = [group for group in works.portal.groups.values() if group.name == "Задачи из 1с"]
    assert 1 == len(made)
    assert {made[0].id} == {task.group for task in works.portal.tasks if (task.xml_id or "").startswith("1c:")}
    works.assign(order(id="3"))
    assert 2 == len(works.portal.groups)


def test_a_project_that_may_not_be_made_fails_the_lines_with_the_mend(works: Works) -> None:
    """The setting to change is named; nothing is left behind."""
    del works.portal.groups[1]
    works.portal.may_create_groups = False
    result = works.assign(order())[0]
    error = result.tasks[0].error
    assert ("failed", 1) == (result.outcome, result.exit_status)
    assert isinstance(error, errors.PortalDenied)
    assert error.message.startswith('the project "Задачи из 1с" does not exist and cannot be created: ')
    assert "B24_GROUP" in error.hint
    works.portal.may_create_groups = True
    assert "created" == works.assign(order())[0].outcome


def test_a_project_given_by_an_id_that_is_not_there_is_said(works: Works) -> None:
    """No project of that name is made up."""
    result = works.assign(order(), group="77")[0]
    assert result.tasks[0].error is not None
    assert ("the portal has no project 77", 2) == (result.tasks[0].error.message, len(works.portal.groups))


def test_a_project_may_be_given_by_its_id(works: Works) -> None:
    """«Выставка» is number 2."""
    result = works.assign(order(), group="2")[0]
    assert 2 == works.portal.tasks[result.tasks[0].task_id or 0].group


def test_a_refused_update_fails_its_line_and_is_tried_again(works: Works) -> None:
    """The ledger keeps what was last written."""
    task = sent(works, full())
    works.portal.faults.add(Fault("error", method="tasks.task.update", code="0", description="denied"))
    result = works.assign(full(department=None))[0]
    assert ("failed", 1) == (result.outcome, result.exit_status)
    works.portal.log.clear()
    assert ("updated", [{"CREATED_BY": "1"}]) == outcome_and_fields(again(works, full(department=None)))
    assert 1 == works.portal.tasks[task.id].creator


def test_a_dry_run_of_a_change_writes_nothing(works: Works) -> None:
    """It says `planned` for what it would write, `unchanged` for the rest."""
    both = order([("Сварщик", 60), ("Макетчик", 60)])
    works.assign(both)
    works.portal.log.clear()
    result = works.assign(order([("Сварщик", 90), ("Макетчик", 60)]), dry_run=True)[0]
    assert ("planned", ["planned", "unchanged"]) == (result.outcome, [task.outcome for task in result.tasks])
    assert at(23, 10, 30) == result.tasks[0].end
    assert [] == works.portal.writes()
    assert works.assign(both)[0].finish == max(task.end for task in result.tasks if task.end) - timedelta(minutes=30)


def test_a_deadline_moved_by_hand_outlives_other_changes(works: Works) -> None:
    """It is not taken for ours because an update wrote something else."""
    plain: dict[str, Any] = {"wanted": None, "files": ()}
    task = sent(works, full(**plain))
    works.portal.act("tasks.task.update", {"taskId": task.id, "fields": {"DEADLINE": at(30, 15).isoformat()}})
    works.portal.log.clear()
    assert "updated" == again(works, full(customer="Лютик", **plain))[0]
    fields = outcome_and_fields(again(works, full(customer="Лютик", minutes=120.0, **plain)))[1][0]
    assert ("TIME_ESTIMATE" in fields, "DEADLINE" in fields) == (True, False)


def test_a_deadline_moved_by_hand_outlives_an_update_of_unknown_fate(works: Works) -> None:
    """Such an update did not write it either."""
    plain: dict[str, Any] = {"wanted": None, "files": ()}
    task = sent(works, full(**plain))
    works.portal.act("tasks.task.update", {"taskId": task.id, "fields": {"DEADLINE": at(30, 15).isoformat()}})
    works.portal.faults.add(Fault("cut_after", method="tasks.task.update"))
    assert 75 == works.assign(full(customer="Лютик", **plain))[0].exit_status
    works.portal.log.clear()
    fields = outcome_and_fields(again(works, full(customer="Лютик", minutes=120.0, **plain)))[1][0]
    assert ("TIME_ESTIMATE" in fields, "DEADLINE" in fields) == (True, False)
