"""PHP's `parse_str`, for the sandbox alone: it must be able to disagree with the client's own notation."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus

_MANGLED = str.maketrans(". ", "__")  # in the name of a variable, not in the keys of an array


def decode(query: str) -> dict[str, Any]:
    """Read a query string or a form: strings and, for `a[b][]=1`, dicts and lists; later values win."""
    variables: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        keys = _read_name(unquote_plus(name))
        if not keys:
            continue
        array = variables
        for key in keys[:-1]:
            array = _child(array, key)
        array[_next_key(array) if keys[-1] is None else keys[-1]] = unquote_plus(value)
    return {name: _as_json(value) for name, value in variables.items()}


def _read_name(text: str) -> list[str | None]:
    """The keys on the way to the value; None is `[]`. Empty for a name that PHP ignores."""
    name = text.lstrip(" ")
    brackets = re.match(r"[^\[]+((?:\[[^\]]*\])*)", name)
    if brackets is None:
        return []
    base = name[: brackets.start(1)]
    if not brackets[1]:  # a bracket that nobody closes is a character like others
        return [name.replace("[", "_", 1).translate(_MANGLED)]
    return [base.translate(_MANGLED), *(key or None for key in re.findall(r"\[([^\]]*)\]", brackets[1]))]


def _child(array: dict[str, Any], key: str | None) -> dict[str, Any]:
    key = _next_key(array) if key is None else key
    if not isinstance(array.get(key), dict):
        array[key] = {}
    child: dict[str, Any] = array[key]
    return child


def _next_key(array: dict[str, Any]) -> str:
    return str(max((int(key) for key in array if key.isdecimal()), default=-1) + 1)


def _as_json(value: Any) -> Any:
    """As PHP writes it: an array numbered from 0 is a list."""
    if not isinstance(value, dict):
        return value
    items = {key: _as_json(item) for key, item in value.items()}
    return list(items.values()) if items and list(items) == [str(n) for n in range(len(items))] else items
