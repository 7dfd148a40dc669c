"""`b24tools history`."""

from __future__ import annotations

from typing import Annotated

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import explain
from b24tools.core.i18n import _
from b24tools.render import history as render_history


@explain(
    ("history", "What was done last, for any order."),
    ("history 1Ц-00000069", "All that was done for this order."),
)
def history(
    ctx: typer.Context,
    order: Annotated[
        str | None,
        typer.Argument(
            metavar="ORDER", help="An order's number or identifier; without it the last ones.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what was done for an order and when. It names the command, and who ran or called it."""
    from b24tools.jobs import history as job

    invocation: Invocation = ctx.obj
    session = invocation.open_session()
    settings = session.settings
    with session.read_store() as store:
        entries = job.find(store, order, settings.database_place)
    if as_json:
        invocation.print_json(render_history.data(entries, settings.zone))
    elif entries:
        render_history.print_history(entries, settings.zone, context.now())
    else:
        invocation.messenger.info(
            _("No order was sent yet with the data folder {folder}.").format(folder=settings.database_place)
        )
