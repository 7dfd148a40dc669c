"""The keys and spellings of orders that older versions wrote, and what migrations make of them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from b24tools.core.names import fold_signs, key_name

if TYPE_CHECKING:
    from sqlite_utils import Database

_GUID = re.compile(r"(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?")
_OLD_KEY = re.compile(r"(?P<line>.*?)(?::(?P<number>[0-9]+))?", re.DOTALL)


def _spell_id(text: str) -> str:
    match = _GUID.fullmatch("".join(text.split()).lower())
    return "-".join(match.groups()) if match else " ".join(text.split()).lower()


def merge_orders(db: Database) -> None:
    """Give every order its canonical id. Those that become one keep the first row's beginning, the last one's end."""
    for row in list(db.query("SELECT * FROM orders ORDER BY first_sent_at, rowid")):
        new = _spell_id(row["id"])
        if new == row["id"]:
            continue
        db.execute(
            "INSERT OR IGNORE INTO orders SELECT ?, number, first_sent_at, last_sent_at, outcome, portal_wins"
            " FROM orders WHERE id = ?",
            [new, row["id"]],
        )
        db.execute(
            "UPDATE orders SET number = :number, last_sent_at = :last_sent_at, outcome = :outcome"
            " WHERE id = :new AND last_sent_at < :last_sent_at",
            {**row, "new": new},
        )
        db.execute("UPDATE orders SET first_sent_at = min(first_sent_at, ?) WHERE id = ?", [row["first_sent_at"], new])
        db.execute("UPDATE order_tasks SET order_id = ? WHERE order_id = ?", [new, row["id"]])
        db.execute("UPDATE OR IGNORE files SET order_id = ? WHERE order_id = ?", [new, row["id"]])
        db.execute("DELETE FROM files WHERE order_id = ?", [row["id"]])
        db.execute("DELETE FROM orders WHERE id = ?", [row["id"]])


def shorten_keys(db: Database) -> None:
    """Give every line its key of 50 characters. Of two rows of one line the one that was assigned first stays."""
    first: dict[str, dict[str, Any]] = {}
    order = "task_id IS NULL, assigned_at IS NULL, assigned_at, rowid"
    rows = list(db.query(f"SELECT rowid, * FROM order_tasks ORDER BY {order}"))  # noqa: S608 - a constant
    for row in rows:
        position_id, identity = _read_old_key(row)
        key = _key_of(row["order_id"], identity)
        stays = first.setdefault(key, row)
        if stays is row:
            db.execute("UPDATE OR IGNORE task_files SET key = ? WHERE key = ?", [key, row["key"]])
            db.execute(
                "UPDATE order_tasks SET key = ?, old_key = ?, position_id = ? WHERE key = ?",
                [key, row["key"], position_id, row["key"]],
            )
        else:
            if row["task_id"] is not None and row["task_id"] != stays["task_id"]:
                others = {*json.loads(stays["other_tasks"]), row["task_id"]}
                stays["other_tasks"] = json.dumps(sorted(others))
                db.execute("UPDATE order_tasks SET other_tasks = ? WHERE key = ?", [stays["other_tasks"], key])
            db.execute("DELETE FROM order_tasks WHERE key = ?", [row["key"]])
        db.execute("DELETE FROM task_files WHERE key = ?", [row["key"]])
        db.execute("UPDATE decisions SET key = ? WHERE key = ?", [key, row["key"]])


def _read_old_key(row: dict[str, Any]) -> tuple[str | None, str]:
    """The position's id, where the key had one, and what tells the line from the others of its order."""
    line = row["key"].removeprefix("1c:")
    for spelling in sorted(range(len(line)), reverse=True):  # the order's id ends at the colon after which the line is
        if line[spelling] == ":" and _spell_id(line[:spelling]) == row["order_id"]:
            line = line[spelling + 1 :]
            break
    match = _OLD_KEY.fullmatch(line)
    name, number = (match["line"], match["number"]) if match else (line, None)
    is_id = _GUID.fullmatch(_spell_id(name)) is not None
    name = _spell_id(name) if is_id else "".join(name.split()).casefold().replace("ё", "е")
    return name if is_id else None, f"{name}:{number}" if number else name


def _key_of(order_id: str, identity: str) -> str:
    if _GUID.fullmatch(order_id):
        return f"1c:{order_id}:{hashlib.sha256(identity.encode()).hexdigest()[:10]}"
    return "1c:" + hashlib.sha256(f"{order_id}\0{identity}".encode()).hexdigest()[:40]


def spell_line(db: Database, row: dict[str, Any], order_id: str) -> None:
    """Give a line the key of its order's and its position's GUIDs."""
    old_id, position_id = row["position_id"], spell_guid(row["position_id"] or "") or None
    if (order_id, position_id) == (row["order_id"], old_id):
        return
    position_id = None if position_id == "00000000-0000-0000-0000-000000000000" else position_id
    name = key_name(row["position"])
    numbers = ((identity, number) for identity in (old_id, name) if identity for number in range(1, 10_001))
    number = next(
        (
            number
            for identity, number in numbers
            if _key_of(row["order_id"], f"{identity}:{number}" if number > 1 else identity) == row["key"]
        ),
        1,
    )
    identity = position_id or name
    key = _key_of(order_id, f"{identity}:{number}" if number > 1 else identity)
    sql = "SELECT * FROM order_tasks WHERE key = ?"
    there = next(iter(db.query(sql, [key])), None)
    first, *rest = sorted(
        filter(None, (row, there)), key=lambda line: (line["task_id"] is None, line["assigned_at"] or "~")
    )
    tasks = {line["task_id"] for line in rest} | {
        task for line in (first, *rest) for task in json.loads(line["other_tasks"])
    }
    for line in rest:
        db.execute("DELETE FROM order_tasks WHERE key = ?", [line["key"]])
    db.execute("UPDATE OR IGNORE task_files SET key = ? WHERE key = ?", [key, row["key"]])
    db.execute(
        "UPDATE order_tasks SET key = ?, order_id = ?, position_id = ?, old_key = coalesce(old_key, nullif(key, ?)),"
        " other_tasks = ? WHERE key = ?",
        [key, order_id, position_id, key, json.dumps(sorted(tasks - {None, first["task_id"]})), first["key"]],
    )
    db.execute("DELETE FROM task_files WHERE key = ?", [row["key"]])
    for table in ("decisions", "lost_writes"):
        db.execute(f"UPDATE {table} SET key = ? WHERE key = ?", [key, row["key"]])  # noqa: S608 - names of ours


_ANY_GUID = re.compile(
    r"(?:\W|new|новый|urn|[ug]uid|уникальныйидентификатор)*"
    r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\W*"
)


def spell_guid(text: str) -> str:
    """Spell what is any spelling of a GUID as one; leave all else as it is."""
    folded = fold_signs(text).lower().replace(" ", "").replace("_", "-")
    start = folded.rfind("(") + 1 if "уникальныйидентификатор" in folded else 0
    folded = folded[:start] + folded[start:].translate(str.maketrans("авсе", "abce"))
    match = _ANY_GUID.fullmatch(folded)
    return "-".join(match.groups()) if match else text
