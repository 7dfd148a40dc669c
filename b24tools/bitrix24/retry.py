"""How long and how often one call to the portal is repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from b24tools.core import errors
from b24tools.core.i18n import _

MOST_TRIES = 20_000  # against a clock that stands still: the longest `retry_s`, a day, takes some 12000
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0
MOST_PAGES = 3  # a page that stands where an answer should be seldom goes away by itself


@dataclass(frozen=True, slots=True)
class Trouble:
    """An attempt that brought no answer, but another one may."""

    method: str
    reason: str
    may_have_run: bool
    portal_code: str = ""
    until: float | None = None  # of a block whose end is known
    hint: str = ""  # what a person can do, besides trying again
    is_page: bool = False  # of a login or a proxy, under a status that says all is well: a person must act

    def give_up(self, now: float) -> errors.PortalError:
        """The exception when it is not tried any more."""
        if self.is_page:
            return errors.PortalDenied(said(self.method, self.reason), self.hint, method=self.method)
        if self.until is not None and self.until > now:
            minutes = int((self.until - now) // 60) + 1
            return errors.PortalBusy(
                said(self.method, _("blocked by the portal for {minutes} min more").format(minutes=minutes)),
                _("the portal limits the time its server spends on a method; try again after that"),
                method=self.method,
                portal_code=self.portal_code,
                until=datetime.fromtimestamp(self.until, UTC),
            )
        return errors.PortalBusy(
            said(self.method, self.reason),
            self.hint or _("try again later"),
            method=self.method,
            portal_code=self.portal_code,
        )

    def uncertain(self, sent_at: float | None = None) -> errors.PortalUncertain:
        """The exception when a write must not be repeated blindly; `sent_at` is when it left."""
        error = errors.PortalUncertain(
            said(self.method, _("sent, but no answer came: {reason}").format(reason=self.reason)),
            _("it may have been done: look before repeating it"),
            method=self.method,
            portal_code=self.portal_code,
        )
        error.sent_at = None if sent_at is None else datetime.fromtimestamp(sent_at, UTC)
        return error


def said(method: str, text: str) -> str:
    """A message with the method it is about. People need not know that calls travel in batches."""
    return text if method == "batch" else f"{method}: {text}"


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
        self._pages = 0
        self._deadline: float | None = None
        self.sent_at = clock()  # of the call's last attempt

    def allows(self, until: float) -> bool:
        """Whether a block that ends then can be waited out."""
        return until - self._clock() <= self._left()

    def pause(self, trouble: Trouble) -> None:
        """Sleep before the next attempt, or raise what `Trouble.give_up` says when there is to be none."""
        now, left = self._clock(), self._left()
        self._deadline = now + left
        self._tries += 1
        self._pages += trouble.is_page
        ahead = 0.0 if trouble.until is None else trouble.until - now
        stays = trouble.is_page and self._pages >= MOST_PAGES
        if left <= 0 or ahead > left or stays or self._tries >= MOST_TRIES:
            raise trouble.give_up(now)
        if ahead > 0:
            wait = ahead + self._random()
        else:
            wait = min(self._random() * min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._tries - 1, 10)), left)
        self._on_wait(wait, trouble.reason)
        self._sleep(wait)

    def _left(self) -> float:
        """Seconds left; a clock set back does not add any."""
        if self._deadline is None:
            return self._retry_s
        return min(self._retry_s, self._deadline - self._clock())
