"""task.item.userfield.getlist: what getFields does not say of the fields made by hand. Parameters go by their order."""

from __future__ import annotations

from typing import Any, Final

from b24tools.sandbox import ormfilter, positional
from b24tools.sandbox.rest import Answer, Call, Method

SYSTEM: Final = {  # the type, and whether it holds several values
    "UF_CRM_TASK": ("crm", "Y"),
    "UF_TASK_WEBDAV_FILES": ("disk_file", "Y"),
    "UF_MAIL_MESSAGE": ("mail_message", "N"),
}
FIRST: Final = 1295
COLUMNS: Final[dict[str, ormfilter.Column]] = {
    name: (lambda row, name=name: row[name])
    for name in ("FIELD_NAME", "USER_TYPE_ID", "XML_ID", "MULTIPLE", "MANDATORY", "SORT")
} | {"ID": lambda row: int(row["ID"])}


def read_list(call: Call) -> Answer:
    """Every field, without a label; `total` is 0 whatever comes."""
    given = positional.arguments(call)
    order, raw = (given[number] if number < len(given) else {} for number in (0, 1))
    rows = ormfilter.select(_rows(call), ormfilter.conditions(raw, COLUMNS, any_case=False))
    return Answer(ormfilter.order_by(rows, order, COLUMNS), total=0)


def _rows(call: Call) -> list[dict[str, Any]]:
    kinds = SYSTEM | {name: (kind, "N") for name, (_title, kind) in call.portal.user_fields.items()}
    return [_row(call, FIRST + number, name, *kind) for number, (name, kind) in enumerate(kinds.items())]


def _row(call: Call, number: int, name: str, kind: str, multiple: str) -> dict[str, Any]:
    own = {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": ""}
    return {
        "ID": str(number),
        "ENTITY_ID": "TASKS_TASK",
        "FIELD_NAME": name,
        "USER_TYPE_ID": kind,
        "XML_ID": "",
        "SORT": "100",
        "MULTIPLE": multiple,
        "MANDATORY": "Y" if name in call.portal.mandatory_fields else "N",
        "SHOW_FILTER": "N",
        "SHOW_IN_LIST": "Y",
        "EDIT_IN_LIST": "Y",
        "IS_SEARCHABLE": "N",
        "SETTINGS": own if kind == "string" else {},
    }


METHODS: Final = (Method("task.item.userfield.getlist", "task", read_list),)
