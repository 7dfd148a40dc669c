"""`log.log`: what cron's commands leave there, several processes at once, and a log that cannot be written."""

from __future__ import annotations

import base64
import getpass
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.jobs import assign as jobs_assign
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.state import Portal
from tests.support.rights import forbid
from tests.support.server import as_bytes, order

WRITE = """
import logging, sys
from pathlib import Path
from b24tools.core.config import Settings
from b24tools.core import log_file
log_file.MOST_BYTES, log_file.OLD_FILES = 20_000, 9
with log_file.write_command_log(Settings.model_validate({"B24_DATA_DIR": Path(sys.argv[1])})):
    for number in range(300):
        logging.getLogger("b24tools.command").info("%s %d %s", sys.argv[2], number, "x" * 50)
"""


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Portal:
    """The demo plant in this process; the commands' data folder is `data`."""
    portal = demo_company.build(context.now)
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url("https://portal.example"))
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")
    monkeypatch.setenv("B24_LANG", "en")
    monkeypatch.chdir(tmp_path)
    session = context.Session
    monkeypatch.setattr(context, "Session", lambda *given, **more: session(*given, server.transport(portal), **more))
    return portal


def words(folder: Path) -> list[str]:
    """The lines without their moments, which have the zone."""
    lines = (folder / "data" / "log.log").read_text(encoding="utf-8").splitlines()
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+03:00 "
    assert all(re.match(moment, line) for line in lines)
    return [re.sub(moment, "", line) for line in lines]


def drop(tmp_path: Path, *lines: tuple[str, float]) -> Path:
    """Put an order into the inbox, a minute ago."""
    inbox = tmp_path / "orders"
    inbox.mkdir(exist_ok=True)
    file = inbox / "one.json"
    file.write_bytes(as_bytes(order(lines)))
    then = time.time() - 60
    os.utime(file, (then, then))
    return inbox


def test_commands_of_cron_leave_what_they_did(portal: Portal, tmp_path: Path) -> None:
    """Each order with its outcome, what was said, the exit status; what only shows something leaves nothing."""
    inbox, me = drop(tmp_path, ("Сварщик", 60), ("Космонавт", 5)), getpass.getuser()
    assert 3 == app.main(["-q", "assign", "--inbox", str(inbox)])
    assert 0 == app.main(["-q", "snapshot", "--week", "2026-W46"])
    assert 0 == app.main(["mode", "webhook"])
    for shown in (["history"], ["mode"], ["config"], ["assign", "--dry-run", str(inbox / "one.json")]):
        app.main(shown)

    reason = 'there is no department "Космонавт" under "Производство"'
    seen = [re.sub(r"(under \"Производство\").*|\d+ closed.*", r"\1", line) for line in words(tmp_path)]
    assert [
        f"WARNING order 1Ц-00000100: partial (Сварщик created #69, Космонавт failed); assign by {me}: {reason}",
        f"ERROR 1Ц-00000100, Космонавт: {reason}",
        f"INFO b24tools -q assign --inbox {inbox}: exit status 3, by {me}",
        "INFO 2026-W46: ",
        f"INFO b24tools -q snapshot --week 2026-W46: exit status 0, by {me}",
        f"INFO b24tools mode webhook: exit status 0, by {me}",
    ] == seen


def test_what_a_quiet_command_does_not_print_is_in_the_log(
    portal: Portal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A busy portal, while the data are young."""
    assert 0 == app.main(["-q", "snapshot"])
    portal.faults.add(Fault("limit", times=99))
    assert 75 == app.main(["-q", "snapshot"])
    assert ("", "") == capsys.readouterr()
    assert [
        "ERROR Too many requests (QUERY_LIMIT_EXCEEDED). Try again later.",
        f"INFO b24tools -q snapshot: exit status 75, by {getpass.getuser()}",
    ] == words(tmp_path)[-2:]


def test_a_log_that_cannot_be_written_stops_no_command(
    portal: Portal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line on stderr, not one a minute; and the tasks are made."""
    log = tmp_path / "data" / "log.log"
    log.mkdir(parents=True)
    for _minute in range(3):
        assert 0 == app.main(["-q", "assign", "--inbox", str(drop(tmp_path, ("Сварщик", 60)))])
    assert f"{log} cannot be written: Is a directory\n" == capsys.readouterr().err
    log.rmdir()
    assert 0 == app.main(["-q", "mode", "polling"])
    capsys.readouterr()
    log.unlink()  # it could be written since
    log.mkdir()
    assert 0 == app.main(["-q", "assign", "--inbox", str(tmp_path / "orders")])
    assert f"{log} cannot be written: Is a directory\n" == capsys.readouterr().err
    assert ["Сварщик: 1Ц-00000100"] == [task.title for task in portal.tasks if task.xml_id]


@pytest.mark.long
def test_processes_share_a_log_and_turn_it_over(tmp_path: Path) -> None:
    """No line is lost or torn, each file keeps to its size."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path), name]) for name in "abc"]
    assert [0, 0, 0] == [writer.wait(60) for writer in writers]
    files = [file for file in tmp_path.glob("log.log*") if file.suffix != ".lock"]
    assert len(files) > 2
    lines = [line.split(" ")[3:] for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert sorted([name, str(number), "x" * 50] for name in "abc" for number in range(300)) == sorted(lines)
    assert all(file.stat().st_size <= 20_000 for file in files)


def test_a_traceback_shows_no_secret_in_any_spelling(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With -vv, on stderr, in the log, and in --json."""
    token = "serve-token-of-the-tests"
    monkeypatch.setenv("B24_SERVE_TOKEN", token)
    spelled = [token, quote(f"{token}/", safe=""), base64.b64encode(f"1c:{token}".encode()).decode()]

    def broken(*_given: object, **_more: object) -> None:
        raise RuntimeError(f"the proxy refused {spelled} with {portal.secret}")

    monkeypatch.setattr(jobs_assign, "orders", broken)
    file = drop(tmp_path, ("Сварщик", 60)) / "one.json"
    assert 1 == app.main(["-vv", "assign", str(file), "--json"])
    out, err = capsys.readouterr()
    everything = out + err + "\n".join(words(tmp_path))
    assert "the proxy refused ['***', '***%2F', 'MWM6***'] with ***" in json.loads(out)["error"]["message"]
    assert 4 == everything.count("the proxy refused ['***', '***%2F', 'MWM6***'] with ***")
    assert "Traceback" in err
    assert not [secret for secret in (token, portal.secret, spelled[2][6:-6]) if secret in everything]


def test_a_folder_that_nobody_may_enter_is_said_by_who_opens_the_database(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log, which cannot be written there either, ends nothing with a traceback."""
    inbox = drop(tmp_path, ("Сварщик", 60))
    (tmp_path / "closed").mkdir()
    data = tmp_path / "closed" / "data"
    monkeypatch.setenv("B24_DATA_DIR", str(data))
    forbid(monkeypatch, tmp_path / "closed")

    assert 2 == app.main(["assign", "--inbox", str(inbox)])

    hint = "B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space."
    said = f"the database {data / 'b24tools.db'} cannot be used: Permission denied. {hint}\n"
    assert said == capsys.readouterr().err
