"""Projects and workgroups."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from b24tools.bitrix24.batch import Query
from b24tools.bitrix24.parsing import id_of, int_or_zero, mapping_of, rows_of
from b24tools.bitrix24.portal_time import read_iso
from b24tools.core.names import fold_shapes


class Project(NamedTuple):
    """A project or workgroup as `sonet_group.get` shows it."""

    id: int
    name: str
    archived: bool


def groups_named(name: str, *, part: str = "") -> Query[list[Project]]:
    """The projects of exactly this name, or with this id, in the order to take them: the archived ones last.

    With `part` those that have it in their name and look like this one: other spaces, a letter of another alphabet.
    """

    def read(result: Any) -> list[Project]:
        projects = (Project(id_of(r, "ID"), str(r.get("NAME") or ""), r.get("CLOSED") == "Y") for r in rows_of(result))
        fitting = (project for project in projects if not part or fold_shapes(project.name) == fold_shapes(name))
        return sorted(fitting, key=lambda project: project.archived)

    conditions = {"ID": int(name)} if name.isdecimal() else {"%NAME": part} if part else {"NAME": name}
    return Query("sonet_group.get", {"ORDER": {"ID": "ASC"}, "FILTER": conditions, "IS_ADMIN": "Y"}, read)


def open_groups() -> Query[list[Project]]:
    """The newest projects that are not archived: a page of them, to choose from."""

    def read(result: Any) -> list[Project]:
        return [Project(id_of(row, "ID"), str(row.get("NAME") or ""), False) for row in rows_of(result)]

    params = {"ORDER": {"ID": "DESC"}, "FILTER": {"CLOSED": "N"}, "IS_ADMIN": "Y"}
    return Query("sonet_group.get", params, read)


def create_group(name: str) -> Query[int]:
    """Create a project for tasks; names are not unique on the portal: look first."""
    params = {"NAME": name, "VISIBLE": "Y", "OPENED": "N", "PROJECT": "Y", "INITIATE_PERMS": "K"}
    return Query("sonet_group.create", params, int_or_zero)


def may_create_tasks(group_id: int) -> Query[bool]:
    """Whether the webhook's owner may create tasks in this project; an archived one takes none.

    https://dev.1c-bitrix.ru/rest_help/sonet_group/sonet_group_feature_access.php
    """
    params = {"GROUP_ID": group_id, "FEATURE": "tasks", "OPERATION": "create_tasks"}
    return Query("sonet_group.feature.access", params, lambda result: result is True)


def project_dates(group_id: int) -> Query[tuple[datetime | None, datetime | None]]:
    """The midnights of a project's first and last day, in the server's zone; None where it has none, as a workgroup."""

    def read(result: Any) -> tuple[datetime | None, datetime | None]:
        for row in rows_of(mapping_of(result).get("workgroups")):
            if int_or_zero(row.get("id")) == group_id and row.get("project") == "Y":
                return read_iso(row.get("projectDateStart")), read_iso(row.get("projectDateFinish"))
        return None, None

    select = ["ID", "PROJECT", "PROJECT_DATE_START", "PROJECT_DATE_FINISH"]
    params = {"filter": {"ID": group_id}, "select": select, "params": {"IS_ADMIN": "Y"}}
    return Query("socialnetwork.api.workgroup.list", params, read)
