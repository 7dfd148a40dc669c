"""Two `serve` on one PostgreSQL, and what they say while it is away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from b24tools import context
from b24tools.sandbox import demo_company
from tests.support import postgres
from tests.support.server import FORM, Served, as_bytes, event_body, order, serving, wait_until

pytestmark = pytest.mark.long


@pytest.fixture
def hosts(postgres_server: postgres.Server, tmp_path: Path) -> Iterator[list[Served]]:
    """Two machines with a data folder each, and one portal."""
    schema = postgres.name_schema(tmp_path)
    portal = demo_company.build(context.now)
    shared = {"B24_DATABASE_URL": f"{postgres_server.url}&schema={schema}", "B24_RETRY_SECONDS": 0}
    with ExitStack() as stack:
        yield [stack.enter_context(serving(portal, tmp_path / name, **shared)) for name in ("one", "two")]
    postgres.drop_schemas(postgres_server.url, {schema})


def send(served: Served, number: str) -> tuple[int, str | None]:
    """An order; the answer's status, and when to try again."""
    body = as_bytes(order(ИдентификаторЗаказа=number, НомерЗаказа=number))
    answer = served.client.post("/", content=body, headers={"Content-Type": "application/json"})
    return answer.status_code, answer.headers.get("retry-after")


def test_a_server_that_is_away_is_waited_for(hosts: list[Served], postgres_server: postgres.Server) -> None:
    """Orders and events get 503 and the moment to come again, `/ready` says so to a balancer; then all goes on."""
    here, there = hosts
    assert [(200, None), (200, None)] == [send(here, "a"), send(there, "a")]
    assert [200, 200] == [served.client.get("/ready").status_code for served in hosts]
    postgres_server.stop()
    try:
        for served in hosts:
            status, again = send(served, "b")
            assert (503, True) == (status, int(again or 0) > 0)
            event = served.client.post("/webhook", content=event_body(served.portal, 9), headers=FORM)
            assert (503, "locked") == (event.status_code, event.json()["code"])
            ready = served.client.get("/ready")
            assert (503, {"status": "failed", "problem": "the database cannot be written"}) == (
                ready.status_code,
                ready.json(),
            )
            assert 200 == served.client.get("/ping/").status_code
    finally:
        postgres_server.start()
    assert [(200, None), (200, None)] == [send(there, "b"), send(here, "b")]
    assert [200, 200] == [served.client.get("/ready").status_code for served in hosts]
    assert 2 == sum((task.xml_id or "").startswith("1c:") for task in here.portal.tasks)


def test_what_one_machine_is_set_to_holds_on_the_other(hosts: list[Served]) -> None:
    """The mode at once; an event is applied once, whichever machine took it; the files of the data folder go along."""
    here, there = hosts
    with closing(here.open_store()) as opened:
        opened.settings.save("producer_mode", "webhook")
    tasks = [task for task in here.portal.tasks][:6]
    answers = [served.event(task.id).status_code for task in tasks for served in hosts]
    assert {202} == set(answers)

    def statuses() -> set[str]:
        with closing(there.open_store()) as opened:
            return set(opened.events.count_by_status())

    wait_until(lambda: statuses() <= {"done", "ignored"}, 30)
    calendar = here.settings.data_dir / "calendar.json"
    calendar.write_text(json.dumps({"2026-12-31": "off"}), encoding="utf-8")
    assert (200, None) == send(here, "c")
    assert (200, None) == send(there, "d")
    assert calendar.read_bytes() == (there.settings.data_dir / "calendar.json").read_bytes()
    calendar.unlink()
    first, second = (context.Session(served.settings, lambda _text: None) for served in hosts)
    with first.open_store(), second.read_store():
        assert not (there.settings.data_dir / "calendar.json").exists()


def test_who_asks_for_an_unknown_task_reads_where_it_was_looked_for(hosts: list[Served]) -> None:
    """By the schema's name; the data folder has nothing to do with it."""
    served = hosts[0]
    hint = served.client.get("/why/1").json()["hint"]
    assert served.settings.database.name in hint
    assert served.settings.data_dir.name not in hint
