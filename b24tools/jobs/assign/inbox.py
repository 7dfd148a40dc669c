"""A folder that 1C drops orders into: what is ripe, and where it goes afterwards."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from b24tools import errors
from b24tools.i18n import _

QUIET_S = 5  # a file written to more recently may be half there


def ripe(folder: Path, now: datetime) -> list[Path]:
    """The `*.json` files nobody has written to for a while, oldest first. Raises ConfigError."""
    found: list[tuple[float, Path]] = []
    try:
        for entry in os.scandir(folder):
            if entry.name.lower().endswith(".json") and entry.is_file():
                written = entry.stat().st_mtime
                if now.timestamp() - written >= QUIET_S:
                    found.append((written, Path(entry.path)))
    except OSError as error:
        raise errors.ConfigError(
            _("the inbox {folder} cannot be read: {reason}").format(folder=folder, reason=error.strerror or error),
            _("Create the folder, and let the user of this job read and write there."),
        ) from None
    return [path for _written, path in sorted(found)]


def move_done(path: Path, now: datetime) -> None:
    """Put a file whose orders all succeeded into `done/`."""
    _move(path, path.parent / "done", now)


def move_failed(path: Path, message: str, now: datetime) -> None:
    """Put a file that cannot be an order into `failed/`, with the reason beside it."""
    target = _move(path, path.parent / "failed", now)
    if target is not None:
        target.with_name(target.name + ".txt").write_text(message + "\n", encoding="utf-8")


def _move(path: Path, folder: Path, now: datetime) -> Path | None:
    """The new place; None if another run has already moved the file."""
    try:
        folder.mkdir(exist_ok=True)
        target = folder / path.name
        if target.exists():
            target = folder / f"{path.stem}.{now:%Y%m%dT%H%M%S%f}{path.suffix}"
        path.replace(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.ConfigError(
            _("{path} was handled but cannot be moved to {folder}: {reason}").format(
                path=path, folder=folder, reason=error.strerror or error
            ),
            _("Let the user of this job write there; handled again, the order changes nothing."),
        ) from None
    return target
