"""Help pages and complaints about usage in the reader's language.

Help texts stand in the code in English and are translated when a page is shown: only then is the language known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.i18n import _ as translate


class _Localized:
    """The help page of a command or of all commands."""

    help: Any

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an option without a value: an unset variable of a script would mean the current folder."""
        values = {name: param for param in self.get_params(ctx) for name in param.opts}  # type: ignore[attr-defined]
        for word, following in zip(args, [*args, None][1:], strict=True):
            name, equals, value = word.partition("=")
            param = values.get(name)
            given = value if equals else following
            if param is None or getattr(param, "is_flag", True) or given is None or given.strip():
                continue
            kinds = {"DIR": _("{option} names no folder"), "FILE": _("{option} names no file")}
            message = kinds.get(param.metavar, _("{option} has an empty value")).format(option=name)
            hint = _("Give it a value, or leave the option out; a variable that is not set gives none.")
            raise errors.ConfigError(message, hint, code=errors.ErrorCode.USAGE)
        return super().parse_args(ctx, args)  # type: ignore[misc,no-any-return]

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


class Commands(Mapping[str, Any]):
    """The commands by name, each made of its function when it is asked for: a run needs one of them."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = functions
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return the command; raises KeyError where there is none of this name."""
        function = self._functions[name]
        if name not in self._made:
            single = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
            single.command(cls=Command)(function)
            self._made[name] = typer.main.get_command(single)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._functions)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._functions)


def describe_usage_error(error: typer.TyperException) -> str:
    """Say what is wrong with the command line; Typer has only English for it."""
    message = error.format_message()
    nearest = _(" (the nearest is {names})")
    unfit = _("{name}: the value does not fit: {reason}")
    forms = {
        r"No such option: (?P<name>\S+)": _("no such option: {name}"),
        r"No such option: (?P<name>\S+) \(Possible options: (?P<names>.*)\)": _("no such option: {name}") + nearest,
        r"(?P<start>.*)\. Did you mean (?P<names>.*)\?": "{start}" + nearest,
        r"Option (?P<name>\S+) requires an argument\.": _("the option {name} wants a value"),
        r"Option (?P<name>\S+) does not take a value\.": _("the option {name} takes no value"),
        r"Missing \w+ (?P<name>\S+)\.": _("{name} is missing"),
        r"Got unexpected extra argument\(s\) \((?P<words>.*)\)": _("unexpected words: {words}"),
    }
    reasons = {
        r"Input should be greater than or equal to (?P<limit>\S+)": _("it must be at least {limit}"),
        r"Input should be less than or equal to (?P<limit>\S+)": _("it must be at most {limit}"),
        r"Input should be a valid integer.*": _("it must be a whole number"),
        r"Value error, .* is not one of (?P<choices>.*)\.": _("it must be one of {choices}"),
        r"(?P<other>.*)": "{other}",
    }
    forms |= {f"Invalid value for (?P<name>\\S+): {form}": unfit.replace("{reason}", r) for form, r in reasons.items()}
    for form, words in forms.items():
        if found := re.fullmatch(form, message):
            return words.format(**{name: text.replace("'", "") for name, text in found.groupdict().items()})
    return message
