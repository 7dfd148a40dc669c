"""`assign` at the command line: where orders come from, and what the user is told."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from b24tools import errors, onec, session, show
from b24tools.i18n import _
from b24tools.jobs.assign import inbox, run
from b24tools.jobs.assign.result import OrderResult, combined_status

INBOX_FILES = 100  # planned together
INBOX_BYTES = 128 * 1024 * 1024


@dataclass
class _Source:
    """A file (None: stdin) with its orders, or why it has none."""

    path: Path | None
    orders: list[onec.Order] = field(default_factory=list)
    error: errors.B24ToolsError | None = None


def from_files(
    here: session.Session,
    talk: show.Talk,
    files: Sequence[Path],
    pins: Mapping[str, int],
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Orders of files and stdin; the exit status. One bad file does not stop the others."""
    sources = [_read(here, None if str(path) == "-" else path) for path in files]
    return _assign(here, talk, sources, pins, dry_run=dry_run, as_json=as_json)


def from_inbox(here: session.Session, talk: show.Talk, folder: Path, pins: Mapping[str, int], *, as_json: bool) -> int:
    """Orders dropped into a folder; those that could not be done now stay for the next time."""
    sources: list[_Source] = []
    statuses: list[int] = []
    size = 0
    paths = inbox.ripe(folder, session.now())
    for path in paths:
        source = _read(here, path)
        if isinstance(source.error, errors.OrderError):
            inbox.move_failed(path, show.error_line(source.error), session.now())
        sources.append(source)
        size += sum(len(file.content) for order in source.orders for file in order.files)
        if len(sources) == INBOX_FILES or size > INBOX_BYTES:
            statuses.append(_assign(here, talk, sources, pins, dry_run=False, as_json=as_json, move=True))
            sources, size = [], 0
    if sources or (as_json and not statuses):
        statuses.append(_assign(here, talk, sources, pins, dry_run=False, as_json=as_json, move=True))
    if not paths:
        talk.detail(_("nothing in {folder}").format(folder=folder))
    return combined_status(statuses)


def _assign(
    here: session.Session,
    talk: show.Talk,
    sources: Sequence[_Source],
    pins: Mapping[str, int],
    *,
    dry_run: bool,
    as_json: bool,
    move: bool = False,
) -> int:
    bad = [source.error for source in sources if source.error]
    results: list[OrderResult] = []
    if any(source.orders for source in sources):
        results = _run(here, talk, sources, pins, dry_run=dry_run, as_json=as_json)
    if move:
        _move_done(sources, results)
    status = combined_status([*(one.exit_status for one in results), *(error.exit_status for error in bad)])
    first = next(iter(bad), None) or next(
        (task.error for one in results for task in one.tasks if task.error and one.exit_status), None
    )
    if as_json:
        warnings = [f"{one.number}: {warning}" for one in results for warning in one.warnings]
        data = show.assign_data(results, here.settings.zone)
        show.envelope("assign", data, ok=status == 0, warnings=warnings, error=first if status else None)
    for error in bad:
        talk.error(error)
    if status and not bad and first is not None:
        talk.error(first)
    return status


def _run(
    here: session.Session,
    talk: show.Talk,
    sources: Sequence[_Source],
    pins: Mapping[str, int],
    *,
    dry_run: bool,
    as_json: bool,
) -> list[OrderResult]:
    orders = [order for source in sources for order in source.orders]
    with talk.progress() as progress, here.assign_tools(dry_run=dry_run, progress=progress) as tools:
        rules = session.assign_rules(here.settings, tools.store, pins)
        try:
            results = run.orders(orders, tools, rules, dry_run=dry_run)
        finally:
            requests = tools.client.requests
        url = tools.client.url
    if not as_json:
        show.assign(results, here.settings.zone, url, session.now(), talk)
    talk.detail(_("requests to the portal: {count}").format(count=requests))
    return results


def _move_done(sources: Sequence[_Source], results: Sequence[OrderResult]) -> None:
    """A file is done when all its orders are; the rest stays and is sent again, which is safe."""
    rest = iter(results)
    for source in sources:
        mine = [next(rest) for _order in source.orders]
        if source.path is not None and source.error is None and all(one.exit_status == 0 for one in mine):
            inbox.move_done(source.path, session.now())


def _read(here: session.Session, path: Path | None) -> _Source:
    try:
        return _Source(path, onec.read_orders(_bytes_of(path), here.settings.zone))
    except errors.OrderError as error:
        name = _("stdin") if path is None else str(path)
        told = type(error)(f"{name}: {error.message}", error.hint or _("Correct the order in 1C and send it again."))
        return _Source(path, error=told)


def _bytes_of(path: Path | None) -> bytes:
    if path is None:
        return onec.read_source(sys.stdin.buffer)
    try:
        with path.open("rb") as stream:
            return onec.read_source(stream)
    except OSError as error:
        raise errors.OrderError(
            error.strerror or str(error), _("Name a file with an order that this user may read.")
        ) from None
