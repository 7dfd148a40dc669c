"""Departments and people.

A `Query` is a command together with the reader of its answer; readers raise PortalError on a shape they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from b24tools.bitrix24.batch import Command, Query
from b24tools.bitrix24.parsing import (
    id_of,
    int_of,
    php_values,
    rows_of,
)
from b24tools.core.models import Department, Person

# Older portals do not know `select` here and tell all they know, with the address of a photo for each.
PEOPLE_SELECT = ("ID", "ACTIVE", "NAME", "LAST_NAME", "SECOND_NAME", "UF_DEPARTMENT")


def departments(start: int) -> Query[list[Department]]:
    """A page of the departments, in the tree's order. Past the end the portal gives the first page again."""
    return Query(Command("department.get", {"start": start}), read_departments)


def read_departments(result: Any) -> list[Department]:
    """The departments of rows of `department.get`; the root has no PARENT, a headless one no UF_HEAD."""
    return [
        Department(
            id=id_of(row, "ID", "department.get"),
            name=str(row.get("NAME") or ""),
            parent_id=int_of(row.get("PARENT")) or None,
            head_id=int_of(row.get("UF_HEAD")) or None,
        )
        for row in rows_of(result, "department.get")
    ]


def people_of(department_ids: Sequence[int], *more: str) -> dict[str, Any]:
    """Parameters for listing the active people of exactly these departments (sub-departments do not count).

    `more`: columns to select besides what `read_people` reads.
    """
    return {"FILTER": {"ACTIVE": "Y", "UF_DEPARTMENT": list(department_ids)}, "select": [*PEOPLE_SELECT, *more]}


def people_by_id(user_ids: Sequence[int | str], *more: str) -> Query[list[Person]]:
    """These people, dismissed ones too. `more`: as in `people_of`."""
    return _people({"ID": list(user_ids)}, *more)


def people_by_surname(surname: str) -> Query[list[Person]]:
    """The active people of this surname."""
    return _people({"LAST_NAME": surname, "ACTIVE": "Y"})


def _people(conditions: Mapping[str, Any], *more: str) -> Query[list[Person]]:
    order = {"sort": "ID", "order": "ASC", "start": -1}
    return Query(Command("user.get", {"FILTER": conditions, "select": [*PEOPLE_SELECT, *more], **order}), read_people)


def read_people(result: Any) -> list[Person]:
    """The people of rows of `user.get`, which leaves out what is NULL and may say `false` for no departments."""
    people = []
    for row in rows_of(result, "user.get"):
        get = row.get
        people.append(
            Person(
                id_of(row, "ID", "user.get"),
                str(get("NAME") or "").strip(),
                str(get("LAST_NAME") or "").strip(),
                str(get("SECOND_NAME") or "").strip(),
                get("ACTIVE") in (True, "Y"),
                tuple(map(int_of, php_values(get("UF_DEPARTMENT")))),
            )
        )
    return people


def paged(command: Command) -> dict[str, Any]:
    """A list's parameters for reading all its pages by id: without its order and start."""
    return {name: value for name, value in command.params.items() if name not in ("order", "sort", "start")}


def everybody() -> dict[str, Any]:
    """Parameters for listing all people, the dismissed ones and those who never logged in among them."""
    return {"FILTER": {}, "select": list(PEOPLE_SELECT)}
