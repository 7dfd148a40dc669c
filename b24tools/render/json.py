"""Results for programs: the one object that `--json` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from b24tools.core import errors
from b24tools.render import console


def print_envelope(
    command: str, data: Any, *, warnings: Sequence[str] = (), error: errors.B24ToolsError | None = None
) -> None:
    """Print the object, whatever the exit status."""
    body = {
        "version": 1,
        "command": command,
        "ok": error is None,
        "data": data,
        "warnings": list(warnings),
        "error": describe_error(error),
    }
    console.print_text(json.dumps(body, ensure_ascii=False, indent=2))


def describe_error(error: errors.B24ToolsError | None) -> dict[str, str] | None:
    """Return an error as programs get it."""
    return None if error is None else {"code": error.code, "message": error.message, "hint": error.hint_sentence}
