"""The thread inside `serve` that applies the portal's events while others come in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from zoneinfo import ZoneInfo

from b24tools.bitrix24.client import Client
from b24tools.core import errors
from b24tools.jobs.events import process
from b24tools.store import Store

GATHER_S = 2.0  # events of one action come together: several updates of a task are read once
IDLE_S = 5.0  # what another process put into the table (a change of the mode) is found so soon
FIRST_PAUSE_S = 5.0  # after a failure, then twice as long each time
LONGEST_PAUSE_S = 300.0

_log = logging.getLogger("b24tools")


class Worker:
    """Applies waiting events as they come; what it knows is in the table, so a restart loses nothing.

    `open_store` and `open_client` are called in the worker's own thread; the client only when there is work.
    `check` raises where the database must not be used any more.
    """

    def __init__(
        self,
        open_store: Callable[[], AbstractContextManager[Store]],
        open_client: Callable[[], AbstractContextManager[Client]],
        zone: ZoneInfo,
        *,
        now: Callable[[], datetime],
        gather_s: float = GATHER_S,
        idle_s: float = IDLE_S,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._open_store = open_store
        self._open_client = open_client
        self._zone = zone
        self._now = now
        self._gather_s = gather_s
        self._idle_s = idle_s
        self._check = check
        self._pause_s = 0.0
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to work."""
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Tell that an event has come. Costs next to nothing."""
        self._woken.set()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """End after the step under way; whether it did in time. What is unfinished stays in the table."""
        self._stopping.set()
        self._woken.set()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def step(self, store: Store, client: Callable[[], Client]) -> float:
        """Apply what is due; how long to wait before the next step. Raises nothing but what ends the process."""
        now = self._now()
        try:
            full = self._apply(store, client, now)
            self._pause_s = 0.0
            return 0.0 if full else self._idle_s
        except errors.PortalBusy as error:
            _log.warning("events wait: %s", error.message)
            blocked_s = (error.until - now).total_seconds() if error.until else 0.0
            return min(max(self._longer_pause(), blocked_s), LONGEST_PAUSE_S)
        except errors.B24ToolsError as error:
            _log.warning("events wait: %s %s", error.message, error.hint)
        except Exception:  # noqa: BLE001 - the last resort of this thread: it must outlive its bugs
            _log.exception("events wait")
        return self._longer_pause()

    def _apply(self, store: Store, client: Callable[[], Client], now: datetime) -> bool:
        """Apply what is due; whether that was as much as goes into a request, so that there may be more."""
        self._check()
        now = store.database.correct_clock(now)
        count = len(store.events.due(now, process.TASKS_AT_ONCE).tasks)
        if not count:
            return False
        done = process.process(store, client(), self._zone, now)
        _log.info("events: %d applied, %d ignored, %d failed", done.applied, done.ignored, done.failed)
        for reason in done.reasons:
            _log.warning("an event failed: %s", reason)
        for warning in done.warnings:
            _log.warning("events: %s", warning)
        if done.failed and not done.applied:
            raise errors.PortalError(done.reasons[0])
        return count == process.TASKS_AT_ONCE

    def _longer_pause(self) -> float:
        self._pause_s = min(max(FIRST_PAUSE_S, self._pause_s * 2), LONGEST_PAUSE_S)
        return self._pause_s

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._work()
            except Exception:  # noqa: BLE001 - likewise, for a store that cannot be opened
                _log.exception("events wait")
                self._stopping.wait(self._longer_pause())

    def _work(self) -> None:
        """Take steps until the end or a failure, with a store and, from the first event on, a client."""
        with ExitStack() as opened:
            store = opened.enter_context(self._open_store())
            clients: list[Client] = []

            def client() -> Client:
                if not clients:
                    clients.append(opened.enter_context(self._open_client()))
                return clients[0]

            while not (self._stopping.is_set() or store.database.is_broken):
                pause_s = self.step(store, client)
                if self._pause_s:  # after a failure an event makes it no sooner; then with another connection
                    self._stopping.wait(pause_s)
                    return
                if pause_s and self._woken.wait(pause_s):
                    self._woken.clear()
                    self._stopping.wait(self._gather_s)
