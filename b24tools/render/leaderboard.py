"""The leaderboard for people at a terminal or in a mail, and `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.timestamps import to_text
from b24tools.jobs.leaderboard import Board, Row
from b24tools.jobs.leaderboard.benchmarks import Benchmarks, WeekFigure
from b24tools.render import leaderboard_text as text
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.leaderboard_text import FIGURE, MOVED, NAME, TEAM

BAR_FROM, TEAM_FROM = 76, 60  # cells of a terminal from which there is room for them
BAR_CELLS = (8, 40)
GOAL_CELLS = 10


def data(board: Board, zone: ZoneInfo) -> dict[str, Any]:
    """Return the `data` of `leaderboard --json`; times in `zone` with their offset."""
    period = board.period
    more: dict[str, Any] = {}
    if board.others is not None:
        more["others"] = {"tasks": board.others[0], "hours": board.others[1]}
    if board.portals:
        more["portals"] = list(board.portals)
    if board.season is not None:
        more["frozen"] = {"at": to_text(board.season.frozen_at, zone), "rules_differ": board.rules_differ}
    return {
        "period": {
            "kind": period.kind,
            "label": period.label,
            "from": to_text(period.start, zone),
            "to": to_text(period.end, zone),
            "complete": board.complete,
        },
        "by": board.by,
        "as_of": to_text(board.as_of, zone),
        "rows": [_row_data(row, teams=board.teams) for row in board.rows],
        "benchmarks": _benchmarks_data(board.benchmarks),
        "scope": {
            "group": _name_data(board.scope.group),
            "department": _name_data(board.scope.department),
        },
        "goal": board.goal and asdict(board.goal),
    } | more


def _name_data(named: tuple[int, str] | None) -> dict[str, Any] | None:
    return None if named is None else {"id": named[0], "name": named[1]}


def _benchmarks_data(benchmarks: Benchmarks) -> dict[str, Any]:
    me = benchmarks.me
    own = me and {
        "user_id": me.user_id,
        "name": me.name,
        "place": me.place,
        "figure": me.figure,
        "next_place": me.next_place,
        "missing": me.missing,
        "best": me.best and _week_data(me.best),
        "trend": [_week_data(week) for week in me.trend],
    }
    values = {"ranked": benchmarks.ranked, "median": benchmarks.median, "first_quarter": benchmarks.first_quarter}
    return values | {"me": own}


def _week_data(week: WeekFigure) -> dict[str, Any]:
    return {"week": week.week, "figure": week.figure}


def _row_data(row: Row, *, teams: bool) -> dict[str, Any]:
    values: dict[str, Any] = {
        "place": row.place,
        "user_id": None if teams or row.accounts else row.id,
        "name": row.name,
        "department": row.department,
        "tasks": row.tasks,
        "hours": row.hours,
        "on_time": row.on_time,
        "on_time_of": row.on_time_of,
        "moved": "new" if row.moved is None else row.moved,
    }
    if row.accounts:
        values["accounts"] = [{"profile": profile, "id": id_} for profile, id_ in row.accounts]
    if teams:
        return values | {
            "department_id": row.accounts[0][1] if row.accounts else row.id,
            "people": row.people,
            "per_person": row.figure,
        }
    return values | {"badges": list(row.badges)}


def print_board(board: Board, zone: ZoneInfo, now: datetime, screen: Screen | None = None) -> None:
    """Print the ranking with its heading, its age and its totals."""
    screen = screen or Screen()
    signs = screen.is_terminal and screen.has_unicode
    heading = text.describe_heading(board)
    screen.print(heading if signs else heading.replace("–", "-"), "bold")
    if board.as_of is not None:
        screen.print(text.describe_age(board.as_of, board.mode, zone, now), "dim")
    if board.season is not None:
        screen.print(text.describe_season(board.season, rules_differ=board.rules_differ), "dim")
    if rules := text.describe_rules(board.rules):
        screen.print(rules, "dim")
    screen.print()
    if board.rows:
        _print_rows(board, screen, signs=signs)
        screen.print()
        screen.print(text.describe_totals(board), "dim")
        if benchmarks := text.describe_benchmarks(board):
            screen.print(benchmarks, "dim")
        for line in text.list_badges(board):
            screen.print(line)
        if goal := text.describe_goal(board):
            bar = _draw_share(board, signs=signs) if screen.width >= BAR_FROM else ""
            screen.print(f"{goal} {bar}".rstrip())
    else:
        screen.print(text.describe_empty(board, now))
    if standing := text.describe_standing(board):
        screen.print("\n" + "\n".join(standing))
    if gap := text.describe_gap(board, now):
        screen.print(gap, "yellow")


def _print_rows(board: Board, screen: Screen, *, signs: bool) -> None:
    columns: list[Column] = []
    cells: list[Sequence[Cell]] = []
    for field in text.list_fields(board, signs=signs):
        if field.kind == TEAM and screen.is_terminal and screen.width < TEAM_FROM:
            continue
        title = "" if field.kind == MOVED else field.title
        if field.kind in (NAME, TEAM):
            columns.append(Column(title, overflow="ellipsis"))
        else:
            columns.append(Column(title, right=field.kind != MOVED))
        cells.append([(cell, _style(field.kind, row)) for cell, row in zip(field.cells, board.rows, strict=True)])
        if field.kind == FIGURE and screen.width >= BAR_FROM:
            columns.append(Column(""))
            cells.append([(bar, "cyan") for bar in _draw_bars(board.rows, screen.width, signs=signs)])
    screen.print_table(columns, list(zip(*cells, strict=True)))


def _style(kind: str, row: Row) -> str:
    if kind == MOVED:
        return "cyan" if row.moved is None else "green" if row.moved > 0 else "red" if row.moved < 0 else "dim"
    if kind == NAME:
        return "bold" if row.place in text.MEDALS and row.figure else ""
    return "dim" if kind == TEAM else ""


def _draw_share(board: Board, *, signs: bool) -> str:
    share = min(1.0, board.goal.done / board.goal.target) if board.goal else 0.0
    full = int(share * GOAL_CELLS)
    return ("█" * full + "░" * (GOAL_CELLS - full)) if signs else "#" * full + "." * (GOAL_CELLS - full)


def _draw_bars(rows: Sequence[Row], width: int, *, signs: bool) -> list[str]:
    """Draw the figures, to an eighth of a cell; something, however little, is seen."""
    cells = max(BAR_CELLS[0], min(BAR_CELLS[1], width - 80))
    most = max((row.figure or 0.0 for row in rows), default=0.0)
    eighths = [max(1, round(row.figure / most * cells * 8)) if row.figure else 0 for row in rows]
    if not signs:
        return ["#" * -(-eighth // 8) for eighth in eighths]
    return ["█" * (eighth // 8) + " ▏▎▍▌▋▊▉"[eighth % 8].strip() for eighth in eighths]
