"""Connections as uvicorn has them, with the limits that it has no settings for, and what is logged of them."""

from __future__ import annotations

import asyncio
import logging
import sys

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from b24tools.core.i18n import _
from b24tools.onec import order
from b24tools.server.middleware import SAFE_HEADERS
from b24tools.server.responses import HttpError, Reply, describe_problem

MOST_CONNECTIONS = 500
HEAD_S = 30.0  # for the head of a request, and for the next piece of an answer; the body has a limit of its own
FRESH_S = 1.0  # a head that is younger may be coming in one piece
MINUTE_S = 60.0

_log = logging.getLogger("b24tools.serve.connections")


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
        others = [peer for peer in self.connections if isinstance(peer, Connection) and not peer.transport.is_closing()]
        if len(others) <= self.most:
            return
        _log.warning("more than %d connections are open: the longest idle ones are closed", self.most)
        others.remove(self)
        idle = [peer for peer in others if peer._is_idle() and self._since - peer._since > FRESH_S]
        slow = [peer for peer in others if peer._is_idle() or peer.cycle.more_body]
        min(idle or slow or [self], key=lambda peer: peer._since).transport.abort()


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
