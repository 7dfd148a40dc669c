"""A portal that breaks connections, answers nonsense or works late, while the run lives on."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.core import errors, locks
from b24tools.jobs import assign
from b24tools.onec import order as onec_order
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from tests.crash.test_assign_crash import CASES, EACH_REQUEST, prepared, undisturbed
from tests.support.crash import (
    LETTER,
    assert_sent_again_changes_nothing,
    first_send,
    killed_at,
    new_works,
    picture,
    send_until_done,
    statuses,
)
from tests.support.orders import MONDAY, order, rules

FAULTS: dict[str, dict[str, Any]] = {
    "cut before": {"kind": "cut_before"},
    "cut after": {"kind": "cut_after"},
    "late by 5 s": {"kind": "late", "delay_s": 5},
    "late by 59 s": {"kind": "late", "delay_s": 59},
    "502 before": {"kind": "html"},
    "504 after": {"kind": "html", "status": 504, "executed": True},
    "a page to log in": {"kind": "html", "status": 200, "executed": True},
    "half an answer": {"kind": "half"},
    "half a batch executed": {"kind": "half_batch", "drop": 3, "executed": True},
    "half a batch not executed": {"kind": "half_batch", "drop": 3},
    "no answer in time": {"kind": "slow", "delay_s": 100},
    "unreachable": {"kind": "unreachable"},
    "busy": {"kind": "limit"},
    "server error": {"kind": "error", "code": "INTERNAL_SERVER_ERROR", "status": 500, "executed": True},
    "refused": {"kind": "error", "code": "ERROR_CORE", "status": 400},
}
DONE_OR_TRY_LATER = ([0], [3], [75])
PHOTO = onec_order.Attachment(name="фото.jpg", content=b"the photo")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
@pytest.mark.parametrize(("name", "number"), EACH_REQUEST)
def test_a_fault_of_any_request_is_mended_or_told(
    name: str, number: int, fault: dict[str, Any], tmp_path: Path
) -> None:
    """The run or the next one ends as one that nothing happened to."""
    works = prepared(name, tmp_path)
    works.portal.faults.add(Fault(at=number, **fault))
    sent = CASES[name].sent()
    status = statuses(works, sent)
    assert status in DONE_OR_TRY_LATER or (status == [1] and fault["kind"] == "error")
    works.portal.faults.clear()
    send_until_done(works, sent)
    works.portal.run_late()
    assert undisturbed(name) == picture(works.portal)
    assert_sent_again_changes_nothing(works, sent)


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
@pytest.mark.parametrize(("name", "number"), EACH_REQUEST)
def test_without_keys_a_cut_of_any_request_is_mended_or_told(name: str, number: int, kind: Any, tmp_path: Path) -> None:
    """The ledger and the exact title take over."""
    works = prepared(name, tmp_path, keep_xml_id=False)
    works.portal.faults.add(Fault(kind, at=number))
    sent = CASES[name].sent()
    assert statuses(works, sent) in DONE_OR_TRY_LATER
    send_until_done(works, sent)
    assert undisturbed(name, keep_xml_id=False) == picture(works.portal)
    assert_sent_again_changes_nothing(works, sent)


@pytest.mark.parametrize("when", ["while the second run reads", "after the second run"])
@pytest.mark.parametrize("number", range(4, CASES["first"].requests + 1))
def test_a_dead_run_whose_request_is_carried_out_late_leaves_nothing_twice(
    number: int, when: str, tmp_path: Path
) -> None:
    """Project, folder, files and tasks are made by the first run's request while the second is at work, or after it."""
    works = prepared("first", tmp_path)
    delay_s = 20 if when == "while the second run reads" else None
    works.portal.faults.add(Fault("late", at=number, delay_s=delay_s))
    with killed_at(works.portal, number + 1, executed=False):
        works.assign(first_send(), retry_s=0)
    works.clock.now += timedelta(seconds=1)
    assert [0] == statuses(works, first_send())
    works.portal.run_late()
    send_until_done(works, first_send())
    expected = undisturbed("first")
    if when == "after the second run" and number == 5:
        # a minute later than a portal ever works: nothing can be known of it any more
        expected = expected | {"projects": [demo_company.GROUP] * 2}
    assert expected == picture(works.portal)


def test_of_two_files_only_the_one_that_was_not_attached_is_attached_again(tmp_path: Path) -> None:
    """An attachment that failed does not count as done because another one of the task was."""
    works = prepared("changed", tmp_path)
    sent = first_send(files=(*first_send().files, LETTER, PHOTO))
    works.portal.faults.add(Fault("error", method="tasks.task.files.attach", skip=1))
    assert [3] == statuses(works, sent)
    assert [0] == statuses(works, sent)
    attached = [tie.object_id for tie in works.portal.disk.attachments.values()]
    assert [6, 6, 6, 6] == sorted(attached.count(object_id) for object_id in set(attached))
    assert_sent_again_changes_nothing(works, sent)


@pytest.mark.parametrize("delay_s", [5, 40])
def test_an_old_change_carried_out_late_does_not_undo_the_new_one(delay_s: float, tmp_path: Path) -> None:
    """The second run waits until the portal cannot be at work on the first one's update."""
    works = new_works(tmp_path)
    works.assign(order([("Сварщик", 60)], customer="ООО «Ромашка»"))
    works.clock.now += timedelta(minutes=5)
    works.portal.faults.add(Fault("late", method="tasks.task.update", delay_s=delay_s))
    assert [75] == statuses(works, order([("Сварщик", 60)], customer="ООО «Лютик»"))
    assert [0] == statuses(works, order([("Сварщик", 60)], customer="ООО «Мак»"))
    works.clock.now += timedelta(minutes=2)
    works.portal.run_late()
    assert ["Заказчик: ООО «Мак»"] == [row[9] for row in picture(works.portal)["tasks"]]


def test_a_project_in_the_making_is_waited_for_by_other_orders_too(tmp_path: Path) -> None:
    """The run that asked for it is dead; the next one has another order."""
    works = new_works(tmp_path, bare=True)
    works.portal.faults.add(Fault("late", method="sonet_group.create", delay_s=30))
    with killed_at(works.portal, 6, executed=False):
        works.assign(order([("Сварщик", 60)]))
    assert [0] == statuses(works, order([("Макетчик", 60)], id="another", number="1Ц-00000101"))
    assert [demo_company.GROUP] == picture(works.portal)["projects"]


SENT = order([("Сварщик", 60)])


@pytest.mark.parametrize(("method", "bare"), [("tasks.task.add", False), ("sonet_group.create", True)])
def test_what_left_late_is_looked_for_as_long_as_the_portal_may_work_on_it(
    method: str, bare: bool, tmp_path: Path
) -> None:
    """The client waited for the limit first: the minute counts from when the request left."""
    works = new_works(tmp_path, bare=bare)
    works.portal.faults.add(Fault("limit", method=method, times=5))
    works.portal.faults.add(Fault("late", method=method, delay_s=50))
    assert [0] == statuses(works, SENT)
    works.portal.run_late()
    assert ([[1]], [demo_company.GROUP]) == (
        [[len(tasks)] for tasks in works.tasks_of(SENT).values()],
        picture(works.portal)["projects"],
    )
    assert_sent_again_changes_nothing(works, SENT)


@pytest.mark.parametrize(("method", "bare"), [("tasks.task.add", False), ("sonet_group.create", True)])
def test_the_next_run_counts_from_when_the_request_left_too(method: str, bare: bool, tmp_path: Path) -> None:
    """The first run is dead before it looks."""
    works = new_works(tmp_path, bare=bare)
    works.portal.faults.add(Fault("limit", method=method, times=5))
    works.portal.faults.add(Fault("late", method=method, delay_s=58))
    with killed_at(works.portal, 11 if bare else 10, executed=False):
        works.assign(SENT)
    assert "late" == works.portal.log[-1].outcome
    assert [0] == statuses(works, SENT)
    works.portal.run_late()
    assert [demo_company.GROUP] == picture(works.portal)["projects"]
    assert [1] == [len(tasks) for tasks in works.tasks_of(SENT).values()]


@pytest.mark.parametrize("retry_s", [0, 10, 59])
def test_with_little_patience_nothing_is_sent_again_while_the_portal_may_work_on_it(
    retry_s: float, tmp_path: Path
) -> None:
    """The line says "try later", in the next run as well; repeating is safe."""
    works = new_works(tmp_path)
    works.portal.faults.add(Fault("late", method="tasks.task.add", delay_s=59.9))
    told = "an answer was lost, and the portal may still be making the task"
    for _run in range(2 if retry_s < 30 else 1):
        (result,) = works.assign(SENT, retry_s=retry_s)
        error = result.tasks[0].error
        assert ("failed", 75, told) == (result.outcome, result.exit_status, error and error.message)
    assert 1 == sum("tasks.task.add" in entry.methods for entry in works.portal.log)
    works.clock.now += timedelta(minutes=1)
    (result,) = works.assign(SENT, retry_s=retry_s)
    assert (0, [1]) == (result.exit_status, [len(tasks) for tasks in works.tasks_of(SENT).values()])
    assert_sent_again_changes_nothing(works, SENT)


def test_with_little_patience_what_was_never_made_is_made_by_a_later_run(tmp_path: Path) -> None:
    """The minute is over."""
    works = new_works(tmp_path)
    works.portal.faults.add(Fault("cut_before", method="tasks.task.add"))
    assert [75] == [result.exit_status for result in works.assign(SENT, retry_s=0)]
    works.clock.now += timedelta(minutes=1)
    assert [0] == [result.exit_status for result in works.assign(SENT, retry_s=0)]
    assert [1] == [len(tasks) for tasks in works.tasks_of(SENT).values()]


def test_the_progress_of_a_large_order_knows_its_end(tmp_path: Path) -> None:
    """Fifty commands to a batch, one of which asks about the people."""
    works = new_works(tmp_path)
    seen: list[tuple[str, int, int]] = []
    large = order([("Сварщик", 5)] * 60)
    with works.tools() as tools:
        clock = replace(tools.clock, progress=lambda stage, done, total: seen.append((stage, done, total)))
        assign.orders([large], replace(tools, clock=clock), rules())
    assert [("tasks", 49, 60), ("tasks", 60, 60)] == seen


def test_waiting_for_a_lock_is_told_once_with_its_holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait nobody notices is not. The holder may be another command that takes the same lock."""
    monkeypatch.setattr(locks, "NOTICEABLE_WAIT_S", 0.05)
    said: list[str] = []
    with locks.hold(tmp_path, "assign", 0, lambda: MONDAY, said.append, "replan"):
        for wait_s in (0.05, 0.2):
            with pytest.raises(errors.Busy), locks.hold(tmp_path, "assign", wait_s, lambda: MONDAY, said.append):
                pass
        note = tmp_path / "assign.lock.json"  # of an older version
        note.write_text('{"pid": 5, "since": "then"}', encoding="utf-8")
        text = "another run of `b24tools assign` is at work: process 5, since then"
        with pytest.raises(errors.Busy, match=text), locks.hold(tmp_path, "assign", 0, lambda: MONDAY):
            pass
    holder = f"process {os.getpid()}, since {MONDAY.isoformat()}"
    assert [f"waiting for another run of `b24tools replan`: {holder}"] == said
