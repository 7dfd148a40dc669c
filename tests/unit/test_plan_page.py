"""The plan and the orders as pages, drawn of made up orders: what stands in them, parsed, and the places of bars."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.core import i18n
from b24tools.render import gantt, orders_page, plan_page
from b24tools.render.markup import element, escape, join
from b24tools.render.page_assets import read_asset
from b24tools.render.page_parts import View
from b24tools.scheduling.calendar import DAY_OFF, DayRule, Shift, WorkCalendar
from tests.support import golden, plans
from tests.support.plans import CALENDAR, MOSCOW, NOW, at

VIEW = View("https://portal.example", MOSCOW, NOW, "./", lambda **query: f"?by={query['by']}", {})
TASK = "https://portal.example/company/personal/user/0/tasks/task/view/{}/"


class Parser(HTMLParser):
    """Collects elements; complains of what is not closed as it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.feed(text)
        self.close()
        assert [] == self.open

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append((tuple(self.open), data))

    def texts_of(self, *path: str) -> list[str]:
        """The texts whose last elements are these."""
        return [text for at, text in self.texts if at[-len(path) :] == path]


def draw(**filters: Any) -> Parser:
    """The page of the small plant."""
    orders, departments = plans.plant()
    return Parser(
        plan_page.to_html(orders, departments, CALENDAR, ["doubt & more"], plan_page.Filters(**filters), VIEW)
    )


def test_markup_escapes_all_but_itself() -> None:
    """Text, attributes, and what was made before."""
    inner = element("b", '<&>"', title='"<', hidden=True, lang=None, data_at=1)
    assert '<b title="&quot;&lt;" hidden data-at="1">&lt;&amp;&gt;&quot;</b>' == inner
    assert "<p><b>&lt;</b>&amp;</p>" == element("p", element("b", "<"), "&")
    assert "&lt; <br>" == join(["<", element("br")], " ")


def test_nothing_turns_the_direction_of_the_page() -> None:
    """Controls of direction are dropped from text and attributes, in the load, too; letters and emoji stay."""
    turned = "\u202eА\u2066\u200fй\u2069\u202c 😀"
    assert '<b title="Ай 😀">Ай 😀</b>' == element("b", turned, title=turned)
    assert "Ай 😀" == escape(turned)


@pytest.mark.parametrize("by", [plan_page.ORDERS, plan_page.PEOPLE])
def test_the_whole_content(by: str) -> None:
    """As it was looked at."""
    orders, departments = plans.plant()
    text = plan_page.to_html(orders, departments, CALENDAR, [], plan_page.Filters(by), VIEW)
    Parser(text)
    golden.check(f"plan_{by}.html", re.sub(r"(?=<(?:li|a|line|rect|text|div|svg|p)\b)", "\n", text).strip() + "\n")


def test_each_bar_has_its_text_and_its_task() -> None:
    """Real text within it, all of it as its title."""
    page = draw()
    assert ["Макетчик · Петров", "▸ Сварщик · Петров", "Монтажник · Ёлкина & Co", "Сварщик · Петров"] == page.texts_of(
        "a", "svg", "text"
    )
    assert [
        "1Ц-00000070, Макетчик: Иван Петров, 23.11 16:00, done early",
        "1Ц-00000070, Сварщик: Иван Петров, 24.11 10:00 - 25.11 12:00, in progress",
        "1Ц-00000070, Монтажник: Анна <b> Ёлкина & Co, 24.11 14:00 - 30.11 11:00, not begun, away until 27.11",
        "1Ц-00000071, Сварщик: Иван Петров, 25.11 14:00 - 26.11 10:00, not begun",
    ] == page.texts_of("a", "title")
    bars = [(its["class"], its["href"]) for tag, its in page.tags if tag == "a" and "bar" in (its.get("class") or "")]
    looks = ("done", 101), ("open", 102), ("late", 103), ("open", 104)
    assert [(f"bar {look}", TASK.format(id_)) for look, id_ in looks] == bars


def test_what_holds_it_up_is_said_and_each_operation_leads_on() -> None:
    """Beside the bars, in words; to the portal and to why."""
    page = draw()
    assert "Монтажник - Анна <b> Ёлкина & Co is away until 27.11" in page.texts_of("div")
    assert ["late by 2 days 11 h", "on time"] == [
        text for path, text in page.texts if path[-2:] == ("div", "span") and text in ("late by 2 days 11 h", "on time")
    ]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert {TASK.format(id_) for id_ in (101, 102, 103, 104)} <= set(links)
    assert {f"./why/{id_}" for id_ in (101, 102, 103, 104)} <= set(links)
    assert "doubt & more" in page.texts_of("p")


def test_rows_have_anchors_that_any_id_can_be() -> None:
    """A GUID is its own; both pages agree on it."""
    page = draw()
    ids = [attrs["id"] for tag, attrs in page.tags if tag == "li" and attrs.get("id")]
    orders, _departments = plans.plant()
    table = Parser(orders_page.to_html(orders, [], None, "", replace(VIEW, hidden={"lang": "ru"})))
    assert ids == [attrs["id"] for tag, attrs in table.tags if tag == "tr" and attrs.get("id")]
    assert "b7c57163-8c5d-11ef-905d-a41731192b22" == ids[0]
    assert re.fullmatch(r"[\w-]+", ids[1] or "")
    assert [f"./orders#{id_}" for id_ in ids] == [
        attrs["href"] for tag, attrs in page.tags if (attrs.get("class") or "") == "number"
    ]
    links = [attrs["href"] for tag, attrs in table.tags if tag == "a"]
    assert ["./plan?order=b7c57163-8c5d-11ef-905d-a41731192b22&lang=ru", "./plan?order=%E2%84%96+71&lang=ru"] == links


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({}, ["1Ц-00000070", "1Ц-00000071"]),
        ({"late": True}, ["1Ц-00000070"]),
        ({"order": "71"}, ["1Ц-00000071"]),
        ({"order": "ромаш"}, ["1Ц-00000070"]),
        ({"order": "№ 71"}, ["1Ц-00000071"]),
        ({"person": "ёлкина"}, ["1Ц-00000070"]),
        ({"person": "Сидоров"}, []),
        ({"late": True, "order": "71"}, []),
    ],
)
def test_the_plan_is_narrowed_down(filters: dict[str, Any], numbers: list[str]) -> None:
    """By number, id, customer, person, and to what is late."""
    page = draw(**filters)
    assert numbers == [text for path, text in page.texts if path[-1] == "a" and text.startswith("1Ц")]
    assert (["Nothing fits these filters."] if not numbers else []) == [
        text for text in page.texts_of("p") if text.startswith("Nothing")
    ]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["Иван Петров", "Анна <b> Ёлкина & Co"]),
        ({"person": "петров"}, ["Иван Петров"]),
        ({"late": True}, ["Иван Петров", "Анна <b> Ёлкина & Co"]),
        ({"order": "71"}, ["Иван Петров"]),
        ({"department": 2}, ["Иван Петров", "Анна <b> Ёлкина & Co"]),
        ({"department": 3}, []),
    ],
)
def test_people_are_narrowed_down(filters: dict[str, Any], names: list[str]) -> None:
    """By department as well; with an order, to who works on it."""
    page = draw(by=plan_page.PEOPLE, **filters)
    assert names == [text for text in page.texts_of("li", "div", "div", "b")]


def test_work_beside_the_order_that_is_meant_is_dim() -> None:
    """All of a person's work is shown all the same."""
    page = draw(by=plan_page.PEOPLE, order="71")
    looks = [attrs["class"] for tag, attrs in page.tags if tag == "a" and (attrs.get("class") or "").startswith("bar")]
    assert ["bar open dim", "bar open", "bar other dim"] == looks


def test_operations_without_a_bar_are_listed() -> None:
    """A deleted task, one that was never made, one that never ends."""
    gone = plans.line(105, "Сварщик", None, None)
    order = plans.order("1Ц-00000072", [replace(gone, task=None), plans.line(106, "Маляр", plans.person(7), None)])
    order = replace(order, row=replace(order.row, unwritten=("Кузнец",)))
    page = Parser(plan_page.to_html([order], [], CALENDAR, [], plan_page.Filters(), VIEW))
    listed = ["Сварщик: deleted on the portal", "Маляр: Иван Петров, not begun", "Кузнец: no task was made"]
    assert listed == [text.strip() for text in page.texts_of("ol", "li") if text.strip(" ,")]
    assert [] == page.texts_of("a", "title")


def test_what_waits_for_something_without_an_end_shows_only_the_time_reserved_for_it() -> None:
    """The one before it was put off."""
    waits = replace(plans.line(105, "Сварщик", plans.person(7), (at(25, 9), at(25, 13))), after=0, is_uncertain=True)
    page = Parser(plan_page.to_html([plans.order("1", [waits])], [], CALENDAR, [], plan_page.Filters(), VIEW))
    assert ["Сварщик: Иван Петров, not known when, not begun"] == [
        t.strip() for t in page.texts_of("ol", "li") if t.strip(" ,")
    ]
    looks = [attrs["class"] for tag, attrs in page.tags if tag == "a" and (attrs.get("class") or "").startswith("bar")]
    assert ["bar at_risk"] == looks


def test_a_customer_cannot_write_markup() -> None:
    """Nor a number, a position, a name."""
    bad = '"><script>alert(1)</script>'
    order = plans.order(bad, [plans.line(1, bad, plans.person(7, bad, bad), (at(24, 9), at(24, 12)))], customer=bad)
    text = plan_page.to_html([order], [], CALENDAR, [bad], plan_page.Filters(order=bad, person=bad), VIEW)
    text += orders_page.to_html([order], [bad], None, bad, replace(VIEW, hidden={"a": bad}))
    assert "<script" not in text
    assert 9 == sum(bad in part for _path, part in Parser(text).texts)


def test_the_pages_speak_russian() -> None:
    """In the language in use."""
    with i18n.speaking("ru"):
        page = draw()
    assert "23 нояб." in page.texts_of("svg", "text")


# the axis


def test_days_are_wide_and_nights_and_weekends_narrow() -> None:
    """In order, from edge to edge."""
    axis = gantt.Axis(CALENDAR, date(2026, 11, 23), 7)
    noon, evening, morning = axis.place(at(23, 12)), axis.place(at(23, 18)), axis.place(at(24, 9))
    assert (0.0, 100.0) == (axis.place(at(23)), axis.place(at(30)))
    assert axis.place(at(1)) == 0.0 and axis.place(at(99)) == 100.0
    assert 7 < evening - noon < 15
    assert 1 < morning - evening < 2
    assert axis.place(at(30)) - axis.place(at(27, 18)) < 6
    assert [date(2026, 11, day) for day in range(23, 28)] == axis.work_days
    assert 6 == len(axis.rests)  # five nights, the last with the weekend, and Monday's small hours


def test_labels_of_narrow_days_and_weeks_do_not_overlap() -> None:
    """The first days of a year are off, a day before them is short: their labels give way to the next."""
    short = DayRule(shorter_s=6 * 3600)
    rest = {date(2027, 1, day): DAY_OFF for day in range(1, 11)}
    calendar = WorkCalendar(MOSCOW, CALENDAR.shifts, {date(2026, 12, 30): short, **rest})
    drawn = gantt.draw_axis(gantt.Axis(calendar, date(2026, 12, 28), 21), NOW, "")
    assert ["28 Dec", "11 Jan", "M 28", "T 29", "T 31", "M 11", "T 12", "W 13", "T 14", "F 15"] == re.findall(
        "<text[^>]*>([^<]*)", drawn
    )


@given(
    moments=st.lists(st.integers(-(10**6), 4 * 10**6), min_size=2, max_size=20),
    hours=st.tuples(st.integers(0, 23), st.integers(0, 24)),
    days=st.integers(1, 40),
)
def test_later_is_never_further_left(moments: list[int], hours: tuple[int, int], days: int) -> None:
    """Whatever the shifts: also those over midnight, and round the clock."""
    start, end = hours
    calendar = WorkCalendar(
        MOSCOW, (Shift(frozenset(range(1, 7)), start * 3600, end * 3600, 0),), {date(2026, 11, 25): DAY_OFF}
    )
    axis = gantt.Axis(calendar, date(2026, 11, 23), days)
    places = [axis.place(axis.start_s + moment) for moment in sorted(moments)]
    assert all(0 <= left <= right <= 100 for left, right in pairwise(places))


def test_bars_that_overlap_lie_below_one_another() -> None:
    """As few levels as there have to be."""
    axis = gantt.Axis(CALENDAR, date(2026, 11, 23), 14)
    spans = [(at(23, 9), at(24, 12)), (at(24, 9), at(25)), (at(24, 12), at(26)), (at(10), at(22)), (at(40), at(41))]
    bars = [gantt.Bar(span, "open", str(number), "", "#") for number, span in enumerate(spans)]
    form = r'y="([\d.]+)rem" width="[\d.]+%" height="1.45rem"><rect.*?<text[^>]*>(\d)<'
    drawn = [(text, level) for level, text in re.findall(form, gantt.draw_lane(axis, bars))]
    assert [("0", "0.30"), ("1", "2.05"), ("2", "0.30")] == drawn


def test_the_axis_is_as_long_as_the_work() -> None:
    """Whole weeks from this Monday on, two at least and twelve at most, unless so many are asked for."""
    chosen = [
        (axis.days[0], len(axis.days))
        for ends, weeks in (([], 0), ([at(24)], 0), ([at(40)], 0), ([at(999)], 0), ([at(999)], 4))
        for axis in [gantt.choose_days(NOW, CALENDAR, ends, weeks, 12)]
    ]
    assert [(date(2026, 11, 23), days) for days in (14, 14, 21, 84, 28)] == chosen


# size


@pytest.mark.long
@pytest.mark.parametrize("by", [plan_page.ORDERS, plan_page.PEOPLE])
def test_a_big_plant_is_small_on_the_wire(by: str) -> None:
    """500 people, 300 orders, 12 weeks: far below 1 MB compressed."""
    orders, departments = plans.big_plant(500, 300)
    page = plan_page.to_html(orders, departments, CALENDAR, [], plan_page.Filters(by), VIEW)
    assert {plan_page.ORDERS: 300, plan_page.PEOPLE: 500}[by] == page.count('class="row" id=')
    assert len(gzip.compress(page.encode())) < 200_000
    assert 12 == page.count('class="monday"')


# colours


def read_colors(block: str) -> dict[str, tuple[float, float, float]]:
    """The colours of a block of colors.css, linear."""
    codes = re.findall(r"--([\w-]+): #(\w{3}|\w{6});", block)
    whole = {name: code if len(code) == 6 else "".join(sign * 2 for sign in code) for name, code in codes}
    parts = {name: [int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)] for name, code in whole.items()}
    return {
        name: tuple(part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)  # type: ignore[misc]
        for name, colour in parts.items()
    }


def contrast(colour: tuple[float, ...], ground: tuple[float, ...]) -> float:
    """As WCAG 2 has it; tools do not look into SVG."""
    low, high = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (colour, ground))
    return (high + 0.05) / (low + 0.05)


def test_letters_and_edges_of_bars_are_seen_in_both_themes() -> None:
    """4.5 for letters, 3 for what is drawn; both ways to the dark theme have the same colours."""
    light, by_system, dark = re.findall(r":root[^{]*\{(.*?)\}", read_asset("colors.css"), re.S)
    assert by_system.split() == dark.split()
    for colors in map(read_colors, (light, dark)):
        for kind in ("open", "late", "risk", "over", "other"):
            assert contrast(colors["ink"], colors[f"{kind}-fill"]) >= 4.5, kind
            for ground in ("card", "shade"):
                assert contrast(colors[f"{kind}-edge"], colors[ground]) >= 3, (kind, ground)
        for ink, ground in product(("ink", "faint", "link"), ("paper", "card")):
            assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
        assert contrast(colors["card"], colors["open-edge"]) >= 4.5
