"""Read what an outgoing webhook of Bitrix24 sends, with limits: a form with brackets in its names, or JSON.

An event tells only which task changed, never what (apidocs.bitrix24.com/api-reference/events). Reading happens
before the sender is known, so everything is bounded, and no body may raise anything but `Refusal`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from b24tools.bitrix24 import php_query
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.secrets import HIDDEN
from b24tools.core.sizes import format_size

MOST_BYTES = 64 * 1024
MOST_PAIRS = 1_000
MOST_DEPTH = 8
# The events that are taken, and where each has the task's id: the half that is missing is the text "undefined"
TASK_EVENTS = {
    "ONTASKADD": ("FIELDS_AFTER", "FIELDS_BEFORE"),
    "ONTASKUPDATE": ("FIELDS_AFTER", "FIELDS_BEFORE"),
    "ONTASKDELETE": ("FIELDS_BEFORE", "FIELDS_AFTER"),
}
_ID = re.compile(r"([0-9]{1,18})(?:\.0+)?")  # in JSON a number may have become 5.0
_STAMP = re.compile(r"[0-9]{9,11}")
_SEPARATOR = re.compile(r"%(26|3[dD])")


class Refusal(errors.B24ToolsError):
    """A body that is not taken; `status` is the HTTP status that says so."""

    code = errors.ErrorCode.BAD_EVENT
    exit_status = 2

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Event:
    """A body that could be read. `body` is its text with secrets hidden; `sent_at`: when the portal queued it.

    `sha256` is of the body without `auth`. Whether the event is about a task is for `task_of` to say.
    """

    name: str
    data: Any
    token: str = field(repr=False)
    sent_at: datetime | None
    body: str
    sha256: str


def read_body(body: bytes, content_type: str = "", scrub: Callable[[str], str] = str) -> Event:
    """Read the event in a request's body. Raises Refusal 413 beyond the limits, 400 for what cannot be read.

    The form of the body decides how it is read; senders are careless about its type. `scrub` takes
    out secrets wherever they stand; whatever is called a token is hidden, too.
    """
    if len(body) > MOST_BYTES:
        raise _too_much(_("more than {size}").format(size=format_size(MOST_BYTES)))
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        is_packed = body.startswith(b"\x1f\x8b") or (body[:1] == b"x" and int.from_bytes(body[:2]) % 31 == 0)
        raise unreadable(_("it is compressed; send it as it is") if is_packed else _("it is not UTF-8")) from None
    if not text:
        raise unreadable(_("it is empty"))
    is_json = text.startswith(("{", "["))
    if is_json:
        values = _read_json(text)
        pairs = list(_pairs_of(values))
        _check_count(len(pairs))
        stored = json.dumps(_hide(values, scrub))
        hashed = json.dumps({key: value for key, value in values.items() if not _is_auth(key)}, sort_keys=True)
    else:
        if "multipart/" in content_type.lower() or "=" not in text or text.startswith("<"):
            raise unreadable(_("it is neither a form nor JSON"))
        raw = text.split("&")
        _check_count(len(raw))
        pairs = _read_pairs(text)
        stored = _hide_pairs(raw, pairs, scrub)
        hashed = "&".join(part for part, (key, _value) in zip(raw, pairs, strict=True) if not _is_auth(key.lstrip()))
    try:
        fields = php_query.nest(pairs, max_depth=MOST_DEPTH)
    except ValueError:  # an index of thousands of digits is beyond all limits, too
        raise _too_deep() from None
    auth, stamp = _unpack(fields.get("auth")), _text(fields.get("ts"))
    data = _unpack(fields.get("data"))
    if isinstance(data, dict) and not data.keys() & {"FIELDS_AFTER", "FIELDS_BEFORE"}:
        data = {**data, "FIELDS_AFTER": data.get("FIELDS")}  # what the service before this one took
    return Event(
        name=scrub(_text(fields.get("event")).strip()).upper(),
        data=data,
        token=_text(auth.get("application_token")) if isinstance(auth, dict) else "",
        sent_at=datetime.fromtimestamp(int(stamp), UTC) if _STAMP.fullmatch(stamp) else None,
        body=stored,
        sha256=hashlib.sha256(hashed.encode()).hexdigest(),
    )


def task_of(event: Event) -> int | None:
    """The task that an event is about; None for events that are not taken.

    Raises Refusal: 400 for a body that names no event, 422 for a task event without the id.
    """
    if not event.name:
        raise unreadable(_("it names no event"))
    halves = TASK_EVENTS.get(event.name)
    if halves is None:
        return None
    for half in halves:
        fields = _unpack(event.data.get(half)) if isinstance(event.data, dict) else None
        number = _ID.fullmatch(_text(fields.get("ID")).strip()) if isinstance(fields, dict) else None
        if number and int(number[1]) > 0:
            return int(number[1])
    raise Refusal(
        422,
        _("{event} has no task id in data[{half}][ID]").format(event=event.name, half=halves[0]),
        _("A task event of Bitrix24 looks like event=ONTASKUPDATE&data[FIELDS_AFTER][ID]=123&…"),
    )


def unreadable(reason: str) -> Refusal:
    """Return the refusal of a body that cannot be read."""
    return Refusal(
        400,
        _("the body cannot be read: {reason}").format(reason=reason),
        _("Expected is what an outgoing webhook of Bitrix24 sends: a form with event, data[…] and auth[…], or JSON."),
    )


def _too_much(reason: str) -> Refusal:
    return Refusal(413, _("the body is beyond the limits: {reason}").format(reason=reason))


def _check_count(pairs: int) -> None:
    if pairs > MOST_PAIRS:
        raise _too_much(_("more than {n} pairs").format(n=MOST_PAIRS))


def _too_deep() -> Refusal:
    return _too_much(_("deeper than {n} levels").format(n=MOST_DEPTH))


def _read_json(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise unreadable(_("it is not valid JSON")) from None
    if not isinstance(values, dict):
        raise unreadable(_("it is JSON, but not an object"))
    return values


def _unpack(value: Any) -> Any:
    """Return the fields of an object that came as text: JSON inside of JSON, or of a form."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        pairs = list(_pairs_of(_read_json(value)))
        return php_query.nest(pairs, max_depth=MOST_DEPTH) if len(pairs) <= MOST_PAIRS else value
    except (Refusal, ValueError):
        return value


def _read_pairs(form: str) -> list[tuple[str, str]]:
    """Read a form's pairs; it is decoded in one go unless that would add an `&` or `=` to those between them."""
    if _SEPARATOR.search(form) is None:
        return [(key, value) for key, _equals, value in (part.partition("=") for part in unquote_plus(form).split("&"))]
    parts = (part.partition("=") for part in form.split("&"))
    return [(unquote_plus(key), unquote_plus(value)) for key, _equals, value in parts]


def _pairs_of(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Read JSON, nested or with flat `data[ID]` names, as the pairs of a form."""
    if isinstance(value, dict | list):
        if depth >= MOST_DEPTH:
            raise _too_deep()
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _pairs_of(inner, f"{path}[{key}]" if path else str(key), depth + 1)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        # half a surrogate pair has no UTF-8 form
        yield path.encode("utf-8", "replace").decode(), str(value).encode("utf-8", "replace").decode()


def _is_auth(key: str) -> bool:
    return key == "auth" or key.startswith("auth[")


def _is_secret(key: str) -> bool:
    """Whether a field holds a token; of an application there are access_token and refresh_token, too."""
    return "token" in key.lower()


def _holds_token(text: str) -> bool:
    """Whether a text is an object with a token."""
    return text.lstrip().startswith("{") and _is_secret(text)


def _hide(value: Any, scrub: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            scrub(key): HIDDEN if _is_secret(key) and inner else _hide(inner, scrub) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_hide(inner, scrub) for inner in value]
    if isinstance(value, str):
        return HIDDEN if _holds_token(value) else scrub(value)
    return value if scrub(str(value)) == str(value) else HIDDEN


def _hide_pairs(raw: Sequence[str], pairs: Sequence[tuple[str, str]], scrub: Callable[[str], str]) -> str:
    """Hide what is secret in the pairs of a form, given as they came and decoded; mostly names alone tell it."""
    shown, plain = list(raw), []
    for number, (key, value) in enumerate(pairs):
        if value and (_is_secret(key) or _holds_token(value)):
            shown[number], value = f"{raw[number].partition('=')[0]}={HIDDEN}", HIDDEN
        plain.append(f"{key}={value}")
    everything = "&".join([*shown, *plain])
    if scrub(everything) == everything:
        return "&".join(shown)
    return "&".join("=".join(map(scrub, part.split("=", 1))) for part in shown)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
