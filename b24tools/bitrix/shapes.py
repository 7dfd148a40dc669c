"""The shapes of the portal's answers: PHP's arrays, ids as text, dates in the owner's wall clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from b24tools import errors
from b24tools.i18n import _

MOST = 10**15 - 1  # so that SQLite has room for the sum of thousands
_WITHIN_HOUR = re.compile(r"(:[0-5][0-9]:[0-5][0-9])[+-][0-9]{2}:[0-9]{2}")


def read_moment(text: Any, zone: tzinfo) -> datetime | None:
    """A portal's date as aware UTC: the wall clock in `zone`.

    The offset in the text is today's, pasted onto dates of any season, and is not trusted.
    """
    if not text:
        return None
    text = str(text)
    try:
        offset = _offset_all_day(text[:10], zone)
        if offset is not None and len(text) == len("2026-11-20T10:15:00+03:00"):
            return datetime.fromisoformat(f"{text[:19]}+00:00") - offset
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise strange("tasks.task", text) from None
    except OverflowError:  # 31.12.9999 for "never"
        return datetime.fromisoformat(text).replace(tzinfo=UTC)


def read_as_text(text: Any, zone: tzinfo) -> str | None:
    """The same, as ISO 8601 of whole seconds; quicker than by way of a moment."""
    if isinstance(text, str) and (rest := _within_utc_hour(text[13:])) and (hour := _utc_hour(text[:13], zone)):
        return hour + rest
    moment = read_moment(text, zone)
    return None if moment is None else moment.isoformat(timespec="seconds")


@lru_cache(maxsize=16_384)
def _within_utc_hour(rest: str) -> str | None:
    """Minutes and seconds of UTC, `:15:00+00:00`, from those of a wall clock that is whole hours away."""
    found = _WITHIN_HOUR.fullmatch(rest)
    return f"{found[1]}+00:00" if found else None


@lru_cache(maxsize=16_384)
def _utc_hour(hour: str, zone: tzinfo) -> str | None:
    """The hour of UTC (`2026-11-20T07`) that is this one on the zone's wall clock, if there is just one."""
    try:
        offset = _offset_all_day(hour[:10], zone)
        if offset is None or offset % timedelta(hours=1):
            return None
        return (datetime.fromisoformat(f"{hour}:00:00+00:00") - offset).isoformat()[:13]
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=4096)
def _offset_all_day(day: str, zone: tzinfo) -> timedelta | None:
    """The zone's offset on a day on which it does not change: asking the zone about each of many dates takes long."""
    midnight = datetime.fromisoformat(day)
    try:
        offsets = {(midnight + timedelta(hours=hours)).replace(tzinfo=zone).utcoffset() for hours in range(25)}
    except OverflowError:
        return None
    return offsets.pop() if len(offsets) == 1 else None


def strange(method: str, value: Any) -> errors.PortalError:
    return errors.PortalError(
        _("{method} answered with something unexpected: {value}").format(method=method, value=repr(value)[:80]),
        _("Run the command again with -vv and report it; nothing was changed by this answer."),
        method=method,
    )


def rows_of(value: Any, method: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise strange(method, value)
    return value


def mapping_of(value: Any, method: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise strange(method, value)
    return value


def php_values(value: Any) -> list[Any]:
    """The items of a PHP array: one with gaps arrives as an object, an empty one may be false or null."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def mapping_or_none(value: Any) -> Mapping[str, Any] | None:
    """PHP writes an empty map as a list."""
    return value if isinstance(value, dict) and value else None


def id_of(row: Mapping[str, Any], name: str, method: str) -> int:
    number = int_of(row.get(name))
    if number <= 0:
        raise strange(method, row.get(name))
    return number


def int_of(value: Any) -> int:
    """Ids and seconds come as strings in tasks, as ints in others, and as null; all that is no number is 0.

    So is what is too much for a number of a database.
    """
    try:
        number = int(value or 0)
    except (TypeError, ValueError, OverflowError):  # the last one for Infinity
        return 0
    return number if -MOST <= number <= MOST else 0
