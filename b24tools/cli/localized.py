"""Help pages and complaints about usage in the reader's language.

Help texts stand in the code in English and are translated when a page is shown: only then is the language known.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from b24tools.core import errors, i18n
from b24tools.core.i18n import _, pgettext
from b24tools.render.console import GLUE
from b24tools.render.console import PROGRAM as PROGRAM

COMPLETION = "_B24TOOLS_COMPLETE"  # set by the shells' functions, to the shell that asks
LOCAL = {0: "done, or nothing to do", 1: "failed", 2: "wrong usage or settings: repeating does not help"}
READING = LOCAL | {75: "try later: the portal is busy or away"}
WRITING = LOCAL | {
    3: "partly done: repeating is safe",
    75: "try later: the portal is busy or away, or another run is at it",
}

HYPHEN = "\x1f"  # one at which typer does not break the line
_F = TypeVar("_F", bound=Callable[..., Any])


class Page(NamedTuple):
    """What a help page says at its end.

    `examples`: what is typed after the program's name, with what it does. `statuses`: what each exit status means.
    """

    examples: Sequence[tuple[str, str]] = ()
    statuses: Mapping[int, str] = LOCAL


def explain(*examples: tuple[str, str], statuses: Mapping[int, str] = LOCAL) -> Callable[[_F], _F]:
    """Give the function of a command the end of its help page."""

    def add(function: _F) -> _F:
        vars(function)["page"] = Page(examples, statuses)
        return function

    return add


class _Localized:
    """The help page of a command or of all commands."""

    help: Any
    page = Page()

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse an empty option or argument: an unset variable of a script would mean the current folder, or all.

        Only the new value of a setting may be empty.
        """
        if ctx.resilient_parsing:  # of a line on which somebody has pressed Tab
            return super().parse_args(ctx, args)  # type: ignore[misc,no-any-return]
        params = self.get_params(ctx)  # type: ignore[attr-defined]
        values = {name: param for param in params for name in param.opts}
        may_be_empty = hasattr(self, "commands") or any("VALUE|" in (param.metavar or "") for param in params)
        for previous, word, following in zip([None, *args], args, [*args[1:], None], strict=False):
            before = values.get(previous)
            if not word.strip() and not may_be_empty and (before is None or getattr(before, "is_flag", True)):
                hint = _("Give it a value, or leave it out; a variable that is not set gives none.")
                raise errors.UsageError(_("an argument is empty"), hint)
            name, equals, value = word.partition("=")
            param = values.get(name)
            given = value if equals else following
            if param is None or getattr(param, "is_flag", True) or given is None or given.strip():
                continue
            kinds = {"DIR": _("{option} names no folder"), "FILE": _("{option} names no file")}
            message = kinds.get(param.metavar, _("{option} has an empty value")).format(option=name)
            hint = _("Give it a value, or leave the option out; a variable that is not set gives none.")
            raise errors.UsageError(message, hint)
        return super().parse_args(ctx, args)  # type: ignore[misc,no-any-return]

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Write `Usage: b24tools assign [OPTIONS] …`."""
        pieces = [_("[OPTIONS]")]
        for param in self.get_params(ctx):  # type: ignore[attr-defined]
            if param.param_type_name == "argument":
                word = name_value(param)
                pieces.append((word if param.required else f"[{word}]") + "..." * (param.nargs != 1))
        if isinstance(self, TyperGroup):
            pieces.append(_("COMMAND [ARGS]..."))
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=_("Usage: "))

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_translate(self.help))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, options, and the commands of a group, with plain words for their values."""
        kinds = {"argument": _("Arguments"), "option": _("Options")}
        for kind, title in kinds.items():
            params = [
                param
                for param in self.get_params(ctx)  # type: ignore[attr-defined]
                if param.param_type_name == kind
            ]
            if params:
                with formatter.section(title):
                    formatter.write_dl([_describe_param(param) for param in params])
        if isinstance(self, TyperGroup):
            with formatter.section(_("Commands")):
                formatter.write_dl(self.commands.summarize())  # type: ignore[attr-defined]

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples and the exit statuses."""
        if self.page.examples:
            with formatter.section(_("Examples")):
                for words, text in self.page.examples:
                    formatter.write(f"  {PROGRAM} {words}\n")
                    with formatter.indentation():
                        formatter.write_text(_translate(text))
        with formatter.section(_("Exit status")):
            formatter.write_dl([(str(status), _translate(text)) for status, text in self.page.statuses.items()])

    def get_help(self, ctx: Any) -> str:
        """Return the page."""
        return restore(str(super().get_help(ctx)))  # type: ignore[misc]

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """List what Tab offers: commands and options, with the beginning of their help; global options everywhere."""
        items = super().shell_complete(ctx, incomplete)  # type: ignore[misc]
        if ctx.parent is not None and incomplete.startswith("-"):
            names = {item.value for item in items}
            items += [
                item for item in ctx.parent.command.shell_complete(ctx.parent, incomplete) if item.value not in names
            ]
        for item in items:
            item.help = restore(_first_sentence(item.help))
        return items  # type: ignore[no-any-return]


class Command(_Localized, TyperCommand):
    """A command whose help page is wholly in one language."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first sentence, for Tab."""
        return _first_sentence(self.help)


class Group(_Localized, TyperGroup):
    """The same for the page of all commands."""


def restore(text: str) -> str:
    """Take out of a text what only lets its lines break well."""
    return text.replace(HYPHEN, "-").replace(GLUE, " ")


def name_value(param: Any) -> str:
    """Return the word for the value of an argument or option: the names of choices, else what it is."""
    choices = param.type_descriptor.choices or ()
    return translate_value(param.metavar or "|".join(str(getattr(choice, "value", choice)) for choice in choices))


def translate_value(text: str) -> str:
    """Write what stands for values (`POSITION=PERSON`) in the language in use."""
    words = {
        "ADDRESS": pgettext("value", "ADDRESS"),
        "CHAT": pgettext("value", "CHAT"),
        "COMMAND": pgettext("value", "COMMAND"),
        "CURSOR": pgettext("value", "CURSOR"),
        "DAY": pgettext("value", "DAY"),
        "DEPARTMENT": pgettext("value", "DEPARTMENT"),
        "DIR": pgettext("value", "DIR"),
        "FILE": pgettext("value", "FILE"),
        "KEY": pgettext("value", "KEY"),
        "NAME": pgettext("value", "NAME"),
        "NUMBER": pgettext("value", "NUMBER"),
        "ORDER": pgettext("value", "ORDER"),
        "PERIOD": pgettext("value", "PERIOD"),
        "PERSON": pgettext("value", "PERSON"),
        "PORT": pgettext("value", "PORT"),
        "POSITION": pgettext("value", "POSITION"),
        "PROJECT": pgettext("value", "PROJECT"),
        "SPAN": pgettext("value", "SPAN"),
        "VALUE": pgettext("value", "VALUE"),
        "WEEK": pgettext("value", "WEEK"),
        "ZONE": pgettext("value", "ZONE"),
    }
    return re.sub("[A-Z]+", lambda match: words.get(match[0], match[0]), text)


def _translate(text: str) -> str:
    """Translate a text of a page, so that no line ends within a word."""
    return (text and i18n._(text)).replace("-", HYPHEN)


def _first_sentence(text: str | None) -> str:
    return _translate(text or "").partition(". ")[0].rstrip(".")


def _describe_param(param: Any) -> tuple[str, str]:
    """Return the left and the right side of a parameter's line."""
    is_option = param.param_type_name == "option"
    names = ", ".join(sorted(param.opts, key=len)) if is_option else name_value(param)
    takes_value = is_option and not param.is_flag and not param.count
    text = _translate(param.help or "?")
    if param.default is not None and takes_value and not param.multiple:
        default = _("default: {default}").format(default=getattr(param.default, "value", param.default))
        text = f"{text} " + f"[{default}]".replace(" ", GLUE)
    return f"{names} {name_value(param)}" if takes_value else names, text


class Commands(Mapping[str, Any]):
    """The commands by name, each loaded and made when it is asked for: a run needs one of them.

    `places`: of each name the module of this package and its function, as `backup.restore`.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return the command; raises KeyError where there is none of this name."""
        if name not in self._made:
            function = self._load(name)
            single = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
            single.command(cls=Command)(function)
            made: Any = typer.main.get_command(single)
            made.page = getattr(function, "page", Page())
            self._made[name] = made
        return self._made[name]

    def summarize(self) -> list[tuple[str, str]]:
        """Return each name with the first sentence of the command's help; none is made for that."""
        return [(name, _first_sentence(inspect.getdoc(self._load(name)))) for name in self._places]

    def _load(self, name: str) -> Callable[..., Any]:
        module, _dot, function = self._places[name].partition(".")
        loaded: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), function)
        return loaded

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._places)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)


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
        r"Missing \w+ (?P<name>\S+)\.(?s:.*)": _("{name} is missing"),
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
        if match := re.fullmatch(form, message):
            values = {name: text.replace("'", "") for name, text in match.groupdict().items()}
            if values.get("name", "").isupper():  # of an argument
                values["name"] = translate_value(values["name"])
            return words.format(**values)
    return message
