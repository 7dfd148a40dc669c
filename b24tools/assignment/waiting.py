"""Operations that wait for others of their order: what the ledger knows of it, over all open orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from b24tools.assignment.plan import Rules
from b24tools.assignment.portal_state import PortalState
from b24tools.core.models import Task
from b24tools.scheduling import sequence
from b24tools.scheduling.lane import StagedTask
from b24tools.store import Store
from b24tools.store.orders import LedgerTask


def read_open_orders(store: Store, sent: Collection[str], rules: Rules, now: datetime) -> dict[str, list[LedgerTask]]:
    """Return the lines of the orders that are not over, as they were last sent.

    Without a route only of those with stages of their own, or accepted later, for others wait for nothing; and of those
    `sent` now.
    """
    ids = store.orders.open_ids(now, None if rules.route else sent)
    rows_by_order: dict[str, list[LedgerTask]] = {order_id: [] for order_id in ids}
    for row in store.orders.lines(ids).values():
        rows_by_order[row.order_id].append(row)
    return rows_by_order


def list_stages(rows: Iterable[LedgerTask], rules: Rules) -> list[int | None]:
    """Return in which sequence the lines of an order are done."""
    return sequence.stages([(rules.in_route(row.position), row.stage) for row in rows], rules.route)


def holders_of_staged(orders: Iterable[Sequence[LedgerTask]], rules: Rules) -> set[int]:
    """Return who has work that waits for other work, or that other work waits for; empty where there is no route."""
    return {
        row.responsible_id
        for rows in orders
        if len({stage for stage in list_stages(rows, rules) if stage is not None}) > 1
        for row in rows
        if row.responsible_id
    }


def list_staged(orders: Iterable[Sequence[LedgerTask]], portal: PortalState, rules: Rules) -> list[list[StagedTask]]:
    """Return the open tasks of these orders with their stages."""
    tasks: Mapping[int, Task] = {task.id: task for task in portal.open}
    staged = []
    for rows in orders:
        order = []
        for row, stage in zip(rows, list_stages(rows, rules), strict=True):
            task = tasks.get(row.task_id or 0)
            if task is not None and row.is_carried_by(task.xml_id):
                order.append(StagedTask(stage, task.responsible_id, task.id, row.accepted))
        staged.append(order)
    return staged
