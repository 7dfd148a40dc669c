"""What became of orders: a table each for people, `data` for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.core.timestamps import to_text
from b24tools.render import console as render_console

if TYPE_CHECKING:
    from rich.console import Console

    from b24tools.assignment.report import OrderResult, Promise, TaskResult


def data(results: Sequence[OrderResult], zone: ZoneInfo) -> list[dict[str, Any]]:
    """The `data` of `assign --json`; times in `zone` with their offset."""

    def text(moment: datetime | None) -> str | None:
        return to_text(moment, zone)

    def pair(value: tuple[int, str] | None) -> dict[str, Any] | None:
        return None if value is None else {"id": value[0], "name": value[1]}

    def promise(one: Promise | None) -> dict[str, Any]:
        held_up = one.bottleneck if one else None
        return {
            "late_work_s": one.late_s if one else 0,
            "promise": one.day.isoformat() if one else None,
            "bottleneck": asdict(held_up) if held_up else None,
        }

    def task(one: TaskResult) -> dict[str, Any]:
        return {
            "position": one.position,
            "outcome": one.outcome,
            "task_id": one.task_id,
            "title": one.title,
            "responsible": pair(one.responsible),
            "department": pair(one.department),
            "start": text(one.start),
            "end": text(one.end),
            "deadline": text(one.deadline),
            "estimate_s": one.estimate_s,
            "files": list(one.files),
            "warnings": list(one.warnings),
            "error": render_console.error_object(one.error),
        }

    return [
        {
            "order": {"id": order.id, "number": order.number},
            "outcome": order.outcome,
            "tasks": [task(one) for one in order.tasks],
            "finish": text(order.finish),
            "wanted": text(order.wanted),
            "late_s": order.late_s,
            **promise(order.promise),
        }
        for order in results
    ]


def orders(
    results: Sequence[OrderResult],
    zone: ZoneInfo,
    portal_url: str,
    now: datetime,
    talk: render_console.Talk,
    console: Console | None = None,
) -> None:
    """Who does what and when, a table per order; the headline and the remarks go with it."""
    console = console or render_console.open_console()
    for number, order in enumerate(results):
        if number:
            console.print()
        console.print(_headline(order, zone, now), style="bold", markup=False, highlight=False)
        if promised := _promised(order):
            console.print(promised, markup=False, highlight=False)
        if order.tasks:
            console.print(_task_table(order, zone, portal_url, now, console))
        for remark, style in _remarks(order):
            console.print(remark, style=style, markup=False, highlight=False)
    if console.is_terminal and any(task.task_id for order in results for task in order.tasks):
        talk.say(_("A task opens at {url}").format(url=task_url(portal_url, _("NUMBER"))))


def _remarks(order: OrderResult) -> Iterator[tuple[str, str]]:
    """Warnings and errors with their styles; what several lines have in common is said once."""
    positions: dict[tuple[str, str], list[str]] = {}
    for task in order.tasks:
        for warning in task.warnings:
            positions.setdefault((warning, "yellow"), []).append(task.position)
        if task.error:
            positions.setdefault((render_console.error_line(task.error), "red"), []).append(task.position)
    for (remark, style), names in positions.items():
        mark = "x" if style == "red" else "!"
        everywhere = len(names) == len(order.tasks) > 1
        yield f"  {mark} {remark}" if everywhere else f"  {mark} {', '.join(names)}: {remark}", style
    for warning in order.warnings:
        yield f"  ! {warning}", "yellow"


def task_url(portal_url: str, task_id: int | str) -> str:
    """Where a task opens in the browser, for whoever is signed in."""
    return f"{portal_url}/company/personal/user/0/tasks/task/view/{task_id}/"


def _headline(order: OrderResult, zone: ZoneInfo, now: datetime) -> str:
    words = {
        "created": pgettext("order", "created"),
        "updated": pgettext("order", "updated"),
        "unchanged": pgettext("order", "unchanged"),
        "completed": pgettext("order", "completed"),
        "partial": pgettext("order", "partly failed"),
        "failed": pgettext("order", "failed"),
        "planned": pgettext("order", "plan only"),
    }
    count = len(order.tasks)
    parts = [
        _("Order {number}: {outcome}, {tasks}").format(
            number=order.number,
            outcome=words[order.outcome],
            tasks=ngettext("{n} task", "{n} tasks", count).format(n=count),
        )
    ]
    if order.finish and order.outcome != "completed":
        parts.append(_("ready {moment}").format(moment=render_console.moment_text(order.finish, zone, now)))
        if order.wanted:
            wanted = order.wanted.astimezone(zone)
            parts.append(_("wanted by {date}").format(date=wanted.strftime("%d.%m.%Y")))
        if order.promise and order.promise.late_s:
            parts.append(_("late by {hours} of working time").format(hours=render_console.hours(order.promise.late_s)))
        elif order.late_s:
            parts.append(_("late by {duration}").format(duration=render_console.duration(order.late_s)))
    return "; ".join(parts)


def _promised(order: OrderResult) -> str:
    """What holds the order up, and what may be promised if the wanted day cannot be kept."""
    promise = order.promise
    if promise is None or promise.bottleneck is None or order.outcome == "unchanged":
        return ""
    held_up = promise.bottleneck
    work = _("{hours} of working time").format(hours=render_console.hours(held_up.work_s))
    if held_up.wait_s:
        work = _("{wait} of working time until somebody is free for it, then {hours}").format(
            wait=render_console.hours(held_up.wait_s), hours=render_console.hours(held_up.work_s)
        )
    if not promise.late_s:
        return _('Most time goes to "{position}": {work}.').format(position=held_up.position, work=work)
    return _('"{position}" holds it up: {work}. The earliest day to promise is {day}.').format(
        position=held_up.position, work=work, day=promise.day.strftime("%d.%m.%Y")
    )


def _task_table(order: OrderResult, zone: ZoneInfo, portal_url: str, now: datetime, console: Console) -> Any:
    from rich.text import Text

    words = {
        "created": (_("created"), "green"),
        "updated": (_("updated"), "cyan"),
        "adopted": (_("adopted"), "cyan"),
        "unchanged": (_("same"), "dim"),
        "completed": (_("done"), "green"),
        "planned": (_("plan"), "cyan"),
        "failed": (_("FAILED"), "bold red"),
    }
    drawn = console.is_terminal
    table = render_console.open_table(console)
    table.add_column(_("Position"), overflow="fold")
    table.add_column(_("Person"), overflow="fold")
    for name in (_("Start"), _("End"), _("Deadline")):
        table.add_column(name, no_wrap=True)
    table.add_column(_("Outcome"), no_wrap=True)
    table.add_column(_("Task"), no_wrap=True, overflow="ignore")
    for task in order.tasks:
        word, style = words[task.outcome]
        link = Text("")
        if task.task_id and drawn:
            link = Text(f"#{task.task_id}", style=f"link {task_url(portal_url, task.task_id)}")
        elif task.task_id:
            link = Text(task_url(portal_url, task.task_id))
        table.add_row(
            Text(task.position),
            Text(task.responsible[1] if task.responsible else "-"),
            render_console.moment_text(task.start, zone, now),
            render_console.moment_text(task.end, zone, now),
            render_console.day_text(task.deadline, zone, now),
            Text(word, style=style),
            link,
        )
    return table
