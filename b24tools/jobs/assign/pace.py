"""Time and talk of a run, and how it finds out what became of a write whose answer was lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from b24tools import errors
from b24tools.i18n import _
from b24tools.jobs.assign.reading import Portal
from b24tools.models import Status, Task
from b24tools.store import LedgerTask

EXECUTES_S = 60  # the portal cuts a request of its own after this long: then a lost write is settled
CLOCKS_APART = timedelta(hours=1)  # at most, the portal's and ours
TOUCHED_S = 5  # the portal itself may change a task this long after making it

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Pace:
    """Time and talk: the clock, how to sleep, whom to tell."""

    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    progress: Progress
    say: Callable[[str], None]

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


def find_lost(portal: Portal, lost: Sequence[LedgerTask], ours: Collection[int]) -> dict[str, Task]:
    """The tasks that adds of unknown fate made, by key; where the portal keeps no keys, by exact title.

    `ours` are the ids that the ledger knows. Of lines with one title each first gets the task with
    its own time and person, so that they are not mixed up.
    """
    found: dict[str, Task] = {}
    taken = set(ours)
    looks: tuple[Callable[[LedgerTask], list[Task]], ...] = (
        lambda line: portal.by_key.get(line.key, []),
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


def _titled(portal: Portal, line: LedgerTask, taken: Collection[int]) -> list[Task]:
    """Free tasks of the line's title, made since it was sent. A key is there where it cannot be searched for."""
    since = line.writing_since
    return [
        task
        for task in portal.titled.get(line.order_id, [])
        if task.id not in taken
        and task.xml_id in ("", line.key)
        and task.title.strip() == line.title
        and (since is None or task.created_at is None or task.created_at >= since - CLOCKS_APART)
    ]


def _is_as_sent(task: Task, line: LedgerTask) -> bool:
    return (task.estimate_s, task.responsible_id) == (line.estimate_s, line.responsible_id)


def untouched(task: Task) -> bool:
    """Whether nobody did anything to it since it was made."""
    changed = task.changed_at and task.created_at and task.changed_at - task.created_at > timedelta(seconds=TOUCHED_S)
    return task.status in (Status.NEW, Status.PENDING) and not (changed or task.spent_s or task.comments)


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
