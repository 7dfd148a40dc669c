"""What was closed and by whom: people, departments, tasks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core import clock, periods
from b24tools.core.models import Department, Person, TaskRecord
from b24tools.store.leaderboard import Tallies
from b24tools.store.snapshot_runs import Run, Runs, to_text

_OF_RECORD = TaskRecord._fields.index("responsible_name")  # who that is, the people tell
_COLUMNS = (*TaskRecord._fields[:_OF_RECORD], "week", "gone", "saved_at", "read_no")
_COUNTED = ("title", "responsible_id", "group_id", "status", "closed_at", "deadline", "estimate_s", "gone")
_COUNTED_OF = itemgetter(*map(_COLUMNS.index, _COUNTED))
_OF_PERSON = ("id", "name", "active", "department_id", "department_ids", "saved_at", "read_no")
MOST_VALUES = 999  # in a statement, by SQLite before 3.32


@dataclass(frozen=True)
class Saved:
    """What a save did, by week label: how many tasks were new, changed, the same."""

    new: Mapping[str, int]
    changed: Mapping[str, int]
    same: Mapping[str, int]


class History(Runs):
    """The half of the store that is about closed tasks."""

    @property
    def tallies(self) -> Tallies:
        """What the leaderboard asks."""
        return Tallies(self._db.conn)

    # people

    def save_people(self, people: Iterable[Person], now: datetime, reading: int | None = None) -> None:
        """Save people; those who are not among them stay: their past weeks name them.

        `reading`: the number of the request that brought them (see `number_reading`); None: they were read just now.
        """
        found = list(people)
        if not found:
            return
        saved_at = to_text(now)
        with self.transaction():
            number = self.number_reading() if reading is None else reading
            newer = {row[0] for row in self._db.execute("SELECT id FROM people WHERE read_no > ?", [number])}
            rows = [
                (
                    person.id,
                    person.name,
                    int(person.active),
                    person.department_ids[0] if person.department_ids else None,
                    str(list(person.department_ids)),  # as JSON has it
                    saved_at,
                    number,
                )
                for person in found
                if person.id not in newer
            ]
            _put(self._db.conn, "people", _OF_PERSON, rows)

    def retire_unseen_people(self, run: Run) -> None:
        """Who was not among all the people that a run has read no longer works there; their past stays.

        Call it inside a transaction.
        """
        self._db.execute("UPDATE people SET active = 0 WHERE active = 1 AND read_no < ?", [run.first_no])

    def save_departments(self, departments: Iterable[Department], now: datetime) -> None:
        """Replace the departments by these; none at all is no answer to believe."""
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "parent_id": one.parent_id,
                "head_id": one.head_id,
                "saved_at": to_text(now),
            }
            for one in departments
        ]
        if not rows:
            return
        with self.transaction():
            self._db.execute("DELETE FROM departments")
            self._db.table("departments").insert_all(rows, pk="id")

    def known_people(self) -> set[int]:
        """The ids of everybody known."""
        return {row["id"] for row in self._db.query("SELECT id FROM people")}

    def count_people(self) -> int:
        """How many people are known."""
        return int(self._db.table("people").count)

    def names(self) -> dict[int, str]:
        """Everybody known, by id."""
        return {row["id"]: row["name"] for row in self._db.query("SELECT id, name FROM people ORDER BY id")}

    def count_departments(self) -> int:
        """How many departments are known."""
        return int(self._db.table("departments").count)

    def strangers(self, start: datetime, end: datetime) -> dict[int, int]:
        """People nobody knows who are responsible for counted tasks of the window, each with one of these tasks."""
        sql = (
            "SELECT responsible_id, max(id) AS task_id FROM tasks WHERE closed_at >= ? AND closed_at < ? AND gone = 0"
            " AND responsible_id NOT IN (SELECT id FROM people) GROUP BY 1 ORDER BY 1"
        )
        found = self._db.query(sql, [to_text(start), to_text(end)])
        return {row["responsible_id"]: row["task_id"] for row in found}

    # tasks

    def save_tasks(
        self, tasks: Sequence[TaskRecord], now: datetime, zone: ZoneInfo, reading: int | None = None
    ) -> Saved:
        """Save what the portal says of these tasks; the newer `changed_at` wins whatever the order of arrival.

        `reading`: the number of the request that brought them (see `number_reading`); None: they were read just now.
        Of two that know of the same change the later one wins, and one from before a task was seen to be gone
        does not bring it back. A task that is not closed is saved, too, if it was counted before, and marked gone.
        Call it inside a transaction.
        """
        counts: dict[str, dict[str, int]] = {"new": {}, "changed": {}, "same": {}}
        number = self.number_reading() if reading is None else reading
        before = self._known([task.id for task in tasks])
        saved_at, latest = to_text(now), to_text(clock.latest_known(now)) or ""
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
        self._db.conn.executemany("UPDATE tasks SET saved_at = ?, read_no = ? WHERE id = ?", outdated)
        _put(self._db.conn, "tasks", _COLUMNS, rows)
        return Saved(**counts)

    def mark_deleted(self, task_ids: Iterable[int], now: datetime, reading: int | None = None) -> None:
        """These tasks no longer exist on the portal. Call it inside a transaction.

        `reading`: the number of the request that did not find them; None: just now. What was read later stands.
        """
        number = self.number_reading() if reading is None else reading
        sql = "UPDATE tasks SET gone = 1, saved_at = ?, read_no = ? WHERE id = ? AND read_no <= ?"
        self._db.conn.executemany(sql, [(to_text(now), number, task_id, number) for task_id in task_ids])

    def mark_unseen_gone(self, run: Run) -> dict[str, int]:
        """Tasks of its window that a complete run did not see, and nothing has read since it began: gone, by week.

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
        """Counted tasks of the window, by week label."""
        sql = "SELECT week, count(*) AS n FROM tasks WHERE closed_at >= ? AND closed_at < ? AND gone = 0 GROUP BY week"
        return {row["week"]: row["n"] for row in self._db.query(sql, [to_text(start), to_text(end)])}

    def closed_ids(self, start: datetime, end: datetime) -> dict[int, list[int]]:
        """The counted tasks of the window, by who is responsible."""
        sql = (
            "SELECT responsible_id, id FROM tasks WHERE closed_at >= ? AND closed_at < ? AND gone = 0"
            " ORDER BY responsible_id, id"
        )
        found: dict[int, list[int]] = {}
        for row in self._db.query(sql, [to_text(start), to_text(end)]):
            found.setdefault(row["responsible_id"], []).append(row["id"])
        return found

    def _known(self, task_ids: Sequence[int]) -> dict[int, tuple[str | None, int, tuple[Any, ...]]]:
        """Of the tasks that are known: when they changed, which reading that is from, and what counts."""
        found: dict[int, tuple[str | None, int, tuple[Any, ...]]] = {}
        last = self._db.conn.execute("SELECT max(id) FROM tasks").fetchone()[0] or 0
        old = [task_id for task_id in task_ids if task_id <= last]  # the portal counts up
        names = ", ".join(_COUNTED)
        for first in range(0, len(old), 500):
            ids = old[first : first + 500]
            sql = f"SELECT id, changed_at, read_no, {names} FROM tasks WHERE id IN ({', '.join('?' * len(ids))})"  # noqa: S608 - names and marks
            found.update({row[0]: (row[1], row[2], row[3:]) for row in self._db.conn.execute(sql, ids)})
        return found


def _compare(one: str | None, other: str | None, latest: str) -> int:
    """1 where the first moment is the later one, -1 where it is the earlier one.

    Those unknown, and those after `latest`, which only a wrong clock can have written, are equal to all.
    """
    if one is None or other is None or max(one, other) > latest:
        return 0
    return (one > other) - (one < other)


def _put(connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Insert or, by the first column, update; many rows to a statement.

    For each statement Python lets its other threads work and must wait for its turn again.
    """
    into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 - names of ours
    marks = f"({', '.join('?' * len(columns))})"
    values = ", ".join(f"{name} = excluded.{name}" for name in columns[1:])
    size = MOST_VALUES // len(columns)
    for first in range(0, len(rows), size):
        part = rows[first : first + size]
        sql = f"{into}{', '.join([marks] * len(part))} ON CONFLICT ({columns[0]}) DO UPDATE SET {values}"
        connection.execute(sql, [value for row in part for value in row])
