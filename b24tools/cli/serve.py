"""`serve` at the command line: who may listen where, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from b24tools import context
from b24tools.core import config, errors
from b24tools.core.i18n import _, os_reason
from b24tools.jobs.events import process
from b24tools.jobs.events.worker import Worker
from b24tools.render import console
from b24tools.server import log_setup
from b24tools.server.app import Parts, create_app
from b24tools.server.event_queue import Intake
from b24tools.server.middleware import Access
from b24tools.store import Store, open_store

BACKLOG = 2048
HEAD_S = 30.0  # for the head of a request; the body has a limit of its own
OBJECTS = 2_000  # made between two searches for garbage: whoever stays for a year must look for it
FINISH_S = 60  # beyond the waits of an order under way, until the service is stopped all the same

_log = logging.getLogger("b24tools.serve")


def serve(here: context.Session, talk: console.Talk, host: str, port: int, *, no_auth: bool) -> int:
    """Listen until SIGTERM or Ctrl+C; the exit status."""
    gc.set_threshold(OBJECTS)
    settings = here.settings
    access = choose_access(settings, host, no_auth=no_auth)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(host, port))
        log = stack.enter_context(log_setup.kept(settings.data_dir, secrets(settings), talk.level))
        serving = context.Session(settings, _log.info, here.transport)
        app = stack.enter_context(open_app(serving, access))
        for warning in remarks(settings):
            talk.say(warning)
        address = listener.getsockname()
        talk.say(
            _("Listening on {url}; /docs describes it, the log is {log}. Ctrl+C stops it.").format(
                url=f"http://{_shown(address[0])}:{address[1]}", log=log
            )
        )
        _log.info("listening on %s port %s", address[0], address[1])
        run(app, listener, stop_within_s=settings.retry_seconds + FINISH_S)
        _log.info("stopped")
    return 0


@contextmanager
def open_app(here: context.Session, access: Access) -> Iterator[Any]:
    """The application with its threads, which end with the block."""
    settings = here.settings
    tokens = outgoing_tokens(settings)

    def take(inbox: Store, bodies: Sequence[tuple[bytes, str]]) -> list[str | Exception]:
        receipts = process.receive_all(inbox, bodies, tokens, context.now())
        worker.wake()
        return [one.status if isinstance(one, process.Receipt) else one for one in receipts]

    def open_database() -> Store:
        return open_store(settings.database)

    if settings.webhook_url is not None:
        with here.open_client() as client, closing(open_database()) as opened:
            context.check_host(opened, client.host)
    intake = Intake(open_database, take)
    worker = Worker(lambda: closing(open_database()), here.open_client, settings.zone, now=context.now)
    intake.start()
    worker.start()
    try:
        yield create_app(Parts(here, intake, context.now), access)
    finally:
        intake.stop()
        worker.stop()


class _Connection(H11Protocol):
    """uvicorn's own waits for a request's head without end: those who never send one would use up all connections."""

    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there."""
        super().connection_made(transport)
        self._look(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """And gone."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _look(self, before: object) -> None:
        """Close it when no request has begun since the last look, and none is under way."""
        last = self.cycle or self
        if last is before and (last is self or self.cycle.response_complete):
            self.transport.close()
        else:
            self._watch = self.loop.call_later(HEAD_S, self._look, last)


def make_server(app: Any, *, stop_within_s: float) -> uvicorn.Server:
    """uvicorn with nothing that we do ourselves: no log of requests, no headers from proxies, no WebSockets."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(stop_within_s),
        )
    )


def run(app: Any, listener: socket.socket, *, stop_within_s: float) -> None:
    """uvicorn on this socket until a signal; what was begun is ended first."""
    uvicorn_server = make_server(app, stop_within_s=stop_within_s)

    def stop(_number: int, _frame: FrameType | None) -> None:
        uvicorn_server.should_exit = True

    # uvicorn has its own handlers while it runs and then repeats the signal to those it found, which would
    # end the process before our threads have ended
    with _handling(stop):
        uvicorn_server.run(sockets=[listener])


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    signals = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, handler) for number in signals}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def choose_access(settings: config.Settings, host: str, *, no_auth: bool) -> Access:
    """Who may come in. Raises ConfigError rather than leave the portal open to a network."""
    token = _value(settings.serve_token)
    local = is_loopback(host)
    if no_auth:
        return Access(origins=settings.cors_origins)
    if not token and not local:
        raise errors.ConfigError(
            _("{host} is open to the network, and B24_SERVE_TOKEN is not set").format(host=host),
            _("Set it to a long random word, which callers must send; or leave out --host; or say --no-auth."),
        )
    return Access(token, _value(settings.board_token), settings.cors_origins, host if local else "")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it. Raises ConfigError for a name that leads nowhere."""
    return all(ipaddress.ip_address(str(found[4][0]).partition("%")[0]).is_loopback for found in _look_up(host, 0))


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """The socket. Raises ConfigError when the address or the port cannot be had."""
    family, kind, protocol, _name, address = _look_up(host, port)[0]
    # with the protocol named: asyncio turns Nagle's delay off only then, which would cost 40 ms a request
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere it would let two programs have one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise errors.ConfigError(
            _("port {port} cannot be used: {reason}").format(port=port, reason=os_reason(error)),
            _("Choose another one with --port."),
        ) from None
    with closing(listener):
        yield listener


def _look_up(host: str, port: int) -> list[Any]:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE))
    except (OSError, UnicodeError):
        raise errors.ConfigError(
            _("--host {host}: there is no such address").format(host=host),
            _("127.0.0.1 is this machine only, 0.0.0.0 its whole network."),
        ) from None


def remarks(settings: config.Settings) -> list[str]:
    """What will not work, said at the start."""
    found = []
    if settings.webhook_url is None:
        found.append(_("BITRIX_WEBHOOK_URL is not set: orders cannot be taken."))
    if settings.outgoing_token is None:
        found.append(_("BITRIX_OUTGOING_TOKEN is not set: the portal's events are refused."))
    return found


def outgoing_tokens(settings: config.Settings) -> tuple[str, ...]:
    """The application tokens that are taken: several while they are being changed."""
    words = _value(settings.outgoing_token).split(",")
    return tuple(word.strip() for word in words if word.strip())


def secrets(settings: config.Settings) -> list[str]:
    """What no log may hold."""
    url = _value(settings.webhook_url)
    codes = re.findall(r"/([A-Za-z0-9]{6,})(?=/|$)", url)
    own = [_value(settings.serve_token), _value(settings.board_token)]
    return [url, *codes, *own, *outgoing_tokens(settings)]


def _value(secret: Any) -> str:
    return "" if secret is None else str(secret.get_secret_value()).strip()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
