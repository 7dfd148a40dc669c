"""The description of the endpoints as a browser shows it, with nothing but this machine to reach."""

from __future__ import annotations

from pathlib import Path

from b24tools import session
from b24tools.sandbox import plant
from tests.browser.chromium import Browser
from tests.serving import serving


def test_docs_need_no_internet(browser: Browser, tmp_path: Path) -> None:
    """Every endpoint is listed, nothing is on the console, nobody else is asked."""
    with serving(plant.build(session.now), tmp_path) as served, browser.page() as page:
        page.open(f"{served.url}/docs")
        page.wait_for("document.querySelectorAll('.opblock').length > 0")

        listed = page.evaluate("[...document.querySelectorAll('.opblock-summary-path')].map(one => one.dataset.path)")
        assert sorted(served.client.get("/openapi.json").json()["paths"]) == sorted(set(listed))
        assert "/board" in listed
        assert [] == page.errors
        assert [] == [url for url in page.requests if not url.startswith((f"{served.url}/", "data:", "blob:"))]
