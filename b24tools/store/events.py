"""The portal's events as they came, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from b24tools.core import clock
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row, marks

KEPT = timedelta(days=30)
LONGEST_DELAY = timedelta(hours=24)  # before a failed one is tried again
# What becomes of an event: it waits, is done, failed, was of no use, or is left to the snapshot in polling mode
WAITING, DONE, FAILED, IGNORED, BY_MODE = "waiting", "done", "failed", "ignored", "ignored_by_mode"
# Failed ones without a time for the next try wait for `replay`. The first condition is that of the index.
_UNDER_WAY = "status IN ('waiting', 'failed') AND (status = 'waiting' OR next_try_at IS NOT NULL)"
_DUE = f"{_UNDER_WAY} AND (next_try_at IS NULL OR next_try_at <= :now OR next_try_at > :latest)"
_INSERT = """INSERT INTO events (received_at, event, task_id, body, body_sha256, status, attempts, processed_at)
 VALUES (?, ?, ?, ?, ?, ?, 0, ?)"""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be kept. `task_id` None: of no use. `sha256` None: nobody can tell whether it is a duplicate."""

    received_at: datetime
    event: str
    task_id: int | None
    body: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event that was kept. `next_try_at` None of a failed one: only `replay` tries it again."""

    id: int
    received_at: datetime
    event: str
    task_id: int | None
    body: str
    status: str
    attempts: int
    error: str | None
    next_try_at: datetime | None
    processed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be read now: tasks with the events that ask for it and how often these have failed; newest event."""

    tasks: Mapping[int, Sequence[tuple[str, int]]]
    last_id: int


class Events:
    """What the portal reported.

    Where it takes `now`, a stamp that lies in the future then counts as unknown and long ago.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, events: Sequence[NewEvent]) -> list[str]:
        """Keep these events, all or none, with one write to the disk; their statuses."""
        if not events:
            return []
        with self._db.transaction():
            usual = self._usual_status()
            statuses = [IGNORED if event.task_id is None else usual for event in events]
            rows = [_new_row(event, status) for event, status in zip(events, statuses, strict=True)]
            self._db.execute_many(_INSERT, rows)
        return statuses

    def _usual_status(self) -> str:
        """Asked inside the transaction that keeps the event, so that none slips past a change of the mode."""
        rows = self._db.query("SELECT value FROM settings WHERE key = 'producer_mode'")
        return WAITING if rows and rows[0]["value"] == "webhook" else BY_MODE

    def queue_stored(self, now: datetime) -> int:
        """Events kept in polling mode wait now, as far as no snapshot of the running week has begun since.

        One that is dated in the future waits, too. How many. Call it inside the transaction that changes the mode.
        """
        cursor = self._db.execute(
            "UPDATE events SET status = 'waiting', next_try_at = NULL WHERE status = 'ignored_by_mode'"
            " AND received_at >= coalesce((SELECT max(started_at) FROM snapshot_runs"
            " WHERE complete = 1 AND from_at <= started_at AND to_at > started_at AND started_at <= :latest), '')",
            {"latest": to_text(clock.latest_known(now))},
        )
        return cursor.rowcount

    def due(self, now: datetime, limit: int) -> Due:
        """The tasks that waiting events ask to be read, the longest waiting first."""
        sql = f"SELECT task_id FROM events WHERE {_DUE} GROUP BY task_id ORDER BY min(id) LIMIT :limit"  # noqa: S608
        latest = clock.latest_known(now + LONGEST_DELAY)
        values = {"now": to_text(now), "latest": to_text(latest), "limit": limit}
        ids = [row["task_id"] for row in self._db.query(sql, values)]
        if not ids:
            return Due({}, 0)
        sql = f"SELECT id, task_id, event, attempts FROM events WHERE {_UNDER_WAY} AND task_id IN ({marks(ids)})"  # noqa: S608
        tasks: dict[int, list[tuple[str, int]]] = {task_id: [] for task_id in ids}
        last_id = 0
        for row in self._db.query(sql, ids):
            tasks[row["task_id"]].append((row["event"], row["attempts"]))
            last_id = max(last_id, row["id"])
        return Due(tasks, last_id)

    def drop_duplicates(self, task_ids: Collection[int], now: datetime, settled: timedelta) -> int:
        """Waiting events of these tasks are done if their like was processed `settled` after it came, or later."""
        sql = (
            f"UPDATE events SET status = 'done', processed_at = ? WHERE {_UNDER_WAY} AND attempts = 0"  # noqa: S608
            f" AND task_id IN ({marks(task_ids)}) AND EXISTS (SELECT 1 FROM events AS twin"
            " WHERE twin.body_sha256 = events.body_sha256 AND twin.status = 'done' AND twin.processed_at <= ?"
            " AND julianday(twin.processed_at) >= julianday(twin.received_at) + ?)"
        )
        latest = to_text(clock.latest_known(now))
        with self._db.transaction():
            return self._db.execute(sql, [to_text(now), *task_ids, latest, settled / timedelta(days=1)]).rowcount

    def finish(
        self, task_ids: Sequence[int], last_id: int, status: str, now: datetime, reading: int, note: str | None = None
    ) -> int:
        """The events of these tasks up to `last_id` are done, or of no use; how many. Inside a transaction.

        `reading`: the number of the request that read the tasks. `note`: what there is to say about it.
        """
        sql = (
            f"UPDATE events SET status = ?, processed_at = ?, read_no = ?, next_try_at = NULL, error = ?"  # noqa: S608
            f" WHERE {_UNDER_WAY} AND id <= ? AND task_id IN ({marks(task_ids)})"
        )
        return self._db.execute(sql, [status, to_text(now), reading, note, last_id, *task_ids]).rowcount

    def fail(self, task_id: int, last_id: int, error: str, next_try_at: datetime | None) -> int:
        """The events of this task up to `last_id` failed once more; how many. Inside a transaction."""
        sql = (
            "UPDATE events SET status = 'failed', attempts = attempts + 1, error = ?, next_try_at = ?"  # noqa: S608
            f" WHERE {_UNDER_WAY} AND id <= ? AND task_id = ?"
        )
        return self._db.execute(sql, [error, to_text(next_try_at), last_id, task_id]).rowcount

    def followed_since(self, task_ids: Collection[int], reading: int) -> set[int]:
        """Those of the tasks that were read for an event by a request of a higher number, and saved."""
        sql = "SELECT DISTINCT task_id FROM events WHERE read_no > ? AND status = 'done'"
        wanted = set(task_ids)
        return {row["task_id"] for row in self._db.query(sql, [reading]) if row["task_id"] in wanted}

    def finish_one(self, event_id: int, status: str, now: datetime, reading: int, note: str | None = None) -> None:
        """This event was replayed: it is done, or of no use. Inside a transaction; the rest as in `finish`."""
        sql = "UPDATE events SET status = ?, processed_at = ?, read_no = ?, next_try_at = NULL, error = ? WHERE id = ?"
        self._db.execute(sql, [status, to_text(now), reading, note, event_id])

    def fail_one(self, event_id: int, error: str, next_try_at: datetime | None) -> None:
        """This event was replayed in vain. Inside a transaction."""
        sql = (
            "UPDATE events SET status = 'failed', attempts = attempts + 1, error = ?, next_try_at = ?,"
            " processed_at = NULL WHERE id = ?"
        )
        self._db.execute(sql, [error, to_text(next_try_at), event_id])

    def find(
        self,
        *,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        ids: Collection[int] = (),
        last: int | None = None,
    ) -> list[StoredEvent]:
        """The kept events that fit all that is given (of them the `last` ones), in the order they came."""
        conditions: list[str] = []
        values: list[Any] = []
        if status is not None:
            conditions.append("status = ?")
            values.append(status)
        if since is not None:
            conditions.append("received_at >= ?")
            values.append(to_text(since))
        if until is not None:
            conditions.append("received_at <= ?")
            values.append(to_text(until))
        if ids:
            conditions.append(f"id IN ({marks(ids)})")
            values.extend(ids)
        where = " AND ".join(conditions) or "1"
        sql = f"SELECT * FROM events WHERE {where} ORDER BY id DESC LIMIT ?"  # noqa: S608 - the words above
        rows = list(self._db.query(sql, [*values, -1 if last is None else last]))
        return [_stored(row) for row in reversed(rows)]

    def count_by_status(self) -> dict[str, int]:
        """Return how many events are stored, by their status."""
        return {
            row["status"]: row["n"] for row in self._db.query("SELECT status, count(*) AS n FROM events GROUP BY 1")
        }

    def oldest_unprocessed(self) -> datetime | None:
        """When the oldest event came that has still to be processed; what waits for `replay` is not among them."""
        oldest = f"SELECT min(id) FROM events INDEXED BY events_to_process WHERE {_UNDER_WAY}"  # noqa: S608 - a constant
        sql = f"SELECT received_at FROM events WHERE id = ({oldest})"  # noqa: S608 - likewise
        return next((from_text(row["received_at"]) for row in self._db.query(sql)), None)

    def forget_old(self, now: datetime) -> int:
        """Drop what was processed a month ago, and what a snapshot has overtaken since; how many.

        `now` is the portal's: by a clock of ours that is a year ahead all would go. What is from the future stays.
        """
        with self._db.transaction():
            cursor = self._db.execute(
                "DELETE FROM events WHERE received_at < :before AND ((status IN ('done', 'ignored')"
                " AND processed_at < :before) OR (status = 'ignored_by_mode' AND received_at < (SELECT max(started_at)"
                " FROM snapshot_runs WHERE finished_at IS NOT NULL AND started_at <= :latest)))",
                {"before": to_text(now - KEPT), "latest": to_text(clock.latest_known(now))},
            )
        return cursor.rowcount


def _new_row(event: NewEvent, status: str) -> tuple[Any, ...]:
    at = to_text(event.received_at)
    return (at, event.event, event.task_id, event.body, event.sha256, status, at if status == IGNORED else None)


def _stored(row: Row) -> StoredEvent:
    return StoredEvent(
        id=row["id"],
        received_at=from_text(row["received_at"]),
        event=row["event"],
        task_id=row["task_id"],
        body=row["body"],
        status=row["status"],
        attempts=row["attempts"],
        error=row["error"],
        next_try_at=from_text(row["next_try_at"]),
        processed_at=from_text(row["processed_at"]),
    )
