"""The old methods of tasks (`task.*`), which bind parameters by their order and never look at the names."""

from __future__ import annotations

from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.rest import Call, RestError, core_error

NOT_FOUND, NOT_ALLOWED, WRONG_ARGUMENTS = 0x1, 0x4, 0x100
NAMES: Final = {
    NOT_FOUND: "TASK_NOT_FOUND_OR_NOT_ACCESSIBLE",
    NOT_ALLOWED: "ACTION_NOT_ALLOWED",
    WRONG_ARGUMENTS: "WRONG_ARGUMENTS",
}


def refuse(code: int, text: str) -> RestError:
    """A refusal in the words of these methods."""
    return core_error(f"TASKS_ERROR_EXCEPTION_#{code}; {text}; {code}/TE/{NAMES[code]}")


def arguments(call: Call) -> list[Any]:
    """The values as they came."""
    return list(call.params.values())


def check(method: str, given: list[Any], kinds: tuple[tuple[str, str], ...], required: int) -> list[Any]:
    """As many arguments as the method has, each of its type; those beyond are not looked at.

    `kinds` are the names and types that stand in the refusals. A missing optional argument is an empty array.
    """
    values: list[Any] = []
    for number, (name, kind) in enumerate(kinds):
        place = f"Param #{number} ({name})"
        if number >= len(given):
            if number < required:
                raise refuse(WRONG_ARGUMENTS, f"{place} expected by method {method}(), but not given.")
            values.append({})
            continue
        value = given[number]
        fits = php.is_array(value) if kind == "array" else _is_integer(value)
        if not fits:
            text = f'{place} for method {method}() expected to be of type "{kind}", but given something else.'
            raise refuse(WRONG_ARGUMENTS, text)
        values.append(value)
    return values


def _is_integer(value: Any) -> bool:
    if isinstance(value, str):
        return value.removeprefix("-").isdecimal()
    return isinstance(value, int) and not isinstance(value, bool)


def check_keys(method: str, number: int, name: str, given: Any, allowed: tuple[str, ...], prefixes: str = "") -> None:
    """Refuse a name an argument may not have; an empty first element stands for an empty array."""
    for key, value in php.items(given):
        if (key == "0" and value == "") or key.lstrip(prefixes) in allowed:
            continue
        text = f'Param #{number} ({name}) for method {method}() must not contain key "{key}".'
        raise refuse(WRONG_ARGUMENTS, text)
