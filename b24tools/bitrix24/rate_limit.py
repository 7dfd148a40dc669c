"""The portal's two limits, shared by all processes that use one data folder.

Requests: a leaky bucket, one per portal and calling address: each request adds one, `per_second`
drain away, above `burst` the portal refuses (apidocs.bitrix24.com/limits).

Server time: each method has its own account, and a method over the limit is refused until
`operating_reset_at`. The refusal does not say until when, only the successful answers before it
do, so the last such moment of each method is remembered here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import filelock
from pydantic import BaseModel, Field

from b24tools.core import data_folder

T = TypeVar("T")

LOCK_TIMEOUT_S = 5.0
BACKLOG = 100  # requests waiting at once; a fuller bucket in the file is nonsense
LONGEST_BLOCK_S = 3600.0  # ten one-minute accounts pass in ten minutes; later than this is nonsense

_log = logging.getLogger("b24tools")


Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _State(BaseModel):
    """The bucket's level at a moment; by method, when its account is eased (`resets`) and until when it is blocked."""

    version: Literal[1] = 1
    level: Number = 0.0
    at: Number = 0.0
    resets: dict[str, Number] = Field(default_factory=dict)
    blocked: dict[str, Number] = Field(default_factory=dict, alias="parked")


Exchange = Callable[[Callable[[bytes], bytes]], None]


class RateLimiter:
    """Waits before requests so that the portal does not refuse them.

    `shared` is the file shared with other processes, or what exchanges a text that they share for a new one; without
    one, or where it cannot be written, the limits hold for this process alone. Times are of the wall
    clock: it is what processes have in common.
    """

    def __init__(
        self,
        shared: Path | Exchange | None,
        *,
        per_second: float = 2.0,
        burst: float = 50,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_second <= 0 or burst < 1:
            raise ValueError("per_second must be above 0 and burst at least 1")
        self._exchange = None if isinstance(shared, Path) else shared
        self._look: Exchange | None = None
        if isinstance(shared, Path):
            lock = filelock.FileLock(f"{shared}.lock", timeout=LOCK_TIMEOUT_S, mode=data_folder.PRIVATE_FILE)
            self._exchange, self._look = partial(_exchange_file, shared, lock), partial(_show, shared)
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._sleep = sleep
        self._state = _State()
        self._mutex = threading.Lock()
        self._complained = False

    def read_clock(self) -> float:
        """Return the moment by the clock that all times here go by."""
        return self._clock()

    def acquire(self, method: str, on_wait: Callable[[float], None] | None = None) -> float | None:
        """Reserve a request of this method and sleep until it may be sent; where it is blocked, return until when.

        The place in the bucket is taken first, so that those who come meanwhile queue behind it.
        """

        def reserve(state: _State) -> tuple[float | None, float]:
            if until := state.blocked.get(method.lower()):
                return until, 0.0
            state.level += 1
            return None, (state.level - self._burst) / self._per_second

        until, wait = self._change(reserve)
        if wait > 0:
            if on_wait is not None:
                on_wait(wait)
            self._sleep(wait)
        return until

    def mark_full(self) -> None:
        """Note that the portal refused: the bucket is fuller than thought, for every process."""
        self._change(lambda state: setattr(state, "level", max(state.level, self._burst)))

    def learn(self, resets: Mapping[str, float]) -> None:
        """Remember until when each method's account of server time would block it."""
        if resets:
            self._change(lambda state: state.resets.update({name.lower(): until for name, until in resets.items()}))

    def reset_of(self, method: str) -> float | None:
        """When a block of this method would end, as far as an answer has shown it and it lies ahead."""
        return self._change(lambda state: state.resets.get(method.lower()), is_read=True)

    def block_method(self, method: str, until: float) -> None:
        """Let no process call this method before `until`."""
        self._change(lambda state: state.blocked.update({method.lower(): until}))

    def blocked(self, methods: Iterable[str]) -> dict[str, float]:
        """Those of the methods that must not be called now, with the moments from which they may be again."""
        blocked = self._change(lambda state: dict(state.blocked), is_read=True)
        return {name: blocked[name.lower()] for name in methods if name.lower() in blocked}

    def _change(self, change: Callable[[_State], T], *, is_read: bool = False) -> T:
        """Apply a change to the common state, holding its lock no longer than that takes.

        `is_read`: none is saved. A file is read without the lock, which takes ten times as long: what somebody is in
        the middle of writing reads as a fresh start, and the worst of it is a request that the portal refuses.
        """
        if is_read and self._look is not None and not self._complained:
            with suppress(OSError):
                return self._change_shared(self._look, change, is_read)
        with self._mutex:
            if self._exchange is not None:
                try:
                    return self._change_shared(self._exchange, change, is_read)
                except (OSError, NotImplementedError) as error:  # filelock: timeout; no locks on this file system
                    if not self._complained:
                        self._complained = True
                        _log.debug("the rate limit is not shared with other processes: %s", error)
            self._advance(self._state)
            return change(self._state)

    def _change_shared(self, exchange: Exchange, change: Callable[[_State], T], is_read: bool) -> T:
        results: list[T] = []

        def advance(before: bytes) -> bytes:
            try:
                state = _State.model_validate_json(before)
            except ValueError:  # a broken, empty or foreign file is a fresh start
                state = _State()
            state.level = min(max(state.level, 0.0), self._burst + BACKLOG)
            self._advance(state)
            results.append(change(state))
            self._state = state
            return before if is_read else state.model_dump_json(by_alias=True).encode()

        exchange(advance)
        return results[0]

    def _advance(self, state: _State) -> None:
        """Drain what has passed. A clock set back drains nothing, and blocks long past are dropped."""
        now = self._clock()
        state.level = max(0.0, state.level - max(0.0, now - state.at) * self._per_second)
        state.at = now
        for times in (state.resets, state.blocked):
            for method in [name for name, until in times.items() if not now < until <= now + LONGEST_BLOCK_S]:
                del times[method]


def _show(path: Path, look: Callable[[bytes], bytes]) -> None:
    """Let `look` have a file as it is; an empty one where there is none. Raises OSError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = b""
    look(content)


def _exchange_file(path: Path, lock: filelock.BaseFileLock, change: Callable[[bytes], bytes]) -> None:
    """Write what `change` makes of a file, while no other process does so. Raises OSError."""
    path.parent.mkdir(mode=data_folder.PRIVATE_FOLDER, parents=True, exist_ok=True)
    data_folder.notice_owner(path.parent)
    data_folder.require_locks(path.parent)
    data_folder.prepare_lock(Path(lock.lock_file))
    with lock.acquire(poll_interval=0.01):
        data_folder.touch(path)
        # written in its place: to cut the file short first takes ten times as long
        with path.open("r+b", buffering=0) as file:
            before = file.read()
            if (after := change(before)) != before:
                file.seek(0)
                file.write(after)
                file.truncate()
