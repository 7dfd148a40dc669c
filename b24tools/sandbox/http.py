"""An HTTP request as the portal understands it, and a result as it puts it on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from b24tools.sandbox import php, php_query
from b24tools.sandbox.methods import Answer, RestError

RESERVED: Final = ("auth", "access_token", "state")
JSON_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}
HTML_HEADERS: Final = {"Content-Type": "text/html"}


@dataclass
class Request:
    """A request taken apart. An empty method means the path is none of REST's."""

    scheme: str
    host: str
    target: str
    base_url: str
    method: str = ""
    uid: str = ""
    secret: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    start: Any = None


@dataclass(frozen=True)
class Response:
    """What goes back over HTTP; of a truncated one only the first half of the body arrives."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False


def read(path: str, query: str, headers: Mapping[str, str], body: bytes, scheme: str, folder: str = "") -> Request:
    """Take a request apart: GET and POST are alike, the body wins over the query. `folder`: where the portal lives."""
    lower = {name.lower(): value for name, value in headers.items()}
    host = lower.get("host", "portal.example")
    request = Request(scheme, host, f"{path}?{query}" if query else path, f"{scheme}://{host}{folder}")
    below = path.removeprefix(folder) if path.startswith(f"{folder}/") else ""
    parts = [unquote(part) for part in below.strip("/").split("/")]
    if len(parts) not in (2, 4) or parts[0] != "rest":
        return request
    if len(parts) == 4:
        request.uid, request.secret = parts[1:3]
    request.method = parts[-1].lower().removesuffix(".json")  # it is found in any case; answers in XML are not emulated
    params = php_query.decode(query) | _read_body(lower.get("content-type", ""), body)
    request.start = params.pop("start", None)
    request.params = {name: value for name, value in params.items() if name not in RESERVED}
    return request


def _read_body(content_type: str, body: bytes) -> dict[str, Any]:
    """Read the parameters. Broken JSON, a BOM included, and JSON under another type are no parameters at all."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return dict(php.items(json.loads(body.decode("utf-8"))))
        except ValueError:
            return {}
    if kind == "application/x-www-form-urlencoded":
        return php_query.decode(body.decode("utf-8", "replace"))
    return {}


def success(answer: Answer, time: dict[str, Any]) -> Response:
    """Put a result into its envelope, keys in the portal's order."""
    counts = {"next": answer.next, "total": answer.total}
    shown = {name: count for name, count in counts.items() if count is not None}
    return Response(200, JSON_HEADERS, php.to_json({"result": answer.result, **shown, "time": time}))


def failure(error: RestError) -> Response:
    """Put a refusal into its envelope: it carries no `time`."""
    return Response(error.status, JSON_HEADERS, php.to_json(error.body))
