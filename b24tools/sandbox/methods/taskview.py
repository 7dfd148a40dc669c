"""How a task leaves the portal: names in camelCase, scalars as strings, dates on the owner's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox.methods.taskfilter import meta_status
from b24tools.sandbox.records import COMPLETED, DEFERRED, IN_PROGRESS, PENDING, SUPPOSEDLY_COMPLETED, Task, User

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

Column = Callable[["View", Task], Any]


def camel(name: str) -> str:
    """`UF_AUTO_1` → `ufAuto1`, as the portal names keys."""
    first, *rest = name.lower().split("_")
    return first + "".join(part.capitalize() for part in rest)


def _flag(value: bool) -> str:
    return "Y" if value else "N"


def _or_null(value: int | None) -> str | None:
    return None if value is None else str(value)


# Selectable columns in the order of a full answer
COLUMNS: Final[dict[str, Column]] = {
    "ID": lambda view, task: str(task.id),
    "PARENT_ID": lambda view, task: str(task.parent) if task.parent else None,
    "TITLE": lambda view, task: task.title,
    "DESCRIPTION": lambda view, task: task.description,
    "MARK": lambda view, task: task.mark,
    "PRIORITY": lambda view, task: str(task.priority),
    "MULTITASK": lambda view, task: "N",
    "NOT_VIEWED": lambda view, task: "N",
    "REPLICATE": lambda view, task: "N",
    "STAGE_ID": lambda view, task: "0",
    "SPRINT_ID": lambda view, task: None,
    "BACKLOG_ID": lambda view, task: None,
    "CREATED_BY": lambda view, task: str(task.creator),
    "CREATED_DATE": lambda view, task: view.date(task, "created_at"),
    "RESPONSIBLE_ID": lambda view, task: str(task.responsible),
    "CHANGED_BY": lambda view, task: str(task.changed_by),
    "CHANGED_DATE": lambda view, task: view.date(task, "changed_at"),
    "STATUS_CHANGED_BY": lambda view, task: _or_null(task.status_changed_by),
    "CLOSED_BY": lambda view, task: _or_null(task.closed_by),
    "CLOSED_DATE": lambda view, task: view.date(task, "closed_at"),
    "ACTIVITY_DATE": lambda view, task: view.date(task, "activity_at"),
    "DATE_START": lambda view, task: view.date(task, "date_start"),
    "DEADLINE": lambda view, task: view.date(task, "deadline"),
    "START_DATE_PLAN": lambda view, task: view.date(task, "start_plan"),
    "END_DATE_PLAN": lambda view, task: view.date(task, "end_plan"),
    "GUID": lambda view, task: task.guid,
    "XML_ID": lambda view, task: task.xml_id if view.keep_xml_id else None,
    "COMMENTS_COUNT": lambda view, task: str(task.comments) if task.comments else None,
    "SERVICE_COMMENTS_COUNT": lambda view, task: None,
    "ALLOW_CHANGE_DEADLINE": lambda view, task: _flag(task.allow_change_deadline),
    "ALLOW_TIME_TRACKING": lambda view, task: _flag(task.allow_time_tracking),
    "TASK_CONTROL": lambda view, task: _flag(task.task_control),
    "ADD_IN_REPORT": lambda view, task: _flag(task.add_in_report),
    "FORKED_BY_TEMPLATE_ID": lambda view, task: None,
    "TIME_ESTIMATE": lambda view, task: str(task.time_estimate),
    "TIME_SPENT_IN_LOGS": lambda view, task: str(task.time_spent) if task.time_spent else None,
    "MATCH_WORK_TIME": lambda view, task: _flag(task.match_work_time),
    "FORUM_TOPIC_ID": lambda view, task: None,
    "FORUM_ID": lambda view, task: None,
    "SITE_ID": lambda view, task: "s1",
    "SUBORDINATE": lambda view, task: "Y" if view.sees_as_head(task) else "N",
    "EXCHANGE_MODIFIED": lambda view, task: None,
    "EXCHANGE_ID": lambda view, task: None,
    "OUTLOOK_VERSION": lambda view, task: "1",
    "VIEWED_DATE": lambda view, task: None,
    "SORTING": lambda view, task: None,
    "DURATION_FACT": lambda view, task: None,
    "IS_MUTED": lambda view, task: "N",
    "IS_PINNED": lambda view, task: "N",
    "IS_PINNED_IN_GROUP": lambda view, task: "N",
    "FLOW_ID": lambda view, task: None,
    "STATUS": lambda view, task: str(task.status),
    "STATUS_CHANGED_DATE": lambda view, task: view.date(task, "status_changed_at"),
    "DURATION_PLAN": lambda view, task: None,
    "DURATION_TYPE": lambda view, task: "days",
    "FAVORITE": lambda view, task: "N",
    "GROUP_ID": lambda view, task: str(task.group),
    "AUDITORS": lambda view, task: list(map(str, task.auditors)),
    "ACCOMPLICES": lambda view, task: list(map(str, task.accomplices)),
    "CHECKLIST": lambda view, task: [],
    "NEW_COMMENTS_COUNT": lambda view, task: 0,
    "CHAT_ID": lambda view, task: view.chat_id(task),
}
NAMES: Final = {name: camel(name) for name in COLUMNS}
EXTRA: Final = ("TAGS",)
SYSTEM_USER_FIELDS: Final = ("UF_CRM_TASK", "UF_TASK_WEBDAV_FILES", "UF_MAIL_MESSAGE")


class View:
    """Renders tasks for one caller at one moment."""

    def __init__(self, portal: Portal, user: User) -> None:
        self._portal = portal
        self._user = user
        now = portal.now()
        self._now = int(now.timestamp())
        self._zone: tzinfo = portal.zone_of(user)
        # The offset is worked out for this moment and pasted onto every date, old ones too
        self._offset = now.astimezone(self._zone).isoformat()[-6:]
        self.keep_xml_id: bool = portal.keep_xml_id

    def date(self, task: Task, column: str) -> str | None:
        """The owner's wall clock with today's offset behind it, or the text that stands there instead."""
        if column in task.raw_dates:
            return task.raw_dates[column]
        at: int | None = getattr(task, column)
        if at is None:
            return None
        return datetime.fromtimestamp(at, self._zone).replace(tzinfo=None).isoformat() + self._offset

    def chat_id(self, task: Task) -> int | None:
        """The task's chat; a list only looks for it, see `select`."""
        return self._portal.task_chats.get(task.id)

    def sees_as_head(self, task: Task) -> bool:
        """Whether the caller heads the responsible person."""
        return self._portal.heads(self._user.id, task.responsible)

    def full(self, task: Task) -> dict[str, Any]:
        """The answer of add, update, complete…: no user fields, no tags."""
        return self.select(task, [], card=True)

    def select(self, task: Task, wanted: Iterable[str], *, card: bool) -> dict[str, Any]:
        """The chosen columns and what comes with them; a card (get) has the rights, a list row has not."""
        known = [name for name in wanted if name in COLUMNS or name in EXTRA or name.startswith("UF_") or name == "*"]
        chosen = {name for name in known if name in COLUMNS}
        if not known or "*" in known:
            chosen = set(COLUMNS)
        chosen.add("ID")
        if card:
            chosen.add("FAVORITE")
            if "CHAT_ID" in chosen and self._portal.has_chat(task):
                self._portal.chat_of(task)  # whoever asks for it with one task makes it, and "all fields" ask for it
        row = {NAMES[name]: column(self, task) for name, column in COLUMNS.items() if name in chosen}
        if "DESCRIPTION" in chosen:
            row["descriptionInBbcode"] = "Y"
        if "STATUS" in chosen and not card:
            row["subStatus"] = str(meta_status(task, self._now, self._user.id))
        row["group"] = self._group(task)
        self._add_people(row, task, chosen)
        if "TAGS" in known:
            row["tags"] = self._tags(task)
        if any(name.startswith("UF_") for name in known):
            row |= self._user_fields(task)
        if card:
            row["action"] = self._actions(task)
            if "CHECKLIST" in chosen:
                row |= {"checkListTree": _checklist(self._user.id), "checkListCanAdd": True}
        return row

    def _add_people(self, row: dict[str, Any], task: Task, chosen: set[str]) -> None:
        for name, key, person in (
            ("CREATED_BY", "creator", task.creator),
            ("RESPONSIBLE_ID", "responsible", task.responsible),
        ):
            if name in chosen and person in self._portal.users:  # else the block is missing
                row[key] = self._person(person)
        for name, people in (("ACCOMPLICES", task.accomplices), ("AUDITORS", task.auditors)):
            if name in chosen:
                row[f"{name.lower()}Data"] = {
                    str(person): self._person(person) for person in people if person in self._portal.users
                }

    def _person(self, user_id: int) -> dict[str, Any]:
        user = self._portal.users[user_id]
        return {
            "id": str(user_id),
            "name": user.full_name,
            "link": f"/company/personal/user/{user_id}/",
            "icon": "/bitrix/images/tasks/default_avatar.png",
            "workPosition": user.position,
        }

    def _group(self, task: Task) -> dict[str, Any]:
        group = self._portal.groups.get(task.group)
        if group is None:
            return {}
        return {
            "id": str(group.id),
            "name": group.name,
            "opened": group.opened,
            "membersCount": len(group.members),
            "image": "",
            "additionalData": [],
        }

    def _tags(self, task: Task) -> dict[str, Any]:
        ids = {tag: self._portal.tag_id(tag) for tag in task.tags}
        return {str(tag_id): {"id": tag_id, "title": tag} for tag, tag_id in ids.items()}

    def _user_fields(self, task: Task) -> dict[str, Any]:
        """One UF_ name in `select` brings all of them. Files are attachment ids, not disk objects."""
        own = task.fields or {}
        fields: dict[str, Any] = {"ufCrmTask": own.get("UF_CRM_TASK", False)}
        fields["ufTaskWebdavFiles"] = list(task.attachments) or False
        fields["ufMailMessage"] = None
        for name in self._portal.user_fields:
            fields[camel(name)] = own.get(name)
        return fields

    def _actions(self, task: Task) -> dict[str, bool]:
        """The rights block; a rough picture, decided for real when an action is asked for."""
        edit = self._portal.may_edit(self._user, task)
        work = edit or self._user.id in (task.responsible, *task.accomplices)
        control = edit and task.status == SUPPOSEDLY_COMPLETED
        names = {
            "accept": False,
            "decline": False,
            "complete": work and task.status != COMPLETED,
            "approve": control,
            "disapprove": control,
            "start": work and task.status in (PENDING, DEFERRED),
            "pause": work and task.status == IN_PROGRESS,
            "delegate": work,
            "remove": edit,
            "edit": edit,
            "defer": work and task.status in (PENDING, IN_PROGRESS),
            "renew": work and task.status in (SUPPOSEDLY_COMPLETED, COMPLETED, DEFERRED),
            "create": True,
            "changeDeadline": edit or (work and task.allow_change_deadline),
            "checklistAddItems": work,
            "addFavorite": True,
            "deleteFavorite": False,
            "rate": edit,
            "take": False,
        }
        dotted = {"edit.originator": False, "checklist.reorder": work, "elapsedtime.add": work}
        return names | dotted | {"dayplan.timer.toggle": False, "edit.plan": edit, "checklist.add": work}


def _checklist(user_id: int) -> dict[str, Any]:
    """The empty checklist; items are not emulated."""
    nothing = dict.fromkeys(("id", "copiedId", "entityId"))
    more = {"userId": user_id, "createdBy": None, "parentId": None, "title": "", "sortIndex": None}
    rest = {"displaySortIndex": "", "isComplete": False, "isImportant": False, "completedCount": 0}
    fields: dict[str, Any] = nothing | more | rest | {"members": [], "attachments": []}
    return {"nodeId": 0, "fields": fields, "action": [], "descendants": []}


def field_names(user_fields: Iterable[str]) -> list[str]:
    """Every name tasks.task.getFields lists."""
    return [*COLUMNS, *SYSTEM_USER_FIELDS, *user_fields]
