"""Keeps what Bitrix24 sends before it is answered: whatever waits at once goes to the disk together.

One thread does it, with a connection of its own. A thread for each request would spend more time on handing the
interpreter on than on the work.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.store import Store, database

MOST_AT_ONCE = 200
BREATH_S = 0.05
PATIENCE_S = 300.0  # with a database that somebody else holds: the portal does not send an event twice

Take = Callable[[Store, Sequence[tuple[bytes, str]]], Sequence[str | Exception]]


@dataclass(eq=False, slots=True)
class _Item:
    body: bytes
    content_type: str
    future: asyncio.Future[str]


class Intake:
    """`take` keeps bodies, each with its type, and says what became of them in their sequence: a status or an error."""

    def __init__(self, open_store: Callable[[], Store], take: Take) -> None:
        self._open_store = open_store
        self._take = take
        self._store: Store | None = None
        self._waiting: deque[_Item] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        """Begin. Raises ConfigError when the database cannot be used."""
        self._store = self._open_store()
        self._thread.start()

    def stop(self) -> None:
        """Keep what waits, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    async def put(self, body: bytes, content_type: str) -> str:
        """What became of it, once it is on the disk."""
        item = _Item(body, content_type, asyncio.get_running_loop().create_future())
        with self._changed:
            if self._stopping:
                raise errors.Busy(_("b24tools is stopping"))
            self._waiting.append(item)
            self._changed.notify()
        return await item.future

    def _run(self) -> None:
        while batch := self._next():
            outcomes = self._keep(batch)
            # all of one server live in one loop
            batch[0].future.get_loop().call_soon_threadsafe(_settle, batch, outcomes)
        if self._store is not None:
            self._store.close()

    def _next(self) -> list[_Item]:
        """Who waits; nobody when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            return [self._waiting.popleft() for _number in range(min(len(self._waiting), MOST_AT_ONCE))]

    def _keep(self, batch: Sequence[_Item]) -> Sequence[str | Exception]:
        """All at once. If that breaks, one by one, so that each learns its own fate."""
        try:
            return self._keep_patiently(batch)
        except Exception as error:  # noqa: BLE001 - it is for those who wait: they would wait for ever
            self._forget_connection()
            if database.is_locked(error):
                return [error] * len(batch)
            if len(batch) > 1:
                return [outcome for item in batch for outcome in self._keep([item])]
            return [error]

    def _keep_patiently(self, batch: Sequence[_Item]) -> Sequence[str | Exception]:
        """Again and again while somebody else only holds the database."""
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                if self._store is None:
                    self._store = self._open_store()
                return self._take(self._store, [(item.body, item.content_type) for item in batch])
            except database.Error as error:
                if not database.is_locked(error) or self._stopping or time.monotonic() >= end:
                    raise
                time.sleep(BREATH_S)

    def _forget_connection(self) -> None:
        """The next one gets a new connection: this one may be what is broken."""
        broken, self._store = self._store, None
        if broken is not None:
            broken.close()


def _settle(batch: Sequence[_Item], outcomes: Sequence[str | Exception]) -> None:
    for item, outcome in zip(batch, outcomes, strict=True):
        if item.future.done():  # its request was given up at the end of the server
            continue
        if isinstance(outcome, Exception):
            item.future.set_exception(outcome)
        else:
            item.future.set_result(outcome)
