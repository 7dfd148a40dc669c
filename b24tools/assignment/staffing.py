"""Who has what to do, and in which hours: the open work of people laid on their calendars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from b24tools.assignment.plan import PlannedTask, Rules
from b24tools.assignment.portal_state import PortalState
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core.i18n import _
from b24tools.core.models import Person, Status, Task
from b24tools.onec.task_fields import KEY_PREFIX
from b24tools.scheduling import portal_hours
from b24tools.scheduling.calendar import Timeline, WorkCalendar
from b24tools.scheduling.holidays import NONE, production_calendar, with_production
from b24tools.scheduling.workload import OpenTask, Worker, Workload, remaining_s

LONGEST_DAY_S = 12 * 3600


def working_hours(company: OrgData, rules: Rules) -> tuple[WorkCalendar, list[str]]:
    """The calendar to plan by, and what is to be said of where it comes from."""
    calendar, warnings = portal_hours.portal_hours(company.schedule, company.calendar_settings, rules.zone)
    longest_s = max(calendar.working_s(date(2026, 6, day)) for day in range(1, 8))  # an ordinary week
    if longest_s > LONGEST_DAY_S:
        warnings.append(
            _("the work schedule gives everybody {hours} hours of work a day: look at its shifts and breaks").format(
                hours=round(longest_s / 3600, 1)
            )
        )
    return with_production(calendar, production_calendar(rules.country).days, rules.own.days), warnings


def not_known(company: OrgData, portal: PortalState) -> list[str]:
    """What the portal did not say about hours and absences, and so is not counted; what is doubtful about times."""
    warnings = [*([portal.clock.warning] if portal.clock.warning else []), *portal.doubts]
    if portal.absences_problem:
        warnings.append(_("the absences are not known: {reason}").format(reason=portal.absences_problem))
    for scope in dict.fromkeys([*company.missing_scopes, *portal.missing_scopes]):
        warnings.append(
            _('the webhook has no scope "{scope}": {loss}').format(
                scope=scope,
                loss=_("the work schedule is not read")
                if scope == "timeman"
                else _("absences and working hours are not read"),
            )
        )
    return warnings


def workload_of(
    people: Iterable[Person],
    portal: PortalState,
    calendar: WorkCalendar,
    now: datetime,
    *,
    our_tasks: Iterable[int],
    last_assigned: Mapping[int, datetime],
    step_s: int,
) -> Workload:
    """Lay the open work on people's timelines as of `now`; `our_tasks` are the ids whose plans are slots of ours."""
    tasks = list_open_tasks(portal, calendar, now, our_tasks=our_tasks, step_s=step_s)
    return Workload(calendar, now, list_workers(people, portal, last_assigned), tasks, step_s)


def list_open_tasks(
    portal: PortalState, calendar: WorkCalendar, now: datetime, *, our_tasks: Iterable[int], step_s: int
) -> list[OpenTask]:
    """Return the open work as lanes take it."""
    ours = set(our_tasks)
    return [
        OpenTask(
            id=task.id,
            responsible_id=task.responsible_id,
            remaining_s=remaining_s(task.estimate_s, task.spent_s or _worked_s(task, portal, calendar, now), step_s),
            start=task.start,
            end=task.end,
            ours=task.id in ours or task.xml_id.startswith(KEY_PREFIX),
            begun=task.status == Status.IN_PROGRESS,
        )
        for task in portal.open
    ]


def list_workers(people: Iterable[Person], portal: PortalState, last_assigned: Mapping[int, datetime]) -> list[Worker]:
    """Return the people with their absences, and when each was given work last."""
    return [
        Worker(
            id=person.id,
            name=person.name,
            absences=tuple((away.start, away.end) for away in portal.absences.get(person.id, ())),
            last_assigned=last_assigned.get(person.id),
        )
        for person in people
    ]


def _worked_s(task: Task, portal: PortalState, calendar: WorkCalendar, now: datetime) -> int:
    """Tell the working time since a task in progress was begun, on which nobody writes down any."""
    begun = [moment for moment in (task.start, task.date_start) if moment]
    if task.status != Status.IN_PROGRESS or not begun or max(begun) >= now:
        return 0
    away = [(away.start, away.end) for away in portal.absences.get(task.responsible_id, ())]
    return Timeline(calendar, away, max(begun)).worked(now)


def unchecked_years(plans: Iterable[PlannedTask], rules: Rules) -> Sequence[str]:
    """A warning for each year that what is to be written reaches into, and whose days off are not checked."""
    if rules.country == NONE:
        return []
    years: set[int] = set()
    for plan in plans:
        if "END_DATE_PLAN" in plan.fields and plan.start and plan.end:
            start, end = plan.start.astimezone(rules.zone), plan.end.astimezone(rules.zone)
            years |= set(range(start.year, end.year + 1))
        if "DEADLINE" in plan.fields and plan.deadline and plan.item.order.wanted_is_day:
            years.add(plan.deadline.astimezone(rules.zone).year)
    unchecked = years - production_calendar(rules.country).verified - rules.own.checked
    return [
        _(
            "the days off of {country} for {year} are not checked against its official calendar: moved days may be "
            'missing; put them into calendar.json and add "checked": [{year}] to it'
        ).format(country=rules.country, year=year)
        for year in sorted(unchecked)
    ]
