"""The database file looked at without a change to it, whatever state it is in: for `doctor`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from b24tools.core.database_url import DatabaseUrl, Location
from b24tools.core.i18n import _
from b24tools.core.sizes import MIB
from b24tools.store import migrations
from b24tools.store.database import connect_read_only, explain_failures, load_server, measure

MOST_PROBLEMS = 3
SMALL = 32 * MIB  # is soon read through
_SETTLED = ("closed_tasks", "packed_lines", "packed_orders", "packed_texts")  # of a year: most of a large file


@dataclass(frozen=True)
class Looked:
    """What was seen of the file: damage in SQLite's words, migrations of a newer b24tools, whether it can be written.

    `pending`: the next command that writes will bring the schema up to date. `is_partly_read`: tables of a large file
    that only grow were left out.
    """

    damage: tuple[str, ...]
    foreign_migrations: tuple[str, ...]
    pending: bool
    writable: bool
    is_partly_read: bool = False


def look(path: Location, *, reads_all: bool = True) -> Looked:
    """Check the file; without `reads_all` what is settled of a large one is left out.

    Raises ConfigError where it cannot be opened; what is no database is damage. A server looks after its files itself:
    of a schema only the migrations are seen.
    """
    with explain_failures(path):
        if isinstance(path, DatabaseUrl):
            applied = load_server().look(path)
            return Looked((), tuple(sorted(applied - migrations.NAMES)), not applied >= migrations.NAMES, writable=True)
        if path.stat().st_size == 0:
            return Looked((_("the file is empty"),), (), pending=False, writable=True)
        try:
            with closing(connect_read_only(path)) as connection:
                is_partly_read = not reads_all and measure(path) > SMALL
                damage = _find_damage(connection) if is_partly_read else _quick_check(connection, str(MOST_PROBLEMS))
                applied, foreign = migrations.read_applied(connection), migrations.list_foreign(connection)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return Looked((str(error),), (), pending=False, writable=True)
    return Looked(
        damage=tuple(damage),
        foreign_migrations=tuple(foreign),
        pending=not applied >= migrations.NAMES,
        writable=_is_writable(path),
        is_partly_read=is_partly_read,
    )


def _find_damage(connection: sqlite3.Connection) -> list[str]:
    """Look through the tables that change every day."""
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    problems = (_quick_check(connection, f"'{table}'") for table in tables if table not in _SETTLED)
    return list(chain.from_iterable(problems))[:MOST_PROBLEMS]


def _quick_check(connection: sqlite3.Connection, what: str) -> list[str]:
    lines = [row[0] for row in connection.execute(f"PRAGMA quick_check({what})")]
    return [] if lines == ["ok"] else lines


def _is_writable(path: Path) -> bool:
    try:
        with path.open("r+b"):
            return True
    except OSError:
        return False
