"""One set of tasks on every kind of portal: keys of 50 or 200 characters, lost ledgers, spellings, errors that lie."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.assignment.report import OrderResult
from b24tools.core import errors
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.sandbox.faults import Fault
from tests.support.crash import ESTIMATE, FIRST_LINES, SKETCH, WANTED, Killed, new_works, picture, second_send
from tests.support.database import query
from tests.support.orders import Works, order

GUID = "11111111-2222-3333-4444-555555555555"
SPELLINGS = (GUID, GUID.upper(), "{" + GUID + "}", GUID.replace("-", ""), f"urn:uuid:{GUID}", f" {GUID} ")
WIDTHS: dict[str, dict[str, Any]] = {
    "cut to 50": {},
    "200": {"xml_id_width": 200},
    "refused over 50": {"xml_id_overflow": "refuse"},
}


def spelt(spelling: str, **changes: Any) -> onec_order.Order:
    """Six lines and two files, in an order whose ids are spelt so."""
    names = dict.fromkeys(name for name, _minutes in FIRST_LINES)
    ids = {name: f"{number:08x}-1111-2222-3333-444444444444" for number, name in enumerate(names, 1)}
    lines = tuple(
        onec_order.Line(position=name, position_id=spelling.replace(GUID, ids[name]), minutes=minutes)
        for name, minutes in FIRST_LINES
    )
    values: dict[str, Any] = {"files": (SKETCH, ESTIMATE), "wanted": WANTED, "customer": "ООО «Ромашка»"}
    made = order(id=spelling, **values | changes)
    return made.model_copy(update={"lines": lines})


def on_portal(folder: Path, kind: str) -> Works:
    """A plant on such a portal."""
    works = new_works(folder)
    for name, value in WIDTHS[kind].items():
        setattr(works.portal, name, value)
    return works


def assert_one_set(works: Works, result: OrderResult) -> None:
    """One task a line, one copy of each file."""
    made = picture(works.portal)
    ids = [task.task_id for task in result.tasks]
    assert (6, 6, 2) == (len(set(ids)), len(made["tasks"]), len(made["files"]))
    assert [2] * 6 == [len(row[-1]) for row in made["tasks"]]


@pytest.mark.long
@pytest.mark.parametrize("kind", WIDTHS)
def test_in_five_spellings_and_from_two_folders_it_is_one_set_of_tasks(kind: str, tmp_path: Path) -> None:
    """The ledger may be here, gone, or another: the portal has one task a line and one copy of each file."""
    works = on_portal(tmp_path / "a", kind)
    (result,) = works.assign(spelt(GUID))
    assert "created" == result.outcome
    before = picture(works.portal)
    for number, spelling in enumerate(SPELLINGS):
        works.clock.now += timedelta(minutes=2)
        works.folder = tmp_path / f"folder{number % 2}"
        writes = len(works.portal.writes())
        (result,) = works.assign(spelt(spelling))
        assert ("unchanged", GUID, []) == (result.outcome, result.id, works.portal.writes()[writes:])
        assert_one_set(works, result)
    assert before == picture(works.portal)


@pytest.mark.parametrize("kind", WIDTHS)
def test_a_change_sent_from_another_folder_is_on_the_portal_and_is_the_only_one(kind: str, tmp_path: Path) -> None:
    """What was sent is inferred from the tasks; then what 1C says now is written."""
    first, changed = spelt(GUID), spelt(GUID, customer="ООО «Лютик»", wanted=WANTED + timedelta(days=7))
    works, expected = on_portal(tmp_path / "a", kind), on_portal(tmp_path / "b", kind)
    for plant in (works, expected):
        plant.assign(first)
        plant.clock.now += timedelta(minutes=5)
    works.folder = tmp_path / "another"
    for plant in (works, expected):
        (result,) = plant.assign(changed)
        assert "updated" == result.outcome
    assert picture(expected.portal) == picture(works.portal)
    works.clock.now += timedelta(minutes=5)
    (result,) = works.assign(changed)
    assert ("unchanged", 6) == (result.outcome, len(picture(works.portal)["tasks"]))


def test_new_minutes_and_a_new_file_are_written_without_the_ledger(tmp_path: Path) -> None:
    """The figures in the answer are the portal's."""
    works = new_works(tmp_path)
    works.assign(order([("Сварщик", 60)], files=(SKETCH,)))
    works.clock.now += timedelta(minutes=5)
    works.folder = tmp_path / "another"
    (result,) = works.assign(order([("Сварщик", 120)], files=(SKETCH, ESTIMATE)))
    (task,) = result.tasks
    made = works.portal.tasks[task.task_id or 0]
    assert ("updated", 7200, 7200, 2) == (task.outcome, task.estimate_s, made.time_estimate, len(made.attachments))
    assert task.end is not None and task.end.timestamp() == made.end_plan


def test_a_deadline_moved_by_hand_stays_though_the_ledger_is_lost(tmp_path: Path) -> None:
    """The description still says the wanted date of the order: 1C has not moved it."""
    works = new_works(tmp_path)
    (result,) = works.assign(order(wanted=WANTED))
    moved = WANTED + timedelta(days=3)
    task_id = result.tasks[0].task_id or 0
    works.portal.act("tasks.task.update", {"taskId": task_id, "fields": {"DEADLINE": moved.isoformat()}})
    works.folder = tmp_path / "another"
    (again,) = works.assign(order(wanted=WANTED))
    assert ("unchanged", moved) == (again.outcome, again.tasks[0].deadline)


def test_a_description_edited_by_hand_is_left_and_said(tmp_path: Path) -> None:
    """Without the ledger it cannot be told which of its words came from 1C."""
    works = new_works(tmp_path)
    (result,) = works.assign(order(customer="ООО «Ромашка»"))
    task_id = result.tasks[0].task_id or 0
    works.portal.act("tasks.task.update", {"taskId": task_id, "fields": {"DESCRIPTION": "Сначала позвонить"}})
    works.folder = tmp_path / "another"
    (again,) = works.assign(order(customer="ООО «Ромашка»"))
    said = f"somebody has edited the description of task {task_id}: it does not say what the order does"
    assert ("unchanged", (said,)) == (again.outcome, again.tasks[0].warnings)
    assert "Сначала позвонить" == works.portal.tasks[task_id].description


def line(position: str, minutes: float, position_id: str | None = None) -> onec_order.Line:
    return onec_order.Line(position=position, minutes=minutes, position_id=position_id)


@pytest.mark.long
@pytest.mark.parametrize("lost", [False, True], ids=["ledger", "no ledger"])
@pytest.mark.parametrize(
    ("before", "after"),
    [("P-1", None), (None, "P-1"), (GUID, "{" + GUID.upper() + "}"), ("P-1", "P-2")],
    ids=["became empty", "appeared", "other spelling", "another one"],
)
def test_a_positions_id_that_changes_is_still_that_line(
    before: str | None, after: str | None, lost: bool, tmp_path: Path
) -> None:
    """The position's name tells."""
    works = new_works(tmp_path)
    (first,) = works.assign(order(lines=()).model_copy(update={"lines": (line("Сварщик", 60, before),)}))
    if lost:
        works.folder = tmp_path / "another"
    (again,) = works.assign(order(lines=()).model_copy(update={"lines": (line("Сварщик", 60, after),)}))
    for _send in range(2):
        assert ("unchanged", [first.tasks[0].task_id]) == (again.outcome, [task.task_id for task in again.tasks])
        works.clock.now += timedelta(minutes=2)
        (again,) = works.assign(order(lines=()).model_copy(update={"lines": (line("Сварщик", 60, after),)}))


def test_repeated_lines_meet_their_tasks_by_minutes(tmp_path: Path) -> None:
    """1C may send them in another order, with the ledger or without it."""
    works = new_works(tmp_path)
    (first,) = works.assign(order([("Сварщик", 60), ("Сварщик", 30)]))
    expected = [task.task_id for task in reversed(first.tasks)]
    for folder in (tmp_path, tmp_path / "another", tmp_path / "another"):
        works.folder = folder
        works.clock.now += timedelta(minutes=2)
        (again,) = works.assign(order([("Сварщик", 30), ("Сварщик", 60)]))
        assert ("unchanged", expected) == (again.outcome, [task.task_id for task in again.tasks])


def test_a_line_that_comes_where_one_of_its_position_went_takes_over_the_task(tmp_path: Path) -> None:
    """1C's costing was made anew: the position has another id and other minutes."""
    works = new_works(tmp_path)
    made = order(lines=()).model_copy(update={"lines": (line("Сварщик", 60, "P-1"), line("Макетчик", 30, "P-2"))})
    (first,) = works.assign(made)
    works.clock.now += timedelta(minutes=2)
    anew = made.model_copy(update={"lines": (line("Макетчик", 30, "P-2"), line("Сварщик", 90, "P-9"))})
    (again,) = works.assign(anew)
    assert [("unchanged", first.tasks[1].task_id), ("updated", first.tasks[0].task_id)] == [
        (task.outcome, task.task_id) for task in again.tasks
    ]
    assert 5400 == works.portal.tasks[first.tasks[0].task_id or 0].time_estimate


# errors that lie


@pytest.mark.long
@pytest.mark.parametrize("alone", [False, True], ids=["in a batch", "alone"])
@pytest.mark.parametrize("code", ["ERROR_UNKNOWN_ADD_TASK_ERROR", "ERROR_CORE", "0"])
def test_an_error_of_add_that_made_the_task_makes_no_second_one(alone: bool, code: str, tmp_path: Path) -> None:
    """The row is saved before the chat, the files and the history: the key is looked up before the line is booked."""
    works = new_works(tmp_path)
    position = "Сварщик"
    sent = order([(position, 60)], files=(SKETCH,), customer="$result[x]" if alone else "ООО «Ромашка»")
    works.portal.faults.add(Fault("error", method="tasks.task.add", code=code, executed=True))
    (result,) = works.assign(sent)
    assert ("created", 0) == (result.outcome, result.exit_status)
    assert result.tasks[0].warnings[0].startswith(f"the portal made task {result.tasks[0].task_id}, but answered with")
    works.clock.now += timedelta(minutes=2)
    (again,) = works.assign(sent)
    (made,) = picture(works.portal)["tasks"]
    assert ("unchanged", 1) == (again.outcome, len(made[-1]))


@pytest.mark.parametrize("code", ["ERROR_CORE", "ERROR_TASK_CREATE_ACCESS_DENIED"])
def test_an_error_of_add_that_made_nothing_fails_the_line_and_the_next_send_makes_it(code: str, tmp_path: Path) -> None:
    """One look more, where the code does not say that nothing was done."""
    works = new_works(tmp_path)
    works.portal.faults.add(Fault("error", method="tasks.task.add", code=code))
    (result,) = works.assign(order())
    assert ("failed", 1) == (result.outcome, result.exit_status)
    (again,) = works.assign(order())
    assert ("created", 1) == (again.outcome, len(picture(works.portal)["tasks"]))


def test_what_a_small_tariff_drops_is_said_once_and_remembered(tmp_path: Path) -> None:
    """The tasks are found again all the same."""
    works = new_works(tmp_path)
    works.portal.small_tariff = True
    (result,) = works.assign(order([("Сварщик", 60), ("Макетчик", 30)]))
    said = [warning for warning in result.warnings if "dropped" in warning]
    assert 1 == len(said) and "GROUP_ID" in said[0]
    with works.tools() as tools:
        assert "GROUP_ID" in tools.store.notices.dropped_fields()
    works.clock.now += timedelta(minutes=2)
    (again,) = works.assign(order([("Сварщик", 60), ("Макетчик", 30)]))
    assert ("unchanged", 2) == (again.outcome, len(picture_without_groups(works)))


def picture_without_groups(works: Works) -> list[str]:
    """The titles of the tasks with keys of ours."""
    return [task.title for task in works.portal.tasks if (task.xml_id or "").startswith("1c:")]


# a ledger that is older than the portal


@pytest.mark.sqlite
def test_a_restored_database_is_noticed_and_the_portals_values_win(tmp_path: Path) -> None:
    """Restored to before a change of the order: what 1C says now is on the portal, and files hang there once."""
    works = new_works(tmp_path)
    works.assign(spelt(GUID))
    database = tmp_path / "b24tools.db"
    backup = database.read_bytes()
    for _restore in range(2):
        works.clock.now += timedelta(minutes=5)
        works.assign(spelt(GUID, customer="ООО «Лютик»"))
        for leftover in (tmp_path / "b24tools.db-wal", tmp_path / "b24tools.db-shm"):
            leftover.unlink(missing_ok=True)
        database.write_bytes(backup)
        works.clock.now += timedelta(minutes=5)
        (result,) = works.assign(spelt(GUID))
        assert [True] == ["was a backup restored" in text for text in result.warnings]
        assert "updated" == result.outcome
        assert_one_set(works, result)
        assert {"Заказчик: ООО «Ромашка»\nДата сдачи: 04.12.2026"} == {row[9] for row in picture(works.portal)["tasks"]}
        works.clock.now += timedelta(minutes=5)
        (again,) = works.assign(spelt(GUID))
        assert ("unchanged", ()) == (again.outcome, again.warnings)


@pytest.mark.sqlite
def test_an_emptied_database_is_noticed(tmp_path: Path) -> None:
    """A file of no bytes would be a new database to SQLite: it is refused, and moved away it is a lost one."""
    works = new_works(tmp_path)
    works.assign(spelt(GUID))
    for leftover in (tmp_path / "b24tools.db-wal", tmp_path / "b24tools.db-shm"):
        leftover.unlink(missing_ok=True)
    (tmp_path / "b24tools.db").write_bytes(b"")
    works.clock.now += timedelta(minutes=5)
    with pytest.raises(errors.ConfigError, match="is empty"):
        works.assign(spelt(GUID))
    (tmp_path / "b24tools.db").unlink()
    (result,) = works.assign(spelt(GUID))
    assert ("unchanged", [True]) == (result.outcome, ["was a backup restored" in text for text in result.warnings])
    assert_one_set(works, result)


def test_tasks_that_another_folder_made_are_noticed_once(tmp_path: Path) -> None:
    """Two ledgers for one portal: this one says so, once for each task it did not know."""
    works = new_works(tmp_path / "a")
    works.assign(order([("Сварщик", 60)], id="one"))
    works.folder = tmp_path / "b"
    works.assign(order([("Сварщик", 60)], id="two", number="1Ц-2"))
    works.folder = tmp_path / "a"
    said = [works.assign(order([("Сварщик", 60)], id="one"))[0].warnings for _send in range(2)]
    assert [1, 0] == [len(warnings) for warnings in said]


# a cancelled order


@pytest.mark.parametrize("flag", ["marked_for_deletion", "called_off"])
def test_a_cancelled_order_frees_its_people_and_comes_back(flag: str, tmp_path: Path) -> None:
    """Untouched tasks are deferred, begun ones named; back to false renews them."""
    works = new_works(tmp_path)
    sent = order([("Сварщик", 60), ("Макетчик", 30)])
    (first,) = works.assign(sent)
    welding, drawing = (task.task_id or 0 for task in first.tasks)
    works.portal.act("tasks.task.start", {"taskId": drawing})
    works.clock.now += timedelta(minutes=2)
    (result,) = works.assign(sent.model_copy(update={flag: True}))
    assert [("updated", 6, 0), ("unchanged", 3, 1)] == [
        (task.outcome, works.portal.tasks[task.task_id or 0].status, len(task.warnings)) for task in result.tasks
    ]
    assert f"has begun task {drawing}" in result.tasks[1].warnings[0]
    works.clock.now += timedelta(minutes=2)
    (again,) = works.assign(sent.model_copy(update={flag: True}))
    assert "unchanged" == again.outcome
    works.clock.now += timedelta(minutes=2)
    (back,) = works.assign(sent)
    assert ("updated", 2) == (back.tasks[0].outcome, works.portal.tasks[welding].status)
    works.clock.now += timedelta(minutes=2)
    assert "unchanged" == works.assign(sent)[0].outcome


def test_a_cancelled_order_that_is_new_makes_nothing(tmp_path: Path) -> None:
    """And says so."""
    works = new_works(tmp_path)
    (result,) = works.assign(order(called_off=True))
    said = ("the order is cancelled and has no task for this line: none is made",)
    assert ("unchanged", said, []) == (result.outcome, result.tasks[0].warnings, works.portal.writes())


def test_a_task_that_a_person_deferred_is_left_and_said(tmp_path: Path) -> None:
    """Only what we put off do we take up again."""
    works = new_works(tmp_path)
    (first,) = works.assign(order())
    task_id = first.tasks[0].task_id or 0
    works.portal.act("tasks.task.defer", {"taskId": task_id})
    (again,) = works.assign(order())
    assert (6, 1) == (works.portal.tasks[task_id].status, len(again.tasks[0].warnings))


# clocks


@pytest.mark.long
@pytest.mark.parametrize("skew", [-600, -30, 30, 600, 400 * 86400])
def test_with_a_wrong_clock_the_plan_is_by_the_portals_time(skew: int, tmp_path: Path) -> None:
    """Exact tasks and exact minutes; the next run with the right clock finds all as it is."""
    expected, works = new_works(tmp_path / "a"), new_works(tmp_path / "b")
    expected.assign(spelt(GUID))
    true = works.clock
    works.machine_clock = lambda: true() + timedelta(seconds=skew)
    (result,) = works.assign(spelt(GUID))
    assert ("created", abs(skew) >= 600) == (result.outcome, any("clock" in text for text in result.warnings))
    assert picture(expected.portal) == picture(works.portal)
    works.machine_clock = None
    true.now += timedelta(minutes=2)
    (again,) = works.assign(spelt(GUID))
    assert ("unchanged", ()) == (again.outcome, again.warnings)


@pytest.mark.long
@pytest.mark.parametrize(("first", "second"), [(-600, 600), (600, -600), (0, 600), (600, 0), (30, -30), (-30, 30)])
@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
def test_two_tries_with_a_clock_step_between_make_no_second_task(
    first: int, second: int, dies: bool, tmp_path: Path
) -> None:
    """The first send is carried out 50 s late; the clock of the machine is set between the two tries."""
    works, skew = new_works(tmp_path), first
    true, sent, handle = works.clock, order([("Сварщик", 60), ("Макетчик", 30)]), works.portal.handle
    works.machine_clock = lambda: true() + timedelta(seconds=skew)
    works.portal.faults.add(Fault("late", method="tasks.task.add", delay_s=50))

    def deadly(*args: Any, **kwargs: Any) -> Any:
        if dies and not len(works.portal.faults):
            raise Killed
        return handle(*args, **kwargs)

    works.portal.handle = deadly  # type: ignore[method-assign]
    with suppress(Killed):
        works.assign(sent, retry_s=5)
    works.portal.handle = handle  # type: ignore[method-assign]
    skew = second
    true.now += timedelta(seconds=10)
    assert [0] == [result.exit_status for result in works.assign(sent)]
    true.now += timedelta(minutes=2)
    works.portal.run_late()
    (again,) = works.assign(sent)
    assert ("unchanged", 2) == (again.outcome, len(picture(works.portal)["tasks"]))


def test_a_write_dated_ahead_by_an_earlier_version_is_found_and_not_waited_for(tmp_path: Path) -> None:
    """0.1 noted its own clock, which may have been 400 days ahead."""
    works = new_works(tmp_path, keep_xml_id=False)
    works.portal.faults.add(Fault("cut_after", method="tasks.task.add"))
    works.portal.faults.add(Fault("unreachable", times=100, method="tasks.task.list", skip=2))
    with suppress(Killed):
        works.assign(order(), retry_s=1)
    works.portal.faults.clear()
    change = "UPDATE order_tasks SET state = 'writing', task_id = NULL, writing_since = ?"
    query(tmp_path / "b24tools.db", change, "2028-01-01T00:00:00+00:00")
    works.clock.now += timedelta(minutes=5)
    works.clock.slept.clear()
    (again,) = works.assign(order())
    assert (0, [], 1) == (again.exit_status, works.clock.slept, len(picture(works.portal)["tasks"]))


def test_a_late_update_is_waited_for_though_the_task_was_changed_by_a_person(tmp_path: Path) -> None:
    """A newer CHANGED_DATE proves nothing: only the values of the update do."""
    works = new_works(tmp_path)
    works.assign(order(customer="ООО «Ромашка»", wanted=WANTED))
    works.clock.now += timedelta(minutes=5)
    works.portal.faults.add(Fault("late", method="tasks.task.update", delay_s=40))
    assert [75] == [result.exit_status for result in works.assign(order(customer="ООО «Ромашка»"))]
    works.clock.now += timedelta(seconds=5)
    (task,) = (task for task in works.portal.tasks if (task.xml_id or "").startswith("1c:"))
    works.portal.act("tasks.task.update", {"taskId": task.id, "fields": {"PRIORITY": 2}})
    later = WANTED + timedelta(days=3)
    assert [0] == [result.exit_status for result in works.assign(order(customer="ООО «Ромашка»", wanted=later))]
    works.clock.now += timedelta(minutes=2)
    works.portal.run_late()
    assert later.date() == datetime.fromtimestamp(task.deadline or 0, later.tzinfo).date()


def test_a_changed_order_after_a_lost_ledger_is_as_if_nothing_was_lost(tmp_path: Path) -> None:
    """All kinds of changes at once: minutes, a new line, another customer, one more file."""
    works, expected = new_works(tmp_path / "a"), new_works(tmp_path / "b")
    for plant in (works, expected):
        plant.assign(order(FIRST_LINES, wanted=WANTED, customer="ООО «Ромашка»", files=(SKETCH, ESTIMATE)))
        plant.clock.now += timedelta(minutes=5)
    works.folder = tmp_path / "another"
    for plant in (works, expected):
        plant.assign(second_send())
    assert picture(expected.portal) == picture(works.portal)


def test_changes_of_a_cancelled_order_are_written_when_it_comes_back(tmp_path: Path) -> None:
    """What was not written while it was cancelled does not count as sent."""
    works = new_works(tmp_path)
    (first,) = works.assign(order(customer="ООО «Ромашка»"))
    works.assign(order(customer="ООО «Лютик»", called_off=True))
    works.clock.now += timedelta(minutes=2)
    (back,) = works.assign(order(customer="ООО «Лютик»"))
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    assert ("updated", 2, "Заказчик: ООО «Лютик»") == (back.outcome, task.status, task.description)
    works.clock.now += timedelta(minutes=2)
    assert ["unchanged"] == [result.outcome for result in works.assign(order(customer="ООО «Лютик»"))]


# whose webhook it is


def creator_of(works: Works, result: OrderResult) -> int:
    return works.portal.tasks[result.tasks[0].task_id or 0].creator


def test_a_webhook_that_outlived_its_owner_makes_no_task_that_belongs_to_nobody(tmp_path: Path) -> None:
    """B24_FALLBACK_USER creates it; without one the line fails, and says what to do."""
    works = new_works(tmp_path)
    works.portal.dismiss_owner()
    (result,) = works.assign(order(department=None))
    assert ("failed", []) == (result.outcome, works.portal.writes())
    assert result.tasks[0].error is not None and "B24_FALLBACK_USER" in result.tasks[0].error.hint
    (again,) = works.assign(order(department=None), fallback_user=7)
    assert ("created", 7) == (again.outcome, creator_of(works, again))


def test_the_owner_is_the_creator_though_a_login_stands_in_the_address(tmp_path: Path) -> None:
    """His id is told by `profile` alone."""
    works = new_works(tmp_path)
    works.webhook_url = works.portal.webhook_url("https://portal.example").replace("/rest/1/", "/rest/admin/")
    (result,) = works.assign(order(department=None))
    assert ("created", 1) == (result.outcome, creator_of(works, result))


# what a sceptical reader found


def test_a_line_that_goes_and_comes_back_after_a_lost_ledger_keeps_its_task(tmp_path: Path) -> None:
    """Its task carries the key of an id that the line has no more."""
    works = new_works(tmp_path)
    both = (line("Сварщик", 60, "P-1"), line("Макетчик", 30, "P-2"))
    (first,) = works.assign(order(lines=()).model_copy(update={"lines": both}))
    works.folder = tmp_path / "another"
    nameless = (both[0], line("Макетчик", 30))
    for lines in (nameless, both[:1], nameless):
        works.clock.now += timedelta(minutes=2)
        (again,) = works.assign(order(lines=()).model_copy(update={"lines": lines}))
        assert ["unchanged", 2] == [again.outcome, len(again.tasks)]
        assert [task.task_id for task in first.tasks] == [task.task_id for task in again.tasks]


def test_a_line_that_a_dead_run_only_planned_is_compared_with_the_task_that_is_found(tmp_path: Path) -> None:
    """The ledger has what was planned, not what was sent; the task carries another key of its position."""
    works = new_works(tmp_path)
    (first,) = works.assign(order(lines=()).model_copy(update={"lines": (line("Сварщик", 60, "P-1"),)}))
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    works.folder = tmp_path / "another"
    changed = order(lines=()).model_copy(update={"lines": (line("Сварщик", 90, "P-2"),)})
    works.assign(order(id="two", number="1Ц-2"))
    with works.tools() as tools:
        tools.store.orders.save(changed.id, changed.number, works.clock())
        known = next(iter(tools.store.orders.lines(["two"]).values()))
        planned = {"onec": {**known.sent_values["onec"], "title": "Сварщик: 1Ц-00000100", "minutes": 90.0}}
        row = replace(known, key=task_fields.line_keys(changed)[0], order_id=changed.id, title="Сварщик: 1Ц-00000100")
        tools.store.orders.save_lines(
            [replace(row, state="planned", task_id=None, sent_values=planned, estimate_s=5400)]
        )
    for outcome in ("updated", "unchanged", "unchanged"):
        works.clock.now += timedelta(minutes=2)
        (again,) = works.assign(changed)
        assert (outcome, task.id, 5400) == (again.outcome, again.tasks[0].task_id, task.time_estimate)


def test_a_line_without_an_id_keeps_its_task_beside_one_with_an_id(tmp_path: Path) -> None:
    """The key by the name of the one is the own key of the other."""
    works = new_works(tmp_path)
    lines = (line("Сварщик", 60, "P-1"), line("Сварщик", 60))
    (first,) = works.assign(order(lines=()).model_copy(update={"lines": lines}))
    for folder in ("another", "another", "third"):
        works.folder = tmp_path / folder
        works.clock.now += timedelta(minutes=2)
        (again,) = works.assign(order(lines=()).model_copy(update={"lines": lines}))
        assert [task.task_id for task in first.tasks] == [task.task_id for task in again.tasks]


def test_what_another_folder_wrote_is_compared_and_said(tmp_path: Path) -> None:
    """Two ledgers for one portal, one after the other: the last send counts."""
    works = new_works(tmp_path / "a")
    old, new = order(wanted=WANTED), order([("Сварщик", 500)], wanted=WANTED + timedelta(days=7))
    (first,) = works.assign(old)
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    before = (task.time_estimate, task.deadline)
    for folder, sent in (("b", new), ("a", old), ("b", new), ("a", old)):
        works.folder = tmp_path / folder
        works.clock.now += timedelta(minutes=2)
        (result,) = works.assign(sent)
        assert ("updated", 1) == (result.outcome, len(result.warnings))
    assert before == (task.time_estimate, task.deadline)


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "late"])
@pytest.mark.parametrize("method", ["tasks.task.defer", "tasks.task.renew"])
def test_a_cancelled_order_comes_back_whatever_was_cut(method: str, kind: Any, tmp_path: Path) -> None:
    """The intention is noted before the request leaves; what may still run is waited for."""
    works = new_works(tmp_path)
    (first,) = works.assign(order())
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    off = order(called_off=True)
    steps = [off] if method == "tasks.task.defer" else [off, order()]
    works.portal.faults.add(Fault(kind, method=method, delay_s=50 if kind == "late" else None))
    for sent in steps:
        works.clock.now += timedelta(minutes=2)
        works.assign(sent)
    works.clock.now += timedelta(seconds=5)
    works.assign(order())  # within the minute in which the portal may still be at work: busy, or done
    works.clock.now += timedelta(minutes=2)
    works.portal.run_late()
    for _send in range(2):
        (back,) = works.assign(order())
        assert (0, 2) == (back.exit_status, task.status)
        works.clock.now += timedelta(minutes=2)
    assert ("unchanged", ()) == (back.outcome, back.tasks[0].warnings)


def test_a_change_in_a_cancelled_order_from_another_folder_is_written_when_it_comes_back(tmp_path: Path) -> None:
    """Nothing of it was written when it was cancelled."""
    works = new_works(tmp_path)
    (first,) = works.assign(order())
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    works.folder = tmp_path / "another"
    for sent in (order([("Сварщик", 120)], called_off=True), order([("Сварщик", 120)])):
        works.clock.now += timedelta(minutes=2)
        works.assign(sent)
    assert (2, 7200) == (task.status, task.time_estimate)


def test_a_cancelled_order_without_its_lines_frees_its_people_too(tmp_path: Path) -> None:
    """1C may empty the costing of what it cancels."""
    works = new_works(tmp_path)
    (first,) = works.assign(order([("Сварщик", 60), ("Макетчик", 30)]))
    (result,) = works.assign(order(lines=(), called_off=True))
    assert [6, 6] == [works.portal.tasks[task.task_id or 0].status for task in first.tasks]
    assert ["updated", "updated"] == [task.outcome for task in result.tasks]


def test_an_attachment_that_cannot_be_read_stops_no_order(tmp_path: Path) -> None:
    """A person hung it there; its file is gone."""
    works = new_works(tmp_path)
    works.assign(order(files=(SKETCH,)))
    works.portal.faults.add(Fault("error", method="disk.attachedobject.get", times=9))
    (result,) = works.assign(order(files=(SKETCH, ESTIMATE)))
    assert ("updated", 0) == (result.outcome, result.exit_status)


def test_with_the_ledger_lost_no_file_is_attached_while_it_cannot_be_read_what_hangs_there(tmp_path: Path) -> None:
    """It would hang there twice; the next send looks again."""
    works = new_works(tmp_path)
    (first,) = works.assign(order(files=(SKETCH,)))
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    works.folder = tmp_path / "another"
    works.portal.faults.add(Fault("error", method="disk.attachedobject.get", description="no"))

    results = [works.assign(order(files=(SKETCH, ESTIMATE)))[0] for _send in range(3)]

    reason = "disk.attachedObject.get: no (ERROR_CORE)"
    assert [(task.id, reason), (task.id, "None"), (task.id, "None")] == [
        (result.tasks[0].task_id, str(result.tasks[0].error)) for result in results
    ]
    assert ["failed", "updated", "unchanged"] == [result.outcome for result in results]
    assert 2 == len(task.attachments)


@pytest.mark.parametrize("code", ["ACCESS_DENIED", "ERROR_NOT_FOUND"])
def test_an_attachment_that_is_not_ours_stops_no_order_of_a_lost_ledger(code: str, tmp_path: Path) -> None:
    """Somebody else's, or one whose file is gone."""
    works = new_works(tmp_path)
    (first,) = works.assign(order())
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    foreign = works.portal.add_file(next(iter(works.portal.disk.storages.values())).root, "foreign.txt", b"x")
    works.portal.act("tasks.task.files.attach", {"taskId": task.id, "fileId": foreign.id})
    works.folder = tmp_path / "another"
    works.portal.faults.add(Fault("error", method="disk.attachedobject.get", code=code))

    (result,) = works.assign(order(files=(SKETCH,)))

    assert ("updated", 0, 2) == (result.outcome, result.exit_status, len(task.attachments))


def test_with_the_ledger_lost_a_finished_task_is_the_lines_and_its_open_copy_is_not(tmp_path: Path) -> None:
    """The older one is ours."""
    works = new_works(tmp_path)
    (first,) = works.assign(order())
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    works.portal.act("tasks.task.complete", {"taskId": task.id})
    copy = works.portal.add_task(
        task.title, responsible=task.responsible, creator=task.creator, group=task.group, xml_id=task.xml_id
    )
    works.folder = tmp_path / "another"
    (again,) = works.assign(order(called_off=True))
    assert (task.id, 2) == (again.tasks[0].task_id, works.portal.tasks[copy.id].status)


def test_on_a_portal_that_drops_keys_a_lost_ledger_swallows_no_change(tmp_path: Path) -> None:
    """The description shows that the task is ours."""
    works = new_works(tmp_path, keep_xml_id=False)
    (first,) = works.assign(order(customer="ООО «Ромашка»", files=(SKETCH,)))
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    works.folder = tmp_path / "another"
    works.assign(order([("Сварщик", 120)], customer="ООО «Ромашка»", files=(SKETCH, ESTIMATE)))
    assert (7200, 2) == (task.time_estimate, len(task.attachments))


def test_a_title_taken_back_while_its_change_may_be_under_way_is_written(tmp_path: Path) -> None:
    """A change of unknown fate, and the order as it was before."""
    works = new_works(tmp_path)
    (first,) = works.assign(order())
    task = works.portal.tasks[first.tasks[0].task_id or 0]
    works.clock.now += timedelta(minutes=5)
    works.portal.faults.add(Fault("late", method="tasks.task.update", delay_s=50))
    works.assign(order(number="1Ц-00000100/2"))
    works.clock.now += timedelta(seconds=5)
    assert [0] == [result.exit_status for result in works.assign(order())]
    works.clock.now += timedelta(minutes=2)
    works.portal.run_late()
    assert "Сварщик: 1Ц-00000100" == task.title


def test_a_hand_made_change_survives_tasks_that_another_folder_made(tmp_path: Path) -> None:
    """Those are said; an order that nobody changed stays as people have it."""
    works = new_works(tmp_path / "a")
    (first,) = works.assign(order(id="one"))
    task_id = first.tasks[0].task_id or 0
    works.portal.act("tasks.task.update", {"taskId": task_id, "fields": {"TIME_ESTIMATE": 9000}})
    works.folder = tmp_path / "b"
    works.assign(order(id="two", number="1Ц-2"))
    works.folder = tmp_path / "a"
    (again,) = works.assign(order(id="one"))
    assert ("unchanged", 9000) == (again.outcome, works.portal.tasks[task_id].time_estimate)
    assert (f"the estimate of task {task_id} was changed on the portal: it was left",) == (again.tasks[0].warnings)
