"""Long lists by key: what is asked, and which rows of the answer count."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24tools.bitrix24.batch import MOST_COMMANDS, Answer, Batch, Pending, Query, Reference
from b24tools.bitrix24.pagination import TASKS, USERS, ListMethod, PageRows, Pages, Paginator, add_pages
from b24tools.core import errors
from tests.support.http import FakeTime, Script, batch_answer, error, open_client


def tasks(*numbers: int) -> dict[str, Any]:
    return {"tasks": rows(*numbers)}


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": str(number)} for number in numbers]


def page(first: int, count: int = 50) -> dict[str, Any]:
    return tasks(*range(first, first + count))


class Recorder:
    """A batch that is sent to nobody: its commands, and the answers that a test gives."""

    def __init__(self) -> None:
        self.asked: list[Pending[Any]] = []
        self.batch = Batch(self.take, lambda command: Answer())

    def take(self, request: Sequence[Pending[Any]]) -> None:
        self.asked += request

    @property
    def commands(self) -> list[Query[Any]]:
        """What was added."""
        self.batch.send()
        return [pending.query for pending in self.asked]


def asked(method: ListMethod, params: Mapping[str, Any], **options: Any) -> list[Query[Any]]:
    """The commands of some pages."""
    recorder = Recorder()
    add_pages(recorder.batch, method, params, **options)
    return recorder.commands


def test_pages_of_tasks_are_asked_for_after_the_last_row_of_the_one_before() -> None:
    """By key, without a count."""
    common = {"select": ["ID", "TITLE"], "order": {"ID": "asc"}, "start": -1}
    after = [100, Reference("$result[c0][tasks][49][id]"), Reference("$result[c1][tasks][49][id]")]
    assert [Query("tasks.task.list", {**common, "filter": {"REAL_STATUS": 5, ">ID": last}}) for last in after] == asked(
        TASKS, {"select": ["ID", "TITLE"], "filter": {"REAL_STATUS": 5}}, length=3, after=100
    )


def test_pages_of_users_are_sorted_at_top_level() -> None:
    """user.get has other names for the same, and no folder around its rows."""
    common = {"sort": "ID", "order": "ASC", "start": -1}
    assert [
        Query("user.get", {**common, "FILTER": {"ACTIVE": "Y", ">ID": 0}}),
        Query("user.get", {**common, "FILTER": {"ACTIVE": "Y", ">ID": Reference("$result[c0][49][ID]")}}),
    ] == asked(USERS, {"FILTER": {"ACTIVE": "Y"}}, length=2)


def test_the_callers_own_conditions_are_kept_and_its_order_is_not() -> None:
    """A list of ids stays beside `>ID`; in another order, or from an offset, no page could begin after the last."""
    params = {"filter": {"ID": [5, 6], "<=ID": 90}, "order": {"TITLE": "asc"}, "start": 0}
    (command,) = asked(TASKS, params, length=1, after=30)
    assert command.params == {"filter": {"ID": [5, 6], ">ID": 30, "<=ID": 90}, "order": {"ID": "asc"}, "start": -1}


def without_id(result: dict[str, Any], index: int) -> dict[str, Any]:
    """The page, but one of its rows has no id."""
    listed = list(result["tasks"])
    listed[index] = {"id": None}
    return {"tasks": listed}


BUSY = errors.PortalBusy("tasks.task.list: later")


def read(results: Sequence[Any], after: int = 0) -> PageRows:
    """What counts of pages with these results, or errors."""
    recorder = Recorder()
    pages = add_pages(recorder.batch, TASKS, {}, length=len(results), after=after)
    recorder.batch.send()
    for pending, result in zip(recorder.asked, results, strict=True):
        pending.item = Answer(error=result) if isinstance(result, errors.PortalError) else Answer(result)
    return pages.read()


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([page(1), page(51), tasks(101, 105)], PageRows(rows(*range(1, 102), 105), True, 105)),
        ([page(1), page(51)], PageRows(rows(*range(1, 101)), False, 100)),
        ([page(1), tasks()], PageRows(rows(*range(1, 51)), True, 50)),
        ([[]], PageRows([], True, 0)),
        ([tasks(3, 4), page(1), page(1)], PageRows(rows(3, 4), True, 4)),
        ([page(1), BUSY, page(51)], PageRows(rows(*range(1, 51)), False, 50, BUSY)),
        ([BUSY], PageRows([], False, 0, BUSY)),
        ([page(1), page(50)], PageRows(rows(*range(1, 51)), False, 50)),
        ([page(1), tasks(2, 3)], PageRows(rows(*range(1, 51)), False, 50)),
        ([tasks(5, 4)], PageRows([], False, 0)),
        ([tasks(5, 5)], PageRows([], False, 0)),
        ([{"tasks": {"0": {"id": "1"}, "2": {"id": 2}}}], PageRows([{"id": "1"}, {"id": 2}], True, 2)),
        ([{"tasks": None}], PageRows([], False, 0)),
        ([{"rows": []}], PageRows([], False, 0)),
        ([None], PageRows([], False, 0)),
        (["text"], PageRows([], False, 0)),
        ([{"tasks": [7]}], PageRows([], False, 0)),
        ([{"tasks": [{"id": "1"}, {"ID": "2"}, {"id": "3"}]}], PageRows(rows(1, 3), True, 3, None, 1)),
        ([without_id(page(1), 49), page(1)], PageRows(rows(*range(1, 50)), False, 49, None, 1)),
        ([without_id(page(1), 7), tasks(51)], PageRows(rows(*range(1, 8), *range(9, 52)), True, 51, None, 1)),
        ([{"tasks": [{"ID": "1"}]}], PageRows([], False, 0)),
        ([{"tasks": [{"id": "x"}]}], PageRows([], False, 0)),
        ([], PageRows([], False, 0)),
    ],
)
def test_only_the_pages_up_to_the_first_short_empty_or_failed_one_count(results: list[Any], expected: PageRows) -> None:
    """Ids must rise; what follows a break is noise."""
    assert expected == read(results)


def test_rows_at_or_below_the_starting_id_are_an_ignored_filter() -> None:
    """The portal ignores filters it does not understand and returns everything."""
    assert PageRows([], False, 100) == read([page(1)], after=100)


class ListPortal(httpx.BaseTransport):
    """tasks.task.list in batches over some ids; `spoil` may change an answer's result and errors."""

    def __init__(self, ids: list[int], spoil: Any = None) -> None:
        self.ids = ids
        self.asked: list[list[str]] = []
        self.spoil = spoil or (lambda number, result, failed: None)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        commands = json.loads(request.content)["cmd"]
        result: dict[str, Any] = {}
        asked = []
        for key, text in commands.items():
            after = unquote(text).partition("[>ID]=")[2].partition("&")[0]
            asked.append(after)
            if after.startswith("$"):
                before = result[f"c{int(key.removeprefix('c')) - 1}"]["tasks"]
                after = before[49]["id"] if len(before) == 50 else "0"
            result[key] = tasks(*[number for number in self.ids if number > int(after)][:50])
        failed: dict[str, Any] = {}
        self.asked.append(asked)
        self.spoil(len(self.asked), result, failed)
        return batch_answer({key: value for key, value in result.items() if key not in failed}, failed)


def test_all_rows_of_a_long_list_are_read_in_few_requests() -> None:
    """Portions of a batch each, to the end, each row once."""
    portal = ListPortal(list(range(1, 500, 3)))
    portions = list(open_client(portal).pages(TASKS, {}, length=2))
    assert [rows(*portal.ids[:100]), rows(*portal.ids[100:])] == portions
    assert portal.asked == [["0", "$result[c0][tasks][49][id]"], ["298", "$result[c0][tasks][49][id]"]]


def test_a_list_that_ends_with_a_full_page_ends() -> None:
    """One more request finds nothing."""
    portal = ListPortal(list(range(1, 101)))
    assert [rows(*portal.ids)] == list(open_client(portal).pages(TASKS, {}, length=2))
    assert len(portal.asked) == 2


def test_reading_goes_on_from_where_the_caller_is() -> None:
    """After the last id that it has."""
    assert [rows(3, 4)] == list(open_client(ListPortal([1, 2, 3, 4])).pages(TASKS, {}, after=2))


def test_a_failed_page_is_read_again_from_the_last_good_id() -> None:
    """What came after it is thrown away."""

    def spoil(number: int, result: dict[str, Any], failed: dict[str, Any]) -> None:
        if number == 1:
            failed["c1"] = {"error": "ERROR_CORE", "error_description": "SQL query error!"}

    portal = ListPortal(list(range(1, 181)), spoil)
    portions = list(open_client(portal).pages(TASKS, {}, length=4))
    assert [rows(*range(1, 51)), rows(*range(51, 181))] == portions
    assert [asked[0] for asked in portal.asked] == ["0", "50"]


def test_a_page_that_always_fails_ends_the_reading_with_its_error() -> None:
    """Rows that were good are out already."""

    def spoil(number: int, result: dict[str, Any], failed: dict[str, Any]) -> None:
        if number > 1:
            failed["c0"] = {"error": "ERROR_CORE", "error_description": "no"}

    portal = ListPortal(list(range(1, 181)), spoil)
    reading = open_client(portal).pages(TASKS, {}, length=2)
    assert rows(*range(1, 101)) == next(reading)
    with pytest.raises(errors.PortalError, match="no"):
        next(reading)
    assert len(portal.asked) == 2


def test_noise_without_end_ends_in_an_error() -> None:
    """A portal that ignores the order or the filter cannot be read for ever."""
    portal = ListPortal([1], lambda number, result, failed: result.update(c0=tasks(5, 4)))
    with pytest.raises(errors.PortalError, match="the rows do not come in the order of their ids"):
        list(open_client(portal).pages(TASKS, {}, length=1))
    assert len(portal.asked) == 3


def test_a_cut_batch_of_pages_is_read_again() -> None:
    """Reading is safe to repeat."""
    time = FakeTime()
    script = Script(httpx.Response(504, text="<html>"), batch_answer({"c0": tasks(1), "c1": tasks(1)}))
    assert [rows(1)] == list(open_client(script, time).pages(TASKS, {}, length=2))
    assert time.naps == [0.5]


def test_missing_rights_end_the_reading_at_once() -> None:
    """A person must act."""
    script = Script(error("INVALID_CREDENTIALS", status=401))
    with pytest.raises(errors.PortalDenied):
        list(open_client(script).pages(TASKS, {}))


class Listed:
    """tasks.task.list over ids that come and go, answering what a paginator asks. `deaf`: to offsets."""

    def __init__(self, ids: Iterable[int], *, deaf: bool = False) -> None:
        self.ids = sorted(ids)
        self.deaf = deaf

    def ask(self, paginator: Paginator, room: int = MOST_COMMANDS) -> tuple[Pages, Recorder] | None:
        """The next pages, not answered yet; None where none are asked for."""
        recorder = Recorder()
        pages = paginator.add_to(recorder.batch, room)
        recorder.batch.send()
        assert len(recorder.asked) <= room
        return None if pages is None else (pages, recorder)

    def answer(self, recorder: Recorder) -> None:
        answered: dict[str, Any] = {}
        for pending in recorder.asked:
            params = pending.query.params
            after, start, through = params["filter"][">ID"], params["start"], params["filter"].get("<=ID")
            if isinstance(after, Reference):
                before = answered[after.partition("[")[2].partition("]")[0]]
                after = int(before[49]["id"]) if len(before) == 50 else 0
            first = bisect_right(self.ids, after)
            end = len(self.ids) if through is None else bisect_right(self.ids, through)
            offset = first + (0 if self.deaf else max(0, start))
            answered[pending.key] = rows(*self.ids[offset : min(offset + 50, end)])
            pending.item = Answer({"tasks": answered[pending.key]}, total=None if start == -1 else end - first)


def ids_of(listed: Iterable[Mapping[str, Any]]) -> list[int]:
    return [int(row["id"]) for row in listed]


def test_a_list_is_counted_once_and_then_asked_for_as_far_as_it_goes() -> None:
    """The first pages of a list that nobody has counted are few; the others are known, and one to see the end."""
    portal, paginator = Listed(range(1, 301)), Paginator(TASKS, {}, probe=2)
    sizes = []
    while (asked := portal.ask(paginator)) is not None:
        portal.answer(asked[1])
        sizes.append((len(paginator.read(asked[0])), asked[1].commands[0].params["start"], paginator.left))
    assert [(100, 0, 200), (200, -1, 0)] == sizes
    assert (paginator.after, paginator.complete) == (300, True)


def test_a_list_in_one_part_waits_for_each_answer() -> None:
    """The next page begins where the last one ended."""
    portal, paginator = Listed(range(1, 5001)), Paginator(TASKS, {}, left=5000)
    asked = portal.ask(paginator)
    assert asked is not None and portal.ask(paginator) is None
    portal.answer(asked[1])
    assert ids_of(paginator.read(asked[0])) == list(range(1, 2501))
    assert portal.ask(paginator) is not None


def test_the_parts_of_a_long_list_meet_where_its_offsets_say() -> None:
    """Each is as long as a batch, so that no request more is needed; they are asked for at once."""
    portal, paginator = Listed(range(10, 80_000, 10)), Paginator(TASKS, {}, left=7_999, split=True)
    first = portal.ask(paginator)
    assert first is not None and portal.ask(paginator) is None
    portal.answer(first[1])
    assert ids_of(paginator.read(first[0])) == portal.ids[:2400]
    others = [portal.ask(paginator) for _number in range(3)]
    assert portal.ask(paginator) is None
    filters = [asked[1].commands[0].params["filter"] for asked in others if asked]
    assert [{">ID": 24_000, "<=ID": 49_000}, {">ID": 49_000, "<=ID": 74_000}, {">ID": 74_000}] == filters
    ids = []
    for asked in others:
        assert asked is not None
        portal.answer(asked[1])
        ids += ids_of(paginator.read(asked[0]))
    assert (ids, paginator.complete) == (portal.ids[2400:], True)


def test_parts_are_read_in_the_order_of_their_ids() -> None:
    """Or the cursor would stand before rows that are not saved."""
    portal, paginator = Listed(range(1, 8_001)), Paginator(TASKS, {}, left=8_000, split=True)
    first = portal.ask(paginator)
    assert first is not None
    portal.answer(first[1])
    paginator.read(first[0])
    _second, third = portal.ask(paginator), portal.ask(paginator)
    assert third is not None
    with pytest.raises(ValueError, match="order of their ids"):
        paginator.read(third[0])


def test_a_portal_that_ignores_offsets_is_read_in_one_part() -> None:
    """The ids it gives are no bounds."""
    portal, paginator = Listed(range(1, 10_001), deaf=True), Paginator(TASKS, {}, left=10_000, split=True)
    ids: list[int] = []
    while (asked := portal.ask(paginator)) is not None:
        portal.answer(asked[1])
        ids += ids_of(paginator.read(asked[0]))
    assert (ids, paginator.complete) == (portal.ids, True)


def test_what_is_on_its_way_is_asked_for_again_after_a_restart() -> None:
    """In smaller batches, from the last id that was read."""
    portal, paginator = Listed(range(1, 301)), Paginator(TASKS, {}, left=300)
    assert portal.ask(paginator) is not None
    paginator.restart()
    again = portal.ask(paginator, room=3)
    assert again is not None and len(again[1].asked) == 3
    portal.answer(again[1])
    assert ids_of(paginator.read(again[0])) == list(range(1, 151))


@settings(deadline=None)
@given(
    count=st.integers(0, 8_000),
    known=st.one_of(st.none(), st.integers(0, 10_000)),
    room=st.sampled_from([3, 7, 49, 50]),
    under_way=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
def test_whatever_comes_and_goes_no_row_is_lost_or_doubled(
    count: int, known: int | None, room: int, under_way: int, seed: int
) -> None:
    """Of the rows that are there throughout; the portal executes requests in any order."""
    portal, chance = Listed(range(10, 10 + 3 * count, 3)), Random(seed)
    paginator = Paginator(TASKS, {}, left=known, split=under_way > 1)
    always, ids = set(portal.ids), list[int]()
    coming: list[tuple[Pages, Recorder]] = []
    for _round in range(5_000):
        while len(coming) < under_way and (asked := portal.ask(paginator, room)) is not None:
            coming.append(asked)
        if not coming:
            break
        for _pages, recorder in chance.sample(coming, chance.randint(0, len(coming))):
            if recorder.asked[0].error is not None:
                portal.answer(recorder)
        if portal.ids and chance.random() < 0.3:
            gone = chance.sample(portal.ids, min(len(portal.ids), chance.choice((1, 40, 120))))
            new = (chance.randint(1, 40_000) for _new in range(chance.choice((0, 3, 60))))
            portal.ids = sorted({*portal.ids, *new} - set(gone))
            always &= set(portal.ids)
        pages, recorder = coming.pop(next(n for n, asked in enumerate(coming) if asked[0].after == paginator.after))
        if recorder.asked[0].error is not None:
            portal.answer(recorder)
        ids += ids_of(paginator.read(pages))
    assert paginator.complete
    assert ids == sorted(set(ids))
    assert always <= set(ids)
