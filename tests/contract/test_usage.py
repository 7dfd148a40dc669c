"""A wrong command line: the same code for programs, whatever is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from b24tools.cli import app

WRONG = [
    "assign",
    "assign --inbox . --dry-run",
    "assign a.json --to Сварщик",
    "assign a.json --until 2026-11-30",
    "assign a.json --without 17",
    "config mode add",
    "leaderboard 2026-W60",
    "leaderboard 2026-11 --week",
    "leaderboard --format csv",
    "leaderboard --max-age soon",
    "leaderboard --me 1 --teams",
    "leaderboard --profiles one --rules",
    "leaderboard --week --month",
    "norms --format csv",
    "orders --late --all",
    "orders --late --outbox .",
    "orders --format csv",
    "replan --frozen long",
    "replan --until 2026-11-30",
    "replay",
    "replay a.json --failed",
    "replay a.json --list",
    "replay missing.json",
    "snapshot --since 2029-01-01",
    "snapshot --week 2026-11",
    "snapshot --week 2099-W01",
    "snapshot --week 2026-W46 --reconcile",
    "today --format html",
    "why",
    "why 1 --order 2",
    "each --profiles one -- today --no-such",
    "--profile one each -- mode",
]


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_command_line_has_the_code_of_one(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs tell it from a wrong setting."""
    monkeypatch.setenv("B24_PROFILES", ".")
    Path("one.env").touch()

    status = app.main([*line.replace("each --", "each --json --").split(), *(["--json"] * ("each" not in line))])

    assert (2, "usage") == (status, json.loads(capsys.readouterr().out)["error"]["code"])
