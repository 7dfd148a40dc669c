"""The page for the wall as a browser shows it, with nothing but this machine to reach."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from b24tools import context
from b24tools.core import i18n, periods
from b24tools.sandbox import demo_company
from b24tools.server.auth import Access
from b24tools.store import open_store
from tests.browser.chromium import Browser, Page
from tests.support import closed_tasks as closed
from tests.support.server import BOARD, SERVE, Served, serving

WEEK = "/board?period=2026-W47"
LONG = "Константин Крестовоздвиженский-Благовещенский-Задунайский Ш."
HOSTILE = "<img src=x onerror=alert(1)> </script>&amp;"
SHOWN = "document.querySelectorAll('#people li').length > 0"
ROWS = """[...document.querySelectorAll('#people li')].map(
  row => [...row.children].filter(part => part.className !== 'bar').map(
    part => (part.querySelector('.name') || part).textContent).join('|'))"""
SIZES = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight, innerWidth, innerHeight]"
ASK_NOW = "window.dispatchEvent(new Event('online'))"  # what a browser says when the network is back


def fill(folder: Path, *people: tuple[int, str, int, int]) -> None:
    """The small plant, and more people: id, name, department, how many tasks."""
    with closing(open_store(folder / "b24tools.db")) as opened:
        closed.plant(opened)
        opened.people.save((closed.person(number, name, team) for number, name, team, _tasks in people), closed.NOW)
    for user_id, _name, _team, tasks in people:
        close(folder, user_id, tasks)


def close(folder: Path, user_id: int, count: int) -> None:
    """More tasks of somebody in that week."""
    moments = (closed.THIS.start + timedelta(hours=60, minutes=number) for number in range(count))
    tasks = [closed.task(user_id * 100_000 + number, user_id, moment) for number, moment in enumerate(moments)]
    with closing(open_store(folder / "b24tools.db")) as opened:
        closed.save(opened, tasks)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With more than ten people."""
    folder = tmp_path_factory.mktemp("wall")
    fill(folder, (20, LONG, closed.PAINTERS, 128), (21, f"\u202e{HOSTILE}\u2066", closed.FITTERS, 8))
    with serving(demo_company.build(context.now), folder, Access(host="127.0.0.1")) as opened:
        yield opened


def shown(page: Page, served: Served, path: str = WEEK) -> None:
    """Open it and wait for its rows."""
    page.open(served.url + path)
    page.wait_for(SHOWN)


def assert_clean(page: Page, served: Served) -> None:
    """Nothing on the console, nobody else asked."""
    assert [] == page.errors
    assert {("http", "127.0.0.1", served.port)} == {
        (url.scheme, url.hostname, url.port) for url in map(urlsplit, page.requests) if url.scheme != "data"
    }


def test_the_first_ten_are_on_the_wall(browser: Browser, filled: Served) -> None:
    """Place, movement, name, team, tasks; names are text whatever is in them; whoever shares the last place is not."""
    with browser.page() as page:
        shown(page, filled)

        assert [
            f"1|new|{LONG}|Покраска|128",
            "2||Иван Петров|Сварочный цех|9",
            f"3|new|{HOSTILE}|Монтаж и упаковка|8",
            "4||Алёна Ёлкина|Монтаж и упаковка|7",
            "4|3|Мария Кузнецова|Покраска|7",
            "6|2|Алексей Жуков|Монтаж и упаковка|4",
            "6||Борис Иванов|Сварочный цех|4",
            "8|2|Пётр Сидоров-Задунайский|Монтаж и упаковка|3",
            "9|new|Глеб Новый|Сварочный цех|2",
        ] == page.evaluate(ROWS)
        ways = page.evaluate("[...document.querySelectorAll('#people li')].map(row => row.className.split(' ')[0])")
        assert ["new", "same", "new", "same", "down", "down", "same", "down", "new"] == ways
        assert 2 == page.evaluate("document.querySelectorAll('#teams li').length")
        badges = "[...document.querySelectorAll('.badge')].map(one => one.textContent).filter(text => text)"
        assert ["most improved", "most improved", "all on time", "clean Friday"] == page.evaluate(badges)
        middle = page.evaluate("document.getElementById('benchmarks').textContent")
        assert "median 4 · the first quarter has 8 or more" == middle
        assert "11 people · 174 tasks · 201.8 h" == page.evaluate("document.getElementById('totals').textContent")
        assert page.evaluate("document.getElementById('age').textContent").startswith("Data as of 20.11")
        assert_clean(page, filled)


def test_nothing_has_to_be_scrolled_on_a_wall(browser: Browser, filled: Served) -> None:
    """On a usual screen, a small one, one that stands upright; long names end in dots."""
    for width, height in ((1920, 1080), (1366, 768), (3840, 2160), (1080, 1920)):
        with browser.page(width, height) as page:
            shown(page, filled)
            assert [width, height, width, height] == page.evaluate(SIZES)
            inside = "[...document.querySelectorAll('#people > li, #teams li, header > *')].every(one => {"
            inside += (
                "const box = one.getBoundingClientRect(); return box.right <= innerWidth && box.bottom <= innerHeight})"
            )
            assert page.evaluate(inside)
            assert page.evaluate("(name => name.scrollWidth > name.clientWidth)(document.querySelector('.name'))")
            letters = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.name')).fontSize)")
            assert letters >= 0.037 * min(width, height)  # 2 cm on a screen of 40 inches and more, for 5 metres
            assert_clean(page, filled)


def test_figures_and_teams_are_read_whole(browser: Browser, filled: Served) -> None:
    """Whatever font the screen has: hours in one column, and names of teams over two lines where one is too short."""
    for query in ("", "&by=hours", "&by=hours&lang=ru"):
        with browser.page() as page:
            shown(page, filled, WEEK + query)
            page.evaluate("window.all = [...document.querySelectorAll('.figure, #teams .name')]")
            assert [] == page.evaluate("all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.outerHTML)")


def test_a_phone_scrolls_down_only(browser: Browser, filled: Served) -> None:
    """Upright and on its side."""
    for width, height in ((360, 640), (844, 390)):
        with browser.page(width, height, phone=True) as page:
            shown(page, filled)
            wide, _high, inner, _height = page.evaluate(SIZES)
            assert (width, width) == (wide, inner)
            last = "document.querySelector('#people li:last-child').getBoundingClientRect().bottom"
            assert page.evaluate(f"{last} <= document.querySelector('main').getBoundingClientRect().bottom + 1")


def test_a_department_with_a_goal(browser: Browser, tmp_path: Path) -> None:
    """Its screen shows how far the team has come, above the rows; the bar is no longer than its track."""
    fill(tmp_path)
    with closing(open_store(tmp_path / "b24tools.db")) as opened:
        opened.settings.save("team_goal", "6 tasks")
    with serving(demo_company.build(context.now), tmp_path) as served:
        for language, expected in (("en", "team goal: 15 of 18 tasks (83%), 3 of 3 present"), ("ru", "15")):
            with browser.page() as page:
                shown(page, served, f"{WEEK}&department=11&lang={language}")
                text = page.evaluate("document.querySelector('#goal p').textContent")
                assert expected in text
                part = "(bar => bar.firstChild.style.width)(document.querySelector('#goal .bar'))"
                assert page.evaluate(part).startswith("83.3")
                assert [1920, 1080, 1920, 1080] == page.evaluate(SIZES)
                assert page.evaluate("document.querySelector('h1').textContent").endswith(": Сварочный цех")
                assert page.evaluate(
                    "[...document.querySelectorAll('header p')].every(one => one.scrollWidth <= one.clientWidth)"
                )
                assert page.evaluate("document.getElementById('teams').hidden")
                assert_clean(page, served)


def test_light_and_dark(browser: Browser, filled: Served) -> None:
    """As the system has it, unless the address says otherwise."""
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(238, 241, 245)", "rgb(11, 16, 23)"
    for scheme, query, expected in [
        ("light", "", light),
        ("dark", "", dark),
        ("dark", "&theme=light", light),
        ("light", "&theme=dark", dark),
    ]:
        with browser.page(prefers_color_scheme=scheme) as page:
            page.open(filled.url + WEEK + query)
            assert expected == page.evaluate(paper)


def test_a_change_is_shown_without_a_reload(browser: Browser, tmp_path: Path) -> None:
    """The rows stay the same elements and move to their new places."""
    fill(tmp_path)
    with serving(demo_company.build(context.now), tmp_path) as served, browser.page() as page:
        shown(page, served)
        page.evaluate("window.mark = [...document.querySelectorAll('#people li')].find(row => row.dataset.id === '8')")
        assert page.evaluate("mark.textContent").startswith("7newГлеб Новый")

        close(tmp_path, 8, 30)
        page.evaluate(ASK_NOW)
        page.wait_for("mark.textContent.startsWith('1')")

        assert "1|new|Глеб Новый|Сварочный цех|32" == page.evaluate(ROWS)[0]
        assert page.evaluate("mark === document.querySelector('#people').firstChild")
        assert page.evaluate("mark.getAnimations().length > 0")
        assert page.evaluate("mark.parentNode.querySelectorAll('.medal1').length === 1")
        assert_clean(page, served)


def test_whoever_wants_no_motion_sees_none(browser: Browser, tmp_path: Path) -> None:
    """prefers-reduced-motion."""
    fill(tmp_path)
    with (
        serving(demo_company.build(context.now), tmp_path) as served,
        browser.page(prefers_reduced_motion="reduce") as page,
    ):
        shown(page, served)
        close(tmp_path, 8, 30)
        page.evaluate(ASK_NOW)
        page.wait_for("document.querySelector('#people .name').textContent === 'Глеб Новый'")

        assert 0 == page.evaluate("document.getAnimations().length")


def test_a_server_that_is_away_is_named_and_awaited(browser: Browser, tmp_path: Path) -> None:
    """What was known stays on the wall; the page finds back by itself."""
    fill(tmp_path)
    portal = demo_company.build(context.now)
    with browser.page() as page:
        with serving(portal, tmp_path) as served:
            shown(page, served, WEEK + "&lang=ru")
            page.evaluate("window.mark = true")
            before = page.evaluate(ROWS)
            quiet = page.evaluate("document.getElementById('age').textContent")
        page.evaluate(ASK_NOW)
        page.wait_for("document.documentElement.classList.contains('away')")

        assert page.evaluate("document.getElementById('age').textContent").startswith("Сервер не отвечает с ")
        assert page.evaluate("(age => age.scrollWidth <= age.clientWidth)(document.getElementById('age'))")
        assert before == page.evaluate(ROWS)
        assert {"Failed to load resource: net::ERR_CONNECTION_REFUSED"} == set(page.errors)

        with serving(portal, tmp_path, port=served.port):
            page.wait_for("!document.documentElement.classList.contains('away')")
            assert quiet[:20] == page.evaluate("document.getElementById('age').textContent")[:20]
            assert page.evaluate("window.mark")


def test_a_new_week_begins_by_itself(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Monday the page is opened anew, with the new week's heading and no rows."""
    clock = [closed.NOW]
    monkeypatch.setattr(context, "now", lambda: clock[0])
    fill(tmp_path)
    with serving(demo_company.build(context.now), tmp_path) as served, browser.page() as page:
        shown(page, served, "/board")
        assert "week 47, 16–22 November 2026, closed tasks" == heading(page)

        clock[0] = datetime(2026, 11, 23, 0, 1, tzinfo=closed.MOSCOW)
        page.evaluate(ASK_NOW)
        page.wait_for("document.getElementById('period').textContent.startsWith('week 48')")
        page.wait_for("!document.getElementById('empty').hidden")
        assert [] == page.evaluate(ROWS)


def heading(page: Page) -> Any:
    """What the page says it shows."""
    return page.evaluate("document.getElementById('period').textContent")


def test_an_empty_board_is_friendly(browser: Browser, tmp_path: Path) -> None:
    """Before the first snapshot, and on a Monday morning; in Russian as well."""
    words = "document.querySelector('#empty p').textContent"
    i18n.use("ru")
    with serving(demo_company.build(context.now), tmp_path) as served, browser.page() as page:
        page.open(served.url + "/board")
        page.wait_for("!document.getElementById('empty').hidden")
        assert "Данных пока нет: они появятся после первого сбора." == page.evaluate(words)

        now = context.now()
        week = periods.week_of(now, closed.MOSCOW)
        with closing(served.open_store()) as opened:
            closed.collect(opened, week.start, week.end, now)
        page.evaluate(ASK_NOW)
        page.wait_for(f"{words}.includes('первое место')")
        assert page.evaluate("document.getElementById('age').textContent").startswith("Данные на ")
        assert [1920, 1080, 1920, 1080] == page.evaluate(SIZES)
        assert_clean(page, served)


def test_a_screen_comes_in_with_the_token_in_its_address(browser: Browser, tmp_path: Path) -> None:
    """user:password@ before the host: what a screen without a keyboard is started with."""
    fill(tmp_path)
    with serving(demo_company.build(context.now), tmp_path, Access(SERVE, BOARD)) as served, browser.page() as page:
        page.open(f"http://tv:{BOARD}@127.0.0.1:{served.port}/board/?period=2026-W47&lang=ru")
        page.wait_for(SHOWN)
        assert "9 человек · 38 задач · 65,8 ч" == page.evaluate("document.getElementById('totals').textContent")
        assert_clean(page, served)
