"""`--version` names the commit that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

import b24tools
from b24tools.cli import app, version


@pytest.mark.parametrize(
    ("commit", "shown"), [("1f0c7ed2a9b4-dirty\n", f"b24tools {b24tools.__version__} (1f0c7ed2a9b4-dirty)"), (None, "")]
)
def test_a_package_knows_its_commit(
    commit: str | None, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the build has written it; without it the version has to do."""
    monkeypatch.setattr(version, "PACKAGE", tmp_path)
    if commit is not None:
        (tmp_path / "commit.txt").write_text(commit, "utf-8")

    assert 0 == app.main(["--version"])
    assert f"{shown or f'b24tools {b24tools.__version__}'}\n" == capsys.readouterr().out
