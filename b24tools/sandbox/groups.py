"""sonet_group.get, sonet_group.feature.access and sonet_group.create."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from b24tools.sandbox import ormfilter, php
from b24tools.sandbox.records import Group
from b24tools.sandbox.rest import Answer, Call, Method, RestError, floored_page


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
    all_of_them = call.user.admin and call.params.get("IS_ADMIN") == "Y"
    rows = [row for row in call.portal.groups.values() if all_of_them or row.visible or call.user.id in row.members]
    found = ormfilter.conditions(call.params.get("FILTER"), COLUMNS, any_case=False)
    if call.params.get("GROUP_ID") is not None:
        wanted = php.to_int(call.params["GROUP_ID"])
        found.append(lambda row: row.id == wanted)
    rows = sorted(ormfilter.select(rows, found), key=lambda row: -row.id)
    page = floored_page(ormfilter.order_by(rows, call.params.get("ORDER"), COLUMNS), call.start)
    return Answer([_row(call, row) for row in page.result], total=page.total, next=page.next)


def _row(call: Call, row: Group) -> dict[str, Any]:
    at = datetime.fromtimestamp(row.created_at, call.portal.server_zone).isoformat()
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
    """Whether the owner may do something in a group: `tasks` only. An archived group lets nobody make tasks."""
    params = call.params
    group = call.portal.groups.get(php.to_int(params.get("GROUP_ID")))
    if group is None or params.get("FEATURE") != "tasks":
        return False
    if group.closed and params.get("OPERATION") == "create_tasks":
        return False
    return call.user.admin or call.user.id in group.members


METHODS: Final = (
    Method("sonet_group.get", "sonet_group", get),
    Method("sonet_group.feature.access", "sonet_group", may),
    Method("sonet_group.create", "sonet_group", create, writes=True),
)
