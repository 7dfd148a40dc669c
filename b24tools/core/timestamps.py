"""Moments as text: ISO 8601 of whole seconds. Saved ones are UTC, so that they sort as the moments do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@overload
def to_text(moment: datetime, zone: tzinfo = ...) -> str: ...
@overload
def to_text(moment: datetime | None, zone: tzinfo = ...) -> str | None: ...


def to_text(moment: datetime | None, zone: tzinfo = UTC) -> str | None:
    """Return a moment as ISO 8601 text in the zone, of whole seconds."""
    return None if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")


@overload
def from_text(text: str) -> datetime: ...
@overload
def from_text(text: str | None) -> datetime | None: ...


def from_text(text: str | None) -> datetime | None:
    """Return the moment that an ISO 8601 text names."""
    return None if text is None else datetime.fromisoformat(text)


@overload
def to_seconds(moment: datetime) -> int: ...
@overload
def to_seconds(moment: datetime | None) -> int | None: ...


def to_seconds(moment: datetime | None) -> int | None:
    """Return a moment in whole seconds since 1970, as the largest tables have it."""
    return None if moment is None else int(moment.timestamp())


def text_to_seconds(text: str | None) -> int | None:
    """Return the moment that an ISO 8601 text names in seconds since 1970."""
    return None if text is None else int(datetime.fromisoformat(text).timestamp())


def seconds_to_text(seconds: int | None) -> str | None:
    """Return such a moment as ISO 8601 text, UTC."""
    return None if seconds is None else from_seconds(seconds).isoformat()


def from_seconds(seconds: int) -> datetime:
    """Return such a moment in UTC; Windows' own functions know none before 1970."""
    return _EPOCH + timedelta(seconds=seconds)
