"""The filter shared by users, disk and groups: a sign, a column, a value or several."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from b24tools.sandbox import php

Column = Callable[[Any], Any]
Condition = Callable[[Any], bool]

SIGNS: Final = (">=", ">", "<=", "<", "!@", "@", "!=%", "!%=", "!%", "=%", "%=", "%", "!=", "!", "=")
COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}


def conditions(raw: Any, columns: Mapping[str, Column], *, any_case: bool, like_texts: bool = False) -> list[Condition]:
    """What a filter demands; unknown names are ignored, so a typo finds everything.

    With `like_texts` a text without a sign before its name is a mask, as the ORM has it: `_` and `%` are wildcards.
    """
    found = []
    for key, value in php.items(raw):
        sign = next((sign for sign in SIGNS if key.startswith(sign)), "")
        name = key[len(sign) :]
        column = columns.get(name.upper() if any_case else name)
        if column is not None:
            found.append(_text_condition(column, value) if like_texts and not sign else condition(column, sign, value))
    return found


def select(rows: Iterable[Any], found: list[Condition]) -> list[Any]:
    """The rows that meet all conditions."""
    return [row for row in rows if all(one(row) for one in found)]


def condition(column: Column, sign: str, value: Any) -> Condition:
    """One condition on one column."""
    if sign in COMPARE:
        compare, limit = COMPARE[sign], php.values(value)[0] if php.values(value) else ""
        return lambda row: (mine := column(row)) is not None and compare(mine, _as(mine, limit))
    if "%" in sign:
        return _like(column, sign, value)
    wanted = php.values(value)
    numbers = {php.to_int(one) for one in wanted}
    texts = {php.fold(php.to_text(one)) for one in wanted}
    if sign in ("!", "!=", "!@"):
        return lambda row: not _is_one_of(column(row), numbers, texts)
    return lambda row: _is_one_of(column(row), numbers, texts)


def _text_condition(column: Column, value: Any) -> Condition:
    """A mask for texts; digits only, an empty value and numbers are compared as they are."""
    exact = condition(column, "=", value)
    masks = [php.like(php.to_text(one)) for one in php.values(value) if not php.to_text(one).isdecimal()]

    def holds(row: Any) -> bool:
        mine = column(row)
        return exact(row) or (isinstance(mine, str) and any(mask.fullmatch(php.fold(mine)) for mask in masks))

    return holds


def _as(mine: Any, theirs: Any) -> Any:
    return php.to_int(theirs) if isinstance(mine, int) else php.fold(php.to_text(theirs))


def _is_one_of(mine: Any, numbers: set[int], texts: set[str]) -> bool:
    if isinstance(mine, (list, set, tuple)):
        return any(_is_one_of(one, numbers, texts) for one in mine)
    if isinstance(mine, int):
        return mine in numbers
    return php.fold(mine or "") in texts


def _like(column: Column, sign: str, value: Any) -> Condition:
    """`%NAME` is a substring, `=%NAME` and `%=NAME` take a mask of their own."""
    masked = "=" in sign
    masks = [php.like(php.to_text(one) if masked else f"%{php.to_text(one)}%") for one in php.values(value)]
    negated = sign.startswith("!")

    def holds(row: Any) -> bool:
        text = php.fold(php.to_text(column(row)))
        return any(mask.fullmatch(text) for mask in masks) != negated

    return holds


def order_by(rows: list[Any], raw: Any, columns: Mapping[str, Column]) -> list[Any]:
    """Rows by `order`: a map of columns and directions; unknown columns are skipped."""
    for name, direction in reversed(list(php.items(raw))):
        column = columns.get(name.upper())
        if column is not None:
            rows = sorted(rows, key=_sort_key(column), reverse=php.to_text(direction).upper() == "DESC")
    return rows


def _sort_key(column: Column) -> Callable[[Any], tuple[bool, Any]]:
    def key(row: Any) -> tuple[bool, Any]:
        value = column(row)
        return (value is not None, php.fold(value) if isinstance(value, str) else value or 0)

    return key
