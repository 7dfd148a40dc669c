"""`GET /why/{task}`: who was considered for a task, and why it went to its person; JSON, or a page for a browser."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Path, Request, Response

from b24tools.core.i18n import _
from b24tools.jobs import why
from b24tools.render import why as render_why
from b24tools.server import openapi
from b24tools.server.page import PageLook, find_root, keep_look, render_page, wants_html
from b24tools.server.responses import Reply, refuse_input
from b24tools.server.services import Services
from b24tools.server.work_models import Decision


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoint."""
    settings = services.session.settings

    @api.get(
        "/why/{task}",
        tags=["1C"],
        summary="Why a task went to its person: who was considered, and when each was free",
        response_model=Decision,
        responses=openapi.describe_answers(404, 422) | openapi.describe_page(),
    )
    def get_decision(
        request: Request, look: PageLook, task: Annotated[int, Path(ge=1, description="The task's number.")]
    ) -> Response:
        with services.session.read_store() as store, refuse_input(404):
            decision = why.explain(store, task, settings.database_place)
        if not wants_html(request):
            return Reply(render_why.data(decision, settings.zone))
        main = render_why.to_html(decision, settings.zone, find_root(request), keep_look(request))
        return render_page(request, look, _("Why this person"), main)
