"""Where `serve` writes what happened: `log.log` in the data folder, and stderr; never a secret."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from b24tools.core import errors
from b24tools.core.i18n import _, os_reason

NAME = "log.log"
MOST_BYTES = 5 * 1024 * 1024
OLD_FILES = 3
LOGGERS = ("b24tools", "uvicorn", "asyncio")


class Scrubber(logging.Formatter):
    """Writes `***` for each secret, wherever it comes from: a message, its arguments, a traceback."""

    def __init__(self, form: str, secrets: Collection[str], *, tracebacks: bool = True) -> None:
        super().__init__(form)
        longest_first = sorted(filter(None, secrets), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None
        self._tracebacks = tracebacks
        self._second = (0, "")

    def format(self, record: logging.LogRecord) -> str:
        """The record's text."""
        record.exc_text = None  # logging keeps the first formatter's traceback there for all others
        return self.scrub(super().format(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """Written out once a second: there may be thousands of lines in one."""
        second, text = self._second
        if int(record.created) != second:
            second, text = int(record.created), time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
            self._second = (second, text)
        return f"{text},{int(record.msecs):03}"

    def formatException(self, ei: object) -> str:
        """The traceback, or only its last line."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return text if self._tracebacks else text.rpartition("\n")[2]

    def scrub(self, text: str) -> str:
        """The text without secrets."""
        return self._secrets.sub("***", text) if self._secrets else text


class _File(RotatingFileHandler):
    """logging's own looks at the folder and formats each record twice, which costs more than all the rest of a line."""

    _broken = _failed = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write it. A disk that is full is told once, without the record: logging would show it with its secrets."""
        self._failed = False
        super().emit(record)
        self._broken = self._failed

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing a request should suffer from."""
        self._failed = True
        reason = sys.exc_info()[1]
        if not self._broken and isinstance(reason, Exception):
            words = _("{path} cannot be written: {reason}").format(path=self.baseFilename, reason=os_reason(reason))
            sys.stderr.write(words + "\n")

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Once it is full: the last line may stick out."""
        return self.stream is not None and self.stream.tell() >= self.maxBytes


@contextmanager
def kept(folder: Path, secrets: Collection[str], level: int) -> Iterator[Path]:
    """Log to the file of this folder while the block runs, and to stderr as much as `level` (-1 to 2) says.

    Raises ConfigError when the file cannot be written.
    """
    path = folder / NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = _File(path, maxBytes=MOST_BYTES, backupCount=OLD_FILES, encoding="utf-8")
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be written: {reason}").format(path=path, reason=os_reason(error)),
            _("B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space."),
        ) from None
    file.setFormatter(Scrubber("%(asctime)s %(levelname)s %(message)s", secrets))
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(Scrubber("%(message)s", secrets, tracebacks=level >= 2))
    screen.setLevel({-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(level, logging.DEBUG))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        ours = logging.DEBUG if level >= 2 else logging.INFO
        logger.setLevel(ours if logger.name == "b24tools" else logging.WARNING)
        logger.propagate = False
        logger.addHandler(file)
        logger.addHandler(screen)
    try:
        yield path
    finally:
        for logger, (was, propagated) in zip(loggers, before, strict=True):
            logger.removeHandler(file)
            logger.removeHandler(screen)
            logger.setLevel(was)
            logger.propagate = propagated
        file.close()
