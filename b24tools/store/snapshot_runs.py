"""Snapshot runs with their cursors, and the numbers of the requests that read tasks and people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from b24tools.core import clock
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row

STORED = 10_000  # the last runs, also those that a later one has replaced; cron makes 288 a day
_TAKEN = {False: "complete = 1", True: "finished_at IS NOT NULL"}  # by B24_NON_ADMIN
Counts = Mapping[str, Mapping[str, int]]  # kind (new, changed, same, missed) → week label → tasks


@dataclass(frozen=True)
class Run:
    """A snapshot of the window [`start`, `end`). `cursor`: the last task id saved; `finished_at` None while it runs.

    `people_cursor`: the last person saved, None when people need not be read (any more). `admin`: it began
    with an administrator's eyes. `complete`: with these it saw all tasks of the window. `first_no`: the number of
    its first reading; 0: it began before they were counted, and nothing is gone for it. `missed` of so many `changes`
    since the complete run before it came without an event; None where none was due.
    """

    id: int
    start: datetime
    end: datetime
    started_at: datetime
    finished_at: datetime | None
    cursor: int
    tasks: int
    requests: int
    complete: bool
    people_cursor: int | None = None
    people: int = 0
    counts: Counts = field(default_factory=dict)
    admin: bool = True
    first_no: int = 0
    changes: int | None = None
    missed: int | None = None


class SnapshotRuns:
    """The runs of `snapshot`.

    Where it takes `now`, a stamp that lies in the future then counts as unknown and long ago.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def number_reading(self) -> int:
        """Return the number of a request that is about to ask for tasks or people.

        What is asked later has a higher one, in all processes, and with no clock in it.
        """
        with self._db.transaction():
            self._db.execute("UPDATE counters SET value = value + 1 WHERE name = 'readings'")
            return int(self._db.query("SELECT value FROM counters WHERE name = 'readings'")[0][0])

    def begin(
        self,
        start: datetime,
        end: datetime,
        now: datetime,
        people_cursor: int | None = None,
        *,
        admin: bool = True,
        first_no: int | None = None,
    ) -> Run:
        """Note that a snapshot of this window began. `first_no` None: it will read from now on."""
        number = self.number_reading() if first_no is None else first_no
        with self._db.transaction():
            row = {"from_at": to_text(start), "to_at": to_text(end), "started_at": to_text(now), "cursor": 0}
            row |= {"people_cursor": people_cursor, "tasks": 0, "people": 0, "requests": 0, "counts": "{}"}
            number = self._db.insert_one(
                "snapshot_runs", row | {"admin": int(admin), "complete": 0, "first_no": number}
            )
        return _read_run(self._db.query("SELECT * FROM snapshot_runs WHERE id = ?", [number])[0])

    def unfinished(self, start: datetime, end: datetime, not_before: datetime, now: datetime) -> Run | None:
        """Return the latest run of exactly this window that was killed, if it can be taken up again by its age."""
        where = (
            "from_at = ? AND to_at = ? AND started_at >= ? AND started_at <= ? AND finished_at IS NULL ORDER BY id DESC"
        )
        return self._find(where, *map(to_text, (start, end, not_before, clock.latest_known(now))))

    def advance(self, run: Run) -> None:
        """Save how far the run has come. Call it inside the transaction that saves the rows it stands for."""
        self._db.execute(
            "UPDATE snapshot_runs SET cursor = ?, people_cursor = ?, tasks = ?, people = ?, requests = ?, counts = ?"
            " WHERE id = ?",
            [run.cursor, run.people_cursor, run.tasks, run.people, run.requests, json.dumps(run.counts), run.id],
        )

    def finish(self, run: Run, now: datetime, *, complete: bool) -> None:
        """Close the run and forget old ones. Call it inside the transaction that marks what is gone."""
        self.advance(run)
        sql = "UPDATE snapshot_runs SET finished_at = ?, complete = ?, changes = ?, missed = ? WHERE id = ?"
        self._db.execute(sql, [to_text(now), int(complete), run.changes, run.missed, run.id])
        self._db.execute(
            "DELETE FROM snapshot_runs WHERE id <= ? AND (complete = 0 OR EXISTS ("
            "SELECT 1 FROM snapshot_runs AS later WHERE later.from_at = snapshot_runs.from_at"
            " AND later.to_at = snapshot_runs.to_at AND later.complete = 1 AND later.id > snapshot_runs.id))",
            [run.id - STORED],
        )

    def has_complete(self, *, non_admin: bool = False) -> bool:
        """Return whether there was a complete run at all, whatever its stamps say; `non_admin` as in `last_taken`."""
        return self._find(_TAKEN[non_admin]) is not None

    def earliest(self) -> datetime | None:
        """Return the first moment that a complete run has seen."""
        first: str | None = self._db.query("SELECT min(from_at) FROM snapshot_runs WHERE complete = 1")[0][0]
        return from_text(first)

    def last_measured(self, now: datetime) -> Run | None:
        """Return the last complete run that counted the changes without an event."""
        where = "complete = 1 AND missed IS NOT NULL AND started_at <= ? ORDER BY started_at DESC"
        return self._find(where, to_text(clock.latest_known(now)))

    def last_complete(self, now: datetime) -> Run | None:
        """Return the latest complete run of any window, by its start."""
        where = "complete = 1 AND started_at <= ? ORDER BY started_at DESC"
        return self._find(where, to_text(clock.latest_known(now)))

    def last_taken(self, now: datetime, *, non_admin: bool) -> Run | None:
        """Return the latest complete run; with `non_admin` one that saw only what its owner may see is as good."""
        where = f"{_TAKEN[non_admin]} AND started_at <= ? ORDER BY started_at DESC"
        return self._find(where, to_text(clock.latest_known(now)))

    def latest_covering(self, start: datetime, end: datetime, now: datetime) -> Run | None:
        """Return the complete run begun last whose window holds all of [start, end)."""
        where = "complete = 1 AND from_at <= ? AND to_at >= ? AND started_at <= ? ORDER BY started_at DESC"
        return self._find(where, *map(to_text, (start, end, clock.latest_known(now))))

    def _find(self, where: str, *values: object) -> Run | None:
        rows = self._db.query(f"SELECT * FROM snapshot_runs WHERE {where} LIMIT 1", values)  # noqa: S608 - the words above
        return _read_run(rows[0]) if rows else None


def _read_run(row: Row) -> Run:
    values = dict(row)
    values |= {name: from_text(row[name]) for name in ("started_at", "finished_at")}
    values |= {"counts": json.loads(row["counts"]), "admin": bool(row["admin"]), "complete": bool(row["complete"])}
    return Run(start=from_text(values.pop("from_at")), end=from_text(values.pop("to_at")), **values)
