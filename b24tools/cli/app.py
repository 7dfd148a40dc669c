"""The commands, thin: options → settings → one job → show. The only place with exit statuses."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import typer

from b24tools import __version__
from b24tools import context as app_context
from b24tools.cli import localized
from b24tools.core import config, errors
from b24tools.core.i18n import _, os_reason
from b24tools.render import console

INTERRUPTED = 130
SANDBOX_TOKEN = "sandboxtoken"  # noqa: S105 - of events, as much a secret as the code
GLOBAL_OPTIONS = {"-v", "-vv", "--verbose", "-q", "--quiet", "--env-file"}
SANDBOX_CODE = "sandboxsandbox00"  # always the same, so that a .env made for it goes on to work

app = localized.App(
    name="b24tools",
    help=_("Orders from 1C:Enterprise become tasks in Bitrix24; closed tasks become a leaderboard."),
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@dataclass
class Context:
    """What the global options said, and what a command leaves for the boundary."""

    env_file: Path | None = None
    talk: console.Talk = field(default_factory=console.Talk)
    command: str = ""
    as_json: bool = False

    def session(self) -> app_context.Session:
        """The settings, ready to open things by."""
        return app_context.Session(config.load(env_file=self.env_file), self.talk.say)


def main(arguments: Sequence[str]) -> int:
    """Run the command line; the exit status. With -q, "try later" is not said while the data are young."""
    context = Context(as_json="--json" in arguments)  # a usage error ends before the command has seen its options
    console.use_utf8()
    status = _run(arguments, context)
    if context.talk.held and not (status == console.TRY_LATER and _is_fresh(context)):
        context.talk.release()
    return status


def _run(arguments: Sequence[str], context: Context) -> int:
    """The one boundary where errors become a line."""
    try:
        status = app(list(arguments), standalone_mode=False, obj=context)
        if status == INTERRUPTED:  # typer has caught the KeyboardInterrupt
            return _interrupted(context)
        return status if isinstance(status, int) else 0
    except errors.B24ToolsError as error:
        return _failed(context, error)
    except typer.TyperException as error:
        hint = _("`b24tools --help` shows the usage.")
        if any(word in GLOBAL_OPTIONS for word in arguments):
            hint = _("-v, -q and --env-file stand before the command: b24tools -v assign order.json")
        usage = errors.ConfigError(localized.usage(error), hint)
        usage.code = "usage"
        return _failed(context, usage)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(context)
    except BrokenPipeError:
        _give_up_stdout()  # the reader (head, less) has seen enough
        return 0
    except Exception as error:  # noqa: BLE001 - the boundary: a bug is told in one line as well
        return _failed(context, _unexpected(error), error)


def _is_fresh(context: Context) -> bool:
    try:
        return context.session().is_fresh()
    except errors.B24ToolsError:  # of the settings
        return False


def _interrupted(context: Context) -> int:
    error = errors.B24ToolsError(_("Interrupted; it is safe to run the same command again."))
    error.code = "interrupted"
    if context.as_json:
        console.envelope(context.command, None, ok=False, error=error)
    context.talk.say(error.message)
    return INTERRUPTED


def _failed(context: Context, error: errors.B24ToolsError, cause: Exception | None = None) -> int:
    if context.talk.level >= 2:
        traceback.print_exception(cause or error, file=sys.stderr)
    if context.as_json:
        try:
            console.envelope(context.command, None, ok=False, error=error)
        except OSError:  # stdout is what failed: a full disk behind it
            _give_up_stdout()
    context.talk.error(error)
    return error.exit_status


def _give_up_stdout() -> None:
    """Python would try once more, and complain, when it flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: Exception) -> errors.B24ToolsError:
    if isinstance(error, OSError) and error.errno is not None:
        name = f": {error.filename}" if error.filename else ""
        return errors.B24ToolsError(
            f"{os_reason(error)}{name}", _("Check the disk's free space and the rights; sending again is safe.")
        )
    return errors.B24ToolsError(
        _("an unexpected error, {kind}: {reason}").format(kind=type(error).__name__, reason=error),
        _("Run it again with -vv and report what it prints."),
    )


@app.callback()
def options(
    ctx: typer.Context,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", metavar="PATH", help=_("Settings file, instead of .env from here upwards.")),
    ] = None,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, show_default=False, help=_("Say more; -vv with tracebacks."))
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=_("Say nothing but data and errors."))] = False,
    version: Annotated[bool, typer.Option("--version", help=_("Show the version and exit."))] = False,
) -> None:
    """Global options."""
    if version:
        console.text(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        console.text(ctx.get_help())
        raise typer.Exit
    context: Context = ctx.obj
    context.env_file = env_file
    context.talk.level = -1 if quiet else verbose
    context.command = ctx.invoked_subcommand or ""
    if verbose:
        logging.basicConfig(
            stream=sys.stderr, level=logging.DEBUG if verbose > 1 else logging.INFO, format="%(message)s"
        )
        for name in ("httpx", "httpcore", "filelock", "asyncio"):
            logging.getLogger(name).setLevel(logging.WARNING)  # httpx would write the webhook's URL


Json = Annotated[bool, typer.Option("--json", help=_("Print one JSON object."))]


@app.command(help=_("Make tasks of 1C orders. Each goes to whoever in the right department finishes it first."))
def assign(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE|-", help=_("Order files (JSON); - is stdin."), show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Plan and print; write nothing."))] = False,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="POSITION=USER_ID", help=_("Give a position's work to this person.")),
    ] = None,
    inbox: Annotated[
        Path | None,
        typer.Option("--inbox", metavar="DIR", help=_("Take the *.json of a folder; move them to done/ or failed/.")),
    ] = None,
    as_json: Json = False,
) -> int:
    """Orders from files, stdin or an inbox folder."""
    from b24tools.cli.assign import from_files, from_inbox

    context: Context = ctx.obj
    context.as_json = as_json
    if bool(files) == (inbox is not None):
        raise errors.ConfigError(
            _("name order files, - for stdin, or a folder with --inbox"), _("See `b24tools assign --help`.")
        )
    if inbox is not None and dry_run:
        raise errors.ConfigError(_("--inbox moves files, --dry-run must not"), _("Name the files with --dry-run."))
    pins = _pins(to or [])
    here = context.session()
    if inbox is not None:
        return from_inbox(here, context.talk, inbox, pins, as_json=as_json)
    return from_files(here, context.talk, files or [], pins, dry_run=dry_run, as_json=as_json)


@app.command(help=_("Show the whole story on a sandbox portal. Nothing has to be configured."))
def demo(ctx: typer.Context) -> int:
    """The story on the sandbox."""
    from b24tools.cli import demo as story

    context: Context = ctx.obj
    return story.run_demo(context.talk)


@app.command(help=_("Take orders and events over HTTP, and show the leaderboard. Listens until it is stopped."))
def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option("--host", help=_("The address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help=_("The port to listen on."), min=0, max=65535)] = 8000,
    no_auth: Annotated[bool, typer.Option("--no-auth", help=_("Let everybody in who reaches the port."))] = False,
) -> int:
    """The HTTP endpoints."""
    from b24tools.cli import serve as the_cli_serve

    context: Context = ctx.obj
    return the_cli_serve.serve(context.session(), context.talk, host, port, no_auth=no_auth)


@app.command(help=_("Run the sandbox portal on a port. Play with it, or point other clients at it."))
def sandbox(
    port: Annotated[int, typer.Option("--port", help=_("The port to listen on."), min=1, max=65535)] = 8024,
    events: Annotated[
        str | None,
        typer.Option("--events", metavar="URL", help=_("Send events there, say to http://127.0.0.1:8000/webhook.")),
    ] = None,
) -> None:
    """The embedded portal on a port."""
    from b24tools.sandbox import demo_company, server

    portal = demo_company.build(app_context.now, secret=SANDBOX_CODE)
    lines = [
        _("A sandbox portal for this machine only; Ctrl+C ends it and forgets its tasks. For .env:"),
        f"BITRIX_WEBHOOK_URL={portal.webhook_url(f'http://127.0.0.1:{port}')}",
    ]
    if events is not None:
        portal.add_handler(events, SANDBOX_TOKEN)
        lines.append(f"BITRIX_OUTGOING_TOKEN={SANDBOX_TOKEN}")
    try:
        server.run(portal, "127.0.0.1", port, lambda: console.text("\n".join(lines)))
    except OSError as error:
        raise errors.ConfigError(
            _("port {port} cannot be used: {reason}").format(port=port, reason=os_reason(error)),
            _("Choose another one with --port."),
        ) from None


@app.command(help=_("Show who closed how many tasks."))
def leaderboard(
    ctx: typer.Context,
    period: Annotated[
        str | None,
        typer.Argument(
            metavar="PERIOD", help=_("2026-W46, 2026-11 or last; this week if left out."), show_default=False
        ),
    ] = None,
    week: Annotated[bool, typer.Option("--week", help=_("This week (the default)."))] = False,
    month: Annotated[bool, typer.Option("--month", help=_("This month; with last: the one before."))] = False,
    by: Annotated[Literal["tasks", "hours"], typer.Option("--by", help=_("What the ranking goes by."))] = "tasks",
    teams: Annotated[bool, typer.Option("--teams", help=_("Rank departments, per active member."))] = False,
    top: Annotated[int | None, typer.Option("--top", metavar="N", min=1, help=_("The first N rows only."))] = None,
    form: Annotated[
        Literal["table", "csv", "md", "html"], typer.Option("--format", help=_("How it is printed."))
    ] = "table",
    max_age: Annotated[
        str | None, typer.Option("--max-age", metavar="26h", help=_("Fail when the data are older (26h, 90m, 2d)."))
    ] = None,
    as_json: Json = False,
) -> int:
    """The ranking of a period."""
    from b24tools.cli.leaderboard import Wanted, run

    context: Context = ctx.obj
    context.as_json = as_json
    wanted = Wanted(period, week, month, by, teams, top, form, max_age, as_json)
    return run(context.session(), context.talk, wanted)


@app.command(help=_("Say why a task went to its person. It tells who was considered, and who was free when."))
def why(
    ctx: typer.Context,
    task_id: Annotated[int, typer.Argument(metavar="TASK_ID", min=1, help=_("The task's number."), show_default=False)],
    as_json: Json = False,
) -> int:
    """The reason, as it was when it was decided."""
    from b24tools.cli.why import run

    context: Context = ctx.obj
    context.as_json = as_json
    return run(context.session(), task_id, as_json=as_json)


@app.command(help=_("Show who has how much to do. A bar for each day of two weeks, absences, the first free moment."))
def load(
    ctx: typer.Context,
    department: Annotated[
        str | None, typer.Argument(help=_("A department's name or id; all if left out."), show_default=False)
    ] = None,
    as_json: Json = False,
) -> int:
    """People by department, with their open work laid on the calendar."""
    from b24tools.cli.load import run

    context: Context = ctx.obj
    context.as_json = as_json
    return run(context.session(), context.talk, department, as_json=as_json)


@app.command(help=_("Collect the closed tasks of a week. They go into the database, with the people."))
def snapshot(
    ctx: typer.Context,
    week: Annotated[
        str | None, typer.Option("--week", metavar="WEEK", help=_("This week only, an example: 2026-W47."))
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DATE", help=_("Every week from this day on: 2026-01-01."))
    ] = None,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help=_("This week and the one before, whatever the mode."))
    ] = False,
    as_json: Json = False,
) -> int:
    """Closed tasks from the portal into SQLite."""
    from b24tools.cli import snapshot as the_cli_snapshot

    context: Context = ctx.obj
    context.as_json = as_json
    return the_cli_snapshot.take(
        context.session(), context.talk, the_cli_snapshot.Wanted(week, since, reconcile, as_json)
    )


@app.command(help=_("Show or set the way of collecting. It is polling or webhook."))
def mode(
    ctx: typer.Context,
    value: Annotated[
        str | None, typer.Argument(metavar="polling|webhook", help=_("The new mode."), show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """The collecting mode: at once for every running process."""
    from b24tools.cli import snapshot as the_cli_snapshot

    context: Context = ctx.obj
    context.as_json = as_json
    the_cli_snapshot.mode(context.session(), value, as_json=as_json)


@app.command(help=_("Follow events of the portal again. They come from files, or from those that `serve` has kept."))
def replay(
    ctx: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE|-", help=_("Bodies of the outgoing webhook, in any shape; - is stdin."), show_default=False
        ),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help=_("Kept events that failed."))] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="2h", help=_("Kept events that came since then (90m, 2h, 3d)."))
    ] = None,
    ids: Annotated[
        list[int] | None, typer.Option("--id", metavar="N", min=1, help=_("This kept event; may be repeated."))
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help=_("Only list the kept events."))] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Read the portal, write nothing."))] = False,
    as_json: Json = False,
) -> int:
    """Events once more; twice does no harm."""
    from b24tools.cli import replay as the_cli_replay

    context: Context = ctx.obj
    context.as_json = as_json
    wanted = the_cli_replay.Wanted(files or (), failed, since, ids or (), list_only, dry_run, as_json)
    return the_cli_replay.replay(context.session(), context.talk, wanted)


@app.command(
    help=_(
        "Check settings, portal, people, places; say what is wrong and how to fix it. Writes only with --write-probe."
    )
)
def doctor(
    ctx: typer.Context,
    order: Annotated[
        Path | None,
        typer.Option("--order", metavar="FILE", help=_("Check an order file against the portal, too.")),
    ] = None,
    write_probe: Annotated[
        bool,
        typer.Option(
            "--write-probe",
            help=_("Make ONE task and delete it at once, to see how this portal keeps keys, dates and chats."),
        ),
    ] = False,
    as_json: Json = False,
) -> int:
    """What is well, what is not, how to fix it."""
    from b24tools.cli.doctor import examine

    context: Context = ctx.obj
    context.as_json = as_json
    return examine(context.talk, context.env_file, order, probe=write_probe, as_json=as_json)


@app.command("config", help=_("Show or set what may change while b24tools runs."))
def running_settings(
    ctx: typer.Context,
    key: Annotated[str | None, typer.Argument(metavar="KEY", help=_("The setting's name."), show_default=False)] = None,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", help=_("The new value."), show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Running settings: kept in the database, effective at once in every process."""
    from b24tools.store.settings import RUNNING_SETTINGS

    context: Context = ctx.obj
    context.as_json = as_json
    with context.session().open_store() as opened:
        if key is not None and value is not None:
            opened.settings.save(key, value, app_context.now())
        wanted = [key] if key is not None else list(RUNNING_SETTINGS)
        console.settings([(name, opened.settings.get(name)) for name in wanted], as_json=as_json)


def _pins(words: Sequence[str]) -> dict[str, int]:
    pins: dict[str, int] = {}
    for word in words:
        position, equals, user = word.rpartition("=")
        if not equals or not position.strip() or not user.strip().isdecimal() or int(user) == 0:
            raise errors.ConfigError(
                _('--to "{word}" is not POSITION=USER_ID').format(word=word), _("An example: --to Сварщик=17")
            )
        pins[position.strip()] = int(user)
    return pins
