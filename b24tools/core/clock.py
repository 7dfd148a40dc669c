"""Which of our own stamps to believe: the clock may have been wrong when they were written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

AHEAD = timedelta(minutes=15)  # so far may the clocks of one data folder's machines lie apart


def read_clock() -> datetime:
    """The moment, aware UTC."""
    return datetime.now(UTC)


def latest_known(now: datetime) -> datetime:
    """The latest moment that a stamp of ours is believed to name."""
    return now + AHEAD


def known_moment(stamp: str | datetime | None, now: datetime) -> datetime | None:
    """The moment that a stamp of ours names; None for one in the future: it counts as unknown, and long ago."""
    moment = datetime.fromisoformat(stamp) if isinstance(stamp, str) else stamp
    return None if moment is None or moment > latest_known(now) else moment
