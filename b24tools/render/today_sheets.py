"""Work lists of a day on paper: a sheet for each person, with a QR code that opens the task on the portal."""

from __future__ import annotations

import re
from functools import lru_cache, partial
from string import Template
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, current_language
from b24tools.render.formats import format_busy, format_long_day, format_moment, tell_apart
from b24tools.render.links import task_url
from b24tools.render.markup import Html, element, escape, join
from b24tools.render.page_assets import read_asset
from b24tools.render.page_parts import render_titles
from b24tools.render.today import (
    describe_before,
    describe_day_off,
    describe_deadline,
    describe_idle,
    describe_work,
    format_slot,
)

if TYPE_CHECKING:
    from b24tools.jobs.today import Job, Today, WorkList

ROOMY = 9  # pieces of work that fill a page of A4 comfortably; more are set closer
QR_BORDER, QR_MASK = 2, 0
NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.S)
RUN = re.compile(rb"(\0*)(\x01+)")  # light and dark modules of a row, a byte each


def to_html(today: Today, zone: ZoneInfo) -> str:
    """Write one page with everything in it, for a printer."""
    return Template(read_asset("today.html")).substitute(
        language=current_language(),
        title=escape(describe_title(today)),
        style=read_asset("today.css"),
        content=render_sheets(today, zone),
    )


def describe_title(today: Today) -> str:
    """Write the heading: of one person with the name."""
    day = format_long_day(today.day)
    names = [work_list.person.name for work_list in today.lists]
    return f"{names[0]}: {day}" if len(names) == 1 else _("Work lists: {day}").format(day=day)


def render_sheets(today: Today, zone: ZoneInfo, *, with_hint: bool = True) -> Html:
    """Render a sheet for everybody who has something to do; the others are listed on the screen only.

    Where one person was asked for, there is a sheet in any case. `with_hint`: name the next working day on a day off.
    """
    names = tell_apart((work_list.person.id, work_list.person.name) for work_list in today.lists)
    busy = [work_list for work_list in today.lists if work_list.jobs or len(today.lists) == 1]
    idle = [work_list for work_list in today.lists if not (work_list.jobs or len(today.lists) == 1)]
    parts = [element("p", warning, class_="warning notice") for warning in today.warnings]
    if today.next_day is not None and with_hint:
        parts.append(element("p", describe_day_off(today.day, today.next_day), class_="notice"))
    parts += [_render_sheet(work_list, names[work_list.person.id], today, zone) for work_list in busy]
    if idle:
        lines = [element("li", f"{names[work.person.id]}, {describe_idle(work, today, zone)}") for work in idle]
        heading = element("h2", _("Nothing to do on this day"))
        parts.append(element("section", heading, element("ul", *lines), class_="idle notice"))
    if not today.lists:
        parts.append(element("p", _("There are no people to show."), class_="empty"))
    return join(parts)


def _render_sheet(work_list: WorkList, name: str, today: Today, zone: ZoneInfo) -> Html:
    amount = format_busy(work_list.busy_s, work_list.work_s)
    head = element(
        "header",
        element("h2", name),
        element("p", work_list.department.name, class_="home"),
        element("p", format_long_day(today.day), class_="day"),
        element("p", amount, class_="amount"),
    )
    titles = [_("Time"), _("What to do"), _("Deadline"), _("Task"), _("Done, minutes spent")]
    if work_list.jobs:  # the head stands on each page that the table takes
        rows = [_render_job(job, today, zone) for job in work_list.jobs]
        top = element("thead", element("tr", element("td", head, colspan=len(titles))), render_titles(titles))
        body = element("table", top, element("tbody", *rows))
    else:
        body = join([head, element("p", describe_idle(work_list, today, zone), class_="empty")])
    as_of = _("Data as of {moment}").format(moment=format_moment(today.as_of, zone, today.as_of))
    foot = element(
        "footer",
        element("span", _("Signature"), class_="sign"),
        element("span", _("Date"), class_="sign short"),
        element("span", as_of, class_="as-of"),
    )
    kind = "sheet close" if len(work_list.jobs) > ROOMY else "sheet"
    return element("section", body, foot, class_=kind, id=f"person-{work_list.person.id}")


def _render_job(job: Job, today: Today, zone: ZoneInfo) -> Html:
    url = task_url(today.portal_url, job.task.id)
    line = partial(element, "div")
    what = [line(f"{job.position}: {job.order.number}" if job.order else job.task.title, class_="what")]
    if job.order and job.order.customer:
        what.append(line(job.order.customer))
    if job.before:
        what.append(line(_("First: {operation}").format(operation=describe_before(job, today, zone)), class_="before"))
    deadline = describe_deadline(job, today, zone)
    return element(
        "tr",
        element(
            "td", line(format_slot(job, today.day, zone).replace("-", "–"), class_="time"), line(describe_work(job))
        ),
        element("td", *what),
        element(
            "td",
            element("strong", deadline, class_="late-mark") if job.is_late else deadline,
            class_="deadline",
            data_label=_("Deadline"),
        ),
        element("td", element("a", draw_qr_code(url), f"#{job.task.id}", href=url), class_="task"),
        element("td", class_="spent"),
        class_="late" if job.is_late else None,
    )


@lru_cache(8192)
def draw_qr_code(text: str) -> Html:
    """Draw a QR code as SVG, black on white whatever the page's colours."""
    modules, count = _combine_modules(text)
    packed = modules.to_bytes(count * count, "big")
    size = count + 2 * QR_BORDER
    lines = "".join(
        f"M{QR_BORDER} {y + QR_BORDER}.5"
        + "".join(f"m{len(light)} 0h{len(dark)}" for light, dark in RUN.findall(packed[y * count : (y + 1) * count]))
        for y in range(count)
    )
    return Html(
        f'<svg viewBox="0 0 {size} {size}" class="qr"><path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/>'
        f'<path stroke="#000" d="{lines}"/></svg>'
    )


def _combine_modules(text: str) -> tuple[int, int]:
    """Return the modules of a code, and how many stand in a row.

    Of one length and mask, a code's modules are linear in the bits of its text. So the code of an address that ends
    with another number is that with zeros, changed by what each digit changes: most of the work is done once.
    """
    match = NUMBER.fullmatch(text)
    if match is None:
        return _encode(text)
    before, digits, after = match.groups()
    zeros = "0" * len(digits)
    base, count = _encode(before + zeros + after)
    modules = base
    for place, digit in enumerate(digits):
        modules ^= base ^ _encode(f"{before}{zeros[:place]}{digit}{zeros[place + 1 :]}{after}")[0]
    return modules, count


@lru_cache(1024)
def _encode(text: str) -> tuple[int, int]:
    """Return the modules of a code, a byte each as one number, and how many stand in a row.

    Readers take any mask: to weigh all eight would take most of the time, and a department has thousands of codes.
    """
    import segno

    rows = segno.make_qr(text, error="m", mode="byte", boost_error=False, mask=QR_MASK).matrix
    return int.from_bytes(b"".join(rows), "big"), len(rows)
