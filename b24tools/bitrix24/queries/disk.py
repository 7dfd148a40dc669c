"""The common storage, folders and files."""

from __future__ import annotations

from typing import Any

from b24tools.bitrix24.batch import Query
from b24tools.bitrix24.parsing import id_of, mapping_of, rows_of


def attached_file(attachment_id: int) -> Query[tuple[int, str]]:
    """The disk object behind an attachment, and its name."""
    return Query(
        "disk.attachedObject.get",
        {"id": attachment_id},
        lambda result: (id_of(mapping_of(result), "OBJECT_ID"), str(result.get("NAME") or "")),
    )


def common_storage() -> Query[tuple[int, int] | None]:
    """The common storage as (storage id, id of its root folder)."""
    return Query(
        "disk.storage.getlist",
        {"filter": {"ENTITY_TYPE": "common"}},
        lambda result: next(((id_of(row, "ID"), id_of(row, "ROOT_OBJECT_ID")) for row in rows_of(result)), None),
    )


def children(folder_id: Any, name: str, *, part: str = "") -> Query[list[tuple[int, str, str]]]:
    """What a folder holds under this name, as (object id, name, "file" or "folder"); with `part` what has it there."""
    return Query(
        "disk.folder.getchildren",
        {"id": folder_id, "filter": {"%NAME": part} if part else {"=NAME": name}},
        lambda result: [(id_of(row, "ID"), str(row.get("NAME")), str(row.get("TYPE"))) for row in rows_of(result)],
    )


def folders_in(folder_id: Any) -> Query[list[tuple[int, str]]]:
    """The first folders in a folder, as (id, name), to choose from."""

    def read(result: Any) -> list[tuple[int, str]]:
        rows = rows_of(result)
        return [(id_of(row, "ID"), str(row.get("NAME") or "")) for row in rows if row.get("TYPE") == "folder"]

    return Query("disk.folder.getchildren", {"id": folder_id}, read)


def add_folder(parent_id: int, name: str) -> Query[int]:
    """Create a folder; a taken name is refused with DISK_OBJ_22000."""
    params = {"id": parent_id, "data": {"NAME": name}}
    return Query("disk.folder.addsubfolder", params, lambda result: id_of(mapping_of(result), "ID"))


def upload_file(folder_id: int, name: str, content: str) -> Query[int]:
    """Store a file (`content` in base64); answers the disk object's id. A taken name: DISK_OBJ_22000.

    A misspelt parameter would be answered with an `uploadUrl` and no file, so the id is insisted on.
    """
    params = {"id": folder_id, "data": {"NAME": name}, "fileContent": [name, content]}
    return Query("disk.folder.uploadfile", params, lambda result: id_of(mapping_of(result), "ID"))
