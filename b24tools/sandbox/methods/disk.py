"""Drives, folders, files and their ties to tasks.

Ids are never to be mixed: a disk object, the file behind it (FILE_ID) and an attachment each count on their own.
Not emulated: rights per object, versions, the recycle bin, and downloads (DOWNLOAD_URL leads nowhere).
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from b24tools.sandbox import ormfilter, php
from b24tools.sandbox.records import Attachment, DiskObject, Storage, User
from b24tools.sandbox.rest import Answer, Call, Method, RestError, offset_page

if TYPE_CHECKING:
    from b24tools.sandbox.company import Company

FIRST_OBJECT, FIRST_FILE, FIRST_ATTACHMENT = 8001, 32001, 1001
FORBIDDEN: Final = frozenset('\\/:*?"<>|')
STORAGE_COLUMNS: Final[dict[str, ormfilter.Column]] = {
    "ID": lambda row: row.id,
    "NAME": lambda row: row.name,
    "ENTITY_TYPE": lambda row: row.entity_type,
    "ENTITY_ID": lambda row: row.entity_id,
    "ROOT_OBJECT_ID": lambda row: row.root,
}
OBJECT_COLUMNS: Final[dict[str, ormfilter.Column]] = {
    "ID": lambda row: row.id,
    "NAME": lambda row: row.name,
    "TYPE": lambda row: "folder" if row.content is None else "file",
    "STORAGE_ID": lambda row: row.storage,
    "PARENT_ID": lambda row: row.parent,
    "CREATED_BY": lambda row: row.created_by,
    "CREATE_TIME": lambda row: row.created_at,
    "SIZE": lambda row: len(row.content or b""),
}


def not_found(number: Any) -> RestError:
    """What every disk method says of a wrong id."""
    return RestError("ERROR_NOT_FOUND", f"Could not find entity with id `{php.to_text(number)}`.")


class Disk:
    """The portal's files."""

    def __init__(self, company: Company) -> None:
        self._company = company
        self.storages: dict[int, Storage] = {}
        self.objects: dict[int, DiskObject] = {}
        self.attachments: dict[int, Attachment] = {}
        self._next_file = FIRST_FILE
        self._uploads: dict[str, tuple[int, bool]] = {}
        self._last_object = FIRST_OBJECT - 1
        self._last_attachment = FIRST_ATTACHMENT - 1

    def add_storage(self, entity_type: str, name: str, entity_id: str) -> Storage:
        """A drive with its root folder."""
        number = 11 + 2 * len(self.storages)
        root = self._new_object(name, storage=number, parent=0, user=1, content=None)
        self.storages[number] = Storage(number, name, entity_type, entity_id, root.id)
        return self.storages[number]

    def _new_object(self, name: str, *, storage: int, parent: int, user: int, content: bytes | None) -> DiskObject:
        self._last_object += 1
        now = int(self._company.now().timestamp())
        row = DiskObject(self._last_object, name, storage, parent, user, now, content)
        if content is not None:
            row.file_id, self._next_file = self._next_file, self._next_file + 1
        self.objects[row.id] = row
        return row

    def put(self, parent: int, name: str, user: int, content: bytes | None, *, unique: bool = False) -> DiskObject:
        """A new folder (no content) or file. Of two equal names the second is refused, or numbered."""
        if any(char in FORBIDDEN for char in name) or not name.strip():
            # which code the portal gives here is not known
            raise RestError("ERROR_CORE", "Недопустимое имя")
        if self.child(parent, name):
            if not unique:
                kind = "Папка" if content is None else "Файл"
                raise RestError("DISK_OBJ_22000", f"{kind} с таким именем уже существует (DISK_OBJ_22000).")
            name = self._free_name(parent, name)
        folder = self.objects[parent]
        return self._new_object(name, storage=folder.storage, parent=parent, user=user, content=content)

    def _free_name(self, parent: int, name: str) -> str:
        stem, dot, extension = name.rpartition(".")
        if not dot:
            stem, extension = name, ""
        number = 1
        while self.child(parent, f"{stem} ({number}){dot}{extension}"):
            number += 1
        return f"{stem} ({number}){dot}{extension}"

    def child(self, parent: int, name: str) -> DiskObject | None:
        """The object of that name in a folder, by the database's collation."""
        wanted = php.fold(name)
        return next((row for row in self.children(parent) if php.fold(row.name) == wanted), None)

    def children(self, parent: int) -> list[DiskObject]:
        """What lies in a folder."""
        return [row for row in self.objects.values() if row.parent == parent]

    def is_readable(self, user: User, object_id: int) -> bool:
        """Whether it is a file the user may read: private drives of others are closed to all but administrators."""
        row = self.objects.get(object_id)
        return row is not None and row.content is not None and self.is_open(user, row.storage)

    def is_open(self, user: User, storage_id: int) -> bool:
        """Whether the user may read and add in a drive."""
        storage = self.storages[storage_id]
        if storage.entity_type == "group":
            group = self._company.groups.get(int(storage.entity_id))
            return user.admin or (group is not None and user.id in group.members)
        return user.admin or storage.entity_type == "common" or storage.entity_id == str(user.id)

    def attach(self, object_id: int, task: int, user: int) -> int:
        """Tie a file to a task. Returns the attachment's id."""
        self._last_attachment += 1
        now = int(self._company.now().timestamp())
        self.attachments[self._last_attachment] = Attachment(self._last_attachment, object_id, task, user, now)
        return self._last_attachment

    def expect_upload(self, folder: int, *, unique: bool) -> str:
        """A token for the second step of an upload."""
        token = f"disk|{base64.b64encode(f'{folder}:{len(self._uploads)}'.encode()).decode()}|upload"
        self._uploads[token] = (folder, unique)
        return token

    def take_upload(self, token: str) -> tuple[int, bool] | None:
        """The folder a token was given for; a token serves once."""
        return self._uploads.pop(token, None)


def _storage(call: Call) -> Storage:
    _require_id(call)
    storage = call.portal.disk.storages.get(php.to_int(call.params["id"]))
    if storage is None:
        raise not_found(call.params["id"])
    _check_open(call, storage.id)
    return storage


def _folder(call: Call) -> DiskObject:
    _require_id(call)
    row = call.portal.disk.objects.get(php.to_int(call.params["id"]))
    if row is None or row.content is not None:
        raise not_found(call.params["id"])
    _check_open(call, row.storage)
    return row


def _require_id(call: Call) -> None:
    if call.params.get("id") is None:
        raise RestError("ERROR_ARGUMENT", "Invalid value of parameter {Parameter #0}", argument="Parameter #0")


def _check_open(call: Call, storage: int) -> None:
    if not call.portal.disk.is_open(call.user, storage):
        raise RestError("ACCESS_DENIED", "Access denied", 403)


def list_storages(call: Call) -> Answer:
    """Drives the owner may read; every value is a string."""
    found = ormfilter.conditions(call.params.get("filter"), STORAGE_COLUMNS, any_case=True, like_texts=True)
    open_to = [row for row in call.portal.disk.storages.values() if call.portal.disk.is_open(call.user, row.id)]
    rows = ormfilter.order_by(ormfilter.select(open_to, found), call.params.get("order"), STORAGE_COLUMNS)
    page = offset_page(rows, call.start)
    return Answer([_storage_row(row) for row in page.result], total=page.total, next=page.next)


def _storage_row(row: Storage) -> dict[str, Any]:
    entity = {"MODULE_ID": "disk", "ENTITY_TYPE": row.entity_type, "ENTITY_ID": row.entity_id}
    return {"ID": str(row.id), "NAME": row.name, "CODE": None, **entity, "ROOT_OBJECT_ID": str(row.root)}


def list_storage_children(call: Call) -> Answer:
    """What lies in the root of a drive."""
    return _children(call, _storage(call).root)


def list_folder_children(call: Call) -> Answer:
    """What lies in a folder."""
    return _children(call, _folder(call).id)


def _children(call: Call, parent: int) -> Answer:
    found = ormfilter.conditions(call.params.get("filter"), OBJECT_COLUMNS, any_case=True, like_texts=True)
    rows = ormfilter.select(call.portal.disk.children(parent), found)
    page = offset_page(ormfilter.order_by(rows, call.params.get("order"), OBJECT_COLUMNS), call.start)
    return Answer([_as_strings(object_row(call, row)) for row in page.result], total=page.total, next=page.next)


def _as_strings(row: dict[str, Any]) -> dict[str, Any]:
    """Lists give strings where the single answers give some integers."""
    return {name: str(value) if isinstance(value, int) else value for name, value in row.items()}


def object_row(call: Call, row: DiskObject) -> dict[str, Any]:
    """An object as the creating methods answer: ids of objects are integers, those of others strings."""
    at = datetime.fromtimestamp(row.created_at, call.portal.server_zone).isoformat()
    values: dict[str, Any] = {"ID": row.id, "NAME": row.name, "CODE": None, "STORAGE_ID": str(row.storage)}
    values["TYPE"] = "folder" if row.content is None else "file"
    if row.content is None:
        values["REAL_OBJECT_ID"] = row.id
    values |= {"PARENT_ID": str(row.parent), "DELETED_TYPE": 0}
    if row.content is not None:
        values |= {"GLOBAL_CONTENT_VERSION": 1, "FILE_ID": row.file_id, "SIZE": str(len(row.content))}
    values |= {"CREATE_TIME": at, "UPDATE_TIME": at, "DELETE_TIME": None}
    values |= {"CREATED_BY": str(row.created_by), "UPDATED_BY": str(row.created_by), "DELETED_BY": None}
    if row.content is not None:
        values["DOWNLOAD_URL"] = f"{call.base_url}/rest/download.json?token=disk%7C{row.id}"
    return values | {"DETAIL_URL": f"{call.base_url}/docs/path/{row.name}"}


def _name_in_data(call: Call) -> str:
    data = call.params.get("data")
    name = php.to_text(data.get("NAME")) if isinstance(data, dict) else ""
    if not name:
        raise RestError("DISK_BASE_SERVICE_22001", "Error: required parameter NAME (DISK_BASE_SERVICE_22001).")
    return name


def add_to_storage(call: Call) -> dict[str, Any]:
    """A folder in the root of a drive."""
    return _add_folder(call, _storage(call).root)


def add_to_folder(call: Call) -> dict[str, Any]:
    """A folder in a folder."""
    return _add_folder(call, _folder(call).id)


def _add_folder(call: Call, parent: int) -> dict[str, Any]:
    if not php.is_array(call.params.get("data")):
        raise RestError("ERROR_ARGUMENT", "Invalid value of parameter {Parameter #1}", argument="Parameter #1")
    return object_row(call, call.portal.disk.put(parent, _name_in_data(call), call.user.id, None))


def upload_to_storage(call: Call) -> dict[str, Any]:
    """A file in the root of a drive: in one step only."""
    storage = _storage(call)
    for position, name in ((1, "fileContent"), (2, "data")):
        if not call.params.get(name):
            argument = f"Parameter #{position}"
            raise RestError("ERROR_ARGUMENT", f"Invalid value of parameter {{{argument}}}", argument=argument)
    return _upload(call, storage.root)


def upload_to_folder(call: Call) -> dict[str, Any]:
    """A file in a folder. Without `fileContent` (a typo will do) the answer is an address for step two."""
    folder = _folder(call)
    if not call.params.get("fileContent"):
        unique = php.is_true(call.params.get("generateUniqueName"))
        token = call.portal.disk.expect_upload(folder.id, unique=unique)
        return {"field": "file", "uploadUrl": f"{call.base_url}{call.path}/upload/?token={token}"}
    return _upload(call, folder.id)


def _upload(call: Call, parent: int) -> dict[str, Any]:
    name = _name_in_data(call)
    content = php.values(call.params["fileContent"])[-1]
    try:
        data = base64.b64decode("".join(php.to_text(content).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RestError("ERROR_COULD_NOT_SAVE_FILE", "Could not save file.") from error
    unique = php.is_true(call.params.get("generateUniqueName"))
    return object_row(call, call.portal.disk.put(parent, name, call.user.id, data, unique=unique))


def get_file(call: Call) -> dict[str, Any]:
    """One file; every value is a string."""
    _require_id(call)
    row = call.portal.disk.objects.get(php.to_int(call.params["id"]))
    if row is None or row.content is None:
        raise not_found(call.params["id"])
    _check_open(call, row.storage)
    return _as_strings(object_row(call, row)) | {"DELETED_BY": "0"}


def get_attached(call: Call) -> dict[str, Any]:
    """The tie between a file and a task, by the attachment's id."""
    _require_id(call)
    tie = call.portal.disk.attachments.get(php.to_int(call.params["id"]))
    if tie is None:
        raise not_found(call.params["id"])
    row = call.portal.disk.objects[tie.object_id]
    return {
        "ID": str(tie.id),
        "OBJECT_ID": str(tie.object_id),
        "MODULE_ID": "tasks",
        "ENTITY_TYPE": "tasks_task",
        "ENTITY_ID": str(tie.task),
        "CREATE_TIME": datetime.fromtimestamp(tie.created_at, call.portal.server_zone).isoformat(),
        "CREATED_BY": str(tie.created_by),
        "DOWNLOAD_URL": f"{call.base_url}/bitrix/tools/disk/uf.php?attachedId={tie.id}&action=download&ncc=1",
        "NAME": row.name,
        "SIZE": str(len(row.content or b"")),
    }


METHODS: Final = (
    Method("disk.storage.getlist", "disk", list_storages),
    Method("disk.storage.getchildren", "disk", list_storage_children),
    Method("disk.storage.addfolder", "disk", add_to_storage, writes=True),
    Method("disk.storage.uploadfile", "disk", upload_to_storage, writes=True),
    Method("disk.folder.getchildren", "disk", list_folder_children),
    Method("disk.folder.addsubfolder", "disk", add_to_folder, writes=True),
    Method("disk.folder.uploadfile", "disk", upload_to_folder, writes=True),
    Method("disk.file.get", "disk", get_file),
    Method("disk.attachedObject.get", "disk", get_attached),
)
