"""Settings that are wrong, as every command says it."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from b24tools.cli import app
from b24tools.core import config
from b24tools.core.models import Person
from b24tools.render.settings import explain
from b24tools.store import open_store
from b24tools.store.settings import RUNNING_SETTINGS

COMMANDS = [
    ["assign", "order.json"],
    ["assign", "--inbox", "."],
    ["snapshot"],
    ["replay", "--list"],
    ["mode"],
    ["config"],
    ["leaderboard"],
    ["why", "1"],
    ["load"],
    ["serve", "--port", "0"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_line_that_cannot_be_read_stops_every_command(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before, an open quote lost the token of `serve`, and the door stood open."""
    (tmp_path / ".env").write_text('BITRIX_WEBHOOK_URL=x\nB24_SERVE_TOKEN="abcdef\nB24_FOLDER="Файлы"\n', "utf-8")

    assert 2 == app.main(command)
    assert (
        f"{tmp_path / '.env'}, line 2: the quotes do not enclose the value. "
        "Close the quote at the end of the value, in the same line, or leave the quotes out.\n"
    ) == capsys.readouterr().err


@pytest.mark.parametrize("command", [*COMMANDS, ["sample"], ["history"]], ids=" ".join)
@pytest.mark.parametrize("address", ["https://portal.example/rest/1/", "portal.example/rest/1/abcdefgh12/"])
def test_a_webhook_that_is_none_stops_every_command(
    command: list[str], address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those that do not ask the portal: whoever sets up is told at once."""
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", address)

    assert 2 == app.main(command)
    assert capsys.readouterr().err.startswith("BITRIX_WEBHOOK_URL is not the address of an incoming webhook. Expected ")


@pytest.mark.skipif(os.name == "nt", reason="Windows deletes no folder that somebody is in")
def test_a_current_folder_that_is_gone_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also before the language is known."""
    (folder := tmp_path / "gone").mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()

    assert 2 == app.main(["mode"])
    said = "the current folder cannot be used: No such file or directory. Change into one that is there.\n"
    assert said == capsys.readouterr().err
    assert "en" == config.choose_language()


@pytest.mark.parametrize("command", [["mode"], ["config"]], ids=" ".join)
def test_a_misspelt_setting_is_one_line_of_every_command(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, beside the data; with -q nothing."""
    (tmp_path / ".env").write_text("B24_SERVETOKEN=abcdef\n", "utf-8")
    line = f"{tmp_path / '.env'}: there is no setting B24_SERVETOKEN; it has no effect. Is B24_SERVE_TOKEN meant?\n"

    assert 0 == app.main(command)
    assert line == capsys.readouterr().err
    assert 0 == app.main(["-q", *command])
    assert "" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["assign", "--inbox", ""], "--inbox names no folder"),
        (["assign", "--inbox="], "--inbox names no folder"),
        (["assign", "--dry-run", "--without", " ", "order.json"], "--without has an empty value"),
        (["orders", "--outbox", ""], "--outbox names no folder"),
        (["--env-file", "", "mode"], "--env-file names no file"),
        (["--env-file=", "mode"], "--env-file names no file"),
        (["doctor", "--order", " "], "--order names no file"),
        (["orders", ""], "an argument is empty"),
        (["history", "1", " "], "an argument is empty"),
        (["load", "-v", ""], "an argument is empty"),
        (["serve", "--host", "", "--port", "0"], "--host has an empty value"),
    ],
)
def test_an_empty_value_is_not_the_current_folder(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable that is not set in a crontab: nothing here is read, written or moved."""
    (tmp_path / "report.json").write_text("{}", "utf-8")
    os.utime(tmp_path / "report.json", (1, 1))

    assert 2 == app.main(words)
    what = "it" if "argument" in message else "the option"
    assert (
        f"{message}. Give it a value, or leave {what} out; a variable that is not set gives none.\n"
        == capsys.readouterr().err
    )
    assert [tmp_path / "report.json"] == [path for path in tmp_path.iterdir() if path.name != "data"]


PEOPLE = [
    Person(7, "Пётр", "Иванов", "", True, (4,)),
    Person(8, "Анна", "Иванова", "", True, (4,)),
    Person(9, "Иван", "Сидоров", "", True, (4,)),
    Person(12, "Пётр", "Сидоров", "", True, (4,)),
    Person(15, "Олег", "Иванов", "", False, (4,)),
]


def save_people(tmp_path: Path) -> None:
    """As a snapshot does."""
    with closing(open_store(tmp_path / "data" / "b24tools.db")) as store:
        store.people.save(PEOPLE, datetime(2026, 11, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("said", "status", "value"),
    [
        ([["add", "Иванов"]], 0, "7"),
        ([["add", "12, #7"], ["add", "Иванов,9"], ["remove", "12,9"]], 0, "7"),
        ([["add", "иванов п."], ["add", "12"], ["add", "#"]], 2, "7,12"),
        ([["add", "7"], ["add", "Иванов"]], 0, "7"),
        ([["add", "Сидоров"]], 2, ""),
        ([["9,7"], ["add", "12"], ["remove", "Сидоров Пётр"]], 0, "9,7"),
        ([["12"], ["remove", "Сидоров"]], 0, ""),
        ([["9"], ["remove", "12"]], 0, "9"),
        ([["Иван Сидоров, Иванова,404"]], 0, "9,8,404"),
        ([["9"], ["Сидоров"]], 2, "9"),
        ([["9"], [""]], 0, ""),
        ([["9"], ["add"]], 2, "9"),
        ([["9"], ["7", "12"]], 2, "9"),
    ],
    ids=str,
)
def test_people_of_a_list_are_named_or_numbered(
    said: list[list[str]], status: int, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has left is meant only where nobody else is; of a list, who is in it."""
    key = "excluded_users" if len(said) > 1 else "hidden_users"
    save_people(tmp_path)
    statuses = [app.main(["config", key, *words]) for words in said]
    assert [0] * (len(said) - 1) + [status] == statuses
    capsys.readouterr()
    assert 0 == app.main(["config", key])
    assert f"{key} {value}".rstrip() + "\n" == capsys.readouterr().out


def test_a_name_that_means_several_people_lists_their_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And one that means nobody names the nearest; a setting that is no list has no people."""
    assert 2 == app.main(["config", "excluded_users", "add", "Сидоров"])
    save_people(tmp_path)
    for words in (["excluded_users", "add", "Сидоров"], ["hidden_users", "add", "Ивнов"], ["portal_host", "add", "7"]):
        assert 2 == app.main(["config", *words])
    assert [
        'there is no person called "Сидоров". No people are known yet: run `b24tools snapshot` once, or give the id.',
        'several people are called "Сидоров": Иван Сидоров (#9), Пётр Сидоров (#12). Give the id of the right one.',
        'there is no person called "Ивнов". The nearest name is "Пётр Иванов".',
        "portal_host is no list: it has one value. "
        "There are: hidden_users, opted_out_users, excluded_users, doctor_ignore.",
    ] == capsys.readouterr().err.splitlines()


def test_config_list_explains_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People by name; for programs it is the same as without `list`."""
    save_people(tmp_path)
    app.main(["config", "hidden_users", "7,404"])
    capsys.readouterr()

    assert 0 == app.main(["config", "list"])
    lines = capsys.readouterr().out.splitlines()
    assert ["hidden_users 7,404", "    People who are left out of the leaderboard.", "    Пётр Иванов (#7)"] == lines[
        2:5
    ]
    assert list(RUNNING_SETTINGS) == [line.split()[0] for line in lines if not line.startswith(" ")]
    assert [] == [key for key in RUNNING_SETTINGS if not explain(key)]
    app.main(["config", "list", "--json"])
    listed = capsys.readouterr().out
    app.main(["config", "--json"])
    assert listed == capsys.readouterr().out
