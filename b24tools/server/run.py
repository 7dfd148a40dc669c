"""How the service runs: who may listen where, what it needs before it listens, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from b24tools import context
from b24tools.bitrix24.client import Connections
from b24tools.core import config, errors
from b24tools.core.i18n import _, os_reason
from b24tools.jobs.events.worker import Worker
from b24tools.onec import order
from b24tools.scheduling.holidays import production_calendar
from b24tools.server.app import create_app
from b24tools.server.auth import Access, reveal
from b24tools.server.log_setup import write_log
from b24tools.server.middleware import SAFE_HEADERS
from b24tools.server.responses import HttpError, Reply, describe_problem
from b24tools.server.services import Services
from b24tools.store import database
from b24tools.store.watch import Watch

MOST_CONNECTIONS = 500
HEAD_S = 30.0  # for the head of a request, and for the next piece of an answer; the body has a limit of its own
FRESH_S = 1.0  # a head that is younger may be coming in one piece
MINUTE_S = 60.0
FINISH_S = 60  # beyond the waits of an order under way, until the service is stopped all the same

_log = logging.getLogger("b24tools.serve")
_connections_log = logging.getLogger("b24tools.serve.connections")


def serve(
    session: context.Session, say: Callable[[str], None], level: int, host: str, port: int, *, no_auth: bool
) -> None:
    """Listen until SIGTERM or Ctrl+C. `level` (-1 to 2): how much of the log goes to stderr, too."""
    settings = session.settings
    access = choose_access(settings, host, no_auth=no_auth)
    Connection.most = allow_connections()
    os.umask(0o077)  # whatever it writes, it writes into the data folder
    for kind in ("SIGTERM", "SIGBREAK"):  # uvicorn repeats the signal that stopped it to the handler it found
        if hasattr(signal, kind):
            signal.signal(getattr(signal, kind), signal.default_int_handler)
    with (
        listen(host, port) as listener,
        write_log(settings, level) as log,
        open_app(context.Session(settings, _log.info, session.transport, command="serve"), access) as app,
    ):
        # three hundred modules, which the first order would wait for
        production_calendar(settings.country).days.get(context.now().date())
        gc.collect()
        gc.freeze()  # what is loaded now stays: no order has to wait until Python has searched it once more
        gc.set_threshold(700)  # Python's own: a short command may leave its garbage lying, a service may not
        if settings.webhook_url is None:
            say(_("BITRIX_WEBHOOK_URL is not set: orders cannot be taken."))
        if settings.outgoing_token is None:
            say(_("BITRIX_OUTGOING_TOKEN is not set: the portal's events are refused."))
        address, bound_port = listener.getsockname()[:2]
        name = f"[{address}]" if ":" in address else address
        with suppress(KeyboardInterrupt):
            say(
                _("Listening on {url}; /docs describes it, the log is {log}. Ctrl+C stops it.").format(
                    url=f"http://{name}:{bound_port}", log=log
                )
            )
            _log.info("listening on %s port %s", address, bound_port)
            make_server(app, stop_within_s=settings.retry_seconds + FINISH_S).run(sockets=[listener])
        _log.info("stopped")


@contextmanager
def open_app(session: context.Session, access: Access) -> Iterator[FastAPI]:
    """Check what it needs, and start the worker that follows events; it ends with the block."""
    with (
        database.reuse_connections(session.settings.database),
        session.open_store() as store,
        closing(Connections()) as session.connections,
    ):
        if session.settings.webhook_url is not None:
            with session.open_client() as client:
                store.settings.check_host(client.host)
        session.watch = Watch(session.settings.database, store.database)
        worker = Worker(
            session.open_store, session.open_client, session.settings.zone, now=context.now, check=session.watch.check
        )
        worker.start()
        services = Services(session, worker.wake, context.now)
        try:
            with services.at_end:
                yield create_app(services, access)
        finally:
            worker.stop()


def make_server(app: FastAPI, *, stop_within_s: float) -> uvicorn.Server:
    """Make uvicorn with nothing that we do ourselves: no log of requests, no headers from proxies, no WebSockets."""
    for logger in (_connections_log, logging.getLogger("asyncio"), logging.getLogger("uvicorn.error")):
        if not logger.filters:
            logger.addFilter(OncePerMinute())
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            # so many come in before one is looked at; asyncio fails so many times at once where no file can be opened
            backlog=max(1, Connection.most // 4),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(stop_within_s),
        )
    )


class Connection(H11Protocol):
    """uvicorn's connection, with what uvicorn has no setting for: how many there may be, how long one may be idle.

    It is closed when no request begins, or nothing of an answer is read, within HEAD_S. Above `most` the one that has
    been idle longest goes; then whoever has been sending a body longest; never one whose request is being answered.

    Senders that are answered before their body has come may send the rest, which uvicorn throws away: a connection
    closed with unread bytes is reset, and they would never see why. The rest may be as long as the largest order.

    What is no HTTP request is answered as all other errors are.
    """

    most = MOST_CONNECTIONS
    _is_refused = False
    _timer: asyncio.TimerHandle | None = None
    _idle_bytes = 0
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, instead of another connection where there are too many."""
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > self.most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Wait for the next request unless one is under way."""
        if not self._is_refused:
            super().data_received(data)
        self._watch(len(data))

    def send_400_response(self, msg: str) -> None:
        """Answer what h11 could not read, unless an answer is under way; throw away what else comes."""
        self._is_refused = True
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        reason = sys.exc_info()[1]
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE) or not isinstance(reason, h11.RemoteProtocolError):
            self.transport.close()
            return
        words = str(reason).partition(": b")[0]  # what it quotes may be a secret
        error = HttpError(
            reason.error_status_hint,
            _("this is no HTTP request that can be read: {reason}").format(reason=words),
            _("Look at what the program or the proxy before it sends, its headers first."),
        )
        reply = Reply(describe_problem(error.message, error), error.status, {**SAFE_HEADERS, "Connection": "close"})
        head = h11.Response(status_code=error.status, headers=reply.raw_headers)
        for event in (head, h11.Data(data=bytes(reply.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.write_eof()

    def on_response_complete(self) -> None:
        """Wait for the next request, and for the answer to be read."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Wait for the answer to be read."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Go on with the answer."""
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        super().connection_lost(exc)
        self._stop_timer()

    def _is_idle(self) -> bool:
        return self._is_refused or self.cycle is None or self.cycle.response_complete or self.flow.write_paused

    def _watch(self, size: int = 0) -> None:
        if not self._is_idle():
            if self._timer is not None:
                self._stop_timer()
                self._since = self.loop.time()
            return
        self._idle_bytes += size
        if self._timer is None:
            self._since = self.loop.time()
            self._timer = self.loop.call_later(HEAD_S, self.transport.abort)
        if self._idle_bytes > order.MAX_BYTES:
            self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._idle_bytes = None, 0

    def _make_room(self) -> None:
        others = [one for one in self.connections if isinstance(one, Connection) and not one.transport.is_closing()]
        if len(others) <= self.most:
            return
        _connections_log.warning("more than %d connections are open: the longest idle ones are closed", self.most)
        others.remove(self)
        idle = [one for one in others if one._is_idle() and self._since - one._since > FRESH_S]
        slow = [one for one in others if one._is_idle() or one.cycle.more_body]
        min(idle or slow or [self], key=lambda one: one._since).transport.abort()


class OncePerMinute(logging.Filter):
    """Lets one record of a kind pass a minute: what callers can bring about must not fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written."""
        kind = str(record.msg).partition("\n")[0]
        if record.created - self._last.get(kind, 0.0) < MINUTE_S:
            return False
        self._last[kind] = record.created
        return True


def allow_connections() -> int:
    """Raise the limit of open files as far as is needed; return how many connections leave enough for the rest."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return MOST_CONNECTIONS
    wanted = 2 * MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MOST_CONNECTIONS, soft // 2)


def choose_access(settings: config.Settings, host: str, *, no_auth: bool) -> Access:
    """Choose who may come in. Raises ConfigError rather than leave it open to a network."""
    token = reveal(settings.serve_token)
    addresses = [str(found[4][0]).partition("%")[0] for found in _look_up(host, 0)]
    local = all(ipaddress.ip_address(address).is_loopback for address in addresses)
    if no_auth:
        return Access(origins=settings.cors_origins)
    if not token and not local:
        raise errors.ConfigError(
            _("{host} is open to the network, and B24_SERVE_TOKEN is not set").format(host=host),
            _("Set it to a long random word, which callers must send; or leave out --host; or say --no-auth."),
        )
    return Access(token, reveal(settings.board_token), settings.cors_origins, host if local else "")


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Open the socket. Raises ConfigError when the address or the port cannot be had."""
    family, kind, protocol, _name, address = _look_up(host, port)[0]
    # with the protocol named: asyncio turns Nagle's delay off only then, which would cost 40 ms a request
    with closing(socket.socket(family, kind, protocol)) as listener:
        try:
            if os.name == "posix":  # elsewhere it would let two programs have one port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
        except OSError as error:
            raise errors.ConfigError(
                _("port {port} cannot be used: {reason}").format(port=port, reason=os_reason(error)),
                _("Choose another one with --port."),
            ) from None
        yield listener


def _look_up(host: str, port: int) -> list[Any]:
    try:
        return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE))
    except (OSError, UnicodeError):
        raise errors.ConfigError(
            _("--host {host}: there is no such address").format(host=host),
            _("127.0.0.1 is this machine only, 0.0.0.0 its whole network."),
        ) from None
