"""Two `serve` and two crons on one PostgreSQL, each killed once, and the server stopped: the bench, but smaller."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import hosts
from tests.support import postgres
from tests.support.processes import START

SHORT_LEASE = "from datetime import timedelta; from b24tools.store import events; events.LEASE = timedelta(0, 20); "
pytest.importorskip("psycopg")
pytestmark = [pytest.mark.long, pytest.mark.sqlite, pytest.mark.timeout(600)]


def test_four_machines_lose_nothing_and_do_nothing_twice(postgres_server: postgres.Server, tmp_path: Path) -> None:
    """What must hold is asserted where it is counted."""
    with hosts.open_plant(postgres_server, tmp_path, 6, 120, START + SHORT_LEASE) as plant:
        plant.work()
        plant.check()
    postgres.drop_schemas(postgres_server.url, {"hosts"})
