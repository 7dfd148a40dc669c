"""department.get and department.fields."""

from __future__ import annotations

from typing import Any, Final

from b24tools.sandbox import ormfilter, php
from b24tools.sandbox.records import Department
from b24tools.sandbox.rest import Answer, Call, Method, floored_page

COLUMNS: Final[dict[str, ormfilter.Column]] = {
    "ID": lambda row: row.id,
    "NAME": lambda row: row.name,
    "SORT": lambda row: row.sort,
    "PARENT": lambda row: row.parent or 0,
    "UF_HEAD": lambda row: row.head or 0,
}
FIELDS: Final = {
    "ID": "ID",
    "NAME": "Название",
    "SORT": "Сортировка",
    "PARENT": "Родительское подразделение",
    "UF_HEAD": "Руководитель",
}


def get(call: Call) -> Answer:
    """A page of departments, in tree order by default.

    Names in the filter are taken only in upper case and without signs. With a FILTER object `sort` and `order`
    are read from inside it, those at the top are lost.
    """
    outer = call.params.get("FILTER")
    params: dict[str, Any] = dict(php.items(outer)) if php.is_array(outer) else call.params
    rows = list(tree(call.portal.departments))
    for name, column in COLUMNS.items():
        if name in params:
            rows = [row for row in rows if _matches(row, name, column, params[name])]
    sort = php.to_text(params.get("sort")).upper()
    if sort in COLUMNS:
        rows = ormfilter.order_by(rows, {sort: params.get("order", "ASC")}, COLUMNS)
    page = floored_page(rows, call.start)
    return Answer([_row(row) for row in page.result], total=page.total, next=page.next)


def _matches(row: Department, name: str, column: ormfilter.Column, value: Any) -> bool:
    if name == "NAME":
        return any(php.like(php.to_text(mask)).fullmatch(php.fold(row.name)) for mask in php.values(value))
    return any(php.to_int(one) == column(row) for one in php.values(value))


def tree(departments: dict[int, Department], parent: int | None = None) -> list[Department]:
    """Departments in the order of the structure: each before its children."""
    children: dict[int | None, list[Department]] = {}
    for row in departments.values():
        children.setdefault(row.parent, []).append(row)
    found: list[Department] = []
    waiting = sorted(children.get(parent, []), key=_place, reverse=True)
    while waiting:
        row = waiting.pop()
        found.append(row)
        waiting += sorted(children.get(row.id, []), key=_place, reverse=True)
    return found


def _place(row: Department) -> tuple[int, str]:
    return (row.sort, row.name)


def _row(row: Department) -> dict[str, Any]:
    """PARENT is absent for the root, UF_HEAD where there is no head."""
    values: dict[str, Any] = {"ID": str(row.id), "NAME": row.name, "SORT": row.sort}
    if row.parent is not None:
        values["PARENT"] = str(row.parent)
    if row.head is not None:
        values["UF_HEAD"] = str(row.head)
    return values


def fields(call: Call) -> dict[str, str]:
    """Names of the columns in the portal's language."""
    return dict(FIELDS)


METHODS: Final = (Method("department.get", "department", get), Method("department.fields", "department", fields))
