"""The `fields` of tasks.task.add and update: what each value becomes before it is saved; and those made by hand.

Not emulated, hence ignored: PARENT_ID, MARK, MATCH_WORK_TIME, ADD_IN_REPORT, REPLICATE, SE_PARAMETER, STAGE_ID,
FLOW_ID, DEPENDS_ON, DURATION_PLAN, CHECKLIST, HTML descriptions.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from b24tools.sandbox import filters, php
from b24tools.sandbox.methods import Answer, Call, RestError, core_error, method
from b24tools.sandbox.methods.task_rows import DATES, PEOPLE
from b24tools.sandbox.records import DEFERRED, PENDING, Task

HASHTAG: Final = re.compile(r"\s#([^\s,\[\]<>]+)")
DAY: Final = 86400
TITLE_LENGTH: Final = 250
XML_ID_LENGTH: Final = 200  # what the validator of the ORM lets through; the column is narrower
DEFAULT_DEADLINE: Final = timedelta(days=5)
ADD_FAILED: Final = "ERROR_UNKNOWN_ADD_TASK_ERROR"
UPDATE_FAILED: Final = "ERROR_UNKNOWN_UPDATE_TASK_ERROR"
NOT_NULL: Final = ("created_at", "changed_at", "activity_at")
FLAGS: Final = filters.attributes("ALLOW_CHANGE_DEADLINE ALLOW_TIME_TRACKING TASK_CONTROL")
READERS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "DESCRIPTION": ("description", php.to_text),
    "GROUP_ID": ("group", php.to_int),
    "PRIORITY": ("priority", lambda value: php.to_int(value) if php.to_int(value) in (0, 1, 2) else 1),
    "TIME_ESTIMATE": ("time_estimate", lambda value: max(0, php.to_int(value))),
} | {name: (attribute, lambda value: value is True or value == "Y") for name, attribute in FLAGS.items()}
RANGES: Final = (
    ("deadline", "Крайний срок задачи стоит за рамками проекта"),
    ("end_plan", "Планируемая дата завершения задачи стоит за рамками проекта"),
    ("start_plan", "Планируемая дата начала задачи стоит за рамками проекта"),
)
SYSTEM_FIELDS: Final = {"UF_CRM_TASK": "crm", "UF_TASK_WEBDAV_FILES": "disk_file", "UF_MAIL_MESSAGE": "mail_message"}
MULTIPLE: Final = ("crm", "disk_file")
FIRST_FIELD: Final = 1295
FIELD_SETTINGS: Final = {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": ""}
FIELD_FILTER: Final = ("ID", "FIELD_NAME", "USER_TYPE_ID", "MULTIPLE", "MANDATORY")


def read_fields(call: Call, *, new: bool) -> dict[str, Any]:
    """Give the fields by name; a leading tilde is stripped, null counts as absent.

    A small tariff leaves out, without a word, what it does not have; given lists of people become empty ones.
    """
    call.required("fields")
    if not call.array("fields") and not new:
        raise RestError("100", "Could not find value for parameter {fields}")
    fields = {key.lstrip("~"): value for key, value in php.items(call.array("fields")) if value is not None}
    if call.portal.small_tariff:
        fields |= {name: [] for name in PEOPLE if name in fields}
        fields |= {name: "N" for name in ("ALLOW_TIME_TRACKING", "TASK_CONTROL") if name in fields}
        if new:
            fields.pop("GROUP_ID", None)
    return fields


def read_changes(call: Call, fields: Mapping[str, Any], task: Task | None) -> dict[str, Any]:
    """Turn fields into new values of a task's attributes; without a task they are of a new one."""
    changes = {attribute: read(fields[name]) for name, (attribute, read) in READERS.items() if name in fields}
    if "XML_ID" in fields and call.portal.keep_xml_id:
        changes["xml_id"] = php.to_text(fields["XML_ID"]) or None
    if "STATUS" in fields:
        if not 1 <= php.to_int(fields["STATUS"]) <= DEFERRED:
            raise core_error("Некорректный статус")
        changes["status"] = max(PENDING, php.to_int(fields["STATUS"]))  # 1 is obsolete and saved as 2
    own = {name: value for name, value in fields.items() if name == "UF_CRM_TASK" or name in call.portal.user_fields}
    if own:
        changes["fields"] = (task.fields if task else {}) | own
    _read_people(call, fields, changes)
    _read_dates(call, fields, task, changes)
    _read_title_and_tags(fields, task, changes)
    return changes


def _read_people(call: Call, fields: Mapping[str, Any], changes: dict[str, Any]) -> None:
    missing = "Пользователь, указанный в поле &quot;{}&quot;, не найден"
    if "RESPONSIBLE_ID" in fields:
        changes["responsible"] = php.to_int(fields["RESPONSIBLE_ID"])
        if changes["responsible"] <= 0:
            raise core_error("Не указан исполнитель")
        if changes["responsible"] not in call.portal.users:  # a dismissed one is accepted
            raise core_error(missing.format("Исполнитель"))
    if "CREATED_BY" in fields:
        changes["creator"] = php.to_int(fields["CREATED_BY"])
        if changes["creator"] not in (*call.portal.users, call.user.id):
            raise core_error(missing.format("Постановщик"))
    for name, attribute in PEOPLE.items():
        if php.is_array(fields.get(name)) or fields.get(name) == "":  # other scalars are ignored
            ids = (php.to_int(value) for value in php.values(fields[name] or []))
            changes[attribute] = tuple(dict.fromkeys(person for person in ids if person > 0))


def _read_dates(call: Call, fields: Mapping[str, Any], task: Task | None, changes: dict[str, Any]) -> None:
    """Read dates with the seconds cut; a JSON number is a Unix timestamp as it stands, empty values clear."""
    for name, attribute in DATES.items():
        at, value = None, fields.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value:
            at = int(value)
        elif php.is_true(value) and not php.is_array(value):
            at = php.strtotime(php.to_text(value), call.portal.server_zone)
            if at is None:  # the portal leaves the text as it is and stumbles over it later; how is not documented
                raise core_error(f"Некорректная дата в поле {name}")
            at -= at % 60
        if name in fields and (at is not None or attribute not in NOT_NULL):
            changes[attribute] = at
    if task is None and "DEADLINE" not in fields:
        # in five days at the end of the portal's working day: "18.30" is half past six
        day = call.portal.now().astimezone(call.portal.zone_of(call.user)) + DEFAULT_DEADLINE
        hours, _, minutes = php.to_text(call.portal.calendar_settings["work_time_end"]).partition(".")
        end = day.replace(hour=int(hours), minute=int(minutes or 0), second=0, microsecond=0)
        changes["deadline"] = int(end.timestamp())
    if task is not None and ("START_DATE_PLAN" in fields) != ("END_DATE_PLAN" in fields):  # blanks it
        changes["end_plan" if "START_DATE_PLAN" in fields else "start_plan"] = None
    first, last = changes.get("start_plan"), changes.get("end_plan")
    if first is not None and last is not None and last < first:
        raise core_error("В планировании сроков указана дата окончания меньшая даты старта")


def _read_title_and_tags(fields: Mapping[str, Any], task: Task | None, changes: dict[str, Any]) -> None:
    """` #word` in a text always becomes a tag, beside those in TAGS; a plain string in TAGS is ignored."""
    if "TITLE" in fields or task is None:
        changes["title"] = php.to_text(fields.get("TITLE")).strip()[:TITLE_LENGTH]
        if not changes["title"]:
            raise core_error("Не указано название задачи")
    tags = list(task.tags) if task else []
    texts = [changes[name] for name in ("title", "description") if name in changes]
    if php.is_array(fields.get("TAGS")):
        given = php.values(fields["TAGS"])
        if any(php.is_array(tag) or tag is None for tag in given):
            raise core_error("Некорректный тег")
        tags = [php.to_text(tag).strip() for tag in given]
        if task is not None:  # what a text has cannot be taken away while the text has it
            texts = [changes.get("title", task.title), changes.get("description", task.description)]
    tags += HASHTAG.findall("".join(f" {text}" for text in texts))
    changes["tags"] = tuple(dict.fromkeys(filter(None, tags)))


def check_changes(call: Call, fields: Mapping[str, Any], changes: dict[str, Any], task: Task | None) -> None:
    """Refuse what a project, a mandatory field or the database does not take; MySQL cuts a key that is too long."""
    group = call.portal.groups.get(changes.get("group", task.group if task else 0))
    touched = task is None or {"group", *(attribute for attribute, _ in RANGES)} & changes.keys()
    for attribute, text in RANGES if group and group.project and touched else ():  # its last day is included
        at = changes.get(attribute, getattr(task, attribute, None))
        first, last = (group.date_start, group.date_finish) if group else (None, None)
        if at is not None and (at < (first or at) or (last is not None and at >= last + DAY)):
            raise core_error(text)
    # fields made by hand are looked at only when the request brings any; an update may leave the others out
    for name, (label, _kind) in call.portal.user_fields.items():
        asked = name in fields or (task is None and any(given.startswith("UF_") for given in fields))
        if asked and name in call.portal.mandatory_fields and fields.get(name) in (None, "", [], {}, False):
            raise core_error(f"Поле &quot;{label or name}&quot; обязательно для заполнения.")
    key, width = changes.get("xml_id") or "", call.portal.xml_id_width
    code = ADD_FAILED if task is None else UPDATE_FAILED
    if len(key) > XML_ID_LENGTH:
        text = f'Значение поля "XML_ID" превышает максимальную длину. Максимальная длина: {XML_ID_LENGTH}'
        raise RestError(code, text)
    if len(key) > width and call.portal.xml_id_overflow == "refuse":
        text = f"Pgsql query error: ERROR:  value too long for type character varying({width})"
        hidden = "Неизвестная ошибка при обновлении задачи"  # update hides the database's words
        raise RestError(code, text if task is None else hidden)
    if key:
        changes["xml_id"] = key[:width]


@method("task.item.userfield.getlist", "task")
def list_user_fields(call: Call) -> Answer:
    """Give every field, without a label; `total` is 0 whatever comes. Parameters go by their order, not their names.

    Not emulated: the order, which is the first one.
    """
    kinds = SYSTEM_FIELDS | {name: kind for name, (_label, kind) in call.portal.user_fields.items()}
    rows = []
    for number, (name, kind) in enumerate(kinds.items(), FIRST_FIELD):
        mandatory, multiple = filters.flag(name in call.portal.mandatory_fields), filters.flag(kind in MULTIPLE)
        row = {"ID": str(number), "ENTITY_ID": "TASKS_TASK", "FIELD_NAME": name, "USER_TYPE_ID": kind, "XML_ID": ""}
        row |= {"SORT": "100", "MULTIPLE": multiple, "MANDATORY": mandatory, "SHOW_FILTER": "N", "SHOW_IN_LIST": "Y"}
        settings = FIELD_SETTINGS if kind == "string" else {}
        rows.append(row | {"EDIT_IN_LIST": "Y", "IS_SEARCHABLE": "N", "SETTINGS": settings})
    columns = {name: operator.itemgetter(name) for name in FIELD_FILTER}
    given = [*call.params.values(), {}, {}]
    return Answer(filters.select(rows, filters.read_conditions(given[1], columns)), total=0)
