"""Events from files, in the shapes that people have them in: bodies, JSON, JSON lines, lines of a log."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from b24tools.jobs.events import payload
from b24tools.jobs.events.payload import Event, Refusal

_SPACE = re.compile(r"\s*")
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
    """Find all events of a file. What looks like one but is none is named, and so is a file without any."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Windows' editors save UTF-16 as well
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
    found = []
    for place, body in list(_split(data.removeprefix(codecs.BOM_UTF8))) or [("", b"")]:
        place = f"{name}:{place}" if place else name
        try:
            event = payload.read_body(body)
            payload.task_of(event)
            found.append(Found(place, event))
        except Refusal as refusal:
            found.append(Found(place, refusal=refusal))
    return found


def _split(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Split a file into bodies, each with its place."""
    if values := _read_values(data):
        for place, value in values:
            yield from _split_json(place if len(values) > 1 else "", value)
        return
    for number, line in enumerate(data.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith(b"#"):
            continue
        values = _read_values(line)
        for _place, value in values:
            yield from _split_json(str(number), value)
        if not values:
            form = _FORM.search(line)
            yield str(number), form[1] if form else line


def _read_values(data: bytes) -> list[tuple[str, Any]]:
    """Read JSON values one after another, each with the line that it begins in; none if there is anything else."""
    if data.lstrip()[:1] not in (b"{", b"["):
        return []
    decoder, found = json.JSONDecoder(), []
    line, position = 1, 0
    try:
        text = data.decode().rstrip()
        while position < len(text):
            start = position + len(_SPACE.match(text, position)[0])  # type: ignore[index]  # it may be empty
            line += text.count("\n", position, start)
            value, position = decoder.raw_decode(text, start)
            found.append((str(line), value))
            line += text.count("\n", start, position)
    except (ValueError, RecursionError):
        return []
    return found


def _split_json(place: str, value: Any, wrappers: int = MOST_WRAPPERS) -> Iterator[tuple[str, bytes]]:
    """An event as an object; a list of them; what `replay --list --json` printed; a `body` among other things."""
    if isinstance(value, list) and wrappers:
        for number, one in enumerate(value, 1):
            yield from _split_json(f"{place}.{number}" if place else str(number), one, wrappers - 1)
    elif isinstance(value, str):
        yield place, value.encode("utf-8", "replace")
    elif isinstance(value, dict) and wrappers and "event" not in value and isinstance(value.get("data"), list):
        yield from _split_json(place, value["data"], wrappers - 1)
    elif isinstance(value, dict) and wrappers and isinstance(value.get("body"), str | dict):
        yield from _split_json(place, value["body"], wrappers - 1)
    else:
        yield place, json.dumps(value).encode()
