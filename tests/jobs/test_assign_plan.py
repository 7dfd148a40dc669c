"""When a line of an order is done: working hours, absences, what people have to do already; and what that costs."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from b24tools.assignment.report import TaskResult
from b24tools.core import errors
from b24tools.onec import order as onec_order
from b24tools.sandbox import demo_company
from b24tools.sandbox.faults import Fault
from b24tools.sandbox.records import DEFERRED, IN_PROGRESS
from tests.support.orders import MOSCOW, Works, order


def at(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> datetime:
    """A moment of that autumn in Moscow; Monday is the 23rd."""
    return datetime(2026, month, day, hour, minute, tzinfo=MOSCOW)


def alone(works: Works, position: str = "Резчик", last_name: str = "Первый") -> int:
    """A position with one new person; the id."""
    shop = works.portal.add_department(position, parent=4)
    return works.portal.add_user("Иван", last_name, departments=[shop.id]).id


def join(works: Works, last_name: str, position: str = "Резчик") -> int:
    """One more person for a position; the id."""
    return works.portal.add_user("Иван", last_name, departments=[demo_company.department(works.portal, position).id]).id


def plan(works: Works, minutes: float = 60, position: str = "Резчик", **changes: Any) -> TaskResult:
    """What becomes of a new order of one line."""
    number = str(len(works.portal.log))
    return works.assign(order([(position, minutes)], id=number, **changes))[0].tasks[0]


def slot(task: TaskResult) -> tuple[datetime | None, datetime | None]:
    """When a line is to be done."""
    return task.start, task.end


def warnings(works: Works, **changes: Any) -> tuple[str, ...]:
    """The warnings about the whole of an order."""
    return works.assign(order(**changes))[0].warnings


# what people have to do already


def test_a_plan_of_ours_in_the_future_keeps_its_slot(works: Works) -> None:
    """Work fits into the gap before it if it is short enough, else it comes after."""
    person = alone(works)
    ours = {"xml_id": "1c:x:y", "group": 1, "creator": 1}
    works.portal.add_task(
        "Наша", responsible=person, time_estimate=3600, start_plan=at(23, 11), end_plan=at(23, 16), **ours
    )
    assert (at(23, 9), at(23, 11)) == slot(plan(works, 120))
    assert (at(23, 16), at(24, 10)) == slot(plan(works, 180))


def test_a_plan_of_others_in_the_future_counts_only_its_remaining_time(works: Works) -> None:
    """Two days in the calendar, one hour left to do: an hour from its start on."""
    person = alone(works)
    plan_of_others = {
        "start_plan": at(23, 9),
        "end_plan": at(25, 18),
        "time_estimate": 4 * 3600,
        "time_spent": 3 * 3600,
    }
    works.portal.add_task("Чужая", responsible=person, creator=1, **plan_of_others)
    assert (at(23, 10), at(23, 11)) == slot(plan(works))


@pytest.mark.parametrize("ours", ["1c:x:y", None])
def test_a_plan_that_ended_last_week_is_only_its_remaining_time_from_now(works: Works, ours: str | None) -> None:
    """Three hours of eight are left: they are worked first."""
    person = alone(works)
    ended = {"start_plan": at(16, 9), "end_plan": at(16, 18), "time_estimate": 8 * 3600, "time_spent": 5 * 3600}
    works.portal.add_task("Старая", responsible=person, creator=1, xml_id=ours, **ended)
    assert (at(23, 12), at(23, 14)) == (plan(works).start, plan(works).start)


def test_work_without_a_plan_comes_first(works: Works) -> None:
    """An hour if nobody estimated it, one step if more was spent than estimated, in whatever project."""
    person = alone(works)
    works.portal.add_task("Без оценки", responsible=person, creator=1, group=2)
    works.portal.add_task("Сверх оценки", responsible=person, creator=1, time_estimate=60, time_spent=7200)
    works.portal.add_task("Начатая", responsible=person, creator=1, time_estimate=600, status=IN_PROGRESS)
    works.portal.add_task("Отложенная", responsible=person, creator=1, time_estimate=36000, status=DEFERRED)
    assert at(23, 10, 15) == plan(works).start


def test_overdue_and_unseen_tasks_count(works: Works) -> None:
    """The portal's computed status hides them from a plain filter."""
    person = alone(works)
    works.portal.add_task("Просрочена", responsible=person, creator=2, time_estimate=3600, deadline=at(1), viewed_by=())
    assert at(23, 10) == plan(works).start


def test_all_120_open_tasks_of_a_person_count(works: Works) -> None:
    """More than two pages."""
    person = alone(works)
    for number in range(120):
        works.portal.add_task(f"Задача {number}", responsible=person, creator=1, time_estimate=1800)
    assert at(2, 14, month=12) == plan(works).start  # 60 hours: seven days of eight, and half a day


def test_whoever_finishes_first_gets_it_not_whoever_starts_first(works: Works) -> None:
    """A short gap today is no use for a long piece of work."""
    busy_later, free_later = alone(works), 0
    free_later = join(works, "Второй")
    ours = {"xml_id": "1c:x:y", "creator": 1}
    works.portal.add_task("А", responsible=busy_later, start_plan=at(23, 10), end_plan=at(25, 18), **ours)
    works.portal.add_task("Б", responsible=free_later, time_estimate=2 * 3600, creator=1)
    first, second = plan(works, 60), plan(works, 120)
    assert [busy_later, free_later] == [task.responsible[0] for task in (first, second) if task.responsible]
    assert [at(23, 9), at(23, 11)] == [first.start, second.start]


def test_of_two_who_finish_at_once_the_one_with_less_open_work_is_chosen(works: Works) -> None:
    """Far away planned work does not delay anybody, but counts."""
    loaded, idle = alone(works), 0
    idle = join(works, "Второй")
    works.portal.add_task(
        "Потом", responsible=loaded, creator=1, time_estimate=3600, start_plan=at(27, 9), end_plan=at(27, 10)
    )
    task = plan(works)
    assert (idle, at(23, 9)) == (task.responsible and task.responsible[0], task.start)


def test_then_the_one_assigned_least_recently_and_then_the_lower_id(works: Works) -> None:
    """Finished work leaves no load, only the memory of who was given some."""
    first, second = alone(works), 0
    second = join(works, "Второй")
    given = []
    for _turn in range(3):
        task = plan(works)
        assert task.responsible is not None and task.task_id is not None
        given.append(task.responsible[0])
        works.portal.act("tasks.task.complete", {"taskId": task.task_id})
        works.clock.sleep(60)
    assert [first, second, first] == given


# ДатаПриема


def test_work_does_not_begin_before_the_order_is_accepted(works: Works) -> None:
    """ДатаПриема in the future, in the night: the next morning."""
    alone(works)
    assert (at(25, 9), at(25, 10)) == slot(plan(works, accepted=at(25)))
    assert (at(26, 9), at(26, 10)) == slot(plan(works, accepted=at(25, 22)))
    assert (at(23, 9), at(23, 10)) == slot(plan(works, accepted=at(2)))


# absences


def test_people_on_vacation_work_when_they_are_back(works: Works) -> None:
    """The absence chart: whole days, the last one included."""
    person = alone(works)
    works.portal.add_absence(person, date(2026, 11, 20), date(2026, 11, 24))
    assert (at(25, 9), at(25, 10)) == slot(plan(works))


def test_an_absence_marked_in_the_calendar_counts_as_well(works: Works) -> None:
    """Whole days, and hours; a meeting is no absence."""
    person = alone(works)
    works.portal.add_days_off(person, date(2026, 11, 23), date(2026, 11, 23))
    works.portal.add_meeting(person, at(24, 9), at(24, 11), accessibility="absent")
    works.portal.add_meeting(person, at(24, 11), at(24, 18))
    assert (at(24, 11), at(24, 12)) == slot(plan(works))


def test_an_absence_in_the_middle_of_the_work_lengthens_it(works: Works) -> None:
    """Started before, finished after."""
    person = alone(works)
    works.portal.add_days_off(person, date(2026, 11, 24), date(2026, 11, 24))
    works.portal.add_absence(person, date(2026, 11, 25), date(2026, 11, 25))
    assert (at(23, 9), at(26, 11)) == slot(plan(works, 600))


def test_whoever_is_away_does_not_get_work_that_others_finish_first(works: Works) -> None:
    """The other one is busy all day, and still first."""
    away, busy = alone(works), 0
    busy = join(works, "Второй")
    works.portal.add_absence(away, date(2026, 11, 23), date(2026, 11, 24))
    works.portal.add_task("День", responsible=busy, creator=1, time_estimate=8 * 3600)
    task = plan(works)
    assert (busy, at(24, 9)) == (task.responsible and task.responsible[0], task.start)


def test_a_person_on_leave_for_the_whole_window_works_afterwards(works: Works) -> None:
    """92 days are read at first; the plan that ends beyond them looks further, once."""
    person = alone(works)
    works.portal.add_absence(person, date(2026, 11, 1), date(2027, 2, 28))
    works.portal.add_absence(person, date(2027, 3, 1), date(2027, 3, 2))
    works.assign(order([("Резчик", 60)], id="warm"), dry_run=True)
    works.portal.log.clear()
    task = plan(works)
    assert datetime(2027, 3, 3, 9, tzinfo=MOSCOW) == task.start
    asked = [call.params for entry in works.portal.log for call in entry.commands if "accessibility" in call.method]
    assert [("2026-10-15", "2027-02-24"), ("2027-02-15", "2027-04-02")] == [(ask["from"], ask["to"]) for ask in asked]


def test_absences_of_more_than_fifty_people_are_all_read(works: Works) -> None:
    """Fifty to a command: the sixtieth one is away too."""
    people = [alone(works), *(join(works, f"Номер {number}") for number in range(59))]
    for person in people[:-1]:
        works.portal.add_absence(person, date(2026, 11, 23), date(2026, 11, 23))
    works.portal.add_absence(people[-1], date(2026, 11, 23), date(2026, 11, 30))
    task = plan(works)
    assert (people[0], at(24, 9)) == (task.responsible and task.responsible[0], task.start)
    asked = [call.params for entry in works.portal.log for call in entry.commands if "accessibility" in call.method]
    assert [50, 10] == [len(ask["users"]) for ask in asked]


def test_without_the_calendars_scope_absences_are_unknown_and_that_is_said(works: Works) -> None:
    """The plan goes on."""
    person = alone(works)
    works.portal.add_absence(person, date(2026, 11, 23), date(2026, 11, 24))
    works.portal.scopes.discard("calendar")
    result = works.assign(order([("Резчик", 60)]))[0]
    assert at(23, 9) == result.tasks[0].start
    assert ('the webhook has no scope "calendar": absences and working hours are not read',) == result.warnings


def test_a_calendar_that_refuses_leaves_absences_unknown_and_that_is_said(works: Works) -> None:
    """The module may be switched off; a plan that ends in spring does not stumble over it either."""
    alone(works)
    for _again in range(2):
        works.portal.faults.add(
            Fault("error", method="calendar.accessibility.get", code="", description="off", times=9)
        )
    result = works.assign(order([("Резчик", 60 * 8 * 100)]))[0]
    assert "created" == result.outcome
    assert ("the absences are not known: calendar.accessibility.get: off",) == result.warnings


# working hours


def test_the_schedule_of_the_portal_gives_the_hours(works: Works) -> None:
    """Eight to five with a break in the middle, holidays off."""
    alone(works)
    works.portal.add_schedule(8, 17, days_off=[date(2026, 11, 24)])
    assert (at(23, 8), at(25, 10)) == slot(plan(works, 600))


def test_without_a_schedule_the_calendars_settings_give_the_hours(works: Works) -> None:
    """No such schedule, or no right to read it, is an empty answer."""
    alone(works)
    works.portal.schedules.clear()
    works.portal.calendar_settings |= {"work_time_start": "10.30", "work_time_end": "19.30"}
    result = works.assign(order([("Резчик", 60)]))[0]
    assert (at(23, 10, 30), at(23, 11, 30)) == slot(result.tasks[0])
    assert () == result.warnings


def test_a_flexible_schedule_holds_no_hours(works: Works) -> None:
    """FLEXTIME: the next source is asked."""
    alone(works)
    works.portal.add_schedule(8, 17, kind="FLEXTIME")
    assert at(23, 9) == plan(works).start


def test_without_timeman_the_calendars_settings_are_used_and_that_is_said(works: Works) -> None:
    """A missing scope is a warning, every time, not only the first."""
    alone(works)
    works.portal.scopes.discard("timeman")
    works.portal.calendar_settings |= {"work_time_start": "8"}
    told = ('the webhook has no scope "timeman": the work schedule is not read',)
    for number in ("1", "2"):
        result = works.assign(order([("Резчик", 60)], id=number, number=number))[0]
        assert told == result.warnings
    assert at(23, 9) == result.tasks[0].start


def test_without_both_the_usual_week_is_planned_and_that_is_said(works: Works) -> None:
    """Monday to Friday, nine to six."""
    alone(works)
    works.portal.scopes -= {"timeman", "calendar"}
    result = works.assign(order([("Резчик", 600)]))[0]
    assert (at(23, 9), at(24, 11)) == slot(result.tasks[0])
    assert (
        "the portal shows no working hours: planned for Mon-Fri 9-18",
        'the webhook has no scope "timeman": the work schedule is not read',
        'the webhook has no scope "calendar": absences and working hours are not read',
    ) == result.warnings


def test_two_shifts_of_a_shift_schedule_are_planned_by_the_earlier_with_a_warning(works: Works) -> None:
    """SHIFT: the portal does not say who works which."""
    alone(works)
    schedule = works.portal.add_schedule(7, 15, kind="SHIFT", break_s=0)
    schedule["SHIFTS"].append(schedule["SHIFTS"][0] | {"ID": 2, "WORK_TIME_START": 54000, "WORK_TIME_END": 82800})
    result = works.assign(order([("Резчик", 9 * 60)]))[0]
    assert (at(23, 7), at(24, 8)) == slot(result.tasks[0])
    assert ("work schedule 'Для всех': several shifts a day, planning by the earliest",) == result.warnings


def test_no_working_time_at_all_fails_the_line_with_the_mend(works: Works) -> None:
    """A schedule of no days but excluded ones cannot be; an endless leave can."""
    person = alone(works)
    works.portal.add_absence(person, date(2026, 11, 1), date(2040, 1, 1))
    result = works.assign(order([("Резчик", 60), ("Сварщик", 60)]))[0]
    assert ("partial", ["failed", "created"]) == (result.outcome, [task.outcome for task in result.tasks])
    error = result.tasks[0].error
    assert error is not None and "schedule" in error.hint


# requests


def spent(works: Works, *orders: onec_order.Order, **changes: Any) -> int:
    """How many HTTP requests a run takes."""
    before = len(works.portal.log)
    works.assign(*orders, **changes)
    return len(works.portal.log) - before


def six_lines(number: int = 1, *, files: int = 1) -> onec_order.Order:
    """An order like the sample's."""
    positions = ("Макетчик", "Печатник/плотер", "Фрезеровщик", "Сварщик", "Монтажник", "Поклейщик")
    return order(
        [(position, 60) for position in positions],
        id=f"order-{number}",
        number=f"1Ц-{number:08}",
        manager="Сидоров Вадим",
        files=tuple(onec_order.Attachment(name=f"{n}.txt", content=b"%d" % n) for n in range(files)),
    )


def many_open(works: Works, count: int) -> None:
    """Open tasks for the plant's people."""
    people = [user.id for user in works.portal.users.values() if user.position in demo_company.SHOPS and user.active]
    for number in range(count):
        works.portal.add_task(f"Т{number}", responsible=people[number % len(people)], creator=1, time_estimate=900)


@pytest.mark.parametrize("open_tasks", [0, pytest.param(2000, marks=pytest.mark.long)])
def test_an_order_of_six_lines_with_a_file_takes_three_requests(works: Works, open_tasks: int) -> None:
    """With a warm cache: reading, the file, the tasks."""
    many_open(works, open_tasks)
    works.assign(six_lines(1))
    assert 3 == spent(works, six_lines(2))
    assert 2 == spent(works, six_lines(3, files=0))
    crowded = 1 if open_tasks else 0  # three names of files, and no room for them beside 41 pages of tasks
    assert 5 + crowded == spent(works, six_lines(4, files=3))


def test_orders_that_fill_page_after_page_take_no_request_more(works: Works) -> None:
    """What was made since the open work was counted has room; ten orders are more than a page."""
    works.assign(six_lines(1))
    assert [2] * 10 == [spent(works, six_lines(number, files=0)) for number in range(2, 12)]


def test_much_more_open_work_than_was_counted_takes_a_probe_of_ten_pages(works: Works) -> None:
    """Behind the end of a list each page of a chain is work of the portal for nothing."""
    works.assign(six_lines(1))
    many_open(works, 120)
    works.portal.log.clear()
    works.assign(six_lines(2, files=0))
    _reading, rest, _writing = works.portal.log
    assert ["tasks.task.list"] * 10 == list(rest.methods)


def dated(number: int, works: Works, **changes: Any) -> onec_order.Order:
    """An order of six lines with a file, which 1C wrote a minute ago."""
    return six_lines(number).model_copy(update={"date": works.clock.now - timedelta(minutes=1), **changes})


def test_the_file_of_a_new_order_goes_while_the_portal_is_read(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two round trips: both requests are with the portal before it answers one of them."""
    works.assign(six_lines(1))
    works.clock.now += timedelta(minutes=5)
    handle, both = works.portal.handle, threading.Barrier(2)
    count = iter(range(3))

    def handle_together(*args: Any, **kwargs: Any) -> Any:
        if next(count) < 2:
            both.wait(10)
        return handle(*args, **kwargs)

    monkeypatch.setattr(works.portal, "handle", handle_together)
    works.portal.log.clear()
    (result,) = works.assign(dated(2, works))
    assert ["created"] * 6 == [task.outcome for task in result.tasks]
    methods = [set(entry.methods) for entry in works.portal.log]
    assert [{"disk.folder.uploadfile"}] == [request for request in methods[:2] if "profile" not in request]
    assert 3 == len(methods)


@pytest.mark.parametrize(
    "changes",
    [
        {"done": True},
        {"called_off": True},
        {"lines": ()},
        {"date": None},
        {"date": datetime(2026, 11, 20, 12, 0, tzinfo=MOSCOW)},
    ],
    ids=["finished", "cancelled", "no lines", "no date", "older than the ledger"],
)
def test_where_a_file_may_not_be_needed_it_waits_for_the_plan(works: Works, changes: dict[str, Any]) -> None:
    """The first request is the reading."""
    works.assign(six_lines(1))
    works.clock.now += timedelta(minutes=5)
    works.portal.log.clear()
    works.assign(dated(2, works, **changes))
    assert "profile" in works.portal.log[0].methods
    assert ("date" in changes) == ("disk.folder.uploadfile" in [method for method, _params in works.portal.writes()])


def test_a_dry_run_and_an_order_that_is_known_upload_nothing_early(works: Works) -> None:
    """Nor what is sent again."""
    works.assign(six_lines(1))
    works.clock.now += timedelta(minutes=5)
    sent = dated(2, works)
    works.assign(sent, dry_run=True)
    works.assign(sent)
    works.portal.log.clear()
    assert ["unchanged"] == [result.outcome for result in works.assign(sent)]
    assert [] == works.portal.writes()
    files = [row for row in works.portal.disk.objects.values() if row.content is not None]
    assert 2 == len(files)


def test_an_owner_who_is_no_administrator_any_more_uploads_nothing_the_second_time(works: Works) -> None:
    """The first refused order leaves its file, which the next run that may plan finds by its name."""
    works.assign(six_lines(1))
    works.clock.now += timedelta(minutes=5)
    works.portal.users[1].admin = False
    for number in (2, 3):
        works.portal.log.clear()
        with pytest.raises(errors.PortalDenied):
            works.assign(dated(number, works))
        assert (number == 2) == bool(works.portal.writes())
    works.portal.users[1].admin = True
    assert ["created"] == [result.outcome for result in works.assign(dated(2, works))]
    files = [row for row in works.portal.disk.objects.values() if row.content is not None]
    assert 2 == len(files)


@pytest.mark.parametrize("open_tasks", [0, pytest.param(2000, marks=pytest.mark.long)])
def test_the_first_order_of_all_takes_seven_requests(works: Works, open_tasks: int) -> None:
    """Cold: departments, people, reading, a folder that only looks alike, the folder, the file, the tasks."""
    many_open(works, open_tasks)
    assert 7 == spent(works, six_lines(1))


@pytest.mark.long
def test_the_people_of_a_big_company_take_two_requests(works: Works) -> None:
    """The first twenty pages tell how many there are: the other six go together."""
    shop = demo_company.department(works.portal, "Сварщик")
    for number in range(1250):
        works.portal.add_user("Имя", f"Фамилия{number}", departments=[shop.id])
    works.assign(six_lines(1, files=0))
    pages = [len(entry.methods) for entry in works.portal.log if set(entry.methods) == {"user.get"}]
    assert [20, 6] == pages


@pytest.mark.parametrize("open_tasks", [0, pytest.param(2000, marks=pytest.mark.long)])
def test_the_same_order_again_takes_one_request(works: Works, open_tasks: int) -> None:
    """And writes nothing."""
    many_open(works, open_tasks)
    works.assign(six_lines(1))
    works.portal.log.clear()
    assert 1 == spent(works, six_lines(1))
    assert [] == works.portal.writes()


@pytest.mark.long
def test_more_than_two_thousand_open_tasks_are_all_read(works: Works) -> None:
    """2,400 quarters of an hour for one man: seventy-five days of work lie before the new one."""
    person = alone(works)
    for number in range(2400):
        works.portal.add_task(f"Т{number}", responsible=person, creator=1, time_estimate=900)
    task = plan(works, accepted=at(23))
    worked = 2400 * 900 // (8 * 3600)
    day, left = date(2026, 11, 23), worked
    days_off = {
        date(int(year), int(month), int(day))
        for year, months in works.portal.schedules[1]["CALENDAR"]["EXCLUSIONS"].items()
        for month, days in months.items()
        for day in days
    }
    while left or day.weekday() > 4 or day in days_off:
        left -= 1 if day.weekday() <= 4 and day not in days_off else 0
        day += timedelta(days=1)
    assert datetime(day.year, day.month, day.day, 9, tzinfo=MOSCOW) == task.start


@pytest.mark.long
def test_a_hundred_orders_together_take_few_requests(works: Works) -> None:
    """600 tasks: the batches of reading and of writing, one a file; read again in a handful."""
    orders = [six_lines(number) for number in range(100)]
    works.assign(six_lines(1000))
    reading, files, writing = 6, 100, 12
    assert reading + files + writing >= spent(works, *orders)
    assert reading >= spent(works, *orders)
    assert 606 == sum(1 for task in works.portal.tasks if (task.xml_id or "").startswith("1c:"))


def test_no_task_is_asked_for_without_a_filter_that_holds(works: Works) -> None:
    """An empty list in a filter would bring every task of the portal."""
    works.assign(six_lines(1), order([], id="x"), order([("Никто", 5)], id="y"))
    filters = [
        call.params["filter"]
        for entry in works.portal.log
        for call in entry.commands
        if call.method == "tasks.task.list" and call.params["select"] != ["ID"]
    ]
    assert filters and all(all(value not in ([], "", None) for value in conditions.values()) for conditions in filters)


# places that are gone


def test_a_folder_deleted_since_it_was_cached_is_made_again(works: Works) -> None:
    """Nobody waits a day for the cache to forget it."""
    works.assign(six_lines(1))
    objects = works.portal.disk.objects
    folder = next(row for row in objects.values() if row.name == "Прикрепленные файлы")
    for gone in [row.id for row in objects.values() if folder.id in (row.id, row.parent)]:
        del objects[gone]
    result = works.assign(six_lines(2))[0]
    assert ("created", [None] * 6) == (result.outcome, [task.error for task in result.tasks])
    assert 1 == [row.name for row in objects.values()].count("Прикрепленные файлы")


def test_a_project_deleted_since_it_was_cached_is_made_again(works: Works) -> None:
    """Tasks never go into a project that is not there."""
    works.assign(six_lines(1))
    del works.portal.groups[1]
    result = works.assign(six_lines(2))[0]
    made = next(group for group in works.portal.groups.values() if group.name == "Задачи из 1с")
    assert {made.id} == {works.portal.tasks[task.task_id].group for task in result.tasks if task.task_id}


# lists longer than a batch


@pytest.mark.long
def test_pages_of_open_work_stay_in_one_batch_beside_a_text_that_goes_alone(works: Works) -> None:
    """49 commands, one of which leaves the batch: 48 and the pages after them, two."""
    works.assign(six_lines(1))
    people = [user.id for user in works.portal.users.values() if user.active]
    for rest in range(30, 50):
        for number in range(15):
            works.portal.add_task(f"Т{number}", responsible=people[number % len(people)], creator=1, time_estimate=900)
        some = [order(id=f"o{rest}-{number}", number=f"{number}", manager=None) for number in range(rest)]
        odd = order(id=f"odd-{rest}", number="$result[group][0][ID]")
        with works.tools(dry_run=True) as tools:
            tools.directory.remember_open_counts(dict.fromkeys(people, 60))
        assert "failed" not in [result.outcome for result in works.assign(odd, *some, dry_run=True)]


@pytest.mark.long
def test_fifty_tasks_of_people_who_were_handed_them_can_be_changed_at_once(works: Works) -> None:
    """Fifty people from elsewhere do the lines: their open work is read beside their absences."""
    shop = works.portal.add_department("Контора", parent=1)
    sent = order([("Сварщик", 60)] * 52)
    tasks = works.assign(sent)[0].tasks
    for number, task in enumerate(tasks):
        person = works.portal.add_user("Иван", f"Чужой{number}", departments=[shop.id])
        works.portal.set_task(task.task_id or 0, responsible=person.id)
    (result,) = works.assign(order([("Сварщик", 90)] * 52))
    assert ["updated"] * 52 == [task.outcome for task in result.tasks]


def test_a_portal_that_ignores_where_a_page_begins_is_not_read_for_ever(works: Works) -> None:
    """Sixty tasks have the number in their titles; the refusal says what is wrong."""
    for _number in range(60):
        works.portal.add_task("Похожая: 1Ц-00000100", responsible=1, creator=1, group=1)
    handle = works.portal.handle

    def without_cursor(method: str, path: str, query: str, headers: Any, body: bytes, **options: Any) -> Any:
        return handle(method, path, query, headers, body.replace(b"%3EID", b"%3EIDEA"), **options)

    works.portal.handle = without_cursor  # type: ignore[method-assign]
    with pytest.raises(errors.PortalError, match="the rows do not come in the order of their ids"):
        works.assign(order([("Никто", 5)]))


def test_many_tasks_with_the_number_in_their_titles_take_few_requests(works: Works) -> None:
    """Ten pages go in one batch."""
    works.assign(six_lines(1))
    for _number in range(400):
        works.portal.add_task("Похожая: 1Ц-00000100", responsible=1, creator=1, group=1)
    assert 3 == spent(works, order())
