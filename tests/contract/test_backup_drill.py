"""The drill: `serve` under load, a backup meanwhile, a kill, and everything put back into another folder."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from b24tools.sandbox.records import COMPLETED
from tests.contract.test_serve import running
from tests.support.processes import Shop, end, open_shop
from tests.support.server import FORM, OUTGOING, as_bytes, event_body, order

pytestmark = [pytest.mark.long, pytest.mark.sqlite]  # a copy of the file is opened

EVENTS, ORDERS, BEFORE, A_SECOND = 600, 60, 20, 200
GUID = "11111111-2222-3333-4444-{:012}"


def make_order(number: int) -> dict[str, Any]:
    """An order of two lines."""
    names = {"ИдентификаторЗаказа": GUID.format(number), "НомерЗаказа": f"1Ц-{number:05}"}
    return order((("Сварщик", 30.0), ("Макетчик", 30.0)), **names)


def call(shop: Shop, *arguments: str | Path, **settings: str) -> tuple[int, Any]:
    """Run a command: its status and its data."""
    status, out, err = end(shop.start(*arguments, "--json", **settings))
    assert out, err
    return status, json.loads(out)["data"]


@contextmanager
def sending(port: int, shop: Shop, task_ids: list[int], answered: list[int], stored: list[int]) -> Iterator[None]:
    """Two hundred events a second, and orders one after the other; what was answered is noted."""
    stop = threading.Event()

    def send_events() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            begun = time.monotonic()
            for number in range(EVENTS):
                if stop.wait(max(0, begun + number / A_SECOND - time.monotonic())):
                    return
                try:
                    body = event_body(shop.portal, task_ids[number % len(task_ids)])
                    stored.append(client.post("/webhook", content=body, headers=FORM).status_code)
                except httpx.HTTPError:
                    return

    def send_orders() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            for number in range(BEFORE, ORDERS):
                if stop.is_set():
                    return
                try:
                    if client.post("/", content=as_bytes(make_order(number))).is_success:
                        answered.append(number)
                except httpx.HTTPError:
                    return

    threads = [threading.Thread(target=send_events), threading.Thread(target=send_orders)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_until_more(numbers: list[int], count: int) -> None:
    """Until so many more were answered."""
    goal, last = len(numbers) + count, time.monotonic() + 60
    while len(numbers) < goal:
        assert time.monotonic() < last
        time.sleep(0.01)


def test_nothing_is_lost_or_made_twice_by_a_restore_into_another_folder(tmp_path: Path) -> None:
    """The orders are found on the portal; what only events after the backup said, a snapshot reads."""
    with open_shop(tmp_path) as shop:
        settings = {"BITRIX_OUTGOING_TOKEN": OUTGOING, "B24_BURST": "1000"}
        (tmp_path / "first.json").write_bytes(as_bytes([make_order(number) for number in range(BEFORE)]))
        assert 0 == call(shop, "assign", tmp_path / "first.json", **settings)[0]
        assert 0 == call(shop, "mode", "webhook", **settings)[0]
        assert 0 == call(shop, "snapshot", "--reconcile", **settings)[0]
        ours = [task.id for task in shop.portal.tasks if task.xml_id]
        answered: list[int] = []
        stored: list[int] = []
        with running(shop, **settings) as (process, port), sending(port, shop, ours, answered, stored):
            wait_until_more(stored, 50)
            for task_id in ours[:5]:
                shop.portal.act("tasks.task.complete", {"taskId": task_id})
            status, made = call(shop, "backup", tmp_path / "a.zip", **settings)
            assert 0 == status
            wait_until_more(stored, 50)
            wait_until_more(answered, 2)
            for task_id in ours[5:10]:
                shop.portal.act("tasks.task.complete", {"taskId": task_id})
            assert 75 == end(shop.start("restore", tmp_path / "a.zip", "--yes", **settings))[0]
            process.kill()
        assert {202} == set(stored)
        assert BEFORE <= made["tables"]["orders"] <= BEFORE + len(answered) + 1
        assert 0 < made["tables"]["events"] < len(stored)

        new = settings | {"B24_DATA_DIR": str(tmp_path / "new")}
        status, restored = call(shop, "restore", tmp_path / "a.zip", **new)
        assert (0, []) == (status, restored["aside"])
        (tmp_path / "last.json").write_bytes(as_bytes([make_order(number) for number in range(ORDERS - 50, ORDERS)]))
        before = [(task.id, task.title) for task in shop.portal.tasks]
        time.sleep(1.1)  # what the kill has cut may be under way for a second, see START
        status, orders = call(shop, "assign", tmp_path / "last.json", **new)

        assert (0, 50) == (status, len(orders))
        numbers = {f"1Ц-{number:05}" for number in answered}
        assert {"unchanged"} == {result["outcome"] for result in orders if result["order"]["number"] in numbers}
        assert before == [(task.id, task.title) for task in shop.portal.tasks][: len(before)]
        assert [1] * 2 * ORDERS == [len(people) for people in shop.made().values()]
        assert 0 == call(shop, "snapshot", "--reconcile", **new)[0]
        closed = [task.id for task in shop.portal.tasks if task.status == COMPLETED and task.id in ours]
        with closing(sqlite3.connect(tmp_path / "new" / "b24tools.db")) as connection:
            sql = "SELECT id FROM tasks WHERE gone = 0 AND line IS NOT NULL ORDER BY id"
            assert sorted(closed) == [row[0] for row in connection.execute(sql)]
        assert 10 == len(closed)
