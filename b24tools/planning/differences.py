"""On which days a portal's two calendars and its country's production calendar say different things."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from b24tools.planning.calendar import WorkCalendar
from b24tools.planning.production import ProductionCalendar, with_production


@dataclass(frozen=True)
class Difference:
    """A day and how many seconds of work each calendar has on it; None: there is no such calendar.

    `production_s` is what the country would leave of the schedule's usual hours, or of the settings'
    where there is no schedule.
    """

    day: date
    schedule_s: int | None
    settings_s: int | None
    production_s: int | None


def differences(
    schedule: WorkCalendar | None,
    settings: WorkCalendar | None,
    production: ProductionCalendar,
    first: date,
    last: date,
) -> list[Difference]:
    """The days from `first` to `last`, both included, that one calendar has off and another not, or shorter.

    `schedule` is from `timeman.schedule.get`, `settings` from `calendar.settings.get`; of a country
    "none" nothing is said. That their usual days are of different lengths is no difference.
    """
    base = schedule or settings
    country = with_production(_usual(base), production.days, {}) if base and production.country != "none" else None
    calendars = (schedule, settings, country)
    found = []
    for day in _days(first, last):
        if len({_departure(calendar, day) for calendar in calendars if calendar}) > 1:
            seconds = (calendar.working_s(day) if calendar else None for calendar in calendars)
            found.append(Difference(day, *seconds))
    return found


def _departure(calendar: WorkCalendar, day: date) -> tuple[bool, int]:
    """Whether the day is worked, and by how many seconds it is longer than usual."""
    worked = calendar.working_s(day)
    usual = _usual(calendar).working_s(day)
    return worked > 0, worked - usual if worked and usual else 0


def _usual(calendar: WorkCalendar) -> WorkCalendar:
    return replace(calendar, days={}, yearly={})


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
