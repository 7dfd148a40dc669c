"""The exceptions of b24tools, each with the exit status it means.

B24ToolsError            1   failed
├── ConfigError          2   settings: which one, what was expected, where to set it
│   └── UsageError       2   the command line: what is wrong with it, and what is right
├── OrderError           2   a bad order: the field's path, the value, the reason
├── Busy                 75  another run holds the lock: whose, since when
└── PortalError          1   the portal refused: method, code, description - never the URL
    ├── PortalDenied     1   a person must act: which right or scope is missing
    └── PortalBusy       75  limits, 5xx, network: cron will come again
        └── PortalUncertain  75  a write may or may not have happened: look before repeating
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

TRY_LATER = 75  # the exit status of what may pass by itself (EX_TEMPFAIL)


class ErrorCode(StrEnum):
    """What programs tell errors apart by: `code` in `--json` and in HTTP answers. The texts never change."""

    FAILED = "failed"  # it did not work, and no other code says more
    USAGE = "usage"  # the command line is wrong, or names a file that cannot be read
    SETTINGS = "settings"  # a setting is missing or wrong
    BAD_ORDER = "bad_order"  # the order cannot be read; sending the same again does not help
    TOO_LARGE = "too_large"  # the order is larger than is accepted
    BAD_REQUEST = "bad_request"  # an HTTP request that is wrong in itself: its query, its method
    UNAUTHORIZED = "unauthorized"  # an HTTP request without the token
    FORBIDDEN = "forbidden"  # an HTTP request with a wrong token, or from a page of another site
    AMBIGUOUS = "ambiguous"  # several orders, or several people, are called so: the message names their ids
    NOT_FOUND = "not_found"  # an address or a setting that does not exist
    BAD_EVENT = "bad_event"  # no body of a webhook event, or one that names no task
    DATABASE = "database"  # the database is gone, damaged, full or of a newer version: a person must see to it
    LOCKED = "locked"  # another run or another program holds the lock or the database
    PORTAL = "portal"  # the portal answered with an error, or with something unreadable
    DENIED = "denied"  # the portal wants a right, a scope or another webhook first
    PORTAL_BUSY = "portal_busy"  # the portal is over a limit, broken or away
    UNCERTAIN = "uncertain"  # a write was sent and its answer never came
    INTERRUPTED = "interrupted"  # Ctrl+C
    STALE = "stale"  # the data are older than --max-age allows
    UNKNOWN_TASK = "unknown_task"  # b24tools has not assigned this task
    UNKNOWN_ORDER = "unknown_order"  # no order of this number or id was sent with this data folder
    CHECKS_FAILED = "unwell"  # `doctor` found something that fails


# What may pass by itself; whatever else is said of it, it is one cause
PASSING = frozenset({ErrorCode.LOCKED, ErrorCode.PORTAL_BUSY, ErrorCode.UNCERTAIN})
# What is about this one run or its input, and not about the installation
OF_THE_INPUT = frozenset(
    {
        ErrorCode.USAGE,
        ErrorCode.BAD_ORDER,
        ErrorCode.TOO_LARGE,
        ErrorCode.BAD_EVENT,
        ErrorCode.INTERRUPTED,
        ErrorCode.UNKNOWN_TASK,
        ErrorCode.CHECKS_FAILED,
    }
)


class B24ToolsError(Exception):
    """What a user reads in one line: what happened, in lower case, and what to do about it, in sentences."""

    code = ErrorCode.FAILED
    exit_status = 1

    def __init__(self, message: str, hint: str = "", *, code: ErrorCode | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.code

    @property
    def line(self) -> str:
        """The message and the hint as sentences, in one line."""
        return " ".join(filter(None, (as_sentence(self.message), self.hint_sentence))).replace("\n", " ")

    @property
    def hint_sentence(self) -> str:
        """The hint with a capital letter and a full stop."""
        return as_sentence(self.hint[:1].upper() + self.hint[1:])


class ConfigError(B24ToolsError):
    """A setting is missing or wrong."""

    code = ErrorCode.SETTINGS
    exit_status = 2


class UsageError(ConfigError):
    """The command line is wrong, or names what cannot be read."""

    code = ErrorCode.USAGE


class OrderError(B24ToolsError):
    """An order that cannot be read; sending the same again will not help."""

    code = ErrorCode.BAD_ORDER
    exit_status = 2


class Busy(B24ToolsError):
    """Another run holds the lock."""

    code = ErrorCode.LOCKED
    exit_status = TRY_LATER


class PortalError(B24ToolsError):
    """The portal answered with an error, or with something that is no answer.

    `portal_code` is the portal's own `error` code, which may be empty.
    """

    code = ErrorCode.PORTAL

    def __init__(self, message: str, hint: str = "", *, method: str = "", portal_code: str = "") -> None:
        super().__init__(message, hint)
        self.method = method
        self.portal_code = portal_code


class PortalDenied(PortalError):
    """The portal will not until a person changes something: a right, a scope, the webhook."""

    code = ErrorCode.DENIED


class PortalBusy(PortalError):
    """The portal is over a limit, broken or away; later may work. `until`: when it is known."""

    code = ErrorCode.PORTAL_BUSY
    exit_status = TRY_LATER

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

    code = ErrorCode.UNCERTAIN
    sent_at: datetime | None = None


def as_sentence(text: str) -> str:
    """Return the text with a full stop, unless it has its end mark or is empty."""
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
