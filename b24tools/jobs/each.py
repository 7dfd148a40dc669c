"""One command for many portals: a process for each profile, so many at once, each with its time."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass

from b24tools.core import errors

GRACE_S = 20.0  # for a command to end by itself once it was interrupted
WORST_FIRST = (2, 1, 3, errors.TRY_LATER, 0)


@dataclass(frozen=True)
class Answer:
    """How the command ended for a profile, and what it printed. `in_time`: it was not cut."""

    profile: str
    status: int
    out: str
    err: str
    in_time: bool = True


def run_each(commands: Mapping[str, Sequence[str]], at_once: int, limit_s: float) -> Iterator[Answer]:
    """Run the command line of each profile; yield how each has ended, as they end.

    What takes longer than its time is interrupted, and counts as to be tried later: repeating is safe. On Ctrl+C all
    that run are interrupted, and the others never begin.
    """
    runs = _Runs(limit_s)
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        waiting = [pool.submit(runs.run, profile, words) for profile, words in commands.items()]
        try:
            for done in as_completed(waiting):
                yield done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            runs.stop()
            _done, slow = wait([future for future in waiting if not future.cancelled()], timeout=GRACE_S)
            if slow:
                runs.kill()
            raise


def find_worst(statuses: Iterable[int]) -> int:
    """Return the exit status that stands for all; what is none of ours (a signal) is a failure."""
    ours = {status if status in WORST_FIRST else 1 for status in statuses}
    return next((status for status in WORST_FIRST if status in ours), 0)


class _Runs:
    """The processes that run now."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._is_stopped = False

    def run(self, profile: str, words: Sequence[str]) -> Answer:
        with self._lock:
            if self._is_stopped:
                return Answer(profile, errors.TRY_LATER, "", "", in_time=False)
            process = _start(words)
            self._running.add(process)
        in_time = True
        try:
            out, err = process.communicate(timeout=self._limit_s)
        except subprocess.TimeoutExpired:
            in_time = False
            _interrupt(process)
            try:
                out, err = process.communicate(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
        finally:
            with self._lock:
                self._running.discard(process)
        return Answer(profile, process.returncode if in_time else errors.TRY_LATER, out, err, in_time)

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            for process in self._running:
                _interrupt(process)

    def kill(self) -> None:
        with self._lock:
            for process in self._running:
                process.kill()


def _start(words: Sequence[str]) -> subprocess.Popen[str]:
    """Start a process that Ctrl+C on the terminal does not reach: it is passed on, once."""
    return subprocess.Popen(  # noqa: S603 - our own program
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=os.name != "nt",
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )


def _interrupt(process: subprocess.Popen[str]) -> None:
    # in the background of a shell SIGINT is ignored, and what was started there ignores it, too
    is_ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    with suppress(OSError):  # it has ended meanwhile
        if os.name == "nt" or is_ignored:
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)
