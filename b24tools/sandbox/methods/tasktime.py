"""task.elapseditem.add and getlist: the time people write down. Parameters go by their order."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from b24tools.sandbox import ormfilter, php, positional
from b24tools.sandbox.records import TimeItem
from b24tools.sandbox.rest import PAGE, Answer, Call, Method

WRITABLE: Final = ("USER_ID", "COMMENT_TEXT", "SECONDS", "SOURCE", "CREATED_DATE", "DATE_START", "DATE_STOP")
FILTERABLE: Final = ("ID", "TASK_ID", "USER_ID", "CREATED_DATE")
COLUMNS: Final[dict[str, ormfilter.Column]] = {
    "ID": lambda row: row.id,
    "TASK_ID": lambda row: row.task,
    "USER_ID": lambda row: row.user,
    "SECONDS": lambda row: row.seconds,
    "MINUTES": lambda row: round(row.seconds / 60),
    "CREATED_DATE": lambda row: row.at,
    "DATE_START": lambda row: row.at,
    "DATE_STOP": lambda row: row.at,
}
SORTABLE: Final = tuple(COLUMNS)
MANUAL: Final = "2"


def add(call: Call) -> int:
    """Time spent on a task, in seconds: TIME_SPENT_IN_LOGS grows, CHANGED_DATE stays."""
    method = "ctaskelapseditem::add"
    kinds = (("taskId", "integer"), ("fields", "array"))
    number, fields = positional.check(method, positional.arguments(call), kinds, 2)
    positional.check_keys(method, 1, "fields", fields, WRITABLE)
    values = dict(php.items(fields))
    task = call.portal.tasks.get(php.to_int(number))
    if task is None or not call.portal.may_see(call.user, task):
        raise positional.refuse(positional.NOT_FOUND, "Task not found or not accessible")
    if call.user.id not in (task.responsible, *task.accomplices) and not call.portal.may_edit(call.user, task):
        raise positional.refuse(positional.NOT_ALLOWED, "Action not allowed")
    seconds, user_id = php.to_int(values.get("SECONDS")), php.to_int(values.get("USER_ID")) or call.user.id
    at = int(call.portal.now().timestamp())
    if isinstance(values.get("CREATED_DATE"), str):
        at = php.strtotime(values["CREATED_DATE"], call.portal.now(), call.portal.server_zone) or at
    text = php.to_text(values.get("COMMENT_TEXT"))
    row = TimeItem(len(call.portal.time_items) + 1, task.id, user_id, seconds, text, at)
    call.portal.time_items.append(row)
    before = call.portal.tasks.change(task, time_spent=task.time_spent + seconds)
    spent = (str(before.time_spent or ""), str(task.time_spent or ""))
    call.portal.log_change(task, call.user.id, int(call.portal.now().timestamp()), "TIME_SPENT_IN_LOGS", *spent)
    return row.id


def read_list(call: Call) -> Answer:
    """The items of one task, all of them, or 50 at a time of every task the caller can see."""
    method = "ctaskelapseditem::getlist"
    given = positional.arguments(call)
    if given and php.is_array(given[0]):
        given.insert(0, 0)
    names = (("order", "array"), ("filter", "array"), ("select", "array"), ("params", "array"))
    number, order, raw, select, params = positional.check(method, given or [0], (("taskId", "integer"), *names), 0)
    positional.check_keys(method, 1, "order", order, SORTABLE)
    positional.check_keys(method, 2, "filter", raw, FILTERABLE, "!<>=")
    task_id = php.to_int(number)
    task = call.portal.tasks.get(task_id)
    if task_id and (task is None or not call.portal.may_see(call.user, task)):
        raise positional.refuse(positional.NOT_FOUND, "Task not found or not accessible")
    rows = [row for row in call.portal.time_items if _is_visible(call, row) and task_id in (0, row.task)]
    rows = ormfilter.select(rows, ormfilter.conditions(_with_dates(call, raw), COLUMNS, any_case=False))
    rows = ormfilter.order_by(rows, order or {"ID": "ASC"}, COLUMNS)
    page = _page(rows, params, whole=bool(task_id))
    wanted = {php.to_text(name) for name in php.values(select)} - {"", "*"}
    return Answer([_row(call, row, wanted) for row in page], total=len(rows))


def _is_visible(call: Call, row: TimeItem) -> bool:
    task = call.portal.tasks.get(row.task)
    return task is not None and call.portal.may_see(call.user, task)


def _with_dates(call: Call, raw: Any) -> dict[str, Any]:
    """The filter with its dates as the database has them."""
    moments = {
        key: php.strtotime(php.to_text(value), call.portal.now(), call.portal.server_zone) or 0
        for key, value in php.items(raw)
        if key.endswith("CREATED_DATE")
    }
    return dict(php.items(raw)) | moments


def _page(rows: list[TimeItem], params: Any, *, whole: bool) -> list[TimeItem]:
    navigation = params.get("NAV_PARAMS") if isinstance(params, dict) else None
    if not isinstance(navigation, dict):
        return rows if whole else rows[:PAGE]
    size = min(PAGE, php.to_int(navigation.get("nPageSize", PAGE)))
    first = max(0, php.to_int(navigation.get("iNumPage")) - 1) * size
    return rows[first : first + size]


def _row(call: Call, row: TimeItem, wanted: set[str]) -> dict[str, Any]:
    at = datetime.fromtimestamp(row.at, call.portal.server_zone).isoformat()
    values = {
        "ID": str(row.id),
        "TASK_ID": str(row.task),
        "USER_ID": str(row.user),
        "COMMENT_TEXT": row.text,
        "SECONDS": str(row.seconds),
        "MINUTES": str(round(row.seconds / 60)),
        "SOURCE": MANUAL,
        "CREATED_DATE": at,
        "DATE_START": at,
        "DATE_STOP": at,
    }
    return {name: value for name, value in values.items() if not wanted or name in wanted}


METHODS: Final = (
    Method("task.elapseditem.add", "task", add, writes=True),
    Method("task.elapseditem.getlist", "task", read_list),
)
