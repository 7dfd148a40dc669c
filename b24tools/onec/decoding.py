"""From the bytes 1C sends to parsed JSON: compression, form bodies, encodings, and where a text breaks off."""

from __future__ import annotations

import codecs
import json
import math
import re
import zlib
from contextlib import suppress
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.onec.values import MOST_ESCAPES, show, unquote

COMPRESSIONS = ("gzip", "x-gzip", "deflate")
_GZIP = b"\x1f\x8b"
_ZLIB = (b"x\x9c", b"x\xda")
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # UTF-32-LE begins as UTF-16-LE does
_CYRILLIC = ("cp1251", "cp866", "koi8-r", "iso8859-5")
_KEYS = ("Калькуляция", "КАЛЬКУЛЯЦИЯ", "калькуляция", "Должность", "ДОЛЖНОСТЬ", "должность")
_JSON_START = re.compile(rb"(?:\xef\xbb\xbf)*\s*[{\[]")
_BARE_FIELD = re.compile(rb"\s*[^=&{\[\s]*=(?=\s*[{\[])")
_ENCODED_FIELD = re.compile(rb"(?:[^=]*=)?(?=(?:%ef%bb%bf)*(?:\s|\+|%20|%0[9ad])*(?:%7b|%5b))", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_ARCHIVES = {
    **{b"PK\x03\x04": "ZIP", b"%PDF": "PDF", b"Rar!": "RAR", b"7z\xbc\xaf": "7z", b"\x28\xb5\x2f\xfd": "zstd"},
    **{b"\xfd7zXZ\0": "xz", b"BZh": "bzip2", b"\x04\x22\x4d\x18": "lz4", b"x\x9c": "zlib", b"x\xda": "zlib"},
    _GZIP: "gzip",
}
_BASE64_START = re.compile(r"(?:77u/)?(?:ey[A-L]|ew[0o]|W[13wy])[A-Za-z0-9+/\r\n]{9,}$")  # of an object, of a list
_INTERNAL = re.compile(r'\s*\{\s*"[#A-ZА-Я]"\s*,')
_MOST_FIELDS = 1000
_MOST_DIGITS = 100  # of a number that is read as one
_LONGEST_KEY = 100_000
_DIGITS = 10_000  # a number with so many digits in a row is none
_NEAR = 20
_NEAR_START = 4096  # where JSON begins, in whatever it is wrapped
# What the parser makes of many small values takes seconds, in which no other thread runs. The text of files has none
# of these signs but escapes, in base64 two for each line.
_MOST_SIGNS = 300_000
_STEP = 2**20


def list_compressions(header: str) -> list[str]:
    """The names in a Content-Encoding that mean a compression."""
    names = (name.strip().lower() for name in header.split(","))
    return [name for name in names if name not in ("", "identity")]


def unpack(data: bytes, header: str, most: int) -> bytes:
    """The body without the compression that Content-Encoding names, or a file's without its gzip.

    At most one byte more than `most`, however much is packed in it. What only pretends to be gzip, because a proxy has
    unpacked it, is left as it is.
    """
    unpacked = _unpack_once(data, header, most)
    if unpacked is not data and unpacked.startswith((_GZIP, *_ZLIB)):
        raise errors.OrderError(_("the order is compressed twice: compress it once, or send the JSON as it is"))
    return unpacked


def _unpack_once(data: bytes, header: str, most: int) -> bytes:
    if "deflate" in list_compressions(header) and not _JSON_START.match(data) and data:
        has_header = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2]) % 31 == 0
        return _inflate(data, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS, most)
    return _inflate(data, zlib.MAX_WBITS + 16, most) if data.startswith(_GZIP) else data


def _inflate(data: bytes, bits: int, most: int) -> bytes:
    unpacked = bytearray()
    while data and len(unpacked) <= most:
        unpacker = zlib.decompressobj(bits)
        try:
            unpacked += unpacker.decompress(data, most + 1 - len(unpacked))
            data = unpacker.unused_data
            if data and not data.startswith(_GZIP):  # gzip files may be written one after the other
                raise zlib.error
        except zlib.error:
            raise errors.OrderError(_("the compressed order is damaged: it cannot be unpacked")) from None
        if not unpacker.eof and len(unpacked) <= most:
            raise errors.OrderError(_("the compressed order is not complete: it was cut off"))
    return bytes(unpacked)


def find_json(data: bytes) -> tuple[bytes, bool]:
    """The bytes of the JSON, and whether they were decoded from a form, where a plus sign means a space."""
    if data.startswith(_WIDE_MARKS) or b"\0" in data[:4] or _JSON_START.match(data, 0, _NEAR_START):
        return data, False
    # a form put together by hand has nothing encoded in it
    if bare := _BARE_FIELD.match(data, 0, _NEAR_START):
        return data[bare.end() :], False
    fields = [(part, _ENCODED_FIELD.match(part, 0, _NEAR_START)) for part in data.split(b"&", _MOST_FIELDS)]
    values = [part[match.end() :] for part, match in fields if match]
    if len(values) != 1:
        return data, False
    try:
        return unquote(values[0].replace(b"+", b" ")), True
    except ValueError as error:
        raise _too_much(str(error)) from None


def find_charset(content_type: str) -> str:
    """The charset of a Content-Type; "" without one."""
    match = _CHARSET.search(content_type)
    return match[1] if match else ""


def decode(data: bytes, charset: str = "") -> str:
    """UTF-8, UTF-16 and UTF-32 with their marks or without; else the encoding in which the words of an order appear.

    `charset` decides where there are no such words.
    """
    signs = escapes = 0
    for start in range(0, len(data), _STEP):  # in steps, between which other threads run
        signs += sum(data.count(sign, start, start + _STEP) for sign in b",[{")
        escapes += data.count(b"\\", start, start + _STEP)
        if signs > _MOST_SIGNS:
            raise _too_much(_("the JSON holds more than {most} values, files aside").format(most=_MOST_SIGNS))
        if escapes > MOST_ESCAPES:
            raise _too_much(
                _("more than {most} characters are written as \\uXXXX, \\n or \\/").format(most=MOST_ESCAPES)
            )
    body = data
    while body.startswith(codecs.BOM_UTF8):
        body = body[len(codecs.BOM_UTF8) :]
    if wide := _find_wide(body):
        try:
            return body.decode(wide).lstrip("\ufeff")
        except UnicodeDecodeError:
            name = wide[: len("utf-16")].upper()
            message = _("the text is not valid {encoding}: the file is damaged or cut off").format(encoding=name)
            raise errors.OrderError(message) from None
    for magic, kind in _ARCHIVES.items():
        if body.startswith(magic):
            raise errors.OrderError(_("this is a file of the format {kind}: send the JSON itself").format(kind=kind))
    try:
        return _decode_in_steps(body)
    except UnicodeDecodeError as error:
        if _is_raw_deflate(body):
            text = _("this is compressed (deflate) without a word of it: send Content-Encoding: deflate, or the JSON")
            raise errors.OrderError(text) from None
        before = body[: error.start]
        if body is data and before.isascii() and error.reason != "unexpected end of data":
            return _decode_cyrillic(data, charset)
    # letters before the bad byte were UTF-8, so another encoding would turn them into garbage
    text = before.decode("utf-8")
    raise errors.OrderError(
        _("the text is not valid UTF-8 at line {line}, column {column}: the file is damaged or cut off").format(
            line=text.count("\n") + 1, column=len(text) - text.rfind("\n")
        )
    )


def _decode_in_steps(data: bytes) -> str:
    """Decode UTF-8 so that other threads run meanwhile. Raise UnicodeDecodeError with the place in all of it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        parts = [decoder.decode(data[start : start + _STEP]) for start in range(0, len(data), _STEP)]
        return "".join([*parts, decoder.decode(b"", final=True)])
    except UnicodeDecodeError:
        return data.decode("utf-8")


def _is_raw_deflate(data: bytes) -> bool:
    """Whether JSON comes out of it; deflate without a header has no mark."""
    try:
        start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[:_NEAR_START], _NEAR_START)
    except zlib.error:
        return False
    return bool(_JSON_START.match(start))


def _find_wide(data: bytes) -> str:
    """The encoding of two or four bytes a character that the mark or the first characters show, which are ASCII."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = bytes(map(bool, data[:4]))
    wide = {b"\1\0\0\0": "utf-32-le", b"\0\0\0\1": "utf-32-be", b"\1\0": "utf-16-le", b"\0\1": "utf-16-be"}
    return wide.get(head) or wide.get(head[:2], "")


def _decode_cyrillic(data: bytes, charset: str) -> str:
    with suppress(UnicodeDecodeError, LookupError):
        for name in _CYRILLIC:
            if any(key.encode(name) in data for key in _KEYS):
                return data.decode(name)
        if charset and codecs.lookup(charset).name in _CYRILLIC:
            return data.decode(charset)
    raise errors.OrderError(
        _("the text is not UTF-8, and no encoding known here gives the keys of an order: send it in UTF-8")
    )


def parse(text: str) -> Any:
    """Parsed JSON; numbers beyond all measure stay text, which no number's field accepts."""
    if not text[:_STEP].strip():
        raise errors.OrderError(_("the order is empty"))
    text = text.rstrip()
    _check_numbers(text)
    try:
        # strict=False: JSON put together by hand has line breaks inside its strings
        return json.loads(
            text, strict=False, parse_int=_parse_int, parse_float=_parse_float, object_pairs_hook=make_object
        )
    except RecursionError:
        raise errors.OrderError(_("the JSON is nested too deeply")) from None
    except json.JSONDecodeError as error:
        raise errors.OrderError(_describe(error)) from None


class Twice(tuple[Any, ...]):
    """The values of a key that stands more than once in its object: which of them counts, is not ours to guess."""

    __slots__ = ()


def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON, with `Twice` for what stands under one key more than once. Raise OrderError."""
    members = dict(pairs)
    if (longest := max(members, key=len, default="")) and len(longest) > _LONGEST_KEY:
        text = _("the key {key} is longer than the {most} characters that a key may have")
        raise errors.OrderError(text.format(key=show(longest), most=_LONGEST_KEY))
    if len(members) < len(pairs):
        by_key: dict[str, list[Any]] = {}
        for key, value in pairs:
            by_key.setdefault(key, []).append(value)
        members = {key: Twice(given) if len(given) > 1 else given[0] for key, given in by_key.items()}
    return members


def _too_much(message: str) -> errors.OrderError:
    return errors.OrderError(message, _("Send the orders in several parts."), code=errors.ErrorCode.TOO_LARGE)


def _check_numbers(text: str) -> None:
    """Refuse numbers without end: the parser copies them while no other thread runs. Raise OrderError."""
    was_digits = False
    for start in range(0, len(text) - _DIGITS, _DIGITS):  # twice as many in a row fill one of these
        is_digits = text[start : start + _DIGITS].isdigit()
        if is_digits and not was_digits:
            first = max(0, start - 3 * _DIGITS)
            before = text[first:start].rstrip("0123456789.+-eE").rstrip()
            if before.endswith((":", ",", "[")) or not (first or before):  # else it is in a text or a file
                raise errors.OrderError(
                    _("a number of more than {most} digits stands at line {line}").format(
                        most=_DIGITS, line=text.count("\n", 0, start) + 1
                    ),
                    code=errors.ErrorCode.TOO_LARGE,
                )
        was_digits = is_digits


def _parse_int(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _parse_float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _describe(error: json.JSONDecodeError) -> str:
    start = error.doc.lstrip()[:_NEAR]
    near = error.doc[error.pos : error.pos + _NEAR]
    if not near.strip() or error.msg.startswith("Unterminated string"):
        return _("the JSON breaks off at line {line}, column {column}: the file is not complete").format(
            line=error.lineno, column=error.colno
        )
    message = _("this is not JSON: line {line}, column {column}, near {text}").format(
        line=error.lineno, column=error.colno, text=show(near)
    )
    if start.startswith("<"):
        message += _("; it is XML or HTML, send the order with ЗаписатьJSON")
    elif _INTERNAL.match(start):
        message += _("; it is 1C's internal form (ЗначениеВСтрокуВнутр), send the order with ЗаписатьJSON")
    elif start.startswith("--"):
        message += _("; it is a form of several parts (multipart/form-data), send the JSON itself as the body")
    elif _BASE64_START.match(start):
        message += _("; it is base64, send the JSON itself as the body")
    elif near.startswith("new Date("):
        message += _("; write dates as ISO (ФорматДатыJSON.ISO)")
    elif error.msg.startswith("Extra data") and near.startswith(("{", "[")):
        message += _("; several orders belong into one list: [{…}, {…}]")
    return message
