"""The shapes of the portal's answers: PHP's arrays, ids as text, dates in the owner's wall clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.timestamps import to_seconds

MOST = 10**15 - 1  # so that SQLite has room for the sum of thousands
_IN_AN_HOUR = re.compile(r":([0-5][0-9]):([0-5][0-9])[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]")


def read_moment(text: Any, zone: tzinfo) -> datetime | None:
    """Read a portal's date as aware UTC: the wall clock in `zone`. What cannot be read is none, as MySQL's zero date.

    The offset in the text is today's, pasted onto dates of any season, and is not trusted.
    """
    return _read_moment(str(text), zone) if text else None


@lru_cache(maxsize=4096)  # `serve` reads the same open tasks for each order
def _read_moment(text: str, zone: tzinfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return moment.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # 31.12.9999 for "never"
        return moment.replace(tzinfo=UTC)


def read_seconds(text: Any, zone: tzinfo) -> int | None:
    """Read a portal's date as the largest table has it: whole seconds since 1970.

    Most hours, and all that can stand behind one, have been seen before, which makes this much quicker; a year of a
    company has 400,000 dates.
    """
    if isinstance(text, str):
        within, start = _seconds_within_hour(text[13:]), _start_of_hour(text[:13], zone)
        if within is not None and start is not None:
            return start + within
    return to_seconds(read_moment(text, zone))


@lru_cache(maxsize=16_384)
def _seconds_within_hour(rest: str) -> int | None:
    """The seconds since the full hour that minutes and seconds (`:15:00+03:00`) say, if it is a time."""
    match = _IN_AN_HOUR.fullmatch(rest)
    return 60 * int(match[1]) + int(match[2]) if match else None


@lru_cache(maxsize=16_384)
def _start_of_hour(hour: str, zone: tzinfo) -> int | None:
    """When an hour of the zone's wall clock (`2026-11-20T07`) begins, if no change of clocks is in it."""
    start, end = (read_moment(f"{hour}:{rest}", zone) for rest in ("00:00", "59:59"))
    if start is None or end is None or end - start != timedelta(minutes=59, seconds=59):
        return None
    return to_seconds(start)


class UnexpectedResponse(errors.PortalError):
    """An answer in a shape that its reader does not know. `value`: what there was."""

    def __init__(self, value: Any, method: str = "") -> None:
        super().__init__(
            _("{method} answered with something unexpected: {value}").format(
                method=method or _("the portal"), value=repr(value)[:80]
            ),
            _("Run the command again with -vv and report it; nothing was changed by this answer."),
            method=method,
        )
        self.value = value


def rows_of(value: Any, method: str = "") -> list[Mapping[str, Any]]:
    """Insist on a list of rows. `method`: whose answer it is; a `Query` adds that by itself."""
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise UnexpectedResponse(value, method)
    return value


def mapping_of(value: Any, method: str = "") -> Mapping[str, Any]:
    """Insist on a mapping."""
    if not isinstance(value, dict):
        raise UnexpectedResponse(value, method)
    return value


def id_of(row: Mapping[str, Any], name: str, method: str = "") -> int:
    """Insist on an id."""
    number = int_or_zero(row.get(name))
    if number <= 0:
        raise UnexpectedResponse(row.get(name), method)
    return number


def php_values(value: Any) -> list[Any]:
    """The items of a PHP array: one with gaps arrives as an object, an empty one may be false or null."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def mapping_or_none(value: Any) -> Mapping[str, Any] | None:
    """A mapping with something in it: PHP writes an empty one as a list."""
    return value if isinstance(value, dict) and value else None


def int_or_zero(value: Any) -> int:
    """Read an id or seconds: strings in tasks, ints in others, or null; all that is no number is 0.

    So is what is too much for a number of a database.
    """
    try:
        number = int(value or 0)
    except (TypeError, ValueError, OverflowError):  # the last one for Infinity
        return 0
    return number if -MOST <= number <= MOST else 0


def int_or_none(value: Any) -> int | None:
    """Read a count or an id that may be a number or its text; None for anything else."""
    return int_or_zero(value) if isinstance(value, (int, str)) and str(value).isdecimal() else None
