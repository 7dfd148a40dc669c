"""`/load` and `/today`: the data of the commands for programs, pages for people, off one reading of the portal."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from b24tools import context
from b24tools.cli import app
from b24tools.core.models import Department
from b24tools.jobs import load
from b24tools.render import load_page
from b24tools.render.page_parts import View
from b24tools.sandbox import demo_company
from b24tools.sandbox.server import transport
from b24tools.scheduling import workload
from b24tools.scheduling.lane import DayLoad
from b24tools.server.auth import Access
from b24tools.server.work_models import PersonLoad, WorkList
from tests.support.orders import MOSCOW, Clock, Works, order
from tests.support.server import Served, serving

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HOUR = 3600


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The plant on Monday at seven, with an order and two namesakes."""
    folder, clock = tmp_path_factory.mktemp("work"), Clock()
    portal = demo_company.build(clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "now", clock)
        home = demo_company.department(portal, "Сварщик").id
        for _ in range(2):
            portal.add_user("Ян", "<Ли>", departments=[home])
        Works(portal, folder, clock).assign(order([("Сварщик", 300), ("Монтажник", 60)], customer="<b>Ромашка"))
        with serving(portal, folder, Access(host="127.0.0.1")) as opened:
            yield opened


@pytest.fixture
def run(served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Return the data of a command over the same portal and folder."""
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", served.portal.webhook_url("https://portal.example"))
    monkeypatch.setenv("B24_DATA_DIR", str(served.settings.data_dir))
    monkeypatch.setattr(context, "now", Clock())
    opened = context.Session
    monkeypatch.setattr(context, "Session", lambda *given, **more: opened(*given, transport(served.portal), **more))

    def run(*words: str) -> object:
        assert 0 == app.main([*words, "--json"])
        return json.loads(capsys.readouterr().out)["data"]

    return run


def test_programs_get_the_data_of_the_commands(served: Served, run: Callable[..., object]) -> None:
    """Of all, of a department, of a person with the tasks, of another day."""
    for path, words in (
        ("/load", ["load"]),
        ("/load?department=сварщик&weeks=3&sort=name", ["load", "Сварщик", "--weeks", "3", "--sort", "name"]),
        ("/load?department=Лебедев", ["load", "Лебедев"]),
        ("/today", ["today"]),
        ("/today/Сварщик?date=24.11", ["today", "Сварщик", "--date", "2026-11-24"]),
        ("/today?date=завтра", ["today", "--date", "tomorrow"]),
        (f"/today/{quote('Печатник/плотер', safe='')}", ["today", "Печатник/плотер"]),
    ):
        answer = served.client.get(path)
        assert (200, run(*words)) == (answer.status_code, answer.json())


def test_the_answers_are_as_they_are_described(served: Served) -> None:
    """Every key, and no other."""
    loads = served.client.get("/load").json() + served.client.get("/load?department=Лебедев").json()
    for model, answers in ((PersonLoad, loads), (WorkList, served.client.get("/today").json())):
        dumped = [_dump(model.model_validate(answer)) for answer in answers]
        assert answers == [json.loads(json.dumps(values, default=to_text)) for values in dumped]


def _dump(shape: Any) -> Any:
    """What was answered; keys of days are texts."""
    values = shape.model_dump(exclude_unset=True)
    if "days" in values:
        values["days"] = {day.isoformat(): busy_s for day, busy_s in values["days"].items()}
    return values


def to_text(value: Any) -> str:
    """Moments and days as they are answered."""
    return str(value.isoformat())


def test_one_reading_serves_all_who_look(served: Served) -> None:
    """Pages and programs alike, for a minute."""
    served.client.get("/load")
    served.portal.log.clear()
    for path in ("/load", "/load?weeks=8", "/today", "/today/Сварщик", "/plan"):
        assert 200 == served.client.get(path, headers=HTML).status_code
    assert [] == served.portal.log


def test_who_has_work_from_outside_the_production_is_on_the_pages(tmp_path: Path) -> None:
    """Each link to a list of that department or person leads there."""
    clock = Clock()
    portal = demo_company.build(clock)
    office = portal.add_department("Контора").id
    outsider = portal.add_user("Анна", "Запасная", departments=[office]).id
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context, "now", clock)
        Works(portal, tmp_path, clock).assign(order([("Кузнец", 300)]), fallback_user=outsider)
        with serving(portal, tmp_path, Access(host="127.0.0.1"), B24_FALLBACK_USER=outsider) as served:
            for page in ("/load", "/today"):
                text = served.client.get(page, headers=HTML).text
                assert ("Контора", "Анна Запасная") == tuple(re.findall(r">(Контора|Анна Запасная)</a>", text))
                assert f'<option value="{office}">Контора</option>' in text or page == "/today"
            for path in (f"/today/{office}", f"/today/{quote(f'#{outsider}')}", "/today/Запасная"):
                assert ["Анна Запасная"] == [one["person"]["name"] for one in served.client.get(path).json()]
            chosen = served.client.get(f"/load?department={office}", headers=HTML).text
            assert f'<option value="{office}" selected>Контора</option>' in chosen


def test_a_name_that_is_nobodys_or_several_peoples(served: Served) -> None:
    """404 with the nearest, 409 with the ids, of which each with # is a person; 422 for a day that is over."""
    assert (404, 'The nearest name is "Сварщик".') == _refusal(served, "/today/Сварщег")
    assert (404, 'The nearest name is "Сварщик".') == _refusal(served, "/load?department=Сварщег")
    assert "not_found" == served.client.get("/load?department=Сварщег").json()["code"]
    answer = served.client.get(f"/today/{quote('<Ли>')}")
    ids = re.findall(r"#(\d+)", answer.json()["detail"])
    assert (409, "ambiguous", 2) == (answer.status_code, answer.json()["code"], len(ids))
    for id_ in ids:
        lists = served.client.get(f"/today/{quote(f'#{id_}')}").json()
        assert [int(id_)] == [work["person"]["id"] for work in lists]
    department = demo_company.department(served.portal, "Сварщик").id  # somebody has this id, too
    assert department in served.portal.users
    assert {"Сварщик"} == {work["person"]["department"] for work in served.client.get(f"/today/{department}").json()}
    assert [department] == [work["person"]["id"] for work in served.client.get(f"/today/%23{department}").json()]
    for wrong, detail in (
        ("/today?date=2026-11-22", "2026-11-22 is over: a work list says what is still to be done"),
        ("/today?date=yesterday", '"yesterday" is not a day'),
        ("/load?weeks=0", 'weeks = "0": expected 1 or more'),
        ("/load?weeks=99", 'weeks = "99": expected 13 or less'),
        ("/load?weeks=x&sort=y", 'weeks = "x": expected a whole number; sort = "y": expected one of load, name'),
        ("/orders?state=foo", 'state = "foo": expected one of open, at_risk, late, done, all'),
        ("/why/abc", 'task = "abc": expected a whole number'),
        ("/today?date=x", '"x" is not a day'),
        ("/orders?changed_since=x", '"x" is neither a cursor nor a span of time'),
        ("/plan?department=x", 'department = "x": expected a whole number'),
        ("/plan?late=perhaps", 'late = "perhaps": expected 1 or 0'),
    ):
        answer = served.client.get(wrong)
        assert (422, detail, "bad_request") == (answer.status_code, answer.json()["detail"], answer.json()["code"])
    page = served.client.get("/today/Сварщег", headers=HTML)
    assert (404, True) == (page.status_code, "Сварщик" in page.text and "<h1>" in page.text)


def _refusal(served: Served, path: str) -> tuple[int, str]:
    answer = served.client.get(path)
    return answer.status_code, answer.json()["hint"]


def test_the_page_of_the_load_leads_to_the_tasks(served: Served) -> None:
    """A cell has its figure, and for the mouse and for readers of the screen who, when and how much."""
    page = served.client.get("/load?department=Сварщик", headers=HTML).text
    lists = served.client.get("/today").json()
    tasks = [(work_list["person"], task) for work_list in lists for task in work_list["tasks"]]
    who, task = next(pair for pair in tasks if pair[1]["order"] and pair[1]["position"] == "Сварщик")
    link = f'<a href="./today/%23{who["id"]}?date=2026-11-23" title="{html.escape(who["name"])}'
    assert re.search(re.escape(link) + r'[^,]*, 23\.11: [0-9] h of 8 h">[0-9]+</a>', page)
    assert "<Ли>" not in page
    linked = served.client.get(f"/today/%23{who['id']}?date=2026-11-23", headers=HTML).text
    assert "Сварщик: 1Ц-00000100" in linked
    assert task["url"] in linked
    assert "&lt;b&gt;Ромашка" in linked


def test_the_pages_speak_the_language_asked_for_and_carry_it_on(served: Served) -> None:
    """So does the theme."""
    page = served.client.get("/load?lang=en&theme=dark", headers=HTML).text
    assert '<input type="hidden" name="theme" value="dark">' in page
    overview = served.client.get("/today?theme=dark&date=2026-11-24", headers=HTML).text
    assert "?date=2026-11-24&amp;theme=dark" in overview
    assert 'href="?theme=dark"' in overview  # today


def test_programs_are_answered_in_the_language_of_the_server(served: Served) -> None:
    """Whatever the address says of pages; errors, too."""
    for path in ("/why/69?", "/why/70000?", "/load?department=Сварщег", "/today?date=x", "/today/zzz?", "/orders/zzz?"):
        assert served.client.get(path).text == served.client.get(f"{path}&lang=ru").text


def test_the_heat_map_tells_cells_apart() -> None:
    """Free, fuller, full; away; no working time. Days of a week that look alike are one cell, as is what is free."""
    monday = date(2026, 11, 23)

    def days(*busy: float, work: float = 8) -> tuple[DayLoad, ...]:
        hours = [*busy, *[0.0] * (14 - len(busy))]
        return tuple(
            DayLoad(monday + timedelta(days=n), round(hour * HOUR), 0 if n % 7 > 4 else round(work * HOUR))
            for n, hour in enumerate(hours)
        )

    def at(day: int) -> datetime:
        return datetime(2026, 11, day, tzinfo=MOSCOW)

    ill = tuple(DayLoad(day.day, 0, 0) for day in days())
    group = load.Group(
        Department(9, "Сварщик", 4, None),
        (
            workload.PersonLoad(1, "Ян Ли", 20 * HOUR, at(24), (), days(8, 7.999, 4, 0.01, 0, 0, 0, 8, 8, 8)),
            workload.PersonLoad(2, "Ян Ли", 0, None, ((at(20), at(30)),), ill),
            workload.PersonLoad(3, "Ян Бо", 0, at(23), (), days()),
        ),
    )
    filters, view = load_page.Filters(2, "load", "", [(9, "Сварщик")]), View("", MOSCOW, at(23), "./", str, {})
    page = load_page.to_html(load.Load((group,), ("something is not known",)), filters, view)
    cell = r"<td class=\"((?:cell|off)[^\"]*)\"(?: colspan=\"(\d+)\")?[^>]*>(?:<a [^>]*>)?([^<]*)"
    assert [
        [
            ("cell heat5 monday", "", "100"), ("cell heat4", "", "99"), ("cell heat2", "", "50"),
            ("cell heat1", "", "1"), ("cell heat0", "", "0"), ("off", "2", ""),
            ("cell heat5 monday", "3", "100"), ("cell heat0 tail", "4", "free"),
        ],
        [("cell away monday", "7", "–"), ("off monday", "7", "")],
        [("cell heat0 tail monday", "14", "free")],
    ] == [re.findall(cell, row) for row in page.split("<tr")[-3:]]  # fmt: skip
    assert 'title="Ян Ли (#2), 23.11–29.11: away 20.11 - 29.11"' in page
    assert '<a href="./today/%231?date=2026-11-30" title="Ян Ли (#1), 30.11–02.12: 24 h of 24 h">100</a>' in page
    assert "something is not known" in page


@pytest.mark.long
def test_five_hundred_people_are_drawn_in_a_moment() -> None:
    """Over thirteen weeks; the page packs well."""
    import gzip

    monday = date(2026, 11, 23)
    days = tuple(
        DayLoad(monday + timedelta(days=n), (n * 1234) % 28801 if n % 7 < 5 else 0, 28800 if n % 7 < 5 else 0)
        for n in range(91)
    )
    now = datetime(2026, 11, 23, tzinfo=MOSCOW)
    people = [workload.PersonLoad(n, f"Константин Задунайский-{n}", 99 * HOUR, now, (), days) for n in range(500)]
    groups = [load.Group(Department(n, f"Цех {n}", 4, None), tuple(people[n::10])) for n in range(10)]
    filters, view = load_page.Filters(13, "load", "", []), View("", MOSCOW, now, "./", str, {})
    page = load_page.to_html(load.Load(tuple(groups), ()), filters, view)
    assert 510 * 65 - 510 == page.count("?date=")  # one of the days is free
    assert len(gzip.compress(page.encode())) < 1_000_000


@pytest.mark.parametrize("digits", ["9" * 20, "9" * 5000])
def test_a_number_that_no_id_can_be_is_one_that_is_not_there(served: Served, digits: str) -> None:
    """In each address that takes ids; a span of ages is all there is."""
    answers = [served.client.get(path.format(digits)) for path in ("/today/{}", "/today/%23{}", "/load?department={}")]
    assert [404] * 3 == [answer.status_code for answer in answers]
    names = ("group", "department", "me")
    assert {404, 422} >= {served.client.get(f"/leaderboard?{name}={digits}").status_code for name in names}
    assert 422 == served.client.get(f"/orders?changed_since={digits}").status_code
    assert 404 == served.client.get(f"/orders/{digits}").status_code
    assert 200 == served.client.get("/orders?changed_since=999999d").status_code
    answer = served.client.get(f"/why/{digits}")
    if len(digits) == 20:
        assert (404, "unknown_task") == (answer.status_code, answer.json()["code"])
    assert 500 > answer.status_code


@pytest.mark.parametrize(
    "words",
    [
        ["why", "9" * 20],
        ["replay", "--id", "9" * 20],
        ["digest", "--to", "9" * 20, "--dry-run"],
        ["digest", "--to", "9" * 5000, "--dry-run"],
        ["today", "9" * 5000],
        ["load", "9" * 5000],
        ["config", "excluded_users", "add", "9" * 5000],
    ],
)
@pytest.mark.usefixtures("run")
def test_commands_refuse_it_in_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2."""
    assert 2 == app.main([*words, "--json"])
    assert words[-1 if "--dry-run" not in words else -2] in json.loads(capsys.readouterr().out)["error"]["message"]
