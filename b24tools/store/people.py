"""People and departments, as they were last read from the portal."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from b24tools.core import clock
from b24tools.core.models import Department, Person
from b24tools.core.timestamps import to_seconds, to_text
from b24tools.store.closings import within
from b24tools.store.database import Database
from b24tools.store.snapshot_runs import Run, SnapshotRuns


class People:
    """Everybody known, and the departments."""

    def __init__(self, db: Database, runs: SnapshotRuns) -> None:
        self._db = db
        self._runs = runs

    def save(self, people: Iterable[Person], now: datetime, reading: int | None = None) -> None:
        """Save people; those who are not among them stay: their past weeks name them.

        `reading`: the number of the request that brought them (see `number_reading`); None: they were read just now.
        """
        everybody = list(people)
        if not everybody:
            return
        with self._db.transaction():
            number = self._runs.number_reading() if reading is None else reading
            newer = {row["id"] for row in self._db.query("SELECT id FROM people WHERE read_no > ?", [number])}
            rows = [
                {
                    "id": person.id,
                    "name": person.name,
                    "active": int(person.active),
                    "department_id": person.department_ids[0] if person.department_ids else None,
                    "department_ids": json.dumps(person.department_ids),
                    "email": person.email or None,
                    "saved_at": to_text(now),
                    "read_no": number,
                }
                for person in everybody
                if person.id not in newer
            ]
            self._db.insert("people", rows, key=["id"])

    def retire_unseen(self, run: Run) -> None:
        """Mark as left who was not among all the people that a run has read; their past stays. In a transaction."""
        self._db.execute("UPDATE people SET active = 0 WHERE active = 1 AND read_no < ?", [run.first_no])

    def save_departments(self, departments: Iterable[Department], now: datetime) -> None:
        """Replace the departments by these; none at all is no answer to believe."""
        rows = [
            {
                "id": department.id,
                "name": department.name,
                "parent_id": department.parent_id,
                "head_id": department.head_id,
                "saved_at": to_text(now),
            }
            for department in departments
        ]
        if rows:
            with self._db.transaction():
                self._db.execute("DELETE FROM departments")
                self._db.insert("departments", rows)

    def known(self) -> set[int]:
        """Return the ids of everybody known."""
        return set(self.names())

    def names(self) -> dict[int, str]:
        """Return the names of everybody known, by id."""
        return {row["id"]: row["name"] for row in self._db.query("SELECT id, name FROM people ORDER BY id")}

    def emails(self) -> dict[int, str]:
        """Return the addresses of those who have one, by id."""
        return {row["id"]: row["email"] for row in self._db.query("SELECT id, email FROM people WHERE email <> ''")}

    def all(self) -> list[Person]:
        """Return everybody known, by id; the first word of a name counts as the given name."""
        rows = self._db.query("SELECT id, name, active, department_ids FROM people ORDER BY id")
        people = []
        for row in rows:
            given, _gap, surname = row["name"].partition(" ")
            homes = tuple(json.loads(row["department_ids"] or "[]"))
            people.append(Person(row["id"], given, surname, "", bool(row["active"]), homes))
        return people

    def departments(self) -> list[Department]:
        """Return the departments, by id."""
        rows = self._db.query("SELECT id, name, parent_id, head_id FROM departments ORDER BY id")
        return [Department(*row) for row in rows]

    def count(self) -> int:
        """Return how many people are known."""
        return int(self._db.query("SELECT count(*) FROM people")[0][0])

    def count_departments(self) -> int:
        """Return how many departments are known."""
        return int(self._db.query("SELECT count(*) FROM departments")[0][0])

    def missing(self, start: datetime, end: datetime) -> dict[int, int]:
        """Return unknown people who are responsible for counted tasks of the window, each with one of these tasks."""
        sql = (
            f"SELECT responsible_id, max(id) AS task_id FROM closed_tasks WHERE {within()} AND gone = 0"  # noqa: S608
            " AND responsible_id NOT IN (SELECT id FROM people) GROUP BY 1 ORDER BY 1"
        )
        rows = self._db.query(sql, {"start": to_seconds(start), "end": to_seconds(end)})
        return {row["responsible_id"]: row["task_id"] for row in rows}

    def last_read(self, what: str, now: datetime) -> datetime | None:
        """Return when all of `what` ("people", "departments") were last read from the portal; None if unknown."""
        rows = self._db.query("SELECT read_at FROM last_read WHERE what = ?", [what])
        return clock.known_moment(rows[0]["read_at"], now) if rows else None

    def save_last_read(self, what: str, at: datetime) -> None:
        """Note that all of `what` was read then. Call it inside the transaction that saves the last of it."""
        self._db.insert("last_read", [{"what": what, "read_at": to_text(at)}], key=["what"])
