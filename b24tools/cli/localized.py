"""Help pages and complaints about usage in the reader's language.

Help texts stand in the code in English and are translated when a page is shown: only then is the language known.
"""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from b24tools.core.i18n import _
from b24tools.core.i18n import _ as translate


class _Localized:
    """The help page of a command or of all commands."""

    help: Any

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Translate the page's texts, then format it."""
        self.help = translate(self.help)
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            param.help = translate(param.help)
        super().format_help(ctx, formatter)  # type: ignore[misc]

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write `Usage: b24tools assign [OPTIONS] …`."""
        pieces = " ".join(self.collect_usage_pieces(ctx))  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, pieces, prefix=_("Usage: "))

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence, for the list of commands."""
        self.help = translate(self.help)
        return str(super().get_short_help_str(limit))  # type: ignore[misc]


class Command(_Localized, TyperCommand):
    """A command whose help page is wholly in one language."""


class Group(_Localized, TyperGroup):
    """The same for the page of all commands."""


def describe_usage_error(error: typer.TyperException) -> str:
    """Say what was wrong with the command line; Typer has only English for it."""
    message = error.format_message()
    name = getattr(error, "option_name", "")
    if hasattr(error, "possibilities"):
        near = ", ".join(sorted(error.possibilities or ()))
        return _("no such option: {name}").format(name=name) + (
            _(" (the nearest is {names})").format(names=near) if near else ""
        )
    if name and "requires" in message:
        return _("the option {name} wants a value").format(name=name)
    if isinstance(error, typer.BadParameter) and error.param is not None:
        return _("{name}: the value does not fit: {reason}").format(
            name="/".join(error.param.opts), reason=_describe_reason(error.message.removeprefix("Value error, "))
        )
    if extra := re.fullmatch(r"Got unexpected extra argument.*? \((.*)\)", message):
        return _("unexpected words: {words}").format(words=extra[1])
    return message


def _describe_reason(message: str) -> str:
    known = {
        r"Input should be greater than or equal to (?P<limit>\S+)": _("it must be at least {limit}"),
        r"Input should be less than or equal to (?P<limit>\S+)": _("it must be at most {limit}"),
        r"Input should be a valid integer.*": _("it must be a whole number"),
        r".* is not one of (?P<choices>.*)": _("it must be one of {choices}"),
    }
    for form, words in known.items():
        if found := re.fullmatch(form, message):
            return words.format(**{name: text.replace("'", "") for name, text in found.groupdict().items()})
    return message
