"""The folder that 1C drops orders into: what waits there, and where it goes when it is done.

Which files are planned together, and which one of an order counts: `cli/order_files.py`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from b24tools.core import errors
from b24tools.core.i18n import _, os_reason

DONE, FAILED = "done", "failed"
ENDINGS = (".json", ".json.gz")
LONG_WAIT = timedelta(hours=1)  # then a person should look
LONGEST_NAME = 255
QUIET_S = 5  # a file written to more recently may be half there

Stamp = tuple[int, int]  # when a file was written, and how long it is


@dataclass(frozen=True)
class Waiting:
    """How many files wait, since when the oldest does, how many bad orders lie in `failed`, what is not taken."""

    files: int
    oldest: datetime | None
    failed: int
    others: tuple[str, ...] = ()


def show_name(path: Path | str) -> str:
    """Return a file's name as text, which it is not where another system wrote it in windows-1251."""
    return str(path).encode("utf-8", "replace").decode()


def inspect_all(folders: Iterable[Path]) -> list[Waiting]:
    """Say what waits in these inboxes, as far as they are there and may be read."""
    inboxes = []
    for folder in folders:
        with suppress(OSError):
            inboxes.append(inspect(folder))
    return inboxes


def inspect(folder: Path) -> Waiting:
    """Say what waits in an inbox. Raise OSError where it cannot be read."""
    times = [entry.stat().st_mtime for entry in scan(folder)]
    try:
        failed = sum(1 for _entry in scan(folder / FAILED))
    except (FileNotFoundError, NotADirectoryError):
        failed = 0
    with os.scandir(folder) as entries:
        others = sorted(entry.name for entry in entries if _is_other(entry))
    return Waiting(len(times), datetime.fromtimestamp(min(times), UTC) if times else None, failed, tuple(others))


def _is_other(entry: os.DirEntry[str]) -> bool:
    """Whether it is no order, none of our folders, and not hidden."""
    if entry.name in (DONE, FAILED):
        return not entry.is_dir()
    is_order = entry.is_file() and entry.name.lower().endswith(ENDINGS)
    return not is_order and not entry.name.startswith(".")


def scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the orders of a folder: what is a file and is named `*.json` or `*.json.gz`. Raise OSError."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.name.lower().endswith(ENDINGS) and entry.is_file() and entry.stat():
                    yield entry
            except FileNotFoundError:  # another run has taken it
                continue


def list_ripe(folder: Path, now: datetime, sleep: Callable[[float], None]) -> list[tuple[Path, Stamp]]:
    """List the `*.json` and `*.json.gz` files of an inbox that have not been written to for a while, oldest first.

    One whose time lies in the future, from a computer whose clock is ahead, is looked at twice. Raise ConfigError.
    """
    try:
        paths = [Path(entry.path) for entry in scan(folder)]
    except OSError as error:
        raise errors.ConfigError(
            _("the inbox {folder} cannot be read: {reason}").format(folder=show_name(folder), reason=os_reason(error)),
            _("Create the folder, and let the user of this job read and write there."),
        ) from None
    stamps = {path: stamp for path in paths if (stamp := _read_stamp(path))}
    now_ns = now.timestamp() * 1e9
    ripe = {path: stamp for path, stamp in stamps.items() if now_ns - stamp[0] >= QUIET_S * 1e9}
    ahead = {path: stamp for path, stamp in stamps.items() if stamp[0] > now_ns}
    if ahead:
        sleep(QUIET_S)
        ripe |= {path: stamp for path, stamp in ahead.items() if _read_stamp(path) == stamp}
    return sorted(ripe.items(), key=lambda pair: (pair[1][0], pair[0]))


def _read_stamp(path: Path) -> Stamp | None:
    """Return what distinguishes one writing of a file from the next; None where another run has taken it."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None


def move(path: Path, stamp: Stamp, folder: str, now: datetime, message: str = "") -> None:
    """Move a file of the inbox into `done` or `failed`, there with the message beside it.

    Leave it where another run has taken it, or 1C has written it anew since it was read. Raise ConfigError.
    """
    ending = ".txt" if message else ""
    suffix = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
    stem = path.name.removesuffix(suffix)
    target = path.parent / folder / _fit(stem, suffix, ending)
    if _read_stamp(path) != stamp:
        return
    try:
        target.parent.mkdir(exist_ok=True)
        if target.exists():
            target = target.with_name(_fit(stem, f".{now:%Y%m%dT%H%M%S%f}{suffix}", ending))
        path.replace(target)
        with suppress(OSError):  # of another user's file
            os.utime(target)  # when it was done says when it is deleted
        if message:
            target.with_name(target.name + ending).write_text(f"{message}\n", encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        hint = _("Let the user of this job write there; handled again, the order changes nothing.")
        if target.parent.exists() and not target.parent.is_dir():
            hint = _("Rename or delete the file {folder}: a folder of that name is needed there.")
        raise errors.ConfigError(
            _("{path} was handled but cannot be moved to {folder}: {reason}").format(
                path=show_name(path), folder=show_name(target.parent), reason=os_reason(error)
            ),
            hint.format(folder=show_name(target.parent)),
        ) from error


def _fit(stem: str, *endings: str) -> str:
    """Return a name for the stem and the first ending that leaves room for the rest: file systems take 255 bytes."""
    while len(os.fsencode("".join((stem, *endings)))) > LONGEST_NAME:
        stem = stem[:-1]
    return stem + endings[0]


def delete_old(folder: Path, now: datetime, keep: timedelta) -> None:
    """Delete what was done so long ago; nothing where all is so old: the clock may be wrong. Raise ConfigError."""
    done = folder / DONE
    try:
        times = {Path(entry.path): entry.stat().st_mtime for entry in scan(done)}
        limit = (now - keep).timestamp()
        if max(times.values(), default=limit) > limit:
            for path, time in times.items():
                if time < limit:
                    path.unlink(missing_ok=True)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise errors.ConfigError(
            _("old orders in {folder} cannot be deleted: {reason}").format(folder=done, reason=os_reason(error)),
            _("Let the user of this job write there, or delete them in another way."),
        ) from error
