"""PHP's `parse_str`, for the sandbox alone: it must be able to disagree with the client's own notation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

_MANGLED = str.maketrans(". ", "__")  # in the name of a variable, not in the keys of an array


def decode(query: str) -> dict[str, Any]:
    """Read a query string or a form: strings and, for `a[b][]=1`, dicts and lists; later values win."""
    variables: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        place, array = "", variables
        for number, key in enumerate(_read_name(name)):
            if number:
                if not isinstance(array.get(place), dict):
                    array[place] = {}
                array = array[place]
            place = str(max((int(used) for used in array if used.isdecimal()), default=-1) + 1) if key is None else key
        if place:
            array[place] = _unquote(value)
    return {name: _as_json(value) for name, value in variables.items()}


@lru_cache(maxsize=1024)  # a batch says the same again and again
def _unquote(text: str) -> str:
    return unquote_plus(text)


@lru_cache(maxsize=1024)
def _read_name(text: str) -> Sequence[str | None]:
    """Give the keys on the way to the value; None is `[]`. Empty for a name that PHP ignores."""
    name = unquote_plus(text).lstrip(" ")
    brackets = re.match(r"[^\[]+((?:\[[^\]]*\])*)", name)
    if brackets is None:
        return []
    if not brackets[1]:  # a bracket that is never closed is a character like others
        return [name.replace("[", "_", 1).translate(_MANGLED)]
    keys = re.findall(r"\[([^\]]*)\]", brackets[1])
    return [name[: brackets.start(1)].translate(_MANGLED), *(key or None for key in keys)]


def _as_json(value: Any) -> Any:
    """Write an array as PHP does: numbered from 0 it is a list."""
    if not isinstance(value, dict):
        return value
    items = {key: _as_json(item) for key, item in value.items()}
    return list(items.values()) if items and list(items) == [str(n) for n in range(len(items))] else items
