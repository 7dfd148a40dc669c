"""Events of the portal and what was done with them: lines for people, `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.core.timestamps import to_text
from b24tools.jobs.events.payload import task_of
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.formats import format_moment

if TYPE_CHECKING:
    from b24tools.jobs.events.process import Processed
    from b24tools.jobs.events.replay_files import Found
    from b24tools.store.events import StoredEvent

NAME_CELLS = 24  # whoever knows the token may send any name


def counts(done: Processed) -> dict[str, int]:
    """Return the `data` of `replay --json`."""
    return {"processed": done.processed, "applied": done.applied, "ignored": done.ignored, "failed": done.failed}


def summarize(done: Processed, *, dry_run: bool) -> str:
    """Say in one line what a replay did."""
    events = ngettext("{n} event", "{n} events", done.processed).format(n=done.processed)
    line = _("{events}: {applied} applied, {ignored} ignored, {failed} failed").format(
        events=events, applied=done.applied, ignored=done.ignored, failed=done.failed
    )
    return _("{line} (nothing was written)").format(line=line) if dry_run else line


def data(events: Sequence[StoredEvent], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the `data` of `replay --list --json`, which `replay FILE` reads again; times in `zone`."""
    return [
        {
            "id": event.id,
            "received_at": to_text(event.received_at, zone),
            "event": event.event,
            "task_id": event.task_id,
            "status": event.status,
            "attempts": event.attempts,
            "error": event.error,
            "next_try_at": to_text(event.next_try_at, zone),
            "processed_at": to_text(event.processed_at, zone),
            "body": event.body,
        }
        for event in events
    ]


def print_stored(events: Sequence[StoredEvent], zone: ZoneInfo, now: datetime) -> None:
    """Print a line per stored event, and below them why some failed."""
    statuses = {
        "waiting": pgettext("event", "waiting"),
        "done": pgettext("event", "done"),
        "failed": pgettext("event", "failed"),
        "ignored": pgettext("event", "ignored"),
        "ignored_by_mode": pgettext("event", "polling mode"),
    }
    columns = [Column(_("Received")), Column(_("Tries"), right=True), Column(_("Status"))]
    rows: list[list[Cell]] = []
    remarks = []
    for event in events:
        received = format_moment(event.received_at, zone, now, seconds=True)
        status = statuses.get(event.status, event.status)
        rows.append([*_cells(str(event.id), event.event, event.task_id), received, str(event.attempts), status])
        if event.error:
            remarks.append(f"{event.id}: {_explain(event, event.error, zone, now)}")
    _print(columns, rows, remarks)


def print_found(entries: Sequence[Found]) -> None:
    """Print a line per event of files, and below them what is none."""
    rows = [_cells(entry.place, entry.event.name, task_of(entry.event)) for entry in entries if entry.event]
    _print([], rows, [f"{entry.place}: {entry.refusal.message}" for entry in entries if entry.refusal])


def _print(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], remarks: Sequence[str]) -> None:
    screen = Screen()
    first = [Column(pgettext("event", "No."), right=True), Column(_("Event")), Column(_("Task"), right=True)]
    if rows:
        screen.print_table([*first, *columns], rows)
    for remark in remarks:
        screen.print(f"  ! {remark}", "yellow")


def _cells(place: str, name: str, task_id: int | None) -> list[Cell]:
    name = name if len(name) <= NAME_CELLS else f"{name[: NAME_CELLS - 1]}…"
    return [place, name, "-" if task_id is None else str(task_id)]


def _explain(event: StoredEvent, error: str, zone: ZoneInfo, now: datetime) -> str:
    if event.status != "failed":
        return error
    if event.next_try_at is None:
        return _("{error}; not tried any more: b24tools replay --id {id}").format(error=error, id=event.id)
    moment = format_moment(event.next_try_at, zone, now, seconds=True)
    return _("{error}; next try {moment}").format(error=error, moment=moment)
