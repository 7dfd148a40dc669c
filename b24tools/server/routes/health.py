"""`/ping/`, `/ready`, `/healthz`, `/metrics`: whether it answers and can store, how old all is, what waits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response

from b24tools.core import clock, errors, inbox
from b24tools.core.i18n import _
from b24tools.render.metrics import CONTENT_TYPE, Value, write_metrics
from b24tools.server import openapi
from b24tools.server.models import Health, Pong, Readiness
from b24tools.server.responses import Reply
from b24tools.server.services import Services
from b24tools.store import database, watch

OLDEST_EVENT_S = 15 * 60
LONGEST_WRITE_S = 2  # a balancer does not wait longer

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
            health = read_health(services)
        except errors.B24ToolsError as error:
            _log.error("healthz: %s", error)
            health = Health(status="failed", snapshot_age_s=None, oldest_event_age_s=None)
            health.problem = _("the database cannot be used")
        if health.status != "ok":
            response.status_code = 503
        return health

    @api.get(
        "/ready",
        summary="Whether it can store an order and an event; for a balancer",
        responses=openapi.describe_answers(500, common=())
        | {503: {"model": Readiness, "description": "It cannot: send to another one."}},
        response_model_exclude_unset=True,
    )
    def get_readiness(response: Response) -> Readiness:
        try:
            _try_to_write(services)
        except errors.B24ToolsError as error:
            _log.error("ready: %s", error)
            response.status_code = 503
            return Readiness(status="failed", problem=_("the database cannot be written"))
        return Readiness(status="ready")

    @api.get(
        "/metrics",
        summary="Ages, counts and failures for Prometheus",
        response_class=Response,
        responses=openapi.describe_answers(503)
        | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text format."}},
    )
    def get_metrics() -> Response:
        return Response(write_metrics(list_metrics(services)), headers={"Content-Type": CONTENT_TYPE})


def list_metrics(services: Services) -> Iterator[tuple[str, str, Value]]:
    """Yield name, help and value of each metric; None: there is nothing yet."""
    now, path = services.now(), services.session.settings.database
    health = read_health(services)
    with services.open_store() as store:
        orders, events = store.orders.count_by_outcome(), store.events.count_by_status()
        unsettled = len(store.orders.unsettled())
        backup = store.notices.last_backup()
        inboxes = inbox.inspect_all(store.notices.inboxes())
        follows, measured = store.settings.follows_events(), store.snapshot_runs.last_measured(now)
        last_order, last_event = store.orders.last_sent_at(), store.events.last_received_at()
    yield "healthy", "1 while /healthz answers 200.", float(health.status == "ok")
    yield "snapshot_age_seconds", "Since the last complete snapshot began.", health.snapshot_age_s
    yield "orders", "Orders, by what came of the last send.", orders
    yield "orders_unsettled", "Orders with a write whose answer never came.", unsettled
    yield "last_order_age_seconds", "Since an order came last.", _age_s(last_order, now)
    yield "events", "Stored events, by what was done with them.", events
    yield "oldest_event_age_seconds", "How long the oldest event waits.", health.oldest_event_age_s
    yield "last_event_age_seconds", "Since an event came last.", _age_s(last_event, now)
    if follows and measured is not None:
        yield "changes", "Changes that the last complete snapshot found since the one before.", measured.changes
        yield "changes_without_event", "Those of them that came without an event.", measured.missed
    if inboxes:
        yield "inbox_orders", "Orders that wait in the inboxes.", sum(box.files for box in inboxes)
        yield "inbox_failed", "Bad orders in the inboxes.", sum(box.failed for box in inboxes)
        yield "inbox_oldest_age_seconds", "How long the oldest one waits.", health.inbox_oldest_age_s
    yield "backup_age_seconds", "Since the last backup.", _age_s(backup[1] if backup else None, now)
    yield "database_bytes", "The size of the database with its log.", database.measure(path)
    text = "Requests to the portal since this process began."
    yield "portal_requests_total", text, services.session.count_requests()


def read_health(services: Services) -> Health:
    """Read how old all is, and whether orders and events can be stored. Raises B24ToolsError where nothing is read."""
    health = read_ages(services)
    if services.intake.failed:
        health.status = "failed"
        health.problem = _(
            "the last event could not be stored; this stays so until one is, or `b24tools serve` is started again"
        )
        if "order" in services.intake.failed:
            health.problem = _(
                "the last order could not be stored; this stays so until one is, or `b24tools serve` is started again"
            )
        return health
    try:
        _try_to_write(services)
    except errors.B24ToolsError as error:  # said before an event is lost by it
        is_held = isinstance(error, errors.Busy) and isinstance(services.session.settings.database, Path)
        _log.log(logging.INFO if is_held else logging.ERROR, "health: %s", error)
        if not is_held:  # by another program, which ends
            health.status, health.problem = "failed", _("the database cannot be written")
    return health


def _try_to_write(services: Services) -> None:
    with services.open_store() as store:
        store.database.wait_at_most(LONGEST_WRITE_S)
        with store.transaction():
            watch.note_change(store.database)


def read_ages(services: Services) -> Health:
    """Read how old the snapshot, events and orders are."""
    now, non_admin = services.now(), services.session.settings.non_admin
    with services.open_store() as store:
        last = store.snapshot_runs.last_taken(now, non_admin=non_admin)
        oldest = store.events.oldest_unprocessed()
        limit_s = float(store.settings.get("snapshot_max_age_h")) * 3600
        is_unknown = last is None and store.snapshot_runs.has_complete(non_admin=non_admin)
        inboxes = inbox.inspect_all(store.notices.inboxes())
        failed_orders = store.orders.count_failed()
        came = [moment for moment in (store.orders.last_sent_at(), store.events.last_received_at()) if moment]
    snapshot_s = _age_s(last.started_at if last else None, now)
    event_s = _age_s(clock.known_moment(oldest, now), now)
    is_unknown = is_unknown or (oldest is not None and event_s is None)
    orders: dict[str, Any] = {}
    if inboxes:
        oldest_order = min((box.oldest for box in inboxes if box.oldest), default=None)
        failed = sum(box.failed for box in inboxes)
        orders = {"inbox_oldest_age_s": _age_s(oldest_order, now), "inbox_failed": failed}
    if failed_orders is not None:
        orders["failed_orders"] = failed_orders
    if came:
        orders["last_intake_age_s"] = _age_s(max(came), now)
    is_late = (snapshot_s or 0) > limit_s or (event_s or 0) > OLDEST_EVENT_S
    is_stale = is_unknown or is_late or (orders.get("inbox_oldest_age_s") or 0) > inbox.LONG_WAIT.total_seconds()
    return Health(status="stale" if is_stale else "ok", snapshot_age_s=snapshot_s, oldest_event_age_s=event_s, **orders)


def _age_s(moment: datetime | None, now: datetime) -> int | None:
    return None if moment is None else max(0, int((now - moment).total_seconds()))
