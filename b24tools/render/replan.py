"""Moves of unbegun work: who and when, and what that does to the orders; `data` for programs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext
from b24tools.core.sizes import format_duration
from b24tools.core.timestamps import to_text
from b24tools.render.assign import LATE
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.formats import format_moment
from b24tools.render.links import task_url

STYLES = {"planned": "cyan", "moved": "green", "skipped": "yellow", "failed": "bold red"}

if TYPE_CHECKING:
    from b24tools.jobs.replan import MoveResult, OrderChange, Place, Replan


def data(result: Replan, zone: ZoneInfo) -> dict[str, Any]:
    """Return the `data` of `replan --json`; times in `zone` with their offset."""
    return {
        "moves": [
            {
                "task_id": move.task_id,
                "order": move.order,
                "position": move.position,
                "from": _place_data(move.before, zone),
                "to": move.after and _place_data(move.after, zone),
                "reason": move.reason,
                "outcome": move.outcome,
                "note": _remark(move),
            }
            for move in result.moves
        ],
        "orders": [
            {
                "number": order.number,
                "finish_before": to_text(order.finish_before, zone),
                "finish_after": to_text(order.finish_after, zone),
                "late_before_s": order.late_before_s,
                "late_after_s": order.late_after_s,
            }
            for order in result.orders
        ],
    }


def _place_data(place: Place, zone: ZoneInfo) -> dict[str, Any]:
    number, name = place.responsible
    return {
        "responsible": {"id": number, "name": name},
        "start": to_text(place.start, zone),
        "end": to_text(place.end, zone),
    }


def print_replan(result: Replan, zone: ZoneInfo, portal_url: str, now: datetime, screen: Screen | None = None) -> None:
    """Print what moves from whom to whom and when, what stays though it should move, and the orders."""
    screen = screen or Screen()
    if result.moves:
        columns = [
            Column(_("Order")),
            Column(_("Position"), overflow="fold"),
            Column(_("Person"), overflow="fold"),
            Column(_("Start"), overflow="fold"),
            Column(_("Why"), overflow="fold"),
            Column(_("Outcome"), overflow="fold"),
        ]
        rows = [_row(move, zone, portal_url, now, screen) for move in result.moves]
        planned = describe_outcome("planned"), STYLES["planned"]
        if all(row[-1] == planned for row in rows):  # then it says nothing, and takes room
            columns, rows = columns[:-1], [row[:-1] for row in rows]
        screen.print_table(columns, rows)
    if result.orders:
        screen.print()
        columns = [
            Column(_("Order")),
            Column(_("Ready without moves")),
            Column(_("Late")),
            Column(_("Ready")),
            Column(_("Late")),
        ]
        screen.print_table(columns, [_order_row(order, zone, now) for order in result.orders])
    for warning in result.warnings:
        screen.print(f"! {warning}", "yellow")


def describe(result: Replan) -> str:
    """Say in a line how much moves."""
    count = len(result.planned)
    tasks = ngettext("{n} task", "{n} tasks", count).format(n=count)
    changed = sum(order.finish_before != order.finish_after for order in result.orders)
    orders = ngettext("{n} order", "{n} orders", changed).format(n=changed)
    return _("Moves: {tasks}; orders that end at another time: {orders}.").format(tasks=tasks, orders=orders)


def _row(move: MoveResult, zone: ZoneInfo, portal_url: str, now: datetime, screen: Screen) -> list[Cell]:
    before, after = move.before, move.after
    person, start = before.person, format_moment(before.start, zone, now)
    is_staying = after is not None and after.responsible == before.responsible
    if after is not None:
        if not is_staying:
            person = f"{person} → {after.person}"
        if after.start != before.start:
            start = f"{start} → {format_moment(after.start, zone, now)}"
        elif after.end != before.end:
            ends = [format_moment(end, zone, now) for end in (before.end, after.end)]
            start = _("{start}; end {before} → {after}").format(start=start, before=ends[0], after=ends[1])
    remark = _remark(move)
    outcome = describe_outcome(move.outcome) + (f": {remark}" if remark else "")
    name = f"{move.position} #{move.task_id}"
    task = screen.link(name, task_url(portal_url, move.task_id), name)
    reason = describe_reason(move.reason, is_staying=is_staying)
    return [move.order, task, person, start, reason, (outcome, STYLES.get(move.outcome, ""))]


def _order_row(order: OrderChange, zone: ZoneInfo, now: datetime) -> list[Cell]:
    return [
        order.number,
        format_moment(order.finish_before, zone, now),
        format_duration(order.late_before_s) if order.late_before_s else "-",
        format_moment(order.finish_after, zone, now),
        (format_duration(order.late_after_s), LATE) if order.late_after_s else "-",
    ]


def _remark(move: MoveResult) -> str:
    return move.error.message if move.error else move.note


def describe_reason(reason: str, *, is_staying: bool = False) -> str:
    """Say in a few words why an operation moves; `is_staying`: to another time of the same person."""
    if is_staying and reason in ("away", "without"):
        return _("because of the absence")
    return {
        "away": _("the person is away"),
        "without": _("without the person"),
        "gone": _("the person has left"),
        "unfinished": _("an earlier replan was cut"),
        "late": _("the order is late"),
        "first": _("the order comes first"),
        "displaced": _("makes room"),
        "follows": _("follows what it waits for"),
    }.get(reason, reason)


def describe_outcome(outcome: str) -> str:
    """Say in a word what came of a move."""
    return {
        "planned": _("planned"),
        "moved": _("moved"),
        "skipped": _("stays"),
        "failed": _("failed"),
    }.get(outcome, outcome)
