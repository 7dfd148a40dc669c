"""Pages of planners: what is sent and to whom, how often the portal is asked for it; tests/browser looks at them."""

from __future__ import annotations

import gzip
import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from b24tools import __version__, context
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from b24tools.server import standings
from b24tools.server.auth import Access
from b24tools.server.work_models import Decision
from b24tools.store.decisions import Decisions
from tests.support.orders import Clock
from tests.support.server import SERVE, Served, as_bytes, hash_inlined, order, serving, wait_until

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}  # as browsers have it
PAGES = ("/", "/plan", "/plan?by=people", "/orders", "/orders?state=all", "/why/69")
GUID = "11111111-2222-3333-4444-00000000000{}"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Monday morning."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)
    return clock


def send(served: Served, number: int, **values: object) -> None:
    """Give the plant an order."""
    values = {"ИдентификаторЗаказа": GUID.format(number), "НомерЗаказа": f"1Ц-{number}", **values}
    assert 200 == served.client.post("/", content=as_bytes(order(**values))).status_code  # type: ignore[arg-type]


@contextmanager
def planned(folder: Path, clock: Clock) -> Iterator[Served]:
    """Serve a plant with a late order and one that has no date."""
    with serving(demo_company.build(clock), folder, B24_RETRY_SECONDS=0) as opened:
        send(opened, 1, Контрагент="ООО «Ромашка»", РекоммендуемаяДатаСдачи="2026-11-20T00:00:00")
        send(opened, 2)
        yield opened


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that only look."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "now", clock)
        with planned(tmp_path_factory.mktemp("planned"), clock) as opened:
            yield opened


@pytest.fixture
def own(tmp_path: Path, clock: Clock) -> Iterator[Served]:
    """For a test that changes something, or lets time pass."""
    with planned(tmp_path / "data", clock) as opened:
        yield opened


def show(served: Served, path: str, **headers: str) -> httpx.Response:
    """The page of an address, as a browser asks for it."""
    return served.client.get(path, headers=HTML | headers)


def numbers(answer: httpx.Response) -> list[str]:
    """The orders that are linked, in their sequence."""
    return re.findall(r">(1Ц-\d)</a>", answer.text)


def asked(served: Served) -> int:
    """How many requests the portal has had."""
    return len(served.portal.log)


def test_every_page_comes_in_one_piece_with_its_own_script_and_style(served: Served) -> None:
    """Nothing in it leads outside but the tasks; nothing else may run; it stays in no cache."""
    for path in PAGES:
        answer = show(served, path)
        assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
        assert "no-store" == answer.headers["cache-control"]
        hashes = hash_inlined(answer.text)
        assert {
            "default-src": "'none'",
            "script-src": hashes["script"],
            "style-src": hashes["style"],
            "img-src": "data:",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'self'",
            "frame-ancestors": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "planner",
        } == dict(rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";"))
        assert [] == re.findall(r"<[^>]* (?:on\w+|style|src)=", answer.text)
        assert not re.search(r"innerHTML ?=[^=]|outerHTML|insertAdjacentHTML|document\.write|eval\(", answer.text)
        outside = {url for url in re.findall(r'href="(https?:[^"]*)', answer.text)}
        assert all(url.startswith("https://portal.example/company/personal/user/0/tasks/task/view/") for url in outside)


def test_the_pages_lead_to_one_another_from_wherever_they_are(served: Served) -> None:
    """By relative addresses, so that a proxy may have them in a folder; language and theme go along."""
    for path, root in (("/", "./"), ("/plan", "./"), ("/plan/", "../"), ("/why/69", "../"), ("/why/69/", "../../")):
        text = show(served, f"{path}?lang=ru&theme=dark").text
        assert '<html lang="ru" data-theme="dark">' in text
        links = re.findall(r'<a href="([^"]*)"', re.search(r"<nav.*?</nav>", text, re.S)[0])  # type: ignore[index]
        query = "?lang=ru&amp;theme=dark"
        names = ("", "plan", "orders", "load", "today", "board")
        assert [f"{root}{name}{query}" for name in names] == links
        for name in ("", "plan", "orders", "board"):
            assert 200 == served.client.get(str(httpx.URL(path).join(f"{root}{name}"))).status_code


def test_the_start_page_says_whether_all_is_well(served: Served) -> None:
    """As /healthz does; it is a page whatever is accepted."""
    plain = served.client.get("/")
    assert "text/html; charset=utf-8" == plain.headers["content-type"]
    assert "All is well. No snapshot was taken yet." in plain.text
    assert re.search(r">b24tools \d", plain.text)
    for name in ("plan", "orders", "load", "today", "board", "docs", "healthz"):
        assert f'href="./{name}"' in plain.text


def test_orders_are_a_page_only_where_html_is_asked_for(served: Served) -> None:
    """1C, curl and programs have JSON as before, also with a cursor."""
    for accept in (None, "*/*", "application/json", "application/json, text/html", "text/html;q=0.1, */*", "text/*"):
        answer = served.client.get("/orders", headers={"Accept": accept} if accept else {})
        assert "application/json; charset=utf-8" == answer.headers["content-type"], accept
        assert ["1Ц-1", "1Ц-2"] == [row["number"] for row in answer.json()["orders"]]
    assert "application/json" in show(served, "/orders?changed_since=0").headers["content-type"]
    assert "application/json" in show(served, f"/orders/{GUID.format(1)}").headers["content-type"]
    page = show(served, "/orders")
    assert (["1Ц-1", "1Ц-2"], "Accept, Accept-Encoding") == (numbers(page), page.headers["vary"])


def test_the_table_has_what_the_command_has(served: Served) -> None:
    """Wanted, promised, ready, done, what holds it up; by state, by a part of number or customer."""
    text = show(served, "/orders").text
    cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", text)]
    held = "Сварщик - Павел Исаев has the longest work"
    assert ["ООО «Ромашка»", "late by 2 days 10 h", "20.11", "23.11", "23.11", "0 of 1", held] == cells[:7]
    assert ["", "on time", "-", "23.11", "23.11", "0 of 1", ""] == cells[7:]
    shown = {
        path: numbers(show(served, f"/orders?{path}"))
        for path in ("state=late", "state=open", "state=done", "state=all", "order=ромаш", "order=-2", "order=9")
    }
    assert {
        "state=late": ["1Ц-1"],
        "state=open": ["1Ц-2"],
        "state=done": [],
        "state=all": ["1Ц-1", "1Ц-2"],
        "order=ромаш": ["1Ц-1"],
        "order=-2": ["1Ц-2"],
        "order=9": [],
    } == shown


def test_the_plan_is_of_orders_or_of_people(served: Served) -> None:
    """Late ones first; the form has what was asked for."""
    assert ["1Ц-1", "1Ц-2"] == numbers(show(served, "/plan"))
    assert ["1Ц-1"] == numbers(show(served, "/plan?late=1&person=исаев"))
    assert ["1Ц-2"] == numbers(show(served, f"/plan?order={GUID.format(2)}"))
    people = show(served, "/plan?by=people&lang=en&person=исаев").text
    assert ["Павел Исаев"] == re.findall(r'class="names"><b>([^<]*)', people)
    assert ["1Ц-1 · Сварщик"] == re.findall(r"<text[^>]*>(1Ц[^<]*)", people)
    assert '<input type="hidden" name="lang" value="en"><input type="hidden" name="by" value="people">' in people
    assert '<input type="search" name="person" value="исаев">' in people
    departments = re.findall(r'<option value="(\d+)">Сварщик', people)
    welders = show(served, f"/plan?by=people&department={departments[0]}").text
    assert ["Виктор Козлов", "Фёдор Лебедев"] == re.findall(r'class="names"><b>([^<]*)', welders)
    for query in ("by=luck", "weeks=13", "department=x", "late=perhaps"):
        answer = show(served, f"/plan?{query}")
        assert (422, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    odd = show(served, "/plan?lang=de&theme=pink")
    assert (200, True) == (odd.status_code, '<html lang="en" data-theme="auto">' in odd.text)


def test_one_reading_is_shared_by_all_who_look(own: Served, clock: Clock) -> None:
    """For a minute; its age is on the page. Who asks for a new one has it after ten seconds at the earliest."""
    show(own, "/plan")
    before = asked(own)
    for path in ("/plan", "/orders", "/plan?by=people", "/plan?lang=ru", "/plan?fresh=1", "/orders?state=late"):
        show(own, path)
    assert before == asked(own)
    clock.now += timedelta(seconds=11)
    assert "Data as of 23.11 07:00" in show(own, "/plan").text
    assert before == asked(own)
    send(own, 3)
    before = asked(own)
    assert ["1Ц-1", "1Ц-2", "1Ц-3"] == numbers(show(own, "/plan?fresh=1"))
    assert before < (after := asked(own))
    links = re.findall(r'<a href="([^"]*)', show(own, "/plan?fresh=1").text)
    assert [] == [link for link in links if "fresh" in link]
    assert after == asked(own)
    clock.now += timedelta(minutes=1)
    assert "Data as of 23.11 07:01" in show(own, "/orders").text
    assert after < asked(own)


def test_a_reading_for_all_speaks_the_language_of_the_service(own: Served) -> None:
    """Not that of who happened to look first."""
    own.portal.users[own.portal.owner_id].admin = False
    pages = [show(own, path).text for path in ("/plan?lang=ru", "/plan?lang=en")]
    warning = ["the webhook&#x27;s owner is not an administrator: people may be busier than they look"]
    assert [warning, warning] == [re.findall(r'<p class="warning">([^<]*)', page) for page in pages]


def test_a_portal_that_is_away_leaves_the_last_reading(own: Served, clock: Clock) -> None:
    """With its age and a line that says so; the page comes back by itself."""
    show(own, "/plan")
    own.portal.faults.add(Fault("error", times=99, status=503, code="QUERY_LIMIT_EXCEEDED"))
    clock.now += timedelta(minutes=2)
    answer = show(own, "/plan")
    assert (200, ["1Ц-1", "1Ц-2"]) == (answer.status_code, numbers(answer))
    assert re.search(r'class="old"[^>]*>Data as of 23.11 07:00. It could not be read again: ', answer.text)
    own.portal.faults.clear()
    clock.now += timedelta(minutes=1)
    assert "could not" not in show(own, "/plan").text


def test_a_portal_that_is_silent_does_not_hold_a_page(
    own: Served, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page says so, with the age of what it shows; a browser comes back by itself where there is nothing."""
    silence = r"no complete answer from the portal for \d+ s"
    paths = ("/plan", "/orders", "/orders?state=all", "/load", "/today", "/today/Сварщик")
    monkeypatch.setattr(standings, "PAGE_WAIT_S", 0.0)
    handle, go_on = own.portal.handle, threading.Event()

    def hang(*words: Any, **more: Any) -> Any:
        assert go_on.wait(20)
        return handle(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(own.portal, "handle", hang)
        pages = [show(own, path) for path in paths]
        assert [(503, "10", True)] * 6 == [
            (page.status_code, page.headers["refresh"], bool(re.search(silence, page.text))) for page in pages
        ]
        go_on.set()
        assert 200 == own.client.get("/load").status_code  # a program waits
        wait_until(lambda: show(own, "/orders?state=all").status_code == 200)
        go_on.clear()
        clock.now += timedelta(minutes=2)
        stale = rf"Data as of 23\.11 07:00\. It could not be read again: {silence}<"
        assert [(200, True)] * 6 == [
            (page.status_code, bool(re.search(stale, page.text))) for page in map(partial(show, own), paths)
        ]
        go_on.set()


def test_without_any_reading_a_page_says_what_to_do(own: Served) -> None:
    """503 as a page where a page was asked for, with when to come again; JSON stays JSON."""
    own.portal.faults.add(Fault("error", times=99, status=503, code="QUERY_LIMIT_EXCEEDED"))
    page = show(own, "/plan")
    assert (503, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    assert "retry-after" in page.headers
    assert "<h1>Try again a little later</h1>" in page.text
    assert own.settings.webhook_url.get_secret_value() not in page.text  # type: ignore[union-attr]
    assert {"detail", "code", "hint"} == own.client.get("/plan").json().keys()
    missing = show(own, "/nothing?lang=ru")
    assert (404, "text/html; charset=utf-8") == (missing.status_code, missing.headers["content-type"])
    assert '<html lang="ru"' in missing.text


def test_every_refusal_is_a_page_where_one_was_asked_for(own: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the code; also a wrong method, and a bug."""
    monkeypatch.setattr(Decisions, "find_all", lambda _self, _task: 1 / 0)
    for method, path, status, code, detail in (
        ("GET", "/nope", 404, "not_found", "There is no such address."),
        ("GET", "/why/17", 500, "failed", "An unexpected error, ZeroDivisionError;"),
        ("DELETE", "/plan", 405, "bad_request", "This address takes GET, HEAD, POST, not DELETE."),
    ):
        answer = own.client.request(method, path, headers=HTML)
        assert (status, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
        assert f"<p>Error code: {code}</p>" in answer.text
        assert f'<p class="warning">{detail}'.lower() in answer.text.lower()
        plain = own.client.request(method, path)
        assert (status, code) == (plain.status_code, plain.json()["code"])
    assert "акие адреса есть, показывает страница /docs" in show(own, "/nope?lang=ru").text


def test_a_browser_is_asked_for_the_token(tmp_path: Path, clock: Clock) -> None:
    """401 stays Basic; the token of the board opens none of these pages."""
    with serving(demo_company.build(clock), tmp_path / "data", Access(SERVE, "board")) as served:
        for path in PAGES[:4]:
            for auth in (None, ("tv", "board")):
                answer = served.client.get(path, headers=HTML, auth=auth)
                assert (401, True) == (
                    answer.status_code, answer.headers["www-authenticate"].startswith("Basic ")
                )  # fmt: skip
                assert "<p>Error code: unauthorized</p>" in answer.text
                assert __version__ not in answer.text
        assert 200 == served.client.get("/plan", headers=HTML, auth=("planner", SERVE)).status_code


def test_a_page_is_packed_where_the_client_takes_that(served: Served) -> None:
    """gzip, unless it is refused; the same page either way."""
    plain = show(served, "/plan", **{"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in show(served, "/plan", **{"Accept-Encoding": "br, gzip;q=0"}).headers
    with served.client.stream("GET", "/plan", headers=HTML | {"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert "gzip" == answer.headers["content-encoding"]
    assert plain.content == gzip.decompress(packed)
    assert len(packed) < len(plain.content) / 3


def test_a_plant_without_orders_has_a_plan_of_people(tmp_path: Path, clock: Clock) -> None:
    """And says that there are no orders."""
    with serving(demo_company.build(clock), tmp_path / "data") as served:
        assert "There are no open orders." in show(served, "/plan").text
        assert "There are no open orders." in show(served, "/orders").text
        people = show(served, "/plan?by=people").text
        assert "Павел Исаев" in people
        assert "Other work, task " in people


def test_why_a_task_went_to_its_person(served: Served) -> None:
    """JSON as the command has it, a page for a browser; 404 for a task that b24tools did not give out."""
    answer = served.client.get("/why/69")
    decision = Decision.model_validate_json(answer.content, strict=True, extra="forbid")
    assert (69, "Павел Исаев", "Сварщик") == (decision.task_id, decision.responsible.name, decision.position)
    page = show(served, "/why/69")
    assert "Task 69, Сварщик: 1Ц-1: given to Павел Исаев on 23.11 07:00" in page.text
    assert decision.explanation.splitlines()[0] in page.text
    assert 'href="../plan?order=1%D0%A6-1"' in page.text
    assert {404: "unknown_task", 422: "bad_request"} == {
        (refused := served.client.get(f"/why/{task}")).status_code: refused.json()["code"] for task in ("1", "x")
    }


def test_every_link_to_a_page_keeps_language_and_theme(served: Served) -> None:
    """From whatever page to whatever page; only addresses for programs have neither."""
    found = set()
    for path in (*PAGES, "/", "/load?by=name", "/today", "/today/Сварщик", "/plan?by=people", "/why/69", "/nowhere"):
        text = show(served, str(httpx.URL(path).copy_merge_params({"lang": "ru", "theme": "dark"}))).text
        for link in re.findall(r'href="(\.[^"]*)"', text):
            url = httpx.URL(html.unescape(link))
            if url.path.lstrip("./") not in ("docs", "healthz", "configs"):
                assert {"lang": "ru", "theme": "dark"}.items() <= dict(url.params).items(), (path, link)
                found.add(re.sub(r"[0-9]+|%23[0-9]+", "N", url.path.lstrip("./")))
    assert {"", "plan", "orders", "load", "today", "today/N", "today/#N", "board", "why/N"} == found
