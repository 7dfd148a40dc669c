"""tasks.task.history.list, and what a change of a task leaves there.

As the portal does it: flags and fields made by hand leave no line, a description none of its text, dates are Unix
seconds as text, and 0 and "nothing" are the empty text.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import taskfilter
from b24tools.sandbox.records import Change, Task
from b24tools.sandbox.rest import Call, Method, RestError

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal


def _joined(values: tuple[Any, ...]) -> str:
    return ",".join(map(str, values))


TRACKED: Final[dict[str, Callable[[Task], Any]]] = {
    "TITLE": lambda task: task.title,
    "DESCRIPTION": lambda task: task.description,
    "STATUS": lambda task: task.status,
    "PRIORITY": lambda task: task.priority,
    "MARK": lambda task: task.mark,
    "PARENT_ID": lambda task: task.parent,
    "GROUP_ID": lambda task: task.group,
    "CREATED_BY": lambda task: task.creator,
    "RESPONSIBLE_ID": lambda task: task.responsible,
    "ACCOMPLICES": lambda task: _joined(task.accomplices),
    "AUDITORS": lambda task: _joined(task.auditors),
    "DEADLINE": lambda task: task.deadline,
    "START_DATE_PLAN": lambda task: task.start_plan,
    "END_DATE_PLAN": lambda task: task.end_plan,
    "TIME_ESTIMATE": lambda task: task.time_estimate,
    "TIME_SPENT_IN_LOGS": lambda task: task.time_spent,
    "TAGS": lambda task: _joined(task.tags),
    "UF_TASK_WEBDAV_FILES": lambda task: _joined(task.attachments),
}


def note_changes(portal: Portal, user_id: int, before: Task, task: Task) -> None:
    """Write down every tracked field that differs, at the time of the task's last change."""
    for name, read in TRACKED.items():
        if read(before) == read(task):
            continue
        old, new = ("" if name == "DESCRIPTION" else str(read(one) or "") for one in (before, task))
        portal.log_change(task, user_id, task.changed_at, name, old, new)


COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
SORTABLE: Final[dict[str, Callable[[Change], Any]]] = {
    "USER": lambda row: row.user,
    "USER_ID": lambda row: row.user,
    "FIELD": lambda row: php.fold(row.field),
    "TASK_ID": lambda row: row.task,
    "CREATED_DATE": lambda row: row.at,
}


def read_history(call: Call) -> dict[str, Any]:
    """Every line about a task, the oldest first; no pages. A task that does not exist has none."""
    number = call.task_id()
    task = call.portal.tasks.get(number)
    if not call.user.admin and (task is None or not call.portal.may_see(call.user, task)):
        raise RestError("0", "Access denied.")
    rows = list(call.portal.history.get(number, ())) if task is not None else []
    for key, value in php.items(call.array("filter")):
        rows = [row for row in rows if _matches(call, row, key, value)]
    for key, direction in reversed(list(php.items(call.array("order"))) or [("CREATED_DATE", "ASC")]):
        if key.upper() in SORTABLE:
            rows.sort(key=SORTABLE[key.upper()], reverse=php.to_text(direction).upper() != "ASC")
    return {"list": [_row(call, row) for row in rows]}


def _matches(call: Call, row: Change, key: str, value: Any) -> bool:
    """FIELD is always LIKE, so `!FIELD` finds what `FIELD` finds; other names are ignored."""
    sign, name = taskfilter.split_key(key)
    compare: Callable[[Any, Any], bool] = COMPARE.get(sign, operator.eq)
    match name.upper():
        case "FIELD" if php.is_array(value):
            return php.fold(row.field) in {php.fold(php.to_text(one)) for one in php.values(value)}
        case "FIELD":
            mask = f"%{php.to_text(value)}%" if sign == "%" else php.to_text(value)
            return php.like(mask).fullmatch(php.fold(row.field)) is not None
        case "USER_ID" if php.is_array(value):
            return row.user in map(php.to_int, php.values(value))
        case "USER_ID":
            return compare(row.user, php.to_int(value))
        case "CREATED_DATE" if isinstance(value, str):
            at = php.strtotime(value, call.portal.now(), call.portal.server_zone)
            return at is not None and compare(row.at, at)
    return True


def _row(call: Call, row: Change) -> dict[str, Any]:
    user = call.portal.users.get(row.user)
    return {
        "id": row.id,
        "createdDate": datetime.fromtimestamp(row.at, call.portal.server_zone).isoformat(),
        "field": row.field,
        "value": {"from": row.before, "to": row.after},
        "user": {
            "id": row.user,
            "name": user.name if user else None,
            "lastName": user.last_name if user else None,
            "secondName": (user.second_name or "") if user else None,
            "login": user.email if user else None,
        },
    }


METHODS: Final = (Method("tasks.task.history.list", "task", read_history),)
