"""Results for people and programs: tables, plain text, JSON. The only writer to stdout."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools import errors
from b24tools.i18n import _, ngettext, pgettext

if TYPE_CHECKING:
    from rich.console import Console

    from b24tools.jobs.assign.result import OrderResult, TaskResult

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


def assign_data(results: Sequence[OrderResult], zone: ZoneInfo) -> list[dict[str, Any]]:
    """The `data` of `assign --json`; times in `zone` with their offset."""

    def text(moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")

    def pair(value: tuple[int, str] | None) -> dict[str, Any] | None:
        return None if value is None else {"id": value[0], "name": value[1]}

    def task(one: TaskResult) -> dict[str, Any]:
        return {
            "position": one.position,
            "outcome": one.outcome,
            "task_id": one.task_id,
            "title": one.title,
            "responsible": pair(one.responsible),
            "department": pair(one.department),
            "start": text(one.start),
            "end": text(one.end),
            "deadline": text(one.deadline),
            "estimate_s": one.estimate_s,
            "files": list(one.files),
            "warnings": list(one.warnings),
            "error": error_object(one.error),
        }

    return [
        {
            "order": {"id": order.id, "number": order.number},
            "outcome": order.outcome,
            "tasks": [task(one) for one in order.tasks],
            "finish": text(order.finish),
            "wanted": text(order.wanted),
            "late_s": order.late_s,
        }
        for order in results
    ]


def assign(
    results: Sequence[OrderResult],
    zone: ZoneInfo,
    portal_url: str,
    now: datetime,
    talk: Talk,
    console: Console | None = None,
) -> None:
    """Who does what and when, a table per order; the headline and the remarks go with it."""
    console = console or open_console()
    for number, order in enumerate(results):
        if number:
            console.print()
        console.print(_headline(order, zone, now), style="bold", markup=False, highlight=False)
        if order.tasks:
            console.print(_task_table(order, zone, portal_url, now, drawn=console.is_terminal))
        for remark, style in _remarks(order):
            console.print(remark, style=style, markup=False, highlight=False)
    if console.is_terminal and any(task.task_id for order in results for task in order.tasks):
        talk.say(_("A task opens at {url}").format(url=task_url(portal_url, _("NUMBER"))))


def _remarks(order: OrderResult) -> Iterator[tuple[str, str]]:
    """Warnings and errors with their styles; what several lines have in common is said once."""
    positions: dict[tuple[str, str], list[str]] = {}
    for task in order.tasks:
        for warning in task.warnings:
            positions.setdefault((warning, "yellow"), []).append(task.position)
        if task.error:
            positions.setdefault((error_line(task.error), "red"), []).append(task.position)
    for (remark, style), names in positions.items():
        mark = "x" if style == "red" else "!"
        everywhere = len(names) == len(order.tasks) > 1
        yield f"  {mark} {remark}" if everywhere else f"  {mark} {', '.join(names)}: {remark}", style
    for warning in order.warnings:
        yield f"  ! {warning}", "yellow"


def task_url(portal_url: str, task_id: int | str) -> str:
    """Where a task opens in the browser, for whoever is signed in."""
    return f"{portal_url}/company/personal/user/0/tasks/task/view/{task_id}/"


def _headline(order: OrderResult, zone: ZoneInfo, now: datetime) -> str:
    words = {
        "created": pgettext("order", "created"),
        "updated": pgettext("order", "updated"),
        "unchanged": pgettext("order", "unchanged"),
        "completed": pgettext("order", "completed"),
        "partial": pgettext("order", "partly failed"),
        "failed": pgettext("order", "failed"),
        "planned": pgettext("order", "plan only"),
    }
    count = len(order.tasks)
    parts = [
        _("Order {number}: {outcome}, {tasks}").format(
            number=order.number,
            outcome=words[order.outcome],
            tasks=ngettext("{n} task", "{n} tasks", count).format(n=count),
        )
    ]
    if order.finish and order.outcome != "completed":
        parts.append(_("ready {moment}").format(moment=_moment(order.finish, zone, now)))
        if order.wanted:
            wanted = order.wanted.astimezone(zone)
            parts.append(_("wanted by {date}").format(date=wanted.strftime("%d.%m.%Y")))
        if order.late_s:
            parts.append(_("late by {duration}").format(duration=duration(order.late_s)))
    return "; ".join(parts)


def _task_table(order: OrderResult, zone: ZoneInfo, portal_url: str, now: datetime, *, drawn: bool) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    words = {
        "created": (_("created"), "green"),
        "updated": (_("updated"), "cyan"),
        "adopted": (_("adopted"), "cyan"),
        "unchanged": (_("same"), "dim"),
        "completed": (_("done"), "green"),
        "planned": (_("plan"), "cyan"),
        "failed": (_("FAILED"), "bold red"),
    }
    gap = 0 if drawn else 1  # a drawn table has dividers, here of blanks
    table = Table(box=box.SIMPLE_HEAD if drawn else None, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(_("Position"), overflow="fold")
    table.add_column(_("Person"), overflow="fold")
    for name in (_("Start"), _("End"), _("Deadline")):
        table.add_column(name, no_wrap=True)
    table.add_column(_("Outcome"), no_wrap=True)
    table.add_column(_("Task"), no_wrap=True, overflow="ignore")
    for task in order.tasks:
        word, style = words[task.outcome]
        link = Text("")
        if task.task_id and drawn:
            link = Text(f"#{task.task_id}", style=f"link {task_url(portal_url, task.task_id)}")
        elif task.task_id:
            link = Text(task_url(portal_url, task.task_id))
        table.add_row(
            Text(task.position),
            Text(task.responsible[1] if task.responsible else "-"),
            _moment(task.start, zone, now),
            _moment(task.end, zone, now),
            _day(task.deadline, zone, now),
            Text(word, style=style),
            link,
        )
    return table


def _moment(moment: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """Day, month and time; the year where it is another one."""
    if moment is None:
        return "-"
    local = moment.astimezone(zone)
    return local.strftime("%d.%m %H:%M" if local.year == now.astimezone(zone).year else "%d.%m.%y %H:%M")


def _day(moment: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    return _moment(moment, zone, now).partition(" ")[0]


def duration(seconds: int) -> str:
    """Days and hours, for people."""
    span = timedelta(seconds=seconds)
    hours = _("{n} h").format(n=span.seconds // 3600)
    minutes = _("{n} min").format(n=span.seconds % 3600 // 60)
    if span.days:
        days = ngettext("{n} day", "{n} days", span.days).format(n=span.days)
        return f"{days} {hours}" if span.seconds >= 3600 and span.days < 10 else days
    return f"{hours} {minutes}" if span.seconds >= 3600 else minutes


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
