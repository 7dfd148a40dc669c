"""The HTTP service, put together: endpoints, errors as answers, what every request passes first."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import Match

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.validation import describe_expected
from b24tools.onec.values import show
from b24tools.server.auth import Access, AuthMiddleware
from b24tools.server.middleware import AccessLogMiddleware, note_outcome
from b24tools.server.openapi import Api, add_docs
from b24tools.server.page import answer_problem
from b24tools.server.responses import HttpError, Reply, describe_problem, describe_refusal, read_code
from b24tools.server.routes import assign, board, health, orders, plan, settings, start, webhook, why, work
from b24tools.server.services import Services
from b24tools.store import database

_log = logging.getLogger("b24tools.serve")


class Cors(CORSMiddleware):
    """Starlette's, but a refusal is answered as all other errors are."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser's question what another site's page may send."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        error = HttpError(
            answer.status_code,
            bytes(answer.body).decode(),
            _("B24_CORS_ORIGINS names the sites whose pages may ask; /docs describes what they may send."),
        )
        headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return Reply(describe_problem(error.message, error), error.status, headers)


def create_app(services: Services, access: Access) -> FastAPI:
    """Put all of it together, ready for uvicorn."""
    zone = services.session.settings.zone
    api = Api(with_token=bool(access.token), read_day=lambda: services.now().astimezone(zone).date())
    for routes in (assign, orders, work, webhook, health, settings, board, start, plan, why):
        routes.add_routes(api, services)
    add_docs(api)
    _add_error_handlers(api, services)
    api.add_middleware(AuthMiddleware, access=access)
    if access.origins:
        api.add_middleware(
            Cors,
            allow_origins=list(access.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match"],
            expose_headers=["ETag", "Retry-After"],
        )
    api.add_middleware(AccessLogMiddleware)  # the last one added is the outermost
    return api


def _add_error_handlers(api: FastAPI, services: Services) -> None:
    def refuse(request: Request, error: errors.B24ToolsError) -> Response:
        note_outcome(request.scope, f"{read_code(error)}: {error.message}")
        if isinstance(error.__cause__, database.Error):
            is_known = database.is_locked(error.__cause__) or bool(getattr(error.__cause__, "hint", ""))
            _log.error("%s", error.message, exc_info=None if is_known else error.__cause__)
        status, problem, headers = describe_refusal(error, services.now(), services.scrub)
        reply = answer_problem(request, status, problem)
        reply.headers.update(headers)
        return reply

    api.exception_handler(errors.B24ToolsError)(refuse)

    @api.exception_handler(database.Error)
    def answer_database_error(request: Request, error: database.Error) -> Response:
        explained = database.explain(services.session.settings.database, error)
        explained.__cause__ = error
        return refuse(request, explained)

    @api.exception_handler(RequestValidationError)
    def answer_bad_query(request: Request, error: RequestValidationError) -> Response:
        reasons = [
            _("{name} = {value}: {expected}").format(
                name=".".join(map(str, part["loc"][1:])),
                value=show(part["input"]),
                expected=describe_expected(part["type"], part.get("ctx", {}), part["msg"]),
            )
            for part in error.errors()
        ]
        return refuse(request, HttpError(422, "; ".join(reasons)))

    @api.exception_handler(HTTPException)
    def answer_refusal(request: Request, error: HTTPException) -> Response:
        """Starlette's own: what it has no address or no method for, and what it cannot read."""
        detail, headers = error.detail, dict(error.headers or {})
        if error.status_code == 404:
            detail = _("there is no such address")
        elif error.status_code == 405:
            headers["Allow"] = ", ".join(_methods(api, request))
            detail = _("this address takes {allowed}, not {method}").format(
                allowed=headers["Allow"], method=request.method[:20]
            )
        reply = refuse(request, HttpError(error.status_code, detail))
        reply.headers.update(headers)
        return reply


def _methods(api: FastAPI, request: Request) -> list[str]:
    """List the methods that this address takes, HEAD where GET; Starlette names only those of its first route."""
    routes = (route for route in api.routes if route.matches(request.scope)[0] != Match.NONE)
    methods = {method for route in routes for method in getattr(route, "methods", None) or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)
