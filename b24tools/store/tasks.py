"""Closed tasks, as the portal showed them last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core import clock, periods
from b24tools.core.models import TaskRecord
from b24tools.core.timestamps import to_text
from b24tools.store.database import Database
from b24tools.store.snapshot_runs import Run, SnapshotRuns

_OF_RECORD = TaskRecord._fields.index("responsible_name")  # who that is, the people tell
_COLUMNS = (*TaskRecord._fields[:_OF_RECORD], "week", "gone", "saved_at", "read_no")
_COUNTED = ("title", "responsible_id", "group_id", "status", "closed_at", "deadline", "estimate_s", "gone")
_COUNTED_OF = itemgetter(*map(_COLUMNS.index, _COUNTED))


@dataclass(frozen=True)
class Saved:
    """What a save did, by week label: how many tasks were new, changed, the same."""

    new: Mapping[str, int]
    changed: Mapping[str, int]
    same: Mapping[str, int]


class Tasks:
    """What was closed, by whom and when."""

    def __init__(self, db: Database, runs: SnapshotRuns) -> None:
        self._db = db
        self._runs = runs

    def save(self, tasks: Sequence[TaskRecord], now: datetime, zone: ZoneInfo, reading: int | None = None) -> Saved:
        """Save what the portal says of these tasks; the newer `changed_at` wins whatever the order of arrival.

        `reading`: the number of the request that brought them (see `number_reading`); None: they were read just now.
        Of two that know of the same change the later one wins, and one from before a task was seen to be gone
        does not bring it back. A task that is not closed is saved, too, if it was counted before, and marked gone.
        Call it inside a transaction.
        """
        counts: dict[str, dict[str, int]] = {"new": {}, "changed": {}, "same": {}}
        number = self._runs.number_reading() if reading is None else reading
        before = self._known([task.id for task in tasks])
        saved_at, latest = to_text(now), to_text(clock.latest_known(now))
        rows, outdated = [], []
        for task in tasks:
            known = before.get(task.id)
            gone = task.closed_at is None
            read_no = 0
            if known is None:
                if gone:
                    continue
            else:
                changed_at, read_no, counted = known
                newer = _compare(task.changed_at, changed_at, latest)
                if number < read_no and (newer <= 0 or counted[-1]):
                    continue
                if newer < 0:
                    outdated.append((saved_at, number, task.id))
                    continue
            week = None if task.closed_at is None else periods.label_at(task.closed_at, zone)
            read_no = max(number, read_no)
            row = (*task[:_OF_RECORD], week, int(gone), saved_at, read_no)
            new = _COUNTED_OF(row)
            kind = "new" if known is None else "same" if known[-1] == new else "changed"
            counts[kind][week or ""] = counts[kind].get(week or "", 0) + 1
            rows.append(row)
            before[task.id] = task.changed_at, read_no, new
        self._db.execute_many("UPDATE tasks SET saved_at = ?, read_no = ? WHERE id = ?", outdated)
        self._db.insert_values("tasks", _COLUMNS, rows, key=["id"])
        projects = {task.group_id: task.group_name for task in tasks if task.group_name}
        self._db.insert_values("projects", ("id", "name"), list(projects.items()), key=["id"])
        return Saved(**counts)

    def mark_deleted(self, task_ids: Iterable[int], now: datetime, reading: int | None = None) -> None:
        """Note that these tasks no longer exist on the portal. Call it inside a transaction.

        `reading`: the number of the request that did not find them; None: just now. What was read later stands.
        """
        number = self._runs.number_reading() if reading is None else reading
        sql = "UPDATE tasks SET gone = 1, saved_at = ?, read_no = ? WHERE id = ? AND read_no <= ?"
        self._db.execute_many(sql, [(to_text(now), number, task_id, number) for task_id in task_ids])

    def mark_unseen_gone(self, run: Run) -> dict[str, int]:
        """Mark as gone what a complete run did not see of its window and nothing has read since; how many, by week.

        Call it inside a transaction.
        """
        where = "closed_at >= ? AND closed_at < ? AND read_no < ? AND gone = 0"
        window = [to_text(run.start), to_text(run.end), run.first_no]
        found = self._db.query(f"SELECT week, count(*) AS n FROM tasks WHERE {where} GROUP BY week", window)  # noqa: S608
        counts = {row["week"]: row["n"] for row in found}
        if counts:
            self._db.execute(f"UPDATE tasks SET gone = 1, read_no = ? WHERE {where}", [run.first_no, *window])  # noqa: S608 - a constant
        return counts

    def count_by_week(self, start: datetime, end: datetime) -> dict[str, int]:
        """Count the closed tasks of the window by week label."""
        sql = "SELECT week, count(*) AS n FROM tasks WHERE closed_at >= ? AND closed_at < ? AND gone = 0 GROUP BY week"
        return {row["week"]: row["n"] for row in self._db.query(sql, [to_text(start), to_text(end)])}

    def projects(self) -> dict[int, str]:
        """Return the names of the projects that tasks were seen in, by id."""
        return {row["id"]: row["name"] for row in self._db.query("SELECT id, name FROM projects ORDER BY id")}

    def closed_ids(self, start: datetime, end: datetime) -> dict[int, list[int]]:
        """Return the closed tasks of the window by who is responsible."""
        sql = (
            "SELECT responsible_id, id FROM tasks WHERE closed_at >= ? AND closed_at < ? AND gone = 0"
            " ORDER BY responsible_id, id"
        )
        found: dict[int, list[int]] = {}
        for row in self._db.query(sql, [to_text(start), to_text(end)]):
            found.setdefault(row["responsible_id"], []).append(row["id"])
        return found

    def _known(self, task_ids: Sequence[int]) -> dict[int, tuple[str | None, int, tuple[Any, ...]]]:
        """Return of the tasks that are known: when they changed, which reading that is from, and what counts."""
        sql = f"SELECT id, changed_at, read_no, {', '.join(_COUNTED)} FROM tasks WHERE id IN (?)"  # noqa: S608 - names of ours
        return {row[0]: (row[1], row[2], row[3:]) for row in self._db.query_in(sql, task_ids)}


def _compare(one: str | None, other: str | None, latest: str) -> int:
    """Return 1 where the first moment is the later one, -1 where it is the earlier one.

    Those unknown, and those after `latest`, which only a wrong clock can have written, are equal to all.
    """
    if one is None or other is None or max(one, other) > latest:
        return 0
    return (one > other) - (one < other)
