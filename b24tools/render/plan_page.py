"""The plan as a page: a chart with a row for each order, or for each person, with what holds it up in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from b24tools.assignment import standing
from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.core.models import Status
from b24tools.jobs.orders import make_safe
from b24tools.render import gantt
from b24tools.render.formats import (
    describe_terms,
    format_moment,
    format_span,
    format_taken,
    format_work,
    tell_apart,
)
from b24tools.render.links import task_url
from b24tools.render.load import list_absences
from b24tools.render.markup import Html, element, join
from b24tools.render.orders import describe_hold_up, describe_line, describe_state, name_person, write_wanted
from b24tools.render.page_parts import View, render_choice, render_form, render_hidden, render_search, render_warnings

if TYPE_CHECKING:
    from b24tools.assignment.line_standing import LineStanding
    from b24tools.assignment.standing import OrderStanding
    from b24tools.jobs.people_plans import DepartmentPlan, PersonPlan, Work
    from b24tools.scheduling.calendar import WorkCalendar

ORDERS, PEOPLE = "orders", "people"
WEEKS = (2, 4, 8, 12)
MOST_WEEKS = 12


@dataclass(frozen=True)
class Filters:
    """What of the plan is wanted. `order`: part of a number or customer, or an id; `person`: part of a name.

    `department`: an id; `weeks` 0: as many as there is work for.
    """

    by: str = ORDERS
    order: str = ""
    person: str = ""
    department: int | None = None
    late: bool = False
    weeks: int = 0


def to_html(
    orders: Sequence[OrderStanding],
    departments: Sequence[DepartmentPlan],
    calendar: WorkCalendar,
    warnings: Iterable[str],
    filters: Filters,
    view: View,
) -> Html:
    """Write the page's content: filters, summary, chart."""
    chosen = [order for order in orders if _fits(order, filters)]
    if filters.by == PEOPLE:
        chart = _chart_people({order.row.id for order in chosen}, departments, calendar, filters, view)
    else:
        chart = _chart_orders(chosen, calendar, filters, view)
    return join([_render_form(departments, filters, view), render_warnings(warnings), _render_summary(chosen), chart])


def matches_order(order: OrderStanding, text: str) -> bool:
    """Tell whether this is the order's id, or part of its number or customer."""
    wanted = text.casefold().strip()
    names = order.row.number, order.row.customer or ""
    return text.strip() == order.row.id or any(wanted in name.casefold() for name in names)


def _fits(order: OrderStanding, filters: Filters) -> bool:
    person = filters.person.casefold().strip()
    if filters.late and order.state != standing.LATE:
        return False
    if not matches_order(order, filters.order):
        return False
    return filters.by == PEOPLE or any(person in name_person(line).casefold() for line in order.lines) or not person


# what stands above the chart


def _render_form(departments: Sequence[DepartmentPlan], filters: Filters, view: View) -> Html:
    tabs = element(
        "div",
        *(
            element(
                "a", name, href=view.link(by=by, department=None), aria_current="page" if filters.by == by else None
            )
            for by, name in ((ORDERS, _("By order")), (PEOPLE, _("By person")))
        ),
        class_="tabs",
    )
    fields = [
        render_hidden("by", filters.by),
        render_search(_("Order or customer"), "order", filters.order),
        render_search(_("Person"), "person", filters.person),
    ]
    if filters.by == PEOPLE:
        names = [("", _("all"))]
        names += [(str(group.department.id), group.department.name) for group in departments if group.department]
        fields.append(render_choice(_("Department"), "department", names, str(filters.department or "")))
    weeks = [("0", _("as needed")), *((str(n), ngettext("{n} week", "{n} weeks", n).format(n=n)) for n in WEEKS)]
    fields.append(render_choice(_("Time"), "weeks", weeks, str(filters.weeks)))
    tick = element("input", type="checkbox", name="late", value="1", checked=filters.late)
    fields.append(element("label", tick, _("late only"), class_="check"))
    return render_form(view, *fields, tabs=tabs)


def _render_summary(orders: Sequence[OrderStanding]) -> Html:
    counts = [
        (look, name, sum(order.state == state for order in orders))
        for state, look, name in (
            (standing.LATE, "late", _("late: {n}")),
            (standing.AT_RISK, "at_risk", _("at risk: {n}")),
            (standing.OPEN, "open", _("on time: {n}")),
        )
    ]
    total = ngettext("{n} order", "{n} orders", len(orders)).format(n=len(orders))
    chips = [element("span", name.format(n=count), class_=f"state {look}") for look, name, count in counts]
    keys = [
        ("late", _("ends too late")),
        ("at_risk", _("behind its plan, or its person is away")),
        ("open", _("as planned")),
        ("done", pgettext("work", "done")),
        ("other", _("other work")),
        ("away", _("away")),
        ("wanted", _("wanted day")),
        ("now", _("now")),
    ]
    legend = [element("span", element("i", class_=f"key {look}"), element("span", name)) for look, name in keys]
    return join(
        [
            element("p", element("b", total), *chips, class_="summary"),
            element("p", *legend, class_="legend"),
        ]
    )


# a row for each order


def _chart_orders(orders: Sequence[OrderStanding], calendar: WorkCalendar, filters: Filters, view: View) -> Html:
    if not orders:
        return _render_nothing(filters, _("There are no open orders."))
    ends = [end for order in orders if (end := order.finish or _late_from(order, view))]
    axis = gantt.choose_days(view.now, calendar, ends, filters.weeks, MOST_WEEKS)
    corner = element("b", _("Order"))
    rows = [_row_of_order(order, axis, view, is_open=len(orders) == 1) for order in orders]
    return gantt.chart(axis, view.now, corner, _now_label(view), rows, _("Orders over time"))


def _row_of_order(order: OrderStanding, axis: gantt.Axis, view: View, *, is_open: bool) -> Html:
    row, late_from = order.row, _late_from(order, view)
    described = [(line, _describe_operation(line, view)) for line in order.lines]
    bars = [bar for line, words in described if (bar := _bar_of_line(order, line, words, view))]
    wanted = (late_from, _wanted_words(order, view)) if late_from else None
    name = element("a", row.number, href=f"{view.link_to('orders')}#{make_safe(row.id)}", class_="number")
    share = 100 * order.done / order.of if order.of else 0
    done = _("{done} of {of} done").format(done=order.done, of=order.of)
    parts = [
        element("div", name, element("span", row.customer or "", class_="customer"), class_="names"),
        element(
            "div",
            element("span", describe_state(order, with_time=True), class_=f"state {order.state}"),
            element("span", done),
            element("span", _wanted_words(order, view)),
            class_="facts",
        ),
    ]
    if order.holds_up:
        parts.append(
            element("div", describe_hold_up(order.holds_up, view.now.astimezone(view.zone).date()), class_="holds")
        )
    parts.append(_list_operations(order, described, view, is_open=is_open))
    parts.append(
        element(
            "svg",
            element("rect", width="100%", height="100%", class_="all"),
            element("rect", width=f"{share:.0f}%", height="100%"),
            class_="share",
            aria_hidden="true",
        )
    )
    head = element("div", *parts, class_="head")
    return element("li", head, gantt.draw_lane(axis, bars, wanted=wanted), class_="row", id=make_safe(row.id))


def _list_operations(
    order: OrderStanding, described: Sequence[tuple[LineStanding, str]], view: View, *, is_open: bool
) -> Html:
    """List the operations in words, with what leads on: also those that have no bar."""
    items = []
    for line, words in described:
        links = []
        if line.task:
            links.append(element("a", f"#{line.task.id}", href=task_url(view.portal_url, line.task.id)))
            links.append(element("a", _("why"), href=view.link_to(f"why/{line.task.id}")))
        items.append(element("li", words, " ", join(links, ", ")))
    items += [element("li", f"{position}: {_('no task was made')}") for position in order.unlisted]
    summary = element("summary", element("span", _("Operations"), class_="hidden"))
    return element("details", summary, element("ol", *items), open=is_open)


def _describe_operation(line: LineStanding, view: View) -> str:
    """Say who does an operation, when, and how it stands."""
    words = [name_person(line)] if line.task else []
    if line.task and line.is_done and line.task.closed_at:
        words.append(format_moment(line.task.closed_at, view.zone, view.now))
    elif line.is_uncertain:
        words.append(_("not known when"))
    elif line.span:
        words.append(format_span(*line.span, view.zone, view.now))
    words.append(describe_line(line, view.zone, view.now)[0])
    return f"{line.row.position}: {', '.join(words)}"


def _bar_of_line(order: OrderStanding, line: LineStanding, words: str, view: View) -> gantt.Bar | None:
    """Make the bar of an operation; None where it is not known when it is done."""
    task, span = line.task, line.span
    if task is None:
        return None
    begun = task.date_start or task.start
    if line.is_done:
        if task.closed_at is None or line.is_put_off:
            return None
        span = min(begun or task.closed_at, task.closed_at), task.closed_at
    elif span is None:
        return None
    is_begun = task.status == Status.IN_PROGRESS
    if is_begun and begun and begun < span[0]:
        span = begun, span[1]
    return gantt.Bar(
        span,
        _look(order, line, view),
        " · ".join(filter(None, [line.row.position, line.person.last_name if line.person else ""])),
        f"{order.row.number}, {words}",
        task_url(view.portal_url, task.id),
        line.away,
        is_begun,
    )


def _look(order: OrderStanding, line: LineStanding, view: View) -> str:
    late_from = _late_from(order, view)
    if line.is_done:
        return "done"
    if line.span and late_from and line.span[1] > late_from:
        return "late"
    is_behind = line.task is not None and line.task.end is not None and bool(line.span) and line.task.end < view.now
    return "at_risk" if line.away or line.is_uncertain or is_behind else "open"


# a row for each person


def _chart_people(
    chosen: set[str],
    departments: Sequence[DepartmentPlan],
    calendar: WorkCalendar,
    filters: Filters,
    view: View,
) -> Html:
    """Draw the people with their work; with a filter for orders only those who work on one of the `chosen`."""
    by_order = bool(filters.order.strip()) or filters.late
    person = filters.person.casefold().strip()
    names = tell_apart((plan.load.id, plan.load.name) for group in departments for plan in group.people)
    groups = []
    for group in departments:
        if filters.department is not None and (group.department is None or group.department.id != filters.department):
            continue
        people = [
            plan
            for plan in group.people
            if person in plan.load.name.casefold()
            and (not by_order or any(work.order and work.order.row.id in chosen for work in plan.work))
        ]
        if people:
            groups.append((group.department.name if group.department else _("Outside the production"), people))
    if not groups:
        return _render_nothing(filters, _("There are no people in the production."))
    ends = [work.span[1] for _name, people in groups for plan in people for work in plan.work]
    axis = gantt.choose_days(view.now, calendar, ends, filters.weeks, MOST_WEEKS)
    rows = []
    for name, people in groups:
        count = ngettext("{n} person", "{n} people", len(people)).format(n=len(people))
        title = element("div", element("b", name), element("span", count, class_="faint"), class_="head")
        rows.append(element("li", title, class_="group"))
        rows += [_row_of_person(plan, names[plan.load.id], chosen if by_order else None, axis, view) for plan in people]
    return gantt.chart(axis, view.now, element("b", _("Person")), _now_label(view), rows, _("People over time"))


def _row_of_person(plan: PersonPlan, name: str, chosen: set[str] | None, axis: gantt.Axis, view: View) -> Html:
    load = plan.load
    free = format_moment(load.free, view.zone, view.now)
    facts = [
        element("span", _("open {work}").format(work=format_work(load.open_s))),
        element("span", _("free from {moment}").format(moment=free)),
        *(element("span", text) for text in describe_terms(load.terms)),
    ]
    away = [
        (span, _("away {span}").format(span=format_span(*span, view.zone, view.now)))
        for span in load.absences
        if axis.shows(span)
    ]
    absences = list_absences(load, view.zone, view.now)
    parts = [element("div", element("b", name), class_="names"), element("div", *facts, class_="facts")]
    if absences:
        parts.append(element("div", _("away {span}").format(span=absences), class_="holds"))
    bars = [_bar_of_work(work, chosen, view) for work in plan.work]
    return element(
        "li", element("div", *parts, class_="head"), gantt.draw_lane(axis, bars, away), class_="row", id=f"p{load.id}"
    )


def _bar_of_work(work: Work, chosen: set[str] | None, view: View) -> gantt.Bar:
    bar = None
    if work.order and work.line:
        bar = _bar_of_line(work.order, work.line, _describe_operation(work.line, view), view)
    dim = "" if chosen is None or (work.order and work.order.row.id in chosen) else " dim"
    if bar is None or work.order is None or work.line is None:
        words = _("Other work, task {id}").format(id=work.task_id)
        title = f"{words}: {format_span(*work.span, view.zone, view.now)}, {format_taken(work.left_s)}"
        return gantt.Bar(work.span, f"other{dim}", words, title, task_url(view.portal_url, work.task_id))
    label = f"{work.order.row.number} · {work.line.row.position}"
    return gantt.Bar(work.span, bar.look + dim, label, bar.title, bar.href, (), bar.is_begun)


# words


def _render_nothing(filters: Filters, otherwise: str) -> Html:
    is_narrowed = filters.order or filters.person or filters.late or filters.department
    return element("p", _("Nothing fits these filters.") if is_narrowed else otherwise, class_="empty")


def _late_from(order: OrderStanding, view: View) -> datetime | None:
    return standing.late_since(order.row, view.zone)


def _wanted_words(order: OrderStanding, view: View) -> str:
    date = write_wanted(order, view.zone, view.now)
    return _("wanted by {date}").format(date=date) if order.row.wanted else ""


def _now_label(view: View) -> str:
    return _("now: {moment}").format(moment=format_moment(view.now, view.zone, view.now))
