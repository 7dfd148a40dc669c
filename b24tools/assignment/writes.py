"""What is sent: the commands that carry out the plans, and what they find out about the lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from b24tools.assignment.plan import ADD, COMPLETE, DEFER, UPDATE, PlannedTask
from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import Query
from b24tools.core import errors
from b24tools.core.models import Task
from b24tools.onec.order import Attachment

ATTACH, DELETE, RENEW = "attach", "delete", "renew"

Mark = tuple[str, str, str]  # the line's key (or the order's id), 1C's name, sha256


@dataclass
class Line:
    """A line while it is written: its plan, which becomes what was done. `spare`: second tasks that may be deleted."""

    plan: PlannedTask
    spare: list[Task] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The key of the line's task."""
        return self.plan.item.key

    def change(self, **changes: Any) -> None:
        """Replace what turned out otherwise."""
        self.plan = replace(self.plan, **changes)

    def warn(self, message: str, **values: object) -> None:
        """Say something beside the line."""
        self.plan = self.plan.warn(message, **values)

    def fail(self, error: errors.B24ToolsError) -> None:
        """Give the line up; the others go on."""
        self.change(error=error)


@dataclass(frozen=True)
class Write:
    """One command of a batch: what it does for which line, and with which file."""

    line: Line
    verb: str
    query: Query[Any]
    file: Attachment | None = None
    spare: Task | None = None


def build_writes(
    lines: Iterable[Line], group_id: int | None, id_of: Callable[[PlannedTask, Attachment], int]
) -> list[Write]:
    """Make the commands for the lines; `id_of`: the disk object of a file."""
    writes: list[Write] = []
    for line in lines:
        plan, task = line.plan, line.plan.task
        if plan.error:
            continue
        if plan.action == ADD:
            fields = {**plan.fields, "GROUP_ID": group_id}
            if plan.files:
                # n: a disk object; a plain number would be an attachment of the task
                ids = dict.fromkeys(id_of(plan, file) for file in plan.files)
                fields["UF_TASK_WEBDAV_FILES"] = [f"n{file_id}" for file_id in ids]
            writes.append(Write(line, ADD, queries.add_task(fields)))
        if task is None:
            continue
        if plan.renews:
            writes.append(Write(line, RENEW, queries.renew_task(task.id)))
        if plan.action == UPDATE:
            writes.append(Write(line, UPDATE, queries.update_task(task.id, plan.fields)))
        if plan.action == COMPLETE:
            writes.append(Write(line, COMPLETE, queries.complete_task(task.id)))
        if plan.action == DEFER:
            writes.append(Write(line, DEFER, queries.defer_task(task.id)))
        writes += [
            Write(line, ATTACH, queries.attach_file(task.id, id_of(plan, file)), file=file) for file in plan.attach
        ]
        writes += [Write(line, DELETE, queries.delete_task(spare.id), spare=spare) for spare in line.spare]
    return writes


def mark_of(plan: PlannedTask, file: Attachment) -> Mark:
    """What the ledger calls a file on a line's task."""
    return plan.item.key, file.name, file.sha256
