"""One thing looked at: how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from b24tools.core import errors
from b24tools.core.i18n import _, ngettext

Status = Literal["ok", "warn", "fail"]
OK: Status = "ok"
WARN: Status = "warn"
FAIL: Status = "fail"
MOST_NAMES = 6


@dataclass(frozen=True)
class Check:
    """A line of the report.

    `check` is a name for programs, the same in every language; what comes after a blank tells which of
    several things it is about (`scope task`). `fix` is empty where all is well. `order`: the number of the order
    that it is about, if it is.
    """

    check: str
    status: Status
    detail: str
    fix: str = ""
    order: str = ""


def ok(name: str, detail: str) -> Check:
    """All is well."""
    return Check(name, OK, detail)


def warn(name: str, detail: str, fix: str) -> Check:
    """It works, but somebody should look at it."""
    return Check(name, WARN, detail, fix)


def fail(name: str, detail: str, fix: str) -> Check:
    """Something will not work."""
    return Check(name, FAIL, detail, fix)


def from_error(name: str, error: errors.B24ToolsError) -> Check:
    """What could not be looked at, with the error's own mend."""
    return Check(name, FAIL, error.message, error.hint or _("See what the portal's administrator says."))


def guarded(name: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    """The checks of `look`; where the portal refused, its reason.

    A missing scope is told by the line about the scope and not once more here.
    """
    try:
        return list(look())
    except errors.PortalError as error:
        return [] if error.portal_code.lower() == "insufficient_scope" else [from_error(name, error)]


def listed(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:most])
    rest = len(names) - most
    if rest <= 0:
        return shown
    return ngettext("{names} and {n} more", "{names} and {n} more", rest).format(names=shown, n=rest)
