"""`b24tools norms`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import explain
from b24tools.cli.usage import refuse_json_with
from b24tools.core import periods
from b24tools.core.i18n import _
from b24tools.render.console import print_file


@explain(
    ("norms", "All positions."),
    ("norms Сварщик", "One position."),
    ("norms --format csv", "For a spreadsheet."),
)
def norms(
    ctx: typer.Context,
    position: Annotated[
        str | None,
        typer.Argument(metavar="POSITION", help="A position as 1C names it; all if left out.", show_default=False),
    ] = None,
    form: Annotated[Literal["table", "csv"], typer.Option("--format", help="How it is printed.")] = "table",
    as_json: Json = False,
) -> None:
    """Show how much time work takes of what 1C gives for it. By position, from closed tasks with time noted on them."""
    from b24tools.jobs.norms import list_norms
    from b24tools.render import norms as render_norms

    invocation: Invocation = ctx.obj
    refuse_json_with(form, as_json=as_json)
    session = invocation.open_session()
    settings = session.settings
    month = periods.containing(context.now().astimezone(settings.zone).date(), periods.MONTH, settings.zone).before
    with session.read_store() as store:
        rows = list_norms(store, context.own_people(settings), month, position)
    if as_json:
        invocation.print_json(render_norms.data(rows))
    elif form == "csv":
        print_file(render_norms.to_csv(rows))
    elif rows:
        render_norms.print_norms(rows, month)
        if settings.norms == "":
            invocation.messenger.info(
                _("Orders are planned with 1C's minutes; B24_NORMS=learned plans with the medians.")
            )
    else:
        invocation.messenger.info(
            _(
                "No closed task of an order with time noted on it is known in {folder}: `b24tools snapshot --since "
                "DAY` brings earlier ones."
            ).format(folder=settings.database_place)
        )
