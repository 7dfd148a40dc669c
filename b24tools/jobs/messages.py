"""Say to people what has changed in their work, to managers which promises slip, to chats what a digest has.

The news is what the ledger has and was not said yet; so a run that dies loses none, and the next one says it once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from b24tools.assignment import portal_state
from b24tools.assignment.plan import Rules
from b24tools.assignment.staffing import ask_about, own_calendars, working_hours
from b24tools.assignment.tools import Tools
from b24tools.bitrix24 import queries
from b24tools.bitrix24.batch import MOST_COMMANDS, Pending, Query
from b24tools.core import errors
from b24tools.core.chunks import chunked
from b24tools.core.config import MANAGERS, PEOPLE
from b24tools.core.i18n import _
from b24tools.core.models import Person
from b24tools.store import Store
from b24tools.store.messages import DONE, FAILED, PLANNED, UNKNOWN, Message

MOST_NAMES = 10  # that a line of the log has
Write = Callable[[Message, str], tuple[str, str]]  # the text of a message on the portal of this address, and plain

_log = logging.getLogger("b24tools.messages")
_log.addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Sending:
    """What was sent, what still waits for its people to be at work, and what went wrong."""

    sent: tuple[Message, ...] = ()
    waiting: tuple[Message, ...] = ()
    problems: tuple[errors.B24ToolsError, ...] = ()


def plan_news(store: Store, audiences: Collection[str], now: datetime) -> None:
    """Plan what these audiences have to know; nothing where that was planned before. Call it while no order is sent."""
    store.messages.follow(audiences, now)
    if PEOPLE in audiences:
        store.messages.plan_work(now)
    if MANAGERS in audiences:
        store.messages.plan_promises(now)


def send_due(tools: Tools, rules: Rules, write: Write) -> Sending:
    """Send what waits: to chats at once, to people while they are at work; who has left gets nothing.

    A message in a chat is sent once at most. A notification of unknown fate is repeated only on a portal that replaces
    it by its tag. Raises PortalError where it cannot be seen who is at work.
    """
    messages, now = tools.store.messages, tools.clock.now()
    waiting = messages.list_waiting(now)
    if any(message.state == UNKNOWN for message in waiting) and not _do_tags_replace(tools):
        waiting = [message for message in waiting if message.state == PLANNED]
    if not waiting:
        return Sending()
    present, gone = _see_who_is_there(tools, rules, {message.person_id for message in waiting if message.person_id})
    left = [message for message in waiting if message.person_id in gone]
    if left:
        messages.settle([(message, FAILED, "does not work there any more") for message in left])
    ready = [message for message in waiting if message.chat or message.person_id in present]
    sent: list[Message] = []
    problems: list[errors.B24ToolsError] = []
    for chunk in chunked(ready, MOST_COMMANDS):
        done, failures = _send(tools, messages.book(chunk, tools.clock.now()), write)
        sent += done
        problems += failures
    waits = tuple(message for message in waiting if message not in ready and message not in left)
    return Sending(tuple(sent), waits, tuple(problems))


def _send(tools: Tools, booked: Sequence[Message], write: Write) -> tuple[list[Message], list[errors.B24ToolsError]]:
    """Send these in a batch, and save the state of each."""
    if not booked:
        return [], []
    batch = tools.client.new_batch()
    pending = [(message, batch.add(_make_query(message, *write(message, tools.client.url)))) for message in booked]
    try:
        batch.send()
    except errors.PortalError:
        pass  # each message has it
    except errors.B24ToolsError:  # the portal has moved, its certificate is over: none has left
        tools.store.messages.settle([(message, message.state, message.error) for message in booked])
        raise
    outcomes = [(message, *_judge(answer)) for message, answer in pending]
    tools.store.messages.settle(
        [(message, state, error.message if error else None) for message, state, error in outcomes]
    )
    problems: dict[str, errors.B24ToolsError] = {}
    for message, state, error in outcomes:
        if error is None:
            _log.info("message to %s: %s", message.to, describe(message))
        else:
            _log.warning("message to %s: %s; %s: %s", message.to, describe(message), state, error.message)
            problems.setdefault(error.message, _explain(error))
    return [message for message, state, _error in outcomes if state == DONE], list(problems.values())


def _make_query(message: Message, text: str, plain: str) -> Query[int]:
    if message.chat:
        return queries.post_message(message.chat, text)
    return queries.notify_person(message.person_id or 0, text, plain, message.key)


def _judge(answer: Pending[int]) -> tuple[str, errors.PortalError | None]:
    """Tell a message's state by its answer: what surely was not sent for a passing reason waits again."""
    try:
        if answer.value:
            return DONE, None
    except errors.PortalUncertain as error:
        return UNKNOWN, error
    except (errors.PortalBusy, errors.PortalDenied) as error:
        is_about_it = error.portal_code in ("ACCESS_ERROR", "USER_NOT_FOUND")
        return FAILED if is_about_it else PLANNED, error
    except errors.PortalError as error:
        return FAILED, error
    text = _("the portal did not send it: the person has switched off such notifications, or does not exist")
    return FAILED, errors.PortalError(text, method=answer.method)


def _explain(error: errors.PortalError) -> errors.B24ToolsError:
    """Say that it is about messages only."""
    text = _("a message was not sent: {reason}").format(reason=error.message)
    if isinstance(error, errors.PortalUncertain):
        text = _("it is not known whether a message was sent: {reason}").format(reason=error.message)
    hint = error.hint
    if error.portal_code == "ACCESS_ERROR":
        hint = _("Make the webhook's owner a member of the chat.")
    kind = type(error) if type(error) in (errors.PortalBusy, errors.PortalDenied) else errors.PortalError
    return kind(text, hint, method=error.method, portal_code=error.portal_code)


def describe(message: Message) -> str:
    """Say what a message is about, for the log: the tasks, the orders, or the parts of a digest."""
    content = message.content
    changes, orders = content.get("changes", ()), content.get("orders", ())
    names = [f"task #{change['task_id']}" for change in changes] + [f"order {order['number']}" for order in orders]
    names += content.get("parts", ())
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{message.kind}: {', '.join(names[:MOST_NAMES])}{more}"


def _see_who_is_there(tools: Tools, rules: Rules, people: set[int]) -> tuple[set[int], set[int]]:
    """Tell who of these is at work now, and who has left; the portal is asked only about whom the hours allow."""
    if not people:
        return set(), set()
    company, now = tools.directory.company(with_files=False), tools.clock.now()
    calendar, _warnings = working_hours(company, rules)
    known = [company.staff.people.get(id_) or Person(id_, "", "", "", True, ()) for id_ in people]
    calendars = own_calendars(known, company, rules, calendar)
    working = {id_ for id_ in people if calendars.get(id_, calendar).is_worked(now)}
    if not working:
        return set(), set()
    portal = portal_state.read_presence(tools.client, ask_about(tools, rules, company, working))
    tools.directory.remember_date_order(portal.date_order)
    gone = {id_ for id_ in working if id_ not in portal.people or not portal.people[id_].active}
    away = {
        id_ for id_ in working if any(absence.start <= now < absence.end for absence in portal.absences.get(id_, ()))
    }
    return working - gone - away, gone


def _do_tags_replace(tools: Tools) -> bool:
    """Tell whether the portal gives a webhook's notification its tag: only then may one be repeated.

    Documentation and source disagree. It is tried out once, with a notification to the webhook's owner.
    """
    messages = tools.store.messages
    if (known := messages.do_tags_replace()) is not None:
        return known
    text = _("b24tools checks how this portal replaces notifications.")
    try:
        owner_id = tools.client.ask(queries.profile()).id
        batch = tools.client.new_batch()
        trial = batch.add(queries.notify_person(owner_id, text, text, "trial"))
        tags = batch.add(queries.tags_of_notifications())
        batch.send()
        if trial.value:
            tools.client.ask(queries.delete_notification(trial.value))
        replace = bool(trial.value and tags.value.get(trial.value))
    except errors.PortalError:
        return False
    messages.save_tags(tools.clock.now(), replace=replace)
    return replace
