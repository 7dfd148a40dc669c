"""Why a person got a task: sentences and a table for people, `data` for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.jobs.why import Considered, Why
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.formats import format_moment, format_span, format_work
from b24tools.render.json import format_iso


def data(why: Why, zone: ZoneInfo) -> dict[str, Any]:
    """Return the `data` of `why --json`; times in `zone` with their offset, sentences in the language in use."""
    return {
        "task_id": why.task_id,
        "position": why.position,
        "decided_at": format_iso(why.decided_at, zone),
        "responsible": {"id": why.chosen.id, "name": why.chosen.name},
        "reason": why.reason,
        "explanation": "\n".join(_explain(why, zone)),
        "candidates": [
            {
                "id": one.id,
                "name": one.name,
                "free": format_iso(one.free, zone),
                "finish": format_iso(one.finish, zone),
                "open_s": one.open_s,
                "absent": [[format_iso(start, zone), format_iso(end, zone)] for start, end in one.absent],
                "chosen": one.chosen,
                "note": _note(one, why, zone),
            }
            for one in why.candidates
        ],
    }


def print_why(why: Why, zone: ZoneInfo, screen: Screen | None = None) -> None:
    """Print what was decided, and why, in sentences; then who was considered."""
    screen = screen or Screen()
    headline = _("Task {id}, {what}: given to {name} on {moment}").format(
        id=why.task_id,
        what=f"{why.position}: {why.order}" if why.order else why.position,
        name=why.chosen.name,
        moment=_at(why.decided_at, why, zone),
    )
    screen.print(headline, "bold")
    for sentence in _explain(why, zone):
        screen.print(sentence)
    columns = [
        Column(_("Person"), overflow="fold"),
        Column(_("Free")),
        Column(_("Finish")),
        Column(_("Open work"), right=True),
        Column(_("Why not"), overflow="fold"),
    ]
    rows: list[list[Cell]] = []
    for one in why.candidates:
        moments = [_at(one.free, why, zone), _at(one.finish, why, zone)]
        texts = [one.name, *moments, format_work(one.open_s), _note(one, why, zone)]
        rows.append([(text, "bold" if one.chosen else "") for text in texts])
    screen.print_table(columns, rows)
    if why.others:
        screen.print(_("Also considered, and no better: {n}.").format(n=why.others))


def _at(moment: datetime | None, why: Why, zone: ZoneInfo) -> str:
    """Write day and time; the year where it is not that of the decision."""
    return format_moment(moment, zone, why.decided_at)


def _note(one: Considered, why: Why, zone: ZoneInfo) -> str:
    """Say why it was not this person; of the chosen one, that it is."""
    notes = [_("chosen")] if one.chosen else []
    if "outside" in one.causes:
        notes.append(_("not in the department"))
    if "unable" in one.causes:
        notes.append(one.note)
    if "away" in one.causes:
        notes.append(_("away {span}").format(span=format_span(*one.absent[-1], zone, why.decided_at)))
    if "busy" in one.causes:
        notes.append(_("busy until {moment}").format(moment=_at(one.free, why, zone)))
    if "no_gap" in one.causes:
        notes.append(_("it fits in only from {moment}").format(moment=_at(one.start, why, zone)))
    if "tie" in one.causes:
        notes.append(_("finishes at the same time"))
    return "; ".join(notes)


def _explain(why: Why, zone: ZoneInfo) -> list[str]:
    """Give the reason, what the work had to wait for, what would have changed the choice: a sentence each."""
    return [text for text in (_reason(why, zone), _waited(why, zone), _otherwise(why, zone)) if text]


def _reason(why: Why, zone: ZoneInfo) -> str:
    name, second = why.chosen.name, why.second
    if why.reason == "pinned":
        return _("It was pinned to {name} with --to.").format(name=name)
    if why.reason == "fallback":
        return _("{problem}; such work goes to {name} (B24_FALLBACK_USER).").format(problem=_problem(why), name=name)
    if second is None:
        return _('{name} was the only one in the department "{department}" with time for it.').format(
            name=name, department=why.department or why.position
        )
    reasons = {
        "less_open": _("{name} and {second} were equally fast; {name} had less open work, {less} to {more}."),
        "least_recent": _("{name} and {second} were equally free; {name} had been given no work for longer."),
        "lower_id": _("{name} and {second} were equally free; between equals the lower id decides."),
    }
    first = _("{name} finishes it first, {finish}; the next one, {second}, would have done so {later}.")
    return reasons.get(why.reason, first).format(
        name=name,
        second=second.name,
        finish=_at(why.chosen.finish, why, zone),
        later=_at(second.finish, why, zone),
        less=format_work(why.chosen.open_s),
        more=format_work(second.open_s),
    )


def _problem(why: Why) -> str:
    if why.department:
        return _('Nobody active worked in the department "{name}"').format(name=why.department)
    problem = _('There was no department "{name}"').format(name=why.position)
    return problem + (_(' (the nearest name was "{nearest}")').format(nearest=why.nearest) if why.nearest else "")


def _waited(why: Why, zone: ZoneInfo) -> str:
    if why.not_before is None or why.not_before <= why.decided_at:
        return ""
    moment = _at(why.not_before, why, zone)
    if why.after:
        return _('It could not begin before {moment}, when "{after}" ends.').format(moment=moment, after=why.after)
    return _("It could not begin before {moment}, when the order is accepted.").format(moment=moment)


def _otherwise(why: Why, zone: ZoneInfo) -> str:
    name, second = why.chosen.name, why.second
    if why.reason == "pinned":
        best_first = why.candidates.index
        if "outside" not in why.chosen.causes and (second is None or best_first(why.chosen) < best_first(second)):
            return _("Without --to it would have been the same.")
        if second is None:
            return ""
        return _("Without --to it would have been {second}, {finish}.").format(
            second=second.name, finish=_at(second.finish, why, zone)
        )
    if why.reason == "fallback":
        return _('A department "{position}" with people in it would have changed that.').format(position=why.position)
    if second is None:
        return _("A colleague there, or --to, would have changed that.")
    if why.reason == "first":
        if why.margin_s is None:
            return ""
        return _("With more than {hours} of work more for {name} it would have been {second}.").format(
            hours=format_work(why.margin_s), name=name, second=second.name
        )
    if why.reason == "less_open":
        return _("With more than {hours} of open work more for {name} it would have been {second}.").format(
            hours=format_work(second.open_s - why.chosen.open_s), name=name, second=second.name
        )
    return _("Any open work more for {name} would have made it {second}.").format(name=name, second=second.name)
