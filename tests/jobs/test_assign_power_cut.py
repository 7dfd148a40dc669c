"""What of an order is on the disk when: a power cut may cost no more than a kill at some point before it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from b24tools.assignment import workspace
from b24tools.store import database
from tests.support.crash import LETTER, first_send, new_works
from tests.support.orders import MONDAY, order


@pytest.mark.sqlite
def test_before_tasks_are_sent_and_before_the_answer_all_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm order waits for the disk twice; what is saved in between a kill does not lose."""
    works = new_works(tmp_path, bare=True)
    works.assign(order([("Сварщик", 60)], id="22222222-2222-3333-4444-555555555555", files=(LETTER,)))
    works.clock.now += timedelta(minutes=5)
    seen: list[str] = []
    connect, handle = database._connect, works.portal.handle

    def watched(*arguments: Any) -> sqlite3.Connection:
        connection, synchronous = connect(*arguments), "unknown"

        def note(sql: str) -> None:
            nonlocal synchronous
            if sql.startswith("PRAGMA synchronous"):
                synchronous = sql.rpartition(" ")[2]
            elif sql == "COMMIT":
                seen.append(synchronous)

        connection.set_trace_callback(note)
        return connection

    def answer(*arguments: Any, **more: Any) -> Any:
        seen.append("request")
        return handle(*arguments, **more)

    def run_at_once(work: Callable[[], Any], _name: str) -> Future[Any]:
        result: Future[Any] = Future()
        result.set_result(work())
        return result

    monkeypatch.setattr(database, "SYNCHRONOUS", "FULL")
    monkeypatch.setattr(database, "_connect", watched)
    monkeypatch.setattr(workspace, "run_beside", run_at_once)
    monkeypatch.setattr(works.portal, "handle", answer)
    works.assign(first_send(date=MONDAY + timedelta(minutes=3)))

    assert ["request", "request", "request", "NORMAL", "FULL", "request", "NORMAL", "FULL"] == seen
