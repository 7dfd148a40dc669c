"""The files of orders: each on the portal's disk once, on each task once."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime

from b24tools import errors, onec
from b24tools.bitrix import methods
from b24tools.bitrix.client import Client
from b24tools.bitrix.directory import first_id
from b24tools.jobs.assign.draft import ADD, KEEP, Draft, Rules
from b24tools.jobs.assign.pace import Pace, latest
from b24tools.jobs.assign.places import may_be_there
from b24tools.jobs.assign.reading import Portal
from b24tools.jobs.assign.result import CHANGED_NOTHING
from b24tools.store import LedgerFile, Store

Mark = tuple[str, str, str]  # the line's key (or the order's id), 1C's name, sha256


class Files:
    """Uploads what a run needs and knows the disk ids of it."""

    def __init__(self, client: Client, store: Store, portal: Portal, rules: Rules, pace: Pace) -> None:
        self._client = client
        self._store = store
        self._portal = portal
        self._rules = rules
        self._pace = pace
        self._ids: dict[Mark, int] = {}

    def id_of(self, draft: Draft, file: onec.Attachment) -> int:
        """The disk object of a file that was uploaded."""
        return self._ids[draft.item.order.id, file.name, file.sha256]

    def upload(self, drafts: Sequence[Draft]) -> None:
        """Put on the disk what these drafts need; those whose files cannot be there fail."""
        wanted: dict[Mark, tuple[onec.Order, onec.Attachment]] = {}
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
            stored = known[mark].stored_name if mark in known else onec.stored_name(order.number, file)
            try:
                if order.id not in failed:
                    file_id = self._portal.stored.get(stored) or self._upload_one(stored, file)
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

    def _upload_one(self, stored: str, file: onec.Attachment) -> int:
        """Upload once. The name is unique to the content, so a taken name is this very file."""
        folder_id = self._portal.places.folder_id or 0
        content = base64.b64encode(file.content).decode("ascii")
        try:
            return methods.upload_file(folder_id, stored, content).run(self._client)
        except errors.PortalError as error:
            if not may_be_there(error):
                raise
        found = self._stored_file(folder_id, stored)
        if found is None:  # the name protects from a second copy if the lost upload ends after this one
            try:
                return methods.upload_file(folder_id, stored, content).run(self._client)
            except errors.PortalError as error:
                found = self._stored_file(folder_id, stored) if may_be_there(error) else None
                if found is None:
                    raise
        return found

    def _stored_file(self, folder_id: int, stored: str) -> int | None:
        found = methods.children(folder_id, stored).run(self._client)
        return first_id(one for one in found if one[2] == "file" and one[1] == stored)

    def leave_out_attached(self, drafts: Sequence[Draft]) -> None:
        """What was being attached when an earlier run was cut may hang there already, or may be about to."""
        states = self._store.task_files(draft.item.key for draft in drafts if draft.attach)
        unsure = {
            draft.task.id: (draft, [file for file in draft.attach if states.get(mark(draft, file)) == "writing"])
            for draft in drafts
            if draft.task and draft.error is None
        }
        unsure = {task_id: (draft, files) for task_id, (draft, files) in unsure.items() if files}
        if not unsure:
            return
        there: dict[int, set[int]] = {}

        def look() -> bool:
            there.update(self._attached_to(list(unsure)))
            return all(
                {self.id_of(draft, file) for file in files} <= there[task_id]
                for task_id, (draft, files) in unsure.items()
            )

        # twice attached cannot be mended, so what may be under way is waited for to the end
        since = latest([draft.item.known.writing_since for draft, _files in unsure.values() if draft.item.known])
        try:
            self._pace.look_until(since or datetime.min.replace(tzinfo=UTC), look, self._rules.zone)
        except errors.PortalError as error:
            for draft, _files in unsure.values():
                draft.fail(error)
            return
        for task_id, (draft, files) in unsure.items():
            present = [file for file in files if self.id_of(draft, file) in there[task_id]]
            self._store.save_task_files([mark(draft, file) for file in present], "done")
            draft.attach = [file for file in draft.attach if file not in present]
            if draft.action == KEEP and not draft.attach:
                draft.outcome = CHANGED_NOTHING

    def _attached_to(self, task_ids: Sequence[int]) -> dict[int, set[int]]:
        """The disk objects that hang on these tasks."""
        queries = {str(task_id): methods.attachments(task_id) for task_id in task_ids}
        items = self._client.batch({key: query.command for key, query in queries.items()})
        ties = {key: query.of(items[key]) for key, query in queries.items()}
        objects = {str(tie): methods.attached_file(tie) for found in ties.values() for tie in found}
        items = self._client.batch({key: query.command for key, query in objects.items()})
        return {int(key): {objects[str(tie)].of(items[str(tie)]) for tie in found} for key, found in ties.items()}


def files_of(draft: Draft) -> Sequence[onec.Attachment]:
    """The files this draft needs on the disk."""
    return draft.item.order.files if draft.action == ADD else draft.attach


def mark(draft: Draft, file: onec.Attachment) -> Mark:
    """What the ledger calls a file on a line's task."""
    return draft.item.key, file.name, file.sha256
