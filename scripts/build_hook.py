"""Part of the build: the commit that a package was built from goes into it, for `b24tools --version`."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):
    """Adds b24tools/commit.txt where the tree is a git checkout; an sdist has the file, and passes it on."""

    _folder: tempfile.TemporaryDirectory[str] | None = None

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Ask git, and let the file be included. Without git there is none."""
        if not (Path(self.root) / ".git").exists():
            return
        command = ["git", "-C", self.root, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)  # noqa: S603 - fixed words
        except (OSError, subprocess.CalledProcessError):
            return
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / "commit.txt"
        file.write_text(done.stdout, encoding="utf-8")
        build_data["force_include"][str(file)] = "b24tools/commit.txt"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up."""
        if self._folder is not None:
            self._folder.cleanup()
