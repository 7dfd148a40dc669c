"""The columns of a task, and how it leaves the portal: camelCase, scalars as strings, dates on the owner's clock.

Not emulated: check lists, and the rights block (`action`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox import filters, php
from b24tools.sandbox.records import COMPLETED, PENDING, SUPPOSEDLY_COMPLETED, Task, User

if TYPE_CHECKING:
    from b24tools.sandbox.methods import Call
    from b24tools.sandbox.state import Portal

# Under which name REST has which attribute of records.Task
NUMBERS: Final = filters.attributes(
    "ID PARENT_ID=parent PRIORITY CREATED_BY=creator RESPONSIBLE_ID=responsible CHANGED_BY STATUS_CHANGED_BY CLOSED_BY "
    "COMMENTS_COUNT=comments TIME_ESTIMATE TIME_SPENT_IN_LOGS=time_spent STATUS GROUP_ID=group FLOW_ID=flow"
)
TEXTS: Final = filters.attributes("TITLE DESCRIPTION GUID XML_ID")
FLAGS: Final = filters.attributes("ALLOW_CHANGE_DEADLINE ALLOW_TIME_TRACKING TASK_CONTROL MATCH_WORK_TIME")
DATES: Final = filters.attributes(
    "CREATED_DATE=created_at CHANGED_DATE=changed_at CLOSED_DATE=closed_at ACTIVITY_DATE=activity_at DATE_START "
    "START_DATE_PLAN=start_plan END_DATE_PLAN=end_plan DEADLINE STATUS_CHANGED_DATE=status_changed_at"
)
PEOPLE: Final = filters.attributes("ACCOMPLICES AUDITORS")
ATTRIBUTES: Final = NUMBERS | TEXTS | FLAGS | DATES | PEOPLE
NULL_WHEN_ZERO: Final = ("PARENT_ID", "COMMENTS_COUNT", "TIME_SPENT_IN_LOGS", "FLOW_ID")
# What is always the same here; names that are in neither table are NULL
NO: Final = "MULTITASK NOT_VIEWED REPLICATE SUBORDINATE ADD_IN_REPORT FAVORITE IS_MUTED IS_PINNED IS_PINNED_IN_GROUP"
OTHERS: Final = {"STAGE_ID": "0", "SITE_ID": "s1", "OUTLOOK_VERSION": "1", "DURATION_TYPE": "days"}
ALWAYS: Final[dict[str, Any]] = {"NEW_COMMENTS_COUNT": 0} | OTHERS | dict.fromkeys(NO.split(), "N")
# In the order of a full answer
ORDER: Final = (
    "ID PARENT_ID TITLE DESCRIPTION MARK PRIORITY MULTITASK NOT_VIEWED REPLICATE STAGE_ID SPRINT_ID BACKLOG_ID "
    "CREATED_BY CREATED_DATE RESPONSIBLE_ID CHANGED_BY CHANGED_DATE STATUS_CHANGED_BY CLOSED_BY CLOSED_DATE "
    "ACTIVITY_DATE DATE_START DEADLINE START_DATE_PLAN END_DATE_PLAN GUID XML_ID COMMENTS_COUNT "
    "SERVICE_COMMENTS_COUNT ALLOW_CHANGE_DEADLINE ALLOW_TIME_TRACKING TASK_CONTROL ADD_IN_REPORT "
    "FORKED_BY_TEMPLATE_ID TIME_ESTIMATE TIME_SPENT_IN_LOGS MATCH_WORK_TIME FORUM_TOPIC_ID FORUM_ID SITE_ID "
    "SUBORDINATE EXCHANGE_MODIFIED EXCHANGE_ID OUTLOOK_VERSION VIEWED_DATE SORTING DURATION_FACT IS_MUTED "
    "IS_PINNED IS_PINNED_IN_GROUP FLOW_ID STATUS STATUS_CHANGED_DATE DURATION_PLAN DURATION_TYPE FAVORITE "
    "GROUP_ID AUDITORS ACCOMPLICES NEW_COMMENTS_COUNT CHAT_ID"
)
KEYS: Final = {name: php.camel(name) for name in ORDER.split()}
DAY: Final = 86400


def meta_status(task: Task, now: int, user_id: int) -> int:
    """Compute the status: -3 the deadline is within a day, -1 overdue, -2 not yet seen by the caller."""
    if task.status not in (SUPPOSEDLY_COMPLETED, COMPLETED) and task.deadline is not None:
        if task.deadline < now:
            return -1
        if task.deadline < now + DAY:
            return -3
    unseen = user_id not in task.viewed_by and task.creator != user_id
    return -2 if unseen and task.status <= PENDING else task.status


def whole_task(call: Call, task: Task) -> dict[str, Any]:
    """Answer an add, update, complete…: no user fields."""
    return {"task": TaskView(call.portal, call.user).show(task, [], alone=True)}


class TaskView:
    """Shows tasks to one caller at one moment."""

    def __init__(self, portal: Portal, user: User) -> None:
        self._portal = portal
        self._user = user
        now = portal.now()
        self._now = int(now.timestamp())
        self._zone = portal.zone_of(user)
        # The offset is worked out for this moment and pasted onto every date, old ones too
        self._offset = now.astimezone(self._zone).isoformat()[-6:]

    def show(self, task: Task, wanted: Iterable[str], *, alone: bool) -> dict[str, Any]:
        """Give the chosen columns and what comes with them, of a task alone (get) or in a list."""
        known = [name for name in wanted if name in KEYS or name.startswith("UF_") or name == "*"]
        chosen = {"ID", *known} if known and "*" not in known else {*KEYS}
        if alone:
            chosen.add("FAVORITE")
            if "CHAT_ID" in chosen and self._portal.has_chat(task):
                self._portal.chat_of(task)  # whoever asks for it with one task makes it, and "all fields" ask for it
        row = {key: self._show_column(task, name) for name, key in KEYS.items() if name in chosen}
        if "DESCRIPTION" in chosen:
            row["descriptionInBbcode"] = "Y"
        if "STATUS" in chosen and not alone:
            row["subStatus"] = str(meta_status(task, self._now, self._user.id))
        row["group"] = {}
        if (group := self._portal.groups.get(task.group)) is not None:
            row["group"] = {"id": str(group.id), "name": group.name, "opened": group.opened}
            row["group"] |= {"membersCount": len(group.members), "image": "", "additionalData": []}
        people = self._portal.users
        for name, key in (("CREATED_BY", "creator"), ("RESPONSIBLE_ID", "responsible")):
            person = people.get(getattr(task, key))
            if name in chosen and person is not None:  # else the block is missing
                row[key] = self._show_person(person)
        for name in [name for name in PEOPLE if name in chosen]:
            ids = [person for person in getattr(task, PEOPLE[name]) if person in people]
            row[f"{KEYS[name]}Data"] = {str(person): self._show_person(people[person]) for person in ids}
        if any(name.startswith("UF_") for name in known):  # one such name brings all of them
            row |= {"ufCrmTask": task.fields.get("UF_CRM_TASK", False), "ufMailMessage": None}
            row["ufTaskWebdavFiles"] = list(task.attachments) or False  # their own ids, not those of disk objects
            row |= {php.camel(name): task.fields.get(name) for name in self._portal.user_fields}
        return row

    def _show_column(self, task: Task, name: str) -> Any:
        if name == "CHAT_ID":
            return self._portal.task_chats.get(task.id)
        if name == "XML_ID" and not self._portal.keep_xml_id:
            return None
        value = getattr(task, ATTRIBUTES[name]) if name in ATTRIBUTES else ALWAYS.get(name)
        if value is None or (name in NULL_WHEN_ZERO and not value):
            return None
        if name in DATES and DATES[name] in task.raw_dates:
            return task.raw_dates[DATES[name]]
        if name in DATES:  # the owner's wall clock with today's offset behind it
            return datetime.fromtimestamp(value, self._zone).replace(tzinfo=None).isoformat() + self._offset
        if name in PEOPLE:
            return list(map(str, value))
        return str(value) if name in NUMBERS else filters.flag(value)

    def _show_person(self, user: User) -> dict[str, Any]:
        link, icon = f"/company/personal/user/{user.id}/", "/bitrix/images/tasks/default_avatar.png"
        return {"id": str(user.id), "name": user.full_name, "link": link, "icon": icon, "workPosition": user.position}
