"""Long lists by key, many pages in one batch: each page begins after the last id of the one before.

A page costs no COUNT with `start=-1`, and rows that come or go meanwhile shift nothing
(apidocs.bitrix24.com/settings/performance/huge-data). The price: after a page that is short or
failed, the next ones refer to a row that is not there, and what they return is noise.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from b24tools.bitrix24.batch import Batch, Command, Item, Pending, Query, Reference, to_int
from b24tools.core import errors
from b24tools.core.i18n import _

PAGE = 50
PROBE_PAGES = 10  # of a list whose length nobody knows
MOST_IDLE_ROUNDS = 3  # of a list whose pages bring nothing usable

__all__ = ["PAGE", "TASKS", "USERS", "ChainResult", "Listing", "Reader", "Reference", "commands", "read"]


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
    `error` is the failure of the page that broke the chain, if it was one. `nameless` rows had no id:
    they are not among `rows`.
    """

    rows: list[dict[str, Any]]
    complete: bool
    last_id: int
    error: errors.PortalError | None = None
    nameless: int = 0


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
    page = nameless = 0
    while (item := items.get(f"{prefix}{page}")) is not None:
        if item.error is not None:
            return ChainResult(rows, False, last, item.error, nameless)
        found = _rising(listing, item.result, last)
        if found is None:
            return ChainResult(rows, False, last, None, nameless)
        named = [row for row in found if to_int(row.get(listing.key)) is not None]
        rows += named
        nameless += len(found) - len(named)
        last = _last_id(listing, named, last)
        if len(found) < PAGE:
            return ChainResult(rows, True, last, None, nameless)
        page += 1
    return ChainResult(rows, False, last, None, nameless)


class Pages:
    """The pages of a list that ride in a batch; `read` once it is sent."""

    def __init__(self, listing: Listing, after: int, pages: list[Pending[Any]]) -> None:
        self._listing = listing
        self._after = after
        self._pages = pages

    def read(self) -> ChainResult:
        """The rows up to the first short, empty or failed page; noise behind it does not count."""
        items = {f"page{number}": page.item for number, page in enumerate(self._pages)}
        return read(self._listing, items, after=self._after)


def add_pages(batch: Batch, listing: Listing, params: Mapping[str, Any], *, length: int, after: int = 0) -> Pages:
    """Add `length` pages of a list to a batch, each beginning after the last id of the one before.

    They must go in one request: at most `batch.room` of them.
    """
    start = start_of(listing, params, after)
    pages: list[Pending[Any]] = []
    for command in commands(listing, params, length=length, after=after).values():
        query = Query(command, lambda result: result)
        if pages:
            last = pages[-1].reference(*listing.rows, PAGE - 1, listing.key)
            condition = {**command.params[listing.filter], ">ID": last}
            query = Query(Command(listing.method, {**command.params, listing.filter: condition}), lambda result: result)
        pages.append(batch.add(query))
    return Pages(listing, start, pages)


@dataclass(frozen=True, slots=True)
class _Leg:
    """A chain that is on its way. `overlaps`: it began at an offset, and its first page has the last row before it.

    `counts`: its first page tells how many rows there are.
    """

    prefix: str
    overlaps: bool
    counts: bool


class Reader:
    """A long list that is read over several batches, in the room that others leave there; several may be on their way.

    Where a chain begins is known when the one before has come. Meanwhile the next ones begin at an offset, a page
    early, and count if that page joins on: rows that leave the list move it, and one that does not is asked for again.

    `left` is how many rows are probably still to come; None: nobody knows. The portal counts them with the next page
    then, and where one batch will not do. `rows` of a batch count up to the chain's end; `after` is the cursor.
    `nameless`: rows without an id that were left out.
    """

    def __init__(
        self,
        listing: Listing,
        params: Mapping[str, Any],
        *,
        prefix: str,
        after: int = 0,
        left: int | None = None,
        probe: int = PROBE_PAGES,
    ) -> None:
        self._listing = listing
        self._params = params
        self._prefix = prefix
        self._probe = probe
        self._idle = 0
        self._error: errors.PortalError | None = None
        self._legs: deque[_Leg] = deque()
        self._asked = 0  # legs, ever
        self.after = self._base = start_of(listing, params, after)
        self.left = self._expected = left  # the latter: after `_base`, of which `_planned` pages are asked for
        self._planned = 0
        self._counted = False
        self.complete = False
        self.nameless = 0

    def commands(self, room: int) -> dict[str, Command]:
        """The next pages, at most `room` of them: as many as are needed, and one to see the end.

        Nothing while all that is needed, or what tells how much that is, is on its way.
        """
        if self.complete:
            return {}
        if not self._legs:
            self._base, self._expected, self._planned = self.after, self.left, 0
        overlap = int(self._planned > 0)
        wanted = self._probe if self._expected is None else self._expected // PAGE + 1
        length = min(room, wanted - self._planned + overlap)
        if length <= overlap or (overlap and self._expected is None):
            return {}
        self._asked += 1
        prefix = f"{self._prefix}{self._asked}_"
        chain = commands(self._listing, self._params, length=length, after=self._base, prefix=prefix)
        counts = not overlap and (self._expected is None or (wanted > length and not self._counted))
        if overlap or counts:
            first = f"{prefix}0"
            offset = max(0, self._planned - 1) * PAGE
            chain[first] = Command(self._listing.method, {**chain[first].params, "start": offset})
        self._legs.append(_Leg(prefix, bool(overlap), counts))
        self._planned += length - overlap
        return chain

    def read(self, items: Mapping[str, Item]) -> list[dict[str, Any]]:
        """The rows that count among a batch's items, which come in the order they were asked for.

        Call `check` when they are safe.
        """
        if not self._legs or f"{self._legs[0].prefix}0" not in items:
            return []
        leg = self._legs.popleft()
        found = read(self._listing, items, after=self._base, prefix=leg.prefix)
        rows = found.rows
        self.nameless += found.nameless
        if leg.overlaps:
            ids = [int(row[self._listing.key]) for row in rows]
            if not ids or ids[0] > self.after:
                self.forget()
                return []
            rows = rows[bisect_right(ids, self.after) :]
        else:
            if leg.counts:
                self._counted = True
                self._expected = self.left = items[f"{leg.prefix}0"].total
            self._idle = 0 if found.complete or found.last_id > self.after else self._idle + 1
            self._error = found.error
        rest = None if self.left is None else self.left - len(rows)
        self.left = None if rest is None or rest < 0 else rest
        self.after, self.complete = max(self.after, found.last_id), found.complete
        if self.complete:
            self.forget()
        return rows

    def forget(self) -> None:
        """What is on its way no longer counts: it is asked for again, from the cursor on."""
        self._legs.clear()

    def check(self) -> None:
        """Raise what keeps the list from being read any further, if anything does."""
        if self._idle and self._error is not None:
            raise self._error
        if self._idle >= MOST_IDLE_ROUNDS:
            raise not_rising(self._listing)


def not_rising(listing: Listing) -> errors.PortalError:
    """The error of a portal that ignores the order or the filter: it cannot be read for ever."""
    message = _("{method}: the rows do not come in the order of their ids").format(method=listing.method)
    return errors.PortalError(message, method=listing.method)


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
    """The rows of a page; None for one that is no page, or whose ids do not rise above `last`.

    Some rows may have no id, but not all of them.
    """
    for part in listing.rows:
        if not isinstance(result, Mapping):
            break
        result = result.get(part)
    if isinstance(result, Mapping):  # a PHP array with gaps
        result = list(result.values())
    if not isinstance(result, list):
        return None
    before = last
    for row in result:
        if not isinstance(row, dict):
            return None
        number = to_int(row.get(listing.key))
        if number is None:
            continue
        if number <= last:
            return None
        last = number
    return result if last > before or not result else None


def _last_id(listing: Listing, rows: list[dict[str, Any]], last: int) -> int:
    return to_int(rows[-1][listing.key]) or last if rows else last
