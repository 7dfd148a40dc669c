"""`/leaderboard`, `/board`, `/users`, `/tasks/week`: what was closed, for programs and for a screen on the wall."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, Response

from b24tools.core import i18n, periods
from b24tools.core.i18n import _
from b24tools.jobs import leaderboard
from b24tools.render import board_page, counting_rules, leaderboard_text
from b24tools.render.leaderboard import data
from b24tools.render.markup import element, join
from b24tools.server import models, openapi, page
from b24tools.server.page import Language, Theme
from b24tools.server.responses import HttpError, Reply, refuse_input
from b24tools.server.services import Services

TOP = 10
TEAMS = 4
ChosenPeriod = Annotated[
    str | None, Query(description="`2026-W47`, `2026-11`, `2026-Q4`, `2026` or `last`; without it the running one.")
]
ChosenKind = Annotated[models.PeriodKind, Query(description="What `last`, or no period, means.")]
ChosenRanking = Annotated[models.Ranking, Query(description="What the ranking goes by.")]
ChosenGroup = Annotated[str | None, Query(description="Tasks of this project only, by name or id.")]
ChosenDepartment = Annotated[str | None, Query(description="This department with all below it, by name or id.")]


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoints."""
    settings = services.session.settings

    def choose_period(text: str | None, kind: str = periods.WEEK) -> periods.Period:
        with refuse_input(422):
            return periods.choose(text, kind, settings.zone, services.now())

    @api.get(
        "/leaderboard",
        summary="The ranking",
        response_model=models.Leaderboard,
        responses=openapi.describe_answers(404, 409, 422)
        | {304: {"description": "As before: If-None-Match has its ETag."}},
    )
    def get_leaderboard(
        request: Request,
        period: ChosenPeriod = None,
        kind: ChosenKind = "week",
        by: ChosenRanking = "tasks",
        teams: Annotated[bool, Query(description="Rank departments.")] = False,
        top: Annotated[int | None, Query(ge=1, le=100_000, description="So many rows at most.")] = None,
        spares_last: Annotated[bool, Query(description="Leave out whoever has the last place.")] = False,
        group: ChosenGroup = None,
        department: ChosenDepartment = None,
        me: Annotated[str | None, Query(description="Also where this person stands, by name or id.")] = None,
        details: Annotated[
            bool, Query(description="Add the mode, the totals of everybody, and what tells namesakes apart.")
        ] = False,
    ) -> Response:
        chosen = choose_period(period, kind)
        if me is not None and teams:
            raise HttpError(422, _("me and teams exclude each other"))
        with services.session.read_store() as store, refuse_input(404):
            board = leaderboard.board(
                store,
                chosen,
                now=services.now(),
                by=by,
                teams=teams,
                top=top,
                spares_last=spares_last,
                group=group,
                department=department,
                me=me,
            )
        content = data(board, settings.zone)
        if details:
            names = leaderboard_text.name_rows(board)
            for row, shown in zip(board.rows, content["rows"], strict=True):
                if names[row.id] != row.name:
                    shown["shown"] = names[row.id]
            rows = len(board.rows) + board.left_out
            content |= {
                "mode": board.mode,
                "totals": {"rows": rows, "tasks": board.total_tasks, "hours": board.total_hours},
            }
        return reply_if_changed(request, content)

    @api.get(
        "/leaderboard/rules",
        summary="The rules that a period is counted by",
        response_model=list[models.CountingRule],
        responses=openapi.describe_answers(422) | openapi.describe_page(),
    )
    def list_counting_rules(
        request: Request, look: page.PageLook, period: ChosenPeriod = None, kind: ChosenKind = "week"
    ) -> Response:
        chosen = choose_period(period, kind)
        with services.session.read_store() as store:
            rules, season = leaderboard.rules_of(store, chosen)
        if not page.wants_html(request):
            return Reply(counting_rules.data(rules))
        final = leaderboard_text.describe_season(season, rules_differ=False) if season else ""
        words = [element("li", text) for _rule, _value, text in counting_rules.list_rules(rules)]
        return page.render_page(request, look, _("What counts"), join([element("p", final), element("ul", *words)]))

    @api.get(
        "/board",
        summary="The ranking as a page for a screen on the wall",
        response_class=Response,
        responses=openapi.describe_page(404, 409, 422),
    )
    def get_board(
        period: ChosenPeriod = None,
        kind: ChosenKind = "week",
        by: ChosenRanking = "tasks",
        group: ChosenGroup = None,
        department: ChosenDepartment = None,
        lang: Annotated[Language, Query(description="Without it that of B24_LANG.")] = None,
        theme: Annotated[Theme, Query(description="`auto`: as the screen has it.")] = "auto",
    ) -> HTMLResponse:
        with services.open_store() as store:
            old_s = float(store.settings.get("snapshot_max_age_h")) * 3600
            with refuse_input(404):
                scope = leaderboard.read_scope(store, group, department)
            rules, season = leaderboard.rules_of(store, choose_period(period, kind))
            *_known, sees_part = store.leaderboard.collected(choose_period(period, kind), services.now())
            differ = rules != store.settings.counting_rules(settings.zone)
        asked = {"period": period, "group": group, "department": department}
        query = {"kind": kind, "by": by, "details": "1", "spares_last": "1"}
        query |= {name: value for name, value in asked.items() if value is not None}
        with i18n.speaking(lang):
            chosen = choose_period(period, kind)
            setup = {
                "label": chosen.label,
                "people": urlencode(query | {"top": TOP}),
                "teams": urlencode(query | {"top": TEAMS, "teams": "1"}),
                "zone": settings.zone.key,
                "old_s": old_s,
                "frozen": season is not None,
                "rules": urlencode({"period": chosen.label, "lang": i18n.current_language(), "theme": theme}),
                "words": board_page.list_words(chosen, services.now(), sees_part=sees_part),
            }
            final = season and leaderboard_text.describe_season(season, rules_differ=differ, command=False)
            said = [final or "", leaderboard_text.describe_rules(rules)]
            content = board_page.to_html(chosen, by, theme, setup, scope, filter(None, said))
            policy = page.make_policy(board_page.read_script(), board_page.read_style())
            return HTMLResponse(content, headers={"Content-Security-Policy": policy})

    @api.get(
        "/users",
        summary="The names of everybody known, by id, without those who have opted out",
        response_model=models.PeopleNames,
        responses=openapi.describe_answers(),
    )
    def list_people() -> dict[int, str]:
        with services.open_store() as store:
            absent = store.settings.opted_out_users()
            return {user_id: name for user_id, name in store.people.names().items() if user_id not in absent}

    @api.get(
        "/tasks/week",
        summary="The ids of the tasks closed in a week, by who is responsible",
        response_model=models.ClosedTasks,
        responses=openapi.describe_answers(422),
    )
    def list_closed_tasks(
        week: Annotated[str | None, Query(description="`2026-W47` or `last`; without it this week.")] = None,
    ) -> dict[int, list[int]]:
        period = choose_period(week)
        if period.kind != periods.WEEK:
            raise HttpError(422, _('"{text}" is not a week; an example: 2026-W47').format(text=week))
        with services.open_store() as store:
            return store.tasks.closed_ids(period.start, period.end, store.settings.opted_out_users())


def reply_if_changed(request: Request, content: dict[str, Any]) -> Response:
    """Answer with an ETag, or 304 where the client has this already."""
    reply = Reply(content)
    tag = f'"{hashlib.sha256(bytes(reply.body)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = [word.strip().removeprefix("W/") for word in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    reply.headers.update(headers)
    return reply
