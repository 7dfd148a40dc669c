"""Where tasks open in the browser, for whoever is signed in."""

from __future__ import annotations

from b24tools.render.console import Cell, Screen


def task_url(portal_url: str, task_id: int | str) -> str:
    """Return the address of a task."""
    return f"{portal_url}/company/personal/user/0/tasks/task/view/{task_id}/"


def link_task(screen: Screen, portal_url: str, task_id: int) -> Cell:
    """Return a task's number that opens it on a terminal; elsewhere its address."""
    return screen.link(f"#{task_id}", task_url(portal_url, task_id))
