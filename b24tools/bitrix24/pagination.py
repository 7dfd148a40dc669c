"""Long lists by key, many pages in one batch: each page begins after the last id of the one before.

A page costs no COUNT with `start=-1`, and rows that come or go meanwhile shift nothing
(apidocs.bitrix24.com/settings/performance/huge-data). The price: after a page that is short or
failed, the next ones refer to a row that is not there, and what they return is noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from b24tools.bitrix24.batch import MOST_COMMANDS, Answer, Batch, Command, Pending, Query, Reference
from b24tools.bitrix24.parsing import to_int
from b24tools.core import errors
from b24tools.core.i18n import _

PAGE = 50
PROBE_PAGES = 10  # of a list whose length is not known
MOST_IDLE_ROUNDS = 3  # of a list whose pages bring nothing usable


@dataclass(frozen=True, slots=True)
class ListMethod:
    """A list method that can be read by key.

    `rows` is the path to the rows in its result, `key` a row's id there, `filter` the parameter
    that takes `>ID`, `order` the parameters that sort by id.
    """

    method: str
    rows: tuple[str, ...]
    key: str
    filter: str
    order: tuple[tuple[str, Any], ...]


TASKS = ListMethod("tasks.task.list", ("tasks",), "id", "filter", (("order", {"ID": "asc"}),))
# user.get sorts by nothing unless both are given.
USERS = ListMethod("user.get", (), "ID", "FILTER", (("sort", "ID"), ("order", "ASC")))


@dataclass(frozen=True, slots=True)
class PageRows:
    """The rows of some pages up to the first short, empty or failed one; noise behind it does not count.

    `complete`: the list's end was among them; else it goes on after `last_id`, and `error` is the failure of the page
    that broke it off, if it was one. `nameless` rows had no id: they are not among `rows`.
    """

    rows: list[dict[str, Any]]
    complete: bool
    last_id: int
    error: errors.PortalError | None = None
    nameless: int = 0


class Pages:
    """The pages of a list that ride in a batch; `read` once it is sent."""

    def __init__(
        self, method: ListMethod, after: int, through: int | None, pages: Sequence[Pending[Any]], counts: bool
    ) -> None:
        self.after = after
        self.through = through
        self.counts = counts
        self._method = method
        self._pages = pages

    @property
    def total(self) -> int | None:
        """How many rows there are after `after`, where the first page was to count them."""
        return self._pages[0].item.total if self.counts else None

    def read(self) -> PageRows:
        """Take the rows that count: ids must rise from `after` on."""
        rows: list[dict[str, Any]] = []
        last, nameless = self.after, 0
        for page in self._pages:
            found = None if page.error is not None else _rising_rows(self._method, page.item.result, last)
            if found is None:
                return PageRows(rows, False, last, page.error, nameless)
            named = [row for row in found if to_int(row.get(self._method.key)) is not None]
            rows += named
            nameless += len(found) - len(named)
            last = int(named[-1][self._method.key]) if named else last
            if len(found) < PAGE or last == self.through:
                return PageRows(rows, True, last, None, nameless)
        return PageRows(rows, False, last, None, nameless)


def add_pages(
    batch: Batch,
    method: ListMethod,
    params: Mapping[str, Any],
    *,
    length: int,
    after: int = 0,
    through: int | None = None,
    count: bool = False,
) -> Pages:
    """Add `length` pages of a list to a batch, each beginning after the last id of the one before.

    They must go in one request: at most `batch.room` of them. The caller's filter is kept; of its own `>ID` and
    `after` the higher one counts. `through`: the last id that is wanted. `count`: let the first page count the rows.
    """
    start = _start_of(method, params, after)
    pages: list[Pending[Any]] = []
    for _number in range(length):
        last = pages[-1].reference(*method.rows, PAGE - 1, method.key) if pages else start
        offset = 0 if count and not pages else -1
        pages.append(batch.add(_page(method, params, last, through, offset)))
    return Pages(method, start, through, pages, count)


class _Part(NamedTuple):
    """Rows with ids above `after`, up to `through` or to the list's end. `rows`: how many are expected."""

    after: int
    through: int | None
    rows: int | None


class Paginator:
    """A list that is read over several batches: `add_to` each of them, and `read` its pages once it is sent.

    `after`: all rows up to this id have been read. `left`: how many are probably still to come; None: not known, and
    the portal counts them with the next page. `complete`: the list has been read to its end. `nameless`: how many rows
    had no id and were left out.

    With `split`, a long list is cut into parts of a batch each, so that several may be on their way at once: the ids
    where they meet are asked for by their offsets. They must be read in the order of their ids: the next ones are
    those whose `after` is the paginator's.
    """

    def __init__(
        self,
        method: ListMethod,
        params: Mapping[str, Any],
        *,
        after: int = 0,
        left: int | None = None,
        probe: int = PROBE_PAGES,
        split: bool = False,
    ) -> None:
        self.after = _start_of(method, params, after)
        self.left = left
        self.complete = False
        self.nameless = 0
        self._method = method
        self._params = params
        self._probe = probe
        self._split = split
        self._counted = False
        self._idle = 0
        self._parts: list[_Part] = []  # in order, not asked for yet
        self._bounds: list[Pending[Any]] = []  # pages that each end with the last row of a part
        self.restart()

    def restart(self) -> None:
        """Begin anew from `after` on: what is on its way does not count any more."""
        self._parts = [_Part(self.after, None, self.left)]

    def add_to(self, batch: Batch, room: int) -> Pages | None:
        """Add the next pages to a batch, with at most `room` commands; None while all that is needed is on its way.

        They are as many as are probably needed, and one to see the end.
        """
        if not self._parts or room < 1:
            return None
        after, through, rows = self._parts.pop(0)
        wanted = self._probe if rows is None else rows // PAGE + 1
        bounds = 0
        if self._split and through is None and rows is not None:
            bounds = min(max(0, (wanted - 3) // (MOST_COMMANDS - 1) - 1), room - 1)
        length = min(room - bounds, wanted)
        count = through is None and (rows is None or (wanted > length and not self._counted))
        pages = add_pages(batch, self._method, self._params, length=length, after=after, through=through, count=count)
        if through is None:
            ends = (length + number * MOST_COMMANDS for number in range(1, bounds + 1))
            self._bounds = [
                batch.add(_page(self._method, {**self._params, "select": ["ID"]}, after, None, (end - 1) * PAGE))
                for end in ends
            ]
        return pages

    def read(self, pages: Pages) -> list[dict[str, Any]]:
        """Take the rows that count; raises what keeps the list from being read any further."""
        if pages.after != self.after:
            raise ValueError("the parts of a list are read in the order of their ids")
        found = pages.read()
        self.nameless += found.nameless
        if pages.counts:
            self._counted = True
            self.left = pages.total
        left = -1 if self.left is None else self.left - len(found.rows)
        self.left = left if left >= 0 else None
        self._idle = 0 if found.complete or found.last_id > self.after else self._idle + 1
        if self._idle and found.error is not None:
            raise found.error
        if self._idle >= MOST_IDLE_ROUNDS:
            message = _("{method}: the rows do not come in the order of their ids").format(method=self._method.method)
            raise errors.PortalError(message, method=self._method.method)
        self.after = found.last_id
        if not found.complete:
            self._parts[:0] = self._rest(pages.through)
        elif pages.through is not None:
            self.after = pages.through
        else:
            self.complete = True
        return found.rows

    def _rest(self, through: int | None) -> list[_Part]:
        """What follows `after`, in parts: one to `through`, or as many as the bounds make of the list's rest."""
        if through is not None:
            return [_Part(self.after, through, None)]
        ids, size = [self.after], MOST_COMMANDS * PAGE
        for bound in self._bounds:
            rows = None if bound.error else _rising_rows(self._method, bound.item.result, ids[-1])
            last = to_int(rows[-1].get(self._method.key)) if rows and len(rows) == PAGE else None
            if last is None:
                break  # the list has become shorter, or the portal does not heed the offset
            ids.append(last)
        tail = None if self.left is None else max(0, self.left - size * (len(ids) - 1))
        return [*(_Part(first, last, size) for first, last in pairwise(ids)), _Part(ids[-1], None, tail)]


def _page(
    method: ListMethod, params: Mapping[str, Any], after: int | str, through: int | None, start: int
) -> Query[Any]:
    """Ask for the rows with ids above `after`, up to `through`; from an offset and counted unless `start` is -1."""
    taken = {name for name, _value in method.order} | {"start"}
    if taken & params.keys():
        raise ValueError(f"{method.method}: pages set {sorted(taken)} themselves")
    select = params.get("select")
    if isinstance(select, (list, tuple)) and select and not {"ID", "*"} & {str(name).upper() for name in select}:
        params = {**params, "select": ["ID", *select]}  # the next page cannot do without
    conditions = {**(params.get(method.filter) or {}), ">ID": after}
    if through is not None:
        conditions["<=ID"] = through
    return Query(
        Command(method.method, {**params, **dict(method.order), method.filter: conditions, "start": start}),
        lambda result: result,
    )


def _start_of(method: ListMethod, params: Mapping[str, Any], after: int) -> int:
    """The id that pages begin after."""
    own = (params.get(method.filter) or {}).get(">ID")
    number = 0 if own is None else to_int(own)
    if number is None:
        raise ValueError(f"{method.method}: not an id: {own!r}")
    return max(after, number)


def _rising_rows(method: ListMethod, result: Any, last: int) -> list[dict[str, Any]] | None:
    """The rows of a page; None for one that is no page, or whose ids do not rise above `last`.

    Some rows may have no id, but not all of them.
    """
    for part in method.rows:
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
        number = to_int(row.get(method.key))
        if number is None:
            continue
        if number <= last:
            return None
        last = number
    return result if last > before or not result else None


# What follows is for callers that have not been converted to `add_pages` yet.


def commands(
    method: ListMethod, params: Mapping[str, Any], *, length: int, after: int = 0, prefix: str = "page"
) -> dict[str, Command]:
    """The commands of `length` pages, with the keys `page0`, `page1`, …"""
    found = {}
    for number in range(length):
        path = "".join(f"[{part}]" for part in (f"{prefix}{number - 1}", *method.rows, PAGE - 1, method.key))
        last = Reference(f"$result{path}") if number else _start_of(method, params, after)
        found[f"{prefix}{number}"] = _page(method, params, last, None, -1).command
    return found


def read(method: ListMethod, items: Mapping[str, Answer], *, after: int = 0, prefix: str = "page") -> PageRows:
    """The rows of the pages up to the first short, empty or failed one."""
    pages: list[Pending[Any]] = []
    while (item := items.get(f"{prefix}{len(pages)}")) is not None:
        pages.append(Pending("", Query(Command(method.method), lambda result: result), None))
        pages[-1].item = item
    return Pages(method, after, None, pages, False).read()
