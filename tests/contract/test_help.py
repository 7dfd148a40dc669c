"""Help pages: whole texts in both languages, for any width, and examples that can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from b24tools.cli import app, localized
from b24tools.core import i18n
from tests.support import golden

GROUP: Any = typer.main.get_command(app.app)
COMMANDS = {"": GROUP, **GROUP.commands}


def read_pages() -> dict[str, str]:
    """Each page."""
    program = typer.Context(GROUP, info_name="b24tools")
    contexts = {
        name: typer.Context(command, info_name=name, parent=program) if name else program
        for name, command in COMMANDS.items()
    }
    return {name: context.get_help() + "\n" for name, context in contexts.items()}


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_help_pages(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they were looked at; a narrow terminal has the same words, none of them broken."""
    i18n.use(language)
    monkeypatch.setenv("COLUMNS", "80")
    wide = read_pages()
    monkeypatch.setenv("COLUMNS", "60")
    narrow = read_pages()

    golden.check(f"help.{language}.txt", "\n".join(wide.values()))
    for name, page in narrow.items():
        assert wide[name].split() == page.split()
        assert 60 >= max(map(len, page.splitlines())), name


@pytest.mark.parametrize("words", [[], ["orders"]])
def test_help_is_the_page_of_the_option(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """`help orders` and `orders --help`, `help` and `--help`, and the program alone."""
    assert [0, 0] == [app.main(["help", *words]), app.main([*words, "--help"])]
    pages = capsys.readouterr().out.split("Usage: ")
    assert pages[1] == pages[2]


def test_help_of_what_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest one is named."""
    assert 2 == app.main(["help", "asign"])
    assert "No such command asign (the nearest is assign). `b24tools help --help` shows the usage.\n" == (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_page_can_be_typed(name: str) -> None:
    """One to three, of this command; each exit status is explained."""
    page = COMMANDS[name].page

    assert 1 <= len(page.examples) <= 3
    for example, _text in page.examples:
        parsed = GROUP.make_context("b24tools", shlex.split(example))
        called, command, words = GROUP.resolve_command(parsed, [*parsed._protected_args, *parsed.args])
        command.make_context(called, words, parent=parsed)
        assert name in ("", called)
    assert {0, 1, 2} <= set(page.statuses) <= {0, 1, 2, 3, 75, app.INTERRUPTED}


def test_a_value_is_a_plain_word() -> None:
    """No type of Python, and in Russian a Russian word."""
    values = {param for command in COMMANDS.values() for param in command.params if not getattr(param, "is_flag", 0)}
    i18n.use("ru")
    words = {localized.name_value(param) for param in values if not getattr(param, "count", 0)}

    assert "" not in words
    assert {"ID", "URL"} >= {word for value in words for word in re.findall("[A-Z]{2,}", value)}


@pytest.mark.parametrize("words", [["{options}", "mode"], ["mode", "{options}"], ["mode", "--json", "{options}"]])
def test_global_options_are_taken_on_both_sides_of_the_command(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them; what follows `--` is the command's."""
    monkeypatch.delenv("B24_DATA_DIR")
    (tmp_path / "own.env").write_text(f"B24_DATA_DIR={tmp_path / 'own'}\n", encoding="utf-8")
    options = ["--env-file", str(tmp_path / "own.env"), "-q"]
    assert 0 == app.main([argument for word in words for argument in (options if word == "{options}" else [word])])
    assert "polling" in capsys.readouterr().out
    assert 2 == app.main(["mode", "webhook", "-q", "--env-file"])
    assert capsys.readouterr().err.startswith("--env-file names no file.")
    assert 2 == app.main(["mode", "--", "-q"])
    assert '"-q"' in capsys.readouterr().err
