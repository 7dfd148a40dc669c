"""Results for people and programs: tables, plain text, JSON. The only writer to stdout."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core import errors
from b24tools.core.i18n import _, ngettext

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


PLAIN_WIDTH = 10_000  # a line is a line, however long: for grep and for mail
TRY_LATER = 75

Progress = Callable[[str, int, int | None], None]


@dataclass
class Talk:
    """What is said on stderr. `level`: -1 quiet, 0, 1 verbose, 2 with tracebacks.

    `held`: errors that mean "try later", while quiet; `release` says them after all.
    """

    level: int = 0
    held: list[errors.B24ToolsError] = field(default_factory=list)

    def say(self, message: str) -> None:
        """A remark; silent with -q."""
        if self.level >= 0:
            _err(message)

    def detail(self, message: str) -> None:
        """A remark for -v."""
        if self.level >= 1:
            _err(message)

    def error(self, error: errors.B24ToolsError) -> None:
        """One line: what happened, where, and what to do."""
        if self.level < 0 and error.exit_status == TRY_LATER:
            self.held.append(error)
        else:
            _err(error_line(error))

    def release(self) -> None:
        """Say what was held back."""
        for error in self.held:
            _err(error_line(error))
        self.held.clear()

    @contextmanager
    def progress(self, *, time_left: bool = False) -> Iterator[Progress]:
        """A bar on a terminal, for what takes longer than a moment; elsewhere nothing."""
        if self.level < 0 or not sys.stderr.isatty():
            yield lambda _stage, _done, _total: None
            return
        from rich import progress as bars_of
        from rich.console import Console

        names = {
            "files": _("Uploading files"),
            "tasks": _("Writing tasks"),
            "reading": _("Reading the portal"),
            "closed": _("Collecting closed tasks"),
        }
        clock = bars_of.TimeRemainingColumn() if time_left else bars_of.TimeElapsedColumn()
        texts = bars_of.TextColumn("{task.description}")
        columns = (texts, bars_of.BarColumn(), bars_of.MofNCompleteColumn(), clock)
        with bars_of.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            bars: dict[str, Any] = {}

            def report(stage: str, done: int, total: int | None) -> None:
                if stage not in bars:
                    bars[stage] = bar.add_task(names.get(stage, stage), total=total)
                bar.update(bars[stage], completed=done, total=total)

            yield report


def error_line(error: errors.B24ToolsError) -> str:
    """The message and its mend in one line."""
    message = error.message if error.message.endswith((".", "!", "?")) else f"{error.message}."
    return " ".join(part for part in (message, _sentence(error.hint)) if part).replace("\n", " ")


def _sentence(hint: str) -> str:
    """A hint as a sentence of its own."""
    return hint[:1].upper() + hint[1:] + ("" if hint.endswith((".", "!", "?")) else ".") if hint else ""


def error_object(error: errors.B24ToolsError | None) -> dict[str, str] | None:
    """An error as programs get it."""
    return None if error is None else {"code": error.code, "message": error.message, "hint": _sentence(error.hint)}


def envelope(
    command: str, data: Any, *, ok: bool, warnings: Sequence[str] = (), error: errors.B24ToolsError | None = None
) -> None:
    """The one object that --json prints, whatever the status."""
    body = {
        "version": 1,
        "command": command,
        "ok": ok,
        "data": data,
        "warnings": list(warnings),
        "error": error_object(error),
    }
    _out(json.dumps(body, ensure_ascii=False, indent=2))


def moment_text(moment: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """Day, month and time; the year where it is another one."""
    if moment is None:
        return "-"
    local = moment.astimezone(zone)
    return local.strftime("%d.%m %H:%M" if local.year == now.astimezone(zone).year else "%d.%m.%y %H:%M")


def day_text(moment: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    return moment_text(moment, zone, now).partition(" ")[0]


def span_text(start: datetime, end: datetime, zone: ZoneInfo, now: datetime) -> str:
    """From when to when; whole days by their dates, the last one included."""
    first, last = start.astimezone(zone), end.astimezone(zone)
    if (first.time(), last.time()) != (time(), time()):
        return f"{moment_text(start, zone, now)} - {moment_text(end, zone, now)}"
    days = [day_text(one, zone, now) for one in (first, last - timedelta(seconds=1))]
    return " - ".join(dict.fromkeys(days))


def duration(seconds: int) -> str:
    """Days and hours, for people."""
    span = timedelta(seconds=seconds)
    hours = _("{n} h").format(n=span.seconds // 3600)
    minutes = _("{n} min").format(n=span.seconds % 3600 // 60)
    if span.days:
        days = ngettext("{n} day", "{n} days", span.days).format(n=span.days)
        return f"{days} {hours}" if span.seconds >= 3600 and span.days < 10 else days
    return f"{hours} {minutes}" if span.seconds >= 3600 else minutes


def hours(seconds: int) -> str:
    """Working time, for people: never in days, which are longer than a working day."""
    told_h = _("{n} h").format(n=seconds // 3600)
    minutes = seconds % 3600 // 60
    told_min = _("{n} min").format(n=minutes)
    if seconds < 3600:
        return told_min
    return f"{told_h} {told_min}" if minutes and seconds < 100 * 3600 else told_h


def settings(pairs: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    """Running settings, as `KEY VALUE` lines or JSON."""
    if as_json:
        envelope("config", [{"key": key, "value": value} for key, value in pairs], ok=True)
        return
    for key, value in pairs:
        _out(f"{key} {value}".rstrip())


def heading(message: str) -> None:
    """A line that stands out on a terminal."""
    open_console().print(message, style="bold", markup=False)


def text(message: str) -> None:
    """Lines of a result."""
    _out(message)


def use_utf8() -> None:
    """stdout that is no terminal is UTF-8, wherever the system thinks otherwise (Windows, cron's C locale)."""
    # a closed one (`>&-`, pythonw) is None: what is said goes nowhere
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - it is open to the end
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - likewise
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            if stream.isatty():
                stream.reconfigure(errors="replace")
            else:
                stream.reconfigure(encoding="utf-8", errors="replace")


def open_table(console: Console) -> Table:
    """An empty table as all of ours look: drawn on a terminal, columns apart by a blank elsewhere."""
    from rich import box
    from rich.table import Table

    drawn = console.is_terminal
    gap = 0 if drawn else 1  # a drawn table has dividers, here of blanks
    look = box.SIMPLE_HEAD if drawn else None
    return Table(box=look, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)


def open_console() -> Console:
    """stdout as a terminal, or as plain lines that are never broken."""
    from rich.console import Console

    class Paper(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich itself would end the program with status 1

    if sys.stdout.isatty():
        return Paper(highlight=False)
    return Paper(highlight=False, no_color=True, width=PLAIN_WIDTH, force_terminal=False)


def _out(message: str) -> None:
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


def _err(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
