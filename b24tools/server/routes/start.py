"""`GET /`: a page to begin with, which leads to all others."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from b24tools.core import errors, i18n
from b24tools.render import start
from b24tools.server import openapi
from b24tools.server.page import PageLook, find_root, keep_look, list_pages, render_page
from b24tools.server.routes.health import read_ages
from b24tools.server.services import Services


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoint."""

    @api.get(
        "/",
        summary="A page that leads to all others",
        response_class=Response,
        responses=openapi.describe_page(common=(401, 403, 500)),
    )
    def get_start(request: Request, look: PageLook) -> HTMLResponse:
        with i18n.speaking(look.lang):
            try:
                health = read_ages(services)
                age_s, status = health.snapshot_age_s, health.status
            except errors.B24ToolsError:
                age_s, status = None, "failed"
            main = start.to_html(find_root(request), keep_look(request), list_pages(), status, age_s)
            return render_page(request, look, "b24tools", main)
