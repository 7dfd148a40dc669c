"""Which days are worked, and who is away on them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta

from b24tools.store.database import Database

WEEKEND = 5  # Saturday, counted from 0


class Presence:
    """The working days that the last snapshots know of."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def save(self, days: Mapping[date, tuple[bool, Collection[int]]]) -> None:
        """Save of each day whether it is worked and who is away. Call it inside a transaction."""
        rows = [
            {"day": day.isoformat(), "works": int(works), "away": json.dumps(sorted(away))}
            for day, (works, away) in days.items()
        ]
        self._db.insert("presence", rows, key=["day"])

    def read(self, first: date, after: date) -> Iterator[tuple[bool, Collection[int]]]:
        """Yield of each day whether it is worked and who is away; of an unknown one what its weekday tells."""
        sql = "SELECT day, works, away FROM presence WHERE day >= ? AND day < ?"
        known = {row["day"]: row for row in self._db.query(sql, [first.isoformat(), after.isoformat()])}
        for number in range((after - first).days):
            day = first + timedelta(days=number)
            row = known.get(day.isoformat())
            yield (day.weekday() < WEEKEND, ()) if row is None else (bool(row["works"]), json.loads(row["away"]))

    def homes(self, user_ids: Collection[int]) -> dict[int, int]:
        """Return the departments of these people, of those who are active and have one."""
        return {user_id: home for user_id, home in read_homes(self._db).items() if user_id in user_ids}

    def members(self, hidden: Collection[int], inside: Collection[int] | None = None) -> list[int]:
        """Return the active people with a department, of these departments where they are given, without the hidden."""
        return [
            user_id
            for user_id, home in read_homes(self._db).items()
            if user_id not in hidden and (inside is None or home in inside)
        ]


def read_homes(db: Database) -> dict[int, int]:
    """Return the first department of each active person who has one, by the person's id."""
    sql = "SELECT id, department_id FROM people WHERE active = 1 AND department_id IS NOT NULL ORDER BY id"
    return dict(map(tuple, db.query(sql)))
