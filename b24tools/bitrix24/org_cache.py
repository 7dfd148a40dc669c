"""Departments, people, schedule and places of the portal, read through a cache on disk.

What is cached is JSON (never pickle), in a folder only the user can read, under the portal's
host: departments and schedule for a day, people for some hours.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import diskcache

from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import Pending
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.error_codes import ErrorCode, find_code
from b24tools.core import clock, data_folder, errors
from b24tools.core.i18n import _, os_reason
from b24tools.core.models import Department, Person
from b24tools.core.org_structure import Positions, Staff, find_root, no_department

HOUR_S = 3600
LARGEST = 2**31 - 1  # bytes of a value: all are in one file
COUNTS_APART = 10  # a chain of pages has room for more
_UNSTAFFED, _COUNTS, _DATE_ORDER, _ADMIN = "vacant", "open_counts", "date_order", "owner_is_admin"
_LIFETIMES_S = {_UNSTAFFED: HOUR_S, _COUNTS: 90 * 24 * HOUR_S, _DATE_ORDER: 365 * 24 * HOUR_S, _ADMIN: 24 * HOUR_S}

_FAILURES = (sqlite3.Error, OSError, ValueError, zlib.error, diskcache.Timeout)
_BUSY_FULL_OR_FORBIDDEN = (sqlite3.OperationalError, OSError, diskcache.Timeout)  # all others are damage


@dataclass(frozen=True)
class Places:
    """Where tasks and files go. An id is None where the thing does not exist (or was not asked for)."""

    group_id: int | None
    root_folder_id: int | None
    folder_id: int | None


@dataclass(frozen=True)
class OrgData:
    """What rarely changes. `fresh`: read just now, not from the cache. `open_total`: only when fresh.

    `storage_error`: why the portal shows no place for files, where they were asked for. `schedules`: those of single
    people and departments, by id; None where the portal does not show one. `hours_problem`: why hours that count could
    not be read; then nothing is cached.
    """

    staff: Staff
    schedule: Mapping[str, Any] | None
    calendar_settings: Mapping[str, Any] | None
    places: Places
    missing_scopes: tuple[str, ...]
    fresh: bool
    open_total: int | None = None
    storage_error: errors.PortalError | None = None
    hours_problem: str = ""
    schedules: Mapping[int, Mapping[str, Any] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class NameSettings:
    """The names (or ids) from the settings; `schedules` and `positions` are from people.json."""

    department: str
    group: str
    folder: str
    schedule_id: int
    schedules: tuple[int, ...] = ()
    positions: Positions = field(default_factory=Positions)


class CacheAnchor:
    """A connection to the cache that a service leaves open: closing the last one brings all to the disk.

    By it the service knows, too, whether anybody has written to the file, and else need not read it again.
    """

    def __init__(self) -> None:
        self._held: tuple[int, sqlite3.Connection] | None = None
        self._memo: tuple[int, dict[str, Any]] = (0, {})  # what was read of the file in this state of it
        self._lock = threading.Lock()

    def hold(self, file: Path) -> int:
        """Hold this file open, in place of one that was there before; returns its number."""
        with self._lock:
            number = file.stat().st_ino
            if self._held is not None and self._held[0] == number:
                return number
            self._release()
            connection = sqlite3.connect(file, check_same_thread=False)
            self._held = number, connection
            connection.execute("SELECT count(*) FROM sqlite_master")  # opens it, which connecting does not
            return number

    def recall(self, file: int, key: str, read: Callable[[str], Any]) -> Any:
        """Return what `read` has found in the file of this number under the key since anybody wrote to it."""
        with self._lock:
            if self._held is None or self._held[0] != file:  # replaced meanwhile, while this reader has the old one
                return read(key)
            version = self._held[1].execute("PRAGMA data_version").fetchone()[0]
            if version != self._memo[0]:
                self._memo = version, {}
            memo = self._memo[1]
        if key not in memo:
            memo[key] = read(key)
        return memo[key]

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._release()

    def _release(self) -> None:
        if self._held is not None:
            self._held[1].close()
            self._held, self._memo = None, (0, {})


class OrgCache:
    """The cached view of one portal."""

    def __init__(
        self,
        client: Client,
        folder: Path,
        names: NameSettings,
        *,
        directory_h: float = 24,
        people_h: float = 4,
        anchor: CacheAnchor | None = None,
        on_warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._client = client
        self._names = names
        self._lifetimes_s = {"organization": directory_h * HOUR_S, "staff": people_h * HOUR_S} | _LIFETIMES_S
        self._folder = folder
        try:
            data_folder.prepare(folder.parent)
        except OSError as error:
            raise errors.ConfigError(
                _("the database {path} cannot be used: {reason}").format(path=folder, reason=os_reason(error)),
                _("B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space."),
            ) from error
        self._cache: diskcache.Cache | None = None
        self._recall: Callable[[str, Callable[[str], Any]], Any] | None = None
        try:
            data_folder.make_folder(folder)
            is_usable = data_folder.has_locks(folder.parent)
            if is_usable:
                data_folder.touch(folder / "cache.db")
        except OSError as error:
            is_usable = False
            message = _("the cache {path} cannot be used: {reason}; what it would have is read from the portal")
            on_warn(message.format(path=folder, reason=os_reason(error)))
        if is_usable:
            with self._renewing():
                if not (folder / "cache.db").stat().st_size:  # nothing is in it: it is new, or was taken away
                    _open_cache.cache_clear()
                    if anchor is not None:  # whoever holds what was emptied keeps others from beginning it anew
                        anchor.close()
                self._cache = self._open()
                if anchor is not None and os.name != "nt":  # where an open file cannot be deleted
                    self._recall = partial(anchor.recall, anchor.hold(folder / "cache.db"))

    def _open(self) -> _Cache:
        file = self._folder / "cache.db"
        data_folder.touch(file)
        return _open_cache(self._folder, file.stat().st_ino)

    def close(self) -> None:
        """Close the cache."""
        if self._cache is not None:
            self._cache.close()

    def company(self, *, with_files: bool, refresh: bool = False) -> OrgData:
        """Read departments, the production's people, schedule and places: 0 requests warm, 2 cold.

        Raises ConfigError when the production department does not exist, PortalError as the client does.
        """
        cached = None if refresh else self._get("organization")
        if cached is not None and with_files and cached["root_folder_id"] is None:
            cached = None
        if cached is not None and not set(map(str, self._names.schedules)) <= cached.get("schedules", {}).keys():
            cached = None  # people.json has changed
        open_total = storage_error = None
        hours_problem, fresh = "", cached is None
        if cached is None:
            cached, open_total, storage_error, hours_problem = self._read_company(with_files)
            # a scope that is granted is to be seen at once, and so are hours that an error has hidden
            self._set("organization", None if cached["missing_scopes"] or hours_problem else cached)
        departments = [Department(**row) for row in cached["departments"]]
        root = find_root(departments, self._names.department)
        if root is None:
            self._set("organization", None)
            raise no_department(self._names.department, departments)
        people = None if refresh else self._get("staff", root.id)
        if people is None:
            fresh = True
            homes = list(Staff(departments, (), root.id).below(root.id))
            people = [_to_row(person) for person in queries.fetch_people_of(self._client, homes)]
            self._set("staff", people, root.id)
            people = self._get("staff", root.id) or people  # the very ones that are read next, see `_make_staff`
        return OrgData(
            staff=_make_staff(departments, people, root.id, self._names.positions),
            schedule=cached["schedule"],
            schedules={int(number): raw for number, raw in cached.get("schedules", {}).items()},
            calendar_settings=cached["settings"],
            places=Places(cached["group_id"], cached["root_folder_id"], cached["folder_id"]),
            missing_scopes=tuple(cached["missing_scopes"]),
            fresh=fresh,
            open_total=open_total,
            storage_error=storage_error,
            hours_problem=hours_problem,
        )

    def remember_places(self, places: Places) -> None:
        """Correct the cached ids of the project and the folder."""
        if (cached := self._get("organization")) is not None:
            self._set("organization", cached | vars(places))

    def unstaffed_positions(self) -> set[str]:
        """The positions that had no people when the portal was last asked, within the hour."""
        return set(self._get(_UNSTAFFED) or [])

    def remember_unstaffed(self, positions: set[str]) -> None:
        """Keep these for an hour, which begins again for the others."""
        if positions - (known := self.unstaffed_positions()):
            self._set(_UNSTAFFED, sorted(positions | known))

    def open_counts(self) -> dict[int, int]:
        """How many open tasks each person had when last seen: it says how long a chain of pages must be."""
        return {int(key): int(value) for key, value in (self._get(_COUNTS) or {}).items()}

    def remember_open_counts(self, counts: Mapping[int, int]) -> None:
        """Keep the counts of these people, unless they are much the same: to write them takes longer than to read."""
        known = self.open_counts()
        if not known.keys() >= counts.keys() or abs(sum(counts[id_] - known[id_] for id_ in counts)) > COUNTS_APART:
            self._set(_COUNTS, known | dict(counts))

    def date_order(self) -> str:
        """In which order the site writes dates, as last seen; "" where nothing has shown it."""
        return self._get(_DATE_ORDER) or ""

    def remember_date_order(self, order: str) -> None:
        """Keep what was seen; "" is nothing."""
        if order and order != self.date_order():
            self._set(_DATE_ORDER, order)

    def is_owner_admin(self) -> bool:
        """Whether the webhook's owner was an administrator when the portal was last asked, within the day."""
        return bool(self._get(_ADMIN))

    def remember_owner(self, *, admin: bool) -> None:
        """Keep whether the webhook's owner is an administrator."""
        if admin != self.is_owner_admin():
            self._set(_ADMIN, admin)

    def _read_company(self, with_files: bool) -> tuple[dict[str, Any], int | None, errors.PortalError | None, str]:
        names, batch = self._names, self._client.new_batch()
        pages = queries.add_departments(batch)
        schedule = batch.add(queries.schedule(names.schedule_id))
        settings = batch.add(queries.calendar_settings())
        groups = batch.add(queries.groups_named(names.group))
        open_work = batch.add(queries.open_work_count())
        storage = folders = None
        if with_files:
            storage = batch.add(queries.common_storage())
            if not names.folder.isdecimal():
                folders = batch.add(queries.children(storage.reference(0, "ROOT_OBJECT_ID"), names.folder))
        schedules = {number: batch.add(queries.schedule(number)) for number in names.schedules}
        batch.send()
        departments = queries.fetch_departments(self._client, pages)
        root_folder_id, folder_id, storage_error = None, None, None
        try:
            if storage and storage.value:
                named = [] if folders is None else [row for row in folders.value if row[2] == "folder"]
                folder_id = int(names.folder) if folders is None else first_id(named)
                root_folder_id = storage.value[1]
        except errors.PortalBusy:
            raise
        except errors.PortalError as error:
            storage_error = error
        missing: list[str] = []
        problems: list[str] = []
        usual = _optional(schedule, "timeman", missing, problems)
        company = {
            "departments": [asdict(department) for department in departments],
            "schedule": usual,
            "schedules": {number: _optional(one, "timeman", missing, problems) for number, one in schedules.items()},
            # with a schedule the calendar's hours do not count
            "settings": _optional(settings, "calendar", missing, problems if usual is None else []),
            "group_id": first_id(groups.value),
            "root_folder_id": root_folder_id,
            "folder_id": folder_id,
            "missing_scopes": missing,
        }
        open_total = open_work.item.total if open_work.error is None else None
        return company, open_total, storage_error, next(iter(problems), "")

    def _key(self, what: str, root_id: int | None) -> str:
        names = self._names
        name = what if root_id is None else f"{what}:{root_id}"
        return "|".join((self._client.host, names.department, names.group, names.folder, str(names.schedule_id), name))

    def _get(self, what: str, root_id: int | None = None) -> Any:
        """Read what was set, unless its time is over; what would last longer was set by a wrong clock."""
        value = until = None
        with self._renewing():
            if self._cache is not None:
                read, key = partial(self._cache.get, expire_time=True), self._key(what, root_id)
                value, until = read(key) if self._recall is None else self._recall(key, read)
        latest = (now := time.time()) + self._lifetimes_s[what] + clock.AHEAD.total_seconds()
        return value if until is not None and now <= until <= latest else None

    def _set(self, what: str, value: Any, root_id: int | None = None) -> None:
        """Cache a value for its time; with None, or no time, what was there is gone."""
        lifetime_s = self._lifetimes_s[what]
        with self._renewing():
            if self._cache is not None and value is not None and lifetime_s > 0:
                self._cache.set(self._key(what, root_id), value, expire=lifetime_s)
            elif self._cache is not None:
                self._cache.delete(self._key(what, root_id))

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        """Begin a cache anew that proves damaged in the block; go on without one that cannot be used just now."""
        try:
            yield
        except _FAILURES as error:
            with suppress(*_FAILURES):
                if self._cache is not None:
                    self._cache.close()
            self._cache = self._recall = None
            _open_cache.cache_clear()
            if isinstance(error, _BUSY_FULL_OR_FORBIDDEN):
                return
            for file in self._folder.glob("cache.db*"):
                with suppress(OSError):
                    file.unlink()
            with suppress(*_FAILURES):
                self._cache = self._open()


class _Disk(diskcache.JSONDisk):  # type: ignore[misc] # it ships no types
    """Values as JSON. What somebody has put in as a pickle is damage: to load it would run it (CVE-2025-69872)."""

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        """Read a value, which is not to be changed; raises ValueError for a pickle."""
        if mode == diskcache.core.MODE_PICKLE:
            raise ValueError("a pickle in the cache")
        return _decode(diskcache.Disk.fetch(self, mode, filename, value, read))


@lru_cache(maxsize=8)  # `serve` reads the same people for each order
def _decode(packed: bytes) -> Any:
    return json.loads(zlib.decompress(packed))


def _to_row(person: Person) -> dict[str, Any]:
    row = asdict(person)
    del row["has_namesake"]  # that goes by who else is known
    return row


_made: list[tuple[Any, tuple[Any, ...], Staff]] = []  # the last one, with what it was made of


def _make_staff(departments: list[Department], people: Any, root_id: int, positions: Positions) -> Staff:
    """Return the staff of people as the cache has them; of the same ones the same object, as it never changes."""
    made_of = departments, root_id, positions
    for rows, others, staff in _made[:1]:
        if rows is people and others == made_of:
            return staff
    persons = [Person(**row | {"department_ids": tuple(row["department_ids"])}) for row in people]
    staff = Staff(departments, persons, root_id, positions)
    _made[:] = [(people, made_of, staff)]
    return staff


@lru_cache(maxsize=1)  # closed, it opens again at the next question; made anew, it would write all its settings
def _open_cache(folder: Path, _file: int) -> _Cache:
    return _Cache(folder)


class _Cache(diskcache.Cache):  # type: ignore[misc] # it ships no types
    """A cache of JSON that leaves no connection open where it cannot begin."""

    def __init__(self, folder: Path) -> None:
        try:
            super().__init__(str(folder), disk=_Disk, disk_min_file_size=LARGEST)
        except BaseException:
            self.close()
            raise


def first_id(rows: Iterable[Sequence[Any]]) -> int | None:
    """The id of the first of several things of one name; None where there is none."""
    return next((int(row[0]) for row in rows), None)


def _optional(
    pending: Pending[Mapping[str, Any] | None], scope: str, missing: list[str], problems: list[str]
) -> Mapping[str, Any] | None:
    """Read what is not vital: None where the portal or the webhook has it not. The plan goes on with a warning.

    A method that the portal does not know is none of the `problems`: its module is not installed.
    """
    error = pending.error
    if error is None:
        return pending.value
    if isinstance(error, errors.PortalBusy):
        raise error
    if error.portal_code == "insufficient_scope":
        missing += [] if scope in missing else [scope]
    elif find_code(error.portal_code) is not ErrorCode.ERROR_METHOD_NOT_FOUND:
        problems.append(error.message)
    return None
