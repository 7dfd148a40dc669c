"""The catalogue of messages: `python -m scripts.update_translations` brings ru.po up to the code and compiles it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import typer.main
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from b24tools.cli import app

PACKAGE = Path(__file__).parent.parent / "b24tools"
# what Typer says by itself, through gettext
TYPER = (
    "Missing command.",
    "No such command {name!r}.",
    "Show this message and exit.",
)
RU = PACKAGE / "locale" / "ru" / "LC_MESSAGES" / "b24tools.po"


def extract() -> Catalog:
    """Every message of the package, with the files it is in (no line numbers: they would only make noise)."""
    catalog = Catalog(project="b24tools", charset="utf-8")
    for text in [*TYPER, *_help_texts()]:
        catalog.add(text, locations=[("cli/localized.py", None)])
    keywords = {"_": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
    found = extract_from_dir(str(PACKAGE), [("**.py", "python")], keywords=keywords)
    for path, _line, message, comments, context in sorted(found, key=lambda one: (one[0], one[1])):
        catalog.add(message, locations=[(path, None)], auto_comments=comments, context=context)
    return catalog


def _help_texts() -> list[str]:
    """The help of all commands and options, examples and statuses: translated when a page is shown."""
    group: Any = typer.main.get_command(app.app)
    commands = [group, *group.commands.values()]
    return [
        text
        for command in commands
        for text in (
            command.help,
            *(param.help for param in command.params),
            *(text for _words, text in command.page.examples),
            *command.page.statuses.values(),
        )
    ]


def read() -> Catalog:
    """The Russian catalogue as it is."""
    if not RU.exists():
        return Catalog(locale="ru", project="b24tools", charset="utf-8", fuzzy=False)
    with RU.open("rb") as stream:
        return read_po(stream, locale="ru")


def compiled(catalog: Catalog) -> bytes:
    """The catalogue as gettext loads it."""
    stream = io.BytesIO()
    write_mo(stream, catalog)
    return stream.getvalue()


def update() -> list[str]:
    """Write ru.po and ru.mo; the messages that still want a translation."""
    catalog = read()
    made = catalog.creation_date
    catalog.update(extract(), no_fuzzy_matching=True)
    catalog.creation_date = made  # a run that changes nothing leaves the files as they are
    catalog.header_comment = (
        "# The Russian messages: `python -m scripts.update_translations` brings them up to the code."
    )
    catalog.obsolete.clear()
    RU.parent.mkdir(parents=True, exist_ok=True)
    with RU.open("wb") as stream:
        write_po(stream, catalog, width=120, sort_by_file=True, include_lineno=False, omit_header=False)
    RU.with_suffix(".mo").write_bytes(compiled(read()))
    return [str(message.id) for message in catalog if message.id and not _is_translated(message.string)]


def _is_translated(string: str | tuple[str, ...] | list[str]) -> bool:
    return all(string) if isinstance(string, (tuple, list)) else bool(string)


if __name__ == "__main__":
    for missing in update():
        print("not translated:", missing)  # noqa: T201 - a tool's output
