"""Orders that were over a week ago, in little room: they are most of a year's database.

What SQL asks for (keys, tasks, people, times) stays in rows for ever; what is read of one order alone is compressed.

- `packed_orders`: which orders they are, beside `orders`. Their lines and history have the short `number` in the place
  of the order's id; the details are in the text `text_number` at `place`, or forgotten after B24_KEEP_DAYS.
- `packed_lines`: rows of `order_tasks`, narrow: moments are seconds, and what nearly all have alike is null. The view
  `all_lines` shows them as they were, beside the lines of all other orders.
- `packed_history`: rows of `history`, narrow likewise, without what was done for each line.
- `packed_texts`: the details of some orders of one night, compressed together, a line of JSON each: what was sent,
  decisions, attachments, and what was done for each line.
- `packed_people`, `packed_positions`: when they last were in any of these lines, so that no run has to read them all.
- `closed_tasks.department_id`: whose line it is that the task is of, of packed lines only, for the same reason.

`retention` packs at night. Whoever changes an order unpacks it before: then all is in the usual tables again.
Before m017 only details were packed: such an order has its lines in `order_tasks`, and no `title_end`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from b24tools.core.chunks import chunked
from b24tools.core.line_keys import KEY_PREFIX, split_key
from b24tools.core.timestamps import seconds_to_text, text_to_seconds, to_text
from b24tools.store.database import Database, Row, marks

ORDERS_IN_TEXT = 50
# zlib's dictionary: what most details have, the most frequent at the end. Without just this one none can be read.
_DICTIONARY = (
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
_DETAILS = {  # what is compressed, in the order in which it is written back: name → SQL for the rows of some orders
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
_KEYS = {"decisions": (), "files": ("order_id", "name", "sha256"), "task_files": ("key", "name", "sha256")}  # by table
_MOMENTS = ("starts_at", "ends_at", "deadline", "first_deadline", "assigned_at")  # of a line: seconds
_UNCHANGED = (  # columns of a line that are as they were
    *("line", "position", "task_id", "responsible_id", "department_id", "estimate_s", "position_id", "old_key"),
    *("stage", "line_no"),
)
_FLAGS = {"cancelled": 1, "deadline_from_slot": 2, "removed": 4}  # bits: of what was sent they stay, and who watches
_LINES = (
    "SELECT packed_lines.*, order_id, title_end FROM packed_orders JOIN packed_lines ON order_number = number"
    " WHERE {condition} ORDER BY order_id, packed_lines.line"
)
_UNCHANGED_ENTRY = ("number", "command", "outcome", "caller", "error", "times")  # likewise, of the history
_HISTORY = (
    "SELECT packed_history.*, order_id, text_number, place FROM packed_history"
    " JOIN packed_orders ON packed_orders.number = order_number"
)
_Details = dict[str, list[dict[str, Any]]]  # of one order: its rows by the names in _DETAILS, and "history"


class Packed:
    """Orders that are packed."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # packing

    def pack(self, order_ids: Sequence[str], now: datetime) -> None:
        """Move lines, history and details of these orders here; their own rows go. Call it inside a transaction.

        Of those that were trimmed the details are lost.
        """
        place_of = self._pack_details(order_ids)
        lines: dict[str, list[Row]] = {order_id: [] for order_id in order_ids}
        sql = "SELECT * FROM order_tasks WHERE order_id IN (?) ORDER BY order_id, line"
        for row in self._db.query_in(sql, order_ids):
            lines[row["order_id"]].append(row)
        for number, (order_id, rows) in enumerate(lines.items(), self._last_number("packed_orders") + 1):
            title_end = next((end for row in rows if (end := _cut_title(row)) is not None), "")
            text_number, place = place_of.get(order_id, (None, 0))
            order = {"number": number, "order_id": order_id, "title_end": title_end}
            self._db.insert("packed_orders", [order | {"text_number": text_number, "place": place}])
            narrow = [_narrow(row, title_end) | {"place": at, "order_number": number} for at, row in enumerate(rows)]
            self._db.insert("packed_lines", narrow)
            self._pack_history(order_id, number)
        self._note_people(chain.from_iterable(lines.values()), now)
        self.note_departments(row["task_id"] for rows in lines.values() for row in rows if row["task_id"] is not None)
        self._note_positions(order_ids)
        self._drop_rows(order_ids)

    def _pack_details(self, order_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Compress the details of these orders; return in which text, and where in it, each order's are.

        Those that were trimmed have none.
        """
        sql = "SELECT id FROM orders WHERE id IN (?) AND trimmed_at > last_sent_at"
        trimmed = {row["id"] for row in self._db.query_in(sql, order_ids)}
        place_of: dict[str, tuple[int, int]] = {}
        portions = chunked((order_id for order_id in order_ids if order_id not in trimmed), ORDERS_IN_TEXT)
        for number, few in enumerate(portions, self._last_number("packed_texts") + 1):
            details = self._collect_details(few)
            self._write_text(number, [_dump(details.get(order_id, {})) for order_id in few])
            place_of |= {order_id: (number, place) for place, order_id in enumerate(few)}
        return place_of

    def _last_number(self, table: str) -> int:
        return int(self._db.query(f"SELECT coalesce(max(number), 0) FROM {table}")[0][0])  # noqa: S608 - names of ours

    def _collect_details(self, order_ids: Sequence[str]) -> dict[str, _Details]:
        details: dict[str, _Details] = {}
        for name, sql in _DETAILS.items():
            for row in self._db.query(sql.format(few=f"({marks(order_ids)})"), order_ids):
                values = {key: json.loads(row[key]) if key in _JSON else row[key] for key in row.keys()}  # noqa: SIM118
                values.pop("id", None)  # when they are written back another may have it
                details.setdefault(values.pop("owner"), {}).setdefault(name, []).append(values)
        sql = f"SELECT id, order_id, lines FROM history WHERE order_id IN ({marks(order_ids)}) AND lines <> '[]'"  # noqa: S608
        for row in self._db.query(sql, order_ids):
            entry = {"id": row["id"], "lines": json.loads(row["lines"])}
            details.setdefault(row["order_id"], {}).setdefault("history", []).append(entry)
        return details

    def _pack_history(self, order_id: str, number: int) -> None:
        rows = [
            {name: row[name] for name in _UNCHANGED_ENTRY}
            | {"entry": row["id"], "order_number": number}
            | {name: text_to_seconds(row[name]) for name in ("at", "last_at")}
            for row in self._db.query("SELECT * FROM history WHERE order_id = ?", [order_id])
        ]
        self._db.insert("packed_history", rows)
        self._db.execute("DELETE FROM history WHERE order_id = ?", [order_id])

    def _note_people(self, rows: Iterable[Row], now: datetime) -> None:
        """Note when each person was last given a task that is packed; what is stamped in the future does not count."""
        sql = (
            "INSERT INTO packed_people (person_id, assigned_at) VALUES (?, ?) ON CONFLICT (person_id) DO UPDATE SET"
            " assigned_at = excluded.assigned_at WHERE excluded.assigned_at > packed_people.assigned_at"
        )
        given = [row for row in rows if None not in (row["task_id"], row["responsible_id"], row["assigned_at"])]
        at = to_text(now)
        values = [(row["responsible_id"], row["assigned_at"]) for row in given if row["assigned_at"] <= at]
        self._db.execute_many(sql, values)

    def note_departments(self, task_ids: Iterable[int]) -> None:
        """Note whose lines the closed ones of these tasks are of, as far as the lines are packed. In a transaction."""
        sql = "SELECT department_id, task_id FROM packed_lines WHERE task_id IN (?) AND department_id IS NOT NULL"
        least = self._db.query("SELECT min(task_id) FROM packed_lines")[0][0]  # a first year has many that are older
        ids = [task_id for task_id in task_ids if least is not None and task_id >= least]
        departments = [tuple(row) for row in self._db.query_in(sql, ids)]
        self._db.execute_many("UPDATE closed_tasks SET department_id = ? WHERE id = ?", departments)

    def _note_positions(self, order_ids: Sequence[str]) -> None:
        """Note when each position was last in an order that is packed."""
        sql = (
            "SELECT position, max(last_sent_at) FROM orders JOIN order_tasks ON order_id = orders.id"
            " WHERE orders.id IN (?) GROUP BY position"
        )
        positions = [tuple(row) for row in self._db.query_in(sql, order_ids)]
        sql = (
            "INSERT INTO packed_positions (position, sent_at) VALUES (?, ?) ON CONFLICT (position) DO UPDATE SET"
            " sent_at = excluded.sent_at WHERE excluded.sent_at > packed_positions.sent_at"
        )
        self._db.execute_many(sql, positions)

    def _drop_rows(self, order_ids: Sequence[str]) -> None:
        """Delete what is packed; who was named by somebody stays named."""
        few = f"({marks(order_ids)})"
        keys = f"(SELECT key FROM order_tasks WHERE order_id IN {few})"  # noqa: S608 - question marks
        for sql in (
            f"DELETE FROM decisions WHERE reason NOT IN ('pinned', 'fallback') AND key IN {keys}",  # noqa: S608 - likewise
            f"UPDATE decisions SET candidates = '[]', details = '{{}}' WHERE key IN {keys}",  # noqa: S608 - likewise
            f"DELETE FROM task_files WHERE key IN {keys}",  # noqa: S608 - likewise
            f"DELETE FROM files WHERE order_id IN {few}",  # noqa: S608 - likewise
            f"DELETE FROM order_tasks WHERE order_id IN {few}",  # noqa: S608 - likewise
        ):
            self._db.execute(sql, order_ids)

    # unpacking

    def unpack(self, order_ids: Iterable[str]) -> None:
        """Move those of these orders that are packed back into the usual tables."""
        if not (packed := self.list_packed(order_ids)):
            return
        with self._db.transaction():
            for row in list(self._db.query_in("SELECT * FROM packed_orders WHERE order_id IN (?)", packed)):
                self._write_rows(row["order_id"], self._read_details(row["text_number"], row["place"]))
                self.forget_details([row["order_id"]])
                self._db.execute(
                    "UPDATE closed_tasks SET department_id = NULL"
                    " WHERE id IN (SELECT task_id FROM packed_lines WHERE order_number = ?)",
                    [row["number"]],
                )
                self._db.execute("DELETE FROM packed_lines WHERE order_number = ?", [row["number"]])
                self._db.execute("DELETE FROM packed_history WHERE order_number = ?", [row["number"]])
                self._db.execute("DELETE FROM packed_orders WHERE number = ?", [row["number"]])

    def _write_rows(self, order_id: str, details: _Details) -> None:
        """Write an order into the usual tables; what was pinned is still there, and comes again with the details."""
        self._db.insert("order_tasks", list(self.lines([order_id])), key=["key"])
        self._db.insert("history", list(self.history([order_id])))
        for line in details.get("lines", []):
            sql = "UPDATE order_tasks SET sent_values = ? WHERE key = ?"
            self._db.execute(sql, [_dump(line["sent_values"]), line["key"]])
            self._db.execute("DELETE FROM decisions WHERE key = ?", [line["key"]])
        for table, key in _KEYS.items():
            rows = [
                {name: _dump(value) if name in _JSON else value for name, value in row.items()}
                for row in details.get(table, [])
            ]
            self._db.insert(table, rows, key)

    def forget_details(self, order_ids: Sequence[str]) -> None:
        """Forget the details of these orders; their lines stay."""
        sql = "SELECT text_number, place FROM packed_orders WHERE text_number IS NOT NULL AND order_id IN (?)"
        gone: dict[int, set[int]] = {}
        for row in self._db.query_in(sql, order_ids):
            gone.setdefault(row["text_number"], set()).add(row["place"])
        sql = f"UPDATE packed_orders SET text_number = NULL WHERE order_id IN ({marks(order_ids)})"  # noqa: S608 - question marks
        self._db.execute(sql, order_ids)
        for number, places in gone.items():
            if self._db.query("SELECT 1 FROM packed_orders WHERE text_number = ? LIMIT 1", [number]):
                left = ["{}" if at in places else text for at, text in enumerate(self._read_text(number))]
                self._write_text(number, left)
            else:
                self._db.execute("DELETE FROM packed_texts WHERE number = ?", [number])

    # reading

    def list_packed(self, order_ids: Iterable[str]) -> set[str]:
        """Return those of the orders that are packed."""
        rows = self._db.query_in("SELECT order_id FROM packed_orders WHERE order_id IN (?)", order_ids)
        return {row["order_id"] for row in rows}

    def lines(self, order_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield the packed lines of these orders as rows of `order_tasks`; of what was sent only what always stays."""
        return map(_widen, self._db.query_in(_LINES.format(condition="order_id IN (?)"), order_ids))

    def lines_of_keys(self, keys: Iterable[str]) -> list[dict[str, Any]]:
        """Return the packed lines with these keys, likewise."""
        wanted = set(keys)
        if not self._db.query("SELECT 1 FROM packed_orders LIMIT 1"):  # as in a first year
            return []
        owners = {owner for owner, _end in map(split_key, wanted) if owner}
        whole = map(_widen, self._db.query_in(_LINES.format(condition="packed_lines.key IN (?)"), wanted))
        return list({line["key"]: line for line in (*self.lines(owners), *whole) if line["key"] in wanted}.values())

    def latest_line(self) -> list[dict[str, Any]]:
        """Return, as a list of one or none, the packed line whose task was made last, with a key of today."""
        condition = "task_id = (SELECT max(task_id) FROM packed_lines WHERE state IS NULL AND old_key IS NULL)"
        return [*map(_widen, self._db.query(_LINES.format(condition=condition)))]

    def other_tasks(self) -> dict[int, dict[str, Any]]:
        """Return the packed lines that have had several tasks, by the other ones of these."""
        lines = map(_widen, self._db.query(_LINES.format(condition="other_tasks IS NOT NULL")))
        return {task_id: line for line in lines for task_id in json.loads(line["other_tasks"])}

    def decisions(self, task_id: int) -> list[dict[str, Any]]:
        """Return what was decided about a task of an order that is packed, the last first; JSON is read."""
        places = self._db.query_in(
            "SELECT text_number, packed_orders.place FROM packed_lines JOIN packed_orders ON order_number = number"
            " WHERE task_id IN (?)",
            [task_id],
        )
        # before m017 the lines stayed in their own rows
        in_rows = "SELECT text_number, place FROM packed_orders JOIN order_tasks USING (order_id) WHERE task_id IN (?)"
        for row in [*places, *self._db.query_in(in_rows, [task_id])]:
            decisions = self._read_details(*row).get("decisions", [])
            return [decision for decision in decisions[::-1] if decision["task_id"] == task_id]
        return []

    def history(self, order_ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return what was done for packed orders, as rows of `history`; without details there are no lines."""
        return [*self._read_history(self._db.query_in(_HISTORY + " WHERE order_id IN (?)", order_ids))]

    def last_history(self, limit: int) -> list[dict[str, Any]]:
        """Return what was done last for packed orders, likewise, the last first."""
        sql = f"{_HISTORY} ORDER BY coalesce(last_at, at) DESC, entry DESC LIMIT ?"
        return [*self._read_history(self._db.query(sql, [limit]))]

    def _read_history(self, rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
        texts: dict[int | None, list[str]] = {None: []}
        for row in list(rows):
            if (number := row["text_number"]) not in texts:
                texts[number] = self._read_text(number)
            details: _Details = json.loads(texts[number][row["place"]]) if texts[number] else {}
            lines = {entry["id"]: entry["lines"] for entry in details.get("history", [])}
            yield {name: row[name] for name in _UNCHANGED_ENTRY} | {
                "id": row["entry"],
                "order_id": row["order_id"],
                "lines": json.dumps(lines.get(row["entry"], []), ensure_ascii=False),
                **{name: seconds_to_text(row[name]) for name in ("at", "last_at")},
            }

    # texts

    def _read_details(self, number: int | None, place: int) -> _Details:
        """Read the details of an order; none where they are forgotten."""
        details: _Details = {} if number is None else json.loads(self._read_text(number)[place])
        return details

    def _read_text(self, number: int) -> list[str]:
        content = self._db.query("SELECT content FROM packed_texts WHERE number = ?", [number])[0]["content"]
        return zlib.decompressobj(zdict=_DICTIONARY).decompress(content).decode().split("\n")

    def _write_text(self, number: int, details: Sequence[str]) -> None:
        packer = zlib.compressobj(level=9, zdict=_DICTIONARY)
        content = packer.compress("\n".join(details).encode()) + packer.flush()
        self._db.insert("packed_texts", [{"number": number, "content": content}], key=["number"])


def _narrow(row: Row, title_end: str) -> dict[str, Any]:
    """Return a row of `order_tasks` as a narrow one."""
    owner, end = split_key(row["key"])
    is_split = owner == row["order_id"]
    sent = json.loads(row["sent_values"])
    values = {name: row[name] for name in _UNCHANGED} | {name: text_to_seconds(row[name]) for name in _MOMENTS}
    return values | {
        "key": None if is_split else row["key"],
        "key_end": end if is_split else None,
        "title": None if row["title"] == row["position"] + title_end else row["title"],
        "state": None if row["state"] == "done" else row["state"],
        "other_tasks": None if row["other_tasks"] == "[]" else row["other_tasks"],
        "flags": sum(bit for name, bit in _FLAGS.items() if sent.get(name)),
        "auditor_id": sent.get("auditor_id") or None,
    }


def _widen(row: Row) -> dict[str, Any]:
    """Return a narrow row as one of `order_tasks`."""
    sent = {name: True for name, bit in _FLAGS.items() if row["flags"] & bit}
    sent |= {"auditor_id": row["auditor_id"]} if row["auditor_id"] else {}
    values = {name: row[name] for name in _UNCHANGED} | {name: seconds_to_text(row[name]) for name in _MOMENTS}
    return values | {
        "key": row["key"] or f"{KEY_PREFIX}{row['order_id']}:{row['key_end']}",
        "order_id": row["order_id"],
        "title": row["position"] + row["title_end"] if row["title"] is None else row["title"],
        "state": row["state"] or "done",
        "other_tasks": row["other_tasks"] or "[]",
        "sent_values": _dump(sent),
        "writing_since": None,
    }


def _cut_title(row: Row) -> str | None:
    """Return what a title has behind the position, of most orders the same in all lines; None where it is another."""
    title, position = row["title"], row["position"]
    return str(title).removeprefix(position) if title.startswith(position) else None


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
