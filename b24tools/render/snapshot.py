"""What a snapshot collected: lines for people, `data` for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext

if TYPE_CHECKING:
    from b24tools.jobs.snapshot import Result

MOST_LINES = 5  # of more weeks only the first and the last are named, with the sums


def data(result: Result, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the `data` of `snapshot --json`; times in `zone` with their offset."""
    return [
        {
            "week": row.week.label,
            "from": row.week.start.astimezone(zone).isoformat(),
            "to": row.week.end.astimezone(zone).isoformat(),
            "tasks": row.tasks,
            "new": row.new,
            "changed": row.changed,
            "same": row.same,
            "gone": row.gone,
            "complete": result.complete,
            "people": result.people,
            "requests": result.requests,
        }
        | ({} if result.changes is None else {"changes": result.changes, "missed": result.missed})
        for row in result.weeks
    ]


def describe_weeks(result: Result) -> list[str]:
    """Describe each week in a line, or many of them in one."""
    parts = [[row] for row in result.weeks] if len(result.weeks) <= MOST_LINES else [result.weeks]
    lines = []
    for weeks in parts:
        label = weeks[0].week.label if len(weeks) == 1 else f"{weeks[0].week.label} - {weeks[-1].week.label}"
        tasks = sum(row.tasks for row in weeks)
        line = _("{weeks}: {tasks} (new {new}, changed {changed}, gone {gone})").format(
            weeks=label,
            tasks=ngettext("{n} closed task", "{n} closed tasks", tasks).format(n=tasks),
            new=sum(row.new for row in weeks),
            changed=sum(row.changed for row in weeks),
            gone=sum(row.gone for row in weeks),
        )
        lines.append(line)
    if result.changes is not None and result.missed is not None:
        lines.append(describe_missed(result.missed, result.changes))
    return lines


def describe_missed(missed: int, changes: int) -> str:
    """Say how many changes since the complete run before no event has reported."""
    text = ngettext(
        "{missed} of {n} change came without an event", "{missed} of {n} changes came without an event", changes
    )
    return text.format(missed=missed, n=changes)
