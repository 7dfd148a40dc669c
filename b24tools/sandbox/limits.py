"""The portal's two brakes: requests per second, and seconds of work per method."""

from __future__ import annotations

from typing import Any, Final

DRAIN_PER_S: Final = 2
BUCKET: Final = 50
WINDOW_S: Final = 600
NEGLIGIBLE_S: Final = 0.1
# Code, text and status of the refusals
TOO_MANY: Final = ("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)
BLOCKED_METHOD: Final = ("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)


class RequestRate:
    """The leaky bucket: each request adds 1, every second takes 2 away, above 50 the next is refused.

    So 51 requests pass before the first refusal, and a refused one adds nothing.
    """

    def __init__(self) -> None:
        self._level = self._second = 0

    def admit(self, now: float) -> bool:
        """Count a request; tells whether it may pass."""
        passed = max(0, int(now) - self._second)
        self._level = max(0, self._level - DRAIN_PER_S * passed)
        self._second = max(self._second, int(now))
        admitted = self._level <= BUCKET
        self._level += admitted
        return admitted


class OperatingTime:
    """Seconds of work of one webhook, by method, in ten buckets of a minute; calls up to 0.1 s are not added."""

    def __init__(self) -> None:
        self._minutes: dict[str, list[tuple[float, float]]] = {}  # each by its first call

    def _recent(self, method: str, now: float) -> list[tuple[float, float]]:
        return [minute for minute in self._minutes.get(method, ()) if minute[0] + WINDOW_S > now]

    def add(self, method: str, now: float, seconds: float) -> None:
        minutes = self._recent(method, now)
        if not minutes or now >= minutes[-1][0] + 60:
            minutes.append((now, 0.0))
        first, total = minutes.pop()
        self._minutes[method] = [*minutes, (first, total + (seconds if seconds > NEGLIGIBLE_S else 0.0))]

    def counters(self, method: str, now: float) -> dict[str, Any]:
        """Give the two keys of the `time` block: the oldest minute leaves as a whole, ten minutes after its start."""
        minutes = self._recent(method, now)
        reset_at = int((minutes[0][0] if minutes else now) + WINDOW_S)
        return {"operating_reset_at": reset_at, "operating": sum(seconds for _at, seconds in minutes)}
