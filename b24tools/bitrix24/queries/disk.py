"""The common storage, folders and files.

A `Query` is a command together with the reader of its answer; readers raise PortalError on a shape they do not know.
"""

from __future__ import annotations

from typing import Any

from b24tools.bitrix24.batch import Command, Query
from b24tools.bitrix24.parsing import (
    id_of,
    mapping_of,
    rows_of,
)


def attached_file(attachment_id: int) -> Query[tuple[int, str]]:
    """The disk object behind an attachment, and its name."""

    def read(result: Any) -> tuple[int, str]:
        row = mapping_of(result, "disk.attachedObject.get")
        return id_of(row, "OBJECT_ID", "disk.attachedObject.get"), str(row.get("NAME") or "")

    return Query(Command("disk.attachedObject.get", {"id": attachment_id}), read)


def common_storage() -> Query[tuple[int, int] | None]:
    """The common storage as (storage id, id of its root folder)."""

    def read(result: Any) -> tuple[int, int] | None:
        rows = rows_of(result, "disk.storage.getlist")
        if not rows:
            return None
        return tuple(id_of(rows[0], name, "disk.storage.getlist") for name in ("ID", "ROOT_OBJECT_ID"))  # type: ignore[return-value]

    return Query(Command("disk.storage.getlist", {"filter": {"ENTITY_TYPE": "common"}}), read)


def children(folder_id: Any, name: str) -> Query[list[tuple[int, str, str]]]:
    """What a folder holds under this name, as (object id, name, "file" or "folder")."""

    def read(result: Any) -> list[tuple[int, str, str]]:
        rows = rows_of(result, "disk.folder.getchildren")
        return [
            (id_of(row, "ID", "disk.folder.getchildren"), str(row.get("NAME")), str(row.get("TYPE"))) for row in rows
        ]

    return Query(Command("disk.folder.getchildren", {"id": folder_id, "filter": {"=NAME": name}}), read)


def add_folder(parent_id: int, name: str) -> Query[int]:
    """Create a folder; a taken name is refused with DISK_OBJ_22000."""
    return Query(
        Command("disk.folder.addsubfolder", {"id": parent_id, "data": {"NAME": name}}),
        lambda result: id_of(mapping_of(result, "disk.folder.addsubfolder"), "ID", "disk.folder.addsubfolder"),
    )


def upload_file(folder_id: int, name: str, content: str) -> Query[int]:
    """Store a file (`content` in base64); answers the disk object's id. A taken name: DISK_OBJ_22000.

    A misspelt parameter would be answered with an `uploadUrl` and no file, so the id is insisted on.
    """
    params = {"id": folder_id, "data": {"NAME": name}, "fileContent": [name, content]}
    return Query(
        Command("disk.folder.uploadfile", params),
        lambda result: id_of(mapping_of(result, "disk.folder.uploadfile"), "ID", "disk.folder.uploadfile"),
    )
