"""tasks.task.complete, approve, start… and delegate.

The real controller looks only at the access check; what the inner command says afterwards is dropped,
so an action that could not be carried out answers 200 with the task as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import tasks
from b24tools.sandbox.methods.taskview import View
from b24tools.sandbox.records import COMPLETED, DEFERRED, IN_PROGRESS, PENDING, SUPPOSEDLY_COMPLETED, Task
from b24tools.sandbox.rest import Call, Method, RestError

Action = Callable[[Call], dict[str, Any]]


def _allowed_task(call: Call, *, to_workers: bool, statuses: tuple[int, ...]) -> Task:
    task = call.portal.tasks.get(call.task_id())
    if task is None:
        raise RestError("0", tasks.NOT_ALLOWED)
    worker = to_workers and call.user.id in (task.responsible, *task.accomplices)
    if not (worker or call.portal.may_edit(call.user, task)) or task.status not in statuses:
        raise RestError("0", tasks.NOT_ALLOWED)
    return task


def _moved(call: Call, task: Task, **changes: Any) -> dict[str, Any]:
    tasks.save(call, task, changes)
    call.portal.tell("ONTASKUPDATE", task.id)
    return {"task": View(call.portal, call.user).full(task)}


def complete(call: Call) -> dict[str, Any]:
    """Done: status 5, or 4 where the creator wants to see the work first.

    An administrator who is not the creator gets 4 on the first call of a controlled task, 5 on the second.
    """
    statuses = (PENDING, IN_PROGRESS, SUPPOSEDLY_COMPLETED, DEFERRED)
    task = _allowed_task(call, to_workers=True, statuses=statuses)
    free = not task.task_control or task.creator in (task.responsible, call.user.id)
    boss = call.user.admin or call.portal.heads(call.user.id, task.creator)
    if free or (task.status == SUPPOSEDLY_COMPLETED and boss):
        return _moved(call, task, status=COMPLETED)
    if task.status == SUPPOSEDLY_COMPLETED:
        return {"task": View(call.portal, call.user).full(task)}
    return _moved(call, task, status=SUPPOSEDLY_COMPLETED)


def _action(to: int, statuses: tuple[int, ...], *, to_workers: bool) -> Action:
    def act(call: Call) -> dict[str, Any]:
        return _moved(call, _allowed_task(call, to_workers=to_workers, statuses=statuses), status=to)

    return act


def delegate(call: Call) -> dict[str, Any]:
    """Another responsible; the old one stays as an auditor, the status goes back to 2."""
    task = _allowed_task(call, to_workers=True, statuses=(PENDING, IN_PROGRESS, DEFERRED))
    user_id = php.to_int(call.required("userId"))
    if user_id not in call.portal.users:
        return {"task": View(call.portal, call.user).full(task)}
    auditors = task.auditors
    if user_id != task.responsible and task.responsible not in auditors:
        auditors = (*auditors, task.responsible)
    return _moved(call, task, responsible=user_id, status=PENDING, auditors=auditors)


DONE: Final = (SUPPOSEDLY_COMPLETED, COMPLETED)
ACTIONS: Final[dict[str, Action]] = {
    "complete": complete,
    "approve": _action(COMPLETED, (SUPPOSEDLY_COMPLETED,), to_workers=False),
    "disapprove": _action(PENDING, (SUPPOSEDLY_COMPLETED,), to_workers=False),
    "renew": _action(PENDING, (*DONE, DEFERRED), to_workers=True),
    "start": _action(IN_PROGRESS, (PENDING, DEFERRED), to_workers=True),
    "pause": _action(PENDING, (IN_PROGRESS,), to_workers=True),
    "defer": _action(DEFERRED, (PENDING, IN_PROGRESS), to_workers=True),
    "delegate": delegate,
}
METHODS: Final = tuple(Method(f"tasks.task.{name}", "task", action, writes=True) for name, action in ACTIONS.items())
