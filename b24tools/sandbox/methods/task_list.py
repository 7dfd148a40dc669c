"""tasks.task.list and get, and the filter of the list: what it understands, what it drops without a word.

Not emulated, hence ignored like any unknown name: groups of conditions (`::SUBFILTER`), members, tags, FLOW, sprints
and stages, SEARCH_INDEX, PERIOD, ROLE, SCENARIO_NAME, DEPARTMENT_ID, the counters and more.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from b24tools.sandbox import filters, php
from b24tools.sandbox.filters import COMPARE, Condition
from b24tools.sandbox.methods import PAGE, SCRAMBLE, Answer, Call, RestError, method
from b24tools.sandbox.methods.task_rows import KEYS, TaskView, meta_status
from b24tools.sandbox.records import Task
from b24tools.sandbox.task_store import Hints

# In the order the portal tries them: "!@F" reads as "!" and an unknown name, "=%F" as "=" and an unknown name.
OPERATORS: Final = ("=", "!=", "%", "!%", "?", "><", "*=", "*%", "*", "!><", ">=", ">", "<=", "<", "!", "@")
# An empty value (PHP's empty(): "", 0, "0", null, []) drops the condition of these, only an empty array that of NUMBERS
STRICT_NUMBERS: Final = filters.columns("ID PRIORITY CREATED_BY=creator RESPONSIBLE_ID=responsible TIME_ESTIMATE")
NUMBERS: Final = filters.columns("PARENT_ID=parent GROUP_ID=group STATUS_CHANGED_BY CHANGED_BY REAL_STATUS=status")
TEXTS: Final = filters.columns("TITLE GUID")
STRINGS: Final = filters.columns("XML_ID ALLOW_CHANGE_DEADLINE ALLOW_TIME_TRACKING")
DATES: Final = filters.columns(
    "CREATED_DATE=created_at CHANGED_DATE=changed_at CLOSED_DATE=closed_at ACTIVITY_DATE=activity_at DATE_START "
    "START_DATE_PLAN=start_plan END_DATE_PLAN=end_plan DEADLINE"
)
SORTABLE: Final = DATES | filters.columns(
    "ID TITLE TIME_SPENT_IN_LOGS=time_spent REAL_STATUS=status PRIORITY GROUP_ID=group TIME_ESTIMATE"
)


@method("tasks.task.get", "task")
def get_task(call: Call) -> Any:
    """Give one task; a missing or hidden one is `[]` with status 200."""
    number = call.task_id()
    select = _read_select(call)
    task = call.portal.tasks.get(number)
    if task is None or not call.portal.may_see(call.user, task):
        return []
    return {"task": TaskView(call.portal, call.user).show(task, select, alone=True)}


@method("tasks.task.list", "task")
def list_tasks(call: Call) -> Answer:
    """Give a page of tasks: 50, `start` floored to a multiple of it, -1 meaning "do not count"."""
    order = {key.upper(): php.to_text(direction).lower() for key, direction in php.items(call.array("order"))}
    if not order.keys() <= SORTABLE.keys():
        raise RestError("0", "Неверный ключ сортировки")
    select = _read_select(call)
    start = php.to_int(call.start)
    if start == -1 and list(order.items())[:1] == [("ID", "asc")]:
        page, total, offset = list(islice(_find(call), PAGE)), None, 0
    else:
        rows = find(call, order)
        offset = max(0, start) // PAGE * PAGE
        page, total = rows[offset : offset + PAGE], None if start == -1 else len(rows)
    if "*" not in select and any(name in KEYS for name in select):
        select = [*select, *order]  # sorting by a column adds it
    view = TaskView(call.portal, call.user)
    result = {"tasks": [view.show(task, select, alone=False) for task in page]}
    following = offset + len(page)
    return Answer(result, total=total, next=following if page and total and following < total else None)


def _read_select(call: Call) -> list[str]:
    names = php.values(call.array("select"))
    if any(not isinstance(name, str) for name in names):
        raise RestError("0", "Invalid select data")
    return names


def find(call: Call, order: dict[str, str]) -> list[Task]:
    """Find all that the filter wants, in this order: ties by ascending id, and without `order` no ORDER BY at all."""
    if not order:
        return sorted(_find(call), key=lambda task: task.id * SCRAMBLE % 2**32)
    return filters.sort(_find(call), order, SORTABLE)


def _find(call: Call) -> Iterator[Task]:
    conditions: list[Condition] = []
    hints = Hints()
    if not call.user.admin:
        conditions.append(lambda task: call.portal.may_see(call.user, task))
    for key, value in php.items(call.array("filter")):
        if key.isdecimal() and not php.is_array(value):
            raise RestError("0", f"Invalid filter value: {php.to_text(value)}")
        sign = next((sign for sign in OPERATORS if key.startswith(sign)), "")
        condition = _read_condition(call, hints, sign, key[len(sign) :], value)
        if condition is not None:
            conditions.append(condition)
    return (task for task in call.portal.tasks.candidates(hints) if all(holds(task) for holds in conditions))


def _read_condition(call: Call, hints: Hints, sign: str, name: str, value: Any) -> Condition | None:
    """Read one condition; None for what the portal ignores: unknown names, empty arrays, odd operators."""
    equal, negated = sign in ("", "="), sign in ("!", "!=")
    if name in TEXTS and not php.is_array(value):
        return _read_text_condition(TEXTS[name], sign, php.fold(php.to_text(value)))
    if name in DATES:
        # "" is NULL; anything unreadable becomes 1970: ">=" then finds everything, "<=" nothing
        column, text = DATES[name], php.to_text(value)
        moment = php.strtotime(text, call.portal.server_zone) or 0 if text else None
        if sign in COMPARE and moment is not None:
            hints.add_limit(name, sign, moment)
            return filters.compare(column, sign, moment)
        return (lambda task: (column(task) == moment) != negated) if equal or negated else None
    if php.is_array(value) and not value:
        return None
    if name == "XML_ID" and (not value or not call.portal.keep_xml_id):
        return None  # an empty XML_ID drops the condition: every task comes back
    if name in STRINGS or name in call.portal.user_fields:
        if equal:
            hints.add_values(name, value)
        column = STRINGS.get(name, lambda task: php.to_text(task.fields.get(name)))
        return filters.is_among(column, value, negated=negated) if equal or negated else None
    now, user_id = call.portal.stamp, call.user.id
    columns = STRICT_NUMBERS | NUMBERS | {"STATUS": lambda task: meta_status(task, now, user_id)}
    if name not in columns or (name in STRICT_NUMBERS and not php.is_true(value)):
        return None
    if sign in COMPARE:
        hints.add_limit(name, sign, php.to_int(value))  # 1 for an array, which a broken chain of pages sends
        return filters.compare(columns[name], sign, value)
    if equal or sign == "@":
        hints.add_values(name, value)
    return filters.is_among(columns[name], value, negated=negated) if equal or negated or sign == "@" else None


def _read_text_condition(column: filters.Column, sign: str, wanted: str) -> Condition | None:
    if sign in ("", "%"):
        return lambda task: wanted in php.fold(column(task))
    if sign in ("!", "!%"):
        return lambda task: wanted not in php.fold(column(task))
    # The value is LIKE-escaped first, so a title with ! _ % never equals itself
    never = any(char in wanted for char in "!_%")
    return (lambda task: not never and php.fold(column(task)) == wanted) if sign == "=" else None
