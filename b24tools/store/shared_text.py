"""A short text that several machines exchange for a new one through PostgreSQL: the limits of the portal."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from b24tools.core import clock
from b24tools.core.database_url import DatabaseUrl
from b24tools.core.timestamps import to_text
from b24tools.store.database import ServerError
from b24tools.store.postgres import PostgresDatabase, number_lock
from b24tools.store.postgres_connection import connect

# So many times as long as it took to find a server away it is not asked again, at least a second: one that is being
# started anew is shared again at once, and one behind a dead network holds nothing up.
AWAY_TIMES = 3


class SharedText:
    """The text of this name. They exchange it one after the other, in connections of their own.

    It is no part of what a transaction saves, and lost with the last moment before a power cut.
    """

    def __init__(self, address: DatabaseUrl, name: str) -> None:
        self._address, self._name = address, name
        self._db: PostgresDatabase | None = None
        self._not_before = 0.0
        self._ahead_s = 0.0  # how far the server's clock is, as the last exchange has found

    def read_clock(self) -> float:
        """Return the moment by the server's clock, which is that of all machines, in seconds since 1970."""
        return time.time() + self._ahead_s

    def __call__(self, change: Callable[[bytes], bytes]) -> None:
        """Save what `change` makes of it. Raises OSError where the server is away, at once for some time."""
        if time.monotonic() < self._not_before:
            raise OSError("the server was away a moment ago")
        begun = time.monotonic()
        try:
            if self._db is None:
                self._db = PostgresDatabase(connect(self._address, self._name), self._address)
            self._exchange(self._db, change)
        except ServerError as error:
            self.close()
            ended = time.monotonic()
            self._not_before = ended + max(1.0, AWAY_TIMES * (ended - begun))
            raise OSError(str(error)) from error

    def _exchange(self, db: PostgresDatabase, change: Callable[[bytes], bytes]) -> None:
        lock = number_lock(self._address, self._name)
        db.run(f"BEGIN; SET LOCAL synchronous_commit = off; SELECT pg_advisory_xact_lock({lock})")
        try:
            sql = "SELECT (SELECT value FROM noticed WHERE what = ?), extract(epoch FROM clock_timestamp())"
            text, server_now = db.query(sql, [self._name])[0]
            self._ahead_s = float(server_now) - time.time()
            value = change((text or "").encode()).decode()
            sql = "INSERT INTO noticed (what, value, noticed_at) VALUES (?, ?, ?) ON CONFLICT (what) DO UPDATE"
            values = [self._name, value, to_text(clock.read_clock())]
            db.run(f"{sql} SET value = excluded.value, noticed_at = excluded.noticed_at", values)
        finally:
            with suppress(ServerError):
                db.run("COMMIT")  # of a transaction that has failed it is a rollback

    def close(self) -> None:
        """Close the connection; the next exchange opens another one."""
        if self._db is not None:
            self._db.close()
            self._db = None
