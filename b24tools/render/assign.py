"""Orders as they were assigned: a table each for people, `data` for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.core.sizes import format_duration
from b24tools.core.timestamps import to_text
from b24tools.render.console import Cell, Column, Messenger, Screen
from b24tools.render.formats import format_date, format_day, format_moment, format_wanted, format_work, has_hour
from b24tools.render.json import describe_error
from b24tools.render.links import link_task, task_url

LATE = "bold red"

if TYPE_CHECKING:
    from b24tools.assignment.report import Bottleneck, OrderResult, TaskResult


def data(results: Sequence[OrderResult], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the `data` of `assign --json`; times in `zone` with their offset."""
    return [
        {
            "order": {"id": order.id, "number": order.number},
            "outcome": order.outcome,
            "tasks": [_task_data(task, zone) for task in order.tasks],
            "finish": to_text(order.finish, zone),
            "wanted": to_text(order.wanted, zone),
            "late_s": order.late_s,
            "late_work_s": order.promise.late_s if order.promise else 0,
            "promise": order.promise.day.isoformat() if order.promise else None,
            "bottleneck": order.promise and _bottleneck_data(order.promise.bottleneck, zone),
        }
        for order in results
    ]


def _bottleneck_data(bottleneck: Bottleneck | None, zone: ZoneInfo) -> dict[str, Any] | None:
    if bottleneck is None:
        return None
    values, until = asdict(bottleneck), bottleneck.away_until
    del values["away_time"]
    accepted = to_text(bottleneck.accepted, zone)
    return values | {"away_until": until.isoformat() if until else None, "accepted": accepted}


def _task_data(task: TaskResult, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "position": task.position,
        "outcome": task.outcome,
        "task_id": task.task_id,
        "title": task.title,
        "responsible": task.responsible and {"id": task.responsible[0], "name": task.responsible[1]},
        "department": task.department and {"id": task.department[0], "name": task.department[1]},
        "start": to_text(task.start, zone),
        "end": to_text(task.end, zone),
        "ready": to_text(task.ready, zone),
        "deadline": to_text(task.deadline, zone),
        "estimate_s": task.estimate_s,
        "files": list(task.files),
        "warnings": list(task.warnings),
        "error": describe_error(task.error),
    }


def print_orders(
    results: Sequence[OrderResult],
    zone: ZoneInfo,
    portal_url: str,
    now: datetime,
    messenger: Messenger,
    screen: Screen | None = None,
) -> None:
    """Print who does what and when, a table per order, with its headline and remarks."""
    screen = screen or Screen()
    for number, order in enumerate(results):
        if number:
            screen.print()
        screen.print(_headline(order, zone, now), "bold")
        if bottleneck := _describe_bottleneck(order, zone):
            screen.print(bottleneck)
        if order.tasks:
            titles = [_("Start"), _("End"), _("Deadline"), _("Outcome"), _("Task")]
            folding = [Column(title, overflow="fold") for title in (_("Position"), _("Person"))]
            rows = [_task_row(task, zone, portal_url, now, screen) for task in order.tasks]
            screen.print_table([*folding, *map(Column, titles)], rows)
        for remark, style in _remarks(order, zone, now):
            screen.print(remark, style)
    if screen.is_terminal and any(task.task_id for order in results for task in order.tasks):
        messenger.info(_("A task opens at {url}").format(url=task_url(portal_url, _("NUMBER"))))


def describe_outcome(outcome: str) -> str:
    """Say what came of an order in a word."""
    words = {
        "created": pgettext("order", "created"),
        "updated": pgettext("order", "updated"),
        "unchanged": pgettext("order", "unchanged"),
        "completed": pgettext("order", "completed"),
        "partial": pgettext("order", "partly failed"),
        "failed": pgettext("order", "failed"),
        "planned": pgettext("order", "plan only"),
        "moved": _("moved"),
        "skipped": _("stays"),
        "superseded": _("left out"),
        "cancelled": _("cancelled"),
        "renewed": _("taken up again"),
        "cut": _("cut off"),
    }
    return words.get(outcome, outcome)


def _headline(order: OrderResult, zone: ZoneInfo, now: datetime) -> list[Cell]:
    tasks = ngettext("{n} task", "{n} tasks", len(order.tasks)).format(n=len(order.tasks))
    parts = [
        _("Order {number}: {outcome}, {tasks}").format(
            number=order.number, outcome=describe_outcome(order.outcome), tasks=tasks
        )
    ]
    late = ""
    if order.finish and order.outcome != "completed":
        parts.append(_("ready {moment}").format(moment=format_moment(order.finish, zone, now)))
        if order.wanted:
            parts.append(_("wanted by {date}").format(date=format_wanted(order.wanted, zone)))
        if order.late_s:
            late = _("late by {duration}").format(duration=format_duration(order.late_s))
    headline = "; ".join(parts)
    return [f"{headline}; ", (late, LATE)] if late else [headline]


def _describe_bottleneck(order: OrderResult, zone: ZoneInfo) -> str:
    """Say what holds the order up, and what may be promised if it will not be ready by the wanted day."""
    if order.promise is None or order.promise.bottleneck is None or order.outcome == "unchanged":
        return ""
    bottleneck = order.promise.bottleneck
    name = bottleneck.person or _("somebody")
    if bottleneck.away_until:
        day = format_date(bottleneck.away_until)
        if bottleneck.away_time:
            name = _("{name} (away until {moment})").format(name=name, moment=f"{day} {bottleneck.away_time:%H:%M}")
        else:
            name = _("{name} (away until {day})").format(name=name, day=day)
    work = _("{hours} of working time").format(hours=format_work(bottleneck.work_s))
    if bottleneck.wait_s:
        work = _("{wait} of working time until {name} is free for it, then {hours}")
        if bottleneck.planned_later:
            work = _("{wait} of working time until its plan begins, though {name} has time sooner, then {hours}")
        if bottleneck.accepted:
            work = _("{wait} of working time until the order is accepted, {moment}, then {hours}")
        work = work.format(
            wait=format_work(bottleneck.wait_s),
            name=name,
            moment=format_wanted(bottleneck.accepted, zone) if bottleneck.accepted else "",
            hours=format_work(bottleneck.work_s),
        )
    elif bottleneck.away_until:
        work = f"{work}, {name}"
    if not order.promise.late_s:
        return _('Most time goes to "{position}": {work}.').format(position=bottleneck.position, work=work)
    day = format_date(order.promise.day)
    if has_hour(order.wanted, zone):
        day += f" {order.promise.ready.astimezone(zone):%H:%M}"
    return _('"{position}" holds it up: {work}. The earliest day to promise is {day}.').format(
        position=bottleneck.position, work=work, day=day
    )


def _task_row(task: TaskResult, zone: ZoneInfo, portal_url: str, now: datetime, screen: Screen) -> list[Cell]:
    outcomes = {
        "created": (_("created"), "green"),
        "updated": (_("updated"), "cyan"),
        "adopted": (_("adopted"), "cyan"),
        "unchanged": (_("same"), "dim"),
        "completed": (_("done"), "green"),
        "planned": (_("plan"), "cyan"),
        "failed": (_("FAILED"), "bold red"),
    }
    deadline: Cell = format_day(task.deadline, zone, now)
    if task.end and task.deadline and task.end > task.deadline and task.outcome != "completed":
        deadline = f"{deadline} !", LATE
    return [
        task.position,
        task.person or (task.responsible[1] if task.responsible else "-"),
        format_moment(task.start, zone, now),
        format_moment(task.end, zone, now),
        deadline,
        outcomes[task.outcome],
        link_task(screen, portal_url, task.task_id) if task.task_id else "",
    ]


def _remarks(order: OrderResult, zone: ZoneInfo, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield warnings and errors with their styles; what several lines have in common comes once."""
    positions: dict[tuple[str, str], list[str]] = {}
    for task in order.tasks:
        if task.ready and task.end and task.ready > task.end:
            end, ready = (format_moment(moment, zone, now) for moment in (task.end, task.ready))
            remark = _("planned until {end}, will be ready {ready}").format(end=end, ready=ready)
            positions.setdefault((remark, "yellow"), []).append(task.position)
        for warning in task.warnings:
            positions.setdefault((warning, "yellow"), []).append(task.position)
        if task.error:
            positions.setdefault((task.error.line, "red"), []).append(task.position)
    for (remark, style), names in positions.items():
        mark = "x" if style == "red" else "!"
        everywhere = len(names) == len(order.tasks) > 1
        yield f"  {mark} {remark}" if everywhere else f"  {mark} {', '.join(names)}: {remark}", style
    for warning in order.warnings:
        yield f"  ! {warning}", "yellow"
