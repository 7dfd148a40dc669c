"""One run of the program: what its global options said, and what all its commands share."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from b24tools import context
from b24tools.cli import stdin
from b24tools.core import config, errors
from b24tools.core.i18n import _
from b24tools.render.console import Messenger
from b24tools.render.json import print_envelope

if TYPE_CHECKING:
    from b24tools.assignment.plan import Rules
    from b24tools.assignment.tools import Tools
    from b24tools.cli.ping import Ping
    from b24tools.core.profiles import Profile
    from b24tools.jobs.messages import Sending

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@dataclass
class Invocation:
    """What the global options said. Typer hands it to the commands as `ctx.obj`.

    `profile`: the portal whose file takes the place of `env_file`, which then only says where profiles are.
    `inbox`: the folder that the command takes orders from. `reached_end`: no error has ended it.
    `has_assigned`: orders were planned. `skew`: how far the portal's clock is ahead of ours, as far as known.
    `is_logged`: it goes into log.log. `ping`: what hears of the end of this run.
    """

    env_file: Path | None = None
    profile: Profile | None = None
    messenger: Messenger = field(default_factory=Messenger)
    command: str = ""
    as_json: bool = False
    inbox: Path | None = None
    reached_end: bool = True
    has_assigned: bool = False
    skew: timedelta = timedelta()
    is_logged: bool = False
    ping: Ping | None = None
    log: ExitStack = field(default_factory=ExitStack)

    @property
    def settings_file(self) -> Path | None:
        """The file that the settings are read of; None: .env, looked for from here upwards."""
        return self.profile.file if self.profile else self.env_file

    def inspect_settings(self, env: Mapping[str, str] | None = None) -> config.Inspection:
        """Read the settings and what is wrong with them. `env`: instead of the environment."""
        return config.inspect(env, self.settings_file, self.profile.name if self.profile else "")

    def open_session(self, *, logs: bool = False) -> context.Session:
        """Read the settings, say what has no effect in them; return what opens things by them.

        `logs`: what the command does goes into log.log, too.
        """
        inspection = self.inspect_settings()
        settings = inspection.check()
        if settings.webhook_url is not None:  # also where it is not asked: every other setting that is wrong is refused
            from b24tools.bitrix24 import webhook_url

            webhook_url.read(settings.webhook_url.get_secret_value())
        self.messenger.scrub = settings.scrubber.scrub
        if logs:
            from b24tools.core import log_file

            self.log.enter_context(log_file.write_command_log(settings))
            self.is_logged = True
            self.messenger.record = logging.getLogger("b24tools.command").log
        for warning in inspection.warnings():
            self.messenger.info(errors.as_sentence(warning))
        self.start_ping(settings)
        return context.Session(settings, self.messenger.info, command=self.command)

    def start_ping(self, settings: config.Settings) -> None:
        """Call the dead man's switch, once in a quiet run; `serve` has no end that it could hear of."""
        if settings.ping_url is not None and self.messenger.is_quiet and self.command != "serve" and not self.ping:
            from b24tools.cli.ping import Ping

            self.ping = Ping(settings, self.command)
            self.ping.start()

    @contextmanager
    def open_planning(
        self, session: context.Session, *, read_only: bool, pins: Mapping[str, int | str] = {}
    ) -> Iterator[tuple[Tools, Rules]]:
        """Open what planning needs, with a bar on a terminal; say for -v how many requests it took."""
        with (
            self.messenger.progress() as progress,
            session.open_planning(read_only=read_only, progress=progress, pins=pins) as (tools, rules),
        ):
            yield tools, rules
        self.messenger.detail(_("requests to the portal: {count}").format(count=tools.client.requests))

    def confirm(self, question: str, otherwise: errors.UsageError) -> bool:
        """Ask on the terminal; only a yes, in either language, is one. Raise `otherwise` where there is no terminal."""
        if not stdin.is_terminal():
            raise otherwise
        choice = _("[y/N]")
        answer = typer.prompt(f"{question} {choice}", default="", show_default=False, err=True)
        return answer.strip().lower() in ("y", "yes", "д", "да")

    def send_messages(self, session: context.Session) -> None:
        """Send what people have to know after the work is done, if any are to be sent; a failure is only a line."""
        if session.has_messages():
            for problem in self.send_waiting(session).problems:
                self.messenger.error(problem)

    def send_waiting(self, session: context.Session) -> Sending:
        """Send what waits, and log what was sent."""
        from b24tools.core import log_file
        from b24tools.render.messages import make_writer

        with log_file.write_command_log(session.settings, ["b24tools.messages"]):
            sending = session.send_messages(make_writer(session.settings.zone, context.now()))
        for message in sending.sent:
            self.messenger.detail(_("message sent to {to}").format(to=message.to))
        return sending

    def print_json(self, data: Any, *, warnings: Sequence[str] = (), error: errors.B24ToolsError | None = None) -> None:
        """Print the one object of `--json`."""
        print_envelope(self.command, data, warnings=warnings, error=error, scrub=self.messenger.scrub)
