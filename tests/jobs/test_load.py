"""`load`: who has how much to do, as `assign` sees it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from shutil import rmtree
from typing import Any

import pytest
from rich.console import Console

from b24tools import context
from b24tools.cli import app
from b24tools.core import errors, i18n
from b24tools.core.models import Department
from b24tools.jobs import load
from b24tools.render.console import Screen
from b24tools.render.load import print_load
from b24tools.render.load_page import Filters, to_html
from b24tools.render.page_parts import View
from b24tools.sandbox import demo_company, server
from b24tools.sandbox.state import Portal
from b24tools.scheduling.lane import DayLoad, PersonLoad
from tests.support.orders import MOSCOW, Clock, Works, order, rules

HOUR = 3600
URL = "https://portal.example"


def at(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of that November in Moscow; Monday is the 23rd."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


def found(works: Works, department: str | None = None, **changes: Any) -> load.Load:
    """One run of the job."""
    with works.tools(dry_run=True) as tools:
        return load.load(tools, rules(**changes), department)


def person(works: Works, last_name: str, position: str = "Резчик") -> int:
    """A new person of a new position; the id."""
    known = [department for department in works.portal.departments.values() if department.name == position]
    home = known[0] if known else works.portal.add_department(position, parent=4)
    return works.portal.add_user("Иван", last_name, departments=[home.id]).id


def full(*busy: float) -> tuple[DayLoad, ...]:
    """Two weeks from Monday the 23rd with so many busy hours; 28 and 29, then 5 and 6 are days off."""
    days = [date(2026, 11, 23) + timedelta(days=n) for n in range(load.WEEKS * 7)]
    hours = [*busy, *[0.0] * (load.WEEKS * 7 - len(busy))]
    return tuple(
        DayLoad(day, round(hour * HOUR), 0 if day.weekday() > 4 else 8 * HOUR)
        for day, hour in zip(days, hours, strict=True)
    )


def test_who_belongs_to_two_departments_is_counted_in_one_and_it_is_said(
    works: Works, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other one, asked for alone, has the person, too: the sums of both lists are no contradiction."""
    id_ = person(works, "Первый")
    other = works.portal.add_department("Гибка", parent=4)
    works.portal.users[id_].departments = (*works.portal.users[id_].departments, other.id)
    text = 'Иван Первый is counted in "{}" and belongs to "{}", too'
    assert text.format("Резчик", "Гибка") in found(works).remarks
    result = found(works, "Гибка")
    assert ([id_], (text.format("Гибка", "Резчик"),)) == ([who.id for who in result.groups[0].people], result.remarks)
    print_load(result, MOSCOW, URL, works.clock.now)
    assert text.format("Гибка", "Резчик") == capsys.readouterr().out.splitlines()[-1]


def test_a_persons_days_hold_slots_and_loose_work(works: Works) -> None:
    """Nine hours without a plan from now, a slot of ours on Wednesday; free after the first."""
    cutter = person(works, "Первый")
    works.portal.add_task("А", responsible=cutter, creator=1, time_estimate=9 * HOUR)
    slot = {"xml_id": "1c:x:y", "creator": 1, "start_plan": at(25, 10), "end_plan": at(25, 12)}
    works.portal.add_task("Б", responsible=cutter, time_estimate=2 * HOUR, **slot)
    (group,) = found(works, "Резчик").groups
    assert ("Резчик", (PersonLoad(cutter, "Иван Первый", 11 * HOUR, at(24, 10), (), full(8, 1, 2)),)) == (
        group.department.name,
        group.people,
    )


def test_who_was_dismissed_since_the_people_were_cached_is_left_out(works: Works) -> None:
    """The portal is asked about them each time."""
    _one, two = person(works, "Первый"), person(works, "Второй")
    found(works, "Резчик")
    works.portal.users[two].active = False
    assert ["Иван Первый"] == [member.name for group in found(works, "Резчик").groups for member in group.people]


@pytest.mark.long
def test_more_people_than_one_command_can_name_are_all_read(works: Works) -> None:
    """PHP takes a thousand values, so the tasks of a thousand people are asked for in two turns."""
    shop = works.portal.add_department("Резчик", parent=4)
    people = [works.portal.add_user("Иван", "Первый", departments=[shop.id]).id for _n in range(1000)]
    for cutter in (people[0], people[-1]):
        works.portal.add_task("А", responsible=cutter, creator=1, time_estimate=HOUR)
    (group,) = found(works, "Резчик").groups
    assert [HOUR, HOUR, *[0] * 998] == [member.open_s for member in group.people]


def test_away_is_no_working_time(works: Works) -> None:
    """Back on Wednesday; work waits until then."""
    cutter = person(works, "Первый")
    works.portal.add_absence(cutter, at(23), at(24))
    works.portal.add_task("А", responsible=cutter, creator=1, time_estimate=2 * HOUR)
    ((one_load,),) = (group.people for group in found(works, "Резчик").groups)
    days = list(full(0, 0, 2))
    days[:2] = [DayLoad(day.day, 0, 0) for day in days[:2]]
    assert (at(25, 11), tuple(days), ((at(23), at(25)),)) == (one_load.free, one_load.days, one_load.absences)


def test_of_today_only_the_rest_counts(works: Works) -> None:
    """At four in the afternoon two hours are left."""
    person(works, "Первый")
    works.clock.now = at(23, 16)
    ((one_load,),) = (group.people for group in found(works, "Резчик").groups)
    assert (DayLoad(date(2026, 11, 23), 0, 2 * HOUR), at(23, 16)) == (one_load.days[0], one_load.free)


def test_an_empty_date_of_another_program_in_a_plan_stops_nothing(works: Works) -> None:
    """What begins in the year 1, as 1C's empty date does, has no beginning."""
    person(works, "Первый")
    (made,) = works.assign(order([("Резчик", 60)]))
    task = works.portal.tasks[made.tasks[0].task_id or 0]
    task.start_plan, task.end_plan = (int(one.timestamp()) for one in (datetime(1, 1, 1, 12, tzinfo=UTC), at(26)))

    assert "created" == works.assign(order([("Резчик", 60)], id="second", number="2"))[0].outcome
    ((one_load,),) = (group.people for group in found(works, "Резчик").groups)
    assert (full(2), 2 * HOUR) == (one_load.days, one_load.open_s)


def test_load_and_assign_agree(works: Works) -> None:
    """The first free moment is when the next order would start; what was assigned is in the bars."""
    person(works, "Первый")
    works.assign(order([("Резчик", 600)]))
    ((one_load,),) = (group.people for group in found(works, "Резчик").groups)
    assert (full(8, 2), 10 * HOUR) == (one_load.days, one_load.open_s)
    assert one_load.free == works.assign(order([("Резчик", 60)], id="2", number="2"))[0].tasks[0].start


def test_everybody_of_the_production_is_there_once(works: Works) -> None:
    """By department in the tree's order; nobody dismissed, nobody excluded, nobody of the office."""
    works.portal.users[demo_company.person(works.portal, "Исаев").id].departments.append(
        demo_company.department(works.portal, "Монтажник").id
    )
    excluded = demo_company.person(works.portal, "Козлов").id
    groups = found(works, excluded=frozenset({excluded})).groups
    names = {group.department.name: [member.name for member in group.people] for group in groups}
    assert list(names) == [
        *("Производство", "Макетчик", "Монтажник", "Поклейщик", "Печатник/плотер", "Сварщик", "Фрезеровщик")
    ]
    everybody = [name for group in names.values() for name in group]
    assert len(everybody) == len(set(everybody))
    assert ("Павел Исаев" in everybody, "Виктор Козлов" in everybody, "Наталья Громова" in everybody) == (
        True,
        False,
        False,
    )
    assert ["Фёдор Лебедев"] == [name for name in names["Сварщик"] if name != "Павел Исаев"]


def test_who_gets_no_more_work_is_listed_in_each_department_with_what_there_is_to_do(works: Works) -> None:
    """The department that is asked for need not be the first one."""
    works.assign(order([("Сварщик", 480)]))
    welder = demo_company.person(works.portal, "Исаев")
    (department,) = found(works, "Сварщик", excluded=frozenset({welder.id})).groups
    assert [8 * 3600] == [person.open_s for person in department.people if person.id == welder.id]


@pytest.mark.parametrize("name", ["сварщик ", "id"])
def test_a_department_is_named_or_numbered(works: Works, name: str) -> None:
    """With the departments below it."""
    welders = demo_company.department(works.portal, "Сварщик")
    below = works.portal.add_department("Ученики", parent=welders.id)
    works.portal.add_user("Иван", "Ученик", departments=[below.id])
    groups = found(works, str(welders.id) if name == "id" else name).groups
    assert ["Сварщик", "Ученики"] == [group.department.name for group in groups]


def test_an_unknown_department_is_told_with_the_nearest(works: Works) -> None:
    """Usage, not a failure; a new department is found although the old ones are cached."""
    with pytest.raises(errors.ConfigError) as told:
        found(works, "Сварщег")
    assert (
        'there is no department and no person "Сварщег" under "Производство"',
        'The nearest name is "Сварщик".',
    ) == (
        told.value.message,
        told.value.hint,
    )
    person(works, "Первый")
    assert ["Резчик"] == [group.department.name for group in found(works, "Резчик").groups]


@pytest.mark.parametrize("name", ["Лебедов", "Лебедов Федор", "Федор Лебедов"])
def test_a_misspelt_person_is_refused_with_the_nearest_name(works: Works, name: str) -> None:
    """Whether or not the first name stands there."""
    with pytest.raises(errors.ConfigError) as told:
        found(works, name)
    assert 'The nearest name is "Фёдор Лебедев"' == told.value.hint.partition(";")[0].rstrip(".")


def test_the_fullest_comes_first(works: Works) -> None:
    """By the share of the days that is taken; or by name."""
    first, second = person(works, "Арбузов"), person(works, "Яблоков")
    works.portal.add_task("А", responsible=second, creator=1, time_estimate=20 * HOUR)
    works.portal.add_task("А", responsible=first, creator=1, time_estimate=4 * HOUR)
    (group,) = found(works, "Резчик").groups
    assert [("Иван Яблоков", 0.25), ("Иван Арбузов", 0.05)] == [(member.name, member.share) for member in group.people]
    assert 0.15 == group.share
    with works.tools(dry_run=True) as tools:
        (group,) = load.load(tools, rules(), "Резчик", weeks=4, by_name=True).groups
    assert [("Иван Арбузов", 28), ("Иван Яблоков", 28)] == [(member.name, len(member.days)) for member in group.people]


def test_of_one_person_the_tasks_are_listed_as_they_will_be_done(works: Works) -> None:
    """By surname, name or id; what is overdue comes first."""
    id_ = person(works, "Первый")
    works.portal.add_task("Чужая", responsible=id_, creator=1, time_estimate=2 * HOUR)
    (task,) = works.assign(order([("Резчик", 240)]))[0].tasks
    works.clock.now = at(24, 8)
    expected = (
        load.LoadTask(task.task_id or 0, "Резчик: 1Ц-00000100", at(24, 9), at(24, 13), 4 * HOUR),
        load.LoadTask((task.task_id or 0) - 1, "Чужая", at(24, 14), at(24, 16), 2 * HOUR),
    )
    for name in ("первый", "Иван Первый", "Первый И.", str(id_)):
        assert expected == found(works, name).tasks
    assert found(works, "Резчик").tasks is None
    person(works, "Первый")
    rmtree(works.folder / "cache")
    with pytest.raises(errors.ConfigError, match=rf'several people are called "Первый": Иван Первый \(#{id_}\), Иван'):
        found(works, "Первый")


def test_it_writes_nothing_and_takes_two_requests_warm_or_one(works: Works) -> None:
    """Neither on the portal nor in the data folder's database."""
    found(works)
    works.portal.log.clear()
    found(works)
    assert (1, []) == (len(works.portal.log), works.portal.writes())
    assert not (works.folder / "b24tools.db").exists()


def test_what_is_not_known_is_said(works: Works) -> None:
    """Scopes, and an owner who sees only a part."""
    works.portal.scopes = [name for name in works.portal.scopes if name != "calendar"]
    works.portal.owner.admin = False
    assert found(works).warnings == (
        "the portal shows no working hours: planned for Mon-Fri 9-18",
        'the webhook has no scope "calendar": absences and working hours are not read',
        "the webhook's owner is not an administrator: people may be busier than they look",
    )


# on the screen

PEOPLE = load.Load(
    (
        load.Group(
            Department(9, "Сварщик", 4, None),
            (
                PersonLoad(1, "Константин-Александр Задунайский", 300 * HOUR, None, (), full(8, 8, 8, 8, 8)),
                PersonLoad(2, "Иван [i] Первый", 5400, at(23, 10, 30), ((at(26), at(28)),), full(1.5, 0, 0.5, 8, 7.9)),
                PersonLoad(3, "Ян Ли", 0, at(23, 9), ((at(24, 12), at(24, 15)), (at(29), at(30))), full()),
            ),
        ),
    ),
    ("something is not known",),
)


def drawn(**console: Any) -> list[str]:
    """The screen's lines."""
    stream = io.StringIO()
    print_load(
        PEOPLE, MOSCOW, URL, at(23, 7), Screen(Console(file=stream, color_system=None, highlight=False, **console))
    )
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_terminal_of_80_columns_holds_it() -> None:
    """Long names are folded; a sign a day, a blank between weeks."""
    lines = drawn(force_terminal=True, width=80)
    assert 80 >= max(map(len, lines))
    assert "█████.. _____.." in "\n".join(lines)
    assert "▂_▁█▇.. _____.. 26.11 - 27.11" in " ".join("\n".join(lines).split())


def test_on_a_narrow_terminal_absences_come_below() -> None:
    """A row a person, though hours have to be left out; of more weeks already at 80 columns."""
    assert [
        "Сварщик",
        "Person                      Load Free        MTWTFSS MTWTFSS",
        "────────────────────────────────────────────────────────────",
        "                                             23.11   30.11",
        "Константин-Александр         50% -           █████.. _____..",
        "Задунайский",
        "Иван [i] Первый              22% 23.11 10:30 ▂_▁█▇.. _____..",
        "Ян Ли                         0% 23.11 09:00 _____.. _____..",
        "Together                     24%",
        "Иван [i] Первый is away: 26.11 - 27.11",
        "Ян Ли is away: 24.11 12:00 - 24.11 15:00, 29.11",
        "! something is not known",
    ] == drawn(force_terminal=True, width=60)


def test_namesakes_are_told_apart_by_their_ids() -> None:
    """Though they work in different departments."""
    people = (PersonLoad(number, name, 0, at(23, 9), (), full()) for number, name in ((2, "Ян Ли"), (3, "Ян Ли")))
    groups = tuple(load.Group(Department(member.id, f"Цех {member.id}", None, None), (member,)) for member in people)
    stream = io.StringIO()
    print_load(load.Load(groups, ()), MOSCOW, URL, at(23, 7), Screen(Console(file=stream, width=200)))
    assert ["Ян Ли (#2)", "Ян Ли (#3)"] == re.findall(r"Ян Ли[^ ]* ?\S*", stream.getvalue())


def test_without_unicode_tenths_are_told() -> None:
    """For old consoles: # is a full day."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp866")
    console = Console(file=stream, color_system=None, highlight=False, width=200, force_terminal=True)
    print_load(PEOPLE, MOSCOW, URL, at(23, 7), Screen(console))
    stream.flush()
    text = stream.buffer.getvalue().decode("cp866")  # type: ignore[attr-defined]
    assert ["#####.. _____..", "2_1#9.. _____..", "_____.. _____.."] == re.findall(r"\S{5}\.\. \S{5}\.\.", text)


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    """A portal that the program reaches on Monday at seven."""
    clock = Clock()
    portal = demo_company.build(clock)
    monkeypatch.setattr(context, "now", clock)
    monkeypatch.setenv("BITRIX_WEBHOOK_URL", portal.webhook_url("https://portal.example"))
    opened = context.Session

    monkeypatch.setattr(context, "Session", lambda *given, **more: opened(*given, server.transport(portal), **more))
    yield portal


def test_the_json_of_load(portal: Portal, capsys: pytest.CaptureFixture[str]) -> None:
    """As the contract has it."""
    status = app.main(["load", "Поклейщик", "--json"])
    envelope = json.loads(capsys.readouterr().out)
    assert (0, "load", True) == (status, envelope["command"], envelope["ok"])
    sick = envelope["data"][-1]
    assert {
        "id": demo_company.person(portal, "Соколова").id,
        "name": "Ирина Соколова",
        "department": "Поклейщик",
        "open_s": 0,
        "free": "2026-12-07T09:00:00+03:00",
        "absences": [["2026-11-20T00:00:00+03:00", "2026-12-05T00:00:00+03:00"]],
        "days": {(date(2026, 11, 23) + timedelta(days=n)).isoformat(): 0 for n in range(14)},
    } == sick


def test_the_table_in_a_pipe(portal: Portal, capsys: pytest.CaptureFixture[str]) -> None:
    """Plain text, in Russian."""
    i18n.use("ru")
    status = app.main(["load", "сварщик"])
    told = capsys.readouterr()
    lines = [line.rstrip() for line in told.out.splitlines()]
    assert (0, "Каждый знак - день, начиная с сегодняшнего") == (status, told.err.partition(":")[0])
    assert lines[:3] == [
        "Сварщик",
        "Исполнитель    Работы  Занят  Свободен     ПВСЧПСВ ПВСЧПСВ  Отсутствует",
        "                                           23.11   30.11",
    ]


@pytest.mark.parametrize("name", ["foo", "Тихонова"])
def test_nobody_is_suggested_who_is_called_otherwise(works: Works, name: str) -> None:
    """Names of which half is alike, or only the ending."""
    with pytest.raises(errors.ConfigError) as told:
        found(works, name)
    assert "There are: " == told.value.hint[:11]


def test_of_who_is_away_all_the_time_no_share_is_shown(works: Works, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no time of which it could be one."""
    welder = works.assign(order())[0].tasks[0].responsible
    assert welder is not None
    works.portal.add_absence(welder[0], date(2026, 11, 23), date(2026, 12, 20))
    print_load(found(works, welder[1]), MOSCOW, URL, works.clock.now)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if welder[1] in line)
    assert " - " in line
    assert "%" not in line


def test_of_a_department_that_is_away_all_the_time_no_share_is_shown(
    works: Works, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in the table nor on the page."""
    home = works.portal.add_department("Резчик", parent=4)
    for name in ("Первый", "Второй"):
        person = works.portal.add_user("Иван", name, departments=[home.id])
        works.portal.add_absence(person.id, date(2026, 11, 23), date(2026, 12, 20))
    report = found(works, "Резчик")
    print_load(report, MOSCOW, URL, works.clock.now)
    page = to_html(report, Filters(2, "load", "", []), View("", MOSCOW, works.clock.now, "./", str, {}))
    assert "%" not in capsys.readouterr().out
    assert ["-", "-", "-"] == re.findall('<td class="figure">([^<]*)<', page)
