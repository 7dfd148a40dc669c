"""What every request passes before an endpoint sees it: one line in the log, safe headers, who may come in."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi.requests import HTTPConnection
from starlette.requests import ClientDisconnect

from b24tools.core.i18n import _, os_reason
from b24tools.server.responses import Refusal, Reply

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = frozenset({"/ping/", "/healthz", "/webhook"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HUNG_UP = 499  # nginx's word for a client that did not wait
MOST_PATH = 200
CHALLENGE = {"WWW-Authenticate": 'Basic realm="b24tools", charset="UTF-8"'}
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}

_log = logging.getLogger("b24tools.serve")


@dataclass(frozen=True)
class Access:
    """Who may come in. Without a `token` everybody who reaches the port.

    `origins`: web pages that may call from a browser ("*": all). `host`: the name listened on, when that is this
    machine's own and nothing else protects it; "" where names are not looked at.
    """

    token: str = ""
    board_token: str = ""
    origins: tuple[str, ...] = ()
    host: str = ""


class Door:
    """The outermost layer: tidies the path, adds headers, writes the log, and is the last resort for exceptions."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(send)
        started = time.perf_counter()
        try:
            await self._app(_tidied(scope), receive, seen.send)
        except ClientDisconnect:
            seen.status = seen.status or HUNG_UP
        except Exception as error:  # noqa: BLE001 - the server's last resort: a bug is told in one line as well
            _log.exception("%s %s", scope["method"], _path(scope))
            if not seen.status:
                await Reply({"detail": unexpected(error)}, 500)(scope, receive, seen.send)
        finally:
            spent_ms = (time.perf_counter() - started) * 1000
            _log.info("%s %s %d %.0f ms %d B", scope["method"], _path(scope), seen.status, spent_ms, seen.size)


class _Seen:
    """Passes an answer on, with our headers, and remembers its status and size."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name for name, _value in headers}
            headers += [(name, value) for name, value in HEADERS.items() if name not in names]
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self._send(message)


class Gate:
    """Lets in who may come in. Refusals name neither a token nor whether it was nearly right."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        refusal = None
        if scope["type"] == "http" and scope["path"] not in OPEN:
            refusal = self._refusal(HTTPConnection(scope))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, request: HTTPConnection) -> Refusal | None:
        access = self._access
        if access.host and not access.token and not _is_this_machine(request.headers.get("host", ""), access.host):
            return Refusal(
                _("this name does not belong to b24tools, which listens for this machine only; set B24_SERVE_TOKEN"),
                403,
            )
        if access.token and not self._is_known(request):
            return Refusal(_("a token is needed: Bearer, or the password of HTTP Basic"), 401, CHALLENGE)
        if request.scope["method"] not in SAFE_METHODS and not self._is_wanted(request):
            return Refusal(_("pages of other sites may not call this; B24_CORS_ORIGINS names those that may"), 403)
        return None

    def _is_known(self, request: HTTPConnection) -> bool:
        given = _given(request.headers.get("authorization", ""))
        good = _same(given, self._access.token)
        if is_board(request.scope["path"]):
            good |= _same(given, self._access.board_token)
        return good

    def _is_wanted(self, request: HTTPConnection) -> bool:
        """Whether a browser, if it is one, sends this for a page of ours or of a site that was named.

        A browser lets any page post anywhere, with the password it remembers for the address.
        """
        origin = request.headers.get("origin")
        if origin and (origin in self._access.origins or "*" in self._access.origins):
            return True
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        return origin is None or _netloc(origin) == request.headers.get("host", "").lower()


def is_board(path: str) -> bool:
    """Whether the board's token opens this."""
    return path in ("/leaderboard", "/board") or path.startswith("/board/")


def unexpected(error: Exception) -> str:
    """What a client is told of a bug: the exception's own words may hold anything, the system's do not."""
    kind = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        kind += f" ({os_reason(error)})"
    return _("an unexpected error, {kind}; log.log in the data folder has the details").format(kind=kind)


def _tidied(scope: Scope) -> Scope:
    """A slash at the end does not matter, and HEAD is a GET without its body (uvicorn leaves that out)."""
    path = scope["path"]
    if path == "/ping":
        path = "/ping/"
    elif path not in ("/", "/ping/"):
        path = path.rstrip("/") or "/"
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "path": path, "method": method}


def _path(scope: Scope) -> str:
    """As it stood in the request, without the query: nothing in it can break the log's line."""
    raw = scope.get("raw_path") or scope["path"].encode()
    return str(raw.partition(b"?")[0][:MOST_PATH].decode("ascii", "backslashreplace"))


def _given(header: str) -> str:
    """The token of a Bearer, the password of a Basic; "" where there is none."""
    kind, _space, value = header.strip().partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""


def _same(given: str, token: str) -> bool:
    return bool(token) and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _is_this_machine(host: str, own: str) -> bool:
    """Whether the name in the address bar can be one of this machine.

    A page of a foreign site whose name was made to lead here (DNS rebinding) has its own name there; an
    address in figures cannot be made to lead anywhere.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if name in ("", "localhost", own.lower()) or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _netloc(origin: str) -> str:
    return origin.partition("://")[2].lower()
