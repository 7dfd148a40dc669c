"""`b24tools completion`, and what Tab offers: the work of Typer, which is asked for in the environment."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from b24tools.cli.localized import COMPLETION, PROGRAM, explain
from b24tools.render.console import print_text


class Shell(StrEnum):
    """A shell that Typer has a function for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


@explain(
    ("completion bash", "To be put into ~/.bashrc; in a new terminal Tab completes then."),
    ("completion powershell", "To be put into the file that $PROFILE names."),
)
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish|powershell", help="The shell.", show_default=False)],
) -> None:
    """Print what a shell has to load so that Tab completes commands, options and values."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    print_text(get_completion_script(prog_name=PROGRAM, complete_var=COMPLETION, shell=shell.value))


def answer_shell() -> None:
    """Let Typer know the shells; its answer then takes the place of the command."""
    from typer.completion import completion_init  # type: ignore[attr-defined]

    completion_init()


def suggest(*words: str) -> Callable[[str], list[str]]:
    """Make the `autocompletion` of a parameter that takes these words, or others."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete
