"""Batches: what to ask together, as text for the portal, and the maps of its answer read back.

A batch is up to 50 commands in one request, each a string `method?query`, run in order; each has
its own error, under HTTP 200 (apidocs.bitrix24.com/settings/how-to-call-rest-api/batch).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from b24tools.bitrix24 import error_codes, php_query
from b24tools.bitrix24.error_codes import Retry
from b24tools.bitrix24.parsing import UnexpectedResponse, int_or_none, mapping_or_none
from b24tools.bitrix24.retry import FailedAttempt
from b24tools.core import errors
from b24tools.core.chunks import chunked
from b24tools.core.i18n import _

T = TypeVar("T")
Value = TypeVar("Value")

MOST_COMMANDS = 50
PAGE = 50  # rows of an answer
MOST_PAIRS = 1000  # PHP's parse_str drops the pairs beyond max_input_vars without a word

_DOLLAR = "%24"  # in a packed command
_METHOD = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
# The portal looks for these in every key and value of a command, in any case, and has no escape.
_REFERENCE = re.compile(r"\$(?:result|next|total|time|error)\S*?\[", re.IGNORECASE)


class Reference(str):
    """A value that the portal is to take from the answer of an earlier command: `$result[key][path]`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call. `total` is there for lists that count."""

    result: Any = None
    total: int | None = None
    error: errors.PortalError | None = None

    @property
    def value(self) -> Any:
        """The result; raises the call's error."""
        if self.error is not None:
            raise self.error
        return self.result


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A call: the method, its parameters, and the reader of its result."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    reader: Callable[[Any], T] = field(default=lambda result: result, compare=False)

    def read(self, result: Any) -> T:
        """Read a result; raises PortalError, which names the method, on a shape that the reader does not know."""
        try:
            return self.reader(result)
        except UnexpectedResponse as error:
            raise UnexpectedResponse(error.value, self.method) from None


class Pending(Generic[T]):
    """One command of a batch and, once that is sent, its answer.

    `packed`: the command as a batch carries it; None where a batch would garble it. `source`: the one it refers to.
    """

    def __init__(self, key: str, query: Query[T]) -> None:
        self.key = key
        self.query = query
        self.method = query.method
        self.packed, self.references = _pack(query)
        self.source: Pending[Any] | None = None
        self.item = Answer(error=errors.PortalError(f"{self.method}: not sent"))

    @property
    def value(self) -> T:
        """Read the result; raises the command's own error."""
        return self.query.read(self.item.value)

    @property
    def error(self) -> errors.PortalError | None:
        """What the portal answered instead of a result."""
        return self.item.error

    def reference(self, *path: str | int) -> Reference:
        """Refer to a value of this command's result, for a later read in the same request."""
        return Reference("$result" + "".join(f"[{part}]" for part in (self.key, *path)))


class Batch:
    """Commands that are sent together: `add` them, `send`, then read each one's `value`.

    What a batch would garble (a name from 1C with `$result[` in it, an empty list) goes alone.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Pending[Any]]], errors.PortalError | None],
        call: Callable[[Query[Any]], Answer],
    ) -> None:
        """`send` answers up to fifty commands, and tells what ended it; `call` answers one."""
        self._send = send
        self._call = call
        self._requests: list[list[Pending[Any]]] = []
        self._alone: list[Pending[Any]] = []

    def __len__(self) -> int:
        return sum(map(len, self._requests)) + len(self._alone)

    @property
    def room(self) -> int:
        """How many commands still go into the last request: those that refer to one another must be in one."""
        taken = len(self._requests[-1]) if self._requests else 0
        return MOST_COMMANDS - taken % MOST_COMMANDS

    def add_chunked(
        self, ask: Callable[[list[Value]], Query[T]], values: Iterable[Value], size: int = PAGE
    ) -> list[Pending[T]]:
        """Add what asks for these values, a page's rows of them in each command."""
        return [self.add(ask(chunk)) for chunk in chunked(values, size)]

    def add(self, query: Query[T]) -> Pending[T]:
        """Put a command into the batch; its answer comes with `send`. Raises ValueError for what must not be sent."""
        check_method(query.method)
        pending = Pending(f"c{len(self)}", query)
        if pending.packed is None and not pending.references:
            self._alone.append(pending)
            return pending
        if not self._requests or len(self._requests[-1]) == MOST_COMMANDS:
            self._requests.append([])
        request = self._requests[-1]
        for reference in pending.references:
            source = next((other for other in reversed(request) if reference.startswith(other.reference())), None)
            if source is None or pending.packed is None or pending.source not in (None, source):
                raise ValueError(f"{pending.method}: refers to more than one command earlier in the same request")
            # A reference that leads nowhere does not fail the command: a write would hit task 1.
            if not error_codes.is_read(pending.method):
                raise ValueError(f"{pending.method}: a write must not refer to another command")
            pending.source = source
        request.append(pending)
        return pending

    def send(self) -> None:
        """Send what was added, fifty commands to a request.

        Raises PortalError only while nothing has been answered; each command has that error then.
        A failure after that becomes the error of the commands it left without an answer.
        """
        failure: errors.PortalError | None = None
        for number, request in enumerate(self._requests):
            if failure is not None:
                for pending in request:
                    pending.item = _not_sent(pending.method, failure)
                continue
            failure = self._send(request)
            if failure is not None and number == 0 and all(pending.error is failure for pending in request):
                for pending in (*self._alone, *(command for later in self._requests for command in later)):
                    pending.item = Answer(error=failure)
                raise failure
        for pending in self._alone:
            pending.item = self._call(pending.query)


def check_method(method: str) -> None:
    """Refuse what is no method name before it becomes part of an address."""
    if not _METHOD.fullmatch(method):
        raise ValueError(f"not a method name: {method!r}")


def _pack(query: Query[Any]) -> tuple[str | None, list[Reference]]:
    """Write a command as a batch carries it; None where the portal would get something else. And what it refers to.

    A batch cannot carry `None`, booleans and empty containers, nor text that looks like a reference, nor more pairs
    than PHP takes.
    """
    try:
        packed = php_query.encode(query.params)
    except ValueError:
        packed = None
    texts = _with_dollars(query.params) if packed is None or _DOLLAR in packed else []
    references = [text for text in texts if isinstance(text, Reference)]
    is_garbled = any(_REFERENCE.search(text) for text in texts if not isinstance(text, Reference))
    if packed is None or packed.count("&") >= MOST_PAIRS or is_garbled:
        return None, references
    return f"{query.method}?{packed}" if packed else query.method, references


def _with_dollars(value: Any) -> list[str]:
    """The texts among the keys and values that have a `$`: all others are no references."""
    if isinstance(value, str):
        return [value] if "$" in value else []
    if isinstance(value, Mapping):
        return [text for pair in value.items() for inner in pair for text in _with_dollars(inner)]
    if isinstance(value, (list, tuple)):
        return [text for inner in value if not isinstance(inner, int) for text in _with_dollars(inner)]
    return []


def settle(
    sent: Sequence[Pending[Any]], result: Mapping[str, Any], sent_at: float
) -> dict[Pending[Any], FailedAttempt]:
    """Give the commands their answers, and return those that are to be sent again.

    That is what a limit stopped, and reads without a usable answer; a command that refers to another one only together
    with that one.
    """
    failed: dict[Pending[Any], FailedAttempt] = {}
    for pending in sent:
        source = pending.source
        if source is not None and source in failed:  # what it was answered is about something else
            failed[pending] = failed[source]
            continue
        if source is not None and source.error is not None:
            pending.item = Answer(error=source.error)
            continue
        outcome = _settle_one(pending.key, pending.method, result)
        if isinstance(outcome, FailedAttempt):
            if outcome.may_have_run and not error_codes.is_read(pending.method):
                outcome = Answer(error=outcome.uncertain(sent_at))
            elif source is not None:
                outcome = Answer(error=outcome.give_up(0.0))
            else:
                failed[pending] = outcome
                continue
        pending.item = outcome
    return failed


def _settle_one(key: str, method: str, result: Mapping[str, Any]) -> Answer | FailedAttempt:
    results, failures, totals = (
        mapping_or_none(result.get(name)) or {} for name in ("result", "result_error", "result_total")
    )
    if key in failures:
        error = failures[key]
        pair = error_codes.read_error(error) if isinstance(error, Mapping) else None
        code, description = pair or ("", error_codes.clean(error))
        retry, known = error_codes.judge(code), error_codes.find_code(code)
        if retry not in (Retry.ALWAYS, Retry.READS_ONLY):
            return Answer(error=error_codes.refusal(method, code, description))
        reason = error_codes.describe("batch", code, description)
        return FailedAttempt(method, reason, retry is Retry.READS_ONLY, known.name if known else code)
    if key not in results:
        return FailedAttempt(method, _("the batch came back without it"), may_have_run=True)
    return Answer(results[key], int_or_none(totals.get(key)))


def _not_sent(method: str, failure: errors.PortalError) -> Answer:
    """The answer of a command whose request was not sent, because the one before it failed."""
    kind = errors.PortalBusy if isinstance(failure, errors.PortalBusy) else type(failure)
    message = _("{method}: not sent: {reason}").format(method=method, reason=failure.message)
    return Answer(error=kind(message, failure.hint, method=method, portal_code=failure.portal_code))
