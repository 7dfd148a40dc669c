"""task.elapseditem.add and getlist: the time people write down.

These old methods bind parameters by their order and never look at the names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from b24tools.sandbox import filters, php
from b24tools.sandbox.methods import PAGE, Answer, Call, RestError, core_error, method
from b24tools.sandbox.records import TimeItem

WRITABLE: Final = ("USER_ID", "COMMENT_TEXT", "SECONDS", "SOURCE", "CREATED_DATE", "DATE_START", "DATE_STOP")
FILTERABLE: Final = ("ID", "TASK_ID", "USER_ID", "CREATED_DATE")
COLUMNS: Final = filters.columns(
    "ID TASK_ID=task USER_ID=user COMMENT_TEXT=text SECONDS MINUTES SOURCE CREATED_DATE=at DATE_START=at DATE_STOP=at"
)
SORTABLE: Final = tuple(name for name in COLUMNS if name not in {"COMMENT_TEXT", "SOURCE"})


def _refuse(code: int, text: str) -> RestError:
    names = {1: "TASK_NOT_FOUND_OR_NOT_ACCESSIBLE", 4: "ACTION_NOT_ALLOWED", 256: "WRONG_ARGUMENTS"}
    return core_error(f"TASKS_ERROR_EXCEPTION_#{code}; {text}; {code}/TE/{names[code]}")


def _bind(name: str, given: Iterable[Any], names: str, required: int) -> list[Any]:
    """Bind the arguments, each of its type: `taskId` a number, the others arrays; more than these are not looked at."""
    values: list[Any] = []
    given = list(given)
    for number, argument in enumerate(names.split()):
        place = f"Param #{number} ({argument})"
        if number >= len(given):
            if number < required:
                raise _refuse(256, f"{place} expected by method {name}(), but not given.")
            values.append({})
            continue
        is_number = argument == "taskId"
        if not (_is_integer(given[number]) if is_number else php.is_array(given[number])):
            kind = "integer" if is_number else "array"
            text = f'{place} for method {name}() expected to be of type "{kind}", but given something else.'
            raise _refuse(256, text)
        values.append(given[number])
    return values


def _is_integer(value: Any) -> bool:
    if isinstance(value, str):
        return value.removeprefix("-").isdecimal()
    return isinstance(value, int) and not isinstance(value, bool)


def _check_keys(name: str, number: int, argument: str, given: Any, allowed: Iterable[str], signs: str = "") -> None:
    """Refuse a name an argument may not have; an empty first element stands for an empty array."""
    for key, value in php.items(given):
        if (key, value) != ("0", "") and key.lstrip(signs) not in allowed:
            text = f'Param #{number} ({argument}) for method {name}() must not contain key "{key}".'
            raise _refuse(256, text)


@method("task.elapseditem.add", "task", writes=True)
def add(call: Call) -> int:
    """Write down seconds spent on a task: TIME_SPENT_IN_LOGS grows, CHANGED_DATE stays."""
    name, portal = "ctaskelapseditem::add", call.portal
    number, fields = _bind(name, call.params.values(), "taskId fields", 2)
    _check_keys(name, 1, "fields", fields, WRITABLE)
    values, task = dict(php.items(fields)), portal.tasks.get(php.to_int(number))
    if task is None or not portal.may_see(call.user, task):
        raise _refuse(1, "Task not found or not accessible")
    if call.user.id not in (task.responsible, *task.accomplices) and not portal.may_edit(call.user, task):
        raise _refuse(4, "Action not allowed")
    at = php.strtotime(php.to_text(values.get("CREATED_DATE")), portal.server_zone) or portal.stamp
    user_id, seconds = php.to_int(values.get("USER_ID")) or call.user.id, php.to_int(values.get("SECONDS"))
    text = php.to_text(values.get("COMMENT_TEXT"))
    row = TimeItem(len(portal.time_items) + 1, task.id, user_id, seconds, text, at)
    portal.time_items.append(row)
    before = portal.tasks.change(task, time_spent=task.time_spent + seconds)
    spent = (str(before.time_spent or ""), str(task.time_spent or ""))
    portal.log_change(task, call.user.id, portal.stamp, "TIME_SPENT_IN_LOGS", *spent)
    return row.id


@method("task.elapseditem.getlist", "task")
def read_list(call: Call) -> Answer:
    """Give the items of one task, all of them, or 50 at a time of every task the caller can see."""
    name, portal, given = "ctaskelapseditem::getlist", call.portal, list(call.params.values())
    if not given or php.is_array(given[0]):
        given.insert(0, 0)
    number, order, raw, select, params = _bind(name, given, "taskId order filter select params", 0)
    _check_keys(name, 1, "order", order, SORTABLE)
    _check_keys(name, 2, "filter", raw, FILTERABLE, "!<>=")
    task_id = php.to_int(number)
    seen = {task.id for task in portal.tasks if portal.may_see(call.user, task)}
    if task_id and task_id not in seen:
        raise _refuse(1, "Task not found or not accessible")
    limits = {key: value for key, value in php.items(raw) if key}
    for key in [key for key in limits if key.endswith("CREATED_DATE")]:
        limits[key] = php.strtotime(php.to_text(limits[key]), portal.server_zone) or 0
    rows = [row for row in portal.time_items if row.task in seen and task_id in (0, row.task)]
    rows = filters.select(rows, filters.read_conditions(limits, COLUMNS))
    rows = filters.sort(rows, dict(php.items(order)) or {"ID": "ASC"}, COLUMNS)
    total, rows = len(rows), _cut_page(rows, params, whole=bool(task_id))
    wanted = {php.to_text(item) for item in php.values(select)} - {"", "*"} or set(COLUMNS)

    def show(row: TimeItem) -> dict[str, Any]:
        shown = {key: str(column(row)) for key, column in COLUMNS.items() if key in wanted}
        dates = {key: call.write_date(row.at) for key in ("CREATED_DATE", "DATE_START", "DATE_STOP") if key in wanted}
        return shown | dates

    return Answer([show(row) for row in rows], total=total)


def _cut_page(rows: list[TimeItem], params: Any, *, whole: bool) -> list[TimeItem]:
    navigation = params.get("NAV_PARAMS") if isinstance(params, dict) else None
    if not isinstance(navigation, dict):
        return rows if whole else rows[:PAGE]
    size = min(PAGE, php.to_int(navigation.get("nPageSize", PAGE)))
    first = max(0, php.to_int(navigation.get("iNumPage")) - 1) * size
    return rows[first : first + size]
