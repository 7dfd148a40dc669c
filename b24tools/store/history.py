"""The history: what was done for an order and when, by which command and whom."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any

from b24tools.core.names import same_name
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database
from b24tools.store.packed import Packed

FAILED, PARTIAL, PLANNED = "failed", "partial", "planned"
UNCHANGED = (FAILED, "skipped", "unchanged")  # outcomes of lines whose task is as it was
CUT = "cut"  # of an order: the run was killed before it could note what it had done


@dataclass(frozen=True)
class Entry:
    """What one run did for an order. `times`: how often it did the same in a row, from `at` to `last_at`.

    `lines`: position, outcome and task of what it changed or could not write. `error`: why it failed.
    """

    at: datetime
    command: str
    order_id: str
    number: str
    outcome: str
    by: str
    lines: tuple[tuple[str, str, int | None], ...] = ()
    error: str | None = None
    times: int = 1
    last_at: datetime | None = None


class History:
    """What was done for orders."""

    def __init__(self, db: Database, packed: Packed) -> None:
        self._db = db
        self._packed = packed
        self._begun: dict[str, int] = {}

    def begin(self, entry: Entry) -> None:
        """Note what is about to be done for an order, or how far it is. It stays if the run is cut: see `add`."""
        with self._db.transaction():
            if begun := self._begun.get(entry.order_id):
                sql = "UPDATE history SET lines = ? WHERE id = ? AND order_id = ?"
                self._db.execute(sql, [_compare(entry)[3], begun, entry.order_id])
            else:
                self._begun[entry.order_id] = self._insert(entry)

    def add(self, entry: Entry) -> None:
        """Note what was done, in place of what was begun; what cron does again each minute is one entry with a count.

        Only where nothing was changed is it the same: a second move of a task goes to another place. Where a run has
        failed without saying what it did until then, that is taken from what was begun.
        """
        with self._db.transaction():
            if begun := self._begun.pop(entry.order_id, None):
                row = [begun, entry.order_id]  # the number may be another's, where the transaction was undone
                for noted in self._db.query("SELECT lines FROM history WHERE id = ? AND order_id = ?", row):
                    done = tuple(line for line in _read_lines(noted["lines"]) if line[1] not in (*UNCHANGED, PLANNED))
                    if done and entry.outcome == FAILED and not entry.lines:
                        entry = replace(entry, outcome=PARTIAL, lines=done)
                self._db.execute("DELETE FROM history WHERE id = ? AND order_id = ?", row)
            same = _compare(entry)
            sql = "SELECT id, command, outcome, caller, lines, error FROM history WHERE order_id = ?"
            last = self._db.query(f"{sql} ORDER BY id DESC LIMIT 1", [entry.order_id])
            is_changing = any(outcome not in UNCHANGED for _position, outcome, _task_id in entry.lines)
            if last and not is_changing and list(last[0])[1:] == same:
                sql = "UPDATE history SET times = times + 1, last_at = ?, number = ? WHERE id = ?"
                self._db.execute(sql, [to_text(entry.at), entry.number, last[0]["id"]])
                return
            self._insert(entry)

    def _insert(self, entry: Entry) -> int:
        entry_id = self._last_id() + 1
        self._db.execute(
            "INSERT INTO history (id, at, order_id, number, command, outcome, caller, lines, error)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [entry_id, to_text(entry.at), entry.order_id, entry.number, *_compare(entry)],
        )
        return entry_id

    def _last_id(self) -> int:
        """Return the last id of all entries, which those that are packed have as well."""
        ids = [self._db.query("SELECT max(id) FROM history"), self._db.query("SELECT max(entry) FROM packed_history")]
        return max(rows[0][0] or 0 for rows in ids)

    def find_ids(self, order: str) -> list[str]:
        """Return the ids of the orders of this number or id, the one with the newest entry last."""
        packed = (
            "SELECT entry, order_id FROM packed_history JOIN packed_orders ON packed_orders.number = order_number"
            " WHERE packed_orders.order_id = ? UNION ALL SELECT entry, order_id FROM packed_history"
            " JOIN packed_orders ON packed_orders.number = order_number WHERE packed_history.number = ?"
        )
        sql = "SELECT id, order_id FROM history WHERE order_id = ? OR number = ?"
        entries = [tuple(row) for query in (sql, packed) for row in self._db.query(query, [order, order])]
        newest_first = dict.fromkeys(order_id for _entry, order_id in sorted(entries, reverse=True))
        return [*newest_first][::-1]

    def find_alike(self, number: str) -> list[str]:
        """Return the ids of the orders of a number that differs from this one in letter case, ё or dashes only."""
        numbers = self._db.query("SELECT number FROM history UNION SELECT number FROM packed_history ORDER BY number")
        alike = [row[0] for row in numbers if same_name(row[0]) == same_name(number)]
        return list(dict.fromkeys(order_id for spelling in alike for order_id in self.find_ids(spelling)))

    def of_order(self, order_id: str) -> list[Entry]:
        """Return all that was done for an order, the oldest first."""
        rows = map(dict, self._db.query("SELECT * FROM history WHERE order_id = ?", [order_id]))
        return _read(sorted([*rows, *self._packed.history([order_id])], key=itemgetter("id")))

    def last(self, limit: int) -> list[Entry]:
        """Return what was done last for any order, the oldest first."""
        sql = "SELECT * FROM history ORDER BY coalesce(last_at, at) DESC, id DESC LIMIT ?"
        rows = [*map(dict, self._db.query(sql, [limit])), *self._packed.last_history(limit)]
        return _read(sorted(rows, key=lambda row: (row["last_at"] or row["at"], row["id"]))[-limit:])


def _compare(entry: Entry) -> list[str | None]:
    """Return what two entries of an order have in common that are the same."""
    return [entry.command, entry.outcome, entry.by, json.dumps(entry.lines, ensure_ascii=False), entry.error]


def _read(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    return [_read_entry(row) for row in rows]


def _read_entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        at=from_text(row["at"]),
        command=row["command"],
        order_id=row["order_id"],
        number=row["number"],
        outcome=row["outcome"],
        by=row["caller"],
        lines=_read_lines(row["lines"]),
        error=row["error"],
        times=row["times"],
        last_at=from_text(row["last_at"]),
    )


def _read_lines(text: str) -> tuple[tuple[str, str, int | None], ...]:
    return tuple((position, outcome, task_id) for position, outcome, task_id in json.loads(text))
