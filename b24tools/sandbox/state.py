"""An emulated Bitrix24 portal: its switches, what it holds, and plain-Python ways to put things in.

It must be able to disagree with the client under test, so it shares nothing with it. Where the real portal is unkind,
so is this one. Where something is not emulated, the method does not exist or the field is unknown; nothing pretends to
have worked.

Kinder than the cloud in one thing: plain http is answered unless `https_only` is set. With `believes_http` an https
call is refused as well: the box behind a TLS proxy that does not say so.
"""

from __future__ import annotations

import secrets
import threading
import time as clock_time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from datetime import date, datetime, time
from itertools import count
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from b24tools.sandbox import php, records, rest
from b24tools.sandbox.faults import Entry, Faults
from b24tools.sandbox.http import Request
from b24tools.sandbox.limits import OperatingTime, RequestRate
from b24tools.sandbox.methods import METHODS, Answer, Call, Method, calendars, disk, events, task_rows
from b24tools.sandbox.records import Department, Group, Handler, Meeting, Task, User
from b24tools.sandbox.task_store import TaskStore

ALL_SCOPES = ("task", "user", "department", "timeman", "calendar", "disk", "sonet_group", "im")
SYSTEM_USER = 900_001
FIRST_CHAT, FIRST_COMMENT = 2001, 34001
MOSCOW = ZoneInfo("Europe/Moscow")


def _as_stamps(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert aware datetimes to Unix seconds, as the database has them."""
    return {name: int(value.timestamp()) if isinstance(value, datetime) else value for name, value in values.items()}


@dataclass(eq=False, repr=False)
class Portal:
    """One portal with one incoming webhook. Every attribute may be changed while it runs."""

    now: Callable[[], datetime]
    _: KW_ONLY
    # the webhook, and where the portal lives
    secret: str = ""  # made up unless given
    owner_id: int = 1
    scopes: set[str] = field(default_factory=lambda: set(ALL_SCOPES))
    domain: str = "portal.example"
    folder: str = ""
    moved_to: str | None = None
    https_only: bool = False
    believes_http: bool = False
    # clocks and dates; the server's zone may be given by its name
    server_zone: ZoneInfo = MOSCOW
    use_time_zones: bool = True
    default_time_zone: str = ""
    date_format: str = "DD.MM.YYYY"  # or DD/MM/YYYY, MM/DD/YYYY
    # limits
    rate_limit: bool = False
    operating_limit_s: float | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # how long a method pretends to take, by its lower name
    sleep: Callable[[float], None] = clock_time.sleep
    # what it does not have, or does otherwise
    methods: dict[str, Method] = field(default_factory=lambda: METHODS)
    keep_xml_id: bool = True
    xml_id_width: int = 50
    xml_id_overflow: Literal["cut", "refuse"] = "cut"  # MySQL cuts, PostgreSQL refuses
    forum_comments: bool = False  # the old task card: comments are posts of a forum
    tags_by_webhook: bool = False  # as documented; by the source (im 26.250) a webhook's notifications get no tag
    small_tariff: bool = False  # no projects in add, no auditors and accomplices, no time tracking
    reason_for_deadline: bool = False  # whoever is no administrator needs a DEADLINE_CHANGE_REASON
    may_create_groups: bool = True
    php_notice: str = ""
    php_comment: str = ""

    member_id = "0123456789abcdef0123456789abcdef"
    handle = rest.handle
    run_late = rest.run_late

    def __post_init__(self) -> None:
        self.secret = self.secret or secrets.token_hex(8)
        self.scopes = set(self.scopes)
        self.server_zone = ZoneInfo(str(self.server_zone))
        self.lock = threading.RLock()
        self.faults = Faults()
        self.log: list[Entry] = []
        self.late: list[tuple[datetime | None, Request, Entry]] = []  # when their work is due
        self.rate = RequestRate()
        self.operating = OperatingTime()
        self.handlers: list[Handler] = []
        self.outbox: list[records.Outgoing] = []
        self.users: dict[int, User] = {}
        self.system_user: User | None = None  # whom the webhook speaks for once its owner is dismissed
        self.departments: dict[int, Department] = {}
        self.groups: dict[int, Group] = {}
        self.tasks = TaskStore()
        self.history: dict[int, list[records.Change]] = {}
        self.user_fields: dict[str, tuple[str | None, str]] = {}  # their labels and types
        self.mandatory_fields: set[str] = set()  # names among user_fields
        self.disk = disk.Disk(self)
        self.absences: list[records.Absence] = []
        self.meetings: list[Meeting] = []
        self.schedules: dict[int, dict[str, Any]] = {}
        self.calendar_settings: dict[str, Any] = dict(calendars.SETTINGS)
        self.task_chats: dict[int, int] = {}
        self.chats: dict[int, set[int]] = {}  # made by people: their members
        self.messages: list[records.Message] = []
        self.time_items: list[records.TimeItem] = []
        self.links: dict[tuple[int, int], int] = {}  # predecessor and successor: the type
        self.work_days: list[records.WorkDay] = []
        self._chat_ids, self._message_ids = count(FIRST_CHAT), count(FIRST_COMMENT)
        self._change_ids = count(16001)
        self.add_department("Компания", id=1)
        self.add_user("Алексей", "Админов", id=self.owner_id, admin=True, departments=[1], login="admin")

    @property
    def webhook_path(self) -> str:
        """The path of the incoming webhook: it holds the secret."""
        return f"{self.folder}/rest/{self.owner_id}/{self.secret}/"

    def webhook_url(self, base_url: str | None = None) -> str:
        """Give the address of the incoming webhook; `base_url` is that of the host."""
        return (base_url or f"https://{self.domain}").rstrip("/") + self.webhook_path

    def writes(self) -> list[tuple[str, dict[str, Any]]]:
        """List methods and parameters of the writes that were carried out, or refused by their own method."""
        done = [call for entry in self.log for call in (entry.commands if entry.method == "batch" else [entry])]
        return [(call.method, call.params) for call in done if call.is_write and call.executed]

    def act(self, method: str, params: dict[str, Any] | None = None, *, user_id: int | None = None) -> Any:
        """Do what a person does through the portal's pages: a method with its rules, rights and events, but no HTTP."""
        with self.lock:
            user = self.users[self.owner_id if user_id is None else user_id]
            call = Call(self, user, dict(params or {}), base_url=f"https://{self.domain}{self.folder}")
            result = self.methods[method.lower()].run(call)
        return result.result if isinstance(result, Answer) else result

    def add_handler(self, url: str, token: str, on: Iterable[str] = events.EVENTS) -> Handler:
        """Add an outgoing webhook: from now on its bodies gather in `outbox`."""
        self.handlers.append(Handler(404 + len(self.handlers), url, token, frozenset(on)))
        return self.handlers[-1]

    def event_body(self, event: str, task_id: int, handler: Handler) -> bytes:
        """Write the form body of an event, whether or not it happened."""
        return events.body(event, task_id, handler, self.now(), self.domain, self.member_id)

    def queue_event(self, event: str, task_id: int) -> None:
        """Queue an event for every outgoing webhook that wants it."""
        for handler in [handler for handler in self.handlers if event in handler.events]:
            body = self.event_body(event, task_id, handler)
            self.outbox.append(records.Outgoing(handler.url, event, task_id, body))

    @property
    def stamp(self) -> int:
        """The time as the database has it."""
        return int(self.now().timestamp())

    def zone_of(self, user: User) -> ZoneInfo:
        """Give the zone in force: a person's own, else the portal's default; the server's where zones are not used."""
        with suppress(ValueError, ZoneInfoNotFoundError):
            return ZoneInfo((user.time_zone or self.default_time_zone) if self.use_time_zones else "")
        return self.server_zone

    def caller_shift(self, user: User) -> int:
        """Tell the seconds a person's clock is ahead of the server's now: what old code adds to dates of any season."""
        clocks = (self.now().astimezone(zone).replace(tzinfo=None) for zone in (self.zone_of(user), self.server_zone))
        person, server = clocks
        return round((person - server).total_seconds())

    @property
    def datetime_format(self) -> str:
        """The site's format of a date with a time: the American one has AM and PM."""
        return f"{self.date_format} {'H:MI:SS T' if self.date_format.startswith('M') else 'HH:MI:SS'}"

    def add_user(self, name: str, last_name: str, **values: Any) -> User:
        """Add a person; `values` are those of records.User, with `departments` the ids of theirs."""
        number = values.pop("id", None) or max(self.users, default=0) + 1
        defaults: dict[str, Any] = {"last_login": self.stamp - 3600, "registered": self.stamp}
        defaults |= {"email": f"user{number}@example.com", "login": f"user{number}"}
        values["departments"] = list(values.get("departments", ()))
        self.users[number] = User(number, name, last_name, **(defaults | values))
        return self.users[number]

    @property
    def owner(self) -> User:
        """The person whose rights the webhook has."""
        return self.system_user or self.users[self.owner_id]

    def dismiss_owner(self, *, admin: bool = True) -> User:
        """Let the owner leave; the webhook lives on under its address, for a user whom no list shows."""
        self.users[self.owner_id].active = False
        self.system_user = User(SYSTEM_USER, "", "", admin=admin, user_type="system")
        return self.system_user

    def add_department(
        self, name: str, *, parent: int | None = None, head: int | None = None, id: int | None = None, sort: int = 500
    ) -> Department:
        """Add a department; without a parent it hangs under the first one."""
        number = id or max(self.departments, default=0) + 1
        if parent is None and self.departments:
            parent = min(self.departments)
        self.departments[number] = Department(number, name, parent, head, sort)
        return self.departments[number]

    def add_group(self, name: str, owner: int, *, members: Iterable[int] = (), **values: Any) -> Group:
        """Add a group or project; `values` are those of records.Group, `date_start` and `date_finish` as midnights."""
        number = max(self.groups, default=0) + 1
        values = {"created_at": self.now()} | values
        self.groups[number] = Group(number, name, owner, {owner, *members}, **_as_stamps(values))
        return self.groups[number]

    def heads(self, user_id: int, other_id: int) -> bool:
        """Tell whether one person heads a department of the other, or one above it."""
        other = self.users.get(other_id)
        above = list(other.departments) if other and user_id != other_id else []
        for department in filter(None, map(self.departments.get, above)):
            if department.head == user_id:
                return True
            if department.parent is not None and department.parent not in above:
                above.append(department.parent)
        return False

    def may_see(self, user: User, task: Task) -> bool:
        """Show an administrator every task, others their own and their subordinates'."""
        people = (task.creator, task.responsible, *task.accomplices, *task.auditors)
        return user.admin or user.id in people or self.heads(user.id, task.responsible)

    def may_edit(self, user: User, task: Task) -> bool:
        """Let administrators, the creator and the responsible's bosses change a task."""
        return user.admin or user.id == task.creator or self.heads(user.id, task.responsible)

    def add_task(self, title: str, *, responsible: int, **values: Any) -> Task:
        """Add a task as it stands in the database: no rule is applied. Times are given as aware datetimes.

        `values` are those of records.Task; `creator` is the webhook's owner by default.
        """
        given = _as_stamps(values)
        number = given.pop("id", None) or self.tasks.next_id()
        created = given.setdefault("created_at", self.stamp)
        changed = given.setdefault("changed_at", given.get("closed_at") or created)
        creator = given.setdefault("creator", next(iter(self.users)))
        defaults: dict[str, Any] = {"changed_by": creator, "activity_at": changed, "viewed_by": (creator, responsible)}
        guid = f"{{{uuid.UUID(int=number)}}}"
        task = self.tasks.put(Task(number, title, responsible=responsible, guid=guid, **(defaults | given)))
        self.log_change(task, creator, created, "NEW")
        return task

    def set_task(self, task_id: int, **values: Any) -> Task:
        """Write columns of a task past all rules."""
        self.tasks.change(self.tasks[task_id], **_as_stamps(values))
        return self.tasks[task_id]

    def set_raw_date(self, task_id: int, name: str, text: str) -> Task:
        """Put a text into a date of a task, named as in a row (`closedDate`) or as in `select`.

        A list or get shows it as it stands. What is no date of a calendar counts as MySQL's zero date: not NULL,
        and earlier than any other.
        """
        dates = task_rows.DATES
        column = (dates | {php.camel(key): dates[key] for key in dates})[name]
        at = php.strtotime(text, self.server_zone)
        task = self.set_task(task_id, **{column: records.ZERO_DATE if at is None else at})
        task.raw_dates[column] = text
        return task

    def log_change(self, task: Task, user: int, at: int, field: str, *values: str | None) -> None:
        """Add a line to a task's history: the field, and its values before and after."""
        row = records.Change(next(self._change_ids), task.id, user, at, field, *values)
        self.history.setdefault(task.id, []).append(row)

    def has_chat(self, task: Task) -> bool:
        """Tell whether a task has a chat, or gets one when it is asked for."""
        group = self.groups.get(task.group)
        return not self.forum_comments and (group is None or not group.chat_is_broken)

    def chat_of(self, task: Task) -> int:
        """Give the id of a task's chat; where there is none yet, it is made."""
        if task.id not in self.task_chats:
            self.task_chats[task.id] = self.new_chat()
        return self.task_chats[task.id]

    def new_chat(self, *members: int) -> int:
        """Make a chat of these people."""
        number = next(self._chat_ids)
        self.chats[number] = set(members)
        return number

    def next_message(self) -> int:
        """Take an id for a message."""
        return next(self._message_ids)

    def add_work_day(
        self, user: int, start: datetime, finish: datetime | None = None, **values: Any
    ) -> records.WorkDay:
        """Add a working day as a person opens and closes it; `values` are those of records.WorkDay."""
        stamps = _as_stamps({"start": start, "finish": finish})
        self.work_days.append(records.WorkDay(300 + len(self.work_days), user, **stamps, **values))
        return self.work_days[-1]

    def chat_in_task(self, task_id: int, user_id: int) -> None:
        """Let a person write under a task.

        In the new task card that is a message in the task's chat, and only ACTIVITY_DATE moves. Where
        `forum_comments` is set it is a post of the task's forum: counted, in the history, and a change of the task.
        """
        with self.lock:
            task, now = self.tasks[task_id], self.stamp
            if not self.forum_comments:
                self.chat_of(task)
                self.tasks.change(task, activity_at=now)
                return
            moved = {"changed_at": now, "changed_by": user_id, "activity_at": now}
            self.tasks.change(task, comments=task.comments + 1, **moved)
            self.log_change(task, user_id, now, "COMMENT", None, str(FIRST_COMMENT + task.comments))

    def add_absence(self, user: int, first: date, last: date) -> records.Absence:
        """Add a bar of the absence chart: whole days, the last one included; or aware datetimes."""
        start, end = (
            int((day if isinstance(day, datetime) else datetime.combine(day, time(), self.server_zone)).timestamp())
            for day in (first, last)
        )
        self.absences.append(records.Absence(50 + len(self.absences), user, start, end))
        return self.absences[-1]

    def add_meeting(
        self, user: int, start: datetime, end: datetime, *, zone: str = "", zone_to: str = "", **values: Any
    ) -> Meeting:
        """Add an event to a person's calendar, in the person's zone unless another is given.

        `values` are those of records.Meeting. `repeats` makes a series of it, without an end or until a day. A weekly
        one is on the weekday of its start unless there are `weekdays` (0 = Monday).
        """
        zone = zone or str(self.zone_of(self.users[user]))
        zone_to = zone_to or zone
        clocks = [at.astimezone(ZoneInfo(name)).replace(tzinfo=None) for at, name in ((start, zone), (end, zone_to))]
        values["weekdays"] = tuple(values.get("weekdays", ())) or (clocks[0].weekday(),)
        values = {"name": "Встреча", "start": clocks[0], "end": clocks[1], "zone": zone, "zone_to": zone_to} | values
        return self._put_meeting(user=user, **values)

    def add_days_off(self, user: int, first: date, last: date, *, accessibility: str = "absent") -> Meeting:
        """Add a whole-day event to a person's calendar, both days included."""
        start, end = (datetime.combine(day, time()) for day in (first, last))
        values = {"accessibility": accessibility, "whole_day": True}
        return self._put_meeting(user=user, name="Отпуск", start=start, end=end, **values)

    def _put_meeting(self, **values: Any) -> Meeting:
        self.meetings.append(Meeting(1200 + len(self.meetings), **values))
        return self.meetings[-1]

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
        """Add a schedule of one shift; gives the answer's own dictionary, to be changed at will."""
        hours = {"WORK_TIME_START": round(start_h * 3600), "WORK_TIME_END": round(end_h * 3600), "WORK_DAYS": days}
        shift = {"ID": id, "NAME": "", "BREAK_DURATION": break_s, **hours, "SCHEDULE_ID": id, "DELETED": False}
        calendar: dict[str, Any] = {"ID": id, "NAME": "", "PARENT_CALENDAR_ID": 0, "SYSTEM_CODE": "", "EXCLUSIONS": {}}
        schedule = {"ID": id, "NAME": "Для всех", "SCHEDULE_TYPE": kind, "REPORT_PERIOD": "MONTH", "CALENDAR_ID": id}
        schedule |= {"DELETED": "0", "IS_FOR_ALL_USERS": True, "SHIFTS": [shift], "CALENDAR": calendar}
        for day in days_off:
            year = calendar["EXCLUSIONS"].setdefault(str(day.year), {})
            year.setdefault(str(day.month), {})[str(day.day)] = "0"
        self.schedules[id] = schedule
        return schedule

    def add_storage(self, entity_type: str, name: str, entity_id: str) -> records.Storage:
        return self.disk.add_storage(entity_type, name, entity_id)

    def add_folder(self, parent: int, name: str, *, user: int = 1) -> records.DiskObject:
        return self.disk.put(parent, name, user, None)

    def add_file(self, parent: int, name: str, content: bytes, *, user: int = 1) -> records.DiskObject:
        return self.disk.put(parent, name, user, content)
