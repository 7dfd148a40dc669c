"""Hours of work: what the portal says, in which shape, and where its own two calendars disagree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from b24tools.bitrix24 import queries
from b24tools.bitrix24.absences import read_absences
from b24tools.bitrix24.parsing import php_values
from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor.asking import ABSENCE_DAYS, Answers, absence_span
from b24tools.jobs.doctor.checks import Check, guarded, listed, ok, warn
from b24tools.jobs.doctor.subject import Subject
from b24tools.scheduling import portal_hours
from b24tools.scheduling.calendar import DAY_OFF, WorkCalendar
from b24tools.scheduling.holidays import NONE, production_calendar, with_production

AHEAD_DAYS = 366
MOST_DAYS = 6


def check(subject: Subject, answers: Answers) -> Iterator[Check]:
    """The schedule, the days off, the agreement, the absences."""
    yield from guarded("schedule", lambda: _schedule(subject, answers))
    yield from guarded("calendar", lambda: [_settings(subject, answers)])
    yield from _agreement(subject, answers)
    yield from guarded("absences", lambda: [_absences(subject, answers)])


def _schedule(subject: Subject, answers: Answers) -> Iterator[Check]:
    raw = answers.read("schedule", queries.schedule(subject.schedule_id))
    number = subject.schedule_id
    instead = _("the hours of the portal's calendar count instead")
    if raw is None:
        owner = answers.read("profile", queries.profile())
        mend = _(
            "Set B24_SCHEDULE_ID to a schedule's number: it stands in the address when one is opened on the portal."
        )
        if not owner.admin:
            mend = _("Only an administrator's webhook may read schedules.")
        yield warn(
            "schedule",
            _("schedule {id} is not there, or may not be read: {instead}").format(id=number, instead=instead),
            mend,
        )
        return
    name = f"{raw.get('NAME') or ''} (#{number})".strip()
    read = portal_hours.from_schedule(raw, subject.zone)
    if read is None:
        yield warn(
            "schedule",
            _("{name}, {kind}: no hours to plan by; {instead}").format(
                name=name, kind=raw.get("SCHEDULE_TYPE"), instead=instead
            ),
            _("Set B24_SCHEDULE_ID to a schedule with fixed hours."),
        )
        return
    calendar, remarks = read
    told = _("{name}, {kind}: {hours}").format(name=name, kind=raw.get("SCHEDULE_TYPE"), hours=_hours(calendar))
    if remarks:
        yield warn(
            "schedule",
            f"{told}; {'; '.join(remarks)}",
            _("Correct the schedule on the portal, or set B24_SCHEDULE_ID to another one."),
        )
    else:
        yield ok("schedule", told)
    yield _exclusions(raw, calendar)


def _exclusions(raw: Mapping[str, Any], calendar: WorkCalendar) -> Check:
    """The documentation calls them a list of strings, the server's code gives a tree by year, month and day."""
    inner = raw.get("CALENDAR")
    given = inner.get("EXCLUSIONS") if isinstance(inner, Mapping) else None
    parent = inner.get("PARENT_CALENDAR_ID") if isinstance(inner, Mapping) else None
    shape = _shape(given)
    count = len(calendar.days)
    told = ngettext("{n} day off, given as {shape}", "{n} days off, given as {shape}", count).format(
        n=count, shape=shape
    )
    if parent not in (None, 0, "0", ""):
        return warn(
            "exclusions",
            _("{told}; the holidays of the calendar it is based on are not told").format(told=told),
            _("See below on which days the calendars differ; mark the missing holidays in the schedule itself."),
        )
    if given and not count:
        return warn("exclusions", told, _("Report the shape: these days off are not understood, and get planned."))
    return ok("exclusions", told)


def _shape(value: Any, depth: int = 0) -> str:
    """`{2026: {1: {1: "0"}}}` for a tree, `[]` for nothing, `["2026-01-01"]` for a list."""
    if isinstance(value, Mapping):
        filled = next(((name, one) for name, one in value.items() if one), next(iter(value.items()), None))
        if filled is None or depth > 3:
            return "{}"
        return f"{{{filled[0]}: {_shape(filled[1], depth + 1)}}}"
    if isinstance(value, list):
        return f"[{_shape(value[0], depth + 1)}]" if value else "[]"
    return f'"{value[:12]}"' if isinstance(value, str) else str(value)[:12]


def _settings(subject: Subject, answers: Answers) -> Check:
    raw = answers.read("settings", queries.calendar_settings())
    read = portal_hours.from_settings(raw, subject.zone)
    if read is None:
        return warn(
            "calendar",
            _("no hours of work in the portal's calendar: without a schedule Monday to Friday 9-18 count"),
            _("Set the working time in the calendar's settings on the portal."),
        )
    calendar, remarks = read
    told = _("{hours}; {n} holidays a year").format(
        hours=_hours(calendar), n=sum(1 for rule in calendar.yearly.values() if rule.shifts == ())
    )
    if remarks:
        return warn("calendar", f"{told}; {'; '.join(remarks)}", _("Correct the calendar's settings on the portal."))
    return ok("calendar", told)


def _agreement(subject: Subject, answers: Answers) -> Iterator[Check]:
    """Whether the portal's two calendars agree, and what the country's adds to the one that counts."""
    raw = {key: answers.items[key].result for key in ("schedule", "settings") if answers.items[key].error is None}
    schedule, settings = _calendars(raw, subject)
    today = answers.after.astimezone(subject.zone).date()
    days = [today + timedelta(days=n) for n in range(AHEAD_DAYS)]
    if schedule and settings:
        yield _portals_own(schedule, settings, days)
    portal, _warnings = portal_hours.portal_hours(raw.get("schedule"), raw.get("settings"), subject.zone)
    yield _production(portal, subject, days)


def _calendars(raw: Mapping[str, Any], subject: Subject) -> tuple[WorkCalendar | None, WorkCalendar | None]:
    """The schedule and the calendar's settings; what the portal refuses is not there."""
    schedule = portal_hours.from_schedule(raw.get("schedule"), subject.zone)
    settings = portal_hours.from_settings(raw.get("settings"), subject.zone)
    return schedule and schedule[0], settings and settings[0]


def _portals_own(schedule: WorkCalendar, settings: WorkCalendar, days: Sequence[date]) -> Check:
    hours = [(day, schedule.working_s(day), settings.working_s(day)) for day in days]
    only = [
        (_("worked by the schedule only"), [day for day, one, other in hours if one and not other]),
        (_("worked by the portal's calendar only"), [day for day, one, other in hours if other and not one]),
    ]
    told = _told(only)
    if not told:
        return ok("agreement", _("for a year ahead the schedule and the portal's calendar agree"))
    return warn("agreement", told, _("The schedule counts; mark the days off in both on the portal."))


def _production(portal: WorkCalendar, subject: Subject, days: Sequence[date]) -> Check:
    """What B24_COUNTRY and calendar.json change of the portal's hours, and where the portal has the last word."""
    production = production_calendar(subject.country)
    counted = with_production(portal, production.days, subject.own.days)
    hours = [(day, portal.working_s(day), counted.working_s(day)) for day in days]
    told = _told(
        [
            (_("off"), [day for day, before, after in hours if before and not after]),
            (_("worked"), [day for day, before, after in hours if after and not before]),
            (_("shorter"), [day for day, before, after in hours if 0 < after < before]),
            (_("longer"), [day for day, before, after in hours if 0 < before < after]),
        ]
    )
    told = _("{country}: {changes}").format(
        country=subject.country, changes=told or _("nothing differs from the portal's hours for a year ahead")
    )
    overruled = [
        day for day in days if production.days.get(day) not in (None, DAY_OFF) and portal.days.get(day) == DAY_OFF
    ]
    doubts, mends = [told], []
    if overruled:
        doubts.append(_("off on the portal, though the country works: {days}").format(days=_listed(overruled)))
        mends.append(_("The portal counts. If that is not meant, take these days out of the schedule's exclusions."))
    unchecked = {day.year for day in days} - production.verified - subject.own.checked
    if subject.country != NONE and unchecked:
        years = ", ".join(map(str, sorted(unchecked)))
        doubts.append(_("not checked against the official calendar: {years}").format(years=years))
        mends.append(
            _('Once the moved days are official, put them into calendar.json and add "checked": [{years}].').format(
                years=years
            )
        )
    return warn("production", "; ".join(doubts), " ".join(mends)) if mends else ok("production", told)


def _told(groups: Sequence[tuple[str, Sequence[date]]]) -> str:
    """`off 31.12.2026, 11.01.2027; worked 20.02.2027`."""
    return "; ".join(f"{what} {_listed(days)}" for what, days in groups if days)


def _listed(days: Sequence[date]) -> str:
    return listed([day.strftime("%d.%m.%Y") for day in days], MOST_DAYS)


def _hours(calendar: WorkCalendar) -> str:
    """`Mon-Fri 09:00-18:00` of the weekly shifts."""
    names = [_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun")]
    return ", ".join(
        f"{_weekdays(sorted(shift.weekdays), names)} {_clock(shift.start_s)}-{_clock(shift.end_s)}"
        for shift in calendar.shifts
    )


def _weekdays(days: list[int], names: list[str]) -> str:
    if len(days) > 1 and days[-1] - days[0] == len(days) - 1:
        return f"{names[days[0] - 1]}-{names[days[-1] - 1]}"
    return " ".join(names[day - 1] for day in days)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"


def _absences(subject: Subject, answers: Answers) -> Check:
    first, last = absence_span(answers.after)
    query = queries.absences([], first, last)
    found = [answers.read(key, query) for key in answers.items if key.rstrip("0123456789") == "absences"]
    rows = absence_rows(found)
    chart = [row for row in rows if row.get("FROM_HR")]
    events = [row for row in rows if not row.get("FROM_HR")]
    away = [row for row in events if row.get("ACCESSIBILITY") == "absent"]
    told = _(
        "{people} asked for, {days} days ahead: {chart} of the absence chart, {away} calendar events “absent”, "
        "{others} other events"
    ).format(
        people=ngettext("{n} person", "{n} people", answers.absences_of).format(n=answers.absences_of),
        days=ABSENCE_DAYS,
        chart=len(chart),
        away=len(away),
        others=len(events) - len(away),
    )
    if chart:
        told = _("{told}; rows of the chart have {names}").format(
            told=told, names=listed(sorted(name for name in chart[0] if name.isupper() and name != "FROM_HR"), 8)
        )
    read = read_absences(found, first, last, days_in=subject.zone, clock_in=subject.zone)
    orders = {"DMY": _("day, month, year"), "MDY": _("month, day, year"), "YMD": _("year, month, day")}
    if read.order:
        told = _("{told}; dates are written as {order}").format(told=told, order=orders[read.order])
    if read.warnings:
        return warn(
            "absences",
            "; ".join([told, *read.warnings]),
            _(
                "Put an event after the 12th of a month into a worker's calendar: it shows how dates are written. "
                "If they still cannot be read, report this line."
            ),
        )
    return ok("absences", told)


def absence_rows(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows in answers of `calendar.accessibility.get`, of events and of the absence chart."""
    rows = (row for one in found for of_person in one.values() for row in php_values(of_person))
    return [row for row in rows if isinstance(row, Mapping)]
