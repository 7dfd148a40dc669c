"""Long lists by key: what is asked, and which rows of the answer count."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from b24tools import errors
from b24tools.bitrix import chains
from b24tools.bitrix.batches import Command, Item
from b24tools.bitrix.chains import TASKS, USERS, ChainResult, Reference
from tests.scripted import FakeTime, Script, batch_answer, error, open_client


def tasks(*numbers: int) -> dict[str, Any]:
    return {"tasks": rows(*numbers)}


def rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": str(number)} for number in numbers]


def page(first: int, count: int = 50) -> dict[str, Any]:
    return tasks(*range(first, first + count))


def items(*results: Any) -> dict[str, Item]:
    return {
        f"page{index}": Item(f"page{index}", error=result)
        if isinstance(result, errors.PortalError)
        else Item(f"page{index}", result)
        for index, result in enumerate(results)
    }


def test_a_chain_of_tasks_asks_each_page_after_the_last_row_of_the_one_before() -> None:
    """By key, without a count."""
    select = ["ID", "TITLE"]
    common = {"select": select, "order": {"ID": "asc"}, "start": -1}
    assert {
        "page0": Command("tasks.task.list", {**common, "filter": {"REAL_STATUS": 5, ">ID": 100}}),
        "page1": Command(
            "tasks.task.list",
            {**common, "filter": {"REAL_STATUS": 5, ">ID": Reference("$result[page0][tasks][49][id]")}},
        ),
        "page2": Command(
            "tasks.task.list",
            {**common, "filter": {"REAL_STATUS": 5, ">ID": Reference("$result[page1][tasks][49][id]")}},
        ),
    } == chains.commands(TASKS, {"select": select, "filter": {"REAL_STATUS": 5}}, length=3, after=100)


def test_a_chain_of_users_sorts_at_top_level() -> None:
    """user.get has other names for the same, and no folder around its rows."""
    common = {"sort": "ID", "order": "ASC", "start": -1}
    assert {
        "u0": Command("user.get", {**common, "FILTER": {"ACTIVE": "Y", ">ID": 0}}),
        "u1": Command("user.get", {**common, "FILTER": {"ACTIVE": "Y", ">ID": Reference("$result[u0][49][ID]")}}),
    } == chains.commands(USERS, {"FILTER": {"ACTIVE": "Y"}}, length=2, prefix="u")


def test_the_callers_own_conditions_on_the_id_are_kept() -> None:
    """A list of ids stays beside `>ID`; of two `>ID` the higher counts."""
    chain = chains.commands(TASKS, {"filter": {"ID": [5, 6], ">ID": "40", "<=ID": 90}}, length=1, after=30)
    assert chain["page0"].params["filter"] == {"ID": [5, 6], ">ID": 40, "<=ID": 90}
    assert chains.start_of(TASKS, {"filter": {">ID": 40}}, 50) == 50


def test_the_id_is_selected_even_if_the_caller_forgot_it() -> None:
    """A chain cannot go on without it."""
    chosen = [
        chains.commands(TASKS, {"select": select}, length=1)["page0"].params["select"]
        for select in (["TITLE"], ["id"], ["*"])
    ]
    assert chosen == [["ID", "TITLE"], ["id"], ["*"]]


@pytest.mark.parametrize("params", [{"order": {"TITLE": "asc"}}, {"start": 0}, {"filter": {">ID": "x"}}])
def test_what_would_break_the_chain_is_refused(params: dict[str, Any]) -> None:
    """Another order, an offset, an id that is none."""
    with pytest.raises(ValueError, match=r"tasks\.task\.list"):
        chains.commands(TASKS, params, length=2)


BUSY = errors.PortalBusy("tasks.task.list: later")


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([page(1), page(51), tasks(101, 105)], ChainResult(rows(*range(1, 102), 105), True, 105)),
        ([page(1), page(51)], ChainResult(rows(*range(1, 101)), False, 100)),
        ([page(1), tasks()], ChainResult(rows(*range(1, 51)), True, 50)),
        ([[]], ChainResult([], True, 0)),
        ([tasks(3, 4), page(1), page(1)], ChainResult(rows(3, 4), True, 4)),
        ([page(1), BUSY, page(51)], ChainResult(rows(*range(1, 51)), False, 50, BUSY)),
        ([BUSY], ChainResult([], False, 0, BUSY)),
        ([page(1), page(50)], ChainResult(rows(*range(1, 51)), False, 50)),
        ([page(1), tasks(2, 3)], ChainResult(rows(*range(1, 51)), False, 50)),
        ([tasks(5, 4)], ChainResult([], False, 0)),
        ([tasks(5, 5)], ChainResult([], False, 0)),
        ([{"tasks": {"0": {"id": "1"}, "2": {"id": 2}}}], ChainResult([{"id": "1"}, {"id": 2}], True, 2)),
        ([{"tasks": None}], ChainResult([], False, 0)),
        ([{"rows": []}], ChainResult([], False, 0)),
        ([None], ChainResult([], False, 0)),
        (["text"], ChainResult([], False, 0)),
        ([{"tasks": [7]}], ChainResult([], False, 0)),
        ([{"tasks": [{"ID": "1"}]}], ChainResult([], False, 0)),
        ([{"tasks": [{"id": "x"}]}], ChainResult([], False, 0)),
        ([], ChainResult([], False, 0)),
    ],
)
def test_only_the_pages_up_to_the_first_short_empty_or_failed_one_count(
    results: list[Any], expected: ChainResult
) -> None:
    """Ids must rise; what follows a break is noise."""
    assert expected == chains.read(TASKS, items(*results))


def test_rows_at_or_below_the_starting_id_are_an_ignored_filter() -> None:
    """The portal ignores filters it does not understand and returns everything."""
    assert ChainResult([], False, 100) == chains.read(TASKS, items(page(1)), after=100)


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
                before = result[f"page{int(key.removeprefix('page')) - 1}"]["tasks"]
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
    assert portal.asked == [["0", "$result[page0][tasks][49][id]"], ["298", "$result[page0][tasks][49][id]"]]


def test_a_list_that_ends_with_a_full_page_ends() -> None:
    """One more request finds nothing."""
    portal = ListPortal(list(range(1, 101)))
    assert [rows(*portal.ids)] == list(open_client(portal).pages(TASKS, {}, length=2))
    assert len(portal.asked) == 2


def test_reading_goes_on_from_where_the_caller_is() -> None:
    """Its own `>ID` or `after`."""
    portal = ListPortal([1, 2, 3, 4])
    client = open_client(portal)
    assert [rows(3, 4)] == list(client.pages(TASKS, {"filter": {">ID": 1}}, after=2))
    assert [rows(2, 3, 4)] == list(client.pages(TASKS, {"filter": {">ID": 1}}))


def test_a_failed_page_is_read_again_from_the_last_good_id() -> None:
    """What came after it is thrown away."""

    def spoil(number: int, result: dict[str, Any], failed: dict[str, Any]) -> None:
        if number == 1:
            failed["page1"] = {"error": "ERROR_CORE", "error_description": "SQL query error!"}

    portal = ListPortal(list(range(1, 181)), spoil)
    portions = list(open_client(portal).pages(TASKS, {}, length=4))
    assert [rows(*range(1, 51)), rows(*range(51, 181))] == portions
    assert [asked[0] for asked in portal.asked] == ["0", "50"]


def test_a_page_that_always_fails_ends_the_reading_with_its_error() -> None:
    """Rows that were good are out already."""

    def spoil(number: int, result: dict[str, Any], failed: dict[str, Any]) -> None:
        if number > 1:
            failed["page0"] = {"error": "ERROR_CORE", "error_description": "no"}

    portal = ListPortal(list(range(1, 181)), spoil)
    reading = open_client(portal).pages(TASKS, {}, length=2)
    assert rows(*range(1, 101)) == next(reading)
    with pytest.raises(errors.PortalError, match="no"):
        next(reading)
    assert len(portal.asked) == 2


def test_noise_without_end_ends_in_an_error() -> None:
    """A portal that ignores the order or the filter cannot be read for ever."""
    portal = ListPortal([1], lambda number, result, failed: result.update(page0=tasks(5, 4)))
    with pytest.raises(errors.PortalError, match="the rows do not come in the order of their ids"):
        list(open_client(portal).pages(TASKS, {}, length=1))
    assert len(portal.asked) == 3


def test_a_cut_batch_of_pages_is_read_again() -> None:
    """Reading is safe to repeat."""
    time = FakeTime()
    script = Script(httpx.Response(504, text="<html>"), batch_answer({"page0": tasks(1), "page1": tasks(1)}))
    assert [rows(1)] == list(open_client(script, time).pages(TASKS, {}, length=2))
    assert time.naps == [0.5]


def test_missing_rights_end_the_reading_at_once() -> None:
    """A person must act."""
    script = Script(error("INVALID_CREDENTIALS", status=401))
    with pytest.raises(errors.PortalDenied):
        list(open_client(script).pages(TASKS, {}))
