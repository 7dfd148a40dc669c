"""`b24tools today`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import READING, explain
from b24tools.cli.usage import refuse_json_with
from b24tools.core import errors, periods
from b24tools.core.i18n import _


@explain(
    ("today", "The work of today, person by person."),
    ("today Сварщик --date tomorrow", "A department's work of tomorrow."),
    ('today "Иван Петров" --format html', "A sheet to print, with a QR code for each task."),
    statuses=READING,
)
def today(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="PERSON|DEPARTMENT",
            help='A person or a department, by name or id ("#17" is a person in any case); all if left out.',
            show_default=False,
        ),
    ] = None,
    day: Annotated[
        str | None,
        typer.Option("--date", metavar="DAY", help="Another day than today."),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "html"],
        typer.Option("--format", help="How it is printed; html has a page for each person."),
    ] = "table",
    as_json: Json = False,
) -> None:
    """Show the work list of a day. Of each person what to do when, for which order, and what has to be done before."""
    from b24tools.jobs import today as job
    from b24tools.render import today as render_today
    from b24tools.render import today_sheets
    from b24tools.render.console import print_file

    invocation: Invocation = ctx.obj
    refuse_json_with(form, as_json=as_json)
    session = invocation.open_session()
    settings = session.settings
    with invocation.open_planning(session, read_only=True) as (tools, rules):
        date = periods.read_day(day, context.now().astimezone(settings.zone).date()) if day else None
        result = job.read_today(tools, rules, name, date)
    if as_json:
        invocation.print_json(render_today.data(result, settings.zone), warnings=result.warnings)
    elif form == "csv":
        print_file(render_today.to_csv(result, settings.zone))
    elif form == "html":
        print_file(today_sheets.to_html(result, settings.zone))
    else:
        render_today.print_today(result, settings.zone)
    if form != "table":
        for warning in result.warnings:
            invocation.messenger.info(errors.as_sentence(warning))
    if not result.lists:
        invocation.messenger.info(_("There are no people to show."))
    if result.next_day is not None and not as_json:
        invocation.messenger.info(render_today.describe_day_off(result.day, result.next_day))
