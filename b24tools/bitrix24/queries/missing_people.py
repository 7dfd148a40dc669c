"""People whom nobody knows yet, but tasks name."""

from __future__ import annotations

from collections.abc import Sequence

from b24tools.bitrix24.client import Client
from b24tools.bitrix24.pagination import PAGE
from b24tools.bitrix24.parsing import int_of, mapping_or_none
from b24tools.bitrix24.queries.tasks import tasks_as_closed
from b24tools.bitrix24.queries.users import people_by_id
from b24tools.core.models import Person


def fetch_people(client: Client, ids: Sequence[int]) -> dict[int, Person]:
    """Fetch those of these people whom the portal shows."""
    if not ids:
        return {}
    batch = client.new_batch()
    pages = [batch.add(people_by_id(ids[start : start + PAGE])) for start in range(0, len(ids), PAGE)]
    batch.send()
    return {person.id: person for page in pages for person in page.value}


def fetch_names_on_tasks(client: Client, task_ids: Sequence[int]) -> dict[int, str]:
    """Fetch the names that these tasks give to the people who are responsible for them."""
    if not task_ids:
        return {}
    batch = client.new_batch()
    pages = [batch.add(tasks_as_closed(task_ids[start : start + PAGE])) for start in range(0, len(task_ids), PAGE)]
    batch.send()
    names = {}
    for page in pages:
        for row in page.value:
            responsible = mapping_or_none(row.get("responsible")) or {}
            names[int_of(row.get("responsibleId"))] = str(responsible.get("name") or "")
    return names


def unseen(user_id: int, name: str) -> Person:
    """Somebody the portal does not show (deleted, a bot), by the name that tasks have."""
    return Person(user_id, name, "", "", active=False, department_ids=())
