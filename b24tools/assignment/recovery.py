"""What to do about a line whose last write may be unknown: a table, and how to find out what the portal has done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from enum import Enum
from typing import Any

from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.tools import CLOCK_ERROR, RunClock
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Status, Task
from b24tools.core.timestamps import from_text
from b24tools.store.lost_writes import LostWrite
from b24tools.store.orders import LedgerTask

EXECUTES_S = 60  # the portal cuts a request of its own after this long: then a lost write is settled
CLOCKS_APART = timedelta(hours=1)  # at most, where only this machine's clock is known
TOUCHED_S = 5  # the portal itself may change a task this long after making it
ANSWERED_AT = "answered_at"  # among the sent values: when the last write was answered, by the portal's clock


class WriteState(Enum):
    """How far the ledger knows a line's last write. An answer with an error leads back to PLANNED or DONE."""

    UNKNOWN = "unknown"  # the ledger has no row: a new line, or a lost database
    PLANNED = "planned"  # noted before the first request; `order_tasks.state` is `planned`
    ADDING = "adding"  # a request that makes the task has left and was not answered; `writing`
    CHANGING = "changing"  # one that changes it has left and was not answered; `done`, with `writing_since`
    DONE = "done"  # the last request was answered; `done`, without


class Shown(Enum):
    """What the portal shows of a line."""

    NOTHING = "no task"
    UNDER_WAY = "it may still be at work on the request"
    ITS_TASK = "the task that the ledger means"
    ITS_VALUES = "that task, with all values of the request"
    OTHER_TASK = "a task with the line's key or title that the ledger does not mean, or knows less of than the portal"


class Todo(Enum):
    """What is done about it."""

    ADD = "make the task"
    CHANGE = "write what 1C has changed since the ledger's last send"
    COMPARE = "write what the order has and the task does not show"
    LEAVE = "leave it to the next send"


@dataclass(frozen=True)
class Step:
    """A cell of the table, with its reason and the test that holds it.

    `waits`: first, until the portal cannot be at work on the request any more, nor the time for repeats lasts.
    """

    todo: Todo
    why: str
    test: str
    waits: bool = False


_KILLED = "test_killed_at_any_request_the_next_run_completes_the_work"
_FOUND = "test_a_line_is_found_in_the_table"
TABLE = {
    WriteState.UNKNOWN: {
        Shown.NOTHING: Step(Todo.ADD, "The line is new.", "test_the_first_order_of_all_takes_seven_requests"),
        Shown.OTHER_TASK: Step(
            Todo.COMPARE,
            "The database was lost, or another data folder or the service before us made the task.",
            "test_a_changed_order_after_a_lost_ledger_is_as_if_nothing_was_lost",
        ),
    },
    WriteState.PLANNED: {
        Shown.NOTHING: Step(
            Todo.ADD, "No request has left.", "test_killed_at_any_write_to_the_ledger_the_next_run_completes_the_work"
        ),
        Shown.OTHER_TASK: Step(
            Todo.COMPARE,
            "What was planned is not what was sent.",
            "test_a_line_that_a_dead_run_only_planned_is_compared_with_the_task_that_is_found",
        ),
    },
    WriteState.ADDING: {
        Shown.NOTHING: Step(Todo.ADD, "The portal has cut the request after a minute: it made no task.", _KILLED),
        Shown.UNDER_WAY: Step(
            Todo.LEAVE,
            "A second request would make a second task.",
            "test_with_little_patience_nothing_is_sent_again_while_the_portal_may_work_on_it",
            waits=True,
        ),
        Shown.ITS_TASK: Step(
            Todo.CHANGE, "It was made as the ledger noted; its files may still be under way.", _KILLED, waits=True
        ),
        Shown.OTHER_TASK: Step(
            Todo.COMPARE, "The request did not send this key: another one of the line made it.", _FOUND, waits=True
        ),
    },
    WriteState.CHANGING: {
        Shown.NOTHING: Step(
            Todo.ADD,
            "The task was deleted on the portal.",
            _FOUND,
        ),
        Shown.UNDER_WAY: Step(
            Todo.LEAVE,
            "It may be about to be deferred or renewed: the status it has now says nothing.",
            "test_a_cancelled_order_comes_back_whatever_was_cut",
        ),
        Shown.ITS_TASK: Step(
            Todo.CHANGE,
            "An old change that is carried out late must not undo the new one, and is written again.",
            "test_an_old_change_carried_out_late_does_not_undo_the_new_one",
            waits=True,
        ),
        Shown.ITS_VALUES: Step(
            Todo.CHANGE, "The request was carried out.", "test_a_change_whose_answer_was_lost_can_be_taken_back"
        ),
        Shown.OTHER_TASK: Step(
            Todo.COMPARE,
            "The portal knows more of it than the ledger.",
            _FOUND,
            waits=True,
        ),
    },
    WriteState.DONE: {
        Shown.NOTHING: Step(
            Todo.ADD, "It was deleted on the portal.", "test_a_deleted_task_is_created_again_with_a_warning"
        ),
        Shown.ITS_TASK: Step(
            Todo.CHANGE, "What people changed by hand stays.", "test_only_what_changed_in_1c_is_written"
        ),
        Shown.OTHER_TASK: Step(
            Todo.COMPARE,
            "The database was restored, or another data folder has written to the task.",
            "test_what_another_folder_wrote_is_compared_and_said",
        ),
    },
}


def format_table() -> str:
    """The table in Markdown, for the page about the architecture."""
    lines = ["| The ledger knows | The portal shows | What is done | Why | Held by |", "|---|---|---|---|---|"]
    for state, row in TABLE.items():
        for shown, step in row.items():
            todo = f"wait for the end of the request, then {step.todo.value}" if step.waits else step.todo.value
            lines.append(f"| {state.value} | {shown.value} | {todo} | {step.why} | `{step.test}` |")
    return "\n".join(lines) + "\n"


def state_of(row: LedgerTask | None) -> WriteState:
    """How far the ledger knows a line's last write."""
    if row is None:
        return WriteState.UNKNOWN
    if row.state == "done":
        return WriteState.CHANGING if row.writing_since else WriteState.DONE
    return WriteState.ADDING if row.state == "writing" else WriteState.PLANNED


def decide(row: LedgerTask | None, task: Task | None, *, compare: bool = False, under_way: bool = False) -> Step:
    """Look up what is to be done about a line whose task is shown as `task`.

    `compare`: the portal knows more of it than the ledger. `under_way`: the portal may still be at work on a request
    whose effect cannot be seen from the task.
    """
    state = state_of(row)
    if task is None:
        shown = Shown.UNDER_WAY if under_way else Shown.NOTHING
    elif row is None:
        shown = Shown.OTHER_TASK
    elif under_way:
        state, shown = WriteState.CHANGING, Shown.UNDER_WAY
    elif compare or not _is_meant(row, task):
        shown = Shown.OTHER_TASK
    elif state is WriteState.CHANGING and _shows_all(task, row.sent_values.get("under_way", {})):
        shown = Shown.ITS_VALUES
    else:
        shown = Shown.ITS_TASK
    return TABLE[state][shown]


def see_change(row: LedgerTask, task: Task | None) -> LedgerTask:
    """Read a row as a task shows it after a change of ours that was not answered yet: nobody moved it by hand."""
    fields = row.sent_values.get("under_way") if row.writing_since else None
    if task is None or not fields:
        return row
    start, end = (
        from_text(fields[name]) if fields.get(name) else noted
        for name, noted in (("START_DATE_PLAN", row.start), ("END_DATE_PLAN", row.end))
    )
    return replace(row, start=start, end=end) if (task.start, task.end) == (start, end) else row


def is_under_way(row: LedgerTask, now: datetime) -> bool:
    """Whether the portal may still be at work on the row's last request."""
    return row.writing_since is not None and now <= row.writing_since + timedelta(seconds=EXECUTES_S)


def _is_meant(row: LedgerTask, task: Task) -> bool:
    if row.state == "writing" and row.task_id is None:
        return row.is_carried_by(task.xml_id)
    return row.state != "planned" and row.task_id == task.id


def _shows_all(task: Task, fields: dict[str, Any]) -> bool:
    """Whether the task shows all values of an update; of an update that is not noted it cannot be known."""
    shown: dict[str, object] = {
        "TITLE": task.title,
        "TIME_ESTIMATE": task.estimate_s,
        "START_DATE_PLAN": task.start,
        "END_DATE_PLAN": task.end,
        "DEADLINE": task.deadline,
        "CREATED_BY": task.created_by,
        "AUDITORS": sorted(task.auditor_ids),
        "XML_ID": task.xml_id,
    }
    for name, value in fields.items():
        if name in ("START_DATE_PLAN", "END_DATE_PLAN", "DEADLINE"):
            value = datetime.fromisoformat(value) if value else None
        if name not in shown or shown[name] != (sorted(value) if name == "AUDITORS" else value):
            return False
    return bool(fields)


def look_until(
    clock: RunClock, since: datetime, look: Callable[[], bool], zone: tzinfo, *, at_most_s: float | None = None
) -> bool:
    """Look until it is there, or the portal cannot be at work any more on what left at `since`.

    Answers whether that is settled now. After `at_most_s` it may not be: then the portal may still make it, and it
    must not be asked for again.
    """
    now = clock.now()
    ends = min(since, now) + timedelta(seconds=EXECUTES_S)
    until = ends if at_most_s is None else min(ends, now + timedelta(seconds=at_most_s))
    pause_s = 1.0
    while not look():
        left_s = (until - clock.now()).total_seconds()
        if left_s <= 0:
            return until >= ends
        if pause_s == 1.0:
            moment = until.astimezone(zone).strftime("%H:%M:%S")
            clock.say(
                _("an answer was lost; looking until {time} whether the portal made the tasks").format(time=moment)
            )
        clock.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 2, 10)
    return True


def wait_out(clock: RunClock, since: datetime, zone: tzinfo) -> None:
    """Wait until the portal cannot be at work any more on a change that left at `since`."""
    ends = min(since, clock.now()) + timedelta(seconds=EXECUTES_S)
    if clock.now() < ends:
        moment = ends.astimezone(zone).strftime("%H:%M:%S")
        clock.say(
            _("an answer was lost; waiting until {time}, when the portal can make no earlier change any more").format(
                time=moment
            )
        )
    while (left_s := (ends - clock.now()).total_seconds()) > 0:
        clock.sleep(min(left_s, 10))


def find_lost(portal: PortalState, lost: Sequence[LedgerTask], ours: Collection[int]) -> dict[str, Task]:
    """Find the tasks that adds of unknown fate made, by key; where the portal keeps no keys, by exact title.

    `ours` are the ids that the ledger knows. Of lines with one title each first gets the task with
    its own time and person, so that they are not mixed up.
    """
    made: dict[str, Task] = {}
    taken = set(ours)

    def titled(row: LedgerTask) -> list[Task]:
        """Free tasks of the title, made since it was sent. A key is there where it cannot be searched for."""
        since = row.writing_since
        return [
            task
            for task in portal.titled.get(row.order_id, [])
            if task.id not in taken
            and row.is_carried_by(task.xml_id)
            and task.title.strip() == row.title
            and (since is None or task.created_at is None or task.created_at >= since - CLOCKS_APART)
        ]

    looks: tuple[Callable[[LedgerTask], list[Task]], ...] = (
        lambda row: [task for key in row.keys for task in portal.by_key.get(key, []) if task.id not in taken],
        lambda row: [
            task
            for task in titled(row)
            if (task.estimate_s, task.responsible_id) == (row.estimate_s, row.responsible_id)
        ],
        titled,
    )
    for look in looks:
        for row in lost:
            tasks = [] if row.key in made else look(row)
            if tasks:
                made[row.key] = next((task for task in tasks if task.is_open), tasks[0])
                taken.add(made[row.key].id)
    return made


def is_of_lost_write(task: Task, writes: Sequence[LostWrite]) -> bool:
    """Whether a request of ours that was never answered made the task, and it is as it was made."""
    return is_untouched(task) and any(
        task.created_at is not None
        and write.sent_at - CLOCK_ERROR <= task.created_at <= write.until_at + CLOCK_ERROR
        and (write.key, write.title, write.group_id, write.responsible_id, write.created_by, write.estimate_s)
        == (task.xml_id, task.title, task.group_id, task.responsible_id, task.created_by, task.estimate_s)
        for write in writes
    )


def is_at_creation(moment: datetime | None, task: Task) -> bool:
    """Whether it is so soon after the task was made that the portal itself may have done it."""
    return bool(moment and task.created_at and moment - task.created_at <= timedelta(seconds=TOUCHED_S))


def is_untouched(task: Task) -> bool:
    """Whether the task looks as it was made: what people write in its chat moves only the date of its activity."""
    moments = [moment for moment in (task.changed_at, task.activity_at) if moment]
    is_moved = task.created_at is None or not all(is_at_creation(moment, task) for moment in moments)
    return is_unbegun(task) and not (is_moved or task.comments)


def is_as_written(row: LedgerTask, task: Task) -> bool:
    """Whether the work is not begun, and the task was not touched since our last write to it was answered."""
    if not is_unbegun(task) or (task.responsible_id, task.start, task.end) != (row.responsible_id, row.start, row.end):
        return False
    answered_at = from_text(row.sent_values.get(ANSWERED_AT))
    if answered_at is None:  # of versions that did not note it
        return is_untouched(task)
    moments = [moment for moment in (task.changed_at, task.activity_at) if moment]
    return not task.comments and all(moment <= answered_at + timedelta(seconds=TOUCHED_S) for moment in moments)


def is_unbegun(task: Task) -> bool:
    """Whether the work on an open task has not begun."""
    return task.status in (Status.NEW, Status.PENDING) and not (task.spent_s or task.date_start)


def may_still_run() -> errors.PortalUncertain:
    """The error of a line whose lost add the portal may still carry out: a second one could make two tasks."""
    return errors.PortalUncertain(
        _("an answer was lost, and the portal may still be making the task"),
        _("Send the order again in a minute: nothing is made twice."),
        method="tasks.task.add",
    )


def latest(moments: Sequence[datetime | None]) -> datetime | None:
    """The latest of those there are."""
    return max((moment for moment in moments if moment is not None), default=None)
