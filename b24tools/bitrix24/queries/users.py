"""Departments and people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from b24tools.bitrix24.batch import PAGE, Batch, Pending, Query
from b24tools.bitrix24.pagination import USERS, ListParams
from b24tools.bitrix24.parsing import id_of, int_or_zero, php_values, rows_of
from b24tools.core.models import Department, Person

if TYPE_CHECKING:
    from b24tools.bitrix24.client import Client

# Older portals do not know `select` here and tell all they know, with the address of a photo for each.
PEOPLE_SELECT = ("ID", "ACTIVE", "NAME", "LAST_NAME", "SECOND_NAME", "UF_DEPARTMENT")
EMAIL = "EMAIL"  # by which a person is known on several portals: only what is saved has it
DEPARTMENT_PAGES = 4  # asked for before it is known how many there are
PEOPLE_PAGES = 20


def departments(start: int) -> Query[list[Department]]:
    """A page of the departments, in the tree's order. Past the end the portal gives the first page again."""
    return Query("department.get", {"start": start}, read_departments)


def add_departments(batch: Batch, known: int = 0) -> list[Pending[list[Department]]]:
    """Add the pages of all departments, by offset: the list is short, and has no key to read it by.

    `known`: how many there were the last time.
    """
    pages = known // PAGE + 1 if known else DEPARTMENT_PAGES
    return [batch.add(departments(page * PAGE)) for page in range(min(pages, batch.room))]


def fetch_departments(client: Client, pages: Sequence[Pending[list[Department]]]) -> list[Department]:
    """Read the pages of `add_departments`, and fetch the further ones of a company that has more."""
    batch = client.new_batch()
    total = max((page.item.total or 0 for page in pages), default=0)
    further = [batch.add(departments(start)) for start in range(len(pages) * PAGE, total, PAGE)]
    batch.send()
    return list({department.id: department for page in (*pages, *further) for department in page.value}.values())


def read_departments(result: Any) -> list[Department]:
    """Read rows of `department.get`; the root has no PARENT, a headless one no UF_HEAD."""
    return [
        Department(
            id=id_of(row, "ID"),
            name=str(row.get("NAME") or ""),
            parent_id=int_or_zero(row.get("PARENT")) or None,
            head_id=int_or_zero(row.get("UF_HEAD")) or None,
        )
        for row in rows_of(result)
    ]


def everybody() -> ListParams:
    """Parameters for listing all people, the dismissed ones and those who never logged in among them."""
    return {"FILTER": {}, "select": [*PEOPLE_SELECT, EMAIL]}


def people_of(department_ids: Sequence[int], *more: str) -> ListParams:
    """Parameters for listing the active people of exactly these departments (sub-departments do not count).

    `more`: columns to select besides what `read_people` reads.
    """
    return {"FILTER": {"ACTIVE": "Y", "UF_DEPARTMENT": list(department_ids)}, "select": [*PEOPLE_SELECT, *more]}


def fetch_people_of(client: Client, department_ids: Sequence[int]) -> list[Person]:
    """Read the active people of exactly these departments.

    The first pages tell how many there are: a company of thousands takes few requests, a plant one short one.
    """
    pages = client.pages(USERS, people_of(department_ids), length=PEOPLE_PAGES)
    return [person for rows in pages for person in read_people(rows)]


def people_by_id(user_ids: Sequence[int | str], *more: str) -> Query[list[Person]]:
    """These people, dismissed ones too. `more`: as in `people_of`."""
    return _people({"ID": list(user_ids)}, *more)


def people_by_surname(*masks: str) -> Query[list[Person]]:
    """The active people whose surname is one of these, or fits one as a mask of LIKE."""
    return _people({"LAST_NAME": list(masks) if len(masks) > 1 else masks[0], "ACTIVE": "Y"})


def fetch_people_by_surname(client: Client, masks: Sequence[str]) -> list[Person]:
    """Read all pages of `people_by_surname`: nearly always that is one."""
    query = people_by_surname(*masks)
    people = client.ask(query)
    if len(people) >= PAGE:
        rest = client.pages(USERS, query.params, after=people[-1].id)
        people += [person for rows in rest for person in read_people(rows)]
    return people


def _people(conditions: Mapping[str, Any], *more: str) -> Query[list[Person]]:
    order = {"sort": "ID", "order": "ASC", "start": -1}
    return Query("user.get", {"FILTER": conditions, "select": [*PEOPLE_SELECT, *more], **order}, read_people)


def fetch_people(client: Client, ids: Sequence[int]) -> dict[int, Person]:
    """Read those of these people whom the portal shows, with what `everybody` asks for."""
    batch = client.new_batch()
    pages = batch.add_chunked(lambda some: people_by_id(some, EMAIL), ids)
    batch.send()
    return {person.id: person for page in pages for person in page.value}


def read_people(result: Any) -> list[Person]:
    """Read rows of `user.get`, which leaves out what is NULL and may say `false` for no departments."""
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
                tuple(map(int_or_zero, php_values(get("UF_DEPARTMENT")))),
                str(get("EMAIL") or "").strip().casefold(),
            )
        )
    return people


def unknown_person(user_id: int, name: str) -> Person:
    """A person whom the portal does not show (deleted, a bot), by the name that tasks have."""
    return Person(user_id, name, "", "", active=False, department_ids=())
