"""Hours of work: what the portal says, in which shape, and where its own two calendars disagree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from b24tools.bitrix import methods, probes
from b24tools.i18n import _, ngettext
from b24tools.jobs.doctor.asking import ABSENCE_DAYS, Answers, absence_span
from b24tools.jobs.doctor.checks import Check, guarded, listed, ok, warn
from b24tools.jobs.doctor.subject import Subject
from b24tools.planning import sources
from b24tools.planning.calendar import DayRule, WorkCalendar

AHEAD_DAYS = 366
DAY = timedelta(days=1)

Kind = tuple[str, int, DayRule | None]  # of days: the calendar, the weekday, the rule if there is one


@dataclass(frozen=True)
class Difference:
    """A day that some calendars work and others do not; seconds of work by the calendar's name."""

    day: date
    worked_s: Mapping[str, int]


def calendar_differences(
    calendars: Mapping[str, WorkCalendar], first: date, days: int = AHEAD_DAYS
) -> list[Difference]:
    """The days from `first` on which these calendars do not agree whether people work.

    The names are shown: the portal's schedule, the portal's calendar, and the country's production calendar.
    """
    known: dict[Kind, bool] = {}
    found = []
    for day in (first + number * DAY for number in range(days)):
        works = {_is_worked(name, calendar, day, known) for name, calendar in calendars.items()}
        if len(works) > 1:
            found.append(Difference(day, {name: _seconds(calendar, day) for name, calendar in calendars.items()}))
    return found


def check(subject: Subject, answers: Answers) -> Iterator[Check]:
    """The schedule, the days off, the agreement, the absences."""
    yield from guarded("schedule", lambda: _schedule(subject, answers))
    yield from guarded("calendar", lambda: [_settings(subject, answers)])
    yield from _agreement(subject, answers)
    yield from guarded("absences", lambda: [_absences(answers)])


def _is_worked(name: str, calendar: WorkCalendar, day: date, known: dict[Kind, bool]) -> bool:
    """Days of one rule and weekday are alike: a year has few kinds of them."""
    kind = (name, day.isoweekday(), calendar.days.get(day) or calendar.yearly.get((day.month, day.day)))
    if kind not in known:
        known[kind] = _seconds(calendar, day) > 0
    return known[kind]


def _seconds(calendar: WorkCalendar, day: date) -> int:
    return sum(int((end - start).total_seconds()) for start, end in calendar.intervals(day))


def _calendars(subject: Subject, answers: Answers) -> dict[str, WorkCalendar]:
    """The calendars that there are, by the names they are shown under. One that the portal refuses is not there."""
    found: dict[str, WorkCalendar] = {}
    raw = {key: answers.items[key].result for key in ("schedule", "settings") if answers.items[key].error is None}
    if (read := sources.from_schedule(raw.get("schedule"), subject.zone)) is not None:
        found[_("the schedule")] = read[0]
    if (read := sources.from_settings(raw.get("settings"), subject.zone)) is not None:
        found[_("the portal's calendar")] = read[0]
    if subject.country is not None:
        found[_("the production calendar")] = subject.country
    return found


def _schedule(subject: Subject, answers: Answers) -> Iterator[Check]:
    raw = answers.read("schedule", methods.schedule(subject.schedule_id))
    number = subject.schedule_id
    instead = _("the hours of the portal's calendar count instead")
    if raw is None:
        owner = answers.read("profile", methods.profile())
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
    read = sources.from_schedule(raw, subject.zone)
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
    raw = answers.read("settings", methods.calendar_settings())
    read = sources.from_settings(raw, subject.zone)
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
    calendars = _calendars(subject, answers)
    if len(calendars) < 2:
        return
    today = answers.after.astimezone(subject.zone).date()
    found = calendar_differences(calendars, today)
    if not found:
        yield ok("agreement", _("for a year ahead they agree: {names}").format(names=", ".join(calendars)))
        return
    yield warn(
        "agreement",
        ngettext("they differ on {n} day: {days}", "they differ on {n} days: {days}", len(found)).format(
            n=len(found), days=_days(found)
        ),
        _("Here {name} counts; mark the days off in both on the portal.").format(name=next(iter(calendars))),
    )


def _days(differences: Sequence[Difference]) -> str:
    """By the calendars that work on them: `only the portal's calendar works on 05.01.2027, 06.01.2027`."""
    by_names: dict[tuple[str, ...], list[str]] = {}
    for one in differences:
        names = tuple(name for name, seconds in one.worked_s.items() if seconds)
        by_names.setdefault(names, []).append(one.day.strftime("%d.%m.%Y"))
    return "; ".join(
        _("worked by {names} only: {days}").format(names=" + ".join(names), days=listed(days))
        for names, days in by_names.items()
    )


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


def _absences(answers: Answers) -> Check:
    rows = _absence_rows(answers, answers.after)
    chart = [row for row in rows if row.get("FROM_HR")]
    events = [row for row in rows if not row.get("FROM_HR")]
    away = [row for row in events if row.get("ACCESSIBILITY") == "absent"]
    strange = [row for row in chart if not {"DT_FROM", "DT_TO"} <= row.keys() and not {"FROM", "TO"} <= row.keys()]
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
    if strange:
        return warn("absences", told, _("Report these names: such absences are not understood, and get planned."))
    return ok("absences", told)


def _absence_rows(answers: Answers, now: datetime) -> list[Mapping[str, Any]]:
    rows: list[Mapping[str, Any]] = []
    query = probes.absences_of([], *absence_span(now))
    for key in answers.items:
        if key.rstrip("0123456789") == "absences":
            found = answers.read(key, query)
            rows += found
    return rows
