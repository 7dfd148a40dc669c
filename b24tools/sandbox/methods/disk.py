"""Drives, folders, files and their ties to tasks.

Ids are never to be mixed: a disk object, the file behind it (FILE_ID) and an attachment each count on their own.
Not emulated: rights per object, versions, the recycle bin, `generateUniqueName`, downloads (DOWNLOAD_URL leads
nowhere), and the second step of an upload (`uploadUrl` leads nowhere either).
"""

from __future__ import annotations

import base64
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox import filters, php
from b24tools.sandbox.methods import Answer, Call, RestError, method, page
from b24tools.sandbox.records import Attachment, DiskObject, Storage, User

if TYPE_CHECKING:
    from b24tools.sandbox.state import Portal

FORBIDDEN: Final = frozenset('\\/:*?"<>|')
STORAGE_COLUMNS: Final = filters.columns("ID NAME ENTITY_TYPE ENTITY_ID ROOT_OBJECT_ID=root")
OBJECT_COLUMNS: Final = filters.columns("ID NAME TYPE CREATE_TIME=created_at")


class Disk:
    """The portal's files."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self.storages: dict[int, Storage] = {}
        self.objects: dict[int, DiskObject] = {}
        self.attachments: dict[int, Attachment] = {}
        self._object_ids, self._file_ids, self._attachment_ids = count(8001), count(32001), count(1001)

    def add_storage(self, entity_type: str, name: str, entity_id: str) -> Storage:
        """Make a drive with its root folder."""
        number = 11 + 2 * len(self.storages)
        root = self._new_object(name, number, 0, 1, None)
        self.storages[number] = Storage(number, name, entity_type, entity_id, root.id)
        return self.storages[number]

    def _new_object(self, name: str, storage: int, parent: int, user: int, content: bytes | None) -> DiskObject:
        row = DiskObject(next(self._object_ids), name, storage, parent, user, self._portal.stamp, content)
        row.file_id = 0 if content is None else next(self._file_ids)
        self.objects[row.id] = row
        return row

    def put(self, parent: int, name: str, user: int, content: bytes | None) -> DiskObject:
        """Make a folder (no content) or a file. Of two equal names, by the collation, the second is refused."""
        if any(char in FORBIDDEN for char in name) or not name.strip():
            raise RestError("ERROR_CORE", "Недопустимое имя")  # which code the portal gives here is not known
        if php.fold(name) in {php.fold(row.name) for row in self.children(parent)}:
            kind = "Папка" if content is None else "Файл"
            raise RestError("DISK_OBJ_22000", f"{kind} с таким именем уже существует (DISK_OBJ_22000).")
        return self._new_object(name, self.objects[parent].storage, parent, user, content)

    def find_free_name(self, parent: int, name: str) -> str:
        """Return the name, with a number before its ending while the folder has it: `plan (1).pdf`."""
        taken = {php.fold(row.name) for row in self.children(parent)}
        stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
        numbered = (f"{stem} ({number}){dot}{ending}" for number in count(1))
        return next(candidate for candidate in chain([name], numbered) if php.fold(candidate) not in taken)

    def children(self, parent: int) -> list[DiskObject]:
        return [row for row in self.objects.values() if row.parent == parent]

    def is_readable(self, user: User, object_id: int) -> bool:
        """Tell whether it is a file in a drive open to the user."""
        row = self.objects.get(object_id)
        return row is not None and row.content is not None and self.is_open(user, row.storage)

    def is_open(self, user: User, storage_id: int) -> bool:
        """Tell whether the user may read and add in a drive: those of others are closed to all but administrators."""
        storage = self.storages[storage_id]
        is_own = (storage.entity_type, storage.entity_id) == ("user", str(user.id))
        return user.admin or storage.entity_type == "common" or is_own

    def attach(self, object_id: int, task: int, user: int) -> int:
        """Tie a file to a task. Returns the attachment's id."""
        number = next(self._attachment_ids)
        self.attachments[number] = Attachment(number, object_id, task, user, self._portal.stamp)
        return number


def _find(call: Call, rows: dict[int, Any]) -> Any:
    """Find a row by `id`, which is bound by its exact name."""
    number = call.params.get("id")
    if number is None:
        raise RestError("ERROR_ARGUMENT", "Invalid value of parameter {Parameter #0}", argument="Parameter #0")
    row = rows.get(php.to_int(number))
    if row is None:
        raise RestError("ERROR_NOT_FOUND", f"Could not find entity with id `{php.to_text(number)}`.")
    return row


def _find_folder(call: Call) -> DiskObject:
    objects = call.portal.disk.objects
    row: DiskObject = _find(call, {number: folder for number, folder in objects.items() if folder.content is None})
    if not call.portal.disk.is_open(call.user, row.storage):
        raise RestError("ACCESS_DENIED", "Access denied", 403)
    return row


def _page(call: Call, rows: list[Any], columns: dict[str, filters.Column], show: Any) -> Answer:
    """Give a page of what the filter finds; a name without a sign is a mask, its `_` and `%` are wildcards."""
    conditions = filters.read_conditions(php.upper_keys(call.params.get("filter")), columns, like_texts=True)
    rows = filters.sort(filters.select(rows, conditions), call.params.get("order"), columns)
    return page(rows, call.start, show, floored=False)


@method("disk.storage.getlist", "disk")
def list_storages(call: Call) -> Answer:
    """Give a page of drives the owner may read; every value is a string."""

    def show(row: Storage) -> dict[str, Any]:
        values = {name: str(column(row)) for name, column in STORAGE_COLUMNS.items()}
        return values | {"CODE": None, "MODULE_ID": "disk"}

    disk = call.portal.disk
    return _page(
        call, [row for row in disk.storages.values() if disk.is_open(call.user, row.id)], STORAGE_COLUMNS, show
    )


@method("disk.folder.getchildren", "disk")
def list_children(call: Call) -> Answer:
    """Give a page of what lies in a folder; lists give strings where the single answers give some integers."""

    def show(row: DiskObject) -> dict[str, Any]:
        values = _object_row(call, row)
        return {name: str(value) if isinstance(value, int) else value for name, value in values.items()}

    return _page(call, call.portal.disk.children(_find_folder(call).id), OBJECT_COLUMNS, show)


def _object_row(call: Call, row: DiskObject) -> dict[str, Any]:
    """Show an object as the creating methods answer: ids of objects are integers, those of others strings."""
    at, user = call.write_date(row.created_at), str(row.created_by)
    values: dict[str, Any] = {"ID": row.id, "NAME": row.name, "CODE": None, "STORAGE_ID": str(row.storage)}
    values["TYPE"] = row.type
    if row.content is None:
        values["REAL_OBJECT_ID"] = row.id
    else:
        values |= {"GLOBAL_CONTENT_VERSION": 1, "FILE_ID": row.file_id, "SIZE": str(len(row.content))}
        values["DOWNLOAD_URL"] = f"{call.base_url}/rest/download.json?token=disk%7C{row.id}"
    values |= {"PARENT_ID": str(row.parent), "DELETED_TYPE": 0, "CREATE_TIME": at, "UPDATE_TIME": at}
    values |= {"DELETE_TIME": None, "CREATED_BY": user, "UPDATED_BY": user, "DELETED_BY": None}
    return values | {"DETAIL_URL": f"{call.base_url}/docs/path/{row.name}"}


def _put(call: Call, folder: DiskObject, content: bytes | None, *, renames: bool = False) -> dict[str, Any]:
    data = call.params.get("data")
    name = php.to_text(data.get("NAME")) if isinstance(data, dict) else ""
    if not name:
        raise RestError("DISK_BASE_SERVICE_22001", "Error: required parameter NAME (DISK_BASE_SERVICE_22001).")
    if renames:
        name = call.portal.disk.find_free_name(folder.id, name)
    return _object_row(call, call.portal.disk.put(folder.id, name, call.user.id, content))


@method("disk.folder.addsubfolder", "disk", writes=True)
def add_folder(call: Call) -> dict[str, Any]:
    return _put(call, _find_folder(call), None)


@method("disk.folder.uploadfile", "disk", writes=True)
def upload(call: Call) -> dict[str, Any]:
    """Store a file. Without `fileContent` (a typo will do) the answer is an address for a second step."""
    folder = _find_folder(call)
    if not call.params.get("fileContent"):
        address = f"{call.base_url}/rest/{call.portal.owner_id}/{call.portal.secret}/upload/"
        return {"field": "file", "uploadUrl": f"{address}?token=disk|{folder.id}|upload"}
    content = php.to_text(php.values(call.params["fileContent"])[-1])
    try:
        data = base64.b64decode("".join(content.split()), validate=True)
    except ValueError as error:
        raise RestError("ERROR_COULD_NOT_SAVE_FILE", "Could not save file.") from error
    return _put(call, folder, data, renames=php.is_true(call.params.get("generateUniqueName")))


@method("disk.attachedObject.get", "disk")
def get_attached(call: Call) -> dict[str, Any]:
    """Describe the tie between a file and a task, by the attachment's id."""
    tie = _find(call, call.portal.disk.attachments)
    row = call.portal.disk.objects[tie.object_id]
    url = f"{call.base_url}/bitrix/tools/disk/uf.php?attachedId={tie.id}&action=download&ncc=1"
    values: dict[str, Any] = {"ID": str(tie.id), "OBJECT_ID": str(tie.object_id), "CREATED_BY": str(tie.created_by)}
    values |= {"MODULE_ID": "tasks", "ENTITY_TYPE": "tasks_task", "ENTITY_ID": str(tie.task)}
    values |= {"CREATE_TIME": call.write_date(tie.created_at), "DOWNLOAD_URL": url}
    return values | {"NAME": row.name, "SIZE": str(len(row.content or b""))}
