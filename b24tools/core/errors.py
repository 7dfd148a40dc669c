"""The exceptions of b24tools, each with the exit status it means.

B24ToolsError            1   failed
├── ConfigError          2   settings: which one, what was expected, where to set it
├── OrderError           2   a bad order: the field's path, the value, the reason
├── Busy                 75  another run holds the lock: whose, since when
└── PortalError          1   the portal refused: method, code, description - never the URL
    ├── PortalDenied     1   a person must act: which right or scope is missing
    └── PortalBusy       75  limits, 5xx, network: cron will come again
        └── PortalUncertain  75  a write may or may not have happened: look before repeating
"""

from __future__ import annotations

from datetime import datetime


class B24ToolsError(Exception):
    """Something a user is told in one line: what happened, and what to do about it."""

    code = "failed"
    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(B24ToolsError):
    """A setting is missing or wrong."""

    code = "settings"
    exit_status = 2


class OrderError(B24ToolsError):
    """An order that cannot be read; sending the same again will not help."""

    code = "bad_order"
    exit_status = 2


class Busy(B24ToolsError):
    """Another run holds the lock."""

    code = "locked"
    exit_status = 75


class PortalError(B24ToolsError):
    """The portal answered with an error, or with something that is no answer.

    `portal_code` is the portal's own `error` code, which may be empty.
    """

    code = "portal"

    def __init__(self, message: str, hint: str = "", *, method: str = "", portal_code: str = "") -> None:
        super().__init__(message, hint)
        self.method = method
        self.portal_code = portal_code


class PortalDenied(PortalError):
    """The portal will not until a person changes something: a right, a scope, the webhook."""

    code = "denied"


class PortalBusy(PortalError):
    """The portal is over a limit, broken or away; later may work. `until`: when it is known."""

    code = "portal_busy"
    exit_status = 75

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        method: str = "",
        portal_code: str = "",
        until: datetime | None = None,
    ) -> None:
        super().__init__(message, hint, method=method, portal_code=portal_code)
        self.until = until


class PortalUncertain(PortalBusy):
    """A write was sent and its answer never came: it may have happened. `sent_at`: when it left, if known."""

    code = "uncertain"
    sent_at: datetime | None = None
