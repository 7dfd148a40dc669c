"""What was done for orders and when. No network."""

from __future__ import annotations

from pathlib import Path

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.onec import values
from b24tools.store import Store
from b24tools.store.history import Entry

LISTED = 50  # without an order


def find(store: Store, order: str | None, folder: Path) -> list[Entry]:
    """Return what was done for an order, by its number or id, or what was done last. Raises ConfigError."""
    if order is None:
        return store.history.last(LISTED)
    ids = store.history.find_ids(order.strip()) or store.history.find_ids(values.read_id(order))
    if not ids:
        raise errors.ConfigError(
            _("nothing was done for an order {order} with this data folder: {folder}").format(
                order=order, folder=folder
            ),
            _("Give the order's number or its identifier as 1C has it; `b24tools history` shows the last ones."),
            code=errors.ErrorCode.UNKNOWN_ORDER,
        )
    if len(ids) > 1:
        raise errors.ConfigError(
            _("several orders have the number {order}: {ids}").format(order=order, ids=", ".join(ids)),
            _("Give the identifier of one of them."),
            code=errors.ErrorCode.AMBIGUOUS,
        )
    return store.history.of_order(ids[0])
