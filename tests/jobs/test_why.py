"""`why`: what the ledger kept of a decision, told as it was."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest

from b24tools import context
from b24tools.assignment.report import TaskResult
from b24tools.cli import app
from b24tools.core import errors, i18n
from b24tools.core.models import Person
from b24tools.core.timestamps import to_text
from b24tools.jobs import orders, why
from b24tools.onec import task_fields
from b24tools.render.why import data, to_html
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from b24tools.store import open_store, read_store
from tests.support import closed_tasks
from tests.support.orders import MOSCOW, Clock, Works, order, rules

NUMBERS = iter(range(1000, 10_000))


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of that November in Moscow; Monday is the 23rd."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def shop(works: Works, *names: str, position: str = "Резчик") -> list[int]:
    """A position with these new people; the ids."""
    home = works.portal.add_department(position, parent=4).id
    return [works.portal.add_user("Иван", name, departments=[home]).id for name in names]


def given(works: Works, minutes: float = 60, position: str = "Резчик", **changes: Any) -> TaskResult:
    """A new order of one line, sent."""
    number = str(next(NUMBERS))
    chosen = {name: changes.pop(name) for name in ("pins", "fallback_user", "route") if name in changes}
    return works.assign(order([(position, minutes)], id=number, number=f"№{number}", **changes), **chosen)[0].tasks[-1]


def told(works: Works, task: TaskResult) -> tuple[str, list[tuple[str, str]]]:
    """The explanation and each candidate's note."""
    with closing(read_store(works.folder / "b24tools.db", dry_run=True)) as opened:
        shown = data(why.explain(opened, task.task_id or 0, works.folder), MOSCOW)
    return shown["explanation"], [(candidate["name"], candidate["note"]) for candidate in shown["candidates"]]


def test_namesakes_are_told_apart_by_their_ids(works: Works) -> None:
    """In sentences; programs have the ids anyway."""
    first, second = shop(works, "Первый", "Первый")
    works.portal.add_task("А", responsible=first, creator=1, time_estimate=4 * 3600)
    assert told(works, given(works, 120))[0] == (
        f"Иван Первый (#{second}) finishes it first, 23.11 11:00; the next one, Иван Первый (#{first}), would have "
        f"done so 23.11 16:00.\nWith more than 4 h of work more for Иван Первый (#{second}) it would have been "
        f"Иван Первый (#{first})."
    )


def test_the_first_to_finish_is_told_with_what_kept_the_others(works: Works) -> None:
    """Busy, away, a gap too short; and how much work more would have changed it."""
    _free, busy, away, gap = shop(works, "Первый", "Второй", "Третий", "Четвёртый")
    works.portal.add_task("А", responsible=busy, creator=1, time_estimate=4 * 3600)
    works.portal.add_absence(away, at(23), at(25))
    slot = {"xml_id": "1c:x:y", "creator": 1, "start_plan": at(23, 10), "end_plan": at(25, 18)}
    works.portal.add_task("Б", responsible=gap, **slot)
    assert told(works, given(works, 120)) == (
        "Иван Первый finishes it first, 23.11 11:00; the next one, Иван Второй, would have done so 23.11 16:00.\n"
        "With more than 4 h of work more for Иван Первый it would have been Иван Второй.",
        [
            ("Иван Первый", "chosen"),
            ("Иван Второй", "busy until 23.11 14:00"),
            ("Иван Третий", "away 23.11 - 25.11"),
            ("Иван Четвёртый", "it fits in only from 26.11 09:00"),
        ],
    )


def test_what_is_over_before_the_work_can_begin_kept_nobody(works: Works) -> None:
    """Busy on Monday and away on Tuesday, but only Thursday's slot matters to work that begins on Thursday."""
    _free, other = shop(works, "Первый", "Второй")
    works.portal.add_task("А", responsible=other, creator=1, time_estimate=4 * 3600)
    works.portal.add_absence(other, at(24), at(24))
    slot = {"xml_id": "1c:x:y", "creator": 1, "start_plan": at(26, 9), "end_plan": at(26, 11)}
    works.portal.add_task("Б", responsible=other, **slot)
    notes = told(works, given(works, 120, accepted=at(26, 9)))[1]
    assert [("Иван Первый", "chosen"), ("Иван Второй", "it fits in only from 26.11 11:00")] == notes


def test_ties_are_told_by_what_decided_them(works: Works) -> None:
    """The lower id, then the one not assigned for longest, then less open work."""
    _one, two = shop(works, "Первый", "Второй")
    accepted = at(25, 9)
    assert told(works, given(works, accepted=accepted)) == (
        "Иван Первый and Иван Второй were equally free; between equals the lower id decides.\n"
        "It could not begin before 25.11 09:00, when the order is accepted.\n"
        "Any open work more for Иван Первый would have made it Иван Второй.",
        [("Иван Первый", "chosen"), ("Иван Второй", "finishes at the same time")],
    )
    works.portal.add_task("А", responsible=two, creator=1, time_estimate=3600)
    assert told(works, given(works, accepted=at(26, 9)))[0].splitlines()[0] == (
        "Иван Второй and Иван Первый were equally free; Иван Второй had been given no work for longer."
    )
    works.portal.add_task("Б", responsible=two, creator=1, time_estimate=3600)
    less = told(works, given(works, accepted=at(27, 9)))[0].splitlines()
    assert less[0] == "Иван Первый and Иван Второй were equally fast; Иван Первый had less open work, 1 h to 3 h."
    assert less[2] == "With more than 2 h of open work more for Иван Первый it would have been Иван Второй."


def test_the_only_one_is_told(works: Works) -> None:
    """And what would change it."""
    shop(works, "Первый")
    assert told(works, given(works)) == (
        'Иван Первый was the only one in the department "Резчик" with time for it.\n'
        "A colleague there, or --to, would have changed that.",
        [("Иван Первый", "chosen")],
    )


def test_a_pin_is_told_with_whom_it_would_have_been(works: Works) -> None:
    """An outsider, a busy colleague, and the one it would have been anyway."""
    one, two = shop(works, "Первый", "Второй")
    welder = demo_company.person(works.portal, "Исаев").id
    without = "Without --to it would have been "
    assert told(works, given(works, pins={"Резчик": welder})) == (
        f"It was pinned to Павел Исаев with --to.\n{without}Иван Первый, 23.11 10:00.",
        [
            ("Павел Исаев", "chosen; not in the department"),
            ("Иван Первый", "finishes at the same time"),
            ("Иван Второй", "finishes at the same time"),
        ],
    )
    assert told(works, given(works, pins={"Резчик": two}))[0].splitlines()[1] == f"{without}Иван Первый, 23.11 10:00."
    works.portal.add_task("А", responsible=two, creator=1, time_estimate=3600)
    assert told(works, given(works, pins={"Резчик": two}))[0].splitlines()[1] == f"{without}Иван Первый, 23.11 10:00."
    assert told(works, given(works, pins={"Резчик": one}))[0].splitlines()[1] == f"{without}the same."


@pytest.mark.parametrize(
    ("position", "problem"),
    [
        ("Сварщег", 'There was no department "Сварщег" (the nearest name was "Сварщик")'),
        ("Водитель экскаватора", 'There was no department "Водитель экскаватора"'),
        ("Маляр", 'The department "Маляр" had no active people'),
    ],
)
def test_the_fallback_is_told_with_its_reason(works: Works, position: str, problem: str) -> None:
    """As it was at the time."""
    works.portal.add_department("Маляр", parent=4)
    boss = demo_company.person(works.portal, "Авдеев").id
    assert told(works, given(works, position=position, fallback_user=boss)) == (
        f"{problem}; such work goes to Борис Авдеев (B24_FALLBACK_USER).\n"
        f'A department "{position}" with people in it would have changed that.',
        [("Борис Авдеев", "chosen; not in the department")],
    )


def test_an_operation_that_waited_is_told(works: Works) -> None:
    """The one before it on the route."""
    shop(works, "Первый")
    shop(works, "Второй", position="Сборка")
    lines = [("Резчик", 60), ("Сборка", 60)]
    task = works.assign(order(lines), route=("Резчик", "Сборка"))[0].tasks[1]
    assert told(works, task)[0].splitlines()[1] == 'It could not begin before 23.11 10:00, when "Резчик" ends.'


def test_what_is_told_is_as_it_was(works: Works) -> None:
    """Renamed, dismissed, moved and busy since: the decision stays."""
    first, _second = shop(works, "Первый", "Второй")
    task = given(works)
    before = told(works, task)
    works.portal.users[first].last_name = "Другой"
    works.portal.users[first].active = False
    works.portal.tasks[task.task_id or 0].responsible = 1
    works.clock.now += timedelta(days=30)
    given(works)
    assert before == told(works, task)


def find_now(works: Works, task_id: int, opted_out: int = 0) -> tuple[Any, list[str]]:
    """`now` of the JSON, and what the screen and the page say beside the decision."""
    with closing(open_store(works.folder / "b24tools.db")) as opened:
        opened.settings.save("opted_out_users", str(opted_out or ""))
        explained = why.explain(opened, task_id, works.folder)
    page = str(to_html(explained, MOSCOW, "/", {}))
    shown = data(explained, MOSCOW)
    decided = shown["explanation"].splitlines()
    said = [unescape(text) for text in re.findall("<p>([^<]*)</p>", page)]
    assert decided == said[: len(decided)]
    return shown.get("now"), said[len(decided) :]


def look_at_orders(works: Works) -> None:
    """One run of `orders`, a minute later."""
    works.clock.now += timedelta(minutes=1)
    with works.tools() as tools:
        orders.list_orders(tools, rules())


def save_closed(works: Works, task_id: int, responsible: int) -> None:
    """A snapshot that finds the task closed at noon."""
    with closing(open_store(works.folder / "b24tools.db")) as opened:
        people = [Person(user.id, user.name, user.last_name, "", True, ()) for user in works.portal.users.values()]
        opened.people.save(people, works.clock.now)
        closed_tasks.save(opened, [closed_tasks.task(task_id, responsible, at(23, 12))], works.clock.now)


def test_who_has_the_task_by_now_is_said_where_the_database_knows(works: Works) -> None:
    """Nothing while all is as it was decided; then what `orders` saw, and who closed it."""
    first, second = shop(works, "Первый", "Второй")
    task = given(works).task_id or 0
    look_at_orders(works)
    assert (None, []) == find_now(works, task)
    works.portal.tasks[task].responsible = second
    look_at_orders(works)
    moved = {"responsible": {"id": second, "name": "Иван Второй"}, "start": None, "finish": None, "closed_at": None}
    moved |= {"deleted": False}
    assert (moved, ["By now it is Иван Второй's, as `orders` saw on 23.11 07:02."]) == find_now(works, task)
    with works.tools() as tools, tools.store.transaction():
        for seen_at in (at(23, 6), works.clock.now):  # before the decision nothing was seen of its task
            tools.store.database.execute("UPDATE orders SET changed_at = ?", [to_text(seen_at)])
            assert (seen_at < at(23, 7)) is (why.explain(tools.store, task, works.folder).now is None)
    outsider = demo_company.person(works.portal, "Тихонова").id
    works.portal.tasks[task].responsible = outsider
    works.clock.now += timedelta(minutes=1)
    look_at_orders(works)
    assert ["By now it is Анна Тихонова's, as `orders` saw on 23.11 07:04."] == find_now(works, task)[1]
    with works.tools() as tools:
        (row,) = tools.store.orders.read(tools.store.orders.owners([task]).values()).values()
        news = row.changed_no, row.changed_at
    works.portal.users[outsider].last_name = "Громова"
    works.clock.now += timedelta(hours=1)
    look_at_orders(works)
    assert ["By now it is Анна Громова's, as `orders` saw on 23.11 07:04."] == find_now(works, task)[1]
    with works.tools() as tools:
        (row,) = tools.store.orders.read([row.id]).values()
    assert news == (row.changed_no, row.changed_at)
    save_closed(works, task, second)
    closed = moved | {"closed_at": "2026-11-23T12:00:00+03:00"}
    assert (closed, ["It was closed on 23.11 12:00, by Иван Второй."]) == find_now(works, task)
    for person in (first, second):
        assert (None, []) == find_now(works, task, opted_out=person)


def test_a_closing_of_the_chosen_person_and_a_longer_plan_differ_from_the_decision(works: Works) -> None:
    """The dates are those that were written last."""
    (cutter,) = shop(works, "Первый")
    task = works.assign(order([("Резчик", 60)]))[0].tasks[0].task_id or 0
    works.assign(order([("Резчик", 120)]))
    now = {"responsible": {"id": cutter, "name": "Иван Первый"}, "start": "2026-11-23T09:00:00+03:00"}
    now |= {"finish": "2026-11-23T11:00:00+03:00", "closed_at": None, "deleted": False}
    said = ["By now it is Иван Первый's, from 23.11 09:00 to 23.11 11:00, as b24tools wrote it last."]
    assert (now, said) == find_now(works, task)
    save_closed(works, task, cutter)
    now |= {"closed_at": "2026-11-23T12:00:00+03:00"}
    assert (now, ["It was closed on 23.11 12:00, by Иван Первый."]) == find_now(works, task)
    assert (None, []) == find_now(works, task, opted_out=cutter)


def test_a_task_that_was_moved_by_hand_or_deleted_is_told(works: Works) -> None:
    """As `orders` saw it, and when it did: also where the order is ready on the same day, which is no news."""
    (cutter,) = shop(works, "Первый")
    handle = works.portal.handle

    def handle_slowly(*args: Any, **more: Any) -> Any:  # the decision is noted after the portal was read
        works.clock.now += timedelta(seconds=5)
        return handle(*args, **more)

    works.portal.handle = handle_slowly  # type: ignore[method-assign]
    task = given(works).task_id or 0
    works.portal.handle = handle  # type: ignore[method-assign]
    look_at_orders(works)
    assert (None, []) == find_now(works, task)
    now = {"responsible": {"id": cutter, "name": "Иван Первый"}, "closed_at": None, "deleted": False}
    for number, (day, hour) in enumerate([(23, 15), (24, 10), (24, 11)]):
        fields = {"START_DATE_PLAN": at(day, hour).isoformat(), "END_DATE_PLAN": at(day, hour + 1).isoformat()}
        works.portal.act("tasks.task.update", {"taskId": task, "fields": fields}, user_id=1)
        look_at_orders(works)
        look_at_orders(works)
        now |= {"start": f"2026-11-{day}T{hour}:00:00+03:00", "finish": f"2026-11-{day}T{hour + 1}:00:00+03:00"}
        said = f"from {day}.11 {hour}:00 to {day}.11 {hour + 1}:00, as `orders` saw on 23.11 07:0{2 * number + 2}."
        assert (now, [f"By now it is Иван Первый's, {said}"]) == find_now(works, task)
    works.portal.act("tasks.task.delete", {"taskId": task}, user_id=1)
    look_at_orders(works)
    now |= {"start": "2026-11-23T09:00:00+03:00", "finish": "2026-11-23T10:00:00+03:00", "deleted": True}
    assert (now, ["By now it is not on the portal any more, as `orders` saw on 23.11 07:08."]) == find_now(works, task)
    assert (None, []) == find_now(works, task, opted_out=cutter)


def test_of_a_run_that_was_cut_only_the_decision_that_was_written_counts(works: Works) -> None:
    """Planned for one person, then for another: the task's own is told."""
    first, second = shop(works, "Первый", "Второй")
    number = "cut"
    small = order([("Резчик", 60)], id=number)
    works.portal.scopes = [name for name in works.portal.scopes if name != "sonet_group"]
    with pytest.raises(Exception, match="scope"):
        works.assign(small)
    works.portal.scopes = [*works.portal.scopes, "sonet_group"]
    works.portal.users[first].active = False
    task = works.assign(small)[0].tasks[0]
    assert (task.responsible, told(works, task)[1]) == ((second, "Иван Второй"), [("Иван Второй", "chosen")])


def test_what_the_portal_refused_was_given_to_nobody(works: Works) -> None:
    """However often it was sent; and a task that somebody then makes by hand has no reason."""
    _one, two = shop(works, "Первый", "Второй")
    small = order([("Резчик", 60)])
    for _time in range(3):
        works.portal.faults.add(Fault("error", method="tasks.task.add", status=400))
        assert "failed" == works.assign(small)[0].outcome
    title = task_fields.title(small, small.lines[0])
    by_hand = works.portal.add_task(title, responsible=two, creator=1, group=1, created_at=works.clock.now)
    assert by_hand.id == works.assign(small)[0].tasks[0].task_id
    with closing(read_store(works.folder / "b24tools.db", dry_run=True)) as opened:
        assert 0 == len(opened.database.query("SELECT * FROM decisions"))
        with pytest.raises(errors.ConfigError, match="took it over with the person it had"):
            why.explain(opened, by_hand.id, works.folder)


def test_every_task_of_the_demo_order_can_be_explained(works: Works) -> None:
    """Six operations of the real order."""
    sample = [("Макетчик", 1310.48), ("Печатник/плотер", 68.67), ("Фрезеровщик", 107.13)]
    sample += [("Сварщик", 216.05), ("Монтажник", 932.1), ("Поклейщик", 490.9)]
    for task in works.assign(order(sample))[0].tasks:
        explanation, notes = told(works, task)
        assert find_now(works, task.task_id or 0)[0] is None
        assert 2 <= len(explanation.splitlines())
        assert all(note for _name, note in notes)
        assert task.responsible is not None
        assert [task.responsible[1]] == [name for name, note in notes if note == "chosen"]


def test_records_of_older_versions_are_read(works: Works) -> None:
    """They know neither the work nor who was busy."""
    with closing(open_store(works.folder / "b24tools.db")) as opened:
        six, seven = (f"2026-11-23T0{hour}:00:00+00:00" for hour in (6, 7))
        able = {"id": 8, "name": "Юрин", "free": six, "start": six, "finish": seven, "open_s": 0, "note": ""}
        record = {"id": 7, "name": "Ёлкин", "free": None, "start": None, "finish": None, "open_s": 0, "note": "away"}
        candidates = [candidate | {"absent": []} for candidate in (able, record)]
        opened.database.insert(
            "decisions",
            [
                {"key": "1c:a:b", "task_id": 5, "position": "Сварщик", "decided_at": "2026-11-23T05:00:00+00:00"}
                | {"responsible_id": 8, "reason": "only", "candidates": json.dumps(candidates)}
            ],
        )
        explained = why.explain(opened, 5, works.folder)
    assert ("Сварщик", None, ("unable",)) == (explained.position, explained.work_s, explained.candidates[1].causes)


# at the command line


def run(works: Works, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Status, stdout, stderr of `b24tools why …`."""
    status = app.main(["why", *words])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def decided(works: Works, monkeypatch: pytest.MonkeyPatch) -> TaskResult:
    """A task with two candidates."""
    monkeypatch.setattr(context, "now", Clock())
    _one, two = shop(works, "Первый", "Второй")
    works.portal.add_task("А", responsible=two, creator=1, time_estimate=4 * 3600)
    return given(works, 120)


def test_the_screen_of_why(works: Works, decided: TaskResult, capsys: pytest.CaptureFixture[str]) -> None:
    """Plain text in a pipe, in both languages."""
    status, out, err = run(works, capsys, str(decided.task_id))
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"Task {decided.task_id}, {decided.title}: given to Иван Первый on 23.11 07:00",
        "Иван Первый finishes it first, 23.11 11:00; the next one, Иван Второй, would have done so 23.11 16:00.",
        "With more than 4 h of work more for Иван Первый it would have been Иван Второй.",
        "Person       Free         Finish       Open work  Why not",
        "Иван Первый  23.11 09:00  23.11 11:00      0 min  chosen",
        "Иван Второй  23.11 14:00  23.11 16:00        4 h  busy until 23.11 14:00",
    ]
    i18n.use("ru")
    assert "занято до 23.11 14:00" in run(works, capsys, str(decided.task_id))[1]


def test_the_json_of_why(works: Works, decided: TaskResult, capsys: pytest.CaptureFixture[str]) -> None:
    """As the contract has it, and the sentences beside."""
    status, out, _err = run(works, capsys, str(decided.task_id), "--json")
    envelope = json.loads(out)
    explanation = envelope["data"].pop("explanation")
    ids = [candidate["id"] for candidate in envelope["data"]["candidates"]]
    assert (0, 2) == (status, len(explanation.splitlines()))
    assert envelope == {
        "version": 1,
        "command": "why",
        "ok": True,
        "data": {
            "task_id": decided.task_id,
            "position": "Резчик",
            "decided_at": "2026-11-23T07:00:00+03:00",
            "responsible": {"id": ids[0], "name": "Иван Первый"},
            "reason": "first",
            "candidates": [
                {
                    "id": ids[0],
                    "name": "Иван Первый",
                    "free": "2026-11-23T09:00:00+03:00",
                    "finish": "2026-11-23T11:00:00+03:00",
                    "open_s": 0,
                    "absent": [],
                    "chosen": True,
                    "note": "chosen",
                },
                {
                    "id": ids[1],
                    "name": "Иван Второй",
                    "free": "2026-11-23T14:00:00+03:00",
                    "finish": "2026-11-23T16:00:00+03:00",
                    "open_s": 4 * 3600,
                    "absent": [],
                    "chosen": False,
                    "note": "busy until 23.11 14:00",
                },
            ],
        },
        "warnings": [],
        "error": None,
    }


def test_a_task_of_others_cannot_be_explained(works: Works, capsys: pytest.CaptureFixture[str]) -> None:
    """No decision, no database: both name the folder, and nothing is made there."""
    line = (
        "task 5 is not one that b24tools has given out. Give the number from the task's address in Bitrix24, "
        f"of a task from an order that was sent with this data folder: {works.folder}.\n"
    )
    assert (2, "", line) == run(works, capsys, "5")
    assert not works.folder.exists()
    envelope = json.loads(run(works, capsys, "5", "--json")[1])
    assert (False, "unknown_task") == (envelope["ok"], envelope["error"]["code"])


def test_an_adopted_task_has_no_reason(works: Works, capsys: pytest.CaptureFixture[str]) -> None:
    """The replaced service chose its person."""
    shop(works, "Первый")
    sent = order([("Резчик", 60)])
    title = task_fields.title(sent, sent.lines[0])
    old = works.portal.add_task(title, responsible=1, creator=1, group=1, created_at=at(21))
    assert "adopted" == works.assign(sent)[0].tasks[0].outcome
    status, _out, err = run(works, capsys, str(old.id))
    assert (2, True) == (status, "took it over with the person it had" in err)


def test_of_a_crowd_only_the_best_are_kept_and_the_one_it_was_pinned_to(
    works: Works, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are counted: the database must not grow by hundreds of people a task."""
    monkeypatch.setattr(context, "now", Clock())
    people = shop(works, *(f"№{number:02}" for number in range(30)))
    works.portal.add_task("А", responsible=people[-1], creator=1, time_estimate=3600)
    task = given(works, pins={"Резчик": people[-1]})
    names = [name for name, _note in told(works, task)[1]]
    assert [f"Иван №{number:02}" for number in (*range(20), 29)] == names
    assert run(works, capsys, str(task.task_id))[1].endswith("\nAlso considered, and no better: 9.\n")


def test_why_of_a_whole_order(works: Works, decided: TaskResult, capsys: pytest.CaptureFixture[str]) -> None:
    """Its tasks one after the other; a list in JSON."""
    number = decided.title.rpartition(": ")[2]
    status, out, err = run(works, capsys, "--order", number)
    assert (0, "", run(works, capsys, str(decided.task_id))[1]) == (status, err, out)
    envelope = json.loads(run(works, capsys, "--order", number, "--json")[1])
    assert [decided.task_id] == [row["task_id"] for row in envelope["data"]]
    works.assign(plain := order([("Резчик", 60)]))
    expected = run(works, capsys, "--order", plain.number)
    for spelling in (plain.number.lower(), "{" + plain.id.upper() + "}", plain.id.replace("-", "")):
        assert expected == run(works, capsys, "--order", spelling)
    assert expected[0] == 0
    works.assign(order([("Резчик", 60)], id="a", number="2"))
    works.assign(order([("Резчик", 60)], id="b", number="2"))
    for words, reason in [
        (["--order", "2"], "several orders have the number 2: a, b. Give the identifier of one of them."),
        (["--order", "7"], "no order 7 was sent with this data folder"),
        ([], "give the number of a task, or --order NUMBER"),
        (["1", "--order", "7"], "give the number of a task, or --order NUMBER"),
    ]:
        status, out, err = run(works, capsys, *words)
        assert (2, "", True) == (status, out, err.startswith(reason)), err
