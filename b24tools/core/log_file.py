"""`log.log` in the data folder: what `serve` and the commands of cron did. Never a secret, and never a failed run."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from pathlib import Path

from b24tools.core import data_folder
from b24tools.core.config import Settings
from b24tools.core.i18n import _, os_reason

NAME = "log.log"
MOST_BYTES = 5 * 1024 * 1024
LONELY_SHARE = 15 / 16  # of MOST_BYTES: a line that ends before needs no lock
OLD_FILES = 3
LOCK_S = 1.0  # another process holds it for the time of a line
HOUR_S, DAY_S = 3600, 86_400
LOGGERS = ("b24tools", "uvicorn", "asyncio")
COMMAND_LOGGERS = ("b24tools.orders", "b24tools.command")  # the rest of what a command logs is for -v
SCREEN_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}


class LineFormatter(logging.Formatter):
    """Writes a record as one line without secrets, wherever they come from, and its traceback below."""

    def __init__(self, form: str, scrub: Callable[[str], str], zone: tzinfo = UTC, *, tracebacks: bool = True) -> None:
        super().__init__(form)
        self._scrub = scrub
        self._zone = zone
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Format the record without secrets."""
        record.exc_text = None  # logging keeps the first formatter's traceback there for all others
        return self._scrub(super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Write the moment with its zone."""
        return datetime.fromtimestamp(record.created, self._zone).isoformat(" ", "milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Keep on one line what comes from others."""
        line = super().formatMessage(record)
        return line if line.isprintable() else "".join(sign if sign.isprintable() else " " for sign in line)

    def formatException(self, ei: object) -> str:
        """Format the traceback, or only its last line."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return text if self._tracebacks else text.rpartition("\n")[2]


class LogFile(logging.Handler):
    """A file that several processes append to and turn over when it is full; says on stderr when it cannot be written.

    It is opened for each line: what another process has turned over is written to no more, and Windows renames no open
    file. logging's own words about a failure would be said with each line, and show the line with its secrets.
    """

    _said_at = -float(HOUR_S)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._note = path.with_name(f"{NAME}.failed")

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record."""
        try:
            self._append(f"{self.format(record)}\n".encode("utf-8", "replace"))
            with suppress(OSError):  # a new failure is news again
                self._note.unlink(missing_ok=True)
        except Exception:  # noqa: BLE001 - whatever it is, the work goes on
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say it, once an hour, and to who reads the mail of cron once a day.

        Of a folder that is none, or in which nothing may be written, others speak.
        """
        reason = sys.exc_info()[1]
        if not isinstance(reason, Exception) or time.monotonic() - self._said_at < HOUR_S:
            return
        self._said_at = time.monotonic()
        folder = self.path.parent
        if data_folder.is_folder(folder) and os.access(folder, os.W_OK) and not self._was_said():
            words = _("{path} cannot be written: {reason}").format(path=self.path, reason=os_reason(reason))
            with suppress(OSError):  # a full disk behind it as well
                sys.stderr.write(words + "\n")

    def _was_said(self) -> bool:
        """Tell whether a process said so within a day, and none could write since; else note that it is said now."""
        with suppress(OSError):
            if abs(time.time() - self._note.stat().st_mtime) < DAY_S:
                return True
        with suppress(OSError):
            data_folder.touch(self._note)
        return False

    def _append(self, line: bytes) -> None:
        with open(self.path, "ab", buffering=0, opener=_open_private) as file:
            if file.tell() + len(line) <= MOST_BYTES * LONELY_SHARE:
                file.write(line)
                return
        import filelock  # it takes longer than all else: only where the file may have to be turned over

        with ExitStack() as held:
            try:
                data_folder.require_locks(self.path.parent)
                data_folder.prepare_lock(self.path.with_name(f"{NAME}.lock"))
                lock = filelock.FileLock(f"{self.path}.lock", mode=0o600)
                held.enter_context(lock.acquire(timeout=LOCK_S, poll_interval=0.01))
            except (OSError, NotImplementedError, filelock.Timeout):
                pass  # not for this user, or no locks here: appended all the same, turned over by somebody else
            else:
                self._turn_over(len(line))
            with open(self.path, "ab", buffering=0, opener=_open_private) as file:
                file.write(line)

    def _turn_over(self, more: int) -> None:
        """Rename the file when it is full; the oldest one goes. On Windows a reader may hold it: then the next time."""
        with suppress(OSError):
            if self.path.stat().st_size + more <= MOST_BYTES:
                return
            names = [self.path, *(self.path.with_name(f"{NAME}.{number}") for number in range(1, OLD_FILES + 1))]
            for newer, older in reversed(list(pairwise(names))):
                if newer.exists():
                    newer.replace(older)


def _open_private(path: str, flags: int) -> int:
    handle = os.open(path, flags, 0o600)
    data_folder.give_back(Path(path))
    return handle


def open_log(settings: Settings) -> LogFile:
    """Return the file of these settings' data folder; where it cannot be written, it says so when it is."""
    with suppress(OSError):
        data_folder.prepare(settings.data_dir)
    file = LogFile(settings.data_dir / NAME)
    file.setFormatter(LineFormatter("%(asctime)s %(levelname)s %(message)s", settings.scrubber.scrub, settings.zone))
    return file


@contextmanager
def write_log(settings: Settings, level: int) -> Iterator[Path]:
    """Log what `serve` does while the block runs: to the file, and to stderr as much as `level` (-1 to 2) says."""
    file = open_log(settings)
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(LineFormatter("%(message)s", settings.scrubber.scrub, tracebacks=level >= 2))
    screen.setLevel(SCREEN_LEVELS[min(level, 2)])
    with _attach([file, screen], LOGGERS, logging.WARNING):
        logging.getLogger("b24tools").setLevel(logging.DEBUG if level >= 2 else logging.INFO)
        yield file.path


@contextmanager
def write_command_log(settings: Settings, loggers: Sequence[str] = COMMAND_LOGGERS) -> Iterator[None]:
    """Log what a command does while the block runs, to the file only."""
    with _attach([open_log(settings)], loggers, logging.INFO):
        yield


@contextmanager
def _attach(handlers: Iterable[logging.Handler], names: Iterable[str], level: int) -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.setLevel(level)
        logger.propagate = False
        for handler in handlers:
            logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
            for handler in handlers:
                logger.removeHandler(handler)
