"""People whom nobody knows yet, but tasks name."""

from __future__ import annotations

from collections.abc import Sequence

from b24tools.bitrix24 import pagination
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.parsing import int_of, mapping_or_none
from b24tools.bitrix24.queries import methods
from b24tools.core.chunks import chunked
from b24tools.core.models import Person


def ask(client: Client, ids: Sequence[int]) -> dict[int, Person]:
    """Those of these people whom the portal shows."""
    if not ids:
        return {}
    chunks = chunked(ids, pagination.PAGE)
    queries = {f"people{number}": methods.people_by_id(chunk) for number, chunk in enumerate(chunks)}
    items = client.batch({key: query.command for key, query in queries.items()})
    return {one.id: one for key, query in queries.items() for one in query.of(items[key])}


def names_on(client: Client, task_ids: Sequence[int]) -> dict[int, str]:
    """What these tasks call the people who are responsible for them."""
    if not task_ids:
        return {}
    chunks = chunked(task_ids, pagination.PAGE)
    queries = {f"tasks{number}": methods.tasks_as_closed(chunk) for number, chunk in enumerate(chunks)}
    items = client.batch({key: query.command for key, query in queries.items()})
    found = {}
    for key, query in queries.items():
        for row in query.of(items[key]):
            responsible = mapping_or_none(row.get("responsible")) or {}
            found[int_of(row.get("responsibleId"))] = str(responsible.get("name") or "")
    return found


def unseen(user_id: int, name: str) -> Person:
    """Somebody the portal does not show (deleted, a bot), by the name that tasks have."""
    return Person(user_id, name, "", "", active=False, department_ids=())
