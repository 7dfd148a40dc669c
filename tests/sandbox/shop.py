"""A small shop for the tests of the sandbox's task methods, and short ways to add, change and read its tasks."""

from __future__ import annotations

from typing import Any

from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker, Clock


def shop(clock: Clock) -> Asker:
    """An administrator (1), a boss (2), two workers (3, 4) of his department, a manager elsewhere (5)."""
    portal = Portal(clock)
    department = portal.add_department("Цех", head=2)
    portal.add_user("Борис", "Бригадир", departments=[department.id])
    portal.add_user("Иван", "Сварщик", departments=[department.id])
    portal.add_user("Пётр", "Маляр", departments=[department.id])
    portal.add_user("Анна", "Менеджер", departments=[1])
    return Asker(portal)


def add(ask: Asker, **fields: Any) -> dict[str, Any]:
    """A new task for the worker 3."""
    task: dict[str, Any] = ask.result("tasks.task.add", fields={"TITLE": "Сварить", "RESPONSIBLE_ID": 3} | fields)[
        "task"
    ]
    return task


def update(ask: Asker, task_id: int | str, **fields: Any) -> dict[str, Any]:
    """Changed fields of a task."""
    task: dict[str, Any] = ask.result("tasks.task.update", taskId=task_id, fields=fields)["task"]
    return task


def get(ask: Asker, task_id: int | str, *select: str) -> dict[str, Any]:
    """Chosen fields of a task."""
    task: dict[str, Any] = ask.result("tasks.task.get", taskId=task_id, select=list(select))["task"]
    return task


def picked(task: dict[str, Any], *names: str) -> tuple[Any, ...]:
    """Values by name."""
    return tuple(task[name] for name in names)


def as_user(ask: Asker, user_id: int) -> Asker:
    """The same webhook owned by somebody else."""
    ask.portal.owner_id = user_id
    return ask
