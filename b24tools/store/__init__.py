"""The database behind every job, in parts: what each holds stands in the file of its name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from b24tools.core.database_url import Location
from b24tools.store.database import Database, open_database, open_read_only

if TYPE_CHECKING:
    from b24tools.store.decisions import Decisions
    from b24tools.store.events import Events
    from b24tools.store.history import History
    from b24tools.store.leaderboard import Leaderboard
    from b24tools.store.messages import Messages
    from b24tools.store.norms import Norms
    from b24tools.store.notices import Notices
    from b24tools.store.orders import Orders
    from b24tools.store.packed import Packed
    from b24tools.store.people import People
    from b24tools.store.presence import Presence
    from b24tools.store.retention import Retention
    from b24tools.store.seasons import Seasons
    from b24tools.store.settings import Settings
    from b24tools.store.snapshot_runs import SnapshotRuns
    from b24tools.store.tasks import Tasks
    from b24tools.store.work_history import WorkHistory


class Store:
    """The parts over one database. Open it with `open_store` or `read_store`.

    A part is loaded when it is first asked for: the leaderboard need not wait for the ledger.
    """

    def __init__(self, database: Database, save_counter: Path | None = None) -> None:
        self.database = database
        self._save_counter = save_counter

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Save all of the block or nothing."""
        return self.database.transaction()

    @cached_property
    def settings(self) -> Settings:
        from b24tools.store.settings import Settings

        return Settings(self.database)

    @cached_property
    def orders(self) -> Orders:
        from b24tools.store.orders import Orders

        return Orders(self.database, self.decisions, self.history, self.packed, self._save_counter)

    @cached_property
    def decisions(self) -> Decisions:
        from b24tools.store.decisions import Decisions

        return Decisions(self.database, self.packed)

    @cached_property
    def packed(self) -> Packed:
        from b24tools.store.packed import Packed

        return Packed(self.database)

    @cached_property
    def snapshot_runs(self) -> SnapshotRuns:
        from b24tools.store.snapshot_runs import SnapshotRuns

        return SnapshotRuns(self.database)

    @cached_property
    def people(self) -> People:
        from b24tools.store.people import People

        return People(self.database, self.snapshot_runs)

    @cached_property
    def presence(self) -> Presence:
        from b24tools.store.presence import Presence

        return Presence(self.database)

    @cached_property
    def tasks(self) -> Tasks:
        from b24tools.store.tasks import Tasks

        return Tasks(self.database, self.snapshot_runs, self.packed)

    @cached_property
    def events(self) -> Events:
        from b24tools.store.events import Events

        return Events(self.database)

    @cached_property
    def notices(self) -> Notices:
        from b24tools.store.notices import Notices

        return Notices(self.database)

    @cached_property
    def history(self) -> History:
        from b24tools.store.history import History

        return History(self.database, self.packed)

    @cached_property
    def leaderboard(self) -> Leaderboard:
        from b24tools.store.leaderboard import Leaderboard

        return Leaderboard(self.database, self.seasons)

    @cached_property
    def seasons(self) -> Seasons:
        from b24tools.store.seasons import Seasons

        return Seasons(self.database)

    @cached_property
    def work_history(self) -> WorkHistory:
        from b24tools.store.work_history import WorkHistory

        return WorkHistory(self.database)

    @cached_property
    def messages(self) -> Messages:
        from b24tools.store.messages import Messages

        return Messages(self.database, self.orders)

    @cached_property
    def retention(self) -> Retention:
        from b24tools.store.retention import Retention

        return Retention(self.database, self.packed)

    @cached_property
    def norms(self) -> Norms:
        from b24tools.store.norms import Norms

        return Norms(self.database)


def open_store(path: Location | None, *, beside: Location | None = None) -> Store:
    """Open the database, create and migrate it as needed; None gives one in memory. Raises ConfigError.

    `beside`: the database whose place it will take.
    """
    counted = beside or path
    return Store(open_database(path), _save_counter(counted) if counted is not None else None)


def read_store(path: Location, *, dry_run: bool = False) -> Store:
    """Open one state of the database for reading; empty where there is none. Raises ConfigError.

    `dry_run`: what is written goes nowhere instead of being refused.
    """
    return Store(open_read_only(path, drops_writes=dry_run), _save_counter(path))


def _save_counter(path: Location) -> Path:
    return path.with_suffix(".saves") if isinstance(path, Path) else path.folder / f"b24tools.{path.schema}.saves"
