"""What pages show of the portal: read once for all who look, and shown with its age while the portal is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from b24tools.core import errors
from b24tools.core.i18n import _, speaking
from b24tools.core.threads import run_beside

SHARED = timedelta(seconds=60)  # so long a reading is shown to all
AGAIN = timedelta(seconds=10)  # so long even to who asks for a new one, and after one that failed
SLOW_S = 15.0  # so long is waited for a portal that answers, if slowly
MOST = 32  # readings of different things

_log = logging.getLogger("b24tools.serve")

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What was read, when, and why it could not be read again since ("": it could, or was not tried)."""

    value: T
    read_at: datetime
    problem: str = ""


@dataclass
class _Entry:
    """`under_way`: the last attempt to read. It began at `started_s` of the monotonic clock, after `answers`."""

    reading: Reading[Any] | None = None
    tried_at: datetime | None = None
    error: errors.B24ToolsError | None = None
    under_way: Future[None] | None = None
    started_s: float = 0.0
    answers: int = 0

    @property
    def is_under_way(self) -> bool:
        return self.under_way is not None and not self.under_way.done()


class Readings:
    """The last reading of each thing, by name. `now` dates them; `scrub` takes secrets out of problems.

    `count_answers`: how many the portal has given so far, which tells a slow portal from a silent one.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        scrub: Callable[[str], str] = str,
        count_answers: Callable[[], int] = lambda: 0,
    ) -> None:
        self._now = now
        self._scrub = scrub
        self._count_answers = count_answers
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def get(self, name: str, read: Callable[[], T], *, fresh: bool = False, wait_s: float | None = None) -> Reading[T]:
        """Return the last reading if it is young enough, else read; `fresh`: a younger one is wanted.

        Who asks while another one reads is given the last reading, and waits only where there is none. What cannot be
        read again is shown as it was, with the problem; raises as `read` does where nothing was read yet. If the portal
        is silent for `wait_s`, or slow, the last reading is shown, or PortalBusy raised, while the reading goes on.
        """
        with self._lock:
            entry = self._entries.setdefault(name, _Entry())
            while len(self._entries) > MOST:
                self._entries.pop(next(iter(self._entries)))
            is_awaited = entry.reading is None
            if not entry.is_under_way and self._is_due(entry, fresh):
                entry.started_s, entry.answers, is_awaited = time.monotonic(), self._count_answers(), True
                entry.under_way = run_beside(partial(self._read, entry, read), f"read {name}")
            under_way = entry.under_way
        if is_awaited and under_way is not None:
            while wait([under_way], self._left_s(entry, wait_s)).not_done and self._left_s(entry, wait_s):
                pass  # it has begun to answer
            if under_way.done():
                under_way.result()
            else:
                under_way.add_done_callback(_log_failure)
        return self._show(entry, wait_s)

    def _is_due(self, entry: _Entry, fresh: bool) -> bool:
        if entry.tried_at is None:
            return True
        age = self._now() - entry.tried_at
        return not timedelta() <= age < (AGAIN if fresh or entry.error else SHARED)  # a clock may be put back

    def _read(self, entry: _Entry, read: Callable[[], Any]) -> None:
        with speaking(None):  # what it says is for all who look, not for whoever came first
            self._read_for_all(entry, read)

    def _read_for_all(self, entry: _Entry, read: Callable[[], Any]) -> None:
        started_at = self._now()
        try:
            value = read()
        except errors.B24ToolsError as error:
            entry.error = error
            if entry.reading is not None:
                entry.reading = replace(entry.reading, problem=_describe_problem(self._scrub(error.message)))
        else:
            entry.error, entry.reading = None, Reading(value, started_at)
        entry.tried_at = self._now()

    def _left_s(self, entry: _Entry, wait_s: float | None) -> float | None:
        """Return for how long the reading under way is still waited for; None: to its end."""
        if wait_s is None:
            return None
        longest_s = max(SLOW_S, wait_s) if self._count_answers() > entry.answers else wait_s
        return max(0.0, entry.started_s + longest_s - time.monotonic())

    def _show(self, entry: _Entry, wait_s: float | None) -> Reading[Any]:
        reading, passed_s = entry.reading, time.monotonic() - entry.started_s
        if entry.is_under_way and self._left_s(entry, wait_s) == 0:
            silence = _("no complete answer from the portal for {seconds:.0f} s").format(seconds=passed_s)
            if reading is None:
                raise errors.PortalBusy(silence, _("The portal is still being asked: open the page again in a moment."))
            return replace(reading, problem=_describe_problem(silence))
        if reading is not None:
            return reading
        raise entry.error.with_traceback(None) if entry.error else RuntimeError("nothing was read")


def _describe_problem(reason: str) -> str:
    return _("It could not be read again: {reason}").format(reason=reason)


def _log_failure(under_way: Future[None]) -> None:
    """Log what ended a reading for which no page waits any more."""
    if error := under_way.exception():
        _log.error("%s", error, exc_info=error)
