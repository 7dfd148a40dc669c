"""The demo tells its story whole, in both languages, and leaves nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core import i18n
from tests.support import golden as screens
from tests.support.orders import Clock


@pytest.mark.parametrize("language", ["en", "ru"])
def test_demo_tells_the_whole_story(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Created, unchanged, updated, completed, counted, reported: word for word, on a Monday before the shift."""
    monkeypatch.setattr(context, "now", Clock())
    i18n.use(language)

    status = app.main(["demo"])

    told = capsys.readouterr()
    assert (0, "") == (status, told.err)
    screens.check(f"demo.{language}.txt", told.out)


@pytest.mark.long
def test_demo_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder, no database, no setting read: it works where nothing is configured."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", "not even a URL")

    status = app.main(["-q", "demo"])

    assert (0, []) == (status, list(folder.iterdir()))
    assert not (tmp_path / "data").exists()
