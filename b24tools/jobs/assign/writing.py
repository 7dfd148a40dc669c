"""Drafts written to the portal: the ledger first, then files, then everything else in one batch.

Whatever is cut, at any point, the next run finds the tasks by their keys and the files by their
names. A write whose answer never came is looked up before it is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from b24tools import errors, onec
from b24tools.bitrix import batches, methods
from b24tools.bitrix.batches import Command, Item
from b24tools.bitrix.client import Client
from b24tools.i18n import _
from b24tools.jobs.assign import decisions, ledger, reading
from b24tools.jobs.assign.draft import ADD, COMPLETE, UPDATE, Draft, Rules
from b24tools.jobs.assign.files import Files, Mark, files_of, mark
from b24tools.jobs.assign.pace import Pace, Progress, find_lost, latest, may_still_run, untouched
from b24tools.jobs.assign.places import PlaceMaker
from b24tools.jobs.assign.reading import Portal, TitleQuestion
from b24tools.models import Status, Task
from b24tools.store import LedgerTask, Store

__all__ = ["Pace", "Progress", "Writer"]

BATCH = 49  # of the 50 commands of a request: one asks about the people
ATTACH, DELETE = "attach", "delete"


@dataclass(frozen=True)
class Write:
    """One command of a batch: what it does for which line, and with which file."""

    draft: Draft
    verb: str
    command: Command
    file: onec.Attachment | None = None


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

    def write(self, drafts: Sequence[Draft]) -> None:
        """Write all; each draft ends with its outcome or its error. Raises only what stops the machine itself."""
        self._note_adds(drafts)
        busy = [draft for draft in drafts if draft.writes or draft.spare]
        self._places.prepare(
            [draft for draft in busy if draft.action == ADD], [draft for draft in busy if files_of(draft)]
        )
        self._files.upload(busy)
        self._files.leave_out_attached(busy)
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

    # before

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
                found.append(Write(draft, ADD, methods.add_task(fields)))
            if task is None:
                continue
            if draft.action == UPDATE:
                found.append(Write(draft, UPDATE, methods.update_task(task.id, draft.fields)))
            if draft.action == COMPLETE:
                found.append(Write(draft, COMPLETE, methods.complete_task(task.id)))
            found += [
                Write(draft, ATTACH, methods.attach_file(task.id, self._files.id_of(draft, file)), file)
                for file in draft.attach
            ]
            found += [Write(draft, DELETE, methods.delete_task(spare.id)) for spare in _deletable(draft)]
        return found

    def _send(self, chunk: Sequence[Write]) -> None:
        self._note_sending(chunk, self._pace.clock())
        lost: list[Draft] = []
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
                elif uncertain and write.verb != DELETE:
                    draft.fail(error)
                else:
                    self._refused(draft, write.verb, error)
        _warn_of_leavers([write.draft for write in chunk if write.verb == ADD], people)
        unsure = {write.draft.item.key for write in chunk if _is_uncertain(write.draft)}
        unsure |= {draft.item.key for draft in lost}
        self._answered = [replace(row, writing_since=since) if row.key in unsure else row for row in self._answered]
        self._flush()
        if unsure:
            self._store.mark_sent(unsure, since)
        self._store.mark_answered({write.draft.item.key for write in chunk} - unsure)
        if lost:
            self._settle(lost, since)

    def _left_at(self, items: Sequence[Item]) -> datetime:
        """When the last request left whose fate is not known; not before that, if nobody knows."""
        lost = [item.error for item in items if isinstance(item.error, errors.PortalUncertain)]
        return latest([error.sent_at for error in lost]) or self._pace.clock()

    def _note_sending(self, chunk: Sequence[Write], since: datetime) -> None:
        """Before a batch leaves, the ledger knows everything that may be different after it."""
        self._store.save_ledger(
            ledger.may_change(write.draft.item.known, write.draft)
            for write in chunk
            if write.verb == UPDATE and write.draft.item.known
        )
        self._store.mark_sent({write.draft.item.key for write in chunk}, since)
        self._store.mark_writing([write.draft.item.key for write in chunk if write.verb == ADD], since)
        added = [mark(write.draft, file) for write in chunk if write.verb == ADD for file in files_of(write.draft)]
        attached = [mark(write.draft, write.file) for write in chunk if write.file]
        self._store.save_task_files([*added, *attached], "writing")

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
        together = {key: command for key, command in commands.items() if batches.is_batchable(command.params)}
        getters = {write.draft.responsible[0] for write in chunk if write.verb == ADD and write.draft.responsible}
        if getters and together:
            together = {"people": methods.people_by_id(sorted(getters)).command, **together}
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
        if write.verb == ADD:
            task = self._portal.read_task(methods.task_row(value, "tasks.task.add"))
            if task.xml_id != draft.item.key:
                draft.warnings.append(
                    _("the portal does not keep external keys (XML_ID): tasks are found again by their titles")
                )
            self._added(draft, task)
            self._attached += [mark(draft, file) for file in draft.item.order.files]
        elif write.verb == UPDATE:
            methods.task_row(value, "tasks.task.update")
            self._answered.append(ledger.row(draft, "done", self._pace.clock()))
            if draft.item.known is None:  # the service that made the task gave it the files, too
                self._attached += [mark(draft, file) for file in draft.item.order.files]
        elif write.verb == COMPLETE:
            draft.task = self._portal.read_task(methods.task_row(value, "tasks.task.complete"))
        elif write.file is not None:
            self._attached.append(mark(draft, write.file))
        else:
            draft.warnings.append(
                _("a second task of this line, made by a send that was cut, was deleted: the first stays")
            )

    def _refused(self, draft: Draft, verb: str, error: errors.PortalError) -> None:
        if verb == ADD:
            self._answered.append(ledger.row(draft, "planned", self._pace.clock()))
            self._store.forget_decisions(self._settled([draft]))
        if verb == DELETE and isinstance(error, errors.PortalUncertain):
            draft.warnings.append(
                _(
                    "whether a second task of this line was deleted is not known ({reason}); send the order again"
                ).format(reason=error.message)
            )
        elif verb == DELETE:
            draft.warnings.append(_("a second task of this line could not be deleted: {reason}").format(reason=error))
        else:
            draft.fail(error)

    def _added(self, draft: Draft, task: Task) -> None:
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

    # lost answers

    def _settle(self, lost: list[Draft], since: datetime) -> None:
        """What was made is taken; what surely was not is sent again, once: another loss is left to the next run."""
        keys = [draft.item.key for draft in lost]
        orders = {draft.item.order.id for draft in lost}
        titles = [title for title in self._titles if title.order_id in orders]

        def look() -> bool:
            reading.look_up(self._client, self._portal, keys, titles)
            return len(self._found(lost, since)) == len(lost)

        try:
            settled = self._pace.look_until(since, look, self._rules.zone, at_most_s=self._rules.retry_s)
            found = self._found(lost, since)
            for draft in lost:
                if task := found.get(draft.item.key):
                    self._added(draft, task)
            self._flush()
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
        titled = [task.id for tasks in self._portal.titled.values() for task in tasks]
        return find_lost(self._portal, lines, self._store.our_tasks(titled))

    def _send_again(self, drafts: Sequence[Draft]) -> None:
        chunk = [write for write in self._commands(drafts) if write.verb == ADD]
        self._store.mark_writing([write.draft.item.key for write in chunk], self._pace.clock())
        items, _people = self._ask(chunk)
        for write, item in zip(chunk, items, strict=True):
            try:
                self._take(write, item)
            except errors.PortalUncertain as error:
                write.draft.fail(error)
                self._store.mark_sent([write.draft.item.key], error.sent_at or self._pace.clock())
            except errors.PortalError as error:
                self._refused(write.draft, ADD, error)
        self._flush()

    def _remove_duplicates(self) -> None:
        """Once more at the end of a run with lost answers: a first send may have ended after the second."""
        if not self._repeated:
            return
        try:
            reading.look_up(self._client, self._portal, [draft.item.key for draft in self._repeated])
            for draft in self._repeated:
                tasks = [task for task in self._portal.by_key.get(draft.item.key, []) if task.is_open]
                if len(tasks) > 1:
                    draft.spare = tasks[1:]
                    self._added(draft, tasks[0])
            doubled = [draft for draft in self._repeated if draft.spare]
            if doubled:
                self._send([write for write in self._commands(doubled) if write.verb == DELETE])
        except errors.PortalError as error:
            for draft in self._repeated:
                draft.warnings.append(
                    _("whether a second task was made could not be checked ({reason}); send the order again").format(
                        reason=error.message
                    )
                )

    # after

    def _approve(self, drafts: Sequence[Draft]) -> None:
        """A completed task may wait for its creator's control; and 200 may come with nothing done."""
        waiting = {
            str(draft.task.id): draft for draft in drafts if draft.task and draft.task.status == Status.AWAITS_CONTROL
        }
        if waiting:
            try:
                items = self._client.batch({key: methods.approve_task(int(key)) for key in waiting})
            except errors.PortalError as error:
                items = {key: Item(key, error=error) for key in waiting}
            for key, draft in waiting.items():
                try:
                    row = methods.task_row(items[key].value, "tasks.task.approve")
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
            if known is None:
                self._store.save_ledger([ledger.row(draft, "done", now)])
                self._store.save_task_files([mark(draft, file) for file in draft.item.order.files], "done")
            elif known.state != "done" or known.task_id != task.id or known.writing_since:
                self._store.save_ledger([replace(known, state="done", task_id=task.id, writing_since=None)])


def _deletable(draft: Draft) -> list[Task]:
    """Second tasks of the line that nobody has touched; of the others people are told."""
    found = []
    for spare in draft.spare:
        if spare.is_open and draft.task is not None and draft.task.is_open and untouched(spare):
            found.append(spare)
        elif spare.is_open:
            draft.warnings.append(
                _("task {id} is a second one of this line; somebody works on it, so it was left").format(id=spare.id)
            )
    return found


def _warn_of_leavers(added: Iterable[Draft], people: Item | None) -> None:
    """The portal gives tasks to the dismissed, too: files may have taken minutes since the plan was made."""
    if people is None or people.error is not None:
        return
    gone = {person.id: person.name for person in methods.read_people(people.value) if not person.active}
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
