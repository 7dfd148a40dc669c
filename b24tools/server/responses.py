"""What goes back over HTTP: JSON, and errors as answers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from fastapi.responses import JSONResponse

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.jobs.events import payload

RETRY_AFTER_S = 30
LONGEST_RETRY_S = 3600
CODES = {
    401: errors.ErrorCode.UNAUTHORIZED,
    403: errors.ErrorCode.FORBIDDEN,
    404: errors.ErrorCode.NOT_FOUND,
    413: errors.ErrorCode.TOO_LARGE,
}


class Reply(JSONResponse):
    """JSON in UTF-8."""

    def render(self, content: Any) -> bytes:
        """Write it as people can read it; half a surrogate pair, which is no text, becomes a question mark."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class HttpError(errors.B24ToolsError):
    """A request that is refused with this status."""

    code = errors.ErrorCode.BAD_REQUEST

    def __init__(self, status: int, message: str, hint: str = "", *, code: errors.ErrorCode | None = None) -> None:
        super().__init__(message, hint, code=code or CODES.get(status))
        self.status = status


@contextmanager
def refuse_input(status: int) -> Iterator[None]:
    """Refuse a request for a ConfigError of the block: with this status, or 409 for a name that several have."""
    try:
        yield
    except errors.ConfigError as error:
        status = 409 if error.code == errors.ErrorCode.AMBIGUOUS else status
        is_of_commands = error.code in (errors.ErrorCode.SETTINGS, errors.ErrorCode.USAGE)
        raise HttpError(status, error.message, error.hint, code=None if is_of_commands else error.code) from None


def describe_refusal(
    error: errors.B24ToolsError, now: datetime, scrub: Callable[[str], str]
) -> tuple[int, dict[str, str], dict[str, str]]:
    """Return status, body and headers for an error that ended everything before anything was written."""
    status = 500
    headers: dict[str, str] = {}
    if isinstance(error, HttpError | payload.Refusal):
        status = error.status
    elif error.code == errors.ErrorCode.TOO_LARGE:
        status = 413
    elif isinstance(error, errors.OrderError):
        status = 422
    elif error.exit_status == errors.TRY_LATER or error.code == errors.ErrorCode.DATABASE:
        status, headers = 503, retry_after([error], now)
    return status, describe_problem(error.message, error, scrub), headers


def read_code(error: errors.B24ToolsError) -> errors.ErrorCode:
    """Return an error's code; of a refused event it depends on the status."""
    return CODES.get(error.status, error.code) if isinstance(error, payload.Refusal) else error.code


def describe_problem(detail: str, error: errors.B24ToolsError, scrub: Callable[[str], str] = str) -> dict[str, str]:
    """Return the body of an answer that is an error: what happened, its code for programs, and what to do."""
    code = read_code(error)
    again = _("Send the same again later; nothing is made twice.")
    usual = {
        errors.ErrorCode.BAD_ORDER: _("Correct the order in 1C and send it again."),
        errors.ErrorCode.TOO_LARGE: _("Send it in smaller parts."),
        errors.ErrorCode.NOT_FOUND: _("/docs lists the addresses that there are."),
        errors.ErrorCode.BAD_REQUEST: _("/docs describes what this address takes."),
        errors.ErrorCode.LOCKED: again,
        errors.ErrorCode.PORTAL_BUSY: again,
        errors.ErrorCode.UNCERTAIN: again,
    }
    hint = error.hint_sentence or usual.get(code) or _("log.log in the data folder has the details.")
    return {"detail": scrub(detail), "code": code, "hint": scrub(hint)}


def retry_after(reasons: Iterable[errors.B24ToolsError], now: datetime) -> dict[str, str]:
    """Say in a header when it is worth trying again: when the portal said so, else soon."""
    known = [error.until for error in reasons if isinstance(error, errors.PortalBusy) and error.until]
    wait_s = math.ceil((max(known) - now).total_seconds()) if known else RETRY_AFTER_S
    return {"Retry-After": str(min(max(1, wait_s), LONGEST_RETRY_S))}
