"""Moments as text: ISO 8601 UTC of whole seconds, which sorts as the moments do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def to_text(moment: datetime) -> str: ...
@overload
def to_text(moment: datetime | None) -> str | None: ...


def to_text(moment: datetime | None) -> str | None:
    """Return a moment as ISO 8601 UTC of whole seconds."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


@overload
def from_text(text: str) -> datetime: ...
@overload
def from_text(text: str | None) -> datetime | None: ...


def from_text(text: str | None) -> datetime | None:
    """Return the moment that an ISO 8601 text names."""
    return None if text is None else datetime.fromisoformat(text)
