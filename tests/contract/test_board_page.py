"""The page for the wall: what is sent and to whom; tests/browser looks at it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.core import periods
from b24tools.render import board_page
from b24tools.sandbox import demo_company
from b24tools.server.auth import Access
from b24tools.store import open_store
from tests.support import closed_tasks as closed
from tests.support.server import BOARD, SERVE, Served, hash_inlined, serving

WEEK = "period=2026-W47"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With two weeks of a small plant, for this machine only."""
    folder = tmp_path_factory.mktemp("board")
    closed.main(folder)
    with serving(demo_company.build(context.now), folder, Access(host="127.0.0.1")) as opened:
        yield opened


def setup_of(page: str) -> dict[str, Any]:
    """What the script is given."""
    match = re.search(r'<script type="application/json" id="setup">(.*?)</script>', page)
    assert match
    setup: dict[str, Any] = json.loads(match[1])
    return setup


def test_the_page_is_sent_in_one_piece(filled: Served) -> None:
    """Nothing in it leads outside, and it does not stay in a cache."""
    answer = filled.client.get("/board")

    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert {"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"} == {
        name: answer.headers[name] for name in ("cache-control", "x-content-type-options", "referrer-policy")
    }
    assert [] == re.findall(r"""(?:src|href)=["'](?!data:)""", answer.text)
    assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?://[^\"' ]*", answer.text)


def test_only_its_own_script_and_style_may_run(filled: Served) -> None:
    """By their hashes: no handler in an attribute, no style of an element, nothing that came with a name."""
    answer = filled.client.get("/board")
    rules = dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
    hashes = hash_inlined(answer.text)

    assert {
        "default-src": "'none'",
        "script-src": hashes["script"],
        "style-src": hashes["style"],
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    } == rules
    assert [] == re.findall(r"<[^>]* (?:on\w+|style)=", answer.text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", answer.text)


def test_nothing_in_the_setup_ends_its_element() -> None:
    """Whatever the words hold."""
    setup = {"words": {"new": "</script><script>alert(1)</script><!--"}}

    content = board_page.to_html(closed.THIS, "tasks", "auto", setup)

    assert setup == setup_of(content)
    assert 2 == content.count("</script>")


def test_the_page_asks_for_what_it_was_asked(filled: Served) -> None:
    """This week's first ten and the teams, unless the address says otherwise."""
    usual = setup_of(filled.client.get("/board").text)
    other = setup_of(filled.client.get("/board?kind=month&by=hours&period=2026-11").text)

    assert "kind=week&by=tasks&details=1&spares_last=1&top=10" == usual["people"]
    assert "kind=week&by=tasks&details=1&spares_last=1&top=4&teams=1" == usual["teams"]
    assert "kind=month&by=hours&details=1&spares_last=1&period=2026-11&top=10" == other["people"]
    assert "2026-11" == other["label"]
    for asked in (usual["people"], usual["teams"], other["people"], other["teams"]):
        assert 200 == filled.client.get(f"/leaderboard?{asked}").status_code


@pytest.mark.parametrize("query", ["by=luck", "kind=day", "period=2026-W60", "period=<b>"])
def test_an_address_with_a_mistake_is_refused(filled: Served, query: str) -> None:
    """422, as everywhere."""
    assert 422 == filled.client.get(f"/board?{query}").status_code


def test_the_page_speaks_both_languages(filled: Served) -> None:
    """The server's own, unless the address names another one: for this page only."""
    english, russian, again = (filled.client.get(f"/board?{WEEK}{more}").text for more in ("", "&lang=ru", ""))

    assert english == again == filled.client.get(f"/board?{WEEK}&lang=de&theme=pink").text
    assert '<html lang="en" data-theme="auto">' in english
    assert "<h1>Leaderboard</h1>" in english
    assert "week 47, 16–22 November 2026, closed tasks" in english
    assert '<html lang="ru" data-theme="auto">' in russian
    assert "<h1>Рейтинг</h1>" in russian
    assert "неделя 47, 16–22 ноября 2026, закрытые задачи" in russian
    words = setup_of(russian)["words"]
    assert {"one": "{n} задача", "few": "{n} задачи", "many": "{n} задач", "other": "{n} задач"} == words["tasks"]
    assert "," == words["mark"]


def test_namesakes_are_told_apart(tmp_path: Path) -> None:
    """Whoever reads the wall cannot ask for an id; `name` stays what it is."""
    closed.main(tmp_path)
    with closing(open_store(tmp_path / "b24tools.db")) as opened, opened.transaction():
        opened.database.execute("UPDATE people SET name = 'Иван Петров'")
    with serving(demo_company.build(context.now), tmp_path) as served:
        rows = served.client.get(f"/leaderboard?{WEEK}&details=1").json()["rows"]
        plain = served.client.get(f"/leaderboard?{WEEK}").json()["rows"]

    alike = [row for row in rows if row["name"] == "Иван Петров"]
    assert len(alike) > 5
    assert [f"Иван Петров (#{row['user_id']})" for row in alike] == [row["shown"] for row in alike]
    assert [] == [row for row in rows if "shown" in row and row not in alike]
    assert [] == [row for row in plain if "shown" in row]


def test_details_add_what_the_page_shows(filled: Served) -> None:
    """The mode, and the totals of everybody; without the word the contract's keys and no other."""
    plain = filled.client.get(f"/leaderboard?{WEEK}&top=2").json()
    full = filled.client.get(f"/leaderboard?{WEEK}&top=2&details=1").json()

    assert {"period", "by", "as_of", "rows", "benchmarks", "scope", "goal"} == plain.keys()
    assert plain | {"mode": "polling", "totals": {"rows": 9, "tasks": 38, "hours": 65.8}} == full


def test_what_has_not_changed_is_not_sent_again(filled: Served) -> None:
    """304 to the page's questions."""
    setup = setup_of(filled.client.get(f"/board?{WEEK}").text)
    for asked in (setup["people"], setup["teams"]):
        tag = filled.client.get(f"/leaderboard?{asked}").headers["etag"]
        again = filled.client.get(f"/leaderboard?{asked}", headers={"If-None-Match": tag})
        assert (304, b"") == (again.status_code, again.content)
        assert "date" in again.headers  # the page takes the time from it


def test_the_board_never_names_the_last_one(filled: Served) -> None:
    """Nor the last team; of nine people two share the eighth place."""
    setup = setup_of(filled.client.get(f"/board?{WEEK}").text)
    people, teams = (filled.client.get(f"/leaderboard?{setup[kind]}").json() for kind in ("people", "teams"))

    assert [1, 2, 2, 4, 4, 6, 7] == [row["place"] for row in people["rows"]]
    assert [1, 2] == [row["place"] for row in teams["rows"]]
    assert (9, 3) == (people["totals"]["rows"], teams["totals"]["rows"])


def test_the_page_says_by_which_rules(tmp_path: Path) -> None:
    """With a link to them; of a frozen month that it is final."""
    closed.main(tmp_path)
    november = periods.parse("2026-11", closed.MOSCOW)

    def read(served: Served) -> tuple[str, str, bool]:
        text = served.client.get("/board?period=2026-11").text
        setup = setup_of(text)
        said = re.search('<p id="rules">(.*) <a>What counts</a></p>', text)
        return (html.unescape(said[1]) if said else "?"), setup["rules"], setup["frozen"]

    with serving(demo_company.build(context.now), tmp_path) as served, closing(served.open_store()) as opened:
        assert ("", "period=2026-11&lang=en&theme=auto", False) == read(served)
        assert "<li>" in served.client.get("/leaderboard/rules?period=2026-11", headers={"Accept": "text/html"}).text
        with opened.transaction():
            rules = opened.settings.counting_rules(closed.MOSCOW)
            opened.leaderboard.freeze(november, rules, closed.NOW, closed.NOW)
        assert ("Final since 20.11.2026.", "period=2026-11&lang=en&theme=auto", True) == read(served)
        opened.settings.save("count_own", "1")
        assert "Final since 20.11.2026, by other rules than today's." == read(served)[0]


def test_the_page_says_whose_eyes_have_collected_it(tmp_path: Path) -> None:
    """Where they are no administrator's nothing else was left out."""
    part = "Only what the webhook's owner sees was collected: the owner is not an administrator."
    with serving(demo_company.build(context.now), tmp_path) as served, closing(served.open_store()) as opened:
        closed.collect(opened, closed.THIS.start, closed.THIS.end, closed.THIS.end, complete=False)
        said = [
            setup_of(served.client.get(f"/board?period={period}").text)["words"]["incomplete"]
            for period in ("2026-W47", "2026-11")
        ]
    assert [part, "Incomplete: part of this period was never collected."] == said


def test_a_screen_of_a_department(filled: Served) -> None:
    """By its address; an unknown name is 404, and so is a project that no task was seen in."""
    page = filled.client.get("/board", params={"period": "2026-W47", "department": "сварочный цех"})
    asked = setup_of(page.text)["people"]

    assert "<h1>Leaderboard: Сварочный цех</h1>" in page.text
    rows = filled.client.get(f"/leaderboard?{asked}").json()["rows"]
    assert [(1, "Иван Петров"), (2, "Борис Иванов")] == [(row["place"], row["name"]) for row in rows]
    for path in (
        "/board?department=Литьё",
        "/leaderboard?department=99",
        "/leaderboard?group=Ремонт",
        "/leaderboard?me=Ну",
    ):
        assert 404 == filled.client.get(path).status_code
    assert 422 == filled.client.get("/leaderboard?me=1&teams=1").status_code


def test_where_a_person_stands_over_http(filled: Served) -> None:
    """As `leaderboard --me`."""
    benchmarks = filled.client.get(f"/leaderboard?{WEEK}&top=1&me=Кузнецова").json()["benchmarks"]

    assert (9, 4.0, 7, 2, 1, 2.0) == (
        *(benchmarks[key] for key in ("ranked", "median", "first_quarter")),
        *(benchmarks["me"][key] for key in ("place", "next_place", "missing")),
    )


def test_the_board_opens_with_either_token(tmp_path: Any) -> None:
    """As the password of HTTP Basic, which a browser can send; not in the address, which is written down everywhere."""
    with serving(demo_company.build(context.now), tmp_path, Access(SERVE, BOARD)) as guarded:
        for path in ("/board", "/board/", "/leaderboard?details=1"):
            statuses = [
                guarded.client.get(path, auth=auth).status_code
                for auth in (None, ("tv", "wrong"), ("tv", BOARD), ("", BOARD), ("1c", SERVE))
            ]
            assert [401, 401, 200, 200, 200] == statuses
        refused = guarded.client.get(f"/board?token={BOARD}")
        assert (401, 'Basic realm="b24tools", charset="UTF-8"') == (
            refused.status_code,
            refused.headers["www-authenticate"],
        )
