"""One Chromium for all tests of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import chromium


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """Running; the tests are skipped where there is none."""
    program = chromium.find()
    if program is None:
        pytest.skip(f"no Chromium here: none of {', '.join(chromium.NAMES)} is on the PATH")
    with chromium.launched(program, tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A page takes seconds to open."""
    folder = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(folder):
            item.add_marker(pytest.mark.long)
