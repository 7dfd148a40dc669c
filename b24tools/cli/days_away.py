"""The options --from and --until: when --without is away."""

from __future__ import annotations

from datetime import date

from b24tools.core import errors, periods
from b24tools.core.i18n import _


def read_days_away(first: str | None, last: str | None, today: date) -> tuple[date | None, date | None]:
    """Read the first and the last day of somebody who will be away; the last is by default the first.

    Raises ConfigError as `periods.read_day`, and where the days are in the wrong order or over.
    """
    start = periods.read_day(first, today) if first else None
    end = periods.read_day(last, today) if last else start
    if start and end and end < start:
        raise errors.UsageError(_("--until lies before --from"), _("Give the first and the last day away."))
    if end and end < today:
        raise errors.UsageError(
            _("these days are over: {day} is past").format(day=f"{end:%d.%m.%Y}"),
            _("Give as --until the last day away: today or a later one."),
        )
    return start, end
