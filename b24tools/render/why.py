"""Why a person got a task: sentences and a table for people, `data` for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from b24tools.core.i18n import _
from b24tools.core.timestamps import to_text
from b24tools.render.console import Cell, Column, Screen
from b24tools.render.formats import describe_terms, format_moment, format_span, format_work, tell_apart
from b24tools.render.markup import Html, element, join
from b24tools.render.page_parts import link_page, render_cells, render_scrolled, render_titles
from b24tools.render.replan import describe_reason

if TYPE_CHECKING:
    from b24tools.jobs.why import Considered, Now, Why


def data(why: Why, zone: ZoneInfo) -> dict[str, Any]:
    """Return the `data` of `why --json`; times in `zone` with their offset, sentences in the language in use.

    Of a task that was moved, the decisions before are `earlier`; what differs by now is `now`.
    """
    return {
        "task_id": why.task_id,
        "position": why.position,
        "decided_at": to_text(why.decided_at, zone),
        "responsible": {"id": why.chosen.id, "name": why.chosen.name},
        "reason": why.reason,
        "explanation": "\n".join(_explain(why, zone)),
        "candidates": [
            {
                "id": person.id,
                "name": person.name,
                "free": to_text(person.free, zone),
                "finish": to_text(person.finish, zone),
                "open_s": person.open_s,
                "absent": [[to_text(start, zone), to_text(end, zone)] for start, end in person.absent],
                "chosen": person.chosen,
                "note": _note(person, why, zone),
            }
            for person in why.candidates
        ],
        **({"now": _now_data(why.now, zone)} if why.now else {}),
        **({"earlier": [data(earlier, zone) for earlier in why.earlier]} if why.earlier else {}),
    }


def _now_data(now: Now, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "responsible": {"id": now.responsible_id, "name": now.name},
        "start": to_text(now.start, zone),
        "finish": to_text(now.finish, zone),
        "closed_at": to_text(now.closed_at, zone),
        "deleted": now.is_deleted,
    }


def print_whys(whys: Sequence[Why], zone: ZoneInfo) -> None:
    """Print decisions one after the other."""
    screen = Screen()
    for number, why in enumerate(whys):
        if number:
            screen.print()
        print_why(why, zone, screen)


def print_why(why: Why, zone: ZoneInfo, screen: Screen | None = None) -> None:
    """Print what was decided, and why, in sentences; then who was considered."""
    screen = screen or Screen()
    screen.print(_headline(why, zone), "bold")
    for sentence in [*_explain(why, zone), *_tell_now(why, zone)]:
        screen.print(sentence)
    who, free, finish, work, note = _titles()
    columns = [Column(who, overflow="fold"), Column(free), Column(finish), Column(work, right=True)]
    columns.append(Column(note, overflow="fold"))
    rows: list[list[Cell]] = [
        [(text, "bold" if person.chosen else "") for text in _list_cells(person, why, zone)]
        for person in why.candidates
    ]
    screen.print_table(columns, rows)
    if why.others:
        screen.print(_("Also considered, and no better: {n}.").format(n=why.others))
    for earlier in why.earlier:
        screen.print()
        print_why(earlier, zone, screen)


def to_html(why: Why, zone: ZoneInfo, root: str, look: Mapping[str, str]) -> Html:
    """Write the same as a page's content; `root`: the way to `/`, `look`: what its links carry on."""
    head = element("thead", render_titles(_titles()))
    rows = []
    for person in why.candidates:
        name, *cells = [element("b", cell) if person.chosen else cell for cell in _list_cells(person, why, zone)]
        rows.append(element("tr", element("th", name, scope="row"), *render_cells(_titles()[1:], cells)))
    table = element("table", head, element("tbody", *rows), class_="considered cards-on-phones")
    parts = [
        element("h2", _headline(why, zone)),
        *(element("p", sentence) for sentence in [*_explain(why, zone), *_tell_now(why, zone)]),
        render_scrolled(table, _headline(why, zone)),
    ]
    if why.others:
        parts.append(element("p", _("Also considered, and no better: {n}.").format(n=why.others)))
    if why.order:
        parts.append(element("p", element("a", why.order, href=link_page(root, "plan", look, order=why.order))))
    return join([*parts, *(to_html(earlier, zone, root, look) for earlier in why.earlier)])


def _headline(why: Why, zone: ZoneInfo) -> str:
    return _("Task {id}, {what}: given to {name} on {moment}").format(
        id=why.task_id,
        what=f"{why.position}: {why.order}" if why.order else why.position,
        name=_name(why, why.chosen),
        moment=_at(why.decided_at, why, zone),
    )


def _titles() -> list[str]:
    return [_("Person"), _("Free"), _("Finish"), _("Open work"), _("Why not")]


def _list_cells(person: Considered, why: Why, zone: ZoneInfo) -> list[str]:
    moments = [_at(person.free, why, zone), _at(person.finish, why, zone)]
    return [_name(why, person), *moments, format_work(person.open_s), _note(person, why, zone)]


def _name(why: Why, person: Considered) -> str:
    return _tell_apart(why)[person.id]


def _tell_apart(why: Why) -> dict[int, str]:
    people = {candidate.id: candidate.name for candidate in why.candidates}
    return tell_apart([*people.items(), *([why.moved_from] if why.moved_from else [])])


def _at(moment: datetime | None, why: Why, zone: ZoneInfo) -> str:
    """Write day and time; the year where it is not that of the decision."""
    return format_moment(moment, zone, why.decided_at)


def _note(person: Considered, why: Why, zone: ZoneInfo) -> str:
    """Say why it was not this person; of the chosen one, that it is."""
    away = format_span(*person.absent[-1], zone, why.decided_at) if person.absent else ""
    notes = {
        "outside": _("not in the department"),
        "unable": person.note,
        "away": _("away {span}").format(span=away),
        "busy": _("busy until {moment}").format(moment=_at(person.free, why, zone)),
        "no_gap": _("it fits in only from {moment}").format(moment=_at(person.start, why, zone)),
        "tie": _("finishes at the same time"),
    }
    reasons = [note for cause, note in notes.items() if cause in person.causes]
    return "; ".join([*[_("chosen")] * person.chosen, *reasons, *describe_terms(person.terms)])


def _explain(why: Why, zone: ZoneInfo) -> list[str]:
    """Give the reason, what the work had to wait for, what would have changed the choice: a sentence each."""
    chosen, second = why.chosen, why.second
    reason = why.reason if second or why.reason in ("pinned", "fallback") else "only"
    because = {
        "pinned": _("It was pinned to {name} with --to."),
        "fallback": _("{problem}; such work goes to {name} (B24_FALLBACK_USER)."),
        "only": _('{name} was the only one in the department "{department}" with time for it.'),
        "first": _("{name} finishes it first, {finish}; the next one, {second}, would have done so {later}."),
        "less_open": _("{name} and {second} were equally fast; {name} had less open work, {less} to {more}."),
        "least_recent": _("{name} and {second} were equally free; {name} had been given no work for longer."),
        "lower_id": _("{name} and {second} were equally free; between equals the lower id decides."),
        "holder": _("It stayed with {name}: {second} would have finished it {later}, and helped no order by that."),
    }
    otherwise = {
        "pinned": _("Without --to it would have been {second}, {later}.") if second else "",
        "fallback": _('A department "{position}" with people in it would have changed that.'),
        "only": _("A colleague there, or --to, would have changed that."),
        "first": _("With more than {hours} of work more for {name} it would have been {second}."),
        "less_open": _("With more than {hours} of open work more for {name} it would have been {second}."),
        "least_recent": _("Any open work more for {name} would have made it {second}."),
        "lower_id": _("Any open work more for {name} would have made it {second}."),
        "holder": "",
    }
    if reason == "first" and why.margin_s is None:  # of older versions
        otherwise["first"] = ""
    ranked = why.candidates.index
    if "outside" not in chosen.causes and (second is None or ranked(chosen) < ranked(second)):
        otherwise["pinned"] = _("Without --to it would have been the same.")
    waited = ""
    if why.not_before is not None and why.not_before > why.decided_at:
        waited = _("It could not begin before {moment}, when the order is accepted.")
        if why.after:
            waited = _('It could not begin before {moment}, when "{after}" ends.')
    more_s = second.open_s if second else 0
    values = {
        "name": _name(why, chosen),
        "second": _name(why, second) if second else "",
        "finish": _at(chosen.finish, why, zone),
        "later": _at(second.finish, why, zone) if second else "",
        "less": format_work(chosen.open_s),
        "more": format_work(more_s),
        "hours": format_work(why.margin_s or 0 if reason == "first" else more_s - chosen.open_s),
        "position": why.position,
        "department": why.department or why.position,
        "problem": _describe_problem(why),
        "moment": _at(why.not_before, why, zone),
        "after": why.after,
    }
    moved = ""
    if why.cause:
        moved, from_id = _("A replan moved it: {cause}."), why.moved_from[0] if why.moved_from else chosen.id
        if from_id != chosen.id:
            moved = _("A replan took it from {moved_from}: {cause}.")
            values["moved_from"] = _tell_apart(why)[from_id]
        values["cause"] = describe_reason(why.cause, is_staying=from_id == chosen.id)
    sentences = [form.format(**values) for form in (moved, because[reason], waited, otherwise[reason]) if form]
    return sentences + _explain_rules(why)


def _tell_now(why: Why, zone: ZoneInfo) -> list[str]:
    """Say who has the task by now, or who closed it, where that differs from the decision."""
    now = why.now
    if now is None:
        return []
    text = _("By now it is {name}'s, from {start} to {finish}, as b24tools wrote it last.")
    if now.closed_at is not None:
        text = _("It was closed on {closed}, by {name}.")
    elif now.is_deleted:
        text = _("By now it is not on the portal any more, as `orders` saw on {seen}.")
    elif now.seen_at is not None and now.finish is not None:
        text = _("By now it is {name}'s, from {start} to {finish}, as `orders` saw on {seen}.")
    elif now.seen_at is not None:
        text = _("By now it is {name}'s, as `orders` saw on {seen}.")
    people = {person.id: person.name for person in why.candidates} | {now.responsible_id: now.name}
    moments = {"start": now.start, "finish": now.finish, "closed": now.closed_at, "seen": now.seen_at}
    values = {key: _at(moment, why, zone) for key, moment in moments.items()}
    return [text.format(name=tell_apart(people.items())[now.responsible_id], **values)]


def _explain_rules(why: Why) -> list[str]:
    """Say what norms and people.json did to this choice, where they did anything."""
    sentences = []
    if why.estimate_s and why.work_s and why.work_s != why.estimate_s:
        text = _("By the norm of the position it takes {work}, where 1C gives {estimate}.")
        sentences.append(text.format(work=format_work(why.work_s), estimate=format_work(why.estimate_s)))
    if why.barred:
        sentences.append(_("People.json gives no such work to {names}.").format(names=", ".join(why.barred)))
    return sentences


def _describe_problem(why: Why) -> str:
    if why.department:
        return _('The department "{name}" had no active people').format(name=why.department)
    problem = _('There was no department "{name}"').format(name=why.position)
    return problem + (_(' (the nearest name was "{nearest}")').format(nearest=why.nearest) if why.nearest else "")
