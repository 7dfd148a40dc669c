"""PHP's and MySQL's ways with values, as far as the portal shows them through REST."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final


class RawDateTime:
    """A DateTime object the portal forgot to format: it leaves as `{}`."""


ISO_DATE: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
SITE_DATE: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?: +(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
US_DATE: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: +(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
SITE_PART: Final = re.compile("YYYY|MM|DD|HH|H|MI|SS|TT|T")
LEADING_INT: Final = re.compile(r"\s*([+-]?\d+)")
ESCAPED: Final = re.compile(r"\\(.)")
HTML: Final = {
    "/": "\\/",
    "<": "\\u003C",
    ">": "\\u003E",
    "&": "\\u0026",
    "'": "\\u0027",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def to_int(value: Any) -> int:
    """`(int)$value`: leading digits of a string, 1 for a non-empty array."""
    if isinstance(value, (bool, int, float)):
        return int(value)
    if isinstance(value, str):
        found = LEADING_INT.match(value)
        return int(found[1]) if found else 0
    if isinstance(value, (dict, list)):
        return 1 if value else 0
    return 0


def to_text(value: Any) -> str:
    """`(string)$value`."""
    if isinstance(value, bool):
        return "1" if value else ""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return "Array"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def is_true(value: Any) -> bool:
    """Truthiness: the strings "" and "0" are false, "false" is true."""
    return bool(value) and value != "0"


def is_array(value: Any) -> bool:
    """JSON lists and objects are the same thing in PHP."""
    return isinstance(value, (dict, list))


def is_scalar(value: Any) -> bool:
    """Text, numbers and booleans; null is not one."""
    return isinstance(value, (str, int, float))


def values(value: Any) -> list[Any]:
    """The values of an array; a scalar stands for a list of itself."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]


def items(value: Any) -> Iterator[tuple[str, Any]]:
    """Keys and values of an array; a list has the keys 0, 1, 2…"""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield str(index), inner


def upper_keys(params: Any) -> dict[str, Any]:
    """`array_change_key_case(…, CASE_UPPER)`: for methods that take their parameters in any case."""
    return {key.upper(): value for key, value in items(params)}


def fold(text: str) -> str:
    """What MySQL's utf8_unicode_ci compares: no case, ё = е, trailing spaces do not count."""
    return text.casefold().replace("ё", "е").rstrip(" ")


def like(mask: str) -> re.Pattern[str]:
    """A LIKE mask as a pattern over folded text."""
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in fold(mask))
    return re.compile("".join(parts), re.DOTALL)


def _moment(parts: Sequence[Any], zone: tzinfo) -> int | None:
    year, month, day, hour, minute, second = (int(part or 0) for part in parts)
    if not (year >= 1 and 1 <= month <= 12 and day <= 31 and hour <= 24 and minute < 60 and second < 60):
        return None
    # strtotime lets days run over: February 30 is March 1 or 2
    try:
        at = datetime(year, month, 1, tzinfo=zone) + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)
        return int(at.timestamp())
    except (OverflowError, ValueError):
        return None


def _zone_of(offset: str, default: tzinfo) -> tuple[tzinfo, int]:
    """The zone to read the clock in, and the seconds to take off afterwards."""
    if not offset:
        return default, 0
    if offset in ("Z", "UTC", "GMT"):
        return UTC, 0
    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "")
    return UTC, sign * (int(digits[:2]) * 3600 + int(digits[2:]) * 60)


def strtotime(text: str, now: datetime, zone: tzinfo) -> int | None:
    """`strtotime()` for the forms that are used with a portal; None where PHP says false.

    Without an offset the clock is the server's; `d.m.Y` works, `m/d/Y` is American.
    """
    text = text.strip()
    if found := ISO_DATE.fullmatch(text):
        clock, shift = _zone_of(found[7] or "", zone)
        at = _moment(found.groups()[:6], clock)
        return None if at is None else at - shift
    if found := SITE_DATE.fullmatch(text):
        return _moment((found[3], found[2], found[1], *found.groups()[3:]), zone)
    if found := US_DATE.fullmatch(text):
        return _moment((found[3], found[1], found[2], *found.groups()[3:]), zone)
    if text.startswith("@") and text[1:].lstrip("-").isdigit():
        return int(text[1:])
    return _by_word(text.lower(), now, zone)


def _by_word(word: str, now: datetime, zone: tzinfo) -> int | None:
    days = {"today": 0, "midnight": 0, "tomorrow": 1, "yesterday": -1}
    if word == "now":
        return int(now.timestamp())
    if word in days:
        midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return int((midnight + timedelta(days=days[word])).timestamp())
    return None


def site_text(clock: datetime, notation: str) -> str:
    """A date in one of the site's formats: `H` and `T` are the twelve-hour clock, `HH` is the other one."""
    values = {
        "YYYY": f"{clock:%Y}",
        "MM": f"{clock:%m}",
        "DD": f"{clock:%d}",
        "HH": f"{clock:%H}",
        "H": f"{clock:%I}",
        "MI": f"{clock:%M}",
        "SS": f"{clock:%S}",
        "TT": "AM" if clock.hour < 12 else "PM",
        "T": "am" if clock.hour < 12 else "pm",
    }
    return SITE_PART.sub(lambda found: values[found[0]], notation)


def _is_list(value: Mapping[str, Any]) -> bool:
    return all(key == str(index) for index, key in enumerate(value))


def _as_php(value: Any) -> Any:
    if isinstance(value, dict):
        if not value:
            return []
        if "0" in value and _is_list(value):
            return [_as_php(inner) for inner in value.values()]
        return {key: inner if isinstance(inner, str) else _as_php(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_php(inner) for inner in value]
    return {} if isinstance(value, RawDateTime) else value


def to_json(value: Any) -> bytes:
    """As the portal writes JSON: an empty map is `[]`, a map 0, 1, 2… a list, `\\/`, `\\u003C`, raw Cyrillic."""
    text = json.dumps(_as_php(value), ensure_ascii=False, separators=(",", ":"))
    text = ESCAPED.sub(lambda found: "\\u0022" if found[1] == '"' else found[0], text)
    for sign, escape in HTML.items():  # str.translate takes a hundred times as long
        text = text.replace(sign, escape)
    return text.encode("utf-8", "replace")
