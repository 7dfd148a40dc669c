"""A database under a process that runs for months: whether it still is the one that the process began with."""

from __future__ import annotations

from pathlib import Path

from b24tools.core import errors
from b24tools.core.database_url import Location
from b24tools.core.i18n import _
from b24tools.store.database import Database, check_empty, list_companions


class Watch:
    """Notices that the database's files were replaced or removed, or that an older state was copied into them.

    SQLite does not: a connection goes on with the file that is no longer there, another one mixes the log of the one
    with the pages of the other. On a server a schema may take the place of another. The `database` stays open as long
    as the watch lasts: its log stays, too.
    """

    def __init__(self, path: Location, database: Database) -> None:
        note_change(database)
        self._changes = 0
        self._name, self._schema = path.name, database.identify()
        self._files: list[Path] = []
        if isinstance(path, Path):
            self._files = [path, *list_companions(path)]
        self._identities = [_identify(file) for file in self._files]

    def check(self, database: Database | None = None) -> None:
        """Raise ConfigError unless the files are as they were; with a connection, look for an older state as well."""
        for file, known in zip(self._files, self._identities, strict=True):
            if (identity := _identify(file)) != known:
                message = _("{path} was replaced while `b24tools serve` was running")
                if identity is None:
                    message = _("{path} was removed while `b24tools serve` was running")
                raise _refuse(message.format(path=file.name))
            if file == self._files[0]:  # before SQLite opens it, and deletes the log of an empty one
                check_empty(file, file.name)
        if database is not None:
            if database.identify() != self._schema:
                raise _refuse(_("{path} was replaced while `b24tools serve` was running").format(path=self._name))
            expected = self._changes  # before the query: other threads note changes meanwhile
            rows = database.query("SELECT value FROM counters WHERE name = 'watched'")
            changes = rows[0][0] if rows else 0
            if changes < expected:
                message = _("an older state was copied into {path} while `b24tools serve` was running")
                raise _refuse(message.format(path=self._name))
            self._changes = max(changes, self._changes)


def note_change(database: Database) -> None:
    """Count a change that an older state of the database would not know of."""
    database.execute(
        "INSERT INTO counters (name, value) VALUES ('watched', 1)"
        " ON CONFLICT (name) DO UPDATE SET value = counters.value + 1"
    )


def _refuse(message: str) -> errors.ConfigError:
    hint = _("Stop it, see that the right database is in its place, start it again; until then nothing is taken.")
    return errors.ConfigError(message, hint, code=errors.ErrorCode.DATABASE)


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
