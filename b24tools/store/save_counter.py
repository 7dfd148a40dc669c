"""How often something was saved that others know of, in the database and in a file beside it: fewer mean a restore.

That is what was written to the portal for orders, put into an outbox, or said in a message.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path

from b24tools.core import data_folder, errors
from b24tools.core.database_url import Location
from b24tools.store.database import LARGEST, Database, Error, open_read_only

_SAVES = "ledger_saves"  # among the counters
DIGITS = 20  # always as many bytes, so that a cut leaves the number before or this one


class SaveCounter:
    """The two counts. `path`: the file; without it a restored database is harder to notice."""

    def __init__(self, db: Database, path: Path | None) -> None:
        self._db = db
        self._path = path

    def add(self) -> None:
        """Count a save. Call it inside its transaction."""
        count = self.read() + 1
        self.set(count)
        self._db.after_commit(lambda: self.write_beside(count))

    def set(self, count: int) -> None:
        """Go on from this count in the database. It never goes back: a later restore is to be noticed, too."""
        self._db.insert("counters", [{"name": _SAVES, "value": min(count, LARGEST)}], key=["name"])

    def read(self) -> int:
        """Return the number of saves that the database knows of."""
        rows = self._db.query("SELECT value FROM counters WHERE name = ?", [_SAVES])
        return int(rows[0]["value"]) if rows else 0

    def read_beside(self) -> int:
        """Return the number of saves in the file beside the database; 0 without it."""
        return _read(self._path) if self._path is not None else 0

    def read_any_beside(self) -> int:
        """Return the most saves in any such file of the folder: of a file and a server, one was moved to the other."""
        return max(map(_read, self._path.parent.glob("*.saves")), default=0) if self._path is not None else 0

    def write_beside(self, count: int) -> None:
        """Write the number of saves to the file."""
        if self._path is None or self._db.is_read_only:
            return
        with suppress(OSError):
            data_folder.write_in_place(self._path, str(count).encode().rjust(DIGITS))


def _read(path: Path) -> int:
    with suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii"))
    return 0


def count_saves(path: Location) -> int:
    """Return the number of saves that a database knows of; 0 where there is none that can be read."""
    with suppress(errors.B24ToolsError, Error, OSError), closing(open_read_only(path)) as db:
        return SaveCounter(db, None).read()
    return 0
