"""What a job that plans or writes works with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from b24tools.assignment.recovery import Pace
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.org_cache import OrgCache
from b24tools.store.database import Store


@dataclass(frozen=True)
class Tools:
    """What the job works with. `lock` is entered once and held until all is written."""

    client: Client
    directory: OrgCache
    store: Store
    lock: AbstractContextManager[object]
    pace: Pace
