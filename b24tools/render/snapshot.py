"""What a snapshot collected: lines for people, `data` for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext
from b24tools.render.console import print_text

if TYPE_CHECKING:
    from b24tools.jobs.snapshot import Result

MOST_LINES = 5  # of more weeks only the first and the last are named, with the sums


def data(result: Result, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the `data` of `snapshot --json`; times in `zone` with their offset."""
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


def print_weeks(result: Result) -> None:
    """Print a line per week, or one for many of them."""
    parts = [[one] for one in result.weeks] if len(result.weeks) <= MOST_LINES else [result.weeks]
    for weeks in parts:
        label = weeks[0].week.label if len(weeks) == 1 else f"{weeks[0].week.label} - {weeks[-1].week.label}"
        tasks = sum(one.tasks for one in weeks)
        line = _("{weeks}: {tasks} (new {new}, changed {changed}, gone {gone})").format(
            weeks=label,
            tasks=ngettext("{n} closed task", "{n} closed tasks", tasks).format(n=tasks),
            new=sum(one.new for one in weeks),
            changed=sum(one.changed for one in weeks),
            gone=sum(one.gone for one in weeks),
        )
        print_text(line)
