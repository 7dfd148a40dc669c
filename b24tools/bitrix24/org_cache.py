"""Departments, people, schedule and places of the portal, read through a cache on disk.

Raw answers are cached as JSON (never pickle), in a folder only the user can read, under the portal's
host: departments and schedule for a day, people for some hours.
"""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diskcache

from b24tools.bitrix24 import pagination, queries
from b24tools.bitrix24.batch import MOST_COMMANDS, Command, Item
from b24tools.bitrix24.client import Client
from b24tools.core import clock, errors
from b24tools.core.i18n import _, os_reason
from b24tools.core.models import Department
from b24tools.core.org_structure import Staff, find_root, nearest_name

HOUR_S = 3600
DEPARTMENT_PAGES = 4  # asked for before it is known how many there are
PEOPLE_PAGES = 20
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
class Company:
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
class Names:
    """The names (or ids) from the settings."""

    department: str
    group: str
    folder: str
    schedule_id: int


class Directory:
    """The cached view of one portal. With `folder` None nothing outlives the object."""

    def __init__(
        self, client: Client, folder: Path | None, names: Names, *, directory_h: float = 24, people_h: float = 4
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

    def company(self, *, with_files: bool, refresh: bool = False) -> Company:
        """Departments, the production's people, schedule and places: 0 requests warm, 2 cold.

        Raises ConfigError when the production department does not exist, PortalError as the client does.
        """
        cached = None if refresh else self._get("company", self._directory_s)
        if cached is not None and with_files and cached["root_folder_id"] is None:
            cached = None
        open_total = storage_error = None
        fresh = cached is None
        if cached is None:
            cached, open_total, storage_error = self._read_company(with_files)
            # a scope that is granted is to be seen at once
            self._set("company", cached, 0 if cached["missing_scopes"] else self._directory_s)
        departments = queries.read_departments(cached["departments"])
        root = find_root(departments, self._names.department)
        if root is None:
            self._forget("company")
            raise _no_department(self._names.department, departments)
        people = None if refresh else self._get(f"people:{root.id}", self._people_s)
        if people is None:
            fresh = True
            homes = list(Staff(departments, (), root.id).below(root.id))
            people = self._read_people(homes)
            self._set(f"people:{root.id}", people, self._people_s)
        return Company(
            staff=Staff(departments, queries.read_people(people), root.id),
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
        cached = self._get("company", self._directory_s)
        if cached is not None:
            cached |= {
                "group_id": places.group_id,
                "root_folder_id": places.root_folder_id,
                "folder_id": places.folder_id,
            }
            self._set("company", cached, self._directory_s)

    def vacant(self) -> set[str]:
        """The positions that had no people when the portal was last asked, within the hour."""
        return set(self._get("vacant", HOUR_S) or [])

    def remember_vacant(self, positions: set[str]) -> None:
        """Keep these for an hour, which begins again for the others."""
        if positions - self.vacant():
            self._set("vacant", sorted(positions | self.vacant()), HOUR_S)

    def open_counts(self) -> dict[int, int]:
        """How many open tasks each person had when last seen: it says how long a chain of pages must be."""
        known = self._get("open_counts", COUNTS_LIFETIME_S) or {}
        return {int(key): int(value) for key, value in known.items()}

    def remember_open_counts(self, counts: Mapping[int, int]) -> None:
        """Keep the counts of these people."""
        known = self._get("open_counts", COUNTS_LIFETIME_S) or {}
        known |= {str(key): value for key, value in counts.items()}
        self._set("open_counts", known, COUNTS_LIFETIME_S)

    def date_order(self) -> str:
        """In which order the site writes dates, as last seen; "" where nothing has shown it."""
        return self._get("date_order", ORDER_LIFETIME_S) or ""

    def remember_date_order(self, order: str) -> None:
        """Keep what was seen; "" is nothing."""
        if order:
            self._set("date_order", order, ORDER_LIFETIME_S)

    def _read_company(self, with_files: bool) -> tuple[dict[str, Any], int | None, errors.PortalError | None]:
        names = self._names
        commands: dict[str, Command] = {
            **{f"departments{page}": queries.departments(page * 50).command for page in range(DEPARTMENT_PAGES)},
            "schedule": queries.schedule(names.schedule_id).command,
            "settings": queries.calendar_settings().command,
            "group": queries.groups_named(names.group).command,
            "open": queries.open_work_count().command,
        }
        if with_files:
            commands |= folder_commands(names.folder)
        items = self._client.batch(commands)
        departments: dict[str, Any] = {}
        for page in range(DEPARTMENT_PAGES):
            departments |= {row["ID"]: row for row in items[f"departments{page}"].value}
        total = items["departments0"].total or 0
        rest = {str(start): queries.departments(start).command for start in range(DEPARTMENT_PAGES * 50, total, 50)}
        if rest:
            for item in self._client.batch(rest).values():
                departments |= {row["ID"]: row for row in item.value}
        root_folder_id, folder_id, storage_error = None, None, None
        try:
            if with_files:
                root_folder_id, folder_id = read_folder(items, names.folder)
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            storage_error = error
        missing: list[str] = []
        company = {
            "departments": list(departments.values()),
            "schedule": _optional(items["schedule"], "timeman", missing),
            "settings": _optional(items["settings"], "calendar", missing),
            "group_id": first_id(queries.groups_named(names.group).of(items["group"])),
            "root_folder_id": root_folder_id,
            "folder_id": folder_id,
            "missing_scopes": missing,
        }
        open_item = items["open"]
        return company, open_item.total if open_item.error is None else None, storage_error

    def _read_people(self, department_ids: Sequence[int]) -> list[Any]:
        """The first pages tell how many there are: a company of thousands takes few requests, a plant one short one."""
        reader = pagination.Reader(
            pagination.USERS, queries.people_of(department_ids), prefix="people", probe=PEOPLE_PAGES
        )
        rows = []
        while commands := reader.commands(MOST_COMMANDS):
            rows += reader.read(self._client.batch(commands))
            reader.check()
        return [{name: row.get(name) for name in queries.PEOPLE_SELECT} for row in rows]

    def _key(self, what: str) -> str:
        names = self._names
        return "|".join((self._client.host, names.department, names.group, names.folder, str(names.schedule_id), what))

    def _get(self, what: str, lifetime_s: float) -> Any:
        """What was set for as long, unless it is over; what would last longer was set by a wrong clock."""
        try:
            if self._cache is None:
                return None
            value, until = self._cache.get(self._key(what), expire_time=True)
            latest = time.time() + lifetime_s + clock.AHEAD.total_seconds()
            return None if until is None or until > latest else value
        except _DAMAGE as error:
            self._mend(error)
            return None

    def _set(self, what: str, value: Any, lifetime_s: float) -> None:
        """With no lifetime what was there is gone, too."""
        if lifetime_s <= 0:
            self._forget(what)
            return
        try:
            if self._cache is not None:
                self._cache.set(self._key(what), value, expire=lifetime_s)
        except _DAMAGE as error:
            self._mend(error)

    def _forget(self, what: str) -> None:
        try:
            if self._cache is not None:
                self._cache.delete(self._key(what))
        except _DAMAGE as error:
            self._mend(error)

    def _mend(self, error: Exception) -> None:
        """Begin a damaged cache anew; go without one that cannot be used just now."""
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


def _open_cache(folder: Path | None) -> Any:
    """The cache in the folder; None where there can be none. Raises ConfigError for a folder that cannot be made."""
    try:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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


def _is_damage(error: Exception) -> bool:
    """Whether the cache is broken, and not just busy, full or forbidden."""
    return not isinstance(error, (sqlite3.OperationalError, OSError, diskcache.Timeout))


def _remove(folder: Path | None) -> None:
    for file in folder.glob("cache.db*") if folder else ():
        with suppress(OSError):
            file.unlink()


def folder_commands(folder: str) -> dict[str, Command]:
    """Commands that find the common storage and the folder for attachments in it."""
    root = pagination.Reference("$result[storage][0][ROOT_OBJECT_ID]")
    commands = {"storage": queries.common_storage().command}
    if not folder.isdecimal():
        commands["folder"] = queries.children(root, folder).command
    return commands


def read_folder(items: Mapping[str, Item], folder: str) -> tuple[int | None, int | None]:
    """The ids of the storage's root folder and of the folder for attachments, from `folder_commands`."""
    storage = queries.common_storage().of(items["storage"])
    if storage is None:
        return None, None
    if folder.isdecimal():
        return storage[1], int(folder)
    found = queries.children(0, folder).of(items["folder"])
    return storage[1], first_id([one for one in found if one[2] == "folder"])


def first_id(found: Iterable[Sequence[Any]]) -> int | None:
    """The id of the first of several things of one name; None where there is none."""
    return next((int(one[0]) for one in found), None)


def _optional(item: Item, scope: str, missing: list[str]) -> Any:
    """The raw result, or None where the webhook has no scope for it: the plan goes on with a warning."""
    if item.error is not None:
        if item.error.portal_code == "insufficient_scope":
            missing.append(scope)
            return None
        if isinstance(item.error, errors.PortalBusy):
            raise item.error
        return None
    return item.value if isinstance(item.value, dict) and item.value else None


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
