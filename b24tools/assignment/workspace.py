"""Where tasks and files go: the project, the folder, and the files, each on the disk once and on each task once."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from b24tools.assignment import recovery
from b24tools.assignment.ledger import Ledger
from b24tools.assignment.plan import ADD, PlannedTask, Rules
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.tools import Tools
from b24tools.assignment.writes import Line, Mark, mark_of
from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import Query, T
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.error_codes import ErrorCode, find_code
from b24tools.bitrix24.org_cache import first_id
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.names import describe_foreign_letters, fold_shapes, parts_to_ask
from b24tools.core.threads import run_beside
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.store.orders import LedgerFile

NAME_TAKEN = "DISK_OBJ_22000"
HEAD_START_S = 0.003  # for the request that reads: all waits for its answer, and a file would fill the line before it

EarlyUploads = Future[dict[tuple[int | None, str], int]]


def upload_early(client: Client, folder_id: int, orders: Iterable[onec_order.Order]) -> EarlyUploads:
    """Begin to put the files of these orders into the folder; the result is their ids, by folder and name there.

    Whatever goes wrong is left to `Workspace.upload`.
    """
    files = {task_fields.stored_name(order.number, file): file for order in orders for file in order.files}
    ids: dict[tuple[int | None, str], int] = {}

    def upload() -> dict[tuple[int | None, str], int]:
        time.sleep(HEAD_START_S)
        with suppress(errors.B24ToolsError):
            for stored, file in files.items():
                ids[folder_id, stored] = client.ask(_upload(folder_id, stored, file))
        return ids

    return run_beside(upload, "files")


class Workspace:
    """Makes what is missing before anything is put there.

    `places`: the project and the folder as they are now; `warnings`: what is to be said of their names.
    """

    def __init__(
        self, tools: Tools, portal: PortalState, rules: Rules, ledger: Ledger, early: EarlyUploads | None = None
    ) -> None:
        self.places = portal.places
        self._client = tools.client
        self._store = tools.store
        self._clock = tools.clock
        self._stored = portal.stored
        self._rules = rules
        self._ledger = ledger
        self._early = early
        self._ids: dict[Mark, int] = {}
        self.warnings: list[str] = []

    # project and folder

    def prepare(self, lines: Sequence[Line]) -> None:
        """Make the project for new tasks and the folder for files; the lines that go without fail."""
        adds = [line for line in lines if line.plan.action == ADD and line.plan.error is None]
        try:
            if adds and self.places.group_id is None:
                group_id = self._find_or_make_project([line.key for line in adds])
                self.places = replace(self.places, group_id=group_id)
        except errors.PortalError as error:
            _fail(adds, error)
        with_files = [line for line in lines if line.plan.files]
        try:
            if with_files and self.places.folder_id is None:
                self.places = replace(self.places, folder_id=self._make_folder(self.places.root_folder_id))
        except errors.PortalError as error:
            _fail(with_files, error)

    def _find_or_make_project(self, keys: Sequence[str]) -> int:
        """Names of projects are not unique: one that may be in the making is waited for to the end."""
        hint = _("Create the project by hand, or set B24_GROUP to an existing one, by name or id.")
        if self._rules.group.isdecimal():
            raise errors.PortalError(_("the portal has no project {id}").format(id=self._rules.group), hint)
        earlier = self._store.orders.last_unanswered()
        group_id = None if earlier is None else self._look_for_project(earlier)
        if group_id is not None:
            return group_id
        name = self._rules.group
        for project in self._ask_all(queries.groups_named(name, part=part) for part in parts_to_ask(name)):
            return self._take_alike("B24_GROUP", name, project.id, project.name)
        try:
            return self._make_project(keys, hint)
        except errors.PortalUncertain as error:
            group_id = self._look_for_project(error.sent_at or self._clock.now())
        return group_id if group_id is not None else self._make_project(keys, hint)

    def _look_for_project(self, since: datetime) -> int | None:
        group_id: int | None = None

        def look() -> bool:
            nonlocal group_id
            groups = self._client.ask(queries.groups_named(self._rules.group))
            group_id = first_id(groups)
            return group_id is not None

        recovery.look_until(self._clock, since, look, self._rules.zone)
        return group_id

    def _make_project(self, keys: Sequence[str], hint: str) -> int:
        """Make the project; the ledger knows since when it may be in the making."""
        self._ledger.note_sent(keys, self._clock.now())
        try:
            return self._client.ask(queries.create_group(self._rules.group))
        except errors.PortalUncertain as error:  # it may have left long after it was ready to
            self._ledger.note_sent(keys, error.sent_at or self._clock.now())
            raise
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            raise errors.PortalDenied(
                _('the project "{name}" does not exist and cannot be created: {reason}').format(
                    name=self._rules.group, reason=error.message
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
        children = self._ask_all(queries.children(root_id, name, part=part) for part in parts_to_ask(name))
        for folder_id, child_name, kind in children:
            if kind == "folder" and fold_shapes(child_name) == fold_shapes(name):
                return self._take_alike("B24_FOLDER", name, folder_id, child_name)
        return self._make_once(queries.add_folder(root_id, name), lambda: self._find(root_id, name, "folder"))

    def _ask_all(self, asked: Iterable[Query[list[T]]]) -> list[T]:
        """Ask in one request."""
        batch = self._client.new_batch()
        pending = [batch.add(query) for query in asked]
        batch.send()
        return [row for answer in pending for row in answer.value]

    def _take_alike(self, setting: str, wanted: str, id: int, name: str) -> int:
        """Take what looks like the name: a second one would look the same. Another run may just have made it."""
        if name == wanted:
            return id
        text = _('{setting}: "{name}" on the portal is written differently, but looks the same; set {setting}={id}')
        text = text.format(setting=setting, name=name, id=id)
        self.warnings.append(text + describe_foreign_letters(wanted, name))
        return id

    def _make_once(self, make: Query[int], find: Callable[[], int | None]) -> int:
        """Make something whose name can be on the disk only once, hence twice at the most, and look for it between."""
        try:
            return self._client.ask(make)
        except errors.PortalError as error:
            if not _may_be_there(error):
                raise
        object_id = find()
        if object_id is not None:
            return object_id
        try:  # the name protects from a second one if the lost request ends after this one
            return self._client.ask(make)
        except errors.PortalError as error:
            object_id = find() if _may_be_there(error) else None
            if object_id is None:
                raise
            return object_id

    def _find(self, folder_id: int, name: str, kind: str) -> int | None:
        children = self._client.ask(queries.children(folder_id, name))
        return first_id(child for child in children if child[1:] == (name, kind))

    # files

    def id_of(self, plan: PlannedTask, file: onec_order.Attachment) -> int:
        """The disk object of a file that was uploaded."""
        return self._ids[plan.item.order.id, file.name, file.sha256]

    def upload(self, lines: Sequence[Line]) -> None:
        """Put on the disk what these lines need; those whose files cannot be there fail."""
        early = self._early.result() if self._early else {}
        wanted: dict[Mark, tuple[onec_order.Order, onec_order.Attachment]] = {}
        for line in lines:
            order = line.plan.item.order
            wanted |= {(order.id, file.name, file.sha256): (order, file) for file in line.plan.files}
        known = {
            (file.order_id, file.name, file.sha256): file
            for file in self._store.orders.files({key[0] for key in wanted})
        }
        failed: dict[str, errors.PortalError] = {}
        for number, (mark, (order, file)) in enumerate(wanted.items()):
            self._clock.progress("files", number, len(wanted))
            stored = known[mark].stored_name if mark in known else task_fields.stored_name(order.number, file)
            try:
                if order.id not in failed:
                    file_id = early.get((self.places.folder_id, stored)) or self._stored.get(stored)
                    self._ids[mark] = file_id = file_id or self._upload_one(stored, file)
                    entry = LedgerFile(order.id, file.name, file.sha256, stored, len(file.content), file_id)
                    if known.get(mark) != entry:
                        self._ledger.take_stored(entry)
            except errors.PortalError as error:
                failed[order.id] = error
        if wanted:
            self._clock.progress("files", len(wanted), len(wanted))
        for line in lines:
            if line.plan.files and (problem := failed.get(line.plan.item.order.id)):
                line.fail(problem)

    def _upload_one(self, stored: str, file: onec_order.Attachment) -> int:
        """Upload once. The name is unique to the content, so a taken name is this very file."""
        folder_id = self.places.folder_id or 0
        return self._make_once(_upload(folder_id, stored, file), lambda: self._find(folder_id, stored, "file"))

    def leave_out_attached(self, lines: Sequence[Line], since: datetime | None = None) -> None:
        """Ask what hangs on the tasks before anything is attached to them: twice attached cannot be taken back.

        What was being attached when an earlier run was cut, or in a request that left at `since`, may hang there
        already, or may be about to. So may all files of a line that the ledger does not know: it fails where an
        attachment could not be read.
        """
        waiting = {
            line.plan.task.id: line for line in lines if line.plan.task and line.plan.attach and line.plan.error is None
        }
        if not waiting:
            return
        states = self._store.orders.task_files(line.key for line in waiting.values())
        orders = {line.plan.item.order.id for line in waiting.values()}
        uploaded = {(file.order_id, file.name, file.sha256): file for file in self._store.orders.files(orders)}
        there: dict[int, set[int | str]] = {}
        unread: dict[int, errors.PortalError] = {}

        def is_there(line: Line, task_id: int, file: onec_order.Attachment) -> bool:
            order = line.plan.item.order
            if known := uploaded.get((order.id, file.name, file.sha256)):
                return bool({known.file_id, known.stored_name} & there[task_id])
            return task_fields.stored_name(order.number, file) in there[task_id]

        def may_be_there(line: Line, file: onec_order.Attachment) -> bool:
            return states.get(mark_of(line.plan, file)) == "writing"

        def look() -> bool:
            unread.clear()
            there.update(self._attached_to(list(waiting), unread))
            return all(
                is_there(line, task_id, file)
                for task_id, line in waiting.items()
                for file in line.plan.attach
                if may_be_there(line, file)
            )

        earlier = [line.plan.item.known.writing_since for line in waiting.values() if line.plan.item.known]
        left_at = recovery.latest([since, *earlier]) or datetime.min.replace(tzinfo=UTC)
        try:
            recovery.look_until(self._clock, left_at, look, self._rules.zone)
        except errors.PortalError as error:
            _fail(list(waiting.values()), error)
            return
        for task_id, line in waiting.items():
            present = [file for file in line.plan.attach if is_there(line, task_id, file)]
            self._ledger.note_attached(mark_of(line.plan, file) for file in present)
            line.change(attach=tuple(file for file in line.plan.attach if file not in present))
            is_known = line.plan.item.known is not None and line.plan.is_trusted
            if (problem := unread.get(task_id)) and (
                not is_known or any(may_be_there(line, file) for file in line.plan.attach)
            ):
                line.fail(problem)

    def _attached_to(self, task_ids: Sequence[int], unread: dict[int, errors.PortalError]) -> dict[int, set[int | str]]:
        """What hangs on these tasks: the disk objects, and their names. `unread`: where that is not all, and why."""
        batch = self._client.new_batch()
        ties = {task_id: batch.add(queries.attachments(task_id)) for task_id in task_ids}
        batch.send()
        batch = self._client.new_batch()
        objects = {tie: batch.add(queries.attached_file(tie)) for answer in ties.values() for tie in answer.value}
        batch.send()
        files: dict[int, tuple[int, str]] = {}
        for tie, pending in objects.items():
            try:
                files[tie] = pending.value
            except errors.PortalBusy:
                raise
            except errors.PortalError as error:
                # somebody else's, or its file is gone: then it is none of the order's
                if find_code(error.portal_code) not in (ErrorCode.ACCESS_DENIED, ErrorCode.ERROR_NOT_FOUND):
                    unread.update({task_id: error for task_id, answer in ties.items() if tie in answer.value})
        return {
            task_id: {value for tie in answer.value for value in files.get(tie, ())} for task_id, answer in ties.items()
        }


def _upload(folder_id: int, stored: str, file: onec_order.Attachment) -> Query[int]:
    return queries.upload_file(folder_id, stored, base64.b64encode(file.content).decode("ascii"))


def _may_be_there(error: errors.PortalError) -> bool:
    """Whether what was to be put on the disk may be there all the same."""
    return isinstance(error, errors.PortalUncertain) or error.portal_code == NAME_TAKEN


def _fail(lines: Sequence[Line], error: errors.PortalError) -> None:
    for line in lines:
        line.fail(error)
