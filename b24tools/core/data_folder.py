"""The data folder: customers, sums and events in it are for the user who runs b24tools alone."""

from __future__ import annotations

import atexit
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import BinaryIO

PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700
RUN = "run"  # the folder of locks in it
OWN_FILES = CALENDAR, PEOPLE = "calendar.json", "people.json"  # the user's
SHARED = "shared.json"  # what each was when the folder and the database had last the same
_DRIVE_REMOTE = 4  # of Windows' GetDriveType
_NETWORK = re.compile(
    r"9p|afs|beegfs|ceph|cifs|davfs|fuse\.(ceph-fuse|davfs2|glusterfs|rclone|sshfs)|glusterfs|lustre|ncpfs|nfs4?"
    r"|smb[23]|smbfs|vboxsf"
)
_OURS = re.compile(
    r"b24tools\..*|log\.log.*|throttle\.json.*|[a-z]+\.lock(\.json)?|(calendar|people|shared)\.(.*\.)?json"
    r"|\.(b24tools|calendar|people|shared)\..*\.part|cache|backups|run"
)


def prepare(folder: Path) -> None:
    """Make the data folder, or take it from others' eyes: 0700, its files 0600. Raises OSError where there can be none.

    A folder that holds anything else than our files keeps its rights: it may be a home, or /tmp.
    """
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    if os.name == "nt":  # its folders of users are private by themselves
        return
    notice_owner(folder)
    with suppress(OSError):
        # unlike the other one, no rsync sets this moment back, and the rights of the folder change it, too; those of a
        # file do not, nor does what comes in within the same tick of the kernel's clock: hence each minute anew
        _hide_files(folder, folder.stat().st_ctime_ns, int(time.monotonic() // 60))


@lru_cache(maxsize=100)  # a service asks with each order, and seldom has anything come into the folder since
def _hide_files(folder: Path, _changed_at_ns: int, _minute: int) -> None:
    files = list(folder.iterdir())
    ours = [file for file in files if _OURS.fullmatch(file.name)]
    within = folder.glob("cache/cache.db*")  # of 0.1.0; what is in the other folders was never for others
    for path in [*([folder] if len(ours) == len(files) else []), *ours, *within]:
        with suppress(OSError):  # gone by now, or of another user: doctor names those
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO) and not path.is_symlink():
                path.chmod(mode & stat.S_IRWXU)


def is_folder(path: Path) -> bool:
    """Return whether it is a folder; no where it cannot be looked at, which pathlib raises an error for."""
    with suppress(OSError):
        return path.is_dir()
    return False


_of_others: list[Path] = []  # data folders of other users, in which root works


@cache
def notice_owner(folder: Path) -> None:
    """Let what root makes in a folder of another user be that user's from now on, with what a kill has left."""
    if os.name != "nt" and os.geteuid() == 0 and folder.stat().st_uid != 0:
        _of_others.append(folder)
        hand_over(folder)
        atexit.register(hand_over, folder)


def give_back(path: Path) -> None:
    """Give what root has just made in a data folder of another user to that user, who works in it meanwhile."""
    for folder in _of_others:
        if folder in path.parents:
            with ExitStack() as opened, suppress(OSError):
                handle = os.open(folder, os.O_RDONLY)
                opened.callback(os.close, handle)
                for name in path.relative_to(folder).parts[:-1]:  # no link of that user's is followed
                    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                    opened.callback(os.close, handle)
                _give(path.name, folder.stat(), handle)


def prepare_lock(path: Path) -> None:
    """Make the file of a lock where the library that takes it would leave it root's. Raises OSError."""
    if _of_others:
        touch(path)


def make_folder(folder: Path) -> None:
    """Make a folder in the data folder unless it is there. Raises OSError."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    give_back(folder)


def hand_over(folder: Path) -> None:
    """Give what root has made in a folder of another user to that user: cron and the service could not go on with it.

    Links stay root's, whatever they lead to: that user may have put them there.
    """
    if not is_folder(folder):  # taken away meanwhile
        return
    owner = folder.stat()
    for top, folders, files, handle in os.fwalk(folder):
        if top == str(folder):
            folders[:], files = ([name for name in names if _OURS.fullmatch(name)] for names in (folders, files))
        for name in (*folders, *files):
            _give(name, owner, handle)


def hand_over_inbox(made: Path, folder: Path) -> None:
    """Give a folder of an inbox that root has made to whom the data folder belongs; its group stays if that was set."""
    if os.name != "nt" and os.geteuid() == 0 and is_folder(folder):
        _give(str(made), folder.stat(), None)


def _give(name: str, owner: os.stat_result, handle: int | None) -> None:
    with suppress(OSError):  # a link, or gone by now
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
        try:
            state = os.fstat(opened)
            if state.st_uid == 0 and (stat.S_ISDIR(state.st_mode) or state.st_nlink == 1):
                os.fchown(opened, owner.st_uid, owner.st_gid if state.st_gid == 0 else -1)
        finally:
            os.close(opened)


@cache
def has_locks(folder: Path) -> bool:
    """Return whether the folder's file system has both kinds of locks, ours and SQLite's; yes where that is unknown.

    Without them SQLite takes the database for one that is always busy, and a kill leaves the files of filelock behind.
    """
    import tempfile  # slow to load

    with suppress(ImportError, OSError):  # Windows, which has locks everywhere; a folder that cannot be written to
        import fcntl

        with tempfile.TemporaryFile(dir=folder) as trial:
            try:
                fcntl.flock(trial.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                fcntl.lockf(trial.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
    return True


def require_locks(folder: Path) -> None:
    """Raise OSError where there are no locks: filelock would warn, and go on with files that a kill leaves behind."""
    if not has_locks(folder):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def touch(path: Path) -> None:
    """Make a file that others cannot read, unless it is there. Raises OSError."""
    path.touch(mode=PRIVATE_FILE)
    give_back(path)


@contextmanager
def write_whole(
    path: Path, *, part: Path | None = None, private: bool = True, durable: bool = False
) -> Iterator[BinaryIO]:
    """Open a file beside `path` that takes its place at the end of the block: it is written whole or not at all.

    `part`: that file, where no other process writes it at the time: what a kill leaves, the next one writes over.
    `private`: others cannot read it. `durable`: it survives a power cut. Raises OSError.
    """
    new = part or path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    new.unlink(missing_ok=True)
    new.touch(mode=PRIVATE_FILE if private else 0o666, exist_ok=False)
    give_back(new)
    try:
        with new.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)
    if durable and os.name != "nt":  # which opens no folders
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def write_in_place(path: Path, content: bytes) -> None:
    """Write a small file that others cannot read, without cutting it short first: ext4 would bring that to the disk.

    Raises OSError.
    """
    no_link = getattr(os, "O_NOFOLLOW", 0)  # as in a folder of another user root would write to what it leads to
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | no_link, PRIVATE_FILE)
    try:
        os.write(handle, content)
        os.truncate(handle, len(content))
    finally:
        os.close(handle)
    give_back(path)


def find_network_share(folder: Path) -> str:
    """Return what kind of network share the folder is on; "" for a disk of this machine, or where that is unknown."""
    folder = next(one for one in (folder.absolute(), *folder.absolute().parents) if os.access(one, os.F_OK)).resolve()
    if os.name == "nt":
        import ctypes

        is_remote = ctypes.windll.kernel32.GetDriveTypeW(folder.anchor) == _DRIVE_REMOTE  # type: ignore[attr-defined]
        return "SMB" if is_remote else ""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    kind = find_file_system(mounts, folder)
    return kind if _NETWORK.fullmatch(kind) else ""


def find_file_system(mounts: str, folder: Path) -> str:
    """Return the kind of file system that the folder is on, by the lines of /proc/self/mountinfo."""
    kinds = {}
    for line in mounts.splitlines():
        before, _dash, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split()[4])
        kinds[Path(point)] = after.split()[0]  # of two mounts on one folder the last one is seen
    return next((kinds[place] for place in (folder, *folder.parents) if place in kinds), "")
