"""Orders as they stand: what was asked for, what changed since, and an outbox with a file for each change."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from b24tools.assignment.plan import Rules
from b24tools.assignment.standing import AT_RISK, LATE, OPEN, OVER, OrderStanding, Standings, read_standings
from b24tools.assignment.tools import Tools
from b24tools.core import data_folder, errors, periods
from b24tools.core.i18n import _, os_hint, os_reason
from b24tools.onec import values
from b24tools.store.orders import OrderRow, Orders

STATES = (LATE, AT_RISK, OPEN, OVER)  # the most important first
LONGEST_RUN = timedelta(hours=1)  # an order that has no outcome after this was cut off


@dataclass(frozen=True)
class Listing:
    """The orders that were asked for, late ones first. `cursor`: asks, as `since`, for what changes after this."""

    orders: tuple[OrderStanding, ...]
    cursor: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outbox:
    """What was written: the orders that changed, and the files of those that were not there yet.

    `notice`: what somebody has to know, once.
    """

    listing: Listing
    files: tuple[Path, ...]
    notice: str = ""


def read_since(store: Orders, text: str, now: datetime) -> int:
    """Return the number after which changes are asked for: by a cursor, or a span of time. Raises ConfigError."""
    words = "".join(text.split())  # 1C groups the digits of a number
    if words.isdecimal() and words.isascii() and len(words) < 19:
        return int(words)
    try:
        return store.last_change_before(now - periods.parse_span(text))
    except errors.ConfigError as error:
        message = _('"{text}" is neither a cursor nor a span of time').format(text=text)
        raise errors.UsageError(message, error.hint) from None


def list_orders(
    tools: Tools,
    rules: Rules,
    *,
    rows: Sequence[OrderRow] = (),
    since: int | None = None,
    states: Collection[str] = (OPEN, AT_RISK, LATE),
) -> Listing:
    """Work out how orders stand, save what changed, and list those in these states; or only `rows`, in any state.

    `since`: only what changed after this number. With one that was never given out all are listed.
    Raises PortalError and ConfigError as reading does.
    """
    store = tools.store.orders
    warnings = []
    if since is not None and since > store.last_change():
        warnings.append(_("this database never gave the cursor {cursor}: all orders are listed").format(cursor=since))
        since = 0
    with_over = OVER in states and since is None and not rows
    found, _standings = _work_out(tools, rules, rows=rows, since=since, with_over=with_over)
    chosen = [
        one
        for one in found.orders
        if (one.row.id in {row.id for row in rows} if rows else one.state in states)
        and (since is None or since < one.row.changed_no <= found.cursor)
    ]
    return Listing(tuple(sorted(chosen, key=_importance)), found.cursor, (*warnings, *found.warnings))


def list_with_standings(tools: Tools, rules: Rules) -> tuple[Listing, Standings]:
    """List the open orders as `list_orders` does, with the portal's state and the lanes they were read off."""
    listing, found = _work_out(tools, rules)
    chosen = sorted((one for one in listing.orders if one.state != OVER), key=_importance)
    return replace(listing, orders=tuple(chosen)), found or read_standings(tools, rules, ())


def fill_outbox(
    tools: Tools, rules: Rules, folder: Path, to_text: Callable[[OrderStanding], str], since: int | None = None
) -> Outbox:
    """Write a file for each order that changed since the last time, or after `since`; into a new outbox all open ones.

    A file's name has the order's id and the number of its change: what is there is not written again. How far the
    outbox has come is saved last. After a restored backup it goes on from now. Raises also ConfigError for the folder.
    """
    store, now = tools.store.orders, tools.clock.now()
    if not folder.is_dir():
        raise errors.ConfigError(
            _("there is no folder {folder} for the outbox").format(folder=folder),
            _("Create it, and let the user of this job write there."),
        )
    name, notice = str(folder.resolve()), ""
    store.notice_restore(now)
    known = store.read_outbox(name)
    is_restored = known is not None and store.was_restored_after(known[1])
    after = since if since is not None else known[0] if known else None
    found, _standings = _work_out(tools, rules, since=after)
    changed = [one for one in found.orders if (after or 0) < one.row.changed_no <= found.cursor]
    if is_restored and since is None:
        changed = []
        notice = _(
            "a backup of the database was restored: the outbox goes on from now; "
            "--changed-since writes what changed before"
        )
    files = []
    for one in sorted(changed, key=lambda one: one.row.changed_no):
        if path := _write_once(folder, one.row, to_text(one)):
            files.append(path)
    store.save_outbox(name, found.cursor, tools.clock.now())
    return Outbox(Listing(tuple(changed), found.cursor, found.warnings), tuple(files), notice)


def _work_out(
    tools: Tools,
    rules: Rules,
    *,
    rows: Sequence[OrderRow] = (),
    since: int | None = None,
    with_over: bool = False,
) -> tuple[Listing, Standings | None]:
    """Read how all open orders stand, these `rows` and those changed `since`, and save it; None where there are none.

    What another run changes meanwhile is left to the next time: the cursor stands before it.
    """
    store, mark = tools.store.orders, tools.store.orders.last_change()
    asked = {row.id: row for row in [*(store.list_all() if with_over else store.list_open(since)), *rows]}
    if not asked and not store.count():
        return Listing((), mark), None
    found = read_standings(tools, rules, list(asked.values()))
    back = set(store.owners(task.id for task in found.portal.open).values()) - asked.keys()
    back |= {one.row.id for one in found.orders if one.row.is_over and one.state != OVER}
    if back:  # somebody goes on with a task of an order that was over
        store.reopen(back)
        asked |= store.read(back)
        found = read_standings(tools, rules, list(asked.values()))
    settled = [one for one in found.orders if one.row.outcome or found.now - one.row.sent_at > LONGEST_RUN]
    with tools.store.transaction():
        others = store.first_change(mark)
        store.save_standings(
            {one.row.id: (one.to_compare(found.calendar), one.state == OVER) for one in settled}, found.now, asked
        )
        cursor = store.last_change() if others is None else others - 1
        saved = store.read(asked)
    standing = tuple(replace(one, row=saved[one.row.id]) for one in found.orders)
    return Listing(standing, cursor, found.warnings), found


def _importance(order: OrderStanding) -> tuple[int, datetime, str, str]:
    wanted = order.row.wanted or datetime.max.replace(tzinfo=UTC)
    return STATES.index(order.state), wanted, order.row.number, order.row.id


def _write_once(folder: Path, row: OrderRow, text: str) -> Path | None:
    """Write the file of this change, whole or not at all; None where it is there."""
    name = make_safe(row.id)
    path, part = folder / f"{name}.{row.changed_no}.json", folder / f".{name}.part"
    try:
        if path.exists():
            return None
        # there is no other writer: the lock is held
        with data_folder.write_whole(path, part=part, private=False, durable=True) as file:
            file.write(text.encode())
    except OSError as error:
        raise errors.B24ToolsError(
            _("{path} cannot be written: {reason}").format(path=path, reason=os_reason(error)),
            os_hint(error) + " " + _("The next run goes on from here."),
        ) from error
    return path


def make_safe(order_id: str) -> str:
    """Name a file or an element of a page after an order: a GUID as it is, of any other id a hash for what is odd."""
    if values.is_guid(order_id):
        return order_id
    legible = re.sub(r"[^\w-]+", "_", order_id)[:40]
    return f"{legible}-{hashlib.sha256(order_id.encode()).hexdigest()[:8]}"
