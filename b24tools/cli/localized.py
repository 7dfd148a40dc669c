"""Typer's own words in the reader's language: the help pages and the complaints about usage."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from b24tools.core.i18n import _

F = TypeVar("F", bound=Callable[..., Any])


class Command(TyperCommand):
    """A command whose help page is wholly in one language."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """`Usage: b24tools assign [OPTIONS] …`."""
        _write_usage(self, ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:
        """`--help`, explained."""
        return _explained(super().get_help_option(ctx))


class Group(TyperGroup):
    """The same for the page of all commands."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """`Usage: b24tools [OPTIONS] COMMAND …`."""
        _write_usage(self, ctx, formatter)

    def get_help_option(self, ctx: Any) -> Any:
        """`--help`, explained."""
        return _explained(super().get_help_option(ctx))


class App(typer.Typer):
    """A Typer whose commands and page of commands are the ones above."""

    def __init__(self, **options: Any) -> None:
        super().__init__(cls=Group, **options)

    def command(self, name: str | None = None, *, help: str, **options: Any) -> Callable[[F], F]:  # type: ignore[override]
        """As Typer's; the list of commands shows the first sentence of `help`."""
        return super().command(name, cls=Command, help=help, **options)


def usage(error: typer.TyperException) -> str:
    """What was wrong with the command line; Typer has only English for it."""
    told = error.format_message()
    name = getattr(error, "option_name", "")
    if hasattr(error, "possibilities"):
        near = ", ".join(sorted(error.possibilities or ()))
        return _("no such option: {name}").format(name=name) + (
            _(" (the nearest is {names})").format(names=near) if near else ""
        )
    if name and "requires" in told:
        return _("the option {name} wants a value").format(name=name)
    if isinstance(error, typer.BadParameter) and error.param is not None:
        return _("{name}: the value does not fit: {reason}").format(
            name="/".join(error.param.opts), reason=_reason(error.message.removeprefix("Value error, "))
        )
    if extra := re.fullmatch(r"Got unexpected extra argument.*? \((.*)\)", told):
        return _("unexpected words: {words}").format(words=extra[1])
    return told


def _reason(told: str) -> str:
    """Why a value does not fit."""
    known = {
        r"Input should be greater than or equal to (?P<limit>\S+)": _("it must be at least {limit}"),
        r"Input should be less than or equal to (?P<limit>\S+)": _("it must be at most {limit}"),
        r"Input should be a valid integer.*": _("it must be a whole number"),
        r".* is not one of (?P<choices>.*)": _("it must be one of {choices}"),
    }
    for form, words in known.items():
        if found := re.fullmatch(form, told):
            return words.format(**{name: text.replace("'", "") for name, text in found.groupdict().items()})
    return told


def _write_usage(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    pieces = " ".join(command.collect_usage_pieces(ctx))
    formatter.write_usage(ctx.command_path, pieces, prefix=_("Usage: "))


def _explained(option: Any) -> Any:
    if option is not None:
        option.help = _("Show this page and exit.")
    return option
