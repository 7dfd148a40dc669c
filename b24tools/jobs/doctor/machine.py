"""This machine: versions, time zone data, the data folder and its disk, the cache."""

from __future__ import annotations

import getpass
import os
import platform
import shutil
import stat
import tempfile
import zoneinfo
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

from b24tools import __version__
from b24tools.core.i18n import _, ngettext, os_reason
from b24tools.jobs.doctor.checks import Check, fail, ok, warn
from b24tools.jobs.doctor.subject import Subject
from b24tools.store import database

MIB = 1024 * 1024
LITTLE_BYTES = 500 * MIB
TOO_LITTLE_BYTES = 50 * MIB
TRIAL_BYTES = MIB // 4
# Kazakhstan went over to one zone on 1 March 2024: data that do not know it are older
_PROBE_ZONE, _PROBE_AT, _PROBE_OFFSET = "Asia/Almaty", datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=5)


def check(subject: Subject, now: datetime) -> Iterator[Check]:
    """What can be said of the machine."""
    yield ok(
        "version",
        _("b24tools {ours}, Python {python}, SQLite {sqlite}, {system}").format(
            ours=__version__,
            python=platform.python_version(),
            sqlite=database.VERSION,
            system=platform.system() or "?",
        ),
    )
    yield _zone_data(subject)
    yield from _data_folder(subject)
    yield from _disk_space(subject.data_dir)
    yield from _cache(subject.data_dir / "cache", now)


def size(count: int) -> str:
    """Bytes, for people."""
    if count < MIB:
        return _("{n} KiB").format(n=-(-count // 1024))
    return (
        _("{n} MiB").format(n=round(count / MIB))
        if count < 10_000 * MIB
        else _("{n} GiB").format(n=count // MIB // 1024)
    )


def _zone_data(subject: Subject) -> Check:
    mend = _("Update the time zone data: `pip install --upgrade tzdata`, or the system's package tzdata.")
    try:
        version = metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        version = _("the system's own")
    try:
        offset = _PROBE_AT.astimezone(zoneinfo.ZoneInfo(_PROBE_ZONE)).utcoffset()
    except zoneinfo.ZoneInfoNotFoundError:
        return fail("zone_data", _("there are no time zone data"), mend)
    if offset != _PROBE_OFFSET:
        return warn("zone_data", _("the time zone data are older than 2024"), mend)
    return ok("zone_data", _("tzdata {version}; B24_TZ is {zone}").format(version=version, zone=subject.zone.key))


def _data_folder(subject: Subject) -> Iterator[Check]:
    folder = subject.data_dir
    if not os.access(folder, os.F_OK):
        yield _no_folder(folder)
    elif not folder.is_dir():
        yield fail(
            "data_folder", _("{path} is not a folder").format(path=folder), _("Set B24_DATA_DIR to a folder's path.")
        )
    elif (reason := _refusal(folder)) is not None:
        yield fail(
            "data_folder",
            _("{path}: {reason}").format(path=folder, reason=reason),
            _("Let {user} write there (the user who runs b24tools), or set another B24_DATA_DIR.").format(user=_user())
            if not _is_full(reason)
            else _("Make room on that disk: without it no order can be noted down."),
        )
    else:
        yield ok("data_folder", _("{path}, writable by {user}").format(path=folder, user=_user()))
        yield from _rights(folder)
    if "B24_DATA_DIR" not in subject.given:
        yield warn(
            "setting B24_DATA_DIR",
            _("not set: another user (cron, a service) would have another data folder, and make tasks twice"),
            _("Write B24_DATA_DIR={path} into .env.").format(path=folder),
        )


def _no_folder(folder: Path) -> Check:
    parent = next((one for one in folder.parents if os.access(one, os.F_OK)), folder)
    if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
        return ok("data_folder", _("{path}: not there yet, the first command makes it").format(path=folder))
    return fail(
        "data_folder",
        _("{path} does not exist, and {user} may not make it").format(path=folder, user=_user()),
        _("Make the folder and let that user write there, or set another B24_DATA_DIR."),
    )


def _refusal(folder: Path) -> str | None:
    """Why nothing can be written there: tried with a nameless file, because rights alone tell little on Windows."""
    try:
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(bytes(TRIAL_BYTES))
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        return os_reason(error)
    return None


def _is_full(reason: str) -> bool:
    return reason == os_reason(OSError(28, ""))


def _rights(folder: Path) -> Iterator[Check]:
    """Files of another user, and what everybody may read. Windows has other means for both."""
    if os.name == "nt":
        return
    files = [folder, *(one for one in sorted(folder.iterdir()) if one.is_file())]
    locked = [one for one in files if not os.access(one, os.W_OK)]
    if locked:
        yield fail(
            "ownership",
            _("{user} may not write {path}, which {owner} has made").format(
                user=_user(), path=locked[0], owner=_owner(locked[0])
            ),
            _("Run b24tools always as the same user; as root, once: `chown -R {user} {folder}`.").format(
                user=_user(), folder=folder
            ),
        )
    elif folder.stat().st_uid != os.getuid():
        yield warn(
            "ownership",
            _(
                "the folder belongs to {owner}, and this is {user}: what {user} makes there {owner} may be refused"
            ).format(owner=_owner(folder), user=_user()),
            _("Run b24tools always as the same user: `sudo -u {owner} b24tools …`.").format(owner=_owner(folder)),
        )
    if folder.stat().st_mode & stat.S_IROTH and folder.stat().st_mode & stat.S_IXOTH:
        yield warn(
            "ownership",
            _("every user of this machine may read {path}: customers, sums, events").format(path=folder),
            f"`chmod 700 {folder}`",
        )


def _disk_space(folder: Path) -> Iterator[Check]:
    there = next(one for one in (folder, *folder.parents) if os.access(one, os.F_OK))
    free = shutil.disk_usage(there).free
    told = _("{free} free").format(free=size(free))
    mend = _("Make room on the disk of {path}.").format(path=there)
    if free < TOO_LITTLE_BYTES:
        yield fail("disk_space", told, mend)
    elif free < LITTLE_BYTES:
        yield warn("disk_space", told, mend)
    else:
        yield ok("disk_space", told)


def _cache(folder: Path, now: datetime) -> Iterator[Check]:
    """The cache of departments and people: SQLite as well, and no harm if it is lost."""
    file = folder / "cache.db"
    if not os.access(file, os.F_OK):
        yield ok("cache", _("empty: the next command reads departments and people from the portal"))
        return
    try:
        with closing(database.connect_read_only(file)) as connection:
            count, first = connection.execute("SELECT count(*), min(store_time) FROM Cache").fetchone()
    except database.Error as error:
        yield warn(
            "cache",
            _("{path} cannot be read: {reason}").format(path=file, reason=error),
            _("Delete the folder {path}; it is made again.").format(path=folder),
        )
        return
    entries = ngettext("{n} entry", "{n} entries", count).format(n=count)
    hours = "" if first is None else _(", the oldest {n:.1f} h old").format(n=max(0.0, now.timestamp() - first) / 3600)
    yield ok(
        "cache", _("{entries}{hours}; delete {path} to read all anew").format(entries=entries, hours=hours, path=folder)
    )


def _user() -> str:
    """Who runs this."""
    try:
        import pwd
    except ImportError:  # Windows
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no name for the number, as in a container
        return f"#{os.getuid()}"


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError, NotImplementedError):
        return f"#{path.stat().st_uid}"
