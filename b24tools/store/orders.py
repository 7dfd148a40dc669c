"""The ledger of orders: what 1C sent, what was made of it on the portal, and what never got an answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from b24tools.core import clock
from b24tools.core.line_keys import KEY_WIDTH, number_line
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row
from b24tools.store.decisions import Decisions
from b24tools.store.history import Entry, History
from b24tools.store.packed import Packed
from b24tools.store.save_counter import SaveCounter

_CHANGES = "order_changes"  # among the counters
ENDED_DONE, ENDED_CANCELLED = "done", "cancelled"
RESTORED, FOREIGN_TASK = "restored", "foreign_task"  # what `notice_restore` remembers
_MOMENTS = ("starts_at", "ends_at", "deadline", "assigned_at", "writing_since")


@dataclass(frozen=True)
class LedgerTask:
    """One line of an order as it was last sent. `state`: planned, writing (fate unknown) or done.

    `old_key`: what its task carries instead of `key`: that of version 0.1, or of another id of its position.
    `other_tasks`: tasks of the same line that were made under another spelling of the order's id.
    """

    key: str
    order_id: str
    line: int
    position: str
    title: str
    state: str
    task_id: int | None
    responsible_id: int | None
    department_id: int | None
    start: datetime | None
    end: datetime | None
    deadline: datetime | None
    estimate_s: int | None
    sent_values: Mapping[str, Any]
    assigned_at: datetime | None
    writing_since: datetime | None
    position_id: str | None = None
    old_key: str | None = None
    other_tasks: tuple[int, ...] = ()
    stage: int | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that its task may carry."""
        return (self.key, *self.old_keys)

    @property
    def old_keys(self) -> tuple[str, ...]:
        """The key of version 0.1, which may be `key` where it wrote after the update, in columns of 200 and 50."""
        old = self.old_key or self.key
        return tuple(key for key in dict.fromkeys((old, old[:KEY_WIDTH], self.key[:KEY_WIDTH])) if key != self.key)

    @property
    def accepted(self) -> datetime | None:
        """The moment before which none of its order's work begins, as it was last sent."""
        return from_text(self.sent_values.get("accepted"))

    def is_carried_by(self, xml_id: str) -> bool:
        """Whether a task with this external key can be the line's; on a portal that drops keys it is empty."""
        return xml_id in ("", *self.keys)


@dataclass(frozen=True)
class OrderRow:
    """An order as 1C last sent it, and how it stood when that was last worked out.

    `wanted`: ISO 8601 with an offset; a midnight means the day. `promised_first`: the day first promised. `standing`:
    what a change is recognised by. `is_over`: nothing of it is to be done any more. `changed_no` rises over all orders.
    `sent_at`: when it was sent last. `ended`: ENDED_DONE or ENDED_CANCELLED where 1C says so. `unwritten`: the
    positions of the lines of which no task could be made.
    """

    id: str
    number: str
    customer: str | None
    wanted: datetime | None
    priority: int | None
    promised_first: date | None
    outcome: str | None
    standing: Mapping[str, Any]
    is_over: bool
    changed_no: int
    changed_at: datetime | None
    sent_at: datetime
    ended: str | None
    unwritten: tuple[str, ...]


class OurTask(NamedTuple):
    """The position of a task of ours, and its plan as b24tools wrote it."""

    position: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True)
class LedgerFile:
    """A file of an order that is on the portal's disk: `name` is 1C's, `file_id` the disk object's id."""

    order_id: str
    name: str
    sha256: str
    stored_name: str
    size: int
    file_id: int


class Orders:
    """Orders, their lines and files, and the writes whose answer never came."""

    def __init__(
        self, db: Database, decisions: Decisions, history: History, packed: Packed, save_counter: Path | None
    ) -> None:
        self._db = db
        self._decisions = decisions
        self._history = history
        self._packed = packed
        self.saves = SaveCounter(db, save_counter)

    def save(
        self, order_id: str, number: str, now: datetime, outcome: str | None = None, entry: Entry | None = None
    ) -> None:
        """Note that the order was sent; `outcome` None means it is under way. A success makes the ledger true again.

        `entry` goes into the history with it. Beside the database, a file counts these saves, too: a database that
        knows of fewer was restored.
        """
        with self._db.transaction():
            is_true = outcome not in (None, "failed", "partial")
            known = self._db.execute(
                "UPDATE orders SET number = ?, last_sent_at = ?, outcome = ?, portal_wins = portal_wins * ?"
                " WHERE id = ?",
                [number, to_text(now), outcome, int(not is_true), order_id],
            )
            if known.rowcount < 1:
                self._db.execute(
                    "INSERT INTO orders (id, number, first_sent_at, last_sent_at, outcome) VALUES (?, ?, ?, ?, ?)",
                    [order_id, number, self._arrival(now), to_text(now), outcome],
                )
            self.saves.add()
            if entry is not None:
                self._history.add(entry)

    def _arrival(self, now: datetime) -> str:
        """Return when an order that comes now was first sent: after those of the same second, for its place in line."""
        second = to_text(now), to_text(now + timedelta(seconds=1))
        sql = "SELECT max(first_sent_at) FROM orders WHERE last_sent_at >= ? AND first_sent_at BETWEEN ? AND ?"
        last = self._db.query(sql, [second[0], *second])[0][0]
        return (from_text(last) + timedelta(microseconds=1)).astimezone(UTC).isoformat() if last else second[0]

    def outcomes(self, order_ids: Iterable[str]) -> dict[str, str | None]:
        """Return how these orders ended when they were last sent; None where the run did not end."""
        rows = self._db.query_in("SELECT id, outcome FROM orders WHERE id IN (?)", order_ids)
        return {row["id"]: row["outcome"] for row in rows}

    def has_begun(self, moment: datetime) -> bool:
        """Whether an order had been sent by this moment: then later ones are known."""
        return bool(self._db.query("SELECT 1 FROM orders WHERE first_sent_at <= ? LIMIT 1", [to_text(moment)]))

    def count(self) -> int:
        """Return how many orders were ever sent."""
        return int(self._db.query("SELECT count(*) FROM orders")[0][0])

    def last_sent_at(self) -> datetime | None:
        """Return when an order was sent last."""
        last: str | None = self._db.query("SELECT max(last_sent_at) FROM orders")[0][0]
        return from_text(last)

    def count_by_outcome(self) -> dict[str, int]:
        """Return how many orders there are, by what came of the last send; `cut`: it did not end."""
        rows = self._db.query("SELECT outcome, count(*) FROM orders GROUP BY outcome")
        return {row[0] or "cut": row[1] for row in rows}

    def count_failed(self) -> int | None:
        """Return how many orders failed in part, as a whole, or were cut off; None before the first order."""
        if self.last_sent_at() is None:
            return None
        sql = "SELECT count(*) FROM orders WHERE outcome IS NULL OR outcome IN ('failed', 'partial')"
        return int(self._db.query(sql)[0][0])

    def unsettled(self) -> list[tuple[str, str]]:
        """Return id and number of the orders with a line whose write was never answered, or whose run did not end."""
        sql = (
            "SELECT id, number FROM orders WHERE outcome IS NULL"
            " OR id IN (SELECT order_id FROM order_tasks WHERE state = 'writing')"
            " OR id IN (SELECT order_id FROM order_tasks WHERE writing_since IS NOT NULL) ORDER BY last_sent_at, id"
        )
        return [(row["id"], row["number"]) for row in self._db.query(sql)]

    # as they stand

    def save_header(
        self,
        order_id: str,
        *,
        customer: str | None,
        wanted: datetime | None,
        priority: int | None,
        day: date | None,
        ended: str | None = None,
        unwritten: Iterable[str] = (),
    ) -> None:
        """Save what 1C says of the order as a whole. `day`: what can be promised; the first one stays."""
        self._db.execute(
            "UPDATE orders SET customer = ?, wanted = ?, priority = ?, ended = ?, unwritten = ?, is_over = 0,"
            " promised_first = coalesce(promised_first, ?) WHERE id = ?",
            [
                customer,
                wanted and wanted.isoformat(),
                priority,
                ended,
                json.dumps(list(unwritten), ensure_ascii=False),
                day and day.isoformat(),
                order_id,
            ],
        )

    def find(self, name: str) -> list[OrderRow]:
        """Return the order with this id, else those with this number."""
        by_id = self._db.query("SELECT * FROM orders WHERE id = ?", [name])
        return [_read_order(row) for row in by_id or self._db.query("SELECT * FROM orders WHERE number = ?", [name])]

    def list_all(self) -> list[OrderRow]:
        """Return all orders, in the sequence in which they were sent first."""
        return [_read_order(row) for row in self._db.query("SELECT * FROM orders ORDER BY first_sent_at, id")]

    def list_open(self, since: int | None = None) -> list[OrderRow]:
        """Return the orders that are not over; with `since` those, too, that changed after this number."""
        sql = "SELECT * FROM orders WHERE is_over = 0 OR changed_no > ? ORDER BY first_sent_at, id"
        return [_read_order(row) for row in self._db.query(sql, [self.last_change() if since is None else since])]

    def open_ids(self, now: datetime, unstaged: Collection[str] | None = None) -> list[str]:
        """Return the ids of the orders that are not over.

        With `unstaged` of those without stages of 1C's own, which are accepted by now, only the ones that are given.
        """
        accepted = self._db.json_text("sent_values", "accepted")
        waits = f"EXISTS (SELECT 1 FROM order_tasks WHERE order_id = orders.id AND (stage <> 0 OR {accepted} > ?))"  # noqa: S608 - constants
        sql = f"SELECT id, {waits} AS waits FROM orders WHERE is_over = 0 ORDER BY first_sent_at, id"  # noqa: S608 - constants
        rows = self._db.query(sql, [to_text(now)])
        return [row["id"] for row in rows if unstaged is None or row["waits"] or row["id"] in unstaged]

    def holders(self) -> set[int]:
        """Return who was given a task of an order that is not over, whoever has it by now."""
        sql = "SELECT DISTINCT responsible_id FROM order_tasks JOIN orders ON orders.id = order_id WHERE is_over = 0"
        return {row["responsible_id"] for row in self._db.query(sql) if row["responsible_id"]}

    def seen_holders(self) -> set[int]:
        """Return who had a task of an order that is not over when that was last worked out."""
        rows = self._db.query("SELECT standing FROM orders WHERE is_over = 0")
        return {id_ for row in rows for id_ in json.loads(row["standing"]).get("people", ()) if id_}

    def read(self, order_ids: Iterable[str]) -> dict[str, OrderRow]:
        """Return these orders, by id."""
        rows = self._db.query_in("SELECT * FROM orders WHERE id IN (?)", order_ids)
        return {row["id"]: _read_order(row) for row in rows}

    def save_standings(
        self,
        standings: Mapping[str, tuple[Mapping[str, Any], bool]],
        now: datetime,
        seen: Mapping[str, OrderRow] | None = None,
    ) -> None:
        """Save how orders stand, by id, and whether they are over; what differs from before takes a new number.

        Another reason for what holds an order up, plans moved by hand, and names, are no news; since when such plans
        are known is noted. An order that is not as it was `seen` stays. The numbers never fall behind the clock: after
        a restored backup they do not come again.
        """
        with self._db.transaction():
            last = number = self.last_change()
            for order_id, row in self.read(standings).items():
                known = seen[order_id] if seen is not None else row
                if (row.changed_no, row.sent_at) != (known.changed_no, known.sent_at):
                    continue
                standing, is_over = standings[order_id]
                if plans := standing.get("plans"):
                    known_at = row.standing.get("plans_at") if plans == row.standing.get("plans") else None
                    standing = {**standing, "plans_at": known_at or to_text(now)}
                if row.standing != standing:
                    text = json.dumps(standing, ensure_ascii=False)
                    self._db.execute("UPDATE orders SET standing = ? WHERE id = ?", [text, order_id])
                sides = row.standing, standing
                left_out = {"plans": None, "plans_at": None, "names": None}
                old, new = ({**side, "holds_up": (side.get("holds_up") or ())[:2], **left_out} for side in sides)
                if old != new:
                    number = max(number + 1, int(now.timestamp()))
                    sql = "UPDATE orders SET changed_no = ?, changed_at = ? WHERE id = ?"
                    self._db.execute(sql, [number, to_text(now), order_id])
                if row.is_over != is_over:
                    self._db.execute("UPDATE orders SET is_over = ? WHERE id = ?", [int(is_over), order_id])
                    if not is_over:
                        self._packed.unpack([order_id])
            if number > last:
                self._db.insert("counters", [{"name": _CHANGES, "value": number}], key=["name"])

    def reopen(self, order_ids: Iterable[str]) -> None:
        """Note that something of these orders is to be done again."""
        ids = list(order_ids)
        with self._db.transaction():
            self._db.execute_many("UPDATE orders SET is_over = 0 WHERE id = ?", [(order_id,) for order_id in ids])
            self._packed.unpack(ids)

    def first_change(self, after: int) -> int | None:
        """Return the lowest number that an order has after this one."""
        number: int | None = self._db.query("SELECT min(changed_no) FROM orders WHERE changed_no > ?", [after])[0][0]
        return number

    def last_change_before(self, moment: datetime) -> int:
        """Return the number of the last change before this moment that still is an order's last one."""
        sql = "SELECT changed_no FROM orders WHERE changed_at < ? ORDER BY changed_no DESC LIMIT 1"
        return next((row[0] for row in self._db.query(sql, [to_text(moment)])), 0)

    def last_change(self) -> int:
        """Return the number of the last change of any order."""
        row = self._db.query("SELECT value FROM counters WHERE name = ?", [_CHANGES])
        return row[0]["value"] if row else 0

    def read_outbox(self, folder: str) -> tuple[int, datetime] | None:
        """Return the number of the last change that the outbox has, and since when; None for a new one."""
        for row in self._db.query("SELECT cursor, saved_at FROM outboxes WHERE folder = ?", [folder]):
            return row["cursor"], from_text(row["saved_at"])
        return None

    def save_outbox(self, folder: str, cursor: int, now: datetime) -> None:
        """Note that the outbox has all changes up to this number; where these are new it is a save that counts."""
        row = {"folder": folder, "cursor": cursor, "saved_at": to_text(now)}
        with self._db.transaction():
            if (self.read_outbox(folder) or (None,))[0] != cursor:
                self.saves.add()
            self._db.insert("outboxes", [row], key=["folder"])

    # lines

    def save_lines(self, tasks: Iterable[LedgerTask]) -> None:
        """Save these lines as they stand now; decisions about them learn their tasks."""
        rows = [_write_line(task) for task in tasks]
        if not rows:
            return
        with self._db.transaction():
            self._packed.unpack({row["order_id"] for row in rows})
            self._db.insert("order_tasks", rows, key=["key"])
            first = "UPDATE order_tasks SET first_deadline = deadline WHERE key = ? AND first_deadline IS NULL"
            self._db.execute_many(first, [[row["key"]] for row in rows if row["state"] == "done"])
            for row in rows:
                if row["task_id"] is not None:
                    self._decisions.link(row["key"], row["task_id"], row["responsible_id"])

    def lines(self, order_ids: Iterable[str]) -> dict[str, LedgerTask]:
        """Return what is known of these orders' lines, by key."""
        ids = list(order_ids)
        sql = "SELECT * FROM order_tasks WHERE order_id IN (?) ORDER BY order_id, line"
        rows = (*map(dict, self._db.query_in(sql, ids)), *self._packed.lines(ids))
        return {row["key"]: _read_line(row) for row in rows}

    def known_keys(self, keys: Iterable[str]) -> set[str]:
        """Return those of the keys that are in the ledger."""
        wanted = set(keys)
        known = {row["key"] for row in self._db.query_in("SELECT key FROM order_tasks WHERE key IN (?)", wanted)}
        return known | {line["key"] for line in self._packed.lines_of_keys(wanted)}

    def owners(self, task_ids: Iterable[int]) -> dict[int, str]:
        """Return the orders of those of the tasks that are ours."""
        sql = "SELECT task_id, order_id FROM all_lines WHERE task_id IN (?)"
        return {row["task_id"]: row["order_id"] for row in self._db.query_in(sql, task_ids)}

    def our_tasks(self, task_ids: Iterable[int]) -> dict[int, OurTask]:
        """Return those of the tasks that are ours."""
        sql = "SELECT task_id, position, starts_at, ends_at FROM all_lines WHERE task_id IN (?)"
        return {
            task_id: OurTask(position, from_text(start), from_text(end))
            for task_id, position, start, end in self._db.query_in(sql, task_ids)
        }

    def last_known_task(self) -> int:
        """Return the highest id of a task that the ledger knows; 0 where it knows none."""
        rows = self._db.query("SELECT max(task_id) FROM order_tasks UNION SELECT max(task_id) FROM packed_lines")
        return max(row[0] or 0 for row in rows)

    def latest_key(self) -> str:
        """Return the key of the task that was made last; "" where none is known."""
        sql = (  # the portal counts up; 0.1 wrote longer ones
            "SELECT task_id, key FROM order_tasks WHERE state = 'done' AND task_id IS NOT NULL AND old_key IS NULL"
            " AND length(key) <= ? ORDER BY task_id DESC LIMIT 1"
        )
        rows = (*map(dict, self._db.query(sql, [KEY_WIDTH])), *self._packed.latest_line())
        return max(((row["task_id"], row["key"]) for row in rows), default=(0, ""))[1]

    def positions_since(self, moment: datetime) -> list[str]:
        """Return the positions of the orders sent since then, by name."""
        sql = (
            "SELECT position FROM order_tasks"
            " WHERE (SELECT last_sent_at FROM orders WHERE orders.id = order_id) >= :since"
            " UNION SELECT position FROM packed_positions WHERE sent_at >= :since ORDER BY position"
        )
        return [row["position"] for row in self._db.query(sql, {"since": to_text(moment)})]

    def last_assigned(self, now: datetime) -> dict[int, datetime]:
        """Return when each person was last given a task by us; what a run that was cut only planned does not count.

        Nor does what is stamped in the future.
        """
        sql = (  # a search for each person, in an index that has years of lines
            "WITH RECURSIVE persons (id) AS (SELECT min(responsible_id) FROM order_tasks UNION ALL SELECT ("
            "SELECT min(responsible_id) FROM order_tasks WHERE responsible_id > persons.id) FROM persons"
            " WHERE id IS NOT NULL)"
            " SELECT id, (SELECT assigned_at FROM order_tasks WHERE responsible_id = persons.id AND assigned_at <= ?"
            " AND task_id IS NOT NULL ORDER BY assigned_at DESC LIMIT 1) AS at FROM persons WHERE id IS NOT NULL"
        )
        last = to_text(clock.latest_known(now))
        assigned = [(row["id"], row["at"]) for row in self._db.query(sql, [last]) if row["at"]]
        packed = self._db.query("SELECT person_id, assigned_at FROM packed_people WHERE assigned_at <= ?", [last])
        latest = dict(map(tuple, packed))
        latest |= {person: max(at, latest.get(person, "")) for person, at in assigned}
        return {person: from_text(at) for person, at in latest.items()}

    # requests under way

    def last_unanswered(self) -> datetime | None:
        """Return when the last request left whose answer never came, whatever the order."""
        sql = "SELECT max(writing_since) FROM order_tasks WHERE writing_since IS NOT NULL"
        last: str | None = self._db.query(sql)[0][0]
        return from_text(last)

    def mark_sent(self, keys: Iterable[str], moment: datetime | None) -> None:
        """Note that a request on behalf of these lines is about to leave; None: that it was answered."""
        self._change_lines("writing_since = ?", keys, to_text(moment))

    def mark_writing(self, keys: Iterable[str], now: datetime) -> None:
        """Note that a request that makes these tasks is about to leave: until it is answered, its fate is unknown."""
        self._change_lines("state = 'writing', writing_since = ?", keys, to_text(now))

    def _change_lines(self, change: str, keys: Iterable[str], since: str | None) -> None:
        keys = set(keys)
        with self._db.transaction():
            self._packed.unpack({line["order_id"] for line in self._packed.lines_of_keys(keys)})
            self._db.execute_many(f"UPDATE order_tasks SET {change} WHERE key = ?", [(since, key) for key in keys])  # noqa: S608 - constants

    # files

    def save_file(self, file: LedgerFile, now: datetime) -> None:
        """Note that a file is on the portal's disk."""
        row = vars(file) | {"saved_at": to_text(now)}
        with self._db.transaction():
            self._db.insert("files", [row], key=["order_id", "name", "sha256"])

    def files(self, order_ids: Iterable[str]) -> list[LedgerFile]:
        """Return the files of these orders known to be on the portal's disk."""
        sql = "SELECT order_id, name, sha256, stored_name, size, file_id FROM files WHERE order_id IN (?)"
        return [LedgerFile(*row) for row in self._db.query_in(sql, order_ids)]

    def save_task_files(self, attached: Iterable[tuple[str, str, str]], state: str) -> None:
        """Note which files hang on which tasks (`done`), or are about to (`writing`)."""
        rows = [{"key": key, "name": name, "sha256": sha256, "state": state} for key, name, sha256 in attached]
        if not rows:
            return
        with self._db.transaction():
            self._db.insert("task_files", rows, key=["key", "name", "sha256"])

    def task_files(self, keys: Iterable[str]) -> dict[tuple[str, str, str], str]:
        """Return which files were attached to which tasks: (key, 1C's name, sha256) → `writing` or `done`."""
        rows = self._db.query_in("SELECT * FROM task_files WHERE key IN (?)", keys)
        return {(row["key"], row["name"], row["sha256"]): row["state"] for row in rows}

    def forget_task_files(self, keys: Iterable[str]) -> None:
        """Drop what hung on the tasks of these lines: they are gone, and their attachments with them."""
        with self._db.transaction():
            self._db.execute_many("DELETE FROM task_files WHERE key = ?", [(key,) for key in keys])

    # what runs noticed about the database and the portal

    def notice_restore(self, now: datetime, *, newer: Collection[int] = ()) -> bool:
        """Return whether the database is older than what was done with it: a backup was restored, or it was lost.

        The file beside it tells; then, until an order is sent again, the portal's values count more than the ledger's.
        `newer`, tasks on the portal that carry keys of ours and that it does not know, may be another folder's, too.
        """
        beside = self.saves.read_beside()  # first: another process may be saving an order
        saves = self.saves.read()
        is_restored = beside > saves
        if not is_restored and max(newer, default=0) <= int(self._noticed(FOREIGN_TASK)[0] or 0):
            return False
        with self._db.transaction():
            if is_restored:
                self._note_restored(beside, now)
            if newer:
                self._save_noticed(FOREIGN_TASK, str(max(newer)), now)
        self.follow_save_counter()
        return True

    def note_put_back(self, now: datetime, replaced: int) -> bool:
        """Note of a backup that is being put back that it is older than what was done; return whether it may be.

        It is not where as many saves are known of the database that is `replaced`, or of one that was moved here.
        `follow_save_counter` ends this.
        """
        known, saves = max(replaced, self.saves.read_any_beside()), self.saves.read()
        if known == saves:
            return False
        with self._db.transaction():
            self._note_restored(max(known, saves) + 1, now)  # the next one that is put back misses this one
        return True

    def follow_save_counter(self) -> None:
        """Let the file beside the database count on from what the database knows."""
        self.saves.write_beside(self.saves.read())

    def _note_restored(self, count: int, now: datetime) -> None:
        self._db.execute("UPDATE orders SET portal_wins = 1")
        self._save_noticed(RESTORED, str(count - self.saves.read()), now)
        self.saves.set(count)

    def to_compare(self, order_ids: Iterable[str]) -> set[str]:
        """Return those of the orders of which the portal knows more than the ledger's rows.

        In a dry run the details of a closed order stay packed, too.
        """
        beside = self.saves.read_beside()
        is_restored = beside > self.saves.read()  # still so in a dry run
        ids = list(order_ids)
        rows = self._db.query_in("SELECT id, portal_wins FROM orders WHERE id IN (?)", ids)
        return {row["id"] for row in rows if row["portal_wins"] or is_restored} | self._packed.list_packed(ids)

    def was_restored_after(self, moment: datetime) -> bool:
        """Return whether the database was seen to have been restored after this moment."""
        return (self._noticed(RESTORED)[1] or moment) > moment

    def restored_at(self) -> datetime | None:
        """Return when the database was seen to have been restored; None once older weeks were collected since."""
        noticed_at = self._noticed(RESTORED)[1]
        if noticed_at is None:
            return None
        earlier = noticed_at - timedelta(days=8)  # further back than a run by itself goes
        sql = "SELECT 1 FROM snapshot_runs WHERE complete = 1 AND started_at >= ? AND from_at < ?"
        return None if self._db.query(sql, [to_text(noticed_at), to_text(earlier)]) else noticed_at

    def _save_noticed(self, what: str, value: str, now: datetime) -> None:
        self._db.insert("noticed", [{"what": what, "value": value, "noticed_at": to_text(now)}], key=["what"])

    def _noticed(self, what: str) -> tuple[str, datetime | None]:
        for row in self._db.query("SELECT value, noticed_at FROM noticed WHERE what = ?", [what]):
            return row["value"], from_text(row["noticed_at"])
        return "", None


def _read_order(row: Row) -> OrderRow:
    values = dict(row) | {"standing": json.loads(row["standing"]), "is_over": bool(row["is_over"])}
    values |= {"sent_at": from_text(row["last_sent_at"]), "unwritten": tuple(json.loads(row["unwritten"]))}
    values["wanted"] = row["wanted"] and datetime.fromisoformat(row["wanted"])
    values["promised_first"] = row["promised_first"] and date.fromisoformat(row["promised_first"])
    values["changed_at"] = from_text(row["changed_at"])
    return OrderRow(**{name: values[name] for name in OrderRow.__dataclass_fields__})


def _read_line(row: Mapping[str, Any]) -> LedgerTask:
    values = dict(row) | {name: from_text(row[name]) for name in _MOMENTS}
    values |= {"sent_values": json.loads(row["sent_values"]), "other_tasks": tuple(json.loads(row["other_tasks"]))}
    del values["first_deadline"], values["line_no"]  # the tasks ask for them
    return LedgerTask(start=values.pop("starts_at"), end=values.pop("ends_at"), **values)


def _write_line(task: LedgerTask) -> dict[str, Any]:
    row = dict(vars(task))
    row |= {"starts_at": row.pop("start"), "ends_at": row.pop("end")}
    row |= {name: to_text(row[name]) for name in _MOMENTS}
    sent_values = json.dumps(task.sent_values, ensure_ascii=False, sort_keys=True)
    return row | {
        "sent_values": sent_values,
        "other_tasks": json.dumps(task.other_tasks),
        "line_no": number_line(task.key),
    }
