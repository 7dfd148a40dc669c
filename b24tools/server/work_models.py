"""The shapes of what `/load`, `/today` and `/why` answer; the same with `--json`."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import AwareDatetime
from typing_extensions import TypeAliasType

from b24tools.server.models import PersonInCharge, Shape, about

Moment = AwareDatetime | None
Day = date  # a field is called so


ChoiceReason = TypeAliasType(
    "ChoiceReason", Literal["first", "less_open", "least_recent", "lower_id", "holder", "only", "pinned", "fallback"]
)


class LoadTask(Shape):
    """An open task of a person."""

    task_id: int = about("The task's id on the portal.")
    title: str = about("The title of the task.")
    start: AwareDatetime = about("When it begins, or goes on.")
    end: AwareDatetime = about("When it ends.")
    left_s: int = about("The working time that it takes, in seconds; 0: somebody has put it outside the working hours.")


class Terms(Shape):
    """What people.json says of a person."""

    rate: float = about("The share of the working time.", default=1)
    hours_a_week: float = about("The most hours a week.", default=0)
    schedule: int = about("The id of a schedule of the portal.", default=0)
    only: list[str] = about("The positions whose work the person is given.", default=[])
    never: list[str] = about("The positions whose work the person is not given.", default=[])


class PersonLoad(Shape):
    """How much a person has to do."""

    id: int = about("The user's id on the portal.")
    name: str = about("First and last name.")
    department: str = about("The department under which the person is listed.")
    open_s: int = about("The working time that the person's open work takes, in seconds.")
    free: Moment = about("When the person has time.")
    absences: list[tuple[AwareDatetime, AwareDatetime]] = about("From and to.")
    days: dict[date, int] = about("Work by day, in seconds.")
    tasks: list[LoadTask] = about("The tasks behind that; only of one person.", default=[])
    terms: Terms | None = about("What people.json says of the person.", default=None)


class Worker(Shape):
    """A person with the department."""

    id: int = about("The user's id on the portal.")
    name: str = about("First and last name.")
    department: str = about("The person's first department of the production.")


class OperationBefore(Shape):
    """An operation of the same order that has to be done first."""

    task_id: int = about("Its task.")
    position: str = about("The position that does it, as 1C names it.")
    person: str | None = about("Who does it; with the id where somebody else has the same name.")
    ready: Moment = about("When it will be done; null: that is not known.")


class PieceOfWork(Shape):
    """A time of the day in which the person works on one task without doing another between."""

    task_id: int = about("The task's id on the portal.")
    title: str = about("The task's title.")
    url: str = about("Where the task opens in a browser.")
    order: str | None = about("The order's number; null: the task did not come from 1C.")
    customer: str | None = about("The order's customer.")
    position: str | None = about("The position, as 1C names it.")
    start: AwareDatetime = about("When this piece begins.")
    end: AwareDatetime = about("When it ends; breaks lie within.")
    minutes: int = about("Working minutes of this piece.")
    goes_on: bool = about("The task is not done with this piece.")
    deadline: Moment = about("The task's deadline on the portal.")
    late: bool = about("The task will be done after its deadline.")
    after: OperationBefore | None = about("What has to be done first; null: nothing, or it is done.")


class WorkList(Shape):
    """What a person has to do on a day, in that sequence."""

    person: Worker = about("Whose list it is.")
    date: Day = about("The day.")
    minutes: int = about("Working minutes that are taken.")
    of_minutes: int = about("Working minutes that there are; of today what is left.")
    absences: list[tuple[AwareDatetime, AwareDatetime]] = about("Absences that touch the day, from when until when.")
    tasks: list[PieceOfWork] = about("The pieces of work.")


class Candidate(Shape):
    """A person who was considered."""

    id: int = about("The user's id on the portal.")
    name: str = about("First and last name.")
    free: Moment = about("When the person had time.")
    finish: Moment = about("When the person would have ended the work.")
    open_s: int = about("The working time that the person's open work takes, in seconds.")
    absent: list[tuple[AwareDatetime, AwareDatetime]] = about("Absences that mattered: from and to.")
    chosen: bool = about("Whether the person got it.")
    note: str = about("Why it was or was not this person, in the language of B24_LANG.")


class TaskNow(Shape):
    """Who has a task by now, or closed it, as far as the database knows."""

    responsible: PersonInCharge = about("Who has it, or closed it.")
    start: Moment = about("When its work begins, as written or moved last; null where somebody else has it since.")
    finish: Moment = about("When its work is done, as written or moved last; null where somebody else has it since.")
    closed_at: Moment = about("When it was closed; null where that is not known.")
    deleted: bool = about("It is not on the portal any more.")


class Decision(Shape):
    """Why a person got a task, as it was decided then."""

    task_id: int = about("The task's id on the portal.")
    position: str = about("The position that does it, as 1C names it.")
    decided_at: AwareDatetime = about("When it was decided.")
    responsible: PersonInCharge = about("Who got it.")
    reason: ChoiceReason = about(
        "What decided: who ends first, has less open work, waits longest, the lower id, has it already, …"
    )
    explanation: str = about("The same in sentences, in the language of B24_LANG.")
    candidates: list[Candidate] = about("Who was considered, the best first.")
    now: TaskNow | None = about("What differs from that by now.", default=None)
    earlier: list[Decision] = about("What was decided before a replan moved it.", default=[])
