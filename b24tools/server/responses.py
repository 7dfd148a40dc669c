"""What goes back over HTTP: JSON that people can read, and refusals that arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fastapi.responses import Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

LINGER_S = 1.0
LINGER_BYTES = 8 * 1024 * 1024


class Reply(Response):
    """A JSON answer in UTF-8 that says so: PowerShell would take it for Latin-1."""

    media_type = "application/json; charset=utf-8"

    def __init__(self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        super().__init__(text.encode("utf-8", "replace"), status, headers)


class Refusal(Reply):
    """A refusal sent before the body was read.

    A connection closed with unread bytes is reset, and the sender would never see why: so for a moment what
    still comes is read and thrown away.
    """

    def __init__(self, detail: str, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__({"detail": detail}, status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer at once, then linger."""
        names = {name for name, _value in scope["headers"]}
        has_body = bool(names & {b"content-length", b"transfer-encoding"})
        headers = [*self.raw_headers, *([(b"connection", b"close")] if has_body else [])]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        if has_body and b"expect" not in names:  # who expects something waits to be asked for the body
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_S):
                    await _drain(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive) -> None:
    left = LINGER_BYTES
    while left > 0:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return
        left -= len(message.get("body", b""))
