"""The words of the leaderboard: its period, its age, its columns, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.core.periods import MONTH, QUARTER, WEEK, YEAR, Period
from b24tools.core.sizes import format_duration
from b24tools.jobs.leaderboard import HOURS, TASKS, Board, Row
from b24tools.jobs.leaderboard.badges import ALL_ON_TIME, BADGES, BEST_WEEK, CLEAN_FRIDAY, HELPED, MOST_IMPROVED
from b24tools.render.console import clean
from b24tools.render.formats import format_days, format_decimal, format_month, tell_apart
from b24tools.store.seasons import Season
from b24tools.store.settings import WEBHOOK, CountingRules

MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}
ON_TIME_FROM = 3  # a share of one or two tasks says nothing
MOST_NAMED = 5  # who have the same badge
PLACE, MOVED, NAME, TEAM, NUMBER, FIGURE = "place", "moved", "name", "team", "number", "figure"


class Field(NamedTuple):
    """A column as people read it. The `kind` FIGURE is what the ranking goes by: a bar belongs to it."""

    kind: str
    title: str
    cells: list[str]


def list_fields(board: Board, *, signs: bool) -> list[Field]:
    """List the columns of a ranking; `signs`: medals and arrows, where they can be shown."""
    rows = board.rows
    fields = [Field(PLACE, "#", [show_place(row) if signs else str(row.place) for row in rows])]
    if any(row.moved is not None for row in rows):  # else there was no board before this one to compare with
        fields.append(Field(MOVED, "±", [describe_move(row, signs=signs) for row in rows]))
    names = name_rows(board)
    fields.append(Field(NAME, _("Team") if board.teams else _("Name"), [names[row.id] for row in rows]))
    tasks = Field(NUMBER, _("Tasks"), [str(row.tasks) for row in rows])
    hours = Field(NUMBER, _("Hours"), [format_decimal(row.hours) if row.hours else "-" for row in rows])
    if board.teams:
        figures = ["-" if row.figure is None else format_decimal(row.figure, 2) for row in rows]
        fields.append(Field(NUMBER, _("People"), [str(row.people) for row in rows]))
        fields += [Field(FIGURE, _("Per person"), figures), tasks, *([hours] if board.has_hours else [])]
    else:
        fields.append(Field(TEAM, _("Team"), [name_department(row) for row in rows]))
        first, second = (hours, tasks) if board.by == HOURS else (tasks, hours)
        fields += [first._replace(kind=FIGURE), *([second] if board.has_hours else [])]
    return [*fields, Field(NUMBER, _("On time"), [format_share(row) for row in rows])]


def show_place(row: Row) -> str:
    """Write a place: a medal for the first three, if they have done anything."""
    return MEDALS.get(row.place, str(row.place)) if row.figure else str(row.place)


def name_rows(board: Board) -> dict[int, str]:
    """Return the names by id; those that several of all ranked have, shown or not, with the id behind."""
    names = {row.id: clean(row.name) for row in board.rows}
    apart = tell_apart(names.items())
    return {
        row.id: f"{names[row.id]} ({name_account(row)})" if row.name in board.namesakes else apart[row.id]
        for row in board.rows
    }


def name_account(row: Row) -> str:
    """Write `#17`, or of many portals `plant-1 #17`."""
    return f"{row.accounts[0][0]} #{row.accounts[0][1]}" if row.accounts else f"#{row.id}"


def name_department(row: Row) -> str:
    """Write the department; of many portals with those that the person is on."""
    portals = ", ".join(dict.fromkeys(profile for profile, _id in row.accounts))
    return f"{clean(row.department or '-')} ({portals})" if portals else clean(row.department or "-")


def describe_heading(board: Board) -> str:
    """Say what is ranked, of which period."""
    titles = {
        (False, False): _("Leaderboard"),
        (False, True): _("Leaderboard by hours"),
        (True, False): _("Teams"),
        (True, True): _("Teams by hours"),
    }
    title = f"{titles[board.teams, board.by == HOURS]}: {describe_period(board.period)}"
    return ", ".join([title, *board.scope.names, *board.portals])


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


def describe_season(season: Season, *, rules_differ: bool, command: bool = True) -> str:
    """Say since when the results of a period stand, and by which rules; `command`: with the one that shows them."""
    day = f"{season.frozen_at.astimezone(ZoneInfo(season.rules.zone)):%d.%m.%Y}"
    if rules_differ and command:
        text = _("Final since {day}, by other rules than today's: `b24tools leaderboard --rules {label}`.")
    elif rules_differ:
        text = _("Final since {day}, by other rules than today's.")
    else:
        text = _("Final since {day}.")
    return text.format(day=day, label=season.label)


def describe_rules(rules: CountingRules | None) -> str:
    """Say that more is counted than usual; "" where it is not."""
    return _("Tasks that people set themselves count, too.") if rules and rules.count_own else ""


def describe_gap(board: Board, now: datetime) -> str:
    """Say what to run for a period of which a part is missing; "" for a whole or an empty one."""
    if board.complete or not (board.rows or board.as_of):
        return ""
    if board.sees_part:
        return say_part()
    return _("Incomplete: part of this period was never collected. Run `{command}`.").format(
        command=snapshot_command(board.period, now, board.portals, board.mode)
    )


def say_part() -> str:
    """Say that no snapshot brings more."""
    return _("Only what the webhook's owner sees was collected: the owner is not an administrator.")


def snapshot_command(period: Period, now: datetime, portals: Sequence[str] = (), mode: str = "") -> str:
    """Return the command that collects a period, for these of many portals; in webhook mode another one does."""
    monday = next(period.weeks()).first
    since = "" if period.kind == WEEK and now < period.end else f" --since {monday.isoformat()}"
    if WEBHOOK in mode and period.kind == WEEK and now < period.end + timedelta(days=7):
        since = " --reconcile"
    each = f"each --profiles {','.join(portals)} -- " if portals else ""
    return f"b24tools {each}snapshot{since}"


def describe_empty(board: Board, now: datetime) -> str:
    """Say why there is no row."""
    if now < board.period.start:
        return _("This period has not begun.")
    if board.total_tasks and board.by == HOURS and not board.has_hours:
        return say_no_hours()
    if board.total_tasks:
        return say_unnamed()
    if board.as_of is None:
        return _("No data yet.")
    if now < board.period.end:
        return _("No task has been closed yet: the first place is free.")
    return _("No task was closed in this period.")


def say_no_hours() -> str:
    """Say why nothing is ranked by hours."""
    return _("Nothing that was closed has an estimate: there is no ranking by hours.")


def say_unnamed() -> str:
    """Say why nobody is ranked though tasks were closed."""
    return _("All who have closed tasks do not want to be named.")


def describe_totals(board: Board) -> str:
    """Count everybody's work together, and what `--top` left out."""
    count = len(board.rows) + board.left_out
    who = ngettext("{n} team", "{n} teams", count) if board.teams else ngettext("{n} person", "{n} people", count)
    parts = [
        who.format(n=count),
        ngettext("{n} task", "{n} tasks", board.total_tasks).format(n=board.total_tasks),
        *([_("{n} h").format(n=format_decimal(board.total_hours))] if board.has_hours else []),
    ]
    if board.others is not None:
        tasks, hours = board.others
        unnamed = ngettext("{n} task without a name ({hours} h)", "{n} tasks without a name ({hours} h)", tasks)
        parts.append(unnamed.format(n=tasks, hours=format_decimal(hours)))
    if board.left_out:
        parts.append(ngettext("{n} not shown", "{n} not shown", board.left_out).format(n=board.left_out))
    return ", ".join(parts)


def describe_benchmarks(board: Board) -> str:
    """Say what the middle and the first quarter have; "" of a single row."""
    median, quarter = board.benchmarks.median, board.benchmarks.first_quarter
    if median is None or board.benchmarks.ranked < 2:
        return ""
    parts = [_("median {n}").format(n=format_figure(board, median))]
    if quarter is not None:
        parts.append(_("the first quarter has {n} or more").format(n=format_figure(board, quarter)))
    return ", ".join(parts)


def list_badges(board: Board) -> list[str]:
    """Say who has which badge, a line each."""
    names, titles = name_rows(board), name_badges()
    lines = []
    for badge in BADGES:
        holders = [names[row.id] for row in board.rows if badge in row.badges]
        more = [_("{n} more").format(n=len(holders) - MOST_NAMED)] if len(holders) > MOST_NAMED else []
        if holders:
            lines.append(f"{titles[badge]}: {', '.join([*holders[:MOST_NAMED], *more])}")
    return lines


def name_badges() -> dict[str, str]:
    """Return what the badges are called."""
    return {
        MOST_IMPROVED: pgettext("badge", "most improved"),
        BEST_WEEK: pgettext("badge", "personal best"),
        HELPED: pgettext("badge", "helped others"),
        ALL_ON_TIME: pgettext("badge", "all on time"),
        CLEAN_FRIDAY: pgettext("badge", "clean Friday"),
    }


def describe_goal(board: Board) -> str:
    """Say how far the team has come, and how many are there; "" without a goal."""
    goal = board.goal
    if goal is None:
        return ""
    done, target, present = (_format_short(figure) for figure in (goal.done, goal.target, goal.present))
    parts = [
        name_goals()[goal.unit].format(done=done, target=target, percent=int(100 * goal.done / goal.target)),
        _("{present} of {members} present").format(present=present, members=goal.members),
    ]
    return ", ".join(parts)


def name_goals() -> dict[str, str]:
    """Return how a goal is written, by what it counts."""
    return {
        TASKS: _("team goal: {done} of {target} tasks ({percent}%)"),
        HOURS: _("team goal: {done} of {target} h ({percent}%)"),
    }


def _format_short(figure: float) -> str:
    return str(int(figure)) if figure == int(figure) else format_decimal(figure)


def describe_standing(board: Board) -> list[str]:
    """Say in a few lines where the person stands who was asked for; none without such a person."""
    me = board.benchmarks.me
    if me is None:
        return []
    if me.place is None:
        place = _("nothing has been counted in this period yet")
    else:
        place = _("place {place} of {of}, {n}").format(
            place=me.place, of=board.benchmarks.ranked, n=count_figure(board, me.figure)
        )
    lines = [f"{clean(me.name)}: {place}"]
    if me.missing is not None:
        lines.append(_("to place {place}: {n} more").format(place=me.next_place, n=count_figure(board, me.missing)))
    trend = ", ".join(f"{point.week[-3:]} {format_figure(board, point.figure)}" for point in me.trend)
    lines.append(_("four weeks: {trend}").format(trend=trend))
    if me.best is not None:
        best = count_figure(board, me.best.figure)
        lines.append(_("own best week: {n} ({week})").format(n=best, week=me.best.week))
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def format_figure(board: Board, figure: float) -> str:
    """Write tasks or hours, as the ranking goes: without digits that say nothing."""
    if board.by == TASKS and figure == int(figure):
        return str(int(figure))
    return format_decimal(figure, 2 if board.teams else 1)


def count_figure(board: Board, figure: float) -> str:
    """Write `5 tasks` or `12.5 h`."""
    text = format_figure(board, figure)
    return (
        _("{n} h").format(n=text)
        if board.by == HOURS
        else ngettext("{n} task", "{n} tasks", int(figure)).format(n=text)
    )


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
