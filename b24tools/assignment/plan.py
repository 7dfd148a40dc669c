"""What shall be: a frozen plan for every line of the orders. It is pure, so `--dry-run` and the real run agree."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.assignment import report
from b24tools.core import errors
from b24tools.core.models import Department, Status, Task
from b24tools.core.names import same_name
from b24tools.onec import order as onec_order
from b24tools.scheduling.calendar import MINUTE_S
from b24tools.scheduling.calendar_file import OwnDays
from b24tools.scheduling.lane import Candidate
from b24tools.scheduling.people_file import PeopleFile
from b24tools.scheduling.tender import Choice
from b24tools.store.decisions import Decision
from b24tools.store.orders import LedgerTask

ADD, UPDATE, KEEP, COMPLETE, DEFER = "add", "update", "keep", "complete", "defer"
OUTCOMES = {ADD: "created", UPDATE: "updated", COMPLETE: report.COMPLETED, DEFER: "updated"}
_OF_CANDIDATES = tuple(attribute.name for attribute in fields(Candidate))
MOST_CANDIDATES = 20  # the best ones are saved for `why`: a department of hundreds would fill the database


@dataclass(frozen=True)
class Rules:
    """The settings that assignment obeys. `fallback_user`: who gets work that has no other taker.

    `country`: whose production calendar counts; `own`: the days of calendar.json, which count above it. `pins`: who
    gets a position's work, by id, or by name until the company is known. `away`: somebody who, as a trial, is taken to
    be away on these days, by name or id. `people`: people.json. `norms`: how much time work takes of what 1C gives for
    it, by the position's folded name.
    """

    zone: ZoneInfo
    department: str
    group: str
    folder: str
    step_s: int
    show_sum: bool
    non_admin: bool
    fallback_user: int | None
    excluded: frozenset[int] = frozenset()
    pins: Mapping[str, int | str] = field(default_factory=dict)
    away: tuple[str, date, date] | None = None
    route: tuple[str, ...] = ()
    retry_s: float = 60
    country: str = "none"
    own: OwnDays = field(default_factory=OwnDays)
    people: PeopleFile = field(default_factory=PeopleFile)
    norms: Mapping[str, Fraction] = field(default_factory=dict)

    def work_s(self, position: str, estimate_s: int) -> int:
        """How much work an estimate means, at rate 1: by the norm of the position, where there is one.

        In whole minutes, rounded up: the portal cuts the seconds of a plan.
        """
        norm = self.norms.get(same_name(position)) if self.norms else None
        if norm is None:
            return estimate_s
        return max(ceil(estimate_s * norm / MINUTE_S) * MINUTE_S, min(estimate_s, self.step_s))

    def in_route(self, position: str) -> str:
        """The name by which a position stands in the route: its own, or that of its department."""
        is_there = same_name(position) in map(same_name, self.route)
        return position if is_there else self.people.positions.department_of(position)

    def pin_for(self, position: str) -> int | None:
        """The person a position was pinned to on the command line."""
        return next((int(user) for name, user in self.pins.items() if same_name(name) == same_name(position)), None)


@dataclass(frozen=True)
class Item:
    """One line of an order, with its key, its title, what the ledger knows of it and the task that was found.

    Its task may also carry one of `other_keys`, or of `old_keys`, which version 0.1 wrote. `others`: what else carries
    a key of the line. `compare`: the portal knows more of it than the ledger.
    """

    order: onec_order.Order
    number: int
    line: onec_order.Line
    key: str
    title: str
    known: LedgerTask | None
    other_keys: tuple[str, ...] = ()
    old_keys: tuple[str, ...] = ()
    compare: bool = False
    task: Task | None = None
    others: tuple[Task, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys under which its task may be found."""
        return tuple(dict.fromkeys((self.key, *self.other_keys, *self.old_keys)))

    @property
    def values(self) -> dict[str, Any]:
        """What 1C said that ends up in the task: the next send is compared with this."""
        order = self.order
        return {
            "title": self.title,
            "minutes": self.line.minutes,
            "amount": None if self.line.amount is None else str(self.line.amount),
            "wanted": None if order.wanted is None else order.wanted.isoformat(),
            "customer": order.customer,
            "department": order.department,
            "manager": order.manager,
        }


@dataclass(frozen=True)
class PlannedTask:
    """What shall be done for one line, and why.

    `estimate_s` is the portal's, `ordered_s` the order's, `work_s` what that takes by the norm. `not_before`: the work
    may begin then, because the order is accepted then or the operation `after` ends. `inside`: who belongs to the
    position; `barred`: the names of those who do, but are not given its work; `nearest`: a department named alike where
    there is none. `before`: 1C's values as they were last sent; `is_trusted`: by the ledger, not as the task shows it.
    `others`: tasks besides `task` that carry a key of the line. `adopts`: the task gets its key. `waits`: until the
    portal cannot be at work any more on an earlier change of it. `renews`: the task was put off because the order was
    cancelled; `is_renewed`: it is taken up again.
    """

    item: Item
    estimate_s: int
    ordered_s: int
    work_s: int
    action: str = KEEP
    adopts: bool = False
    renews: bool = False
    is_renewed: bool = False
    task: Task | None = None
    is_trusted: bool = False
    waits: bool = False
    others: tuple[Task, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    attach: tuple[onec_order.Attachment, ...] = ()
    choice: Choice | None = None
    not_before: datetime | None = None
    after: PlannedTask | None = None
    inside: frozenset[int] = frozenset()
    barred: tuple[str, ...] = ()
    nearest: str | None = None
    responsible: tuple[int, str] | None = None
    department: Department | None = None
    start: datetime | None = None
    end: datetime | None = None
    deadline: datetime | None = None
    deadline_from_slot: bool = False
    auditor_id: int | None = None
    warnings: tuple[str, ...] = ()
    error: errors.B24ToolsError | None = None

    @property
    def files(self) -> tuple[onec_order.Attachment, ...]:
        """The files that it needs on the disk."""
        return () if self.error else self.item.order.files if self.action == ADD else self.attach

    @property
    def writes(self) -> bool:
        """Whether anything has to be written to the portal for it."""
        return self.error is None and (self.action != KEEP or self.renews or bool(self.attach))

    @property
    def is_put_off(self) -> bool:
        """Whether its task takes no time of anybody, now or after this run."""
        is_deferred = self.task is not None and self.task.status == Status.DEFERRED and not self.renews
        return (self.error is None and self.action == DEFER) or is_deferred

    @property
    def outcome(self) -> str:
        """What is said of it once it is written."""
        if self.error is not None:
            return report.FAILED
        if self.action == KEEP:
            return "updated" if self.renews or self.attach else report.CHANGED_NOTHING
        return "adopted" if self.adopts else OUTCOMES[self.action]

    def warn(self, message: str, **values: object) -> PlannedTask:
        """The same with more to say; `values` go into the message's braces."""
        return replace(self, warnings=(*self.warnings, message.format(**values) if values else message))

    def to_result(self, *, dry_run: bool) -> report.TaskResult:
        """The line's row in the report."""
        return report.TaskResult(
            position=self.item.line.position,
            outcome=report.DRY_RUN if dry_run and self.writes else self.outcome,
            task_id=self.task.id if self.task else None,
            title=self.item.title,
            responsible=self.responsible,
            department=(self.department.id, self.department.name) if self.department else None,
            start=self.start,
            end=self.end,
            deadline=self.deadline,
            estimate_s=self.estimate_s,
            files=tuple(file.name for file in self.item.order.files),
            warnings=self.warnings,
            error=self.error,
        )


def decision_of(plan: PlannedTask, now: datetime) -> Decision:
    """Who was considered for a new task, and all that `why` will have to say about it."""
    assert plan.choice is not None  # noqa: S101 - every new task has one
    details = {
        "order": plan.item.order.number,
        "department": plan.department.name if plan.department else None,
        "nearest": plan.nearest,
        "estimate_s": plan.estimate_s,
        "work_s": plan.work_s,
        "barred": plan.barred,
        "not_before": plan.not_before,
        "after": plan.after.item.line.position if plan.after else None,
    }
    return make_decision(plan.item.key, plan.item.line.position, now, plan.choice, plan.inside, details)


def make_decision(
    key: str, position: str, now: datetime, choice: Choice, inside: Collection[int], details: Mapping[str, Any]
) -> Decision:
    """A choice with all that `why` will have to say about it. `inside`: who belongs to the position."""
    shown = [person for place, person in enumerate(choice.candidates) if place < MOST_CANDIDATES or person.chosen]
    known = {"margin_s": choice.margin_s, "others": len(choice.candidates) - len(shown)}
    return Decision(
        key=key,
        task_id=None,
        position=position,
        decided_at=now,
        responsible_id=choice.responsible_id,
        reason=choice.reason,
        candidates=[
            {name: _plain(getattr(person, name)) for name in _OF_CANDIDATES} | {"inside": person.id in inside}
            for person in shown
        ],
        details={name: _plain(value) for name, value in {**known, **details}.items()},
    )


def _plain(value: Any) -> Any:
    """As JSON can hold it: moments as ISO 8601 UTC of whole seconds."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def rounded(minutes: float, step_s: int) -> int:
    """The estimate in seconds: rounded up to whole steps, at least one."""
    steps = -(-round(minutes * 60) // step_s)
    return max(1, steps) * step_s


def wanted_end(order: onec_order.Order) -> datetime | None:
    """The last second of the wanted day, or the wanted moment if 1C gave a time."""
    if order.wanted is None or not order.wanted_is_day:
        return order.wanted
    return datetime.combine(order.wanted.date() + timedelta(days=1), time(), order.wanted.tzinfo) - timedelta(seconds=1)


def is_same_value(name: str, before: Any, value: Any) -> bool:
    """Whether 1C says of a value what it said before; 5.5 and 5.50 are one sum."""
    is_sum = name == "amount" and isinstance(before, str) and isinstance(value, str)
    return before == value or (is_sum and Decimal(before) == Decimal(value))


def late_from(order: onec_order.Order) -> datetime | None:
    """The moment from which the order is late: the midnight after the wanted day, or the wanted moment."""
    wanted = wanted_end(order)
    return wanted + timedelta(seconds=1) if wanted and order.wanted_is_day else wanted
