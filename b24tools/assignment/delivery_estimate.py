"""What may be promised about an order: when it is ready, how late that is, and what holds it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from b24tools.assignment.plan import Draft, late_from
from b24tools.assignment.report import Bottleneck, Promise
from b24tools.onec import order as onec_order
from b24tools.scheduling.calendar import Timeline, WorkCalendar


def promise_of(
    order: onec_order.Order,
    drafts: Sequence[Draft],
    ends: Mapping[str, datetime],
    calendar: WorkCalendar,
    now: datetime,
    step_s: int,
) -> Promise | None:
    """What holds for the drafts of an order; `ends`: when each unfinished one is done, by key.

    Work begins on whole steps of `step_s`: up to the next one nothing waits.

    None where nothing is left to do, or where a line has failed: then nobody can say.
    """
    if not ends or any(draft.error for draft in drafts):
        return None
    ready = max(ends.values())
    since = late_from(order)
    return Promise(
        ready=ready,
        day=ready.astimezone(calendar.zone).date(),
        late_s=Timeline(calendar, (), since).worked(ready) if since else 0,
        bottleneck=_bottleneck(drafts, ends, calendar, now, step_s),
    )


def _bottleneck(
    drafts: Sequence[Draft], ends: Mapping[str, datetime], calendar: WorkCalendar, now: datetime, step_s: int
) -> Bottleneck | None:
    """Of the last operation and those it had to wait for, the one that takes longest. Existing tasks are as planned."""
    last: Draft | None = max(
        (draft for draft in drafts if draft.item.key in ends), key=lambda draft: ends[draft.item.key]
    )
    clock = Timeline(calendar, (), now)
    found: list[Bottleneck] = []
    while last is not None:
        after = ends.get(last.after.item.key, now) if last.after else now
        begins = clock.worked(max(last.start or now, after))
        could = clock.worked(calendar.round_up(max(last.not_before or now, now), step_s))
        wait_s = max(0, begins - could) if last.choice else 0
        work_s = max(0, clock.worked(ends[last.item.key]) - begins)
        found.append(Bottleneck(last.item.line.position, wait_s, work_s))
        last = last.after
    return max(found, key=lambda one: one.wait_s + one.work_s, default=None)
