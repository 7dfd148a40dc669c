"""Damage is found, of a large file at once only in what changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from b24tools.store import inspection, open_store


@pytest.mark.sqlite
@pytest.mark.parametrize(("table", "is_settled"), [("orders", False), ("closed_tasks", True)])
def test_of_a_large_file_what_is_settled_is_read_on_request(
    table: str, is_settled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a small one all is always read."""
    path = tmp_path / "b24tools.db"
    open_store(path).close()
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT rootpage, page_size FROM sqlite_master, pragma_page_size WHERE name = ?"
        page, size = connection.execute(sql, [table]).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)

    assert inspection.look(path, reads_all=False).damage

    monkeypatch.setattr(inspection, "SMALL", 0)
    assert is_settled == (inspection.look(path, reads_all=False).damage == ())
    assert is_settled == inspection.look(path, reads_all=False).is_partly_read
    assert inspection.look(path).damage
