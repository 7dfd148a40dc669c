"""The database behind every job, in parts: what each holds stands in the file of its name."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from b24tools.core.database_url import Location
from b24tools.store.database import Database, open_database, open_read_only

if TYPE_CHECKING:
    from b24tools.store.decisions import Decisions
    from b24tools.store.events import Events
    from b24tools.store.history import History
    from b24tools.store.leaderboard import Leaderboard
    from b24tools.store.lost_writes import LostWrites
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


def _part(name: str, *needs: str) -> Any:
    """Load the class of a part's module when it is first asked for: the leaderboard need not wait for the ledger.

    `needs`: what of the store it takes beside the database.
    """

    def load(store: Store) -> Any:
        make = getattr(import_module(f"{__name__}.{name}"), name.title().replace("_", ""))
        return make(store.database, *(getattr(store, need) for need in needs))

    return cached_property(load)


class Store:
    """The parts over one database. Open it with `open_store` or `read_store`."""

    settings: cached_property[Settings] = _part("settings")
    orders: cached_property[Orders] = _part("orders", "decisions", "history", "packed", "_save_counter")
    lost_writes: cached_property[LostWrites] = _part("lost_writes")
    decisions: cached_property[Decisions] = _part("decisions", "packed")
    packed: cached_property[Packed] = _part("packed")
    snapshot_runs: cached_property[SnapshotRuns] = _part("snapshot_runs")
    people: cached_property[People] = _part("people", "snapshot_runs")
    presence: cached_property[Presence] = _part("presence")
    tasks: cached_property[Tasks] = _part("tasks", "snapshot_runs", "packed")
    events: cached_property[Events] = _part("events")
    notices: cached_property[Notices] = _part("notices")
    history: cached_property[History] = _part("history", "packed")
    leaderboard: cached_property[Leaderboard] = _part("leaderboard", "seasons")
    seasons: cached_property[Seasons] = _part("seasons")
    work_history: cached_property[WorkHistory] = _part("work_history")
    messages: cached_property[Messages] = _part("messages", "orders")
    retention: cached_property[Retention] = _part("retention", "packed")
    norms: cached_property[Norms] = _part("norms")

    def __init__(self, database: Database, save_counter: Path | None = None) -> None:
        self.database = database
        self._save_counter = save_counter

    def close(self) -> None:
        """Close the connection."""
        self.database.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Save all of the block or nothing."""
        return self.database.transaction()


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
