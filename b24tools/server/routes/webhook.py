"""`POST /webhook`: what Bitrix24 sends when a task changes."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from b24tools.jobs.events import payload, process
from b24tools.server import openapi
from b24tools.server.auth import outgoing_tokens
from b24tools.server.models import Received
from b24tools.server.services import Services, SmallBody

BODY = {
    kind: {"schema": {"$ref": "#/components/schemas/PortalEvent"}}
    for kind in ("application/x-www-form-urlencoded", "application/json")
}


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoint."""
    settings = services.session.settings
    tokens = outgoing_tokens(settings)
    turn = asyncio.Lock()

    def save(body: bytes, content_type: str) -> str:
        with services.intake.watch(payload.Refusal), services.open_store() as store:
            return process.receive(store, body, content_type, tokens, services.now(), settings.scrubber.scrub)

    @api.post(
        "/webhook",
        status_code=202,
        tags=["Bitrix24"],
        summary="Bitrix24's outgoing webhook",
        openapi_extra=openapi.describe_body(BODY, description="As the portal sends it."),
        response_model=Received,
        responses=openapi.describe_answers(400, 403, 408, 413, 422, 500, 503, done=202, common=()),
    )
    async def receive_webhook(request: Request, body: SmallBody) -> dict[str, str]:
        async with turn:  # SQLite lets one write at a time; who waits here takes no thread from the others
            status = await run_in_threadpool(save, body, request.headers.get("content-type", ""))
        services.wake_worker()
        return {"status": status}
