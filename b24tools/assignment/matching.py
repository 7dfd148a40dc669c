"""Which line of an order each row of the ledger, and each task on the portal, belongs to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from b24tools.assignment.ledger import UNKNOWN
from b24tools.assignment.plan import Item, PlannedTask, rounded
from b24tools.assignment.portal_state import PortalState
from b24tools.core.line_keys import KEY_PREFIX, KEY_WIDTH
from b24tools.core.models import Task
from b24tools.core.names import read_visibly, same_name
from b24tools.onec import order as onec_order
from b24tools.onec import task_fields
from b24tools.onec.values import is_guid
from b24tools.store.orders import LedgerTask


def items_of(
    batch: Sequence[onec_order.Order], ledger: Mapping[str, LedgerTask], compare: Collection[str] = ()
) -> list[Item]:
    """The lines of the orders, each with its row of the ledger. `compare`: orders that the portal knows better."""
    return [item for order in batch for item in _items(order, ledger, order.id in compare)]


def settle_keys(items: Sequence[Item]) -> list[Item]:
    """Give lines that the ledger does not know the keys their tasks carry, so that ledger and portal agree.

    A line without a task, or one whose task has a key of version 0.1, has a key that no other line has.
    """
    taken = {item.key for item in items if item.known}
    carried: dict[str, str] = {}
    for item in items:
        key = item.task.xml_id if item.task else ""
        if item.known or key in ("", *taken, *item.old_keys):
            continue
        if key.startswith(KEY_PREFIX) and len(key) <= KEY_WIDTH:
            carried[item.key] = key
            taken.add(key)
    settled = []
    for item in items:
        key = carried.get(item.key, item.key)
        number = 1
        while not item.known and item.key not in carried and key in taken:
            identity = task_fields.identify(item.line)
            key = task_fields.make_key(item.order.id, identity if number == 1 else f"{identity}:{number}")
            number += 1
        taken.add(key)
        settled.append(replace(item, key=key))
    return settled


def _items(order: onec_order.Order, ledger: Mapping[str, LedgerTask], compare: bool) -> list[Item]:
    rows = match_rows(order, [row for row in ledger.values() if row.order_id == order.id])
    taken = {row.key for row in ledger.values() if row.order_id == order.id}
    names, old = task_fields.keys_by_name(order), task_fields.keys_of_0_1(order)
    items = []
    for number, (line, row, key) in enumerate(zip(order.lines, rows, task_fields.line_keys(order), strict=True)):
        title = task_fields.title(order, line)
        if row is not None:
            items.append(Item(order, number, line, row.key, title, row, old_keys=row.old_keys, compare=compare))
            continue
        other = 1
        while key in taken:  # by a row of the same position that is another line's now, or that no line has any more
            other += 1
            key = task_fields.make_key(order.id, f"{task_fields.identify(line)}:{other}")
        taken.add(key)
        items.append(Item(order, number, line, key, title, None, (names[number],), old[number]))
    if order.cancelled and not order.done:  # then lines that it no longer has are put off as well
        lineless = taken - {item.key for item in items}
        for row in (row for row in ledger.values() if row.key in lineless and row.task_id):
            minutes = (row.estimate_s or 0) / 60
            gone = onec_order.Line(
                position=row.position, position_id=row.position_id, minutes=minutes, amount=None, stage=None
            )
            items.append(Item(order, row.line, gone, row.key, row.title, row, old_keys=row.old_keys, compare=compare))
    return items


def match_rows(order: onec_order.Order, rows: Iterable[LedgerTask]) -> list[LedgerTask | None]:
    """For each line the row of the ledger that is about it.

    That is the one with the position's id; where the id was changed, left out or added, or where one line went and
    another came, the one with the position's name. Lines of one position meet their rows by minutes, then by order.
    """
    free = sorted(rows, key=lambda row: row.line)
    found: list[LedgerTask | None] = [None] * len(order.lines)
    for is_alike in (_has_same_id, _has_same_name):
        for by_minutes in (True, False):
            for place, line in enumerate(order.lines):
                if found[place] is not None:
                    continue
                alike = (row for row in free if is_alike(line, row))
                row = next((row for row in alike if not by_minutes or _sent_minutes(row) == line.minutes), None)
                if row is not None:
                    free.remove(row)
                    found[place] = row
    return found


def _has_same_id(line: onec_order.Line, row: LedgerTask) -> bool:
    return line.position_id is not None and line.position_id == row.position_id


def _has_same_name(line: onec_order.Line, row: LedgerTask) -> bool:
    return same_name(line.position) == same_name(row.position)


def _sent_minutes(row: LedgerTask) -> object:
    return row.sent_values.get("onec", {}).get("minutes")


def match_tasks(
    items: Sequence[Item], ledger: Mapping[str, LedgerTask], portal: PortalState, step_s: int
) -> list[Item]:
    """Find for each line its task, and whatever else carries a key of it.

    Of several the ledger's is the line's; else one that looks like it, and the oldest of them. Lines of one
    position that the ledger does not know meet their tasks by their estimate, then by their keys, then by order. Last
    comes a task of the order under a key of a position's id that it has no more.
    """
    found: dict[str, Task] = {}
    claimed = {row.task_id for row in ledger.values() if row.task_id}
    for item in items:
        if item.known and (task := portal.of_line(item.known)):
            found[item.key] = task
    left = [item for item in items if item.key not in found]
    own = {item.key: task_fields.identify(item.line) for item in items if not item.known}
    steps: tuple[tuple[Callable[[Item], list[Task]], bool], ...] = (
        (lambda item: _related(item, left, portal, own), True),
        (lambda item: _carrying(item, portal, own), False),
        (lambda item: _related(item, left, portal, own), False),
        (lambda item: _merged(item, portal), False),
        (lambda item: _titled(item, portal), False),
    )
    for look, by_estimate in steps:
        for item in left:
            if item.key in found:
                continue
            estimate_s = rounded(item.line.minutes, step_s)
            free = [task for task in look(item) if task.id not in claimed or task in _merged(item, portal)]
            free = [task for task in free if not by_estimate or task.estimate_s == estimate_s]
            if free:
                found[item.key] = min(free, key=lambda task: _unlikeliness(task, item, portal))
                claimed.add(found[item.key].id)
    matched = []
    for item in items:
        mine, merged = found.get(item.key), _merged(item, portal)
        more = dict.fromkeys([*_carrying(item, portal, own), *merged])
        others = tuple(task for task in more if task != mine and (task.id not in claimed or task in merged))
        claimed |= {task.id for task in more}
        matched.append(replace(item, task=mine, others=others))
    return matched


def find_left(
    order: onec_order.Order, plans: Sequence[PlannedTask], portal: PortalState, known: Mapping[str, LedgerTask]
) -> tuple[list[tuple[str, Task]], list[tuple[str, Task]]]:
    """Find the open tasks of lines that the order no longer has, with their positions.

    And those that the ledger does not know, which are recognized by the order's GUID in their keys.
    """
    keys = {plan.item.key for plan in plans}
    rows = [row for row in known.values() if row.order_id == order.id and row.key not in keys]
    left = [(row.position, task) for row in rows if (task := portal.of_line(row)) and task.is_open]
    taken = {task.id for plan in plans for task in (plan.task, *plan.others) if task}
    taken |= {row.task_id for row in known.values() if row.task_id}
    others = [
        (task.title.rpartition(":")[0] or task.title, task)
        for task in portal.titled.get(order.id, ())
        if task.is_open and task.xml_id.startswith(f"{KEY_PREFIX}{order.id}:") and task.id not in taken
    ]
    return left, others


def was_written_elsewhere(item: Item) -> bool:
    """Whether another data folder has written to the task: it does not describe what the ledger sent last.

    Only letters and digits count, so that whatever else a portal makes of a text writes nothing again and again.
    """
    sent = item.known.sent_values.get("onec", {}) if item.known else {}
    shown = task_fields.read_description(item.task.description) if item.task else None
    if not shown or any(sent.get(name, UNKNOWN) == UNKNOWN for name in ("customer", "amount", "wanted")):
        return False
    amount = Decimal(sent["amount"]) if sent["amount"] is not None and "amount" in shown else None
    wanted = datetime.fromisoformat(sent["wanted"]) if sent["wanted"] else None
    expected = task_fields.read_description(task_fields.describe(sent["customer"], amount, wanted)) or {}
    return {name: _plain(text) for name, text in shown.items()} != {
        name: _plain(text) for name, text in expected.items()
    }


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _merged(item: Item, portal: PortalState) -> list[Task]:
    """The tasks of the line that were made under another spelling of the order's id."""
    return [portal.by_id[one] for one in (item.known.other_tasks if item.known else ()) if one in portal.by_id]


def _carrying(item: Item, portal: PortalState, own: Mapping[str, str]) -> list[Task]:
    """The tasks with a key of the line that is not another line's own.

    A key of version 0.1 may have been cut, so the rest has to fit as well.
    """
    identity = task_fields.identify(item.line)
    return [
        task
        for key in item.keys
        if own.get(key, identity) == identity
        for task in portal.by_key.get(key, ())
        if key not in item.old_keys or _looks_like(task, item, portal)
    ]


def _titled(item: Item, portal: PortalState) -> list[Task]:
    """The tasks of the line's title whose key has the GUID of its order, in whatever spelling 0.1 left it."""
    if not is_guid(item.order.id):
        return []
    prefix = _bare(f"{KEY_PREFIX}{item.order.id}")
    tasks = portal.titled.get(item.order.id, ())
    return [
        task
        for task in tasks
        if _bare(task.xml_id).startswith(prefix) and read_visibly(task.title) == read_visibly(item.title)
    ]


def _bare(key: str) -> str:
    return key.translate({ord(char): None for char in "{}-"}).lower()


def _related(item: Item, items: Sequence[Item], portal: PortalState, own: Mapping[str, str]) -> list[Task]:
    """The tasks with a key of this line or of another one of the same position."""
    alike = (
        other
        for other in items
        if other.order is item.order
        and (task_fields.identify(other.line) == task_fields.identify(item.line) or _names(other) == _names(item))
    )
    return [task for other in alike for task in _carrying(other, portal, own)]


def _names(item: Item) -> str:
    return same_name(item.line.position)


def _looks_like(task: Task, item: Item, portal: PortalState) -> bool:
    return read_visibly(task.title) == read_visibly(item.title) and task.group_id == (portal.places.group_id or 0)


def _unlikeliness(task: Task, item: Item, portal: PortalState) -> tuple[bool, bool, int]:
    return task.xml_id != item.key, not _looks_like(task, item, portal), task.id
