"""`init`: what it asks and checks, and the file that it writes."""

from __future__ import annotations

import io
import os
import shutil
import stat
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from b24tools.cli import app
from b24tools.cli import init as cli_init
from b24tools.core import config, env_file
from b24tools.sandbox import demo_company
from b24tools.sandbox.state import Portal
from b24tools.store import open_store
from tests.contract.test_setup import is_private, portal

__all__ = ["portal"]  # the fixture

WRITTEN = (
    "is written. Next: `b24tools doctor` checks everything; `b24tools sample > order.json` and "
    "`b24tools assign order.json --dry-run` show a plan.\n"
)
EXISTS = (
    ".env has settings already: it stays as it is. "
    "With --yes it is changed without asking; `b24tools --env-file FILE init` writes another one.\n"
)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A terminal: what is typed there, in turn; "" takes the default."""
    typed: list[str] = []

    def prompt(question: str, default: Any = None, hide_input: bool = False, **_options: Any) -> str:
        assert hide_input == ("webhook" in question)
        return typed.pop(0) or default or ""

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(cli_init.typer, "prompt", prompt)
    return typed


def read_values(path: Path = Path(".env")) -> dict[str, str]:
    """What a settings file says, by the settings that it sets."""
    text = path.read_text("utf-8")
    return {name: env_file.read_value(path, name) for name in config.names() if f"\n{name}=" in f"\n{text}"}


def test_init_writes_what_it_found_without_a_question(
    portal: tuple[Portal, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The URL from stdin; the settings are read as they are meant, and doctor is content with the names."""
    plant, webhook = portal
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"\n{webhook}\n"))
    plant.users[plant.owner_id].time_zone = "Asia/Omsk"

    status = app.main(["init", "--webhook-file", "-", "--group", "Выставка", "--data-dir", "my data"])

    host = webhook.split("/")[2]
    said = f"{host} answers; the webhook is of Алексей Админов, an administrator.\n.env {WRITTEN}"
    assert (0, ("", said)) == (status, capsys.readouterr())
    assert is_private(Path(".env"))
    assert {
        "BITRIX_WEBHOOK_URL": webhook,
        "B24_DATA_DIR": str(tmp_path / "my data"),
        "B24_TZ": "Asia/Omsk",
        "B24_LANG": "en",
        "B24_DEPARTMENT": "Производство",
        "B24_GROUP": "Выставка",
        "B24_FOLDER": "Прикрепленные файлы",
    } == read_values()
    assert [".env"] == [path.name for path in tmp_path.iterdir()]


def test_init_offers_what_is_on_the_portal(
    portal: tuple[Portal, str], answers: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong URL is asked for again; a name is taken by its number, or as it is typed."""
    plant, webhook = portal
    demo_company.department(plant, "Производство").name = "Цеха №1"
    answers += ["https://example.com/", webhook, "Склад", "цеха № 1", "99", "2", "0", "Файлы 1С"]
    answers += ["Mars", "Europe/Samara", ".env-example/data", "data"]
    Path(".env-example").touch()

    status = app.main(["init"])

    said = capsys.readouterr().err
    assert (0, []) == (status, answers)
    assert "BITRIX_WEBHOOK_URL is not the address of an incoming webhook." in said.splitlines()[0]
    assert "The production department (below it are the positions):\n  1. Вывески и конструкции\n" in said
    assert 'There is no "Склад".' in said
    assert 'There is no "99".\n' in said
    assert f"{Path.cwd()}/.env-example/data cannot be written: Not a directory. " in said
    assert "  1. Выставка\n  2. Задачи из 1с\n" in said
    assert "  1. Прайс-листы\n" in said
    assert ("Цеха №1", "Задачи из 1с", "Файлы 1С", "Europe/Samara") == tuple(
        read_values()[name] for name in ("B24_DEPARTMENT", "B24_GROUP", "B24_FOLDER", "B24_TZ")
    )
    assert webhook.split("/")[-2] not in said


@pytest.mark.parametrize("words", [[], ["--yes"]])
@pytest.mark.parametrize("answer", [None, "n", "y"])
def test_init_changes_no_file_without_asking(
    words: list[str],
    answer: str | None,
    portal: tuple[Portal, str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What it does not know stays where it stands, comments too; the new name takes the place of the old one."""
    _plant, webhook = portal
    old = "BITRIX_WEBHOOK=https://old.example/rest/1/abcdefgh/"
    before = f"# mine\nB24_SERVE_TOKEN=abcdefgh\n{old}\n\n# where\nTZ_NAME=UTC\n"
    Path(".env").write_text(before, "utf-8")
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", webhook)
    if answer is not None:
        request.getfixturevalue("answers").extend([*([] if words else [answer]), "", "", "", "", ""])

    status = app.main(["init", *words])

    if not words and answer != "y":
        assert (2, EXISTS, before) == (status, capsys.readouterr().err, Path(".env").read_text("utf-8"))
        return
    lines = Path(".env").read_text("utf-8").splitlines()
    assert 0 == status
    assert f"# {cli_init.HEADING}" == lines[0]
    assert [
        "# mine",
        "B24_SERVE_TOKEN=abcdefgh",
        f"BITRIX_WEBHOOK_URL={webhook}",
        "",
        "# where",
        "B24_TZ=UTC",
    ] == lines[-6:]


def test_enter_leaves_a_project_that_was_given_by_its_id(portal: tuple[Portal, str], answers: list[str]) -> None:
    """It is the first of the list by its id alone: "1" is the answer that is offered, not a place in the list."""
    plant, webhook = portal
    number = next(group.id for group in plant.groups.values() if group.name == "Задачи из 1с")
    Path(".env").write_text(f"BITRIX_WEBHOOK_URL={webhook}\nB24_GROUP={number}\n", "utf-8")
    answers += [""] * 20
    assert 0 == app.main(["init", "--yes"])
    assert read_values()["B24_GROUP"] in (str(number), "Задачи из 1с")


def test_a_zone_that_is_set_stays(portal: tuple[Portal, str]) -> None:
    """Also where it is the one that holds without a setting, and the webhook's owner lives in another one."""
    plant, webhook = portal
    plant.users[plant.owner_id].time_zone = "Asia/Omsk"
    Path(".env").write_text(f"BITRIX_WEBHOOK_URL={webhook}\nB24_TZ=Europe/Moscow\n", "utf-8")
    assert 0 == app.main(["init", "--yes"])
    assert "Europe/Moscow" == read_values()["B24_TZ"]


def test_init_takes_a_file_from_no_one(portal: tuple[Portal, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A link stays one, a user of cron the owner; a line for the shell is a setting like another."""
    file = Path("b24tools.env").absolute()
    file.write_text("export B24_GROUP=Other\n", "utf-8")
    Path(".env").symlink_to(file)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        shutil.chown(file, "nobody")
    owner = file.owner()
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal[1])

    assert 0 == app.main(["init", "--yes", "--folder", "Файлы"])

    assert (file, owner, 0o600) == (Path(".env").readlink(), file.owner(), stat.S_IMODE(file.stat().st_mode))
    assert ("Other", "Файлы") == tuple(env_file.read_value(file, name) for name in ("B24_GROUP", "B24_FOLDER"))
    assert "export" not in file.read_text("utf-8")


def test_init_leaves_nothing_of_the_sandbox(portal: tuple[Portal, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its token would let anybody send events, and its folder has another portal's database."""
    _plant, webhook = portal
    Path(".env").write_text(
        "# Written by `b24tools sandbox`\nBITRIX_OUTGOING_TOKEN=sandboxtoken\nB24_DATA_DIR=playground\n", "utf-8"
    )
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", webhook)
    monkeypatch.delenv("B24_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(Path("home").absolute()))

    assert 0 == app.main(["init"])

    assert "BITRIX_OUTGOING_TOKEN" not in read_values()
    assert "playground" not in read_values()["B24_DATA_DIR"]


@pytest.mark.parametrize(
    ("words", "stdin", "line"),
    [
        (
            [],
            "",
            "there is no webhook, and no terminal to ask for it. Give a file with its URL, --webhook-file FILE "
            "(- for stdin), or set BITRIX_WEBHOOK_URL.",
        ),
        (["--webhook-file", "-"], "\n", "stdin is empty. It should have one line, the URL of the incoming webhook."),
        (
            ["--webhook-file", "nowhere"],
            "",
            "nowhere cannot be read: No such file or directory. Name another file.",
        ),
        (
            ["--webhook-file", "-"],
            "portal.example",
            "BITRIX_WEBHOOK_URL is not the address of an incoming webhook. Expected https://PORTAL/rest/USER_ID/CODE/ "
            "from Developer resources → Other → Incoming webhook.",
        ),
        (
            ["--webhook-file", "-", "--department", "Сварщикк"],
            None,
            'the portal has no department "Сварщикк" (the nearest name is "Сварщик"). '
            "Name the production department with --department, by name or id.",
        ),
        (
            ["--webhook-file", "-", "--tz", "Mars"],
            None,
            "B24_TZ (from .env): not a time zone; an example: Europe/Moscow. Nothing was written; give another value.",
        ),
    ],
)
def test_init_says_what_to_do(
    words: list[str],
    stdin: str | None,
    line: str,
    portal: tuple[Portal, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is written then."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(portal[1] if stdin is None else stdin))

    status = app.main(["init", *words])

    assert (2, line) == (status, capsys.readouterr().err.splitlines()[-1])
    assert [] == list(Path.cwd().glob(".env*"))


def test_init_refuses_the_database_of_another_portal(
    portal: tuple[Portal, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is written."""
    with closing(open_store(Path("data/b24tools.db").absolute())) as store:
        store.settings.remember_host("other.example")
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal[1])

    assert 2 == app.main(["init"])
    assert "the database is about the portal other.example, but the webhook leads to" in capsys.readouterr().err
    assert not Path(".env").exists()


def test_init_says_what_the_webhook_lacks(
    portal: tuple[Portal, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It goes on: the names may be right, and a scope is ticked later."""
    plant, webhook = portal
    plant.scopes = {"task", "user"}
    plant.users[plant.owner_id].admin = False
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", webhook)

    assert 0 == app.main(["-q", "init"])
    host = webhook.split("/")[2]
    assert (
        f"{host} answers, but Алексей Админов is no administrator and sees only a part of the tasks: let an "
        "administrator create the webhook.\n"
        "The webhook lacks scopes: department, sonet_group, disk, timeman, calendar. "
        "Edit it on the portal; `b24tools doctor` says what each is for.\n"
    ) == capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("init --webhook-file -", "stdin cannot be read: it is closed. "),
        ("restore a.zip", "nothing was restored: there is no terminal to ask on. "),
        ("sandbox --write-env mine.env", "mine.env is not a file of the sandbox: it stays as it is. "),
        ("replay -", "stdin cannot be read: it is closed. "),
        ("assign -", "stdin: it is closed. "),
    ],
)
def test_a_closed_stdin_is_no_terminal(
    words: str,
    line: str,
    portal: tuple[Portal, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Python has none then, as under pythonw and some services."""
    assert [0, 0] == [app.main(before.split()) for before in ("mode webhook", "backup a.zip")]
    Path("mine.env").write_text("B24_TZ=Asia/Omsk\n", "utf-8")
    capsys.readouterr()
    monkeypatch.setattr(sys, "stdin", None)

    assert 2 == app.main(words.split())
    said = capsys.readouterr().err
    assert (1, line) == (said.count("\n"), said[: len(line)])
