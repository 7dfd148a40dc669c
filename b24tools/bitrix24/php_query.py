"""PHP's bracket notation, `a[b][c]=1`, to nested values and back.

Batch commands and outgoing webhooks travel in it. Decoding follows PHP's `parse_str`, because
that is what stands on the other side.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote


def encode(params: Mapping[str, Any]) -> str:
    """Write nested values as one query string, percent-encoded once.

    Only what the notation can carry is taken: `None`, booleans and empty containers have no form
    in it (they would vanish or change their meaning on the portal), so they raise ValueError.
    """
    pairs: list[str] = []
    for key, value in params.items():
        _add_pairs(pairs, str(key), value)
    return "&".join(pairs)


@lru_cache(maxsize=1024)  # the pages of a list have the same names and values, again and again
def _quote(text: str) -> str:
    return quote(text, safe="", errors="replace")  # half a surrogate pair has no UTF-8 form


def _add_pairs(pairs: list[str], path: str, value: Any) -> None:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        pairs.append(f"{_quote(path)}={_quote(str(value))}")
    elif isinstance(value, (list, tuple)) and value:
        if set(map(type, value)) == {int}:  # the people of a department, again for each page of their tasks
            name = _quote(path)
            pairs += [f"{name}%5B{index}%5D={number}" for index, number in enumerate(value)]
            return
        for index, inner in enumerate(value):
            _add_pairs(pairs, f"{path}[{index}]", inner)
    elif isinstance(value, Mapping) and value:
        for key, inner in value.items():
            _add_pairs(pairs, f"{path}[{key}]", inner)
    else:
        raise ValueError(f"{path}: {value!r} cannot be written in bracket notation")


def decode(query: str, *, max_pairs: int = 100_000, max_depth: int = 64) -> dict[str, Any]:
    """Read a query string or form body as PHP would: strings, dicts and lists.

    Keys are decoded before they are split, later values win, `a[]` appends, an array whose keys
    are 0, 1, 2 … becomes a list. Raises ValueError above `max_pairs` or `max_depth`.
    """
    return nest(parse_qsl(query, keep_blank_values=True, max_num_fields=max_pairs), max_depth=max_depth)


def nest(pairs: Iterable[tuple[str, str]], *, max_depth: int = 64) -> dict[str, Any]:
    """Nest pairs of decoded keys and values, as `decode` does. Raises ValueError above `max_depth`."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        path = _split_key(key)
        if len(path) > max_depth:
            raise ValueError(f"deeper than {max_depth} levels")
        if path:
            _put(root, path, value)
    return {key: _lists(value) for key, value in root.items()}


def _split_key(key: str) -> list[str]:
    """Split `a[b][]` into ["a", "b", ""]. PHP replaces dots and spaces in the first part by underscores."""
    head, bracket, rest = key.lstrip(" ").partition("[")
    if not head:
        return []
    path = [head.replace(".", "_").replace(" ", "_")]
    while bracket:
        part, closing, tail = rest.partition("]")
        if not closing:  # an unclosed bracket: PHP keeps it as an underscore in the name
            if len(path) == 1:
                path[0] += "_" + rest.replace(".", "_").replace(" ", "_")
            break
        path.append(part)
        before, bracket, rest = tail.partition("[")
        if before:  # text after a closing bracket is dropped, as PHP does
            break
    return path


def _put(target: dict[str, Any], path: list[str], value: str) -> None:
    for part in path[:-1]:
        key = part or _next_index(target)
        inner = target.get(key)
        if not isinstance(inner, dict):
            inner = target[key] = {}
        target = inner
    target[path[-1] or _next_index(target)] = value


def _next_index(target: dict[str, Any]) -> str:
    return str(max((int(key) for key in target if key.isdecimal()), default=-1) + 1)


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = [_lists(item) for item in value.values()]
    if next(iter(value), "0") == "0" and list(value) == [str(index) for index in range(len(value))]:
        return inner
    return dict(zip(value, inner, strict=True))
