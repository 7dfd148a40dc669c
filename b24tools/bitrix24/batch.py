"""Batches without the sending: commands to text, the five maps of the answer to items.

A batch is up to 50 commands in one request, each a string `method?query`, run in order; each has
its own error, under HTTP 200 (apidocs.bitrix24.com/settings/how-to-call-rest-api/batch).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from b24tools.bitrix24 import error_codes, php_query
from b24tools.bitrix24.retry import Trouble
from b24tools.core import errors
from b24tools.core.i18n import _

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


def split(commands: Mapping[str, Command], *, halt: bool) -> list[Chunk]:
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
            if refers and not halt and not error_codes.is_read(command.method):
                raise ValueError(f"{key}: a write that refers to another command needs halt")
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


def settle(sent: Mapping[str, Command], result: Mapping[str, Any], *, halt: bool) -> Outcome:
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
        halted = halt and key not in answer["result"] and key not in answer["result_error"] and bool(failed)
        if halted and not failed <= again.keys():
            done[key] = not_run(key, command)
            continue
        found = _halted(command) if halted else _settle_one(key, command, answer, failed)
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
    """The item of a command that `halt` kept from running."""
    return Item(key, error=errors.PortalError(f"{command.method}: {_halted(command).reason}", method=command.method))


def not_sent(key: str, command: Command, failure: errors.PortalError) -> Item:
    """The item of a command whose batch was not sent, because the one before it failed."""
    kind = errors.PortalBusy if isinstance(failure, errors.PortalBusy) else type(failure)
    message = _("{method}: not sent: {reason}").format(method=command.method, reason=failure.message)
    return Item(key, error=kind(message, failure.hint, method=command.method, portal_code=failure.portal_code))


def times(sent: Mapping[str, Command], result: Mapping[str, Any]) -> dict[str, Any]:
    """The last `time` object of each method in a batch's answer."""
    found = _by_key(result.get("result_time"))
    return {command.method: found[key] for key, command in sent.items() if key in found}


def _halted(command: Command) -> Trouble:
    return Trouble(command.method, _("not run: an earlier command of the batch failed"), may_have_run=False)


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
