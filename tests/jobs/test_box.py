"""A box as people run it: in a folder, reached by a login, with notices of PHP, behind proxies."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core import config
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.state import Portal
from b24tools.store import open_store

SAMPLE = Path(__file__).parent.parent / "data" / "orders" / "sample.json"
NOTICE = "<br />\n<b>Deprecated</b>:  strlen(): Passing null in <b>/home/init.php</b> on line <b>12</b><br />\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """The plant in a folder of this machine, its administrator's login in the settings."""
    portal = demo_company.build(context.now)
    portal.folder = "/portal"
    with server.serve(portal) as url:
        monkeypatch.setenv("BITRIX_WEBHOOK_URL", f"{url}/portal/rest/admin/{portal.secret}/")
        monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
        monkeypatch.setenv("B24_RETRY_SECONDS", "0")
        yield portal


@pytest.fixture
def b24tools(capsys: pytest.CaptureFixture[str], box: Portal) -> Run:
    """One run of the program inside this process; nothing that it says holds the secret."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = app.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert box.secret not in out + err
        return status, out, err

    return run


@pytest.mark.long
def test_a_box_in_a_folder_that_prints_notices_gets_its_tasks(box: Portal, b24tools: Run) -> None:
    """One warning a run, links that lead into the folder, a database that knows which box it is about."""
    box.php_notice, box.php_comment = NOTICE, "\n<!-- 0.05 s -->"
    status, out, err = b24tools("assign", SAMPLE)
    assert (0, 1) == (status, err.count("display_errors"))
    assert "“Deprecated: strlen(): Passing null in /home/init.php on line 12 0.05 s”" in err
    ours = sorted(task.id for task in box.tasks if (task.xml_id or "").startswith("1c:"))
    assert (6, 6) == (len(ours), sum(f"/portal/company/personal/user/0/tasks/task/view/{id_}/" in out for id_ in ours))
    status, out, _err = b24tools("config", "portal_host", "--json")
    (host,) = (setting["value"] for setting in json.loads(out)["data"])
    assert host.startswith("127.0.0.1:")
    assert host.endswith("/portal")
    box.folder = "/other"
    status, _out, err = b24tools("snapshot")
    assert 1 == status  # nothing is there any more


def test_a_login_page_is_named_and_left_to_a_person(box: Portal, b24tools: Run) -> None:
    """Status 1, not "Try again later."; nothing is booked."""
    box.faults.add(Fault("html", status=200, times=99))
    for command in (("assign", SAMPLE), ("snapshot",)):
        status, _out, err = b24tools(*command)
        assert (1, True) == (status, "“Авторизация”" in err)
        assert "check BITRIX_WEBHOOK_URL, HTTPS_PROXY and the portal's web server" in err


def test_doctor_knows_an_address_with_a_login(box: Portal, b24tools: Run) -> None:
    """Nothing is wrong with it, and the login itself is not shown."""
    _status, out, _err = b24tools("doctor", "--json")
    checks = {check["check"]: check for check in json.loads(out)["data"]}
    detail = checks["webhook"]["detail"]
    assert detail.startswith("http://127.0.0.1:")
    assert detail.endswith("/portal, by a login")
    assert {"ok"} == {checks[name]["status"] for name in ("webhook", "owner", "portal")}


def test_a_second_box_of_one_host_is_another_portal(
    box: Portal, b24tools: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ids mean nothing to the first one's database."""
    assert 0 == b24tools("snapshot")[0]
    box.folder = "/second"
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", os.environ["BITRIX_WEBHOOK_URL"].replace("/portal/", "/second/"))
    status, _out, err = b24tools("snapshot")
    assert (2, True) == (status, "/second`" in err)


def test_the_host_of_a_renamed_portal_may_be_typed_in_any_spelling(b24tools: Run) -> None:
    """It is shown and remembered in the one that people read."""
    for typed in ("xn--80aegj1b.xn--p1ai", "ЗАВОД.РФ"):
        status, out, _err = b24tools("config", "portal_host", typed)
        assert (0, True) == (status, "завод.рф" in out)
    with closing(open_store(config.load().database)) as opened:
        opened.settings.check_host("завод.рф")
