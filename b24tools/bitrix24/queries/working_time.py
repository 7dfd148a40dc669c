"""Work schedules, the calendar's settings, absences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from b24tools.bitrix24.batch import Query
from b24tools.bitrix24.parsing import mapping_or_none


def schedule(schedule_id: int) -> Query[Mapping[str, Any] | None]:
    """A work schedule as the portal has it; None where it does not exist or may not be read (answered by [])."""
    return Query("timeman.schedule.get", {"id": schedule_id}, mapping_or_none)


def calendar_settings() -> Query[Mapping[str, Any] | None]:
    """The portal's working hours and yearly holidays as it has them."""
    return Query("calendar.settings.get", {}, mapping_or_none)


def absences(user_ids: Sequence[int], first: date, last: date) -> Query[Mapping[str, Any]]:
    """What is in these people's calendars, for `absences.read_absences`.

    More is asked for than is wanted: the portal looks for events by stamps that are hours off, and of a series it
    leaves out the event that began before the first day and goes on.
    """
    since, until = first - timedelta(days=8), last + timedelta(days=1)
    params = {"users": list(user_ids), "from": since.isoformat(), "to": until.isoformat()}
    return Query("calendar.accessibility.get", params, lambda result: mapping_or_none(result) or {})
