"""The shapes of what `/load` and `/today` answer; the same with `--json`."""

from __future__ import annotations

from datetime import date as Day
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """What is built only when somebody asks for it: `serve` starts without."""

    model_config = ConfigDict(defer_build=True)


class PersonLoad(Shape):
    """What a person has to do."""

    id: int = Field(description="The user's id on the portal.")
    name: str = Field(description="First and last name.")
    department: str = Field(description="The person's first department of the production.")
    open_s: int = Field(description="Open work, in seconds of this person.")
    free: AwareDatetime | None = Field(description="The first moment with nothing to do; null: not within six years.")
    absences: list[tuple[AwareDatetime, AwareDatetime]] = Field(description="From when until when the person is away.")
    days: dict[Day, int] = Field(description="Of each day the working seconds that are taken.")
    tasks: list[LoadTask] = Field(default=[], description="Open tasks; only where one person was asked for.")
    terms: dict[str, Any] = Field(default={}, description="What people.json says of the person, if anything.")


class LoadTask(Shape):
    """An open task of a person."""

    task_id: int = Field(description="The task's id on the portal.")
    title: str = Field(description="The task's title.")
    start: AwareDatetime = Field(description="When it is begun, or gone on with.")
    end: AwareDatetime = Field(description="When it will be done.")
    left_s: int = Field(description="The work left in it, in seconds of this person.")


class Worker(Shape):
    """Whose list it is."""

    id: int = Field(description="The user's id on the portal.")
    name: str = Field(description="First and last name.")
    department: str = Field(description="The person's first department of the production.")


class OperationBefore(Shape):
    """An operation of the same order that has to be done first."""

    task_id: int = Field(description="Its task.")
    position: str = Field(description="The position that does it, as 1C names it.")
    person: str | None = Field(description="Who does it.")
    ready: AwareDatetime = Field(description="When it will be done.")


class PieceOfWork(Shape):
    """A time of the day in which the person works on one task without doing another between."""

    task_id: int = Field(description="The task's id on the portal.")
    title: str = Field(description="The task's title.")
    url: str = Field(description="Where the task opens in a browser.")
    order: str | None = Field(description="The order's number; null: the task did not come from 1C.")
    customer: str | None = Field(description="The order's customer.")
    position: str | None = Field(description="The position, as 1C names it.")
    start: AwareDatetime = Field(description="When this piece begins.")
    end: AwareDatetime = Field(description="When it ends; breaks lie within.")
    minutes: int = Field(description="Working minutes of this piece.")
    goes_on: bool = Field(description="The task is not done with this piece.")
    deadline: AwareDatetime | None = Field(description="The task's deadline on the portal.")
    late: bool = Field(description="The task will be done after its deadline.")
    after: OperationBefore | None = Field(description="What has to be done first; null: nothing, or it is done.")


class WorkList(Shape):
    """What a person has to do on a day, in that sequence."""

    person: Worker = Field(description="Whose list it is.")
    date: Day = Field(description="The day.")
    minutes: int = Field(description="Working minutes that are taken.")
    of_minutes: int = Field(description="Working minutes that there are; of today what is left.")
    absences: list[tuple[AwareDatetime, AwareDatetime]] = Field(
        description="Absences that touch the day, from when until when."
    )
    tasks: list[PieceOfWork] = Field(description="The pieces of work.")
