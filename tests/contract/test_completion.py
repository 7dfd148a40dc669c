"""What Tab offers, as the shells ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from b24tools.cli import app, localized
from b24tools.core import i18n


def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str, line: str) -> list[str]:
    """The answer to a line at whose end somebody has pressed Tab."""
    words = line.split(" ")
    monkeypatch.setenv(localized.COMPLETION, f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", line)
    monkeypatch.setenv("_TYPER_COMPLETE_WORD_TO_COMPLETE", words[-1])
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    with pytest.raises(SystemExit) as end:
        app.main([])
    assert 0 == end.value.code
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("b24tools snap", ["snapshot"]),
        ("b24tools leaderboard --by ", ["tasks", "hours"]),
        ("b24tools leaderboard --by=h", ["hours"]),
        ("b24tools config hid", ["hidden_users"]),
        ("b24tools config hidden_users ", ["add", "remove"]),
        ("b24tools config producer_mode ", ["polling", "webhook"]),
        ("b24tools mode p", ["polling"]),
        ("b24tools help as", ["assign"]),
        ("b24tools -q --env-file other.env snapshot --verb", ["--verbose"]),
        ("b24tools -q snapshot -q --rec", ["--reconcile"]),
        ("b24tools assign order", [""]),  # then bash offers files
    ],
)
def test_commands_options_and_values(
    line: str, offered: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Global options on both sides of the command."""
    assert offered == ask(monkeypatch, capsys, "bash", line)


@pytest.mark.parametrize(
    ("shell", "line", "answer"),
    [
        ("fish", "b24tools lo", ["load\tПоказать, кто чем занят"]),
        ("powershell", "b24tools lo", ["load:::Показать, кто чем занят"]),
        ("zsh", "b24tools lo", ["""_arguments '*: :(("load":"Показать, кто чем занят"))'"""]),
        ("fish", "b24tools sandbox --po", ["--port\tПорт, на котором ждать соединений"]),
    ],
)
def test_with_what_it_is(
    shell: str, line: str, answer: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the reader's language, where the shell shows it."""
    i18n.use("ru")
    assert answer == ask(monkeypatch, capsys, shell, line)


SESSIONS = {  # what each does with the function on Tab, in its words
    "bash": "{loaded}\nCOMP_WORDS=(b24tools snapshot --rec) COMP_CWORD=2\n"
    "_b24tools_completion b24tools; echo $COMPREPLY",
    "zsh": "compdef() {{}}; _arguments() {{ echo $@ }}; {loaded}\nwords=(b24tools snapshot --rec) CURRENT=3; "
    "_b24tools_completion",
    "fish": "{loaded}\ncomplete --do-complete 'b24tools snapshot --rec'",
}


@pytest.mark.long
@pytest.mark.parametrize("shell", SESSIONS)
def test_a_real_shell(shell: str, tmp_path: Path) -> None:
    """Loads what `b24tools completion` prints, and asks the program on its path."""
    if (executable := shutil.which(shell)) is None:
        pytest.skip(f"there is no {shell}")
    program = tmp_path / "b24tools"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m b24tools "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    loaded = subprocess.run([program, "completion", shell], capture_output=True, text=True, check=True).stdout

    session = SESSIONS[shell].format(loaded=loaded)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run([executable, "-c", session], env=os.environ | {"PATH": path}, capture_output=True, text=True)

    assert "--reconcile" in done.stdout, done.stderr
