"""task.dependence.add and delete, and the plan dates that move along the links of a Gantt chart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import Call, RestError, method
from b24tools.sandbox.records import Task

FINISH_START: Final = 2
FROM_START, FROM_END = (0, 1), (FINISH_START, 3)


def _read_pair(call: Call) -> tuple[Task, Task]:
    """Find the predecessor and the successor, both of which the caller must be allowed to move."""
    before, after = (call.portal.tasks.get(php.to_int(call.required(name))) for name in ("taskIdFrom", "taskIdTo"))
    if before is None or after is None or call.portal.small_tariff or not _may_move(call, before, after):
        raise RestError("ACTION_NOT_ALLOWED", "Действие недоступно")
    return before, after


def _may_move(call: Call, *tasks: Task) -> bool:
    """Let those move tasks who may change the deadlines."""
    return all(
        call.portal.may_edit(call.user, task)
        or (task.allow_change_deadline and call.user.id in (task.responsible, *task.accomplices))
        for task in tasks
    )


@method("task.dependence.add", "task", writes=True)
def add(call: Call) -> list[object]:
    """Link two tasks with a planned end that no links connect yet, in either direction."""
    kind, (before, after), links = php.to_int(call.required("linkType")), _read_pair(call), call.portal.links
    if before.end_plan is None or after.end_plan is None:
        raise RestError("ILLEGAL_NEW_LINK", "Нельзя связать задачи: не указана дата завершения")
    if (before.id, after.id) in links or before.id in _successors(links, after.id):
        raise RestError("ILLEGAL_NEW_LINK", "Связь между задачами уже существует")
    links[before.id, after.id] = kind if kind in FROM_START + FROM_END else FINISH_START
    return []


@method("task.dependence.delete", "task", writes=True)
def delete(call: Call) -> list[object]:
    """Take a link away; the dates stay where they were pushed."""
    before, after = _read_pair(call)
    if call.portal.links.pop((before.id, after.id), None) is None:
        raise RestError("ILLEGAL_LINK", "Связь между задачами не найдена")
    return []


def _successors(links: dict[tuple[int, int], int], task_id: int) -> set[int]:
    """Find the task itself and every one that comes after it, over any number of links."""
    ids, size = {task_id}, 0
    while size < len(ids):
        size = len(ids)
        ids |= {after for before, after in links if before in ids}
    return ids


def move_successors(
    call: Call, old: Task, task: Task, note: Callable[[Call, Task, Task], None], met: set[int] | None = None
) -> None:
    """Move what is linked to a task with it, forth and back: lengths and the time between two tasks stay.

    Each link hangs on the end or the start of its predecessor. Tasks the user may not move stay, and all behind them.
    `note` writes down the changes of a task. Not emulated: MATCH_WORK_TIME along the way.
    """
    portal = call.portal
    met = {task.id} if met is None else met  # each task moves once
    for (first, second), kind in list(portal.links.items()):
        after = portal.tasks.get(second)
        if first != task.id or after is None or second in met or not _may_move(call, after):
            continue
        was, now_is = ((version.end_plan if kind in FROM_END else version.start_plan) for version in (old, task))
        if was is None or now_is is None or was == now_is or after.start_plan is None or after.end_plan is None:
            continue
        met.add(second)
        shifted = {"start_plan": after.start_plan + now_is - was, "end_plan": after.end_plan + now_is - was}
        changed = {"changed_at": portal.stamp, "changed_by": call.user.id, "activity_at": portal.stamp}
        before = portal.tasks.change(after, **shifted, **changed)
        note(call, before, after)
        portal.queue_event("ONTASKUPDATE", after.id)
        move_successors(call, before, after, note, met)
