"""`b24tools why`."""

from __future__ import annotations

from typing import Annotated

import typer

from b24tools.cli.invocation import Invocation, Json
from b24tools.render import why as render_why


def why(
    ctx: typer.Context,
    task_id: Annotated[int, typer.Argument(metavar="TASK_ID", min=1, help="The task's number.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say why a task went to its person. It tells who was considered, and who was free when."""
    from b24tools.jobs import why

    invocation: Invocation = ctx.obj
    session = invocation.open_session()
    settings = session.settings
    with session.read_store() as store:
        decision = why.explain(store, task_id, settings.data_dir)
    if as_json:
        invocation.print_json(render_why.data(decision, settings.zone))
    else:
        render_why.print_why(decision, settings.zone)
