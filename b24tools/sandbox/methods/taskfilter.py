"""The `filter` of tasks.task.list: what it understands, what it drops without a word.

Not emulated, hence ignored like any unknown name: FLOW, sprints and stages, IM_CHAT_CHAT_ID, SEARCH_INDEX,
PERIOD, ACTIVE, ROLE, SCENARIO_NAME, SUBORDINATE_TASKS, DEPENDS_ON, DEPARTMENT_ID and the counters.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods.taskstore import Hints
from b24tools.sandbox.records import COMPLETED, PENDING, SUPPOSEDLY_COMPLETED, Task
from b24tools.sandbox.rest import RestError

Condition = Callable[[Task], bool]

# In the order the portal tries them: "!@F" reads as "!" and an unknown name, "=%F" as "=" and an unknown name.
OPERATORS: Final = ("=", "!=", "%", "!%", "?", "><", "*=", "*%", "*", "!><", ">=", ">", "<=", "<", "!", "@")
COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
DAY: Final = 86400


# An empty value (PHP's empty(): "", 0, "0", null, []) drops the condition of these.
STRICT_NUMBERS: Final[dict[str, Callable[[Task], int | None]]] = {
    "ID": lambda task: task.id,
    "PRIORITY": lambda task: task.priority,
    "CREATED_BY": lambda task: task.creator,
    "RESPONSIBLE_ID": lambda task: task.responsible,
    "STAGE_ID": lambda task: 0,
    "TIME_ESTIMATE": lambda task: task.time_estimate,
    "FORKED_BY_TEMPLATE_ID": lambda task: None,
}
# Only an empty array drops the condition of these; "!" also finds NULL.
NUMBERS: Final[dict[str, Callable[[Task], int | None]]] = {
    "PARENT_ID": lambda task: task.parent,
    "GROUP_ID": lambda task: task.group,
    "STATUS_CHANGED_BY": lambda task: task.status_changed_by,
    "CHANGED_BY": lambda task: task.changed_by,
    "REAL_STATUS": lambda task: task.status,
}
TEXTS: Final[dict[str, Callable[[Task], str]]] = {"TITLE": lambda task: task.title, "GUID": lambda task: task.guid}
STRINGS: Final[dict[str, Callable[[Task], str | None]]] = {
    "XML_ID": lambda task: task.xml_id,
    "MARK": lambda task: task.mark,
    "SITE_ID": lambda task: "s1",
    "ADD_IN_REPORT": lambda task: "Y" if task.add_in_report else "N",
    "ALLOW_TIME_TRACKING": lambda task: "Y" if task.allow_time_tracking else "N",
    "ALLOW_CHANGE_DEADLINE": lambda task: "Y" if task.allow_change_deadline else "N",
    "MATCH_WORK_TIME": lambda task: "Y" if task.match_work_time else "N",
}
DATES: Final[dict[str, Callable[[Task], int | None]]] = {
    "CREATED_DATE": lambda task: task.created_at,
    "CLOSED_DATE": lambda task: task.closed_at,
    "DATE_START": lambda task: task.date_start,
    "DEADLINE": lambda task: task.deadline,
    "START_DATE_PLAN": lambda task: task.start_plan,
    "END_DATE_PLAN": lambda task: task.end_plan,
    "CHANGED_DATE": lambda task: task.changed_at,
    "ACTIVITY_DATE": lambda task: task.activity_at,
}
PEOPLE: Final[dict[str, Callable[[Task], tuple[int, ...]]]] = {
    "ACCOMPLICE": lambda task: task.accomplices,
    "AUDITOR": lambda task: task.auditors,
    "MEMBER": lambda task: (task.creator, task.responsible, *task.accomplices, *task.auditors),
    "DOER": lambda task: (task.responsible, *task.accomplices),
}


@dataclass
class Query:
    """A filter made ready: conditions that all must hold, and hints for the indexes."""

    conditions: list[Condition] = field(default_factory=list)
    hints: Hints = field(default_factory=Hints)

    def matches(self, task: Task) -> bool:
        """Whether a task meets every condition."""
        return all(condition(task) for condition in self.conditions)


@dataclass(frozen=True)
class Reader:
    """Reads filters for one caller at one moment."""

    now: datetime
    server_zone: tzinfo
    user_zone: tzinfo
    user_id: int
    keep_xml_id: bool = True
    user_fields: frozenset[str] = frozenset()

    def read(self, raw: Any) -> Query:
        """The conditions the portal would see in a filter."""
        query = Query()
        for key, value in php.items(raw):
            if isinstance(raw, list) or key.isdecimal():
                if not php.is_array(value):
                    raise RestError("0", f"Invalid filter value: {php.to_text(value)}")
                condition = self._group(value)
            elif key.startswith("::SUBFILTER"):
                condition = self._group(value) if php.is_array(value) else None
            else:
                condition = self._condition(key, value, site_dates=False)
                self._hint(query.hints, key, value, condition)
            if condition is not None:
                query.conditions.append(condition)
        return query

    def _group(self, raw: Any) -> Condition | None:
        """A nested filter. Inside an OR one ignored condition drops the whole group."""
        found: list[Condition | None] = []
        any_of = False
        for key, value in php.items(raw):
            if key == "::LOGIC":
                any_of = php.to_text(value).upper() == "OR"
            elif key.startswith("::SUBFILTER") or key.isdecimal():
                found.append(self._group(value))
            else:
                found.append(self._condition(key, value, site_dates=True))
        kept = [condition for condition in found if condition is not None]
        if not kept or (any_of and len(kept) < len(found)):
            return None
        if any_of:
            return lambda task: any(condition(task) for condition in kept)
        return lambda task: all(condition(task) for condition in kept)

    def _condition(self, key: str, value: Any, *, site_dates: bool) -> Condition | None:
        """One condition; None for what the portal ignores: unknown names, empty arrays, odd operators."""
        sign, name = split_key(key)
        if name in STRICT_NUMBERS:
            return _number(STRICT_NUMBERS[name], sign, value, drop=lambda raw: not php.is_true(raw))
        if name in NUMBERS:
            return _number(NUMBERS[name], sign, value, drop=lambda raw: raw == [] or raw == {})
        if name == "STATUS":
            return _number(self._meta_status, sign, value, drop=lambda raw: raw == [] or raw == {})
        if name in TEXTS:
            return _text(TEXTS[name], sign, value)
        if name == "XML_ID" and (not self.keep_xml_id or value in ("", None)):
            return None  # an empty XML_ID drops the condition: every task comes back
        if name in STRINGS:
            return _string(STRINGS[name], sign, value)
        if name in DATES:
            return self._date(DATES[name], sign, value, site_dates=site_dates)
        if name in PEOPLE:
            return _people(PEOPLE[name], sign, value)
        if name == "TAG":
            return _tag(sign, value)
        if name == "ONLY_ROOT_TASKS":
            return (lambda task: task.parent == 0) if value == "Y" else None
        if name in self.user_fields:
            return _string(lambda task: _user_field(task, name), sign, value)
        return None

    def _meta_status(self, task: Task) -> int:
        return meta_status(task, int(self.now.timestamp()), self.user_id)

    def _date(self, read: Callable[[Task], int | None], sign: str, value: Any, *, site_dates: bool) -> Condition | None:
        if value in ("", None):
            return _null(read, sign)
        # Anything unreadable becomes 1970: ">=" then finds everything, "<=" nothing
        zone = self.user_zone if site_dates else self.server_zone
        text = value if isinstance(value, str) else ""
        if site_dates and not php.SITE_DATE.fullmatch(text.strip()):
            moment = 0
        else:
            moment = php.strtotime(text, self.now, zone) or 0
        if sign in COMPARE:
            compare = COMPARE[sign]
            return lambda task: (at := read(task)) is not None and compare(at, moment)
        if sign in ("", "="):
            return lambda task: read(task) == moment
        if sign in ("!", "!="):
            return lambda task: read(task) != moment
        return None

    def _hint(self, hints: Hints, key: str, value: Any, condition: Condition | None) -> None:
        if condition is None:
            return
        sign, name = split_key(key)
        if name == "ID" and sign == ">":
            hints.after = max(hints.after, php.to_int(value))
        elif name == "ID" and sign in ("", "=", "@"):
            hints.ids = frozenset(map(php.to_int, php.values(value)))
        elif name == "RESPONSIBLE_ID" and sign in ("", "=", "@"):
            hints.responsible = frozenset(map(php.to_int, php.values(value)))
        elif name == "XML_ID" and sign in ("", "="):
            keys = frozenset(php.fold(php.to_text(one)) for one in php.values(value))
            hints.xml_ids = None if "" in keys else keys
        elif name == "CLOSED_DATE" and sign in COMPARE and isinstance(value, str) and value:
            moment = php.strtotime(value, self.now, self.server_zone) or 0
            if sign.startswith(">"):
                hints.closed_from = moment
            else:
                hints.closed_to = moment


def split_key(key: str) -> tuple[str, str]:
    """An operator and a name, tried in the portal's order."""
    for sign in OPERATORS:
        if key.startswith(sign):
            # "=" is tried before "!=", which is no trouble, but "=%F" is "=" and the unknown "%F"
            return sign, key[len(sign) :]
    return "", key


def meta_status(task: Task, now: int, user_id: int) -> int:
    """The computed status: -3 the deadline is within a day, -1 overdue, -2 not yet seen by the caller."""
    if task.status not in (SUPPOSEDLY_COMPLETED, COMPLETED) and task.deadline is not None:
        if task.deadline < now:
            return -1
        if task.deadline < now + DAY:
            return -3
    unseen = user_id not in task.viewed_by and task.creator != user_id
    return -2 if unseen and task.status <= PENDING else task.status


def _number(
    read: Callable[[Task], int | None], sign: str, value: Any, *, drop: Callable[[Any], bool]
) -> Condition | None:
    if drop(value):
        return None
    if sign in COMPARE:
        # an array here is (int)array = 1: what a broken chain of pages in a batch sends
        compare, limit = COMPARE[sign], php.to_int(value)
        return lambda task: (number := read(task)) is not None and compare(number, limit)
    wanted = frozenset(map(php.to_int, php.values(value)))
    if sign in ("", "=", "@"):
        return lambda task: read(task) in wanted
    if sign in ("!", "!="):
        return lambda task: read(task) not in wanted
    return None


def _text(read: Callable[[Task], str], sign: str, value: Any) -> Condition | None:
    if php.is_array(value):
        return None
    wanted = php.fold(php.to_text(value))
    if sign in ("", "%"):
        return lambda task: wanted in php.fold(read(task))
    if sign in ("!", "!%"):
        return lambda task: wanted not in php.fold(read(task))
    if sign == "=":
        # The value is LIKE-escaped first, so a title with ! _ % never equals itself
        if any(char in wanted for char in "!_%"):
            return lambda task: False
        return lambda task: php.fold(read(task)) == wanted
    return None


def _string(read: Callable[[Task], str | None], sign: str, value: Any) -> Condition | None:
    if value == [] or value == {}:
        return None
    wanted = frozenset(php.fold(php.to_text(one)) for one in php.values(value))
    if sign in ("", "="):
        return lambda task: php.fold(read(task) or "") in wanted
    if sign in ("!", "!="):
        return lambda task: php.fold(read(task) or "") not in wanted
    if sign == "@":  # IN with integers, whatever the field is
        numbers = frozenset(str(php.to_int(one)) for one in php.values(value))
        return lambda task: (read(task) or "") in numbers
    first = php.fold(php.to_text(php.values(value)[0]))
    if sign == "%":
        return lambda task: first in php.fold(read(task) or "")
    if sign == "!%":
        return lambda task: first not in php.fold(read(task) or "")
    return None


def _null(read: Callable[[Task], int | None], sign: str) -> Condition | None:
    if sign in ("", "="):
        return lambda task: read(task) is None
    if sign in ("!", "!="):
        return lambda task: read(task) is not None
    return None


def _people(read: Callable[[Task], tuple[int, ...]], sign: str, value: Any) -> Condition | None:
    wanted = frozenset(map(php.to_int, php.values(value)))
    if not wanted or sign not in ("", "=", "@"):
        return None
    return lambda task: not wanted.isdisjoint(read(task))


def _tag(sign: str, value: Any) -> Condition | None:
    wanted = frozenset(php.fold(php.to_text(one)) for one in php.values(value))
    if not wanted or sign not in ("", "="):
        return None
    return lambda task: wanted <= {php.fold(tag) for tag in task.tags}


def _user_field(task: Task, name: str) -> str | None:
    value = (task.fields or {}).get(name)
    return None if value is None else php.to_text(value)
