"""`leaderboard` at the command line: which period, how it is shown, whether the data are too old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from b24tools import context
from b24tools.core import errors, periods
from b24tools.core.i18n import _
from b24tools.jobs import leaderboard
from b24tools.render import console, leaderboard_text
from b24tools.render import leaderboard as render_leaderboard

LAST = "last"


@dataclass(frozen=True)
class Wanted:
    """What the options said."""

    period: str | None
    week: bool
    month: bool
    by: str
    teams: bool
    top: int | None
    form: str
    max_age: str | None
    as_json: bool


def run(here: context.Session, talk: console.Talk, wanted: Wanted) -> int:
    """Show the ranking; the exit status."""
    if wanted.as_json and wanted.form != "table":
        raise errors.ConfigError(_("--json is a format of its own"), _("Leave out --json or --format."))
    now, settings = context.now(), here.settings
    period = choose_period(wanted, settings.zone, now)
    limit = periods.parse_span(wanted.max_age) if wanted.max_age is not None else None
    with here.read_store() as opened:
        board = leaderboard.board(opened, period, now=now, by=wanted.by, teams=wanted.teams, top=wanted.top)
    missing = _missing(board, str(settings.data_dir), now)
    old = too_old(board, limit, now, missing)
    if wanted.as_json:
        data = render_leaderboard.data(board, settings.zone)
        console.envelope("leaderboard", data, ok=old is None, warnings=[missing] if missing else [], error=old)
    elif not missing or wanted.form != "table":
        _show(board, wanted.form, settings.zone, now)
    if old is not None:
        talk.error(old)
        return old.exit_status
    if missing and not wanted.as_json:
        talk.say(missing)
    return 0


def choose_period(wanted: Wanted, zone: ZoneInfo, now: datetime) -> periods.Period:
    """This week unless the options say otherwise. Raises ConfigError."""
    if wanted.week and wanted.month:
        raise errors.ConfigError(_("--week and --month exclude each other"), _("Name one of them."))
    kind = periods.MONTH if wanted.month else periods.WEEK
    today = periods.containing(now.astimezone(zone).date(), kind, zone)
    if wanted.period is None:
        return today
    if wanted.period.strip().lower() == LAST:
        return today.before
    period = periods.parse(wanted.period, zone)
    if (wanted.week or wanted.month) and period.kind != kind:
        option = "--month" if wanted.month else "--week"
        raise errors.ConfigError(
            _("{period} does not go with {option}").format(period=period.label, option=option),
            _("Leave out {option}.").format(option=option),
        )
    return period


def too_old(
    board: leaderboard.Board, limit: timedelta | None, now: datetime, missing: str
) -> errors.B24ToolsError | None:
    """What `--max-age` says to data that are older, or not there."""
    if limit is None or (board.as_of is not None and now - board.as_of <= limit):
        return None
    if board.as_of is None:
        error = errors.B24ToolsError(missing or _("it is not known how old the data are"))
    else:
        age = console.duration(int((now - board.as_of).total_seconds()))
        error = errors.B24ToolsError(_("the data are {age} old").format(age=age))
    if not missing:
        command = leaderboard_text.command(board.period, now)
        error.hint = _("Run `{command}`, and look whether cron still does.").format(command=command)
    error.code = "stale"
    return error


def _missing(board: leaderboard.Board, folder: str, now: datetime) -> str:
    """What is said where nothing was collected; "" where something was."""
    if board.rows or board.as_of is not None or now < board.period.start:
        return ""
    return _("no data yet for {period} in {folder}: run `{command}`").format(
        period=board.period.label, folder=folder, command=leaderboard_text.command(board.period, now)
    )


def _show(board: leaderboard.Board, form: str, zone: ZoneInfo, now: datetime) -> None:
    if form == "table":
        render_leaderboard.table(board, zone, now)
        return
    from b24tools.render import leaderboard_export

    if form == "csv":
        render_leaderboard.write(leaderboard_export.csv(board))
    else:
        render_leaderboard.write((leaderboard_export.md if form == "md" else leaderboard_export.html)(board, zone, now))
