"""Two tasks of one line, because the first send was carried out last: one goes, if nobody touched it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.assignment.recovery import is_untouched
from b24tools.core.models import Task
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.records import COMPLETED, IN_PROGRESS
from tests.support.crash import SKETCH, assert_sent_again_changes_nothing, killed_at, new_works
from tests.support.orders import Works, order

SENT = order([("Сварщик", 60), ("Макетчик", 60)], files=(SKETCH,))
MADE = datetime(2026, 11, 23, 4, tzinfo=UTC)


def deleted(task_id: int) -> str:
    """What is said of a second task that went."""
    return f"task {task_id}, a second one of this line that a lost request had made, was deleted"


def left(task_id: int) -> str:
    """What is said of one that was left."""
    return f"task {task_id} carries the key of this line as well (a copy?): it was left"


def ids(works: Works) -> list[list[int]]:
    """The ids of the tasks of each line."""
    return list(works.tasks_of(SENT).values())


def doubled(folder: Path) -> Works:
    """A portal that carried out the first send after the second: every line has two tasks."""
    works = new_works(folder)
    works.portal.faults.add(Fault("late", method="tasks.task.add"))
    works.assign(SENT)
    works.portal.run_late()
    first = ids(works)[0][0]
    assert [[first, first + 2], [first + 1, first + 3]] == ids(works)
    works.clock.now += timedelta(minutes=1)
    return works


def test_the_next_send_deletes_the_second_and_says_so(tmp_path: Path) -> None:
    """The lower id stays, which is the one the ledger knows; nothing else is written."""
    works = doubled(tmp_path)
    first, second = ids(works)
    expected = [first[:1], second[:1]]
    works.portal.log.clear()
    (result,) = works.assign(SENT)
    said = [(deleted(first[1]),), (deleted(second[1]),)]
    assert ("unchanged", said) == (result.outcome, [task.warnings for task in result.tasks])
    assert ["tasks.task.delete"] * 2 == [method for method, _params in works.portal.writes()]
    assert expected == ids(works)
    assert_sent_again_changes_nothing(works, SENT)


def test_a_finished_order_deletes_the_second_too(tmp_path: Path) -> None:
    """Else it would stay as open work."""
    works = doubled(tmp_path)
    expected = [task_ids[:1] for task_ids in ids(works)]
    (result,) = works.assign(SENT.model_copy(update={"done": True}))
    assert ("completed", expected) == (result.outcome, ids(works))
    assert [COMPLETED] * 2 == [works.portal.tasks[task_id].status for (task_id,) in ids(works)]


def test_the_end_of_the_same_run_finds_the_second(tmp_path: Path) -> None:
    """The first send is carried out between the second one and the last look."""
    works = new_works(tmp_path)
    works.portal.faults.add(Fault("late", method="tasks.task.add"))
    handle = works.portal.handle

    def helpful(*args: Any, **kwargs: Any) -> Any:
        response = handle(*args, **kwargs)
        if any(ids(works)):
            works.portal.run_late()
        return response

    works.portal.handle = helpful  # type: ignore[method-assign]
    (result,) = works.assign(SENT)
    (first,), (second,) = ids(works)
    said = [(deleted(first + 2),), (deleted(second + 2),)]
    assert ("created", said) == (result.outcome, [task.warnings for task in result.tasks])
    assert_sent_again_changes_nothing(works, SENT)


def talk(works: Works, task_id: int) -> None:
    """A comment in the chat of the new task card."""
    works.clock.now += timedelta(minutes=1)
    works.portal.chat_in_task(task_id, 7)


def undo(works: Works, task_id: int) -> None:
    """A person changed the title and put it back at once: the task looks as it was made, its history does not."""
    task = works.portal.tasks[task_id]
    before = task.title
    for title in ("Моё", before):
        works.portal.act("tasks.task.update", {"taskId": task_id, "fields": {"TITLE": title}})
    works.portal.set_task(task_id, changed_at=task.created_at, activity_at=task.created_at)


@pytest.mark.parametrize(
    "touch",
    [
        lambda works, task_id: works.portal.act("tasks.task.start", {"taskId": task_id}),
        lambda works, task_id: works.portal.set_task(task_id, time_spent=600),
        lambda works, task_id: works.portal.act("tasks.task.update", {"taskId": task_id, "fields": {"TITLE": "Моё"}}),
        lambda works, task_id: works.portal.act(
            "tasks.task.update", {"taskId": task_id, "fields": {"RESPONSIBLE_ID": 1}}
        ),
        lambda works, task_id: talk(works, task_id),
        lambda works, task_id: undo(works, task_id),
    ],
    ids=["started", "time spent", "another title", "handed over", "talked about", "changed and changed back"],
)
def test_a_second_task_that_somebody_worked_on_is_never_deleted(
    touch: Callable[[Works, int], object], tmp_path: Path
) -> None:
    """People are told of it at every send, and it stays."""
    works = doubled(tmp_path)
    (first, second), (third, fourth) = ids(works)
    touch(works, second)
    (result,) = works.assign(SENT)
    assert [(left(second),), (deleted(fourth),)] == [task.warnings for task in result.tasks]
    assert [[first, second], [third]] == ids(works)


def test_a_second_task_that_somebody_finished_stays_finished(tmp_path: Path) -> None:
    """It is no open work, so it is nobody's duplicate."""
    works = doubled(tmp_path)
    before = ids(works)
    works.portal.act("tasks.task.complete", {"taskId": before[0][1]})
    (result,) = works.assign(SENT)
    assert [(), (deleted(before[1][1]),)] == [task.warnings for task in result.tasks]
    assert [before[0], before[1][:1]] == ids(works)


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_deletion_that_was_cut_is_done_by_the_next_send(kind: Any, tmp_path: Path) -> None:
    """The lines themselves are well: people are warned."""
    works = doubled(tmp_path)
    works.portal.faults.add(Fault(kind, method="tasks.task.delete"))
    (result,) = works.assign(SENT)
    assert ("unchanged", 0) == (result.outcome, result.exit_status)
    said = "a second one of this line, was deleted is not known ("
    assert [True, True] == [said in task.warnings[0] for task in result.tasks]
    assert ["unchanged"] == [again.outcome for again in works.assign(SENT)]
    assert [1, 1] == [len(task_ids) for task_ids in ids(works)]


def test_a_deletion_that_is_refused_is_a_warning_beside_the_line(tmp_path: Path) -> None:
    """The webhook's owner may lack the right to delete; the line stays good, with its changes written."""
    works = doubled(tmp_path)
    works.portal.faults.add(Fault("error", method="tasks.task.delete", code="0", description="no right", times=2))
    (result,) = works.assign(SENT.model_copy(update={"customer": "ООО «Мак»"}))
    assert ("updated", 0) == (result.outcome, result.exit_status)
    said = "task {}, a second one of this line, could not be deleted: tasks.task.delete: no right (0)"
    assert [(said.format(task_ids[1]),) for task_ids in ids(works)] == [task.warnings for task in result.tasks]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"changed_at": MADE + timedelta(seconds=5)}, True),
        ({"changed_at": MADE + timedelta(seconds=6)}, False),
        ({"activity_at": MADE + timedelta(seconds=5)}, True),
        ({"activity_at": MADE + timedelta(seconds=6)}, False),
        ({"created_at": None}, False),
        ({"date_start": MADE}, False),
        ({"status": IN_PROGRESS}, False),
        ({"spent_s": 1}, False),
        ({"comments": 1}, False),
    ],
)
def test_untouched_is_a_task_as_it_was_made(changes: dict[str, Any], expected: bool) -> None:
    """A comment changes no field but its own count, or the date of the last activity."""
    task = Task(
        id=1,
        status=2,
        responsible_id=7,
        title="Сварщик: 1",
        xml_id="1c:1:2",
        group_id=1,
        created_by=1,
        created_at=MADE,
        changed_at=MADE,
        deadline=None,
        start=None,
        end=None,
        estimate_s=3600,
        spent_s=0,
    )
    assert expected == is_untouched(replace(task, **changes))


COPIES: dict[str, Any] = {
    "as it is": {},
    "another project": {"group": 2},
    "another title": {"title": "Копия"},
    "another person": {"responsible": 3},
    "a subtask": {"parent": 1},
}


@pytest.mark.long
@pytest.mark.parametrize("changes", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("lost", [False, True], ids=["quiet", "after a lost write"])
def test_a_copy_that_a_person_made_is_never_deleted(changes: dict[str, Any], lost: bool, tmp_path: Path) -> None:
    """Even one that nobody has touched since, made minutes after an answer was lost. It is named once."""
    works = new_works(tmp_path)
    sent = order([("Сварщик", 60)])
    if lost:
        works.portal.faults.add(Fault("cut_after", method="tasks.task.add"))
    (result,) = works.assign(sent)
    works.clock.now += timedelta(minutes=5)
    task = works.portal.tasks[result.tasks[0].task_id or 0]
    values = {name: getattr(task, name) for name in ("creator", "group", "xml_id", "time_estimate", "deadline")}
    copy = works.portal.add_task(
        **{"title": task.title, "responsible": task.responsible, "parent": 0, **values, **changes}
    )
    for _send in range(2):
        (again,) = works.assign(sent)
        assert ("unchanged", [(left(copy.id),)]) == (again.outcome, [line.warnings for line in again.tasks])
        assert (task.id, copy.id) == (again.tasks[0].task_id, works.portal.tasks[copy.id].id)


def test_a_copy_made_on_another_ledgers_line_does_not_take_its_place(tmp_path: Path) -> None:
    """With the ledger lost, the older task that looks like the line is the line's."""
    works = new_works(tmp_path)
    sent = order([("Сварщик", 60)])
    (result,) = works.assign(sent)
    task = works.portal.tasks[result.tasks[0].task_id or 0]
    works.portal.add_task("Копия", responsible=3, xml_id=task.xml_id, group=2)
    works.folder = tmp_path / "another"
    (again,) = works.assign(sent)
    assert ("unchanged", task.id) == (again.outcome, again.tasks[0].task_id)


@pytest.mark.parametrize("kind", ["cut_after", "killed"])
def test_a_copy_made_at_once_after_a_lost_answer_is_not_deleted(kind: Any, tmp_path: Path) -> None:
    """It looks as what was sent, within the minute: but the lost request has made the line's own task."""
    works = new_works(tmp_path)
    sent = order([("Сварщик", 60)])
    if kind == "killed":
        with killed_at(works.portal, 4, executed=True):
            works.assign(sent)
    else:
        works.portal.faults.add(Fault(kind, method="tasks.task.add"))
        works.assign(sent)
    works.clock.now += timedelta(seconds=20)
    (task,) = (task for task in works.portal.tasks if (task.xml_id or "").startswith("1c:"))
    values = {name: getattr(task, name) for name in ("creator", "group", "xml_id", "time_estimate", "deadline")}
    copy = works.portal.add_task(task.title, responsible=task.responsible, **values)
    for _send in range(3):
        (again,) = works.assign(sent)
        assert (task.id, [(left(copy.id),)]) == (again.tasks[0].task_id, [line.warnings for line in again.tasks])
        works.clock.now += timedelta(minutes=1)
