"""Drafts written to the portal: the ledger first, then files, then everything else in one batch.

Whatever is cut, at any point, the next run finds the tasks by their keys and the files by their
names. A write whose answer never came is looked up before it is repeated.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from b24tools import errors, onec
from b24tools.bitrix import batches, methods
from b24tools.bitrix.batches import Command, Item
from b24tools.bitrix.client import Client
from b24tools.bitrix.directory import Places, first_id
from b24tools.i18n import _
from b24tools.jobs.assign import draft as drafts_module
from b24tools.jobs.assign import reading
from b24tools.jobs.assign.draft import ADD, COMPLETE, UPDATE, Draft, Rules
from b24tools.jobs.assign.reading import Portal, TitleQuestion
from b24tools.models import Status, Task
from b24tools.store import Decision, LedgerFile, LedgerTask, Store

BATCH = 50
EXECUTES_S = 60  # the portal cuts a request of its own after this long: then a lost write is settled
NAME_TAKEN = "DISK_OBJ_22000"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Pace:
    """Time and talk: the clock, how to sleep, whom to tell."""

    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    progress: Progress
    say: Callable[[str], None]


class Settling:
    """Finding out what became of writes whose answers were lost."""

    def __init__(self, client: Client, portal: Portal, rules: Rules, pace: Pace) -> None:
        self._client = client
        self._portal = portal
        self._rules = rules
        self._pace = pace

    def wait_for(
        self, keys: Sequence[str], since: datetime, titles: Sequence[TitleQuestion], found: Callable[[str], bool]
    ) -> None:
        """Look until all keys are found, or the portal cannot be working on the write any more."""
        now = self._pace.clock()
        until = min(since + timedelta(seconds=EXECUTES_S), now + timedelta(seconds=self._rules.retry_s))
        pause_s = 1.0
        told = False
        while True:
            reading.look_up(self._client, self._portal, keys, titles)
            left_s = (until - self._pace.clock()).total_seconds()
            if all(found(key) for key in keys) or left_s <= 0:
                return
            if not told:
                moment = until.astimezone(self._rules.zone).strftime("%H:%M:%S")
                self._pace.say(
                    _("an answer was lost; looking until {time} whether the portal made the tasks").format(time=moment)
                )
                told = True
            self._pace.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, 10)


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
        self._repeated: list[Draft] = []
        self._file_ids: dict[tuple[str, str, str], int] = {}
        self._answered: list[LedgerTask] = []
        self._attached: list[tuple[str, str, str]] = []

    def write(self, drafts: Sequence[Draft]) -> None:
        """Write all; each draft ends with its outcome or its error. Raises only what stops the machine itself."""
        self._note_adds(drafts)
        busy = [draft for draft in drafts if draft.writes]
        self._prepare_places(busy)
        self._upload(busy)
        self._check_attachments(busy)
        done = 0
        for chunk in _chunks(self._commands(busy)):
            self._send(chunk)
            done += len(chunk)
            self._pace.progress("tasks", done, done)
        self._approve([draft for draft in busy if draft.action == COMPLETE and draft.error is None])
        self._remove_duplicates()
        self._note_kept(drafts)

    # before

    def _note_adds(self, drafts: Sequence[Draft]) -> None:
        adds = [draft for draft in drafts if draft.action == ADD]
        now = self._pace.clock()
        self._store.save_ledger(_ledger(draft, "planned", now) for draft in adds)
        self._store.forget_task_files(draft.item.key for draft in adds)
        self._store.save_decisions(_decision(draft, now) for draft in adds)

    def _prepare_places(self, drafts: Sequence[Draft]) -> None:
        places = self._portal.places
        adds = [draft for draft in drafts if draft.action == ADD]
        with_files = [draft for draft in drafts if _files_of(draft)]
        group_id, folder_id = places.group_id, places.folder_id
        try:
            if adds and group_id is None:
                group_id = self._make_group()
        except errors.PortalError as error:
            _fail(adds, error)
        try:
            if with_files and folder_id is None:
                folder_id = self._make_folder(places.root_folder_id)
        except errors.PortalError as error:
            _fail(with_files, error)
        self._portal.places = Places(group_id, places.root_folder_id, folder_id)

    def _make_group(self) -> int:
        name = self._rules.group
        hint = _("Create the project by hand, or set B24_GROUP to an existing one, by name or id.")
        if name.isdecimal():
            raise errors.PortalError(_("the portal has no project {id}").format(id=name), hint)
        try:
            return methods.create_group(name).run(self._client)
        except errors.PortalUncertain:
            found = first_id(methods.groups_named(name).run(self._client))
            if found is None:
                raise
            return found
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            raise errors.PortalDenied(
                _('the project "{name}" does not exist and cannot be created: {reason}').format(
                    name=name, reason=error.message
                ),
                hint,
                method=error.method,
                portal_code=error.portal_code,
            ) from None

    def _make_folder(self, root_id: int | None) -> int:
        if root_id is None:
            raise errors.PortalDenied(
                _("the portal shows no common storage for files"),
                _("Let the webhook's owner use the company drive, or set B24_FOLDER to the id of a folder."),
            )
        name = self._rules.folder
        try:
            return methods.add_folder(root_id, name).run(self._client)
        except errors.PortalError as error:
            if not (isinstance(error, errors.PortalUncertain) or error.portal_code == NAME_TAKEN):
                raise
            found = first_id(one for one in methods.children(root_id, name).run(self._client) if one[2] == "folder")
            if found is None:
                raise
            return found

    # files

    def _upload(self, drafts: Sequence[Draft]) -> None:
        wanted: dict[tuple[str, str, str], tuple[onec.Order, onec.Attachment]] = {}
        for draft in drafts:
            order = draft.item.order
            for file in _files_of(draft):
                wanted[order.id, file.name, file.sha256] = (order, file)
        known = {
            (file.order_id, file.name, file.sha256): file for file in self._store.files({one[0] for one in wanted})
        }
        failed: dict[str, errors.PortalError] = {}
        for number, (mark, (order, file)) in enumerate(wanted.items()):
            self._pace.progress("files", number, len(wanted))
            stored = known[mark].stored_name if mark in known else onec.stored_name(order.number, file)
            try:
                if order.id not in failed:
                    file_id = self._portal.stored.get(stored) or self._upload_one(stored, file)
                    self._file_ids[mark] = file_id
                    entry = LedgerFile(order.id, file.name, file.sha256, stored, len(file.content), file_id)
                    if known.get(mark) != entry:
                        self._store.save_file(entry, self._pace.clock())
            except errors.PortalError as error:
                failed[order.id] = error
        if wanted:
            self._pace.progress("files", len(wanted), len(wanted))
        for draft in drafts:
            if _files_of(draft) and (problem := failed.get(draft.item.order.id)):
                draft.fail(problem)

    def _upload_one(self, stored: str, file: onec.Attachment) -> int:
        """Upload once. The name is unique to the content, so a taken name is this very file."""
        folder_id = self._portal.places.folder_id or 0
        content = base64.b64encode(file.content).decode("ascii")
        try:
            return methods.upload_file(folder_id, stored, content).run(self._client)
        except errors.PortalError as error:
            if not (isinstance(error, errors.PortalUncertain) or error.portal_code == NAME_TAKEN):
                raise
        found = self._stored_file(folder_id, stored)
        if found is None:  # the name protects from a second copy if the lost upload ends after this one
            try:
                return methods.upload_file(folder_id, stored, content).run(self._client)
            except errors.PortalError as error:
                found = self._stored_file(folder_id, stored) if error.portal_code == NAME_TAKEN else None
                if found is None:
                    raise
        return found

    def _stored_file(self, folder_id: int, stored: str) -> int | None:
        found = methods.children(folder_id, stored).run(self._client)
        return first_id(one for one in found if one[2] == "file" and one[1] == stored)

    def _check_attachments(self, drafts: Sequence[Draft]) -> None:
        """What was being attached when an earlier run was cut may hang there already."""
        states = self._store.task_files(draft.item.key for draft in drafts if draft.attach)
        for draft in drafts:
            task = draft.task
            unsure = [file for file in draft.attach if states.get(_mark(draft, file)) == "writing"]
            if not unsure or task is None or draft.error:
                continue
            try:
                ids = methods.attachments(task.id).run(self._client)
                items = self._client.batch({str(one): methods.attached_file(one).command for one in ids})
                there = {methods.attached_file(0).of(item) for item in items.values()}
            except errors.PortalError as error:
                draft.fail(error)
                continue
            present = [file for file in unsure if self._file_id(draft, file) in there]
            self._store.save_task_files([_mark(draft, file) for file in present], "done")
            draft.attach = [file for file in draft.attach if file not in present]

    def _file_id(self, draft: Draft, file: onec.Attachment) -> int:
        return self._file_ids[draft.item.order.id, file.name, file.sha256]

    # the batch

    def _commands(self, drafts: Sequence[Draft]) -> list[tuple[Draft, str, Command]]:
        found: list[tuple[Draft, str, Command]] = []
        for draft in drafts:
            task = draft.task
            if draft.error:
                continue
            if draft.action == ADD:
                fields = {**draft.fields, "GROUP_ID": self._portal.places.group_id}
                if draft.item.order.files:
                    # n: a disk object; a plain number would be an attachment of the task
                    ids = dict.fromkeys(self._file_id(draft, file) for file in draft.item.order.files)
                    fields["UF_TASK_WEBDAV_FILES"] = [f"n{file_id}" for file_id in ids]
                found.append((draft, ADD, methods.add_task(fields)))
            if task is None:
                continue
            if draft.action == UPDATE:
                found.append((draft, UPDATE, methods.update_task(task.id, draft.fields)))
            if draft.action == COMPLETE:
                found.append((draft, COMPLETE, methods.complete_task(task.id)))
            found += [
                (draft, "attach", methods.attach_file(task.id, self._file_id(draft, file))) for file in draft.attach
            ]
            found += [(draft, "delete", methods.delete_task(spare.id)) for spare in _deletable(draft)]
        return found

    def _send(self, chunk: Sequence[tuple[Draft, str, Command]]) -> None:
        adds = [draft for draft, verb, _command in chunk if verb == ADD]
        attaching = [draft for draft, verb, _command in chunk if verb == "attach"]
        since = self._pace.clock()
        self._store.mark_writing([draft.item.key for draft in adds], since)
        self._store.save_task_files(
            [_mark(draft, file) for draft in [*adds, *attaching] for file in _files_of(draft)], "writing"
        )
        lost: list[Draft] = []
        for (draft, verb, _command), item in zip(chunk, self._ask(chunk), strict=True):
            try:
                self._take(draft, verb, item)
            except errors.PortalUncertain as error:
                if verb == ADD:
                    lost.append(draft)
                else:
                    draft.fail(error)
            except errors.PortalError as error:
                self._refused(draft, verb, error)
        self._flush()
        if lost:
            self._settle(lost, since)

    def _flush(self) -> None:
        """What a batch achieved goes to the ledger in one piece; lost before that, it is found by key."""
        self._store.save_ledger(self._answered)
        self._store.save_task_files(self._attached, "done")
        self._answered, self._attached = [], []

    def _ask(self, chunk: Sequence[tuple[Draft, str, Command]]) -> list[Item]:
        """The items of the commands, in their order; what a batch would garble goes alone."""
        together = {str(n): one[2] for n, one in enumerate(chunk) if batches.is_batchable(one[2].params)}
        items: dict[str, Item] = {}
        if together:
            try:
                items = self._client.batch(together)
            except errors.PortalError as error:
                items = {key: Item(key, error=error) for key in together}
        for number, (_draft, _verb, command) in enumerate(chunk):
            key = str(number)
            if key not in items:
                try:
                    items[key] = Item(key, self._client.call(command.method, command.params).result)
                except errors.PortalError as error:
                    items[key] = Item(key, error=error)
        return [items[str(number)] for number in range(len(chunk))]

    def _take(self, draft: Draft, verb: str, item: Item) -> None:
        """Read one answer; raises its error."""
        value = item.value
        if verb == ADD:
            task = methods.read_task(methods.task_row(value, "tasks.task.add"), self._portal.zone)
            if task.xml_id != draft.item.key:
                draft.warnings.append(
                    _("the portal does not keep external keys (XML_ID): tasks are found again by their titles")
                )
            self._added(draft, task)
        elif verb == UPDATE:
            methods.task_row(value, "tasks.task.update")
            self._answered.append(_ledger(draft, "done", self._pace.clock()))
        elif verb == COMPLETE:
            draft.task = methods.read_task(methods.task_row(value, "tasks.task.complete"), self._portal.zone)
        elif verb == "attach":
            self._attached += [_mark(draft, file) for file in draft.attach]
        else:
            draft.warnings.append(
                _("a second task of this line, made by a send that was cut, was deleted: the first stays")
            )

    def _refused(self, draft: Draft, verb: str, error: errors.PortalError) -> None:
        if verb == ADD:
            self._answered.append(_ledger(draft, "planned", self._pace.clock()))
        if verb == "delete":
            draft.warnings.append(_("a second task of this line could not be deleted: {reason}").format(reason=error))
        else:
            draft.fail(error)

    def _added(self, draft: Draft, task: Task) -> None:
        draft.task = task
        self._answered.append(_ledger(draft, "done", self._pace.clock()))
        self._attached += [_mark(draft, file) for file in draft.item.order.files]

    # lost answers

    def _settle(self, lost: list[Draft], since: datetime) -> None:
        keys = [draft.item.key for draft in lost]
        by_key = {draft.item.key: draft for draft in lost}
        orders = {draft.item.order.id for draft in lost}
        titles = [title for title in self._titles if title.order_id in orders]
        settling = Settling(self._client, self._portal, self._rules, self._pace)
        try:
            settling.wait_for(keys, since, titles, lambda key: self._find(by_key[key]) is not None)
            again = [draft for draft in lost if not self._adopt_found(draft)]
            self._repeated += lost
            self._flush()
            if again:
                self._send_again(again)
        except errors.PortalError as error:
            for draft in lost:
                if draft.outcome == "created" and draft.task is None and draft.error is None:
                    draft.fail(error)

    def _send_again(self, drafts: Sequence[Draft]) -> None:
        """What surely did not happen is repeated, once: another loss is left to the next run."""
        chunk = [one for one in self._commands(drafts) if one[1] == ADD]
        self._store.mark_writing([draft.item.key for draft in drafts], self._pace.clock())
        for (draft, verb, _command), item in zip(chunk, self._ask(chunk), strict=True):
            try:
                self._take(draft, verb, item)
            except errors.PortalUncertain as error:
                draft.fail(error)
            except errors.PortalError as error:
                self._refused(draft, verb, error)
        self._flush()

    def _find(self, draft: Draft) -> Task | None:
        tasks = [task for task in self._portal.by_key.get(draft.item.key, []) if task.is_open]
        if tasks:
            return tasks[0]
        since = draft.item.order.date
        return next(
            (
                task
                for task in self._portal.titled.get(draft.item.order.id, [])
                if not task.xml_id and task.is_open and task.title == draft.item.title and self._is_free(task)
                if since is None or task.created_at is None or task.created_at >= since
            ),
            None,
        )

    def _is_free(self, task: Task) -> bool:
        return task.id not in self._store.our_tasks([task.id])

    def _adopt_found(self, draft: Draft) -> bool:
        task = self._find(draft)
        if task is not None:
            self._added(draft, task)
        return task is not None

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
            self._send([one for one in self._commands(doubled) if one[1] == "delete"])
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
                    draft.task = methods.read_task(row, self._portal.zone)
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
                self._store.save_ledger([_ledger(draft, "done", now)])
                self._store.save_task_files([_mark(draft, file) for file in draft.item.order.files], "done")
            elif known.state != "done" or known.task_id != task.id:
                self._store.save_ledger([replace(known, state="done", task_id=task.id, writing_since=None)])


def _files_of(draft: Draft) -> Sequence[onec.Attachment]:
    """The files this draft needs on the disk."""
    return draft.item.order.files if draft.action == ADD else draft.attach


def _mark(draft: Draft, file: onec.Attachment) -> tuple[str, str, str]:
    return draft.item.key, file.name, file.sha256


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


def untouched(task: Task) -> bool:
    """Whether nobody did anything to it since it was made."""
    changed = task.changed_at and task.created_at and task.changed_at - task.created_at > timedelta(seconds=5)
    return task.status in (Status.NEW, Status.PENDING) and not (changed or task.spent_s or task.comments)


def _fail(drafts: Iterable[Draft], error: errors.PortalError) -> None:
    for draft in drafts:
        draft.fail(error)


def _chunks(commands: list[tuple[Draft, str, Command]]) -> Iterable[list[tuple[Draft, str, Command]]]:
    for start in range(0, len(commands), BATCH):
        yield commands[start : start + BATCH]


def _ledger(draft: Draft, state: str, now: datetime) -> LedgerTask:
    item = draft.item
    return LedgerTask(
        key=item.key,
        order_id=item.order.id,
        line=item.number,
        position=item.line.position,
        title=item.title,
        state=state,
        task_id=draft.task.id if draft.task else None,
        responsible_id=draft.responsible[0] if draft.responsible else None,
        department_id=draft.department.id if draft.department else None,
        start=draft.start,
        end=draft.end,
        deadline=draft.deadline,
        estimate_s=draft.estimate_s,
        sent_values={
            "onec": item.values,
            "auditor_id": draft.auditor_id,
            "deadline_from_slot": draft.deadline_from_slot,
        },
        assigned_at=now if draft.action == ADD else (item.known.assigned_at if item.known else None),
        writing_since=None,
    )


def _decision(draft: Draft, now: datetime) -> Decision:
    choice = draft.choice
    assert choice is not None  # noqa: S101 - every new task has one
    return Decision(
        key=draft.item.key,
        task_id=None,
        position=draft.item.line.position,
        decided_at=now,
        responsible_id=choice.responsible_id,
        reason=choice.reason,
        candidates=[drafts_module.candidate_record(one) for one in choice.candidates],
    )
