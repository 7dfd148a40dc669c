"""The command line: global options, the commands, and the one boundary where errors become a line or JSON."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Annotated, Any

import typer

from b24tools import context
from b24tools.cli import localized
from b24tools.cli.invocation import Invocation
from b24tools.core import config as settings
from b24tools.core import errors, i18n, secrets
from b24tools.core.i18n import _, os_hint, os_reason
from b24tools.render.console import choose_portal, print_text, use_utf8

INTERRUPTED = 130
EXAMPLES = (
    ("demo", "The whole story on a sandbox portal; nothing has to be configured."),
    ("doctor", "Whether settings and portal are as they should be."),
    ("help assign", "How a command is used."),
)
VALUED_OPTIONS = ("--env-file", "--profile")
GLOBAL_OPTIONS = re.compile(r"-v+|-q|--verbose|--quiet|--version|--(?:env-file|profile)=.*", re.S)
WITHOUT_FILE = ("init", "schedule")  # they make a profile's file, or take away what ran by it

COMMANDS = {  # where the function of each stands in `cli/`: a run loads the one that it needs
    "init": "init.init",
    "assign": "assign.assign",
    "demo": "demo.demo",
    "serve": "serve.serve",
    "sandbox": "sandbox.sandbox",
    "sample": "sample.sample",
    "schedule": "schedule.schedule",
    "leaderboard": "leaderboard.leaderboard",
    "why": "why.why",
    "load": "load.load",
    "today": "today.today",
    "orders": "orders.orders",
    "history": "history.history",
    "norms": "norms.norms",
    "replan": "replan.replan",
    "digest": "digest.digest",
    "snapshot": "snapshot.snapshot",
    "mode": "snapshot.mode",
    "replay": "replay.replay",
    "export": "export.export",
    "doctor": "doctor.doctor",
    "config": "config.config",
    "backup": "backup.backup",
    "restore": "backup.restore",
    "each": "each.each",
    "completion": "completion.completion",
    "help": "help.show_help",
}


class _Group(localized.Group):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.page = localized.Page(EXAMPLES, localized.WRITING | {130: "interrupted: running it again is safe"})
        self.commands = localized.Commands(COMMANDS)  # type: ignore[assignment] # names are looked up, never set


app = typer.Typer(
    cls=_Group,
    name="b24tools",
    help="Orders from 1C:Enterprise become tasks in Bitrix24; closed tasks become a leaderboard.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status. What a run chooses, as its portal, ends with it."""
    return copy_context().run(_main, arguments)


def _main(arguments: Sequence[str]) -> int:
    invocation = Invocation(as_json="--json" in arguments)
    use_utf8()
    with invocation.log:
        status = _run(arguments, invocation)
        if invocation.is_logged:
            words = invocation.messenger.scrub(" ".join(arguments))
            text = f"b24tools {words}: exit status {status}, by {context.user_name() or '?'}"
            invocation.messenger.record(logging.INFO, text)
    if invocation.messenger.is_quiet:
        from b24tools.cli import quiet

        quiet.release(invocation, status)
    if invocation.ping is not None:
        invocation.ping.finish(status)
    return status


def _run(arguments: Sequence[str], invocation: Invocation) -> int:
    interrupted = errors.B24ToolsError(
        _("interrupted; it is safe to run the same command again"), code=errors.ErrorCode.INTERRUPTED
    )
    if localized.COMPLETION in os.environ:
        from b24tools.cli import completion

        completion.answer_shell()
    try:
        status = app(
            _put_global_options_first(arguments), prog_name=localized.PROGRAM, standalone_mode=False, obj=invocation
        )
        if status == INTERRUPTED:  # typer has caught the KeyboardInterrupt
            return _fail(invocation, interrupted, status=INTERRUPTED)
        return status if isinstance(status, int) else 0
    except errors.B24ToolsError as error:
        return _fail(invocation, error, error)
    except typer.TyperException as error:
        command = f"{localized.PROGRAM} {invocation.command}".rstrip()
        hint = _("`{command} --help` shows the usage.").format(command=command)
        message = localized.describe_usage_error(error)
        return _fail(invocation, errors.UsageError(message, hint), error)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(invocation, interrupted, status=INTERRUPTED)
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        _give_up_stdout()  # the reader (head, less) has seen enough: Typer and rich end with 1 then
        return 0
    except Exception as error:  # noqa: BLE001 - the boundary: a bug is one line as well
        return _fail(invocation, _describe_unexpected(error), error)


def _put_global_options_first(arguments: Sequence[str]) -> list[str]:
    """Take the global options on both sides of the command, up to `--`. Raise ConfigError for one with two values."""
    first: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word in VALUED_OPTIONS:
            first.append(f"{word}={next(words, '')}")
        else:
            (first if GLOBAL_OPTIONS.fullmatch(word) else rest).append(word)
    for option in VALUED_OPTIONS:
        values = dict.fromkeys(word.partition("=")[2] for word in first if word.startswith(f"{option}="))
        if len(values) > 1:
            message = _("{option} is given more than once: {values}").format(option=option, values=", ".join(values))
            raise errors.UsageError(message, _("Name one of them."))
    return first + rest


def _fail(
    invocation: Invocation, error: errors.B24ToolsError, cause: Exception | None = None, status: int | None = None
) -> int:
    """Print the error as a line, with --json as an object too, with -vv as a traceback too; return the exit status."""
    invocation.reached_end = False
    if cause and invocation.messenger.level >= 2:
        invocation.messenger.trace(cause)
    try:
        if invocation.as_json:
            invocation.print_json(None, error=error)
        sys.stdout.flush()
    except OSError:  # stdout is what failed: a full disk behind it
        _give_up_stdout()
    invocation.messenger.error(error)
    return error.exit_status if status is None else status


def _give_up_stdout() -> None:
    """Let Python's last flush go nowhere: it would try once more, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _describe_unexpected(error: Exception) -> errors.B24ToolsError:
    if isinstance(error, OSError) and error.errno is not None:
        name = f": {error.filename}" if error.filename else ""
        return errors.B24ToolsError(f"{os_reason(error)}{name}", os_hint(error) + " " + _("Sending again is safe."))
    return errors.B24ToolsError(
        _("an unexpected error, {kind}: {reason}").format(kind=type(error).__name__, reason=error),
        _("Run it again with -vv and report what it prints."),
    )


def _choose_language(ctx: typer.Context, path: Path | None) -> Path | None:
    if path is not None and not ctx.resilient_parsing:
        i18n.use(settings.choose_language(path))
    return path


@app.callback()
def _set_global_options(
    ctx: typer.Context,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file",
            metavar="FILE",
            help="Settings file, instead of .env from here upwards.",
            callback=_choose_language,
            is_eager=True,
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", metavar="NAME", help="One portal of many: NAME.env in the folder B24_PROFILES."),
    ] = None,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, show_default=False, help="Say more; -vv with tracebacks.")
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but data and errors.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show version and commit, and exit.")] = False,
) -> None:
    if version:
        from b24tools.cli.version import describe_version

        print_text(describe_version())
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print_text(ctx.get_help())
        raise typer.Exit
    invocation: Invocation = ctx.obj
    invocation.env_file = env_file
    invocation.messenger.level = -1 if quiet else verbose
    invocation.command = ctx.invoked_subcommand
    if profile is not None:
        from b24tools.core.profiles import find_profile

        must_exist = ctx.invoked_subcommand not in WITHOUT_FILE
        invocation.profile = find_profile(profile, env_file, must_exist=must_exist)
        choose_portal(profile)
        i18n.use(settings.choose_language(invocation.profile.file, is_profile=True))
    if verbose:
        from b24tools.core.log_file import LineFormatter

        screen = logging.StreamHandler(sys.stderr)
        screen.setFormatter(LineFormatter("%(message)s", lambda text: invocation.messenger.scrub(text)))
        logging.basicConfig(handlers=[screen], level=logging.DEBUG if verbose > 1 else logging.INFO)
        for name in ("filelock", "asyncio"):
            logging.getLogger(name).setLevel(logging.WARNING)
        secrets.silence_loggers()
