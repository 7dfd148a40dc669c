"""`b24tools load`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.core.i18n import _
from b24tools.render import load as render_load


def load(
    ctx: typer.Context,
    department: Annotated[
        str | None, typer.Argument(help="A department's name or id; all if left out.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show who has how much to do. A bar for each day of two weeks, absences, the first free moment."""
    from b24tools.jobs import load

    invocation: Invocation = ctx.obj
    session = invocation.open_session()
    zone = session.settings.zone
    with session.assign_tools(dry_run=True, progress=lambda _stage, _done, _total: None) as tools:
        result = load.load(tools, context.assign_rules(session.settings, tools.store, {}), department)
        invocation.messenger.detail(_("requests to the portal: {count}").format(count=tools.client.requests))
    if as_json:
        invocation.print_json(render_load.data(result, zone), warnings=result.warnings)
        return
    render_load.print_load(result, zone, context.now())
    if not result.groups:
        invocation.messenger.info(_("Nobody is there."))
    elif sys.stdout.isatty():
        invocation.messenger.info(render_load.legend())
