"""`assign` at the command line: where orders come from, and what the user is told."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from b24tools import context
from b24tools.assignment.report import OrderResult, combined_status
from b24tools.cli import order_folder
from b24tools.core import errors
from b24tools.core.i18n import _, os_reason
from b24tools.jobs import assign as jobs_assign
from b24tools.onec import order as onec_order
from b24tools.render import assign, console

INBOX_FILES = 100  # planned together
INBOX_BYTES = 128 * 1024 * 1024


@dataclass
class _Source:
    """A file (None: stdin) with its orders, or why it has none.

    `stamp`: which writing of the file was read. `gone`: it was not there any more.
    """

    path: Path | None
    orders: list[onec_order.Order] = field(default_factory=list)
    error: errors.B24ToolsError | None = None
    stamp: order_folder.Stamp | None = None
    gone: bool = False


@dataclass
class _Done:
    """What came of it. `problems`: files without orders, files that could not be moved."""

    results: list[OrderResult] = field(default_factory=list)
    problems: list[errors.B24ToolsError] = field(default_factory=list)


def from_files(
    here: context.Session,
    talk: console.Talk,
    files: Sequence[Path],
    pins: Mapping[str, int],
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Orders of files and stdin; the exit status. One bad file does not stop the others."""
    done = _Done()
    sources = [_read(here, None if str(path) == "-" else path) for path in files]
    done.problems += [source.error for source in sources if source.error]
    try:
        done.results += _run(here, talk, sources, pins, dry_run=dry_run, as_json=as_json)
    except errors.B24ToolsError:
        for problem in done.problems:
            talk.error(problem)
        raise
    return _tell(here, talk, done, as_json=as_json)


def from_inbox(
    here: context.Session, talk: console.Talk, folder: Path, pins: Mapping[str, int], *, as_json: bool
) -> int:
    """Orders dropped into a folder; those that could not be done now stay for the next time."""
    done = _Done()
    paths = order_folder.ripe(folder, context.now(), time.sleep)
    if not paths:
        talk.detail(_("nothing in {folder}").format(folder=folder))
    for sources in _portions(here, paths, done):
        try:
            results = _run(here, talk, sources, pins, dry_run=False, as_json=as_json)
        except errors.B24ToolsError as error:
            if not done.results:
                for problem in done.problems:
                    talk.error(problem)
                raise
            done.problems.append(error)
            break
        done.results += results
        _move_done(sources, results, done)
    return _tell(here, talk, done, as_json=as_json)


def _portions(here: context.Session, paths: Sequence[Path], done: _Done) -> Iterator[list[_Source]]:
    """The files' orders, as many as are planned together; files without any go to `failed/` or stay.

    Of several files of one order only the newest counts: one that stays behind must not undo a later change.
    """
    portion: list[_Source] = []
    size = 0
    newest = _newest(here, paths) if len(paths) > 1 else {}
    for path in paths:
        source = _read(here, path)
        if source.gone:
            continue  # another run has taken it
        source.orders = [order for order in source.orders if newest.get(order.id.lower(), path) == path]
        if source.error:
            done.problems.append(source.error)
            if isinstance(source.error, errors.OrderError):
                _move_failed(source, done)
            continue
        portion.append(source)
        size += sum(len(file.content) for order in source.orders for file in order.files)
        if len(portion) == INBOX_FILES or size > INBOX_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _newest(here: context.Session, paths: Sequence[Path]) -> dict[str, Path]:
    """Which file has the last word on each order; `paths` are the oldest first."""
    return {order.id.lower(): path for path in paths for order in _read(here, path).orders}


def _tell(here: context.Session, talk: console.Talk, done: _Done, *, as_json: bool) -> int:
    """The JSON, a line for what went wrong, the exit status."""
    failed = [
        (order, task, task.error)
        for order in done.results
        if order.exit_status
        for task in order.tasks
        if task.error is not None
    ]
    statuses = [one.exit_status for one in done.results]
    status = combined_status([*statuses, *(problem.exit_status for problem in done.problems)])
    if as_json:
        warnings = [f"{one.number}: {warning}" for one in done.results for warning in one.warnings]
        first = next(iter(done.problems), None) or next((error for _order, _task, error in failed), None)
        data = assign.data(done.results, here.settings.zone)
        console.envelope("assign", data, ok=status == 0, warnings=warnings, error=first)
    for problem in done.problems:
        talk.error(problem)
    if failed:
        order, task, error = failed[0]
        told = copy.copy(error)  # of the same kind: what passes by itself is kept back from cron's mail
        told.message = f"{order.number}, {task.position}: {error.message}"
        talk.error(told)
    return status


def _run(
    here: context.Session,
    talk: console.Talk,
    sources: Sequence[_Source],
    pins: Mapping[str, int],
    *,
    dry_run: bool,
    as_json: bool,
) -> list[OrderResult]:
    orders = [order for source in sources for order in source.orders]
    if not orders:
        return []
    with talk.progress() as progress, here.assign_tools(dry_run=dry_run, progress=progress) as tools:
        rules = context.assign_rules(here.settings, tools.store, pins)
        try:
            results = jobs_assign.orders(orders, tools, rules, dry_run=dry_run)
        finally:
            requests = tools.client.requests
        url = tools.client.url
    if not as_json:
        shown = results if dry_run or talk.level >= 0 else [one for one in results if _is_for_people(one)]
        assign.orders(shown, here.settings.zone, url, context.now(), talk)
    talk.detail(_("requests to the portal: {count}").format(count=requests))
    return results


def _is_for_people(order: OrderResult) -> bool:
    """Whether -q shows it all the same; what is tried again by itself is not."""
    return order.wants_attention and order.exit_status != errors.PortalBusy.exit_status


def _move_done(sources: Sequence[_Source], results: Sequence[OrderResult], done: _Done) -> None:
    """A file is done when all its orders are; the rest stays and is sent again, which is safe."""
    rest = iter(results)
    for source in sources:
        mine = [next(rest) for _order in source.orders]
        if source.path is not None and source.stamp is not None and all(one.exit_status == 0 for one in mine):
            try:
                order_folder.move_done(source.path, source.stamp, context.now())
            except errors.ConfigError as error:
                done.problems.append(error)


def _move_failed(source: _Source, done: _Done) -> None:
    if source.path is not None and source.stamp is not None and source.error is not None:
        try:
            order_folder.move_failed(source.path, source.stamp, console.error_line(source.error), context.now())
        except errors.ConfigError as error:
            done.problems.append(error)


def _read(here: context.Session, path: Path | None) -> _Source:
    """The orders of a file, or what is wrong with it."""
    name = _("stdin") if path is None else str(path)
    source = _Source(path)
    try:
        if path is not None:
            source.stamp = order_folder.stamp_of(path)
        source.orders = onec_order.read_orders(_bytes_of(path), here.settings.zone)
    except errors.OrderError as error:
        hint = error.hint or _("Correct the order in 1C and send it again.")
        source.error = type(error)(f"{name}: {error.message}", hint)
    except OSError as error:
        source.gone = isinstance(error, FileNotFoundError)
        source.error = errors.ConfigError(
            f"{name}: {os_reason(error)}", _("Name a file with an order that this user may read.")
        )
        source.error.code = "usage"
    return source


def _bytes_of(path: Path | None) -> bytes:
    if path is not None:
        with path.open("rb") as stream:
            return onec_order.read_source(stream)
    if sys.stdin is None:
        raise OSError(_("it is closed"))
    return onec_order.read_source(sys.stdin.buffer)
