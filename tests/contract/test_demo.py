"""The demo tells its story whole, in both languages, and leaves nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core import i18n
from b24tools.render.console import Cell, Screen
from tests.support import golden as screens
from tests.support.orders import Clock


@pytest.mark.parametrize("language", ["en", "ru"])
def test_demo_tells_the_whole_story(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Created, unchanged, updated, completed, counted, reported: word for word, on a Monday before the shift.

    On a terminal the tasks' names are links to the portal.
    """
    monkeypatch.setattr(context, "now", Clock())
    urls: set[str] = set()
    link = Screen.link

    def note_url(screen: Screen, text: str, url: str, elsewhere: str | None = None) -> Cell:
        urls.add(url.partition("/company/")[0])
        return link(screen, text, url, elsewhere)

    monkeypatch.setattr(Screen, "link", note_url)
    i18n.use(language)

    status = app.main(["demo"])

    told = capsys.readouterr()
    assert (0, "") == (status, told.err)
    screens.check(f"demo.{language}.txt", told.out)
    assert {"https://portal.example"} == urls


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
