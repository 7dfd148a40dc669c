"""Long lists by key, many pages in one batch: each page begins after the last id of the one before.

A page costs no COUNT with `start=-1`, and rows that come or go meanwhile shift nothing
(apidocs.bitrix24.com/settings/performance/huge-data). The price: after a page that is short or
failed, the next ones refer to a row that is not there, and what they return is noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from b24tools.bitrix24.batch import MOST_COMMANDS, PAGE, Batch, Pending, Query
from b24tools.bitrix24.parsing import int_or_none
from b24tools.core import errors
from b24tools.core.i18n import _

PROBE_PAGES = 10  # of a list whose length is not known
MOST_IDLE_ROUNDS = 3  # of a list whose pages bring nothing usable

ListParams = Mapping[str, Any]  # what of a list is wanted; its sequence and its pages are added


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


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of a list that ride in a batch; `read` once it is sent. `counts`: the first one counts the rows."""

    method: ListMethod
    after: int
    through: int | None
    pages: Sequence[Pending[Any]]
    counts: bool

    def read(self) -> PageRows:
        """Take the rows that count: ids must rise from `after` on."""
        rows: list[dict[str, Any]] = []
        last, nameless = self.after, 0
        for page in self.pages:
            content = None if page.error is not None else _read_page(self.method, page.item.result, last)
            if content is None:
                return PageRows(rows, False, last, page.error, nameless)
            named, count, last = content
            rows += named
            nameless += count - len(named)
            if count < PAGE or last == self.through:
                return PageRows(rows, True, last, None, nameless)
        return PageRows(rows, False, last, None, nameless)


def add_pages(
    batch: Batch,
    method: ListMethod,
    params: ListParams,
    *,
    length: int,
    after: int = 0,
    through: int | None = None,
    count: bool = False,
) -> Pages:
    """Add `length` pages of a list to a batch, each beginning after the last id of the one before.

    They must go in one request: at most `batch.room` of them. `through`: the last id that is wanted. `count`: let the
    first page count the rows.
    """
    pages: list[Pending[Any]] = []
    for _number in range(length):
        last = pages[-1].reference(*method.rows, PAGE - 1, method.key) if pages else after
        start = 0 if count and not pages else -1
        pages.append(batch.add(_page(method, params, last, through, start)))
    return Pages(method, after, through, pages, count)


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
        params: ListParams,
        *,
        after: int = 0,
        left: int | None = None,
        probe: int = PROBE_PAGES,
        split: bool = False,
    ) -> None:
        self.after = after
        self.left = left
        self.complete = False
        self.nameless = 0
        self._method, self._params, self._probe, self._split = method, params, probe, split
        self._counted = False
        self._idle = 0
        self._bounds: list[Pending[Any]] = []  # pages that each end with the last row of a part
        self.restart()

    def restart(self) -> None:
        """Begin anew from `after` on: what is on its way does not count any more."""
        self._parts = [_Part(self.after, None, self.left)]  # in order, not asked for yet

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
            only_ids = {**self._params, "select": ["ID"]}
            starts = [(length + MOST_COMMANDS * number - 1) * PAGE for number in range(1, bounds + 1)]
            self._bounds = [batch.add(_page(self._method, only_ids, after, None, start)) for start in starts]
        return pages

    def read(self, pages: Pages) -> list[dict[str, Any]]:
        """Take the rows that count; raises what keeps the list from being read any further."""
        if pages.after != self.after:
            raise ValueError("the parts of a list are read in the order of their ids")
        taken = pages.read()
        self.nameless += taken.nameless
        if pages.counts:
            self._counted = True
            self.left = pages.pages[0].item.total
        left = -1 if self.left is None else self.left - len(taken.rows)
        self.left = left if left >= 0 else None
        self._idle = 0 if taken.complete or taken.last_id > self.after else self._idle + 1
        if self._idle and taken.error is not None:
            raise taken.error
        if self._idle >= MOST_IDLE_ROUNDS:
            message = _("{method}: the rows do not come in the order of their ids").format(method=self._method.method)
            raise errors.PortalError(message, method=self._method.method)
        self.after = taken.last_id
        if not taken.complete:
            self._parts[:0] = self._rest(pages.through)
        elif pages.through is not None:
            self.after = pages.through
        else:
            self.complete = True
        return taken.rows

    def _rest(self, through: int | None) -> list[_Part]:
        """What follows `after`, in parts: one to `through`, or as many as the bounds make of the list's rest."""
        if through is not None:
            return [_Part(self.after, through, None)]
        parts, after, left = [], self.after, self.left
        for bound in self._bounds:
            content = None if bound.error else _read_page(self._method, bound.item.result, after)
            if not content or len(content[0]) < PAGE:
                break  # the list has become shorter, or the portal does not heed the offset
            parts.append(_Part(after, content[2], MOST_COMMANDS * PAGE))
            after, left = content[2], None if left is None else max(0, left - MOST_COMMANDS * PAGE)
        return [*parts, _Part(after, None, left)]


def _page(method: ListMethod, params: ListParams, after: int | str, through: int | None, start: int) -> Query[Any]:
    """Ask for the rows with ids above `after`, up to `through`; from an offset and counted unless `start` is -1."""
    conditions = {**params.get(method.filter, {}), ">ID": after} | ({} if through is None else {"<=ID": through})
    return Query(method.method, {**params, **dict(method.order), method.filter: conditions, "start": start})


def _read_page(method: ListMethod, result: Any, last: int) -> tuple[list[dict[str, Any]], int, int] | None:
    """Read a page: its rows, how many there were with those that have no id, and the last id.

    None for what is no page, or has no ids, or ids that do not rise above `last`.
    """
    for part in method.rows:
        if not isinstance(result, Mapping):
            break
        result = result.get(part)
    if isinstance(result, Mapping):  # a PHP array with gaps
        result = list(result.values())
    if not isinstance(result, list):
        return None
    rows = []
    for row in result:
        if not isinstance(row, dict):
            return None
        number = int_or_none(row.get(method.key))
        if number is None:
            continue
        if number <= last:
            return None
        last = number
        rows.append(row)
    return (rows, len(result), last) if rows or not result else None
