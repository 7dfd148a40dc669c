"""How long and how often one call to the portal is repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from b24tools import errors
from b24tools.i18n import _

MOST_TRIES = 8
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """An attempt that brought no answer, but another one may."""

    method: str
    reason: str
    may_have_run: bool
    portal_code: str = ""
    until: float | None = None  # of a block whose end is known

    def busy(self, now: float) -> errors.PortalBusy:
        """The exception when there is no more patience."""
        if self.until is not None and self.until > now:
            minutes = int((self.until - now) // 60) + 1
            return errors.PortalBusy(
                _("{method}: blocked by the portal for {minutes} min more").format(method=self.method, minutes=minutes),
                _("the portal limits the time its server spends on a method; try again after that"),
                method=self.method,
                portal_code=self.portal_code,
                until=datetime.fromtimestamp(self.until, UTC),
            )
        return errors.PortalBusy(
            f"{self.method}: {self.reason}",
            _("try again later"),
            method=self.method,
            portal_code=self.portal_code,
        )

    def uncertain(self) -> errors.PortalUncertain:
        """The exception when a write must not be repeated blindly."""
        return errors.PortalUncertain(
            _("{method}: sent, but no answer came: {reason}").format(method=self.method, reason=self.reason),
            _("it may have been done: look before repeating it"),
            method=self.method,
            portal_code=self.portal_code,
        )


class Patience:
    """The pauses of one call: exponential with full jitter, or until a block is known to end.

    The time is counted from the first trouble: a cut request alone may take longer than `retry_s`.
    """

    def __init__(
        self,
        retry_s: float,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        on_wait: Callable[[float, str], None],
    ) -> None:
        self._retry_s = retry_s
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._on_wait = on_wait
        self._tries = 0
        self._deadline: float | None = None

    def allows(self, until: float) -> bool:
        """Whether a block that ends then can be waited out."""
        return until - self._clock() <= self._left()

    def pause(self, trouble: Trouble) -> None:
        """Sleep before the next attempt, or raise PortalBusy when there is to be none."""
        now, left = self._clock(), self._left()
        self._deadline = now + left
        self._tries += 1
        ahead = 0.0 if trouble.until is None else trouble.until - now
        if left <= 0 or ahead > left or self._tries >= MOST_TRIES:
            raise trouble.busy(now)
        if ahead > 0:
            wait = ahead + self._random()
        else:
            wait = min(self._random() * min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._tries - 1)), left)
        self._on_wait(wait, trouble.reason)
        self._sleep(wait)

    def _left(self) -> float:
        """Seconds left; a clock set back does not add any."""
        if self._deadline is None:
            return self._retry_s
        return min(self._retry_s, self._deadline - self._clock())
