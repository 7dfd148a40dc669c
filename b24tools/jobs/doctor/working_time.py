"""Hours of work: the schedule and the portal's calendar, where they differ, the country's calendar, the absences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import islice
from typing import Any

from b24tools.bitrix24 import queries
from b24tools.bitrix24.absences import read_absences
from b24tools.bitrix24.batch import Batch, Pending
from b24tools.bitrix24.parsing import int_or_zero, mapping_or_none, php_values
from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, Need, listed, ok, require, warn
from b24tools.jobs.doctor.company import DEPARTMENTS, everybody, find_production
from b24tools.jobs.doctor.webhook import owner
from b24tools.scheduling import portal_hours
from b24tools.scheduling.calendar import DAY_OFF, WorkCalendar
from b24tools.scheduling.holidays import NONE, production_calendar, with_production

ABSENCE_DAYS = 92  # as far ahead as a plan looks at first
MOST_ABSENT = 500
AHEAD_DAYS = 366

checks = Checks(lambda: _("Working time"))


def _add_absences(batch: Batch, exam: Examination) -> tuple[list[int], list[Pending[Mapping[str, Any]]]]:
    """Ask for the absences of people of production; return these, and the answers."""
    homes = {department.id for department in find_production(exam)}
    rows = exam[everybody].read().rows
    members = (int(row["ID"]) for row in rows if homes & set(map(int_or_zero, php_values(row.get("UF_DEPARTMENT")))))
    workers = list(islice(members, MOST_ABSENT))
    span = _absence_span(exam)
    return workers, batch.add_chunked(lambda ids: queries.absences(ids, *span), workers)


def _absence_span(exam: Examination) -> tuple[date, date]:
    return exam.now.date(), exam.now.date() + timedelta(days=ABSENCE_DAYS)


schedule = Need(lambda batch, exam: batch.add(queries.schedule(exam.settings.schedule_id)))
calendar_settings = Need(lambda batch, _exam: batch.add(queries.calendar_settings()))
absences = Need(_add_absences, late=True)


@checks.add("schedule", lambda: _("schedule"), schedule, owner)
def check_schedule(exam: Examination) -> Finding:
    raw, number = exam[schedule].value, exam.settings.schedule_id
    if raw is None:
        fix = _(
            "Set B24_SCHEDULE_ID to a schedule's number: it stands in the address when one is opened on the portal."
        )
        if not exam[owner].value.admin:
            fix = _("Only an administrator's webhook may read schedules.")
        detail = _("schedule {id} is not there, or may not be read: the hours of the portal's calendar count instead")
        return warn(detail, fix, id=number)
    values: dict[str, Any] = {"name": f"{raw.get('NAME') or ''} (#{number})".strip(), "kind": raw.get("SCHEDULE_TYPE")}
    read = portal_hours.from_schedule(raw, exam.settings.zone)
    if read is None:
        detail = _("{name}, {kind}: no hours to plan by; the hours of the portal's calendar count instead")
        return warn(detail, _("Set B24_SCHEDULE_ID to a schedule with fixed hours."), **values)
    calendar, remarks = read
    detail = _("{name}, {kind}: {hours}").format(hours=write_hours(calendar), **values)
    if remarks:
        fix = _("Correct the schedule on the portal, or set B24_SCHEDULE_ID to another one.")
        return warn("; ".join([detail, *remarks]), fix)
    return ok(detail)


@checks.add("exclusions", lambda: _("days off"), schedule)
def check_exclusions(exam: Examination) -> Finding:
    """The portal leaves out the days off of a calendar that the schedule is based on."""
    raw = require(exam[schedule].value)
    days = require(portal_hours.from_schedule(raw, exam.settings.zone))[0].days
    calendar = mapping_or_none(raw.get("CALENDAR")) or {}
    detail = ngettext("{n} day off", "{n} days off", len(days)).format(n=len(days))
    if calendar.get("PARENT_CALENDAR_ID") not in (None, 0, "0", ""):
        fix = _("See below on which days the calendars differ; mark the missing holidays in the schedule itself.")
        return warn(_("{days}; the portal leaves out those of the calendar it is based on"), fix, days=detail)
    if calendar.get("EXCLUSIONS") and not days:
        fix = _("Mark them again in the schedule on the portal, and report this if that does not help.")
        return warn(_("the days off of the schedule cannot be read: they are planned as working days"), fix)
    return ok(detail)


@checks.add("calendar", lambda: _("calendar"), calendar_settings)
def check_calendar(exam: Examination) -> Finding:
    read = portal_hours.from_settings(exam[calendar_settings].value, exam.settings.zone)
    if read is None:
        detail = _("no hours of work in the portal's calendar: without a schedule Monday to Friday 9-18 count")
        return warn(detail, _("Set the working time in the calendar's settings on the portal."))
    calendar, remarks = read
    holidays = sum(1 for rule in calendar.yearly.values() if rule.shifts == ())
    text = ngettext("{hours}; {n} holiday a year", "{hours}; {n} holidays a year", holidays)
    detail = text.format(hours=write_hours(calendar), n=holidays)
    if remarks:
        return warn("; ".join([detail, *remarks]), _("Correct the calendar's settings on the portal."))
    return ok(detail)


@checks.add("agreement", lambda: _("calendars agree"), schedule, calendar_settings)
def check_agreement(exam: Examination) -> Finding:
    """Compare the schedule with the portal's calendar: people mark a day off in one of them only."""
    zone = exam.settings.zone
    by_schedule, _remarks = require(portal_hours.from_schedule(_read_raw(exam, schedule), zone))
    by_calendar, _remarks = require(portal_hours.from_settings(_read_raw(exam, calendar_settings), zone))
    words = _("worked by the schedule only"), _("worked by the portal's calendar only")
    if differences := _compare(exam, by_schedule, by_calendar, *words):
        return warn(differences, _("The schedule counts; mark the days off in both on the portal."))
    return ok(_("for a year ahead the schedule and the portal's calendar agree"))


@checks.add("production", lambda: _("production calendar"), schedule, calendar_settings)
def check_production(exam: Examination) -> Finding:
    """Show what B24_COUNTRY and calendar.json change of the portal's hours, and where the portal has the last word."""
    country, days = exam.settings.country, _next_year(exam)
    raw = _read_raw(exam, schedule), _read_raw(exam, calendar_settings)
    portal, _warnings = portal_hours.portal_hours(*raw, exam.settings.zone)
    production = production_calendar(country)
    counted = with_production(portal, production.days, exam.own_days.days)
    changes = _compare(exam, portal, counted, _("off"), _("worked"), _("shorter"), _("longer"))
    changes = changes or _("nothing differs from the portal's hours for a year ahead")
    details, fixes = [f"{country}: {changes}"], list[str]()
    overruled = [
        f"{day:%d.%m.%Y}"
        for day in days
        if production.days.get(day) not in (None, DAY_OFF) and portal.days.get(day) == DAY_OFF
    ]
    if overruled:
        details.append(_("off on the portal, though the country works: {days}").format(days=listed(overruled)))
        fixes.append(_("The portal counts. If that is not meant, take these days out of the schedule's exclusions."))
    unchecked = {day.year for day in days} - production.verified - exam.own_days.checked
    if country != NONE and unchecked:
        years = ", ".join(map(str, sorted(unchecked)))
        details.append(_("not checked against the official calendar: {years}").format(years=years))
        fix = _('Once the moved days are official, put them into calendar.json and add "checked": [{years}].')
        fixes.append(fix.format(years=years))
    return warn("; ".join(details), " ".join(fixes)) if fixes else ok(details[0])


def _read_raw(exam: Examination, need: Need[Pending[Mapping[str, Any] | None]]) -> Mapping[str, Any] | None:
    """Return what the portal answered; None where it refused, which another check reports."""
    return None if exam[need].error else exam[need].value


def _next_year(exam: Examination) -> list[date]:
    today = exam.now.astimezone(exam.settings.zone).date()
    return [today + timedelta(days=n) for n in range(AHEAD_DAYS)]


def _compare(exam: Examination, one: WorkCalendar, other: WorkCalendar, *words: str) -> str:
    """Write on which days only one has hours, only the other, the other has less, or more, each behind its word."""
    kinds: list[list[str]] = [[], [], [], []]
    for day in _next_year(exam):
        before, after = one.working_s(day), other.working_s(day)
        if before != after:
            kind = 0 if not after else 1 if not before else 2 if after < before else 3
            kinds[kind].append(f"{day:%d.%m.%Y}")
    return "; ".join(f"{word} {listed(days)}" for word, days in zip(words, kinds, strict=False) if days)


def write_hours(calendar: WorkCalendar) -> str:
    """Write the weekly shifts: `Mon-Fri 09:00-18:00`."""
    names = ["", _("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun")]
    written = []
    for shift in calendar.shifts:
        days = sorted(shift.weekdays)
        in_a_row = len(days) > 1 and days[-1] - days[0] == len(days) - 1
        weekdays = f"{names[days[0]]}-{names[days[-1]]}" if in_a_row else " ".join(names[day] for day in days)
        start, end = (f"{at // 3600:02}:{at % 3600 // 60:02}" for at in (shift.start_s, shift.end_s))
        written.append(f"{weekdays} {start}-{end}")
    return ", ".join(written)


@checks.add("absences", lambda: _("absences"), *DEPARTMENTS, everybody, absences)
def check_absences(exam: Examination) -> Finding:
    """Show what the portal knows of vacations and sick leave, and whether its dates can be read."""
    (workers, answers), zone = exam[absences], exam.settings.zone
    read = read_absences([answer.value for answer in answers], *_absence_span(exam), days_in=zone, clock_in=zone)
    count = sum(map(len, read.away.values()))
    details = [
        _("{people} looked at, {days} days ahead: {absences}").format(
            people=ngettext("{n} person", "{n} people", len(workers)).format(n=len(workers)),
            days=ABSENCE_DAYS,
            absences=ngettext("{n} absence", "{n} absences", count).format(n=count),
        )
    ]
    orders = {"DMY": _("day, month, year"), "MDY": _("month, day, year"), "YMD": _("year, month, day")}
    if read.order:
        details.append(_("dates are written as {order}").format(order=orders[read.order]))
    if not read.warnings:
        return ok("; ".join(details))
    fix = _(
        "Put an event after the 12th of a month into a worker's calendar: it shows how dates are written. "
        "If they still cannot be read, report this line."
    )
    return warn("; ".join([*details, *read.warnings]), fix)
