"""`b24tools orders` and `GET /orders`: the table people read, the JSON and CSV of programs, what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from b24tools import context
from b24tools.assignment.hold_up import (
    ACCEPTED,
    AWAY,
    BEHIND,
    BUSY,
    DEFERRED,
    GIVEN,
    GONE,
    MISSING,
    MOVED,
    OUTSIDE,
    PLANNED,
    UNWRITTEN,
    WORK,
    HoldUp,
)
from b24tools.cli import app
from b24tools.core import database_url, i18n
from b24tools.jobs import orders as jobs_orders
from b24tools.render import assign as render_assign
from b24tools.render import orders as render_orders
from b24tools.render.console import Messenger, Screen
from b24tools.render.messages import write_changes
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.server.auth import Access
from b24tools.server.models import HoldUp as HoldUpModel
from b24tools.server.models import OrdersAsTheyStand
from tests.support import golden, postgres
from tests.support.orders import MOSCOW, Clock, Works, rules
from tests.support.orders import order as make_order
from tests.support.server import SERVE, Served, as_bytes, order, serving

GUID = "11111111-2222-3333-4444-00000000000{}"
ROUTE = ("Макетчик", "Сварщик", "Монтажник")
ORDER = [
    *("id", "number", "customer", "wanted", "promised_first", "finish", "late_s", "done", "of", "state", "cancelled"),
    *("holds_up", "changed_at", "lines"),
]
LINE = [
    *("position", "task_id", "status", "responsible", "start", "end", "ready", "estimate_s", "spent_s", "closed_at"),
    "moved_by_hand",
]


def at(day: int, hour: int = 0) -> datetime:
    """A moment of November in Moscow."""
    return datetime(2026, 11, day, hour, tzinfo=MOSCOW)


# what people read


@pytest.fixture
def story(works: Works) -> tuple[Works, list[int]]:
    """Five orders three days later: ill, given away, deleted, finished early, without a department."""
    names = ["ООО «Ромашка»", "ИП Константинопольский А. В.", "Завод «Прогресс»", "АО «Лютик»"]
    tasks, ill = [], 0
    for number, customer in enumerate(names):
        lines = [("Макетчик", 240.0 + 60 * number), ("Сварщик", 900.0), ("Монтажник", 300.0)]
        values: dict[str, Any] = {"id": GUID.format(number), "number": f"1Ц-0000007{number}", "wanted": at(25 + number)}
        (result,) = works.assign(make_order(lines, customer=customer, **values), route=ROUTE)
        tasks.append([task.task_id or 0 for task in result.tasks])
        ill = ill or (result.tasks[1].responsible or (0, ""))[0]
    works.assign(make_order([("Кузнец", 60)], id=GUID.format(9), number="1Ц-00000079", customer=""), route=ROUTE)
    portal = works.portal
    portal.add_absence(ill, date(2026, 11, 23), date(2026, 11, 30))
    works.clock.now = at(23, 12)
    portal.act("tasks.task.complete", {"taskId": tasks[0][0]}, user_id=1)
    portal.act("tasks.task.delegate", {"taskId": tasks[1][1], "userId": 11}, user_id=1)
    portal.act("tasks.task.delete", {"taskId": tasks[3][2]}, user_id=1)
    works.clock.now = at(26, 12)
    for task_id in tasks[2]:
        portal.act("tasks.task.complete", {"taskId": task_id}, user_id=1)
    return works, [order[0] for order in tasks]


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_tables(story: tuple[Works, list[int]], language: str) -> None:
    """At 80 columns what holds an order up stands below; wider, and not on a terminal, it is a column."""
    works, _tasks = story
    i18n.use(language)
    with works.tools() as tools:
        everything = jobs_orders.list_orders(tools, rules(route=ROUTE), states=jobs_orders.STATES)
        rows = [standing.row for standing in everything.orders if standing.row.number != "1Ц-00000072"]
        named = jobs_orders.list_orders(tools, rules(route=ROUTE), rows=rows)
    parts = []
    for width in (80, 132):
        stream = io.StringIO()
        screen = Screen(Console(file=stream, width=width, force_terminal=True, color_system=None, highlight=False))
        render_orders.print_orders(everything, MOSCOW, works.clock.now, screen)
        if width == 80:
            screen.print()
            render_orders.print_details(named, MOSCOW, "https://portal.example", works.clock.now, screen)
        parts.append("\n".join(line.rstrip() for line in stream.getvalue().splitlines()))
    golden.check(f"orders_standing.{language}.txt", "\n\n".join(parts) + "\n")
    golden.check(f"orders_standing.{language}.csv", render_orders.to_csv(everything, MOSCOW))


def test_every_reason_has_its_words_and_its_code() -> None:
    """With the person's name, and the last day of the absence."""
    reasons = (AWAY, GONE, BUSY, PLANNED, BEHIND, DEFERRED, OUTSIDE, MOVED, GIVEN, ACCEPTED, MISSING, UNWRITTEN)
    reasons += (WORK,)
    held = [HoldUp("Сварщик", "Павел Исаев", reason, date(2026, 11, 30)) for reason in reasons]
    texts = [render_orders.describe_hold_up(one, date(2026, 11, 23)) for one in held]
    other = [render_orders.describe_hold_up(held[0], today) for today in (date(2025, 12, 23), None)]
    assert ["Сварщик - Павел Исаев is away until 30.11.2026"] * 2 == other
    unknown = [
        render_orders.describe_hold_up(replace(one, until=None)) for one in held if one.reason in (AWAY, ACCEPTED)
    ]
    assert ["Сварщик - Павел Исаев is away", "Сварщик - no work before the order is accepted"] == unknown
    assert [
        "Сварщик - Павел Исаев is away until 30.11",
        "Сварщик - Павел Исаев does not work there any more",
        "Сварщик - Павел Исаев has other work first",
        "Сварщик - it is planned later than Павел Исаев has time for it",
        "Сварщик - Павел Исаев is behind the plan",
        "Сварщик - the task of Павел Исаев is deferred",
        "Сварщик - the task was given to somebody outside production: when it is done is not known",
        "Сварщик - somebody has put the task of Павел Исаев later",
        "Сварщик - the task was given to Павел Исаев by hand, who is done with it later",
        "Сварщик - no work before 30.11, when the order is accepted",
        "Сварщик - the task was deleted on the portal",
        "Сварщик - no task was made: see history, then send the order again",
        "Сварщик - Павел Исаев has the longest work",
    ] == texts
    for reason in reasons:
        HoldUpModel(position="Сварщик", person=None, reason=reason, until=None)  # type: ignore[arg-type] # it checks


def test_no_cell_of_csv_is_a_formula(works: Works) -> None:
    """Numbers and customers come from 1C, and Excel runs what begins like a formula."""
    works.assign(make_order(number="=1+1", customer="@SUM(A1)"))
    with works.tools() as tools:
        text = render_orders.to_csv(jobs_orders.list_orders(tools, rules()), MOSCOW)
    assert text.splitlines()[1].startswith("'=1+1;'@SUM(A1);")


def test_an_order_that_is_late_by_minutes_is_late_in_csv(works: Works) -> None:
    """By one hour at least; one that is in time has nothing there."""
    works.assign(make_order())
    with works.tools() as tools:
        listing = jobs_orders.list_orders(tools, rules())
    orders = [replace(one, late_s=late_s) for one in listing.orders for late_s in (0, 1, 1799, 5399, 5401)]
    text = render_orders.to_csv(replace(listing, orders=tuple(orders)), MOSCOW)
    assert ["", "1", "1", "1", "2"] == [line.split(";")[8] for line in text.splitlines()[1:]]


def test_a_status_that_the_portal_invents_is_shown(works: Works) -> None:
    """As not begun to people, by its number to programs."""
    (result,) = works.assign(make_order())
    task = works.portal.tasks[result.tasks[0].task_id or 0]
    works.portal.tasks.change(task, status=9)
    with works.tools() as tools:
        (one,) = jobs_orders.list_orders(tools, rules()).orders
    (line,) = one.lines
    assert ("not begun", "") == render_orders.describe_line(line, MOSCOW, works.clock.now)
    assert "9" == render_orders.order_data(one, MOSCOW)["lines"][0]["status"]


def test_a_paused_task_is_begun(works: Works) -> None:
    """Bitrix24 gives it the status of one that was not; its start stays, and the time noted."""
    (result,) = works.assign(make_order())
    task_id = result.tasks[0].task_id or 0
    words = []
    for action in ("start", "pause"):
        works.portal.act(f"tasks.task.{action}", {"taskId": task_id})
        with works.tools() as tools:
            (one,) = jobs_orders.list_orders(tools, rules()).orders
        words.append(render_orders.describe_line(one.lines[0], MOSCOW, works.clock.now))
    assert [("in progress", ""), ("paused", "")] == words


def test_an_order_cancelled_from_the_first_is_cancelled(works: Works) -> None:
    """It has no operations, and that is not what there is to say."""
    works.assign(make_order(called_off=True))
    with works.tools() as tools:
        (one,) = jobs_orders.list_orders(tools, rules(), states=jobs_orders.STATES).orders
    assert "cancelled" == render_orders.describe_state(one)


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [(at(23), ["23.11", "23.11", "23.11.2026"]), (at(23, 12), ["23.11 12:00", "23.11 15:00", "23.11.2026 12:00"])],
)
def test_an_order_wanted_at_an_hour_shows_it(works: Works, wanted: datetime, texts: list[str]) -> None:
    """And when it is ready on that day."""
    (result,) = works.assign(make_order([("Макетчик", 300)], wanted=wanted))
    with works.tools() as tools:
        (one,) = jobs_orders.list_orders(tools, rules()).orders
    now = works.clock.now
    shown = [render(one, MOSCOW, now) for render in (render_orders.write_wanted, render_orders.write_ready)]
    stream = io.StringIO()
    screen = Screen(Console(file=stream, width=200))
    render_assign.print_orders([result], MOSCOW, "https://portal.example", now, Messenger(), screen)
    assert texts == [*shown, texts[2]]
    assert f"wanted by {texts[2]}" in stream.getvalue()
    assert ("The earliest day to promise is 23.11.2026 15:00." in stream.getvalue()) == (wanted.hour == 12)


@pytest.mark.parametrize(
    ("language", "said", "held"),
    [
        (
            "en",
            '"Макетчик" holds it up: 19 h of working time until the order is accepted, 25.11.2026 12:00, then 1 h. ',
            "no work before 25.11 12:00, when the order is accepted",
        ),
        (
            "ru",
            "Задерживает «Макетчик»: 19 ч рабочего времени до приёма заказа (25.11.2026 12:00), затем ещё 1 ч. ",
            "работа не раньше 25.11 12:00, даты приёма заказа",
        ),
    ],
)
def test_an_order_that_waits_for_its_acceptance_says_so(works: Works, language: str, said: str, held: str) -> None:
    """In the answer, in the list on 80 columns, and for programs."""
    (result,) = works.assign(make_order([("Макетчик", 60)], wanted=at(23), accepted=at(25, 12)))
    with works.tools() as tools:
        listing = jobs_orders.list_orders(tools, rules())
    stream = io.StringIO()
    screen = Screen(Console(file=stream, width=200))
    narrow = io.StringIO()
    with i18n.speaking(language):
        render_assign.print_orders([result], MOSCOW, "https://portal.example", works.clock.now, Messenger(), screen)
        console = Console(file=narrow, width=80, force_terminal=True, no_color=True)
        render_orders.print_orders(listing, MOSCOW, works.clock.now, Screen(console))
    assert said in stream.getvalue()
    assert f"{result.number}: Макетчик - {held}" in narrow.getvalue()
    (answer,) = render_assign.data([result], MOSCOW)
    (standing,) = render_orders.data(listing, MOSCOW)["orders"]
    name = standing["holds_up"]["person"]
    known = {"position": "Макетчик", "person": name}
    times = {"wait_s": 19 * 3600, "work_s": 3600, "accepted": "2026-11-25T12:00:00+03:00"}
    assert known | times | {"away_until": None, "planned_later": False} == answer["bottleneck"]
    assert known | {"reason": "accepted", "until": "2026-11-25"} == standing["holds_up"]


def test_what_is_ready_at_midnight_is_ready_for_the_day_before(works: Works) -> None:
    """For Excel and in a digest."""
    works.assign(make_order())
    with works.tools() as tools:
        listing = jobs_orders.list_orders(tools, rules())
    orders = [replace(standing, finish=at(25)) for standing in listing.orders]
    text = render_orders.to_csv(replace(listing, orders=tuple(orders)), MOSCOW)
    assert "24.11.2026" == text.splitlines()[1].split(";")[4]
    assert write_changes(orders, MOSCOW).endswith(", ready 24.11.2026")


def test_a_cancelled_order_that_is_not_over_does_not_look_healthy(works: Works) -> None:
    """Somebody has begun one of its tasks; also to whoever reads the table, CSV, or a digest."""
    lines = [("Сварщик", 60.0), ("Монтажник", 60.0)]
    (result,) = works.assign(make_order(lines, wanted=at(30)))
    works.portal.act("tasks.task.start", {"taskId": result.tasks[0].task_id}, user_id=1)
    works.assign(make_order(lines, wanted=at(30), called_off=True))
    with works.tools() as tools:
        listing = jobs_orders.list_orders(tools, rules())
    (one,) = listing.orders
    assert ("open", "cancelled, but not over") == (one.state, render_orders.describe_state(one, with_time=True))
    works.portal.act("tasks.task.complete", {"taskId": result.tasks[0].task_id}, user_id=1)
    with works.tools() as tools:
        (one,) = jobs_orders.list_orders(tools, rules(), states=jobs_orders.STATES).orders
    assert ("done", "cancelled", 1) == (one.state, render_orders.describe_state(one, with_time=True), one.done)


def test_an_order_with_an_empty_costing_is_not_called_done(works: Works) -> None:
    """It never had anything to do: the table, CSV and a digest say so."""
    works.assign(make_order([]))
    with works.tools() as tools:
        (one,) = jobs_orders.list_orders(tools, rules(), states=jobs_orders.STATES).orders
    assert ("done", 0, 0, "without operations") == (one.state, one.done, one.of, render_orders.describe_state(one))
    assert "• 1Ц-00000100, without operations, 0 of 0" in write_changes([one], MOSCOW)


# the command

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Portal:
    """The demo plant in this process, on Monday at seven."""
    portal = demo_company.build(clock := Clock())
    monkeypatch.setattr(context, "now", clock)
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url("https://portal.example"))
    monkeypatch.setenv("B24_RETRY_SECONDS", "0")
    session = context.Session
    monkeypatch.setattr(context, "Session", lambda *given, **more: session(*given, server.transport(portal), **more))
    return portal


@pytest.fixture
def b24tools(portal: Portal, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program: its status, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        return app.main([str(argument) for argument in arguments]), *capsys.readouterr()

    return run


def send(b24tools: Run, tmp_path: Path, which: int, number: str, **changes: Any) -> None:
    """Send an order."""
    sent = order(ИдентификаторЗаказа=GUID.format(which), НомерЗаказа=number, Контрагент="АО «Лютик»", **changes)
    (tmp_path / "order.json").write_bytes(as_bytes(sent))
    assert 0 == b24tools("assign", tmp_path / "order.json")[0]


def test_the_json_has_exactly_the_keys_of_the_contract(b24tools: Run, tmp_path: Path) -> None:
    """Names, order, values; the cursor asks for what changes after it."""
    send(b24tools, tmp_path, 1, "1Ц-1", РекоммендуемаяДатаСдачи="2026-12-04T00:00:00")
    status, out, err = b24tools("orders", "--json")
    envelope = json.loads(out)
    assert (0, "", "orders", True, []) == (status, err, envelope["command"], envelope["ok"], envelope["warnings"])
    (standing,) = envelope["data"]["orders"]
    assert (ORDER, LINE) == (list(standing), list(standing["lines"][0]))
    assert {
        "id": GUID.format(1),
        "number": "1Ц-1",
        "customer": "АО «Лютик»",
        "wanted": "2026-12-04T23:59:59+03:00",
        "promised_first": "2026-11-23",
        "finish": "2026-11-23T10:00:00+03:00",
        "late_s": 0,
        "done": 0,
        "of": 1,
        "state": "open",
        "cancelled": False,
        "holds_up": None,
        "changed_at": "2026-11-23T07:00:00+03:00",
        "lines": [
            {
                "position": "Сварщик",
                "task_id": 69,
                "status": "pending",
                "responsible": {"id": 10, "name": "Павел Исаев"},
                "start": "2026-11-23T09:00:00+03:00",
                "end": "2026-11-23T10:00:00+03:00",
                "ready": "2026-11-23T10:00:00+03:00",
                "estimate_s": 3600,
                "spent_s": 0,
                "closed_at": None,
                "moved_by_hand": False,
            }
        ],
    } == standing
    cursor = envelope["data"]["cursor"]
    assert str is type(cursor)
    again = json.loads(b24tools("orders", "--changed-since", cursor, "--json")[1])
    assert {"cursor": cursor, "orders": []} == again["data"]
    assert 1 == len(json.loads(b24tools("orders", "--changed-since", "2h", "--json")[1])["data"]["orders"])
    remark = f"{cursor} counts as the cursor of an earlier answer; a span has a unit: {cursor}h, {cursor}d.\n"
    assert b24tools("orders", "--changed-since", cursor)[2].startswith(remark)


def test_one_order_by_its_number_and_a_number_of_two(b24tools: Run, tmp_path: Path) -> None:
    """Two of them: status 2 with both ids."""
    send(b24tools, tmp_path, 1, "1Ц-1")
    send(b24tools, tmp_path, 2, "1Ц-1")
    status, out, err = b24tools("orders", GUID.format(2))
    assert (0, "") == (status, err)
    heading = "Order 1Ц-1, АО «Лютик»: on time; 0 of 1 done; ready 23.11 10:00; promised first for 23.11.2026"
    assert heading == out.splitlines()[0]
    status, out, err = b24tools("orders", "1Ц-1", "--json")
    assert (2, "ambiguous") == (status, json.loads(out)["error"]["code"])
    assert f"{GUID.format(1)}, {GUID.format(2)}" in err
    status, out, err = b24tools("orders", "1Ц-7", "--json")
    assert (2, "unknown_order") == (status, json.loads(out)["error"]["code"])


def test_a_folder_without_orders_is_named_and_stays_as_it_is(b24tools: Run, tmp_path: Path) -> None:
    """Nothing is asked of the portal, no database is made."""
    status, out, err = b24tools("orders")
    place = tmp_path / "data"
    if redirection := postgres.redirection:
        place = database_url.read(redirection.address(place / "b24tools.db"), place)
    assert (0, "", f"There is no such order in {place}.\n") == (status, out, err)
    assert not (tmp_path / "data" / "b24tools.db").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--late", "--all"],
        ["--open", "1Ц-1"],
        ["--late", "--outbox", "."],
        ["--json", "--format", "csv"],
        ["--outbox", ".", "--format", "csv"],
        ["--changed-since", "soon"],
        ["--outbox", "no such folder"],
    ],
)
def test_what_does_not_go_together_is_refused(b24tools: Run, options: list[str]) -> None:
    """As usage or settings, before anything is read."""
    status, _out, err = b24tools("orders", *options)
    assert (2, 1) == (status, err.count("\n"))


def test_the_outbox_of_cron(b24tools: Run, portal: Portal, tmp_path: Path) -> None:
    """A file per order and change, as the JSON has it; silent with -q; the log has what was written."""
    (tmp_path / "out").mkdir()
    send(b24tools, tmp_path, 1, "1Ц-1")
    assert (0, "", "1 file written to out\n") == b24tools("orders", "--outbox", "out")
    (file,) = (tmp_path / "out").iterdir()
    assert json.loads(b24tools("orders", "--json")[1])["data"]["orders"] == [json.loads(file.read_bytes())]
    assert (0, "", "") == b24tools("-q", "orders", "--outbox", "out")
    assert "orders --outbox out: exit status 0" in (tmp_path / "data" / "log.log").read_text(encoding="utf-8")


# the service


def test_open_leaves_out_what_is_over_among_the_changes_too(b24tools: Run, tmp_path: Path) -> None:
    """As the service does for `state=open&changed_since=0`; without --open the end of an order is news."""
    file = tmp_path / "order.json"
    for values in ({}, {"Выполнен": True}):
        file.write_bytes(as_bytes(order(**values)))
        assert 0 == b24tools("assign", file)[0]
    shown = [json.loads(b24tools("orders", *more, "--changed-since", 0, "--json")[1]) for more in ((), ("--open",))]
    assert [["done"], []] == [[row["state"] for row in listing["data"]["orders"]] for listing in shown]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """With two orders of one number and one whose number has a slash."""
    clock = Clock()
    monkeypatch.setattr(context, "now", clock)
    with serving(demo_company.build(clock), tmp_path / "data", Access(token=SERVE)) as opened:
        opened.client.auth = ("1c", SERVE)
        for which, number in enumerate(("1Ц-1", "1Ц-1", "7/2026")):
            sent = order(ИдентификаторЗаказа=GUID.format(which), НомерЗаказа=number)
            assert 200 == opened.client.post("/", content=as_bytes(sent)).status_code
        yield opened


def test_1c_asks_for_news(served: Served) -> None:
    """As the models of the description have it."""
    first = served.client.get("/orders").json()
    assert ["1Ц-1", "1Ц-1", "7/2026"] == [row["number"] for row in first["orders"]]
    OrdersAsTheyStand.model_validate_json(json.dumps(first), strict=True, extra="forbid")
    task_id = first["orders"][0]["lines"][0]["task_id"]
    served.portal.act("tasks.task.complete", {"taskId": task_id}, user_id=1)
    news = served.client.get("/orders", params={"changed_since": first["cursor"]}).json()
    assert [(GUID.format(0), "done", 1)] == [(row["id"], row["state"], row["done"]) for row in news["orders"]]
    assert [] == served.client.get("/orders", params={"changed_since": news["cursor"]}).json()["orders"]
    counts = {None: 2, "open": 2, "late": 0, "at_risk": 0, "done": 1, "all": 3}
    assert counts == {
        state: len(served.client.get("/orders", params={"state": state} if state else {}).json()["orders"])
        for state in counts
    }


def test_one_order_of_the_service(served: Served) -> None:
    """By its id in any spelling, by a number with a slash; a number of two is a conflict that names both."""
    for name in (GUID.format(1), "{" + GUID.format(1).upper() + "}"):
        assert [GUID.format(1)] == [row["id"] for row in served.client.get(f"/orders/{name}").json()["orders"]]
    for name in ("7/2026", "7%2F2026"):
        assert [GUID.format(2)] == [row["id"] for row in served.client.get(f"/orders/{name}").json()["orders"]]
    answer = served.client.get("/orders/1Ц-1")
    assert (409, "ambiguous") == (answer.status_code, answer.json()["code"])
    assert f"{GUID.format(0)}, {GUID.format(1)}" in answer.json()["detail"]
    answer = served.client.get("/orders/9")
    assert (404, "unknown_order") == (answer.status_code, answer.json()["code"])
    assert str(served.settings.data_dir) not in answer.text


def test_what_the_service_refuses(served: Served) -> None:
    """A cursor that is none, a state that does not exist, no token; a portal that is away means try later."""
    assert 422 == served.client.get("/orders", params={"changed_since": "soon"}).status_code
    assert 422 == served.client.get("/orders", params={"state": "lost"}).status_code
    assert 401 == served.client.get("/orders", auth=("1c", "wrong")).status_code


@pytest.mark.long
def test_the_description_names_what_is_answered(served: Served) -> None:
    """Each operation with its own id, each answer with a named model."""
    description = served.client.get("/openapi.json").json()
    described = {path: description["paths"][path]["get"] for path in ("/orders", "/orders/{order}")}
    assert ["listOrders", "getOrder"] == [operation["operationId"] for operation in described.values()]
    for operation in described.values():
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert {"$ref": "#/components/schemas/OrdersAsTheyStand"} == schema
    assert {"OrderStanding", "OrderLine", "HoldUp", "PersonInCharge"} <= description["components"]["schemas"].keys()
    assert "409" in described["/orders/{order}"]["responses"]
