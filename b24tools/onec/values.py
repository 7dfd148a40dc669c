"""One value of a 1C order: from the ways 1C writes it to what it means, or the reason why not.

Each `read_*` takes a value out of parsed JSON and raises ValueError with a line for the user.
Values that already have their type pass, so that the models can be built in code as well.
"""

from __future__ import annotations

import binascii
import json
import math
import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.names import drop_invisible, fold_signs, read_visibly

MOST_MINUTES = 10 * 365 * 24 * 60
MOST_MONEY = Decimal(10) ** 15
MOST_STAGES = 1_000_000
ZERO_GUID = "00000000-0000-0000-0000-000000000000"  # 1C's empty reference
MOST_SIGNS = 10_000  # of a text; folding a longer one stops all other threads
MOST_ESCAPES = 4_000_000
_SHOWN = 60

_YES = frozenset({"true", "да", "истина", "1", "y", "yes"})
_NO = frozenset({"false", "нет", "ложь", "0", "n", "no", ""})

_SPACES = " \u00a0\u202f\u2009"
_NUMBERS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"[-+]?(?:\d+|\d{{1,3}}(?:[{_SPACES}]\d{{3}})+)(?:[.,]\d+)?",
        r"[-+]?\d{1,3}(?:,\d{3})+\.\d+",
        r"[-+]?\d{1,3}(?:\.\d{3})+,\d+",
    )
)
_LONGEST_NUMBER = 40

_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|[-+]\d\d(?::?\d\d(?::?\d\d)?)?))?)?", re.ASCII
)
_BEFORE_YEAR_1 = re.compile(r"0000-12-31T\d\d:\d\d:\d\d(?:\.0+)?Z", re.ASCII)  # the empty date in UTC
_PRINTED = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})(?: (\d\d?):(\d\d)(?::(\d\d))?)?", re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?", re.ASCII)
# ФорматДатыJSON.Microsoft and .JavaScript: milliseconds, always of UTC; an offset says only where they were written
_MILLISECONDS = re.compile(r"(?:\\?/Date\((-?\d{1,15})(?:[-+]\d{4})?\)\\?/|new Date\((-?\d{1,15})\))", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EMPTY = datetime(1, 1, 3, tzinfo=UTC) - _EPOCH  # the empty date in any zone, which may lie before the year 1
# 1C's empty date, the same one through COM, that of Excel and OLE, and 1C's "never"
_NO_DATE = frozenset({(1, 1, 1), (100, 1, 1), (1899, 12, 30), (3999, 12, 31)})
_NO_DATE_ELSEWHERE = {  # the same in other zones
    *((3999, 12, 30), (4000, 1, 1), (1, 1, 2), (99, 12, 31), (100, 1, 2), (1899, 12, 29)),
}
_YEARS = range(1980, 2200)

_HEX_OF_GUID = "([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})"
# brackets and quotes, `urn:uuid:`, `guid'...'` of OData, `new УникальныйИдентификатор("...")`
_GUID = re.compile(rf"(?:\W|new|новый|urn|[ug]uid|уникальныйидентификатор)*{_HEX_OF_GUID}\W*")
_HAS_GUID = re.compile(rf"(?<![^\W_])(?:0x)?{_HEX_OF_GUID}(?![^\W_])|[0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]")
_LIKE_GUID = re.compile(r"\W*[^\W_]{8}(-?)[^\W_]{4}\1[^\W_]{4}\1[^\W_]{4}\1[^\W_]{12}\W*")
_LEAST_HEX = 26  # of the 32, for a text that looks like a GUID to be one misspelt
_LIKE_HEX = str.maketrans("авсе", "abce")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_BROKEN = re.compile("[\0\ud800-\udfff]")
_DATA_ADDRESS = re.compile(rb"data:[^,]{0,100};base64,", re.IGNORECASE)
_BASE64_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_ESCAPES_OF_BASE64 = {
    **{b"%2B": b"+", b"%2b": b"+", b"%2F": b"/", b"%2f": b"/", b"%3D": b"=", b"%3d": b"="},
    **{b"%0D": b"\r", b"%0d": b"\r", b"%0A": b"\n", b"%0a": b"\n"},
}
_BASE64_BLANKS = b" \t\r\n\v\f"
_HEX, _LEAST_DUMP = b"0123456789abcdefABCDEF", 64
_BLOCK = 1024 * 1024


def show(value: object) -> str:
    """A value as a message names it: as JSON, short, on one line."""
    if isinstance(value, dict):
        return _("an object")
    if isinstance(value, list):
        return _("a list")
    if isinstance(value, str) and len(value) > _SHOWN:
        value = value[: _SHOWN - 1] + "…"
    text = json.dumps(value, ensure_ascii=False, default=str)
    if not isinstance(value, str) and len(text) > _SHOWN:
        text = text[: _SHOWN - 1] + "…"
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def is_blank(value: object) -> bool:
    """Whether 1C says "nothing": null, or text without a character."""
    return value is None or (isinstance(value, str) and (not value or value.isspace()))


def has_broken_signs(value: object) -> bool:
    """Whether it is a text with NUL or half a surrogate pair; a longer one than a text may be is not looked at."""
    return isinstance(value, str) and len(value) <= MOST_SIGNS and bool(_BROKEN.search(value))


def _check_length(value: object) -> None:
    if isinstance(value, str) and len(value) > MOST_SIGNS and not value.isspace():
        text = _("{value} is longer than the {most} characters that a value may have")
        raise ValueError(text.format(value=show(value), most=MOST_SIGNS))


def read_code(value: object) -> str:
    """A required identifier or number: text, or a whole number taken as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return read_required_text(value)


def read_required_text(value: object) -> str:
    """Text that must hold something."""
    text = read_text(value)
    if text is None:
        raise ValueError(_("{value} is empty").format(value=show(value)))
    return text


def read_name(value: object) -> str:
    """A name in composed letters without invisible characters; its spaces are left, tasks are called so."""
    _check_length(value)
    return read_required_text(drop_invisible(value) if isinstance(value, str) else value)


def read_text(value: object) -> str | None:
    """One line of text; None when blank."""
    _check_length(value)
    if is_blank(value):
        return None
    if not isinstance(value, str):
        raise ValueError(_("{value} is not a text").format(value=show(value)))
    # 1C cuts strings by UTF-16 units, which leaves half of an emoji behind
    text = _HALF_PAIR.sub("\ufffd", value)
    return _CONTROL.sub(" ", text).strip() or None


def read_id(text: str) -> str:
    """Spell an identifier in its one canonical form.

    Whatever spells a GUID (braces, no dashes, `urn:uuid:`, upper case, spaces, letters and dashes that look like its
    own) becomes that GUID in lower case with dashes; any other text loses its case, its invisible characters and what
    makes one space look like another.
    """
    visible = read_visibly(text).lower()
    match = _GUID.fullmatch(_fold_guid(visible))
    return "-".join(match.groups()) if match else visible


def _fold_guid(text: str) -> str:
    """Without spaces, with the plain signs of a GUID for those that look like them."""
    text = fold_signs(text).lower().replace(" ", "").replace("_", "-")
    start = text.rfind("(") + 1 if "уникальныйидентификатор" in text else 0
    return text[:start] + text[start:].translate(_LIKE_HEX)


def _read_certain_id(value: object) -> str:
    """An identifier that is a GUID or has nothing of one: two spellings of one order would be two orders."""
    if has_broken_signs(value):
        raise ValueError(_("{value} has characters that are no text").format(value=show(value)))
    text = read_id(read_code(value))
    folded = _fold_guid(text)
    like = _LIKE_GUID.fullmatch(folded) and sum(char in "0123456789abcdef" for char in folded) >= _LEAST_HEX
    if not is_guid(text) and (like or _HAS_GUID.search(folded)):
        raise ValueError(
            _("{value} is not quite a GUID: send the 36 characters of the identifier and nothing else").format(
                value=show(value)
            )
        )
    return text


def is_guid(text: str) -> bool:
    """Whether a canonical identifier is a GUID."""
    return bool(_GUID.fullmatch(text)) and len(text) == len(ZERO_GUID)


def read_order_id(value: object) -> str:
    """The identifier of an order that has been saved, canonical."""
    text = _read_certain_id(value)
    if not text:
        raise ValueError(_("{value} is empty").format(value=show(value)))
    if text == ZERO_GUID:
        raise ValueError(
            _("{value} is an empty identifier: has the document been saved in 1C?").format(value=show(value))
        )
    return text


def read_position_id(value: object) -> str | None:
    """The identifier of a position, canonical; None when missing or the empty reference."""
    if is_blank(value):
        return None
    text = _read_certain_id(value)
    return None if text in ("", ZERO_GUID) else text


def read_flag(value: object) -> bool:
    """Yes or no in any of 1C's spellings; nothing is no."""
    _check_length(value)
    if (flag := _find_flag(value)) is None:
        raise ValueError(_("{value} is neither yes nor no").format(value=show(value)))
    return flag


def says_nothing(value: object) -> bool:
    """Whether it is no or nothing, as if it were not there."""
    return _find_flag(value) is False


def _find_flag(value: object) -> bool | None:
    if is_blank(value):
        return False
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    word = value.strip().casefold() if isinstance(value, str) and len(value) <= MOST_SIGNS else None
    return word in _YES if word in _YES or word in _NO else None


def _read_number(value: object) -> Decimal | None:
    """The number, None when it is none or could be read as two different ones."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if not isinstance(value, str) or len(value) > _LONGEST_NUMBER:
        return None
    text = value.strip().replace("−", "-")
    if not any(pattern.fullmatch(text) for pattern in _NUMBERS):
        return None
    for space in _SPACES:
        text = text.replace(space, "")
    if "," in text and "." in text:
        thousands = min(",.", key=text.index)
        text = text.replace(thousands, "")
    return Decimal(text.replace(",", "."))


def read_minutes(value: object) -> float:
    """Working time in minutes, zero included."""
    number = _read_number(value)
    if number is None:
        raise ValueError(_("{value} is not a number of minutes").format(value=show(value)))
    if number < 0:
        raise ValueError(_("{value} is a negative number of minutes").format(value=show(value)))
    if number > MOST_MINUTES:
        raise ValueError(_("{value} is more than ten years of minutes").format(value=show(value)))
    return abs(float(number))


def read_stage(value: object) -> int | None:
    """The place of an operation in the sequence; None when blank."""
    if is_blank(value):
        return None
    number = _read_number(value)
    if number is None or number != number.to_integral_value() or not 0 <= number <= MOST_STAGES:
        raise ValueError(
            _("{value} is not a whole number from 0 to {most}").format(value=show(value), most=MOST_STAGES)
        )
    return int(number)


def read_priority(value: object) -> int | None:
    """The place of an order among others, 1 first; None when blank or 0."""
    return read_stage(value) or None


def read_amount(value: object) -> Decimal | None:
    """A sum of money; None when blank."""
    if is_blank(value):
        return None
    number = _read_number(value)
    if number is None or abs(number) >= MOST_MONEY:
        raise ValueError(_("{value} is not a sum of money").format(value=show(value)))
    return number


def read_moment(value: object, zone: ZoneInfo) -> datetime | None:
    """A moment in `zone`; None when blank, or 1C's empty date or its "never"."""
    written = value if isinstance(value, datetime) else _read_written(value, zone)
    if written is None or written is value:
        return written
    return written.replace(tzinfo=zone) if written.tzinfo is None else written.astimezone(zone)


def read_day_or_moment(value: object, zone: ZoneInfo) -> datetime | None:
    """As `read_moment`, but a midnight in any zone is that calendar day: 1C's dates have no zone, a sender adds one."""
    written = None if isinstance(value, datetime) else _read_written(value, zone)
    if written is not None and written.time() == time.min:
        return written.replace(tzinfo=zone)
    return read_moment(value, zone)


def _read_written(value: object, zone: ZoneInfo) -> datetime | None:
    """The date as it is written: naive without a zone, None for no date; milliseconds in `zone`."""
    _check_length(value)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if is_blank(value) or _BEFORE_YEAR_1.fullmatch(text):
        return None
    try:
        if match := _MILLISECONDS.fullmatch(text):
            passed = timedelta(milliseconds=int(match[1] or match[2]))
            if passed < _EMPTY:
                return None
            written = (_EPOCH + passed).astimezone(zone)
        else:
            written = datetime.fromisoformat(_rewrite_as_iso(text))
    except (ValueError, OverflowError):
        raise ValueError(_("{value} is not a date").format(value=show(value))) from None
    day = written.year, written.month, written.day
    if day in _NO_DATE or (written.tzinfo and day in _NO_DATE_ELSEWHERE):
        return None
    if written.year not in _YEARS:
        raise ValueError(
            _("{value} is not in the years {first}-{last}").format(value=show(value), first=_YEARS[0], last=_YEARS[-1])
        )
    return written


def _rewrite_as_iso(text: str) -> str:
    """One of the accepted notations in the form datetime reads; "" for any other."""
    if _ISO.fullmatch(text):
        day, mark, rest = text[:10], text[10:11] and "T", text[11:]
        return day + mark + rest.replace(" ", "")
    if match := _COMPACT.fullmatch(text):
        year, month, day, *clock = match.groups(default="00")
    elif match := _PRINTED.fullmatch(text):
        day, month, year, *clock = match.groups(default="00")
    else:
        return ""
    # 1C prints the hour without a leading zero
    hour, minute, second = (part.zfill(2) for part in clock)
    return f"{year}-{month.zfill(2)}-{day.zfill(2)}T{hour}:{minute}:{second}"


def read_file_name(value: object) -> str:
    """The name of a file without its folders."""
    _check_length(value)
    text = read_required_text(_CONTROL.sub("", value) if isinstance(value, str) else value)
    # 1C may send the full path of the client's disk
    name = re.split(r"[\\/]", text)[-1].strip()
    if not name.strip("."):
        raise ValueError(_("{value} is not a file name").format(value=show(value)))
    return name


def read_content(value: object, *, from_form: bool = False) -> bytes:
    """Bytes out of base64: broken into lines, percent-encoded, in either alphabet, as a data: address."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise ValueError(_("{value} is not base64").format(value=show(value)))
    try:
        packed = value.encode("ascii")
        if b"%" in packed:
            for escape, sign in _ESCAPES_OF_BASE64.items():
                packed = packed.replace(escape, sign)
            packed = unquote(packed)
        if from_form and b" " in packed.strip():
            raise ValueError(
                _("{value} has spaces where a form loses plus signs; send + as %2B").format(value=show(value))
            )
        has_gaps = b" " in packed.strip() and _lacks_pluses(packed)
        # Base64Строка() breaks lines with CR and LF every 76 characters
        packed = packed.translate(None, _BASE64_BLANKS)
        if address := _DATA_ADDRESS.match(packed):
            packed = packed[address.end() :]
        if _is_dump(packed):
            raise ValueError(
                _("{value} looks like hexadecimal digits: send base64, as Base64Строка() writes it").format(
                    value=show(value)
                )
            )
        if len(packed) % 4 and not packed.translate(None, _BASE64_LETTERS):
            raise ValueError(
                _("{value} is not complete: base64 was cut off, or lacks the = at its end").format(value=show(value))
            )
        content = _decode_base64(packed)
        if has_gaps and not address:
            raise ValueError(
                _("{value} has spaces where its plus signs were; send base64 as Base64Строка() writes it").format(
                    value=show(value)
                )
            )
        return content
    except (UnicodeEncodeError, binascii.Error):
        raise ValueError(_("{value} is not base64").format(value=show(value))) from None


def _lacks_pluses(packed: bytes) -> bool:
    """Whether spaces may stand for the plus signs: there are none, and the parts between spaces are no lines."""
    if any(sign in packed for sign in (b"+", b"-", b"_")):
        return False
    lengths = list(map(len, packed.split()))
    return len(set(lengths[:-1])) > 1 or lengths[-1] > lengths[0]


def _is_dump(packed: bytes) -> bool:
    """Whether it is hexadecimal digits, of more than a few kinds: zeros alone are base64 of nothing but A."""
    digits = packed[2:] if packed.startswith((b"0x", b"0X")) else packed
    return (
        len(digits) >= _LEAST_DUMP
        and not digits[:_LEAST_DUMP].translate(None, _HEX + b"-")
        and not digits.translate(None, _HEX + b"-")
        and sum(digit in digits for digit in _HEX) > 5
    )


def _decode_base64(packed: bytes) -> bytes:
    """Strict but for the alphabet."""
    if b"+" not in packed and b"/" not in packed:
        packed = packed.translate(bytes.maketrans(b"-_", b"+/"))
    if len(packed) % 4:
        raise binascii.Error
    return binascii.a2b_base64(packed, strict_mode=True)


def unquote(data: bytes) -> bytes:
    """Percent-decoded, block by block: the standard function takes ten times the memory of a large file.

    Raise ValueError for more escapes than any text has.
    """
    if data.count(b"%") > MOST_ESCAPES:
        raise ValueError(_("more than {most} characters are written as %XX").format(most=MOST_ESCAPES))
    decoded = bytearray()
    start = 0
    while start < len(data):
        end = start + _BLOCK
        cut_escape = data.rfind(b"%", end - 2, end)
        end = end if cut_escape < 0 else cut_escape
        decoded += unquote_to_bytes(data[start:end])
        start = end
    return bytes(decoded)
