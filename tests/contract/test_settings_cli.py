"""Settings that are wrong, as every command says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from b24tools.cli import app

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
    assert (
        f"{message}. Give it a value, or leave the option out; a variable that is not set gives none.\n"
        == capsys.readouterr().err
    )
    assert [tmp_path / "report.json"] == [path for path in tmp_path.iterdir() if path.name != "data"]
