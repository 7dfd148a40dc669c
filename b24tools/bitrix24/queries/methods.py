"""The REST methods in use: what to ask, and how to read the answer. Models out.

A `Query` is a command together with the reader of its result, so that any of them can ride in a
batch. Parameters that need empty values or booleans cannot (see `brackets.encode`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Generic, TypeVar

from b24tools.bitrix24.batch import Command, Item
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.parsing import (
    id_of,
    int_of,
    mapping_of,
    mapping_or_none,
    php_values,
    read_as_text,
    read_moment,
    rows_of,
)
from b24tools.core.models import OPEN_WORK, Department, Owner, Person, Status, Task, TaskRecord

T = TypeVar("T")

PLAN_SELECT = (
    "ID",
    "RESPONSIBLE_ID",
    "STATUS",
    "XML_ID",
    "TIME_ESTIMATE",
    "TIME_SPENT_IN_LOGS",
    "START_DATE_PLAN",
    "END_DATE_PLAN",
    "CREATED_DATE",  # a date that every task has: it shows the zone in force
)
FULL_SELECT = (
    *PLAN_SELECT,
    "TITLE",
    "DESCRIPTION",
    "GROUP_ID",
    "CREATED_BY",
    "CHANGED_DATE",
    "ACTIVITY_DATE",
    "DATE_START",
    "DEADLINE",
    "AUDITORS",
    "COMMENTS_COUNT",
)

# Older portals do not know `select` here and tell all they know, with the address of a photo for each.
PEOPLE_SELECT = ("ID", "ACTIVE", "NAME", "LAST_NAME", "SECOND_NAME", "UF_DEPARTMENT")
CLOSED_SELECT = (
    "ID",
    "TITLE",
    "RESPONSIBLE_ID",
    "CREATED_BY",
    "GROUP_ID",
    "STATUS",
    "CREATED_DATE",
    "CHANGED_DATE",
    "CLOSED_DATE",
    "DEADLINE",
    "TIME_ESTIMATE",
    "TIME_SPENT_IN_LOGS",
)


@dataclass(frozen=True)
class Query(Generic[T]):
    """A command and the reader of its result. The reader raises PortalError on a shape it does not know."""

    command: Command
    read: Callable[[Any], T]

    def of(self, item: Item) -> T:
        """The item's result, read; raises the item's own error."""
        return self.read(item.value)

    def run(self, client: Client) -> T:
        """Ask for this alone."""
        return self.read(client.call(self.command.method, self.command.params).result)


def profile() -> Query[Owner]:
    """Whose webhook it is, and whether with an administrator's rights. Needs no scope."""

    def read(result: Any) -> Owner:
        row = mapping_of(result, "profile")
        name = f"{row.get('NAME') or ''} {row.get('LAST_NAME') or ''}".strip()
        return Owner(id_of(row, "ID", "profile"), name, row.get("ADMIN") is True, str(row.get("TIME_ZONE") or ""))

    return Query(Command("profile", {}), read)


def server_time() -> Query[str]:
    """The server's clock with its zone's offset, ISO 8601."""
    return Query(Command("server.time", {}), str)


def departments(start: int) -> Query[list[Department]]:
    """A page of the departments, in the tree's order. Past the end the portal gives the first page again."""
    return Query(Command("department.get", {"start": start}), read_departments)


def read_departments(result: Any) -> list[Department]:
    """The departments of rows of `department.get`; the root has no PARENT, a headless one no UF_HEAD."""
    return [
        Department(
            id=id_of(row, "ID", "department.get"),
            name=str(row.get("NAME") or ""),
            parent_id=int_of(row.get("PARENT")) or None,
            head_id=int_of(row.get("UF_HEAD")) or None,
        )
        for row in rows_of(result, "department.get")
    ]


def people_of(department_ids: Sequence[int], *more: str) -> dict[str, Any]:
    """Parameters for listing the active people of exactly these departments (sub-departments do not count).

    `more`: columns to select besides what `read_people` reads.
    """
    return {"FILTER": {"ACTIVE": "Y", "UF_DEPARTMENT": list(department_ids)}, "select": [*PEOPLE_SELECT, *more]}


def people_by_id(user_ids: Sequence[int], *more: str) -> Query[list[Person]]:
    """These people, dismissed ones too. `more`: as in `people_of`."""
    return _people({"ID": list(user_ids)}, *more)


def people_by_surname(surname: str) -> Query[list[Person]]:
    """The active people of this surname."""
    return _people({"LAST_NAME": surname, "ACTIVE": "Y"})


def _people(conditions: Mapping[str, Any], *more: str) -> Query[list[Person]]:
    order = {"sort": "ID", "order": "ASC", "start": -1}
    return Query(Command("user.get", {"FILTER": conditions, "select": [*PEOPLE_SELECT, *more], **order}), read_people)


def read_people(result: Any) -> list[Person]:
    """The people of rows of `user.get`, which leaves out what is NULL and may say `false` for no departments."""
    people = []
    for row in rows_of(result, "user.get"):
        get = row.get
        people.append(
            Person(
                id_of(row, "ID", "user.get"),
                str(get("NAME") or "").strip(),
                str(get("LAST_NAME") or "").strip(),
                str(get("SECOND_NAME") or "").strip(),
                get("ACTIVE") in (True, "Y"),
                tuple(map(int_of, php_values(get("UF_DEPARTMENT")))),
            )
        )
    return people


def paged(command: Command) -> dict[str, Any]:
    """A list's parameters for reading all its pages by id: without its order and start."""
    return {name: value for name, value in command.params.items() if name not in ("order", "sort", "start")}


def everybody() -> dict[str, Any]:
    """Parameters for listing all people, the dismissed ones and those who never logged in among them."""
    return {"FILTER": {}, "select": list(PEOPLE_SELECT)}


def closed_between(start: datetime, end: datetime) -> dict[str, Any]:
    """Parameters for listing the tasks closed in [start, end). Status 4 has a CLOSED_DATE, too."""
    moments = {">=CLOSED_DATE": start.isoformat(), "<CLOSED_DATE": end.isoformat()}
    return {"filter": {"REAL_STATUS": int(Status.COMPLETED), **moments}, "select": list(CLOSED_SELECT)}


def open_work_of(user_ids: Sequence[int]) -> dict[str, Any]:
    """Parameters for listing everything these people still have to do, in all projects.

    REAL_STATUS: the plain STATUS filter is a computed one and would miss overdue and unseen tasks.
    An empty list would drop the condition and give everybody's tasks.
    """
    if not user_ids:
        raise ValueError("an empty list of people would ask for everybody's tasks")
    statuses = [int(status) for status in OPEN_WORK]
    return {"filter": {"RESPONSIBLE_ID": list(user_ids), "REAL_STATUS": statuses}, "select": list(PLAN_SELECT)}


def open_work_count() -> Query[int]:
    """How many tasks are open on the whole portal (as far as the owner sees): `total` of the item."""
    statuses = [int(status) for status in OPEN_WORK]
    params = {"filter": {"REAL_STATUS": statuses}, "select": ["ID"], "order": {"ID": "asc"}, "start": 0}
    return Query(Command("tasks.task.list", params), lambda result: len(task_rows(result)))


def tasks_by_key(keys: Sequence[str]) -> Query[list[Mapping[str, Any]]]:
    """The tasks that carry these external keys, as rows, at most 50.

    XML_ID works as a filter, but the documentation does not list it: a portal that ignored it would
    answer with any tasks, so the caller compares `xmlId`. An empty key would match everything.
    """
    return _task_list({"XML_ID": [key for key in keys if key]})


def tasks_by_id(task_ids: Sequence[int]) -> Query[list[Mapping[str, Any]]]:
    """The tasks with these ids, as rows; missing ones are deleted or not visible."""
    return _task_list({"ID": list(task_ids)})


def tasks_as_closed(task_ids: Sequence[int]) -> Query[list[Mapping[str, Any]]]:
    """The tasks with these ids, at most 50, with what is kept of closed ones; missing ones are deleted or not visible.

    One list takes less of the portal's time than fifty `tasks.task.get`, which answer missing ones with `[]`.
    """
    return _task_list({"ID": list(task_ids)}, CLOSED_SELECT)


def tasks_titled(part: str, group_id: int, created_from: datetime | None) -> Query[list[Mapping[str, Any]]]:
    """The project's tasks whose title contains `part`, oldest first, at most 50, as rows.

    The exact filter `=TITLE` never matches titles with `_ % !`, hence the substring.
    """
    conditions: dict[str, Any] = {"TITLE": part, "GROUP_ID": group_id}
    if created_from:
        conditions[">=CREATED_DATE"] = created_from.isoformat()
    return _task_list(conditions)


def _task_list(conditions: Mapping[str, Any], select: Sequence[str] = FULL_SELECT) -> Query[list[Mapping[str, Any]]]:
    if any(value in ([], "") for value in conditions.values()):
        raise ValueError("an empty condition would be dropped and match every task")
    params = {"filter": dict(conditions), "select": list(select), "order": {"ID": "asc"}, "start": -1}
    return Query(Command("tasks.task.list", params), task_rows)


def task_rows(result: Any) -> list[Mapping[str, Any]]:
    """The rows of a `tasks.task.list` answer."""
    return rows_of(mapping_of(result, "tasks.task.list").get("tasks"), "tasks.task.list")


def task_row(result: Any, method: str) -> Mapping[str, Any]:
    """The task of an add, update, complete … answer. A missing task is answered with `[]`."""
    return mapping_of(mapping_of(result, method).get("task"), method)


def read_task(row: Mapping[str, Any], zone: tzinfo) -> Task:
    """A task row of any method; a date that cannot be read is none. `zone`: see `zones.PortalClock`."""

    def moment(name: str) -> datetime | None:
        return read_moment(row.get(name), zone)

    auditors = row.get("auditors")
    responsible = row.get("responsible")
    return Task(
        id=id_of(row, "id", "tasks.task"),
        status=int_of(row.get("status")),
        responsible_id=int_of(row.get("responsibleId")),
        title=str(row.get("title") or ""),
        xml_id=str(row.get("xmlId") or ""),
        group_id=int_of(row.get("groupId")),
        created_by=int_of(row.get("createdBy")),
        created_at=moment("createdDate"),
        changed_at=moment("changedDate"),
        deadline=moment("deadline"),
        start=moment("startDatePlan"),
        end=moment("endDatePlan"),
        estimate_s=int_of(row.get("timeEstimate")),
        spent_s=int_of(row.get("timeSpentInLogs")),
        auditor_ids=tuple(int_of(one) for one in php_values(auditors)),
        comments=int_of(row.get("commentsCount")),
        responsible_name=str(responsible.get("name") or "") if isinstance(responsible, dict) else "",
        activity_at=moment("activityDate"),
        date_start=moment("dateStart"),
        description=str(row.get("description") or ""),
    )


def read_record(row: Mapping[str, Any], zone: tzinfo) -> TaskRecord:
    """What is kept of a task, from its row with CLOSED_SELECT. `zone`: see `zones.PortalClock`.

    A date that cannot be read is none: a completed task may come without `closed_at`.
    """
    get = row.get
    status = int_of(get("status"))
    responsible = get("responsible")
    return TaskRecord(
        id_of(row, "id", "tasks.task"),
        str(get("title") or ""),
        int_of(get("responsibleId")),
        int_of(get("createdBy")),
        int_of(get("groupId")),
        status,
        read_as_text(get("createdDate"), zone),
        read_as_text(get("changedDate"), zone),
        read_as_text(get("closedDate"), zone) if status == Status.COMPLETED else None,  # status 4 has one, too
        read_as_text(get("deadline"), zone),
        int_of(get("timeEstimate")),
        int_of(get("timeSpentInLogs")),
        str(responsible.get("name") or "") if isinstance(responsible, dict) else "",
    )


def add_task(fields: Mapping[str, Any]) -> Command:
    """Create a task. The answer carries it without user fields."""
    return Command("tasks.task.add", {"fields": dict(fields)})


def update_task(task_id: int, fields: Mapping[str, Any]) -> Command:
    """Change only these fields."""
    return Command("tasks.task.update", {"taskId": task_id, "fields": dict(fields)})


def complete_task(task_id: int) -> Command:
    """Finish a task; the status in the answer tells whether it is: an inner failure is answered with 200."""
    return Command("tasks.task.complete", {"taskId": task_id})


def approve_task(task_id: int) -> Command:
    """Accept a task that waits for control."""
    return Command("tasks.task.approve", {"taskId": task_id})


def defer_task(task_id: int) -> Command:
    """Put a task off: its status becomes 6, and it takes nobody's time."""
    return Command("tasks.task.defer", {"taskId": task_id})


def renew_task(task_id: int) -> Command:
    """Take a task up again: its status becomes 2."""
    return Command("tasks.task.renew", {"taskId": task_id})


def delete_task(task_id: int) -> Command:
    """Move a task to the recycle bin."""
    return Command("tasks.task.delete", {"taskId": task_id})


def attach_file(task_id: int, file_id: int) -> Command:
    """Hang a disk file on a task beside what is there; not idempotent."""
    return Command("tasks.task.files.attach", {"taskId": task_id, "fileId": file_id})


def attachments(task_id: int) -> Query[list[int]]:
    """The attachment ids of a task, which are not disk ids. An empty list comes as false, null or []."""

    def read(result: Any) -> list[int]:
        ids = task_row(result, "tasks.task.get").get("ufTaskWebdavFiles")
        return [int_of(one) for one in php_values(ids)]

    return Query(Command("tasks.task.get", {"taskId": task_id, "select": ["ID", "UF_TASK_WEBDAV_FILES"]}), read)


def attached_file(attachment_id: int) -> Query[tuple[int, str]]:
    """The disk object behind an attachment, and its name."""

    def read(result: Any) -> tuple[int, str]:
        row = mapping_of(result, "disk.attachedObject.get")
        return id_of(row, "OBJECT_ID", "disk.attachedObject.get"), str(row.get("NAME") or "")

    return Query(Command("disk.attachedObject.get", {"id": attachment_id}), read)


def task_history(task_id: int, zone: tzinfo) -> Query[list[tuple[str, datetime | None, int]]]:
    """What was done to a task, as (field, moment, by whom); its creation is the field NEW."""

    def read(result: Any) -> list[tuple[str, datetime | None, int]]:
        rows = rows_of(mapping_of(result, "tasks.task.history.list").get("list"), "tasks.task.history.list")
        return [
            (
                str(row.get("field") or ""),
                read_moment(row.get("createdDate"), zone),
                int_of((mapping_or_none(row.get("user")) or {}).get("id")),
            )
            for row in rows
        ]

    return Query(Command("tasks.task.history.list", {"taskId": task_id}), read)


def schedule(schedule_id: int) -> Query[Mapping[str, Any] | None]:
    """A work schedule as the portal has it; None where it does not exist or may not be read (answered by [])."""
    return Query(Command("timeman.schedule.get", {"id": schedule_id}), mapping_or_none)


def calendar_settings() -> Query[Mapping[str, Any] | None]:
    """The portal's working hours and yearly holidays as it has them."""
    return Query(Command("calendar.settings.get", {}), mapping_or_none)


def absences(user_ids: Sequence[int], first: date, last: date) -> Query[Mapping[str, Any]]:
    """What is in these people's calendars, for `absences.read_absences`.

    More is asked for than is wanted: the portal looks for events by stamps that are hours off, and of a series it
    leaves out the event that began before the first day and goes on.
    """
    since, until = first - timedelta(days=8), last + timedelta(days=1)
    params = {"users": list(user_ids), "from": since.isoformat(), "to": until.isoformat()}
    return Query(Command("calendar.accessibility.get", params), lambda result: mapping_or_none(result) or {})


def groups_named(name: str) -> Query[list[tuple[int, str]]]:
    """The projects of exactly this name, or with this id, as (id, name); the archived ones last."""
    conditions = {"ID": int(name)} if name.isdecimal() else {"NAME": name}

    def read(result: Any) -> list[tuple[int, str]]:
        rows = sorted(rows_of(result, "sonet_group.get"), key=lambda row: row.get("CLOSED") == "Y")
        return [(id_of(row, "ID", "sonet_group.get"), str(row.get("NAME") or "")) for row in rows]

    return Query(Command("sonet_group.get", {"ORDER": {"ID": "ASC"}, "FILTER": conditions, "IS_ADMIN": "Y"}), read)


def create_group(name: str) -> Query[int]:
    """Create a project for tasks; names are not unique on the portal: look first."""
    params = {"NAME": name, "VISIBLE": "Y", "OPENED": "N", "PROJECT": "Y", "INITIATE_PERMS": "K"}
    return Query(Command("sonet_group.create", params), int_of)


def common_storage() -> Query[tuple[int, int] | None]:
    """The common storage as (storage id, id of its root folder)."""

    def read(result: Any) -> tuple[int, int] | None:
        rows = rows_of(result, "disk.storage.getlist")
        if not rows:
            return None
        return tuple(id_of(rows[0], name, "disk.storage.getlist") for name in ("ID", "ROOT_OBJECT_ID"))  # type: ignore[return-value]

    return Query(Command("disk.storage.getlist", {"filter": {"ENTITY_TYPE": "common"}}), read)


def children(folder_id: Any, name: str) -> Query[list[tuple[int, str, str]]]:
    """What a folder holds under this name, as (object id, name, "file" or "folder")."""

    def read(result: Any) -> list[tuple[int, str, str]]:
        rows = rows_of(result, "disk.folder.getchildren")
        return [
            (id_of(row, "ID", "disk.folder.getchildren"), str(row.get("NAME")), str(row.get("TYPE"))) for row in rows
        ]

    return Query(Command("disk.folder.getchildren", {"id": folder_id, "filter": {"=NAME": name}}), read)


def add_folder(parent_id: int, name: str) -> Query[int]:
    """Create a folder; a taken name is refused with DISK_OBJ_22000."""
    return Query(
        Command("disk.folder.addsubfolder", {"id": parent_id, "data": {"NAME": name}}),
        lambda result: id_of(mapping_of(result, "disk.folder.addsubfolder"), "ID", "disk.folder.addsubfolder"),
    )


def upload_file(folder_id: int, name: str, content: str) -> Query[int]:
    """Store a file (`content` in base64); answers the disk object's id. A taken name: DISK_OBJ_22000.

    A misspelt parameter would be answered with an `uploadUrl` and no file, so the id is insisted on.
    """
    params = {"id": folder_id, "data": {"NAME": name}, "fileContent": [name, content]}
    return Query(
        Command("disk.folder.uploadfile", params),
        lambda result: id_of(mapping_of(result, "disk.folder.uploadfile"), "ID", "disk.folder.uploadfile"),
    )
