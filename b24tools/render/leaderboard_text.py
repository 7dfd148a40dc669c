"""The sentences of the leaderboard: its period, its age, its figures, in the reader's language."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.core.periods import MONTH, WEEK, Period
from b24tools.jobs.leaderboard import HOURS, Board, Row
from b24tools.render import console

ON_TIME_FROM = 3  # a share of one or two tasks says nothing


def heading(board: Board, unicode: bool = True) -> str:
    """What is ranked, of which period."""
    titles = {
        (False, False): _("Leaderboard"),
        (False, True): _("Leaderboard by hours"),
        (True, False): _("Teams"),
        (True, True): _("Teams by hours"),
    }
    words = f"{titles[board.teams, board.by == HOURS]}: {period_words(board.period)}"
    return words if unicode else words.replace("–", "-")


def period_words(period: Period) -> str:
    """`week 47, 16–22 November 2026`, `November 2026`."""
    first, last = period.first, period.after - timedelta(days=1)
    if period.kind == MONTH:
        return f"{_month(first.month)} {first.year}"
    end = f"{last.day} {_of_month(last.month)} {last.year}"
    if first.year != last.year:
        days = f"{first.day} {_of_month(first.month)} {first.year} – {end}"
    elif first.month != last.month:
        days = f"{first.day} {_of_month(first.month)} – {end}"
    else:
        days = f"{first.day}–{end}"
    return _("week {week}, {days}").format(week=first.isocalendar().week, days=days)


def age(board: Board, zone: ZoneInfo, now: datetime) -> str:
    """How old the data are, and how they come."""
    if board.as_of is None:
        return ""
    seconds = max(0, int((now - board.as_of).total_seconds()))
    local, today = board.as_of.astimezone(zone), now.astimezone(zone)
    form = "%H:%M" if local.date() == today.date() else "%d.%m %H:%M" if local.year == today.year else "%d.%m.%Y %H:%M"
    ago = _("{age} ago").format(age=console.duration(seconds)) if seconds >= 60 else _("just now")
    return _("Data as of {moment}, {ago}; mode {mode}").format(moment=local.strftime(form), ago=ago, mode=board.mode)


def origin(board: Board, zone: ZoneInfo) -> str:
    """The same for a file, which is read on another day."""
    if board.as_of is None:
        return ""
    moment = board.as_of.astimezone(zone).strftime("%d.%m.%Y %H:%M")
    return _("Data as of {moment}; mode {mode}").format(moment=moment, mode=board.mode)


def incomplete(board: Board, now: datetime) -> str:
    """What a board with a gap says."""
    return _("Incomplete: part of this period was never collected. Run `{command}`.").format(
        command=command(board.period, now)
    )


def command(period: Period, now: datetime) -> str:
    """What collects a period."""
    monday = next(period.weeks()).first
    if period.kind == WEEK and now < period.end:
        return "b24tools snapshot"
    return f"b24tools snapshot --since {monday.isoformat()}"


def nobody(board: Board, now: datetime) -> str:
    """What an empty board says."""
    if now < board.period.start:
        return _("This period has not begun.")
    if board.as_of is None:
        return _("No data yet.")
    if now < board.period.end:
        return _("No task has been closed yet: the first place is free.")
    return _("No task was closed in this period.")


def totals(board: Board) -> str:
    """Everybody's work together, and what `--top` left out."""
    count = len(board.rows) + board.left_out
    who = ngettext("{n} team", "{n} teams", count) if board.teams else ngettext("{n} person", "{n} people", count)
    parts = [
        who.format(n=count),
        ngettext("{n} task", "{n} tasks", board.total_tasks).format(n=board.total_tasks),
        _("{n} h").format(n=decimal(board.total_hours)),
    ]
    if board.left_out:
        parts.append(ngettext("{n} not shown", "{n} not shown", board.left_out).format(n=board.left_out))
    return ", ".join(parts)


def decimal(value: float, digits: int = 1) -> str:
    """With the decimal mark of the language."""
    return f"{value:.{digits}f}".replace(".", pgettext("decimal mark", "."))


def share(row: Row) -> str:
    """On-time share; of fewer than three tasks with a deadline none."""
    if row.on_time_of < ON_TIME_FROM:
        return "-"
    return f"{(200 * row.on_time + row.on_time_of) // (2 * row.on_time_of)}%"


def figure(row: Row) -> str:
    """A team's figure per active member."""
    return "-" if row.figure is None else decimal(row.figure, 2)


def clean(text: str) -> str:
    """A name on one line; what would move the cursor, change colours or turn the direction of writing is dropped."""
    return text if text.isprintable() else "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def moved(row: Row, unicode: bool) -> str:
    """▲2, ▼1, =, new."""
    if row.moved is None:
        return pgettext("movement", "new")
    if row.moved == 0:
        return "="
    if unicode:
        return f"▲{row.moved}" if row.moved > 0 else f"▼{-row.moved}"
    return f"{row.moved:+d}"


def has_moved(board: Board) -> bool:
    """Whether there was a board before this one to compare with."""
    return any(row.moved is not None for row in board.rows)


def _month(number: int) -> str:
    names = (
        _("January"),
        _("February"),
        _("March"),
        _("April"),
        pgettext("month", "May"),
        _("June"),
        _("July"),
        _("August"),
        _("September"),
        _("October"),
        _("November"),
        _("December"),
    )
    return names[number - 1]


def _of_month(number: int) -> str:
    names = (
        pgettext("16 January", "January"),
        pgettext("16 January", "February"),
        pgettext("16 January", "March"),
        pgettext("16 January", "April"),
        pgettext("16 January", "May"),
        pgettext("16 January", "June"),
        pgettext("16 January", "July"),
        pgettext("16 January", "August"),
        pgettext("16 January", "September"),
        pgettext("16 January", "October"),
        pgettext("16 January", "November"),
        pgettext("16 January", "December"),
    )
    return names[number - 1]
