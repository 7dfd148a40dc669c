"""The batch method: commands as text, one after another, each with its own fate."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from b24tools.sandbox import php, php_query
from b24tools.sandbox.faults import Command, Entry
from b24tools.sandbox.http import Request
from b24tools.sandbox.records import User
from b24tools.sandbox.rest import Answer, RestError

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

MAX_COMMANDS: Final = 50
NOT_IN_BATCH: Final = ("batch", "upload", "download")
# The match runs to the next whitespace: whatever is glued to a reference is swallowed with it
REFERENCE: Final = re.compile(r"\$(result|next|total|time|error)(\S*)", re.IGNORECASE)
STEP: Final = re.compile(r"\[([^\]]+)\]")


def read_commands(params: dict[str, Any], writing: frozenset[str]) -> list[Command]:
    """The commands of a batch. One that is not a string is skipped without a trace."""
    commands = []
    for key, text in php.items(php.upper_keys(params).get("CMD")):
        if isinstance(text, str):
            # as parse_url and parse_str have it: "#" cuts the rest, "+" is a space, everything becomes text
            name, _, query = text.partition("#")[0].partition("?")
            method = unquote_plus(name).lower()
            commands.append(Command(key, method, php_query.decode(query), method in writing))
    return commands


class Batch:
    """One run of a batch. `drop` of its last commands vanish from the answer, `skip` of them are not run."""

    def __init__(self, portal: Portal, user: User, request: Request, entry: Entry) -> None:
        self._portal = portal
        self._user = user
        self._request = request
        self._entry = entry
        self.seconds = 0.0
        self._maps: dict[str, dict[str, Any]] = {name: {} for name in ("result", "error", "total", "next", "time")}

    def run(self, *, drop: int = 0, skip: int = 0) -> Answer:
        """Run the commands; the outer answer is a success even if all of them fail."""
        halt = php.is_true(php.upper_keys(self._request.params).get("HALT"))
        commands = self._entry.commands
        for number, command in enumerate(commands[: len(commands) - skip]):
            try:
                self._run_one(command, number)
            except RestError as error:
                command.error = error.code
                self._maps["error"][command.key] = error.body()
                if halt:
                    break
        for command in commands[len(commands) - drop :]:
            for values in self._maps.values():
                values.pop(command.key, None)
        parts = {"result": self._maps["result"]}
        parts |= {f"result_{name}": self._maps[name] for name in ("error", "total", "next", "time")}
        return Answer(parts)

    def _run_one(self, command: Command, number: int) -> None:
        if number >= MAX_COMMANDS:
            raise RestError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
        if command.method in NOT_IN_BATCH:
            raise RestError("ERROR_BATCH_METHOD_NOT_ALLOWED", "Method is not allowed for batch usage")
        command.params = {
            php.to_text(self._resolve(key)): self._resolve(value) for key, value in command.params.items()
        }
        fault = self._portal.faults.take_for_item(self._entry.ordinal, command.method)
        if fault is not None and not fault.executed:
            raise fault.refusal()
        params = dict(command.params)
        start = params.pop("start", None)
        answer, seconds = self._portal.invoke(command.method, params, start, self._user, self._request, command)
        self.seconds += seconds
        if fault is not None:
            raise fault.refusal()
        self._maps["result"][command.key] = answer.result
        if answer.total is not None:
            self._maps["total"][command.key] = answer.total
        if answer.next is not None:
            self._maps["next"][command.key] = answer.next
        self._maps["time"][command.key] = self._portal.time_block(command.method, seconds)

    def _resolve(self, value: Any) -> Any:
        """References in values and names, at any depth."""
        if isinstance(value, dict):
            return {php.to_text(self._resolve(key)): self._resolve(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._resolve(inner) for inner in value]
        return self._resolve_text(value)

    def _resolve_text(self, text: str) -> Any:
        for found in REFERENCE.finditer(text) if "$" in text else ():
            value = self._look_up(found[1].lower(), STEP.findall(found[2]))
            if found[0] == text:
                return value
            if php.is_scalar(value):  # an array inside a longer text leaves the text as it is
                text = text.replace(found[0], php.to_text(value))
        return text

    def _look_up(self, name: str, path: list[str]) -> Any:
        """The deepest part of the path that exists: the whole map when even the first step is missing."""
        value: Any = self._maps[name]
        for step in path:
            if isinstance(value, dict) and step in value:
                value = value[step]
            elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
                value = value[int(step)]
            else:
                break
        return value
