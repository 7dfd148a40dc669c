"""A line of an order as it stands: its task, where that lies in the lane of its person, and what it waits for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from b24tools.assignment.ledger import MOVE, REMOVED
from b24tools.core.models import DONE, Person, Status, Task
from b24tools.scheduling.calendar import Interval
from b24tools.store.orders import LedgerTask


@dataclass(frozen=True)
class LineStanding:
    """A line of an order. `span`: when its work goes on and is done (UTC); None where nothing is left, or unknown.

    `after`: the number, in the order, of the line that it has to wait for. `is_uncertain`: nobody knows until when, and
    `span` is only the time that is reserved for it. `was_over`: nothing was left to do of its order before, or 1C says
    so: then it does not matter that the task is not there any more. `is_cancelled`: 1C has cancelled the order.
    `lies_as`: by which number it lies in the lane, if not its task's. `absences`: of the person, from now on.
    `taken_from`: whose it was, by id, who works there still, before somebody gave it to another person by hand.
    """

    row: LedgerTask
    task: Task | None
    person: Person | None
    span: Interval | None
    away: tuple[Interval, ...] = ()
    after: int | None = None
    is_uncertain: bool = False
    was_over: bool = False
    is_cancelled: bool = False
    lies_as: int | None = None
    absences: tuple[Interval, ...] = ()
    taken_from: int | None = None

    @property
    def ready(self) -> datetime | None:
        """When it will be done; None where nothing is left, or that is not known, or the end of what it waits for."""
        return self.span[1] if self.span and not self.is_uncertain else None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do for it: finished, or put off with its cancelled order."""
        return self.was_over if self.task is None else self.task.status in DONE or self.is_put_off

    @property
    def is_put_off(self) -> bool:
        """Whether the task is deferred because its order was cancelled."""
        return self.is_deferred and (self.is_cancelled or bool(self.row.sent_values.get("cancelled")))

    @property
    def is_deferred(self) -> bool:
        """Whether the task takes no time of anybody, because the order was cancelled or somebody put it off."""
        return self.task is not None and self.task.status == Status.DEFERRED

    @property
    def is_dropped(self) -> bool:
        """Whether 1C has the line no longer, and somebody has deleted its task or put it off."""
        is_gone = self.task is None or (self.is_deferred and not self.is_cancelled)
        return is_gone and bool(self.row.sent_values.get(REMOVED))

    @property
    def accepted(self) -> datetime | None:
        """The moment before which none of its order's work begins, as it was last sent."""
        return self.row.accepted

    @property
    def planned_end(self) -> datetime | None:
        """When its plan ends, or ended before somebody put it later by hand."""
        end = self.task.end if self.task else None
        return min(end, self.row.end) if end and self.row.end else end

    @property
    def is_moved_by_hand(self) -> bool:
        """Whether somebody gave the task to another person or moved its plan since b24tools wrote it."""
        task, row = self.task, self.row
        if task is None or not task.is_open:
            return False
        return (task.responsible_id, task.start, task.end) != (row.responsible_id, row.start, row.end)

    @property
    def is_write_unnoted(self) -> bool:
        """Whether the ledger does not know yet what became of the last write, or move, of b24tools."""
        return self.row.writing_since is not None or MOVE in self.row.sent_values
