"""What an emulated portal holds, with plain-Python ways to put things in. These fire no events and ask no rights."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from b24tools.sandbox import php
from b24tools.sandbox.methods import worktime
from b24tools.sandbox.methods.disk import Disk
from b24tools.sandbox.methods.taskfields import DATES
from b24tools.sandbox.methods.taskstore import TaskStore
from b24tools.sandbox.methods.taskview import camel
from b24tools.sandbox.records import (
    ZERO_DATE,
    Absence,
    Change,
    Department,
    DiskObject,
    Group,
    Meeting,
    Message,
    Storage,
    Task,
    TimeItem,
    User,
    WorkDay,
)


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for the database: aware datetimes as Unix seconds."""
    return {name: int(value.timestamp()) if isinstance(value, datetime) else value for name, value in values.items()}


class Company:
    """People, departments, tasks, files: the state of a portal."""

    def __init__(self, now: Callable[[], datetime], server_zone: str) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.server_zone = ZoneInfo(server_zone)
        self.use_time_zones = True
        self.default_time_zone = ""
        self.date_format = "DD.MM.YYYY"  # or DD/MM/YYYY, MM/DD/YYYY
        self.time_format = ""  # of the site's three formats the American one has AM and PM
        self.users: dict[int, User] = {}
        self.departments: dict[int, Department] = {}
        self.groups: dict[int, Group] = {}
        self.tasks = TaskStore()
        self.history: dict[int, list[Change]] = {}
        self.links: dict[tuple[int, int], int] = {}  # predecessor and successor of a Gantt chart: the kind of link
        self.time_items: list[TimeItem] = []
        self.task_chats: dict[int, int] = {}
        self.group_chats: dict[int, int] = {}
        self.chats: dict[int, set[int]] = {}  # made by hand: their members
        self.messages: list[Message] = []
        self.disk = Disk(self)
        self.absences: list[Absence] = []
        self.meetings: list[Meeting] = []
        self.work_days: list[WorkDay] = []
        self.schedules: dict[int, dict[str, Any]] = {}
        self.calendar_settings: dict[str, Any] = dict(worktime.SETTINGS)
        self.user_fields: dict[str, tuple[str | None, str]] = {}
        self.mandatory_fields: set[str] = set()  # names among user_fields
        self._tag_ids: dict[str, int] = {}
        self._last_change = 16000
        self._last_chat = 2000
        self._last_message = 34000

    def zone_of(self, user: User) -> ZoneInfo:
        """The zone in force: a person's own, else the portal's default; the server's where zones are not used."""
        name = (user.time_zone or self.default_time_zone) if self.use_time_zones else ""
        with suppress(ValueError, ZoneInfoNotFoundError):
            return ZoneInfo(name)
        return self.server_zone

    def caller_shift(self, user: User) -> int:
        """How many seconds a person's clock is ahead of the server's now: what old code adds to dates of any season."""
        person, server = (
            self.now().astimezone(zone).utcoffset() or timedelta() for zone in (self.zone_of(user), self.server_zone)
        )
        return round((person - server).total_seconds())

    @property
    def datetime_format(self) -> str:
        """The site's format of a date with a time."""
        time_format = self.time_format or ("H:MI:SS T" if self.date_format.startswith("M") else "HH:MI:SS")
        return f"{self.date_format} {time_format}"

    def tag_id(self, tag: str) -> int:
        """A tag's number."""
        return self._tag_ids.setdefault(tag, len(self._tag_ids) + 1)

    def heads(self, user_id: int, other_id: int) -> bool:
        """Whether one person heads a department of the other, or one above it."""
        other = self.users.get(other_id)
        above = list(other.departments) if other and user_id != other_id else []
        for department_id in above:
            department = self.departments.get(department_id)
            if department is not None:
                if department.head == user_id:
                    return True
                if department.parent is not None and department.parent not in above:
                    above.append(department.parent)
        return False

    def may_see(self, user: User, task: Task) -> bool:
        """An administrator sees every task; others their own and their subordinates'."""
        if user.admin or user.id in (task.creator, task.responsible):
            return True
        return user.id in task.accomplices or user.id in task.auditors or self.heads(user.id, task.responsible)

    def may_edit(self, user: User, task: Task) -> bool:
        """Administrators, the creator and the responsible's bosses change a task."""
        return user.admin or user.id == task.creator or self.heads(user.id, task.responsible)

    def may_move(self, user: User, task: Task) -> bool:
        """Whoever may change its deadline: editors, and its workers where the task allows it."""
        works = user.id in (task.responsible, *task.accomplices)
        return self.may_edit(user, task) or (works and task.allow_change_deadline)

    def add_user(self, name: str, last_name: str, **values: Any) -> User:
        """A person; `values` are those of records.User, with `departments` the ids of theirs."""
        number = values.pop("id", None) or max(self.users, default=0) + 1
        departments = list(values.pop("departments", ()))
        stamp = int(self.now().timestamp())
        defaults: dict[str, Any] = {"last_login": stamp - 3600, "registered": stamp}
        defaults |= {"email": f"user{number}@example.com", "login": f"user{number}"}
        self.users[number] = User(number, name, last_name, departments=departments, **(defaults | values))
        return self.users[number]

    def add_department(
        self, name: str, *, parent: int | None = None, head: int | None = None, id: int | None = None, sort: int = 500
    ) -> Department:
        """A department; without a parent it hangs under the first one."""
        number = id or max(self.departments, default=0) + 1
        if parent is None and self.departments:
            parent = min(self.departments)
        self.departments[number] = Department(number, name, parent, head, sort)
        return self.departments[number]

    def add_group(self, name: str, owner: int, *, members: Iterable[int] = (), **values: Any) -> Group:
        """A work group or project; `values` are those of records.Group, `date_start` and `date_finish` as midnights."""
        number = max(self.groups, default=0) + 1
        stamp = int(self.now().timestamp())
        self.groups[number] = Group(number, name, owner, {owner, *members}, created_at=stamp, **_columns(values))
        return self.groups[number]

    def add_task(self, title: str, *, responsible: int, **values: Any) -> Task:
        """A task as it stands in the database: no rule is applied. Times are given as aware datetimes.

        `values` are those of records.Task; `creator` is the webhook's owner by default.
        """
        times = _columns(values)
        number = times.pop("id", None) or self.tasks.next_id()
        stamp = int(self.now().timestamp())
        created = times.setdefault("created_at", stamp)
        changed = times.setdefault("changed_at", times.get("closed_at") or created)
        creator = times.setdefault("creator", next(iter(self.users)))
        rest: dict[str, Any] = {"changed_by": creator, "activity_at": changed, "viewed_by": (creator, responsible)}
        guid = f"{{{uuid.UUID(int=number)}}}"
        task = self.tasks.put(Task(number, title, responsible=responsible, guid=guid, **(rest | times)))
        self.log_change(task, creator, created, "NEW")
        return task

    def set_task(self, task_id: int, **values: Any) -> Task:
        """Write columns of a task past all rules."""
        times = _columns(values)
        task = self.tasks[task_id]
        self.tasks.change(task, **times)
        return task

    def set_raw_date(self, task_id: int, name: str, text: str) -> Task:
        """Put a text into a date of a task, named as in a row (`closedDate`) or as in `select`.

        A list or get shows it as it stands. What is no date of a calendar counts as MySQL's zero date: not NULL,
        and earlier than any other.
        """
        column = (DATES | {camel(one): DATES[one] for one in DATES})[name]
        try:
            moment = datetime.fromisoformat(text)
            at = int((moment if moment.tzinfo else moment.replace(tzinfo=self.server_zone)).timestamp())
        except (ValueError, OverflowError):
            at = ZERO_DATE
        task = self.tasks[task_id]
        self.tasks.change(task, **{column: at})
        task.raw_dates = task.raw_dates | {column: text}
        return task

    def log_change(
        self, task: Task, user: int, at: int, field: str, before: str | None = None, after: str | None = None
    ) -> None:
        """A line in a task's history."""
        self._last_change += 1
        row = Change(self._last_change, task.id, user, at, field, before, after)
        self.history.setdefault(task.id, []).append(row)

    def chat_of(self, task: Task) -> int:
        """The id of a task's chat; where there is none yet, it is made."""
        if task.id not in self.task_chats:
            self.task_chats[task.id] = self._new_chat()
        return self.task_chats[task.id]

    def _new_chat(self) -> int:
        self._last_chat += 1
        return self._last_chat

    def add_chat(self, *members: int) -> int:
        """A chat of these people. Returns its number: `chat2001` is the dialog."""
        number = self._new_chat()
        self.chats[number] = set(members)
        return number

    def chat_by_dialog(self, dialog: str) -> int:
        """The chat of `chat2001` or of the project `sg5`; 0 for what cannot be one."""
        number = php.to_int(dialog.removeprefix("chat").removeprefix("sg"))
        if dialog.startswith("chat"):
            return max(0, number)
        if number not in self.groups:
            return 0
        if number not in self.group_chats:
            self.group_chats[number] = self._new_chat()
        return self.group_chats[number]

    def chat_members(self, chat: int) -> set[int]:
        """Who is in a chat: that of a task has its people, that of a project its members."""
        members = set(self.chats.get(chat, ()))
        for task_id in (task_id for task_id, one in self.task_chats.items() if one == chat and task_id in self.tasks):
            task = self.tasks[task_id]
            members |= {task.creator, task.responsible, *task.accomplices, *task.auditors}
        for group_id in (group_id for group_id, one in self.group_chats.items() if one == chat):
            members |= self.groups[group_id].members
        return members

    def say(self, chat: int, author: int, text: str) -> Message:
        """A message in a chat; under a task it moves ACTIVITY_DATE, and nothing else."""
        for task_id in (task_id for task_id, one in self.task_chats.items() if one == chat and task_id in self.tasks):
            self.tasks.change(self.tasks[task_id], activity_at=int(self.now().timestamp()))
        return self.post(f"chat{chat}", author, text)

    def post(self, dialog: str, author: int, text: str, *, tag: str = "") -> Message:
        """A message in a chat (`chat2001`), to a person (`5`), or a notification (`notify5`)."""
        self._last_message += 1
        self.messages.append(Message(self._last_message, dialog, author, text, int(self.now().timestamp()), tag))
        return self.messages[-1]

    def add_absence(self, user: int, first: date, last: date) -> Absence:
        """A bar of the absence chart: whole days, the last one included; or aware datetimes."""
        start, end = (
            day if isinstance(day, datetime) else datetime.combine(day, time(), self.server_zone)
            for day in (first, last)
        )
        self.absences.append(Absence(50 + len(self.absences), user, int(start.timestamp()), int(end.timestamp())))
        return self.absences[-1]

    def add_meeting(
        self,
        user: int,
        start: datetime,
        end: datetime,
        *,
        accessibility: str = "busy",
        name: str = "Встреча",
        zone: str = "",
        zone_to: str = "",
        repeats: Literal["", "daily", "weekly"] = "",
        weekdays: Iterable[int] = (),
        until: date | None = None,
    ) -> Meeting:
        """An event in a person's calendar, in the person's zone unless another is given.

        `repeats` makes a series of it, without an end or until a day. A weekly one is on the weekday of its start
        unless there are `weekdays` (0 = Monday).
        """
        zone = zone or str(self.zone_of(self.users[user]))
        zone_to = zone_to or zone
        clocks = [at.astimezone(ZoneInfo(name)).replace(tzinfo=None) for at, name in ((start, zone), (end, zone_to))]
        return self._put_meeting(
            user,
            name,
            *clocks,
            zone=zone,
            zone_to=zone_to,
            accessibility=accessibility,
            repeats=repeats,
            weekdays=tuple(weekdays) or (clocks[0].weekday(),),
            until=until,
        )

    def add_days_off(self, user: int, first: date, last: date, *, accessibility: str = "absent") -> Meeting:
        """A whole-day event in a person's calendar, both days included."""
        days = (datetime.combine(day, time()) for day in (first, last))
        return self._put_meeting(user, "Отпуск", *days, accessibility=accessibility, whole_day=True)

    def _put_meeting(self, user: int, name: str, start: datetime, end: datetime, **values: Any) -> Meeting:
        self.meetings.append(Meeting(1200 + len(self.meetings), user, name, start, end, **values))
        return self.meetings[-1]

    def add_work_day(
        self, user: int, start: datetime, finish: datetime | None = None, *, paused: bool = False, leaks_s: int = 0
    ) -> WorkDay:
        """A working day as a person opens and closes it; a paused one has the start of the pause as its finish."""
        end = None if finish is None else int(finish.timestamp())
        self.work_days.append(WorkDay(300 + len(self.work_days), user, int(start.timestamp()), end, paused, leaks_s))
        return self.work_days[-1]

    def add_schedule(
        self,
        start_h: float = 9,
        end_h: float = 18,
        *,
        id: int = 1,
        days: str = "12345",
        break_s: int = 3600,
        kind: str = "FIXED",
        days_off: Iterable[date] = (),
    ) -> dict[str, Any]:
        """A schedule of one shift; the answer's own dictionary, to be changed at will."""
        schedule = worktime.new_schedule(id, kind=kind)
        hours = (round(start_h * 3600), round(end_h * 3600))
        schedule["SHIFTS"].append(worktime.new_shift(id, id, *hours, days=days, break_s=break_s))
        for day in days_off:
            year = schedule["CALENDAR"]["EXCLUSIONS"].setdefault(str(day.year), {})
            year.setdefault(str(day.month), {})[str(day.day)] = "0"
        self.schedules[id] = schedule
        return schedule

    def add_storage(self, entity_type: str, name: str, entity_id: str) -> Storage:
        """A drive."""
        return self.disk.add_storage(entity_type, name, entity_id)

    def add_folder(self, parent: int, name: str, *, user: int = 1) -> DiskObject:
        """A folder inside another, given by its object id."""
        return self.disk.put(parent, name, user, None)

    def add_file(self, parent: int, name: str, content: bytes, *, user: int = 1) -> DiskObject:
        """A file inside a folder."""
        return self.disk.put(parent, name, user, content)
