"""`GET /plan`: the page with the chart of orders and people. `POST /plan`, for 1C, is in `assign.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse

from b24tools.core import i18n
from b24tools.core.i18n import _
from b24tools.render import plan_page
from b24tools.server import openapi
from b24tools.server.page import Age, PageLook, make_view, render_page
from b24tools.server.services import Services
from b24tools.server.standings import read_plan


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoint."""
    zone = services.session.settings.zone

    @api.get(
        "/plan",
        summary="The plan as a page: a chart of orders, or of people, over working time",
        response_class=Response,
        responses=openapi.describe_page(422),
    )
    def get_plan(
        request: Request,
        look: PageLook,
        by: Annotated[Literal["orders", "people"], Query(description="A row for each of these.")] = "orders",
        order: Annotated[str, Query(description="Part of a number or of a customer's name, or an id.")] = "",
        person: Annotated[str, Query(description="Part of a name.")] = "",
        department: Annotated[str, Query(description="The id of a department.", pattern=r"^[0-9]{0,9}$")] = "",
        late: Annotated[bool, Query(description="Late orders only.")] = False,
        weeks: Annotated[int, Query(ge=0, le=plan_page.MOST_WEEKS, description="0: as many as needed.")] = 0,
    ) -> HTMLResponse:
        filters = plan_page.Filters(by, order, person, int(department) if department else None, late, weeks)
        reading = read_plan(services, fresh=look.fresh)
        plan = reading.value
        with i18n.speaking(look.lang):
            view = make_view(request, services.session, plan.standings.now)
            listing, calendar = plan.listing, plan.standings.calendar
            main = plan_page.to_html(listing.orders, plan.departments, calendar, listing.warnings, filters, view)
            return render_page(request, look, _("Plan"), main, Age(reading.read_at, zone, reading.problem))
