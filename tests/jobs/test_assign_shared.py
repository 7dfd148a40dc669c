"""`assign` on a server that several machines use: what it does when its lock is lost in the middle of the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from b24tools import context
from b24tools.assignment import recovery
from b24tools.core import config, errors
from b24tools.core.database_url import DatabaseUrl
from b24tools.jobs import assign
from b24tools.sandbox import demo_company, server
from b24tools.store import open_store
from tests.support import postgres
from tests.support.crash import first_send
from tests.support.orders import rules
from tests.support.server import wait_until

pytestmark = pytest.mark.long


@pytest.fixture
def session(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[context.Session]:
    """A machine beside a plant whose portal works off a request at once."""
    monkeypatch.setattr(recovery, "EXECUTES_S", 1)
    schema = postgres.name_schema(tmp_path)
    portal = demo_company.build(context.now)
    given: dict[str, Any] = {
        "BITRIX_WEBHOOK_URL": portal.webhook_url("https://portal.example"),
        "B24_DATA_DIR": tmp_path,
        "B24_DATABASE_URL": f"{postgres_url}&schema={schema}",
        "B24_REQUESTS_PER_SECOND": 1000,
        "B24_BURST": 1000,
        "B24_RETRY_SECONDS": 5,
    }
    made = context.Session(config.Settings.model_validate(given), lambda _text: None, server.transport(portal))
    made.portal = portal  # type: ignore[attr-defined]
    yield made
    postgres.drop_schemas(postgres_url, {schema})


def send(session: context.Session) -> int:
    with session.open_planning(read_only=False) as (tools, _rules):
        (done,) = assign.orders([first_send()], tools, rules(retry_s=5))
    return done.exit_status


def break_lock(address: DatabaseUrl) -> None:
    """The server, or a network between, ends the session that holds the lock."""
    from b24tools.store.postgres import is_lock, number_lock

    held = is_lock(number_lock(address, "assign"))
    with closing(open_store(address)) as opened:
        assert [(True,)] == opened.database.query(f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE {held}")
        wait_until(lambda: not opened.database.query(f"SELECT 1 FROM pg_locks WHERE {held}"))


@pytest.mark.parametrize("number", range(1, 8))
def test_without_its_lock_a_run_writes_nothing_more(session: context.Session, number: int) -> None:
    """Exit status 75, whatever was done by then; the next run ends with one task a line."""
    portal: Any = session.portal  # type: ignore[attr-defined]
    address, handle, written, count = session.settings.database, portal.handle, -1, 0
    assert isinstance(address, DatabaseUrl)

    def handle_and_break(*args: Any, **more: Any) -> Any:
        nonlocal count, written
        answer = handle(*args, **more)
        count += 1
        if count == number:
            break_lock(address)
            written = len(portal.writes())
        return answer

    portal.handle = handle_and_break
    try:
        status = send(session)
    except errors.Busy as error:
        assert "the lock of `b24tools assign` was lost" in error.message
        status = error.exit_status
    portal.handle = handle
    assert (errors.TRY_LATER, written) == (status, len(portal.writes()))
    assert 0 == send(session)
    made = [task.xml_id for task in portal.tasks if (task.xml_id or "").startswith("1c:")]
    assert (6, 6) == (len(made), len(set(made)))
