"""Moments, durations, numbers and days as people read them, in the language in use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, current_language

# As CLDR has them. A library with the names in all languages takes longer to load than a ranking to count.
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "ru": "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
}
_MONTHS_OF_DAYS = _MONTHS | {
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
}
_SHORT_MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec",
    "ru": "янв. февр. мар. апр. мая июн. июл. авг. сент. окт. нояб. дек.",
}
_WEEKDAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "ru": "понедельник вторник среда четверг пятница суббота воскресенье",
}
_DECIMAL_MARKS = {"en": ".", "ru": ","}


def _names(of: Mapping[str, str]) -> list[str]:
    return of[current_language()].split()


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


def has_hour(wanted: datetime | None, zone: ZoneInfo) -> bool:
    """Whether an order is wanted at an hour; else it is by the end of a day."""
    return wanted is not None and time() < wanted.astimezone(zone).time() < time(23, 59)


def format_wanted(wanted: datetime, zone: ZoneInfo) -> str:
    """Write `04.12.2026`, and the hour if 1C gave one."""
    local = wanted.astimezone(zone)
    return format_date(local) + (f" {local:%H:%M}" if has_hour(wanted, zone) else "")


def format_until(end: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Write until when something lasts: its last day, or the moment where it ends within one."""
    if end.astimezone(zone).time() != time():
        return format_moment(end, zone, now)
    return format_day(end - timedelta(microseconds=1), zone, now)


def format_span(start: datetime, end: datetime, zone: ZoneInfo, now: datetime) -> str:
    """Write from when to when; whole days by their dates, the last one included."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if (first.time(), last.time()) != (time(), time()):
        return f"{format_moment(start, zone, now)} - {format_until(end, zone, now)}"
    days = [format_day(moment, zone, now) for moment in (first, last - timedelta(seconds=1))]
    return " - ".join(dict.fromkeys(days))


def format_days(first: date, last: date) -> str:
    """Write `16–22 November 2026`; months and years are named once where once is enough."""
    begin = f"{first.day}–"
    if first.year != last.year:
        begin = f"{_format_day_and_month(first)} {first.year} – "
    elif first.month != last.month:
        begin = f"{_format_day_and_month(first)} – "
    return f"{begin}{_format_day_and_month(last)} {last.year}"


def _format_day_and_month(day: date) -> str:
    return f"{day.day} {_names(_MONTHS_OF_DAYS)[day.month - 1]}"


def format_long_day(day: date) -> str:
    """Write `Tuesday, 24 November 2026`."""
    return f"{_names(_WEEKDAYS)[day.weekday()]}, {_format_day_and_month(day)} {day.year}"


def format_short_day(day: date) -> str:
    """Write `23 Nov`."""
    return f"{day.day} {_names(_SHORT_MONTHS)[day.month - 1]}"


def format_month(day: date) -> str:
    """Write `November 2026`."""
    return f"{_names(_MONTHS)[day.month - 1]} {day.year}"


def get_weekday_letters() -> list[str]:
    """Return a letter for each day of the week, Monday first."""
    return [name[0].upper() for name in _names(_WEEKDAYS)]


def format_decimal(value: float, digits: int = 1) -> str:
    """Write a number with the decimal mark of the language; a half goes to the even digit, as it is written."""
    return f"{Decimal(str(value)):.{digits}f}".replace(".", _DECIMAL_MARKS[current_language()])


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


def format_taken(seconds: int) -> str:
    """Write how much working time a piece of work takes; what somebody has put outside of it takes none."""
    return format_work(seconds) if seconds else _("outside the working hours")


def format_busy(busy_s: int, work_s: int) -> str:
    """Write `3 h of 8 h`: how much of the working time is taken."""
    return _("{busy} of {work}").format(busy=format_work(busy_s), work=format_work(work_s))
