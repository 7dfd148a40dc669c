"""Closed tasks, as the portal showed them last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core import clock, periods
from b24tools.core.line_keys import KEY_PREFIX, number_line
from b24tools.core.models import Status, TaskRecord
from b24tools.core.timestamps import seconds_to_text, text_to_seconds, to_seconds, to_text
from b24tools.store.closings import within
from b24tools.store.database import Database
from b24tools.store.packed import Packed
from b24tools.store.snapshot_runs import Run, SnapshotRuns

_OF_RECORD = TaskRecord._fields.index("responsible_name")  # who that is, the people tell
_COLUMNS = (*TaskRecord._fields[:_OF_RECORD], "week", "gone", "saved_at", "read_no", "line", "first_deadline")
_COUNTED = ("title", "responsible_id", "group_id", "status", "closed_at", "deadline", "estimate_s", "gone")
_COUNTED_OF = itemgetter(*map(_COLUMNS.index, _COUNTED))
_FIRST_TASKS = "SELECT min(task_id) FROM order_tasks UNION ALL SELECT min(task_id) FROM packed_lines"  # of the ledger


@dataclass(frozen=True)
class Saved:
    """What a save did, by week label: how many tasks were new, changed, the same. `changes`: of which, and when."""

    new: Mapping[str, int]
    changed: Mapping[str, int]
    same: Mapping[str, int]
    changes: Mapping[int, int | None] = field(default_factory=dict, compare=False)


class Tasks:
    """What was closed, by whom and when."""

    def __init__(self, db: Database, runs: SnapshotRuns, packed: Packed) -> None:
        self._db = db
        self._runs = runs
        self._packed = packed

    def save(self, tasks: Sequence[TaskRecord], now: datetime, zone: ZoneInfo, reading: int | None = None) -> Saved:
        """Save what the portal says of these tasks; the newer `changed_at` wins whatever the order of arrival.

        `reading`: the number of the request that brought them (see `number_reading`); None: they were read just now.
        Of two that know of the same change the later one wins, and one from before a task was seen to be gone
        does not bring it back. A task that is not closed is saved, too, if it was counted before, and marked gone;
        of others the deadline is noted. Call it inside a transaction.
        """
        counts: dict[str, dict[str, int]] = {"new": {}, "changed": {}, "same": {}}
        changes: dict[int, int | None] = {}
        number = self._runs.number_reading() if reading is None else reading
        before = self._known([task.id for task in tasks])
        self.note_open([(task.id, task.deadline) for task in tasks if task.status != Status.COMPLETED], now)
        lines, deadlines = self._read_lines(tasks), self._first_deadlines([task.id for task in tasks])
        saved_at, latest = to_seconds(now), to_seconds(clock.latest_known(now))
        rows, outdated = [], []
        new_lines: list[int] = []
        for task in tasks:
            known = before.get(task.id)
            gone = task.closed_at is None
            read_no = 0
            if known is None:
                if gone:
                    continue
            else:
                changed_at, read_no, counted, _stays = known
                newer = _compare(task.changed_at, changed_at, latest)
                if number < read_no and (newer <= 0 or counted[-1]):
                    continue
                if newer < 0:
                    outdated.append((saved_at, number, task.id))
                    continue
            week = None if task.closed_at is None else periods.label_at(task.closed_at, zone)
            read_no = max(number, read_no)
            line, promised = lines.get(task.id, (None, None))
            line_before, first_before = known[3] if known else (None, None)
            first = promised or first_before or deadlines.get(task.id)
            row = (*task[:_OF_RECORD], week, int(gone), saved_at, read_no, line or line_before, first)
            new = _COUNTED_OF(row)
            if line is not None and line != line_before:
                new_lines.append(line)
            kind = "new" if known is None else "same" if known[2] == new else "changed"
            counts[kind][week or ""] = counts[kind].get(week or "", 0) + 1
            if kind != "same":
                changes[task.id] = task.changed_at
            rows.append(row)
            before[task.id] = task.changed_at, read_no, new, row[-2:]
        self._db.execute_many("UPDATE closed_tasks SET saved_at = ?, read_no = ? WHERE id = ?", outdated)
        self._note_repeated(new_lines)
        self._db.insert_values("closed_tasks", _COLUMNS, rows, key=["id"])
        self._packed.note_departments(changes.keys() & lines.keys())
        moved = [(row[0],) for row in rows if row[0] in deadlines]
        self._db.execute_many("DELETE FROM first_deadlines WHERE task_id = ?", moved)  # the task has it now
        projects = {task.group_id: task.group_name for task in tasks if task.group_name}
        self._db.insert_values("projects", ("id", "name"), list(projects.items()), key=["id"])
        return Saved(**counts, changes=changes)

    def note_open(self, deadlines: Iterable[tuple[int, int | None]], now: datetime) -> None:
        """Note what open tasks have as deadlines; the first one that is seen stays. Call it inside a transaction."""
        seen_at = to_text(now)
        self._db.execute_many(
            "INSERT INTO first_deadlines (task_id, deadline, seen_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            [(task_id, seconds_to_text(deadline), seen_at) for task_id, deadline in deadlines if deadline is not None],
        )

    def mark_deleted(self, task_ids: Iterable[int], now: datetime, reading: int | None = None) -> None:
        """Note that these tasks no longer exist on the portal. Call it inside a transaction.

        `reading`: the number of the request that did not find them; None: just now. What was read later stands.
        """
        number = self._runs.number_reading() if reading is None else reading
        ids = list(task_ids)
        sql = "UPDATE closed_tasks SET gone = 1, saved_at = ?, read_no = ? WHERE id = ? AND read_no <= ?"
        self._db.execute_many(sql, [(to_seconds(now), number, task_id, number) for task_id in ids])
        self._db.execute_many("DELETE FROM first_deadlines WHERE task_id = ?", [(task_id,) for task_id in ids])

    def mark_reopened(self, task_ids: Collection[int], before: datetime, now: datetime, reading: int) -> list[int]:
        """Note which of these open tasks were closed before that moment; which. Call it inside a transaction.

        Those closed later are looked through by the run itself.
        """
        sql = "SELECT id, closed_at, read_no FROM closed_tasks WHERE id IN (?) AND gone = 0"
        end = to_seconds(before)
        reopened = [row[0] for row in self._db.query_in(sql, task_ids) if row[1] < end and row[2] < reading]
        at = to_seconds(now)
        sql = "UPDATE closed_tasks SET gone = 1, saved_at = ?, read_no = ? WHERE id = ?"
        self._db.execute_many(sql, [(at, reading, task_id) for task_id in reopened])
        return reopened

    def mark_unseen_gone(self, run: Run) -> dict[int, str]:
        """Mark as gone what a complete run did not see of its window and nothing has read since; which, with the weeks.

        Call it inside a transaction.
        """
        where = f"{within()} AND read_no < :first_no AND gone = 0"
        window = {"start": to_seconds(run.start), "end": to_seconds(run.end), "first_no": run.first_no}
        unseen = self._db.query(f"SELECT id, week FROM closed_tasks WHERE {where}", window)  # noqa: S608 - a constant
        if unseen:
            self._db.execute(f"UPDATE closed_tasks SET gone = 1, read_no = :first_no WHERE {where}", window)  # noqa: S608 - a constant
        return {row["id"]: row["week"] for row in unseen}

    def count_followed(self, reading: int) -> int:
        """Return how many of the tasks, closed ones and those that were, an event has brought since that reading."""
        sql = (
            "SELECT count(DISTINCT task_id) FROM events JOIN closed_tasks ON closed_tasks.id = task_id"
            " WHERE events.read_no > ? AND events.status = 'done'"
        )
        return int(self._db.query(sql, [reading])[0][0])

    def count_by_week(self, start: datetime, end: datetime) -> dict[str, int]:
        """Count the closed tasks of the window by week label."""
        sql = f"SELECT week, count(*) AS n FROM closed_tasks WHERE {within()} AND gone = 0 GROUP BY week"  # noqa: S608
        rows = self._db.query(sql, {"start": to_seconds(start), "end": to_seconds(end)})
        return {row["week"]: row["n"] for row in rows}

    def closing(self, task_id: int) -> tuple[datetime, int] | None:
        """Return when a task was closed, and who is responsible for it; None where it is not known to be closed."""
        sql = "SELECT closed_at, responsible_id FROM closed_tasks WHERE id IN (?) AND gone = 0"
        for row in self._db.query_in(sql, [task_id]):
            return datetime.fromtimestamp(row[0], UTC), row[1]
        return None

    def projects(self) -> dict[int, str]:
        """Return the names of the projects that tasks were seen in, by id."""
        return {row["id"]: row["name"] for row in self._db.query("SELECT id, name FROM projects ORDER BY id")}

    def closed_ids(self, start: datetime, end: datetime, absent: Collection[int] = ()) -> dict[int, list[int]]:
        """Return the closed tasks of the window by who is responsible, without the `absent`."""
        sql = (
            f"SELECT responsible_id, id FROM closed_tasks WHERE {within()} AND gone = 0"  # noqa: S608 - constants
            " ORDER BY responsible_id, id"
        )
        closed: dict[int, list[int]] = {}
        for row in self._db.query(sql, {"start": to_seconds(start), "end": to_seconds(end)}):
            if row["responsible_id"] not in absent:
                closed.setdefault(row["responsible_id"], []).append(row["id"])
        return closed

    def _known(self, task_ids: Sequence[int]) -> dict[int, tuple[int | None, int, tuple[Any, ...], tuple[Any, ...]]]:
        """Return of the known tasks: when they changed, from which reading that is, what counts, and what stays."""
        columns = f"id, changed_at, read_no, line, first_deadline, {', '.join(_COUNTED)}"
        rows = self._db.query_in(f"SELECT {columns} FROM closed_tasks WHERE id IN (?)", task_ids)  # noqa: S608 - names of ours
        return {row[0]: (row[1], row[2], row[5:], row[3:5]) for row in rows}

    def _note_repeated(self, lines: Sequence[int]) -> None:
        """Note which of the orders' lines have several tasks. `lines`: those of tasks that are about to be saved."""
        sql = "SELECT line FROM closed_tasks WHERE line IN (?)"
        repeated = {row[0] for row in self._db.query_in(sql, sorted(lines))}  # as the index has them
        repeated |= {line for line, count in Counter(lines).items() if count > 1}
        sql = "INSERT INTO repeated_lines (line) VALUES (?) ON CONFLICT DO NOTHING"
        self._db.execute_many(sql, [(line,) for line in repeated])

    def _first_deadlines(self, task_ids: Sequence[int]) -> dict[int, int | None]:
        """Return the first deadlines that the tasks were seen with while they were open."""
        sql = "SELECT task_id, deadline FROM first_deadlines WHERE task_id IN (?)"
        return {row[0]: text_to_seconds(row[1]) for row in self._db.query_in(sql, task_ids)}

    def _read_lines(self, tasks: Sequence[TaskRecord]) -> dict[int, tuple[int, int | None]]:
        """Return the numbers of the orders' lines that the tasks are of, each with the ledger's first deadline.

        The ledger knows a line's task by its id; one that it does not know by the key that the task carries.
        """
        columns = itemgetter("key", "first_deadline")
        lines = {task_id: columns(line) for task_id, line in self._packed.other_tasks().items()}
        sql = (
            "SELECT other.value, order_tasks.key, first_deadline"  # noqa: S608 - constants
            f" FROM order_tasks, {self._db.json_numbers('other_tasks')} AS other WHERE other_tasks <> '[]'"
        )
        lines |= {row[0]: (row[1], row[2]) for row in self._db.query(sql)}
        # most tasks of a first year are older than the ledger
        least = min((row[0] for row in self._db.query(_FIRST_TASKS) if row[0] is not None), default=None)
        ids = [task.id for task in tasks if least is not None and task.id >= least]
        sql = "SELECT task_id, key, first_deadline FROM all_lines WHERE task_id IN (?)"
        lines |= {row[0]: (row[1], row[2]) for row in self._db.query_in(sql, ids)}
        keys = {task.id: task.xml_id for task in tasks if task.xml_id.startswith(KEY_PREFIX) and task.id not in lines}
        known = {line["key"]: line["first_deadline"] for line in self._packed.lines_of_keys(keys.values())}
        if self._db.query("SELECT 1 FROM order_tasks LIMIT 1"):
            sql = "SELECT key, first_deadline FROM order_tasks WHERE key IN (?)"
            known |= {row[0]: row[1] for row in self._db.query_in(sql, set(keys.values()))}
        lines |= {task_id: (key, known.get(key)) for task_id, key in keys.items()}
        return {task_id: (number_line(key), text_to_seconds(first)) for task_id, (key, first) in lines.items()}


def _compare(moment: int | None, other: int | None, latest: int) -> int:
    """Return 1 where the first moment is the later one, -1 where it is the earlier one.

    Those unknown, and those after `latest`, which only a wrong clock can have written, are equal to all.
    """
    if moment is None or other is None or max(moment, other) > latest:
        return 0
    return (moment > other) - (moment < other)
