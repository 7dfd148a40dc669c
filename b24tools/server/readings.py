"""What pages show of the portal: read once for all who look, and shown with its age while the portal is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from b24tools.core import errors
from b24tools.core.i18n import _

SHARED = timedelta(seconds=60)  # so long a reading is shown to all
AGAIN = timedelta(seconds=10)  # so long even to who asks for a new one, and after one that failed
MOST = 32  # readings of different things

T = TypeVar("T")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What was read, when, and why it could not be read again since ("": it could, or was not tried)."""

    value: T
    read_at: datetime
    problem: str = ""


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    reading: Reading[Any] | None = None
    tried_at: datetime | None = None
    error: errors.B24ToolsError | None = None


class Readings:
    """The last reading of each thing, by name. `now` dates them; `scrub` takes secrets out of problems."""

    def __init__(self, now: Callable[[], datetime], scrub: Callable[[str], str] = str) -> None:
        self._now = now
        self._scrub = scrub
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def get(self, name: str, read: Callable[[], T], *, fresh: bool = False) -> Reading[T]:
        """Return the last reading if it is young enough, else read; `fresh`: a younger one is wanted.

        Who asks while another one reads is given the last reading, and waits only where there is none. What cannot be
        read again is shown as it was, with the problem; raises as `read` does where nothing was read yet.
        """
        with self._lock:
            entry = self._entries.setdefault(name, _Entry())
            while len(self._entries) > MOST:
                self._entries.pop(next(iter(self._entries)))
        if not self._is_due(entry, fresh):
            return self._last(entry)
        if not entry.lock.acquire(blocking=entry.reading is None) and entry.reading is not None:
            return entry.reading
        try:
            if self._is_due(entry, fresh):
                self._read(entry, read)
        finally:
            entry.lock.release()
        return self._last(entry)

    def _is_due(self, entry: _Entry, fresh: bool) -> bool:
        if entry.tried_at is None:
            return True
        age = self._now() - entry.tried_at
        return not timedelta() <= age < (AGAIN if fresh or entry.error else SHARED)  # a clock may be put back

    def _read(self, entry: _Entry, read: Callable[[], Any]) -> None:
        started_at = self._now()
        try:
            value = read()
        except errors.B24ToolsError as error:
            entry.error = error
            if entry.reading is not None:
                problem = _("It could not be read again: {reason}").format(reason=self._scrub(error.message))
                entry.reading = replace(entry.reading, problem=problem)
        else:
            entry.error, entry.reading = None, Reading(value, started_at)
        entry.tried_at = self._now()

    def _last(self, entry: _Entry) -> Reading[Any]:
        if entry.reading is not None:
            return entry.reading
        raise entry.error.with_traceback(None) if entry.error else RuntimeError("nothing was read")
