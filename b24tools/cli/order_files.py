"""Files with orders: read, taken out of the inbox by its rules, moved when they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from b24tools import context
from b24tools.cli import stdin
from b24tools.core import data_folder, errors, inbox
from b24tools.core.i18n import _, os_reason

if TYPE_CHECKING:
    from b24tools.assignment.report import OrderResult
    from b24tools.core.config import Settings
    from b24tools.onec.order import Order

INBOX_FILES = 100  # planned together
INBOX_BYTES = 128 * 1024 * 1024


@dataclass
class Source:
    """A file with its orders; `stamp`: which writing of it was read, None where it is of no inbox.

    `superseded`: its orders that a newer file has, each with the name of that file.
    """

    path: Path
    orders: list[Order]
    stamp: inbox.Stamp | None = None
    superseded: list[tuple[Order, str]] = field(default_factory=list)


def read_orders(path: Path, settings: Settings) -> list[Order]:
    """Read the orders of a file; `-` is stdin. Raise OrderError or ConfigError, which name the file.

    Neither the orders nor the error hold a secret of these settings.
    """
    from b24tools.onec import order

    read = partial(order.read_orders, zone=settings.zone, hide=settings.order_scrubber.hide)
    name = _("stdin") if str(path) == "-" else inbox.show_name(path)
    try:
        if str(path) != "-":
            with path.open("rb") as stream:
                return read(order.read_source(stream))
        return read(order.read_source(stdin.get().buffer))
    except errors.OrderError as error:
        hint = error.hint or _("Correct the order in 1C and send it again.")
        raise type(error)(settings.scrubber.scrub(f"{name}: {error.message}"), hint) from None
    except OSError as error:
        raise errors.UsageError(
            f"{name}: {os_reason(error)}", _("Name a file with an order that this user may read.")
        ) from error


def read_files(paths: Sequence[Path], settings: Settings, problems: list[errors.B24ToolsError]) -> list[Source]:
    """Read the files; one bad file does not stop the others."""
    sources = []
    for path in paths:
        try:
            sources.append(Source(path, read_orders(path, settings)))
        except errors.B24ToolsError as error:
            problems.append(error)
    return sources


def read_inbox(
    files: Sequence[tuple[Path, inbox.Stamp]], settings: Settings, problems: list[errors.B24ToolsError]
) -> Iterator[list[Source]]:
    """Read the files, the oldest first, in portions that are planned together; move bad orders to `failed`.

    Of several files of one order only the newest counts: one that stays behind must not undo a later change.
    """
    newest: dict[str, Path] = {}
    if len(files) > 1:
        for path, _stamp in files:
            for source in read_files([path], settings, []):
                newest.update((order.id.lower(), path) for order in source.orders)
    portion: list[Source] = []
    size = 0
    for path, stamp in files:
        try:
            orders = read_orders(path, settings)
        except errors.B24ToolsError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                continue  # another run has taken it
            problems.append(error)
            if isinstance(error, errors.OrderError):
                _move(path, stamp, inbox.FAILED, problems, error.line)
            continue
        by_newer = [(order, newest.get(order.id.lower(), path)) for order in orders]
        orders = [order for order, newer in by_newer if newer == path]
        superseded = [(order, newer.name) for order, newer in by_newer if newer != path]
        portion.append(Source(path, orders, stamp, superseded))
        size += sum(len(file.content) for order in orders for file in order.files)
        if len(portion) == INBOX_FILES or size > INBOX_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def move_done(sources: Sequence[Source], results: Sequence[OrderResult], problems: list[errors.B24ToolsError]) -> None:
    """Move the inbox's files whose orders are all done; the others stay and are sent again, which is safe."""
    rest = iter(results)
    for source in sources:
        own = [next(rest) for _order in source.orders]
        if source.stamp and all(result.exit_status == 0 for result in own):
            _move(source.path, source.stamp, inbox.DONE, problems)


def _move(path: Path, stamp: inbox.Stamp, folder: str, problems: list[errors.B24ToolsError], message: str = "") -> None:
    try:
        inbox.move(path, stamp, folder, context.now(), message)
    except errors.ConfigError as error:
        problems.append(error)


def tidy_inbox(folder: Path, settings: Settings, now: datetime) -> None:
    """Leave `done` and `failed` to whom the data are, and delete what was done long ago. Raises ConfigError."""
    for name in (inbox.DONE, inbox.FAILED):
        data_folder.hand_over_inbox(folder / name, settings.data_dir)
    inbox.delete_old(folder, now, timedelta(days=settings.keep_done_days))
