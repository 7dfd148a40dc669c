"""A settings file: read line by line with all that is wrong in it, written whole, and read back before it counts."""

from __future__ import annotations

import io
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import dotenv
import dotenv.parser

from b24tools.core import data_folder, errors
from b24tools.core.i18n import _, os_reason

OLD_NAMES = {"BITRIX_WEBHOOK": "BITRIX_WEBHOOK_URL", "TZ_NAME": "B24_TZ"}
OUR_PREFIXES = ("B24_", "BITRIX_")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SECOND_SETTING = re.compile(r"(?:^|[\s\"';])(?:B24|BITRIX)_\w+=")
_OPENED_QUOTE = re.compile(r"""[^=]*=\s*["']""")
PATHS = ("B24_DATA_DIR", "B24_CA_BUNDLE", "B24_PROFILES")
_PLAIN_TEXT = (*PATHS, "B24_DEPARTMENT", "B24_GROUP", "B24_FOLDER", "B24_ROUTE")
_VARIABLE = re.compile(r"\$\{\w+\}|\$[A-Z_][A-Z0-9_]+|%[A-Z_][A-Z0-9_]+%")
_ANY_VARIABLE = re.compile(r"\$[{(\w]|%\w+%|\$env:")
_ODD_QUOTES = "“”„‟‘’‚‛`"
_JOINER = "\u200d"  # invisible, but part of an emoji that a project may have in its name


@dataclass
class EnvFile:
    """What was read of a file: its non-empty values by name, what could not be read, and what stands there twice.

    `is_unread`: nothing of it could.
    """

    path: Path | None = None
    is_unread: bool = False
    values: dict[str, str] = field(default_factory=dict)
    problems: list[errors.ConfigError] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)


def read_value(env_file: Path | None, name: str) -> str:
    """Return what the file, or .env from here upwards, says of a setting, "" where it says nothing."""
    return read_file(env_file).values.get(name, "").strip()


def read_file(chosen: Path | None) -> EnvFile:
    """Read the file. A chosen one must exist, one looked for from here upwards need not."""
    hint = _("Name an existing file with --env-file, or leave the option out.")
    if chosen is None:
        try:
            chosen = _find_file()
        except OSError as error:  # as after `rm -r` of it
            message = _("the current folder cannot be used: {reason}").format(reason=os_reason(error))
            problem = errors.ConfigError(message, _("Change into one that is there."))
            return EnvFile(problems=[problem], is_unread=True)
        if chosen is None:
            return EnvFile()
        hint = _("It must be a file that this user may read; --env-file names another one.")
    try:
        text = _decode(chosen, hint)
    except errors.ConfigError as error:
        return EnvFile(problems=[error], is_unread=True)
    file = EnvFile(chosen)
    lines: dict[str, int] = {}
    # line by line, so that no open quote swallows the lines after it
    for number, line in enumerate(re.split("\r\n|\n|\r", text), 1):
        place = _("{path}, line {number}").format(path=chosen, number=number)
        try:
            name, value = _read_line(line.lstrip("\ufeff"), place)
        except errors.ConfigError as error:
            file.problems.append(error)
            continue
        if not value.strip():
            continue
        if name in lines and value != file.values[name] and name.startswith(OUR_PREFIXES):
            text = _("{path}, lines {first} and {second}: {name} is set twice; the last one counts")
            file.repeated.append(text.format(path=chosen, first=lines[name], second=number, name=name))
        lines[name], file.values[name] = number, value
    return file


def _find_file() -> Path | None:
    """Find the nearest .env from here upwards; what is in its place, as Docker makes a folder there, is found, too.

    But not an environment of Python, which some call so, and nothing that is read only once.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        path = folder / ".env"
        is_folder = os.path.isdir(path) and not os.path.exists(path / "pyvenv.cfg")  # noqa: PTH110, PTH112 - no errors
        is_lost = os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114
        if is_folder or is_lost or os.path.isfile(path):  # noqa: PTH113
            return path
    return None


def _read_line(line: str, place: str) -> tuple[str, str]:
    """Read one line's name and value, both "" where it sets nothing. Raise ConfigError, never with the value in it."""
    # the parser would decode backslashes in quotes: they are hidden from it, for a path is what it looks like
    binding = next(dotenv.parser.parse_stream(io.StringIO(line.replace("\\", "\0"))), None)
    if binding is None or (binding.key is None and not binding.error):
        return "", ""
    hint = _("Write one setting a line as NAME=VALUE, without `set` and without a colon, as .env-example does.")
    name, value = binding.key or "", (binding.value or "").replace("\0", "\\")
    is_ours = name.upper().startswith(OUR_PREFIXES) or name in OLD_NAMES
    is_cut = binding.error
    if not _OPENED_QUOTE.match(line):  # an opening quote may be what is missing
        is_cut = is_ours and (value.count('"') % 2 == 1 or (value.endswith("'") and value.count("'") % 2 == 1))
    if is_cut:
        hint = _("Close the quote at the end of the value, in the same line, or leave the quotes out.")
        raise errors.ConfigError(_("{place}: the quotes do not enclose the value").format(place=place), hint)
    if binding.error or binding.value is None or not _NAME.fullmatch(name):
        raise errors.ConfigError(_("{place}: this is not NAME=VALUE").format(place=place), hint)
    if _SECOND_SETTING.search(value):
        raise errors.ConfigError(_("{place}: there are two settings in one line").format(place=place), hint)
    if is_ours:
        check_value(place, name, value.strip())
        if not _OPENED_QUOTE.match(line):
            _check_unquoted(place, name, value, line)
    return name, value


def check_value(place: str, name: str, value: str) -> None:
    """Raise ConfigError for what would be taken literally and is hardly meant so."""
    if char := _find_invisible(value, spaces=not name.endswith(("_TOKEN", "_WEBHOOK", "_URL", "_ORIGINS"))):
        message = _("{place}: the value of {name} has an invisible character, {code}")
        message = message.format(place=place, name=name, code=f"U+{ord(char):04X}")
        raise errors.ConfigError(message, _("Type the value again instead of pasting it."))
    if _ANY_VARIABLE.search(value) if name in PATHS else _VARIABLE.fullmatch(value):
        message = _("{place}: the value of {name} has a variable in it, and variables are not expanded here")
        raise errors.ConfigError(message.format(place=place, name=name), _("Write the whole path or value out."))
    if name in PATHS and value.startswith("~"):
        try:
            Path(value).expanduser()
        except RuntimeError:  # of a user who is not there, or of one without a home, as in a container
            message = _("{place}: the value of {name} begins with {home}, and there is no such home folder")
            message = message.format(place=place, name=name, home=Path(value).parts[0])
            raise errors.ConfigError(message, _("Write the whole path or value out.")) from None


def _check_unquoted(place: str, name: str, value: str, line: str) -> None:
    """Raise ConfigError for quotes that are none to the parser, and for a name that it would cut at a number sign."""
    if value.strip(_ODD_QUOTES) != value:
        message = _("{place}: curly quotes and backticks do not enclose a value")
        raise errors.ConfigError(message.format(place=place), _('Use straight quotes, "…", or none.'))
    cut = re.search(r"(\s+)#([^\s#]?)", line.partition("=")[2])
    if name in _PLAIN_TEXT and value and cut and cut[1] == " " and cut[2]:
        message = _("{place}: it is not clear whether “#” belongs to the value of {name} or begins a comment")
        hint = _('Put the value into quotes, "…", or a blank behind the “#” of a comment.')
        raise errors.ConfigError(message.format(place=place, name=name), hint)


def _find_invisible(value: str, *, spaces: bool) -> str:
    """Find the first character that does not show: a control character, a line break, one that only formats.

    `spaces`: those of other widths than the ordinary one may be there.
    """
    kinds = ("Cc", "Cf", "Zl", "Zp") if spaces else ("Cc", "Cf", "Zl", "Zp", "Zs")
    return next((char for char in value if unicodedata.category(char) in kinds and char not in (_JOINER, " ")), "")


def write_settings(
    path: Path, values: Mapping[str, str], heading: str, old: str = "", *, check: Callable[[Path], object]
) -> None:
    """Write settings into a file that had the text `old`: they take their places, its other lines stay.

    `check` raises ConfigError for a file whose settings do not fit. So does this, and where the file cannot be written,
    or does not say then what is meant.
    """
    left = dict(values)
    target = path.resolve()  # a link to it stays one
    lines = [line for line in (_replace(line, values, left) for line in old.splitlines()) if line is not None]
    new = [f"{name}={_quote(value)}" for name, value in left.items()]
    if f"# {heading}" not in lines:
        new.insert(0, f"# {heading}")
    try:
        with data_folder.write_whole(target) as file:
            file.write(("\n".join([*new, *lines]) + "\n").encode())
            file.flush()
            _give_to_owner(target, file.fileno())
            _check(Path(file.name), path, values, check)
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be written: {reason}").format(path=path, reason=os_reason(error)),
            _("Name a file in a folder that you may write to."),
        ) from error


def read_text(path: Path) -> str:
    """Return the text of a settings file; "" where there is none. Raises ConfigError."""
    return _decode(path, _("Name another file.")).removeprefix("\ufeff") if os.access(path, os.F_OK) else ""


def _decode(path: Path, hint: str) -> str:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeError:
        text = "\0"
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be read: {reason}").format(path=path, reason=os_reason(error)), hint
        ) from error
    if "\0" in text:  # UTF-16 without its mark
        message = _("{path} is not UTF-8 text").format(path=path)
        raise errors.ConfigError(message, _("Save it again in the encoding UTF-8."))
    return text


def _replace(line: str, values: Mapping[str, str], left: dict[str, str]) -> str | None:
    """Return the line with its new value, and take that out of `left`; None where it has been set before."""
    name = line.partition("=")[0].strip().removeprefix("export ").strip()
    name = OLD_NAMES.get(name, name)
    if name not in values:
        return line
    return f"{name}={_quote(left.pop(name))}" if name in left else None


def _give_to_owner(path: Path, handle: int) -> None:
    """Let a file belong to whom the one at `path` does: root must not take it from the user of cron and the service."""
    if os.name != "nt" and os.geteuid() == 0:
        with suppress(FileNotFoundError):
            owner = path.stat()
            os.fchown(handle, owner.st_uid, owner.st_gid)


def _quote(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"' if set(value) & set(" #'\t") else value


def _check(temporary: Path, path: Path, values: Mapping[str, str], check: Callable[[Path], object]) -> None:
    """Raise ConfigError unless the settings are read as they are meant."""
    try:
        check(temporary)
    except errors.ConfigError as error:
        message = error.message.replace(str(temporary), str(path))
        raise errors.ConfigError(message, _("Nothing was written; give another value.")) from error
    for name, value in values.items():
        if read_value(temporary, name) != value:
            raise errors.ConfigError(
                _("the value of {name} cannot be written into a settings file").format(name=name),
                _("Give the id instead of the name, or a path without quotes in it."),
            )
