"""What is packed of orders that are over, what is forgotten after a year, and how the file shrinks while in use."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from b24tools.core import clock
from b24tools.core.chunks import chunked
from b24tools.core.timestamps import to_text
from b24tools.store.database import BUSY_TIMEOUT_S, Database, is_locked, marks
from b24tools.store.packed import Packed

PAUSE = timedelta(hours=20)  # at most once a night
LONGEST_PAUSE = timedelta(hours=36)  # by then whatever run there is does it
PACKED_AFTER = timedelta(days=7)  # after the last change of an order that is over: it may be sent once more
ORDERS_AT_ONCE = 100  # in a transaction: others wait for it
PAGES_AT_ONCE = 256
SPARE_PAGES = 256  # free ones that are left for the next day
_LAST = "retention"  # in the table last_read
_HIDDEN = "secrets 1"  # likewise; another number has them looked for once more
_UNTRIMMED = "(trimmed_at IS NULL OR trimmed_at <= last_sent_at)"
_UNPACKED = "id NOT IN (SELECT order_id FROM packed_orders WHERE title_end IS NOT NULL)"
_TEXTS = {"events": ("body", "error"), "history": ("caller", "lines", "error"), "messages": ("content", "error")}


class Retention:
    """Closed orders are packed, then trimmed to what finds their tasks again; the portal's values count after that."""

    def __init__(self, db: Database, packed: Packed) -> None:
        self._db = db
        self._packed = packed

    def is_due(self, now: datetime, *, at_night: bool) -> bool:
        """Return whether to do it now: at night, or if there was no night for long."""
        rows = self._db.query("SELECT read_at FROM last_read WHERE what = ?", [_LAST])
        last = clock.known_moment(rows[0]["read_at"], now) if rows else None
        return last is None or now - last > (PAUSE if at_night else LONGEST_PAUSE)

    def trim(self, now: datetime, keep: timedelta) -> int:
        """Forget details of orders that were over and untouched for so long, pack the others; how many are forgotten.

        `now`: the portal's. Ids, keys, tasks, pins, lost writes and the history's entries stay.
        """
        forgotten = self._change_over(now - keep, _UNTRIMMED, lambda ids: self._trim(ids, now))
        self._change_over(now - PACKED_AFTER, _UNPACKED, lambda ids: self._pack(ids, now))
        with self._db.transaction():
            self._db.insert("last_read", [{"what": _LAST, "read_at": to_text(now)}], key=["what"])
        return forgotten

    def _change_over(self, before: datetime, which: str, change: Callable[[list[str]], None]) -> int:
        """Change the orders that are over and untouched so long, some at once; how many.

        One that is sent again while others are changed is left alone.
        """
        count = 0
        for ids in chunked(self._find_over(before, which), ORDERS_AT_ONCE):
            with self._db.transaction():
                if still := self._find_over(before, f"{which} AND id IN ({marks(ids)})", ids):
                    change(still)
            count += len(still)
        return count

    def _find_over(self, before: datetime, which: str, values: Sequence[str] = ()) -> list[str]:
        sql = (
            "SELECT id FROM orders WHERE is_over = 1 AND last_sent_at < ? AND coalesce(changed_at, '') < ?"  # noqa: S608 - constants
            f" AND {which} AND id NOT IN (SELECT order_id FROM order_tasks"
            " WHERE state = 'writing' OR writing_since IS NOT NULL) ORDER BY last_sent_at"
        )
        return [row["id"] for row in self._db.query(sql, [to_text(before), to_text(before), *values])]

    def _pack(self, ids: list[str], now: datetime) -> None:
        self._packed.unpack(ids)  # what was packed when lines still had their own rows
        self._packed.pack(ids, now)

    def _trim(self, ids: list[str], now: datetime) -> None:
        """Forget details; what has its own rows is packed without them afterwards."""
        self._packed.forget_details(ids)
        few = f"({marks(ids)})"
        self._db.execute(f"UPDATE history SET lines = '[]' WHERE order_id IN {few}", ids)  # noqa: S608 - question marks
        sql = f"UPDATE orders SET trimmed_at = ?, portal_wins = 1 WHERE id IN {few}"  # noqa: S608 - likewise
        self._db.execute(sql, [to_text(now), *ids])

    def hide_secrets(self, hide: Callable[[str], str], now: datetime) -> int:
        """Take secrets out of what older versions stored, once. Return of how many rows.

        Not out of the values that orders were sent with: so the next time the portal is rid of them, too.
        """
        if self._db.query("SELECT 1 FROM last_read WHERE what = ?", [_HIDDEN]):
            return 0
        changes = []
        for table, columns in _TEXTS.items():
            sql = f"UPDATE {table} SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?"  # noqa: S608 - names of ours
            for row_id, *texts in self._db.query(f"SELECT id, {', '.join(columns)} FROM {table}"):  # noqa: S608 - likewise
                clean = [text and hide(text) for text in texts]
                if clean != texts:
                    changes.append((sql, [*clean, row_id]))
        with self._db.transaction():
            for sql, values in changes:
                self._db.execute(sql, values)
            self._db.insert("last_read", [{"what": _HIDDEN, "read_at": to_text(now)}], key=["what"])
        return len(changes)

    def shrink(self) -> int:
        """Give free pages back to the disk in small steps, between which others write; how many bytes.

        A server does that by itself. A file of an older b24tools is written anew once, when no other program has it
        open and the disk has room.
        """
        if self._db.is_shared:
            return 0
        before = self._count_pages("page_count")
        if self._count_pages("auto_vacuum") == 0:
            self._rewrite()
        for _step in self._list_steps():
            # `execute` would take one page only: it ends with the first step of what has no columns
            self._db.connection.executescript(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")
        return (before - self._count_pages("page_count")) * self._count_pages("page_size")

    def _list_steps(self) -> Iterator[int]:
        if self._count_pages("auto_vacuum"):
            yield from range(0, self._count_pages("freelist_count") - SPARE_PAGES, PAGES_AT_ONCE)

    def _rewrite(self) -> None:
        path = Path(self._db.query("PRAGMA database_list")[0]["file"])
        if self._count_pages("freelist_count") <= SPARE_PAGES or _has_no_room(path):
            return
        run = self._db.connection.execute
        run("PRAGMA busy_timeout = 0")
        try:
            run("PRAGMA journal_mode = DELETE")  # refused while another connection is open
            run("PRAGMA auto_vacuum = INCREMENTAL")
            run("VACUUM")
        except sqlite3.OperationalError as error:
            if not is_locked(error):
                raise
        finally:
            run(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
            run("PRAGMA journal_mode = WAL")

    def _count_pages(self, what: str) -> int:
        return int(self._db.query(f"PRAGMA {what}")[0][0])


def _has_no_room(path: Path) -> bool:
    """Writing it anew takes its size twice: a copy, and the journal of the pages that it replaces."""
    try:
        return shutil.disk_usage(path.parent).free < 3 * path.stat().st_size
    except OSError:
        return True
