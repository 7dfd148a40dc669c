"""Messages to people and chats: a queue, and what was said last, with which the ledger is compared to find news.

A message is booked as sent before its request leaves. One that was booked and never settled may have arrived.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from b24tools.core import clock
from b24tools.core.config import MANAGERS, PEOPLE
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row
from b24tools.store.orders import Orders

WORK, PROMISE, DIGEST = "work", "promise", "digest"
PLANNED, SENT, UNKNOWN, DONE, FAILED = "planned", "sent", "unknown", "done", "failed"
UNDER_WAY = timedelta(minutes=2)  # the portal cuts a request after one
WORTH_REPEATING = timedelta(days=1)
LATELY = timedelta(days=7)
STAYS = timedelta(days=90)
_MARK = "messages to "  # before the name of an audience, in the table last_read
_TAGS = "notification tags"  # likewise: whether the portal replaces by them

# The lines as their people have to know them; one of a cancelled order is no one's.
_LINES = """SELECT key, task_id, order_id, position,
        CASE WHEN is_off THEN NULL ELSE responsible_id END AS person_id,
        CASE WHEN is_off THEN NULL ELSE starts_at END AS starts_at,
        CASE WHEN is_off THEN NULL ELSE ends_at END AS ends_at
    FROM (SELECT *, {is_off} AS is_off FROM {table} WHERE state = 'done' AND task_id IS NOT NULL) AS sent"""


@dataclass(frozen=True)
class Message:
    """What is to be said to a person or in a chat. `key`: to whom, about what, since which run.

    `content` of WORK: `changes`, each a line with its times `before` and `after` (null: the person did not have it, has
    it no more); of PROMISE: `orders`, each with the days `before` and `after`; of DIGEST: `text`, made of `parts`,
    with the ids of the orders that are `late`, and the `cursor` of the changes.
    """

    id: int
    key: str
    kind: str
    person_id: int | None
    chat: str | None
    content: Mapping[str, Any]
    state: str
    planned_at: datetime
    valid_until: datetime | None = None
    sent_at: datetime | None = None
    error: str | None = None

    @property
    def to(self) -> str:
        """Whom it goes to, in a word."""
        return self.chat or f"#{self.person_id}"


class Messages:
    """The queue."""

    def __init__(self, db: Database, orders: Orders) -> None:
        self._db = db
        self._orders = orders
        is_off = db.json_flag("sent_values", "cancelled")
        self._lines, self._all_lines = (_LINES.format(is_off=is_off, table=one) for one in ("order_tasks", "all_lines"))
        self._finish = db.json_text("orders.standing", "finish")

    # what is news

    def follow(self, audiences: Collection[str], now: datetime) -> None:
        """Take all that stands in the ledger as said, where an audience is new or the database was restored.

        What happens after that is news. An audience that gets no messages any more is forgotten with those that wait.
        """
        for audience in (PEOPLE, MANAGERS):
            rows = self._db.query("SELECT read_at FROM last_read WHERE what = ?", [_MARK + audience])
            since = clock.known_moment(rows[0]["read_at"], now) if rows else None
            if audience in audiences and (since is None or self._orders.was_restored_after(since)):
                with self._db.transaction():
                    self._begin(audience, now)
            elif audience not in audiences and rows:
                with self._db.transaction():
                    self._give_up(audience, "switched off")
                    self._db.execute("DELETE FROM last_read WHERE what = ?", [_MARK + audience])

    def _give_up(self, audience: str, reason: str) -> None:
        sql = "UPDATE messages SET state = ?, error = ? WHERE kind = ? AND state IN (?, ?, ?)"
        kind = WORK if audience == PEOPLE else PROMISE
        self._db.execute(sql, [FAILED, reason, kind, PLANNED, SENT, UNKNOWN])

    def _begin(self, audience: str, now: datetime) -> None:
        self._give_up(audience, "begun anew")
        if audience == PEOPLE:
            self._db.execute("DELETE FROM said_lines")
            select = f"SELECT key, person_id, starts_at, ends_at FROM ({self._all_lines}) AS lines"  # noqa: S608 - constants
            self._db.execute(f"INSERT INTO said_lines {select}")
        else:
            self._db.execute("DELETE FROM said_promises")
            self._db.execute(
                f"INSERT INTO said_promises SELECT id, CASE WHEN {self._finish} > coalesce(promised_first, '')"  # noqa: S608 - constants
                f" THEN {self._finish} ELSE promised_first END FROM orders WHERE {self._finish} IS NOT NULL"
            )
        self._save_mark(_MARK + audience, now)

    def plan_work(self, now: datetime) -> None:
        """Plan a message to each person whose lines are not any more as was said last.

        What a message that still waits says of the same line becomes one with it.
        """
        with self._db.transaction():
            rows = self._db.query(
                "SELECT lines.*, orders.number, orders.customer, said_lines.person_id AS said_person,"  # noqa: S608 - constants
                " said_lines.starts_at AS said_start, said_lines.ends_at AS said_end"
                f" FROM orders JOIN ({self._lines}) AS lines ON orders.id = lines.order_id"
                " LEFT JOIN said_lines ON said_lines.key = lines.key"
                " WHERE (orders.is_over = 0 OR orders.last_sent_at >= ?)"  # the others do not change any more
                " AND (said_lines.key IS NULL OR coalesce(said_lines.person_id, 0) <> coalesce(lines.person_id, 0)"
                " OR coalesce(said_lines.starts_at, '') <> coalesce(lines.starts_at, '')"
                " OR coalesce(said_lines.ends_at, '') <> coalesce(lines.ends_at, ''))"
                " ORDER BY lines.starts_at, lines.task_id",
                [to_text(now - LATELY)],
            )
            news: dict[int, list[dict[str, Any]]] = {}
            for row in rows:
                is_same = row["said_person"] == row["person_id"]
                said, now_is = [row["said_start"], row["said_end"]], [row["starts_at"], row["ends_at"]]
                if row["said_person"] and not is_same:
                    news.setdefault(row["said_person"], []).append(_describe(row, said, None))
                if row["person_id"]:
                    news.setdefault(row["person_id"], []).append(_describe(row, said if is_same else None, now_is))
            for person_id, changes in news.items():
                self._plan(WORK, person_id, "changes", "key", changes, now)
            self._db.insert(
                "said_lines",
                [{name: row[name] for name in ("key", "person_id", "starts_at", "ends_at")} for row in rows],
                key=["key"],
            )

    def plan_promises(self, now: datetime) -> None:
        """Plan a message to each manager of an order that will be done on a later day than was said last."""
        with self._db.transaction():
            auditor = self._db.json_number("sent_values", "auditor_id")
            rows = self._db.query(
                f"SELECT id, number, customer, standing, {self._finish} AS day,"  # noqa: S608 - constants
                " coalesce(said_promises.day, promised_first) AS said_day,"
                f" (SELECT max({auditor}) FROM order_tasks WHERE order_id = orders.id) AS manager_id"
                " FROM orders LEFT JOIN said_promises ON said_promises.order_id = orders.id"
                f" WHERE is_over = 0 AND ended IS NULL AND {self._finish} > coalesce(said_promises.day, promised_first)"
                " ORDER BY number, id"
            )
            rows = [row for row in rows if row["manager_id"]]
            by_manager: dict[int, list[dict[str, Any]]] = {}
            for row in rows:
                standing = json.loads(row["standing"])
                order = {"id": row["id"], "number": row["number"], "customer": row["customer"]}
                order |= {"before": row["said_day"], "after": row["day"], "holds_up": standing.get("holds_up")}
                by_manager.setdefault(row["manager_id"], []).append(order)
            for manager_id, orders in by_manager.items():
                self._plan(PROMISE, manager_id, "orders", "id", orders, now)
            said = [{"order_id": row["id"], "day": row["day"]} for row in rows]
            self._db.insert("said_promises", said, key=["order_id"])

    def _plan(
        self, kind: str, person_id: int, name: str, key: str, news: Iterable[Mapping[str, Any]], now: datetime
    ) -> None:
        """Plan a message, or add to the one that waits; what is again as it was before is no news."""
        sql = "SELECT * FROM messages WHERE kind = ? AND person_id = ? AND state = ?"
        waiting = self._db.query(sql, [kind, person_id, PLANNED])
        items = {item[key]: item for item in json.loads(waiting[0]["content"])[name]} if waiting else {}
        for item in news:
            before = items.pop(item[key])["before"] if item[key] in items else item["before"]
            if before != item["after"]:
                items[item[key]] = {**item, "before": before}
        if waiting:
            self._db.execute("DELETE FROM messages WHERE id = ?", [waiting[0]["id"]])
        if items:
            planned_at = from_text(waiting[0]["planned_at"]) if waiting else now
            number = self._db.query("SELECT coalesce(max(id), 0) + 1 FROM messages")[0][0]  # of one second, too
            message_key = waiting[0]["key"] if waiting else f"{kind}:{person_id}:{to_text(now)}:{number}"
            self.plan(message_key, kind, {name: list(items.values())}, planned_at, person_id=person_id)

    def plan(
        self,
        key: str,
        kind: str,
        content: Mapping[str, Any],
        now: datetime,
        *,
        person_id: int | None = None,
        chat: str | None = None,
        valid_until: datetime | None = None,
    ) -> bool:
        """Plan a message; False where one with this key was planned before, unless that one has failed."""
        with self._db.transaction():
            self._db.execute("DELETE FROM messages WHERE key = ? AND state = ?", [key, FAILED])
            if self._db.query("SELECT 1 FROM messages WHERE key = ?", [key]):
                return False
            row = {"key": key, "kind": kind, "person_id": person_id, "chat": chat, "state": PLANNED}
            row |= {"content": _dump(content), "planned_at": to_text(now)}
            self._db.insert("messages", [row | {"valid_until": to_text(valid_until)}])
            sql = "DELETE FROM messages WHERE state IN (?, ?, ?) AND planned_at < ?"
            self._db.execute(sql, [DONE, FAILED, UNKNOWN, to_text(now - STAYS)])
        return True

    # sending

    def list_waiting(self, now: datetime) -> list[Message]:
        """Return what is to be sent, and notifications of the last day of which it is not known whether they arrived.

        What waited too long is given up. What was booked by a run that was cut off is of unknown fate from now on.
        """
        with self._db.transaction():
            sql = "UPDATE messages SET state = ?, error = 'out of date' WHERE state IN (?, ?) AND valid_until <= ?"
            self._db.execute(sql, [FAILED, PLANNED, UNKNOWN, to_text(now)])
            sql = "UPDATE messages SET state = ?, error = 'cut off' WHERE state = ? AND sent_at NOT BETWEEN ? AND ?"
            since, until = to_text(now - UNDER_WAY), to_text(clock.latest_known(now))
            self._db.execute(sql, [UNKNOWN, SENT, since, until])
        is_repeated = "state = ? AND person_id IS NOT NULL AND sent_at > ?"
        sql = f"SELECT * FROM messages WHERE state = ? OR ({is_repeated}) ORDER BY id"  # noqa: S608 - constants
        return [_read(row) for row in self._db.query(sql, [PLANNED, UNKNOWN, to_text(now - WORTH_REPEATING)])]

    def book(self, messages: Iterable[Message], now: datetime) -> list[Message]:
        """Note that these are about to be sent; return those that no process has booked or changed meanwhile."""
        # SQLite gives the number of one that was replaced once more
        sql = "UPDATE messages SET state = ?, sent_at = ?, error = NULL WHERE id = ? AND state = ? AND content = ?"
        with self._db.transaction():
            booked = [
                message
                for message in messages
                if self._db.execute(
                    sql, [SENT, to_text(now), message.id, message.state, _dump(message.content)]
                ).rowcount
                == 1
            ]
            if booked:
                self._orders.saves.add()
        return booked

    def settle(self, outcomes: Sequence[tuple[Message, str, str | None]]) -> None:
        """Save the state of each message, and why it is not done."""
        with self._db.transaction():
            sql = "UPDATE messages SET state = ?, error = ? WHERE id = ?"
            self._db.execute_many(sql, [(state, error, message.id) for message, state, error in outcomes])

    def read_state(self, key: str) -> str | None:
        """Return the state of the message with this key; None where none is known."""
        return next((row["state"] for row in self._db.query("SELECT state FROM messages WHERE key = ?", [key])), None)

    def has_planned(self) -> bool:
        """Return whether any message waits."""
        return bool(self._db.query("SELECT 1 FROM messages WHERE state = ? LIMIT 1", [PLANNED]))

    # what is known of the portal

    def do_tags_replace(self) -> bool | None:
        """Return whether a notification takes the place of an older one with its tag; None where that is not known."""
        for row in self._db.query("SELECT what FROM last_read WHERE what IN (?, ?)", [_TAGS, f"no {_TAGS}"]):
            return bool(row["what"] == _TAGS)
        return None

    def save_tags(self, now: datetime, *, replace: bool) -> None:
        """Note whether they do."""
        with self._db.transaction():
            self._db.execute("DELETE FROM last_read WHERE what IN (?, ?)", [_TAGS, f"no {_TAGS}"])
            self._save_mark(_TAGS if replace else f"no {_TAGS}", now)

    def _save_mark(self, what: str, now: datetime) -> None:
        self._db.insert("last_read", [{"what": what, "read_at": to_text(now)}], key=["what"])

    # digests

    def read_cursor(self, to: str) -> tuple[int, datetime] | None:
        """Return the number of the last change of an order that a digest to this address has named, and when."""
        cursor = self._db.json_number("content", "cursor")
        sql = (
            f"SELECT max({cursor}), max(planned_at) FROM messages"  # noqa: S608 - constants
            f" WHERE kind = ? AND key LIKE ? AND state <> ? AND {cursor} IS NOT NULL"
        )
        last, planned_at = self._db.query(sql, [DIGEST, f"digest:{to}:%", FAILED])[0]
        return None if last is None else (last, from_text(planned_at))

    def pass_over(self, chat: str | None, person_id: int | None, cursor: int, now: datetime) -> None:
        """Note that a digest need not name the changes up to this number: it has, before a backup was put back."""
        key = f"digest:{chat or person_id}:{now:%Y-%m-%d}:{cursor}"
        with self._db.transaction():
            self.plan(key, DIGEST, {"cursor": cursor}, now, person_id=person_id, chat=chat)
            self._db.execute("UPDATE messages SET state = ? WHERE key = ?", [DONE, key])

    def read_digests(self, to: str, now: datetime) -> tuple[set[str], set[str]]:
        """Return the parts of the digests to this address planned on this day, and the ids of their late orders."""
        sql = "SELECT content FROM messages WHERE kind = ? AND key LIKE ? AND state <> ?"
        rows = self._db.query(sql, [DIGEST, f"digest:{to}:{now:%Y-%m-%d}:%", FAILED])
        said = [json.loads(row["content"]) for row in rows]
        parts, late = ({name for digest in said for name in digest.get(kind, ())} for kind in ("parts", "late"))
        return parts, late

    def is_used(self) -> bool:
        """Return whether anything was ever to be sent."""
        return bool(self._db.query("SELECT 1 FROM messages LIMIT 1"))


def read_days(order: Mapping[str, Any]) -> tuple[date, date]:
    """Return the day that was said before of an order in a PROMISE, and the new one."""
    return date.fromisoformat(order["before"]), date.fromisoformat(order["after"])


def _describe(row: Row, before: list[str] | None, after: list[str] | None) -> dict[str, Any]:
    return {
        "key": row["key"],
        "task_id": row["task_id"],
        "order": row["number"],
        "customer": row["customer"],
        "position": row["position"],
        "before": before,
        "after": after,
    }


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)


def _read(row: Row) -> Message:
    moments = {name: from_text(row[name]) for name in ("planned_at", "valid_until", "sent_at")}
    return Message(**dict(row) | moments | {"content": json.loads(row["content"])})
