"""tasks.task.list, get and getFields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import taskfilter
from b24tools.sandbox.methods.taskview import COLUMNS, EXTRA, View, field_names
from b24tools.sandbox.records import Task
from b24tools.sandbox.rest import PAGE, Answer, Call, Method, RestError

SCRAMBLE: Final = 2654435761  # Knuth's multiplier: an order that is arbitrary, yet the same every time

SORTABLE: Final[dict[str, Callable[[Task], Any]]] = {
    "ID": lambda task: task.id,
    "TITLE": lambda task: php.fold(task.title),
    "TIME_SPENT_IN_LOGS": lambda task: task.time_spent or None,
    "DATE_START": lambda task: task.date_start,
    "CREATED_DATE": lambda task: task.created_at,
    "CHANGED_DATE": lambda task: task.changed_at,
    "CLOSED_DATE": lambda task: task.closed_at,
    "ACTIVITY_DATE": lambda task: task.activity_at,
    "START_DATE_PLAN": lambda task: task.start_plan,
    "END_DATE_PLAN": lambda task: task.end_plan,
    "DEADLINE": lambda task: task.deadline,
    "REAL_STATUS": lambda task: task.status,
    "STATUS_COMPLETE": lambda task: task.status in (4, 5),
    "PRIORITY": lambda task: task.priority,
    "MARK": lambda task: task.mark,
    "GROUP_ID": lambda task: task.group,
    "TIME_ESTIMATE": lambda task: task.time_estimate,
    "ALLOW_CHANGE_DEADLINE": lambda task: task.allow_change_deadline,
    "ALLOW_TIME_TRACKING": lambda task: task.allow_time_tracking,
    "MATCH_WORK_TIME": lambda task: task.match_work_time,
    "FAVORITE": lambda task: 0,
    "SORTING": lambda task: 0,
    "IS_PINNED": lambda task: 0,
    "IS_PINNED_IN_GROUP": lambda task: 0,
}
BY_NAME: Final = ("CREATED_BY_LAST_NAME", "RESPONSIBLE_LAST_NAME")


def read_list(call: Call) -> Answer:
    """A page of tasks: 50, `start` floored to a multiple of it, -1 meaning "do not count"."""
    order = _order(call)
    select = _select(call) or []
    start = php.to_int(call.start)
    offset = max(0, start) // PAGE * PAGE
    if start == -1 and order[:1] == [("ID", False)]:
        page, total = list(islice(_matching(call), PAGE)), None
    else:
        rows = find(call, order)
        page, total = rows[offset : offset + PAGE], len(rows)
    if select and "*" not in select and any(name in COLUMNS or name in EXTRA for name in select):
        select = [*select, *(name for name, _ in order if name in COLUMNS)]
    view = View(call.portal, call.user)
    result = {"tasks": [view.select(task, select, card=False) for task in page]}
    if start == -1 or total is None:
        return Answer(result)
    following = offset + len(page)
    return Answer(result, total=total, next=following if page and following < total else None)


def find(call: Call, order: list[tuple[str, bool]]) -> list[Task]:
    """All that the filter finds, in this order."""
    return _sorted(call, list(_matching(call)), order)


def _matching(call: Call) -> Iterator[Task]:
    reader = taskfilter.Reader(
        now=call.portal.now(),
        server_zone=call.portal.server_zone,
        user_zone=call.portal.zone_of(call.user),
        user_id=call.user.id,
        keep_xml_id=call.portal.keep_xml_id,
        user_fields=frozenset((*call.portal.user_fields, "UF_CRM_TASK")),
    )
    query = reader.read(call.array("filter"))
    if not call.user.admin:
        query.conditions.append(lambda task: call.portal.may_see(call.user, task))
    return (task for task in call.portal.tasks.candidates(query.hints) if query.matches(task))


def _select(call: Call) -> list[str]:
    names = php.values(call.array("select"))
    if any(not isinstance(name, str) for name in names):
        raise RestError("0", "Invalid select data")
    return names


def _order(call: Call) -> list[tuple[str, bool]]:
    """Names and "descending"; anything but asc counts as desc."""
    order = []
    for key, direction in php.items(call.array("order")):
        name = key.upper()
        if name not in SORTABLE and name not in BY_NAME:
            raise RestError("0", "Неверный ключ сортировки")
        order.append((name, php.to_text(direction).lower() != "asc"))
    return order


def _sorted(call: Call, rows: list[Task], order: list[tuple[str, bool]]) -> list[Task]:
    """Ties go by ascending id; without `order` there is no ORDER BY at all."""
    if not order:
        return sorted(rows, key=lambda task: task.id * SCRAMBLE % 2**32)
    for name, descending in reversed(order):
        rows = sorted(rows, key=_sort_key(call, name), reverse=descending)
    return rows


def _sort_key(call: Call, name: str) -> Callable[[Task], tuple[bool, Any]]:
    """NULL sorts before everything, as in MySQL."""

    def column(task: Task) -> tuple[bool, Any]:
        value = SORTABLE[name](task)
        return (value is not None, 0 if value is None else value)

    def last_name(task: Task) -> tuple[bool, Any]:
        user = call.portal.users.get(task.creator if name == BY_NAME[0] else task.responsible)
        return (user is not None, php.fold(user.last_name) if user else "")

    return last_name if name in BY_NAME else column


def read_one(call: Call) -> Any:
    """One task; a missing or hidden one is `[]` with status 200."""
    number = call.task_id()
    select = _select(call)
    task = call.portal.tasks.get(number)
    if task is None or not call.portal.may_see(call.user, task):
        return []
    return {"task": View(call.portal, call.user).select(task, select, card=True)}


DATETIMES: Final = [
    "CREATED_DATE",
    "CHANGED_DATE",
    "STATUS_CHANGED_DATE",
    "CLOSED_DATE",
    "ACTIVITY_DATE",
    "DATE_START",
    "DEADLINE",
    "START_DATE_PLAN",
    "END_DATE_PLAN",
    "EXCHANGE_MODIFIED",
    "VIEWED_DATE",
]
STRINGS: Final = ["TITLE", "DESCRIPTION", "GUID", "XML_ID", "SITE_ID"]
ARRAYS: Final = ["ACCOMPLICES", "AUDITORS", "CHECKLIST"]
ENUMS: Final = [
    "MARK",
    "PRIORITY",
    "STATUS",
    "MULTITASK",
    "NOT_VIEWED",
    "REPLICATE",
    "ALLOW_CHANGE_DEADLINE",
    "ALLOW_TIME_TRACKING",
    "TASK_CONTROL",
    "ADD_IN_REPORT",
    "SUBORDINATE",
    "FAVORITE",
    "DURATION_TYPE",
    "IS_MUTED",
    "IS_PINNED",
    "IS_PINNED_IN_GROUP",
]
TITLES: Final = {
    "TITLE": "Название",
    "DESCRIPTION": "Описание",
    "RESPONSIBLE_ID": "Исполнитель",
    "CREATED_BY": "Постановщик",
    "DEADLINE": "Крайний срок",
    "GROUP_ID": "Проект",
    "STATUS": "Статус",
}
VALUES: Final = {
    "STATUS": {"2": "Ждет выполнения", "3": "Выполняется", "4": "Ожидает контроля", "5": "Завершена", "6": "Отложена"},
    "PRIORITY": {"2": "Высокий", "1": "Средний", "0": "Низкий"},
    "MARK": {"N": "Отрицательная", "P": "Положительная"},
}
USER_FIELD_TYPES: Final = {"UF_CRM_TASK": "crm", "UF_TASK_WEBDAV_FILES": "disk_file", "UF_MAIL_MESSAGE": "mail_message"}


def get_fields(call: Call) -> dict[str, Any]:
    """The fields of a task. Titles are given for the best known ones, `values` for three enumerations."""
    own = call.portal.user_fields
    return {"fields": {name: _field(name, own) for name in field_names(own)}}


def _field(name: str, own: dict[str, tuple[str | None, str]]) -> dict[str, Any]:
    if name in own:
        title, kind = own[name]
        return {"title": title, "type": kind}
    if name in USER_FIELD_TYPES:
        return {"title": None, "type": USER_FIELD_TYPES[name]}
    known = {"datetime": DATETIMES, "string": STRINGS, "array": ARRAYS, "enum": ENUMS}
    kind = next((kind for kind, names in known.items() if name in names), "integer")
    field: dict[str, Any] = {"title": TITLES.get(name), "type": kind}
    if name == "ID":
        field |= {"title": "ID", "primary": True}
    if name in ("TITLE", "CREATED_BY", "RESPONSIBLE_ID"):
        field["required"] = True
    if kind == "enum":
        field["values"] = VALUES.get(name, {"Y": "Да", "N": "Нет"})
    return field


METHODS: Final = (
    Method("tasks.task.list", "task", read_list),
    Method("tasks.task.get", "task", read_one),
    Method("tasks.task.getFields", "task", get_fields),
)
