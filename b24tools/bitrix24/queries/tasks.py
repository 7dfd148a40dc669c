"""Tasks: lists, changes, history, and what hangs on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from b24tools.bitrix24.batch import Query
from b24tools.bitrix24.pagination import ListParams
from b24tools.bitrix24.parsing import (
    id_of,
    int_or_zero,
    mapping_of,
    mapping_or_none,
    php_values,
    read_moment,
    read_seconds,
    rows_of,
)
from b24tools.core.models import OPEN_WORK, Status, Task, TaskRecord

if TYPE_CHECKING:
    from b24tools.bitrix24.client import Client

KEYS_A_COMMAND = 40  # of the 50 rows of a page: room for duplicates
PLAN_SELECT = (
    *("ID", "RESPONSIBLE_ID", "STATUS", "XML_ID", "TIME_ESTIMATE", "TIME_SPENT_IN_LOGS"),
    *("START_DATE_PLAN", "END_DATE_PLAN", "DATE_START"),
    "CREATED_DATE",  # a date that every task has: it shows the zone in force
)
FULL_SELECT = (
    *PLAN_SELECT,
    *("TITLE", "DESCRIPTION", "GROUP_ID", "CREATED_BY", "CHANGED_DATE", "ACTIVITY_DATE", "DEADLINE", "CLOSED_DATE"),
    *("AUDITORS", "COMMENTS_COUNT", "FLOW_ID"),
)
CLOSED_SELECT = (
    *("ID", "TITLE", "RESPONSIBLE_ID", "CREATED_BY", "GROUP_ID", "STATUS"),
    *("CREATED_DATE", "CHANGED_DATE", "CLOSED_DATE", "DEADLINE", "TIME_ESTIMATE", "TIME_SPENT_IN_LOGS"),
    "XML_ID",
)

NOT_ENDED = tuple(int(status) for status in Status if status not in (Status.COMPLETED, Status.DECLINED))


def closed_between(start: datetime, end: datetime) -> ListParams:
    """Parameters for listing the tasks closed in [start, end). Status 4 has a CLOSED_DATE, too."""
    moments = {">=CLOSED_DATE": start.isoformat(), "<CLOSED_DATE": end.isoformat()}
    return {"filter": {"REAL_STATUS": int(Status.COMPLETED), **moments}, "select": list(CLOSED_SELECT)}


def open_changed_since(since: datetime | None) -> ListParams:
    """Parameters for listing the deadlines of open tasks that were changed since then; None: of all."""
    changed = {} if since is None else {">=CHANGED_DATE": since.isoformat()}
    return {
        "filter": {"REAL_STATUS": list(NOT_ENDED), **changed},
        "select": ["ID", "STATUS", "CREATED_DATE", "DEADLINE"],
    }


def read_deadlines(rows: Iterable[Mapping[str, Any]], zone: tzinfo) -> dict[int, int | None]:
    """Read the deadlines of the open tasks among the rows, by id, as a record has them. `zone`: see `PortalClock`.

    A portal that ignores the filter sends closed ones, too.
    """
    is_open = (row for row in rows if int_or_zero(row.get("status")) in NOT_ENDED)
    return {id_of(row, "id", "tasks.task"): read_seconds(row.get("deadline"), zone) for row in is_open}


def open_work_of(user_ids: Sequence[int], *, named: bool = False) -> ListParams:
    """Parameters for listing everything these people still have to do, in all projects; `named`: to be shown.

    REAL_STATUS: the plain STATUS filter is a computed one and would miss overdue and unseen tasks.
    An empty list would drop the condition and give everybody's tasks.
    """
    if not user_ids:
        raise ValueError("an empty list of people would ask for everybody's tasks")
    statuses = [int(status) for status in OPEN_WORK]
    select = (*PLAN_SELECT, "TITLE", "DEADLINE") if named else PLAN_SELECT
    return {"filter": {"RESPONSIBLE_ID": list(user_ids), "REAL_STATUS": statuses}, "select": list(select)}


def open_work_count() -> Query[int]:
    """How many tasks are open on the whole portal (as far as the owner sees): `total` of the item."""
    statuses = [int(status) for status in OPEN_WORK]
    params = {"filter": {"REAL_STATUS": statuses}, "select": ["ID"], "order": {"ID": "asc"}, "start": 0}
    return Query("tasks.task.list", params, lambda result: len(_task_rows(result)))


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
    """The tasks with these ids, at most 50, with the columns of closed ones; missing ones are deleted or not visible.

    One list takes less of the portal's time than fifty `tasks.task.get`, which answer missing ones with `[]`.
    """
    return _task_list({"ID": list(task_ids)}, CLOSED_SELECT)


def fetch_names_on_tasks(client: Client, task_ids: Sequence[int]) -> dict[int, str]:
    """Read the names that these tasks give to the people who are responsible for them."""
    batch = client.new_batch()
    pages = batch.add_chunked(tasks_as_closed, task_ids)
    batch.send()
    return {int_or_zero(row.get("responsibleId")): _responsible_name(row) for page in pages for row in page.value}


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
    return Query("tasks.task.list", params, _task_rows)


def _task_rows(result: Any) -> list[Mapping[str, Any]]:
    """The rows of a `tasks.task.list` answer."""
    return rows_of(mapping_of(result).get("tasks"))


def task_row(result: Any, method: str = "") -> Mapping[str, Any]:
    """The task of an add, update, complete … answer. A missing task is answered with `[]`."""
    return mapping_of(mapping_of(result, method).get("task"), method)


def read_task(row: Mapping[str, Any], zone: tzinfo) -> Task:
    """Read a task's row of any method; a date that cannot be read is none. `zone`: see `portal_time.PortalClock`."""

    def moment(name: str) -> datetime | None:
        return read_moment(row.get(name), zone)

    def plan(name: str) -> datetime | None:
        """Read a date that is planned by: the empty one of 1C and .NET, before which no calendar has a day, is none."""
        planned = moment(name)
        return planned if planned and planned.year > 1 else None

    return Task(
        id=id_of(row, "id", "tasks.task"),
        status=int_or_zero(row.get("status")),
        responsible_id=int_or_zero(row.get("responsibleId")),
        title=str(row.get("title") or ""),
        xml_id=str(row.get("xmlId") or ""),
        group_id=int_or_zero(row.get("groupId")),
        created_by=int_or_zero(row.get("createdBy")),
        created_at=moment("createdDate"),
        changed_at=moment("changedDate"),
        deadline=moment("deadline"),
        start=plan("startDatePlan"),
        end=plan("endDatePlan"),
        estimate_s=int_or_zero(row.get("timeEstimate")),
        spent_s=int_or_zero(row.get("timeSpentInLogs")),
        auditor_ids=tuple(map(int_or_zero, php_values(row.get("auditors")))),
        comments=int_or_zero(row.get("commentsCount")),
        responsible_name=_responsible_name(row),
        activity_at=moment("activityDate"),
        date_start=plan("dateStart"),
        closed_at=moment("closedDate"),
        description=str(row.get("description") or ""),
        flow_id=int_or_zero(row.get("flowId")),
    )


def read_record(row: Mapping[str, Any], zone: tzinfo) -> TaskRecord:
    """Read what the database has of a task, from its row with CLOSED_SELECT. `zone`: see `portal_time.PortalClock`.

    A date that cannot be read is none: a completed task may come without `closed_at`.
    """
    get = row.get
    status = int_or_zero(get("status"))
    return TaskRecord(
        id_of(row, "id", "tasks.task"),
        str(get("title") or ""),
        int_or_zero(get("responsibleId")),
        int_or_zero(get("createdBy")),
        int_or_zero(get("groupId")),
        status,
        read_seconds(get("createdDate"), zone),
        read_seconds(get("changedDate"), zone),
        read_seconds(get("closedDate"), zone) if status == Status.COMPLETED else None,  # status 4 has one, too
        read_seconds(get("deadline"), zone),
        int_or_zero(get("timeEstimate")),
        int_or_zero(get("timeSpentInLogs")),
        _responsible_name(row),
        _name_in(get("group")),
        str(get("xmlId") or ""),
    )


def _responsible_name(row: Mapping[str, Any]) -> str:
    return _name_in(row.get("responsible"))


def _name_in(value: Any) -> str:
    return str(value.get("name") or "") if isinstance(value, dict) else ""


def add_task(fields: Mapping[str, Any]) -> Query[Any]:
    """Create a task. The answer carries it without user fields."""
    return Query("tasks.task.add", {"fields": dict(fields)})


def update_task(task_id: int, fields: Mapping[str, Any]) -> Query[Any]:
    """Change only these fields."""
    return Query("tasks.task.update", {"taskId": task_id, "fields": dict(fields)})


def complete_task(task_id: int) -> Query[Any]:
    """Finish a task; the status in the answer tells whether it is: an inner failure is answered with 200."""
    return Query("tasks.task.complete", {"taskId": task_id})


def approve_task(task_id: int) -> Query[Any]:
    """Accept a task that waits for control."""
    return Query("tasks.task.approve", {"taskId": task_id})


def defer_task(task_id: int) -> Query[Any]:
    """Put a task off: its status becomes 6, and it does not count as work."""
    return Query("tasks.task.defer", {"taskId": task_id})


def renew_task(task_id: int) -> Query[Any]:
    """Take a task up again: its status becomes 2."""
    return Query("tasks.task.renew", {"taskId": task_id})


def delete_task(task_id: int) -> Query[Any]:
    """Move a task to the recycle bin."""
    return Query("tasks.task.delete", {"taskId": task_id})


def attach_file(task_id: int, file_id: int) -> Query[Any]:
    """Hang a disk file on a task beside what is there; not idempotent."""
    return Query("tasks.task.files.attach", {"taskId": task_id, "fileId": file_id})


def attachments(task_id: int) -> Query[list[int]]:
    """The attachment ids of a task, which are not disk ids. An empty list comes as false, null or []."""
    return Query(
        "tasks.task.get",
        {"taskId": task_id, "select": ["ID", "UF_TASK_WEBDAV_FILES"]},
        lambda result: [int_or_zero(file_id) for file_id in php_values(task_row(result).get("ufTaskWebdavFiles"))],
    )


def task_history(task_id: int, zone: tzinfo) -> Query[list[tuple[str, datetime | None, int]]]:
    """What was done to a task, as (field, moment, by whom); its creation is the field NEW."""

    def read(result: Any) -> list[tuple[str, datetime | None, int]]:
        rows = rows_of(mapping_of(result).get("list"))
        return [
            (
                str(row.get("field") or ""),
                read_moment(row.get("createdDate"), zone),
                int_or_zero((mapping_or_none(row.get("user")) or {}).get("id")),
            )
            for row in rows
        ]

    return Query("tasks.task.history.list", {"taskId": task_id}, read)


FOREIGN_KEY = "1c:doctor:no-such-key"


def foreign_key() -> Query[list[Mapping[str, Any]]]:
    """The tasks with a key that no task has: rows mean that the filter is ignored."""
    return tasks_by_key([FOREIGN_KEY])


def newest_tasks(field: str = "", value: str = "") -> Query[list[Mapping[str, Any]]]:
    """The newest tasks (with this value in a field): the key if the portal has it, and a date, which shows its zone.

    A portal may ignore the filter: what was made just now is among the newest all the same.
    """
    params = {"select": ["ID", "TITLE", "XML_ID", "CREATED_DATE"], "order": {"ID": "desc"}, "start": -1}
    return Query("tasks.task.list", params | ({"filter": {field: value}} if field else {}), _task_rows)


def mandatory_fields() -> Query[list[str]]:
    """The custom fields that a task must have. Parameters count by their order, and an empty one is lost in a batch."""
    return Query(
        "task.item.userfield.getlist",
        {"ORDER": {"ID": "asc"}, "FILTER": {"MANDATORY": "Y"}},
        lambda result: [str(row.get("FIELD_NAME")) for row in rows_of(result) if row.get("MANDATORY") == "Y"],
    )


def task(task_id: int, select: Sequence[str]) -> Query[Mapping[str, Any]]:
    """A task with these columns only."""
    params = {"taskId": task_id, "select": list(select)}
    return Query("tasks.task.get", params, task_row)


def listed_chat(task_id: int) -> Query[Mapping[str, Any]]:
    """The task's chat as a list shows it, which makes none."""
    params = {"filter": {"ID": task_id}, "select": ["ID", "CHAT_ID"], "order": {"ID": "asc"}, "start": -1}
    return Query("tasks.task.list", params, lambda result: (_task_rows(result) or [{}])[0])
