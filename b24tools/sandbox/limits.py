"""The portal's two brakes: requests per second, and seconds of work per method."""

from __future__ import annotations

from typing import Any, Final

from b24tools.sandbox.methods import RestError

DRAIN_PER_S: Final = 2
BUCKET: Final = 50
BUCKETS_S: Final = 600
NEGLIGIBLE_S: Final = 0.1


def too_many() -> RestError:
    """Refuse for the request rate."""
    return RestError("QUERY_LIMIT_EXCEEDED", "Too many requests", 503)


def blocked_method() -> RestError:
    """Refuse for the operating time."""
    return RestError("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429)


class RequestRate:
    """The leaky bucket: each request adds 1, every second takes 2 away, above 50 the next is refused.

    So 51 requests pass before the first refusal, and a refused one adds nothing.
    """

    def __init__(self) -> None:
        self._level = self._second = 0

    def check(self, now: float) -> None:
        """Count a request, or refuse it."""
        passed = max(0, int(now) - self._second)
        self._level = max(0, self._level - DRAIN_PER_S * passed)
        self._second = max(self._second, int(now))
        if self._level > BUCKET:
            raise too_many()
        self._level += 1


class OperatingTime:
    """Seconds of work of one webhook, by method, in ten buckets of a minute; calls up to 0.1 s are not added."""

    def __init__(self) -> None:
        self._minutes: dict[str, list[tuple[float, float]]] = {}  # when each began, and its seconds

    def check(self, method: str, now: float, limit_s: float) -> None:
        """Let the call that crosses the line finish, and refuse the next one."""
        if self.counters(method, now)["operating"] > limit_s:
            raise blocked_method()

    def add(self, method: str, now: float, seconds: float) -> None:
        """Count a call."""
        minutes = self._minutes.setdefault(method, [])
        began, spent = minutes.pop() if minutes and now < minutes[-1][0] + 60 else (now, 0.0)
        minutes.append((began, spent + (seconds if seconds > NEGLIGIBLE_S else 0.0)))

    def counters(self, method: str, now: float) -> dict[str, Any]:
        """Give the two keys of the `time` block."""
        minutes = [one for one in self._minutes.get(method, ()) if one[0] + BUCKETS_S > now]
        self._minutes[method] = minutes
        reset_at = int((minutes[0][0] if minutes else now) + BUCKETS_S)
        return {"operating_reset_at": reset_at, "operating": sum(seconds for _began, seconds in minutes)}
