"""The ranking as a page for a screen on the wall: its script asks for the rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from string import Template
from typing import Any

from b24tools.core import periods
from b24tools.core.i18n import _, current_language, ngettext, pgettext
from b24tools.jobs import leaderboard
from b24tools.jobs.leaderboard.scope import Scope
from b24tools.render import leaderboard_text
from b24tools.render.markup import escape
from b24tools.render.page_assets import count_forms, dump_setup, list_age_words, read_asset, read_assets


def to_html(
    period: periods.Period,
    by: str,
    theme: str,
    setup: dict[str, Any],
    scope: Scope = leaderboard.ALL_WORK,
    said: Iterable[str] = (),
) -> str:
    """Render the page, with its style and its script in it, in the language in use; `setup` is for the script.

    `said`: what is to be known of how it is counted, beside the link to the rules.
    """
    by_hours = by == leaderboard.HOURS
    days = leaderboard_text.describe_period(period)
    title = _("Leaderboard by hours") if by_hours else _("Leaderboard")
    title = f"{title}: {', '.join(scope.names)}" if scope.names else title
    return Template(read_asset("board.html")).substitute(
        language=current_language(),
        theme=theme,
        title=escape(title),
        period=escape(days if by_hours else _("{period}, closed tasks").format(period=days)),
        teams=escape(_("Teams: hours per person") if by_hours else _("Teams: tasks per person")),
        said=escape(" ".join(said)),
        rules=escape(_("What counts")),
        noscript=escape(_("This page needs JavaScript.")),
        setup=dump_setup(setup),
        style=read_style(),
        script=read_script(),
    )


def read_style() -> str:
    """Return the style of the page."""
    return read_assets("colors.css", "board.css")


def read_script() -> str:
    """Return the script of the page."""
    return read_assets("common.js", "board.js")


def list_words(period: periods.Period, now: datetime, *, sees_part: bool = False) -> dict[str, Any]:
    """List what the script says, in the language in use. `sees_part`: see `leaderboard.Board`."""
    empty = leaderboard.Board(period, leaderboard.TASKS, teams=False, complete=True, as_of=now, mode="")
    return list_age_words() | {
        "age": _("Data as of {moment}, {ago}; mode {mode}"),
        "people": count_forms(lambda n: ngettext("{n} person", "{n} people", n)),
        "tasks": count_forms(lambda n: ngettext("{n} task", "{n} tasks", n)),
        "mark": pgettext("decimal mark", "."),
        "new": pgettext("movement", "new"),
        "empty": leaderboard_text.describe_empty(empty, now),
        "no_hours": leaderboard_text.say_no_hours(),
        "unnamed": leaderboard_text.say_unnamed(),
        "median": _("median {n}"),
        "badges": leaderboard_text.name_badges(),
        "goals": leaderboard_text.name_goals(),
        "present": _("{present} of {members} present"),
        "quarter": _("the first quarter has {n} or more"),
        "no_data": _("No data yet. The first snapshot will bring them."),
        "incomplete": leaderboard_text.say_part()
        if sees_part
        else _("Incomplete: part of this period was never collected."),
    }
