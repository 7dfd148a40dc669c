"""The webhook's code: nowhere but in the settings, whatever goes wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from b24tools.sandbox.faults import Fault
from tests.support.processes import Shop, end, open_shop

SECRET = "zs3cr3tw3bh00kc0"
CRASH = "from b24tools.assignment import apply; apply.Writer.write = lambda *all: 1 / 0; "
FAULTS: dict[str, list[Fault]] = {
    "cut": [Fault("cut_after", times=99)],
    "cut while writing": [Fault("cut_before", method="tasks.task.add", times=99)],
    "half an answer": [Fault("half", times=99)],
    "a page": [Fault("html", times=99)],
    "a page to log in": [Fault("html", status=200, times=99)],
    "over the limit": [Fault("limit", times=99)],
    "refused": [Fault("error", code="ACCESS_DENIED", status=403, times=99)],
}


def run(shop: Shop, name: str, *options: str, code: str = "", **changes: str) -> tuple[int, str]:
    """A run in a data folder of its own; its exit status and all that it printed and left on the disk."""
    folder = shop.folder / f"data {name}"
    file = shop.write_order(name.replace(" ", "-"), [("Сварщик", 60)])
    settings = {"B24_DATA_DIR": str(folder), "B24_RETRY_SECONDS": "0"} | changes
    status, out, err = end(shop.start("-vv", "assign", *options, file, code=code, **settings))
    left = [path.read_bytes().decode("utf-8", "replace") for path in folder.rglob("*") if path.is_file()]
    return status, "\n".join([out, err, *left])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The plant on a port, with a code that is easy to find."""
    with open_shop(tmp_path) as opened:
        opened.portal.secret = SECRET
        yield opened


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that breaks every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_no_trouble_of_the_portal_shows_the_code(name: str, shop: Shop) -> None:
    """Neither -vv with its traceback, nor the database, the caches, the throttle."""
    for fault in FAULTS[name]:
        shop.portal.faults.add(fault)
    status, everything = run(shop, name)
    assert (True, False) == (status != 0, SECRET in everything)
    if name == "a page to log in":
        assert 'batch: it begins: <!DOCTYPE html> <html lang="ru"> <head><title>Авторизация</title>' in everything


@pytest.mark.long
def test_no_run_shows_the_code(shop: Shop) -> None:
    """Done well, renamed portal, wrong code, a bug of ours, nobody there, no portal at all."""
    seen: dict[str, tuple[int, bool]] = {}

    def note(name: str, told: tuple[int, str]) -> None:
        seen[name] = (told[0], SECRET in told[1])

    note("well", run(shop, "well"))
    note("as data", run(shop, "as data", "--json"))
    note("a bug of ours", run(shop, "a bug of ours", code=CRASH))
    url = shop.portal.webhook_url(shop.base_url)
    note("misspelt", run(shop, "misspelt", BITRIX_WEBHOOK_URL=url.replace("/rest/", "/rest/x/")))
    note("no scheme", run(shop, "no scheme", BITRIX_WEBHOOK_URL=url.removeprefix("http://")))
    note("nobody there", run(shop, "nobody there", BITRIX_WEBHOOK_URL=f"http://127.0.0.1:1/rest/1/{SECRET}/"))
    with silent_port() as port:
        note("hung up", run(shop, "hung up", BITRIX_WEBHOOK_URL=f"http://127.0.0.1:{port}/rest/1/{SECRET}/"))
        note("no tls", run(shop, "no tls", BITRIX_WEBHOOK_URL=f"https://127.0.0.1:{port}/rest/1/{SECRET}/"))
    shop.portal.moved_to = "https://new.example"
    note("moved", run(shop, "moved"))
    shop.portal.moved_to, shop.portal.secret = None, "another0code0000"
    note("wrong code", run(shop, "wrong code", BITRIX_WEBHOOK_URL=url))
    assert {
        "well": (0, False),
        "as data": (0, False),
        "a bug of ours": (1, False),
        "misspelt": (2, False),
        "no scheme": (2, False),
        "nobody there": (75, False),
        "hung up": (75, False),
        "no tls": (75, False),
        "moved": (2, False),
        "wrong code": (1, False),
    } == seen


@pytest.mark.long
def test_the_code_would_be_found(shop: Shop) -> None:
    """The tests above look where it would be."""
    _status, everything = run(shop, "found", code=f"print({SECRET!r}); ")
    assert SECRET in everything
