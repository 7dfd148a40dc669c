"""Pages of planners as a browser shows them, with nothing but this machine to reach."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from importlib import util
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from b24tools import context
from b24tools.sandbox import demo_company
from tests.browser.chromium import Browser, Page
from tests.support.orders import MONDAY, Clock
from tests.support.plans import at
from tests.support.server import Served, as_bytes, order, serving

PAGES = ("/plan", "/plan?by=people", "/orders", "/", "/load", "/today", "/today/Сварщик")
POSITIONS = ("Макетчик", "Фрезеровщик", "Сварщик", "Монтажник")
BARS = "document.querySelectorAll('.lane a')"
FOCUSED = "document.activeElement.querySelector('title').textContent"
ASK_NOW = "window.dispatchEvent(new Event('online'))"  # what a browser says when the network is back
TASK = "https://portal.example/company/personal/user/0/tasks/task/view/"


def make(number: int, wanted: datetime, customer: str = "ООО «Ромашка»") -> dict[str, Any]:
    """An order of four operations."""
    values = {
        "ИдентификаторЗаказа": f"11111111-2222-3333-4444-{number:012}",
        "НомерЗаказа": f"1Ц-{number:08}",
        "Контрагент": customer,
        "РекоммендуемаяДатаСдачи": f"{wanted:%Y-%m-%dT00:00:00}",
    }
    lines = [(position, 240.0 + 60 * ((number + n) % 5)) for n, position in enumerate(POSITIONS)]
    return order(lines, **values)


def send(served: Served, *orders: dict[str, Any]) -> None:
    """Give the plant these orders."""
    assert 200 == served.client.post("/", content=as_bytes(orders)).status_code


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    """Tuesday noon, a day after the orders came."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "now", clock)
        yield clock


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Iterator[Served]:
    """Nine orders, of which some are late; a person is ill."""
    clock.now = MONDAY
    portal = demo_company.build(clock)
    with serving(portal, tmp_path_factory.mktemp("planned")) as opened:
        hostile = "<img src=x onerror=alert(1)> </script>"
        days = [at(24 + number % 5) for number in range(9)]
        send(opened, *(make(number, day, *[hostile] * (number == 3)) for number, day in enumerate(days)))
        ill = next(task.responsible for task in portal.tasks if task.title.startswith("Сварщик: 1Ц"))
        portal.add_absence(ill, date(2026, 11, 24), date(2026, 11, 27))
        clock.now = at(24, 12).astimezone(UTC)
        yield opened


def assert_clean(page: Page, served: Served) -> None:
    """Nothing on the console, no other host asked."""
    assert [] == page.errors
    assert {("http", "127.0.0.1", served.port)} == {
        (url.scheme, url.hostname, url.port) for url in map(urlsplit, page.requests) if url.scheme != "data"
    }


@pytest.mark.long
def test_the_pages_fit_a_phone_a_desk_and_a_wall(browser: Browser, served: Served) -> None:
    """Only the chart scrolls to the side; on a desk it has the rest of the window, with its days always in sight."""
    for width, height, phone, scheme in (
        (390, 844, True, "dark"),
        (1280, 800, False, "light"),
        (1920, 1080, False, "dark"),
    ):
        with browser.page(width, height, phone=phone, prefers_color_scheme=scheme) as page:
            for path in PAGES:
                page.open(served.url + path)
                assert width == page.evaluate("Math.max(document.documentElement.scrollWidth, innerWidth)"), path
                page.evaluate("(one => one && (one.scrollTop = 300))(document.querySelector('.chart'))")
                if "/plan" in path and not phone:
                    assert height == page.evaluate("document.documentElement.scrollHeight")
                    assert page.evaluate(
                        "document.querySelector('.axis').getBoundingClientRect().top"
                        " - document.querySelector('.chart').getBoundingClientRect().top"
                    ) in range(2)
            assert_clean(page, served)


def test_light_and_dark(browser: Browser, served: Served) -> None:
    """As the system has it, unless the address says otherwise; on paper always light."""
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark, white = "rgb(238, 241, 245)", "rgb(11, 16, 23)", "rgb(255, 255, 255)"
    for scheme, query, expected in [("light", "", light), ("dark", "", dark), ("dark", "?theme=light", light)]:
        with browser.page(prefers_color_scheme=scheme) as page:
            page.open(f"{served.url}/plan{query}")
            assert expected == page.evaluate(paper)
            page.call("Emulation.setEmulatedMedia", media="print")
            assert white == page.evaluate(paper)
            assert page.evaluate(
                "[...document.querySelectorAll('nav, .filter, footer, #fresh')].every(one => !one.offsetParent)"
            )


def test_the_plan_is_printed_whole(browser: Browser, served: Served) -> None:
    """All rows, on sheets lying on their side, with nothing cut off at the right."""
    with browser.page(1280, 800) as page:
        page.open(served.url + "/plan")
        pdf = base64.b64decode(page.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    (count,) = re.findall(rb"/Type /Pages\s*/Count (\d+)", pdf) or re.findall(rb"/Count (\d+)", pdf)
    sheets = {tuple(map(round, map(float, box.split()))) for box in re.findall(rb"/MediaBox \[([^\]]*)\]", pdf)}
    assert int(count) in (1, 2)
    assert {(0, 0, 842, 595)} == {(x, y, round(w), round(h)) for x, y, w, h in sheets}


def test_bars_lie_on_their_days(browser: Browser, served: Served) -> None:
    """Work of today begins at the line of now; nights are narrow; late work ends right of its wanted day."""
    with browser.page(1920, 1080) as page:
        page.open(served.url + "/plan")
        left = "(one => one.getBoundingClientRect().left)(document.querySelector('{}'))"
        now = page.evaluate(left.format(".ground .now"))
        begun = page.evaluate(f"[...{BARS}].map(one => one.querySelector('rect').getBoundingClientRect().left)")
        assert all(edge >= now - 2 for edge in begun)
        assert any(abs(edge - now) < 3 for edge in begun)
        rests = page.evaluate("[...document.querySelectorAll('.rest')].map(one => one.getBoundingClientRect().width)")
        day = page.evaluate(
            "(lines => lines[1].getBoundingClientRect().left - lines[0].getBoundingClientRect().left)"
            "(document.querySelectorAll('.ground .day'))"
        )
        assert max(rests) < day / 2
        late = "[...document.querySelectorAll('.row:has(.wanted):has(.bar.late)')]"
        right = "Math.max(...[...row.querySelectorAll('.bar.late rect')].map(one => one.getBoundingClientRect().right))"
        line = "row.querySelector('.wanted line').getBoundingClientRect().left"
        assert page.evaluate(f"{late}.length > 0 && {late}.every(row => {right} > {line})")


def test_everything_is_found_as_text(browser: Browser, served: Served) -> None:
    """What stands in a bar, what holds an order up, and an operation in the list that is folded."""
    with browser.page() as page:
        page.open(served.url + "/plan")
        for text in ("is away until 27.11", "1Ц-00000003", "#70"):
            assert page.evaluate(f"document.body.textContent.includes({text!r})"), text
        assert page.evaluate("window.find('Сварщик · ')")
        assert page.evaluate(f"[...{BARS}].every(one => one.textContent && one.href.baseVal.startsWith('{TASK}'))")
        assert 0 == page.evaluate("document.images.length")
        page.open(served.url + "/plan?by=people")
        assert page.evaluate("window.find('1Ц-00000003 · ')")
        titles = page.evaluate("[...document.querySelectorAll('.lane g title')].map(one => one.textContent)")
        assert "away 24.11 - 27.11" in titles
        assert_clean(page, served)


def test_the_keyboard_leads_everywhere(browser: Browser, served: Served) -> None:
    """Past the navigation, then from bar to bar: within a row, and to the nearest of the next one."""

    def press(page: Page, key: str, code: int) -> None:
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    with browser.page() as page:
        page.open(served.url + "/plan")
        press(page, "Tab", 9)
        assert "To the content" == page.evaluate("document.activeElement.textContent")
        assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")
        page.evaluate(f"{BARS}[0].focus()")
        first = page.evaluate(FOCUSED)
        press(page, "ArrowRight", 39)
        second = page.evaluate(FOCUSED)
        press(page, "ArrowDown", 40)
        below = page.evaluate(FOCUSED)
        press(page, "ArrowUp", 38)
        press(page, "ArrowLeft", 37)
        assert first.partition(",")[0] == second.partition(",")[0] != below.partition(",")[0]
        assert first != second
        assert first.partition(",")[0] == page.evaluate(FOCUSED).partition(",")[0]
        width = "parseFloat(getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth)"
        assert 3 == page.evaluate(width)  # seen by more than its colour


def test_the_form_narrows_the_plan_down(browser: Browser, served: Served) -> None:
    """By its address, which can be passed on."""
    with browser.page() as page:
        page.open(served.url + "/plan?lang=en")
        page.evaluate("document.querySelector('[name=order]').value = '00000003'")
        page.evaluate("document.querySelector('.filter button').click()")
        page.wait_for("location.search.includes('00000003') && document.querySelectorAll('.row').length === 2")
        assert "?lang=en&by=orders&order=00000003&person=&weeks=0" == page.evaluate("location.search")
        assert page.evaluate("document.querySelector('details').open")
        page.evaluate("document.querySelector('.number').click()")
        page.wait_for("location.pathname === '/orders' && document.querySelector('tr:target') !== null")
        assert "1Ц-00000003" in page.evaluate("document.querySelector('tr:target').textContent")
        assert_clean(page, served)


def test_a_page_renews_itself_and_stays_where_it_was(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is new is taken over without a reload; scroll and focus stay. A server that is away is named and awaited."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)
    portal = demo_company.build(clock)
    number, age = "document.querySelectorAll('.row .number').length", "document.getElementById('age').textContent"
    with browser.page(1280, 400) as page:
        with serving(portal, tmp_path / "data") as served:
            send(served, *(make(n, at(30)) for n in range(6)))
            page.open(served.url + "/plan?fresh=1")
            assert ("", 6) == (page.evaluate("location.search"), page.evaluate(number))
            page.evaluate("window.mark = true; document.querySelector('.chart').scrollTop = 120")
            page.evaluate(f"{BARS}[5].focus({{preventScroll: true}})")
            href = page.evaluate("document.activeElement.href.baseVal")
            send(served, make(6, at(24)))
            clock.now += timedelta(seconds=11)
            page.evaluate("document.getElementById('fresh').click()")
            page.wait_for(f"{number} === 7")
            assert (120, href, True) == (
                page.evaluate("document.querySelector('.chart').scrollTop"),
                page.evaluate("document.activeElement.href.baseVal"),
                page.evaluate("window.mark"),
            )
            page.evaluate("document.querySelector('[name=order]').focus()")
            send(served, make(7, at(24)))
            clock.now += timedelta(minutes=1)
            page.evaluate(ASK_NOW)
            page.wait_for("document.getElementById('age').dataset.at.includes('07:01')")
            assert 7 == page.evaluate(number)  # somebody is typing
            assert [] == page.errors
        page.wait_for(f"({ASK_NOW}, document.documentElement.classList.contains('away'))")
        assert page.evaluate(age).startswith("The server is away since ")
        with serving(portal, tmp_path / "data", port=served.port):
            page.wait_for(f"({ASK_NOW}, !document.documentElement.classList.contains('away'))")
            assert page.evaluate("window.mark")


@pytest.mark.long
def test_nothing_stands_in_the_way_of_anybody(browser: Browser, served: Served) -> None:
    """axe-core finds no fault, in both themes, on a phone and on a desk."""
    spec = util.find_spec("axe_core_python")
    if spec is None or spec.origin is None:
        pytest.skip("axe-core-python is not installed")
    axe = Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")
    faults: dict[str, Any] = {}
    for path, (scheme, width) in product(PAGES, (("light", 1280), ("dark", 390))):
        with browser.page(width, 800, prefers_color_scheme=scheme) as page:
            page.call("Page.setBypassCSP", enabled=True)
            page.open(served.url + path)
            page.evaluate(axe + ";0")
            rows = page.evaluate(
                "axe.run({resultTypes: ['violations']}).then(all => all.violations.map("
                "one => [one.id, one.impact, one.nodes.slice(0, 3).map(node => node.html + node.failureSummary)]))"
            )
            faults |= {f"{path} {scheme} {name}": nodes for name, _impact, nodes in rows}
    assert {} == faults


def test_a_long_number_without_spaces_wraps(browser: Browser, tmp_path: Path, clock: Clock) -> None:
    """The table of orders scrolls nowhere, the chart's heads show the whole number; on paper, too."""
    long = "Z" * 120
    cut = "[...document.querySelectorAll('.names .number')].filter(one => one.scrollWidth > one.parentNode.clientWidth)"
    wide = "[...document.querySelectorAll('table')].filter(one => one.offsetWidth > one.parentNode.clientWidth)"
    with serving(demo_company.build(clock), tmp_path) as served:
        send(served, make(7, at(27), "X" * 200) | {"НомерЗаказа": long}, make(8, at(27)))
        for width, path, media in product((1280, 390), ("/orders", "/plan"), ("screen", "print")):
            with browser.page(width, 844, phone=width == 390) as page:
                page.open(served.url + path)
                page.call("Emulation.setEmulatedMedia", media=media)
                assert long in page.evaluate("document.getElementById('main').textContent")
                assert (width, path, media, 0) == (width, path, media, page.evaluate(f"{cut}.length + {wide}.length"))
