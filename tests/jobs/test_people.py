"""People as they are: their rate, hours, schedules and positions in plans, loads, reasons and doctor's findings."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.assignment.staffing import own_calendars, working_hours
from b24tools.cli import app
from b24tools.jobs import load, why
from b24tools.render.load import data as load_data
from b24tools.render.why import data as why_data
from b24tools.sandbox import demo_company, server
from b24tools.scheduling.people_file import PeopleFile, parse
from b24tools.store import read_store
from tests.support.doctor import examine, found, make_well
from tests.support.orders import MOSCOW, Clock, Works, order, rules

HOUR = 3600


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of that November in Moscow; Monday is the 23rd."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def shop(works: Works, *names: str, position: str = "Резчик") -> list[int]:
    """A position with these new people; the ids."""
    home = works.portal.add_department(position, parent=4).id
    return [works.portal.add_user("Иван", name, departments=[home]).id for name in names]


def said(**values: Any) -> PeopleFile:
    """A people.json."""
    return parse(json.dumps(values).encode(), "people.json")


def given(works: Works, minutes: float = 60, position: str = "Резчик", number: str = "1", **changes: Any) -> Any:
    """The task of an order of one line, sent."""
    return works.assign(order([(position, minutes)], id=number, number=number), **changes)[0].tasks[-1]


def slot(task: Any) -> tuple[Any, ...]:
    """Who does it from when to when, and what the portal has for an estimate."""
    return task.responsible and task.responsible[1], task.start, task.end, task.estimate_s


def test_a_slow_persons_work_takes_longer(works: Works) -> None:
    """The estimate stays 1C's; somebody faster gets it although his gap comes later."""
    slow, fast = shop(works, "Медленный", "Быстрый")
    works.people = said(people={slow: {"rate": 0.5}, fast: {"rate": 1.6}})
    works.portal.add_task("А", responsible=fast, creator=1, time_estimate=4 * HOUR)  # 2 h 30 min at this rate
    assert ("Иван Быстрый", at(23, 11, 30), at(23, 12, 45), 2 * HOUR) == slot(given(works, 120))
    assert ("Иван Медленный", at(23, 9), at(23, 11), HOUR) == slot(given(works, 60, number="2"))
    assert [4 * HOUR, 2 * HOUR, HOUR] == [task.time_estimate for task in works.portal.tasks][-3:]


def test_what_is_left_of_a_slow_persons_work_is_longer(works: Works) -> None:
    """Of four hours one was worked on, which was half an hour's work: seven are left. Of the slot it is four by now."""
    (cutter,) = shop(works, "Первый")
    slot_of_two_hours = given(works, 120)
    works.portal.add_task("А", responsible=cutter, creator=1, time_estimate=4 * HOUR, time_spent=HOUR)
    works.people = said(people={cutter: {"rate": 0.5}})
    assert at(23, 11) == slot_of_two_hours.end
    assert ("Иван Первый", at(24, 12), at(24, 15), HOUR) == slot(given(works, 60, number="2"))


def test_a_slow_person_has_done_less_of_begun_work(works: Works) -> None:
    """Nobody notes time: two of its four hours are over, so two are left."""
    (cutter,) = shop(works, "Первый")
    works.people = said(people={cutter: {"rate": 0.5}})
    task = given(works, 120)
    works.clock.now = at(23, 9)
    works.portal.act("tasks.task.start", {"taskId": task.task_id}, user_id=cutter)
    works.clock.now = at(23, 11)
    assert ("Иван Первый", at(23, 14), at(23, 16), HOUR) == slot(given(works, 60, number="2"))


def test_new_minutes_of_a_slow_persons_task_move_its_end(works: Works) -> None:
    """Three hours of 1C's are six."""
    (cutter,) = shop(works, "Первый")
    works.people = said(people={cutter: {"rate": 0.5}})
    assert at(23, 11) == given(works, 60).end
    assert ("Иван Первый", at(23, 9), at(23, 16), 3 * HOUR) == slot(given(works, 180))


def test_fewer_hours_a_week_shorten_each_day(works: Works) -> None:
    """Thirty of forty are six hours a day, from nine to four; more than forty change nothing."""
    one, two = shop(works, "Первый", "Второй")
    works.people = said(people={one: {"hours_a_week": 30}, two: {"hours_a_week": 60, "never": ["Резчик"]}})
    assert ("Иван Первый", at(23, 9), at(24, 12), 9 * HOUR) == slot(given(works, 540))
    with works.tools(dry_run=True) as tools:
        result = load.load(tools, rules(people=works.people), "Резчик")
    ((first, second),) = (group.people for group in result.groups)  # the fullest first
    assert [6 * HOUR, 8 * HOUR] == [person.days[0].work_s for person in (first, second)]
    (row,) = [row for row in load_data(result, MOSCOW) if row["id"] == one]
    assert ({"hours_a_week": 30.0}, 9 * HOUR) == (row["terms"], row["open_s"])


def test_a_schedule_of_ones_own(works: Works) -> None:
    """A person's counts before the department's, a near department's before one above; days off are the schedule's."""
    first, second, third = shop(works, "Первый", "Второй", "Третий")
    works.portal.add_schedule(9, 18, break_s=HOUR)
    works.portal.add_schedule(14, 22, id=2, break_s=0, days_off=[date(2026, 11, 23)])
    works.portal.add_schedule(6, 12, id=3, break_s=0)
    works.people = said(people={first: {"schedule": 3}}, departments={"резчик": {"schedule": 2}})
    pins = {"Резчик": second}
    assert ("Иван Второй", at(24, 14), at(24, 16), 2 * HOUR) == slot(given(works, 120, pins=pins))
    assert ("Иван Первый", at(23, 7), at(23, 9), 2 * HOUR) == slot(given(works, 120, number="2"))
    works.people = said(departments={str(works.portal.users[third].departments[0]): {"schedule": 3}})
    assert ("Иван Третий", at(23, 7), at(23, 9), 2 * HOUR) == slot(
        given(works, 120, number="3", pins={"Резчик": third})
    )
    works.people = PeopleFile()
    after = ("Иван Третий", at(23, 11), at(23, 12), HOUR)  # what was planned from seven on is done from nine
    assert after == slot(given(works, 60, number="4", pins={"Резчик": third}))


def test_only_who_works_otherwise_has_hours_of_ones_own(works: Works) -> None:
    """By that planning knows whether all work alike, and which work can surely not be done in time."""
    first, second = shop(works, "Первый", "Второй")
    works.people = said(people={first: {"rate": 0.5}, second: {"hours_a_week": 30}})
    terms = rules(people=works.people)
    with works.tools() as tools:
        company = tools.directory.company(with_files=False)
        calendar, _warnings = working_hours(company, terms)
        own = own_calendars(company.staff.people.values(), company, terms, calendar)
    assert {second: calendar.limited_to(30 * HOUR)} == own


def test_a_schedule_of_ones_own_with_long_days_is_doubted(works: Works) -> None:
    """The person is named; with fewer hours a week the days are not as long."""
    first, second, _third = shop(works, "Первый", "Второй", "Третий")
    works.portal.add_schedule(6, 20, id=2, break_s=0)
    works.people = said(people={first: {"schedule": 2}, second: {"schedule": 2, "hours_a_week": 40}})
    result = works.assign(order([("Резчик", 60)]))[0]
    assert ("Иван Первый: the work schedule gives 14.0 hours of work a day: look at its shifts and breaks",) == (
        result.warnings
    )


def test_a_schedule_that_is_not_there_is_said(works: Works) -> None:
    """So is a department; the hours of all others count."""
    (cutter,) = shop(works, "Первый")
    works.people = said(people={cutter: {"schedule": 9}}, departments={"Склад": {"schedule": 9}})
    result = works.assign(order([("Резчик", 60)]))[0]
    assert at(23, 9) == result.tasks[0].start
    assert [
        "people.json: schedule 9 is not on the portal, or has no hours: the usual hours count",
        'people.json: the portal has no department "Склад"',
    ] == [text for text in result.warnings if "people.json" in text]


def test_people_and_positions_that_are_not_there_are_said(works: Works) -> None:
    """A misspelt position takes a person out of planning: every command that plans says so, with the nearest name."""
    (cutter,) = shop(works, "Первый")
    terms = {cutter: {"only": ["Резчик", "Свращик", "Фрезеровщик"]}, 999: {"never": ["Резчик"]}, 998: {"rate": 2}}
    works.people = said(people=terms, positions={"Фрезеровщик": "Сварщик", "Паяльщик": "Сворщик"})
    expected = [
        'people.json: "only" of Иван Первый has "Свращик", which is no position (the nearest name is "Сварщик")',
        "people.json: no active person of the production has the id 999",
        "people.json: no active person of the production has the id 998",
    ]
    expected.insert(0, 'people.json: the portal has no department "Сворщик" (the nearest name is "Сварщик")')
    result = works.assign(order([("Резчик", 60)]))[0]
    assert expected == [text for text in result.warnings if "people.json" in text]
    with works.tools(dry_run=True) as tools:
        result = load.load(tools, rules(people=works.people, fallback_user=999, pins={"Резчик": 998}), "Резчик")
    assert expected[:2] == [text for text in result.warnings if "people.json" in text]


def test_a_changed_file_is_seen_at_once_and_costs_nothing_later(works: Works) -> None:
    """What was cached is read again only where a schedule is missing."""
    (cutter,) = shop(works, "Первый")
    works.portal.add_schedule(6, 12, id=3, break_s=0)

    def requests(number: str) -> int:
        before = len(works.portal.log)
        given(works, 60, number=number)
        return len(works.portal.log) - before

    requests("1")
    warm = requests("2")
    works.people = said(people={cutter: {"schedule": 3}})
    assert warm + 1 == requests("3")
    assert warm == requests("4")
    assert [at(23, 7).timestamp(), at(23, 8).timestamp()] == [task.start_plan for task in works.portal.tasks][-2:]


def test_only_and_never(works: Works) -> None:
    """Whoever may not is no candidate; with nobody left the line fails, or goes to the fallback user. --to may all."""
    first, second = shop(works, "Первый", "Второй")
    works.people = said(people={first: {"never": ["Резчик"]}})
    task = given(works)
    assert "Иван Второй" == slot(task)[0]
    with closing(read_store(works.folder / "b24tools.db", dry_run=True)) as opened:
        told = why_data(why.explain(opened, task.task_id, works.folder), MOSCOW)
    assert "People.json gives no such work to Иван Первый." in told["explanation"].splitlines()
    works.people = said(people={first: {"never": ["Резчик"]}, second: {"only": ["Маляр"]}})
    failed = given(works, number="2")
    text = 'people.json gives "Резчик" to none of its people: Иван Первый, Иван Второй'
    assert text == str(failed.error)
    assert "Иван Первый" == slot(given(works, number="2", fallback_user=first))[0]
    assert "Иван Второй" == slot(given(works, number="3", pins={"Резчик": second}))[0]


def test_a_position_of_another_name(works: Works) -> None:
    """It means the department, and has its place in the route."""
    shop(works, "Первый")
    works.people = said(positions={"Резчик 4 разряда": "Резчик"})
    lines = [("резчик  4 разряда", 60), ("Сварщик", 60)]
    tasks = works.assign(order(lines), route=("Резчик", "Сварщик"))[0].tasks
    assert ("Иван Первый", at(23, 9), at(23, 10), HOUR) == slot(tasks[0])
    assert at(23, 10) == tasks[1].start
    works.people = said(positions={"Шлифовщик": "Шлифовка"})
    error = given(works, position="Шлифовщик").error
    assert (
        'people.json says that "Шлифовщик" means the department "Шлифовка", which is not under "Производство"',
        "Correct people.json, or set B24_FALLBACK_USER to the id of who gets such work.",
    ) == (error.message, error.hint)


def test_why_says_how_people_work(works: Works) -> None:
    """Beside what kept them."""
    slow, _fast = shop(works, "Медленный", "Быстрый")
    works.people = said(people={slow: {"rate": 0.5, "hours_a_week": 30, "schedule": 1, "never": ["Маляр"]}})
    task = given(works)
    with closing(read_store(works.folder / "b24tools.db", dry_run=True)) as opened:
        told = why_data(why.explain(opened, task.task_id, works.folder), MOSCOW)
    notes = {candidate["name"]: candidate["note"] for candidate in told["candidates"]}
    assert "chosen" == notes["Иван Быстрый"]
    assert "rate 0.5; 30 h a week; schedule 1; never Маляр" == notes["Иван Медленный"]


def test_a_norm_stretches_plans_and_what_is_left(works: Works) -> None:
    """TIME_ESTIMATE stays 1C's; a norm of half never goes below a step."""
    shop(works, "Первый")
    norms = {"резчик": Fraction(3, 2)}
    task = given(works, 120, norms=norms)
    assert ("Иван Первый", at(23, 9), at(23, 12), 2 * HOUR) == slot(task)
    assert ("Иван Первый", at(23, 9), at(23, 16), 4 * HOUR) == slot(given(works, 240, norms=norms))
    short = given(works, 5, number="2", norms={"резчик": Fraction(1, 2)})
    assert ("Иван Первый", at(23, 16), at(23, 16, 5), 300) == slot(short)
    works.clock.now = at(24, 9)  # nothing was done: six hours and seven and a half minutes are still to do
    assert at(24, 16, 10) == given(works, 60, number="3", norms=norms).start
    with closing(read_store(works.folder / "b24tools.db", dry_run=True)) as opened:
        told = why_data(why.explain(opened, task.task_id, works.folder), MOSCOW)
    assert "By the norm of the position it takes 3 h, where 1C gives 2 h." in told["explanation"].splitlines()


@pytest.fixture
def well(works: Works) -> Works:
    """A plant where nothing is to be fixed."""
    make_well(works)
    return works


def test_doctor_looks_at_the_file(well: Works) -> None:
    """People who are gone, schedules without hours, names that mean nothing."""
    (cutter,) = shop(well, "Первый")
    well.portal.add_schedule(6, 12, id=3, break_s=0)
    good = said(people={cutter: {"rate": 0.5, "schedule": 3, "only": ["Резчик"]}}, positions={"Шлифовщик": "Резчик"})
    checks = examine(well, people=good)
    assert (
        f"1 person works in a way of their own; another rate: Иван Первый (#{cutter})"
        == found(checks, "people_file").detail
    )
    assert "Mon-Fri 06:00-12:00" == found(checks, "people_hours schedule 3").detail
    assert {"ok"} == {found(checks, name).status for name in ("people_file", "people_hours schedule 3", "people_names")}
    bad = said(
        people={999: {"schedule": 9, "never": ["Резчиг"]}},
        positions={"Шлифовщик": "Шлифовка"},
        departments={"Склад №7": {"schedule": 3}},
    )
    checks = examine(well, people=bad)
    assert ("warn", "user 999 does not exist") == (
        found(checks, "people_file").status,
        found(checks, "people_file").detail,
    )
    assert "warn" == found(checks, "people_hours schedule 9").status
    names = found(checks, "people_names").detail
    assert "warn" == found(checks, "people_names").status
    assert all(f"“{name}”" in names for name in ("Резчиг", "Шлифовка", "Склад №7"))
    assert "“Резчиг” (“Резчик”?)" in names


def test_doctor_names_the_file_where_it_leaves_a_position_without_people(well: Works) -> None:
    """The department is not to be renamed: what the file says of it is wrong."""
    (cutter,) = shop(well, "Первый")
    file = said(people={cutter: {"never": ["Резчик"]}}, positions={"Шлифовщик": "Сварщики"})
    checks = examine(well, people=file, route="Резчик, Шлифовщик")
    assert [
        ("people.json gives this work to none of its people: Иван Первый", "Correct people.json"),
        (
            'people.json names the department “Сварщики”, which is not in Производство (the nearest name is "Сварщик")',
            "Correct people.json",
        ),
    ] == [
        (check.detail, check.fix.partition(", or")[0])
        for check in (found(checks, f"position {name}") for name in ("Резчик", "Шлифовщик"))
    ]


def test_the_file_in_the_data_folder_counts_for_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Schedules are read, names are matched; what cannot be read stops all but doctor, which reports it."""
    clock = Clock()
    portal = demo_company.build(clock)
    portal.add_schedule(6, 12, id=3, break_s=0)
    home = portal.add_department("Резчик", parent=4)
    cutter = portal.add_user("Иван", "Первый", departments=[home.id]).id
    monkeypatch.setattr(context, "now", clock)
    monkeypatch.setenv("B24_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url("https://portal.example"))
    opened = context.Session
    monkeypatch.setattr(context, "Session", lambda *given, **more: opened(*given, server.transport(portal), **more))

    def run(*words: str) -> tuple[int, Any]:
        status = app.main([*words, "--json"])
        return status, json.loads(capsys.readouterr().out)

    file = tmp_path / "people.json"
    values = {"people": {str(cutter): {"schedule": 3, "rate": 0.5}}, "positions": {"Резчик 4 разряда": "Резчик"}}
    file.write_text(json.dumps(values), encoding="utf-8")
    lines = [{"Должность": "резчик 4 разряда", "Время": 60}]
    sent = {"ИдентификаторЗаказа": "a", "НомерЗаказа": "1", "Калькуляция": lines}
    (tmp_path / "order.json").write_text(json.dumps(sent), encoding="utf-8")
    status, told = run("assign", str(tmp_path / "order.json"))
    (task,) = told["data"][0]["tasks"]
    assert (0, "2026-11-23T07:00:00+03:00", "2026-11-23T09:00:00+03:00") == (status, task["start"], task["end"])
    status, told = run("load", "Резчик")
    assert (0, {"rate": 0.5, "schedule": 3}) == (status, told["data"][0]["terms"])
    assert told["data"][0]["days"]["2026-11-23"] == 2 * HOUR
    file.write_text('{"people": {"1": {"rate": "half"}}}', encoding="utf-8")
    for words in (("assign", str(tmp_path / "order.json")), ("load",), ("norms",)):
        status, told = run(*words)
        assert (2, True) == (status, f"{file}, line 1: people.1.rate = " in told["error"]["message"])
    status, told = run("doctor")
    assert [f"{file}, line 1"] == [
        check["detail"].partition(": ")[0] for check in told["data"] if check["check"] == "setting people.json"
    ]
