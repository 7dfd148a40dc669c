"""Who has how much to do, as a page: people × days in % of the working time that there is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from b24tools.core.i18n import _, current_language, ngettext
from b24tools.render.formats import (
    describe_terms,
    format_busy,
    format_days,
    format_moment,
    format_short_day,
    format_span,
    format_work,
    get_weekday_letters,
    tell_apart,
)
from b24tools.render.load import format_share
from b24tools.render.markup import Html, element, escape, join
from b24tools.render.page_parts import View, render_choice, render_form, render_scrolled, render_warnings
from b24tools.scheduling.lane import DayLoad

if TYPE_CHECKING:
    from b24tools.jobs.load import Group, Load
    from b24tools.scheduling.lane import PersonLoad

LOAD, NAME = "load", "name"
WEEKS = (1, 2, 4, 6, 8, 13)
ANY_DAY = "0000-00-00"  # in an address, in place of a cell's day
LEVELS = (1, 26, 51, 76, 100)  # from so many % on a cell is darker


@dataclass(frozen=True)
class Filters:
    """What of the load is wanted. `departments`: those to choose from, by id."""

    weeks: int
    sort: str
    department: str
    departments: Sequence[tuple[int, str]]


def to_html(load: Load, filters: Filters, view: View) -> Html:
    """Write the page's content: choices, what the colours mean, the table."""
    parts = [_render_form(load, filters, view), render_warnings(load.warnings)]
    if not load.groups:
        return join([*parts, element("p", _("There are no people to show."), class_="empty")])
    remarks = (element("p", remark) for remark in load.remarks)
    return join([*parts, _render_legend(), _render_table(load, view), *remarks])


def _render_form(load: Load, filters: Filters, view: View) -> Html:
    names = [("", _("all")), *((str(id_), name) for id_, name in filters.departments)]
    if filters.department and filters.department not in dict(names):
        people = [person.name for group in load.groups for person in group.people]
        names.append((filters.department, people[0] if len(people) == 1 else filters.department))
    weeks = [(str(n), ngettext("{n} week", "{n} weeks", n).format(n=n)) for n in sorted({*WEEKS, filters.weeks})]
    sorts = [(LOAD, _("the fullest first")), (NAME, _("by name"))]
    return render_form(
        view,
        render_choice(_("Department"), "department", names, filters.department),
        render_choice(_("Time"), "weeks", weeks, str(filters.weeks)),
        render_choice(_("Sequence"), "sort", sorts, filters.sort),
    )


def _render_legend() -> Html:
    keys = [(f"heat{level}", f"{low}–{high} %") for level, (low, high) in enumerate(_list_ranges(), 1)]
    keys = [("heat0", _("free")), *keys[:-1], ("heat5", "100 %"), ("away", _("away")), ("off", _("no working time"))]
    items = (element("span", element("i", class_=f"key {name}"), text) for name, text in keys)
    return element("p", *items, class_="legend")


def _list_ranges() -> list[tuple[int, int]]:
    return list(zip(LEVELS, [*(level - 1 for level in LEVELS[1:]), 100], strict=True))


def _render_table(load: Load, view: View) -> Html:
    """Write the table as text, which is quicker than elements: it may have ten thousand cells."""
    days = [day.day for day in load.groups[0].people[0].days]
    narrow = _find_days_off(load, days)
    names = tell_apart((person.id, person.name) for group in load.groups for person in group.people)
    label = _("Load in % of the working time, {days}").format(days=format_days(days[0], days[-1]))
    head = [f'<table><caption class="hidden">{escape(label)}</caption>']
    head += [f'<col class="{kind}">' for kind in ("who", "figure", "open", "free")]
    head += ['<col class="rest">' if day in narrow else '<col class="day">' for day in days]
    head.append("<thead><tr>" + f'<th rowspan="2" scope="col" class="who">{escape(_("Person"))}</th>')
    head.append(f'<th rowspan="2" scope="col" class="figure">{escape(_("Load"))}</th>')
    head.append(f'<th rowspan="2" scope="col" class="figure open">{escape(_("Open work"))}</th>')
    head.append(f'<th rowspan="2" scope="col" class="free">{escape(_("Free"))}</th>')
    for first, length in _list_weeks(days):
        text = escape(format_short_day(first)) if length > 2 else ""
        head.append(f'<th colspan="{length}" scope="colgroup" class="week">{text}</th>')
    head.append("</tr><tr>")
    letters = get_weekday_letters()
    for day in days:
        kinds = " ".join(_list_kinds(day, day in narrow, view.today))
        long = escape(f"{letters[day.weekday()]} {day:%d.%m}")
        text = "" if day in narrow else f"<small>{escape(letters[day.weekday()])}</small>{day.day}"
        head.append(f'<th scope="col" class="{kinds}" title="{long}">{text}</th>')
    head.append("</tr></thead>")
    body = [
        text
        for group in load.groups
        for text in (
            "<tbody>",
            _render_group(group, days, view) if len(group.people) > 1 or len(load.groups) > 1 else "",
            *(_render_person(person, names[person.id], view) for person in group.people),
            "</tbody>",
        )
    ]
    return render_scrolled(Html("".join([*head, *body, "</table>"])), label, "scroll heat")


class _Cell(NamedTuple):
    """What a day shows: a class of the style, a figure, and absences in words."""

    look: str
    text: str
    away: str = ""


_OFF, _FREE = _Cell("off", ""), _Cell("cell heat0", "0")


def _render_group(group: Group, days: Sequence[date], view: View) -> str:
    """Write the sums of a department."""
    name = group.department.name
    link, of_day = _link_lists(str(group.department.id), view)
    sums = [_sum_days(day, [person.days[number] for person in group.people]) for number, day in enumerate(days)]
    open_s = sum(person.open_s for person in group.people)
    row = f'<tr class="row sums"><th scope="rowgroup" class="who"><a href="{link}">{escape(name)}</a></th>'
    share = format_share(group.share, group.people)
    figures = f'<td class="figure">{share}</td><td class="figure open">{escape(format_work(open_s))}</td>'
    cells = _render_cells(escape(name), of_day, sums, [""] * len(days))
    return row + figures + '<td class="free"></td>' + cells + "</tr>"


def _sum_days(day: date, loads: Sequence[DayLoad]) -> DayLoad:
    return DayLoad(day, sum(load.busy_s for load in loads), sum(load.work_s for load in loads))


def _render_person(person: PersonLoad, name: str, view: View) -> str:
    link, of_day = _link_lists(f"#{person.id}", view)
    text = "; ".join([name, *describe_terms(person.terms)])
    row = f'<tr class="row"><th scope="row" class="who"><a href="{link}">{escape(text)}</a></th>'
    free = escape(format_moment(person.free, view.zone, view.now))
    figures = (
        f'<td class="figure">{format_share(person.share, [person])}</td>'
        f'<td class="figure open">{escape(format_work(person.open_s))}</td>'
        f'<td class="free">{free}</td>'
    )
    away = [_describe_away(person, day.day, view) for day in person.days]
    return row + figures + _render_cells(escape(name), of_day, person.days, away) + "</tr>"


def _link_lists(name: str, view: View) -> tuple[str, str]:
    """Return, escaped, the addresses of the work lists of today, and of ANY_DAY."""
    path = f"today/{quote(name)}"
    return escape(view.link_to(path)), escape(view.link_to(path, date=ANY_DAY))


def _render_cells(who: str, link: str, days: Sequence[DayLoad], away: Sequence[str]) -> str:
    """Write the cells of a row with their %; what is for the mouse and for readers of the screen is in the titles.

    `who` and `link`, of ANY_DAY: escaped; `away`: the absences of each day in words. Days of one week that look alike
    are one cell, and so is all that is free after the last work: a plant has fifty thousand days.
    """
    cells, language = [], current_language()
    shown = [_choose_cell(*pair) for pair in zip(days, away, strict=True)]
    end = next((n for n in range(len(days), 0, -1) if shown[n - 1] not in (_OFF, _FREE)), 0)
    for (cell, _week), group in groupby(range(end), lambda n: (shown[n], days[n].day.isocalendar().week)):
        numbers = list(group)
        head = _start_cell(cell.look, days[numbers[0]].day, len(numbers))
        if cell in (_OFF, _FREE):
            cells.append(f"{head}>{cell.text}</td>")
            continue
        span = days[numbers[0] : numbers[-1] + 1]
        title = f"{who}, {_name_days(span)}: "
        busy_s = sum(day.busy_s for day in span)
        if busy_s:
            amount = _describe_amount(busy_s, sum(day.work_s for day in span), language)
            title += f"{amount}; {escape(cell.away)}" if cell.away else amount
            link_to = link.replace(ANY_DAY, span[0].day.isoformat())
            cells.append(f'{head}><a href="{link_to}" title="{title}">{cell.text}</a></td>')
        else:
            cells.append(f'{head} title="{title}{escape(cell.away)}">{cell.text}</td>')
    if end < len(days):
        is_free = _FREE in shown[end:]
        head = _start_cell("cell heat0 tail" if is_free else "off", days[end].day, len(days) - end)
        cells.append(f"{head}>{escape(_('free')) if is_free else ''}</td>")
    return "".join(cells)


def _choose_cell(day: DayLoad, away: str) -> _Cell:
    if not day.work_s:
        return _Cell("cell away", "–", away) if away else _OFF
    if not day.busy_s and not away:
        return _FREE
    percent = 100 if day.busy_s >= day.work_s else min(99, -(-100 * day.busy_s // day.work_s))
    return _Cell(f"cell heat{bisect_right(LEVELS, percent)}{' part' if away else ''}", str(percent), away)


def _start_cell(look: str, first: date, days: int) -> str:
    """Write the beginning of a cell over so many days, still open for more attributes."""
    look += " monday" if first.weekday() == 0 else ""
    return f'<td class="{look}"' + (f' colspan="{days}"' if days > 1 else "")


def _name_days(span: Sequence[DayLoad]) -> str:
    first, last = span[0].day, span[-1].day
    return f"{first:%d.%m}" if first == last else f"{first:%d.%m}–{last:%d.%m}"


@lru_cache(4096)
def _describe_amount(busy_s: int, work_s: int, language: str) -> str:
    """Write the same amount once, escaped. `language`: that in use."""
    return escape(format_busy(busy_s, work_s))


def _describe_away(person: PersonLoad, day: date, view: View) -> str:
    """Say when a person is away, of a day which that touches; "" of others."""
    if not person.absences:
        return ""
    start, end = (datetime.combine(edge, time(), view.zone) for edge in (day, day + timedelta(days=1)))
    spans = [format_span(*span, view.zone, view.now) for span in person.absences if span[0] < end and span[1] > start]
    return _("away {spans}").format(spans=", ".join(spans)) if spans else ""


def _find_days_off(load: Load, days: Sequence[date]) -> set[date]:
    """Find the days on which there is no work for anyone, though somebody is not away."""
    people = [person for group in load.groups for person in group.people]
    return {
        day
        for number, day in enumerate(days)
        if not any(person.days[number].work_s for person in people)
        and (day.weekday() > 4 or not all(person.absences for person in people))
    }


def _list_kinds(day: date, is_narrow: bool, today: date) -> list[str]:
    """List what sets a day's column apart."""
    return [
        name for name, holds in (("rest", is_narrow), ("monday", day.weekday() == 0), ("now", day == today)) if holds
    ]


def _list_weeks(days: Sequence[date]) -> list[tuple[date, int]]:
    """List the first day of each week that is shown, and how many days of it are."""
    starts = [number for number, day in enumerate(days) if number == 0 or day.weekday() == 0]
    return [(days[start], end - start) for start, end in zip(starts, [*starts[1:], len(days)], strict=True)]
