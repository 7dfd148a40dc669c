"""One run of the program: what its global options said, and what all its commands share."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from b24tools import context
from b24tools.core import config, errors
from b24tools.core.i18n import _
from b24tools.render.console import Messenger
from b24tools.render.json import print_envelope

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@dataclass
class Invocation:
    """What the global options said. Typer hands it to the commands as `ctx.obj`.

    `inbox`: the folder that the command takes orders from. `reached_end`: no error has ended it.
    `skew`: how far the portal's clock is ahead of ours, as far as known.
    """

    env_file: Path | None = None
    messenger: Messenger = field(default_factory=Messenger)
    command: str = ""
    as_json: bool = False
    inbox: Path | None = None
    reached_end: bool = True
    skew: timedelta = timedelta()
    log: ExitStack = field(default_factory=ExitStack)

    def open_session(self, *, logs: bool = False) -> context.Session:
        """Read the settings, say what has no effect in them; return what opens things by them.

        `logs`: what the command does goes into log.log, too.
        """
        inspection = config.inspect(env_file=self.env_file)
        settings = inspection.check()
        self.messenger.scrub = settings.scrubber.scrub
        if logs:
            from b24tools.server import log_setup

            self.log.enter_context(log_setup.write_command_log(settings))
            self.messenger.record = logging.getLogger("b24tools.command").log
        for warning in inspection.warnings():
            self.messenger.info(errors.as_sentence(warning))
        return context.Session(settings, self.messenger.info)

    def confirm(self, question: str) -> bool:
        """Ask on the terminal; only a yes, in either language, is one."""
        answer = typer.prompt(f"{question} {_('[y/N]')}", default="", show_default=False, err=True)
        return answer.strip().lower() in ("y", "yes", "д", "да")

    def print_json(self, data: Any, *, warnings: Sequence[str] = (), error: errors.B24ToolsError | None = None) -> None:
        """Print the one object of `--json`."""
        print_envelope(self.command, data, warnings=warnings, error=error, scrub=self.messenger.scrub)
