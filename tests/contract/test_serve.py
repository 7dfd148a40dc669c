"""`b24tools serve` as a process: how it starts, how it ends, and that it loses nothing when it is killed."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from b24tools.sandbox.faults import Fault
from b24tools.store import open_store
from tests.support.processes import Shop, end, open_shop
from tests.support.server import FORM, OUTGOING, as_bytes, event_body, head, order, raw, wait_until

OURS = {"BITRIX_OUTGOING_TOKEN": OUTGOING, "B24_RETRY_SECONDS": "10"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The plant on a port."""
    with open_shop(tmp_path) as opened:
        yield opened


@contextmanager
def running(shop: Shop, *options: str, code: str = "", **changes: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`serve` on a free port; killed in the end if it still runs."""
    process = shop.start("serve", "--port", "0", *options, code=code, **OURS | changes)
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        match = re.search(r"Listening on http://\S+:(\d+);", said)
        assert match, said
        yield process, int(match[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def connected(port: int) -> httpx.Client:
    """A client of the service."""
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)


def database(shop: Shop) -> Path:
    return shop.folder / "data" / "b24tools.db"


def states(shop: Shop) -> list[tuple[int | None, str]]:
    """Task and state of all events that are stored."""
    with closing(open_store(database(shop))) as opened:
        return [(event.task_id, event.status) for event in opened.events.find()]


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_on_a_signal(shop: Shop, number: signal.Signals) -> None:
    """Exit status 0, and nothing but the start and the end in the log."""
    with running(shop) as (process, port):
        assert {"message": "Pong"} == httpx.get(f"http://127.0.0.1:{port}/ping/", trust_env=False).json()
        process.send_signal(number)
        status, out, err = end(process)

    assert (0, "", "") == (status, out, err)
    log = (shop.folder / "data" / "log.log").read_text(encoding="utf-8").splitlines()
    words = [line.split(" ", 3)[3] for line in log]
    assert [f"listening on 127.0.0.1 port {port}", "GET /ping/ 200", "stopped"] == [
        re.sub(r" \d+ ms \d+ B 127.0.0.1$", "", line) for line in words
    ]


@pytest.mark.long
def test_an_order_under_way_is_finished_before_it_stops(shop: Shop) -> None:
    """And answered."""
    answers: list[bytes] = []
    with running(shop) as (process, port):
        shop.portal.faults.add(Fault("slow", delay_s=1.0, times=1))
        body = as_bytes(order())
        request = head("POST", "/", f"Content-Length: {len(body)}", "Connection: close") + body
        client = threading.Thread(target=lambda: answers.append(raw(port, request)))
        client.start()
        wait_until(lambda: bool(shop.portal.log))
        process.send_signal(signal.SIGTERM)
        status, _out, err = end(process)
        client.join()

    assert (0, "") == (status, err)
    assert answers[0].endswith(b'{"message":"ok"}')
    assert ["Сварщик: 1Ц-00000100"] == [task.title for task in shop.portal.tasks if task.xml_id]


@pytest.mark.long
def test_a_killed_service_goes_on_where_it_was(shop: Shop) -> None:
    """Every event that was answered is in the database, and is followed after the start."""
    tasks = [task.id for task in shop.portal.tasks]
    answered: list[int] = []

    def send(client: httpx.Client, number: int) -> bool:
        task_id = tasks[number % len(tasks)]
        try:
            answer = client.post("/webhook", content=event_body(shop.portal, task_id), headers=FORM)
        except httpx.HTTPError:
            return False
        assert 202 == answer.status_code
        answered.append(task_id)
        return True

    shop.portal.faults.add(Fault("error", code="QUERY_LIMIT_EXCEEDED", status=503, times=10_000))
    with running(shop, B24_RETRY_SECONDS="0") as (process, port), connected(port) as client:
        client.post("/configs", json={"key": "producer_mode", "value": "webhook"})
        threading.Timer(0.5, process.kill).start()
        number = 0
        while send(client, number):
            number += 1
    stored = states(shop)
    assert answered == [task_id for task_id, _state in stored][: len(answered)]
    assert len(stored) - len(answered) in (0, 1)  # the last one may have been stored and not answered

    shop.portal.faults.clear()
    with running(shop):
        wait_until(lambda: {state for _task, state in states(shop)} == {"done"}, 30)


@pytest.mark.long
def test_a_port_that_is_taken_is_named(shop: Shop) -> None:
    """One line, exit status 2."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, out, err = end(shop.start("serve", "--port", port))

    assert (2, "") == (status, out)
    assert f"port {port} cannot be used: Address already in use. Choose another one with --port.\n" == err


@pytest.mark.long
def test_the_network_is_refused_without_a_token(shop: Shop) -> None:
    """One line, exit status 2."""
    status, out, err = end(shop.start("serve", "--host", "0.0.0.0"))

    assert (2, "") == (status, out)
    assert err.startswith("0.0.0.0 is open to the network, and B24_SERVE_TOKEN is not set. ")
    assert 1 == err.count("\n")


@pytest.mark.long
def test_another_portals_database_is_refused(shop: Shop) -> None:
    """Before anything listens."""
    (shop.folder / "data").mkdir()
    with closing(open_store(database(shop))) as opened:
        opened.settings.remember_host("other.example")

    status, _out, err = end(shop.start("serve", "--port", "0"))

    assert 2 == status
    assert err.startswith("the database is about the portal other.example, but the webhook leads to ")


@pytest.mark.long
def test_what_will_not_work_is_said_at_the_start(shop: Shop) -> None:
    """Without the portal's two settings it serves what was collected."""
    with running_bare(shop) as (process, said):
        process.send_signal(signal.SIGTERM)
        end(process)

    assert "BITRIX_WEBHOOK_URL is not set: orders cannot be taken.\n" == said[0]
    assert "BITRIX_OUTGOING_TOKEN is not set: the portal's events are refused.\n" == said[1]
    assert said[2].startswith("Listening on http://127.0.0.1:")


@contextmanager
def running_bare(shop: Shop) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`serve` with nothing but a data folder, and the lines it says."""
    process = shop.start("serve", "--port", "0", BITRIX_WEBHOOK_URL="")
    try:
        assert process.stderr is not None
        yield process, [process.stderr.readline() for _line in range(3)]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_commands_without_http_do_not_load_it() -> None:
    """The web framework is loaded by `serve` alone."""
    code = "import sys, b24tools.cli.app, b24tools.cli.leaderboard; print({'fastapi', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "set()\n" == done.stdout
