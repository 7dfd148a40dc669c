"""Projects and workgroups.

A `Query` is a command together with the reader of its answer; readers raise PortalError on a shape they do not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from b24tools.bitrix24.batch import Command, Query
from b24tools.bitrix24.parsing import (
    id_of,
    int_of,
    mapping_of,
    rows_of,
)
from b24tools.bitrix24.portal_time import read_iso


def groups_named(name: str) -> Query[list[tuple[int, str]]]:
    """The projects of exactly this name, or with this id, as (id, name); the archived ones last."""
    conditions = {"ID": int(name)} if name.isdecimal() else {"NAME": name}

    def read(result: Any) -> list[tuple[int, str]]:
        rows = sorted(rows_of(result, "sonet_group.get"), key=lambda row: row.get("CLOSED") == "Y")
        return [(id_of(row, "ID", "sonet_group.get"), str(row.get("NAME") or "")) for row in rows]

    return Query(Command("sonet_group.get", {"ORDER": {"ID": "ASC"}, "FILTER": conditions, "IS_ADMIN": "Y"}), read)


def create_group(name: str) -> Query[int]:
    """Create a project for tasks; names are not unique on the portal: look first."""
    params = {"NAME": name, "VISIBLE": "Y", "OPENED": "N", "PROJECT": "Y", "INITIATE_PERMS": "K"}
    return Query(Command("sonet_group.create", params), int_of)


@dataclass(frozen=True, slots=True)
class Project:
    """A project or workgroup as `sonet_group.get` shows it."""

    id: int
    name: str
    archived: bool


def projects(name: str) -> Query[list[Project]]:
    """The projects of exactly this name, or with this id, in the order in which `assign` takes them."""
    query = groups_named(name)

    def read(result: Any) -> list[Project]:
        archived = {int(row["ID"]) for row in result if row.get("CLOSED") == "Y"} if isinstance(result, list) else set()
        return [Project(id_, title, id_ in archived) for id_, title in query.read(result)]

    return Query(query.command, read)


def may_create_tasks(group_id: int) -> Query[bool]:
    """Whether the webhook's owner may create tasks in this project; an archived one takes none.

    https://dev.1c-bitrix.ru/rest_help/sonet_group/sonet_group_feature_access.php
    """
    params = {"GROUP_ID": group_id, "FEATURE": "tasks", "OPERATION": "create_tasks"}
    return Query(Command("sonet_group.feature.access", params), lambda result: result is True)


def project_dates(group_id: int) -> Query[tuple[datetime | None, datetime | None]]:
    """The midnights of a project's first and last day, in the server's zone; None where it has none, as a workgroup."""
    method = "socialnetwork.api.workgroup.list"

    def read(result: Any) -> tuple[datetime | None, datetime | None]:
        for row in rows_of(mapping_of(result, method).get("workgroups"), method):
            if int_of(row.get("id")) == group_id and row.get("project") == "Y":
                return read_iso(row.get("projectDateStart")), read_iso(row.get("projectDateFinish"))
        return None, None

    select = ["ID", "PROJECT", "PROJECT_DATE_START", "PROJECT_DATE_FINISH"]
    return Query(Command(method, {"filter": {"ID": group_id}, "select": select, "params": {"IS_ADMIN": "Y"}}), read)
