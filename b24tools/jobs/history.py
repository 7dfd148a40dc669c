"""What was done for orders and when: found, and noted where no other job does. No network."""

from __future__ import annotations

import logging

from b24tools.assignment.order_lookup import refuse_several
from b24tools.assignment.tools import Tools
from b24tools.core import errors
from b24tools.core.database_url import Location
from b24tools.core.i18n import _
from b24tools.onec import values
from b24tools.store import Store
from b24tools.store.history import Entry

_log = logging.getLogger("b24tools.orders")

LISTED = 50  # without an order


def find(store: Store, order: str | None, folder: Location) -> list[Entry]:
    """Return what was done for an order, found as by `find_order`, or what was done last. Raises ConfigError."""
    if order is None:
        return store.history.last(LISTED)
    known = store.history
    ids = known.find_ids(order.strip()) or known.find_ids(values.read_id(order)) or known.find_alike(order)
    if not ids:
        raise errors.ConfigError(
            _("nothing was done for an order {order} with this data folder: {folder}").format(
                order=order, folder=folder
            ),
            _("Give the order's number or its identifier as 1C has it; `b24tools history` shows the last ones."),
            code=errors.ErrorCode.UNKNOWN_ORDER,
        )
    refuse_several(order, ids)
    return store.history.of_order(ids[0])


def note_superseded(tools: Tools, order_id: str, number: str, file: str, newer: str) -> str:
    """Note in log and history that an order of a file was left out for the one of a newer file; return it in words."""
    text = _("{file}: superseded by {newer}").format(file=file, newer=newer)
    by, command = tools.origin.by, tools.origin.command
    _log.info("order %s: %s; %s by %s", number, text, command, by or "?")
    tools.store.history.add(Entry(tools.clock.now(), command, order_id, number, "superseded", by, error=text))
    return text
