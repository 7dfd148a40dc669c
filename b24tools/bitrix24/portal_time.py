"""The zone in whose wall clock the portal writes the dates of tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.models import Owner

TASK_DATES = (
    "createdDate",
    "changedDate",
    "closedDate",
    "activityDate",
    "dateStart",
    "deadline",
    "startDatePlan",
    "endDatePlan",
)
ENOUGH_ROWS = 50  # to see the offset that most dates carry


class PortalClock:
    """The zone in force on a portal, as far as its answers have shown it.

    Every date of a task carries the offset that this zone has now, whatever the season of the date. A zone that has
    a name counts only where its offset of now is that one: with the portal's option "use time zones" off, dates are
    on the server's clock whatever the owner's profile says, and with an empty profile on that of the portal's
    default zone, which no method tells. First comes the owner's, then the configured one; else the bare offset.
    Until a date has been seen: the owner's zone, else the server's (the configured one where its offset agrees).

    `server_now`: what the server's clock showed; None where that is not known.
    `source`: "profile", "settings", "offset" (of a date), or "server" (its offset).
    `warning`: what is doubtful about it, or "".
    """

    zone: tzinfo
    source: str

    def __init__(self, owner: Owner, configured: ZoneInfo, server_now: str | None) -> None:
        """`server_now`: see `queries.server_time`."""
        self.seen = False
        self.warning = ""
        self.server_now = server = read_iso(server_now)
        self._profile = owner.time_zone
        self._configured = configured
        self._now = server or datetime.now(UTC)
        self._named = {"profile": find_zone(owner.time_zone), "settings": configured}
        self.zone, self.source = configured, "settings"
        if self._named["profile"]:
            self.zone, self.source = self._named["profile"], "profile"
        elif server and not self._agrees(configured, server.utcoffset()):
            self.zone, self.source = timezone(server.utcoffset() or timedelta()), "server"

    def see(self, rows: Iterable[Mapping[str, Any]]) -> tzinfo:
        """Learn from rows of tasks, unless earlier ones have shown it. Answers the zone to read them in."""
        if not self.seen and (offset := _printed_offset(rows)) is not None:
            self.seen = True
            self._settle(offset)
        return self.zone

    def _settle(self, offset: timedelta) -> None:
        for source, zone in self._named.items():
            if zone is not None and self._agrees(zone, offset):
                self.zone, self.source = zone, source
                return
        self.zone, self.source = timezone(offset), "offset"
        self.warning = _(
            "the portal writes dates with the offset {offset}, which neither the profile of the webhook's owner "
            "({profile}) nor B24_TZ ({configured}) has now: they are read with this offset alone, and may be an hour "
            "off where clocks change"
        ).format(
            offset=self._now.astimezone(self.zone).isoformat()[-6:],
            profile=self._profile or _("no time zone"),
            configured=self._configured.key,
        )

    def _agrees(self, zone: tzinfo, offset: timedelta | None) -> bool:
        return self._now.astimezone(zone).utcoffset() == offset


def find_zone(name: object) -> ZoneInfo | None:
    """The zone of this name; None where there is none: PHP knows names that tzdata has dropped."""
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    except (KeyError, OSError, ValueError):
        return None


def read_iso(text: Any) -> datetime | None:
    """A moment with an offset of its own; None for anything else."""
    return _read_iso(text) if isinstance(text, str) else None


@lru_cache(maxsize=4096)  # `serve` reads the same open tasks for each order
def _read_iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _printed_offset(rows: Iterable[Mapping[str, Any]]) -> timedelta | None:
    """The offset that the dates carry. Most of them: a date of the distant past may have one of its own."""
    moments = (read_iso(row.get(name)) for row in islice(rows, ENOUGH_ROWS) for name in TASK_DATES)
    offsets = Counter(moment.utcoffset() for moment in moments if moment)
    return offsets.most_common(1)[0][0] if offsets else None
