"""The files of orders: each on the portal's disk once, on each task once."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

from b24tools.assignment.plan import ADD, KEEP, Draft, Rules
from b24tools.assignment.portal_state import PortalState
from b24tools.assignment.recovery import Pace, latest
from b24tools.assignment.report import CHANGED_NOTHING
from b24tools.assignment.workspace import may_be_there
from b24tools.bitrix24 import queries
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.org_cache import first_id
from b24tools.core import errors
from b24tools.onec import order as onec_order
from b24tools.store.database import LedgerFile, Store

Mark = tuple[str, str, str]  # the line's key (or the order's id), 1C's name, sha256


class Files:
    """Uploads what a run needs and knows the disk ids of it."""

    def __init__(self, client: Client, store: Store, portal: PortalState, rules: Rules, pace: Pace) -> None:
        self._client = client
        self._store = store
        self._portal = portal
        self._rules = rules
        self._pace = pace
        self._ids: dict[Mark, int] = {}

    def id_of(self, draft: Draft, file: onec_order.Attachment) -> int:
        """The disk object of a file that was uploaded."""
        return self._ids[draft.item.order.id, file.name, file.sha256]

    def upload(self, drafts: Sequence[Draft], folder_id: int | None) -> None:
        """Put on the disk what these drafts need; those whose files cannot be there fail."""
        wanted: dict[Mark, tuple[onec_order.Order, onec_order.Attachment]] = {}
        for draft in drafts:
            order = draft.item.order
            for file in files_of(draft):
                wanted[order.id, file.name, file.sha256] = (order, file)
        known = {
            (file.order_id, file.name, file.sha256): file for file in self._store.files({one[0] for one in wanted})
        }
        failed: dict[str, errors.PortalError] = {}
        for number, (mark, (order, file)) in enumerate(wanted.items()):
            self._pace.progress("files", number, len(wanted))
            stored = known[mark].stored_name if mark in known else onec_order.stored_name(order.number, file)
            try:
                if order.id not in failed:
                    file_id = self._portal.stored.get(stored) or self._upload_one(folder_id or 0, stored, file)
                    self._ids[mark] = file_id
                    entry = LedgerFile(order.id, file.name, file.sha256, stored, len(file.content), file_id)
                    if known.get(mark) != entry:
                        self._store.save_file(entry, self._pace.clock())
            except errors.PortalError as error:
                failed[order.id] = error
        if wanted:
            self._pace.progress("files", len(wanted), len(wanted))
        for draft in drafts:
            if files_of(draft) and (problem := failed.get(draft.item.order.id)):
                draft.fail(problem)

    def _upload_one(self, folder_id: int, stored: str, file: onec_order.Attachment) -> int:
        """Upload once. The name is unique to the content, so a taken name is this very file."""
        content = base64.b64encode(file.content).decode("ascii")
        try:
            return self._client.ask(queries.upload_file(folder_id, stored, content))
        except errors.PortalError as error:
            if not may_be_there(error):
                raise
        found = self._stored_file(folder_id, stored)
        if found is None:  # the name protects from a second copy if the lost upload ends after this one
            try:
                return self._client.ask(queries.upload_file(folder_id, stored, content))
            except errors.PortalError as error:
                found = self._stored_file(folder_id, stored) if may_be_there(error) else None
                if found is None:
                    raise
        return found

    def _stored_file(self, folder_id: int, stored: str) -> int | None:
        found = self._client.ask(queries.children(folder_id, stored))
        return first_id(one for one in found if one[2] == "file" and one[1] == stored)

    def leave_out_attached(self, drafts: Sequence[Draft], since: datetime | None = None) -> None:
        """Ask what hangs on the tasks before anything is attached to them: twice attached cannot be taken back.

        What was being attached when an earlier run was cut, or in a request that left at `since`, may hang there
        already, or may be about to.
        """
        waiting = {draft.task.id: draft for draft in drafts if draft.task and draft.attach and draft.error is None}
        if not waiting:
            return
        states = self._store.task_files(draft.item.key for draft in waiting.values())
        orders = {draft.item.order.id for draft in waiting.values()}
        ids = {
            (one.order_id, one.name, one.sha256): (one.file_id, one.stored_name) for one in self._store.files(orders)
        }
        there: dict[int, set[int | str]] = {}

        def is_there(draft: Draft, task_id: int, file: onec_order.Attachment) -> bool:
            order = draft.item.order
            file_id, stored = ids.get(
                (order.id, file.name, file.sha256), (0, onec_order.stored_name(order.number, file))
            )
            return bool({file_id, stored} & there[task_id])

        def look() -> bool:
            there.update(self._attached_to(list(waiting)))
            return all(
                is_there(draft, task_id, file)
                for task_id, draft in waiting.items()
                for file in draft.attach
                if states.get(mark(draft, file)) == "writing"
            )

        earlier = [draft.item.known.writing_since for draft in waiting.values() if draft.item.known]
        since = latest([since, *earlier])
        try:
            self._pace.look_until(since or datetime.min.replace(tzinfo=UTC), look, self._rules.zone)
        except errors.PortalError as error:
            for draft in waiting.values():
                draft.fail(error)
            return
        for task_id, draft in waiting.items():
            present = [file for file in draft.attach if is_there(draft, task_id, file)]
            self._store.save_task_files([mark(draft, file) for file in present], "done")
            draft.attach = [file for file in draft.attach if file not in present]
            if draft.attach and draft.outcome == CHANGED_NOTHING:
                draft.outcome = "updated"
            elif draft.action == KEEP and not draft.attach and not draft.renews:
                draft.outcome = CHANGED_NOTHING

    def _attached_to(self, task_ids: Sequence[int]) -> dict[int, set[int | str]]:
        """What hangs on these tasks: the disk objects, and their names."""
        batch = self._client.new_batch()
        ties = {task_id: batch.add(queries.attachments(task_id)) for task_id in task_ids}
        batch.send()
        batch = self._client.new_batch()
        objects = {tie: batch.add(queries.attached_file(tie)) for found in ties.values() for tie in found.value}
        batch.send()
        files: dict[int, tuple[int, str]] = {}
        for tie, held in objects.items():
            try:
                files[tie] = held.value
            except errors.PortalBusy:
                raise
            except errors.PortalError:  # somebody else's, or its file is gone: then it is none of the order's
                continue
        return {
            task_id: {value for tie in found.value for value in files.get(tie, ())} for task_id, found in ties.items()
        }


def files_of(draft: Draft) -> Sequence[onec_order.Attachment]:
    """The files this draft needs on the disk."""
    return draft.item.order.files if draft.action == ADD else draft.attach


def mark(draft: Draft, file: onec_order.Attachment) -> Mark:
    """What the ledger calls a file on a line's task."""
    return draft.item.key, file.name, file.sha256
