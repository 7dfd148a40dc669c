"""The user's JSON files, the same on all machines that share a database: a copy of each is in every data folder."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from b24tools.core import data_folder
from b24tools.core.timestamps import from_text, to_text
from b24tools.store.database import Database

NAMES = ("calendar.json", "people.json")
_FILE = "file: "  # before the name, in the table noticed


def share(db: Database, folder: Path) -> None:
    """Bring the files of this folder and those of the database to the later state of each.

    One that is deleted comes back: an empty object, `{}`, says the same. Raises OSError where one cannot be written.
    """
    rows = db.query("SELECT what, value, noticed_at FROM noticed WHERE what IN (?, ?)", [_FILE + one for one in NAMES])
    saved = {row["what"].removeprefix(_FILE): (row["value"], from_text(row["noticed_at"])) for row in rows}
    for name in NAMES:
        path = folder / name
        try:
            changed_at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
            text = path.read_bytes().decode()
        except (FileNotFoundError, NotADirectoryError):
            text, changed_at = None, datetime.min.replace(tzinfo=UTC)
        except (OSError, UnicodeDecodeError):
            continue  # whoever needs it says what is wrong with it
        known, known_at = saved.get(name, (None, datetime.min.replace(tzinfo=UTC)))
        if text is not None and text != known and changed_at > known_at:
            row = {"what": _FILE + name, "value": text, "noticed_at": to_text(changed_at)}
            with db.transaction():
                db.insert("noticed", [row], key=["what"])
        elif known is not None and text != known:
            new = path.with_suffix(".new.json")
            data_folder.touch(new)
            new.write_bytes(known.encode())
            os.utime(new, (known_at.timestamp(), known_at.timestamp()))
            new.replace(path)
