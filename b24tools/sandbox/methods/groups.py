"""sonet_group.get, .feature.access and .create, and socialnetwork.api.workgroup.list.

The dates of a project are in the last one only; that its tasks are switched off shows in feature.access only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from b24tools.sandbox import ormfilter, php
from b24tools.sandbox.methods.taskview import camel
from b24tools.sandbox.records import Group
from b24tools.sandbox.rest import Answer, Call, Method, RestError, floored_page

OPERATIONS: Final = ("view", "view_all", "sort", "create_tasks", "edit_tasks", "delete_tasks")
OTHER_FEATURES: Final = ("photo", "calendar", "files", "blog")


def _flag(value: bool) -> str:
    return "Y" if value else "N"


COLUMNS: Final[dict[str, ormfilter.Column]] = {
    "ID": lambda row: row.id,
    "NAME": lambda row: row.name,
    "OWNER_ID": lambda row: row.owner,
    "ACTIVE": lambda row: "Y",
    "VISIBLE": lambda row: _flag(row.visible),
    "OPENED": lambda row: _flag(row.opened),
    "CLOSED": lambda row: _flag(row.closed),
    "PROJECT": lambda row: _flag(row.project),
    "IS_EXTRANET": lambda row: "N",
    "DATE_CREATE": lambda row: row.created_at,
}


def get(call: Call) -> Answer:
    """A page of groups the owner can see; IS_ADMIN=Y shows an administrator the secret ones too."""
    rows = _visible(call, as_admin=call.params.get("IS_ADMIN") == "Y")
    found = ormfilter.conditions(call.params.get("FILTER"), COLUMNS, any_case=False)
    if call.params.get("GROUP_ID") is not None:
        wanted = php.to_int(call.params["GROUP_ID"])
        found.append(lambda row: row.id == wanted)
    rows = sorted(ormfilter.select(rows, found), key=lambda row: -row.id)
    page = floored_page(ormfilter.order_by(rows, call.params.get("ORDER"), COLUMNS), call.start)
    return Answer([_row(call, row) for row in page.result], total=page.total, next=page.next)


def _visible(call: Call, *, as_admin: bool) -> list[Group]:
    wide = as_admin and call.user.admin
    return [row for row in call.portal.groups.values() if wide or row.visible or call.user.id in row.members]


def _moment(call: Call, at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, call.portal.server_zone).isoformat()


def _row(call: Call, row: Group) -> dict[str, Any]:
    at = _moment(call, row.created_at)
    return {
        "ID": str(row.id),
        "SITE_ID": "s1",
        "NAME": row.name,
        "DESCRIPTION": row.description,
        "DATE_CREATE": at,
        "DATE_UPDATE": at,
        "ACTIVE": "Y",
        "VISIBLE": _flag(row.visible),
        "OPENED": _flag(row.opened),
        "CLOSED": _flag(row.closed),
        "SUBJECT_ID": "1",
        "OWNER_ID": str(row.owner),
        "KEYWORDS": None,
        "NUMBER_OF_MEMBERS": str(len(row.members)),
        "DATE_ACTIVITY": at,
        "SUBJECT_NAME": "Рабочие группы",
        "PROJECT": _flag(row.project),
        "IS_EXTRANET": "N",
    }


def create(call: Call) -> int:
    """A new group with its owner as the first member. Names are not unique."""
    params = call.params
    if not call.portal.may_create_groups:
        raise RestError("", "You have no permissions to create a group")
    name = php.to_text(params.get("NAME")).strip()
    if not name:
        raise RestError("", "Cannot create group")
    owner = php.to_int(params.get("OWNER_ID")) if call.user.admin and params.get("OWNER_ID") else call.user.id
    group = call.portal.add_group(
        name,
        owner,
        visible=params.get("VISIBLE", "Y") == "Y",
        opened=params.get("OPENED") == "Y",
        project=params.get("PROJECT") == "Y",
    )
    group.description = php.to_text(params["DESCRIPTION"]) if params.get("DESCRIPTION") else None
    return group.id


def may(call: Call) -> bool:
    """Whether the owner may do something in a group: `tasks` only.

    No one makes tasks in an archived group, and no one does anything with tasks where the tool is off.
    """
    number, feature, operation = (php.to_text(call.params.get(name)) for name in ("GROUP_ID", "FEATURE", "OPERATION"))
    if php.to_int(number) <= 0:
        raise RestError("", "Wrong socialnetwork group ID")
    if feature.strip() in OTHER_FEATURES:
        return False
    if feature.strip() != "tasks":
        raise RestError("", "Wrong feature")
    if operation.strip() not in OPERATIONS:
        raise RestError("", "Wrong operation")
    group = call.portal.groups.get(php.to_int(number))
    if group is None or not group.tasks_enabled or (group.closed and operation.strip() == "create_tasks"):
        return False
    return call.user.admin or call.user.id in group.members


WORKGROUP: Final[dict[str, Callable[[Call, Group], Any]]] = {
    "ID": lambda _, row: str(row.id),
    "ACTIVE": lambda _, row: "Y",
    "SUBJECT_ID": lambda _, row: "1",
    "NAME": lambda _, row: row.name,
    "DESCRIPTION": lambda _, row: row.description,
    "KEYWORDS": lambda _, row: None,
    "CLOSED": lambda _, row: _flag(row.closed),
    "VISIBLE": lambda _, row: _flag(row.visible),
    "OPENED": lambda _, row: _flag(row.opened),
    "PROJECT": lambda _, row: _flag(row.project),
    "DATE_CREATE": lambda call, row: _moment(call, row.created_at),
    "OWNER_ID": lambda _, row: str(row.owner),
    "NUMBER_OF_MEMBERS": lambda _, row: str(len(row.members)),
    "PROJECT_DATE_START": lambda call, row: _moment(call, row.date_start),
    "PROJECT_DATE_FINISH": lambda call, row: _moment(call, row.date_finish),
    "TYPE": lambda _, row: "project" if row.project else "group",
}


def list_workgroups(call: Call) -> Answer:
    """A page of groups with the chosen columns, by default the id alone."""
    params = call.array("params")
    as_admin = isinstance(params, dict) and params.get("IS_ADMIN") == "Y"
    rows = ormfilter.select(
        _visible(call, as_admin=as_admin), ormfilter.conditions(call.array("filter"), COLUMNS, any_case=False)
    )
    rows = ormfilter.order_by(rows, call.array("order"), COLUMNS)
    names = {"ID", *(php.to_text(name).upper() for name in php.values(call.array("select")))}
    chosen = [name for name in WORKGROUP if name in names]
    page = floored_page(rows, call.start, restarts=False)
    found = [{camel(name): WORKGROUP[name](call, row) for name in chosen} for row in page.result]
    counted = php.to_int(call.start) != -1
    return Answer({"workgroups": found}, total=page.total if counted else None, next=page.next if counted else None)


METHODS: Final = (
    Method("sonet_group.get", "sonet_group", get),
    Method("sonet_group.feature.access", "sonet_group", may),
    Method("sonet_group.create", "sonet_group", create, writes=True),
    Method("socialnetwork.api.workgroup.list", "socialnetwork", list_workgroups),
)
