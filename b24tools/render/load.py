"""Who has how much to do: a table for people, `data` for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.timestamps import to_text
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.formats import (
    describe_terms,
    format_moment,
    format_span,
    format_taken,
    format_work,
    get_weekday_letters,
    tell_apart,
)
from b24tools.render.links import task_url

if TYPE_CHECKING:
    from b24tools.jobs.load import Load, LoadTask
    from b24tools.scheduling.lane import DayLoad, PersonLoad

BLOCKS = "▁▂▃▄▅▆▇█"
TENTHS = "123456789#"
FREE, OFF = "_", "."
MOST_ABSENCES = 3
REST_CELLS = 63  # what the other columns need beside the days


def data(load: Load, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the `data` of `load --json`; times in `zone` with their offset. Of one person, the tasks as well."""
    tasks = {} if load.tasks is None else {"tasks": [_task_data(task, zone) for task in load.tasks]}
    return [
        {
            "id": person.id,
            "name": person.name,
            "department": group.department.name,
            "open_s": person.open_s,
            "free": to_text(person.free, zone),
            "absences": [[to_text(start, zone), to_text(end, zone)] for start, end in person.absences],
            "days": {day.day.isoformat(): day.busy_s for day in person.days},
            **tasks,
        }
        | ({"terms": dict(person.terms)} if person.terms else {})
        for group in load.groups
        for person in group.people
    ]


def _task_data(task: LoadTask, zone: ZoneInfo) -> dict[str, Any]:
    moments = {"start": to_text(task.start, zone), "end": to_text(task.end, zone)}
    return {"task_id": task.id, "title": task.title, **moments, "left_s": task.left_s}


def format_share(share: float, people: Iterable[PersonLoad]) -> str:
    """Write how much of these people's time is taken; of none, as of who is away all the time, nothing."""
    return f"{share:.0%}" if any(day.work_s for person in people for day in person.days) else "-"


def print_load(load: Load, zone: ZoneInfo, portal_url: str, now: datetime, screen: Screen | None = None) -> None:
    """Print a table per department, with a sign for each day that says how full it is; then a person's tasks.

    On a narrow terminal the share has to do without the hours, and absences come below.
    """
    screen = screen or Screen()
    signs = BLOCKS if screen.has_unicode else TENTHS
    letters = get_weekday_letters()
    names = tell_apart((person.id, person.name) for group in load.groups for person in group.people)
    for number, group in enumerate(load.groups):
        if number:
            screen.print()
        screen.print(group.department.name, "bold")
        days = group.people[0].days
        day_letters = _by_weeks(days, [letters[day.day.weekday()] for day in days])
        is_narrow = screen.is_terminal and screen.width < REST_CELLS + len(day_letters)
        columns = [
            Column(_("Person"), overflow="fold"),
            Column(_("Open work"), right=True),
            Column(_("Load"), right=True),
            Column(_("Free")),
            Column(day_letters),
            Column(_("Away"), overflow="fold"),
        ]
        rows: list[list[Cell]] = [["", "", "", "", _mondays(days), ""]]
        rows += [
            [
                "; ".join([names[person.id], *describe_terms(person.terms)]),
                format_work(person.open_s),
                format_share(person.share, [person]),
                format_moment(person.free, zone, now),
                _by_weeks(person.days, [_sign(day, signs) for day in person.days]),
                list_absences(person, zone, now),
            ]
            for person in group.people
        ]
        if len(group.people) > 1:
            total = [_("Together"), format_work(sum(person.open_s for person in group.people))]
            total.append(format_share(group.share, group.people))
            rows.append([(text, "bold") for text in (*total, "", "", "")])
        if is_narrow:
            columns, rows = [*columns[:1], *columns[2:5]], [[*row[:1], *row[2:5]] for row in rows]
        screen.print_table(columns, rows)
        for person in group.people if is_narrow else ():
            if away := list_absences(person, zone, now):
                screen.print(_("{name} is away: {spans}").format(name=names[person.id], spans=away))
    if load.tasks:
        screen.print()
        columns = [Column(_("Task"), overflow="fold"), Column(_("Left"), right=True), Column(_("Start"))]
        columns += [Column(_("Finish")), Column(_("No."), right=True)]
        moments = [[format_moment(moment, zone, now) for moment in (task.start, task.end)] for task in load.tasks]
        screen.print_table(
            columns,
            [
                [
                    task.title,
                    format_taken(task.left_s),
                    *times,
                    screen.link(str(task.id), task_url(portal_url, task.id), str(task.id)),
                ]
                for task, times in zip(load.tasks, moments, strict=True)
            ],
        )
    for remark in load.remarks:
        screen.print(remark)
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


def list_absences(person: PersonLoad, zone: ZoneInfo, now: datetime) -> str:
    """Write the absences of the days that are shown."""
    until = person.days[-1].day
    spans = [format_span(*away, zone, now) for away in person.absences if away[0].astimezone(zone).date() <= until]
    more = [_("and {n} more").format(n=len(spans) - MOST_ABSENCES)] if len(spans) > MOST_ABSENCES + 1 else []
    return ", ".join([*spans[:MOST_ABSENCES], *more] if more else spans)


def _mondays(days: Sequence[DayLoad]) -> str:
    """Write the first day of each week above its signs, where there is room for it."""
    weeks = [day.day for number, day in enumerate(days) if number == 0 or day.day.weekday() == 0]
    widths = [7 - week.weekday() for week in weeks]
    cells = (f"{week:%d.%m}" if width > 4 else "" for week, width in zip(weeks, widths, strict=True))
    return " ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _by_weeks(days: Sequence[DayLoad], signs: Sequence[str]) -> str:
    """Join a sign for each day, with a blank before each Monday."""
    weeks = (" " if number and day.day.weekday() == 0 else "" for number, day in enumerate(days))
    return "".join(blank + sign for blank, sign in zip(weeks, signs, strict=True))
