"""What every request passes first: one line in the log, safe headers, the last resort for exceptions."""

from __future__ import annotations

import logging
import time
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from b24tools.core import errors, i18n
from b24tools.core.i18n import _, os_reason
from b24tools.server.auth import read_caller
from b24tools.server.page import answer_problem, read_language
from b24tools.server.responses import Reply, describe_problem

HUNG_UP = 499  # nginx's word for a client that did not wait
PATH_LENGTH = 200
OUTCOME, OUTCOME_LENGTH = "outcome", 300
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_SAFE_HEADERS = [(name.lower().encode(), value.encode()) for name, value in SAFE_HEADERS.items()]
_log = logging.getLogger("b24tools.serve")


class AccessLogMiddleware:
    """The outermost layer. It forgives a slash at the end of the path, and answers HEAD like GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on and log what was answered."""
        status = size = 0
        scope = _tidy(scope)

        async def send_safely(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                raw = list(message["headers"])
                given = {name for name, _value in raw}
                message = {**message, "headers": [*raw, *(pair for pair in _SAFE_HEADERS if pair[0] not in given)]}
                headers = MutableHeaders(scope=message)
                if headers.get("Content-Type") == "application/json":
                    headers["Content-Type"] += "; charset=utf-8"  # PowerShell would take it for Latin-1
                if "expect" in Headers(scope=scope):
                    # who waits to be asked for the body was perhaps not asked: what comes next may be anything
                    headers["Connection"] = "close"
            size += len(message.get("body", b""))
            await send(message)

        started = time.perf_counter()
        try:
            with i18n.speaking(read_language(Request(scope))):
                try:
                    await self._app(scope, receive, send_safely)
                except ClientDisconnect:
                    status = status or HUNG_UP
                except Exception as error:  # noqa: BLE001 - the server's last resort: a bug gets an answer, too
                    _log.exception("%s %s", scope["method"], _path(scope))
                    if not status:
                        await _answer_bug(error, Request(scope))(scope, receive, send_safely)
        finally:
            spent_ms = (time.perf_counter() - started) * 1000
            outcome = scope["state"].get(OUTCOME, "")
            words = scope["method"], _path(scope), status, spent_ms, size, read_caller(HTTPConnection(scope)), outcome
            _log.info("%s %s %d %.0f ms %d B %s%s", *words)


def note_outcome(scope: Scope, text: str) -> None:
    """Note what the log's line of this request shall say beside the status."""
    scope["state"][OUTCOME] = f": {text[:OUTCOME_LENGTH]}"


def _tidy(scope: Scope) -> Scope:
    path = scope["path"].rstrip("/") or "/"
    method = "GET" if scope["method"] == "HEAD" else scope["method"]  # uvicorn leaves the body out
    state = dict(scope.get("state", {}))
    return {**scope, "path": "/ping/" if path == "/ping" else path, "method": method, "state": state}


def _path(scope: Scope) -> str:
    """Return the path as it stood in the request, without the query: nothing in it can break the log's line."""
    return str(scope["raw_path"][:PATH_LENGTH].decode("ascii", "backslashreplace"))


def _answer_bug(error: Exception, request: Request) -> Response:
    """Name the kind of an exception: its own words may hold anything, the system's do not."""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        kind += f" ({os_reason(error)})"
    message = _("an unexpected error, {kind}; log.log in the data folder has the details").format(kind=kind)
    problem = describe_problem(message, errors.B24ToolsError(message, _("Report it with what log.log has about it.")))
    with suppress(Exception):  # the bug may be in what makes pages
        return answer_problem(request, 500, problem)
    return Reply(problem, 500)
