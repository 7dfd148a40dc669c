"""Events that people have at hand, in the shapes they come in: bodies, JSON, captured requests, lines of a log."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from b24tools.jobs.events import payload
from b24tools.jobs.events.payload import Event, Refusal

_REQUEST = re.compile(rb"^(?:POST|PUT) \S+ HTTP/\d", re.MULTILINE)
_NEXT = re.compile(rb"^(?:(?:POST|PUT|GET|HEAD) \S+ HTTP/\d|HTTP/\d\S* \d{3}\b)", re.MULTILINE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_SPACE = re.compile(r"\s*")
_CHUNK = re.compile(rb"\s*([0-9A-Fa-f]+)[^\r\n]*\r?\n")
# A form among other words of a line: the time before it in a log, quotation marks around it
_FORM = re.compile(rb"(?:^|[\s\"'])((?:event|event_handler_id|data|ts|auth)(?:\[|%5[Bb]|=)[^\s\"']*)")
MOST_WRAPPERS = 3  # {"data": [{"body": …}]}


@dataclass(frozen=True, slots=True)
class Found:
    """A body of a file and where it stands: the event, or why it is none."""

    place: str
    event: Event | None = None
    refusal: Refusal | None = None


def read(name: str, data: bytes) -> list[Found]:
    """All events of a file. What looks like one but is none is told, too; so is a file without any."""
    bodies = list(_split(_as_utf8(data))) or [("", b"")]
    return [_read_one(f"{name}:{place}" if place else name, body) for place, body in bodies]


def _read_one(place: str, body: bytes) -> Found:
    try:
        event = payload.read_body(body)
        payload.task_of(event)
        return Found(place, event)
    except Refusal as refusal:
        return Found(place, refusal=refusal)


def _as_utf8(data: bytes) -> bytes:
    """Windows' editors save UTF-16 as well."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data.removeprefix(codecs.BOM_UTF8)


def _split(data: bytes) -> Iterator[tuple[str, bytes]]:
    if _REQUEST.match(data.lstrip()):
        yield from _requests(data)
        return
    if data.lstrip()[:1] in (b"{", b"["):
        found, whole = _load(data)
        if found:
            yield from _of_json("", whole)
            return
        values = _values(data)
        for place, value in values:
            yield from _of_json(place, value)
        if values:
            return
    for number, line in enumerate(data.splitlines(), 1):
        line = line.strip()
        if line and not line.startswith(b"#"):
            yield from _of_line(str(number), line)


def _of_line(place: str, line: bytes) -> Iterator[tuple[str, bytes]]:
    found, value = _load(line) if line[:1] in (b"{", b"[") else (False, None)
    if found:
        yield from _of_json(place, value)
        return
    form = _FORM.search(line)
    yield place, form[1] if form else line


def _load(data: bytes) -> tuple[bool, Any]:
    try:
        return True, json.loads(data)
    except (ValueError, RecursionError):
        return False, None


def _values(data: bytes) -> list[tuple[str, Any]]:
    """JSON values one after another, over several lines each, with the lines they begin in; none if there is more."""
    decoder = json.JSONDecoder()
    found = []
    line, position = 1, 0
    try:
        text = data.decode().rstrip()
        while position < len(text):
            start = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # it may be empty, so it is there
            line += text.count("\n", position, start)
            value, position = decoder.raw_decode(text, start)
            found.append((str(line), value))
            line += text.count("\n", start, position)
    except (ValueError, RecursionError):
        return []
    return found


def _of_json(place: str, value: Any, wrappers: int = MOST_WRAPPERS) -> Iterator[tuple[str, bytes]]:
    """An event as an object; a list of them; what `replay --list --json` printed; a `body` among other things."""
    if isinstance(value, list) and wrappers:
        for number, one in enumerate(value, 1):
            yield from _of_json(f"{place}.{number}" if place else str(number), one, wrappers - 1)
    elif isinstance(value, str):
        yield place, value.encode("utf-8", "replace")
    elif isinstance(value, dict) and wrappers and "event" not in value and isinstance(value.get("data"), list):
        yield from _of_json(place, value["data"], wrappers - 1)
    elif isinstance(value, dict) and wrappers and isinstance(value.get("body"), str | dict):
        yield from _of_json(place, value["body"], wrappers - 1)
    else:
        yield place, json.dumps(value).encode()


def _requests(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The bodies of captured requests. Their lengths are not believed: whoever masked the token has changed them."""
    for number, start in enumerate(_REQUEST.finditer(data), 1):
        following = _NEXT.search(data, start.end())
        request = data[start.start() : following.start() if following else len(data)]
        head, *rest = _HEAD_END.split(request, maxsplit=1)
        body = rest[0] if rest else b""
        if re.search(rb"^transfer-encoding:.*chunked", head, re.MULTILINE | re.IGNORECASE):
            body = _unchunked(body)
        yield str(number), body.strip()


def _unchunked(body: bytes) -> bytes:
    parts = []
    position = 0
    while (head := _CHUNK.match(body, position)) and (size := int(head[1][:8], 16)):
        parts.append(body[head.end() : head.end() + size])
        position = head.end() + size
    return b"".join(parts)
