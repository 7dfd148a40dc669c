"""tasks.task.history.list, and what a change of a task leaves there.

As the portal does it: flags and fields made by hand leave no line, a description none of its text, dates are Unix
seconds as text, and 0 and "nothing" are the empty text. Not emulated: the method's filter and order.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox.methods import Call, RestError, method
from b24tools.sandbox.methods.task_rows import ATTRIBUTES
from b24tools.sandbox.records import Change, Task

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

NAMES: Final = (
    "TITLE DESCRIPTION STATUS PRIORITY MARK PARENT_ID GROUP_ID CREATED_BY RESPONSIBLE_ID ACCOMPLICES AUDITORS DEADLINE "
    "START_DATE_PLAN END_DATE_PLAN TIME_ESTIMATE TIME_SPENT_IN_LOGS TAGS UF_TASK_WEBDAV_FILES"
)
MORE: Final = {"TAGS": "tags", "UF_TASK_WEBDAV_FILES": "attachments"}
TRACKED: Final = {name: (ATTRIBUTES | MORE)[name] for name in NAMES.split()}


def note_changes(portal: Portal, user_id: int, before: Task, task: Task) -> None:
    """Write down every tracked field that differs, at the time of the task's last change."""
    for name, attribute in TRACKED.items():
        old, new = getattr(before, attribute), getattr(task, attribute)
        if old != new:
            texts = ("", "") if name == "DESCRIPTION" else (_text(old), _text(new))
            portal.log_change(task, user_id, task.changed_at, name, *texts)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value or "")


@method("tasks.task.history.list", "task")
def list_changes(call: Call) -> dict[str, Any]:
    """Give every line about a task, the oldest first; no pages. A task that does not exist has none."""
    number = call.task_id()
    task = call.portal.tasks.get(number)
    if not call.user.admin and (task is None or not call.portal.may_see(call.user, task)):
        raise RestError("0", "Access denied.")
    return {"list": [_row(call, row) for row in call.portal.history.get(number, ()) if task is not None]}


def _row(call: Call, row: Change) -> dict[str, Any]:
    user = call.portal.users.get(row.user)
    values = (user.name, user.last_name, user.second_name or "", user.email) if user else (None,) * 4
    return {
        "id": row.id,
        "createdDate": datetime.fromtimestamp(row.at, call.portal.server_zone).isoformat(),
        "field": row.field,
        "value": {"from": row.before, "to": row.after},
        "user": {"id": row.user, **dict(zip(("name", "lastName", "secondName", "login"), values, strict=True))},
    }
