"""An HTTP request as the portal understands it, and a result as it puts it on the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from b24tools.sandbox import php, php_query
from b24tools.sandbox.rest import Answer, Response, RestError

RESERVED: Final = ("auth", "access_token", "state")
JSON_HEADERS: Final = {"Content-Type": "application/json; charset=utf-8"}
HTML_HEADERS: Final = {"Content-Type": "text/html"}
FILENAME: Final = re.compile(r'filename="((?:[^"\\]|\\.)*)"')
FIELD: Final = re.compile(r'\bname="([^"]*)"')


@dataclass
class Request:
    """A request taken apart. An empty method means the path is none of REST's."""

    method: str = ""
    suffix: str = ""
    uid: str = ""
    secret: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    start: Any = None
    host: str = ""
    base_url: str = ""
    scheme: str = "https"
    target: str = ""
    file: tuple[str, bytes] | None = None

    @property
    def path(self) -> str:
        """The webhook's own part of the address."""
        return f"/rest/{self.uid}/{self.secret}"


def read(path: str, query: str, headers: Mapping[str, str], body: bytes, scheme: str, folder: str = "") -> Request:
    """Take a request apart: GET and POST are alike, the body wins over the query string.

    `folder`: where on its host the portal lives.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    request = Request(scheme=scheme, target=f"{path}?{query}" if query else path)
    request.host = lower.get("host", "portal.example")
    request.base_url = f"{scheme}://{request.host}{folder}"
    below = path.removeprefix(folder) if path.startswith(f"{folder}/") else ""
    parts = [unquote(part) for part in below.strip("/").split("/")]
    if len(parts) not in (2, 4) or parts[0] != "rest":
        return request
    if len(parts) == 4:
        request.uid, request.secret = parts[1:3]
    request.method, request.suffix = _method(parts[-1])
    params = php_query.decode(query) | _body(lower.get("content-type", ""), body)
    request.start = params.pop("start", None)
    request.params = {name: value for name, value in params.items() if name not in RESERVED}
    if request.method == "upload":
        request.file = _multipart(lower.get("content-type", ""), body)
    return request


def _method(name: str) -> tuple[str, str]:
    """A method's name in lower case (any case is found) and the form of the answer."""
    stem, _, suffix = name.lower().rpartition(".")
    return (stem, suffix) if stem and suffix in ("json", "xml") else (name.lower(), "json")


def _body(content_type: str, body: bytes) -> dict[str, Any]:
    """Parameters in a body. Broken JSON, a BOM included, and JSON under another type are no parameters at all."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            params = json.loads(body.decode("utf-8"))
        except ValueError:
            return {}
        return dict(php.items(params))
    if kind == "application/x-www-form-urlencoded":
        return php_query.decode(body.decode("utf-8", "replace"))
    return {}


def _multipart(content_type: str, body: bytes) -> tuple[str, bytes] | None:
    """The name and content of the part called `file`."""
    found = re.search(r'boundary="?([^";]+)"?', content_type)
    if found is None:
        return None
    for part in body.split(b"--" + found[1].encode()):
        head, gap, content = part.partition(b"\r\n\r\n")
        text = head.decode("utf-8", "replace")
        name, filename = FIELD.search(text), FILENAME.search(text)
        if gap and name and name[1] == "file" and filename:
            return filename[1].replace("%22", '"').replace('\\"', '"'), content.removesuffix(b"\r\n")
    return None


def success(answer: Answer, time: dict[str, Any]) -> Response:
    """The envelope of a success, keys in the portal's order."""
    body: dict[str, Any] = {"result": answer.result}
    if answer.next is not None:
        body["next"] = answer.next
    if answer.total is not None:
        body["total"] = answer.total
    return Response(200, JSON_HEADERS, php.to_json(body | {"time": time}))


def failure(error: RestError) -> Response:
    """The envelope of an error: it carries no `time`."""
    return Response(error.status, JSON_HEADERS, php.to_json(error.body()))
