"""Work lists of a day: a table for people, `data` for programs, CSV. Paper: `today_sheets`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.timestamps import to_text
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.csv_file import make_inert, write_csv
from b24tools.render.formats import (
    format_date,
    format_long_day,
    format_moment,
    format_span,
    format_taken,
    format_work,
    tell_apart,
)
from b24tools.render.links import task_url

if TYPE_CHECKING:
    from b24tools.jobs.today import Job, Today, WorkList

NO_BREAK = "\u00a0"


def data(today: Today, zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return the `data` of `today --json`; times in `zone` with their offset."""
    return [
        {
            "person": {
                "id": work_list.person.id,
                "name": work_list.person.name,
                "department": work_list.department.name,
            },
            "date": today.day.isoformat(),
            "minutes": work_list.busy_s // 60,
            "of_minutes": work_list.work_s // 60,
            "absences": [[to_text(start, zone), to_text(end, zone)] for start, end in work_list.away],
            "tasks": [_job_data(job, today, zone) for job in work_list.jobs],
        }
        for work_list in today.lists
    ]


def _job_data(job: Job, today: Today, zone: ZoneInfo) -> dict[str, Any]:
    before = job.before
    return {
        "task_id": job.task.id,
        "title": job.task.title,
        "url": task_url(today.portal_url, job.task.id),
        "order": job.order.number if job.order else None,
        "customer": job.order.customer if job.order else None,
        "position": job.position,
        "start": to_text(job.slot.start, zone),
        "end": to_text(job.slot.end, zone),
        "minutes": job.slot.work_s // 60,
        "goes_on": not job.slot.is_last,
        "deadline": to_text(job.task.deadline, zone),
        "late": job.is_late,
        "after": before
        and {
            "task_id": before.task_id,
            "position": before.position,
            "person": before.person,
            "ready": to_text(before.end, zone),
        },
    }


def to_csv(today: Today, zone: ZoneInfo) -> str:
    """Write a line for each piece of work, for Excel."""
    who = [_("Date"), _("Department"), _("Person"), _("Start"), _("Finish"), _("Minutes")]
    what = [_("Order"), _("Customer"), _("Position"), _("Task"), _("Deadline"), _("Late"), _("After"), "ID"]
    rows: list[Sequence[object]] = [[*who, *what]]
    names = tell_apart((work_list.person.id, work_list.person.name) for work_list in today.lists)
    for work_list in today.lists:
        for job in work_list.jobs:
            start, end = (moment.astimezone(zone) for moment in (job.slot.start, job.slot.end))
            deadline = job.task.deadline and job.task.deadline.astimezone(zone)
            texts = [
                job.order.number if job.order else "",
                (job.order.customer or "") if job.order else "",
                job.position or "",
                job.task.title,
            ]
            rows.append(
                [
                    format_date(today.day),
                    *map(make_inert, (work_list.department.name, names[work_list.person.id])),
                    f"{start:%H:%M}",
                    format_end(end, today.day),
                    job.slot.work_s // 60,
                    *map(make_inert, texts),
                    f"{deadline:%d.%m.%Y %H:%M}" if deadline else "",
                    _("late") if job.is_late else "",
                    make_inert(describe_before(job, today, zone)),
                    job.task.id,
                ]
            )
    return write_csv(rows)


def print_today(today: Today, zone: ZoneInfo, screen: Screen | None = None) -> None:
    """Print a table for each person who has something to do, then who has nothing."""
    screen = screen or Screen()
    screen.print(format_long_day(today.day), "bold")
    names = tell_apart((work_list.person.id, work_list.person.name) for work_list in today.lists)
    columns = [
        Column(_("Time")),
        Column(_("Task"), overflow="fold"),
        Column(_("Customer"), overflow="fold"),
        Column(_("Work"), overflow="fold"),
        Column(_("Deadline"), overflow="fold"),
        Column(_("After"), overflow="fold"),
    ]
    for work_list in today.lists:
        if not work_list.jobs:
            continue
        screen.print()
        screen.print(f"{names[work_list.person.id]}, {describe_amount(work_list)}", "bold")
        is_used = [
            True,
            True,
            any(job.order and job.order.customer for job in work_list.jobs),
            True,
            any(job.task.deadline for job in work_list.jobs),
            any(job.before for job in work_list.jobs),
        ]
        rows = [_list_cells(job, today, zone, screen) for job in work_list.jobs]
        screen.print_table(_choose(columns, is_used), [_choose(row, is_used) for row in rows])
    idle = [work_list for work_list in today.lists if not work_list.jobs]
    if idle:
        screen.print()
    for work_list in idle:
        screen.print(f"{names[work_list.person.id]}, {describe_idle(work_list, today, zone)}")
    for warning in today.warnings:
        screen.print(f"! {warning}", "yellow")


def _choose(cells: Sequence[Any], is_used: Sequence[bool]) -> list[Any]:
    return [cell for cell, used in zip(cells, is_used, strict=True) if used]


def _list_cells(job: Job, today: Today, zone: ZoneInfo, screen: Screen) -> list[Cell]:
    name = f"{job.task.title} #{job.task.id}".strip()
    url = task_url(today.portal_url, job.task.id)
    return [
        format_slot(job, today.day, zone),
        (name, f"link {url}") if screen.is_terminal else name,
        (job.order.customer or "") if job.order else "",
        describe_work(job),
        (describe_deadline(job, today, zone), "red") if job.is_late else describe_deadline(job, today, zone),
        describe_before(job, today, zone),
    ]


# words that the table and the paper share


def format_slot(job: Job, day: date, zone: ZoneInfo) -> str:
    """Write from when to when of the day."""
    start, end = (moment.astimezone(zone) for moment in (job.slot.start, job.slot.end))
    return f"{start:%H:%M}-{format_end(end, day)}"


def describe_work(job: Job) -> str:
    """Say how long a piece of work takes, and whether the task goes on after it."""
    work = format_taken(job.slot.work_s)
    return work if job.slot.is_last else _("{work}, goes on").format(work=work)


def format_end(end: Any, day: date) -> str:
    """Write the time of an end; a midnight ends the day before."""
    return "24:00" if end.date() > day else f"{end:%H:%M}"


def describe_amount(work_list: WorkList) -> str:
    """Say how much of the day's working time is taken."""
    return _("{department}: {busy} of {work}").format(
        department=work_list.department.name, busy=format_work(work_list.busy_s), work=format_work(work_list.work_s)
    )


def describe_idle(work_list: WorkList, today: Today, zone: ZoneInfo) -> str:
    """Say why somebody has nothing to do: away, a day off, or free."""
    reasons = [_("nothing planned")] if work_list.work_s else [] if work_list.away else [_("no working time")]
    if work_list.away:
        spans = ", ".join(format_span(start, end, zone, today.as_of) for start, end in work_list.away)
        reasons.append(_("away {spans}").format(spans=spans))
    return f"{work_list.department.name}: {', '.join(reasons)}"


def describe_deadline(job: Job, today: Today, zone: ZoneInfo) -> str:
    """Write the deadline, and whether the task will be late; "" without one."""
    if job.task.deadline is None:
        return ""
    moment = format_moment(job.task.deadline, zone, today.as_of)
    return _("{moment}, late").format(moment=moment) if job.is_late else moment


def describe_before(job: Job, today: Today, zone: ZoneInfo) -> str:
    """Say what has to be done before, by whom, and when it will be; "" where nothing has."""
    if job.before is None:
        return ""
    who = f", {job.before.person}" if job.before.person else ""
    end = job.before.end
    moment = format_moment(end, zone, today.as_of).replace(" ", NO_BREAK) if end else _("not known when")
    return f"{job.before.position}{who}, {moment}"


def describe_day_off(day: date, next_day: date) -> str:
    """Say that the day is no working day, and when the next one is."""
    return _("{day} has no working time left; the next working day: --date {next_day}").format(
        day=format_long_day(day), next_day=next_day.isoformat()
    )
