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

from b24tools.core import data_folder, errors
from b24tools.core.i18n import _, os_reason

NAME = "log.log"
MOST_BYTES = 5 * 1024 * 1024
OLD_FILES = 3
HOUR_S = 3600
LOGGERS = ("b24tools", "uvicorn", "asyncio")
SCREEN_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}


class Scrubber(logging.Formatter):
    """Writes `***` for each secret, wherever it comes from: a message, its arguments, a traceback."""

    def __init__(self, form: str, secrets: Collection[str], *, tracebacks: bool = True) -> None:
        super().__init__(form)
        longest_first = sorted(filter(None, secrets), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """Format the record without secrets."""
        record.exc_text = None  # logging keeps the first formatter's traceback there for all others
        return self._secrets.sub("***", super().format(record))

    def formatException(self, ei: object) -> str:
        """Format the traceback, or only its last line."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return text if self._tracebacks else text.rpartition("\n")[2]


class LogFile(RotatingFileHandler):
    """A rotating file that says on stderr when it cannot be written.

    logging's own words would be said with each line, and show the line with its secrets.
    """

    _said_at = -float(HOUR_S)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say it, once an hour."""
        reason = sys.exc_info()[1]
        if isinstance(reason, Exception) and time.monotonic() - self._said_at >= HOUR_S:
            self._said_at = time.monotonic()
            words = _("{path} cannot be written: {reason}").format(path=self.baseFilename, reason=os_reason(reason))
            sys.stderr.write(words + "\n")


@contextmanager
def write_log(folder: Path, secrets: Collection[str], level: int) -> Iterator[Path]:
    """Log to the file of this folder while the block runs, and to stderr as much as `level` (-1 to 2) says.

    Raises ConfigError when the file cannot be written.
    """
    path = folder / NAME
    try:
        data_folder.prepare(folder)
        file = LogFile(path, maxBytes=MOST_BYTES, backupCount=OLD_FILES, encoding="utf-8")
    except OSError as error:
        raise errors.ConfigError(
            _("{path} cannot be written: {reason}").format(path=path, reason=os_reason(error)),
            _("B24_DATA_DIR names its folder: it must exist or be creatable, be writable and have free space."),
        ) from None
    file.setFormatter(Scrubber("%(asctime)s %(levelname)s %(message)s", secrets))
    screen = logging.StreamHandler(sys.stderr)
    screen.setFormatter(Scrubber("%(message)s", secrets, tracebacks=level >= 2))
    screen.setLevel(SCREEN_LEVELS[min(level, 2)])
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
        logger.propagate = False
        logger.addHandler(file)
        logger.addHandler(screen)
    logging.getLogger("b24tools").setLevel(logging.DEBUG if level >= 2 else logging.INFO)
    try:
        yield path
    finally:
        for logger in loggers:
            logger.removeHandler(file)
            logger.removeHandler(screen)
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
        file.close()
