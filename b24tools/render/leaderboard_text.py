"""The words of the leaderboard: its period, its age, its columns, in the reader's language."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.core.periods import MONTH, QUARTER, WEEK, YEAR, Period
from b24tools.jobs.leaderboard import HOURS, Board, Row
from b24tools.render.console import clean
from b24tools.render.formats import format_days, format_decimal, format_duration, format_month, tell_apart
from b24tools.store.seasons import Season

MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}
ON_TIME_FROM = 3  # a share of one or two tasks says nothing
PLACE, MOVED, NAME, TEAM, NUMBER, FIGURE = "place", "moved", "name", "team", "number", "figure"


class Field(NamedTuple):
    """A column as people read it. The `kind` FIGURE is what the ranking goes by: a bar belongs to it."""

    kind: str
    title: str
    cells: list[str]


def list_fields(board: Board, *, signs: bool) -> list[Field]:
    """List the columns of a ranking; `signs`: medals and arrows, where they can be shown."""
    rows = board.rows
    fields = [Field(PLACE, "#", [MEDALS.get(row.place, str(row.place)) if signs else str(row.place) for row in rows])]
    if any(row.moved is not None for row in rows):  # else there was no board before this one to compare with
        fields.append(Field(MOVED, "±", [describe_move(row, signs=signs) for row in rows]))
    names = tell_apart((row.id, clean(row.name)) for row in rows)
    fields.append(Field(NAME, _("Team") if board.teams else _("Name"), [names[row.id] for row in rows]))
    tasks = Field(NUMBER, _("Tasks"), [str(row.tasks) for row in rows])
    hours = Field(NUMBER, _("Hours"), [format_decimal(row.hours) for row in rows])
    if board.teams:
        figures = ["-" if row.figure is None else format_decimal(row.figure, 2) for row in rows]
        fields.append(Field(NUMBER, _("People"), [str(row.people) for row in rows]))
        fields += [Field(FIGURE, _("Per person"), figures), tasks, hours]
    else:
        fields.append(Field(TEAM, _("Team"), [clean(row.department or "-") for row in rows]))
        first, second = (hours, tasks) if board.by == HOURS else (tasks, hours)
        fields += [first._replace(kind=FIGURE), second]
    return [*fields, Field(NUMBER, _("On time"), [format_share(row) for row in rows])]


def describe_heading(board: Board) -> str:
    """Say what is ranked, of which period."""
    titles = {
        (False, False): _("Leaderboard"),
        (False, True): _("Leaderboard by hours"),
        (True, False): _("Teams"),
        (True, True): _("Teams by hours"),
    }
    return f"{titles[board.teams, board.by == HOURS]}: {describe_period(board.period)}"


def describe_period(period: Period) -> str:
    """Write `week 47, 16–22 November 2026` or `November 2026`."""
    if period.kind == MONTH:
        return format_month(period.first)
    if period.kind == QUARTER:
        return _("quarter {number} of {year}").format(number=period.first.month // 3 + 1, year=period.first.year)
    if period.kind == YEAR:
        return str(period.first.year)
    days = format_days(period.first, period.after - timedelta(days=1))
    return _("week {week}, {days}").format(week=period.first.isocalendar().week, days=days)


def describe_age(as_of: datetime, mode: str, zone: ZoneInfo, now: datetime) -> str:
    """Say how old the data are, and how they come."""
    seconds = max(0, int((now - as_of).total_seconds()))
    local, today = as_of.astimezone(zone), now.astimezone(zone)
    form = "%H:%M" if local.date() == today.date() else "%d.%m %H:%M" if local.year == today.year else "%d.%m.%Y %H:%M"
    ago = _("{age} ago").format(age=format_duration(seconds)) if seconds >= 60 else _("just now")
    return _("Data as of {moment}, {ago}; mode {mode}").format(moment=local.strftime(form), ago=ago, mode=mode)


def describe_season(season: Season, *, rules_differ: bool) -> str:
    """Say since when the results of a period stand, and by which rules."""
    day = f"{season.frozen_at.astimezone(ZoneInfo(season.rules.zone)):%d.%m.%Y}"
    if rules_differ:
        text = _("Final since {day}, by other rules than today's: `b24tools leaderboard --rules {label}`.")
    else:
        text = _("Final since {day}.")
    return text.format(day=day, label=season.label)


def describe_gap(board: Board, now: datetime) -> str:
    """Say what to run for a period of which a part is missing; "" for a whole or an empty one."""
    if board.complete or not (board.rows or board.as_of):
        return ""
    return _("Incomplete: part of this period was never collected. Run `{command}`.").format(
        command=snapshot_command(board.period, now)
    )


def snapshot_command(period: Period, now: datetime) -> str:
    """Return the command that collects a period."""
    monday = next(period.weeks()).first
    if period.kind == WEEK and now < period.end:
        return "b24tools snapshot"
    return f"b24tools snapshot --since {monday.isoformat()}"


def describe_empty(board: Board, now: datetime) -> str:
    """Say why there is no row."""
    if now < board.period.start:
        return _("This period has not begun.")
    if board.as_of is None:
        return _("No data yet.")
    if now < board.period.end:
        return _("No task has been closed yet: the first place is free.")
    return _("No task was closed in this period.")


def describe_totals(board: Board) -> str:
    """Count everybody's work together, and what `--top` left out."""
    count = len(board.rows) + board.left_out
    who = ngettext("{n} team", "{n} teams", count) if board.teams else ngettext("{n} person", "{n} people", count)
    parts = [
        who.format(n=count),
        ngettext("{n} task", "{n} tasks", board.total_tasks).format(n=board.total_tasks),
        _("{n} h").format(n=format_decimal(board.total_hours)),
    ]
    if board.others is not None:
        tasks, hours = board.others
        unnamed = ngettext("{n} task without a name ({hours} h)", "{n} tasks without a name ({hours} h)", tasks)
        parts.append(unnamed.format(n=tasks, hours=format_decimal(hours)))
    if board.left_out:
        parts.append(ngettext("{n} not shown", "{n} not shown", board.left_out).format(n=board.left_out))
    return ", ".join(parts)


def format_share(row: Row) -> str:
    """Write the on-time share; of fewer than three tasks with a deadline none."""
    if row.on_time_of < ON_TIME_FROM:
        return "-"
    return f"{(200 * row.on_time + row.on_time_of) // (2 * row.on_time_of)}%"


def describe_move(row: Row, *, signs: bool) -> str:
    """Write ▲2, ▼1, = or new; without such signs +2, -1."""
    if row.moved is None:
        return pgettext("movement", "new")
    if row.moved == 0:
        return "="
    if signs:
        return f"▲{row.moved}" if row.moved > 0 else f"▼{-row.moved}"
    return f"{row.moved:+d}"
