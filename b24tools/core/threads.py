"""Work that goes on beside the rest of a run."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def run_beside(work: Callable[[], T], name: str) -> Future[T]:
    """Run in a thread of this name, which does not keep the program from ending.

    What the work raises is raised where its result is asked for.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - see above
            result.set_exception(error)

    threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True).start()
    return result
