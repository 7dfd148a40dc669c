"""The folder that 1C drops orders into, seen from outside."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

DONE, FAILED = "done", "failed"
ENDINGS = (".json", ".json.gz")
LONG_WAIT = timedelta(hours=1)  # then a person should look


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


def look_into(folders: Iterable[Path]) -> list[Waiting]:
    """Look into these inboxes, as far as they are there and may be read."""
    found = []
    for folder in folders:
        with suppress(OSError):
            found.append(look(folder))
    return found


def look(folder: Path) -> Waiting:
    """Look into an inbox. Raise OSError for one that cannot be read."""
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
