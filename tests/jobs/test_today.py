"""`today`: the work list of a day, off the same lanes as `load` and `orders`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest
import segno

from b24tools import context
from b24tools.cli import app
from b24tools.core import errors
from b24tools.jobs import load, today
from b24tools.jobs.today import Before, Today
from b24tools.render.load import print_load
from b24tools.render.today import data, describe_before, describe_idle, describe_work, print_today, to_csv
from b24tools.render.today_sheets import draw_qr_code, to_html
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.scheduling.people_file import PeopleFile
from b24tools.server.work_models import WorkList
from tests.support.orders import MOSCOW, Clock, Works, order, rules

HOUR = 3600
ROUTE = ("Раскрой", "Сборка")


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of that November in Moscow; Monday is the 23rd."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def read(works: Works, name: str | None = None, day: int | None = None) -> Today:
    """One run of the job."""
    with works.tools(dry_run=True) as tools:
        return today.read_today(tools, rules(route=ROUTE), name, day and date(2026, 11, day))


def listed(result: Today) -> list[tuple[str, str, str]]:
    """The pieces of work: title, from when, until when."""
    return [
        (job.task.title, f"{job.slot.start.astimezone(MOSCOW):%H:%M}", f"{job.slot.end.astimezone(MOSCOW):%H:%M}")
        for work_list in result.lists
        for job in work_list.jobs
    ]


@pytest.fixture
def people(works: Works) -> dict[str, int]:
    """A cutter and an assembler."""
    root = next(department.id for department in works.portal.departments.values() if department.name == "Производство")
    return {
        name: works.portal.add_user("Иван", name, departments=[works.portal.add_department(name, parent=root).id]).id
        for name in ROUTE
    }


def send(works: Works, *lines: tuple[str, float], number: str = "100", **changes: Any) -> list[int]:
    """Send an order of the route; the ids of its tasks."""
    sent = order(lines, number=number, id=f"11111111-2222-3333-4444-000000000{number}", **changes)
    return [task.task_id or 0 for task in works.assign(sent, route=ROUTE)[0].tasks]


def test_the_time_between_two_shifts_or_of_an_absence_parts_a_piece_of_work(
    works: Works, people: dict[str, int]
) -> None:
    """A night shift's calendar day has the end of one and the beginning of the next; a lunch break parts nothing."""
    works.portal.add_schedule(9, 18, break_s=HOUR)
    works.portal.add_schedule(22, 6, id=2, break_s=HOUR)
    works.people = PeopleFile(schedules_of={"Сборка": 2})
    works.clock.now = at(23, 21)
    works.portal.add_absence(people["Раскрой"], at(24, 14, 30), at(24, 16, 45))
    works.assign(order([("Раскрой", 345)], id="1", number="1"))
    works.assign(order([("Сборка", 240)], id="2", number="2"), order([("Сборка", 900)], id="3", number="3"))
    pieces = []
    for name in ROUTE:
        with works.tools(dry_run=True) as tools:
            day = today.read_today(tools, rules(people=works.people), name, date(2026, 11, 24))
        jobs = [job for work_list in day.lists for job in work_list.jobs]
        pieces += [(*piece, job.slot.work_s) for piece, job in zip(listed(day), jobs, strict=True)]
    assert [
        ("Раскрой: 1", "09:00", "14:30", 4.5 * HOUR),
        ("Раскрой: 1", "16:45", "18:00", 1.25 * HOUR),
        ("Сборка: 2", "00:00", "03:00", 2 * HOUR),
        ("Сборка: 3", "03:00", "06:00", 3 * HOUR),
        ("Сборка: 3", "22:00", "00:00", 2 * HOUR),
    ] == pieces


def test_a_day_lists_slots_and_other_work_around_them(works: Works, people: dict[str, int]) -> None:
    """Work that is not ours lies around a slot in two pieces; the day is cut out of what lasts longer."""
    works.portal.add_task("Чужая", responsible=people["Раскрой"], creator=1, time_estimate=4 * HOUR)
    slot = {"xml_id": "1c:x:y", "creator": 1, "start_plan": at(23, 10), "end_plan": at(23, 12)}
    works.portal.add_task("Плановая", responsible=people["Раскрой"], time_estimate=2 * HOUR, **slot)
    long = {"xml_id": "1c:x:z", "creator": 1, "start_plan": at(23, 17), "end_plan": at(24, 11)}
    works.portal.add_task("Долгая", responsible=people["Раскрой"], time_estimate=3 * HOUR, **long)
    expected = [("Чужая", "09:00", "10:00"), ("Плановая", "10:00", "12:00"), ("Чужая", "12:00", "16:00")]
    monday = read(works, "Раскрой")
    assert [*expected, ("Долгая", "17:00", "18:00")] == listed(monday)
    assert [False, True, True, False] == [job.slot.is_last for job in monday.lists[0].jobs]
    assert [HOUR, 2 * HOUR, 3 * HOUR, HOUR] == [job.slot.work_s for job in monday.lists[0].jobs]
    assert [("Долгая", "09:00", "11:00")] == listed(read(works, "Раскрой", day=24))


def test_the_list_agrees_with_the_load_of_the_day(works: Works, people: dict[str, int]) -> None:
    """A cell of `load` is the sum of the pieces, also where an operation waits for another."""
    works.portal.add_task("Чужая", responsible=people["Раскрой"], creator=1, time_estimate=5 * HOUR)
    send(works, ("Раскрой", 240), ("Сборка", 300))
    works.portal.add_task("Срочная", responsible=people["Раскрой"], creator=1, time_estimate=HOUR, deadline=at(23, 12))
    with works.tools(dry_run=True) as tools:
        loads = load.load(tools, rules(route=ROUTE), None)
    cells = {who.id: {day.day: day.busy_s for day in who.days} for group in loads.groups for who in group.people}
    for day in (23, 24, 25):
        sums = {work_list.person.id: work_list.busy_s for work_list in read(works, day=day).lists}
        assert {id_: days[date(2026, 11, day)] for id_, days in cells.items()} == sums


def test_what_was_put_outside_the_hours_is_in_the_list(
    works: Works, people: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Wholly or in part, over midnight too: it takes no working time, and is done when `load` and `orders` say."""
    first, second, third = send(works, ("Раскрой", 60), ("Раскрой", 240), ("Раскрой", 300))
    for task, start, end in (
        (first, at(23, 21), at(23, 22)),
        (second, at(23, 17), at(23, 20)),
        (third, at(23, 22), at(24, 1)),
    ):
        fields = {"START_DATE_PLAN": start.isoformat(), "END_DATE_PLAN": end.isoformat()}
        works.portal.act("tasks.task.update", {"taskId": task, "fields": fields}, user_id=1)
    spans = [("17:00", "18:00"), ("18:00", "20:00"), ("21:00", "22:00"), ("22:00", "00:00")]
    monday, tuesday = (read(works, "Раскрой", day) for day in (23, 24))
    assert [spans, [("00:00", "01:00")]] == [
        [(start, end) for _title, start, end in listed(day)] for day in (monday, tuesday)
    ]
    jobs = [job for work_list in (*monday.lists, *tuesday.lists) for job in work_list.jobs]
    ids = [second, second, first, third, third]
    assert list(zip(ids, [HOUR, 0, 0, 0, 0], [False, True, True, False, True], strict=True)) == [
        (job.task.id, job.slot.work_s, job.slot.is_last) for job in jobs
    ]
    assert ["1 h, goes on", "outside the working hours"] == [describe_work(job) for job in jobs[:2]]
    with works.tools(dry_run=True) as tools:
        cutter = load.load(tools, rules(route=ROUTE), "Раскрой").groups[0].people[0]
        one_load = load.load(tools, rules(route=ROUTE), str(cutter.id))
    assert {job.task.id: job.slot.end for job in jobs if job.slot.is_last} == {
        task.id: task.end for task in one_load.tasks or ()
    }
    assert {second: HOUR, first: 0, third: 0} == {task.id: task.left_s for task in one_load.tasks or ()}
    assert HOUR == one_load.groups[0].people[0].open_s
    print_load(one_load, MOSCOW, "https://portal.example", works.clock.now)
    assert 2 == capsys.readouterr().out.count("outside the working hours")


def test_what_comes_before_is_named_as_long_as_it_is_not_done(works: Works, people: dict[str, int]) -> None:
    """With its person and the moment when it will be done; late is what will be done after its deadline."""
    first, second = send(works, ("Раскрой", 240), ("Сборка", 60), customer="ООО «Ромашка»", wanted=at(23))
    (assembler,) = read(works, "Сборка").lists
    (job,) = assembler.jobs
    assert job.before == Before(first, "Раскрой", "Иван Раскрой", at(23, 13))
    assert (second, "ООО «Ромашка»", "Сборка", False) == (
        job.task.id,
        job.order and job.order.customer,
        job.position,
        job.is_late,
    )
    works.clock.now = at(24, 8)
    (job,) = read(works, "Сборка").lists[0].jobs
    assert (at(24, 13), True) == (job.before and job.before.end, job.is_late)
    works.portal.act("tasks.task.complete", {"taskId": first}, user_id=1)
    (job,) = read(works, "Сборка").lists[0].jobs
    assert (None, at(24, 9), True) == (job.before, job.slot.start, job.is_late)


@pytest.mark.parametrize("what", ["outside", "deferred"])
def test_what_comes_before_is_named_though_nobody_knows_when_it_is_done(
    works: Works, people: dict[str, int], what: str
) -> None:
    """Somebody outside production has it, or it was put off: nobody shall begin with what comes after it."""
    first, _second = send(works, ("Раскрой", 240), ("Сборка", 60))
    person = "Иван Раскрой"
    if what == "outside":
        office = works.portal.add_department("Контора").id
        other, person = works.portal.add_user("Анна", "Чужая", departments=[office]).id, "Анна Чужая"
        works.portal.act("tasks.task.delegate", {"taskId": first, "userId": other}, user_id=people["Раскрой"])
    else:
        works.portal.act("tasks.task.defer", {"taskId": first}, user_id=1)
    found = read(works, "Сборка")
    (job,) = found.lists[0].jobs
    assert Before(first, "Раскрой", person, None) == job.before
    assert f"Раскрой, {person}, not known when" == describe_before(job, found, MOSCOW)
    (answered,) = data(found, MOSCOW)[0]["tasks"]
    assert WorkList.model_validate(data(found, MOSCOW)[0]).tasks[0].after is not None
    assert {"task_id": first, "position": "Раскрой", "person": person, "ready": None} == answered["after"]
    works.portal.act("tasks.task.complete", {"taskId": first}, user_id=1)
    assert read(works, "Сборка").lists[0].jobs[0].before is None


def test_the_json_of_today(works: Works, people: dict[str, int]) -> None:
    """As the contract has it, and more."""
    first, second = send(works, ("Раскрой", 240), ("Сборка", 60), customer="ООО «Ромашка»")
    portal = "https://portal.example"
    assert data(read(works, "Сборка"), MOSCOW) == [
        {
            "person": {"id": people["Сборка"], "name": "Иван Сборка", "department": "Сборка"},
            "date": "2026-11-23",
            "minutes": 60,
            "of_minutes": 480,
            "absences": [],
            "tasks": [
                {
                    "task_id": second,
                    "title": "Сборка: 100",
                    "url": f"{portal}/company/personal/user/0/tasks/task/view/{second}/",
                    "order": "100",
                    "customer": "ООО «Ромашка»",
                    "position": "Сборка",
                    "start": "2026-11-23T14:00:00+03:00",
                    "end": "2026-11-23T15:00:00+03:00",
                    "minutes": 60,
                    "goes_on": False,
                    "deadline": "2026-11-23T15:00:00+03:00",
                    "late": False,
                    "after": {
                        "task_id": first,
                        "position": "Раскрой",
                        "person": "Иван Раскрой",
                        "ready": "2026-11-23T13:00:00+03:00",
                    },
                }
            ],
        }
    ]


def test_a_person_is_meant_by_name_or_id_and_a_department_with_all_below(works: Works, people: dict[str, int]) -> None:
    """As in `load`; of namesakes the ids are listed."""
    works.portal.add_user("Пётр", "Ученик", departments=[works.portal.users[people["Сборка"]].departments[0]])
    assert ["Пётр Ученик"] == [work_list.person.name for work_list in read(works, "ученик").lists]
    assert ["Иван Сборка", "Пётр Ученик"] == [work_list.person.name for work_list in read(works, "СБОРКА").lists]
    assert ["Иван Раскрой"] == [work_list.person.name for work_list in read(works, str(people["Раскрой"])).lists]
    with pytest.raises(errors.ConfigError, match='there is no department and no person "Никто"'):
        read(works, "Никто")
    works.portal.add_user("Пётр", "Ученик", departments=[works.portal.users[people["Сборка"]].departments[0]])
    works.clock.now = at(23, 16)
    with works.tools(dry_run=True) as tools:
        tools.directory.company(with_files=False, refresh=True)
        with pytest.raises(errors.ConfigError, match=r'several people are called "Ученик": Пётр Ученик \(#\d+\), Пётр'):
            today.read_today(tools, rules(), "Ученик")


def test_who_is_given_work_from_outside_sees_it(works: Works, people: dict[str, int]) -> None:
    """By B24_FALLBACK_USER, `--to`, or though never to be given any: under the own department, behind the others."""
    office = works.portal.add_department("Контора").id
    anna = works.portal.add_user("Анна", "Запасная", departments=[office]).id
    boris = works.portal.add_user("Борис", "Названный", departments=[office]).id
    works.portal.add_user("Вера", "Праздная", departments=[office])
    excluded = frozenset({people["Сборка"]})
    pins = {"Раскрой": boris, "Сборка": people["Сборка"]}
    lines = [("Кузнец", 60.0), ("Раскрой", 120.0), ("Сборка", 180.0)]
    works.assign(order(lines), fallback_user=anna, pins=pins, excluded=excluded)

    def look(name: str | None = None) -> list[tuple[str, str, int]]:
        with works.tools(dry_run=True) as tools:
            chosen = rules(fallback_user=anna, excluded=excluded)
            lists = today.read_today(tools, chosen, name).lists
            loads = load.load(tools, chosen, name, by_name=True).groups
        found = [(one.department.name, one.person.name, one.busy_s) for one in lists]
        in_load = [(group.department.name, person.name) for group in loads for person in group.people]
        assert in_load == [(department, person) for department, person, _busy_s in found]
        return found

    given = [("Контора", "Анна Запасная", HOUR), ("Контора", "Борис Названный", 2 * HOUR)]
    assembler = ("Сборка", "Иван Сборка", 3 * HOUR)
    assert [assembler, *given] == [one for one in look() if one in (assembler, *given)]
    assert given == look()[-2:]
    assert given == look("контора") == look(str(office))
    assert [given[0]] == look("Запасная") == look(f"#{anna}")
    assert [assembler] == look("Сборка") == look("Иван Сборка")
    with pytest.raises(errors.ConfigError, match='there is no department and no person "Праздная"'):
        look("Праздная")


def test_a_day_off_names_the_next_working_day(works: Works, people: dict[str, int]) -> None:
    """So does the evening; who is away is said; a day that is over is refused."""
    works.portal.add_absence(people["Раскрой"], date(2026, 11, 30), date(2026, 12, 1))
    result = read(works, "Раскрой", day=28)
    assert ((), date(2026, 12, 2), "Раскрой: no working time") == (
        result.lists[0].jobs,
        result.next_day,
        describe_idle(result.lists[0], result, MOSCOW),
    )
    away = read(works, "Раскрой", day=30)
    assert "Раскрой: away 30.11 - 01.12" == describe_idle(away.lists[0], away, MOSCOW)
    works.clock.now = at(23, 19)
    assert date(2026, 11, 24) == read(works, "Раскрой").next_day
    with pytest.raises(errors.ConfigError, match="2026-11-22 is over"):
        read(works, "Раскрой", day=22)


def test_it_writes_nothing_and_takes_one_request(works: Works, people: dict[str, int]) -> None:
    """Titles of work that is not ours come with it."""
    works.portal.add_task("Чужая", responsible=people["Раскрой"], creator=1, time_estimate=HOUR)
    send(works, ("Раскрой", 240))
    works.portal.log.clear()
    assert [("Чужая", "09:00", "10:00"), ("Раскрой: 100", "10:00", "15:00")] == listed(read(works, "Раскрой"))
    assert (1, []) == (len(works.portal.log), works.portal.writes())


# what is printed


def test_a_table_for_each_person_with_work_then_those_without(
    works: Works, people: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """In a pipe a line is a line; columns of which nothing is known are left out."""
    first, second = send(works, ("Раскрой", 600), ("Сборка", 60), customer="ООО «Ромашка»", wanted=at(23))
    cut, joint = f"Раскрой: 100 #{first}", f"Сборка: 100 #{second}"
    result = read(works)
    ours = tuple(work_list for work_list in result.lists if work_list.person.id in people.values())
    print_today(replace(result, lists=ours, warnings=("something is not known",)), MOSCOW)
    assert [
        "Monday, 23 November 2026",
        "",
        "Иван Раскрой, Раскрой: 8 h of 8 h",
        f"Time         {'Task'.ljust(len(cut))}  Customer       Work          Deadline",
        f"09:00-18:00  {cut}  ООО «Ромашка»  8 h, goes on  23.11 18:00, late",
        "",
        "Иван Сборка, Сборка: nothing planned",
        "! something is not known",
    ] == capsys.readouterr().out.splitlines()
    print_today(read(works, "Сборка", day=24), MOSCOW)
    assert capsys.readouterr().out.splitlines()[2:] == [
        "Иван Сборка, Сборка: 1 h of 8 h",
        f"Time         {'Task'.ljust(len(joint))}  Customer       Work  Deadline           After",
        f"11:00-12:00  {joint}  ООО «Ромашка»  1 h   23.11 18:00, late  Раскрой, Иван Раскрой, 24.11 11:00",
    ]


def test_the_csv_has_a_line_for_each_piece_of_work(works: Works, people: dict[str, int]) -> None:
    """For Excel; what it would take for a formula is marked."""
    _first, second = send(works, ("Раскрой", 240), ("Сборка", 60), customer="=1+1")
    assert [
        "\ufeffDate;Department;Person;Start;Finish;Minutes;Order;Customer;Position;Task;Deadline;Late;After;ID",
        "23.11.2026;Сборка;Иван Сборка;14:00;15:00;60;100;'=1+1;Сборка;Сборка: 100;23.11.2026 15:00;;"
        f"Раскрой, Иван Раскрой, 23.11 13:00;{second}",
    ] == to_csv(read(works, "Сборка"), MOSCOW).splitlines()


def test_the_paper_has_a_sheet_for_each_person_with_work(works: Works, people: dict[str, int]) -> None:
    """Names are escaped; who has nothing is listed where it is not printed; the QR code is the task's address."""
    works.portal.add_user("<i>", "Праздный", departments=works.portal.users[people["Сборка"]].departments)
    first, _second = send(works, ("Раскрой", 240), ("Сборка", 600), customer="<b>&")
    page = to_html(read(works), MOSCOW)
    sheets = page.split('<section class="sheet"')[1:]
    names = [re.search("<h2>([^<]*)</h2>", sheet) for sheet in sheets]
    with_work = [work_list.person.name for work_list in read(works).lists if work_list.jobs]
    assert with_work == [name and name[1] for name in names]
    assert "<b>" not in page
    assert "&lt;i&gt; Праздный, Сборка: nothing planned" in page.split('class="idle notice"')[1]
    url = f"https://portal.example/company/personal/user/0/tasks/task/view/{first}/"
    (sheet,) = (sheet for sheet in sheets if "<h2>Иван Раскрой</h2>" in sheet)
    code = re.search(f'<a href="{url}">(<svg.*</svg>)#{first}</a>', sheet)
    assert code and read_modules(code[1]) == encode(url)
    assert "<h2>&lt;i&gt; Праздный</h2>" in to_html(read(works, "Праздный"), MOSCOW)


def encode(url: str) -> list[list[int]]:
    """The modules of an address, as the library has them."""
    return [list(row) for row in segno.make_qr(url, error="m", boost_error=False, mask=0).matrix]


@pytest.mark.parametrize("number", [0, 7, 10, 98765, 4096, 2**31 - 1, ""])
def test_a_code_put_together_digit_by_digit_is_that_of_the_address(number: object) -> None:
    """Of any length of the number, or without one."""
    for url in (f"https://портал.example/7/tasks/task/view/{number}/", f"https://example/tasks/{number}"):
        assert encode(url) == read_modules(draw_qr_code(url))


def read_modules(svg: str) -> list[list[int]]:
    """Read which modules of a QR code with a border of 2 are dark; nothing is drawn into the border."""
    size = int(re.findall(r'viewBox="0 0 (\d+) \1"', svg)[0])
    grid = [[0] * size for _row in range(size)]
    for x, y, runs in re.findall(r"M(\d+) (\d+)\.5((?:m\d+ 0h\d+)+)", svg):
        left = int(x)
        for light, dark in re.findall(r"m(\d+) 0h(\d+)", runs):
            start, left = left + int(light), left + int(light) + int(dark)
            grid[int(y)][start:left] = [1] * int(dark)
    inner = [row[2:-2] for row in grid[2:-2]]
    assert sum(map(sum, inner)) == sum(map(sum, grid))
    return inner


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Portal:
    """A portal that the program reaches on Saturday."""
    clock = Clock(at(28, 7))
    portal = demo_company.build(clock)
    monkeypatch.setattr(context, "now", clock)
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url("https://portal.example"))
    opened = context.Session
    monkeypatch.setattr(context, "Session", lambda *given, **more: opened(*given, server.transport(portal), **more))
    return portal


def test_the_command(portal: Portal, capsys: pytest.CaptureFixture[str]) -> None:
    """On a day off it names the next working day; the formats exclude one another; a date is a date."""
    assert 0 == app.main(["today", "Сварщик", "--json"])
    envelope = json.loads(capsys.readouterr().out)
    assert ("today", ["2026-11-28"], [[]]) == (
        envelope["command"],
        list({work_list["date"] for work_list in envelope["data"]}),
        [work_list["tasks"] for work_list in envelope["data"]][:1],
    )
    assert 0 == app.main(["today", "Сварщик"])
    said = capsys.readouterr()
    assert "Saturday, 28 November 2026" == said.out.splitlines()[0]
    assert "Saturday, 28 November 2026 has no working time left; the next working day: --date 2026-11-30\n" == said.err
    assert 0 == app.main(["today", "--date", "2026-11-30", "--format", "html"])
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert 0 == app.main(["today", "--date", "2026-11-30", "--format", "csv"])
    assert capsys.readouterr().out.startswith("\ufeffDate;")
    for wrong in (["--format", "csv", "--json"], ["--date", "31.11.2026"], ["--date", "2026-11-27"], ["Никто"]):
        assert 2 == app.main(["today", *wrong])


def test_the_seconds_of_the_clock_cost_no_working_time(works: Works, people: dict[str, int]) -> None:
    """What began at some second, or is looked at then, is done on the minute; new work begins on the next step."""
    (result,) = works.assign(order([("Раскрой", 240)], wanted=at(23)), route=ROUTE)
    task = result.tasks[0].task_id
    works.clock.now = at(23, 14).replace(second=20)
    seen = read(works, "Раскрой").lists[0].jobs[0]
    assert (at(23, 14), at(23, 18), 4 * HOUR, at(23, 18), False) == (
        seen.slot.start,
        seen.slot.end,
        seen.slot.work_s,
        seen.ready,
        seen.is_late,
    )
    works.portal.act("tasks.task.start", {"taskId": task}, user_id=people["Раскрой"])
    for hour, minute, second in ((14, 0, 40), (15, 30, 10), (15, 30, 50)):
        works.clock.now = at(23, hour, minute).replace(second=second)
        seen = read(works, "Раскрой").lists[0].jobs[0]
        assert (at(23, 18), False) == (seen.ready, seen.is_late)
        assert (at(23, hour, minute), (18 - hour) * HOUR - minute * 60) == (seen.slot.start, seen.slot.work_s)
    (result,) = works.assign(order([("Сборка", 60)], id="order-2", number="2"), route=ROUTE)
    assert at(23, 15, 35) == result.tasks[0].start
