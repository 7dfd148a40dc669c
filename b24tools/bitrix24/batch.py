"""Batches: what to ask together, as text for the portal, and the five maps of its answer read back.

A batch is up to 50 commands in one request, each a string `method?query`, run in order; each has
its own error, under HTTP 200 (apidocs.bitrix24.com/settings/how-to-call-rest-api/batch).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from b24tools.bitrix24 import error_codes, php_query
from b24tools.bitrix24.retry import Trouble
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
    """A value the portal is to take from the answer of an earlier command: `$result[key][path]`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Command:
    """One call inside a batch."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """What became of one command. `time`: what the portal told of its own time, where it did."""

    key: str
    result: Any = None
    error: errors.PortalError | None = None
    total: int | None = None
    next: int | None = None
    time: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def value(self) -> Any:
        """The result; raises the command's error."""
        if self.error is not None:
            raise self.error
        return self.result


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A command and the reader of its result; the reader raises PortalError on a shape it does not know."""

    command: Command
    read: Callable[[Any], T]

    def of(self, item: Item) -> T:
        """The item's result, read; raises the item's own error."""
        return self.read(item.value)


class Pending(Generic[T]):
    """One command of a batch and, once that is sent, its answer."""

    def __init__(self, key: str, query: Query[T]) -> None:
        self.key = key
        self.query = query
        self.item = Item(key, error=errors.PortalError(f"{query.command.method}: not sent"))

    @property
    def value(self) -> T:
        """Read the result; raises the command's own error."""
        return self.query.read(self.item.value)

    @property
    def error(self) -> errors.PortalError | None:
        """What the portal answered instead of a result."""
        return self.item.error

    def reference(self, *path: str | int) -> Reference:
        """A value for a later read of the same batch: the portal takes it from this command's result."""
        return Reference("$result" + "".join(f"[{part}]" for part in (self.key, *path)))


class Batch:
    """Commands that are sent together: `add` them, `send`, then read each one's `value`.

    What a batch would garble (a name from 1C with `$result[` in it, an empty list) goes alone.
    """

    def __init__(
        self,
        send: Callable[..., dict[str, Item]],
        call: Callable[[str, Command], Item],
    ) -> None:
        self._send = send
        self._call = call
        self._pending: list[Pending[Any]] = []

    @property
    def room(self) -> int:
        """How many commands still go into the last request: those that refer to one another must be in one."""
        return MOST_COMMANDS - sum(is_batchable(one.query.command.params) for one in self._pending) % MOST_COMMANDS

    def add(self, query: Query[T]) -> Pending[T]:
        """Put a command into the batch; its answer comes with `send`."""
        pending = Pending(f"c{len(self._pending)}", query)
        self._pending.append(pending)
        return pending

    def send(self, on_sent: Callable[[], None] | None = None) -> None:
        """Send what was added, fifty commands to a request. `on_sent`: a request has left.

        Raises PortalError only while nothing has been answered; each command has that error then.
        A failure after that becomes the error of the commands it left without an answer.
        """
        commands = {one.key: one.query.command for one in self._pending}
        together = {key: command for key, command in commands.items() if is_batchable(command.params)}
        items: dict[str, Item] = {}
        failure: errors.PortalError | None = None
        if together:
            try:
                items = self._send(together, on_sent=on_sent)
            except errors.PortalError as error:
                failure = error
        for pending in self._pending:
            if failure is not None:
                pending.item = Item(pending.key, error=failure)
            else:
                pending.item = items.get(pending.key) or self._call(pending.key, pending.query.command)
        if failure is not None:
            raise failure


def check_method(method: str) -> None:
    """Refuse what is no method name before it becomes part of an address."""
    if not _METHOD.fullmatch(method):
        raise ValueError(f"not a method name: {method!r}")


def is_batchable(params: Mapping[str, Any]) -> bool:
    """Whether these parameters reach the portal unchanged in a batch; if not, they go by `call`.

    A batch cannot carry `None`, booleans and empty containers, nor text that looks like a
    reference, nor more pairs than PHP takes.
    """
    try:
        _encode(params)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Chunk:
    """Commands that go in one request; `packed` as the portal wants them."""

    commands: dict[str, Command]
    packed: dict[str, str]


def split(commands: Mapping[str, Command]) -> list[Chunk]:
    """The commands in the fifties they are sent in; raises ValueError for what must not be sent."""
    pairs = list(commands.items())
    fifties = [dict(pairs[start : start + MOST_COMMANDS]) for start in range(0, len(pairs), MOST_COMMANDS)]
    for chunk in fifties:
        before: set[str] = set()
        for key, command in chunk.items():
            check_method(command.method)
            refers = references(command)
            if not refers <= before:
                raise ValueError(f"{key}: refers to {sorted(refers - before)}, not earlier among the same 50 commands")
            # A reference that leads nowhere does not fail the command: a write would hit task 1.
            if refers and not error_codes.is_read(command.method):
                raise ValueError(f"{key}: a write must not refer to another command")
            before.add(key)
    return [Chunk(chunk, {key: _pack(command) for key, command in chunk.items()}) for chunk in fifties]


def references(command: Command) -> set[str]:
    """The keys of the commands that this one refers to."""
    found = (_REFERENCE_KEY.match(text) for text in _with_dollars(command.params) if isinstance(text, Reference))
    return {match[1] for match in found if match}


def _pack(command: Command) -> str:
    query = _encode(command.params)
    return f"{command.method}?{query}" if query else command.method


def _encode(params: Mapping[str, Any]) -> str:
    for text in _with_dollars(params):
        if not isinstance(text, Reference) and _REFERENCE.search(text):
            raise ValueError("text that a batch would take for a reference to another command's result")
    query = php_query.encode(params)
    if query.count("&") >= MOST_PAIRS:
        raise ValueError(f"more than {MOST_PAIRS} values in one command")
    return query


def _with_dollars(value: Any) -> list[str]:
    """The texts among the keys and values that have a `$`: all others are no references."""
    if isinstance(value, str):
        return [value] if "$" in value else []
    found: list[str] = []
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and "$" in key:
                found.append(key)
            found += _with_dollars(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            found += _with_dollars(inner)
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answer to a batch: what is settled, and what is to be sent again and why."""

    done: dict[str, Item]
    again: dict[str, Trouble]


def settle(sent: Mapping[str, Command], result: Mapping[str, Any]) -> Outcome:
    """Match an answer with what was sent, so that every key is accounted for.

    What a limit stopped is sent again, and so are reads without a usable answer; a command that
    refers to others only together with them.
    """
    parts = ("result", "result_error", "result_total", "result_next", "result_time")
    answer = {name: _by_key(result.get(name)) for name in parts}
    done: dict[str, Item] = {}
    again: dict[str, Trouble] = {}
    failed: set[str] = set()
    for key, command in sent.items():
        found = _settle_one(key, command, answer, failed)
        if isinstance(found, Item):
            done[key] = found
        elif found.may_have_run and not error_codes.is_read(command.method):
            done[key] = Item(key, error=found.uncertain())
        elif references(command) <= again.keys():
            again[key] = found
        else:
            causes = [done[cause].error for cause in sorted(references(command) & done.keys() & failed)]
            done[key] = Item(key, error=causes[0] if causes else found.give_up(0.0))
        if key in again or done[key].error is not None:
            failed.add(key)
    return Outcome(done, again)


def not_run(key: str, command: Command) -> Item:
    """The item of a command that refers to one which is not sent."""
    message = _("{method}: not run: the command it refers to was not sent").format(method=command.method)
    return Item(key, error=errors.PortalError(message, method=command.method))


def not_sent(key: str, command: Command, failure: errors.PortalError) -> Item:
    """The item of a command whose batch was not sent, because the one before it failed."""
    kind = errors.PortalBusy if isinstance(failure, errors.PortalBusy) else type(failure)
    message = _("{method}: not sent: {reason}").format(method=command.method, reason=failure.message)
    return Item(key, error=kind(message, failure.hint, method=command.method, portal_code=failure.portal_code))


def times(sent: Mapping[str, Command], result: Mapping[str, Any]) -> dict[str, Any]:
    """The last `time` object of each method in a batch's answer."""
    found = _by_key(result.get("result_time"))
    return {command.method: found[key] for key, command in sent.items() if key in found}


def _settle_one(
    key: str, command: Command, answer: Mapping[str, Mapping[str, Any]], failed: set[str]
) -> Item | Trouble:
    method = command.method
    if key in answer["result_error"]:
        code, description = _error_of(answer["result_error"][key])
        verdict = error_codes.judge(code)
        if verdict in (error_codes.Verdict.AGAIN, error_codes.Verdict.UNSURE):
            reason = error_codes.describe(method, code, description).removeprefix(f"{method}: ")
            return Trouble(method, reason, verdict is error_codes.Verdict.UNSURE, error_codes.canonical(code))
        return Item(key, error=error_codes.refusal(method, code, description))
    if key not in answer["result"]:
        return Trouble(method, _("the batch came back without it"), may_have_run=True)
    if failed and references(command) & failed:
        return Trouble(method, _("the command it refers to failed"), may_have_run=True)
    total, following = answer["result_total"].get(key), answer["result_next"].get(key)
    spent = answer["result_time"].get(key)
    time = spent if isinstance(spent, Mapping) else {}
    return Item(key, answer["result"][key], total=to_int(total), next=to_int(following), time=time)


def _error_of(error: Any) -> tuple[str, str]:
    found = error_codes.read_error(error) if isinstance(error, Mapping) else None
    return found or ("", error_codes.clean(error))


def _by_key(found: Any) -> dict[str, Any]:
    """One of the answer's maps: PHP writes an empty one as `[]`, one with keys 0, 1, 2 as a list."""
    if isinstance(found, Mapping):
        return {str(key): value for key, value in found.items()}
    if isinstance(found, list):
        return {str(index): value for index, value in enumerate(found)}
    return {}


def to_int(value: Any) -> int | None:
    """A count of the portal's, which may be a number or its text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return int(value) if value == value and abs(value) < 1e15 else None
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 16 else None
