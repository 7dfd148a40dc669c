"""Long lists by key: what is asked, and which rows of the answer count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.bitrix24 import pagination
from b24tools.bitrix24.batch import Command, Item
from b24tools.bitrix24.pagination import TASKS, USERS, PageRows, Reader, Reference
from b24tools.core import errors
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
    } == pagination.commands(TASKS, {"select": select, "filter": {"REAL_STATUS": 5}}, length=3, after=100)


def test_a_chain_of_users_sorts_at_top_level() -> None:
    """user.get has other names for the same, and no folder around its rows."""
    common = {"sort": "ID", "order": "ASC", "start": -1}
    assert {
        "u0": Command("user.get", {**common, "FILTER": {"ACTIVE": "Y", ">ID": 0}}),
        "u1": Command("user.get", {**common, "FILTER": {"ACTIVE": "Y", ">ID": Reference("$result[u0][49][ID]")}}),
    } == pagination.commands(USERS, {"FILTER": {"ACTIVE": "Y"}}, length=2, prefix="u")


def test_the_callers_own_conditions_on_the_id_are_kept() -> None:
    """A list of ids stays beside `>ID`; of two `>ID` the higher counts."""
    chain = pagination.commands(TASKS, {"filter": {"ID": [5, 6], ">ID": "40", "<=ID": 90}}, length=1, after=30)
    assert chain["page0"].params["filter"] == {"ID": [5, 6], ">ID": 40, "<=ID": 90}
    assert pagination.start_of(TASKS, {"filter": {">ID": 40}}, 50) == 50


def test_the_id_is_selected_even_if_the_caller_forgot_it() -> None:
    """A chain cannot go on without it."""
    chosen = [
        pagination.commands(TASKS, {"select": select}, length=1)["page0"].params["select"]
        for select in (["TITLE"], ["id"], ["*"])
    ]
    assert chosen == [["ID", "TITLE"], ["id"], ["*"]]


@pytest.mark.parametrize("params", [{"order": {"TITLE": "asc"}}, {"start": 0}, {"filter": {">ID": "x"}}])
def test_what_would_break_the_chain_is_refused(params: dict[str, Any]) -> None:
    """Another order, an offset, an id that is none."""
    with pytest.raises(ValueError, match=r"tasks\.task\.list"):
        pagination.commands(TASKS, params, length=2)


def without_id(result: dict[str, Any], index: int) -> dict[str, Any]:
    """The page, but one of its rows has no id."""
    found = list(result["tasks"])
    found[index] = {"id": None}
    return {"tasks": found}


BUSY = errors.PortalBusy("tasks.task.list: later")


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
    assert expected == pagination.read(TASKS, items(*results))


def test_rows_at_or_below_the_starting_id_are_an_ignored_filter() -> None:
    """The portal ignores filters it does not understand and returns everything."""
    assert PageRows([], False, 100) == pagination.read(TASKS, items(page(1)), after=100)


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


class Listed:
    """tasks.task.list over ids that come and go, executing the chains of a Reader."""

    def __init__(self, ids: Iterable[int]) -> None:
        self.ids = sorted(ids)

    def answer(self, commands: Mapping[str, Command]) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for key, command in commands.items():
            after, start = command.params["filter"][">ID"], command.params["start"]
            if isinstance(after, Reference):
                before = found[after.partition("[")[2].partition("]")[0]].result["tasks"]
                after = int(before[49]["id"]) if len(before) == 50 else 0
            wanted = [number for number in self.ids if number > after]
            offset = max(0, start)
            total = None if start == -1 else len(wanted)
            found[key] = Item(key, tasks(*wanted[offset : offset + 50]), total=total)
        return found


def ids_of(found: Iterable[Mapping[str, Any]]) -> list[int]:
    return [int(row["id"]) for row in found]


def test_chains_that_follow_one_on_its_way_begin_a_page_early_by_their_offset() -> None:
    """The first of a list that nobody has counted is waited for; after it they go by its count."""
    portal, reader = Listed(range(1, 331)), Reader(TASKS, {}, prefix="page", probe=2)
    first = reader.commands(3)
    assert reader.commands(3) == {}
    assert ids_of(reader.read(portal.answer(first))) == list(range(1, 101))
    second, third, fourth = reader.commands(3), reader.commands(3), reader.commands(3)
    by_key = {"order": {"ID": "asc"}, "start": -1}
    assert [first, second, third, fourth] == [
        {
            "page1_0": Command(TASKS.method, {**by_key, "filter": {">ID": 0}, "start": 0}),
            "page1_1": Command(
                TASKS.method, {**by_key, "filter": {">ID": Reference("$result[page1_0][tasks][49][id]")}}
            ),
        },
        pagination.commands(TASKS, {}, length=3, after=100, prefix="page2_"),
        {
            "page3_0": Command(TASKS.method, {**by_key, "filter": {">ID": 100}, "start": 100}),
            "page3_1": Command(
                TASKS.method, {**by_key, "filter": {">ID": Reference("$result[page3_0][tasks][49][id]")}}
            ),
            "page3_2": Command(
                TASKS.method, {**by_key, "filter": {">ID": Reference("$result[page3_1][tasks][49][id]")}}
            ),
        },
        {},
    ]
    assert ids_of(reader.read(portal.answer(second))) == list(range(101, 251))
    assert (reader.after, reader.left, reader.complete) == (250, 80, False)
    assert ids_of(reader.read(portal.answer(third))) == list(range(251, 331))
    assert (reader.after, reader.left, reader.complete) == (330, 0, True)


def test_what_is_known_of_a_long_list_is_asked_of_the_portal_as_well() -> None:
    """Or a list that has become short would be asked for in parts that are not there."""
    portal, reader = Listed(range(1, 121)), Reader(TASKS, {}, prefix="page", left=5_000)
    first, second = reader.commands(2), reader.commands(2)
    assert [first["page1_0"].params["start"], second["page2_0"].params["start"]] == [0, 50]
    assert len(reader.read(portal.answer(first))) == 100
    assert (reader.left, reader.commands(50)) == (20, {})
    assert ids_of(reader.read(portal.answer(second))) == list(range(101, 121))
    assert reader.complete is True


def test_a_chain_that_does_not_join_on_is_asked_for_again_by_key() -> None:
    """More rows than a page has left the list meanwhile: those after them have moved up."""
    portal, reader = Listed(range(1, 501)), Reader(TASKS, {}, prefix="page", left=500)
    second, third = [reader.commands(5), reader.commands(5)]
    assert len(reader.read(portal.answer(second))) == 250
    portal.ids = portal.ids[60:]
    assert reader.read(portal.answer(third)) == []
    reader.check()
    again = reader.commands(6)
    assert again["page3_0"] == Command(TASKS.method, {"order": {"ID": "asc"}, "filter": {">ID": 250}, "start": -1})
    assert ids_of(reader.read(portal.answer(again))) == list(range(251, 501))
    assert reader.complete is True


def test_a_portal_that_ignores_the_offset_is_read_by_key() -> None:
    """What it repeats is left out, and is no reason to give up."""
    portal, reader = Listed(range(1, 1001)), Reader(TASKS, {}, prefix="page", left=1000)
    found: list[int] = []
    for _round in range(20):
        asked = [commands for _number in range(4) if (commands := reader.commands(4))]
        for commands in asked:
            head = next(iter(commands))
            deaf = Command(TASKS.method, {**commands[head].params, "start": -1})
            found += ids_of(reader.read(portal.answer({**commands, head: deaf})))
            reader.check()
    assert (found, reader.complete) == (portal.ids, True)


@given(
    count=st.integers(0, 1200),
    known=st.one_of(st.none(), st.integers(0, 1500)),
    room=st.integers(1, 7),
    in_flight=st.integers(1, 5),
    chance=st.randoms(use_true_random=False),
)
def test_whatever_comes_and_goes_no_row_is_lost_or_doubled(
    count: int, known: int | None, room: int, in_flight: int, chance: Random
) -> None:
    """Of the rows that are there throughout; answers come in order, the portal executes in any."""
    portal = Listed(range(10, 10 + 3 * count, 3))
    reader = Reader(TASKS, {}, prefix="page", left=known)
    always, found, coming = set(portal.ids), [], []
    for _round in range(5_000):
        while len(coming) < in_flight and (commands := reader.commands(room)):
            coming.append((commands, []))
        if not coming:
            break
        for commands, answer in chance.sample(coming, chance.randint(0, len(coming))):
            answer or answer.append(portal.answer(commands))
        if portal.ids and chance.random() < 0.3:
            gone = chance.sample(portal.ids, min(len(portal.ids), chance.choice((1, 40, 120))))
            portal.ids = sorted(
                {*portal.ids, *(chance.randint(1, 4000) for _new in range(chance.choice((0, 3, 60))))} - set(gone)
            )
            always &= set(portal.ids)
        commands, answer = coming.pop(0)
        found += ids_of(reader.read(answer[0] if answer else portal.answer(commands)))
        reader.check()
    assert reader.complete
    assert found == sorted(set(found))
    assert always <= set(found)
