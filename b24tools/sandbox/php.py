"""PHP's, MySQL's and Bitrix24's ways with values, as far as the portal shows them through REST."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any, Final

SITE_DATE: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?: +(\d{1,2}):(\d{2})(?::(\d{2}))?)?")
SITE_PART: Final = re.compile("YYYY|MM|DD|HH|H|MI|SS|TT|T")
LEADING_INT: Final = re.compile(r"\s*([+-]?\d+)")
ESCAPED: Final = re.compile(r"\\(.)")
ESCAPES: Final = {"/": "\\/"} | {sign: f"\\u{ord(sign):04X}" for sign in "<>&'\u2028\u2029"}


def to_int(value: Any) -> int:
    """Convert as `(int)$value`: leading digits of a string, 1 for a non-empty array."""
    if isinstance(value, str):
        match = LEADING_INT.match(value)
        return int(match[1]) if match else 0
    return int(value) if isinstance(value, (int, float)) else int(bool(value))


def to_text(value: Any) -> str:
    """Convert as `(string)$value`."""
    if isinstance(value, bool) or value is None:
        return "1" if value else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "Array" if is_array(value) else str(value)


def is_true(value: Any) -> bool:
    """Tell the truth of a value: the strings "" and "0" are false, "false" is true."""
    return bool(value) and value != "0"


def is_array(value: Any) -> bool:
    """Tell an array: JSON lists and objects are the same thing in PHP."""
    return isinstance(value, (dict, list))


def values(value: Any) -> list[Any]:
    """List the values of an array; a scalar stands for a list of itself."""
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]


def items(value: Any) -> Iterator[tuple[str, Any]]:
    """Give keys and values of an array; a list has the keys 0, 1, 2…"""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield str(key), inner


def upper_keys(params: Any) -> dict[str, Any]:
    """Write keys in capitals: some methods take their parameters in any case."""
    return {key.upper(): value for key, value in items(params)}


def fold(text: str) -> str:
    """Fold a text as MySQL's utf8_unicode_ci compares it: no case, ё = е, trailing spaces do not count."""
    return text.casefold().replace("ё", "е").rstrip(" ")


def like(mask: str) -> re.Pattern[str]:
    """Compile a LIKE mask to a pattern over folded text."""
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in fold(mask))
    return re.compile("".join(parts), re.DOTALL)


def camel(name: str) -> str:
    """Name a key as the portal does: `UF_AUTO_1` → `ufAuto1`."""
    first, *rest = name.lower().split("_")
    return first + "".join(part.capitalize() for part in rest)


def strtotime(text: str, zone: tzinfo) -> int | None:
    """Read a date in ISO's or the site's form; None where PHP says false. Without an offset it is in this zone."""
    text = text.strip()
    try:
        if match := SITE_DATE.fullmatch(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in match.groups())
            moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        else:
            moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError):
        return None


def site_text(clock: datetime, notation: str) -> str:
    """Write a date in one of the site's formats: `H` and `T` are the twelve-hour clock, `HH` is the other one."""
    half = "AM" if clock.hour < 12 else "PM"
    parts = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "H": "%I", "MI": "%M", "SS": "%S"}
    parts |= {"TT": half, "T": half.lower()}
    return clock.strftime(SITE_PART.sub(lambda match: parts[match[0]], notation))


def to_json(value: Any) -> bytes:
    """Write JSON as the portal does: an empty map is `[]`, a map 0, 1, 2… a list, `\\/`, `\\u003C`, raw Cyrillic."""
    text = json.dumps(_as_php(value), ensure_ascii=False, separators=(",", ":"))
    text = ESCAPED.sub(lambda match: "\\u0022" if match[1] == '"' else match[0], text)
    for sign, escape in ESCAPES.items():  # str.translate takes a hundred times as long
        text = text.replace(sign, escape)
    return text.encode("utf-8", "replace")


def _as_php(value: Any) -> Any:
    if isinstance(value, dict):
        if all(key == str(index) for index, key in enumerate(value)):
            return [_as_php(inner) for inner in value.values()]
        return {key: inner if isinstance(inner, str) else _as_php(inner) for key, inner in value.items()}
    return [_as_php(inner) for inner in value] if isinstance(value, (list, tuple)) else value
