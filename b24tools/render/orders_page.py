"""Orders as they stand as a page: a table with what holds each of them up; each leads to its chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from b24tools.assignment import standing
from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.jobs.orders import make_safe
from b24tools.render.formats import format_day
from b24tools.render.markup import Html, element, join
from b24tools.render.orders import describe_hold_up, describe_state, promised_at, write_ready, write_wanted
from b24tools.render.page_parts import (
    View,
    render_cells,
    render_choice,
    render_form,
    render_scrolled,
    render_search,
    render_titles,
    render_warnings,
)
from b24tools.render.plan_page import matches_order

SHORT = range(2, 6)  # the cells that stay on one line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from b24tools.assignment.standing import OrderStanding


def to_html(orders: Sequence[OrderStanding], warnings: Iterable[str], state: str | None, text: str, view: View) -> Html:
    """Write the page's content. `text`: part of a number or customer."""
    chosen = [order for order in orders if matches_order(order, text)]
    total = ngettext("{n} order", "{n} orders", len(chosen)).format(n=len(chosen))
    is_narrowed = bool(text or state)
    nothing = _("Nothing fits these filters.") if is_narrowed else _("There are no open orders.")
    table = _render_table(chosen, view) if chosen else element("p", nothing, class_="empty")
    summary = element("p", element("b", total), class_="summary")
    return join([_render_form(state, text, view), render_warnings(warnings), summary, table])


def _render_form(state: str | None, text: str, view: View) -> Html:
    names = [
        ("", _("all that are open")),
        (standing.LATE, pgettext("order", "late")),
        (standing.AT_RISK, pgettext("order", "at risk")),
        (standing.OPEN, pgettext("order", "on time")),
        (standing.OVER, pgettext("order", "done")),
        ("all", _("all")),
    ]
    search = render_search(_("Order or customer"), "order", text)
    return render_form(view, search, render_choice(_("State"), "state", names, state or ""))


def _render_table(orders: Sequence[OrderStanding], view: View) -> Html:
    zone, now = view.zone, view.now
    titles = [_("Order"), _("Customer"), _("State"), _("Wanted"), _("Promised first"), _("Ready"), _("Done")]
    titles.append(_("Holds it up"))
    rows = []
    for order in orders:
        row = order.row
        cells = [
            row.customer or "",
            element("span", describe_state(order, with_time=True), class_=f"state {order.state}"),
            write_wanted(order, zone, now),
            format_day(promised_at(order, zone), zone, now),
            write_ready(order, zone, now),
            _("{done} of {of}").format(done=order.done, of=order.of),
            describe_hold_up(order.holds_up, now.astimezone(zone).date()) if order.holds_up else "",
        ]
        link = element("a", row.number, href=view.link_to("plan", order=row.id))
        rest = render_cells(titles[1:], cells, SHORT)
        rows.append(element("tr", element("th", link, scope="row"), *rest, id=make_safe(row.id)))
    head, body = element("thead", render_titles(titles)), element("tbody", join(rows, "\n"))
    return render_scrolled(element("table", head, body, class_="cards-on-phones"), _("Orders"))
