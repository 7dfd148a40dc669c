"""`/ping/` and `/healthz`: whether it answers, how old what it knows is, how long orders and events wait."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Response

from b24tools.core import clock, errors, inbox
from b24tools.core.i18n import _
from b24tools.server import openapi
from b24tools.server.models import Health, Pong
from b24tools.server.responses import Reply
from b24tools.server.services import Services
from b24tools.store import database

OLDEST_EVENT_S = 15 * 60

_log = logging.getLogger("b24tools.serve")


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoints."""

    @api.get("/ping/", summary="Whether it answers at all", response_model=Pong)
    async def ping() -> Reply:
        return Reply({"message": "Pong"})

    @api.get(
        "/healthz",
        summary="How old the snapshot, events and orders are; 503 when too old or not working",
        responses=openapi.describe_answers(500, common=())
        | {503: {"model": Health, "description": "Too old, or not working."}},
        response_model_exclude_unset=True,
    )
    def get_health(response: Response) -> Health:
        try:
            health = read_ages(services)
            if services.intake.failed:
                health.status = "failed"
                health.problem = _(
                    "the last order or event could not be stored; "
                    "this stays so until one is, or `b24tools serve` is started again"
                )
        except (errors.B24ToolsError, database.Error) as error:
            _log.error("healthz: %s", error)
            health = Health(status="failed", snapshot_age_s=None, oldest_event_age_s=None)
            health.problem = _("the database cannot be used")
        if health.status != "ok":
            response.status_code = 503
        return health


def read_ages(services: Services) -> Health:
    """Read how old the snapshot, events and orders are."""
    now = services.now()
    with services.open_store() as store:
        last = store.snapshot_runs.last_complete(now)
        oldest = store.events.oldest_unprocessed()
        limit_s = float(store.settings.get("snapshot_max_age_h")) * 3600
        is_unknown = last is None and store.snapshot_runs.has_complete()
        inboxes = inbox.look_into(store.notices.inboxes())
    snapshot_s = _age_s(last.started_at if last else None, now)
    event_s = _age_s(clock.known_moment(oldest, now), now)
    is_unknown = is_unknown or (oldest is not None and event_s is None)
    orders: dict[str, Any] = {}
    if inboxes:
        oldest_order = min((found.oldest for found in inboxes if found.oldest), default=None)
        failed = sum(found.failed for found in inboxes)
        orders = {"inbox_oldest_age_s": _age_s(oldest_order, now), "inbox_failed": failed}
    is_late = (snapshot_s or 0) > limit_s or (event_s or 0) > OLDEST_EVENT_S
    is_stale = is_unknown or is_late or (orders.get("inbox_oldest_age_s") or 0) > inbox.LONG_WAIT.total_seconds()
    return Health(status="stale" if is_stale else "ok", snapshot_age_s=snapshot_s, oldest_event_age_s=event_s, **orders)


def _age_s(moment: datetime | None, now: datetime) -> int | None:
    return None if moment is None else max(0, int((now - moment).total_seconds()))
