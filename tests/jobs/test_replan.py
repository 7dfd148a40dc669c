"""Moves of unbegun work on the sandbox: what moves, what stays, and what is written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from b24tools.core import errors
from b24tools.jobs import load, orders, replan, why
from b24tools.jobs.replan import Replan, Request
from b24tools.render import replan as render_replan
from b24tools.render import why as render_why
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.records import Task
from b24tools.scheduling.people_file import PeopleFile, PersonTerms
from tests.support.orders import MOSCOW, Works, order, rules

ROUTE = ("Раскрой", "Сборка")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of November in Moscow."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


@pytest.fixture
def people(works: Works) -> dict[str, int]:
    """Two cutters and an assembler, by surname."""
    root = next(department.id for department in works.portal.departments.values() if department.name == "Производство")
    ids = {}
    for name, position in (("Первый", "Раскрой"), ("Второй", "Раскрой"), ("Третий", "Сборка")):
        known = next((row for row in works.portal.departments.values() if row.name == position), None)
        department = known or works.portal.add_department(position, parent=root)
        ids[name] = works.portal.add_user("Иван", name, departments=[department.id]).id
    return ids


def send(works: Works, number: int, *lines: tuple[str, float], **changes: Any) -> list[int]:
    """Send an order; the ids of its tasks."""
    values = {"id": f"order-{number}", "number": str(number)} | changes
    pins = values.pop("pins", {})
    result = works.assign(order(lines, **values), route=ROUTE, pins=pins)[0]
    return [task.task_id or 0 for task in result.tasks]


def run(works: Works, *, dry_run: bool = False, **request: Any) -> Replan:
    """One run of the program, without asking."""
    with works.tools(dry_run=dry_run) as tools:
        if dry_run:
            return replan.plan(tools, rules(route=ROUTE), Request(**request))
        return replan.write(tools, rules(route=ROUTE), Request(**request), None, None)


def places(works: Works) -> dict[int, tuple[str, datetime, datetime]]:
    """Whose the tasks are on the portal, and when."""
    return {
        task.id: (
            works.portal.users[task.responsible].last_name,
            datetime.fromtimestamp(task.start_plan, MOSCOW),
            datetime.fromtimestamp(task.end_plan, MOSCOW),
        )
        for task in works.portal.tasks
        if task.start_plan and task.end_plan and (task.xml_id or "").startswith("1c:")
    }


def moves(result: Replan) -> list[tuple[int, str, str]]:
    """Task, reason, outcome."""
    return [(move.task_id, move.reason, move.outcome) for move in result.moves]


def test_the_work_of_the_sick_goes_to_who_finishes_it_first(works: Works, people: dict[str, int]) -> None:
    """Inside the frozen time, too; what lies later and can be kept stays. A second run finds nothing."""
    first = send(works, 1, ("Раскрой", 240), wanted=at(24))
    second = send(works, 2, ("Раскрой", 240), wanted=at(24))
    works.clock.now = at(23, 8)
    before = places(works)
    assert {"Первый", "Второй"} == {before[first[0]][0], before[second[0]][0]}
    works.portal.add_absence(people["Первый"], date(2026, 11, 23), date(2026, 11, 25))
    ill = first if before[first[0]][0] == "Первый" else second
    result = run(works)
    assert [(ill[0], "away", "moved")] == moves(result)
    assert ("Второй", at(23, 14), at(23, 18)) == places(works)[ill[0]]
    (change,) = result.orders
    assert (at(26, 13), at(23, 18), 24 * 3600 + 13 * 3600, 0) == (
        change.finish_before,
        change.finish_after,
        change.late_before_s,
        change.late_after_s,
    )
    writes = len(works.portal.writes())
    assert [] == moves(run(works))
    assert [] == works.portal.writes()[writes:]
    sent = order([("Раскрой", 240)], id="order-1", number="1", wanted=at(24))
    assert ["unchanged"] == [again.outcome for again in works.assign(sent, route=ROUTE)]


def test_who_is_back_keeps_the_work(works: Works, people: dict[str, int]) -> None:
    """An illness of yesterday that is entered today makes it late, but somebody else would not end it sooner."""
    (task,) = send(works, 1, ("Раскрой", 1440), wanted=at(26))
    holder = works.portal.tasks[task].responsible
    works.clock.now = at(24, 15)
    works.portal.add_absence(holder, date(2026, 11, 23), date(2026, 11, 23))
    for moment in (at(24, 15), at(25, 7)):
        works.clock.now = moment
        assert [] == moves(run(works))
    assert (holder, at(23, 9)) == (works.portal.tasks[task].responsible, places(works)[task][1])


@pytest.mark.sqlite
def test_a_database_from_before_the_moves_is_noticed(works: Works, people: dict[str, int]) -> None:
    """Though no order was sent since: the next one reads where the moved task is, and says so."""
    (task,) = send(works, 1, ("Раскрой", 240))
    works.clock.now = at(23, 8)
    path = works.folder / "b24tools.db"
    backup = path.read_bytes()
    assert [(task, "without", "moved")] == moves(run(works, without=places(works)[task][0]))
    for name in ("b24tools.db-wal", "b24tools.db-shm"):
        (works.folder / name).unlink(missing_ok=True)
    path.write_bytes(backup)
    moved, writes = places(works), len(works.portal.writes())
    sent = order([("Раскрой", 240)], id="order-1", number="1")
    (result,) = works.assign(sent, route=ROUTE)
    assert ("unchanged", [True]) == (result.outcome, ["was a backup restored" in one for one in result.warnings])
    assert (moved, []) == (places(works), works.portal.writes()[writes:])


def test_what_is_written_and_noted(works: Works, people: dict[str, int]) -> None:
    """Person and both dates, the deadline where it was the plan's end; the ledger, `why` and the history know."""
    (task,) = send(works, 1, ("Раскрой", 240))
    works.clock.now = at(23, 8)
    owner = places(works)[task][0]
    result = run(works, without=owner)
    assert [(task, "without", "moved")] == moves(result)
    moved = works.portal.tasks[task]
    other = "Второй" if owner == "Первый" else "Первый"
    assert (other, at(23, 9), at(23, 13)) == places(works)[task]
    assert moved.deadline == moved.end_plan
    with works.tools() as tools:
        (row,) = tools.store.orders.lines(["order-1"]).values()
        noted = (row.responsible_id, row.start, row.end, row.deadline, row.writing_since)
        assert (people[other], at(23, 9), at(23, 13), at(23, 13), None) == noted
        last, first = tools.store.decisions.find_all(task)
        assert (people[other], people[owner]) == (last.responsible_id, first.responsible_id)
        assert ("without", people[owner]) == (last.details["cause"], last.details["from"]["id"])
        assert why.explain(tools.store, task, works.folder).now is None
        entries = tools.store.history.of_order("order-1")
        assert [("assign", "created"), ("replan", "moved")] == [(entry.command, entry.outcome) for entry in entries]


def test_a_late_order_takes_the_slot_of_one_that_can_wait(works: Works, people: dict[str, int]) -> None:
    """Beyond the frozen day only. Both are in time after that, and a second run finds nothing."""
    (today,) = send(works, 1, ("Сборка", 960), wanted=at(30))
    (patient,) = send(works, 2, ("Сборка", 480), wanted=at(30))
    works.clock.now = at(23, 8)
    (urgent,) = send(works, 3, ("Сборка", 480), wanted=at(25))
    assert (at(25, 9), at(26, 9)) == (places(works)[patient][1], places(works)[urgent][1])
    result = run(works)
    assert [(urgent, "late", "moved"), (patient, "displaced", "moved")] == moves(result)
    assert [at(23, 9), at(26, 9), at(25, 9)] == [places(works)[task][1] for task in (today, patient, urgent)]
    changes = {change.number: (change.late_before_s, change.late_after_s) for change in result.orders}
    assert {"2": (0, 0), "3": (18 * 3600, 0)} == changes
    assert [] == moves(run(works))


@pytest.mark.parametrize("day", [25, 26])
def test_what_waits_behind_a_delay_moves_though_its_slot_has_come(
    day: int, works: Works, people: dict[str, int]
) -> None:
    """Its plan lies in the frozen time or before it, but its person cannot begin by then; somebody else is free."""
    (begun,), (done,) = (send(works, number, ("Раскрой", 960), wanted=at(30)) for number in (1, 2))
    works.clock.now = at(23, 9)
    for task in (begun, done):
        works.portal.act("tasks.task.start", {"taskId": task}, user_id=works.portal.tasks[task].responsible)
    (waiting,) = send(works, 3, ("Раскрой", 480), wanted=at(27))
    if places(works)[waiting][0] == places(works)[done][0]:
        begun, done = done, begun
    free = places(works)[done][0]
    works.clock.now = at(24, 18)
    works.portal.act("tasks.task.complete", {"taskId": done}, user_id=people[free])
    works.portal.act("tasks.task.update", {"taskId": begun, "fields": {"TIME_ESTIMATE": 40 * 3600}}, user_id=1)
    noted = {"TASKID": begun, "ARFIELDS": {"SECONDS": 16 * 3600}}
    works.portal.act("task.elapseditem.add", noted, user_id=works.portal.tasks[begun].responsible)
    assert at(25, 9) == places(works)[waiting][1]
    works.clock.now = at(day, 8)
    assert [(waiting, "late", "moved")] == moves(run(works))
    assert (free, at(day, 9), at(day, 18)) == places(works)[waiting]
    assert [] == moves(run(works))
    assert [] == moves(run(works, frozen_days=0))


def test_of_what_should_have_begun_only_that_moves_which_cannot_be_begun_now(
    works: Works, people: dict[str, int]
) -> None:
    """What its person can begin within the frozen time is left to that person."""
    pins = {"Раскрой": people["Второй"]}
    (other,) = send(works, 1, ("Раскрой", 1440), pins=pins)
    first, second = (send(works, number, ("Раскрой", 240), wanted=at(23))[0] for number in (2, 3))
    third = send(works, 4, ("Раскрой", 480), wanted=at(24))[0]
    assert ["Первый"] * 3 == [places(works)[task][0] for task in (first, second, third)]
    works.portal.act("tasks.task.complete", {"taskId": other}, user_id=people["Второй"])
    works.clock.now = at(24, 8)
    assert [(third, "late", "moved")] == moves(run(works))
    assert ("Второй", at(24, 9), at(24, 18)) == places(works)[third]
    assert [("Первый", at(23, 9)), ("Первый", at(23, 14))] == [places(works)[task][:2] for task in (first, second)]
    assert [] == moves(run(works))


TOUCHED = "somebody has changed it or written about it"


@pytest.mark.parametrize(("how", "note"), [("delegate", TOUCHED), ("start", "it is begun")])
def test_of_a_late_order_it_is_said_why_what_makes_it_late_stays(
    how: str, note: str, works: Works, people: dict[str, int]
) -> None:
    """Somebody else would have it done in time."""
    (long,), (late,) = send(works, 1, ("Раскрой", 960), wanted=at(30)), send(works, 2, ("Раскрой", 480), wanted=at(24))
    works.clock.now = at(23, 8)
    first, second = (works.portal.tasks[task].responsible for task in (long, late))
    works.portal.act("tasks.task.start", {"taskId": long}, user_id=first)
    works.portal.act("tasks.task.delegate", {"taskId": late, "userId": first}, user_id=second)
    if how == "start":
        works.portal.act("tasks.task.start", {"taskId": late}, user_id=first)
    before = places(works)
    for request, reason in (({}, "late"), ({"frozen_days": 0}, "late"), ({"first": "2"}, "first")):
        result = run(works, **request)
        assert [(late, reason, "skipped", note)] == [(m.task_id, m.reason, m.outcome, m.note) for m in result.moves]
        assert ["2"] == [change.number for change in result.orders]
    assert before == places(works)


def test_it_is_said_of_what_the_frozen_time_keeps(works: Works, people: dict[str, int]) -> None:
    """Without that time it moves."""
    cuts = [send(works, number, ("Раскрой", 480), wanted=at(23))[0] for number in (1, 2, 3)]
    late = cuts[2]
    (done,) = [task for task in cuts[:2] if places(works)[task][0] != places(works)[late][0]]
    works.portal.act("tasks.task.complete", {"taskId": done}, user_id=works.portal.tasks[done].responsible)
    works.clock.now = at(23, 8)
    result = run(works, dry_run=True, frozen_days=2)
    note = "it begins within the time that --frozen keeps"
    assert [(late, "late", note)] == [(move.task_id, move.reason, move.note) for move in result.moves]
    assert [(late, "late", "planned")] == moves(run(works, dry_run=True))


def test_it_is_said_where_the_frozen_time_leaves_no_room(works: Works, people: dict[str, int]) -> None:
    """The work that comes first would take the time of what begins soon."""
    (begun,), (soon,), (last,) = (
        send(works, number, ("Сборка", minutes), wanted=wanted)
        for number, minutes, wanted in ((1, 900, at(24)), (2, 960, at(26)), (3, 960, at(30)))
    )
    works.clock.now = at(23, 9)
    works.portal.act("tasks.task.start", {"taskId": begun}, user_id=people["Третий"])
    works.clock.now = at(23, 16, 0) + timedelta(seconds=20)
    result = run(works, dry_run=True, first="3")
    note = "work that would make room for it is kept by --frozen, may not move, or moves only for what is in time then"
    assert [(last, "first", note)] == [(move.task_id, move.reason, move.note) for move in result.moves]
    result = run(works, dry_run=True, first="3", frozen_days=0)
    assert [(last, "first", "planned"), (soon, "displaced", "planned")] == moves(result)


def test_what_helps_no_order_stays(works: Works, people: dict[str, int]) -> None:
    """Somebody is free sooner, but the order is in time as it is."""
    send(works, 1, ("Сборка", 960))
    (cut,) = send(works, 2, ("Раскрой", 60), wanted=at(30))
    owner = people[places(works)[cut][0]]
    works.portal.act(
        "tasks.task.add",
        {
            "fields": {
                "TITLE": "Свое",
                "RESPONSIBLE_ID": owner,
                "CREATED_BY": owner,
                "TIME_ESTIMATE": 36000,
                "DEADLINE": at(23, 9).isoformat(),
                "END_DATE_PLAN": at(20, 18).isoformat(),
                "START_DATE_PLAN": at(20, 9).isoformat(),
            }
        },
        user_id=1,
    )
    works.clock.now = at(23, 8)
    assert [] == moves(run(works, frozen_days=0))


def test_what_waits_for_moved_work_moves_with_it(
    works: Works, people: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """At the same person, though another has time a day sooner: the order is in time."""
    works.portal.add_user("Иван", "Четвёртый", departments=works.portal.users[people["Третий"]].departments)
    cut, put_together = send(works, 1, ("Раскрой", 480), ("Сборка", 240), wanted=at(27))
    send(works, 2, ("Раскрой", 480), wanted=at(27))
    send(works, 3, ("Сборка", 480), accepted=at(25, 9), pins={"Сборка": people["Третий"]})
    works.clock.now = at(23, 8)
    cutter, deadline = places(works)[cut][0], works.portal.tasks[put_together].deadline
    assert [at(23, 9), at(24, 9)] == [places(works)[task][1] for task in (cut, put_together)]
    works.portal.add_absence(people[cutter], date(2026, 11, 23), date(2026, 11, 23))
    result = run(works)
    assert [(cut, "away", "moved"), (put_together, "follows", "moved")] == moves(result)
    assert (cutter, at(24, 9), at(24, 18)) == places(works)[cut]
    assert ("Третий", at(26, 9), at(26, 13)) == places(works)[put_together]
    assert deadline == works.portal.tasks[put_together].deadline
    assert [] == moves(run(works))
    with works.tools() as tools:
        render_why.print_why(why.explain(tools.store, put_together, works.folder), MOSCOW)
    assert [
        "A replan moved it: follows what it waits for.",
        "It stayed with Иван Третий: Иван Четвёртый would have finished it 25.11 13:00, and helped no order by that.",
        'It could not begin before 24.11 18:00, when "Раскрой" ends.',
    ] == capsys.readouterr().out.splitlines()[1:4]


def test_an_order_that_comes_first_goes_before_all_others(works: Works, people: dict[str, int]) -> None:
    """Though another one is late by that; the route is kept."""
    send(works, 1, ("Раскрой", 480), ("Сборка", 480), wanted=at(24))
    send(works, 2, ("Раскрой", 480), ("Сборка", 480), wanted=at(25))
    third = send(works, 3, ("Раскрой", 480), ("Сборка", 480), wanted=at(30))
    works.clock.now = at(23, 8)
    result = run(works, first="3", frozen_days=0)
    assert {"moved"} == {move.outcome for move in result.moves}
    cut, assembled = (places(works)[task] for task in third)
    assert (at(23, 9), at(24, 9)) == (cut[1], assembled[1])
    change = next(change for change in result.orders if change.number == "3")
    assert (at(26, 18), at(24, 18)) == (change.finish_before, change.finish_after)
    assert [] == moves(run(works, first="3", frozen_days=0))


def test_that_an_order_comes_first_for_one_run_only_is_said(works: Works, people: dict[str, int]) -> None:
    """Unless it comes before the others anyway: by its priority, or the day that it is wanted."""
    send(works, 1, ("Сборка", 960), wanted=at(27))
    (last,) = send(works, 2, ("Сборка", 960), wanted=at(30))
    works.clock.now = at(23, 8)
    warning = (
        "--first holds for this run: the next replan goes by priority and wanted date again, and may give its time to "
        "other orders. To keep order 2 first, give it a Приоритет before theirs in 1C (1 comes first) and send it "
        "again."
    )
    for request in ({"dry_run": True}, {}):
        assert (warning,) == run(works, first="2", frozen_days=0, **request).warnings
    assert at(23, 9) == places(works)[last][1]
    assert () == run(works, first="1", dry_run=True).warnings == run(works, dry_run=True).warnings
    send(works, 2, ("Сборка", 960), wanted=at(30), priority=1)
    assert () == run(works, first="2", dry_run=True).warnings


@pytest.mark.parametrize(("method", "what"), [("start", "begun"), ("defer", "changed"), ("complete", "changed")])
def test_what_is_begun_between_reading_and_writing_stays_with_what_makes_room(
    method: str, what: str, works: Works, people: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tasks are read again in the request before the moves."""
    send(works, 1, ("Сборка", 960), wanted=at(30))
    (patient,) = send(works, 2, ("Сборка", 480), wanted=at(30))
    works.clock.now = at(23, 8)
    (urgent,) = send(works, 3, ("Сборка", 480), wanted=at(25))
    write_moves = replan.replan_writes.write_moves

    def begin(*arguments: Any) -> Any:
        works.clock.now += timedelta(minutes=1)
        works.portal.act(f"tasks.task.{method}", {"taskId": patient}, user_id=people["Третий"])
        return write_moves(*arguments)

    monkeypatch.setattr(replan.replan_writes, "write_moves", begin)
    before = places(works)
    result = run(works)
    assert {(urgent, "late", "skipped"), (patient, "displaced", "skipped")} == set(moves(result))
    assert f"somebody has {what} it meanwhile" in {move.note for move in result.moves}
    assert before == places(works)
    with works.tools() as tools:
        rows = tools.store.orders.lines(["order-2", "order-3"]).values()
        assert [None, None] == [row.sent_values.get("move") for row in rows]


def test_pinned_work_stays_and_is_named(works: Works, people: dict[str, int]) -> None:
    """Somebody has said who does it."""
    (task,) = send(works, 1, ("Раскрой", 240), pins={"Раскрой": people["Первый"]})
    works.clock.now = at(23, 8)
    result = run(works, without="Первый")
    assert [(task, "without", "skipped")] == moves(result)
    assert "it was given to this person by --to or B24_FALLBACK_USER" == result.moves[0].note
    assert ["1"] == [change.number for change in result.orders]


@pytest.mark.parametrize("ended", ["done", "called_off"])
def test_what_1c_has_ended_is_given_to_nobody(works: Works, people: dict[str, int], ended: str) -> None:
    """The portal refused to close the task: the order has to be sent again."""
    (task,) = send(works, 1, ("Раскрой", 240))
    works.clock.now = at(23, 8)
    works.portal.faults.add(Fault("error", method="tasks.task.complete" if ended == "done" else "tasks.task.defer"))
    send(works, 1, ("Раскрой", 240), **{ended: True})
    before = places(works)
    result = run(works, without=before[task][0])
    assert ([(task, "without", "skipped")], before) == (moves(result), places(works))
    assert "the last write to it is not known to have been done; send the order again" == result.moves[0].note


def test_an_absence_that_the_portal_does_not_know_is_said(works: Works, people: dict[str, int]) -> None:
    """Before and after: the next run would give the work back. Loads count no more than is left to do."""
    tasks = [send(works, number, ("Сборка", 960))[0] for number in (1, 2)]
    works.clock.now = at(23, 8)
    ill = {"without": "Третий", "since": at(24), "until": at(25)}
    for result in (run(works, dry_run=True, **ill), run(works, **ill)):
        assert [
            "Bitrix24 does not know that Иван Третий is away: the next replan and new orders will count on Иван "
            "Третий again. Enter the absence in Bitrix24; b24tools plans by it."
        ] == list(result.warnings)
    assert [("Третий", at(23, 9), at(25, 18)), ("Третий", at(26, 9), at(27, 18))] == [
        places(works)[task] for task in tasks
    ]
    with works.tools(dry_run=True) as tools:
        assembler = load.load(tools, rules(route=ROUTE), "Сборка").groups[0].people[0]
    assert (32 * 3600, 32 * 3600) == (assembler.open_s, sum(day.busy_s for day in assembler.days))
    works.portal.add_absence(people["Третий"], date(2026, 11, 24), date(2026, 11, 24))
    assert () == run(works, **ill).warnings


def test_where_nobody_else_is_there_it_waits_for_the_person(works: Works, people: dict[str, int]) -> None:
    """Nothing of ours begins inside an absence; for good there is nobody."""
    (task,) = send(works, 1, ("Сборка", 240))
    works.clock.now = at(23, 8)
    assert [(task, "without", "skipped")] == moves(run(works, without="Третий"))
    works.portal.add_absence(people["Третий"], date(2026, 11, 23), date(2026, 11, 24))
    assert [(task, "away", "moved")] == moves(run(works))
    assert ("Третий", at(25, 9), at(25, 13)) == places(works)[task]


def test_an_owner_without_rights_moves_nothing(works: Works, people: dict[str, int]) -> None:
    """Even where assign may: only part of the tasks is seen."""
    send(works, 1, ("Раскрой", 240))
    works.clock.now = at(23, 8)
    for user in works.portal.users.values():
        user.admin = False
    with pytest.raises(errors.PortalDenied):
        run(works, without=places(works)[max(places(works))][0])


def test_by_hours_that_are_not_known_nothing_moves(works: Works, people: dict[str, int]) -> None:
    """The portal answered with an error where its work schedule should be."""
    send(works, 1, ("Раскрой", 240))
    works.clock.now = at(23, 8)
    shutil.rmtree(works.folder / "cache")
    works.portal.faults.add(Fault("error", method="timeman.schedule.get", description="no"))
    with pytest.raises(errors.PortalDenied, match=r"are not known \(timeman\.schedule\.get: no \(ERROR_CORE\)"):
        run(works, without="Первый")


def _begin_and_give_away(works: Works, task: Task) -> None:
    """The portal keeps when it was begun, but it is not in progress any more."""
    works.portal.act("tasks.task.start", {"taskId": task.id}, user_id=task.responsible)
    other = next(user.id for user in works.portal.users.values() if user.last_name == "Третий")
    works.portal.act("tasks.task.delegate", {"taskId": task.id, "userId": other}, user_id=task.responsible)


TOUCHES: dict[str, Callable[[Works, Task], object]] = {
    "begun": lambda works, task: works.portal.act("tasks.task.start", {"taskId": task.id}, user_id=task.responsible),
    "discussed": lambda works, task: works.portal.chat_in_task(task.id, task.responsible),
    "renamed": lambda works, task: works.portal.act(
        "tasks.task.update", {"taskId": task.id, "fields": {"TITLE": "Срочно!"}}, user_id=1
    ),
    "moved": lambda works, task: works.portal.act(
        "tasks.task.update",
        {
            "taskId": task.id,
            "fields": {"START_DATE_PLAN": at(24, 10).isoformat(), "END_DATE_PLAN": at(24, 12).isoformat()},
        },
        user_id=1,
    ),
    "in a flow": lambda works, task: works.portal.tasks.change(task, flow=5),
    "begun and given away": _begin_and_give_away,
    "with time noted": lambda works, task: works.portal.act(
        "task.elapseditem.add", {"TASKID": task.id, "ARFIELDS": {"SECONDS": 600}}, user_id=task.responsible
    ),
}
NOTES = dict.fromkeys(("begun", "begun and given away", "with time noted"), "it is begun")
NOTES |= {"in a flow": "it belongs to a flow"}


LONG = ("discussed", "renamed", "in a flow")


@pytest.mark.parametrize("what", [pytest.param(key, marks=pytest.mark.long if key in LONG else ()) for key in TOUCHES])
def test_what_people_have_touched_stays_and_is_named(what: str, works: Works, people: dict[str, int]) -> None:
    """Whatever has been done to it since it was made."""
    (task,) = send(works, 1, ("Раскрой", 240))
    works.clock.now = at(23, 8)
    TOUCHES[what](works, works.portal.tasks[task])
    owner = works.portal.tasks[task].responsible
    works.clock.now += timedelta(minutes=1)
    writes = len(works.portal.writes())
    result = run(works, without=str(owner))
    assert [] == works.portal.writes()[writes:]
    assert [] == result.planned
    assert [(task, "without", "skipped", NOTES.get(what, "somebody has changed it or written about it"))] == [
        (move.task_id, move.reason, move.outcome, move.note) for move in result.moves
    ]


@pytest.mark.long
def test_what_only_we_have_put_off_and_renewed_still_moves(works: Works, people: dict[str, int]) -> None:
    """1C cancelled the order twice, and changed its minutes when it took it back: those writes are ours."""
    (task,) = send(works, 1, ("Раскрой", 240))
    for minutes, hours, changes in ((240, 1, {"called_off": True}), (240, 2, {}), (240, 3, {"called_off": True})):
        works.clock.now += timedelta(hours=hours)
        send(works, 1, ("Раскрой", minutes), **changes)
    works.clock.now = at(23, 8)
    send(works, 1, ("Раскрой", 300))
    owner = places(works)[task][0]
    assert [(task, "without", "moved")] == moves(run(works, without=owner))
    send(works, 1, ("Раскрой", 300), called_off=True)
    works.clock.now += timedelta(minutes=10)
    works.portal.act("tasks.task.update", {"taskId": task, "fields": {"TITLE": "Срочно!"}}, user_id=1)
    works.clock.now += timedelta(minutes=10)
    send(works, 1, ("Раскрой", 300))
    owner = places(works)[task][0]
    assert [(task, "without", "skipped")] == moves(run(works, without=owner))


def commands_of_moves(works: Works) -> list[int]:
    """The tasks for which a move was sent, once for each time."""
    sent = [entry for asked in works.portal.log for entry in (asked.commands if asked.method == "batch" else [asked])]
    return [int(entry.params["taskId"]) for entry in sent if entry.method == "tasks.task.update"]


@pytest.fixture
def ill(works: Works, people: dict[str, int]) -> list[int]:
    """Three tasks of six orders, all of one cutter, who falls ill."""
    tasks = [send(works, number, ("Раскрой", 60), wanted=at(30))[0] for number in range(1, 7)]
    works.clock.now = at(23, 8)
    first = places(works)[tasks[0]][0]
    works.portal.add_absence(people[first], date(2026, 11, 23), date(2026, 11, 27))
    own = [task for task in tasks if places(works)[task][0] == first]
    assert len(own) == 3
    return own


def test_of_a_batch_that_is_refused_in_part_the_rest_moves(works: Works, ill: list[int]) -> None:
    """The one that was refused lies where it was, the ledger knows, and the next run moves it alone."""
    before = places(works)
    works.portal.faults.add(Fault("error", method="tasks.task.update", skip=1))
    result = run(works)
    assert ["failed", "moved", "moved"] == sorted(outcome for _task, _reason, outcome in moves(result))
    (failed,) = (task for task, _reason, outcome in moves(result) if outcome == "failed")
    assert {failed} == {task for task in ill if before[task] == places(works)[task]}
    assert [(failed, "away", "moved")] == moves(run(works))
    assert [] == moves(run(works))
    assert sorted([*ill, failed]) == sorted(commands_of_moves(works))


@pytest.mark.parametrize("what", ["skipped", "refused"])
def test_why_tells_of_no_move_that_was_not_made(
    works: Works, people: dict[str, int], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Where it knows of no decision: the task was taken over from another data folder, whose database is lost."""
    (task,) = send(works, 1, ("Раскрой", 240))
    works.clock.now = at(23, 8)
    with works.tools() as tools:
        tools.store.database.execute("DELETE FROM decisions")
    if what == "refused":
        works.portal.faults.add(Fault("error", method="tasks.task.update"))
    else:
        monkeypatch.setattr(replan.replan_writes, "_changed", lambda *_given: "somebody has changed it")
    outcome = "failed" if what == "refused" else what
    assert [(task, "without", outcome)] == moves(run(works, without=places(works)[task][0]))
    with works.tools() as tools, pytest.raises(errors.ConfigError, match="took it over with the person it had"):
        why.explain(tools.store, task, works.folder)


def test_what_was_refused_and_lies_well_again_is_left_in_peace(works: Works, people: dict[str, int]) -> None:
    """The other task of the order has moved, and the person is well again: no run says that nobody has time for it."""
    tasks = send(works, 1, ("Раскрой", 60), ("Раскрой", 60), ("Раскрой", 60), wanted=at(30))
    works.clock.now = at(23, 8)
    works.portal.add_absence(people[places(works)[tasks[0]][0]], date(2026, 11, 23), date(2026, 11, 27))
    works.portal.faults.add(Fault("error", method="tasks.task.update"))
    assert [(tasks[0], "away", "failed"), (tasks[2], "away", "moved")] == moves(run(works))
    works.portal.absences.clear()
    before = places(works)
    assert [] == moves(run(works, dry_run=True)) == moves(run(works))
    assert before == places(works)
    with works.tools() as tools:
        assert [None] * 3 == [row.sent_values.get("move") for row in tools.store.orders.lines(["order-1"]).values()]


def test_a_batch_that_was_cut_after_it_was_carried_out_is_not_sent_again(works: Works, ill: list[int]) -> None:
    """The next run sees by the tasks that they were moved."""
    works.portal.faults.add(Fault("cut_after", method="tasks.task.update"))
    assert {"failed"} == {outcome for _task, _reason, outcome in moves(run(works))}
    after = places(works)
    assert [] == moves(run(works))
    assert after == places(works)
    assert sorted(ill) == sorted(commands_of_moves(works))
    with works.tools() as tools:
        rows = tools.store.orders.lines(f"order-{number}" for number in range(1, 7)).values()
        assert after == {row.task_id: after[row.task_id or 0] for row in rows}
        assert {(after[row.task_id or 0][1], None, None) for row in rows} == {
            (row.start, row.writing_since, row.sent_values.get("move")) for row in rows
        }


def test_what_is_changed_by_hand_after_a_batch_that_was_cut_stays_so(works: Works, ill: list[int]) -> None:
    """One of the moved tasks was moved on by somebody before the next run: it is left there."""
    works.portal.faults.add(Fault("cut_after", method="tasks.task.update"))
    run(works)
    works.clock.now += timedelta(minutes=2)
    dates = {"START_DATE_PLAN": at(25, 10).isoformat(), "END_DATE_PLAN": at(25, 11).isoformat()}
    works.portal.act("tasks.task.update", {"taskId": ill[1], "fields": dates}, user_id=1)
    after = places(works)
    assert [] == moves(run(works))
    assert (after, (at(25, 10), at(25, 11))) == (places(works), places(works)[ill[1]][1:])


def test_the_table_shows_what_changes(works: Works, people: dict[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    """The same start and a later end."""
    (torn,) = send(works, 1, ("Сборка", 960))
    works.clock.now = at(23, 8)
    result = run(works, without="Третий", since=at(24), until=at(26))
    render_replan.print_replan(result, MOSCOW, "https://portal.example", works.clock.now)
    shown = capsys.readouterr().out
    assert "23.11 09:00; end 24.11 18:00 → 26.11 18:00  because of the absence  moved\n" in shown
    with works.tools() as tools:
        render_why.print_why(why.explain(tools.store, torn, works.folder), MOSCOW)
    assert "A replan moved it: because of the absence." in capsys.readouterr().out


def test_what_was_planned_around_an_absence_is_not_under_it_once_it_should_have_begun(
    works: Works, people: dict[str, int]
) -> None:
    """It is behind; whoever is away in the middle of it was so when it was planned."""
    works.portal.add_absence(people["Третий"], date(2026, 11, 24), date(2026, 11, 24))
    (torn,) = send(works, 1, ("Сборка", 960))
    assert ("Третий", at(23, 9), at(25, 18)) == places(works)[torn]
    works.clock.now = at(23, 11)
    assert [] == moves(run(works))
    works.portal.add_absence(people["Третий"], date(2026, 11, 25), date(2026, 11, 25))
    assert [(torn, "away", "moved")] == moves(run(works))


@pytest.mark.parametrize("request_", [{}, {"without": "Первый", "since": at(25), "until": at(28)}])
def test_what_is_pushed_behind_an_absence_goes_to_somebody_else(
    request_: dict[str, Any], works: Works, people: dict[str, int]
) -> None:
    """Its slot is before the absence, but what its person has not done yet takes that time."""
    orders = [send(works, number, ("Раскрой", 480))[0] for number in (1, 2, 3, 4)]
    mine = [task for task in orders if places(works)[task][0] == "Первый"]
    assert [at(23, 9), at(24, 9)] == [places(works)[task][1] for task in mine]
    (done,) = [task for task in orders if places(works)[task][:2] == ("Второй", at(23, 9))]
    works.portal.act("tasks.task.complete", {"taskId": done}, user_id=people["Второй"])
    works.clock.now = at(24, 8, 10)
    if not request_:
        works.portal.add_absence(people["Первый"], date(2026, 11, 25), date(2026, 11, 27))
    result = run(works, **request_)
    assert [(mine[1], "without" if request_ else "away", "moved")] == moves(result)
    assert [("Первый", at(23, 9), at(23, 18)), ("Второй", at(25, 9), at(25, 18))] == [
        places(works)[task] for task in mine
    ]
    if not request_:
        assert [] == moves(run(works))


def test_what_waits_until_its_person_is_away_goes_to_somebody_else(works: Works, people: dict[str, int]) -> None:
    """The operation before it is behind its plan."""
    assembly = next(row.id for row in works.portal.departments.values() if row.name == "Сборка")
    works.portal.add_user("Иван", "Четвёртый", departments=[assembly])
    _cut, put_together = send(works, 1, ("Раскрой", 480), ("Сборка", 240))
    assert ("Третий", at(24, 9), at(24, 13)) == places(works)[put_together]
    works.portal.add_absence(people["Третий"], date(2026, 11, 25), date(2026, 11, 27))
    works.clock.now = at(24, 8, 10)
    assert [(put_together, "away", "moved")] == moves(run(works))
    assert ("Четвёртый", at(25, 9), at(25, 13)) == places(works)[put_together]


def test_days_off_in_an_absence_push_nothing(works: Works, people: dict[str, int]) -> None:
    """Whoever is away for a weekend loses no working time."""
    _first, second = (send(works, number, ("Сборка", 480))[0] for number in (1, 2))
    third = send(works, 3, ("Сборка", 1440))[0]
    assert ("Третий", at(25, 9), at(27, 18)) == places(works)[third]
    works.portal.add_absence(people["Третий"], date(2026, 11, 28), date(2026, 11, 29))
    works.clock.now = at(24, 8, 10)
    assert ([], at(24, 9)) == (moves(run(works)), places(works)[second][1])


def test_of_a_position_without_a_department_it_is_said_so(works: Works, people: dict[str, int]) -> None:
    """Its department was renamed: its people are there, but who is meant is not known any more."""
    (task,) = send(works, 1, ("Раскрой", 240))
    works.clock.now = at(24, 8)
    next(row for row in works.portal.departments.values() if row.name == "Раскрой").name = "Заготовка"
    shutil.rmtree(works.folder / "cache")
    works.portal.add_absence(works.portal.tasks[task].responsible, date(2026, 11, 24), date(2026, 11, 27))
    (move,) = run(works).moves
    expected = task, "away", "skipped", 'there is no department "Раскрой" under "Производство"'
    assert expected == (move.task_id, move.reason, move.outcome, move.note)


def test_other_work_of_who_is_to_be_planned_without_is_named(works: Works, people: dict[str, int]) -> None:
    """What did not come from 1C is given to nobody, and neither is what is done before."""
    ill = people["Первый"]
    send(works, 1, ("Раскрой", 240), pins={"Раскрой": people["Второй"]})
    before, after = (
        works.portal.act(
            "tasks.task.add",
            {"fields": {"TITLE": title, "RESPONSIBLE_ID": ill, "TIME_ESTIMATE": 8 * 3600}},
            user_id=1,
        )["task"]["id"]
        for title in ("Замеры", "Отчёт")
    )
    works.clock.now = at(23, 8)
    (warning,) = run(works, dry_run=True, without="Первый", since=at(24), until=at(25)).warnings[1:]
    assert f"Иван Первый has other work, too, that is not of orders from 1C and stays: #{after}" == warning
    assert [] == [text for text in run(works, dry_run=True).warnings if f"#{before}" in text]


@pytest.mark.parametrize(("day", "is_named"), [(24, False), (26, True)])
def test_other_work_that_lies_behind_the_days_is_not_named(
    day: int, is_named: bool, works: Works, people: dict[str, int]
) -> None:
    """Whoever is there again then does it."""
    begins, ends = at(26, 9), at(26, 10)
    own = {"responsible": people["Третий"], "creator": 1, "time_estimate": 3600, "start_plan": begins, "end_plan": ends}
    task = works.portal.add_task("Отчёт", **own).id
    works.clock.now = at(23, 8)
    named = run(works, dry_run=True, without="Третий", since=at(day), until=at(day + 1)).warnings[1:]
    text = f"Иван Третий has other work, too, that is not of orders from 1C and stays: #{task}"
    assert [text] * is_named == [*named]


@pytest.mark.parametrize("cause", ["rate", "norm", "break", "absence"])
def test_what_takes_odd_seconds_is_planned_to_the_minute(cause: str, works: Works, people: dict[str, int]) -> None:
    """The portal cuts seconds: a plan that had some would look as if somebody had moved it, and never move again."""
    own: dict[str, Any] = {"norms": {"раскрой": Fraction(107, 100)}} if cause == "norm" else {}
    start = at(23, 10) + timedelta(seconds=10)
    away = start, start + timedelta(minutes=30, seconds=19)
    if cause == "rate":
        works.people = PeopleFile({id_: PersonTerms(rate=Fraction(7, 10)) for id_ in people.values()})
    elif cause == "break":
        works.portal.schedules[1]["SHIFTS"][0]["BREAK_DURATION"] = 3571
    elif cause == "absence":
        for id_ in people.values():
            works.portal.add_meeting(id_, *away, accessibility="absent")
    own = {"route": ROUTE} | own
    (sent,) = works.assign(order([("Раскрой", 305)], id="order-1", number="1"), **own)
    (task,) = sent.tasks
    assert task.task_id is not None
    ready = {"rate": at(23, 17, 16), "norm": at(23, 15, 27), "break": at(23, 15, 5), "absence": at(23, 15, 36)}
    assert (ready[cause], ready[cause]) == (task.end, places(works)[task.task_id][2])
    own["people"] = works.people
    with works.tools() as tools:
        (standing,) = orders.list_orders(tools, rules(**own)).orders
    assert (False, ready[cause]) == (standing.lines[0].is_moved_by_hand, standing.finish)
    works.clock.now = at(23, 8)
    works.portal.add_absence(task.responsible[0], date(2026, 11, 23), date(2026, 11, 24))  # type: ignore[index]
    with works.tools() as tools:
        result = replan.write(tools, rules(**own), Request(), None, None)
    assert [(task.task_id, "away", "moved")] == moves(result)
