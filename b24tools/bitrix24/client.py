"""The portal's REST over an incoming webhook: one call, a batch, all rows of a list.

A method's name tells whether it only reads (`error_codes.is_read`). Reads are sent again after any
failure, after a page in an answer's place not often; other calls only when they surely did not
run, else they raise `PortalUncertain`. The secret is a part of the address, so no address gets
into a message, a log or an exception's chain.
"""

from __future__ import annotations

import json
import logging
import random as random_module
import ssl
import threading
import time as time_module
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pydantic_core

from b24tools import __version__
from b24tools.bitrix24 import batch as bitrix24_batch
from b24tools.bitrix24 import error_codes, pagination, webhook_url
from b24tools.bitrix24 import response as bitrix24_response
from b24tools.bitrix24.batch import Answer, Batch, Pending, Query
from b24tools.bitrix24.error_codes import ErrorCode
from b24tools.bitrix24.parsing import int_or_none, mapping_or_none
from b24tools.bitrix24.rate_limit import RateLimiter
from b24tools.bitrix24.retry import Backoff, FailedAttempt
from b24tools.core import certificates, errors, secrets
from b24tools.core.i18n import _

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 75  # the portal itself stops after a minute
WRITE_TIMEOUT_S = 120.0
NOTICEABLE_WAIT_S = 1.0

Transport = httpx.BaseTransport
# The portal takes these out of the parameters for itself; `token` turns the call into a signed link.
_RESERVED = {"auth", "access_token", "token"}
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

_log = logging.getLogger("b24tools")

T = TypeVar("T")


class Connections:
    """Connections that a service leaves open from one client to the next, for as long as httpx holds idle ones.

    A client has them for itself: it takes them and gives them back when all that it was asked has been answered.
    """

    def __init__(self) -> None:
        self._idle: list[tuple[ssl.SSLContext | bool, httpx.Client]] = []

    def take(self, trust: ssl.SSLContext | bool) -> httpx.Client | None:
        """Take what another client gave back, unless other certificates are believed by now."""
        with suppress(IndexError):  # another thread may have been quicker
            known, http = self._idle.pop()
            if known is trust:
                return http
            http.close()
        return None

    def give_back(self, trust: ssl.SSLContext | bool, http: httpx.Client) -> None:
        """Leave these to the next client; what is more than one needs is closed."""
        http.cookies.clear()  # in one session PHP would answer parallel requests one after the other
        if self._idle:
            http.close()
        else:
            self._idle.append((trust, http))

    def close(self) -> None:
        """Close what nothing uses."""
        while self._idle:
            self._idle.pop()[1].close()


class Client:
    """One portal, open to people at `url`. Safe to share between threads; `requests` counts what was sent over HTTP."""

    def __init__(
        self,
        address: str,
        *,
        rate_limiter: RateLimiter,
        transport: Transport | None = None,
        ca_bundle: Path | None = None,
        retry_s: float = 60,
        clock: Callable[[], float] = time_module.time,
        sleep: Callable[[float], None] = time_module.sleep,
        random: Callable[[], float] = random_module.random,
        on_wait: Callable[[float, str], None] | None = None,
        on_warn: Callable[[str], None] | None = None,
        connections: Connections | None = None,
    ) -> None:
        """Open the portal of a webhook's address.

        Args:
            address: The incoming webhook's URL, as the portal shows it.
            rate_limiter: Keeps the portal's limits, with all processes of the data folder.
            transport: What to send through instead of the network.
            ca_bundle: A file or folder of authorities that are trusted besides the system's own.
            retry_s: For how long a call that failed is sent again.
            clock, sleep, random: The wall clock, the pause and the jitter.
            on_wait: Called with the seconds and the reason of a wait.
            on_warn: Called once if the portal prints text around its answers.
            connections: Where other clients have left theirs; not with a transport.
        """
        self._address = webhook_url.read(address)
        if not _is_url(self._address.base):
            raise webhook_url.wrong()
        self.host = self._address.host
        self.url = self._address.portal
        self.owner_id = self._address.owner_id
        self.requests = 0
        self.before_write: Callable[[], None] | None = None  # raises what forbids it
        self._rate_limiter, self._retry_s = rate_limiter, retry_s
        self._clock, self._sleep, self._random = clock, sleep, random
        self._on_wait, self._on_warn = on_wait, on_warn
        self._lock = threading.Lock()
        self._announced: dict[str, float] = {}  # until when a thread waits, by the reason
        secrets.silence_loggers()
        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, write=WRITE_TIMEOUT_S)
        is_bare = transport is not None and ca_bundle is None
        self._trust = is_bare or certificates.open_trust(ca_bundle)
        self._connections = connections if transport is None else None
        left = self._connections and self._connections.take(self._trust)
        self._http = left or _open_http(transport, self._trust, timeout)

    def close(self, *, is_idle: bool = False) -> None:
        """Close the connections. Threads that still wait for an answer fall silent.

        `is_idle`: there are none of those, and the connections may be left to another client.
        """
        self._on_wait = None
        if self._connections is not None and is_idle:
            self._connections.give_back(self._trust, self._http)
        else:
            self._http.close()

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Call one method; raises its error."""
        bitrix24_batch.check_method(method)
        if method.lower() == "batch":
            raise ValueError("a batch goes by Client.new_batch")
        if clash := _RESERVED & {str(name) for name in params or {}}:
            raise ValueError(f"{method}: the portal keeps {sorted(clash)} for itself")
        body = self._exchange(method, params or {}, [method], self._backoff())
        self._learn({method: body.get("time")})
        return Answer(body["result"], int_or_none(body.get("total")))

    def call_v3(self, method: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        """Call a method of REST 3.0, with headers of its own; its result."""
        bitrix24_batch.check_method(method)
        return self._exchange(method, params, [method], self._backoff(), v3_headers=headers)["result"]

    def ask(self, query: Query[T]) -> T:
        """Ask for this alone and read the answer."""
        return query.read(self.call(query.method, query.params).result)

    def new_batch(self) -> Batch:
        """Make a batch to add queries to; nothing is sent before its `send`."""
        return Batch(self._send_together, self._send_alone)

    def pages(
        self, method: pagination.ListMethod, params: pagination.ListParams, *, length: int = 10, after: int = 0
    ) -> Iterator[list[dict[str, Any]]]:
        """Read all rows of a list, ids rising, in the portions that batches bring: first of `length` pages."""
        paginator = pagination.Paginator(method, params, after=after, probe=length)
        while not paginator.complete:
            batch = self.new_batch()
            pages = paginator.add_to(batch, batch.room)
            batch.send()
            if pages and (rows := paginator.read(pages)):
                yield rows

    def _send_alone(self, query: Query[Any]) -> Answer:
        try:
            return self.call(query.method, query.params)
        except errors.PortalError as error:
            return Answer(error=error)

    def _send_together(self, request: Sequence[Pending[Any]]) -> errors.PortalError | None:
        """Send up to fifty commands in one request, and again what may be sent again; the failure that ended it."""
        waiting, backoff = list(request), self._backoff()
        try:
            waiting = self._leave_out_blocked(waiting, backoff)
            while waiting:
                params = {"halt": 0, "cmd": {pending.key: pending.packed for pending in waiting}}
                body = self._exchange("batch", params, [pending.method for pending in waiting], backoff)
                result = body["result"]
                times = mapping_or_none(result.get("result_time")) or {}
                known = {pending.method: times[pending.key] for pending in waiting if pending.key in times}
                self._learn({"batch": body.get("time"), **known})
                failed = bitrix24_batch.settle(waiting, result, backoff.sent_at)
                waiting = list(failed)
                if failed:
                    attempts = map(self._tell_rate_limiter, failed.values())
                    backoff.pause(max(attempts, key=lambda attempt: attempt.until or 0.0))
        except errors.PortalError as error:
            for pending in waiting:
                pending.item = Answer(error=error)
            return error
        return None

    def _leave_out_blocked(self, waiting: list[Pending[Any]], backoff: Backoff) -> list[Pending[Any]]:
        """Wait for methods that are blocked, or give up those that are for too long."""
        methods = {pending.method for pending in waiting}
        known = self._rate_limiter.blocked(methods)
        if not (blocked := {method: self._by_own_clock(until) for method, until in known.items()}):
            return waiting
        hopeless = {method for method, until in blocked.items() if not backoff.allows(until)}
        if hopeless == methods:
            raise _block(max(hopeless, key=blocked.__getitem__), blocked).give_up(self._clock())
        going: list[Pending[Any]] = []
        for pending in waiting:
            if pending.method in hopeless:
                pending.item = Answer(error=_block(pending.method, blocked).give_up(self._clock()))
            elif pending.source is not None and pending.source not in going:
                message = _("{method}: not run: the command it refers to was not sent").format(method=pending.method)
                pending.item = Answer(error=errors.PortalError(message, method=pending.method))
            else:
                going.append(pending)
        if waits := blocked.keys() - hopeless:
            backoff.pause(_block(max(waits, key=blocked.__getitem__), blocked))
        return going

    def _tell_rate_limiter(self, attempt: FailedAttempt) -> FailedAttempt:
        """Spread the news of a limit to all processes, and add when it ends, if that is known."""
        if attempt.portal_code == ErrorCode.QUERY_LIMIT_EXCEEDED.name:
            self._rate_limiter.mark_full()
        if attempt.portal_code != ErrorCode.OPERATION_TIME_LIMIT.name:
            return attempt
        until = self._rate_limiter.reset_of(attempt.method)
        if until is None:
            return attempt
        self._rate_limiter.block_method(attempt.method, until)
        return _block(attempt.method, {attempt.method: self._by_own_clock(until)})

    def _by_own_clock(self, moment: float) -> float:
        """Return a moment of the limits' clock, which machines with one database have in common, by this machine's."""
        return moment - self._rate_limiter.read_clock() + self._clock()

    def _backoff(self) -> Backoff:
        return Backoff(self._retry_s, self._clock, self._sleep, self._random, self._announce_wait)

    def _announce_wait(self, seconds: float, reason: str) -> None:
        """Say once what several threads wait for."""
        now = self._clock()
        with self._lock:
            known = now < self._announced.get(reason, 0.0)
            if not known:
                self._announced[reason] = now + seconds
        if (announce := self._on_wait) is not None and not known:
            announce(seconds, reason)

    def _exchange(
        self,
        method: str,
        params: Mapping[str, Any],
        methods: Sequence[str],
        backoff: Backoff,
        v3_headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send until there is an answer with a result; raises what the errors module says.

        `methods`: those that run, of a batch all.
        """
        only_reads = all(map(error_codes.is_read, methods))
        content = _write_json(params)
        while True:
            while until := self._rate_limiter.acquire(method, self._announce_limit):
                backoff.pause(_block(method, {method: self._by_own_clock(until)}))
            if self.before_write is not None and not only_reads:
                self.before_write()
            backoff.sent_at = self._clock()
            outcome = self._attempt(method, content, methods, v3_headers)
            if isinstance(outcome, dict):
                return outcome
            if isinstance(outcome, errors.B24ToolsError):
                raise outcome
            if outcome.may_have_run and not only_reads:
                raise outcome.uncertain(backoff.sent_at)
            backoff.pause(self._tell_rate_limiter(outcome))

    def _attempt(
        self, method: str, content: bytes, methods: Sequence[str], v3_headers: Mapping[str, str] | None
    ) -> bitrix24_response.Outcome:
        """Send once, to REST 3.0 if there are headers for it.

        Failures are returned, not raised, so that nothing of httpx is chained to them.
        """
        base = self._address.base if v3_headers is None else "/rest/api/".join(self._address.base.rsplit("/rest/", 1))
        started, odd, never_left = self._clock(), b"", False
        try:
            with self._http.stream("POST", base + method, content=content, headers=v3_headers) as response:
                # read here, for a response is a cycle, which would hold megabytes until the next search for garbage
                answer = b"".join(response.iter_bytes())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            never_left = isinstance(error, _NEVER_LEFT)
            outcome, status = self._explain_network_failure(method, error, never_left), type(error).__name__
        else:
            location, status = response.headers.get("location", ""), str(response.status_code)
            outcome, noise = bitrix24_response.read(
                method, response.status_code, answer, location=location, portal=self._address
            )
            if noise or not isinstance(outcome, dict):
                odd = answer
            with self._lock:
                warn = self._on_warn if noise else None
                self._on_warn = None if noise else self._on_warn
            if warn is not None:
                warn(
                    _(
                        "the portal prints other text around its answers: “{words}”. They are read all the same; on "
                        "the box, set display_errors to off in PHP, or remove what prints this"
                    ).format(words=noise)
                )
        with self._lock:
            self.requests += not never_left
        _log.debug("%s: %s in %.2f s", _in_short(method, methods), status, self._clock() - started)
        if odd:
            _log.debug("%s: it begins: %s", method, bitrix24_response.beginning(odd, self._address))
        return outcome

    def _explain_network_failure(self, method: str, error: Exception, never_left: bool) -> bitrix24_response.Outcome:
        if distrust := _distrust(error):
            return errors.ConfigError(
                _("the certificate of {host} cannot be verified: {reason}").format(
                    host=self.host, reason=distrust.verify_message
                ),
                _("Put the file of the authority that signed it in B24_CA_BUNDLE."),
            )
        detail = error_codes.clean(self._address.scrub(str(error))) or type(error).__name__
        if never_left:
            reason = _("cannot connect to {host}: {detail}").format(host=self.host, detail=detail)
        elif isinstance(error, httpx.TimeoutException):
            reason = _("no answer in time from {host}").format(host=self.host)
        else:
            reason = _("the connection to {host} broke: {detail}").format(host=self.host, detail=detail)
        hint = _("Check the network and BITRIX_WEBHOOK_URL, then try again.") if never_left else ""
        return FailedAttempt(method, reason, may_have_run=not never_left, hint=hint)

    def _learn(self, times: Mapping[str, Any]) -> None:
        """Remember when each method's account of server time is eased, from the `time` objects of an answer.

        The portal tells the moment by its own clock, and `finish` is the same clock's now.
        """
        resets, now = {}, self._rate_limiter.read_clock()
        for method, time in times.items():
            if isinstance(time, Mapping):
                reset, finish = time.get("operating_reset_at"), time.get("finish")
                if isinstance(reset, (int, float)) and isinstance(finish, (int, float)):
                    resets[method] = now + float(reset) - float(finish)
        self._rate_limiter.learn(resets)

    def _announce_limit(self, seconds: float) -> None:
        if seconds >= NOTICEABLE_WAIT_S:
            self._announce_wait(seconds, _("keeping to the portal's rate of requests"))


def _block(method: str, blocked: Mapping[str, float]) -> FailedAttempt:
    """The failure of a call of a method that is blocked until then."""
    reason = error_codes.name_method(method, _("blocked by the portal for a while"))
    return FailedAttempt(method, reason, False, ErrorCode.OPERATION_TIME_LIMIT.name, blocked[method])


def _in_short(method: str, methods: Sequence[str]) -> str:
    """Name the call for the log: a batch with the methods in it."""
    if method != "batch":
        return method
    counts = ", ".join(f"{name} ×{count}" for name, count in Counter(methods).items())
    return f"batch of {len(methods)} ({counts})"


def _distrust(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Find the certificate's failure behind an error, if that is what it was."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def _write_json(params: Mapping[str, Any]) -> bytes:
    """Write what is valid whatever is in it: broken JSON is not refused, the method runs without its parameters."""
    try:
        # while json went over a file of some megabytes, no other thread would run
        return pydantic_core.to_json(params, inf_nan_mode="strings")
    except pydantic_core.PydanticSerializationError:  # half a surrogate pair
        return json.dumps(params, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _is_url(url: str) -> bool:
    try:
        return bool(httpx.URL(url).host)
    except (httpx.InvalidURL, UnicodeError):  # the latter for a broken xn-- name
        return False


def _open_http(transport: Transport | None, verify: ssl.SSLContext | bool, timeout: httpx.Timeout) -> httpx.Client:
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/json",  # with any other the portal runs the method without parameters
        "User-Agent": f"b24tools/{__version__}",
    }
    try:
        return httpx.Client(
            transport=transport, verify=verify, timeout=timeout, headers=headers, follow_redirects=False
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        pass
    # The text of the error may hold the proxy's password.
    raise errors.ConfigError(
        _("the proxy settings cannot be used"),
        _("Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY: expected http://HOST:PORT."),
    )
