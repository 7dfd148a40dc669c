"""Orders as they stand, asked for again and again: what changed, and the outbox for 1C."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.assignment.hold_up import HoldUp
from b24tools.assignment.order_lookup import SeveralOrders, find_order
from b24tools.assignment.standing import LATE, OrderStanding
from b24tools.core import errors
from b24tools.jobs import orders
from b24tools.jobs.orders import Listing, Outbox
from b24tools.render import orders as render_orders
from tests.support.orders import MOSCOW, Works, order, rules

ROUTE = ("Раскрой", "Сборка")
GUID = "11111111-2222-3333-4444-00000000000{}"


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of November in Moscow."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


@pytest.fixture
def people(works: Works) -> dict[str, int]:
    """A cutter and an assembler."""
    root = next(department.id for department in works.portal.departments.values() if department.name == "Производство")
    ids = {}
    for name in ROUTE:
        department = works.portal.add_department(name, parent=root)
        ids[name] = works.portal.add_user("Иван", name, departments=[department.id]).id
    return ids


def send(works: Works, which: int, *lines: tuple[str, float], **changes: Any) -> list[int]:
    """Send an order of a route; the ids of its tasks."""
    values = {"id": GUID.format(which), "number": str(which)} | changes
    result = works.assign(order(lines or (("Раскрой", 240),), **values), route=ROUTE)[0]
    return [task.task_id or 0 for task in result.tasks]


def listed(works: Works, *names: str, **options: Any) -> Listing:
    """One run of `orders`."""
    with works.tools() as tools:
        rows = [find_order(tools.store.orders, name, works.folder) for name in names]
        return orders.list_orders(tools, rules(route=ROUTE), rows=rows, **options)


def fill(works: Works, folder: Path, since: int | None = None) -> Outbox:
    """One run of `orders --outbox`."""
    folder.mkdir(exist_ok=True)
    with works.tools() as tools:
        return orders.fill_outbox(tools, rules(route=ROUTE), folder, as_text, since)


def as_text(standing: OrderStanding) -> str:
    """As the command writes it."""
    return json.dumps(render_orders.order_data(standing, MOSCOW), ensure_ascii=False)


def numbers(listing: Listing) -> list[str]:
    """The orders' numbers."""
    return [standing.row.number for standing in listing.orders]


def states(folder: Path) -> dict[str, tuple[str, int]]:
    """State and finished lines by order, of the newest file of each."""
    newest = sorted(folder.glob("*.json"), key=lambda path: int(path.name.split(".")[1]))
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in newest]
    return {row["number"]: (row["state"], row["done"]) for row in rows}


def finish(works: Works, task_id: int) -> None:
    """Somebody finishes a task in Bitrix24."""
    works.portal.act("tasks.task.complete", {"taskId": task_id}, user_id=1)


# asking


def test_news_is_what_changed_after_the_cursor(works: Works, people: dict[str, int]) -> None:
    """Nothing changed, nothing listed; what is done is news once, and then only asked for by name or with all."""
    send(works, 1)
    (task,) = send(works, 2)
    first = listed(works, since=0)
    assert ["1", "2"] == numbers(first)
    again = listed(works, since=first.cursor)
    assert ((), first.cursor) == (again.orders, again.cursor)
    works.clock.now = at(23, 10)
    finish(works, task)
    second = listed(works, since=first.cursor, states=orders.STATES)
    assert ["2"] == numbers(second)
    assert [] == numbers(listed(works, since=second.cursor, states=orders.STATES))
    assert (["1"], ["1", "2"], ["2"]) == (
        numbers(listed(works)),
        numbers(listed(works, states=orders.STATES)),
        numbers(listed(works, "2")),
    )


def test_the_most_urgent_stands_first(works: Works, people: dict[str, int]) -> None:
    """Late, at risk, on time, done; then by the wanted day."""
    (done,) = send(works, 1)
    send(works, 2, wanted=at(30))
    send(works, 3, ("Раскрой", 900), wanted=at(23))
    send(works, 4, wanted=at(27))
    send(works, 5, ("Кузнец", 60))
    works.clock.now = at(23, 10)
    finish(works, done)
    assert ["3", "5", "4", "2", "1"] == numbers(listed(works, states=orders.STATES))
    assert ["3"] == numbers(listed(works, states={LATE}))


def test_a_line_without_a_task_keeps_the_order_from_being_done(works: Works, people: dict[str, int]) -> None:
    """Until it is sent again, or 1C says that it has ended."""
    (task, _none) = send(works, 1, ("Раскрой", 60), ("Кузнец", 60))
    works.clock.now = at(23, 10)
    finish(works, task)
    (now,) = listed(works).orders
    assert ("at_risk", 1, 2, HoldUp("Кузнец", None, "unwritten")) == (now.state, now.done, now.of, now.holds_up)
    send(works, 1, ("Раскрой", 60), ("Кузнец", 60), done=True)
    assert [] == numbers(listed(works))


def test_a_line_that_the_portal_has_refused_is_listed_once(works: Works, people: dict[str, int]) -> None:
    """It is planned, which a line without a department is not."""
    works.portal.groups[1].date_finish = int(at(20).timestamp())
    assert [0, 0] == send(works, 1, ("Раскрой", 60), ("Кузнец", 60))
    (one,) = listed(works).orders
    assert (["Раскрой"], ["Кузнец"], 2) == ([line.row.position for line in one.lines], one.unlisted, one.of)


def test_what_was_deleted_of_an_order_that_is_over_does_not_matter(works: Works, people: dict[str, int]) -> None:
    """Of one that goes on it does, until 1C cancels it."""
    (task,) = send(works, 1)
    (other,) = send(works, 2)
    works.clock.now = at(23, 10)
    finish(works, task)
    assert ["2"] == numbers(listed(works))
    for task_id in (task, other):
        works.portal.act("tasks.task.delete", {"taskId": task_id}, user_id=1)
    assert {"1": ("done", 1), "2": ("at_risk", 0)} == {
        standing.row.number: (standing.state, standing.done) for standing in listed(works, states=orders.STATES).orders
    }
    send(works, 2, called_off=True)
    assert [("done", 0)] == [(standing.state, standing.done) for standing in listed(works, "2").orders]


def test_somebody_who_goes_on_with_a_finished_task_opens_the_order_again(works: Works, people: dict[str, int]) -> None:
    """It is news, though no event came."""
    (task,) = send(works, 1)
    works.clock.now = at(23, 10)
    finish(works, task)
    cursor = listed(works).cursor
    works.portal.act("tasks.task.renew", {"taskId": task}, user_id=1)
    assert [("1", "open")] == [(standing.row.number, standing.state) for standing in listed(works, since=cursor).orders]


def test_another_reason_alone_is_no_news(works: Works, people: dict[str, int]) -> None:
    """What waited for other work of its person takes its time by now; that is saved, and the rest is as it was."""
    (first,) = send(works, 1, ("Сборка", 480), wanted=at(30))
    cut, assembled = send(works, 2, ("Раскрой", 240), ("Сборка", 60), wanted=at(23))
    works.clock.now = at(23, 13)
    finish(works, cut)
    before = listed(works, "2")
    works.clock.now = at(23, 18)
    finish(works, first)
    assert ["1"] == numbers(listed(works, since=before.cursor, states=orders.STATES))
    later = listed(works, "2")
    (two,) = later.orders
    held = [HoldUp("Сборка", "Иван Сборка", reason) for reason in ("busy", "work")]
    assert held == [before.orders[0].holds_up, two.holds_up]
    assert ["Сборка", "Иван Сборка", "work"] == two.row.standing["holds_up"]
    works.portal.act("tasks.task.delegate", {"taskId": assembled, "userId": people["Раскрой"]}, user_id=1)
    assert ["2"] == numbers(listed(works, since=later.cursor))


def test_an_order_that_another_run_is_writing_waits_for_its_end(works: Works, people: dict[str, int]) -> None:
    """It would look as if its tasks were missing. A run that was cut an hour ago will not end any more."""
    send(works, 1)
    with works.tools() as tools:
        tools.store.orders.save(GUID.format(2), "2", works.clock())
    assert ["1"] == numbers(listed(works, since=0))
    works.clock.now += timedelta(hours=2)
    (two, _one) = listed(works, since=0).orders
    assert ("2", "at_risk", HoldUp("", None, "unwritten")) == (two.row.number, two.state, two.holds_up)


def test_what_another_process_changes_meanwhile_is_left_to_the_next_time(
    works: Works, people: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor stands before it."""
    send(works, 1)
    (task,) = send(works, 2)
    cursor = listed(works).cursor
    read = orders.read_standings

    def overtaken(*arguments: Any) -> Any:
        standings = read(*arguments)
        monkeypatch.setattr(orders, "read_standings", read)
        works.clock.now = at(23, 10)
        finish(works, task)
        assert ["2"] == numbers(listed(works, since=cursor, states=orders.STATES))
        return standings

    monkeypatch.setattr(orders, "read_standings", overtaken)
    late = listed(works, since=cursor, states=orders.STATES)
    assert [] == numbers(late)
    assert [("2", "done")] == [
        (now.row.number, now.state) for now in listed(works, since=late.cursor, states=orders.STATES).orders
    ]


@pytest.mark.parametrize(
    ("text", "expected"), [("2h", True), ("1 795 406 400", True), ("1795406400", True), ("soon", False), ("-1", False)]
)
def test_a_cursor_or_a_span(works: Works, text: str, expected: bool) -> None:
    """1C writes numbers with blanks of all kinds."""
    with works.tools() as tools:
        if expected:
            assert orders.read_since(tools.store.orders, text, works.clock()) in (0, 1_795_406_400)
        else:
            with pytest.raises(errors.ConfigError, match="neither a cursor nor a span"):
                orders.read_since(tools.store.orders, text, works.clock())


def test_a_span_of_time_asks_for_what_changed_within(works: Works, people: dict[str, int]) -> None:
    """By when it was noticed."""
    send(works, 1)
    works.clock.now += timedelta(hours=3)
    send(works, 2)
    with works.tools() as tools:
        since = orders.read_since(tools.store.orders, "2h", works.clock())
    assert ["2"] == numbers(listed(works, since=since))


def test_a_cursor_of_another_database_lists_all(works: Works, people: dict[str, int]) -> None:
    """And says so."""
    send(works, 1)
    listing = listed(works, since=10**12)
    assert (["1"], True) == (numbers(listing), "1000000000000" in listing.warnings[0])


def test_a_number_of_two_orders_names_both(works: Works, people: dict[str, int]) -> None:
    """Either is found by its id, in any spelling."""
    send(works, 1)
    send(works, 2, number="1")
    with pytest.raises(SeveralOrders, match=f"{GUID.format(1)}, {GUID.format(2)}"):
        listed(works, "1")
    assert GUID.format(2) == listed(works, "{" + GUID.format(2).upper() + "}").orders[0].row.id
    with pytest.raises(errors.ConfigError, match="no order 7"):
        listed(works, "7")


def test_a_number_is_found_in_another_letter_case(works: Works, people: dict[str, int]) -> None:
    """Unless another order has exactly that one."""
    send(works, 1, number="РВ-ё1")
    assert [GUID.format(1)] == [standing.row.id for standing in listed(works, " рв–Е1").orders]
    send(works, 2, number="Рв-е1")
    for name, which in (("Рв-е1", 2), ("РВ-ё1", 1)):
        assert [GUID.format(which)] == [standing.row.id for standing in listed(works, name).orders]
    with pytest.raises(SeveralOrders, match=f"{GUID.format(1)}, {GUID.format(2)}"):
        listed(works, "РВ-Е1")


# assign


def long_life(works: Works, people: dict[str, int]) -> list[tuple[int, Callable[[], object]]]:
    """What may happen to orders, and to which it is that 1C sends one; 0: it happens in Bitrix24."""
    state: dict[str, list[int]] = {}

    def keep(name: str, tasks: list[int]) -> None:
        state[name] = tasks

    return [
        (1, lambda: keep("1", send(works, 1, ("Раскрой", 240), ("Сборка", 600), wanted=at(23)))),
        (2, lambda: keep("2", send(works, 2, ("Сборка", 300), wanted=at(27)))),
        (0, lambda: works.portal.add_absence(people["Сборка"], date(2026, 11, 23), date(2026, 11, 24))),
        (2, lambda: send(works, 2, ("Сборка", 420), wanted=at(24))),
        (0, lambda: finish(works, state["1"][0])),
        (1, lambda: send(works, 1, ("Раскрой", 240), ("Сборка", 600), wanted=at(26))),
        (0, lambda: setattr(works.clock, "now", at(25, 11))),
        (2, lambda: send(works, 2, ("Сборка", 420), wanted=at(24))),
        (2, lambda: send(works, 2, ("Сборка", 420), wanted=at(24), called_off=True)),
        (2, lambda: send(works, 2, ("Сборка", 420), wanted=at(24))),
        (1, lambda: send(works, 1, ("Раскрой", 240), ("Сборка", 600), done=True)),
    ]


@pytest.mark.long
def test_assign_says_at_once_what_orders_would_say(works: Works, people: dict[str, int]) -> None:
    """`orders` after it finds nothing new in the order; only of what is taken up again it has to read the work."""
    changes = []
    for which, happens in long_life(works, people):
        before = listed(works, states=orders.STATES).cursor
        happens()
        with works.tools() as tools:
            known = tools.store.orders.read([GUID.format(which)])
        listed(works, states=orders.STATES)
        if which:
            with works.tools() as tools:
                after = tools.store.orders.read(known)
            changes.append((known[GUID.format(which)].changed_no > before, known == after))
    kept, told, later = (False, True), (True, True), (False, False)
    assert [told, told, told, told, kept, told, later, told] == changes


# the outbox


def test_the_outbox_has_a_file_for_each_change(works: Works, people: dict[str, int], tmp_path: Path) -> None:
    """Named by the order and the number of its change; nothing changed, nothing written."""
    folder = tmp_path / "out"
    (task,) = send(works, 1)
    send(works, 2)
    first = fill(works, folder)
    changes = {standing.row.id: standing.row.changed_no for standing in first.listing.orders}
    assert {f"{id_}.{number}.json" for id_, number in changes.items()} == {path.name for path in folder.iterdir()}
    assert ((), 2) == (fill(works, folder).files, len(list(folder.iterdir())))
    works.clock.now = at(23, 10)
    finish(works, task)
    assert [GUID.format(1)] == [path.name.split(".")[0] for path in fill(works, folder).files]
    assert {"1": ("done", 1), "2": ("open", 0)} == states(folder)


def test_two_outboxes_do_not_take_from_one_another(works: Works, people: dict[str, int], tmp_path: Path) -> None:
    """Each has what changed since its own last time; a new one begins with what is open."""
    (task,) = send(works, 1)
    send(works, 2)
    assert 2 == len(fill(works, tmp_path / "a").files)
    works.clock.now = at(23, 10)
    finish(works, task)
    assert [2, 1, 0, 0] == [len(fill(works, tmp_path / name).files) for name in ("b", "a", "b", "a")]
    assert 1 == len(fill(works, tmp_path / "c").files)


@pytest.mark.long
@pytest.mark.parametrize("killed_at", range(8))
def test_an_outbox_killed_anywhere_loses_nothing(
    killed_at: int, works: Works, people: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after a file has its name, or before the cursor is saved: each change has one file in the end."""
    folder = tmp_path / "out"
    (task,) = send(works, 1)
    send(works, 2)
    steps = 0

    class Killed(BaseException):
        """As if the process were gone."""

    def maybe(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps > killed_at:
                raise Killed
            return call(*arguments, **named)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", maybe(lambda _file: None))
        patch.setattr(Path, "replace", maybe(Path.replace))
        patch.setattr("b24tools.store.orders.Orders.save_outbox", maybe(lambda *_arguments: None))
        with suppress(Killed):
            fill(works, folder)
    written = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    works.clock.now = at(23, 10)
    finish(works, task)
    fill(works, folder)
    files = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    assert {"1": ("done", 1), "2": ("open", 0)} == states(folder)
    assert written.items() <= files.items()
    assert len(files) == (3 if any(name.startswith(GUID.format(1)) for name in written) else 2)
    assert [] == [path.name for path in folder.iterdir() if path.name not in files]


@pytest.mark.sqlite
@pytest.mark.parametrize("is_sent", [True, False], ids=["an order was sent", "none was sent"])
def test_a_restored_database_stands_at_now(works: Works, people: dict[str, int], tmp_path: Path, is_sent: bool) -> None:
    """What changed before is not written again unless it is asked for; numbers are never given twice."""
    folder = tmp_path / "out"
    (task,) = send(works, 1)
    fill(works, folder)
    shutil.copytree(works.folder, tmp_path / "backup")
    works.clock.now = at(23, 10)
    finish(works, task)
    if is_sent:
        send(works, 2)
    assert fill(works, folder).files
    known = {path.name for path in folder.iterdir()}
    (works.folder / "b24tools.db").write_bytes((tmp_path / "backup" / "b24tools.db").read_bytes())
    works.clock.now += timedelta(minutes=5)
    restored = fill(works, folder)
    assert ((), True) == (restored.files, "a backup of the database was restored" in restored.notice)
    again = fill(works, folder)
    assert ((), "") == (again.files, again.notice)
    assert [GUID.format(1)] == [path.name.split(".")[0] for path in fill(works, folder, since=0).files]
    assert {path.name for path in folder.iterdir()} > known


def test_an_outbox_that_cannot_be_written_says_so_and_goes_on_later(
    works: Works, people: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder is made: a share that is not mounted would be filled in vain."""
    send(works, 1)
    with works.tools() as tools, pytest.raises(errors.ConfigError, match="there is no folder"):
        orders.fill_outbox(tools, rules(route=ROUTE), tmp_path / "none", as_text)

    def refuse(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(errors.B24ToolsError, match="cannot be written"):
            fill(works, tmp_path / "out")
    assert 1 == len(fill(works, tmp_path / "out").files)


@pytest.mark.parametrize("name", ["../../etc/passwd", "CON", "заказ № 7/2026", "a" * 300, "1:2*3?"])
def test_a_file_is_named_safely_after_any_order(name: str) -> None:
    """On every system, and differently for different orders."""
    safe = orders.make_safe(name)
    assert not set(safe) & set('/\\:*?"<>|. ')
    assert len(f"{safe}.1795406400.json".encode()) < 200
    assert safe != orders.make_safe(name + "x")
