"""`b24tools assign`: orders from files, stdin or the inbox that cron empties."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from b24tools import context
from b24tools.assignment.report import OrderResult, combined_status
from b24tools.cli import order_files
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.order_files import Stamp
from b24tools.context import Session
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.render import assign as render_assign

if TYPE_CHECKING:
    from b24tools.onec.order import Order

INBOX_FILES = 100  # planned together
INBOX_BYTES = 128 * 1024 * 1024


@dataclass
class _Source:
    """A file with its orders; `stamp`: which writing of it was read, None where it is of no inbox."""

    path: Path
    orders: list[Order]
    stamp: Stamp | None = None


def assign(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE|-", help="Order files (JSON); - is stdin.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan and print; write nothing.")] = False,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="POSITION=USER_ID", help="Give a position's work to this person."),
    ] = None,
    inbox: Annotated[
        Path | None,
        typer.Option("--inbox", metavar="DIR", help="Take the *.json of a folder; move them to done/ or failed/."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Make tasks of 1C orders. Each goes to whoever in the right department finishes it first."""
    invocation: Invocation = ctx.obj
    messenger = invocation.messenger
    if bool(files) == (inbox is not None):
        raise errors.ConfigError(
            _("name order files, - for stdin, or a folder with --inbox"), _("See `b24tools assign --help`.")
        )
    if inbox is not None and dry_run:
        raise errors.ConfigError(_("--inbox moves files, --dry-run must not"), _("Name the files with --dry-run."))
    pins = _read_pins(to or [])
    session = invocation.open_session(logs=not dry_run)
    zone = session.settings.zone
    problems: list[errors.B24ToolsError] = []  # files without orders, files that cannot be moved
    results: list[OrderResult] = []
    if inbox is None:
        portions = iter([_read_files(files or [], zone, problems)])
    else:
        ripe = order_files.list_ripe(inbox, context.now(), time.sleep)
        if not ripe:
            messenger.detail(_("nothing in {folder}").format(folder=inbox))
        portions = _read_inbox(ripe, zone, problems)
    for sources in portions:
        try:
            done = _assign(invocation, session, sources, pins, dry_run=dry_run, as_json=as_json)
        except errors.B24ToolsError as error:
            if not results:
                for problem in problems:
                    messenger.error(problem)
                raise
            problems.append(error)
            break
        results += done
        _move_done(sources, done, problems)
    failures = [(order, task, task.error) for order in results for task in order.tasks if task.error]
    status = combined_status([order.exit_status for order in results] + [problem.exit_status for problem in problems])
    if as_json:
        invocation.print_json(
            render_assign.data(results, zone),
            warnings=[f"{order.number}: {warning}" for order in results for warning in order.warnings],
            error=next(iter([*problems, *(error for _order, _task, error in failures)]), None),
        )
    for problem in problems:
        messenger.error(problem)
    for order, task, failure in failures[:1]:
        named = copy.copy(failure)  # of the same kind: with -q what passes by itself is held back
        named.message = f"{order.number}, {task.position}: {failure.message}"
        messenger.error(named)
    return status


def _read_pins(words: Sequence[str]) -> dict[str, int]:
    pins: dict[str, int] = {}
    for word in words:
        position, equals, user = word.rpartition("=")
        if not equals or not position.strip() or not user.strip().isdecimal() or int(user) == 0:
            raise errors.ConfigError(
                _('--to "{word}" is not POSITION=USER_ID').format(word=word), _("An example: --to Сварщик=17")
            )
        pins[position.strip()] = int(user)
    return pins


def _read_files(paths: Sequence[Path], zone: ZoneInfo, problems: list[errors.B24ToolsError]) -> list[_Source]:
    """Read the files; one bad file does not stop the others."""
    sources = []
    for path in paths:
        try:
            sources.append(_Source(path, order_files.read_orders(path, zone)))
        except errors.B24ToolsError as error:
            problems.append(error)
    return sources


def _read_inbox(
    files: Sequence[tuple[Path, Stamp]], zone: ZoneInfo, problems: list[errors.B24ToolsError]
) -> Iterator[list[_Source]]:
    """Read the files, the oldest first, in portions that are planned together; move bad orders to `failed`.

    Of several files of one order only the newest counts: one that stays behind must not undo a later change.
    """
    newest: dict[str, Path] = {}
    if len(files) > 1:
        for path, _stamp in files:
            for source in _read_files([path], zone, []):
                newest.update((order.id.lower(), path) for order in source.orders)
    portion: list[_Source] = []
    size = 0
    for path, stamp in files:
        try:
            orders = order_files.read_orders(path, zone)
        except errors.B24ToolsError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                continue  # another run has taken it
            problems.append(error)
            if isinstance(error, errors.OrderError):
                _move(path, stamp, "failed", problems, error.line)
            continue
        orders = [order for order in orders if newest.get(order.id.lower(), path) == path]
        portion.append(_Source(path, orders, stamp))
        size += sum(len(file.content) for order in orders for file in order.files)
        if len(portion) == INBOX_FILES or size > INBOX_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _assign(
    invocation: Invocation,
    session: Session,
    sources: Sequence[_Source],
    pins: Mapping[str, int],
    *,
    dry_run: bool,
    as_json: bool,
) -> list[OrderResult]:
    """Assign the orders of these files and print the results."""
    from b24tools.jobs import assign

    orders = [order for source in sources for order in source.orders]
    if not orders:
        return []
    messenger = invocation.messenger
    with messenger.progress() as progress, session.assign_tools(dry_run=dry_run, progress=progress) as tools:
        results = assign.orders(
            orders, tools, context.assign_rules(session.settings, tools.store, pins), dry_run=dry_run
        )
        url, requests = tools.client.url, tools.client.requests
    if not as_json:
        # with -q only what a person must look at; what is tried again by itself is not
        shown = [
            order
            for order in results
            if dry_run or messenger.level >= 0 or (order.wants_attention and order.exit_status != errors.TRY_LATER)
        ]
        render_assign.print_orders(shown, session.settings.zone, url, context.now(), messenger)
    messenger.detail(_("requests to the portal: {count}").format(count=requests))
    return results


def _move_done(
    sources: Sequence[_Source], results: Sequence[OrderResult], problems: list[errors.B24ToolsError]
) -> None:
    """Move the inbox's files whose orders are all done; the others stay and are sent again, which is safe."""
    rest = iter(results)
    for source in sources:
        own = [next(rest) for _order in source.orders]
        if source.stamp and all(result.exit_status == 0 for result in own):
            _move(source.path, source.stamp, "done", problems)


def _move(path: Path, stamp: Stamp, folder: str, problems: list[errors.B24ToolsError], message: str = "") -> None:
    try:
        order_files.move(path, stamp, folder, context.now(), message)
    except errors.ConfigError as error:
        problems.append(error)
