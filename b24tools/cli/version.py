"""What `b24tools --version` says: enough to find the very code that runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

from b24tools import __version__

PACKAGE = Path(__file__).parent.parent


def describe_version() -> str:
    """Return name, version and commit, as far as it is known: `b24tools 0.1.0 (1f0c7ed2a9b4)`."""
    commit = _read_commit()
    return f"b24tools {__version__} ({commit})" if commit else f"b24tools {__version__}"


def _read_commit() -> str:
    """Return the commit that the package was built from, or that of the checkout it runs in; "" where none is known."""
    try:
        return (PACKAGE / "commit.txt").read_text(encoding="utf-8").strip()
    except OSError:
        pass
    if not (PACKAGE.parent / ".git").exists():
        return ""
    command = ["git", "-C", str(PACKAGE.parent), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return ""
