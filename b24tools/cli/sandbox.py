"""`b24tools sandbox`."""

from __future__ import annotations

from typing import Annotated

import typer

from b24tools import context
from b24tools.cli.localized import LOCAL, explain
from b24tools.core import errors
from b24tools.core.i18n import _, os_reason
from b24tools.render.console import print_text

SECRET = "sandboxsandbox00"  # noqa: S105 - always the same, so that a .env made for it goes on to work
EVENT_TOKEN = "sandboxtoken"  # noqa: S105 - likewise


@explain(
    ("sandbox", "It prints the webhook for .env."),
    ("sandbox --events http://127.0.0.1:8000/webhook", "With events, for `b24tools serve` in another window."),
    statuses=LOCAL | {0: "it was stopped"},
)
def sandbox(
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", help="The port to listen on.", min=1, max=65535)
    ] = 8024,
    events: Annotated[
        str | None,
        typer.Option("--events", metavar="URL", help="Send events there, say to http://127.0.0.1:8000/webhook."),
    ] = None,
) -> None:
    """Run the sandbox portal on a port. Play with it, or point other clients at it."""
    from b24tools.sandbox import demo_company, server

    portal = demo_company.build(context.now, secret=SECRET)
    lines = [
        _("A sandbox portal for this machine only; Ctrl+C ends it and forgets its tasks. For .env:"),
        f"BITRIX_WEBHOOK_URL={portal.webhook_url(f'http://127.0.0.1:{port}')}",
    ]
    if events is not None:
        portal.add_handler(events, EVENT_TOKEN)
        lines.append(f"BITRIX_OUTGOING_TOKEN={EVENT_TOKEN}")
    try:
        server.run(portal, "127.0.0.1", port, lambda: print_text("\n".join(lines)))
    except OSError as error:
        raise errors.ConfigError(
            _("port {port} cannot be used: {reason}").format(port=port, reason=os_reason(error)),
            _("Choose another one with --port."),
        ) from None
