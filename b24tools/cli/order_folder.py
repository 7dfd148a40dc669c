"""A folder that 1C drops orders into: what is ripe, and where it goes afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from b24tools.core import errors
from b24tools.core.i18n import _, os_reason

QUIET_S = 5  # a file written to more recently may be half there

Stamp = tuple[int, int]


def stamp_of(path: Path) -> Stamp:
    """What tells one writing of a file from the next: when, and how much."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def ripe(folder: Path, now: datetime, sleep: Callable[[float], None]) -> list[Path]:
    """The `*.json` files nobody has written to for a while, oldest first. Raises ConfigError.

    One whose stamp lies in the future, from a computer whose clock is ahead, is looked at twice.
    """
    found: list[tuple[float, Path]] = []
    ahead: list[tuple[Stamp, Path]] = []
    try:
        entries = [entry for entry in os.scandir(folder) if entry.name.lower().endswith(".json")]
    except OSError as error:
        raise errors.ConfigError(
            _("the inbox {folder} cannot be read: {reason}").format(folder=folder, reason=os_reason(error)),
            _("Create the folder, and let the user of this job read and write there."),
        ) from None
    for entry in entries:
        with suppress(OSError):  # another run may have taken it
            written = entry.stat().st_mtime
            if not entry.is_file():
                continue
            if now.timestamp() - written >= QUIET_S:
                found.append((written, Path(entry.path)))
            elif written > now.timestamp():
                path = Path(entry.path)
                ahead.append((stamp_of(path), path))
    if ahead:
        sleep(QUIET_S)
        for stamp, path in ahead:
            with suppress(OSError):
                if stamp_of(path) == stamp:
                    found.append((stamp[0] / 1e9, path))
    return [path for _written, path in sorted(found)]


def move_done(path: Path, stamp: Stamp, now: datetime) -> None:
    """Put a file whose orders all succeeded into `done/`."""
    _move(path, stamp, path.parent / "done", now)


def move_failed(path: Path, stamp: Stamp, message: str, now: datetime) -> None:
    """Put a file that cannot be an order into `failed/`, with the reason beside it."""
    _move(path, stamp, path.parent / "failed", now, message)


def _move(path: Path, stamp: Stamp, folder: Path, now: datetime, message: str = "") -> None:
    """Move the file, unless another run has done so or 1C has written it anew since it was read."""
    try:
        if stamp_of(path) != stamp:
            return
        folder.mkdir(exist_ok=True)
        target = folder / path.name
        if target.exists():
            target = folder / f"{path.stem}.{now:%Y%m%dT%H%M%S%f}{path.suffix}"
        path.replace(target)
        if message:
            target.with_name(target.name + ".txt").write_text(message + "\n", encoding="utf-8")
    except FileNotFoundError:
        return
    except OSError as error:
        raise errors.ConfigError(
            _("{path} was handled but cannot be moved to {folder}: {reason}").format(
                path=path, folder=folder, reason=os_reason(error)
            ),
            _("Let the user of this job write there; handled again, the order changes nothing."),
        ) from None
