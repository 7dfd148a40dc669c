"""`b24tools each`."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import WRITING, explain
from b24tools.cli.usage import refuse_together
from b24tools.core import errors, periods
from b24tools.core.i18n import _
from b24tools.core.profiles import PLACEHOLDER, check_path, choose_profiles
from b24tools.render.console import Trouble, print_text

OF_ONE_PORTAL = ("each", "serve", "sandbox", "demo", "init", "schedule", "restore")
SIGNALS = ("SIGTERM", "SIGHUP", "SIGBREAK")


@explain(
    ("each -- snapshot", "One line of cron for all portals."),
    ("each -- assign --inbox /srv/1c/{profile}", "Each portal its own folder."),
    ("each --profiles plant-1,plant-2 -- doctor", "A table with a line for each."),
    statuses=WRITING | {0: "done for all; else the worst of 2, 1, 3, 75"},
)
def each(
    ctx: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND", help="What to run, with its options; {profile} in it is the profile.", show_default=False
        ),
    ],
    profiles: Annotated[
        str | None, typer.Option("--profiles", metavar="NAME,NAME", help="These only; else all of B24_PROFILES.")
    ] = None,
    at_once: Annotated[
        int, typer.Option("--at-once", metavar="N", min=1, max=64, help="How many run at the same time.")
    ] = 4,
    limit: Annotated[
        str, typer.Option("--timeout", metavar="SPAN", help="When one that runs so long is cut off.")
    ] = "1h",
    as_json: Json = False,
) -> int:
    """Run a command for every profile. Each portal is on its own: a broken one stops no other."""
    from b24tools.jobs.each import find_worst, run_each
    from b24tools.render import each as render_each

    invocation: Invocation = ctx.obj
    messenger = invocation.messenger
    as_json = as_json or "--json" in words
    _check_command(ctx, words, as_json=as_json)
    refuse_together({"--profile": bool(invocation.profile), "each": True}, _("--profiles chooses some of them."))
    limit_s = periods.parse_span(limit).total_seconds()
    if limit_s <= 0:
        raise errors.UsageError(
            _("--timeout {limit} leaves no time").format(limit=limit), _("An example: --timeout 15m")
        )
    chosen, others = choose_profiles(profiles, invocation.env_file, must_exist=False)
    if others:
        text = _("no profiles, by their names: {files}; a name has small Latin letters, digits and hyphens")
        text = errors.as_sentence(text.format(files=", ".join(others)))
        messenger.warn(text, Trouble(text))
    quiet = messenger.is_quiet
    as_table = words[0] == "doctor" and not as_json and not quiet
    given = [word for word in words if word != "--json"] + (["--json"] if as_json or as_table else [])
    commands = {profile.name: _make_command(invocation, profile.name, given) for profile in chosen}
    width = max(map(len, commands))
    answers = []
    with _ended_as_by_ctrl_c():
        for answer in run_each(commands, at_once, limit_s):
            answers.append(answer)
            if not (as_json or as_table):
                out, err = render_each.list_lines(answer, width, limit, quiet=quiet)
                for line in out:
                    print_text(line)
                # of one that was cut off the last two lines say so: its own, that it was interrupted, and ours
                relayed = len(err) if answer.in_time else max(len(err) - 2, 0)
                for line in err[:relayed]:
                    messenger.relay(line)
                for line in err[relayed:]:
                    messenger.warn(line, Trouble(f"cut off: {answer.profile} {words[0]}"))
    answers.sort(key=lambda answer: answer.profile)
    worst = find_worst(answer.status for answer in answers)
    if as_json:
        error = errors.B24ToolsError(render_each.summarize(answers)) if worst else None
        invocation.print_json(render_each.data(answers), error=error)
        return worst
    if as_table:
        render_each.print_checks(answers, limit, messenger.relay)
    messenger.info(render_each.summarize(answers))
    return worst


def _check_command(ctx: typer.Context, words: Sequence[str], *, as_json: bool) -> None:
    """Raise a usage error for what is wrong for all portals alike, before any of them is touched.

    A file or a folder must have the profile in its name: two portals that take orders from one folder would each
    get some of the other's.
    """
    name = words[0]
    if name.startswith("-"):
        raise errors.UsageError(
            _("{option} stands before the command").format(option=name),
            _("An example: `b24tools -q each -- snapshot`"),
        )
    if name in OF_ONE_PORTAL:
        raise errors.UsageError(
            _("{command} is nothing for all portals at once").format(command=name),
            _("Run it for one of them: `b24tools --profile NAME {command}`").format(command=name),
        )
    group: Any = ctx.parent and ctx.parent.command
    _found, command, rest = group.resolve_command(ctx.parent, list(words))
    if as_json and not any("--json" in param.opts for param in command.params):
        raise errors.UsageError(_("{command} has no --json").format(command=name), _("Leave out --json."))
    values = command.make_context(name, [word for word in rest if word != "--json"], parent=ctx.parent).params
    for param in command.params:
        value = values.get(param.name)
        if not value or not ({"DIR", "FILE"} & set((param.metavar or "").replace("|", " ").split())):
            continue
        for path in value if isinstance(value, list | tuple) else [value]:
            check_path(path)


def _make_command(invocation: Invocation, profile: str, words: Sequence[str]) -> list[str]:
    from b24tools.jobs.schedule import find_program

    level = invocation.messenger.level
    talk = ["-q"] if level < 0 else ["-v"] * level
    source = [f"--env-file={invocation.env_file}"] if invocation.env_file else []
    filled = [word.replace(PLACEHOLDER, profile) for word in words]
    return [*find_program(), *source, f"--profile={profile}", *talk, *filled]


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Let other signals to end the process end the processes that it has started, too; not what nohup ignores."""
    known = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    heard = [number for number in known if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
