"""What a job that plans or writes works with."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from b24tools.bitrix24.client import Client
from b24tools.bitrix24.org_cache import OrgCache
from b24tools.core.models import Progress
from b24tools.store import Store

CLOCK_ERROR = timedelta(seconds=2)  # `server.time` has whole seconds


@dataclass
class RunClock:
    """The clock of a run, how to sleep, and whom to keep informed.

    `monotonic`: seconds that no change of the machine's clock moves; by default the machine's clock itself.
    """

    machine_clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    progress: Progress
    say: Callable[[str], None]
    monotonic: Callable[[], float] | None = None
    skew: timedelta = field(default=timedelta(), init=False)
    _synced: tuple[datetime, float] | None = field(default=None, init=False)

    def now(self) -> datetime:
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
        return min(moment + self.skew, self.now())

    def _seconds(self) -> float:
        return self.monotonic() if self.monotonic else self.machine_clock().timestamp()


@dataclass(frozen=True)
class Origin:
    """Where an order comes from, for log and history: the command or address, and the user or caller."""

    command: str = "assign"
    by: str = ""


@dataclass(frozen=True)
class Tools:
    """What the job works with. `lock` is entered once and held until all is written."""

    client: Client
    directory: OrgCache
    store: Store
    lock: AbstractContextManager[object]
    clock: RunClock
    origin: Origin = Origin()
