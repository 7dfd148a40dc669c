"""Moments, durations, numbers and days as people read them, in the language in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, current_language, ngettext

HOUR_S = 3600


def _locale() -> str:
    return {"ru": "ru", "en": "en_GB"}[current_language()]  # in both the day stands before the month


def tell_apart(people: Iterable[tuple[int, str]]) -> dict[int, str]:
    """Return the names by id; those that several of a list have, with the id behind."""
    names = dict(people)
    counts = Counter(names.values())
    return {id_: f"{name} (#{id_})" if counts[name] > 1 else name for id_, name in names.items()}


def format_moment(moment: datetime | None, zone: ZoneInfo, now: datetime, *, seconds: bool = False) -> str:
    """Write day, month and time; the year, instead of the seconds, where it is another one."""
    if moment is None:
        return "-"
    local = moment.astimezone(zone)
    if local.year != now.astimezone(zone).year:
        return local.strftime("%d.%m.%y %H:%M")
    return local.strftime("%d.%m %H:%M:%S" if seconds else "%d.%m %H:%M")


def format_day(moment: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """Write day and month; the year where it is another one."""
    return format_moment(moment, zone, now).partition(" ")[0]


def format_date(day: date) -> str:
    """Write `04.12.2026`."""
    return day.strftime("%d.%m.%Y")


def format_span(start: datetime, end: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Write from when to when; whole days by their dates, the last one included."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if (first.time(), last.time()) != (time(), time()):
        return f"{format_moment(start, zone, now)} - {format_moment(end, zone, now)}"
    days = [format_day(moment, zone, now) for moment in (first, last - timedelta(seconds=1))]
    return " - ".join(dict.fromkeys(days))


def format_days(first: date, last: date) -> str:
    """Write `16–22 November 2026`; months and years are named once where once is enough."""
    from babel import dates

    begin = "d MMMM y – " if first.year != last.year else "d MMMM – " if first.month != last.month else "d–"
    return dates.format_date(first, begin, _locale()) + dates.format_date(last, "d MMMM y", _locale())


def format_long_day(day: date) -> str:
    """Write `Tuesday, 24 November 2026`."""
    from babel import dates

    return dates.format_date(day, "EEEE, d MMMM y", _locale())


def format_short_day(day: date) -> str:
    """Write `23 Nov`."""
    from babel import dates

    return dates.format_date(day, "d MMM", _locale())


def format_month(day: date) -> str:
    """Write `November 2026`."""
    from babel import dates

    return dates.format_date(day, "LLLL y", _locale())


def get_weekday_letters() -> list[str]:
    """Return a letter for each day of the week, Monday first."""
    from babel import dates

    names = dates.get_day_names("narrow", "stand-alone", _locale())
    return [names[day] for day in range(7)]


def format_decimal(value: float, digits: int = 1) -> str:
    """Write a number with the decimal mark of the language."""
    from babel import numbers

    return numbers.format_decimal(value, f"0.{'0' * digits}", _locale())


def format_duration(seconds: int) -> str:
    """Write calendar time in days and hours, or hours and minutes."""
    days, hours, minutes = seconds // 86_400, seconds % 86_400 // HOUR_S, seconds % HOUR_S // 60
    in_hours, in_minutes = _("{n} h").format(n=hours), _("{n} min").format(n=minutes)
    if days:
        in_days = ngettext("{n} day", "{n} days", days).format(n=days)
        return f"{in_days} {in_hours}" if hours and days < 10 else in_days
    return f"{in_hours} {in_minutes}" if hours and minutes else in_hours if hours else in_minutes


def describe_terms(terms: Mapping[str, Any]) -> list[str]:
    """Say how people.json lets a person work."""
    texts = {
        "rate": _("rate {rate}").format(rate=f"{terms.get('rate', 1):g}"),
        "hours_a_week": _("{n} h a week").format(n=f"{terms.get('hours_a_week', 0):g}"),
        "schedule": _("schedule {id}").format(id=terms.get("schedule")),
        "only": _("only {positions}").format(positions=", ".join(terms.get("only", ()))),
        "never": _("never {positions}").format(positions=", ".join(terms.get("never", ()))),
    }
    return [text for name, text in texts.items() if name in terms]


def format_work(seconds: int) -> str:
    """Write working time: never in days, which are longer than a working day."""
    hours, minutes = divmod(seconds // 60, 60)
    in_hours, in_minutes = _("{n} h").format(n=hours), _("{n} min").format(n=minutes)
    if not hours:
        return in_minutes
    return f"{in_hours} {in_minutes}" if minutes and hours < 100 else in_hours
