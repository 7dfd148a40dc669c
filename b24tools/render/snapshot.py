"""What a snapshot did: lines for people, `data` for programs."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext
from b24tools.jobs.snapshot import Result
from b24tools.render import console

MOST_LINES = 5  # of more weeks the first and the last are named, and the sums told


def data(result: Result, zone: ZoneInfo) -> list[dict[str, Any]]:
    """The `data` of `snapshot --json`; times in `zone` with their offset."""
    return [
        {
            "week": one.week.label,
            "from": one.week.start.astimezone(zone).isoformat(),
            "to": one.week.end.astimezone(zone).isoformat(),
            "tasks": one.tasks,
            "new": one.new,
            "changed": one.changed,
            "same": one.same,
            "gone": one.gone,
            "complete": result.complete,
            "people": result.people,
            "requests": result.requests,
        }
        for one in result.weeks
    ]


def lines(result: Result) -> None:
    """A line per week, or one for many of them."""
    if len(result.weeks) <= MOST_LINES:
        for one in result.weeks:
            console.text(_line(one.week.label, one.tasks, one.new, one.changed, one.gone))
        return
    sums = [sum(getattr(one, name) for one in result.weeks) for name in ("tasks", "new", "changed", "gone")]
    console.text(_line(f"{result.weeks[0].week.label} - {result.weeks[-1].week.label}", *sums))


def _line(label: str, tasks: int, new: int, changed: int, gone: int) -> str:
    closed = ngettext("{n} closed task", "{n} closed tasks", tasks).format(n=tasks)
    return _("{weeks}: {tasks} (new {new}, changed {changed}, gone {gone})").format(
        weeks=label, tasks=closed, new=new, changed=changed, gone=gone
    )
