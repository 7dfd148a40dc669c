"""The results of an order and of each of its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from b24tools.core import errors

FAILED = "failed"
DRY_RUN = "planned"
CHANGED_NOTHING = "unchanged"
COMPLETED = "completed"


@dataclass(frozen=True)
class TaskResult:
    """One line of an order. `outcome`: created, updated, unchanged, adopted, completed, planned or failed.

    `end`: as it is planned on the portal; `ready`: when it will be done, where that is known. `person`: whose it is,
    as texts have the name.
    """

    position: str
    outcome: str
    task_id: int | None = None
    title: str = ""
    responsible: tuple[int, str] | None = None
    person: str = ""
    department: tuple[int, str] | None = None
    start: datetime | None = None
    end: datetime | None = None
    ready: datetime | None = None
    deadline: datetime | None = None
    estimate_s: int | None = None
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    error: errors.B24ToolsError | None = None


@dataclass(frozen=True)
class Bottleneck:
    """The operation that takes the most time of those that decide when the order is ready.

    In working seconds: `wait_s` from when it could have begun until its person has time for it,
    `work_s` from then to its end. `away_until`: the last day of an absence that takes half of that or more, and
    `away_time` on that day where it ends within it. `planned_later`: for most of the wait its person has time, and only
    the plan is so late. `accepted`: the wait for that is what takes longest.
    """

    position: str
    wait_s: int
    work_s: int
    person: str | None = None
    away_until: date | None = None
    away_time: time | None = None
    planned_later: bool = False
    accepted: datetime | None = None


@dataclass(frozen=True)
class Promise:
    """When all is done, counted from now: `ready` in UTC, and its day in the configured zone.

    `late_s`: working seconds from the end of the wanted day until then.
    """

    ready: datetime
    day: date
    late_s: int
    bottleneck: Bottleneck | None


@dataclass(frozen=True)
class OrderResult:
    """A whole order. `outcome`: as the tasks', or `partial`.

    `late_s`: calendar seconds from the end of the wanted day to `finish`, never negative. `promise` is
    None where nothing is left to do or it cannot be known. `of_the_run`: the warnings that all orders of the run have.
    """

    id: str
    number: str
    outcome: str
    tasks: tuple[TaskResult, ...]
    finish: datetime | None = None
    wanted: datetime | None = None
    late_s: int = 0
    promise: Promise | None = None
    warnings: tuple[str, ...] = ()
    of_the_run: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """0 done, 3 partly; a failed order has the status of its first failure."""
        if self.outcome == "partial":
            return 3
        if self.outcome == FAILED:
            return next((task.error.exit_status for task in self.tasks if task.error), 1)
        return 0

    @property
    def wants_attention(self) -> bool:
        """Whether a person should look at it, and not only at its tasks."""
        return bool(self.exit_status or self.warnings or any(task.warnings for task in self.tasks))


def list_warnings(order: OrderResult) -> list[str]:
    """List what is to be said of an order and of its lines, each line's with its position."""
    lines = (f"{task.position}: {warning}" for task in order.tasks for warning in task.warnings)
    return list(dict.fromkeys([*order.warnings, *lines]))


def outcome_of(tasks: Sequence[TaskResult], *, done: bool, dry_run: bool) -> str:
    """One word for the order from those of its lines."""
    words = {task.outcome for task in tasks}
    if FAILED in words:
        return FAILED if words == {FAILED} else "partial"
    if not words - {CHANGED_NOTHING}:
        return CHANGED_NOTHING
    if dry_run:
        return DRY_RUN
    if done:
        return COMPLETED
    return "created" if words == {"created"} else "updated"


def combined_status(statuses: Sequence[int]) -> int:
    """Orders stand alone: 0 if all succeeded, 3 if some did, else the status of the first failure."""
    failures = [status for status in statuses if status]
    if not failures:
        return 0
    return failures[0] if len(failures) == len(statuses) and 3 not in failures else 3
