"""Faults ordered by whoever tests a client, and the log of what was asked.

Kinds of faults, for a whole HTTP request unless said otherwise:

- `limit`: 503 QUERY_LIMIT_EXCEEDED · `overload`: 503 OVERLOAD_LIMIT, nothing executed
- `operating`: 429 OPERATION_TIME_LIMIT; with the `method` of a command of a batch it is that item's error, HTTP 200
- `error`: any `code`, `description` and `status`; likewise an item's error inside a batch. With `executed` the work
  is done all the same, as tasks.task.add does it: the row is saved before chat, files, tags and history are, so that
  `Fault("error", method="tasks.task.add", code="ERROR_UNKNOWN_ADD_TASK_ERROR", executed=True)` leaves a whole task
  behind, alone and in a batch. A project whose chat is broken (`Group.chat_is_broken`) leaves half a task, every time
- `html`: a page instead of JSON with `status` 502 (or 504; 200 is a page for people to log in), executed or not
- `unreachable`: no connection at all (on a port: as `cut_before`)
- `cut_before`, `cut_after`: the connection drops, before or after the portal did the work
- `late`: the connection drops now, the work is done later: after `delay_s`, or when `Portal.run_late` is called
- `slow`: the answer takes `delay_s`
- `half`: the work is done, the body breaks off in the middle
- `half_batch`: the last `drop` commands of a batch are missing from the answer, executed or not
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from b24tools.sandbox.limits import BLOCKED_METHOD, TOO_MANY
from b24tools.sandbox.methods import RestError

Refusal = Literal["limit", "operating", "overload", "error"]
Kind = Refusal | Literal["html", "unreachable", "cut_before", "cut_after", "late", "slow", "half", "half_batch"]
FOR_ITEMS: Final = ("operating", "error")
OVERLOAD: Final = ("OVERLOAD_LIMIT", "REST API is blocked due to overload", 503)
REFUSALS: Final = {"limit": TOO_MANY, "operating": BLOCKED_METHOD, "overload": OVERLOAD}
PAGE: Final = "<html>\r\n<head><title>{0}</title></head>\r\n<body><center><h1>{0}</h1></center></body>\r\n</html>\r\n"
LOGIN: Final = (
    '<!DOCTYPE html>\n<html lang="ru">\n<head><title>Авторизация</title></head>\n<body>\n'
    '<form method="post"><input name="USER_LOGIN"><input type="password" name="USER_PASSWORD"></form>\n'
    "</body>\n</html>\n"
)
REASONS: Final = {0: "502 Bad Gateway", 502: "502 Bad Gateway", 504: "504 Gateway Time-out"}


@dataclass(frozen=True)
class Fault:
    """What happens, to which requests (all conditions given must hold), and how often."""

    kind: Kind
    at: int | None = None  # the ordinal of the HTTP request, from 1
    method: str | None = None  # of the request, or of a command inside a batch
    skip: int = 0  # matching requests let through first
    times: int = 1
    executed: bool = False  # html, error, half_batch: whether the work is done all the same
    status: int = 0
    code: str = "ERROR_CORE"
    description: str = "Internal error"
    delay_s: float | None = None
    drop: int = 1

    def refusal(self) -> RestError:
        """Make the error envelope of this fault."""
        return RestError(*REFUSALS.get(self.kind, (self.code, self.description, self.status or 400)))

    def page(self) -> bytes:
        """Make the gateway's HTML page, or the portal's own that asks people to log in."""
        return (LOGIN if self.status == 200 else PAGE.format(REASONS.get(self.status, self.status))).encode()


class Faults:
    """The orders not yet carried out."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, fault: Fault) -> Fault:
        """Order a fault. Several may wait; the first that matches a request is applied."""
        self._orders.append(fault)
        return fault

    def clear(self) -> None:
        self._orders.clear()

    def take(self, ordinal: int, method: str, commands: Iterable[str] = ()) -> Fault | None:
        """Find the fault of a whole request; those of a command are left for it."""
        for fault in self._orders:
            name = (fault.method or method).lower()
            of_command = fault.kind in FOR_ITEMS and name != method
            if name in (method, *commands) and not of_command and self._is_due(fault, ordinal):
                return fault
        return None

    def take_for_command(self, ordinal: int, command: str) -> Fault | None:
        """Find the fault of one command of a batch."""
        for fault in self._orders:
            if fault.kind in FOR_ITEMS and (fault.method or "").lower() == command and self._is_due(fault, ordinal):
                return fault
        return None

    def _is_due(self, fault: Fault, ordinal: int) -> bool:
        """Count a matching request; the first ones may be let through."""
        if fault.at not in (None, ordinal):
            return False
        left = replace(fault, skip=fault.skip - 1) if fault.skip else replace(fault, times=fault.times - 1)
        place = self._orders.index(fault)
        self._orders[place : place + 1] = [left] if left.times > 0 else []
        return not fault.skip


class ConnectionCut(Exception):
    """The client gets no answer; it cannot know whether the portal did the work."""

    def __init__(self, how: Literal["unreachable", "cut", "timeout"], *, later_s: float | None = None) -> None:
        super().__init__(how)
        self.how = how
        self.later_s = later_s


@dataclass
class Entry:
    """One HTTP request, or a command of a batch, as the log keeps it: never the address, it holds the secret."""

    ordinal: int
    at: datetime
    method: str
    params: dict[str, Any]
    is_write: bool
    key: str = ""  # of a command
    commands: list[Entry] = field(default_factory=list)
    executed: bool = False
    outcome: str = ""  # "ok", an error code, "moved" or the kind of a fault

    @property
    def methods(self) -> list[str]:
        """The methods of the commands of a batch, else the method itself."""
        return [command.method for command in self.commands] if self.method == "batch" else [self.method]
