"""What was done for orders: a table for people, `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext
from b24tools.core.timestamps import to_text
from b24tools.render.assign import describe_outcome
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.formats import format_moment

STYLES = {"failed": "red", "partial": "yellow", "cut": "yellow"}

if TYPE_CHECKING:
    from b24tools.store.history import Entry


def data(entries: Sequence[Entry], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the `data` of `history --json`; times in `zone` with their offset."""
    return [
        {
            "at": to_text(entry.at, zone),
            "command": entry.command,
            "order": entry.number,
            "outcome": entry.outcome,
            "by": entry.by,
            "order_id": entry.order_id,
            "tasks": [
                {"position": position, "outcome": outcome, "task_id": task_id}
                for position, outcome, task_id in entry.lines
            ],
            "error": entry.error,
            "times": entry.times,
            "last_at": to_text(entry.last_at or entry.at, zone),
        }
        for entry in entries
    ]


def print_history(entries: Sequence[Entry], zone: ZoneInfo, now: datetime, screen: Screen | None = None) -> None:
    """Print a line for each thing that was done, with its tasks and why it failed."""
    columns = [
        Column(_("When")),
        Column(_("Order"), overflow="fold"),
        Column(_("Command")),
        Column(_("By"), overflow="fold"),
        Column(_("Outcome"), overflow="fold"),
    ]
    rows: list[list[Cell]] = [
        [
            format_moment(entry.at, zone, now, seconds=True),
            entry.number,
            entry.command,
            entry.by or "-",
            (_describe(entry, zone, now), STYLES.get(entry.outcome, "")),
        ]
        for entry in entries
    ]
    (screen or Screen()).print_table(columns, rows)


def _describe(entry: Entry, zone: ZoneInfo, now: datetime) -> str:
    """Say what came of it, and how often the same did."""
    words = describe_outcome(entry.outcome)
    if entry.lines:
        words += ": " + ", ".join(_describe_line(*line) for line in entry.lines)
    if entry.error:
        words += f" - {entry.error}"
    if entry.last_at is None:
        return words
    times = ngettext("{n} time", "{n} times", entry.times).format(n=entry.times)
    until = format_moment(entry.last_at, zone, now, seconds=True)
    return _("{outcome} ({times} until {moment})").format(outcome=words, times=times, moment=until)


def _describe_line(position: str, outcome: str, task_id: int | None) -> str:
    """Name a line and its task; of a run that was cut also what it had not come to."""
    name = f"{position} #{task_id}" if task_id else position
    plan = _("plan")
    return f"{name} ({plan})" if outcome == "planned" else name
