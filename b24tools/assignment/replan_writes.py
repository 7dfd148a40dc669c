"""Moves written to the portal, and what becomes of those whose answer never came.

All moves are noted in the ledger before the first one leaves. Whatever is cut, the next run of `replan`, or of `assign`
with the order, sees by the task whether it was moved; what was not, and may lie in a slot that is another's by now, is
planned anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.assignment import recovery
from b24tools.assignment.ledger import MOVE
from b24tools.assignment.plan import Rules
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.tools import RunClock, Tools
from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import MOST_COMMANDS, Pending
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import OPEN_WORK, Person, Task
from b24tools.core.timestamps import from_text, to_text
from b24tools.scheduling.lane import OpenTask
from b24tools.store import Store
from b24tools.store.decisions import Decision
from b24tools.store.history import Entry
from b24tools.store.orders import LedgerTask

MOVED, SKIPPED, FAILED = "moved", "skipped", "failed"


@dataclass(frozen=True)
class PlannedMove:
    """A move with all that is written for it. `group`: moves that make room for one another have the same."""

    row: LedgerTask
    task: Task
    to: OpenTask
    deadline: datetime | None
    decision: Decision
    group: int = 0

    @property
    def mark(self) -> dict[str, Any]:
        """What the ledger notes of it before it leaves."""
        return {
            "responsible_id": self.to.responsible_id,
            "start": to_text(self.to.start),
            "end": to_text(self.to.end),
            "deadline": to_text(self.deadline),
        }

    def fields(self, zone: ZoneInfo) -> dict[str, Any]:
        """What is sent: the person, both ends of the plan, and a deadline that was the plan's end."""
        fields = {
            "RESPONSIBLE_ID": self.to.responsible_id,
            "START_DATE_PLAN": to_text(self.to.start, zone),
            "END_DATE_PLAN": to_text(self.to.end, zone),
        }
        return fields | ({"DEADLINE": to_text(self.deadline, zone)} if self.deadline else {})


@dataclass(frozen=True)
class Written:
    """What came of a move; `error` where it failed, `note` where it was left."""

    outcome: str
    error: errors.B24ToolsError | None = None
    note: str = ""


NoteDone = Callable[[Mapping[int, Written]], None]


def let_moves_end(clock: RunClock, rows: Iterable[LedgerTask], zone: ZoneInfo) -> None:
    """Wait until a move that left a moment ago, and was never answered, cannot be carried out any more."""
    since = recovery.latest([row.writing_since for row in rows if row.sent_values.get(MOVE)])
    if since is not None and clock.now() <= since + timedelta(seconds=recovery.EXECUTES_S):
        recovery.wait_out(clock, since + timedelta(seconds=1), zone)


def settle_moves(store: Store, rows: Iterable[LedgerTask], portal: PortalState, now: datetime) -> dict[str, LedgerTask]:
    """Find out which noted moves were carried out; answers the rows that have changed, by key.

    The mark stays on what was not moved: its slot may be another's.
    """
    settled: dict[str, LedgerTask] = {}
    taken: list[LedgerTask] = []
    for row in rows:
        mark, task = row.sent_values.get(MOVE), portal.of_line(row)
        if not mark:
            continue
        if task is not None and _shows(task, mark):
            ends = row.writing_since and row.writing_since + timedelta(seconds=recovery.EXECUTES_S)
            settled[row.key] = _as_moved(row, mark, min(filter(None, (task.activity_at, ends, now))))
            taken.append(settled[row.key])
        elif recovery.is_under_way(row, now):
            continue
        elif task is None or not recovery.is_as_written(row, task):
            settled[row.key] = _without_mark(row)
        elif row.writing_since:
            settled[row.key] = replace(row, writing_since=None)
    if not settled:
        return {}
    moved = {row.key for row in taken}
    with store.transaction():  # what was not done is forgotten before lines are saved, which learn their decisions
        store.decisions.forget(key for key, row in settled.items() if not (key in moved or row.sent_values.get(MOVE)))
        store.orders.save_lines(settled.values())
        for row in taken:
            store.decisions.link_move(row.key, row.task_id or 0)
        _note_moved(store, taken)
    return settled


def _note_moved(store: Store, rows: Iterable[LedgerTask]) -> None:
    """Note in the history what a run has moved that could not say so."""
    by_order: dict[str, list[LedgerTask]] = {}
    for row in rows:
        by_order.setdefault(row.order_id, []).append(row)
    for order_id, order in store.orders.read(by_order).items():
        lines = tuple((row.position, MOVED, row.task_id) for row in by_order[order_id])
        at = max(from_text(row.sent_values[recovery.ANSWERED_AT]) for row in by_order[order_id])
        store.history.add(Entry(at, "replan", order_id, order.number, MOVED, "", lines))


def drop_marks(store: Store, rows: Iterable[LedgerTask]) -> None:
    """Forget that moves of these lines were cut: what was to move lies well where it is."""
    with store.transaction():
        store.orders.save_lines(_without_mark(row) for row in rows if row.sent_values.get(MOVE))


def write_moves(
    tools: Tools, rules: Rules, portal: PortalState, planned: Sequence[PlannedMove], note_done: NoteDone
) -> dict[int, Written]:
    """Write the moves; what came of each, by task. Raises only what stops the machine itself.

    `note_done` is told what came of the moves so far, in the transactions that save it.
    """
    return _Mover(tools, rules, portal, planned, note_done).run()


class _Mover:
    """Fifty moves a request; the tasks are read again in the request before it."""

    def __init__(
        self, tools: Tools, rules: Rules, portal: PortalState, planned: Sequence[PlannedMove], note_done: NoteDone
    ) -> None:
        self._tools = tools
        self._note_done = note_done
        self._store = tools.store
        self._zone = rules.zone
        self._portal = portal
        self._left = list(planned)
        self._planned = list(planned)
        self._total = len(planned)
        self._done: dict[int, Written] = {}
        self._entered: set[int] = set()  # groups of which something was sent

    def run(self) -> dict[int, Written]:
        self._note_all()
        while self._left:
            try:
                self._skip_changed()
            except errors.PortalError as error:
                self._give_up(self._left, Written(FAILED, error))
                break
            chunk = next(_chunks(self._left), [])
            self._left = self._left[len(chunk) :]
            if chunk:
                self._send(chunk)
            self._tools.clock.progress("tasks", len(self._done), self._total)
        return self._done

    def _note_all(self) -> None:
        """Note all moves and their decisions in one piece, before the first one leaves."""
        with self._store.transaction():
            self._store.orders.save_lines(
                replace(move.row, sent_values={**move.row.sent_values, MOVE: move.mark}) for move in self._left
            )
            self._store.decisions.save([move.decision for move in self._left], [move.row.key for move in self._left])
            self._store.orders.saves.add()  # a database without them is older than the portal

    def _skip_changed(self) -> None:
        """Read again what is still to be moved; leave what has changed, and what hangs together with it."""
        batch = self._tools.client.new_batch()
        ids = [move.task.id for move in self._left]
        tasks = batch.add_chunked(queries.tasks_by_id, ids)
        getters = sorted({move.to.responsible_id for move in self._left})
        people = batch.add_chunked(queries.people_by_id, getters)
        batch.send()
        fresh = {task.id: task for page in tasks for task in map(self._portal.read_task, page.value)}
        known = {person.id: person for page in people for person in page.value}
        changed = {move.task.id: note for move in self._left if (note := _changed(move, fresh, known))}
        groups = {move.group for move in self._left if move.task.id in changed}
        left = [move for move in self._left if move.group in groups]
        self._left = [move for move in self._left if move.group not in groups]
        for move in left:
            note = changed.get(move.task.id) or _("it makes room for a task that has changed meanwhile")
            self._give_up([move], Written(SKIPPED, note=note), is_touched=move.task.id in changed)

    def _give_up(self, planned: Iterable[PlannedMove], written: Written, *, is_touched: bool = False) -> None:
        """Leave moves undone. The mark stays where others of the group have moved: the slot may be another's."""
        planned = list(planned)
        gone = [move for move in planned if is_touched or move.group not in self._entered]
        with self._store.transaction():
            self._store.decisions.forget(move.row.key for move in planned)
            self._store.orders.save_lines(_without_mark(move.row) if is_touched else move.row for move in gone)
        self._done |= {move.task.id: written for move in planned}
        self._left = [move for move in self._left if move.task.id not in self._done]

    def _send(self, chunk: Sequence[PlannedMove]) -> None:
        self._entered |= {move.group for move in chunk}
        keys = [move.row.key for move in chunk]
        self._store.orders.mark_sent(keys, self._tools.clock.now())
        batch = self._tools.client.new_batch()
        sent = [(move, batch.add(queries.update_task(move.task.id, move.fields(self._zone)))) for move in chunk]
        with suppress(errors.PortalError):  # then each command has it
            batch.send()
        now = self._tools.clock.now()
        rows: list[LedgerTask] = []
        self._done |= {move.task.id: self._read(move, pending) for move, pending in sent}
        entered = {move.group for move in self._planned if self._may_have_moved(move)}
        for move in chunk:
            written = self._done[move.task.id]
            marked = replace(move.row, sent_values={**move.row.sent_values, MOVE: move.mark})
            if written.outcome == MOVED:
                rows.append(_as_moved(move.row, move.mark, now))
            elif isinstance(written.error, errors.PortalUncertain):
                sent_at = written.error.sent_at
                left_at = self._tools.clock.portal_time(sent_at) if sent_at else now
                rows.append(replace(marked, writing_since=left_at))
            else:  # its slot may be another's
                rows.append(marked if move.group in entered else move.row)
        with self._store.transaction():
            self._store.decisions.forget(move.row.key for move in chunk if not self._may_have_moved(move))
            self._store.orders.save_lines(rows)
            for move in chunk:
                if self._done[move.task.id].outcome == MOVED:
                    self._store.decisions.link_move(move.row.key, move.task.id)
            self._note_done(self._done)

    def _may_have_moved(self, move: PlannedMove) -> bool:
        written = self._done.get(move.task.id)
        return written is not None and (written.outcome == MOVED or isinstance(written.error, errors.PortalUncertain))

    def _read(self, move: PlannedMove, pending: Pending[Any]) -> Written:
        try:
            task = self._portal.read_task(queries.task_row(pending.value, "tasks.task.update"))
        except errors.PortalError as error:
            return Written(FAILED, error)
        if _shows(task, move.mark):
            return Written(MOVED)
        return Written(
            FAILED,
            errors.PortalError(
                _("the portal answered, but task {id} is not as it was sent").format(id=task.id),
                _("Open the task in Bitrix24 and look at its history: a robot may have changed it."),
                method="tasks.task.update",
            ),
        )


def _changed(move: PlannedMove, tasks: Mapping[int, Task], people: Mapping[int, Person]) -> str:
    """Say what has happened to a task, or to the person who is to get it, since the plan was made."""
    task, person = tasks.get(move.task.id), people.get(move.to.responsible_id)
    if task is None:
        return _("the task is gone")
    if task.status in OPEN_WORK and not recovery.is_unbegun(task):
        return _("somebody has begun it meanwhile")
    if not recovery.is_as_written(move.row, task) or task.flow_id:
        return _("somebody has changed it meanwhile")
    if person is None or not person.active:
        return _("who was to get it has left")
    return ""


def _shows(task: Task, mark: Mapping[str, Any]) -> bool:
    deadline = from_text(mark["deadline"])
    shown = task.responsible_id, task.start, task.end
    return shown == (mark["responsible_id"], from_text(mark["start"]), from_text(mark["end"])) and (
        deadline is None or task.deadline == deadline
    )


def see_move(row: LedgerTask, task: Task | None) -> LedgerTask:
    """Read a row as a task shows it that a replan has moved without saying so yet: nobody did that by hand."""
    mark = row.sent_values.get(MOVE)
    return _at_mark(row, mark) if mark and task is not None and _shows(task, mark) else row


def _at_mark(row: LedgerTask, mark: Mapping[str, Any]) -> LedgerTask:
    return replace(
        row,
        responsible_id=mark["responsible_id"],
        start=from_text(mark["start"]),
        end=from_text(mark["end"]),
        deadline=from_text(mark["deadline"]) or row.deadline,
    )


def _as_moved(row: LedgerTask, mark: Mapping[str, Any], answered_at: datetime) -> LedgerTask:
    """The row of a task that lies where the mark says."""
    moved = _at_mark(_without_mark(row), mark)
    return replace(moved, sent_values={**moved.sent_values, recovery.ANSWERED_AT: to_text(answered_at)})


def _without_mark(row: LedgerTask) -> LedgerTask:
    sent_values = {name: value for name, value in row.sent_values.items() if name != MOVE}
    return replace(row, sent_values=sent_values, writing_since=None)


def _chunks(planned: Sequence[PlannedMove]) -> Iterator[list[PlannedMove]]:
    """As many moves as a request takes; no group is divided that fits into one."""
    groups: dict[int, list[PlannedMove]] = {}
    for move in planned:
        groups.setdefault(move.group, []).append(move)
    chunk: list[PlannedMove] = []
    for group in groups.values():
        if chunk and len(chunk) + len(group) > MOST_COMMANDS:
            yield chunk
            chunk = []
        chunk += group
        while len(chunk) > MOST_COMMANDS:
            yield chunk[:MOST_COMMANDS]
            chunk = chunk[MOST_COMMANDS:]
    if chunk:
        yield chunk
