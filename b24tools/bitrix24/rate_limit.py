"""The portal's two limits, kept in common by all processes that use one data folder.

Requests: a leaky bucket, one per portal and calling address: each request adds one, `per_second`
drain away, above `burst` the portal refuses (apidocs.bitrix24.com/limits).

Server time: each method has its own account, and a method over the limit is refused until
`operating_reset_at`. The refusal does not say until when, only the successful answers before it
do, so the last such moment of each method is remembered here.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import filelock

T = TypeVar("T")

LOCK_TIMEOUT_S = 5.0
BACKLOG = 100  # requests waiting at once; a fuller bucket in the file is nonsense
LONGEST_BLOCK_S = 3600.0  # ten one-minute accounts pass in ten minutes; later than this is nonsense

_log = logging.getLogger("b24tools")


@dataclass(slots=True)
class _State:
    level: float = 0.0
    at: float = 0.0
    resets: dict[str, float] = field(default_factory=dict)
    parked: dict[str, float] = field(default_factory=dict)

    def dump(self) -> str:
        return json.dumps(
            {"version": 1, "level": self.level, "at": self.at, "resets": self.resets, "parked": self.parked}
        )


class Throttle:
    """Waits before requests so that the portal does not refuse them.

    `path` is the file shared with other processes; without one, or where it cannot be written,
    the limits are kept for this process alone. Times are of the wall clock: it is what processes
    have in common.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        per_second: float = 2.0,
        burst: float = 50,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("per_second must be above 0 and burst at least 1")
        self._path = path
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._state = _State()
        self._mutex = threading.Lock()
        self._complained = False

    def acquire(self, on_wait: Callable[[float], None] | None = None) -> float:
        """Reserve one request and sleep until it may be sent; the seconds slept.

        The place in the bucket is taken first, so that those who come meanwhile queue behind it.
        """
        wait = self._change(self._reserve)
        if wait > 0:
            if on_wait is not None:
                on_wait(wait)
            self._sleep(wait)
        return wait

    def mark_full(self) -> None:
        """The portal refused: the bucket is fuller than thought, for every process."""
        self._change(lambda state, now: setattr(state, "level", max(state.level, self._burst)))

    def learn(self, resets: Mapping[str, float]) -> None:
        """Remember until when each method's account of server time would block it."""
        if resets:
            self._change(lambda state, now: state.resets.update(_lower(resets)))

    def reset_of(self, method: str) -> float | None:
        """When a block of this method would end, if an answer has told and it lies ahead."""
        return self._change(lambda state, now: state.resets.get(method.lower()))

    def park(self, method: str, until: float) -> None:
        """No process is to call this method before `until`."""
        self._change(lambda state, now: state.parked.update({method.lower(): until}))

    def parked(self, methods: Iterable[str]) -> dict[str, float]:
        """Those of the methods that must not be called now, with the moments from which they may be again."""
        names = set(methods)
        parked = self._change(lambda state, now: dict(state.parked))
        return {name: parked[name.lower()] for name in names if name.lower() in parked}

    def _reserve(self, state: _State, now: float) -> float:
        state.level += 1
        return max(0.0, (state.level - self._burst) / self._per_second)

    def _change(self, change: Callable[[_State, float], T]) -> T:
        """Apply a change to the common state, holding its lock no longer than that takes."""
        with self._mutex:
            if self._path is not None:
                try:
                    return self._change_file(self._path, change)
                except (OSError, NotImplementedError) as error:  # filelock: timeout; no locks on this file system
                    self._complain(error)
            self._advance(self._state)
            return change(self._state, self._clock())

    def _change_file(self, path: Path, change: Callable[[_State, float], T]) -> T:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_TIMEOUT_S)
        with lock.acquire(poll_interval=0.01):
            text = path.read_bytes() if path.exists() else b""
            state = _read(text, self._burst + BACKLOG)
            self._advance(state)
            result = change(state, self._clock())
            new = state.dump().encode()
            if new != text:
                path.write_bytes(new)
            self._state = state
            return result

    def _advance(self, state: _State) -> None:
        """Drain what has passed. A clock set back drains nothing, and blocks long past are dropped."""
        now = self._clock()
        state.level = max(0.0, state.level - max(0.0, now - state.at) * self._per_second)
        state.at = now
        for times in (state.resets, state.parked):
            for method in [name for name, until in times.items() if not now < until <= now + LONGEST_BLOCK_S]:
                del times[method]

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            self._complained = True
            _log.debug("the throttle is not shared with other processes: %s", error)


def _lower(times: Mapping[str, float]) -> dict[str, float]:
    return {method.lower(): until for method, until in times.items()}


def _read(text: bytes, most: float) -> _State:
    """The state in a file; a broken, empty or foreign one is a fresh start."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return _State()
    if not isinstance(data, dict) or data.get("version") != 1:
        return _State()
    level, at = _number(data.get("level")), _number(data.get("at"))
    if level is None or at is None:
        return _State()
    return _State(min(max(level, 0.0), most), at, _times(data.get("resets")), _times(data.get("parked")))


def _times(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        return {}
    return {name: until for name, raw in value.items() if (until := _number(raw)) is not None}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
