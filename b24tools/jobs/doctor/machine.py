"""This machine: settings and their files, versions, time zone data, the data folder and its disk, the cache."""

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

from pydantic import SecretStr

from b24tools import __version__
from b24tools.core.data_folder import RUN, find_network_share, has_locks, is_folder
from b24tools.core.database_url import DatabaseUrl
from b24tools.core.i18n import _, ngettext, os_reason
from b24tools.core.locks import without_locks
from b24tools.core.sizes import MIB, format_size
from b24tools.jobs.doctor.checks import Checks, Examination, Finding, fail, from_error, listed, ok, warn
from b24tools.store import database
from b24tools.store.settings import WEBHOOK

SHORT_TOKEN = 16
LITTLE_BYTES = 500 * MIB
TOO_LITTLE_BYTES = 50 * MIB
TRIAL_BYTES = MIB // 4
# Kazakhstan went over to one zone on 1 March 2024: data that do not know it are older
ALMATY_AT, ALMATY_OFFSET = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=5)

checks = Checks(lambda: _("This machine"))


@checks.add("settings", lambda: _("settings"))
def check_source(exam: Examination) -> Finding | None:
    if exam.inspection.is_unread:
        return None
    given, file = len(exam.inspection.given), exam.inspection.file
    count = ngettext("{n} setting", "{n} settings", given).format(n=given)
    if file is None:
        return ok(_("no .env from this folder upwards; the environment sets {count}"), count=count)
    return ok(_("{file}, with the environment: {count} set"), file=file, count=count)


@checks.add("env_file", lambda: _("settings file"))
def check_env_file(exam: Examination) -> Iterator[Finding]:
    """Find a file that cannot be read, or that everybody may read: the webhook in it is a password."""
    yield from (from_error(problem) for name, problem in exam.inspection.problems if not name)
    file = exam.inspection.file
    mode = file.stat().st_mode if file and os.name != "nt" and os.access(file, os.F_OK) else 0
    if stat.S_ISREG(mode) and mode & stat.S_IROTH:  # not of /dev/null
        detail = _("every user of this machine may read {path}, and with it the webhook")
        yield warn(detail, "`chmod 600 {path}`", path=file)


@checks.add("setting", lambda: "")
def check_values(exam: Examination) -> Iterator[Finding]:
    settings = exam.settings
    yield from (from_error(problem, name) for name, problem in exam.inspection.problems if name)
    for unknown in exam.inspection.unknown:
        fix = _("Remove it; .env-example lists all settings.")
        if unknown.nearest:
            fix = _("Write {nearest}, if that is meant; .env-example lists all settings.")
        detail = _("in {where}: there is no such setting")
        yield warn(detail, fix, about=unknown.name, where=unknown.where, nearest=unknown.nearest)
    for text in exam.inspection.repeated:
        yield warn(text, _("Leave one of the two."))
    if settings.ca_bundle is not None and not os.access(settings.ca_bundle, os.R_OK):
        fix = _("Name the PEM file of the authority that signed the portal's certificate, or leave the setting empty.")
        detail = _("{path} is not there, or {user} may not read it")
        yield fail(detail, fix, about="B24_CA_BUNDLE", path=settings.ca_bundle, user=_name_user())
    if "B24_DATA_DIR" not in exam.inspection.given and not exam.inspection.is_unread:
        detail = _("not set: another user (cron, a service) would have another data folder, and make tasks twice")
        yield warn(detail, _("Write B24_DATA_DIR={path} into .env."), about="B24_DATA_DIR", path=settings.data_dir)


@checks.add("serve_token", lambda: _("token of serve"))
def check_serve_token(exam: Examination) -> Finding:
    token = _reveal(exam.settings.serve_token)
    if not token:
        return ok(_("not set: `serve` listens on this machine only"))
    if len(token) < SHORT_TOKEN:
        fix = _("Set B24_SERVE_TOKEN to a long random word: `python3 -c 'import secrets; print(secrets.token_hex())'`.")
        count = ngettext("{n} character", "{n} characters", len(token)).format(n=len(token))
        return warn(_("only {count} long: it can be guessed"), fix, count=count)
    if token == _reveal(exam.settings.board_token):
        detail = _("B24_BOARD_TOKEN is the same: whoever may see the board may send orders")
        return warn(detail, _("Set B24_BOARD_TOKEN to a word of its own."))
    return ok(_("set"))


@checks.add("outgoing_token", lambda: _("token of events"))
def check_outgoing_token(exam: Examination) -> Finding:
    count = len([word for word in _reveal(exam.settings.outgoing_token).split(",") if word.strip()])
    if count:
        return ok(_("set ({tokens})"), tokens=ngettext("{n} token", "{n} tokens", count).format(n=count))
    fix = _("Put the application token of the outgoing webhook into BITRIX_OUTGOING_TOKEN, and start `serve` again")
    if exam.mode == WEBHOOK:
        detail = _("not set, though the mode is webhook: every event is refused with 403")
        return fail(detail, _("{how}; or go back: `b24tools mode polling`."), how=fix)
    detail = _("not set: `serve` would refuse events, which polling mode does not need")
    if _reveal(exam.settings.serve_token):  # the HTTP side is in use
        return warn(detail, _("{how}, should events be wanted."), how=fix)
    return ok(detail)


def _reveal(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


@checks.add("version", lambda: _("versions"))
def check_version(_exam: Examination) -> Finding:
    text, system = _("b24tools {ours}, Python {python}, SQLite {sqlite}, {system}"), platform.system() or "?"
    return ok(text, ours=__version__, python=platform.python_version(), sqlite=database.VERSION, system=system)


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
    folder, user = exam.settings.data_dir, _name_user()
    if not os.access(folder, os.F_OK):
        parent = _find_existing(folder.parent)
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            return ok(_("{path}: not there yet, the first command makes it"), path=folder)
        fix = _("Make the folder and let that user write there, or set another B24_DATA_DIR.")
        detail = _("{path} does not exist, and {user} may not make it")
        if parent.is_dir() and not os.access(parent, os.X_OK):
            detail = _("{path}: {user} may not enter {parent}")
        return fail(detail, fix, path=folder, user=user, parent=parent)
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
        return from_error(without_locks(folder))
    return ok(_("{path}, writable by {user}"), path=folder, user=user)


@checks.add("network_share", lambda: _("network share"))
def check_network_share(exam: Examination) -> Finding | None:
    """SQLite's log needs memory that processes share: two machines on one file damage it."""
    kind = find_network_share(exam.settings.data_dir)
    if not kind or isinstance(exam.settings.database, DatabaseUrl):
        return None
    detail = _("{path} is on a network share ({kind}): a second machine that uses it damages the database")
    fix = _("Set B24_DATA_DIR to a folder on a disk of this machine; move an installation with `b24tools backup`.")
    return warn(detail, fix, path=exam.settings.data_dir, kind=kind)


@checks.add("ownership", lambda: _("rights to files"))
def check_ownership(exam: Examination) -> Iterator[Finding]:
    """Find files of another user, and what everybody may read. Windows has other means for both."""
    folder, user = exam.settings.data_dir, _name_user()
    if os.name == "nt" or not is_folder(folder) or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return
    ours = [folder / name for name in (RUN, "cache", "backups")]
    inside = [file for place in ours if os.access(place, os.R_OK | os.X_OK) for file in place.glob("*")]
    files = [folder, *(file for file in sorted([*folder.iterdir(), *inside]) if file.is_file() or file in ours)]
    locked = next((file for file in files if not os.access(file, os.W_OK)), None)
    if locked:
        detail = _("{user} may not write {path}, which {owner} has made")
        fix = _("Run b24tools always as the same user; as root, once: `chown -R {user} {folder}`.")
        yield fail(detail, fix, user=user, path=locked, owner=_name_user(locked), folder=folder)
    elif folder.stat().st_uid != os.getuid() != 0:  # what root makes is the owner's at once
        detail = _("the folder belongs to {owner}, and this is {user}: what {user} makes there {owner} may be refused")
        fix = _("Run b24tools always as the same user: `sudo -u {owner} b24tools …`.")
        yield warn(detail, fix, user=user, owner=_name_user(folder))
    others = [file for file in files if file.stat().st_uid != folder.stat().st_uid]
    if others and not locked:
        detail = _("the folder belongs to {owner}, but {user} works in it, too: {names}")
        fix = _("Find the cron or the service of {user} that uses this folder, and let {owner} run it.")
        owner, other = _name_user(folder), _name_user(others[0])
        names = listed([file.name for file in others])
        if others[0].stat().st_uid == 0:
            fix = _("What b24tools makes as root is {owner}'s at once, these are not: `chown -R {owner} {folder}`.")
        yield warn(detail, fix, owner=owner, user=other, names=names, folder=folder)
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
    if os.access(folder, os.F_OK) and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        fix = _("Until then each command reads departments and people from the portal: `chown -R {user} {folder}`.")
        return warn(_("{user} may not use {folder}"), fix, user=_name_user(), folder=folder)
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


def _find_existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if os.access(folder, os.F_OK))


def _name_user(path: Path | None = None) -> str:
    """Name the owner of a file, or the user who runs this; in a container the number may have no name."""
    try:
        import pwd
    except ImportError:  # Windows
        return getpass.getuser()
    number = path.stat().st_uid if path else os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"#{number}"
