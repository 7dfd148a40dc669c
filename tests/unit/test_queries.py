"""What methods are asked, and how their answers are read: every odd shape the portal has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from b24tools.bitrix24 import parsing, portal_time, queries
from b24tools.bitrix24.batch import MOST_COMMANDS, Answer, Batch, Query
from b24tools.core import errors
from b24tools.core.models import Department, Owner, Person, Task, TaskRecord
from b24tools.core.timestamps import to_seconds

MOSCOW = ZoneInfo("Europe/Moscow")
NEW_YORK = ZoneInfo("America/New_York")


def read(query: Query[Any], result: Any) -> Any:
    """The result of a query, read."""
    return query.read(result)


# people and departments


def test_the_owner_is_read() -> None:
    """ADMIN must be true itself; a zone may be missing."""
    row = {"ID": "1", "ADMIN": True, "NAME": "Алексей", "LAST_NAME": None, "TIME_ZONE": "Asia/Omsk"}
    assert Owner(1, "Алексей", True, "Asia/Omsk") == read(queries.profile(), row)
    assert [False, False] == [read(queries.profile(), {"ID": "1", "ADMIN": flag}).admin for flag in ("N", None)]


def test_departments_are_read() -> None:
    """The root has no parent, a headless one no head or a zero."""
    rows = [{"ID": "1", "NAME": "Компания"}, {"ID": 2, "NAME": "Цех", "PARENT": "1", "UF_HEAD": "0"}]
    assert [Department(1, "Компания", None, None), Department(2, "Цех", 1, None)] == queries.read_departments(rows)


@pytest.mark.parametrize(
    ("homes", "ids"), [([1, "14"], (1, 14)), ({"0": 3, "2": 5}, (3, 5)), (False, ()), (None, ()), ([], ())]
)
def test_people_are_read(homes: Any, ids: tuple[int, ...]) -> None:
    """Columns that are NULL are left out; departments come as list, object or false."""
    row = {"ID": "7", "ACTIVE": True, "NAME": " Иван ", "LAST_NAME": "Иванов", "UF_DEPARTMENT": homes}
    assert [Person(7, "Иван", "Иванов", "", True, ids)] == queries.read_people([row])


@pytest.mark.parametrize(("active", "works"), [(True, True), ("Y", True), (False, False), ("N", False), (None, False)])
def test_only_active_people_are_active(active: Any, works: bool) -> None:
    """Missing is not active."""
    assert works is queries.read_people([{"ID": "7", "ACTIVE": active}])[0].active


# tasks

ROW: dict[str, Any] = {
    "id": "3711",
    "title": "Сварщик: 1",
    "xmlId": None,
    "status": "2",
    "responsibleId": "7",
    "createdBy": "1",
    "groupId": "0",
    "createdDate": "2026-11-02T10:06:08+03:00",
    "changedDate": None,
    "deadline": "",
    "startDatePlan": None,
    "endDatePlan": "2026-07-03T18:00:00+03:00",
    "timeEstimate": "0",
    "timeSpentInLogs": None,
    "auditors": ["5"],
    "commentsCount": None,
    "activityDate": "2026-11-03T10:00:00+03:00",
    "dateStart": None,
    "responsible": {"id": "7", "name": "Иван Иванов"},
}


def test_a_task_is_read() -> None:
    """Ids are strings, empty is null, zero or an empty text."""
    assert Task(
        id=3711,
        status=2,
        responsible_id=7,
        title="Сварщик: 1",
        xml_id="",
        group_id=0,
        created_by=1,
        created_at=datetime(2026, 11, 2, 7, 6, 8, tzinfo=UTC),
        changed_at=None,
        deadline=None,
        start=None,
        end=datetime(2026, 7, 3, 15, tzinfo=UTC),
        estimate_s=0,
        spent_s=0,
        auditor_ids=(5,),
        comments=0,
        responsible_name="Иван Иванов",
        activity_at=datetime(2026, 11, 3, 7, tzinfo=UTC),
        date_start=None,
    ) == queries.read_task(ROW, MOSCOW)


@pytest.mark.parametrize(("auditors", "ids"), [({"1": "5", "3": "6"}, (5, 6)), ([], ()), (None, ()), (False, ())])
def test_auditors_come_in_several_shapes(auditors: Any, ids: tuple[int, ...]) -> None:
    """A PHP array with gaps is an object."""
    assert ids == queries.read_task(ROW | {"auditors": auditors}, MOSCOW).auditor_ids


def test_todays_offset_on_an_old_date_is_not_trusted() -> None:
    """Winter's offset pasted onto July: the wall clock in the owner's zone counts."""
    text = "2026-07-03T18:00:00-05:00"
    assert datetime(2026, 7, 3, 22, tzinfo=UTC) == parsing.read_moment(text, NEW_YORK)


NO_DATES = [
    "-0001-11-30T00:00:00+02:30",
    "0000-00-00 00:00:00",
    "soon",
    [],
    7,
    "2026-02-31T10:00:00+03:00",
    "2026-11-20T25:00:00+03:00",
    "2026-11-20T10:61:00+03:00",
    "2026-11-20T10:15:00+99:00",
]


@pytest.mark.parametrize("text", NO_DATES)
def test_a_date_that_cannot_be_read_is_none(text: Any) -> None:
    """In whatever field of a task it stands: one odd row must not keep all the others from being read."""
    dates = {name: ROW["createdDate"] for name in portal_time.TASK_DATES}
    task = queries.read_task(ROW | dates, MOSCOW)
    record = queries.read_record(ROW | dates | {"status": "5"}, MOSCOW)
    created, kept = task.created_at, record.created_at
    fields = ("created_at", "changed_at", "activity_at", "date_start", "closed_at", "deadline", "start", "end")
    assert (created,) * 8 == tuple(getattr(task, field) for field in fields)
    assert to_seconds(created) == kept

    odd = dict.fromkeys(portal_time.TASK_DATES, text)
    assert replace(task, **dict.fromkeys(fields)) == queries.read_task(ROW | odd, MOSCOW)
    gone = dict.fromkeys(("created_at", "changed_at", "closed_at", "deadline"))
    assert record._replace(**gone) == queries.read_record(ROW | odd | {"status": "5"}, MOSCOW)


def test_a_row_with_mysqls_zero_date_is_read() -> None:
    """It was brought over from another system; only the date of its creation is missing."""
    row = {
        "id": "1353",
        "title": "перенесена из другой системы",
        "responsibleId": "142",
        "createdBy": "1",
        "groupId": "0",
        "status": "5",
        "createdDate": "-0001-11-30T00:00:00+02:30",
        "changedDate": "2026-11-26T10:00:00+03:00",
        "closedDate": "2026-11-26T10:00:00+03:00",
        "deadline": None,
        "timeEstimate": "0",
        "timeSpentInLogs": None,
    }
    closed = to_seconds(datetime(2026, 11, 26, 7, tzinfo=UTC))
    record = TaskRecord(1353, "перенесена из другой системы", 142, 1, 0, 5, None, closed, closed, None, 0, 0, "")
    assert record == queries.read_record(row, MOSCOW)
    clock = portal_time.PortalClock(Owner(1, "", True, ""), MOSCOW, "2026-11-27T10:00:00+02:00")
    assert (MOSCOW, "settings", "") == (clock.see([row]), clock.source, clock.warning)


@pytest.mark.long
@pytest.mark.parametrize("name", ["Europe/Moscow", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran"])
@pytest.mark.parametrize("year", [2014, 2026])
def test_every_half_hour_of_a_year_is_the_wall_clocks(name: str, year: int) -> None:
    """The days on which clocks change included: most days are reckoned with one offset."""
    zone, wall = ZoneInfo(name), datetime(year, 1, 1)  # noqa: DTZ001 - a wall clock
    halves = [wall + timedelta(minutes=30 * number) for number in range(365 * 48)]
    texts = [f"{half.isoformat()}+03:00" for half in halves]
    moments = [half.replace(tzinfo=zone).astimezone(UTC) for half in halves]
    assert moments == [parsing.read_moment(text, zone) for text in texts]
    assert [*map(to_seconds, moments)] == [parsing.read_seconds(text, zone) for text in texts]


def test_a_record_is_what_is_kept_of_a_task() -> None:
    """Only a completed one has a moment of closing: a task that awaits control has a CLOSED_DATE, too."""
    closed = ROW | {"status": "5", "closedDate": "2026-11-20T10:15:00+03:00", "deadline": "0000-00-00 00:00:00"}
    record = TaskRecord(
        id=3711,
        title="Сварщик: 1",
        responsible_id=7,
        created_by=1,
        group_id=0,
        status=5,
        created_at=to_seconds(datetime(2026, 11, 2, 7, 6, 8, tzinfo=UTC)),
        changed_at=None,
        closed_at=to_seconds(datetime(2026, 11, 20, 7, 15, tzinfo=UTC)),
        deadline=None,
        estimate_s=0,
        spent_s=0,
        responsible_name="Иван Иванов",
    )

    assert record == queries.read_record(closed, MOSCOW)
    assert record._replace(status=4, closed_at=None) == queries.read_record(closed | {"status": "4"}, MOSCOW)


@pytest.mark.parametrize("value", [None, "", "abc", [], float("inf"), float("nan"), 10**15, f"{10**30}", -(2**64)])
def test_what_is_no_number_or_has_no_room_in_the_database_is_nothing(value: Any) -> None:
    """A field that nobody can read must not stop every later snapshot."""
    assert [0, 10**15 - 1, -5] == [
        parsing.int_or_zero(value),
        parsing.int_or_zero(f"{10**15 - 1}"),
        parsing.int_or_zero("-5"),
    ]


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59+03:00", "0001-01-01T00:00:00+03:00"])
def test_the_ends_of_time_are_no_error(text: str) -> None:
    """Some mean "never" by them."""
    moments = parsing.read_moment(text, NEW_YORK), parsing.read_moment(text, ZoneInfo("Asia/Tokyo"))
    assert all(moment is not None and moment.year in (1, 9999) for moment in moments)


@pytest.mark.parametrize("row", [{}, {"id": None}, {"id": "0"}, {"id": "abc"}, {"id": []}])
def test_a_task_without_an_id_is_no_task(row: dict[str, Any]) -> None:
    """The answer is called strange, with its method, not a KeyError."""
    with pytest.raises(errors.PortalError, match=r"tasks\.task"):
        queries.read_task(row, MOSCOW)


@pytest.mark.parametrize("result", [[], None, "x", {"task": []}, {"task": None}, {}])
def test_a_missing_task_in_an_answer_is_an_error(result: Any) -> None:
    """A missing task is answered with 200 and an empty list."""
    with pytest.raises(errors.PortalError, match=r"tasks\.task\.add"):
        queries.task_row(result, "tasks.task.add")


@pytest.mark.parametrize("result", [[], None, {"tasks": {}}, {"tasks": ["x"]}, {}])
def test_a_list_without_rows_is_an_error(result: Any) -> None:
    """An answer of another shape must not be taken for an empty list: tasks would be made twice."""
    with pytest.raises(errors.PortalError, match=r"tasks\.task\.list"):
        queries.tasks_by_id([1]).read(result)


def test_empty_conditions_are_refused() -> None:
    """The portal would drop them and give every task."""
    for ask in (
        lambda: queries.open_work_of([]),
        lambda: queries.tasks_by_key([]),
        lambda: queries.tasks_by_key([""]),
        lambda: queries.tasks_by_id([]),
        lambda: queries.tasks_titled("", 1, None),
    ):
        with pytest.raises(ValueError, match="empty"):
            ask()


def test_the_reading_queries_can_ride_in_a_batch() -> None:
    """None of them needs a boolean, a null or an empty list."""
    now = datetime(2026, 11, 23, tzinfo=UTC)
    asked: list[Query[Any]] = [
        queries.profile(),
        queries.departments(50),
        queries.people_by_id([1]),
        queries.people_by_surname("Ли"),
        queries.open_work_count(),
        queries.tasks_by_key(["k"]),
        queries.tasks_by_id([1]),
        queries.tasks_titled("1", 1, now),
        queries.schedule(1),
        queries.calendar_settings(),
        queries.absences([1], now.date(), now.date()),
        queries.groups_named("Задачи из 1с"),
        queries.common_storage(),
        queries.children(1, "a"),
    ]
    asked += [Query("x.get", params, len) for params in (queries.people_of([1]), queries.open_work_of([1]))]
    batch = Batch(lambda request: None, lambda command: Answer())
    for query in asked:
        batch.add(query)
    assert batch.room == MOST_COMMANDS - len(asked)


# places


def test_projects_are_asked_for_by_name_or_id() -> None:
    """A name of digits is an id."""
    assert [{"NAME": "Задачи"}, {"ID": 7}] == [queries.groups_named(name).params["FILTER"] for name in ("Задачи", "7")]
    assert [(5, "Задачи", False)] == read(queries.groups_named("Задачи"), [{"ID": "5", "NAME": "Задачи"}])


def test_an_upload_without_an_id_is_an_error() -> None:
    """A misspelt parameter is answered with an address to upload to, and no file."""
    with pytest.raises(errors.PortalError, match=r"disk\.folder\.uploadfile"):
        read(queries.upload_file(1, "a", "YQ=="), {"field": "file", "uploadUrl": "https://portal.example/?token=x"})


@pytest.mark.parametrize(("ids", "files"), [([1065, "1077"], [1065, 1077]), ({"1": 5}, [5]), (False, []), (None, [])])
def test_attachments_are_read(ids: Any, files: list[int]) -> None:
    """An empty list is false, null or []."""
    assert files == read(queries.attachments(1), {"task": {"id": "1", "ufTaskWebdavFiles": ids}})


def test_a_schedule_that_may_not_be_read_is_none() -> None:
    """Answered with an empty list."""
    assert [None, None, {"ID": 1}] == [read(queries.schedule(1), answer) for answer in ([], {}, {"ID": 1})]


def test_an_archived_project_comes_after_the_others() -> None:
    """In the order of their ids otherwise."""
    rows = [{"ID": "1", "NAME": "А", "CLOSED": "Y"}, {"ID": "2", "NAME": "А", "CLOSED": "N"}, {"ID": "3", "NAME": "А"}]
    assert [(2, "А", False), (3, "А", False), (1, "А", True)] == read(queries.groups_named("А"), rows)
