"""`/leaderboard`, and `/board`: the page for a screen on the wall, which asks it for what it shows."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from datetime import datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from b24tools.core import errors, i18n, periods
from b24tools.core.i18n import _, ngettext, pgettext
from b24tools.jobs import leaderboard
from b24tools.render import leaderboard_text
from b24tools.render.leaderboard import data
from b24tools.server import openapi
from b24tools.server.responses import Reply

if TYPE_CHECKING:
    from b24tools.server.app import Parts

LAST = "last"
TOP = 10
TEAMS = 4
PLURALS = {"one": 1, "few": 2, "many": 5, "other": 5}  # CLDR's names, each with a number that is said so
PAGES = Path(__file__).parent.parent / "pages"


def add_leaderboard(api: FastAPI, parts: Parts) -> None:
    """The ranking for programs."""
    settings = parts.here.settings

    @api.get(
        "/leaderboard",
        summary=_("The ranking"),
        responses=openapi.answers(dict[str, Any], 401, 422) | {304: {"description": _("As before.")}},
    )
    def get_leaderboard(
        request: Request,
        period: Annotated[str | None, Query(description=_("2026-W47, 2026-11 or last"), examples=["2026-W47"])] = None,
        kind: Annotated[str, Query(pattern="^(week|month)$")] = periods.WEEK,
        by: Annotated[str, Query(pattern="^(tasks|hours)$")] = leaderboard.TASKS,
        teams: bool = False,
        top: Annotated[int | None, Query(ge=1, le=100_000)] = None,
        details: Annotated[bool, Query(description=_("Add the mode, and the totals of everybody."))] = False,
    ) -> Response:
        now = parts.now()
        chosen = choose_period(period, kind, settings.zone, now)
        with parts.here.read_store() as opened:
            board = leaderboard.board(opened, chosen, now=now, by=by, teams=teams, top=top)
        content = data(board, settings.zone)
        return _with_etag(request, Reply(content | (_details(board) if details else {})))


def _details(board: leaderboard.Board) -> dict[str, Any]:
    totals = {"rows": len(board.rows) + board.left_out, "tasks": board.total_tasks, "hours": board.total_hours}
    return {"mode": board.mode, "totals": totals}


def choose_period(text: str | None, kind: str, zone: ZoneInfo, now: datetime) -> periods.Period:
    """This week or month unless the query says otherwise."""
    current = periods.containing(now.astimezone(zone).date(), kind, zone)
    if text is None:
        return current
    if text.strip().lower() == LAST:
        return current.before
    try:
        return periods.parse(text, zone)
    except errors.ConfigError as error:
        raise HTTPException(422, f"{error.message}. {error.hint}") from None


def _with_etag(request: Request, reply: Reply) -> Response:
    """The answer, or 304 where the client has it already."""
    tag = f'"{hashlib.sha256(bytes(reply.body)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    reply.headers.update(headers)
    return reply


# the page


def add_page(api: FastAPI, parts: Parts) -> None:
    """The ranking for a screen."""
    page = Page()

    @api.get(
        "/board",
        summary=_("The ranking as a page for a screen on the wall"),
        response_class=HTMLResponse,
        responses=openapi.answers(None, 401, 422),
    )
    def get_board(
        period: Annotated[str | None, Query(description=_("2026-W47, 2026-11 or last"), examples=["2026-W47"])] = None,
        kind: Annotated[str, Query(pattern="^(week|month)$")] = periods.WEEK,
        by: Annotated[str, Query(pattern="^(tasks|hours)$")] = leaderboard.TASKS,
        lang: Annotated[str | None, Query(pattern="^(en|ru)$")] = None,
        theme: Annotated[str, Query(pattern="^(auto|light|dark)$")] = "auto",
    ) -> Response:
        zone, now = parts.here.settings.zone, parts.now()
        with parts.store() as opened:
            old_s = float(opened.settings.get("snapshot_max_age_h")) * 3600
        with i18n.speaking(lang):
            chosen = choose_period(period, kind, zone, now)
            asked = {"kind": kind, "by": by, "details": "1"} | ({} if period is None else {"period": period})
            setup = {
                "label": chosen.label,
                "people": urlencode(asked | {"top": TOP}),
                "teams": urlencode(asked | {"top": TEAMS, "teams": "1"}),
                "zone": zone.key,
                "old_s": old_s,
                "words": words(chosen, now),
            }
            return page.answer(chosen, by, theme, setup)


class Page:
    """The page with its style and its script in it."""

    def __init__(self) -> None:
        self._form = Template(_read("board.html"))
        self._style = _read("board.css")
        self._script = _read("board.js")
        self._headers = {"Content-Security-Policy": policy(self._style, self._script)}

    def answer(self, period: periods.Period, by: str, theme: str, setup: dict[str, Any]) -> Response:
        """The page in the language in use; `setup` is what its script is told."""
        by_hours = by == leaderboard.HOURS
        days = leaderboard_text.period_words(period)
        content = self._form.substitute(
            language=pgettext("language code", "en"),
            theme=theme,
            title=html.escape(_("Leaderboard by hours") if by_hours else _("Leaderboard")),
            period=html.escape(days if by_hours else _("{period}, closed tasks").format(period=days)),
            teams=html.escape(_("Teams: hours per person") if by_hours else _("Teams: tasks per person")),
            noscript=html.escape(_("This page needs JavaScript.")),
            setup=json.dumps(setup, ensure_ascii=False).replace("<", "\\u003c"),
            style=self._style,
            script=self._script,
        )
        return HTMLResponse(content, headers=self._headers)


def _read(name: str) -> str:
    return PAGES.joinpath(name).read_text(encoding="utf-8")


def policy(style: str, script: str) -> str:
    """What the page may do: run this script with this style, and ask us."""
    return (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def words(period: periods.Period, now: datetime) -> dict[str, Any]:
    """What the script says, in the language in use."""
    empty = leaderboard.Board(period, leaderboard.TASKS, teams=False, complete=True, as_of=now, mode="")
    return {
        "age": _("Data as of {moment}, {ago}; mode {mode}"),
        "ago": _("{age} ago"),
        "now": _("just now"),
        "minutes": _("{n} min"),
        "hours": _("{n} h"),
        "days": {name: ngettext("{n} day", "{n} days", n) for name, n in PLURALS.items()},
        "people": {name: ngettext("{n} person", "{n} people", n) for name, n in PLURALS.items()},
        "tasks": {name: ngettext("{n} task", "{n} tasks", n) for name, n in PLURALS.items()},
        "mark": pgettext("decimal mark", "."),
        "new": pgettext("movement", "new"),
        "nobody": leaderboard_text.nobody(empty, now),
        "no_data": _("No data yet. The first snapshot will bring them."),
        "incomplete": _("Incomplete: part of this period was never collected."),
        "away": _("The server is away since {moment}"),
        "refused": _("The server answers with error {status}"),
    }
