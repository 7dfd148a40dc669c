"""Why a person got a task: what the ledger noted when it was decided, turned into causes. No network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from b24tools.assignment.order_lookup import find_order
from b24tools.core import errors
from b24tools.core.database_url import Location
from b24tools.core.i18n import _
from b24tools.core.timestamps import from_text
from b24tools.scheduling.calendar import Interval
from b24tools.store import Store
from b24tools.store.decisions import Decision


@dataclass(frozen=True)
class Considered:
    """A person who was considered; times are UTC.

    `causes` say why it was not this one: "outside" the department, "unable" to find time for it at
    all, "away", "busy" at first, "no_gap" long enough before, "tie" decided by something else. The
    chosen one may be an outsider, too. `terms`: what people.json said of the person.
    """

    id: int
    name: str
    free: datetime | None
    start: datetime | None
    finish: datetime | None
    open_s: int
    absent: tuple[Interval, ...]
    chosen: bool
    note: str
    causes: tuple[str, ...]
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Now:
    """Who has a task by now, or closed it, as far as the database knows; times are UTC.

    `start` and `finish`: as b24tools wrote them last, or as somebody has put them since; None where somebody else has
    it. `seen_at`: when `orders` noted that. `is_deleted`: it noted that the task is not on the portal any more.
    """

    responsible_id: int
    name: str
    start: datetime | None
    finish: datetime | None
    closed_at: datetime | None
    seen_at: datetime | None
    is_deleted: bool = False


@dataclass(frozen=True)
class Why:
    """A decision with its causes. `work_s` is None in what older versions saved; with a norm it is not `estimate_s`.

    `barred`: the names of those who hold the position, but are not given its work.

    `reason`: as `tender.Choice`, or "fallback". `second`: whom it would have been else,
    where there was one; `margin_s`: how much more work the chosen one could have had. `others`: how many
    more were considered, worse ones, of whom only the number was saved. `cause`: why a replan moved the task, which
    was `moved_from` this person. `earlier`: what was decided before that, the last first. `now`: what differs from the
    last decision by now.
    """

    task_id: int
    order: str
    position: str
    department: str | None
    nearest: str | None
    decided_at: datetime
    reason: str
    work_s: int | None
    not_before: datetime | None
    after: str | None
    margin_s: int | None
    chosen: Considered
    second: Considered | None
    candidates: tuple[Considered, ...]
    others: int
    estimate_s: int | None = None
    barred: tuple[str, ...] = ()
    cause: str = ""
    moved_from: str = ""
    earlier: tuple[Why, ...] = ()
    now: Now | None = None


def explain(store: Store, task_id: int, folder: Location) -> Why:
    """The decisions about a task. Raises ConfigError for one that was not given out with this data folder."""
    decisions = store.decisions.find_all(task_id)
    if not decisions:
        raise _unknown(store, task_id, folder)
    last, *earlier = (_explain(task_id, decision) for decision in decisions)
    return replace(last, earlier=tuple(earlier), now=_find_now(store, last))


def _explain(task_id: int, decision: Decision) -> Why:
    details = decision.details
    winner = next(record for record in decision.candidates if record["id"] == decision.responsible_id)
    candidates = tuple(_considered(record, winner, decision) for record in decision.candidates)
    able = [person for person in candidates if person.finish and not person.chosen and "outside" not in person.causes]
    return Why(
        task_id=task_id,
        order=str(details.get("order") or ""),
        position=decision.position,
        department=details.get("department"),
        nearest=details.get("nearest"),
        decided_at=decision.decided_at,
        reason=decision.reason,
        work_s=details.get("work_s"),
        not_before=from_text(details.get("not_before")),
        after=details.get("after"),
        margin_s=details.get("margin_s"),
        chosen=next(person for person in candidates if person.chosen),
        second=next(iter(able), None),
        candidates=candidates,
        others=int(details.get("others") or 0),
        estimate_s=details.get("estimate_s"),
        barred=tuple(details.get("barred") or ()),
        cause=str(details.get("cause") or ""),
        moved_from=str((details.get("from") or {}).get("name") or ""),
    )


def explain_order(store: Store, name: str, folder: Location) -> tuple[list[Why], list[str]]:
    """The decisions about an order's tasks, by its number or id, and what is to be said of the others.

    Raises ConfigError for an order that was not sent with this data folder, or a number that several orders have.
    """
    order = find_order(store.orders, name, folder)
    decisions, warnings = [], []
    for row in store.orders.lines([order.id]).values():
        if row.task_id is None:
            warnings.append(_('"{position}" has no task').format(position=row.position))
            continue
        try:
            decisions.append(explain(store, row.task_id, folder))
        except errors.ConfigError as error:
            warnings.append(error.message)
    return decisions, warnings


def _find_now(store: Store, why: Why) -> Now | None:
    """Find who has the task by now, or closed it; None where that is not known, or is as it was decided.

    None also where one of these people has opted out: who closed what is what such a person does not want to be seen.
    """
    order_id = store.orders.owners([why.task_id]).get(why.task_id)
    if order_id is None:
        return None
    order, lines = store.orders.read([order_id])[order_id], list(store.orders.lines([order_id]).values())
    number, line = next((number, line) for number, line in enumerate(lines) if line.task_id == why.task_id)
    person_id, seen, plans = line.responsible_id, order.standing.get("people") or (), order.standing.get("plans") or ()
    is_deleted, plan, plans_at = False, None, from_text(order.standing.get("plans_at"))
    written_at = max([why.decided_at, *(other.assigned_at for other in lines if other.assigned_at)])
    if order.changed_at and order.changed_at >= written_at and len(seen) == len(lines):  # it is of these lines
        person_id, is_deleted = seen[number] or person_id, seen[number] is None and not order.is_over
    if plans_at and len(plans) == len(seen) == len(lines) and seen[number] == person_id == line.responsible_id:
        plan = plans[number] if plans_at >= max(why.decided_at, line.assigned_at or plans_at) else None
    closed_at, person_id = store.tasks.closing(why.task_id) or (None, person_id)
    if person_id is None or {why.chosen.id, line.responsible_id, person_id} & store.settings.opted_out_users():
        return None
    is_with_another = person_id != line.responsible_id
    start, finish = (None, None) if is_with_another else map(from_text, plan) if plan else (line.start, line.end)
    if (
        not is_deleted
        and closed_at is None
        and (person_id, start, finish) == (why.chosen.id, why.chosen.start, why.chosen.finish)
    ):
        return None
    names = {int(id_): name for id_, name in (order.standing.get("names") or {}).items() if name}
    names |= {person.id: person.name for person in why.candidates} | store.people.names()
    seen_at = order.changed_at if is_with_another or is_deleted else plans_at if plan else None
    is_deleted &= closed_at is None
    return Now(person_id, names.get(person_id, f"#{person_id}"), start, finish, closed_at, seen_at, is_deleted)


def _considered(record: Mapping[str, Any], winner: Mapping[str, Any], decision: Decision) -> Considered:
    return Considered(
        id=record["id"],
        name=record["name"],
        free=from_text(record["free"]),
        start=from_text(record["start"]),
        finish=from_text(record["finish"]),
        open_s=record["open_s"],
        absent=tuple((datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in record["absent"]),
        chosen=record["id"] == decision.responsible_id,
        note=record["note"],
        causes=tuple(_causes(record, winner, decision.details.get("not_before") or "")),
        terms=record.get("terms") or {},
    )


def _causes(record: Mapping[str, Any], winner: Mapping[str, Any], not_before: str) -> list[str]:
    """Why not this person; what was over when the work could begin is no cause. All moments are alike ISO texts.

    Records of older versions know neither `busy` nor `inside`.
    """
    causes = [] if record.get("inside", True) else ["outside"]
    if record["id"] == winner["id"]:
        return causes
    if record["finish"] is None:
        return [*causes, "unable"]
    if record["finish"] == winner["finish"]:
        return [*causes, "tie"]
    if any(end > not_before for _start, end in record["absent"]):
        causes.append("away")
    if record.get("busy") and record["free"] > not_before:
        causes.append("busy")
    if record["start"] > max(record["free"], winner["start"]) and "away" not in causes:
        causes.append("no_gap")
    return causes


def _unknown(store: Store, task_id: int, folder: Location) -> errors.ConfigError:
    if store.orders.owners([task_id]):
        reason = _(
            "b24tools found task {id} on the portal and took it over with the person it had: another system made it, "
            "or the database that knew why was lost"
        )
    else:
        reason = _("task {id} is not one that b24tools has given out")
    return errors.ConfigError(
        reason.format(id=task_id),
        _(
            "Give the number from the task's address in Bitrix24, of a task from an order that was sent "
            "with this data folder: {folder}"
        ).format(folder=folder),
        code=errors.ErrorCode.UNKNOWN_TASK,
    )
