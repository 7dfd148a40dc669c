"""Messages as the portal's chat shows them: BB-code, bounded in length, with links to tasks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.assignment.hold_up import HoldUp
from b24tools.core.i18n import _, ngettext
from b24tools.core.timestamps import from_text
from b24tools.render.console import clean
from b24tools.render.formats import format_date, format_decimal, format_moment
from b24tools.render.leaderboard_text import (
    MEDALS,
    describe_benchmarks,
    describe_goal,
    describe_heading,
    name_rows,
    say_part,
)
from b24tools.render.links import task_url
from b24tools.render.orders import describe_hold_up, describe_state, ready_at
from b24tools.store.messages import Message, read_days

if TYPE_CHECKING:
    from b24tools.assignment.standing import OrderStanding
    from b24tools.jobs.doctor.checks import Report
    from b24tools.jobs.leaderboard import Board
    from b24tools.jobs.messages import Write

MOST_LINES = 10  # of a message to a person
MOST_OF_DIGEST = 30  # of a part of a digest
MOST_OF_PERSON = 5  # tasks of one person, in a list of several


@dataclass(frozen=True)
class Work:
    """A task that somebody does today: when it is gone on with and done."""

    task_id: int
    title: str
    customer: str
    start: datetime
    end: datetime


_TAG = re.compile(r"\[/?(?:B|URL(?:=[^\]]*)?)\]")


def make_writer(zone: ZoneInfo, now: datetime) -> Write:
    """Return what writes a message, as BB-code and plain."""

    def write(message: Message, portal_url: str) -> tuple[str, str]:
        text = write_text(message, portal_url, zone, now)
        return text, to_plain(text)

    return write


def write_text(message: Message, portal_url: str, zone: ZoneInfo, now: datetime) -> str:
    """Write a message as BB-code."""
    content = message.content
    if "changes" in content:
        all_url = f"{portal_url}/company/personal/user/{message.person_id}/tasks/"
        return _write_work(content["changes"], portal_url, all_url, zone, now)
    if "orders" in content:
        return _write_promises(content["orders"])
    return str(content["text"])


def escape(text: str) -> str:
    """Return a text from the portal or from 1C on one line, without anything that a chat would take for markup.

    BB-code has no escape: brackets become round ones, and what would be a quotation is moved by a space.
    """
    plain = clean(text).replace("[", "(").replace("]", ")").replace("#BR#", " ")
    return f" {plain}" if plain.startswith((">>", "---")) else plain


def to_plain(text: str) -> str:
    """Return a message without its BB-code, as mail and the terminal show it."""
    return _TAG.sub("", text)


def _link(url: str, text: str) -> str:
    return f"[URL={url}]{escape(text)}[/URL]"


def _write_work(
    changes: Sequence[Mapping[str, Any]], portal_url: str, all_url: str, zone: ZoneInfo, now: datetime
) -> str:
    """Say what was given, moved and taken away; the first lines of it, and where the rest is."""

    def tell(change: Mapping[str, Any]) -> str:
        before, after = (change[name] and _when(change[name], zone, now) for name in ("before", "after"))
        if before and after:
            return _("{after} (was {before})").format(after=after, before=before)
        return after or _("was {before}").format(before=before)

    parts = [
        (_("Given to you: {n}"), [change for change in changes if change["before"] is None]),
        (_("Moved: {n}"), [change for change in changes if change["before"] and change["after"]]),
        (_("Not yours any more: {n}"), [change for change in changes if change["after"] is None]),
    ]
    lines, left = [_bold(_("Your work has changed"))], MOST_LINES
    for title, part in parts:
        if part:
            lines.append(title.format(n=len(part)))
            lines += [_write_change(change, portal_url, tell(change)) for change in part[:left]]
            left -= min(left, len(part))
    if (more := len(changes) - MOST_LINES) > 0:
        text = ngettext("… and {n} more: {all}", "… and {n} more: {all}", more)
        lines.append(text.format(n=more, all=_link(all_url, _("all your tasks"))))
    return "\n".join(lines)


def _write_change(change: Mapping[str, Any], portal_url: str, times: str) -> str:
    name = _link(task_url(portal_url, change["task_id"]), f"{change['position']}: {change['order']}")
    customer = f", {escape(change['customer'])}" if change["customer"] else ""
    return f"• {name}{customer}, {times}"


def _when(span: Sequence[str | None], zone: ZoneInfo, now: datetime) -> str:
    """Write `23.11 09:00-10:30`; both days where they differ."""
    start, end = (format_moment(from_text(text), zone, now) for text in span)
    day, _space, clock = start.partition(" ")
    return f"{start}-{end.partition(' ')[2]}" if clock and end.startswith(f"{day} ") else f"{start} - {end}"


def _write_promises(orders: Sequence[Mapping[str, Any]]) -> str:
    lines = [_bold(_("Orders that will be ready later"))]
    for order in orders[:MOST_LINES]:
        before, after = map(format_date, read_days(order))
        text = _("{order}: {after} instead of {before}").format(order=_name(order), after=after, before=before)
        if held := order.get("holds_up"):
            text += f" ({escape(describe_hold_up(HoldUp(*held)))})"
        lines.append(f"• {text}")
    return "\n".join([*lines, *_and_more(len(orders) - MOST_LINES)])


def _name(order: Mapping[str, Any]) -> str:
    number, customer = escape(order["number"]), escape(order["customer"] or "")
    return f"{number}, {customer}" if customer else number


def _bold(text: str) -> str:
    return f"[B]{text}[/B]"


def _and_more(count: int) -> list[str]:
    return [ngettext("… and {n} more", "… and {n} more", count).format(n=count)] if count > 0 else []


# parts of a digest: "" where there is nothing to say


def write_board(board: Board) -> str:
    """Write the first ten of a ranking, what a place is to be seen beside, and whether a part is missing."""
    rows, names = board.rows[:MOST_LINES], name_rows(board)
    lines = [
        f"{MEDALS[row.place] if row.place in MEDALS and row.figure else f'{row.place}.'} {escape(names[row.id])} - "
        + ngettext("{n} task", "{n} tasks", row.tasks).format(n=row.tasks)
        + (f", {_('{n} h').format(n=format_decimal(row.hours))}" if row.hours else "")
        for row in rows
    ]
    gap = "" if board.complete else _("Incomplete: part of this period was never collected.")
    gap = say_part() if board.sees_part else gap
    beside = filter(None, [describe_benchmarks(board), describe_goal(board), gap])
    return _write_part(describe_heading(board), [*lines, *beside] if lines else [])


def write_late(orders: Iterable[OrderStanding], zone: ZoneInfo) -> str:
    """Write the orders that are late, and what holds them up."""
    return _write_part(_("Late orders: {n}"), [_write_order(order, zone) for order in orders])


def write_changes(orders: Iterable[OrderStanding], zone: ZoneInfo) -> str:
    """Write the orders that have changed."""
    return _write_part(_("Orders that have changed: {n}"), [_write_order(order, zone) for order in orders])


def _write_order(order: OrderStanding, zone: ZoneInfo) -> str:
    parts = [
        _name({"number": order.row.number, "customer": order.row.customer}),
        describe_state(order, with_time=True),
        _("{done} of {of}").format(done=order.done, of=order.of),
    ]
    if (ready := ready_at(order)) and not order.row.is_over:
        parts.append(_("ready {moment}").format(moment=format_date(ready.astimezone(zone))))
    if order.holds_up:
        parts.append(escape(describe_hold_up(order.holds_up)))
    return "• " + ", ".join(parts)


def write_work(people: Sequence[tuple[str, Sequence[Work]]], portal_url: str, now: datetime, *, is_own: bool) -> str:
    """Write what people do today, a line for each of them with the name; `is_own`: a person reads it, a line a task."""
    title = _("Today, {day}").format(day=format_date(now))
    if is_own and people:
        ((_who, jobs),) = people
        names = [_link(task_url(portal_url, job.task_id), job.title) for job in jobs]
        return _write_part(title, [f"• {_write_job(job, name, now)}" for job, name in zip(jobs, names, strict=True)])
    lines = []
    for name, jobs in people:
        shown = "; ".join(_write_job(job, escape(job.title), now) for job in jobs[:MOST_OF_PERSON])
        lines.append(" ".join([f"• {_bold(escape(name))}: {shown}", *_and_more(len(jobs) - MOST_OF_PERSON)]))
    return _write_part(title, lines)


def _write_job(job: Work, name: str, now: datetime) -> str:
    customer = f", {escape(job.customer)}" if job.customer else ""
    return f"{_clock_of(job, now)} {name}{customer}"


def _clock_of(job: Work, now: datetime) -> str:
    """Write `09:00-10:30`; what ends on another day has its date."""
    start, end = job.start.astimezone(now.tzinfo), job.end.astimezone(now.tzinfo)
    return f"{start:%H:%M}-{end:%H:%M}" if end.date() == now.date() else f"{start:%H:%M} - {end:%d.%m %H:%M}"


def write_findings(findings: Iterable[Report]) -> str:
    """Write what doctor found that is not ok."""
    lines = [
        f"• {escape(finding.title)}: {escape(finding.detail)}" + (f" → {escape(finding.fix)}" if finding.fix else "")
        for finding in findings
        if finding.status != "ok" and not finding.known
    ]
    return _write_part(_("Doctor: {n} to look at"), lines)


def _write_part(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    rest = _and_more(len(lines) - MOST_OF_DIGEST)
    return "\n".join([_bold(title.format(n=len(lines))), *lines[:MOST_OF_DIGEST], *rest])
