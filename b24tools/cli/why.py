"""`b24tools why`."""

from __future__ import annotations

from typing import Annotated

import typer

from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import explain
from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.render import why as render_why


@explain(
    ("why 12345", "Why this task went to its person."),
    ("why --order 1Ц-00000069", "Of each task of an order."),
)
def why(
    ctx: typer.Context,
    task_id: Annotated[
        int | None, typer.Argument(metavar="ID", min=1, help="The task's number.", show_default=False)
    ] = None,
    order: Annotated[
        str | None, typer.Option("--order", metavar="NUMBER", help="All tasks of this order, by number or id.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say why a task went to its person. It tells who was considered, and who was free when."""
    from b24tools.jobs import why as job

    invocation: Invocation = ctx.obj
    if (task_id is None) == (order is None):
        raise errors.UsageError(_("give the number of a task, or --order NUMBER"), _("See `b24tools why --help`."))
    session = invocation.open_session()
    zone, folder = session.settings.zone, session.settings.database_place
    with session.read_store() as store:
        if order is not None:
            decisions, warnings = job.explain_order(store, order, folder)
        else:
            decisions, warnings = [job.explain(store, task_id or 0, folder)], []
    if as_json:
        shown = [render_why.data(decision, zone) for decision in decisions]
        invocation.print_json(shown if order is not None else shown[0], warnings=warnings)
        return
    render_why.print_whys(decisions, zone)
    for warning in warnings:
        invocation.messenger.warn(errors.as_sentence(warning))
