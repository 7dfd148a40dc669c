"""Who is away in these weeks, once a day: what a team's goal is reduced by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from b24tools.bitrix24 import queries
from b24tools.bitrix24.absences import read_absences
from b24tools.bitrix24.client import Client
from b24tools.core import errors, periods
from b24tools.core.i18n import _
from b24tools.core.models import Absence
from b24tools.core.team_goal import read_setting
from b24tools.scheduling.calendar import DayRule, united
from b24tools.store import Store
from b24tools.store.presence import WEEKEND

PRESENCE = "presence"
DAYS_AHEAD = 35  # to the end of any month that has begun
DAY_FROM, DAY_TO = time(9), time(18)
AWAY_FROM = timedelta(hours=4, minutes=30)  # of a day: a shorter absence is none


def save_team_presence(
    store: Store,
    client: Client,
    zone: ZoneInfo,
    clock_zone: tzinfo,
    rules: Iterable[Mapping[date, DayRule]],
    now: datetime,
) -> Sequence[str]:
    """Read and save who is away from last week's Monday on, if there is a goal and today it was not read yet.

    `clock_zone`: of the portal's clock times. `rules`: of days that differ, what counts first in front. Return what is
    to be said of absences that could not be read: nothing is saved then, and another run asks again.
    """
    if read_setting(store.settings.get("team_goal")) is None:
        return ()
    today = now.astimezone(zone).date()
    read_at = store.people.last_read(PRESENCE, now)
    if read_at is not None and read_at >= datetime.combine(today, time(), zone):
        return ()
    first = periods.week_of(now, zone).before.first
    last = today + timedelta(days=DAYS_AHEAD)
    batch = client.new_batch()
    members = store.presence.members(store.settings.hidden_users())
    asked = batch.add_chunked(lambda ids: queries.absences(ids, first, last), members)
    try:
        batch.send()
        read = read_absences([one.value for one in asked], first, last, days_in=zone, clock_in=clock_zone)
    except errors.PortalError as error:
        return [_("the absences are not known, the team goal counts everybody: {reason}").format(reason=error.message)]
    chosen, days = list(rules), {}
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        away = [user_id for user_id, absences in read.away.items() if _is_away(absences, day, zone)]
        days[day] = _is_worked(day, chosen), away
    with store.transaction():
        store.presence.save(days)
        store.people.save_last_read(PRESENCE, now)
    return read.warnings


def _is_away(absences: Iterable[Absence], day: date, zone: ZoneInfo) -> bool:
    start, end = (datetime.combine(day, moment, zone) for moment in (DAY_FROM, DAY_TO))
    missed = united((int(max(one.start, start).timestamp()), int(min(one.end, end).timestamp())) for one in absences)
    return sum(until - since for since, until in missed) >= AWAY_FROM.total_seconds()


def _is_worked(day: date, rules: Iterable[Mapping[date, DayRule]]) -> bool:
    rule = next((days[day] for days in rules if day in days), DayRule())
    if rule.shifts is not None:
        return bool(rule.shifts)
    return rule.worked or rule.as_weekday is not None or day.weekday() < WEEKEND
