"""Orders as they stand: a table for people, `data` for programs, CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.assignment import hold_up, standing
from b24tools.assignment.recovery import is_unbegun
from b24tools.core.i18n import _, pgettext
from b24tools.core.models import Status
from b24tools.core.sizes import format_duration
from b24tools.core.timestamps import to_text
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.csv_file import make_inert, write_csv
from b24tools.render.formats import format_date, format_day, format_moment, format_until, format_wanted, has_hour
from b24tools.render.links import link_task
from b24tools.store.orders import ENDED_CANCELLED

if TYPE_CHECKING:
    from b24tools.assignment.hold_up import HoldUp
    from b24tools.assignment.line_standing import LineStanding
    from b24tools.assignment.standing import OrderStanding
    from b24tools.jobs.orders import Listing

STATUSES = {int(status): status.name.lower() for status in Status}
WIDE = 110  # what a terminal needs to have room for all columns
STYLES = {standing.LATE: "red", standing.AT_RISK: "yellow", standing.OVER: "green"}


def data(listing: Listing, zone: ZoneInfo) -> dict[str, Any]:
    """Return the `data` of `orders --json`; times in `zone` with their offset."""
    return {"cursor": str(listing.cursor), "orders": [order_data(order, zone) for order in listing.orders]}


def order_data(order: OrderStanding, zone: ZoneInfo) -> dict[str, Any]:
    """Return an order as `data` and the outbox have it."""
    row, held = order.row, order.holds_up
    return {
        "id": row.id,
        "number": row.number,
        "customer": row.customer,
        "wanted": to_text(_wanted_end(order, zone), zone),
        "promised_first": row.promised_first.isoformat() if row.promised_first else None,
        "finish": to_text(order.finish, zone),
        "late_s": order.late_s,
        "done": order.done,
        "of": order.of,
        "state": order.state,
        "cancelled": row.ended == ENDED_CANCELLED,
        "holds_up": held
        and {
            "position": held.position,
            "person": held.person,
            "reason": held.reason,
            "until": held.until.isoformat() if held.until else None,
        },
        "changed_at": to_text(row.changed_at, zone),
        "lines": [_line_data(line, zone) for line in order.lines],
    }


def _line_data(line: LineStanding, zone: ZoneInfo) -> dict[str, Any]:
    task = line.task
    return {
        "position": line.row.position,
        "task_id": line.row.task_id,
        "status": STATUSES.get(task.status, str(task.status)) if task else None,
        "responsible": {"id": task.responsible_id, "name": _name_alone(line)} if task else None,
        "start": to_text(task.start, zone) if task else None,
        "end": to_text(task.end, zone) if task else None,
        "ready": to_text(line.ready, zone),
        "estimate_s": task.estimate_s if task else line.row.estimate_s,
        "spent_s": task.spent_s if task else None,
        "closed_at": to_text(task.closed_at, zone) if task and line.is_done else None,
        "moved_by_hand": line.is_moved_by_hand,
    }


def to_csv(listing: Listing, zone: ZoneInfo) -> str:
    """Write a line for each order, for Excel."""
    names = _("Order"), _("Customer"), _("Wanted"), _("Promised"), _("Ready"), _("Done"), _("Lines"), _("State")
    rows: list[Sequence[object]] = [(*names, _("Late by, hours"), _("Holds it up"), "ID")]
    for order in listing.orders:
        row = order.row
        rows.append(
            (
                make_inert(row.number),
                make_inert(row.customer or ""),
                format_date(row.wanted.astimezone(zone)) if row.wanted else "",
                format_date(row.promised_first) if row.promised_first else "",
                format_date(ready.astimezone(zone)) if (ready := ready_at(order)) else "",
                order.done,
                order.of,
                describe_state(order),
                max(1, round(order.late_s / 3600)) if order.late_s else "",
                make_inert(describe_hold_up(order.holds_up)) if order.holds_up else "",
                make_inert(row.id),
            )
        )
    return write_csv(rows)


def print_orders(listing: Listing, zone: ZoneInfo, now: datetime, screen: Screen | None = None) -> None:
    """Print a line for each order: customer, wanted, promised first and now, done, state, what holds it up.

    On a narrow terminal that comes below, where it needs no column.
    """
    screen = screen or Screen()
    is_narrow, today = screen.is_terminal and screen.width < WIDE, now.astimezone(zone).date()
    columns = [
        Column(_("Order")),
        Column(_("Customer"), overflow="fold"),
        Column(_("Wanted")),
        Column(_("Promised")),
        Column(_("Ready")),
        Column(_("Done"), right=True),
        Column(_("State")),
        Column(_("Holds it up"), overflow="fold"),
    ]
    rows: list[list[Cell]] = [
        [
            order.row.number,
            order.row.customer or "",
            write_wanted(order, zone, now),
            format_day(promised_at(order, zone), zone, now),
            (write_ready(order, zone, now), STYLES.get(order.state, "")),
            _("{done} of {of}").format(done=order.done, of=order.of),
            (describe_state(order, with_time=True), STYLES.get(order.state, "")),
            describe_hold_up(order.holds_up, today) if order.holds_up else "",
        ]
        for order in listing.orders
    ]
    if is_narrow or not any(order.holds_up for order in listing.orders):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    screen.print_table(columns, rows)
    held = [order for order in listing.orders if order.holds_up] if is_narrow else []
    for number, order in enumerate(held):
        if not number:
            screen.print()
            screen.print(_("Holds it up"), "bold")
        if order.holds_up:
            screen.print(f"{order.row.number}: {describe_hold_up(order.holds_up, today)}")
    print_warnings(listing, screen)


def print_details(
    listing: Listing, zone: ZoneInfo, portal_url: str, now: datetime, screen: Screen | None = None
) -> None:
    """Print each order with its lines: whose they are, when they are ready, what people did with them."""
    screen = screen or Screen()
    for number, order in enumerate(listing.orders):
        if number:
            screen.print()
        state, *rest = _list_headline(order, zone, now)
        screen.print([(state, STYLES.get(order.state, "")), "".join(f"; {part}" for part in rest)], "bold")
        if order.holds_up:
            reason = describe_hold_up(order.holds_up, now.astimezone(zone).date())
            screen.print(_("Holds it up: {reason}").format(reason=reason))
        columns = [
            Column(_("Position"), overflow="fold"),
            Column(_("Person"), overflow="fold"),
            Column(_("Planned")),
            Column(_("Ready")),
            Column(_("State"), overflow="fold"),
            Column(_("Task")),
        ]
        rows = [_line_row(line, zone, portal_url, now, screen) for line in order.lines]
        missing: Cell = (_("no task was made"), "red")
        rows += [[position, "-", "-", "-", missing, ""] for position in order.unlisted]
        if rows:
            screen.print_table(columns, rows)
    print_warnings(listing, screen)


def print_warnings(listing: Listing, screen: Screen) -> None:
    """Print what is not known, and so is not counted."""
    for warning in listing.warnings:
        screen.print(f"! {warning}", "yellow")


def describe_state(order: OrderStanding, *, with_time: bool = False) -> str:
    """Say how an order stands; by how much it is late only `with_time`."""
    if order.row.ended == ENDED_CANCELLED and order.state != standing.OVER:
        return _("cancelled, but not over")
    if order.row.ended == ENDED_CANCELLED and (order.done < order.of or not order.of):
        return _("cancelled")
    if order.state == standing.OVER and not order.of:
        return _("without operations")
    if order.state == standing.LATE and with_time and order.late_s:
        return _("late by {duration}").format(duration=format_duration(order.late_s))
    words = {
        standing.OPEN: pgettext("order", "on time"),
        standing.AT_RISK: pgettext("order", "at risk"),
        standing.LATE: pgettext("order", "late"),
        standing.OVER: pgettext("order", "done"),
    }
    return words[order.state]


def describe_hold_up(held: HoldUp, today: date | None = None) -> str:
    """Say in words what an order waits for, with the name; the year where it is not today's, or that is not known.

    Until when that lasts only where it is known.
    """
    until = held.until
    day = until.strftime("%d.%m" if today and today.year == until.year else "%d.%m.%Y") if until else ""
    moment = f"{day} {held.until_time:%H:%M}" if held.until_time else day
    words = {
        hold_up.AWAY: _("{name} is away until {day}"),
        hold_up.GONE: _("{name} does not work there any more"),
        hold_up.BUSY: _("{name} has other work first"),
        hold_up.PLANNED: _("it is planned later than {name} has time for it"),
        hold_up.BEHIND: _("{name} is behind the plan"),
        hold_up.DEFERRED: _("the task of {name} is deferred"),
        hold_up.OUTSIDE: _("the task was given to somebody outside production: when it is done is not known"),
        hold_up.MOVED: _("somebody has put the task of {name} later"),
        hold_up.GIVEN: _("the task was given to {name} by hand, who is done with it later"),
        hold_up.ACCEPTED: _("no work before {moment}, when the order is accepted"),
        hold_up.MISSING: _("the task was deleted on the portal"),
        hold_up.UNWRITTEN: _("no task was made: see history, then send the order again"),
        hold_up.WORK: _("{name} has the longest work"),
    }
    if held.until_time:
        words[hold_up.AWAY] = _("{name} is away until {moment}")
    if until is None:
        words |= {hold_up.AWAY: _("{name} is away"), hold_up.ACCEPTED: _("no work before the order is accepted")}
    reason = words[held.reason].format(name=held.person or "?", day=day, moment=moment)
    return f"{held.position} - {reason}" if held.position else reason


def _list_headline(order: OrderStanding, zone: ZoneInfo, now: datetime) -> Iterator[str]:
    row = order.row
    name = f"{row.number}, {row.customer}" if row.customer else row.number
    yield _("Order {number}: {state}").format(number=name, state=describe_state(order, with_time=True))
    yield _("{done} of {of} done").format(done=order.done, of=order.of)
    if order.finish and order.state != standing.OVER:
        yield _("ready {moment}").format(moment=format_moment(order.finish, zone, now))
    if row.wanted:
        yield _("wanted by {date}").format(date=format_wanted(row.wanted, zone))
    if row.promised_first:
        yield _("promised first for {date}").format(date=format_date(row.promised_first))


def _line_row(line: LineStanding, zone: ZoneInfo, portal_url: str, now: datetime, screen: Screen) -> list[Cell]:
    task = line.task
    ready = task.closed_at if task and line.is_done else line.ready
    return [
        line.row.position,
        name_person(line) if task else "-",
        format_moment(task.end if task else line.row.end, zone, now),
        format_moment(ready, zone, now),
        describe_line(line, zone, now),
        link_task(screen, portal_url, task.id) if task else "",
    ]


def describe_line(line: LineStanding, zone: ZoneInfo, now: datetime) -> tuple[str, str]:
    """Say where the task is, and what somebody did with it on the portal; and the style of that."""
    task, row = line.task, line.row
    if task is None:
        if line.is_done:
            return _("deleted since"), "dim"
        return (_("deleted on the portal") if row.task_id else _("no task was made")), "red"
    if line.is_done and not line.is_put_off:
        is_early = task.closed_at is not None and task.end is not None and task.closed_at < task.end
        return (_("done early") if is_early else pgettext("task", "done")), "green"
    words: dict[int, str] = {Status.IN_PROGRESS: _("in progress"), Status.DEFERRED: _("deferred")}
    if not is_unbegun(task):
        words |= dict.fromkeys((Status.NEW, Status.PENDING), _("paused"))
    parts = [words.get(task.status, _("not begun"))]
    if task.responsible_id != row.responsible_id:
        parts.append(_("given to {name}").format(name=name_person(line)))
    elif line.is_moved_by_hand:
        parts.append(_("moved by hand"))
    if line.person and not line.person.active:
        parts.append(_("does not work there any more"))
    elif line.away:
        parts.append(_("away until {day}").format(day=format_until(line.away[-1][1], zone, now)))
    return ", ".join(parts), "" if len(parts) == 1 else "yellow"


def name_person(line: LineStanding) -> str:
    """Return whose task it is; where several people have one name, with the id."""
    return line.person.shown if line.person else _name_alone(line)


def _name_alone(line: LineStanding) -> str:
    if line.person:
        return line.person.name
    return (line.task.responsible_name or f"#{line.task.responsible_id}") if line.task else ""


def _wanted_end(order: OrderStanding, zone: ZoneInfo) -> datetime | None:
    """The last second of the wanted day, or the wanted moment if 1C gave a time."""
    wanted = order.row.wanted and order.row.wanted.astimezone(zone)
    if wanted is None or (wanted.hour, wanted.minute, wanted.second) != (0, 0, 0):
        return wanted
    return wanted.replace(hour=23, minute=59, second=59)


def ready_at(order: OrderStanding) -> datetime | None:
    """The finish as a moment of the day for which the order is ready: at midnight that is the one before."""
    return order.finish and order.finish - standing.MIDNIGHT


def write_wanted(order: OrderStanding, zone: ZoneInfo, now: datetime) -> str:
    """Write the wanted day, with the hour if 1C gave one."""
    return (format_moment if has_hour(order.row.wanted, zone) else format_day)(order.row.wanted, zone, now)


def write_ready(order: OrderStanding, zone: ZoneInfo, now: datetime) -> str:
    """Write for which day the order is ready, and when on it if that is what counts."""
    if has_hour(order.row.wanted, zone):
        return format_moment(order.finish, zone, now)
    return format_day(ready_at(order), zone, now)


def promised_at(order: OrderStanding, zone: ZoneInfo) -> datetime | None:
    day = order.row.promised_first
    return datetime.combine(day, time(), zone) if day else None
