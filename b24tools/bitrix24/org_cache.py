"""Departments, people, schedule and places of the portal, read through a cache on disk.

What is cached is JSON (never pickle), in a folder only the user can read, under the portal's
host: departments and schedule for a day, people for some hours.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import diskcache

from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import Batch, Pending
from b24tools.bitrix24.client import Client
from b24tools.core import clock, data_folder, errors
from b24tools.core.i18n import _, os_reason
from b24tools.core.models import Department, Person
from b24tools.core.org_structure import Staff, find_root, nearest_name

HOUR_S = 3600
COUNTS_LIFETIME_S = 90 * 24 * HOUR_S
ORDER_LIFETIME_S = 365 * 24 * HOUR_S

_DAMAGE = (sqlite3.Error, OSError, ValueError, zlib.error, diskcache.Timeout)


@dataclass(frozen=True)
class Places:
    """Where tasks and files go. An id is None where the thing does not exist (or was not asked for)."""

    group_id: int | None
    root_folder_id: int | None
    folder_id: int | None


@dataclass(frozen=True)
class OrgData:
    """What rarely changes. `fresh`: read just now, not from the cache. `open_total`: only when fresh.

    `storage_error`: why the portal shows no place for files, where they were asked for.
    """

    staff: Staff
    schedule: Mapping[str, Any] | None
    calendar_settings: Mapping[str, Any] | None
    places: Places
    missing_scopes: tuple[str, ...]
    fresh: bool
    open_total: int | None = None
    storage_error: errors.PortalError | None = None


@dataclass(frozen=True)
class NameSettings:
    """The names (or ids) from the settings."""

    department: str
    group: str
    folder: str
    schedule_id: int


class OrgCache:
    """The cached view of one portal. With `folder` None nothing outlives the object."""

    def __init__(
        self, client: Client, folder: Path | None, names: NameSettings, *, directory_h: float = 24, people_h: float = 4
    ) -> None:
        self._client = client
        self._names = names
        self._directory_s = directory_h * HOUR_S
        self._people_s = people_h * HOUR_S
        self._folder = folder
        self._cache = _open_cache(folder)

    def close(self) -> None:
        """Close the cache."""
        if self._cache is not None:
            self._cache.close()

    def company(self, *, with_files: bool, refresh: bool = False) -> OrgData:
        """Read departments, the production's people, schedule and places: 0 requests warm, 2 cold.

        Raises ConfigError when the production department does not exist, PortalError as the client does.
        """
        cached = None if refresh else self._get("organization", self._directory_s)
        if cached is not None and with_files and cached["root_folder_id"] is None:
            cached = None
        open_total = storage_error = None
        fresh = cached is None
        if cached is None:
            cached, open_total, storage_error = self._read_company(with_files)
            # a scope that is granted is to be seen at once
            self._set("organization", cached, 0 if cached["missing_scopes"] else self._directory_s)
        departments = [Department(**row) for row in cached["departments"]]
        root = find_root(departments, self._names.department)
        if root is None:
            self._set("organization", None, 0)
            raise _no_department(self._names.department, departments)
        people = None if refresh else self._get(f"staff:{root.id}", self._people_s)
        if people is None:
            fresh = True
            homes = list(Staff(departments, (), root.id).below(root.id))
            people = [asdict(person) for person in queries.fetch_people_of(self._client, homes)]
            self._set(f"staff:{root.id}", people, self._people_s)
        return OrgData(
            staff=Staff(
                departments,
                [Person(**row | {"department_ids": tuple(row["department_ids"])}) for row in people],
                root.id,
            ),
            schedule=cached["schedule"],
            calendar_settings=cached["settings"],
            places=Places(cached["group_id"], cached["root_folder_id"], cached["folder_id"]),
            missing_scopes=tuple(cached["missing_scopes"]),
            fresh=fresh,
            open_total=open_total,
            storage_error=storage_error,
        )

    def remember_places(self, places: Places) -> None:
        """Correct the cached ids of the project and the folder."""
        cached = self._get("organization", self._directory_s)
        if cached is not None:
            self._set("organization", cached | vars(places), self._directory_s)

    def unstaffed_positions(self) -> set[str]:
        """The positions that had no people when the portal was last asked, within the hour."""
        return set(self._get("vacant", HOUR_S) or [])

    def remember_unstaffed(self, positions: set[str]) -> None:
        """Keep these for an hour, which begins again for the others."""
        if positions - (known := self.unstaffed_positions()):
            self._set("vacant", sorted(positions | known), HOUR_S)

    def open_counts(self) -> dict[int, int]:
        """How many open tasks each person had when last seen: it says how long a chain of pages must be."""
        known = self._get("open_counts", COUNTS_LIFETIME_S) or {}
        return {int(key): int(value) for key, value in known.items()}

    def remember_open_counts(self, counts: Mapping[int, int]) -> None:
        """Keep the counts of these people."""
        self._set("open_counts", self.open_counts() | dict(counts), COUNTS_LIFETIME_S)

    def date_order(self) -> str:
        """In which order the site writes dates, as last seen; "" where nothing has shown it."""
        return self._get("date_order", ORDER_LIFETIME_S) or ""

    def remember_date_order(self, order: str) -> None:
        """Keep what was seen; "" is nothing."""
        if order:
            self._set("date_order", order, ORDER_LIFETIME_S)

    def _read_company(self, with_files: bool) -> tuple[dict[str, Any], int | None, errors.PortalError | None]:
        names, batch = self._names, self._client.new_batch()
        pages = queries.add_departments(batch)
        schedule = batch.add(queries.schedule(names.schedule_id))
        settings = batch.add(queries.calendar_settings())
        groups = batch.add(queries.groups_named(names.group))
        open_work = batch.add(queries.open_work_count())
        files = _add_folder(batch, names.folder) if with_files else None
        batch.send()
        departments = queries.read_all_departments(self._client, pages)
        root_folder_id, folder_id, storage_error = None, None, None
        try:
            if files:
                root_folder_id, folder_id = _read_folder(*files, names.folder)
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            storage_error = error
        missing: list[str] = []
        company = {
            "departments": [asdict(department) for department in departments],
            "schedule": _optional(schedule, "timeman", missing),
            "settings": _optional(settings, "calendar", missing),
            "group_id": first_id(groups.value),
            "root_folder_id": root_folder_id,
            "folder_id": folder_id,
            "missing_scopes": missing,
        }
        return company, open_work.item.total if open_work.error is None else None, storage_error

    def _key(self, what: str) -> str:
        names = self._names
        return "|".join((self._client.host, names.department, names.group, names.folder, str(names.schedule_id), what))

    def _get(self, what: str, lifetime_s: float) -> Any:
        """Read what was set for so long, unless it is over; what would last longer was set by a wrong clock."""
        value = until = None
        with self._renewing() as cache:
            if cache is not None:
                value, until = cache.get(self._key(what), expire_time=True)
        latest = time.time() + lifetime_s + clock.AHEAD.total_seconds()
        return None if until is None or until > latest else value

    def _set(self, what: str, value: Any, lifetime_s: float) -> None:
        """Cache a value. With no lifetime what was there is gone, too."""
        with self._renewing() as cache:
            if cache is None:
                return
            if lifetime_s > 0:
                cache.set(self._key(what), value, expire=lifetime_s)
            else:
                cache.delete(self._key(what))

    @contextmanager
    def _renewing(self) -> Iterator[Any]:
        """Begin a cache anew that proves damaged in the block; go on without one that cannot be used just now."""
        try:
            yield self._cache
        except _DAMAGE as error:
            cache, self._cache = self._cache, None
            with suppress(*_DAMAGE):
                cache.close()
            if _is_damage(error):
                _remove(self._folder)
                self._cache = _open_cache(self._folder)


class _Cache(diskcache.Cache):  # type: ignore[misc] # it ships no types
    """A cache that leaves no connection open where it cannot begin."""

    def __init__(self, folder: Path | None) -> None:
        try:
            super().__init__(folder and str(folder), disk=diskcache.JSONDisk)
        except BaseException:
            self.close()
            raise


def _is_damage(error: Exception) -> bool:
    """Tell a broken cache from one that is just busy, full or forbidden."""
    return not isinstance(error, (sqlite3.OperationalError, OSError, diskcache.Timeout))


def _open_cache(folder: Path | None) -> Any:
    """Open the cache in the folder; None where there can be none. Raises ConfigError where no folder can be made."""
    try:
        if folder is not None:
            data_folder.prepare(folder.parent)
            folder.mkdir(mode=data_folder.PRIVATE_FOLDER, exist_ok=True)
            if not data_folder.has_locks(folder.parent):
                return None
            data_folder.touch(folder / "cache.db")
    except OSError as error:
        raise errors.ConfigError(
            _("the database {path} cannot be used: {reason}").format(path=folder, reason=os_reason(error)),
            _("B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space."),
        ) from error
    try:
        return _Cache(folder)
    except _DAMAGE as error:
        if folder is None or not _is_damage(error):  # busy, full or forbidden
            return None
    _remove(folder)
    with suppress(*_DAMAGE):
        return _Cache(folder)
    return None


def _remove(folder: Path | None) -> None:
    for file in folder.glob("cache.db*") if folder else ():
        with suppress(OSError):
            file.unlink()


def _add_folder(
    batch: Batch, folder: str
) -> tuple[Pending[tuple[int, int] | None], Pending[list[tuple[int, str, str]]] | None]:
    """Ask for the common storage, and for the folder for attachments in it unless that is named by its id."""
    storage = batch.add(queries.common_storage())
    if folder.isdecimal():
        return storage, None
    return storage, batch.add(queries.children(storage.reference(0, "ROOT_OBJECT_ID"), folder))


def _read_folder(
    storage: Pending[tuple[int, int] | None], found: Pending[list[tuple[int, str, str]]] | None, folder: str
) -> tuple[int | None, int | None]:
    """Read the ids of the storage's root folder and of the folder for attachments."""
    if storage.value is None:
        return None, None
    folder_id = int(folder) if found is None else first_id(row for row in found.value if row[2] == "folder")
    return storage.value[1], folder_id


def first_id(found: Iterable[Sequence[Any]]) -> int | None:
    """The id of the first of several things of one name; None where there is none."""
    return next((int(row[0]) for row in found), None)


def _optional(pending: Pending[Mapping[str, Any] | None], scope: str, missing: list[str]) -> Any:
    """Read what is not vital: None where the webhook has no scope for it. The plan goes on with a warning."""
    if pending.error is None:
        return pending.value
    if isinstance(pending.error, errors.PortalBusy):
        raise pending.error
    if pending.error.portal_code == "insufficient_scope":
        missing.append(scope)
    return None


def _no_department(name: str, departments: Sequence[Department]) -> errors.ConfigError:
    nearest = nearest_name(name, (department.name for department in departments))
    return errors.ConfigError(
        _('the portal has no department "{name}"').format(name=name),
        _(
            'Set B24_DEPARTMENT to the production department, by name or id; the nearest name there is "{nearest}".'
        ).format(nearest=nearest)
        if nearest
        else _("Set B24_DEPARTMENT to the production department, by name or id."),
    )
