"""Columns, and the filters and orders of lists over them: the conditions, and the ORM's notation of a filter.

The list of tasks has a notation of its own (methods/task_list.py), made of the same conditions.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from b24tools.sandbox import php

Column = Callable[[Any], Any]
Condition = Callable[[Any], bool]

SIGNS: Final = (">=", ">", "<=", "<", "!@", "@", "%", "!=", "!", "=")  # not emulated: those of other masks
COMPARE: Final[dict[str, Any]] = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


def attributes(names: str) -> dict[str, str]:
    """Read columns and their attributes from "NAME WORK_POSITION=position": the name in lower case unless given."""
    pairs = (name.partition("=") for name in names.split())
    return {name: attribute or name.lower() for name, _, attribute in pairs}


def columns(names: str) -> dict[str, Column]:
    """Make columns that read attributes."""
    return {name: operator.attrgetter(attribute) for name, attribute in attributes(names).items()}


def flag(value: Any) -> Any:
    """Show a boolean as the database has it; other values stay."""
    return {True: "Y", False: "N"}[value] if isinstance(value, bool) else value


def compare(column: Column, sign: str, limit: Any) -> Condition:
    """Compare with a limit, numbers as numbers: an array is 1 then. NULL never meets it."""
    holds, number, text = COMPARE[sign], php.to_int(limit), php.to_text(limit)
    return lambda row: (mine := column(row)) is not None and holds(mine, number if isinstance(mine, int) else text)


def is_among(column: Column, wanted: Any, *, negated: bool = False) -> Condition:
    """Want one of these values, numbers as numbers and texts by the collation; of several values any may be it."""
    numbers = {php.to_int(item) for item in php.values(wanted)}
    texts = {php.fold(php.to_text(item)) for item in php.values(wanted)}

    def fits(value: Any) -> bool:
        if isinstance(value, (list, tuple)):
            return any(map(fits, value))
        value = flag(value)
        return value in numbers if isinstance(value, int) else php.fold(value or "") in texts

    return lambda row: fits(column(row)) != negated


def is_like(column: Column, masks: Iterable[str]) -> Condition:
    """Want a text that one of the LIKE masks describes."""
    patterns = [php.like(mask) for mask in masks]
    return lambda row: any(pattern.fullmatch(php.fold(php.to_text(column(row)))) for pattern in patterns)


def read_conditions(raw: Any, columns: Mapping[str, Column], *, like_texts: bool = False) -> list[Condition]:
    """Read a filter in the ORM's notation; unknown names are ignored, so a typo finds everything.

    With `like_texts` a text without a sign before its name is a mask: `_` and `%` are wildcards.
    """
    conditions = []
    for key, value in php.items(raw):
        sign = next((sign for sign in SIGNS if key.startswith(sign)), "")
        column, texts = columns.get(key[len(sign) :]), [php.to_text(item) for item in php.values(value)]
        if column is None:
            continue
        if sign in COMPARE:
            conditions.append(compare(column, sign, value))
        elif sign == "%":
            conditions.append(is_like(column, [f"%{text}%" for text in texts]))
        elif like_texts and not sign and not all(text.isdecimal() or not text for text in texts):
            conditions.append(is_like(column, texts))
        else:
            conditions.append(is_among(column, value, negated="!" in sign))
    return conditions


def select(rows: Iterable[Any], conditions: Iterable[Condition]) -> list[Any]:
    """Find the rows that meet all conditions."""
    wanted = list(conditions)
    return [row for row in rows if all(condition(row) for condition in wanted)]


def sort(rows: Iterable[Any], order: Any, columns: Mapping[str, Column]) -> list[Any]:
    """Sort by a map of columns and directions, NULL before everything as in MySQL; unknown columns are skipped."""
    rows = list(rows)
    for name, direction in reversed(list(php.items(order))):
        if name.upper() in columns:
            values = [columns[name.upper()](row) for row in rows]
            keys = [(value is not None, php.fold(value) if isinstance(value, str) else value or 0) for value in values]
            ranks = sorted(range(len(rows)), key=keys.__getitem__, reverse=php.to_text(direction).upper() != "ASC")
            rows = [rows[rank] for rank in ranks]
    return rows
