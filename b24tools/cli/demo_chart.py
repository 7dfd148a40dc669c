"""The chart of the demo: an order over its next working days, as text, a row for each operation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from b24tools.assignment.line_standing import LineStanding
from b24tools.assignment.standing import OrderStanding
from b24tools.core.i18n import _
from b24tools.render.console import Cell, Column, Screen
from b24tools.scheduling.calendar import Interval, WorkCalendar

CELLS = 5  # of a day from its first working hour to its last
MOST_DAYS = 8
LOOK_AHEAD = 92
WORK, AWAY, FREE = "█", "░", "·"
PLAIN = str.maketrans(WORK + AWAY + FREE, "#x.")


def print_chart(order: OrderStanding, calendar: WorkCalendar, now: datetime, screen: Screen | None = None) -> None:
    """Print who does what when; a column for each day that has working time."""
    screen = screen or Screen()
    days = _choose_days(order, calendar, now)
    heading = " ".join(f"{day:%d.%m}".ljust(CELLS) for day in days)
    rows: list[list[Cell]] = []
    for line in order.lines:
        chart = " ".join(_draw(line, calendar, day) for day in days)
        person = line.person.shown if line.person else ""
        rows.append([line.row.position, person, chart if screen.has_unicode else chart.translate(PLAIN)])
    screen.print_table([Column(_("Position")), Column(_("Person")), Column(heading)], rows)


def _choose_days(order: OrderStanding, calendar: WorkCalendar, now: datetime) -> list[date]:
    today = now.astimezone(calendar.zone).date()
    last = (order.finish or now).astimezone(calendar.zone).date()
    coming = (today + timedelta(days=n) for n in range(min((last - today).days, LOOK_AHEAD) + 1))
    return [day for day in coming if calendar.spans(day)][:MOST_DAYS]


def _draw(line: LineStanding, calendar: WorkCalendar, day: date) -> str:
    shifts = calendar.spans(day)
    start, end = shifts[0][0], shifts[-1][1]
    edges = [start + (end - start) * n / CELLS for n in range(CELLS + 1)]
    return "".join(_mark(line, begun, done) for begun, done in pairwise(edges))


def _mark(line: LineStanding, begun: float, done: float) -> str:
    if _meets(line.away, begun, done):
        return AWAY
    return WORK if line.span and _meets([line.span], begun, done) else FREE


def _meets(spans: Sequence[Interval], begun: float, done: float) -> bool:
    return any(start.timestamp() < done and end.timestamp() > begun for start, end in spans)
