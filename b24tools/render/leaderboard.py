"""The leaderboard for people at a terminal and for programs; a part of the only writer to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.timestamps import to_text
from b24tools.jobs.leaderboard import HOURS, Board, Row
from b24tools.render import console as render_console
from b24tools.render import leaderboard_text as words

MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}
BAR_CELLS = (8, 40)
NAME_CELLS, TEAM_CELLS = 12, 8  # what is left of them on a narrow terminal before the bar goes
GAP = 2
STYLES = ("", "bold", "dim", "cyan", "green", "red", "yellow")

Line = list[tuple[str, str]]  # words with their styles


@dataclass(frozen=True)
class Look:
    """What the output can carry: a `drawn` table of `width` cells, or plain text; more than ASCII signs or not."""

    drawn: bool
    width: int
    unicode: bool


def data(board: Board, zone: ZoneInfo) -> dict[str, Any]:
    """The `data` of `leaderboard --json`; times in `zone` with their offset."""
    period = board.period
    return {
        "period": {
            "kind": period.kind,
            "label": period.label,
            "from": to_text(period.start, zone),
            "to": to_text(period.end, zone),
            "complete": board.complete,
        },
        "by": board.by,
        "as_of": None if board.as_of is None else to_text(board.as_of, zone),
        "rows": [_row_data(row, teams=board.teams) for row in board.rows],
    }


def _row_data(row: Row, *, teams: bool) -> dict[str, Any]:
    told = {
        "place": row.place,
        "user_id": None if teams else row.id,
        "name": row.name,
        "department": row.department,
        "tasks": row.tasks,
        "hours": row.hours,
        "on_time": row.on_time,
        "on_time_of": row.on_time_of,
        "moved": "new" if row.moved is None else row.moved,
    }
    return told | ({"department_id": row.id, "people": row.people, "per_person": row.figure} if teams else {})


def table(board: Board, zone: ZoneInfo, now: datetime) -> None:
    """Print the ranking: drawn on a terminal, plain text elsewhere."""
    if not sys.stdout.isatty():
        render_console.text(plain(lines(board, zone, now, Look(drawn=False, width=0, unicode=False))))
        return
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    console = Console(highlight=False)
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf8")
    look = Look(drawn=True, width=console.width, unicode=unicode)
    styles = {name: Style.parse(name) for name in STYLES}
    drawn = [
        Segment(word, styles[style]) for line in lines(board, zone, now, look) for word, style in [*line, ("\n", "")]
    ]
    console.print(Segments(drawn), end="", crop=False)


def write(content: str) -> None:
    """Print a whole file as it is: UTF-8, its own line ends, wherever it runs."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content.encode("utf-8"))
    sys.stdout.buffer.flush()


def plain(printed: Sequence[Line]) -> str:
    """The lines without their styles."""
    return "\n".join("".join(word for word, _style in line).rstrip() for line in printed)


def lines(board: Board, zone: ZoneInfo, now: datetime, look: Look) -> list[Line]:
    """All of it, ready to print."""
    printed: list[Line] = [[(words.heading(board, look.unicode), "bold")]]
    if board.as_of is not None:
        printed.append([(words.age(board, zone, now), "dim")])
    if board.rows:
        printed += [[], *_grid(_columns(board, look), board, look), [], [(words.totals(board), "dim")]]
    else:
        printed += [[], [(words.nobody(board, now), "")]]
    if not board.complete and (board.rows or board.as_of is not None):
        printed.append([(words.incomplete(board, now), "yellow")])
    return printed


# the grid


@dataclass
class _Column:
    """`shrinks_to`: the width below which it is not cut, None for what is never cut."""

    title: str
    cells: list[str]
    align: Literal["<", ">"] = "<"
    style: Callable[[Row], str] = lambda _row: ""
    shrinks_to: int | None = None
    bar: bool = False
    width: int = 0


def _columns(board: Board, look: Look) -> list[_Column]:
    rows = board.rows
    medals = look.drawn and look.unicode
    columns = [_Column("#", [MEDALS.get(row.place, str(row.place)) if medals else str(row.place) for row in rows], ">")]
    if words.has_moved(board):
        signs = [words.moved(row, look.drawn and look.unicode) for row in rows]
        columns.append(_Column("", signs, style=_movement_style))
    names = [words.clean(row.name) for row in rows]
    columns.append(_Column(_("Team") if board.teams else _("Name"), names, style=_name_style, shrinks_to=NAME_CELLS))
    if not board.teams:
        teams = [words.clean(row.department or "-") for row in rows]
        columns.append(_Column(_("Team"), teams, style=lambda _row: "dim", shrinks_to=TEAM_CELLS))
    tasks = _Column(_("Tasks"), [str(row.tasks) for row in rows], ">")
    hours = _Column(_("Hours"), [words.decimal(row.hours) for row in rows], ">")
    bar = [_Column("", [""] * len(rows), style=lambda _row: "cyan", bar=True)] if look.drawn else []
    if board.teams:
        people = _Column(_("People"), [str(row.people) for row in rows], ">")
        each = _Column(_("Per person"), [words.figure(row) for row in rows], ">")
        columns += [people, each, *bar, tasks, hours]
    else:
        columns += [hours, *bar, tasks] if board.by == HOURS else [tasks, *bar, hours]
    columns.append(_Column(_("On time"), [words.share(row) for row in rows], ">"))
    return columns


def _movement_style(row: Row) -> str:
    return "cyan" if row.moved is None else "green" if row.moved > 0 else "red" if row.moved < 0 else "dim"


def _name_style(row: Row) -> str:
    return "bold" if row.place in MEDALS else ""


def _grid(columns: list[_Column], board: Board, look: Look) -> list[Line]:
    columns = _fit(columns, look)
    for column in columns:
        if column.bar:
            column.cells = _bars([row.figure or 0.0 for row in board.rows], column.width, look.unicode)
    gap = " " * GAP
    head: Line = [(gap.join(_aligned(column.title, column, look) for column in columns), "bold")]
    grid = [head]
    if look.drawn:
        grid.append([(("─" if look.unicode else "-") * _total(columns), "dim")])
    for number, row in enumerate(board.rows):
        line: Line = []
        for column in columns:
            line += [(_aligned(column.cells[number], column, look), column.style(row)), (gap, "")]
        grid.append(line[:-1])
    return grid


def _fit(columns: list[_Column], look: Look) -> list[_Column]:
    """Give each column its width; on a terminal the names give way first, then the bar goes, then the team."""
    for column in columns:
        column.width = max([_cells(column.title), *(_cells(cell) for cell in column.cells)])
        if column.bar:
            column.width = BAR_CELLS[0]
    if not look.drawn:
        return columns
    flexible = [column for column in columns if column.shrinks_to is not None]
    smallest = _total(columns) - sum(max(0, column.width - (column.shrinks_to or 0)) for column in flexible)
    if smallest > look.width and any(column.bar for column in columns):
        return _fit([column for column in columns if not column.bar], look)
    if smallest > look.width and len(flexible) > 1:
        return _fit([column for column in columns if column is not flexible[1]], look)
    while (excess := _total(columns) - look.width) > 0:
        widest = max(flexible, key=lambda column: column.width - (column.shrinks_to or 0))
        if widest.width <= (widest.shrinks_to or 0):
            break
        widest.width = max(widest.shrinks_to or 0, widest.width - max(1, excess // 2))
    for column in columns:
        if column.bar:
            column.width = min(BAR_CELLS[1], column.width + max(0, look.width - _total(columns)))
    return columns


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _aligned(text: str, column: _Column, look: Look) -> str:
    size = _cells(text)
    if size > column.width:
        dots = "…" if look.unicode else ".."
        text = _cut(text, column.width - len(dots)) + dots
        size = _cells(text)
    blanks = " " * (column.width - size)
    return blanks + text if column.align == ">" else text + blanks


def _cut(text: str, width: int) -> str:
    while _cells(text) > width:
        text = text[:-1]
    return text.rstrip()


def _bars(figures: Sequence[float], width: int, unicode: bool) -> list[str]:
    most = max(figures, default=0.0)
    return [_bar(value / most if most else 0.0, width, unicode) for value in figures]


def _bar(part: float, width: int, unicode: bool) -> str:
    """To an eighth of a cell; something, however little, is seen."""
    if not unicode:
        return "#" * (max(1, round(part * width)) if part else 0)
    eighths = max(1, round(part * width * 8)) if part else 0
    return "█" * (eighths // 8) + ("▏▎▍▌▋▊▉"[eighths % 8 - 1] if eighths % 8 else "")


def _cells(text: str) -> int:
    """How many cells a text takes on the terminal; Latin, Greek and Cyrillic letters take one each."""
    if all(sign < "\u0300" or "\u0370" <= sign < "\u0483" for sign in text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
