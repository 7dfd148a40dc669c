"""What people do, for programs and as pages: `/load` and `/today`."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import FastAPI, Path, Query, Request, Response

from b24tools.assignment.team import Team, choose_team
from b24tools.core import periods
from b24tools.core.i18n import _
from b24tools.jobs import load, today
from b24tools.render import load as render_load
from b24tools.render import load_page, today_page
from b24tools.render import today as render_today
from b24tools.render.page_assets import read_asset
from b24tools.server import openapi
from b24tools.server.page import Age, PageLook, make_view, render_page, wants_html
from b24tools.server.responses import Reply, refuse_input
from b24tools.server.services import Services
from b24tools.server.standings import read_plan
from b24tools.server.work_models import PersonLoad, WorkList

PAGE_WEEKS = 4
MOST_WEEKS = 13
Day = Annotated[str, Query(alias="date", description="Another day than today: 2026-11-30, 30.11, tomorrow.")]


def add_routes(api: FastAPI, services: Services) -> None:
    """Add the endpoints."""
    zone = services.session.settings.zone

    @api.get(
        "/load",
        summary="Who has how much to do: open work, the first free moment, absences, and how full each day is",
        response_model=list[PersonLoad],
        responses=openapi.describe_answers(404, 409, 422) | openapi.describe_page(),
    )
    def get_load(
        request: Request,
        look: PageLook,
        department: Annotated[
            str,
            Query(description="A department with all below, or a person, by name or id; #17 is a person in any case."),
        ] = "",
        weeks: Annotated[
            int | None, Query(ge=1, le=MOST_WEEKS, description="How many weeks from today on; 2, on the page 4.")
        ] = None,
        sort: Annotated[Literal["load", "name"], Query(description="The fullest first, or by name.")] = "load",
    ) -> Response:
        is_page = wants_html(request)
        reading = read_plan(services, fresh=look.fresh, is_page=is_page)
        plan = reading.value
        length = weeks or (PAGE_WEEKS if is_page else load.WEEKS)
        with refuse_input(404), plan.lanes:
            team = choose_team(plan.standings, plan.rules.excluded, department.strip() or None)
            result = load.lay_out(plan.standings, team, weeks=length, by_name=sort == load_page.NAME)
        if not is_page:
            return Reply(render_load.data(result, zone))
        staff = plan.standings.company.staff
        departments = [unit for unit in staff.departments.values() if unit.id in staff.inside]
        departments += [unit for unit, _members in team.groups if unit.id not in staff.inside]
        options = [(unit.id, unit.name) for unit in departments]
        filters = load_page.Filters(length, sort, _choose_option(team, department), options)
        main = load_page.to_html(result, filters, make_view(request, services.session, plan.standings.now))
        age = Age(reading.read_at, zone, reading.problem)
        return render_page(request, look, _("Workload"), main, age, style=read_asset("load.css"))

    def answer_today(request: Request, look: PageLook, name: str | None, day: str) -> Response:
        with refuse_input(422):
            date = periods.read_day(day, services.now().astimezone(zone).date()) if day.strip() else None
        is_page = wants_html(request)
        reading = read_plan(services, fresh=look.fresh, is_page=is_page)
        plan = reading.value
        with refuse_input(404), plan.lanes:
            team = choose_team(plan.standings, plan.rules.excluded, name)
        with refuse_input(422), plan.lanes:
            result = today.list_work(plan.standings, team, services.session.portal_url, date)
        if not is_page:
            return Reply(render_today.data(result, zone))
        view = make_view(request, services.session, plan.standings.now)
        main = (today_page.to_overview if name is None else today_page.to_html)(result, view)
        title = _("Work lists") if name is None else _describe_team(team)
        age = Age(reading.read_at, zone, reading.problem)
        return render_page(request, look, title, main, age, style=read_asset("today.css"))

    @api.get(
        "/today",
        summary="The work lists of everybody for a day",
        response_model=list[WorkList],
        responses=openapi.describe_answers(422) | openapi.describe_page(),
    )
    def get_today_of_all(request: Request, look: PageLook, day: Day = "") -> Response:
        return answer_today(request, look, None, day)

    @api.get(
        "/today/{person:path}",
        summary="The work list of a person for a day, or of everybody in a department; the page prints a sheet each",
        response_model=list[WorkList],
        responses=openapi.describe_answers(404, 409, 422) | openapi.describe_page(),
    )
    def get_today(
        request: Request,
        look: PageLook,
        person: Annotated[
            str, Path(description="A person or a department, by name or id; #17 is a person in any case.")
        ],
        day: Day = "",
    ) -> Response:
        return answer_today(request, look, person.strip() or None, day)


def _choose_option(team: Team, department: str) -> str:
    """Return what the list of departments shows as chosen: an id, or what was asked for."""
    if team.person is None and department.strip() and team.groups:
        return str(team.groups[0][0].id)
    return department.strip()


def _describe_team(team: Team) -> str:
    if team.person is not None:
        return team.person.name
    return team.groups[0][0].name if team.groups else _("Work lists")
