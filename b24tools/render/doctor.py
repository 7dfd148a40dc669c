"""What the doctor found: a table per section on a terminal, plain lines in a pipe, `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from b24tools.core import errors
from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor.checks import Finding
from b24tools.render import console as render_console

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
ASCII_MARKS = {"ok": "+", "warn": "!", "fail": "x"}
MOST_TITLE = 18
LEAST_TEXT = 30


def data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The `data` of `doctor --json`."""
    return [{"check": one.check, "status": one.status, "detail": one.detail, "fix": one.fix} for one in findings]


def verdict(findings: Sequence[Finding]) -> str:
    """The line at the end."""
    failed, warned = (sum(one.status == status for one in findings) for status in ("fail", "warn"))
    checks = ngettext("{n} check", "{n} checks", len(findings)).format(n=len(findings))
    failing = ngettext("{n} fails", "{n} fail", failed).format(n=failed)
    warning = ngettext("{n} to look at", "{n} to look at", warned).format(n=warned)
    text = _("{checks}: all is well.")
    if failed:
        text = _("{checks}: {failing}, {warning}. Begin with the first that fails.")
    elif warned:
        text = _("{checks}: nothing fails, {warning}.")
    return text.format(checks=checks, failing=failing, warning=warning)


def verdict_error(findings: Sequence[Finding]) -> errors.B24ToolsError | None:
    """The error for programs when something fails: the first of it."""
    first = next((one for one in findings if one.status == "fail"), None)
    if first is None:
        return None
    return errors.B24ToolsError(f"{first.check}: {first.detail}", first.fix, code=errors.ErrorCode.CHECKS_FAILED)


def report(findings: Sequence[Finding], *, only_bad: bool = False) -> None:
    """Show the findings: all, or those that are not ok and the block that `--write-probe` is for."""
    shown = [one for one in findings if not only_bad or one.status != "ok" or one.check.startswith("probe ")]
    console = render_console.open_console()
    if console.is_terminal:
        for section, rows in groupby(shown, lambda one: one.section):
            _draw(console, section, list(rows))
        return
    for one in shown:
        render_console.print_text(line(one))


def line(finding: Finding) -> str:
    """`fail  scope disk: missing … Edit the webhook …` - one line, for a pipe or a mail."""
    text = f"{finding.status:<4}  {finding.check}: {finding.detail}"
    if finding.fix:
        text = f"{text}{'' if text.endswith(('.', '!', '?')) else '.'} {_write_sentence(finding.fix)}"
    return " ".join(text.split("\n"))


def _draw(console: Console, section: str, findings: Sequence[Finding]) -> None:
    """Draw a heading and three columns: the mark, what was looked at, how it is with how to fix it below."""
    from rich.table import Table
    from rich.text import Text

    marks, arrow = (ASCII_MARKS, "->") if console.options.ascii_only else (MARKS, "→")
    room = max(LEAST_TEXT, console.width - MOST_TITLE - 3)
    table = Table.grid(padding=(0, 1, 0, 0), expand=False)
    table.add_column(no_wrap=True, width=1)
    table.add_column(width=MOST_TITLE, overflow="fold")
    table.add_column(overflow="fold", min_width=LEAST_TEXT)
    for one in findings:
        text = Text("\n".join(render_console.wrap_words(one.detail, room)))
        if one.fix:
            lines = render_console.wrap_words(f"{arrow} {_write_sentence(one.fix)}", room)
            text.append("\n" + "\n".join(lines), style=STYLES[one.status])
        table.add_row(Text(marks[one.status], style=STYLES[one.status]), Text(one.title), text)
    console.print(section, style="bold", markup=False, highlight=False)
    console.print(table)


def _write_sentence(fix: str) -> str:
    """Write it with a capital and a full stop, unless it is a command to be copied."""
    return fix[:1].upper() + fix[1:] + ("" if fix.endswith(("`", ".", "!", "?")) else ".")
