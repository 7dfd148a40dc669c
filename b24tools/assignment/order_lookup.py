"""Which order is meant by a number or an identifier, as people and 1C write them."""

from __future__ import annotations

from collections.abc import Sequence

from b24tools.core import errors
from b24tools.core.database_url import Location
from b24tools.core.i18n import _
from b24tools.core.names import same_name
from b24tools.onec import values
from b24tools.onec.order import Order
from b24tools.store.orders import OrderRow, Orders


class SeveralOrders(errors.ConfigError):
    """A number that several orders have."""

    code = errors.ErrorCode.AMBIGUOUS


def find_order(store: Orders, name: str, folder: Location | None = None) -> OrderRow:
    """Return the order of this number or id, else of a number that differs in letter case, ё or dashes only.

    `folder` is named where there is none. Raises ConfigError, SeveralOrders where the number is that of several.
    """
    rows = store.find(name.strip()) or store.find(values.read_id(name))
    if not rows:
        rows = [row for row in store.list_all() if same_name(row.number) == same_name(name)]
    if not rows:
        message = _("no order {order} was sent with this data folder").format(order=name)
        raise errors.ConfigError(
            message + (f": {folder}" if folder else ""),
            _("Give the order's number or its identifier as 1C has it; `b24tools orders --all` lists them."),
            code=errors.ErrorCode.UNKNOWN_ORDER,
        )
    refuse_several(name, [row.id for row in rows])
    return rows[0]


def warn_of_namesakes(store: Orders, order: Order, batch: Sequence[Order]) -> list[str]:
    """Say which other orders that are not over have the number of this one: it means none of them any more.

    Also of those that come with it in a `batch`, which a dry run does not save.
    """
    is_open = {row.id: not row.is_over for row in store.find(order.number) if row.number == order.number}
    is_open |= {other.id: not other.done for other in batch if other.number == order.number}
    ids = [id_ for id_ in is_open if is_open[id_] and id_ != order.id]
    text = _("another open order has the number {order}, too: {ids}; in b24tools call them by their identifiers")
    return [text.format(order=order.number, ids=", ".join(ids))] if ids else []


def refuse_several(name: str, ids: Sequence[str]) -> None:
    """Raise SeveralOrders where these orders of a number are more than one."""
    if len(ids) > 1:
        raise SeveralOrders(
            _("several orders have the number {order}: {ids}").format(order=name, ids=", ".join(ids)),
            _("Give the identifier of one of them."),
        )
