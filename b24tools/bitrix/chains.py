"""Long lists by key, many pages in one batch: each page begins after the last id of the one before.

A page costs no COUNT with `start=-1`, and rows that come or go meanwhile shift nothing
(apidocs.bitrix24.com/settings/performance/huge-data). The price: after a page that is short or
failed, the next ones refer to a row that is not there, and what they return is noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from b24tools import errors
from b24tools.bitrix.batches import Command, Item, Reference, to_int

PAGE = 50

__all__ = ["PAGE", "TASKS", "USERS", "ChainResult", "Listing", "Reference", "commands", "read"]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list method that can be read by key.

    `rows` is the path to the rows in its result, `key` a row's id there, `filter` the parameter
    that takes `>ID`, `order` the parameters that sort by id.
    """

    method: str
    rows: tuple[str, ...]
    key: str
    filter: str
    order: tuple[tuple[str, Any], ...]


TASKS = Listing("tasks.task.list", ("tasks",), "id", "filter", (("order", {"ID": "asc"}),))
# user.get sorts by nothing unless both are given.
USERS = Listing("user.get", (), "ID", "FILTER", (("sort", "ID"), ("order", "ASC")))


@dataclass(frozen=True, slots=True)
class ChainResult:
    """The rows of a chain that count.

    `complete` is true when the list's end was among them; else it goes on after `last_id`, and
    `error` is the failure of the page that broke the chain, if it was one.
    """

    rows: list[dict[str, Any]]
    complete: bool
    last_id: int
    error: errors.PortalError | None = None


def commands(
    listing: Listing, params: Mapping[str, Any], *, length: int, after: int = 0, prefix: str = "page"
) -> dict[str, Command]:
    """The commands of `length` pages after the id `after`, with the keys `page0`, `page1`, …

    The caller's filter is kept; of its own `>ID` and `after` the higher one counts.
    """
    taken = {name for name, _value in listing.order} | {"start"}
    if taken & params.keys():
        raise ValueError(f"{listing.method}: a chain sets {sorted(taken)} itself")
    wanted = dict(params.get(listing.filter) or {})
    start = start_of(listing, params, after)
    chain = {}
    for page in range(length):
        last = start if page == 0 else Reference(_last_row(listing, f"{prefix}{page - 1}"))
        chain[f"{prefix}{page}"] = Command(
            listing.method,
            {
                **_with_id_selected(params),
                **dict(listing.order),
                listing.filter: {**wanted, ">ID": last},
                "start": -1,
            },
        )
    return chain


def start_of(listing: Listing, params: Mapping[str, Any], after: int = 0) -> int:
    """The id that a chain begins after."""
    own = (params.get(listing.filter) or {}).get(">ID")
    if own is None:
        return after
    number = to_int(own)
    if number is None:
        raise ValueError(f"{listing.method}: not an id: {own!r}")
    return max(after, number)


def read(listing: Listing, items: Mapping[str, Item], *, after: int = 0, prefix: str = "page") -> ChainResult:
    """The rows of the chain's pages up to the first short, empty or failed one.

    `after` is what the chain was made with (`start_of`): ids must rise from there on.
    """
    rows: list[dict[str, Any]] = []
    last = after
    page = 0
    while (item := items.get(f"{prefix}{page}")) is not None:
        if item.error is not None:
            return ChainResult(rows, False, last, item.error)
        found = _rising(listing, item.result, last)
        if found is None:
            return ChainResult(rows, False, last)
        rows += found
        if len(found) < PAGE:
            return ChainResult(rows, True, _last_id(listing, found, last))
        last = _last_id(listing, found, last)
        page += 1
    return ChainResult(rows, False, last)


def _last_row(listing: Listing, key: str) -> str:
    path = "".join(f"[{part}]" for part in (key, *listing.rows, str(PAGE - 1), listing.key))
    return f"$result{path}"


def _with_id_selected(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters, with the id among the selected fields: a chain cannot do without."""
    select = params.get("select")
    if not isinstance(select, (list, tuple)) or not select or {"ID", "*"} & {str(name).upper() for name in select}:
        return dict(params)
    return {**params, "select": ["ID", *select]}


def _rising(listing: Listing, result: Any, last: int) -> list[dict[str, Any]] | None:
    """The rows of a page; None for one that is no page, or whose ids do not rise above `last`."""
    for part in listing.rows:
        if not isinstance(result, Mapping):
            break
        result = result.get(part)
    if isinstance(result, Mapping):  # a PHP array with gaps
        result = list(result.values())
    if not isinstance(result, list):
        return None
    for row in result:
        number = to_int(row.get(listing.key)) if isinstance(row, Mapping) else None
        if number is None or number <= last:
            return None
        last = number
    return result


def _last_id(listing: Listing, rows: list[dict[str, Any]], last: int) -> int:
    return to_int(rows[-1][listing.key]) or last if rows else last
