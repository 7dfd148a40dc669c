"""Events of the portal and what was made of them: lines for people, data for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.core.timestamps import to_text
from b24tools.jobs.events.process import Processed
from b24tools.render import console
from b24tools.store.events import FAILED, StoredEvent

WIDTH = 80
EVENT_WIDTH = 16
_INDENT = " " * 8


@dataclass(frozen=True)
class Listed:
    """An event as it is listed: of the inbox, or of a file (`place`)."""

    place: str
    event: str
    task_id: int | None
    kept: StoredEvent | None = None
    error: str = ""


def counts(done: Processed) -> dict[str, int]:
    """The `data` of `replay --json`."""
    return {"processed": done.processed, "applied": done.applied, "ignored": done.ignored, "failed": done.failed}


def summary(done: Processed, *, dry_run: bool) -> str:
    """One line about a replay."""
    events = ngettext("{n} event", "{n} events", done.processed).format(n=done.processed)
    line = _("{events}: {applied} followed, {ignored} of no use, {failed} failed").format(
        events=events, applied=done.applied, ignored=done.ignored, failed=done.failed
    )
    return _("{line} (nothing was written)").format(line=line) if dry_run else line


def rows(listed: Sequence[StoredEvent], zone: ZoneInfo) -> list[dict[str, Any]]:
    """The `data` of `replay --list --json`; times in `zone` with their offset. `replay FILE` reads it again."""

    def text(moment: datetime | None) -> str | None:
        return to_text(moment, zone)

    return [
        {
            "id": one.id,
            "received_at": text(one.received_at),
            "event": one.event,
            "task_id": one.task_id,
            "status": one.status,
            "attempts": one.attempts,
            "error": one.error,
            "next_try_at": text(one.next_try_at),
            "processed_at": text(one.processed_at),
            "body": one.body,
        }
        for one in listed
    ]


def table(listed: Sequence[Listed], zone: ZoneInfo, now: datetime) -> list[str]:
    """A line per event, and below it why it failed; no wider than a terminal of old."""
    width = max([7, *(len(one.place) for one in listed)])
    heads = [_("Event"), _("Task")]
    if any(one.kept for one in listed):
        heads = [_("Event"), _("Task"), _("Received"), _("Tries"), _("Status")]
    found = [_line(pgettext("event", "No."), width, heads)]
    for one in listed:
        cells = [_name(one.event), "-" if one.task_id is None else str(one.task_id)]
        if one.kept is not None:
            cells += [_moment(one.kept.received_at, zone, now), str(one.kept.attempts), _status(one.kept.status)]
        found.append(_line(one.place, width, cells))
        if reason := _reason(one, zone, now):
            found += textwrap.wrap(reason, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return found


def _name(event: str) -> str:
    """What fits its column, and does nothing to a terminal."""
    clean = "".join(sign if sign.isprintable() else "?" for sign in event)
    return clean if len(clean) <= EVENT_WIDTH else clean[: EVENT_WIDTH - 1] + "…"


def _line(place: str, width: int, cells: Sequence[str]) -> str:
    widths = (EVENT_WIDTH, 9, 14, 6, 0)
    right = (1, 3)  # numbers
    padded = [
        cell.rjust(wide) if number in right else cell.ljust(wide)
        for number, (cell, wide) in enumerate(zip(cells, widths, strict=False))
    ]
    return "  ".join([place.rjust(width), *padded]).rstrip()


def _reason(one: Listed, zone: ZoneInfo, now: datetime) -> str:
    kept = one.kept
    if kept is None or not kept.error:
        return one.error
    if kept.status != FAILED:
        return kept.error
    if kept.next_try_at is None:
        return _("{error}; not tried any more: b24tools replay --id {id}").format(error=kept.error, id=kept.id)
    return _("{error}; next try {moment}").format(error=kept.error, moment=_moment(kept.next_try_at, zone, now))


def _status(status: str) -> str:
    return {
        "waiting": pgettext("event", "waiting"),
        "done": pgettext("event", "done"),
        "failed": pgettext("event", "failed"),
        "ignored": pgettext("event", "of no use"),
        "ignored_by_mode": pgettext("event", "polling mode"),
    }.get(status, status)


def _moment(moment: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Day and time to the second; the year instead of the seconds where it is another one."""
    local = moment.astimezone(zone)
    return local.strftime("%d.%m %H:%M:%S" if local.year == now.astimezone(zone).year else "%d.%m.%y %H:%M")


def say(lines: Sequence[str]) -> None:
    """Lines of a result."""
    for line in lines:
        console.text(line)
