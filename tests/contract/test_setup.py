"""From the clone to the first task: the sandbox's settings, the order to try, the commands of the README."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.cli import sandbox as cli_sandbox
from b24tools.core import config
from b24tools.onec import order as onec_order
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from tests.support.orders import MONDAY, MOSCOW

README = Path(__file__).parent.parent.parent / "README.md"


def is_private(path: Path) -> bool:
    """Whether only its owner may read it; Windows has no such modes."""
    return os.name == "nt" or stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Portal, str]]:
    """The demo company on a port, on Monday at seven, and its address."""
    monkeypatch.setattr(context, "now", lambda: MONDAY)
    monkeypatch.setenv("B24_REQUESTS_PER_SECOND", "1000")
    built = demo_company.build(lambda: MONDAY)
    with server.serve(built) as base_url:
        yield built, built.webhook_url(base_url)


def read_sample(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """What `sample` prints; assign can read it."""
    assert 0 == app.main(["sample", *words])
    text = capsys.readouterr().out
    (_order,) = onec_order.read_orders(text.encode(), MOSCOW)
    sample: dict[str, Any] = json.loads(text)
    return sample


def test_a_sample_is_of_today_and_one_order_a_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a portal it is for the sandbox; today in the zone of the settings."""
    monkeypatch.setattr(context, "now", lambda: MONDAY)

    first, again, other = read_sample(capsys), read_sample(capsys), read_sample(capsys, "--number", "7")

    assert "ПРИМЕР-20261123" == first["НомерЗаказа"]
    assert ["2026-11-22T00:00:00", "2026-12-07T00:00:00"] == [first["ДатаЗаказа"], first["РекоммендуемаяДатаСдачи"]]
    assert {"Макетчик", "Печатник/плотер", "Фрезеровщик", "Сварщик", "Монтажник", "Поклейщик"} == {
        line["Должность"] for line in first["Калькуляция"]
    }
    assert first == again
    assert ("7", False) == (other["НомерЗаказа"], other["ИдентификаторЗаказа"] == first["ИдентификаторЗаказа"])


def test_a_sample_has_the_departments_of_the_portal(
    portal: tuple[Portal, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those with people, and no others: it is assigned without a warning."""
    plant, webhook = portal
    demo_company.department(plant, "Сварщик").name = "Slesar"
    demo_company.person(plant, "Белова").active = demo_company.person(plant, "Данилов").active = False
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", webhook)

    order = read_sample(capsys)
    Path("order.json").write_text(json.dumps(order), "utf-8")

    assert ["Печатник/плотер", "Фрезеровщик", "Монтажник", "Поклейщик", "Slesar"] == [
        line["Должность"] for line in order["Калькуляция"]
    ]
    assert 0 == app.main(["assign", "order.json", "--json"])
    (assigned,) = json.loads(capsys.readouterr().out)["data"]
    assert ("created", [[]] * 5) == (assigned["outcome"], [task["warnings"] for task in assigned["tasks"]])


def test_a_portal_without_people_has_no_sample(
    portal: tuple[Portal, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong is in doctor's hands."""
    plant, webhook = portal
    for user in plant.users.values():
        user.active = user.id == plant.owner_id
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", webhook)

    assert 2 == app.main(["sample"])
    assert ("", "no department below Производство has people. See `b24tools doctor`.\n") == capsys.readouterr()


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is ours at once, and given back."""
    monkeypatch.setattr(server, "run", lambda _portal, _host, _port, ready: ready())


@pytest.mark.usefixtures("no_server")
def test_the_sandbox_writes_its_settings_and_may_do_so_again(capsys: pytest.CaptureFixture[str]) -> None:
    """For its owner alone, with a data folder beside the file, and the token of its events."""
    file = Path("play/.env")
    file.parent.mkdir()

    statuses = [app.main(["sandbox", "--port", port, "--write-env", str(file)]) for port in ("8024", "8025")]

    said = "A sandbox portal for this machine only; Ctrl+C ends it and forgets its tasks. Its settings: "
    assert ([0, 0], (2 * f"{said}{file}\n", "")) == (statuses, capsys.readouterr())
    settings = config.load({}, file)
    assert is_private(file)
    assert "http://127.0.0.1:8025/rest/1/sandboxsandbox00/" == config.webhook_url(settings)
    assert Path("play/playground").absolute() == settings.data_dir
    assert [file] == list(file.parent.iterdir())


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize("answer", [None, False, True])
def test_the_sandbox_does_not_overwrite_your_settings(
    answer: bool | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It asks on a terminal; without one it says what to do."""
    Path(".env").write_text("B24_TZ=Asia/Omsk\n", "utf-8")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: answer is not None)
    monkeypatch.setattr(cli_sandbox.typer, "prompt", lambda _question, **_options: "y" if answer else "n")

    status = app.main(["sandbox", "--write-env", ".env"])

    refused = (
        ".env is not a file of the sandbox: it stays as it is. "
        "Name another file, and use it with --env-file: b24tools --env-file FILE assign ORDER.\n"
    )
    expected = (0, "") if answer else (2, refused)
    assert expected == (status, capsys.readouterr().err)
    assert (not answer) == ("B24_TZ=Asia/Omsk\n" == Path(".env").read_text("utf-8"))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.long
def test_three_commands_lead_from_the_clone_to_the_first_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second and the third as the README has them, on a free port; the first is one of .ci/run."""
    monkeypatch.delenv("B24_DATA_DIR")
    block = re.search(r"<!-- three -->\n```\n(.*?)```", README.read_text("utf-8"), re.S)
    assert block
    install, *lines = block[1].splitlines()
    program = shlex.join([sys.executable, "-m", "b24tools"])
    sandbox, assign = (line.replace(".venv/bin/b24tools", program) for line in lines)
    environment = os.environ | {"PYTHONPATH": str(README.parent)}
    started = [*shlex.split(sandbox), "--port", str(free_port())]
    with subprocess.Popen(started, stdout=subprocess.PIPE, encoding="utf-8", env=environment) as portal:
        assert portal.stdout
        portal.stdout.readline()
        run = subprocess.run(assign, shell=True, capture_output=True, encoding="utf-8", env=environment, check=False)
        portal.kill()

    setup = re.search(r"<!-- setup -->\n```\n(.*?)```", README.read_text("utf-8"), re.S)
    assert setup and setup[1].startswith(f"{install} && ")
    assert (0, "") == (run.returncode, run.stderr)
    assert re.match(r"Order ПРИМЕР-\d{8}: created, 6 tasks;", run.stdout)
    assert 1 == len(re.findall(r"Сварщик .* created ", run.stdout))
