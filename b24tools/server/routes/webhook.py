"""`POST /webhook`: what Bitrix24 sends when a task changes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from b24tools.jobs.events import process
from b24tools.server import openapi
from b24tools.server.auth import outgoing_tokens
from b24tools.server.models import Received
from b24tools.server.services import Services, SmallBody
from b24tools.store.events import NewEvent

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
    async def receive_webhook(request: Request, body: SmallBody) -> dict[str, str]:
        event = await run_in_threadpool(check, body, request.headers.get("content-type", ""))
        status = await intake.add(event)
        services.wake_worker()
        return {"status": status}


class _Intake:
    """Stores events one write after the other: those that come during a write share the next one.

    SQLite lets one write at a time, and a write waits for the disk; who waits here takes no thread from the others.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turn = asyncio.Lock()
        self._waiting: list[tuple[NewEvent, asyncio.Future[str]]] = []
        self._writing: asyncio.Future[list[str]] | None = None  # the loop itself holds on to no task

    async def add(self, event: NewEvent) -> str:
        """Store an event; it is on the disk when this returns how it was taken."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, answer))
        async with self._turn:
            if not answer.done():
                taken, self._waiting = self._waiting, []
                events, answers = zip(*taken, strict=True)
                self._writing = asyncio.ensure_future(run_in_threadpool(self._write, events))
                self._writing.add_done_callback(lambda done: _answer_all(done, answers))
                await asyncio.wait([self._writing])  # it is not for this sender alone: it goes on if he hangs up
        return await answer

    def _write(self, events: Sequence[NewEvent]) -> list[str]:
        with self._services.intake.watch(), self._services.open_store() as store:
            return process.add(store, events)


def _answer_all(done: asyncio.Future[list[str]], answers: Sequence[asyncio.Future[str]]) -> None:
    for number, answer in enumerate(answers):
        if answer.done():
            continue  # the sender has hung up
        if done.cancelled():
            answer.cancel()
        elif error := done.exception():
            answer.set_exception(error)
        else:
            answer.set_result(done.result()[number])
