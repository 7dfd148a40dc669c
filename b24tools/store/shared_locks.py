"""One run at a time on several machines: an advisory lock of PostgreSQL, in a connection that nothing else uses."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime

from b24tools.core import locks
from b24tools.core.database_url import DatabaseUrl
from b24tools.core.i18n import _
from b24tools.store.database import explain_failures
from b24tools.store.postgres import HeldLock, PostgresDatabase, is_lock, number_lock
from b24tools.store.postgres_connection import connect

POLL_S = 0.1


@contextmanager
def hold(
    address: DatabaseUrl,
    name: str,
    wait_s: float,
    now: Callable[[], datetime],
    say: Callable[[str], None] | None = None,
    command: str = "",
) -> Iterator[HeldLock]:
    """Hold the lock `name` of this schema for a `command`; the server releases it when process or connection dies.

    What is yielded shows any other connection whether it is still held. Otherwise as `locks.hold`.
    """
    number = number_lock(address, name)
    with explain_failures(address):
        session = PostgresDatabase(connect(address, f"{name} waits"), address)
    with closing(session):
        with explain_failures(address):
            pid = session.query("SELECT pg_backend_pid()")[0][0]
            _take(session, number, name, wait_s, say)
            since = f"{now():%Y-%m-%d %H:%M:%S%z}"
            holder = f"b24tools {command or name}|{os.getpid()}|{socket.gethostname()[:20]}|{since}"
            session.query("SELECT set_config('application_name', ?, FALSE)", [holder[:63]])
        yield HeldLock(pid, number, name)


def _take(session: PostgresDatabase, number: int, name: str, wait_s: float, say: Callable[[str], None] | None) -> None:
    begun = time.monotonic()
    has_said = say is None
    while not session.query("SELECT pg_try_advisory_lock(?)", [number])[0][0]:
        waited_s = time.monotonic() - begun
        if waited_s >= wait_s:
            raise locks.refuse(*_read_holder(session, number, name))
        if say is not None and not has_said and waited_s >= locks.NOTICEABLE_WAIT_S:
            say(locks.describe_wait(*_read_holder(session, number, name)))
            has_said = True
        time.sleep(min(POLL_S, wait_s - waited_s))


def _read_holder(session: PostgresDatabase, number: int, name: str) -> tuple[str, str]:
    """Return the holder's command, by default that of the lock, and its process in words."""
    sql = f"SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE {is_lock(number)}"  # noqa: S608
    for row in session.query(sql):
        program, *parts = (row[0] or "").split("|")
        if len(parts) == 3:
            holder = _("process {pid} on {host}, since {since}").format(pid=parts[0], host=parts[1], since=parts[2])
            return program.removeprefix("b24tools "), holder
    return name, locks.unknown_holder()
