"""The open work of people as the portal shows it, laid on their calendars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from b24tools.assignment.portal_state import PortalState
from b24tools.core.models import Person
from b24tools.onec import order
from b24tools.scheduling.calendar import WorkCalendar
from b24tools.scheduling.workload import OpenTask, Worker, Workload, remaining_s


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
    """Who has what to do as of `now`; `our_tasks` are the ids whose plans are slots to be kept free."""
    ours = set(our_tasks)
    tasks = [
        OpenTask(
            id=task.id,
            responsible_id=task.responsible_id,
            remaining_s=remaining_s(task.estimate_s, task.spent_s, step_s),
            start=task.start,
            end=task.end,
            ours=task.id in ours or task.xml_id.startswith(order.KEY_PREFIX),
        )
        for task in portal.open
    ]
    workers = [
        Worker(
            id=person.id,
            name=person.name,
            absences=tuple((away.start, away.end) for away in portal.absences.get(person.id, ())),
            last_assigned=last_assigned.get(person.id),
        )
        for person in people
    ]
    return Workload(calendar, now, workers, tasks, step_s)
