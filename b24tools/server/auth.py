"""Who may come in: by a token, from this machine, or from pages of named sites."""

from __future__ import annotations

import base64
import hmac
import ipaddress
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from fastapi import Request, Response
from fastapi.requests import HTTPConnection
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from b24tools.core import config, errors, hosts
from b24tools.core.i18n import _
from b24tools.server import sockets
from b24tools.server.page import answer_problem
from b24tools.server.responses import HttpError, describe_problem

OPEN_PATHS = frozenset({"/ping/", "/healthz", "/ready", "/webhook"})
BOARD_PATHS = frozenset({"/board", "/leaderboard", "/leaderboard/rules"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
USER_LENGTH = 40
CHALLENGE = {"WWW-Authenticate": 'Basic realm="b24tools", charset="UTF-8"'}


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


def choose_access(settings: config.Settings, host: str, *, no_auth: bool) -> Access:
    """Choose who may come in. Raises ConfigError rather than leave it open to a network."""
    token, origins = reveal(settings.serve_token), tuple(map(hosts.read_origin, settings.cors_origins))
    addresses = [str(info[4][0]).partition("%")[0] for info in sockets.resolve(host, 0)]
    local = all(ipaddress.ip_address(address).is_loopback for address in addresses)
    if no_auth:
        return Access(origins=origins)
    if not token and not local:
        raise errors.ConfigError(
            _("{host} is open to the network, and B24_SERVE_TOKEN is not set").format(host=host),
            _("Set it to a long random word, which callers must send; or leave out --host; or say --no-auth."),
        )
    return Access(token, reveal(settings.board_token), origins, host if local else "")


class AuthMiddleware:
    """Lets in who may come in; even whether an address exists is for them alone.

    Refusals name neither a token nor whether it was nearly right.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, or refuse it before its body is read."""
        refusal = None if scope["path"] in OPEN_PATHS else self._refuse(Request(scope))
        await (refusal or self._app)(scope, receive, send)

    def _refuse(self, request: Request) -> Response | None:
        access = self._access
        if access.host and not access.token and not _is_this_machine(request.headers.get("host", ""), access.host):
            detail = _(
                "this name does not belong to b24tools, which listens for this machine only; set B24_SERVE_TOKEN"
            )
            return _reply(request, 403, detail, _("Call it by 127.0.0.1 or localhost; from elsewhere with a token."))
        if access.token:
            given = read_token(request.headers.get("authorization", ""))
            is_board = request.scope["path"] in BOARD_PATHS and "me" not in request.query_params
            known = [access.token, *([access.board_token] if is_board else [])]
            if not any([is_same_token(given, token) for token in known]):  # compares all: time must give nothing away
                detail = _("a token is needed: Bearer, or the password of HTTP Basic")
                hint = _("Send the value of B24_SERVE_TOKEN with the request.")
                return _reply(request, 401, detail, hint, CHALLENGE)
        if request.scope["method"] not in SAFE_METHODS and not self._is_own_page(request):
            detail = _("pages of other sites may not call this; B24_CORS_ORIGINS names those that may")
            return _reply(request, 403, detail, _("Add the page's address to B24_CORS_ORIGINS."))
        return None

    def _is_own_page(self, request: Request) -> bool:
        """Tell whether a browser, if it is one, sends this for a page of ours or of a site that was named.

        A browser lets any page post anywhere, with the password it remembers for the address.
        """
        origin = request.headers.get("origin")
        if origin and (origin in self._access.origins or "*" in self._access.origins):
            return True
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        return origin is None or origin.partition("://")[2].lower() == request.headers.get("host", "").lower()


def _reply(
    request: Request, status: int, detail: str, hint: str, headers: Mapping[str, str] = MappingProxyType({})
) -> Response:
    reply = answer_problem(request, status, describe_problem(detail, HttpError(status, detail, hint)))
    reply.headers.update(headers)
    return reply


def outgoing_tokens(settings: config.Settings) -> tuple[str, ...]:
    """Read the application tokens of the portal's events: several while they are being changed."""
    words = reveal(settings.outgoing_token).split(",")
    return tuple(word.strip() for word in words if word.strip())


def reveal(secret: SecretStr | None) -> str:
    """Read a secret setting; "" where it is not set."""
    return "" if secret is None else secret.get_secret_value().strip()


def read_token(header: str) -> str:
    """Read the token of a Bearer, or the password of a Basic; "" where there is none."""
    scheme, _space, value = header.strip().partition(" ")
    return value.strip() if scheme.lower() == "bearer" else _read_basic(header).partition(":")[2]


def _read_basic(header: str) -> str:
    """Read `user:password`; FastAPI's HTTPBasic reads ASCII only, and user names of 1C are Russian."""
    scheme, _space, value = header.strip().partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            return base64.b64decode(value.strip(), validate=True).decode("utf-8", "replace")
    return ""


def read_caller(request: HTTPConnection) -> str:
    """Say who calls, for log and history: the address, and the user whom HTTP Basic names."""
    user = _read_basic(request.headers.get("authorization", "")).partition(":")[0]
    name = "".join(sign for sign in user if sign.isprintable())[:USER_LENGTH]
    address = request.client.host if request.client else ""
    return f"{name}@{address}" if name else address


def is_same_token(given: str, token: str) -> bool:
    """Compare in constant time; no token is the same as nothing."""
    return bool(token) and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _is_this_machine(host: str, own: str) -> bool:
    """Tell whether the name in the address bar can be one of this machine.

    A page of a foreign site whose name was made to lead here (DNS rebinding) has its own name there; an
    address in figures cannot be made to lead anywhere.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        if name not in ("", "localhost", own.lower()) and not name.endswith(".localhost"):
            ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
