"""The user's calendar.json: days that differ from the official production calendar, or that it does not know."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.scheduling.calendar import DAY_OFF, DAY_S, HOUR_S, DayRule, Shift
from b24tools.scheduling.portal_hours import read_day

CHECKED = "checked"

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–—]\s*(\d{1,2}):(\d{2})")
_AS = re.compile(r"(?:as|как)\s+(\w+)")

_WORKED = DayRule(worked=True)
_SHORT = DayRule(worked=True, shorter_s=HOUR_S)
_RULES: Mapping[str, DayRule] = {
    "off": DAY_OFF,
    "work": _WORKED,
    "short": _SHORT,
    "выходной": DAY_OFF,
    "рабочий": _WORKED,
    "короткий": _SHORT,
    "сокращенный": _SHORT,
}
_WEEKDAYS: Mapping[str, int] = {
    name: number
    for names in (
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"),
    )
    for number, name in enumerate(names, 1)
}


@dataclass(frozen=True)
class OwnDays:
    """What calendar.json says: the days, and the years whose days off the user vouches for."""

    days: Mapping[date, DayRule] = field(default_factory=dict)
    checked: frozenset[int] = frozenset()


def parse(raw: bytes, name: str) -> OwnDays:
    """The days of a calendar.json; `name` is what errors call it.

    An object: `{"2026-12-31": "off", "2027-01-09": "work", "2026-12-30": "short", "2027-03-06": "9:00-15:00",
    "2027-05-08": "as friday", "checked": [2027]}`. UTF-8 or UTF-16 with their marks, or windows-1251.
    Raises ConfigError naming the key, the value and what was expected.
    """
    try:
        pairs = json.loads(decode(raw), object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise _wrong(name, _("it is not JSON ({reason})").format(reason=error)) from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise _wrong(name, _("an object was expected, of days and what they are"))
    days: dict[date, DayRule] = {}
    checked: frozenset[int] = frozenset()
    for key, value in pairs:
        if key.strip().lower() == CHECKED:
            checked |= _years(name, key, value)
            continue
        day, is_yearly = read_day(key.strip())
        if day is None or is_yearly:
            raise _wrong(name, _("{key!r} is not a day like 2026-12-31").format(key=key))
        if day in days:
            raise _wrong(name, _("the day {key!r} comes twice").format(key=key))
        days[day] = _rule(name, key, value)
    return OwnDays(days, checked)


def _rule(name: str, key: str, value: Any) -> DayRule:
    words = " ".join(value.lower().replace("ё", "е").split()) if isinstance(value, str) else ""
    if words in _RULES:
        return _RULES[words]
    if (match := _AS.fullmatch(words)) and match[1] in _WEEKDAYS:
        return DayRule(as_weekday=_WEEKDAYS[match[1]])
    if words and (shifts := _shifts(words)):
        return DayRule(shifts=shifts)
    raise _wrong(
        name,
        _("{key!r}: {value} is none of off, work, short, as friday, 9:00-15:00").format(
            key=key, value=json.dumps(_plain(value), ensure_ascii=False)
        ),
    )


def _shifts(words: str) -> tuple[Shift, ...]:
    """Hours such as `9:00-13:00, 14:00-18:00`; nothing if they are none."""
    shifts = []
    for part in words.split(","):
        match = _SPAN.fullmatch(part.strip())
        if not match:
            return ()
        hour, minute, last_hour, last_minute = (int(number) for number in match.groups())
        start, end = hour * HOUR_S + minute * 60, last_hour * HOUR_S + last_minute * 60
        if max(minute, last_minute) > 59 or start >= DAY_S or end > DAY_S or start == end:
            return ()
        shifts.append(Shift(frozenset(), start, end))
    return tuple(shifts)


def _years(name: str, key: str, value: Any) -> frozenset[int]:
    years = value if isinstance(value, list) else [value]
    if all(isinstance(year, int) and not isinstance(year, bool) and 1900 <= year <= 9999 for year in years):
        return frozenset(years)
    raise _wrong(
        name,
        _("{key!r}: {value} is no list of years like [2027]").format(
            key=key, value=json.dumps(_plain(value), ensure_ascii=False)
        ),
    )


def _plain(value: Any) -> Any:
    """A value as it was written: inner objects came as lists of pairs."""
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) for item in value):
            return {key: _plain(inner) for key, inner in value}
        return [_plain(item) for item in value]
    return value


def decode(raw: bytes) -> str:
    """Read the text of a file that somebody wrote by hand, in whatever editor."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1251")


def _wrong(name: str, problem: str) -> errors.ConfigError:
    return errors.ConfigError(
        f"{name}: {problem}",
        _("Correct the file; an example of one: {example}").format(
            example='{"2026-12-31": "off", "2027-01-09": "work", "2026-12-30": "short"}'
        ),
    )
