"""The sandbox's disk: strings here, integers there, names that clash."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from b24tools.sandbox.state import Portal
from tests.sandbox.client import Asker, Clock


@pytest.fixture
def ask() -> Asker:
    """A common drive with one folder, and a private one of somebody else."""
    portal = Portal(Clock())
    portal.add_user("Иван", "Петров", departments=[1])
    common = portal.add_storage("common", "Общий диск", "shared_files_s1")
    portal.add_folder(common.root, "Прайсы")
    portal.add_storage("user", "Иван Петров", "2")
    return Asker(portal)


CONTENT = ["x.txt", base64.encodebytes(b"hello " * 20).decode()]
AT = "2026-11-18T12:00:00+03:00"
FOLDER, COMMON_ROOT, PRIVATE_ROOT = 8002, 8001, 8003


def without_urls(row: dict[str, Any]) -> dict[str, Any]:
    """Addresses carry the host of the request."""
    return {name: value for name, value in row.items() if not name.endswith("_URL")}


def test_storages_are_listed_as_strings(ask: Asker) -> None:
    """ROOT_OBJECT_ID is where uploads into the root go."""
    body = ask.body("disk.storage.getlist", filter={"ENTITY_TYPE": "common"})
    assert (body["total"], body["result"]) == (
        1,
        [{"ID": "11", "NAME": "Общий диск", "CODE": None, "MODULE_ID": "disk", "ENTITY_TYPE": "common",
          "ENTITY_ID": "shared_files_s1", "ROOT_OBJECT_ID": "8001"}],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"NAME": "a_b.txt"}, ["a_b.txt", "axb.txt"]),
        ({"name": "A_B.TXT"}, ["a_b.txt", "axb.txt"]),
        ({"NAME": "a%"}, ["a_b.txt", "axb.txt", "a100%.txt"]),
        ({"NAME": ["a_b.txt", "a100%.txt"]}, ["a_b.txt", "axb.txt", "a100%.txt"]),
        ({"=NAME": "a_b.txt"}, ["a_b.txt"]),
        ({"=NAME": "A_B.txt"}, ["a_b.txt"]),
        ({"=NAME": "a%"}, []),
        ({"=NAME": ["a_b.txt", "a100%.txt"]}, ["a_b.txt", "a100%.txt"]),
        ({"NAME": "2026"}, ["2026"]),
        ({"NAME": "2026_"}, []),
        ({"NAME": "a"}, []),
    ],
)
def test_name_without_a_sign_is_a_mask(ask: Asker, conditions: dict[str, Any], expected: list[str]) -> None:
    """With `_` for any character and `%` for any number of them; `=NAME` takes a name as it stands."""
    for name in ("a_b.txt", "axb.txt", "a100%.txt", "2026"):
        ask.portal.add_file(FOLDER, name, b"x")
    rows = ask.result("disk.folder.getchildren", id=FOLDER, filter=conditions, order={"ID": "ASC"})
    assert expected == [row["NAME"] for row in rows]


def test_new_folder_has_integers_a_listed_one_strings(ask: Asker) -> None:
    """The same folder in two shapes."""
    new = ask.result("disk.folder.addsubfolder", id=COMMON_ROOT, data={"NAME": "Прикрепленные файлы"})
    shape = {
        "ID": 8004, "NAME": "Прикрепленные файлы", "CODE": None, "STORAGE_ID": "11", "TYPE": "folder",
        "REAL_OBJECT_ID": 8004, "PARENT_ID": "8001", "DELETED_TYPE": 0, "CREATE_TIME": AT, "UPDATE_TIME": AT,
        "DELETE_TIME": None, "CREATED_BY": "1", "UPDATED_BY": "1", "DELETED_BY": None,
    }  # fmt: skip
    assert without_urls(new) == shape
    listed = ask.result(
        "disk.folder.getchildren", id=COMMON_ROOT, filter={"name": "прикреплЁнные файлы", "TYPE": "folder"}
    )
    strings = shape | {"ID": "8004", "REAL_OBJECT_ID": "8004", "DELETED_TYPE": "0"}
    assert [without_urls(row) for row in listed] == [strings]


def test_uploaded_file_mixes_integers_and_strings(ask: Asker) -> None:
    """ID is the object, FILE_ID something else; the name is that in data."""
    row = ask.result("disk.folder.uploadfile", id=FOLDER, data={"NAME": "план.txt"}, fileContent=CONTENT)
    shape = {
        "ID": 8004, "NAME": "план.txt", "CODE": None, "STORAGE_ID": "11", "TYPE": "file", "PARENT_ID": "8002",
        "DELETED_TYPE": 0, "GLOBAL_CONTENT_VERSION": 1, "FILE_ID": 32001, "SIZE": "120", "CREATE_TIME": AT,
        "UPDATE_TIME": AT, "DELETE_TIME": None, "CREATED_BY": "1", "UPDATED_BY": "1", "DELETED_BY": None,
    }  # fmt: skip
    assert without_urls(row) == shape
    assert ask.portal.disk.objects[8004].content == b"hello " * 20
    strings = {"ID": "8004", "DELETED_TYPE": "0", "GLOBAL_CONTENT_VERSION": "1", "FILE_ID": "32001"}
    assert without_urls(ask.result("disk.folder.getchildren", id=FOLDER)[0]) == shape | strings


def test_a_unique_name_is_made_only_where_it_is_asked_for(ask: Asker) -> None:
    """Without `generateUniqueName` a second file of one name is refused."""
    for name in ("plan.txt", "readme"):
        names = [
            ask.result(
                "disk.folder.uploadfile", id=FOLDER, data={"NAME": name}, fileContent="aGk=", generateUniqueName=True
            )["NAME"]
            for _number in range(3)
        ]
        stem, dot, ending = name.partition(".")
        assert [name, f"{stem} (1){dot}{ending}", f"{stem} (2){dot}{ending}"] == names
    again = {"id": FOLDER, "data": {"NAME": "plan.txt"}, "fileContent": "aGk=", "generateUniqueName": "0"}
    assert ask.error("disk.folder.uploadfile", **again)[:2] == (400, "DISK_OBJ_22000")


def test_bare_base64_is_a_file_too(ask: Asker) -> None:
    """Without the pair."""
    row = ask.result("disk.folder.uploadfile", id=FOLDER, data={"NAME": "a.txt"}, fileContent="aGk=")
    assert ask.portal.disk.objects[row["ID"]].content == b"hi"


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("disk.folder.uploadfile", {"data": {"NAME": "a"}, "fileContent": "aGk="}, "ERROR_ARGUMENT"),
        ("disk.folder.uploadfile", {"ID": FOLDER, "data": {"NAME": "a"}, "fileContent": "aGk="}, "ERROR_ARGUMENT"),
        ("disk.folder.uploadfile", {"id": 77, "data": {"NAME": "a"}, "fileContent": "aGk="}, "ERROR_NOT_FOUND"),
        ("disk.folder.uploadfile", {"id": FOLDER, "fileContent": "aGk="}, "DISK_BASE_SERVICE_22001"),
        (
            "disk.folder.uploadfile",
            {"id": FOLDER, "data": {"name": "a"}, "fileContent": "aGk="},
            "DISK_BASE_SERVICE_22001",
        ),
        (
            "disk.folder.uploadfile",
            {"id": FOLDER, "data": {"NAME": "a"}, "fileContent": "не база"},
            "ERROR_COULD_NOT_SAVE_FILE",
        ),
        ("disk.folder.addsubfolder", {"id": COMMON_ROOT, "data": {"NAME": "ПРАЙСЫ"}}, "DISK_OBJ_22000"),
        ("disk.folder.addsubfolder", {"id": COMMON_ROOT}, "DISK_BASE_SERVICE_22001"),
        ("disk.folder.addsubfolder", {"id": COMMON_ROOT, "data": {"NAME": "a/b"}}, "ERROR_CORE"),
        ("disk.attachedObject.get", {"id": 1}, "ERROR_NOT_FOUND"),
    ],
)
def test_bad_calls_are_refused(ask: Asker, method: str, params: dict[str, Any], code: str) -> None:
    """Names of parameters are exact."""
    assert ask.error(method, **params)[:2] == (400, code)


def test_misspelt_content_turns_an_upload_into_its_first_step(ask: Asker) -> None:
    """An address instead of a file; nothing is stored."""
    answer = ask.result("disk.folder.uploadfile", id=FOLDER, data={"NAME": "a.txt"}, filecontent="aGk=")
    assert (list(answer), ask.portal.disk.children(FOLDER)) == (["field", "uploadUrl"], [])


def test_same_name_is_refused(ask: Asker) -> None:
    """By the collation: case does not help."""
    upload = {"id": FOLDER, "fileContent": "aGk="}
    ask.result("disk.folder.uploadfile", **upload, data={"NAME": "план.v1.txt"})
    error = ask.error("disk.folder.uploadfile", **upload, data={"NAME": "План.v1.txt"})
    assert error == (400, "DISK_OBJ_22000", "Файл с таким именем уже существует (DISK_OBJ_22000).")


def test_children_are_paged_by_a_true_offset_even_for_minus_one(ask: Asker) -> None:
    """-1 counts as 0 here."""
    for number in range(60):
        ask.portal.add_folder(FOLDER, f"Папка {number:02}")
    pages = [
        ask.body("disk.folder.getchildren", id=FOLDER, order={"NAME": "ASC"}, start=start) for start in (-1, 55, 70)
    ]
    assert [(len(page["result"]), page.get("next"), page["total"]) for page in pages] == [
        (50, 50, 60),
        (5, None, 60),
        (0, None, 60),
    ]
    assert pages[1]["result"][0]["NAME"] == "Папка 55"


def test_private_drive_is_closed_to_others(ask: Asker) -> None:
    """An owner without rights sees the common drive and his own."""
    ask.portal.add_user("Анна", "Чужая", departments=[1])
    ask.portal.owner_id = 3
    assert ask.error("disk.folder.getchildren", id=PRIVATE_ROOT) == (403, "ACCESS_DENIED", "Access denied")
    assert [row["ID"] for row in ask.result("disk.storage.getlist")] == ["11"]
