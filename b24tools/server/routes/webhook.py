"""`POST /webhook`: what Bitrix24 sends when a task changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from b24tools.jobs.events import process
from b24tools.server import openapi
from b24tools.server.auth import outgoing_tokens
from b24tools.server.models import Received
from b24tools.server.responses import Reply
from b24tools.server.services import SMALL_BYTES, Services, read_body
from b24tools.store.events import NewEvent

USUAL_BYTES = 4096  # an event has some 600
BODY = {
    kind: {"schema": {"$ref": "#/components/schemas/PortalEvent"}}
    for kind in ("application/x-www-form-urlencoded", "application/json")
}


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoint."""
    settings = services.session.settings
    tokens = outgoing_tokens(settings)
    intake = _Intake(services)

    def check(body: bytes, content_type: str) -> NewEvent:
        return process.check(body, content_type, tokens, services.now(), settings.scrubber.scrub)

    @api.post(
        "/webhook",
        status_code=202,
        tags=["Bitrix24"],
        summary="Bitrix24's outgoing webhook",
        openapi_extra=openapi.describe_body(BODY, description="As the portal sends it."),
        response_model=Received,
        responses=openapi.describe_answers(400, 403, 408, 413, 422, 500, 503, done=202, common=()),
    )
    async def receive_webhook(request: Request) -> Response:
        body = await read_body(request, SMALL_BYTES)
        content_type = request.headers.get("content-type", "")
        if len(body) <= USUAL_BYTES:  # another thread would take longer to begin
            event = check(body, content_type)
        else:
            event = await run_in_threadpool(check, body, content_type)
        status = await intake.add(event)
        services.wake_worker()
        return Reply({"status": status}, 202)


class _Intake:
    """Stores events one write after the other: those that come during a write share the next one.

    SQLite lets one write at a time, and a write waits for the disk; who waits here takes no thread from the others.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: list[tuple[NewEvent, asyncio.Future[str]]] = []
        self._writing: asyncio.Task[None] | None = None  # the loop itself holds on to no task

    async def add(self, event: NewEvent) -> str:
        """Store an event; it is on the disk when this returns how it was taken."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, answer))
        if self._writing is None:  # not for this sender alone: it goes on if he hangs up
            self._writing = asyncio.create_task(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting, []
            waiting = [answer for _event, answer in taken]
            try:
                statuses = await run_in_threadpool(self._write, [event for event, _answer in taken])
            except Exception as error:  # noqa: BLE001 - it is for those who wait
                for answer in waiting:
                    if not answer.done():  # else the sender has hung up
                        answer.set_exception(error)
            else:
                for answer, status in zip(waiting, statuses, strict=True):
                    if not answer.done():
                        answer.set_result(status)
        self._writing = None

    def _write(self, events: Sequence[NewEvent]) -> list[str]:
        with self._services.intake.watch("event"), self._services.open_store() as store:
            return process.add(store, events)
