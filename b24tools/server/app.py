"""The HTTP endpoints, thin: body → one job → an answer."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from b24tools import context
from b24tools.assignment.report import OrderResult
from b24tools.core import clock, errors, periods
from b24tools.core.i18n import _
from b24tools.jobs import assign as jobs_assign
from b24tools.jobs.events.payload import Refusal as EventRefusal
from b24tools.onec import order
from b24tools.render import assign as render_assign
from b24tools.server import openapi
from b24tools.server.event_queue import Intake
from b24tools.server.middleware import Access, Door, Gate, unexpected
from b24tools.server.responses import Refusal, Reply
from b24tools.server.routes import leaderboard
from b24tools.server.routes import orders as routes_orders
from b24tools.store import Store, database, open_store

MOST_SMALL = 64 * 1024  # of every other body
MOST_ORDERS = 20  # at once; the thread pool has 40 threads, and the board wants some
IDLE_S = 60.0  # a sender that falls silent in the middle of a body
OLDEST_EVENT_S = 15 * 60
SETTINGS = ("producer_mode", "hidden_users", "excluded_users", "snapshot_max_age_h")
_DIGITS = re.compile(r"[0-9]{1,15}")

_log = logging.getLogger("b24tools.serve")


@dataclass(frozen=True)
class Parts:
    """What the endpoints work with."""

    here: context.Session
    intake: Intake
    now: Callable[[], datetime]

    @contextmanager
    def store(self) -> Iterator[Store]:
        """A connection for one request: SQLite's are cheap, and one thread's own needs no turns."""
        with closing(open_store(self.here.settings.database)) as opened:
            yield opened


def create_app(parts: Parts, access: Access) -> Door:
    """All of it, ready for uvicorn."""
    api = FastAPI(
        title="b24tools",
        description=_("Orders from 1C become tasks in Bitrix24; closed tasks become a leaderboard."),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    _add_errors(api, parts)
    _add_orders(api, parts)
    _add_events(api, parts)
    _add_settings(api, parts)
    _add_views(api, parts)
    leaderboard.add_leaderboard(api, parts)
    leaderboard.add_page(api, parts)
    openapi.add_pages(api)
    openapi.describe(api, with_token=bool(access.token))
    gate = Gate(api, access)
    if not access.origins:
        return Door(gate)
    return Door(
        CORSMiddleware(
            gate,
            allow_origins=list(access.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match"],
            expose_headers=["ETag", "Retry-After"],
        )
    )


# bodies and errors


async def _read(request: Request, most: int) -> bytes:
    """The body as it came, refused as soon as it is known to be larger than `most` bytes."""
    length = request.headers.get("content-length", "")
    if length and (not _DIGITS.fullmatch(length) or int(length) > most):
        raise _too_large(most)
    parts: list[bytes] = []
    left = most
    more = True
    while more:
        try:
            async with asyncio.timeout(IDLE_S):
                message = await request.receive()
        except TimeoutError:
            raise HTTPException(408, _("the body did not arrive")) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
        left -= len(parts[-1])
        if left < 0:
            raise _too_large(most)
    return b"".join(parts)


async def _small(request: Request) -> bytes:
    return await _read(request, MOST_SMALL)


async def _large(request: Request) -> bytes:
    return await _read(request, order.MAX_BYTES)


SmallBody = Annotated[bytes, Depends(_small)]
OrderBody = Annotated[bytes, Depends(_large)]


def _too_large(most: int) -> HTTPException:
    size = f"{most // 2**20} MiB" if most >= 2**20 else f"{most // 2**10} KiB"
    return HTTPException(413, _("the body is larger than {size}").format(size=size))


def _add_errors(api: FastAPI, parts: Parts) -> None:
    @api.exception_handler(errors.B24ToolsError)
    def failed(_request: Request, error: errors.B24ToolsError) -> Response:
        answer = routes_orders.refusal(error, parts.now())
        return Reply(answer.body, answer.status, answer.headers)

    @api.exception_handler(database.Error)
    def no_database(request: Request, error: database.Error) -> Response:
        _log.error("%s", error, exc_info=None if database.is_locked(error) else error)
        return failed(request, database.explain(Path(parts.here.settings.database.name), error))

    @api.exception_handler(EventRefusal)
    def not_taken(_request: Request, error: EventRefusal) -> Response:
        return Reply({"detail": routes_orders.told(error)}, error.status)

    @api.exception_handler(HTTPException)
    @api.exception_handler(404)
    def refused(_request: Request, error: HTTPException) -> Response:
        if error.status_code in (408, 413):
            return Refusal(error.detail, error.status_code)
        if error.detail == HTTPStatus.NOT_FOUND.phrase:  # Starlette's own word
            return Reply({"detail": _("there is no such address; /docs lists those that there are")}, 404)
        return Reply({"detail": error.detail}, error.status_code, error.headers)

    @api.exception_handler(405)
    def other_method(request: Request, _error: HTTPException) -> Response:
        allowed = ", ".join(_methods(api, request))
        detail = _("this address takes {allowed}, not {method}").format(allowed=allowed, method=request.method[:20])
        return Reply({"detail": detail}, 405, {"Allow": allowed})

    @api.exception_handler(RequestValidationError)
    def unfit(_request: Request, error: RequestValidationError) -> Response:
        reasons = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors()]
        return Reply({"detail": "; ".join(reasons)}, 422)

    @api.exception_handler(Exception)
    def broken(_request: Request, error: Exception) -> Response:
        return Reply({"detail": unexpected(error)}, 500)


def _methods(api: FastAPI, request: Request) -> list[str]:
    """Those that this address takes; Starlette names only those of its first route."""
    routes = (route for route in api.routes if route.matches(request.scope)[0] != Match.NONE)
    return sorted({method for route in routes for method in getattr(route, "methods", None) or ()})


# orders


def _add_orders(api: FastAPI, parts: Parts) -> None:
    under_way = 0
    writing = threading.Lock()

    def busy() -> errors.Busy:
        return errors.Busy(_("{n} orders are under way").format(n=under_way), _("Try again a little later."))

    def assign(orders: list[order.Order]) -> list[OrderResult]:
        """One after the other: those who ask again and again for the lock of all processes may starve each other."""
        if not writing.acquire(timeout=parts.here.settings.retry_seconds):
            raise busy()
        try:
            return _assign(parts.here, orders, dry_run=False)
        finally:
            writing.release()

    async def turn() -> AsyncIterator[None]:
        nonlocal under_way
        if under_way >= MOST_ORDERS:
            raise busy()
        under_way += 1
        try:
            yield
        finally:
            under_way -= 1

    @api.post(
        "/",
        dependencies=[Depends(turn)],
        summary=_("An order from 1C, or a list of them, becomes tasks"),
        openapi_extra=openapi.order_body(),
        responses=openapi.answers(openapi.Message, 401, 403, 413, 422, 500, 503),
    )
    def post_order(
        data: OrderBody,
        details: Annotated[bool, Query(description=_("Add what became of each line."))] = False,
    ) -> Response:
        orders = order.read_orders(data, parts.here.settings.zone)
        results = assign(orders)
        answer = routes_orders.answer(results, parts.now())
        content: dict[str, Any] = dict(answer.body)
        if details:
            content["orders"] = render_assign.data(results, parts.here.settings.zone)
        return Reply(content, answer.status, answer.headers)

    @api.post(
        "/plan",
        dependencies=[Depends(turn)],
        summary=_("The same order planned; nothing is written"),
        openapi_extra=openapi.order_body(),
        responses=openapi.answers(list[dict[str, Any]], 401, 403, 413, 422, 500, 503),
    )
    def post_plan(data: OrderBody) -> Response:
        orders = order.read_orders(data, parts.here.settings.zone)
        return Reply(render_assign.data(_assign(parts.here, orders, dry_run=True), parts.here.settings.zone))


def _assign(here: context.Session, orders: list[order.Order], *, dry_run: bool) -> list[OrderResult]:
    with here.assign_tools(dry_run=dry_run, progress=lambda _stage, _done, _total: None) as tools:
        results = jobs_assign.orders(
            orders, tools, context.assign_rules(here.settings, tools.store, {}), dry_run=dry_run
        )
    for warning in routes_orders.warnings_of(results):
        here.say(warning)
    return results


# events and health


def _add_events(api: FastAPI, parts: Parts) -> None:
    @api.post(
        "/webhook",
        status_code=202,
        summary=_("Bitrix24's outgoing webhook"),
        openapi_extra=openapi.event_body(),
        responses=openapi.answers(openapi.Received, 400, 403, 413, 422, 500, 503, status=202),
    )
    async def post_webhook(request: Request) -> Response:
        body = await _read(request, MOST_SMALL)
        return Reply({"status": await parts.intake.put(body, request.headers.get("content-type", ""))}, 202)

    @api.get("/ping/", summary=_("Whether it answers at all"), responses=openapi.answers(openapi.Message))
    async def ping() -> Response:
        return Reply({"message": "Pong"})

    @api.get(
        "/healthz",
        summary=_("How old the last snapshot and the oldest unprocessed event are; 503 when too old"),
        responses={200: {"model": openapi.Health}, 503: {"model": openapi.Health}},
    )
    def healthz() -> Response:
        now = parts.now()
        with parts.store() as opened:
            last = opened.snapshot_runs.last_complete(now)
            oldest = opened.events.oldest_unprocessed()
            most_s = float(opened.settings.get("snapshot_max_age_h")) * 3600
            unknown = last is None and opened.snapshot_runs.has_complete()
        snapshot_s = _age_s(last.started_at if last else None, now)
        event_s = _age_s(clock.known_moment(oldest, now), now)
        unknown = unknown or (oldest is not None and event_s is None)
        stale = unknown or (snapshot_s or 0) > most_s or (event_s or 0) > OLDEST_EVENT_S
        content = {
            "status": "stale" if stale else "ok",
            "snapshot_age_s": snapshot_s,
            "oldest_event_age_s": event_s,
        }
        return Reply(content, 503 if stale else 200)


def _age_s(moment: datetime | None, now: datetime) -> int | None:
    return None if moment is None else max(0, int((now - moment).total_seconds()))


# running settings


def _add_settings(api: FastAPI, parts: Parts) -> None:
    @api.get(
        "/configs",
        summary=_("The running settings"),
        responses=openapi.answers(list[openapi.Setting], 401),
    )
    def get_configs() -> Response:
        with parts.store() as opened:
            return Reply([_setting(opened, key) for key in SETTINGS])

    @api.get("/configs/{key}", summary=_("One of them"), responses=openapi.answers(openapi.Setting, 401, 404))
    def get_config(key: str) -> Response:
        _check_known(key, 404)
        with parts.store() as opened:
            return Reply(_setting(opened, key))

    @api.post(
        "/configs",
        summary=_("Set one; it holds at once, in every process"),
        openapi_extra=openapi.setting_body(),
        responses=openapi.answers(openapi.Setting, 401, 403, 413, 422),
    )
    def post_config(body: SmallBody) -> Response:
        key, value = _read_setting(body)
        _check_known(key, 422)
        with parts.store() as opened:
            try:
                opened.settings.save(key, value, parts.now())
            except errors.ConfigError as error:
                raise _unfit(error) from None
            return Reply(_setting(opened, key))


def _setting(opened: Store, key: str) -> dict[str, str]:
    return {"key": key, "value": opened.settings.get(key)}


def _check_known(key: str, status: int) -> None:
    if key not in SETTINGS:
        known = _("There are: {known}").format(known=", ".join(SETTINGS))
        raise HTTPException(status, _('there is no running setting "{key}"').format(key=key[:50]) + f". {known}")


def _read_setting(body: bytes) -> tuple[str, str]:
    """Key and value, whatever the Content-Type: curl's -d calls everything a form."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    key, value = (found.get("key"), found.get("value")) if isinstance(found, dict) else (None, None)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(key, str) or not isinstance(value, str):
        raise HTTPException(422, _("expected JSON like {example}").format(example='{"key": "...", "value": "..."}'))
    return key, value


def _unfit(error: errors.B24ToolsError) -> HTTPException:
    return HTTPException(422, f"{error.message}. {error.hint}")


# what was closed


def _add_views(api: FastAPI, parts: Parts) -> None:
    @api.get(
        "/users",
        summary=_("Everybody known, by id"),
        responses=openapi.answers(dict[str, str], 401),
    )
    def get_users() -> Response:
        with parts.store() as opened:
            return Reply({str(user_id): name for user_id, name in opened.people.names().items()})

    @api.get(
        "/tasks/week",
        summary=_("The ids of the tasks closed in a week, by who is responsible"),
        responses=openapi.answers(dict[str, list[int]], 401, 422),
    )
    def get_week(week: Annotated[str | None, Query(examples=["2026-W47"])] = None) -> Response:
        period = leaderboard.choose_period(week, periods.WEEK, parts.here.settings.zone, parts.now())
        if period.kind != periods.WEEK:
            raise HTTPException(422, _('"{text}" is not a week; an example: 2026-W47').format(text=week))
        with parts.store() as opened:
            closed = opened.tasks.closed_ids(period.start, period.end)
        return Reply({str(user_id): ids for user_id, ids in closed.items()})
