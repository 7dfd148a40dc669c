"""tasks.task.add, update, delete, files.attach, the actions (complete, approve, start…) and history.list.

The real controller looks only at the access check of an action; what the inner command says afterwards is dropped,
so one that could not be carried out answers 200 with the task as it is.

In the history, flags and fields made by hand leave no line, a description none of its text, dates are Unix seconds as
text, and 0 and "nothing" are the empty text.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Final

from b24tools.sandbox import filters, php
from b24tools.sandbox.methods import Call, RestError, core_error, method, task_fields, task_links, wrong_type
from b24tools.sandbox.methods.task_rows import ATTRIBUTES, whole_task
from b24tools.sandbox.records import COMPLETED, DEFERRED, IN_PROGRESS, PENDING, SUPPOSEDLY_COMPLETED, Change, Task

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
# What leaves a line in the history
NAMES: Final = (
    "TITLE DESCRIPTION STATUS PRIORITY PARENT_ID GROUP_ID CREATED_BY RESPONSIBLE_ID ACCOMPLICES AUDITORS DEADLINE "
    "START_DATE_PLAN END_DATE_PLAN TIME_ESTIMATE TIME_SPENT_IN_LOGS TAGS UF_TASK_WEBDAV_FILES"
)
MORE: Final = {"TAGS": "tags", "UF_TASK_WEBDAV_FILES": "attachments"}
CHANGES: Final = filters.columns("ID FIELD USER_ID=user CREATED_DATE=at")
TRACKED: Final = {name: (ATTRIBUTES | MORE)[name] for name in NAMES.split()}


def _not_allowed() -> RestError:
    return RestError("0", "Действие над задачей не разрешено")


@method("tasks.task.add", "task", writes=True)
def add(call: Call) -> dict[str, Any]:
    """Make a task. There is no idempotency: the same call again makes another one."""
    portal, now = call.portal, call.portal.stamp
    fields = task_fields.read_fields(call, new=True)
    changes = task_fields.read_changes(call, {"RESPONSIBLE_ID": 0} | fields, None)
    denied = changes.get("creator", call.user.id) != call.user.id and not call.user.admin
    if number := changes.get("group", 0):  # without its task tool not even an administrator has the right
        group = portal.groups.get(number)
        denied |= group is None or not group.tasks_enabled or not (call.user.admin or call.user.id in group.members)
    if denied:
        raise RestError("ERROR_TASK_CREATE_ACCESS_DENIED", "У вас нет прав на создание задачи")
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
    portal.queue_event("ONTASKADD", task.id)
    return whole_task(call, task)


@method("tasks.task.update", "task", writes=True)
def update(call: Call) -> dict[str, Any]:
    """Save the fields that are present; what else changes with them is half of the trouble."""
    task = call.portal.tasks.get(call.task_id())
    fields = task_fields.read_fields(call, new=False)
    if task is None or not _may_update(call, task, fields):
        raise _not_allowed()
    changes = task_fields.read_changes(call, fields, task)
    task_fields.check_changes(call, fields, changes, task)
    if changes.get("end_plan", 1) is None and any(task.id in pair for pair in call.portal.links):
        raise core_error("Нельзя убрать дату завершения: задача связана с другими")
    objects = _read_objects(call, fields)
    if "responsible" in changes:
        other, alone = changes["responsible"] != task.responsible, fields.keys() == {"RESPONSIBLE_ID"}
        if other and alone:
            changes["auditors"] = tuple(dict.fromkeys((*task.auditors, task.responsible)))
        if other or alone:
            changes.setdefault("status", PENDING)
    _save(call, task, changes)
    if "UF_TASK_WEBDAV_FILES" in fields:  # a plain number keeps an attachment that is already there
        given = {php.to_int(value) for value in php.values(fields["UF_TASK_WEBDAV_FILES"] or [])}
        left = tuple(number for number in task.attachments if number in given)
        before = call.portal.tasks.change(task, attachments=left)
        for number in set(before.attachments) - set(left):
            del call.portal.disk.attachments[number]
        _attach(call, task, objects)
        _note_changes(call, before, task)
    call.portal.queue_event("ONTASKUPDATE", task.id)
    return whole_task(call, task)


def _may_update(call: Call, task: Task, fields: Mapping[str, Any]) -> bool:
    names, user = fields.keys(), call.user
    works = user.id in (task.responsible, *task.accomplices)
    reason = php.to_text(fields.get("DEADLINE_CHANGE_REASON")).strip()
    if "DEADLINE" in fields and call.portal.reason_for_deadline and not (user.admin or reason):
        return False
    if names and names <= DEADLINE_ONLY:
        return call.portal.may_edit(user, task) or (works and task.allow_change_deadline)
    group = call.portal.groups.get(php.to_int(fields.get("GROUP_ID", task.group)))
    if group is not None and not group.tasks_enabled and names not in ALONE:
        return False  # without the tool no task of a project is saved
    return call.portal.may_edit(user, task) or (works and names in OF_WORKERS)


def _save(call: Call, task: Task, changes: dict[str, Any]) -> None:
    """Save an update with the columns that follow the status."""
    now, user_id = call.portal.stamp, call.user.id
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
    _note_changes(call, before, task)
    task_links.move_successors(call, before, task, _note_changes)


def _read_objects(call: Call, fields: Mapping[str, Any]) -> list[int]:
    """Find the disk objects to attach: `n55`."""
    values = map(php.to_text, php.values(fields.get("UF_TASK_WEBDAV_FILES") or []))
    objects = [int(match[1]) for match in map(DISK_OBJECT.fullmatch, values) if match]
    if not all(call.portal.disk.is_readable(call.user, number) for number in objects):
        raise core_error("Не удалось найти файл")
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
    call.portal.queue_event("ONTASKDELETE", task.id)
    return {"task": True}


@method("tasks.task.files.attach", "task", writes=True)
def attach_file(call: Call) -> dict[str, Any]:
    task, file = call.portal.tasks.get(call.task_id()), php.to_text(call.required("fileId"))
    if not file.isdecimal():
        raise wrong_type("fileId", file, "int")
    if task is None or not call.portal.may_edit(call.user, task):
        raise RestError("0", "Access denied")
    if not call.portal.disk.is_readable(call.user, int(file)):
        raise core_error("Insufficient permissions.")
    _attach(call, task, [int(file)])
    call.portal.queue_event("ONTASKUPDATE", task.id)
    return {"attachmentId": task.attachments[-1]}


def _find_allowed(call: Call, statuses: tuple[int, ...], *, by_workers: bool) -> Task:
    task = call.portal.tasks.get(call.task_id())
    if task is not None and task.status in statuses:
        works = by_workers and call.user.id in (task.responsible, *task.accomplices)
        if works or call.portal.may_edit(call.user, task):
            return task
    raise _not_allowed()


def _act(call: Call, task: Task, **changes: Any) -> dict[str, Any]:
    _save(call, task, changes)
    call.portal.queue_event("ONTASKUPDATE", task.id)
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
    auditors = dict.fromkeys((*task.auditors, task.responsible)) if user_id != task.responsible else task.auditors
    return _act(call, task, responsible=user_id, status=PENDING, auditors=tuple(auditors))


def change_status(call: Call, action: str) -> dict[str, Any]:
    status, statuses, by_workers = ACTIONS[action]
    return _act(call, _find_allowed(call, statuses, by_workers=by_workers), status=status)


for name in ACTIONS:
    method(f"tasks.task.{name}", "task", writes=True)(partial(change_status, action=name))


def _note_changes(call: Call, before: Task, task: Task) -> None:
    """Write down every tracked field that differs, at the time of the task's last change."""
    for name, attribute in TRACKED.items():
        old, new = getattr(before, attribute), getattr(task, attribute)
        if old != new:
            texts = ("", "") if name == "DESCRIPTION" else (_write(old), _write(new))
            call.portal.log_change(task, call.user.id, task.changed_at, name, *texts)


def _write(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value or "")


@method("tasks.task.history.list", "task")
def list_changes(call: Call) -> dict[str, Any]:
    """Give the lines about a task, all on one page, the oldest first. A task that does not exist has none."""
    number = call.task_id()
    task = call.portal.tasks.get(number)
    if not call.user.admin and (task is None or not call.portal.may_see(call.user, task)):
        raise RestError("0", "Access denied.")
    rows = filters.select(
        call.portal.history.get(number, ()) if task else (), filters.read_conditions(call.array("filter"), CHANGES)
    )
    return {"list": [_change_row(call, row) for row in filters.sort(rows, call.array("order"), CHANGES)]}


def _change_row(call: Call, row: Change) -> dict[str, Any]:
    user = call.portal.users.get(row.user)
    values = (user.name, user.last_name, user.second_name or "", user.email) if user else (None,) * 4
    names = {"id": row.user, **dict(zip(("name", "lastName", "secondName", "login"), values, strict=True))}
    shown = {"id": row.id, "createdDate": call.write_date(row.at), "field": row.field}
    return shown | {"value": {"from": row.before, "to": row.after}, "user": names}
