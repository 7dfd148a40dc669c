"""The lines of orders as drafts of what to write: pure, so that `--dry-run` and the real run agree.

A draft is the workpiece of a run: drafting fills it in, writing completes it, and it ends as a
`TaskResult`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.assignment import report
from b24tools.core import errors
from b24tools.core.models import Department, Status, Task
from b24tools.core.org_structure import same_name
from b24tools.onec import order as onec_order
from b24tools.scheduling.calendar_file import OwnDays
from b24tools.scheduling.workload import Choice
from b24tools.store.orders import LedgerTask

ADD, UPDATE, KEEP, COMPLETE, DEFER, FAIL = "add", "update", "keep", "complete", "defer", "fail"
DONE = (Status.AWAITS_CONTROL, Status.COMPLETED, Status.DECLINED)


@dataclass(frozen=True)
class Rules:
    """The settings that assignment obeys. `fallback_user`: who gets what nobody else can do.

    `country`: whose production calendar counts; `own`: the days of calendar.json, which count above it.
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
    pins: Mapping[str, int] = field(default_factory=dict)
    route: tuple[str, ...] = ()
    retry_s: float = 60
    country: str = "none"
    own: OwnDays = field(default_factory=OwnDays)

    def pin_for(self, position: str) -> int | None:
        """The person a position was pinned to on the command line."""
        return next((user for name, user in self.pins.items() if same_name(name) == same_name(position)), None)


@dataclass(frozen=True)
class Item:
    """One line of an order, with its key, its title and what the ledger knows of it.

    Its task may also carry one of `other_keys`, or of `old_keys`, which version 0.1 wrote. `compare`: the portal knows
    more of it than the ledger.
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

    def is_trusted(self, task: Task) -> bool:
        """Whether the ledger knows what was last sent to this task; of a line that was only planned it does not."""
        known = self.known
        if known is None or self.compare:
            return False
        return known.task_id == task.id or (
            known.task_id is None and known.state == "writing" and known.is_carried_by(task.xml_id)
        )


@dataclass
class Draft:
    """What is to be done for one line, and what came of it.

    `estimate_s` is the portal's, `ordered_s` the order's. `not_before`: the work may begin then, because the order is
    accepted then or the operation `after` ends. `inside`: who belongs to the position; `nearest`: a department named
    alike where there is none. `before`: 1C's values as they were last sent. `others`: tasks besides `task` that carry a
    key of the line, `spare` those of them that may be deleted. `renews`: the task was put off because the order was
    cancelled.
    """

    item: Item
    estimate_s: int
    ordered_s: int
    action: str = KEEP
    outcome: str = report.CHANGED_NOTHING
    task: Task | None = None
    others: list[Task] = field(default_factory=list)
    spare: list[Task] = field(default_factory=list)
    renews: bool = False
    before: Mapping[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    attach: list[onec_order.Attachment] = field(default_factory=list)
    choice: Choice | None = None
    not_before: datetime | None = None
    after: Draft | None = None
    inside: frozenset[int] = frozenset()
    nearest: str | None = None
    responsible: tuple[int, str] | None = None
    department: Department | None = None
    start: datetime | None = None
    end: datetime | None = None
    deadline: datetime | None = None
    deadline_from_slot: bool = False
    auditor_id: int | None = None
    warnings: list[str] = field(default_factory=list)
    error: errors.B24ToolsError | None = None

    @property
    def writes(self) -> bool:
        """Whether anything has to be written to the portal for it."""
        return self.action in (ADD, UPDATE, COMPLETE, DEFER) or self.renews or bool(self.attach)

    @property
    def is_put_off(self) -> bool:
        """Whether its task takes no time of anybody, now or after this run."""
        return self.action == DEFER or (
            self.task is not None and self.task.status == Status.DEFERRED and not self.renews
        )

    def fail(self, error: errors.B24ToolsError) -> None:
        """This line could not be done; the others go on."""
        self.action, self.outcome, self.error = FAIL, report.FAILED, error

    def to_result(self, *, dry_run: bool) -> report.TaskResult:
        """The line's row in the report."""
        outcome = report.DRY_RUN if dry_run and self.writes and self.error is None else self.outcome
        return report.TaskResult(
            position=self.item.line.position,
            outcome=outcome,
            task_id=self.task.id if self.task else None,
            title=self.item.title,
            responsible=self.responsible,
            department=(self.department.id, self.department.name) if self.department else None,
            start=self.start,
            end=self.end,
            deadline=self.deadline,
            estimate_s=self.estimate_s,
            files=tuple(file.name for file in self.item.order.files),
            warnings=tuple(self.warnings),
            error=self.error,
        )


def rounded(minutes: float, step_s: int) -> int:
    """The estimate in seconds: rounded up to whole steps, at least one."""
    steps = -(-round(minutes * 60) // step_s)
    return max(1, steps) * step_s


def wanted_end(order: onec_order.Order) -> datetime | None:
    """The last second of the wanted day, or the wanted moment if 1C gave a time."""
    if order.wanted is None or not order.wanted_is_day:
        return order.wanted
    return datetime.combine(order.wanted.date() + timedelta(days=1), time(), order.wanted.tzinfo) - timedelta(seconds=1)


def late_from(order: onec_order.Order) -> datetime | None:
    """The moment from which the order is late: the midnight after the wanted day, or the wanted moment."""
    wanted = wanted_end(order)
    return wanted + timedelta(seconds=1) if wanted and order.wanted_is_day else wanted


def surname_of(manager: str) -> str:
    """The surname in `Фамилия Имя Отчество`."""
    return manager.split()[0] if manager.split() else ""
