"""The portal's events: stored before they are answered; then the tasks they name are read, and saved as by a snapshot.

An event is a hint that a task changed, nothing more: events come late, twice, in any order, or not at all.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from b24tools.bitrix24 import queries
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.parsing import UnexpectedResponse, int_or_zero
from b24tools.bitrix24.portal_time import PortalClock, read_iso
from b24tools.core import errors
from b24tools.core.chunks import chunked
from b24tools.core.i18n import _
from b24tools.core.models import Person, Status, TaskRecord
from b24tools.core.secrets import Scrubber
from b24tools.jobs.events import payload
from b24tools.jobs.events.payload import Event, Refusal
from b24tools.store import Store, database
from b24tools.store.events import BY_MODE, DONE, IGNORED, LONGEST_DELAY, WAITING, NewEvent, StoredEvent

TASK_LIST = "tasks.task.list"
TASKS_AT_ONCE = 50
# `ts` of an event has whole seconds: another change in the same second makes the same body. A task that was read
# this long after the first of them came has both.
SETTLED = timedelta(seconds=2)
FRESH = timedelta(minutes=10)  # how old `ts` may be in a body that can have a duplicate
_MINUTES = (1, 5, 15, 60, 4 * 60, 12 * 60)
RETRIES = (*(timedelta(minutes=minutes) for minutes in _MINUTES), LONGEST_DELAY)  # then only `replay` tries again
DELETED = "ONTASKDELETE"


@dataclass(frozen=True)
class Processed:
    """How many events were applied, ignored, failed and why. `warnings`: what else there is to say."""

    processed: int = 0
    applied: int = 0
    ignored: int = 0
    failed: int = 0
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: Processed) -> Processed:
        return Processed(
            self.processed + other.processed,
            self.applied + other.applied,
            self.ignored + other.ignored,
            self.failed + other.failed,
            tuple(dict.fromkeys((*self.reasons, *other.reasons))),
            tuple(dict.fromkeys((*self.warnings, *other.warnings))),
        )


def receive(store: Store, body: bytes, content_type: str, tokens: Collection[str], now: datetime) -> str:
    """Store an event, as `check` and `add` do."""
    return add(store, [check(body, content_type, tokens, now, Scrubber(tokens).scrub)])[0]


def check(
    body: bytes, content_type: str, tokens: Collection[str], now: datetime, scrub: Callable[[str], str]
) -> NewEvent:
    """Read the event of a sender who knows one of the `tokens`. `scrub` takes out the secrets of the settings.

    Raises payload.Refusal, whose `status` is the HTTP status.
    """
    event = payload.read_body(body, content_type, scrub)
    # in constant time, as far as the tokens' number allows
    matches = [hmac.compare_digest(event.token.encode("utf-8", "replace"), one.encode()) for one in tokens if one]
    if not any(matches):
        raise Refusal(
            403,
            _("the application_token is not one of ours"),
            _("BITRIX_OUTGOING_TOKEN has the token that Bitrix24 shows at the outgoing webhook; several with commas."),
        )
    task_id = payload.task_of(event)
    fresh = event.sent_at is not None and abs(now - event.sent_at) <= FRESH
    return NewEvent(now, event.name, task_id, event.body, event.sha256 if fresh else None)


def add(store: Store, events: Sequence[NewEvent]) -> list[str]:
    """Store events; they are on the disk when this returns. The answers: accepted, ignored_by_mode or event_ignored."""
    answers = {IGNORED: "event_ignored", BY_MODE: "ignored_by_mode"}
    with store.transaction():  # no change of the mode slips in between
        statuses = store.events.add(events, WAITING if store.settings.follows_events() else BY_MODE)
    return [answers.get(status, "accepted") for status in statuses]


def process(store: Store, client: Client, zone: ZoneInfo, now: datetime, limit: int = TASKS_AT_ONCE) -> Processed:
    """Apply the waiting events that are due, those of `limit` tasks at most. Nothing due, nothing asked.

    Those processed a month ago are forgotten by the way.
    Raises PortalBusy and what has to do with settings; the events go on waiting then.
    """
    due = store.events.due(now, limit)
    if not due.tasks:
        return Processed()
    dropped = store.events.drop_duplicates(due.tasks, now, SETTLED)
    if dropped or store.database.is_shared:
        due = store.events.claim(now, limit)

    def settle(outcomes: _Outcomes) -> Processed:
        done = Processed()
        for task_id, events in due.tasks.items():
            if reason := outcomes.failed.get(task_id):
                next_try = _next_try(max(attempts for _name, attempts in events), now)
                count = store.events.fail(task_id, due.last_id, reason, next_try)
            else:
                status, note = outcomes.status_of(task_id), outcomes.notes.get(task_id)
                count = store.events.finish([task_id], due.last_id, status, now, outcomes.reading, note)
            done += outcomes.count(task_id, count)
        if outcomes.portal_now is not None:
            store.events.forget_old(outcomes.portal_now)
        return done

    names = {task_id: {name for name, _attempts in events} for task_id, events in due.tasks.items()}
    try:
        return Processed(dropped, 0, dropped) + _apply(store, client, zone, now, names, settle)
    except BaseException:
        with suppress(database.Error):  # it may be what has failed: then the lease ends by itself
            store.events.release(due, now)
        raise


def replay(
    store: Store, client: Client, zone: ZoneInfo, now: datetime, events: Iterable[StoredEvent | Event]
) -> Processed:
    """Apply these events again, whatever their state. Those from elsewhere are not put into the database.

    Raises PortalBusy, after which stored ones stay as they are, and Refusal for one that `payload.task_of` refuses.
    """
    of_task: dict[int, list[StoredEvent | Event]] = {}
    done = Processed()
    for event in events:
        task_id = event.task_id if isinstance(event, StoredEvent) else payload.task_of(event)
        if task_id is None:
            done += Processed(1, 0, 1)
        else:
            of_task.setdefault(task_id, []).append(event)
    for task_ids in chunked(list(of_task), TASKS_AT_ONCE):

        def settle(outcomes: _Outcomes, task_ids: Sequence[int] = task_ids) -> Processed:
            for task_id in task_ids:
                for event in of_task[task_id]:
                    if not isinstance(event, StoredEvent):
                        continue
                    if reason := outcomes.failed.get(task_id):
                        store.events.fail_one(event.id, reason, _next_try(event.attempts, now))
                    else:
                        status, note = outcomes.status_of(task_id), outcomes.notes.get(task_id)
                        store.events.finish_one(event.id, status, now, outcomes.reading, note)
            return sum((outcomes.count(task_id, len(of_task[task_id])) for task_id in task_ids), Processed())

        names = {
            task_id: {event.event if isinstance(event, StoredEvent) else event.name for event in of_task[task_id]}
            for task_id in task_ids
        }
        done += _apply(store, client, zone, now, names, settle)
    return done


def _next_try(attempts: int, now: datetime) -> datetime | None:
    """When to try once more what has failed before so often, and just now."""
    return now + RETRIES[attempts] if attempts < len(RETRIES) else None


@dataclass
class _Outcomes:
    """What came of reading tasks: which were saved or deleted, which failed and why. The others cannot be seen.

    `reading`: the number of the request. `notes`: what there is to say about some of those applied. `portal_now`:
    the portal's clock, where it is known.
    """

    reading: int
    applied: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    portal_now: datetime | None = None

    def status_of(self, task_id: int) -> str:
        """The status of events that did not fail."""
        return DONE if task_id in self.applied else IGNORED

    def count(self, task_id: int, events: int) -> Processed:
        """So many events of this task."""
        if task_id in self.failed:
            return Processed(events, failed=events, reasons=(self.failed[task_id],))
        if task_id not in self.applied:
            return Processed(events, ignored=events)
        return Processed(events, events, warnings=(self.notes[task_id],) if task_id in self.notes else ())


def _apply(
    store: Store,
    client: Client,
    zone: ZoneInfo,
    now: datetime,
    names: Mapping[int, Collection[str]],
    settle: Callable[[_Outcomes], Processed],
) -> Processed:
    """Read the tasks (`names` of the events that ask for each), save them, and `settle` in the same transaction."""
    if not names:
        return Processed()
    outcomes = _Outcomes(store.snapshot_runs.number_reading())
    tasks: list[TaskRecord] = []
    deleted: list[int] = []
    people: list[Person] = []
    try:
        found, missing, admin = _read_tasks(client, zone, list(names), outcomes)
        people = _read_unknown_people(store, client, found)
        tasks = found
        # to somebody who sees everything it is deleted; to others it may only be out of sight
        deleted = [task_id for task_id in missing if admin or DELETED in names[task_id]]
    except errors.PortalBusy:
        raise
    except errors.PortalError as error:
        outcomes = _Outcomes(outcomes.reading, failed=dict.fromkeys(names, error.message))
    outcomes.applied = {*(task.id for task in tasks), *deleted}
    for task in tasks:
        if task.status == Status.COMPLETED and task.closed_at is None:
            outcomes.notes[task.id] = _("task {id} has no readable closing date and does not count").format(id=task.id)
    with store.transaction():
        store.settings.remember_host(client.host)
        store.people.save(people, now, outcomes.reading)
        newer = store.events.followed_since(names, outcomes.reading)  # read by another process, later than here
        store.tasks.save([task for task in tasks if task.id not in newer], now, zone, outcomes.reading)
        store.tasks.mark_deleted([task_id for task_id in deleted if task_id not in newer], now, outcomes.reading)
        return settle(outcomes)


def _read_tasks(
    client: Client, zone: ZoneInfo, task_ids: Sequence[int], outcomes: _Outcomes
) -> tuple[list[TaskRecord], list[int], bool]:
    """Read the tasks that are there, the ids of those that are not, and whether the owner sees everything."""
    batch = client.new_batch()
    profile, server_time = batch.add(queries.profile()), batch.add(queries.server_time())
    pages = [(ids, batch.add(queries.tasks_as_closed(ids))) for ids in chunked(task_ids, TASKS_AT_ONCE)]
    batch.send()
    outcomes.portal_now = read_iso(server_time.value)
    portal_clock = PortalClock(profile.value, zone, server_time.value)
    tasks: list[TaskRecord] = []
    missing: list[int] = []
    for ids, page in pages:
        left = set(ids)
        portal_zone = portal_clock.see(page.value)
        nameless = None
        for row in page.value:
            task_id = int_or_zero(row.get("id"))
            if not task_id:
                nameless = row
                continue
            if task_id not in left:  # a portal that ignored the filter says nothing about those it left out
                raise errors.PortalError(
                    _("{method}: the portal sent tasks that were not asked for").format(method=TASK_LIST),
                    method=TASK_LIST,
                )
            left.remove(task_id)
            try:
                tasks.append(queries.read_record(row, portal_zone))
            except errors.PortalError as error:  # one odd row is no reason to lose the others
                outcomes.failed[task_id] = error.message
        if nameless is None:
            missing += sorted(left)
        else:  # whose is it? So none is known to be missing
            outcomes.failed |= dict.fromkeys(left, UnexpectedResponse(nameless, TASK_LIST).message)
    return tasks, missing, profile.value.admin


def _read_unknown_people(store: Store, client: Client, tasks: Sequence[TaskRecord]) -> list[Person]:
    """Read those responsible for closed tasks whom the database does not know yet."""
    names = {task.responsible_id: task.responsible_name for task in tasks if task.status == Status.COMPLETED}
    unknown = sorted(names.keys() - store.people.known()) if names else []
    try:
        found = queries.fetch_people(client, unknown)
    except errors.PortalBusy:
        raise
    except errors.PortalError:  # without the right to see people the names in the tasks must do
        found = {}
    return [found.get(user_id) or queries.unknown_person(user_id, names[user_id]) for user_id in unknown]
