"""Plans written to the portal: the ledger first, then files, then everything else in one batch.

Whatever is cut, at any point, the next run finds the tasks by their keys and the files by their
names. A write whose answer never came is looked up before it is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from b24tools.assignment import portal_state, recovery
from b24tools.assignment.ledger import Ledger, row_sent
from b24tools.assignment.plan import ADD, COMPLETE, DEFER, UPDATE, PlannedTask, Rules
from b24tools.assignment.portal_state import PortalState, TitleQuestion
from b24tools.assignment.recovery import Todo
from b24tools.assignment.second_tasks import choose_spares, note_deleted, note_not_deleted
from b24tools.assignment.tools import Tools
from b24tools.assignment.workspace import EarlyUploads, Workspace
from b24tools.assignment.writes import DELETE, RENEW, Line, Write, build_writes, mark_of
from b24tools.bitrix24 import error_codes, queries
from b24tools.bitrix24.batch import MOST_COMMANDS, Answer, Pending
from b24tools.bitrix24.dropped_fields import dropped_fields
from b24tools.core import errors
from b24tools.core.chunks import chunked
from b24tools.core.i18n import _
from b24tools.core.models import Person, Status, Task
from b24tools.onec import order as onec_order

WRITES_AT_ONCE = MOST_COMMANDS - 1  # one more asks about the people
NEWS_AFTER = timedelta(seconds=10)  # people may have left, as files may take minutes


class Writer:
    """Writes the plans of one run. `portal`: what it has, as far as the writes have shown it since."""

    def __init__(
        self,
        tools: Tools,
        portal: PortalState,
        rules: Rules,
        titles: Sequence[TitleQuestion],
        early: EarlyUploads | None = None,
    ) -> None:
        self.portal = portal
        self._client = tools.client
        self._store = tools.store
        self._clock = tools.clock
        self._read_at = portal.server_now or tools.clock.now()
        self._origin = tools.origin
        self._rules = rules
        self._titles = titles
        self._ledger = Ledger(tools.store, tools.clock)
        self._workspace = Workspace(tools, portal, rules, self._ledger, early)
        self._dropped: dict[str, bool] = {}  # the fields that were sent, and whether the portal dropped them

    def write(
        self, orders: Sequence[onec_order.Order], plans: Sequence[PlannedTask]
    ) -> tuple[list[PlannedTask], list[str]]:
        """Write what is planned for these orders. Answers the plans as they turned out, and warnings about the run.

        A plan has its own error. Raises only what stops the machine itself.
        """
        lines = [Line(plan) for plan in plans]
        self._ledger.note_plans(orders, plans, self._origin)
        self._choose_spares([line for line in lines if line.plan.others and line.plan.error is None])
        busy = [line for line in lines if line.plan.writes or line.spare]
        self._workspace.leave_out_attached(busy)
        self._workspace.prepare(busy)
        self.portal = replace(self.portal, places=self._workspace.places)
        self._workspace.upload(busy)
        self._let_changes_end(busy)
        writes = self._build(busy)
        done = 0
        for chunk in chunked(writes, WRITES_AT_ONCE):
            self._send(chunk)
            done += len(chunk)
            self._clock.progress("tasks", done, len(writes))
        self._approve([line for line in busy if line.plan.action == COMPLETE and line.plan.error is None])
        self._remove_duplicates()
        plans = [line.plan for line in lines]
        self._ledger.note_unwritten(plans)
        return plans, [*self._workspace.warnings, *self._note_dropped()]

    def _let_changes_end(self, lines: Sequence[Line]) -> None:
        """Wait until an earlier change of unknown fate cannot be carried out after the one that follows it."""
        since = recovery.latest(
            [
                line.plan.item.known.writing_since
                for line in lines
                if line.plan.action == UPDATE and line.plan.waits and line.plan.error is None and line.plan.item.known
            ]
        )
        if since:
            recovery.wait_out(self._clock, since, self._rules.zone)

    def _build(self, lines: Sequence[Line]) -> list[Write]:
        return build_writes(lines, self.portal.places.group_id, self._workspace.id_of)

    # the batch

    def _send(self, chunk: Sequence[Write], *, is_repeat: bool = False) -> None:
        """Send one batch and take its answers. A repeat that is lost again is left to the next run."""
        noted_at = self._ledger.note_sending(chunk, self._rules.retry_s)
        batch = self._client.new_batch()
        sent = [batch.add(write.query) for write in chunk]
        getters = {
            write.line.plan.responsible[0] for write in chunk if write.verb == ADD and write.line.plan.responsible
        }
        # each command takes the portal its time
        asks = self._clock.now() - self._read_at >= NEWS_AFTER and getters and batch.room < MOST_COMMANDS
        people = batch.add(queries.people_by_id(sorted(getters))) if asks else None
        with suppress(errors.PortalError):  # then each command has it
            batch.send()
        lost: list[Line] = []
        doubtful: dict[str, errors.PortalError] = {}
        for write, pending in zip(chunk, sent, strict=True):
            line = write.line
            try:
                self._take(write, pending.item)
            except errors.PortalError as error:
                is_uncertain = isinstance(error, errors.PortalUncertain)
                is_lost = is_uncertain or pending.error is None  # or an answer that says nothing
                if write.verb == ADD and (is_lost or error_codes.may_have_been_done("tasks.task.add", error)):
                    if is_repeat:
                        line.fail(error)
                        doubtful[line.key] = error
                    elif is_lost:
                        lost.append(line)
                    else:
                        doubtful[line.key] = error
                elif is_uncertain and write.verb != DELETE:
                    line.fail(error)
                else:
                    self._refuse(write, error)
        _warn_of_leavers([write.line for write in chunk if write.verb == ADD], people)
        unsure = {write.line.key for write in chunk if isinstance(write.line.plan.error, errors.PortalUncertain)}
        unsure |= {line.key for line in lost} | doubtful.keys()
        left_at = self._left_at([pending.item for pending in sent])  # the client may have waited long before it
        self._ledger.save_answers({write.line.key for write in chunk} - unsure, unsure, noted_at, left_at)
        if is_repeat:
            return
        if doubtful:
            adds = [write for write in chunk if write.verb == ADD and write.line.key in doubtful]
            self._look_after_errors(adds, doubtful, noted_at)
        if lost:
            self._settle(lost, left_at)

    def _left_at(self, answers: Sequence[Answer]) -> datetime:
        """When the last request left whose fate is not known; not before that, if nothing says so."""
        sent = recovery.latest(
            [answer.error.sent_at for answer in answers if isinstance(answer.error, errors.PortalUncertain)]
        )
        return self._clock.portal_time(sent) if sent else self._clock.now()

    def _take(self, write: Write, answer: Answer) -> None:
        """Read one answer; raises its error."""
        line, plan, value = write.line, write.line.plan, answer.value
        method = write.query.method
        if write.verb == DELETE and write.spare:
            note_deleted(line, write.spare)
        elif write.file is not None:
            self._ledger.take_files([mark_of(plan, write.file)])
        else:
            row = queries.task_row(value, method)
            if write.verb in (ADD, UPDATE):
                self._compare(write.query.params["fields"], row)
            if write.verb == ADD:
                task = self.portal.read_task(row)
                if task.xml_id != line.key:
                    line.warn(
                        _("the portal does not keep external keys (XML_ID): tasks are found again by their titles")
                    )
                self._added(line, task)
                # the portal said that all is done, hence the files hang on it
                self._ledger.take_files(mark_of(plan, file) for file in plan.item.order.files)
                self._ledger.take(line)
            elif write.verb == UPDATE:
                self._ledger.take(line)
                if plan.adopts and not plan.attach:  # the service that made the task gave it the files, too
                    self._ledger.take_files(mark_of(plan, file) for file in plan.item.order.files)
            else:
                line.change(task=self.portal.read_task(row), is_renewed=plan.is_renewed or write.verb == RENEW)
                if write.verb == DEFER:
                    self._ledger.take(line, is_put_off=True)
                elif write.verb == RENEW and plan.action != UPDATE:  # else its answer says what was written
                    self._ledger.take(line)

    def _added(self, line: Line, task: Task) -> None:
        """Take the task as the line's."""
        line.change(task=task)
        if line.plan.responsible is None or task.responsible_id != line.plan.responsible[0]:  # by an earlier run
            line.change(
                responsible=(task.responsible_id, task.responsible_name or f"#{task.responsible_id}"),
                start=task.start,
                end=task.end,
                deadline=task.deadline,
                estimate_s=task.estimate_s,
            )

    def _refuse(self, write: Write, error: errors.PortalError) -> None:
        if write.verb == ADD:
            self._ledger.take_refusal(write.line)
        if write.spare is None:
            write.line.fail(error)
        else:
            note_not_deleted(write.line, write.spare, error)

    # lost answers

    def _look_after_errors(
        self, writes: Sequence[Write], doubtful: Mapping[str, errors.PortalError], noted_at: datetime
    ) -> None:
        """Look up the tasks whose `add` was answered with an error: the portal saves the task before chat and files."""
        lines = [write.line for write in writes]
        try:
            tasks = self._look_up(lines, self._clock.now())
        except errors.PortalError:
            for line in lines:  # the ledger has them as sent: the next run looks again
                line.fail(recovery.may_still_run())
            return
        for write in writes:
            line, error = write.line, doubtful[write.line.key]
            if task := tasks.get(line.key):
                line.warn(
                    _("the portal made task {id}, but answered with an error: {reason}"),
                    id=task.id,
                    reason=error.message,
                )
                self._added(line, task)
                self._ledger.take(line)
            else:
                self._refuse(write, error)
        self._ledger.save_answers(doubtful.keys(), (), noted_at, noted_at)
        self._attach_missing([line for line in lines if line.plan.error is None], None)

    def _settle(self, lost: Sequence[Line], since: datetime) -> None:
        """Take what was made; send again, once, what surely was not."""
        tasks: dict[str, Task] = {}

        def look() -> bool:
            nonlocal tasks
            tasks = self._look_up(lost, since)
            return len(tasks) == len(lost)

        try:
            is_settled = recovery.look_until(self._clock, since, look, self._rules.zone, at_most_s=self._rules.retry_s)
            for line in lost:
                if task := tasks.get(line.key):
                    self._added(line, task)
                    self._ledger.take_lost(line, task)
            self._ledger.save_answers()
            self._attach_missing([line for line in lost if line.plan.task], since)
            missing = [line for line in lost if line.plan.task is None]
            again = []
            for line in missing:
                step = recovery.decide(row_sent(line.plan, since), None, under_way=not is_settled)
                if step.todo is Todo.ADD:
                    again.append(line)
                else:
                    line.fail(recovery.may_still_run())
            if is_settled:
                self._ledger.repeated |= {line.key: line for line in lost}
            for chunk in chunked([write for write in self._build(again) if write.verb == ADD], WRITES_AT_ONCE):
                self._send(chunk, is_repeat=True)
        except errors.PortalError as error:
            for line in lost:
                if line.plan.task is None and line.plan.error is None:
                    line.fail(error)

    def _look_up(self, lines: Sequence[Line], since: datetime) -> dict[str, Task]:
        """Find the tasks of these lines, which a request of that moment was to make, by key."""
        orders = {line.plan.item.order.id for line in lines}
        titles = [title for title in self._titles if title.order_id in orders]
        self.portal = portal_state.look_up(self._client, self.portal, [line.key for line in lines], titles)
        rows = [row_sent(line.plan, since) for line in lines]
        return recovery.find_lost(self.portal, rows, self._store.orders.our_tasks(self.portal.found_ids()))

    def _attach_missing(self, lines: Sequence[Line], since: datetime | None) -> None:
        """Hang on tasks whose making was disturbed what their answer did not vouch for."""
        lines = [line for line in lines if line.plan.task and line.plan.item.order.files]
        for line in lines:
            line.change(attach=line.plan.item.order.files)
        self._workspace.leave_out_attached(lines, since)
        for chunk in chunked([write for write in self._build(lines) if write.file], WRITES_AT_ONCE):
            self._send(chunk)

    # second tasks

    def _choose_spares(self, lines: Sequence[Line]) -> None:
        choose_spares(self._client, self._store, self.portal, lines)

    def _remove_duplicates(self) -> None:
        """Look once more at the end of a run with lost answers: a first send may have ended after the second."""
        lines = list(self._ledger.repeated.values())
        if not lines:
            return
        try:
            self.portal = portal_state.look_up(self._client, self.portal, [line.key for line in lines])
            for line in lines:
                mine, tasks = line.plan.task, self.portal.by_key.get(line.key, [])
                line.change(others=tuple(task for task in tasks if mine is not None and task.id != mine.id))
            doubled = [line for line in lines if line.plan.others]
            self._choose_spares(doubled)
            for chunk in chunked([write for write in self._build(doubled) if write.verb == DELETE], WRITES_AT_ONCE):
                self._send(chunk)
        except errors.PortalError as error:
            for line in lines:
                line.warn(
                    _("whether a second task was made could not be checked ({reason}); send the order again"),
                    reason=error.message,
                )

    # after

    def _approve(self, lines: Sequence[Line]) -> None:
        """Approve what waits for its creator's control after completing; and 200 may come with nothing done."""
        batch = self._client.new_batch()
        approvals = [
            (line, batch.add(queries.approve_task(line.plan.task.id)))
            for line in lines
            if line.plan.task and line.plan.task.status == Status.AWAITS_CONTROL
        ]
        with suppress(errors.PortalError):  # then each command has it
            batch.send()
        for line, approval in approvals:
            try:
                line.change(task=self.portal.read_task(queries.task_row(approval.value, "tasks.task.approve")))
            except errors.PortalError as error:
                line.fail(error)
        for line in lines:
            task = line.plan.task
            if line.plan.error is None and task and task.status != Status.COMPLETED:
                line.fail(
                    errors.PortalError(
                        _("task {id} is not finished after completing it (status {status})").format(
                            id=task.id, status=task.status
                        ),
                        _("Open the task in Bitrix24: it may want a result, or its creator's approval."),
                        method="tasks.task.complete",
                    )
                )

    def _compare(self, fields: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Note which fields the portal dropped."""
        dropped = dropped_fields(fields, row)
        self._dropped |= {name: self._dropped.get(name, False) or name in dropped for name in fields if fields[name]}

    def _note_dropped(self) -> list[str]:
        """Remember for `doctor` which fields the portal dropped, and say it once."""
        if not self._dropped:
            return []
        dropped = [name for name, is_dropped in self._dropped.items() if is_dropped]
        self._store.notices.note_dropped(dropped, self._dropped, self._clock.now())
        if not dropped:
            return []
        return [
            _("the portal dropped {fields} without an error: its plan seems not to include them").format(
                fields=", ".join(dropped)
            )
        ]


def _warn_of_leavers(added: Iterable[Line], people: Pending[list[Person]] | None) -> None:
    """The portal gives tasks to the dismissed, too: files may have taken minutes since the plan was made."""
    if people is None or people.error is not None:
        return
    gone = {person.id: person.name for person in people.value if not person.active}
    for line in added:
        if line.plan.task is not None and line.plan.task.responsible_id in gone:
            line.warn(
                _("{name} has left since the plan was made: give the task to somebody else"),
                name=gone[line.plan.task.responsible_id],
            )
