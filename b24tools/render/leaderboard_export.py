"""The leaderboard as a file: CSV for Excel, a table for GitHub, a page for a share."""

from __future__ import annotations

import re
from datetime import datetime
from string import Template
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, current_language, pgettext
from b24tools.jobs.leaderboard import Board, Row
from b24tools.render import leaderboard_text as text
from b24tools.render.csv_file import make_inert, write_csv
from b24tools.render.formats import format_decimal
from b24tools.render.leaderboard_text import FIGURE, MOVED, NAME, PLACE, TEAM
from b24tools.render.markup import escape
from b24tools.render.page_assets import read_asset

CLASSES = {NAME: "text", TEAM: "text", FIGURE: "bar"}  # of the page's style, where they are not the kind itself


def to_csv(board: Board) -> str:
    """Write what Excel in Russia opens by a double click, with the decimal mark of the language."""
    who = [_("Team"), _("People"), _("Per person")] if board.teams else [_("Name"), _("Team")]
    rows: list[list[object]] = [
        [_("Place"), _("Moved"), *who, _("Tasks"), _("Hours"), _("On time"), _("With a deadline"), "ID"]
    ]
    for row in board.rows:
        person = [make_inert(row.name), make_inert(text.name_department(row) if row.accounts else row.department or "")]
        team = [make_inert(row.name), row.people, "" if row.figure is None else format_decimal(row.figure, 2)]
        move = pgettext("movement", "new") if row.moved is None else row.moved
        done = [
            row.tasks,
            format_decimal(row.hours),
            row.on_time,
            row.on_time_of,
            text.name_account(row) if row.accounts else row.id,
        ]
        rows.append([row.place, move, *(team if board.teams else person), *done])
    return write_csv(rows)


def to_markdown(board: Board, zone: ZoneInfo, now: datetime) -> str:
    """Write a table for GitHub, GitLab and other readers of Markdown."""
    parts = [f"**{text.describe_heading(board)}**"]
    if board.rows:
        fields = text.list_fields(board, signs=True)
        columns = [
            [field.title, "---" if field.kind in (NAME, TEAM) else "--:", *map(_escape_markdown, field.cells)]
            for field in fields
        ]
        lines = zip(*columns, strict=True)
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        parts += [f"{_escape_markdown(line)}." for line in _foot(board)]
    else:
        parts.append(text.describe_empty(board, now))
    return "\n\n".join([*parts, *_notes(board, zone, now)]) + "\n"


def _escape_markdown(cell: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|~#&!])", r"\\\1", cell)


def to_html(board: Board, zone: ZoneInfo, now: datetime) -> str:
    """Write one page with everything in it: light and dark, for a screen and for paper."""
    if board.rows:
        content = f"{_html_table(board)}<p class=totals>{escape('; '.join(_foot(board)))}</p>"
    else:
        content = f"<p class=empty>{escape(text.describe_empty(board, now))}</p>"
    return Template(read_asset("leaderboard.html")).substitute(
        language=current_language(),
        title=escape(text.describe_heading(board)),
        notes="".join(f"<p>{escape(note)}</p>" for note in _notes(board, zone, now)),
        content=content,
    )


def _foot(board: Board) -> list[str]:
    middle, goal = text.describe_benchmarks(board), text.describe_goal(board)
    return [line for line in (text.describe_totals(board), middle, *text.list_badges(board), goal) if line]


def _html_table(board: Board) -> str:
    fields = text.list_fields(board, signs=True)
    classes = [CLASSES.get(field.kind, field.kind) for field in fields]
    most = max((row.figure or 0.0 for row in board.rows), default=0.0)
    head = "".join(f'<th class="{name}">{field.title}' for name, field in zip(classes, fields, strict=True))
    lines = [f"<table><thead><tr>{head}</thead><tbody>"]
    for number, row in enumerate(board.rows):
        line = f'<tr class="place{row.place if row.figure else ""}">'
        for name, field in zip(classes, fields, strict=True):
            cell = escape(field.cells[number])
            if field.kind == PLACE:
                line += f'<td class="{name}"><b>{row.place}</b>'  # a medal is drawn: not every machine has the signs
            elif field.kind == MOVED:
                line += f'<td class="{name} {_direction(row)}">{cell}'
            elif field.kind == FIGURE:
                part = (row.figure or 0.0) / most if most else 0.0
                line += f'<td class="{name}"><i style="--part:{part:.3f}"></i><b>{cell}</b>'
            else:
                line += f'<td class="{name}">{cell}'
        lines.append(line)
    return "\n".join([*lines, "</tbody></table>"])


def _direction(row: Row) -> str:
    return "new" if row.moved is None else "up" if row.moved > 0 else "down" if row.moved < 0 else "same"


def _notes(board: Board, zone: ZoneInfo, now: datetime) -> list[str]:
    """Say when the data were true, for a reader of another day, and what else is to be known of them."""
    notes = []
    if board.as_of is not None:
        moment = board.as_of.astimezone(zone).strftime("%d.%m.%Y %H:%M")
        notes.append(_("Data as of {moment}; mode {mode}").format(moment=moment, mode=board.mode) + ".")
    return [*notes, *list_reservations(board, now)]


def list_reservations(board: Board, now: datetime) -> list[str]:
    """List what is to be known of the figures as a whole: that they are final, counted otherwise, incomplete."""
    season = text.describe_season(board.season, rules_differ=board.rules_differ) if board.season else ""
    return list(filter(None, [season, text.describe_rules(board.rules), text.describe_gap(board, now)]))
