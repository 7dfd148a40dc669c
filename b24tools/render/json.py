"""Results for programs: the one object that `--json` prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from b24tools.core import errors
from b24tools.render import console


def print_envelope(
    command: str,
    data: Any,
    *,
    warnings: Sequence[str] = (),
    error: errors.B24ToolsError | None = None,
    scrub: Callable[[str], str] = str,
) -> None:
    """Print the object, whatever the exit status. `scrub` takes secrets out of its sentences."""
    described = describe_error(error)
    body = {
        "version": 1,
        "command": command,
        "ok": error is None,
        "data": data,
        "warnings": [scrub(warning) for warning in warnings],
        "error": described and {key: scrub(text) for key, text in described.items()},
    }
    console.print_text(json.dumps(body, ensure_ascii=False, indent=2))


def describe_error(error: errors.B24ToolsError | None) -> dict[str, str] | None:
    """Return an error as programs get it."""
    return None if error is None else {"code": error.code, "message": error.message, "hint": error.hint_sentence}
