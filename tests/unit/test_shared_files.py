"""calendar.json and people.json on several machines with one database: what holds of several changes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from b24tools.store import open_store
from b24tools.store.database import Database
from b24tools.store.shared_files import share


class Machines:
    """Data folders beside one database; a file is written at a minute of the same hour."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db = db
        self.folders = {name: folder / name for name in ("one", "two")}
        for path in self.folders.values():
            path.mkdir()

    def write(self, name: str, text: str, minute: int) -> None:
        path = self.folders[name] / "calendar.json"
        path.write_text(text, encoding="utf-8")
        os.utime(path, (1_790_000_000 + 60 * minute,) * 2)

    def delete(self, name: str) -> None:
        (self.folders[name] / "calendar.json").unlink()

    def share(self, *names: str) -> list[str | None]:
        """Each of these machines opens the database; what both have then."""
        for name in names:
            share(self.db, self.folders[name])
        paths = [path / "calendar.json" for path in self.folders.values()]
        return [path.read_text(encoding="utf-8") if path.exists() else None for path in paths]


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with closing(open_store(None)) as opened:
        yield Machines(opened.database, tmp_path)


def test_a_change_goes_to_all(machines: Machines) -> None:
    """From whichever it comes, also an older file that was put back; a machine that is new gets it."""
    machines.write("one", "a", 5)
    assert ["a", "a"] == machines.share("one", "two")
    machines.write("two", "b", 6)
    assert ["b", "b"] == machines.share("one", "two", "one")
    machines.write("one", "a", 1)
    assert ["a", "a"] == machines.share("one", "two")


def test_a_file_that_is_deleted_is_deleted_everywhere(machines: Machines) -> None:
    """And stays so, until one is written again."""
    machines.write("one", "a", 0)
    machines.share("one", "two")
    machines.delete("two")
    assert [None, None] == machines.share("two", "one", "two")
    machines.write("one", "a", 0)
    assert ["a", "a"] == machines.share("two", "one", "two")


def test_of_two_changes_the_later_one_holds(machines: Machines) -> None:
    """Whichever machine comes first; and a change before a deletion."""
    for first, second in (("one", "two"), ("two", "one")):
        machines.write("one", "a", 0)
        machines.share("one", "two")
        machines.write("one", "early", 1)
        machines.write("two", "late", 2)
        assert ["late", "late"] == machines.share(first, second, first)
        machines.write("one", "changed", 3)
        machines.delete("two")
        assert ["changed", "changed"] == machines.share(first, second, first)


def test_a_folder_that_was_never_shared_loses_nothing(machines: Machines) -> None:
    """The database says that the file was deleted; where the folder has an older one than the database, that holds."""
    machines.write("one", "a", 0)
    machines.share("one")
    machines.delete("one")
    machines.share("one")
    machines.write("two", "b", 0)
    assert ["b", "b"] == machines.share("two", "one")
    (machines.folders["two"] / "shared.json").unlink()
    machines.write("two", "c", -5)
    assert ["b", "b"] == machines.share("two")


def test_a_database_that_was_put_back_takes_the_files(machines: Machines) -> None:
    """Of a backup made before it was shared: nothing is deleted for it."""
    machines.write("one", "a", 0)
    machines.share("one", "two")
    machines.db.execute("DELETE FROM noticed")
    assert ["a", "a"] == machines.share("two", "one")
    assert [("file: calendar.json", "a")] == [
        tuple(row) for row in machines.db.query("SELECT what, value FROM noticed")
    ]


def test_who_only_reads_gets_what_is_newer_and_changes_nothing_there(machines: Machines) -> None:
    machines.write("one", "a", 0)
    machines.share("one", "two")
    machines.write("two", "b", 1)
    machines.share("two")
    machines.db.is_read_only = True
    assert ["b", "b"] == machines.share("one")
    machines.write("one", "c", 2)
    assert ["c", "b"] == machines.share("one", "two")
    machines.db.is_read_only = False
    assert ["c", "c"] == machines.share("one", "two")


def test_a_file_that_cannot_be_read_is_left_alone(machines: Machines) -> None:
    """Empty: it may be about to be written. Not UTF-8: whoever needs it says so."""
    machines.write("one", "a", 0)
    machines.share("one", "two")
    machines.write("one", "", 1)
    (machines.folders["two"] / "calendar.json").write_bytes(b"\xff")
    for folder in machines.folders.values():
        share(machines.db, folder)
    contents = [(folder / "calendar.json").read_bytes() for folder in machines.folders.values()]
    assert [b"", b"\xff"] == contents
