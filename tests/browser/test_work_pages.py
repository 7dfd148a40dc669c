"""The load and the work lists as a browser shows and prints them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

import pytest

from b24tools import context
from b24tools.sandbox import demo_company
from b24tools.server.auth import Access
from tests.browser.chromium import Browser, Page
from tests.support.orders import MOSCOW, Clock, Works, order
from tests.support.server import Served, serving

POSITIONS = ("Макетчик", "Фрезеровщик", "Сварщик", "Поклейщик", "Монтажник")
WIDER = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The plant on Monday at seven with two dozen orders."""
    folder, clock = tmp_path_factory.mktemp("work"), Clock()
    portal = demo_company.build(clock)
    orders = [
        order(
            [(position, 40 + number * 5) for position in POSITIONS],
            id=f"11111111-2222-3333-4444-{number:012}",
            number=f"1Ц-{number:08}",
            customer="АО «Северсталь-Метиз» (филиал в Череповце)",
            wanted=datetime(2026, 11, 24, tzinfo=MOSCOW),
        )
        for number in range(24)
    ]
    Works(portal, folder, clock).assign(*orders)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "now", clock)
        with serving(portal, folder, Access(host="127.0.0.1")) as opened:
            yield opened


def print_pages(page: Page) -> int:
    """Print to PDF; how many pages that takes."""
    content = base64.b64decode(page.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    return max(int(count) for count in re.findall(rb"/Type\s*/Pages\b.*?/Count (\d+)", content, re.DOTALL))


@pytest.mark.parametrize(
    ("width", "scheme", "phone"), [(390, "light", True), (1280, "dark", False), (1920, "light", False)]
)
def test_the_pages_fit_and_ask_nobody_else(
    browser: Browser, served: Served, width: int, scheme: str, phone: bool
) -> None:
    """What is too wide scrolls inside; nothing on the console."""
    with browser.page(width, 844, phone=phone, prefers_color_scheme=scheme) as page:
        for path in ("/load", "/today", "/today/Сварщик"):
            page.open(served.url + path)
            assert (path, False) == (path, page.evaluate(WIDER))
        assert [] == page.errors
        assert {"127.0.0.1"} == {urlsplit(url).hostname for url in page.requests if not url.startswith("data:")}


def test_a_cell_of_several_days_leads_to_the_day_that_is_pointed_at(browser: Browser, served: Served) -> None:
    """In its middle to the middle one; the keyboard leads to the first one."""
    with browser.page(1280, 900) as page:
        page.open(served.url + "/load")
        wide = "[...document.querySelectorAll('.cell[colspan=\"3\"] a')].find(a => a.href.includes('2026-11-23'))"
        box = page.evaluate(f"(b => [b.left, b.top, b.width, b.height])({wide}.getBoundingClientRect())")
        x, y = box[0] + box[2] / 2, box[1] + box[3] / 2
        for kind in ("mousePressed", "mouseReleased"):
            page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        page.wait_for("location.pathname.startsWith('/today/')")
        assert "?date=2026-11-24" == page.evaluate("location.search")


def test_the_arrows_go_from_cell_to_cell_and_enter_to_the_tasks(browser: Browser, served: Served) -> None:
    """Down to the next row, right to the next day; the cell's list is of its person and its day."""
    focus = "(document.activeElement.title || '')"
    with browser.page(1280, 900) as page:
        page.open(served.url + "/load?department=Сварщик")
        page.evaluate("document.querySelector('tbody tr:nth-child(2) .cell a').focus()")
        first = page.evaluate(focus)
        for key in ("ArrowRight", "ArrowDown"):
            page.call("Input.dispatchKeyEvent", type="keyDown", key=key)
        second = page.evaluate(focus)
        titles = "Фёдор Лебедев, 23.11–25.11: 24 h of 24 h", "Павел Исаев, 26.11: 1 h of 8 h"
        assert titles == (first, second)
        page.evaluate("document.activeElement.click()")
        page.wait_for("location.pathname.startsWith('/today/')")
        page.wait_for("document.readyState === 'complete'")
        assert ["Павел Исаев"] == page.evaluate("[...document.querySelectorAll('.sheet h2')].map(h => h.textContent)")
        assert "?date=2026-11-26" == page.evaluate("location.search")


def test_paper_has_a_page_for_each_person(browser: Browser, served: Served) -> None:
    """Upright A4 with nothing but the sheets; the load is one page across."""
    with browser.page(1280, 900) as page:
        for name in ("Сварщик", "Монтажник"):
            page.open(f"{served.url}/today/{name}")
            sheets = page.evaluate("document.querySelectorAll('.sheet').length")
            assert (True, sheets) == (sheets > 1, print_pages(page))
        page.call("Emulation.setEmulatedMedia", media="print")
        seen = "[...document.querySelectorAll('h1, nav, footer, .filter, .idle')].filter(one => one.checkVisibility())"
        assert sheets == page.evaluate(f"{seen}.length")  # the footers of the sheets
        page.call("Emulation.setEmulatedMedia", media="")
        page.open(served.url + "/load")
        assert 1 == print_pages(page)


@pytest.mark.parametrize("path", ["/today", "/why/{task}"])
def test_tables_are_cards_on_a_phone(browser: Browser, served: Served, path: str) -> None:
    """No column hides to the right; the region can be reached by the keyboard."""
    task = next(task["task_id"] for work_list in served.client.get("/today").json() for task in work_list["tasks"])
    with browser.page(390, 844, phone=True) as page:
        page.open(served.url + path.format(task=task))
        region = "document.querySelector('.scroll[tabindex=\"0\"]')"
        assert page.evaluate(f"{region}.scrollWidth <= {region}.clientWidth")
        cut = f"[...{region}.querySelectorAll('td')].filter(cell => cell.scrollWidth > cell.clientWidth).length"
        assert 0 == page.evaluate(cut)
        assert page.evaluate(f"{region}.querySelectorAll('td[data-label]').length") > 3


def test_the_printed_overview_names_its_day(browser: Browser, served: Served) -> None:
    """The heading of the table is for paper only."""
    shown = "getComputedStyle(document.querySelector('.lists caption')).display"
    with browser.page(1280, 900) as page:
        page.open(served.url + "/today?lang=en")
        assert "none" == page.evaluate(shown)
        page.call("Emulation.setEmulatedMedia", media="print")
        assert "table-caption" == page.evaluate(shown)
        assert "Work lists: Monday, 23 November 2026" == page.evaluate("document.querySelector('caption').textContent")
