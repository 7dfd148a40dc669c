"""The ledger's rows: what may be true of a line before, while and after an order is written.

What is true of a line that a replan moves, `replan_writes` notes: no other file writes the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from b24tools.assignment import recovery
from b24tools.assignment.plan import ADD, DEFER, UPDATE, PlannedTask, decision_of
from b24tools.assignment.report import DRY_RUN
from b24tools.assignment.tools import Origin, RunClock
from b24tools.assignment.writes import Line, Mark, Write, mark_of
from b24tools.core.models import Status, Task
from b24tools.core.timestamps import to_text
from b24tools.onec.order import Order
from b24tools.store import Store
from b24tools.store.history import CUT, Entry
from b24tools.store.lost_writes import LostWrite
from b24tools.store.orders import LedgerFile, LedgerTask

UNSHOWN = ("DESCRIPTION", "DEADLINE_CHANGE_REASON")  # a task is not compared with these
MOVE = "move"  # among the sent values: what a replan is about to write
REMOVED = "removed"  # among them: whether 1C's order has the line no longer
LASTING = (MOVE, recovery.ANSWERED_AT)
UNKNOWN: list[str] = []  # in place of a value that 1C sent: it equals none


class Ledger:
    """Notes what is about to be sent before it leaves, and what was answered in one piece."""

    def __init__(self, store: Store, clock: RunClock) -> None:
        self._store = store
        self._clock = clock
        self._rows: list[LedgerTask] = []  # answered, and not yet saved
        self._attached: list[Mark] = []
        self._stored: list[tuple[LedgerFile, datetime]] = []  # what is lost of these before a batch is found by name
        self._begun: list[tuple[Entry, list[str]]] = []  # orders of which something is written, with those lines
        self._planned: dict[str, tuple[str, str, int | None]] = {}  # as the history has them
        self.repeated: dict[str, Line] = {}  # lines whose lost request was settled, and which may have been sent again

    # before

    def mark_removed(self, order: Order, keys: Collection[str]) -> list[LedgerTask]:
        """Note which lines the order has no longer, or has again; return all that it has or had.

        When the order is accepted counts for those, too, whose tasks are still there.
        """
        rows = self._store.orders.lines([order.id])
        changed = {}
        for row in rows.values():
            is_removed = row.key not in keys
            accepted = to_text(order.accepted) if is_removed else row.sent_values.get("accepted")
            if (is_removed, accepted) != (row.sent_values.get(REMOVED, False), row.sent_values.get("accepted")):
                sent_values = {**row.sent_values, REMOVED: is_removed, "accepted": accepted}
                changed[row.key] = replace(row, sent_values=sent_values)
        self._store.orders.save_lines(changed.values())
        return list((rows | changed).values())

    def note_plans(self, orders: Sequence[Order], plans: Sequence[PlannedTask], origin: Origin) -> None:
        """Note that the orders were sent and what is planned; it is on the disk with what is noted before a request.

        And the tasks that an earlier run was cut while making: its request made no other. The history has them, and
        what is planned as long as nobody says what was done.
        """
        adds = [plan for plan in plans if plan.action == ADD and plan.error is None]
        now = self._clock.now()
        with self._store.database.synced_later(), self._store.transaction():
            for order in orders:
                self._store.orders.save(order.id, order.number, now)
            found: list[tuple[PlannedTask, Task]] = []
            for plan in plans:
                known, task = plan.item.known, plan.task
                if known and task and known.state == "writing":
                    row = replace(known, state="done", task_id=task.id, old_key=_other_key(plan))
                    self._store.orders.save_lines([row])
                    self._store.lost_writes.settle(known.key, task.created_at)
                    found.append((plan, task))
            for order in orders:
                made = [(plan, task) for plan, task in found if plan.item.order is order]
                self._note_found(order, made, now)
                mine = [plan for plan in plans if plan.item.order is order and plan.writes]
                self._planned |= {plan.item.key: _in_history(plan, DRY_RUN) for plan in mine}
                if mine:
                    entry = Entry(now, origin.command, order.id, order.number, CUT, origin.by)
                    self._begun.append((entry, [plan.item.key for plan in mine]))
            self._note_begun()
            self._store.orders.save_lines(
                replace(_row(plan, "planned", now), writing_since=_unanswered_since(plan)) for plan in adds
            )
            self._store.orders.forget_task_files(plan.item.key for plan in adds)
            self._store.decisions.save((decision_of(plan, now) for plan in adds), self._settled(adds))

    def _note_begun(self) -> None:
        """Note in the history how far this run has come with each order, should it be cut."""
        for entry, keys in self._begun:
            self._store.history.begin(replace(entry, lines=tuple(self._planned[key] for key in keys)))

    def _note_found(self, order: Order, found: Sequence[tuple[PlannedTask, Task]], now: datetime) -> None:
        """Note in the history which tasks an earlier run has made that could not say so."""
        lines = tuple(_in_history(plan, "created") for plan, _task in found)
        at = max((task.created_at for _plan, task in found if task.created_at), default=now)
        if lines:
            self._store.history.add(Entry(at, "assign", order.id, order.number, "created", "", lines))

    def _settled(self, plans: Iterable[PlannedTask]) -> set[str]:
        """The keys of lines whose earlier writes are all accounted for: no task of them is still to turn up."""
        return {plan.item.key for plan in plans if plan.item.key not in self.repeated and not _unanswered_since(plan)}

    def note_sending(self, writes: Sequence[Write], retry_s: float) -> datetime:
        """Note everything that may be different after a batch, before it leaves; answers the moment."""
        now = self._clock.now()
        with self._store.transaction():
            self._store.orders.save_lines(
                _under_way(write.line.plan.item.known, write.line.plan)
                for write in writes
                if write.verb == UPDATE and write.line.plan.item.known
            )
            self._store.orders.save_lines(_put_off(write.line.plan, now) for write in writes if write.verb == DEFER)
            adds = [write for write in writes if write.verb == ADD]
            added = {write.line.key for write in adds}
            self._store.orders.mark_sent({write.line.key for write in writes} - added, now)
            self._note_adding(adds, now, retry_s)
            marks = [mark_of(write.line.plan, file) for write in adds for file in write.line.plan.files]
            marks += [mark_of(write.line.plan, write.file) for write in writes if write.file]
            self._store.orders.save_task_files(marks, "writing")
            self._save_stored()
        return now

    def take_stored(self, file: LedgerFile) -> None:
        """Take it that the file is on the disk; it is saved when the next batch is noted, or after all of them."""
        self._stored.append((file, self._clock.now()))

    def _save_stored(self) -> None:
        for file, moment in self._stored:
            self._store.orders.save_file(file, moment)
        self._stored = []

    def _note_adding(self, writes: Sequence[Write], now: datetime, retry_s: float) -> None:
        """Note what would be made if the answer never came."""
        self._store.orders.mark_writing([write.line.key for write in writes], now)
        until = now + timedelta(seconds=retry_s + recovery.EXECUTES_S)
        fields = {write.line.key: write.query.params["fields"] for write in writes}
        self._store.lost_writes.save(
            LostWrite(
                key=key,
                sent_at=now,
                until_at=until,
                title=values["TITLE"],
                group_id=values["GROUP_ID"],
                responsible_id=values["RESPONSIBLE_ID"],
                created_by=values["CREATED_BY"],
                estimate_s=values["TIME_ESTIMATE"],
            )
            for key, values in fields.items()
        )

    def note_sent(self, keys: Iterable[str], moment: datetime) -> None:
        """Note a request on behalf of these lines."""
        self._store.orders.mark_sent(keys, moment)

    def note_attached(self, marks: Iterable[Mark]) -> None:
        """Note files that were seen on their tasks."""
        self._store.orders.save_task_files(marks, "done")

    # answers

    def take(self, line: Line, *, is_put_off: bool = False) -> None:
        """Take the line as its plan has it now; it is saved with the next answers."""
        now = self._clock.now()
        row = _put_off(line.plan, now) if is_put_off else _row(line.plan, "done", now)
        if line.plan.action == ADD or _was_as_written(line.plan):
            row = replace(row, sent_values={**row.sent_values, recovery.ANSWERED_AT: to_text(now)})
        self._rows.append(row)
        self._planned[line.key] = _in_history(line.plan, line.plan.outcome)

    def take_files(self, marks: Iterable[Mark]) -> None:
        """Take it that these files hang on their tasks; it is saved with the next answers."""
        self._attached += marks

    def take_refusal(self, line: Line) -> None:
        """Take it that the task was not made: the line is only planned again."""
        self._rows.append(_row(line.plan, "planned", self._clock.now()))
        self._store.decisions.forget(self._settled([line.plan]))

    def take_lost(self, line: Line, task: Task) -> None:
        """Take the line's task for what one of its unanswered requests made: that one has made no other."""
        self.take(line)
        self._store.lost_writes.settle(line.key, task.created_at)

    def save_answers(
        self,
        answered: Collection[str] = (),
        unsure: Collection[str] = (),
        noted_at: datetime | None = None,
        left_at: datetime | None = None,
    ) -> None:
        """Save what a batch achieved in one piece; what is lost before that is found by key, also after a power cut.

        Of the lines `unsure` an answer is missing to a request that left at `left_at`; it was noted at `noted_at`.
        """
        since = dict.fromkeys(answered) | dict.fromkeys(unsure, left_at)
        rows = [replace(row, writing_since=since.get(row.key, row.writing_since)) for row in self._rows]
        with self._store.database.synced_later(), self._store.transaction():
            self._store.orders.save_lines(rows)
            self._store.orders.save_task_files(self._attached, "done")
            self._note_begun()
            if noted_at and left_at:
                self._store.lost_writes.forget(answered, noted_at)
                ends = left_at + timedelta(seconds=recovery.EXECUTES_S)
                self._store.lost_writes.end(unsure, noted_at, ends)
                saved = {row.key for row in rows}
                self._store.orders.mark_sent(set(unsure) - saved, left_at)
                self._store.orders.mark_sent(set(answered) - saved, None)
        self._rows, self._attached = [], []

    # after

    def note_unwritten(self, plans: Iterable[PlannedTask]) -> None:
        """Learn of tasks that were not known: found by key, adopted, or made by a run that was cut."""
        self._save_stored()
        now = self._clock.now()
        for plan in plans:
            known, task = plan.item.known, plan.task
            if task is None or plan.error or plan.action in (ADD, UPDATE, DEFER) or plan.renews:
                continue
            if known is None or not plan.is_trusted:
                is_off = plan.item.order.cancelled and not plan.item.order.done
                self._store.orders.save_lines([_put_off(plan, now) if is_off else _row(plan, "done", now)])
            else:
                sent_values = {**known.sent_values, "cancelled": _is_deferred_by_us(plan)}
                row = replace(known, state="done", task_id=task.id, writing_since=None, old_key=_other_key(plan))
                row = replace(row, sent_values=sent_values)
                if any(line is plan.item.line for line in plan.item.order.lines):
                    row = replace(
                        row,
                        position_id=plan.item.line.position_id,
                        stage=plan.item.line.stage,
                        sent_values={**row.sent_values, **_unwritten_values(plan)},
                    )
                if row != known:
                    self._store.orders.save_lines([row])


def _in_history(plan: PlannedTask, outcome: str) -> tuple[str, str, int | None]:
    return plan.item.line.position, outcome, plan.task.id if plan.task else None


def _was_as_written(plan: PlannedTask) -> bool:
    """Whether only we had touched the task before this run wrote to it, also while it was put off by us."""
    known, task = plan.item.known, plan.item.task or plan.task
    if known is None or task is None:
        return False
    if task.status == Status.DEFERRED and known.sent_values.get("cancelled"):
        task = replace(task, status=Status.PENDING)
    return recovery.is_as_written(known, task)


def _unanswered_since(plan: PlannedTask) -> datetime | None:
    return plan.item.known.writing_since if plan.item.known else None


def row_sent(plan: PlannedTask, since: datetime) -> LedgerTask:
    """The row of a line whose task a request of that moment was to make."""
    return replace(_row(plan, "writing", since), writing_since=since)


def _row(plan: PlannedTask, state: str, now: datetime) -> LedgerTask:
    """The line as the plan has it; `state` is planned, writing or done."""
    item, known = plan.item, plan.item.known
    # of a deadline that is not written, the task's may be one set by hand
    is_by_hand = (plan.action == UPDATE or plan.renews) and "DEADLINE" not in plan.fields
    responsible_id, start, end = plan.responsible[0] if plan.responsible else None, plan.start, plan.end
    if known and known.state == "done" and plan.is_trusted and plan.action != ADD:  # it may have been moved by hand
        responsible_id, start = known.responsible_id, known.start
        end = plan.end if "END_DATE_PLAN" in plan.fields else known.end
    return LedgerTask(
        key=item.key,
        order_id=item.order.id,
        line=item.number,
        position=item.line.position,
        title=item.title,
        state=state,
        task_id=plan.task.id if plan.task else None,
        responsible_id=responsible_id,
        department_id=plan.department.id if plan.department else None,
        start=start,
        end=end,
        deadline=known.deadline if is_by_hand and known else plan.deadline,
        estimate_s=plan.estimate_s if plan.adopts else plan.ordered_s,
        sent_values={
            "onec": item.values,
            "auditor_id": plan.auditor_id,
            "deadline_from_slot": plan.deadline_from_slot,
            "cancelled": _is_deferred_by_us(plan),
            **_unwritten_values(plan),
            **{name: known.sent_values[name] for name in LASTING if known and name in known.sent_values},
        },
        assigned_at=now if plan.action == ADD else (known.assigned_at if known else None),
        writing_since=None,
        position_id=item.line.position_id,
        old_key=_other_key(plan),
        other_tasks=known.other_tasks if known else (),
        stage=item.line.stage,
    )


def _unwritten_values(plan: PlannedTask) -> dict[str, Any]:
    """What 1C sent last that is in no field of the task, but counts where the work is planned anew."""
    order = plan.item.order
    return {"accepted": to_text(order.accepted), "department": order.department}


def _other_key(plan: PlannedTask) -> str | None:
    """The key that the line's task carries, where it is not the line's own."""
    known, task = plan.item.known, plan.task
    if task is None or task.xml_id in ("", plan.item.key) or (known and task.xml_id in known.keys):
        return known.old_key if known else None
    return task.xml_id


def _put_off(plan: PlannedTask, now: datetime) -> LedgerTask:
    """The line of a cancelled order: whether its task is deferred by us. Of the order's values nothing is written."""
    known = plan.item.known
    if known is None or not plan.is_trusted:
        known = replace(_row(plan, "done", now), estimate_s=plan.estimate_s)
        known = replace(known, sent_values={**known.sent_values, "onec": dict(plan.before)})
    sent_values = {**known.sent_values, "cancelled": _is_deferred_by_us(plan)}
    return replace(known, state="done", task_id=plan.task.id if plan.task else None, sent_values=sent_values)


def _is_deferred_by_us(plan: PlannedTask) -> bool:
    """Noted before the task is deferred, until it is known to be renewed."""
    if plan.action == DEFER:
        return True
    before = plan.item.known.sent_values.get("cancelled", False) if plan.item.known else False
    return before and (plan.item.order.cancelled or (plan.renews and not plan.is_renewed))


def _under_way(known: LedgerTask, plan: PlannedTask) -> LedgerTask:
    """The row while an update is under way: cut now, the next send writes what it changes in any case."""
    before = known.sent_values.get("onec", {})
    changed = [name for name, value in plan.item.values.items() if before.get(name) != value]
    sent_values = {**known.sent_values, "onec": {**before, **dict.fromkeys(changed, UNKNOWN)}}
    sent_values["under_way"] = {name: value for name, value in plan.fields.items() if name not in UNSHOWN}
    if plan.deadline and plan.deadline_from_slot and "DEADLINE" in plan.fields:
        sent_values["deadline_under_way"] = plan.deadline.isoformat()
    return replace(
        known,
        state="done",
        task_id=plan.task.id if plan.task else None,
        sent_values=sent_values,
        estimate_s=None if "minutes" in changed else known.estimate_s,
    )
