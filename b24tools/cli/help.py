"""`b24tools help`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from b24tools.cli.completion import suggest
from b24tools.cli.localized import explain
from b24tools.render.console import print_text


def _complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    program: Any = ctx.find_root().command
    return suggest(*program.commands)(incomplete)


@explain(("help assign", "The same as `b24tools assign --help`."))
def show_help(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND",
            help="A command; all of them if left out.",
            show_default=False,
            autocompletion=_complete_name,
        ),
    ] = None,
) -> None:
    """Show how the program or a command is used."""
    parent: Any = ctx.find_root()
    if name is None:
        print_text(parent.get_help())
        return
    parent.invoked_subcommand, command, _rest = parent.command.resolve_command(parent, [name])
    print_text(command.get_help(typer.Context(command, info_name=name, parent=parent)))
