"""A folder that this user may not enter, for tests that root runs, too."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest


def forbid(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the system refuse whatever is asked about what lies in the folder."""
    for name in ("stat", "lstat", "open", "mkdir", "scandir", "listdir"):
        monkeypatch.setattr(os, name, _refuse_below(folder, getattr(os, name)))
    access = os.access

    def may(path: Any, mode: int, **options: Any) -> bool:
        return not _is_below(folder, path) and not (path == folder and mode) and access(path, mode, **options)

    monkeypatch.setattr(os, "access", may)


def _refuse_below(folder: Path, ask: Any) -> Any:
    def asked(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        if _is_below(folder, path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return ask(path, *arguments, **options)

    return asked


def _is_below(folder: Path, path: Any) -> bool:
    return isinstance(path, (str, Path)) and folder in Path(path).parents
