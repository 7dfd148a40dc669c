"""`b24tools load`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import READING, explain
from b24tools.core.i18n import _
from b24tools.render import load as render_load


class Sort(StrEnum):
    """What people are sorted by."""

    LOAD = "load"
    NAME = "name"


@explain(
    ("load", "Everybody, department by department."),
    ("load Сварщик --weeks 4", "One department, four weeks ahead."),
    ('load "Иван Петров"', "One person, with the tasks."),
    statuses=READING,
)
def load(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="DEPARTMENT|PERSON",
            help='A department or a person, by name or id ("#17" is a person in any case); all if left out.',
            show_default=False,
        ),
    ] = None,
    weeks: Annotated[
        int, typer.Option("--weeks", metavar="N", min=1, max=13, help="How many weeks to show, 13 at most.")
    ] = 2,
    sort: Annotated[Sort, typer.Option("--sort", help="The fullest first, or by name.")] = Sort.LOAD,
    as_json: Json = False,
) -> None:
    """Show who has how much to do. A bar for each day, absences, the first free moment; of one person the tasks."""
    from b24tools.jobs import load as job

    invocation: Invocation = ctx.obj
    session = invocation.open_session()
    zone = session.settings.zone
    with invocation.open_planning(session, read_only=True) as (tools, rules):
        result = job.load(tools, rules, name, weeks=weeks, by_name=sort is Sort.NAME)
    if as_json:
        invocation.print_json(render_load.data(result, zone), warnings=result.warnings)
        return
    render_load.print_load(result, zone, tools.client.url, context.now())
    if not result.groups:
        invocation.messenger.info(_("There are no people to show."))
    else:
        invocation.messenger.info(render_load.legend())
