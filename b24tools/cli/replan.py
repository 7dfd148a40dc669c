"""`b24tools replan`."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from b24tools import context
from b24tools.assignment.report import combined_status
from b24tools.cli.days_away import read_days_away
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import WRITING, explain
from b24tools.context import Session
from b24tools.core import errors
from b24tools.core.i18n import _, ngettext
from b24tools.render import replan as render_replan

if TYPE_CHECKING:
    from b24tools.jobs.replan import Replan, Request


@explain(
    ("replan --dry-run", "Look at what would move; nothing is written."),
    ('replan --without "Иван Петров" --until 2026-12-11', "Somebody falls ill: who takes the work?"),
    ("-q replan --yes --max-moves 20", "For cron: does not ask, and moves nothing if it would be more."),
    statuses=WRITING,
)
def replan(
    ctx: typer.Context,
    without: Annotated[
        str | None, typer.Option("--without", metavar="PERSON", help="Plan without this person (name or id).")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", help="With --without: the first day away; else from now on."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DAY", help="The last day away; that of --from, else for good."),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--first", metavar="ORDER", help="This order goes before all others.")
    ] = None,
    frozen: Annotated[
        str, typer.Option("--frozen", metavar="SPAN", help="How many working days (or hours, 4h) stay as planned.")
    ] = "1d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan and print; write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for cron.")] = False,
    max_moves: Annotated[
        int, typer.Option("--max-moves", metavar="N", min=0, help="With --yes: move nothing if it would be more.")
    ] = 100,
    as_json: Json = False,
) -> int:
    """Move work that has not begun. It goes to who is there, and sooner where an order would be late."""
    invocation: Invocation = ctx.obj
    session = invocation.open_session(logs=not dry_run)
    zone = session.settings.zone
    request = _read_request(without, since, until, first, frozen, zone)
    result, error = _run(invocation, session, request, dry_run=dry_run, yes=yes, max_moves=max_moves, as_json=as_json)
    if not dry_run:
        invocation.send_messages(session)
    failed = [move.error for move in result.moves if move.error is not None]
    skipped = [move for move in result.planned if move.outcome == "skipped"]
    status = combined_status([failure.exit_status for failure in failed] + [0] * (len(result.planned) - len(failed)))
    if error is None and (failed or skipped):
        error = next(iter(failed), None) or errors.B24ToolsError(
            _("some tasks have changed since they were read, and stay"), _("Run it again.")
        )
        status = status or 3
    if as_json:
        invocation.print_json(render_replan.data(result, zone), warnings=result.warnings, error=error)
    if error is not None:
        invocation.messenger.error(error)
        return status or error.exit_status
    return status


def _run(
    invocation: Invocation,
    session: Session,
    request: Request,
    *,
    dry_run: bool,
    yes: bool,
    max_moves: int,
    as_json: bool,
) -> tuple[Replan, errors.B24ToolsError | None]:
    """Plan, show, ask, and write what was shown; where that has changed meanwhile, show and ask again."""
    from b24tools.jobs import replan as job

    messenger = invocation.messenger

    def show(result: Replan) -> None:
        is_late_only = all(move.after is None and move.reason == "late" for move in result.moves)
        is_shown = not (is_late_only and messenger.is_quiet) and bool(result.moves)  # cron would say it every morning
        if not as_json and (dry_run or is_shown or request.without):
            render_replan.print_replan(result, session.settings.zone, session.portal_url, context.now())
        if not result.planned:
            messenger.info(_("Nothing is to be moved."))

    if yes and not dry_run:
        with invocation.open_planning(session, read_only=False) as (tools, rules):
            result = job.write(tools, rules, request, None, max_moves)
        show(result)
        if len(result.planned) > max_moves:
            message = ngettext(
                "{n} task would move, more than --max-moves {most}: none was moved",
                "{n} tasks would move, more than --max-moves {most}: none was moved",
                len(result.planned),
            ).format(n=len(result.planned), most=max_moves)
            hint = _("Look at the plan with --dry-run; then give a higher --max-moves.")
            return result, errors.UsageError(message, hint)
        return result, None
    with invocation.open_planning(session, read_only=True) as (tools, rules):
        result = job.plan(tools, rules, request)
    while True:
        show(result)
        if dry_run:
            return result, None
        if result.obstacle is not None or not result.planned:
            return result, result.obstacle
        question = " ".join((render_replan.describe(result), _("Move them?")))
        message = _("nothing was moved: there is no terminal to ask on")
        try:
            is_wanted = invocation.confirm(question, errors.UsageError(message, _("With --yes it does not ask.")))
        except errors.UsageError as error:
            return result, error
        if not is_wanted:
            invocation.messenger.info(_("Nothing was moved."))
            return result, None
        with invocation.open_planning(session, read_only=False) as (tools, rules):
            written = job.write(tools, rules, request, result, None)
        if written.is_like(result) or not written.planned:
            show(written)
            return written, None
        invocation.messenger.warn(_("the portal has changed meanwhile; this is the plan now:"))
        result = written


def _read_request(
    without: str | None,
    since: str | None,
    until: str | None,
    first: str | None,
    frozen: str,
    zone: ZoneInfo,
) -> Request:
    from b24tools.jobs.replan import Request

    if without is None and (since or until):
        raise errors.UsageError(_("--from and --until say when --without is away"), _("See `b24tools replan --help`."))
    length = re.fullmatch(r"(\d{1,3})([dh]?)", frozen.strip().lower())
    if length is None:
        raise errors.UsageError(
            _('--frozen "{text}" is not a number of days or hours').format(text=frozen), _("An example: --frozen 1d")
        )
    number, is_hours = int(length[1]), length[2] == "h"
    today = context.now().astimezone(zone).date()
    days = read_days_away(since, until, today)
    start, last = (datetime.combine(day, time(), zone) if day else None for day in days)
    end = last and last + timedelta(days=1)
    return Request(without, start, end, first, 0 if is_hours else number, number if is_hours else 0)
