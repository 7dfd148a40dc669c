"""Who has what to do, and in which hours: the open work of people laid on their calendars."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any

from b24tools.assignment.plan import PlannedTask, Rules
from b24tools.assignment.portal_state import UNKNOWN_PERSON_TASKS, PortalState, Questions, read_workers
from b24tools.assignment.tools import Tools
from b24tools.bitrix24.org_cache import OrgData
from b24tools.core.i18n import _
from b24tools.core.line_keys import KEY_PREFIX
from b24tools.core.models import Person, Status, Task
from b24tools.core.names import same_name, suggest_name
from b24tools.core.org_structure import Staff
from b24tools.scheduling import portal_hours
from b24tools.scheduling.calendar import HOUR_S, Timeline, WorkCalendar, whole_minute
from b24tools.scheduling.holidays import NONE, production_calendar, with_production
from b24tools.scheduling.lane import OpenTask, Worker
from b24tools.scheduling.people_file import PeopleFile
from b24tools.scheduling.workload import Workload, remaining_s
from b24tools.store.orders import LedgerTask, OurTask

LONGEST_DAY_S = 12 * 3600


def working_hours(company: OrgData, rules: Rules) -> tuple[WorkCalendar, list[str]]:
    """The calendar to plan by, and what is to be said of where it comes from."""
    calendar, warnings = portal_hours.portal_hours(company.schedule, company.calendar_settings, rules.zone)
    longest_s = _longest_day_s(calendar)
    if longest_s > LONGEST_DAY_S:
        warnings.append(
            _("the work schedule gives everybody {hours} hours of work a day: look at its shifts and breaks").format(
                hours=round(longest_s / 3600, 1)
            )
        )
    known = _read_schedules(company, rules)
    for number in rules.people.schedules:
        if number not in known and "timeman" not in company.missing_scopes:
            text = _("people.json: schedule {id} is not on the portal, or has no hours: the usual hours count")
            warnings.append(text.format(id=number))
    warnings += _find_odd_names(company.staff, rules)
    calendar = with_production(calendar, production_calendar(rules.country).days, rules.own.days)
    return calendar, [*warnings, *_find_long_days(company, rules, calendar)]


def _longest_day_s(calendar: WorkCalendar) -> int:
    return max(calendar.working_s(date(2026, 6, day)) for day in range(1, 8))  # an ordinary week


def _find_long_days(company: OrgData, rules: Rules, calendar: WorkCalendar) -> list[str]:
    """Say who has longer days by a schedule of their own than anybody works."""
    people = company.staff.people
    calendars = own_calendars(people.values(), company, rules, calendar)
    longest_s = {id(own): _longest_day_s(own) for own in calendars.values()}
    text = _("{name}: the work schedule gives {hours} hours of work a day: look at its shifts and breaks")
    return [
        text.format(name=people[id_].name, hours=round(day_s / 3600, 1))
        for id_, own in calendars.items()
        if people[id_].active and (day_s := longest_s[id(own)]) > LONGEST_DAY_S
    ]


def _find_odd_names(staff: Staff, rules: Rules) -> list[str]:
    """Say which people, departments and positions of people.json mean nothing: a misspelt one changes what is planned.

    It does not matter where those work who are named by --to or B24_FALLBACK_USER.
    """
    if (file := rules.people) == PeopleFile():
        return []
    departments = [department.name for department in staff.departments.values()]
    known = {*map(same_name, departments), *map(str, staff.departments)}
    names = dict.fromkeys([*file.schedules_of, *file.departments_of.values()])
    texts = [
        _('people.json: the portal has no department "{name}"').format(name=name) + suggest_name(name, departments)
        for name in names
        if same_name(name) not in known
    ]
    positions = [*departments, *file.departments_of, *rules.route]
    known = set(map(same_name, positions))
    for number, terms in file.people.items():
        person = staff.people.get(number)
        if not (person and person.active) and number not in {rules.fallback_user, *rules.pins.values()}:
            texts.append(_("people.json: no active person of the production has the id {id}").format(id=number))
            continue
        name = person.shown if person else f"#{number}"
        for key, listed in (("only", terms.only), ("never", terms.never)):
            for position in listed:
                if same_name(position) not in known:
                    text = _('people.json: "{key}" of {name} has "{position}", which is no position')
                    text = text.format(key=key, name=name, position=position)
                    texts.append(text + suggest_name(position, positions))
    return texts


def _read_schedules(company: OrgData, rules: Rules) -> dict[int, WorkCalendar]:
    """Read the schedules of single people and departments that have hours."""
    schedules = {number: portal_hours.from_schedule(raw, rules.zone) for number, raw in company.schedules.items()}
    days = production_calendar(rules.country).days
    return {number: with_production(read[0], days, rules.own.days) for number, read in schedules.items() if read}


def own_calendars(
    people: Iterable[Person], company: OrgData, rules: Rules, calendar: WorkCalendar
) -> dict[int, WorkCalendar]:
    """Return the calendars of people who do not work as all others do: one for all who work alike."""
    if not (rules.people.people or rules.people.schedules_of):
        return {}
    known, staff = _read_schedules(company, rules), company.staff
    by_name = {same_name(name): number for name, number in rules.people.schedules_of.items()}
    made: dict[tuple[int | None, Fraction | None], WorkCalendar] = {(None, None): calendar}
    calendars: dict[int, WorkCalendar] = {}
    for person in people:
        terms = rules.people.of(person.id)
        homes = (
            by_name.get(same_name(staff.departments[home].name), by_name.get(str(home)))
            for home in (staff.homes_of(person) if by_name else ())
        )
        number = next((schedule_id for schedule_id in (terms.schedule, *homes) if schedule_id in known), None)
        key = number, terms.hours_a_week
        if key not in made:
            base = known.get(number or 0, calendar)
            made[key] = base.limited_to(int(terms.hours_a_week * HOUR_S)) if terms.hours_a_week else base
        if made[key] is not calendar:
            calendars[person.id] = made[key]
    return calendars


def not_known(company: OrgData, portal: PortalState) -> list[str]:
    """What the portal did not say about hours and absences, and so is not counted; what is doubtful about times."""
    warnings = [*([portal.clock.warning] if portal.clock.warning else []), *portal.doubts]
    if company.hours_problem:
        warnings.append(_("the working hours could not be read: {reason}").format(reason=company.hours_problem))
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


def list_present(company: OrgData, rules: Rules) -> set[int]:
    """Return the ids of the people of the production who may be given work."""
    return {person.id for person in company.staff.people.values() if person.active and person.id not in rules.excluded}


def list_planned(company: OrgData, rules: Rules, holders: Collection[int]) -> set[int]:
    """Return the ids of those whose time is planned, whatever they were handed by somebody.

    The people of the production, and who is given work from outside it; `holders`: of tasks of open orders.
    """
    return list_present(company, rules) | {*holders, *([rules.fallback_user] if rules.fallback_user else [])}


def ask_about(tools: Tools, rules: Rules, company: OrgData, workers: Collection[int], **more: Any) -> Questions:
    """Ask for the open work and the absences of these people, and for more."""
    counts = tools.directory.open_counts()
    expected = sum(counts.get(worker_id, UNKNOWN_PERSON_TASKS) for worker_id in workers)
    if company.open_total is not None and not counts.keys() >= set(workers):
        expected = company.open_total
    return Questions(
        workers=sorted(workers),
        expected_open=expected,
        today=tools.clock.now().astimezone(rules.zone).date(),
        zone=rules.zone,
        group=rules.group,
        folder=rules.folder,
        places=company.places,
        date_order=tools.directory.date_order(),
        **more,
    )


def read_handed_over(
    tools: Tools,
    rules: Rules,
    company: OrgData,
    portal: PortalState,
    questions: Questions,
    tasks: Iterable[Task | None],
    others: Collection[int] = (),
) -> tuple[PortalState, Questions]:
    """Read also who has one of these tasks without being asked about: people of other positions, or who have left.

    And these `others`.

    Of those outside production the time is not planned; of who has come into it since the people were cached it is, and
    who has left keeps the work, which others may wait for.
    """
    holders = {task.responsible_id for task in tasks if task and task.is_open}
    more = sorted({*holders, *others} - set(questions.workers))
    if not more:
        return portal, questions
    portal = read_workers(tools.client, portal, questions, more)
    come = {id_ for id_, who in portal.people.items() if company.staff.home_of(who)} - rules.excluded
    gone = {id_ for id_, who in portal.people.items() if not who.active}
    outside = {*more} - come - gone - list_planned(company, rules, tools.store.orders.holders())
    portal = replace(portal, open=[task for task in portal.open if task.responsible_id not in outside])
    return portal, replace(questions, workers=[*questions.workers, *more])


def workload_of(
    people: Iterable[Person],
    portal: PortalState,
    company: OrgData,
    rules: Rules,
    calendar: WorkCalendar,
    now: datetime,
    *,
    our_tasks: Mapping[int, OurTask],
    last_assigned: Mapping[int, datetime],
) -> Workload:
    """Lay the open work on people's timelines as of `now`.

    `our_tasks` are the ids whose plans are slots of ours, as b24tools wrote them; `calendar` is of all who have no own.
    """
    workers = list_workers(people, portal, company, rules, calendar, last_assigned)
    tasks = list_open_tasks(portal, workers, rules, calendar, now, our_tasks=our_tasks)
    return Workload(calendar, now, workers, tasks, rules.step_s)


def list_open_tasks(
    portal: PortalState,
    workers: Iterable[Worker],
    rules: Rules,
    calendar: WorkCalendar,
    now: datetime,
    *,
    our_tasks: Mapping[int, OurTask],
) -> list[OpenTask]:
    """Return the open work as lanes take it: what is left of it by the norm, at rate 1."""
    known = {worker.id: worker for worker in workers}
    tasks = []
    for task in portal.open:
        worker = known.get(task.responsible_id)
        own, rate = (worker.calendar or calendar, worker.rate) if worker else (calendar, Fraction(1))
        our = our_tasks.get(task.id)
        left_s = left_of(task, our.position if our else "", portal, rules, own, rate, now)
        tasks.append(open_task(task, left_s, our))
    return tasks


def open_task(task: Task, left_s: int, our: OurTask | LedgerTask | None) -> OpenTask:
    """Return a task as lanes take it; `our`: what the ledger has of it."""
    return OpenTask(
        id=task.id,
        responsible_id=task.responsible_id,
        remaining_s=left_s,
        start=task.start,
        end=task.end,
        ours=our is not None or task.xml_id.startswith(KEY_PREFIX),
        begun=task.status == Status.IN_PROGRESS,
        by_hand=our is not None and (task.start, task.end) != (our.start, our.end),
    )


def left_of(
    task: Task,
    position: str,
    portal: PortalState,
    rules: Rules,
    calendar: WorkCalendar,
    rate: Fraction,
    now: datetime,
) -> int:
    """Return the seconds of work left in a task, by the norm and at rate 1; calendar and rate are the person's."""
    spent_s = task.spent_s or _worked_s(task, portal, calendar, now)
    work_s = rules.work_s(position, task.estimate_s)
    return remaining_s(work_s, int(spent_s * rate) if spent_s else 0, rules.step_s)


def list_workers(
    people: Iterable[Person],
    portal: PortalState,
    company: OrgData,
    rules: Rules,
    calendar: WorkCalendar,
    last_assigned: Mapping[int, datetime],
) -> list[Worker]:
    """Return the people with their absences, their rates and calendars, and when each was given work last."""
    people = list(people)
    calendars = own_calendars(people, company, rules, calendar)
    away = {id_: tuple((away.start, away.end) for away in absences) for id_, absences in portal.absences.items()}
    terms_of = rules.people.of
    return [
        Worker(
            person.id,
            person.name,
            away.get(person.id, ()),
            last_assigned.get(person.id),
            (terms := terms_of(person.id)).rate,
            calendars.get(person.id),
            terms.record,
        )
        for person in people
    ]


def _worked_s(task: Task, portal: PortalState, calendar: WorkCalendar, now: datetime) -> int:
    """Tell the working time since a task in progress was begun, on which none is written down."""
    begun = [whole_minute(moment) for moment in (task.start, task.date_start) if moment]
    now = whole_minute(now)
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
