"""The user's JSON files, the same on all machines that share a database: a copy of each is in every data folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from b24tools.core import clock
from b24tools.core.data_folder import OWN_FILES, SHARED, write_whole
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database, Row

_FILE = "file: "  # before the name, in the table noticed; the value of one that was deleted is empty

_log = logging.getLogger("b24tools")


def share(db: Database, folder: Path) -> None:
    """Bring the files of this folder and those of the database to one state; of a store for reading, only the folder.

    What was changed or deleted since both were the same holds; of two changes the later one, and a change before a
    deletion. A folder that was never shared deletes nothing. Raises OSError where a file cannot be written.
    """
    common = _read_common(folder)  # before the files, and those before the rows: what others do meanwhile is a change
    texts = {name: _read(folder / name) for name in OWN_FILES}
    noticed = db.query(
        "SELECT what, value, noticed_at FROM noticed WHERE what IN (?, ?)",
        [_FILE + name for name in OWN_FILES],
    )
    rows = {row["what"].removeprefix(_FILE): row for row in noticed}
    after = dict(common)
    for name, text in texts.items():
        if text == "":
            continue  # it cannot be read, or is just being written: whoever needs it says what is wrong with it
        row, path = rows.get(name), folder / name
        theirs = row["value"] or None if row else None
        if text != theirs and _is_ours_newer(path, text, row, common.get(name)):
            if db.is_read_only or not _save(db, name, row, text, path):
                continue
        elif text != theirs:
            _put(path, theirs, row)
            text = theirs
        if row or text:
            after[name] = _digest(text)
    if after != common:
        with write_whole(folder / SHARED) as file:
            file.write(json.dumps(after).encode())


def _is_ours_newer(path: Path, text: str | None, row: Row | None, common: str | None) -> bool:
    if row is None:
        return True
    if common is None and (text is None or not row["value"]):
        return text is not None
    is_ours_changed, are_theirs_changed = common != _digest(text), common != _digest(row["value"])
    if not (is_ours_changed and are_theirs_changed):
        return is_ours_changed
    _log.warning("%s was changed on two machines: the later change holds", path)
    return text is not None and (not row["value"] or _changed_at(path) > from_text(row["noticed_at"]))


def _save(db: Database, name: str, row: Row | None, text: str | None, path: Path) -> bool:
    """Save ours, unless another machine has just saved its own; whether it was saved."""
    at = clock.read_clock() if text is None else _changed_at(path)
    with db.transaction():
        known = db.query("SELECT value FROM noticed WHERE what = ?", [_FILE + name])
        if [old["value"] for old in known] != ([row["value"]] if row else []):
            return False
        db.insert("noticed", [{"what": _FILE + name, "value": text or "", "noticed_at": to_text(at)}], key=["what"])
    return True


def _put(path: Path, text: str | None, row: Row | None) -> None:
    if text is None or row is None:
        path.unlink(missing_ok=True)
        return
    with write_whole(path) as file:
        file.write(text.encode())
    at = from_text(row["noticed_at"]).timestamp()
    os.utime(path, (at, at))


def _read(path: Path) -> str | None:
    """Return the text, None where there is no file, nothing of one that cannot be read."""
    try:
        return path.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError):
        return ""


def _read_common(folder: Path) -> dict[str, str]:
    try:
        common = json.loads((folder / SHARED).read_bytes())
    except (OSError, ValueError):
        return {}
    return {name: common[name] for name in OWN_FILES if isinstance(common, dict) and isinstance(common.get(name), str)}


def _changed_at(path: Path) -> datetime:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC)


def _digest(text: str | None) -> str:
    return hashlib.sha256(text.encode()).hexdigest() if text else ""
