"""The rows an emulated portal keeps. Times are Unix seconds; None is the database's NULL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

# Statuses of a task: 1 new (obsolete), 2 pending, 3 in progress, 4 waits for control, 5 completed, 6 deferred
PENDING, IN_PROGRESS, SUPPOSEDLY_COMPLETED, COMPLETED, DEFERRED = 2, 3, 4, 5, 6
ZERO_DATE = -62_169_984_000  # MySQL's 0000-00-00: not NULL, and before every other date


@dataclass(slots=True)
class User:
    id: int
    name: str
    last_name: str
    second_name: str | None = None
    email: str = ""
    login: str = ""
    position: str = ""
    departments: list[int] = field(default_factory=list)
    active: bool = True
    admin: bool = False
    time_zone: str = ""
    last_login: int | None = None
    registered: int = 0
    user_type: str = "employee"

    @property
    def full_name(self) -> str:
        """The name as the portal's default template puts it."""
        return f"{self.name} {self.last_name}".strip()


@dataclass(slots=True)
class Department:
    """A node of the company's structure; the root has no parent."""

    id: int
    name: str
    parent: int | None
    head: int | None = None
    sort: int = 500


@dataclass(slots=True)
class Group:
    """A work group or project. One whose chat is broken lets no task be made whole."""

    id: int
    name: str
    owner: int
    members: set[int] = field(default_factory=set)
    description: str | None = None
    visible: bool = True
    opened: bool = False
    closed: bool = False
    project: bool = True
    created_at: int = 0
    tasks_enabled: bool = True
    date_start: int | None = None
    date_finish: int | None = None
    chat_is_broken: bool = False
    chat: int = 0  # made when it is first written to


@dataclass(slots=True)
class Absence:
    """A bar of the absence chart (vacation, sick leave): `FROM_HR` rows. One that ends at midnight has that day too."""

    id: int
    user: int
    start: int
    end: int


@dataclass(slots=True)
class Meeting:
    """An event in a person's calendar: wall clocks of its own zones. Whole days have none, their last one is included.

    `repeats` makes it the first of a series: daily, or on these `weekdays` (0 = Monday), until a day or for ever.
    """

    id: int
    user: int
    name: str
    start: datetime
    end: datetime
    zone: str | None = None
    zone_to: str | None = None
    accessibility: str = "busy"
    whole_day: bool = False
    repeats: Literal["", "daily", "weekly"] = ""
    weekdays: tuple[int, ...] = ()
    until: date | None = None


@dataclass(slots=True)
class Storage:
    """A drive: of a person (`user`), a group (`group`) or the company (`common`)."""

    id: int
    name: str
    entity_type: str
    entity_id: str
    root: int


@dataclass(slots=True)
class DiskObject:
    """A folder, or a file when it has content."""

    id: int
    name: str
    storage: int
    parent: int
    created_by: int
    created_at: int
    content: bytes | None = None
    file_id: int = 0

    @property
    def type(self) -> str:
        return "folder" if self.content is None else "file"


@dataclass(slots=True)
class Attachment:
    """A file's tie to a task: its id is neither the object's nor the file's."""

    id: int
    object_id: int
    task: int
    created_by: int
    created_at: int


@dataclass(slots=True)
class Task:
    id: int
    title: str
    creator: int
    responsible: int
    created_at: int
    changed_at: int
    changed_by: int
    activity_at: int
    guid: str
    status: int = PENDING
    description: str = ""
    group: int = 0
    parent: int = 0
    deadline: int | None = None
    start_plan: int | None = None
    end_plan: int | None = None
    date_start: int | None = None
    closed_at: int | None = None
    closed_by: int | None = None
    status_changed_at: int | None = None
    status_changed_by: int | None = None
    xml_id: str | None = None
    priority: int = 1
    allow_change_deadline: bool = False
    allow_time_tracking: bool = False
    task_control: bool = False
    match_work_time: bool = False
    time_estimate: int = 0
    time_spent: int = 0
    accomplices: tuple[int, ...] = ()
    auditors: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    attachments: tuple[int, ...] = ()
    viewed_by: tuple[int, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    comments: int = 0
    flow: int = 0
    raw_dates: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Change:
    """A line of a task's history; NULL and the empty text are two things."""

    id: int
    task: int
    user: int
    at: int
    field: str
    before: str | None = None
    after: str | None = None


@dataclass(slots=True)
class TimeItem:
    """Time somebody wrote down for a task, by hand."""

    id: int
    task: int
    user: int
    seconds: int
    text: str
    at: int
    source: int = 2

    @property
    def minutes(self) -> int:
        return round(self.seconds / 60)


@dataclass(slots=True)
class Message:
    """What stands in a chat (`chat2001`), goes to a person (`5`) or is a notification (`notify5`)."""

    id: int
    dialog: str
    author: int
    text: str
    at: int
    tag: str = ""


@dataclass(slots=True)
class WorkDay:
    """A day a person opened; without a finish it is open or forgotten. A pause began at the finish of a paused one."""

    id: int
    user: int
    start: int
    finish: int | None = None
    paused: bool = False
    leaks_s: int = 0


@dataclass(frozen=True)
class Handler:
    """An outgoing webhook made by hand in the portal's settings: address, its own token, its events."""

    id: int
    url: str
    token: str
    events: frozenset[str]


@dataclass(frozen=True)
class Outgoing:
    """A body an outgoing webhook has still to be sent."""

    url: str
    event: str
    task_id: int
    body: bytes
