"""`b24tools sandbox`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from b24tools import context
from b24tools.cli.invocation import Invocation
from b24tools.cli.localized import LOCAL, explain
from b24tools.core import config, env_file, errors
from b24tools.core.i18n import _, os_reason
from b24tools.render.console import print_text

SECRET = "sandboxsandbox00"  # noqa: S105 - always the same, so that a .env made for it goes on to work
EVENT_TOKEN = "sandboxtoken"  # noqa: S105 - likewise
OURS = "Written by `b24tools sandbox`"  # how a settings file that may be overwritten begins
PLAYGROUND = "playground"  # the data folder, beside the file


@explain(
    ("sandbox --write-env .env", "With its settings in .env, for other windows of this folder."),
    ("sandbox --events http://127.0.0.1:8000/webhook", "With events, for `b24tools serve` in another window."),
    statuses=LOCAL | {0: "it was stopped"},
)
def sandbox(
    ctx: typer.Context,
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", help="The port to listen on.", min=1, max=65535)
    ] = 8024,
    events: Annotated[
        str | None,
        typer.Option("--events", metavar="URL", help="Send events there, say to http://127.0.0.1:8000/webhook."),
    ] = None,
    write_env: Annotated[
        Path | None,
        typer.Option("--write-env", metavar="FILE", help="Write the settings for it into this file."),
    ] = None,
) -> None:
    """Run the sandbox portal on a port. Play with it, or point other clients at it."""
    from b24tools.sandbox import demo_company, server

    portal = demo_company.build(context.now, secret=SECRET)
    values = {"BITRIX_WEBHOOK_URL": portal.webhook_url(f"http://127.0.0.1:{port}")}
    if events is not None:
        portal.add_handler(events, EVENT_TOKEN)
        values["BITRIX_OUTGOING_TOKEN"] = EVENT_TOKEN
    if write_env is not None:
        _check_file(ctx.obj, write_env)

    def announce() -> None:
        if write_env is None:
            settings = "\n".join(f"{name}={value}" for name, value in values.items())
            text = _("A sandbox portal for this machine only; Ctrl+C ends it and forgets its tasks. For .env:")
            print_text(f"{text}\n{settings}")
            return
        env_file.write_settings(write_env, values | {"B24_DATA_DIR": PLAYGROUND}, OURS, check=partial(config.load, {}))
        text = _("A sandbox portal for this machine only; Ctrl+C ends it and forgets its tasks. Its settings: {path}")
        print_text(text.format(path=write_env))

    try:
        server.run(portal, "127.0.0.1", port, announce)
    except OSError as error:
        raise errors.ConfigError(
            _("port {port} cannot be used: {reason}").format(port=port, reason=os_reason(error)),
            _("Choose another one with --port."),
        ) from None


def _check_file(invocation: Invocation, path: Path) -> None:
    """Raise ConfigError for a file that the sandbox has not written, unless it may go."""
    if not path.exists() or env_file.read_text(path).startswith(f"# {OURS}"):
        return
    question = _("{path} has settings of your own. Overwrite it?").format(path=path)
    refusal = errors.UsageError(
        _("{path} is not a file of the sandbox: it stays as it is").format(path=path),
        _("Name another file, and use it with --env-file: b24tools --env-file FILE assign ORDER."),
    )
    if not invocation.confirm(question, refusal):
        raise refusal
