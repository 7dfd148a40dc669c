"""tasks.task.add, update, delete, files.attach and the actions: complete, approve, start…

The real controller looks only at the access check of an action; what the inner command says afterwards is dropped,
so one that could not be carried out answers 200 with the task as it is.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import Call, RestError, core_error, method, task_fields, task_history, wrong_type
from b24tools.sandbox.methods.task_rows import whole_task
from b24tools.sandbox.records import COMPLETED, DEFERRED, IN_PROGRESS, PENDING, SUPPOSEDLY_COMPLETED, Task

DISK_OBJECT: Final = re.compile(r"n(\d+)")
DEADLINE_ONLY: Final = {"DEADLINE", "START_DATE_PLAN", "END_DATE_PLAN", "DURATION", "DEADLINE_CHANGE_REASON"}
OF_WORKERS: Final = ({"RESPONSIBLE_ID"}, {"STATUS"})  # what a worker may update, each alone
ALONE: Final = (*OF_WORKERS, {"ACCOMPLICES"}, {"MARK"})  # given alone, other rights are asked for
OPEN: Final = (PENDING, IN_PROGRESS, DEFERRED)
DONE: Final = (SUPPOSEDLY_COMPLETED, COMPLETED)
# The status an action leads to, those it is allowed in, and whether the workers may take it
ACTIONS: Final[dict[str, tuple[int, tuple[int, ...], bool]]] = {
    "approve": (COMPLETED, (SUPPOSEDLY_COMPLETED,), False),
    "renew": (PENDING, (*DONE, DEFERRED), True),
    "start": (IN_PROGRESS, (PENDING, DEFERRED), True),
    "pause": (PENDING, (IN_PROGRESS,), True),
    "defer": (DEFERRED, (PENDING, IN_PROGRESS), True),
}


def _not_allowed() -> RestError:
    return RestError("0", "Действие над задачей не разрешено")


@method("tasks.task.add", "task", writes=True)
def add(call: Call) -> dict[str, Any]:
    """Make a task. There is no idempotency: the same call again makes another one."""
    portal, now = call.portal, call.now
    fields = task_fields.read_fields(call, new=True)
    changes = task_fields.read_changes(call, {"RESPONSIBLE_ID": 0} | fields, None)
    _check_may_add(call, changes)
    task_fields.check_changes(call, fields, changes, None)
    objects = _read_objects(call, fields)
    number = portal.tasks.next_id()
    values: dict[str, Any] = {"creator": call.user.id, "changed_by": call.user.id, "viewed_by": (call.user.id,)}
    values |= dict.fromkeys(("created_at", "changed_at", "activity_at", "status_changed_at"), now) | changes
    guid = uuid.uuid5(uuid.NAMESPACE_URL, f"{portal.member_id}/{number}")
    task = portal.tasks.put(Task(id=number, guid=f"{{{guid}}}", **(values | {"tags": ()})))
    if not (portal.forum_comments or portal.has_chat(task)):
        # the row is saved; no tags, files, history and event come after a chat that cannot be made
        raise RestError(task_fields.ADD_FAILED, "There was an error while saving task chat")
    portal.tasks.change(task, tags=changes["tags"])
    _attach(call, task, objects)
    portal.log_change(task, call.user.id, now, "NEW")
    portal.tell("ONTASKADD", task.id)
    return whole_task(call, task)


def _check_may_add(call: Call, changes: Mapping[str, Any]) -> None:
    """Ask for the right to name this creator, and for the project: without its task tool nobody has it."""
    denied = changes.get("creator", call.user.id) != call.user.id and not call.user.admin
    if number := changes.get("group", 0):
        group = call.portal.groups.get(number)
        denied |= group is None or not group.tasks_enabled or not (call.user.admin or call.user.id in group.members)
    if denied:
        raise RestError("ERROR_TASK_CREATE_ACCESS_DENIED", "У вас нет прав на создание задачи")


@method("tasks.task.update", "task", writes=True)
def update(call: Call) -> dict[str, Any]:
    """Save the fields that are present; what else changes with them is half of the trouble."""
    task = call.portal.tasks.get(call.task_id())
    fields = task_fields.read_fields(call, new=False)
    if task is None or not _may_update(call, task, fields):
        raise _not_allowed()
    changes = task_fields.read_changes(call, fields, task)
    task_fields.check_changes(call, fields, changes, task)
    objects = _read_objects(call, fields)
    if "responsible" in changes:
        other, alone = changes["responsible"] != task.responsible, fields.keys() == {"RESPONSIBLE_ID"}
        changes |= _delegation(task) if other and alone else {}
        if other or alone:
            changes.setdefault("status", PENDING)
    _save(call, task, changes)
    if "UF_TASK_WEBDAV_FILES" in fields:  # a plain number keeps an attachment that is already there
        given = {php.to_int(value) for value in php.values(fields["UF_TASK_WEBDAV_FILES"] or [])}
        kept = tuple(number for number in task.attachments if number in given)
        before = call.portal.tasks.change(task, attachments=kept)
        for number in set(before.attachments) - set(kept):
            del call.portal.disk.attachments[number]
        _attach(call, task, objects)
        task_history.note_changes(call.portal, call.user.id, before, task)
    call.portal.tell("ONTASKUPDATE", task.id)
    return whole_task(call, task)


def _may_update(call: Call, task: Task, fields: Mapping[str, Any]) -> bool:
    names, user = fields.keys(), call.user
    reason = php.to_text(fields.get("DEADLINE_CHANGE_REASON")).strip()
    if "DEADLINE" in fields and call.portal.reason_for_deadline and not (user.admin or reason):
        return False
    if names and names <= DEADLINE_ONLY:
        return call.portal.may_move(user, task)
    group = call.portal.groups.get(php.to_int(fields.get("GROUP_ID", task.group)))
    if group is not None and not group.tasks_enabled and names not in ALONE:
        return False  # without the tool no task of a project is saved
    works = user.id in (task.responsible, *task.accomplices)
    return call.portal.may_edit(user, task) or (works and names in OF_WORKERS)


def _delegation(task: Task) -> dict[str, Any]:
    """The old responsible becomes an auditor."""
    return {"auditors": tuple(dict.fromkeys((*task.auditors, task.responsible)))}


def _save(call: Call, task: Task, changes: dict[str, Any]) -> Task:
    """Save an update with the columns that follow the status. Returns the task as it was."""
    now, user_id = call.now, call.user.id
    if call.portal.small_tariff and "auditors" in changes:
        changes["auditors"] = ()  # even those a delegation would leave
    status = changes.get("status", task.status)
    if status != task.status:
        changes |= {"status_changed_at": now, "status_changed_by": user_id}
        if status in DONE:
            changes |= {"closed_at": now, "closed_by": user_id}
        elif task.closed_by is not None or task.closed_at is not None:
            changes |= {"closed_at": None, "closed_by": 0}
        if status == IN_PROGRESS:
            changes["date_start"] = now
    changes |= {"changed_at": now, "changed_by": user_id, "activity_at": now}
    before = call.portal.tasks.change(task, **changes)
    task_history.note_changes(call.portal, user_id, before, task)
    return before


def _read_objects(call: Call, fields: Mapping[str, Any]) -> list[int]:
    """Find the disk objects to attach: `n55`."""
    objects = []
    for value in php.values(fields.get("UF_TASK_WEBDAV_FILES") or []):
        if found := DISK_OBJECT.fullmatch(php.to_text(value)):
            if not call.portal.disk.is_readable(call.user, int(found[1])):
                raise core_error("Не удалось найти файл")
            objects.append(int(found[1]))
    return objects


def _attach(call: Call, task: Task, objects: Iterable[int]) -> None:
    added = [call.portal.disk.attach(object_id, task.id, call.user.id) for object_id in objects]
    call.portal.tasks.change(task, attachments=(*task.attachments, *added))


@method("tasks.task.delete", "task", writes=True)
def delete(call: Call) -> dict[str, Any]:
    """Move a task into the recycle bin, which REST does not show."""
    task = call.portal.tasks.get(call.task_id())
    if task is None or not call.portal.may_edit(call.user, task):
        raise RestError("1048582", "No access to delete the task")
    call.portal.tasks.drop(task.id)
    call.portal.tell("ONTASKDELETE", task.id)
    return {"task": True}


@method("tasks.task.files.attach", "task", writes=True)
def attach_file(call: Call) -> dict[str, Any]:
    """Attach one more file, the others stay."""
    task, file = call.portal.tasks.get(call.task_id()), php.to_text(call.required("fileId"))
    if not file.isdecimal():
        raise wrong_type("fileId", file, "int")
    if task is None or not call.portal.may_edit(call.user, task):
        raise RestError("0", "Access denied")
    if not call.portal.disk.is_readable(call.user, int(file)):
        raise core_error("Insufficient permissions.")
    _attach(call, task, [int(file)])
    call.portal.tell("ONTASKUPDATE", task.id)
    return {"attachmentId": task.attachments[-1]}


def _find_allowed(call: Call, statuses: tuple[int, ...], *, by_workers: bool) -> Task:
    task = call.portal.tasks.get(call.task_id())
    if task is None or task.status not in statuses:
        raise _not_allowed()
    works = by_workers and call.user.id in (task.responsible, *task.accomplices)
    if not (works or call.portal.may_edit(call.user, task)):
        raise _not_allowed()
    return task


def _act(call: Call, task: Task, **changes: Any) -> dict[str, Any]:
    _save(call, task, changes)
    call.portal.tell("ONTASKUPDATE", task.id)
    return whole_task(call, task)


@method("tasks.task.complete", "task", writes=True)
def complete(call: Call) -> dict[str, Any]:
    """Finish a task: status 5, or 4 where the creator wants to see the work first.

    An administrator who is not the creator gets 4 on the first call of a controlled task, 5 on the second.
    """
    task = _find_allowed(call, (*OPEN, SUPPOSEDLY_COMPLETED), by_workers=True)
    free = not task.task_control or task.creator in (task.responsible, call.user.id)
    boss = call.user.admin or call.portal.heads(call.user.id, task.creator)
    if free or (task.status == SUPPOSEDLY_COMPLETED and boss):
        return _act(call, task, status=COMPLETED)
    if task.status == SUPPOSEDLY_COMPLETED:
        return whole_task(call, task)
    return _act(call, task, status=SUPPOSEDLY_COMPLETED)


@method("tasks.task.delegate", "task", writes=True)
def delegate(call: Call) -> dict[str, Any]:
    """Give a task to another responsible; the old one stays as an auditor, the status goes back to 2."""
    task = _find_allowed(call, OPEN, by_workers=True)
    user_id = php.to_int(call.required("userId"))
    if user_id not in call.portal.users:
        return whole_task(call, task)
    auditors = _delegation(task) if user_id != task.responsible else {}
    return _act(call, task, responsible=user_id, status=PENDING, **auditors)


def change_status(call: Call, action: str) -> dict[str, Any]:
    """Carry out one of ACTIONS."""
    status, statuses, by_workers = ACTIONS[action]
    return _act(call, _find_allowed(call, statuses, by_workers=by_workers), status=status)


for name in ACTIONS:
    method(f"tasks.task.{name}", "task", writes=True)(partial(change_status, action=name))
