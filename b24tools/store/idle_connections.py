"""Connections to the database that `serve` leaves open from one user to the next."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

MOST = 8


class _Closes(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closes)


class IdleConnections(Generic[C]):
    """Connections that wait to be used again; none outside of `reuse`."""

    def __init__(self) -> None:
        self._most = 0
        self._found: list[tuple[Hashable, C]] = []
        self._lock = threading.Lock()

    def take(self, address: Hashable) -> C | None:
        """Return one to this database; None where none waits."""
        with self._lock:
            for number, (known, connection) in enumerate(self._found):
                if known == address:
                    del self._found[number]
                    return connection
        return None

    def put_away(self, address: Hashable, connection: C) -> bool:
        """Let one wait for its next user; False where there are enough."""
        with self._lock:
            is_wanted = len(self._found) < self._most
            if is_wanted:
                self._found.append((address, connection))
        return is_wanted

    def clear(self) -> None:
        """Close them all."""
        with self._lock:
            connections, self._found = self._found, []
        for _address, connection in connections:
            connection.close()

    @contextmanager
    def reuse(self) -> Iterator[None]:
        """Leave some connections open between their users, until the block ends."""
        self._most = MOST
        try:
            yield
        finally:
            self._most = 0
            self.clear()
