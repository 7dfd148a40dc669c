"""One run at a time: a lock file in `run/` of the data folder, with a note of who holds it."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from b24tools.core import data_folder, errors
from b24tools.core.i18n import _, os_reason

NOTICEABLE_WAIT_S = 1.0


@contextmanager
def hold(
    folder: Path,
    name: str,
    wait_s: float,
    now: Callable[[], datetime],
    say: Callable[[str], None] | None = None,
    command: str = "",
) -> Iterator[None]:
    """Hold the lock `name` of this data folder for a `command`; the system releases it when the process dies.

    Hold the file beside the database, too: there b24tools 0.1 looks, which may still run during an upgrade.
    `say` is called once with whom it waits for, if that takes a while.
    Raises Busy, naming the holder and since when, if it is not free within `wait_s` seconds.
    """
    try:
        data_folder.prepare(folder)
    except OSError as error:
        raise _explain(folder, error) from None
    if not data_folder.has_locks(folder):
        raise without_locks(folder)
    with ExitStack() as held:
        for place in (folder, folder / data_folder.RUN):
            held.enter_context(_hold_file(place, name, wait_s, now, say, command or name))
        yield


@contextmanager
def _hold_file(
    folder: Path,
    name: str,
    wait_s: float,
    now: Callable[[], datetime],
    say: Callable[[str], None] | None,
    command: str,
) -> Iterator[None]:
    import filelock  # most commands take no lock

    lock = filelock.FileLock(folder / f"{name}.lock", mode=data_folder.PRIVATE_FILE)
    note = folder / f"{name}.lock.json"  # beside it: on Windows a locked file cannot be read
    try:
        data_folder.make_folder(folder)
        data_folder.prepare_lock(folder / f"{name}.lock")
        silent_s = wait_s if say is None else min(wait_s, NOTICEABLE_WAIT_S)
        try:
            lock.acquire(timeout=silent_s, poll_interval=0.1)
        except filelock.Timeout:
            if say is None or silent_s == wait_s:
                raise
            say(describe_wait(*_read_holder(note, name)))
            lock.acquire(timeout=wait_s - silent_s, poll_interval=0.1)
    except filelock.Timeout:
        raise refuse(*_read_holder(note, name)) from None
    except OSError as error:
        raise _explain(folder, error) from None
    try:
        since = now().isoformat(timespec="seconds")
        with suppress(OSError):  # a full disk: the database will say so, and which
            holder = {"pid": os.getpid(), "since": since, "command": command}
            data_folder.write_in_place(note, json.dumps(holder).encode())
        yield
    finally:
        lock.release()


def _explain(folder: Path, error: OSError) -> errors.ConfigError:
    number = errno.errorcode.get(error.errno or 0, "")
    reason = f"{os_reason(error)} ({number})" if number else os_reason(error)
    hint = _("B24_DATA_DIR names it: the user who runs b24tools must be allowed to write there.")
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = _("B24_DATA_DIR names it: see whether its file system has locks, or choose a local one.")
    return errors.ConfigError(
        _("the folder {folder} cannot be locked: {reason}").format(folder=folder, reason=reason), hint
    )


def without_locks(folder: Path) -> errors.ConfigError:
    """Return what is said where a folder's file system has no locks."""
    return errors.ConfigError(
        _("the folder {path} cannot be locked: its file system has no locks").format(path=folder),
        _("As some network folders have none: set B24_DATA_DIR to a local one."),
    )


def describe_wait(command: str, holder: str) -> str:
    """Say whom a run waits for."""
    return _("waiting for another run of `b24tools {name}`: {holder}").format(name=command, holder=holder)


def refuse(command: str, holder: str) -> errors.Busy:
    """Return what is said where the lock is not free in time."""
    return errors.Busy(
        _("another run of `b24tools {name}` is at work: {holder}").format(name=command, holder=holder),
        _("Nothing was written; it is safe to try again when it has ended."),
    )


def unknown_holder() -> str:
    """Return what is said where the holder cannot be found out."""
    return _("an unknown process")


def _read_holder(note: Path, name: str) -> tuple[str, str]:
    """Return the holder's command, by default that of the lock, and its process in words."""
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        holder = _("process {pid}, since {since}").format(pid=content["pid"], since=content["since"])
        return content.get("command", name), holder  # 0.1 does not write it
    except (OSError, ValueError, KeyError, TypeError):
        return name, unknown_holder()
