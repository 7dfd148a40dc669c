"""What the endpoints work with: the installation they serve, and the body of a request."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from b24tools import context
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.sizes import format_size
from b24tools.onec import order
from b24tools.server.readings import Readings
from b24tools.server.responses import HttpError
from b24tools.store import Store

SMALL_BYTES = 64 * 1024  # every body but an order's
IDLE_S = 60.0  # a sender that falls silent in the middle of a body
SLOWEST = 64 * 1024  # bytes a second: a body that comes more slowly takes too long
MOST_ARRIVING = 4 * order.MAX_BYTES  # of all bodies together that are not complete
_arriving: dict[asyncio.Timeout, int] = {}  # the bodies that are not complete, and how much of each there is
_LENGTH = re.compile(r"[0-9]{1,15}")


class Intake:
    """What could not be stored when it came last: `order`, `event`."""

    def __init__(self) -> None:
        self.failed: set[str] = set()

    @contextmanager
    def watch(self, kind: str, *harmless: type[Exception]) -> Iterator[None]:
        """Note how the block ends; what is `harmless` is the sender's fault or passes, and says nothing.

        Nor does a setting that is wrong: the answer says which, and nothing is the matter with the database.
        """
        try:
            yield
        except harmless:
            raise
        except BaseException as error:
            if not isinstance(error, errors.ConfigError) or error.code == errors.ErrorCode.DATABASE:
                self.failed.add(kind)
            raise
        self.failed.discard(kind)


@dataclass(frozen=True)
class Services:
    """The installation: its settings and portal, the worker that follows events, the clock."""

    session: context.Session
    wake_worker: Callable[[], None]
    now: Callable[[], datetime]
    intake: Intake = field(default_factory=Intake)
    readings: Readings = field(init=False)
    reading_orders: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        object.__setattr__(self, "readings", Readings(self.now, self.scrub, self.session.count_requests))

    def open_store(self) -> AbstractContextManager[Store]:
        """Open the database for one request: a connection is cheap, and a thread's own one needs no lock.

        The user's files are not touched: an event is stored also where they cannot be written.
        """
        return self.session.open_store(shares_files=False)

    def scrub(self, text: str) -> str:
        """Return a text as clients may read it: without secrets, and without where the data are."""
        settings = self.session.settings
        text = settings.scrubber.scrub(text).replace(f"{settings.data_dir}{os.sep}", "")
        return text.replace(str(settings.data_dir), settings.data_dir.name).replace(
            str(settings.database), settings.database.name
        )


async def read_body(request: Request, limit: int) -> bytes:
    """Read the body; refuse it as soon as it is known to be larger than `limit` bytes, or to take too long."""
    too_large = HttpError(413, _("the body is larger than {size}").format(size=format_size(limit)))
    length = request.headers.get("content-length", "0")
    if not _LENGTH.fullmatch(length) or int(length) > limit:
        raise too_large
    body = bytearray()
    clock = asyncio.get_running_loop().time
    latest = clock() + IDLE_S + (int(length) or limit) / SLOWEST
    try:
        async with asyncio.timeout(IDLE_S) as deadline:
            async for chunk in request.stream():
                if not chunk:
                    continue  # the end
                body += chunk
                if len(body) > limit:
                    raise too_large
                deadline.reschedule(min(clock() + IDLE_S, latest))
                _arriving[deadline] = len(body)
                if sum(_arriving.values()) > MOST_ARRIVING:
                    largest = max(_arriving, key=_arriving.__getitem__)
                    del _arriving[largest]
                    largest.reschedule(clock())
    except TimeoutError:
        if body and deadline not in _arriving:
            raise errors.Busy(_("too much is being sent at once"), _("Try again a little later.")) from None
        raise HttpError(408, _("the body did not arrive"), _("Send the same again.")) from None
    finally:
        _arriving.pop(deadline, None)
    return bytes(body)


async def _read_small(request: Request) -> bytes:
    return await read_body(request, SMALL_BYTES)


async def _read_order(request: Request) -> bytes:
    return await read_body(request, order.MAX_BYTES)


SmallBody = Annotated[bytes, Depends(_read_small)]
OrderBody = Annotated[bytes, Depends(_read_order)]
