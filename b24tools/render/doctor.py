"""What the doctor found: a table per section on a terminal, plain lines in a pipe, `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from b24tools.core import errors
from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor.checks import Report
from b24tools.render import console as render_console

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
MARKS = {"ok": "✓", "warn": "!", "fail": "✗"}
ASCII_MARKS = {"ok": "+", "warn": "!", "fail": "x"}
MOST_TITLE = 18
LEAST_TEXT = 30
MANY = 5  # findings, behind which what fails may be out of sight


def data(findings: Sequence[Report]) -> list[dict[str, Any]]:
    """The `data` of `doctor --json`."""
    return [
        {"check": finding.check, "status": finding.status, "detail": finding.detail, "fix": finding.fix}
        | ({"known": finding.known} if finding.known else {})
        for finding in findings
    ]


def verdict(findings: Sequence[Report]) -> str:
    """The line at the end."""
    failed, warned = (
        sum(finding.status == status and not finding.known for finding in findings) for status in ("fail", "warn")
    )
    checks = ngettext("{n} check", "{n} checks", len(findings)).format(n=len(findings))
    failing = ngettext("{n} fails", "{n} fail", failed).format(n=failed)
    warning = ngettext("{n} to look at", "{n} to look at", warned).format(n=warned)
    text = _("{checks}: all is well.")
    if failed:
        text = _("{checks}: {failing}, {warning}. Begin with the first that fails.")
    elif warned:
        text = _("{checks}: nothing fails, {warning}.")
    text = text.format(checks=checks, failing=failing, warning=warning)
    if known := sum(bool(finding.known) for finding in findings):
        text += " " + ngettext("{n} is acknowledged.", "{n} are acknowledged.", known).format(n=known)
    return text


def verdict_error(findings: Sequence[Report]) -> errors.B24ToolsError | None:
    """The error for programs when something fails: the first of it."""
    first = next((finding for finding in findings if finding.status == "fail" and not finding.known), None)
    if first is None:
        return None
    return errors.B24ToolsError(f"{first.check}: {first.detail}", first.fix, code=errors.ErrorCode.CHECKS_FAILED)


def is_news(finding: Report) -> bool:
    """Whether it is not in order, and is not acknowledged; or of the block that `--write-probe` is for."""
    return (finding.status != "ok" and not finding.known) or finding.check.startswith("probe ")


def report(findings: Sequence[Report], *, folded: bool = True) -> None:
    """Show the findings; `folded`: those that need no look in one line, and on a terminal what fails once more.

    With nothing but news in them they are shown as they are.
    """
    console = render_console.open_console()
    if not console.is_terminal:
        for finding in findings:
            if not folded or is_news(finding):
                render_console.print_text(line(finding))
        if folded and (names := [finding.check for finding in findings if not is_news(finding)]):
            render_console.print_text(f"ok    {', '.join(names)}")
        return
    for section, rows in groupby(findings, lambda finding: finding.section):
        _draw(console, section, list(rows), folded=folded)
    failing = [finding for finding in findings if finding.status == "fail" and is_news(finding)]
    if folded and failing and len(findings) > MANY:
        _draw(console, _("What fails"), failing, folded=False)


def line(finding: Report) -> str:
    """`fail  scope disk: missing … Edit the webhook …` - one line, for a pipe or a mail."""
    text = f"{finding.status:<4}  {finding.check}: {finding.detail}"
    if finding.known:
        text = _("{text} (acknowledged until {known})").format(text=text, known=finding.known)
    if finding.fix:
        text = f"{text}{'' if text.endswith(('.', '!', '?')) else '.'} {_write_sentence(finding.fix)}"
    return " ".join(text.split("\n"))


def _draw(console: Console, section: str, findings: Sequence[Report], *, folded: bool) -> None:
    """Draw a heading and three columns: the mark, what was looked at, how it is with how to fix it below."""
    from rich.table import Table
    from rich.text import Text

    marks, arrow = (ASCII_MARKS, "->") if console.options.ascii_only else (MARKS, "→")
    room = max(LEAST_TEXT, console.width - MOST_TITLE - 3)
    table = Table.grid(padding=(0, 1, 0, 0), expand=False)
    table.add_column(no_wrap=True, width=1)
    table.add_column(width=MOST_TITLE, overflow="fold")
    table.add_column(overflow="fold", min_width=LEAST_TEXT)
    quiet = [finding for finding in findings if folded and not is_news(finding)]
    for finding in (finding for finding in findings if finding not in quiet):
        text = Text("\n".join(render_console.wrap_words(finding.detail, room)))
        if finding.known:
            text.append("\n" + _("acknowledged until {known}").format(known=finding.known), style="dim")
        if finding.fix:
            lines = render_console.wrap_words(f"{arrow} {_write_sentence(finding.fix)}", room)
            text.append("\n" + "\n".join(lines), style=STYLES[finding.status])
        table.add_row(Text(marks[finding.status], style=STYLES[finding.status]), Text(finding.title), text)
    if quiet:
        names = ", ".join(finding.title or finding.check for finding in quiet)
        table.add_row(
            Text(marks["ok"], style=STYLES["ok"]),
            Text(_("in order")),
            Text("\n".join(render_console.wrap_words(names, room)), style="dim"),
        )
    console.print(section, style="bold", markup=False, highlight=False)
    console.print(table)


def _write_sentence(fix: str) -> str:
    """Write it with a capital and a full stop, unless it is a command to be copied."""
    return fix[:1].upper() + fix[1:] + ("" if fix.endswith(("`", ".", "!", "?")) else ".")
