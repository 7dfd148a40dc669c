"""The leaderboard as a file: CSV for Excel, a table for GitHub, a page for a share."""

from __future__ import annotations

import csv as csv_format
import html as markup
import io
import re
from datetime import datetime
from pathlib import Path
from string import Template
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _, pgettext
from b24tools.jobs.leaderboard import HOURS, Board, Row
from b24tools.render import leaderboard_text as words

PAGE = Path(__file__).with_name("templates") / "leaderboard.html"
MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}
BOM = "\ufeff"
PLACE, MOVED, TEXT, NUMBER, BAR = "place", "moved", "text", "number", "bar"  # kinds of columns


def csv(board: Board) -> str:
    """What Excel in Russia opens by a double click: a BOM, semicolons, the decimal mark of the language."""
    stream = io.StringIO()
    writer = csv_format.writer(stream, delimiter=";", lineterminator="\r\n")
    who = [_("Team"), _("People"), _("Per person")] if board.teams else [_("Name"), _("Team")]
    writer.writerow([_("Place"), _("Moved"), *who, _("Tasks"), _("Hours"), _("On time"), _("With a deadline"), "ID"])
    for row in board.rows:
        person = [_inert(row.name), _inert(row.department or "")]
        team = [_inert(row.name), row.people, "" if row.figure is None else words.decimal(row.figure, 2)]
        move = pgettext("movement", "new") if row.moved is None else row.moved
        done = [row.tasks, words.decimal(row.hours), row.on_time, row.on_time_of, row.id]
        writer.writerow([row.place, move, *(team if board.teams else person), *done])
    return BOM + stream.getvalue()


def _inert(text: str) -> str:
    """A cell that Excel does not take for a formula."""
    text = words.clean(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def md(board: Board, zone: ZoneInfo, now: datetime) -> str:
    """A table for GitHub, GitLab and other readers of Markdown."""
    parts = [f"**{words.heading(board)}**"]
    if board.rows:
        columns = _columns(board)
        lines = [[title for _kind, title, _cells in columns]]
        lines.append(["---" if kind == TEXT else "--:" for kind, _title, _cells in columns])
        cells = [[_plain_markdown(cell) for cell in cells] for _kind, _title, cells in columns]
        lines += [list(line) for line in zip(*cells, strict=True)]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        parts.append(words.totals(board) + ".")
    else:
        parts.append(words.nobody(board, now))
    parts += _notes(board, zone, now)
    return "\n\n".join(parts) + "\n"


def _plain_markdown(text: str) -> str:
    """Signs that mean something in Markdown, escaped."""
    return re.sub(r"([\\`*_{}\[\]<>|~#&!])", r"\\\1", text)


def html(board: Board, zone: ZoneInfo, now: datetime) -> str:
    """One page with everything in it: light and dark, for a screen and for paper."""
    escape = markup.escape
    if board.rows:
        content = _html_table(board) + f"<p class=totals>{escape(words.totals(board))}</p>"
    else:
        content = f"<p class=empty>{escape(words.nobody(board, now))}</p>"
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        language=pgettext("language code", "en"),
        title=escape(words.heading(board)),
        notes="".join(f"<p>{escape(note)}</p>" for note in _notes(board, zone, now)),
        content=content,
    )


def _html_table(board: Board) -> str:
    columns = _columns(board)
    most = max((row.figure or 0.0 for row in board.rows), default=0.0)
    head = "".join(f'<th class="{kind}">{title}' for kind, title, _cells in columns)
    lines = [f"<table><thead><tr>{head}</thead><tbody>"]
    for number, row in enumerate(board.rows):
        part = (row.figure or 0.0) / most if most else 0.0
        line = f'<tr class="place{row.place}">'
        for kind, _title, cells in columns:
            text = markup.escape(cells[number])
            if kind == PLACE:
                line += f'<td class="{kind}"><b>{row.place}</b>'  # a medal is drawn: not every machine has the signs
            elif kind == MOVED:
                line += f'<td class="{kind} {_direction(row)}">{text}'
            elif kind == BAR:
                line += f'<td class="{kind}"><i style="--part:{part:.3f}"></i><b>{text}</b>'
            else:
                line += f'<td class="{kind}">{text}'
        lines.append(line)
    return "\n".join([*lines, "</tbody></table>"])


def _direction(row: Row) -> str:
    return "new" if row.moved is None else "up" if row.moved > 0 else "down" if row.moved < 0 else "same"


def _columns(board: Board) -> list[tuple[str, str, list[str]]]:
    """Kinds, titles and cells as people read them; a bar belongs to what the ranking goes by."""
    rows = board.rows
    columns = [(PLACE, "#", [MEDALS.get(row.place, str(row.place)) for row in rows])]
    if words.has_moved(board):
        columns.append((MOVED, "±", [words.moved(row, True) for row in rows]))
    columns.append((TEXT, _("Team") if board.teams else _("Name"), [words.clean(row.name) for row in rows]))
    if board.teams:
        columns.append((NUMBER, _("People"), [str(row.people) for row in rows]))
        columns.append((BAR, _("Per person"), [words.figure(row) for row in rows]))
    else:
        columns.append((TEXT, _("Team"), [words.clean(row.department or "-") for row in rows]))
    by_hours = board.by == HOURS and not board.teams
    tasks = (NUMBER if board.teams or by_hours else BAR, _("Tasks"), [str(row.tasks) for row in rows])
    hours = (BAR if by_hours else NUMBER, _("Hours"), [words.decimal(row.hours) for row in rows])
    columns += [hours, tasks] if by_hours else [tasks, hours]
    return [*columns, (NUMBER, _("On time"), [words.share(row) for row in rows])]


def _notes(board: Board, zone: ZoneInfo, now: datetime) -> list[str]:
    notes = []
    if board.as_of is not None:
        notes.append(words.origin(board, zone) + ".")
    if not board.complete and (board.rows or board.as_of is not None):
        notes.append(words.incomplete(board, now))
    return notes
