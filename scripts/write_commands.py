"""Write the pages of all commands and the manual page from the help: `python -m scripts.write_commands`.

docs/commands.md, docs/b24tools.1, and the Russian ones in docs/ru.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
import typer.main

from b24tools.cli import app
from b24tools.cli.localized import PROGRAM, restore
from b24tools.core import i18n

DOCS = Path(__file__).parent.parent / "docs"
FOLDERS = {"en": DOCS, "ru": DOCS / "ru"}
HEADS = {
    "en": """# Commands

[README](../README.md) · [Settings](settings.md) · [JSON](json.md)

What `b24tools help` says of each command, and made from it; `man b24tools` shows the same. The global options are taken
on both sides of the command.""",
    "ru": """# Команды

[README](../README.ru.md) · [Настройки](settings.md) · [JSON](json.md)

То, что о каждой команде говорит `b24tools help`: страница сделана из справки; `man b24tools` показывает то же.
Общие параметры можно писать по обе стороны от команды.""",
}
TITLES = {"en": ("option", "value", "meaning"), "ru": ("параметр", "значение", "смысл")}


@dataclass
class Help:
    """A help page as it is written, section by section: it stands where Typer's formatter would.

    `sections`: of each title the pairs of a term and its description; of an example the command is the term.
    """

    usage: str = ""
    text: str = ""
    sections: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    _example: str = ""

    def write_usage(self, program: str, arguments: str, prefix: str) -> None:
        self.usage = f"{program} {arguments}"

    def write_paragraph(self) -> None:
        pass

    def indentation(self) -> AbstractContextManager[None]:
        return nullcontext()

    def section(self, title: str) -> AbstractContextManager[None]:
        self.sections.append((title, []))
        return nullcontext()

    def write_dl(self, rows: list[tuple[str, str]]) -> None:
        self.sections[-1][1].extend((restore(term), restore(text)) for term, text in rows)

    def write(self, line: str) -> None:
        self._example = line.strip()

    def write_text(self, text: str) -> None:
        if self.sections:
            self.sections[-1][1].append((self._example, restore(text)))
        else:
            self.text = restore(text)


def read_help() -> dict[str, Help]:
    """Read the pages of the program, by "", and of the commands, in the language in use."""
    group: Any = typer.main.get_command(app.app)
    program = typer.Context(group, info_name=PROGRAM)
    pages = {}
    for name in ["", *group.commands]:
        command = group.commands[name] if name else group
        context = typer.Context(command, info_name=name, parent=program) if name else program
        pages[name] = Help()
        for write in (command.format_usage, command.format_help_text, command.format_options, command.format_epilog):
            write(context, pages[name])
    return pages


def write_page(language: str) -> str:
    """Write the page of all commands."""
    return "\n".join([HEADS[language], "", *_describe_all(TITLES[language])])


def _describe_all(titles: Iterable[str]) -> Iterator[str]:
    pages = read_help()
    for name, page in pages.items():
        in_table = False
        yield from (f"## {name or PROGRAM}", "", page.text, "", "```text", page.usage, "```", "")
        for title, rows in page.sections:
            if rows[0][0].startswith(PROGRAM):
                yield from ("", *(f"- `{command}`: {text}" for command, text in rows), "")
            elif rows[0][0].isdigit():
                yield from (f"{title}: " + "; ".join(f"{status} {text}" for status, text in rows) + ".", "")
            elif rows[0][0] not in pages:  # commands have headings of their own
                if not in_table:  # arguments and options stand in one
                    yield from (f"| {' | '.join(titles)} |", "|---|---|---|")
                in_table = True
                yield from (_describe_row(*row) for row in rows)


def _describe_row(term: str, text: str) -> str:
    """Write a row of a table: the names of an option, its value, what it means. An argument is its value."""
    names, value = _split_term(term)
    cells = (", ".join(f"`{name}`" for name in names), value, text)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _split_term(term: str) -> tuple[list[str], str]:
    """Split `-q, --quiet` or `--week WEEK` into names and value."""
    words = term.replace(",", "").split(" ")
    names = [word for word in words if re.fullmatch(r"--?[a-z][\w-]*", word)]
    return names, " ".join(words[len(names) :])


def write_manual(language: str) -> str:
    """Write the manual page, for man."""
    pages = read_help()
    program = pages.pop("")
    lines = [
        f'.TH {PROGRAM.upper()} 1 "" {PROGRAM}',
        ".SH NAME",
        f"{PROGRAM} \\- {_escape(program.text.rstrip('.'))}",
        ".SH SYNOPSIS",
        _escape(program.usage),
        *_list_sections(program, ".SH"),
    ]
    for name, page in pages.items():
        lines += [
            f".SH {_escape(name.upper())}",
            _escape(page.usage),
            ".PP",
            _escape(page.text),
            *_list_sections(page, ".SS"),
        ]
    return "\n".join(lines) + "\n"


def _list_sections(page: Help, macro: str) -> Iterator[str]:
    for title, rows in page.sections:
        yield f"{macro} {_escape(title)}"
        for term, text in rows:
            yield from (".TP", f"\\fB{_escape(term)}\\fR", _escape(text))


def _escape(text: str) -> str:
    """Write a text so that roff takes nothing of it for its own."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def write_all() -> dict[Path, str]:
    """Return the files as they should be."""
    files = {}
    for language, folder in FOLDERS.items():
        i18n.use(language)
        files |= {folder / "commands.md": write_page(language), folder / f"{PROGRAM}.1": write_manual(language)}
    return files


if __name__ == "__main__":
    for path, text in write_all().items():
        path.write_text(text, encoding="utf-8")
