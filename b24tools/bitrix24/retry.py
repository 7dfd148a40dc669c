"""How long and how often a call to the portal is sent again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from b24tools.bitrix24.error_codes import name_method
from b24tools.core import errors
from b24tools.core.i18n import _

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0
MOST_PAGES = 3  # a page that stands where an answer should be seldom goes away by itself


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """An attempt that brought no answer, but another one may.

    `until`: the end of a block, where it is known. `hint`: what a person can do, besides trying again. `is_page`: a
    login or a proxy answered with a page, under a status that says all is well; a person must act.
    """

    method: str
    reason: str
    may_have_run: bool
    portal_code: str = ""
    until: float | None = None
    hint: str = ""
    is_page: bool = False

    def give_up(self, now: float) -> errors.PortalError:
        """Make the exception for when it is not tried any more."""
        message, hint, until = self.reason, self.hint or _("Try again later."), None
        if self.is_page:
            return errors.PortalDenied(name_method(self.method, message), self.hint, method=self.method)
        if self.until is not None and self.until > now:
            minutes = int((self.until - now) // 60) + 1
            message = _("blocked by the portal for {minutes} min more").format(minutes=minutes)
            hint = _("The portal limits the time its server spends on a method; try again after that.")
            until = datetime.fromtimestamp(self.until, UTC)
        message = name_method(self.method, message)
        return errors.PortalBusy(message, hint, method=self.method, portal_code=self.portal_code, until=until)

    def uncertain(self, sent_at: float) -> errors.PortalUncertain:
        """Make the exception for a write that must not be sent again blindly; `sent_at` is when it left."""
        error = errors.PortalUncertain(
            name_method(self.method, _("sent, but no answer came: {reason}").format(reason=self.reason)),
            _("It may have been done: look before repeating it."),
            method=self.method,
            portal_code=self.portal_code,
        )
        error.sent_at = datetime.fromtimestamp(sent_at, UTC)
        return error


@dataclass(slots=True)
class Backoff:
    """The pauses of one call: exponential with full jitter, or until a block is known to end.

    The time is counted from the first failure: a cut request alone may take longer than `retry_s`.
    `sent_at`: when the call's last attempt left.
    """

    retry_s: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    on_wait: Callable[[float, str], None]
    sent_at: float = 0.0
    _ceiling_s: float = FIRST_PAUSE_S
    _pages: int = 0
    _deadline: float | None = None

    def allows(self, until: float) -> bool:
        """Whether a block that ends then can be waited out."""
        return until - self.clock() <= self._left()

    def pause(self, failure: FailedAttempt) -> None:
        """Sleep before the next attempt, or raise `failure.give_up` when there is to be none."""
        now, left = self.clock(), self._left()
        self._deadline = now + left
        self._pages += failure.is_page
        ahead = 0.0 if failure.until is None else failure.until - now
        if left <= 0 or ahead > left or (failure.is_page and self._pages >= MOST_PAGES):
            raise failure.give_up(now)
        if ahead > 0:
            wait = ahead + self.random()
        else:
            wait = min(self.random() * self._ceiling_s, left)
            self._ceiling_s = min(self._ceiling_s * 2, LONGEST_PAUSE_S)
        self.on_wait(wait, failure.reason)
        self.sleep(wait)

    def _left(self) -> float:
        """Seconds left; a clock set back does not add any."""
        if self._deadline is None:
            return self.retry_s
        return min(self.retry_s, self._deadline - self.clock())
