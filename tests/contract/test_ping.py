"""The dead man's switch hears of the runs of cron, and never stops one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread

import pytest

from b24tools.cli import app, ping
from b24tools.core import config

KEY = "0f9c2a7e-1111-4222-8333"


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is called of a switch on a port, in turn; each command has an address of its own."""
    heard: list[str] = []

    class Switch(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(404 if "mode" in self.path else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Switch) as server:
        thread = Thread(target=lambda: server.serve_forever(0.01))
        thread.start()
        monkeypatch.setenv("B24_PING_URL", f"http://127.0.0.1:{server.server_port}/{KEY}/b24tools-{{command}}?from=1")
        yield heard
        server.shutdown()
        thread.join()


def test_a_run_of_cron_is_heard_of(switch: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning, and its end as it was; what is to be tried later has none, nor does what a person runs."""
    base = f"/{KEY}/b24tools"
    assert 1 == app.main(["-q", "doctor"])
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", "http://127.0.0.1:9/rest/1/abcdefgh12/")
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")

    assert 0 == app.main(["-q", "config"])
    assert 1 == app.main(["-q", "leaderboard", "--max-age", "1h"])
    assert 75 == app.main(["-q", "snapshot"])
    assert 0 == app.main(["config"])

    assert [
        f"{base}-doctor/start?from=1",
        f"{base}-doctor/fail?from=1",
        f"{base}-config/start?from=1",
        f"{base}-config?from=1",
        f"{base}-leaderboard/start?from=1",
        f"{base}-leaderboard/fail?from=1",
        f"{base}-snapshot/start?from=1",
    ] == switch


def test_a_switch_that_does_not_answer_is_a_line_in_the_log(
    switch: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused or away: the command succeeds all the same, and the key is in no line."""
    assert 0 == app.main(["-q", "mode"])
    monkeypatch.setenv("B24_PING_URL", f"http://127.0.0.1:9/{KEY}")
    assert 0 == app.main(["-q", "config"])

    log = (tmp_path / "data" / "log.log").read_text("utf-8")
    lines = [line.partition(" WARNING ")[2] for line in log.splitlines() if " WARNING " in line]
    assert [
        *["B24_PING_URL was not reached: Not Found"] * 2,
        *["B24_PING_URL was not reached: Connection refused"] * 2,
    ] == lines
    assert (KEY, "") == (KEY if KEY not in log else log, capsys.readouterr().err)
    assert 2 == len(switch)


def test_a_switch_that_never_ends_its_answer_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then keeps a socket from timing out."""
    stop = Event()

    class Drip(StreamRequestHandler):
        def handle(self) -> None:
            while not stop.wait(0.01):
                self.wfile.write(b"H")

    monkeypatch.setattr(ping, "TIMEOUT_S", 0.05)
    with ThreadingTCPServer(("127.0.0.1", 0), Drip) as server:
        thread = Thread(target=lambda: server.serve_forever(0.01))
        thread.start()
        monkeypatch.setenv("B24_PING_URL", f"http://127.0.0.1:{server.server_address[1]}/{KEY}")
        assert 0 == app.main(["-q", "mode"])
        stop.set()
        server.shutdown()
        thread.join()

    log = (tmp_path / "data" / "log.log").read_text("utf-8")
    assert 2 == log.count("WARNING B24_PING_URL was not reached: timed out\n")
    assert "" == capsys.readouterr().err


def test_the_key_of_a_switch_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """With or without the place of the command; other words of the address are none."""
    monkeypatch.setenv("B24_PING_URL", f"https://hc.example/{KEY}/b24tools-{{command}}")

    scrub = config.load().scrubber.scrub

    assert "https://hc.example/***/b24tools-snapshot failed" == scrub(
        f"https://hc.example/{KEY}/b24tools-snapshot failed"
    )


def test_an_address_is_what_a_switch_has(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And a wrong one is not repeated."""
    monkeypatch.setenv("B24_PING_URL", f"file:///{KEY}")

    assert 2 == app.main(["mode"])
    assert (
        "B24_PING_URL (from the environment): not an address: it should begin with https://. "
        "Correct it there; .env-example describes every setting.\n"
    ) == capsys.readouterr().err


def test_each_portal_may_have_an_address_of_its_own(
    switch: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of the profile."""
    (tmp_path / "plant-2.env").write_text("B24_DATA_DIR=two\n", "utf-8")
    monkeypatch.setenv("B24_PROFILES", str(tmp_path))
    monkeypatch.setenv("B24_PING_URL", os.environ["B24_PING_URL"].replace("-{command}", "-{profile}-{command}"))

    assert 0 == app.main(["-q", "--profile", "plant-2", "config"])

    assert [f"/{KEY}/b24tools-plant-2-config/start?from=1", f"/{KEY}/b24tools-plant-2-config?from=1"] == switch
