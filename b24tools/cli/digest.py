"""`b24tools digest`: what a chat or a person is sent on demand, from the results of other commands."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from b24tools import context
from b24tools.cli import doctor
from b24tools.cli.invocation import Invocation, Json
from b24tools.cli.localized import READING, explain
from b24tools.core import config, errors, periods
from b24tools.core.i18n import _
from b24tools.render.console import print_text

if TYPE_CHECKING:
    from b24tools.assignment.plan import Rules
    from b24tools.assignment.tools import Tools
    from b24tools.jobs.messages import Sending
    from b24tools.render.messages import Work
    from b24tools.store import Store

DAY = timedelta(days=1)


class What(StrEnum):
    """A part of a digest."""

    BOARD = "board"
    LATE = "late"
    CHANGES = "changes"
    DOCTOR = "doctor"
    MINE = "mine"


ONCE_A_DAY = (What.MINE, What.BOARD, What.DOCTOR)


@dataclass(frozen=True)
class Digest:
    """What one chat or person, of a `name`, is to be sent. `late`: the ids of the orders named as late.

    `cursor`: the last change of an order that it knows of.
    """

    chat: str | None
    person_id: int | None
    name: str
    parts: Mapping[What, str]
    late: Collection[str] = ()
    cursor: int | None = None
    outcome: str = "nothing"

    @property
    def to(self) -> str:
        """Whom it goes to, in a word."""
        return self.chat or str(self.person_id)

    @property
    def text(self) -> str:
        """All of it, as BB-code."""
        return "\n\n".join(filter(None, self.parts.values()))

    def list_parts(self) -> list[What]:
        """List the parts that have something to say."""
        return [part for part, text in self.parts.items() if text]

    def make_key(self, now: datetime) -> str:
        """Return the key of its message: the same parts about the same orders and changes are sent once a day."""
        about = repr((sorted(self.list_parts()), sorted(self.late), self.cursor))
        return f"digest:{self.to}:{now:%Y-%m-%d}:{hashlib.sha256(about.encode()).hexdigest()[:16]}"


@explain(
    ("digest --to chat42 --what late --dry-run", "Look at what a chat would be sent."),
    ('digest --to "Иван Петров" --what mine', "Send a person the work of today."),
    ("-q digest", "For cron, in the morning: to the chats of B24_NOTIFY."),
    statuses=READING | {75: "try later: the portal is busy or away, or another run is at it"},
)
def digest(
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="CHAT|PERSON", help="A chat as chat42, or a person by name or id."),
    ] = None,
    what: Annotated[
        list[What] | None,
        typer.Option("--what", help="A part of it; may be repeated. `mine` is today's work.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print it; send nothing.")] = False,
    as_json: Json = False,
) -> int:
    """Send what is news to a chat or a person in Bitrix24. Without --to: to the chats of B24_NOTIFY."""
    invocation: Invocation = ctx.obj
    session = invocation.open_session(logs=not dry_run)
    settings = session.settings
    if to is None and not settings.notify_chats:
        raise errors.UsageError(
            _("it is not said whom to send it to"), _("Say it with --to, or name chats in B24_NOTIFY.")
        )
    now = context.now().astimezone(settings.zone)
    with ExitStack() as stack:
        if not dry_run:  # of two machines' crons the second one sees what the first one says
            stack.enter_context(session.hold_lock("digest", settings.retry_seconds, say=True))
        tools, rules = stack.enter_context(invocation.open_planning(session, read_only=dry_run))
        targets = [_read_target(tools, to)] if to else [(chat, None, chat) for chat in settings.notify_chats]
        drafts = [_write(invocation, session, tools, rules, target, what, now) for target in targets]
        if dry_run:
            drafts = [replace(draft, outcome="planned") if draft.text else draft for draft in drafts]
        else:
            drafts = [_plan(tools, draft, now) for draft in drafts]
    problems: Sequence[errors.B24ToolsError] = ()
    if any(draft.outcome == "planned" for draft in drafts) and not dry_run:
        sending = invocation.send_waiting(session)
        problems = sending.problems
        with session.read_store() as store:
            drafts = [_settle(draft, sending, store, now) for draft in drafts]
    error = next(iter(problems), None) if any(draft.outcome == "failed" for draft in drafts) else None
    for problem in problems:
        invocation.messenger.error(problem)
    if as_json:
        data = [
            {"to": draft.to, "what": draft.list_parts(), "outcome": draft.outcome, "text": draft.text}
            for draft in drafts
        ]
        invocation.print_json(data, error=error)
    else:
        for draft in drafts:
            _report(invocation, draft, dry_run=dry_run)
    return error.exit_status if error else 0


def _read_target(tools: Tools, to: str) -> tuple[str | None, int | None, str]:
    """Read a chat or a person, and how to call them. Raises ConfigError for a name that does not mean one person."""
    from b24tools.assignment.named_people import find_anybody
    from b24tools.core.names import read_id

    if config.CHAT.fullmatch(to.strip().lower()):
        return to.strip().lower(), None, to.strip().lower()
    people = tools.directory.company(with_files=False).staff.people
    if (number := read_id(to)) is not None:
        return None, number, people[number].name if number in people else str(number)
    person = find_anybody(tools.client, to, people.values())
    return None, person.id, person.name


def _write(
    invocation: Invocation,
    session: context.Session,
    tools: Tools,
    rules: Rules,
    target: tuple[str | None, int | None, str],
    what: Sequence[What] | None,
    now: datetime,
) -> Digest:
    """Gather the parts that are news. Unasked a chat gets the morning's; on Monday the ranking, too.

    What the day's digests have said is no news: a part; of late orders, when all of them were named.
    """
    from b24tools.assignment.standing import LATE
    from b24tools.jobs import leaderboard
    from b24tools.jobs.orders import STATES, list_orders
    from b24tools.render import messages as render_messages

    chat, person_id, name = target
    usual = [What.MINE, What.LATE, What.CHANGES] if chat else [What.MINE]
    is_monday = now.isoweekday() == 1
    chosen = dict.fromkeys(what or [*usual, *([What.BOARD] if chat and is_monday else [])])
    zone, parts, cursor, named = session.settings.zone, dict.fromkeys(chosen, ""), None, set()
    to = chat or str(person_id)
    said, said_late = tools.store.messages.read_digests(to, now)
    is_same = False
    for part in sorted(chosen, key=lambda part: part == What.CHANGES):  # it leaves out what LATE names
        if part in ONCE_A_DAY and part in said:
            is_same = True
            continue
        match part:
            case What.BOARD:
                week = periods.choose(periods.LAST if is_monday else None, periods.WEEK, zone, now)
                parts[part] = render_messages.write_board(
                    leaderboard.board(tools.store, week, now=now, spares_last=True)
                )
            case What.LATE:
                late = list_orders(tools, rules, states=[LATE]).orders
                if {order.row.id for order in late} - said_late:
                    named = {order.row.id for order in late}
                    parts[part] = render_messages.write_late(late, zone)
                elif late:
                    is_same = True
            case What.CHANGES:
                last = tools.store.messages.read_cursor(to)
                since = last[0] if last else tools.store.orders.last_change_before(now - DAY)
                listing = list_orders(tools, rules, since=since, states=STATES)
                changed, cursor = [order for order in listing.orders if order.row.id not in named], listing.cursor
                if last and tools.store.orders.was_restored_after(last[1]):
                    changed = []
                    tools.store.messages.pass_over(chat, person_id, cursor, now)
                parts[part] = render_messages.write_changes(changed, zone)
            case What.DOCTOR:
                parts[part] = render_messages.write_findings(doctor.examine(invocation))
            case What.MINE:
                work = _read_work(tools, rules, person_id)
                parts[part] = render_messages.write_work(work, tools.client.url, now, is_own=person_id is not None)
    return Digest(chat, person_id, name, parts, named, cursor, "same" if is_same else "nothing")


def _read_work(tools: Tools, rules: Rules, person_id: int | None) -> list[tuple[str, list[Work]]]:
    """Read what people still do today, by name; of all of the production without a person."""
    from b24tools.jobs.today import read_today
    from b24tools.render.formats import tell_apart
    from b24tools.render.messages import Work

    work, lists = [], read_today(tools, rules).lists
    names = tell_apart((work_list.person.id, work_list.person.name) for work_list in lists)
    for work_list in lists:
        jobs: dict[int, Work] = {}
        for job in work_list.jobs if person_id in (None, work_list.person.id) else ():
            customer = (job.order.customer if job.order else None) or ""
            known = jobs.get(job.task.id)
            start = known.start if known else job.slot.start
            jobs[job.task.id] = Work(job.task.id, job.task.title, customer, start, job.slot.end)
        if jobs:
            work.append((names[work_list.person.id], list(jobs.values())))
    return sorted(work)


def _plan(tools: Tools, draft: Digest, now: datetime) -> Digest:
    """Put it into the queue until the end of the day, unless the same was sent today."""
    if not draft.text:
        return draft
    is_new = tools.store.messages.plan(
        draft.make_key(now),
        "digest",
        {"text": draft.text, "parts": draft.list_parts(), "late": sorted(draft.late), "cursor": draft.cursor},
        now,
        person_id=draft.person_id,
        chat=draft.chat,
        valid_until=datetime.combine(now.date() + DAY, time(), now.tzinfo),
    )
    return replace(draft, outcome="planned" if is_new else "same")


def _settle(draft: Digest, sending: Sending, store: Store, now: datetime) -> Digest:
    """Say what came of it; another command of the same minute may have sent it."""
    if draft.outcome != "planned":
        return draft
    if store.messages.read_state(draft.make_key(now)) in ("sent", "done"):
        return replace(draft, outcome="sent")
    is_waiting = any(message.key == draft.make_key(now) for message in sending.waiting)
    return replace(draft, outcome="waiting" if is_waiting else "failed")


def _report(invocation: Invocation, draft: Digest, *, dry_run: bool) -> None:
    from b24tools.render.messages import to_plain

    if dry_run and draft.text:
        print_text(to_plain(draft.text))
        return
    texts = {
        "nothing": _("Nothing to say to {to}."),
        "same": _("The same was sent to {to} today."),
        "waiting": _("It goes to {to} with the first command within today's working hours."),
        "sent": _("Sent to {to}."),
    }
    if draft.outcome in texts:
        invocation.messenger.info(texts[draft.outcome].format(to=draft.name))
