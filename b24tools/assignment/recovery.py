"""Time and talk of a run, and how it finds out what became of a write whose answer was lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from b24tools.assignment.portal_state import PortalState
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Status, Task
from b24tools.store.database import LedgerTask

EXECUTES_S = 60  # the portal cuts a request of its own after this long: then a lost write is settled
CLOCKS_APART = timedelta(hours=1)  # at most, where only this machine's clock is known
CLOCK_ERROR = timedelta(seconds=2)  # `server.time` has whole seconds
TOUCHED_S = 5  # the portal itself may change a task this long after making it

Progress = Callable[[str, int, int], None]


@dataclass
class Pace:
    """Time and talk: the clock, how to sleep, whom to tell.

    `monotonic`: seconds that no change of the machine's clock moves; by default the machine's clock itself.
    """

    machine_clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    progress: Progress
    say: Callable[[str], None]
    monotonic: Callable[[], float] | None = None
    skew: timedelta = field(default=timedelta(), init=False)
    _synced: tuple[datetime, float] | None = field(default=None, init=False)

    def clock(self) -> datetime:
        """The moment by the portal's clock, aware UTC in whole seconds; by the machine's until that is known."""
        if self._synced is None:
            return self.machine_clock()
        moment, seconds = self._synced
        return (moment + timedelta(seconds=self._seconds() - seconds)).replace(microsecond=0)

    def sync(self, server_now: datetime, asked_at: datetime) -> None:
        """Take over the portal's clock, read between `asked_at` (by this machine's clock) and now.

        What lies within that time, give or take what `server.time` leaves out, is no difference.
        """
        now = self.machine_clock()
        nearest = min(max(server_now, asked_at - CLOCK_ERROR), now + CLOCK_ERROR)
        self.skew = server_now - nearest
        self._synced = now + self.skew, self._seconds()

    def portal_time(self, moment: datetime) -> datetime:
        """A moment of this machine's clock by the portal's, not later than now."""
        return min(moment + self.skew, self.clock())

    def _seconds(self) -> float:
        return self.monotonic() if self.monotonic else self.machine_clock().timestamp()

    def look_until(
        self, since: datetime, look: Callable[[], bool], zone: tzinfo, *, at_most_s: float = EXECUTES_S
    ) -> bool:
        """Look until it is there, or the portal cannot be at work any more on what left at `since`.

        Whether that is settled now. `at_most_s` ends the patience earlier: then the portal may still
        make it, and it must not be asked for again.
        """
        now = self.clock()
        ends = min(since, now) + timedelta(seconds=EXECUTES_S)
        until = min(ends, now + timedelta(seconds=at_most_s))
        pause_s = 1.0
        told = False
        while not look():
            left_s = (until - self.clock()).total_seconds()
            if left_s <= 0:
                return until >= ends
            if not told:
                moment = until.astimezone(zone).strftime("%H:%M:%S")
                self.say(
                    _("an answer was lost; looking until {time} whether the portal made the tasks").format(time=moment)
                )
                told = True
            self.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 2, 10)
        return True


def find_lost(portal: PortalState, lost: Sequence[LedgerTask], ours: Collection[int]) -> dict[str, Task]:
    """The tasks that adds of unknown fate made, by key; where the portal keeps no keys, by exact title.

    `ours` are the ids that the ledger knows. Of lines with one title each first gets the task with
    its own time and person, so that they are not mixed up.
    """
    found: dict[str, Task] = {}
    taken = set(ours)
    looks: tuple[Callable[[LedgerTask], list[Task]], ...] = (
        lambda line: [task for key in line.keys for task in portal.by_key.get(key, []) if task.id not in taken],
        lambda line: [task for task in _titled(portal, line, taken) if _is_as_sent(task, line)],
        lambda line: _titled(portal, line, taken),
    )
    for look in looks:
        for line in lost:
            tasks = [] if line.key in found else look(line)
            if tasks:
                found[line.key] = next((task for task in tasks if task.is_open), tasks[0])
                taken.add(found[line.key].id)
    return found


def _titled(portal: PortalState, line: LedgerTask, taken: Collection[int]) -> list[Task]:
    """Free tasks of the line's title, made since it was sent. A key is there where it cannot be searched for."""
    since = line.writing_since
    return [
        task
        for task in portal.titled.get(line.order_id, [])
        if task.id not in taken
        and line.is_carried_by(task.xml_id)
        and task.title.strip() == line.title
        and (since is None or task.created_at is None or task.created_at >= since - CLOCKS_APART)
    ]


def _is_as_sent(task: Task, line: LedgerTask) -> bool:
    return (task.estimate_s, task.responsible_id) == (line.estimate_s, line.responsible_id)


def is_untouched(task: Task) -> bool:
    """Whether the task looks as it was made: what people write in its chat moves only the date of its activity."""
    created = task.created_at
    moments = (task.changed_at, task.activity_at)
    moved = created is None or any(moment and moment - created > timedelta(seconds=TOUCHED_S) for moment in moments)
    return is_unbegun(task) and not (moved or task.comments)


def is_unbegun(task: Task) -> bool:
    """Whether the work on an open task has not begun."""
    return task.status in (Status.NEW, Status.PENDING) and not (task.spent_s or task.date_start)


def may_still_run() -> errors.PortalUncertain:
    """The error of a line whose lost add the portal may still carry out: a second one could make two tasks."""
    return errors.PortalUncertain(
        _("an answer was lost, and the portal may still be making the task"),
        _("Send the order again in a minute: nothing is made twice."),
        method="tasks.task.add",
    )


def latest(moments: Sequence[datetime | None]) -> datetime | None:
    """The latest of those there are."""
    return max((moment for moment in moments if moment is not None), default=None)
