"""Whole expected outputs: `GOLDEN=write python -m pytest …` writes them anew, to be looked at before a commit."""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "golden"


def check(name: str, actual: str) -> None:
    """The output is the one that was looked at, to the last sign and line end."""
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.write_bytes(actual.encode("utf-8"))
    assert path.read_bytes().decode("utf-8") == actual
