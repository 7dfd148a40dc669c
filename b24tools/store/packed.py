"""Details of orders that were over a while ago: one compressed text an order, in the place of a dozen rows.

They are what `why` shows and what an order that is sent again is compared with. A year of them takes a fifteenth of the
rows' room. What asks for an order by SQL (keys, tasks, people, times) stays in its tables.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from b24tools.store.database import Database, marks

# What most of them have, the most frequent at the end. What has been packed is read with it: it never changes.
_COMMON = (
    '"pinned","lower_id","fallback","Производство","wanted":"2026-12-01T00:00:00+03:00","removed":false,'
    '"files":[{"order_id":"","name":"","sha256":"","stored_name":"","size":,"file_id":,"saved_at":"2026-11-23T04:00:00+00'
    ':00"}],"task_files":[{"key":"1c:","name":"","sha256":"","state":"done"}],"lines":[{"key":"1c:","sent_values":'
    '{"accepted":null,"answered_at":"2026-11-23T04:00:00+00:00","auditor_id":null,"cancelled":false,"deadline_from_slot":'
    'true,"onec":{"amount":null,"customer":null,"department":"","manager":null,"minutes":60.0,"title":"","wanted":null}}}'
    '],"decisions":[{"key":"1c:","task_id":,"position":"","decided_at":"2026-11-23T04:00:00+00:00","responsible_id":,'
    '"reason":"least_recent","reason":"less_open","reason":"first","details":{"margin_s":0,"others":0,"order":"",'
    '"department":"","nearest":null,"estimate_s":,"work_s":,"barred":[],"not_before":null,"after":null},"candidates":['
    '{"id":,"name":"","free":"2026-11-23T06:00:00+00:00","start":"2026-11-23T06:00:00+00:00","finish":"2026-11-24T14:00:00'
    '+00:00","open_s":0,"absent":[],"chosen":true,"note":"","busy":false,"terms":{},"inside":true},{"id":,"name":"",'
    '"free":"2026-11-23T06:00:00+00:00","start":"2026-11-23T06:00:00+00:00","finish":"2026-11-24T14:00:00+00:00",'
    '"open_s":0,"absent":[],"chosen":false,"note":"","busy":false,"terms":{},"inside":true},{"id":'
).encode()
_JSON = ("sent_values", "candidates", "details")  # columns that hold JSON
_ROWS = {  # what is packed, in the order in which it is written back: table → SQL for the rows of some orders
    "lines": "SELECT order_id AS owner, key, sent_values FROM order_tasks WHERE order_id IN {few} ORDER BY line",
    "decisions": (
        "SELECT order_id AS owner, decisions.* FROM order_tasks JOIN decisions USING (key) WHERE order_id IN {few}"
        " ORDER BY decisions.id"
    ),
    "files": "SELECT order_id AS owner, * FROM files WHERE order_id IN {few}",
    "task_files": (
        "SELECT order_id AS owner, task_files.* FROM order_tasks JOIN task_files USING (key) WHERE order_id IN {few}"
    ),
}


class Packed:
    """The details of orders that are packed."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def pack(self, order_ids: Sequence[str]) -> None:
        """Save the details of these orders in one text each; the rows are still there."""
        content: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for name, sql in _ROWS.items():
            for row in self._db.query(sql.format(few=f"({marks(order_ids)})"), order_ids):
                values = {key: json.loads(row[key]) if key in _JSON else row[key] for key in row.keys()}  # noqa: SIM118
                values.pop("id", None)  # when they are written back another may have it
                content.setdefault(values.pop("owner"), {}).setdefault(name, []).append(values)
        rows = [{"order_id": order_id, "content": _compress(details)} for order_id, details in content.items()]
        with self._db.transaction():
            self._db.insert("packed_orders", rows, key=["order_id"])

    def unpack(self, order_ids: Iterable[str]) -> None:
        """Write the details of these orders back into their rows, where they are packed."""
        if not (packed := self.list_packed(order_ids)):
            return
        with self._db.transaction():
            for row in list(self._db.query_in("SELECT * FROM packed_orders WHERE order_id IN (?)", packed)):
                details = _decompress(row["content"])
                lines = details.get("lines", [])
                self._db.execute_many("DELETE FROM decisions WHERE key = ?", [[line["key"]] for line in lines])
                for line in lines:
                    values = [_dump(line["sent_values"]), line["key"]]
                    self._db.execute("UPDATE order_tasks SET sent_values = ? WHERE key = ?", values)
                for table, key in (("decisions", ()), ("files", _FILE), ("task_files", _TASK_FILE)):
                    rows = [
                        {name: _dump(value) if name in _JSON else value for name, value in row.items()}
                        for row in details.get(table, [])
                    ]
                    self._db.insert(table, rows, key)
                self.drop([row["order_id"]])

    def drop(self, order_ids: Sequence[str]) -> None:
        """Forget the details of these orders."""
        sql = f"DELETE FROM packed_orders WHERE order_id IN ({marks(order_ids)})"  # noqa: S608 - question marks
        self._db.execute(sql, order_ids)

    def list_packed(self, order_ids: Iterable[str]) -> set[str]:
        """Return those of the orders that are packed."""
        found = self._db.query_in("SELECT order_id FROM packed_orders WHERE order_id IN (?)", order_ids)
        return {row["order_id"] for row in found}

    def decisions(self, task_id: int) -> list[dict[str, Any]]:
        """Return what was decided about a task of an order that is packed, the last first; JSON is read."""
        sql = "SELECT content FROM packed_orders JOIN order_tasks USING (order_id) WHERE task_id IN (?)"
        rows = list(self._db.query_in(sql, [task_id]))
        decisions = _decompress(rows[0]["content"]).get("decisions", []) if rows else []
        return [decision for decision in decisions[::-1] if decision["task_id"] == task_id]


_FILE, _TASK_FILE = ("order_id", "name", "sha256"), ("key", "name", "sha256")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _compress(details: Mapping[str, Any]) -> bytes:
    packer = zlib.compressobj(level=9, zdict=_COMMON)
    return packer.compress(json.dumps(details, ensure_ascii=False, separators=(",", ":")).encode()) + packer.flush()


def _decompress(content: bytes) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(zlib.decompressobj(zdict=_COMMON).decompress(content))
    return found
