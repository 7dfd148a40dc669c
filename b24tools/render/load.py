"""Who has how much to do: a table for people, `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.timestamps import to_text
from b24tools.jobs.load import DayLoad, Load, PersonLoad
from b24tools.render import console as render_console

if TYPE_CHECKING:
    from rich.console import Console

BLOCKS = "▁▂▃▄▅▆▇█"
TENTHS = "123456789#"
FREE, OFF = "_", "."


def data(load: Load, zone: ZoneInfo) -> list[dict[str, Any]]:
    """The `data` of `load --json`; times in `zone` with their offset."""

    def text(moment: datetime | None) -> str | None:
        return to_text(moment, zone)

    return [
        {
            "id": person.id,
            "name": person.name,
            "department": group.department.name,
            "open_s": person.open_s,
            "free": text(person.free),
            "absences": [[text(start), text(end)] for start, end in person.absences],
            "days": {day.day.isoformat(): day.busy_s for day in person.days},
        }
        for group in load.groups
        for person in group.people
    ]


def screen(load: Load, zone: ZoneInfo, now: datetime, console: Console | None = None) -> None:
    """A table per department; a sign for each day says how full it is."""
    from rich.text import Text

    console = console or render_console.open_console()
    signs = BLOCKS if console.encoding.lower().startswith("utf") else TENTHS
    for number, group in enumerate(load.groups):
        if number:
            console.print()
        console.print(group.department.name, style="bold", markup=False)
        table = render_console.open_table(console)
        table.add_column(_("Person"), overflow="fold")
        table.add_column(_("Open work"), no_wrap=True, justify="right")
        table.add_column(_("Free"), no_wrap=True)
        table.add_column(_heading(group.people[0].days), no_wrap=True)
        table.add_column(_("Away"), overflow="fold")
        for person in group.people:
            table.add_row(
                Text(person.name),
                render_console.hours(person.open_s),
                render_console.moment_text(person.free, zone, now),
                Text(_bar(person.days, signs)),
                Text(_away(person, zone, now)),
            )
        console.print(table)
    for warning in load.warnings:
        console.print(f"! {warning}", style="yellow", markup=False)


def legend() -> str:
    """What the signs of the days mean."""
    return _('Each sign is a day from today on: "{free}" free, higher is fuller, "{off}" no work or away.').format(
        free=FREE, off=OFF
    )


def _heading(days: Sequence[DayLoad]) -> str:
    """The weekdays, a blank before each Monday."""
    letters = _("MTWTFSS")
    return _by_weeks([(day, letters[day.day.weekday()]) for day in days])


def _bar(days: Sequence[DayLoad], signs: str) -> str:
    return _by_weeks([(day, _sign(day, signs)) for day in days])


def _sign(day: DayLoad, signs: str) -> str:
    if day.work_s == 0:
        return OFF
    if day.busy_s == 0:
        return FREE
    return signs[day.busy_s * (len(signs) - 1) // day.work_s]


def _by_weeks(signs: Sequence[tuple[DayLoad, str]]) -> str:
    return "".join(f" {sign}" if n and day.day.weekday() == 0 else sign for n, (day, sign) in enumerate(signs))


def _away(person: PersonLoad, zone: ZoneInfo, now: datetime) -> str:
    return ", ".join(render_console.span_text(start, end, zone, now) for start, end in person.absences)
