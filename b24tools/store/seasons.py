"""Results of past months and quarters, frozen with the rules that they were counted by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row, marks
from b24tools.store.settings import CountingRules

COUNTED = (
    *("user_id", "current", "group_id", "name", "department_id", "department"),
    *("tasks", "estimate_s", "on_time", "on_time_of"),
)


@dataclass(frozen=True, slots=True)
class Season:
    """A frozen period: when that was done, of when its data were, the rules, and how many members teams had."""

    label: str
    frozen_at: datetime
    as_of: datetime
    rules: CountingRules
    members: Mapping[int, int]


class Seasons:
    """The frozen months and quarters: nothing changes them any more."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def find(self, labels: Sequence[str]) -> dict[str, Season]:
        """Return those of the periods that are frozen, by label."""
        rows = self._db.query(f"SELECT * FROM seasons WHERE label IN ({marks(labels)})", labels)  # noqa: S608
        return {row["label"]: _read_season(row) for row in rows}

    def labels(self) -> set[str]:
        """Return the labels of all that are frozen."""
        return {row[0] for row in self._db.query("SELECT label FROM seasons")}

    def results(self, label: str, *, current: bool, group_id: int | None = None) -> list[Row]:
        """Return the results of a frozen period, or of the one before, by person; in all projects or in one."""
        sql = (
            "SELECT user_id, name, department_id, department, sum(tasks), sum(estimate_s), sum(on_time),"
            " sum(on_time_of) FROM season_results WHERE label = :label AND current = :current"
            " AND (:group_id IS NULL OR group_id = :group_id) GROUP BY user_id, name, department_id, department"
        )
        return self._db.query(sql, {"label": label, "current": int(current), "group_id": group_id})

    def save(self, season: Season, counted: str, values: Mapping[str, Any]) -> None:
        """Save a season with its results: a row per person and project.

        `counted`: a SELECT of COUNTED with its `values`. It has those of the period before, too, where that one is not
        frozen. Call it inside a transaction.
        """
        rules = asdict(season.rules)
        rules |= {name: sorted(rules[name]) for name in ("opted_out", "hidden")}
        row = {
            "label": season.label,
            "frozen_at": to_text(season.frozen_at),
            "as_of": to_text(season.as_of),
            "rules": json.dumps(rules),
            "members": json.dumps(season.members),
        }
        self._db.insert("seasons", [row])
        columns = ", ".join(COUNTED)
        self._db.execute(
            f"INSERT INTO season_results (label, {columns}) SELECT CAST(:label AS TEXT), counted.* FROM ({counted})"  # noqa: S608
            " AS counted",
            {**values, "label": season.label},
        )


def _read_season(row: Row) -> Season:
    rules = json.loads(row["rules"])
    rules |= {name: frozenset(rules[name]) for name in ("opted_out", "hidden")}
    members = {int(department): count for department, count in json.loads(row["members"]).items()}
    return Season(row["label"], from_text(row["frozen_at"]), from_text(row["as_of"]), CountingRules(**rules), members)
