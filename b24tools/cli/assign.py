"""`b24tools assign`: orders from files, stdin or the inbox that cron empties."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from b24tools import context
from b24tools.assignment.report import OrderResult, TaskResult, combined_status
from b24tools.cli import order_files
from b24tools.cli.days_away import read_days_away
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import WRITING, explain
from b24tools.cli.order_files import Source
from b24tools.context import Session
from b24tools.core import errors
from b24tools.core import inbox as inbox_folder
from b24tools.core.i18n import _, ngettext, os_reason
from b24tools.core.names import read_id
from b24tools.render import assign as render_assign
from b24tools.render.console import OF_THE_RUN, Held, Trouble

if TYPE_CHECKING:
    pass

_Show = Callable[[Sequence[OrderResult]], None]


@explain(
    ("assign order.json --dry-run", "Look at the plan before anything is written."),
    ("assign order.json --to Сварщик=17", "Give the welding to the person with the id 17."),
    ("-q assign --inbox orders", "For cron: take the files that 1C has put into a folder."),
    statuses=WRITING | {2: "wrong usage or settings, or a bad order: repeating does not help"},
)
def assign(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE|-", help="Order files (JSON); - is stdin.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan and print; write nothing.")] = False,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="POSITION=PERSON", help="Give a position's work to this person, by id or name."),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option("--without", metavar="PERSON", help="With --dry-run: what if this person were away."),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="The first day away; today if left out.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--until", metavar="DAY", help="The last day away; that of --from if left out.")
    ] = None,
    inbox: Annotated[
        Path | None,
        typer.Option("--inbox", metavar="DIR", help="Take a folder's *.json, *.json.gz; move them to done/, failed/."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Make tasks of 1C orders. Each goes to whoever in the right department finishes it first."""
    invocation: Invocation = ctx.obj
    messenger = invocation.messenger
    if bool(files) == (inbox is not None):
        raise errors.UsageError(
            _("name order files, - for stdin, or a folder with --inbox"), _("See `b24tools assign --help`.")
        )
    if inbox is not None and dry_run:
        raise errors.UsageError(_("--inbox moves files, --dry-run must not"), _("Name the files with --dry-run."))
    pins = _read_pins(to or [])
    session = invocation.open_session(logs=not dry_run)
    zone = session.settings.zone
    away = _read_away(without, first, last, zone, dry_run=dry_run)
    problems: list[errors.B24ToolsError] = []  # files without orders, files that cannot be moved
    results: list[OrderResult] = []
    if inbox is None:
        portions = iter([order_files.read_files(files or [], session.settings, problems)])
    else:
        invocation.inbox = inbox.absolute()
        ripe = inbox_folder.list_ripe(inbox, context.now(), time.sleep)
        if not ripe:
            messenger.detail(_("nothing in {folder}").format(folder=inbox))
        portions = order_files.read_inbox(ripe, session.settings, problems)
    for sources in portions:
        try:
            done = _assign(invocation, session, sources, pins, away, dry_run=dry_run, as_json=as_json)
        except errors.B24ToolsError as error:
            if not results:
                _print_problems(problems, invocation)
                raise
            problems.append(error)
            invocation.reached_end = False
            break
        results += done
        order_files.move_done(sources, done, problems)
    if results and not dry_run:
        invocation.send_messages(session)
    status = combined_status([order.exit_status for order in results] + [problem.exit_status for problem in problems])
    if as_json:
        failures = [task.error for order in results for task in order.tasks if task.error]
        invocation.print_json(
            render_assign.data(results, zone),
            warnings=[f"{order.number}: {warning}" for order in results for warning in order.warnings],
            error=next(iter([*problems, *failures]), None),
        )
    _print_problems(problems, invocation)
    if inbox:
        try:
            order_files.tidy_inbox(inbox, session.settings, context.now() + invocation.skew)
        except errors.ConfigError as error:  # no order waits for it
            messenger.error(error)
    _print_failures(results, invocation)
    return status


def _read_pins(words: Sequence[str]) -> dict[str, int | str]:
    pins: dict[str, int | str] = {}
    for word in words:
        position, equals, user = (part.strip() for part in word.rpartition("="))
        number = read_id(user)
        if not equals or not position or not user or number == 0:
            raise errors.UsageError(
                _('--to "{word}" is not POSITION=PERSON').format(word=word),
                _('Examples: --to Сварщик=17, --to "Сварщик=Иван Петров"'),
            )
        pins[position] = user if number is None else number
    return pins


def _read_away(
    name: str | None, first: str | None, last: str | None, zone: ZoneInfo, *, dry_run: bool
) -> tuple[str, date, date] | None:
    if name is None and (first or last):
        raise errors.UsageError(_("--from and --until say when --without is away"), _("See `b24tools assign --help`."))
    if name is None:
        return None
    if not dry_run:
        raise errors.UsageError(
            _("--without is a trial: it goes with --dry-run only"),
            _("Enter the absence in Bitrix24; b24tools plans by it."),
        )
    today = context.now().astimezone(zone).date()
    start, end = read_days_away(first, last, today)
    return name, start or today, end or today


def _assign(
    invocation: Invocation,
    session: Session,
    sources: Sequence[Source],
    pins: Mapping[str, int | str],
    away: tuple[str, date, date] | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> list[OrderResult]:
    """Assign the orders of these files and print the results."""
    from b24tools.jobs import assign as job
    from b24tools.jobs import history

    orders = [order for source in sources for order in source.orders]
    superseded = [(order, source.path, newer) for source in sources for order, newer in source.superseded]
    if not orders and not superseded:
        return []
    messenger = invocation.messenger
    with invocation.open_planning(session, read_only=dry_run, pins=pins) as (tools, rules):
        if invocation.inbox:
            tools.store.notices.remember_inbox(invocation.inbox, context.now())
        for order, file, newer in superseded:
            shown = map(inbox_folder.show_name, (file.name, newer))
            messenger.detail(history.note_superseded(tools, order.id, order.number, *shown))
        if not orders:
            return []
        results = job.orders(orders, tools, replace(rules, away=away), dry_run=dry_run)
        invocation.has_assigned = True
        invocation.skew = tools.clock.skew
    if not as_json:

        def show(shown: Sequence[OrderResult]) -> None:
            render_assign.print_orders(shown, session.settings.zone, tools.client.url, context.now(), messenger)

        if not messenger.is_quiet or dry_run:
            show(results)
        else:
            _hold_back(invocation, sources, results, show)
    return results


def _hold_back(invocation: Invocation, sources: Sequence[Source], results: Sequence[OrderResult], show: _Show) -> None:
    """Hold back for cron what a person must see to; not what is tried again by itself."""
    messenger = invocation.messenger
    names = [inbox_folder.show_name(source.path.name) for source in sources for _order in source.orders]
    for warning in dict.fromkeys(warning for order in results for warning in order.of_the_run):
        trouble = Trouble(re.sub(r"\d+", "#", warning), order_id=OF_THE_RUN)  # the time of day is no news
        if trouble not in [held.trouble for held in messenger.held]:
            messenger.warn(errors.as_sentence(warning), trouble)
    for name, result in zip(names, results, strict=True):
        # what is said of the whole run, say of a wrong clock, is no news of this order
        own = replace(result, warnings=tuple(text for text in result.warnings if text not in result.of_the_run))
        cause = _describe_cause(own) if invocation.inbox else ""
        if cause or (not invocation.inbox and own.wants_attention and own.exit_status != errors.TRY_LATER):
            messenger.held.append(Held(partial(show, [own]), Trouble(cause, name, own.id) if cause else Trouble()))


def _describe_cause(order: OrderResult) -> str:
    """Return what a person must look at in an order, as a cause; "" for what passes by itself, or where all is well."""
    failures = [task for task in order.tasks if task.error]
    for task in failures:
        if task.error and task.error.exit_status != errors.TRY_LATER:
            return _cause_of(task)
    own = [*order.warnings, *(warning for task in order.tasks for warning in task.warnings)]
    return f"{order.id}: {'; '.join(own)}" if own and not failures else ""


def _cause_of(task: TaskResult) -> str:
    return f"{task.position}: {task.error.message if task.error else ''}"


def _print_problems(problems: Sequence[errors.B24ToolsError], invocation: Invocation) -> None:
    """Print what is wrong with files; what several have in common, a lock or a missing right, once."""
    alike: dict[str, list[errors.B24ToolsError]] = {}
    for problem in problems:
        reason = problem.__cause__
        cause = f"{os_reason(reason)}: {problem.hint}" if isinstance(reason, OSError) else problem.message
        alike.setdefault(cause, []).append(problem)
    for cause, (first, *others) in alike.items():
        if others:
            text = ngettext("{message} (and {n} more file)", "{message} (and {n} more files)", len(others))
            first.message = text.format(message=first.message, n=len(others))
        invocation.messenger.error(first, Trouble(cause if invocation.inbox else ""))


def _print_failures(results: Sequence[OrderResult], invocation: Invocation) -> None:
    """Print the first failure; of an inbox that cron empties all that do not pass by themselves, and one that does."""
    failures = [(order, task, task.error) for order in results for task in order.tasks if task.error]
    most = 1
    if invocation.inbox and invocation.messenger.is_quiet:
        failures.sort(key=lambda failure: failure[2].exit_status == errors.TRY_LATER)
        most += sum(error.exit_status != errors.TRY_LATER for _order, _task, error in failures)
    for order, task, error in failures[:most]:
        named = copy.copy(error)  # of the same kind: with -q what passes by itself is held back
        named.message = f"{order.number}, {task.position}: {error.message}"
        trouble = Trouble(_cause_of(task), order_id=order.id) if invocation.inbox else Trouble()
        invocation.messenger.error(named, trouble)
