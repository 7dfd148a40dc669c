"""`b24tools config`."""

from __future__ import annotations

from typing import Annotated

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import explain
from b24tools.render.console import print_text


@explain(
    ("config", "All of them, with their values."),
    ("config snapshot_max_age_h 48", "Data may be two days old before anybody is warned."),
)
def config(
    ctx: typer.Context,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="The setting's name.", show_default=False)] = None,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", help="The new value.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Show or set what may change while b24tools runs."""
    from b24tools.store.settings import RUNNING_SETTINGS

    invocation: Invocation = ctx.obj
    with invocation.open_session(logs=value is not None).open_store() as store:
        if key is not None and value is not None:
            store.settings.save(key, value, context.now())
        names = list(RUNNING_SETTINGS) if key is None else [key]
        settings = [(name, store.settings.get(name)) for name in names]
    if as_json:
        invocation.print_json([{"key": name, "value": current} for name, current in settings])
        return
    for name, current in settings:
        print_text(f"{name} {current}".rstrip())
