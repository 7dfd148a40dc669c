"""The portal's events as they came, each with its status."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from b24tools.core import clock
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row, can_be_stored, marks
from b24tools.store.watch import note_change

STORED_FOR = timedelta(days=30)
LEASE = timedelta(minutes=2)  # after that an event that a dead machine has claimed is anybody's again
LONGEST_DELAY = timedelta(hours=24)  # before a failed one is tried again
# Not about a task: ignored. In polling mode it is left to the snapshot.
WAITING, DONE, FAILED, IGNORED, BY_MODE = "waiting", "done", "failed", "ignored", "ignored_by_mode"
# Failed ones without a time for the next try wait for `replay`. The first condition is that of the index.
_UNDER_WAY = "status IN ('waiting', 'failed') AND (status = 'waiting' OR next_try_at IS NOT NULL)"
_DUE = f"{_UNDER_WAY} AND (next_try_at IS NULL OR next_try_at <= :now OR next_try_at > :latest)"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to store. `task_id` None: not about a task. `sha256` None: duplicates of it cannot be recognized."""

    received_at: datetime
    event: str
    task_id: int | None
    body: str
    sha256: str | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A stored event. `next_try_at` None of a failed one: only `replay` tries it again."""

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
    """Tasks to read now, with the events that ask for it and how often each has failed; the id of the newest event."""

    tasks: Mapping[int, Sequence[tuple[str, int]]]
    last_id: int


class Events:
    """What the portal reported.

    Where it takes `now`, a stamp that lies in the future then counts as unknown and long ago.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, events: Sequence[NewEvent], status: str = WAITING) -> list[str]:
        """Store these events, all or none, with one write to the disk; return their statuses.

        `status`: of those that are about a task.
        """
        if not events:
            return []
        with self._db.transaction():
            statuses = [IGNORED if event.task_id is None else status for event in events]
            self._db.insert("events", list(map(_new_row, events, statuses)))
            note_change(self._db)
        return statuses

    def queue_stored(self, now: datetime) -> None:
        """Queue events of polling mode that no snapshot of the running week has overtaken, or that are of the future.

        Call it inside the transaction that changes the mode.
        """
        self._db.execute(
            "UPDATE events SET status = 'waiting', next_try_at = NULL WHERE status = 'ignored_by_mode'"
            " AND received_at >= coalesce((SELECT max(started_at) FROM snapshot_runs"
            " WHERE complete = 1 AND from_at <= started_at AND to_at > started_at AND started_at <= :latest), '')",
            {"latest": to_text(clock.latest_known(now))},
        )

    def due(self, now: datetime, limit: int) -> Due:
        """Return the tasks that waiting events ask to be read, the longest waiting first."""
        sql = f"SELECT task_id FROM events WHERE {_DUE} GROUP BY task_id ORDER BY min(id) LIMIT :limit"  # noqa: S608
        latest = clock.latest_known(now + LONGEST_DELAY)
        values = {"now": to_text(now), "latest": to_text(latest), "limit": limit}
        ids = [row["task_id"] for row in self._db.query(sql, values)]
        if not ids:
            return Due({}, 0)
        sql = f"SELECT id, task_id, event, attempts FROM events WHERE {_UNDER_WAY} AND task_id IN ({marks(ids)})"  # noqa: S608
        due = _read_due(self._db.query(sql, ids))
        return Due({task_id: due.tasks[task_id] for task_id in ids if task_id in due.tasks}, due.last_id)

    def claim(self, now: datetime, limit: int) -> Due:
        """Return what is due; on a server it is no other machine's for LEASE, or until a `release`.

        No machine waits for another: the first due event of a task is its lock, and who finds it locked takes the next
        task. `now`: by the server's clock.
        """
        if not self._db.is_shared:
            return self.due(now, limit)
        skips = self._db.skips_locked
        sql = f"""WITH first AS (SELECT task_id FROM events WHERE {_DUE}
                AND id IN (SELECT min(id) FROM events WHERE {_DUE} GROUP BY task_id) ORDER BY id LIMIT :limit {skips}),
            claimed AS (SELECT id FROM events WHERE {_UNDER_WAY} AND task_id IN (SELECT task_id FROM first) {skips})
            UPDATE events SET next_try_at = :leased WHERE id IN (SELECT id FROM claimed)
            RETURNING id, task_id, event, attempts"""  # noqa: S608 - constants
        latest = clock.latest_known(now + LONGEST_DELAY)
        values = {"now": to_text(now), "latest": to_text(latest), "limit": limit, "leased": to_text(now + LEASE)}
        return _read_due(sorted(self._db.query(sql, values), key=itemgetter("id")))

    def release(self, due: Due, now: datetime) -> None:
        """Give back what was claimed and not followed."""
        if self._db.is_shared and due.tasks:  # of a failed one no time would mean: not by itself
            sql = (
                "UPDATE events SET next_try_at = CASE WHEN status = 'waiting' THEN NULL ELSE ? END"  # noqa: S608
                f" WHERE {_UNDER_WAY} AND id <= ? AND task_id IN ({marks(due.tasks)})"
            )
            self._db.execute(sql, [to_text(now), due.last_id, *due.tasks])

    def drop_duplicates(self, task_ids: Collection[int], now: datetime, settled: timedelta) -> int:
        """Finish waiting events of these tasks whose like was processed `settled` after it came, or later; how many."""
        where = (
            f"{_UNDER_WAY} AND attempts = 0 AND task_id IN ({marks(task_ids)})"  # noqa: S608 - the words above
            " AND EXISTS (SELECT 1 FROM events AS twin WHERE twin.body_sha256 = events.body_sha256"
            " AND twin.status = 'done' AND twin.processed_at <= ?"
            f" AND {self._db.seconds_between('twin.received_at', 'twin.processed_at')} >= ?)"
        )
        values = [*task_ids, to_text(clock.latest_known(now)), settled.total_seconds()]
        if not self._db.query(f"SELECT 1 FROM events WHERE {where} LIMIT 1", values):  # noqa: S608 - the words above
            return 0  # as nearly always: without waiting for those who write
        with self._db.transaction():
            sql = f"UPDATE events SET status = 'done', processed_at = ? WHERE {where}"  # noqa: S608 - likewise
            return self._db.execute(sql, [to_text(now), *values]).rowcount

    def finish(
        self, task_ids: Sequence[int], last_id: int, status: str, now: datetime, reading: int, note: str | None = None
    ) -> int:
        """Mark the events of these tasks up to `last_id` as done or ignored; how many. Call it inside a transaction.

        `reading`: the number of the request that read the tasks. `note`: what there is to say about it.
        """
        sql = (
            f"UPDATE events SET status = ?, processed_at = ?, read_no = ?, next_try_at = NULL, error = ?"  # noqa: S608
            f" WHERE {_UNDER_WAY} AND id <= ? AND task_id IN ({marks(task_ids)})"
        )
        return self._db.execute(sql, [status, to_text(now), reading, note, last_id, *task_ids]).rowcount

    def fail(self, task_id: int, last_id: int, error: str, next_try_at: datetime | None) -> int:
        """Note that the events of a task up to `last_id` failed once more; how many. Call it inside a transaction."""
        sql = (
            "UPDATE events SET status = 'failed', attempts = attempts + 1, error = ?, next_try_at = ?"  # noqa: S608
            f" WHERE {_UNDER_WAY} AND id <= ? AND task_id = ?"
        )
        return self._db.execute(sql, [error, to_text(next_try_at), last_id, task_id]).rowcount

    def followed_since(self, task_ids: Collection[int], reading: int) -> set[int]:
        """Return those of the tasks that a request of a higher number read for an event and saved."""
        sql = "SELECT DISTINCT task_id FROM events WHERE read_no > ? AND status = 'done'"
        wanted = set(task_ids)
        return {row["task_id"] for row in self._db.query(sql, [reading]) if row["task_id"] in wanted}

    def waiting_for(self, task_ids: Collection[int]) -> set[int]:
        """Return those of the tasks that an event has reported and that were not followed yet."""
        sql = "SELECT DISTINCT task_id FROM events WHERE status IN ('waiting', 'failed') AND task_id IN (?)"
        return {row["task_id"] for row in self._db.query_in(sql, task_ids)}

    def finish_one(self, event_id: int, status: str, now: datetime, reading: int, note: str | None = None) -> None:
        """Mark a replayed event as done or ignored, as `finish` does. Call it inside a transaction."""
        sql = "UPDATE events SET status = ?, processed_at = ?, read_no = ?, next_try_at = NULL, error = ? WHERE id = ?"
        self._db.execute(sql, [status, to_text(now), reading, note, event_id])

    def fail_one(self, event_id: int, error: str, next_try_at: datetime | None) -> None:
        """Note that an event was replayed in vain. Call it inside a transaction."""
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
        """Return the stored events that fit all that is given (of them the `last` ones), in the order they came."""
        given = {"status = ?": status, "received_at >= ?": to_text(since), "received_at <= ?": to_text(until)}
        conditions = [condition for condition, value in given.items() if value is not None]
        values: list[Any] = [value for value in given.values() if value is not None]
        if ids:
            ids = [event_id for event_id in ids if can_be_stored(event_id)]
            conditions.append(f"id IN ({marks(ids)})")
            values.extend(ids)
        where = " AND ".join(conditions) or "1 = 1"
        limit = "" if last is None else f" LIMIT {last:d}"
        rows = self._db.query(f"SELECT * FROM events WHERE {where} ORDER BY id DESC{limit}", values)  # noqa: S608 - the words above
        return [_read_event(row) for row in reversed(rows)]

    def count_by_status(self) -> dict[str, int]:
        """Return how many events are stored, by their status."""
        return {row[0]: row[1] for row in self._db.query("SELECT status, count(*) FROM events GROUP BY status")}

    def last_received_at(self) -> datetime | None:
        """Return when an event came last."""
        last: str | None = self._db.query("SELECT max(received_at) FROM events")[0][0]
        return from_text(last)

    def oldest_unprocessed(self) -> datetime | None:
        """Return when the oldest event came that has to be processed; what waits for `replay` is not among them."""
        oldest = f"SELECT min(id) FROM events {self._db.indexed_by('events_to_process')} WHERE {_UNDER_WAY}"  # noqa: S608 - a constant
        sql = f"SELECT received_at FROM events WHERE id = ({oldest})"  # noqa: S608 - likewise
        return next((from_text(row["received_at"]) for row in self._db.query(sql)), None)

    def forget_old(self, now: datetime) -> int:
        """Delete what was processed a month ago, and what a snapshot has overtaken since; how many.

        `now` is the portal's: by a clock of ours that is a year ahead all would go. What is from the future stays.
        """
        with self._db.transaction():
            cursor = self._db.execute(
                "DELETE FROM events WHERE received_at < :before AND ((status IN ('done', 'ignored')"
                " AND processed_at < :before) OR (status = 'ignored_by_mode' AND received_at < (SELECT max(started_at)"
                " FROM snapshot_runs WHERE finished_at IS NOT NULL AND started_at <= :latest)))",
                {"before": to_text(now - STORED_FOR), "latest": to_text(clock.latest_known(now))},
            )
        return cursor.rowcount


def _new_row(event: NewEvent, status: str) -> dict[str, Any]:
    at = to_text(event.received_at)
    return {
        "received_at": at,
        "event": event.event,
        "task_id": event.task_id,
        "body": event.body,
        "body_sha256": event.sha256,
        "status": status,
        "attempts": 0,
        "processed_at": at if status == IGNORED else None,
    }


def _read_due(rows: Sequence[Row]) -> Due:
    tasks: dict[int, list[tuple[str, int]]] = {}
    for row in rows:
        tasks.setdefault(row["task_id"], []).append((row["event"], row["attempts"]))
    return Due(tasks, max((row["id"] for row in rows), default=0))


def _read_event(row: Row) -> StoredEvent:
    values = {name: row[name] for name in StoredEvent.__slots__}
    return StoredEvent(**values | {name: from_text(row[name]) for name in values if name.endswith("_at")})
