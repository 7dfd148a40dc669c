"""When what was collected: snapshot runs with their cursors, and when people and departments were last read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlite_utils import Database

from b24tools.core import clock

KEPT = 10_000  # the last runs, also those that a later one has replaced; cron makes 288 a day
Counts = Mapping[str, Mapping[str, int]]  # kind (new, changed, same) → week label → tasks


@dataclass(frozen=True)
class Run:
    """A snapshot of the window [`start`, `end`). `cursor`: the last task id saved; `finished_at` None while it runs.

    `people_cursor`: the last person saved, None when people need not be read (any more). `admin`: it began
    with an administrator's eyes. `complete`: with these it saw all tasks of the window. `first_no`: the number of
    its first reading; 0: it began before they were counted, and nothing is gone for it.
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


class Runs:
    """The part of the store that is about snapshot runs.

    Where it takes `now`, a stamp that lies in the future then counts as unknown and long ago.
    """

    _db: Database
    transaction: Callable[[], AbstractContextManager[None]]

    def number_reading(self) -> int:
        """The number of a request that is about to ask for tasks or people: what is asked later has a higher one.

        In all processes, and with no clock in it.
        """
        with self.transaction():
            self._db.execute("UPDATE counters SET value = value + 1 WHERE name = 'readings'")
            row = self._db.execute("SELECT value FROM counters WHERE name = 'readings'").fetchone()
        return int(row[0])

    def begin_run(
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
        row = {
            "from_at": to_text(start),
            "to_at": to_text(end),
            "started_at": to_text(now),
            "cursor": 0,
            "people_cursor": people_cursor,
            "tasks": 0,
            "people": 0,
            "requests": 0,
            "counts": "{}",
            "admin": int(admin),
            "complete": 0,
            "first_no": self.number_reading() if first_no is None else first_no,
        }
        with self.transaction():
            table = self._db.table("snapshot_runs").insert(row, pk="id")
        return _read_run({**row, "id": table.last_pk, "finished_at": None})

    def unfinished_run(self, start: datetime, end: datetime, not_before: datetime, now: datetime) -> Run | None:
        """The latest run of exactly this window that was killed, if it began late enough to be taken up again."""
        sql = (
            "SELECT * FROM snapshot_runs WHERE from_at = ? AND to_at = ? AND started_at >= ? AND started_at <= ?"
            " AND finished_at IS NULL ORDER BY id DESC LIMIT 1"
        )
        return next(self._runs(sql, start, end, not_before, clock.latest_known(now)), None)

    def advance_run(self, run: Run) -> None:
        """Save how far the run has come. Call it inside the transaction that saves the rows it stands for."""
        self._db.execute(
            "UPDATE snapshot_runs SET cursor = ?, people_cursor = ?, tasks = ?, people = ?, requests = ?, counts = ?"
            " WHERE id = ?",
            [run.cursor, run.people_cursor, run.tasks, run.people, run.requests, json.dumps(run.counts), run.id],
        )

    def finish_run(self, run: Run, now: datetime, *, complete: bool) -> None:
        """Close the run and forget old ones. Call it inside the transaction that marks what is gone."""
        self.advance_run(run)
        sql = "UPDATE snapshot_runs SET finished_at = ?, complete = ? WHERE id = ?"
        self._db.execute(sql, [to_text(now), int(complete), run.id])
        self._db.execute(
            "DELETE FROM snapshot_runs WHERE id <= ? AND (complete = 0 OR EXISTS ("
            "SELECT 1 FROM snapshot_runs AS later WHERE later.from_at = snapshot_runs.from_at"
            " AND later.to_at = snapshot_runs.to_at AND later.complete = 1 AND later.id > snapshot_runs.id))",
            [run.id - KEPT],
        )

    def has_complete_run(self) -> bool:
        """Whether there was a complete run at all, whatever its stamps say."""
        return self._db.execute("SELECT 1 FROM snapshot_runs WHERE complete = 1 LIMIT 1").fetchone() is not None

    def last_complete_run(self, now: datetime) -> Run | None:
        """The latest complete run of any window, by its start."""
        sql = "SELECT * FROM snapshot_runs WHERE complete = 1 AND started_at <= ? ORDER BY started_at DESC LIMIT 1"
        return next(self._runs(sql, clock.latest_known(now)), None)

    def latest_covering_run(self, start: datetime, end: datetime, now: datetime) -> Run | None:
        """The complete run begun last whose window holds all of [start, end)."""
        sql = (
            "SELECT * FROM snapshot_runs WHERE complete = 1 AND from_at <= ? AND to_at >= ? AND started_at <= ?"
            " ORDER BY started_at DESC LIMIT 1"
        )
        return next(self._runs(sql, start, end, clock.latest_known(now)), None)

    def _runs(self, sql: str, *moments: datetime) -> Iterator[Run]:
        return map(_read_run, list(self._db.query(sql, [to_text(moment) for moment in moments])))

    def last_read(self, what: str, now: datetime) -> datetime | None:
        """When all of `what` ("people", "departments") were last read from the portal."""
        rows = list(self._db.query("SELECT read_at FROM last_read WHERE what = ?", [what]))
        return clock.known_moment(rows[0]["read_at"], now) if rows else None

    def save_last_read(self, what: str, at: datetime) -> None:
        """Note that all of `what` was read then. Call it inside the transaction that saves the last of it."""
        self._db.table("last_read").upsert({"what": what, "read_at": to_text(at)}, pk="what")


def _read_run(row: Mapping[str, Any]) -> Run:
    return Run(
        id=row["id"],
        start=datetime.fromisoformat(row["from_at"]),
        end=datetime.fromisoformat(row["to_at"]),
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=datetime.fromisoformat(row["finished_at"]) if row["finished_at"] else None,
        cursor=row["cursor"],
        tasks=row["tasks"],
        requests=row["requests"],
        complete=bool(row["complete"]),
        people_cursor=row["people_cursor"],
        people=row["people"],
        counts=json.loads(row["counts"]),
        admin=bool(row["admin"]),
        first_no=row["first_no"],
    )


def to_text(moment: datetime | None) -> str | None:
    """A moment as it is kept: ISO 8601 UTC, whole seconds."""
    if moment is None:
        return None
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="seconds")
