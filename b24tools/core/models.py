"""Our words for what the portal has: people, departments, tasks, absences. All times are aware UTC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

Progress = Callable[[str, int, int | None], None]  # the stage, how much of it is done, of how much if that is known


def no_progress(_stage: str, _done: int, _total: int | None) -> None:
    """Show nothing, for where nobody waits."""


class Status(IntEnum):
    """A task's stored status (`status` in answers, `REAL_STATUS` in filters)."""

    NEW = 1
    PENDING = 2
    IN_PROGRESS = 3
    AWAITS_CONTROL = 4
    COMPLETED = 5
    DEFERRED = 6
    DECLINED = 7


OPEN_WORK = (Status.NEW, Status.PENDING, Status.IN_PROGRESS)
DONE = (Status.AWAITS_CONTROL, Status.COMPLETED, Status.DECLINED)


@dataclass(frozen=True, slots=True)
class Person:
    """An employee. `department_ids` in the portal's order: the first is the one shown. `email`: "" where unknown.

    `has_namesake`: somebody else among those who are known has the same name.
    """

    id: int
    first_name: str
    last_name: str
    second_name: str
    active: bool
    department_ids: tuple[int, ...]
    email: str = ""
    has_namesake: bool = field(default=False, compare=False)

    @property
    def name(self) -> str:
        """Given name and surname, as Bitrix24 shows them."""
        return f"{self.first_name} {self.last_name}".strip() or f"#{self.id}"

    @property
    def shown(self) -> str:
        """The name as texts have it: where somebody else has the same one, with the id."""
        return f"{self.name} (#{self.id})" if self.has_namesake else self.name


@dataclass(frozen=True, slots=True)
class Department:
    """A department; `parent_id` is None for the company itself, `head_id` when it has no head."""

    id: int
    name: str
    parent_id: int | None
    head_id: int | None


@dataclass(frozen=True, slots=True)
class Owner:
    """The person whose rights the webhook has. `time_zone` is "" where the profile names none."""

    id: int
    name: str
    admin: bool
    time_zone: str


@dataclass(frozen=True, slots=True)
class Task:
    """A task as far as it was asked for; what was not selected, or is empty there, is None."""

    id: int
    status: int
    responsible_id: int
    title: str
    xml_id: str
    group_id: int
    created_by: int
    created_at: datetime | None
    changed_at: datetime | None
    deadline: datetime | None
    start: datetime | None
    end: datetime | None
    estimate_s: int
    spent_s: int
    auditor_ids: tuple[int, ...] = ()
    comments: int = 0
    responsible_name: str = ""
    activity_at: datetime | None = None
    date_start: datetime | None = None
    closed_at: datetime | None = None
    description: str = ""
    flow_id: int = 0

    @property
    def is_open(self) -> bool:
        """Not finished, not waiting for control, not declined."""
        return self.status in (*OPEN_WORK, Status.DEFERRED)


class TaskRecord(NamedTuple):
    """What is saved of a task for the leaderboard.

    `closed_at` is None while the task is not completed, and where the portal's date cannot be read.

    Moments are whole seconds since 1970, as they are saved: a year brings many.
    """

    id: int
    title: str
    responsible_id: int
    created_by: int
    group_id: int
    status: int
    created_at: int | None
    changed_at: int | None
    closed_at: int | None
    deadline: int | None
    estimate_s: int
    spent_s: int
    responsible_name: str = ""
    group_name: str = ""
    xml_id: str = ""


@dataclass(frozen=True, slots=True)
class Absence:
    """A time a person is away: vacation, sick leave, or a calendar event marked "absent"."""

    start: datetime
    end: datetime
