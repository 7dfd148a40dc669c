"""Work lists on the pages of `serve`: who has how much to do on a day, and what stands above the sheets."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from b24tools.core.i18n import _
from b24tools.render.formats import format_busy, format_long_day, tell_apart
from b24tools.render.markup import Html, element, join
from b24tools.render.page_parts import View, render_cells, render_scrolled, render_titles, render_warnings
from b24tools.render.today import describe_idle, format_end
from b24tools.render.today_sheets import render_sheets

if TYPE_CHECKING:
    from b24tools.jobs.today import Today, WorkList


def to_overview(today: Today, view: View) -> Html:
    """Write who has how much to do, department by department, with links to the sheets."""
    parts = [_render_days(today, view), render_warnings(today.warnings)]
    if today.next_day is not None:
        parts.append(_render_day_off(today, view))
    if not today.lists:
        parts.append(element("p", _("There are no people to show."), class_="empty"))
    names = tell_apart((work_list.person.id, work_list.person.name) for work_list in today.lists)
    groups: dict[int, list[WorkList]] = {}
    for work_list in today.lists:
        groups.setdefault(work_list.department.id, []).append(work_list)
    if groups:
        heading = _("Work lists: {day}").format(day=format_long_day(today.day))
        titles = [_("Person"), *_list_titles()]
        head = element("thead", render_titles(titles))
        bodies = [_render_group(members, names, today, view) for members in groups.values()]
        table = element("table", element("caption", heading), head, *bodies, class_="lists cards-on-phones")
        parts.append(render_scrolled(table, heading))
    return join(parts)


def _list_titles() -> list[str]:
    return [_("Tasks"), _("Late"), _("Time"), _("Work")]


def to_html(today: Today, view: View) -> Html:
    """Write the sheets, with the days to go to above."""
    hint = [_render_day_off(today, view)] if today.next_day is not None else []
    return join([_render_days(today, view, with_print=True), *hint, render_sheets(today, view.zone, with_hint=False)])


def _render_days(today: Today, view: View, *, with_print: bool = False) -> Html:
    before, after = (today.day + timedelta(days=step) for step in (-1, 1))
    links = [(before, "←", _("The day before"))] if before >= view.today else []
    arrows = [
        element("a", sign, href=_link_day(day, view), title=title, aria_label=title)
        for day, sign, title in [*links, (after, "→", _("The day after"))]
    ]
    back = [element("a", _("Today"), href=_link_day(view.today, view))] if today.day != view.today else []
    button = [element("button", _("Print"), type="button", class_="print")] if with_print else []
    return element(
        "div",
        element("span", element("strong", format_long_day(today.day)), *arrows, *back, class_="days"),
        *button,
        class_="filter",
    )


def _link_day(day: date, view: View) -> str:
    return view.link(date=None if day == view.today else day.isoformat())


def _render_day_off(today: Today, view: View) -> Html:
    next_day = today.next_day or today.day
    text = _("The next working day: {day}").format(day=format_long_day(next_day))
    return element("p", element("a", text, href=_link_day(next_day, view)), class_="warning notice")


def _render_group(members: list[WorkList], names: dict[int, str], today: Today, view: View) -> Html:
    department = members[0].department
    busy_s, work_s = sum(work.busy_s for work in members), sum(work.work_s for work in members)
    link = element("a", department.name, href=_link_sheets(str(department.id), today, view))
    heading = element(
        "tr",
        element("th", link, scope="rowgroup"),
        *render_cells(
            _list_titles(),
            [
                str(sum(_count_tasks(work) for work in members) or ""),
                _mark_late(sum(_count_late(work) for work in members)),
                "",
                format_busy(busy_s, work_s),
            ],
        ),
        class_="group",
    )
    return element("tbody", heading, *(_render_person(work, names[work.person.id], today, view) for work in members))


def _count_tasks(work_list: WorkList) -> int:
    return len({job.task.id for job in work_list.jobs})


def _count_late(work_list: WorkList) -> int:
    return len({job.task.id for job in work_list.jobs if job.is_late})


def _mark_late(count: int) -> Html:
    return element("span", str(count), class_="state late") if count else Html("")


def _render_person(work_list: WorkList, name: str, today: Today, view: View) -> Html:
    link = element("a", name, href=_link_sheets(f"#{work_list.person.id}", today, view))
    who = element("th", link, scope="row")
    if not work_list.jobs:
        words = describe_idle(work_list, today, view.zone).partition(": ")[2]
        return element("tr", who, element("td", words, colspan=4, class_="faint"))
    start = work_list.jobs[0].slot.start.astimezone(view.zone)
    end = format_end(work_list.jobs[-1].slot.end.astimezone(view.zone), today.day)
    amount = format_busy(work_list.busy_s, work_list.work_s)
    cells = [str(_count_tasks(work_list)), _mark_late(_count_late(work_list)), f"{start:%H:%M}–{end}", amount]
    return element("tr", who, *render_cells(_list_titles(), cells))


def _link_sheets(name: str, today: Today, view: View) -> str:
    day = {} if today.day == view.today else {"date": today.day.isoformat()}
    return view.link_to(f"today/{quote(name, safe='')}", **day)
