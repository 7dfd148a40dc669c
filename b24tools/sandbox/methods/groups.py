"""sonet_group.get, .feature.access and .create, and socialnetwork.api.workgroup.list.

The dates of a project are in the last one only; that its tasks are switched off shows in feature.access only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from b24tools.sandbox import filters, php
from b24tools.sandbox.methods import Answer, Call, RestError, method, page
from b24tools.sandbox.records import Group

OPERATIONS: Final = ("view", "view_all", "sort", "create_tasks", "edit_tasks", "delete_tasks")
COLUMNS: Final = filters.columns("ID NAME OWNER_ID=owner VISIBLE OPENED CLOSED PROJECT")


def _find(call: Call, raw: Any, order: Any, is_admin: Any) -> list[Group]:
    """Find groups the owner can see; IS_ADMIN=Y shows an administrator the secret ones too."""
    wide = is_admin == "Y" and call.user.admin
    seen = [row for row in call.portal.groups.values() if wide or row.visible or call.user.id in row.members]
    return filters.sort(filters.select(seen, filters.read_conditions(raw, COLUMNS)), order, COLUMNS)


def _show_columns(row: Group) -> dict[str, Any]:
    return {name: str(filters.flag(column(row))) for name, column in COLUMNS.items()}


@method("sonet_group.get", "sonet_group")
def list_groups(call: Call) -> Answer:
    """Give a page of groups, the newest first."""
    params = call.params
    rows = _find(call, params.get("FILTER"), params.get("ORDER") or {"ID": "DESC"}, params.get("IS_ADMIN"))

    def show(row: Group) -> dict[str, Any]:
        shown = _show_columns(row) | {"SITE_ID": "s1", "DESCRIPTION": row.description, "ACTIVE": "Y", "KEYWORDS": None}
        shown |= {"SUBJECT_ID": "1", "SUBJECT_NAME": "Рабочие группы", "NUMBER_OF_MEMBERS": str(len(row.members))}
        at = dict.fromkeys(("DATE_CREATE", "DATE_UPDATE", "DATE_ACTIVITY"), call.write_date(row.created_at))
        return shown | at | {"IS_EXTRANET": "N"}

    return page(rows, call.start, show, floored=True)


@method("socialnetwork.api.workgroup.list", "socialnetwork")
def list_workgroups(call: Call) -> Answer:
    """Give a page of groups with the chosen columns, by default the id alone."""
    is_admin = dict(php.items(call.array("params"))).get("IS_ADMIN")
    rows = _find(call, call.array("filter"), call.array("order"), is_admin)
    chosen = {"ID", *(php.to_text(name).upper() for name in php.values(call.array("select")))}

    def show(row: Group) -> dict[str, Any]:
        shown = _show_columns(row) | {"TYPE": "project" if row.project else "group"}
        shown["PROJECT_DATE_START"] = call.write_date(row.date_start)
        shown["PROJECT_DATE_FINISH"] = call.write_date(row.date_finish)
        return {php.camel(name): value for name, value in shown.items() if name in chosen}

    answer = page(rows, call.start, show, floored=True, restarts=False)
    return replace(answer, result={"workgroups": answer.result})


@method("sonet_group.create", "sonet_group", writes=True)
def create(call: Call) -> int:
    """Make a group with its owner as the first member. Names are not unique."""
    name = php.to_text(call.params.get("NAME")).strip()
    if not call.portal.may_create_groups:
        raise RestError("", "You have no permissions to create a group")
    if not name:
        raise RestError("", "Cannot create group")
    flags = {"visible": call.params.get("VISIBLE", "Y") == "Y", "opened": call.params.get("OPENED") == "Y"}
    return call.portal.add_group(name, call.user.id, project=call.params.get("PROJECT") == "Y", **flags).id


@method("sonet_group.feature.access", "sonet_group")
def has_access(call: Call) -> bool:
    """Tell whether the owner may do something in a group: `tasks` only.

    Tasks cannot be made in an archived group, and nothing can be done with them where the tool is off.
    """
    names = ("GROUP_ID", "FEATURE", "OPERATION")
    number, feature, operation = (php.to_text(call.params.get(name)).strip() for name in names)
    if php.to_int(number) <= 0:
        raise RestError("", "Wrong socialnetwork group ID")
    if feature != "tasks" or operation not in OPERATIONS:
        raise RestError("", "Wrong operation" if feature == "tasks" else "Wrong feature")
    group = call.portal.groups.get(php.to_int(number))
    if group is None or not group.tasks_enabled or (group.closed and operation == "create_tasks"):
        return False
    return call.user.admin or call.user.id in group.members
