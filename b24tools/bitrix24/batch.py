"""Batches: what to ask together, as text for the portal, and the five maps of its answer read back.

A batch is up to 50 commands in one request, each a string `method?query`, run in order; each has
its own error, under HTTP 200 (apidocs.bitrix24.com/settings/how-to-call-rest-api/batch).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from b24tools.bitrix24 import error_codes, php_query
from b24tools.bitrix24.error_codes import Retry
from b24tools.bitrix24.parsing import to_int
from b24tools.bitrix24.retry import FailedAttempt
from b24tools.core import errors
from b24tools.core.i18n import _

T = TypeVar("T")

MOST_COMMANDS = 50
MOST_PAIRS = 1000  # PHP's parse_str drops the pairs beyond max_input_vars without a word

_METHOD = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
# The portal looks for these in every key and value of a command, in any case, and has no escape.
_REFERENCE = re.compile(r"\$(?:result|next|total|time|error)\S*?\[", re.IGNORECASE)
_REFERENCE_KEY = re.compile(r"\$(?:result|next|total|time|error)\[([^\[\]]+)\]", re.IGNORECASE)


class Reference(str):
    """A value that the portal is to take from the answer of an earlier command: `$result[key][path]`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A call: the method and its parameters."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call. `total` and `next` are there for lists, `time` where the portal tells of its own time."""

    result: Any = None
    total: int | None = None
    next: int | None = None
    time: Mapping[str, Any] = field(default_factory=dict)
    error: errors.PortalError | None = None

    @property
    def value(self) -> Any:
        """The result; raises the call's error."""
        if self.error is not None:
            raise self.error
        return self.result


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A command and the reader of its result; the reader raises PortalError on a shape it does not know."""

    command: Command
    read: Callable[[Any], T]

    def of(self, item: Answer) -> T:
        """The item's result, read; raises the item's own error."""
        return self.read(item.value)


class Pending(Generic[T]):
    """One command of a batch and, once that is sent, its answer.

    `packed`: the command as a batch carries it; None where a batch would garble it.
    """

    def __init__(self, key: str, query: Query[T], packed: str | None) -> None:
        self.key = key
        self.query = query
        self.packed = packed
        self.item = Answer(error=errors.PortalError(f"{query.command.method}: not sent"))

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
        call: Callable[[Command], Answer],
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

    def add(self, query: Query[T], key: str = "") -> Pending[T]:
        """Put a command into the batch; its answer comes with `send`.

        Raises ValueError for what must not be sent. `key`: under which name, else one is given.
        """
        command = query.command
        check_method(command.method)
        refers = _references(command)
        try:
            packed = _pack(command)
        except ValueError:
            packed = None
        pending = Pending(key or f"c{len(self)}", query, packed)
        if packed is None and not refers:
            self._alone.append(pending)
            return pending
        if not self._requests or len(self._requests[-1]) == MOST_COMMANDS:
            self._requests.append([])
        request = self._requests[-1]
        if packed is None or not refers <= {before.key for before in request}:
            raise ValueError(f"{command.method}: refers to {sorted(refers)}, not all earlier in the same request")
        # A reference that leads nowhere does not fail the command: a write would hit task 1.
        if refers and not error_codes.is_read(command.method):
            raise ValueError(f"{command.method}: a write must not refer to another command")
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
                    pending.item = _not_sent(pending.query.command, failure)
                continue
            failure = self._send(request)
            if failure is not None and number == 0 and all(pending.error is failure for pending in request):
                for pending in (*self._alone, *(one for later in self._requests for one in later)):
                    pending.item = Answer(error=failure)
                raise failure
        for pending in self._alone:
            pending.item = self._call(pending.query.command)


def check_method(method: str) -> None:
    """Refuse what is no method name before it becomes part of an address."""
    if not _METHOD.fullmatch(method):
        raise ValueError(f"not a method name: {method!r}")


def _references(command: Command) -> set[str]:
    """The keys of the commands that this one refers to."""
    found = (_REFERENCE_KEY.match(text) for text in _with_dollars(command.params) if isinstance(text, Reference))
    return {match[1] for match in found if match}


def _pack(command: Command) -> str:
    """Write a command as a batch carries it; raises ValueError where the portal would get something else.

    A batch cannot carry `None`, booleans and empty containers, nor text that looks like a reference, nor more pairs
    than PHP takes.
    """
    for text in _with_dollars(command.params):
        if not isinstance(text, Reference) and _REFERENCE.search(text):
            raise ValueError("text that a batch would take for a reference to another command's result")
    query = php_query.encode(command.params)
    if query.count("&") >= MOST_PAIRS:
        raise ValueError(f"more than {MOST_PAIRS} values in one command")
    return f"{command.method}?{query}" if query else command.method


def _with_dollars(value: Any) -> list[str]:
    """The texts among the keys and values that have a `$`: all others are no references."""
    if isinstance(value, str):
        return [value] if "$" in value else []
    if isinstance(value, Mapping):
        return [text for pair in value.items() for inner in pair for text in _with_dollars(inner)]
    if isinstance(value, (list, tuple)):
        return [text for inner in value for text in _with_dollars(inner)]
    return []


def settle(sent: Mapping[str, Command], result: Mapping[str, Any], sent_at: float) -> dict[str, Answer | FailedAttempt]:
    """Match an answer with what was sent, so that every key is accounted for.

    What a limit stopped is to be sent again, and so are reads without a usable answer; a command that refers to
    others only together with them.
    """
    names = ("result", "result_error", "result_total", "result_next", "result_time")
    maps = [_by_key(result.get(name)) for name in names]
    outcomes: dict[str, Answer | FailedAttempt] = {}
    for key, command in sent.items():
        referred = [outcomes[cause] for cause in sorted(_references(command))]
        outcome = _settle_one(key, command.method, maps, referred)
        if isinstance(outcome, FailedAttempt):
            answered = [cause for cause in referred if isinstance(cause, Answer)]
            if outcome.may_have_run and not error_codes.is_read(command.method):
                outcome = Answer(error=outcome.uncertain(sent_at))
            elif answered:
                failed = [cause.error for cause in answered if cause.error is not None]
                outcome = Answer(error=failed[0] if failed else outcome.give_up(0.0))
        outcomes[key] = outcome
    return outcomes


def _settle_one(
    key: str, method: str, maps: Sequence[Mapping[str, Any]], referred: Sequence[Answer | FailedAttempt]
) -> Answer | FailedAttempt:
    results, failures, totals, nexts, times = maps
    if key in failures:
        error = failures[key]
        code, description = (error_codes.read_error(error) if isinstance(error, Mapping) else None) or (
            "",
            error_codes.clean(error),
        )
        retry, known = error_codes.judge(code), error_codes.find_code(code)
        if retry not in (Retry.ALWAYS, Retry.READS_ONLY):
            return Answer(error=error_codes.refusal(method, code, description))
        reason = error_codes.describe("batch", code, description)
        return FailedAttempt(method, reason, retry is Retry.READS_ONLY, known.name if known else code)
    if key not in results:
        return FailedAttempt(method, _("the batch came back without it"), may_have_run=True)
    if any(isinstance(cause, FailedAttempt) or cause.error is not None for cause in referred):
        return FailedAttempt(method, _("the command it refers to failed"), may_have_run=True)
    time = times.get(key)
    return Answer(
        results[key], to_int(totals.get(key)), to_int(nexts.get(key)), time if isinstance(time, Mapping) else {}
    )


def is_batchable(params: Mapping[str, Any]) -> bool:
    """Tell whether these parameters reach the portal unchanged in a batch."""
    try:
        _pack(Command("profile", params))
    except ValueError:
        return False
    return True


def refers_beyond(command: Command, keys: Mapping[str, Any]) -> bool:
    """Whether a command refers to one that is not among the keys."""
    return not _references(command) <= keys.keys()


def not_run(command: Command) -> Answer:
    """The answer of a command that refers to one which is not sent."""
    message = _("{method}: not run: the command it refers to was not sent").format(method=command.method)
    return Answer(error=errors.PortalError(message, method=command.method))


def _not_sent(command: Command, failure: errors.PortalError) -> Answer:
    """The answer of a command whose request was not sent, because the one before it failed."""
    kind = errors.PortalBusy if isinstance(failure, errors.PortalBusy) else type(failure)
    message = _("{method}: not sent: {reason}").format(method=command.method, reason=failure.message)
    return Answer(error=kind(message, failure.hint, method=command.method, portal_code=failure.portal_code))


def read_times(sent: Mapping[str, Command], result: Mapping[str, Any]) -> dict[str, Any]:
    """The last `time` object of each method in a batch's answer."""
    times = _by_key(result.get("result_time"))
    return {command.method: times[key] for key, command in sent.items() if key in times}


def _by_key(found: Any) -> dict[str, Any]:
    """Read one of the answer's maps: PHP writes an empty one as `[]`, one with keys 0, 1, 2 as a list."""
    if isinstance(found, list):
        found = dict(enumerate(found))
    return {str(key): value for key, value in found.items()} if isinstance(found, Mapping) else {}
