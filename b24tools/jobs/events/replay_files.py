"""Events from files, as people have them: bodies, logs of proxies and handlers, exports of services.

A text is searched for the notations of an event, wherever they stand in it:

- a JSON object: the event itself, or a record that has one inside, as an object or as text (nginx with escape=json,
  webhook.site, n8n, HAR, functions of a cloud, `replay --list --json`);
- an array of PHP, written by print_r or var_export;
- a dictionary as Python prints it, an object as Node does, a hash of Ruby, that begins with the event's name;
- a form: `event=ONTASKUPDATE&data[FIELDS_AFTER][ID]=5&…`.

A line without any of them is searched again without its escapes (`\\x22`, `\\"`, `\\u0026`, `%3D`, `&quot;`). Only what
names an event of Bitrix24 and has its data counts, so that a call of event.bind or what a handler answered is taken for
none. What names an event of a task and cannot be read was cut off: that is an error, wherever the cut fell.
"""

from __future__ import annotations

import base64
import bisect
import codecs
import gzip
import html
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus, urlencode

from b24tools.core.i18n import _, ngettext
from b24tools.jobs.events import payload
from b24tools.jobs.events.payload import Event, Refusal

_START = re.compile(
    r"""(?P<literal>[{\[]\s*(?:(?:'event'|:?event)\s*(?:=>|:)|"event"\s*=>))"""
    r'|(?P<object>\{\s*")'
    r"|(?P<array>\b(?:[Aa]rray|stdClass Object)\s*\(\s*)"
    r"|(?P<form>(?<![\w%])(?:event|event_handler_id|data|ts|auth)(?:\[|%5[Bb]|=)[^\s\"'<>`]*)"
)
_NAME = re.compile(r"\s*ON[A-Z][A-Z0-9_:.]+\s*", re.IGNORECASE)
_FIELD = re.compile(r"\w+(?:\[[^\]]*\])*")
_ARRAY = re.compile(r"(?:[Aa]rray|stdClass Object)\s*\(\s*")
_KEY = re.compile(r"\[([^\]\n]*)\] =>[ \t]*|(?:'((?:[^'\\]|\\.)*)'|(\d+)) =>\s*")  # of print_r, of var_export
_LINE = re.compile(r"[^\n]*?(?=[ \t]*(?:\n|\[[^\]\n]*\] =>|\)|$))")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_BARE = re.compile(r"[^,\s)]*")
_LITERAL_KEY = re.compile(r"""(?:'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|:?([A-Za-z_]\w*))\s*(?:=>|:)\s*""")
_LITERAL = re.compile(r"""'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"|([^\s,'"{}\[\]]+)""")
_HEX = re.compile(r"(?:\\x[0-9A-Fa-f]{2})+")
_TIME = re.compile(r"[0-9]:[0-5][0-9]\b")  # a log has them
_HEADER = re.compile(r"[A-Z]+ \S+ HTTP/\d|(?:Host|User-Agent|Content-(?:Type|Length)): ", re.IGNORECASE)
_TASK = re.compile(r"\bevent[\"'\]\\]*\s*(?:=>|[=:]|,\s*\\*\"value\\*\":)\s*[\"'\\]*ONTASK", re.IGNORECASE)
_HANDLER = re.compile(r"\bhandler[\"'\]\\]*\s*(?:=>|[=:])")  # of a call of event.bind
_CUT = re.compile(r"\s*[\[(<]*(?:…|\.{3}|truncated)", re.IGNORECASE)
_PERCENT = re.compile(r"event(?:%3D|%22)", re.IGNORECASE)  # a body that was encoded as a whole
_ENCODED = re.compile("%5B", re.IGNORECASE)
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|(["\\/]))')
MOST_DEPTH = 12  # of records in records
MOST_TRIES = 20  # in a line, of what begins like an object and is none
LOG_FIELDS = ("log", "message", "msg")  # of a record, with a line of a log; any other text is a body or nothing

Item = tuple[str, Event | Refusal]  # where in a record it stands, and what it is


@dataclass(frozen=True, slots=True)
class Found:
    """An event of a file and where it stands, or why it is none. `is_note`: in a log most of it is none."""

    place: str
    event: Event | None = None
    refusal: Refusal | None = None
    is_note: bool = False


def read(name: str, data: bytes) -> list[Found]:
    """Find all events of a file. What looks like one but is broken is named, all that is none once."""
    try:
        text = _read_csv(_read_docker(_decode(data)))
    except (OSError, EOFError, zlib.error):
        return [Found(name, refusal=payload.unreadable(_("the compressed file is cut off or damaged")))]
    lines = text.split("\n")
    starts = [0, *(newline.end() for newline in re.finditer("\n", text))]
    entries: list[Found] = []
    used: set[int] = set()
    inside: set[int] = set()  # of a record that could be read
    is_log = any(_HEADER.match(line) for line in lines)

    def add(line: int, items: list[Item]) -> None:
        for path, item in items:
            place = f"{name}:{line + 1}{path}"
            entries.append(Found(place, item) if isinstance(item, Event) else Found(place, refusal=item))

    for start, end, is_bare, items in _search(text):
        first, last = (bisect.bisect_right(starts, position) - 1 for position in (start, end - 1))
        if items:
            add(first, items)
            used.update(range(first, last + 1))
            around = lines[first][: start - starts[first]] + lines[last][end - starts[last] :]
            is_log = is_log or not is_bare or re.search(r"\w", around) is not None
        else:
            inside.update(range(first + 1, last))
    rest = []
    for number, line in enumerate(lines):
        if number not in used and line.strip() and not line.lstrip().startswith("#"):
            escaped: list[Item] = []
            texts = [line, *_unescape(line)]
            for plain in texts[1:]:
                escaped = escaped or [item for *_place, items in _search(plain) for item in items]
            if not escaped and number not in inside and any(map(_names_task, texts)):
                escaped = [("", _cut_off())]
            add(number, escaped)
            is_log = is_log or bool(escaped)
            if not escaped:
                rest.append(number)
    rest = [number for number in rest if not entries or re.search(r"\w", lines[number])]  # brackets between events
    if rest and entries and not any(entry.event for entry in entries):
        return entries  # what is around something broken may be a part of it
    if rest and entries and (is_log or any(_TIME.search(lines[number]) for number in rest)):
        message = ngettext("{n} line is no event", "{n} lines are no events, this is the first", len(rest))
        refusal = Refusal(400, message.format(n=len(rest)))
        entries.append(Found(f"{name}:{rest[0] + 1}", refusal=refusal, is_note=True))
    elif rest or not entries:
        entries.append(_refuse(name, rest, lines))
    return entries


def _refuse(name: str, rest: list[int], lines: list[str]) -> Found:
    """Say what is wrong with the first of the lines that should have been events, and how many there are."""
    if not rest:
        return Found(name, refusal=payload.unreadable(_("it is empty")))
    item = _read_body(_encode(lines[rest[0]]))
    refusal = item if isinstance(item, Refusal) else payload.unreadable(_("it is not what the portal sends"))
    if others := len(rest) - 1:
        text = ngettext("{message} (and {n} more line)", "{message} (and {n} more lines)", others)
        refusal = Refusal(refusal.status, text.format(message=refusal.message, n=others), refusal.hint)
    return Found(f"{name}:{rest[0] + 1}", refusal=refusal)


# texts


def _decode(data: bytes) -> str:
    if data.startswith(b"\x1f\x8b"):  # a log of last week
        data = gzip.decompress(data)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Windows' editors and PowerShell
        return data.decode("utf-16", "replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _encode(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a surrogate pair has no UTF-8 form
        return text.encode("utf-8", "replace")


def _read_docker(text: str) -> str:
    """Return what a container printed, if the file is Docker's json-file: a record a line, several for a long one."""
    if not text.startswith('{"log":"'):
        return text
    parts = []
    for line in text.splitlines(keepends=True):
        try:
            parts.append(str(json.loads(line)["log"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            parts.append(line)
    return "".join(parts)


def _read_csv(text: str) -> str:
    """Return the text without CSV's doubled quotation marks, if they stand around what an event has."""
    return text.replace('""', '"') if '""event""' in text else text


def _names_task(text: str) -> bool:
    return _TASK.search(text) is not None and not _HANDLER.search(text)


def _cut_off() -> Refusal:
    return payload.unreadable(_("it is cut off, damaged, or in a notation that is not read here"))


def _unescape(line: str) -> Iterator[str]:
    """Yield what nginx (`\\x22`) has escaped, then also what others have: `\\"`, `\\u0026` of Go, `%3D`, `&quot;`."""
    if "event" not in line:
        return
    if _PERCENT.search(line):
        yield unquote_plus(line)
    if "&quot;" in line or "&#" in line:
        yield html.unescape(line)
    if "\\" in line:
        line = _HEX.sub(lambda match: bytes.fromhex(match[0].replace("\\x", "")).decode("utf-8", "replace"), line)
        yield line
        yield _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else match[2], line)


def _search(text: str) -> Iterator[tuple[int, int, bool, list[Item]]]:
    """Yield what has one of the notations, from where to where, whether it is an event itself, and the events in it."""
    position, tries, line_end = 0, 0, -1
    while start := _START.search(text, position):
        if start.lastgroup == "form":
            position = start.end()
            items = [] if _CUT.match(text, position) else list(_read_text(start[0], "", 0))
            yield start.start(), position, True, items
            continue
        if start.start() > line_end:
            tries, line_end = 0, text.find("\n", start.start()) % (len(text) + 1)
        try:
            if tries > MOST_TRIES:
                raise ValueError
            if start.lastgroup == "object":
                value, position = json.JSONDecoder().raw_decode(text, start.start())
            elif start.lastgroup == "literal":
                value, position = _read_literal(text, start.start())
            else:
                value, position = _read_array(text, start.end())
        except (ValueError, RecursionError):
            tries += 1
            position = start.start() + 1
            continue
        is_bare = start.lastgroup == "object" and _is_event(value)
        yield start.start(), position, is_bare, list(_read_record(value, "", 0))


def _read_array(text: str, position: int) -> tuple[dict[str, Any], int]:
    """Read what print_r or var_export wrote, from its first key on; return where it ends, too. Raise ValueError."""
    values: dict[str, Any] = {}
    while (position := _skip_blanks(text, position)) < len(text):
        if text[position] == ")":
            return values, position + 1
        key = _KEY.match(text, position)
        if not key:
            raise ValueError
        name = next(group for group in key.groups() if group is not None)
        position = key.end()
        if array := _ARRAY.match(text, position):
            values[name], position = _read_array(text, array.end())
            continue
        pattern = _LINE if key[1] is not None else _QUOTED if text.startswith("'", position) else _BARE
        value = pattern.match(text, position)
        if not value:
            raise ValueError
        values[name], position = value[value.lastindex or 0].strip(), value.end()
    raise ValueError


def _read_literal(text: str, position: int) -> tuple[dict[str, Any], int]:
    """Read what Python, Node or Ruby printed, from its bracket on; return where it ends, too. Raise ValueError."""
    closing = "}" if text[position] == "{" else "]"
    values: dict[str, Any] = {}
    position += 1
    while (position := _skip_blanks(text, position)) < len(text):
        if text[position] == closing:
            return values, position + 1
        name = str(len(values))  # of a list
        if key := _LITERAL_KEY.match(text, position):
            name, position = key[key.lastindex or 0], key.end()
        if text[position : position + 1] in ("{", "["):
            values[name], position = _read_literal(text, position)
        elif value := _LITERAL.match(text, position):
            values[name], position = value[value.lastindex or 0], value.end()
        else:
            raise ValueError
    raise ValueError


def _skip_blanks(text: str, position: int) -> int:
    while text[position : position + 1] in (" ", "\t", "\r", "\n", ","):
        position += 1
    return position


# records


def _read_record(value: Any, path: str, depth: int, name: str = "") -> Iterator[Item]:
    """Find the events in a JSON value; `name` is that of its field. Where a field repeats another, it is taken once."""
    if depth > MOST_DEPTH:
        return
    if isinstance(value, str):
        items = list(_read_text(value, path, depth + 1, name))
        is_body = value.lstrip().startswith(("event=", "{", "["))
        yield from items or ([(path, _cut_off())] if is_body and _names_task(value) else [])
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from _read_record(inner, f"{path}.{number}", depth + 1, name)
    elif _is_event(value):
        yield path, _read_body(_encode(json.dumps(value)))
    elif isinstance(value, dict):
        seen: set[Any] = set()
        for field, inner in _fields_of(value):
            items = list(_read_record(inner, path, depth + 1, field))
            yield from (item for item in items if _identify(item) not in seen)
            seen.update(map(_identify, items))
        if not seen and "handler" not in value and str(value.get("event", "")).upper() in payload.TASK_EVENTS:
            yield path, _read_body(_encode(json.dumps(value)))


def _fields_of(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a record that may have an event in them."""
    if record.get("isBase64Encoded") is True:  # what a function in a cloud is given
        with suppress(ValueError):
            yield "body", base64.b64decode(str(record.get("body"))).decode()
        return
    if record.get("encoding") == "base64" and "text" in record:  # of HAR
        with suppress(ValueError):
            yield "text", base64.b64decode(str(record["text"])).decode()
        return
    if "request" in record and "response" in record:  # of HAR; the answer may be a page with an example
        yield "request", record["request"]
        return
    params = record.get("params")
    if isinstance(params, list) and all(isinstance(param, dict) and "name" in param for param in params):  # HAR's form
        pairs = [(str(param["name"]), str(param.get("value", ""))) for param in params]
        if any(_ENCODED.search(key) for key, _value in pairs):  # Chrome leaves them encoded
            pairs = [(unquote_plus(key), unquote_plus(value)) for key, value in pairs]
        yield "text", urlencode(pairs, errors="replace")
    yield from record.items()


def _identify(item: Item) -> Any:
    place, entry = item
    return (entry.name, payload.task_of(entry), entry.sent_at) if isinstance(entry, Event) else (place, entry.message)


def _read_text(text: str, path: str, depth: int, name: str = "") -> Iterator[Item]:
    """Find the event that a text is; in a line of a log, those that stand in it."""
    text = text.strip()
    if name.lower() in LOG_FIELDS:
        for _start, _end, _is_bare, items in _search(text):
            yield from ((path + inner, item) for inner, item in items)
    elif text.startswith(("{", "[")):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return
        yield from _read_record(value, path, depth + 1)
    elif (form := _START.fullmatch(text)) and form.lastgroup == "form":
        text = text.rstrip(")]},;").replace("&amp;", "&")  # of a page
        pairs = [unquote_plus(pair).partition("=") for pair in text.split("&") if pair]
        is_whole = all(equals and _FIELD.fullmatch(key) for key, equals, _value in pairs)  # not an example with "&…"
        fields = {key: value for key, _equals, value in pairs}
        if is_whole and _NAME.fullmatch(fields.get("event", "")) and "handler" not in fields:  # which event.bind has
            yield path, _read_body(_encode(text))


def _is_event(value: Any) -> bool:
    """Whether this has the name of an event of Bitrix24 and its data."""
    name = value.get("event") if isinstance(value, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return False
    return any(key == "data" or key.startswith("data[") for key in value)


def _read_body(body: bytes) -> Event | Refusal:
    try:
        event = payload.read_body(body)
        payload.task_of(event)
    except Refusal as refusal:
        return refusal
    longer = [name for name in payload.TASK_EVENTS if name.startswith(event.name) and name != event.name]
    # the portal writes time and token last
    if longer or (b"event_handler_id=" in body and event.sent_at is None and not event.token):
        return _cut_off()
    return event
