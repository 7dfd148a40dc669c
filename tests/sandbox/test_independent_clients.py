"""Clients written by others, unmodified, work with the sandbox portal through its port.

They are imported where they are used: that takes a second, which all the other tests would wait for.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from b24tools.sandbox import server
from b24tools.sandbox.state import Portal
from tests.bench import replaced
from tests.bench.company import company

if TYPE_CHECKING:
    from fast_bitrix24 import Bitrix

NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
TASKS = 120


@pytest.fixture
def portal() -> Portal:
    """A portal with more tasks than two pages hold."""
    portal = Portal(lambda: NOW)
    for number in range(TASKS):
        portal.add_task(f"Задача {number}", responsible=1)
    return portal


@pytest.fixture
def loop() -> Iterator[None]:
    """fast-bitrix24 asks for the current event loop and leaves closing it to its user."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()
    asyncio.set_event_loop(None)
    gc.collect()


@pytest.fixture
def fast(portal: Portal, loop: None) -> Iterator[Bitrix]:
    """fast-bitrix24 on the plain port."""
    from fast_bitrix24 import Bitrix

    with server.serve(portal) as url:
        yield Bitrix(portal.webhook_url(url), verbose=False)


@pytest.fixture
def sdk(portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """b24pysdk speaks https only; requests learns the authority from its usual variable."""
    import b24pysdk

    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    chain, key, bundle = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(chain), append=True)
    certificate.private_key_pem.write_to_path(str(key))
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with server.serve(portal, certfile=chain, keyfile=key) as url:
        token = f"{portal.owner_id}/{portal.secret}"
        yield b24pysdk.BitrixWebhook(domain=url.removeprefix("https://"), webhook_token=token)


def titles(rows: Any) -> list[str]:
    """Titles in the order of ids."""
    return [row["title"] for row in sorted(rows, key=lambda row: int(row["id"]))]


EVERY_TITLE = [f"Задача {number}" for number in range(TASKS)]


def test_fast_bitrix24_reads_all_pages_of_tasks(fast: Bitrix, portal: Portal) -> None:
    """One page and a batch with the rest, each task once."""
    tasks = fast.get_all("tasks.task.list", {"select": ["ID", "TITLE"]})
    assert (titles(tasks), [entry.method for entry in portal.log]) == (EVERY_TITLE, ["tasks.task.list", "batch"])


def test_fast_bitrix24_runs_a_batch(fast: Bitrix) -> None:
    """Two commands, the second with the first one's answer."""
    answer = fast.call_batch(
        {"halt": 0, "cmd": {"who": "profile", "first": "tasks.task.get?taskId=$result[who][ID]&select[]=TITLE"}}
    )
    assert (answer["who"]["ID"], answer["first"]["task"]["title"]) == ("1", "Задача 0")


def test_fast_bitrix24_adds_and_updates_tasks(fast: Bitrix, portal: Portal) -> None:
    """Its calls travel in batches; the tasks are there afterwards."""
    added = fast.call(
        "tasks.task.add", [{"fields": {"TITLE": f"Новая {n} & ещё", "RESPONSIBLE_ID": 1}} for n in (1, 2)]
    )
    ids = [int(answer["id"]) for answer in added]
    fast.call("tasks.task.update", {"taskId": ids[0], "fields": {"TITLE": "Старая"}})
    assert [portal.tasks[number].title for number in ids] == ["Старая", "Новая 2 & ещё"]


def test_fast_bitrix24_reads_users(fast: Bitrix, portal: Portal) -> None:
    """More people than a page."""
    for number in range(70):
        portal.add_user("Имя", f"Фамилия{number}", departments=[1])
    users = fast.get_all("user.get", {"FILTER": {"ACTIVE": True}})
    assert sorted(int(user["ID"]) for user in users) == sorted(portal.users)


def test_b24pysdk_reads_all_pages_of_tasks(sdk: Any) -> None:
    """By offset, and by its chain of ids inside a batch."""
    params = {"select": ["ID", "TITLE"], "order": {"ID": "ASC"}}
    by_offset = sdk.call_list("tasks.task.list", params)["result"]
    by_chain = list(sdk.call_list_fast("tasks.task.list", {"select": ["ID", "TITLE"]})["result"])
    assert (titles(by_offset), titles(by_chain)) == (EVERY_TITLE, EVERY_TITLE)


def test_b24pysdk_runs_a_batch(sdk: Any) -> None:
    """An error of one command stays with it."""
    answer = sdk.call_batch({"good": ("profile", {}), "bad": ("no.such.method", {})})
    result = answer["result"]
    assert (result["result"]["good"]["ID"], result["result_error"]["bad"]["error"]) == ("1", "ERROR_METHOD_NOT_FOUND")


def test_b24pysdk_adds_and_updates_tasks(sdk: Any, portal: Portal) -> None:
    """Through JSON, with lists and booleans in it."""
    fields = {"TITLE": "Новая", "RESPONSIBLE_ID": 1, "TAGS": ["срочно"], "ALLOW_TIME_TRACKING": True}
    task = sdk.call_method("tasks.task.add", {"fields": fields})["result"]["task"]
    sdk.call_method("tasks.task.update", {"taskId": task["id"], "fields": {"TITLE": "Старая"}})
    saved = portal.tasks[int(task["id"])]
    assert (saved.title, saved.tags, saved.allow_time_tracking) == ("Старая", ("срочно",), True)


def test_b24pysdk_understands_an_error(sdk: Any) -> None:
    """The portal's code reaches the SDK's exception."""
    from b24pysdk.errors import BitrixAPIError

    with pytest.raises(BitrixAPIError) as caught:
        sdk.call_method("tasks.task.add", {"fields": {"TITLE": "Ничья"}})
    assert caught.value.error == "ERROR_CORE"


def test_the_replaced_collector_reads_every_closed_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench has it beside `snapshot`: it asks what the sandbox is otherwise never asked."""
    portal = company(60, people=20)
    closed = sum(task.status == 5 for task in portal.tasks)
    with server.serve(portal) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url(url))
        seen = asyncio.run(replaced.poll("2000-01-01T00:00:00+03:00", "2100-01-01T00:00:00+03:00"))

    assert closed == seen > 0
    assert ["user.search", "batch"] == [entry.method for entry in portal.log]
