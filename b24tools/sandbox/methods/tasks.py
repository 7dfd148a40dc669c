"""tasks.task.add, update, delete and files.attach."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import taskfields, taskhistory, tasklinks
from b24tools.sandbox.methods.taskview import View
from b24tools.sandbox.records import COMPLETED, IN_PROGRESS, PENDING, SUPPOSEDLY_COMPLETED, Task
from b24tools.sandbox.rest import Call, Method, RestError, core_error

DISK_OBJECT: Final = re.compile(r"n(\d+)")
DEADLINE_ONLY: Final = ("DEADLINE", "START_DATE_PLAN", "END_DATE_PLAN", "DURATION", "DEADLINE_CHANGE_REASON")
SINGLE: Final = ("RESPONSIBLE_ID", "STATUS", "ACCOMPLICES", "MARK")  # given alone, other rights are asked for
NOT_ALLOWED: Final = "Действие над задачей не разрешено"


def add(call: Call) -> dict[str, Any]:
    """A new task. There is no idempotency: the same call again makes another one."""
    fields = taskfields.named(call.required_array("fields"))
    taskfields.drop_unpaid(call, fields, new=True)
    if "RESPONSIBLE_ID" not in fields:
        fields["RESPONSIBLE_ID"] = 0
    changes = taskfields.read(call, fields, None)
    _check_may_add(call, changes)
    if "DEADLINE" not in fields:
        changes["deadline"] = taskfields.default_deadline(call, working_days=changes.get("match_work_time", False))
    taskfields.check_project_dates(call, None, changes)
    taskfields.check_mandatory(call, fields, new=True)
    taskfields.fit_xml_id(call, changes, taskfields.ADD_FAILED)
    now = int(call.portal.now().timestamp())
    number = call.portal.tasks.next_id()
    defaults: dict[str, Any] = {
        "creator": call.user.id,
        "created_at": now,
        "changed_at": now,
        "changed_by": call.user.id,
        "activity_at": now,
        "status_changed_at": now,
        "viewed_by": (call.user.id,),
    }
    task = Task(id=number, guid=_guid(call, number), **(defaults | changes))
    task.add_in_report = task.add_in_report and call.portal.heads(task.creator, task.responsible)
    objects = _files(call, fields, task)
    tags, task.tags = task.tags, ()
    call.portal.tasks.put(task)
    _check_chat(call, task)
    call.portal.tasks.change(task, tags=tags)
    _attach(call, task, objects)
    call.portal.log_change(task, call.user.id, now, "NEW")
    call.portal.tell("ONTASKADD", task.id)
    return {"task": View(call.portal, call.user).full(task)}


def _check_chat(call: Call, task: Task) -> None:
    """The row is saved; no tags, files, history and event come after a chat that cannot be made."""
    if not (call.portal.forum_comments or call.portal.has_chat(task)):
        raise RestError(taskfields.ADD_FAILED, "There was an error while saving task chat")


def _guid(call: Call, number: int) -> str:
    return f"{{{uuid.uuid5(uuid.NAMESPACE_URL, f'{call.portal.member_id}/{number}')}}}"


def _check_may_add(call: Call, changes: Mapping[str, Any]) -> None:
    creator, group_id = changes.get("creator", call.user.id), changes.get("group", 0)
    group = call.portal.groups.get(group_id)
    denied = creator != call.user.id and not call.user.admin
    if group_id:
        denied = denied or group is None or not (call.user.admin or call.user.id in group.members)
        denied = denied or (group is not None and not group.tasks_enabled)  # administrators as well
    if denied:
        raise RestError("ERROR_TASK_CREATE_ACCESS_DENIED", "У вас нет прав на создание задачи")


def update(call: Call) -> dict[str, Any]:
    """New values of the fields that are present; what else changes with them is half of the trouble."""
    number = call.task_id()
    raw = call.required_array("fields")
    if not raw:
        raise RestError("100", "Could not find value for parameter {fields}")
    task = call.portal.tasks.get(number)
    fields = taskfields.named(raw)
    taskfields.drop_unpaid(call, fields, new=False)
    if task is None or not _may_update(call, task, fields):
        raise RestError("0", NOT_ALLOWED)
    changes = taskfields.read(call, fields, task)
    if changes.get("parent") == task.id:
        raise core_error("Задача не может быть надзадачей самой себе")
    taskfields.check_project_dates(call, task, changes)
    taskfields.check_mandatory(call, fields, new=False)
    if "END_DATE_PLAN" in fields and changes.get("end_plan") is None and tasklinks.is_linked(call.portal, task.id):
        raise core_error("Нельзя очистить дату завершения: задача связана с другими задачами")
    objects = _files(call, fields, task)
    _delegate(task, fields, changes)
    taskfields.fit_xml_id(call, changes, taskfields.UPDATE_FAILED)
    tasklinks.move_successors(call.portal, call.user, save(call, task, changes), task)
    if "UF_TASK_WEBDAV_FILES" in fields:
        before = call.portal.tasks.change(task, attachments=_kept_files(call, fields, task))
        _attach(call, task, objects)
        taskhistory.note_changes(call.portal, call.user.id, before, task)
    call.portal.tell("ONTASKUPDATE", task.id)
    return {"task": View(call.portal, call.user).full(task)}


def _may_update(call: Call, task: Task, fields: Mapping[str, Any]) -> bool:
    reason = php.to_text(fields.get("DEADLINE_CHANGE_REASON")).strip()
    if "DEADLINE" in fields and call.portal.reason_for_deadline and not (call.user.admin or reason):
        return False
    if taskfields.is_only(fields, *DEADLINE_ONLY):
        return call.portal.may_move(call.user, task)
    alone = any(taskfields.is_only(fields, name) for name in SINGLE)
    group = call.portal.groups.get(php.to_int(fields.get("GROUP_ID", task.group)))
    if group is not None and not group.tasks_enabled and not alone:
        return False  # without the tool no task of a project is saved
    if call.portal.may_edit(call.user, task):
        return True
    if call.user.id not in (task.responsible, *task.accomplices):
        return False
    return taskfields.is_only(fields, "RESPONSIBLE_ID") or taskfields.is_only(fields, "STATUS")


def _delegate(task: Task, fields: Mapping[str, Any], changes: dict[str, Any]) -> None:
    """Another responsible puts the status back to 2; given alone, the old one becomes an auditor."""
    if "responsible" not in changes:
        return
    other = changes["responsible"] != task.responsible
    alone = taskfields.is_only(fields, "RESPONSIBLE_ID")
    if (other or alone) and "status" not in changes:
        changes["status"] = PENDING
    if other and alone and task.responsible not in task.auditors:
        changes["auditors"] = (*task.auditors, task.responsible)


def save(call: Call, task: Task, changes: dict[str, Any]) -> Task:
    """Save an update with the columns that follow the status. Returns the task as it was."""
    now = int(call.portal.now().timestamp())
    if call.portal.small_tariff and "auditors" in changes:
        changes["auditors"] = ()  # even those a delegation would leave
    if "fields" in changes:
        changes["fields"] = (task.fields or {}) | changes["fields"]
    status = changes.get("status", task.status)
    if status != task.status:
        changes |= {"status_changed_at": now, "status_changed_by": call.user.id}
        if status in (SUPPOSEDLY_COMPLETED, COMPLETED):
            changes |= {"closed_at": now, "closed_by": call.user.id}
        elif task.closed_by is not None or task.closed_at is not None:
            changes |= {"closed_at": None, "closed_by": 0}
        if status == IN_PROGRESS:
            changes["date_start"] = now
    changes |= {"changed_at": now, "changed_by": call.user.id, "activity_at": now}
    before = call.portal.tasks.change(task, **changes)
    taskhistory.note_changes(call.portal, call.user.id, before, task)
    return before


def _files(call: Call, fields: Mapping[str, Any], task: Task) -> list[int]:
    """Disk objects to attach: `n55`. A plain number keeps an attachment that is already there."""
    objects = []
    for value in php.values(fields.get("UF_TASK_WEBDAV_FILES") or []):
        if found := DISK_OBJECT.fullmatch(php.to_text(value)):
            if not call.portal.disk.is_readable(call.user, int(found[1])):
                raise core_error("Не удалось найти файл")
            objects.append(int(found[1]))
    return objects


def _kept_files(call: Call, fields: Mapping[str, Any], task: Task) -> tuple[int, ...]:
    given = {php.to_int(value) for value in php.values(fields["UF_TASK_WEBDAV_FILES"] or [])}
    kept = tuple(number for number in task.attachments if number in given)
    for number in set(task.attachments) - set(kept):
        del call.portal.disk.attachments[number]
    return kept


def _attach(call: Call, task: Task, objects: list[int]) -> None:
    added = tuple(call.portal.disk.attach(object_id, task.id, call.user.id) for object_id in objects)
    if added:
        call.portal.tasks.change(task, attachments=(*task.attachments, *added))


def delete(call: Call) -> dict[str, Any]:
    """Into the recycle bin, which REST does not show."""
    number = call.task_id()
    task = call.portal.tasks.get(number)
    if task is None or not call.portal.may_edit(call.user, task):
        raise RestError("1048582", "No access to delete the task")
    call.portal.tasks.drop(number)
    call.portal.tell("ONTASKDELETE", number)
    return {"task": True}


def attach_file(call: Call) -> dict[str, Any]:
    """One more file, the others stay."""
    number = call.task_id()
    raw = call.required("fileId")
    if php.is_array(raw) or not re.fullmatch(r"\d+", php.to_text(raw)):
        text = f"Invalid value {{{php.to_text(raw)}}} to match with parameter {{fileId}}."
        raise RestError("100", f"{text} Should be value of type int.")
    task = call.portal.tasks.get(number)
    if task is None or not call.portal.may_edit(call.user, task):
        raise RestError("0", "Access denied")
    if not call.portal.disk.is_readable(call.user, php.to_int(raw)):
        raise core_error("Insufficient permissions.")
    attachment = call.portal.disk.attach(php.to_int(raw), task.id, call.user.id)
    call.portal.tasks.change(task, attachments=(*task.attachments, attachment))
    call.portal.tell("ONTASKUPDATE", task.id)
    return {"attachmentId": attachment}


METHODS: Final = (
    Method("tasks.task.add", "task", add, writes=True),
    Method("tasks.task.update", "task", update, writes=True),
    Method("tasks.task.delete", "task", delete, writes=True),
    Method("tasks.task.files.attach", "task", attach_file, writes=True),
)
