"""Questions that only `doctor` asks: what the webhook may do, and what the portal does where that is not certain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from b24tools.bitrix24 import parsing
from b24tools.bitrix24.batch import Command
from b24tools.bitrix24.queries import methods
from b24tools.bitrix24.queries.methods import Query

FOREIGN_KEY = "1c:doctor:no-such-key"


@dataclass(frozen=True, slots=True)
class Project:
    """A project or workgroup as `sonet_group.get` shows it."""

    id: int
    name: str
    archived: bool


def scopes() -> Query[list[str]]:
    """The scopes of the webhook. Needs none itself."""

    def read(result: Any) -> list[str]:
        return [str(one) for one in parsing.php_values(result)]

    return Query(Command("scope", {}), read)


def projects(name: str) -> Query[list[Project]]:
    """The projects of exactly this name, or with this id, in the order in which `assign` takes them."""
    query = methods.groups_named(name)

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


def storages() -> Query[int]:
    """How many common storages the owner sees."""
    return Query(methods.common_storage().command, lambda result: len(result) if isinstance(result, list) else 0)


def foreign_key() -> Query[list[Mapping[str, Any]]]:
    """The tasks with a key that nobody has: rows mean that the filter is ignored."""
    return methods.tasks_by_key([FOREIGN_KEY])


def newest_tasks() -> Query[list[Mapping[str, Any]]]:
    """The newest tasks, with the key if the portal has such a field, and a date, which shows the zone in force."""
    params = {"select": ["ID", "XML_ID", "CREATED_DATE"], "order": {"ID": "desc"}, "start": -1}
    return Query(Command("tasks.task.list", params), methods.task_rows)


def task(task_id: int, select: Sequence[str]) -> Query[Mapping[str, Any]]:
    """A task with these columns only."""
    params = {"taskId": task_id, "select": list(select)}
    return Query(Command("tasks.task.get", params), lambda result: methods.task_row(result, "tasks.task.get"))


def listed_chat(task_id: int) -> Query[Mapping[str, Any]]:
    """The task's chat as a list shows it, which makes none."""
    params = {"filter": {"ID": task_id}, "select": ["ID", "CHAT_ID"], "order": {"ID": "asc"}, "start": -1}
    return Query(Command("tasks.task.list", params), lambda result: (methods.task_rows(result) or [{}])[0])


def history(task_id: int) -> Query[list[str]]:
    """What happened to a task: the names of the fields, oldest first."""

    def read(result: Any) -> list[str]:
        rows = parsing.rows_of(
            parsing.mapping_of(result, "tasks.task.history.list").get("list"), "tasks.task.history.list"
        )
        return [str(row.get("field")) for row in rows]

    return Query(Command("tasks.task.history.list", {"taskId": task_id}), read)


def tasks_called(key: str, title: str) -> dict[str, Command]:
    """The newest tasks with this key, and those with this title: a portal may ignore the one filter."""
    return {
        name: Command(
            "tasks.task.list",
            {"filter": {name: value}, "select": ["ID", "TITLE", "XML_ID"], "order": {"ID": "desc"}, "start": -1},
        )
        for name, value in (("XML_ID", key), ("TITLE", title))
    }
