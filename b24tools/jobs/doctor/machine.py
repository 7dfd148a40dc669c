"""This machine: versions, time zone data, the data folder and its disk, the cache."""

from __future__ import annotations

import errno
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
from pathlib import Path

from b24tools import __version__
from b24tools.core.data_folder import has_locks
from b24tools.core.i18n import _, ngettext, os_reason
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, fail, ok, warn
from b24tools.store import database

MIB = 1024 * 1024
LITTLE_BYTES = 500 * MIB
TOO_LITTLE_BYTES = 50 * MIB
TRIAL_BYTES = MIB // 4
# Kazakhstan went over to one zone on 1 March 2024: data that do not know it are older
ALMATY_AT, ALMATY_OFFSET = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=5)

checks = Checks(lambda: _("This machine"))


@checks.add("version", lambda: _("versions"))
def check_version(_exam: Examination) -> Finding:
    text = _("b24tools {ours}, Python {python}, SQLite {sqlite}, {system}")
    versions = {"ours": __version__, "python": platform.python_version(), "sqlite": database.VERSION}
    return ok(text, **versions, system=platform.system() or "?")


@checks.add("zone_data", lambda: _("time zones"))
def check_zone_data(exam: Examination) -> Finding:
    fix = _("Update the time zone data: `pip install --upgrade tzdata`, or the system's package tzdata.")
    try:
        offset = ALMATY_AT.astimezone(zoneinfo.ZoneInfo("Asia/Almaty")).utcoffset()
    except zoneinfo.ZoneInfoNotFoundError:
        return fail(_("there are no time zone data"), fix)
    if offset != ALMATY_OFFSET:
        return warn(_("the time zone data are older than 2024"), fix)
    return ok(_("B24_TZ is {zone}"), zone=exam.settings.zone.key)


@checks.add("data_folder", lambda: _("data folder"))
def check_data_folder(exam: Examination) -> Finding:
    """Try to write with a nameless file: rights alone say little on Windows."""
    folder, user = exam.settings.data_dir, _read_user()
    if not os.access(folder, os.F_OK):
        parent = _find_existing(folder.parent)
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            return ok(_("{path}: not there yet, the first command makes it"), path=folder)
        detail = _("{path} does not exist, and {user} may not make it")
        fix = _("Make the folder and let that user write there, or set another B24_DATA_DIR.")
        return fail(detail, fix, path=folder, user=user)
    if not folder.is_dir():
        return fail(_("{path} is not a folder"), _("Set B24_DATA_DIR to a folder's path."), path=folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as trial:
            trial.write(bytes(TRIAL_BYTES))
            trial.flush()
            os.fsync(trial.fileno())
    except OSError as error:
        fix = _("Let {user} write there (the user who runs b24tools), or set another B24_DATA_DIR.")
        if error.errno == errno.ENOSPC:
            fix = _("Make room on that disk: without it no order can be noted down.")
        return fail(_("{path}: {reason}"), fix, path=folder, reason=os_reason(error), user=user)
    if not has_locks(folder):
        fix = _("As some network folders have none: set B24_DATA_DIR to a local one.")
        return fail(_("the folder {path} cannot be locked: its file system has no locks"), fix, path=folder)
    return ok(_("{path}, writable by {user}"), path=folder, user=user)


@checks.add("ownership", lambda: _("rights to files"))
def check_ownership(exam: Examination) -> Iterator[Finding]:
    """Find files of another user, and what everybody may read. Windows has other means for both."""
    folder, user = exam.settings.data_dir, _read_user()
    if os.name == "nt" or not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return
    files = [folder, *(file for file in sorted(folder.iterdir()) if file.is_file())]
    locked = next((file for file in files if not os.access(file, os.W_OK)), None)
    if locked:
        detail = _("{user} may not write {path}, which {owner} has made")
        fix = _("Run b24tools always as the same user; as root, once: `chown -R {user} {folder}`.")
        yield fail(detail, fix, user=user, path=locked, owner=_read_owner(locked), folder=folder)
    elif folder.stat().st_uid != os.getuid():
        detail = _("the folder belongs to {owner}, and this is {user}: what {user} makes there {owner} may be refused")
        fix = _("Run b24tools always as the same user: `sudo -u {owner} b24tools …`.")
        yield warn(detail, fix, user=user, owner=_read_owner(folder))
    if folder.stat().st_mode & stat.S_IROTH and folder.stat().st_mode & stat.S_IXOTH:
        detail = _("every user of this machine may read {path}: customers, sums, events")
        yield warn(detail, "`chmod 700 {path}`", path=folder)


@checks.add("disk_space", lambda: _("disk"))
def check_disk_space(exam: Examination) -> Finding:
    folder = _find_existing(exam.settings.data_dir)
    free = shutil.disk_usage(folder).free
    if free >= LITTLE_BYTES:
        return ok(_("{free} free"), free=format_size(free))
    judge = fail if free < TOO_LITTLE_BYTES else warn
    return judge(_("{free} free"), _("Make room on the disk of {path}."), free=format_size(free), path=folder)


@checks.add("cache", lambda: _("cache"))
def check_cache(exam: Examination) -> Finding:
    """The cache of departments and people is SQLite as well, and no harm if it is lost."""
    folder = exam.settings.data_dir / "cache"
    file = folder / "cache.db"
    if not os.access(file, os.F_OK):
        return ok(_("empty: the next command reads departments and people from the portal"))
    try:
        with closing(database.connect_read_only(file)) as connection:
            count = connection.execute("SELECT count(*) FROM Cache").fetchone()[0]
    except database.Error as error:
        fix = _("Delete the folder {folder}; it is made again.")
        return warn(_("{path} cannot be read: {reason}"), fix, path=file, reason=error, folder=folder)
    entries = ngettext("{n} entry", "{n} entries", count).format(n=count)
    return ok(_("{entries}; delete {path} to read all anew"), entries=entries, path=folder)


def format_size(count: int) -> str:
    """Write a number of bytes for people."""
    if count < MIB:
        return _("{n} KiB").format(n=-(-count // 1024))
    if count < 10_000 * MIB:
        return _("{n} MiB").format(n=round(count / MIB))
    return _("{n} GiB").format(n=count // MIB // 1024)


def _find_existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(one for one in (path, *path.parents) if os.access(one, os.F_OK))


def _read_user() -> str:
    try:
        import pwd
    except ImportError:  # Windows
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no name for the number, as in a container
        return f"#{os.getuid()}"


def _read_owner(path: Path) -> str:
    try:
        return path.owner()
    except (KeyError, OSError, NotImplementedError):
        return f"#{path.stat().st_uid}"
