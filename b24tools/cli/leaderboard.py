"""`b24tools leaderboard`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import LOCAL, explain
from b24tools.core import errors, periods
from b24tools.core.i18n import _
from b24tools.render.console import print_file
from b24tools.render.formats import format_duration


@explain(
    ("leaderboard last --by hours", "The week before, by hours."),
    ("leaderboard 2026-11 --teams", "The departments in November 2026."),
    ("-q leaderboard --max-age 26h", "For cron: fails when no snapshot was taken for a day."),
    statuses=LOCAL | {1: "the data are older than --max-age, or cannot be read"},
)
def leaderboard(
    ctx: typer.Context,
    period: Annotated[
        str | None,
        typer.Argument(metavar="PERIOD", help="2026-W46, 2026-11 or last; this week if left out.", show_default=False),
    ] = None,
    week: Annotated[bool, typer.Option("--week", help="This week (the default).")] = False,
    month: Annotated[bool, typer.Option("--month", help="This month; with last: the one before.")] = False,
    by: Annotated[Literal["tasks", "hours"], typer.Option("--by", help="What the ranking goes by.")] = "tasks",
    teams: Annotated[bool, typer.Option("--teams", help="Rank departments, per active member.")] = False,
    top: Annotated[int | None, typer.Option("--top", metavar="N", min=1, help="The first N rows only.")] = None,
    form: Annotated[
        Literal["table", "csv", "md", "html"], typer.Option("--format", help="How it is printed.")
    ] = "table",
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="SPAN", help="Fail when the data are older (26h, 90m, 2d).")
    ] = None,
    as_json: Json = False,
) -> int:
    """Show who closed how many tasks."""
    from b24tools.jobs.leaderboard import read_board
    from b24tools.render import leaderboard as render_leaderboard
    from b24tools.render import leaderboard_export
    from b24tools.render.leaderboard_text import snapshot_command

    invocation: Invocation = ctx.obj
    if as_json and form != "table":
        raise errors.ConfigError(_("--json is a format of its own"), _("Leave out --json or --format."))
    settings, now = invocation.open_session().settings, context.now()
    if week and month:
        raise errors.ConfigError(_("--week and --month exclude each other"), _("Name one of them."))
    kind = periods.MONTH if month else periods.WEEK
    chosen = periods.choose(period, kind, settings.zone, now)
    if (week or month) and chosen.kind != kind:
        raise errors.ConfigError(
            _("{period} does not go with {option}").format(period=chosen.label, option=f"--{kind}"),
            _("Leave out {option}.").format(option=f"--{kind}"),
        )
    limit = None if max_age is None else periods.parse_span(max_age)
    board = read_board(settings.database, chosen, now=now, by=by, teams=teams, top=top)
    command, missing = snapshot_command(chosen, now), ""
    if not board.rows and board.as_of is None and now >= chosen.start:
        missing = _("no data yet for {period} in {folder}: run `{command}`").format(
            period=chosen.label, folder=settings.data_dir, command=command
        )
    error = None if limit is None else _check_age(board.as_of, limit, now, missing, command)
    if as_json:
        data = render_leaderboard.data(board, settings.zone)
        invocation.print_json(data, warnings=[missing] if missing else [], error=error)
    elif form == "table" and not missing:
        render_leaderboard.print_board(board, settings.zone, now)
    elif form != "table":
        if form == "csv":
            print_file(leaderboard_export.to_csv(board))
        else:
            write = leaderboard_export.to_markdown if form == "md" else leaderboard_export.to_html
            print_file(write(board, settings.zone, now))
    if error is not None:
        invocation.messenger.error(error)
        return error.exit_status
    if missing and not as_json:
        invocation.messenger.info(missing)
    return 0


def _check_age(
    as_of: datetime | None, limit: timedelta, now: datetime, missing: str, command: str
) -> errors.B24ToolsError | None:
    """Return the error about data that are older than `limit`, or not there."""
    if as_of is None:
        message = missing or _("it is not known how old the data are")
    elif now - as_of > limit:
        message = _("the data are {age} old").format(age=format_duration(int((now - as_of).total_seconds())))
    else:
        return None
    hint = "" if missing else _("Run `{command}`, and look whether cron still does.").format(command=command)
    return errors.B24ToolsError(message, hint, code=errors.ErrorCode.STALE)
