"""The database behind every job, in parts: what each holds stands in the file of its name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from b24tools.store.database import Database, open_database, open_read_only
from b24tools.store.decisions import Decisions
from b24tools.store.events import Events
from b24tools.store.leaderboard import Leaderboard
from b24tools.store.orders import Orders
from b24tools.store.people import People
from b24tools.store.settings import Settings
from b24tools.store.snapshot_runs import SnapshotRuns
from b24tools.store.tasks import Tasks


class Store:
    """The parts over one database. Open it with `open_store` or `read_store`."""

    def __init__(self, database: Database, save_counter: Path | None = None) -> None:
        self.database = database
        self.events = Events(database)
        self.settings = Settings(database, self.events)
        self.decisions = Decisions(database)
        self.orders = Orders(database, self.decisions, save_counter)
        self.snapshot_runs = SnapshotRuns(database)
        self.people = People(database, self.snapshot_runs)
        self.tasks = Tasks(database, self.snapshot_runs)
        self.leaderboard = Leaderboard(database)

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Save all of the block or nothing."""
        return self.database.transaction()


def open_store(path: Path | None) -> Store:
    """Open the database, create and migrate it as needed; None gives one in memory. Raises ConfigError."""
    return Store(open_database(path), path and _save_counter(path))


def read_store(path: Path, *, dry_run: bool = False) -> Store:
    """Open one state of the database for reading; empty where there is none. Raises ConfigError.

    `dry_run`: what is written goes nowhere instead of being refused.
    """
    return Store(open_read_only(path, drops_writes=dry_run), _save_counter(path))


def _save_counter(path: Path) -> Path:
    return path.with_suffix(".saves")
