"""Writing a settings file: readable by its owner only, whole or not at all, read back before it takes its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from b24tools.core import config, data_folder, errors
from b24tools.core.i18n import _, os_reason


def write_settings(path: Path, values: Mapping[str, str], heading: str, old: str = "") -> None:
    """Write settings into a file that had the text `old`: they take their places, its other lines stay.

    Raises ConfigError where the file cannot be written, or does not say then what is meant.
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
            _check(Path(file.name), path, values)
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be written: {reason}").format(path=path, reason=os_reason(error)),
            _("Name a file in a folder that you may write to."),
        ) from error


def read_text(path: Path) -> str:
    """Return the text of a settings file; "" where there is none. Raises ConfigError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeError:
        raise errors.ConfigError(
            _("{path} is not UTF-8 text").format(path=path), _("Save it again in the encoding UTF-8.")
        ) from None
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be read: {reason}").format(path=path, reason=os_reason(error)), _("Name another file.")
        ) from error


def _replace(line: str, values: Mapping[str, str], left: dict[str, str]) -> str | None:
    """Return the line with its new value, and take that out of `left`; None where it has been set before."""
    name = line.partition("=")[0].strip().removeprefix("export ").strip()
    name = config.OLD_NAMES.get(name, name)
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


def _check(temporary: Path, path: Path, values: Mapping[str, str]) -> None:
    """Raise ConfigError unless the settings are read as they are meant."""
    try:
        config.load({}, temporary)
    except errors.ConfigError as error:
        message = error.message.replace(str(temporary), str(path))
        raise errors.ConfigError(message, _("Nothing was written; give another value.")) from error
    for name, value in values.items():
        if config.read_value(temporary, name) != value:
            raise errors.ConfigError(
                _("the value of {name} cannot be written into a settings file").format(name=name),
                _("Give the id instead of the name, or a path without quotes in it."),
            )
