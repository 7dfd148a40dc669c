"""What a transaction has done so far, so that it can be done again after a deadlock with another program's session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.pq.abc import PGresult

ATTEMPTS = 5
LARGEST = 200_000  # values, sent and found, of a transaction that is done again: they stay in memory until its end
COLLISIONS = ("40001", "40P01")  # serialization_failure, deadlock_detected


def is_collision(error: BaseException) -> bool:
    """Return whether the server has undone the transaction only because another one was in its way."""
    return getattr(error, "sqlstate", None) in COLLISIONS


class Journal:
    """The statements of a transaction, with what they found."""

    def __init__(self) -> None:
        self._steps: list[tuple[Any, Any, PGresult | None]] = []
        self._size = 0

    @property
    def is_whole(self) -> bool:
        """Whether all of the transaction is in it."""
        return self._size <= LARGEST

    def add(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] | None, cursor: psycopg.Cursor[Any]
    ) -> None:
        """Note a statement that has succeeded."""
        result = cursor.pgresult
        self._size += len(values or statement) + (result.ntuples * result.nfields if result else 0)
        if self.is_whole:
            self._steps.append((statement, values, result))
        else:
            self._steps.clear()

    def replay(self, connection: psycopg.Connection[Any]) -> bool:
        """Run them again in a new transaction; return whether each has found the same, so that the caller may go on."""
        return all(
            _is_same(connection.execute(statement, values).pgresult, old) for statement, values, old in self._steps
        )


def _is_same(new: PGresult | None, old: PGresult | None) -> bool:
    if new is None or old is None:
        return new is old
    if (new.ntuples, new.nfields, new.command_tuples) != (old.ntuples, old.nfields, old.command_tuples):
        return False
    places = [(row, column) for row in range(new.ntuples) for column in range(new.nfields)]
    return all(new.get_value(*place) == old.get_value(*place) for place in places)
