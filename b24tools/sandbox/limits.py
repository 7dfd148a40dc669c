"""The portal's two brakes: requests per second, and seconds of work per method."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from b24tools.sandbox.rest import RestError

DRAIN_PER_S: Final = 2
BUCKET: Final = 50
BUCKETS_S: Final = 600
NEGLIGIBLE_S: Final = 0.1


class RequestRate:
    """The leaky bucket: each request adds 1, every second takes 2 away, above 50 the next is refused.

    So 51 requests pass before the first refusal, and a refused one adds nothing.
    """

    def __init__(self) -> None:
        self._level = 0
        self._second = 0

    def check(self, now: float) -> None:
        """Count a request, or refuse it."""
        passed = max(0, int(now) - self._second)
        self._level = max(0, self._level - DRAIN_PER_S * passed)
        self._second = max(self._second, int(now))
        if self._level > BUCKET:
            raise too_many()
        self._level += 1


def too_many() -> RestError:
    """The refusal of the request rate."""
    return RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)


def blocked_method() -> RestError:
    """The refusal of the operating time."""
    return RestError("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)


@dataclass
class _Minute:
    first_call: float
    seconds: float = 0.0


class OperatingTime:
    """Seconds of work of one webhook, by method, in ten buckets of a minute; calls up to 0.1 s are not added."""

    def __init__(self) -> None:
        self._minutes: dict[str, deque[_Minute]] = {}

    def _recent(self, method: str, now: float) -> deque[_Minute]:
        minutes = self._minutes.setdefault(method, deque())
        while minutes and minutes[0].first_call + BUCKETS_S <= now:
            minutes.popleft()
        return minutes

    def check(self, method: str, now: float, limit_s: float) -> None:
        """The call that crosses the line finishes; the next one is refused."""
        if sum(minute.seconds for minute in self._recent(method, now)) > limit_s:
            raise blocked_method()

    def add(self, method: str, now: float, seconds: float) -> None:
        """Count a call."""
        minutes = self._recent(method, now)
        if not minutes or now >= minutes[-1].first_call + 60:
            minutes.append(_Minute(now))
        minutes[-1].seconds += seconds if seconds > NEGLIGIBLE_S else 0.0

    def counters(self, method: str, now: float) -> dict[str, Any]:
        """The two keys of the `time` block."""
        minutes = self._recent(method, now)
        reset_at = int((minutes[0].first_call if minutes else now) + BUCKETS_S)
        return {"operating_reset_at": reset_at, "operating": sum(minute.seconds for minute in minutes)}
