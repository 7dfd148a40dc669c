"""The description of the endpoints as a browser shows it, with nothing but this machine to reach."""

from __future__ import annotations

from pathlib import Path

from b24tools import context
from b24tools.sandbox import demo_company
from b24tools.server.auth import Access
from tests.browser.chromium import Browser
from tests.support.server import SERVE, serving


def test_docs_need_no_internet(browser: Browser, tmp_path: Path) -> None:
    """Every endpoint is listed, nothing is on the console, nobody else is asked."""
    with serving(demo_company.build(context.now), tmp_path) as served, browser.page() as page:
        page.open(f"{served.url}/docs")
        page.wait_for("document.querySelectorAll('.opblock').length > 0")

        listed = page.evaluate("[...document.querySelectorAll('.opblock-summary-path')].map(one => one.dataset.path)")
        assert sorted(served.client.get("/openapi.json").json()["paths"]) == sorted(set(listed))
        assert "/board" in listed
        assert [] == page.errors
        assert [] == [url for url in page.requests if not url.startswith((f"{served.url}/", "data:", "blob:"))]


def test_docs_open_however_they_are_asked_for(browser: Browser, tmp_path: Path) -> None:
    """With a slash at the end, and with the token in the address."""
    with serving(demo_company.build(context.now), tmp_path, Access(SERVE)) as served:
        own = served.url.replace("//", f"//1c:{SERVE}@")
        for address in (f"{own}/docs", f"{own}/docs/"):
            with browser.page() as page:
                page.open(address)
                page.wait_for("document.querySelectorAll('.opblock').length > 0")
                assert [] == page.errors
