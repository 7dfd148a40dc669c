"""The `fields` of tasks.task.add and update: what each value becomes before it is saved.

Not emulated, hence ignored: REPLICATE, SE_PARAMETER, STAGE_ID, FLOW_ID, DEPENDS_ON, DURATION_PLAN, CHECKLIST,
HTML descriptions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from b24tools.sandbox import php
from b24tools.sandbox.methods import worktime
from b24tools.sandbox.records import DEFERRED, PENDING, Task
from b24tools.sandbox.rest import Call, RestError, core_error

HASHTAG: Final = re.compile(r"\s#([^\s,\[\]<>]+)")
TITLE_LENGTH: Final = 250
XML_ID_LENGTH: Final = 200  # what the validator of the ORM lets through; the column is narrower
DEFAULT_DEADLINE_DAYS: Final = 5
LAST_SECOND: Final = 86399
ADD_FAILED: Final = "ERROR_UNKNOWN_ADD_TASK_ERROR"
UPDATE_FAILED: Final = "ERROR_UNKNOWN_UPDATE_TASK_ERROR"

DATES: Final = {
    "DEADLINE": "deadline",
    "START_DATE_PLAN": "start_plan",
    "END_DATE_PLAN": "end_plan",
    "DATE_START": "date_start",
    "CREATED_DATE": "created_at",
    "CHANGED_DATE": "changed_at",
    "CLOSED_DATE": "closed_at",
    "ACTIVITY_DATE": "activity_at",
    "STATUS_CHANGED_DATE": "status_changed_at",
}
NOT_NULL: Final = ("created_at", "changed_at", "activity_at")
FLAGS: Final = {
    "ALLOW_CHANGE_DEADLINE": "allow_change_deadline",
    "ALLOW_TIME_TRACKING": "allow_time_tracking",
    "TASK_CONTROL": "task_control",
    "ADD_IN_REPORT": "add_in_report",
    "MATCH_WORK_TIME": "match_work_time",
}
PEOPLE: Final = {"ACCOMPLICES": "accomplices", "AUDITORS": "auditors"}


def named(raw: Any) -> dict[str, Any]:
    """The fields by name; a leading tilde is stripped, null counts as absent."""
    return {key.lstrip("~"): value for key, value in php.items(raw) if value is not None}


def read(call: Call, fields: Mapping[str, Any], task: Task | None) -> dict[str, Any]:
    """Columns and their new values. `task` is None for a new one."""
    changes: dict[str, Any] = {}
    for read_some in (_read_texts, _read_numbers, _read_people, _read_dates, _read_user_fields):
        changes |= read_some(call, fields)
    _read_title_and_tags(fields, task, changes)
    _blank_half_plan(fields, task, changes)
    _check_plan(task, changes)
    _into_work_time(call, task, changes)
    return changes


def _read_texts(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "DESCRIPTION" in fields:
        changes["description"] = php.to_text(fields["DESCRIPTION"])
    if "XML_ID" in fields and call.portal.keep_xml_id:
        changes["xml_id"] = php.to_text(fields["XML_ID"]) or None
    if "MARK" in fields:
        changes["mark"] = fields["MARK"] if fields["MARK"] in ("P", "N") else None
    for name, column in FLAGS.items():
        if name in fields:
            # Exactly "Y" or JSON true; "1", 1 and "true" are off
            changes[column] = fields[name] is True or fields[name] == "Y"
    return changes


def fit_xml_id(call: Call, changes: dict[str, Any], code: str) -> None:
    """Saving a row: MySQL cuts a key that is too long, PostgreSQL refuses the row, the ORM refuses beyond 200."""
    key, width = changes.get("xml_id"), call.portal.xml_id_width
    if key is None:
        return
    if len(key) > XML_ID_LENGTH:
        text = f'Значение поля "XML_ID" превышает максимальную длину. Максимальная длина: {XML_ID_LENGTH}'
        raise RestError(code, text)
    if len(key) > width and call.portal.xml_id_overflow == "refuse":
        text = "Неизвестная ошибка при обновлении задачи"  # update hides the database's words
        if code == ADD_FAILED:
            text = f"Pgsql query error: ERROR:  value too long for type character varying({width})"
        raise RestError(code, text)
    changes["xml_id"] = key[:width]


def _read_numbers(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "PRIORITY" in fields:
        priority = php.to_int(fields["PRIORITY"])
        changes["priority"] = priority if priority in (0, 1, 2) else 1
    if "TIME_ESTIMATE" in fields:
        changes["time_estimate"] = max(0, php.to_int(fields["TIME_ESTIMATE"]))
    if "GROUP_ID" in fields:
        changes["group"] = php.to_int(fields["GROUP_ID"])
    if "PARENT_ID" in fields:
        changes["parent"] = _parent(call, php.to_int(fields["PARENT_ID"]))
    if "STATUS" in fields:
        status = php.to_int(fields["STATUS"])
        if not 1 <= status <= DEFERRED:
            raise core_error("Некорректный статус")
        changes["status"] = max(PENDING, status)  # 1 is obsolete and saved as 2
    return changes


def _parent(call: Call, parent_id: int) -> int:
    parent = call.portal.tasks.get(parent_id)
    if parent_id and (parent is None or not call.portal.may_see(call.user, parent)):
        raise core_error("Задача, указанная в поле &quot;Надзадача&quot;, не найдена")
    return parent_id


def _read_people(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "RESPONSIBLE_ID" in fields:
        responsible = php.to_int(fields["RESPONSIBLE_ID"])
        if responsible <= 0:
            raise core_error("Не указан исполнитель")
        if responsible not in call.portal.users:  # a dismissed one is accepted
            raise core_error("Пользователь, указанный в поле &quot;Исполнитель&quot;, не найден")
        changes["responsible"] = responsible
    if "CREATED_BY" in fields:
        creator = php.to_int(fields["CREATED_BY"])
        if creator not in call.portal.users and creator != call.user.id:
            raise core_error("Пользователь, указанный в поле &quot;Постановщик&quot;, не найден")
        changes["creator"] = creator
    for name, column in PEOPLE.items():
        if php.is_array(fields.get(name)) or fields.get(name) == "":  # other scalars are ignored
            ids = (php.to_int(one) for one in php.values(fields[name] or []))
            changes[column] = tuple(dict.fromkeys(person for person in ids if person > 0))
    return changes


def _read_dates(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, column in DATES.items():
        if name not in fields:
            continue
        at = _moment(call, name, fields[name])
        if at is not None or column not in NOT_NULL:
            changes[column] = at
    return changes


def _moment(call: Call, name: str, value: Any) -> int | None:
    """`strtotime()` with the seconds cut; a JSON number is a Unix timestamp as it stands."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value:
        return int(value)
    if not php.is_true(value) or php.is_array(value):
        return None
    at = php.strtotime(php.to_text(value), call.portal.now(), call.portal.server_zone)
    if at is None:
        # The portal leaves the text as it is and stumbles over it later; how is not documented
        raise core_error(f"Некорректная дата в поле {name}")
    return at - at % 60


def _read_user_fields(call: Call, fields: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: value for name, value in fields.items() if name == "UF_CRM_TASK" or name in call.portal.user_fields}
    return {"fields": own} if own else {}


def _read_title_and_tags(fields: Mapping[str, Any], task: Task | None, changes: dict[str, Any]) -> None:
    """` #word` in a text always becomes a tag, beside those in TAGS; a plain string in TAGS is ignored."""
    if "TITLE" in fields or task is None:
        title = php.to_text(fields.get("TITLE")).strip()[:TITLE_LENGTH]
        if not title:
            raise core_error("Не указано название задачи")
        changes["title"] = title
    tags: list[str] = list(task.tags) if task else []
    if php.is_array(fields.get("TAGS")):
        tags = []
        for tag in php.values(fields["TAGS"]):
            if not php.is_scalar(tag):
                raise core_error("Некорректный тег")
            tags.append(php.to_text(tag))
    for column in ("title", "description"):
        if column in changes:
            tags += HASHTAG.findall(f" {changes[column]}")
        elif task is not None and "TAGS" in fields:
            tags += HASHTAG.findall(f" {getattr(task, column)}")  # cannot be removed while the text has it
    kept = tuple(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if task is None or kept != task.tags:
        changes["tags"] = kept


def _blank_half_plan(fields: Mapping[str, Any], task: Task | None, changes: dict[str, Any]) -> None:
    """On update one of the two plan dates alone blanks the other, unless MATCH_WORK_TIME=Y."""
    given = [name for name in ("START_DATE_PLAN", "END_DATE_PLAN") if name in fields]
    if task is None or len(given) != 1 or changes.get("match_work_time", task.match_work_time):
        return
    changes["end_plan" if given == ["START_DATE_PLAN"] else "start_plan"] = None


def _check_plan(task: Task | None, changes: Mapping[str, Any]) -> None:
    start = changes.get("start_plan", task.start_plan if task else None)
    end = changes.get("end_plan", task.end_plan if task else None)
    if start is not None and end is not None and end < start:
        raise core_error("В планировании сроков указана дата окончания меньшая даты старта")


def _into_work_time(call: Call, task: Task | None, changes: dict[str, Any]) -> None:
    """MATCH_WORK_TIME=Y moves dates to the next working moment of the portal's calendar settings."""
    if not changes.get("match_work_time", task.match_work_time if task else False):
        return
    for column in ("deadline", "start_plan", "end_plan"):
        if changes.get(column) is not None:
            changes[column] = worktime.next_working_moment(call.portal, changes[column])


def drop_unpaid(call: Call, fields: dict[str, Any], *, new: bool) -> None:
    """A small tariff leaves out, without a word, what it does not have; given lists of people become empty ones."""
    if not call.portal.small_tariff:
        return
    for name in PEOPLE.keys() & fields.keys():
        fields[name] = []
    for name in ("ALLOW_TIME_TRACKING", "TASK_CONTROL", "MATCH_WORK_TIME"):
        if name in fields:
            fields[name] = "N"
    if new:
        fields.pop("GROUP_ID", None)


def check_mandatory(call: Call, fields: Mapping[str, Any], *, new: bool) -> None:
    """Fields made by hand are looked at only when the request brings any; an update may leave the others out."""
    if not any(name.startswith("UF_") for name in fields):
        return
    for name in call.portal.user_fields.keys() & call.portal.mandatory_fields:
        if (new or name in fields) and fields.get(name) in (None, "", [], {}, False):
            label = call.portal.user_fields[name][0] or name
            raise core_error(f"Поле &quot;{label}&quot; обязательно для заполнения.")


RANGES: Final = (
    ("deadline", "Крайний срок задачи стоит за рамками проекта"),
    ("end_plan", "Планируемая дата завершения задачи стоит за рамками проекта"),
    ("start_plan", "Планируемая дата начала задачи стоит за рамками проекта"),
)


def check_project_dates(call: Call, task: Task | None, changes: Mapping[str, Any]) -> None:
    """Deadline and plan lie within the dates of a project, its last day included; groups have none.

    An update is held to it when it changes the project or any of the three dates.
    """
    if task is not None and not {"group", *(column for column, _ in RANGES)} & changes.keys():
        return
    group = call.portal.groups.get(changes.get("group", task.group if task else 0))
    if group is None or not group.project:
        return
    for column, text in RANGES:
        at = changes.get(column, getattr(task, column) if task else None)
        if at is None:
            continue
        if group.date_start is not None and at < group.date_start:
            raise core_error(text)
        if group.date_finish is not None and at > group.date_finish + LAST_SECOND:
            raise core_error(text)


def default_deadline(call: Call, *, working_days: bool) -> int:
    """No DEADLINE in add means one in five days at the end of the portal's working day."""
    return worktime.end_of_day_in(call.portal, call.user, DEFAULT_DEADLINE_DAYS, working_days=working_days)


def is_only(fields: Mapping[str, Any], *names: str) -> bool:
    """Whether an update touches nothing but these."""
    return bool(fields) and set(fields) <= set(names)
