"""The portal's events: kept before they are answered; then the tasks they name are read, and saved as a snapshot does.

An event is a hint that a task changed, nothing more: events come late, twice, in any order, or not at all.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from b24tools.bitrix24 import queries
from b24tools.bitrix24.client import Client
from b24tools.bitrix24.parsing import to_int, unexpected_response
from b24tools.bitrix24.portal_time import PortalClock, read_iso
from b24tools.core import errors
from b24tools.core.chunks import chunked
from b24tools.core.i18n import _
from b24tools.core.models import Person, Status, TaskRecord
from b24tools.jobs.events import payload
from b24tools.jobs.events.payload import Event, Refusal
from b24tools.store import Store
from b24tools.store.events import BY_MODE, DONE, IGNORED, LONGEST_DELAY, NewEvent, StoredEvent

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
class Receipt:
    """The answer to an event: accepted, ignored_by_mode or event_ignored. Whatever it is, the event was kept."""

    status: str


@dataclass(frozen=True)
class Processed:
    """How many events were followed, were of no use, failed and why. `warnings`: what else there is to say."""

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


def receive(store: Store, body: bytes, content_type: str, tokens: Collection[str], now: datetime) -> Receipt:
    """Keep an event of somebody who knows one of the `tokens`; it is on the disk when this returns.

    Raises event_body.Refusal, whose `status` is the HTTP status.
    """
    return _receipt(*store.events.add([_read_event(body, content_type, tokens, now)]))


def receive_all(
    store: Store, bodies: Sequence[tuple[bytes, str]], tokens: Collection[str], now: datetime
) -> list[Receipt | Refusal]:
    """The same for several bodies (each with its content type), which go to the disk together."""
    found: list[NewEvent | Refusal] = []
    for body, content_type in bodies:
        try:
            found.append(_read_event(body, content_type, tokens, now))
        except Refusal as refusal:
            found.append(refusal)
    statuses = iter(store.events.add([one for one in found if isinstance(one, NewEvent)]))
    return [_receipt(next(statuses)) if isinstance(one, NewEvent) else one for one in found]


def _read_event(body: bytes, content_type: str, tokens: Collection[str], now: datetime) -> NewEvent:
    event = payload.read_body(body, content_type, tokens)
    _check_token(event.token, tokens)
    task_id = payload.task_of(event)
    fresh = event.sent_at is not None and abs(now - event.sent_at) <= FRESH
    return NewEvent(now, event.name, task_id, event.body, event.sha256 if fresh else None)


def _receipt(status: str) -> Receipt:
    return Receipt({IGNORED: "event_ignored", BY_MODE: "ignored_by_mode"}.get(status, "accepted"))


def _check_token(given: str, tokens: Collection[str]) -> None:
    """In constant time, as far as the tokens' number allows."""
    matches = [hmac.compare_digest(given.encode("utf-8", "replace"), token.encode()) for token in tokens if token]
    if not any(matches):
        raise Refusal(
            403,
            _("the application_token is not one of ours"),
            _("BITRIX_OUTGOING_TOKEN has the token that Bitrix24 shows at the outgoing webhook; several with commas."),
        )


def process(store: Store, client: Client, zone: ZoneInfo, now: datetime, limit: int = TASKS_AT_ONCE) -> Processed:
    """Follow the waiting events that are due, those of `limit` tasks at most. Nothing due, nothing asked.

    Those processed a month ago are forgotten by the way.
    Raises PortalBusy and what has to do with settings; the events go on waiting then.
    """
    due = store.events.due(now, limit)
    if not due.tasks:
        return Processed()
    dropped = store.events.drop_duplicates(due.tasks, now, SETTLED)
    if dropped:
        due = store.events.due(now, limit)
    attempts = {task_id: max(tries for _name, tries in events) for task_id, events in due.tasks.items()}

    def settle(fates: _Fates) -> Processed:
        plain = [task_id for task_id in fates.applied if task_id not in fates.notes]
        applied = store.events.finish(plain, due.last_id, DONE, now, fates.reading)
        for task_id, note in fates.notes.items():
            applied += store.events.finish([task_id], due.last_id, DONE, now, fates.reading, note)
        ignored = store.events.finish(fates.hidden, due.last_id, IGNORED, now, fates.reading)
        failed = 0
        for task_id, reason in fates.failed.items():
            failed += store.events.fail(task_id, due.last_id, reason, _next_try(attempts[task_id], now))
        if fates.portal_now is not None:
            store.events.forget_old(fates.portal_now)
        return Processed(applied + ignored + failed, applied, ignored, failed, fates.reasons, fates.warnings)

    names = {task_id: {name for name, _tries in events} for task_id, events in due.tasks.items()}
    return Processed(dropped, 0, dropped) + _follow(store, client, zone, now, names, settle)


def replay(store: Store, client: Client, zone: ZoneInfo, now: datetime, events: Iterable[StoredEvent]) -> Processed:
    """Follow these kept events again, whatever has become of them. Raises PortalBusy; they stay as they are then."""
    of_task: dict[int, list[StoredEvent]] = {}
    done = Processed()
    for event in events:
        if event.task_id is None:
            done += Processed(1, 0, 1)
        else:
            of_task.setdefault(event.task_id, []).append(event)
    for task_ids in chunked(of_task, TASKS_AT_ONCE):
        chosen = {task_id: of_task[task_id] for task_id in task_ids}

        def settle(fates: _Fates, chosen: Mapping[int, Sequence[StoredEvent]] = chosen) -> Processed:
            found = Processed()
            for task_id, kept in chosen.items():
                for one in kept:
                    if task_id in fates.failed:
                        store.events.fail_one(one.id, fates.failed[task_id], _next_try(one.attempts, now))
                    else:
                        status = DONE if task_id in fates.applied else IGNORED
                        store.events.finish_one(one.id, status, now, fates.reading, fates.notes.get(task_id))
                found += fates.count(task_id, len(kept))
            return found

        names = {task_id: {one.event for one in kept} for task_id, kept in chosen.items()}
        done += _follow(store, client, zone, now, names, settle)
    return done


def replay_bodies(store: Store, client: Client, zone: ZoneInfo, now: datetime, bodies: Iterable[Event]) -> Processed:
    """Follow events that were kept elsewhere; they are not put into the database.

    Raises PortalBusy, and Refusal for one that `task_of` refuses.
    """
    of_task: dict[int, list[str]] = {}
    done = Processed()
    for event in bodies:
        task_id = payload.task_of(event)
        if task_id is None:
            done += Processed(1, 0, 1)
        else:
            of_task.setdefault(task_id, []).append(event.name)
    for task_ids in chunked(of_task, TASKS_AT_ONCE):
        names = {task_id: of_task[task_id] for task_id in task_ids}

        def settle(fates: _Fates, names: Mapping[int, Sequence[str]] = names) -> Processed:
            return sum((fates.count(task_id, len(kept)) for task_id, kept in names.items()), Processed())

        done += _follow(store, client, zone, now, names, settle)
    return done


def _next_try(attempts: int, now: datetime) -> datetime | None:
    """When to try once more what has failed before so often, and just now."""
    return now + RETRIES[attempts] if attempts < len(RETRIES) else None


@dataclass
class _Fates:
    """What came of reading tasks: followed, not to be seen, failed and why.

    `reading`: the number of the request. `notes`: what there is to say about some of those followed. `portal_now`:
    the portal's clock, if it told.
    """

    reading: int
    applied: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)
    portal_now: datetime | None = None

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.failed.values()))

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self.notes.values())

    def count(self, task_id: int, events: int) -> Processed:
        """So many events of this task."""
        if task_id in self.failed:
            return Processed(events, 0, 0, events, (self.failed[task_id],))
        if task_id not in self.applied:
            return Processed(events, 0, events)
        note = self.notes.get(task_id)
        return Processed(events, events, warnings=(note,) if note else ())


def _follow(
    store: Store,
    client: Client,
    zone: ZoneInfo,
    now: datetime,
    names: Mapping[int, Collection[str]],
    settle: Callable[[_Fates], Processed],
) -> Processed:
    """Read the tasks (`names` of the events that ask for each), save them, and `settle` in the same transaction."""
    if not names:
        return Processed()
    fates = _Fates(store.snapshot_runs.number_reading())
    tasks: list[TaskRecord] = []
    deleted: list[int] = []
    people: list[Person] = []
    try:
        found, missing, admin = _read(client, zone, list(names), fates)
        tasks = list(found)
        for task_id in missing:
            # To somebody who sees everything it is deleted; to others it may only be out of sight
            sure = admin or DELETED in names[task_id]
            (deleted if sure else fates.hidden).append(task_id)
        people = _meet(store, client, tasks)
    except errors.PortalBusy:
        raise
    except errors.PortalError as error:
        fates = _Fates(fates.reading, failed=dict.fromkeys(names, error.message))
        tasks, deleted = [], []
    fates.applied += [*(task.id for task in tasks), *deleted]
    for task in tasks:
        if task.status == Status.COMPLETED and task.closed_at is None:
            fates.notes[task.id] = _("task {id} has no readable closing date and does not count").format(id=task.id)
    with store.transaction():
        store.settings.remember_host(client.host)
        store.people.save(people, now, fates.reading)
        newer = store.events.followed_since(names, fates.reading)  # read by another process, later than here
        store.tasks.save([task for task in tasks if task.id not in newer], now, zone, fates.reading)
        store.tasks.mark_deleted([task_id for task_id in deleted if task_id not in newer], now, fates.reading)
        return settle(fates)


def _read(
    client: Client, zone: ZoneInfo, task_ids: Sequence[int], fates: _Fates
) -> tuple[list[TaskRecord], list[int], bool]:
    """The tasks that are there, the ids of those that are not, and whether the owner sees everything."""
    batch = client.new_batch()
    profile, server_time = batch.add(queries.profile()), batch.add(queries.server_time())
    pages = [(ids, batch.add(queries.tasks_as_closed(ids))) for ids in chunked(task_ids, TASKS_AT_ONCE)]
    batch.send()
    owner = profile.value
    fates.portal_now = read_iso(server_time.value)
    portal_clock = PortalClock(owner, zone, server_time.value)
    tasks: list[TaskRecord] = []
    missing: list[int] = []
    for ids, page in pages:
        left = set(ids)
        rows = page.value
        nameless = [row for row in rows if to_int(row.get("id")) is None]
        portal_zone = portal_clock.see(rows)
        for row in rows:
            number = to_int(row.get("id"))
            if number is None:
                continue
            if number not in left:  # a portal that ignored the filter says nothing about those it left out
                raise errors.PortalError(
                    _("{method}: the portal sent tasks that nobody asked for").format(method=TASK_LIST),
                    method=TASK_LIST,
                )
            left.remove(number)
            try:
                tasks.append(queries.read_record(row, portal_zone))
            except errors.PortalError as error:  # one strange row is no reason to lose the others
                fates.failed[number] = error.message
        if nameless:  # whose is it? So none is known to be missing
            fates.failed |= dict.fromkeys(left, unexpected_response(TASK_LIST, nameless[0]).message)
        else:
            missing += sorted(left)
    return tasks, missing, owner.admin


def _meet(store: Store, client: Client, tasks: Sequence[TaskRecord]) -> list[Person]:
    """Those responsible for closed tasks whom nobody knows yet."""
    names = {task.responsible_id: task.responsible_name for task in tasks if task.status == Status.COMPLETED}
    unknown = sorted(names.keys() - store.people.known()) if names else []
    try:
        found = queries.fetch_people(client, unknown)
    except errors.PortalBusy:
        raise
    except errors.PortalError:  # without the right to see people the names in the tasks must do
        found = {}
    return [found.get(one) or queries.unknown_person(one, names[one]) for one in unknown]
