"""From the bytes 1C sends to parsed JSON: encodings, form bodies, and where a text breaks off."""

from __future__ import annotations

import codecs
import json
import math
import re
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.onec.values import show, unquote

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JSON_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[]")
_BARE_FIELD = re.compile(rb"\s*[^=&{\[\s]*=(?=\s*[{\[])")
_ENCODED_FIELD = re.compile(rb"[^=]*=(?=(?:%ef%bb%bf)?(?:\s|\+|%20|%0[9ad])*(?:%7b|%5b))", re.IGNORECASE)
_MOST_FIELDS = 1000
_MOST_DIGITS = 100
_NEAR = 20
_NEAR_START = 4096  # where JSON begins, in whatever it is wrapped
# What the parser makes of many small values takes seconds, in which no other thread runs. The text of files has none
# of these signs but escapes, in base64 two for each line.
_MOST_SIGNS = 300_000
_MOST_ESCAPES = 4_000_000
_STEP = 2**20


def find_json(data: bytes) -> tuple[bytes, bool]:
    """The bytes of the JSON, and whether they were decoded from a form, where a plus sign means a space."""
    if data.startswith(_UTF16) or _JSON_START.match(data, 0, _NEAR_START):
        return data, False
    # a form put together by hand has nothing encoded in it
    if bare := _BARE_FIELD.match(data, 0, _NEAR_START):
        return data[bare.end() :], False
    fields = [(part, _ENCODED_FIELD.match(part, 0, _NEAR_START)) for part in data.split(b"&", _MOST_FIELDS)]
    values = [part[found.end() :] for part, found in fields if found]
    if len(values) != 1:
        return data, False
    if values[0].count(b"%") > _MOST_ESCAPES:
        raise _too_much()
    return unquote(values[0].replace(b"+", b" ")), True


def decode(data: bytes) -> str:
    """UTF-16 by its mark, UTF-8 with or without one, else windows-1251."""
    signs = escapes = 0
    for start in range(0, len(data), _STEP):  # in steps, between which other threads run
        signs += sum(data.count(sign, start, start + _STEP) for sign in b",[{")
        escapes += data.count(b"\\", start, start + _STEP)
        if signs > _MOST_SIGNS or escapes > _MOST_ESCAPES:
            raise _too_much()
    if data.startswith(_UTF16):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise errors.OrderError(_("the text is not valid UTF-16: the file is damaged or cut off")) from None
    body = data.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start]
        if body is data and before.isascii():
            return _decode_windows(data)
    # letters before the bad byte were UTF-8, so windows-1251 would turn them into garbage
    text = before.decode("utf-8")
    raise errors.OrderError(
        _("the text is not valid UTF-8 at line {line}, column {column}: the file is damaged or cut off").format(
            line=text.count("\n") + 1, column=len(text) - text.rfind("\n")
        )
    )


def _decode_windows(data: bytes) -> str:
    try:
        return data.decode("windows-1251")
    except UnicodeDecodeError:
        raise errors.OrderError(_("this is not text: neither UTF-8 nor UTF-16 nor windows-1251")) from None


def parse(text: str) -> Any:
    """Parsed JSON; numbers beyond all measure stay text, which no number's field accepts."""
    if not text[:_STEP].strip():
        raise errors.OrderError(_("the order is empty"))
    text = text.rstrip()
    try:
        # strict=False: JSON put together by hand has line breaks inside its strings
        return json.loads(text, strict=False, parse_int=_parse_int, parse_float=_parse_float)
    except RecursionError:
        raise errors.OrderError(_("the JSON is nested too deeply")) from None
    except json.JSONDecodeError as error:
        raise errors.OrderError(_describe(error)) from None


def _too_much() -> errors.OrderError:
    return errors.OrderError(
        _("the JSON holds more than {most} values, files aside").format(most=_MOST_SIGNS),
        _("Send the orders in several parts."),
        code=errors.ErrorCode.TOO_LARGE,
    )


def _parse_int(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _parse_float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _describe(error: json.JSONDecodeError) -> str:
    near = error.doc[error.pos : error.pos + _NEAR]
    if not near.strip() or error.msg.startswith("Unterminated string"):
        return _("the JSON breaks off at line {line}, column {column}: the file is not complete").format(
            line=error.lineno, column=error.colno
        )
    return _("this is not JSON: line {line}, column {column}, near {text}").format(
        line=error.lineno, column=error.colno, text=show(near)
    )
