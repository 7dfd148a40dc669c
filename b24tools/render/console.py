"""What is printed: results on stdout, drawn on a terminal and plain elsewhere; remarks and progress on stderr."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from b24tools.core import errors
from b24tools.core.i18n import _
from b24tools.core.models import Progress, no_progress
from b24tools.core.secrets import Scrubber

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LEAST_CELLS = 12  # of a column that folds; with less a table cannot be read
GLUE = "\ue000"  # a blank at which a line does not end
PROGRAM = "b24tools"
RED, YELLOW = 31, 33
OF_THE_RUN = "run"  # in the place of an order's id: trouble that comes with any order
MOST_PADDED = 60  # characters that a cell of a plain table may widen its column to
GAP = "  "  # between the columns of a plain table: one blank is part of many cells
Cell = str | tuple[str, str]  # a text, or a text with its style
_portal = ContextVar("portal", default="")  # the profile that this run is about


@dataclass(frozen=True)
class Trouble:
    """What a line of stderr is about. `cause`: what it is the same as; "": nothing, each time it is said anew.

    Of an inbox, also which order it is about, and in which `file`. `passes`: by itself.
    """

    cause: str = ""
    file: str = ""
    order_id: str = ""
    passes: bool = False


@dataclass(frozen=True)
class Held:
    """What was held back while quiet: a line, or more of them, with the trouble or the error that it is about."""

    say: Callable[[], object]
    trouble: Trouble | None = None
    error: errors.B24ToolsError | None = None


@dataclass
class Messenger:
    """What is said on stderr. `level`: -1 quiet, 0, 1 verbose, 2 with tracebacks. `held`: held back while quiet.

    `scrub` takes out secrets, and `record` is the log, which has remarks and errors that are not printed, too.
    """

    level: int = 0
    held: list[Held] = field(default_factory=list)
    scrub: Callable[[str], str] = Scrubber().scrub
    record: Callable[[int, str], object] = lambda _level, _message: None

    @property
    def is_quiet(self) -> bool:
        """Whether only data and errors are wanted: -q."""
        return self.level < 0

    def info(self, message: str) -> None:
        """Print a remark, unless quiet."""
        self.record(logging.INFO, message)
        if not self.is_quiet:
            self._print(message)

    def detail(self, message: str) -> None:
        """Print a remark for -v."""
        if self.level > 0:
            self._print(message)

    def warn(self, message: str, trouble: Trouble | None = None) -> None:
        """Print a remark even when quiet; hold it back then if it is about a trouble."""
        self.record(logging.WARNING, message)
        if trouble and self.is_quiet:
            self.held.append(Held(partial(self._print, message, YELLOW), trouble))
        else:
            self._print(message, YELLOW)

    def relay(self, line: str) -> None:
        """Print what another run has said on its stderr; it has decided that it is worth it."""
        self._print(line)

    def error(self, error: errors.B24ToolsError, trouble: Trouble | None = None) -> None:
        """Print in one line what happened, where, and what to do; hold it back while quiet."""
        self.record(logging.ERROR, error.line)
        if self.is_quiet:
            self.held.append(Held(partial(self._print, error.line, RED), trouble, error))
        else:
            self._print(error.line, RED)

    def trace(self, error: BaseException) -> None:
        """Print the traceback."""
        _write_remark(self.scrub("".join(traceback.format_exception(error)).rstrip()))

    def _print(self, message: str, color: int = 0) -> None:
        """Print a message; on a terminal broken between its words, in a color of ANSI."""
        text = name_portal(self.scrub(message))
        if sys.stderr.isatty():
            width = _get_width(sys.stderr)
            text = "\n".join(part for line in text.split("\n") for part in wrap_words(line, width) or [""])
            if color and _can_color():
                text = f"\x1b[{color}m{text}\x1b[0m"
        _write_remark(text)

    @contextmanager
    def progress(self, *, time_left: bool = False) -> Iterator[Progress]:
        """Draw a bar on a terminal, for what takes longer than a moment; elsewhere nothing."""
        if self.is_quiet or not sys.stderr.isatty():
            yield no_progress
            return
        from rich import progress
        from rich.console import Console

        names = {
            "files": _("Uploading files"),
            "tasks": _("Writing tasks"),
            "reading": _("Reading the portal"),
            "closed": _("Collecting closed tasks"),
        }
        clock = progress.TimeRemainingColumn() if time_left else progress.TimeElapsedColumn()
        texts = progress.TextColumn("{task.description}")
        columns = (texts, progress.BarColumn(), progress.MofNCompleteColumn(), clock)
        with progress.Progress(*columns, console=Console(stderr=True), transient=True) as display:
            bars: dict[str, Any] = {}

            def report(stage: str, done: int, total: int | None) -> None:
                if stage not in bars:
                    bars[stage] = display.add_task(names.get(stage, stage), total=total)
                display.update(bars[stage], completed=done, total=total)

            yield report


@dataclass(frozen=True)
class Column:
    """A column of a table. `overflow`: how a text too long for a terminal gives way; "": it never does."""

    title: str
    right: bool = False
    overflow: Literal["", "fold", "ellipsis"] = ""


class Screen:
    """stdout: rich draws on a terminal; elsewhere a line is a line, however long, for grep and for mail."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or (open_console() if sys.stdout.isatty() else None)
        self.is_terminal = self._console is not None
        self.width = self._console.width if self._console else 0
        self.has_unicode = self._console is None or self._console.encoding.lower().startswith("utf")

    def print(self, text: str | Sequence[Cell] = "", style: str = "") -> None:
        """Print a text, or parts of one with styles of their own; a terminal has styles, and breaks between words."""
        parts = [(name_portal(part), of) for part, of in _pair([text] if isinstance(text, str) else text)]
        if self._console is None:
            print_text("".join(part for part, _style in parts))
            return
        from rich.text import Text

        for line in Text.assemble(*parts, style=style).split("\n", allow_blank=True):
            _print_wrapped(line, self._console)

    def link(self, text: str, url: str, elsewhere: str | None = None) -> Cell:
        """Return a text that opens an address; `elsewhere` (the address, if not given) is for what is no terminal."""
        if self.is_terminal:
            return text, f"link {url}"
        return url if elsewhere is None else elsewhere

    def print_table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
        """Print a table with its head; where a terminal is too narrow for it, a paragraph for each row."""
        cells = [_pair(row) for row in rows]
        if self._console is None:
            _print_plain_table(columns, [[clean(text) for text, _style in row] for row in cells])
            return
        from rich import box
        from rich.cells import cell_len
        from rich.table import Table
        from rich.text import Text

        lines = [
            [
                Text(clean(text), style, no_wrap=column.overflow == "ellipsis")
                for (text, style), column in zip(row, columns, strict=True)
            ]
            for row in cells
        ]
        fixed = [
            max([cell_len(column.title), *(line[number].cell_len for line in lines)])
            for number, column in enumerate(columns)
            if not column.overflow
        ]
        if self.width - sum(fixed) - len(columns) + 1 < LEAST_CELLS * (len(columns) - len(fixed)):
            for line in lines:
                line[0].stylize("bold")
                _print_wrapped(line[0], self._console)
                rest = zip(columns[1:], line[1:], strict=True)
                parts = [
                    Text.assemble(f"{column.title}: ", text) for column, text in rest if text and text.plain != "-"
                ]
                for part in parts:
                    if part.cell_len < self.width - len(GAP):
                        part.plain = part.plain.replace(" ", GLUE)
                if parts:
                    _print_wrapped(Text(GAP).append_text(Text("; ").join(parts)), self._console)
            return
        table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
        for column in columns:
            table.add_column(
                column.title,
                justify="right" if column.right else "left",
                no_wrap=not column.overflow,
                overflow=column.overflow or "ellipsis",
            )
        for line in lines:
            table.add_row(*line)
        self._console.print(table)


def _pair(cells: Iterable[Cell]) -> list[tuple[str, str]]:
    return [(cell, "") if isinstance(cell, str) else cell for cell in cells]


def _print_wrapped(text: Text, console: Console) -> None:
    """Print a line, broken between its words, with the styles of its parts."""
    lines = wrap_words(text.plain, console.width) or [""]
    text.plain = text.plain.replace(GLUE, " ")
    place = 0
    for number, line in enumerate(lines):
        words = line.lstrip() if number else line
        place = text.plain.index(words, place)
        indent = " " * (len(line) - len(words))
        console.print(indent, text[place : place + len(words)], sep="", soft_wrap=True)
        place += len(words)


def wrap_words(text: str, width: int) -> list[str]:
    """Break a line between words; what follows is indented like the text behind its mark.

    A command in backticks stays in one line, and so do a number and its unit.
    """
    import textwrap

    mark = re.match(r" +\d+\. | *(?:[!x→] |-> )?", text)
    indent = " " * len(mark[0]) if mark else ""

    def hold(match: re.Match[str]) -> str:
        return match[0].replace(" ", GLUE) if len(match[0]) <= width - len(indent) else match[0]

    wrapper = textwrap.TextWrapper(
        width,
        subsequent_indent=indent,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [
        line.replace(GLUE, " ") for line in wrapper.wrap(re.sub(r"`[^`]*`|(?<!\S)\d+(?:[.:,]\d+)* (?=\w)", hold, text))
    ]


def _get_width(stream: Any) -> int:
    """Return the columns of the stream's terminal."""
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(stream.fileno()).columns) or 80
    except (OSError, ValueError):
        return 80


def _can_color() -> bool:
    """Whether the terminal understands colors, and they are wanted."""
    is_new = os.name != "nt" or "WT_SESSION" in os.environ
    return is_new and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _print_plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    lines = [[column.title for column in columns], *rows]
    widths = [
        max([0, *(len(text) for text in texts if len(text) <= MOST_PADDED)]) for texts in zip(*lines, strict=True)
    ]
    for line in lines:
        cells = zip(line, widths, columns, strict=True)
        padded = (text.rjust(width) if column.right else text.ljust(width) for text, width, column in cells)
        print_text(GAP.join(padded).rstrip())


def clean(text: str) -> str:
    """Keep a text on one line; drop what moves the cursor, changes colours or turns the direction of writing."""
    return text if text.isprintable() else "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def open_console() -> Console:
    """Open stdout for rich."""
    from rich.console import Console

    return Console(highlight=False)


def choose_portal(profile: str) -> None:
    """Let commands that are advised be about this profile, to the end of the context."""
    _portal.set(profile)


def name_portal(text: str) -> str:
    """Return a text whose commands in backticks are about the portal that this run is about."""
    profile = _portal.get()
    return re.sub(rf"`{PROGRAM} (?!--profile)", f"`{PROGRAM} --profile {profile} ", text) if profile else text


def print_text(text: str) -> None:
    """Print lines of a result as they are."""
    sys.stdout.write(name_portal(text) + "\n")
    sys.stdout.flush()


def print_file(content: str) -> None:
    """Print a whole file as it is: UTF-8, its own line ends, wherever it runs."""
    sys.stdout.flush()
    sys.stdout.buffer.write(content.encode("utf-8"))
    sys.stdout.buffer.flush()


def _write_remark(text: str) -> None:
    """Print a line on stderr; what is done stays done where that cannot be written, on a full disk for instance."""
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # Python's last flush would fail as well


def use_utf8() -> None:
    """Make what is no terminal UTF-8, wherever the system thinks otherwise (Windows, cron's C locale)."""
    # a closed one (`>&-`, pythonw) is None: what is printed there goes nowhere
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it is open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - likewise
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        # PYTHONUNBUFFERED: a disk that is full would take a part without an error
        whole = open(sys.stdout.fileno(), "wb", closefd=False)  # noqa: SIM115 - likewise
        sys.stdout = io.TextIOWrapper(whole, encoding=sys.stdout.encoding, errors=sys.stdout.errors)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="replace")
