"""What is done about a line whose last write may be unknown: the table, and how a line is found in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.assignment.recovery import (
    EXECUTES_S,
    TABLE,
    Shown,
    Todo,
    WriteState,
    decide,
    format_table,
    is_under_way,
)
from b24tools.core.models import Status, Task
from b24tools.store.orders import LedgerTask

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
KEY = "1c:the line's"
TASK = Task(
    id=7,
    status=Status.PENDING,
    responsible_id=3,
    title="Сварщик: 1Ц-1",
    xml_id=KEY,
    group_id=1,
    created_by=1,
    created_at=NOW,
    changed_at=NOW,
    deadline=None,
    start=NOW,
    end=NOW + timedelta(hours=1),
    estimate_s=3600,
    spent_s=0,
    auditor_ids=(2, 1),
)


def row(state: str = "done", **changes: Any) -> LedgerTask:
    """A line's row, that of TASK if nothing else is said."""
    known = LedgerTask(
        key=KEY,
        order_id="7",
        line=0,
        position="Сварщик",
        title=TASK.title,
        state=state,
        task_id=TASK.id,
        responsible_id=3,
        department_id=1,
        start=TASK.start,
        end=TASK.end,
        deadline=None,
        estimate_s=3600,
        sent_values={},
        assigned_at=NOW,
        writing_since=None,
    )
    return replace(known, **changes)


def under_way(**fields: Any) -> LedgerTask:
    """A row whose update with these fields was not answered."""
    return row(writing_since=NOW, sent_values={"under_way": fields})


def test_every_state_has_something_for_no_task_and_for_a_foreign_one() -> None:
    """Whatever the ledger knows, the portal may have lost the task, or have another."""
    assert set(WriteState) == TABLE.keys()
    assert all({Shown.NOTHING, Shown.OTHER_TASK} <= row.keys() for row in TABLE.values())


def test_no_task_is_made_where_one_is_shown_and_none_twice_while_one_may_be_under_way() -> None:
    """The two sentences that the table exists for."""
    for of_state in TABLE.values():
        assert {Todo.ADD} == {step.todo for shown, step in of_state.items() if shown is Shown.NOTHING}
        assert Todo.ADD not in {step.todo for shown, step in of_state.items() if shown is not Shown.NOTHING}


def test_each_test_of_the_table_exists() -> None:
    """A renamed test would leave a row without one."""
    folder = next(folder for folder in Path(__file__).parents if folder.name == "tests")
    tests = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("test_*.py"))
    named = {step.test for of_state in TABLE.values() for step in of_state.values()}
    assert [] == [test for test in sorted(named) if f"def {test}(" not in tests]


def test_the_table_is_printed_in_markdown() -> None:
    """A line for each row, for the page about the architecture."""
    lines = format_table().splitlines()
    assert sum(map(len, TABLE.values())) + 2 == len(lines)
    assert "| unknown | no task | make the task | The line is new. |" in lines[2]
    assert {6} == {line.count("|") for line in lines}


CASES: dict[str, tuple[LedgerTask | None, Task | None, dict[str, bool], WriteState, Shown]] = {
    "new": (None, None, {}, WriteState.UNKNOWN, Shown.NOTHING),
    "lost ledger": (None, TASK, {}, WriteState.UNKNOWN, Shown.OTHER_TASK),
    "planned": (row("planned", task_id=None), None, {}, WriteState.PLANNED, Shown.NOTHING),
    "planned, and there": (row("planned", task_id=None), TASK, {}, WriteState.PLANNED, Shown.OTHER_TASK),
    "project was being made": (
        row("planned", task_id=None, writing_since=NOW),
        None,
        {},
        WriteState.PLANNED,
        Shown.NOTHING,
    ),
    "being made": (row("writing", task_id=None, writing_since=NOW), TASK, {}, WriteState.ADDING, Shown.ITS_TASK),
    "made without its key": (
        row("writing", task_id=None, writing_since=NOW),
        replace(TASK, xml_id=""),
        {},
        WriteState.ADDING,
        Shown.ITS_TASK,
    ),
    "made under another key": (
        row("writing", task_id=None, writing_since=NOW),
        replace(TASK, xml_id="1c:another"),
        {},
        WriteState.ADDING,
        Shown.OTHER_TASK,
    ),
    "never made": (row("writing", task_id=None, writing_since=NOW), None, {}, WriteState.ADDING, Shown.NOTHING),
    "being changed": (under_way(TITLE="Другое"), TASK, {}, WriteState.CHANGING, Shown.ITS_TASK),
    "a change nobody noted": (under_way(), TASK, {}, WriteState.CHANGING, Shown.ITS_TASK),
    "a value that no task shows": (under_way(TAGS=["x"]), TASK, {}, WriteState.CHANGING, Shown.ITS_TASK),
    "changed": (
        under_way(TITLE=TASK.title, AUDITORS=[1, 2], DEADLINE="", START_DATE_PLAN="2026-11-23T07:00:00+03:00"),
        TASK,
        {},
        WriteState.CHANGING,
        Shown.ITS_VALUES,
    ),
    "being put off": (under_way(), TASK, {"under_way": True}, WriteState.CHANGING, Shown.UNDER_WAY),
    "perhaps being made": (
        row("writing", task_id=None, writing_since=NOW),
        None,
        {"under_way": True},
        WriteState.ADDING,
        Shown.UNDER_WAY,
    ),
    "deleted while being changed": (under_way(), None, {}, WriteState.CHANGING, Shown.NOTHING),
    "restored while being changed": (under_way(), TASK, {"compare": True}, WriteState.CHANGING, Shown.OTHER_TASK),
    "done": (row(), TASK, {}, WriteState.DONE, Shown.ITS_TASK),
    "deleted": (row(), None, {}, WriteState.DONE, Shown.NOTHING),
    "another task of its key": (row(), replace(TASK, id=8), {}, WriteState.DONE, Shown.OTHER_TASK),
    "restored": (row(), TASK, {"compare": True}, WriteState.DONE, Shown.OTHER_TASK),
}


@pytest.mark.parametrize("name", CASES)
def test_a_line_is_found_in_the_table(name: str) -> None:
    """By its row in the ledger and the task that the portal shows."""
    known, task, how, state, shown = CASES[name]
    assert decide(known, task, **how) is TABLE[state][shown]


@pytest.mark.parametrize(("seconds", "expected"), [(0, True), (EXECUTES_S, True), (EXECUTES_S + 1, False)])
def test_a_request_may_be_under_way_for_a_minute(seconds: int, expected: bool) -> None:
    """Then the portal has cut it."""
    assert expected is is_under_way(row(writing_since=NOW), NOW + timedelta(seconds=seconds))
    assert not is_under_way(row(), NOW)


def test_the_architecture_page_shows_the_table_as_it_is() -> None:
    """It is printed by the code that looks it up."""
    page = (Path(__file__).parent.parent.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert format_table().strip() == page.partition("<!-- recovery -->\n")[2].partition("\n<!-- end -->")[0]
