"""What an outgoing webhook of Bitrix24 sends, read with limits: a form with brackets in its names, or JSON.

An event tells only which task changed, never what (apidocs.bitrix24.com/api-reference/events). Reading happens
before the sender is known, so everything is bounded, and nothing a stranger sends may raise anything but `Refusal`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_plus

from b24tools.bitrix24 import php_query
from b24tools.core import errors
from b24tools.core.i18n import _

MOST_BYTES = 64 * 1024
MOST_PAIRS = 1_000
MOST_DEPTH = 8
HIDDEN = "***"
# The events that are taken, and where each has the task's id: the half that is missing is the text "undefined"
TASK_EVENTS = {
    "ONTASKADD": ("FIELDS_AFTER", "FIELDS_BEFORE"),
    "ONTASKUPDATE": ("FIELDS_AFTER", "FIELDS_BEFORE"),
    "ONTASKDELETE": ("FIELDS_BEFORE", "FIELDS_AFTER"),
}
_ID = re.compile(r"[0-9]{1,18}")
_STAMP = re.compile(r"[0-9]{9,11}")


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

    `sha256` is of the body without `auth`. Whether the event is of use is for `task_of` to say.
    """

    name: str
    data: Any
    token: str = field(repr=False)
    sent_at: datetime | None
    body: str
    sha256: str


def read_body(body: bytes, content_type: str = "", secrets: Collection[str] = ()) -> Event:
    """The event in a request's body. Raises Refusal 413 beyond the limits, 400 for what cannot be read.

    The form of the body decides how it is read; senders are careless about its type. `secrets` are
    hidden wherever they stand, and so is whatever is called a token.
    """
    if len(body) > MOST_BYTES:
        raise _too_much(_("more than {n} KiB").format(n=MOST_BYTES // 1024))
    try:
        text = body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _unreadable(_("it is not UTF-8")) from None
    if not text:
        raise _unreadable(_("it is empty"))
    if text.startswith(("{", "[")):
        found = _read_json(text)
        query = "&".join(_limited(_pairs_of(found)))
        stored, hashed = json.dumps(_hide(found, secrets)), json.dumps(_without_auth(found), sort_keys=True)
    else:
        _check_form(text, content_type)
        query = _with_plain_brackets(text)
        stored, hashed = _hide_in_form(text, query, secrets)
    values = _decode(query)
    auth = values.get("auth")
    stamp = _text(values.get("ts"))
    return Event(
        name=_hide(_text(values.get("event")).strip(), secrets).upper(),
        data=values.get("data"),
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
        raise _unreadable(_("it names no event"))
    halves = TASK_EVENTS.get(event.name)
    if halves is None:
        return None
    for half in halves:
        fields = event.data.get(half) if isinstance(event.data, dict) else None
        number = _text(fields.get("ID")).strip() if isinstance(fields, dict) else ""
        if _ID.fullmatch(number) and int(number) > 0:
            return int(number)
    raise Refusal(
        422,
        _("{event} has no task id in data[{half}][ID]").format(event=event.name, half=halves[0]),
        _("A task event of Bitrix24 looks like event=ONTASKUPDATE&data[FIELDS_AFTER][ID]=123&…"),
    )


def _unreadable(reason: str) -> Refusal:
    return Refusal(
        400,
        _("the body cannot be read: {reason}").format(reason=reason),
        _("Expected is what an outgoing webhook of Bitrix24 sends: a form with event, data[…] and auth[…], or JSON."),
    )


def _too_much(reason: str) -> Refusal:
    return Refusal(413, _("the body is beyond the limits: {reason}").format(reason=reason))


def _too_deep() -> Refusal:
    return _too_much(_("deeper than {n} levels").format(n=MOST_DEPTH))


def _too_many() -> Refusal:
    return _too_much(_("more than {n} pairs").format(n=MOST_PAIRS))


def _check_form(text: str, content_type: str) -> None:
    if "multipart/" in content_type.lower() or "=" not in text or text.startswith("<"):
        raise _unreadable(_("it is neither a form nor JSON"))
    if text.count("&") >= MOST_PAIRS:
        raise _too_many()


def _decode(query: str) -> dict[str, Any]:
    try:
        return php_query.decode(query, max_pairs=MOST_PAIRS, max_depth=MOST_DEPTH)
    except ValueError:  # the pairs are counted already; an index of thousands of digits is beyond all limits, too
        raise _too_deep() from None


def _read_json(text: str) -> Any:
    try:
        found = json.loads(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise _unreadable(_("it is not valid JSON")) from None
    if not isinstance(found, dict):
        raise _unreadable(_("it is JSON, but not an object"))
    return found


def _pairs_of(value: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """JSON, nested or with flat `data[ID]` names, as the pairs of a form."""
    if isinstance(value, dict | list):
        if depth >= MOST_DEPTH:
            raise _too_deep()
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _pairs_of(inner, f"{path}[{key}]" if path else str(key), depth + 1)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield f"{_quote(path)}={_quote(str(value))}"


def _limited(pairs: Iterator[str]) -> Iterator[str]:
    for number, pair in enumerate(pairs):
        if number >= MOST_PAIRS:
            raise _too_many()
        yield pair


def _quote(text: str) -> str:
    return quote(text, safe="", errors="replace")  # half a surrogate pair has no UTF-8 form


def _without_auth(found: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in found.items() if not _is_auth(key)}


def _is_auth(key: str) -> bool:
    return key == "auth" or key.startswith("auth[")


def _is_secret(key: str) -> bool:
    """Of an application there are access_token and refresh_token, too."""
    return "token" in key.lower()


def _hide(value: Any, secrets: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {
            _hide(key, secrets): HIDDEN if _is_secret(key) and inner else _hide(inner, secrets)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_hide(inner, secrets) for inner in value]
    return HIDDEN if any(secret in str(value) for secret in secrets) else value


def _with_plain_brackets(form: str) -> str:
    """The same form: names without escapes are read in a third of the time."""
    for escape, sign in (("%5B", "["), ("%5D", "]"), ("%5b", "["), ("%5d", "]")):
        form = form.replace(escape, sign)
    return form


def _hide_in_form(text: str, query: str, secrets: Collection[str]) -> tuple[str, str]:
    """The form with its secrets hidden, and the part of it that says what happened. `query`: with plain brackets."""
    shown, said = [], []
    for pair, plain in zip(text.split("&"), query.split("&"), strict=True):
        key = unquote_plus(plain.partition("=")[0])
        raw_key, equals, raw_value = pair.partition("=")
        if raw_value and _is_secret(key):
            pair = f"{raw_key}{equals}{HIDDEN}"
        shown.append(pair)
        if not _is_auth(key.lstrip()):
            said.append(pair)
    rest = unquote_plus("&".join(shown))
    if any(secret in rest for secret in secrets):  # hardly ever; asking each pair would take longer than all else
        shown, said = _hide_pairs(shown, secrets), _hide_pairs(said, secrets)
    return "&".join(shown), "&".join(said)


def _hide_pairs(pairs: Iterable[str], secrets: Collection[str]) -> list[str]:
    return [f"{HIDDEN}={HIDDEN}" if any(secret in unquote_plus(pair) for secret in secrets) else pair for pair in pairs]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
