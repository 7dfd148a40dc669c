"""Profiles: a settings file for each of many portals, NAME.env in the folder B24_PROFILES."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from b24tools.core import config, errors
from b24tools.core.i18n import _, os_reason

SUFFIX = ".env"
PLACEHOLDER = "{profile}"  # in the words of a command that is run for each of them
# part of file names, of systemd's units, and of schemas, where no capital letters are: two spellings are never one
NAME = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)\Z)[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?")


@dataclass(frozen=True)
class Profile:
    """A portal's settings: its name, and its file."""

    name: str
    file: Path


def find_folder(env_file: Path | None) -> Path:
    """Return the folder of the profiles, by the environment or the settings file. Raises ConfigError."""
    inspection = config.inspect(env_file=env_file)
    for name, problem in inspection.problems:
        if name in ("", "B24_PROFILES"):
            raise problem
    folder = inspection.settings.profiles
    if folder is None:
        raise errors.ConfigError(
            _("B24_PROFILES is not set: it names the folder of the profiles"),
            _("Set it in the environment, in .env, or in the file of --env-file."),
        )
    return folder


def list_profiles(folder: Path) -> tuple[list[Profile], list[str]]:
    """Return the profiles of a folder by their names, and the names of files that are none. Raises ConfigError."""
    try:
        paths = sorted(file for file in folder.iterdir() if file.suffix == SUFFIX and not file.name.startswith("."))
        files = [file for file in paths if not file.is_dir()]  # a link that leads nowhere is a portal that is broken
    except OSError as error:
        raise _describe_unreadable(folder, error) from error
    fitting = [Profile(file.stem, file) for file in files if NAME.fullmatch(file.stem)]
    return fitting, [file.name for file in files if not NAME.fullmatch(file.stem)]


def find_profile(name: str, env_file: Path | None, *, must_exist: bool = True) -> Profile:
    """Return the profile of a name, which is no path. Raises ConfigError."""
    if not NAME.fullmatch(name):
        raise errors.UsageError(
            _('"{name}" cannot be the name of a profile').format(name=name),
            _("It has at most 30 small Latin letters, digits and hyphens, as in plant-2; it is no path."),
        )
    folder = find_folder(env_file)
    profile = Profile(name, folder / f"{name}{SUFFIX}")
    try:
        is_there = profile.file.is_file()
    except OSError as error:
        raise _describe_unreadable(folder, error) from error
    if must_exist and not is_there:
        raise _describe_missing(profile, folder)
    return profile


def choose_profiles(
    text: str | None, env_file: Path | None, *, must_exist: bool = True
) -> tuple[list[Profile], list[str]]:
    """Return the profiles that a list names, `a,b`, or all, and the names of files that are none. Raises ConfigError.

    There is at least one.
    """
    if text is not None:
        names = dict.fromkeys(name.strip() for name in text.split(","))
        return [find_profile(name, env_file, must_exist=must_exist) for name in names], []
    folder = find_folder(env_file)
    profiles, others = list_profiles(folder)
    if not profiles:
        raise errors.ConfigError(
            _("there is no profile in {folder}").format(folder=folder),
            _("`b24tools --profile NAME init` writes one."),
        )
    return profiles, others


def check_path(path: Path | str) -> None:
    """Raise ConfigError for a path that would be the same for all profiles."""
    if PLACEHOLDER not in str(path):
        raise errors.UsageError(
            _("{path} would be one and the same for all portals").format(path=path),
            _("Write {profile} where the profile's name goes: /srv/1c/{profile}."),
        )


def _describe_unreadable(folder: Path, error: OSError) -> errors.ConfigError:
    return errors.ConfigError(
        _("the folder of the profiles, {path}, cannot be read: {reason}").format(path=folder, reason=os_reason(error)),
        _("B24_PROFILES names it; `b24tools --profile NAME init` makes the first one."),
    )


def _describe_missing(profile: Profile, folder: Path) -> errors.ConfigError:
    profiles, _others = list_profiles(folder)
    hint = _("`b24tools --profile {name} init` writes it.").format(name=profile.name)
    if profiles:
        hint = _("There are: {names}. {hint}").format(names=_join([other.name for other in profiles]), hint=hint)
    return errors.ConfigError(_("there is no profile {file}").format(file=profile.file), hint)


def _join(names: Sequence[str], most: int = 10) -> str:
    more = len(names) - most
    return ", ".join([*names[:most], *([_("{n} more").format(n=more)] if more > 0 else [])])
