"""What a portal offers for the settings: its departments, projects and folders; and what its webhook lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import Pending
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.error_codes import SCOPES
from b24tools.bitrix24.portal_time import find_zone
from b24tools.bitrix24.queries import Project
from b24tools.core import errors
from b24tools.core.models import Department, Owner

T = TypeVar("T")


@dataclass(frozen=True)
class Offer:
    """What there is to choose from. `zone`: that of the webhook's owner, "" where it is unknown.

    `folders`: the id and the name of each. What the webhook may not read is empty, and among the `missing_scopes`.
    """

    host: str
    owner: Owner
    zone: str
    missing_scopes: tuple[str, ...]
    departments: tuple[Department, ...]
    projects: tuple[Project, ...]
    folders: tuple[tuple[int, str], ...]

    def roots(self) -> list[Department]:
        """Return the departments that have others below them: production is one of these."""
        above = {department.parent_id for department in self.departments}
        return [department for department in self.departments if department.id in above]


def read_offer(client: Client) -> Offer:
    """Ask the portal, in one batch for all but a large company. Raises PortalError where the webhook does not work."""
    batch = client.new_batch()
    owner, scopes = batch.add(queries.profile()), batch.add(queries.scopes())
    pages = queries.add_departments(batch)
    projects, storage = batch.add(queries.open_groups()), batch.add(queries.common_storage())
    folders = batch.add(queries.folders_in(storage.reference(0, "ROOT_OBJECT_ID")))
    batch.send()
    person = owner.value
    given = scopes.value
    try:
        departments = queries.fetch_departments(client, pages)
    except errors.PortalDenied:
        departments = []
    zone = find_zone(person.time_zone)
    return Offer(
        client.host,
        person,
        zone.key if zone else "",
        tuple(scope for scope in SCOPES if scope not in given),
        tuple(departments),
        tuple(_value(projects)),
        tuple(_value(folders)),
    )


def _value(pending: Pending[list[T]]) -> list[T]:
    """What was answered; nothing where the webhook may not ask."""
    if pending.error is not None and isinstance(pending.error, errors.PortalBusy):
        raise pending.error
    return [] if pending.error is not None else pending.value
