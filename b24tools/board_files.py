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

from b24tools import board_words as words
from b24tools.i18n import _, pgettext
from b24tools.jobs.leaderboard import HOURS, Board, Row

PAGE = Path(__file__).with_name("board.html")
MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}
BOM = "\ufeff"


def csv(board: Board) -> str:
    """What Excel in Russia opens by a double click: a BOM, semicolons, the decimal mark of the language."""
    stream = io.StringIO()
    writer = csv_format.writer(stream, delimiter=";", lineterminator="\r\n")
    who = [_("Team"), _("People"), _("Each")] if board.teams else [_("Name"), _("Team")]
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
        titles, cells = _grid(board)
        rule = ["---" if title in _texts() else "--:" for title in titles]
        rows = [titles, rule, *([_plain_markdown(cell) for cell in row] for row in cells)]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
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
    titles, cells = _grid(board)
    texts = _texts()
    most = max((row.figure or 0.0 for row in board.rows), default=0.0)
    ranked = titles.index(_("Each") if board.teams else _("Hours") if board.by == HOURS else _("Tasks"))
    kinds = ["text" if title in texts else "number" for title in titles]
    head = "".join(f"<th class={kind}>{markup.escape(title)}" for title, kind in zip(titles, kinds, strict=True))
    lines = [f"<table><thead><tr>{head}</thead><tbody>"]
    for row, line in zip(board.rows, cells, strict=True):
        marked = []
        for number, cell in enumerate(line):
            text = markup.escape(cell)
            if number == ranked:
                width = 100 * (row.figure or 0.0) / most if most else 0.0
                text = f'<i style="width:{width:.1f}%"></i><b>{text}</b>'
                marked.append(f"<td class=bar>{text}")
            else:
                marked.append(f'<td class="{kinds[number]} {_movement(row) if titles[number] == "±" else ""}">{text}')
        lines.append(f'<tr class="place{row.place}">' + "".join(marked))
    return "\n".join([*lines, "</tbody></table>"])


def _movement(row: Row) -> str:
    return "new" if row.moved is None else "up" if row.moved > 0 else "down" if row.moved < 0 else "same"


def _grid(board: Board) -> tuple[list[str], list[list[str]]]:
    """Titles and cells as people read them."""
    with_moves = words.has_moved(board)
    who = [_("Team"), _("People"), _("Each")] if board.teams else [_("Name"), _("Team")]
    done = [_("Hours"), _("Tasks")] if board.by == HOURS and not board.teams else [_("Tasks"), _("Hours")]
    titles = ["#", *(["±"] if with_moves else []), *who, *done, _("On time")]
    cells = []
    for row in board.rows:
        name = words.clean(row.name)
        person = [name, words.clean(row.department or "-")]
        team = [name, str(row.people), words.figure(row)]
        figures = {_("Tasks"): str(row.tasks), _("Hours"): words.decimal(row.hours)}
        cells.append(
            [
                MEDALS.get(row.place, str(row.place)),
                *([words.moved(row, True)] if with_moves else []),
                *(team if board.teams else person),
                *(figures[title] for title in done),
                words.share(row),
            ]
        )
    return titles, cells


def _texts() -> set[str]:
    """The titles of the columns that are no numbers."""
    return {_("Name"), _("Team")}


def _notes(board: Board, zone: ZoneInfo, now: datetime) -> list[str]:
    notes = []
    if board.as_of is not None:
        notes.append(words.age(board, zone, now) + ".")
    if not board.complete and (board.rows or board.as_of is not None):
        notes.append(words.incomplete(board, now))
    return notes
