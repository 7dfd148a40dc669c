"""Drafts written to the portal: the ledger first, then files, then everything else in one batch.

Whatever is cut, at any point, the next run finds the tasks by their keys and the files by their
names. A write whose answer never came is looked up before it is repeated.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from b24tools.assignment import decisions, ledger, portal_state
from b24tools.assignment.files import Files, Mark, files_of, mark
from b24tools.assignment.plan import ADD, COMPLETE, DEFER, UPDATE, Draft, Rules
from b24tools.assignment.portal_state import Portal, TitleQuestion
from b24tools.assignment.recovery import (
    CLOCK_ERROR,
    EXECUTES_S,
    TOUCHED_S,
    Pace,
    Progress,
    find_lost,
    is_untouched,
    latest,
    may_still_run,
)
from b24tools.assignment.workspace import PlaceMaker
from b24tools.bitrix24 import batch, error_codes, queries
from b24tools.bitrix24.batch import Command, Item
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.dropped_fields import dropped_fields
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Status, Task
from b24tools.onec import order
from b24tools.store.database import LedgerTask, LostWrite, Store

__all__ = ["Pace", "Progress", "Writer"]

BATCH = 49  # of the 50 commands of a request: one asks about the people
ATTACH, DELETE, RENEW = "attach", "delete", "renew"

_log = logging.getLogger("b24tools")


@dataclass(frozen=True)
class Write:
    """One command of a batch: what it does for which line, and with which file."""

    draft: Draft
    verb: str
    command: Command
    file: order.Attachment | None = None
    spare: Task | None = None


class Writer:
    """Writes the drafts of one run."""

    def __init__(
        self,
        client: Client,
        store: Store,
        portal: Portal,
        rules: Rules,
        pace: Pace,
        titles: Sequence[TitleQuestion],
    ) -> None:
        self._client = client
        self._store = store
        self._portal = portal
        self._rules = rules
        self._pace = pace
        self._titles = titles
        self._places = PlaceMaker(client, store, portal, rules, pace)
        self._files = Files(client, store, portal, rules, pace)
        self._repeated: list[Draft] = []
        self._answered: list[LedgerTask] = []
        self._attached: list[Mark] = []
        self._dropped: dict[str, bool] = {}  # the fields that were sent, and whether the portal dropped them

    def write(self, drafts: Sequence[Draft]) -> list[str]:
        """Write all; each draft ends with its outcome or its error. Answers what is to be said of the whole run.

        Raises only what stops the machine itself.
        """
        self._note_found(drafts)
        self._note_adds(drafts)
        self._choose_spares([draft for draft in drafts if draft.others and draft.error is None])
        busy = [draft for draft in drafts if draft.writes or draft.spare]
        self._files.leave_out_attached(busy)
        self._places.prepare(
            [draft for draft in busy if draft.action == ADD], [draft for draft in busy if files_of(draft)]
        )
        self._files.upload(busy)
        self._let_updates_end(busy)
        writes = self._commands(busy)
        done = 0
        for chunk in _chunks(writes):
            self._send(chunk)
            done += len(chunk)
            self._pace.progress("tasks", done, len(writes))
        self._approve([draft for draft in busy if draft.action == COMPLETE and draft.error is None])
        self._remove_duplicates()
        self._note_kept(drafts)
        return self._note_dropped()

    # before

    def _note_found(self, drafts: Sequence[Draft]) -> None:
        """A task that an earlier run was cut while making is the line's: its request has made no other one."""
        for draft in drafts:
            known, task = draft.item.known, draft.task
            if known and task and known.state == "writing":
                with self._store.transaction():
                    self._store.save_ledger(
                        [replace(known, state="done", task_id=task.id, old_key=ledger.other_key(draft))]
                    )
                    self._store.pay_lost_write(known.key, task.created_at)

    def _note_adds(self, drafts: Sequence[Draft]) -> None:
        adds = [draft for draft in drafts if draft.action == ADD]
        now = self._pace.clock()
        since = {draft.item.key: draft.item.known.writing_since for draft in adds if draft.item.known}
        self._store.save_ledger(
            replace(ledger.row(draft, "planned", now), writing_since=since.get(draft.item.key)) for draft in adds
        )
        self._store.forget_task_files(draft.item.key for draft in adds)
        self._store.save_decisions((decisions.decision(draft, now) for draft in adds), self._settled(adds))

    def _settled(self, drafts: Sequence[Draft]) -> set[str]:
        """The keys of lines of which no earlier send can have made a task that is still to turn up."""
        doubtful = {draft.item.key for draft in self._repeated}
        doubtful |= {draft.item.key for draft in drafts if draft.item.known and draft.item.known.writing_since}
        return {draft.item.key for draft in drafts} - doubtful

    def _let_updates_end(self, drafts: Sequence[Draft]) -> None:
        """An update of an earlier run, whose fate is unknown, must not be carried out after the one that follows it."""
        under_way = [
            draft.item.known.writing_since
            for draft in drafts
            if draft.action == UPDATE and draft.item.known and not ledger.has_ended(draft, draft.item.known)
        ]
        if since := latest(under_way):
            self._pace.look_until(since, lambda: False, self._rules.zone)

    # the batch

    def _commands(self, drafts: Sequence[Draft]) -> list[Write]:
        found: list[Write] = []
        for draft in drafts:
            task = draft.task
            if draft.error:
                continue
            if draft.action == ADD:
                fields = {**draft.fields, "GROUP_ID": self._portal.places.group_id}
                if draft.item.order.files:
                    # n: a disk object; a plain number would be an attachment of the task
                    ids = dict.fromkeys(self._files.id_of(draft, file) for file in draft.item.order.files)
                    fields["UF_TASK_WEBDAV_FILES"] = [f"n{file_id}" for file_id in ids]
                found.append(Write(draft, ADD, queries.add_task(fields)))
            if task is None:
                continue
            if draft.renews:
                found.append(Write(draft, RENEW, queries.renew_task(task.id)))
            if draft.action == UPDATE:
                found.append(Write(draft, UPDATE, queries.update_task(task.id, draft.fields)))
            if draft.action == COMPLETE:
                found.append(Write(draft, COMPLETE, queries.complete_task(task.id)))
            if draft.action == DEFER:
                found.append(Write(draft, DEFER, queries.defer_task(task.id)))
            found += [
                Write(draft, ATTACH, queries.attach_file(task.id, self._files.id_of(draft, file)), file)
                for file in draft.attach
            ]
            found += [Write(draft, DELETE, queries.delete_task(spare.id), spare=spare) for spare in draft.spare]
        return found

    def _send(self, chunk: Sequence[Write]) -> None:
        noted_at = self._pace.clock()
        self._note_sending(chunk, noted_at)
        lost: list[Draft] = []
        doubtful: dict[str, errors.PortalError] = {}
        items, people = self._ask(chunk)
        since = self._left_at(items)  # the client may have waited long before it
        for write, item in zip(chunk, items, strict=True):
            draft = write.draft
            try:
                self._take(write, item)
            except errors.PortalError as error:
                uncertain = isinstance(error, errors.PortalUncertain)
                if write.verb == ADD and (uncertain or item.error is None):  # lost, or an answer that says nothing
                    lost.append(draft)
                elif write.verb == ADD and error_codes.may_have_been_done("tasks.task.add", error):
                    doubtful[draft.item.key] = error
                elif uncertain and write.verb != DELETE:
                    draft.fail(error)
                else:
                    self._refused(write, error)
        _warn_of_leavers([write.draft for write in chunk if write.verb == ADD], people)
        unsure = {write.draft.item.key for write in chunk if _is_uncertain(write.draft)}
        unsure |= {draft.item.key for draft in lost} | doubtful.keys()
        self._answered = [replace(row, writing_since=since) if row.key in unsure else row for row in self._answered]
        answered = {write.draft.item.key for write in chunk} - unsure
        with self._store.transaction():
            self._flush()
            self._store.forget_lost_writes(answered, noted_at)
            self._store.end_lost_writes(unsure, noted_at, since + timedelta(seconds=EXECUTES_S))
            if unsure:
                self._store.mark_sent(unsure, since)
            self._store.mark_answered(answered)
        if doubtful:
            self._look_after_errors([write for write in chunk if write.draft.item.key in doubtful], doubtful, noted_at)
        if lost:
            self._settle(lost, since)

    def _look_after_errors(
        self, writes: Sequence[Write], doubtful: dict[str, errors.PortalError], noted_at: datetime
    ) -> None:
        """Look up the tasks whose `add` was answered with an error: the portal saves the task before chat and files."""
        drafts = [write.draft for write in writes if write.verb == ADD]
        orders = {draft.item.order.id for draft in drafts}
        titles = [title for title in self._titles if title.order_id in orders]
        try:
            portal_state.look_up(self._client, self._portal, list(doubtful), titles)
        except errors.PortalError:
            _fail(drafts, may_still_run())  # the ledger has them as sent: the next run looks again
            return
        found = self._found(drafts, self._pace.clock())
        for write in writes:
            draft, error = write.draft, doubtful[write.draft.item.key]
            if write.verb != ADD:
                continue
            if task := found.get(draft.item.key):
                draft.warnings.append(
                    _("the portal made task {id}, but answered with an error: {reason}").format(
                        id=task.id, reason=error.message
                    )
                )
                self._added(draft, task, all_done=False)
            else:
                self._refused(write, error)
        self._flush()
        self._store.forget_lost_writes(doubtful, noted_at)
        self._store.mark_answered(doubtful)
        self._attach_missing([draft for draft in drafts if draft.error is None], None)

    def _attach_missing(self, drafts: Sequence[Draft], since: datetime | None) -> None:
        """Hang on tasks whose making was disturbed what their answer did not vouch for."""
        drafts = [draft for draft in drafts if draft.task and draft.item.order.files]
        for draft in drafts:
            draft.attach = list(draft.item.order.files)
        self._files.leave_out_attached(drafts, since)
        writes = [
            Write(draft, ATTACH, queries.attach_file(draft.task.id, self._files.id_of(draft, file)), file)
            for draft in drafts
            if draft.task and draft.error is None
            for file in draft.attach
        ]
        for chunk in _chunks(writes):
            self._send(chunk)

    def _left_at(self, items: Sequence[Item]) -> datetime:
        """When the last request left whose fate is not known; not before that, if nobody knows."""
        lost = [item.error for item in items if isinstance(item.error, errors.PortalUncertain)]
        sent = latest([error.sent_at for error in lost])
        return self._pace.portal_time(sent) if sent else self._pace.clock()

    def _note_sending(self, chunk: Sequence[Write], since: datetime) -> None:
        """Before a batch leaves, the ledger knows everything that may be different after it."""
        self._store.save_ledger(
            ledger.may_change(write.draft.item.known, write.draft)
            for write in chunk
            if write.verb == UPDATE and write.draft.item.known
        )
        self._store.save_ledger(ledger.put_off(write.draft, since) for write in chunk if write.verb == DEFER)
        self._store.mark_sent({write.draft.item.key for write in chunk}, since)
        self._note_adding([write for write in chunk if write.verb == ADD], since)
        added = [mark(write.draft, file) for write in chunk if write.verb == ADD for file in files_of(write.draft)]
        attached = [mark(write.draft, write.file) for write in chunk if write.file]
        self._store.save_task_files([*added, *attached], "writing")

    def _note_adding(self, writes: Sequence[Write], since: datetime) -> None:
        """Before tasks are made, note what would have been made if the answer never came."""
        self._store.mark_writing([write.draft.item.key for write in writes], since)
        until = since + timedelta(seconds=self._rules.retry_s + EXECUTES_S)
        fields = {write.draft.item.key: write.command.params["fields"] for write in writes}
        self._store.save_lost_writes(
            LostWrite(
                key=key,
                sent_at=since,
                until_at=until,
                title=values["TITLE"],
                group_id=values["GROUP_ID"],
                responsible_id=values["RESPONSIBLE_ID"],
                created_by=values["CREATED_BY"],
                estimate_s=values["TIME_ESTIMATE"],
            )
            for key, values in fields.items()
        )

    def _flush(self) -> None:
        """What a batch achieved goes to the ledger in one piece; lost before that, it is found by key."""
        self._store.save_ledger(self._answered)
        self._store.save_task_files(self._attached, "done")
        self._answered, self._attached = [], []

    def _ask(self, chunk: Sequence[Write]) -> tuple[list[Item], Item | None]:
        """The items of the commands, in their order, and the people who get new tasks as they are then.

        What a batch would garble goes alone.
        """
        commands = {str(number): write.command for number, write in enumerate(chunk)}
        together = {key: command for key, command in commands.items() if batch.is_batchable(command.params)}
        getters = {write.draft.responsible[0] for write in chunk if write.verb == ADD and write.draft.responsible}
        if getters and together:
            together = {"people": queries.people_by_id(sorted(getters)).command, **together}
        items: dict[str, Item] = {}
        if together:
            try:
                items = self._client.batch(together)
            except errors.PortalError as error:
                items = {key: Item(key, error=error) for key in together}
        for key, command in commands.items():
            if key not in items:
                try:
                    items[key] = Item(key, self._client.call(command.method, command.params).result)
                except errors.PortalError as error:
                    items[key] = Item(key, error=error)
        return [items[key] for key in commands], items.get("people")

    def _take(self, write: Write, item: Item) -> None:
        """Read one answer; raises its error."""
        draft, value = write.draft, item.value
        if write.verb in (ADD, UPDATE):
            self._compare(write.command.params["fields"], queries.task_row(value, write.command.method))
        if write.verb == ADD:
            task = self._portal.read_task(queries.task_row(value, "tasks.task.add"))
            if task.xml_id != draft.item.key:
                draft.warnings.append(
                    _("the portal does not keep external keys (XML_ID): tasks are found again by their titles")
                )
            self._added(draft, task)
        elif write.verb == UPDATE:
            self._answered.append(ledger.row(draft, "done", self._pace.clock()))
            if draft.outcome == "adopted" and not draft.attach:  # the service that made the task gave it the files, too
                self._attached += [mark(draft, file) for file in draft.item.order.files]
        elif write.verb in (COMPLETE, DEFER, RENEW):
            draft.task = self._portal.read_task(queries.task_row(value, write.command.method))
            if write.verb == DEFER:
                self._answered.append(ledger.put_off(draft, self._pace.clock()))
            if write.verb == RENEW:
                draft.renews = False
                if draft.action != UPDATE:  # else its answer says what was written
                    self._answered.append(ledger.row(draft, "done", self._pace.clock()))
        elif write.file is not None:
            self._attached.append(mark(draft, write.file))
        elif write.spare is not None:
            message = _("task {id}, a second one of this line that a lost request had made, was deleted").format(
                id=write.spare.id
            )
            draft.warnings.append(message)
            _log.info(message)

    def _refused(self, write: Write, error: errors.PortalError) -> None:
        draft = write.draft
        if write.verb == ADD:
            self._answered.append(ledger.row(draft, "planned", self._pace.clock()))
            self._store.forget_decisions(self._settled([draft]))
        if write.spare is None:
            draft.fail(error)
        elif isinstance(error, errors.PortalUncertain):
            draft.warnings.append(
                _("whether task {id}, a second one of this line, was deleted is not known ({reason})").format(
                    id=write.spare.id, reason=error.message
                )
            )
        else:
            draft.warnings.append(
                _("task {id}, a second one of this line, could not be deleted: {reason}").format(
                    id=write.spare.id, reason=error
                )
            )

    def _added(self, draft: Draft, task: Task, *, all_done: bool = True) -> None:
        """Take the task as the line's. `all_done`: the portal said so, hence its files hang on it."""
        draft.task = task
        if draft.responsible is None or task.responsible_id != draft.responsible[0]:  # by an earlier run
            draft.responsible = (task.responsible_id, task.responsible_name or f"#{task.responsible_id}")
            draft.start, draft.end, draft.deadline, draft.estimate_s = (
                task.start,
                task.end,
                task.deadline,
                task.estimate_s,
            )
        self._answered.append(ledger.row(draft, "done", self._pace.clock()))
        if all_done:
            self._attached += [mark(draft, file) for file in draft.item.order.files]

    # lost answers

    def _settle(self, lost: list[Draft], since: datetime) -> None:
        """What was made is taken; what surely was not is sent again, once: another loss is left to the next run."""
        keys = [draft.item.key for draft in lost]
        orders = {draft.item.order.id for draft in lost}
        titles = [title for title in self._titles if title.order_id in orders]

        def look() -> bool:
            portal_state.look_up(self._client, self._portal, keys, titles)
            return len(self._found(lost, since)) == len(lost)

        try:
            settled = self._pace.look_until(since, look, self._rules.zone, at_most_s=self._rules.retry_s)
            found = self._found(lost, since)
            for draft in lost:
                if task := found.get(draft.item.key):
                    self._added(draft, task, all_done=False)
                    self._store.pay_lost_write(draft.item.key, task.created_at)
            self._flush()
            self._attach_missing([draft for draft in lost if draft.task], since)
            missing = [draft for draft in lost if draft.task is None]
            if settled:
                self._repeated += lost
                self._send_again(missing)
            else:
                _fail(missing, may_still_run())
        except errors.PortalError as error:
            _fail([draft for draft in lost if draft.task is None and draft.error is None], error)

    def _found(self, lost: Sequence[Draft], since: datetime) -> dict[str, Task]:
        lines = [replace(ledger.row(draft, "writing", since), writing_since=since) for draft in lost]
        return find_lost(self._portal, lines, self._store.our_tasks(self._portal.found_ids()))

    def _send_again(self, drafts: Sequence[Draft]) -> None:
        chunk = [write for write in self._commands(drafts) if write.verb == ADD]
        noted_at = self._pace.clock()
        self._note_adding(chunk, noted_at)
        items, _people = self._ask(chunk)
        for write, item in zip(chunk, items, strict=True):
            key = write.draft.item.key
            try:
                self._take(write, item)
                self._store.forget_lost_writes([key], noted_at)
            except errors.PortalError as error:
                sent_at = error.sent_at if isinstance(error, errors.PortalUncertain) else None
                left_at = self._pace.portal_time(sent_at) if sent_at else self._pace.clock()
                if isinstance(error, errors.PortalUncertain) or error_codes.may_have_been_done("tasks.task.add", error):
                    write.draft.fail(error)
                    self._store.mark_sent([key], left_at)
                    self._store.end_lost_writes([key], noted_at, left_at + timedelta(seconds=EXECUTES_S))
                else:
                    self._refused(write, error)
                    self._store.forget_lost_writes([key], noted_at)
        self._flush()

    # a second task of a line

    def _choose_spares(self, drafts: Sequence[Draft]) -> None:
        """Decide which of the tasks with a line's key may be deleted; the others are left, and named.

        That is what a lost request of ours made, as it was made: nothing else that carries our key is ours to delete,
        a person's copy least of all.
        """
        lost = self._store.lost_writes([draft.item.key for draft in drafts])
        ours = {
            other.id: other
            for draft in drafts
            for other in draft.others
            if draft.task is not None and draft.task.is_open and _is_of_lost_write(other, lost.get(draft.item.key, ()))
        }
        clean = self._without_history(list(ours.values()))
        for draft in drafts:
            draft.spare = [other for other in draft.others if other.id in clean]
            for other in draft.others:
                if other.is_open and other.id not in clean:
                    draft.warnings.append(
                        _("task {id} carries the key of this line as well (a copy?): it was left").format(id=other.id)
                    )

    def _without_history(self, tasks: Sequence[Task]) -> set[int]:
        """Those of the tasks whose history tells nothing but that the webhook's owner made them."""
        if not tasks:
            return set()
        batch = self._client.new_batch()
        histories = {task.id: batch.add(queries.task_history(task.id, self._portal.zone)) for task in tasks}
        try:
            batch.send()
        except errors.PortalError:
            return set()
        clean = set()
        for task in tasks:
            try:
                happened = histories[task.id].value
            except errors.PortalError:
                continue
            made_by = [user for name, _moment, user in happened if name == "NEW"]
            if made_by == [self._portal.owner.id] and all(
                name == "NEW" or _is_at_creation(moment, task) for name, moment, _user in happened
            ):
                clean.add(task.id)
        return clean

    def _remove_duplicates(self) -> None:
        """Once more at the end of a run with lost answers: a first send may have ended after the second."""
        if not self._repeated:
            return
        try:
            portal_state.look_up(self._client, self._portal, [draft.item.key for draft in self._repeated])
            for draft in self._repeated:
                tasks = self._portal.by_key.get(draft.item.key, [])
                draft.others = [task for task in tasks if draft.task is not None and task.id != draft.task.id]
            doubled = [draft for draft in self._repeated if draft.others]
            self._choose_spares(doubled)
            writes = [write for write in self._commands(doubled) if write.verb == DELETE]
            for chunk in _chunks(writes):
                self._send(chunk)
        except errors.PortalError as error:
            for draft in self._repeated:
                draft.warnings.append(
                    _("whether a second task was made could not be checked ({reason}); send the order again").format(
                        reason=error.message
                    )
                )

    # after

    def _compare(self, fields: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Note which fields the portal dropped."""
        dropped = dropped_fields(fields, row)
        self._dropped |= {name: self._dropped.get(name, False) or name in dropped for name in fields if fields[name]}

    def _note_dropped(self) -> list[str]:
        """Remember for `doctor` which fields the portal dropped, and say it once."""
        if not self._dropped:
            return []
        dropped = [name for name, is_dropped in self._dropped.items() if is_dropped]
        self._store.note_dropped(dropped, self._dropped, self._pace.clock())
        if not dropped:
            return []
        return [
            _("the portal dropped {fields} without an error: its plan seems not to include them").format(
                fields=", ".join(dropped)
            )
        ]

    def _approve(self, drafts: Sequence[Draft]) -> None:
        """A completed task may wait for its creator's control; and 200 may come with nothing done."""
        waiting = {
            str(draft.task.id): draft for draft in drafts if draft.task and draft.task.status == Status.AWAITS_CONTROL
        }
        if waiting:
            try:
                items = self._client.batch({key: queries.approve_task(int(key)) for key in waiting})
            except errors.PortalError as error:
                items = {key: Item(key, error=error) for key in waiting}
            for key, draft in waiting.items():
                try:
                    row = queries.task_row(items[key].value, "tasks.task.approve")
                    draft.task = self._portal.read_task(row)
                except errors.PortalError as error:
                    draft.fail(error)
        for draft in drafts:
            if draft.error is None and draft.task and draft.task.status != Status.COMPLETED:
                draft.fail(
                    errors.PortalError(
                        _("task {id} is not finished after completing it (status {status})").format(
                            id=draft.task.id, status=draft.task.status
                        ),
                        _("Open the task in Bitrix24: it may want a result, or its creator's approval."),
                        method="tasks.task.complete",
                    )
                )

    def _note_kept(self, drafts: Iterable[Draft]) -> None:
        """The ledger learns of tasks it did not know: found by key, adopted, or made by a run that was cut."""
        now = self._pace.clock()
        for draft in drafts:
            known, task = draft.item.known, draft.task
            if task is None or draft.error or draft.action in (ADD, UPDATE):
                continue
            if draft.action == DEFER or draft.renews:
                continue
            if known is None or not draft.item.is_trusted(task):
                is_off = draft.item.order.cancelled and not draft.item.order.done
                row = ledger.put_off(draft, now) if is_off else ledger.row(draft, "done", now)
                self._store.save_ledger([row])
            elif known.state != "done" or known.task_id != task.id or known.writing_since:
                self._store.save_ledger(
                    [replace(known, state="done", task_id=task.id, writing_since=None, old_key=ledger.other_key(draft))]
                )


def _is_of_lost_write(task: Task, writes: Iterable[LostWrite]) -> bool:
    """Whether a request of ours that was never answered made the task, and it is as it was made."""
    return is_untouched(task) and any(
        task.created_at is not None
        and write.sent_at - CLOCK_ERROR <= task.created_at <= write.until_at + CLOCK_ERROR
        and (write.key, write.title, write.group_id, write.responsible_id, write.created_by, write.estimate_s)
        == (task.xml_id, task.title, task.group_id, task.responsible_id, task.created_by, task.estimate_s)
        for write in writes
    )


def _is_at_creation(moment: datetime | None, task: Task) -> bool:
    return bool(moment and task.created_at and moment - task.created_at <= timedelta(seconds=TOUCHED_S))


def _warn_of_leavers(added: Iterable[Draft], people: Item | None) -> None:
    """The portal gives tasks to the dismissed, too: files may have taken minutes since the plan was made."""
    if people is None or people.error is not None:
        return
    gone = {person.id: person.name for person in queries.read_people(people.value) if not person.active}
    for draft in added:
        if draft.task is not None and draft.task.responsible_id in gone:
            draft.warnings.append(
                _("{name} has left since the plan was made: give the task to somebody else").format(
                    name=gone[draft.task.responsible_id]
                )
            )


def _is_uncertain(draft: Draft) -> bool:
    return isinstance(draft.error, errors.PortalUncertain)


def _fail(drafts: Iterable[Draft], error: errors.PortalError) -> None:
    for draft in drafts:
        draft.fail(error)


def _chunks(writes: list[Write]) -> Iterable[list[Write]]:
    for start in range(0, len(writes), BATCH):
        yield writes[start : start + BATCH]
