"""task.dependence.add and delete, and the plan dates that move along the links of a Gantt chart."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from b24tools.sandbox import php, taskhistory
from b24tools.sandbox.records import Task
from b24tools.sandbox.rest import Call, Method, RestError

if TYPE_CHECKING:
    from b24tools.sandbox.portal import Portal

FINISH_START: Final = 2
KINDS: Final = (0, 1, FINISH_START, 3)


def _pair(call: Call) -> tuple[Task, Task]:
    """The predecessor and the successor, both of which the caller must be allowed to move."""
    if call.portal.small_tariff:
        raise RestError("ACTION_NOT_ALLOWED", "Действие недоступно")
    before, after = (call.portal.tasks.get(php.to_int(call.required(name))) for name in ("taskIdFrom", "taskIdTo"))
    if before is None or after is None:
        raise RestError("ACTION_NOT_ALLOWED", "Действие недоступно")
    if not all(call.portal.may_move(call.user, task) for task in (before, after)):
        raise RestError("ACTION_NOT_ALLOWED", "Действие недоступно")
    return before, after


def add(call: Call) -> list[object]:
    """A link. It neither exists in either direction, nor closes a circle, and both tasks have a planned end."""
    kind = php.to_int(call.required("linkType"))
    before, after = _pair(call)
    links = call.portal.links
    if before.end_plan is None or after.end_plan is None:
        raise RestError("ILLEGAL_NEW_LINK", "Нельзя связать задачи: не указана дата завершения")
    if (before.id, after.id) in links or before.id == after.id or before.id in _successors(call.portal, after.id):
        raise RestError("ILLEGAL_NEW_LINK", "Связь между задачами уже существует")
    links[before.id, after.id] = kind if kind in KINDS else FINISH_START
    push_successors(call.portal, before, call.user.id)
    return []


def delete(call: Call) -> list[object]:
    """No link any more; the dates stay where they were pushed."""
    before, after = _pair(call)
    if call.portal.links.pop((before.id, after.id), None) is None:
        raise RestError("ILLEGAL_LINK", "Связь между задачами не найдена")
    return []


def _successors(portal: Portal, task_id: int) -> set[int]:
    """Every task that comes after, over any number of links."""
    found: set[int] = set()
    waiting = deque([task_id])
    while waiting:
        number = waiting.popleft()
        following = {after for before, after in portal.links if before == number} - found
        found |= following
        waiting += following
    return found


def is_linked(portal: Portal, task_id: int) -> bool:
    """Whether a task has a link on either side."""
    return any(task_id in pair for pair in portal.links)


def push_successors(portal: Portal, task: Task, user_id: int) -> None:
    """Move what may begin only after a task's end, by as much as it now begins too early; and so on down the links."""
    waiting = deque([task])
    while waiting:
        before = waiting.popleft()
        for (first, second), kind in list(portal.links.items()):
            after = portal.tasks.get(second)
            if first != before.id or kind != FINISH_START or after is None or before.end_plan is None:
                continue
            if after.start_plan is None or after.end_plan is None or after.start_plan >= before.end_plan:
                continue
            late = before.end_plan - after.start_plan
            plan = {"start_plan": after.start_plan + late, "end_plan": after.end_plan + late}
            now = int(portal.now().timestamp())
            old = portal.tasks.change(after, **plan, changed_at=now, changed_by=user_id, activity_at=now)
            taskhistory.note_changes(portal, user_id, old, after)
            portal.tell("ONTASKUPDATE", after.id)
            waiting.append(after)


METHODS: Final = (
    Method("task.dependence.add", "task", add, writes=True),
    Method("task.dependence.delete", "task", delete, writes=True),
)
