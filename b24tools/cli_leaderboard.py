"""`leaderboard` at the command line: which period, how it is shown, whether the data are too old."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from b24tools import board_words, errors, session, show, show_board, tallies, weeks
from b24tools.i18n import _
from b24tools.jobs import leaderboard

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


def run(here: session.Session, talk: show.Talk, wanted: Wanted) -> int:
    """Show the ranking; the exit status."""
    if wanted.as_json and wanted.form != "table":
        raise errors.ConfigError(_("--json is a format of its own"), _("Leave out --json or --format."))
    now, settings = session.now(), here.settings
    period = choose_period(wanted, settings.zone, now)
    limit = weeks.parse_span(wanted.max_age) if wanted.max_age is not None else None
    with tallies.open_tallies(settings.database) as opened:
        if opened is None:
            board = leaderboard.no_data(period, by=wanted.by, teams=wanted.teams)
        else:
            board = leaderboard.board(opened, period, now=now, by=wanted.by, teams=wanted.teams, top=wanted.top)
    missing = _missing(board, str(settings.data_dir), now)
    old = too_old(board, limit, now, missing)
    if wanted.as_json:
        data = show_board.data(board, settings.zone)
        show.envelope("leaderboard", data, ok=old is None, warnings=[missing] if missing else [], error=old)
    elif not missing or wanted.form != "table":
        _show(board, wanted.form, settings.zone, now)
    if old is not None:
        talk.error(old)
        return old.exit_status
    if missing and not wanted.as_json:
        talk.say(missing)
    return 0


def choose_period(wanted: Wanted, zone: ZoneInfo, now: datetime) -> weeks.Period:
    """This week unless the options say otherwise. Raises ConfigError."""
    if wanted.week and wanted.month:
        raise errors.ConfigError(_("--week and --month exclude each other"), _("Name one of them."))
    kind = weeks.MONTH if wanted.month else weeks.WEEK
    today = weeks.containing(now.astimezone(zone).date(), kind, zone)
    if wanted.period is None:
        return today
    if wanted.period.strip().lower() == LAST:
        return today.before
    period = weeks.parse(wanted.period, zone)
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
        age = show.duration(int((now - board.as_of).total_seconds()))
        error = errors.B24ToolsError(_("the data are {age} old").format(age=age))
    if not missing:
        command = board_words.command(board.period, now)
        error.hint = _("Run `{command}`, and look whether cron still does.").format(command=command)
    error.code = "stale"
    return error


def _missing(board: leaderboard.Board, folder: str, now: datetime) -> str:
    """What is said where nothing was collected; "" where something was."""
    if board.rows or board.as_of is not None or now < board.period.start:
        return ""
    return _("no data yet for {period} in {folder}: run `{command}`").format(
        period=board.period.label, folder=folder, command=board_words.command(board.period, now)
    )


def _show(board: leaderboard.Board, form: str, zone: ZoneInfo, now: datetime) -> None:
    if form == "table":
        show_board.table(board, zone, now)
        return
    from b24tools import board_files

    if form == "csv":
        show_board.write(board_files.csv(board))
    else:
        show_board.write((board_files.md if form == "md" else board_files.html)(board, zone, now))
