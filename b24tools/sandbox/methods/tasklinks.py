"""task.dependence.add and delete, and the plan dates that move along the links of a Gantt chart."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import taskhistory
from b24tools.sandbox.records import Task, User
from b24tools.sandbox.rest import Call, Method, RestError

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

FINISH_START: Final = 2
FROM_START, FROM_END = (0, 1), (FINISH_START, 3)


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
    links[before.id, after.id] = kind if kind in FROM_START + FROM_END else FINISH_START
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


def move_successors(portal: Portal, user: User, old: Task, task: Task, met: set[int] | None = None) -> None:
    """What is linked to a task moves with it, forth and back: lengths and the time between two tasks stay.

    Each link hangs on the end or the start of its predecessor. Tasks the user may not move stay, and all behind them.
    Not emulated: MATCH_WORK_TIME along the way.
    """
    met = {task.id} if met is None else met
    for (first, second), kind in list(portal.links.items()):
        after = portal.tasks.get(second)
        if first != task.id or after is None or second in met or not portal.may_move(user, after):
            continue
        anchor = "end_plan" if kind in FROM_END else "start_plan"
        moments = (getattr(old, anchor), getattr(task, anchor), after.start_plan, after.end_plan)
        if None in moments:
            continue
        was, now_is, start, end = moments
        if was == now_is:
            continue
        met.add(second)
        shifted = {"start_plan": start + now_is - was, "end_plan": end + now_is - was}
        now = int(portal.now().timestamp())
        before = portal.tasks.change(after, **shifted, changed_at=now, changed_by=user.id, activity_at=now)
        taskhistory.note_changes(portal, user.id, before, after)
        portal.tell("ONTASKUPDATE", after.id)
        move_successors(portal, user, before, after, met)


METHODS: Final = (
    Method("task.dependence.add", "task", add, writes=True),
    Method("task.dependence.delete", "task", delete, writes=True),
)
