"""The doctor's report: a mark and a line per check on a terminal, plain lines in a pipe, `data` for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from b24tools.core import errors
from b24tools.core.i18n import _, ngettext
from b24tools.jobs.doctor.checks import FAIL, OK, WARN, Check
from b24tools.render import console as render_console

STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red"}
MARKS = {OK: "✓", WARN: "!", FAIL: "✗"}
ASCII_MARKS = {OK: "+", WARN: "!", FAIL: "x"}
MOST_TITLE = 18
LEAST_TEXT = 30


def data(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The `data` of `doctor --json`."""
    return [{"check": one.check, "status": one.status, "detail": one.detail, "fix": one.fix} for one in checks]


def verdict(checks: Sequence[Check]) -> str:
    """The line at the end."""
    failed, warned = (sum(one.status == status for one in checks) for status in (FAIL, WARN))
    told = ngettext("{n} check", "{n} checks", len(checks)).format(n=len(checks))
    failing = ngettext("{n} fails", "{n} fail", failed).format(n=failed)
    warning = ngettext("{n} to look at", "{n} to look at", warned).format(n=warned)
    if failed:
        return _("{checks}: {failing}, {warning}. Begin with the first that fails.").format(
            checks=told, failing=failing, warning=warning
        )
    if warned:
        return _("{checks}: nothing fails, {warning}.").format(checks=told, warning=warning)
    return _("{checks}: all is well.").format(checks=told)


def verdict_error(checks: Sequence[Check]) -> errors.B24ToolsError | None:
    """What programs are told when something fails: the first of it."""
    first = next((one for one in checks if one.status == FAIL), None)
    if first is None:
        return None
    return errors.B24ToolsError(f"{first.check}: {first.detail}", first.fix, code=errors.ErrorCode.CHECKS_FAILED)


def report(checks: Sequence[Check], *, only_bad: bool = False) -> None:
    """All checks, or those that are not ok and what was asked for by an option."""
    shown = [one for one in checks if not only_bad or one.status != OK or _is_probe(one)]
    console = render_console.open_console()
    if console.is_terminal:
        _draw(console, shown)
        return
    for one in shown:
        render_console.print_text(line(one))


def line(check: Check) -> str:
    """`fail  scope disk: missing … Edit the webhook …` - one line, for a pipe or a mail."""
    told = f"{check.status:<4}  {check.check}: {check.detail}"
    if check.fix:
        told = f"{told}{'' if told.endswith(('.', '!', '?')) else '.'} {_sentence(check.fix)}"
    return " ".join(told.split("\n"))


def _draw(console: Any, checks: Sequence[Check]) -> None:
    """Three columns: the mark, what was looked at, how it is with the mend below it. Sections have headings."""
    from rich.table import Table
    from rich.text import Text

    marks = MARKS if _can_show(console, "".join(MARKS.values())) else ASCII_MARKS
    arrow = "→" if _can_show(console, "→") else "->"
    section = ""
    table: Any = None
    for one in checks:
        if (heading := _section_of(one)) != section or table is None:
            if table is not None:
                console.print(table)
            section = heading
            console.print(heading, style="bold", markup=False, highlight=False)
            table = Table.grid(padding=(0, 1, 0, 0), expand=False)
            table.add_column(no_wrap=True, width=1)
            table.add_column(width=MOST_TITLE, overflow="fold")
            table.add_column(overflow="fold", min_width=LEAST_TEXT)
        text = Text(one.detail)
        if one.fix:
            text.append(f"\n{arrow} {_sentence(one.fix)}", style=STYLES[one.status])
        table.add_row(Text(marks[one.status], style=STYLES[one.status]), Text(title(one)), text)
    if table is not None:
        console.print(table)


def _can_show(console: Any, text: str) -> bool:
    try:
        text.encode(console.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _sentence(fix: str) -> str:
    """With a capital and a full stop, unless it is a command to be copied."""
    if fix.endswith(("`", ".", "!", "?")):
        return fix[:1].upper() + fix[1:]
    return f"{fix[:1].upper()}{fix[1:]}."


def title(check: Check) -> str:
    """What was looked at, for people; names of scopes, settings and positions are the same in every language."""
    if check.order:
        rest = check.check.removeprefix(f"order {check.order}").strip()
        return {"": _("file"), "wanted": _("dates"), "files": _("files"), "tasks": _("tasks")}.get(rest, rest)
    kind, _blank, rest = check.check.partition(" ")
    titles = {
        "settings": _("settings"),
        "env_file": _("settings file"),
        "setting": "",
        "probe": "",  # names for us, in every language
        "serve_token": _("token of serve"),
        "outgoing_token": _("token of events"),
        "rate": _("request rate"),
        "version": _("versions"),
        "zone_data": _("time zones"),
        "data_folder": _("data folder"),
        "ownership": _("rights to files"),
        "disk_space": _("disk"),
        "cache": _("cache"),
        "database": _("database"),
        "portal_host": _("whose data"),
        "orders": _("orders"),
        "snapshot": _("snapshot"),
        "events": _("events"),
        "dropped_fields": _("dropped fields"),
        "restored": _("a restored database"),
        "webhook": _("webhook"),
        "portal": _("portal"),
        "owner": _("owner"),
        "scopes": _("scopes"),
        "scope": _("scope"),
        "clock": _("clock"),
        "zones": _("zones"),
        "tasks": _("tasks"),
        "keys": _("task keys"),
        "department": _("production"),
        "people": _("people"),
        "heads": _("heads"),
        "logins": _("logins"),
        "same_names": _("equal names"),
        "positions": _("positions"),
        "position": _("position"),
        "excluded_users": "excluded_users",
        "hidden_users": "hidden_users",
        "fallback_user": "B24_FALLBACK_USER",
        "group": _("project"),
        "folder": _("folder"),
        "schedule": _("schedule"),
        "exclusions": _("days off"),
        "calendar": _("calendar"),
        "agreement": _("calendars agree"),
        "production": _("production calendar"),
        "absences": _("absences"),
        "order": _("file"),
    }
    return f"{titles.get(kind, kind)} {rest}".strip()


def _is_probe(check: Check) -> bool:
    return check.check.startswith("probe ")


def _section_of(check: Check) -> str:
    if check.order:
        return _("Order {number}").format(number=check.order)
    if _is_probe(check):
        return _("The test task (for sending to us: no names, no addresses, no secrets)")
    kind = check.check.partition(" ")[0]
    here = {"settings", "env_file", "setting", "serve_token", "outgoing_token", "version", "zone_data"}
    here |= {
        "data_folder",
        "ownership",
        "disk_space",
        "cache",
        "database",
        "orders",
        "snapshot",
        "events",
        "dropped_fields",
        "restored",
    }
    company = {"department", "people", "heads", "logins", "same_names", "positions", "position"}
    company |= {"excluded_users", "hidden_users", "fallback_user", "group", "folder"}
    hours = {"schedule", "exclusions", "calendar", "agreement", "production", "absences"}
    if kind == "order":
        return _("Orders")
    if kind in here:
        return _("This machine")
    if kind in company:
        return _("The company")
    return _("Working time") if kind in hours else _("The portal")
