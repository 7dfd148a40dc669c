"""Orders as they stand as a page: a table with what holds each of them up; each leads to its chart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from b24tools.assignment import standing
from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.jobs.orders import make_safe
from b24tools.render.formats import format_day
from b24tools.render.markup import Html, element, join
from b24tools.render.orders import describe_hold_up, describe_state, promised_at, ready_at
from b24tools.render.plan import matches_order, render_label, render_select

SHORT = range(2, 6)  # the cells that stay on one line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from b24tools.assignment.standing import OrderStanding


def to_html(
    orders: Sequence[OrderStanding],
    warnings: Iterable[str],
    *,
    state: str | None,
    text: str,
    zone: ZoneInfo,
    now: datetime,
    root: str,
    hidden: Mapping[str, str],
) -> Html:
    """Write the page's content. `text`: part of a number or customer.

    `root`: the way to `/`; `hidden`: what links and forms carry on.
    """
    chosen = [order for order in orders if matches_order(order, text)]
    total = ngettext("{n} order", "{n} orders", len(chosen)).format(n=len(chosen))
    is_narrowed = bool(text or state)
    nothing = _("Nothing fits these filters.") if is_narrowed else _("There are no open orders.")
    table = _render_table(chosen, zone, now, root, hidden) if chosen else element("p", nothing, class_="empty")
    return join(
        [
            _render_form(state, text, hidden),
            *(element("p", warning, class_="warning") for warning in warnings),
            element("p", element("b", total), class_="summary"),
            table,
        ]
    )


def _render_form(state: str | None, text: str, hidden: Mapping[str, str]) -> Html:
    names = [
        ("", _("all that are open")),
        (standing.LATE, pgettext("order", "late")),
        (standing.AT_RISK, pgettext("order", "at risk")),
        (standing.OPEN, pgettext("order", "on time")),
        (standing.OVER, pgettext("order", "done")),
        ("all", _("all")),
    ]
    return element(
        "form",
        *(element("input", type="hidden", name=name, value=value) for name, value in hidden.items()),
        render_label(_("Order or customer"), element("input", type="search", name="order", value=text or None)),
        render_label(_("State"), render_select("state", names, state or "")),
        element("button", _("Show")),
        class_="filter",
    )


def _render_table(
    orders: Sequence[OrderStanding], zone: ZoneInfo, now: datetime, root: str, hidden: Mapping[str, str]
) -> Html:
    titles = [_("Order"), _("Customer"), _("State"), _("Wanted"), _("Promised first"), _("Ready"), _("Done")]
    titles.append(_("Holds it up"))
    rows = []
    for order in orders:
        row = order.row
        link = f"{root}plan?{urlencode({'order': row.id, **hidden})}"
        cells = [
            row.customer or "",
            element("span", describe_state(order, with_time=True), class_=f"state {order.state}"),
            format_day(row.wanted, zone, now),
            format_day(promised_at(order, zone), zone, now),
            format_day(ready_at(order), zone, now),
            _("{done} of {of}").format(done=order.done, of=order.of),
            describe_hold_up(order.holds_up) if order.holds_up else "",
        ]
        name = element("th", element("a", row.number, href=link), scope="row")
        rest = [
            element("td", cell, data_label=title, class_="short" if number in SHORT else None)
            for number, (cell, title) in enumerate(zip(cells, titles[1:], strict=True))
        ]
        rows.append(element("tr", name, *rest, id=make_safe(row.id)))
    head = element("thead", element("tr", *(element("th", title, scope="col") for title in titles)))
    table = element("table", head, element("tbody", join(rows, "\n")), class_="cards-on-phones")
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=_("Orders"))
