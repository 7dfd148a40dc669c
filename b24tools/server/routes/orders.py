"""`GET /orders`: orders as they stand, so that 1C can ask for news."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import FastAPI, Path, Query, Request, Response

from b24tools.assignment.order_lookup import find_order
from b24tools.assignment.plan import Rules
from b24tools.assignment.standing import AT_RISK, LATE, OPEN, OVER
from b24tools.assignment.tools import Tools
from b24tools.core.i18n import _
from b24tools.jobs import orders
from b24tools.render import orders as render_orders
from b24tools.render import orders_page
from b24tools.server import openapi
from b24tools.server.models import OrdersAsTheyStand
from b24tools.server.page import Age, Look, PageLook, make_view, render_page, wants_html
from b24tools.server.responses import Reply, refuse_input
from b24tools.server.services import Services
from b24tools.server.standings import read_all_orders, read_open_orders, read_orders_now

STATES = {
    None: (OPEN, AT_RISK, LATE),
    "all": orders.STATES,
    OPEN: (OPEN,),
    AT_RISK: (AT_RISK,),
    LATE: (LATE,),
    OVER: (OVER,),
}


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoints."""
    session = services.session
    zone = session.settings.zone

    def answer(choose: Callable[[Tools, Rules], orders.Listing]) -> Reply:
        listing = read_orders_now(services, choose)
        return Reply(render_orders.data(listing, zone) | ({"warnings": listing.warnings} if listing.warnings else {}))

    def show_orders(request: Request, look: Look, state: str | None, text: str) -> Response:
        reading = read_all_orders(services, fresh=look.fresh) if state in ("all", OVER) else None
        reading = reading or read_open_orders(services, fresh=look.fresh)
        main = orders_page.to_html(
            [order for order in reading.value.orders if order.state in STATES[state]],
            reading.value.warnings,
            state,
            text,
            make_view(request, session, reading.read_at),
        )
        return render_page(request, look, _("Orders"), main, Age(reading.read_at, zone, reading.problem))

    @api.get(
        "/orders",
        tags=["1C"],
        summary="Orders as they stand: what is done, when the rest will be, what holds it up",
        response_model=OrdersAsTheyStand,
        responses=openapi.describe_answers(422) | openapi.describe_page(),
    )
    def list_orders(
        request: Request,
        look: PageLook,
        state: Annotated[
            Literal["open", "at_risk", "late", "done", "all"] | None,
            Query(description="Without it those that are not done; with changed_since all."),
        ] = None,
        changed_since: Annotated[
            str | None,
            Query(description="The cursor of the last answer, or a span of time (2h, 7d)."),
        ] = None,
        order: Annotated[str, Query(include_in_schema=False)] = "",
    ) -> Response:
        if changed_since is None and wants_html(request):
            return show_orders(request, look, state, order)

        def choose(tools: Tools, rules: Rules) -> orders.Listing:
            with refuse_input(422):
                since = orders.read_since(tools.store.orders, changed_since, services.now()) if changed_since else None
            states = STATES[state or ("all" if changed_since else None)]
            return orders.list_orders(tools, rules, since=since, states=states)

        return answer(choose)

    @api.get(
        "/orders/{order:path}",
        tags=["1C"],
        summary="One order as it stands, by its number or identifier",
        response_model=OrdersAsTheyStand,
        responses=openapi.describe_answers(404, 409),
    )
    def get_order(order: Annotated[str, Path(description="Its number or identifier.")]) -> Reply:
        def choose(tools: Tools, rules: Rules) -> orders.Listing:
            with refuse_input(404):
                row = find_order(tools.store.orders, order)
            return orders.list_orders(tools, rules, rows=[row])

        return answer(choose)
