"""People whom nobody knows yet, but tasks name."""

from __future__ import annotations

from collections.abc import Mapping

from b24tools import errors
from b24tools.bitrix import chains, methods
from b24tools.bitrix.client import Client
from b24tools.models import Person


def read(client: Client, names: Mapping[int, str]) -> list[Person]:
    """These people, whose `names` tasks have; one whom the portal does not show (deleted, a bot) by that name only.

    Raises PortalBusy; without the right to see people the names must do.
    """
    ids = sorted(names)
    if not ids:
        return []
    chunks = [ids[first : first + chains.PAGE] for first in range(0, len(ids), chains.PAGE)]
    queries = {f"people{number}": methods.people_by_id(chunk) for number, chunk in enumerate(chunks)}
    found: dict[int, Person] = {}
    try:
        items = client.batch({key: query.command for key, query in queries.items()})
        found = {one.id: one for key, query in queries.items() for one in query.of(items[key]) if one.id in names}
    except errors.PortalBusy:
        raise
    except errors.PortalError:
        pass
    return [found.get(one) or Person(one, names[one], "", "", active=False, department_ids=()) for one in ids]
