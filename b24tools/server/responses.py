"""What goes back over HTTP: JSON, and errors as answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fastapi.responses import JSONResponse

from b24tools.core import errors
from b24tools.jobs.events import payload

RETRY_AFTER_S = 30
LONGEST_RETRY_S = 3600


class Reply(JSONResponse):
    """JSON in UTF-8."""

    def render(self, content: Any) -> bytes:
        """Write it as people can read it; half a surrogate pair, which is no text, becomes a question mark."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def reply_error(error: errors.B24ToolsError, now: datetime) -> Reply:
    """Answer an error that ended everything before anything was written."""
    detail = {"detail": error.line}
    if isinstance(error, payload.Refusal):
        return Reply(detail, error.status)
    if error.code == errors.ErrorCode.TOO_LARGE:
        return Reply(detail, 413)
    if isinstance(error, errors.OrderError):
        return Reply({"detail": error.message}, 422)
    if error.exit_status == errors.TRY_LATER:
        return Reply(detail, 503, retry_after([error], now))
    return Reply(detail, 500)


def retry_after(reasons: Iterable[errors.B24ToolsError], now: datetime) -> dict[str, str]:
    """Say in a header when it is worth trying again: when the portal said so, else soon."""
    known = [error.until for error in reasons if isinstance(error, errors.PortalBusy) and error.until]
    wait_s = math.ceil((max(known) - now).total_seconds()) if known else RETRY_AFTER_S
    return {"Retry-After": str(min(max(1, wait_s), LONGEST_RETRY_S))}
