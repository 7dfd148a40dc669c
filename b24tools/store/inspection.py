"""The database file looked at without a change to it, whatever state it is in: for `doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from b24tools.core.database_url import DatabaseUrl, Location
from b24tools.core.i18n import _
from b24tools.store import migrations
from b24tools.store.database import connect_read_only, explain_failures, load_server

MOST_PROBLEMS = 3


@dataclass(frozen=True)
class Looked:
    """What was seen of the file: damage in SQLite's words, migrations of a newer b24tools, whether it can be written.

    `pending`: the next command that writes will bring the schema up to date.
    """

    damage: tuple[str, ...]
    foreign_migrations: tuple[str, ...]
    pending: bool
    writable: bool


def look(path: Location) -> Looked:
    """Check the file. Raises ConfigError where it cannot be opened; what is no database is damage.

    A server looks after its files itself: of a schema only the migrations are seen.
    """
    with explain_failures(path):
        if isinstance(path, DatabaseUrl):
            applied = load_server().look(path)
            return Looked((), tuple(sorted(applied - migrations.NAMES)), not applied >= migrations.NAMES, writable=True)
        if path.stat().st_size == 0:
            return Looked((_("the file is empty"),), (), pending=False, writable=True)
        try:
            with closing(connect_read_only(path)) as connection:
                found = [row[0] for row in connection.execute(f"PRAGMA quick_check({MOST_PROBLEMS})")]
                applied, foreign = migrations.read_applied(connection), migrations.list_foreign(connection)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return Looked((str(error),), (), pending=False, writable=True)
    return Looked(
        damage=() if found == ["ok"] else tuple(found),
        foreign_migrations=tuple(foreign),
        pending=not applied >= migrations.NAMES,
        writable=_is_writable(path),
    )


def _is_writable(path: Path) -> bool:
    try:
        with path.open("r+b"):
            return True
    except OSError:
        return False
