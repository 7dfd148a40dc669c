"""What the tests of the sandbox portal share: a clock to be moved, and a way to ask."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from b24tools.sandbox.state import Portal

NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)  # a Wednesday, noon in Moscow


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **delta: float) -> None:
        """Let time pass."""
        self.now += timedelta(**delta)


class Asker:
    """Asks a portal through an httpx client, or straight through `handle` when there is none."""

    def __init__(self, portal: Portal, client: httpx.Client | None = None, base_url: str = "https://portal.example"):
        self.portal = portal
        self.client = client
        self.base_url = base_url

    def body(self, method: str, **params: Any) -> dict[str, Any]:
        """The JSON body of the answer to a JSON request."""
        return self.status_and_body(method, **params)[1]

    def status_and_body(self, method: str, **params: Any) -> tuple[int, Any]:
        """Status and JSON body."""
        response = self.post(method, json.dumps(params).encode(), "application/json")
        return response.status_code, response.json()

    def result(self, method: str, **params: Any) -> Any:
        """`result`, or a failure with the portal's error."""
        body = self.body(method, **params)
        assert "error" not in body, body
        return body["result"]

    def error(self, method: str, **params: Any) -> tuple[int, str, str]:
        """Status, code and text of a refusal."""
        status, body = self.status_and_body(method, **params)
        return status, body["error"], body["error_description"]

    def post(self, method: str, body: bytes, content_type: str, query: str = "") -> httpx.Response:
        """A POST to a method of the webhook."""
        return self.request("POST", self.portal.webhook_path + method, query, {"Content-Type": content_type}, body)

    def request(
        self, verb: str, path: str, query: str = "", headers: dict[str, str] | None = None, body: bytes = b""
    ) -> httpx.Response:
        """Any request."""
        if self.client is not None:
            url = f"{self.base_url}{path}" + (f"?{query}" if query else "")
            return self.client.request(verb, url, headers=headers, content=body)
        response = self.portal.handle(verb, path, query, headers or {}, body)
        return httpx.Response(response.status, headers=dict(response.headers), content=response.body)
