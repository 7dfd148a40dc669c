"""`b24tools serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from b24tools.cli.invocation import Invocation
from b24tools.cli.localized import LOCAL, explain


@explain(
    ("serve", "For this machine only, at http://127.0.0.1:8000."),
    ("serve --host 0.0.0.0 --port 8080", "For other machines too; B24_SERVE_TOKEN has to be set."),
    statuses=LOCAL | {0: "it was stopped"},
)
def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", help="The port to listen on.", min=0, max=65535)
    ] = 8000,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Let everybody in who reaches the port.")] = False,
) -> None:
    """Take orders and events over HTTP, and show the leaderboard. Listens until it is stopped."""
    from b24tools.server import run

    invocation: Invocation = ctx.obj
    messenger = invocation.messenger
    run.serve(invocation.open_session(), messenger.info, messenger.level, host, port, no_auth=no_auth)
