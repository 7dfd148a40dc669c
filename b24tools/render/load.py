"""Who has how much to do: a table for people, `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.timestamps import to_text
from b24tools.render.console import Column, Screen
from b24tools.render.formats import describe_terms, format_moment, format_span, format_work, get_weekday_letters

if TYPE_CHECKING:
    from b24tools.jobs.load import DayLoad, Load

BLOCKS = "▁▂▃▄▅▆▇█"
TENTHS = "123456789#"
FREE, OFF = "_", "."


def data(load: Load, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the `data` of `load --json`; times in `zone` with their offset."""
    return [
        {
            "id": person.id,
            "name": person.name,
            "department": group.department.name,
            "open_s": person.open_s,
            "free": to_text(person.free, zone),
            "absences": [[to_text(start, zone), to_text(end, zone)] for start, end in person.absences],
            "days": {day.day.isoformat(): day.busy_s for day in person.days},
        }
        | ({"terms": dict(person.terms)} if person.terms else {})
        for group in load.groups
        for person in group.people
    ]


def print_load(load: Load, zone: ZoneInfo, now: datetime, screen: Screen | None = None) -> None:
    """Print a table per department; a sign for each day says how full it is."""
    screen = screen or Screen()
    signs = BLOCKS if screen.has_unicode else TENTHS
    letters = get_weekday_letters()
    for number, group in enumerate(load.groups):
        if number:
            screen.print()
        screen.print(group.department.name, "bold")
        days = group.people[0].days
        columns = [
            Column(_("Person"), overflow="fold"),
            Column(_("Open work"), right=True),
            Column(_("Free")),
            Column(_by_weeks(days, [letters[day.day.weekday()] for day in days])),
            Column(_("Away"), overflow="fold"),
        ]
        rows = [
            [
                "; ".join([person.name, *describe_terms(person.terms)]),
                format_work(person.open_s),
                format_moment(person.free, zone, now),
                _by_weeks(person.days, [_sign(day, signs) for day in person.days]),
                ", ".join(format_span(start, end, zone, now) for start, end in person.absences),
            ]
            for person in group.people
        ]
        screen.print_table(columns, rows)
    for warning in load.warnings:
        screen.print(f"! {warning}", "yellow")


def legend() -> str:
    """Return what the signs of the days mean."""
    return _('Each sign is a day from today on: "{free}" free, higher is fuller, "{off}" no work or away.').format(
        free=FREE, off=OFF
    )


def _sign(day: DayLoad, signs: str) -> str:
    if day.work_s == 0:
        return OFF
    if day.busy_s == 0:
        return FREE
    return signs[day.busy_s * (len(signs) - 1) // day.work_s]


def _by_weeks(days: Sequence[DayLoad], signs: Sequence[str]) -> str:
    """Join a sign for each day, with a blank before each Monday."""
    weeks = (" " if number and day.day.weekday() == 0 else "" for number, day in enumerate(days))
    return "".join(blank + sign for blank, sign in zip(weeks, signs, strict=True))
