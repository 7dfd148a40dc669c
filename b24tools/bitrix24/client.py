"""The portal's REST over an incoming webhook: one call, a batch, all rows of a list.

A method's name tells whether it only reads (`codes.is_read`). Reads are repeated after any
trouble, after a page in an answer's place not often; other calls only when they surely did not
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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx

from b24tools import __version__
from b24tools.bitrix24 import batch as bitrix24_batch
from b24tools.bitrix24 import error_codes, pagination
from b24tools.bitrix24 import response as bitrix24_response
from b24tools.bitrix24 import webhook_url as bitrix24_webhook_url
from b24tools.bitrix24.batch import Command, Item, Query, is_batchable
from b24tools.bitrix24.rate_limit import Throttle
from b24tools.bitrix24.retry import Patience, Trouble, said
from b24tools.core import errors
from b24tools.core.i18n import _

__all__ = ["Answer", "Client", "Command", "Item", "Transport", "is_batchable"]

CONNECT_TIMEOUT_S = 10.0
WRITE_TIMEOUT_S = 120.0
NOTICEABLE_WAIT_S = 1.0

# The portal takes these out of the parameters for itself; `token` turns the call into a signed link.
Transport = httpx.BaseTransport
_RESERVED = {"auth", "access_token", "token"}
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

_log = logging.getLogger("b24tools")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A method's answer. `total` and `next` are there for lists, `time` where the portal told it."""

    result: Any
    total: int | None = None
    next: int | None = None
    time: Mapping[str, Any] = field(default_factory=dict)


class Client:
    """One portal, open to people at `url`. Safe to share between threads; `requests` counts what was sent over HTTP."""

    def __init__(
        self,
        webhook_url: str,
        *,
        throttle: Throttle,
        transport: Transport | None = None,
        verify: ssl.SSLContext | bool | str = True,
        retry_s: float = 60,
        read_timeout_s: float = 75,
        clock: Callable[[], float] = time_module.time,
        sleep: Callable[[float], None] = time_module.sleep,
        random: Callable[[], float] = random_module.random,
        on_wait: Callable[[float, str], None] | None = None,
        on_warn: Callable[[str], None] | None = None,
    ) -> None:
        self._address = bitrix24_webhook_url.read(webhook_url)
        if not _is_url(self._address.base):
            raise bitrix24_webhook_url.wrong()
        self.host = self._address.host
        self.url = self._address.portal
        self.owner_id = self._address.owner_id
        self.requests = 0
        self._throttle = throttle
        self._retry_s = retry_s
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._on_wait = on_wait
        self._on_warn = on_warn
        self._counting = threading.Lock()
        self._told: dict[str, float] = {}  # until when somebody waits, by the reason
        for name in ("httpx", "httpcore"):  # they log the address of every request
            logging.getLogger(name).setLevel(logging.WARNING)
        timeout = httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S, write=WRITE_TIMEOUT_S)
        self._http = _open_http(transport, _tls(verify), timeout)

    def __repr__(self) -> str:
        return f"Client({self.host!r}, owner_id={self.owner_id})"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; threads that wait for an answer have nothing to say any more."""
        self._on_wait = None
        self._http.close()

    def call(self, method: str, params: Mapping[str, Any] | None = None) -> Answer:
        """Call one method."""
        bitrix24_batch.check_method(method)
        if method.lower() == "batch":
            raise ValueError("a batch goes by Client.batch")
        if clash := _RESERVED & {str(name) for name in params or {}}:
            raise ValueError(f"{method}: the portal keeps {sorted(clash)} for itself")
        body = self._exchange(method, params or {}, (method,), self._patience(), safe=error_codes.is_read(method))
        times = body.get("time")
        self._learn({method: times})
        return Answer(
            body["result"],
            bitrix24_batch.to_int(body.get("total")),
            bitrix24_batch.to_int(body.get("next")),
            times if isinstance(times, Mapping) else {},
        )

    def call_v3(self, method: str, params: Mapping[str, Any], headers: Mapping[str, str]) -> Any:
        """Call a method of REST 3.0, with headers of its own; its result."""
        bitrix24_batch.check_method(method)
        safe = error_codes.is_read(method)
        return self._exchange(method, params, (method,), self._patience(), safe=safe, v3=headers)["result"]

    def batch(self, commands: Mapping[str, Command], on_sent: Callable[[], None] | None = None) -> dict[str, Item]:
        """Call many methods, fifty to a request; each item has its own result or error. `on_sent`: a request has left.

        Raises only while nothing has been answered. A failure after that becomes the error of the
        items it left without an answer, so that what was done is not lost from sight.
        """
        done: dict[str, Item] = {}
        failure: errors.PortalError | None = None
        for chunk in bitrix24_batch.split(commands):
            if failure is not None:
                done |= {key: bitrix24_batch.not_sent(key, command, failure) for key, command in chunk.commands.items()}
            else:
                failure = self._run_chunk(chunk, done, on_sent)
                if failure is not None and not done:
                    raise failure
                done |= {key: Item(key, error=failure) for key in chunk.commands if key not in done}
        return {key: done[key] for key in commands}

    def ask(self, query: Query[T]) -> T:
        """Ask for this alone and read the answer."""
        return query.read(self.call(query.command.method, query.command.params).result)

    def new_batch(self) -> bitrix24_batch.Batch:
        """A batch to add queries to; nothing is sent before its `send`."""
        return bitrix24_batch.Batch(self.batch, self._call_item)

    def _call_item(self, key: str, command: Command) -> Item:
        try:
            answer = self.call(command.method, command.params)
        except errors.PortalError as error:
            return Item(key, error=error)
        return Item(key, answer.result, total=answer.total, next=answer.next, time=answer.time)

    def pages(
        self, listing: pagination.Listing, params: Mapping[str, Any], *, length: int = 10, after: int = 0
    ) -> Iterator[list[dict[str, Any]]]:
        """All rows of a list, ids rising, in the portions that batches of `length` pages bring."""
        last = pagination.start_of(listing, params, after)
        idle = 0
        while True:
            items = self.batch(pagination.commands(listing, params, length=length, after=last))
            found = pagination.read(listing, items, after=last)
            if found.rows:
                yield found.rows
            if found.complete:
                return
            idle = idle + 1 if found.last_id == last else 0
            last = found.last_id
            if idle and found.error is not None:
                raise found.error
            if idle >= pagination.MOST_IDLE_ROUNDS:
                raise pagination.not_rising(listing)

    def _run_chunk(
        self, chunk: bitrix24_batch.Chunk, done: dict[str, Item], on_sent: Callable[[], None] | None
    ) -> errors.PortalError | None:
        """Send one batch, and again what may be sent again; the failure that ended it, if any."""
        pending = dict(chunk.commands)
        patience = self._patience()
        try:
            pending = self._set_parked_aside(pending, done, patience)
            while pending:
                safe = all(error_codes.is_read(command.method) for command in pending.values())
                params = {"halt": 0, "cmd": {key: chunk.packed[key] for key in pending}}
                names = tuple(command.method for command in pending.values())
                body = self._exchange("batch", params, names, patience, safe=safe, on_sent=on_sent)
                self._learn({"batch": body.get("time"), **bitrix24_batch.times(pending, body["result"])})
                outcome = bitrix24_batch.settle(pending, body["result"])
                for item in outcome.done.values():
                    if isinstance(item.error, errors.PortalUncertain):
                        item.error.sent_at = datetime.fromtimestamp(patience.sent_at, UTC)
                done |= outcome.done
                pending = {key: pending[key] for key in outcome.again}
                if pending:
                    patience.pause(self._worst(list(outcome.again.values())))
        except errors.PortalError as error:
            return error
        return None

    def _set_parked_aside(
        self, pending: dict[str, Command], done: dict[str, Item], patience: Patience
    ) -> dict[str, Command]:
        """Wait for methods that are blocked, or give up those that are for too long."""
        methods = {command.method for command in pending.values()}
        blocks = {method: _blocked(method, until) for method, until in self._throttle.parked(methods).items()}
        if not blocks:
            return pending
        hopeless = {name: block for name, block in blocks.items() if not patience.allows(block.until or 0.0)}
        if hopeless and len(hopeless) == len(methods):
            raise max(hopeless.values(), key=lambda block: block.until or 0.0).give_up(self._clock())
        going: dict[str, Command] = {}
        for key, command in pending.items():
            if command.method in hopeless:
                done[key] = Item(key, error=hopeless[command.method].give_up(self._clock()))
            elif not bitrix24_batch.references(command) <= going.keys():
                done[key] = bitrix24_batch.not_run(key, command)
            else:
                going[key] = command
        waits = [block for name, block in blocks.items() if name not in hopeless]
        if waits:
            patience.pause(max(waits, key=lambda block: block.until or 0.0))
        return going

    def _worst(self, troubles: list[Trouble]) -> Trouble:
        """The trouble to wait for, after telling the throttle."""
        known = [self._tell_throttle(trouble) for trouble in troubles]
        return max(known, key=lambda trouble: trouble.until or 0.0)

    def _tell_throttle(self, trouble: Trouble) -> Trouble:
        """Spread the news of a limit to all processes, and add when it ends, if that is known."""
        if trouble.portal_code == error_codes.QUERY_LIMIT:
            self._throttle.mark_full()
        if trouble.portal_code != error_codes.OPERATION_LIMIT:
            return trouble
        until = trouble.until or self._throttle.reset_of(trouble.method)
        if until is None:
            return trouble
        self._throttle.park(trouble.method, until)
        return _blocked(trouble.method, until)

    def _patience(self) -> Patience:
        return Patience(
            self._retry_s, clock=self._clock, sleep=self._sleep, random=self._random, on_wait=self._tell_user
        )

    def _tell_user(self, seconds: float, reason: str) -> None:
        """Say once what several threads wait for."""
        now = self._clock()
        with self._counting:
            known = now < self._told.get(reason, 0.0)
            if not known:
                self._told[reason] = now + seconds
        if (tell := self._on_wait) is not None and not known:
            tell(seconds, reason)

    def _exchange(
        self,
        method: str,
        params: Mapping[str, Any],
        names: tuple[str, ...],
        patience: Patience,
        *,
        safe: bool,
        on_sent: Callable[[], None] | None = None,
        v3: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send until there is an answer with a result; raises what the errors module says."""
        # Broken JSON would not be refused: the method would run without its parameters.
        content = json.dumps(params, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        while True:
            if until := self._throttle.parked([method]).get(method):
                patience.pause(_blocked(method, until))
            self._throttle.acquire(self._tell_of_throttle)
            patience.sent_at = self._clock()
            outcome = self._attempt(method, content, names, on_sent, v3)
            if isinstance(outcome, dict):
                return outcome
            if isinstance(outcome, errors.B24ToolsError):
                raise outcome
            if outcome.may_have_run and not safe:
                raise outcome.uncertain(patience.sent_at)
            patience.pause(self._tell_throttle(outcome))

    def _attempt(
        self,
        method: str,
        content: bytes,
        names: tuple[str, ...],
        on_sent: Callable[[], None] | None,
        v3: Mapping[str, str] | None,
    ) -> bitrix24_response.Outcome:
        """Send once, to REST 3.0 with the headers `v3`.

        Troubles are returned, not raised, so that nothing of httpx is chained to them.
        """
        started, strange = self._clock(), b""
        base = self._address.base if v3 is None else "/rest/api/".join(self._address.base.rsplit("/rest/", 1))
        try:
            response = self._http.post(base + method, content=content, headers=v3, extensions=_traced(on_sent))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            never_left = isinstance(error, _NEVER_LEFT)
            outcome, status = self._network_trouble(method, error, never_left), type(error).__name__
        else:
            never_left = False
            location = response.headers.get("location", "")
            response.stream = httpx.ByteStream(b"")  # it and the response hold each other, and megabytes with them
            outcome, noise = bitrix24_response.read(
                method, response.status_code, response.content, location=location, portal=self._address
            )
            status = str(response.status_code)
            if noise or not isinstance(outcome, dict):
                strange = response.content
            if noise:
                self._warn_of_noise(noise)
        with self._counting:
            self.requests += not never_left
        _log.debug("%s: %s in %.2f s", _in_short(method, names), status, self._clock() - started)
        if strange:
            _log.debug("%s: it begins: %s", method, bitrix24_response.beginning(strange, self._address))
        return outcome

    def _warn_of_noise(self, noise: str) -> None:
        """Say once what the portal prints around its answers."""
        with self._counting:
            warn, self._on_warn = self._on_warn, None
        if warn is not None:
            warn(
                _(
                    "the portal prints other text around its answers: “{words}”. They are read all the same; on the "
                    "box, set display_errors to off in PHP, or remove what prints this"
                ).format(words=noise)
            )

    def _network_trouble(self, method: str, error: Exception, never_left: bool) -> bitrix24_response.Outcome:
        if distrust := _distrust(error):
            return errors.ConfigError(
                _("the certificate of {host} cannot be verified: {reason}").format(
                    host=self.host, reason=distrust.verify_message
                ),
                _("put the file of the authority that signed it in B24_CA_BUNDLE"),
            )
        detail = error_codes.clean(self._address.scrub(str(error))) or type(error).__name__
        if never_left:
            reason = _("cannot connect to {host}: {detail}").format(host=self.host, detail=detail)
        elif isinstance(error, httpx.TimeoutException):
            reason = _("no answer in time from {host}").format(host=self.host)
        else:
            reason = _("the connection to {host} broke: {detail}").format(host=self.host, detail=detail)
        hint = _("check the network and BITRIX_WEBHOOK_URL, then try again") if never_left else ""
        return Trouble(method, reason, may_have_run=not never_left, hint=hint)

    def _learn(self, times: Mapping[str, Any]) -> None:
        self._throttle.learn(bitrix24_response.resets(times, self._clock()))

    def _tell_of_throttle(self, seconds: float) -> None:
        if seconds >= NOTICEABLE_WAIT_S:
            self._tell_user(seconds, _("keeping to the portal's rate of requests"))


def _traced(on_sent: Callable[[], None] | None) -> dict[str, Any] | None:
    """httpx' way to tell how far a request has come."""
    if on_sent is None:
        return None
    return {"trace": lambda event, _info: on_sent() if event == "http11.send_request_body.complete" else None}


def _blocked(method: str, until: float) -> Trouble:
    reason = said(method, _("blocked by the portal for a while"))
    return Trouble(method, reason, may_have_run=False, portal_code=error_codes.OPERATION_LIMIT, until=until)


def _in_short(method: str, names: tuple[str, ...]) -> str:
    """The call for the log: a batch with the methods in it."""
    if method != "batch":
        return method
    counts = Counter(names)
    return f"batch of {len(names)} ({', '.join(f'{name} ×{count}' for name, count in counts.items())})"


def _distrust(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """The certificate's failure behind an error, if that is what it was."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def _is_url(url: str) -> bool:
    try:
        return bool(httpx.URL(url).host)
    except (httpx.InvalidURL, UnicodeError):  # the latter for a broken xn-- name
        return False


def _tls(verify: ssl.SSLContext | bool | str) -> ssl.SSLContext | bool:
    """A path is a file or folder of authorities trusted besides the system's own."""
    if not isinstance(verify, str):
        return verify
    path = Path(verify)
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": str(path)})
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise errors.ConfigError(
            _("B24_CA_BUNDLE: {path} is not a file of certificates").format(path=path),
            _("expected a PEM file with the certificate of the authority"),
        ) from error
    return context


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
        _("the proxy settings cannot be used"), _("check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY: expected http://HOST:PORT")
    )
