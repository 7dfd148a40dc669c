"""Why a person got a task: sentences and a table for people, `data` for programs."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.timestamps import to_text
from b24tools.jobs.why import Considered, Why
from b24tools.render import console as render_console

if TYPE_CHECKING:
    from rich.console import Console


def data(why: Why, zone: ZoneInfo) -> dict[str, Any]:
    """The `data` of `why --json`; times in `zone` with their offset, sentences in the chosen language."""

    def text(moment: datetime | None) -> str | None:
        return to_text(moment, zone)

    words = Words(why, zone)
    return {
        "task_id": why.task_id,
        "position": why.position,
        "decided_at": text(why.decided_at),
        "responsible": {"id": why.chosen.id, "name": why.chosen.name},
        "reason": why.reason,
        "explanation": words.explanation(),
        "candidates": [
            {
                "id": one.id,
                "name": one.name,
                "free": text(one.free),
                "finish": text(one.finish),
                "open_s": one.open_s,
                "absent": [[text(start), text(end)] for start, end in one.absent],
                "chosen": one.chosen,
                "note": words.note(one),
            }
            for one in why.candidates
        ],
    }


def screen(why: Why, zone: ZoneInfo, console: Console | None = None) -> None:
    """What was decided, and why, in sentences; then who was considered."""
    from rich.text import Text

    words = Words(why, zone)
    console = console or render_console.open_console()
    console.print(words.headline(), style="bold", markup=False)
    for sentence in words.explanation().splitlines():
        console.print(sentence, markup=False)
    drawn = console.is_terminal
    table = render_console.open_table(console)
    table.add_column(_("Person"), overflow="fold")
    for name in (_("Free"), _("Finish")):
        table.add_column(name, no_wrap=True)
    table.add_column(_("Open work"), no_wrap=True, justify="right")
    table.add_column(_("Why not"), overflow="fold")
    for one in why.candidates:
        table.add_row(
            Text(one.name),
            words.moment(one.free),
            words.moment(one.finish),
            render_console.hours(one.open_s),
            Text(words.note(one)),
            style="bold" if one.chosen and drawn else "",
        )
    console.print(table)
    if why.others:
        console.print(_("Also considered, and no better: {n}.").format(n=why.others), markup=False)


class Words:
    """The sentences about one decision."""

    def __init__(self, why: Why, zone: ZoneInfo) -> None:
        self._why = why
        self._zone = zone

    def headline(self) -> str:
        """What was decided, for whom, when."""
        why = self._why
        what = f"{why.position}: {why.order}" if why.order else why.position
        return _("Task {id}, {what}: given to {name} on {moment}").format(
            id=why.task_id, what=what, name=why.chosen.name, moment=self.moment(why.decided_at)
        )

    def explanation(self) -> str:
        """The reason, what the work had to wait for, what would have changed the choice: a line each."""
        return "\n".join(line for line in (self._reason(), self._waited(), self._otherwise()) if line)

    def note(self, one: Considered) -> str:
        """Why it was not this person; of the chosen one, that it is."""
        told = [_("chosen")] if one.chosen else []
        if "outside" in one.causes:
            told.append(_("not in the department"))
        if "unable" in one.causes:
            told.append(one.note)
        if "away" in one.causes:
            span = render_console.span_text(*one.absent[-1], self._zone, self._why.decided_at)
            told.append(_("away {span}").format(span=span))
        if "busy" in one.causes:
            told.append(_("busy until {moment}").format(moment=self.moment(one.free)))
        if "no_gap" in one.causes:
            told.append(_("it fits in only from {moment}").format(moment=self.moment(one.start)))
        if "tie" in one.causes:
            told.append(_("finishes at the same time"))
        return "; ".join(told)

    def moment(self, moment: datetime | None) -> str:
        """Day and time; the year where it is not that of the decision."""
        return render_console.moment_text(moment, self._zone, self._why.decided_at)

    def _reason(self) -> str:
        why, name, second = self._why, self._why.chosen.name, self._why.second
        if why.reason == "pinned":
            return _("It was pinned to {name} with --to.").format(name=name)
        if why.reason == "fallback":
            return _("{problem}; such work goes to {name} (B24_FALLBACK_USER).").format(
                problem=self._problem(), name=name
            )
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
            finish=self.moment(why.chosen.finish),
            later=self.moment(second.finish),
            less=render_console.hours(why.chosen.open_s),
            more=render_console.hours(second.open_s),
        )

    def _problem(self) -> str:
        why = self._why
        if why.department:
            return _('Nobody active worked in the department "{name}"').format(name=why.department)
        problem = _('There was no department "{name}"').format(name=why.position)
        return problem + (_(' (the nearest name was "{nearest}")').format(nearest=why.nearest) if why.nearest else "")

    def _waited(self) -> str:
        why = self._why
        if why.not_before is None or why.not_before <= why.decided_at:
            return ""
        moment = self.moment(why.not_before)
        if why.after:
            return _('It could not begin before {moment}, when "{after}" ends.').format(moment=moment, after=why.after)
        return _("It could not begin before {moment}, when the order is accepted.").format(moment=moment)

    def _otherwise(self) -> str:
        why, second = self._why, self._why.second
        if why.reason == "pinned":
            inside = "outside" not in why.chosen.causes
            best_first = why.candidates.index
            if inside and (second is None or best_first(why.chosen) < best_first(second)):
                return _("Without --to it would have been the same.")
            if second is None:
                return ""
            return _("Without --to it would have been {second}, {finish}.").format(
                second=second.name, finish=self.moment(second.finish)
            )
        if why.reason == "fallback":
            return _('A department "{position}" with people in it would have changed that.').format(
                position=why.position
            )
        if second is None:
            return _("A colleague there, or --to, would have changed that.")
        if why.reason == "first":
            if why.margin_s is None:
                return ""
            return _("With more than {hours} of work more for {name} it would have been {second}.").format(
                hours=render_console.hours(why.margin_s), name=why.chosen.name, second=second.name
            )
        if why.reason == "less_open":
            return _("With more than {hours} of open work more for {name} it would have been {second}.").format(
                hours=render_console.hours(second.open_s - why.chosen.open_s), name=why.chosen.name, second=second.name
            )
        return _("Any open work more for {name} would have made it {second}.").format(
            name=why.chosen.name, second=second.name
        )
